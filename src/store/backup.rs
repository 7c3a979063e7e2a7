//! A whole store copied while it is written, and read through without being changed.
//!
//! ```text
//!   ledger (one state, covers block n) ──▶ journal (to block m ≥ n) ──▶ everything else
//! ```
//!
//! The ledger goes first: what the journal has beyond it is replayed when the copy is
//! opened. **A backup bears its name when all of it is on the disk**; until then it is a
//! folder beside it that ends in `.new`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::error::StoreError;
use super::events;
use super::journal::verify as journal;
use super::ledger::copy::{self, Pace};
use super::ledger::verify as ledger;
use super::place::{self, sync_dir};

/// What a backup has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// The last block in it; none while there is none.
    pub last_seq: Option<u64>,
    /// Bytes of all its files.
    pub bytes: u64,
}

/// Copies the store in `dir` to `out`, which does not exist. Works beside a daemon.
///
/// # Errors
///
/// [`StoreError::Exists`] where `out` does, [`StoreError::Absent`] where there is no store,
/// and what disk or ledger say; then there is no `out`.
pub fn back_up(dir: &Path, out: &Path) -> Result<BackedUp, StoreError> {
    place::check_version(dir)?;
    let source = place::ledger_file(dir);
    if !source.is_file() {
        return Err(StoreError::Absent { path: source });
    }
    let mut new = out.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    for path in [out, &new] {
        if fs::symlink_metadata(path).is_ok() {
            let path = path.to_owned();
            return Err(StoreError::Exists { path });
        }
    }
    let done = fill(dir, &new).and_then(|done| {
        fs::rename(&new, out).map_err(StoreError::io(out))?;
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_dir(parent.unwrap_or(Path::new("."))).map_err(StoreError::io(out))?;
        Ok(done)
    });
    if done.is_err() {
        let _ = fs::remove_dir_all(&new);
    }
    done
}

fn fill(dir: &Path, new: &Path) -> Result<BackedUp, StoreError> {
    let folder = place::journal_dir(new);
    fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
    let made = copy::make(
        &place::ledger_file(dir),
        &place::ledger_file(new),
        None,
        &Pace::at_once(&AtomicBool::new(false)),
    )?;
    debug_assert!(made, "nobody gives it up");
    let last_seq = journal::copy(&place::journal_dir(dir), &folder)?;
    sync_dir(&folder).map_err(StoreError::io(&folder))?;
    copy_rest(dir, new, true).map_err(StoreError::io(dir))?;
    let bytes = size(new).map_err(StoreError::io(new))?;
    Ok(BackedUp { last_seq, bytes })
}

/// Whether a name in the folder of a store is of the moment, or of what was set aside.
fn stays_behind(name: &str) -> bool {
    name == "lock" || name == "journal" || name.starts_with("ledger.sqlite")
}

/// What people and servers said: meter events, quarantine, whatever else there is.
fn copy_rest(from: &Path, to: &Path, is_top: bool) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_top && stays_behind(&name.to_string_lossy()) {
            continue;
        }
        let target = to.join(&name);
        let kind = entry.file_type()?;
        if kind.is_dir() {
            fs::create_dir_all(&target)?;
            copy_rest(&entry.path(), &target, false)?;
        } else if kind.is_file() {
            match fs::copy(entry.path(), &target) {
                Ok(_) => File::open(&target)?.sync_all()?,
                // Written under another name and renamed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                Err(error) => return Err(error),
            }
        }
    }
    sync_dir(to)
}

fn size(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            size(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}

/// What a store is found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The journal.
    pub journal: journal::Verified,
    /// The ledger; none where there is none.
    pub ledger: Option<ledger::Verified>,
    /// What ledger and journal do not say the same of.
    pub between: Vec<String>,
    /// The newest tick that the daily copy knows, where there is one that can be read.
    pub copied: Option<jiff::Timestamp>,
    /// Meter events.
    pub events: usize,
    /// Lines of meter events that are damaged.
    pub damaged_events: usize,
}

impl Checked {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.journal.broken.is_empty()
            && self
                .ledger
                .as_ref()
                .is_some_and(|ledger| ledger.broken.is_empty())
            && self.between.is_empty()
            && self.damaged_events == 0
    }
}

/// Reads all of a store. Nothing is changed, and a daemon may run.
///
/// # Errors
///
/// [`StoreError::Absent`] where there is no store, [`StoreError::NewerVersion`], and
/// what cannot be read at all; damage is no error.
pub fn check(dir: &Path) -> Result<Checked, StoreError> {
    place::check_version(dir)?;
    let (folder, path) = (place::journal_dir(dir), place::ledger_file(dir));
    if !folder.is_dir() {
        return Err(StoreError::Absent { path: folder });
    }
    // The ledger first: the journal is ahead of it then.
    let ledger = path.is_file().then(|| ledger::verify(&path)).transpose()?;
    let journal = journal::verify(&folder)?;
    let events = events::read(dir)?;
    let mut between = Vec::new();
    if let Some(ledger) = ledger.as_ref().filter(|ledger| ledger.broken.is_empty()) {
        let last = journal.last.unwrap_or(0);
        let beyond = |what: &str, seq: u64| {
            (seq > last).then(|| format!("{what} is at block {seq}, the journal ends at {last}"))
        };
        between.extend(beyond("the ledger", ledger.covered));
        for (sink, seq) in &ledger.cursors {
            between.extend(beyond(&format!("sink {sink}"), *seq));
        }
        let first = journal.first.unwrap_or(0);
        if first > ledger.covered.saturating_add(1) {
            between.push(format!(
                "the ledger ends at block {}, the journal begins at {first}",
                ledger.covered
            ));
        }
    }
    Ok(Checked {
        journal,
        ledger,
        between,
        copied: copy::taken(&path),
        events: events.list.len(),
        damaged_events: events.damaged,
    })
}
