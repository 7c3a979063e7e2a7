//! Copies of the ledger, made while it is written.
//!
//! ```text
//!   ledger.sqlite ──1 MiB──▶ ledger.sqlite.copy.new ──checked, synced──▶ ledger.sqlite.copy
//!        ▲                                                                   │
//!        └──────────────────── damaged, or gone: put back ───────────────────┘
//! ```
//!
//! A copy is one state of the ledger, that of the moment it begins: the reader that makes
//! it holds up no commit. It is made in steps with pauses, so that the disk stays free for
//! the journal. **What bears the name of a copy is whole**: it is checked and on the disk
//! before it gets it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, params};
use tracing::warn;

use super::{BUSY_TIMEOUT, COPIED, refuse_newer, suspect_file, with_suffix};
use crate::store::error::StoreError;
use crate::store::journal::block::timestamp;
use crate::store::place::sync_dir;

/// Pages of one step: a megabyte, some tens of milliseconds of a slow card.
const STEP_PAGES: i32 = 256;
/// Steps of a copy that is waited for.
const AT_ONCE: Duration = Duration::ZERO;

/// Where the daily copy of a ledger is.
#[must_use]
pub fn file(ledger: &Path) -> PathBuf {
    with_suffix(ledger, ".copy")
}

/// How a copy is made.
#[derive(Debug)]
pub struct Pace<'a> {
    /// Rest between two steps.
    pub pause: Duration,
    /// Gives it up, where it is set meanwhile.
    pub stop: &'a AtomicBool,
}

impl<'a> Pace<'a> {
    /// Without rest.
    #[must_use]
    pub fn at_once(stop: &'a AtomicBool) -> Self {
        Self {
            pause: AT_ONCE,
            stop,
        }
    }
}

/// Copies a ledger to `to`, in the place of what is there. `until` is the newest tick that
/// is in it. Returns whether it was made, and not given up.
///
/// # Errors
///
/// [`StoreError::Ledger`] and [`StoreError::Io`], a ledger that is found damaged among
/// them ([`StoreError::is_damaged_ledger`]); `to` is then what it was.
pub fn make(
    from: &Path,
    to: &Path,
    until: Option<Timestamp>,
    pace: &Pace<'_>,
) -> Result<bool, StoreError> {
    let new = with_suffix(to, ".new");
    let made = write(from, &new, until, pace).and_then(|done| {
        if done {
            finish(&new, to)?;
        }
        Ok(done)
    });
    if !matches!(made, Ok(true)) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(with_suffix(&new, suffix));
        }
    }
    made
}

fn write(
    from: &Path,
    new: &Path,
    until: Option<Timestamp>,
    pace: &Pace<'_>,
) -> Result<bool, StoreError> {
    let ledger = StoreError::ledger;
    let _ = fs::remove_file(new);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags).map_err(ledger(from))?;
    source.busy_timeout(BUSY_TIMEOUT).map_err(ledger(from))?;
    let mut target = Connection::open(new).map_err(ledger(new))?;
    // It is synced below; a torn one is thrown away.
    target
        .pragma_update(None, "synchronous", "off")
        .map_err(ledger(new))?;
    let file = File::open(new).map_err(StoreError::io(new))?;
    // One state: without it each commit meanwhile would begin the copy again.
    let state = source.unchecked_transaction().map_err(ledger(from))?;
    let begin = "SELECT count(*) FROM sqlite_schema";
    state
        .query_row(begin, [], |_| Ok(()))
        .map_err(ledger(from))?;
    {
        let backup = Backup::new(&source, &mut target).map_err(ledger(new))?;
        loop {
            if pace.stop.load(Relaxed) {
                return Ok(false);
            }
            if backup.step(STEP_PAGES).map_err(ledger(from))? == StepResult::Done {
                break;
            }
            // Bit by bit, so that the last sync is not one that the journal waits behind.
            file.sync_data().map_err(StoreError::io(new))?;
            std::thread::sleep(pace.pause);
        }
    }
    drop(state);
    let describe = || {
        // One file, whatever becomes of it.
        target.query_row("PRAGMA journal_mode = delete", [], |_| Ok(()))?;
        if let Some(until) = until {
            target.execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                params![COPIED, until.as_millisecond().to_string()],
            )?;
        }
        Ok(())
    };
    describe().map_err(ledger(new))?;
    drop(target);
    // As whoever opens it next will read it.
    let read_back = Connection::open(new).map_err(ledger(new))?;
    check_pages(&read_back, new)?;
    Ok(true)
}

/// Finds all pages of a ledger whole, or says what is not.
pub(super) fn check_pages(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let check = "PRAGMA quick_check(1)";
    let verdict = connection
        .query_row(check, [], |row| row.get::<_, String>(0))
        .map_err(StoreError::ledger(path))?;
    if verdict == "ok" {
        return Ok(());
    }
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    let source = rusqlite::Error::SqliteFailure(corrupt, Some(verdict));
    Err(StoreError::ledger(path)(source))
}

fn finish(new: &Path, to: &Path) -> Result<(), StoreError> {
    let synced = File::open(new).and_then(|file| file.sync_all());
    synced.map_err(StoreError::io(new))?;
    fs::rename(new, to).map_err(StoreError::io(to))?;
    to.parent()
        .map_or(Ok(()), sync_dir)
        .map_err(StoreError::io(to))
}

/// The newest tick that a ledger's daily copy knows; none where there is no copy, or
/// none that says so.
#[must_use]
pub fn taken(ledger: &Path) -> Option<Timestamp> {
    let path = file(ledger);
    if !path.is_file() || refuse_newer(&path).is_err() {
        return None;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).ok()?;
    let sql = "SELECT value FROM meta WHERE key = ?1";
    let text: String = connection
        .query_row(sql, params![COPIED], |row| row.get(0))
        .ok()?;
    text.parse().ok().map(timestamp)
}

/// Puts the daily copy in the place of a ledger that is not there any more. The copy stays,
/// unless the disk has no room for two.
pub(super) fn put_back(ledger: &Path) -> Result<(), StoreError> {
    let (copy, new) = (file(ledger), with_suffix(ledger, ".new"));
    match fs::copy(&copy, &new) {
        Ok(_) => finish(&new, ledger),
        Err(error) => {
            warn!(%error, "The copy of the ledger cannot be copied; it is moved into its place.");
            let _ = fs::remove_file(&new);
            finish(&copy, ledger)
        }
    }
}

/// Notes that a ledger was found damaged, so that the next start looks at all of it.
pub(in crate::store) fn suspect(ledger: &Path) {
    let _ = File::create(suspect_file(ledger));
}
