//! Whether a balance closes as well as its meters allow.
//!
//! ```text
//!   Σ signed values = residual          u_c² = Σ u²
//!   |residual| > 2 u_c, more than three intervals in a row ──▶ flagged
//! ```
//!
//! No balance closes to zero. Its residual is measured against its own uncertainty: of
//! the classes of its meters and transformers, the steps of their registers, and the
//! moments at which they were read. **The residual is shown as it is**; a single excess
//! may be a cloud between two readings, a lasting one is a wrong meter.

mod accuracy;
mod class;
mod drift;
mod monitor;
mod node;
mod reconciled;
mod values;

pub use accuracy::{Accuracy, Ramp, UNSEEN_PART, Uncertainty, quantum_uncertainty};
pub use class::{Class, TRANSFORMER_CLASSES, Told, transformer_pct};
pub use drift::{Drift, DriftLevel, DriftLimits, drift};
pub use monitor::{Judged, Monitor, NodeChange, NodeView, Past, Settings, State};
pub use node::{LOSSES_PCT, Node, Open, Part, balance_parts, lost_behind, nodes};
pub use reconciled::{Reconciliation, Suspect, SuspectMeter};
pub use values::{Amounts, Missing, Worth};

use super::flow::Stated;

/// A member of a balance node.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// 1 for what flows in, -1 for what flows out.
    pub sign: f64,
    /// Its value.
    pub value: Stated<f64>,
    /// Its standard uncertainty, in the unit of the value.
    pub uncertainty: f64,
}

/// What is left of a balance, and how much of it the meters explain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Residual {
    /// The signed sum.
    pub value: f64,
    /// Its standard uncertainty.
    pub uncertainty: f64,
}

/// The residual of a node; unknown if a member is.
pub fn residual(members: &[Member]) -> Stated<Residual> {
    let zero = Residual {
        value: 0.0,
        uncertainty: 0.0,
    };
    let mut sum: Stated<Residual> = Ok(super::flow::Known::given(zero));
    for member in members {
        let part = member.value.as_ref().map_err(Clone::clone).map(|known| {
            known.with(Residual {
                value: member.sign * known.value,
                uncertainty: member.uncertainty,
            })
        });
        sum = super::balance::combine(&sum, &part, |a, b| Residual {
            value: a.value + b.value,
            uncertainty: a.uncertainty.hypot(b.uncertainty),
        });
    }
    sum
}

/// When a residual is flagged.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// How many standard uncertainties a residual may be: 2 is 95 %.
    pub uncertainties: f64,
    /// How many intervals in a row may exceed this.
    pub in_a_row: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            uncertainties: 2.0,
            in_a_row: 3,
        }
    }
}

/// What became of a node in one interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The meters explain the residual.
    Closed,
    /// They do not, for so many intervals in a row.
    Exceeded(u32),
    /// They do not, and it lasts.
    Flagged(u32),
    /// The residual is unknown: this interval proves nothing either way.
    Unknown,
}

/// Watches one node over intervals.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Watch {
    limits: Limits,
    row: u32,
}

impl Watch {
    /// A watch that has seen nothing.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, row: 0 }
    }

    /// The same row under the limits of today.
    #[must_use]
    pub fn under(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Intervals in a row that exceeded.
    #[must_use]
    pub fn row(&self) -> u32 {
        self.row
    }

    /// Takes in an interval. One that is unknown neither ends a row nor adds to it.
    pub fn hear(&mut self, residual: &Stated<Residual>) -> Verdict {
        let Ok(known) = residual else {
            return Verdict::Unknown;
        };
        let Residual { value, uncertainty } = known.value;
        if value.abs() <= self.limits.uncertainties * uncertainty {
            self.row = 0;
            return Verdict::Closed;
        }
        self.row = self.row.saturating_add(1);
        if self.row > self.limits.in_a_row {
            Verdict::Flagged(self.row)
        } else {
            Verdict::Exceeded(self.row)
        }
    }
}

#[cfg(test)]
mod tests;
