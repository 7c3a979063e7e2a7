//! How the meters of a park stand to each other.
//!
//! What a meter says of itself is in its row of the configuration; what it says about
//! another one is here: which meter
//! stands behind which, and which is computed from others. **No relation changes what a
//! meter showed**: the raw value stays, and what follows from it stands beside it.

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

/// How the meters of a park stand to each other.
#[derive(Debug, Clone, Default)]
pub struct Relations {
    /// Which meter stands behind which.
    pub topology: Topology,
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
