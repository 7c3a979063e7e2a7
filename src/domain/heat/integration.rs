//! Heat over time: the sum of increments of volume, each with its own temperatures.
//!
//! ```text
//!   increment ─┬─ too slow a flow ──────▶ below_flow
//!              ├─ too small a spread ───▶ below_spread      set aside, and kept
//!              ├─ supply hotter ────────▶ positive ┐
//!              └─ return hotter ────────▶ negative ┴─▶ heat
//! ```
//!
//! Mean temperatures times the whole volume are not the heat: three increments of one
//! night give 467 kWh in sum and 198 kWh by their means.
//!
//! **No sum swallows another.** A heat that flows backwards is a sum of its own with
//! its sign, and what the cut-offs keep out of the heat is counted beside it.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::fluid::FluidError;
use super::meter::{HeatMeter, S_PER_HOUR, flow_weighted_mean};

/// Below what a heat meter does not count, and below what it counts badly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CutOffs {
    /// Least flow, m³/h.
    pub flow_m3h: f64,
    /// Least difference of temperatures in either direction, K.
    pub spread_k: f64,
    /// ΔΘmin: below it the class of the meter promises nothing, K.
    pub least_spread_k: f64,
}

impl CutOffs {
    /// What heat meters do that say nothing else: 0.2 % of the greatest flow, 0.2 K,
    /// and a class from 3 K.
    #[must_use]
    pub fn usual(greatest_flow_m3h: f64) -> Self {
        Self {
            flow_m3h: 0.002 * greatest_flow_m3h,
            spread_k: 0.2,
            least_spread_k: 3.0,
        }
    }

    /// Where the heat of a flow in m³/h and a signed spread in K belongs.
    #[must_use]
    pub fn place(&self, flow_m3h: f64, spread_k: f64) -> Place {
        if flow_m3h == 0.0 || flow_m3h < self.flow_m3h {
            Place::BelowFlow
        } else if spread_k.abs() < self.spread_k {
            Place::BelowSpread
        } else if spread_k < 0.0 {
            Place::Negative
        } else {
            Place::Positive
        }
    }

    /// Whether the class of the meter promises nothing at a spread: below ΔΘmin.
    #[must_use]
    pub fn below_least_spread(&self, spread_k: f64) -> bool {
        spread_k.abs() < self.least_spread_k
    }
}

/// Where heat belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// To the load.
    Positive,
    /// From the load.
    Negative,
    /// Set aside: too slow a flow, or none.
    BelowFlow,
    /// Set aside: too small a spread.
    BelowSpread,
}

/// What passed the flow sensor between two looks at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Increment {
    /// Volume, m³; never negative.
    pub volume_m3: f64,
    /// Time that it took, s.
    pub seconds: f64,
    /// Supply during that time, °C.
    pub supply: f64,
    /// Return during that time, °C.
    pub back: f64,
}

/// Why an increment is not counted.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum IncrementError {
    /// A volume that went back.
    #[error(
        "volume went back by {0} m³, and a volume register only advances; \
         was it reset, or is the flow sensor mounted against the flow?"
    )]
    NegativeVolume(f64),
    /// A time that is none.
    #[error("{0} s is no time between two looks at a flow sensor; it is longer than nothing")]
    NoTime(f64),
    /// A value that no sensor reports.
    #[error("{0} is not a finite number")]
    NotFinite(&'static str),
    /// The fluid's properties are unknown.
    #[error(transparent)]
    Fluid(#[from] FluidError),
}

impl Increment {
    /// The increment that a mass flow sensor in the pipe of `meter` saw, kg.
    ///
    /// # Errors
    ///
    /// [`FluidError`] where the fluid is not known as a liquid in that pipe.
    pub fn of_mass(
        meter: &HeatMeter,
        kilograms: f64,
        seconds: f64,
        supply: f64,
        back: f64,
    ) -> Result<Self, FluidError> {
        Ok(Self {
            volume_m3: kilograms / meter.density(supply, back)?,
            seconds,
            supply,
            back,
        })
    }

    fn check(&self) -> Result<(), IncrementError> {
        for (value, name) in [
            (self.volume_m3, "the volume"),
            (self.seconds, "the time"),
            (self.supply, "the supply temperature"),
            (self.back, "the return temperature"),
        ] {
            if !value.is_finite() {
                return Err(IncrementError::NotFinite(name));
            }
        }
        if self.volume_m3 < 0.0 {
            return Err(IncrementError::NegativeVolume(-self.volume_m3));
        }
        if self.seconds <= 0.0 {
            return Err(IncrementError::NoTime(self.seconds));
        }
        Ok(())
    }
}

/// A sum of increments.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Sum {
    /// Heat, J.
    pub joules: f64,
    /// Volume, m³.
    pub volume_m3: f64,
    /// How many.
    pub increments: u64,
}

impl Sum {
    fn add(&mut self, joules: f64, volume_m3: f64) {
        *self += Self {
            joules,
            volume_m3,
            increments: 1,
        };
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.joules += other.joules;
        self.volume_m3 += other.volume_m3;
        self.increments += other.increments;
    }
}

/// What a heat meter counted.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Counted {
    /// Heat to the load.
    pub positive: Sum,
    /// Heat from the load; its joules are negative or zero.
    pub negative: Sum,
    /// Set aside: the flow was below its cut-off.
    pub below_flow: Sum,
    /// Set aside: the spread was below its cut-off.
    pub below_spread: Sum,
    /// The part of `positive` and `negative` whose spread was below ΔΘmin.
    pub below_least_spread: Sum,
    /// Volume times supply temperature of all increments, m³·°C.
    pub volume_supply: f64,
    /// Volume times return temperature of all increments, m³·°C.
    pub volume_back: f64,
}

impl Counted {
    /// Counts an increment and says where; a refused one leaves no trace.
    ///
    /// No volume carries no heat, whatever the two sensors say while they drift apart.
    ///
    /// # Errors
    ///
    /// [`IncrementError`] for an increment that cannot be, and where the fluid's
    /// properties are unknown: its heat is unknown then, not zero.
    pub fn count(
        &mut self,
        meter: &HeatMeter,
        cut_offs: &CutOffs,
        increment: &Increment,
    ) -> Result<Place, IncrementError> {
        increment.check()?;
        let volume = increment.volume_m3;
        let (supply, back) = (increment.supply, increment.back);
        let spread = supply - back;
        let joules = if volume == 0.0 {
            0.0
        } else {
            volume * meter.heat_per_cubic_metre(supply, back)?
        };
        let place = cut_offs.place(volume / increment.seconds * S_PER_HOUR, spread);
        match place {
            Place::Positive => self.positive.add(joules, volume),
            Place::Negative => self.negative.add(joules, volume),
            Place::BelowFlow => self.below_flow.add(joules, volume),
            Place::BelowSpread => self.below_spread.add(joules, volume),
        }
        let is_heat = matches!(place, Place::Positive | Place::Negative);
        if is_heat && cut_offs.below_least_spread(spread) {
            self.below_least_spread.add(joules, volume);
        }
        self.volume_supply += volume * supply;
        self.volume_back += volume * back;
        Ok(place)
    }

    /// Heat to the load minus heat from it, without what was set aside, J.
    #[must_use]
    pub fn heat_j(&self) -> f64 {
        self.positive.joules + self.negative.joules
    }

    /// Everything that passed, m³.
    #[must_use]
    pub fn volume_m3(&self) -> f64 {
        [
            self.positive,
            self.negative,
            self.below_flow,
            self.below_spread,
        ]
        .iter()
        .map(|sum| sum.volume_m3)
        .sum()
    }

    /// Flow-weighted means of supply and return, °C; none without volume.
    #[must_use]
    pub fn mean_temperatures(&self) -> Option<(f64, f64)> {
        let volume = self.volume_m3();
        Some((
            flow_weighted_mean(self.volume_supply, volume)?,
            flow_weighted_mean(self.volume_back, volume)?,
        ))
    }
}

impl AddAssign for Counted {
    fn add_assign(&mut self, other: Self) {
        self.positive += other.positive;
        self.negative += other.negative;
        self.below_flow += other.below_flow;
        self.below_spread += other.below_spread;
        self.below_least_spread += other.below_least_spread;
        self.volume_supply += other.volume_supply;
        self.volume_back += other.volume_back;
    }
}

#[cfg(test)]
#[path = "integration_tests.rs"]
mod tests;
