//! Fluids that carry heat: density and enthalpy between the temperatures at which
//! they are known.
//!
//! ```text
//!   name (+ mass fraction) ──▶ Fluid ──(°C, Pa absolute)──▶ kg/m³ · J/kg · J/(kg·K)
//! ```
//!
//! Every fluid is a row of one table, [`FLUIDS`]. The enthalpy of a fluid is the
//! integral of one heat capacity, over a zero of its own: only differences mean
//! something, and only within one fluid.
//!
//! **Nothing is extrapolated.** Beyond the range of its formulas, frozen or boiling,
//! a fluid has no properties but an error that says where the value lies and what to
//! look at.

mod error;
mod glycol;
mod polynomial;
mod table;

use std::fmt;

use super::water::{self, Liquid, ZERO_CELSIUS};
pub use error::{BeyondData, ChoiceError, FluidError};
pub use table::{FLUIDS, Row};
use table::{Formulas, Vapour};

/// Mass fractions that the mixtures are known at, %.
const MASS_PCT: (f64, f64) = (0.0, 60.0);
/// Pressures that any formula is asked at, Pa absolute.
const PRESSURE_MAX_PA: f64 = 100e6;

/// A fluid of the table, and how much of it is in the water.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fluid {
    row: &'static Row,
    /// Of a mixture, % of mass.
    mass_pct: Option<f64>,
}

/// The name for people: `water`, `propylene glycol 30 %`.
impl fmt::Display for Fluid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row.title)?;
        self.mass_pct.map_or(Ok(()), |pct| write!(f, " {pct} %"))
    }
}

impl Fluid {
    /// Water.
    pub const WATER: Self = Self {
        row: &table::WATER,
        mass_pct: None,
    };

    /// The fluid of this name; a mixture needs its mass fraction in percent.
    ///
    /// # Errors
    ///
    /// [`ChoiceError`] for a name that is not in [`FLUIDS`], and for a fraction that
    /// is missing, unwanted or beyond 60 %.
    pub fn named(name: &str, mass_pct: Option<f64>) -> Result<Self, ChoiceError> {
        let Some(row) = FLUIDS.iter().find(|row| row.name == name) else {
            return Err(ChoiceError::Unknown {
                name: name.to_owned(),
            });
        };
        let title = row.title;
        match (&row.formulas, mass_pct) {
            (Formulas::Glycol(_), None) => Err(ChoiceError::FractionMissing { title }),
            (Formulas::Glycol(_), Some(pct)) if !(MASS_PCT.0..=MASS_PCT.1).contains(&pct) => {
                let mass_pct = pct;
                Err(ChoiceError::Fraction { title, mass_pct })
            }
            (Formulas::Water | Formulas::Liquid { .. }, Some(_)) => {
                Err(ChoiceError::FractionUnwanted { title })
            }
            _ => Ok(Self { row, mass_pct }),
        }
    }

    /// Where it begins to freeze, °C; none where it stays liquid over its range.
    #[must_use]
    pub fn freezing_point(&self) -> Option<f64> {
        match (&self.row.formulas, self.mass_pct) {
            (Formulas::Glycol(glycol), Some(pct)) => Some(glycol.freezing_point(pct)),
            _ => self.row.freezes,
        }
    }

    /// Least and greatest temperature at which its properties are known, °C.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        let (least, most) = self.row.celsius;
        let freezes = self.freezing_point().unwrap_or(least);
        (least.max(freezes), most)
    }

    /// The pressure below which it may boil at a temperature in °C, Pa absolute; none
    /// where it stays below the atmosphere's.
    ///
    /// For a mixture this is the pressure of pure water, which boils before it.
    #[must_use]
    pub fn boils_below(&self, celsius: f64) -> Option<f64> {
        match &self.row.formulas {
            Formulas::Glycol(_) if celsius < 0.0 => None,
            Formulas::Water | Formulas::Glycol(_) => {
                Some(water::saturation_pressure(celsius + ZERO_CELSIUS))
            }
            Formulas::Liquid { vapour, .. } => match vapour {
                Vapour::BelowAtmosphere => None,
                Vapour::Polynomial(pressure) => Some(pressure.at(celsius)),
                Vapour::Points(points) => between(points, celsius),
            },
        }
    }

    /// What to know of a value at this temperature in °C, beside the value.
    #[must_use]
    pub fn caution(&self, celsius: f64) -> Option<BeyondData> {
        let data_end = self.row.data_end?;
        (celsius > data_end).then_some(BeyondData {
            fluid: *self,
            celsius,
            data_end,
        })
    }

    /// Density, kg/m³.
    ///
    /// | argument | unit |
    /// |---|---|
    /// | `celsius` | °C |
    /// | `pressure_pa` | Pa, absolute |
    ///
    /// # Errors
    ///
    /// [`FluidError`] where the fluid is not known as a liquid.
    pub fn density(&self, celsius: f64, pressure_pa: f64) -> Result<f64, FluidError> {
        self.property(
            celsius,
            pressure_pa,
            |water| 1.0 / water.volume,
            |glycol, pct| glycol.density(pct, celsius),
            |density, _| density.at(celsius),
        )
    }

    /// Specific enthalpy over the fluid's own zero, J/kg.
    ///
    /// Arguments and errors are those of [`Self::density`].
    ///
    /// # Errors
    ///
    /// [`FluidError`] where the fluid is not known as a liquid.
    pub fn enthalpy(&self, celsius: f64, pressure_pa: f64) -> Result<f64, FluidError> {
        self.property(
            celsius,
            pressure_pa,
            |water| water.enthalpy,
            |glycol, pct| glycol.enthalpy(pct, celsius),
            |_, heat_capacity| heat_capacity.integral(celsius),
        )
    }

    /// Specific heat capacity, J/(kg·K).
    ///
    /// Arguments and errors are those of [`Self::density`].
    ///
    /// # Errors
    ///
    /// [`FluidError`] where the fluid is not known as a liquid.
    pub fn heat_capacity(&self, celsius: f64, pressure_pa: f64) -> Result<f64, FluidError> {
        self.property(
            celsius,
            pressure_pa,
            |water| water.heat_capacity,
            |glycol, pct| glycol.heat_capacity(pct, celsius),
            |_, heat_capacity| heat_capacity.at(celsius),
        )
    }

    /// Mean specific heat capacity between two temperatures in °C, J/(kg·K): the
    /// difference of enthalpies over that of temperatures, and where there is none the
    /// heat capacity itself.
    ///
    /// # Errors
    ///
    /// [`FluidError`] where the fluid is not known as a liquid.
    pub fn mean_cp(&self, one: f64, other: f64, pressure_pa: f64) -> Result<f64, FluidError> {
        let (a, b) = (
            self.enthalpy(one, pressure_pa)?,
            self.enthalpy(other, pressure_pa)?,
        );
        if one == other {
            return self.heat_capacity(one, pressure_pa);
        }
        Ok((a - b) / (one - other))
    }

    /// Thermal conductivity in W/(m·K) and dynamic viscosity in Pa·s; none for a fluid
    /// whose row does not have them. They say whether a flow is turbulent.
    ///
    /// # Errors
    ///
    /// [`FluidError`] where the fluid is not known as a liquid.
    pub fn transport(
        &self,
        celsius: f64,
        pressure_pa: f64,
    ) -> Result<Option<(f64, f64)>, FluidError> {
        self.check(celsius, pressure_pa)?;
        Ok(match (&self.row.formulas, self.mass_pct) {
            (Formulas::Glycol(glycol), Some(pct)) => Some((
                glycol.conductivity(pct, celsius),
                glycol.viscosity(pct, celsius),
            )),
            (Formulas::Liquid { transport, .. }, _) => transport
                .map(|(conductivity, viscosity)| (conductivity.at(celsius), viscosity.at(celsius))),
            _ => None,
        })
    }

    /// One property, from whichever formulas the fluid has.
    fn property(
        &self,
        celsius: f64,
        pressure_pa: f64,
        of_water: impl Fn(Liquid) -> f64,
        of_glycol: impl Fn(&glycol::Glycol, f64) -> f64,
        of_liquid: impl Fn(&polynomial::Polynomial, &polynomial::Polynomial) -> f64,
    ) -> Result<f64, FluidError> {
        self.check(celsius, pressure_pa)?;
        match &self.row.formulas {
            Formulas::Water => water::liquid(pressure_pa, celsius)
                .map(of_water)
                .map_err(|_| self.no_temperature(celsius)),
            Formulas::Glycol(glycol) => Ok(of_glycol(glycol, self.mass_pct.unwrap_or(MASS_PCT.0))),
            Formulas::Liquid {
                density,
                heat_capacity,
                ..
            } => Ok(of_liquid(density, heat_capacity)),
        }
    }

    fn no_temperature(&self, celsius: f64) -> FluidError {
        let (least, most) = self.range();
        FluidError::Temperature {
            fluid: *self,
            celsius,
            least,
            most,
        }
    }

    /// Whether the fluid is a liquid there whose properties are known.
    fn check(&self, celsius: f64, pressure_pa: f64) -> Result<(), FluidError> {
        let fluid = *self;
        if !(pressure_pa > 0.0 && pressure_pa <= PRESSURE_MAX_PA) {
            return Err(FluidError::Pressure { fluid, pressure_pa });
        }
        if let Some(freezes) = self.freezing_point()
            && celsius < freezes
        {
            return Err(FluidError::Frozen {
                fluid,
                celsius,
                freezes,
            });
        }
        let (least, most) = self.range();
        if !(least..=most).contains(&celsius) {
            return Err(self.no_temperature(celsius));
        }
        match self.boils_below(celsius) {
            Some(boils_pa) if pressure_pa < boils_pa => Err(FluidError::Boils {
                fluid,
                celsius,
                pressure_pa,
                boils_pa,
            }),
            _ => Ok(()),
        }
    }
}

/// The value on the straight line between the two points around `x`; none outside.
pub(super) fn between(points: &[(f64, f64)], x: f64) -> Option<f64> {
    points
        .iter()
        .zip(points.iter().skip(1))
        .find(|((x0, _), (x1, _))| (*x0..=*x1).contains(&x))
        .map(|((x0, y0), (x1, y1))| y0 + (y1 - y0) * (x - x0) / (x1 - x0))
}

#[cfg(test)]
mod tests;
