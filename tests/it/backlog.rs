//! What a broker kept while the daemon was away: a real mosquitto, the real daemon.

use std::time::{Duration, Instant};

use sunledger::wire::line_protocol::{FieldValue, ParsedLine};

use crate::support;
use crate::support::daemon::{Daemon, sunledger};
use crate::support::mosquitto::Mosquitto;

/// Messages kept: mosquitto has twenty under way at once, so a disk that is asked once
/// a second would need half a minute for them; five times a second, six seconds.
const KEPT: usize = 600;
/// What is left for them on a slow machine.
const WITHIN: Duration = Duration::from_secs(15);

fn config(dir: &std::path::Path, port: u16) -> String {
    format!(
        r#"
[park]
id = "p"
name = "Park"
time_zone = "Asia/Shanghai"
settlement_interval = "15min"
latitude = 39.19
longitude = 113.26
[store]
dir = "{}"
[web]
listen = "127.0.0.1:0"
[broker.park]
host = "127.0.0.1"
port = {port}
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
    )
}

pub fn journaled(dir: &std::path::Path) -> Vec<ParsedLine> {
    let mut rows = support::store::journaled(&dir.join("data"));
    rows.retain(|row| row.measurement == "weather");
    rows
}

pub fn field<'a>(row: &'a ParsedLine, name: &str) -> Option<&'a FieldValue> {
    let found = row.fields.iter().find(|(key, _)| key == name)?;
    Some(&found.1)
}

/// The values that were stored with a quality, in order.
fn stored(rows: &[ParsedLine], quality: i64) -> Vec<f64> {
    let with = rows
        .iter()
        .filter(|row| field(row, "quality") == Some(&FieldValue::Integer(quality)));
    let values = with.filter_map(|row| match field(row, "dni_wm2") {
        Some(FieldValue::Float(value)) => Some(*value),
        _ => None,
    });
    values.collect()
}

#[tokio::test]
async fn a_backlog_is_stored_quickly_and_not_taken_for_what_is_now() {
    let broker = Mosquitto::with(|_| "allow_anonymous true\nmax_queued_messages 5000\n".into());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("park.toml");
    std::fs::write(&file, config(dir.path(), broker.port)).unwrap();
    let run = || Daemon::start(sunledger(&["run", "--config", file.to_str().unwrap()]));

    // It was there once, so that the broker keeps what comes for it.
    let daemon = run().await;
    let subscribed = Instant::now();
    let mut first = None;
    while first != Some(1.0) {
        assert!(subscribed.elapsed() < WITHIN * 4, "{}", daemon.err());
        broker.publish("park/dni", "1");
        tokio::time::sleep(Duration::from_millis(200)).await;
        first = stored(&journaled(dir.path()), 0).first().copied();
    }
    assert_eq!(daemon.end("TERM").await.code, Some(0));

    let lines: String = (0..KEPT).map(|n| format!("{}\n", 100 + n)).collect();
    let path = dir.path().join("lines");
    std::fs::write(&path, lines).unwrap();
    let published = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!(
            "mosquitto_pub -p {} -q 1 -l -t park/dni < {}",
            broker.port,
            path.display()
        ))
        .status();
    assert!(published.unwrap().success());

    let back = Instant::now();
    let daemon = run().await;
    let expected: Vec<f64> = (0..KEPT).map(|n| 100.0 + n as f64).collect();
    let late = loop {
        let late = stored(&journaled(dir.path()), 5);
        if late.len() >= KEPT {
            break late;
        }
        assert!(
            back.elapsed() < WITHIN,
            "{} came\n{}",
            late.len(),
            daemon.err()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(late, expected, "all of it is stored, and marked stale");
    // The last word of it stands for now, and then what is spoken now.
    let newest = expected[KEPT - 1];
    let shows = |value: f64| {
        daemon.until("the sensor is in step", move |live| {
            live["meters"][0]["values"]["dni_wm2"] == value
        })
    };
    let live = shows(newest).await;
    assert_eq!(live["meters"][0]["quality"], "good");
    broker.publish("park/dni", "777");
    shows(777.0).await;
    assert_eq!(daemon.end("TERM").await.code, Some(0));
    assert!(stored(&journaled(dir.path()), 0).ends_with(&[newest, 777.0]));
}
