//! The daily copy of the ledger: when one is due, and the thread that makes it.
//!
//! The journal keeps a day at least, so a copy that is younger than a day and the journal
//! together are the whole ledger. **No copy takes the space that the floor leaves to
//! others**, and none holds up a commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{info, warn};

use super::error::StoreError;
use super::ledger::copy::{self, Pace};

/// Ticks from one copy to the next: an hour less than the least that the journal keeps.
const EVERY_MS: u64 = 23 * 3_600_000;
/// Before a copy that could not be made is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(3_600);
/// Rest between two megabytes: a large ledger takes some minutes, and a slow card has half
/// of its time for the journal.
const PAUSE: Duration = Duration::from_millis(50);

/// Sees to the copies of one ledger. Ends the one that is being made when it is dropped.
#[derive(Debug)]
pub struct Daily {
    ledger: PathBuf,
    // The newest tick that the last copy knows.
    taken: Option<Timestamp>,
    tried: Option<Instant>,
    making: Option<Making>,
}

#[derive(Debug)]
struct Making {
    until: Timestamp,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<bool, StoreError>>,
}

impl Daily {
    /// Of a ledger, whose last copy is the one that is there.
    #[must_use]
    pub fn of(ledger: &Path) -> Self {
        Self {
            ledger: ledger.to_owned(),
            taken: copy::taken(ledger),
            tried: None,
            making: None,
        }
    }

    /// Begins a copy where one is due and `free` bytes leave room for it above the floor,
    /// and takes note of one that is made. `until` is the newest tick in the ledger.
    pub fn tend(&mut self, until: Option<Timestamp>, now: Instant, room: impl FnOnce() -> u64) {
        self.take_note();
        let Some(until) = until.filter(|_| self.making.is_none()) else {
            return;
        };
        let rests = |tried: Instant| now.saturating_duration_since(tried) < TRY_AGAIN;
        if !is_due(self.taken, until) || self.tried.is_some_and(rests) {
            return;
        }
        self.tried = Some(now);
        let bytes = std::fs::metadata(&self.ledger).map_or(u64::MAX, |file| file.len());
        let room = room();
        if bytes > room {
            warn!(
                bytes,
                room, "There is no room for the daily copy of the ledger above store.free_floor."
            );
            return;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (ledger, stopped) = (self.ledger.clone(), Arc::clone(&stop));
        let make = move || {
            let pace = Pace {
                pause: PAUSE,
                stop: &stopped,
            };
            copy::make(&ledger, &copy::file(&ledger), Some(until), &pace)
        };
        let thread = std::thread::Builder::new().name("ledger copy".to_owned());
        match thread.spawn(make) {
            Ok(thread) => {
                self.making = Some(Making {
                    until,
                    stop,
                    thread,
                });
            }
            Err(error) => warn!(%error, "The daily copy of the ledger cannot be made."),
        }
    }

    fn take_note(&mut self) {
        let Some(making) = self.making.take_if(|making| making.thread.is_finished()) else {
            return;
        };
        match making.thread.join() {
            Ok(Ok(true)) => {
                self.taken = Some(making.until);
                self.tried = None;
                info!(until = %making.until, "The ledger is copied.");
            }
            Ok(Ok(false)) => {}
            Ok(Err(error)) => {
                if error.is_damaged_ledger() {
                    copy::suspect(&self.ledger);
                }
                warn!(%error, "The daily copy of the ledger cannot be made; the one before is kept.");
            }
            Err(_) => warn!("The daily copy of the ledger ended badly."),
        }
    }
}

/// Whether a copy that knows the ticks up to `taken` is too old, or of a time to come.
fn is_due(taken: Option<Timestamp>, until: Timestamp) -> bool {
    taken.is_none_or(|taken| {
        let age_ms = until.as_millisecond().abs_diff(taken.as_millisecond());
        age_ms >= EVERY_MS
    })
}

impl Drop for Daily {
    fn drop(&mut self) {
        if let Some(making) = self.making.take() {
            making.stop.store(true, Relaxed);
            let _ = making.thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_due_before_the_journal_forgets_what_it_does_not_know() {
        let day_ms = 86_400_000;
        let at = |ms: u64| Timestamp::from_millisecond(i64::try_from(ms).unwrap()).unwrap();
        let taken = 10 * day_ms;
        #[rustfmt::skip]
        let cases = [
            // taken       the ledger knows   due
            (None,         taken,             true),
            (Some(taken),  taken,             false),
            (Some(taken),  taken + EVERY_MS - 1, false),
            (Some(taken),  taken + EVERY_MS,  true),
            // The clock was ahead when it was made.
            (Some(taken),  taken - day_ms,    true),
        ];
        for (taken, until, due) in cases {
            assert_eq!(is_due(taken.map(at), at(until)), due, "{taken:?} {until}");
        }
        assert!(EVERY_MS < day_ms);
    }
}
