//! Who feeds whom: where generation, discharge and import go.
//!
//! ```text
//!   generation ──▶ battery, grid, load        storage is charged by generation first,
//!      battery ──▶ grid, load                 export and load are served by generation,
//!         grid ──▶ load, battery              then by storage, then by the grid
//! ```
//!
//! **Every unit has one destination, and nothing is attributed that is not known**: what
//! one meter lacks, all seven flows lack. The same rule serves powers at a tick and
//! energies over an interval. Over an interval the part of export that generators fed is
//! the one that its self-consumption rests on, so that the two never say different things.

use super::balance::Amount;
use super::flow::{Energies, Flow, Flows, Powers, Stated};
use super::provenance::Made;
use super::stated::combine;
use super::units::MilliwattHours;

/// Who feeds whom: every unit that is generated, imported or discharged has one
/// destination.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attribution<N> {
    /// Generation used on site at once.
    pub generation_to_load: N,
    /// Generation that charges the battery.
    pub generation_to_battery: N,
    /// Generation that is exported.
    pub generation_to_grid: N,
    /// Discharge used on site.
    pub battery_to_load: N,
    /// Discharge that is exported.
    pub battery_to_grid: N,
    /// Import used on site.
    pub grid_to_load: N,
    /// Import that charges the battery.
    pub grid_to_battery: N,
}

/// Attributes flows: storage is charged by generation first, export comes from
/// generation first and then from storage, load is served by generation, storage
/// and grid in this order. Import that exceeds the load must be charging.
///
/// All arguments are at least zero. For consistent readings every part adds up;
/// an excess that no rule explains stays unattributed. The maximum with zero of
/// the load is inside this rule alone; the load itself is shown signed.
#[must_use]
pub fn attribute<N: Amount>(
    generation: N,
    import: N,
    export: N,
    discharge: N,
    charge: N,
) -> Attribution<N> {
    attribute_given(generation, import, export, discharge, charge, None)
}

/// The same, where it is known how much of export generators fed.
fn attribute_given<N: Amount>(
    generation: N,
    import: N,
    export: N,
    discharge: N,
    charge: N,
    exported: Option<N>,
) -> Attribution<N> {
    let min = |a: N, b: N| if b < a { b } else { a };
    let max = |a: N, b: N| if b > a { b } else { a };
    let load = max(generation + import - export + discharge - charge, N::ZERO);
    let from_excess = max(N::ZERO, min(charge, import - load));
    // What is known to have left the park cannot have charged the battery.
    let here = exported.map_or(generation, |exported| generation - exported);
    let generation_to_battery = min(here, charge - from_excess);
    let still_missing = charge - from_excess - generation_to_battery;
    let grid_to_battery = from_excess + min(import - from_excess, still_missing);
    let left = generation - generation_to_battery;
    let generation_to_grid = exported.unwrap_or_else(|| min(left, export));
    let battery_to_grid = min(discharge, export - generation_to_grid);
    let generation_to_load = min(left - generation_to_grid, load);
    let battery_to_load = min(discharge - battery_to_grid, load - generation_to_load);
    let grid_to_load = min(
        import - grid_to_battery,
        load - generation_to_load - battery_to_load,
    );
    Attribution {
        generation_to_load,
        generation_to_battery,
        generation_to_grid,
        battery_to_load,
        battery_to_grid,
        grid_to_load,
        grid_to_battery,
    }
}

/// The flows by source and destination, in the order of [`Attribution::named`].
pub const NAMES: [&str; 7] = [
    "generation_to_load",
    "generation_to_battery",
    "generation_to_grid",
    "battery_to_load",
    "battery_to_grid",
    "grid_to_load",
    "grid_to_battery",
];

impl<N: Copy> Attribution<N> {
    /// Every flow with its name, by source and destination.
    #[must_use]
    pub fn named(&self) -> [(&'static str, N); 7] {
        let values = [
            self.generation_to_load,
            self.generation_to_battery,
            self.generation_to_grid,
            self.battery_to_load,
            self.battery_to_grid,
            self.grid_to_load,
            self.grid_to_battery,
        ];
        let mut named = NAMES.map(|name| (name, self.generation_to_load));
        for (place, value) in named.iter_mut().zip(values) {
            place.1 = value;
        }
        named
    }
}

/// The attribution of flows that were struck together, with the quality of what it rests
/// on. `shaped` says whether self-consumption knows more than the amounts say.
fn of<N: Amount>(flows: &Flows<N>, shaped: bool) -> Stated<Attribution<N>> {
    let [generation, import, export, discharge, charge, own] = [
        Flow::Generation,
        Flow::Import,
        Flow::Export,
        Flow::BatteryDischarge,
        Flow::BatteryCharge,
        Flow::SelfConsumption,
    ]
    .map(|flow| flows.of(flow));
    // Not cut short at the first gap: every meter that is missing is named.
    let others = [import, export, discharge, charge, own].into_iter();
    let evidence = others.fold(generation.clone(), |all, one| combine(&all, one, |a, _| a))?;
    let value = |stated: &Stated<N>| stated.as_ref().map_or(N::ZERO, |known| known.value);
    let exported = shaped.then(|| value(generation) - value(own));
    let attributed = attribute_given(
        value(generation),
        value(import),
        value(export),
        value(discharge),
        value(charge),
        exported,
    );
    let mut known = evidence.with(attributed);
    known.made = known.made.and(Made::DERIVED);
    Ok(known)
}

/// Who feeds whom at a moment, watt.
///
/// # Errors
///
/// The gaps of the flows that it rests on.
pub fn of_powers(powers: &Powers) -> Stated<Attribution<f64>> {
    of(powers, false)
}

/// Who fed whom in an interval.
///
/// # Errors
///
/// The gaps of the flows that it rests on.
pub fn of_energies(flows: &Energies) -> Stated<Attribution<MilliwattHours>> {
    of(flows, true)
}

#[cfg(test)]
#[path = "attribution_tests.rs"]
mod tests;
