//! `sunledger store`: what lies on the disk, read through, copied, made small, written out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sunledger::domain::interval::Interval;
use sunledger::store::{Block, LedgerReader, Reader, Settings};

use crate::support::daemon::ask;
use crate::support::store::*;
use crate::support::world::{World, next_minute};

/// A store of small segments with two closed intervals and a sink that is behind.
fn lived_in(dir: &Path) {
    let now = Clock::new().after(0.0);
    let (mut store, _) = open(Settings {
        max_bytes: 64 << 10,
        sinks: vec!["local".to_owned()],
        ..settings(dir)
    });
    store.set_meta("time_zone", "Asia/Shanghai").unwrap();
    for second in 0..200 {
        store.commit(&batch(second), now).unwrap();
    }
    for number in 0..2 {
        let mut closing = batch(960 + number);
        closing.entries = vec![entry("pv", number, Ok(5))];
        closing.closed = vec![(span(number), shape(0.0))];
        store.commit(&closing, now).unwrap();
    }
    store.advance("local", 4);
    store.flush(now).unwrap();
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join("journal")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// Overwrites a byte of a file.
fn damage(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x40;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn check_finds_a_whole_store_whole_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    lived_in(dir.path());
    let data = dir.path().to_str().unwrap();
    let said = ask(&["store", "check", "--data", data]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("Everything is whole."), "{said:?}");
    assert!(
        said.out.contains("202 whole blocks, 404 values"),
        "{said:?}"
    );
    let said = ask(&["store", "check", "--data", data, "--json"])
        .await
        .json();
    assert_eq!(said["whole"], true);
    assert_eq!(said["journal"]["blocks"], 202);
    assert_eq!(said["journal"]["last_seq"], 202);
    assert_eq!(said["ledger"]["intervals"], 2);
    assert_eq!(said["ledger"]["cursors"]["local"], 4);
    assert_eq!(said["ledger"]["covered_seq"], 202);
}

#[tokio::test]
async fn check_names_each_damage_with_its_place() {
    let names = [
        "block", "segment", "end", "ledger", "law", "cursor", "events",
    ];
    for name in names {
        let dir = tempfile::tempdir().unwrap();
        lived_in(dir.path());
        let files = segments(dir.path());
        assert!(files.len() > 4);
        let first = |file: &PathBuf| -> u64 {
            let name = file.file_stem().unwrap().to_str().unwrap();
            name.parse().unwrap()
        };
        let ledger = dir.path().join("ledger.sqlite");
        let sql = |sql: &str| {
            let connection = rusqlite::Connection::open(&ledger).unwrap();
            connection.execute(sql, []).unwrap();
        };
        let (path, wanted) = match name {
            // The payload of its first block.
            "block" => {
                damage(&files[1], 24 + 44 + 5);
                let seq = first(&files[1]);
                let (before, behind) = (at_text(seq - 2), at_text(seq));
                (
                    format!("/journal/broken/0/first_seq={seq}"),
                    format!("block {seq} cannot be read, between {before} and {behind}"),
                )
            }
            "segment" => {
                fs::remove_file(&files[2]).unwrap();
                let (from, until) = (first(&files[2]), first(&files[3]) - 1);
                let count = until - from + 1;
                (
                    format!("/journal/broken/0/blocks={count}"),
                    format!("blocks {from} to {until} ({count}) are not there"),
                )
            }
            "end" => {
                let bytes = fs::read(&files[1]).unwrap();
                fs::write(&files[1], &bytes[..bytes.len() - 60]).unwrap();
                let seq = first(&files[2]) - 1;
                (
                    format!("/journal/broken/0/first_seq={seq}"),
                    format!("block {seq} cannot be read"),
                )
            }
            "ledger" => {
                let mut bytes = fs::read(&ledger).unwrap();
                bytes[4_096..].fill(0x11);
                fs::write(&ledger, bytes).unwrap();
                (
                    "/whole=false".to_owned(),
                    "its pages are damaged".to_owned(),
                )
            }
            "law" => {
                sql("DELETE FROM revision WHERE start_ms = (SELECT min(start_ms) FROM revision)");
                (
                    "/ledger/revisions=1".to_owned(),
                    "1 closed intervals have no revision".to_owned(),
                )
            }
            "cursor" => {
                sql("UPDATE cursor SET seq = 300");
                (
                    "/ledger/cursors/local=300".to_owned(),
                    "sink local is at block 300, the journal ends at 202".to_owned(),
                )
            }
            _ => {
                fs::write(dir.path().join("meter-events.jsonl"), "00000000 {}\n").unwrap();
                (
                    "/damaged_events=1".to_owned(),
                    "1 lines are damaged".to_owned(),
                )
            }
        };
        let data = dir.path().to_str().unwrap();
        let said = ask(&["store", "check", "--data", data]).await;
        said.must_say(65, &["the store is not whole"]);
        assert!(
            said.out.contains(&wanted),
            "{name}: {wanted} in {}",
            said.out
        );
        assert!(!said.out.contains("Everything is whole"), "{name}");
        let said = ask(&["store", "check", "--data", data, "--json"]).await;
        let (pointer, value) = path.split_once('=').unwrap();
        let found = said.json().pointer(pointer).map(ToString::to_string);
        assert_eq!(found.as_deref(), Some(value), "{name}: {}", said.out);
    }
}

/// The tick of the block with a sequence, as the command writes it, less one second.
fn at_text(index: u64) -> String {
    let second = i64::try_from(index).unwrap();
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    sunledger::domain::time::rfc3339(at(second), &zone)
}

#[tokio::test]
async fn without_a_store_each_command_says_so_and_creates_none() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("nowhere");
    let (data, out) = (nowhere.to_str().unwrap(), dir.path().join("out"));
    let out = out.to_str().unwrap();
    let commands: [&[&str]; 4] = [
        &["check"],
        &["backup", "--out", out],
        &["compact"],
        &["export", "--from", "2026-01-01", "--to", "2026-02-01"],
    ];
    for command in commands {
        let arguments = [&["store"], command, &["--data", data]].concat();
        ask(&arguments).await.must_say(74, &["no store here"]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{command:?}");
    }
}

#[tokio::test]
async fn a_backup_takes_no_place_that_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (dir.path().join("data"), dir.path().join("out"));
    lived_in(&data);
    fs::write(&out, "precious").unwrap();
    let arguments = [
        "--data",
        data.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let said = ask(&[&["store", "backup"][..], &arguments].concat()).await;
    said.must_say(74, &["is there already", "another --out"]);
    assert_eq!(fs::read(&out).unwrap(), b"precious");
    fs::remove_file(&out).unwrap();
    let said = ask(&[&["store", "backup"][..], &arguments].concat()).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("up to block 202"), "{said:?}");
    let said = ask(&["store", "check", "--data", out.to_str().unwrap()]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(journal(&out, None), journal(&data, None));
}

#[tokio::test]
async fn compact_gives_back_what_nothing_needs_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    lived_in(dir.path());
    let data = dir.path().to_str().unwrap();
    let ledger = dir.path().join("ledger.sqlite");
    let connection = rusqlite::Connection::open(&ledger).unwrap();
    let large = "x".repeat(3 << 20);
    connection
        .execute("INSERT INTO meter_state VALUES ('gone', ?1)", [&large])
        .unwrap();
    connection
        .execute("DELETE FROM meter_state WHERE meter = 'gone'", [])
        .unwrap();
    drop(connection);
    let aside = dir.path().join("ledger.sqlite.damaged-1");
    fs::write(&aside, "old").unwrap();
    let before = (
        journal(dir.path(), None),
        fs::metadata(&ledger).unwrap().len(),
    );
    assert!(before.1 > 3 << 20);

    let said = ask(&["store", "compact", "--data", data]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("ledger.sqlite.damaged-1 was set aside"),
        "{said:?}"
    );
    assert!(fs::metadata(&ledger).unwrap().len() < 1 << 20);
    assert_eq!(journal(dir.path(), None), before.0);
    assert!(aside.is_file());
    let said = ask(&[
        "store",
        "compact",
        "--data",
        data,
        "--remove-set-aside",
        "--json",
    ])
    .await;
    assert_eq!(said.json()["set_aside_removed"], true, "{said:?}");
    assert!(!aside.exists());
    let said = ask(&["store", "check", "--data", data]).await;
    assert_eq!(said.code, Some(0), "{said:?}");

    let (running, _) = open(settings(dir.path()));
    let said = ask(&["store", "compact", "--data", data]).await;
    said.must_say(74, &["another sunledger", "uses this store"]);
    drop(running);
}

#[tokio::test]
async fn export_writes_the_rows_of_a_period_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    lived_in(dir.path());
    let data = dir.path().to_str().unwrap();
    let (from, to) = (at(10).to_string(), at(13).to_string());
    let period = ["--data", data, "--from", &from, "--to", &to];
    let said = ask(&[&["store", "export"][..], &period].concat()).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let wanted: Vec<String> = (10..13)
        .map(|second| format!("{}000000", batch(second).lines.trim_end()))
        .collect();
    assert_eq!(said.out.lines().collect::<Vec<_>>(), wanted);
    assert_eq!(said.err, "3 rows\n");

    let file = dir.path().join("rows.csv");
    let csv = ["--format", "csv", "--out", file.to_str().unwrap()];
    let arguments = [&["store", "export"][..], &period, &csv].concat();
    let said = ask(&arguments).await;
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{said:?}");
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "time,measurement,tags,field,value");
    assert_eq!(lines.len(), 1 + 3 * 2);
    assert_eq!(
        lines[1],
        format!("{from},electricity,\"meter=pv,park=t\",power_w,10.5")
    );
    ask(&arguments).await.must_say(74, &["rows.csv"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);

    let turned = ["--data", data, "--from", &to, "--to", &from];
    let said = ask(&[&["store", "export"][..], &turned].concat()).await;
    said.must_say(64, &["is not before"]);
    damage(&segments(dir.path())[1], 24 + 44 + 5);
    let all = ["--data", data, "--from", "2026-01-01", "--to", "2027-01-01"];
    let said = ask(&[&["store", "export"][..], &all].concat()).await;
    said.must_say(65, &["1 blocks are damaged"]);
    assert_eq!(said.out.lines().count(), 201);
}

fn blocks(dir: &Path) -> BTreeMap<u64, Block> {
    let mut reader = Reader::new(dir).unwrap();
    let mut blocks = BTreeMap::new();
    while let Some(block) = reader
        .next_after(blocks.keys().last().copied().unwrap_or(0), None)
        .unwrap()
    {
        blocks.insert(block.seq, block);
    }
    blocks
}

fn revisions(dir: &Path, from: Timestamp, to: Timestamp) -> Vec<Interval> {
    let reader = LedgerReader::open(dir).unwrap();
    let heads = reader.intervals(from, to).unwrap().into_iter();
    let all = heads.flat_map(|it| reader.revisions(it.span.start).unwrap());
    all.collect()
}

#[tokio::test]
async fn a_backup_of_a_running_daemon_is_a_store_with_everything_that_was_there() {
    let mut world = World::new(&[]).await;
    world.start();
    world
        .until("something is stored", |live| {
            live["stored_until"].is_string()
        })
        .await;
    let from = next_minute(Duration::ZERO);
    let to = from + SignedDuration::from_mins(1);
    world.closed(from, to, |_| true).await;
    let data = world.data();
    let out = world.dir.path().join("backup");
    let before = (blocks(&data), revisions(&data, from, to));
    assert_eq!(before.1.len(), 1);
    let config = world.config();
    let arguments = ["--config", config.to_str().unwrap()];
    let backup = ["store", "backup", "--out", out.to_str().unwrap()];
    let said = ask(&[&backup[..], &arguments].concat()).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = ask(&["store", "check", "--config", config.to_str().unwrap()]).await;
    assert_eq!(said.code, Some(0), "beside the daemon: {said:?}");
    let said = ask(&["store", "check", "--data", out.to_str().unwrap()]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    // The daemon goes on; then its disk is lost.
    let shown = world
        .until("it goes on", |live| live["stored_until"].is_string())
        .await;
    world
        .until("it goes on", |live| {
            live["stored_until"] != shown["stored_until"]
        })
        .await;
    world.kill().await;
    let after = blocks(&data);
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&out, &data).unwrap();

    world.start();
    let next = to + SignedDuration::from_mins(1);
    world.closed(from, next, |_| true).await;
    assert_eq!(revisions(&data, from, to), before.1);
    let restored = blocks(&data);
    for (seq, block) in &before.0 {
        assert_eq!(restored.get(seq), Some(block));
        assert_eq!(after.get(seq), Some(block));
    }
    world.end().await;
}
