//! `sunledger influx`: prepare a database, prove that everything arrived.

use super::{ConfigFile, Failure, UNAVAILABLE};

/// Commands for InfluxDB.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Check the database, create the bucket, check the permission to write
    Setup(Target),
    /// Read back what arrived and compare it with the journal
    Audit(Target),
}

/// Which database.
#[derive(Debug, clap::Args)]
pub struct Target {
    #[command(flatten)]
    file: ConfigFile,
}

/// Runs a command.
///
/// # Errors
///
/// s
pub fn run(_command: Command) -> Result<(), Failure> {
    Err(Failure::new(UNAVAILABLE, "stub"))
}
