//! Data plates of a configuration: the cases of the specification through the engine, and
//! mistakes.

use serde_json::Value as Json;

use super::super::Problem;
use super::super::check::parse;
use super::*;
use crate::domain::flow::Flow;
use crate::domain::meter::Park;
use crate::domain::snapshot::{Reading, Value};
use crate::engine::Engine;

const PLATE: &str = "rated_power = \"1600kVA\"\nrated_voltage = \"400V\"\n\
    no_load_loss = \"1.7kW\"\nload_loss = \"14.5kW\"\nno_load_current_pct = 0.5\n\
    short_circuit_pct = 6\nboundary = \"grid_side\"\n";

fn read(role: &str, quantities: &[&str], plate: &str) -> Result<Arc<Park>, Vec<Problem>> {
    let points = quantities.iter().enumerate().map(|(place, quantity)| {
        let address = 2 * place;
        format!("[[meter.point]]\nquantity = \"{quantity}\"\naddress = {address}\ntype = \"f32\"\n")
    });
    let points: String = points.collect();
    parse(&format!(
        "[park]\nid = \"p\"\ntime_zone = \"UTC\"\n[bus.main.tcp]\nhost = \"10.0.0.10\"\n\
         [[meter]]\nid = \"pcc\"\nrole = \"{role}\"\nbus = \"main\"\n\
         [meter.loss_compensation]\n{plate}{points}"
    ))
    .map(|setup| setup.park)
}

/// The table of the specification, from the file to the live view.
#[test]
fn the_cases_come_out_of_a_configured_park() {
    let json: Json =
        serde_json::from_str(include_str!("../../tests/fixtures/interval_cases.json")).unwrap();
    let set = &json["transformer_loss"];
    let number = |json: &Json| json.as_f64().unwrap();
    let plate = format!(
        "rated_power = \"{}kVA\"\nrated_voltage = \"400V\"\nno_load_loss = \"{}kW\"\n\
         load_loss = \"{}kW\"\nno_load_current_pct = {}\nshort_circuit_pct = {}\n\
         boundary = \"grid_side\"\n",
        set["Sn_kVA"], set["P0_kW"], set["Pk_kW"], set["i0_pct"], set["uk_pct"]
    );
    // Between phases as they are, and against the star point √3 less.
    let between = [
        "power",
        "reactive_power",
        "voltage_l12",
        "voltage_l23",
        "voltage_l31",
    ];
    let star = [
        "power",
        "reactive_power",
        "voltage_l1",
        "voltage_l2",
        "voltage_l3",
    ];
    for (points, root) in [(between, 1.0), (star, 3.0_f64.sqrt())] {
        let park = read("grid", &points, &plate).unwrap();
        for case in set["cases"].as_array().unwrap() {
            let volts = 400.0 * number(&case["U_pu"]) / root;
            let values = [
                number(&case["P_LV_kW"]) * 1e3,
                number(&case["Q_LV_kvar"]) * 1e3,
                volts * 0.99,
                volts * 1.01,
                volts,
            ];
            let now = jiff::Timestamp::from_second(1_780_272_000).unwrap();
            let mut engine = Engine::new(Arc::clone(&park), &[]);
            engine.hear(&Reading {
                meter: 0,
                at: now,
                values: values
                    .map(|value| Ok(Value::Analog(value)))
                    .into_iter()
                    .enumerate()
                    .collect(),
            });
            let frame = engine.tick(now).frame;
            let loss = frame.meters[0].loss.unwrap();
            let flow = |flow| frame.powers.of(flow).as_ref().unwrap().value / 1e3;
            for (ours, key) in [
                (loss.active_w / 1e3, "expect_dP_kW"),
                (loss.reactive_var / 1e3, "expect_dQ_kvar"),
                (flow(Flow::Import) - flow(Flow::Export), "P_HV_kW"),
                (flow(Flow::Losses), "expect_dP_kW"),
            ] {
                let off = (ours - number(&case[key])).abs();
                assert!(off <= 0.500_001e-6, "{key} of {case}: {ours}");
            }
        }
    }
}

#[test]
fn the_losses_are_a_meter_of_their_own_behind_those_of_the_file() {
    let park = read("grid", &["power"], PLATE).unwrap();
    let ids: Vec<&str> = park.meters.iter().map(|meter| &*meter.id).collect();
    assert_eq!(ids, ["pcc", "pcc-loss"]);
    assert_eq!(park.meters[1].period, park.meters[0].period);
    let one = park.relations.compensation("pcc").unwrap();
    assert_eq!((one.rated_v, one.boundary), (400.0, Boundary::GridSide));
    assert!(park.relations.is_computed("pcc-loss") && !park.relations.is_computed("pcc"));
    let other = PLATE.replace("grid_side", "park_side");
    let park = read("grid", &["power"], &other).unwrap();
    assert_eq!(park.relations.compensations[0].boundary, Boundary::ParkSide);
}

/// Every mistake with its path, what is there, and what would be right.
#[test]
#[rustfmt::skip]
fn a_plate_that_can_not_be_is_told_with_path_fact_and_remedy() {
    let cases = [
        // instead of                    stands                           | key                   fact                                       remedy
        ("rated_power = \"1600kVA\"\n",  "",                                "rated_power",          "is missing",                              "1600kVA"),
        ("\"1600kVA\"",                  "\"1600kW\"",                      "rated_power",          "`1600kW` is not a rated power",           "such as \"1600kVA\""),
        ("\"400V\"",                     "\"0V\"",                          "rated_voltage",        "`0V` is not a voltage",                   "such as \"400V\""),
        ("\"1.7kW\"",                    "\"-1.7kW\"",                      "no_load_loss",         "`-1.7kW` is not a loss",                  "as on the data plate"),
        ("load_loss = \"14.5kW\"\nno",   "no",                              "load_loss",            "is missing",                              "14.5kW"),
        ("no_load_current_pct = 0.5\n",  "",                                "no_load_current_pct",  "is missing",                              "add `no_load_current_pct = 0.5`"),
        ("short_circuit_pct = 6",        "short_circuit_pct = 60",          "short_circuit_pct",    "60 % is on no data plate",                "at most 50 percent"),
        ("short_circuit_pct = 6",        "short_circuit_pct = 0.06",        "short_circuit_pct",    "14500 W of loss is more than the 960 VA", "in another unit?"),
        ("\"1600kVA\"",                  "\"1600VA\"",                      "no_load_current_pct",  "1700 W of loss is more than the 8 VA",    "in another unit?"),
        ("grid_side",                    "hv",                              "boundary",             "`hv` is no side of a transformer",        "`grid_side`, `park_side`"),
        ("boundary = ",                  "side = \"x\"\nboundary = ",       "side",                 "unknown",                                 ""),
    ];
    for (from, to, key, fact, remedy) in cases {
        let plate = PLATE.replacen(from, to, 1);
        assert_ne!(plate, PLATE, "{from}");
        let problems = read("grid", &["power"], &plate).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        let one = &problems[0];
        assert_eq!(one.path, format!("meter[0].loss_compensation.{key}"));
        assert!(one.fact.contains(fact), "{fact}: {}", one.fact);
        assert!(one.remedy.contains(remedy), "{remedy}: {}", one.remedy);
    }
}

#[test]
fn only_a_meter_at_the_grid_that_says_its_power_can_be_compensated() {
    let fact = |role: &str, quantities: &[&str]| {
        let problems = read(role, quantities, PLATE).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].path, "meter[0].loss_compensation");
        problems[0].fact.clone()
    };
    assert_eq!(
        fact("tenant", &["power"]),
        "role `tenant` is not at the grid connection"
    );
    assert_eq!(
        fact("grid", &["frequency", "energy_import"]),
        "the losses follow from the power of the meter, and no point says it"
    );
}

#[test]
fn the_id_of_the_losses_belongs_to_nobody_else() {
    let points = "[[meter.point]]\nquantity = \"power\"\naddress = 0\ntype = \"f32\"\n";
    let problems = parse(&format!(
        "[park]\nid = \"p\"\ntime_zone = \"UTC\"\n[bus.main.tcp]\nhost = \"10.0.0.10\"\n\
         [[meter]]\nid = \"pcc\"\nrole = \"grid\"\nbus = \"main\"\n\
         [meter.loss_compensation]\n{PLATE}{points}\
         [[meter]]\nid = \"pcc-loss\"\nrole = \"monitor\"\nbus = \"main\"\nunit = 2\n{points}"
    ))
    .unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        problems[0].fact,
        "the losses are the meter `pcc-loss`, and that id is taken"
    );
    // What is computed is no input of another computation.
    let problems = parse(&format!(
        "[park]\nid = \"p\"\ntime_zone = \"UTC\"\n[bus.main.tcp]\nhost = \"10.0.0.10\"\n\
         [[meter]]\nid = \"pcc\"\nrole = \"grid\"\nbus = \"main\"\n\
         [meter.loss_compensation]\n{PLATE}{points}\
         [[derived]]\nid = \"rest\"\nrole = \"tenant\"\nexpression = \"pcc - pcc-loss\"\n"
    ))
    .unwrap_err();
    assert!(
        problems[0].fact.contains("`pcc-loss` is no meter"),
        "{problems:?}"
    );
}
