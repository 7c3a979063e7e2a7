//! Readings from before the start, as the demo has them.

use jiff::Timestamp;

use crate::domain::snapshot::Reading;

/// The readings up to a moment, and the moment.
pub struct Step {
    /// When the balance is struck.
    pub at: Timestamp,
    /// What was heard before.
    pub readings: Vec<Reading>,
}

/// A past, step by step. Its steps are evenly apart, `every` seconds.
pub struct History {
    /// Seconds between steps.
    pub every_s: u64,
    /// The steps, oldest first.
    pub steps: Box<dyn Iterator<Item = Step> + Send>,
}
