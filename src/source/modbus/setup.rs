//! What must be known of a device before its points are read: whether it is the one
//! that is meant, the ratios that it keeps in registers, and where a `SunSpec` device
//! has its models.
//!
//! ```text
//!   identify ──another device──▶ every point is a gap, asked again in five minutes
//!   factors  ──not there───────▶ the points that need them are gaps
//!   models   ──walked──────────▶ where each point is
//! ```
//!
//! All of it is read at the start and daily. **A device that is another one gives no
//! numbers**, whatever its registers hold. A ratio that has changed is logged with both
//! values; the register that it belongs to begins a new segment by itself, because its
//! counts are worth something else.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::Worker;
use super::discover::{Failed, Reader, Undiscovered, discover};
use super::link::Failure;
use super::planned::Planned;
use super::settings::{Expect, Factor};
use crate::domain::quality::Reason;
use crate::sys::clock;
use crate::wire::plan::{Request, Span};

/// How long what was read stands.
const DAY: Duration = Duration::from_secs(86_400);
/// When a device that is another one, or has no such registers, is asked again.
const AGAIN: Duration = Duration::from_secs(300);

/// What is known of a device.
#[derive(Debug, Default)]
pub struct Setup {
    /// Factors in the order of the poll's; NaN where one is not known.
    pub factors: Vec<f64>,
    /// Why the device gives no numbers.
    pub refusal: Option<String>,
    /// When it is read next; none before the first time.
    next: Option<Instant>,
}

/// What reading the setup came to.
pub enum Ready {
    /// The points may be read.
    Yes,
    /// The device is another one.
    Refused,
    /// It does not answer.
    Silent(Request, Failure),
}

impl Setup {
    /// A device of which nothing is known yet.
    pub fn new(factors: usize) -> Self {
        Self {
            factors: vec![f64::NAN; factors],
            ..Self::default()
        }
    }

    /// Is read again before its day is over.
    pub fn again(&mut self, now: Instant) {
        let soon = now + AGAIN;
        self.next = self.next.map(|next| next.min(soon));
    }

    fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| next <= now)
    }
}

fn request(span: Span) -> Request {
    Request {
        fc: span.fc,
        address: span.address,
        count: span.count,
        points: Vec::new(),
    }
}

/// The bus, as the walk through the models of a device sees it.
struct Walker<'a>(&'a mut Worker);

impl Reader for Walker<'_> {
    type Failure = Failure;

    async fn read(
        &mut self,
        unit: u8,
        fc: u8,
        address: u16,
        count: u16,
    ) -> Result<Vec<u16>, Failure> {
        let span = Span { fc, address, count };
        self.0.ask_words(unit, &request(span)).await
    }

    fn failed(failure: &Failure) -> Failed {
        match failure {
            Failure::Connect(_) => Failed::Unasked,
            failure if failure.reason() == Reason::Exception => Failed::Refused,
            _ => Failed::Silent,
        }
    }
}

impl Worker {
    /// Reads what must be known before the points, where its time has come.
    pub(super) async fn set_up(&mut self, planned: &mut Planned) -> Ready {
        let now = clock::mono();
        if !planned.setup.is_due(now) {
            return match planned.setup.refusal {
                Some(_) => Ready::Refused,
                None => Ready::Yes,
            };
        }
        let mut whole = true;
        for place in 0..planned.poll.identify.len() {
            let Some(expect) = planned.poll.identify.get(place).cloned() else {
                break;
            };
            match self.identify(planned, &expect).await {
                Ok(refusal @ Some(_)) => {
                    let new = planned.setup.refusal != refusal;
                    if let Some(why) = refusal.as_deref().filter(|_| new) {
                        let (bus, unit) = (&self.name, planned.poll.unit);
                        warn!(bus, unit, why, "The device is another one.");
                    }
                    planned.setup.refusal = refusal;
                    planned.setup.next = Some(now + AGAIN);
                    return Ready::Refused;
                }
                Ok(None) => (),
                Err(silent) => return silent,
            }
        }
        if let Some(refused) = self.discover(planned, now).await {
            return refused;
        }
        planned.setup.refusal = None;
        for place in 0..planned.poll.factors.len() {
            let Some(factor) = planned.poll.factors.get(place).cloned() else {
                break;
            };
            match self.factor(planned, place, &factor).await {
                Ok(known) => whole &= known,
                Err(silent) => return silent,
            }
        }
        planned.setup.next = Some(now + if whole { DAY } else { AGAIN });
        Ready::Yes
    }

    /// Walks the models of a `SunSpec` device; what keeps its points from being read.
    async fn discover(&mut self, planned: &mut Planned, now: Instant) -> Option<Ready> {
        let asked = planned.poll.sunspec.clone()?;
        let unit = planned.poll.unit;
        let max_registers = planned.poll.limits.max_registers;
        match discover(&mut Walker(self), unit).await {
            Ok(chain) => {
                let bus = &self.name;
                let models: Vec<u16> = chain.models.iter().map(|model| model.id).collect();
                if planned.found(asked.served(&chain, max_registers)) {
                    info!(bus, unit, ?models, "SunSpec models found.");
                }
                None
            }
            Err(Undiscovered::Lost(lost)) => {
                let endpoint = self.link.endpoint();
                planned.setup.refusal = Some(format!(
                    "{endpoint} unit {unit} is no SunSpec device: {lost}"
                ));
                planned.setup.next = Some(now + AGAIN);
                Some(Ready::Refused)
            }
            Err(Undiscovered::Failed(failure)) => {
                let marker = request(Span {
                    fc: 3,
                    address: 40_000,
                    count: 2,
                });
                Some(Ready::Silent(marker, failure))
            }
        }
    }

    /// Why the device is another one than is meant, if it is.
    async fn identify(
        &mut self,
        planned: &Planned,
        expect: &Expect,
    ) -> Result<Option<String>, Ready> {
        let asked = request(Span {
            fc: expect.fc,
            address: expect.field.address,
            count: expect.words(),
        });
        let found = match self.ask_words(planned.poll.unit, &asked).await {
            Ok(words) => expect.holds(asked.address, &words).err(),
            Err(Failure::Exception(_)) => Some("no such register".to_owned()),
            Err(failure) => return Err(Ready::Silent(asked, failure)),
        };
        Ok(found.map(|found| {
            format!(
                "{} unit {}: {} (register {}) should be {}, and is {found}; is the template the right one?",
                self.link.endpoint(),
                planned.poll.unit,
                expect.about,
                expect.field.address,
                expect.wants,
            )
        }))
    }

    /// Reads a factor; whether it is known now.
    async fn factor(
        &mut self,
        planned: &mut Planned,
        place: usize,
        factor: &Factor,
    ) -> Result<bool, Ready> {
        let asked = request(Span {
            fc: factor.fc,
            address: factor.field.address,
            count: factor.field.number.words(),
        });
        let said = match self.ask_words(planned.poll.unit, &asked).await {
            Ok(words) => factor.value(asked.address, &words),
            Err(Failure::Exception(_)) => Err(Reason::Exception),
            Err(failure) => return Err(Ready::Silent(asked, failure)),
        };
        let Some(known) = planned.setup.factors.get_mut(place) else {
            return Ok(true);
        };
        let (bus, unit, name) = (&self.name, planned.poll.unit, &factor.name);
        match said {
            Ok(value) => {
                let before = std::mem::replace(known, value);
                if before.is_nan() {
                    info!(
                        bus,
                        unit,
                        name = &**name,
                        value,
                        "Ratio of the device read."
                    );
                } else if before != value {
                    let event = "ratio_changed";
                    warn!(
                        bus,
                        unit,
                        event,
                        name = &**name,
                        before,
                        value,
                        "Ratio of the device changed."
                    );
                }
                Ok(true)
            }
            Err(reason) => {
                // What was read before stands no longer: the device says otherwise.
                if !matches!(reason, Reason::Exception) || known.is_nan() {
                    *known = f64::NAN;
                    let reason = reason.name();
                    warn!(
                        bus,
                        unit,
                        name = &**name,
                        reason,
                        "Ratio of the device cannot be read."
                    );
                }
                Ok(false)
            }
        }
    }

    /// Asks for registers that are no points.
    async fn ask_words(&mut self, unit: u8, request: &Request) -> Result<Vec<u16>, Failure> {
        let said = self.link.read(unit, request).await;
        self.tell_breaker(unit, said.as_ref().err(), clock::mono());
        said.map(|(words, _)| words)
    }
}
