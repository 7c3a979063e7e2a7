//! A made-up park for the page's tests: a clear day with a few clouds, told as
//! frames and intervals without an engine. Its balances close but for a small
//! residual, so what the page shows can be checked by hand.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sunledger::domain::closure::{Judged, NodeView, Reconciliation, State, Suspect, SuspectMeter};
use sunledger::domain::flow::{Energies, FLOWS, Flow, Flows, Known, Powers, Stated};
use sunledger::domain::interval::{Interval, Span};
use sunledger::domain::meter::Carrier;
use sunledger::domain::plausibility::{Finding, Seen};
use sunledger::domain::provenance::Made;
use sunledger::domain::quality::{Gaps, Quality, Reason};
use sunledger::domain::units::MilliwattHours;
use sunledger::engine::Closure;
use sunledger::web::live::Place;
use sunledger::web::{Frame, IntervalSource, LiveView, MeterView, Ratios, SinkView};

/// 2026-06-03 14:32:07 in Shanghai.
pub const AT: &str = "2026-06-03T14:32:07+08:00";
/// A quarter of an hour.
const QUARTER_MS: i64 = 900_000;

pub fn place() -> Place {
    Place {
        id: "fanshi".into(),
        name: "Fanshi Solar Park".into(),
        time_zone: TimeZone::get("Asia/Shanghai").unwrap(),
        settlement_minutes: 15,
    }
}

pub fn at() -> Timestamp {
    AT.parse().unwrap()
}

/// What the story of the day is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Story {
    /// Everything answers.
    Fair,
    /// The second PV plant is silent, and one meter has an ugly name.
    Gaps,
    /// Night: nothing from the sun, the field cools the oil, power is imported.
    Night,
}

/// The name that would run a script on a careless page.
pub const UGLY: &str = "<img src=x onerror=alert(1)>";
/// The meter that is silent in [`Story::Gaps`].
pub const SILENT: &str = "pv-south";

fn sun(hour: f64) -> f64 {
    let clear = (PI * (hour - 5.0) / 14.6).sin().max(0.0).powf(1.15);
    let cloud =
        |middle: f64, width: f64, depth: f64| depth * (-((hour - middle) / width).powi(2)).exp();
    clear * (1.0 - cloud(9.6, 0.35, 0.45) - cloud(11.3, 0.2, 0.3) - cloud(16.4, 0.5, 0.55))
}

fn work(hour: f64) -> f64 {
    let step = |middle: f64, width: f64| 1.0 / (1.0 + (-(hour - middle) / width).exp());
    let lunch = 0.16 * (-((hour - 12.5) / 0.6_f64).powi(2)).exp();
    0.32 + 0.68 * (step(7.4, 0.35) - step(18.3, 0.5)) - lunch
}

/// Power of every meter at an hour of the day, watt.
pub fn meters_at(hour: f64) -> BTreeMap<&'static str, f64> {
    let (sun, work) = (sun(hour), work(hour));
    let wobble =
        |phase: f64| 1.0 + 0.03 * (hour * 5.3 + phase).sin() + 0.02 * (hour * 13.0 - phase).sin();
    let mut w = BTreeMap::new();
    w.insert("pv-north", 1_720e3 * sun);
    w.insert("pv-south", 1_010e3 * sun);
    let field = if sun > 0.02 {
        13_900e3 * sun - 420e3
    } else {
        -46e3 * wobble(1.0)
    };
    w.insert("trough-field", field);
    let supplied = [
        ("heat-dairy", 1_050e3 * (0.25 + 0.75 * work) * wobble(0.3)),
        ("heat-textile", 1_240e3 * work * wobble(2.0)),
        (
            "heat-offices",
            390e3 * (0.55 + 0.3 * ((hour - 6.0) / 3.0).cos()),
        ),
    ];
    let supply: f64 = supplied.iter().map(|(_, w)| w).sum();
    w.extend(supplied);
    let feed = supply * 1.045 + 62e3;
    w.insert("heat-feed", feed);
    let boiler = if (12.2..15.4).contains(&hour) {
        240e3
    } else {
        0.0
    };
    w.insert("electric-boiler", boiler);
    w.insert("electric-boiler heat", boiler * 0.985);
    let evening = if (17.5..22.4).contains(&hour) {
        5_200e3
    } else {
        0.0
    };
    let steam = (field * 0.62).clamp(0.0, 6_900e3).max(evening);
    w.insert("steam", steam);
    w.insert(
        "turbine",
        if steam > 900e3 {
            steam * 0.272 - 60e3
        } else {
            0.0
        },
    );
    let residual = 0.0022 * steam.max(supply);
    w.insert("heat residual", residual);
    w.insert(
        "heat-tank",
        feed + steam + residual - field - boiler * 0.985,
    );
    for (id, rated, base) in [
        ("foundry", 1_060e3, 0.1),
        ("textile-mill", 770e3, 0.25),
        ("dairy", 420e3, 0.5),
        ("cold-store", 372e3, 0.8),
        ("workshops", 148e3, 0.05),
    ] {
        let phase = rated / 1e5;
        w.insert(id, rated * (base + (1.0 - base) * work) * wobble(phase));
    }
    w.insert("plant-aux", 92e3 + 132e3 * sun.min(1.0));
    let generation = w["pv-north"] + w["pv-south"] + w["turbine"];
    let loads: f64 = [
        "foundry",
        "textile-mill",
        "dairy",
        "cold-store",
        "workshops",
        "plant-aux",
        "electric-boiler",
    ]
    .iter()
    .map(|id| w[id])
    .sum();
    let load = loads * 1.0095 + 9e3;
    w.insert("load", load);
    w.insert("generation", generation);
    w.insert("losses", loads * 0.0062 + 9e3);
    let surplus = generation - load;
    let battery = if surplus > 60e3 {
        -(surplus * 0.45).min(360e3)
    } else {
        (-surplus * 0.5).min(330e3)
    };
    let battery = if (6.0..24.0).contains(&hour) {
        battery
    } else {
        0.0
    };
    w.insert("battery", battery);
    w.insert("pcc", -(surplus + battery));
    w
}

fn known<N>(value: N, now: Timestamp) -> Known<N> {
    Known {
        oldest: Some(now - SignedDuration::from_millis(600)),
        ..Known::given(value)
    }
}

/// The flows of a park whose meters say `w`.
fn flow_watts(flow: Flow, w: &BTreeMap<&'static str, f64>) -> Option<f64> {
    let positive = |watts: f64| watts.max(0.0);
    Some(match flow {
        Flow::Generation => w["generation"],
        Flow::Import => positive(w["pcc"]),
        Flow::Export => positive(-w["pcc"]),
        Flow::Load => w["load"],
        Flow::SelfConsumption => w["generation"] - positive(-w["pcc"]),
        Flow::BatteryCharge => positive(-w["battery"]),
        Flow::BatteryDischarge => positive(w["battery"]),
        Flow::Losses => w["losses"],
        Flow::Residual => w["load"] - (w["load"] - 9e3) / 1.0095 - w["losses"],
        Flow::SolarField => w["trough-field"],
        Flow::Boilers | Flow::HeatPump => return None,
        Flow::ElectricBoiler => w["electric-boiler heat"],
        Flow::StorageCharge => positive(-w["heat-tank"]),
        Flow::StorageDischarge => positive(w["heat-tank"]),
        Flow::ToPower => w["steam"],
        Flow::Supplied => w["heat-dairy"] + w["heat-textile"] + w["heat-offices"],
        Flow::HeatLosses => {
            w["heat-feed"] - w["heat-dairy"] - w["heat-textile"] - w["heat-offices"]
        }
        Flow::HeatResidual => w["heat residual"],
    })
}

/// Whether a flow is unknown while [`SILENT`] is.
fn needs_silent(flow: Flow) -> bool {
    matches!(
        flow,
        Flow::Generation | Flow::Load | Flow::SelfConsumption | Flow::Losses | Flow::Residual
    )
}

fn powers(story: Story, hour: f64, now: Timestamp) -> Powers {
    let w = meters_at(hour);
    let state = |flow: Flow| -> Stated<f64> {
        if story == Story::Gaps && needs_silent(flow) {
            return Err(Gaps::one(&SILENT.into(), Reason::Timeout));
        }
        Ok(match flow_watts(flow, &w) {
            Some(watts) => known(watts, now),
            None => Known::given(0.0),
        })
    };
    Flows::new(FLOWS.map(|row| state(row.flow)))
}

/// A meter: name, role, and what else it says.
type Row = (&'static str, &'static str, &'static [(&'static str, f64)]);

/// Every meter.
#[rustfmt::skip]
const METERS: &[Row] = &[
    ("pcc", "grid", &[]),
    ("pv-north", "pv", &[]),
    ("pv-south", "pv", &[]),
    ("turbine", "turbine", &[]),
    ("battery", "battery", &[("soc_pct", 71.4)]),
    ("foundry", "tenant", &[]),
    ("textile-mill", "tenant", &[]),
    ("dairy", "tenant", &[]),
    ("cold-store", "tenant", &[]),
    ("workshops", "tenant", &[]),
    ("plant-aux", "auxiliary", &[]),
    ("electric-boiler", "electric_boiler", &[]),
    (
        "trough-field",
        "solar_field",
        &[("temp_supply_degc", 391.2), ("temp_return_degc", 293.6)],
    ),
    ("heat-tank", "heat_storage", &[]),
    ("steam", "heat_to_power", &[]),
    (
        "heat-feed",
        "heat_feed",
        &[
            ("temp_supply_degc", 92.4),
            ("temp_return_degc", 61.8),
            ("flow_m3h", 84.3),
        ],
    ),
    ("heat-dairy", "heat_consumer", &[]),
    ("heat-textile", "heat_consumer", &[]),
    ("heat-offices", "heat_consumer", &[]),
    ("sun", "weather", &[("dni_wm2", 846.0)]),
];

fn meters(story: Story, hour: f64) -> Vec<MeterView> {
    let w = meters_at(hour);
    let view = |(place, (id, role, values)): (usize, &Row)| {
        let silent = story == Story::Gaps && *id == SILENT;
        let ugly = story == Story::Gaps && *id == "workshops";
        MeterView {
            id: if ugly { UGLY.into() } else { (*id).into() },
            role,
            quality: if silent {
                Quality::Stale
            } else {
                Quality::Good
            },
            reason: silent.then_some(Reason::Timeout),
            age_s: Some(if silent {
                192.4
            } else {
                0.3 + f64::from(u8::try_from(place).unwrap() % 5) * 0.1
            }),
            power_w: w.get(id).copied().filter(|_| !silent),
            heat_power_w: w.get(format!("{id} heat").as_str()).copied(),
            last_error: silent.then(|| "10.0.0.11:502 unit 3: no answer within 1 s".to_owned()),
            notes: Vec::new(),
            heat: None,
            loss: None,
            values: values.iter().copied().collect(),
        }
    };
    METERS.iter().enumerate().map(view).collect()
}

/// One moment of the park; `now` may be any time, the sun stands as `hour` says.
pub fn view(story: Story, now: Timestamp, hour: f64) -> LiveView {
    let mut view = LiveView::new(place(), now, powers(story, hour, now));
    view.seq = u64::try_from(now.as_second()).unwrap();
    view.stored_until = Some(now - SignedDuration::from_secs(1));
    let known = story != Story::Gaps;
    view.ratios = Ratios {
        self_consumption: known.then_some(0.862),
        self_sufficiency: known.then_some(0.741),
        solar_fraction: Some(0.94),
        from: Some(now - SignedDuration::from_hours(14)),
    };
    view.meters = meters(story, hour);
    if story == Story::Gaps {
        view.findings = Arc::new([finding(now)]);
        view.closure = Arc::new(closure(now));
    }
    view.sinks = vec![SinkView {
        name: "local".into(),
        backlog_points: 0,
        oldest: None,
        last_ok: Some(now - SignedDuration::from_secs(1)),
        last_error: None,
        quarantined_rows: 0,
    }];
    view
}

/// The hour a story is told at.
/// A finding of the park with gaps.
fn finding(now: Timestamp) -> Finding {
    Finding {
        check: 6,
        name: "stuck_value",
        meters: vec!["workshops".into()],
        since: now - SignedDuration::from_mins(25),
        seen: Seen {
            what: "equal samples in a row".into(),
            value: 310.0,
            limit: 12.0,
            unit: "".into(),
            cause: "the gateway repeats itself".into(),
            remedy: "restart the device or its gateway, and look at its firmware".into(),
        },
    }
}

/// Whether its books close: one does, one does not, one cannot be judged.
fn closure(now: Timestamp) -> Closure {
    let start = now - SignedDuration::from_mins(30);
    let node = |name: &str, carrier, state, residual_wh: Option<f64>| {
        let judged = Judged {
            span: Span {
                start,
                end: start + SignedDuration::from_mins(15),
            },
            state,
            residual_wh,
            uncertainty_wh: residual_wh.map(|_| 2_000.0),
            z: residual_wh.map(|wh| wh / 2_000.0),
            missing: Vec::new(),
            why: residual_wh
                .is_none()
                .then(|| "what is lost on the way has no meter".into()),
        };
        NodeView {
            name: name.into(),
            carrier,
            last: Some(judged),
            since: Some(start),
            row: 3,
            standing: state == State::DoesNotClose,
            past: Vec::new(),
        }
    };
    let suspect = SuspectMeter {
        meter: "workshops".into(),
        read_wh: 61_600.0,
        reconciled_wh: 62_500.0,
    };
    Closure {
        nodes: vec![
            node(
                "electricity",
                Carrier::Electricity,
                State::DoesNotClose,
                Some(-8_400.0),
            ),
            node("heat", Carrier::Heat, State::Closes, Some(312.0)),
            node("heat network", Carrier::Heat, State::CannotBeJudged, None),
            node(
                "behind workshops",
                Carrier::Electricity,
                State::Doubtful,
                Some(7_100.0),
            ),
        ],
        reconciliation: Some(Reconciliation {
            chi_square: Some(17.6),
            limit: Some(3.84),
            degrees: 1,
            passes: Some(false),
            suspects: vec![Suspect {
                meters: vec![suspect],
                z: 4.2,
            }],
            unchecked: Vec::new(),
            computed: Vec::new(),
            failed: None,
        }),
        drifts: Vec::new(),
    }
}

pub fn hour(story: Story) -> f64 {
    match story {
        Story::Fair | Story::Gaps => 14.535,
        Story::Night => 2.2,
    }
}

fn energies(hour: f64, share: f64, lost: bool) -> Energies {
    let w = meters_at(hour);
    let state = |flow: Flow| -> Stated<MilliwattHours> {
        if lost && needs_silent(flow) {
            return Err(Gaps::one(&SILENT.into(), Reason::Timeout));
        }
        let wh = flow_watts(flow, &w).unwrap_or(0.0) * 0.25 * share;
        Ok(Known {
            made: Made::REGISTER.and(Made::LIKE_DAY),
            ..Known::given(MilliwattHours::from_watt_hours(wh))
        })
    };
    Flows::new(FLOWS.map(|row| state(row.flow)))
}

/// The day's intervals up to a moment; the last one is open.
pub fn intervals(story: Story, now: Timestamp, now_hour: f64) -> Vec<Interval> {
    let midnight = now
        .to_zoned_datetime(place().time_zone)
        .date()
        .to_zoned_datetime(place().time_zone)
        .unwrap()
        .timestamp();
    let since_ms = now.as_millisecond() - midnight.as_millisecond();
    // The story's hour, not the clock's, says how the sun stood.
    let shift = now_hour - since_ms as f64 / 3.6e6;
    let count = since_ms / QUARTER_MS + 1;
    let one = |place: i64| {
        let start_ms = midnight.as_millisecond() + place * QUARTER_MS;
        let span = Span {
            start: Timestamp::from_millisecond(start_ms).unwrap(),
            end: Timestamp::from_millisecond(start_ms + QUARTER_MS).unwrap(),
        };
        let closed = span.end <= now;
        let share = ((now.as_millisecond() - start_ms) as f64 / QUARTER_MS as f64).min(1.0);
        let hour = place as f64 * 0.25 + 0.125 * share + shift;
        let lost = story == Story::Gaps && (9.0..10.0).contains(&hour);
        Interval {
            span,
            closed,
            revision: i64::from(closed),
            flows: energies(hour.rem_euclid(24.0), share, lost),
        }
    };
    (0..count).map(one).collect()
}

/// A ledger of the day's closed intervals.
pub struct Ledger(pub Vec<Interval>);

impl IntervalSource for Ledger {
    fn intervals(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Interval>, String> {
        let wanted = |one: &&Interval| one.closed && (from..to).contains(&one.span.start);
        Ok(self.0.iter().filter(wanted).cloned().collect())
    }
}

/// A frame with the open interval.
pub fn frame(story: Story, now: Timestamp, hour: f64) -> Arc<Frame> {
    let open = intervals(story, now, hour)
        .into_iter()
        .filter(|one| !one.closed)
        .map(Arc::new);
    Arc::new(Frame::new(view(story, now, hour), open.collect()))
}
