//! `sunledger influx`: prepare a database, prove that everything arrived.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;

use super::{CONFIG, ConfigFile, FINDING, Failure, UNAVAILABLE, USAGE, print, runtime};
use crate::app::Journal;
use crate::config::read::duration;
use crate::config::{self, InfluxSetup, Setup};
use crate::domain::time::day;
use crate::sink::audit::{Asked, AuditReport, audit};
use crate::sink::dialect::Dialect;
use crate::sink::influx::Settings;
use crate::sink::knock::{CLOCK_S, knock};
use crate::sink::relay::CommandError;
use crate::sink::setup::{BucketFound, Permission, SetupReport, setup};
use crate::store::{LedgerReader, Reader};

/// Commands for InfluxDB.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Check the database, create the bucket, check the permission to write
    Setup(SetupArguments),
    /// Read back what arrived and compare it with the journal
    Audit(AuditArguments),
}

/// Which database.
#[derive(Debug, clap::Args)]
pub struct Target {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// Which sink [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub(super) sink: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `influx setup`.
#[derive(Debug, clap::Args)]
pub struct SetupArguments {
    #[command(flatten)]
    target: Target,
    /// How long a new bucket keeps its rows, such as 730d [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = a_duration)]
    retention: Option<Duration>,
}

/// Arguments of `influx audit`.
#[derive(Debug, clap::Args)]
pub struct AuditArguments {
    #[command(flatten)]
    target: Target,
    /// First local date [default: what the journal keeps]
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Last local date, inclusive
    #[arg(long, value_name = "DATE")]
    to: Option<Date>,
}

fn a_duration(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "a number above zero with a unit, such as 730d".to_owned())
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let code = match &error {
            CommandError::Way(_) => CONFIG,
            CommandError::Retention(_) | CommandError::NotKept { .. } | CommandError::Empty => {
                USAGE
            }
            CommandError::Disk(_) => super::IO,
            _ => UNAVAILABLE,
        };
        Self::new(code, error.to_string())
    }
}

/// Runs a command.
///
/// # Errors
///
/// [`UNAVAILABLE`] where nothing answers, [`FINDING`] where the audit finds
/// something or the token may not write.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Setup(arguments) => {
            let (found, sink) = chosen(&arguments.target)?;
            let settings = settings(&found, &sink)?;
            if !matches!(settings.dialect, Dialect::Influx2 { .. }) {
                return look(&settings, arguments.target.json);
            }
            let report = wait(setup(&settings, arguments.retention))?;
            show(
                arguments.target.json,
                &report,
                setup_text(&settings, &report),
            )?;
            if report.ready() {
                Ok(())
            } else {
                Err(Failure::new(FINDING, "the daemon could not deliver there"))
            }
        }
        Command::Audit(arguments) => {
            let (found, sink) = chosen(&arguments.target)?;
            let settings = settings(&found, &sink)?;
            let asked = asked(&found, &sink, &arguments)?;
            let journal = Journal {
                dir: found.store.dir.clone(),
                reader: None,
            };
            let report = wait(audit(&settings, journal, asked))?;
            show(arguments.target.json, &report, audit_text(&report))?;
            if report.clean() {
                Ok(())
            } else {
                Err(Failure::new(
                    FINDING,
                    "the database does not hold what the journal holds",
                ))
            }
        }
    }
}

pub(super) fn wait<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, Failure> {
    runtime(1)?.block_on(work).map_err(Failure::from)
}

pub(super) fn show(
    json: bool,
    report: &impl serde::Serialize,
    text: String,
) -> Result<(), Failure> {
    if json {
        let document = serde_json::to_string_pretty(report).unwrap_or_default();
        return print(&format!("{document}\n"));
    }
    print(&text)
}

/// The sink that a command means.
pub(super) fn chosen(target: &Target) -> Result<(Setup, InfluxSetup), Failure> {
    let found = config::load(&target.file.config)?;
    let names: Vec<&str> = found.sinks.iter().map(|sink| sink.name.as_str()).collect();
    let known = names.join(", ");
    let sink = match (&target.sink, found.sinks.as_slice()) {
        (Some(name), sinks) => sinks
            .iter()
            .find(|sink| sink.name == *name)
            .cloned()
            .ok_or_else(|| {
                Failure::new(
                    USAGE,
                    format!("there is no sink `{name}`; the configuration has: {known}"),
                )
            })?,
        (None, [only]) => only.clone(),
        (None, []) => {
            return Err(Failure::new(
                CONFIG,
                "the configuration has no sink; add a table such as [sink.NAME.influx]",
            ));
        }
        (None, _) => {
            return Err(Failure::new(
                USAGE,
                format!("say which with --sink: {known}"),
            ));
        }
    };
    Ok((found, sink))
}

pub(super) fn settings(found: &Setup, sink: &InfluxSetup) -> Result<Settings, Failure> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let secret = sink.secret.as_ref().map(|source| {
        source
            .load(credentials.as_deref())
            .map_err(|error| Failure::new(CONFIG, format!("sink.{}: {error}", sink.name)))
    });
    Ok(sink.settings(secret.transpose()?, None, &found.store.dir))
}

/// What the audit looks at: the asked dates, up to where the sink has come.
fn asked(found: &Setup, sink: &InfluxSetup, arguments: &AuditArguments) -> Result<Asked, Failure> {
    let failed =
        |error: crate::store::StoreError| Failure::new(error.exit_code(), error.to_string());
    let ledger = LedgerReader::open(&found.store.dir).map_err(failed)?;
    let cursors = ledger.cursors().map_err(failed)?;
    let upto = cursors
        .iter()
        .find(|(name, _)| *name == sink.name)
        .map_or(0, |(_, seq)| *seq);
    let kept = Reader::new(&found.store.dir)
        .and_then(|reader| reader.period())
        .map_err(failed)?;
    let (oldest, newest) = kept.ok_or_else(|| Failure::from(CommandError::Empty))?;
    let zone = &found.park.time_zone;
    let from = arguments
        .from
        .and_then(|date| day(date, zone))
        .map_or(oldest, |day| day.start);
    let after_newest = newest
        .checked_add(jiff::SignedDuration::from_secs(1))
        .unwrap_or(newest);
    let to = arguments
        .to
        .and_then(|date| day(date, zone))
        .map_or(after_newest, |day| day.end);
    Ok(Asked {
        from,
        to,
        after: 0,
        upto,
        kept,
    })
}

/// A database that this command makes nothing in.
fn look(settings: &Settings, json: bool) -> Result<(), Failure> {
    let knocked = wait(knock(settings))?;
    let text = format!(
        "server     {}\nmay write  {}\n{}",
        knocked.server,
        may(&knocked.may_write),
        clock_text(knocked.clock_off_s)
    );
    show(json, &knocked, text)?;
    if knocked.may_write.granted {
        Ok(())
    } else {
        Err(Failure::new(FINDING, "the daemon could not deliver there"))
    }
}

fn may(permission: &Permission) -> String {
    match &permission.words {
        _ if permission.granted => "yes".to_owned(),
        Some(words) => format!("no: {words}"),
        None => "no".to_owned(),
    }
}

/// How far the clocks are apart, with what to do.
fn clock_text(off_s: Option<i64>) -> String {
    match off_s {
        None => "clock      the server tells no time\n".to_owned(),
        Some(off) if off.abs() <= CLOCK_S => "clock      the same as the server's\n".to_owned(),
        Some(off) => {
            let which = if off > 0 { "ahead of" } else { "behind" };
            format!(
                "clock      ours is {} s {which} the server's: rows would stand at other times \
                 than those of others; is one of them not synchronised? (timedatectl)\n",
                off.abs()
            )
        }
    }
}

fn setup_text(settings: &Settings, report: &SetupReport) -> String {
    let bucket = match report.bucket {
        BucketFound::Created => "created",
        BucketFound::Present => "present",
        BucketFound::Hidden => "not visible to this token",
    };
    let retention = match report.retention_s {
        Some(0) => "for ever".to_owned(),
        Some(seconds) => format!("{} h", seconds / 3_600),
        None => "unknown".to_owned(),
    };
    let (org, bucket_name) = match &settings.dialect {
        Dialect::Influx2 { org, bucket } => (org.as_str(), bucket.as_str()),
        _ => ("", ""),
    };
    let mut text = format!(
        "server     {} ({})\nbucket     {} in {}: {bucket}, keeps rows {retention}\nmay write  {}\nmay read   {}\n",
        report.server,
        if report.healthy { "well" } else { "not well" },
        bucket_name,
        org,
        may(&report.may_write),
        may(&report.may_read),
    );
    text.push_str(&clock_text(report.clock_off_s));
    if let Some(wanted) = report.retention_wanted_s {
        text.push_str(&format!("The bucket keeps its retention; {} h were asked for. A shorter one would delete rows.\n", wanted / 3_600));
    }
    text
}

fn audit_text(report: &AuditReport) -> String {
    let mut text = format!(
        "compared   {} to {}\nstored     {}\nmissing    {}\ndifferent  {}\nunreadable {}\nwaiting    {}\n",
        report.from,
        report.to,
        report.stored,
        report.missing,
        report.different,
        report.unreadable,
        report.waiting,
    );
    if report.waiting > 0 {
        text.push_str(
            "What waits was not compared: it is still to be delivered, or was in the last seconds.\n",
        );
    }
    for example in &report.examples {
        let database = example.database.as_deref().unwrap_or("nothing");
        text.push_str(&format!(
            "  {} {} at {}: journal {}, database {database}\n",
            example.series, example.field, example.at, example.journal
        ));
    }
    text
}
