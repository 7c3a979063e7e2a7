//! What can go wrong with a store, said to the person at the box.

use std::io;
use std::path::{Path, PathBuf};

/// Why the store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the lock.
    #[error(
        "{dir}: another sunledger{holder} uses this store; stop it, or give this one a directory of its own (store.dir)",
        dir = .dir.display()
    )]
    Locked {
        /// The directory of the store.
        dir: PathBuf,
        /// ` (process 123)`, where the lock file says so.
        holder: String,
    },
    /// The directory, or a file in it, cannot be created or opened for writing.
    #[error(
        "{path}: the store cannot be written ({source}); let the user of this process write there, or choose another store.dir",
        path = .path.display()
    )]
    Unwritable {
        /// What was tried.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A newer version of the program wrote this.
    #[error(
        "{path}: a newer sunledger wrote this store (format {found}, this one knows {known}); start that version, or choose another store.dir; nothing was changed",
        path = .path.display()
    )]
    NewerVersion {
        /// Where the number stands.
        path: PathBuf,
        /// The number there.
        found: u64,
        /// The newest that this program knows.
        known: u64,
    },
    /// There is no store to read.
    #[error(
        "{path}: no store here; is store.dir right, and has the daemon run?",
        path = .path.display()
    )]
    Absent {
        /// Where one was expected.
        path: PathBuf,
    },
    /// There is no room, and nothing may be deleted for it.
    #[error(
        "{dir}: nothing is recorded: {why}, and store.when_full is stop_recording; it goes on by itself when a sink has taken what waits, or when there is room",
        dir = .dir.display()
    )]
    Full {
        /// The directory of the store.
        dir: PathBuf,
        /// What there is no room for.
        why: &'static str,
    },
    /// A copy would take the place of something.
    #[error("{path}: is there already; choose another --out", path = .path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// Reading or writing a file failed.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The ledger refused a statement.
    #[error("{path}: {source}", path = .path.display())]
    Ledger {
        /// The ledger.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// More text than a block may hold.
    #[error("{bytes} bytes of readings in one batch, a block of the journal holds {most}")]
    TooLarge {
        /// Length of the text.
        bytes: usize,
        /// The most there may be.
        most: usize,
    },
    /// The thread that owns the store has ended.
    #[error("the store has stopped")]
    Stopped,
}

impl StoreError {
    /// The exit code of a command that ends with this.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NewerVersion { .. } => 78,
            Self::TooLarge { .. } | Self::Stopped => 70,
            _ => 74,
        }
    }

    /// An I/O error with the file that it is about.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// A SQLite error with the ledger that it is about.
    pub(super) fn ledger(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self + '_ {
        move |source| Self::Ledger {
            path: path.to_owned(),
            source,
        }
    }

    /// Whether the content of the ledger is broken or cannot be read, as opposed to a disk
    /// that takes nothing, or the permissions.
    #[must_use]
    pub fn is_damaged_ledger(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        use rusqlite::ffi::{SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ};
        let Self::Ledger { source, .. } = self else {
            return false;
        };
        source.sqlite_error().is_some_and(|error| {
            matches!(error.code, DatabaseCorrupt | NotADatabase)
                || matches!(
                    error.extended_code,
                    SQLITE_IOERR_READ | SQLITE_IOERR_SHORT_READ
                )
        })
    }
}
