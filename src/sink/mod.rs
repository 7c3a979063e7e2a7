//! Where recorded points go: from the journal to a database.
//!
//! ```text
//!  journal ──blocks──▶ batch ──gzip──▶ POST ──▶ answer ──▶ cursor
//!   newest first,        ▲                        │
//!   the rest behind it   └── wait, halve, set aside, hold ◀┘
//! ```
//!
//! A sink reads the journal at its own pace and owns a cursor: the last block of
//! which every row is stored or set aside. What a database does not take waits on
//! disk and goes out later with its original time; one sink never blocks another,
//! nor the polling.
//!
//! | module | is |
//! |---|---|
//! | [`influx`] | the bulk sender to InfluxDB 1, 2, 3 and VictoriaMetrics |
//! | [`dialect`] | what differs between them: address, login |
//! | `lane` | one of its two lanes: what is new, and what waited |
//! | `aside` | what becomes of the rows that a server does not take |
//! | `shared` | what the two lanes have in common |
//! | `progress` | how far both have come: pure |
//! | `courier` | the requests of both, and what is known of the server |
//! | `gate` | when a request may go |
//! | [`answer`] | what an answer means: pure |
//! | [`batch`] | blocks joined for one request |
//! | [`suspect`] | a series at which a server fails, told from a server in trouble |
//! | [`search`] | which rows of a batch go next: pure |
//! | [`quarantine`] | the file of rows that a server refuses for good |
//! | [`again`] | rows once more, by a command |
//! | [`stats`] | what a sink says about itself |
//! | [`http`] | addresses, TLS, proxies |
//! | [`knock`] | a command: who answers, and may we write |
//! | [`mqtt`] | the publisher to an MQTT broker |
//! | [`setup`], [`audit`] | the commands, by way of [`relay`] and the influxdb2 crate |

pub mod again;
pub mod answer;
mod aside;
pub mod audit;
pub mod batch;
mod courier;
pub mod dialect;
mod gate;
pub mod http;
pub mod influx;
pub mod knock;
mod lane;
pub mod mqtt;
mod progress;
pub mod quarantine;
pub mod relay;
pub mod search;
pub mod setup;
mod shared;
pub mod stats;
pub mod suspect;

use std::io;

/// A block of the journal, as a sink reads it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Block {
    /// Its place in the journal.
    pub seq: u64,
    /// The tick it was written at, milliseconds since 1970.
    pub at_ms: i64,
    /// Rows in it.
    pub lines: u32,
    /// Field values in it.
    pub points: u32,
    /// Line protocol with times in milliseconds; every row ends in a line break.
    pub text: String,
}

/// The journal, as a sink reads it. Reading may block: it happens off the runtime's threads.
pub trait BlockSource: Send + 'static {
    /// Another reader of the same journal, at its beginning.
    #[must_use]
    fn another(&self) -> Self
    where
        Self: Sized;

    /// The first block after `seq` and not after `upto`.
    ///
    /// # Errors
    ///
    /// What the disk says. A corrupt block is no error: it is passed over.
    fn next_after(&mut self, seq: u64, upto: u64) -> io::Result<Option<Block>>;

    /// Field values in the blocks after `seq` and not after `upto`, from their
    /// headers alone where possible.
    ///
    /// # Errors
    ///
    /// What the disk says.
    fn points_between(&mut self, seq: u64, upto: u64) -> io::Result<u64> {
        let mut points = 0;
        let mut at = seq;
        while let Some(block) = self.next_after(at, upto)? {
            points += u64::from(block.points);
            at = block.seq;
        }
        Ok(points)
    }
}

/// A source that is lent to a blocking thread for each read and comes back after it.
struct Lent<S>(Option<S>);

impl<S: Send + 'static> Lent<S> {
    fn new(source: S) -> Self {
        Self(Some(source))
    }

    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut S) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let lost = || io::Error::other("the journal's reader is lost");
        let mut source = self.0.take().ok_or_else(lost)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&mut source);
            (source, result)
        });
        let (source, result) = done.await.map_err(|_| lost())?;
        self.0 = Some(source);
        result
    }
}
