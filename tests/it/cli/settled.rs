//! `report allocation` and `report carbon`: the numbers of the ledger, shared and
//! accounted, by the command while a daemon runs, by the API, and against the reports
//! that know no contract.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::report::{mwh, yesterday};
use crate::support::daemon::{Daemon, ask};
use crate::support::http::get;

/// A CSV without quotes in its rows: cells by their heads.
fn rows(csv: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| head.iter().copied().zip(line.split(',')).collect())
        .collect()
}

/// A demo with its data, at its first tick.
async fn demo(dir: &tempfile::TempDir) -> (Daemon, String) {
    let demo = Daemon::demo(&["--data", dir.path().to_str().unwrap()]).await;
    demo.until("the first tick", |live| live["seq"].as_i64() > Some(0))
        .await;
    let config = dir.path().join("demo.toml").to_str().unwrap().to_owned();
    (demo, config)
}

async fn report(name: &str, config: &str, date: &str, more: &[&str]) -> String {
    let words = [
        "report", name, "--config", config, "--from", date, "--to", date,
    ];
    let said = ask(&[&words[..], more].concat()).await;
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(0), ""),
        "{name}: {said:?}"
    );
    said.out
}

const TENANTS: [&str; 5] = ["foundry", "ceramics", "brewery", "cold-store", "offices"];

#[tokio::test]
async fn a_day_is_shared_to_the_last_digit_and_told_alike_everywhere() {
    let date = yesterday().await;
    let dir = tempfile::tempdir().unwrap();
    let (demo, config) = demo(&dir).await;
    let text = report("allocation", &config, &date, &[]).await;
    let grid = report("grid-export", &config, &date, &[]).await;
    let document: Json =
        serde_json::from_str(&report("allocation", &config, &date, &["--json"]).await).unwrap();
    let path = format!("/api/v1/allocation?from={date}&to={date}");
    let api = get(demo.address, &path).await.json();
    assert_eq!(api, document, "the API and the command are one");
    let (shared, grid) = (rows(&text), rows(&grid));
    assert_eq!((shared.len(), grid.len()), (97, 97));
    let objects = document["rows"].as_array().unwrap();
    let mut lines: Vec<&str> = TENANTS.to_vec();
    lines.extend(["own use", "operator loss"]);
    let mut known = 0;
    for (place, (row, crossed)) in shared.iter().zip(&grid).enumerate() {
        let start = row["start"];
        assert_eq!(start, crossed["start"]);
        let of = |name: &str| mwh(row[name], 6);
        let sum = |what: &str| {
            lines
                .iter()
                .map(|line| of(&format!("{line}:{what}")))
                .sum::<i128>()
        };
        assert_eq!(row["reason"], "", "{start}");
        known += 1;
        // Tenants, own use, loss and export are what is shared; that and what was stored
        // are generation and discharge.
        assert_eq!(
            sum("local_kwh") + of("export_kwh"),
            of("shared_kwh"),
            "{start}"
        );
        let made = of("generation_kwh") + of("battery_discharge_kwh");
        assert_eq!(made, of("shared_kwh") + of("to_battery_kwh"), "{start}");
        assert_eq!(row["generation_kwh"], crossed["generation_kwh"], "{start}");
        assert_eq!(row["metered_export_kwh"], crossed["export_kwh"], "{start}");
        // From the grid comes what was imported, less what the battery took of it, plus
        // what came and went within the interval.
        for line in &lines {
            let part = |what: &str| of(&format!("{line}:{what}"));
            let had = part("local_kwh") + part("battery_kwh") + part("grid_kwh");
            assert_eq!(
                had,
                part("consumption_kwh") + part("loss_kwh"),
                "{start} {line}"
            );
        }
        let heat = |what: &str| of(&format!("heat_{what}"));
        assert_eq!(
            heat("network_kwh"),
            heat("shared_kwh") + heat("other_heat_kwh"),
            "{start}"
        );
        assert!(
            of("renewable_export_kwh") <= of("metered_export_kwh") + 1,
            "{start}"
        );
        if let Some(object) = objects.get(place) {
            assert_eq!(object["revision"].to_string(), row["revision"], "{start}");
            for line in lines.iter().take(5) {
                let said = &object["electricity"]["lines"][line]["local_kwh"];
                assert_eq!(*said, row[&*format!("{line}:local_kwh")], "{start} {line}");
            }
        }
    }
    assert_eq!(known, 97);
    let total = shared.last().unwrap();
    for name in [
        "foundry:local_kwh",
        "own use:grid_kwh",
        "export_kwh",
        "heat_heat-brewery:solar_kwh",
    ] {
        let sum: i128 = shared[..96].iter().map(|row| mwh(row[name], 6)).sum();
        assert_eq!(mwh(total[name], 6), sum, "{name}");
    }
    assert!(mwh(total["foundry:local_kwh"], 6) > 0);
    assert!(mwh(total["heat_heat-brewery:solar_kwh"], 6) > 0);
    assert_eq!(
        (total["coverage_pct"], total["green_quality"]),
        ("100.00", "derived")
    );
}

#[tokio::test]
async fn a_day_has_its_carbon_account_with_factor_and_boundary() {
    let date = yesterday().await;
    let dir = tempfile::tempdir().unwrap();
    let (demo, config) = demo(&dir).await;
    let text = report("carbon", &config, &date, &[]).await;
    let grid = report("grid-export", &config, &date, &[]).await;
    let document: Json =
        serde_json::from_str(&report("carbon", &config, &date, &["--json"]).await).unwrap();
    let path = format!("/api/v1/carbon?from={date}&to={date}");
    assert_eq!(get(demo.address, &path).await.json(), document);
    let (rows, grid) = (rows(&text), rows(&grid));
    for (row, crossed) in rows.iter().zip(&grid) {
        for name in ["start", "import_kwh", "export_kwh"] {
            assert_eq!(row[name], crossed[name], "{}", row["start"]);
        }
    }
    let total = &document["total"];
    let number = |json: &Json| json.as_str().unwrap().parse::<f64>().unwrap();
    let import = number(&total["import_kwh"]);
    let location = &total["scope2_location"];
    assert!(
        (number(&location["kg"]) - import * 0.6634).abs() < 1e-3,
        "{location}"
    );
    assert_eq!(location["factor"]["geography"], "Shanxi");
    // Nothing of the export is in it.
    assert!(number(&total["avoided_export_memo_kg"]) >= 0.0);
    let score = total["hourly"]["score"].as_f64().unwrap();
    assert!(score > 0.0 && score <= 1.0, "{score}");
    assert_eq!(total["hourly"]["hours"], 24);
    let park = &total["zero_carbon_park"];
    assert!(park["tco2_per_tce"].as_f64().unwrap() > 0.0, "{park}");
    assert_eq!(park["netting"], "export not subtracted");
    assert_eq!(
        document["battery"]["renewable_generators"],
        serde_json::json!(["pv"])
    );
    // The turbine is as renewable as the heat at the header, to which boilers gave, too.
    assert_eq!(
        document["renewable_heat"]["generators"],
        serde_json::json!(["turbine"])
    );
    let shares = document["rows"].as_array().unwrap().iter();
    let shares: Vec<f64> = shares
        .filter_map(|row| row["heat_solar_share"].as_f64())
        .collect();
    assert!(
        shares.iter().all(|share| (0.0..=1.0).contains(share)),
        "{shares:?}"
    );
    assert!(
        shares.iter().any(|share| *share > 0.0 && *share < 1.0),
        "{shares:?}"
    );
    let whole = number(&total["renewable_generation_kwh"]);
    assert!(whole > 0.0, "{total}");
}

#[tokio::test]
async fn what_the_configuration_does_not_say_is_asked_for() {
    let date = yesterday().await;
    let books = super::books().await;
    let data = books.path().to_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let words = |name: &'static str, key: &'static str, value: &str| {
        ["report", name, key, value, "--from", &date, "--to", &date].map(str::to_owned)
    };
    let ask_owned =
        async |words: [String; 8]| ask(&words.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let plain = super::write(
        dir.path(),
        "plain.toml",
        &super::park("demo", books.path(), ""),
    );
    let other = super::write(
        dir.path(),
        "other.toml",
        &super::park("other", books.path(), ""),
    );
    for (name, lacks) in [
        ("allocation", "[allocation.rule.dynamic]"),
        ("carbon", "[carbon.grid.published]"),
    ] {
        let said = ask_owned(words(name, "--data", data)).await;
        said.must_say(64, &["needs the park's contracts", "--config"]);
        ask_owned(words(name, "--config", &plain))
            .await
            .must_say(78, &[lacks]);
        let said = ask_owned(words(name, "--config", &other)).await;
        said.must_say(78, &["the books of park `demo`", "not of `other`"]);
    }
}
