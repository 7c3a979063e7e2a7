use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::domain::event::{Break, What};
use crate::domain::interval::Entry;
use crate::domain::meter::{
    Carrier, Freshness, Meter, Nature, Point, Quantity, RegisterKind, Role,
};
use crate::domain::relations::Relations;
use crate::domain::snapshot::Value;
use crate::domain::units::CountUnit;
use crate::engine::Engine;
use crate::engine::heat_support::{self, at, water};

const IMPORT: Channel = Channel {
    carrier: Carrier::Electricity,
    positive: true,
};

fn worth(wh: i128) -> CountUnit {
    CountUnit::new(wh * 1_000, 1).unwrap()
}

/// A tenant's meter with a 16-bit register of 10 Wh a count, or with power alone.
fn park(point: &str) -> Arc<Park> {
    let quantity = Quantity::named(point).unwrap();
    let register = RegisterKind {
        unit: worth(10),
        modulus: Some(1 << 16),
        told: false,
    };
    let meter = Meter {
        id: "hall".into(),
        role: Role::named("tenant").unwrap(),
        points: vec![Point {
            quantity,
            register: (quantity.nature == Nature::Register).then_some(register),
        }],
        freshness: Freshness::Within(Duration::from_secs(60)),
        period: Duration::from_secs(30),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    };
    Arc::new(Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: vec![meter],
        every_load_metered: false,
        losses: None,
        relations: Relations::default(),
    })
}

fn said(second: i64, value: Value) -> Reading {
    Reading {
        meter: 0,
        at: at(second),
        values: vec![(0, Ok(value))],
    }
}

fn counts(all: &[(i64, i64)]) -> Vec<Reading> {
    let each = all.iter();
    each.map(|(second, count)| said(*second, Value::Count(*count)))
        .collect()
}

fn quarter(nth: i64) -> Span {
    Span {
        start: at(900 * nth),
        end: at(900 * (nth + 1)),
    }
}

fn register(readings: &[Reading], nth: i64, events: &[MeterEvent]) -> RegisterTrace {
    let readings: Vec<&Reading> = readings.iter().collect();
    let park = park("energy_import");
    match trace(&park, 0, IMPORT, quarter(nth), &readings, events) {
        Some(Trace::Register(traced)) => *traced,
        other => panic!("{other:?}"),
    }
}

fn event(number: u64, second: i64, what: What) -> MeterEvent {
    MeterEvent {
        number,
        meter: "hall".into(),
        channel: IMPORT,
        at: at(second),
        what,
        who: "Wang".to_owned(),
        why: "test".to_owned(),
        entered: at(100_000),
    }
}

/// What the engine enters of readings.
fn booked(park: &Arc<Park>, readings: &[Reading], events: &[MeterEvent]) -> Vec<Entry> {
    let mut engine = Engine::for_books(Arc::clone(park));
    engine.set_events(events);
    let mut entries = Vec::new();
    for reading in readings {
        engine.hear(reading);
        entries.extend(engine.book(reading.at).0);
    }
    entries
}

#[test]
fn a_boundary_lies_on_the_line_between_the_readings_around_it() {
    // domain.md §2.2, in counts of 10 Wh.
    let readings = counts(&[
        (-7, 100_000 % 65_536),
        (53, 100_090 % 65_536),
        (901, 101_355 % 65_536),
        (1_796, 102_630 % 65_536),
        (1_810, 102_652 % 65_536),
    ]);
    #[rustfmt::skip]
    let cases = [
        // quarter, kWh at its start, apart,   weight,      quality
        (0, 1_000.105,                60_000,  7.0 / 60.0,  Quality::Good),
        (1, 1_013.535_083,           848_000, 847.0 / 848.0, Quality::Interpolated),
        (2, 1_026.362_857,            14_000,  4.0 / 14.0,  Quality::Good),
    ];
    for (nth, kwh, apart_ms, weight, quality) in cases {
        let start = register(&readings, nth, &[]).ends[0];
        let count = start.count().unwrap();
        assert!(
            (count - (kwh * 100.0 - 65_536.0)).abs() < 6e-5,
            "{nth}: {count}"
        );
        let between = start.between().unwrap();
        assert_eq!((between.apart_ms, between.quality), (apart_ms, quality));
        assert!(
            (between.weight - weight).abs() < 1e-12,
            "{nth}: {between:?}"
        );
    }
    let energy = |nth| register(&readings, nth, &[]).energy().unwrap().0;
    assert_eq!((energy(0), energy(1)), (13_430_083, 12_827_774));
}

#[test]
fn an_exchange_is_two_segments_with_what_a_person_read_between_them() {
    let readings = counts(&[(0, 500), (300, 510), (600, 12), (900, 20), (930, 21)]);
    let by = Break {
        last: Some(515),
        first: 7,
        worth: Some(worth(100)),
    };
    let events = [event(4, 450, What::Exchange(by))];
    let traced = register(&readings, 0, &events);
    assert_eq!(traced.said_by, Worth::Event(4));
    assert_eq!((traced.configured, traced.worth), (worth(10), worth(100)));
    let pieces = traced.segments.iter();
    let pieces: Vec<_> = pieces
        .map(|it| (it.counts, it.worth, it.energy.0))
        .collect();
    assert_eq!(
        pieces,
        [
            (Some((500.0, 515.0)), worth(10), 150_000),
            (Some((7.0, 20.0)), worth(100), 1_300_000),
        ]
    );
    let [(before, after)] = traced.breaks[..] else {
        panic!("{:?}", traced.breaks);
    };
    assert_eq!(
        (before.count, after.count, after.by),
        (515, 7, By::Event(4))
    );
    // A day later the worth is still that of the event, and is told with its number.
    let later = counts(&[(90_000, 50), (90_030, 52), (90_900, 110), (90_930, 112)]);
    let traced = register(&later, 100, &events);
    assert_eq!(
        (traced.said_by, traced.worth),
        (Worth::Event(4), worth(100))
    );
    assert_eq!(traced.energy(), Some(MilliwattHours(60 * 100_000)));
}

#[test]
fn a_step_that_nobody_decided_is_shown_and_in_no_segment() {
    let readings = counts(&[
        (0, 5_000),
        (300, 5_010),
        (330, 4),
        (360, 5),
        (390, 6),
        (900, 20),
        (930, 21),
    ]);
    let traced = register(&readings, 0, &[]);
    let [(before, after)] = traced.breaks[..] else {
        panic!("{:?}", traced.breaks);
    };
    assert_eq!((before.count, after.count, after.at), (5_010, 4, at(330)));
    assert!(after.begins && before.at < after.at);
    let energies: Vec<i64> = traced.segments.iter().map(|it| it.energy.0).collect();
    assert_eq!(energies, [100_000, 160_000]);
    // One that comes back is not believed, and no break.
    let readings = counts(&[
        (0, 5_000),
        (300, 5_010),
        (330, 4),
        (360, 5_012),
        (900, 5_030),
        (930, 5_031),
    ]);
    let traced = register(&readings, 0, &[]);
    assert_eq!(traced.held, [(at(330), 4)]);
    assert!(traced.breaks.is_empty());
    assert_eq!(traced.energy(), Some(MilliwattHours(300_000)));
}

#[test]
fn a_register_that_rolls_over_counts_on() {
    let readings = counts(&[
        (0, 65_530),
        (870, 65_534),
        (930, 4),
        (1_800, 40),
        (1_830, 41),
    ]);
    let traced = register(&readings, 0, &[]);
    assert_eq!(traced.ends[1].count(), Some(65_537.0));
    assert_eq!(traced.segments[0].counts, Some((65_530.0, 65_537.0)));
    assert_eq!(traced.energy(), Some(MilliwattHours(70_000)));
    let [(_, after)] = traced.breaks[..] else {
        panic!("{:?}", traced.breaks);
    };
    assert_eq!((after.rolled, after.begins), (1 << 16, false));
    let traced = register(&readings, 1, &[]);
    assert_eq!(traced.ends[0].count(), Some(65_537.0));
    assert_eq!(traced.energy(), Some(MilliwattHours(390_000)));
}

#[test]
fn a_rollover_inside_of_an_interval_is_in_the_counts_of_its_piece() {
    let readings = counts(&[(0, 65_530), (450, 65_534), (480, 4), (900, 40), (930, 41)]);
    let traced = register(&readings, 0, &[]);
    assert_eq!(traced.segments.len(), 1);
    assert_eq!(traced.segments[0].counts, Some((65_530.0, 65_576.0)));
    assert_eq!(traced.energy(), Some(MilliwattHours(460_000)));
}

#[test]
fn the_device_tells_what_a_count_is_worth_at_each_reading() {
    let mut park = Arc::unwrap_or_clone(park("energy_import"));
    if let Some(register) = &mut park.meters[0].points[0].register {
        register.told = true;
    }
    let park = Arc::new(park);
    let told = |second, count| {
        said(
            second,
            Value::Scaled {
                count,
                unit: worth(800),
                bits: 32,
            },
        )
    };
    let readings = [told(0, 70_000), told(450, 70_002), told(900, 70_004)];
    let readings: Vec<&Reading> = readings.iter().collect();
    let Some(Trace::Register(traced)) = trace(&park, 0, IMPORT, quarter(0), &readings, &[]) else {
        panic!("a register");
    };
    assert_eq!(traced.said_by, Worth::Told);
    assert_eq!((traced.configured, traced.worth), (worth(10), worth(800)));
    assert_eq!(traced.energy(), Some(MilliwattHours(4 * 800_000)));
}

#[test]
fn what_the_journal_does_not_reach_is_not_made_up() {
    for (second, count) in [(10, 5), (890, 6)] {
        let traced = register(&counts(&[(second, count)]), 0, &[]);
        assert_eq!((traced.energy(), traced.segments.len()), (None, 0));
        assert_eq!(traced.ends[1].before.map(|knot| knot.count), Some(count));
        assert_eq!(traced.ends[0].before, None);
    }
}

#[test]
fn power_is_told_by_its_samples_and_comes_to_what_the_books_say() {
    let park = park("power");
    let samples = (-30..=1_000_i64).step_by(10);
    let readings: Vec<Reading> = samples
        .map(|second| said(second, Value::Analog(1_000.0 + second as f64)))
        .collect();
    let all: Vec<&Reading> = readings.iter().collect();
    let Some(Trace::Power(traced)) = trace(&park, 0, IMPORT, quarter(0), &all, &[]) else {
        panic!("power");
    };
    assert_eq!((traced.samples, traced.longest_gap_ms), (90, 10_000));
    assert_eq!(traced.ends[0].0.map(|it| it.watts), Some(1_000.0));
    assert_eq!(traced.ends[0].1.map(|it| it.watts), Some(1_010.0));
    assert_eq!(traced.energy, Some(MilliwattHours(362_500)));
    let booked = booked(&park, &readings, &[]);
    let entry = booked
        .iter()
        .find(|entry| entry.span == quarter(0) && entry.channel == IMPORT);
    assert_eq!(entry.unwrap().energy.ok(), traced.energy);
}

#[test]
fn computed_heat_is_told_by_what_passed_and_both_temperatures() {
    let meter = heat_support::meter(
        "heat_consumer",
        &["flow", "temp_supply", "temp_return"],
        10,
        water(),
    );
    let park = heat_support::park(meter);
    // A stretch lies across each boundary.
    let seconds = (-33..=1_007_i64).step_by(10);
    let readings: Vec<Reading> = seconds
        .map(|second| heat_support::says(&park, second, &[3.6, 90.0, 50.0]))
        .collect();
    let all: Vec<&Reading> = readings.iter().collect();
    let heat = Channel {
        carrier: Carrier::Heat,
        positive: true,
    };
    let Some(Trace::Heat(traced)) = trace(&park, 0, heat, quarter(0), &all, &[]) else {
        panic!("heat");
    };
    // A litre a second for 900 s.
    assert!((traced.counted.volume_m3 - 0.9).abs() < 1e-9, "{traced:?}");
    let (supply, back) = traced.temperatures.unwrap();
    assert!((supply - 90.0).abs() < 1e-9 && (back - 50.0).abs() < 1e-9);
    let wh = traced.k_kwh.unwrap() * 0.9 * 40.0 * 1_000.0;
    assert!(
        (traced.counted.wh - wh).abs() < 1e-6,
        "{} {wh}",
        traced.counted.wh
    );
    let energy = traced.energy.unwrap().as_watt_hours();
    assert!((energy - wh).abs() < 0.001, "{energy} {wh}");
    assert_eq!(
        (traced.looks, traced.refused, traced.longest_gap_ms),
        (90, 0, 10_000)
    );
    let booked = booked(&park, &readings, &[]);
    let entry = booked
        .iter()
        .find(|entry| entry.span == quarter(0) && entry.channel == heat);
    let off = entry.unwrap().energy.unwrap() - traced.energy.unwrap();
    assert!(off.0.abs() <= 1, "{off:?}");
}

proptest! {
    /// Whatever a register does, the pieces that are shown add up to what the books say of
    /// the interval, to the milliwatt-hour.
    #[test]
    fn the_pieces_are_what_the_books_say(
        steps in prop::collection::vec((1_i64..120, 0_i64..40, 0_u8..40), 60..140),
        broken in prop::option::of((0_i64..3_000, prop::option::of(0_i64..50), 0_i64..1_000)),
    ) {
        let (mut second, mut count) = (-50, 65_000_i64);
        let mut all = Vec::new();
        for (wait, more, what) in steps {
            second += wait;
            count = match what {
                0 => 3,
                1 => count + 9_000,
                _ => count + more,
            } % 65_536;
            all.push((second, count));
        }
        let readings = counts(&all);
        let events: Vec<MeterEvent> = broken
            .map(|(second, more, first)| {
                let last = all.iter().rev().find(|one| one.0 < second).map(|one| one.1);
                let last = last.zip(more).map(|(last, more)| last + more);
                event(1, second, What::Reset(Break { last, first, worth: None }))
            })
            .into_iter()
            .collect();
        let park = park("energy_import");
        for entry in booked(&park, &readings, &events) {
            let Ok(energy) = entry.energy else { continue };
            let own: Vec<&Reading> = readings.iter().collect();
            let Some(Trace::Register(traced)) = trace(&park, 0, IMPORT, entry.span, &own, &events) else {
                panic!("a register");
            };
            prop_assert_eq!(traced.energy(), Some(energy), "{:?}", entry.span);
            let pieces: i64 = traced.segments.iter().map(|it| it.energy.0).sum();
            prop_assert_eq!(pieces, energy.0);
            for piece in &traced.segments {
                if let Some((from, to)) = piece.counts {
                    let off = (to - from) * 10.0 - piece.energy.as_watt_hours();
                    prop_assert!(off.abs() < 0.001, "{:?}", piece);
                }
            }
        }
    }
}
