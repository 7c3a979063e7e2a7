//! The sink that publishes to an MQTT broker.
//!
//! ```text
//!  journal ──blocks──▶ states ──newest, retained──▶ PUBLISH ──PUBACK──▶ cursor
//!                         └────every settled interval──▶ ┘
//! ```
//!
//! It reads the blocks that every other sink reads, so that nothing goes out which is
//! not on disk. **The cursor moves over a block when the broker has acknowledged each
//! settled interval in it and the states that stood at its end, and never before.**
//! What was sent and not acknowledged goes out again after the next connect.
//!
//! After an outage the newest states go first, from the last blocks alone; then the
//! settled intervals of the backlog, in their order. States in between are passed over:
//! a retained topic holds one message, and an old one would only hide the new one.
//!
//! A session of the broker is not asked for: what has to be kept is in the journal.

pub mod discovery;
mod publisher;
pub mod states;
pub mod topics;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::publisher::Publisher;
use self::states::{Message, States, Taken};
use self::topics::Topics;
use super::stats::SinkStats;
use super::{BlockSource, Lent};
use crate::broker;
use crate::domain::meter::Park;
use crate::wire::line_protocol::parse;

/// What is said of a daemon that is there, and of one that is gone.
pub const ONLINE: &str = "online";
/// The last will.
pub const OFFLINE: &str = "offline";

/// Blocks from which the newest states are taken when a backlog waits: two minutes.
const LATEST_BLOCKS: u64 = 120;
/// Text of blocks read for one round, and settled intervals in it: bounds of memory.
const ROUND_BYTES: usize = 4 << 20;
const ROUND_SETTLED: usize = 1_000;

/// One broker to publish to.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The sink's name.
    pub name: String,
    /// How to reach the broker. The last will is set here.
    pub broker: broker::Settings,
    /// Where the password comes from; it is read again at each connect.
    pub password_file: Option<PathBuf>,
    /// The first levels of all topics.
    pub prefix: String,
    /// The first level of Home Assistant's discovery; none: nothing is told.
    pub discovery: Option<String>,
    /// How often states go out.
    pub every: Duration,
    /// The park.
    pub park: Arc<Park>,
    /// Names of all sinks, for their health.
    pub sinks: Vec<String>,
}

impl Settings {
    /// Its topics.
    #[must_use]
    pub fn topics(&self) -> Topics {
        Topics::new(&self.prefix, &self.park.id)
    }
}

/// Publishes what `source` has after `start`, as far as `committed` says that blocks are
/// on disk, and reports each move of the cursor to `cursor_out`.
///
/// Returns when `stop` is cancelled, with a goodbye to the broker, or when the store
/// that it reads from and reports to is gone.
pub async fn run<S: BlockSource>(
    settings: Settings,
    start: u64,
    source: S,
    committed: watch::Receiver<u64>,
    cursor_out: mpsc::Sender<(String, u64)>,
    stop: CancellationToken,
    stats: Arc<SinkStats>,
) {
    let states = States::new(&settings.park, &settings.topics(), &settings.sinks);
    let desk = Lent::new(Desk { source, states });
    let mut publisher = Publisher::new(settings, start, desk, committed, cursor_out, stats);
    stop.run_until_cancelled(publisher.publish()).await;
    publisher.goodbye().await;
}

/// What blocks the disk while it works: the journal, and what its rows come to.
struct Desk<S> {
    source: S,
    states: States,
}

/// What a round of reading brought.
#[derive(Debug, Default)]
struct Round {
    /// Settled intervals, in their order.
    settled: Vec<Message>,
    /// The last block that was read; none where there was none.
    last: Option<u64>,
    /// Tick of the first block.
    oldest_ms: Option<i64>,
    /// Values in the blocks.
    points: u64,
    /// Rows of states that a newer one replaced.
    passed_over: u64,
    /// Rows that nobody can read; they are kept in the journal, and not published.
    unread: u64,
    /// Whether blocks before the first are gone, unread.
    vanished: bool,
}

impl<S: BlockSource> Desk<S> {
    /// Reads a round of blocks after `seq`.
    fn read(&mut self, seq: u64, upto: u64) -> io::Result<Round> {
        let mut round = Round::default();
        let (mut at, mut bytes) = (seq, 0);
        while bytes < ROUND_BYTES && round.settled.len() < ROUND_SETTLED {
            let Some(block) = self.source.next_after(at, upto)? else {
                break;
            };
            if round.last.is_none() {
                round.oldest_ms = Some(block.at_ms);
                round.vanished = block.seq > seq + 1;
            }
            at = block.seq;
            bytes += block.text.len();
            round.last = Some(block.seq);
            round.points += u64::from(block.points);
            self.take(&block.text, &mut round);
            self.states.expire(block.at_ms);
        }
        Ok(round)
    }

    /// Reads the newest states from the last blocks. Their intervals go out in their turn.
    fn look_at_latest(&mut self, upto: u64) -> io::Result<()> {
        let mut at = upto.saturating_sub(LATEST_BLOCKS);
        while let Some(block) = self.source.next_after(at, upto)? {
            at = block.seq;
            self.take(&block.text, &mut Round::default());
            self.states.expire(block.at_ms);
        }
        Ok(())
    }

    fn take(&mut self, text: &str, round: &mut Round) {
        for line in text.lines() {
            let Ok(row) = parse(line) else {
                round.unread += 1;
                continue;
            };
            match self.states.take(&row) {
                Taken::Settled(message) => round.settled.push(message),
                Taken::Newest | Taken::Known => (),
                Taken::Replaced | Taken::PassedOver => round.passed_over += 1,
            }
        }
    }

    /// Values between two blocks, and the tick of the first of them.
    fn survey(&mut self, cursor: u64, counted: u64, upto: u64) -> io::Result<(u64, Option<i64>)> {
        let first = self.source.next_after(cursor, upto)?;
        let points = self.source.points_between(counted, upto)?;
        Ok((points, first.map(|block| block.at_ms)))
    }
}
