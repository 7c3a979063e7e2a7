//! Quantiles of the normal and the χ² distribution, and the limits of tests.
//!
//! The distributions are those of `statrs`, which brings one small crate besides; its
//! quantiles are sharpened by a step of Newton's method, since it stops at 1e-9 for a few
//! degrees of freedom.

use statrs::distribution::{ChiSquared, Continuous, ContinuousCDF, Normal};

use crate::domain::units::to_f64;

/// What a χ² variable of so many degrees of freedom stays below with a probability;
/// none without degrees of freedom or for a probability outside of 0 to 1.
#[must_use]
pub fn chi_square_quantile(probability: f64, degrees: usize) -> Option<f64> {
    let distribution = chi_square(degrees)?;
    if !(probability > 0.0 && probability < 1.0) {
        return None;
    }
    let rough = distribution.inverse_cdf(probability);
    let slope = distribution.pdf(rough);
    let step = (distribution.cdf(rough) - probability) / slope;
    Some(if step.is_finite() {
        rough - step
    } else {
        rough
    })
}

/// How probable a χ² variable at least as large is.
pub(super) fn chi_square_exceeds(value: f64, degrees: usize) -> Option<f64> {
    Some(chi_square(degrees)?.sf(value.max(0.0)))
}

fn chi_square(degrees: usize) -> Option<ChiSquared> {
    ChiSquared::new(to_f64(i64::try_from(degrees).ok()?)).ok()
}

/// What a standard normal variable stays below with a probability; none outside of 0
/// to 1.
#[must_use]
pub fn normal_quantile(probability: f64) -> Option<f64> {
    let inside = probability > 0.0 && probability < 1.0;
    inside.then(|| Normal::standard().inverse_cdf(probability))
}

/// The limit that none of `tests` correct meters exceeds, with a probability: of Šidák,
/// Φ⁻¹(1 − (1 − p^(1/n))/2).
#[must_use]
pub fn sidak_limit(probability: f64, tests: usize) -> Option<f64> {
    let tests = to_f64(i64::try_from(tests).ok()?);
    if tests == 0.0 {
        return None;
    }
    normal_quantile(1.0 - (1.0 - probability.powf(1.0 / tests)) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: tables of the χ² and the normal distribution to nine decimals and more
    /// (reconcile.json `chi2_crit95`, `z_crit_single`, `z_crit_sidak`; for two degrees of
    /// freedom the quantile is −2 ln(1 − p)).
    #[test]
    fn quantiles_agree_with_known_values() {
        #[rustfmt::skip]
        let cases = [
            // p      degrees  χ²
            (0.95,    1,   3.841_458_820_694_124),
            (0.95,    2,   5.991_464_547_107_979),
            (0.95,    3,   7.814_727_903_251_179),
            (0.95,    4,   9.487_729_036_781_154),
            (0.95,   10,  18.307_038_053_275_146),
            (0.99,    2,   9.210_340_371_976_18),
            (0.5,     2,   1.386_294_361_119_890_6),
            (0.95,   50,  67.504_806_549_541_2),
        ];
        for (p, degrees, expected) in cases {
            let found = chi_square_quantile(p, degrees).unwrap();
            assert!(
                (found - expected).abs() < 1e-9,
                "{p} {degrees}: {found} {expected}"
            );
        }
        for (p, expected) in [
            (0.975, 1.959_963_984_540_054),
            (0.995, 2.575_829_303_548_901),
            (0.5, 0.0),
            (0.025, -1.959_963_984_540_054),
        ] {
            let found = normal_quantile(p).unwrap();
            assert!((found - expected).abs() < 1e-9, "{p}: {found}");
        }
        for (tests, expected) in [
            (1, 1.959_963_985),
            (2, 2.236_476_645),
            (8, 2.727_007_897),
            (9, 2.765_529_584),
            (10, 2.799_625_219),
        ] {
            let found = sidak_limit(0.95, tests).unwrap();
            assert!((found - expected).abs() < 1e-9, "{tests}: {found}");
        }
    }

    #[test]
    fn there_is_no_quantile_where_there_is_no_distribution() {
        assert_eq!(chi_square_quantile(0.95, 0), None);
        assert_eq!(chi_square_quantile(1.0, 3), None);
        assert_eq!(normal_quantile(0.0), None);
        assert_eq!(sidak_limit(0.95, 0), None);
    }

    #[test]
    fn a_quantile_is_undone_by_its_probability() {
        for degrees in [1, 2, 5, 17, 100, 400] {
            for p in [0.001, 0.05, 0.5, 0.95, 0.999] {
                let x = chi_square_quantile(p, degrees).unwrap();
                let exceeds = chi_square_exceeds(x, degrees).unwrap();
                assert!((1.0 - exceeds - p).abs() < 1e-11, "{degrees} {p}");
            }
        }
    }
}
