//! Gaps, as they are filled in when a meter speaks again.
//!
//! The books say from which reading to which a gap goes, the ladder of
//! [`estimate`](crate::domain::estimate) says how it was, and the books take that up with
//! the reading. **A register's difference is never changed, only divided**, and what was
//! filled in names its method.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::book::Calendar;
use crate::domain::estimate::{Bridge, Hints, LikeDays, Past, gap_begins};
use crate::domain::interval::{Channel, Entry, Span};
use crate::domain::meter::{Carrier, Meter, MeterIndex, Park, PointIndex};
use crate::domain::quality::Quality;
use crate::domain::relations::{Integrals, Registers};
use crate::domain::snapshot::{Snapshot, Value};
use crate::domain::sun::sun;
use crate::domain::units::to_f64;

/// Key of the row of irradiances; no meter has such a name.
pub const IRRADIANCE_STATE: &str = "/irradiance";
/// For so many days irradiances are kept.
const KEPT_DAYS: i64 = 36;
/// An interval whose irradiance is known for less of its time is not known, ticks of a hundred.
const KNOWN_OF_100: u32 = 90;

/// Up to this length a gap between two samples of power is a straight line, ms.
const STRAIGHT_WITHIN_MS: i64 = 2 * 3_600_000;

/// Quantities that say how bright it is, best first: on a plane, and straight from the sun.
const PLANE: [&str; 3] = ["irradiance", "ghi", "dni"];
const BEAM: [&str; 3] = ["dni", "irradiance", "ghi"];

/// Means of irradiance by start of interval in ms, W/m².
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Means {
    means: BTreeMap<i64, f64>,
    /// The interval under way: start, sum, ticks that knew, ticks.
    #[serde(skip)]
    under_way: Option<(i64, f64, u32, u32)>,
}

impl Means {
    /// Takes in what one tick knows; says whether an interval has ended.
    fn look(&mut self, slot: Span, value: Option<f64>) -> bool {
        let start = slot.start.as_millisecond();
        let ended = self.under_way.filter(|under_way| under_way.0 != start);
        if let Some((start, sum, known, ticks)) = ended {
            if known > 0 && known.saturating_mul(100) >= ticks.saturating_mul(KNOWN_OF_100) {
                self.means.insert(start, sum / f64::from(known));
            }
            let oldest = start - KEPT_DAYS * 86_400_000;
            self.means = self.means.split_off(&oldest);
            self.under_way = None;
        }
        let under_way = self.under_way.get_or_insert((start, 0.0, 0, 0));
        under_way.3 += 1;
        if let Some(value) = value {
            under_way.1 += value;
            under_way.2 += 1;
        }
        ended.is_some()
    }
}

/// How bright it was.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Brightness {
    plane: Means,
    beam: Means,
}

/// What is known for the day on which a gap has to be filled.
#[derive(Default)]
pub(super) struct Gaps {
    past: Option<Box<dyn Past>>,
    bright: Brightness,
    /// Points that say how bright it is, best first: on a plane, and from the sun.
    sources: [Vec<(MeterIndex, PointIndex)>; 2],
    changed: bool,
}

impl Gaps {
    pub(super) fn new(park: &Park, earlier: Option<&str>) -> Self {
        let bright = earlier.and_then(|json| serde_json::from_str(json).ok());
        let sources = [PLANE, BEAM].map(|quantities| {
            let points = quantities.iter().flat_map(|quantity| {
                let meters = park.meters.iter().enumerate();
                meters.filter_map(|(index, meter)| Some((index, meter.point(quantity)?)))
            });
            points.collect()
        });
        Self {
            bright: bright.unwrap_or_default(),
            sources,
            ..Self::default()
        }
    }

    /// Takes note of how bright it is.
    pub(super) fn look(&mut self, park: &Park, snapshot: &Snapshot, slot: Span, now: Timestamp) {
        let [plane, beam] = &self.sources;
        if plane.is_empty() && beam.is_empty() {
            return;
        }
        let read = |sources: &[(MeterIndex, PointIndex)]| {
            sources.iter().find_map(|&(index, point)| {
                let meter = park.meters.get(index)?;
                match snapshot.standing(meter, index, point, now).ok()?.value {
                    Value::Analog(value) => Some(value),
                    _ => None,
                }
            })
        };
        let plane = self.bright.plane.look(slot, read(plane));
        let beam = self.bright.beam.look(slot, read(beam));
        self.changed |= plane || beam;
    }

    /// Their row of state.
    pub(super) fn row(&self) -> Option<(String, String)> {
        if self.bright.plane.means.is_empty() && self.bright.beam.means.is_empty() {
            return None;
        }
        let json = serde_json::to_string(&self.bright).ok()?;
        Some((IRRADIANCE_STATE.to_owned(), json))
    }

    /// Their row of state, if an interval has ended since.
    pub(super) fn row_when_due(&mut self) -> Option<(String, String)> {
        std::mem::take(&mut self.changed)
            .then(|| self.row())
            .flatten()
    }
}

/// A gap that a reading ends: from which reading, ms, and whether a register went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub channel: Channel,
    pub from_ms: i64,
    pub has_register: bool,
}

/// What is known of one gap of one channel.
struct Known<'a> {
    park: &'a Park,
    meter: &'a Meter,
    means: &'a Means,
    check: BTreeMap<i64, f64>,
    like: LikeDays<'a>,
    like_bright: LikeDays<'a>,
}

impl Known<'_> {
    fn sees(&self, slot: Span) -> Option<f64> {
        self.means.means.get(&slot.start.as_millisecond()).copied()
    }
}

impl Hints for Known<'_> {
    fn check_meter(&mut self, slot: Span) -> Option<f64> {
        self.check.get(&slot.start.as_millisecond()).copied()
    }

    fn irradiance(&mut self, slot: Span) -> Option<(f64, Option<f64>)> {
        if !self.meter.role.needs_sun {
            return None;
        }
        let now = self.sees(slot)?.max(0.0);
        Some((now, self.like_bright.mean(slot)))
    }

    fn like_day(&mut self, slot: Span) -> Option<f64> {
        self.like.mean(slot)
    }

    fn sun(&mut self, slot: Span) -> Option<f64> {
        if !self.meter.role.needs_sun {
            return None;
        }
        let middle = (slot.start.as_second() + slot.end.as_second()) / 2;
        let over = sun(self.park.latitude, self.park.longitude, middle);
        Some(over.elevation_deg.to_radians().sin().max(0.0))
    }
}

/// Whether an energy was measured, and not itself filled in.
fn is_measured(quality: Quality) -> bool {
    matches!(
        quality,
        Quality::Good | Quality::Interpolated | Quality::Derived
    )
}

/// Energies by start of interval in ms, Wh.
fn by_start(
    known: Vec<(Span, crate::domain::units::MilliwattHours, Quality)>,
) -> BTreeMap<i64, f64> {
    known
        .into_iter()
        .filter(|(_, _, quality)| is_measured(*quality))
        .map(|(span, energy, _)| (span.start.as_millisecond(), energy.as_watt_hours()))
        .collect()
}

impl Engine {
    /// Fills gaps as the configuration wants it, from what the ledger knows.
    pub fn fill_gaps(&mut self, past: Box<dyn Past>) {
        self.gaps.past = Some(past);
    }

    /// How a gap was that a reading at `until` ends; none where it is left as it is.
    pub(super) fn bridge(&self, index: MeterIndex, gap: Gap, until: Timestamp) -> Option<Bridge> {
        let policy = self.park.relations.gaps;
        let wanted = if gap.has_register {
            policy.registers == Registers::Shaped
        } else {
            policy.integrals == Integrals::Estimated
        };
        let past = self.gaps.past.as_deref().filter(|_| wanted)?;
        let until_ms = until.as_millisecond();
        if !gap.has_register && until_ms - gap.from_ms <= STRAIGHT_WITHIN_MS {
            return Some(Bridge::straight(gap.from_ms, until_ms));
        }
        let meter = self.park.meters.get(index)?;
        let Calendar { zone, minutes } = &self.calendar;
        let begins = gap_begins(gap.from_ms, zone)?;
        let means = match gap.channel.carrier {
            Carrier::Electricity => &self.gaps.bright.plane,
            Carrier::Heat => &self.gaps.bright.beam,
        };
        let beside = self.park.relations.check_meters.get(&meter.id);
        let check = beside.map(|beside| self.beside(past, beside, gap, until));
        let mut known = Known {
            park: &self.park,
            meter,
            means,
            check: check.unwrap_or_default(),
            like: LikeDays::new(zone, *minutes, begins, |day| {
                by_start(past.energies(&meter.id, gap.channel, day))
            }),
            like_bright: LikeDays::new(zone, *minutes, begins, |day| {
                let (start, end) = (day.start.as_millisecond(), day.end.as_millisecond());
                means
                    .means
                    .range(start..end)
                    .map(|(at, mean)| (*at, *mean))
                    .collect()
            }),
        };
        let stretch = (gap.from_ms, until_ms);
        if gap.has_register {
            Bridge::shape(stretch, (zone, *minutes), &mut known)
        } else {
            Bridge::energy(stretch, (zone, *minutes), &mut known)
        }
    }

    /// What a meter beside one counted in a gap, of the ledger and of what is on its way.
    fn beside(
        &self,
        past: &dyn Past,
        beside: &Arc<str>,
        gap: Gap,
        until: Timestamp,
    ) -> BTreeMap<i64, f64> {
        let Ok(from) = Timestamp::from_millisecond(gap.from_ms) else {
            return BTreeMap::new();
        };
        let start = self.calendar.slot(from).start;
        let mut known = by_start(past.energies(beside, gap.channel, Span { start, end: until }));
        let waiting = self.pending.values().flatten().chain(&self.entries);
        let theirs = |entry: &&Entry| entry.meter == *beside && entry.channel == gap.channel;
        for entry in waiting.filter(theirs) {
            if let (Ok(energy), true) = (entry.energy, is_measured(entry.quality)) {
                known.insert(entry.span.start.as_millisecond(), energy.as_watt_hours());
            }
        }
        // The last ones may not have been entered: so far, in proportion.
        let book = self
            .park
            .meter(beside)
            .and_then(|index| self.books.get(index));
        let just_before = until.checked_sub(SignedDuration::from_millis(1));
        for at in [just_before.unwrap_or(until), until] {
            let slot = self.calendar.slot(at);
            let elapsed = until.min(slot.end).duration_since(slot.start);
            let so_far = book.and_then(|book| book.so_far(gap.channel, slot, until));
            if let Some(Ok(energy)) = so_far.map(|entry| entry.energy)
                && elapsed > SignedDuration::ZERO
            {
                let part = elapsed.as_secs_f64() * 1_000.0 / to_f64(slot.ms().max(1));
                known
                    .entry(slot.start.as_millisecond())
                    .or_insert(energy.as_watt_hours() / part);
            }
        }
        known
    }
}

#[cfg(test)]
#[path = "gaps_tests.rs"]
mod tests;
