//! What the energy of a park means in carbon dioxide.
//!
//! ```text
//!   energy × factor (geography, year, kind, source) ──▶ emission, with its factor
//!   purchased  ──▶ scope 2, by location or by contract
//!   self-used and exported generation ──▶ avoided: a memo, in no scope
//! ```
//!
//! **Export is never netted.** The functions of scope 2 do not take an export at all;
//! what exported energy avoids elsewhere is a memo item.
//!
//! **A result carries its factor.** A mass without geography, year and source cannot be
//! compared with another one, so there is none.

pub mod account;
mod factor;
mod matching;
mod park;

use super::units::{MilliwattHours, to_f64};

pub use factor::{Factor, FactorError, Factors, Kind, NoFactor};
pub use matching::{Hour, HourGap, Matched, match_hours};
pub use park::{
    Boundary, Fuel, KGCE_PER_GJ, LIMITS, Netting, ParkCarbon, ParkEnergy, limit_for, park_carbon,
};

/// Milliwatt-hours of a kilowatt-hour.
const MWH_PER_KWH: f64 = 1e6;

/// A mass of carbon dioxide.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Co2(f64);

impl Co2 {
    /// A mass from kilograms.
    #[must_use]
    pub fn from_kilograms(kg: f64) -> Self {
        Self(kg)
    }

    /// The mass in kilograms.
    #[must_use]
    pub fn as_kilograms(self) -> f64 {
        self.0
    }

    /// The mass in tonnes.
    #[must_use]
    pub fn as_tonnes(self) -> f64 {
        self.0 / 1_000.0
    }
}

/// An energy that emits, with the factor that says how much.
#[derive(Debug, Clone, PartialEq)]
pub struct Emission {
    /// How much energy.
    pub energy: MilliwattHours,
    /// The factor, with its origin.
    pub factor: Factor,
    /// The product.
    pub mass: Co2,
}

impl Emission {
    /// What an energy emits by a factor.
    #[must_use]
    pub fn of(energy: MilliwattHours, factor: &Factor) -> Self {
        Self {
            energy,
            factor: factor.clone(),
            mass: Co2(to_f64(energy.0) / MWH_PER_KWH * factor.kg_per_kwh),
        }
    }
}

/// Emissions of purchased energy.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope2 {
    /// Of purchased electricity.
    pub electricity: Emission,
    /// Of purchased heat, where there is any.
    pub heat: Option<Emission>,
}

impl Scope2 {
    /// All of it.
    #[must_use]
    pub fn mass(&self) -> Co2 {
        let heat = self.heat.as_ref().map_or(0.0, |heat| heat.mass.0);
        Co2(self.electricity.mass.0 + heat)
    }
}

/// Why there is no scope 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Scope2Error {
    /// A purchase is below zero.
    #[error("purchased energy is {0} Wh; export is not netted against import, give both registers")]
    Negative(String),
    /// More certificates are retired than energy was purchased.
    #[error(
        "certificates of {retired} Wh are retired for an import of {import} Wh; keep the rest for later"
    )]
    TooManyCertificates {
        /// Certificates retired.
        retired: String,
        /// Import.
        import: String,
    },
}

/// Scope 2 by location: import times the average of the grid, and purchased heat.
///
/// # Errors
///
/// [`Scope2Error::Negative`] for an import below zero, which is a netted register.
pub fn scope2_location(
    import: MilliwattHours,
    grid: &Factor,
    heat: Option<(MilliwattHours, &Factor)>,
) -> Result<Scope2, Scope2Error> {
    purchased(import)?;
    if let Some((heat, _)) = heat {
        purchased(heat)?;
    }
    Ok(Scope2 {
        electricity: Emission::of(import, grid),
        heat: heat.map(|(heat, factor)| Emission::of(heat, factor)),
    })
}

/// Scope 2 by contract: import without what retired certificates cover, times the
/// factor of the supplier or of the residual mix.
///
/// # Errors
///
/// [`Scope2Error`] for energies below zero and for more certificates than import.
pub fn scope2_market(
    import: MilliwattHours,
    retired: MilliwattHours,
    residual: &Factor,
    heat: Option<(MilliwattHours, &Factor)>,
) -> Result<Scope2, Scope2Error> {
    purchased(retired)?;
    if retired > import {
        return Err(Scope2Error::TooManyCertificates {
            retired: retired.to_wh_string(),
            import: import.to_wh_string(),
        });
    }
    scope2_location(import - retired, residual, heat)
}

fn purchased(energy: MilliwattHours) -> Result<(), Scope2Error> {
    if energy < MilliwattHours::ZERO {
        return Err(Scope2Error::Negative(energy.to_wh_string()));
    }
    Ok(())
}

/// What generation avoided elsewhere: memo items, in no scope.
#[derive(Debug, Clone, PartialEq)]
pub struct Avoided {
    /// By generation that the park used itself.
    pub self_consumption: Emission,
    /// By generation that went to the grid.
    pub export: Emission,
}

/// What generation avoided, by the factor of the grid.
#[must_use]
pub fn avoided(generation: MilliwattHours, export: MilliwattHours, grid: &Factor) -> Avoided {
    Avoided {
        self_consumption: Emission::of(generation - export, grid),
        export: Emission::of(export, grid),
    }
}

impl Avoided {
    /// What scope 2 would come to if it were netted, for those who ask. It is **no**
    /// scope 2 and never reported as one.
    #[must_use]
    pub fn net_balance_memo(&self, scope2: &Scope2) -> Co2 {
        Co2(scope2.mass().0 - self.export.mass.0)
    }
}

/// The renewable energies of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewable {
    /// Renewable generation.
    pub generation: MilliwattHours,
    /// The part of it that was exported.
    pub exported: MilliwattHours,
    /// What the park used, from all sources.
    pub load: MilliwattHours,
    /// Self-used generation whose certificates were sold: somebody else claims it.
    pub certificates_sold: MilliwattHours,
}

impl Renewable {
    /// The part of the load that the park's own renewable generation served; unknown
    /// without a load.
    #[must_use]
    pub fn self_supply(&self) -> Option<f64> {
        self.of_load(self.generation - self.exported)
    }

    /// The part of the load that the park may call renewable by contract: without what
    /// it sold the certificates of.
    #[must_use]
    pub fn claimable(&self) -> Option<f64> {
        self.of_load(self.generation - self.exported - self.certificates_sold)
    }

    fn of_load(&self, part: MilliwattHours) -> Option<f64> {
        super::balance::ratio(Some(to_f64(part.0)), Some(to_f64(self.load.0)))
    }
}

#[cfg(test)]
mod tests;
