//! A solar field: light, focus, efficiency, and what it promises.

use super::vectors::{close, decimals};
use super::*;
use crate::domain::heat::incidence::{Axis, Modifier};
use crate::domain::heat::power_check::{Concentrating, Safety};

fn field() -> SolarField {
    SolarField {
        heat: "loop".into(),
        aperture_m2: 37_000.0,
        axis: Some(Axis::NORTH_SOUTH),
        modifier: Some(Modifier::EuroTrough),
        dni: Some(input("sky", "dni")),
        least_dni: 100.0,
        mounts: Vec::new(),
        focus_limit_deg: 1.0,
        guarantee: None,
    }
}

/// A sun that stands so that a trough on an axis from north to south meets it at θ.
fn incident(theta_deg: f64) -> Sun {
    Sun {
        elevation_deg: 90.0 - theta_deg,
        azimuth_deg: 180.0,
        declination_deg: 0.0,
    }
}

fn kind(field: &SolarField) -> Kind {
    Kind::SolarField(Box::new(field.clone()))
}

/// solar_thermal.json, `trough_field`.
#[test]
fn a_field_is_as_efficient_as_the_vectors_say() {
    for case in vectors()["trough_field"].as_array().unwrap() {
        let of = |key: &str| case[key].as_f64().unwrap();
        let expect = |key: &str| case["expect"][key].as_f64().unwrap();
        let said = [("sky", "dni", of("DNI_W_m2"))];
        let watts = expect("Q_kW") * 1e3;
        let unit = at(
            kind(&field()),
            incident(of("theta_deg")),
            &said,
            &[("loop", watts)],
        );
        let told = |name: &str| number(&unit, name).value().unwrap();
        decimals(told("incidence_deg"), of("theta_deg"), 9, "theta");
        decimals(told("modifier"), expect("K_EuroTrough"), 9, "K");
        decimals(told("efficiency_dni"), expect("eta_DNI"), 8, "eta");
        decimals(
            told("efficiency_beam"),
            expect("eta_beam_in_plane"),
            8,
            "beam",
        );
        let modified = expect("eta_DNI") / expect("K_EuroTrough");
        close(told("efficiency_modified"), modified, 1e-7, "modified");
        close(
            told("power_per_aperture_w_m2"),
            watts / 37_000.0,
            1e-12,
            "per aperture",
        );
        assert_eq!(
            number(&unit, "efficiency_dni")
                .stated
                .as_ref()
                .unwrap()
                .quality,
            Quality::Derived
        );
    }
}

#[test]
fn without_light_or_without_a_sensor_there_is_no_efficiency_and_it_is_not_zero() {
    let sun = incident(15.0);
    let efficiencies = ["efficiency_dni", "efficiency_beam", "efficiency_modified"];
    let dark = at(
        kind(&field()),
        sun,
        &[("sky", "dni", 99.0)],
        &[("loop", 1e6)],
    );
    let silent = at(kind(&field()), sun, &[], &[("loop", 1e6)]);
    let unmetered = at(kind(&field()), sun, &[("sky", "dni", 800.0)], &[]);
    for name in efficiencies {
        let none = number(&dark, name);
        assert_eq!(none.value(), None, "{name}");
        assert_eq!(
            none.note.as_deref(),
            Some("below 100 W/m2 of direct light"),
            "{name}"
        );
        let gaps = number(&silent, name).stated.clone().unwrap_err();
        assert_eq!(gaps.meters(), ["sky"], "{name}");
        let gaps = number(&unmetered, name).stated.clone().unwrap_err();
        assert_eq!(gaps.meters(), ["loop"], "{name}");
    }
    assert_eq!(number(&silent, "heat_w").value(), Some(1e6));
    // At night a field that cools is shown with its sign, and has no angle.
    let night = at(
        kind(&field()),
        incident(95.0),
        &[("sky", "dni", 0.0)],
        &[("loop", -46e3)],
    );
    assert_eq!(number(&night, "heat_w").value(), Some(-46e3));
    assert_eq!(
        number(&night, "incidence_deg").note.as_deref(),
        Some("the sun is down")
    );
    assert_eq!(number(&night, "efficiency_dni").value(), None);
}

/// Three mounts of different size, on the sun at noon, with an angle, a deviation, a stow.
fn with_mounts() -> SolarField {
    let mount = |nth: usize, aperture_m2: f64| Mount {
        aperture_m2,
        angle: Some(input(&format!("m{nth}"), "tracker_angle")),
        deviation: (nth == 1).then(|| input("m1", "tracker_deviation")),
        stow: (nth == 2).then(|| input("m2", "status")),
    };
    SolarField {
        aperture_m2: 700.0,
        mounts: vec![mount(0, 100.0), mount(1, 200.0), mount(2, 400.0)],
        ..field()
    }
}

#[test]
fn efficiency_rests_on_the_mirrors_in_focus_alone() {
    let sun = incident(15.0);
    let unit = |m0: Option<f64>, deviation: f64, stow: f64| {
        let mut said = vec![
            ("sky", "dni", 800.0),
            ("m1", "tracker_deviation", deviation),
            ("m2", "tracker_angle", 0.4),
            ("m2", "status", stow),
        ];
        said.extend(m0.map(|angle| ("m0", "tracker_angle", angle)));
        at(kind(&with_mounts()), sun, &said, &[("loop", 8e4)])
    };
    #[rustfmt::skip]
    let cases = [
        // angle      deviation stow   aperture      focus deviates stowed unknown
        (Some(0.0),   0.0,      0.0,   Some(700.0),  (3, 0, 0, 0)),
        (Some(-1.0),  0.9,      0.0,   Some(700.0),  (3, 0, 0, 0)),
        (Some(-1.1),  0.9,      0.0,   Some(600.0),  (2, 1, 0, 0)),
        (Some(0.0),   -2.0,     0.0,   Some(500.0),  (2, 1, 0, 0)),
        (Some(0.0),   0.0,      1.0,   Some(300.0),  (2, 0, 1, 0)),
        (None,        0.0,      0.0,   None,         (2, 0, 0, 1)),
        (Some(9.0),   5.0,      1.0,   Some(0.0),    (0, 2, 1, 0)),
    ];
    for (m0, deviation, stow, aperture, counted) in cases {
        let unit = unit(m0, deviation, stow);
        let said = format!("{m0:?} {deviation} {stow}");
        let trackers = unit.trackers.unwrap();
        let (focus, off) = (trackers.in_focus, trackers.deviating);
        assert_eq!(
            (focus, off, trackers.stowed, trackers.unknown),
            counted,
            "{said}"
        );
        assert_eq!(
            number(&unit, "aperture_in_focus_m2").value(),
            aperture,
            "{said}"
        );
        let expected = aperture.filter(|m2| *m2 > 0.0).map(|m2| 8e4 / (800.0 * m2));
        assert_eq!(number(&unit, "efficiency_dni").value(), expected, "{said}");
        if m0.is_none() {
            let gaps = number(&unit, "efficiency_dni").stated.clone().unwrap_err();
            assert_eq!(gaps.meters(), ["m0"], "{said}");
        }
    }
}

#[test]
fn a_mount_whose_stow_is_not_known_may_be_stowed() {
    let said = [
        ("sky", "dni", 800.0),
        ("m0", "tracker_angle", 0.0),
        ("m1", "tracker_deviation", 0.0),
        ("m2", "tracker_angle", 0.0),
    ];
    let unit = at(
        kind(&with_mounts()),
        incident(15.0),
        &said,
        &[("loop", 8e4)],
    );
    assert_eq!(unit.trackers.unwrap().unknown, 1);
    assert_eq!(number(&unit, "aperture_in_focus_m2").value(), None);
    // At night it rests with the others.
    let night = at(
        kind(&with_mounts()),
        incident(95.0),
        &said,
        &[("loop", 8e4)],
    );
    assert_eq!(
        (
            night.trackers.unwrap().resting,
            night.trackers.unwrap().unknown
        ),
        (2, 1)
    );
    assert_eq!(number(&night, "aperture_in_focus_m2").value(), Some(0.0));
}

fn promising() -> (SolarField, Park) {
    let guarantee = Guarantee {
        // solar_thermal.json, `iso24194.eq3`.
        collector: Collector::Concentrating(Concentrating {
            eta0: 0.7,
            a1: 0.1,
            a5: 3_500.0,
            a8: 1.2e-9,
        }),
        area_m2: 1_000.0,
        safety: Safety::default(),
        ambient: input("sky", "temp"),
        wind: input("sky", "wind"),
        clear_from_deg: 10.0,
    };
    let field = SolarField {
        guarantee: Some(guarantee),
        modifier: Some(Modifier::Sam([0.97, 0.0, 0.0])),
        ..field()
    };
    let park = park(vec![meter("loop", "solar_field", &["heat_power"])]);
    (field, park)
}

/// Hours around noon of many days: each with the beam of the vector in the aperture.
fn clear_hours(days: i64, heat_kwh: f64, moved: f64) -> Vec<Slot> {
    let (mut entries, mut observed, mut spans) = (Vec::new(), Vec::new(), Vec::new());
    for day in 0..days {
        let nth = day * 24 + 3;
        for nth in [nth - 1, nth] {
            spans.push(hour(nth));
            let sun = sun(39.19, 113.26, BEGIN + nth * 3_600 + 1_800);
            let met = Axis::NORTH_SOUTH.meet(&sun).unwrap();
            let beam = 820.0 / met.incidence_deg.to_radians().cos();
            // The hour before is too dark, and says where the temperature came from.
            let dark = nth % 24 == 2;
            let dni = if dark { 100.0 } else { beam };
            entries.push(entry("loop", Carrier::Heat, true, nth, heat_kwh));
            entries.push(entry("loop", Carrier::Heat, false, nth, 0.0));
            let end = if dark { 0.0 } else { moved };
            observed.extend([
                seen("sky", "dni", nth, dni, 0.0),
                seen("sky", "temp", nth, 20.0, 20.0),
                seen("sky", "wind", nth, 3.0, 3.0),
                seen("loop", "temp_supply", nth, 393.0, 393.0 + end),
                seen("loop", "temp_return", nth, 293.0, 293.0 + end),
            ]);
        }
    }
    slots(spans.into_iter(), Vec::new(), entries, observed)
}

#[test]
fn a_promise_is_judged_by_the_hours_that_are_valid() {
    let (field, park) = promising();
    let unit = Unit {
        name: "field".into(),
        kind: kind(&field),
    };
    // The vector's guaranteed W/m² on 1000 m², over twenty hours.
    let guaranteed = 460.568_576_849 * 20.0;
    let told = unit.indicators(&park, None, &clear_hours(20, 470.0, 1.0));
    assert_eq!(indicator(&told, "power_check_hours").value, Some(20.0));
    let promised = indicator(&told, "power_check_guaranteed").value.unwrap();
    decimals(promised / 20.0, 460.568_576_849, 9, "promise");
    assert_eq!(
        indicator(&told, "power_check_measured").value,
        Some(9_400.0)
    );
    let check = indicator(&told, "power_check");
    close(check.value.unwrap(), 9_400.0 / guaranteed, 1e-9, "check");
    assert_eq!(check.judged.unwrap().kept, Some(true));
    let told = unit.indicators(&park, None, &clear_hours(20, 460.0, 1.0));
    assert_eq!(
        indicator(&told, "power_check").judged.unwrap().kept,
        Some(false)
    );

    // Nineteen decide nothing, and the report says how many there were and why not more.
    let told = unit.indicators(&park, None, &clear_hours(19, 470.0, 1.0));
    let check = indicator(&told, "power_check");
    assert_eq!((check.value, check.judged.unwrap().kept), (None, None));
    assert!(
        check.note.as_ref().unwrap().starts_with("19 of "),
        "{check:?}"
    );
    let hours = indicator(&told, "power_check_hours");
    assert_eq!(hours.value, Some(19.0));
    let why = hours.note.as_ref().unwrap();
    assert!(
        why.starts_with("19 of 38 hours are valid; too dark"),
        "{why}"
    );
    // A loop that warms by more than 5 K an hour is not steady.
    let told = unit.indicators(&park, None, &clear_hours(20, 470.0, 5.1));
    let hours = indicator(&told, "power_check_hours");
    assert_eq!(hours.value, Some(0.0));
    assert!(
        hours.note.as_ref().unwrap().contains("unsteady 20"),
        "{hours:?}"
    );
}

/// What the three mounts say in every hour; in the first one what `other` says.
fn mounted(slots: &mut [Slot], other: &[(&str, &str, Option<f64>)]) {
    for (place, slot) in slots.iter_mut().enumerate() {
        let middle = slot.span.start.as_second() + 1_800;
        let met = Axis::NORTH_SOUTH.meet(&sun(39.19, 113.26, middle));
        let at = met.unwrap().demanded_deg;
        let nth = (slot.span.start.as_second() - BEGIN) / 3_600;
        for (meter, quantity, value) in [
            ("m0", "tracker_angle", at),
            ("m1", "tracker_deviation", 0.0),
            ("m2", "tracker_angle", at),
            ("m2", "status", 0.0),
        ] {
            let told = other
                .iter()
                .find(|one| place == 1 && (one.0, one.1) == (meter, quantity));
            let value = told.map_or(Some(value), |one| one.2);
            slot.observed
                .extend(value.map(|value| seen(meter, quantity, nth, value, value)));
        }
    }
}

#[test]
fn an_hour_with_mirrors_out_of_focus_breaks_no_promise() {
    let (mut field, park) = promising();
    field.mounts = with_mounts().mounts;
    let unit = Unit {
        name: "field".into(),
        kind: kind(&field),
    };
    let hours = |other: &[(&str, &str, Option<f64>)]| {
        let mut slots = clear_hours(20, 470.0, 1.0);
        mounted(&mut slots, other);
        let told = unit.indicators(&park, None, &slots);
        indicator(&told, "power_check_hours").clone()
    };
    #[rustfmt::skip]
    let cases = [
        // situation             what one says in a valid hour              valid  the note says
        ("all in focus",         ("m2", "status", Some(0.0)),               20.0,  "out of focus 0,"),
        ("one is stowed",        ("m2", "status", Some(1.0)),               19.0,  "out of focus 1,"),
        ("stowed for a while",   ("m2", "status", Some(0.1)),               19.0,  "out of focus 1,"),
        ("one looks elsewhere",  ("m1", "tracker_deviation", Some(-1.5)),   19.0,  "out of focus 1,"),
        ("one says nothing",     ("m0", "tracker_angle", None),             19.0,  "out of focus 0,"),
    ];
    for (situation, other, valid, says) in cases {
        let told = hours(&[other]);
        assert_eq!(told.value, Some(valid), "{situation}");
        let note = told.note.unwrap();
        assert!(note.contains(says), "{situation}: {note}");
    }
}

/// The efficiency of a period is heat over the light on mirrors that were in focus, summed.
#[test]
fn a_stowed_field_is_no_worse_a_field() {
    let park = park(vec![meter("loop", "solar_field", &["heat_power"])]);
    let unit = |field: SolarField| Unit {
        name: "field".into(),
        kind: kind(&field),
    };
    // 800 and 400 W/m² on 700 m²; in the second hour the largest mount is stowed.
    let books = |other: &[(&str, &str, Option<f64>)]| {
        let heat = |nth, kwh| {
            let of = |positive, kwh| entry("loop", Carrier::Heat, positive, nth, kwh);
            [of(true, kwh), of(false, 0.0)]
        };
        let entries = [heat(0, 280.0), heat(1, 60.0)].concat();
        let light = vec![
            seen("sky", "dni", 0, 800.0, 0.0),
            seen("sky", "dni", 1, 400.0, 0.0),
        ];
        let mut slots = period(2, entries, light);
        mounted(&mut slots, other);
        slots
    };
    let told = |field: SolarField, slots: &[Slot]| {
        let told = unit(field).indicators(&park, None, slots);
        indicator(&told, "efficiency_dni").clone()
    };
    let stowed = books(&[("m2", "status", Some(1.0))]);
    let found = told(with_mounts(), &stowed);
    close(
        found.value.unwrap(),
        340.0 / (560.0 + 120.0),
        1e-12,
        "efficiency",
    );
    assert!(found.note.unwrap().contains("in focus"));
    // Nobody says where the mirrors stand: all of the aperture counts, and the note says so.
    let blind = SolarField {
        mounts: Vec::new(),
        ..with_mounts()
    };
    let found = told(blind, &stowed);
    close(
        found.value.unwrap(),
        340.0 / (560.0 + 280.0),
        1e-12,
        "whole",
    );
    assert!(found.note.unwrap().contains("whole aperture"));
    // A silent mount leaves the light unknown.
    let found = told(with_mounts(), &books(&[("m0", "tracker_angle", None)]));
    assert_eq!((found.value, found.unknown_intervals), (None, 1));
    assert_eq!(found.gaps.unwrap().meters(), ["m0"]);
    close(found.of_known.unwrap(), 280.0 / 560.0, 1e-12, "of known");
}

#[test]
fn an_hour_without_its_wind_is_no_valid_hour() {
    let (field, park) = promising();
    let unit = Unit {
        name: "field".into(),
        kind: kind(&field),
    };
    let mut slots = clear_hours(20, 470.0, 1.0);
    slots[1]
        .observed
        .retain(|one| &*one.input.quantity != "wind");
    let told = unit.indicators(&park, None, &slots);
    let hours = indicator(&told, "power_check_hours");
    assert_eq!(hours.value, Some(19.0));
    assert_eq!(indicator(&told, "power_check").value, None);
    assert!(
        hours.gaps.as_ref().unwrap().meters().contains(&"sky"),
        "{hours:?}"
    );
    // It, and the twenty before noon of which nobody knows from where they came.
    assert_eq!((hours.intervals, hours.unknown_intervals), (40, 21));
    let why = hours.note.as_ref().unwrap();
    assert!(why.ends_with("not fully measured 21"), "{why}");
}

#[test]
fn a_promise_is_the_same_in_quarter_hours_and_an_hour_that_lacks_one_is_not_judged() {
    let (field, park) = promising();
    let unit = Unit {
        name: "field".into(),
        kind: kind(&field),
    };
    let hours = clear_hours(20, 470.0, 1.0);
    let mut parts = quarters(&hours);
    let told = unit.indicators(&park, None, &hours);
    assert_eq!(indicator(&told, "power_check_hours").value, Some(20.0));
    agree(&told, &unit.indicators(&park, None, &parts));
    // The second quarter of the first noon.
    parts.remove(5);
    let told = unit.indicators(&park, None, &parts);
    let hours = indicator(&told, "power_check_hours");
    assert_eq!((hours.value, hours.intervals), (Some(19.0), 39));
}

/// solar_thermal.json, `kpi`: 182 400 kWh on 37 000 m².
#[test]
fn the_yield_of_a_field_is_its_heat_over_its_aperture() {
    let expect = vectors()["kpi"]["expect"]["specific_yield_kWh_m2"]
        .as_f64()
        .unwrap();
    let park = park(vec![meter("loop", "solar_field", &["heat_power"])]);
    let unit = Unit {
        name: "field".into(),
        kind: kind(&field()),
    };
    let entries = vec![
        entry("loop", Carrier::Heat, true, 0, 182_500.0),
        entry("loop", Carrier::Heat, false, 0, 0.0),
        // What the loop lost at night is part of it.
        entry("loop", Carrier::Heat, true, 1, 0.0),
        entry("loop", Carrier::Heat, false, 1, 100.0),
    ];
    let observed = vec![
        seen("sky", "dni", 0, 8_000.0, 0.0),
        seen("sky", "dni", 1, 0.0, 0.0),
    ];
    let told = unit.indicators(&park, None, &period(2, entries, observed));
    decimals(
        indicator(&told, "specific_yield").value.unwrap(),
        expect,
        8,
        "yield",
    );
    let efficiency = indicator(&told, "efficiency_dni").value.unwrap();
    close(
        efficiency,
        182_400.0 / (8.0 * 37_000.0),
        1e-12,
        "efficiency",
    );
}
