//! What is in a heat storage: layers of a tank, and two tanks of salt.
//!
//! ```text
//!   H ┌───────────┐                    hot tank            cold tank
//!     │ layer n   │ ● zₙ              ┌────────┐ discharge ┌────────┐
//!     ├───────────┤ ← mid-point       │▓▓▓▓▓▓▓▓│──────────▶│        │
//!     │ layer 1   │ ● z₁              │▓▓▓▓▓▓▓▓│◀──────────│░░░░░░░░│
//!   0 └───────────┘                    └────────┘  charge   └────────┘
//! ```
//!
//! Energy is counted over a reference temperature: the lowest at which the heat is of
//! use. It is negative where the content is colder, and the state of charge may leave
//! 0 to 1: **nothing is clamped**, since a full storage that reads 1.1 has a wrong
//! sensor or a wrong reference.

use super::fluid::{Fluid, FluidError};

/// Hours below which the loss of a storage drowns in the error of its content.
pub const LEAST_LOSS_HOURS: f64 = 24.0;
/// How far the mass of two tanks may move before salt is missing, part of it.
pub const INVENTORY_TOLERANCE: f64 = 0.005;

/// Why the content of a storage is unknown.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum StorageError {
    /// No sensor.
    #[error("a tank without temperature sensors has no known content; at least one")]
    NoSensor,
    /// A sensor that is not in the tank, or out of order.
    #[error("a sensor at {0} m is out of place; heights rise from the bottom, inside of the tank")]
    Place(f64),
    /// A size that is none.
    #[error("{0} is no size of a tank; it is positive")]
    Size(f64),
    /// A level that is none.
    #[error("a level of {0} m is none; is the sensor scaled right?")]
    Level(f64),
    /// Too short a time for a loss.
    #[error(
        "{0} h is too short to tell a storage's loss from the error of its content; at least 24"
    )]
    Short(f64),
    /// The fluid's properties are unknown.
    #[error(transparent)]
    Fluid(#[from] FluidError),
}

/// An upright tank of one width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tank {
    height_m: f64,
    area_m2: f64,
}

impl Tank {
    /// A cylinder.
    ///
    /// # Errors
    ///
    /// [`StorageError::Size`] where a size is not positive.
    pub fn cylinder(height_m: f64, diameter_m: f64) -> Result<Self, StorageError> {
        for size in [height_m, diameter_m] {
            if !(size > 0.0 && size.is_finite()) {
                return Err(StorageError::Size(size));
            }
        }
        Ok(Self {
            height_m,
            area_m2: std::f64::consts::FRAC_PI_4 * diameter_m * diameter_m,
        })
    }

    /// All of it, m³.
    #[must_use]
    pub fn volume_m3(&self) -> f64 {
        self.height_m * self.area_m2
    }

    /// Bottom and top of the layer that each sensor speaks for, m: boundaries are half
    /// way between sensors, at the bottom and at the top of the tank.
    ///
    /// # Errors
    ///
    /// [`StorageError`] where a sensor is outside of the tank or below the one before.
    pub fn layers(&self, heights_m: &[f64]) -> Result<Vec<(f64, f64)>, StorageError> {
        if heights_m.is_empty() {
            return Err(StorageError::NoSensor);
        }
        let mut below = None;
        for height in heights_m {
            let rises = below.is_none_or(|below| *height > below);
            if !(rises && (0.0..=self.height_m).contains(height)) {
                return Err(StorageError::Place(*height));
            }
            below = Some(*height);
        }
        let above = heights_m.iter().skip(1);
        let tops = heights_m
            .iter()
            .zip(above)
            .map(|(one, next)| 0.5 * (one + next))
            .chain([self.height_m]);
        let mut bottom = 0.0;
        Ok(tops
            .map(|top| (std::mem::replace(&mut bottom, top), top))
            .collect())
    }
}

/// What a tank holds, and between which temperatures its heat counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stratified {
    /// The tank.
    pub tank: Tank,
    /// What is in it.
    pub fluid: Fluid,
    /// Pressure, Pa absolute.
    pub pressure_pa: f64,
    /// Lowest temperature of use, where energy is zero, °C.
    pub reference: f64,
    /// Temperature of the whole tank when it is full, °C.
    pub full: f64,
}

/// A layer of a tank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layer {
    /// Volume, m³.
    pub volume_m3: f64,
    /// Temperature, °C.
    pub celsius: f64,
    /// Density, kg/m³.
    pub density: f64,
    /// Energy over the reference, J.
    pub joules: f64,
}

/// What is in a storage.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// From the bottom upwards.
    pub layers: Vec<Layer>,
    /// Energy over the reference, J.
    pub joules: f64,
    /// Energy of a full storage, J.
    pub full_joules: f64,
}

impl Content {
    /// State of charge: 0 at the reference, 1 when full; none where full is the
    /// reference.
    #[must_use]
    pub fn charge(&self) -> Option<f64> {
        (self.full_joules != 0.0).then(|| self.joules / self.full_joules)
    }
}

impl Stratified {
    /// A volume at one temperature.
    fn layer(&self, volume_m3: f64, celsius: f64) -> Result<Layer, FluidError> {
        let enthalpy = |celsius| self.fluid.enthalpy(celsius, self.pressure_pa);
        let density = self.fluid.density(celsius, self.pressure_pa)?;
        let gain = enthalpy(celsius)? - enthalpy(self.reference)?;
        Ok(Layer {
            volume_m3,
            celsius,
            density,
            joules: volume_m3 * density * gain,
        })
    }

    /// The content by its sensors, height in m and temperature in °C from the bottom
    /// upwards.
    ///
    /// # Errors
    ///
    /// [`StorageError`] where sensors are out of place or the fluid is not known.
    pub fn content(&self, sensors: &[(f64, f64)]) -> Result<Content, StorageError> {
        let heights: Vec<f64> = sensors.iter().map(|(height, _)| *height).collect();
        let bounds = self.tank.layers(&heights)?;
        let layers = bounds
            .iter()
            .zip(sensors)
            .map(|((bottom, top), (_, celsius))| {
                self.layer((top - bottom) * self.tank.area_m2, *celsius)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Content {
            joules: layers.iter().map(|layer| layer.joules).sum(),
            full_joules: self.layer(self.tank.volume_m3(), self.full)?.joules,
            layers,
        })
    }
}

/// Two tanks of one width between which a fluid moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoTanks {
    /// Each of the two.
    pub tank: Tank,
    /// What moves between them.
    pub fluid: Fluid,
    /// Pressure, Pa absolute.
    pub pressure_pa: f64,
    /// Temperature at which energy is zero, °C.
    pub reference: f64,
    /// Nominal temperature of the hot tank, °C.
    pub nominal_hot: f64,
}

/// What is in the two tanks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inventory {
    /// Mass in the hot tank, kg.
    pub hot_kg: f64,
    /// Mass in the cold tank, kg.
    pub cold_kg: f64,
    /// Energy of the hot tank over the reference, J.
    pub joules: f64,
    /// Energy with the whole mass hot at its nominal temperature, J.
    pub full_joules: f64,
}

impl TwoTanks {
    /// The content by level in m and temperature in °C of each tank.
    ///
    /// # Errors
    ///
    /// [`StorageError`] where a level is outside of the tank or the fluid is not known.
    pub fn content(
        &self,
        (hot_level, hot): (f64, f64),
        (cold_level, cold): (f64, f64),
    ) -> Result<Inventory, StorageError> {
        let mass = |level: f64, celsius| {
            if !(0.0..=self.tank.height_m).contains(&level) {
                return Err(StorageError::Level(level));
            }
            let density = self.fluid.density(celsius, self.pressure_pa)?;
            Ok(self.tank.area_m2 * level * density)
        };
        let enthalpy = |celsius| self.fluid.enthalpy(celsius, self.pressure_pa);
        let (hot_kg, cold_kg) = (mass(hot_level, hot)?, mass(cold_level, cold)?);
        let zero = enthalpy(self.reference)?;
        Ok(Inventory {
            hot_kg,
            cold_kg,
            joules: hot_kg * (enthalpy(hot)? - zero),
            full_joules: (hot_kg + cold_kg) * (enthalpy(self.nominal_hot)? - zero),
        })
    }
}

impl Inventory {
    /// Mass in both tanks, kg.
    #[must_use]
    pub fn kilograms(&self) -> f64 {
        self.hot_kg + self.cold_kg
    }

    /// State of charge of the energy; none in empty tanks.
    #[must_use]
    pub fn charge(&self) -> Option<f64> {
        (self.full_joules != 0.0).then(|| self.joules / self.full_joules)
    }

    /// The part of a reference mass in kg that has gone, negative where mass has come;
    /// none without a reference.
    #[must_use]
    pub fn missing(&self, reference_kg: f64) -> Option<f64> {
        (reference_kg > 0.0).then(|| 1.0 - self.kilograms() / reference_kg)
    }

    /// Whether more is missing, or more has come, than levels and temperatures are off
    /// by: a leak, or a level sensor.
    #[must_use]
    pub fn leaks(&self, reference_kg: f64) -> Option<bool> {
        Some(self.missing(reference_kg)?.abs() > INVENTORY_TOLERANCE)
    }
}

/// What a storage lost to its surroundings, in the unit of the three: charge minus
/// discharge minus the gain of content.
///
/// # Errors
///
/// [`StorageError::Short`] over less than a day: the content is known to a few percent,
/// which is more than an hour loses.
pub fn loss(charged: f64, discharged: f64, gained: f64, hours: f64) -> Result<f64, StorageError> {
    if hours >= LEAST_LOSS_HOURS {
        Ok(charged - discharged - gained)
    } else {
        Err(StorageError::Short(hours))
    }
}

#[cfg(test)]
#[path = "storage_tests.rs"]
mod tests;
