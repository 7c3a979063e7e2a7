//! The closed intervals of the last day, as far as the units need them: what the live view
//! tells of a day, by the same formulas as the report.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::books::{Slot, slots};
use super::input::Observed;
use super::number::Indicator;
use super::{Kind, Plant};
use crate::domain::interval::{Channel, Entry, Span};
use crate::domain::meter::Park;
use crate::domain::time::{day, local_date, slot};

/// A storage's loss is told over this long; two days of intervals are kept for it, so that
/// the content at its begin is there.
const LOSS_OVER: Duration = Duration::from_secs(24 * 3_600);
/// What is kept.
const KEPT: Duration = Duration::from_secs(25 * 3_600);

/// The last day of a plant.
#[derive(Debug, Default)]
pub struct Today {
    meters: BTreeSet<Arc<str>>,
    entries: BTreeMap<(Span, Arc<str>, Channel), Entry>,
    observed: BTreeMap<(Span, super::Input), Observed>,
    /// Up to where intervals are closed.
    until: Option<Timestamp>,
    indicators: Vec<Indicator>,
    stale: bool,
}

impl Today {
    /// Nothing yet, of a plant.
    #[must_use]
    pub fn new(plant: &Plant) -> Self {
        let mut meters = BTreeSet::new();
        for unit in &plant.units {
            match &unit.kind {
                Kind::SolarField(field) => drop(meters.insert(Arc::clone(&field.heat))),
                Kind::Tank(tank) => meters.extend(tank.meter.clone()),
                Kind::TwoTanks(tanks) => meters.extend(tanks.meter.clone()),
                Kind::Photovoltaic(plant) => drop(meters.insert(Arc::clone(&plant.meter))),
                Kind::HeatPump(one) | Kind::ElectricBoiler(one) => {
                    meters.extend([Arc::clone(&one.electricity), Arc::clone(&one.heat)]);
                }
            }
        }
        Self {
            meters,
            ..Self::default()
        }
    }

    /// Takes in what was found out of intervals.
    pub fn learn(&mut self, entries: &[Entry], observed: &[Observed], closed: &[Span]) {
        if self.meters.is_empty() {
            return;
        }
        for entry in entries {
            if self.meters.contains(&entry.meter) {
                let key = (entry.span, Arc::clone(&entry.meter), entry.channel);
                self.entries.insert(key, entry.clone());
                self.stale = true;
            }
        }
        for one in observed {
            self.observed
                .insert((one.span, one.input.clone()), one.clone());
            self.stale = true;
        }
        for span in closed {
            self.until = self.until.max(Some(span.end));
            self.stale = true;
        }
    }

    /// The indicators of all units; computed when something was learned.
    pub fn indicators(&mut self, plant: &Plant, park: &Park, now: Timestamp) -> &[Indicator] {
        if std::mem::take(&mut self.stale) {
            self.indicators = self.compute(plant, park, now);
        }
        &self.indicators
    }

    fn compute(&mut self, plant: &Plant, park: &Park, now: Timestamp) -> Vec<Indicator> {
        let kept = now.checked_sub(KEPT).unwrap_or(now);
        self.entries.retain(|(span, ..), _| span.start >= kept);
        self.observed.retain(|(span, _), _| span.start >= kept);
        let Some(until) = self.until else {
            return Vec::new();
        };
        let known = self.entries.keys().map(|(span, ..)| span.start);
        let Some(first) = known
            .chain(self.observed.keys().map(|(span, _)| span.start))
            .min()
        else {
            return Vec::new();
        };
        let from = slot(first, &park.time_zone, park.settlement_minutes).start;
        let spans = crate::domain::time::slots(
            Span {
                start: from,
                end: until,
            },
            &park.time_zone,
            park.settlement_minutes,
        );
        let all = slots(
            spans,
            Vec::new(),
            self.entries.values().cloned().collect(),
            self.observed.values().cloned().collect(),
        );
        let midnight = day(local_date(now, &park.time_zone), &park.time_zone);
        let since = |start: Timestamp| all.partition_point(|slot| slot.span.start < start);
        let today = midnight.map_or(all.len(), |day| since(day.start));
        let a_day_ago = since(until.checked_sub(LOSS_OVER).unwrap_or(until));
        plant
            .units
            .iter()
            .flat_map(|unit| {
                let from = match unit.kind {
                    Kind::Tank(_) | Kind::TwoTanks(_) => a_day_ago,
                    _ => today,
                };
                let (earlier, period): (&[Slot], &[Slot]) = all.split_at(from.min(all.len()));
                unit.indicators(park, earlier.last(), period)
            })
            .collect()
    }
}
