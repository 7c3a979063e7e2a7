//! The live view: one moment of the park, as `/api/v1/live` tells it.
//!
//! A [`LiveView`] is plain data and costs next to nothing to make; a [`Frame`]
//! turns it into bytes once, and only when somebody looks. Every stream then
//! shares the same bytes.
//!
//! Times carry the offset of the park's civil time, so that a reader needs no
//! time zone database.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::domain::flow::{FLOWS, Flow, FlowRow, Powers, Stated};
use crate::domain::interval::Interval;
use crate::domain::meter::{Carrier, Meter, MeterIndex, Nature, Park};
use crate::domain::quality::{Gap, Quality, Reason};
use crate::domain::snapshot::{Snapshot, Standing, Value, age};
use crate::domain::units::to_f64;

/// Who a park is, for people: the part of [`Park`] that every answer repeats.
#[derive(Debug, Clone)]
pub struct Place {
    /// The tag on every row.
    pub id: Arc<str>,
    /// For people.
    pub name: Arc<str>,
    /// Its civil time.
    pub time_zone: TimeZone,
    /// Length of a settlement interval in minutes.
    pub settlement_minutes: i64,
}

impl Place {
    /// The place of a park.
    #[must_use]
    pub fn of(park: &Park) -> Self {
        Self {
            id: Arc::clone(&park.id),
            name: Arc::from(park.name.as_str()),
            time_zone: park.time_zone.clone(),
            settlement_minutes: park.settlement_minutes,
        }
    }

    /// The name of the time zone, or its offset where it has none.
    #[must_use]
    pub fn zone_name(&self, at: Timestamp) -> String {
        match self.time_zone.iana_name() {
            Some(name) => name.to_owned(),
            None => self.time_zone.to_offset(at).to_string(),
        }
    }

    /// A moment as RFC 3339 with the park's offset.
    #[must_use]
    pub fn rfc3339(&self, at: Timestamp) -> String {
        at.display_with_offset(self.time_zone.to_offset(at))
            .to_string()
    }
}

/// Ratios of summed energies; `None` where a sum is unknown or zero.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ratios {
    /// Generation that was not exported, of generation.
    pub self_consumption: Option<f64>,
    /// Load that was not imported, of load.
    pub self_sufficiency: Option<f64>,
    /// Heat from the sun, of heat supplied.
    pub solar_fraction: Option<f64>,
    /// Since when the energies are summed.
    pub from: Option<Timestamp>,
}

/// What a meter says.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterView {
    /// Its name.
    pub id: Arc<str>,
    /// Its role.
    pub role: &'static str,
    /// `good` while everything it measures stands; `stale` where something stood
    /// once; `missing` where nothing ever did.
    pub quality: Quality,
    /// Why the quality is not good.
    pub reason: Option<Reason>,
    /// How long ago it last said a number, seconds.
    pub age_s: Option<f64>,
    /// Power in the direction of its role: electricity where the role has any, else heat.
    pub power_w: Option<f64>,
    /// Heat of a role that has both.
    pub heat_power_w: Option<f64>,
    /// What went wrong last, for people.
    pub last_error: Option<String>,
    /// Its other momentary values by field of the schema, `temp_supply_degc`.
    pub values: BTreeMap<&'static str, f64>,
}

impl MeterView {
    /// What the snapshot holds of a meter at `now`.
    #[must_use]
    pub fn new(
        meter: &Meter,
        index: MeterIndex,
        snapshot: &Snapshot,
        now: Timestamp,
        last_error: Option<String>,
    ) -> Self {
        let mut newest: Option<Timestamp> = None;
        let mut reason: Option<Reason> = None;
        let mut values = BTreeMap::new();
        for (place, point) in meter.points.iter().enumerate() {
            newest = newest.max(snapshot.last(index, place).0.map(|said| said.at));
            match snapshot.standing(meter, index, place, now) {
                Ok(Standing {
                    value: Value::Analog(number),
                    ..
                }) if point.quantity.nature == Nature::Analog => {
                    values.insert(point.quantity.field, number);
                }
                Ok(_) => (),
                Err(why) => reason = Some(reason.unwrap_or(why)),
            }
        }
        let carrier = match meter.role.electricity {
            None if meter.role.heat.is_some() => Carrier::Heat,
            _ => Carrier::Electricity,
        };
        let mut take = |carrier| {
            let point = meter.points.get(meter.power_point(carrier)?)?;
            values.remove(point.quantity.field)
        };
        let power_w = take(carrier);
        let both = meter.role.electricity.is_some() && meter.role.heat.is_some();
        let heat_power_w = if both { take(Carrier::Heat) } else { None };
        Self {
            id: Arc::clone(&meter.id),
            role: meter.role.name,
            quality: match (reason, newest) {
                (None, _) => Quality::Good,
                (Some(_), Some(_)) => Quality::Stale,
                (Some(_), None) => Quality::Missing,
            },
            reason,
            age_s: newest.map(|at| seconds(at, now)),
            power_w,
            heat_power_w,
            last_error,
            values,
        }
    }
}

/// How far a sink has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SinkView {
    /// Its name.
    pub name: String,
    /// Points that wait on disk.
    pub backlog_points: u64,
    /// The time of the oldest of them.
    pub oldest: Option<Timestamp>,
    /// When it last accepted something.
    pub last_ok: Option<Timestamp>,
    /// What it answered last, for people, where that was a refusal.
    pub last_error: Option<String>,
}

/// One moment of the park.
#[derive(Debug, Clone)]
pub struct LiveView {
    /// Who.
    pub place: Place,
    /// When.
    pub at: Timestamp,
    /// Counts the moments since the start.
    pub seq: u64,
    /// Up to when everything is on disk.
    pub stored_until: Option<Timestamp>,
    /// Whether `at` can be believed.
    pub clock_trusted: bool,
    /// The flows.
    pub powers: Powers,
    /// The day's ratios.
    pub ratios: Ratios,
    /// Every meter, in the order of the configuration.
    pub meters: Vec<MeterView>,
    /// Every sink.
    pub sinks: Vec<SinkView>,
}

impl LiveView {
    /// The flows at `at`; the rest is filled in by its public fields.
    #[must_use]
    pub fn new(place: Place, at: Timestamp, powers: Powers) -> Self {
        Self {
            place,
            at,
            seq: 0,
            stored_until: None,
            clock_trusted: true,
            powers,
            ratios: Ratios::default(),
            meters: Vec::new(),
            sinks: Vec::new(),
        }
    }

    /// A flow in watt, where it is known.
    #[must_use]
    pub fn watts(&self, flow: Flow) -> Option<f64> {
        self.powers.of(flow).as_ref().ok().map(|known| known.value)
    }
}

/// How long before `now` a moment was, in seconds.
fn seconds(at: Timestamp, now: Timestamp) -> f64 {
    let ms = age(at, now).as_millis();
    i64::try_from(ms).map_or(f64::INFINITY, |ms| to_f64(ms) / 1_000.0)
}

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
    values: &'a BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct SinkJson<'a> {
    name: &'a str,
    backlog_points: u64,
    oldest: Option<String>,
    last_ok: Option<String>,
    last_error: Option<&'a str>,
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
    ratios: RatiosJson,
    meters: Vec<MeterJson<'a>>,
    sinks: Vec<SinkJson<'a>>,
}

/// The version of this program: a page of another one reloads itself.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

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
            ratios: RatiosJson {
                self_consumption: self.ratios.self_consumption,
                self_sufficiency: self.ratios.self_sufficiency,
                solar_fraction: self.ratios.solar_fraction,
                from: time(self.ratios.from),
            },
            meters: self.meters.iter().map(meter_json).collect(),
            sinks: self
                .sinks
                .iter()
                .map(|sink| SinkJson {
                    name: &sink.name,
                    backlog_points: sink.backlog_points,
                    oldest: time(sink.oldest),
                    last_ok: time(sink.last_ok),
                    last_error: sink.last_error.as_deref(),
                })
                .collect(),
        }
        .serialize(serializer)
    }
}

fn meter_json(meter: &MeterView) -> MeterJson<'_> {
    MeterJson {
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
