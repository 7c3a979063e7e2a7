//! Commands: one file each, arguments in, exit code out.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 64 | the command line is wrong |
//! | 65 | a finding: the check found something, or numbers of a file that cannot be |
//! | 69 | nothing answers |
//! | 70 | a bug |
//! | 74 | input or output: a port in use, a store that is locked or cannot be written |
//! | 78 | configuration, or a store of a newer version |
//!
//! Data goes to standard output, everything else to standard error.

pub mod asking;
pub mod calc;
pub mod check;
pub mod columns;
pub mod commission;
pub mod demo;
pub mod devices;
pub mod endpoint;
pub mod explain;
pub mod influx;
pub mod meter_event;
pub mod plan;
pub mod probe;
pub mod quarantine;
mod recompute;
mod replay;
pub mod report;
pub mod run;
pub mod scan;
pub mod simulate;
pub mod status;
mod steps;
pub mod store;
mod validate;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{ConfigError, Problem};

/// The command line is wrong.
pub const USAGE: u8 = 64;
/// A finding.
pub const FINDING: u8 = 65;
/// Nothing answers.
pub const UNAVAILABLE: u8 = 69;
/// A bug.
pub const BUG: u8 = 70;
/// Input or output.
pub const IO: u8 = 74;
/// Configuration.
pub const CONFIG: u8 = 78;

const EXIT_CODES: &str = "Exit codes: 0 done, 64 usage, 65 a finding, 69 nothing answers, 70 bug, \
74 input/output (port in use, store locked or unwritable), 78 configuration.";

/// Live energy balance, exact books and grid-export reports for a solar-thermal park.
///
/// Polls Modbus meters (read-only) and MQTT sensors, computes each second what the park
/// generates, uses itself, exports and imports, and the heat it supplies; keeps every
/// reading on its own disk first and delivers it to InfluxDB; serves a live page.
///
/// Try it without any hardware: sunledger demo
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, disable_help_subcommand = true)]
struct Arguments {
    /// How logs are written to standard error [default: journald under systemd, else text]
    #[arg(long, global = true, value_name = "FORMAT", value_parser = ["text", "json", "journald"])]
    log_format: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Simulate a whole park on this machine and watch it, with nothing to install
    Demo(demo::Arguments),
    /// Run the daemon
    Run(run::Arguments),
    /// Check a configuration file and list every mistake with its remedy
    Check(check::Arguments),
    /// Show what the configuration asks of each bus: requests, bytes, load in percent
    Plan(plan::Arguments),
    /// List the device templates, or one of them with its points and sources
    Devices(devices::Arguments),
    /// Read registers of a device once, as every type and order side by side
    Probe(probe::Arguments),
    /// Find out which units answer at an endpoint, and what they are
    Scan(scan::Arguments),
    /// Read every meter for a minute, and say whether what it says is right
    Commission(commission::Arguments),
    /// Show what a running daemon sees now
    Status(status::Arguments),
    /// Serve the park of a configuration on this machine, with faults, to rehearse
    Simulate(simulate::Arguments),
    /// Write a report from the ledger, also while the daemon runs
    Report(report::Arguments),
    /// Enter what happened to a meter: an exchange, a reset, another ratio, a correction
    #[command(subcommand)]
    MeterEvent(meter_event::Command),
    /// Show where the numbers of an interval come from, down to the registers
    Explain(explain::Arguments),
    /// Check whether the interval data of some days is whole, possible, and like others
    Validate(validate::Arguments),
    /// Compute the ledger of some days again from the journal
    Recompute(recompute::Arguments),
    /// Check, back up, compact or export what lies on the disk
    #[command(subcommand)]
    Store(store::Command),
    /// Do a single sum by hand, with the code of the daemon
    #[command(subcommand)]
    Calc(calc::Command),
    /// Prepare InfluxDB, or prove that everything arrived there
    #[command(subcommand)]
    Influx(influx::Command),
    /// List the rows that a database refused, send them again, delete them
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// Send what was journaled in a period to a sink again, also while the daemon runs
    Replay(replay::Arguments),
}

/// A configuration file.
#[derive(Debug, clap::Args)]
pub struct ConfigFile {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/sunledger/sunledger.toml"
    )]
    pub config: PathBuf,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What happened, with a remedy.
    pub sentence: String,
}

impl Failure {
    /// A failure with its code and sentence.
    #[must_use]
    pub fn new(code: u8, sentence: impl Into<String>) -> Self {
        Self {
            code,
            sentence: sentence.into(),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let mut sentence = error.to_string();
        let code = match &error {
            ConfigError::Read { .. } => CONFIG,
            ConfigError::Meaning { problems, .. } => {
                sentence.push('\n');
                sentence.push_str(&problem_text(problems));
                CONFIG
            }
        };
        Self { code, sentence }
    }
}

/// Problems as a person reads them.
#[must_use]
pub fn problem_text(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let line = problem
            .line
            .map_or(String::new(), |line| format!("line {line}: "));
        let path = if problem.path.is_empty() {
            "the file"
        } else {
            &problem.path
        };
        text.push_str(&format!(
            "  {line}{path}: {}\n      remedy: {}\n",
            problem.fact, problem.remedy
        ));
    }
    text
}

/// Writes to standard output; a reader that went away is no failure.
///
/// # Errors
///
/// [`IO`] where standard output cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(IO, format!("standard output: {error}"))),
    }
}

/// A runtime of as many threads.
///
/// # Errors
///
/// [`IO`] where the system gives no threads.
pub fn runtime(threads: usize) -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(8)
        .thread_name("sunledger")
        .enable_all()
        .build()
        .map_err(|error| Failure::new(IO, format!("cannot start threads: {error}")))
}

/// Runs a command line.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let format = arguments.log_format.as_deref();
    let done = match arguments.command {
        Command::Demo(arguments) => demo::run(arguments, format),
        Command::Run(arguments) => run::run(&arguments, format),
        Command::Check(arguments) => check::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Probe(arguments) => probe::run(&arguments),
        Command::Scan(arguments) => scan::run(&arguments),
        Command::Commission(arguments) => commission::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments, format),
        Command::Report(arguments) => report::run(&arguments),
        Command::MeterEvent(command) => meter_event::run(command),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Recompute(arguments) => recompute::run(&arguments),
        Command::Store(command) => store::run(&command),
        Command::Calc(command) => calc::run(&command),
        Command::Influx(command) => influx::run(command),
        Command::Quarantine(command) => quarantine::run(command),
        Command::Replay(arguments) => replay::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.sentence.is_empty() {
                let _ = writeln!(std::io::stderr(), "error: {}", failure.sentence.trim_end());
            }
            ExitCode::from(failure.code)
        }
    }
}
