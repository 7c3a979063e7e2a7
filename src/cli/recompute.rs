//! `sunledger recompute`: the ledger of some days again from the journal.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::{BUG, CONFIG, ConfigFile, FINDING, Failure, IO, USAGE, print};
use crate::app::AppError;
use crate::app::recompute::{Difference, Recomputed, recompute};
use crate::config;
use crate::domain::interval::{Channel, Entry, Span};
use crate::domain::meter::{Carrier, Park};
use crate::domain::time::{day, rfc3339};

/// Differences that are printed one by one; the rest is counted, and in `--json`.
const MOST_LINES: usize = 200;

/// Arguments of `recompute`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// First local date, YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// Last local date, inclusive
    #[arg(long, value_name = "DATE")]
    to: Date,
    /// List what differs and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Recomputes, and writes what differs as new revisions; the old ones are kept.
///
/// # Errors
///
/// [`USAGE`] for a period that is none, [`FINDING`] where something differs and nothing
/// was to be written, [`IO`] where journal or ledger cannot be read or written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.from > arguments.to {
        let sentence = format!("--from {} is after --to {}", arguments.from, arguments.to);
        return Err(Failure::new(USAGE, sentence));
    }
    let setup = config::load(&arguments.file.config)?;
    let zone = &setup.park.time_zone;
    let period = day(arguments.from, zone).zip(day(arguments.to, zone));
    let Some((first, last)) = period else {
        return Err(Failure::new(USAGE, "the period leaves the calendar"));
    };
    let period = Span {
        start: first.start,
        end: last.end,
    };
    let done =
        recompute(&setup.park, &setup.store.dir, period, !arguments.dry_run).map_err(failure)?;
    let text = if arguments.json {
        format!("{}\n", as_json(&done, &setup.park))
    } else {
        as_text(&done, &setup.park)
    };
    print(&text)?;
    if arguments.dry_run && !done.differences.is_empty() {
        return Err(Failure::new(FINDING, "nothing was written (--dry-run)"));
    }
    Ok(())
}

/// A failure of the books as the end of a command.
pub(super) fn failure(error: AppError) -> Failure {
    let code = match &error {
        AppError::Store(error) => error.exit_code(),
        AppError::OtherPark { .. } | AppError::OtherIntervals { .. } => CONFIG,
        AppError::Listen { .. } => IO,
        AppError::Secret(_) | AppError::Thread(_) => BUG,
    };
    Failure::new(code, error.to_string())
}

/// A channel as its quantity is called: what went the positive way of the role, or the
/// other.
pub(super) fn channel_name(channel: Channel) -> &'static str {
    match (channel.carrier, channel.positive) {
        (Carrier::Electricity, true) => "electricity",
        (Carrier::Electricity, false) => "electricity, other way",
        (Carrier::Heat, true) => "heat",
        (Carrier::Heat, false) => "heat, other way",
    }
}

fn said(entry: &Entry) -> String {
    let quality = entry.quality.name();
    match entry.energy {
        Ok(energy) => format!("{} Wh {quality}", energy.to_wh_string()),
        Err(reason) => format!("unknown ({})", reason.name()),
    }
}

/// What recomputing came to, for people.
pub(super) fn as_text(done: &Recomputed, park: &Arc<Park>) -> String {
    let zone = &park.time_zone;
    let mut text = format!(
        "{} entries are the same, {} differ, {} are left as they are (the journal does not \
         say them again), {} late readings were taken in.\n",
        done.same,
        done.differences.len(),
        done.unknown,
        done.late
    );
    for Difference { before, now } in done.differences.iter().take(MOST_LINES) {
        let before = before.as_ref().map_or("nothing".to_owned(), said);
        text.push_str(&format!(
            "  {}  {} ({}): {before} -> {}\n",
            rfc3339(now.span.start, zone),
            now.meter,
            channel_name(now.channel),
            said(now)
        ));
    }
    if let Some(more) = done.differences.len().checked_sub(MOST_LINES + 1) {
        text.push_str(&format!("  and {} more; --json has all\n", more + 1));
    }
    for interval in &done.revisions {
        text.push_str(&format!(
            "  interval {} is revision {} now\n",
            rfc3339(interval.span.start, zone),
            interval.revision
        ));
    }
    text
}

fn entry_json(entry: &Entry, zone: &TimeZone) -> Json {
    json!({
        "start": rfc3339(entry.span.start, zone),
        "end": rfc3339(entry.span.end, zone),
        "meter": &*entry.meter,
        "channel": channel_name(entry.channel),
        "wh": entry.energy.ok().map(|energy| energy.to_wh_string()),
        "reason": entry.energy.err().map(|reason| reason.name()),
        "quality": entry.quality.name(),
        "coverage_pct": entry.coverage_pct,
    })
}

/// The same for programs.
pub(super) fn as_json(done: &Recomputed, park: &Arc<Park>) -> Json {
    let zone = &park.time_zone;
    let differences = done.differences.iter().map(|one| {
        json!({
            "before": one.before.as_ref().map(|before| entry_json(before, zone)),
            "now": entry_json(&one.now, zone),
        })
    });
    let revisions = done.revisions.iter().map(|interval| {
        json!({
            "start": rfc3339(interval.span.start, zone),
            "end": rfc3339(interval.span.end, zone),
            "revision": interval.revision,
        })
    });
    json!({
        "same": done.same,
        "unknown": done.unknown,
        "late": done.late,
        "differences": differences.collect::<Vec<_>>(),
        "revisions": revisions.collect::<Vec<_>>(),
    })
}
