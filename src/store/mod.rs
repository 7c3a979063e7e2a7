//! The store: readings and what they amount to, on the box's own disk.
//!
//! ```text
//!            Batch                                   Reader ──▶ sinks, audit
//! engine ───────────▶ StoreThread ──▶ journal ─────────┘
//!        ◀─────────── (owns Store) ──▶ ledger ─────────┐
//!          Committed                                 LedgerReader ──▶ reports, API
//! ```
//!
//! A [`Batch`] is durable in the [`journal`] when its commit returns. The
//! [`ledger`] follows within seconds, at once where an interval closes or
//! changes; it knows the journal sequence that it covers, and what lies beyond
//! is replayed at the start ([`Recovered::tail`]).
//!
//! **What a commit has confirmed is lost only where it is counted:** damaged on
//! the disk, or forced out by the bound of space before every sink had it.
//!
//! One thread owns everything that writes; readers have connections and files of
//! their own and never wait for it.

pub mod backup;
mod daily;
pub mod error;
pub mod events;
pub mod journal;
pub mod ledger;
mod open;
pub mod pending;
pub mod place;
pub mod stats;
pub mod thread;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{info, warn};

pub use error::StoreError;
pub use journal::reader::Backlog;
pub use journal::retain::Dropped;
pub use journal::{Block, Damage, Reader};
pub use ledger::{LedgerReader, Mended, Settle};
pub use open::{Recovered, Tail};
pub use stats::StoreStats;
pub use thread::{Refused, StoreHandle, StoreThread};

use self::daily::Daily;
use self::journal::Journal;
use self::journal::retain::{Bounds, Delivered};
use self::ledger::Ledger;
use self::pending::Pending;
use self::place::Place;
use crate::domain::event::MeterEvent;
use crate::domain::interval::{Entry, ExportShape, Interval, Span};
use crate::domain::plant::Observed;

/// The ledger is at most this far behind the journal: a replay of seconds at the
/// start, a fifth of the syncs.
const LEDGER_EVERY: Duration = Duration::from_secs(5);
/// The same in batches, for ticks that come faster than the clock.
const LEDGER_BATCHES: u32 = 5;
/// How often bounds are looked after, besides at each new segment: short enough
/// for the floor of free space to hold against somebody else's growing files.
const RETAIN_EVERY: Duration = Duration::from_secs(60);
/// A segment is at most this part of the bound, so that a small bound also holds
/// several of them.
const SEGMENTS_IN_BOUND: u64 = 16;
/// Milliseconds of a day of keeping.
const MS_PER_DAY: i64 = 86_400_000;

/// How a store is to be kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its directory.
    pub dir: PathBuf,
    /// Blocks that every sink has are kept this long.
    pub keep_days: u32,
    /// The most bytes of the journal.
    pub max_bytes: u64,
    /// Bytes of the file system that stay free.
    pub free_floor: u64,
    /// Where there is no room: nothing is recorded, instead of the oldest data going that
    /// some sink does not have yet.
    pub stop_when_full: bool,
    /// The sinks whose cursors hold blocks back.
    pub sinks: Vec<String>,
}

/// What one tick hands to the store.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The tick.
    pub at: Timestamp,
    /// Line protocol, times in milliseconds, each line ended by a newline.
    pub lines: String,
    /// Field values in the lines.
    pub points: u32,
    /// What channels of meters moved, latest knowledge.
    pub entries: Vec<Entry>,
    /// Spans that close with this tick, and how export was fed in them.
    pub closed: Vec<(Span, ExportShape)>,
    /// Means of sensors over spans that are over.
    pub observed: Vec<Observed>,
    /// Where the engine stands, by meter, after this tick.
    pub state: Vec<(String, String)>,
    /// Start and revision of the intervals that are among the lines.
    pub journaled: Vec<(Timestamp, i64)>,
}

impl Batch {
    /// A batch with nothing in it.
    #[must_use]
    pub fn empty(at: Timestamp) -> Self {
        Self {
            at,
            lines: String::new(),
            points: 0,
            entries: Vec::new(),
            closed: Vec::new(),
            observed: Vec::new(),
            state: Vec::new(),
            journaled: Vec::new(),
        }
    }
}

/// What the store says to a batch that is durable.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// Sequence of its block; of the last block, if it had no lines.
    pub seq: u64,
    /// The tick up to which everything is on disk.
    pub until: Timestamp,
    /// New revisions of intervals, to be put into lines of a later batch.
    pub intervals: Vec<Interval>,
    /// What was forced out of the journal since the last commit, to be recorded.
    pub dropped: Option<Dropped>,
    /// All meter events, where one was entered since the last commit.
    pub events: Option<Vec<MeterEvent>>,
}

/// The store, owned by the thread that writes it.
pub struct Store {
    settings: Settings,
    place: Place,
    journal: Journal,
    ledger: Ledger,
    settle: Settle,
    pending: Pending,
    // Cursors as of now, ahead of the ledger by what is pending.
    cursors: std::collections::BTreeMap<String, u64>,
    fresh: Vec<Interval>,
    // Revisions that were handed out and are not in the journal yet, as far as the ledger
    // knows. Others that are not there are somebody else's.
    handed: BTreeSet<(Span, i64)>,
    events: events::Watch,
    dropped: Option<Dropped>,
    dropped_total: u64,
    dropped_seq: u64,
    last_ledger: Option<Instant>,
    last_retain: Option<Instant>,
    daily: Daily,
    stats: Arc<StoreStats>,
}

impl Store {
    /// Makes a batch durable. `now` is monotonic and paces the ledger.
    ///
    /// # Errors
    ///
    /// If the journal cannot be written. Nothing of the batch is stored then;
    /// what was stored before is, and the same batch may be tried again. Trouble
    /// with the ledger is no error here: the batch is durable, the ledger catches
    /// up, and [`StoreStats::trouble`] says so.
    pub fn commit(&mut self, batch: &Batch, now: Instant) -> Result<Committed, StoreError> {
        if !batch.lines.is_empty()
            && let Err(error) = self.has_room()
        {
            return Err(self.refused(error));
        }
        let segments = self.journal.segments();
        if !batch.lines.is_empty() {
            let lines = batch.lines.bytes().filter(|byte| *byte == b'\n').count();
            let lines = u32::try_from(lines).unwrap_or(u32::MAX);
            if let Err(error) = self
                .journal
                .append(batch.at, lines, batch.points, &batch.lines)
            {
                return Err(self.refused(error));
            }
        }
        let seq = self.journal.last_seq();
        self.note_late(batch);
        self.pending.take(batch, seq);
        let mut trouble = None;
        if self.journal.segments() != segments {
            self.last_retain = Some(now);
            trouble = self.retain().err();
        }
        if self.is_ledger_due(now) {
            trouble = self.write_ledger(now).err().or(trouble);
        }
        self.settle_trouble(trouble.as_ref());
        self.stats.set_journal(self.journal.bytes());
        self.stats.set_committed(seq, batch.at, now);
        if self.stats.oldest().is_none() {
            self.stats.set_oldest(self.journal.oldest().ok().flatten());
        }
        Ok(Committed {
            seq,
            until: batch.at,
            intervals: std::mem::take(&mut self.fresh),
            dropped: self.dropped.take(),
            events: self.events.news().map(|events| events.list),
        })
    }

    /// An answer that nobody received: its news goes with the next one.
    fn take_back(&mut self, committed: Committed) {
        self.fresh.splice(0..0, committed.intervals);
        if committed.events.is_some() {
            self.events.forget();
        }
        self.dropped = match (committed.dropped, self.dropped) {
            (Some(before), Some(later)) => Some(before.and(later)),
            (before, later) => before.or(later),
        };
    }

    /// Whether one more block may be recorded: always, unless recording is to stop where
    /// there is no room.
    fn has_room(&mut self) -> Result<(), StoreError> {
        if !self.settings.stop_when_full || self.full().is_none() {
            return Ok(());
        }
        // A sink may have taken something meanwhile.
        self.retain()?;
        match self.full() {
            Some(why) => Err(StoreError::Full {
                dir: self.settings.dir.clone(),
                why,
            }),
            None => Ok(()),
        }
    }

    /// What there is no room for.
    fn full(&self) -> Option<&'static str> {
        if self.journal.outgrows(self.settings.max_bytes) {
            Some("the journal has reached store.max_bytes")
        } else if self.free_bytes() < self.settings.free_floor {
            Some("the disk has less than store.free_floor left")
        } else {
            None
        }
    }

    /// The journal could not be written: says so, and makes room if that is why.
    fn refused(&mut self, error: StoreError) -> StoreError {
        self.stats.set_failed();
        self.settle_trouble(Some(&error));
        let full = matches!(
            &error,
            StoreError::Io { source, .. } if matches!(
                source.kind(),
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
            )
        );
        if full {
            // At least one segment goes, so that the next attempt finds room even
            // where the floor is zero.
            if let Err(error) = self.retain_for(1) {
                warn!(%error, "No room could be made in the store.");
            }
        }
        error
    }

    /// Late entries change an interval that is closed: its revision does not wait.
    fn note_late(&mut self, batch: &Batch) {
        let mut asked: Option<Span> = None;
        for entry in &batch.entries {
            if self.pending.urgent {
                return;
            }
            if asked != Some(entry.span) {
                asked = Some(entry.span);
                // Where the ledger cannot be asked, writing it says why.
                self.pending.urgent = self.ledger.is_closed(&entry.span).unwrap_or(true);
            }
        }
    }

    fn is_ledger_due(&mut self, now: Instant) -> bool {
        let last = *self.last_ledger.get_or_insert(now);
        self.pending.urgent
            || self.pending.batches >= LEDGER_BATCHES
            || now.saturating_duration_since(last) >= LEDGER_EVERY
    }

    /// Writes what is pending; new revisions wait in `fresh` for the next commit.
    fn write_ledger(&mut self, now: Instant) -> Result<(), StoreError> {
        self.last_ledger = Some(now);
        self.write_pending()
    }

    fn write_pending(&mut self) -> Result<(), StoreError> {
        if !self.pending.is_empty() {
            let fresh = self.ledger.write(&self.pending, &self.settle)?;
            self.hand_out(fresh);
            for (start, revision) in &self.pending.journaled {
                self.handed
                    .retain(|(span, other)| (span.start, other) != (*start, revision));
            }
            self.pending = Pending::default();
            // What somebody else found out about the past goes the same way.
            let foreign = self.ledger.unjournaled()?.into_iter();
            let foreign = foreign.filter(|it| !self.handed.contains(&(it.span, it.revision)));
            let foreign = foreign.collect();
            self.hand_out(foreign);
        }
        Ok(())
    }

    /// Revisions that somebody has to put into lines.
    fn hand_out(&mut self, revisions: Vec<Interval>) {
        let keys = revisions.iter().map(|it| (it.span, it.revision));
        self.handed.extend(keys);
        self.fresh.extend(revisions);
    }

    /// Takes in how far a sink has come; durable with the next transaction of the
    /// ledger, and always before anything is deleted.
    pub fn advance(&mut self, sink: &str, seq: u64) {
        let cursor = self.cursors.entry(sink.to_owned()).or_insert(0);
        if seq > *cursor {
            *cursor = seq;
            self.pending.advance(sink, seq);
        }
    }

    /// How far a sink has come.
    #[must_use]
    pub fn cursor(&self, sink: &str) -> u64 {
        self.cursors.get(sink).copied().unwrap_or(0)
    }

    /// Brings the ledger up to the journal now. Revisions that follow are handed
    /// out by the next commit.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`]; nothing is lost, it is tried again.
    pub fn flush(&mut self, now: Instant) -> Result<(), StoreError> {
        let written = self.write_ledger(now);
        self.settle_trouble(written.as_ref().err());
        written
    }

    /// What has to be done from time to time, batches or not.
    pub fn housekeep(&mut self, now: Instant) {
        let mut trouble = None;
        let last = *self.last_ledger.get_or_insert(now);
        let waits = !self.pending.is_empty();
        if waits && now.saturating_duration_since(last) >= LEDGER_EVERY {
            trouble = Some(self.write_ledger(now).err());
        }
        let last = *self.last_retain.get_or_insert(now);
        if now.saturating_duration_since(last) >= RETAIN_EVERY {
            self.last_retain = Some(now);
            trouble = Some(self.retain().err().or(trouble.flatten()));
        }
        let (place, floor) = (&self.place, self.settings.free_floor);
        let room = || place.free_bytes().saturating_sub(floor);
        self.daily.tend(self.journal.newest(), now, room);
        // A store that cannot append is not well because its ledger is.
        if let Some(Some(error)) = trouble {
            self.settle_trouble(Some(&error));
        }
    }

    /// Gives back the space that the ledger holds and does not need.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`], where there is no room to write it anew, for instance; it is
    /// then what it was.
    pub fn compact(&self) -> Result<(), StoreError> {
        self.ledger.compact()
    }

    /// Deletes the segments that may go and those that must.
    fn retain(&mut self) -> Result<(), StoreError> {
        let free = self.free_bytes();
        self.retain_for(self.settings.free_floor.saturating_sub(free))
    }

    /// The same, where so many bytes have to come free.
    fn retain_for(&mut self, wanted: u64) -> Result<(), StoreError> {
        let Some(newest) = self.journal.newest() else {
            return Ok(());
        };
        let keep_ms = i64::from(self.settings.keep_days).saturating_mul(MS_PER_DAY);
        let bounds = Bounds {
            keep_from_ms: newest.as_millisecond().saturating_sub(keep_ms),
            max_bytes: self.settings.max_bytes,
            wanted_bytes: wanted,
            keep_undelivered: self.settings.stop_when_full,
        };
        let delivered = Delivered {
            upto: self
                .settings
                .sinks
                .iter()
                .map(|sink| self.cursor(sink))
                .min()
                .unwrap_or(u64::MAX),
            counted: self.dropped_seq,
        };
        let plan = self.journal.plan(&bounds, delivered)?;
        if plan.segments == 0 {
            return Ok(());
        }
        if let Some(dropped) = plan.dropped {
            self.count_dropped(dropped);
        }
        if let Err(error) = self.write_pending() {
            // A full disk keeps the ledger from being written, and only deleting
            // makes room; what is not forced can wait.
            if !plan.forced {
                return Err(error);
            }
            warn!(%error, "Segments are deleted before the ledger could be written.");
        }
        self.journal.delete(&plan)?;
        info!(
            segments = plan.segments,
            "Old segments of the journal are deleted."
        );
        self.stats.set_journal(self.journal.bytes());
        self.stats.set_oldest(self.journal.oldest()?);
        Ok(())
    }

    fn count_dropped(&mut self, dropped: Dropped) {
        warn!(
            points = dropped.points,
            from = %dropped.from,
            until = %dropped.until,
            "Points are dropped from the journal before every sink had them."
        );
        self.dropped_total = self.dropped_total.saturating_add(dropped.points);
        self.dropped_seq = dropped.last_seq;
        self.pending.dropped = Some((self.dropped_total, self.dropped_seq));
        self.stats.set_dropped(self.dropped_total);
        self.dropped = Some(match self.dropped {
            Some(before) => before.and(dropped),
            None => dropped,
        });
    }

    /// Free bytes of the file system, noted.
    fn free_bytes(&self) -> u64 {
        let free = self.place.free_bytes();
        self.stats.set_free(free);
        free
    }

    fn settle_trouble(&self, error: Option<&StoreError>) {
        let trouble = error.map(ToString::to_string);
        if self.stats.trouble() != trouble {
            match &trouble {
                Some(trouble) => warn!(%trouble, "The store cannot be written."),
                None => info!("The store is written again."),
            }
        }
        self.stats.set_trouble(trouble);
    }

    /// A word remembered in the ledger: the park, its time zone.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.ledger.meta(key)
    }

    /// Whether any meter's books have been kept in it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn has_books(&self) -> Result<bool, StoreError> {
        self.ledger.has_books()
    }

    /// Remembers a word in the ledger.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn set_meta(&self, key: &str, value: &str) -> Result<(), StoreError> {
        self.ledger.set_meta(key, value)
    }

    /// The figures of the store.
    #[must_use]
    pub fn stats(&self) -> Arc<StoreStats> {
        Arc::clone(&self.stats)
    }
}
