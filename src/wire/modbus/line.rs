//! The arithmetic of a serial line: how long characters, silences and transactions take.
//!
//! ```text
//!   │t3.5│ question: 8 │ turnaround │ answer: 5 + 2 n │t3.5│
//! ```
//!
//! A character is one start bit, eight data bits, a parity bit if there is one, and one
//! or two stop bits.

use std::time::Duration;

use super::Question;
use super::timing::Timing;

/// Bytes of a question.
const QUESTION: usize = 8;
/// Bytes of an answer beside its values.
const ANSWER: usize = 5;
/// Bytes of the longest answer.
const LONGEST_ANSWER: usize = 255;
/// From this speed on silences are of a fixed length, by the specification.
const FAST: u32 = 19_200;
/// The silence between frames on a fast line.
const FAST_SILENCE: Duration = Duration::from_micros(1_750);
/// What a device may be slower than its usual turnaround, now and then, before it is
/// called silent.
const PATIENCE: u32 = 10;
/// What the adapter and this machine add: a USB adapter hands over what it received
/// every 16 ms, on a busy machine later.
const ADAPTER: Duration = Duration::from_millis(50);

/// How a device usually takes from question to answer.
pub const TURNAROUND: Duration = Duration::from_millis(30);

/// Speeds that devices have.
pub const BAUDS: &[u32] = &[
    1_200, 2_400, 4_800, 9_600, 14_400, 19_200, 38_400, 57_600, 115_200, 230_400,
];

/// The bit that guards a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parity {
    /// No such bit.
    #[default]
    None,
    /// An even number of ones.
    Even,
    /// An odd number of ones.
    Odd,
}

/// Every parity by its name in configurations.
pub const PARITIES: &[(&str, Parity)] = &[
    ("none", Parity::None),
    ("even", Parity::Even),
    ("odd", Parity::Odd),
];

/// How characters go over a line. There are always eight data bits: Modbus RTU has no
/// other frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Bits per second, at least one.
    pub baud: u32,
    /// The parity bit.
    pub parity: Parity,
    /// One or two.
    pub stop_bits: u8,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            baud: 9_600,
            parity: Parity::None,
            stop_bits: 1,
        }
    }
}

impl Line {
    /// Bits of a character.
    #[must_use]
    pub fn bits(&self) -> u8 {
        9 + u8::from(self.parity != Parity::None) + self.stop_bits
    }

    /// How long so many bytes take.
    #[must_use]
    pub fn time(&self, bytes: usize) -> Duration {
        let bits = u64::try_from(bytes)
            .unwrap_or(u64::MAX)
            .saturating_mul(u64::from(self.bits()));
        let nanoseconds = bits.saturating_mul(1_000_000_000) / u64::from(self.baud.max(1));
        Duration::from_nanos(nanoseconds)
    }

    /// The silence that ends a frame: three and a half characters, on a fast line 1.75 ms.
    #[must_use]
    pub fn silence(&self) -> Duration {
        if self.baud > FAST {
            FAST_SILENCE
        } else {
            self.time(7) / 2
        }
    }

    /// How long a question takes with its answer and the silences, where the device
    /// needs `turnaround` to think.
    #[must_use]
    pub fn exchange(&self, question: &Question, turnaround: Duration) -> Duration {
        let bytes = QUESTION + ANSWER + usize::from(question.bytes());
        self.time(bytes) + self.silence() * 2 + turnaround
    }

    /// How long to wait for an answer, counted from the end of the question: the longest
    /// answer, a device ten times as slow as usual, and the adapter.
    #[must_use]
    pub fn timeout(&self, turnaround: Duration) -> Duration {
        self.time(LONGEST_ANSWER) + self.silence() + turnaround * PATIENCE + ADAPTER
    }

    /// What requests cost by this arithmetic, before anything was measured.
    #[must_use]
    pub fn timing(&self, turnaround: Duration) -> Timing {
        let request = self.time(QUESTION + ANSWER) + self.silence() * 2 + turnaround;
        Timing {
            per_request_ms: request.as_secs_f64() * 1_000.0,
            per_register_ms: self.time(2).as_secs_f64() * 1_000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(baud: u32, parity: Parity, stop_bits: u8) -> Line {
        Line {
            baud,
            parity,
            stop_bits,
        }
    }

    #[test]
    fn characters_and_silences() {
        use Parity::{Even, None, Odd};
        #[rustfmt::skip]
        let cases = [
            // line                    bits  character µs   silence µs
            (line(9_600,   Even, 1),    11,     1_145,         4_010),
            (line(9_600,   None, 1),    10,     1_041,         3_645),
            (line(9_600,   None, 2),    11,     1_145,         4_010),
            (line(19_200,  Odd,  1),    11,       572,         2_005),
            (line(38_400,  Even, 1),    11,       286,         1_750),
            (line(115_200, None, 1),    10,        86,         1_750),
            (line(1_200,   Even, 2),    12,    10_000,        35_000),
        ];
        for (line, bits, character, silence) in cases {
            assert_eq!(line.bits(), bits, "{line:?}");
            assert_eq!(line.time(1).as_micros(), character, "{line:?}");
            assert_eq!(line.silence().as_micros(), silence, "{line:?}");
        }
    }

    #[test]
    fn a_transaction_at_9600_8e1() {
        let line = line(9_600, Parity::Even, 1);
        let cost = |count| {
            let question = Question::new(1, 3, 0, count).unwrap();
            line.exchange(&question, TURNAROUND).as_secs_f64() * 1e3
        };
        // 13 characters (14.9 ms), twice t3.5 (8.0 ms), the device (30 ms), and 2.29 ms
        // for each register.
        assert!((cost(2) - (14.896 + 8.021 + 30.0 + 2.0 * 2.2917)).abs() < 0.01);
        assert!((cost(125) - (14.896 + 8.021 + 30.0 + 125.0 * 2.2917)).abs() < 0.01);
        let prior = line.timing(TURNAROUND);
        assert!((prior.cost_ms(10) - cost(10)).abs() < 0.01);
    }

    #[test]
    fn the_longest_answer_of_a_slow_device_is_waited_for() {
        let quick = line(115_200, Parity::None, 1).timeout(TURNAROUND);
        assert_eq!(quick.as_millis(), 373);
        let slow = line(1_200, Parity::Even, 1).timeout(TURNAROUND);
        assert_eq!(slow.as_millis(), 2_719);
        assert!(slow > line(1_200, Parity::Even, 1).time(255));
    }
}
