//! The directory of a store: its format number, its lock, its files.
//!
//! ```text
//! DIR/version          format number, one line
//! DIR/lock             held for as long as a daemon lives
//! DIR/journal/…        see `journal`
//! DIR/ledger.sqlite    see `ledger`, which is copied each day to ledger.sqlite.copy
//! ```
//!
//! A store with a newer number is refused before a byte of it changes. The lock
//! belongs to the process, not to the file: what a dead process leaves behind
//! locks nobody out.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing::warn;

use super::error::StoreError;

/// The format that this program writes.
pub const FORMAT: u64 = 1;

/// The file with the format number.
#[must_use]
pub fn version_file(dir: &Path) -> PathBuf {
    dir.join("version")
}

/// The folder of segment files.
#[must_use]
pub fn journal_dir(dir: &Path) -> PathBuf {
    dir.join("journal")
}

/// The ledger.
#[must_use]
pub fn ledger_file(dir: &Path) -> PathBuf {
    dir.join("ledger.sqlite")
}

/// A directory that this process alone writes to.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
    // Closing the file releases the lock.
    _lock: File,
}

impl Place {
    /// Creates the directory where there is none, and takes it into possession.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerVersion`] before anything is changed,
    /// [`StoreError::Locked`], [`StoreError::Unwritable`].
    pub fn take(dir: &Path) -> Result<Self, StoreError> {
        check_version(dir)?;
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Unwritable { path, source }
        };
        fs::create_dir_all(dir).map_err(unwritable(dir))?;
        let lock = lock(dir)?;
        let version = version_file(dir);
        if read_version(&version)? != Some(FORMAT) {
            replace(&version, &format!("{FORMAT}\n")).map_err(unwritable(&version))?;
        }
        let journal = journal_dir(dir);
        if !journal.is_dir() {
            fs::create_dir_all(&journal).map_err(unwritable(&journal))?;
            sync_dir(dir).map_err(unwritable(dir))?;
        }
        Ok(Self {
            dir: dir.to_owned(),
            _lock: lock,
        })
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Free bytes of the file system; all there can be where it does not say.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        rustix::fs::statvfs(&self.dir)
            .map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize))
    }
}

/// Refuses a directory that a newer version wrote; one without a number is fine.
///
/// # Errors
///
/// [`StoreError::NewerVersion`], or [`StoreError::Io`] where the number cannot be read.
pub fn check_version(dir: &Path) -> Result<(), StoreError> {
    let path = version_file(dir);
    match read_version(&path)? {
        Some(found) if found > FORMAT => Err(StoreError::NewerVersion {
            path,
            found,
            known: FORMAT,
        }),
        _ => Ok(()),
    }
}

fn read_version(path: &Path) -> Result<Option<u64>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => {
            let number = std::str::from_utf8(&bytes)
                .ok()
                .and_then(|text| text.trim().parse().ok());
            if number.is_none() {
                // It is written in one piece, so only a bad disk leaves this behind.
                warn!(path = %path.display(), "The format number of the store is unreadable.");
            }
            Ok(number)
        }
        // A component that is no directory: creating it says so, with the remedy.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(source) => Err(StoreError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

/// A store that no daemon can start on for as long as this lives.
#[derive(Debug)]
pub struct KeptOut {
    _lock: File,
}

/// Keeps daemons out of a store without taking or creating anything; none where there
/// is no store that one could run on.
///
/// # Errors
///
/// [`StoreError::Locked`] where one runs, [`StoreError::Io`] where nobody can tell.
pub fn keep_out(dir: &Path) -> Result<Option<KeptOut>, StoreError> {
    let path = dir.join("lock");
    let unknown = |source| StoreError::Io {
        path: path.clone(),
        source,
    };
    // Read-only is enough for the lock, and all that another user may have.
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(unknown(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(KeptOut { _lock: file })),
        Err(TryLockError::WouldBlock) => Err(locked(dir)),
        Err(TryLockError::Error(source)) => Err(unknown(source)),
    }
}

/// Somebody holds the lock.
fn locked(dir: &Path) -> StoreError {
    let holder = fs::read_to_string(dir.join("lock"))
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok())
        .map_or_else(String::new, |process| format!(" (process {process})"));
    StoreError::Locked {
        dir: dir.to_owned(),
        holder,
    }
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let unwritable = |source| StoreError::Unwritable {
        path: path.clone(),
        source,
    };
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => (),
        Err(TryLockError::WouldBlock) => return Err(locked(dir)),
        Err(TryLockError::Error(source)) => return Err(unwritable(source)),
    }
    // The number is for the message above; nothing depends on it.
    let _ = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

/// Writes a small file so that after a power cut there is the old or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes created and deleted names of a directory durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_who_was_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = Place::take(dir.path()).unwrap();
        let error = Place::take(dir.path()).unwrap_err();
        assert_eq!(error.exit_code(), 74);
        assert_eq!(
            error.to_string(),
            format!(
                "{}: another sunledger (process {}) uses this store; stop it, or give this one a directory of its own (store.dir)",
                dir.path().display(),
                std::process::id()
            )
        );
        drop(first);
        Place::take(dir.path()).unwrap();
    }

    #[test]
    fn daemons_are_kept_out_of_a_store_and_nothing_is_created() {
        let dir = tempfile::tempdir().unwrap();
        assert!(keep_out(dir.path()).unwrap().is_none());
        assert!(keep_out(&dir.path().join("nowhere")).unwrap().is_none());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let daemon = Place::take(dir.path()).unwrap();
        let refused = keep_out(dir.path()).unwrap_err();
        assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
        drop(daemon);
        let kept_out = keep_out(dir.path()).unwrap().unwrap();
        assert!(Place::take(dir.path()).is_err());
        drop(kept_out);
        Place::take(dir.path()).unwrap();
    }

    #[test]
    fn a_newer_store_is_refused_before_a_byte_changes() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(version_file(dir.path()), "2\n").unwrap();
        let error = Place::take(dir.path()).unwrap_err();
        assert_eq!(error.exit_code(), 78);
        assert!(error.to_string().contains("format 2, this one knows 1"));
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "only the version file is there");
        assert_eq!(fs::read(version_file(dir.path())).unwrap(), b"2\n");
    }

    #[test]
    fn a_damaged_format_number_does_not_keep_the_daemon_from_starting() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(version_file(dir.path()), [0, 0xff]).unwrap();
        Place::take(dir.path()).unwrap();
        assert_eq!(fs::read(version_file(dir.path())).unwrap(), b"1\n");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Place::take(&file.join("store")).unwrap_err();
        assert_eq!(error.exit_code(), 74);
        assert_eq!(
            error.to_string(),
            format!(
                "{}: the store cannot be written (Not a directory (os error 20)); let the user of this process write there, or choose another store.dir",
                file.join("store").display()
            )
        );
    }
}
