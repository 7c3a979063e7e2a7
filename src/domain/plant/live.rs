//! Every unit at one moment.

use std::sync::Arc;

use jiff::Timestamp;

use super::conversion::{COP, EFFICIENCY};
use super::input::Input;
use super::number::{Indicator, Number};
use super::{Kind, Plant, Unit};
use crate::domain::flow::Stated;
use crate::domain::meter::Carrier;
use crate::domain::sun::Sun;

/// What is known at a moment.
pub struct Moment<'a> {
    /// When.
    pub at: Timestamp,
    /// Where the sun stands over the park.
    pub sun: Sun,
    /// What a sensor says.
    pub read: &'a dyn Fn(&Input) -> Stated<f64>,
    /// The power of a meter in the direction of its role, W.
    pub power: &'a dyn Fn(&Arc<str>, Carrier) -> Stated<f64>,
}

/// What the mounts of a field do, in numbers of mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trackers {
    /// They look at the sun.
    pub in_focus: usize,
    /// They do not, although it is up and they are not stowed.
    pub deviating: usize,
    /// They are stowed: by wind, by hand, by a fault.
    pub stowed: usize,
    /// The sun is down.
    pub resting: usize,
    /// They do not say.
    pub unknown: usize,
}

/// A unit at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitNow {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: &'static str,
    /// Its numbers.
    pub numbers: Vec<Number>,
    /// What its mounts do, where it has any.
    pub trackers: Option<Trackers>,
    /// Its indicators of the day so far; of a storage, of the last 24 hours.
    pub day: Vec<Indicator>,
}

/// Every unit of a plant at a moment. `day` are the indicators of all units.
#[must_use]
pub fn now(plant: &Plant, moment: &Moment<'_>, day: &[Indicator]) -> Vec<UnitNow> {
    plant
        .units
        .iter()
        .map(|unit| one(unit, moment, day))
        .collect()
}

fn one(unit: &Unit, moment: &Moment<'_>, day: &[Indicator]) -> UnitNow {
    let (numbers, trackers) = match &unit.kind {
        Kind::SolarField(field) => field.now(moment),
        Kind::Tank(tank) => (tank.now(moment), None),
        Kind::TwoTanks(tanks) => (tanks.now(moment), None),
        Kind::Photovoltaic(plant) => (plant.now(moment), None),
        Kind::HeatPump(pump) => (pump.now(COP, moment), None),
        Kind::ElectricBoiler(boiler) => (boiler.now(EFFICIENCY, moment), None),
    };
    let mine = |indicator: &&Indicator| indicator.of.as_ref() == Some(&unit.name);
    UnitNow {
        name: Arc::clone(&unit.name),
        kind: unit.kind.name(),
        numbers,
        trackers,
        day: day.iter().filter(mine).cloned().collect(),
    }
}
