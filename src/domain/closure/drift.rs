//! Whether a register counts what its power says: the drift monitor of a day.

use crate::domain::units::{MilliwattHours, to_f64};

/// From which drift on somebody should look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftLimits {
    /// Above this part of the counted energy: a warning.
    pub warn: f64,
    /// Above this: an alarm.
    pub alarm: f64,
    /// What moves without a count is no drift up to this much: a few steps of the
    /// register.
    pub ignored: MilliwattHours,
}

impl Default for DriftLimits {
    /// For a meter of class 1: 1 % and 3 % a day.
    fn default() -> Self {
        Self {
            warn: 0.01,
            alarm: 0.03,
            ignored: MilliwattHours::ZERO,
        }
    }
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriftLevel {
    /// Power and register agree.
    Within,
    /// Worth a look.
    Warn,
    /// One of them is wrong.
    Alarm,
}

impl DriftLevel {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Within => "within",
            Self::Warn => "warn",
            Self::Alarm => "alarm",
        }
    }
}

/// Counter against integrated power.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Integrated minus counted, as a part of counted; none if nothing was counted.
    pub ratio: Option<f64>,
    /// How much it matters.
    pub level: DriftLevel,
}

/// Compares what a register counted in a day with what its power integrates to; unknown
/// if one of them is.
///
/// A register that stands still while power flows has no ratio and is an alarm.
#[must_use]
pub fn drift(
    integrated: Option<MilliwattHours>,
    counted: Option<MilliwattHours>,
    limits: DriftLimits,
) -> Option<Drift> {
    let (integrated, counted) = (integrated?, counted?);
    let apart = integrated - counted;
    let ratio = crate::domain::balance::ratio(Some(to_f64(apart.0)), Some(to_f64(counted.0)));
    let small = apart.0.unsigned_abs() <= limits.ignored.0.unsigned_abs();
    let level = match ratio.map(f64::abs) {
        _ if small => DriftLevel::Within,
        None => DriftLevel::Alarm,
        Some(size) if size > limits.alarm => DriftLevel::Alarm,
        Some(size) if size > limits.warn => DriftLevel::Warn,
        Some(_) => DriftLevel::Within,
    };
    Some(Drift { ratio, level })
}
