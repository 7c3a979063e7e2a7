//! `sunledger store`: what lies on the disk, read through, copied, made small, written out.

mod backup;
mod check;
mod compact;
mod export;

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::{Failure, USAGE};
use crate::app::meta;
use crate::config;
use crate::store::{LedgerReader, StoreError};

/// Subcommands of `store`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Read all of the store and name what is damaged, also while the daemon runs
    Check(check::Arguments),
    /// Copy the whole store while the daemon runs; the copy is a store
    Backup(backup::Arguments),
    /// Give back disk space that nothing needs, while the daemon is stopped
    Compact(compact::Arguments),
    /// Write the journal's rows of a period as line protocol or CSV
    Export(export::Arguments),
}

/// Which store.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// The configuration file [default: /etc/sunledger/sunledger.toml]
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    config: Option<PathBuf>,
    /// The directory of the store, instead of a configuration
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Which {
    /// Its configuration, unless the directory was named.
    fn setup(&self) -> Result<Option<config::Setup>, Failure> {
        if self.data.is_some() {
            return Ok(None);
        }
        let usual = Path::new("/etc/sunledger/sunledger.toml");
        let file = self.config.as_deref().unwrap_or(usual);
        Ok(Some(config::load(file)?))
    }

    /// Its directory.
    fn dir(&self) -> Result<PathBuf, Failure> {
        match (&self.data, self.setup()?) {
            (Some(dir), _) => Ok(dir.clone()),
            (None, Some(setup)) => Ok(setup.store.dir),
            (None, None) => Err(Failure::new(USAGE, "name a store with --config or --data")),
        }
    }
}

/// Runs a subcommand.
///
/// # Errors
///
/// What the subcommand says.
pub fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Check(arguments) => check::run(arguments),
        Command::Backup(arguments) => backup::run(arguments),
        Command::Compact(arguments) => compact::run(arguments),
        Command::Export(arguments) => export::run(arguments),
    }
}

fn failure(error: &StoreError) -> Failure {
    Failure::new(error.exit_code(), error.to_string())
}

/// The time zone of the store's park; UTC where the ledger does not say.
fn zone(dir: &Path) -> TimeZone {
    let name = LedgerReader::open(dir).and_then(|ledger| ledger.meta(meta::TIME_ZONE));
    let zone = name.ok().flatten().map(|name| TimeZone::get(&name));
    zone.and_then(Result::ok).unwrap_or(TimeZone::UTC)
}

/// Bytes as a person reads them.
fn size(bytes: u64) -> String {
    let whole = |unit: u64| (bytes / unit, bytes % unit * 10 / unit);
    let (number, unit) = match bytes {
        0..0x400 => return format!("{bytes} B"),
        0x400..0x10_0000 => (whole(0x400), "KiB"),
        0x10_0000..0x4000_0000 => (whole(0x10_0000), "MiB"),
        _ => (whole(0x4000_0000), "GiB"),
    };
    format!("{}.{} {unit}", number.0, number.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short_and_never_more_than_there_is() {
        #[rustfmt::skip]
        let cases = [
            (0,             "0 B"),
            (1_023,         "1023 B"),
            (1_024,         "1.0 KiB"),
            (0x10_0000 - 1, "1023.9 KiB"),
            (0x18_0000,     "1.5 MiB"),
            (5 << 30,       "5.0 GiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }
}
