//! From a value to the words that a device sends for it: decoding, turned round.
//!
//! ```text
//!   value ──unit, scale, sign──▶ raw number ──type, order──▶ words
//! ```
//!
//! An energy register holds whole counts, rounded down, and starts again at zero
//! where its digits or its bits end; an analog one holds the nearest count and stops
//! at the end of its range, as a real one does. **What is decoded from these words is
//! the value**, up to the step of the register.

use super::model::Said;
use crate::domain::meter::{Point, Quantity};
use crate::domain::units::{to_f64, to_i64};
use crate::wire::register::{Decode, Layout, Number, Order};

/// One register, or run of registers, of a meter.
#[derive(Debug, Clone)]
pub struct Register {
    /// What it measures.
    pub quantity: &'static Quantity,
    /// Where it is and how its number is written.
    pub layout: Layout,
    /// Milliwatt-hours of a count, as a ratio, where it counts.
    pub worth: (i64, i64),
    /// Counts after which it starts again, where that is before its bits end.
    pub modulus: Option<i128>,
}

/// What a register holds before it is cut into words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Held {
    /// An integer, wide enough for every type.
    Integer(i128),
    /// A float.
    Float(f64),
}

impl Register {
    /// The register of a point.
    #[must_use]
    pub fn new(point: &Point, layout: &Layout) -> Self {
        let unit = point.register.map(|kind| kind.unit);
        Self {
            quantity: point.quantity,
            layout: *layout,
            worth: unit.map_or((1, 1), |unit| (unit.numerator, unit.denominator)),
            modulus: point.register.and_then(|kind| kind.modulus),
        }
    }

    /// Whether it counts energy.
    #[must_use]
    pub fn counts(&self) -> bool {
        !matches!(self.layout.decode, Decode::Analog { .. })
    }

    /// The number type; a bit is one of its own.
    fn number(&self) -> Number {
        if self.layout.is_bit() {
            Number::U16
        } else {
            self.layout.number
        }
    }

    /// Counts after which it starts again; none for a float.
    #[must_use]
    pub fn turns_over_at(&self) -> Option<i128> {
        let (least, most) = range(self.number())?;
        let bits = most - least + 1;
        Some(self.modulus.map_or(bits, |modulus| modulus.min(bits)))
    }

    /// What it holds for a value; `ahead` are counts beyond the true ones.
    #[must_use]
    pub fn hold(&self, said: Said, ahead: i128) -> Held {
        match (self.layout.decode, said) {
            (Decode::Analog { scale, offset }, Said::Analog(value) | Said::Energy(value)) => {
                let raw = (value - offset) / scale;
                match self.bounds() {
                    None => Held::Float(raw),
                    Some((least, most)) => {
                        Held::Integer(i128::from(to_i64(raw)).clamp(least, most))
                    }
                }
            }
            (Decode::Count, said) => {
                let count = self.counted(watt_hours(said)) + ahead;
                Held::Integer(match self.turns_over_at() {
                    Some(end) => count.rem_euclid(end),
                    None => count,
                })
            }
            (Decode::CountFloat { mwh_per_unit }, said) => {
                let mwh = watt_hours(said) * 1_000.0 + to_f64(saturated(ahead));
                Held::Float(mwh / mwh_per_unit)
            }
        }
    }

    /// Whole counts of an energy.
    #[must_use]
    pub fn counted(&self, wh: f64) -> i128 {
        let mwh = i128::from(to_i64((wh * 1_000.0).floor()));
        (mwh * i128::from(self.worth.1)).div_euclid(i128::from(self.worth.0))
    }

    fn bounds(&self) -> Option<(i128, i128)> {
        if self.layout.is_bit() {
            return Some((0, 1));
        }
        range(self.number())
    }

    /// The words of what it holds.
    #[must_use]
    pub fn words(&self, held: Held) -> Vec<u16> {
        let bits = match (self.number(), held) {
            (Number::F32, Held::Float(value)) => u64::from(single(value).to_bits()),
            (Number::F64, Held::Float(value)) => value.to_bits(),
            (Number::F32, Held::Integer(value)) => {
                u64::from(single(to_f64(saturated(value))).to_bits())
            }
            (Number::F64, Held::Integer(value)) => to_f64(saturated(value)).to_bits(),
            (_, Held::Float(value)) => to_i64(value).cast_unsigned(),
            (_, Held::Integer(value)) => low_64(value),
        };
        self.ordered(bits)
    }

    /// The words that say "not available" in this type.
    #[must_use]
    pub fn not_available(&self) -> Vec<u16> {
        self.ordered(match self.number() {
            Number::I16 => 0x7FFF,
            Number::I32 => 0x7FFF_FFFF,
            Number::I64 => 0x7FFF_FFFF_FFFF_FFFF,
            Number::F32 => u64::from(f32::NAN.to_bits()),
            Number::F64 => f64::NAN.to_bits(),
            Number::U16 | Number::U32 | Number::U64 => u64::MAX,
        })
    }

    /// The lowest words of a number, in the order of the register.
    fn ordered(&self, bits: u64) -> Vec<u16> {
        let words = usize::from(self.layout.words());
        let mut words: Vec<u16> = bits
            .to_be_bytes()
            .chunks_exact(2)
            .skip(4_usize.saturating_sub(words))
            .map(|pair| {
                pair.iter()
                    .fold(0, |word, byte| word << 8 | u16::from(*byte))
            })
            .collect();
        if self.layout.order == Order::Little {
            words.reverse();
        }
        words
    }

    /// The largest canonical value of an analog register; none where it has no end.
    #[must_use]
    pub fn most(&self) -> Option<f64> {
        let (Decode::Analog { scale, offset }, Some((least, most))) =
            (self.layout.decode, self.bounds())
        else {
            return None;
        };
        let end = if scale < 0.0 { least } else { most };
        Some(to_f64(saturated(end)) * scale + offset)
    }

    /// Whether it can hold a negative value.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        match self.layout.decode {
            Decode::Analog { scale, offset } => self.bounds().is_none_or(|(least, most)| {
                let end = if scale < 0.0 { most } else { least };
                to_f64(saturated(end)) * scale + offset < 0.0
            }),
            Decode::Count | Decode::CountFloat { .. } => false,
        }
    }
}

fn watt_hours(said: Said) -> f64 {
    match said {
        Said::Energy(wh) | Said::Analog(wh) => wh,
    }
}

/// Least and most of an integer type.
fn range(number: Number) -> Option<(i128, i128)> {
    let unsigned = |bits: u32| Some((0, (1_i128 << bits) - 1));
    let signed = |bits: u32| Some((-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1));
    match number {
        Number::F32 | Number::F64 => None,
        Number::U16 => unsigned(16),
        Number::I16 => signed(16),
        Number::U32 => unsigned(32),
        Number::I32 => signed(32),
        Number::U64 => unsigned(64),
        Number::I64 => signed(64),
    }
}

fn saturated(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::meter::RegisterKind;
    use crate::domain::snapshot::Value;
    use crate::domain::units::CountUnit;

    fn register(quantity: &str, number: Number, order: Order, decode: Decode) -> Register {
        let quantity = Quantity::named(quantity).unwrap();
        let layout = Layout {
            fc: 3,
            address: 0,
            number,
            order,
            decode,
        };
        let counts = !matches!(decode, Decode::Analog { .. });
        let unit = CountUnit::new(10_000, 1).unwrap();
        let kind = RegisterKind {
            unit,
            modulus: Some(1_000_000),
        };
        Register::new(
            &Point {
                quantity,
                register: counts.then_some(kind),
            },
            &layout,
        )
    }

    const NUMBERS: [Number; 8] = [
        Number::U16,
        Number::I16,
        Number::U32,
        Number::I32,
        Number::U64,
        Number::I64,
        Number::F32,
        Number::F64,
    ];

    proptest! {
        /// Held against the decoder of the daemon, which is tested by hand-made words.
        #[test]
        fn what_is_decoded_is_the_value(
            value in -3_000.0..3_000.0, number in 0..NUMBERS.len(), little: bool,
            scale in prop::sample::select(vec![0.1, 1.0, -0.1, 0.5]), offset in -40.0..40.0,
        ) {
            let order = if little { Order::Little } else { Order::Big };
            let decode = Decode::Analog { scale, offset };
            let register = register("power", NUMBERS[number], order, decode);
            let words = register.words(register.hold(Said::Analog(value), 0));
            let Ok(Value::Analog(said)) = register.layout.value(&words) else {
                panic!("{words:?}");
            };
            let raw = (value - offset) / scale;
            let fits = match NUMBERS[number] {
                Number::U16 => (0.0..65_535.0).contains(&raw),
                Number::I16 => (-32_768.0..32_767.0).contains(&raw),
                Number::U32 | Number::U64 => raw >= 0.0,
                _ => true,
            };
            if fits {
                let off = f64::abs(said - value);
                prop_assert!(off <= 0.5 * f64::abs(scale) + 1e-3, "{} {}", said, value);
            }
        }
    }

    #[test]
    fn counts_are_whole_and_turn_over() {
        let register = register("energy_import", Number::U32, Order::Big, Decode::Count);
        // One count is 10 Wh, and the counter has six digits.
        for (wh, ahead, expected) in [
            (0.0, 0, 0),
            (9.999, 0, 0),
            (10.0, 0, 1),
            (25.0, 0, 2),
            (10_000_000.0, 0, 0),
            (10.0, 999_999, 0),
            (50.0, -5, 0),
            (50.0, -6, 999_999),
        ] {
            let held = register.hold(Said::Energy(wh), ahead);
            assert_eq!(held, Held::Integer(expected), "{wh} {ahead}");
        }
    }

    #[test]
    fn an_analog_register_stops_at_its_end() {
        let decode = Decode::Analog {
            scale: 0.1,
            offset: 0.0,
        };
        for (number, value, words) in [
            (Number::U16, 9_000.0, 0xFFFF),
            (Number::U16, -1.0, 0),
            (Number::I16, 9_000.0, 0x7FFF),
            (Number::I16, -9_000.0, 0x8000),
            (Number::I16, -0.1, 0xFFFF),
        ] {
            let register = register("power", number, Order::Big, decode);
            assert_eq!(
                register.words(register.hold(Said::Analog(value), 0)),
                [words],
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_not_there_has_words_of_its_own() {
        #[rustfmt::skip]
        let cases: [(Number, &[u16]); 6] = [
            (Number::U16, &[0xFFFF]),
            (Number::I16, &[0x7FFF]),
            (Number::U32, &[0xFFFF, 0xFFFF]),
            (Number::I32, &[0x7FFF, 0xFFFF]),
            (Number::F32, &[0x7FC0, 0]),
            (Number::I64, &[0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF]),
        ];
        let decode = Decode::Analog {
            scale: 1.0,
            offset: 0.0,
        };
        for (number, words) in cases {
            assert_eq!(
                register("power", number, Order::Big, decode).not_available(),
                words
            );
            let little: Vec<u16> = words.iter().rev().copied().collect();
            assert_eq!(
                register("power", number, Order::Little, decode).not_available(),
                little
            );
        }
    }
}
