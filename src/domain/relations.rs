//! How the meters of a park stand to each other.
//!
//! What a meter says of itself is in its row of the configuration; what it says about
//! another one is here: which meter
//! stands behind which, which measures the same, which is computed from others, which
//! transformer lies between it and the boundary, and what becomes of a gap. **No relation changes what a
//! meter showed**: the raw value stays, and what follows from it stands beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::expression::Expression;
use super::topology::Topology;
use super::transformer::Transformer;

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

/// Every way with a register, by its name in configuration and JSON.
pub const REGISTERS: &[(&str, Registers)] =
    &[("shaped", Registers::Shaped), ("even", Registers::Even)];
/// Every way without one.
pub const INTEGRALS: &[(&str, Integrals)] = &[
    ("missing", Integrals::Missing),
    ("estimated", Integrals::Estimated),
];

impl GapPolicy {
    /// The names of what is done with a register and without.
    #[must_use]
    pub fn names(self) -> (&'static str, &'static str) {
        let registers = REGISTERS.iter().find(|row| row.1 == self.registers);
        let integrals = INTEGRALS.iter().find(|row| row.1 == self.integrals);
        (
            registers.map_or("shaped", |row| row.0),
            integrals.map_or("missing", |row| row.0),
        )
    }

    /// The policy of two names.
    #[must_use]
    pub fn named(registers: &str, integrals: &str) -> Option<Self> {
        Some(Self {
            registers: REGISTERS.iter().find(|row| row.0 == registers)?.1,
            integrals: INTEGRALS.iter().find(|row| row.0 == integrals)?.1,
        })
    }
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

/// On which side of a transformer the boundary of ownership lies; the meter is on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// The transformer is the park's: its losses are added to what the meter says.
    GridSide,
    /// The transformer is the grid's: its losses are taken off.
    ParkSide,
}

/// Every side by its name in configuration and JSON.
pub const BOUNDARIES: &[(&str, Boundary)] = &[
    ("grid_side", Boundary::GridSide),
    ("park_side", Boundary::ParkSide),
];

/// A transformer between a meter and the boundary.
#[derive(Debug, Clone, PartialEq)]
pub struct Compensation {
    /// The meter at the grid connection.
    pub meter: Arc<str>,
    /// The meter that stands for the losses: its positive channel is what import loses,
    /// the other what export loses.
    pub loss: Arc<str>,
    /// The transformer.
    pub transformer: Transformer,
    /// Its rated voltage between two phases on the side of the meter, V.
    pub rated_v: f64,
    /// Where the boundary lies.
    pub boundary: Boundary,
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
    /// Transformers between meters and the boundary.
    pub compensations: Vec<Compensation>,
}

impl Relations {
    /// What a meter is computed from, if it is.
    #[must_use]
    pub fn expression(&self, meter: &str) -> Option<&Expression> {
        let one = self.derived.iter().find(|one| *one.meter == *meter)?;
        Some(&one.expression)
    }

    /// The transformer between a meter and the boundary, if there is one.
    #[must_use]
    pub fn compensation(&self, meter: &str) -> Option<&Compensation> {
        self.compensations.iter().find(|one| *one.meter == *meter)
    }

    /// The transformer whose losses a meter stands for, if it does.
    #[must_use]
    pub fn lost(&self, meter: &str) -> Option<&Compensation> {
        self.compensations.iter().find(|one| *one.loss == *meter)
    }

    /// Whether nobody reads a meter, because it follows from others.
    #[must_use]
    pub fn is_computed(&self, meter: &str) -> bool {
        self.expression(meter).is_some() || self.lost(meter).is_some()
    }
}
