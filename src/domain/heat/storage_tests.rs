//! Storages against their vectors, and the laws of layers.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::super::meter::J_PER_KWH;
use super::super::vectors::{close, decimals};
use super::*;

fn vectors(key: &str) -> Json {
    let text = include_str!("../../../tests/fixtures/solar_thermal.json");
    let json: Json = serde_json::from_str(text).unwrap();
    json[key].clone()
}

fn numbers(json: &Json) -> Vec<f64> {
    let list = json.as_array().unwrap();
    list.iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn layers_of_a_tank_agree_with_the_vector() {
    let case = vectors("stratified_tank");
    let number = |key: &str| case[key].as_f64().unwrap();
    let storage = Stratified {
        tank: Tank::cylinder(number("H_m"), number("D_m")).unwrap(),
        fluid: Fluid::WATER,
        pressure_pa: number("p_MPa") * 1e6,
        reference: number("T_ref_C"),
        full: number("T_max_C"),
    };
    let heights = numbers(&case["z_sensor_m"]);
    let sensors: Vec<_> = heights.iter().copied().zip(numbers(&case["T_C"])).collect();
    let expect = &case["expect"];
    let bounds = numbers(&expect["boundaries_m"]);
    for ((bottom, top), pair) in storage
        .tank
        .layers(&heights)
        .unwrap()
        .iter()
        .zip(bounds.windows(2))
    {
        assert_eq!([*bottom, *top], pair);
    }
    let content = storage.content(&sensors).unwrap();
    let layers = expect["layers"].as_array().unwrap();
    assert_eq!(content.layers.len(), layers.len());
    for (layer, expected) in content.layers.iter().zip(layers) {
        let theirs = |key: &str| expected[key].as_f64().unwrap();
        decimals(layer.volume_m3, theirs("V_m3"), 6, "volume");
        decimals(layer.density, theirs("rho"), 6, "density");
        decimals(layer.joules / J_PER_KWH, theirs("E_kWh"), 4, "energy");
    }
    let theirs = |key: &str| expect[key].as_f64().unwrap();
    decimals(content.joules / J_PER_KWH, theirs("E_kWh"), 4, "energy");
    decimals(
        content.full_joules / J_PER_KWH,
        theirs("E_max_kWh"),
        4,
        "full",
    );
    decimals(content.charge().unwrap(), theirs("SoC"), 9, "charge");
}

fn salt() -> (TwoTanks, Inventory, Json) {
    let case = vectors("two_tank_salt");
    let number = |key: &str| case[key].as_f64().unwrap();
    let storage = TwoTanks {
        tank: Tank::cylinder(12.0, number("D_m")).unwrap(),
        fluid: Fluid::named("solar-salt", None).unwrap(),
        pressure_pa: 101_325.0,
        reference: number("T_ref_C"),
        nominal_hot: number("T_nom_hot_C"),
    };
    let inventory = storage
        .content(
            (number("level_hot_m"), number("T_hot_C")),
            (number("level_cold_m"), number("T_cold_C")),
        )
        .unwrap();
    (storage, inventory, case)
}

#[test]
fn two_tanks_of_salt_agree_with_the_vector() {
    let (_, inventory, case) = salt();
    let theirs = |key: &str| case["expect"][key].as_f64().unwrap();
    decimals(inventory.hot_kg, theirs("m_hot_kg"), 3, "hot");
    decimals(inventory.cold_kg, theirs("m_cold_kg"), 3, "cold");
    decimals(inventory.kilograms(), theirs("inventory_kg"), 3, "both");
    decimals(inventory.joules / J_PER_KWH, theirs("E_kWh"), 3, "energy");
    decimals(
        inventory.charge().unwrap(),
        theirs("SoC_energy"),
        9,
        "charge",
    );
}

#[test]
fn salt_that_goes_is_noticed_and_salt_that_moves_is_not() {
    let (storage, inventory, _) = salt();
    let reference = inventory.kilograms();
    assert_eq!(inventory.leaks(reference), Some(false));
    assert_eq!(inventory.leaks(reference * 1.006), Some(true));
    assert_eq!(inventory.leaks(reference * 0.994), Some(true));
    assert!(inventory.missing(reference * 1.006).unwrap() > 0.0);
    assert_eq!(inventory.leaks(0.0), None);
    // A metre of cold salt fills more than a metre of the hot tank.
    let density = |celsius| storage.fluid.density(celsius, 101_325.0).unwrap();
    let rise = density(292.0) / density(563.0);
    let moved = storage.content((6.2 + rise, 563.0), (3.9, 292.0)).unwrap();
    close(moved.missing(reference).unwrap(), 0.0, 1e-12, "moved");
}

#[test]
fn a_content_outside_of_its_reference_is_told_as_it_is() {
    let storage = Stratified {
        tank: Tank::cylinder(10.0, 2.0).unwrap(),
        fluid: Fluid::WATER,
        pressure_pa: 6e5,
        reference: 40.0,
        full: 90.0,
    };
    let charge = |celsius| storage.content(&[(5.0, celsius)]).unwrap().charge();
    assert!(charge(30.0).unwrap() < 0.0);
    assert!(charge(100.0).unwrap() > 1.0);
    assert_eq!(charge(40.0), Some(0.0));
    let empty_scale = Stratified {
        full: 40.0,
        ..storage
    };
    assert_eq!(empty_scale.content(&[(5.0, 50.0)]).unwrap().charge(), None);
}

#[test]
fn a_storage_that_can_not_be_says_why() {
    let tank = Tank::cylinder(10.0, 2.0).unwrap();
    for (heights, said) in [
        (
            vec![],
            "a tank without temperature sensors has no known content; at least one",
        ),
        (
            vec![1.0, 11.0],
            "a sensor at 11 m is out of place; heights rise from the bottom, inside of the tank",
        ),
        (
            vec![3.0, 2.0],
            "a sensor at 2 m is out of place; heights rise from the bottom, inside of the tank",
        ),
    ] {
        assert_eq!(tank.layers(&heights).unwrap_err().to_string(), said);
    }
    assert_eq!(
        Tank::cylinder(0.0, 2.0).unwrap_err().to_string(),
        "0 is no size of a tank; it is positive"
    );
    let (storage, _, _) = salt();
    assert_eq!(
        storage
            .content((-0.1, 563.0), (4.9, 292.0))
            .unwrap_err()
            .to_string(),
        "a level of -0.1 m is none; is the sensor scaled right?"
    );
    assert!(storage.content((13.0, 563.0), (4.9, 292.0)).is_err());
    let frozen = storage.content((6.2, 563.0), (4.9, 230.0)).unwrap_err();
    assert!(frozen.to_string().contains("frozen"), "{frozen}");
}

#[test]
fn a_loss_takes_a_day_to_be_seen() {
    let case = vectors("kpi");
    let number = |key: &str| case[key].as_f64().unwrap();
    let [charged, discharged, gained] = ["Q_sto_in", "Q_sto_out", "dE_sto"].map(number);
    assert_eq!(
        loss(charged, discharged, gained, 24.0),
        Ok(case["expect"]["storage_loss_kWh"].as_f64().unwrap())
    );
    assert_eq!(
        loss(charged, discharged, gained, 6.0)
            .unwrap_err()
            .to_string(),
        "6 h is too short to tell a storage's loss from the error of its content; at least 24"
    );
    assert!(loss(1.0, 1.0, 0.0, f64::NAN).is_err());
    assert_eq!(
        loss(1.0, 1.0, 0.5, 48.0),
        Ok(-0.5),
        "a storage that warms itself is told"
    );
}

proptest! {
    /// Wherever the sensors sit, the layers fill the tank without gap or overlap.
    #[test]
    fn layers_fill_the_tank(
        height in 0.5..30.0_f64,
        diameter in 0.2..20.0_f64,
        parts in prop::collection::btree_set(1..1_000_u32, 1..12),
    ) {
        let tank = Tank::cylinder(height, diameter).unwrap();
        let sensors: Vec<_> = parts
            .iter()
            .map(|part| (height * f64::from(*part) / 1_000.0, 60.0))
            .collect();
        let storage = Stratified {
            tank,
            fluid: Fluid::WATER,
            pressure_pa: 6e5,
            reference: 40.0,
            full: 60.0,
        };
        let content = storage.content(&sensors).unwrap();
        let volume: f64 = content.layers.iter().map(|layer| layer.volume_m3).sum();
        prop_assert!((volume / tank.volume_m3() - 1.0).abs() < 1e-12);
        prop_assert!(content.layers.iter().all(|layer| layer.volume_m3 > 0.0));
        // A tank of one temperature has the charge of that temperature.
        prop_assert!((content.charge().unwrap() - 1.0).abs() < 1e-12);
    }
}
