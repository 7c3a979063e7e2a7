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

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::AppError;
use super::past::LedgerPast;
use crate::domain::balance::settle_all;
use crate::domain::event::{MeterEvent, corrected, standing};
use crate::domain::interval::{CLOSE_AFTER_S, Channel, Entry, ExportShape, Interval, Span};
use crate::domain::meter::Park;
use crate::domain::snapshot::Reading;
use crate::domain::units::MilliwattHours;
use crate::engine::Engine;
use crate::engine::record::Recorder;
use crate::store::{LedgerReader, Reader, Settle, StoreError, events, ledger};
use crate::wire::line_protocol::parse;

/// So much before the period is read along: registers have a reading before its first
/// boundary, also those that are read each quarter of an hour.
const LEAD: Duration = Duration::from_secs(3_600);
/// So much behind it: what closes an interval, and what a message is late by.
const REACH: Duration = Duration::from_secs(2 * 3_600);
/// Ticks further apart than this are those of two runs.
const RUN_GAP_MS: i64 = 60_000;
/// Coverages that differ by less are the same: sums of floats.
const SAME_PCT: f64 = 1e-6;
/// Shapes that differ by less, in parts of themselves, are the same.
const SAME_SHAPE: f64 = 1e-9;

type Key = (Span, Arc<str>, Channel);

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
    /// Readings that were too late for the first time.
    pub late: usize,
    /// The revisions that follow, where they were to be written.
    pub revisions: Vec<Interval>,
}

/// What the readings of a period come to.
#[derive(Debug, Default)]
struct Replay {
    entries: BTreeMap<Key, Entry>,
    closed: BTreeMap<Span, ExportShape>,
    /// First reading of each meter: what lies before is not known from here.
    begins: BTreeMap<Arc<str>, Timestamp>,
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
    let events = events::read(dir)?.list;
    let reader = LedgerReader::open(dir)?;
    let ledger = reader.entries(period.start, period.end)?;
    let shapes = reader.shapes(period.start, period.end)?;
    drop(reader);
    let replay = replay(park, dir, &events, period)?;
    let mut done = compare(park, ledger, &replay, &standing(&events));
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

/// The readings of a period through an engine of their own.
fn replay(
    park: &Arc<Park>,
    dir: &Path,
    events: &[MeterEvent],
    period: Span,
) -> Result<Replay, StoreError> {
    let moved = |at: Timestamp, by: Duration| at.saturating_add(by).unwrap_or(Timestamp::MAX);
    let from = period.start.saturating_sub(LEAD).unwrap_or(Timestamp::MIN);
    let until = moved(period.end, REACH);
    let recorder = Recorder::new(park);
    let late = late(&recorder, dir, from, until)?;
    let mut replay = Replay {
        late: late.len(),
        ..Replay::default()
    };
    let mut late = late.into_iter().peekable();
    let mut engine = Engine::new(Arc::clone(park), &[]);
    engine.set_events(events);
    engine.fill_gaps(Box::new(LedgerPast::open(dir)?));
    let mut reader = Reader::new(dir)?;
    let (mut seq, mut last) = (0, None::<Timestamp>);
    while let Some(block) = reader.next_between(seq, from, until)? {
        seq = block.seq;
        if last.is_some_and(|last| block.at.as_millisecond() - last.as_millisecond() > RUN_GAP_MS) {
            engine.begin_anew();
        }
        last = Some(block.at);
        let lines = block.text.lines();
        let mut readings: Vec<Reading> = lines
            .filter_map(|line| recorder.read_back(&parse(line).ok()?))
            .collect();
        while let Some(one) = late.next_if(|one| one.at <= block.at) {
            readings.push(one);
        }
        readings.sort_by_key(|reading| reading.at);
        for reading in &readings {
            if let Some(meter) = park.meters.get(reading.meter)
                && reading.values.iter().any(|(_, said)| said.is_ok())
            {
                let begins = replay.begins.entry(Arc::clone(&meter.id));
                begins.or_insert(reading.at);
            }
            engine.hear(reading);
        }
        let tick = engine.tick(block.at);
        let inside = |span: &Span| span.start >= period.start && span.start < period.end;
        for entry in tick.entries.into_iter().filter(|it| inside(&it.span)) {
            let key = (entry.span, Arc::clone(&entry.meter), entry.channel);
            replay.entries.insert(key, entry);
        }
        let closed = tick.closed.into_iter().filter(|(span, _)| inside(span));
        replay.closed.extend(closed);
        let enough = moved(
            period.end,
            Duration::from_secs(2 * CLOSE_AFTER_S.unsigned_abs()),
        );
        let all_known = || replay.entries.values().all(|entry| entry.energy.is_ok());
        if block.at > enough && late.peek().is_none() && all_known() {
            break;
        }
    }
    Ok(replay)
}

/// What came too late to be booked, in order of its time.
fn late(
    recorder: &Recorder,
    dir: &Path,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Reading>, StoreError> {
    let mut late = Vec::new();
    let mut reader = Reader::new(dir)?;
    let mut seq = 0;
    while let Some(block) = reader.next_between(seq, from, until)? {
        seq = block.seq;
        if !block.text.contains(Recorder::LATE_MARK) {
            continue;
        }
        let lines = block
            .text
            .lines()
            .filter(|line| line.contains(Recorder::LATE_MARK));
        late.extend(lines.filter_map(|line| recorder.read_late(&parse(line).ok()?)));
    }
    late.sort_by_key(|reading| reading.at);
    Ok(late)
}

fn compare(
    park: &Park,
    ledger: Vec<Entry>,
    replay: &Replay,
    standing: &[MeterEvent],
) -> Recomputed {
    let mut done = Recomputed::default();
    let mut offsets: BTreeMap<(Arc<str>, Channel), MilliwattHours> = BTreeMap::new();
    // What is computed from others follows from them when they are written.
    let measured = |entry: &Entry| park.relations.expression(&entry.meter).is_none();
    for before in ledger.into_iter().filter(measured) {
        let key = (before.span, Arc::clone(&before.meter), before.channel);
        let is_known = replay
            .begins
            .get(&before.meter)
            .is_some_and(|begins| *begins <= before.span.start);
        let again = replay
            .entries
            .get(&key)
            .filter(|again| is_known && (again.energy.is_ok() || before.energy.is_err()));
        let mut now = match again {
            Some(again) => again.clone(),
            None => {
                // No reading says it again; a person may.
                let now = corrected(before.clone(), standing);
                if now == before {
                    done.unknown += 1;
                    continue;
                }
                now
            }
        };
        if again.is_some() {
            // The positions of the ledger begin with its first reading ever.
            let track = (Arc::clone(&before.meter), before.channel);
            if let (Some(theirs), Some(ours)) = (before.opening, now.opening) {
                offsets.entry(track.clone()).or_insert(theirs - ours);
            }
            let offset = offsets.get(&track).copied();
            let moved = |position: MilliwattHours| position + offset.unwrap_or_default();
            now.opening = now.opening.map(moved);
            now.closing = now.closing.map(moved);
        }
        if is_same(&before, &now) {
            done.same += 1;
        } else {
            let before = Some(before);
            done.differences.push(Difference { before, now });
        }
    }
    done
}

/// Whether two entries say the same of an interval.
fn is_same(a: &Entry, b: &Entry) -> bool {
    a.energy == b.energy
        && a.quality == b.quality
        && (a.coverage_pct - b.coverage_pct).abs() < SAME_PCT
}

fn is_same_shape(a: &ExportShape, b: &ExportShape) -> bool {
    let same = |a: f64, b: f64| (a - b).abs() <= SAME_SHAPE * a.abs().max(b.abs()).max(1.0);
    same(a.generation_wh, b.generation_wh) && same(a.battery_wh, b.battery_wh)
}
