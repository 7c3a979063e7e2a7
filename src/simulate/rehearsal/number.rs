//! Numbers into the words of registers: what the decoder reads, written.
//!
//! Some numbers are a part of a word, a byte or a bit; the rest of that word is
//! another's. Words are therefore laid over each other, bit by bit.

use crate::wire::register::{Field, Number, Order};

/// What a number is before it is cut into words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Held {
    /// An integer, wide enough for every type.
    Integer(i128),
    /// A float.
    Float(f64),
}

/// Words at their place, and which of their bits count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The first register.
    pub address: u16,
    /// What it holds and what follows.
    pub words: Vec<u16>,
    /// The bits of each word that are this number's.
    pub mask: u16,
}

/// Least and most of a type of whole numbers.
#[must_use]
pub fn range(number: Number) -> Option<(i128, i128)> {
    let unsigned = |bits: u32| Some((0, (1_i128 << bits) - 1));
    let signed = |bits: u32| Some((-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1));
    let digits = |digits: u32| Some((0, 10_i128.pow(digits) - 1));
    match number {
        Number::F32 | Number::F64 | Number::Text(_) => None,
        Number::U16 => unsigned(16),
        Number::I16 => signed(16),
        Number::U32 => unsigned(32),
        Number::I32 => signed(32),
        Number::U64 | Number::DateTime => unsigned(64),
        Number::I64 => signed(64),
        Number::Bcd16 => digits(4),
        Number::Bcd32 => digits(8),
        Number::Bcd64 => digits(16),
        Number::Bit(_) => unsigned(1),
        Number::LowByte | Number::HighByte => unsigned(8),
    }
}

/// The words of a number in a field.
#[must_use]
pub fn written(field: Field, held: Held) -> Piece {
    let whole = match held {
        Held::Integer(value) => value,
        Held::Float(value) => i128::from(crate::domain::units::to_i64(value)),
    };
    let float = match held {
        Held::Float(value) => value,
        Held::Integer(value) => crate::domain::units::to_f64(saturated(value)),
    };
    let bits = match field.number {
        Number::F32 => u64::from(single(float).to_bits()),
        Number::F64 => float.to_bits(),
        Number::Bcd16 | Number::Bcd32 | Number::Bcd64 => packed(whole),
        Number::DateTime => civil(saturated(whole)),
        _ => low_64(whole),
    };
    pattern(field, bits)
}

/// The words of a bit pattern in a field.
#[must_use]
pub fn pattern(field: Field, bits: u64) -> Piece {
    let (bits, mask) = match field.number {
        Number::Bit(bit) => {
            let mask = 1_u16.checked_shl(bit.into()).unwrap_or_default();
            ((bits & 1).checked_shl(bit.into()).unwrap_or_default(), mask)
        }
        Number::LowByte => (bits & 0xFF, 0xFF),
        Number::HighByte => ((bits & 0xFF) << 8, 0xFF00),
        _ => (bits, u16::MAX),
    };
    let count = usize::from(field.number.words());
    let mut words: Vec<u16> = bits
        .to_be_bytes()
        .chunks_exact(2)
        .skip(4_usize.saturating_sub(count))
        .map(|pair| {
            pair.iter()
                .fold(0, |word, byte| word << 8 | u16::from(*byte))
        })
        .collect();
    words.resize(count, 0);
    if field.order == Order::Little {
        words.reverse();
    }
    let swaps = field.bytes == Order::Little;
    let turned = |word: u16| if swaps { word.swap_bytes() } else { word };
    Piece {
        address: field.address,
        words: words.into_iter().map(turned).collect(),
        mask: turned(mask),
    }
}

/// The pattern that says "not available" in a type, where the device has none of its own.
#[must_use]
pub fn usually_absent(number: Number) -> u64 {
    match number {
        Number::I16 => 0x7FFF,
        Number::I32 => 0x7FFF_FFFF,
        Number::I64 => 0x7FFF_FFFF_FFFF_FFFF,
        Number::F32 => u64::from(f32::NAN.to_bits()),
        Number::F64 => f64::NAN.to_bits(),
        _ => u64::MAX,
    }
}

/// A number in the range of an integer.
#[must_use]
pub fn saturated(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// Four bits a decimal digit.
fn packed(value: i128) -> u64 {
    let mut rest = u64::try_from(value).unwrap_or_default();
    (0..16).fold(0, |bits, place| {
        let digit = rest % 10;
        rest /= 10;
        bits | digit << (4 * place)
    })
}

/// A civil time from its seconds since 1970; all bits where it is none.
fn civil(second: i64) -> u64 {
    let Ok(at) = jiff::Timestamp::from_second(second) else {
        return u64::MAX;
    };
    let at = jiff::tz::TimeZone::UTC.to_datetime(at);
    let part = |value: i8| u64::from(value.unsigned_abs());
    let year = u64::from(at.year().saturating_sub(2000).unsigned_abs());
    (year << 48)
        | (part(at.month()) << 40)
        | (part(at.day()) << 32)
        | (part(at.hour()) << 24)
        | (part(at.minute()) << 16)
        | (part(at.second()) * 1_000)
}

/// The lower half of a number in two's complement.
#[allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn low_64(value: i128) -> u64 {
    value as u64
}

/// The nearest single.
#[allow(clippy::as_conversions, clippy::cast_possible_truncation)]
fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests {
    use super::*;

    fn field(number: Number, order: Order, bytes: Order) -> Field {
        Field {
            bytes,
            ..Field::new(9, number, order)
        }
    }

    /// The words are those of the decoder's own table, worked out by hand.
    #[test]
    fn numbers_become_words() {
        use Number::*;
        use Order::{Big, Little};
        #[rustfmt::skip]
        let cases: &[(Number, Order, Order, f64, &[u16])] = &[
            (U16,      Big,    Big,    65_535.0,         &[0xFFFF]),
            (I16,      Big,    Big,    -1.0,             &[0xFFFF]),
            (U32,      Big,    Big,    100_000.0,        &[0x0001, 0x86A0]),
            (U32,      Little, Big,    100_000.0,        &[0x86A0, 0x0001]),
            (U32,      Big,    Little, 100_000.0,        &[0x0100, 0xA086]),
            (I32,      Big,    Big,    -100_000.0,       &[0xFFFE, 0x7960]),
            (F32,      Big,    Big,    -5.0,             &[0xC0A0, 0x0000]),
            (F64,      Little, Big,    230.1,            &[0x3333, 0x3333, 0xC333, 0x406C]),
            (U64,      Big,    Big,    10_000_000_000.0, &[0x0000, 0x0002, 0x540B, 0xE400]),
            (Bcd16,    Big,    Big,    1_234.0,          &[0x1234]),
            (Bcd32,    Little, Big,    12_345_678.0,     &[0x5678, 0x1234]),
            // 27 November 2026, 21:14:50.
            (DateTime, Big,    Big,    1_795_814_090.0,  &[0x001A, 0x0B1B, 0x150E, 0xC350]),
            (Bit(3),   Big,    Big,    1.0,              &[0x0008]),
            (LowByte,  Big,    Big,    171.0,            &[0x00AB]),
            (HighByte, Big,    Big,    171.0,            &[0xAB00]),
        ];
        for (number, order, bytes, value, words) in cases {
            let field = field(*number, *order, *bytes);
            for held in [
                Held::Float(*value),
                Held::Integer(i128::from(*value as i64)),
            ] {
                if matches!((number, held), (F64, Held::Integer(_))) {
                    continue;
                }
                let piece = written(field, held);
                assert_eq!(
                    (piece.address, &piece.words[..]),
                    (9, *words),
                    "{number:?} {held:?}"
                );
            }
        }
    }

    #[test]
    fn parts_of_a_word_leave_the_rest_to_others() {
        let mask = |number| written(field(number, Order::Big, Order::Big), Held::Integer(0)).mask;
        assert_eq!(mask(Number::Bit(3)), 0x0008);
        assert_eq!(mask(Number::LowByte), 0x00FF);
        assert_eq!(mask(Number::HighByte), 0xFF00);
        assert_eq!(mask(Number::U32), 0xFFFF);
        let swapped = field(Number::LowByte, Order::Big, Order::Little);
        assert_eq!(written(swapped, Held::Integer(1)).mask, 0xFF00);
    }
}
