//! What a sink says about itself, for the live view, metrics and status.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// The state of one sink. Shared; reading copies it.
#[derive(Debug, Default)]
pub struct SinkStats(Mutex<Numbers>);

/// What a sink knows at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Field values in the journal that the database does not have yet.
    pub backlog_points: u64,
    /// Tick of the oldest block that waits.
    pub oldest: Option<Timestamp>,
    /// When a batch was last stored.
    pub last_ok: Option<Timestamp>,
    /// Why the last request did not succeed; none after one that did.
    pub last_error: Option<String>,
    /// What an operator has to set right; none while nothing is.
    pub alarm: Option<String>,
    /// Requests by the status of their answer; 0 where there was none.
    pub requests: BTreeMap<u16, u64>,
    /// Field values of the blocks that the cursor passed; those set aside included.
    pub delivered_points: u64,
    /// Bytes sent, compressed.
    pub sent_bytes: u64,
    /// Rows set aside.
    pub quarantined: u64,
    /// Messages that a broker has acknowledged; none for a sink that sends rows.
    pub messages: Option<u64>,
    /// States that a newer one replaced before they went out; none for a sink that sends rows.
    pub passed_over: Option<u64>,
}

impl SinkStats {
    /// The numbers as they stand.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        self.with(|numbers| numbers.clone())
    }

    /// Changes the numbers.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Numbers) -> T) -> T {
        // A panic elsewhere leaves numbers that are still worth showing.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
