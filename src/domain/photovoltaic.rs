//! How a photovoltaic plant performs: yields and performance ratios.
//!
//! > Y<sub>r</sub> = Σ G τ / G<sub>ref</sub>, Y<sub>f</sub> = E / P₀, PR = Y<sub>f</sub> / Y<sub>r</sub>
//! >
//! > PR<sub>STC</sub> = Σ E / Σ (C P₀ G τ / G<sub>ref</sub>), C = 1 + γ (T − 25 °C)
//!
//! The reference irradiance is that of the type plate. Both ratios are ratios of sums
//! over the same steps; without light they are unknown.
//!
//! # Source
//!
//! IEC 61724-1, in the words of notes on it; the standard was not read. Held to
//! `tests/fixtures/solar_thermal.json`.

/// Irradiance of the type plate, W/m².
const REFERENCE_W_M2: f64 = 1_000.0;
/// Temperature of the type plate, °C.
pub const STC_CELSIUS: f64 = 25.0;

/// A plant by its type plate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plant {
    /// Rated power, kW.
    pub rated_kw: f64,
    /// Change of power with temperature, 1/K; negative.
    pub gamma_per_k: f64,
    /// The temperature that the second ratio is corrected to, °C: [`STC_CELSIUS`], or
    /// the year's mean of the modules for a ratio without seasons.
    pub corrected_to: f64,
}

/// A time over which everything is a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Its length, h.
    pub hours: f64,
    /// Irradiance in the plane of the modules, W/m².
    pub irradiance: f64,
    /// Modules, °C.
    pub module_celsius: f64,
    /// Energy on the side of alternating current, kWh.
    pub energy_kwh: f64,
}

/// How a plant performed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Performance {
    /// Hours of full sun.
    pub reference_yield_h: f64,
    /// Hours of full power; none for a plant of no power.
    pub final_yield_h: Option<f64>,
    /// Performance ratio.
    pub ratio: Option<f64>,
    /// Performance ratio, corrected for temperature.
    pub corrected_ratio: Option<f64>,
}

impl Plant {
    /// How the plant performed over steps.
    #[must_use]
    pub fn performance(&self, steps: &[Step]) -> Performance {
        let sun = |step: &Step| step.irradiance * step.hours / REFERENCE_W_M2;
        let factor =
            |step: &Step| 1.0 + self.gamma_per_k * (step.module_celsius - self.corrected_to);
        let reference_yield_h: f64 = steps.iter().map(sun).sum();
        let energy: f64 = steps.iter().map(|step| step.energy_kwh).sum();
        let possible: f64 = steps.iter().map(|step| factor(step) * sun(step)).sum();
        let over = |hours: f64| {
            let whole = self.rated_kw * hours;
            (whole > 0.0).then(|| energy / whole)
        };
        Performance {
            reference_yield_h,
            final_yield_h: over(1.0),
            ratio: over(reference_yield_h),
            corrected_ratio: over(possible),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::super::heat::vectors::{close, decimals};
    use super::*;

    fn vectors() -> (Plant, Vec<Step>, Json) {
        let text = include_str!("../../tests/fixtures/solar_thermal.json");
        let json: Json = serde_json::from_str(text).unwrap();
        let case = json["pv_iec61724"].clone();
        let plant = Plant {
            rated_kw: case["P0_kW"].as_f64().unwrap(),
            gamma_per_k: case["gamma_per_K"].as_f64().unwrap(),
            corrected_to: STC_CELSIUS,
        };
        let list = |key: &str| case[key].as_array().unwrap().clone();
        let steps = list("G_POA_W_m2")
            .iter()
            .zip(list("T_mod_C"))
            .zip(list("E_kWh"))
            .map(|((light, celsius), energy)| Step {
                hours: case["tau_h"].as_f64().unwrap(),
                irradiance: light.as_f64().unwrap(),
                module_celsius: celsius.as_f64().unwrap(),
                energy_kwh: energy.as_f64().unwrap(),
            })
            .collect();
        (plant, steps, case)
    }

    #[test]
    fn a_day_agrees_with_the_vector() {
        let (plant, steps, case) = vectors();
        let expect = |key: &str| case["expect"][key].as_f64().unwrap();
        let told = plant.performance(&steps);
        decimals(told.reference_yield_h, expect("Yr_h"), 9, "Yr");
        decimals(told.final_yield_h.unwrap(), expect("Yf_h"), 9, "Yf");
        decimals(told.ratio.unwrap(), expect("PR"), 9, "PR");
        decimals(told.corrected_ratio.unwrap(), expect("PR_STC"), 9, "PR STC");
    }

    #[test]
    fn at_the_temperature_of_the_plate_both_ratios_are_one_number() {
        let (plant, mut steps, _) = vectors();
        for step in &mut steps {
            step.module_celsius = 44.0;
        }
        let corrected_to = 44.0;
        let told = Plant {
            corrected_to,
            ..plant
        }
        .performance(&steps);
        close(
            told.ratio.unwrap(),
            told.corrected_ratio.unwrap(),
            1e-12,
            "PR",
        );
    }

    #[test]
    fn night_has_no_ratio() {
        let (plant, _, _) = vectors();
        let night = Step {
            hours: 1.0,
            irradiance: 0.0,
            module_celsius: 5.0,
            energy_kwh: -0.4,
        };
        let told = plant.performance(&[night]);
        assert_eq!((told.ratio, told.corrected_ratio), (None, None));
        assert_eq!(told.final_yield_h, Some(-0.4e-3));
        let none = Plant {
            rated_kw: 0.0,
            ..plant
        }
        .performance(&[night]);
        assert_eq!(none.final_yield_h, None);
    }
}
