//! Rows once more, by a command: `quarantine retry` and `replay`.
//!
//! They go through the same lane as the daemon's, so that batches, refusals and what
//! counts as stored are the same. **No cursor moves**: what a command sends is beside what
//! the daemon delivers, and the same bytes stored twice are stored once.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::courier::{Courier, Place};
use super::influx::Settings;
use super::lane::Lane;
use super::quarantine::{Aside, Quarantine};
use super::relay::CommandError;
use super::shared::Shared;
use super::stats::SinkStats;
use super::{Block, BlockSource};
use crate::sys::clock;

/// How long a server may be in trouble before a command gives up: a restart of a database
/// is over by then.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Rows of a block that is made of rows set aside.
const ROWS: usize = 500;

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Shipped {
    /// Field values of the blocks of which every row is stored or set aside.
    pub values: u64,
    /// Rows that the server refused.
    pub refused_rows: u64,
    /// The last block.
    #[serde(skip)]
    upto: u64,
    /// Why it did not come to an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// Sends every block of `source`; refused rows go to `quarantine`.
///
/// # Errors
///
/// [`CommandError`] where the settings lead nowhere.
pub async fn ship<S: BlockSource>(
    settings: &Settings,
    source: S,
    quarantine: Quarantine,
) -> Result<Shipped, CommandError> {
    super::http::address(&settings.url)?;
    let stats: Arc<SinkStats> = Arc::default();
    let courier = Courier::new(settings.clone(), Arc::clone(&stats));
    let (cursor_out, mut moved) = mpsc::channel(4);
    let shared = Shared::new(courier, 0, quarantine, cursor_out);
    // All that there is, is a gap.
    let end = u64::MAX - 1;
    shared.work().progress.leap(end + 1);
    let (_committed, committed) = watch::channel(end);
    let lane = Lane::new(Arc::new(shared), Place::Rear, source, committed);
    let mut upto = 0;
    let look = async {
        let mut well = clock::mono();
        loop {
            tokio::select! {
                moved = moved.recv() => match moved {
                    Some((_, seq)) if seq < end => upto = seq,
                    _ => return None,
                },
                () = sleep(LOOK) => (),
            }
            let numbers = stats.numbers();
            if let Some(alarm) = numbers.alarm {
                return Some(alarm);
            }
            match numbers.last_error {
                Some(words) if clock::mono() - well > PATIENCE => return Some(words),
                Some(_) => (),
                None => well = clock::mono(),
            }
        }
    };
    let stopped = tokio::select! {
        stopped = look => stopped,
        () = lane.run() => None,
    };
    let numbers = stats.numbers();
    Ok(Shipped {
        values: numbers.delivered_points,
        refused_rows: numbers.quarantined,
        upto,
        stopped,
    })
}

/// What became of rows that were set aside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retried {
    /// They are stored now.
    pub stored: HashSet<Aside>,
    /// They are refused again, with new words.
    pub refused: Vec<Aside>,
    /// Why it did not come to an end; the rest was not tried.
    pub stopped: Option<String>,
}

/// Sends rows that were set aside again. None of them leaves its file by this.
///
/// # Errors
///
/// As [`ship`].
pub async fn retry(settings: &Settings, rows: Vec<Aside>) -> Result<Retried, CommandError> {
    if rows.is_empty() {
        return Ok(Retried::default());
    }
    let blocks = (1..).zip(rows.chunks(ROWS)).map(|(seq, rows)| {
        let text: String = rows
            .iter()
            .map(|aside| format!("{}\n", aside.row))
            .collect();
        let lines = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        Block {
            seq,
            at_ms: 0,
            lines,
            points: lines,
            text,
        }
    });
    let blocks: Arc<[Block]> = blocks.collect();
    let last = u64::try_from(blocks.len()).unwrap_or(u64::MAX);
    let again = Quarantine::in_memory();
    let shipped = ship(settings, Rows(blocks), again.clone()).await?;
    let mut refused = again.list()?;
    let upto = match shipped.stopped {
        Some(_) => shipped.upto,
        None => last,
    };
    let done = usize::try_from(upto)
        .unwrap_or(usize::MAX)
        .saturating_mul(ROWS);
    let bad: HashSet<&str> = refused.iter().map(|aside| aside.row.as_str()).collect();
    let stored = rows.into_iter().take(done);
    let stored = stored
        .filter(|aside| !bad.contains(aside.row.as_str()))
        .collect();
    refused.sort_by(|a, b| a.row.cmp(&b.row));
    refused.dedup_by(|a, b| a.row == b.row);
    Ok(Retried {
        stored,
        refused,
        stopped: shipped.stopped,
    })
}

/// Blocks in memory.
struct Rows(Arc<[Block]>);

impl BlockSource for Rows {
    fn another(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn next_after(&mut self, seq: u64, upto: u64) -> io::Result<Option<Block>> {
        let place = usize::try_from(seq).unwrap_or(usize::MAX);
        let next = self.0.get(place).filter(|block| block.seq <= upto);
        Ok(next.cloned())
    }
}
