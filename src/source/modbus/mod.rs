//! Polls the meters behind one Modbus endpoint, in turn, on one connection.
//!
//! ```text
//!   timetable ──▶ poll ──▶ breaker ──▶ link ──▶ words ──▶ Heard
//!   (when)                (whether)   (one socket or line)
//! ```
//!
//! One task owns the endpoint: never two sockets to one gateway, never two
//! requests at a time. **Each poll that is due is heard of**, with values or with
//! the reason why there are none; silence of a device is not silence here.
//!
//! Only function codes 1 to 4 are ever sent.

mod again;
mod breaker;
mod cycle;
mod debt;
pub mod discover;
mod learned;
pub mod link;
pub mod load;
pub mod memory;
mod planned;
mod search;
mod serial;
mod session;
mod settings;
mod setup;
mod timetable;
mod wiring;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::breaker::{Breaker, Budget};
use self::learned::Learned;
use self::link::{Failure, Link, text};
use self::planned::Planned;
pub use self::settings::{Expect, Factor, Limits, Meaning, Wants};
use self::timetable::{Next, Timetable};
pub use self::wiring::{Manners, Rs485, Serial, Wiring};
use super::{Heard, Outcome, SourceStats};
use crate::domain::meter::{MeterIndex, PointIndex};
use crate::domain::quality::Reason;
use crate::sys::clock;
use crate::wire::modbus::exception as exception_words;
use crate::wire::modbus::timing::Timing;
use crate::wire::plan::Request;
use crate::wire::register::Layout;
use crate::wire::sunspec::Asked;

/// The longest sleep: a clock that was set is noticed within this time.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// One endpoint and the meters behind it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the bus in the configuration.
    pub name: String,
    /// How it is reached.
    pub wiring: Wiring,
    /// What it wants.
    pub manners: Manners,
    /// How long connecting may take, and how long each answer.
    pub timeout: Duration,
    /// Where what was learned of its units is kept over restarts, if anywhere.
    pub memory: Option<PathBuf>,
    /// The meters, in the order in which they are polled.
    pub polls: Vec<Poll>,
}

impl Settings {
    /// What the endpoint wants, by its configuration and by the devices behind it.
    #[must_use]
    pub fn manners(&self) -> Manners {
        let mut manners = self.manners.clone();
        let longest = |pause: &mut Duration, wanted: Option<Duration>| {
            *pause = (*pause).max(wanted.unwrap_or_default());
        };
        for poll in &self.polls {
            longest(&mut manners.request_pause, poll.limits.request_pause);
            longest(&mut manners.connect_pause, poll.limits.connect_pause);
            longest(&mut manners.min_timeout, poll.limits.min_timeout);
        }
        manners
    }
}

/// One meter: which unit it is, how often it is polled, and for what.
#[derive(Debug, Clone)]
pub struct Poll {
    /// The meter.
    pub meter: MeterIndex,
    /// Its unit id.
    pub unit: u8,
    /// How often it is polled.
    pub period: Duration,
    /// What is read, and where it is.
    pub points: Vec<(PointIndex, Layout)>,
    /// Factors in registers of the device, by their places in the layouts.
    pub factors: Vec<Factor>,
    /// What shows that it is the device that is meant.
    pub identify: Vec<Expect>,
    /// What is asked of the models of a `SunSpec` device; where they are is found when
    /// it answers.
    pub sunspec: Option<Asked>,
    /// How it wants to be asked.
    pub limits: Limits,
}

/// Polls the endpoint until `stop` is cancelled or nobody listens.
///
/// A request under way at `stop` is given up: its connection is closed with it, so
/// that no late answer meets another request.
pub async fn run(
    settings: Settings,
    tx: mpsc::Sender<Heard>,
    stop: CancellationToken,
    stats: Arc<SourceStats>,
) {
    let worker = Worker::new(&settings, tx, stats);
    let polls = settings.polls.into_iter().map(Planned::new).collect();
    stop.run_until_cancelled(worker.run(polls)).await;
}

type Values = Vec<(PointIndex, Result<crate::domain::snapshot::Value, Reason>)>;

/// How often what was learned is written at most.
const REMEMBER_EVERY: Duration = Duration::from_secs(10);

/// Where what was learned is kept, and what of it is kept already.
struct Memory {
    path: PathBuf,
    versions: Vec<u64>,
    next: Option<Instant>,
}

impl Memory {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            versions: Vec::new(),
            next: None,
        }
    }
}

/// What is known about one unit of the endpoint.
#[derive(Debug, Default)]
struct Unit {
    breaker: Breaker,
    learned: Learned,
}

struct Worker {
    name: String,
    link: Link,
    timeout: Duration,
    units: BTreeMap<u8, Unit>,
    memory: Option<Memory>,
    budget: Budget,
    /// Whether a line without transactions is listened to after silence.
    drains: bool,
    tx: mpsc::Sender<Heard>,
    stats: Arc<SourceStats>,
    /// Whether the queue to the app was full at the last attempt.
    behind: bool,
}

impl Worker {
    fn new(settings: &Settings, tx: mpsc::Sender<Heard>, stats: Arc<SourceStats>) -> Self {
        let units = settings.polls.iter().map(|poll| poll.unit);
        let units = units.map(|unit| (unit, Unit::default())).collect();
        let timeout = settings.timeout;
        let drains = !settings.wiring.has_transactions();
        Self {
            link: Link::new(
                &settings.name,
                settings.wiring.clone(),
                settings.manners(),
                timeout,
            ),
            name: settings.name.clone(),
            timeout,
            units,
            memory: settings.memory.clone().map(Memory::new),
            budget: Budget::new(if drains { timeout * 2 } else { timeout }),
            drains,
            tx,
            stats,
            behind: false,
        }
    }

    /// Takes up what was learned before the start.
    async fn recall(&mut self) {
        let Some(memory) = &mut self.memory else {
            return;
        };
        let path = memory.path.clone();
        let (now, wall_ms) = (clock::mono(), clock::wall().as_millisecond());
        let load = move || memory::load(&path, now, wall_ms);
        for (unit, learned) in tokio::task::spawn_blocking(load).await.unwrap_or_default() {
            if let Some(state) = self.units.get_mut(&unit) {
                state.learned = learned;
            }
        }
        memory.versions = self
            .units
            .values()
            .map(|state| state.learned.version())
            .collect();
    }

    /// Keeps what was learned since the last time.
    fn remember(&mut self) {
        let now = clock::mono();
        let Some(memory) = self
            .memory
            .as_mut()
            .filter(|it| it.next.is_none_or(|next| next <= now))
        else {
            return;
        };
        memory.next = Some(now + REMEMBER_EVERY);
        let versions: Vec<u64> = self
            .units
            .values()
            .map(|state| state.learned.version())
            .collect();
        if versions == memory.versions {
            return;
        }
        memory.versions = versions;
        let units = self
            .units
            .iter()
            .map(|(unit, state)| (*unit, &state.learned));
        let text = memory::text(units, now, clock::wall().as_millisecond());
        let path = memory.path.clone();
        // The bus does not wait for the disk, and nobody waits for this file.
        tokio::task::spawn_blocking(move || memory::write(&path, &text));
    }

    async fn run(mut self, mut polls: Vec<Planned>) {
        self.recall().await;
        let periods = polls.iter().map(|planned| {
            let period_ms = planned.poll.period.as_millis();
            i64::try_from(period_ms).unwrap_or(i64::MAX)
        });
        let mut table = Timetable::new(periods, clock::wall().as_millisecond());
        while !self.tx.is_closed() {
            match table.next(clock::wall().as_millisecond()) {
                Next::Wait(ms) => sleep(Duration::from_millis(ms).min(LONGEST_SLEEP)).await,
                Next::Poll(index) => {
                    if let Some(planned) = polls.get_mut(index) {
                        self.poll(planned).await;
                        self.remember();
                    }
                }
            }
        }
    }

    fn hear_words(&mut self, planned: &mut Planned, request: &Request, words: &[u16], at: Instant) {
        let mut missing = None;
        let mut values = Values::with_capacity(request.points.len());
        for place in &request.points {
            let Some((point, layout)) = planned.point(*place) else {
                continue;
            };
            let value = layout.value(request.address, words, &planned.setup.factors);
            let address = layout.field.address;
            let value = value.and_then(|value| planned.believe(*place, at, value));
            if let Err(reason) = value {
                missing = Some((address, reason));
            }
            values.push((point, value));
        }
        let detail = missing.map(|(address, reason)| {
            let why = match reason {
                Reason::NotAvailable => "says that it has no value",
                Reason::NeverSeen => "needs a ratio of the device that could not be read",
                _ => "holds what is not plausible",
            };
            let (endpoint, unit) = (self.link.endpoint(), planned.poll.unit);
            format!("{endpoint} unit {unit}: register {address} {why}")
        });
        self.hear(planned, at, values, detail, Some(Outcome::Ok));
    }

    /// Whether the unit is dead, as far as is known.
    fn is_closed(&self, unit: u8) -> bool {
        let state = self.units.get(&unit);
        state.is_some_and(|state| state.breaker.closed_at().is_some())
    }

    /// How long a dead unit is still left alone; none if the unit is to be asked.
    fn pause(&mut self, unit: u8, now: Instant) -> Option<Duration> {
        // Nobody waits for a unit that has the endpoint for itself.
        if self.units.len() < 2 {
            return None;
        }
        let until = self.units.get(&unit)?.breaker.closed_at()?;
        let wait = until
            .saturating_duration_since(now)
            .max(self.budget.wait(now));
        (!wait.is_zero()).then_some(wait)
    }

    /// A dead unit was asked since then, in vain. On a line without transactions the
    /// next question waits as long again, lest a late answer is taken for its own.
    fn spend(&mut self, since: Instant) {
        let took = clock::mono().saturating_duration_since(since);
        self.budget.spend(if self.drains { took * 2 } else { took });
    }

    /// A unit that keeps the bus waiting, or makes the gateway hang up, is asked
    /// less often; one that answers, well or not, as ever.
    fn tell_breaker(&mut self, unit: u8, failure: Option<&Failure>, now: Instant) {
        if self.link.recovered() {
            // What was silent then was the endpoint, perhaps, and not its units.
            let units = self.units.values_mut();
            units.for_each(|state| state.breaker.forgive());
        }
        let breaker = &mut self.units.entry(unit).or_default().breaker;
        match failure {
            Some(Failure::Connect(_) | Failure::Invalid) => (),
            Some(Failure::HungUp) => breaker.timed_out(now),
            Some(failure) if failure.reason() == Reason::Timeout => breaker.timed_out(now),
            _ => breaker.answered(),
        }
    }

    /// What requests cost on this endpoint.
    fn cost(&self) -> Timing {
        self.link.timing()
    }

    /// Hands it to the app. Where the app is behind it is dropped, counted: the bus
    /// must not wait, and the next poll tells more than this one.
    fn hear(
        &mut self,
        planned: &Planned,
        at: Instant,
        values: Values,
        detail: Option<String>,
        outcome: Option<Outcome>,
    ) {
        let meter = planned.poll.meter;
        if let Some(outcome) = outcome {
            self.stats.count(meter, outcome);
        }
        let heard = Heard {
            meter,
            at,
            values,
            detail,
            receipt: None,
            late: false,
            of: None,
        };
        match self.tx.try_send(heard) {
            Ok(()) => self.behind = false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.stats.count_dropped();
                if !std::mem::replace(&mut self.behind, true) {
                    warn!(bus = self.name, "Readings dropped, the engine is behind.");
                }
            }
            // The loop ends by itself.
            Err(mpsc::error::TrySendError::Closed(_)) => (),
        }
    }

    /// What went wrong, for the person at the device.
    fn detail(&self, unit: u8, request: &Request, failure: &Failure) -> String {
        let endpoint = self.link.endpoint();
        let (fc, first) = (request.fc, request.address);
        let last = u32::from(first) + u32::from(request.count) - 1;
        match failure {
            Failure::Timeout => format!(
                "no answer within {} from {endpoint} unit {unit}",
                text(self.timeout)
            ),
            Failure::Exception(exception) => format!(
                "{endpoint} unit {unit} refuses registers {first} to {last} \
                 (function {fc}): {} (exception {})",
                exception_words(*exception),
                exception
            ),
            Failure::Unusable(what) => format!(
                "{endpoint} unit {unit} answers registers {first} to {last} \
                 (function {fc}) with {what}"
            ),
            Failure::Connect(why) => format!("no connection to {endpoint}: {why}"),
            Failure::HungUp => format!("{endpoint} hangs up when unit {unit} is asked"),
            Failure::Invalid => {
                format!("{endpoint} unit {unit}: registers {first} to {last} cannot be asked for")
            }
        }
    }

    /// One line when a meter falls silent or answers again; a lost connection has
    /// its own, for all meters behind it.
    fn log_change(&self, planned: &mut Planned, trouble: Option<Reason>) {
        let (endpoint, unit) = (self.link.endpoint(), planned.poll.unit);
        if trouble == planned.trouble || trouble == Some(Reason::Connect) {
            return;
        }
        planned.trouble = trouble;
        match trouble {
            None => info!(bus = self.name, endpoint, unit, "Meter answers again."),
            Some(reason) => {
                let reason = reason.name();
                warn!(
                    bus = self.name,
                    endpoint, unit, reason, "No reading from meter."
                );
            }
        }
    }
}
