//! How wrong a correct meter may be: from its class to a standard uncertainty.
//!
//! A maximum permissible error says that the true value lies within it, and nothing of
//! where: a rectangle, whose standard deviation is the error over √3. The difference of
//! two rounded registers is a triangle, whose standard deviation is the step over √6.

/// √3: from a maximum permissible error to a standard uncertainty.
const RECTANGLE: f64 = 1.732_050_807_568_877_2;
/// √6: from the step of a register to that of a difference of two readings.
const TRIANGLE: f64 = 2.449_489_742_783_178;

/// Part of the nameplate that a meter does not see: its start-up current.
pub const UNSEEN_PART: f64 = 0.002;

/// What is known of a measuring point.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Accuracy {
    /// Maximum permissible error of the meter, percent of reading: its class.
    pub class_pct: f64,
    /// Of its current transformers, percent; zero without.
    pub ct_pct: f64,
    /// Of its voltage transformers, percent; zero without.
    pub vt_pct: f64,
    /// Step of its register with its multiplier, in the unit of the value; zero for a
    /// value that is no difference of counts.
    pub quantum: f64,
}

/// How a value moved while meters were read at different moments.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ramp {
    /// Change per second, in the unit of the value.
    pub per_s: f64,
    /// How far apart the moments lie, seconds.
    pub skew_s: f64,
}

/// The standard uncertainty of a value, by cause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uncertainty {
    /// Of the meter.
    pub meter: f64,
    /// Of current transformers.
    pub ct: f64,
    /// Of voltage transformers.
    pub vt: f64,
    /// Of the step of the register.
    pub quantum: f64,
    /// Of the moment of reading.
    pub skew: f64,
}

impl Uncertainty {
    /// The uncertainty of a value: parts in percent are of the value's size.
    #[must_use]
    pub fn of(value: f64, accuracy: &Accuracy, ramp: Ramp) -> Self {
        let percent = |pct: f64| value.abs() * pct / 100.0 / RECTANGLE;
        Self {
            meter: percent(accuracy.class_pct),
            ct: percent(accuracy.ct_pct),
            vt: percent(accuracy.vt_pct),
            quantum: quantum_uncertainty(accuracy.quantum),
            skew: (ramp.per_s * ramp.skew_s).abs(),
        }
    }

    /// All of it, in quadrature.
    #[must_use]
    pub fn combined(&self) -> f64 {
        let parts = [self.meter, self.ct, self.vt, self.quantum, self.skew];
        parts.iter().map(|part| part * part).sum::<f64>().sqrt()
    }
}

/// The standard uncertainty of a difference of two readings of a register.
#[must_use]
pub fn quantum_uncertainty(step: f64) -> f64 {
    step.abs() / TRIANGLE
}
