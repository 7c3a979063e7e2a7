//! A transformer between the meter at the grid and the boundary, in a ledger that a daemon
//! left: what `explain` says of it, and `recompute`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use sunledger::app::meta;
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

/// Meters every 30 s; the transformer is that of the cases.
fn text(dir: &Path) -> String {
    let point = |quantity: &str, address: u16, more: &str| {
        format!("[[meter.point]]\nquantity = \"{quantity}\"\naddress = {address}\n{more}\n")
    };
    let register = "type = \"u32\"\nunit = \"Wh\"";
    format!(
        "[park]\nid = \"losses\"\ntime_zone = \"Asia/Shanghai\"\n[store]\ndir = \"{}\"\n\
         [web]\nlisten = \"127.0.0.1:0\"\n[bus.main.tcp]\nhost = \"127.0.0.1\"\n\
         [[meter]]\nid = \"pcc\"\nrole = \"grid\"\nbus = \"main\"\nperiod = \"30s\"\n\
         [meter.loss_compensation]\nrated_power = \"1600kVA\"\nrated_voltage = \"400V\"\n\
         no_load_loss = \"1.7kW\"\nload_loss = \"14.5kW\"\nno_load_current_pct = 0.5\n\
         short_circuit_pct = 6\nboundary = \"grid_side\"\n{}{}{}",
        dir.join("store").display(),
        point("energy_import", 0, register),
        point("energy_export", 2, register),
        point("power", 4, "type = \"f32\"\nunit = \"W\""),
    )
}

/// 800 kW for two hours, but for two minutes in the third quarter that nobody heard. The
/// daemon is started anew in the second quarter.
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
    store.set_meta(meta::PARK, &park.id).unwrap();
    store.set_meta(meta::TIME_ZONE, "Asia/Shanghai").unwrap();
    store.set_meta(meta::SETTLEMENT, "15").unwrap();
    let mut engine = Engine::new(Arc::clone(&park), &[]);
    let mut recorder = Recorder::new(&park);
    for second in (0..=7_200).step_by(30) {
        if second == 1_350 {
            engine = Engine::new(Arc::clone(&park), &engine.state_for_resume());
        }
        if !(2_000..2_120).contains(&second) {
            // 800 kW are 6667 Wh in 30 s, and 20000 in 90 s.
            let values = [
                Value::Count(1_000_000 + second * 2_000 / 9),
                Value::Count(5),
                Value::Analog(800e3),
            ];
            let mut reading = Reading {
                meter: 0,
                at: at(second),
                values: values.into_iter().map(Ok).enumerate().collect(),
            };
            recorder.stamp(&mut reading);
            engine.hear(&reading);
            recorder.reading(&reading);
        }
        let tick = engine.tick(at(second));
        recorder.derived(at(second), &tick.frame.meters);
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

async fn sunledger(path: &Path, words: &str) -> Ended {
    let mut all: Vec<&str> = words.split(' ').collect();
    all.extend(["--config", path.to_str().unwrap()]);
    ask(&all).await
}

#[tokio::test]
async fn a_boundary_is_explained_by_the_register_and_what_the_transformer_took() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path());
    // 5.325 kW for a quarter of an hour, at the voltage of the plate.
    let ended = sunledger(&path, "explain 2026-06-03T10:20 --flow import").await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for line in [
        "import: 201331.250 Wh, derived, coverage 100.00 %",
        "+ pcc: 200000.000 Wh good, register",
        "+ pcc-loss (transformer of pcc, import): 1331.250 Wh derived, integrated, derived, \
         estimated (rated_voltage)",
    ] {
        assert!(ended.out.contains(line), "{line}\nin\n{}", ended.out);
    }
    let ended = sunledger(&path, "explain 2026-06-03T10:20 --flow losses --json").await;
    let said = ended.json();
    let [import, export] = &said["flows"][0]["contributions"].as_array().unwrap()[..] else {
        panic!("{said}");
    };
    assert_eq!(
        (&import["loss_of"], &import["adds"]),
        (&"pcc".into(), &true.into())
    );
    assert_eq!(import["entry"]["wh"], "1331.250");
    assert_eq!(export["entry"]["wh"], "0.000");
    assert_eq!(said["flows"][0]["revisions"][0]["wh"], "1331.250");
    // Two minutes are more than may be scaled up: the register stands, the boundary does not.
    let ended = sunledger(&path, "explain 2026-06-03T10:32 --flow import").await;
    for line in [
        "import: unknown: pcc-loss (stale)",
        "+ pcc: 200000.000 Wh good, register",
    ] {
        assert!(ended.out.contains(line), "{line}\nin\n{}", ended.out);
    }
}

#[tokio::test]
async fn losses_are_computed_again_from_the_journal_and_come_to_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path());
    let words = "recompute --from 2026-06-03 --to 2026-06-03 --dry-run --json";
    let ended = sunledger(&path, words).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let said = ended.json();
    assert_eq!(said["differences"], Json::Array(vec![]), "{said}");
    // Four channels in seven quarters, all but one of which are known.
    assert!(said["same"].as_u64().unwrap() >= 24, "{said}");
    // With another plate they come to something else, and the registers do not.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"1.7kW\"", "\"1.6kW\"")).unwrap();
    let ended = sunledger(&path, words).await;
    assert_eq!(ended.code, Some(65), "{}", ended.err);
    let said = ended.json();
    let differences = said["differences"].as_array().unwrap();
    assert!(differences.len() >= 5, "{said}");
    for one in differences {
        assert_eq!(one["now"]["meter"], "pcc-loss", "{one}");
    }
}
