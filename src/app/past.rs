//! What the ledger knows of other days and other meters, for whoever fills gaps.

use std::path::Path;

use tracing::warn;

use crate::domain::estimate::Past;
use crate::domain::interval::{Channel, Span};
use crate::domain::quality::Quality;
use crate::domain::units::MilliwattHours;
use crate::store::{LedgerReader, StoreError};

/// A ledger of its own connection.
pub struct LedgerPast(LedgerReader);

impl LedgerPast {
    /// The ledger of a store.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        LedgerReader::open(dir).map(Self)
    }
}

impl Past for LedgerPast {
    fn energies(
        &self,
        meter: &str,
        channel: Channel,
        stretch: Span,
    ) -> Vec<(Span, MilliwattHours, Quality)> {
        let found = self.0.channel(meter, channel, stretch.start, stretch.end);
        // A gap is then spread as if nothing were known.
        found.unwrap_or_else(|error| {
            warn!(%error, meter, "The ledger does not tell how other days were.");
            Vec::new()
        })
    }
}
