//! `sunledger replay`: send the journal's blocks of a period again.

use jiff::civil::Date;
use serde::Serialize;

use super::influx::{self, Target};
use super::{FINDING, Failure, UNAVAILABLE, USAGE};
use crate::app::{Journal, Period};
use crate::domain::time::{day, rfc3339};
use crate::sink::again::{Shipped, ship};
use crate::sink::quarantine::Quarantine;
use crate::sink::relay::CommandError;
use crate::store::Reader;

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// First local date
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// Last local date, inclusive
    #[arg(long, value_name = "DATE")]
    to: Date,
}

/// What was sent.
#[derive(Debug, Serialize)]
struct Report<'a> {
    sink: &'a str,
    from: String,
    to: String,
    #[serde(flatten)]
    shipped: &'a Shipped,
}

/// Sends what was journaled in the period again, byte for byte. No cursor moves.
///
/// # Errors
///
/// [`USAGE`] where the journal does not keep the period, [`UNAVAILABLE`] where the server
/// does not answer, [`FINDING`] where it refuses rows.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (found, sink) = influx::chosen(&arguments.target)?;
    let settings = influx::settings(&found, &sink)?;
    let zone = &found.park.time_zone;
    let dates = day(arguments.from, zone).zip(day(arguments.to, zone));
    let (from, to) = dates
        .map(|(first, last)| (first.start, last.end))
        .filter(|(from, to)| from < to)
        .ok_or_else(|| Failure::new(USAGE, "--to is before --from"))?;
    let kept = Reader::new(&found.store.dir)
        .and_then(|reader| reader.period())
        .map_err(|error| Failure::new(error.exit_code(), error.to_string()))?;
    let (oldest, newest) = kept.ok_or_else(|| Failure::from(CommandError::Empty))?;
    if to <= oldest || from > newest {
        let not_kept = CommandError::NotKept {
            from,
            to,
            oldest,
            newest,
        };
        return Err(not_kept.into());
    }
    let period = Period {
        journal: Journal {
            dir: found.store.dir.clone(),
            reader: None,
        },
        from,
        to,
    };
    let quarantine = Quarantine::new(&settings.quarantine_dir, &settings.name);
    let shipped = influx::wait(ship(&settings, period, quarantine))?;
    let report = Report {
        sink: &sink.name,
        from: rfc3339(from.max(oldest), zone),
        to: rfc3339(to, zone),
        shipped: &shipped,
    };
    let text = format!(
        "{} values of {} to {} sent again to {}, {} rows set aside\n",
        shipped.values, report.from, report.to, sink.name, shipped.refused_rows
    );
    influx::show(arguments.target.json, &report, text)?;
    match &shipped.stopped {
        Some(words) => Err(Failure::new(
            UNAVAILABLE,
            format!("not all was sent: {words}; what is stored stays, send the period again"),
        )),
        None if shipped.refused_rows > 0 => Err(Failure::new(
            FINDING,
            "rows were refused; sunledger quarantine list shows them",
        )),
        None => Ok(()),
    }
}
