//! `sunledger quarantine`: rows that a database refuses for good.
//!
//! Not the steps of counters that are in no interval: these are in `meter-event list`.

use std::collections::HashSet;

use serde::Serialize;

use super::influx::{self, Target};
use super::{FINDING, Failure, IO, UNAVAILABLE, USAGE, print};
use crate::config;
use crate::sink::again::retry;
use crate::sink::quarantine::{Aside, Quarantine};

/// Commands for rows that were set aside.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the rows with the server's words
    List(ListArguments),
    /// Send rows again and take out what is stored
    Retry(RetryArguments),
    /// Delete rows
    Drop(DropArguments),
}

/// Arguments of `quarantine list`.
#[derive(Debug, clap::Args)]
pub struct ListArguments {
    #[command(flatten)]
    target: Target,
}

/// Arguments of `quarantine retry`.
#[derive(Debug, clap::Args)]
pub struct RetryArguments {
    #[command(flatten)]
    target: Target,
    /// Only this row, by its number in the list; may be repeated [default: all]
    #[arg(long, value_name = "ID")]
    row: Vec<String>,
}

/// Arguments of `quarantine drop`.
#[derive(Debug, clap::Args)]
pub struct DropArguments {
    #[command(flatten)]
    target: Target,
    /// This row, by its number in the list; may be repeated
    #[arg(long, value_name = "ID", conflicts_with = "yes")]
    row: Vec<String>,
    /// All rows of the sink
    #[arg(long)]
    yes: bool,
}

/// A row in the list.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    sink: &'a str,
    id: String,
    #[serde(flatten)]
    aside: &'a Aside,
}

/// What a command did.
#[derive(Debug, Serialize)]
struct Done<'a> {
    sink: &'a str,
    stored: usize,
    dropped: usize,
    refused: usize,
    left: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<&'a str>,
}

/// The number of a row, which stays the same while others come and go.
fn id(aside: &Aside) -> String {
    let text = format!("{}\n{}\n{}", aside.at, aside.words, aside.row);
    format!("{:08x}", crc32c::crc32c(text.as_bytes()))
}

/// Runs a command.
///
/// # Errors
///
/// [`USAGE`] for a row that is not there, [`FINDING`] where rows are refused again,
/// [`UNAVAILABLE`] where the server does not answer.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list(&arguments.target),
        Command::Retry(arguments) => again(&arguments),
        Command::Drop(arguments) => remove(&arguments),
    }
}

fn disk(error: std::io::Error) -> Failure {
    Failure::new(IO, format!("the quarantine: {error}"))
}

fn list(target: &Target) -> Result<(), Failure> {
    let names: Vec<String> = match &target.sink {
        Some(_) => vec![influx::chosen(target)?.1.name],
        None => config::load(&target.file.config)?
            .sinks
            .into_iter()
            .map(|sink| sink.name)
            .collect(),
    };
    let dir = config::load(&target.file.config)?
        .store
        .dir
        .join("quarantine");
    let mut all = Vec::new();
    for name in &names {
        let rows = Quarantine::new(&dir, name).list().map_err(disk)?;
        all.extend(rows.into_iter().map(|aside| (name, aside)));
    }
    if target.json {
        let list = all.iter().map(|(sink, aside)| Listed {
            sink,
            id: id(aside),
            aside,
        });
        let list: Vec<_> = list.collect();
        let document = serde_json::to_string_pretty(&list).unwrap_or_default();
        return print(&format!("{document}\n"));
    }
    if all.is_empty() {
        return print("No row is set aside.\n");
    }
    let mut text = String::new();
    let mut said = None;
    for (sink, aside) in &all {
        let heading = (sink, &aside.at, &aside.words);
        if said != Some(heading) {
            text.push_str(&format!("sink {sink}, {}: {}\n", aside.at, aside.words));
            said = Some(heading);
        }
        text.push_str(&format!("  {}  {}\n", id(aside), aside.row));
    }
    print(&text)
}

/// The rows of these numbers; all where none is named.
fn selected(rows: Vec<Aside>, ids: &[String]) -> Result<Vec<Aside>, Failure> {
    if ids.is_empty() {
        return Ok(rows);
    }
    let known: HashSet<String> = rows.iter().map(id).collect();
    if let Some(unknown) = ids.iter().find(|id| !known.contains(*id)) {
        return Err(Failure::new(
            USAGE,
            format!("there is no row `{unknown}`; sunledger quarantine list shows them"),
        ));
    }
    Ok(rows
        .into_iter()
        .filter(|aside| ids.contains(&id(aside)))
        .collect())
}

fn again(arguments: &RetryArguments) -> Result<(), Failure> {
    let target = &arguments.target;
    let (found, sink) = influx::chosen(target)?;
    let settings = influx::settings(&found, &sink)?;
    let quarantine = Quarantine::new(&settings.quarantine_dir, &settings.name);
    let rows = selected(quarantine.list().map_err(disk)?, &arguments.row)?;
    let retried = influx::wait(retry(&settings, rows))?;
    let taken = quarantine.take_out(|aside| retried.stored.contains(aside));
    let done = Done {
        sink: &sink.name,
        stored: taken.map_err(disk)?,
        dropped: 0,
        refused: retried.refused.len(),
        left: quarantine.list().map_err(disk)?.len(),
        stopped: retried.stopped.as_deref(),
    };
    let mut text = format!(
        "{} rows are stored, {} are refused again, {} are left\n",
        done.stored, done.refused, done.left
    );
    for aside in retried.refused.iter().take(20) {
        text.push_str(&format!("  {}: {}\n", aside.row, aside.words));
    }
    influx::show(target.json, &done, text)?;
    match (&retried.stopped, retried.refused.is_empty()) {
        (Some(words), _) => Err(Failure::new(
            UNAVAILABLE,
            format!("not all were tried: {words}"),
        )),
        (None, false) => Err(Failure::new(FINDING, "rows are refused again; they stay")),
        (None, true) => Ok(()),
    }
}

fn remove(arguments: &DropArguments) -> Result<(), Failure> {
    let target = &arguments.target;
    let (found, sink) = influx::chosen(target)?;
    let quarantine = Quarantine::new(&found.store.dir.join("quarantine"), &sink.name);
    let rows = quarantine.list().map_err(disk)?;
    if arguments.row.is_empty() && !arguments.yes {
        return Err(Failure::new(
            USAGE,
            format!(
                "{} rows of sink `{}` would be lost: name them with --row ID, or say --yes for all",
                rows.len(),
                sink.name
            ),
        ));
    }
    let goes: HashSet<Aside> = selected(rows, &arguments.row)?.into_iter().collect();
    let dropped = quarantine
        .take_out(|aside| goes.contains(aside))
        .map_err(disk)?;
    let done = Done {
        sink: &sink.name,
        stored: 0,
        dropped,
        refused: 0,
        left: quarantine.list().map_err(disk)?.len(),
        stopped: None,
    };
    let text = format!("{dropped} rows are dropped, {} are left\n", done.left);
    influx::show(target.json, &done, text)
}
