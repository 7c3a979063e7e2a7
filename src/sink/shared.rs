//! What the two lanes of a sink have in common.
//!
//! **The cursor is reported after it has moved, and in order**: one lock guards how far
//! both have come.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};
use tracing::info;

use super::courier::{Courier, Place};
use super::progress::Progress;
use super::quarantine::Quarantine;
use super::suspect::Parked;

/// The store is gone; there is nothing to read from or report to.
pub struct Gone;

/// What the two lanes of a sink have in common.
pub struct Shared {
    /// The way to the server.
    pub courier: Courier,
    /// Where refused rows go.
    pub quarantine: Quarantine,
    cursor_out: mpsc::Sender<(String, u64)>,
    work: Mutex<Work>,
    /// There is something for the rear.
    pub left_behind: Notify,
    /// Series at which the server fails.
    parked: Mutex<Parked>,
}

/// How far the lanes have come.
pub struct Work {
    /// In blocks.
    pub progress: Progress,
    /// Last block whose points are in the backlog.
    pub counted: u64,
}

impl Shared {
    /// A sink that has everything up to `cursor`.
    pub fn new(
        courier: Courier,
        cursor: u64,
        quarantine: Quarantine,
        cursor_out: mpsc::Sender<(String, u64)>,
    ) -> Self {
        Self {
            courier,
            quarantine,
            cursor_out,
            work: Mutex::new(Work {
                progress: Progress::new(cursor),
                counted: cursor,
            }),
            left_behind: Notify::new(),
            parked: Mutex::default(),
        }
    }

    /// How far the lanes have come.
    pub fn work(&self) -> MutexGuard<'_, Work> {
        // Every change is one call that leaves it whole.
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The series that stand aside.
    pub fn parked(&self) -> MutexGuard<'_, Parked> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every block of a lane's range up to `seq` is settled.
    ///
    /// # Errors
    ///
    /// [`Gone`].
    pub async fn settled(&self, lane: Place, seq: u64, points: u64) -> Result<(), Gone> {
        let moved = {
            let mut work = self.work();
            let before = work.progress.cursor();
            let two = work.progress.gap().is_some();
            match lane {
                Place::Rear => work.progress.rear_settled(seq),
                _ => work.progress.front_settled(seq),
            }
            if two && work.progress.gap().is_none() {
                let name = &self.courier.settings.name;
                info!(sink = name, "The backlog is delivered.");
            }
            let cursor = work.progress.cursor();
            (cursor > before).then_some(cursor)
        };
        self.courier.stats.with(|numbers| {
            numbers.delivered_points += points;
            numbers.backlog_points = numbers.backlog_points.saturating_sub(points);
        });
        let Some(cursor) = moved else { return Ok(()) };
        let moved = (self.courier.settings.name.clone(), cursor);
        self.cursor_out.send(moved).await.map_err(|_| Gone)
    }
}
