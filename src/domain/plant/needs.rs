//! What the indicators of a period need of the books: a few flows, and single meters.
//!
//! A year of a hundred meters is seven million entries, of which the indicators want those
//! of the generators and of the units. **Whatever an indicator reads is named here**: with
//! what is needed alone it says what it says with all of the books.

use std::sync::Arc;

use super::electric::generators;
use super::{Kind, Plant};
use crate::domain::flow::Flow;
use crate::domain::interval::Channel;
use crate::domain::meter::{Carrier, Park};

/// Flows of electricity that indicators rest on.
const ELECTRICITY: [Flow; 6] = [
    Flow::Generation,
    Flow::Import,
    Flow::Export,
    Flow::SelfConsumption,
    Flow::BatteryCharge,
    Flow::BatteryDischarge,
];

/// Flows of heat that indicators rest on.
const HEAT: [Flow; 8] = [
    Flow::SolarField,
    Flow::Boilers,
    Flow::ElectricBoiler,
    Flow::HeatPump,
    Flow::StorageCharge,
    Flow::StorageDischarge,
    Flow::Supplied,
    Flow::HeatLosses,
];

/// Of which meter, and which way.
pub type Single = (Arc<str>, Channel);

impl Plant {
    /// The flows that its indicators need. A park without a meter of heat has none of heat;
    /// without a park they are all of them.
    #[must_use]
    pub fn flows(&self, park: Option<&Park>) -> Vec<Flow> {
        let heated = park.is_none_or(|park| {
            let mut roles = park.meters.iter().map(|meter| meter.role);
            roles.any(|role| role.term(Carrier::Heat).is_some())
        });
        let heat = HEAT.iter().filter(|_| heated);
        ELECTRICITY.iter().chain(heat).copied().collect()
    }

    /// The channels of single meters that its indicators need, each once.
    #[must_use]
    pub fn channels(&self, park: &Park) -> Vec<Single> {
        let standby = generators(park).into_iter();
        let mut all: Vec<Single> = standby
            .map(|id| one(id, Carrier::Electricity, false))
            .collect();
        for unit in &self.units {
            all.extend(unit.kind.channels());
        }
        all.sort();
        all.dedup();
        all
    }
}

impl Kind {
    fn channels(&self) -> Vec<Single> {
        match self {
            Self::SolarField(field) => both(&field.heat, Carrier::Heat).into(),
            Self::Tank(tank) => tank.meter.iter().flat_map(stored).collect(),
            Self::TwoTanks(tanks) => tanks.meter.iter().flat_map(stored).collect(),
            Self::Photovoltaic(plant) => vec![one(&plant.meter, Carrier::Electricity, true)],
            Self::HeatPump(made) | Self::ElectricBoiler(made) => {
                let work = both(&made.electricity, Carrier::Electricity);
                [work, both(&made.heat, Carrier::Heat)].concat()
            }
        }
    }
}

fn one(id: &Arc<str>, carrier: Carrier, positive: bool) -> Single {
    (Arc::clone(id), Channel { carrier, positive })
}

fn both(id: &Arc<str>, carrier: Carrier) -> [Single; 2] {
    [true, false].map(|positive| one(id, carrier, positive))
}

fn stored(id: &Arc<str>) -> [Single; 2] {
    both(id, Carrier::Heat)
}
