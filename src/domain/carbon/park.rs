//! The indicator of a zero-carbon park: carbon dioxide per energy.
//!
//! It is a number with its factor, its boundary and its netting rule, never a yes or
//! no: the same park is above and below the limit, by which rule is applied.

use std::fmt;
use std::sync::Arc;

use super::{Co2, Emission, Factor, MWH_PER_KWH};
use crate::domain::balance::ratio;
use crate::domain::units::{MilliwattHours, to_f64};

/// Standard coal of a gigajoule, kgce: one kilogram of it has 29.3076 MJ.
pub const KGCE_PER_GJ: f64 = 1_000.0 / 29.307_6;

/// How received energy is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Netting {
    /// Import as it is; export subtracts nothing.
    ImportAlone,
    /// Import minus export, below zero if more was exported.
    ImportMinusExport,
}

impl fmt::Display for Netting {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::ImportAlone => "export not subtracted",
            Self::ImportMinusExport => "net of export",
        })
    }
}

/// What the number stands for, in words of whoever computes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    /// Which sites, which year, which energies.
    pub text: Arc<str>,
    /// How received electricity is counted.
    pub netting: Netting,
}

/// A fuel that is burnt in the park.
#[derive(Debug, Clone, PartialEq)]
pub struct Fuel {
    /// Its name.
    pub name: Arc<str>,
    /// How much, in a unit of its own.
    pub quantity: f64,
    /// Carbon dioxide of a unit, kilograms.
    pub kg_co2: f64,
    /// Standard coal of a unit, kilograms.
    pub kgce: f64,
}

/// The energy of a park in a year.
#[derive(Debug, Clone, PartialEq)]
pub struct ParkEnergy {
    /// Electricity from the grid.
    pub import: MilliwattHours,
    /// Electricity to the grid.
    pub export: MilliwattHours,
    /// Green electricity that does not come through the grid.
    pub green_direct: MilliwattHours,
    /// Purchased heat, with its factor.
    pub heat: Option<(MilliwattHours, Factor)>,
    /// Fuels.
    pub fuels: Vec<Fuel>,
    /// Carbon dioxide that is no energy's.
    pub process: Co2,
    /// Standard coal of a kilowatt-hour of electricity, kilograms; 0.1229 is its
    /// calorific equivalent.
    pub kgce_per_kwh: f64,
}

/// Carbon dioxide per energy, with what it depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct ParkCarbon {
    /// All carbon dioxide.
    pub mass: Co2,
    /// All energy, tonnes of standard coal.
    pub energy_tce: f64,
    /// Tonnes of carbon dioxide per tonne of standard coal; unknown without energy.
    pub intensity: Option<f64>,
    /// The part of the energy that is green electricity, in standard coal.
    pub clean_share: Option<f64>,
    /// Of received electricity.
    pub electricity: Emission,
    /// What the number stands for.
    pub boundary: Boundary,
}

/// From how much energy a limit holds, tonnes of standard coal a year, and the limit.
///
/// # Source
///
/// NDRC notice 910 of 2025, as quoted by secondary sources; smaller parks have none.
pub const LIMITS: &[(f64, f64)] = &[(200_000.0, 0.20), (1_000_000.0, 0.30)];

/// The limit that a park of this size is compared with; none below the smallest class.
#[must_use]
pub fn limit_for(energy_tce: f64) -> Option<f64> {
    let mut classes = LIMITS.iter().rev();
    let class = classes.find(|(from, _)| energy_tce >= *from);
    class.map(|(_, limit)| *limit)
}

/// Carbon dioxide per energy of a park; none if an energy or coefficient is below zero
/// or not a number.
///
/// Which factor and which netting rule the accounting method prescribes is for the
/// caller to say; both stand in the result.
#[must_use]
pub fn park_carbon(energy: &ParkEnergy, grid: &Factor, boundary: Boundary) -> Option<ParkCarbon> {
    let heat = energy
        .heat
        .as_ref()
        .map(|(heat, factor)| Emission::of(*heat, factor));
    let heat_energy = heat
        .as_ref()
        .map_or(MilliwattHours::ZERO, |heat| heat.energy);
    let energies = [
        energy.import,
        energy.export,
        energy.green_direct,
        heat_energy,
    ];
    let fuels = energy
        .fuels
        .iter()
        .flat_map(|fuel| [fuel.quantity, fuel.kg_co2, fuel.kgce]);
    let mut numbers = fuels.chain([energy.process.0, energy.kgce_per_kwh, grid.kg_per_kwh]);
    let below = energies.iter().any(|one| *one < MilliwattHours::ZERO);
    if below || numbers.any(|number| !(number.is_finite() && number >= 0.0)) {
        return None;
    }
    let received = match boundary.netting {
        Netting::ImportAlone => energy.import,
        Netting::ImportMinusExport => energy.import - energy.export,
    };
    let electricity = Emission::of(received, grid);
    let of_fuels = |part: fn(&Fuel) -> f64| -> f64 {
        energy
            .fuels
            .iter()
            .map(|fuel| fuel.quantity * part(fuel))
            .sum()
    };
    let kg = electricity.mass.0
        + heat.as_ref().map_or(0.0, |heat| heat.mass.0)
        + of_fuels(|fuel| fuel.kg_co2)
        + energy.process.0;
    let kwh = |energy: MilliwattHours| to_f64(energy.0) / MWH_PER_KWH;
    let green_tce = kwh(energy.green_direct) * energy.kgce_per_kwh / 1_000.0;
    let heat_tce = kwh(heat_energy) * 3.6e-3 * KGCE_PER_GJ / 1_000.0;
    let energy_tce = kwh(received) * energy.kgce_per_kwh / 1_000.0
        + green_tce
        + heat_tce
        + of_fuels(|fuel| fuel.kgce) / 1_000.0;
    Some(ParkCarbon {
        mass: Co2(kg),
        energy_tce,
        intensity: ratio(Some(kg / 1_000.0), Some(energy_tce)),
        clean_share: ratio(Some(green_tce), Some(energy_tce)),
        electricity,
        boundary,
    })
}

impl fmt::Display for ParkCarbon {
    /// The number is not printed without what it depends on.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.intensity {
            Some(intensity) => write!(to, "{intensity:.3} tCO2/tce")?,
            None => to.write_str("unknown tCO2/tce")?,
        }
        match limit_for(self.energy_tce) {
            Some(limit) => write!(to, " against {limit:.2}")?,
            None => to.write_str(", a park below the classes of the notice")?,
        }
        let Boundary { text, netting } = &self.boundary;
        write!(to, "; {text}; {netting}; {}", self.electricity.factor)
    }
}
