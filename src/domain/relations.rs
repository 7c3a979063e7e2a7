//! How the meters of a park stand to each other.
//!
//! What a meter says of itself is in its row of the configuration; what it says about
//! another one is here: which meter
//! stands behind which, which measures the same, which is computed from others, and what
//! becomes of a gap. **No relation changes what a
//! meter showed**: the raw value stays, and what follows from it stands beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::expression::Expression;
use super::topology::Topology;

/// A meter that is computed from others.
#[derive(Debug, Clone, PartialEq)]
pub struct Derived {
    /// The meter.
    pub meter: Arc<str>,
    /// What it is.
    pub expression: Expression,
}

/// How what a register counted over a long gap is divided among the intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registers {
    /// By the ladder of this module.
    #[default]
    Shaped,
    /// In proportion to time.
    Even,
}

/// What becomes of a gap where there is no register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Integrals {
    /// It stays unknown.
    #[default]
    Missing,
    /// It is estimated.
    Estimated,
}

/// What the configuration wants done about gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GapPolicy {
    /// With a register.
    pub registers: Registers,
    /// Without one.
    pub integrals: Integrals,
}

/// What the registers of a three-phase meter count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterMode {
    /// The sum of the phases counts: what one phase exports, another may use.
    Vectorial,
    /// Each phase counts.
    PerPhase,
    /// Nobody says.
    Unknown,
}

/// Every mode by its name in configuration and JSON.
pub const REGISTER_MODES: &[(&str, RegisterMode)] = &[
    ("vectorial", RegisterMode::Vectorial),
    ("per_phase", RegisterMode::PerPhase),
    ("unknown", RegisterMode::Unknown),
];

impl RegisterMode {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let row = REGISTER_MODES.iter().find(|row| row.1 == self);
        row.map_or("unknown", |row| row.0)
    }
}

/// How the meters of a park stand to each other.
#[derive(Debug, Clone, Default)]
pub struct Relations {
    /// Which meter stands behind which.
    pub topology: Topology,
    /// Meters beside others that measure the same, by the id of those.
    pub check_meters: BTreeMap<Arc<str>, Arc<str>>,
    /// What the registers of a meter count, where somebody says it.
    pub register_modes: BTreeMap<Arc<str>, RegisterMode>,
    /// What becomes of gaps.
    pub gaps: GapPolicy,
    /// Meters that are computed from others; each from meters before it in the list.
    pub derived: Vec<Derived>,
}

impl Relations {
    /// What a meter is computed from, if it is.
    #[must_use]
    pub fn expression(&self, meter: &str) -> Option<&Expression> {
        let one = self.derived.iter().find(|one| *one.meter == *meter)?;
        Some(&one.expression)
    }
}
