//! `sunledger scan`: who is at an endpoint.
//!
//! ```text
//!   every unit id ──one register──▶ answers? ──▶ identification of templates
//!                                            └─▶ SunSpec models
//! ```
//!
//! An exception is an answer: a unit that refuses a register is there. **It only reads,
//! slowly enough for an endpoint that is in use**, and costs one timeout for each unit
//! that is silent; on a line two, until it is sure that no late answer comes.

mod identify;
mod shown;
mod units;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::identify::{identify, recognisable};
use self::shown::{as_json, as_text};
use self::units::{Units, units};
use super::asking::{Asker, is_answer};
use super::endpoint::{Endpoint, endpoint};
use super::probe::time;
use super::run::stop_at_signals;
use super::{Failure, UNAVAILABLE, USAGE, print, runtime};
use crate::config::template::Shared;
use crate::source::modbus::Limits;
use crate::source::modbus::discover::{Undiscovered, discover};
use crate::source::modbus::link::Failure as Fails;
use crate::wire::sunspec::Chain;

/// Silence between two questions on a network: ten a second, which a gateway in use
/// bears.
const NETWORK_PAUSE: Duration = Duration::from_millis(100);
/// The same on a line, where the questions themselves take time.
const LINE_PAUSE: Duration = Duration::from_millis(50);
/// Attempts to connect again before the scan is given up, and the time between them.
const ATTEMPTS: u32 = 3;
const AGAIN: Duration = Duration::from_secs(1);
/// From so many units on that all answer alike it is one device: no line has so many
/// that hold the same.
const CROWD: usize = 16;

/// Arguments of `scan`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// `tcp://HOST[:PORT]`, rtu:///dev/ttyUSB0?baud=9600&parity=even or rtu+tcp://HOST:PORT
    #[arg(value_name = "ENDPOINT", value_parser = endpoint)]
    endpoint: Endpoint,
    /// Unit ids: ranges and single ones, such as 1-32,100
    #[arg(long, value_name = "LIST", default_value = "1-247", value_parser = units)]
    units: Units,
    /// Silence between two questions [default: 100ms on a network, 50ms on a line]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pause: Option<Duration>,
    /// How long an answer may take; a silent unit costs one of these, on a line two
    #[arg(long, value_name = "TIME", default_value = "300ms", value_parser = time)]
    timeout: Duration,
    /// Print {"units":[{"unit","templates","sunspec"}],…}
    #[arg(long)]
    json: bool,
}

/// What a unit said to the first question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Register 0 holds this.
    Word(u16),
    /// It refuses, with this code.
    Refused(u8),
}

/// A unit that answers.
#[derive(Debug)]
pub struct Unit {
    /// Its id.
    pub id: u8,
    /// What it said first.
    pub first: First,
    /// Templates that recognise it.
    pub templates: Vec<String>,
    /// Its `SunSpec` models.
    pub sunspec: Option<Chain>,
    /// Whether it was looked at more closely.
    pub identified: bool,
    /// It stopped answering on the way.
    pub fell_silent: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Scan {
    /// Units that answer.
    pub units: Vec<Unit>,
    /// How many units were asked.
    pub asked: usize,
    /// How many were to be asked.
    pub wanted: usize,
    /// Units whose answers were none, and what they were.
    pub strange: Vec<(u8, String)>,
    /// The last failure.
    pub failure: Option<Fails>,
    /// Whether it went to the end.
    pub complete: bool,
}

impl Scan {
    /// Whether every unit that was asked gives the same answer: then it is one device,
    /// and nobody looks at the unit id.
    #[must_use]
    pub fn is_alike(&self) -> bool {
        let Some(one) = self.units.first() else {
            return false;
        };
        let same = |unit: &Unit| {
            let closer = unit.identified && one.identified;
            unit.first == one.first && (!closer || unit.is_like(one))
        };
        self.asked > 1 && self.units.len() == self.asked && self.units.iter().all(same)
    }
}

/// Scans.
///
/// # Errors
///
/// [`UNAVAILABLE`] where no unit answers.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let endpoint = &arguments.endpoint;
    let reserved = |unit: &&u8| endpoint.is_line() && !(1..=247).contains(*unit);
    if let Some(unit) = arguments.units.0.iter().find(reserved) {
        return Err(Failure::new(
            USAGE,
            format!("--units {unit}: on a line units have ids from 1 to 247"),
        ));
    }
    let pause = arguments.pause.unwrap_or(if endpoint.is_line() {
        LINE_PAUSE
    } else {
        NETWORK_PAUSE
    });
    let mut asker = None;
    let mut scan = Scan {
        wanted: arguments.units.0.len(),
        ..Scan::default()
    };
    let runtime = runtime(1)?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_at_signals(&stop)?;
        let asker = asker.insert(Asker::new(
            endpoint,
            arguments.timeout,
            pause,
            &Limits::default(),
        ));
        let work = look(asker, &arguments.units.0, &mut scan);
        stop.run_until_cancelled(work).await;
        Ok::<(), Failure>(())
    })?;
    progress("");
    let Some(asker) = asker else { return Ok(()) };
    if arguments.json {
        let document = as_json(endpoint, &scan, asker.asked);
        print(&format!("{document:#}\n"))?;
    }
    if scan.units.is_empty() {
        return Err(nobody(endpoint, &scan, &asker));
    }
    if arguments.json {
        return Ok(());
    }
    print(&as_text(endpoint, &scan))
}

/// No unit answers.
fn nobody(endpoint: &Endpoint, scan: &Scan, asker: &Asker) -> Failure {
    let failure = scan.failure.clone().unwrap_or(Fails::Timeout);
    let what = match &failure {
        Fails::Connect(why) => format!("no connection: {why}"),
        _ => format!("none of {} units answers", scan.asked),
    };
    let strange = scan.strange.first().map_or(String::new(), |(unit, what)| {
        format!(" (unit {unit}: {what})")
    });
    let advice = asker.advice(&failure);
    Failure::new(
        UNAVAILABLE,
        format!("{}: {what}{strange}; {advice}", endpoint.wiring),
    )
}

/// One line for whoever waits.
fn progress(line: &str) {
    let mut out = std::io::stderr().lock();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K{line}");
        let _ = out.flush();
    }
}

async fn look(asker: &mut Asker, ids: &[u8], scan: &mut Scan) {
    for id in ids {
        let found = scan.units.len();
        progress(&format!("unit {id}, {found} found"));
        if !first(asker, *id, scan).await {
            return;
        }
    }
    let closely = if scan.is_alike() && scan.units.len() >= CROWD {
        1
    } else {
        scan.units.len()
    };
    let templates = recognisable();
    for unit in scan.units.iter_mut().take(closely) {
        progress(&format!("unit {}: what is it?", unit.id));
        closer(asker, unit, &templates).await;
    }
    scan.complete = true;
}

/// Asks a unit whether it is there; false where there is nobody to ask.
async fn first(asker: &mut Asker, id: u8, scan: &mut Scan) -> bool {
    let mut attempts = ATTEMPTS;
    let failure = loop {
        match asker.ask(id, 3, 0, 1).await {
            Ok(words) => {
                let word = words.first().copied().unwrap_or_default();
                scan.units.push(Unit::new(id, First::Word(word)));
                scan.asked += 1;
                return true;
            }
            Err(Fails::Connect(_)) if scan.asked > 0 && attempts > 0 => {
                attempts -= 1;
                sleep(AGAIN).await;
            }
            Err(failure) => break failure,
        }
    };
    if matches!(failure, Fails::Connect(_)) {
        scan.failure = Some(failure);
        return false;
    }
    scan.asked += 1;
    match &failure {
        Fails::Exception(code) if is_answer(&failure) => {
            scan.units.push(Unit::new(id, First::Refused(*code)));
        }
        Fails::Unusable(_) => scan.strange.push((id, asker.words(&failure))),
        _ => (),
    }
    scan.failure = Some(failure);
    true
}

impl Unit {
    /// Whether what was found of it is what was found of another one.
    fn is_like(&self, other: &Self) -> bool {
        self.sunspec == other.sunspec && self.templates == other.templates
    }

    fn new(id: u8, first: First) -> Self {
        Self {
            id,
            first,
            templates: Vec::new(),
            sunspec: None,
            identified: false,
            fell_silent: false,
        }
    }
}

/// Finds out what a unit is.
async fn closer(asker: &mut Asker, unit: &mut Unit, templates: &[Shared]) {
    match discover(asker, unit.id).await {
        Ok(chain) => unit.sunspec = Some(chain),
        Err(Undiscovered::Lost(_)) => (),
        // Silence about what it does not have is not silence about all.
        Err(Undiscovered::Failed(_)) => unit.fell_silent = true,
    }
    match identify(asker, unit.id, templates).await {
        Some(names) => {
            unit.templates = names;
            unit.fell_silent = false;
        }
        None => unit.fell_silent = true,
    }
    unit.identified = true;
}
