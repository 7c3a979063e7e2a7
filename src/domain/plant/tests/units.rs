//! Storages, modules, heat pumps and electric boilers.

use super::vectors::{close, decimals};
use super::*;
use crate::domain::heat::fluid::Fluid;
use crate::domain::heat::storage::{Stratified, Tank as Body, TwoTanks};
use crate::domain::photovoltaic;

fn noon() -> Sun {
    sun(39.19, 113.26, BEGIN + 3 * 3_600)
}

/// The tank of solar_thermal.json, `stratified_tank`, with what its sensors say.
pub(super) fn tank() -> (Tank, Vec<(String, f64)>) {
    let case = vectors()["stratified_tank"].clone();
    let list = |key: &str| -> Vec<f64> {
        let list = case[key].as_array().unwrap().iter();
        list.map(|one| one.as_f64().unwrap()).collect()
    };
    let of = |key: &str| case[key].as_f64().unwrap();
    let names: Vec<String> = (0..5).map(|nth| format!("t{nth}")).collect();
    let layers = list("z_sensor_m").into_iter().zip(&names);
    let tank = Tank {
        meter: Some("store".into()),
        body: Stratified {
            tank: Body::cylinder(of("H_m"), of("D_m")).unwrap(),
            fluid: Fluid::WATER,
            pressure_pa: of("p_MPa") * 1e6,
            reference: of("T_ref_C"),
            full: of("T_max_C"),
        },
        layers: layers
            .map(|(height_m, name)| Layer {
                height_m,
                temp: input(name, "temp"),
            })
            .collect(),
    };
    (tank, names.into_iter().zip(list("T_C")).collect())
}

#[test]
fn a_tank_says_what_the_vector_says_and_nothing_with_a_sensor_missing() {
    let (tank, said) = tank();
    let said: Vec<(&str, &str, f64)> = said
        .iter()
        .map(|(name, celsius)| (name.as_str(), "temp", *celsius))
        .collect();
    let unit = at(Kind::Tank(tank.clone()), noon(), &said, &[("store", -5e5)]);
    let expect = &vectors()["stratified_tank"]["expect"];
    let told = |name: &str| number(&unit, name).value().unwrap();
    decimals(
        told("content_wh") / 1e3,
        expect["E_kWh"].as_f64().unwrap(),
        4,
        "E",
    );
    decimals(
        told("full_wh") / 1e3,
        expect["E_max_kWh"].as_f64().unwrap(),
        4,
        "Emax",
    );
    decimals(
        told("state_of_charge"),
        expect["SoC"].as_f64().unwrap(),
        9,
        "SoC",
    );
    assert_eq!(told("discharge_w"), -5e5);

    let unit = at(
        Kind::Tank(tank.clone()),
        noon(),
        &said[..4],
        &[("store", -5e5)],
    );
    for name in ["content_wh", "state_of_charge"] {
        let gaps = number(&unit, name).stated.clone().unwrap_err();
        assert_eq!(gaps.meters(), ["t4"], "{name}");
    }
    // A sensor that reads steam: no content, and a sentence why.
    let mut hot = said;
    hot[4].2 = 400.0;
    let unit = at(Kind::Tank(tank), noon(), &hot, &[]);
    let content = number(&unit, "content_wh");
    assert_eq!(content.stated.as_ref().unwrap_err().list().len(), 5);
    assert!(
        content.note.as_ref().unwrap().contains("400"),
        "{content:?}"
    );
}

#[test]
fn two_tanks_say_what_the_vector_says_and_miss_what_has_gone() {
    let case = vectors()["two_tank_salt"].clone();
    let of = |key: &str| case[key].as_f64().unwrap();
    let expect = |key: &str| case["expect"][key].as_f64().unwrap();
    let tanks = Tanks {
        meter: None,
        body: TwoTanks {
            tank: Body::cylinder(14.0, of("D_m")).unwrap(),
            fluid: Fluid::named("solar-salt", None).unwrap(),
            pressure_pa: 1e5,
            reference: of("T_ref_C"),
            nominal_hot: of("T_nom_hot_C"),
        },
        hot: (input("hot", "level"), input("hot", "temp")),
        cold: (input("cold", "level"), input("cold", "temp")),
        inventory_kg: Some(expect("inventory_kg") / 0.99),
    };
    let said = [
        ("hot", "level", of("level_hot_m")),
        ("hot", "temp", of("T_hot_C")),
        ("cold", "level", of("level_cold_m")),
        ("cold", "temp", of("T_cold_C")),
    ];
    let unit = at(Kind::TwoTanks(Box::new(tanks.clone())), noon(), &said, &[]);
    let told = |name: &str| number(&unit, name).value().unwrap();
    decimals(told("content_wh") / 1e3, expect("E_kWh"), 3, "E");
    decimals(told("state_of_charge"), expect("SoC_energy"), 9, "SoC");
    close(told("inventory_missing"), 0.01, 1e-6, "gone");
    let unit = at(Kind::TwoTanks(Box::new(tanks)), noon(), &said[1..], &[]);
    assert_eq!(
        number(&unit, "content_wh")
            .stated
            .clone()
            .unwrap_err()
            .meters(),
        ["hot"]
    );
}

/// solar_thermal.json, `kpi`: 60 800 kWh in, 41 200 kWh out, 17 000 kWh more inside.
#[test]
fn a_storage_loses_what_neither_came_out_nor_is_inside() {
    let (tank, cold) = tank();
    let park = park(vec![meter("store", "heat_storage", &["heat_power"])]);
    let unit = Unit {
        name: "buffer".into(),
        kind: Kind::Tank(tank.clone()),
    };
    let day = |hours: i64| {
        let mut entries = Vec::new();
        for nth in 1..=hours {
            let part = if nth == 1 { 1.0 } else { 0.0 };
            let of = |positive, kwh: f64| entry("store", Carrier::Heat, positive, nth, kwh * part);
            entries.extend([of(false, 60_800.0), of(true, 41_200.0)]);
        }
        let mut observed = Vec::new();
        for nth in 0..=hours {
            for (name, celsius) in &cold {
                // Warmer by the hour, and the mean is not what counts.
                let celsius = if nth == hours { *celsius } else { 40.0 };
                observed.push(seen(name, "temp", nth, 55.0, celsius));
            }
        }
        let all = period(hours + 1, entries, observed);
        let (before, slots) = all.split_at(1);
        unit.indicators(&park, before.last(), slots)
    };
    let told = day(24);
    assert_eq!(indicator(&told, "content_at_start").value, Some(0.0));
    let end = indicator(&told, "content_at_end").value.unwrap();
    decimals(end, 10_762.200_2, 4, "end");
    assert_eq!(indicator(&told, "charged").value, Some(60_800.0));
    assert_eq!(indicator(&told, "discharged").value, Some(41_200.0));
    let loss = indicator(&told, "loss");
    close(loss.value.unwrap(), 60_800.0 - 41_200.0 - end, 1e-9, "loss");
    assert_eq!(loss.quality, Quality::Derived);
    let short = day(23);
    let loss = indicator(&short, "loss");
    assert_eq!((loss.value, loss.quality), (None, Quality::Missing));
    assert!(
        loss.note.as_ref().unwrap().contains("at least 24"),
        "{loss:?}"
    );
}

#[test]
fn heat_over_work_is_the_ratio_of_the_sums_of_both_meters() {
    let case = vectors()["kpi"].clone();
    let of = |key: &str| case[key].as_f64().unwrap();
    let park = park(vec![
        meter("hp", "heat_pump", &["power", "heat_power"]),
        meter("eb", "electric_boiler", &["power"]),
        meter("eb_heat", "boiler", &["heat_power"]),
    ]);
    let conversion = |electricity: &str, heat: &str| Conversion {
        electricity: electricity.into(),
        heat: heat.into(),
    };
    let mut plant = Plant {
        units: vec![Unit {
            name: "boiler".into(),
            kind: Kind::ElectricBoiler(conversion("eb", "eb_heat")),
        }],
        ..Plant::default()
    };
    // The heat pump says both itself, and needs no word.
    plant.complete(&park);
    let kinds: Vec<&str> = plant.units.iter().map(|unit| unit.kind.name()).collect();
    assert_eq!(kinds, ["electric_boiler", "heat_pump"]);
    let (work, heat) = (Carrier::Electricity, Carrier::Heat);
    // Most of the heat comes in the hour of the least work: a mean of ratios is another number.
    let entries = vec![
        entry("hp", work, true, 0, of("W_hp_kWh") * 0.9),
        entry("hp", work, true, 1, of("W_hp_kWh") * 0.1),
        entry("hp", heat, true, 0, of("Q_hp_kWh") * 0.2),
        entry("hp", heat, true, 1, of("Q_hp_kWh") * 0.8),
        entry("eb", work, true, 0, of("W_eb_kWh")),
        entry("eb", work, true, 1, 0.0),
        entry("eb_heat", heat, true, 0, of("Q_eb_kWh")),
        entry("eb_heat", heat, false, 0, 0.0),
        entry("eb_heat", heat, true, 1, 0.0),
        entry("eb_heat", heat, false, 1, 0.0),
    ];
    let mut entries: Vec<Entry> = entries;
    for nth in 0..2 {
        entries.push(entry("hp", work, false, nth, 0.0));
        entries.push(entry("hp", heat, false, nth, 0.0));
        entries.push(entry("eb", work, false, nth, 0.0));
    }
    let slots = period(2, entries.clone(), Vec::new());
    let told = plant.units[1].indicators(&park, None, &slots);
    close(
        indicator(&told, "cop").value.unwrap(),
        case["expect"]["COP"].as_f64().unwrap(),
        1e-12,
        "COP",
    );
    let told = plant.units[0].indicators(&park, None, &slots);
    let efficiency = indicator(&told, "efficiency");
    close(
        efficiency.value.unwrap(),
        case["expect"]["eta_eb"].as_f64().unwrap(),
        1e-12,
        "eta",
    );
    assert_eq!(efficiency.of.as_deref(), Some("boiler"));

    // An hour without a word of the heat: no ratio, and what the other hour comes to beside.
    entries.retain(|entry| !(entry.span == hour(1) && *entry.meter == *"hp"));
    let slots = period(2, entries, Vec::new());
    let told = plant.units[1].indicators(&park, None, &slots);
    let cop = indicator(&told, "cop");
    assert_eq!(
        (cop.value, cop.unknown_intervals, cop.intervals),
        (None, 1, 2)
    );
    close(cop.of_known.unwrap(), 3.6 * 0.2 / 0.9, 1e-12, "known");
    assert_eq!(cop.gaps.as_ref().unwrap().meters(), ["hp"]);
    assert_eq!((cop.quality, cop.coverage_pct), (Quality::Missing, 50.0));

    // Of the moment, by two meters.
    for (kind, name) in [
        (Kind::HeatPump(conversion("eb", "eb_heat")), "cop"),
        (
            Kind::ElectricBoiler(conversion("eb", "eb_heat")),
            "efficiency",
        ),
    ] {
        let unit = at(kind, noon(), &[], &[("eb", 500.0), ("eb_heat", 1_800.0)]);
        assert_eq!(number(&unit, name).value(), Some(3.6), "{name}");
        assert_eq!(number(&unit, "electricity_w").value(), Some(500.0));
        assert_eq!(number(&unit, "heat_w").value(), Some(1_800.0));
    }
    let unit = at(
        Kind::HeatPump(conversion("hp", "hp")),
        noon(),
        &[],
        &[("hp", 0.0)],
    );
    let cop = number(&unit, "cop");
    assert_eq!(cop.value(), None);
    assert_eq!(cop.note.as_deref(), Some("no work is done"));
}

/// solar_thermal.json, `pv_iec61724`.
#[test]
fn modules_perform_as_the_vector_says() {
    let case = vectors()["pv_iec61724"].clone();
    let list = |key: &str| -> Vec<f64> {
        let list = case[key].as_array().unwrap().iter();
        list.map(|one| one.as_f64().unwrap()).collect()
    };
    let park = park(vec![meter("roof", "pv", &["power"])]);
    let plant = Photovoltaic {
        meter: "roof".into(),
        plate: photovoltaic::Plant {
            rated_kw: case["P0_kW"].as_f64().unwrap(),
            gamma_per_k: case["gamma_per_K"].as_f64().unwrap(),
            corrected_to: photovoltaic::STC_CELSIUS,
        },
        irradiance: Some(Irradiance::Plane(input("sky", "irradiance"))),
        module: Some(input("sky", "temp_module")),
        available: None,
        curtailed: None,
    };
    let unit = Unit {
        name: "roof".into(),
        kind: Kind::Photovoltaic(Box::new(plant)),
    };
    let (light, celsius, energy) = (list("G_POA_W_m2"), list("T_mod_C"), list("E_kWh"));
    let mut entries = Vec::new();
    let mut observed = Vec::new();
    for (place, nth) in (0..8_i64).enumerate() {
        entries.push(entry(
            "roof",
            Carrier::Electricity,
            true,
            nth,
            energy[place],
        ));
        observed.push(seen("sky", "irradiance", nth, light[place], 0.0));
        observed.push(seen("sky", "temp_module", nth, celsius[place], 0.0));
    }
    let expect = |key: &str| case["expect"][key].as_f64().unwrap();
    let told = unit.indicators(&park, None, &period(8, entries.clone(), observed.clone()));
    for (name, key) in [
        ("specific_yield", "Yf_h"),
        ("reference_yield", "Yr_h"),
        ("performance_ratio", "PR"),
        ("performance_ratio_stc", "PR_STC"),
    ] {
        decimals(indicator(&told, name).value.unwrap(), expect(key), 9, name);
    }
    let hours = period(8, entries.clone(), observed.clone());
    agree(&told, &unit.indicators(&park, None, &quarters(&hours)));
    // One hour of light is missing: the yield stays, and the ratios are unknown.
    observed.retain(|one| one.span != hour(3) || &*one.input.quantity != "irradiance");
    let told = unit.indicators(&park, None, &period(8, entries, observed));
    decimals(
        indicator(&told, "specific_yield").value.unwrap(),
        expect("Yf_h"),
        9,
        "Yf",
    );
    for name in [
        "reference_yield",
        "performance_ratio",
        "performance_ratio_stc",
    ] {
        let one = indicator(&told, name);
        assert_eq!((one.value, one.unknown_intervals), (None, 1), "{name}");
        assert_eq!(one.gaps.as_ref().unwrap().meters(), ["sky"], "{name}");
    }
    let ratio = indicator(&told, "performance_ratio").of_known.unwrap();
    close(
        ratio,
        (2_777.0 - 700.0) / (3_220.0 - 820.0),
        1e-12,
        "known hours",
    );
}

#[test]
fn what_modules_are_kept_from_is_what_they_could_less_what_they_do() {
    let (could, kept) = (input("pv", "power_available"), input("pv", "curtailed"));
    let said = [("pv", "power_available", 900.0), ("pv", "curtailed", 250.0)];
    #[rustfmt::skip]
    let cases = [
        ("it says what it could",           Some(&could), None,        700.0, Some(200.0)),
        ("more than it said that it could", Some(&could), None,        950.0, Some(-50.0)),
        ("it says what is kept back",       None,         Some(&kept), 700.0, Some(250.0)),
        ("it says both",                    Some(&could), Some(&kept), 700.0, Some(250.0)),
        ("it says nothing",                 None,         None,        700.0, None),
    ];
    for (situation, available, curtailed, watts, expected) in cases {
        let plant = Photovoltaic {
            meter: "roof".into(),
            plate: photovoltaic::Plant {
                rated_kw: 1.0,
                gamma_per_k: -0.004,
                corrected_to: photovoltaic::STC_CELSIUS,
            },
            irradiance: None,
            module: None,
            available: available.cloned(),
            curtailed: curtailed.cloned(),
        };
        let kind = Kind::Photovoltaic(Box::new(plant));
        let unit = at(kind, noon(), &said, &[("roof", watts)]);
        let mut numbers = unit.numbers.iter();
        let found = numbers.find(|one| one.name == "curtailed_w");
        assert_eq!(found.and_then(Number::value), expected, "{situation}");
    }
}

#[test]
fn light_in_a_plane_is_that_of_its_angles() {
    use photovoltaic_plane::in_plane;
    let overhead = Sun {
        elevation_deg: 90.0,
        azimuth_deg: 0.0,
        declination_deg: 0.0,
    };
    let south = Sun {
        elevation_deg: 60.0,
        azimuth_deg: 180.0,
        declination_deg: 0.0,
    };
    let down = Sun {
        elevation_deg: -1.0,
        ..south
    };
    #[rustfmt::skip]
    let cases = [
        // sun       dni    dhi    tilt  azimuth  W/m2
        (&overhead,  900.0, 100.0, 0.0,  180.0,   1_000.0),
        (&south,     900.0, 0.0,   30.0, 180.0,   900.0 + 900.0 * 0.75_f64.sqrt() * 0.1 * (1.0 - 0.75_f64.sqrt())),
        // Upright and looking away: what the sky and the ground send.
        (&south,     900.0, 100.0, 90.0, 0.0,     50.0 + (100.0 + 900.0 * 0.75_f64.sqrt()) * 0.1),
        (&down,      900.0, 100.0, 0.0,  180.0,   100.0),
    ];
    for (sun, dni, dhi, tilt, azimuth, expected) in cases {
        close(
            in_plane(sun, dni, dhi, tilt, azimuth),
            expected,
            1e-9,
            "plane",
        );
    }
}

use super::super::photovoltaic as photovoltaic_plane;
