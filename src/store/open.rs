//! Opening a store, and catching up with its journal.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tracing::warn;

use super::daily::Daily;
use super::events;
use super::journal::{self, Block, Damage, Journal, Reader};
use super::ledger::{Ledger, Mended, Settle};
use super::pending::Pending;
use super::place::{self, Place};
use super::stats::StoreStats;
use super::{Batch, SEGMENTS_IN_BOUND, Settings, Store, StoreError};
use crate::domain::event::MeterEvent;
use crate::domain::interval::{Entry, ExportShape, Interval, Span};

/// What a store knows when it is opened.
pub struct Recovered {
    /// Where the engine stood, by meter, after block `covered_seq`.
    pub state: Vec<(String, String)>,
    /// The last journal sequence that the ledger covers.
    pub covered_seq: u64,
    /// The last sequence there is.
    pub last_seq: u64,
    /// The newest tick in the journal.
    pub last_at: Option<Timestamp>,
    /// The blocks that the ledger does not cover, in order.
    pub tail: Tail,
    /// Revisions of intervals that are not among the journal's lines for sure:
    /// to be written out again, to the same bytes.
    pub unjournaled: Vec<Interval>,
    /// How far each sink has come.
    pub cursors: Vec<(String, u64)>,
    /// What happened to meters, as people entered it.
    pub events: Vec<MeterEvent>,
    /// What was found broken in the journal.
    pub damage: Damage,
    /// What stands in the place of a ledger that was damaged or gone.
    pub mended: Option<Mended>,
    /// Points dropped before every sink had them, in the life of the store.
    pub dropped_points: u64,
}

/// The blocks that the ledger does not cover, read one at a time. Ends after the
/// first error.
pub struct Tail {
    reader: Reader,
    after: u64,
    upto: u64,
}

impl Tail {
    /// Blocks so far that should have been there and are deleted or damaged.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.reader.missing().saturating_add(self.reader.damaged())
    }
}

impl Iterator for Tail {
    type Item = Result<Block, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.after >= self.upto {
            return None;
        }
        match self.reader.next_after(self.after, Some(self.upto)) {
            Ok(Some(block)) => {
                self.after = block.seq;
                Some(Ok(block))
            }
            Ok(None) => {
                self.after = self.upto;
                None
            }
            Err(error) => {
                self.after = self.upto;
                Some(Err(error))
            }
        }
    }
}

impl Store {
    /// Opens or creates a store, whatever state its files are in.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`], [`StoreError::NewerVersion`],
    /// [`StoreError::Unwritable`], and what the disk itself refuses. Nothing is
    /// damaged by any of them.
    pub fn open(settings: Settings, settle: Settle) -> Result<(Self, Recovered), StoreError> {
        let place = Place::take(&settings.dir)?;
        let ledger_file = place::ledger_file(place.dir());
        let (ledger, standing, mended) = Ledger::open(&ledger_file)?;
        let dir = place::journal_dir(place.dir());
        let limit = journal::SEGMENT_BYTES.min(settings.max_bytes / SEGMENTS_IN_BOUND);
        let cursors: BTreeMap<String, u64> = standing.cursors.iter().cloned().collect();
        let floor = cursors
            .values()
            .copied()
            .fold(standing.covered_seq, u64::max);
        let journal = Journal::open(&dir, limit, floor)?;
        let damage = journal.damage();
        if damage != Damage::default() {
            warn!(
                torn = damage.torn,
                damaged = damage.damaged,
                "The end of the journal was damaged; what is whole is kept."
            );
        }
        let stats = Arc::new(StoreStats::new(journal.last_seq()));
        stats.set_journal(journal.bytes());
        stats.set_oldest(journal.oldest()?);
        stats.set_until(journal.newest());
        stats.set_dropped(standing.dropped_points);
        stats.set_damaged(damage.torn.saturating_add(damage.damaged));
        let unjournaled = standing.unjournaled.iter();
        let handed = unjournaled.map(|it| (it.span, it.revision)).collect();
        let mut watch = events::Watch::new(place.dir());
        let events = watch.news().unwrap_or_default();
        if events.damaged > 0 {
            warn!(
                lines = events.damaged,
                file = %events::file(place.dir()).display(),
                "Meter events are damaged; they are passed over. Enter them again."
            );
        }
        let recovered = Recovered {
            events: events.list,
            state: standing.state,
            covered_seq: standing.covered_seq,
            last_seq: journal.last_seq(),
            last_at: journal.newest(),
            tail: Tail {
                reader: Reader::new(place.dir())?,
                after: standing.covered_seq,
                upto: journal.last_seq(),
            },
            unjournaled: standing.unjournaled,
            cursors: standing.cursors,
            damage,
            mended,
            dropped_points: standing.dropped_points,
        };
        let mut store = Self {
            settings,
            place,
            journal,
            ledger,
            settle,
            pending: Pending::default(),
            cursors,
            fresh: Vec::new(),
            handed,
            events: watch,
            dropped: None,
            dropped_total: standing.dropped_points,
            dropped_seq: standing.dropped_seq,
            last_ledger: None,
            last_retain: None,
            daily: Daily::of(&ledger_file),
            stats,
        };
        // The bounds may be tighter than they were.
        if let Err(error) = store.retain() {
            warn!(%error, "Old segments of the journal could not be deleted.");
        }
        Ok((store, recovered))
    }

    /// Whether what a block of the tail came to makes a revision, so that it is to be written
    /// by itself: what follows makes the next one.
    #[must_use]
    pub fn revises(&self, entries: &[Entry], closed: &[(Span, ExportShape)]) -> bool {
        let is_closed = |span: &Span| self.ledger.is_closed(span).unwrap_or(true);
        !closed.is_empty() || entries.iter().any(|entry| is_closed(&entry.span))
    }

    /// Writes into the ledger what a replay of the tail, or of a part of it up to
    /// `covered_seq`, has come to; the lines of the batch are there already. Returns the
    /// revisions that follow, which are not in the journal as far as the ledger knows.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`]: then nothing is written, and a start is refused
    /// rather than going on with a hole in the books.
    pub fn rebuild(
        &mut self,
        batch: &Batch,
        covered_seq: u64,
    ) -> Result<Vec<Interval>, StoreError> {
        self.pending.take(batch, covered_seq);
        self.write_pending()?;
        Ok(std::mem::take(&mut self.fresh))
    }

    /// Revisions that are in no line of the journal, once the tail is replayed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn unjournaled(&mut self) -> Result<Vec<Interval>, StoreError> {
        let left = self.ledger.unjournaled()?;
        self.handed = left.iter().map(|it| (it.span, it.revision)).collect();
        Ok(left)
    }
}
