//! Polls the meters behind one Modbus TCP endpoint, in turn, on one connection.
//!
//! ```text
//!   timetable ──▶ poll ──▶ breaker ──▶ link ──▶ words ──▶ Heard
//!   (when)                (whether)   (one socket)
//! ```
//!
//! One task owns the endpoint: never two sockets to one gateway, never two
//! requests at a time. **Each poll that is due is heard of**, with values or with
//! the reason why there are none; silence of a device is not silence here.
//!
//! Only function codes 1 to 4 are ever sent.

mod breaker;
mod link;
mod settings;
mod timetable;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::breaker::Breaker;
use self::link::{Failure, Link, text};
pub use self::settings::{Expect, Factor, Limits, Meaning, Wants};
use self::timetable::{Next, Timetable};
use super::{Heard, Outcome, SourceStats};
use crate::domain::meter::{MeterIndex, PointIndex};
use crate::domain::quality::Reason;
use crate::sys::clock;
use crate::wire::plan::{MAX_REGISTERS, Request, plan};
use crate::wire::register::Layout;

/// The longest sleep: a clock that was set is noticed within this time.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// One endpoint and the meters behind it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the bus in the configuration.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How long connecting may take, and how long each answer.
    pub timeout: Duration,
    /// The meters, in the order in which they are polled.
    pub polls: Vec<Poll>,
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

/// A poll with its requests.
struct Planned {
    poll: Poll,
    layouts: Vec<Layout>,
    requests: Vec<Request>,
    /// Points that no request can read.
    unreadable: Vec<PointIndex>,
    /// What was wrong at the last poll, so that the log tells changes alone.
    trouble: Option<Reason>,
}

impl Planned {
    fn new(poll: Poll) -> Self {
        let layouts: Vec<Layout> = poll
            .points
            .iter()
            .map(|(_, layout)| layout.clone())
            .collect();
        let requests = plan(&layouts, MAX_REGISTERS);
        let is_read = |index| {
            requests
                .iter()
                .any(|request| request.points.contains(&index))
        };
        let unreadable = poll
            .points
            .iter()
            .enumerate()
            .filter(|(index, _)| !is_read(*index))
            .map(|(_, (point, _))| *point)
            .collect();
        Self {
            poll,
            layouts,
            requests,
            unreadable,
            trouble: None,
        }
    }

    /// The point behind an index into the layouts.
    fn point(&self, index: usize) -> Option<(PointIndex, &Layout)> {
        let (point, _) = self.poll.points.get(index)?;
        Some((*point, self.layouts.get(index)?))
    }

    /// The same gap for every point of these requests.
    fn gaps(&self, requests: &[Request], reason: Reason) -> Values {
        requests
            .iter()
            .flat_map(|request| &request.points)
            .filter_map(|index| self.point(*index))
            .map(|(point, _)| (point, Err(reason)))
            .collect()
    }
}

type Values = Vec<(PointIndex, Result<crate::domain::snapshot::Value, Reason>)>;

struct Worker {
    name: String,
    link: Link,
    timeout: Duration,
    /// By unit; empty where a single unit has the endpoint for itself and nobody
    /// waits for it.
    breakers: BTreeMap<u8, Breaker>,
    tx: mpsc::Sender<Heard>,
    stats: Arc<SourceStats>,
    /// Whether the queue to the app was full at the last attempt.
    behind: bool,
}

impl Worker {
    fn new(settings: &Settings, tx: mpsc::Sender<Heard>, stats: Arc<SourceStats>) -> Self {
        let units = settings.polls.iter().map(|poll| poll.unit);
        let mut breakers: BTreeMap<u8, Breaker> =
            units.map(|unit| (unit, Breaker::default())).collect();
        if breakers.len() == 1 {
            breakers.clear();
        }
        let timeout = settings.timeout;
        Self {
            link: Link::new(&settings.name, &settings.host, settings.port, timeout),
            name: settings.name.clone(),
            timeout,
            breakers,
            tx,
            stats,
            behind: false,
        }
    }

    async fn run(mut self, mut polls: Vec<Planned>) {
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
                    }
                }
            }
        }
    }

    /// Asks one meter for all its points.
    async fn poll(&mut self, planned: &mut Planned) {
        let unit = planned.poll.unit;
        if !planned.unreadable.is_empty() {
            let gap = |point: &PointIndex| (*point, Err(Reason::Config));
            let values = planned.unreadable.iter().map(gap).collect();
            let detail = "no request can read this register";
            self.hear(planned, clock::mono(), values, Some(detail.into()), None);
        }
        let now = clock::mono();
        if let Some(left) = self.breakers.get(&unit).and_then(|b| b.pause(now)) {
            let detail = format!(
                "no answer from {} unit {unit}; it is asked again in {}",
                self.link.endpoint(),
                text(Duration::from_secs(left.as_secs() + 1))
            );
            let values = planned.gaps(&planned.requests, Reason::Timeout);
            self.hear(planned, now, values, Some(detail), Some(Outcome::Timeout));
            return;
        }
        let mut trouble = None;
        for (nth, request) in planned.requests.iter().enumerate() {
            let said = self.link.read(unit, request).await;
            let now = clock::mono();
            self.tell_breaker(unit, said.as_ref().err(), now);
            let failure = match said {
                Ok((words, at)) => {
                    self.hear_words(planned, request, &words, at);
                    continue;
                }
                Err(failure) => failure,
            };
            let reason = failure.reason();
            trouble = Some(reason);
            // A device that does not answer is not asked for the rest.
            let gives_up = matches!(reason, Reason::Timeout | Reason::Connect);
            let until = if gives_up {
                planned.requests.len()
            } else {
                nth + 1
            };
            let failed = planned.requests.get(nth..until).unwrap_or_default();
            let values = planned.gaps(failed, reason);
            let detail = self.detail(unit, request, &failure);
            self.hear(planned, now, values, Some(detail), Some(reason.into()));
            if gives_up {
                break;
            }
        }
        self.log_change(planned, trouble);
    }

    fn hear_words(&mut self, planned: &Planned, request: &Request, words: &[u16], at: Instant) {
        let mut missing = None;
        let points = request
            .points
            .iter()
            .filter_map(|index| planned.point(*index));
        let values: Values = points
            .map(|(point, layout)| {
                let value = layout.value(request.address, words, &[]);
                if let Err(reason) = value {
                    missing = Some((layout.field.address, reason));
                }
                (point, value)
            })
            .collect();
        let detail = missing.map(|(address, reason)| {
            let why = match reason {
                Reason::NotAvailable => "says that it has no value (NaN)",
                _ => "holds more than a register can mean",
            };
            format!(
                "{} unit {}: register {address} {why}",
                self.link.endpoint(),
                planned.poll.unit
            )
        });
        self.hear(planned, at, values, detail, Some(Outcome::Ok));
    }

    /// A unit that keeps the bus waiting, or makes the gateway hang up, is asked
    /// less often; one that answers, well or not, as ever.
    fn tell_breaker(&mut self, unit: u8, failure: Option<&Failure>, now: Instant) {
        if self.link.recovered() {
            // What was silent then was the endpoint, perhaps, and not its units.
            self.breakers.values_mut().for_each(Breaker::answered);
        }
        let Some(breaker) = self.breakers.get_mut(&unit) else {
            return;
        };
        match failure {
            Some(Failure::Connect(_) | Failure::Invalid) => (),
            Some(Failure::HungUp) => breaker.timed_out(now),
            Some(failure) if failure.reason() == Reason::Timeout => breaker.timed_out(now),
            _ => breaker.answered(),
        }
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
                exception.to_string().to_lowercase(),
                u8::from(*exception)
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
