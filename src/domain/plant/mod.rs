//! The plant: what stands in the park, beyond what its meters count.
//!
//! ```text
//!   meters ── heat, energy ──┐
//!                            ├──▶ unit ──▶ numbers of a moment     (live)
//!   sensors ── DNI, °C, m ───┘      └───▶ indicators of a period   (report)
//! ```
//!
//! A [`Unit`] says which meters and sensors belong to one piece of equipment and what is
//! known of it: an aperture, a volume, a type plate. **A unit changes no balance**: the
//! flows come from the roles of the meters alone, and a number of a unit whose sensor is
//! silent is unknown, not zero.
//!
//! The numbers of a moment rest on what stands at that moment, the indicators of a period
//! on the ledger: the entries of meters, and the means of the sensors that a unit names
//! ([`Observed`]).

pub mod books;
mod conversion;
mod electric;
mod field;
mod guarantee;
mod heat;
mod input;
pub mod live;
mod needs;
mod number;
mod photovoltaic;
mod storage;
pub mod today;

use std::sync::Arc;

pub use conversion::Conversion;
pub use field::{Mount, SolarField};
pub use guarantee::{Collector, Guarantee};
pub use input::{Input, Joint, Observed, Tally};
pub use number::{Indicator, Judgement, Number};
pub use photovoltaic::{Irradiance, Photovoltaic};
pub use storage::{Layer, Tank, Tanks};

use jiff::civil::Date;

use self::books::Slot;
use super::kpi::{DIRECT_LIMITS, DirectLimits};
use super::meter::Park;

/// What a unit is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Collectors that follow the sun, or do not.
    SolarField(Box<SolarField>),
    /// A tank of layers.
    Tank(Tank),
    /// A hot and a cold tank.
    TwoTanks(Box<Tanks>),
    /// Modules.
    Photovoltaic(Box<Photovoltaic>),
    /// Heat from work, and from a cold source.
    HeatPump(Conversion),
    /// Heat from work.
    ElectricBoiler(Conversion),
}

impl Kind {
    /// Its name in configuration and JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::SolarField(_) => "solar_field",
            Self::Tank(_) => "tank",
            Self::TwoTanks(_) => "two_tanks",
            Self::Photovoltaic(_) => "pv",
            Self::HeatPump(_) => "heat_pump",
            Self::ElectricBoiler(_) => "electric_boiler",
        }
    }

    /// The sensors that it reads.
    #[must_use]
    pub fn inputs(&self) -> Vec<Input> {
        match self {
            Self::SolarField(field) => field.inputs(),
            Self::Tank(tank) => tank.inputs(),
            Self::TwoTanks(tanks) => tanks.inputs(),
            Self::Photovoltaic(plant) => plant.inputs(),
            Self::HeatPump(_) | Self::ElectricBoiler(_) => Vec::new(),
        }
    }
}

/// A piece of equipment.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: Kind,
}

impl Unit {
    /// Its indicators of a period; `before` is the interval before it.
    #[must_use]
    pub fn indicators(&self, park: &Park, before: Option<&Slot>, slots: &[Slot]) -> Vec<Indicator> {
        let indicators = match &self.kind {
            Kind::SolarField(field) => field.indicators(park, before, slots),
            Kind::Tank(tank) => tank.indicators(park, before, slots),
            Kind::TwoTanks(tanks) => tanks.indicators(park, before, slots),
            Kind::Photovoltaic(plant) => plant.indicators(park, slots),
            Kind::HeatPump(pump) => pump.indicators(conversion::COP, park, slots),
            Kind::ElectricBoiler(boiler) => boiler.indicators(conversion::EFFICIENCY, park, slots),
        };
        let about = |indicator: Indicator| indicator.about(&self.name);
        indicators.into_iter().map(about).collect()
    }
}

/// The plant of a park.
#[derive(Debug, Clone, PartialEq)]
pub struct Plant {
    /// In the order of the configuration.
    pub units: Vec<Unit>,
    /// The limits of direct supply, by the day from which they hold.
    pub limits: Vec<DirectLimits>,
    /// The meters of generators of which the operator says that they are never curtailed.
    pub never_curtailed: Vec<Arc<str>>,
}

impl Default for Plant {
    fn default() -> Self {
        Self {
            units: Vec::new(),
            limits: DIRECT_LIMITS.to_vec(),
            never_curtailed: Vec::new(),
        }
    }
}

impl Plant {
    /// Adds what needs no word of its own: a heat pump or an electric boiler whose one
    /// meter says both sides, unless a unit names that meter.
    pub fn complete(&mut self, park: &Park) {
        for meter in &park.meters {
            let named = self.units.iter().any(|unit| {
                unit.name == meter.id
                    || matches!(&unit.kind, Kind::HeatPump(one) | Kind::ElectricBoiler(one)
                        if one.electricity == meter.id || one.heat == meter.id)
            });
            let both = Conversion {
                electricity: Arc::clone(&meter.id),
                heat: Arc::clone(&meter.id),
            };
            let kind = match meter.role.name {
                "heat_pump" => Kind::HeatPump(both),
                "electric_boiler" => Kind::ElectricBoiler(both),
                _ => continue,
            };
            if !named && conversion::says_both(meter) {
                let name = Arc::clone(&meter.id);
                self.units.push(Unit { name, kind });
            }
        }
    }

    /// Every indicator of a period that begins on a day. `earlier` are the intervals before
    /// it, for what a storage brings along. Without a park there are those of the flows.
    #[must_use]
    pub fn indicators(
        &self,
        park: Option<&Park>,
        earlier: &[Slot],
        slots: &[Slot],
        from: Date,
    ) -> Vec<Indicator> {
        let mut all = electric::indicators(self, park, slots, from);
        all.extend(heat::indicators(earlier, slots));
        for unit in &self.units {
            all.extend(park.map_or(Vec::new(), |park| {
                unit.indicators(park, earlier.last(), slots)
            }));
        }
        all
    }

    /// Every sensor that a unit reads, each once.
    #[must_use]
    pub fn inputs(&self) -> Vec<Input> {
        let mut inputs: Vec<Input> = Vec::new();
        for input in self.units.iter().flat_map(|unit| unit.kind.inputs()) {
            if !inputs.contains(&input) {
                inputs.push(input);
            }
        }
        inputs
    }
}

#[cfg(test)]
mod tests;
