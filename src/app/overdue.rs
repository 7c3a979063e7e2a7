//! Computes again, while the daemon runs, what late readings touched.
//!
//! ```text
//!   heart ──heard, stored──▶ Late ──quiet──▶ thread: journal ──▶ new revisions in the ledger
//!                              ▲                │                        │
//!                              └──── done ◀─────┘      store ◀── takes them up, to the sinks
//! ```
//!
//! It runs in a thread of its own, which the heart looks at once a second: **neither polling
//! nor the disk waits for it**. However much comes late, it rests most of the time. Only
//! intervals of the meters that spoke are written, and of them all that a reading can
//! change: up to the next boundary that other readings fix, either way.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use super::AppError;
use super::late::{Due, Late, Place};
use super::recompute::{Only, recompute_only};
use crate::domain::interval::{CLOSE_AFTER_S, Span};
use crate::domain::meter::Park;
use crate::domain::quality::Quality;
use crate::domain::snapshot::Reading;
use crate::domain::time::slot;
use crate::store::{LedgerReader, StoreError};
use crate::sys::clock::mono;

/// Silence that ends a backlog: nothing late came for so long.
const QUIET: Duration = Duration::from_secs(60);
/// Where it never ends, what came is computed nonetheless after so long.
const AT_MOST: Duration = Duration::from_secs(15 * 60);
/// From the end of one computation to the next at least so long,
const REST: Duration = Duration::from_secs(5 * 60);
/// and so many times what it took.
const REST_FACTOR: u32 = 10;
/// Later than an interval closes: its entries are in the ledger by then.
const CLOSED_AFTER_S: i64 = CLOSE_AFTER_S + 10;
/// A boundary that is interpolated lies between readings at most so far apart.
const INTERPOLATED_WITHIN_MS: i64 = 2 * 3_600_000;
/// Intervals that a reading is followed to either side: a month of quarter hours.
const FARTHEST: usize = 31 * 96;
/// How long the end of the daemon waits for a computation to give up.
const STOPS_WITHIN: Duration = Duration::from_secs(2);

/// What is known of late readings, for whoever asks.
#[derive(Debug, Default)]
pub struct LateStats {
    waiting: AtomicU64,
    revisions: AtomicU64,
    runs: AtomicU64,
    last_ms: AtomicI64,
    error: Mutex<Option<String>>,
}

/// The same at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LateNumbers {
    /// Intervals that wait to be computed again, each meter on its own.
    pub waiting: u64,
    /// Revisions that were written since the start.
    pub revisions: u64,
    /// Computations since the start.
    pub runs: u64,
    /// When the last one ended.
    pub last: Option<Timestamp>,
    /// Why the last one failed.
    pub error: Option<String>,
}

impl LateStats {
    /// The numbers of now.
    #[must_use]
    pub fn numbers(&self) -> LateNumbers {
        let runs = self.runs.load(Relaxed);
        let last = Timestamp::from_millisecond(self.last_ms.load(Relaxed)).ok();
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        LateNumbers {
            waiting: self.waiting.load(Relaxed),
            revisions: self.revisions.load(Relaxed),
            runs,
            last: last.filter(|_| runs > 0),
            error: error.clone(),
        }
    }

    fn ended(&self, at: Timestamp, revisions: usize, error: Option<String>) {
        self.runs.fetch_add(1, Relaxed);
        let revisions = u64::try_from(revisions).unwrap_or(u64::MAX);
        self.revisions.fetch_add(revisions, Relaxed);
        self.last_ms.store(at.as_millisecond(), Relaxed);
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

/// What a computation came to.
#[derive(Debug, Default, PartialEq)]
pub struct Computed {
    /// Revisions that were written.
    pub revisions: usize,
    /// What has to be computed once more, when the readings behind it are there.
    pub open: Due,
}

struct UnderWay {
    since: Instant,
    stop: Arc<AtomicBool>,
    answer: oneshot::Receiver<Result<Computed, String>>,
}

/// When it is time to compute.
#[derive(Debug, Default)]
struct Pace {
    /// The first and the last reading that came since the last computation.
    heard: Option<(Instant, Instant)>,
    not_before: Option<Instant>,
}

impl Pace {
    fn heard(&mut self, now: Instant) {
        self.heard = Some((self.heard.map_or(now, |(first, _)| first), now));
    }

    fn is_time(&self, now: Instant) -> bool {
        let rested = self.not_before.is_none_or(|at| now >= at);
        let quiet = |(first, last)| now - last >= QUIET || now - first >= AT_MOST;
        rested && self.heard.is_none_or(quiet)
    }

    fn begun(&mut self) {
        self.heard = None;
    }

    fn ended(&mut self, now: Instant, took: Duration) {
        self.not_before = Some(now + REST.max(took * REST_FACTOR));
    }
}

/// What late readings touched, on its way to be computed again.
pub struct Overdue {
    late: Late,
    park: Arc<Park>,
    dir: PathBuf,
    pace: Pace,
    under_way: Option<UnderWay>,
    stats: Arc<LateStats>,
    /// The row of state differs from the one that was handed over last.
    changed: bool,
}

impl Overdue {
    /// What an earlier run left. It has waited, and waits as long as any.
    #[must_use]
    pub fn new(late: Late, park: Arc<Park>, dir: PathBuf, stats: Arc<LateStats>) -> Self {
        let mut pace = Pace::default();
        pace.heard(mono());
        let all = Self {
            late,
            park,
            dir,
            pace,
            under_way: None,
            stats,
            changed: true,
        };
        all.count();
        all
    }

    fn count(&self) {
        let waiting = self.late.waiting(self.park.settlement_minutes * 60_000);
        self.stats.waiting.store(waiting, Relaxed);
    }

    /// A late reading that goes with the next block.
    pub fn heard(&mut self, reading: &Reading) {
        let known = reading.values.iter().any(|(_, said)| said.is_ok());
        let Some(meter) = self.park.meters.get(reading.meter).filter(|_| known) else {
            return;
        };
        let interval = slot(
            reading.at,
            &self.park.time_zone,
            self.park.settlement_minutes,
        );
        self.late.heard(&meter.id, reading.at, interval);
        self.pace.heard(mono());
    }

    /// The row of state for the block of a tick, where it says something else than before.
    pub fn row(&mut self, tick: Timestamp) -> Option<(String, String)> {
        self.changed |= self.late.hand_over(tick);
        std::mem::take(&mut self.changed).then(|| self.late.row())
    }

    /// The block is on disk.
    pub fn stored(&mut self) {
        self.late.stored();
    }

    /// Looks whether something is done, or has to be.
    pub fn beat(&mut self, now: Timestamp) {
        self.ended(now);
        self.count();
        if self.under_way.is_some() || !self.pace.is_time(mono()) {
            return;
        }
        let limit = computable_until(&self.park, now);
        let Some((due, open)) = self.late.begin(limit.as_millisecond()) else {
            return;
        };
        self.pace.begun();
        let (answers, answer) = oneshot::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (park, dir) = (Arc::clone(&self.park), self.dir.clone());
        let (places, halt) = (self.late.places().to_vec(), Arc::clone(&stop));
        let work = move || {
            let over = closed_until(&park, now);
            let done = compute(&park, &dir, (&due, &open), &places, over, &halt);
            let _ = answers.send(done.map_err(|error| error.to_string()));
        };
        let started = std::thread::Builder::new()
            .name("late".to_owned())
            .spawn(work);
        match started {
            Ok(_) => {
                self.under_way = Some(UnderWay {
                    since: mono(),
                    stop,
                    answer,
                });
            }
            Err(error) => {
                warn!(%error, "Late readings cannot be computed now; it is tried again.");
                self.late.failed();
                self.pace.ended(mono(), Duration::ZERO);
            }
        }
    }

    /// Takes the answer, if there is one.
    fn ended(&mut self, now: Timestamp) {
        let Some(under_way) = &mut self.under_way else {
            return;
        };
        let answer = match under_way.answer.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => return,
            Err(oneshot::error::TryRecvError::Closed) => Err("it ended badly".to_owned()),
            Ok(answer) => answer,
        };
        self.pace.ended(mono(), mono() - under_way.since);
        self.under_way = None;
        self.changed = true;
        match answer {
            Ok(Computed { revisions, open }) => {
                self.late.done(open);
                self.stats.ended(now, revisions, None);
                if revisions > 0 {
                    info!(revisions, "Late readings made new revisions.");
                }
            }
            Err(error) => {
                error!(%error, "Late readings could not be computed; it is tried again.");
                self.late.failed();
                self.stats.ended(now, 0, Some(error));
            }
        }
    }

    /// Ends what is under way. It is still due, unless it was done a moment ago.
    pub async fn finish(&mut self) {
        if let Some(under_way) = self.under_way.take() {
            under_way.stop.store(true, Relaxed);
            let _ = timeout(STOPS_WITHIN, under_way.answer).await;
            self.late.failed();
        }
    }
}

/// Up to when intervals are closed, as long as the daemon ran.
fn closed_until(park: &Park, now: Timestamp) -> Timestamp {
    let closing = Timestamp::from_second(now.as_second() - CLOSED_AFTER_S).unwrap_or(now);
    slot(closing, &park.time_zone, park.settlement_minutes).start
}

/// Up to when they can be computed: the interval behind them is closed as well.
fn computable_until(park: &Park, now: Timestamp) -> Timestamp {
    let over = closed_until(park, now);
    slot_before(park, over).start
}

fn slot_before(park: &Park, at: Timestamp) -> Span {
    let inside = Timestamp::from_millisecond(at.as_millisecond() - 1).unwrap_or(at);
    slot(inside, &park.time_zone, park.settlement_minutes)
}

/// Computes what is due, and what was open and is so no more, up to `over`.
///
/// # Errors
///
/// Where journal or ledger cannot be read, or the ledger not be written. What was written
/// until then is right.
pub fn compute(
    park: &Arc<Park>,
    dir: &Path,
    (due, open): (&Due, &Due),
    places: &[Place],
    over: Timestamp,
    stop: &AtomicBool,
) -> Result<Computed, AppError> {
    let mut done = Computed::default();
    let reader = LedgerReader::open(dir)?;
    let mut periods = Vec::new();
    for (all, is_due) in [(due, true), (open, false)] {
        for (id, stretches) in &all.0 {
            let Some(index) = park.meter(id) else {
                continue;
            };
            let period = park.meters.get(index).map(|meter| meter.period);
            let apart = period.unwrap_or_default().as_millis().saturating_mul(3);
            let apart_ms = i64::try_from(apart).unwrap_or(i64::MAX);
            for &(from, until) in stretches {
                let reach = reach(&reader, park, (id, apart_ms), (from, until), over)?;
                if !reach.is_fixed {
                    done.open.add(id, (from, until));
                }
                if is_due || reach.is_fixed {
                    periods.push((reach.span, BTreeSet::from([Arc::clone(id)])));
                }
            }
        }
    }
    drop(reader);
    for (span, meters) in joined(periods) {
        let only = Only {
            meters: Some(&meters),
            places,
            stop,
        };
        done.revisions += recompute_only(park, dir, span, true, &only)?
            .revisions
            .len();
    }
    Ok(done)
}

/// Periods with the meters in them; those that meet become one.
fn joined(mut periods: Vec<(Span, BTreeSet<Arc<str>>)>) -> Vec<(Span, BTreeSet<Arc<str>>)> {
    periods.sort_by_key(|(span, _)| *span);
    let mut joined: Vec<(Span, BTreeSet<Arc<str>>)> = Vec::new();
    for (span, meters) in periods {
        match joined.last_mut() {
            Some((last, with)) if last.end >= span.start => {
                last.end = last.end.max(span.end);
                with.extend(meters);
            }
            _ => joined.push((span, meters)),
        }
    }
    joined
}

/// How far readings of a stretch of time reach.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Reach {
    /// The intervals that they can change.
    span: Span,
    /// Whether its end is fixed by readings; else they can change more once more is closed.
    is_fixed: bool,
}

/// Whether nothing behind an interval of a quality moves, of which the far end is so far
/// from what was said late. Readings of power stand for as long as they may be apart.
fn fixes(quality: Quality, off_ms: i64, apart_ms: i64) -> bool {
    match quality {
        Quality::Good => true,
        Quality::Derived => off_ms >= apart_ms,
        Quality::Interpolated => off_ms >= INTERPOLATED_WITHIN_MS,
        _ => false,
    }
}

/// Follows a stretch of readings of a meter either way, to where others fix a boundary.
///
/// An interval between good boundaries has a reading near each of them; where they are
/// interpolated, one at most two hours off. Beyond that nothing moves.
fn reach(
    reader: &LedgerReader,
    park: &Park,
    (meter, apart_ms): (&Arc<str>, i64),
    (from_ms, until_ms): (i64, i64),
    over: Timestamp,
) -> Result<Reach, StoreError> {
    let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(over);
    // The worst of an interval; none where nothing is booked of the meter.
    let worst = |span: Span| -> Result<Option<Quality>, StoreError> {
        let entries = reader.entries(span.start, span.end)?;
        let mine = entries.iter().filter(|entry| entry.meter == *meter);
        Ok(mine.map(|entry| entry.quality).reduce(Quality::worst))
    };
    let mut reach = Reach {
        span: Span {
            start: at(from_ms),
            end: at(until_ms),
        },
        is_fixed: true,
    };
    for _ in 0..FARTHEST {
        let before = slot_before(park, reach.span.start);
        let Some(quality) = worst(before)? else {
            break;
        };
        reach.span.start = before.start;
        if fixes(quality, from_ms - before.start.as_millisecond(), apart_ms) {
            break;
        }
    }
    for _ in 0..FARTHEST {
        if reach.span.end >= over {
            reach.is_fixed = false;
            break;
        }
        let after = slot(reach.span.end, &park.time_zone, park.settlement_minutes);
        let Some(quality) = worst(after)? else {
            break;
        };
        reach.span.end = after.end;
        if fixes(quality, after.end.as_millisecond() - until_ms, apart_ms) {
            break;
        }
    }
    Ok(reach)
}

#[cfg(test)]
#[path = "overdue_tests.rs"]
mod tests;
