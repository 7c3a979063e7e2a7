//! `sunledger explain` on a park with transformers, power without a register, a meter that
//! is computed from others, and computed heat.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use sunledger::config;
use sunledger::domain::balance::settle_all;
use sunledger::domain::snapshot::{Reading, Value};
use sunledger::engine::Engine;
use sunledger::engine::record::Recorder;
use sunledger::store::{Batch, Settings, Settle, Store};

use crate::support::daemon::{Ended, ask};

fn at(second: i64) -> Timestamp {
    let start: Timestamp = "2026-06-03T10:00:00+08:00".parse().unwrap();
    start + SignedDuration::from_secs(second)
}

fn text(dir: &Path) -> String {
    let head = |id: &str, role: &str, unit: i64, more: &str| {
        format!(
            "[[meter]]\nid = \"{id}\"\nrole = \"{role}\"\nbus = \"main\"\nunit = {unit}\n\
             period = \"30s\"\n{more}\n"
        )
    };
    let point = |quantity: &str, address: i64, kind: &str, unit: &str| {
        format!(
            "[[meter.point]]\nquantity = \"{quantity}\"\naddress = {address}\n\
             type = \"{kind}\"\nunit = \"{unit}\"\n"
        )
    };
    let transformer =
        "transformer = { ct = \"400/5\", vt = \"10000/100\", programmed = \"secondary\" }";
    let heat = "heat = { fluid = \"water\", pressure = \"16bar\", flow_sensor = \"return\" }";
    [
        format!(
            "[park]\nid = \"books\"\ntime_zone = \"Asia/Shanghai\"\n\
             [balance]\nevery_load_metered = true\n[store]\ndir = \"{}\"\n\
             [bus.main.tcp]\nhost = \"127.0.0.1\"\n",
            dir.join("store").display()
        ),
        head("pcc", "grid", 1, transformer),
        point("energy_import", 0, "u32", "Wh"),
        point("energy_export", 2, "u32", "Wh"),
        head("feeder", "tenant", 2, ""),
        point("energy_import", 0, "u32", "Wh"),
        head("hall", "tenant", 3, ""),
        point("power", 0, "f32", "W"),
        head("mains", "heat_consumer", 4, heat),
        point("flow", 0, "f32", "m3/h"),
        point("temp_supply", 2, "f32", "degC"),
        point("temp_return", 4, "f32", "degC"),
        "[[derived]]\nid = \"rest\"\nrole = \"turbine\"\nexpression = \"feeder - 0.5 * hall\"\n"
            .to_owned(),
    ]
    .concat()
}

/// What a meter says in a second: a count of 8 kWh each half minute, 3600 Wh an hour, 3600 W, a litre a second.
fn values(meter: &str, second: i64) -> Vec<Value> {
    match meter {
        "pcc" => vec![Value::Count(1_000 + second.div_euclid(30)), Value::Count(7)],
        "feeder" => vec![Value::Count(5_000 + second)],
        "hall" => vec![Value::Analog(3_600.0)],
        "mains" => [3.6, 90.0, 50.0].map(Value::Analog).to_vec(),
        _ => Vec::new(),
    }
}

/// Half an hour of readings, ten seconds beside the boundaries.
fn recorded(dir: &Path) -> PathBuf {
    let path = dir.join("park.toml");
    std::fs::write(&path, text(dir)).unwrap();
    let setup = config::load(&path).unwrap_or_else(|error| panic!("{error}: {error:?}"));
    let park = Arc::clone(&setup.park);
    let settled = Arc::clone(&park);
    let rule: Settle =
        Box::new(move |entries, shape, span| settle_all(&settled, entries, shape, span));
    let settings = Settings {
        dir: setup.store.dir.clone(),
        keep_days: 35,
        max_bytes: 1 << 30,
        free_floor: 0,
        stop_when_full: false,
        sinks: Vec::new(),
    };
    let (mut store, _) = Store::open(settings, rule).unwrap();
    let mut engine = Engine::new(Arc::clone(&park), &[]);
    let mut recorder = Recorder::new(&park);
    for second in (-80..=1_900).step_by(30) {
        for (index, meter) in park.meters.iter().enumerate() {
            let said = values(&meter.id, second);
            if said.is_empty() {
                continue;
            }
            let said = said.into_iter().map(Ok).enumerate();
            let mut reading = Reading {
                meter: index,
                at: at(second),
                values: said.collect(),
            };
            recorder.stamp(&mut reading);
            engine.hear(&reading);
            recorder.reading(&reading);
        }
        let tick = engine.tick(at(second));
        let rows = recorder.take();
        let batch = Batch {
            at: at(second),
            lines: rows.text,
            points: rows.points,
            entries: tick.entries,
            closed: tick.closed,
            observed: tick.observed,
            state: engine.state(),
            journaled: Vec::new(),
        };
        store.commit(&batch, tokio::time::Instant::now()).unwrap();
    }
    store.flush(tokio::time::Instant::now()).unwrap();
    path
}

async fn explain(path: &Path, words: &str) -> Ended {
    let words = format!("explain 2026-06-03T10:07 {words}");
    let mut all: Vec<&str> = words.split_whitespace().collect();
    all.extend(["--config", path.to_str().unwrap()]);
    let ended = ask(&all).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended
}

#[tokio::test]
async fn an_accountant_comes_from_a_number_to_what_devices_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path());
    let residual = explain(&path, "--flow residual").await.out;
    let supplied = explain(&path, "--flow supplied").await.out;
    for (page, line) in [
        (
            &residual,
            "a count is worth 8000 Wh, as the configuration says",
        ),
        (&residual, "multiplied by 8000 = CT 400/5 x VT 10000/100"),
        (
            &residual,
            "start: 999 at 2026-06-03T09:59:40+08:00 | 1000 at 2026-06-03T10:00:10+08:00, 30.000 s \
             apart; there 999.667 = 0.3333 x 999 + 0.6667 x 1000 (good)",
        ),
        (&residual, "= feeder - 0.5 * hall, and the net of each is:"),
        (&residual, "feeder: 900.000 Wh"),
        (&residual, "hall: 900.000 Wh"),
        (&residual, "+ rest: 450.000 Wh derived"),
        (
            &residual,
            "start: 3600 W at 2026-06-03T09:59:40+08:00 | 3600 W at",
        ),
        (
            &residual,
            "30 samples of power, at most 30.000 s apart; up to 90.000 s a straight line joins two",
        ),
        (&supplied, "water at 16 bar, `flow` in the return pipe"),
        (
            &supplied,
            "start: 3.6 m3/h, 90 and 50 degC at 2026-06-03T09:59:40+08:00 | 3.6 m3/h",
        ),
        (
            &supplied,
            "by volume 90.000 degC in the supply and 50.000 degC in the return; k is ",
        ),
        (
            &supplied,
            "with 0.900000 m3; the other way 0.000 Wh with 0.000000 m3",
        ),
        (&supplied, "as said"),
    ] {
        assert!(page.contains(line), "{line}\nin\n{page}");
    }
    assert!(!residual.contains("the ledger differs"), "{residual}");
}

#[tokio::test]
async fn the_same_is_told_to_programs() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path());
    let said = explain(&path, "--flow residual --json").await.json();
    let all = said["flows"][0]["contributions"].as_array().unwrap();
    let of = |meter: &str| all.iter().find(|one| one["meter"] == meter).unwrap();
    let pcc = of("pcc");
    assert_eq!(pcc["multiplier"], 8_000.0);
    assert_eq!(pcc["transformer"]["vt"], "10000/100");
    assert_eq!(pcc["count_wh_by"], "configuration");
    assert_eq!(pcc["start"]["after"]["count"], 1_000);
    let weights = (
        &pcc["start"]["weight_before"],
        &pcc["start"]["weight_after"],
    );
    let sum = weights.0.as_f64().unwrap() + weights.1.as_f64().unwrap();
    assert!((sum - 1.0).abs() < 1e-12 && (weights.1.as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-12);
    let rest = of("rest");
    assert_eq!(rest["inputs"][1]["factor"], -0.5);
    assert_eq!(rest["inputs"][1]["net_wh"], "900.000");
    let hall = &rest["inputs"][1]["contributions"][0];
    assert_eq!(hall["power"]["samples"], 30);
    assert_eq!(
        (&hall["readings_wh"], &hall["differs"]),
        (&"900.000".into(), &Json::Null)
    );
    let said = explain(&path, "--flow supplied --json").await.json();
    let mains = &said["flows"][0]["contributions"][0];
    let supply = mains["heat"]["temp_supply_degc"].as_f64().unwrap();
    assert!((supply - 90.0).abs() < 1e-9, "{supply}");
    assert_eq!(mains["readings_wh"], mains["entry"]["wh"]);
    let k = mains["heat"]["k_kwh_per_m3_k"].as_f64().unwrap();
    let wh = mains["heat"]["counted"]["wh"].as_f64().unwrap();
    assert!((wh - k * 0.9 * 40.0 * 1_000.0).abs() < 1e-3, "{wh} {k}");
}
