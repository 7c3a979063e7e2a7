//! `report kpi` on the books of a whole day: a roof of 10 kW from six to six, a grid meter,
//! and a heat pump of 1 kW that makes 3 kW of heat.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use sunledger::app::meta;
use sunledger::config;
use sunledger::domain::balance::settle_all;
use sunledger::domain::boundary::netting;
use sunledger::domain::snapshot::{Reading, Value};
use sunledger::engine::Engine;
use sunledger::engine::record::Recorder;
use sunledger::store::{Batch, Settings, Settle, Store};

use crate::support::daemon::ask;

const DAY_S: i64 = 86_400;
/// From six in the morning to six in the evening.
const LIGHT: std::ops::Range<i64> = 21_600..64_800;

fn text(dir: &Path) -> String {
    let meter = |id: &str, role: &str, points: &[(&str, &str, &str)]| {
        let mut text = format!(
            "[[meter]]\nid = \"{id}\"\nrole = \"{role}\"\nbus = \"main\"\nunit = {}\n\
             period = \"60s\"\nrated = \"100kW\"\n",
            id.len()
        );
        for (place, (quantity, kind, unit)) in points.iter().enumerate() {
            text.push_str(&format!(
                "[[meter.point]]\nquantity = \"{quantity}\"\naddress = {}\ntype = \"{kind}\"\nunit = \"{unit}\"\n",
                2 * place
            ));
        }
        text
    };
    let both = [
        ("energy_import", "u32", "Wh"),
        ("energy_export", "u32", "Wh"),
    ];
    format!(
        "[park]\nid = \"kpi\"\ntime_zone = \"Asia/Shanghai\"\nsettlement_interval = \"15min\"\n\
         latitude = 39.19\nlongitude = 113.26\n[store]\ndir = \"{}\"\n\
         [bus.main.tcp]\nhost = \"127.0.0.1\"\n{}{}{}{}\
         [plant.south.pv]\nmeter = \"roof\"\nrated = \"20kW\"\nirradiance = \"weather\"\n\
         [kpi]\nnever_curtailed = true\n",
        dir.join("store").display(),
        meter("pcc", "grid", &both),
        meter("roof", "pv", &both),
        meter(
            "hp",
            "heat_pump",
            &[("energy_import", "u32", "Wh"), ("heat_energy", "u32", "Wh")]
        ),
        meter("weather", "weather", &[("irradiance", "f32", "W/m2")]),
    )
}

/// Seconds of light up to a second of the day.
fn light(second: i64) -> i64 {
    second.clamp(LIGHT.start, LIGHT.end) - LIGHT.start
}

/// What a meter says in a second of the day.
fn says(meter: &str, second: i64) -> Vec<Value> {
    let (bright, dark) = (light(second), second - light(second));
    let count = Value::Count;
    match meter {
        // 5 kW from the grid in the dark, 4 kW to it in the light.
        "pcc" => vec![count(5_000 * dark / 3_600), count(4_000 * bright / 3_600)],
        // The roof draws 60 W while it does not generate.
        "roof" => vec![count(60 * dark / 3_600), count(10_000 * bright / 3_600)],
        "hp" => vec![count(second * 1_000 / 3_600), count(second * 3_000 / 3_600)],
        _ if LIGHT.contains(&second) => vec![Value::Analog(800.0)],
        _ => vec![Value::Analog(0.0)],
    }
}

/// A day in a store, as a daemon would have left it; one that was started anew at noon, if
/// that is wanted, and whose weather station was silent for some seconds of the day.
fn recorded(dir: &Path, anew: bool, silent: std::ops::Range<i64>) -> PathBuf {
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
    for (key, word) in [
        (meta::PARK, "kpi".to_owned()),
        (meta::TIME_ZONE, "Asia/Shanghai".to_owned()),
        (meta::SETTLEMENT, "15".to_owned()),
        (meta::NETTING, netting(&park).unwrap().to_string()),
    ] {
        store.set_meta(key, &word).unwrap();
    }
    let begin: Timestamp = "2026-06-03T00:00:00+08:00".parse().unwrap();
    let mut engine = Engine::new(Arc::clone(&park), &[]);
    engine.watch(&setup.plant.inputs());
    let mut recorder = Recorder::new(&park);
    let mut batch = Batch::empty(begin);
    for second in (-60..=DAY_S + 120).step_by(60) {
        let at = begin + SignedDuration::from_secs(second);
        for (index, meter) in park.meters.iter().enumerate() {
            if &*meter.id == "weather" && silent.contains(&second) {
                continue;
            }
            let said = says(&meter.id, second.max(0));
            let mut reading = Reading {
                meter: index,
                at,
                values: said.into_iter().map(Ok).enumerate().collect(),
            };
            recorder.stamp(&mut reading);
            engine.hear(&reading);
            recorder.reading(&reading);
        }
        let tick = engine.tick(at);
        batch.at = at;
        batch.entries.extend(tick.entries);
        batch.closed.extend(tick.closed);
        batch.observed.extend(tick.observed);
        if second % 3_600 == 0 || second > DAY_S {
            let rows = recorder.take();
            (batch.lines, batch.points) = (rows.text, rows.points);
            batch.state = engine.state();
            store.commit(&batch, tokio::time::Instant::now()).unwrap();
            batch = Batch::empty(at);
        }
        if anew && second == DAY_S / 2 {
            let state = engine.state_for_resume();
            engine = Engine::new(Arc::clone(&park), &state);
            engine.watch(&setup.plant.inputs());
        }
    }
    store.flush(tokio::time::Instant::now()).unwrap();
    path
}

const PERIOD: [&str; 4] = ["--from", "2026-06-03", "--to", "2026-06-03"];

async fn report(name: &str, more: &[&str]) -> String {
    let ended = ask(&[&["report", name], &PERIOD[..], more].concat()).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended.out
}

async fn document(name: &str, more: &[&str]) -> Json {
    let out = report(name, &[more, &["--json"]].concat()).await;
    serde_json::from_str(&out).unwrap()
}

/// The row of an indicator of a unit.
fn row<'a>(document: &'a Json, unit: Option<&str>, name: &str) -> &'a Json {
    let mut rows = document["indicators"].as_array().unwrap().iter();
    let found = rows.find(|row| row["indicator"] == name && row["unit"] == json!(unit));
    found.unwrap_or_else(|| panic!("{unit:?} {name} in {document}"))
}

#[tokio::test]
async fn a_day_is_told_in_its_indicators() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), true, 0..0);
    let config = ["--config", path.to_str().unwrap()];
    let said = document("kpi", &config).await;
    assert_eq!(
        (&said["park"], &said["configuration"]),
        (&json!("kpi"), &json!(true))
    );
    assert_eq!(
        (&said["netting"], &said["netting_window_s"]),
        (&json!("registers"), &Json::Null)
    );
    #[rustfmt::skip]
    let cases = [
        // unit          indicator                 value
        (None,           "generation",             120.0),
        (None,           "import",                 60.0),
        (None,           "export",                 48.0),
        (None,           "load",                   132.0),
        (None,           "generator_standby",      0.72),
        (None,           "curtailed",              0.0),
        (None,           "self_consumption_ratio", 0.6),
        (None,           "self_sufficiency_ratio", 0.545_455),
        (None,           "r_self",                 0.6),
        (None,           "r_green",                0.545_455),
        (None,           "r_sell",                 0.4),
        (None,           "solar_fraction",         0.0),
        (Some("south"),  "specific_yield",         6.0),
        (Some("south"),  "reference_yield",        9.6),
        (Some("south"),  "performance_ratio",      0.625),
        (Some("hp"),     "electricity",            24.0),
        (Some("hp"),     "heat",                   72.0),
        (Some("hp"),     "cop",                    3.0),
    ];
    for (unit, name, value) in cases {
        let row = row(&said, unit, name);
        assert_eq!(row["value"], value, "{name}: {row}");
        assert_eq!(row["coverage_pct"], 100.0, "{name}");
        assert_eq!(
            (&row["unknown_intervals"], &row["intervals"]),
            (&json!(0), &json!(96)),
            "{name}"
        );
    }
    for (name, kept) in [("r_self", true), ("r_green", true), ("r_sell", false)] {
        assert_eq!(row(&said, None, name)["limit"]["kept"], kept, "{name}");
    }
    // What the park has no meter for is not zero.
    let supplied = row(&said, None, "heat_supplied");
    assert_eq!(
        (&supplied["value"], &supplied["note"]),
        (&Json::Null, &json!("the park does not measure it"))
    );

    let csv = report("kpi", &config).await;
    let line = csv
        .lines()
        .find(|line| line.starts_with("hp,cop,"))
        .unwrap();
    assert_eq!(line, "hp,cop,3.000000,,,,good,100.00,96,0,,,");
    assert!(
        csv.contains(",r_sell,0.400000,,0.200000,false,good,100.00,96,0,,,"),
        "{csv}"
    );

    // Without its configuration, what needs no single meter.
    let data = dir.path().join("store");
    let said = document("kpi", &["--data", data.to_str().unwrap()]).await;
    assert_eq!(
        (&said["configuration"], &said["netting"]),
        (&json!(false), &json!("registers"))
    );
    assert_eq!(row(&said, None, "self_consumption_ratio")["value"], 0.6);
    let all = said["indicators"].as_array().unwrap();
    assert!(all.iter().all(|row| row["unit"].is_null()), "{said}");
    assert_eq!(row(&said, None, "r_self")["value"], Json::Null);

    let exported = document("grid-export", &config).await;
    assert_eq!(
        (&exported["netting"], &exported["netting_window_s"]),
        (&json!("registers"), &Json::Null)
    );
}

#[tokio::test]
async fn a_sensor_that_was_silent_takes_its_indicators_with_it_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), false, 36_000..43_200);
    let said = document("kpi", &["--config", path.to_str().unwrap()]).await;
    assert_eq!(row(&said, Some("south"), "specific_yield")["value"], 6.0);
    for name in ["reference_yield", "performance_ratio"] {
        let row = row(&said, Some("south"), name);
        assert_eq!(
            (&row["value"], &row["quality"]),
            (&Json::Null, &json!("missing")),
            "{name}"
        );
        assert_eq!(
            (&row["unknown_intervals"], &row["missing"]),
            (&json!(8), &json!(["weather"])),
            "{name}"
        );
    }
    let ratio = row(&said, Some("south"), "performance_ratio")["of_known"]
        .as_f64()
        .unwrap();
    assert!((ratio - 0.625).abs() < 2e-3, "{ratio}");
    assert_eq!(row(&said, Some("hp"), "cop")["value"], 3.0);
}

#[tokio::test]
async fn a_plant_that_cannot_be_is_refused_by_check_with_its_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("park.toml");
    let text = text(dir.path()).replace("irradiance = \"weather\"", "irradiance = \"wheather\"");
    std::fs::write(&path, text).unwrap();
    let ended = ask(&["check", "--config", path.to_str().unwrap()]).await;
    assert_eq!(ended.code, Some(78));
    let said = format!("{}{}", ended.out, ended.err);
    for word in [
        "plant.south.pv.irradiance",
        "`wheather` is no meter",
        "did you mean `weather`?",
    ] {
        assert!(said.contains(word), "{word} in {said}");
    }
}
