//! Plants and storages behind other meters: situations, and the law that the bus decides.

use proptest::prelude::*;

use super::*;
use crate::domain::balance::powers;
use crate::domain::closure::balance_parts;
use crate::domain::flow::Flow;
use crate::domain::meter::{Freshness, Meter, Role};
use crate::domain::quality::{Gaps, Reason};
use crate::domain::topology::{Placed, Topology};
use crate::domain::units::MilliwattHours;

/// A park of meters: role, and which of them it stands behind.
fn park(meters: &[(&str, Option<usize>)]) -> Park {
    let id = |place: usize| format!("m{place}");
    let placed: Vec<Placed> = meters
        .iter()
        .enumerate()
        .map(|(place, (_, behind))| Placed {
            meter: id(place).into(),
            behind: behind.map(|before| id(before).into()),
        })
        .collect();
    let meter = |(place, (role, _)): (usize, &(&str, Option<usize>))| Meter {
        id: id(place).into(),
        role: Role::named(role).unwrap(),
        points: Vec::new(),
        freshness: Freshness::UntilChanged,
        period: std::time::Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    };
    let mut park = Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: meters.iter().enumerate().map(meter).collect(),
        every_load_metered: true,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    };
    park.relations.topology = Topology::new(&placed).unwrap();
    park
}

const ELECTRICITY: Carrier = Carrier::Electricity;

fn value(stated: &Stated<f64>) -> f64 {
    stated.as_ref().map_or(f64::NAN, |known| known.value)
}

/// A connection, a hall with a roof behind it, and an inverter with a battery behind it.
const PARK: &[(&str, Option<usize>)] = &[
    ("grid", None),
    ("tenant", Some(0)),
    ("pv", Some(1)),
    ("pv", Some(0)),
    ("battery", Some(3)),
];

#[test]
fn a_plant_behind_a_meter_is_counted_where_it_belongs() {
    let park = park(PARK);
    #[rustfmt::skip]
    let cases = [
        // situation                    grid   hall   roof  inverter battery | generation load  charge discharge import export
        ("a hall alone",              [100.0, 100.0,  0.0,   0.0,   0.0],        [0.0, 100.0,   0.0,  0.0, 100.0,   0.0]),
        ("the roof gives 40",         [ 60.0,  60.0, 40.0,   0.0,   0.0],       [40.0, 100.0,   0.0,  0.0,  60.0,   0.0]),
        ("the hall feeds back",       [-50.0, -50.0, 70.0,   0.0,   0.0],       [70.0,  20.0,   0.0,  0.0,   0.0,  50.0]),
        ("the sun charges",           [ 70.0, 100.0,  0.0,  30.0, -20.0],       [50.0, 100.0,  20.0,  0.0,  70.0,   0.0]),
        ("sun and battery",           [ 20.0, 100.0,  0.0,  80.0,  30.0],       [50.0, 100.0,   0.0, 30.0,  20.0,   0.0]),
        ("the battery at night",      [ 70.0, 100.0,  0.0,  30.0,  30.0],        [0.0, 100.0,   0.0, 30.0,  70.0,   0.0]),
        ("the grid charges at night", [125.0, 100.0,  0.0, -25.0, -25.0],        [0.0, 100.0,  25.0,  0.0, 125.0,   0.0]),
        // Two kilowatts keep the inverter awake: part of the load.
        ("and keeps it awake",        [127.0, 100.0,  0.0, -27.0, -25.0],        [0.0, 102.0,  25.0,  0.0, 127.0,   0.0]),
    ];
    let flows = [
        Flow::Generation,
        Flow::Load,
        Flow::BatteryCharge,
        Flow::BatteryDischarge,
        Flow::Import,
        Flow::Export,
    ];
    for (situation, said, expected) in cases {
        let found = powers(&park, &|index, _| Ok(Known::given(said[index])));
        let values = flows.map(|flow| value(found.of(flow)));
        assert_eq!(values, expected, "{situation}");
        assert_eq!(value(found.of(Flow::Residual)), 0.0, "{situation}");
    }
}

#[test]
fn a_silent_plant_leaves_what_the_meter_before_it_stands_for_unknown() {
    let park = park(PARK);
    let said = |index: MeterIndex, _: Carrier| -> Parts<f64> {
        Parts::of_power(match index {
            2 => Err(Gaps::one(&"m2".into(), Reason::Timeout)),
            _ => Ok(Known::given(60.0)),
        })
    };
    let gaps = own(&park, 1, ELECTRICITY, &said).positive.unwrap_err();
    assert_eq!(gaps.meters(), ["m2"]);
    // The inverter is in another branch.
    assert!(own(&park, 3, ELECTRICITY, &said).positive.is_ok());
}

#[test]
fn what_stands_behind_another_meter_is_at_no_node_of_the_bus() {
    let park = park(PARK);
    let found: Vec<MeterIndex> = balance_parts(&park, ELECTRICITY)
        .iter()
        .map(|part| part.meter)
        .collect();
    assert_eq!(found, [0, 1, 3]);
}

const ROLES: [&str; 4] = ["tenant", "pv", "battery", "monitor"];

proptest! {
    /// In energies of an interval, whatever stands behind what: what all meters stand for
    /// adds up to what those at the bus show, to the milliwatt-hour, and no direction is
    /// below zero.
    #[test]
    fn the_sum_over_all_terms_is_what_the_bus_says(
        nodes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..ROLES.len(), 0_i64..1_000, 0_i64..1_000), 1..30),
    ) {
        let rows: Vec<(&str, Option<usize>)> = nodes
            .iter()
            .enumerate()
            .map(|(place, (index, role, ..))| (ROLES[*role], index.index(place + 1).checked_sub(1)))
            .collect();
        let park = park(&rows);
        let said = |index: MeterIndex, _: Carrier| {
            let (.., positive, negative) = nodes[index];
            let given = |value| Ok(Known::given(MilliwattHours(value)));
            Parts { positive: given(positive), negative: given(negative) }
        };
        // Out of the bus is positive.
        let signed = |index: MeterIndex, parts: &Parts<MilliwattHours>| -> i64 {
            let [positive, negative] =
                [&parts.positive, &parts.negative].map(|part| part.as_ref().unwrap().value.0);
            assert!(positive >= 0 && negative >= 0, "{parts:?}");
            let out = if park.meters[index].role.name == "tenant" { 1 } else { -1 };
            out * (positive - negative)
        };
        let counts = |index: &MeterIndex| park.meters[*index].role.electricity.is_some();
        let all = [Term::Load, Term::Generator, Term::Battery];
        let counted = all.iter().flat_map(|term| {
            crate::domain::balance::members(&park, ELECTRICITY, *term)
        });
        let stood_for: i64 =
            counted.map(|index| signed(index, &own(&park, index, ELECTRICITY, &said))).sum();
        let at_the_bus = (0..nodes.len()).filter(counts).filter(|index| {
            let mut before = std::iter::successors(rows[*index].1, |at| rows[*at].1);
            !before.any(|at| counts(&at))
        });
        let shown: i64 = at_the_bus.map(|index| signed(index, &said(index, ELECTRICITY))).sum();
        prop_assert_eq!(stood_for, shown);
    }
}
