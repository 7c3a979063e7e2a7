//! `sunledger report`: reports from the ledger, also while the daemon runs.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{CONFIG, Failure, IO, USAGE, print};
use crate::app::meta;
use crate::app::settled::{lacking, of_setup};
use crate::config::{self, Setup};
use crate::domain::interval::{CLOSE_AFTER_S, Span};
use crate::domain::plant::Plant;
use crate::domain::plant::books::{self, Slot};
use crate::domain::relations::GapPolicy;
use crate::domain::time::{day, rfc3339, slot, slots};
use crate::report::grid_export::{COLUMNS, GridExport, Rules, Scope};
use crate::report::kpi::Kpi;
use crate::report::{FORMATS, REPORTS, Report};
use crate::store::{LedgerReader, StoreError};
use crate::sys::clock::wall;

/// Rows of a report: a leap year of minutes, ten years of quarter hours; a few hundred
/// megabytes.
const MOST_ROWS: i64 = 600_000;

/// What is stored as heat is older than this only in seasonal storages.
const STORED_FOR: Duration = Duration::from_secs(31 * 86_400);

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which report: grid-export, kpi, allocation, carbon
    #[arg(value_name = "NAME", value_parser = names())]
    name: String,
    /// The configuration file of the park
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "data",
        required_unless_present = "data"
    )]
    config: Option<PathBuf>,
    /// The data directory, where there is no configuration (a demo)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// First local date, YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// Last local date, inclusive
    #[arg(long, value_name = "DATE")]
    to: Date,
    /// csv or json
    #[arg(long, value_name = "FORMAT", default_value = "csv", value_parser = formats())]
    format: String,
    /// The same as --format json
    #[arg(long)]
    json: bool,
    /// Write to this file in place of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn names() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(REPORTS.iter().map(|row| row.0))
}

fn formats() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(FORMATS.iter().map(|format| format.name))
}

fn store_failure(error: &StoreError) -> Failure {
    Failure::new(error.exit_code(), error.to_string())
}

/// Writes a report.
///
/// # Errors
///
/// [`USAGE`] for a period that is none or that the ledger does not have, [`IO`]
/// where ledger or file cannot be read or written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.from > arguments.to {
        return Err(Failure::new(
            USAGE,
            format!("--from {} is after --to {}", arguments.from, arguments.to),
        ));
    }
    let setup = match &arguments.config {
        Some(file) => Some(config::load(file)?),
        None => None,
    };
    let dir = match (&setup, &arguments.data) {
        (Some(setup), _) => setup.store.dir.clone(),
        (None, Some(dir)) => dir.clone(),
        (None, None) => return Err(Failure::new(USAGE, "name a park with --config or --data")),
    };
    let ledger = LedgerReader::open(&dir).map_err(|error| store_failure(&error))?;
    let scope = scope(&ledger, arguments, &dir)?;
    let report = match (arguments.name.as_str(), &setup) {
        ("grid-export", _) => {
            let intervals = ledger
                .intervals_of(scope.span.start, scope.span.end, &COLUMNS.map(|one| one.1))
                .map_err(|error| store_failure(&error))?;
            Report::GridExport(GridExport::new(scope, &intervals))
        }
        ("kpi", setup) => Report::Kpi(Box::new(kpi(&ledger, scope, setup.as_ref())?)),
        (name, Some(setup)) => settled(name, setup, &ledger, scope)?,
        (name, None) => {
            let sentence =
                format!("the report {name} needs the park's contracts; name it with --config");
            return Err(Failure::new(USAGE, sentence));
        }
    };
    let format = if arguments.json {
        "json"
    } else {
        &arguments.format
    };
    let Some(format) = FORMATS.iter().find(|row| row.name == format) else {
        return Err(Failure::new(USAGE, format!("`{format}` is not a format")));
    };
    let text = (format.write)(&report);
    match &arguments.out {
        None => print(&text),
        Some(file) => std::fs::write(file, text)
            .map_err(|error| Failure::new(IO, format!("{}: {error}", file.display()))),
    }
}

/// A report that needs the configuration.
fn settled(
    name: &str,
    setup: &Setup,
    ledger: &LedgerReader,
    scope: Scope,
) -> Result<Report, Failure> {
    let park = &setup.park;
    let ours = park.time_zone.iana_name().unwrap_or("UTC");
    let theirs = (scope.zone_name.as_str(), scope.settlement_minutes);
    if *park.id != *scope.park || (ours, park.settlement_minutes) != theirs {
        let sentence = format!(
            "{} holds the books of park `{}` in intervals of {} min in {}, not of `{}`; \
             name the configuration that it was written with",
            setup.store.dir.display(),
            scope.park,
            scope.settlement_minutes,
            scope.zone_name,
            park.id
        );
        return Err(Failure::new(CONFIG, sentence));
    }
    let report = of_setup(name, setup, ledger, scope).map_err(|error| store_failure(&error))?;
    report.ok_or_else(|| Failure::new(CONFIG, lacking(name)))
}

/// The indicators of a period, with the time before it that they need: what was stored.
fn kpi(ledger: &LedgerReader, scope: Scope, setup: Option<&Setup>) -> Result<Kpi, Failure> {
    let nothing = Plant::default();
    let (plant, park) = match setup {
        Some(setup) => (&*setup.plant, Some(&*setup.park)),
        None => (&nothing, None),
    };
    let flows = plant.flows(park);
    let channels = park.map_or_else(Vec::new, |park| plant.channels(park));
    let read = |span: Span, single_meters_from: Timestamp| -> Result<Vec<Slot>, StoreError> {
        let spans = slots(span, &scope.time_zone, scope.settlement_minutes);
        Ok(books::slots(
            spans,
            ledger.intervals_of(span.start, span.end, &flows)?,
            ledger.entries_of(single_meters_from, span.end, &channels)?,
            ledger.observed(single_meters_from, span.end)?,
        ))
    };
    let start = scope.span.start;
    let oldest = ledger.period().map_err(|error| store_failure(&error))?;
    let back = start.checked_sub(STORED_FOR).unwrap_or(start);
    let earlier = Span {
        start: oldest
            .map_or(back, |(oldest, _)| back.max(oldest))
            .min(start),
        end: start,
    };
    // Of the time before, single meters matter in the last interval alone.
    let last = start
        .checked_sub(Duration::from_secs(3_600))
        .unwrap_or(start);
    let both = ledger.in_one_state(|_| Ok((read(scope.span, start)?, read(earlier, last)?)));
    let (slots, earlier) = both.map_err(|error| store_failure(&error))?;
    Ok(Kpi {
        indicators: plant.indicators(park, &earlier, &slots, scope.dates.0),
        configured: setup.is_some(),
        scope,
    })
}

/// What the report is about: whose ledger it is, and which part of the period is over.
fn scope(
    ledger: &LedgerReader,
    arguments: &Arguments,
    dir: &std::path::Path,
) -> Result<Scope, Failure> {
    let word = |key: &str| {
        let found = ledger.meta(key).map_err(|error| store_failure(&error))?;
        found.ok_or_else(|| {
            Failure::new(
                CONFIG,
                format!(
                    "{} does not say whose it is; start the daemon on it once",
                    dir.display()
                ),
            )
        })
    };
    let (park, zone_name) = (word(meta::PARK)?, word(meta::TIME_ZONE)?);
    let settlement_minutes: i64 = word(meta::SETTLEMENT)?.parse().unwrap_or(15);
    let time_zone = TimeZone::get(&zone_name)
        .map_err(|error| Failure::new(CONFIG, format!("time zone {zone_name}: {error}")))?;
    let bounds = day(arguments.from, &time_zone).zip(day(arguments.to, &time_zone));
    let Some((first, last)) = bounds else {
        return Err(Failure::new(USAGE, "the period leaves the calendar"));
    };
    let period = ledger.period().map_err(|error| store_failure(&error))?;
    let Some((oldest, newest)) = period else {
        return Err(Failure::new(
            USAGE,
            format!("{} has no closed interval yet", dir.display()),
        ));
    };
    let kept = format!(
        "the ledger has intervals from {} to {}",
        rfc3339(oldest, &time_zone),
        rfc3339(newest, &time_zone)
    );
    let (from, to) = (arguments.from, arguments.to);
    if last.end <= oldest || first.start >= newest {
        let sentence = format!("{kept}, none from {from} to {to}");
        return Err(Failure::new(USAGE, sentence));
    }
    // What is not over yet is not missing. An interval closes a minute after its end.
    let closing = Timestamp::from_second(wall().as_second() - CLOSE_AFTER_S).unwrap_or(last.end);
    let over = slot(closing.max(first.start), &time_zone, settlement_minutes)
        .start
        .max(newest);
    let span = Span {
        start: first.start,
        end: last.end.min(over),
    };
    let rows = span.ms() / 60_000 / settlement_minutes.max(1);
    if rows > MOST_ROWS {
        let sentence = format!(
            "from {from} to {to} there are {rows} intervals, a report has at most {MOST_ROWS}; {kept}"
        );
        return Err(Failure::new(USAGE, sentence));
    }
    Ok(Scope {
        park,
        time_zone,
        zone_name,
        settlement_minutes,
        dates: (from, to),
        span,
        rules: rules(ledger).map_err(|error| store_failure(&error))?,
    })
}

/// How the numbers came about, as the daemon that wrote them says.
fn rules(ledger: &LedgerReader) -> Result<Rules, StoreError> {
    let said = |key| Ok(ledger.meta(key)?.filter(|text: &String| !text.is_empty()));
    let gaps = said(meta::GAPS)?;
    let gaps = gaps.as_deref().and_then(|text| text.split_once(' '));
    Ok(Rules {
        netting: said(meta::NETTING)?.and_then(|text| text.parse().ok()),
        register_mode: said(meta::REGISTER_MODE)?,
        gaps: gaps.and_then(|(registers, integrals)| GapPolicy::named(registers, integrals)),
    })
}
