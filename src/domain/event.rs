//! What happened to meters and no register tells: an exchange, a reset, another ratio, a
//! value that a person answers for.
//!
//! ```text
//!   readings ──────────▶│ last          first │──────────▶ readings
//!               old segment    the event     new segment
//! ```
//!
//! **An event changes no reading.** It says how the readings around it are to be
//! understood, by whom and why; what was computed without it stays as an earlier
//! revision. A register before and after an event is counted in two segments, each of
//! which adds up to its closing minus its opening reading.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::interval::{Channel, Entry, Span};
use super::provenance::Made;
use super::quality::Quality;
use super::units::{CountUnit, MilliwattHours};

/// Something that happened to one register of a meter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeterEvent {
    /// Its place in the ledger of events, from 1; 0 before it is there.
    #[serde(default)]
    pub number: u64,
    /// The meter.
    pub meter: Arc<str>,
    /// Which of its registers.
    pub channel: Channel,
    /// When it happened.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// Who says so.
    pub who: String,
    /// Why.
    pub why: String,
    /// When it was entered.
    pub entered: Timestamp,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// Another device hangs there.
    Exchange(Break),
    /// The register was set to another value.
    Reset(Break),
    /// A count is worth something else from now on.
    Ratio(Break),
    /// What really flowed from then until `until`, by a person's word.
    Correction {
        /// The end.
        until: Timestamp,
        /// How much flowed.
        energy: MilliwattHours,
    },
    /// An earlier event is not so.
    Withdrawn {
        /// Its number.
        of: u64,
    },
}

/// Where one segment of a register ends and the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Break {
    /// What the register showed at last, in counts. Without it the energy since the
    /// reading before is not known, and excluded.
    pub last: Option<i64>,
    /// What it shows at first, in counts.
    pub first: i64,
    /// What a count is worth from then on, where it is another worth.
    #[serde(default)]
    pub worth: Option<CountUnit>,
}

/// Why an event cannot be entered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It did not happen yet.
    #[error("{0} is not over yet: an event is entered when it has happened")]
    Future(Timestamp),
    /// A correction of no time.
    #[error("a correction ends after it begins; this one ends at {0}")]
    Empty(Timestamp),
    /// A correction that cuts an interval in two.
    #[error(
        "{0} is not the boundary of a settlement interval: whole intervals are corrected, \
         because nobody knows how much of one lies before or after"
    )]
    NoBoundary(Timestamp),
    /// Less than nothing.
    #[error("{0} Wh went the other way: correct the register of that way")]
    Negative(String),
    /// Two events say different things of one moment.
    #[error(
        "event {number} says something of the same register at that time; withdraw it first: \
         sunledger meter-event withdraw {number}"
    )]
    Overlaps {
        /// The other one.
        number: u64,
    },
    /// Nobody to ask.
    #[error("an event without {0} cannot be explained later")]
    Anonymous(&'static str),
    /// Nothing to withdraw.
    #[error("there is no event {0} that stands; `sunledger meter-event list` shows them")]
    Unknown(u64),
}

impl MeterEvent {
    /// The time of which it speaks.
    fn span(&self) -> (Timestamp, Timestamp) {
        match self.what {
            What::Correction { until, .. } => (self.at, until),
            _ => (self.at, self.at),
        }
    }

    /// How it breaks the register.
    #[must_use]
    pub fn breaks(&self) -> Option<Break> {
        match self.what {
            What::Exchange(at) | What::Reset(at) | What::Ratio(at) => Some(at),
            What::Correction { .. } | What::Withdrawn { .. } => None,
        }
    }

    /// Its kind, for people.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.what {
            What::Exchange(_) => "exchange",
            What::Reset(_) => "reset",
            What::Ratio(_) => "ratio",
            What::Correction { .. } => "correction",
            What::Withdrawn { .. } => "withdrawn",
        }
    }

    /// The energy that a correction gives one interval: in proportion to time, so that
    /// the intervals of the correction add up to it exactly.
    fn share(&self, span: Span) -> Option<MilliwattHours> {
        let What::Correction { until, energy } = self.what else {
            return None;
        };
        if span.start < self.at || span.end > until {
            return None;
        }
        let begin = i128::from(self.at.as_millisecond());
        let whole = i128::from(until.as_millisecond()) - begin;
        let until_then = |at: Timestamp| {
            let part = i128::from(at.as_millisecond()) - begin;
            (i128::from(energy.0) * part).div_euclid(whole.max(1))
        };
        let share = until_then(span.end) - until_then(span.start);
        Some(MilliwattHours(i64::try_from(share).ok()?))
    }
}

/// The events that stand: without those that were withdrawn, in order of time.
#[must_use]
pub fn standing(events: &[MeterEvent]) -> Vec<MeterEvent> {
    let withdrawn = |number: u64| {
        let mut all = events.iter();
        all.any(|event| matches!(event.what, What::Withdrawn { of } if of == number))
    };
    let mut standing: Vec<MeterEvent> = events
        .iter()
        .filter(|event| !matches!(event.what, What::Withdrawn { .. }))
        .filter(|event| !withdrawn(event.number))
        .cloned()
        .collect();
    standing.sort_by_key(|event| (event.at, event.number));
    standing
}

/// Whether an event may be entered beside those that are there.
///
/// `is_boundary` tells whether a settlement interval begins at a moment.
///
/// # Errors
///
/// The first [`Refusal`] that applies.
pub fn admit(
    event: &MeterEvent,
    events: &[MeterEvent],
    is_boundary: &dyn Fn(Timestamp) -> bool,
) -> Result<(), Refusal> {
    for (name, text) in [("who says it", &event.who), ("a reason", &event.why)] {
        if text.trim().is_empty() {
            return Err(Refusal::Anonymous(name));
        }
    }
    let standing = standing(events);
    if let What::Withdrawn { of } = event.what {
        let known = standing.iter().any(|other| other.number == of);
        return known.then_some(()).ok_or(Refusal::Unknown(of));
    }
    let (from, until) = event.span();
    if until > event.entered {
        return Err(Refusal::Future(until));
    }
    if let What::Correction { energy, .. } = event.what {
        if until <= from {
            return Err(Refusal::Empty(until));
        }
        if let Some(cut) = [from, until].into_iter().find(|at| !is_boundary(*at)) {
            return Err(Refusal::NoBoundary(cut));
        }
        if energy < MilliwattHours::ZERO {
            return Err(Refusal::Negative(energy.to_wh_string()));
        }
    }
    let same_kind = |other: &&MeterEvent| other.breaks().is_some() == event.breaks().is_some();
    let overlaps = |other: &&MeterEvent| {
        let (begin, end) = other.span();
        match event.breaks() {
            Some(_) => begin == from,
            None => begin < until && from < end,
        }
    };
    let of_register =
        |other: &&MeterEvent| other.meter == event.meter && other.channel == event.channel;
    match standing
        .iter()
        .filter(of_register)
        .filter(same_kind)
        .find(overlaps)
    {
        Some(other) => Err(Refusal::Overlaps {
            number: other.number,
        }),
        None => Ok(()),
    }
}

/// An entry as the corrections that stand have it.
#[must_use]
pub fn corrected(mut entry: Entry, standing: &[MeterEvent]) -> Entry {
    let mut shares = standing
        .iter()
        .filter(|event| event.meter == entry.meter && event.channel == entry.channel)
        .filter_map(|event| event.share(entry.span));
    if let Some(share) = shares.next_back() {
        entry.energy = Ok(share);
        entry.quality = Quality::Manual;
        entry.made = Made::MANUAL;
    }
    entry
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
