//! `sunledger calc day`: a local day and its settlement intervals.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::Failure;
use super::super::columns::columns;
use super::{Answer, Asked, answer, need, section};
use crate::config::check::INTERVALS;
use crate::domain::interval::Span;
use crate::domain::time::{day, rfc3339, slots};
use crate::domain::units::to_f64;

/// Arguments of `calc day`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    asked: Asked,
}

/// What goes in.
#[derive(Debug, Clone, clap::Args, Serialize, Deserialize)]
#[group(id = "numbers", multiple = true, conflicts_with = "file")]
#[serde(deny_unknown_fields)]
struct Given {
    /// Time zone, such as Asia/Shanghai
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// Local date, YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    date: Option<String>,
    /// 1min, 5min, 10min, 15min, 30min or 60min [default: 15min]
    #[arg(long, value_name = "LENGTH")]
    interval: Option<String>,
}

/// A day from flags or a file.
///
/// # Errors
///
/// Those of [`super::run`].
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    answer(&arguments.asked, || Ok(arguments.given.clone()), sum)
}

/// A change of the clock within the day.
struct Change {
    at: Timestamp,
    before: String,
    after: String,
}

fn sum(given: &Given) -> Result<Answer, String> {
    let name = need(given.zone.as_ref(), "zone")?;
    let zone = TimeZone::get(name).map_err(|_| {
        format!("`{name}` is no time zone; a name of the IANA database, such as Asia/Shanghai")
    })?;
    let date = need(given.date.as_ref(), "date")?;
    let date: Date = date
        .parse()
        .map_err(|_| format!("`{date}` is no date; write YYYY-MM-DD, such as 2026-06-03"))?;
    let minutes = length(given.interval.as_deref().unwrap_or("15min"))?;
    let span = day(date, &zone)
        .ok_or_else(|| format!("{date} leaves the calendar; name an earlier date"))?;
    if span.end <= span.start {
        return Err(format!(
            "{date} is skipped in {name}; name the date before or after it"
        ));
    }
    let all: Vec<Span> = slots(span, &zone, minutes).collect();
    let changes = changes(span, &zone);
    let hours = to_f64(span.ms()) / 3_600_000.0;
    let local = |at| rfc3339(at, &zone);
    let json = json!({
        "zone": name,
        "date": date.to_string(),
        "interval_minutes": minutes,
        "start": span.start.to_string(),
        "end": span.end.to_string(),
        "start_local": local(span.start),
        "end_local": local(span.end),
        "hours": hours,
        "count": all.len(),
        "clock_changes": changes.iter().map(|change| json!({
            "at": change.at.to_string(), "before": change.before, "after": change.after,
        })).collect::<Vec<_>>(),
        "intervals": all.iter().map(|one| json!({
            "start": one.start.to_string(), "end": one.end.to_string(),
            "start_local": local(one.start), "end_local": local(one.end),
            "minutes": to_f64(one.ms()) / 60_000.0,
        })).collect::<Vec<_>>(),
    });
    let mut text = section(
        "given",
        &[
            ("time zone", name.clone(), ""),
            ("local date", date.to_string(), ""),
            ("interval", format!("{minutes}"), "min"),
        ],
    );
    text += &section(
        "day",
        &[
            ("begins", span.start.to_string(), "UTC"),
            ("", local(span.start), "local"),
            ("ends", span.end.to_string(), "UTC"),
            ("", local(span.end), "local"),
            ("length", hours.to_string(), "h"),
            ("intervals", all.len().to_string(), ""),
        ],
    );
    for change in &changes {
        text += &format!(
            "the clock changes at {} UTC: {} becomes {}\n",
            change.at, change.before, change.after
        );
    }
    let mut rows = vec![["", "START", "END", "UTC"].map(str::to_owned).to_vec()];
    rows.extend(all.iter().enumerate().map(|(place, one)| {
        vec![
            (place + 1).to_string(),
            local(one.start),
            local(one.end),
            one.start.to_string(),
        ]
    }));
    text += "intervals:\n";
    text += &columns(&rows, &[super::Side::Right]);
    Ok(Answer { json, text })
}

fn length(name: &str) -> Result<i64, String> {
    let row = INTERVALS.iter().find(|row| row.0 == name);
    row.map(|row| row.1).ok_or_else(|| {
        let names: Vec<&str> = INTERVALS.iter().map(|row| row.0).collect();
        format!(
            "`{name}` is no settlement interval; one of {}",
            names.join(", ")
        )
    })
}

/// Changes of the clock in a span, its first instant included.
fn changes(span: Span, zone: &TimeZone) -> Vec<Change> {
    let just_before = |at: Timestamp| at.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(at);
    let within = zone.following(just_before(span.start));
    within
        .map(|change| change.timestamp())
        .take_while(|at| *at < span.end)
        .map(|at| Change {
            at,
            before: zone.to_offset(just_before(at)).to_string(),
            after: zone.to_offset(at).to_string(),
        })
        .filter(|change| change.before != change.after)
        .collect()
}
