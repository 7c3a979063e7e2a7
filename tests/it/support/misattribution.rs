//! The proof that no value is taken for another: endpoints that do everything wrong, and
//! a judge who knows what each of them issued.
//!
//! ```text
//!   client ── Link ──▶ endpoint ──▶ unit 1: one question after the other, late or not
//!     │                   │    └──▶ unit 2
//!     └──── judge ◀── the last question, with its sequence
//! ```
//!
//! A register's value encodes unit, function, address and the sequence of the question
//! on its endpoint. One question is under way at a time, so a delivered value must be
//! the one of the last question that the endpoint received; **any other is counted**.
//!
//! Units are as devices are: each answers in the order in which it was asked, each
//! question once at most, as late as it likes, to whoever is connected by then. A fault
//! does not make a frame that is right for a question which is asked elsewhere: there is
//! no such thing as a late answer with another's unit and a right checksum.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sunledger::source::modbus::link::{Failure, Link};
use sunledger::source::modbus::{Manners, Serial, Wiring};
use sunledger::wire::plan::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_serial::{SerialPort, SerialStream};

use super::hostile::{closed, frame};

/// How an endpoint is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Tcp,
    /// A gateway that gives every answer the same transaction.
    TcpIgnored,
    RtuOverTcp,
    Serial,
}

pub const KINDS: [Kind; 4] = [Kind::Tcp, Kind::TcpIgnored, Kind::RtuOverTcp, Kind::Serial];

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Questions in all, to be shared among the endpoints.
    pub requests: u64,
    /// Endpoints of each kind.
    pub endpoints: u64,
    /// The shortest timeout; others are up to half as long again.
    pub timeout_ms: u64,
    pub seed: u64,
}

/// What came of the questions to one kind of endpoint.
#[derive(Debug, Default)]
pub struct Tally {
    pub asked: u64,
    pub delivered: u64,
    pub refused: u64,
    pub gaps: u64,
    /// Answers while nothing was wrong, after the faults had ended.
    pub healed: u64,
    pub misattributed: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.asked += other.asked;
        self.delivered += other.delivered;
        self.refused += other.refused;
        self.gaps += other.gaps;
        self.healed += other.healed;
        self.misattributed.extend(other.misattributed);
    }
}

/// Answers that an endpoint must give after its faults have ended.
pub const HEALED: u64 = 10;
/// How long that may take: a machine may be slow, not stuck.
const PATIENCE: Duration = Duration::from_secs(120);
/// Units behind an endpoint.
const UNITS: u8 = 3;
/// Lengths that are asked for. No fault has one of these or of their proofs, which are
/// shorter: long answers are longer than all, short ones lack a byte.
const COUNTS: [u16; 6] = [1, 4, 4, 8, 8, 12];

/// Numbers that look random, the same for the same seed.
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0) % sides
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The question that an endpoint received last, and how it was refused, if it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Asked {
    unit: u8,
    fc: u8,
    address: u16,
    count: u16,
    sequence: u64,
    refused: Option<u8>,
}

/// What a register held for one question.
fn value(asked: &Asked, register: u16) -> u16 {
    let place = u64::from(asked.unit) << 40 | u64::from(asked.fc) << 32 | u64::from(register);
    (mix(mix(place) ^ asked.sequence) >> 7) as u16
}

/// One endpoint.
struct Endpoint {
    kind: Kind,
    timeout: Duration,
    hostile: AtomicBool,
    last: Mutex<Asked>,
    sequence: AtomicU64,
    /// Where bytes go: to whoever is connected now.
    out: Mutex<Option<mpsc::UnboundedSender<Out>>>,
}

enum Out {
    Bytes(Vec<u8>),
    Pause(Duration),
    HangUp,
}

struct Job {
    asked: Asked,
    tid: u16,
    question: Vec<u8>,
}

impl Endpoint {
    fn is_line(&self) -> bool {
        matches!(self.kind, Kind::RtuOverTcp | Kind::Serial)
    }

    fn send(&self, out: Out) {
        if let Some(to) = &*self.out.lock().unwrap() {
            let _ = to.send(out);
        }
    }

    fn frame(&self, tid: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
        match self.kind {
            Kind::Tcp => frame(tid, unit, pdu),
            Kind::TcpIgnored => frame(2, unit, pdu),
            Kind::RtuOverTcp | Kind::Serial => closed(unit, pdu),
        }
    }

    /// Serves one connection, or the line, until it is closed.
    async fn serve<S: tokio::io::AsyncRead + tokio::io::AsyncWrite>(
        &self,
        stream: S,
        units: &[mpsc::UnboundedSender<Job>],
    ) {
        let (mut read, mut write) = tokio::io::split(stream);
        let (to, mut out) = mpsc::unbounded_channel();
        *self.out.lock().unwrap() = Some(to);
        let writing = async {
            while let Some(out) = out.recv().await {
                match out {
                    Out::Bytes(bytes) if write.write_all(&bytes).await.is_err() => break,
                    Out::Bytes(_) => (),
                    Out::Pause(time) => tokio::time::sleep(time).await,
                    Out::HangUp if self.kind == Kind::Serial => (),
                    Out::HangUp => break,
                }
            }
        };
        let reading = async {
            let length = if self.is_line() { 8 } else { 12 };
            let mut came = Vec::new();
            while matches!(read.read_buf(&mut came).await, Ok(1..)) {
                while came.len() >= length {
                    let question: Vec<u8> = came.drain(..length).collect();
                    self.take(question, units);
                }
            }
        };
        tokio::select! {
            () = writing => (),
            () = reading => (),
        }
        *self.out.lock().unwrap() = None;
    }

    fn take(&self, question: Vec<u8>, units: &[mpsc::UnboundedSender<Job>]) {
        let at = if self.is_line() { 0 } else { 6 };
        let word = |at: usize| u16::from_be_bytes([question[at], question[at + 1]]);
        let asked = Asked {
            unit: question[at],
            fc: question[at + 1],
            address: word(at + 2),
            count: word(at + 4),
            sequence: self.sequence.fetch_add(1, Ordering::SeqCst) + 1,
            refused: None,
        };
        assert!((1..=4).contains(&asked.fc), "{question:?}");
        *self.last.lock().unwrap() = asked;
        let tid = if self.is_line() { 0 } else { word(0) };
        let unit = &units[usize::from(asked.unit)];
        let _ = unit.send(Job {
            asked,
            tid,
            question,
        });
    }

    /// A unit: one question after the other.
    async fn unit(&self, mut jobs: mpsc::UnboundedReceiver<Job>, mut dice: Dice) {
        while let Some(job) = jobs.recv().await {
            if !self.hostile.load(Ordering::SeqCst) {
                self.send(Out::Bytes(self.honest(&job)));
                continue;
            }
            // Some devices do not hear what is said while they think.
            if dice.roll(100) < 30 {
                while jobs.try_recv().is_ok() {}
            }
            let timeout = self.timeout.as_micros() as u64;
            let delay = match dice.roll(100) {
                0..10 => timeout / 2 + dice.roll(timeout * 4),
                10..14 => timeout * 3 + dice.roll(timeout * 8),
                _ => dice.roll(timeout / 4),
            };
            tokio::time::sleep(Duration::from_micros(delay)).await;
            for out in self.answer(&job, &mut dice) {
                self.send(out);
            }
        }
    }

    fn pdu(job: &Job, count: u16) -> Vec<u8> {
        let asked = &job.asked;
        if asked.fc <= 2 {
            // Proofs alone ask for bits; they are not judged.
            return vec![asked.fc, 1, 1];
        }
        let mut pdu = vec![asked.fc, u8::try_from(count * 2).unwrap()];
        for n in 0..count {
            pdu.extend(value(asked, asked.address + n).to_be_bytes());
        }
        pdu
    }

    fn honest(&self, job: &Job) -> Vec<u8> {
        self.frame(job.tid, job.asked.unit, &Self::pdu(job, job.asked.count))
    }

    /// What a unit says, honest in two cases of three.
    fn answer(&self, job: &Job, dice: &mut Dice) -> Vec<Out> {
        let (asked, good) = (&job.asked, self.honest(job));
        let bytes = |bytes: Vec<u8>| vec![Out::Bytes(bytes)];
        let pdu = Self::pdu(job, asked.count);
        match dice.roll(100) {
            0..6 => vec![],
            6..9 => {
                let code = 1 + dice.roll(11) as u8;
                let mut last = self.last.lock().unwrap();
                if last.sequence == asked.sequence {
                    last.refused = Some(code);
                }
                bytes(self.frame(job.tid, asked.unit, &[asked.fc | 0x80, code]))
            }
            9..11 => bytes(self.frame(job.tid, asked.unit + 100, &pdu)),
            11..13 if asked.fc > 2 => {
                let other = [&[2], &pdu[1..]].concat();
                bytes(self.frame(job.tid, asked.unit, &other))
            }
            13..16 if COUNTS.contains(&asked.count) => {
                let pdu = Self::pdu(job, asked.count + 20);
                bytes(self.frame(job.tid, asked.unit, &pdu))
            }
            16..18 if asked.fc > 2 => {
                let mut pdu = pdu[..pdu.len() - 1].to_vec();
                pdu[1] -= 1;
                bytes(self.frame(job.tid, asked.unit, &pdu))
            }
            18..20 if self.kind == Kind::Tcp => {
                bytes(frame(job.tid.wrapping_add(30_000), asked.unit, &pdu))
            }
            18..20 => bytes(good[..good.len() - 1].to_vec()),
            20..23 => self.damaged(good, dice),
            23..26 => {
                let mut out = Vec::new();
                for piece in good.chunks(1 + dice.roll(6) as usize) {
                    out.push(Out::Bytes(piece.to_vec()));
                    out.push(Out::Pause(Duration::from_micros(dice.roll(400))));
                }
                out
            }
            26..28 => bytes([&good[..], &good].concat()),
            28..30 => vec![Out::HangUp],
            30..31 => vec![Out::Bytes(good[..5].to_vec()), Out::HangUp],
            // What a line puts before and behind a frame.
            31..35 if self.is_line() => bytes([&job.question[..], &good].concat()),
            35..38 if self.is_line() => {
                let from = dice.roll(8) as usize;
                bytes([&job.question[from..], &good].concat())
            }
            38..42 if self.is_line() => {
                let mut noise: Vec<u8> = (0..dice.roll(20)).map(|_| dice.roll(256) as u8).collect();
                noise.extend(good);
                bytes(noise)
            }
            42..44 if self.is_line() => bytes([&good[..], &[0xFF, 0]].concat()),
            _ => bytes(good),
        }
    }

    /// A flipped bit, where a frame can show it: anywhere before a checksum, over TCP in
    /// protocol and length.
    fn damaged(&self, mut good: Vec<u8>, dice: &mut Dice) -> Vec<Out> {
        let bit = if self.is_line() {
            dice.roll(good.len() as u64 * 8) as usize
        } else {
            16 + dice.roll(32) as usize
        };
        good[bit / 8] ^= 1 << (bit % 8);
        vec![Out::Bytes(good)]
    }
}

/// Starts an endpoint, and says how it is reached.
async fn endpoint(kind: Kind, timeout: Duration, seed: u64) -> (Arc<Endpoint>, Wiring) {
    let endpoint = Arc::new(Endpoint {
        kind,
        timeout,
        hostile: AtomicBool::new(true),
        last: Mutex::default(),
        sequence: AtomicU64::new(0),
        out: Mutex::default(),
    });
    let mut units = Vec::new();
    for unit in 0..=UNITS {
        let (to, jobs) = mpsc::unbounded_channel();
        let dice = Dice(mix(seed) ^ u64::from(unit) << 50);
        let own = Arc::clone(&endpoint);
        tokio::spawn(async move { own.unit(jobs, dice).await });
        units.push(to);
    }
    let own = Arc::clone(&endpoint);
    if kind == Kind::Serial {
        let (far, near) = SerialStream::pair().unwrap();
        let mut serial = Serial::new(&near.name().unwrap());
        serial.line.baud = 115_200;
        tokio::spawn(async move {
            // The near end stays open, or the far end would see it hang up.
            let _near = near;
            own.serve(far, &units).await;
        });
        return (endpoint, Wiring::Serial(serial));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            own.serve(stream, &units).await;
        }
    });
    let host = "127.0.0.1".to_owned();
    let wiring = match kind {
        Kind::RtuOverTcp => Wiring::RtuOverTcp { host, port },
        _ => Wiring::Tcp { host, port },
    };
    (endpoint, wiring)
}

/// Asks one endpoint so many times while it is hostile, and until it is healed after.
async fn judged(kind: Kind, requests: u64, timeout_ms: u64, seed: u64) -> Tally {
    let mut dice = Dice(seed);
    let timeout = Duration::from_millis(timeout_ms + dice.roll(timeout_ms / 2 + 1));
    let (endpoint, wiring) = endpoint(kind, timeout, seed).await;
    let manners = Manners {
        ignore_transaction: kind == Kind::TcpIgnored,
        ..Manners::default()
    };
    let mut link = Link::new("hostile", wiring, manners, timeout);
    let mut tally = Tally::default();
    let mut healing = None;
    while tally.healed < HEALED {
        if tally.asked == requests && healing.is_none() {
            endpoint.hostile.store(false, Ordering::SeqCst);
            healing = Some(Instant::now());
        }
        if healing.is_some_and(|since| since.elapsed() > PATIENCE) {
            break;
        }
        let request = Request {
            fc: 3 + dice.roll(2) as u8,
            address: 100 * dice.roll(5) as u16,
            count: COUNTS[dice.roll(COUNTS.len() as u64) as usize],
            points: Vec::new(),
        };
        let unit = 1 + dice.roll(u64::from(UNITS)) as u8;
        let before = endpoint.sequence.load(Ordering::SeqCst);
        let said = link.read(unit, &request).await;
        if said.is_err() && endpoint.sequence.load(Ordering::SeqCst) == before {
            // Left alone for a while, or not asked because of what is owed: no question.
            tokio::time::sleep(timeout).await;
            continue;
        }
        let last = *endpoint.last.lock().unwrap();
        let is_last = (last.unit, last.fc, last.address, last.count)
            == (unit, request.fc, request.address, request.count);
        let (answered, right) = match &said {
            Ok((words, _)) => {
                let own = (0..request.count).map(|n| value(&last, request.address + n));
                (true, is_last && words.iter().copied().eq(own))
            }
            Err(Failure::Exception(code)) => (true, is_last && last.refused == Some(*code)),
            Err(_) => (false, true),
        };
        if !right {
            tally.misattributed.push(format!(
                "{kind:?}, seed {seed}: unit {unit} {request:?} was given {said:?}; \
                 the last question was {last:?}"
            ));
        }
        if healing.is_some() {
            tally.healed += u64::from(answered);
        } else {
            tally.asked += 1;
            match &said {
                Ok(_) => tally.delivered += 1,
                Err(Failure::Exception(_)) => tally.refused += 1,
                Err(_) => tally.gaps += 1,
            }
        }
    }
    tally
}

/// Asks all endpoints at the same time. One tally for each kind.
pub async fn run(size: Size) -> Vec<(Kind, Tally)> {
    let each = size.requests.div_ceil(size.endpoints * KINDS.len() as u64);
    let mut tasks = tokio::task::JoinSet::new();
    for (k, kind) in KINDS.into_iter().enumerate() {
        for n in 0..size.endpoints {
            let seed = mix(size.seed ^ (k as u64) << 32 ^ n);
            tasks.spawn(async move { (kind, judged(kind, each, size.timeout_ms, seed).await) });
        }
    }
    let mut tallies: Vec<(Kind, Tally)> = KINDS.map(|kind| (kind, Tally::default())).into();
    while let Some(done) = tasks.join_next().await {
        let (kind, tally) = done.unwrap();
        let mut of_kind = tallies.iter_mut().filter(|(of, _)| *of == kind);
        of_kind.next().unwrap().1.add(tally);
    }
    tallies
}
