//! Registers into numbers: which words a value takes, and what they mean.
//!
//! ```text
//!   answer ──Field──▶ raw ─┐
//!          ──also───▶ raw ─┼─ sum × 10^exponent × factors ──Decode──▶ Value
//!          ──exponent─────┘
//! ```
//!
//! A [`Layout`] is one value: a [`Field`], how its number is meant, and where the
//! device needs it, further fields ([`Extra`]). **All of a value comes from one
//! answer**: [`Layout::span`] is what a request must hold whole.
//!
//! **A number that is not there is a reason, never a zero**: NaN, infinity and what
//! the device writes for them are [`Reason::NotAvailable`], words that did not come
//! [`Reason::ShortAnswer`]. A sentinel counts in its own width alone: 65535 is a
//! number in two registers.

mod decode;
mod number;

use std::sync::Arc;

use super::plan::Span;
use crate::domain::quality::Reason;
use crate::domain::snapshot::Value;

pub use decode::Decode;
use decode::{Factors, Told};
use number::join;
pub use number::{Number, Order, Raw};

/// Exponents of ten beyond which a register does not hold one: those that `SunSpec`
/// allows.
const MOST_EXPONENT: i64 = 10;

/// Bit patterns of a number that say that there is none, as unsigned integers.
pub type Absent = Option<Arc<[u64]>>;

/// One number in a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field {
    /// First register or bit, zero-based.
    pub address: u16,
    /// How the number is written; a bit of function codes 1 and 2 is one word of 0 or 1.
    pub number: Number,
    /// Which word comes first.
    pub order: Order,
    /// Which byte of a word comes first; Modbus says the high one.
    pub bytes: Order,
}

impl Field {
    /// A number whose bytes are in the order of Modbus.
    #[must_use]
    pub fn new(address: u16, number: Number, order: Order) -> Self {
        Self {
            address,
            number,
            order,
            bytes: Order::Big,
        }
    }

    /// The same for a number of single bits, whatever it says of itself.
    fn of_code(self, fc: u8) -> Self {
        if fc <= 2 {
            Self::new(self.address, Number::U16, Order::Big)
        } else {
            self
        }
    }

    /// Its words in an answer that begins at `base`.
    #[inline]
    fn words(self, base: u16, answer: &[u16]) -> Result<&[u16], Reason> {
        let from = self.address.checked_sub(base).ok_or(Reason::ShortAnswer)?;
        let from = usize::from(from);
        let to = from + usize::from(self.number.words());
        answer.get(from..to).ok_or(Reason::ShortAnswer)
    }

    /// The raw number in an answer that begins at register `base`.
    ///
    /// # Errors
    ///
    /// [`Reason::ShortAnswer`] where words are missing, [`Reason::NotAvailable`] for
    /// one of the patterns in `absent` and for packed decimals that are none.
    #[inline]
    pub fn raw(self, base: u16, answer: &[u16], absent: Option<&[u64]>) -> Result<Raw, Reason> {
        let joined = join(self.words(base, answer)?, self.order, self.bytes);
        if let Some(absent) = absent
            && absent.contains(&self.number.part(joined).unwrap_or(joined))
        {
            return Err(Reason::NotAvailable);
        }
        self.number.raw(joined)
    }

    /// The text in an answer that begins at register `base`, up to its end or padding.
    ///
    /// # Errors
    ///
    /// [`Reason::ShortAnswer`] where words are missing, [`Reason::NotAvailable`] where
    /// they are no text.
    pub fn text(self, base: u16, answer: &[u16]) -> Result<String, Reason> {
        let words = self.words(base, answer)?;
        let bytes = words.iter().flat_map(|word| match self.bytes {
            Order::Big => word.to_be_bytes(),
            Order::Little => word.to_le_bytes(),
        });
        let bytes: Vec<u8> = bytes.take_while(|byte| !matches!(byte, 0 | 0xFF)).collect();
        let text = String::from_utf8(bytes).map_err(|_| Reason::NotAvailable)?;
        let text = text.trim();
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(Reason::NotAvailable);
        }
        Ok(text.to_owned())
    }
}

/// A further number that is added to a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// Where it is.
    pub field: Field,
    /// How many counts of the value's own field one of its counts is.
    pub weight: f64,
    /// Patterns that say that it has none; the value has none then.
    pub absent: Absent,
}

/// A register that holds a power of ten for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exponent {
    /// Where it is, a whole number with a sign.
    pub field: Field,
    /// Whether the value is divided by it.
    pub negate: bool,
}

/// What some values need beside their own field.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extra {
    /// Numbers that are added: a fraction, a second tariff.
    pub also: Vec<Term>,
    /// A power of ten in the same answer.
    pub exponent: Option<Exponent>,
    /// Places in the factors of the device that multiply the value.
    pub factors: Vec<usize>,
    /// What is plausible, in the canonical unit; of an analog value.
    pub within: Option<(f64, f64)>,
    /// The fastest plausible change, canonical units a second; of an analog value. What
    /// changes within less than a second may change as much as within one.
    /// Whoever knows the value before tells, by [`Layout::is_leap`].
    pub rate: Option<f64>,
}

/// Where a point is in a device, and how its number is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Function code: 1 coils, 2 discrete inputs, 3 holding and 4 input registers.
    pub fc: u8,
    /// Its number.
    pub field: Field,
    /// What the number means.
    pub decode: Decode,
    /// Patterns that say that there is no number.
    pub absent: Absent,
    /// What else it needs; most values need nothing.
    pub extra: Option<Arc<Extra>>,
}

impl Layout {
    /// A value that is one field and nothing else.
    #[must_use]
    pub fn simple(fc: u8, field: Field, decode: Decode) -> Self {
        Self {
            fc,
            field,
            decode,
            absent: None,
            extra: None,
        }
    }

    /// Whether it is a single bit.
    #[must_use]
    pub fn is_bit(&self) -> bool {
        self.fc <= 2
    }

    /// How many registers, or bits, its own field takes.
    #[must_use]
    pub fn words(&self) -> u16 {
        self.field.of_code(self.fc).number.words()
    }

    /// Every field that it is made of.
    pub fn fields(&self) -> impl Iterator<Item = Field> + '_ {
        let extra = self.extra.as_deref();
        let also = extra.into_iter().flat_map(|extra| &extra.also);
        let exponent = extra.and_then(|extra| extra.exponent);
        std::iter::once(self.field)
            .chain(also.map(|term| term.field))
            .chain(exponent.map(|exponent| exponent.field))
            .map(|field| field.of_code(self.fc))
    }

    /// The registers that one answer must hold for it.
    #[must_use]
    pub fn span(&self) -> Span {
        let first = self.fields().map(|field| field.address).min();
        let address = first.unwrap_or(self.field.address);
        let ends = self
            .fields()
            .map(|field| u32::from(field.address) + u32::from(field.number.words()));
        let count = ends.max().unwrap_or(0).saturating_sub(address.into());
        Span {
            fc: self.fc,
            address,
            count: u16::try_from(count).unwrap_or(u16::MAX),
        }
    }

    /// The value in an answer that begins at register `base`. `factors` are those of
    /// the device, in the order of its template; NaN stands for one that is not known.
    ///
    /// # Errors
    ///
    /// [`Reason::ShortAnswer`] where words are missing, [`Reason::NotAvailable`] for
    /// NaN, infinities and the patterns that the device writes for them,
    /// [`Reason::OutOfRange`] for a count that no ledger holds and for what is not
    /// plausible, [`Reason::NeverSeen`] where a factor is not known.
    #[inline]
    pub fn value(&self, base: u16, answer: &[u16], factors: &[f64]) -> Result<Value, Reason> {
        let field = self.field.of_code(self.fc);
        let raw = field.raw(base, answer, self.absent.as_deref())?;
        match &self.extra {
            None => self.decode.plain(raw),
            Some(extra) => extra.value(self, raw, base, answer, factors),
        }
    }

    /// Whether a value moved further than it plausibly can in a time.
    #[must_use]
    pub fn is_leap(&self, before: Value, after: Value, seconds: f64) -> bool {
        let rate = self.extra.as_ref().and_then(|extra| extra.rate);
        match (rate, before, after) {
            (Some(rate), Value::Analog(before), Value::Analog(after)) => {
                (after - before).abs() > rate * seconds.max(1.0)
            }
            _ => false,
        }
    }
}

impl Extra {
    fn value(
        &self,
        layout: &Layout,
        raw: Raw,
        base: u16,
        answer: &[u16],
        factors: &[f64],
    ) -> Result<Value, Reason> {
        let (mut sum, mut count) = (raw.to_f64(), raw.counted().map(i128::from));
        for term in &self.also {
            let field = term.field.of_code(layout.fc);
            let raw = field.raw(base, answer, term.absent.as_deref())?;
            sum += decode::scaled(raw.to_f64(), term.weight);
            count = added(count, raw, term.weight);
        }
        let told = Told {
            exponent: self.exponent_in(layout.fc, base, answer)?,
            factors: Factors {
                places: &self.factors,
                of_device: factors,
            },
        };
        let value = layout.decode.told(sum, count, &told)?;
        match (value, self.within) {
            (Value::Analog(value), Some((least, most))) if !(least..=most).contains(&value) => {
                Err(Reason::OutOfRange)
            }
            _ => Ok(value),
        }
    }

    /// The power of ten that the answer tells.
    fn exponent_in(&self, fc: u8, base: u16, answer: &[u16]) -> Result<i32, Reason> {
        let Some(Exponent { field, negate }) = self.exponent else {
            return Ok(0);
        };
        let exponent = match field.of_code(fc).raw(base, answer, None)? {
            // What SunSpec writes where there is none.
            Raw::Signed {
                number: -32_768, ..
            } => return Err(Reason::NotAvailable),
            Raw::Signed { number, .. } => number,
            Raw::Unsigned(number) => i64::try_from(number).map_err(|_| Reason::OutOfRange)?,
            Raw::Float(_) => return Err(Reason::Config),
        };
        if exponent.abs() > MOST_EXPONENT {
            return Err(Reason::OutOfRange);
        }
        let exponent = i32::try_from(exponent).map_err(|_| Reason::OutOfRange)?;
        Ok(if negate { -exponent } else { exponent })
    }
}

/// A whole sum with one more term; none where a part of it is none.
fn added(count: Option<i128>, raw: Raw, weight: f64) -> Option<i128> {
    if weight.fract() != 0.0 {
        return None;
    }
    let term = i128::from(raw.counted()?) * i128::from(crate::domain::units::to_i64(weight));
    count?.checked_add(term)
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests;
