//! The equations against their vectors, and which hours count.

use serde_json::Value as Json;

use super::super::vectors::{close, decimals};
use super::*;

fn vectors() -> Json {
    let text = include_str!("../../../tests/fixtures/solar_thermal.json");
    let json: Json = serde_json::from_str(text).unwrap();
    json["iso24194"].clone()
}

fn temperatures(inputs: &Json) -> Temperatures {
    let number = |key: &str| inputs[key].as_f64().unwrap();
    Temperatures {
        mean: number("Tm"),
        ambient: number("Ta"),
        rate_k_per_s: number("dTm_dt_K_s"),
    }
}

#[test]
fn troughs_agree_with_the_vector() {
    let case = &vectors()["eq3"];
    let number = |key: &str| case["inputs"][key].as_f64().unwrap();
    let trough = Concentrating {
        eta0: number("eta0b"),
        a1: number("a1"),
        a5: number("a5"),
        a8: number("a8"),
    };
    let at = temperatures(&case["inputs"]);
    let expected = trough.expected(number("Kb"), number("Gbt"), &at);
    decimals(expected, case["expect_W_m2"].as_f64().unwrap(), 9, "q");
    let safe = Safety::default().factor();
    decimals(safe, case["f_safe"].as_f64().unwrap(), 6, "f_safe");
    let guaranteed = case["expect_guaranteed_W_m2"].as_f64().unwrap();
    decimals(expected * safe, guaranteed, 9, "guaranteed");
}

#[test]
fn low_concentration_agrees_with_the_vector() {
    let case = &vectors()["eq2"];
    let number = |key: &str| case["inputs"][key].as_f64().unwrap();
    let collector = LowConcentration {
        eta0: number("eta0b"),
        k_diffuse: number("Kd"),
        a1: number("a1"),
        a2: number("a2"),
        a5: number("a5"),
    };
    let at = temperatures(&case["inputs"]);
    let expected = collector.expected(number("Kb"), number("Gb"), number("Gd"), &at);
    decimals(expected, case["expect_W_m2"].as_f64().unwrap(), 9, "q");
}

/// Equation 1 is equation 2 with one kind of light: 0.8 · 0.95 · 900 − 2.5 · 40 −
/// 0.01 · 1600 − 7000 · 0.001 = 684 − 100 − 16 − 7.
#[test]
fn flat_plates_by_hand() {
    let at = Temperatures {
        mean: 60.0,
        ambient: 20.0,
        rate_k_per_s: 0.001,
    };
    let (eta0, a1, a2, a5) = (0.8, 2.5, 0.01, 7_000.0);
    let plate = FlatPlate { eta0, a1, a2, a5 };
    close(plate.expected(0.95, 900.0, &at), 561.0, 1e-9, "q");
    let k_diffuse = 1.0;
    let collector = LowConcentration {
        eta0,
        k_diffuse,
        a1,
        a2,
        a5,
    };
    close(collector.expected(0.95, 900.0, 0.0, &at), 561.0, 1e-9, "q");
    close(collector.expected(0.95, 0.0, 100.0, &at), -43.0, 1e-9, "q");
}

#[test]
fn a_dark_collector_is_expected_to_lose() {
    let trough = Concentrating {
        eta0: 0.7,
        a1: 0.1,
        a5: 3_500.0,
        a8: 1.2e-9,
    };
    let at = Temperatures {
        mean: 300.0,
        ambient: 0.0,
        rate_k_per_s: 0.0,
    };
    close(trough.expected(1.0, 0.0, &at), -30.0 - 9.72, 1e-9, "q");
}

const FINE: Conditions = Conditions {
    irradiance: 600.0,
    light: Light::Beam,
    moved_k: -5.0,
    ambient: 5.0,
    wind: 10.0,
    shaded: false,
    defocused: false,
};

#[test]
fn an_hour_counts_up_to_the_limits() {
    let light = Light::Hemispherical;
    #[rustfmt::skip]
    let cases = [
        ("at every limit",        FINE,                                            vec![]),
        ("hazy",                  Conditions { irradiance: 599.9, ..FINE },        vec![Invalid::Light]),
        ("beam light on a plate", Conditions { light, ..FINE },                    vec![Invalid::Light]),
        ("bright on a plate",     Conditions { light, irradiance: 800.0, ..FINE }, vec![]),
        ("warming up",            Conditions { moved_k: 5.1, ..FINE },             vec![Invalid::Unsteady]),
        ("cooling down",          Conditions { moved_k: -5.1, ..FINE },            vec![Invalid::Unsteady]),
        ("frost",                 Conditions { ambient: 4.9, ..FINE },             vec![Invalid::Cold]),
        ("gale and shade",        Conditions { wind: 10.1, shaded: true, ..FINE }, vec![Invalid::Windy, Invalid::Shaded]),
        ("mirrors stowed",        Conditions { defocused: true, ..FINE },            vec![Invalid::Defocused]),
        ("wind not measured",     Conditions { wind: f64::NAN, ..FINE },           vec![Invalid::Windy]),
    ];
    for (situation, conditions, reasons) in cases {
        assert_eq!(conditions.invalid(), reasons, "{situation}");
    }
}

fn hour(measured_w: f64, conditions: Conditions) -> Hour {
    Hour {
        measured_w,
        expected_w_m2: 500.0,
        conditions,
    }
}

#[test]
fn twenty_valid_hours_decide_and_the_others_do_not_count() {
    let shaded = Conditions {
        shaded: true,
        ..FINE
    };
    let safety = Safety::default();
    // 1000 m² · 500 W/m² · 0.902286 = 451 143 W.
    let mut hours = vec![hour(0.0, shaded); 5];
    hours.extend(vec![hour(451_143.1, FINE); 19]);
    let undecided = check(&hours, 1_000.0, &safety).unwrap_err();
    assert_eq!(
        undecided.to_string(),
        "19 of 24 hours are valid, and fewer than 20 decide nothing; \
         look for more clear, steady hours"
    );
    hours.push(hour(451_143.1, FINE));
    let outcome = check(&hours, 1_000.0, &safety).unwrap();
    assert_eq!((outcome.hours, outcome.met), (20, true));
    close(outcome.ratio().unwrap(), 1.0, 1e-6, "ratio");
    // One hour below the rest tips it: sums decide, not the count of good hours.
    hours.push(hour(451_000.0, FINE));
    assert!(!check(&hours, 1_000.0, &safety).unwrap().met);
}

#[test]
fn a_guarantee_of_nothing_has_no_ratio() {
    let hours = vec![hour(1.0, FINE); 20];
    let outcome = check(&hours, 0.0, &Safety::default()).unwrap();
    assert_eq!(outcome.ratio(), None);
}
