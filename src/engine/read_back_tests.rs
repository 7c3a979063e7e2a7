//! The quick way back from a row against the strict one.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::domain::meter::{Freshness, Meter, Nature, Park, Point, Quantity, RegisterKind, Role};
use crate::domain::quality::{REASONS, Reason};
use crate::domain::snapshot::Value;
use crate::domain::units::{CountUnit, to_f64};

fn park() -> Arc<Park> {
    let meter = |id: &str, role: &str, told: bool, points: &[&str]| {
        let register = RegisterKind {
            unit: CountUnit::new(2_500_000, 9).unwrap(),
            modulus: Some(1 << 32),
            told,
        };
        let point = |name: &&str| {
            let quantity = Quantity::named(name).unwrap();
            let counts = quantity.nature == Nature::Register;
            let register = counts.then_some(register);
            Point { quantity, register }
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
    };
    Arc::new(Park {
        id: "p, q=1".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: vec![
            meter(
                "main hall",
                "grid",
                false,
                &["power", "energy_import", "frequency", "energy_export"],
            ),
            meter(
                "b",
                "tenant",
                true,
                &["energy_import", "power", "voltage_l1"],
            ),
            meter("sun", "weather", false, &["dni", "temp"]),
        ],
        every_load_metered: false,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    })
}

fn strictly(recorder: &Recorder, line: &str) -> Option<(Reading, bool)> {
    let line = parse(line).ok()?;
    let in_time = recorder.read_back(&line).map(|reading| (reading, false));
    in_time.or_else(|| Some((recorder.read_late(&line)?, true)))
}

fn said(point: usize, meter: usize) -> impl Strategy<Value = Option<Result<Value, Reason>>> {
    let unit = CountUnit::new(1_000, 1).unwrap();
    let value = match (meter, point) {
        (0, 1 | 3) => any::<i64>().prop_map(Value::Count).boxed(),
        (1, 0) => any::<i64>()
            .prop_map(move |count| Value::Scaled {
                count,
                unit,
                bits: 32,
            })
            .boxed(),
        _ => prop_oneof![
            any::<f64>().prop_filter("finite", |value| value.is_finite()),
            (-1_000_000_i64..1_000_000).prop_map(|tenths| to_f64(tenths) / 10.0),
        ]
        .prop_map(Value::Analog)
        .boxed(),
    };
    let reasons = REASONS.iter().map(|row| row.0).collect::<Vec<_>>();
    prop_oneof![
        6 => value.prop_map(|value| Some(Ok(value))),
        1 => prop::sample::select(reasons).prop_map(|reason| Some(Err(reason))),
        1 => Just(None),
    ]
}

fn reading() -> impl Strategy<Value = (Reading, bool)> {
    let values = |meter: usize, points: usize| {
        let each: Vec<_> = (0..points).map(|point| said(point, meter)).collect();
        let order: Vec<usize> = (0..points).collect();
        (each, Just(order).prop_shuffle()).prop_map(move |(said, order)| {
            let listed = order
                .into_iter()
                .filter_map(|point| Some((point, said[point]?)));
            (meter, listed.collect::<Vec<_>>())
        })
    };
    let who = prop_oneof![values(0, 4), values(1, 3), values(2, 2)];
    (
        who,
        -5_000_000_000_000_i64..5_000_000_000_000,
        any::<bool>(),
    )
        .prop_map(|((meter, values), ms, late)| {
            let at = Timestamp::from_millisecond(ms).unwrap();
            (Reading { meter, at, values }, late)
        })
}

proptest! {
    /// Row after row of changing meters, points and orders.
    #[test]
    fn the_quick_way_comes_to_what_the_strict_one_does(readings in prop::collection::vec(reading(), 1..40)) {
        let mut recorder = Recorder::new(&park());
        for (reading, late) in &readings {
            if *late {
                recorder.late(reading);
            } else {
                recorder.reading(reading);
            }
        }
        let text = recorder.take().text;
        let mut rows = ReadBack::new(&recorder);
        for line in text.lines() {
            prop_assert_eq!(rows.read(line), strictly(&recorder, line), "{}", line);
        }
    }

    /// A row with a byte more, less or other than it should have.
    #[test]
    fn a_damaged_row_is_read_as_strictly(
        (reading, late) in reading(),
        at in any::<prop::sample::Index>(),
        with in prop::sample::select(vec!["", ",", " ", "=", "\\", "\"", "-", "i", "9", "e", ".", "x"]),
        insert in any::<bool>(),
    ) {
        let mut recorder = Recorder::new(&park());
        if late {
            recorder.late(&reading);
        } else {
            recorder.reading(&reading);
        }
        let whole = recorder.take().text;
        prop_assume!(!whole.is_empty());
        let mut rows = ReadBack::new(&recorder);
        let mut line = whole.trim_end().to_owned();
        let at = at.index(line.len());
        let end = if insert { at } else { at + 1 };
        line.replace_range(at..end, with);
        // With and without a whole row of the same meter before it.
        for _ in 0..2 {
            prop_assert_eq!(rows.read(&line), strictly(&recorder, &line), "{}", line);
            rows.read(whole.trim_end());
        }
    }
}

#[test]
fn rows_that_are_no_readings_and_rows_of_other_programs_are_read_as_strictly() {
    let recorder = Recorder::new(&park());
    let mut rows = ReadBack::new(&recorder);
    let meter = "electricity,meter=main\\ hall,park=x,role=pv";
    for (line, reads) in [
        (
            "interval,flow=import,park=p,revision=1 wh=1.0,quality=0i 5".to_owned(),
            false,
        ),
        (
            "balance,carrier=electricity,park=p load_w=1.0 5".to_owned(),
            false,
        ),
        (
            "electricity,meter=gone,park=p power_w=1.0,quality=0i 5".to_owned(),
            false,
        ),
        // Another role, another order, twice, fields of points that are gone.
        (
            format!("{meter} quality=0i,frequency_hz=50.0,power_w=1.0 5"),
            true,
        ),
        (
            format!("{meter} power_w=1.0,power_w=2.0,quality=0i 5"),
            true,
        ),
        (
            format!("{meter} gone_w=1.0,power_w=2.0,also_gone=3i,quality=0i 5"),
            true,
        ),
        (
            format!("{meter} word=\"a, b c=1\",power_w=2.0,quality=0i 5"),
            true,
        ),
        (format!("{meter} on=true,power_w=2.0,quality=5i 5"), true),
        // A register that counts otherwise today, and one that says no worth.
        (
            format!("{meter} energy_import_count=5i,energy_import_wh_per_count=1.0,quality=0i 5"),
            false,
        ),
        (
            format!("{meter} energy_import_count=5i,power_w=1.0,quality=0i 5"),
            true,
        ),
        (format!("{meter} quality=7i,reason=1i 5"), true),
        (format!("{meter} quality=7i,reason=99i 5"), false),
        (format!("{meter} quality=7i 5"), false),
        (format!("{meter} power_w=1i,quality=0i 5"), false),
        (
            format!("{meter} power_w=1.0,quality=0i 9999999999999999"),
            false,
        ),
    ] {
        for _ in 0..2 {
            let read = rows.read(&line);
            assert_eq!(read, strictly(&recorder, &line), "{line}");
            assert_eq!(read.is_some(), reads, "{line}");
        }
    }
}
