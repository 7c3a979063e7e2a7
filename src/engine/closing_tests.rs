//! The monitor of the books in the engine: from readings to what closes.

use std::time::Duration;

use super::*;
use crate::domain::closure::State;
use crate::domain::meter::{Freshness, Meter, Point, Quantity, RegisterKind, Role};
use crate::domain::snapshot::{Reading, Value};
use crate::domain::units::{CountUnit, to_f64, to_i64};
use crate::engine::Tick;

fn meter(id: &str, role: &str) -> Meter {
    let register = |name: &str| Point {
        quantity: Quantity::named(name).unwrap(),
        register: Some(RegisterKind {
            unit: CountUnit::new(1_000, 1).unwrap(),
            modulus: None,
            told: false,
        }),
    };
    let power = Point {
        quantity: Quantity::named("power").unwrap(),
        register: None,
    };
    Meter {
        id: id.into(),
        role: Role::named(role).unwrap(),
        points: vec![power, register("energy_import"), register("energy_export")],
        freshness: Freshness::Within(Duration::from_secs(30)),
        period: Duration::from_secs(10),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

fn park() -> Arc<Park> {
    Arc::new(Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: vec![
            meter("pcc", "grid"),
            meter("roof", "pv"),
            meter("hall", "tenant"),
        ],
        every_load_metered: true,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_272_000 + second).unwrap()
}

/// 360 kW exported, 720 kW made, 360 kW used. The hall shows a part of what it takes, and
/// the power of the roof is off by a part of what it counts.
fn round(engine: &mut Engine, second: i64, hall: f64, roof_power: f64) -> Tick {
    let wh = |watts: f64| to_i64(watts * to_f64(second) / 3_600.0);
    let rows = [
        (0, -360e3, 500, 10_000 + wh(360e3)),
        (1, 720e3 * roof_power, 7, 70_000 + wh(720e3)),
        (2, 360e3 * hall, 90_000 + wh(360e3 * hall), 0),
    ];
    for (meter, watts, import, export) in rows {
        engine.hear(&Reading {
            meter,
            at: at(second),
            values: vec![
                (0, Ok(Value::Analog(watts))),
                (1, Ok(Value::Count(import))),
                (2, Ok(Value::Count(export))),
            ],
        });
    }
    engine.tick(at(second))
}

fn state(tick: &Tick) -> Option<State> {
    let nodes = &tick.frame.closure.nodes;
    assert_eq!(nodes.len(), 1);
    nodes.first()?.last.as_ref().map(|last| last.state)
}

#[test]
fn a_meter_that_is_off_is_said_once_after_three_intervals_and_again_when_it_is_right() {
    let mut engine = Engine::new(park(), &[]);
    let mut story = Vec::new();
    // The first interval has no opening reading: it began before the first one.
    for second in (5..8 * 900).step_by(10) {
        let hall = if second < 4 * 900 + 450 { 0.88 } else { 1.0 };
        let tick = round(&mut engine, second, hall, 1.0);
        if let Some((span, _)) = tick.closed.first() {
            let nth = (span.start.as_second() - at(0).as_second()) / 900;
            story.push((
                nth,
                state(&tick).unwrap(),
                tick.nodes.first().map(|node| node.closes),
            ));
        } else {
            assert_eq!(tick.nodes, []);
        }
    }
    use State::{CannotBeJudged, Closes, DoesNotClose, Doubtful};
    #[rustfmt::skip]
    assert_eq!(story, [
        (0, CannotBeJudged, None),
        (1, Doubtful,       None),
        (2, Doubtful,       None),
        (3, DoesNotClose,   Some(false)),
        // The hall's register jumps back up to where it would have been.
        (4, DoesNotClose,   None),
        (5, Closes,         Some(true)),
        (6, Closes,         None),
    ]);
}

/// Entries leave the books within seconds of an interval's end, and it closes after a
/// minute: a restart in between must not lose them.
#[test]
fn a_restart_goes_on_with_the_row_and_with_what_had_left_the_books() {
    let mut engine = Engine::new(park(), &[]);
    let mut written = Vec::new();
    let mut changes = Vec::new();
    for second in (5..5 * 900).step_by(10) {
        // Each interval is torn in the middle, and ten seconds after its end.
        if [455, 15].contains(&(second % 900)) {
            engine = Engine::new(park(), &engine.state_for_resume());
            let ending = engine.ending().to_vec();
            let left = |entry: &Entry| ending.contains(&entry.span);
            engine.recall(
                written
                    .iter()
                    .filter(|entry| left(entry))
                    .cloned()
                    .collect(),
            );
        }
        let tick = round(&mut engine, second, 0.88, 1.0);
        changes.extend(tick.nodes.iter().map(|node| (second, node.row)));
        written.extend(tick.entries);
    }
    assert_eq!(changes, [(4 * 900 + 75, 3)]);
}

#[test]
fn the_row_of_state_is_written_when_an_interval_closes_and_not_each_second() {
    let mut engine = Engine::new(park(), &[]);
    let mut written = 0;
    for second in (5..3 * 900).step_by(10) {
        round(&mut engine, second, 1.0, 1.0);
        let rows = engine.state();
        written += rows.iter().filter(|(key, _)| key == CLOSURE_STATE).count();
    }
    assert_eq!(written, 2, "two intervals closed");
}

#[test]
fn meters_that_were_silent_over_an_interval_are_named_with_the_reason() {
    let mut engine = Engine::new(park(), &[]);
    for second in (5..=905).step_by(10) {
        round(&mut engine, second, 1.0, 1.0);
    }
    let mut closed = Vec::new();
    for second in (915..1_880).step_by(10) {
        let tick = engine.tick(at(second));
        if !tick.closed.is_empty() {
            closed.push(tick.frame.closure.nodes[0].last.clone().unwrap());
        }
    }
    let last = closed.last().unwrap();
    assert_eq!(last.span.start, at(900));
    assert_eq!(last.state, State::CannotBeJudged);
    let missing: Vec<(&str, &str)> = last
        .missing
        .iter()
        .map(|one| (&*one.meter, &*one.reason))
        .collect();
    let stale = ["pcc", "roof", "hall"].map(|meter| (meter, "stale"));
    assert_eq!(missing, stale);
}

#[test]
fn a_drift_is_judged_from_an_hour_of_a_day_on() {
    let mut engine = Engine::new(park(), &[]);
    let mut levels = Vec::new();
    for second in (5..=65 * 60 + 5).step_by(10) {
        // The hall draws 36 W, a few steps of its register an hour.
        let tick = round(&mut engine, second, 1e-4, 1.5);
        if second == 55 * 60 + 5 || second == 65 * 60 + 5 {
            let level = |meter: &str| {
                let mut drifts = tick.frame.closure.drifts.iter();
                let found = drifts.find(|one| &*one.meter == meter && one.counter == "positive");
                found.unwrap().level
            };
            levels.push((level("roof"), level("hall")));
        }
    }
    let alarm = crate::domain::closure::DriftLevel::Alarm;
    assert_eq!(levels, [(None, None), (Some(alarm), None)]);
}

#[test]
fn counters_are_compared_with_their_power_for_ever_through_days_and_restarts() {
    let mut engine = Engine::new(park(), &[]);
    let mut second = 5;
    let mut last = None;
    while second < 3 * 86_400 / 2 {
        if second % 43_200 == 5 {
            engine = Engine::new(park(), &engine.state_for_resume());
        }
        // On the first day the roof's power says 2 % more than its register.
        let off = if second < 86_400 { 1.02 } else { 1.0 };
        last = Some(round(&mut engine, second, 1.0, off));
        second += 10;
    }
    let closure = last.unwrap().frame.closure;
    let of = |meter: &str, counter: &str| {
        let mut all = closure.drifts.iter();
        let found = all.find(|one| *one.meter == *meter && one.counter == counter);
        found
            .unwrap_or_else(|| panic!("{:?}", closure.drifts))
            .clone()
    };
    let roof = of("roof", "positive");
    assert!((roof.yesterday.unwrap().ratio().unwrap() - 0.02).abs() < 1e-4);
    assert!(roof.today.ratio().unwrap().abs() < 1e-4);
    // A day at 720 kW and a half, of which the day was off.
    let all = roof.all;
    assert!(
        (all.ratio().unwrap() - 0.02 * 2.0 / 3.0).abs() < 1e-3,
        "{all:?}"
    );
    assert!((all.counted - 720e3 * 36.0).abs() < 720e3 * 0.02, "{all:?}");
    assert_eq!(roof.level, Some(crate::domain::closure::DriftLevel::Warn));
    let hall = of("hall", "positive");
    assert_eq!(hall.level, Some(crate::domain::closure::DriftLevel::Within));
    assert!(of("pcc", "negative").all.ratio().unwrap().abs() < 1e-4);
}
