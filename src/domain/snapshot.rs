//! What devices said: one [`Reading`] as it comes, and the latest word of every
//! point in a [`Snapshot`].
//!
//! A reading is stamped at the midpoint of request and answer. A device that did
//! not answer yields a reading whose values are reasons, never zeros. The order
//! of arrival does not matter: an older reading never replaces a newer one.
//!
//! A lost answer does not erase the value before it: that one stands until it is
//! stale. A device that says "no value" does erase it.

use std::time::Duration;

use jiff::Timestamp;

use super::meter::{Freshness, Meter, MeterIndex, Park, PointIndex};
use super::quality::Reason;
use super::units::CountUnit;

/// A value in the canonical unit of its quantity, sign and multiplier applied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Of an analog quantity; always finite.
    Analog(f64),
    /// Of a register: the raw count.
    Count(i64),
    /// Of a register whose worth the device tells: the raw count, and that worth.
    Scaled {
        /// The raw count.
        count: i64,
        /// What one count was worth when it was read.
        unit: CountUnit,
        /// Bits after which the register starts again at zero; 0 where it never does,
        /// or nobody knows.
        bits: u8,
    },
}

/// What one device said at one moment, or why it said nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Who.
    pub meter: MeterIndex,
    /// Midpoint of request and answer.
    pub at: Timestamp,
    /// Values by point; a point that was not asked is not listed.
    pub values: Vec<(PointIndex, Result<Value, Reason>)>,
}

/// The latest word of one point.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Word {
    /// The last value, and when.
    value: Option<(Timestamp, Value)>,
    /// What went wrong after it, and when.
    trouble: Option<(Timestamp, Reason)>,
}

/// A value that stands at the moment of asking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The value.
    pub value: Value,
    /// When it was read.
    pub at: Timestamp,
}

/// The latest word of every meter.
#[derive(Debug, Clone)]
pub struct Snapshot {
    words: Vec<Vec<Word>>,
}

impl Snapshot {
    /// A snapshot in which nothing was heard.
    #[must_use]
    pub fn new(park: &Park) -> Self {
        let words = park
            .meters
            .iter()
            .map(|meter| vec![Word::default(); meter.points.len()])
            .collect();
        Self { words }
    }

    /// Takes in what a meter said.
    pub fn accept(&mut self, reading: &Reading) {
        let Some(words) = self.words.get_mut(reading.meter) else {
            return;
        };
        for (point, said) in &reading.values {
            let Some(word) = words.get_mut(*point) else {
                continue;
            };
            match said {
                Ok(value) => {
                    if word.value.is_none_or(|(at, _)| at <= reading.at) {
                        word.value = Some((reading.at, *value));
                    }
                    if word.trouble.is_some_and(|(at, _)| at <= reading.at) {
                        word.trouble = None;
                    }
                }
                Err(reason) => {
                    let newest = word
                        .trouble
                        .map(|(at, _)| at)
                        .max(word.value.map(|(at, _)| at));
                    if newest.is_none_or(|at| at <= reading.at) {
                        word.trouble = Some((reading.at, *reason));
                    }
                }
            }
        }
    }

    /// The value of a point that stands at `now`.
    ///
    /// # Errors
    ///
    /// The reason why there is none: what went wrong last, `stale` where nothing
    /// did but the value is too old, `never_seen` where nothing was heard at all.
    pub fn standing(
        &self,
        meter: &Meter,
        index: MeterIndex,
        point: PointIndex,
        now: Timestamp,
    ) -> Result<Standing, Reason> {
        let word = self
            .words
            .get(index)
            .and_then(|words| words.get(point))
            .copied();
        let word = word.unwrap_or_default();
        let trouble = word.trouble.map(|(_, reason)| reason);
        let Some((at, value)) = word.value else {
            return Err(trouble.unwrap_or(Reason::NeverSeen));
        };
        if let Some(reason) = trouble
            && reason.is_said_by_device()
        {
            return Err(reason);
        }
        match meter.freshness {
            Freshness::Within(limit) if age(at, now) > limit => {
                Err(trouble.unwrap_or(Reason::Stale))
            }
            Freshness::UntilChanged if trouble == Some(Reason::Connect) => Err(Reason::Connect),
            _ => Ok(Standing { value, at }),
        }
    }

    /// The last value of a point, however old, and the trouble since.
    #[must_use]
    pub fn last(&self, index: MeterIndex, point: PointIndex) -> (Option<Standing>, Option<Reason>) {
        let word = self
            .words
            .get(index)
            .and_then(|words| words.get(point))
            .copied();
        let word = word.unwrap_or_default();
        let value = word.value.map(|(at, value)| Standing { value, at });
        (value, word.trouble.map(|(_, reason)| reason))
    }
}

/// How long ago `at` was; zero for a moment that is still to come.
#[must_use]
pub fn age(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(at)).unwrap_or_default()
}
