//! The books of one channel: the interval under way, and what leaves it as entries.
//!
//! A register is stretched between its readings, power is integrated, and heat that
//! was counted elsewhere is entered. The three share their pages and the way in which
//! an interval ends.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::book::{Pass, Said};
use super::gaps::Gap;
use super::heat::Portion;
use crate::domain::counter::{Counter, Heard};
use crate::domain::estimate::Bridge;
use crate::domain::interval::{Channel, Entry, Origin, Span};
use crate::domain::meter::{Meter, RegisterKind};
use crate::domain::provenance::Made;
use crate::domain::quality::{Quality, Reason};
use crate::domain::units::{MilliwattHours, Power, to_f64};

/// Up to this distance of two readings, the boundary between them counts as read.
const READ_WITHIN_MS: i64 = 60_000;
/// Up to this distance it is interpolated; beyond, the curve is an estimate.
const INTERPOLATED_WITHIN_MS: i64 = 2 * 3_600_000;
/// Power samples further apart than this many periods, and than
/// [`SAMPLE_GAP_MS`], leave a gap in the integral.
const GAP_PERIODS: i64 = 3;
/// The least gap between samples that interrupts an integral.
const SAMPLE_GAP_MS: i64 = 10_000;
/// Coverage from which an integral is complete: samples lie inside of an interval,
/// not on its boundaries.
pub(super) const COMPLETE_PCT: f64 = 99.9;
/// Intervals that a single step of a register may be spread over; a longer gap
/// (a year of minutes is 500,000) begins the books anew.
const MOST_SLOTS: usize = 50_000;

/// An interval under way in one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Page {
    span: Span,
    /// Register at the start, if it is known.
    opening: Option<MilliwattHours>,
    /// Worst quality so far.
    quality: Quality,
    /// What is filled in of it so far, besides what was counted.
    #[serde(default)]
    made: Made,
    /// What is thought to have flowed in gaps, watt-milliseconds, and for how long.
    #[serde(default)]
    filled: (f64, i64),
    /// Integral so far, watt-milliseconds.
    wms: f64,
    covered_ms: i64,
    /// What was covered when it was entered at the closing of its interval.
    #[serde(default)]
    entered_ms: Option<i64>,
    /// Heat that was counted elsewhere, so far.
    #[serde(default)]
    heat: Portion,
    /// Why a part of it is not known.
    #[serde(default)]
    refused: Option<Reason>,
}

impl Page {
    fn new(span: Span, opening: Option<MilliwattHours>, quality: Quality) -> Self {
        Self {
            span,
            opening,
            quality,
            made: Made::NOTHING,
            filled: (0.0, 0),
            wms: 0.0,
            covered_ms: 0,
            entered_ms: None,
            heat: Portion::default(),
            refused: None,
        }
    }

    fn coverage_pct(&self) -> f64 {
        if self.span.ms() <= 0 {
            return 0.0;
        }
        (to_f64(self.covered_ms) / to_f64(self.span.ms()) * 100.0).min(100.0)
    }

    /// How much of it is known or filled in, ms.
    fn known_ms(&self) -> i64 {
        self.covered_ms + self.filled.1
    }

    /// Fills in a part that nobody measured.
    fn fill(&mut self, bridge: &Bridge, start: i64, stop: i64, straight: impl Fn() -> f64) {
        let wms = match bridge.within(self.span) {
            Some((wh, ms)) => wh * 3_600_000.0 * to_f64(stop - start) / to_f64(ms.max(1)),
            None => straight(),
        };
        self.filled.0 += wms;
        self.filled.1 += stop - start;
        self.made = self.made.and(bridge.made);
    }

    fn cover(&mut self, from_ms: i64, to_ms: i64) {
        let start = from_ms.max(self.span.start.as_millisecond());
        let end = to_ms.min(self.span.end.as_millisecond());
        self.covered_ms += (end - start).max(0);
    }
}

/// The books of one channel, as they are kept on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Track {
    channel: Channel,
    /// Present where the channel has a register.
    pub(super) counter: Option<Counter>,
    /// The last power sample, ms and W.
    sample: Option<(i64, f64)>,
    /// What it rests on, where it was computed.
    #[serde(default, skip_serializing_if = "Made::is_nothing")]
    sample_made: Made,
    page: Option<Page>,
    /// End of the last interval that was entered, or entered as unknown, ms.
    done_until: i64,
    /// How the gap was that the next reading ends.
    #[serde(skip)]
    bridge: Option<Bridge>,
    #[serde(skip)]
    origin: Option<Origin>,
    #[serde(skip)]
    reach_ms: i64,
}

/// How the boundary between two readings is known.
pub(super) fn boundary_quality(gap_ms: i64) -> Quality {
    if gap_ms <= READ_WITHIN_MS {
        Quality::Good
    } else if gap_ms <= INTERPOLATED_WITHIN_MS {
        Quality::Interpolated
    } else {
        Quality::Estimated
    }
}

/// The position at `ms` on the line between two readings, rounded to a
/// milliwatt-hour.
pub(super) fn between(
    from: (i64, MilliwattHours),
    to: (i64, MilliwattHours),
    ms: i64,
) -> MilliwattHours {
    let length = i128::from(to.0 - from.0);
    if length <= 0 {
        return to.1;
    }
    let rise = i128::from(to.1.0) - i128::from(from.1.0);
    let part = (rise * i128::from(ms - from.0) + length / 2).div_euclid(length);
    from.1 + MilliwattHours(i64::try_from(part).unwrap_or(0))
}

impl Track {
    pub(super) fn new(channel: Channel, origin: Origin, meter: &Meter) -> Self {
        let period_ms = i64::try_from(meter.period.as_millis()).unwrap_or(i64::MAX / 8);
        let at_least = match origin {
            Origin::Register(_) => READ_WITHIN_MS,
            Origin::Power | Origin::Heat => SAMPLE_GAP_MS,
        };
        Self {
            channel,
            counter: register_kind(meter, origin).map(Counter::new),
            sample: None,
            sample_made: Made::NOTHING,
            page: None,
            done_until: i64::MIN,
            bridge: None,
            origin: Some(origin),
            reach_ms: at_least.max(period_ms.saturating_mul(GAP_PERIODS)),
        }
    }

    /// Takes over what an earlier run left, if it still means the same channel.
    pub(super) fn resume(&mut self, earlier: Track, meter: &Meter, origin: Origin) {
        if earlier.channel != self.channel {
            return;
        }
        match (earlier.counter, register_kind(meter, origin)) {
            (Some(counter), Some(kind)) => self.counter = Some(counter.resumed(kind)),
            (None, None) => {
                self.sample = earlier.sample;
                self.sample_made = earlier.sample_made;
            }
            _ => return,
        }
        self.page = earlier.page;
        self.done_until = earlier.done_until;
    }

    /// The interval under way is not what it seems.
    pub(super) fn suspect(&mut self) {
        if let Some(page) = &mut self.page {
            page.quality = page.quality.worst(Quality::Suspect);
        }
    }

    /// How far readings may lie apart and still be joined, ms.
    pub(super) fn reach_ms(&self) -> i64 {
        self.reach_ms
    }

    /// What a count of its register is worth, Wh; none without a register.
    pub(super) fn step_wh(&self) -> Option<f64> {
        Some(self.counter.as_ref()?.unit().as_watt_hours())
    }

    /// Which channel this is.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// Where its energy comes from.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// What an energy of this channel rests on.
    fn made(&self, is_known: bool, page: &Page) -> Made {
        if !is_known {
            return Made::NOTHING;
        }
        let counted = match self.counter {
            Some(_) => Made::REGISTER,
            None if page.covered_ms == 0 && page.filled.1 > 0 => Made::NOTHING,
            None => Made::INTEGRATED,
        };
        counted.and(page.made)
    }

    fn entry(&self, id: &Arc<str>, page: &Page, energy: Result<MilliwattHours, Reason>) -> Entry {
        Entry {
            meter: Arc::clone(id),
            channel: self.channel,
            span: page.span,
            energy,
            quality: if energy.is_ok() {
                page.quality
            } else {
                Quality::Missing
            },
            coverage_pct: page.coverage_pct(),
            made: self.made(energy.is_ok(), page),
            opening: page.opening,
            closing: None,
        }
    }

    /// Books a reading of the register.
    pub(super) fn count(
        &mut self,
        book: &mut Pass<'_>,
        at: Timestamp,
        said: Said,
        rated: Option<Power>,
    ) {
        let Some(counter) = self.counter.as_mut() else {
            return;
        };
        let heard = match said {
            Said::Count(raw) => counter.hear(at, raw, rated),
            Said::Told(told) => counter.hear_told(at, told, rated),
            Said::Watts(_) | Said::Computed(..) => return,
        };
        match heard {
            Heard::Opened => {
                let position = counter.position();
                let span = book.calendar.slot(at);
                match &mut self.page {
                    Some(page) if page.span == span => page.quality = Quality::Suspect,
                    _ => {
                        let opening = (span.start == at).then_some(position);
                        self.page = Some(Page::new(span, opening, Quality::Good));
                    }
                }
            }
            Heard::Booked { from, to } => {
                self.stretch(
                    book,
                    (from.0.as_millisecond(), from.1),
                    (at.as_millisecond(), to),
                    None,
                );
            }
            Heard::NewSegment { from, resumed, to } => {
                let resumed_ms = resumed.as_millisecond();
                let flat = (resumed_ms, from.1);
                self.stretch(
                    book,
                    (from.0.as_millisecond(), from.1),
                    flat,
                    Some(Quality::Suspect),
                );
                self.stretch(book, flat, (at.as_millisecond(), to), None);
            }
            Heard::Held(_) | Heard::Late => {}
        }
    }

    /// Enters a stretch between two booked readings, closing every interval that
    /// ends in it.
    pub(super) fn stretch(
        &mut self,
        book: &mut Pass<'_>,
        from: (i64, MilliwattHours),
        to: (i64, MilliwattHours),
        marked: Option<Quality>,
    ) {
        let gap_ms = to.0 - from.0;
        let shaped = self
            .bridge
            .take()
            .filter(|shape| (shape.from_ms, shape.to_ms) == (from.0, to.0) && marked.is_none());
        let Some(mut page) = self.page.take() else {
            return;
        };
        if let Some(quality) = marked {
            page.quality = page.quality.worst(quality);
        }
        if marked == Some(Quality::Manual) {
            page.made = page.made.and(Made::MANUAL);
        }
        let filled = match &shaped {
            Some(shape) => shape.made,
            None => Made::LINEAR,
        };
        let mut slots = 0;
        while page.span.end.as_millisecond() <= to.0 {
            let end = page.span.end.as_millisecond();
            if gap_ms <= self.reach_ms {
                page.cover(from.0, to.0);
            }
            let closing = match &shaped {
                Some(shape) => shape.position(from.1, to.1, end),
                None => between(from, to, end),
            };
            let on_reading = end == to.0 || end == from.0;
            let known = if on_reading {
                Quality::Good
            } else {
                boundary_quality(gap_ms)
            };
            let known = known.worst(marked.unwrap_or_default());
            page.quality = page.quality.worst(known);
            if known == Quality::Estimated {
                page.made = page.made.and(filled);
            }
            let energy = page
                .opening
                .map(|opening| closing - opening)
                .ok_or(Reason::NeverSeen);
            let mut entry = self.entry(book.id, &page, energy);
            entry.closing = Some(closing);
            book.entries.push(entry);
            self.done_until = end;
            page = Page::new(book.calendar.slot(page.span.end), Some(closing), known);
            if known == Quality::Estimated {
                page.made = filled;
            }
            slots += 1;
            if slots >= MOST_SLOTS {
                let at = Timestamp::from_millisecond(to.0).unwrap_or(page.span.end);
                page = Page::new(book.calendar.slot(at), None, Quality::Suspect);
                break;
            }
        }
        if gap_ms <= self.reach_ms {
            page.cover(from.0, to.0);
        }
        self.page = Some(page);
    }

    /// The gap that a reading at `at` ends, if it is too long to be known from its ends.
    pub(super) fn gap(&self, at: Timestamp) -> Option<Gap> {
        let (from_ms, known_ms) = match (&self.counter, self.origin) {
            // What is held back ends no gap, and may be for ever.
            (Some(counter), _) if counter.doubt().is_some() => return None,
            (Some(counter), _) => (counter.last_at()?.as_millisecond(), INTERPOLATED_WITHIN_MS),
            (None, Some(Origin::Power)) => (self.sample?.0, self.reach_ms),
            _ => return None,
        };
        (at.as_millisecond() - from_ms > known_ms).then_some(Gap {
            channel: self.channel,
            from_ms,
            has_register: self.counter.is_some(),
        })
    }

    /// The next reading ends a gap that was like this.
    pub(super) fn bridge(&mut self, bridge: Bridge) {
        self.bridge = Some(bridge);
    }

    /// What to enter when an interval closes and this channel has not been entered.
    pub(super) fn close(&mut self, id: &Arc<str>, span: Span, reason: Reason) -> Option<Entry> {
        let end = span.end.as_millisecond();
        if self.done_until >= end {
            return None;
        }
        self.done_until = end;
        let page = match &self.page {
            Some(page) if page.span == span => page.clone(),
            _ => Page::new(span, None, Quality::Good),
        };
        if self.counter.is_some() {
            // The register goes on counting; its entry comes when it speaks again.
            return Some(self.entry(id, &page, Err(reason)));
        }
        // So does the integral, if the next sample is near enough to the last one.
        let energy = self.energy(&page);
        let energy = energy.ok_or(page.refused.unwrap_or(reason));
        let entry = self.integral_entry(id, &page, energy);
        if let Some(kept) = self.page.as_mut().filter(|kept| kept.span == span) {
            kept.entered_ms = Some(kept.known_ms());
        }
        Some(entry)
    }

    /// What is known so far of an interval under way.
    pub(super) fn so_far(&self, id: &Arc<str>, span: Span, now: Timestamp) -> Entry {
        let elapsed = (now.as_millisecond() - span.start.as_millisecond()).max(1);
        let ends = now.as_millisecond().min(span.end.as_millisecond());
        let page = match &self.page {
            Some(page) if page.span == span => page.clone(),
            Some(page)
                if page.span.end == span.start
                    && elapsed <= self.reach_ms
                    && self.done_until <= page.span.end.as_millisecond() =>
            {
                // No reading since the boundary yet.
                let mut page = Page::new(span, Some(MilliwattHours::ZERO), Quality::Good);
                page.covered_ms = elapsed;
                let mut entry = self.entry(id, &page, Ok(MilliwattHours::ZERO));
                entry.coverage_pct = 100.0;
                return entry;
            }
            _ => {
                return self.entry(
                    id,
                    &Page::new(span, None, Quality::Good),
                    Err(Reason::Stale),
                );
            }
        };
        let mut entry = match &self.counter {
            Some(counter) => {
                let energy = page.opening.map(|opening| counter.position() - opening);
                self.entry(id, &page, energy.ok_or(Reason::NeverSeen))
            }
            None => {
                let energy = if self.origin == Some(Origin::Heat) {
                    integral::nearest(page.heat.heat_uj)
                } else {
                    MilliwattHours::from_watt_hours(page.wms / 3_600_000.0)
                };
                let mut entry = self.entry(id, &page, Ok(energy));
                if energy != MilliwattHours::ZERO {
                    entry.quality = entry.quality.worst(Quality::Derived);
                }
                entry
            }
        };
        let length = (ends - span.start.as_millisecond()).max(1);
        entry.coverage_pct = (to_f64(page.covered_ms) / to_f64(length) * 100.0).min(100.0);
        entry
    }
}

fn register_kind(meter: &Meter, origin: Origin) -> Option<RegisterKind> {
    match origin {
        Origin::Register(point) => meter.points.get(point)?.register,
        Origin::Power | Origin::Heat => None,
    }
}

#[path = "track_integral.rs"]
mod integral;
