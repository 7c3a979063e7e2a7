//! Modbus on the wire: what is asked, and whether bytes that came are the answer.
//!
//! ```text
//!   Question ──tcp::encode──▶ bytes out
//!   bytes in ──tcp::scan────▶ Scan: more | the answer | an exception | broken
//!            ──rtu::scan────▶
//! ```
//!
//! **Bytes that do not form exactly the expected frame are no answer.** Transaction,
//! protocol, length, unit, function, byte count and checksum are all checked here; a
//! number that was meant for another question never comes out.
//!
//! The bus is read-only by construction: a [`Question`] has one of the four function
//! codes that read, and nothing here can encode another.
//!
//! Over TCP there is no checksum in the frame. A bit that flips in a value behind the
//! checksums of Ethernet and TCP cannot be seen; one that flips in the header can.

mod crc;
pub mod line;
pub mod rtu;
pub mod tcp;
pub mod timing;

use std::fmt;

use super::plan::{MAX_BITS, MAX_REGISTERS};

/// The four functions that read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// Coils: bits that a master could set.
    Coils,
    /// Discrete inputs: bits.
    DiscreteInputs,
    /// Holding registers.
    HoldingRegisters,
    /// Input registers.
    InputRegisters,
}

/// All of them, in the order of their codes.
pub const FUNCTIONS: [Function; 4] = [
    Function::Coils,
    Function::DiscreteInputs,
    Function::HoldingRegisters,
    Function::InputRegisters,
];

impl Function {
    /// The function of a code, if it reads.
    #[must_use]
    pub fn of(code: u8) -> Option<Self> {
        FUNCTIONS
            .into_iter()
            .find(|function| function.code() == code)
    }

    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Coils => 1,
            Self::DiscreteInputs => 2,
            Self::HoldingRegisters => 3,
            Self::InputRegisters => 4,
        }
    }

    /// The code of an exception to it.
    fn refused(self) -> u8 {
        self.code() | 0x80
    }

    fn is_bits(self) -> bool {
        matches!(self, Self::Coils | Self::DiscreteInputs)
    }

    fn most(self) -> u16 {
        if self.is_bits() {
            MAX_BITS
        } else {
            MAX_REGISTERS
        }
    }
}

/// One question to one unit. It is always one that Modbus has: the count fits into
/// an answer, and no register lies beyond 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    unit: u8,
    function: Function,
    address: u16,
    count: u16,
}

impl Question {
    /// A question, if Modbus has it.
    #[must_use]
    pub fn new(unit: u8, function_code: u8, address: u16, count: u16) -> Option<Self> {
        let function = Function::of(function_code)?;
        let reaches = u32::from(address) + u32::from(count);
        let fits = (1..=function.most()).contains(&count) && reaches <= 65_536;
        fits.then_some(Self {
            unit,
            function,
            address,
            count,
        })
    }

    /// The unit that is asked.
    #[must_use]
    pub fn unit(&self) -> u8 {
        self.unit
    }

    /// The function.
    #[must_use]
    pub fn function(&self) -> Function {
        self.function
    }

    /// The first register or bit.
    #[must_use]
    pub fn address(&self) -> u16 {
        self.address
    }

    /// How many registers or bits.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.count
    }

    /// Bytes of values in its answer, from 1 to 250.
    #[must_use]
    pub fn bytes(&self) -> u8 {
        let bytes = if self.function.is_bits() {
            self.count.div_ceil(8)
        } else {
            self.count * 2
        };
        u8::try_from(bytes).unwrap_or(u8::MAX)
    }

    /// Registers that its answer is as long as.
    #[must_use]
    pub fn registers(&self) -> u16 {
        u16::from(self.bytes()).div_ceil(2)
    }

    /// Function, address and count, as every kind of frame has them.
    fn pdu(&self) -> [u8; 5] {
        let [a, b] = self.address.to_be_bytes();
        let [c, d] = self.count.to_be_bytes();
        [self.function.code(), a, b, c, d]
    }

    /// The values in the bytes of an answer. Bits come in whole bytes; those beyond the
    /// last one asked for mean nothing.
    fn words(&self, bytes: &[u8]) -> Vec<u16> {
        if self.function.is_bits() {
            let bits = bytes
                .iter()
                .flat_map(|byte| (0..8).map(move |bit| u16::from((byte >> bit) & 1)));
            return bits.take(usize::from(self.count)).collect();
        }
        bytes
            .chunks_exact(2)
            .filter_map(|pair| pair.try_into().ok())
            .map(u16::from_be_bytes)
            .collect()
    }

    /// What an answer that is in step in all else has wrong.
    fn mismatch(&self, function: u8, bytes: u8) -> Fault {
        if function == self.function.code() {
            Fault::Count {
                asked: self.bytes(),
                sent: bytes,
            }
        } else {
            Fault::Function(function)
        }
    }
}

/// What an endpoint is allowed to have wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leniency {
    /// Answers come with any unit id, whatever was asked.
    pub any_unit: bool,
    /// The transaction id of an answer means nothing (TCP alone has one).
    pub ignore_transaction: bool,
}

/// What the bytes that came so far are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scan {
    /// Not an answer yet.
    More {
        /// Whether there are as many bytes as the answer has, and yet it is none.
        enough: bool,
    },
    /// The answer.
    Answer {
        /// The registers, or bits (0 or 1).
        words: Vec<u16>,
        /// Bytes up to its end.
        used: usize,
    },
    /// The device refuses, with this code.
    Exception {
        /// As the device says it.
        code: u8,
        /// Bytes up to its end.
        used: usize,
    },
    /// No answer can come of this.
    Broken(Fault),
}

/// Why bytes are no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not Modbus at all.
    NotModbus,
    /// A transaction that was never asked.
    Transaction,
    /// Another unit.
    Unit(u8),
    /// Another function.
    Function(u8),
    /// Another number of bytes.
    Count {
        /// As many as the question has.
        asked: u8,
        /// As many as the answer says.
        sent: u8,
    },
    /// The checksum is wrong.
    Damaged,
    /// Bytes that nobody asked for.
    Unasked,
    /// It may as well be the late answer to a question before.
    Doubtful,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotModbus => f.write_str("something that is not Modbus"),
            Self::Transaction => f.write_str("the answer to a question that nobody asked"),
            Self::Unit(unit) => write!(f, "an answer of unit {unit}"),
            Self::Function(code) => write!(f, "an answer to function {code}"),
            Self::Count { asked, sent } if asked % 2 == 0 && sent % 2 == 0 => {
                write!(f, "{} registers instead of {}", sent / 2, asked / 2)
            }
            Self::Count { asked, sent } => write!(f, "{sent} bytes instead of {asked}"),
            Self::Damaged => f.write_str("a damaged answer (wrong checksum)"),
            Self::Unasked => f.write_str("bytes that nobody asked for"),
            Self::Doubtful => {
                f.write_str("what may be the late answer to the question before; it is asked again")
            }
        }
    }
}

/// What an exception code means, in the words of the specification.
#[must_use]
pub fn exception(code: u8) -> &'static str {
    match code {
        1 => "illegal function",
        2 => "illegal data address",
        3 => "illegal data value",
        4 => "server device failure",
        5 => "acknowledge",
        6 => "server device busy",
        8 => "memory parity error",
        10 => "gateway path unavailable",
        11 => "gateway target device failed to respond",
        _ => "an exception that Modbus does not name",
    }
}

/// A byte of what came.
fn byte(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_question_is_one_that_modbus_has() {
        #[rustfmt::skip]
        let cases = [
            // code, address, count, whether it is one
            (3,  0,      1,     true),
            (3,  65_411, 125,   true),
            (1,  63_536, 2_000, true),
            (4,  65_535, 1,     true),
            (3,  0,      0,     false),
            (3,  0,      126,   false),
            (1,  0,      2_001, false),
            (3,  65_535, 2,     false),
            (4,  65_412, 125,   false),
            (0,  0,      1,     false),
            (5,  0,      1,     false),
            (6,  0,      1,     false),
            (15, 0,      1,     false),
            (16, 0,      1,     false),
            (22, 0,      1,     false),
            (23, 0,      1,     false),
            (131, 0,     1,     false),
        ];
        for (code, address, count, is_one) in cases {
            let question = Question::new(1, code, address, count);
            assert_eq!(question.is_some(), is_one, "{code} {address} {count}");
        }
    }

    #[test]
    fn bits_come_in_whole_bytes_with_the_lowest_first() {
        let question = Question::new(1, 1, 0, 10).unwrap();
        assert_eq!(question.bytes(), 2);
        let bits = question.words(&[0b0000_0101, 0b1111_1110]);
        assert_eq!(bits, [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(Question::new(1, 2, 0, 2_000).unwrap().bytes(), 250);
        assert_eq!(Question::new(1, 3, 0, 125).unwrap().bytes(), 250);
    }

    proptest! {
        /// Nothing that can be asked has a function code that writes.
        #[test]
        fn what_is_sent_reads(unit: u8, code: u8, address: u16, count in 0_u16..2_100, tid: u16) {
            if let Some(question) = Question::new(unit, code, address, count) {
                let over_tcp = tcp::encode(&question, tid);
                let on_a_line = rtu::encode(&question);
                prop_assert!((1..=4).contains(&over_tcp[7]));
                prop_assert_eq!(&over_tcp[6..], &on_a_line[..6]);
            }
        }
    }
}
