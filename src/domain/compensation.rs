//! Energy at the boundary of ownership, where a transformer lies between it and the meter.
//!
//! ```text
//!   grid_side   grid ── boundary ──[ transformer ]── meter ── park     losses are added
//!   park_side   grid ── meter ──[ transformer ]── boundary ── park     and taken off
//! ```
//!
//! What the transformer takes is split at every moment into the part by which import
//! differs on its two sides, and the part by which export does. With `grid_side`:
//!
//! | at the meter | the loss is of |
//! |---|---|
//! | import, or nothing | import |
//! | export of more than the loss | export |
//! | export of less than the loss | export, as much as there is; the rest of import |
//!
//! So an idle park imports its iron losses, and no moment has a negative direction. **The
//! registers are never altered**: the two parts are energies of their own, integrated
//! from the powers of the meter, and the boundary is the sum, to the milliwatt-hour.
//!
//! The losses of a transformer on the park's side of the boundary are consumption of the
//! park, and stand in its `losses`; those of the grid's are not the park's at all.

use super::balance::{Amount, Parts, add, members, subtract};
use super::flow::Stated;
use super::meter::{Carrier, MeterIndex, Park, Term};
use super::quality::Quality;
use super::relations::{Boundary, Compensation};
use super::transformer::{Complex, TransformerError};

/// A voltage beyond these parts of the rated one is of another side, or of a secondary.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 0.5..=1.5;

/// What is known of the current beside the active power.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Beside {
    /// Reactive power, var.
    Reactive(f64),
    /// Apparent power, VA.
    Apparent(f64),
    /// The meter measures neither; the current is that of the active power alone.
    Nothing,
}

/// What a meter says at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metered {
    /// W; positive is import.
    pub active_w: f64,
    /// What else says how much current flows.
    pub beside: Beside,
    /// Between two phases, V; none where it is not known.
    pub voltage_v: Option<f64>,
}

/// What a transformer takes at a moment, and what that makes of the boundary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// W; never negative.
    pub active_w: f64,
    /// var; never negative.
    pub reactive_var: f64,
    /// By how much import differs on the two sides, W.
    pub of_import_w: f64,
    /// By how much export does, W. Both together are the loss.
    pub of_export_w: f64,
    /// Power at the boundary, W; positive is import.
    pub boundary_w: f64,
    /// The same, var, where the meter measures it.
    pub boundary_var: Option<f64>,
    /// Whether the rated voltage stands for one that is not known.
    pub at_rated_voltage: bool,
}

/// Why the losses of a moment are not known.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum LossError {
    /// The voltage is that of somewhere else.
    #[error(
        "{measured_v:.1} V between two phases is {pct:.1} % of the {rated_v} V of \
         `rated_voltage`; is that the voltage of the meter's side, and does the meter show \
         primary volts?",
        pct = measured_v / rated_v * 100.0
    )]
    Voltage {
        /// As measured.
        measured_v: f64,
        /// Of the data plate.
        rated_v: f64,
    },
    /// The formula has no answer.
    #[error(transparent)]
    Transformer(#[from] TransformerError),
}

impl Compensation {
    /// What the transformer takes while the meter says this.
    ///
    /// # Errors
    ///
    /// [`LossError`] where power flows at a voltage that cannot be the meter's.
    pub fn loss(&self, metered: Metered) -> Result<Loss, LossError> {
        let Metered { active_w, .. } = metered;
        let reactive = match metered.beside {
            Beside::Reactive(var) => var,
            Beside::Apparent(va) => (va * va - active_w * active_w).max(0.0).sqrt(),
            Beside::Nothing => 0.0,
        };
        let complex = Complex {
            active_w,
            reactive_var: reactive,
        };
        let voltage = metered.voltage_v.map_or(1.0, |volts| volts / self.rated_v);
        let flows = active_w != 0.0 || reactive != 0.0;
        if flows && !PLAUSIBLE.contains(&voltage) {
            return Err(LossError::Voltage {
                measured_v: voltage * self.rated_v,
                rated_v: self.rated_v,
            });
        }
        let loss = self.transformer.losses(complex, voltage)?;
        let sign = match self.boundary {
            Boundary::GridSide => 1.0,
            Boundary::ParkSide => -1.0,
        };
        let boundary_w = active_w + sign * loss.active_w;
        // On the side that gives, the smaller of two exports, or of two imports.
        let of_export_w = match self.boundary {
            Boundary::GridSide => loss.active_w.min((-active_w).max(0.0)),
            Boundary::ParkSide => loss.active_w.min((-boundary_w).max(0.0)),
        };
        Ok(Loss {
            active_w: loss.active_w,
            reactive_var: loss.reactive_var,
            of_import_w: loss.active_w - of_export_w,
            of_export_w,
            boundary_w,
            boundary_var: match metered.beside {
                Beside::Reactive(var) => Some(var + sign * loss.reactive_var),
                Beside::Apparent(_) | Beside::Nothing => None,
            },
            at_rated_voltage: metered.voltage_v.is_none(),
        })
    }

    /// What crossed the boundary, from what the meter counted and what was lost, each by
    /// direction.
    ///
    /// A register moves in steps and its loss does not: where export was lost before the
    /// register showed it, the export is below zero until it does, and suspect.
    #[must_use]
    pub fn parts<N: Amount>(&self, metered: &Parts<N>, lost: &Parts<N>) -> Parts<N> {
        let (positive, negative) = match self.boundary {
            Boundary::GridSide => (
                add(&metered.positive, &lost.positive),
                subtract(&metered.negative, &lost.negative),
            ),
            Boundary::ParkSide => (
                subtract(&metered.positive, &lost.positive),
                add(&metered.negative, &lost.negative),
            ),
        };
        Parts {
            positive: flagged(positive),
            negative: flagged(negative),
        }
    }

    /// The power that crosses the boundary, signed, from both powers.
    ///
    /// # Errors
    ///
    /// The gaps of both.
    pub fn power(&self, metered: &Stated<f64>, lost: &Stated<f64>) -> Stated<f64> {
        match self.boundary {
            Boundary::GridSide => add(metered, lost),
            Boundary::ParkSide => subtract(metered, lost),
        }
    }
}

/// A direction below zero is shown, and is not what it seems.
fn flagged<N: Amount>(stated: Stated<N>) -> Stated<N> {
    stated.map(|mut known| {
        if known.value < N::ZERO {
            known.quality = known.quality.worst(Quality::Suspect);
        }
        known
    })
}

/// The transformer of a meter in a balance, with the meter of its losses.
#[must_use]
pub fn of(park: &Park, index: MeterIndex, carrier: Carrier) -> Option<(&Compensation, MeterIndex)> {
    if park.relations.compensations.is_empty() || carrier != Carrier::Electricity {
        return None;
    }
    let meter = park.meters.get(index)?;
    let one = park.relations.compensation(&meter.id)?;
    Some((one, park.meter(&one.loss)?))
}

/// The meters of the losses that a boundary has: those of the meters that a balance counts.
pub fn lost_at(park: &Park, boundary: Boundary) -> Vec<MeterIndex> {
    if park.relations.compensations.is_empty() {
        return Vec::new();
    }
    let grid = members(park, Carrier::Electricity, Term::Grid).into_iter();
    grid.filter_map(|index| of(park, index, Carrier::Electricity))
        .filter(|(one, _)| one.boundary == boundary)
        .map(|(_, loss)| loss)
        .collect()
}

#[cfg(test)]
#[path = "compensation_tests.rs"]
mod tests;
