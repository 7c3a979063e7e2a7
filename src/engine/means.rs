//! Means of the sensors that the plant reads, interval by interval.
//!
//! Temperatures and irradiance are no energies, and have no entries. What the indicators of
//! a period need of them is their mean over each settlement interval and their last word in
//! it; both go to the ledger when the interval closes.

use std::collections::BTreeMap;

use super::Engine;
use crate::domain::interval::Span;
use crate::domain::meter::{Freshness, Meter, PointIndex};
use crate::domain::plant::{Input, Joint, Observed, Tally};
use crate::domain::snapshot::{Reading, Value};

/// Key of the row of means; no meter has such a name.
pub const MEANS_STATE: &str = "/means";

/// A sensor that is watched.
struct Watched {
    input: Input,
    point: PointIndex,
    joint: Joint,
    tally: Tally,
}

/// All that are watched, by meter.
#[derive(Default)]
pub(super) struct Means {
    by_meter: Vec<Vec<Watched>>,
    pub(super) given_out: Vec<Observed>,
    /// The row of an earlier run, until the sensors are named.
    earlier: Option<String>,
}

fn joint(meter: &Meter) -> Joint {
    match meter.freshness {
        Freshness::Within(limit) => {
            Joint::Line(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX))
        }
        Freshness::UntilChanged => Joint::Step,
    }
}

impl Means {
    pub(super) fn of(earlier: Option<&str>) -> Self {
        Self {
            earlier: earlier.map(str::to_owned),
            ..Self::default()
        }
    }

    fn all(&self) -> impl Iterator<Item = &Watched> {
        self.by_meter.iter().flatten()
    }

    /// The row of state; none where nothing is watched.
    pub(super) fn row(&self) -> Option<(String, String)> {
        let tallies: Vec<(&str, &str, &Tally)> = self
            .all()
            .map(|one| (&*one.input.meter, &*one.input.quantity, &one.tally))
            .collect();
        if tallies.is_empty() {
            return None;
        }
        let json = serde_json::to_string(&tallies).ok()?;
        Some((MEANS_STATE.to_owned(), json))
    }
}

impl Engine {
    /// Names the sensors whose means are kept.
    pub fn watch(&mut self, inputs: &[Input]) {
        let earlier = self.means.earlier.take();
        let kept: Vec<(String, String, Tally)> = earlier
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or_default();
        let kept: BTreeMap<(&str, &str), Tally> = kept
            .iter()
            .map(|(meter, quantity, tally)| ((meter.as_str(), quantity.as_str()), *tally))
            .collect();
        self.means.by_meter = self.park.meters.iter().map(|_| Vec::new()).collect();
        for input in inputs {
            let index = self.park.meter(&input.meter);
            let meter = index.and_then(|index| self.park.meters.get(index));
            let Some((meter, index)) = meter.zip(index) else {
                continue;
            };
            let Some(point) = meter.point(&input.quantity) else {
                continue;
            };
            let tally = kept.get(&(&*input.meter, &*input.quantity));
            if let Some(watched) = self.means.by_meter.get_mut(index) {
                watched.push(Watched {
                    input: input.clone(),
                    point,
                    joint: joint(meter),
                    tally: tally.copied().unwrap_or_default(),
                });
            }
        }
    }

    /// The sensors whose means are kept.
    pub(super) fn watched(&self) -> Vec<Input> {
        self.means.all().map(|one| one.input.clone()).collect()
    }

    /// Takes in what a meter said, where it is watched.
    pub(super) fn hear_means(&mut self, reading: &Reading) {
        let Some(watched) = self.means.by_meter.get_mut(reading.meter) else {
            return;
        };
        let calendar = &self.calendar;
        for one in watched {
            let said = reading.values.iter().find(|(point, _)| *point == one.point);
            if let Some((_, Ok(Value::Analog(value)))) = said {
                let word = (reading.at, *value);
                let slot = |at| calendar.slot(at);
                one.tally.hear(
                    &one.input,
                    word,
                    one.joint,
                    &slot,
                    &mut self.means.given_out,
                );
            }
        }
    }

    /// An interval closes: what was heard of it is all.
    pub(super) fn close_means(&mut self, span: Span) {
        for one in self.means.by_meter.iter_mut().flatten() {
            one.tally
                .close(&one.input, span, one.joint, &mut self.means.given_out);
        }
    }

    pub(super) fn take_means(&mut self) -> Vec<Observed> {
        std::mem::take(&mut self.means.given_out)
    }
}
