//! `sunledger store compact`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Which, failure, size};
use crate::cli::{FINDING, Failure, IO, print};
use crate::domain::flow::Flows;
use crate::domain::quality::Gaps;
use crate::store::ledger::verify::verify;
use crate::store::{LedgerReader, Settings, Store, StoreError, place};

/// Arguments of `store compact`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Also delete damaged ledgers that were set aside
    #[arg(long)]
    remove_set_aside: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Makes the store small.
///
/// # Errors
///
/// [`FINDING`] for a ledger that is damaged, and what the store says: that a daemon runs
/// on it, for instance. What is deleted by then was not needed.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let setup = arguments.which.setup()?;
    let dir = arguments.which.dir()?;
    let path = place::ledger_file(&dir);
    let before = bytes(&dir);
    // Opening would create a store, or mend a ledger and say so to nobody.
    let cursors = LedgerReader::open(&dir).and_then(|ledger| ledger.cursors());
    let cursors = cursors.map_err(|error| failure(&error))?;
    let ledger = verify(&path).map_err(|error| failure(&error))?;
    if let Some(broken) = ledger.broken.first() {
        let sentence = format!("{broken}; start the daemon, which mends it, and stop it again");
        return Err(Failure::new(FINDING, sentence));
    }
    let (keep_days, sinks) = match &setup {
        Some(setup) => {
            let sinks = setup.sinks.iter().map(|sink| sink.name.clone());
            (setup.store.keep_days, sinks.collect())
        }
        // Nobody says how long anything is kept.
        None => (
            u32::MAX,
            cursors.into_iter().map(|(sink, _)| sink).collect(),
        ),
    };
    // Bounds that force nothing: only what may go goes.
    let settings = Settings {
        dir: dir.clone(),
        keep_days,
        max_bytes: u64::MAX,
        free_floor: 0,
        stop_when_full: false,
        sinks,
    };
    // Nothing is written that would have to be settled.
    let settle =
        Box::new(|_: &[_], _, _| Flows::new(std::array::from_fn(|_| Err(Gaps::config()))).into());
    let (store, _) = Store::open(settings, settle).map_err(|error| failure(&error))?;
    store.compact().map_err(|error| failure(&error))?;
    let aside = set_aside(&dir).map_err(|error| {
        failure(&StoreError::Io {
            path: dir.clone(),
            source: error,
        })
    })?;
    if arguments.remove_set_aside {
        for file in &aside {
            fs::remove_file(file)
                .map_err(|error| Failure::new(IO, format!("{}: {error}", file.display())))?;
        }
    }
    drop(store);
    let after = bytes(&dir);
    let text = if arguments.json {
        let report = json!({
            "bytes_before": before,
            "bytes_after": after,
            "set_aside": aside,
            "set_aside_removed": arguments.remove_set_aside,
        });
        format!("{report}\n")
    } else {
        let mut text = format!(
            "{}: {} before, {} now\n",
            dir.display(),
            size(before),
            size(after)
        );
        for file in &aside {
            let fate = if arguments.remove_set_aside {
                "is deleted"
            } else {
                "was set aside; --remove-set-aside deletes it"
            };
            text.push_str(&format!("  {} {fate}\n", file.display()));
        }
        if setup.is_none() {
            text.push_str("  segments stay: only a configuration (--config) says what is kept\n");
        }
        text
    };
    print(&text)
}

/// Bytes of journal and ledger.
fn bytes(dir: &Path) -> u64 {
    let of = |dir: &Path| -> u64 {
        let files = fs::read_dir(dir).into_iter().flatten().flatten();
        let files = files.filter_map(|entry| entry.metadata().ok());
        files
            .filter(fs::Metadata::is_file)
            .map(|file| file.len())
            .sum()
    };
    of(dir).saturating_add(of(&place::journal_dir(dir)))
}

/// Ledgers that were damaged, with the files beside them.
fn set_aside(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut aside = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("ledger.sqlite.damaged-") {
            aside.push(entry.path());
        }
    }
    aside.sort();
    Ok(aside)
}
