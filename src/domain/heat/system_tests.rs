//! Indicators against their vectors, and what mixes.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::super::vectors::{close, decimals};
use super::*;

#[test]
fn indicators_agree_with_the_vectors() {
    let text = include_str!("../../../tests/fixtures/solar_thermal.json");
    let json: Json = serde_json::from_str(text).unwrap();
    let case = &json["kpi"];
    let of = |key: &str| case[key].as_f64().unwrap();
    let field = of("Q_field_gross_kWh");
    for (ours, key, digits) in [
        (
            specific_yield(field, of("A_ap_m2")),
            "specific_yield_kWh_m2",
            8,
        ),
        (solar_fraction(field, of("Q_aux_kWh")), "solar_fraction", 9),
        (
            coefficient_of_performance(of("Q_hp_kWh"), of("W_hp_kWh")),
            "COP",
            9,
        ),
        (
            boiler_efficiency(of("Q_eb_kWh"), of("W_eb_kWh")),
            "eta_eb",
            9,
        ),
        (
            parasitic_ratio(of("W_pump_kWh"), field),
            "parasitic_ratio",
            9,
        ),
    ] {
        let theirs = case["expect"][key].as_f64().unwrap();
        decimals(ours.unwrap(), theirs, digits, key);
    }
}

#[test]
fn anything_over_nothing_is_unknown() {
    for told in [
        specific_yield(0.0, 0.0),
        solar_fraction(0.0, 0.0),
        solar_fraction(5.0, -5.0),
        distribution_loss_ratio(0.0, 0.0),
        distribution_loss_ratio(0.0, 4.0),
        coefficient_of_performance(3.0, 0.0),
        boiler_efficiency(0.0, 0.0),
        parasitic_ratio(1.0, 0.0),
    ] {
        assert_eq!(told, None);
    }
}

#[test]
fn nothing_is_clamped() {
    assert_eq!(distribution_loss(100.0, 104.0), -4.0);
    assert_eq!(distribution_loss_ratio(100.0, 104.0), Some(-0.04));
    assert_eq!(distribution_loss_ratio(100.0, 88.0), Some(0.12));
    assert_eq!(boiler_efficiency(1.1, 1.0), Some(1.1));
    assert_eq!(solar_fraction(-1.0, 5.0), Some(-0.25));
}

fn source(heat: f64, solar: f64) -> Source {
    Source { heat, solar }
}

#[test]
fn sources_share_the_header_by_their_heat() {
    let sources = [source(600.0, 1.0), source(300.0, 0.0), source(100.0, 0.5)];
    assert_eq!(shares(&sources).unwrap(), [0.6, 0.3, 0.1]);
    close(solar_at_header(&sources).unwrap(), 0.65, 1e-12, "solar");
    assert_eq!(shares(&[source(0.0, 1.0)]), Err(ShareError::Nothing));
    assert_eq!(shares(&[]), Err(ShareError::Nothing));
    assert_eq!(
        shares(&[source(5.0, 0.0), source(-2.0, 1.0)])
            .unwrap_err()
            .to_string(),
        "source number 2 gave -2: what takes heat from the header is a load there"
    );
}

proptest! {
    /// Shares are shares.
    #[test]
    fn shares_add_up_to_one(heats in prop::collection::vec(0.0..1e6_f64, 1..8)) {
        let sources: Vec<_> = heats.iter().map(|heat| source(*heat, 1.0)).collect();
        if let Ok(shares) = shares(&sources) {
            prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            prop_assert!((solar_at_header(&sources).unwrap() - 1.0).abs() < 1e-12);
        }
    }
}
