//! The engine over time: a meter unplugged, a restart, days of 23 and 25 hours.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::flow::Flow;
use crate::domain::interval::Channel;
use crate::domain::meter::{Carrier, Freshness, Point, Quantity, RegisterKind, Role};
use crate::domain::snapshot::Value;
use crate::domain::time::day;
use crate::domain::units::{CountUnit, MilliwattHours};

/// Points by quantity; a register counts in watt-hours.
fn meter(id: &str, role: &str, points: &[&str]) -> Meter {
    let register = RegisterKind {
        unit: CountUnit::new(1_000, 1).unwrap(),
        modulus: None,
        told: false,
    };
    let point = |name: &&str| {
        let quantity = Quantity::named(name).unwrap();
        let counts = quantity.nature == crate::domain::meter::Nature::Register;
        Point {
            quantity,
            register: counts.then_some(register),
        }
    };
    Meter {
        id: id.into(),
        role: Role::named(role).unwrap(),
        points: points.iter().map(point).collect(),
        freshness: Freshness::Within(Duration::from_secs(30)),
        period: Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

fn park(zone: &str, meters: Vec<Meter>) -> Arc<Park> {
    Arc::new(Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::get(zone).unwrap(),
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters,
        every_load_metered: false,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    })
}

fn grid_and_pv() -> Arc<Park> {
    let grid = meter("pcc", "grid", &["power", "energy_import", "energy_export"]);
    park("UTC", vec![grid, meter("roof", "pv", &["power", "energy"])])
}

fn at(second: i64) -> Timestamp {
    // A whole quarter of an hour.
    Timestamp::from_second(1_780_272_000 + second).unwrap()
}

fn watts(value: f64) -> Result<Value, Reason> {
    Ok(Value::Analog(value))
}

fn count(value: i64) -> Result<Value, Reason> {
    Ok(Value::Count(value))
}

fn says(meter: MeterIndex, at: Timestamp, values: &[Result<Value, Reason>]) -> Reading {
    Reading {
        meter,
        at,
        values: values.iter().copied().enumerate().collect(),
    }
}

/// 3.6 kW to the grid and 7.2 kW from the roof, registers included.
fn second(s: i64) -> [Reading; 2] {
    [
        says(0, at(s), &[watts(-3_600.0), count(500), count(10_000 + s)]),
        says(1, at(s), &[watts(7_200.0), count(70_000 + 2 * s)]),
    ]
}

#[test]
fn an_unplugged_meter_becomes_a_gap_that_names_it_and_recovers() {
    let mut engine = Engine::new(grid_and_pv(), &[]);
    let unknown: Vec<i64> = (0..180)
        .filter(|&s| {
            let [grid, roof] = second(s);
            engine.hear(&grid);
            if !(60..120).contains(&s) {
                engine.hear(&roof);
            }
            let frame = engine.tick(at(s)).frame;
            assert!(
                frame.powers.of(Flow::Export).is_ok(),
                "it has its own meter"
            );
            match frame.powers.of(Flow::Generation) {
                Ok(known) => {
                    assert_eq!(known.value, 7_200.0);
                    false
                }
                Err(gaps) => {
                    let named: Vec<_> = gaps.list().iter().map(|gap| &*gap.meter).collect();
                    assert_eq!(named, ["roof"]);
                    assert_eq!(gaps.list()[0].reason, Reason::Stale);
                    true
                }
            }
        })
        .collect();
    // The last reading came at 59 s and stands for 30 s.
    assert_eq!(unknown, (90..120).collect::<Vec<_>>());
}

#[test]
fn what_is_only_shown_stands_until_it_is_forgotten_and_is_in_no_book() {
    let mut engine = Engine::new(grid_and_pv(), &[]);
    for reading in second(0) {
        engine.hear(&reading);
    }
    let books = engine.state_for_resume();
    for hour in [1, 2] {
        // By a clock that is ahead.
        let ahead = at(hour * 3_600);
        engine.show(&says(1, ahead, &[watts(1_000.0), count(1)]));
        assert_eq!(engine.look(ahead).meters[1].power_w, Some(1_000.0));
        engine.forget();
        assert_eq!(engine.look(at(1)).meters[1].power_w, Some(7_200.0));
    }
    assert_eq!(engine.state_for_resume(), books);
}

#[test]
fn an_interval_closes_a_minute_after_its_end_and_not_before() {
    let mut engine = Engine::new(grid_and_pv(), &[]);
    let mut closed = Vec::new();
    for s in 0..=1_000 {
        for reading in second(s) {
            engine.hear(&reading);
        }
        let tick = engine.tick(at(s));
        let state = |open: &Interval| (open.span.start, open.closed, open.revision);
        let open: Vec<_> = tick.frame.open.iter().map(state).collect();
        if s == 950 {
            assert_eq!(open, [(at(0), false, 0), (at(900), false, 0)]);
        }
        closed.extend(tick.closed.iter().map(|(span, _)| (s, span.start)));
    }
    assert_eq!(closed, [(900 + CLOSE_AFTER_S, at(0))]);
}

#[test]
fn a_register_that_is_refused_shows_at_its_meter_while_its_power_is_good() {
    let mut engine = Engine::new(grid_and_pv(), &[]);
    let refused = Err(Reason::Exception);
    engine.hear(&says(0, at(0), &[watts(-3_600.0), refused, count(10_000)]));
    let frame = engine.tick(at(0)).frame;
    let pcc = &frame.meters[0];
    assert_eq!(
        (pcc.quality, pcc.reason),
        (Quality::Missing, Some(Reason::Exception))
    );
    assert_eq!(pcc.power_w, Some(-3_600.0));
    assert!(frame.powers.of(Flow::Export).is_ok());
}

#[test]
fn intervals_of_a_downtime_wait_for_the_first_readings_after_catching_up() {
    let park = grid_and_pv();
    let mut engine = Engine::new(Arc::clone(&park), &[]);
    for s in 0..10 {
        second(s).iter().for_each(|reading| engine.hear(reading));
        engine.tick(at(s));
    }
    engine.begin_anew();
    // Half an hour later the meters speak again, in the second tick.
    let early = engine.tick(at(1_900));
    assert_eq!(
        early.closed,
        [],
        "nothing closes before a meter could speak"
    );
    let mut entries = early.entries;
    second(1_901)
        .iter()
        .for_each(|reading| engine.hear(reading));
    entries.extend(engine.tick(at(1_901)).entries);
    // The roof's standby has no register: nobody knows it.
    entries.retain(|entry| &*entry.meter != "roof" || entry.channel.positive);
    assert!(
        entries.iter().all(|entry| entry.energy.is_ok()),
        "{entries:?}"
    );
    let closed = engine.tick(at(1_960)).closed;
    assert_eq!(closed.len(), 2);
}

#[test]
fn ticks_that_are_far_apart_do_not_say_who_fed_the_export() {
    for (apart_s, shaped) in [(10, true), (11, false)] {
        let grid = meter("pcc", "grid", &["power"]);
        let roof = meter("roof", "pv", &["power"]);
        let mut engine = Engine::new(park("UTC", vec![grid, roof]), &[]);
        let mut shapes = Vec::new();
        for s in (0..=980).step_by(apart_s) {
            engine.hear(&says(0, at(s), &[watts(-2_000.0)]));
            engine.hear(&says(1, at(s), &[watts(2_000.0)]));
            shapes.extend(engine.tick(at(s)).closed.into_iter().map(|one| one.1));
        }
        assert_eq!(shapes.len(), 1, "{apart_s} s");
        assert_eq!(shapes[0] != ExportShape::default(), shaped, "{apart_s} s");
    }
}

#[test]
fn export_is_shaped_by_who_fed_it() {
    let battery = meter("bat", "battery", &["power"]);
    let grid = meter("pcc", "grid", &["power"]);
    let roof = meter("roof", "pv", &["power"]);
    let mut engine = Engine::new(park("UTC", vec![grid, roof, battery]), &[]);
    let mut shape = ExportShape::default();
    for s in 0..=970 {
        // 5 kW go out: 2 kW of the roof and 3 kW of the battery.
        engine.hear(&says(0, at(s), &[watts(-5_000.0)]));
        engine.hear(&says(1, at(s), &[watts(2_000.0)]));
        engine.hear(&says(2, at(s), &[watts(3_000.0)]));
        for (_, of) in engine.tick(at(s)).closed {
            shape = of;
        }
    }
    // The first of 900 ticks has none before it.
    let per_second = 899.0 / 3_600.0;
    assert!(
        (shape.generation_wh - 2_000.0 * per_second).abs() < 1e-6,
        "{shape:?}"
    );
    assert!(
        (shape.battery_wh - 3_000.0 * per_second).abs() < 1e-6,
        "{shape:?}"
    );
}

#[test]
fn a_shape_of_a_few_minutes_does_not_speak_for_an_interval() {
    let battery = meter("bat", "battery", &["power"]);
    let grid = meter("pcc", "grid", &["power", "energy_import", "energy_export"]);
    let roof = meter("roof", "pv", &["power"]);
    let mut engine = Engine::new(park("UTC", vec![grid, roof, battery]), &[]);
    let mut shapes = Vec::new();
    for s in 0..=970 {
        // The grid's power is silent but for the last two minutes; its register is not.
        let power = if s < 780 {
            Err(Reason::NotAvailable)
        } else {
            watts(-5_000.0)
        };
        engine.hear(&says(0, at(s), &[power, count(0), count(s)]));
        engine.hear(&says(1, at(s), &[watts(2_000.0)]));
        engine.hear(&says(2, at(s), &[watts(3_000.0)]));
        shapes.extend(
            engine
                .tick(at(s))
                .closed
                .into_iter()
                .map(|(_, shape)| shape),
        );
    }
    assert_eq!(shapes, [ExportShape::default()]);
}

/// Energy of a channel in the entries, latest word of each span.
fn booked(entries: &[Entry], meter: &str, positive: bool) -> Vec<(Timestamp, MilliwattHours)> {
    let channel = Channel {
        carrier: Carrier::Electricity,
        positive,
    };
    let mut latest = BTreeMap::new();
    for entry in entries {
        if &*entry.meter == meter && entry.channel == channel {
            latest.insert(entry.span.start, entry.energy);
        }
    }
    let known = latest
        .into_iter()
        .filter_map(|(start, energy)| Some((start, energy.ok()?)));
    known.collect()
}

#[test]
fn the_days_on_which_clocks_change_have_23_and_25_hours() {
    for (date, hours) in [("2025-03-30", 23), ("2025-10-26", 25), ("2025-07-01", 24)] {
        let mut grid = meter("pcc", "grid", &["power", "energy_import", "energy_export"]);
        grid.period = Duration::from_secs(60);
        let park = park("Europe/Berlin", vec![grid]);
        let zone = park.time_zone.clone();
        let day = day(date.parse().unwrap(), &zone).unwrap();
        let mut engine = Engine::new(Arc::clone(&park), &[]);
        let (mut entries, mut closed) = (Vec::new(), Vec::new());
        let start = day.start.as_second();
        for minute in 0..=(hours * 60 + 2) {
            let now = Timestamp::from_second(start + minute * 60).unwrap();
            // 6 kW: 100 Wh a minute.
            engine.hear(&says(
                0,
                now,
                &[watts(6_000.0), count(100 * minute), count(0)],
            ));
            let tick = engine.tick(now);
            entries.extend(tick.entries);
            closed.extend(tick.closed.into_iter().map(|(span, _)| span));
        }
        closed.retain(|span| span.start < day.end);
        assert_eq!(closed.len() as i64, hours * 4, "{date}");
        assert!(
            closed.windows(2).all(|pair| pair[0].end == pair[1].start),
            "{date}"
        );
        let import = booked(&entries, "pcc", true);
        assert_eq!(import.len() as i64, hours * 4, "{date}");
        assert!(
            import
                .iter()
                .all(|(_, energy)| *energy == MilliwattHours(1_500_000)),
            "{date}"
        );
    }
}

#[test]
fn an_interval_that_ended_and_is_not_closed_shows_what_left_the_books() {
    let mut engine = Engine::new(grid_and_pv(), &[]);
    let mut entries = Vec::new();
    for s in 0..=905 {
        for reading in second(s) {
            engine.hear(&reading);
        }
        let tick = engine.tick(at(s));
        entries.extend(tick.entries);
        if s == 905 {
            let ended = &tick.frame.open[0];
            assert_eq!((ended.span.start, ended.closed), (at(0), false));
            let export = entries
                .iter()
                .find(|it| *it.meter == *"pcc" && !it.channel.positive);
            let export = export.unwrap().energy.unwrap();
            let shown = ended.flows.of(Flow::Export).as_ref().unwrap();
            assert_eq!(shown.value, export);
            assert_ne!(export, MilliwattHours::ZERO);
        }
    }
}

proptest! {
    /// Readings that came between two ticks may come in any order, and a daemon that
    /// is started anew at any moment enters the same in its books; so does an engine that
    /// only keeps books.
    #[test]
    fn order_and_restarts_change_nothing_in_the_books(
        restarts in prop::collection::btree_set(1_i64..2_000, 0..6),
        swapped in prop::collection::vec(any::<bool>(), 2_000),
        silent in prop::collection::btree_set(1_i64..2_000, 0..200),
    ) {
        let park = grid_and_pv();
        let mut plain = Engine::new(Arc::clone(&park), &[]);
        let mut tried = Engine::new(Arc::clone(&park), &[]);
        let mut books = Engine::for_books(Arc::clone(&park));
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        let (mut closed, mut closed_tried) = (Vec::new(), Vec::new());
        for s in 0..2_000 {
            let [grid, roof] = second(s);
            let mut said = vec![grid];
            if !silent.contains(&s) {
                said.push(roof);
            }
            for reading in &said {
                plain.hear(reading);
                books.hear(reading);
            }
            if restarts.contains(&s) {
                tried = Engine::new(Arc::clone(&park), &tried.state_for_resume());
            }
            if swapped[s as usize] {
                said.reverse();
            }
            for reading in &said {
                tried.hear(reading);
            }
            let (one, other) = (plain.tick(at(s)), tried.tick(at(s)));
            prop_assert_eq!(books.book(at(s)), (one.entries.clone(), one.closed.clone()));
            expected.extend(one.entries);
            found.extend(other.entries);
            closed.extend(one.closed.into_iter().map(|(span, _)| span));
            closed_tried.extend(other.closed.into_iter().map(|(span, _)| span));
        }
        for (meter, positive) in [("pcc", true), ("pcc", false), ("roof", true)] {
            prop_assert_eq!(booked(&expected, meter, positive), booked(&found, meter, positive));
        }
        // A restart waits a minute for the first readings before it closes anything.
        prop_assert!(closed.starts_with(&closed_tried), "{:?} {:?}", closed, closed_tried);
    }
}
