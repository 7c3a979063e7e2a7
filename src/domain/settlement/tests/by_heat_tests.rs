//! A turbine that is as renewable as the heat it runs on: situations, gaps, laws.

use super::*;
use crate::domain::flow::Stated;
use crate::domain::heat::pool::Pool;
use crate::domain::quality::Gaps;
use crate::domain::settlement::origin::Green;

/// Grid, roof, a turbine, a tenant, and what meets at the header.
const STEAM: &[(&str, &str)] = &[
    ("pcc", "grid"),
    ("roof", "pv"),
    ("steam", "turbine"),
    ("A", "tenant"),
    ("field", "solar_field"),
    ("kettle", "boiler"),
    ("tank", "heat_storage"),
    ("intake", "heat_to_power"),
];

fn settlement(content_kwh: f64, solar: f64) -> Settlement {
    Settlement {
        battery: Battery {
            renewable: vec![1],
            by_heat: vec![2],
            ..Battery::default()
        },
        storage: HeatPool {
            pool: Pool::new(content_kwh * 1e3, solar, 1.0, 1.0).unwrap(),
            gaps: 0,
        },
        ..Settlement::default()
    }
}

/// Net energies in kWh in the order of the park, none where a meter is silent.
fn step(origin: &mut Origin, said: [Option<i64>; 8]) -> Stated<Green> {
    let park = park(STEAM);
    let given = said.map(|one| one.map(|kwh| (kwh.max(0) * KWH, (-kwh).max(0) * KWH)));
    let entries = entries(&park, &given);
    origin.step(&park, &settled(&park, &entries), &entries)
}

#[test]
fn a_turbine_is_as_renewable_as_the_heat_at_the_header_is_solar() {
    #[rustfmt::skip]
    let cases = [
        // situation                        pcc  roof steam  A   field kettle tank intake  content solar | generation, export
        ("heat of the field alone",        [-40, 0,  60,  20,  200,   0,    0, 200],   0.0, 0.0,  60, 40),
        ("heat of the boiler alone",       [-40, 0,  60,  20,    0, 200,    0, 200],   0.0, 0.0,   0,  0),
        ("three quarters of it solar",     [-40, 0,  60,  20,  150,  50,    0, 200],   0.0, 0.0,  45, 30),
        ("out of a tank of nine tenths",   [-40, 0,  60,  20,    0,   0,  200, 200], 500.0, 0.9,  54, 36),
        ("tank and boiler, half each",     [-40, 0,  60,  20,    0, 100,  100, 200], 500.0, 0.5,  15, 10),
        ("more than the tank holds",       [-40, 0,  60,  20,    0,   0,  200, 200], 100.0, 1.0,  30, 20),
        ("charging takes of the field",    [-40, 0,  60,  20,  150,  50, -100, 100],   0.0, 0.0,  30, 20),
        ("the field cools at night",       [-40, 0,  60,  20,   -5, 200,    0, 195],   0.0, 0.0,   0,  0),
        ("the roof is wholly renewable",   [-40, 30, 30,  20,   50,  50,    0, 100],   0.0, 0.0,  45, 30),
        ("more stored than anybody gave",  [-40, 0,  60,  20,  100,   0, -101,   0],   0.0, 0.0,  -1, -1),
    ];
    for (situation, said, content, solar, generation, export) in cases {
        let mut origin = Origin::new(&settlement(content, solar));
        let found = step(&mut origin, said.map(Some));
        if generation < 0 {
            assert_eq!(found.unwrap_err().meters(), ["heat header"], "{situation}");
            continue;
        }
        let known = found.unwrap();
        let near = |found: MilliwattHours, kwh: i64| (found.0 - kwh * KWH).abs() <= 1;
        assert!(
            near(known.value.generation, generation),
            "{situation}: {known:?}"
        );
        assert!(near(known.value.export, export), "{situation}: {known:?}");
        assert!(known.value.heat.is_some(), "{situation}");
    }
}

#[test]
fn what_a_turbine_made_of_unknown_heat_is_neither_all_nor_nothing() {
    let whole = [-40, 0, 60, 20, 150, 50, 0, 200].map(Some);
    #[rustfmt::skip]
    let cases: [(&str, usize, Option<i64>, &[&str]); 5] = [
        ("the field is silent",        4, None,    &["field"]),
        ("the boiler is silent",       5, None,    &["kettle"]),
        ("the tank is silent",         6, None,    &["tank"]),
        ("the turbine is silent",      2, None,    &["steam"]),
        ("its own intake is no source", 7, None,    &[]),
    ];
    for (situation, place, said, missing) in cases {
        let mut given = whole;
        given[place] = said;
        let mut origin = Origin::new(&settlement(0.0, 0.0));
        match step(&mut origin, given) {
            Ok(known) => {
                assert!(missing.is_empty(), "{situation}");
                assert_eq!(known.value.generation.0, 45 * KWH, "{situation}");
            }
            Err(gaps) => assert_eq!(gaps.meters(), missing, "{situation}"),
        }
        assert_eq!(origin.gaps, usize::from(!missing.is_empty()), "{situation}");
    }
    // No source gave heat, and the turbine ran: nothing says on what.
    let mut origin = Origin::new(&settlement(0.0, 0.0));
    let gaps = step(&mut origin, [-40, 0, 60, 20, 0, 0, 0, 200].map(Some)).unwrap_err();
    assert_eq!(gaps.meters(), ["heat header"]);
    assert_eq!(gaps.list()[0].reason, Reason::NotAvailable);
}

#[test]
fn a_part_of_nothing_is_nothing_whatever_is_known_of_the_heat() {
    let mut origin = Origin::new(&settlement(0.0, 0.0));
    // At night the turbine draws its standby, and a boiler does not answer.
    let night = [
        Some(25),
        Some(0),
        Some(-5),
        Some(20),
        Some(0),
        None,
        Some(0),
        Some(0),
    ];
    let known = step(&mut origin, night).unwrap();
    assert_eq!((known.value.generation.0, known.value.heat), (0, None));
    assert_eq!((origin.gaps, origin.heat_gaps()), (0, 1));
}

#[test]
fn stored_heat_keeps_its_origin_until_it_runs_the_turbine() {
    let mut origin = Origin::new(&settlement(0.0, 0.0));
    // The field fills the tank with 300, the boiler 100 more; the tank drives the turbine.
    step(&mut origin, [20, 0, 0, 20, 300, 0, -300, 0].map(Some)).unwrap();
    step(&mut origin, [20, 0, 0, 20, 0, 100, -100, 0].map(Some)).unwrap();
    let evening = step(&mut origin, [-40, 0, 60, 20, 0, 0, 200, 200].map(Some)).unwrap();
    assert_eq!(evening.value.heat, Some(0.75));
    assert_eq!(evening.value.generation.0, 45 * KWH);
    // An interval that nobody knows leaves the tank as it was.
    origin.passed_over(Gaps::config()).unwrap_err();
    let night = step(&mut origin, [-40, 0, 60, 20, 0, 0, 200, 200].map(Some)).unwrap();
    assert!((night.value.heat.unwrap() - 0.75).abs() < 1e-9, "{night:?}");
    assert_eq!(origin.heat_gaps(), 1);
}

proptest! {
    /// Whatever the heat is, the renewable part lies between none and all of what was
    /// made, and more of the field never makes it less.
    #[test]
    fn a_renewable_part_is_a_part(
        made in 0..500_i64,
        field in 0..2_000_i64,
        more in 0..500_i64,
        kettle in 0..2_000_i64,
        tank in 0..2_000_i64,
    ) {
        let said = |field| [-made, 0, made, 0, field, kettle, tank, 0].map(Some);
        let green = |field| {
            let mut origin = Origin::new(&settlement(1e9, 0.4));
            step(&mut origin, said(field)).map(|known| known.value.generation.0)
        };
        prop_assume!(made == 0 || field + kettle + tank > 0);
        let (less, more) = (green(field).unwrap(), green(field + more).unwrap());
        prop_assert!((0..=made * KWH).contains(&less), "{less}");
        prop_assert!(less <= more + 1, "{less} {more}");
    }
}
