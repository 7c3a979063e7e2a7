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
        let (mut a, mut b) = (numerator, denominator);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Some(Self {
            numerator: i64::try_from(numerator / a).ok()?,
            denominator: i64::try_from(denominator / a).ok()?,
        })
    }

    /// A number of counts as energy, rounded once to the nearest milliwatt-hour
    /// (halves away from zero).
    #[must_use]
    pub fn energy(self, counts: i128) -> MilliwattHours {
        let (numerator, denominator) = (i128::from(self.numerator), i128::from(self.denominator));
        let scaled = counts.saturating_mul(numerator);
        let half = if scaled < 0 {
            -denominator / 2
        } else {
            denominator / 2
        };
        let rounded = scaled.saturating_add(half) / denominator;
        MilliwattHours(i64::try_from(rounded).unwrap_or(if rounded < 0 {
            i64::MIN
        } else {
            i64::MAX
        }))
    }

    /// Watt-hours a count, for people and for InfluxDB.
    #[must_use]
    pub fn as_watt_hours(self) -> f64 {
        to_f64(self.numerator) / to_f64(self.denominator) / 1_000.0
    }
}

#[cfg(test)]
mod tests {
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
}
