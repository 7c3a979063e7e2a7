//! Heat power at a moment: fluids, what is out of range, and what is said beside it.

use super::super::heat_support::{at, heard, meter, park, says, settings, water};
use super::super::{Engine, MeterNow};
use super::*;
use crate::domain::flow::Flow;
use crate::domain::meter::Pipe;

const FLOW: &[&str] = &["flow", "temp_supply", "temp_return"];
const MASS: &[&str] = &["mass_flow", "temp_supply", "temp_return"];

/// What is shown of a meter that says these values.
fn shown(meter: Meter, values: &[f64]) -> MeterNow {
    let (_, mut engine) = heard(meter, &[(0, values.to_vec())]);
    engine.look(at(0)).meters.remove(0)
}

#[test]
fn a_consumer_of_water_takes_what_the_coefficient_of_heat_meters_says() {
    let park = park(meter("heat_consumer", FLOW, 10, water()));
    let mut engine = Engine::new(park.clone(), &[]);
    engine.hear(&says(&park, 0, &[10.0, 70.0, 50.0]));
    let supplied = engine.tick(at(0)).frame.powers.of(Flow::Supplied).clone();
    let known = supplied.unwrap();
    // 10 m³/h over 20 K at the k of the heat meter standard, kWh/(m³K): return, 16 bar.
    let expected = 10.0 * 20.0 * 1.147_927_7 * 1_000.0;
    assert!((known.value - expected).abs() < 0.1, "{}", known.value);
    assert_eq!(known.quality, Quality::Derived);

    engine.hear(&says(&park, 1, &[10.0, 250.0, 50.0]));
    let frame = engine.tick(at(1)).frame;
    let gaps = frame.powers.of(Flow::Supplied).clone().unwrap_err();
    assert_eq!(gaps.list()[0].reason, Reason::OutOfRange);

    engine.hear(&says(&park, 2, &[f64::NAN, 70.0, 50.0]));
    let frame = engine.tick(at(2)).frame;
    let gaps = frame.powers.of(Flow::Supplied).clone().unwrap_err();
    assert_eq!(gaps.list()[0].reason, Reason::NotAvailable);
}

/// kWh/(m³·K) of domain tables: `glycol_k.csv`, and density times Δh of the vendor.
#[test]
fn every_kind_of_fluid_has_its_own_heat() {
    #[rustfmt::skip]
    let cases = [
        // fluid             %           sensor         supply back   W of 10 m³/h        within
        ("water",          None,       Pipe::Return, 60.0,  40.0, 10.0 * 20.0 * 1_151.864_0, 1e-6),
        ("water",          None,       Pipe::Supply, 60.0,  40.0, 10.0 * 20.0 * 1_141.404_2, 1e-6),
        ("mpg",            Some(40.0), Pipe::Return, 60.0,  40.0, 10.0 * 20.0 * 1_077.421_1, 1e-6),
        ("meg",            Some(30.0), Pipe::Supply, 80.0,  60.0, 10.0 * 20.0 * 1_074.999_9, 1e-6),
        // 825.7962 kg/m³ at 292 °C, Δh 392 → 292 °C of 243.4983 kJ/kg.
        ("therminol-vp-1", None,       Pipe::Return, 392.0, 292.0, 10.0 / 3_600.0 * 825.796_2 * 243_498.3, 1e-5),
        // 1905.560 kg/m³ at 290 °C, Δh 565 → 290 °C of 417.045750 kJ/kg.
        ("solar-salt",     None,       Pipe::Return, 565.0, 290.0, 10.0 / 3_600.0 * 1_905.56 * 417_045.75, 1e-9),
    ];
    for (fluid, pct, sensor, supply, back, expected, within) in cases {
        let mut heat = settings(fluid, pct);
        heat.place.sensor = sensor;
        let now = shown(meter("heat_feed", FLOW, 10, heat), &[10.0, supply, back]);
        let watts = now.power_w.unwrap();
        assert!(
            (watts / expected - 1.0).abs() < within,
            "{fluid}: {watts} {expected}"
        );
        assert_eq!(
            (now.quality, now.trouble),
            (Quality::Derived, None),
            "{fluid}"
        );
    }
}

#[test]
fn a_mass_flow_needs_no_pipe() {
    for sensor in [Pipe::Return, Pipe::Supply] {
        let mut heat = water();
        heat.place.sensor = sensor;
        let now = shown(
            meter("boiler", MASS, 10, heat),
            &[50_000.0 / 3_600.0, 90.0, 50.0],
        );
        // 50 t over 90/50 °C are 2325.654542 kWh (heat_integration.json).
        let watts = now.power_w.unwrap();
        assert!((watts - 2_325_654.542).abs() < 0.001, "{watts}");
    }
}

#[test]
fn what_is_no_known_liquid_is_a_gap_with_a_sentence() {
    #[rustfmt::skip]
    let cases = [
        // fluid            %           bar   supply back   names fluid, value and range
        ("water",          None,       16.0, 250.0, 50.0, ["water at 250 °C boils below 397", "1600000 Pa is declared"]),
        ("water",          None,       1.0,  105.0, 50.0, ["water at 105 °C boils", "100000 Pa is declared"]),
        ("water",          None,       16.0, 60.0,  -2.0, ["water at -2 °C is frozen", "at 0.0 °C"]),
        ("mpg",            Some(40.0), 3.0,  10.0, -25.0, ["propylene glycol 40 % at -25 °C is frozen", "at -20.6 °C"]),
        ("meg",            Some(30.0), 16.0, 120.0, 60.0, ["ethylene glycol 30 % at 120 °C is outside", "-14.6 °C to 100.0 °C"]),
        ("therminol-vp-1", None,       16.0, 410.0, 300.0, ["Therminol VP-1 at 410 °C is outside", "12.0 °C to 400.0 °C"]),
        ("therminol-vp-1", None,       1.0,  390.0, 200.0, ["Therminol VP-1 at 390 °C boils below", "100000 Pa is declared"]),
        ("solar-salt",     None,       1.0,  390.0, 200.0, ["solar salt at 200 °C is frozen", "at 240.0 °C"]),
    ];
    for (fluid, pct, bar, supply, back, parts) in cases {
        let mut heat = settings(fluid, pct);
        heat.place.pressure_pa = bar * 1e5;
        let now = shown(meter("heat_feed", FLOW, 10, heat), &[10.0, supply, back]);
        let sentence = now.trouble.unwrap();
        assert!(
            parts.iter().all(|part| sentence.contains(part)),
            "{sentence}"
        );
        assert_eq!(now.power_w, None, "{sentence}");
        assert_eq!(now.reason, Some(Reason::OutOfRange));
        assert_eq!(now.quality, Quality::Missing);
    }
}

#[test]
fn what_makes_a_number_doubtful_stands_beside_it() {
    let glycol = || settings("mpg", Some(40.0));
    #[rustfmt::skip]
    let cases = [
        // role           heat      flow  supply back   quality            note
        ("heat_consumer", water(),  10.0, 70.0,  50.0,  Quality::Derived, None),
        ("heat_consumer", glycol(), 10.0, 39.0,  20.0,  Quality::Derived, None),
        ("heat_consumer", glycol(), 10.0, 70.0,  50.0,  Quality::Derived, Some("data of propylene glycol 40 % end at 40 °C, and at 70 °C")),
        ("heat_consumer", water(),  10.0, 52.0,  50.0,  Quality::Suspect, Some("a spread of 2.00 K is below the least of 3 K")),
        ("heat_consumer", water(),  10.0, 50.0,  70.0,  Quality::Suspect, Some("heat goes backwards: -20.00 K from supply to return at 10.00 m3/h")),
        ("heat_feed",     water(), -10.0, 70.0,  50.0,  Quality::Suspect, Some("heat goes backwards: 20.00 K from supply to return at -10.00 m3/h")),
        ("heat_consumer", water(),  0.0,  52.0,  50.0,  Quality::Derived, None),
        ("solar_field",   water(),  10.0, 50.0,  70.0,  Quality::Derived, None),
        ("heat_storage",  water(), -10.0, 70.0,  50.0,  Quality::Derived, None),
        ("solar_field",   water(),  10.0, 49.0,  50.0,  Quality::Suspect, Some("a spread of -1.00 K")),
    ];
    for (role, heat, flow, supply, back, quality, note) in cases {
        let now = shown(meter(role, FLOW, 10, heat), &[flow, supply, back]);
        let watts = now.power_w.unwrap();
        // Signed, and nothing of it is cut off.
        let sign = flow * (supply - back);
        assert!(
            watts * sign > 0.0 || (watts == 0.0 && sign == 0.0),
            "{watts}"
        );
        assert_eq!(now.quality, quality, "{role} {flow} {supply}/{back}");
        let said = now.notes.first().map(String::as_str);
        match note {
            None => assert_eq!(said, None),
            Some(note) => assert!(said.unwrap().starts_with(note), "{said:?}"),
        }
        assert_eq!(now.notes.len(), usize::from(note.is_some()));
    }
}

#[test]
fn what_stands_carries_no_heat_at_whatever_temperature() {
    let heat = settings("solar-salt", None);
    let now = shown(meter("heat_storage", FLOW, 10, heat), &[0.0, 20.0, 20.0]);
    assert_eq!((now.power_w, now.trouble), (Some(0.0), None));
}

#[test]
fn a_meter_without_a_momentary_flow_is_judged_by_what_it_says() {
    let points = ["volume", "temp_supply", "temp_return", "heat_energy"];
    let now = shown(
        meter("heat_consumer", &points, 10, water()),
        &[5.0, 70.0, 50.0, 900.0],
    );
    assert_eq!((now.power_w, now.reason), (None, None));
    assert_eq!(now.quality, Quality::Good);
    assert!(now.heat.is_some());
}
