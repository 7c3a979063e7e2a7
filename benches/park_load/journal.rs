//! Watches the daemon's journal from outside, as a sink would read it.
//!
//! Every 5 ms it asks for new blocks. The age of a reading is the wall time at
//! which its block could be read, less the time in its row. A block can be read a
//! moment before the disk has confirmed it; the receiver's ages bound the rest.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sunledger::store::{Block, Reader};
use sunledger::sys::clock::wall;

use super::ages::{Ages, reading_ms};

/// How often the journal is looked at.
const EVERY: Duration = Duration::from_millis(5);

/// What came within a window of time.
pub struct Seen {
    /// Readings of meters, by the time in their rows.
    pub readings: u64,
    /// Their ages.
    pub ages: Ages,
    /// Blocks that could be read.
    pub blocks: u64,
    /// Bytes of line protocol.
    pub text_bytes: u64,
}

/// Watches until `stop`; counts the readings from `from_ms` until `until_ms`.
pub fn watch(dir: &Path, from_ms: i64, until_ms: i64, stop: &AtomicBool) -> Seen {
    let mut seen = Seen {
        readings: 0,
        ages: Ages::new(),
        blocks: 0,
        text_bytes: 0,
    };
    let (mut reader, mut block, mut seq) = (None, Block::default(), 0);
    while !stop.load(Ordering::Relaxed) {
        if reader.is_none() {
            reader = Reader::new(dir).ok();
        }
        let found = reader
            .as_mut()
            .is_some_and(|reader| reader.read_after(seq, None, &mut block).unwrap_or(false));
        if !found {
            std::thread::sleep(EVERY);
            continue;
        }
        let now_ms = wall().as_millisecond();
        seq = block.seq;
        for at in block.text.lines().filter_map(reading_ms) {
            if (from_ms..until_ms).contains(&at) {
                seen.readings += 1;
                seen.ages.add(now_ms - at);
            }
        }
        if (from_ms..until_ms).contains(&block.at.as_millisecond()) {
            seen.blocks += 1;
            seen.text_bytes += block.text.len() as u64;
        }
    }
    seen
}
