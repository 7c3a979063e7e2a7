//! The tables of the ledger.
//!
//! | table | a row is |
//! |---|---|
//! | `entry` | what one channel of one meter moved in one span, latest knowledge |
//! | `entry_before` | what an entry of a closed span said before it said something else |
//! | `shape` | how export was fed in a span |
//! | `observed` | the mean of one sensor in one span, and its last word there |
//! | `closed` | a span that is closed |
//! | `revision` | one statement of a closed span, and whether the journal has it |
//! | `interval` | the energy of one flow in one revision |
//! | `meter_state` | where the engine stands with one meter |
//! | `cursor` | how far a sink has come |
//! | `meta` | the journal sequence that all of this covers, counters, the park |
//!
//! Times are milliseconds since 1970, energies milliwatt-hours; unknown is NULL.
//! A span is told by both of its ends, so that another settlement interval in
//! the configuration never meets the rows of the one before.

use std::path::Path;

use rusqlite::Connection;

use crate::store::error::StoreError;

/// The steps from an empty file to the schema of this version: step `n` leads to
/// `user_version` `n + 1`. A released step never changes.
pub(super) const STEPS: &[&str] = &[
    "
CREATE TABLE entry (
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    meter TEXT NOT NULL,
    carrier TEXT NOT NULL,
    positive INTEGER NOT NULL,
    mwh INTEGER,
    reason TEXT,
    quality INTEGER NOT NULL,
    coverage_pct REAL NOT NULL,
    opening INTEGER,
    closing INTEGER,
    PRIMARY KEY (start_ms, end_ms, meter, carrier, positive)
) WITHOUT ROWID;
CREATE TABLE shape (
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    generation_wh REAL NOT NULL,
    battery_wh REAL NOT NULL,
    PRIMARY KEY (start_ms, end_ms)
) WITHOUT ROWID;
CREATE TABLE closed (
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    PRIMARY KEY (start_ms, end_ms)
) WITHOUT ROWID;
CREATE TABLE revision (
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    journaled INTEGER NOT NULL,
    PRIMARY KEY (start_ms, end_ms, revision)
) WITHOUT ROWID;
CREATE INDEX revision_unjournaled ON revision (start_ms) WHERE journaled = 0;
CREATE TABLE interval (
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    flow TEXT NOT NULL,
    mwh INTEGER,
    quality INTEGER NOT NULL,
    coverage_pct REAL NOT NULL,
    missing TEXT,
    PRIMARY KEY (start_ms, end_ms, revision, flow)
) WITHOUT ROWID;
CREATE TABLE meter_state (
    meter TEXT PRIMARY KEY,
    json TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE cursor (
    sink TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
",
    "
CREATE TABLE entry_before (
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    meter TEXT NOT NULL,
    carrier TEXT NOT NULL,
    positive INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    mwh INTEGER,
    reason TEXT,
    quality INTEGER NOT NULL,
    coverage_pct REAL NOT NULL,
    opening INTEGER,
    closing INTEGER,
    PRIMARY KEY (start_ms, end_ms, meter, carrier, positive, revision)
) WITHOUT ROWID;
",
    "
ALTER TABLE entry ADD COLUMN made INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entry_before ADD COLUMN made INTEGER NOT NULL DEFAULT 0;
ALTER TABLE interval ADD COLUMN made INTEGER NOT NULL DEFAULT 0;
",
    "
CREATE TABLE observed (
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    meter TEXT NOT NULL,
    quantity TEXT NOT NULL,
    mean REAL NOT NULL,
    last REAL NOT NULL,
    coverage_pct REAL NOT NULL,
    PRIMARY KEY (start_ms, end_ms, meter, quantity)
) WITHOUT ROWID;
",
    // A year of one channel is one range, with all that a sum of it wants.
    "
CREATE INDEX entry_of_channel ON entry
    (meter, carrier, positive, start_ms, end_ms, mwh, reason, quality, coverage_pct, made);
",
];

/// The schema that this program writes.
pub(super) fn known() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Refuses a ledger that a newer version wrote.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let found: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(StoreError::ledger(path))?;
    newer(found, path).map_or(Ok(found), Err)
}

/// The refusal, where a number is newer than [`known`].
pub(super) fn newer(found: i64, path: &Path) -> Option<StoreError> {
    (found > known()).then(|| StoreError::NewerVersion {
        path: path.to_owned(),
        found: u64::try_from(found).unwrap_or(0),
        known: u64::try_from(known()).unwrap_or(0),
    })
}

/// Brings a ledger to this version, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found = check(connection, path)?;
    let done = usize::try_from(found).unwrap_or(0);
    for (version, step) in (1_i64..).zip(STEPS).skip(done) {
        let apply = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", version)?;
            transaction.commit()
        };
        apply(connection).map_err(StoreError::ledger(path))?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "migration_tests.rs"]
mod tests;
