//! Numbers of a unit: of a moment, and of a period.

use std::sync::Arc;

use crate::domain::quality::{Gaps, Quality};
use crate::domain::stated::{Known, Stated};

/// A number of a unit at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    /// Its name, which ends in its unit where it has one.
    pub name: &'static str,
    /// The number and what it rests on, or what is missing for it. A number that rests on
    /// known inputs and is none all the same (0/0, the sun is down) is none inside.
    pub stated: Stated<Option<f64>>,
    /// Why there is none although nothing is missing, or what to know of it.
    pub note: Option<String>,
}

impl Number {
    /// A number.
    #[must_use]
    pub fn new(name: &'static str, stated: Stated<f64>) -> Self {
        Self {
            name,
            stated: stated.map(|known| known.with(Some(known.value))),
            note: None,
        }
    }

    /// A ratio that is none where its whole is.
    #[must_use]
    pub fn ratio(name: &'static str, stated: Stated<Option<f64>>, why_none: &str) -> Self {
        let none = matches!(&stated, Ok(known) if known.value.is_none());
        Self {
            name,
            stated,
            note: none.then(|| why_none.to_owned()),
        }
    }

    /// The number with something to know of it.
    #[must_use]
    pub fn noted(mut self, note: Option<String>) -> Self {
        self.note = note.or(self.note);
        self
    }

    /// The number, where it is known.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.stated.as_ref().ok().and_then(|known| known.value)
    }
}

/// An indicator against a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// The limit.
    pub limit: f64,
    /// Whether the limit is the most that is allowed, and not the least.
    pub at_most: bool,
    /// Whether it is kept; none where the indicator is unknown.
    pub kept: Option<bool>,
}

/// A number of a period, from sums over its intervals.
#[derive(Debug, Clone, PartialEq)]
pub struct Indicator {
    /// The unit that it is about; the park where it is none.
    pub of: Option<Arc<str>>,
    /// Its name.
    pub name: &'static str,
    /// Its unit; empty for a ratio.
    pub unit: &'static str,
    /// The number; none where an input is unknown in any interval, and for 0/0.
    pub value: Option<f64>,
    /// Worst quality of its inputs; `missing` where there is no number.
    pub quality: Quality,
    /// The part of the period's time that its inputs cover, percent.
    pub coverage_pct: f64,
    /// What is missing.
    pub gaps: Option<Gaps>,
    /// Intervals of the period.
    pub intervals: usize,
    /// Those in which an input is unknown.
    pub unknown_intervals: usize,
    /// The same over the other intervals alone: never the number of the period.
    pub of_known: Option<f64>,
    /// Its limit, where it has one.
    pub judged: Option<Judgement>,
    /// Why there is no number, or what to know of it.
    pub note: Option<String>,
}

impl Indicator {
    /// The indicator as one of a unit.
    #[must_use]
    pub fn about(mut self, unit: &Arc<str>) -> Self {
        self.of = Some(Arc::clone(unit));
        self
    }

    /// The indicator with something to know of it; what it says already goes first.
    #[must_use]
    pub fn noted(mut self, note: &str) -> Self {
        self.note = Some(match self.note {
            Some(said) => format!("{said}; {note}"),
            None => note.to_owned(),
        });
        self
    }
}

/// What several statements rest on together: everything that is missing, or all numbers.
pub(super) fn all<const N: usize>(stated: [&Stated<f64>; N]) -> Stated<[f64; N]> {
    let rests = rests_on(&stated)?;
    let values = stated.map(|one| one.as_ref().map_or(f64::NAN, |known| known.value));
    Ok(rests.with(values))
}

/// The evidence of any number of statements.
pub(super) fn rests_on(stated: &[&Stated<f64>]) -> Stated<()> {
    let mut sum: Stated<f64> = Ok(Known::given(0.0));
    for one in stated {
        sum = super::super::stated::combine(&sum, one, |_, _| 0.0);
    }
    sum.map(|known| known.with(()))
}

/// Derived at best: computed from other measurements.
pub(super) fn derived<N>(mut known: Known<N>) -> Known<N> {
    known.quality = known.quality.worst(Quality::Derived);
    known
}
