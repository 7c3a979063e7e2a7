//! Counts of what sources heard, by meter, for metrics.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;

use crate::domain::meter::MeterIndex;
use crate::domain::quality::Reason;
use crate::sys::clock;

/// How one read, or one message, went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An answer of the right form; single values in it may still be missing.
    Ok,
    /// No answer in time.
    Timeout,
    /// The device refused.
    Exception,
    /// An answer that does not hold what was asked for.
    Short,
    /// No connection.
    Connect,
}

impl Outcome {
    /// Every outcome, with its label in metrics.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Ok, "ok"),
        (Self::Timeout, "timeout"),
        (Self::Exception, "exception"),
        (Self::Short, "decode"),
        (Self::Connect, "connect"),
    ];
}

/// Why a message of a broker was thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// Larger than a sensor's.
    TooLarge,
    /// No text where text is expected.
    NotText,
    /// No JSON where JSON is expected.
    NotJson,
    /// Nested deeper than anyone measures.
    TooDeep,
    /// Not what Sparkplug says.
    Malformed,
    /// Of a topic that is no sensor's.
    UnknownTopic,
}

impl Rejected {
    /// Every reason, with its label in metrics.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::TooLarge, "too_large"),
        (Self::NotText, "not_text"),
        (Self::NotJson, "not_json"),
        (Self::TooDeep, "too_deep"),
        (Self::Malformed, "malformed"),
        (Self::UnknownTopic, "unknown_topic"),
    ];
}

impl From<Reason> for Outcome {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Timeout => Self::Timeout,
            Reason::Exception => Self::Exception,
            Reason::Connect => Self::Connect,
            _ => Self::Short,
        }
    }
}

/// Never succeeded.
const NEVER: i64 = i64::MIN;

#[derive(Debug)]
struct Cells {
    counts: [AtomicU64; Outcome::ALL.len()],
    last_ok_ms: AtomicI64,
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            counts: Default::default(),
            last_ok_ms: AtomicI64::new(NEVER),
        }
    }
}

/// What one meter has to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterCounts {
    /// Reads by outcome, in the order of [`Outcome::ALL`].
    pub counts: [(Outcome, u64); Outcome::ALL.len()],
    /// When it last answered, by the wall clock.
    pub last_ok: Option<Timestamp>,
}

impl MeterCounts {
    /// How many reads went this way.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.counts
            .iter()
            .find(|row| row.0 == outcome)
            .map_or(0, |row| row.1)
    }
}

/// Counts of all sources of a park; shared, without a lock.
#[derive(Debug)]
pub struct SourceStats {
    meters: Vec<Cells>,
    dropped: AtomicU64,
    rejected: [AtomicU64; Rejected::ALL.len()],
}

impl SourceStats {
    /// Counts of nothing, for a park of so many meters.
    #[must_use]
    pub fn new(meters: usize) -> Self {
        Self {
            meters: (0..meters).map(|_| Cells::default()).collect(),
            dropped: AtomicU64::new(0),
            rejected: Default::default(),
        }
    }

    /// Counts one read of a meter.
    pub fn count(&self, meter: MeterIndex, outcome: Outcome) {
        let Some(cells) = self.meters.get(meter) else {
            return;
        };
        for ((row, _), cell) in Outcome::ALL.iter().zip(&cells.counts) {
            if *row == outcome {
                cell.fetch_add(1, Ordering::Relaxed);
            }
        }
        if outcome == Outcome::Ok {
            let now = clock::wall().as_millisecond();
            cells.last_ok_ms.store(now, Ordering::Relaxed);
        }
    }

    /// Counts what was heard and did not fit into the queue to the app.
    pub(super) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// How much was heard and did not fit into the queue to the app.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Counts a message that was thrown away.
    pub(super) fn count_rejected(&self, why: Rejected) {
        for ((row, _), cell) in Rejected::ALL.iter().zip(&self.rejected) {
            if *row == why {
                cell.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How many messages were thrown away, by label.
    #[must_use]
    pub fn rejected(&self) -> Vec<(&'static str, u64)> {
        let rows = Rejected::ALL.iter().zip(&self.rejected);
        rows.map(|((_, label), cell)| (*label, cell.load(Ordering::Relaxed)))
            .collect()
    }

    /// The counts of every meter, in the order of the park.
    #[must_use]
    pub fn snapshot(&self) -> Vec<MeterCounts> {
        self.meters
            .iter()
            .map(|cells| {
                let mut counts = Outcome::ALL.map(|(outcome, _)| (outcome, 0));
                for (row, cell) in counts.iter_mut().zip(&cells.counts) {
                    row.1 = cell.load(Ordering::Relaxed);
                }
                let last_ok_ms = cells.last_ok_ms.load(Ordering::Relaxed);
                let last_ok = Some(last_ok_ms)
                    .filter(|ms| *ms != NEVER)
                    .and_then(|ms| Timestamp::from_millisecond(ms).ok());
                MeterCounts { counts, last_ok }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_counted_by_meter_and_outcome() {
        let stats = SourceStats::new(2);
        stats.count(1, Outcome::Timeout);
        stats.count(1, Outcome::Timeout);
        stats.count(7, Outcome::Ok);
        let seen = stats.snapshot();
        assert_eq!(seen[1].of(Outcome::Timeout), 2);
        assert_eq!(seen[1].last_ok, None);
        stats.count(1, Outcome::Ok);
        let seen = stats.snapshot();
        assert_eq!(seen[1].of(Outcome::Ok), 1);
        assert!(seen[1].last_ok.is_some());
        assert_eq!(seen[0].of(Outcome::Timeout), 0);
        assert_eq!(seen[0].last_ok, None);
    }
}
