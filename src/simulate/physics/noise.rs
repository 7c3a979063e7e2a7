//! Noise that is a function: the same seed, channel and second give the same value.
//!
//! Nothing is drawn from a stream, so a park that skips an hour and one that
//! lives through it meet the same clouds.

use crate::domain::units::to_f64;

/// What a noise is for: two things on different channels have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel(pub u64);

impl Channel {
    /// One of several alike, such as the machines of a tenant.
    #[must_use]
    pub fn number(self, n: u64) -> Self {
        Self(self.0.wrapping_add(n.wrapping_mul(0x1_0000)))
    }
}

/// 2^53, the integers that `f64` holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A uniform number in `[0, 1)` from a seed, a channel and a place.
#[must_use]
pub fn uniform(seed: u64, channel: Channel, place: i64) -> f64 {
    let key = seed
        ^ channel.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ place.cast_unsigned().wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    let bits = mix(mix(key)) >> 11;
    to_f64(bits.cast_signed()) / EXACT
}

/// Spreads every input bit over all output bits (multiply, shift, exclusive or).
fn mix(mut bits: u64) -> u64 {
    bits ^= bits >> 31;
    bits = bits.wrapping_mul(0x7fb5_d329_728e_a185);
    bits ^= bits >> 27;
    bits = bits.wrapping_mul(0x81da_def4_bc2d_d44d);
    bits ^ (bits >> 33)
}

/// A smooth number in `[-1, 1]` that wanders with a period in seconds: random
/// values at multiples of the period, a curve without corners between them.
#[must_use]
pub fn smooth(seed: u64, channel: Channel, second: i64, period_s: i64) -> f64 {
    let place = second.div_euclid(period_s);
    let part = to_f64(second.rem_euclid(period_s)) / to_f64(period_s);
    let from = uniform(seed, channel, place);
    let to = uniform(seed, channel, place + 1);
    2.0 * (from + (to - from) * ease(part)) - 1.0
}

/// 0 up to 0, 1 from 1, a curve with level ends between.
#[must_use]
pub fn ease(x: f64) -> f64 {
    let x = x.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_numbers_fill_the_unit_interval_evenly() {
        let n = 20_000;
        let numbers: Vec<f64> = (0..n).map(|i| uniform(7, Channel(3), i)).collect();
        let mean = numbers.iter().sum::<f64>() / to_f64(n);
        let low = to_f64(i64::try_from(numbers.iter().filter(|x| **x < 0.1).count()).unwrap());
        assert!(numbers.iter().all(|x| (0.0..1.0).contains(x)));
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        assert!((low / to_f64(n) - 0.1).abs() < 0.01, "{low}");
    }

    #[test]
    fn smooth_noise_moves_by_little_in_a_second() {
        for second in -5_000..5_000 {
            let step = smooth(1, Channel(1), second + 1, 300) - smooth(1, Channel(1), second, 300);
            assert!(step.abs() <= 2.0 * 1.5 / 300.0 + 1e-9, "{second}: {step}");
        }
    }

    #[test]
    fn channels_and_seeds_have_nothing_in_common() {
        let series = |seed, channel| -> Vec<f64> {
            (0..2_000)
                .map(|i| uniform(seed, Channel(channel), i) - 0.5)
                .collect()
        };
        let base = series(1, 1);
        for other in [series(2, 1), series(1, 2), series(1, 0x1_0001)] {
            let product: f64 = base.iter().zip(&other).map(|(a, b)| a * b).sum();
            assert!((product / (2_000.0 / 12.0)).abs() < 0.1, "{product}");
        }
    }
}
