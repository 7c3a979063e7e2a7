//! What the store shows of itself while its thread works.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::journal::block::timestamp;

/// No time yet.
const NONE: i64 = i64::MIN;

/// Figures of the store: written by its thread, read by the page, the metrics,
/// the sinks and the watchdog.
#[derive(Debug)]
pub struct StoreStats {
    committed: watch::Sender<u64>,
    trouble: watch::Sender<Option<String>>,
    last_commit: watch::Sender<Option<Instant>>,
    stored_until_ms: AtomicI64,
    oldest_ms: AtomicI64,
    journal_bytes: AtomicU64,
    free_bytes: AtomicU64,
    commits: AtomicU64,
    failures: AtomicU64,
    dropped_points: AtomicU64,
    damaged_blocks: AtomicU64,
}

impl StoreStats {
    pub(super) fn new(committed: u64) -> Self {
        Self {
            committed: watch::Sender::new(committed),
            trouble: watch::Sender::new(None),
            last_commit: watch::Sender::new(None),
            stored_until_ms: AtomicI64::new(NONE),
            oldest_ms: AtomicI64::new(NONE),
            journal_bytes: AtomicU64::new(0),
            free_bytes: AtomicU64::new(u64::MAX),
            commits: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            dropped_points: AtomicU64::new(0),
            damaged_blocks: AtomicU64::new(0),
        }
    }

    /// Sequence of the last durable block; changes wake whoever waits for one.
    #[must_use]
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    /// What keeps the store from recording, for as long as it does.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// When the store last finished a commit.
    #[must_use]
    pub fn last_commit(&self) -> Option<Instant> {
        *self.last_commit.borrow()
    }

    /// How long ago, at `now`, the store last finished a commit.
    #[must_use]
    pub fn idle_for(&self, now: Instant) -> Option<Duration> {
        self.last_commit()
            .map(|commit| now.saturating_duration_since(commit))
    }

    /// Up to when everything is on disk.
    #[must_use]
    pub fn stored_until(&self) -> Option<Timestamp> {
        time(&self.stored_until_ms)
    }

    /// Tick of the oldest block kept.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        time(&self.oldest_ms)
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn journal_bytes(&self) -> u64 {
        self.journal_bytes.load(Relaxed)
    }

    /// Free bytes of the file system, as of the last look.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Relaxed)
    }

    /// Commits that succeeded since the start.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Relaxed)
    }

    /// Commits that the disk refused since the start; their batches are tried again.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// Points dropped before every sink had them, in the life of the store.
    #[must_use]
    pub fn dropped_points(&self) -> u64 {
        self.dropped_points.load(Relaxed)
    }

    /// Blocks found torn or damaged at the start.
    #[must_use]
    pub fn damaged_blocks(&self) -> u64 {
        self.damaged_blocks.load(Relaxed)
    }

    pub(super) fn set_committed(&self, seq: u64, until: Timestamp, now: Instant) {
        self.stored_until_ms.store(until.as_millisecond(), Relaxed);
        self.commits.fetch_add(1, Relaxed);
        self.last_commit.send_replace(Some(now));
        self.committed.send_if_modified(|committed| {
            let changed = *committed != seq;
            *committed = seq;
            changed
        });
    }

    pub(super) fn set_failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        self.trouble.send_if_modified(|current| {
            let changed = *current != trouble;
            *current = trouble;
            changed
        });
    }

    pub(super) fn set_journal(&self, bytes: u64) {
        self.journal_bytes.store(bytes, Relaxed);
    }

    pub(super) fn set_oldest(&self, oldest: Option<Timestamp>) {
        let ms = oldest.map_or(NONE, Timestamp::as_millisecond);
        self.oldest_ms.store(ms, Relaxed);
    }

    pub(super) fn set_until(&self, until: Option<Timestamp>) {
        let ms = until.map_or(NONE, Timestamp::as_millisecond);
        self.stored_until_ms.store(ms, Relaxed);
    }

    pub(super) fn set_free(&self, bytes: u64) {
        self.free_bytes.store(bytes, Relaxed);
    }

    pub(super) fn set_dropped(&self, points: u64) {
        self.dropped_points.store(points, Relaxed);
    }

    pub(super) fn set_damaged(&self, blocks: u64) {
        self.damaged_blocks.store(blocks, Relaxed);
    }
}

fn time(ms: &AtomicI64) -> Option<Timestamp> {
    match ms.load(Relaxed) {
        NONE => None,
        ms => Some(timestamp(ms)),
    }
}
