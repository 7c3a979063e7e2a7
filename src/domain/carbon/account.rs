//! The carbon account of a park: which factors, which certificates, which boundary, and
//! what the sums of a period come to by them.
//!
//! **A number that lacks one of its energies or its factor is none**; the others stand.

use std::sync::Arc;

use jiff::civil::Date;

use super::{
    Avoided, Boundary, Co2, Emission, Factor, Fuel, KGCE_PER_GJ, ParkCarbon, ParkEnergy, Renewable,
    Scope2, Scope2Error, avoided, park_carbon, scope2_location, scope2_market,
};
use crate::domain::meter::MeterIndex;
use crate::domain::units::{MilliwattHours, to_f64};

/// Gigajoules of a kilowatt-hour.
const GJ_PER_KWH: f64 = 3.6e-3;

/// What the fired boilers burn.
#[derive(Debug, Clone, PartialEq)]
pub struct BoilerFuel {
    /// Carbon dioxide of a kilowatt-hour of it, by its lower heating value.
    pub factor: Factor,
    /// Heat of the boilers per energy of the fuel, above 0 to 1.2.
    pub efficiency: f64,
}

impl BoilerFuel {
    /// The fuel behind heat.
    fn burnt(&self, heat: MilliwattHours) -> MilliwattHours {
        MilliwattHours::from_watt_hours(heat.as_watt_hours() / self.efficiency)
    }
}

/// Heat that is bought.
#[derive(Debug, Clone, PartialEq)]
pub struct PurchasedHeat {
    /// The meter at the transfer station.
    pub meter: MeterIndex,
    /// Whether it stands among the boilers, whose heat would else count as burnt fuel.
    pub among_boilers: bool,
    /// Carbon dioxide of a kilowatt-hour of it.
    pub factor: Factor,
}

/// The carbon-free part of what comes from the grid, as dated data.
#[derive(Debug, Clone, PartialEq)]
pub struct GridShare {
    /// 0 to 1, taken for every hour.
    pub share: f64,
    /// The year of the data.
    pub year: i16,
    /// The document.
    pub source: Arc<str>,
}

/// Certificates that were retired or sold for a stretch of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificates {
    /// First local day.
    pub from: Date,
    /// Last local day.
    pub to: Date,
    /// Bought and retired for import.
    pub retired: MilliwattHours,
    /// Of the park's own generation, sold: somebody else claims it.
    pub sold: MilliwattHours,
}

/// What a park accounts by.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The average of the grid.
    pub grid: Factor,
    /// Its carbon-free part.
    pub grid_share: Option<GridShare>,
    /// Heat that is bought; scope 2 as import is.
    pub purchased_heat: Option<PurchasedHeat>,
    /// What import without certificates has by contract: of the supplier, or the residual
    /// mix.
    pub market: Option<Factor>,
    /// Certificates.
    pub certificates: Vec<Certificates>,
    /// What the boilers burn.
    pub fuel: Option<BoilerFuel>,
    /// What the indicator of the park stands for.
    pub boundary: Boundary,
    /// Standard coal of a kilowatt-hour of electricity, kilograms.
    pub kgce_per_kwh: f64,
}

/// The energies of a period; none where one is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeriodSums {
    /// From the grid.
    pub import: Option<MilliwattHours>,
    /// To the grid.
    pub export: Option<MilliwattHours>,
    /// What the park used.
    pub load: Option<MilliwattHours>,
    /// Renewable generation.
    pub renewable: Option<MilliwattHours>,
    /// The renewable part of export.
    pub renewable_export: Option<MilliwattHours>,
    /// Heat of fired boilers.
    pub boilers: Option<MilliwattHours>,
    /// Heat that was bought; nothing where none is.
    pub purchased_heat: Option<MilliwattHours>,
}

/// What a period comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Accounted {
    /// Of the fuel of the boilers, scope 1; none without a factor for it.
    pub fuel: Option<Emission>,
    /// Scope 2 by location.
    pub location: Option<Result<Scope2, Scope2Error>>,
    /// Scope 2 by contract; none without its factor.
    pub market: Option<Result<Scope2, Scope2Error>>,
    /// Memo: what renewable generation avoided.
    pub avoided: Option<Avoided>,
    /// The renewable energies, from which their ratios are had.
    pub renewable: Option<Renewable>,
    /// Certificates that were counted.
    pub retired: MilliwattHours,
    /// Certificates that do not lie in the period as a whole, and are not counted.
    pub certificates_outside: usize,
    /// The indicator of the park.
    pub park: Option<ParkCarbon>,
}

impl Account {
    /// What the sums of a period of whole local days come to.
    ///
    /// Certificates count where their days lie in the period as a whole; nobody says which
    /// part of them another period has.
    #[must_use]
    pub fn of(&self, sums: &PeriodSums, from: Date, to: Date) -> Accounted {
        let (inside, outside): (Vec<&Certificates>, Vec<&Certificates>) = self
            .certificates
            .iter()
            .partition(|one| one.from >= from && one.to <= to);
        let retired = inside.iter().map(|one| one.retired).sum();
        let sold = inside.iter().map(|one| one.sold).sum();
        let fuel = self.fuel.as_ref().zip(sums.boilers);
        let fuel = fuel.map(|(fuel, heat)| Emission::of(fuel.burnt(heat), &fuel.factor));
        let bought = self.bought(sums);
        let purchases = sums.import.zip(bought);
        let market = purchases.zip(self.market.as_ref());
        let green = sums.renewable.zip(sums.renewable_export);
        Accounted {
            location: purchases.map(|(import, heat)| scope2_location(import, &self.grid, heat)),
            market: market
                .map(|((import, heat), factor)| scope2_market(import, retired, factor, heat)),
            avoided: green.map(|(made, exported)| avoided(made, exported, &self.grid)),
            renewable: green
                .zip(sums.load)
                .map(|((made, exported), load)| Renewable {
                    generation: made,
                    exported,
                    load,
                    certificates_sold: sold,
                }),
            retired,
            certificates_outside: outside.len(),
            park: self.park(sums, fuel.as_ref()),
            fuel,
        }
    }

    /// Purchased heat with its factor, nothing where none is bought; none where it is
    /// unknown.
    #[allow(clippy::option_option)]
    fn bought(&self, sums: &PeriodSums) -> Option<Option<(MilliwattHours, &Factor)>> {
        match &self.purchased_heat {
            None => Some(None),
            Some(bought) => sums.purchased_heat.map(|heat| Some((heat, &bought.factor))),
        }
    }

    /// The indicator; unknown where an energy or the fuel of boilers is.
    fn park(&self, sums: &PeriodSums, fuel: Option<&Emission>) -> Option<ParkCarbon> {
        let burnt = match (sums.boilers?, fuel) {
            (_, Some(fuel)) => Some(Fuel {
                name: Arc::clone(&fuel.factor.geography),
                quantity: to_f64(fuel.energy.0) / 1e6,
                kg_co2: fuel.factor.kg_per_kwh,
                kgce: GJ_PER_KWH * KGCE_PER_GJ,
            }),
            (MilliwattHours::ZERO, None) => None,
            (_, None) => return None,
        };
        let energy = ParkEnergy {
            import: sums.import?,
            export: sums.export?,
            green_direct: sums.renewable? - sums.renewable_export?,
            heat: self
                .bought(sums)?
                .map(|(heat, factor)| (heat, factor.clone())),
            fuels: burnt.into_iter().collect(),
            process: Co2::from_kilograms(0.0),
            kgce_per_kwh: self.kgce_per_kwh,
        };
        park_carbon(&energy, &self.grid, self.boundary.clone())
    }
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
