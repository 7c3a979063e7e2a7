//! Heat between two pipes, from what flows and how much it cools.
//!
//! ```text
//!            supply ──────▶┐
//!   source                 load      heat is positive towards the load
//!            return ◀──────┘         flow sensor in one of the two pipes
//! ```
//!
//! A cubic metre gives off the heat
//!
//! > k · ΔΘ = ρ(pipe of the sensor) · (h(supply) − h(return))
//!
//! since the sensor counts volume as it is in its own pipe, and the mass that it
//! stands for passes both. In a mixture or an oil the same product is density times
//! mean heat capacity. The other pipe is an error of 2.3 % for water at 90/50 °C, the
//! `k` of water on a glycol one of 3 % to 11 %.
//!
//! A hotter return is negative heat, and is told as such.
//!
//! # Source
//!
//! The heat coefficient of EN 1434-1, in the words of heat meters' manuals; the
//! standard itself was not read. Held to `tests/fixtures/en1434_k.csv`, eight lines of
//! which are what a maker of heat meters prints.

use super::fluid::{Fluid, FluidError};

/// Joules of a kilowatt-hour.
pub const J_PER_KWH: f64 = 3.6e6;
/// Joules of a gigacalorie, as heat is billed in: 1.163 MWh.
pub const J_PER_GCAL: f64 = 4.186_8e9;
/// Joules of a tonne of coal equivalent: 29.3076 GJ.
pub const J_PER_TCE: f64 = 29.307_6e9;
/// Pressure that `k` is told at where none is declared, Pa absolute.
pub const REFERENCE_PRESSURE_PA: f64 = 1.6e6;
/// Seconds of an hour.
pub(super) const S_PER_HOUR: f64 = 3_600.0;

/// One of the two pipes of a heat circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipe {
    /// The hot one.
    Supply,
    /// The cold one.
    Return,
}

/// A place where heat is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeatMeter {
    /// What flows.
    pub fluid: Fluid,
    /// The pipe that the flow sensor sits in.
    pub sensor: Pipe,
    /// Pressure in both pipes, Pa absolute.
    pub pressure_pa: f64,
}

impl HeatMeter {
    /// Heat that a kilogram gives off between the pipes, J/kg.
    ///
    /// | argument | unit |
    /// |---|---|
    /// | `supply` | °C, the pipe towards the load |
    /// | `back` | °C, the pipe from the load |
    ///
    /// # Errors
    ///
    /// [`FluidError`] where the fluid is not known as a liquid in either pipe.
    pub fn heat_per_kilogram(&self, supply: f64, back: f64) -> Result<f64, FluidError> {
        let enthalpy = |celsius| self.fluid.enthalpy(celsius, self.pressure_pa);
        Ok(enthalpy(supply)? - enthalpy(back)?)
    }

    /// Mass of a cubic metre as the sensor sees it, kg/m³.
    ///
    /// # Errors
    ///
    /// [`FluidError`] where the fluid is not known as a liquid in the sensor's pipe.
    pub fn density(&self, supply: f64, back: f64) -> Result<f64, FluidError> {
        let celsius = match self.sensor {
            Pipe::Supply => supply,
            Pipe::Return => back,
        };
        self.fluid.density(celsius, self.pressure_pa)
    }

    /// Heat that a cubic metre, as the sensor sees it, gives off between the pipes,
    /// J/m³; negative where the return is the hotter one.
    ///
    /// # Errors
    ///
    /// [`FluidError`] where the fluid is not known as a liquid in either pipe.
    pub fn heat_per_cubic_metre(&self, supply: f64, back: f64) -> Result<f64, FluidError> {
        Ok(self.density(supply, back)? * self.heat_per_kilogram(supply, back)?)
    }

    /// The heat coefficient `k` in kJ/(m³·K).
    ///
    /// Between equal temperatures it is density times heat capacity.
    ///
    /// # Errors
    ///
    /// [`FluidError`] where the fluid is not known as a liquid in either pipe.
    pub fn k_kj(&self, supply: f64, back: f64) -> Result<f64, FluidError> {
        let mean = self.fluid.mean_cp(supply, back, self.pressure_pa)?;
        Ok(self.density(supply, back)? * mean / 1e3)
    }

    /// The heat coefficient `k` in kWh/(m³·K).
    ///
    /// # Errors
    ///
    /// [`FluidError`] where the fluid is not known as a liquid in either pipe.
    pub fn k_kwh(&self, supply: f64, back: f64) -> Result<f64, FluidError> {
        Ok(self.k_kj(supply, back)? * 1e3 / J_PER_KWH)
    }

    /// Heat power of a flow in m³/h, W.
    ///
    /// # Errors
    ///
    /// [`FluidError`] where the fluid is not known as a liquid in either pipe.
    pub fn power_w(&self, flow_m3h: f64, supply: f64, back: f64) -> Result<f64, FluidError> {
        Ok(self.heat_per_cubic_metre(supply, back)? * flow_m3h / S_PER_HOUR)
    }

    /// Heat power of a mass flow in kg/s, W: the sensor's pipe does not matter.
    ///
    /// # Errors
    ///
    /// [`FluidError`] where the fluid is not known as a liquid in either pipe.
    pub fn power_of_mass_w(&self, kg_s: f64, supply: f64, back: f64) -> Result<f64, FluidError> {
        Ok(self.heat_per_kilogram(supply, back)? * kg_s)
    }
}

/// How far a computed heat may be from a certified register, parts of it.
pub const CERTIFIED_TOLERANCE: f64 = 0.03;

/// A certified register beside a computed heat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Computed minus register, in their unit.
    pub difference: f64,
    /// The same as a part of the register; none beside a register that stands still.
    pub relative: Option<f64>,
    /// Whether it is within the tolerance.
    pub agrees: bool,
}

/// Compares the advance of a certified register with a computed heat over the same
/// time, both in the same unit. **The register is the truth**, the computed heat a
/// check of it.
///
/// None where neither says anything: nothing over nothing agrees with everything.
#[must_use]
pub fn agreement(register: f64, computed: f64, tolerance: f64) -> Option<Agreement> {
    if register == 0.0 && computed == 0.0 {
        return None;
    }
    let difference = computed - register;
    Some(Agreement {
        difference,
        relative: (register != 0.0).then(|| difference / register),
        agrees: difference.abs() <= tolerance * register.abs(),
    })
}

/// Mean temperature in °C weighted by flow, from two registers that heat meters have:
/// the advance of volume times temperature, and of volume, in m³·K and m³. None
/// without volume.
#[must_use]
pub fn flow_weighted_mean(volume_temperature: f64, volume: f64) -> Option<f64> {
    (volume != 0.0).then(|| volume_temperature / volume)
}

#[cfg(test)]
#[path = "meter_tests.rs"]
mod tests;
