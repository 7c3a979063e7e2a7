//! A box whose ledger was damaged: the daemon finds the books again, to the last digit.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sunledger::domain::interval::Interval;
use sunledger::store::LedgerReader;
use sunledger::store::ledger::copy;

use crate::support::world::{World, next_minute, rows};

/// Every revision of the intervals of a stretch.
fn revisions(world: &World, from: Timestamp, to: Timestamp) -> Vec<Interval> {
    let reader = LedgerReader::open(&world.data()).unwrap();
    let heads = reader.intervals(from, to).unwrap().into_iter();
    let all = heads.flat_map(|it| reader.revisions(it.span.start).unwrap());
    all.collect()
}

#[tokio::test]
async fn a_daemon_whose_ledger_is_damaged_has_the_same_books_after_its_start() {
    let mut world = World::new(&[]).await;
    world.start();
    world
        .until("something is stored", |live| {
            live["stored_until"].is_string()
        })
        .await;
    let from = next_minute(Duration::ZERO);
    let to = from + SignedDuration::from_mins(2);
    world.closed(from, to, |_| true).await;
    world.kill().await;
    let ledger = world.data().join("ledger.sqlite");
    let copied = copy::taken(&ledger).expect("it is copied within the first seconds");
    assert!(copied < from, "the copy does not know the intervals");
    let books = revisions(&world, from, to);
    assert_eq!(books.len(), 2, "{books:?}");
    // What the log has would stand in for what the file has not.
    let connection = rusqlite::Connection::open(&ledger).unwrap();
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    connection.query_row(checkpoint, [], |_| Ok(())).unwrap();
    drop(connection);
    let mut bytes = std::fs::read(&ledger).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0x5A);
    std::fs::write(&ledger, bytes).unwrap();

    world.start();
    world
        .closed(from, to + SignedDuration::from_mins(1), |_| true)
        .await;
    let log = world.log();
    assert!(
        log.contains("The ledger is restored from its copy"),
        "{log}"
    );
    assert!(!log.contains("does not have these blocks"), "{log}");
    assert_eq!(revisions(&world, from, to), books);
    let mut stated = BTreeMap::new();
    for row in rows(&world.journal()) {
        if row.measurement == "interval" {
            let key = format!("{:?} {}", row.tags, row.time_ms);
            let fields = format!("{:?}", row.fields);
            // What the journal says already is not written once more.
            let before = stated.insert(key.clone(), fields);
            assert_eq!(before, None, "{key}");
        }
    }
    world.end().await;
}
