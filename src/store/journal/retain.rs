//! What may go from the journal, and what must.
//!
//! A segment *may* go when every sink has all of it and its newest block is
//! older than the kept period. It *must* go, the oldest first, when the journal
//! would outgrow its bound or the file system is about to be full; the points in
//! it that some sink does not have yet are counted as dropped. Where others fill the
//! disk so far that the whole journal could not make the room, nothing goes for the
//! floor's sake: it would be lost for nothing. The newest segment with a block always
//! stays: it knows the last sequence and the last tick.

use std::fs;
use std::io;

use jiff::Timestamp;

use super::block::timestamp;
use super::{Journal, segments};
use crate::store::error::StoreError;
use crate::store::place::sync_dir;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Blocks newer than this stay.
    pub keep_from_ms: i64,
    /// The most bytes of all segments.
    pub max_bytes: u64,
    /// Bytes that have to come free on the file system.
    pub wanted_bytes: u64,
    /// What some sink does not have yet stays, whatever the bounds say.
    pub keep_undelivered: bool,
}

/// Where every sink has arrived.
#[derive(Debug, Clone, Copy)]
pub struct Delivered {
    /// Every sink has the blocks up to here.
    pub upto: u64,
    /// Dropped points up to here are counted already.
    pub counted: u64,
}

/// Points that no longer reach every sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// How many.
    pub points: u64,
    /// The tick of the oldest segment's oldest block.
    pub from: Timestamp,
    /// The tick of the newest block.
    pub until: Timestamp,
    /// Sequence of the last of them.
    pub last_seq: u64,
}

/// Which segments go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plan {
    /// How many, from the oldest.
    pub segments: usize,
    /// Some of them go because space is needed.
    pub forced: bool,
    /// What is lost by that.
    pub dropped: Option<Dropped>,
}

impl Dropped {
    /// These and those dropped later.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            points: self.points.saturating_add(later.points),
            from: self.from.min(later.from),
            until: self.until.max(later.until),
            last_seq: self.last_seq.max(later.last_seq),
        }
    }
}

impl Journal {
    /// Decides what goes; nothing is touched yet, so that the cursors and the
    /// count can be made durable first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] where a segment cannot be read.
    pub fn plan(&mut self, bounds: &Bounds, delivered: Delivered) -> Result<Plan, StoreError> {
        let mut plan = Plan::default();
        let mut bytes = self.bytes();
        let mut wanted = bounds.wanted_bytes;
        let most = self.most(bounds.max_bytes);
        let active_grown = self.active.as_ref().map_or(0, |active| active.durable);
        let appending = self
            .active
            .as_ref()
            .is_some_and(|active| active.summary.is_some());
        let last_stays = usize::from(!appending);
        let deletable = self.complete.len().saturating_sub(last_stays);
        let stays = |first: u64| bounds.keep_undelivered && first > delivered.upto;
        let deletable_bytes = self
            .complete
            .iter()
            .take(deletable)
            .take_while(|one| !stays(one.segment.first))
            .map(|one| one.bytes);
        let helps = deletable_bytes.sum::<u64>() >= wanted;
        for complete in self.complete.iter_mut().take(deletable) {
            let path = &complete.segment.path;
            let summary = match complete.summary {
                Some(summary) => Some(summary),
                None => match segments::summary(path) {
                    Ok(summary) => summary,
                    // Deleted by somebody else.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                    Err(error) => return Err(StoreError::io(path)(error)),
                },
            };
            complete.summary = summary;
            let must = bytes.saturating_sub(active_grown) > most || wanted > 0 && helps;
            let may = summary.is_none_or(|summary| {
                summary.last_seq <= delivered.upto && summary.last_at_ms < bounds.keep_from_ms
            });
            if !may && !must || summary.is_some_and(|summary| stays(summary.last_seq)) {
                break;
            }
            plan.segments += 1;
            plan.forced |= must && !may;
            bytes = bytes.saturating_sub(complete.bytes);
            wanted = wanted.saturating_sub(complete.bytes);
            let known = delivered.upto.max(delivered.counted);
            if let Some(summary) = summary.filter(|summary| summary.last_seq > known) {
                let (points, _) = segments::after(path, complete.segment.first, known)
                    .map_err(StoreError::io(path))?;
                let dropped = Dropped {
                    points,
                    from: timestamp(summary.first_at_ms),
                    until: timestamp(summary.last_at_ms),
                    last_seq: summary.last_seq,
                };
                plan.dropped = Some(match plan.dropped {
                    Some(before) => before.and(dropped),
                    None => dropped,
                });
            }
        }
        Ok(plan)
    }

    /// The most bytes of complete segments. Until this is asked again the active segment
    /// grows to its limit, and the first block of the next may be as large.
    fn most(&self, max_bytes: u64) -> u64 {
        max_bytes.saturating_sub(self.limit.saturating_mul(2))
    }

    /// Whether one segment more would be more than a bound allows.
    #[must_use]
    pub fn outgrows(&self, max_bytes: u64) -> bool {
        let active = self.active.as_ref().map_or(0, |active| active.durable);
        self.bytes().saturating_sub(active) > self.most(max_bytes)
    }

    /// Deletes what was planned.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`]; what is deleted by then is deleted.
    pub fn delete(&mut self, plan: &Plan) -> Result<(), StoreError> {
        for _ in 0..plan.segments {
            let Some(complete) = self.complete.first() else {
                break;
            };
            let path = &complete.segment.path;
            match fs::remove_file(path) {
                Ok(()) => (),
                Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                Err(error) => return Err(StoreError::io(path)(error)),
            }
            self.complete.remove(0);
        }
        if plan.segments > 0 {
            sync_dir(&self.dir).map_err(StoreError::io(&self.dir))?;
        }
        Ok(())
    }
}
