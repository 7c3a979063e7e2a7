//! The real daemon: what is told when it is killed, and what arrives through an outage
//! of the broker and a restart.

use std::path::Path;

use serde_json::Value as Json;

use crate::support;
use crate::support::daemon::{Daemon, ask};
use crate::support::http::get;
use crate::support::mosquitto::Mosquitto;
use crate::support::subscriber::Subscriber;

fn config(dir: &Path, port: u16) -> std::path::PathBuf {
    let text = format!(
        r#"
[park]
id = "p"
name = "Park"
time_zone = "Asia/Shanghai"
settlement_interval = "1min"
[store]
dir = "{}"
[web]
listen = "127.0.0.1:0"
[broker.park]
host = "127.0.0.1"
port = {port}
[sink.ha.mqtt]
broker = "park"
discovery = "homeassistant"
every = "1s"
[[sensor]]
id = "dni"
role = "weather"
broker = "park"
topic = "park/dni"
quantity = "dni"
unit = "W/m2"
expect_every = "5s"
"#,
        dir.join("data").display()
    );
    let file = dir.join("park.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// What identifies a settled interval, and what is said of it.
fn settled(body: &Json) -> (String, String, i64, Json, String) {
    let text = |key: &str| body[key].as_str().unwrap().to_owned();
    let revision = body["revision"].as_i64().unwrap();
    (
        text("flow"),
        text("start"),
        revision,
        body["mwh"].clone(),
        text("quality"),
    )
}

/// The settled intervals of the journal, in its order.
fn journaled(dir: &Path) -> Vec<(String, i64, i64)> {
    let rows = support::store::journaled(&dir.join("data"));
    let rows = rows.iter().filter(|row| row.measurement == "interval");
    rows.map(|row| {
        let tag = |name: &str| {
            let found = row.tags.iter().find(|(key, _)| key == name);
            found.unwrap().1.clone()
        };
        (tag("flow"), row.time_ms, tag("revision").parse().unwrap())
    })
    .collect()
}

fn heard(listener: &Subscriber) -> Vec<(String, i64, i64)> {
    let messages = listener.on("sunledger/p/interval/");
    let of = messages.iter().map(|one| settled(&one.json()));
    of.map(|(flow, start, revision, ..)| {
        let start: jiff::Timestamp = start.parse().unwrap();
        (flow, start.as_millisecond(), revision)
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_settled_interval_arrives_through_an_outage_and_a_restart() {
    let mut broker = Mosquitto::with(|dir| {
        format!(
            "allow_anonymous true\npersistence true\npersistence_location {}/\nmax_queued_messages 0\n",
            dir.display()
        )
    });
    let listener = Subscriber::start(&broker);
    let dir = tempfile::tempdir().unwrap();
    let file = config(dir.path(), broker.port);
    let checked = ask(&["check", "--config", file.to_str().unwrap()]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.out.contains("1 sinks"), "{checked:?}");

    let daemon = Daemon::run(&file).await;
    broker.publish("park/dni", "812.5");
    listener
        .until("the reading is told", |heard| {
            heard
                .iter()
                .any(|one| one.topic == "sunledger/p/meter/dni" && one.json()["dni_wm2"] == 812.5)
        })
        .await;
    let begun = |heard: &[support::subscriber::Heard]| {
        heard
            .iter()
            .any(|one| one.topic.starts_with("sunledger/p/interval/"))
    };
    listener.until("an interval is settled", begun).await;
    let metrics = get(daemon.address, "/metrics").await.text();
    assert!(
        metrics.contains("sunledger_sink_messages_total{sink=\"ha\"}"),
        "{metrics}"
    );
    assert!(metrics.contains("sunledger_sink_passed_over_states_total{sink=\"ha\"}"));

    // Killed: the will says it. The broker goes, too, and the daemon starts without it.
    let killed = daemon.end("KILL").await;
    assert_eq!(killed.code, None);
    let statuses = |heard: &[support::subscriber::Heard]| -> Vec<String> {
        let of = heard.iter().filter(|one| one.topic == "sunledger/p/status");
        of.map(|one| one.payload.clone()).collect()
    };
    listener
        .until("the will is published", |heard| {
            statuses(heard) == ["online", "offline"]
        })
        .await;
    broker.end();
    let daemon = Daemon::run(&file).await;
    let before = journaled(dir.path()).len();
    let waits = daemon
        .until("the sink waits with a backlog", |live| {
            let sink = &live["sinks"][0];
            sink["last_error"].is_string() && sink["backlog_points"].as_u64() > Some(0)
        })
        .await;
    assert_eq!(waits["sinks"][0]["name"], "ha");
    let status = ask(&["status", "--url", &daemon.url()]).await;
    assert!(status.out.contains("sink ha: "), "{status:?}");
    let patience = std::time::Instant::now();
    while journaled(dir.path()).len() <= before {
        assert!(
            patience.elapsed().as_secs() < 600,
            "an interval settles meanwhile"
        );
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    broker.run();
    daemon
        .until("nothing waits", |live| {
            let sink = &live["sinks"][0];
            sink["last_error"].is_null()
                && sink["last_ok"].is_string()
                && sink["backlog_points"].as_u64() < Some(50)
        })
        .await;
    let ended = daemon.end("TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    listener
        .until("it says goodbye", |heard| {
            statuses(heard).last().is_some_and(|last| last == "offline")
        })
        .await;

    // Every row of the journal up to the cursor arrived; what came twice is the same.
    let cursor = {
        let ledger = sunledger::store::LedgerReader::open(&dir.path().join("data")).unwrap();
        let cursors = ledger.cursors().unwrap();
        cursors.iter().find(|(name, _)| name == "ha").unwrap().1
    };
    let text = support::store::journal(&dir.path().join("data"), Some(cursor));
    let delivered = text
        .lines()
        .filter(|line| line.starts_with("interval,"))
        .count();
    let (all, arrived) = (journaled(dir.path()), heard(&listener));
    assert!(
        delivered > before,
        "{delivered} rows, {before} before the outage"
    );
    for row in &all[..delivered] {
        assert!(arrived.contains(row), "{row:?} did not arrive");
    }
    for one in &arrived {
        assert!(all.contains(one), "{one:?} was invented");
    }
    let mut once = arrived.clone();
    let mut seen = std::collections::BTreeSet::new();
    once.retain(|one| seen.insert(one.clone()));
    assert_eq!(once[..], all[..once.len()], "in the order of the books");
    let bodies: Vec<_> = listener
        .on("sunledger/p/interval/")
        .iter()
        .map(|one| settled(&one.json()))
        .collect();
    for one in &bodies {
        let same = |other: &&(String, String, i64, Json, String)| {
            (&other.0, &other.1, other.2) == (&one.0, &one.1, one.2)
        };
        for other in bodies.iter().filter(same) {
            assert_eq!(other, one, "sent again as it was");
        }
    }

    // The daemon reports on itself, by the same way.
    let health = listener.on("sunledger/p/health");
    let own = health
        .iter()
        .filter(|one| one.topic == "sunledger/p/health");
    assert!(own.clone().count() > 0, "{health:?}");
    for one in own {
        assert_eq!(one.json()["lost_points"], 0, "{one:?}");
    }
    assert!(
        health
            .iter()
            .any(|one| one.topic == "sunledger/p/health/ha")
    );
}
