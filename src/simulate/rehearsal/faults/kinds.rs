//! Every fault that can be rehearsed: a row of this table.
//!
//! A row says what a fault is called, what may be said about it, what it does, where
//! it can be, and how its parameters are read. The command line, the list and the
//! tests walk the table.

use std::time::Duration;

use super::often::{Often, Span, duration, span};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What {
    /// No answer at all.
    Dead,
    /// The answer comes the time-out and this much after its question.
    Late(Often, Span),
    /// The answer comes this much after its question.
    Slow(Often, Span),
    /// The transaction of the question before.
    WrongTransaction(Often),
    /// Always transaction 0.
    NoTransaction,
    /// The unit after the one that was asked.
    WrongUnit(Often),
    /// Always unit 1.
    UnitOne,
    /// A register too few, counted honestly.
    Short(Often),
    /// A register too many, counted honestly.
    Long(Often),
    /// Half a frame, and then nothing.
    Truncated(Often),
    /// A refusal of every question that touches these addresses.
    Exceptions(u16, u16, u8),
    /// No answer with more registers: a refusal, or silence.
    MaxQuantity(u16, bool),
    /// Exception 6 for the first so many of so many questions.
    Busy(u64, u64),
    /// Every answer twice.
    Duplicate(Often),
    /// The answer comes after the next question.
    Overtaken(Often),
    /// The answer comes in pieces of so many bytes with a pause between.
    Split(usize, Duration),
    /// The connection is closed instead of an answer.
    HangUp(Often),
    /// The line repeats every question.
    Echo,
    /// The line repeats the last bytes of every question.
    PartialEcho(usize),
    /// Garbage before a frame.
    Noise(Often),
    /// A flipped bit.
    BadCrc(Often),
    /// One connection more is closed at once.
    MaxSockets(usize),
    /// A connection without a question for so long is closed.
    IdleClose(Duration),
    /// No connection at all.
    Refuse,
    /// All connections end, and none is taken for so long.
    GatewayReboot(Duration),
    /// "Not available" in every register.
    Sentinels,
    /// Counters start again at zero.
    CounterReset,
    /// Counters are about to turn over.
    CounterRollover,
    /// Counters go on from another count.
    CounterExchange(i64),
    /// Counters jump up by so many counts, for one answer.
    Spike(Often, i64),
    /// The words of longer numbers are swapped.
    SwappedWords,
    /// A transformer is turned round, on this phase, from zero.
    ReversedCt(usize),
    /// Every register stays what it is.
    Frozen,
    /// No broker.
    BrokerDown,
    /// The database answers with this status.
    DatabaseDown(u16),
}

/// Where a fault can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A bus, a unit or a meter, whatever the line.
    Answer,
    /// The same, with the header of Modbus TCP.
    TcpAnswer,
    /// The same, with frames of RTU.
    RtuAnswer,
    /// A bus.
    Line,
    /// A bus that is reached by TCP.
    Socket,
    /// The numbers of a meter.
    Numbers,
    /// A broker.
    Broker,
    /// The database.
    Database,
}

impl Scope {
    /// Whether such a fault can be at a unit.
    #[must_use]
    pub fn has_units(self) -> bool {
        matches!(
            self,
            Self::Answer | Self::TcpAnswer | Self::RtuAnswer | Self::Numbers
        )
    }
}

/// A row of the table.
pub struct Kind {
    /// The name on the command line.
    pub name: &'static str,
    /// What may follow it, target aside.
    pub parameters: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Where it can be.
    pub scope: Scope,
    /// At least and at most so many parameters.
    pub takes: (usize, usize),
    /// The fault of these parameters.
    pub read: fn(&[&str]) -> Option<What>,
}

const fn kind(
    name: &'static str,
    parameters: &'static str,
    scope: Scope,
    takes: (usize, usize),
    read: fn(&[&str]) -> Option<What>,
    about: &'static str,
) -> Kind {
    Kind {
        name,
        parameters,
        about,
        scope,
        takes,
        read,
    }
}

/// Every fault there is.
#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    kind("dead",              "",                     Scope::Answer,    (0, 0), |_| Some(What::Dead),                                                      "no answer at all; of a sensor, no message"),
    kind("late",              "[:OFTEN[:EXTRA]]",     Scope::Answer,    (0, 2), |p| Some(What::Late(often(p, 0)?, spans(p, 1, 200)?)),                    "the answer comes the time-out plus EXTRA (200ms) after its question"),
    kind("slow",              "[:OFTEN[:DELAY]]",     Scope::Answer,    (0, 2), |p| Some(What::Slow(often(p, 0)?, spans(p, 1, 200)?)),                    "the answer comes DELAY (200ms) after its question"),
    kind("wrong-transaction", "[:OFTEN]",             Scope::TcpAnswer, (0, 1), |p| Some(What::WrongTransaction(often(p, 0)?)),                           "the answer names the transaction before"),
    kind("no-transaction",    "",                     Scope::TcpAnswer, (0, 0), |_| Some(What::NoTransaction),                                             "every answer names transaction 0"),
    kind("wrong-unit",        "[:OFTEN]",             Scope::Answer,    (0, 1), |p| Some(What::WrongUnit(often(p, 0)?)),                                  "the answer names the next unit"),
    kind("unit-one",          "",                     Scope::Answer,    (0, 0), |_| Some(What::UnitOne),                                                   "every answer names unit 1"),
    kind("short",             "[:OFTEN]",             Scope::Answer,    (0, 1), |p| Some(What::Short(often(p, 0)?)),                                      "a register too few in a frame that is whole"),
    kind("long",              "[:OFTEN]",             Scope::Answer,    (0, 1), |p| Some(What::Long(often(p, 0)?)),                                       "a register too many in a frame that is whole"),
    kind("truncated",         "[:OFTEN]",             Scope::Answer,    (0, 1), |p| Some(What::Truncated(often(p, 0)?)),                                  "half a frame, and no more"),
    kind("exceptions",        ":ADDR-ADDR[:CODE]",    Scope::Answer,    (1, 2), exceptions,                                                                "exception CODE (2) for a question that touches these addresses"),
    kind("max-quantity",      ":N[:silent]",          Scope::Answer,    (1, 2), max_quantity,                                                              "exception 3, or silence, for more than N registers"),
    kind("busy",              "[:EVERY[:RUN]]",       Scope::Answer,    (0, 2), |p| Some(What::Busy(number(p, 0, 10)?, number(p, 1, 3)?)),                "exception 6 for RUN (3) of every EVERY (10) questions"),
    kind("duplicate",         "[:OFTEN]",             Scope::Answer,    (0, 1), |p| Some(What::Duplicate(often(p, 0)?)),                                  "the answer comes twice"),
    kind("overtaken",         "[:OFTEN]",             Scope::Answer,    (0, 1), |p| Some(What::Overtaken(often(p, 0)?)),                                  "the answer comes after the next question"),
    kind("split",             "[:BYTES[:PAUSE]]",     Scope::Answer,    (0, 2), split,                                                                     "the answer comes in pieces of BYTES (3), PAUSE (10ms) apart"),
    kind("hang-up",           "[:OFTEN]",             Scope::Answer,    (0, 1), |p| Some(What::HangUp(often(p, 0)?)),                                     "the connection is closed instead of an answer"),
    kind("echo",              "",                     Scope::RtuAnswer, (0, 0), |_| Some(What::Echo),                                                      "the line repeats each question before the answer"),
    kind("partial-echo",      "[:BYTES]",             Scope::RtuAnswer, (0, 1), |p| Some(What::PartialEcho(size(number(p, 0, 2)?)?)),                     "the line repeats the last BYTES (2) of each question"),
    kind("noise",             "[:OFTEN]",             Scope::RtuAnswer, (0, 1), |p| Some(What::Noise(often(p, 0)?)),                                      "garbage before the frame"),
    kind("bad-crc",           "[:OFTEN]",             Scope::RtuAnswer, (0, 1), |p| Some(What::BadCrc(often(p, 0)?)),                                     "a flipped bit in the frame"),
    kind("max-sockets",       ":N",                   Scope::Socket,    (1, 1), |p| Some(What::MaxSockets(size(number(p, 0, 1)?)?)),                      "connection N + 1 is closed at once"),
    kind("idle-close",        "[:TIME]",              Scope::Socket,    (0, 1), |p| Some(What::IdleClose(time(p, 0, 4_000)?)),                            "a connection without a question for TIME (4s) is closed"),
    kind("refuse",            "",                     Scope::Line,      (0, 0), |_| Some(What::Refuse),                                                    "no connection is taken; a serial line is unplugged"),
    kind("gateway-reboot",    "[:TIME]",              Scope::Line,      (0, 1), |p| Some(What::GatewayReboot(time(p, 0, 5_000)?)),                        "connections end and none is taken for TIME (5s)"),
    kind("sentinels",         "",                     Scope::Numbers,   (0, 0), |_| Some(What::Sentinels),                                                 "every register says `not available`: 0xFFFF, 0x7FFFFFFF, NaN"),
    kind("counter-reset",     "",                     Scope::Numbers,   (0, 0), |_| Some(What::CounterReset),                                              "counters start again at zero"),
    kind("counter-rollover",  "",                     Scope::Numbers,   (0, 0), |_| Some(What::CounterRollover),                                           "counters stand 3 counts below their end, and turn over"),
    kind("counter-exchange",  "[:COUNT]",             Scope::Numbers,   (0, 1), |p| Some(What::CounterExchange(i64::try_from(number(p, 0, 4_711)?).ok()?)), "the meter is exchanged: counters go on from COUNT (4711)"),
    kind("spike",             "[:OFTEN[:COUNTS]]",    Scope::Numbers,   (0, 2), |p| Some(What::Spike(often(p, 0)?, i64::try_from(number(p, 1, 1_000_000)?).ok()?)), "counters show COUNTS (1000000) too much in one answer"),
    kind("swapped-words",     "",                     Scope::Numbers,   (0, 0), |_| Some(What::SwappedWords),                                              "the words of longer numbers come in the wrong order"),
    kind("reversed-ct",       "[:l1|l2|l3]",          Scope::Numbers,   (0, 1), phase,                                                                     "the transformer of a phase (l1) is turned round"),
    kind("frozen",            "",                     Scope::Numbers,   (0, 0), |_| Some(What::Frozen),                                                    "every register stays what it is"),
    kind("broker-down",       "",                     Scope::Broker,    (0, 0), |_| Some(What::BrokerDown),                                                "the broker is gone"),
    kind("database-down",     "[:STATUS]",            Scope::Database,  (0, 1), |p| Some(What::DatabaseDown(status(p)?)),                                 "the database answers STATUS (503)"),
];

impl Kind {
    /// The row of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        // A word that people know as well.
        let name = if name == "silent" { "dead" } else { name };
        KINDS.iter().find(|kind| kind.name == name)
    }
}

/// The table as people read it.
#[must_use]
pub fn list() -> String {
    let mut text = String::from(
        "A fault is KIND[:TARGET][:PARAMETERS]. TARGET is a bus, BUS/UNIT, a unit, a meter, a\n\
         sensor or a broker; everything it can be where it is absent. OFTEN is every so-manieth\n\
         question (5) or a share of them (20%), each of them where it is absent; a time may be\n\
         drawn from a range (0ms-300ms).\n\n",
    );
    for kind in KINDS {
        let syntax = format!("{}{}", kind.name, kind.parameters);
        text.push_str(&format!("{syntax:<34}{}\n", kind.about));
    }
    text
}

fn often(parameters: &[&str], at: usize) -> Option<Often> {
    parameters
        .get(at)
        .map_or(Some(Often::EVERY), |text| Often::read(text))
}

fn spans(parameters: &[&str], at: usize, usual_ms: u64) -> Option<Span> {
    let usual = Duration::from_millis(usual_ms);
    parameters
        .get(at)
        .map_or(Some((usual, usual)), |text| span(text))
}

fn time(parameters: &[&str], at: usize, usual_ms: u64) -> Option<Duration> {
    let usual = Duration::from_millis(usual_ms);
    parameters
        .get(at)
        .map_or(Some(usual), |text| duration(text))
}

fn number(parameters: &[&str], at: usize, usual: u64) -> Option<u64> {
    parameters
        .get(at)
        .map_or(Some(usual), |text| text.parse().ok())
}

fn size(number: u64) -> Option<usize> {
    usize::try_from(number).ok().filter(|size| *size > 0)
}

fn exceptions(parameters: &[&str]) -> Option<What> {
    let (first, last) = match parameters.first()?.split_once('-') {
        Some((first, last)) => (address(first)?, address(last)?),
        None => (address(parameters.first()?)?, address(parameters.first()?)?),
    };
    let code = u8::try_from(number(parameters, 1, 2)?).ok()?;
    (first <= last && (1..=11).contains(&code)).then_some(What::Exceptions(first, last, code))
}

fn address(text: &str) -> Option<u16> {
    match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn max_quantity(parameters: &[&str]) -> Option<What> {
    let most = parameters.first()?.parse().ok()?;
    match parameters.get(1) {
        None => Some(What::MaxQuantity(most, false)),
        Some(&"silent") => Some(What::MaxQuantity(most, true)),
        Some(_) => None,
    }
}

fn split(parameters: &[&str]) -> Option<What> {
    Some(What::Split(
        size(number(parameters, 0, 3)?)?,
        time(parameters, 1, 10)?,
    ))
}

fn phase(parameters: &[&str]) -> Option<What> {
    let names = ["l1", "l2", "l3"];
    let name = parameters.first().unwrap_or(&"l1");
    names
        .iter()
        .position(|one| one == name)
        .map(What::ReversedCt)
}

fn status(parameters: &[&str]) -> Option<u16> {
    let status = number(parameters, 0, 503)?;
    u16::try_from(status)
        .ok()
        .filter(|status| (400..600).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_described_once() {
        for (n, kind) in KINDS.iter().enumerate() {
            assert!(list().contains(kind.about), "{}", kind.name);
            assert!(
                KINDS[..n].iter().all(|other| other.name != kind.name),
                "{}",
                kind.name
            );
            assert!(kind.takes.0 <= kind.takes.1);
            if kind.takes.0 == 0 {
                assert!(
                    (kind.read)(&[]).is_some(),
                    "{} without parameters",
                    kind.name
                );
            }
        }
    }

    #[test]
    fn parameters_are_what_they_look_like() {
        let ms = Duration::from_millis;
        #[rustfmt::skip]
        let cases: &[(&str, &[&str], Option<What>)] = &[
            ("late",             &["5", "150ms"],      Some(What::Late(Often::Nth(5), (ms(150), ms(150))))),
            ("slow",             &["20%", "0ms-3ms"],  Some(What::Slow(Often::Share(0.2), (ms(0), ms(3))))),
            ("late",             &["0"],               None),
            ("exceptions",       &["7-9", "2"],        Some(What::Exceptions(7, 9, 2))),
            ("exceptions",       &["0x10-0x1F"],       Some(What::Exceptions(16, 31, 2))),
            ("exceptions",       &["9-7"],             None),
            ("exceptions",       &["7", "99"],         None),
            ("max-quantity",     &["60"],              Some(What::MaxQuantity(60, false))),
            ("max-quantity",     &["60", "silent"],    Some(What::MaxQuantity(60, true))),
            ("max-quantity",     &["60", "loud"],      None),
            ("max-sockets",      &["0"],               None),
            ("idle-close",       &["4s"],              Some(What::IdleClose(ms(4_000)))),
            ("reversed-ct",      &["l3"],              Some(What::ReversedCt(2))),
            ("reversed-ct",      &["l4"],              None),
            ("split",            &["1", "1ms"],        Some(What::Split(1, ms(1)))),
            ("database-down",    &["200"],             None),
            ("counter-exchange", &["12"],              Some(What::CounterExchange(12))),
        ];
        for (name, parameters, what) in cases {
            let kind = Kind::named(name).unwrap();
            assert_eq!((kind.read)(parameters), *what, "{name} {parameters:?}");
        }
        assert_eq!(Kind::named("silent").unwrap().name, "dead");
    }
}
