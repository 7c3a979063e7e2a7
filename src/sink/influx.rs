//! The bulk sender: journal to a database that takes line protocol.
//!
//! Two lanes (`lane`) send through one courier: the front what is new, the
//! rear what waited while the server was away, at a bounded rate, each in the order of
//! time. While little waits there is only the front. What differs between databases is in
//! [`dialect`](super::dialect) and [`answer`](super::answer).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::BlockSource;
use super::courier::{Courier, Place};
use super::dialect::{Dialect, Login};
use super::http::Trust;
use super::lane::Lane;
use super::quarantine::Quarantine;
use super::shared::Shared;
use super::stats::SinkStats;
use super::suspect;
use crate::sys::secret::Secret;

/// One database.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The sink's name.
    pub name: String,
    /// Address; a path in it is kept.
    pub url: String,
    /// Which write API is spoken there.
    pub dialect: Dialect,
    /// Token or password.
    pub login: Login,
    /// What TLS needs beside the system's certificates.
    pub trust: Trust,
    /// Where refused rows are kept.
    pub quarantine_dir: PathBuf,
    /// Field values a second that go out of a backlog, at most.
    pub backlog_rate: u64,
    /// Time between two looks at a row at which the server fails.
    pub suspect_wait: Duration,
}

/// What InfluxDB 2 is asked with.
#[derive(Debug, Clone, Copy)]
pub struct Influx2<'a> {
    /// Organisation.
    pub org: &'a str,
    /// Bucket.
    pub bucket: &'a str,
    /// Token.
    pub token: &'a Secret,
}

impl Settings {
    /// Time between two looks at a row at which a server fails.
    pub const SUSPECT_WAIT: Duration = suspect::WAIT;

    /// The parts that the commands for InfluxDB 2 need; none for another database.
    #[must_use]
    pub fn influx2(&self) -> Option<Influx2<'_>> {
        let Dialect::Influx2 { org, bucket } = &self.dialect else {
            return None;
        };
        let token = self.login.secret.as_ref()?;
        Some(Influx2 { org, bucket, token })
    }
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
    let quarantine = Quarantine::new(&settings.quarantine_dir, &settings.name);
    let courier = Courier::new(settings, stats);
    let shared = Arc::new(Shared::new(courier, start, quarantine, cursor_out));
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
