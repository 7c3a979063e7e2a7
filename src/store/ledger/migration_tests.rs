//! Ledgers of earlier versions, with what was in them.

use std::path::PathBuf;

use super::*;
use crate::store::ledger::{Ledger, LedgerReader, version_file};

/// An interval as a program of that version would have left it.
const CONTENT: &str = "
INSERT INTO entry (start_ms, end_ms, meter, carrier, positive, mwh, reason, quality,
    coverage_pct, opening, closing)
    VALUES (0, 900000, 'pv', 'electricity', 1, 1234567, NULL, 0, 99.5, 10, 1234577);
INSERT INTO shape VALUES (0, 900000, 12.5, 0.0);
INSERT INTO closed VALUES (0, 900000);
INSERT INTO revision VALUES (0, 900000, 1, 1);
INSERT INTO interval (start_ms, end_ms, revision, flow, mwh, quality, coverage_pct, missing)
    VALUES (0, 900000, 1, 'generation', 1234567, 0, 99.5, NULL);
INSERT INTO meter_state VALUES ('pv', '{}');
INSERT INTO cursor VALUES ('local', 17);
INSERT INTO meta VALUES ('covered_seq', '42');
";

/// A ledger of an earlier version, and where it lies.
fn of_version(version: i64) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    let connection = Connection::open(&path).unwrap();
    connection
        .pragma_update(None, "journal_mode", "wal")
        .unwrap();
    for step in STEPS.iter().take(usize::try_from(version).unwrap()) {
        connection.execute_batch(step).unwrap();
    }
    connection
        .pragma_update(None, "user_version", version)
        .unwrap();
    connection.execute_batch(CONTENT).unwrap();
    (dir, path)
}

fn version_of(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    let sql = "PRAGMA user_version";
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_ledger_of_each_earlier_version_is_taken_over_with_all_that_is_in_it() {
    for version in 1..known() {
        let (dir, path) = of_version(version);
        let (ledger, standing, mended) = Ledger::open(&path).unwrap();
        assert_eq!(mended, None);
        assert_eq!(standing.covered_seq, 42, "version {version}");
        assert_eq!(standing.cursors, [("local".to_owned(), 17)]);
        assert_eq!(standing.state, [("pv".to_owned(), "{}".to_owned())]);
        let reader = LedgerReader::open(dir.path()).unwrap();
        let (from, to) = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
        let entries = reader.entries(from, to).unwrap();
        assert_eq!(entries.len(), 1, "version {version}");
        assert_eq!(entries[0].energy.unwrap().0, 1_234_567);
        let intervals = reader.intervals(from, to).unwrap();
        assert_eq!((intervals.len(), intervals[0].revision), (1, 1));
        let generation = intervals[0].flows.of(crate::domain::flow::Flow::Generation);
        assert_eq!(generation.as_ref().unwrap().value.0, 1_234_567);
        drop((ledger, reader));
        assert_eq!(version_of(&path), known());
    }
}

#[test]
fn the_earlier_ledger_is_kept_until_the_new_one_is_proven() {
    for version in 1..known() {
        let (_dir, path) = of_version(version);
        let kept = version_file(&path, version);
        drop(Ledger::open(&path).unwrap());
        assert_eq!(version_of(&kept), version);
        let old = Connection::open(&kept).unwrap();
        let sql = "SELECT mwh FROM entry";
        let mwh: i64 = old.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(mwh, 1_234_567, "as it was");
        drop(old);
        drop(Ledger::open(&path).unwrap());
        assert!(!kept.exists(), "the next start has found it good");
        drop(Ledger::open(&path).unwrap());
    }
}

#[test]
fn a_migrated_ledger_that_is_found_damaged_proves_nothing() {
    let (_dir, path) = of_version(2);
    let kept = version_file(&path, 2);
    drop(Ledger::open(&path).unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4_096..].fill(0x77);
    std::fs::write(&path, bytes).unwrap();
    let (_, _, mended) = Ledger::open(&path).unwrap();
    assert!(mended.is_some());
    assert_eq!(version_of(&kept), 2, "whoever needs it has it");
}

#[test]
fn a_ledger_that_cannot_be_kept_is_not_migrated() {
    let (_dir, path) = of_version(3);
    // Nothing can be renamed to the name of a folder that is not empty.
    let kept = version_file(&path, 3);
    std::fs::create_dir_all(kept.join("in the way")).unwrap();
    assert!(Ledger::open(&path).is_err());
    assert_eq!(version_of(&path), 3);
}

#[test]
fn a_new_ledger_has_no_earlier_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    drop(Ledger::open(&path).unwrap());
    for version in 0..=known() {
        assert!(!version_file(&path, version).exists());
    }
}
