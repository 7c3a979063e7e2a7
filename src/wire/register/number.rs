//! How a number is written into registers, and its raw form.
//!
//! ```text
//!   order      u32 0x11223344 on the wire     u64 0x1122334455667788 on the wire
//!   big        1122 3344                      1122 3344 5566 7788
//!   little     3344 1122                      7788 5566 3344 1122
//!   bytes      little: 2211 4433              2211 4433 6655 8877
//! ```
//!
//! Modbus sends the high byte of a word first; some devices swap the two. The order
//! of words and that of bytes are two choices.
//!
//! **What is no number stays none**: packed decimals with a digit above nine are not
//! rounded to one, they are [`Reason::NotAvailable`].

use crate::domain::quality::Reason;

/// How a number is written into registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Number {
    /// Unsigned, one register.
    U16,
    /// Signed, one register.
    I16,
    /// Unsigned, two registers.
    U32,
    /// Signed, two registers.
    I32,
    /// Unsigned, four registers.
    U64,
    /// Signed, four registers.
    I64,
    /// IEEE 754 single, two registers.
    F32,
    /// IEEE 754 double, four registers.
    F64,
    /// Four decimal digits, one register.
    Bcd16,
    /// Eight decimal digits, two registers.
    Bcd32,
    /// Sixteen decimal digits, four registers.
    Bcd64,
    /// One bit of a register, 0 the lowest.
    Bit(u8),
    /// A civil time, four registers: year from 2000, month and day, hour and minute,
    /// milliseconds of the minute. Its raw form is the seconds since 1970 that the same
    /// civil time is in UTC.
    ///
    /// ```text
    ///   bit   15 … 12   11 … 8    7      6   5   4 … 0
    ///   1     0                   0      year from 2000, bits 6 to 0
    ///   2     0         month     weekday, 3 bits   day
    ///   3     summer 0  hour, 12 … 8    invalid  0  minute, bits 5 to 0
    ///   4     milliseconds, 0 to 59999
    /// ```
    ///
    /// Source: `DATETIME` in the Modbus chapter of Schneider Electric's iEM3000 and EM3000
    /// manuals, which is the time tag of IEC 60870-5.
    DateTime,
    /// The low byte of a register, unsigned.
    LowByte,
    /// The high byte of a register, unsigned.
    HighByte,
    /// So many registers of text, two characters each: to identify, never a value.
    Text(u16),
}

/// Which word of a number, or which byte of a word, comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// The high one.
    Big,
    /// The low one.
    Little,
}

impl Number {
    /// How many registers it takes.
    #[must_use]
    pub fn words(self) -> u16 {
        match self {
            Self::U16 | Self::I16 | Self::Bcd16 => 1,
            Self::Bit(_) | Self::LowByte | Self::HighByte => 1,
            Self::U32 | Self::I32 | Self::F32 | Self::Bcd32 => 2,
            Self::U64 | Self::I64 | Self::F64 | Self::Bcd64 | Self::DateTime => 4,
            Self::Text(words) => words,
        }
    }

    /// Whether its raw form is a whole number.
    #[must_use]
    pub fn is_whole(self) -> bool {
        !matches!(self, Self::F32 | Self::F64 | Self::Text(_))
    }

    /// The width in bits after which a counter of this type starts again at zero;
    /// none where it never does, or nobody can tell.
    #[must_use]
    pub fn wraps(self) -> Option<u8> {
        match self {
            Self::U16 | Self::I16 => Some(16),
            Self::U32 | Self::I32 => Some(32),
            _ => None,
        }
    }

    /// The raw form of joined words.
    ///
    /// # Errors
    ///
    /// [`Reason::NotAvailable`] for packed decimals that are none, [`Reason::Config`]
    /// for text.
    #[inline]
    pub(super) fn raw(self, joined: u64) -> Result<Raw, Reason> {
        let signed = |width| Raw::Signed {
            number: extend(joined, width),
            bits: joined,
        };
        Ok(match self {
            Self::U16 | Self::U32 | Self::U64 => Raw::Unsigned(joined),
            Self::I16 => signed(16),
            Self::I32 => signed(32),
            Self::I64 => signed(64),
            Self::F32 => Raw::Float(f64::from(f32::from_bits(low_32(joined)))),
            Self::F64 => Raw::Float(f64::from_bits(joined)),
            Self::Bcd16 | Self::Bcd32 | Self::Bcd64 => {
                Raw::Unsigned(packed_decimal(joined).ok_or(Reason::NotAvailable)?)
            }
            Self::DateTime => Raw::Unsigned(civil_time(joined).ok_or(Reason::NotAvailable)?),
            Self::Bit(_) | Self::LowByte | Self::HighByte => {
                Raw::Unsigned(self.part(joined).unwrap_or(0))
            }
            Self::Text(_) => return Err(Reason::Config),
        })
    }

    /// The part of a register that the number is; none where it is all of it.
    #[inline]
    pub(super) fn part(self, joined: u64) -> Option<u64> {
        match self {
            Self::Bit(bit) => Some(joined.checked_shr(bit.into()).unwrap_or(0) & 1),
            Self::LowByte => Some(joined & 0xFF),
            Self::HighByte => Some(joined >> 8 & 0xFF),
            _ => None,
        }
    }
}

/// A number as it is in the registers, before it means anything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Raw {
    /// A whole number without a sign.
    Unsigned(u64),
    /// A whole number with a sign, and its bits.
    Signed {
        /// The number.
        number: i64,
        /// Its bits read without a sign: what a counter declared signed counts.
        bits: u64,
    },
    /// A float, perhaps NaN.
    Float(f64),
}

impl Raw {
    /// The nearest float: exact below 2^53.
    #[must_use]
    #[inline]
    #[allow(clippy::as_conversions, clippy::cast_precision_loss)]
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Unsigned(number) => number as f64,
            Self::Signed { number, .. } => number as f64,
            Self::Float(number) => number,
        }
    }

    /// A whole number without its sign; none for a float.
    #[must_use]
    #[inline]
    pub fn counted(self) -> Option<u64> {
        match self {
            Self::Unsigned(bits) | Self::Signed { bits, .. } => Some(bits),
            Self::Float(_) => None,
        }
    }
}

/// The words as one integer, the first one highest for [`Order::Big`].
#[inline]
pub(super) fn join(words: &[u16], order: Order, bytes: Order) -> u64 {
    let push = |joined: u64, word: &u16| {
        let word = match bytes {
            Order::Big => *word,
            Order::Little => word.swap_bytes(),
        };
        joined << 16 | u64::from(word)
    };
    match order {
        Order::Big => words.iter().fold(0, push),
        Order::Little => words.iter().rev().fold(0, push),
    }
}

/// Four bits a decimal digit; none where one is above nine.
fn packed_decimal(joined: u64) -> Option<u64> {
    let mut number = 0_u64;
    for nibble in (0..16).rev() {
        let digit = joined >> (nibble * 4) & 0xF;
        if digit > 9 {
            return None;
        }
        number = number * 10 + digit;
    }
    Some(number)
}

/// Seconds from 1970 to a civil time, as if it were UTC; none where it is marked invalid or
/// is no time.
fn civil_time(joined: u64) -> Option<u64> {
    let part = |from: u32, width: u32| {
        let bits = joined >> from & ((1 << width) - 1);
        i8::try_from(bits).ok()
    };
    let invalid = part(23, 1)?;
    let milliseconds = joined & 0xFFFF;
    if invalid != 0 || milliseconds > 59_999 {
        return None;
    }
    let year = 2000 + i16::from(part(48, 7)?);
    let (month, day) = (part(40, 4)?, part(32, 5)?);
    let (hour, minute) = (part(24, 5)?, part(16, 6)?);
    let second = i8::try_from(milliseconds / 1_000).ok()?;
    let civil = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let utc = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
    u64::try_from(utc.as_second()).ok()
}

/// The lower half.
#[allow(clippy::as_conversions, clippy::cast_possible_truncation)]
fn low_32(bits: u64) -> u32 {
    bits as u32
}

/// The lowest `width` bits read as a signed number.
#[allow(clippy::as_conversions, clippy::cast_possible_wrap)]
fn extend(bits: u64, width: u32) -> i64 {
    let unused = 64 - width;
    (bits << unused) as i64 >> unused
}
