//! What had to be given up, and what waits and may have to be: counted by the
//! heart, shown by the metrics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Counts of the heart.
#[derive(Debug, Default)]
pub struct Losses {
    held: AtomicU64,
    held_readings_lost: AtomicU64,
    readings_unwritten: AtomicU64,
    values_unwritten: AtomicU64,
    disk_hangs: AtomicBool,
}

impl Losses {
    /// A reading was given up because too many waited for a trusted clock.
    pub fn held_reading(&self) {
        self.held_readings_lost.fetch_add(1, Relaxed);
    }

    /// A reading of so many values was booked and not written, because too much waited for
    /// the disk. Returns whether it was the first since the last [`Self::take_values`].
    pub fn unwritten_reading(&self, values: usize) -> bool {
        self.readings_unwritten.fetch_add(1, Relaxed);
        let values = u64::try_from(values).unwrap_or(u64::MAX);
        self.values_unwritten.fetch_add(values, Relaxed) == 0
    }

    /// Values of readings that were given up since this was asked last.
    pub fn take_values(&self) -> u64 {
        self.values_unwritten.swap(0, Relaxed)
    }

    /// So many readings wait for a trusted clock.
    pub fn set_held(&self, held: usize) {
        self.held
            .store(u64::try_from(held).unwrap_or(u64::MAX), Relaxed);
    }

    /// Whether the disk owes an answer for too long.
    pub fn set_disk_hangs(&self, hangs: bool) {
        self.disk_hangs.store(hangs, Relaxed);
    }

    /// Readings that wait for a trusted clock.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.load(Relaxed)
    }

    /// Readings given up because too many waited for a trusted clock.
    #[must_use]
    pub fn held_readings_lost(&self) -> u64 {
        self.held_readings_lost.load(Relaxed)
    }

    /// Readings that are in the books and not in the journal.
    #[must_use]
    pub fn readings_unwritten(&self) -> u64 {
        self.readings_unwritten.load(Relaxed)
    }

    /// Whether the disk owes an answer for too long.
    #[must_use]
    pub fn disk_hangs(&self) -> bool {
        self.disk_hangs.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_given_up_are_told_once_and_the_first_of_each_gap_is_known() {
        let losses = Losses::default();
        assert_eq!(losses.take_values(), 0);
        assert!(losses.unwritten_reading(3));
        assert!(!losses.unwritten_reading(2));
        assert_eq!(losses.take_values(), 5);
        assert_eq!(losses.take_values(), 0);
        assert!(losses.unwritten_reading(1), "another gap");
        assert_eq!(losses.readings_unwritten(), 3, "the metric goes on");
    }
}
