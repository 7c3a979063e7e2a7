use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::meter::{Freshness, Point, Quantity, Role};

/// A meter that measures these.
fn meter(role: &str, quantities: &[&str]) -> Meter {
    let point = |name: &&str| Point {
        quantity: Quantity::named(name).unwrap_or_else(|| panic!("{name}")),
        register: None,
    };
    Meter {
        id: Arc::from("m"),
        role: Role::named(role).unwrap(),
        points: quantities.iter().map(point).collect(),
        freshness: Freshness::Within(Duration::from_secs(5)),
        period: Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

/// A meter of a role, and what it said all the time.
fn steady(role: &str, values: &[(&'static str, f64)]) -> (Meter, Observed) {
    let names: Vec<&str> = values.iter().map(|row| row.0).collect();
    let mut observed = Observed::default();
    for (name, value) in values {
        for second in 0..60 {
            observed.add(name, second * 1_000, *value);
        }
    }
    (meter(role, &names), observed)
}

fn verdict(name: &str, meter: &Meter, observed: &Observed, around: &Around) -> Verdict {
    let checks = checks(meter, observed, around);
    let check = checks.into_iter().find(|check| check.name == name);
    check.unwrap_or_else(|| panic!("no check {name}")).verdict
}

/// What a case is to come to: passed, a finding with this in its cause or its mend, or
/// not tested.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Passed,
    Finding(&'static str),
    NotTested,
}

fn holds(expected: Expected, verdict: &Verdict) -> bool {
    match (expected, verdict) {
        (Expected::Passed, Verdict::Passed { .. })
        | (Expected::NotTested, Verdict::NotTested { .. }) => true,
        (Expected::Finding(words), Verdict::Finding { cause, mend, .. }) => {
            cause.contains(words) || mend.as_ref().is_some_and(|mend| mend.contains(words))
        }
        _ => false,
    }
}

use Expected::{Finding, NotTested, Passed};

/// 230 V, 10 A and a power factor on three phases, in watt.
const BALANCED: [(&str, f64); 10] = [
    ("power", 6_555.0),
    ("power_l1", 2_185.0),
    ("power_l2", 2_185.0),
    ("power_l3", 2_185.0),
    ("voltage_l1", 230.0),
    ("voltage_l2", 230.0),
    ("voltage_l3", 230.0),
    ("current_l1", 10.0),
    ("current_l2", 10.0),
    ("current_l3", 10.0),
];

type Said = Vec<(&'static str, f64)>;

/// The balanced meter, with other values for some.
fn but(changes: &[(&'static str, f64)]) -> Said {
    let mut values = BALANCED.to_vec();
    for (name, value) in changes {
        match values.iter_mut().find(|row| row.0 == *name) {
            Some(row) => row.1 = *value,
            None => values.push((name, *value)),
        }
    }
    values
}

#[test]
fn checks_of_steady_values() {
    #[rustfmt::skip]
    let cases: &[(&str, Said, Expected)] = &[
        ("frequency",            but(&[("frequency", 49.98)]),                                             Passed),
        ("frequency",            but(&[("frequency", 60.01)]),                                             Passed),
        ("frequency",            but(&[("frequency", 4998.0)]),                                            Finding("scale = 0.01")),
        ("frequency",            but(&[("frequency", 1.2e-38)]),                                           Finding("order = \"little\"")),
        ("voltage",              but(&[]),                                                                 Passed),
        ("voltage",              but(&[("voltage_l12", 398.4)]),                                           Passed),
        ("voltage",              but(&[("voltage_l12", 230.0)]),                                           Finding("1.73")),
        ("voltage",              but(&[("voltage_l2", 0.4)]),                                              Finding("a fifth away")),
        ("voltage",              but(&[("voltage_l1", 57.7), ("voltage_l2", 57.8), ("voltage_l3", 57.6)]), Finding("programmed")),
        ("phase sum",            but(&[]),                                                                 Passed),
        ("phase sum",            but(&[("power", 2_185.0)]),                                               Finding("is that of phase l1")),
        ("phase sum",            but(&[("power_l2", -2_185.0)]),                                           Finding("without their signs")),
        ("phase sum",            but(&[("power", 6_680.0)]),                                               Passed),
        ("phase sum",            but(&[("power", 6_900.0)]),                                               Finding("another one")),
        ("phase sum",            but(&[("power", 4_000.0)]),                                               Finding("another one")),
        ("apparent power",       but(&[]),                                                                 Passed),
        ("apparent power",       but(&[("power", -6_555.0)]),                                              Passed),
        ("apparent power",       but(&[("power", 6_900_000.0)]),                                           Finding("unit = \"W\"")),
        ("apparent power",       but(&[("power", 7_000.0)]),                                               Passed),
        ("apparent power",       but(&[("power", 10_350.0)]),                                              Finding("more power than")),
        ("apparent power",       but(&[("power", 552_000.0)]),                                             Finding("multiplier = 80")),
        ("apparent power",       but(&[("power", 6.9)]),                                                   Finding("scale = 1000")),
        ("apparent power",       but(&[("current_l1", 0.0), ("current_l2", 0.0), ("current_l3", 0.0)]),    NotTested),
        ("current transformers", but(&[]),                                                                 Passed),
        ("current transformers", but(&[("power_l2", -2_185.0), ("power", 2_185.0)]),                       Finding("transformer of l2 is the wrong way round")),
        ("current transformers", but(&[("power_l1", -2_185.0), ("power_l2", -2_185.0)]),                   Finding("two phases")),
        ("current transformers", but(&[("power_l1", -2_185.0), ("power_l2", -2_185.0), ("power_l3", -2_185.0)]), Passed),
        // One phase against the others, and not alike in size: no turned transformer.
        ("current transformers", but(&[("power_l1", -690.0)]),                                             Passed),
        // Unity power factor on l3; l1 and l2 see each other's current.
        ("current transformers", but(&[("power_l1", -1_150.0), ("power_l2", -1_150.0), ("power_l3", 2_300.0)]), Finding("l1 and l2 are exchanged")),
        ("current transformers", but(&[("current_l3", 0.01)]),                                             NotTested),
    ];
    for (name, values, expected) in cases {
        let (meter, observed) = steady("tenant", values);
        let verdict = verdict(name, &meter, &observed, &Around::default());
        assert!(
            holds(*expected, &verdict),
            "{name}: {values:?} {verdict:?}, not {expected:?}"
        );
    }
}

/// An hour of 36 kW at a meter of a role, its registers moving by these Wh a minute.
fn an_hour(role: &str, power: f64, import: f64, export: f64) -> (Meter, Observed) {
    let mut observed = Observed::default();
    let (mut imported, mut exported) = (1e6, 5e5);
    for minute in 0..=60 {
        let at = minute * 60_000;
        observed.add("power", at, power);
        observed.add("energy_import", at, imported);
        observed.add("energy_export", at, exported);
        imported += import;
        exported += export;
    }
    (
        meter(role, &["power", "energy_import", "energy_export"]),
        observed,
    )
}

#[test]
fn checks_of_registers_that_move() {
    #[rustfmt::skip]
    let cases = [
        // check       role      power      import   export  expected
        ("direction", "grid",    36_000.0,  600.0,   0.0,    Passed),
        ("direction", "grid",   -36_000.0,  0.0,     600.0,  Passed),
        ("direction", "grid",    36_000.0,  0.0,     600.0,  Finding("scale = -1.0")),
        ("direction", "pv",      36_000.0,  0.0,     600.0,  Passed),
        ("direction", "pv",     -36_000.0,  0.0,     600.0,  Finding("opposite signs")),
        ("direction", "battery", 36_000.0,  600.0,   0.0,    Finding("opposite signs")),
        ("direction", "grid",    36_000.0,  0.0,     0.0,    NotTested),
        ("direction", "grid",    36_000.0,  600.0,   300.0,  NotTested),
        ("register",  "grid",    36_000.0,  600.0,   0.0,    Passed),
        ("register",  "grid",   -36_000.0,  0.0,     600.0,  Passed),
        ("register",  "grid",    36_000.0,  615.0,   0.0,    Passed),
        ("register",  "grid",    36_000.0,  0.6,     0.0,    Finding("scale = 1000")),
        ("register",  "grid",    36_000.0,  60.0,    0.0,    Finding("scale = 10.00")),
        ("register",  "grid",    36_000.0,  6_000.0, 0.0,    Finding("scale = 0.100")),
        ("register",  "grid",    36_000.0,  700.0,   0.0,    Finding("disagree")),
        ("register",  "grid",    36_000.0,  0.0,     0.0,    NotTested),
    ];
    for (name, role, power, import, export, expected) in cases {
        let (meter, observed) = an_hour(role, power, import, export);
        let verdict = verdict(name, &meter, &observed, &Around::default());
        assert!(
            holds(expected, &verdict),
            "{name} {role} {power} {import} {export}: {verdict:?}"
        );
    }
}

/// 36 kW for an hour, sampled between two minutes, and a register of so many equal steps.
fn stepping(steps: i64, sampled: std::ops::RangeInclusive<i64>) -> (Meter, Observed) {
    let mut observed = Observed::default();
    for minute in 0..=60 {
        let at = minute * 60_000;
        if sampled.contains(&minute) {
            observed.add("power", at, 36_000.0);
        }
        let counted = f64::from(i32::try_from(minute * steps / 60).unwrap());
        let wh = 36_000.0 / f64::from(i32::try_from(steps).unwrap());
        observed.add("energy_import", at, counted * wh);
    }
    (meter("grid", &["power", "energy_import"]), observed)
}

#[test]
fn a_pace_takes_twenty_steps_and_a_power_that_covers_them() {
    for (steps, sampled, expected) in [
        (20, 0..=60, Passed),
        (19, 0..=60, NotTested),
        // Up to a tenth at each end may lie between two samples.
        (60, 3..=57, Passed),
        (60, 9..=60, NotTested),
        (60, 0..=51, NotTested),
    ] {
        let (meter, observed) = stepping(steps, sampled.clone());
        let verdict = verdict("register", &meter, &observed, &Around::default());
        assert!(
            holds(expected, &verdict),
            "{steps} {sampled:?}: {verdict:?}"
        );
    }
}

#[test]
fn one_garbled_answer_moves_nothing() {
    for garbled in [0.0, 6_553.5] {
        let (meter, mut observed) = steady("tenant", &[("frequency", 50.0)]);
        observed.add("frequency", 60_000, garbled);
        let verdict = verdict("frequency", &meter, &observed, &Around::default());
        assert!(holds(Passed, &verdict), "{garbled}: {verdict:?}");
    }
}

#[test]
fn checks_of_heat_and_light() {
    let heat = |power, flow, supply, back| {
        steady(
            "heat_consumer",
            &[
                ("heat_power", power),
                ("flow", flow),
                ("temp_supply", supply),
                ("temp_return", back),
            ],
        )
    };
    #[rustfmt::skip]
    let cases = [
        // 20 m3/h from 80 to 50 °C: 1.163 kWh each and kelvin, 0.983 of it at 65 °C
        (heat(686_000.0, 20.0, 80.0, 50.0),       Passed),
        (heat(-686_000.0, 20.0, 80.0, 50.0),      Finding("the two temperature sensors")),
        // What is cooled: both have the other sign.
        (heat(-686_000.0, 20.0, 50.0, 80.0),      Passed),
        (heat(686.0, 20.0, 80.0, 50.0),           Finding("scale = 1000")),
        (heat(190_500.0, 20.0, 80.0, 50.0),       Finding("the unit of the flow")),
        (heat(0.0, 0.0, 80.0, 50.0),              NotTested),
    ];
    for ((meter, observed), expected) in cases {
        let verdict = verdict("heat identity", &meter, &observed, &Around::default());
        assert!(holds(expected, &verdict), "{verdict:?}, not {expected:?}");
    }
    #[rustfmt::skip]
    let cases = [
        ("ghi",        -2.0,    Some(-20.0), Passed),
        ("ghi",        80.0,    Some(-20.0), Finding("light at night")),
        ("ghi",        850.0,   Some(60.0),  Passed),
        ("ghi",        8_500.0, Some(60.0),  Finding("no sky")),
        ("ghi",        700.0,   Some(20.0),  Finding("no sky")),
        ("irradiance", 900.0,   Some(20.0),  Passed),
        ("dni",        1_500.0, Some(60.0),  Finding("no sky")),
        ("ghi",        10.0,    Some(0.0),   NotTested),
        ("ghi",        10.0,    None,        NotTested),
    ];
    for (name, seen, elevation, expected) in cases {
        let (meter, observed) = steady("weather", &[(name, seen)]);
        let around = Around {
            sun_elevation: elevation,
            ..Around::default()
        };
        let verdict = verdict("irradiance", &meter, &observed, &around);
        assert!(
            holds(expected, &verdict),
            "{name} {seen} {elevation:?}: {verdict:?}"
        );
    }
}

#[test]
fn a_check_without_what_it_needs_passes_nothing() {
    for role in ["grid", "heat_consumer", "weather"] {
        let names: Vec<&str> = BALANCED
            .iter()
            .map(|row| row.0)
            .chain([
                "frequency",
                "energy_import",
                "heat_power",
                "flow",
                "temp_supply",
                "ghi",
            ])
            .collect();
        let meter = meter(role, &names);
        for check in checks(&meter, &Observed::default(), &Around::default()) {
            assert!(
                matches!(check.verdict, Verdict::NotTested { .. }),
                "{check:?}"
            );
        }
    }
}
