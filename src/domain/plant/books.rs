//! A period of the ledger, interval by interval, and sums over it.
//!
//! **An indicator is a ratio of sums over the same intervals.** One in which an input is
//! unknown makes the indicator unknown; what the others come to stands beside it, by
//! another name, with how many they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::input::{Input, Observed};
use super::number::Indicator;
use crate::domain::flow::{Flow, Known, Stated};
use crate::domain::interval::{Channel, Entry, Interval, Span};
use crate::domain::meter::{Carrier, Park};
use crate::domain::quality::{Gaps, Quality, Reason};
use crate::domain::units::to_f64;

/// One interval of a period.
#[derive(Debug, Clone)]
pub struct Slot {
    /// When.
    pub span: Span,
    /// Its flows, where the ledger has them.
    pub interval: Option<Interval>,
    /// What the channels of meters moved.
    pub entries: Vec<Entry>,
    /// Means of sensors.
    pub observed: Vec<Observed>,
}

/// Every interval of a period, with what the ledger has of each.
#[must_use]
pub fn slots(
    spans: impl Iterator<Item = Span>,
    intervals: Vec<Interval>,
    entries: Vec<Entry>,
    observed: Vec<Observed>,
) -> Vec<Slot> {
    let mut slots: BTreeMap<Span, Slot> = spans
        .map(|span| {
            let slot = Slot {
                span,
                interval: None,
                entries: Vec::new(),
                observed: Vec::new(),
            };
            (span, slot)
        })
        .collect();
    for interval in intervals {
        if let Some(slot) = slots.get_mut(&interval.span) {
            slot.interval = Some(interval);
        }
    }
    for entry in entries {
        if let Some(slot) = slots.get_mut(&entry.span) {
            slot.entries.push(entry);
        }
    }
    for one in observed {
        if let Some(slot) = slots.get_mut(&one.span) {
            slot.observed.push(one);
        }
    }
    slots.into_values().collect()
}

impl Slot {
    /// Energy of a flow, milliwatt-hours.
    ///
    /// # Errors
    ///
    /// What is missing; the ledger itself where it does not know the interval.
    pub fn flow(&self, flow: Flow) -> Stated<f64> {
        match &self.interval {
            None => Err(Gaps::one(&"ledger".into(), Reason::NeverSeen)),
            Some(interval) => {
                let stated = interval.flows.of(flow).clone();
                stated.map(|known| known.with(to_f64(known.value.0)))
            }
        }
    }

    /// What one channel of a meter moved, milliwatt-hours. A way that the meter does not
    /// count is nothing, unless it is the only one.
    ///
    /// # Errors
    ///
    /// The meter.
    pub fn side(
        &self,
        park: &Park,
        id: &Arc<str>,
        carrier: Carrier,
        positive: bool,
    ) -> Stated<f64> {
        let channel = Channel { carrier, positive };
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.meter == *id && entry.channel == channel);
        match entry {
            Some(entry) => match entry.energy {
                Ok(energy) => Ok(Known {
                    quality: entry.quality,
                    coverage_pct: entry.coverage_pct,
                    made: entry.made,
                    ..Known::given(to_f64(energy.0))
                }),
                Err(reason) => Err(Gaps::one(id, reason)),
            },
            None => match park.meter(id).and_then(|index| park.meters.get(index)) {
                None => Err(Gaps::one(id, Reason::Config)),
                Some(meter) => {
                    let channels = crate::domain::interval::channels(meter);
                    let counts = channels.iter().any(|(one, _)| *one == channel);
                    if positive || counts {
                        Err(Gaps::one(id, Reason::NeverSeen))
                    } else {
                        Ok(Known::given(0.0))
                    }
                }
            },
        }
    }

    /// The net energy of a meter in the direction of its role, milliwatt-hours.
    ///
    /// # Errors
    ///
    /// The meter.
    pub fn net(&self, park: &Park, id: &Arc<str>, carrier: Carrier) -> Stated<f64> {
        let (forth, back) = (
            self.side(park, id, carrier, true),
            self.side(park, id, carrier, false),
        );
        super::super::stated::combine(&forth, &back, |forth, back| forth - back)
    }

    fn seen(&self, input: &Input) -> Option<&Observed> {
        self.observed.iter().find(|one| one.input == *input)
    }

    /// The mean of a sensor.
    ///
    /// # Errors
    ///
    /// The sensor.
    pub fn mean(&self, input: &Input) -> Stated<f64> {
        match self.seen(input) {
            Some(observed) => observed.stated(),
            None => Err(Gaps::one(&input.meter, Reason::NeverSeen)),
        }
    }

    /// What a sensor said at the end of the interval.
    ///
    /// # Errors
    ///
    /// The sensor.
    pub fn last(&self, input: &Input) -> Stated<f64> {
        let observed = self.seen(input);
        let observed = observed.ok_or_else(|| Gaps::one(&input.meter, Reason::NeverSeen))?;
        Ok(observed.stated()?.with(observed.last))
    }

    /// Its length in hours.
    #[must_use]
    pub fn hours(&self) -> f64 {
        to_f64(self.span.ms()) / 3.6e6
    }
}

/// Sums of several amounts over the intervals in which all of them are known.
#[derive(Debug, Clone)]
pub struct Total {
    sums: Vec<f64>,
    quality: Quality,
    coverage_pct: f64,
    gaps: Option<Gaps>,
    intervals: usize,
    unknown: usize,
}

/// Adds up amounts over a period.
pub fn total(slots: &[Slot], amounts: impl Fn(&Slot) -> Vec<Stated<f64>>) -> Total {
    let mut total = Total {
        sums: Vec::new(),
        quality: Quality::Good,
        coverage_pct: 0.0,
        gaps: None,
        intervals: slots.len(),
        unknown: 0,
    };
    let (mut covered, mut whole) = (0.0, 0.0);
    for slot in slots {
        let stated = amounts(slot);
        total.sums.resize(stated.len(), 0.0);
        let length = to_f64(slot.span.ms());
        whole += length;
        let mut least = 100.0_f64;
        let mut known = true;
        for one in &stated {
            match one {
                Ok(one) => least = least.min(one.coverage_pct),
                Err(gaps) => {
                    known = false;
                    match &mut total.gaps {
                        Some(all) => all.join(gaps),
                        none => *none = Some(gaps.clone()),
                    }
                }
            }
        }
        if !known {
            total.unknown += 1;
            continue;
        }
        covered += least * length;
        for (sum, one) in total.sums.iter_mut().zip(stated.iter().flatten()) {
            *sum += one.value;
            total.quality = total.quality.worst(one.quality);
        }
    }
    if whole > 0.0 {
        total.coverage_pct = covered / whole;
    }
    total
}

impl Total {
    /// The sums over the intervals in which all of them are known.
    #[must_use]
    pub fn sums(&self) -> &[f64] {
        &self.sums
    }

    /// The indicator that follows from the sums; none where `of` has none.
    pub fn indicator(
        &self,
        name: &'static str,
        unit: &'static str,
        of: impl Fn(&[f64]) -> Option<f64>,
    ) -> Indicator {
        let whole = self.unknown == 0 && self.intervals > 0;
        let some = self.unknown < self.intervals;
        let result = if some { of(&self.sums) } else { None };
        let value = result.filter(|_| whole);
        let unmeasured = self.gaps.as_ref().is_some_and(Gaps::is_unconfigured);
        let note = match (whole, result) {
            (true, None) => Some("nothing over nothing".to_owned()),
            (false, _) if unmeasured && !some => Some("the park does not measure it".to_owned()),
            _ => None,
        };
        Indicator {
            of: None,
            name,
            unit,
            value,
            quality: if value.is_some() {
                self.quality
            } else {
                Quality::Missing
            },
            coverage_pct: self.coverage_pct,
            gaps: self.gaps.clone(),
            intervals: self.intervals,
            unknown_intervals: self.unknown,
            of_known: if whole { None } else { result },
            judged: None,
            note,
        }
    }
}

/// A sum as it is.
pub(super) fn first(sums: &[f64]) -> Option<f64> {
    sums.first().copied()
}

/// A sum of milliwatt-hours in kilowatt-hours.
pub(super) fn kwh(sums: &[f64]) -> Option<f64> {
    first(sums).map(|mwh| mwh / 1e6)
}
