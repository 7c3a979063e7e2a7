//! The bytes of a live view, made once and only when somebody looks.
//!
//! The JSON is that of `/api/v1/live`; the stream sends the same bytes as an event,
//! shared by every reader. Times carry the offset of the park's civil time, so that
//! a reader needs no time zone database.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::attribution::PowersAttribution;
use super::closure::ClosureJson;
use super::live::{HeatView, LiveView, MeterView, Place, VERSION, seconds};
use super::plant::UnitJson;
use crate::domain::boundary::Netting;
use crate::domain::flow::{FLOWS, FlowRow, Stated};
use crate::domain::interval::Interval;
use crate::domain::meter::Carrier;
use crate::domain::quality::{Gap, Quality, Reason};

#[derive(Serialize)]
struct FlowJson<'a> {
    w: Option<f64>,
    quality: Quality,
    age_s: Option<f64>,
    gaps: &'a [Gap],
}

struct BalanceJson<'a> {
    view: &'a LiveView,
    carrier: Carrier,
}

impl Serialize for BalanceJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = FLOWS.iter().filter(|row| row.carrier == self.carrier);
        let mut map = serializer.serialize_map(None)?;
        for row in rows {
            map.serialize_entry(row.live, &flow_json(self.view, row))?;
        }
        map.end()
    }
}

fn flow_json<'a>(view: &'a LiveView, row: &FlowRow) -> FlowJson<'a> {
    let stated: &Stated<f64> = view.powers.of(row.flow);
    match stated {
        Ok(known) => FlowJson {
            w: Some(known.value),
            quality: known.quality,
            age_s: known.oldest.map(|at| seconds(at, view.at)),
            gaps: &[],
        },
        Err(gaps) => FlowJson {
            w: None,
            quality: Quality::Missing,
            age_s: None,
            gaps: gaps.list(),
        },
    }
}

#[derive(Serialize)]
struct RatiosJson {
    self_consumption: Option<f64>,
    self_sufficiency: Option<f64>,
    solar_fraction: Option<f64>,
    from: Option<String>,
}

#[derive(Serialize)]
struct MeterJson<'a> {
    id: &'a str,
    role: &'a str,
    quality: Quality,
    age_s: Option<f64>,
    power_w: Option<f64>,
    last_error: Option<&'a str>,
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heat_power_w: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    heat: Option<&'a HeatView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heat_check: Option<HeatCheckJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss_compensation: Option<LossJson>,
    values: &'a BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct LossJson {
    loss_w: f64,
    loss_var: f64,
    boundary_w: f64,
    boundary_var: Option<f64>,
    voltage: &'static str,
}

#[derive(Serialize)]
struct HeatCheckJson {
    start: String,
    end: String,
    register_wh: f64,
    computed_wh: f64,
    deviation_pct: Option<f64>,
    agrees: bool,
}

#[derive(Serialize)]
struct SinkJson<'a> {
    name: &'a str,
    backlog_points: u64,
    oldest: Option<String>,
    last_ok: Option<String>,
    last_error: Option<&'a str>,
    quarantined_rows: u64,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    check: u8,
    name: &'static str,
    meters: &'a [Arc<str>],
    since: String,
    value: f64,
    limit: f64,
    unit: &'a str,
    what: &'a str,
    cause: &'a str,
    remedy: &'a str,
}

#[derive(Serialize)]
struct LiveJson<'a> {
    park: &'a str,
    name: &'a str,
    time_zone: String,
    settlement_minutes: i64,
    at: String,
    seq: u64,
    stored_until: Option<String>,
    clock: &'static str,
    version: &'static str,
    electricity: BalanceJson<'a>,
    heat: BalanceJson<'a>,
    attribution: PowersAttribution<'a>,
    netting: Option<&'static str>,
    netting_window_s: Option<f64>,
    register_mode: Option<&'static str>,
    ratios: RatiosJson,
    plant: Vec<UnitJson<'a>>,
    meters: Vec<MeterJson<'a>>,
    sinks: Vec<SinkJson<'a>>,
    findings: Vec<FindingJson<'a>>,
    closure: ClosureJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late: Option<LateJson<'a>>,
}

#[derive(Serialize)]
struct LateJson<'a> {
    waiting_intervals: u64,
    revisions: u64,
    last: Option<String>,
    last_error: Option<&'a str>,
}

impl Serialize for LiveView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = |at: Option<Timestamp>| at.map(|at| self.place.rfc3339(at));
        let balance = |carrier| BalanceJson {
            view: self,
            carrier,
        };
        LiveJson {
            park: &self.place.id,
            name: &self.place.name,
            time_zone: self.place.zone_name(self.at),
            settlement_minutes: self.place.settlement_minutes,
            at: self.place.rfc3339(self.at),
            seq: self.seq,
            stored_until: time(self.stored_until),
            clock: if self.clock_trusted {
                "trusted"
            } else {
                "untrusted"
            },
            version: VERSION,
            electricity: balance(Carrier::Electricity),
            heat: balance(Carrier::Heat),
            attribution: PowersAttribution(&self.powers),
            netting: self.netting.map(Netting::name),
            netting_window_s: self.netting.and_then(Netting::window_s),
            register_mode: self.register_mode,
            ratios: RatiosJson {
                self_consumption: self.ratios.self_consumption,
                self_sufficiency: self.ratios.self_sufficiency,
                solar_fraction: self.ratios.solar_fraction,
                from: time(self.ratios.from),
            },
            plant: self
                .plant
                .iter()
                .map(|unit| UnitJson::of(unit, self.at))
                .collect(),
            meters: self
                .meters
                .iter()
                .map(|meter| meter_json(&self.place, meter))
                .collect(),
            sinks: self
                .sinks
                .iter()
                .map(|sink| SinkJson {
                    name: &sink.name,
                    backlog_points: sink.backlog_points,
                    oldest: time(sink.oldest),
                    last_ok: time(sink.last_ok),
                    last_error: sink.last_error.as_deref(),
                    quarantined_rows: sink.quarantined_rows,
                })
                .collect(),
            findings: self
                .findings
                .iter()
                .map(|finding| FindingJson {
                    check: finding.check,
                    name: finding.name,
                    meters: &finding.meters,
                    since: self.place.rfc3339(finding.since),
                    value: finding.seen.value,
                    limit: finding.seen.limit,
                    unit: &finding.seen.unit,
                    what: &finding.seen.what,
                    cause: &finding.seen.cause,
                    remedy: &finding.seen.remedy,
                })
                .collect(),
            closure: ClosureJson::of(&self.closure, &self.place),
            late: self.late.as_ref().map(|late| LateJson {
                waiting_intervals: late.waiting_intervals,
                revisions: late.revisions,
                last: time(late.last),
                last_error: late.last_error.as_deref(),
            }),
        }
        .serialize(serializer)
    }
}

fn meter_json<'a>(place: &Place, meter: &'a MeterView) -> MeterJson<'a> {
    let check = meter.heat.and_then(|heat| heat.check);
    MeterJson {
        notes: &meter.notes,
        heat: meter.heat.as_ref(),
        heat_check: check.map(|check| HeatCheckJson {
            start: place.rfc3339(check.span.start),
            end: place.rfc3339(check.span.end),
            register_wh: check.register.as_watt_hours(),
            computed_wh: check.computed.as_watt_hours(),
            deviation_pct: check.relative.map(|part| part * 100.0),
            agrees: check.agrees,
        }),
        loss_compensation: meter.loss.map(|loss| LossJson {
            loss_w: loss.active_w,
            loss_var: loss.reactive_var,
            boundary_w: loss.boundary_w,
            boundary_var: loss.boundary_var,
            voltage: if loss.at_rated_voltage {
                "rated"
            } else {
                "measured"
            },
        }),
        id: &meter.id,
        role: meter.role,
        quality: meter.quality,
        age_s: meter.age_s,
        power_w: meter.power_w,
        last_error: meter.last_error.as_deref(),
        reason: meter.reason,
        heat_power_w: meter.heat_power_w,
        values: &meter.values,
    }
}

/// A live view with its bytes, made once and only when somebody looks.
#[derive(Debug)]
pub struct Frame {
    view: LiveView,
    open: Vec<Arc<Interval>>,
    event: OnceLock<Bytes>,
}

/// What stands before the JSON in a server-sent event.
const EVENT_HEAD: &[u8] = b"event: live\ndata: ";
/// What ends an event.
const EVENT_TAIL: &[u8] = b"\n\n";

impl Frame {
    /// A frame of a view and of the intervals that are not closed yet.
    #[must_use]
    pub fn new(view: LiveView, open: Vec<Arc<Interval>>) -> Self {
        Self {
            view,
            open,
            event: OnceLock::new(),
        }
    }

    /// The view.
    #[must_use]
    pub fn view(&self) -> &LiveView {
        &self.view
    }

    /// The intervals that are not closed yet, in order of time.
    #[must_use]
    pub fn open(&self) -> &[Arc<Interval>] {
        &self.open
    }

    /// The event `live` of the stream.
    #[must_use]
    pub fn event(&self) -> Bytes {
        let make = || {
            let mut text = EVENT_HEAD.to_vec();
            // Serialising into memory what has string keys alone cannot go wrong.
            let _never = serde_json::to_writer(&mut text, &self.view);
            text.extend_from_slice(EVENT_TAIL);
            Bytes::from(text)
        };
        self.event.get_or_init(make).clone()
    }

    /// The JSON of `/api/v1/live`: the same bytes without their frame.
    #[must_use]
    pub fn json(&self) -> Bytes {
        let event = self.event();
        event.slice(EVENT_HEAD.len()..event.len() - EVENT_TAIL.len())
    }

    /// Whether somebody has looked.
    #[must_use]
    pub fn is_serialised(&self) -> bool {
        self.event.get().is_some()
    }
}
