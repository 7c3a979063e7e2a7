//! What may go, what must, and what is counted.

use super::*;
use crate::store::journal::retain::{Bounds, Delivered, Plan};

pub(super) fn plan(
    journal: &mut Journal,
    upto: u64,
    max_bytes: u64,
    wanted: u64,
    keep_from: i64,
) -> Plan {
    let bounds = Bounds {
        keep_from_ms: keep_from,
        max_bytes,
        wanted_bytes: wanted,
        keep_undelivered: false,
    };
    journal
        .plan(&bounds, Delivered { upto, counted: 0 })
        .unwrap()
}

#[test]
fn a_floor_that_the_journal_cannot_reach_costs_nothing_undelivered() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    (0..60).for_each(|second| {
        append(&mut journal, second, 4);
    });
    let sizes: Vec<u64> = journal.complete.iter().map(|one| one.bytes).collect();
    let upto = journal.complete[1].segment.first - 1;
    let all: u64 = sizes.iter().sum();
    let none = i64::MIN;
    let mut goes = |upto, wanted| plan(&mut journal, upto, u64::MAX, wanted, none);
    let reached = goes(upto, all);
    assert_eq!(reached.segments, sizes.len(), "it can be reached");
    assert!(reached.dropped.is_some(), "at a price that is counted");
    let beyond = goes(upto, all + 1);
    assert_eq!(beyond, Plan::default(), "it can not");
    assert_eq!(goes(u64::MAX, u64::MAX).segments, 0);
}

#[test]
fn a_segment_may_go_only_when_delivered_and_old() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    (0..60).for_each(|second| {
        append(&mut journal, second, 4);
    });
    let firsts: Vec<u64> = journal.complete.iter().map(|c| c.segment.first).collect();
    let all = firsts.len();
    assert!(all >= 4);
    let (none, old) = (i64::MIN, i64::MAX);
    assert_eq!(
        plan(&mut journal, u64::MAX, u64::MAX, 0, none).segments,
        0,
        "young"
    );
    assert_eq!(
        plan(&mut journal, 0, u64::MAX, 0, old).segments,
        0,
        "undelivered"
    );
    assert_eq!(
        plan(&mut journal, u64::MAX, u64::MAX, 0, old).segments,
        all,
        "the active one stays"
    );
    let upto = firsts[2] - 1;
    assert_eq!(
        plan(&mut journal, upto, u64::MAX, 0, old).segments,
        2,
        "as far as delivered"
    );
    assert_eq!(
        plan(&mut journal, upto - 1, u64::MAX, 0, old).segments,
        1,
        "to the last block"
    );
    // Segment 0 ends with block firsts[1] - 1, whose tick is one second before.
    let keep_from = at(firsts[1] - 2).as_millisecond();
    assert_eq!(
        plan(&mut journal, u64::MAX, u64::MAX, 0, keep_from).segments,
        0,
        "as old as kept"
    );
    assert_eq!(
        plan(&mut journal, u64::MAX, u64::MAX, 0, keep_from + 1).segments,
        1
    );
}

#[test]
fn what_the_bound_forces_out_is_counted_to_the_point() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    (0..60).for_each(|second| {
        append(&mut journal, second, 4);
    });
    // Once from memory and seals, once after a restart by reading.
    for mut journal in [journal, open(dir.path())] {
        let first = journal.complete[1].segment.first;
        let forced = plan(&mut journal, 3, u64::MAX, 1, i64::MIN);
        assert_eq!(forced.segments, 1);
        let dropped = forced.dropped.unwrap();
        assert_eq!(
            dropped.points,
            (first - 1 - 3) * 8,
            "blocks after the cursor"
        );
        assert_eq!((dropped.from, dropped.last_seq), (at(0), first - 1));
        let delivered = plan(&mut journal, u64::MAX, u64::MAX, 1, i64::MIN);
        assert_eq!((delivered.segments, delivered.dropped), (1, None));
        let everything = plan(&mut journal, 0, 0, 0, i64::MIN);
        assert_eq!(everything.segments, journal.complete.len());
    }
}

#[test]
fn the_newest_segment_stays_even_when_it_is_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    while journal.complete.is_empty() {
        append(&mut journal, 0, 9);
    }
    let last = journal.complete[0].segment.clone();
    drop(journal);
    // A crash took the segment that had just been begun.
    let files = segment_files(dir.path());
    fs::remove_file(&files[1]).unwrap();
    let mut journal = open(dir.path());
    let plan = plan(&mut journal, u64::MAX, 0, 1, i64::MAX);
    journal.delete(&plan).unwrap();
    assert_eq!(segment_files(dir.path()), [last.path]);
    assert_eq!(journal.newest(), Some(at(0)));
}

#[test]
fn what_is_not_delivered_stays_where_recording_stops_instead() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    (0..60).for_each(|second| {
        append(&mut journal, second, 4);
    });
    let firsts: Vec<u64> = journal.complete.iter().map(|c| c.segment.first).collect();
    let bytes: Vec<u64> = journal.complete.iter().map(|c| c.bytes).collect();
    let all = firsts.len();
    let mut goes = |upto, max_bytes, wanted_bytes| {
        let bounds = Bounds {
            keep_from_ms: i64::MIN,
            max_bytes,
            wanted_bytes,
            keep_undelivered: true,
        };
        let delivered = Delivered { upto, counted: 0 };
        let plan = journal.plan(&bounds, delivered).unwrap();
        assert_eq!(plan.dropped, None);
        plan.segments
    };
    assert_eq!(goes(0, 0, 0), 0, "the bound takes nothing");
    assert_eq!(goes(0, u64::MAX, 1), 0, "the floor takes nothing");
    assert_eq!(goes(firsts[2] - 1, 0, 0), 2, "two are delivered");
    assert_eq!(goes(firsts[2] - 2, 0, 0), 1, "of the second a block is not");
    assert_eq!(goes(firsts[2] - 1, u64::MAX, bytes[0] + 1), 2);
    assert_eq!(goes(firsts[2] - 1, u64::MAX, bytes[0] + bytes[1] + 1), 0);
    assert_eq!(goes(u64::MAX, 0, 0), all, "all is");
}
