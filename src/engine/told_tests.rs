//! Registers whose worth the device tells: ratios that somebody programs, exponents
//! that move, and a restart in between.

use std::time::Duration;

use proptest::prelude::*;

use super::record::Recorder;
use super::*;
use crate::domain::meter::{Freshness, Point, Quantity, RegisterKind, Role};
use crate::domain::snapshot::Value;
use crate::domain::units::{CountUnit, MilliwattHours};
use crate::wire::line_protocol;

fn unit(numerator: i128, denominator: i128) -> CountUnit {
    CountUnit::new(numerator, denominator).unwrap()
}

/// A tenant whose meter counts hundredths of a kilowatt-hour, times a ratio it tells.
fn park(modulus: Option<i128>) -> Arc<Park> {
    let point = Point {
        quantity: Quantity::named("energy_import").unwrap(),
        register: Some(RegisterKind {
            unit: unit(10_000, 1),
            modulus,
            told: true,
        }),
    };
    let meter = Meter {
        id: "weaver".into(),
        role: Role::named("tenant").unwrap(),
        points: vec![point],
        freshness: Freshness::Within(Duration::from_secs(30)),
        period: Duration::from_secs(10),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    };
    Arc::new(Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: vec![meter],
        every_load_metered: false,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_272_000 + second).unwrap()
}

fn says(second: i64, count: i64, unit: CountUnit, bits: u8) -> Reading {
    let value = Value::Scaled { count, unit, bits };
    Reading {
        meter: 0,
        at: at(second),
        values: vec![(0, Ok(value))],
    }
}

/// What the first interval books of these readings, and how well.
fn booked(park: &Arc<Park>, readings: &[Reading]) -> (MilliwattHours, Quality) {
    let mut engine = Engine::new(Arc::clone(park), &[]);
    for reading in readings {
        engine.hear(reading);
    }
    let entries = engine.tick(at(1_000)).entries;
    let entry = entries.first().expect("the interval ended");
    (entry.energy.unwrap(), entry.quality)
}

/// A count each ten seconds for a quarter of an hour; the worth is another from a
/// second on.
fn changing(from: i64, later: CountUnit, jump: i64) -> Vec<Reading> {
    let step = |second: i64| {
        let (worth, add) = if second < from {
            (unit(800_000, 1), 0)
        } else {
            (later, jump)
        };
        says(second, 1_000 + second / 10 + add, worth, 32)
    };
    (0..=900).step_by(10).map(step).collect()
}

#[test]
fn another_worth_books_nothing_for_the_step() {
    let park = park(Some(1 << 32));
    #[rustfmt::skip]
    let cases = [
        // situation                     changes  worth then           jump      booked mWh                        quality
        ("the ratio stays",              2_000,   unit(800_000, 1),    0,        90 * 800_000,                     Quality::Good),
        ("80 becomes 100",               450,     unit(1_000_000, 1),  0,        44 * 800_000 + 45 * 1_000_000,    Quality::Suspect),
        ("an exponent moves the count",  450,     unit(80_000, 1),     9_000,    44 * 800_000 + 45 * 80_000,       Quality::Suspect),
        ("the count falls with it",      450,     unit(8_000_000, 1),  -900,     44 * 800_000 + 45 * 8_000_000,    Quality::Suspect),
    ];
    for (situation, from, later, jump, mwh, quality) in cases {
        let said = booked(&park, &changing(from, later, jump));
        assert_eq!(said, (MilliwattHours(mwh), quality), "{situation}");
    }
}

#[test]
fn the_width_that_is_told_is_where_the_register_rolls_over() {
    let seconds = (0..=900).step_by(10);
    let readings = |modulus: i64, bits: u8| -> Vec<Reading> {
        let count = |second: i64| (modulus - 40 + second / 10) % modulus;
        let of = |second| says(second, count(second), unit(10_000, 1), bits);
        // All bits set is not booked, and the next reading makes up for it.
        seconds.clone().map(of).collect()
    };
    // The configuration does not know the width, as with SunSpec.
    for (modulus, bits) in [(1 << 16, 16), (1 << 32, 32)] {
        let said = booked(&park(None), &readings(modulus, bits));
        assert_eq!(said.0, MilliwattHours(90 * 10_000), "{bits} bits");
    }
    // It does, and the row of the journal says nothing of it.
    let said = booked(&park(Some(1 << 32)), &readings(1 << 32, 0));
    assert_eq!(said.0, MilliwattHours(90 * 10_000));
}

#[test]
fn a_late_reading_of_another_worth_changes_nothing() {
    let mut engine = Engine::new(park(None), &[]);
    engine.hear(&says(0, 1_000, unit(800_000, 1), 32));
    engine.hear(&says(10, 1_001, unit(800_000, 1), 32));
    let books = engine.state_for_resume();
    engine.hear(&says(5, 500, unit(10_000, 1), 32));
    assert_eq!(engine.state_for_resume(), books);
}

proptest! {
    /// Whatever the device tells, books made from the journal are those made from the
    /// device, and so are books taken up after a restart anywhere.
    #[test]
    fn a_restart_through_the_journal_keeps_the_books(
        steps in prop::collection::vec((0_i64..50, 0_usize..12, 0_i32..3), 1..60),
        restart in 0_usize..60,
    ) {
        let park = park(Some(1 << 32));
        let ratios = [1_i128, 80, 181];
        let mut recorder = Recorder::new(&park);
        let mut live = Engine::new(Arc::clone(&park), &[]);
        let mut replayed = Engine::new(Arc::clone(&park), &[]);
        let mut count = 4_294_967_000_i64;
        let mut worth = unit(10_000, 1);
        for (place, (step, ratio, shift)) in steps.into_iter().enumerate() {
            count = (count + step) % (1 << 32);
            if let Some(ratio) = ratios.get(ratio) {
                let ten = 10_i128.pow(shift.unsigned_abs());
                worth = unit(10_000, 9).times((*ratio, ten)).unwrap();
            }
            let reading = says(10 * place as i64, count, worth, 32);
            live.hear(&reading);
            recorder.reading(&reading);
            let row = recorder.take().text;
            let line = line_protocol::parse(row.trim_end()).unwrap();
            let back = recorder.read_back(&line).unwrap();
            prop_assert_eq!(&back, &reading);
            if place == restart {
                replayed = Engine::new(Arc::clone(&park), &replayed.state_for_resume());
                live = Engine::new(Arc::clone(&park), &live.state_for_resume());
            }
            replayed.hear(&back);
        }
        prop_assert_eq!(live.state_for_resume(), replayed.state_for_resume());
    }
}
