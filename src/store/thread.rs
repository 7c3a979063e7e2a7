//! The thread that owns the store.
//!
//! SQLite and `fdatasync` block, so everything that writes lives in one thread
//! of its own, behind a short queue. Whoever commits waits for the answer; the
//! live view does not commit. The thread ends when the last handle is gone,
//! after it has brought the ledger up to the journal.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{debug, warn};

use super::stats::StoreStats;
use super::{Batch, Committed, Store, StoreError};

/// Commands waiting for the store: one commit under way, one behind it, and the
/// cursors of some sinks. Senders wait when it is full; nothing is dropped.
pub const STORE_QUEUE: usize = 8;

/// How often the thread looks whether something is overdue.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// A batch that could not be made durable, handed back to be tried again.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub error: StoreError,
    /// The batch; none if the store has stopped with it in hand.
    pub batch: Option<Batch>,
}

enum Command {
    Commit(Batch, oneshot::Sender<Result<Committed, Refused>>),
    Cursor { sink: String, seq: u64 },
    Flush(oneshot::Sender<Result<(), StoreError>>),
    Stall(Duration),
}

/// The way to the store, for tasks. Clones share one queue.
#[derive(Clone)]
pub struct StoreHandle {
    queue: mpsc::Sender<Command>,
    stats: Arc<StoreStats>,
}

impl StoreHandle {
    /// Makes a batch durable.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the batch, which is not stored then.
    pub async fn commit(&self, batch: Batch) -> Result<Committed, Refused> {
        let (answer, answered) = oneshot::channel();
        if let Err(unsent) = self.queue.send(Command::Commit(batch, answer)).await {
            let batch = match unsent.0 {
                Command::Commit(batch, _) => Some(batch),
                _ => None,
            };
            return Err(Refused {
                error: StoreError::Stopped,
                batch,
            });
        }
        answered.await.unwrap_or(Err(Refused {
            error: StoreError::Stopped,
            batch: None,
        }))
    }

    /// Says that a sink has everything up to `seq`. Saying it twice is harmless.
    ///
    /// # Errors
    ///
    /// [`StoreError::Stopped`].
    pub async fn advance(&self, sink: &str, seq: u64) -> Result<(), StoreError> {
        let command = Command::Cursor {
            sink: sink.to_owned(),
            seq,
        };
        self.queue
            .send(command)
            .await
            .map_err(|_| StoreError::Stopped)
    }

    /// Brings the ledger up to the journal now.
    ///
    /// # Errors
    ///
    /// What the ledger says, or [`StoreError::Stopped`].
    pub async fn flush(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .send(Command::Flush(answer))
            .await
            .map_err(|_| StoreError::Stopped)?;
        answered.await.unwrap_or(Err(StoreError::Stopped))
    }

    /// The figures of the store.
    #[must_use]
    pub fn stats(&self) -> Arc<StoreStats> {
        Arc::clone(&self.stats)
    }

    /// Makes the store stand still, as a disk that hangs does: for tests of the watchdog.
    #[doc(hidden)]
    pub async fn stall(&self, time: Duration) {
        let _ = self.queue.send(Command::Stall(time)).await;
    }
}

/// The running thread.
#[derive(Debug)]
pub struct StoreThread {
    thread: JoinHandle<()>,
}

impl StoreThread {
    /// Gives the store a thread of its own. `mono` is the monotonic clock.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(store: Store, mono: fn() -> Instant) -> io::Result<(Self, StoreHandle)> {
        let (queue, commands) = mpsc::channel(STORE_QUEUE);
        let handle = StoreHandle {
            queue,
            stats: store.stats(),
        };
        let runtime = runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || runtime.block_on(run(store, commands, mono)))?;
        Ok((Self { thread }, handle))
    }

    /// Waits until the store has ended; it does so when the last handle is gone.
    /// Returns whether it ended as it should. Blocks the calling thread.
    #[must_use]
    pub fn join(self) -> bool {
        self.thread.join().is_ok()
    }

    /// Whether the thread has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

async fn run(mut store: Store, mut commands: mpsc::Receiver<Command>, mono: fn() -> Instant) {
    let mut housekeeping = interval(HOUSEKEEPING);
    housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => obey(&mut store, command, mono),
                None => break,
            },
            _ = housekeeping.tick() => store.housekeep(mono()),
        }
    }
    match store.flush(mono()) {
        Ok(()) => debug!("The store is closed."),
        Err(error) => warn!(%error, "The ledger is behind the journal; the next start catches up."),
    }
}

fn obey(store: &mut Store, command: Command, mono: fn() -> Instant) {
    match command {
        Command::Commit(batch, answer) => {
            let committed = store.commit(&batch, mono()).map_err(|error| Refused {
                error,
                batch: Some(batch),
            });
            if let Err(Ok(committed)) = answer.send(committed) {
                store.take_back(committed);
            }
        }
        Command::Cursor { sink, seq } => store.advance(&sink, seq),
        Command::Flush(answer) => {
            let _ = answer.send(store.flush(mono()));
        }
        Command::Stall(time) => std::thread::sleep(time),
    }
}
