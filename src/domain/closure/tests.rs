//! Vectors with their source, and situations.

use serde_json::Value as Json;

use super::*;
use crate::domain::flow::Known;
use crate::domain::quality::{Gaps, Reason};
use crate::domain::units::MilliwattHours;

fn numbers(json: &Json) -> Vec<f64> {
    let all = json.as_array().unwrap().iter();
    all.map(|one| one.as_f64().unwrap()).collect()
}

fn class(class_pct: f64, quantum: f64) -> Accuracy {
    Accuracy {
        class_pct,
        quantum,
        ..Accuracy::default()
    }
}

/// Source: reconcile.json, `class_mpe_pct`, `register_quantum_kWh` and `u` of cases A
/// and C, `mpe_pct` of case D.
#[test]
fn uncertainties_of_readings_agree_with_their_vectors() {
    let text = include_str!("../../../tests/fixtures/reconcile.json");
    let all: Json = serde_json::from_str(text).unwrap();
    let mut compared = 0;
    for case in all["cases"].as_array().unwrap() {
        let classes = [&case["class_mpe_pct"], &case["mpe_pct"]];
        let Some(classes) = classes.into_iter().find(|one| !one.is_null()) else {
            continue;
        };
        let quantum = case["register_quantum_kWh"].as_f64().unwrap_or(0.0);
        let rows = numbers(&case["y"])
            .into_iter()
            .zip(numbers(classes))
            .zip(numbers(&case["u"]));
        for ((value, pct), expected) in rows {
            let found = Uncertainty::of(value, &class(pct, quantum), Ramp::default()).combined();
            assert!(
                (found - expected).abs() <= 5e-10,
                "{} {value}: {found} {expected}",
                case["name"]
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 28);
}

/// Source: balance_cases.json `register_quantisation`.
#[test]
fn steps_of_registers_agree_with_their_vectors() {
    let text = include_str!("../../../tests/fixtures/balance_cases.json");
    let all: Json = serde_json::from_str(text).unwrap();
    for case in all["register_quantisation"].as_array().unwrap() {
        let of = |key: &str| case[key].as_f64().unwrap();
        let step = of("register_resolution_kWh") * of("multiplier");
        assert!((step - of("step_primary_kWh")).abs() < 1e-12);
        let percent = |part: f64| part / of("interval_energy_kWh") * 100.0;
        assert!((percent(step) - of("max_interval_error_pct")).abs() < 1e-9);
        assert!((percent(quantum_uncertainty(step)) - of("std_uncertainty_pct")).abs() <= 5e-5);
    }
}

#[test]
fn every_cause_counts_once() {
    let accuracy = Accuracy {
        class_pct: 1.0,
        ct_pct: 0.5,
        vt_pct: 0.2,
        quantum: 0.6,
    };
    let ramp = Ramp {
        per_s: -100.0,
        skew_s: 1.0,
    };
    let found = Uncertainty::of(-1_000.0, &accuracy, ramp);
    let root = 3_f64.sqrt();
    for (ours, expected) in [
        (found.meter, 10.0 / root),
        (found.ct, 5.0 / root),
        (found.vt, 2.0 / root),
        (found.quantum, 0.6 / 6_f64.sqrt()),
        (found.skew, 100.0),
    ] {
        assert!((ours - expected).abs() < 1e-12, "{ours} {expected}");
    }
    let square: f64 = (100.0 + 25.0 + 4.0) / 3.0 + 0.06 + 10_000.0;
    assert!((found.combined() - square.sqrt()).abs() < 1e-9);
}

fn member(sign: f64, value: f64, uncertainty: f64) -> Member {
    Member {
        sign,
        value: Ok(Known::given(value)),
        uncertainty,
    }
}

#[test]
fn a_residual_adds_signed_values_and_squares_of_uncertainties() {
    let node = [
        member(1.0, 100.0, 0.3),
        member(-1.0, 60.0, 0.4),
        member(-1.0, 42.0, 1.2),
    ];
    let found = residual(&node).unwrap().value;
    assert!((found.value + 2.0).abs() < 1e-12);
    assert!((found.uncertainty - 1.3).abs() < 1e-12);
}

#[test]
fn a_silent_meter_makes_the_residual_unknown_and_every_one_is_named() {
    let gap = |name: &str| Member {
        value: Err(Gaps::one(&name.into(), Reason::Timeout)),
        ..member(1.0, 0.0, 1.0)
    };
    let gaps = residual(&[gap("a"), member(1.0, 1.0, 1.0), gap("b")]).unwrap_err();
    assert_eq!(gaps.meters(), ["a", "b"]);
}

#[test]
fn a_residual_is_flagged_when_it_lasts() {
    use Verdict::{Closed, Exceeded, Flagged, Unknown};
    let dash = f64::NAN;
    #[rustfmt::skip]
    let cases: [(&str, &[f64], &[Verdict]); 5] = [
        ("at the limit",       &[2.0, -2.0],                  &[Closed, Closed]),
        ("three is a cloud",   &[3.0, 3.0, -3.0, 0.0, 3.0],   &[Exceeded(1), Exceeded(2), Exceeded(3), Closed, Exceeded(1)]),
        ("four is a fault",    &[3.0, -3.0, 3.0, 3.0, 3.0],   &[Exceeded(1), Exceeded(2), Exceeded(3), Flagged(4), Flagged(5)]),
        ("it recovers",        &[3.0, 3.0, 3.0, 3.0, 1.0],    &[Exceeded(1), Exceeded(2), Exceeded(3), Flagged(4), Closed]),
        ("a gap says nothing", &[3.0, 3.0, 3.0, dash, 3.0],   &[Exceeded(1), Exceeded(2), Exceeded(3), Unknown, Flagged(4)]),
    ];
    for (situation, residuals, expected) in cases {
        let mut watch = Watch::new(Limits::default());
        let found: Vec<Verdict> = residuals
            .iter()
            .map(|value| {
                let heard = if value.is_nan() {
                    Err(Gaps::config())
                } else {
                    Ok(Known::given(Residual {
                        value: *value,
                        uncertainty: 1.0,
                    }))
                };
                watch.hear(&heard)
            })
            .collect();
        assert_eq!(found, expected, "{situation}");
    }
}

#[test]
fn limits_of_a_watch_can_be_set() {
    let mut watch = Watch::new(Limits {
        uncertainties: 3.0,
        in_a_row: 0,
    });
    let mut heard = |value| {
        watch.hear(&Ok(Known::given(Residual {
            value,
            uncertainty: 1.0,
        })))
    };
    assert_eq!(heard(3.0), Verdict::Closed);
    assert_eq!(heard(3.1), Verdict::Flagged(1));
}

#[test]
fn a_counter_is_compared_with_its_power() {
    use DriftLevel::{Alarm, Warn, Within};
    #[rustfmt::skip]
    let cases = [
        // situation               integrated counted | drift         level
        ("agree",                   100_000, 100_000, Some(0.0),    Within),
        ("at the warning",          101_000, 100_000, Some(0.01),   Within),
        ("power above",             101_001, 100_000, Some(0.01001), Warn),
        ("power below",              98_000, 100_000, Some(-0.02),  Warn),
        ("at the alarm",            103_000, 100_000, Some(0.03),   Warn),
        ("a wrong multiplier",       50_000, 100_000, Some(-0.5),   Alarm),
        ("counted backwards",       100_000, -100_000, Some(-2.0),  Alarm),
        ("a register stands still",   5_000,       0, None,         Alarm),
        ("nothing happened",              0,       0, None,         Within),
        ("a step of the register",       90,       0, None,         Within),
    ];
    let limits = DriftLimits {
        ignored: MilliwattHours(100),
        ..DriftLimits::default()
    };
    for (situation, integrated, counted, ratio, level) in cases {
        let found = drift(
            Some(MilliwattHours(integrated)),
            Some(MilliwattHours(counted)),
            limits,
        )
        .unwrap();
        assert_eq!(found.ratio.is_some(), ratio.is_some(), "{situation}");
        assert!(
            (found.ratio.unwrap_or(0.0) - ratio.unwrap_or(0.0)).abs() < 1e-12,
            "{situation}"
        );
        assert_eq!(found.level, level, "{situation}");
    }
    assert_eq!(drift(None, Some(MilliwattHours(1)), limits), None);
}
