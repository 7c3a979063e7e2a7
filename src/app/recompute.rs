//! The ledger again from the journal.
//!
//! ```text
//!   journal ──▶ engine ──▶ entries ──compare──▶ same, or a difference
//!   events ──────┘                      └─────▶ next revision beside the old one
//! ```
//!
//! The readings of a period go through the same engine once more, with what has been
//! entered about meters since, and with the messages that came too late for the first
//! time, each at its own moment. **What the journal does not know any more is left as it
//! is**: an interval is replaced by a better founded one, never by a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use jiff::Timestamp;

use super::AppError;
use super::compare::{compare, measured_before};
use super::late::{Late, Place};
use super::past::LedgerPast;
use crate::domain::balance::settle_all;
use crate::domain::event::{MeterEvent, standing};
use crate::domain::interval::{CLOSE_AFTER_S, Channel, Entry, ExportShape, Interval, Span};
use crate::domain::meter::Park;
use crate::domain::relations::Relations;
use crate::domain::snapshot::Reading;
use crate::engine::Engine;
use crate::engine::record::{ReadBack, Recorder};
use crate::store::{Block, LedgerReader, Reader, Settle, StoreError, events, ledger};
use crate::wire::line_protocol::time_of;

/// So much before the period is read along: a boundary that is not estimated has a reading
/// at most two hours before it.
const LEAD: Duration = Duration::from_secs(2 * 3_600 + 60);
/// So much behind it: what closes an interval, and what a message is late by where it is
/// not remembered how late it came.
const REACH: Duration = Duration::from_secs(2 * 3_600);
/// Blocks that are unpacked and wait: a hiccup of either side does not hold up the other.
const AHEAD: usize = 8;
/// Ticks further apart than this are those of two runs.
const RUN_GAP_MS: i64 = 60_000;
/// Shapes that differ by less, in parts of themselves, are the same.
const SAME_SHAPE: f64 = 1e-9;

/// A channel of a meter in an interval.
pub type Key = (Span, Arc<str>, Channel);

/// One channel of one interval that says something else now.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// What the ledger says; nothing where it has no entry.
    pub before: Option<Entry>,
    /// What the journal and the events come to.
    pub now: Entry,
}

/// What recomputing came to.
#[derive(Debug, Default)]
pub struct Recomputed {
    /// Entries of the ledger that come out the same.
    pub same: usize,
    /// Those that do not.
    pub differences: Vec<Difference>,
    /// Entries of which the journal does not know enough any more.
    pub unknown: usize,
    /// Those of them that still say what a person said and withdrew: nothing tells what was
    /// there before.
    pub withdrawn: Vec<Entry>,
    /// The intervals of channels that the journal said again.
    pub again: BTreeSet<Key>,
    /// Readings that were too late for the first time.
    pub late: usize,
    /// The revisions that follow, where they were to be written.
    pub revisions: Vec<Interval>,
}

/// What the readings of a period come to.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) entries: BTreeMap<Key, Entry>,
    closed: BTreeMap<Span, ExportShape>,
    /// First reading of each meter: what lies before is not known from here.
    pub(super) begins: BTreeMap<Arc<str>, Timestamp>,
    late: usize,
}

/// Computes the intervals that begin in a period again, and writes what differs as new
/// revisions if `write` says so. Works beside a daemon.
///
/// # Errors
///
/// Where journal, events or ledger cannot be read, or the ledger not be written; then
/// nothing of it is.
pub fn recompute(
    park: &Arc<Park>,
    dir: &Path,
    period: Span,
    write: bool,
) -> Result<Recomputed, AppError> {
    let states = LedgerReader::open(dir)?.states()?;
    let late = Late::of_states(&states);
    let only = Only {
        meters: None,
        places: late.places(),
        stop: &AtomicBool::new(false),
    };
    recompute_only(park, dir, period, write, &only)
}

/// What of a period is computed again.
pub struct Only<'a> {
    /// The meters whose entries may change; all where none is named.
    pub meters: Option<&'a BTreeSet<Arc<str>>>,
    /// Where in the journal late readings lie.
    pub places: &'a [Place],
    /// Gives up, and writes nothing, where it is set meanwhile.
    pub stop: &'a AtomicBool,
}

/// The same of some meters.
///
/// # Errors
///
/// Those of [`recompute`].
pub fn recompute_only(
    park: &Arc<Park>,
    dir: &Path,
    period: Span,
    write: bool,
    only: &Only<'_>,
) -> Result<Recomputed, AppError> {
    let events = events::read(dir)?.list;
    let reader = LedgerReader::open(dir)?;
    let mut ledger = reader.entries(period.start, period.end)?;
    if let Some(meters) = only.meters {
        ledger.retain(|entry| follows(&park.relations, &entry.meter, meters));
    }
    let measured = measured_before(reader.entries_before(period.start, period.end)?);
    let shapes = reader.shapes(period.start, period.end)?;
    drop(reader);
    let replay = replay(park, dir, &events, period, only)?;
    if only.stop.load(Ordering::Relaxed) {
        return Ok(Recomputed::default());
    }
    let mut done = compare(
        &park.relations,
        ledger,
        &measured,
        &replay,
        &standing(&events),
    );
    let moved: Vec<(Span, ExportShape)> = replay
        .closed
        .iter()
        .filter(|(span, shape)| {
            let before = shapes.iter().find(|(of, _)| of == *span);
            before.is_some_and(|(_, before)| !is_same_shape(before, shape))
        })
        .map(|(span, shape)| (*span, *shape))
        .collect();
    if write && (!done.differences.is_empty() || !moved.is_empty()) {
        let settled = Arc::clone(park);
        let settle: Settle =
            Box::new(move |entries, shape, span| settle_all(&settled, entries, shape, span));
        let entries = done.differences.iter().map(|one| one.now.clone()).collect();
        done.revisions = ledger::revise(dir, entries, moved, &settle)?;
    }
    done.late = replay.late;
    Ok(done)
}

/// Whether a meter is one of some, or says what a transformer beside one of them took.
pub(super) fn follows(relations: &Relations, meter: &str, meters: &BTreeSet<Arc<str>>) -> bool {
    let lost = relations.lost(meter);
    meters.contains(meter) || lost.is_some_and(|one| meters.contains(&one.meter))
}

/// The readings of a period through an engine of their own.
///
/// What came too late has its place among what came in time, and where that is becomes
/// known when the period has been read: then it is gone through once more.
fn replay(
    park: &Arc<Park>,
    dir: &Path,
    events: &[MeterEvent],
    period: Span,
    only: &Only<'_>,
) -> Result<Replay, StoreError> {
    let mut late = Vec::new();
    let read = Read {
        park,
        dir,
        events,
        period,
        stop: only.stop,
    };
    let replay = read.pass(&mut late, About::Find)?;
    let (from, until) = read.ends();
    for place in only.places {
        if place.until_ms >= from.as_millisecond() && place.from_ms <= until.as_millisecond() {
            read.find(place, until, &mut late)?;
        }
    }
    late.retain(|reading| reading.at >= from && reading.at <= until);
    if late.is_empty() {
        return Ok(replay);
    }
    late.sort_by_key(|reading| reading.at);
    let count = late.len();
    let replay = read.pass(&mut late, About::TakeIn)?;
    Ok(Replay {
        late: count,
        ..replay
    })
}

/// What a walk through the journal does about readings that came too late.
#[derive(Clone, Copy, PartialEq)]
enum About {
    /// Looks for them. With the first one the books of this walk are void.
    Find,
    /// Takes them in at their time.
    TakeIn,
}

/// What is heard at a moment.
enum Row<'a> {
    /// From the journal as it stands there, if it is a reading at all.
    Line(&'a str),
    /// What came too late.
    Late(&'a Reading),
}

/// What is read of a journal.
struct Read<'a> {
    park: &'a Arc<Park>,
    dir: &'a Path,
    events: &'a [MeterEvent],
    period: Span,
    stop: &'a AtomicBool,
}

fn moved(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

impl Read<'_> {
    /// From when until when.
    fn ends(&self) -> (Timestamp, Timestamp) {
        let from = self.period.start.saturating_sub(LEAD);
        let until = moved(self.period.end, REACH);
        (from.unwrap_or(Timestamp::MIN), until)
    }

    /// Looks for late readings in a place beyond `after`, the end of what was read.
    fn find(
        &self,
        place: &Place,
        after: Timestamp,
        late: &mut Vec<Reading>,
    ) -> Result<(), StoreError> {
        let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(after);
        let (from, until) = (at(place.first_ms).max(after), at(place.last_ms + 1));
        if from >= until {
            return Ok(());
        }
        let recorder = Recorder::new(self.park);
        let mut rows = ReadBack::new(&recorder);
        ahead(self.dir, from, until, self.stop, |block| {
            late.extend(late_of(&mut rows, &block.text));
            Walk::On
        })
    }

    /// One walk through the journal.
    fn pass(&self, late: &mut Vec<Reading>, about_late: About) -> Result<Replay, StoreError> {
        let Self {
            park,
            dir,
            events,
            period,
            ..
        } = *self;
        let (from, until) = self.ends();
        let enough = moved(
            period.end,
            Duration::from_secs(2 * CLOSE_AFTER_S.unsigned_abs()),
        );
        let recorder = Recorder::new(park);
        let mut rows = ReadBack::new(&recorder);
        let mut replay = Replay::default();
        let mut begins = vec![None::<Timestamp>; park.meters.len()];
        let mut engine = Engine::for_books(Arc::clone(park));
        engine.set_events(events);
        engine.fill_gaps(Box::new(LedgerPast::open(dir)?));
        let mut last = None::<Timestamp>;
        let (mut lines, mut taken) = (0, 0);
        let mut books = true;
        ahead(dir, from, until, self.stop, |block| {
            books &= about_late == About::TakeIn || late.is_empty();
            if !books {
                late.extend(late_of(&mut rows, &block.text));
                return Walk::On;
            }
            if last
                .is_some_and(|last| block.at.as_millisecond() - last.as_millisecond() > RUN_GAP_MS)
            {
                engine.begin_anew();
            }
            last = Some(block.at);
            let mut said: Vec<(i64, Row<'_>)> = Vec::with_capacity(lines);
            let timed = block.text.lines();
            said.extend(timed.filter_map(|line| Some((time_of(line)?, Row::Line(line)))));
            lines = said.len();
            if about_late == About::TakeIn {
                let due = late.iter().skip(taken).take_while(|one| one.at <= block.at);
                said.extend(due.map(|one| (one.at.as_millisecond(), Row::Late(one))));
                taken += said.len() - lines;
            }
            said.sort_by_key(|(ms, _)| *ms);
            let mut found = Vec::new();
            for (_, row) in said {
                let (reading, is_late) = match row {
                    Row::Late(reading) => (reading.clone(), false),
                    Row::Line(line) => match rows.read(line) {
                        Some(read) => read,
                        None => continue,
                    },
                };
                if is_late {
                    found.push(reading);
                    continue;
                }
                if let Some(begins) = begins.get_mut(reading.meter)
                    && begins.is_none()
                    && reading.values.iter().any(|(_, said)| said.is_ok())
                {
                    *begins = Some(reading.at);
                }
                engine.hear(&reading);
                rows.done(reading);
            }
            if about_late == About::Find {
                late.extend(found);
            }
            let (entries, closed) = engine.book(block.at);
            let inside = |span: &Span| span.start >= period.start && span.start < period.end;
            for entry in entries.into_iter().filter(|it| inside(&it.span)) {
                let key = (entry.span, Arc::clone(&entry.meter), entry.channel);
                replay.entries.insert(key, entry);
            }
            let closed = closed.into_iter().filter(|(span, _)| inside(span));
            replay.closed.extend(closed);
            let all_known = || replay.entries.values().all(|entry| entry.energy.is_ok());
            let all_taken = about_late == About::Find || taken == late.len();
            if block.at <= enough || !all_taken || !all_known() {
                return Walk::On;
            }
            // The books are complete; only what came too late may still stand behind.
            books = false;
            match about_late {
                About::Find => Walk::On,
                About::TakeIn => Walk::Enough,
            }
        })?;
        for one in &park.relations.compensations {
            // What it loses is known from where the meter is.
            let meter = park.meter(&one.meter).and_then(|place| begins.get(place));
            let begun = meter.copied().flatten();
            let loss = park.meter(&one.loss);
            if let Some(begins) = loss.and_then(|place| begins.get_mut(place)) {
                *begins = begun;
            }
        }
        let meters = park.meters.iter().zip(begins);
        let begun = meters.filter_map(|(meter, begins)| Some((Arc::clone(&meter.id), begins?)));
        replay.begins = begun.collect();
        Ok(replay)
    }
}

/// What rows say that came too late.
fn late_of(rows: &mut ReadBack<'_>, text: &str) -> Vec<Reading> {
    let marked = text
        .lines()
        .filter(|line| line.contains(Recorder::LATE_MARK));
    let read = marked.filter_map(|line| rows.read(line));
    read.filter_map(|(reading, is_late)| is_late.then_some(reading))
        .collect()
}

/// Whether a walk goes on.
#[derive(Clone, Copy, PartialEq)]
enum Walk {
    On,
    Enough,
}

/// Goes through the blocks of a period. They are unpacked in a thread of their own, ahead
/// of what is done with them.
fn ahead(
    dir: &Path,
    from: Timestamp,
    until: Timestamp,
    stop: &AtomicBool,
    mut each: impl FnMut(&Block) -> Walk,
) -> Result<(), StoreError> {
    let mut reader = Reader::new(dir)?;
    let (send, blocks) = sync_channel(AHEAD);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut seq = 0;
            loop {
                let block = reader.next_between(seq, from, until).transpose();
                seq = match &block {
                    Some(Ok(block)) => block.seq,
                    Some(Err(_)) => seq,
                    None => return,
                };
                let is_last = matches!(block, Some(Err(_)));
                // Nobody waits for it any more where all is known.
                let Some(Ok(())) = block.map(|block| send.send(block)) else {
                    return;
                };
                if is_last {
                    return;
                }
            }
        });
        for block in blocks {
            if stop.load(Ordering::Relaxed) || each(&block?) == Walk::Enough {
                return Ok(());
            }
        }
        Ok(())
    })
}

fn is_same_shape(a: &ExportShape, b: &ExportShape) -> bool {
    let same = |a: f64, b: f64| (a - b).abs() <= SAME_SHAPE * a.abs().max(b.abs()).max(1.0);
    same(a.generation_wh, b.generation_wh) && same(a.battery_wh, b.battery_wh)
}
