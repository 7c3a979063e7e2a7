//! Registers into numbers: which words a value takes, and what they mean.
//!
//! ```text
//!   order      u32 0x11223344 on the wire     u64 0x1122334455667788 on the wire
//!   big        1122 3344                      1122 3344 5566 7788
//!   little     3344 1122                      7788 5566 3344 1122
//! ```
//!
//! The two bytes inside a word are always high byte first, as Modbus says; the
//! order is that of the words alone.
//!
//! **A number that is not there is a reason, never a zero**: NaN and infinity
//! are [`Reason::NotAvailable`], words that did not come [`Reason::ShortAnswer`].

use super::plan::Span;
use crate::domain::quality::Reason;
use crate::domain::snapshot::Value;

/// How a number is written into registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

impl Number {
    /// How many registers it takes.
    #[must_use]
    pub fn words(self) -> u16 {
        match self {
            Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
        }
    }
}

/// Which word of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The high word.
    Big,
    /// The low word.
    Little,
}

/// What a raw number means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decode {
    /// A momentary value: raw × scale + offset in the canonical unit. Unit,
    /// multiplier and sign flip are folded into the two.
    Analog {
        /// Canonical units a count.
        scale: f64,
        /// Canonical units at a raw zero.
        offset: f64,
    },
    /// A register that counts: the raw count as it is. A device that declares its
    /// counter signed runs into negative numbers half way up; its bits are read as
    /// unsigned.
    Count,
    /// An energy told as a float: the count is in milliwatt-hours, rounded.
    CountFloat {
        /// Milliwatt-hours in one unit of the float.
        mwh_per_unit: f64,
    },
}

impl Decode {
    /// The value of a number that came as a float, or as text.
    ///
    /// # Errors
    ///
    /// [`Reason::NotAvailable`] for NaN and infinities, [`Reason::OutOfRange`] where
    /// the result leaves what a value can hold.
    pub fn float(self, raw: f64) -> Result<Value, Reason> {
        if !raw.is_finite() {
            return Err(Reason::NotAvailable);
        }
        match self {
            Self::Analog { scale, offset } => {
                let value = scaled(raw, scale) + offset;
                if value.is_finite() {
                    Ok(Value::Analog(value))
                } else {
                    Err(Reason::OutOfRange)
                }
            }
            Self::Count => whole(raw),
            Self::CountFloat { mwh_per_unit } => whole(scaled(raw, mwh_per_unit)),
        }
    }

    /// The value of an integer; `unsigned` are its bits read without a sign.
    fn integer(self, raw: f64, unsigned: u64) -> Result<Value, Reason> {
        match self {
            Self::Count => i64::try_from(unsigned)
                .map(Value::Count)
                .map_err(|_| Reason::OutOfRange),
            Self::Analog { .. } | Self::CountFloat { .. } => self.float(raw),
        }
    }
}

/// Decimal scales below one, each with the power of ten that divides instead.
#[rustfmt::skip]
const TENTHS: [(f64, f64); 9] = [
    (1e-1, 1e1), (1e-2, 1e2), (1e-3, 1e3), (1e-4, 1e4), (1e-5, 1e5),
    (1e-6, 1e6), (1e-7, 1e7), (1e-8, 1e8), (1e-9, 1e9),
];

/// `raw × scale` as decimal arithmetic has it: 2301 × 0.1 is 230.1.
///
/// No float is a tenth, so the product with one is off in its last digit. Ten is
/// a float, and division rounds once: a tenth divides by ten.
fn scaled(raw: f64, scale: f64) -> f64 {
    let size = scale.abs();
    if size < 1.0
        && let Some((_, tens)) = TENTHS.iter().find(|(tenth, _)| *tenth == size)
    {
        return raw / tens.copysign(scale);
    }
    raw * scale
}

/// The nearest whole count.
fn whole(value: f64) -> Result<Value, Reason> {
    // From here on up an `f64` no longer fits into an `i64`.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if value.abs() < LIMIT {
        Ok(Value::Count(crate::domain::units::to_i64(value)))
    } else {
        Err(Reason::OutOfRange)
    }
}

/// Where a point is in a device, and how its number is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layout {
    /// Function code: 1 coils, 2 discrete inputs, 3 holding and 4 input registers.
    pub fc: u8,
    /// First register or bit, zero-based.
    pub address: u16,
    /// How the number is written; a bit (function codes 1 and 2) is one word of 0 or 1.
    pub number: Number,
    /// Which word comes first.
    pub order: Order,
    /// What the number means.
    pub decode: Decode,
}

impl Layout {
    /// Whether it is a single bit.
    #[must_use]
    pub fn is_bit(&self) -> bool {
        self.fc <= 2
    }

    /// The registers, or the bit, that it takes.
    #[must_use]
    pub fn span(&self) -> Span {
        Span {
            fc: self.fc,
            address: self.address,
            count: self.words(),
        }
    }

    /// How many registers, or bits, it takes.
    #[must_use]
    pub fn words(&self) -> u16 {
        if self.is_bit() {
            1
        } else {
            self.number.words()
        }
    }

    /// The value in these words, of which the first [`Layout::words`] count.
    ///
    /// # Errors
    ///
    /// [`Reason::ShortAnswer`] where words are missing, [`Reason::NotAvailable`] for
    /// NaN and infinities, [`Reason::OutOfRange`] for a count that no ledger holds.
    pub fn value(&self, words: &[u16]) -> Result<Value, Reason> {
        let words = words
            .get(..usize::from(self.words()))
            .ok_or(Reason::ShortAnswer)?;
        let bits = join(words, self.order);
        let number = if self.is_bit() {
            Number::U16
        } else {
            self.number
        };
        match number {
            Number::F32 => self.decode.float(f64::from(f32::from_bits(low_32(bits)))),
            Number::F64 => self.decode.float(f64::from_bits(bits)),
            Number::U16 | Number::U32 => self.decode.integer(from_u64(bits), bits),
            Number::U64 => self.decode.integer(from_u64(bits), bits),
            Number::I16 => self.decode.integer(from_i64(extend(bits, 16)), bits),
            Number::I32 => self.decode.integer(from_i64(extend(bits, 32)), bits),
            Number::I64 => self.decode.integer(from_i64(extend(bits, 64)), bits),
        }
    }
}

/// The words as one integer, the first one highest for [`Order::Big`].
fn join(words: &[u16], order: Order) -> u64 {
    let push = |bits: u64, word: &u16| bits << 16 | u64::from(*word);
    match order {
        Order::Big => words.iter().fold(0, push),
        Order::Little => words.iter().rev().fold(0, push),
    }
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

/// The nearest float: exact below 2^53.
#[allow(clippy::as_conversions, clippy::cast_precision_loss)]
fn from_u64(bits: u64) -> f64 {
    bits as f64
}

/// The nearest float: exact below 2^53.
fn from_i64(number: i64) -> f64 {
    crate::domain::units::to_f64(number)
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Decode = Decode::Analog {
        scale: 1.0,
        offset: 0.0,
    };

    fn layout(number: Number, order: Order, decode: Decode) -> Layout {
        Layout {
            fc: 3,
            address: 0,
            number,
            order,
            decode,
        }
    }

    fn analog(scale: f64, offset: f64) -> Decode {
        Decode::Analog { scale, offset }
    }

    /// The words here are worked out by hand, so that no mistake of ours is in both.
    #[test]
    fn words_become_numbers() {
        use Number::{F32, F64, I16, I32, I64, U16, U32, U64};
        use Order::{Big, Little};
        #[rustfmt::skip]
        let cases: &[(Number, Order, &[u16], f64)] = &[
            (U16, Big,    &[0xFFFF],                          65_535.0),
            (U16, Little, &[0xFFFF],                          65_535.0),
            (I16, Big,    &[0xFFFF],                          -1.0),
            (I16, Little, &[0x8000],                          -32_768.0),
            (U32, Big,    &[0x0001, 0x86A0],                  100_000.0),
            (U32, Little, &[0x86A0, 0x0001],                  100_000.0),
            (U32, Big,    &[0x0000, 0xFFFF],                  65_535.0),
            (I32, Big,    &[0xFFFE, 0x7960],                  -100_000.0),
            (I32, Little, &[0x7960, 0xFFFE],                  -100_000.0),
            (F32, Big,    &[0x4366, 0x3333],                  230.199_996_948_242_2),
            (F32, Little, &[0x3333, 0x4366],                  230.199_996_948_242_2),
            (F32, Big,    &[0xC0A0, 0x0000],                  -5.0),
            (U64, Big,    &[0x0000, 0x0002, 0x540B, 0xE400],  10_000_000_000.0),
            (U64, Little, &[0xE400, 0x540B, 0x0002, 0x0000],  10_000_000_000.0),
            (I64, Big,    &[0xFFFF, 0xFFFD, 0xABF4, 0x1C00],  -10_000_000_000.0),
            (I64, Little, &[0x1C00, 0xABF4, 0xFFFD, 0xFFFF],  -10_000_000_000.0),
            (F64, Big,    &[0x406C, 0xC333, 0x3333, 0x3333],  230.1),
            (F64, Little, &[0x3333, 0x3333, 0xC333, 0x406C],  230.1),
        ];
        for &(number, order, words, expected) in cases {
            let said = layout(number, order, PLAIN).value(words);
            assert_eq!(
                said,
                Ok(Value::Analog(expected)),
                "{number:?} {order:?} {words:04X?}"
            );
        }
    }

    #[test]
    fn a_decimal_scale_gives_the_decimal_result() {
        #[rustfmt::skip]
        let cases = [
            (2301_u16, analog(0.1, 0.0),    "230.1"),
            (3,        analog(0.1, 0.0),    "0.3"),
            (4998,     analog(0.01, 0.0),   "49.98"),
            (987,      analog(0.001, 0.0),  "0.987"),
            (57,       analog(1e-4, 0.0),   "0.0057"),
            (57,       analog(1e-9, 0.0),   "0.000000057"),
            (2301,     analog(-0.1, 0.0),   "-230.1"),
            (2301,     analog(10.0, 0.0),   "23010"),
            (215,      analog(0.5, 0.0),    "107.5"),
            (650,      analog(0.1, -40.0),  "25"),
            (0,        analog(-1.0, 0.0),   "0"),
        ];
        for (raw, decode, expected) in cases {
            let said = layout(Number::U16, Order::Big, decode).value(&[raw]);
            let Ok(Value::Analog(value)) = said else {
                panic!("{raw} with {decode:?}: {said:?}");
            };
            assert_eq!(value.to_string(), expected, "{raw} with {decode:?}");
        }
    }

    #[test]
    fn a_counter_declared_signed_is_read_by_its_bits() {
        #[rustfmt::skip]
        let cases: &[(Number, &[u16], i64)] = &[
            (Number::I32, &[0x7FFF, 0xFFF8], 2_147_483_640),
            (Number::I32, &[0x8000, 0x0008], 2_147_483_656),
            (Number::I16, &[0xFFFE],         65_534),
            (Number::U32, &[0xFFFF, 0xFFFF], 4_294_967_295),
            (Number::U64, &[0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF], i64::MAX),
            (Number::F32, &[0x447A, 0x2000], 1_001), // 1000.5, to the nearest
        ];
        for &(number, words, count) in cases {
            let said = layout(number, Order::Big, Decode::Count).value(words);
            assert_eq!(said, Ok(Value::Count(count)), "{number:?}");
        }
        // -2147483640, as a signed reader would have it.
        let words = [0x8000, 0x0008];
        let signed = layout(Number::I32, Order::Big, PLAIN).value(&words);
        assert_eq!(signed, Ok(Value::Analog(-2_147_483_640.0)));
    }

    #[test]
    fn a_float_energy_counts_milliwatt_hours() {
        let kwh = Decode::CountFloat {
            mwh_per_unit: 1_000_000.0,
        };
        let layout = layout(Number::F64, Order::Big, kwh);
        // 230.1 kWh
        let said = layout.value(&[0x406C, 0xC333, 0x3333, 0x3333]);
        assert_eq!(said, Ok(Value::Count(230_100_000)));
    }

    #[test]
    fn what_is_not_a_number_is_a_reason() {
        use Reason::{NotAvailable, OutOfRange, ShortAnswer};
        let kwh = Decode::CountFloat { mwh_per_unit: 1e6 };
        #[rustfmt::skip]
        let cases: &[(&str, Number, Decode, &[u16], Reason)] = &[
            ("NaN",                      Number::F32, PLAIN,            &[0x7FC0, 0x0000],         NotAvailable),
            ("infinity",                 Number::F32, PLAIN,            &[0x7F80, 0x0000],         NotAvailable),
            ("NaN of 64 bits",           Number::F64, PLAIN,            &[0x7FF8, 0, 0, 0],        NotAvailable),
            ("a counter of NaN",         Number::F32, kwh,              &[0xFFC0, 0x0000],         NotAvailable),
            ("a count above an i64",     Number::U64, Decode::Count,    &[0x8000, 0, 0, 0],        OutOfRange),
            ("a negative 64-bit count",  Number::I64, Decode::Count,    &[0xFFFF; 4],              OutOfRange),
            ("a count of 1e300",         Number::F64, kwh,              &[0x7E37, 0xE43C, 0, 0],   OutOfRange),
            ("a scale beyond floats",    Number::F64, analog(1e300, 0.0), &[0x7E37, 0xE43C, 0, 0], OutOfRange),
            ("one word of two",          Number::U32, PLAIN,            &[1],                      ShortAnswer),
            ("nothing at all",           Number::U16, PLAIN,            &[],                       ShortAnswer),
        ];
        for &(situation, number, decode, words, reason) in cases {
            let said = layout(number, Order::Big, decode).value(words);
            assert_eq!(said, Err(reason), "{situation}");
        }
    }

    #[test]
    fn a_bit_is_zero_or_one_whatever_its_number_says() {
        let bit = Layout {
            fc: 1,
            ..layout(Number::F64, Order::Little, PLAIN)
        };
        assert_eq!(bit.words(), 1);
        assert_eq!(bit.value(&[1]), Ok(Value::Analog(1.0)));
        assert_eq!(bit.value(&[0]), Ok(Value::Analog(0.0)));
    }

    /// The words a device would send, from the bytes up.
    fn words_of(bytes: &[u8], order: Order) -> Vec<u16> {
        let mut words: Vec<u16> = bytes
            .chunks(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect();
        if order == Order::Little {
            words.reverse();
        }
        words
    }

    proptest! {
        /// What a device writes in any type and order is what is read.
        #[test]
        fn a_number_survives_the_wire(
            signed in any::<i64>(),
            float in any::<f64>().prop_filter("finite", |float| float.is_finite()),
            little in any::<bool>(),
        ) {
            let order = if little { Order::Little } else { Order::Big };
            let read = |number, bytes: &[u8]| {
                layout(number, order, PLAIN).value(&words_of(bytes, order))
            };
            let is = |value: f64| Ok(Value::Analog(value + 0.0));
            prop_assert_eq!(read(Number::I64, &signed.to_be_bytes()), is(signed as f64));
            prop_assert_eq!(read(Number::U64, &signed.to_be_bytes()), is(signed as u64 as f64));
            prop_assert_eq!(read(Number::I32, &(signed as i32).to_be_bytes()), is(f64::from(signed as i32)));
            prop_assert_eq!(read(Number::U32, &(signed as u32).to_be_bytes()), is(f64::from(signed as u32)));
            prop_assert_eq!(read(Number::I16, &(signed as i16).to_be_bytes()), is(f64::from(signed as i16)));
            prop_assert_eq!(read(Number::U16, &(signed as u16).to_be_bytes()), is(f64::from(signed as u16)));
            prop_assert_eq!(read(Number::F64, &float.to_be_bytes()), is(float));
            let single = float as f32;
            if single.is_finite() {
                prop_assert_eq!(read(Number::F32, &single.to_be_bytes()), is(f64::from(single)));
            }
        }

        /// Dividing by the power of ten is the nearest float to the decimal product.
        #[test]
        fn a_decimal_scale_is_exact(raw in any::<i32>(), digits in 0_usize..=9) {
            let decimal: f64 = format!("1e-{digits}").parse().unwrap();
            let nearest: f64 = format!("{raw}e-{digits}").parse().unwrap();
            prop_assert_eq!(scaled(f64::from(raw), decimal), nearest);
        }

        /// Too few words are never a number, whatever they are.
        #[test]
        fn a_short_answer_is_never_a_number(words in prop::collection::vec(any::<u16>(), 0..4)) {
            for number in [Number::U64, Number::I64, Number::F64] {
                let said = layout(number, Order::Big, PLAIN).value(&words);
                prop_assert_eq!(said, Err(Reason::ShortAnswer));
            }
        }
    }
}
