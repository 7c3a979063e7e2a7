//! What may go from the store, what must, and that it is counted.

use std::fs;
use std::path::Path;

use sunledger::store::{LedgerReader, Reader, Settings};

use crate::support::store::*;

/// A journal of a few hundred bytes a segment.
fn small(dir: &Path, sinks: &[&str]) -> Settings {
    Settings {
        max_bytes: 16 * 512,
        sinks: sinks.iter().map(|sink| (*sink).to_owned()).collect(),
        ..settings(dir)
    }
}

#[test]
fn a_sink_holds_segments_back_until_it_has_them_and_they_are_old() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::new();
    let keep = Settings {
        keep_days: 1,
        max_bytes: 16 * 512,
        ..small(dir.path(), &["a", "b"])
    };
    let oldest = || Reader::new(dir.path()).unwrap().oldest().unwrap().unwrap();
    let (mut store, _) = open(keep.clone());
    let day = 86_400;
    for hour in 0..12 {
        store
            .commit(&batch(hour * 3_600), clock.after(0.0))
            .unwrap();
    }
    store.commit(&batch(3 * day), clock.after(0.0)).unwrap();
    store.housekeep(clock.after(61.0));
    assert_eq!(oldest(), at(0), "nobody has it");
    store.advance("a", 12);
    store.housekeep(clock.after(122.0));
    assert_eq!(oldest(), at(0), "one does not have it");
    store.flush(clock.after(183.0)).unwrap();
    store.advance("b", 12);
    store.advance("b", 3);
    assert_eq!(store.cursor("b"), 12, "what a sink has, it has");
    // Too soon for the ledger, were nothing to be deleted.
    store.housekeep(clock.after(183.5));
    assert!(oldest() > at(0), "both have it");
    let cursors = LedgerReader::open(dir.path()).unwrap().cursors().unwrap();
    let expected = [("a".to_owned(), 12), ("b".to_owned(), 12)];
    assert_eq!(cursors, expected, "on disk before anything went");
    assert_eq!(store.stats().dropped_points(), 0);
    drop(store);
    let (store, recovered) = open(keep);
    assert_eq!(recovered.cursors, expected);
    assert_eq!(store.cursor("b"), 12);
}

#[test]
fn the_bound_holds_and_what_it_forces_out_is_counted_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let now = Clock::new().after(0.0);
    let bounded = small(dir.path(), &["away"]);
    let (mut store, _) = open(bounded.clone());
    let (mut reported, mut committed) = (0, 0);
    for second in 0..200 {
        let done = store.commit(&batch(second), now).unwrap();
        committed += 2;
        reported += done.dropped.map_or(0, |dropped| dropped.points);
        let size: u64 = fs::read_dir(dir.path().join("journal"))
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert!(size <= bounded.max_bytes, "{size} at second {second}");
        assert_eq!(store.stats().journal_bytes(), size);
    }
    assert!(reported > 0);
    let mut reader = Reader::new(dir.path()).unwrap();
    let (mut kept, mut last) = (0, 0);
    while let Some(block) = reader.next_after(last, None).unwrap() {
        last = block.seq;
        kept += u64::from(block.points);
    }
    assert_eq!(kept + reported, committed);
    assert_eq!(reader.missing() * 2, reported);
    assert_eq!(store.stats().dropped_points(), reported);
    assert_eq!(store.stats().oldest(), reader.oldest().unwrap());
    drop(store);
    let (store, recovered) = open(bounded);
    assert_eq!(recovered.dropped_points, reported);
    assert_eq!(store.stats().dropped_points(), reported);
}

#[test]
fn a_floor_out_of_reach_takes_nothing() {
    for sinks in [&["away"][..], &[][..]] {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::new();
        let (mut store, _) = open(small(dir.path(), sinks));
        for second in 0..20 {
            store.commit(&batch(second), clock.after(0.0)).unwrap();
        }
        drop(store);
        let segments = || fs::read_dir(dir.path().join("journal")).unwrap().count();
        let before = segments();
        assert!(before > 3);
        let (mut store, _) = open(Settings {
            free_floor: u64::MAX,
            ..small(dir.path(), sinks)
        });
        assert_eq!(segments(), before, "{sinks:?}");
        let committed = store.commit(&batch(21), clock.after(0.0)).unwrap();
        assert_eq!(committed.dropped, None, "{sinks:?}");
        assert_eq!(store.stats().dropped_points(), 0, "{sinks:?}");
    }
}

#[test]
fn where_recording_stops_nothing_undelivered_goes_and_it_goes_on_with_the_sink() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::new();
    let now = clock.after(0.0);
    let (mut store, _) = open(Settings {
        stop_when_full: true,
        ..small(dir.path(), &["away"])
    });
    let mut second = 0;
    let refused = loop {
        match store.commit(&batch(second), now) {
            Ok(done) => assert_eq!(done.dropped, None),
            Err(refused) => break refused,
        }
        second += 1;
        assert!(second < 1_000, "it never stops");
    };
    let sentence = refused.to_string();
    assert!(
        sentence.contains("nothing is recorded: the journal has reached store.max_bytes"),
        "{sentence}"
    );
    assert_eq!(store.stats().trouble(), Some(sentence));
    assert_eq!(store.stats().failures(), 1);
    assert!(store.stats().journal_bytes() <= 16 * 512);
    store.housekeep(clock.after(61.0));
    assert!(
        store.commit(&batch(second), now).is_err(),
        "there is still no room"
    );
    let mut reader = Reader::new(dir.path()).unwrap();
    for seq in 0..u64::try_from(second).unwrap() {
        assert_eq!(reader.next_after(seq, None).unwrap().unwrap().seq, seq + 1);
    }
    assert_eq!(store.stats().dropped_points(), 0);

    store.advance("away", u64::try_from(second).unwrap() / 2);
    let done = store.commit(&batch(second), now).unwrap();
    assert_eq!(
        done.seq,
        u64::try_from(second).unwrap() + 1,
        "no number is left out"
    );
    assert_eq!(store.stats().trouble(), None);
    assert_eq!(store.stats().dropped_points(), 0);
}

#[test]
fn where_recording_stops_the_floor_stops_it_too() {
    let dir = tempfile::tempdir().unwrap();
    let now = Clock::new().after(0.0);
    let stops = |free_floor| Settings {
        stop_when_full: true,
        free_floor,
        ..small(dir.path(), &["away"])
    };
    let (mut store, _) = open(stops(u64::MAX));
    let refused = store.commit(&batch(0), now).unwrap_err().to_string();
    assert!(refused.contains("less than store.free_floor"), "{refused}");
    drop(store);
    let (mut store, _) = open(stops(0));
    store.commit(&batch(0), now).unwrap();
}

#[test]
fn a_day_without_a_receiver_stays_within_the_bound_and_every_lost_point_is_counted() {
    // The disk is in memory: a day of commits would be a day of waiting for another one.
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    const BOUND: u64 = 256 << 10;
    const EVERY_S: i64 = 10;
    let (clock, mut counted, mut committed) = (Clock::new(), 0, 0);
    let bounded = Settings {
        max_bytes: BOUND,
        sinks: vec!["away".to_owned()],
        ..settings(dir.path())
    };
    let (mut store, _) = open(bounded.clone());
    let on_disk = || -> u64 {
        let files = fs::read_dir(dir.path().join("journal")).unwrap();
        files
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum()
    };
    let mut last_seq = 0;
    for tick in 0..86_400 / EVERY_S {
        let second = tick * EVERY_S;
        #[allow(clippy::cast_precision_loss)]
        let done = store
            .commit(&batch(second), clock.after(second as f64))
            .unwrap();
        last_seq = done.seq;
        committed += 2;
        if let Some(dropped) = done.dropped {
            assert!(dropped.until < at(second) && dropped.from <= dropped.until);
            counted += dropped.points;
        }
        assert!(on_disk() <= BOUND, "{second}: {} bytes", on_disk());
        // A box that is restarted each hour meanwhile.
        if second % 3_600 == 0 {
            drop(store);
            store = open(bounded.clone()).0;
            if let Some(dropped) = store
                .commit(&batch(second + 1), clock.after(0.0))
                .unwrap()
                .dropped
            {
                counted += dropped.points;
            }
            committed += 2;
        }
    }
    assert!(
        counted > 0 && counted == store.stats().dropped_points(),
        "{counted}"
    );
    let mut reader = Reader::new(dir.path()).unwrap();
    let backlog = reader.backlog(0).unwrap();
    assert_eq!(
        backlog.points + counted,
        committed,
        "what is not there is counted"
    );
    // What is there is the end of the day, without a gap.
    let (mut seq, mut seen) = (0, Vec::new());
    while let Some(block) = reader.next_after(seq, None).unwrap() {
        seq = block.seq;
        seen.push(seq);
    }
    assert_eq!(seq, last_seq);
    assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!(u64::try_from(seen.len()).unwrap() * 2, backlog.points);
}
