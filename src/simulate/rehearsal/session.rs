//! One conversation with a master, over any line: questions in, answers out, as badly
//! as the faults say.
//!
//! ```text
//!   bytes ──cut──▶ question ──▶ log ──▶ unit ──▶ strike ──▶ bytes
//! ```
//!
//! One question at a time, as on a serial line: who asks again while an answer is
//! late finds it in front of the next one. **What was sent out late belongs to the
//! line, not to the connection**: a gateway that passes RTU through gives it to
//! whoever is connected then, and that is the worst that can happen to a master.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::faults::{Act, Faults, Strike};
use super::frame::{self, Cut, Framing, Question, cut};
use super::log::{Log, Outcome};
use super::unit::{Answer, Asked, Image};
use crate::sys::clock;

/// Most registers in an answer.
const MAX_REGISTERS: u16 = 125;
/// Most bits in an answer.
const MAX_BITS: u16 = 2_000;
/// Silence after which the beginning of a frame is forgotten, on RTU.
const QUIET: Duration = Duration::from_millis(50);
/// Bytes that may wait while an answer is late; more are forgotten.
const MAX_WAITING: usize = 4_096;
/// Late answers that a line keeps for the next connection.
const MAX_STRAYS: usize = 64;

/// How long things take on a serial line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Time of a character.
    pub character: Duration,
    /// Between a question and its answer.
    pub turnaround: Duration,
}

/// A bus: its units, its faults, its record.
pub struct Bus {
    /// Its place.
    pub place: usize,
    /// How frames are told apart.
    pub framing: Framing,
    /// How long a master waits for an answer.
    pub timeout: Duration,
    /// How fast the line is; none where it takes no time.
    pub pace: Option<Pace>,
    /// Its units.
    pub image: Arc<Image>,
    /// What is wrong.
    pub faults: Faults,
    /// What was asked.
    pub log: Log,
    /// Answers on their way while nobody was connected.
    pub strays: Mutex<Vec<(Instant, Vec<u8>)>>,
}

impl Bus {
    /// What a unit says, with the faults of its numbers and of its refusals.
    fn answer(
        &self,
        asked: Question,
        sequence: u64,
        strike: &Strike,
    ) -> (Option<Vec<u8>>, Outcome) {
        let refused = |code| {
            (
                Some(frame::exception(asked.fc, code)),
                Outcome::Refused(code),
            )
        };
        let most = match asked.fc {
            1 | 2 => MAX_BITS,
            3 | 4 => MAX_REGISTERS,
            _ => return refused(1),
        };
        if strike.silent {
            return (None, Outcome::Silence);
        }
        if let Some(code) = strike.exception {
            return refused(code);
        }
        let reaches = u32::from(asked.address) + u32::from(asked.count);
        if !(1..=most).contains(&asked.count) {
            return refused(3);
        }
        if reaches > 65_536 {
            return refused(2);
        }
        let [.., high, low] = sequence.to_be_bytes();
        let s = self.faults.seconds();
        let asks = Asked {
            unit: asked.unit,
            fc: asked.fc,
            address: asked.address,
            count: asked.count,
            sequence: u16::from_be_bytes([high, low]),
            s,
        };
        let manner = |meter: &str| self.faults.manner(self.place, asked.unit, meter);
        match self.image.ask(asks, manner) {
            Answer::Words(words) => (Some(frame::answer(asked.fc, &words)), Outcome::Answered),
            Answer::NoRegister => refused(2),
            // A gateway says that nobody is there; on a line nobody does.
            Answer::NoUnit if self.framing == Framing::Tcp => refused(11),
            Answer::NoUnit => (None, Outcome::Silence),
        }
    }

    /// The time on a line of a question and its answer.
    fn on_the_line(&self, question: usize, answer: usize) -> Duration {
        let characters = u32::try_from(question + answer).unwrap_or(u32::MAX);
        self.pace.map_or(Duration::ZERO, |pace| {
            pace.character * characters + pace.turnaround
        })
    }

    fn strays(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Vec<u8>)>> {
        self.strays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an answer that nobody waits for any more for the next connection.
    fn leave_behind(&self, due: Instant, bytes: Vec<u8>) {
        let mut strays = self.strays();
        if self.framing == Framing::Rtu && strays.len() < MAX_STRAYS {
            strays.push((due, bytes));
        }
    }
}

/// What waiting for bytes came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Bytes,
    /// The master hung up.
    End,
    /// Nothing within the time.
    Nothing,
    /// Faults went on or off.
    Change,
}

/// A conversation.
pub struct Session<'a, S> {
    stream: S,
    bus: &'a Bus,
    connection: u64,
    waiting: Vec<u8>,
    /// The answer that waits for the next question.
    held: Option<Vec<u8>>,
    changes: watch::Receiver<()>,
    heard: Instant,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    /// A conversation that begins.
    pub fn new(stream: S, bus: &'a Bus, connection: u64) -> Self {
        Self {
            stream,
            bus,
            connection,
            waiting: Vec::new(),
            held: None,
            changes: bus.faults.changes(),
            heard: clock::mono(),
        }
    }

    /// Answers until the master hangs up, or the faults do.
    ///
    /// # Errors
    ///
    /// What the line says.
    pub async fn run(mut self) -> io::Result<()> {
        let done = self.talk().await;
        if let Some(late) = self.held.take() {
            self.bus.leave_behind(clock::mono(), late);
        }
        done
    }

    async fn talk(&mut self) -> io::Result<()> {
        loop {
            self.deliver_strays().await?;
            match cut(self.bus.framing, &self.waiting) {
                Cut::Question(asked, length) => {
                    let bytes: Vec<u8> = self.waiting.drain(..length).collect();
                    self.heard = clock::mono();
                    if !self.hear(asked, &bytes).await? {
                        return Ok(());
                    }
                }
                Cut::Garbage(length) => {
                    self.waiting.drain(..length);
                    self.garbage(length);
                    if self.bus.framing == Framing::Tcp {
                        return Ok(());
                    }
                }
                Cut::More => {
                    if !self.more().await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn garbage(&self, length: usize) {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        self.bus
            .log
            .sockets_of(self.bus.place, |sockets| sockets.garbage += length);
    }

    /// Waits for more; false where the conversation is over.
    async fn more(&mut self) -> io::Result<bool> {
        let idle = self
            .bus
            .faults
            .idle_close(self.bus.place)
            .map(|time| self.heard + time);
        let rtu = self.bus.framing == Framing::Rtu && !self.waiting.is_empty();
        let quiet = rtu.then(|| clock::mono() + QUIET);
        let stray = self.bus.strays().iter().map(|(due, _)| *due).min();
        let until = [idle, quiet, stray].into_iter().flatten().min();
        match self.fill(until).await? {
            Came::Bytes | Came::Change => {}
            Came::End => return Ok(false),
            Came::Nothing => {
                if until == idle {
                    return Ok(false);
                }
                if until == quiet {
                    self.garbage(self.waiting.len());
                    self.waiting.clear();
                }
            }
        }
        Ok(true)
    }

    /// Reads what comes, at most until a moment.
    async fn fill(&mut self, until: Option<Instant>) -> io::Result<Came> {
        if self.waiting.len() > MAX_WAITING {
            self.garbage(self.waiting.len());
            self.waiting.clear();
        }
        let mut bytes = [0; 512];
        let read = async {
            tokio::select! {
                read = self.stream.read(&mut bytes) => read.map(Some),
                changed = self.changes.changed() => match changed {
                    Ok(()) => Ok(None),
                    Err(_) => std::future::pending().await,
                },
            }
        };
        let read = match until {
            Some(until) => match timeout_at(until, read).await {
                Ok(read) => read?,
                Err(_late) => return Ok(Came::Nothing),
            },
            None => read.await?,
        };
        Ok(match read {
            None => Came::Change,
            Some(0) => Came::End,
            Some(length) => {
                self.waiting.extend(bytes.iter().take(length));
                Came::Bytes
            }
        })
    }

    /// Waits; false where the master hung up meanwhile.
    async fn wait(&mut self, until: Instant) -> bool {
        loop {
            match self.fill(Some(until)).await {
                Ok(Came::Bytes | Came::Change) => {}
                Ok(Came::End) | Err(_) => return false,
                Ok(Came::Nothing) => return true,
            }
        }
    }

    /// Sends what is overdue from connections before this one.
    async fn deliver_strays(&mut self) -> io::Result<()> {
        let now = clock::mono();
        let mut due = Vec::new();
        self.bus.strays().retain(|(at, bytes)| {
            if *at <= now {
                due.push(bytes.clone());
            }
            *at > now
        });
        for bytes in due {
            self.send(&bytes).await?;
        }
        Ok(())
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Answers a question; false where the conversation is over.
    async fn hear(&mut self, asked: Question, bytes: &[u8]) -> io::Result<bool> {
        let bus = self.bus;
        let sequence = bus.log.note(bus.place, self.connection, asked);
        let strike = bus
            .faults
            .strike(bus.place, asked.unit, asked.address, asked.count);
        let (pdu, outcome) = bus.answer(asked, sequence, &strike);
        let outcome = if strike.hang_up {
            Outcome::HungUp
        } else {
            outcome
        };
        bus.log.became(sequence, outcome, strike.names.clone());
        let echo = strike.echoed(bytes);
        if !echo.is_empty() {
            self.send(echo).await?;
        }
        if let Some(late) = self.held.take() {
            self.send(&late).await?;
        }
        if strike.hang_up {
            return Ok(false);
        }
        let Some(pdu) = pdu else {
            return Ok(true);
        };
        let answer = strike.frame(bus.framing, asked, &pdu);
        if strike.overtaken {
            self.held = Some(answer);
            return Ok(true);
        }
        let pause = match strike.pause {
            Some((pause, true)) => bus.timeout + pause,
            Some((pause, false)) => pause,
            None => Duration::ZERO,
        };
        let due = self.heard + pause + bus.on_the_line(bytes.len(), answer.len());
        if due > clock::mono() && !self.wait(due).await {
            bus.leave_behind(due, answer);
            return Ok(false);
        }
        for act in strike.pieces(answer) {
            match act {
                Act::Send(bytes) => self.send(&bytes).await?,
                Act::Wait(pause) => {
                    if !self.wait(clock::mono() + pause).await {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }
}
