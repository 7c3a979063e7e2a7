//! What the faults that are on do to one answer, and to its bytes.
//!
//! ```text
//!   echo │ pause │ noise, frame (short, long, misnamed, damaged), once or twice, in pieces
//! ```
//!
//! No device and no clock is needed to say what a broken line would send: this half is
//! plain functions of a question, an answer and a strike.

use std::time::Duration;

use super::super::frame::{self, Framing, Question};
use super::hits;
use super::kinds::What;
use super::often::Draw;
use super::target::Fault;

/// What happens to an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Strike {
    /// Faults that struck.
    pub names: Vec<&'static str>,
    /// Nothing is answered.
    pub silent: bool,
    /// A refusal instead of an answer.
    pub exception: Option<u8>,
    /// The connection is closed instead.
    pub hang_up: bool,
    /// The pause before the answer; with `true` beyond the time-out of the bus.
    pub pause: Option<(Duration, bool)>,
    /// The answer waits for the next question.
    pub overtaken: bool,
    transaction: Option<Misnamed>,
    unit: Option<Misnamed>,
    registers: Option<Amount>,
    truncated: bool,
    twice: bool,
    pieces: Option<(usize, Duration)>,
    echo: Option<usize>,
    noise: Option<u64>,
    flipped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Misnamed {
    Neighbour,
    Fixed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Amount {
    TooFew,
    TooMany,
}

/// What a line does, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Waits.
    Wait(Duration),
    /// Sends bytes.
    Send(Vec<u8>),
}

impl Strike {
    /// Adds what a fault does to this question.
    pub(super) fn add(
        &mut self,
        fault: &Fault,
        address: u16,
        count: u16,
        draw: impl FnOnce() -> Draw,
    ) {
        if self.takes(fault.what, address, count, draw).is_some() {
            self.names.push(fault.name);
        }
    }

    /// Takes it on, if it strikes.
    fn takes(
        &mut self,
        what: What,
        address: u16,
        count: u16,
        draw: impl FnOnce() -> Draw,
    ) -> Option<()> {
        let last = address.saturating_add(count.saturating_sub(1));
        match what {
            What::Dead => self.silent = true,
            What::Late(often, extra) => self.pause = Some((hits(often, draw)?.time(extra), true)),
            What::Slow(often, time) => self.pause = Some((hits(often, draw)?.time(time), false)),
            What::WrongTransaction(often) => {
                hits(often, draw)?;
                self.transaction = Some(Misnamed::Neighbour);
            }
            What::NoTransaction => self.transaction = Some(Misnamed::Fixed),
            What::WrongUnit(often) => {
                hits(often, draw)?;
                self.unit = Some(Misnamed::Neighbour);
            }
            What::UnitOne => self.unit = Some(Misnamed::Fixed),
            What::Short(often) => {
                hits(often, draw)?;
                self.registers = Some(Amount::TooFew);
            }
            What::Long(often) => {
                hits(often, draw)?;
                self.registers = Some(Amount::TooMany);
            }
            What::Truncated(often) => self.truncated = hits(often, draw).map(|_| true)?,
            What::Exceptions(from, to, code) => {
                if last < from || address > to {
                    return None;
                }
                self.exception = Some(code);
            }
            What::MaxQuantity(most, silent) => {
                if count <= most {
                    return None;
                }
                if silent {
                    self.silent = true;
                } else {
                    self.exception = Some(3);
                }
            }
            What::Busy(every, run) => {
                if draw().n % every.max(1) >= run {
                    return None;
                }
                self.exception = Some(6);
            }
            What::Duplicate(often) => self.twice = hits(often, draw).map(|_| true)?,
            What::Overtaken(often) => self.overtaken = hits(often, draw).map(|_| true)?,
            What::Split(bytes, pause) => self.pieces = Some((bytes, pause)),
            What::HangUp(often) => self.hang_up = hits(often, draw).map(|_| true)?,
            What::Echo => self.echo = Some(usize::MAX),
            What::PartialEcho(bytes) => self.echo = Some(bytes),
            What::Noise(often) => self.noise = Some(noise(hits(often, draw)?)),
            What::BadCrc(often) => self.flipped = hits(often, draw).map(|_| true)?,
            _ => return None,
        }
        Some(())
    }

    /// The bytes of an answer, as the faults leave them.
    #[must_use]
    pub fn frame(&self, framing: Framing, asked: Question, pdu: &[u8]) -> Vec<u8> {
        let transaction = match self.transaction {
            None => asked.transaction,
            Some(Misnamed::Fixed) => 0,
            Some(Misnamed::Neighbour) => asked.transaction.wrapping_sub(1),
        };
        let unit = match self.unit {
            None => asked.unit,
            Some(Misnamed::Fixed) => 1,
            Some(Misnamed::Neighbour) => asked.unit.wrapping_add(1),
        };
        let mut bytes = frame::frame(framing, transaction, unit, &self.amount(pdu));
        if self.truncated {
            bytes.truncate(bytes.len() / 2);
        }
        if self.flipped
            && let Some(byte) = bytes.iter_mut().rev().nth(2)
        {
            *byte ^= 0x10;
        }
        if let Some(drawn) = self.noise {
            let garbage = drawn.to_be_bytes();
            let length = 1 + garbage.first().map_or(0, |byte| usize::from(byte % 3));
            bytes.splice(0..0, garbage.into_iter().skip(1).take(length));
        }
        if self.twice {
            bytes.extend_from_within(..);
        }
        bytes
    }

    /// An answer with the registers that the faults leave it; a refusal has none.
    fn amount(&self, pdu: &[u8]) -> Vec<u8> {
        let (Some(amount), [fc @ 1..=4, _, data @ ..]) = (self.registers, pdu) else {
            return pdu.to_vec();
        };
        let size = if *fc <= 2 { 1 } else { 2 };
        let mut data = data.to_vec();
        match amount {
            Amount::TooFew => data.truncate(data.len().saturating_sub(size)),
            Amount::TooMany => data.extend_from_within(data.len().saturating_sub(size)..),
        }
        let mut pdu = vec![*fc, u8::try_from(data.len()).unwrap_or(u8::MAX)];
        pdu.extend(data);
        pdu
    }

    /// What the line repeats of the bytes of a question.
    #[must_use]
    pub fn echoed<'a>(&self, question: &'a [u8]) -> &'a [u8] {
        let length = self.echo.unwrap_or_default().min(question.len());
        question.get(question.len() - length..).unwrap_or_default()
    }

    /// How the bytes of an answer leave.
    #[must_use]
    pub fn pieces(&self, bytes: Vec<u8>) -> Vec<Act> {
        let Some((size, pause)) = self.pieces else {
            return vec![Act::Send(bytes)];
        };
        let pieces = bytes
            .chunks(size.max(1))
            .map(|piece| Act::Send(piece.to_vec()));
        let mut acts: Vec<Act> = pieces.flat_map(|send| [send, Act::Wait(pause)]).collect();
        acts.pop();
        acts
    }
}

/// Seven bytes of garbage, and one that says how many of them to take.
fn noise(draw: Draw) -> u64 {
    let part = |n| (draw.number(n) * 4_294_967_296.0).to_bits();
    part(2) ^ part(3).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::super::kinds::Kind;
    use super::super::target::Target;
    use super::*;

    const ASKED: Question = Question {
        transaction: 9,
        unit: 7,
        fc: 3,
        address: 100,
        count: 2,
    };
    const PDU: [u8; 6] = [3, 4, 0x11, 0x22, 0x33, 0x44];

    fn struck(faults: &[&str]) -> Strike {
        let mut strike = Strike::default();
        for text in faults {
            let mut words = text.split(':');
            let kind = Kind::named(words.next().unwrap()).unwrap();
            let what = (kind.read)(&words.collect::<Vec<_>>()).unwrap();
            let fault = Fault {
                name: kind.name,
                what,
                target: Target::All,
            };
            strike.add(&fault, 100, 2, || Draw {
                seed: 1,
                channel: 0,
                n: 0,
            });
        }
        strike
    }

    #[test]
    fn frames_go_wrong_as_they_are_told_to() {
        #[rustfmt::skip]
        let cases: &[(&[&str], &[u8])] = &[
            // faults                      frame of Modbus TCP
            (&[],                          &[0, 9, 0, 0, 0, 7, 7, 3, 4, 0x11, 0x22, 0x33, 0x44]),
            (&["wrong-transaction"],       &[0, 8, 0, 0, 0, 7, 7, 3, 4, 0x11, 0x22, 0x33, 0x44]),
            (&["no-transaction"],          &[0, 0, 0, 0, 0, 7, 7, 3, 4, 0x11, 0x22, 0x33, 0x44]),
            (&["wrong-unit"],              &[0, 9, 0, 0, 0, 7, 8, 3, 4, 0x11, 0x22, 0x33, 0x44]),
            (&["unit-one"],                &[0, 9, 0, 0, 0, 7, 1, 3, 4, 0x11, 0x22, 0x33, 0x44]),
            (&["short"],                   &[0, 9, 0, 0, 0, 5, 7, 3, 2, 0x11, 0x22]),
            (&["long"],                    &[0, 9, 0, 0, 0, 9, 7, 3, 6, 0x11, 0x22, 0x33, 0x44, 0x33, 0x44]),
            (&["truncated"],               &[0, 9, 0, 0, 0, 7]),
            (&["short", "unit-one"],       &[0, 9, 0, 0, 0, 5, 1, 3, 2, 0x11, 0x22]),
        ];
        for (faults, bytes) in cases {
            let strike = struck(faults);
            assert_eq!(
                strike.frame(Framing::Tcp, ASKED, &PDU),
                *bytes,
                "{faults:?}"
            );
            assert_eq!(strike.names, *faults);
        }
    }

    #[test]
    fn a_line_of_rtu_goes_wrong_too() {
        let honest = frame::frame(Framing::Rtu, 0, 7, &PDU);
        let of = |fault: &str| struck(&[fault]).frame(Framing::Rtu, ASKED, &PDU);
        assert_eq!(of("duplicate"), [honest.clone(), honest.clone()].concat());
        let flipped = of("bad-crc");
        let bits: u32 = flipped
            .iter()
            .zip(&honest)
            .map(|(a, b)| (a ^ b).count_ones())
            .sum();
        assert_eq!((flipped.len(), bits), (honest.len(), 1));
        let noisy = of("noise");
        assert!(noisy.ends_with(&honest) && (1..=3).contains(&(noisy.len() - honest.len())));
        assert_eq!(struck(&["echo"]).echoed(&[1, 2, 3]), [1, 2, 3]);
        assert_eq!(struck(&["partial-echo:2"]).echoed(&[1, 2, 3]), [2, 3]);
        assert_eq!(struck(&[]).echoed(&[1, 2, 3]), [0; 0]);
        let ms = Duration::from_millis;
        assert_eq!(
            struck(&["split:2:5ms"]).pieces(vec![1, 2, 3]),
            [Act::Send(vec![1, 2]), Act::Wait(ms(5)), Act::Send(vec![3])]
        );
    }

    #[test]
    fn a_refusal_is_of_the_block_that_it_touches() {
        // The question is about 100 and 101.
        #[rustfmt::skip]
        let cases = [
            ("exceptions:90-99:2",        None),
            ("exceptions:99-100:2",       Some(2)),
            ("exceptions:101-200:4",      Some(4)),
            ("exceptions:102:2",          None),
            ("max-quantity:2",            None),
            ("max-quantity:1",            Some(3)),
            ("busy:10:1",                 Some(6)),
            ("busy:10:0",                 None),
        ];
        for (fault, exception) in cases {
            let strike = struck(&[fault]);
            assert_eq!(strike.exception, exception, "{fault}");
            assert_eq!(strike.names.is_empty(), exception.is_none(), "{fault}");
        }
        assert!(struck(&["max-quantity:1:silent"]).silent && struck(&["dead"]).silent);
        assert_eq!(
            struck(&["late"]).pause,
            Some((Duration::from_millis(200), true))
        );
        assert_eq!(
            struck(&["slow:1:1s"]).pause,
            Some((Duration::from_secs(1), false))
        );
        assert_eq!(struck(&["late:5"]).pause, None, "the first of five");
    }
}
