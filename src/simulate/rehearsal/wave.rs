//! Power as a function of time whose energy is known exactly.
//!
//! ```text
//!   power(t) = mean + swing · sin(2πt/period + phase)
//! ```
//!
//! What flowed forwards and what flowed backwards are the integrals of its two halves
//! in closed form, not sums over steps: **whoever asks, and when, changes no
//! energy**, so that the books of a daemon can be held against it.

use std::f64::consts::{PI, TAU};

/// A power that swings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wave {
    /// W.
    pub mean: f64,
    /// W, not negative.
    pub swing: f64,
    /// Seconds of one swing.
    pub period_s: f64,
    /// Where it begins, radians.
    pub phase: f64,
}

impl Wave {
    /// The power after so many seconds, W.
    #[must_use]
    pub fn power(&self, s: f64) -> f64 {
        self.mean + self.swing * self.angle(s).sin()
    }

    /// What flowed forwards from the beginning up to a moment, Wh.
    #[must_use]
    pub fn forwards(&self, s: f64) -> f64 {
        let per_radian = self.period_s / TAU / 3_600.0;
        (self.area(self.angle(s)) - self.area(self.phase)) * per_radian
    }

    /// What flowed backwards, Wh, not negative.
    #[must_use]
    pub fn backwards(&self, s: f64) -> f64 {
        self.turned().forwards(s)
    }

    /// The same power, seen from the other side.
    #[must_use]
    pub fn turned(&self) -> Self {
        Self {
            mean: -self.mean,
            phase: self.phase + PI,
            ..*self
        }
    }

    fn angle(&self, s: f64) -> f64 {
        TAU * s / self.period_s + self.phase
    }

    /// The area under the positive half from some angle on to this one, W·rad.
    fn area(&self, x: f64) -> f64 {
        let whole = |x: f64| self.mean * x - self.swing * x.cos();
        if self.mean >= self.swing {
            return whole(x);
        }
        if self.mean <= -self.swing {
            return 0.0;
        }
        // It is positive between `rise` and `fall` of every turn.
        let rise = (-self.mean / self.swing).asin();
        let fall = PI - rise;
        let turns = ((x - rise) / TAU).floor();
        let within = x - turns * TAU;
        let lobe = whole(fall) - whole(rise);
        turns * lobe + whole(within.min(fall)) - whole(rise)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a patient observer sums up, Wh.
    fn summed(wave: &Wave, s: f64) -> (f64, f64) {
        let steps = 20_000;
        let step = s / f64::from(steps);
        (0..steps).fold((0.0, 0.0), |(forwards, backwards), n| {
            let power = wave.power((f64::from(n) + 0.5) * step) * step / 3_600.0;
            (forwards + power.max(0.0), backwards - power.min(0.0))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn energy_is_the_integral_of_power(
            mean in -2_000.0..2_000.0, swing in 0.0..2_000.0, period_s in 60.0..900.0,
            phase in -10.0..10.0, s in 0.0..3_000.0,
        ) {
            let wave = Wave { mean, swing, period_s, phase };
            let (forwards, backwards) = summed(&wave, s);
            prop_assert!((wave.forwards(s) - forwards).abs() < 0.01);
            prop_assert!((wave.backwards(s) - backwards).abs() < 0.01);
        }

        #[test]
        fn a_register_never_runs_back(
            mean in -2_000.0..2_000.0, swing in 0.0..2_000.0, s in 0.0..1e7, more in 0.0..100.0,
        ) {
            let wave = Wave { mean, swing, period_s: 600.0, phase: 1.0 };
            prop_assert!(wave.forwards(s + more) >= wave.forwards(s) - 1e-6);
            prop_assert!(wave.backwards(s + more) >= wave.backwards(s) - 1e-6);
        }
    }

    #[test]
    fn a_level_power_is_a_straight_line() {
        let level = Wave {
            mean: 3_600.0,
            swing: 0.0,
            period_s: 600.0,
            phase: 0.3,
        };
        assert!((level.forwards(3_600.0) - 3_600.0).abs() < 1e-9);
        assert_eq!(level.backwards(3_600.0), 0.0);
    }
}
