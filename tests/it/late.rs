//! A message that is an hour old, to a daemon that keeps the books of a day: a real
//! mosquitto, the real daemon, and what it was yesterday from the engine itself.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use sunledger::app::meta;
use sunledger::config;
use sunledger::domain::balance::settle_all;
use sunledger::domain::quality::Quality;
use sunledger::domain::snapshot::{Reading, Value};
use sunledger::domain::time::slot;
use sunledger::engine::Engine;
use sunledger::engine::record::Recorder;
use sunledger::store::{Batch, LedgerReader, Settings, Settle, Store};

use crate::support::daemon::{Daemon, ask};
use crate::support::mosquitto::Mosquitto;

/// A minute of quiet after the start, and what a slow machine needs beside it.
const WITHIN: Duration = Duration::from_secs(240);

fn config(dir: &Path, port: u16) -> String {
    format!(
        "[park]\nid = \"p\"\ntime_zone = \"Asia/Shanghai\"\nsettlement_interval = \"15min\"\n\
         latitude = 39.19\nlongitude = 113.26\n[balance]\nevery_load_metered = false\n\
         [store]\ndir = \"{}\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
         [broker.park]\nhost = \"127.0.0.1\"\nport = {port}\n\
         [[sensor]]\nid = \"oven\"\nrole = \"tenant\"\nbroker = \"park\"\ntopic = \"park/oven\"\n\
         expect_every = \"30s\"\ntime = {{ pointer = \"/ts\", format = \"rfc3339\" }}\n\
         [[sensor.point]]\npointer = \"/wh\"\nquantity = \"energy_import\"\nunit = \"Wh\"\n",
        dir.join("data").display()
    )
}

/// Keeps books from two hours before a boundary until now, of a register that goes on by
/// a watt-hour in ten seconds. Around the boundary the oven was silent for a while.
fn earlier(path: &Path, boundary: Timestamp, now: Timestamp) {
    let setup = config::load(path).unwrap_or_else(|error| panic!("{error}: {error:?}"));
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
    let mut engine = Engine::new(Arc::clone(&park), &[]);
    let mut recorder = Recorder::new(&park);
    // Counts are as fine as a message can say them.
    let unit = park.meters[0].points[0].register.unwrap().unit;
    let counts = |wh: i64| wh * 1_000 * unit.denominator / unit.numerator;
    for second in (-7_200_i64..).step_by(30) {
        let at = boundary + SignedDuration::from_secs(second);
        if at > now {
            break;
        }
        if !(-150..30).contains(&second) {
            let mut reading = Reading {
                meter: 0,
                at,
                values: vec![(0, Ok(Value::Count(counts(shown(second)))))],
            };
            recorder.stamp(&mut reading);
            engine.hear(&reading);
            recorder.reading(&reading);
        }
        let tick = engine.tick(at);
        let rows = recorder.take();
        let batch = Batch {
            lines: rows.text,
            points: rows.points,
            entries: tick.entries,
            closed: tick.closed,
            observed: tick.observed,
            state: engine.state(),
            ..Batch::empty(at)
        };
        store.commit(&batch, tokio::time::Instant::now()).unwrap();
    }
    store.flush(tokio::time::Instant::now()).unwrap();
}

fn shown(second: i64) -> i64 {
    100_000 + second / 10
}

#[tokio::test]
async fn a_message_that_is_an_hour_old_makes_the_next_revision_and_the_old_one_is_kept() {
    let broker = Mosquitto::with(|_| "allow_anonymous true\n".into());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("park.toml");
    std::fs::write(&path, config(dir.path(), broker.port)).unwrap();
    let setup = config::load(&path).unwrap();
    let now = Timestamp::now();
    let hour_ago = now - SignedDuration::from_secs(3_900);
    let interval = slot(hour_ago, &setup.park.time_zone, 15);
    let boundary = interval.end;
    earlier(&path, boundary, now);
    let books = || {
        let ledger = LedgerReader::open(&setup.store.dir).unwrap();
        let (start, end) = (interval.start, interval.end);
        let revisions = ledger.revisions(start).unwrap();
        let revisions: Vec<i64> = revisions.iter().map(|it| it.revision).collect();
        let entry = ledger.entries(start, end).unwrap().remove(0);
        let before = ledger.entries_before(start, end).unwrap();
        let before: Vec<_> = before.into_iter().map(|it| it.1.energy).collect();
        (revisions, entry.energy, entry.quality, before)
    };
    let (revisions, first, quality, before) = books();
    assert_eq!((revisions, before.len()), (vec![1], 0));
    assert_eq!(quality, Quality::Interpolated);

    let daemon = Daemon::run(&path).await;
    let say = |at: Timestamp, count: i64| {
        broker.publish("park/oven", &format!(r#"{{"ts": "{at}", "wh": {count}}}"#));
    };
    let since = |at: Timestamp| (at.as_second()) - boundary.as_second();
    let begun = Instant::now();
    let speaks = loop {
        let now = Timestamp::now();
        say(now, shown(since(now)));
        let status = ask(&["status", "--url", &daemon.url()]).await.out;
        if status.contains("oven") && status.contains("good") {
            break status;
        }
        assert!(begun.elapsed() < WITHIN, "{status}\n{}", daemon.err());
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    assert!(!speaks.contains("late readings"), "{speaks}");
    // Of the 21 Wh of its silence 20 had passed by then.
    say(boundary - SignedDuration::from_secs(10), shown(-180) + 20);
    let status = || async { ask(&["status", "--url", &daemon.url()]).await.out };
    while !status().await.contains("late readings: 1 intervals wait") {
        assert!(begun.elapsed() < WITHIN, "{}", daemon.err());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(books().0, [1], "it waits for more");
    // Its row is in the journal, and the ledger may not know of it yet.
    daemon.end("KILL").await;
    let daemon = Daemon::run(&path).await;
    let status = || async { ask(&["status", "--url", &daemon.url()]).await.out };
    while !status().await.contains("late readings: 2 revisions made") {
        assert!(begun.elapsed() < WITHIN, "{:?}\n{}", books(), daemon.err());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let (revisions, second, quality, before) = books();
    assert_eq!((revisions, before), (vec![1, 2], vec![first]));
    assert_eq!(quality, Quality::Good);
    let gained = second.unwrap() - first.unwrap();
    // 20.25 Wh lie before the boundary now, and 18 Wh before.
    assert_eq!(gained.0, 2_250);
    assert_eq!(daemon.end("TERM").await.code, Some(0));
}
