//! The bulk sender: journal to InfluxDB 2.
//!
//! Two lanes ([`lane`](super::lane)) send through one courier: the front what is new, the
//! rear what waited while the server was away, at a bounded rate, each in the order of
//! time. While little waits there is only the front. Only 204 is stored.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::BlockSource;
use super::courier::{Courier, Place};
use super::lane::{Lane, Shared};
use super::stats::SinkStats;
use crate::sys::secret::Secret;

/// One InfluxDB.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The sink's name.
    pub name: String,
    /// Address; a path in it is kept.
    pub url: String,
    /// Organisation.
    pub org: String,
    /// Bucket.
    pub bucket: String,
    /// Token, as it was read at start.
    pub token: Secret,
    /// Where the token comes from; it is read again when the server refuses the token.
    pub token_file: Option<PathBuf>,
    /// Certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Where refused rows are kept.
    pub quarantine_dir: PathBuf,
    /// Field values a second that go out of a backlog, at most.
    pub backlog_rate: u64,
}

/// Delivers every block of `source` after `start`, as far as `committed` says that
/// blocks are on disk, and reports each move of the cursor to `cursor_out`.
///
/// Returns when `stop` is cancelled, or when the store that it reads from and
/// reports to is gone.
pub async fn run<S: BlockSource>(
    settings: Settings,
    start: u64,
    source: S,
    committed: watch::Receiver<u64>,
    cursor_out: mpsc::Sender<(String, u64)>,
    stop: CancellationToken,
    stats: Arc<SinkStats>,
) {
    let courier = Courier::new(settings, stats);
    let shared = Arc::new(Shared::new(courier, start, cursor_out));
    let another = source.another();
    let lane = |place, source| Lane::new(Arc::clone(&shared), place, source, committed.clone());
    let front = lane(Place::Front, source).run();
    let rear = lane(Place::Rear, another).run();
    stop.run_until_cancelled(async {
        tokio::select! {
            () = front => (),
            () = rear => (),
        }
    })
    .await;
}
