//! Thermal oil and water: as much of their physics as the park needs.
//!
//! The oil's heat capacity is the vendor polynomial of Therminol VP-1, the
//! enthalpy its exact integral. Water is a fit of its own to IAPWS-IF97 at 0.6 MPa,
//! so that the simulated meter and the daemon's formula check each other.

/// Enthalpy of the oil over 0 °C, J/kg.
///
/// Integral of `1.498 + 0.002414 T + 5.9591e-6 T² − 2.9879e-8 T³ + 4.4172e-11 T⁴`
/// kJ/(kg·K), the heat capacity as Eastman's bulletin 7239115 has it.
#[must_use]
pub fn oil_enthalpy(celsius: f64) -> f64 {
    let t = celsius;
    1_000.0
        * t
        * (1.498
            + t * (0.001_207
                + t * (5.959_1e-6 / 3.0 + t * (-2.987_9e-8 / 4.0 + t * (4.417_2e-11 / 5.0)))))
}

/// Density of the oil, kg/m³: the vendor polynomial of Therminol VP-1.
#[must_use]
pub fn oil_density(celsius: f64) -> f64 {
    let t = celsius;
    1_083.25 + t * (-0.907_97 + t * (7.811_6e-4 - t * 2.367e-6))
}

/// Density of water at 0.6 MPa, kg/m³, over `(T − 75 °C) / 55 K`.
const WATER_DENSITY: [f64; 7] = [
    975.077_586,
    -32.856_855_8,
    -7.910_333_59,
    1.000_240_4,
    -0.389_768_449,
    0.140_646_083,
    -0.058_693_699_4,
];
/// Enthalpy of water at 0.6 MPa, J/kg, over `(T − 75 °C) / 55 K`.
const WATER_ENTHALPY: [f64; 7] = [
    314_426.492,
    230_475.972,
    1_121.413_28,
    564.758_445,
    4.638_589_91,
    23.359_204_9,
    -5.838_542_25,
];

fn water(polynomial: &[f64; 7], celsius: f64) -> f64 {
    let x = (celsius - 75.0) / 55.0;
    polynomial.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// Heat that a cubic metre of water, metered in the return pipe at 0.6 MPa, gives
/// off between the two temperatures, J/m³.
///
/// Fitted to IAPWS-IF97 between 20 °C and 130 °C: density to 7e-7, enthalpy to 5e-6.
#[must_use]
pub fn water_heat_per_cubic_metre(supply_degc: f64, return_degc: f64) -> f64 {
    let spread = water(&WATER_ENTHALPY, supply_degc) - water(&WATER_ENTHALPY, return_degc);
    spread * water(&WATER_DENSITY, return_degc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::heat::fluid::Fluid;
    use crate::domain::heat::meter::{HeatMeter, Pipe};

    /// Rows of the vendor's own polynomial: temperature, density, enthalpy over 12 °C.
    #[test]
    fn the_oil_is_therminol_vp_1() {
        for (celsius, density, enthalpy) in [
            (12.0, 1_072.462_8, 0.0),
            (152.0, 954.974_0, 241.134_7),
            (292.0, 825.796_2, 536.080_5),
            (392.0, 704.782_6, 779.578_8),
        ] {
            assert!((oil_density(celsius) - density).abs() < 1e-3, "{celsius}");
            let over_12 = (oil_enthalpy(celsius) - oil_enthalpy(12.0)) / 1_000.0;
            assert!((over_12 - enthalpy).abs() < 1e-3, "{celsius}: {over_12}");
        }
    }

    #[test]
    fn the_fit_of_water_agrees_with_the_standard() {
        let meter = HeatMeter {
            fluid: Fluid::WATER,
            sensor: Pipe::Return,
            pressure_pa: 600_000.0,
        };
        for supply in [60.0, 75.0, 90.0, 110.0, 130.0] {
            for spread in [10.0, 20.0, 35.0] {
                let back = supply - spread;
                let fit = water_heat_per_cubic_metre(supply, back);
                let standard = meter.heat_per_cubic_metre(supply, back).unwrap();
                assert!(
                    (fit / standard - 1.0).abs() < 2e-5,
                    "{supply}/{back}: {fit} {standard}"
                );
            }
        }
    }
}
