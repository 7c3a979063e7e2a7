//! Quantities as types: the type is the quantity, the constructor names the unit.
//!
//! Power and the analog quantities are `f64`; energy of the books is exact:
//! [`MilliwattHours`] is an integer, so that the intervals of a register add up
//! to its last digit. `NaN` and infinities are stopped at the door by
//! [`Power::from_watts`]; a formula behind the door need not ask.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};

use serde::{Deserialize, Serialize};

/// A number that no sensor can report: NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a finite number")]
pub struct NotFinite;

/// Milliseconds of an hour.
const MS_PER_HOUR: f64 = 3_600_000.0;

/// Active or heat power in watt. Its sign is defined by the flow it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Power(f64);

impl Power {
    /// No power: a statement, never a stand-in for a missing one.
    pub const ZERO: Self = Self(0.0);

    /// Power from watt.
    ///
    /// # Errors
    ///
    /// [`NotFinite`] for NaN and infinities.
    pub fn from_watts(watts: f64) -> Result<Self, NotFinite> {
        if watts.is_finite() {
            Ok(Self(watts))
        } else {
            Err(NotFinite)
        }
    }

    /// The power in watt.
    #[must_use]
    pub fn as_watts(self) -> f64 {
        self.0
    }
}

impl Add for Power {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Power {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Power {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

/// Energy of the books: an exact integer of milliwatt-hours.
///
/// `i64` holds 9.2 million gigawatt-hours, more than any park's registers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MilliwattHours(pub i64);

impl MilliwattHours {
    /// No energy.
    pub const ZERO: Self = Self(0);

    /// The nearest integer of milliwatt-hours to an energy in watt-hours.
    #[must_use]
    pub fn from_watt_hours(wh: f64) -> Self {
        Self(to_i64(wh * 1_000.0))
    }

    /// The energy that a constant power carries in a time.
    #[must_use]
    pub fn from_power(power: Power, ms: i64) -> Self {
        Self::from_watt_hours(power.as_watts() * to_f64(ms) / MS_PER_HOUR)
    }

    /// The energy in watt-hours, rounded to what `f64` can hold.
    #[must_use]
    pub fn as_watt_hours(self) -> f64 {
        to_f64(self.0) / 1_000.0
    }

    /// The energy in watt-hours with exactly three decimals, the form of the API.
    #[must_use]
    pub fn to_wh_string(self) -> String {
        fixed(self.0, 3)
    }

    /// The energy in kilowatt-hours with exactly six decimals, the form of reports.
    #[must_use]
    pub fn to_kwh_string(self) -> String {
        fixed(self.0, 6)
    }
}

impl Add for MilliwattHours {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for MilliwattHours {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for MilliwattHours {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for MilliwattHours {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for MilliwattHours {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

/// An integer with its decimal point `digits` from the right: `fixed(-1, 3)` is `-0.001`.
fn fixed(value: i64, digits: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let text = format!("{:0>width$}", value.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = text.split_at(text.len() - digits);
    format!("{sign}{whole}.{fraction}")
}

/// An integer as the nearest `f64`: exact below 2^53, the nearest above.
#[must_use]
#[allow(clippy::as_conversions, clippy::cast_precision_loss)]
pub fn to_f64(value: i64) -> f64 {
    value as f64
}

/// The nearest integer to a float: halves away from zero, saturating, NaN is 0.
///
/// Callers hold only finite numbers; the saturation is for registers whose
/// multiplier in the configuration is absurd.
#[must_use]
#[allow(clippy::as_conversions, clippy::cast_possible_truncation)]
pub fn to_i64(value: f64) -> i64 {
    value.round() as i64
}

/// What one count of an energy register is worth, as an exact ratio of
/// milliwatt-hours: 0.1 kWh is 100000/1, 0.001 GJ is 2500000000/9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountUnit {
    /// Milliwatt-hours, numerator.
    pub numerator: i64,
    /// Milliwatt-hours, denominator; never zero.
    pub denominator: i64,
}

impl CountUnit {
    /// One milliwatt-hour a count: the unit of registers that answer with floats.
    pub const MILLIWATT_HOUR: Self = Self {
        numerator: 1,
        denominator: 1,
    };

    /// A ratio in lowest terms; `None` if it is not positive.
    #[must_use]
    pub fn new(numerator: i128, denominator: i128) -> Option<Self> {
        if numerator <= 0 || denominator <= 0 {
            return None;
        }
        // Long division of 128 bits is slow, and hardly ever needed.
        if let (Ok(numerator), Ok(denominator)) =
            (i64::try_from(numerator), i64::try_from(denominator))
        {
            let (mut a, mut b) = (numerator, denominator);
            while b != 0 {
                (a, b) = (b, a % b);
            }
            return Some(Self {
                numerator: numerator / a,
                denominator: denominator / a,
            });
        }
        let (mut a, mut b) = (numerator, denominator);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Some(Self {
            numerator: i64::try_from(numerator / a).ok()?,
            denominator: i64::try_from(denominator / a).ok()?,
        })
    }

    /// The same ratio times a positive one; none where it leaves what it can hold.
    #[must_use]
    pub fn times(self, ratio: (i128, i128)) -> Option<Self> {
        let numerator = i128::from(self.numerator).checked_mul(ratio.0)?;
        let denominator = i128::from(self.denominator).checked_mul(ratio.1)?;
        Self::new(numerator, denominator)
    }

    /// The ratio of so many watt-hours a count: the simplest one that shows them to
    /// the last digit, which is the one that was written.
    #[must_use]
    pub fn from_watt_hours(wh: f64) -> Option<Self> {
        let (mantissa, power) = binary(wh)?;
        // One and a half steps to both sides: as much as two divisions round.
        let bounds = |sign: i128| {
            let mantissa = mantissa * 2 + sign * 3;
            if power > 0 {
                (mantissa << (power - 1), 1)
            } else {
                (mantissa, 1_i128 << (1 - power))
            }
        };
        let (numerator, denominator) = if wh.fract() == 0.0 && power <= 0 {
            (mantissa >> -power, 1)
        } else {
            simplest(bounds(-1), bounds(1))?
        };
        let unit = Self::new(numerator.checked_mul(1_000)?, denominator)?;
        (unit.as_watt_hours() == wh).then_some(unit)
    }

    /// A number of counts as energy, rounded once to the nearest milliwatt-hour
    /// (halves away from zero).
    #[must_use]
    pub fn energy(self, counts: i128) -> MilliwattHours {
        held(self.rounded(counts))
    }

    /// The energy from one count to another: what both are worth is rounded by itself, so
    /// that parts add up to the whole wherever somebody begins to count.
    #[must_use]
    pub fn between(self, from: i128, to: i128) -> MilliwattHours {
        held(self.rounded(to).saturating_sub(self.rounded(from)))
    }

    fn rounded(self, counts: i128) -> i128 {
        let (numerator, denominator) = (i128::from(self.numerator), i128::from(self.denominator));
        let scaled = counts.saturating_mul(numerator);
        let half = if scaled < 0 {
            -denominator / 2
        } else {
            denominator / 2
        };
        scaled.saturating_add(half) / denominator
    }

    /// Watt-hours a count, for people and for InfluxDB.
    #[must_use]
    pub fn as_watt_hours(self) -> f64 {
        to_f64(self.numerator) / to_f64(self.denominator) / 1_000.0
    }
}

/// As many milliwatt-hours as can be held.
fn held(mwh: i128) -> MilliwattHours {
    MilliwattHours(i64::try_from(mwh).unwrap_or(if mwh < 0 { i64::MIN } else { i64::MAX }))
}

/// Digits after the point up to which a decimal is looked for by multiplication.
const SHORT_DIGITS: u32 = 6;
/// Whole numbers below are exact in a float, and no two have the same fifteen digits.
const EXACT: i64 = 1_000_000_000_000_000;

/// The nearest integer to a positive float, without a call into a library.
#[allow(clippy::as_conversions, clippy::cast_possible_truncation)]
fn nearest(value: f64) -> i64 {
    (value + 0.5) as i64
}

/// A positive decimal as a ratio: 0.1 is 1/10, not the float nearest to it.
#[must_use]
pub fn decimal(value: f64) -> Option<(i128, i128)> {
    if !(value > 0.0 && value.is_finite()) {
        return None;
    }
    // A ratio of a device is a whole number or has a few digits, and is told with each
    // value: writing it out would cost more than all the rest of decoding.
    let mut scale = 1;
    for _ in 0..=SHORT_DIGITS {
        let digits = nearest(value * to_f64(scale));
        if digits >= EXACT {
            break;
        }
        if to_f64(digits) / to_f64(scale) == value {
            return Some((i128::from(digits), i128::from(scale)));
        }
        scale *= 10;
    }
    let text = format!("{value}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    Some((digits, scale))
}

/// A positive float as an integer of 53 bits and a power of two.
fn binary(value: f64) -> Option<(i128, i32)> {
    if !(value.is_normal() && value > 0.0) {
        return None;
    }
    let bits = value.to_bits();
    let mantissa = i128::from(bits & ((1 << 52) - 1) | 1 << 52);
    let power = i32::try_from(bits >> 52).ok()? - 1_075;
    // What a count is worth lies far inside of this, and the rest fits an `i128`.
    (-110..=60).contains(&power).then_some((mantissa, power))
}

/// The ratio of the least denominator between two positive ratios.
fn simplest(least: (i128, i128), most: (i128, i128)) -> Option<(i128, i128)> {
    let whole = least.0.checked_div(least.1)?;
    let rest = least.0 - whole * least.1;
    if rest == 0 {
        return Some((whole, 1));
    }
    if most.0.checked_div(most.1)? > whole {
        return Some((whole + 1, 1));
    }
    let (numerator, denominator) = simplest((most.1, most.0 - whole * most.1), (least.1, rest))?;
    let sum = whole.checked_mul(numerator)?.checked_add(denominator)?;
    Some((sum, numerator))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn energies_print_every_digit() {
        for (mwh, wh, kwh) in [
            (0, "0.000", "0.000000"),
            (1, "0.001", "0.000001"),
            (-1, "-0.001", "-0.000001"),
            (12_345_678, "12345.678", "12.345678"),
            (-1_000_000, "-1000.000", "-1.000000"),
        ] {
            assert_eq!(MilliwattHours(mwh).to_wh_string(), wh);
            assert_eq!(MilliwattHours(mwh).to_kwh_string(), kwh);
        }
    }

    #[test]
    fn a_kilowatt_for_a_quarter_hour_is_250_watt_hours() {
        let power = Power::from_watts(1_000.0).unwrap();
        assert_eq!(
            MilliwattHours::from_power(power, 900_000),
            MilliwattHours(250_000)
        );
    }

    proptest! {
        /// Found by multiplication or by writing it out, a decimal is what was written.
        #[test]
        fn a_decimal_is_the_ratio_that_was_written(
            digits in 1_i64..2_000_000_000_000_000,
            places in 0_u32..20,
        ) {
            let text = format!("{digits}e-{places}");
            let value: f64 = text.parse().unwrap();
            let written = format!("{value}");
            let (whole, fraction) = written.split_once('.').unwrap_or((&written, ""));
            let expected: i128 = format!("{whole}{fraction}").parse().unwrap();
            let scale = 10_i128.pow(u32::try_from(fraction.len()).unwrap());
            prop_assert_eq!(decimal(value), Some((expected, scale)), "{}", text);
        }

        /// The divisor of numbers that fit 64 bits is that of those that do not.
        #[test]
        fn a_ratio_is_in_lowest_terms(a in 1_i64.., b in 1_i64.., by in 1_i128..1 << 60) {
            let plain = CountUnit::new(a.into(), b.into());
            prop_assert_eq!(CountUnit::new(i128::from(a) * by, i128::from(b) * by), plain);
        }
    }

    #[test]
    fn a_count_of_a_thousandth_gigajoule_is_277_and_seven_ninths_watt_hours() {
        let unit = CountUnit::new(1_000_000 * 1_000, 3_600).unwrap();
        assert_eq!(
            unit,
            CountUnit {
                numerator: 2_500_000,
                denominator: 9
            }
        );
        assert_eq!(unit.energy(1), MilliwattHours(277_778));
        assert_eq!(unit.energy(9), MilliwattHours(2_500_000));
        assert_eq!(unit.energy(-1), MilliwattHours(-277_778));
    }

    proptest! {
        /// What a row says of a count is enough to have its worth back, exactly.
        #[test]
        fn a_worth_comes_back_from_its_watt_hours(
            energy in prop::sample::select(vec![(1_000, 1), (1_000_000, 1), (1_000_000_000, 1), (2_500_000, 9), (5_000, 18)]),
            shift in -6_i32..=3,
            current in 1_i128..=4_000,
            voltage in 1_i128..=4_000,
        ) {
            let ten = 10_i128.pow(shift.unsigned_abs());
            let shift = if shift < 0 { (1, ten) } else { (ten, 1) };
            let unit = CountUnit::new(energy.0, energy.1).unwrap();
            let unit = unit.times(shift).unwrap().times((current, 5)).unwrap().times((voltage, 10)).unwrap();
            prop_assert_eq!(CountUnit::from_watt_hours(unit.as_watt_hours()), Some(unit));
        }

        /// Whatever stands in a row, there is no panic and no other worth.
        #[test]
        fn a_worth_from_a_row_shows_what_the_row_says(wh in any::<f64>()) {
            if let Some(unit) = CountUnit::from_watt_hours(wh) {
                prop_assert_eq!(unit.as_watt_hours(), wh);
            }
        }
    }
}
