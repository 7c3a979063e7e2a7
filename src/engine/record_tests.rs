//! What is recorded, and that a reading comes back from it as it was.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::balance::powers;
use crate::domain::flow::Known;
use crate::domain::meter::{Freshness, Meter, Nature, Point, Quantity, RegisterKind, Role};
use crate::domain::quality::Gaps;
use crate::domain::units::CountUnit;
use crate::wire::line_protocol::parse;

fn meter(id: &str, role: &str, points: &[&str]) -> Meter {
    let register = RegisterKind {
        unit: CountUnit::new(2_500_000, 9).unwrap(),
        modulus: None,
        told: false,
    };
    let point = |name: &&str| {
        let quantity = Quantity::named(name).unwrap();
        let counts = quantity.nature == Nature::Register;
        Point {
            quantity,
            register: counts.then_some(register),
        }
    };
    Meter {
        id: id.into(),
        role: Role::named(role).unwrap(),
        points: points.iter().map(point).collect(),
        freshness: Freshness::UntilChanged,
        period: Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

fn park(meters: Vec<Meter>) -> Arc<Park> {
    Arc::new(Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters,
        every_load_metered: false,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    })
}

fn grid() -> Arc<Park> {
    park(vec![meter(
        "pcc",
        "grid",
        &["power", "frequency", "energy_import"],
    )])
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_780_272_000_000 + ms).unwrap()
}

type Said = Result<Value, Reason>;
/// Points of a row, with the quality and the reason that it is to have.
type Row<'a> = (&'a [(usize, Said)], i64, Option<i64>);

fn row(values: &[(usize, Said)]) -> (String, Recorder) {
    let mut recorder = Recorder::new(&grid());
    let reading = Reading {
        meter: 0,
        at: at(0),
        values: values.to_vec(),
    };
    recorder.reading(&reading);
    (recorder.take().text, recorder)
}

fn integer(line: &str, field: &str) -> Option<i64> {
    let line = parse(line.trim_end()).unwrap();
    let found = line.fields.iter().find(|(key, _)| key == field)?;
    match found.1 {
        FieldValue::Integer(value) => Some(value),
        _ => None,
    }
}

#[test]
fn the_quality_of_a_row_is_the_worst_of_its_values() {
    let power = (0, Ok(Value::Analog(1.5)));
    let refused = (2, Err(Reason::Exception));
    #[rustfmt::skip]
    let cases: [Row<'_>; 3] = [
        (&[power, (2, Ok(Value::Count(7)))], 0, None),
        (&[power, refused],                  7, Some(Reason::Exception.code())),
        (&[refused],                         7, Some(Reason::Exception.code())),
    ];
    for (values, quality, reason) in cases {
        let (text, _) = row(values);
        assert_eq!(integer(&text, "quality"), Some(quality), "{text}");
        assert_eq!(integer(&text, "reason"), reason, "{text}");
    }
}

#[test]
fn a_late_row_is_marked_and_never_read_back_whatever_is_missing_in_it() {
    for values in [
        [(0, Ok(Value::Analog(1.0))), (1, Ok(Value::Analog(50.0)))],
        [(0, Ok(Value::Analog(1.0))), (1, Err(Reason::NotAvailable))],
    ] {
        let mut recorder = Recorder::new(&grid());
        recorder.late(&Reading {
            meter: 0,
            at: at(0),
            values: values.to_vec(),
        });
        let text = recorder.take().text;
        assert_eq!(
            integer(&text, "quality"),
            Some(Quality::Stale.code()),
            "{text}"
        );
        assert_eq!(recorder.read_back(&parse(text.trim_end()).unwrap()), None);
    }
}

#[test]
fn a_late_row_is_read_late_where_its_time_is_known_and_never_where_it_is_not() {
    let reading = Reading {
        meter: 0,
        at: at(0),
        values: vec![(0, Ok(Value::Analog(1.0)))],
    };
    for (is_known, reason) in [(true, None), (false, Some(Reason::Clock.code()))] {
        let mut recorder = Recorder::new(&grid());
        if is_known {
            recorder.late(&reading);
        } else {
            recorder.undated(&reading);
        }
        let text = recorder.take().text;
        assert_eq!(integer(&text, "quality"), Some(Quality::Stale.code()));
        assert_eq!(integer(&text, "reason"), reason, "{text}");
        let line = parse(text.trim_end()).unwrap();
        let read = recorder.read_late(&line);
        assert_eq!(read, is_known.then(|| reading.clone()), "{text}");
        assert_eq!(recorder.read_back(&line), None, "{text}");
        let quick = ReadBack::new(&recorder).read(text.trim_end());
        assert_eq!(quick, read.map(|reading| (reading, true)), "{text}");
    }
}

#[test]
fn what_the_park_does_not_measure_spoils_no_balance_and_gets_no_row() {
    let roles = ["grid", "pv"];
    let electric = park(roles.map(|role| meter(role, role, &["power"])).to_vec());
    let mut recorder = Recorder::new(&electric);
    let mut rows = |silent: bool| {
        let flows = powers(&electric, &|index, _| {
            if silent && index == 1 {
                Err(Gaps::one(&"pv".into(), Reason::Timeout))
            } else {
                Ok(Known::given(100.0))
            }
        });
        recorder.balance(at(0), &flows);
        recorder.take().text
    };
    let text = rows(false);
    assert_eq!(
        text.lines().count(),
        1,
        "no heat meter, no heat row: {text}"
    );
    assert_eq!(integer(&text, "quality"), Some(0), "{text}");
    assert_eq!(integer(&rows(true), "quality"), Some(7));
}

#[test]
fn two_answers_in_one_millisecond_are_a_millisecond_apart_and_none_is_before_an_earlier_run() {
    let mut recorder = Recorder::new(&grid());
    recorder.begin_after(Some(at(5)), &[]);
    let mut stamped = |ms: i64| {
        let mut reading = Reading {
            meter: 0,
            at: at(ms),
            values: Vec::new(),
        };
        recorder.stamp(&mut reading);
        reading.at
    };
    assert_eq!(
        [stamped(3), stamped(3), stamped(9), stamped(9)],
        [6, 7, 9, 10].map(at)
    );
}

#[test]
fn rows_beyond_the_newest_block_of_an_earlier_run_are_not_written_twice() {
    let reading = |ms: i64| Reading {
        meter: 0,
        at: at(ms),
        values: vec![(0, Ok(Value::Analog(1.0)))],
    };
    let stamped = |recorder: &mut Recorder, ms: i64| {
        let mut reading = reading(ms);
        recorder.stamp(&mut reading);
        reading.at
    };
    let mut earlier = Recorder::new(&grid());
    // Three at once, and a block under the time of the tick before them.
    let at_once = [7, 7, 7].map(|ms| stamped(&mut earlier, ms));
    assert_eq!(at_once, [7, 8, 9].map(at));
    earlier.reading(&Reading {
        at: at(9),
        ..reading(0)
    });
    let left = [earlier.state(at(5))];
    let text = earlier.take().text;
    // Nothing more is written: the end makes no block, whatever the time.
    assert_eq!([earlier.state(at(50))], left);

    let mut told = Recorder::new(&grid());
    told.begin_after(Some(at(5)), &left);
    assert_eq!(stamped(&mut told, 6), at(10));
    told.reading(&reading(10));
    assert_eq!(told.state(at(10)).1, "{}");

    // Where the ledger does not have it yet, the row itself says so.
    let mut replayed = Recorder::new(&grid());
    replayed.has_row(&parse(text.lines().next().unwrap()).unwrap());
    replayed.begin_after(Some(at(5)), &[]);
    assert_eq!(stamped(&mut replayed, 6), at(10));
}

proptest! {
    /// A reading comes back from its row to the last bit; what was not said does not.
    #[test]
    fn a_reading_comes_back_from_its_row(
        power in prop::option::of(-1e12_f64..1e12),
        frequency in prop::option::of(any::<f64>().prop_filter("finite", |f| f.is_finite())),
        count in prop::option::of(any::<i64>()),
    ) {
        let analog = |value: Option<f64>| value.map(Value::Analog);
        let said = [analog(power), analog(frequency), count.map(Value::Count)];
        let values: Vec<(usize, Said)> = said
            .iter()
            .enumerate()
            .map(|(point, value)| (point, value.ok_or(Reason::Timeout)))
            .collect();
        let (text, recorder) = row(&values);
        let back = recorder.read_back(&parse(text.trim_end()).unwrap()).unwrap();
        prop_assert_eq!(back.at, at(0));
        let known: Vec<(usize, Said)> = values.iter().copied().filter(|(_, v)| v.is_ok()).collect();
        prop_assert_eq!(back.values, if known.is_empty() { values } else { known });
    }
}
