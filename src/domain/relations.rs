//! How the meters of a park stand to each other.
//!
//! What a meter says of itself is in its row of the configuration; what it says about
//! another one is here: which meter stands behind which. **No relation changes what a
//! meter showed**: the raw value stays, and what follows from it stands beside it.

use super::topology::Topology;

/// How the meters of a park stand to each other.
#[derive(Debug, Clone, Default)]
pub struct Relations {
    /// Which meter stands behind which.
    pub topology: Topology,
}
