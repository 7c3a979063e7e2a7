//! `sunledger validate`: is the interval data of some days whole, possible, and like others?

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::json;

use super::recompute::channel_name;
use super::{ConfigFile, FINDING, Failure, USAGE, print};
use crate::config::{self, Setup};
use crate::domain::interval::{CLOSE_AFTER_S, Channel, Entry, Origin, Span, channels};
use crate::domain::meter::Meter;
use crate::domain::time::{day, rfc3339, slots};
use crate::domain::units::MilliwattHours;
use crate::domain::validation::{Day, Finding, validate};
use crate::store::{LedgerReader, StoreError};
use crate::sys::clock::wall;

/// The same weekday is looked at in so many weeks before.
const WEEKS: i32 = 4;
/// More days at once would be read into memory.
const MOST_DAYS: usize = 400;

/// Arguments of `validate`.
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
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A finding, with where it is.
struct Found {
    date: Date,
    meter: Arc<str>,
    channel: Channel,
    finding: Finding,
}

/// Goes through every channel of every day, and prints what does not pass.
///
/// # Errors
///
/// [`USAGE`] for a period that is none or not over, [`FINDING`] where something does not
/// pass, and what the store says.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.from > arguments.to {
        let sentence = format!("--from {} is after --to {}", arguments.from, arguments.to);
        return Err(Failure::new(USAGE, sentence));
    }
    let setup = config::load(&arguments.file.config)?;
    let ledger = LedgerReader::open(&setup.store.dir).map_err(|error| store(&error))?;
    let mut found = Vec::new();
    let mut date = arguments.from;
    for _ in 0..MOST_DAYS {
        found.extend(one_day(&setup, &ledger, date)?);
        let next = date.tomorrow().ok().filter(|next| *next <= arguments.to);
        let Some(next) = next else { break };
        date = next;
    }
    if date < arguments.to {
        let sentence = format!("more than {MOST_DAYS} days; validate them in parts");
        return Err(Failure::new(USAGE, sentence));
    }
    print(&if arguments.json {
        as_json(&found, &setup)
    } else {
        as_text(&found, &setup)
    })?;
    if found.is_empty() {
        return Ok(());
    }
    Err(Failure::new(FINDING, ""))
}

fn store(error: &StoreError) -> Failure {
    Failure::new(error.exit_code(), error.to_string())
}

/// The local day, if it is over.
fn over(setup: &Setup, date: Date) -> Result<Span, Failure> {
    let Some(span) = day(date, &setup.park.time_zone) else {
        return Err(Failure::new(USAGE, "the period leaves the calendar"));
    };
    if span.end.as_second() + CLOSE_AFTER_S > wall().as_second() {
        let sentence = format!("{date} is not over; a day is validated as a whole");
        return Err(Failure::new(USAGE, sentence));
    }
    Ok(span)
}

fn one_day(setup: &Setup, ledger: &LedgerReader, date: Date) -> Result<Vec<Found>, Failure> {
    let span = over(setup, date)?;
    let (zone, minutes) = (&setup.park.time_zone, setup.park.settlement_minutes);
    let slots: Vec<Span> = slots(span, zone, minutes).collect();
    let entries = by_channel(ledger, span)?;
    let mut before = Vec::new();
    for week in 1..=WEEKS {
        let earlier = date.checked_sub(jiff::Span::new().weeks(week)).ok();
        if let Some(span) = earlier.and_then(|date| day(date, zone)) {
            before.push((by_channel(ledger, span)?, span));
        }
    }
    let mut found = Vec::new();
    for meter in &setup.park.meters {
        for (channel, origin) in channels(meter) {
            let key = (Arc::clone(&meter.id), channel);
            let usual = before.iter().filter_map(|(entries, span)| {
                let expected = slots_of(*span, setup);
                whole(entries.get(&key)?, expected)
            });
            let usual: Vec<MilliwattHours> = usual.collect();
            let day = Day {
                slots: &slots,
                entries: entries.get(&key).map_or(&[], Vec::as_slice),
                usual: &usual,
                rated: meter.rated_of(channel.carrier),
                count: count(meter, origin),
            };
            found.extend(validate(&day).into_iter().map(|finding| Found {
                date,
                meter: Arc::clone(&meter.id),
                channel,
                finding,
            }));
        }
    }
    Ok(found)
}

fn slots_of(span: Span, setup: &Setup) -> usize {
    slots(span, &setup.park.time_zone, setup.park.settlement_minutes).count()
}

/// The sum of a day, if all of it is known.
fn whole(entries: &[Entry], expected: usize) -> Option<MilliwattHours> {
    let energies: Option<Vec<_>> = entries.iter().map(|entry| entry.energy.ok()).collect();
    let energies = energies.filter(|energies| energies.len() == expected)?;
    Some(energies.into_iter().sum())
}

/// What a count of the register is worth, where there is one.
fn count(meter: &Meter, origin: Origin) -> Option<MilliwattHours> {
    let Origin::Register(point) = origin else {
        return None;
    };
    let unit = meter.points.get(point)?.register?.unit;
    Some(MilliwattHours::from_watt_hours(unit.as_watt_hours()))
}

type ByChannel = BTreeMap<(Arc<str>, Channel), Vec<Entry>>;

fn by_channel(ledger: &LedgerReader, span: Span) -> Result<ByChannel, Failure> {
    let mut all = ByChannel::new();
    let entries = ledger.entries(span.start, span.end);
    for entry in entries.map_err(|error| store(&error))? {
        let key = (Arc::clone(&entry.meter), entry.channel);
        all.entry(key).or_default().push(entry);
    }
    Ok(all)
}

fn as_text(found: &[Found], setup: &Setup) -> String {
    if found.is_empty() {
        return "Every day is whole, possible, and like others.\n".to_owned();
    }
    let zone = &setup.park.time_zone;
    let mut text = String::new();
    for one in found {
        let at = one
            .finding
            .span
            .map_or_else(|| one.date.to_string(), |span| rfc3339(span.start, zone));
        text.push_str(&format!(
            "{at}  {} {}  {} ({}): {}\n",
            one.meter,
            channel_name(one.channel),
            one.finding.check,
            one.finding.verdict.name(),
            one.finding.fact
        ));
    }
    text
}

fn as_json(found: &[Found], setup: &Setup) -> String {
    let zone = &setup.park.time_zone;
    let findings: Vec<_> = found
        .iter()
        .map(|one| {
            json!({
                "date": one.date.to_string(),
                "meter": one.meter,
                "channel": channel_name(one.channel),
                "check": one.finding.check,
                "verdict": one.finding.verdict.name(),
                "start": one.finding.span.map(|span| rfc3339(span.start, zone)),
                "end": one.finding.span.map(|span| rfc3339(span.end, zone)),
                "fact": one.finding.fact,
            })
        })
        .collect();
    format!(
        "{}\n",
        json!({ "ok": found.is_empty(), "findings": findings })
    )
}
