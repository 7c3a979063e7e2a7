//! Sensors as a unit names them, and what the ledger keeps of them.
//!
//! Of an analog value the ledger keeps the mean over each settlement interval and the
//! last word in it: a temperature or an irradiance is no energy, and a year of readings
//! is not a year of numbers. **An interval in which a sensor was silent has no mean.**

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::interval::Span;
use crate::domain::quality::{Gaps, Reason};
use crate::domain::stated::{Known, Stated};
use crate::domain::units::to_f64;

/// A sensor: one quantity of one meter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// The meter or sensor.
    pub meter: Arc<str>,
    /// Its quantity.
    pub quantity: Arc<str>,
}

/// Below this part of an interval, percent, a mean does not stand for it.
pub const LEAST_COVERAGE_PCT: f64 = 50.0;

/// An analog value over one settlement interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// Of what.
    pub input: Input,
    /// When.
    pub span: Span,
    /// Its mean over the time that is covered.
    pub mean: f64,
    /// The last reading in it.
    pub last: f64,
    /// The part of the interval between readings that lie close enough, percent.
    pub coverage_pct: f64,
}

impl Observed {
    /// Its mean, with what it rests on; unknown where it does not cover the interval.
    ///
    /// # Errors
    ///
    /// A gap of the sensor.
    pub fn stated(&self) -> Stated<f64> {
        if self.coverage_pct < LEAST_COVERAGE_PCT {
            return Err(Gaps::one(&self.input.meter, Reason::Stale));
        }
        Ok(Known {
            coverage_pct: self.coverage_pct,
            ..Known::given(self.mean)
        })
    }
}

/// How readings of a sensor are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// By a line, unless they lie further apart than this, ms.
    Line(i64),
    /// A value stands until the next one comes: the sensor speaks only when it changes.
    Step,
}

/// A mean under way.
///
/// Readings come in order of time; one that is older than the newest says nothing new.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// The interval that is summed.
    current: Option<Span>,
    /// Value times milliseconds.
    area: f64,
    /// Milliseconds that are covered.
    covered_ms: i64,
    /// The newest reading: when, ms, and what.
    newest: Option<(i64, f64)>,
    /// The value at the end of what is covered.
    last: Option<f64>,
}

impl Tally {
    /// Takes in a reading. Intervals that end before it are given out; `slot` says in
    /// which one a moment lies.
    pub fn hear(
        &mut self,
        input: &Input,
        (at, value): (Timestamp, f64),
        joint: Joint,
        slot: &dyn Fn(Timestamp) -> Span,
        out: &mut Vec<Observed>,
    ) {
        let ms = at.as_millisecond();
        if self.newest.is_some_and(|(before, _)| ms <= before) {
            return;
        }
        let mut current = *self.current.get_or_insert_with(|| slot(at));
        let joined = self.newest.filter(|(before, _)| match joint {
            Joint::Line(most) => ms - before <= most,
            Joint::Step => true,
        });
        while current.end <= at {
            self.cover(joined, (ms, value), joint, current);
            out.extend(self.give_out(input, current));
            // Where nothing joins the readings, what lies between them has nothing to say.
            current = match joined {
                Some(_) => slot(current.end),
                None => slot(at),
            };
            self.current = Some(current);
        }
        self.cover(joined, (ms, value), joint, current);
        if self.last.is_none() || joined.is_none() {
            self.last = Some(value);
        }
        self.newest = Some((ms, value));
    }

    /// The interval is over, and nothing more will be heard of it.
    pub fn close(&mut self, input: &Input, span: Span, joint: Joint, out: &mut Vec<Observed>) {
        if self.current != Some(span) {
            return;
        }
        if joint == Joint::Step
            && let Some((_, value)) = self.newest
        {
            self.cover(self.newest, (span.end.as_millisecond(), value), joint, span);
        }
        out.extend(self.give_out(input, span));
    }

    /// Adds the way from one reading to the next as far as it lies in an interval.
    fn cover(
        &mut self,
        from: Option<(i64, f64)>,
        (ms, value): (i64, f64),
        joint: Joint,
        current: Span,
    ) {
        let Some((before, was)) = from else { return };
        let start = before.max(current.start.as_millisecond());
        let end = ms.min(current.end.as_millisecond());
        if end <= start {
            return;
        }
        let on_the_way = |at: i64| match joint {
            Joint::Step => was,
            Joint::Line(_) => was + (value - was) * to_f64(at - before) / to_f64(ms - before),
        };
        self.area += (on_the_way(start) + on_the_way(end)) / 2.0 * to_f64(end - start);
        self.covered_ms += end - start;
        let at_the_reading = end == ms && joint != Joint::Step;
        self.last = Some(if at_the_reading {
            value
        } else {
            on_the_way(end)
        });
    }

    fn give_out(&mut self, input: &Input, span: Span) -> Option<Observed> {
        let (area, covered, last) = (self.area, self.covered_ms, self.last);
        self.area = 0.0;
        self.covered_ms = 0;
        self.last = None;
        let last = last.filter(|_| covered > 0)?;
        Some(Observed {
            input: input.clone(),
            span,
            mean: area / to_f64(covered),
            last,
            coverage_pct: 100.0 * to_f64(covered) / to_f64(span.ms()),
        })
    }
}
