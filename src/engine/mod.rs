//! The one owner of state: readings in, frames and entries out.
//!
//! ```text
//!   hear(reading) ──▶ snapshot ──tick(now)──▶ frame (powers, meters, findings)
//!                 ├─▶ books ────────────────▶ entries, closed intervals
//!                 └─▶ checks ───────────────▶ findings that opened or closed
//! ```
//!
//! The engine does no I/O and asks no clock. Time is an argument, so a year of
//! operation is a loop in a test, and the same readings at the same moments give
//! the same frames, on a desk as in a park. The history of the demo and the
//! recovery after a crash run through this same code.

pub mod book;
mod check;
mod checks;
mod closing;
mod derived;
mod events;
mod gaps;
mod hear;
mod heat;
mod loss;
mod means;
mod now;
pub mod record;
mod shape;
mod stream;
pub mod today;
pub mod trace;
mod track;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::balance::{self, Said, powers, settle_from, stated};
use crate::domain::closure::NodeChange;
use crate::domain::compensation::Loss;
use crate::domain::event::{MeterEvent, corrected};
use crate::domain::flow::Powers;
use crate::domain::interval::{CLOSE_AFTER_S, Channel, Entry, ExportShape, Interval, Span};
use crate::domain::meter::{Meter, MeterIndex, Park};
use crate::domain::plant::Observed;
use crate::domain::plausibility::{Change, Finding, Settings};
use crate::domain::quality::{self, Quality, Reason};
use crate::domain::snapshot::{Reading, Snapshot};

use book::{Calendar, MeterBook};
pub use check::HeatCheck;
pub use checks::CHECKS_STATE;
use checks::Checks;
use closing::Closing;
pub use closing::{CLOSURE_STATE, Closure};
use gaps::Gaps;
pub use gaps::IRRADIANCE_STATE;
use hear::{Feeds, feeds};
pub use means::MEANS_STATE;
use means::Means;
pub use now::MeterHeat;
use shape::Shaping;
use today::{Ratios, Today};

/// Key of the engine's own row beside the rows of the meters.
pub const ENGINE_STATE: &str = "";
/// The open interval is struck this often; its energies move slowly.
const OPEN_EVERY_S: i64 = 5;

/// What is known of a meter at a tick.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterNow {
    /// How good its power and its registers are, or all its values where it has no
    /// power.
    pub quality: Quality,
    /// Why it is not good.
    pub reason: Option<Reason>,
    /// Age of its newest value, seconds.
    pub age_s: Option<f64>,
    /// Signed power relative to its role, W; of the electrical side where it has two.
    pub power_w: Option<f64>,
    /// Signed heat power, W, where it has both sides.
    pub heat_power_w: Option<f64>,
    /// Why its heat cannot be computed, for people.
    pub trouble: Option<String>,
    /// What to know of its heat beside the number, for people.
    pub notes: Vec<String>,
    /// What was counted of its heat, where that is computed.
    pub heat: Option<MeterHeat>,
    /// What the transformer between it and the boundary takes, where there is one.
    pub loss: Option<Loss>,
}

/// Everything known at one tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// When.
    pub at: Timestamp,
    /// The flows of both balances.
    pub powers: Powers,
    /// Every meter, in the order of the park.
    pub meters: Vec<MeterNow>,
    /// Ratios of today's energies.
    pub ratios: Ratios,
    /// Intervals that are not closed, oldest first, as far as they are known.
    pub open: Arc<[Interval]>,
    /// What the checks have found and is not over.
    pub findings: Arc<[Finding]>,
    /// Whether the books close.
    pub closure: Arc<Closure>,
}

/// What a tick brought.
#[derive(Debug)]
pub struct Tick {
    /// The frame.
    pub frame: Frame,
    /// Entries since the last tick.
    pub entries: Vec<Entry>,
    /// Intervals that closed, with how export was fed in them.
    pub closed: Vec<(Span, ExportShape)>,
    /// Means of sensors over intervals that are over.
    pub observed: Vec<Observed>,
    /// Findings that came or went.
    pub changes: Vec<Change>,
    /// Nodes that ceased to close, or close again.
    pub nodes: Vec<NodeChange>,
}

/// The part of a tick that moves the books.
struct Struck {
    powers: Powers,
    changes: Vec<Change>,
    entries: Vec<Entry>,
    closed: Vec<(Span, ExportShape)>,
}

/// The engine's own state on disk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Own {
    /// The interval of the last tick.
    current: Option<Span>,
    /// Intervals that ended and wait for late readings.
    ending: Vec<Span>,
    /// How export was fed, by start of interval in ms.
    shapes: BTreeMap<i64, Shaping>,
}

/// The engine.
pub struct Engine {
    park: Arc<Park>,
    calendar: Calendar,
    snapshot: Snapshot,
    /// What was known before something was only shown.
    before_shown: Option<Snapshot>,
    books: Vec<MeterBook>,
    feeds: Vec<Feeds>,
    own: Own,
    /// What happened to meters, and stands.
    events: Vec<MeterEvent>,
    entries: Vec<Entry>,
    /// Entries of intervals that are not closed, by start in ms.
    pending: BTreeMap<i64, Vec<Entry>>,
    started: Option<Timestamp>,
    last_tick: Option<Timestamp>,
    today: Today,
    open: Arc<[Interval]>,
    checks: Checks,
    gaps: Gaps,
    closing: Closing,
    means: Means,
}

impl Engine {
    /// An engine that takes up the books of an earlier run: rows of meter and JSON.
    #[must_use]
    pub fn new(park: Arc<Park>, earlier: &[(String, String)]) -> Self {
        Self::judging(park, earlier, &Settings::default())
    }

    /// An engine whose checks have settings of their own.
    #[must_use]
    pub fn judging(park: Arc<Park>, earlier: &[(String, String)], settings: &Settings) -> Self {
        let left = |key: &str| {
            earlier
                .iter()
                .find(|(meter, _)| meter == key)
                .map(|(_, json)| json.as_str())
        };
        let books: Vec<MeterBook> = park
            .meters
            .iter()
            .map(|meter| match park.relations.expression(&meter.id) {
                // Its entries follow from those of others, when an interval is settled.
                Some(_) => MeterBook::new(&derived::without_points(meter), None),
                None => MeterBook::new(meter, left(&meter.id)),
            })
            .collect();
        let feeds = park
            .meters
            .iter()
            .zip(&books)
            .enumerate()
            .map(|(index, (meter, book))| feeds(&park, index, meter, book))
            .collect();
        let own = left(ENGINE_STATE).and_then(|json| serde_json::from_str(json).ok());
        Self {
            means: Means::of(left(MEANS_STATE)),
            checks: Checks::new(&park, settings, left(CHECKS_STATE)),
            gaps: Gaps::new(&park, left(IRRADIANCE_STATE)),
            closing: Closing::new(&park, settings, left(CLOSURE_STATE)),
            calendar: Calendar {
                zone: park.time_zone.clone(),
                minutes: park.settlement_minutes,
            },
            snapshot: Snapshot::new(&park),
            before_shown: None,
            books,
            feeds,
            own: own.unwrap_or_default(),
            events: Vec::new(),
            entries: Vec::new(),
            pending: BTreeMap::new(),
            started: None,
            last_tick: None,
            today: Today::default(),
            open: Arc::from([]),
            park,
        }
    }

    /// An engine for a past that nobody looks at: it checks nothing, and what
    /// [`Self::book`] brings is all that is wanted of it.
    #[must_use]
    pub fn for_books(park: Arc<Park>) -> Self {
        Self {
            checks: Checks::default(),
            ..Self::new(park, &[])
        }
    }

    /// The park.
    #[must_use]
    pub fn park(&self) -> &Arc<Park> {
        &self.park
    }

    /// What devices said last.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Shows what a meter said and books nothing: its time is not known.
    pub fn show(&mut self, reading: &Reading) {
        let known = || self.snapshot.clone();
        self.before_shown.get_or_insert_with(known);
        self.snapshot.accept(reading);
    }

    /// Forgets what was shown, before it is heard with its right time.
    pub fn forget(&mut self) {
        if let Some(before) = self.before_shown.take() {
            self.snapshot = before;
        }
    }

    /// Strikes the balance at `now` and closes the intervals whose time has come.
    pub fn tick(&mut self, now: Timestamp) -> Tick {
        let struck = self.strike(now);
        let (entries, closed) = (struck.entries, struck.closed);
        for entry in &entries {
            let start = entry.span.start.as_millisecond();
            if self
                .own
                .current
                .is_some_and(|span| span.start.as_millisecond() <= start)
                || self.own.ending.contains(&entry.span)
            {
                self.pending.entry(start).or_default().push(entry.clone());
            }
        }
        if self.open.is_empty()
            || !closed.is_empty()
            || now.as_millisecond().div_euclid(1_000) % OPEN_EVERY_S == 0
        {
            self.open = self.open_intervals(now).into();
        }
        let ratios = self.today.ratios(now, &self.park.time_zone, &self.open);
        let meters = (0..self.park.meters.len())
            .map(|index| self.meter_now(index, now))
            .collect();
        let frame = Frame {
            at: now,
            powers: struck.powers,
            meters,
            ratios,
            open: Arc::clone(&self.open),
            findings: self.checks.findings(),
            closure: self.closing.view(),
        };
        Tick {
            frame,
            entries,
            closed,
            changes: struck.changes,
            observed: self.take_means(),
            nodes: self.closing.take_changes(),
        }
    }

    /// The same without a frame: entries, and the intervals that close.
    pub fn book(&mut self, now: Timestamp) -> (Vec<Entry>, Vec<(Span, ExportShape)>) {
        let struck = self.strike(now);
        (struck.entries, struck.closed)
    }

    /// What every tick is: powers, checks, and what leaves the books.
    fn strike(&mut self, now: Timestamp) -> Struck {
        let started = *self.started.get_or_insert(now);
        let powers = powers(&self.park, &|index, carrier| {
            self.power(index, carrier, now)
        });
        let changes = self.check(&powers, now);
        let slot = self.calendar.slot(now);
        self.gaps.look(&self.park, &self.snapshot, slot, now);
        self.turn_page(now);
        self.shape_export(&powers, now);
        self.last_tick = Some(now);
        let closed = self.close(now, started);
        self.closing.drifts(now, &self.checks);
        Struck {
            powers,
            changes,
            closed,
            entries: self.take_entries(),
        }
    }

    /// What is known at `now`, without closing or booking anything.
    #[must_use]
    pub fn look(&mut self, now: Timestamp) -> Frame {
        let powers = powers(&self.park, &|index, carrier| {
            self.power(index, carrier, now)
        });
        self.frame(now, powers)
    }

    fn frame(&mut self, now: Timestamp, powers: Powers) -> Frame {
        let ratios = self.today.ratios(now, &self.park.time_zone, &self.open);
        let meters = (0..self.park.meters.len())
            .map(|index| self.meter_now(index, now))
            .collect();
        Frame {
            at: now,
            powers,
            meters,
            ratios,
            open: Arc::clone(&self.open),
            findings: self.checks.findings(),
            closure: self.closing.view(),
        }
    }

    /// Has caught up with an earlier run: intervals of the time in between wait for
    /// the first readings, as after any start.
    pub fn begin_anew(&mut self) {
        self.started = None;
    }

    /// Takes over from an engine of the same park what is not in its rows of state.
    pub fn inherit(&mut self, earlier: &mut Self) {
        self.snapshot = earlier.snapshot.clone();
        self.today = std::mem::take(&mut earlier.today);
        self.pending = std::mem::take(&mut earlier.pending);
        self.entries = std::mem::take(&mut earlier.entries);
        let events = std::mem::take(&mut earlier.events);
        self.set_events(&events);
        let watched = earlier.watched();
        self.watch(&watched);
        self.means.given_out = earlier.take_means();
        self.started = earlier.started;
        self.last_tick = earlier.last_tick;
        std::mem::swap(&mut self.checks, &mut earlier.checks);
        std::mem::swap(&mut self.gaps, &mut earlier.gaps);
        std::mem::swap(&mut self.closing, &mut earlier.closing);
    }

    /// Every row of state, whether it changed or not: for an engine that goes on.
    #[must_use]
    pub fn state_for_resume(&self) -> Vec<(String, String)> {
        let meters = self.park.meters.iter().zip(&self.books);
        let mut rows: Vec<(String, String)> = meters
            .map(|(meter, book)| (meter.id.to_string(), book.as_json()))
            .collect();
        rows.push((
            ENGINE_STATE.to_owned(),
            serde_json::to_string(&self.own).unwrap_or_default(),
        ));
        rows.extend(self.checks.row());
        rows.extend(self.gaps.row());
        rows.push(self.closing.row());
        rows.extend(self.means.row());
        rows
    }

    /// Takes note of intervals that the ledger settled: today's ratios rest on them.
    pub fn settled(&mut self, intervals: &[Interval]) {
        for interval in intervals {
            self.today.settle(interval);
        }
    }

    /// Rows of state that changed since the last call.
    pub fn state(&mut self) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        for (meter, book) in self.park.meters.iter().zip(&mut self.books) {
            if let Some(json) = book.to_json() {
                rows.push((meter.id.to_string(), json));
            }
        }
        if let Ok(json) = serde_json::to_string(&self.own) {
            rows.push((ENGINE_STATE.to_owned(), json));
        }
        rows.extend(self.checks.row_when_due(self.last_tick));
        rows.extend(self.gaps.row_when_due());
        rows.extend(self.closing.row_when_changed());
        rows.extend(self.means.row());
        rows
    }

    /// Moves to the interval of `now`; those passed since the last tick have ended.
    fn turn_page(&mut self, now: Timestamp) {
        let span = self.calendar.slot(now);
        let Some(mut last) = self.own.current else {
            self.own.current = Some(span);
            return;
        };
        while last.end <= span.start {
            self.own.ending.push(last);
            last = self.calendar.slot(last.end);
        }
        if span.start >= last.start {
            self.own.current = Some(span);
        }
    }

    /// Closes intervals that ended long enough ago. After a start, intervals of the
    /// downtime wait as long for the first readings.
    fn close(&mut self, now: Timestamp, started: Timestamp) -> Vec<(Span, ExportShape)> {
        let waited = |since: Timestamp| {
            now.as_millisecond() - since.as_millisecond() >= CLOSE_AFTER_S * 1_000
        };
        let (due, ending): (Vec<Span>, Vec<Span>) = self
            .own
            .ending
            .iter()
            .partition(|span| waited(span.end.max(started)));
        self.own.ending = ending;
        let mut closed = Vec::new();
        for span in due {
            for (index, meter) in self.park.meters.iter().enumerate() {
                let reason = match self.park.relations.lost(&meter.id) {
                    None => silence(&self.snapshot, meter, index, now),
                    Some(one) => {
                        let power = self.lost_power(one, now);
                        let gap = power
                            .err()
                            .and_then(|gaps| Some(gaps.list().first()?.reason));
                        gap.unwrap_or(Reason::Stale)
                    }
                };
                if let Some(book) = self.books.get_mut(index) {
                    book.close(span, reason, &mut self.entries);
                }
            }
            self.close_means(span);
            let start = span.start.as_millisecond();
            let mut entries = self.pending.remove(&start).unwrap_or_default();
            let fresh = self.entries.iter().filter(|entry| entry.span == span);
            entries.extend(fresh.map(|entry| corrected(entry.clone(), &self.events)));
            self.closing.close(span, &entries, &self.books);
            let shaping = self.own.shapes.remove(&start).unwrap_or_default();
            closed.push((span, shaping.of(span.ms())));
        }
        closed
    }

    /// Intervals that are not closed, as far as they are known.
    fn open_intervals(&self, now: Timestamp) -> Vec<Interval> {
        let mut open = Vec::new();
        for span in self.own.ending.iter().chain(&self.own.current) {
            let start = span.start.as_millisecond();
            let entered = self.pending.get(&start).map_or(&[][..], Vec::as_slice);
            let entered_by = Said::new(entered);
            // An entry that left the books speaks for its channel; the rest is under way.
            let said = |index: MeterIndex, channel: Channel| {
                let meter = self
                    .park
                    .meters
                    .get(index)
                    .ok_or_else(quality::Gaps::config)?;
                if let Some(entry) = entered_by.get(&meter.id, channel) {
                    return stated(meter, channel, Some(entry));
                }
                let book = self.books.get(index);
                match book.and_then(|book| book.so_far(channel, *span, now)) {
                    Some(entry) => balance::entered(&entry),
                    None => stated(meter, channel, None),
                }
            };
            let end = span.end.min(now.max(span.start));
            let elapsed = Span {
                start: span.start,
                end,
            };
            let shaping = self.own.shapes.get(&start).copied().unwrap_or_default();
            let shape = shaping.of(elapsed.ms());
            let flows = settle_from(&self.park, &said, shape, elapsed);
            open.push(Interval {
                span: *span,
                closed: false,
                revision: 0,
                flows,
            });
        }
        open
    }
}

/// Why a meter has not spoken of an interval that closes.
fn silence(snapshot: &Snapshot, meter: &Meter, index: MeterIndex, now: Timestamp) -> Reason {
    (0..meter.points.len())
        .find_map(|point| snapshot.standing(meter, index, point, now).err())
        .unwrap_or(Reason::Stale)
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
#[path = "engine_tests.rs"]
mod tests;

#[cfg(test)]
#[allow(clippy::as_conversions)]
#[path = "told_tests.rs"]
mod told_tests;

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod heat_support;
