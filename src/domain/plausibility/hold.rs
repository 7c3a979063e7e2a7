//! How long something must be seen before it is said.
//!
//! ```text
//!   seen ──lasts──▶ open ──clear lasts──▶ closed
//!     └─ clear ──▶ forgotten        unknown: time stands still
//! ```
//!
//! **A gap never opens a finding, and never closes one.** Time counts only from one
//! look that knew to the next, so the time of a silent meter, or of a daemon that was
//! not there, is nobody's proof.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::finding::{Judged, Seen};

/// How long all must be well before a finding closes: a load that swings about its
/// limit is one finding and not sixty.
const CLEAR_MS: i64 = 60_000;
/// Unknown for longer than this, what was seen before is not the beginning of what is
/// seen after.
const FORGET_MS: i64 = 3_600_000;

/// What must happen before a finding opens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Needs {
    /// To be seen for so many milliseconds.
    Lasting(i64),
    /// To be seen so many times in a row.
    InARow(u32),
    /// To be seen once; it then stands for so many milliseconds.
    Once(i64),
}

/// The state of one check of one meter.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Hold {
    /// When it was first seen.
    since: Option<Timestamp>,
    /// For how long it was seen, or how many times.
    held: i64,
    /// For how long all was well, or nobody knew.
    other_ms: i64,
    /// What was found, while it is open.
    open: Option<Seen>,
}

/// What became of it at a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It came.
    Opened,
    /// It went.
    Closed,
}

impl Hold {
    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.since.is_none()
    }

    /// What was found, and when it began, while it is open.
    pub fn open(&self) -> Option<(Timestamp, &Seen)> {
        Some((self.since?, self.open.as_ref()?))
    }

    /// Takes in a look, `ms` after the one before.
    pub fn step(&mut self, now: Timestamp, ms: i64, judged: Judged, needs: Needs) -> Option<Turn> {
        match judged {
            Judged::Seen(seen) => self.seen(now, ms, *seen, needs),
            Judged::Clear => self.clear(ms, needs),
            Judged::Not(_) => {
                if self.open.is_none() && self.since.is_some() {
                    self.other_ms += ms;
                    if self.other_ms > FORGET_MS {
                        *self = Self::default();
                    }
                }
                None
            }
            Judged::Later => None,
        }
    }

    fn seen(&mut self, now: Timestamp, ms: i64, seen: Seen, needs: Needs) -> Option<Turn> {
        let unknown_before = std::mem::take(&mut self.other_ms) > 0;
        let fresh = self.since.is_none();
        self.since.get_or_insert(now);
        if self.open.is_some() {
            return None;
        }
        let lasted = match needs {
            Needs::Lasting(needed) => {
                // The time before the first look, and across a gap, was not seen.
                self.held += if fresh || unknown_before { 0 } else { ms };
                self.held >= needed
            }
            Needs::InARow(times) => {
                self.held += 1;
                self.held >= i64::from(times)
            }
            Needs::Once(_) => true,
        };
        lasted.then(|| {
            self.open = Some(seen);
            Turn::Opened
        })
    }

    fn clear(&mut self, ms: i64, needs: Needs) -> Option<Turn> {
        if self.open.is_none() {
            *self = Self::default();
            return None;
        }
        self.other_ms += ms;
        let stands = match needs {
            Needs::Lasting(_) => CLEAR_MS,
            Needs::InARow(_) => 0,
            Needs::Once(stands) => stands,
        };
        if self.other_ms < stands {
            return None;
        }
        *self = Self::default();
        Some(Turn::Closed)
    }
}
