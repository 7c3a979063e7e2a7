//! The one connection to a Modbus endpoint, and what may go wrong on it.
//!
//! Requests are strictly serial: one question, one answer, then the next. **A
//! connection that did anything but answer in full, or refuse by a Modbus exception, is
//! not asked again before it is in step.**
//!
//! | link | after no answer, or a wrong one |
//! |---|---|
//! | TCP | closed; the next question has a new connection and a new transaction |
//! | TCP without transactions | the same, after one more timeout; then as on a line |
//! | RTU over TCP | drained for one more timeout and until it is quiet, closed; then as on a line |
//! | serial | drained in the same way and cleared |
//!
//! On a line nothing in an answer tells its question. What is still owed is kept in
//! `Debts`, and a question that could be confused with one of those waits until
//! another has proved that the unit is in step.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::debt::{Debts, Step};
use super::serial;
use super::session::{Asking, Drained, Framing, Reply, Session, Stray, Stream, Trouble};
use super::wiring::{Manners, Wiring};
use crate::domain::quality::Reason;
use crate::source::backoff::Backoff;
use crate::sys::clock;
use crate::wire::modbus::timing::{Fit, Timing};
use crate::wire::modbus::{Fault, Leniency, Question, rtu};
use crate::wire::plan::Request;

/// How long a connection is silent before the kernel asks whether the peer lives.
/// Shorter than the minutes after which firewalls forget a connection.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
/// New connections in a row that may be closed without an answer before the
/// endpoint is left alone: one for the unit that was asked, one for the next.
const HANG_UPS: u32 = 2;
/// How long connecting may take at least: a device that answers within milliseconds may
/// take longer to accept.
const CONNECTING: Duration = Duration::from_secs(1);
/// The silence after an answer on a serial line, beyond the three and a half characters
/// of the specification: for devices that are slow to let go of the line, and adapters
/// that are late to say that it is free.
const LINE_PAUSE: Duration = Duration::from_millis(5);
/// The same behind a serial server, whose line nobody here knows.
const SERVER_PAUSE: Duration = Duration::from_millis(5);
/// How long to listen for a second answer where transactions mean nothing.
const GATEWAY_PAUSE: Duration = Duration::from_millis(2);
/// The longest pause within a frame on a serial line: USB adapters hand over what they
/// received every 16 ms.
const ADAPTER_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause within a frame on a network: one packet that is sent again is later,
/// and costs a reading and never a wrong one.
const NETWORK_PAUSE: Duration = Duration::from_millis(50);
/// Questions that prove a unit in step before one that is wanted.
const PROOFS: u32 = 2;

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No answer in time.
    Timeout,
    /// The device refused, with this code.
    Exception(u8),
    /// An answer that does not hold what was asked for.
    Unusable(String),
    /// No connection.
    Connect(String),
    /// The device hung up on the question.
    HungUp,
    /// The request itself is not one that Modbus has.
    Invalid,
}

impl Failure {
    /// Whether the device says that it has no such registers, or not so many at once.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Exception(2 | 3))
    }

    /// Whether a refusal is one of the length, by the specification. Devices take it
    /// less strictly.
    pub fn is_about_length(&self) -> bool {
        matches!(self, Self::Exception(3))
    }

    /// The reason of the gap.
    ///
    /// Exceptions 10 and 11 are the words of a gateway about a device that does
    /// not answer it: to the meter that is a timeout.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Timeout | Self::Exception(10 | 11) => Reason::Timeout,
            Self::Exception(_) => Reason::Exception,
            Self::Unusable(_) => Reason::ShortAnswer,
            Self::Connect(_) | Self::HungUp => Reason::Connect,
            Self::Invalid => Reason::Config,
        }
    }
}

/// Words of an answer with the midpoint of its request.
pub type Answer = (Vec<u16>, Instant);

/// The connection to one endpoint, opened when it is needed.
pub struct Link {
    endpoint: String,
    wiring: Wiring,
    manners: Manners,
    timeout: Duration,
    session: Option<Session>,
    /// The last transaction. It goes on over connections, so that no answer that a
    /// gateway kept from one passes on the next.
    transaction: u16,
    debts: Debts,
    /// Nothing is asked before this moment, and until the line is quiet.
    poisoned: Option<Instant>,
    /// When the last answer came.
    heard: Instant,
    /// The last hang-up may be that of an idle connection: without a word, on one that
    /// had answered. A new one has not, so it is opened anew once and not again.
    was_idle: bool,
    /// New connections in a row that were closed without an answer.
    hang_ups: u32,
    backoff: Backoff,
    /// No attempt to connect before this moment, and why.
    resting: Option<(Instant, String)>,
    lost: bool,
    recovered: bool,
    fit: Fit,
}

impl Link {
    /// A link that is opened by its first question.
    #[must_use]
    pub fn new(name: &str, wiring: Wiring, manners: Manners, timeout: Duration) -> Self {
        let timeout = timeout.max(manners.min_timeout);
        let prior = match &wiring {
            Wiring::Serial(serial) => serial.line.timing(serial.turnaround),
            Wiring::Tcp { .. } | Wiring::RtuOverTcp { .. } => Timing::NETWORK,
        };
        Self {
            endpoint: wiring.to_string(),
            timeout,
            session: None,
            transaction: 0,
            debts: Debts::new(timeout, manners.any_unit),
            poisoned: None,
            heard: clock::mono(),
            was_idle: false,
            hang_ups: 0,
            backoff: Backoff::new(name),
            resting: None,
            lost: false,
            recovered: false,
            fit: Fit::new(prior),
            wiring,
            manners,
        }
    }

    /// Who is at the other end, for people.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What a request costs here, as measured so far.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.fit.timing()
    }

    /// Whether the endpoint has come back since this was last asked.
    pub fn recovered(&mut self) -> bool {
        std::mem::take(&mut self.recovered)
    }

    /// The last hang-ups were about the units that were asked: the next question
    /// connects at once.
    pub fn forgive(&mut self) {
        self.hang_ups = 0;
        self.resting = None;
        self.backoff.reset();
    }

    /// All that is due was asked: where others want the endpoint, it is let go.
    pub async fn end_of_cycle(&mut self) {
        if self.manners.close_after_cycle && self.poisoned.is_none() {
            self.hang_up().await;
        }
    }

    /// Asks a unit for registers or bits (0 or 1), and stamps the answer with the
    /// midpoint of the request.
    ///
    /// A connection that answered before and is found closed was idle for too long
    /// for the device: it is opened anew and asked once more, and nobody notices.
    pub async fn read(&mut self, unit: u8, request: &Request) -> Result<Answer, Failure> {
        self.read_within(unit, request, self.timeout).await
    }

    /// The same with less patience than the timeout: for a question that may be asked
    /// again, where answers tell their questions.
    pub async fn read_within(
        &mut self,
        unit: u8,
        request: &Request,
        patience: Duration,
    ) -> Result<Answer, Failure> {
        let question = Question::new(unit, request.fc, request.address, request.count)
            .ok_or(Failure::Invalid)?;
        match self.ask_in_step(&question, patience).await {
            Err(Failure::HungUp) if self.was_idle => self.ask_in_step(&question, patience).await,
            said => said,
        }
    }

    /// Asks when no late answer can be taken for this one.
    async fn ask_in_step(
        &mut self,
        question: &Question,
        patience: Duration,
    ) -> Result<Answer, Failure> {
        if self.is_told_by_transaction() {
            return self.ask(question, patience.min(self.timeout)).await;
        }
        // Where a late answer could pass for the next one, silence is waited out in full.
        let patience = self.timeout;
        for _ in 0..PROOFS {
            match self.debts.step(question, clock::mono()) {
                Step::Ask => return self.ask(question, patience).await,
                Step::First(proof) => match self.ask(&proof, patience).await {
                    Ok(_) | Err(Failure::Exception(_)) => (),
                    Err(failure) => return Err(failure),
                },
                Step::Wait => return Err(Failure::Timeout),
            }
        }
        Err(Failure::Unusable(Fault::Doubtful.to_string()))
    }

    async fn ask(&mut self, question: &Question, patience: Duration) -> Result<Answer, Failure> {
        self.was_idle = false;
        let mut session = self.ready().await?;
        let had_answered = session.proven;
        self.transaction = self.transaction.wrapping_add(1);
        let now = clock::mono();
        if !self.is_told_by_transaction() {
            self.debts.asked(question, now);
            // Should this be given up half way, the answer is still to come.
            self.poisoned = Some(now + self.timeout * 2);
        }
        let asking = self.asking(question, patience);
        let trouble = match session.ask(&asking).await {
            Ok(reply) => {
                let refused = reply.said.is_err();
                let own = self.is_told_by_transaction() || self.debts.answered(question, refused);
                if own {
                    return self.answered(session, question, reply).await;
                }
                Trouble::Broken(Fault::Doubtful)
            }
            Err(trouble) => trouble,
        };
        self.was_idle = had_answered && trouble == Trouble::HungUp { silent: true };
        Err(self.spoilt(session, trouble).await)
    }

    fn asking<'a>(&self, question: &'a Question, patience: Duration) -> Asking<'a> {
        let (framing, on_the_line) = match &self.wiring {
            Wiring::Tcp { .. } => (Framing::Tcp(self.transaction), Duration::ZERO),
            Wiring::RtuOverTcp { .. } => (Framing::Rtu, Duration::ZERO),
            Wiring::Serial(serial) => {
                let bytes = rtu::encode(question).len();
                (Framing::Rtu, serial.line.time(bytes))
            }
        };
        Asking {
            question,
            framing,
            lenient: Leniency {
                any_unit: self.manners.any_unit,
                ignore_transaction: self.manners.ignore_transaction,
            },
            on_the_line,
            patience,
            quiet: self.quiet(),
            settle: (!self.is_told_by_transaction()).then(|| self.least_pause()),
        }
    }

    /// The question was answered: the session is in step and may be asked again.
    async fn answered(
        &mut self,
        session: Session,
        question: &Question,
        reply: Reply,
    ) -> Result<Answer, Failure> {
        self.poisoned = None;
        self.heard = reply.at + reply.took / 2;
        self.hang_ups = 0;
        self.backoff.reset();
        if std::mem::take(&mut self.lost) {
            self.recovered = true;
            info!(endpoint = self.endpoint, "Modbus endpoint answers again.");
        }
        if reply.clean {
            self.session = Some(session);
        } else {
            session.close().await;
        }
        let words = reply.said.map_err(Failure::Exception)?;
        let took = reply.took + self.pause();
        self.fit
            .observe(question.registers(), took.as_secs_f64() * 1_000.0);
        Ok((words, reply.at))
    }

    /// It was not: whatever comes of this session from here on is no answer.
    async fn spoilt(&mut self, session: Session, trouble: Trouble) -> Failure {
        let hung_up = matches!(trouble, Trouble::HungUp { .. });
        if hung_up && !session.proven {
            self.hang_ups += 1;
            // One hang-up may be about the unit that was asked. A peer that accepts
            // and hangs up on all of them is as good as one that refuses.
            if self.hang_ups >= HANG_UPS {
                self.rest("connection closed by the device".into());
            }
        }
        if !self.is_told_by_transaction() {
            let now = clock::mono();
            self.poisoned = Some(match trouble {
                Trouble::Broken(_) if !self.wiring.has_transactions() => now,
                _ => now + self.timeout,
            });
        }
        if hung_up {
            drop(session);
        } else if self.wiring.has_transactions() {
            session.close().await;
        } else {
            self.session = Some(session);
        }
        match trouble {
            Trouble::Timeout => Failure::Timeout,
            Trouble::Broken(fault) => Failure::Unusable(fault.to_string()),
            Trouble::HungUp { .. } => Failure::HungUp,
        }
    }

    /// A session in step, with nothing in its buffers, after the pauses that it wants.
    async fn ready(&mut self) -> Result<Session, Failure> {
        if let Some(until) = self.poisoned {
            self.renew(until).await?;
        }
        let idle = self.manners.idle_close;
        if idle.is_some_and(|idle| clock::mono() >= self.heard + idle) {
            self.hang_up().await;
        }
        if self.session.is_some() {
            sleep_until(self.heard + self.pause()).await;
        }
        match self.session.as_ref().map(Session::stray) {
            Some(Stray::Nothing) => (),
            Some(Stray::Closed) => self.session = None,
            Some(Stray::Bytes) => self.renew(clock::mono()).await?,
            None => (),
        }
        match self.session.take() {
            Some(session) => Ok(session),
            None => self.connect().await,
        }
    }

    /// Waits until what was under way is dead, and begins anew.
    async fn renew(&mut self, until: Instant) -> Result<(), Failure> {
        let Some(mut session) = self.session.take() else {
            sleep_until(until).await;
            self.poisoned = None;
            return Ok(());
        };
        if self.wiring.has_transactions() {
            session.close().await;
            self.poisoned = None;
            return Ok(());
        }
        let drained = session.drain(until, self.quiet()).await;
        if drained == Drained::Babbles {
            session.close().await;
            let what = "bytes without end, though nothing was asked";
            return Err(Failure::Unusable(what.into()));
        }
        self.poisoned = None;
        if drained == Drained::Quiet && session.clear() {
            self.session = Some(session);
        } else {
            session.close().await;
        }
        Ok(())
    }

    async fn hang_up(&mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    /// Whether an answer tells its question. Otherwise the link has to.
    fn is_told_by_transaction(&self) -> bool {
        self.wiring.has_transactions() && !self.manners.ignore_transaction
    }

    /// The silence after an answer.
    fn pause(&self) -> Duration {
        self.manners.request_pause.max(self.least_pause())
    }

    /// The silence that a link needs, whatever the device wants.
    fn least_pause(&self) -> Duration {
        match &self.wiring {
            Wiring::Serial(serial) => serial.line.silence() + LINE_PAUSE,
            Wiring::RtuOverTcp { .. } => SERVER_PAUSE,
            Wiring::Tcp { .. } if self.manners.ignore_transaction => GATEWAY_PAUSE,
            Wiring::Tcp { .. } => Duration::ZERO,
        }
    }

    /// The silence that ends a frame of unknown length.
    fn quiet(&self) -> Duration {
        match &self.wiring {
            Wiring::Serial(serial) => {
                let adapter = ADAPTER_PAUSE.min(self.timeout / 4);
                serial.line.silence().max(adapter)
            }
            Wiring::Tcp { .. } | Wiring::RtuOverTcp { .. } => NETWORK_PAUSE.min(self.timeout / 4),
        }
    }

    async fn connect(&mut self) -> Result<Session, Failure> {
        if let Some((until, why)) = &self.resting {
            if clock::mono() < *until {
                return Err(Failure::Connect(why.clone()));
            }
            self.resting = None;
        }
        let opened = match &self.wiring {
            Wiring::Tcp { host, port } | Wiring::RtuOverTcp { host, port } => {
                tcp_stream(host, *port, self.timeout.max(CONNECTING))
                    .await
                    .map(Stream::Tcp)
            }
            Wiring::Serial(line) => serial::open(line)
                .map(Stream::Serial)
                .map_err(|error| error.to_string()),
        };
        let session = match opened {
            Ok(stream) => Session::new(stream),
            Err(why) => return Err(self.rest(why)),
        };
        if !self.manners.connect_pause.is_zero() {
            sleep_until(clock::mono() + self.manners.connect_pause).await;
        }
        Ok(session)
    }

    /// No attempt for a while.
    fn rest(&mut self, why: String) -> Failure {
        if !std::mem::replace(&mut self.lost, true) {
            warn!(
                endpoint = self.endpoint,
                error = why,
                "No connection to Modbus endpoint."
            );
        }
        let until = clock::mono() + self.backoff.failed();
        self.resting = Some((until, why.clone()));
        Failure::Connect(why)
    }
}

async fn tcp_stream(host: &str, port: u16, patience: Duration) -> Result<TcpStream, String> {
    let stream = match timeout(patience, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_elapsed) => return Err(format!("nothing there within {}", text(patience))),
    };
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_AFTER / 3);
    stream
        .set_nodelay(true)
        .and_then(|()| SockRef::from(&stream).set_tcp_keepalive(&keepalive))
        .map_err(|error| error.to_string())?;
    Ok(stream)
}

/// A time as people write it: `1 s`, `250 ms`.
#[must_use]
pub fn text(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_that_modbus_does_not_have_is_not_sent() {
        // Nobody listens there: an attempt would fail with another reason.
        let wiring = Wiring::Tcp {
            host: "127.0.0.1".into(),
            port: 9,
        };
        let mut link = Link::new("main", wiring, Manners::default(), Duration::from_secs(1));
        #[rustfmt::skip]
        let cases = [
            (3, 0, 0), (3, 0, 126), (1, 0, 2_001), (3, 65_535, 2), (4, 65_412, 125), (16, 0, 1),
        ];
        for (fc, address, count) in cases {
            let points = Vec::new();
            let request = Request {
                fc,
                address,
                count,
                points,
            };
            let said = link.read(1, &request).await;
            assert_eq!(said, Err(Failure::Invalid), "{request:?}");
        }
    }

    #[test]
    fn times_are_written_for_people() {
        assert_eq!(text(Duration::from_secs(1)), "1 s");
        assert_eq!(text(Duration::from_millis(1_500)), "1500 ms");
    }
}
