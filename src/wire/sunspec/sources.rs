//! Which models of a device answer for a quantity, in which order.
//!
//! | meter | asked first | then |
//! |---|---|---|
//! | grid, loads | 201–204, 211–214 | |
//! | pv, turbine | 101–103, 111–113, 701 | 201–214, where the device is no inverter |
//! | …, direct current | 160, where the device has no storage; 101–103, 111–113, 714 | |
//! | battery | 802, storage ports of 714, 713 | what of an inverter is the battery's alone |
//! | weather | 307, 308 | |
//!
//! The models from 101 on come before 701 because their measurements are mandatory,
//! while those of 701 are all optional; integers come before floats because a 32-bit
//! float counts energy in steps of its own above 16.7 MWh. The choice depends on the
//! models alone, never on what stands in them at night: **a register does not change
//! its source** while its device stays the same.
//!
//! A hybrid inverter has the sun and a battery behind the same terminals. Its power is
//! that of both, so it is never the battery's; a device whose every port leads to a
//! storage is asked at its terminals. Some makers list the two directions of a battery
//! among the inputs of model 160, so their sum is not told where a storage is about.

use std::ops::RangeInclusive;

use super::table::STORAGE_PORT;
use super::walk::{Chain, Found};
use super::wanted::Purpose;
use crate::domain::meter::Role;

/// Ids of models that stand for each other.
pub(super) type Ids = RangeInclusive<u16>;

const METERS: [Ids; 2] = [201..=204, 211..=214];
const INVERTERS: [Ids; 3] = [101..=103, 111..=113, 701..=701];
const STORAGES: [Ids; 3] = [802..=802, 714..=714, 713..=713];
const WEATHER: [Ids; 2] = [307..=307, 308..=308];
const INPUTS: Ids = 160..=160;
const PORTS: Ids = 714..=714;
/// Settings of a storage; no measurement in it is ours.
const BASIC_STORAGE: u16 = 124;

/// The models of a device, as one meter sees them.
pub(super) struct Models<'a> {
    pub(super) chain: &'a Chain,
    pub(super) role: &'a Role,
    /// Which of several equal models is meant, from 1.
    pub(super) instance: usize,
}

impl<'a> Models<'a> {
    /// The model of these ids that the configuration means.
    pub(super) fn model(&self, ids: &Ids) -> Option<&'a Found> {
        let mut of_ids = self.chain.models.iter().filter(|m| ids.contains(&m.id));
        of_ids.nth(self.instance.checked_sub(1)?)
    }

    /// Whether the device has any of these, whichever is meant.
    fn has(&self, models: &[Ids]) -> bool {
        let mut listed = self.chain.models.iter();
        listed.any(|found| models.iter().any(|ids| ids.contains(&found.id)))
    }

    /// The models that may answer for a quantity, in order.
    pub(super) fn sources(&self, name: &str) -> Vec<Ids> {
        let direct = name.starts_with("dc_");
        let inverter = self.has(&INVERTERS);
        match Purpose::of(self.role) {
            None => Vec::new(),
            Some(Purpose::Weather) => WEATHER.to_vec(),
            Some(Purpose::Generator) if inverter && direct => self.direct(),
            Some(Purpose::Generator) if inverter => INVERTERS.to_vec(),
            Some(Purpose::Battery) if inverter || self.has(&STORAGES) => self.battery(name),
            Some(Purpose::Place | Purpose::Generator | Purpose::Battery) => METERS.to_vec(),
            Some(Purpose::Record) if direct && inverter => self.direct(),
            Some(Purpose::Record) if matches!(name, "soc" | "soh") => STORAGES.to_vec(),
            Some(Purpose::Record) => [METERS.as_slice(), &INVERTERS, &STORAGES, &WEATHER]
                .into_iter()
                .find(|models| self.has(models))
                .unwrap_or_default()
                .to_vec(),
        }
    }

    /// Direct current of an inverter.
    fn direct(&self) -> Vec<Ids> {
        let inputs = if self.has_storage() {
            None
        } else {
            Some(INPUTS)
        };
        inputs.into_iter().chain(INVERTERS).chain([PORTS]).collect()
    }

    fn battery(&self, name: &str) -> Vec<Ids> {
        let [integers, floats, der] = INVERTERS;
        let storages = STORAGES.into_iter();
        let energy = matches!(name, "energy_import" | "energy_export");
        if !energy && name != "power" {
            return storages.chain([der, integers, floats]).collect();
        }
        if self.is_all_storage() {
            return [der].into_iter().chain(storages).collect();
        }
        if self.has_inputs() {
            return storages.collect();
        }
        // A counter of models 101 to 113 does not say which direction it counts.
        let ac = [der, integers, floats];
        let ac = ac.into_iter().take(if energy { 1 } else { 3 });
        storages.chain(ac).collect()
    }

    /// Whether a storage is about.
    fn has_storage(&self) -> bool {
        let mut models = self.chain.models.iter();
        models.any(|found| {
            matches!(found.id, BASIC_STORAGE | 713 | 802)
                || found.parts.contains(&Some(STORAGE_PORT))
        })
    }

    /// Whether something else than a storage feeds the device.
    fn has_inputs(&self) -> bool {
        let mut models = self.chain.models.iter();
        models.any(|found| match found.id {
            160 => !found.parts.is_empty(),
            _ => found
                .parts
                .iter()
                .flatten()
                .any(|kind| *kind != STORAGE_PORT),
        })
    }

    /// Whether every port for direct current leads to a storage, so that what the
    /// device does at its terminals is what the storage does.
    fn is_all_storage(&self) -> bool {
        let ports = self.model(&PORTS).map(|found| found.parts.as_slice());
        let is_storage = |kind: &Option<u16>| *kind == Some(STORAGE_PORT);
        ports.is_some_and(|ports| !ports.is_empty() && ports.iter().all(is_storage))
    }
}
