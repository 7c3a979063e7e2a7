//! What the ledger is still to learn: the blocks since its last transaction.
//!
//! The later word on the same thing replaces the earlier one, so this stays as
//! small as the park, however long the ledger cannot be written.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Batch;
use crate::domain::interval::{Channel, Entry, ExportShape, Span};
use crate::domain::plant::{Input, Observed};

/// Everything that goes into the next transaction.
#[derive(Debug, Default)]
pub struct Pending {
    pub(super) entries: BTreeMap<(Span, Arc<str>, Channel), Entry>,
    pub(super) closed: BTreeMap<Span, ExportShape>,
    pub(super) observed: BTreeMap<(Span, Input), Observed>,
    pub(super) state: BTreeMap<String, String>,
    pub(super) cursors: BTreeMap<String, u64>,
    pub(super) journaled: Vec<(Timestamp, i64)>,
    pub(super) covered_seq: Option<u64>,
    // Total and last sequence of what was dropped.
    pub(super) dropped: Option<(u64, u64)>,
    pub(super) batches: u32,
    // Something in it makes a revision, which somebody waits for.
    pub(super) urgent: bool,
}

impl Pending {
    /// Takes in a batch whose lines are durable as block `seq`.
    pub(super) fn take(&mut self, batch: &Batch, seq: u64) {
        for entry in &batch.entries {
            let key = (entry.span, Arc::clone(&entry.meter), entry.channel);
            self.entries.insert(key, entry.clone());
        }
        self.closed.extend(batch.closed.iter().copied());
        for one in &batch.observed {
            self.observed
                .insert((one.span, one.input.clone()), one.clone());
        }
        self.state.extend(batch.state.iter().cloned());
        self.journaled.extend(&batch.journaled);
        self.covered_seq = Some(seq);
        self.batches = self.batches.saturating_add(1);
        self.urgent |= !batch.closed.is_empty();
    }

    /// What was found out later, of no block in particular.
    pub(super) fn late(entries: Vec<Entry>, closed: Vec<(Span, ExportShape)>) -> Self {
        let batch = Batch {
            entries,
            closed,
            ..Batch::empty(Timestamp::UNIX_EPOCH)
        };
        let mut pending = Self::default();
        pending.take(&batch, 0);
        pending.covered_seq = None;
        pending
    }

    /// Takes in how far a sink has come; it never goes back.
    pub(super) fn advance(&mut self, sink: &str, seq: u64) {
        match self.cursors.get_mut(sink) {
            Some(cursor) => *cursor = seq.max(*cursor),
            None => {
                self.cursors.insert(sink.to_owned(), seq);
            }
        }
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.covered_seq.is_none() && self.cursors.is_empty() && self.dropped.is_none()
    }
}
