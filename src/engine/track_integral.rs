//! Channels without a register: power that is integrated, and heat that was counted.
//!
//! What lies between two samples is added to the interval in which it lies. **An interval
//! is complete where samples cover it, scaled up where little is missing, filled in where
//! that is wanted, and else unknown.**

use std::sync::Arc;

use jiff::Timestamp;

use super::{COMPLETE_PCT, MOST_SLOTS, Page, Track};
use crate::domain::heat::meter::CERTIFIED_TOLERANCE;
use crate::domain::interval::{Entry, Origin};
use crate::domain::provenance::Made;
use crate::domain::quality::{Quality, Reason};
use crate::domain::units::{MilliwattHours, to_f64, to_i64};
use crate::engine::book::Pass;
use crate::engine::heat::{Portion, Stretch};

/// Coverage from which an integral is scaled up to the interval; below, it is unknown.
const SCALABLE_PCT: f64 = 95.0;
/// Microjoules of a milliwatt-hour.
const UJ_PER_MWH: i64 = 3_600_000;

impl Track {
    /// Integrates a sample of power, watt; `made` is what it rests on, where it was computed.
    pub(in crate::engine) fn sample(
        &mut self,
        book: &mut Pass<'_>,
        at: Timestamp,
        watts: f64,
        made: Made,
    ) {
        let ms = at.as_millisecond();
        let last = self.sample;
        if last.is_some_and(|(last_ms, _)| ms <= last_ms) {
            return;
        }
        self.sample = Some((ms, watts));
        let made = made.and(std::mem::replace(&mut self.sample_made, made));
        let joined = last.filter(|(last_ms, _)| ms - last_ms <= self.reach_ms);
        let positive = self.channel.positive;
        let bridge = self.bridge.take();
        let bridge = bridge.filter(|bridge| last.map(|from| from.0) == Some(bridge.from_ms));
        let from = joined.or(last.filter(|_| bridge.is_some()));
        self.enter(book, from.map(|from| from.0), ms, |page, start, stop| {
            let Some(from) = from else { return };
            let wms = || area(from, (ms, watts), (start, stop), positive);
            match &bridge {
                Some(bridge) if joined.is_none() => page.fill(bridge, start, stop, wms),
                _ => {
                    page.wms += wms();
                    page.made = page.made.and(made);
                    page.cover(start, stop);
                }
            }
        });
    }

    /// Enters heat that was counted over a stretch of time.
    pub(in crate::engine) fn heat(&mut self, book: &mut Pass<'_>, stretch: &Stretch) {
        let positive = self.channel.positive;
        let portion = stretch.heat.map(|counted| Portion::of(&counted, positive));
        let to_ms = stretch.to_ms;
        let from_ms = stretch.from_ms.filter(|_| portion.is_some());
        let refuse = |page: Option<&mut Page>| {
            if let (None, Some(page)) = (portion, page) {
                page.refused = Some(Reason::OutOfRange);
            }
        };
        refuse(self.page.as_mut());
        self.enter(book, from_ms, to_ms, |page, start, stop| {
            if let (Some(portion), Some(from_ms)) = (portion, from_ms) {
                page.heat.add(portion.part((from_ms, to_ms), (start, stop)));
                page.cover(start, stop);
            }
        });
        refuse(self.page.as_mut());
    }

    /// Goes on to `ms`, closing every interval that ends on the way. What lies between
    /// `from` and `ms` inside of an interval is added to it; without `from` nothing is
    /// known of the time before.
    fn enter(
        &mut self,
        book: &mut Pass<'_>,
        from: Option<i64>,
        ms: i64,
        mut add: impl FnMut(&mut Page, i64, i64),
    ) {
        let Ok(at) = Timestamp::from_millisecond(ms) else {
            return;
        };
        let mut page = match self.page.take() {
            Some(page) if page.span.start <= at => page,
            _ => Page::new(book.calendar.slot(at), None, Quality::Good),
        };
        let mut slots = 0;
        loop {
            let end = page.span.end.as_millisecond();
            if let Some(from_ms) = from {
                let (start, stop) = (from_ms.max(page.span.start.as_millisecond()), ms.min(end));
                if stop > start {
                    add(&mut page, start, stop);
                }
            }
            if ms < end {
                break;
            }
            let energy = self.energy(&page);
            let energy = energy.ok_or(page.refused.unwrap_or(Reason::Stale));
            // It may have been entered when its interval closed, with less than is
            // known by now.
            let tells_more = energy.is_ok() && page.entered_ms != Some(page.known_ms());
            if tells_more || self.done_until < end {
                let entry = self.integral_entry(book.id, &page, energy);
                book.entries.push(entry);
            }
            self.done_until = self.done_until.max(end);
            slots += 1;
            page = if slots >= MOST_SLOTS || from.is_none() {
                Page::new(book.calendar.slot(at), None, Quality::Good)
            } else {
                Page::new(book.calendar.slot(page.span.end), None, Quality::Good)
            };
        }
        self.page = Some(page);
    }

    /// The energy of an interval, scaled up where little of it is missing. Heat is rounded
    /// to the nearest milliwatt-hour for each interval on its own: nothing is carried over,
    /// so that an interval comes to the same wherever a computation begins.
    pub(super) fn energy(&self, page: &Page) -> Option<MilliwattHours> {
        if self.origin != Some(Origin::Heat) {
            return integral(page);
        }
        let coverage = page.coverage_pct();
        let heat_uj = page.heat.heat_uj;
        if coverage >= COMPLETE_PCT {
            Some(nearest(heat_uj))
        } else if coverage >= SCALABLE_PCT {
            Some(nearest(to_i64(to_f64(heat_uj) * 100.0 / coverage)))
        } else {
            None
        }
    }

    pub(super) fn integral_entry(
        &self,
        id: &Arc<str>,
        page: &Page,
        energy: Result<MilliwattHours, Reason>,
    ) -> Entry {
        let mut entry = self.entry(id, page, energy);
        if let Ok(energy) = energy {
            let complete = page.coverage_pct() >= COMPLETE_PCT;
            entry.quality = match (complete, energy == MilliwattHours::ZERO) {
                // Nothing went this way the whole time: that is seen, not derived.
                (true, true) => Quality::Good,
                (true, false) => Quality::Derived,
                (false, _) => Quality::Estimated,
            };
            if !complete && page.filled.1 == 0 {
                // Scaled up from what is known.
                entry.made = entry.made.and(Made::LINEAR);
            }
            entry.quality = entry.quality.worst(page.quality);
            if page.heat.is_doubtful(CERTIFIED_TOLERANCE) {
                entry.quality = entry.quality.worst(Quality::Suspect);
            }
        }
        entry
    }
}

/// The energy of an integral, scaled up to its interval where little is missing.
fn integral(page: &Page) -> Option<MilliwattHours> {
    let coverage = page.coverage_pct();
    let wh = page.wms / 3_600_000.0;
    let known = to_f64(page.known_ms()) / to_f64(page.span.ms().max(1)) * 100.0;
    if page.filled.1 > 0 && known >= COMPLETE_PCT {
        let filled = page.filled.0 / 3_600_000.0;
        Some(MilliwattHours::from_watt_hours(wh + filled))
    } else if coverage >= COMPLETE_PCT {
        Some(MilliwattHours::from_watt_hours(wh))
    } else if coverage >= SCALABLE_PCT {
        Some(MilliwattHours::from_watt_hours(wh * 100.0 / coverage))
    } else {
        None
    }
}

/// The nearest whole milliwatt-hour.
pub(super) fn nearest(microjoules: i64) -> MilliwattHours {
    let up = microjoules.saturating_add(UJ_PER_MWH / 2);
    MilliwattHours(up.div_euclid(UJ_PER_MWH))
}

/// Watt-milliseconds of one direction under the line between two samples, inside
/// of a part of it. The line is cut where it crosses zero.
fn area(from: (i64, f64), to: (i64, f64), part: (i64, i64), positive: bool) -> f64 {
    let length = to_f64(to.0 - from.0);
    let on_line = |ms: i64| from.1 + (to.1 - from.1) * to_f64(ms - from.0) / length;
    let sign = if positive { 1.0 } else { -1.0 };
    let (a, b) = (sign * on_line(part.0), sign * on_line(part.1));
    let ms = to_f64(part.1 - part.0);
    if a >= 0.0 && b >= 0.0 {
        (a + b) / 2.0 * ms
    } else if a <= 0.0 && b <= 0.0 {
        0.0
    } else {
        let top = a.max(b);
        top * top / (a - b).abs() / 2.0 * ms
    }
}
