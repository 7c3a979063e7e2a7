//! The ledger: what the readings amount to, and how far everybody has come.
//!
//! SQLite in WAL mode with `synchronous=FULL`: a transaction that is committed
//! survives a power cut. The ledger is derived from the journal and knows the
//! last sequence that it covers; what the journal has beyond is caught up at the
//! start. A ledger that is damaged is set aside; its daily copy ([`copy`]) takes its
//! place, or else an empty one, and the journal is caught up with from there.
//!
//! **A revision is never overwritten.** The first closing of a span is revision
//! 1; what is learned later and changes a flow is the next revision beside it.

pub mod copy;
pub mod reader;
mod rows;
mod schema;
pub mod verify;
mod write;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tracing::{info, warn};

pub use reader::LedgerReader;

use super::error::StoreError;
use super::journal::block::timestamp;
use super::pending::Pending;
use super::place::{self, sync_dir};
use crate::domain::balance::Settled;
use crate::domain::interval::{Entry, ExportShape, Interval, Span};

/// What a span comes to from its entries: `domain::balance::settle_all` with the park.
pub type Settle = Box<dyn Fn(&[Entry], ExportShape, Span) -> Settled + Send>;

/// How long a statement waits for another process that holds the file: longer
/// than a report's longest query.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The write-ahead log is cut back to this when it is empty.
const WAL_BYTES: i64 = 4 << 20;
/// Up to this size the whole ledger is checked at the start: a tenth of a second.
const CHECK_BYTES: u64 = 32 << 20;
/// Where SQLite's file header has `user_version`, four bytes big-endian.
const USER_VERSION_AT: u64 = 60;

const COVERED: &str = "covered_seq";
const COPIED: &str = "copied_ms";
const DROPPED_POINTS: &str = "dropped_points";
const DROPPED_SEQ: &str = "dropped_seq";

/// The ledger, owned by the one thread that writes.
pub struct Ledger {
    path: PathBuf,
    connection: Connection,
}

/// What a ledger knows when it is opened.
#[derive(Debug, Default)]
pub struct Standing {
    /// The last journal sequence that it covers.
    pub covered_seq: u64,
    /// Where the engine stood then, by meter.
    pub state: Vec<(String, String)>,
    /// How far each sink has come.
    pub cursors: Vec<(String, u64)>,
    /// Revisions that are not in the journal yet.
    pub unjournaled: Vec<Interval>,
    /// Points that were dropped before every sink had them, ever.
    pub dropped_points: u64,
    /// Sequence up to which they are counted.
    pub dropped_seq: u64,
}

/// A ledger that was damaged or gone, and what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// Where the damaged one was put; none where there was nothing to keep.
    pub aside: Option<PathBuf>,
    /// The newest tick that the copy in its place knows; none where it was begun anew.
    pub copied: Option<Timestamp>,
}

impl Ledger {
    /// Opens or creates the ledger. One that is damaged is set aside, and one that is
    /// damaged or gone is followed by its daily copy, else by an empty one.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerVersion`] with the file untouched, and whatever keeps a
    /// new one from being created.
    pub fn open(path: &Path) -> Result<(Self, Standing, Option<Mended>), StoreError> {
        let copy = copy::file(path);
        refuse_newer(path)?;
        refuse_newer(&copy)?;
        // An empty file would pass for a new ledger.
        let is_gone = match fs::metadata(path) {
            Ok(metadata) => metadata.len() == 0,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if !(is_gone && copy.is_file()) {
            match Self::try_open(path) {
                Err(error) if error.is_damaged_ledger() => {
                    warn!(%error, "The ledger is damaged.");
                }
                opened => return opened.map(|(ledger, standing)| (ledger, standing, None)),
            }
        }
        let aside = set_aside(path)?;
        if copy.is_file() {
            copy::put_back(path)?;
            // All of it is looked at, however large it is.
            let _ = File::create(suspect_file(path));
            match Self::try_open(path) {
                Err(error) if error.is_damaged_ledger() => {
                    warn!(%error, "The copy of the ledger is damaged, too.");
                    set_aside(path)?;
                }
                opened => {
                    let (ledger, standing) = opened?;
                    let copied = Some(ledger.copied()?.unwrap_or(Timestamp::MIN));
                    warn!(aside = shown(&aside), until = ?copied, "The ledger is restored from its copy; the journal is replayed from there.");
                    return Ok((ledger, standing, Some(Mended { aside, copied })));
                }
            }
        }
        warn!(
            aside = shown(&aside),
            "The ledger is begun anew from the journal."
        );
        let (ledger, standing) = Self::try_open(path)?;
        let mended = Mended {
            aside,
            copied: None,
        };
        Ok((ledger, standing, Some(mended)))
    }

    /// The newest tick that a copy knows, where this is one or was one.
    fn copied(&self) -> Result<Option<Timestamp>, StoreError> {
        let ms = self.meta(COPIED)?.and_then(|text| text.parse().ok());
        Ok(ms.map(timestamp))
    }

    fn try_open(path: &Path) -> Result<(Self, Standing), StoreError> {
        let mut connection = Connection::open(path).map_err(StoreError::ledger(path))?;
        let prepare = |connection: &Connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "full")?;
            connection.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
            connection.set_prepared_statement_cache_capacity(64);
            Ok(())
        };
        prepare(&connection).map_err(StoreError::ledger(path))?;
        let found = schema::check(&connection, path)?;
        if found > 0 && found < schema::known() {
            keep_before_migration(path, found)?;
        }
        schema::migrate(&mut connection, path)?;
        let ledger = Self {
            path: path.to_owned(),
            connection,
        };
        ledger.check_content(found == schema::known())?;
        let standing = ledger.standing()?;
        Ok((ledger, standing))
    }

    /// Looks for damage: in a small ledger everywhere, in a large one only after
    /// a statement has met some, or after a migration. What was kept of an earlier version
    /// goes when an earlier run has migrated it and it is found good.
    fn check_content(&self, is_settled: bool) -> Result<(), StoreError> {
        let suspect = suspect_file(&self.path);
        let size = fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        let kept: Vec<PathBuf> = (1..schema::known())
            .map(|version| version_file(&self.path, version))
            .filter(|file| file.is_file())
            .collect();
        if size > CHECK_BYTES && !suspect.exists() && kept.is_empty() {
            return Ok(());
        }
        copy::check_pages(&self.connection, &self.path)?;
        let _ = fs::remove_file(suspect);
        for file in kept.iter().filter(|_| is_settled) {
            match fs::remove_file(file) {
                Ok(()) => {
                    info!(file = %file.display(), "The ledger of the earlier version is not needed any more.")
                }
                Err(error) => {
                    warn!(file = %file.display(), %error, "The ledger of an earlier version cannot be deleted.")
                }
            }
        }
        Ok(())
    }

    fn standing(&self) -> Result<Standing, StoreError> {
        let number = |key: &str| -> Result<u64, StoreError> {
            Ok(self
                .meta(key)?
                .and_then(|text| text.parse().ok())
                .unwrap_or(0))
        };
        let read = || {
            let mut state = self
                .connection
                .prepare_cached("SELECT meter, json FROM meter_state")?;
            let state = state
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(state)
        };
        let state = read().map_err(StoreError::ledger(&self.path))?;
        Ok(Standing {
            covered_seq: number(COVERED)?,
            state,
            cursors: reader::cursors(&self.connection, &self.path)?,
            unjournaled: self.unjournaled()?,
            dropped_points: number(DROPPED_POINTS)?,
            dropped_seq: number(DROPPED_SEQ)?,
        })
    }

    /// Writes everything that is pending in one transaction, and returns the new
    /// revisions of intervals.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`]: then nothing of it is written, and all of it is to
    /// be tried again.
    pub fn write(
        &mut self,
        pending: &Pending,
        settle: &Settle,
    ) -> Result<Vec<Interval>, StoreError> {
        let mut write = || {
            // Somebody else may revise meanwhile: the lock is taken before anything is read.
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let fresh = write::pending(&transaction, pending, settle)?;
            transaction.commit()?;
            Ok(fresh)
        };
        write().map_err(|source| {
            let error = StoreError::ledger(&self.path)(source);
            if error.is_damaged_ledger() {
                // The next start looks closer, whatever the size.
                let _ = File::create(suspect_file(&self.path));
            }
            error
        })
    }

    /// Revisions that are not in the journal yet, as far as is known.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn unjournaled(&self) -> Result<Vec<Interval>, StoreError> {
        let read = || {
            let mut keys = self.connection.prepare_cached(
                "SELECT start_ms, end_ms, revision FROM revision
                 WHERE journaled = 0 ORDER BY start_ms, end_ms, revision",
            )?;
            keys.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        let keys = read().map_err(StoreError::ledger(&self.path))?;
        rows::intervals(&self.connection, &self.path, &keys)
    }

    /// Whether a span is closed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn is_closed(&self, span: &Span) -> Result<bool, StoreError> {
        write::is_closed(&self.connection, span).map_err(StoreError::ledger(&self.path))
    }

    /// Whether any meter's books have been kept in it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn has_books(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM entry) OR EXISTS (SELECT 1 FROM meter_state)";
        Ok(self.ask(sql)?.unwrap_or(false))
    }

    /// A remembered word.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        reader::meta(&self.connection, &self.path, key)
    }

    /// Remembers a word.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn set_meta(&self, key: &str, value: &str) -> Result<(), StoreError> {
        write::set_meta(&self.connection, key, value).map_err(StoreError::ledger(&self.path))
    }

    /// Writes it anew without what was deleted in it.
    pub(super) fn compact(&self) -> Result<(), StoreError> {
        let compact = || {
            self.connection.execute_batch("VACUUM")?;
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            self.connection.query_row(checkpoint, [], |_| Ok(()))
        };
        compact().map_err(StoreError::ledger(&self.path))
    }

    fn ask<T: rusqlite::types::FromSql>(&self, sql: &str) -> Result<Option<T>, StoreError> {
        self.connection
            .query_row(sql, params![], |row| row.get(0))
            .optional()
            .map_err(StoreError::ledger(&self.path))
    }
}

/// Enters what was found out later about spans that are over, beside a daemon that may
/// run. The revisions that follow are taken up by the daemon, or by its next start, and go
/// to the sinks from there.
///
/// # Errors
///
/// [`StoreError::Absent`] and [`StoreError::NewerVersion`] where there is no ledger to
/// enter it in, [`StoreError::Ledger`] where it cannot be written: then nothing is.
pub fn revise(
    dir: &Path,
    entries: Vec<Entry>,
    closed: Vec<(Span, ExportShape)>,
    settle: &Settle,
) -> Result<Vec<Interval>, StoreError> {
    let path = place::ledger_file(dir);
    if !path.is_file() {
        return Err(StoreError::Absent { path });
    }
    refuse_newer(&path)?;
    let (mut ledger, _) = Ledger::try_open(&path)?;
    let pending = Pending::late(entries, closed);
    ledger.write(&pending, settle)
}

/// Refuses a newer ledger by the bytes of its header: opening it with SQLite
/// could already change the files beside it.
fn refuse_newer(path: &Path) -> Result<(), StoreError> {
    let mut number = [0; 4];
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(USER_VERSION_AT))?;
        file.read_exact(&mut number)
    });
    match read {
        Ok(()) => (),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof
            ) =>
        {
            return Ok(());
        }
        Err(source) => {
            return Err(StoreError::Unwritable {
                path: path.to_owned(),
                source,
            });
        }
    }
    let mut magic = [0; 16];
    let is_sqlite = File::open(path)
        .and_then(|mut file| file.read_exact(&mut magic))
        .is_ok_and(|()| magic == *b"SQLite format 3\0");
    if !is_sqlite {
        return Ok(());
    }
    schema::newer(i64::from(i32::from_be_bytes(number)), path).map_or(Ok(()), Err)
}

/// Renames a damaged ledger, with the files beside it, to the first free name; none where
/// there is nothing. A log without its ledger would go into the one that follows.
fn set_aside(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    let mut number = 1_u64;
    let aside = loop {
        let aside = with_suffix(path, &format!(".damaged-{number}"));
        if !aside.exists() {
            break aside;
        }
        number += 1;
    };
    for beside in ["-wal", "-shm"] {
        let from = with_suffix(path, beside);
        if from.exists() {
            fs::rename(&from, with_suffix(&aside, beside)).map_err(StoreError::io(&from))?;
        }
    }
    let there = path.exists();
    if there {
        fs::rename(path, &aside).map_err(StoreError::io(path))?;
    }
    let _ = fs::remove_file(suspect_file(path));
    path.parent()
        .map_or(Ok(()), sync_dir)
        .map_err(StoreError::io(path))?;
    Ok(there.then_some(aside))
}

/// A path that may be none, for the log.
fn shown(path: &Option<PathBuf>) -> Option<tracing::field::DisplayValue<std::path::Display<'_>>> {
    path.as_ref()
        .map(|path| tracing::field::display(path.display()))
}

/// Keeps a ledger as it is before it is brought to this version. One that is kept already
/// is of an attempt that did not come to its end, and older.
fn keep_before_migration(path: &Path, version: i64) -> Result<(), StoreError> {
    let kept = version_file(path, version);
    if !kept.is_file() {
        let stop = AtomicBool::new(false);
        copy::make(path, &kept, None, &copy::Pace::at_once(&stop))?;
    }
    info!(kept = %kept.display(), from = version, to = schema::known(), "The ledger is brought to this version; the old one is kept until the next start.");
    Ok(())
}

/// Where a ledger of an earlier version is kept.
fn version_file(path: &Path, version: i64) -> PathBuf {
    with_suffix(path, &format!(".v{version}"))
}

/// A mark that a statement has met damage.
fn suspect_file(path: &Path) -> PathBuf {
    with_suffix(path, ".suspect")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
