//! How energy is thought to have flowed in a gap.
//!
//! ```text
//!   a meter beside it ▶ irradiance of the gap ▶ days like it ▶ where the sun stood ▶ evenly
//! ```
//!
//! The first of these that knows something of **every** interval of the gap shapes it. A
//! register says how much it was: the shape only divides that, to the last
//! milliwatt-hour, so that no estimate ever moves a sum. Where there is no register, the
//! estimate is the number itself, and stands only where the configuration asks for it.
//! What was estimated says so for ever, with its method.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::interval::{Channel, Span};
use super::provenance::Made;
use super::quality::Quality;
use super::time::{day, local_date, slot};
use super::units::{MilliwattHours, to_f64, to_i64};

/// What is known of the energies of other times and other meters.
pub trait Past: Send {
    /// What a channel of a meter moved in the intervals that start in a stretch, with the
    /// quality of each; unknown ones are left out.
    fn energies(
        &self,
        meter: &str,
        channel: Channel,
        stretch: Span,
    ) -> Vec<(Span, MilliwattHours, Quality)>;
}

/// Days that are looked back for days like one.
const LOOK_BACK_DAYS: usize = 28;
/// So many of them make a mean.
const LIKE_DAYS: usize = 3;

/// Days on which much the same is done.
fn kind(date: Date) -> u8 {
    match date.weekday() {
        Weekday::Saturday => 1,
        Weekday::Sunday => 2,
        _ => 0,
    }
}

/// A quantity by interval, of days gone by.
type Days = BTreeMap<Date, BTreeMap<i64, f64>>;

/// The days before a gap that are like those in it.
///
/// A day counts where its interval is known: one with an outage at that time of day is
/// passed over, and an earlier one counts instead.
pub struct LikeDays<'a> {
    zone: &'a TimeZone,
    minutes: i64,
    /// The day on which the gap begins: no day from it on is like anything.
    before: Date,
    /// What was known of a day, by start of interval in ms.
    ask: Box<dyn Fn(Span) -> BTreeMap<i64, f64> + 'a>,
    days: Days,
}

impl<'a> LikeDays<'a> {
    /// The days before `before`, of which `ask` tells.
    pub fn new(
        zone: &'a TimeZone,
        minutes: i64,
        before: Date,
        ask: impl Fn(Span) -> BTreeMap<i64, f64> + 'a,
    ) -> Self {
        Self {
            zone,
            minutes,
            before,
            ask: Box::new(ask),
            days: Days::new(),
        }
    }

    /// The mean of the last days like the one of an interval, at its time of day.
    pub fn mean(&mut self, of: Span) -> Option<f64> {
        let local = self.zone.to_datetime(of.start);
        let mut found = Vec::new();
        let mut date = self.before;
        for _ in 0..LOOK_BACK_DAYS {
            date = date.yesterday().ok()?;
            if kind(date) != kind(local.date()) {
                continue;
            }
            let same = date.to_datetime(local.time());
            let Ok(start) = self.zone.to_ambiguous_timestamp(same).compatible() else {
                continue;
            };
            let start = slot(start, self.zone, self.minutes).start.as_millisecond();
            let known = self.days.entry(date).or_insert_with(|| {
                day(date, self.zone).map_or_else(BTreeMap::new, |span| (self.ask)(span))
            });
            found.extend(known.get(&start).copied());
            if found.len() == LIKE_DAYS {
                break;
            }
        }
        let count = i64::try_from(found.len()).unwrap_or(0);
        (count > 0).then(|| found.iter().sum::<f64>() / to_f64(count))
    }
}

/// What is known of the intervals of one gap, each as a whole. A shape needs any unit that
/// is in proportion to energy; what is in watt-hours says so.
pub trait Hints {
    /// What the meter beside it counted, Wh.
    fn check_meter(&mut self, slot: Span) -> Option<f64>;
    /// The irradiance, and what it was on days like it; for what needs the sun.
    fn irradiance(&mut self, slot: Span) -> Option<(f64, Option<f64>)>;
    /// The mean of days like it, Wh.
    fn like_day(&mut self, slot: Span) -> Option<f64>;
    /// How high the sun stood, for what needs it.
    fn sun(&mut self, slot: Span) -> Option<f64>;
}

/// A rung of the ladder: what it expects of an interval.
type Rung = fn(&mut dyn Hints, Span) -> Option<f64>;

/// A day like it, as bright as this one was; with nothing but irradiance, that.
fn as_bright(hints: &mut dyn Hints, slot: Span) -> Option<f64> {
    let (now, then) = hints.irradiance(slot)?;
    match (hints.like_day(slot), then) {
        (Some(like), Some(then)) if then > 0.0 => Some(like * now / then),
        _ => Some(now),
    }
}

/// The same, in watt-hours, where a day like it tells how many.
fn energy_as_bright(hints: &mut dyn Hints, slot: Span) -> Option<f64> {
    let (now, then) = hints.irradiance(slot)?;
    let like = hints.like_day(slot)?;
    if now <= 0.0 {
        return Some(0.0);
    }
    then.filter(|then| *then > 0.0)
        .map(|then| like * now / then)
}

/// Every rung that shapes, from the best.
const SHAPES: [(Made, Rung); 4] = [
    (Made::CHECK_METER, |hints, slot| hints.check_meter(slot)),
    (Made::IRRADIANCE, as_bright),
    (Made::LIKE_DAY, |hints, slot| hints.like_day(slot)),
    (Made::SUN, |hints, slot| hints.sun(slot)),
];

/// Every rung that tells an energy, from the best.
const ENERGIES: [(Made, Rung); 3] = [
    (Made::CHECK_METER, |hints, slot| hints.check_meter(slot)),
    (Made::IRRADIANCE, energy_as_bright),
    (Made::LIKE_DAY, |hints, slot| hints.like_day(slot)),
];

/// An interval of a gap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// The whole interval.
    pub slot: Span,
    /// The part of it that lies in the gap, ms.
    pub from_ms: i64,
    /// Its end.
    pub to_ms: i64,
    /// What is expected of that part.
    pub expected: f64,
}

/// A gap as it is thought to have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Bridge {
    /// The last reading before it, ms.
    pub from_ms: i64,
    /// The first one after it, ms.
    pub to_ms: i64,
    /// Its intervals, in order.
    pub parts: Vec<Part>,
    /// How it was found.
    pub made: Made,
}

/// The intervals of a gap; none where there are more than `most`.
fn parts(gap: (i64, i64), zone: &TimeZone, minutes: i64, most: usize) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut from_ms = gap.0;
    while from_ms < gap.1 {
        let at = jiff::Timestamp::from_millisecond(from_ms).ok()?;
        let slot = slot(at, zone, minutes);
        let to_ms = slot.end.as_millisecond().min(gap.1);
        parts.push(Part {
            slot,
            from_ms,
            to_ms,
            expected: 0.0,
        });
        from_ms = to_ms;
        if parts.len() > most {
            return None;
        }
    }
    Some(parts)
}

/// Most intervals of a gap that is shaped: a month of quarter-hours.
const MOST_PARTS: usize = 3_000;

impl Bridge {
    /// A gap from reading to reading, ms, shaped by the best rung that knows all of it.
    fn by(
        gap: (i64, i64),
        (zone, minutes): (&TimeZone, i64),
        hints: &mut dyn Hints,
        rungs: &[(Made, Rung)],
        suits: impl Fn(f64) -> bool,
    ) -> Option<Self> {
        let parts = parts(gap, zone, minutes, MOST_PARTS)?;
        rungs.iter().find_map(|(made, rung)| {
            let mut shaped = parts.clone();
            for part in &mut shaped {
                let whole = rung(hints, part.slot)?;
                let share = to_f64(part.to_ms - part.from_ms) / to_f64(part.slot.ms().max(1));
                part.expected = whole * share;
                if !part.expected.is_finite() || part.expected < 0.0 {
                    return None;
                }
            }
            let sum: f64 = shaped.iter().map(|part| part.expected).sum();
            suits(sum).then_some(Self {
                from_ms: gap.0,
                to_ms: gap.1,
                parts: shaped,
                made: *made,
            })
        })
    }

    /// The shape of what a register counted; none where nothing better is known than time.
    pub fn shape(
        gap: (i64, i64),
        calendar: (&TimeZone, i64),
        hints: &mut dyn Hints,
    ) -> Option<Self> {
        Self::by(gap, calendar, hints, &SHAPES, |sum| sum > 0.0)
    }

    /// What is thought to have flowed, Wh; none where nobody knows how much.
    pub fn energy(
        gap: (i64, i64),
        calendar: (&TimeZone, i64),
        hints: &mut dyn Hints,
    ) -> Option<Self> {
        Self::by(gap, calendar, hints, &ENERGIES, |_| true)
    }

    /// A gap whose power is the straight line between the readings around it.
    #[must_use]
    pub fn straight(from_ms: i64, to_ms: i64) -> Self {
        Self {
            from_ms,
            to_ms,
            parts: Vec::new(),
            made: Made::LINEAR,
        }
    }

    /// Where a register stood at the end of an interval of the gap, between what it said
    /// before and after. Never falls, and ends where it ended.
    #[must_use]
    pub fn position(&self, from: MilliwattHours, to: MilliwattHours, ms: i64) -> MilliwattHours {
        let sum = |until: i64| -> f64 {
            let ended = self.parts.iter().take_while(|part| part.to_ms <= until);
            ended.map(|part| part.expected).sum()
        };
        let whole = sum(i64::MAX);
        if ms >= self.to_ms || whole <= 0.0 {
            return to;
        }
        let rise = to_f64((to - from).0) * (sum(ms) / whole);
        let risen = MilliwattHours(to_i64(rise.round()));
        from + risen.min(to - from)
    }

    /// What is thought to have flowed in an interval, Wh, and for how long of it.
    #[must_use]
    pub fn within(&self, slot: Span) -> Option<(f64, i64)> {
        let part = self.parts.iter().find(|part| part.slot == slot)?;
        Some((part.expected, part.to_ms - part.from_ms))
    }
}

/// The day before which days are like those of a gap.
#[must_use]
pub fn gap_begins(from_ms: i64, zone: &TimeZone) -> Option<Date> {
    let at = jiff::Timestamp::from_millisecond(from_ms).ok()?;
    Some(local_date(at, zone))
}

#[cfg(test)]
#[path = "estimate_tests.rs"]
mod tests;
