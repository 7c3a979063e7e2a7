//! The flows of the two balances: the names in which a park is told.
//!
//! One table, [`FLOWS`], is the order and the vocabulary of the live page, the
//! intervals, the reports, the metrics and InfluxDB. The same flows carry power
//! ([`f64`] watt) at a tick and energy ([`MilliwattHours`]) over an interval; a
//! [`Flows`] holds one [`Stated`] for each.

use super::meter::Carrier;
use super::units::MilliwattHours;

pub use super::stated::{Known, Stated};

/// A flow of one of the balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flow {
    /// Electricity generated.
    Generation,
    /// Electricity from the grid.
    Import,
    /// Electricity to the grid.
    Export,
    /// Electricity used, derived at the grid connection.
    Load,
    /// Generation that is not exported.
    SelfConsumption,
    /// Into the batteries.
    BatteryCharge,
    /// Out of the batteries.
    BatteryDischarge,
    /// Electrical losses: configured, and of the park's transformers at the boundary.
    Losses,
    /// Load minus all metered loads and losses.
    Residual,
    /// Heat from the solar field.
    SolarField,
    /// Heat from boilers.
    Boilers,
    /// Heat from the electric boiler.
    ElectricBoiler,
    /// Heat from the heat pump.
    HeatPump,
    /// Heat into storage.
    StorageCharge,
    /// Heat out of storage.
    StorageDischarge,
    /// Heat to the turbine.
    ToPower,
    /// Heat that customers took.
    Supplied,
    /// Heat the network lost.
    HeatLosses,
    /// What the heat balance does not explain.
    HeatResidual,
}

/// A row of the table of flows.
#[derive(Debug)]
pub struct FlowRow {
    /// The flow.
    pub flow: Flow,
    /// Its balance.
    pub carrier: Carrier,
    /// Its name inside its balance: the live view.
    pub live: &'static str,
    /// Its name where both balances stand side by side: intervals, tags.
    pub name: &'static str,
}

/// How many flows there are.
pub const FLOW_COUNT: usize = 19;

/// Every flow, electricity first, in the order of reading.
#[rustfmt::skip]
pub const FLOWS: [FlowRow; FLOW_COUNT] = [
    FlowRow { flow: Flow::Generation,       carrier: Carrier::Electricity, live: "generation",        name: "generation" },
    FlowRow { flow: Flow::Import,           carrier: Carrier::Electricity, live: "import",            name: "import" },
    FlowRow { flow: Flow::Export,           carrier: Carrier::Electricity, live: "export",            name: "export" },
    FlowRow { flow: Flow::Load,             carrier: Carrier::Electricity, live: "load",              name: "load" },
    FlowRow { flow: Flow::SelfConsumption,  carrier: Carrier::Electricity, live: "self_consumption",  name: "self_consumption" },
    FlowRow { flow: Flow::BatteryCharge,    carrier: Carrier::Electricity, live: "battery_charge",    name: "battery_charge" },
    FlowRow { flow: Flow::BatteryDischarge, carrier: Carrier::Electricity, live: "battery_discharge", name: "battery_discharge" },
    FlowRow { flow: Flow::Losses,           carrier: Carrier::Electricity, live: "losses",            name: "losses" },
    FlowRow { flow: Flow::Residual,         carrier: Carrier::Electricity, live: "residual",          name: "residual" },
    FlowRow { flow: Flow::SolarField,       carrier: Carrier::Heat,        live: "solar_field",       name: "solar_field" },
    FlowRow { flow: Flow::Boilers,          carrier: Carrier::Heat,        live: "boilers",           name: "boilers" },
    FlowRow { flow: Flow::ElectricBoiler,   carrier: Carrier::Heat,        live: "electric_boiler",   name: "electric_boiler" },
    FlowRow { flow: Flow::HeatPump,         carrier: Carrier::Heat,        live: "heat_pump",         name: "heat_pump" },
    FlowRow { flow: Flow::StorageCharge,    carrier: Carrier::Heat,        live: "storage_charge",    name: "storage_charge" },
    FlowRow { flow: Flow::StorageDischarge, carrier: Carrier::Heat,        live: "storage_discharge", name: "storage_discharge" },
    FlowRow { flow: Flow::ToPower,          carrier: Carrier::Heat,        live: "to_power",          name: "to_power" },
    FlowRow { flow: Flow::Supplied,         carrier: Carrier::Heat,        live: "supplied",          name: "supplied" },
    FlowRow { flow: Flow::HeatLosses,       carrier: Carrier::Heat,        live: "losses",            name: "heat_losses" },
    FlowRow { flow: Flow::HeatResidual,     carrier: Carrier::Heat,        live: "residual",          name: "heat_residual" },
];

impl Flow {
    /// Its place in [`FLOWS`], which is the order of the variants.
    #[must_use]
    #[allow(clippy::as_conversions)]
    pub fn place(self) -> usize {
        self as usize
    }

    /// Its name where both balances stand side by side.
    #[must_use]
    #[allow(clippy::indexing_slicing)]
    pub fn name(self) -> &'static str {
        // A flow's place is below FLOW_COUNT: `places_follow_the_table` says so.
        FLOWS[self.place()].name
    }

    /// The flow of a name in [`FlowRow::name`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FLOWS
            .iter()
            .find(|row| row.name == name)
            .map(|row| row.flow)
    }
}

/// One statement for every flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Flows<N> {
    stated: [Stated<N>; FLOW_COUNT],
}

impl<N> Flows<N> {
    /// Flows from one statement each, in the order of [`FLOWS`].
    #[must_use]
    pub fn new(stated: [Stated<N>; FLOW_COUNT]) -> Self {
        Self { stated }
    }

    /// What is known of a flow.
    #[allow(clippy::indexing_slicing)]
    pub fn of(&self, flow: Flow) -> &Stated<N> {
        // A flow's place is below FLOW_COUNT: `places_follow_the_table` says so.
        &self.stated[flow.place()]
    }

    /// Every flow with its row, in the order of [`FLOWS`].
    pub fn iter(&self) -> impl Iterator<Item = (&'static FlowRow, &Stated<N>)> {
        FLOWS.iter().zip(&self.stated)
    }
}

/// Powers at one moment, watt.
pub type Powers = Flows<f64>;
/// Energies over an interval.
pub type Energies = Flows<MilliwattHours>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_table() {
        for (place, row) in FLOWS.iter().enumerate() {
            assert_eq!(row.flow.place(), place, "{}", row.name);
        }
    }
}
