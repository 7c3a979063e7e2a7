//! What came too late for the books: where it lies in the journal, and which intervals are
//! to be computed again with it.
//!
//! ```text
//!   late reading ──▶ place: blocks in which it lies ──▶ every recomputing finds it there
//!         └──fresh──▶ handed ──stored──▶ due ──▶ computed again ──▶ open, until its end is known
//! ```
//!
//! All of it goes to the ledger as a row of state with the block of the reading, and is
//! found again in the tail of the journal. **What is due stays due until it has been
//! computed again**; doing it twice changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::interval::Span;

/// Key of the row of state; no meter has such a name.
pub const LATE_STATE: &str = "/late";
/// Places that are kept apart: each is a backlog. Of more, the two nearest become one.
const MOST_PLACES: usize = 64;
/// Stretches of one meter that are kept apart. Of more, the two nearest become one.
const MOST_STRETCHES: usize = 16;
/// Blocks of one backlog follow each other at least this closely.
const ONE_BACKLOG_MS: i64 = 60_000;

/// Where late readings lie, and of when they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Tick of the first block, ms.
    pub first_ms: i64,
    /// Tick of the last one.
    pub last_ms: i64,
    /// Time of the oldest reading.
    pub from_ms: i64,
    /// Time of the newest.
    pub until_ms: i64,
}

/// Stretches of time in which whole intervals lie, `[from, until)` in ms, oldest first.
pub type Stretches = Vec<(i64, i64)>;

/// Intervals of meters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Due(pub BTreeMap<Arc<str>, Stretches>);

impl Due {
    /// Puts a stretch of a meter in its place.
    pub fn add(&mut self, meter: &Arc<str>, stretch: (i64, i64)) {
        let stretches = self.0.entry(Arc::clone(meter)).or_default();
        let within = |it: &(i64, i64)| it.0 <= stretch.0 && stretch.1 <= it.1;
        if stretches.iter().any(within) {
            return;
        }
        stretches.push(stretch);
        stretches.sort_unstable();
        let mut joined: Stretches = Vec::with_capacity(stretches.len());
        for (from, until) in stretches.drain(..) {
            match joined.last_mut() {
                Some(last) if last.1 >= from => last.1 = last.1.max(until),
                _ => joined.push((from, until)),
            }
        }
        join_nearest(
            &mut joined,
            MOST_STRETCHES,
            |a, b| b.0 - a.1,
            |a, b| (a.0, b.1),
        );
        *stretches = joined;
    }

    /// Takes in what another one has.
    pub fn absorb(&mut self, other: Due) {
        for (meter, stretches) in other.0 {
            for stretch in stretches {
                self.add(&meter, stretch);
            }
        }
    }

    /// Takes out what lies before a moment.
    pub fn take_before(&mut self, limit_ms: i64) -> Due {
        let mut taken = Due::default();
        for (meter, stretches) in std::mem::take(&mut self.0) {
            for (from, until) in stretches {
                if from < limit_ms {
                    taken.add(&meter, (from, until.min(limit_ms)));
                }
                if until > limit_ms {
                    self.add(&meter, (from.max(limit_ms), until));
                }
            }
        }
        taken
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many intervals of `length_ms`, each meter on its own.
    #[must_use]
    pub fn intervals(&self, length_ms: i64) -> u64 {
        let all = self.0.values().flatten();
        let ms: i64 = all.map(|(from, until)| until - from).sum();
        u64::try_from(ms / length_ms.max(1)).unwrap_or(0)
    }
}

/// Of more than `most`, makes one of the two that are nearest to each other.
fn join_nearest<T: Copy>(
    all: &mut Vec<T>,
    most: usize,
    apart: impl Fn(&T, &T) -> i64,
    joined: impl Fn(&T, &T) -> T,
) {
    while all.len() > most {
        let pairs = all.iter().zip(all.iter().skip(1)).enumerate();
        let nearest = pairs.min_by_key(|(_, (a, b))| apart(a, b));
        let Some((place, (a, b))) = nearest else {
            return;
        };
        let one = joined(a, b);
        all.remove(place + 1);
        if let Some(kept) = all.get_mut(place) {
            *kept = one;
        }
    }
}

/// What is remembered of late readings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Late {
    places: Vec<Place>,
    /// To be computed again.
    due: Due,
    /// Computed, and again when the readings behind it are there.
    open: Due,
    /// Of readings that are in no block yet, and of when these are.
    #[serde(skip)]
    fresh: (Due, Option<(i64, i64)>),
    /// Of readings whose block is on its way to the disk.
    #[serde(skip)]
    handed: Due,
    /// What is being computed: due and open.
    #[serde(skip)]
    under_way: (Due, Due),
}

impl Late {
    /// What the rows of state of an earlier run say.
    #[must_use]
    pub fn of_states(states: &[(String, String)]) -> Self {
        let row = states.iter().find(|(key, _)| key == LATE_STATE);
        let late = row.and_then(|(_, json)| serde_json::from_str(json).ok());
        late.unwrap_or_default()
    }

    /// Where late readings lie in the journal, oldest block first.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// A late reading of a meter, of an interval, that goes with the next block.
    pub fn heard(&mut self, meter: &Arc<str>, at: Timestamp, interval: Span) {
        let ms = at.as_millisecond();
        let (due, times) = &mut self.fresh;
        due.add(
            meter,
            (
                interval.start.as_millisecond(),
                interval.end.as_millisecond(),
            ),
        );
        *times = Some(times.map_or((ms, ms), |(from, until)| (from.min(ms), until.max(ms))));
    }

    /// The intervals of a meter from `from` to `until` are to be computed again, whatever
    /// was heard.
    pub fn again(&mut self, meter: &Arc<str>, from: Timestamp, until: Timestamp) {
        let stretch = (from.as_millisecond(), until.as_millisecond());
        self.due.add(meter, stretch);
    }

    /// What was heard goes with the block of a tick; whether there was anything.
    pub fn hand_over(&mut self, tick: Timestamp) -> bool {
        let (due, times) = std::mem::take(&mut self.fresh);
        let Some((from_ms, until_ms)) = times else {
            return false;
        };
        self.handed.absorb(due);
        let tick_ms = tick.as_millisecond();
        match self.places.last_mut() {
            Some(last) if tick_ms - last.last_ms <= ONE_BACKLOG_MS => {
                last.last_ms = last.last_ms.max(tick_ms);
                last.from_ms = last.from_ms.min(from_ms);
                last.until_ms = last.until_ms.max(until_ms);
            }
            _ => self.places.push(Place {
                first_ms: tick_ms,
                last_ms: tick_ms,
                from_ms,
                until_ms,
            }),
        }
        join_nearest(
            &mut self.places,
            MOST_PLACES,
            |a, b| b.first_ms - a.last_ms,
            |a, b| Place {
                first_ms: a.first_ms,
                last_ms: b.last_ms,
                from_ms: a.from_ms.min(b.from_ms),
                until_ms: a.until_ms.max(b.until_ms),
            },
        );
        true
    }

    /// The block is on disk: what goes with it may be computed.
    pub fn stored(&mut self) {
        let handed = std::mem::take(&mut self.handed);
        self.due.absorb(handed);
    }

    /// Takes what is due before a moment, and what is open. Until [`Self::done`] or
    /// [`Self::failed`] nothing else is taken.
    pub fn begin(&mut self, limit_ms: i64) -> Option<(Due, Due)> {
        if !self.under_way.0.is_empty() || !self.under_way.1.is_empty() {
            return None;
        }
        self.under_way = (
            self.due.take_before(limit_ms),
            self.open.take_before(limit_ms),
        );
        let (due, open) = &self.under_way;
        (!due.is_empty() || !open.is_empty()).then(|| self.under_way.clone())
    }

    /// It has been computed; `open` of it is to be computed once more.
    pub fn done(&mut self, open: Due) {
        self.under_way = Default::default();
        self.open.absorb(open);
    }

    /// It has not been computed.
    pub fn failed(&mut self) {
        let (due, open) = std::mem::take(&mut self.under_way);
        self.due.absorb(due);
        self.open.absorb(open);
    }

    /// Intervals that wait, each meter on its own.
    #[must_use]
    pub fn waiting(&self, length_ms: i64) -> u64 {
        let all = [&self.fresh.0, &self.handed, &self.due, &self.under_way.0];
        all.iter().map(|due| due.intervals(length_ms)).sum()
    }

    /// The row of state.
    #[must_use]
    pub fn row(&self) -> (String, String) {
        let mut kept = Self {
            places: self.places.clone(),
            due: self.due.clone(),
            open: self.open.clone(),
            ..Self::default()
        };
        kept.due.absorb(self.handed.clone());
        kept.due.absorb(self.under_way.0.clone());
        kept.open.absorb(self.under_way.1.clone());
        let json = serde_json::to_string(&kept).unwrap_or_default();
        (LATE_STATE.to_owned(), json)
    }
}

#[cfg(test)]
#[path = "late_tests.rs"]
mod tests;
