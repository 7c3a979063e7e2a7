//! A counter and what its flow amounts to, over the same stretches of time.
//!
//! ```text
//!   flow     ──╲──╱──╲───       ╱───  integrated between two counts
//!   counter  0 ─── 1 ──── 2  gap  3   counted between the same two
//! ```
//!
//! Trapezoids on the moments that are there, never a rectangle with a period that is
//! not kept. A stretch with a gap in the flow is left out on both sides.

use serde::{Deserialize, Serialize};

use crate::domain::units::to_f64;

/// Both sides over some time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Sums {
    /// What the flow amounts to, in its unit times hours.
    pub integrated: f64,
    /// What was counted.
    pub counted: f64,
    /// Over which time, ms.
    pub covered_ms: i64,
    /// Whether the values are known to be wrong.
    pub tainted: bool,
}

/// Both sides of a day so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Pair {
    /// The last flow and its moment.
    flow: Option<(i64, f64)>,
    /// Since the last count.
    pending: f64,
    /// When the counter was last heard, while the flow since is known.
    counted_ms: Option<i64>,
    /// Where a counter of volume stood.
    stood: Option<f64>,
    /// What the flow amounts to, in its unit times hours.
    pub integrated: f64,
    /// What was counted.
    pub counted: f64,
    /// Over which time, ms.
    pub covered_ms: i64,
    /// Whether the values of today are known to be wrong.
    pub tainted: bool,
    /// The day before; none before the first.
    #[serde(default)]
    pub yesterday: Option<Sums>,
    /// All days before today.
    #[serde(default)]
    pub before: Sums,
}

impl Pair {
    /// The day so far.
    pub fn today(&self) -> Sums {
        Sums {
            integrated: self.integrated,
            counted: self.counted,
            covered_ms: self.covered_ms,
            tainted: self.tainted,
        }
    }

    /// Whether both sides were ever heard together.
    pub fn was_compared(&self) -> bool {
        self.covered_ms > 0 || self.before.covered_ms > 0
    }

    /// The flow at a moment.
    pub fn flows(&mut self, at: i64, flow: f64, gap_ms: i64) {
        if let Some((then, was)) = self.flow {
            let ms = at - then;
            if ms < 0 {
                return;
            }
            if ms > gap_ms {
                self.counted_ms = None;
            }
            self.pending += (flow + was) / 2.0 * to_f64(ms) / 3_600_000.0;
        }
        self.flow = Some((at, flow));
    }

    /// The counter moved by so much since it was last heard.
    pub fn counts(&mut self, at: i64, by: f64, gap_ms: i64) {
        let Some((then, flow)) = self.flow else {
            return;
        };
        if at - then > gap_ms {
            self.counted_ms = None;
        }
        // The flow up to here is that of a moment ago.
        let rest = flow * to_f64(at - then) / 3_600_000.0;
        if let Some(since) = self.counted_ms {
            self.integrated += self.pending + rest;
            self.counted += by;
            self.covered_ms += at - since;
        }
        self.pending = -rest;
        self.counted_ms = Some(at);
    }

    /// The counter is heard anew: what it moved before is not known.
    pub fn begin(&mut self, at: i64, gap_ms: i64) {
        self.counted_ms = None;
        self.counts(at, 0.0, gap_ms);
    }

    /// A counter says where it stands.
    pub fn stands(&mut self, at: i64, position: f64, gap_ms: i64) {
        match self.stood.replace(position) {
            Some(before) if position >= before => self.counts(at, position - before, gap_ms),
            _ => self.begin(at, gap_ms),
        }
    }

    /// Begins a day.
    pub fn new_day(&mut self) {
        let day = self.today();
        self.before.integrated += day.integrated;
        self.before.counted += day.counted;
        self.before.covered_ms += day.covered_ms;
        self.yesterday = Some(day);
        (self.integrated, self.counted) = (0.0, 0.0);
        (self.covered_ms, self.tainted) = (0, false);
    }

    /// The values of this day are known to be wrong.
    pub fn taint(&mut self) {
        self.tainted = true;
    }
}
