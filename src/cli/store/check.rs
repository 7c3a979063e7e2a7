//! `sunledger store check`.

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::{Which, failure, size, zone};
use crate::cli::{FINDING, Failure, print};
use crate::domain::time::rfc3339;
use crate::store::backup::{Checked, check};
use crate::store::journal::verify::{Broken, Fault};

/// Damaged places that are printed one by one; the rest is counted, and in `--json`.
const MOST_LINES: usize = 100;

/// Arguments of `store check`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Reads the store through.
///
/// # Errors
///
/// [`FINDING`] where something is damaged, and what the store says.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let dir = arguments.which.dir()?;
    let found = check(&dir).map_err(|error| failure(&error))?;
    let zone = zone(&dir);
    let text = if arguments.json {
        format!("{}\n", as_json(&found, &zone))
    } else {
        as_text(&found, &dir, &zone)
    };
    print(&text)?;
    if found.is_whole() {
        return Ok(());
    }
    Err(Failure::new(FINDING, "the store is not whole"))
}

fn at(at: Option<Timestamp>, zone: &TimeZone) -> String {
    at.map_or_else(|| "nothing".to_owned(), |at| rfc3339(at, zone))
}

fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Damaged => "damaged",
        Fault::Missing => "missing",
        Fault::Frame => "frame",
    }
}

fn file(broken: &Broken) -> String {
    let name = broken.file.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn line(broken: &Broken, zone: &TimeZone) -> String {
    let file = file(broken);
    let last = broken.first + broken.blocks.saturating_sub(1);
    let blocks = match broken.blocks {
        1 => format!("block {}", broken.first),
        count => format!("blocks {} to {last} ({count})", broken.first),
    };
    let between = format!(
        "between {} and {}",
        at(broken.after, zone),
        at(broken.before, zone)
    );
    match broken.fault {
        Fault::Damaged => format!("{file}: {blocks} cannot be read, {between}"),
        Fault::Missing => format!("before {file}: {blocks} are not there, {between}"),
        Fault::Frame => format!("{file}: its start or end is damaged; no block is lost with it"),
    }
}

fn as_text(found: &Checked, dir: &Path, zone: &TimeZone) -> String {
    let journal = &found.journal;
    let mut text = format!(
        "{}\njournal: {} in {} segments, {} whole blocks, {} values, from {} to {}\n",
        dir.display(),
        size(journal.bytes),
        journal.segments,
        journal.blocks,
        journal.points,
        at(journal.oldest, zone),
        at(journal.newest, zone)
    );
    for broken in journal.broken.iter().take(MOST_LINES) {
        text.push_str(&format!("  ! {}\n", line(broken, zone)));
    }
    if let Some(more) = journal.broken.len().checked_sub(MOST_LINES + 1) {
        text.push_str(&format!("  ! and {} more; --json has all\n", more + 1));
    }
    if journal.torn_bytes > 0 {
        text.push_str(&format!(
            "  {} bytes at its end are no block: one that is being written, or torn; the next \
             start cuts them off\n",
            journal.torn_bytes
        ));
    }
    match &found.ledger {
        Some(ledger) => {
            text.push_str(&format!(
                "ledger: {}, {} closed intervals, {} revisions, covers the journal to block {}\n",
                size(ledger.bytes),
                ledger.intervals,
                ledger.revisions,
                ledger.covered
            ));
            for (sink, seq) in &ledger.cursors {
                text.push_str(&format!("  sink {sink} has the journal to block {seq}\n"));
            }
            for broken in &ledger.broken {
                text.push_str(&format!("  ! {broken}\n"));
            }
        }
        None => text.push_str("  ! there is no ledger; the next start brings it back\n"),
    }
    for between in &found.between {
        text.push_str(&format!("  ! {between}\n"));
    }
    text.push_str(&match found.copied {
        Some(until) => format!("copy of the ledger: up to {}\n", rfc3339(until, zone)),
        None => "copy of the ledger: none\n".to_owned(),
    });
    text.push_str(&format!("meter events: {}\n", found.events));
    if found.damaged_events > 0 {
        let count = found.damaged_events;
        text.push_str(&format!(
            "  ! {count} lines are damaged; enter them again\n"
        ));
    }
    if found.is_whole() {
        text.push_str("Everything is whole.\n");
    }
    text
}

fn as_json(found: &Checked, zone: &TimeZone) -> Json {
    let journal = &found.journal;
    let at = |at: Option<Timestamp>| at.map(|at| rfc3339(at, zone));
    let broken = |broken: &Broken| {
        json!({
            "fault": name(broken.fault),
            "file": file(broken),
            "first_seq": broken.first,
            "blocks": broken.blocks,
            "after": at(broken.after),
            "before": at(broken.before),
        })
    };
    let ledger = found.ledger.as_ref().map(|ledger| {
        let cursors = ledger.cursors.iter();
        let cursors: serde_json::Map<_, _> = cursors
            .map(|(sink, seq)| (sink.clone(), json!(seq)))
            .collect();
        json!({
            "bytes": ledger.bytes,
            "intervals": ledger.intervals,
            "revisions": ledger.revisions,
            "covered_seq": ledger.covered,
            "cursors": cursors,
            "broken": ledger.broken,
        })
    });
    json!({
        "whole": found.is_whole(),
        "journal": {
            "segments": journal.segments,
            "bytes": journal.bytes,
            "blocks": journal.blocks,
            "points": journal.points,
            "first_seq": journal.first,
            "last_seq": journal.last,
            "oldest": at(journal.oldest),
            "newest": at(journal.newest),
            "torn_bytes": journal.torn_bytes,
            "broken": journal.broken.iter().map(broken).collect::<Vec<_>>(),
        },
        "ledger": ledger,
        "between": found.between,
        "copy_until": at(found.copied),
        "events": found.events,
        "damaged_events": found.damaged_events,
    })
}
