//! How solar the heat is that leaves the header.

use super::vectors::{close, decimals};
use super::*;
use crate::domain::flow::{FLOW_COUNT, Flow, Flows};

/// An hour of field, boilers, electric boiler, charge and discharge, kWh.
fn header(nth: i64, [field, boilers, electric, charge, discharge]: [f64; 5]) -> Slot {
    let mut stated =
        std::array::from_fn::<_, FLOW_COUNT, _>(|_| Ok(Known::given(MilliwattHours::ZERO)));
    for (flow, kwh) in [
        (Flow::SolarField, field),
        (Flow::Boilers, boilers),
        (Flow::ElectricBoiler, electric),
        (Flow::StorageCharge, charge),
        (Flow::StorageDischarge, discharge),
        (Flow::Supplied, 1_760.0),
        (Flow::HeatLosses, 91.0),
    ] {
        stated[flow.place()] = Ok(Known::given(MilliwattHours(crate::domain::units::to_i64(
            kwh * 1e6,
        ))));
    }
    Slot {
        span: hour(nth),
        interval: Some(Interval {
            span: hour(nth),
            closed: true,
            revision: 1,
            flows: Flows::new(stated),
        }),
        entries: Vec::new(),
        observed: Vec::new(),
    }
}

fn told(earlier: &[Slot], slots: &[Slot]) -> Vec<Indicator> {
    let day = "2026-06-01".parse().unwrap();
    Plant::default().indicators(None, earlier, slots, day)
}

/// allocation.json, `heat`: 120 solar, 20 of the electric boiler, 45 of a storage at 0.92.
#[test]
fn a_storage_brings_what_went_into_it() {
    let text = include_str!("../../../../tests/fixtures/allocation.json");
    let case: serde_json::Value = serde_json::from_str(text).unwrap();
    let expect = |key: &str| case["heat"][key].as_f64().unwrap();
    // The hour before puts 45 into the storage, of which 0.92 are the sun's.
    let earlier = [header(0, [92.0, 0.0, 8.0, 45.0, 0.0])];
    let slots = [header(1, [120.0, 0.0, 20.0, 0.0, 45.0])];
    let all = told(&earlier, &slots);
    let fraction = indicator(&all, "solar_fraction");
    decimals(
        fraction.value.unwrap(),
        expect("expect_solar_share"),
        9,
        "share",
    );
    let made = indicator(&all, "solar_fraction_made").value.unwrap();
    close(made, 120.0 / 140.0, 1e-12, "made");
    let loss = indicator(&all, "distribution_loss_ratio").value.unwrap();
    decimals(loss, expect("expect_loss_share"), 9, "loss");
    assert_eq!(indicator(&all, "distribution_loss").value, Some(91.0));
}

#[test]
fn where_nobody_knows_what_was_stored_the_fraction_is_unknown_and_both_ends_are_told() {
    let slots = [header(0, [120.0, 0.0, 20.0, 0.0, 45.0])];
    let all = told(&[], &slots);
    let fraction = indicator(&all, "solar_fraction");
    assert_eq!((fraction.value, fraction.quality), (None, Quality::Missing));
    let note = fraction.note.as_ref().unwrap();
    assert!(note.starts_with("between 0.649 and 0.892"), "{note}");
    // A day without storage needs no origin, a night gives none.
    let all = told(
        &[],
        &[
            header(0, [89.0, 11.0, 0.0, 0.0, 0.0]),
            header(1, [-2.0, 0.0, 0.0, 0.0, 0.0]),
        ],
    );
    assert_eq!(indicator(&all, "solar_fraction").value, Some(0.89));
}

/// Heat is conserved by origin: what the sun put in comes out, now or later.
#[test]
fn the_sun_is_in_the_heat_that_leaves_and_in_the_storage_and_nowhere_else() {
    let slots = [
        header(0, [300.0, 100.0, 0.0, 200.0, 0.0]),
        header(1, [0.0, 0.0, 0.0, 0.0, 50.0]),
        header(2, [0.0, 100.0, 0.0, 50.0, 0.0]),
        header(3, [0.0, 0.0, 0.0, 0.0, 200.0]),
    ];
    let all = told(&[], &slots);
    // All that was stored has left again: 300 of 500.
    let fraction = indicator(&all, "solar_fraction").value.unwrap();
    close(fraction, 300.0 / 500.0, 1e-12, "conserved");
}

#[test]
fn an_hour_that_is_not_known_makes_the_fraction_unknown() {
    let mut silent = header(1, [100.0, 0.0, 0.0, 0.0, 0.0]);
    silent.interval = None;
    let all = told(&[], &[header(0, [50.0, 50.0, 0.0, 0.0, 0.0]), silent]);
    let fraction = indicator(&all, "solar_fraction");
    assert_eq!((fraction.value, fraction.of_known), (None, Some(0.5)));
    assert_eq!((fraction.intervals, fraction.unknown_intervals), (2, 1));
    assert_eq!(fraction.gaps.as_ref().unwrap().meters(), ["ledger"]);
}

/// What is stored before a period comes from intervals that may be unknown: what rests on
/// the others is an estimate, and says how many there are.
#[test]
fn an_unknown_interval_before_the_period_makes_the_fraction_an_estimate() {
    let mut silent = header(1, [0.0, 0.0, 0.0, 50.0, 0.0]);
    silent.interval = None;
    let earlier = [header(0, [92.0, 0.0, 8.0, 45.0, 0.0]), silent];
    let slots = [header(2, [120.0, 0.0, 20.0, 0.0, 45.0])];
    let all = told(&earlier, &slots);
    let fraction = indicator(&all, "solar_fraction");
    close(
        fraction.value.unwrap(),
        (120.0 + 45.0 * 0.92) / 185.0,
        1e-9,
        "share",
    );
    assert_eq!(fraction.quality, Quality::Estimated);
    let note = fraction.note.as_ref().unwrap();
    assert!(
        note.contains("of 2 intervals before the period 1 are unknown"),
        "{note}"
    );
    // With all of them known it is as good as its meters.
    let all = told(&earlier[..1], &slots);
    let fraction = indicator(&all, "solar_fraction");
    assert_eq!(fraction.quality, Quality::Good);
    assert!(!fraction.note.as_ref().unwrap().contains("unknown"));
    // Where nothing comes out of the storage, nothing rests on what was before.
    let slots = [header(2, [89.0, 11.0, 0.0, 20.0, 0.0])];
    let all = told(&earlier, &slots);
    let fraction = indicator(&all, "solar_fraction");
    close(fraction.value.unwrap(), 0.89, 1e-12, "charged alone");
    assert_eq!(fraction.quality, Quality::Good);
}
