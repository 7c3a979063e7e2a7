//! What is on its way to the disk: entries, receipts, the batch under way, and the one
//! that the disk refused.
//!
//! ```text
//!   ticks ──▶ gathering ──hand_over──▶ under way ──▶ stored: receipts fire
//!                                          ▲  │
//!                                          └──┴─ refused, tried again
//! ```
//!
//! One batch is under way at a time; what comes meanwhile gathers for the next one. It
//! goes with the tick, or earlier where a broker waits for acknowledgements: within
//! 50 ms, unless the disk needs longer than that for a batch.
//! **A receipt fires when its batch is on disk, and never before.** A refused batch is
//! tried again as it is, so that nothing is written twice or in another order.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};

use crate::domain::closure::NodeChange;
use crate::domain::interval::{Entry, ExportShape, Interval, Span};
use crate::domain::plant::Observed;
use crate::domain::plausibility::Change;
use crate::engine::record::Recorder;
use crate::engine::{Engine, Frame, Tick};
use crate::store::{Batch, Committed, Refused, StoreError, StoreHandle};
use crate::sys::clock::mono;

/// How long receipts gather before a batch goes before the tick, so that messages that
/// come together share it: a broker waits for no more than 50 ms.
const GATHER: Duration = Duration::from_millis(40);
/// The same where a broker works off what it kept: it sends in bursts and has no pause.
const GATHER_BACKLOG: Duration = Duration::from_millis(5);
/// Receipts that do not gather any longer: a broker that has as many under way
/// (mosquitto: 20) sends no more until it has them back.
const ENOUGH: usize = 16;
/// From one batch to the next, in times of what the disk took for the last one: it is
/// busy half the time at most, however fast messages come.
const DISK_SHARE: u32 = 2;
/// Pause before a refused batch is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

type Receipt = oneshot::Sender<()>;

/// A batch that the store has in hand, with what waits for it.
struct Commit {
    answer: JoinHandle<Result<Committed, Refused>>,
    receipts: Vec<Receipt>,
    since: Instant,
}

/// What the store says to a batch.
pub enum Answer {
    /// It is on disk.
    Stored(Committed),
    /// The disk refuses; the batch is tried again.
    Refused,
    /// There is no store any more to say anything.
    Gone,
}

/// Says once that a finding came or went.
fn tell(change: &Change) {
    let finding = &change.finding;
    let check = finding.name;
    if change.opened {
        warn!(check, "{finding}.");
    } else {
        info!(check, "No longer: {finding}.");
    }
}

/// Says once that the books cease to close, and that they close again.
fn tell_closure(change: &NodeChange) {
    let node = &*change.name;
    if change.closes {
        info!(node, "{change}.");
    } else {
        warn!(node, "{change}.");
    }
}

/// The way to the disk.
pub struct Outbox {
    store: StoreHandle,
    entries: Vec<Entry>,
    closed: Vec<(Span, ExportShape)>,
    observed: Vec<Observed>,
    journaled: Vec<(Timestamp, i64)>,
    receipts: Vec<Receipt>,
    /// A broker works off what it kept, and sends on when it has its receipts.
    hurries: bool,
    under_way: Option<Commit>,
    refused: Option<(Batch, Vec<Receipt>, Instant)>,
    /// When the last batch was handed over, and how long the disk took for it.
    handed_over: Option<Instant>,
    took: Duration,
    /// Since when a receipt waits.
    waits_from: Option<Instant>,
}

impl Outbox {
    /// An empty one.
    #[must_use]
    pub fn new(store: StoreHandle) -> Self {
        Self {
            store,
            entries: Vec::new(),
            closed: Vec::new(),
            observed: Vec::new(),
            journaled: Vec::new(),
            receipts: Vec::new(),
            hurries: false,
            under_way: None,
            refused: None,
            handed_over: None,
            took: Duration::ZERO,
            waits_from: None,
        }
    }

    /// Takes in what a tick brought for the books, and gives back its frame.
    pub fn take(&mut self, tick: Tick) -> Frame {
        self.entries.extend(tick.entries);
        self.closed.extend(tick.closed);
        self.observed.extend(tick.observed);
        for change in &tick.changes {
            tell(change);
        }
        for change in &tick.nodes {
            tell_closure(change);
        }
        tick.frame
    }

    /// Takes in what is to fire when the rows written so far are on disk.
    /// A late one hurries: others wait behind it at the broker.
    pub fn fire_when_stored(&mut self, receipt: Option<Receipt>, late: bool) {
        if receipt.is_some() {
            self.hurries |= late;
            self.waits_from.get_or_insert_with(mono);
        }
        self.receipts.extend(receipt);
    }

    /// Writes the row of an interval that the ledger settled.
    pub fn record(&mut self, recorder: &mut Recorder, interval: &Interval) {
        recorder.interval(interval);
        self.journaled
            .push((interval.span.start, interval.revision));
    }

    /// From when on a batch may go before the tick; none where no broker waits for an
    /// acknowledgement.
    #[must_use]
    pub fn urgent_from(&self) -> Option<Instant> {
        let waits_from = self.waits_from.filter(|_| !self.is_busy())?;
        let gathers = match self.receipts.len() {
            ENOUGH.. => Duration::ZERO,
            _ if self.hurries => GATHER_BACKLOG,
            _ => GATHER,
        };
        let disk_rests = self.handed_over.map(|at| at + self.took * DISK_SHARE);
        Some((waits_from + gathers).max(disk_rests.unwrap_or(waits_from)))
    }

    /// Whether the store has something in hand.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.under_way.is_some() || self.refused.is_some()
    }

    /// Since when the store has owed an answer.
    #[must_use]
    pub fn waits_since(&self) -> Option<Instant> {
        self.under_way.as_ref().map(|commit| commit.since)
    }

    /// Gives everything that waits to the disk, with one more row of state, unless it has
    /// something in hand.
    pub fn hand_over(
        &mut self,
        at: Timestamp,
        recorder: &mut Recorder,
        engine: &mut Engine,
        more: Option<(String, String)>,
    ) {
        if self.is_busy() {
            return;
        }
        self.handed_over = Some(mono());
        let mut state = engine.state();
        state.push(recorder.state(at));
        state.extend(more);
        let rows = recorder.take();
        let batch = Batch {
            at,
            lines: rows.text,
            points: rows.points,
            entries: std::mem::take(&mut self.entries),
            closed: std::mem::take(&mut self.closed),
            observed: std::mem::take(&mut self.observed),
            state,
            journaled: std::mem::take(&mut self.journaled),
        };
        let receipts = std::mem::take(&mut self.receipts);
        self.hurries = false;
        self.waits_from = None;
        self.send(batch, receipts);
    }

    fn send(&mut self, batch: Batch, receipts: Vec<Receipt>) {
        let store = self.store.clone();
        self.under_way = Some(Commit {
            answer: tokio::spawn(async move { store.commit(batch).await }),
            receipts,
            since: mono(),
        });
    }

    /// The next answer of the store. Waits for ever while it has nothing in hand.
    /// Dropping it half way loses nothing.
    pub async fn answer(&mut self) -> Answer {
        if let Some((_, _, again)) = &self.refused {
            sleep_until(*again).await;
            if let Some((batch, receipts, _)) = self.refused.take() {
                self.send(batch, receipts);
            }
        }
        let Some(commit) = self.under_way.as_mut() else {
            return std::future::pending().await;
        };
        let answer = (&mut commit.answer).await;
        let took = mono() - commit.since;
        let receipts = self.under_way.take().map(|commit| commit.receipts);
        let receipts = receipts.unwrap_or_default();
        match answer {
            Ok(Ok(committed)) => {
                self.took = took;
                for receipt in receipts {
                    // The message may be gone with its connection; then it comes again.
                    let _ = receipt.send(());
                }
                Answer::Stored(committed)
            }
            Ok(Err(Refused { error, batch })) => {
                warn!(%error, "The store did not take a batch; it is tried again.");
                self.refused = batch.map(|batch| (batch, receipts, mono() + TRY_AGAIN));
                match error {
                    StoreError::Stopped => Answer::Gone,
                    _ => Answer::Refused,
                }
            }
            Err(error) => {
                error!(%error, "A commit ended badly.");
                Answer::Gone
            }
        }
    }

    /// Brings the ledger up to the journal.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.store.flush().await
    }

    /// Gives up the receipts of what did not reach the disk: it comes again.
    pub fn give_up(&mut self) {
        self.receipts.clear();
    }
}
