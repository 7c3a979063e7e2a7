//! Any sequence of appends, crashes, restarts, deliveries and retention, against a model.

use proptest::prelude::*;

use super::*;
use crate::store::journal::retain::{Bounds, Delivered};

/// Many short lives of a journal, whose syncs a disk would make slow.
fn folder_in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

#[derive(Debug, Clone)]
enum Act {
    Append(u64),
    /// The process dies while it appends; this part of the block is on disk.
    Crash(u64, f64),
    Reopen,
    Deliver(u64),
    Retain {
        max_bytes: u64,
        keep: u64,
    },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1_u64..30).prop_map(Act::Append),
        2 => (1_u64..30, 0.0..1.0).prop_map(|(lines, part)| Act::Crash(lines, part)),
        1 => Just(Act::Reopen),
        2 => (0_u64..10).prop_map(Act::Deliver),
        1 => (3..20_u64, 0..40_u64).prop_map(|(segments, keep)| Act::Retain {
            max_bytes: segments * SMALL,
            keep,
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    /// Whatever happens, every block that was confirmed is readable, or delivered
    /// and older than kept, or counted as dropped.
    #[test]
    fn nothing_confirmed_disappears_uncounted(acts in prop::collection::vec(act(), 1..80)) {
        let dir = folder_in_memory();
        let mut journal = open(dir.path());
        // Sequence to points, of what must be readable.
        let mut model: BTreeMap<u64, u64> = BTreeMap::new();
        let (mut second, mut cursor, mut oldest_kept) = (0, 0, 0);
        let mut counted = Delivered { upto: 0, counted: 0 };
        for act in acts {
            second += 1;
            match act {
                Act::Append(count) => {
                    let seq = append(&mut journal, second, count);
                    prop_assert!(model.last_key_value().is_none_or(|(last, _)| *last < seq));
                    model.insert(seq, 2 * count);
                }
                Act::Crash(count, part) => {
                    let before = journal.active.as_ref().map(|a| (a.segment.path.clone(), a.durable));
                    append(&mut journal, second, count);
                    let active = journal.active.as_ref().unwrap();
                    let path = active.segment.path.clone();
                    let end = active.durable;
                    let start = before.filter(|(file, _)| *file == path).map_or(0, |(_, durable)| durable);
                    drop(journal);
                    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, clippy::as_conversions)]
                    let cut = start + ((end - start) as f64 * part) as u64;
                    File::options().write(true).open(&path).unwrap().set_len(cut).unwrap();
                    journal = Journal::open(dir.path(), SMALL, cursor).unwrap();
                }
                Act::Reopen => {
                    drop(journal);
                    journal = Journal::open(dir.path(), SMALL, cursor).unwrap();
                    prop_assert_eq!(journal.damage(), Damage::default());
                }
                Act::Deliver(blocks) => cursor = (cursor + blocks).min(journal.last_seq()),
                Act::Retain { max_bytes, keep } => {
                    counted.upto = cursor;
                    let keep_from = second.saturating_sub(keep);
                    let bounds = Bounds {
                        keep_from_ms: at(keep_from).as_millisecond(),
                        max_bytes,
                        wanted_bytes: 0,
                        keep_undelivered: false,
                    };
                    let plan = journal.plan(&bounds, counted).unwrap();
                    journal.delete(&plan).unwrap();
                    prop_assert!(journal.bytes() <= max_bytes);
                    oldest_kept = journal
                        .complete
                        .first()
                        .map(|complete| complete.segment.first)
                        .or(journal.active.as_ref().map(|active| active.segment.first))
                        .unwrap_or(oldest_kept);
                    let gone: u64 = model.range(..oldest_kept).filter(|(seq, _)| **seq > cursor).map(|(_, points)| points).sum();
                    prop_assert_eq!(plan.dropped.map_or(0, |dropped| dropped.points), gone);
                    if !plan.forced {
                        prop_assert_eq!(gone, 0);
                    }
                    model = model.split_off(&oldest_kept);
                    counted.counted = plan.dropped.map_or(counted.counted, |dropped| dropped.last_seq);
                }
            }
        }
        let (seqs, _) = read_all(dir.path());
        prop_assert_eq!(seqs, model.into_keys().collect::<Vec<_>>());
    }
}
