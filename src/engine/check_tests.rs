//! A heat register beside the heat that is computed.

use super::super::Engine;
use super::super::heat_support::{at, heard, meter, water, way};
use super::*;
use crate::domain::meter::{HeatFromFlow, Meter, Pipe};
use crate::domain::quality::Reason;
use crate::domain::units::CountUnit;

const POINTS: &[&str] = &["flow", "temp_supply", "temp_return", "heat_energy"];

/// Two hours of 10 m³/h at 120/60 °C, the flow sensor in the return: the register
/// counts what is true.
fn said(meter: &Meter) -> Vec<(i64, Vec<f64>)> {
    let watts = water().place.power_w(10.0, 120.0, 60.0).unwrap();
    let unit = meter.points[3].register.unwrap().unit.as_watt_hours();
    let register = |second: i64| (5e6 + watts * second as f64 / 3_600.0 / unit).floor();
    let seconds = (0..=7_200).step_by(2);
    let said = seconds.map(|second| (second, vec![10.0, 120.0, 60.0, register(second)]));
    said.collect()
}

fn consumer(heat: HeatFromFlow) -> Meter {
    meter("heat_consumer", POINTS, 2, heat)
}

fn check(engine: &Engine) -> Option<HeatCheck> {
    engine.books[0].compared()
}

#[test]
fn the_register_settles_and_the_computed_heat_agrees_with_it() {
    let meter = consumer(water());
    let (entries, mut engine) = heard(meter.clone(), &said(&meter));
    let entries = way(&entries, true);
    assert_eq!(entries.len(), 8);
    assert!(
        entries
            .iter()
            .all(|entry| entry.opening.is_some() || entry.energy.is_err())
    );
    let found = check(&engine).unwrap();
    assert!(
        found.agrees && found.relative.unwrap().abs() < 1e-4,
        "{found:?}"
    );
    assert_eq!(found.span.ms(), 900_000, "each interval on its own");
    assert_eq!(found.span.end, at(7_200));
    let now = engine.look(at(7_200)).meters.remove(0);
    assert_eq!(now.notes, Vec::<String>::new());
    assert_eq!(now.heat.unwrap().check, Some(found));
}

#[test]
fn a_sensor_in_the_wrong_pipe_shows_beside_the_register() {
    let mut heat = water();
    heat.place.sensor = Pipe::Supply;
    let meter = consumer(heat);
    let (entries, mut engine) = heard(meter.clone(), &said(&meter));
    let found = check(&engine).unwrap();
    // k of the supply 1.1023678, of the return 1.1491552 kWh/(m³K).
    let expected = 1.102_367_8 / 1.149_155_2 - 1.0;
    assert!(
        (found.relative.unwrap() - expected).abs() < 1e-5,
        "{found:?}"
    );
    assert!(!found.agrees);
    let now = engine.look(at(7_200)).meters.remove(0);
    assert!(
        now.notes[0].contains("(-4.1 %); the register settles"),
        "{:?}",
        now.notes
    );
    // What is booked is the register's all the same.
    let booked = way(&entries, true).last().unwrap().energy.unwrap();
    assert_eq!(booked, found.register);
}

#[test]
fn a_register_of_coarse_counts_is_compared_over_as_long_as_it_takes() {
    let mut meter = consumer(water());
    if let Some(register) = &mut meter.points[3].register {
        register.unit = CountUnit::new(2_000_000, 1).unwrap();
    }
    let (_, engine) = heard(meter.clone(), &said(&meter));
    // 2 kWh a count: 667 kWh, and a quarter of an hour has 172 of them.
    let found = check(&engine).unwrap();
    assert_eq!(found.span.ms(), 3_600_000, "{found:?}");
    assert!(
        found.agrees && found.relative.unwrap().abs() < 0.003,
        "{found:?}"
    );
}

#[test]
fn a_register_that_stands_still_beside_heat_does_not_agree() {
    let meter = consumer(water());
    let mut still = said(&meter);
    for (_, values) in &mut still {
        values[3] = 5e6;
    }
    let (_, engine) = heard(meter, &still);
    let found = check(&engine).unwrap();
    assert_eq!((found.relative, found.agrees), (None, false));
    assert_eq!(found.register, MilliwattHours::ZERO);
}

#[test]
fn an_interval_that_one_side_does_not_know_whole_is_not_compared() {
    // A hole of 100 s leaves the computed heat unknown, one of 20 s is scaled up.
    for (hole, known) in [(800..900, false), (800..820, true)] {
        let mut meter = consumer(water());
        let mut holes = said(&meter);
        holes.retain(|(second, _)| !hole.contains(&(second % 900)));
        let (entries, engine) = heard(meter.clone(), &holes);
        assert!(way(&entries, true).iter().all(|entry| entry.energy.is_ok()));
        assert_eq!(check(&engine), None, "{hole:?}");
        meter.points.pop();
        let (entries, _) = heard(meter, &holes);
        let mut computed = way(&entries, true).into_iter();
        assert!(computed.all(|entry| entry.energy.is_ok() == known));
    }
}

#[test]
fn a_restart_in_the_middle_of_an_interval_changes_no_comparison() {
    let mut heat = water();
    heat.place.sensor = Pipe::Supply;
    let meter = consumer(heat);
    // 2000 s lie in the third interval, which is the last.
    let mut said = said(&meter);
    said.retain(|(second, _)| *second <= 2_700);
    let (_, plain) = heard(meter.clone(), &said);
    let (first, second) = said.split_at(1_000);
    let (_, engine) = heard(meter, first);
    let park = engine.park().clone();
    let mut engine = Engine::new(park.clone(), &engine.state_for_resume());
    for (second, values) in second {
        engine.hear(&super::super::heat_support::says(&park, *second, values));
        let _ = engine.tick(at(*second));
    }
    assert_eq!(check(&engine), check(&plain));
    assert_eq!(check(&engine).unwrap().span.end, at(2_700));
}

#[test]
fn an_unknown_register_says_nothing() {
    let meter = consumer(water());
    let mut silent = said(&meter);
    for (_, values) in &mut silent {
        values[3] = f64::NAN;
    }
    let (entries, engine) = heard(meter, &silent);
    assert_eq!(check(&engine), None);
    assert!(
        entries
            .iter()
            .all(|entry| entry.energy.is_err_and(|why| why != Reason::OutOfRange))
    );
}
