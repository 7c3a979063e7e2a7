//! Programs of others: a real receiver, and a real client for the stand-in.

use std::process::Command;
use std::time::Duration;

use sunledger::wire::line_protocol::{FieldValue, parse};

use crate::support::influx::{BUCKET, Influx, ORG, TOKEN};
use crate::support::peer::{free_port, python_with, start};
use crate::support::shipping::{PATIENCE, Rig, tick_since};

/// A value as VictoriaMetrics keeps it: name, labels, time, value.
type Sample = (String, Vec<(String, String)>, i64, f64);

fn expected(text: &str) -> Vec<Sample> {
    let mut samples = Vec::new();
    for line in text.lines() {
        let row = parse(line).unwrap();
        for (field, value) in row.fields {
            let value = match value {
                FieldValue::Float(value) => value,
                FieldValue::Integer(value) => value as f64,
                other => panic!("{other:?}"),
            };
            let name = format!("{}_{field}", row.measurement);
            samples.push((name, row.tags.clone(), row.time_ms, value));
        }
    }
    samples
}

fn exported(text: &str) -> Vec<Sample> {
    let mut samples = Vec::new();
    for line in text.lines() {
        let series: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut labels: Vec<(String, String)> = series["metric"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        let name = labels
            .iter()
            .position(|(name, _)| name == "__name__")
            .unwrap();
        let (_, name) = labels.remove(name);
        let values = series["values"].as_array().unwrap();
        let times = series["timestamps"].as_array().unwrap();
        for (value, time) in values.iter().zip(times) {
            let (time, value) = (time.as_i64().unwrap(), value.as_f64().unwrap());
            samples.push((name.clone(), labels.clone(), time, value));
        }
    }
    samples
}

/// Sorts, and drops a sample that stands twice, as after a retry.
fn distinct(mut samples: Vec<Sample>) -> Vec<Sample> {
    samples.sort_by(|a, b| a.partial_cmp(b).unwrap());
    samples.dedup();
    samples
}

#[tokio::test]
async fn a_real_receiver_has_every_value() {
    let (port, dir) = (free_port(), tempfile::tempdir().unwrap());
    let base = format!("http://127.0.0.1:{port}");
    let _server = start(
        Command::new("victoria-metrics")
            .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
            .arg(format!("-storageDataPath={}", dir.path().display()))
            .args(["-retentionPeriod=10y", "-memory.allowedBytes=64MB"]),
        "apt install victoria-metrics",
    );
    let url = reqwest::Url::parse(&base).unwrap();
    let client = sunledger::sink::http::client(&url, None).unwrap();
    let get = async |path: &str| {
        let answer = client.get(format!("{base}{path}")).send().await?;
        answer.error_for_status()?.text().await
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while get("/health").await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "it does not start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let mut rig = Rig::new(&base);
    rig.start();
    let hour_ago = jiff::Timestamp::now().as_millisecond() - 3_600_000;
    for n in 0..20 {
        rig.commit(&tick_since(hour_ago, n, 40));
    }
    let last = rig.commit(&format!(
        "balance,carrier=electricity,park=fanshi load_w=1284000.123456789,export_w=-0.0,tiny_w=1e-9 {hour_ago}\n"
    ));
    rig.settled(last).await;
    // A second time, as after a lost answer.
    let mut again = Rig::new(&base);
    again.start();
    let seq = again.commit(&tick_since(hour_ago, 3, 40));
    again.settled(seq).await;

    let expected = distinct(expected(&rig.journal.text()));
    let mut read = Vec::new();
    while read.len() < expected.len() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{} came",
            read.len()
        );
        get("/internal/force_flush").await.unwrap();
        let text = get("/api/v1/export?match[]=%7B__name__!=%22%22%7D").await;
        read = distinct(exported(&text.unwrap()));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(read.len(), expected.len());
    for (read, sent) in read.iter().zip(&expected) {
        assert_eq!((&read.0, &read.1, read.2), (&sent.0, &sent.1, sent.2));
        let apart = (read.3 - sent.3).abs();
        assert!(apart <= 1e-12 * sent.3.abs(), "{read:?} {sent:?}");
    }
}

/// The stand-in is held to what InfluxDB's own client for Python expects of a server.
#[tokio::test]
async fn the_stand_in_serves_influxdbs_own_client() {
    let influx = Influx::start().await;
    let python = tokio::task::spawn_blocking(|| python_with("influxdb-client"));
    let output = tokio::process::Command::new(python.await.unwrap())
        .args([
            "-c",
            include_str!("client.py"),
            &influx.url(),
            TOKEN,
            ORG,
            BUCKET,
        ])
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(influx.state().torn.len() == 1, "the one key it wrote twice");
}
