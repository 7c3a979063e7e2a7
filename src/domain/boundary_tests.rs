//! Several grid connections, and what netted at them.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::balance::powers;
use crate::domain::flow::{Flow, Known};
use crate::domain::meter::{Freshness, Meter, Point, Quantity, RegisterKind, Role};
use crate::domain::units::CountUnit;

const POWER: &[&str] = &["power"];
const COUNTS: &[&str] = &["power", "energy_import", "energy_export"];

/// Points of a meter, and its period in seconds.
type Row<'a> = (&'a [&'a str], u64);

fn park(meters: &[Row<'_>]) -> Park {
    let point = |name: &&str| Point {
        quantity: Quantity::named(name).unwrap(),
        register: name.starts_with("energy").then_some(RegisterKind {
            unit: CountUnit::MILLIWATT_HOUR,
            modulus: None,
            told: false,
        }),
    };
    let meter = |(nth, (points, period_s)): (usize, &Row<'_>)| Meter {
        id: format!("grid{nth}").into(),
        role: Role::named("grid").unwrap(),
        points: points.iter().map(point).collect(),
        freshness: Freshness::UntilChanged,
        period: Duration::from_secs(*period_s),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    };
    Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: meters.iter().enumerate().map(meter).collect(),
        every_load_metered: false,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    }
}

#[test]
fn a_park_says_over_which_time_its_import_and_export_were_netted() {
    #[rustfmt::skip]
    let cases: &[(&str, &[Row<'_>], Option<Netting>)] = &[
        ("no meter at the grid",             &[],                          None),
        ("a meter with registers",           &[(COUNTS, 1)],               Some(Netting::Registers)),
        ("a meter without",                  &[(POWER, 2)],                Some(Netting::Samples(2.0))),
        ("import alone is counted",          &[(&["power", "energy_import"], 5)], Some(Netting::Samples(5.0))),
        ("two with registers",               &[(COUNTS, 1), (COUNTS, 9)],  Some(Netting::Registers)),
        ("one with, one without",            &[(COUNTS, 9), (POWER, 2)],   Some(Netting::Samples(2.0))),
        ("the other way round",              &[(POWER, 2), (COUNTS, 9)],   Some(Netting::Samples(2.0))),
        ("two without: the longer window",   &[(POWER, 2), (POWER, 10)],   Some(Netting::Samples(10.0))),
    ];
    for (situation, meters, expected) in cases {
        assert_eq!(netting(&park(meters)), *expected, "{situation}");
    }
}

proptest! {
    /// Whatever flows at the connections, each way is the sum of what went that way, and
    /// the net is that of all of them.
    #[test]
    fn connections_are_summed_and_never_netted(watts in prop::collection::vec(-1_000_i32..1_000, 1..6)) {
        let park = park(&vec![(POWER, 1); watts.len()]);
        let flows = powers(&park, &|index, _| Ok(Known::given(f64::from(watts[index]))));
        let value = |flow| flows.of(flow).as_ref().map(|known| known.value).unwrap();
        let sum = |way: fn(i32) -> i32| f64::from(watts.iter().copied().map(way).sum::<i32>());
        prop_assert_eq!(value(Flow::Import), sum(|one| one.max(0)));
        prop_assert_eq!(value(Flow::Export), sum(|one| (-one).max(0)));
        prop_assert_eq!(value(Flow::Import) - value(Flow::Export), sum(|one| one));
    }
}

/// What it is, meters with what is said of them, and the word.
type Case<'a> = (
    &'a str,
    &'a [(Row<'a>, Option<RegisterMode>)],
    Option<&'a str>,
);

#[test]
fn a_park_says_what_the_registers_at_its_grid_count_of_three_phases() {
    let vectorial = Some(RegisterMode::Vectorial);
    let per_phase = Some(RegisterMode::PerPhase);
    #[rustfmt::skip]
    let cases: &[Case<'_>] = &[
        ("no meter at the grid",  &[],                                                    None),
        ("nobody says",           &[((COUNTS, 1), None)],                                 Some("unknown")),
        ("vectorial",             &[((COUNTS, 1), vectorial)],                            Some("vectorial")),
        ("per phase",             &[((COUNTS, 1), per_phase), ((COUNTS, 1), per_phase)],  Some("per_phase")),
        ("one of each",           &[((COUNTS, 1), vectorial), ((COUNTS, 1), per_phase)],  Some("mixed")),
        ("power is the sum",      &[((POWER, 1), None)],                                  Some("vectorial")),
        ("power beside registers", &[((POWER, 1), None), ((COUNTS, 1), per_phase)],       Some("mixed")),
    ];
    for (what, meters, expected) in cases {
        let rows: Vec<Row<'_>> = meters.iter().map(|(row, _)| *row).collect();
        let mut park = park(&rows);
        for (nth, (_, mode)) in meters.iter().enumerate() {
            let id = format!("grid{nth}").into();
            let modes = &mut park.relations.register_modes;
            modes.extend(mode.map(|mode| (id, mode)));
        }
        assert_eq!(register_mode(&park), *expected, "{what}");
    }
}
