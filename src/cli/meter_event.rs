//! `sunledger meter-event`: what happened to meters, said by people.
//!
//! An event is entered once and never changed; one that is not so is withdrawn. The days
//! that it touches are computed again at once, also while the daemon runs.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::json;

use super::recompute::{as_json, as_text, failure};
use super::{CONFIG, ConfigFile, FINDING, Failure, USAGE, print, steps};
use crate::app::recompute::recompute;
use crate::config::units::exact_energy;
use crate::config::{self, Setup};
use crate::domain::event::{Break, MeterEvent, Refusal, What, admit, standing};
use crate::domain::interval::{Channel, Origin, Span, channels};
use crate::domain::meter::Meter;
use crate::domain::time::{day, local_date, rfc3339, slot};
use crate::domain::units::{CountUnit, MilliwattHours};
use crate::store::{StoreError, events};
use crate::sys::clock::wall;

/// Subcommands of `meter-event`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Enter an event, and compute the days that it touches again
    Add(Add),
    /// Say that an event is not so
    Withdraw(Withdraw),
    /// List all events, and the steps of registers that nobody has decided
    List(List),
}

/// Arguments of `meter-event add`.
#[derive(Debug, clap::Args)]
pub struct Add {
    /// What happened: exchange, reset, ratio, correction
    #[arg(value_name = "WHAT", value_parser = ["exchange", "reset", "ratio", "correction"])]
    what: String,
    #[command(flatten)]
    file: ConfigFile,
    /// The meter
    #[arg(long, value_name = "ID")]
    meter: String,
    /// Which register, where the meter has several: energy_import, energy_export, heat_energy
    #[arg(long, value_name = "QUANTITY")]
    register: Option<String>,
    /// When: RFC 3339, or local time such as 2026-06-03T14:30
    #[arg(long, value_name = "TIME")]
    at: String,
    /// What the display showed at last, such as 12345.6kWh; the multiplier of the
    /// configuration is applied
    #[arg(long, value_name = "READING")]
    last: Option<String>,
    /// What it shows at first [default: 0; of a ratio: the same as --last]
    #[arg(long, value_name = "READING")]
    first: Option<String>,
    /// Of an exchange or a ratio: what registers are multiplied by from then on
    #[arg(long, value_name = "FACTOR")]
    multiplier: Option<f64>,
    /// Of a correction: until when
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Of a correction: how much really flowed, such as 120kWh, at the connection
    #[arg(long, value_name = "ENERGY", allow_hyphen_values = true)]
    energy: Option<String>,
    #[command(flatten)]
    by: By,
}

/// Who says it, and why.
#[derive(Debug, clap::Args)]
pub struct By {
    /// Who says so
    #[arg(long, value_name = "NAME")]
    who: String,
    /// Why; serial numbers and the number of the protocol belong here
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `meter-event withdraw`.
#[derive(Debug, clap::Args)]
pub struct Withdraw {
    /// The number of the event
    #[arg(value_name = "NUMBER")]
    number: u64,
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    by: By,
}

/// Arguments of `meter-event list`.
#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs a subcommand.
///
/// # Errors
///
/// [`USAGE`] for what cannot be entered, with the reason; otherwise what the store says.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Add(arguments) => add(&arguments),
        Command::Withdraw(arguments) => withdraw(&arguments),
        Command::List(arguments) => list(&arguments),
    }
}

fn usage(sentence: impl Into<String>) -> Failure {
    Failure::new(USAGE, sentence)
}

fn store(error: &StoreError) -> Failure {
    Failure::new(error.exit_code(), error.to_string())
}

fn add(arguments: &Add) -> Result<(), Failure> {
    let setup = config::load(&arguments.file.config)?;
    let zone = &setup.park.time_zone;
    let meter = setup
        .park
        .meters
        .iter()
        .find(|it| *it.id == *arguments.meter);
    let Some(meter) = meter else {
        let sentence = format!("no meter is called `{}`", arguments.meter);
        return Err(usage(sentence));
    };
    let (channel, unit) = register(meter, arguments.register.as_deref())?;
    let at = moment("--at", &arguments.at, zone)?;
    let what = if arguments.what == "correction" {
        correction(arguments, zone)?
    } else {
        broken(arguments, &setup, meter, unit)?
    };
    let event = MeterEvent {
        number: 0,
        meter: Arc::clone(&meter.id),
        channel,
        at,
        what,
        who: arguments.by.who.clone(),
        why: arguments.by.why.clone(),
        entered: wall(),
    };
    enter(&setup, event, &arguments.by)
}

fn withdraw(arguments: &Withdraw) -> Result<(), Failure> {
    let setup = config::load(&arguments.file.config)?;
    let there = events::read(&setup.store.dir).map_err(|error| store(&error))?;
    let of = arguments.number;
    let standing = standing(&there.list);
    let Some(event) = standing.iter().find(|event| event.number == of) else {
        return Err(usage(Refusal::Unknown(of).to_string()));
    };
    let withdrawn = MeterEvent {
        number: 0,
        what: What::Withdrawn { of },
        who: arguments.by.who.clone(),
        why: arguments.by.why.clone(),
        entered: wall(),
        ..event.clone()
    };
    let span = touched(event, &setup);
    enter_touching(&setup, withdrawn, span, &arguments.by)
}

fn enter(setup: &Setup, event: MeterEvent, by: &By) -> Result<(), Failure> {
    let span = touched(&event, setup);
    enter_touching(setup, event, span, by)
}

/// Enters an event, and computes the days again that it touches.
fn enter_touching(
    setup: &Setup,
    event: MeterEvent,
    days: Option<Span>,
    by: &By,
) -> Result<(), Failure> {
    let (dir, park) = (&setup.store.dir, &setup.park);
    let is_boundary =
        |at: Timestamp| slot(at, &park.time_zone, park.settlement_minutes).start == at;
    let entered = events::enter(dir, event, |event, there| admit(event, there, &is_boundary))
        .map_err(|error| store(&error))?;
    let event = entered.map_err(|refusal| usage(refusal.to_string()))?;
    let done = match days.filter(|_| has_books(dir)) {
        Some(days) => recompute(park, dir, days, true).map_err(failure)?,
        None => Default::default(),
    };
    let text = if by.json {
        let recomputed = as_json(&done, park);
        json!({ "event": event, "recomputed": recomputed }).to_string() + "\n"
    } else {
        let line = line(&event, &park.time_zone);
        format!("{line}\n{}", as_text(&done, park))
    };
    print(&text)?;
    let closed = days.is_some() && has_books(dir);
    let left = steps::left_undone(&event, &there(dir)?, &done, park);
    left.filter(|_| closed)
        .map_or(Ok(()), |why| Err(Failure::new(FINDING, why)))
}

/// All events of a store.
fn there(dir: &Path) -> Result<Vec<MeterEvent>, Failure> {
    let there = events::read(dir).map_err(|error| store(&error))?;
    Ok(there.list)
}

fn has_books(dir: &Path) -> bool {
    crate::store::place::ledger_file(dir).is_file()
}

/// The local days that an event touches.
fn touched(event: &MeterEvent, setup: &Setup) -> Option<Span> {
    let zone = &setup.park.time_zone;
    let until = match event.what {
        What::Correction { until, .. } => until,
        // Everything since was counted at the old worth.
        _ if event.breaks().is_some_and(|by| by.worth.is_some()) => event.entered,
        _ => event.at,
    };
    // A register may have been silent over midnight.
    let of = |at: Timestamp| day(local_date(at, zone), zone);
    let before = Timestamp::from_second(event.at.as_second() - 3_600).ok()?;
    let after = Timestamp::from_second(until.as_second() + 3_600).ok()?;
    Some(Span {
        start: of(before)?.start,
        end: of(after)?.end,
    })
}

/// The register of a meter, and what a count of it is worth; none of both where its
/// energy is integrated.
fn register(meter: &Meter, name: Option<&str>) -> Result<(Channel, Option<CountUnit>), Failure> {
    let of = |origin: Origin| match origin {
        Origin::Register(point) => {
            let point = meter.points.get(point);
            point.map(|point| {
                (
                    point.quantity.name,
                    point.register.filter(|it| !it.told).map(|it| it.unit),
                )
            })
        }
        Origin::Power | Origin::Heat => None,
    };
    let all: Vec<_> = channels(meter)
        .into_iter()
        .filter_map(|(channel, origin)| Some((channel, of(origin)?)))
        .collect();
    let names: Vec<&str> = all.iter().map(|(_, (name, _))| *name).collect();
    let known = names.join(", ");
    match (all.as_slice(), name) {
        ([], _) => Err(usage(format!(
            "meter `{}` has no register of energy: its energy is integrated from power",
            meter.id
        ))),
        ([(channel, (_, unit))], None) => Ok((*channel, *unit)),
        (_, None) => Err(usage(format!(
            "meter `{}` has several registers: name one with --register ({known})",
            meter.id
        ))),
        (all, Some(name)) => {
            let found = all.iter().find(|(_, (of, _))| *of == name);
            let (channel, (_, unit)) = found.ok_or_else(|| {
                usage(format!(
                    "meter `{}` has no register `{name}`; it has {known}",
                    meter.id
                ))
            })?;
            Ok((*channel, *unit))
        }
    }
}

/// A moment: RFC 3339, or local time of the park.
pub(super) fn moment(flag: &str, text: &str, zone: &TimeZone) -> Result<Timestamp, Failure> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local = text.parse::<DateTime>().ok();
    let zoned = local.and_then(|local| zone.to_ambiguous_zoned_datetime(local).unambiguous().ok());
    zoned.map(|zoned| zoned.timestamp()).ok_or_else(|| {
        usage(format!(
            "{flag} `{text}` is no moment; write 2026-06-03T14:30 (local time of the park), or \
             with an offset where the clock was set back: 2026-10-25T02:30:00+02:00"
        ))
    })
}

/// A reading of a display in counts of the register.
fn counts(
    flag: &str,
    text: &str,
    multiplier: (i128, i128),
    unit: CountUnit,
) -> Result<i64, Failure> {
    let wrong = || {
        usage(format!(
            "{flag} `{text}` is no reading of energy; write it as the display shows it, with \
             its unit: 12345.6kWh"
        ))
    };
    let (over, under) = exact_energy(text).ok_or_else(wrong)?;
    let (unit_over, unit_under) = (i128::from(unit.numerator), i128::from(unit.denominator));
    let over = over
        .checked_mul(multiplier.0)
        .and_then(|it| it.checked_mul(unit_under))
        .ok_or_else(wrong)?;
    let under = under
        .checked_mul(multiplier.1)
        .and_then(|it| it.checked_mul(unit_over))
        .ok_or_else(wrong)?;
    if over < 0 || under <= 0 {
        return Err(wrong());
    }
    let nearest = (2 * over + under)
        .checked_div(2 * under)
        .ok_or_else(wrong)?;
    i64::try_from(nearest).map_err(|_| wrong())
}

/// A register that was broken off, by an exchange, a reset or another ratio.
fn broken(
    arguments: &Add,
    setup: &Setup,
    meter: &Meter,
    unit: Option<CountUnit>,
) -> Result<What, Failure> {
    let what = &*arguments.what;
    if arguments.until.is_some() || arguments.energy.is_some() {
        let sentence = "--until and --energy are of a correction";
        return Err(usage(sentence));
    }
    let Some(unit) = unit else {
        return Err(usage(
            "the device tells itself what its counts are worth, so that a reading cannot be put \
             into counts; enter a correction of the intervals instead",
        ));
    };
    let before = setup.multipliers.get(&meter.id).copied().unwrap_or((1, 1));
    let after = match arguments.multiplier {
        None => before,
        Some(factor) => crate::domain::units::decimal(factor)
            .ok_or_else(|| usage(format!("--multiplier {factor} is no positive number")))?,
    };
    let worth = match arguments.multiplier {
        None => None,
        Some(_) => {
            let ratio = after
                .0
                .checked_mul(before.1)
                .zip(after.1.checked_mul(before.0));
            let worth = ratio.and_then(|ratio| unit.times(ratio));
            Some(worth.ok_or_else(|| usage("--multiplier leaves what a count can be worth"))?)
        }
    };
    let read = |flag, text: &Option<String>, multiplier, unit| {
        let text = text.as_deref();
        text.map(|text| counts(flag, text, multiplier, unit))
            .transpose()
    };
    let last = read("--last", &arguments.last, before, unit)?;
    let first = read("--first", &arguments.first, after, worth.unwrap_or(unit))?;
    if what == "exchange" && last.is_none() {
        return Err(usage(
            "an exchange needs --last, the final reading of the old meter; without one the \
             energy since its last answer is not known: `reset` says that",
        ));
    }
    if what == "ratio" && worth.is_none() {
        return Err(usage(
            "a ratio needs --multiplier, the one that holds from then on",
        ));
    }
    let first = match (what, first, last) {
        (_, Some(first), _) => first,
        ("ratio", None, Some(last)) => last,
        ("ratio", None, None) => {
            return Err(usage(
                "a ratio needs --last, the reading when it was changed",
            ));
        }
        _ => 0,
    };
    let by = Break { last, first, worth };
    Ok(match what {
        "exchange" => What::Exchange(by),
        "reset" => What::Reset(by),
        _ => What::Ratio(by),
    })
}

fn correction(arguments: &Add, zone: &TimeZone) -> Result<What, Failure> {
    let Add {
        last,
        first,
        multiplier,
        ..
    } = arguments;
    if last.is_some() || first.is_some() || multiplier.is_some() {
        let sentence = "a correction has --until and --energy; readings are of an exchange";
        return Err(usage(sentence));
    }
    let (Some(until), Some(energy)) = (&arguments.until, &arguments.energy) else {
        return Err(usage("a correction needs --until and --energy"));
    };
    let exact = exact_energy(energy).and_then(|(over, under)| {
        let nearest = (2 * over + under).checked_div(2 * under)?;
        i64::try_from(nearest).ok()
    });
    let energy = exact.ok_or_else(|| {
        usage(format!(
            "--energy `{energy}` is no energy; write it with its unit: 120kWh"
        ))
    })?;
    Ok(What::Correction {
        until: moment("--until", until, zone)?,
        energy: MilliwattHours(energy),
    })
}

fn list(arguments: &List) -> Result<(), Failure> {
    let setup = config::load(&arguments.file.config)?;
    let there = events::read(&setup.store.dir).map_err(|error| store(&error))?;
    let steps = steps::all(&setup, &there.list).map_err(|error| store(&error))?;
    let zone = &setup.park.time_zone;
    if arguments.json {
        let steps: Vec<_> = steps.iter().map(|step| step.json(zone)).collect();
        let text = json!({ "events": there.list, "damaged": there.damaged, "quarantined": steps });
        print(&format!("{text}\n"))?;
    } else {
        let events = there.list.iter().map(|event| line(event, zone) + "\n");
        let mut text: String = events.collect();
        if !steps.is_empty() {
            text += "\nSteps of registers that are in no interval:\n";
            text.extend(steps.iter().map(|step| step.line(zone)));
        }
        print(&text)?;
    }
    if there.damaged == 0 {
        return Ok(());
    }
    let path = events::file(&setup.store.dir);
    let sentence = format!(
        "{}: {} damaged lines are passed over; enter those events again",
        path.display(),
        there.damaged
    );
    Err(Failure::new(CONFIG, sentence))
}

/// An event in a line.
pub(super) fn line(event: &MeterEvent, zone: &TimeZone) -> String {
    let detail = match &event.what {
        What::Exchange(by) | What::Reset(by) | What::Ratio(by) => {
            let last = by.last.map_or("?".to_owned(), |last| last.to_string());
            let worth = by.worth.map_or(String::new(), |worth| {
                format!(", a count is worth {} Wh", worth.as_watt_hours())
            });
            format!("{last} -> {} counts{worth}", by.first)
        }
        What::Correction { until, energy } => {
            format!(
                "until {}: {} Wh",
                rfc3339(*until, zone),
                energy.to_wh_string()
            )
        }
        What::Withdrawn { of } => format!("event {of}"),
    };
    format!(
        "{}  {}  {}  {} {}  ({}: {})",
        event.number,
        rfc3339(event.at, zone),
        event.meter,
        event.kind(),
        detail,
        event.who,
        event.why
    )
}
