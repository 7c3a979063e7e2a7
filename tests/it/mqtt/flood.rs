//! Fifty thousand messages while everything dies in turn, and ten thousand in the other
//! version of the protocol: a real mosquitto, the real daemon, and an oracle that compares
//! what the broker confirmed with what is stored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::backlog::{field, journaled};
use crate::support::daemon::{Daemon, sunledger};
use crate::support::fake_broker::FakeBroker;
use crate::support::mosquitto::Mosquitto;
use sunledger::wire::line_protocol::FieldValue;

/// A slow machine gets this long for all of it.
const WITHIN: Duration = Duration::from_secs(400);

fn config(dir: &Path, port: u16, version: &str, topics: &[(&str, &str)]) -> String {
    let mut text = format!(
        "[park]\nid = \"p\"\ntime_zone = \"Asia/Shanghai\"\nlatitude = 39.19\nlongitude = 113.26\n\
         [store]\ndir = \"{0}/data\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
         [sink.away.influx]\nurl = \"http://127.0.0.1:1\"\norg = \"o\"\nbucket = \"b\"\n\
         token = {{ file = \"{0}/token\" }}\n[broker.park]\nhost = \"127.0.0.1\"\nport = {port}\n\
         version = \"{version}\"\n",
        dir.display()
    );
    for (id, topic) in topics {
        text.push_str(&format!(
            "[[sensor]]\nid = \"{id}\"\nrole = \"weather\"\nbroker = \"park\"\ntopic = \"{topic}\"\n\
             quantity = \"dni\"\nunit = \"W/m2\"\nexpect_every = \"5s\"\n"
        ));
    }
    text
}

/// Publishes numbers with quality of service 1; it ends well when the broker has
/// confirmed every one.
fn publishing(
    broker: &Mosquitto,
    dir: &Path,
    topic: &str,
    numbers: std::ops::Range<usize>,
) -> Child {
    let lines: String = numbers
        .clone()
        .map(|number| format!("{number}\n"))
        .collect();
    let file = dir.join(format!("lines-{}", numbers.start));
    std::fs::write(&file, lines).unwrap();
    Command::new("mosquitto_pub")
        .args(["-p", &broker.port.to_string(), "-q", "1", "-l", "-t", topic])
        .stdin(std::fs::File::open(file).unwrap())
        .spawn()
        .unwrap()
}

/// How many readings came late: kept by the broker while nobody listened.
fn late(dir: &Path) -> usize {
    let rows = journaled(dir);
    let stale = rows
        .iter()
        .filter(|row| field(row, "quality") == Some(&FieldValue::Integer(5)));
    stale.count()
}

/// The numbers in the journal, and those that are there twice as measurements of now.
fn stored(dir: &Path) -> (BTreeSet<usize>, Vec<f64>) {
    let (mut all, mut good, mut twice) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for row in journaled(dir) {
        let Some(FieldValue::Float(value)) = field(&row, "dni_wm2") else {
            continue;
        };
        all.insert(*value as usize);
        let now = field(&row, "quality") == Some(&FieldValue::Integer(0));
        // Zero is what the test says until it is heard.
        if now && *value > 0.0 && !good.insert(*value as usize) {
            twice.push(*value);
        }
    }
    (all, twice)
}

/// Messages that are acknowledged one by one.
const ONE_BY_ONE: u16 = 20;

#[tokio::test]
async fn a_message_is_acknowledged_long_before_the_next_tick() {
    let broker = FakeBroker::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("park.toml");
    let text = config(dir.path(), broker.port, "3.1.1", &[("dni", "park/dni")]);
    let (head, tail) = text.split_once("[sink").unwrap();
    let (_, tail) = tail.split_once("[broker").unwrap();
    std::fs::write(&file, format!("{head}[broker{tail}")).unwrap();
    let _daemon = Daemon::start(sunledger(&["run", "--config", file.to_str().unwrap()])).await;
    let mut peer = broker.welcome(false).await;
    // The first tick opens the books.
    peer.publish(1_000, "park/dni", "1", false).await;
    assert_eq!(peer.acked().await, 1_000);
    let begun = Instant::now();
    for pkid in 1..=ONE_BY_ONE {
        peer.publish(pkid, "park/dni", &pkid.to_string(), false)
            .await;
        assert_eq!(peer.acked().await, pkid);
    }
    let each = begun.elapsed() / u32::from(ONE_BY_ONE);
    println!("acknowledged after {each:?}");
    // Within 50 ms a commit begins; the tick alone would take a second.
    assert!(each < Duration::from_millis(250), "{each:?}");
}

#[tokio::test]
async fn every_message_that_was_confirmed_is_stored_whatever_dies() {
    all_is_stored("3.1.1", 10_000).await;
}

#[tokio::test]
async fn every_message_that_was_confirmed_is_stored_in_version_5_as_well() {
    all_is_stored("5", 2_000).await;
}

/// Five parts of so many messages, in a version of the protocol.
async fn all_is_stored(version: &str, part: usize) {
    let mut broker = Mosquitto::with(|dir| {
        format!(
            "allow_anonymous true\nmax_queued_messages 0\npersistence true\n\
             persistence_location {}/\n",
            dir.display()
        )
    });
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "secret").unwrap();
    let closed = Command::new("chmod").arg("600").arg(&token).status();
    assert!(closed.unwrap().success());
    let file: PathBuf = dir.path().join("park.toml");
    let port = broker.port;
    let configure = |topics: &[(&str, &str)]| {
        std::fs::write(&file, config(dir.path(), port, version, topics)).unwrap();
    };
    configure(&[("dni", "park/dni"), ("old", "old/+/dni")]);
    let run = || Daemon::start(sunledger(&["run", "--config", file.to_str().unwrap()]));
    let begun = Instant::now();

    let daemon = run().await;
    while !daemon.err().contains("MQTT broker is back") && stored(dir.path()).0.is_empty() {
        broker.publish("park/dni", "0");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut published = 1;
    let mut publish = |broker: &Mosquitto| {
        let child = publishing(broker, dir.path(), "park/dni", published..published + part);
        published += part;
        child
    };
    // The daemon is killed in the middle of it, twice.
    let mut publisher = publish(&broker);
    tokio::time::sleep(Duration::from_millis(250)).await;
    daemon.end("KILL").await;
    let daemon = run().await;
    assert!(publisher.wait().unwrap().success());
    let mut publisher = publish(&broker);
    tokio::time::sleep(Duration::from_millis(350)).await;
    daemon.end("KILL").await;
    assert!(publisher.wait().unwrap().success());
    // The broker goes while the daemon works off what it kept.
    let daemon = run().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    broker.end();
    tokio::time::sleep(Duration::from_millis(300)).await;
    broker.run();
    let mut publisher = publish(&broker);
    assert!(publisher.wait().unwrap().success());
    // The topic list changes, with messages on their way.
    assert_eq!(daemon.end("TERM").await.code, Some(0));
    configure(&[("dni", "park/dni"), ("new", "park/new")]);
    let mut publisher = publish(&broker);
    let daemon = run().await;
    assert!(publisher.wait().unwrap().success());
    let mut publisher = publish(&broker);
    assert!(publisher.wait().unwrap().success());

    let missing = loop {
        let (all, twice) = stored(dir.path());
        assert_eq!(twice, Vec::<f64>::new(), "a redelivery is no new reading");
        let missing = (1..published)
            .filter(|number| !all.contains(number))
            .count();
        if missing == 0 {
            break 0;
        }
        assert!(
            begun.elapsed() < WITHIN,
            "{missing} missing\n{}",
            daemon.err()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let took = begun.elapsed();
    assert!(late(dir.path()) > part / 10, "the kills hit nothing");
    println!("{} confirmed, {missing} missing, {took:?}", published - 1);
    // New topics are heard, old ones are not even sent.
    broker.publish("old/a/dni", "999999");
    broker.publish("park/new", "888888");
    while !stored(dir.path()).0.contains(&888_888) {
        assert!(begun.elapsed() < WITHIN, "{}", daemon.err());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let metrics = crate::support::http::get(daemon.address, "/metrics").await;
    let text = metrics.text();
    assert!(
        text.contains("sunledger_mqtt_rejected_messages_total{reason=\"unknown_topic\"} 0"),
        "{text}"
    );
    assert_eq!(daemon.end("TERM").await.code, Some(0));
    assert!(!stored(dir.path()).0.contains(&999_999));
}
