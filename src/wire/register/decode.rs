//! What a raw number means: scaled into the canonical unit, or counted.
//!
//! Scale, unit, multiplier and sign are folded into a [`Decode`] when the
//! configuration is read. What a device itself tells, exponents and ratios, comes as
//! a [`Told`] beside it. **A register keeps its raw count**; what one count is worth
//! stands beside it and is exact.

use crate::domain::quality::Reason;
use crate::domain::snapshot::Value;
use crate::domain::units::{CountUnit, decimal};

use super::number::Raw;

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
    /// A share of one, such as a power factor, that some devices tell in percent and
    /// others as it is: above one it is percent.
    Share,
    /// A register that counts: the raw count as it is. A device that declares its
    /// counter signed runs into negative numbers half way up; its bits are read as
    /// unsigned.
    Count,
    /// An energy told as a float: the count is in milliwatt-hours, rounded.
    CountFloat {
        /// Milliwatt-hours in one unit of the float.
        mwh_per_unit: f64,
    },
    /// A register whose worth the device tells: the raw count, with that worth.
    ToldCount {
        /// What a count is worth where the device tells a factor of one.
        unit: CountUnit,
        /// Bits after which the register starts again at zero; 0 where it does not.
        bits: u8,
    },
    /// The same for an energy told as a float: the count is in milliwatt-hours at a
    /// factor of one.
    ToldFloat {
        /// Milliwatt-hours in one unit of the float, at a factor of one.
        mwh_per_unit: f64,
    },
}

/// What a device tells of the worth of its numbers, beside them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Told<'a> {
    /// The power of ten on a raw number.
    pub exponent: i32,
    /// Factors that the device keeps in registers: ratios of transformers.
    pub factors: Factors<'a>,
}

/// The factors of one point: places in the factors of the device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Factors<'a> {
    pub places: &'a [usize],
    pub of_device: &'a [f64],
}

impl Factors<'_> {
    /// Each factor; NaN stands for one that was not read.
    fn each(&self) -> impl Iterator<Item = Result<f64, Reason>> + '_ {
        self.places.iter().map(|place| {
            let factor = self.of_device.get(*place).copied().unwrap_or(f64::NAN);
            if factor.is_nan() {
                Err(Reason::NeverSeen)
            } else if factor > 0.0 && factor.is_finite() {
                Ok(factor)
            } else {
                Err(Reason::OutOfRange)
            }
        })
    }
}

impl Told<'_> {
    pub(super) const NOTHING: Told<'static> = Told {
        exponent: 0,
        factors: Factors {
            places: &[],
            of_device: &[],
        },
    };

    /// A raw number with everything that is told of it. What divides comes last: a
    /// whole number times a whole number is exact, a tenth of one is not.
    fn apply(&self, raw: f64) -> Result<f64, Reason> {
        let mut number = shifted(raw, self.exponent.max(0));
        for factor in self.factors.each() {
            number = scaled(number, factor?);
        }
        Ok(shifted(number, self.exponent.min(0)))
    }

    /// The worth of a count with everything that is told of it.
    fn worth(&self, unit: CountUnit) -> Result<CountUnit, Reason> {
        let mut unit = unit;
        if self.exponent != 0 {
            let ten = 10_i128
                .checked_pow(self.exponent.unsigned_abs())
                .ok_or(Reason::OutOfRange)?;
            let shift = if self.exponent < 0 {
                (1, ten)
            } else {
                (ten, 1)
            };
            unit = unit.times(shift).ok_or(Reason::OutOfRange)?;
        }
        for factor in self.factors.each() {
            let ratio = decimal(factor?).ok_or(Reason::OutOfRange)?;
            unit = unit.times(ratio).ok_or(Reason::OutOfRange)?;
        }
        Ok(unit)
    }
}

impl Decode {
    /// The value of a number that came as a float, or as text.
    ///
    /// # Errors
    ///
    /// [`Reason::NotAvailable`] for NaN and infinities, [`Reason::OutOfRange`] where
    /// the result leaves what a value can hold.
    pub fn float(self, raw: f64) -> Result<Value, Reason> {
        self.told(raw, None, &Told::NOTHING)
    }

    /// The value of a raw number.
    #[inline]
    pub(super) fn plain(self, raw: Raw) -> Result<Value, Reason> {
        match (self, raw) {
            (Self::Analog { scale, offset }, raw) => analog(raw.to_f64(), scale, offset),
            (Self::Count, raw) => match raw.counted() {
                Some(count) => counted(count.into()).map(Value::Count),
                None => self.float(raw.to_f64()),
            },
            _ => self.told(raw.to_f64(), raw.counted().map(i128::from), &Told::NOTHING),
        }
    }

    /// The value of a raw number with what the device tells of it; `count` is the
    /// exact whole number, where it is one.
    pub(super) fn told(
        self,
        raw: f64,
        count: Option<i128>,
        told: &Told<'_>,
    ) -> Result<Value, Reason> {
        if !raw.is_finite() {
            return Err(Reason::NotAvailable);
        }
        let exact = || count.map_or_else(|| whole(raw), counted);
        match self {
            Self::Analog { scale, offset } if scale.abs() >= 1.0 => {
                analog(told.apply(scaled(raw, scale))?, 1.0, offset)
            }
            Self::Analog { scale, offset } => analog(told.apply(raw)?, scale, offset),
            Self::Share => share(raw, told).map(Value::Analog),
            Self::Count => Ok(Value::Count(exact()?)),
            Self::CountFloat { mwh_per_unit } => whole(scaled(raw, mwh_per_unit)).map(Value::Count),
            Self::ToldCount { unit, bits } => Ok(Value::Scaled {
                count: exact()?,
                unit: told.worth(unit)?,
                bits,
            }),
            Self::ToldFloat { mwh_per_unit } => Ok(Value::Scaled {
                count: whole(scaled(raw, mwh_per_unit))?,
                unit: told.worth(CountUnit::MILLIWATT_HOUR)?,
                bits: 0,
            }),
        }
    }
}

#[inline]
fn analog(raw: f64, scale: f64, offset: f64) -> Result<Value, Reason> {
    if !raw.is_finite() {
        return Err(Reason::NotAvailable);
    }
    let value = scaled(raw, scale) + offset;
    if value.is_finite() {
        Ok(Value::Analog(value))
    } else {
        Err(Reason::OutOfRange)
    }
}

/// A share of one, told as it is or in percent.
fn share(raw: f64, told: &Told<'_>) -> Result<f64, Reason> {
    // Up to here it is one with a rounding error, or a hundredth: nobody can tell.
    const NEITHER: f64 = 1.1;
    let as_it_is = told.apply(raw)?;
    if as_it_is.abs() <= 1.0 {
        return Ok(as_it_is);
    }
    let exponent = told.exponent - 2;
    let of_percent = Told { exponent, ..*told }.apply(raw)?;
    if as_it_is.abs() < NEITHER || of_percent.abs() > 1.0 {
        return Err(Reason::OutOfRange);
    }
    Ok(of_percent)
}

/// Powers of ten that a float holds exactly.
#[rustfmt::skip]
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

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
#[inline]
pub(super) fn scaled(raw: f64, scale: f64) -> f64 {
    let size = scale.abs();
    if size < 1.0
        && let Some((_, tens)) = TENTHS.iter().find(|(tenth, _)| *tenth == size)
    {
        return raw / tens.copysign(scale);
    }
    raw * scale
}

/// `raw × 10^exponent` as decimal arithmetic has it.
pub(super) fn shifted(raw: f64, exponent: i32) -> f64 {
    let place = usize::try_from(exponent.unsigned_abs()).unwrap_or(usize::MAX);
    match TENS.get(place) {
        Some(ten) if exponent < 0 => raw / ten,
        Some(ten) => raw * ten,
        None => f64::NAN,
    }
}

/// A count that a ledger holds.
#[inline]
fn counted(count: i128) -> Result<i64, Reason> {
    i64::try_from(count).map_err(|_| Reason::OutOfRange)
}

/// The nearest whole count.
fn whole(value: f64) -> Result<i64, Reason> {
    // From here on up an `f64` no longer fits into an `i64`.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if value.abs() < LIMIT {
        Ok(crate::domain::units::to_i64(value))
    } else {
        Err(Reason::OutOfRange)
    }
}
