//! Liquid water by IAPWS-IF97: region 1, and the saturation line that bounds it.
//!
//! Heat from a volume meter and two temperatures is volume times `k`, the heat a
//! cubic metre gives off between the two pipes:
//!
//! > k = (h(supply) − h(return)) / v(pipe of the flow sensor)
//!
//! The wrong pipe is an error of 2.3 % at 90/50 °C, a constant in place of `k`
//! one of 1.2 %. Values outside of the formula's range are refused, never
//! extrapolated.
//!
//! # Source
//!
//! Coefficients of IAPWS R7-97(2012), equations 7 and 30, as tabulated with the
//! vectors in `tests/fixtures/if97_region1.csv` and `if97_region4_psat.csv`,
//! against which they are tested.

/// Specific gas constant of water, J/(kg·K).
const R: f64 = 461.526;
/// 0 °C in kelvin.
pub(super) const ZERO_CELSIUS: f64 = 273.15;
/// Upper end of region 1, K.
const T_MAX: f64 = 623.15;
/// Upper end of region 1, Pa.
const P_MAX: f64 = 100e6;

/// Exponents of pressure and temperature, coefficient.
#[rustfmt::skip]
const REGION_1: [(i32, i32, f64); 34] = [
    (0, -2, 0.14632971213167), (0, -1, -0.84548187169114), (0, 0, -3.756360367204),
    (0, 1, 3.3855169168385), (0, 2, -0.95791963387872), (0, 3, 0.15772038513228),
    (0, 4, -0.016616417199501), (0, 5, 0.00081214629983568), (1, -9, 0.00028319080123804),
    (1, -7, -0.00060706301565874), (1, -1, -0.018990068218419), (1, 0, -0.032529748770505),
    (1, 1, -0.021841717175414), (1, 3, -5.283835796993e-05), (2, -3, -0.00047184321073267),
    (2, 0, -0.00030001780793026), (2, 1, 4.7661393906987e-05), (2, 3, -4.4141845330846e-06),
    (2, 17, -7.2694996297594e-16), (3, -4, -3.1679644845054e-05), (3, 0, -2.8270797985312e-06),
    (3, 6, -8.5205128120103e-10), (4, -5, -2.2425281908e-06), (4, -2, -6.5171222895601e-07),
    (4, 10, -1.4341729937924e-13), (5, -8, -4.0516996860117e-07), (8, -11, -1.2734301741641e-09),
    (8, -6, -1.7424871230634e-10), (21, -29, -6.8762131295531e-19), (23, -31, 1.4478307828521e-20),
    (29, -38, 2.6335781662795e-23), (30, -39, -1.1947622640071e-23), (31, -40, 1.8228094581404e-24),
    (32, -41, -9.3537087292458e-26),
];

/// Why water properties are unknown.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum WaterError {
    /// Temperature outside of region 1.
    #[error("{0} °C is outside of 0 °C to 350 °C, where liquid water is defined here")]
    Temperature(f64),
    /// Pressure outside of region 1.
    #[error("{0} Pa is outside of 0 Pa to 100 MPa absolute; gauge pressure lacks 101325 Pa")]
    Pressure(f64),
    /// The water boils.
    #[error(
        "at {celsius} °C water boils below {saturation_pa} Pa, and {pressure_pa} Pa is declared"
    )]
    Boils {
        /// Temperature, °C.
        celsius: f64,
        /// Declared pressure, Pa.
        pressure_pa: f64,
        /// Saturation pressure, Pa.
        saturation_pa: f64,
    },
}

/// What region 1 says of a state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Liquid {
    /// Specific volume, m³/kg.
    pub volume: f64,
    /// Specific enthalpy, J/kg.
    pub enthalpy: f64,
    /// Specific internal energy, J/kg.
    pub internal_energy: f64,
    /// Specific entropy, J/(kg·K).
    pub entropy: f64,
    /// Specific heat capacity at constant pressure, J/(kg·K).
    pub heat_capacity: f64,
    /// Speed of sound, m/s.
    pub sound_speed: f64,
}

/// Saturation pressure, Pa, at a temperature in kelvin (273.15 to 647.096).
#[must_use]
pub fn saturation_pressure(kelvin: f64) -> f64 {
    let theta = kelvin - 0.238_555_575_678_49 / (kelvin - 650.175_348_447_98);
    let a = theta * theta + 1_167.052_145_276_7 * theta - 724_213.167_032_06;
    let b = -17.073_846_940_092 * theta * theta + 12_020.824_702_470 * theta - 3_232_555.032_233_3;
    let c = 14.915_108_613_530 * theta * theta - 4_823.265_736_159_1 * theta + 405_113.405_420_57;
    (2.0 * c / (-b + (b * b - 4.0 * a * c).sqrt())).powi(4) * 1e6
}

/// Liquid water at an absolute pressure and a temperature.
///
/// | argument | unit |
/// |---|---|
/// | `pressure_pa` | Pa, absolute |
/// | `celsius` | °C |
///
/// # Errors
///
/// [`WaterError`] outside of region 1 of IAPWS-IF97.
pub fn liquid(pressure_pa: f64, celsius: f64) -> Result<Liquid, WaterError> {
    let kelvin = celsius + ZERO_CELSIUS;
    if !(ZERO_CELSIUS..=T_MAX).contains(&kelvin) {
        return Err(WaterError::Temperature(celsius));
    }
    if !(pressure_pa > 0.0 && pressure_pa <= P_MAX) {
        return Err(WaterError::Pressure(pressure_pa));
    }
    let saturation_pa = saturation_pressure(kelvin);
    if pressure_pa < saturation_pa {
        return Err(WaterError::Boils {
            celsius,
            pressure_pa,
            saturation_pa,
        });
    }
    let pi = pressure_pa / 16.53e6;
    let tau = 1_386.0 / kelvin;
    let (p, t) = (7.1 - pi, tau - 1.222);
    let mut gamma = Gibbs::default();
    for (i, j, n) in REGION_1 {
        let (over_p, over_t) = (f64::from(i), f64::from(j));
        gamma.value += n * p.powi(i) * t.powi(j);
        gamma.pi -= n * over_p * p.powi(i - 1) * t.powi(j);
        gamma.tau += n * p.powi(i) * over_t * t.powi(j - 1);
        gamma.pi_pi += n * over_p * (over_p - 1.0) * p.powi(i - 2) * t.powi(j);
        gamma.tau_tau += n * p.powi(i) * over_t * (over_t - 1.0) * t.powi(j - 2);
        gamma.pi_tau -= n * over_p * p.powi(i - 1) * over_t * t.powi(j - 1);
    }
    let rt = R * kelvin;
    let mixed = gamma.pi - tau * gamma.pi_tau;
    let squared = gamma.pi * gamma.pi / (mixed * mixed / (tau * tau * gamma.tau_tau) - gamma.pi_pi);
    Ok(Liquid {
        volume: pi * gamma.pi * rt / pressure_pa,
        enthalpy: tau * gamma.tau * rt,
        internal_energy: (tau * gamma.tau - pi * gamma.pi) * rt,
        entropy: (tau * gamma.tau - gamma.value) * R,
        heat_capacity: -R * tau * tau * gamma.tau_tau,
        sound_speed: (rt * squared).sqrt(),
    })
}

/// The dimensionless Gibbs energy and its derivatives, named after their variables.
#[derive(Default)]
struct Gibbs {
    value: f64,
    pi: f64,
    tau: f64,
    pi_pi: f64,
    tau_tau: f64,
    pi_tau: f64,
}

#[cfg(test)]
mod tests {
    use super::super::vectors::{Table, printed};
    use super::*;

    #[test]
    fn region_1_agrees_with_the_official_and_the_computed_values() {
        let table = Table::read(include_str!("../../../tests/fixtures/if97_region1.csv"));
        for row in table.rows() {
            let celsius = row.number("T_K") - ZERO_CELSIUS;
            let water = liquid(row.number("p_MPa") * 1e6, celsius).unwrap();
            for (column, ours) in [
                ("v", water.volume),
                ("h", water.enthalpy / 1e3),
                ("u", water.internal_energy / 1e3),
                ("s", water.entropy / 1e3),
                ("cp", water.heat_capacity / 1e3),
                ("w", water.sound_speed),
            ] {
                let computed = row.text("kind") == "computed";
                row.printed_or(ours, column, if computed { 1e-9 } else { 0.0 });
            }
        }
        assert_eq!(table.rows().count(), 82);
    }

    #[test]
    fn the_saturation_line_agrees_with_its_table() {
        let table = Table::read(include_str!(
            "../../../tests/fixtures/if97_region4_psat.csv"
        ));
        for row in table.rows() {
            row.printed(saturation_pressure(row.number("T_K")) / 1e6, "psat_MPa");
        }
        assert_eq!(table.rows().count(), 11);
    }

    #[test]
    fn steam_ice_and_nonsense_are_refused() {
        assert!(matches!(liquid(1e5, 120.0), Err(WaterError::Boils { .. })));
        assert!(matches!(liquid(6e5, -5.0), Err(WaterError::Temperature(_))));
        assert!(matches!(liquid(0.0, 50.0), Err(WaterError::Pressure(_))));
        assert!(matches!(
            liquid(6e5, f64::NAN),
            Err(WaterError::Temperature(_))
        ));
    }

    #[test]
    fn water_is_heaviest_near_four_degrees() {
        let volume = |celsius| liquid(101_325.0, celsius).unwrap().volume;
        assert!(volume(4.0) < volume(1.0) && volume(4.0) < volume(8.0));
        printed(volume(20.0), "1.0018e-3", "998.2 kg/m³ at 20 °C");
    }
}
