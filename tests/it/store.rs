//! The store from outside: what is durable, what is refused, what comes back.

mod copies;
mod retention;
mod threads;

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use sunledger::domain::flow::{FLOWS, Flow};
use sunledger::domain::interval::Interval;
use sunledger::domain::quality::{Gaps, Reason};
use sunledger::store::{Batch, LedgerReader, Mended, Reader, Settings, Store, StoreError};

use crate::support::store::*;

fn refusal(settings: Settings) -> StoreError {
    Store::open(settings, settle())
        .err()
        .expect("the store is refused")
}

/// Every file of a directory with its content.
fn snapshot(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn generations(intervals: &[Interval]) -> Vec<(i64, Result<i64, Vec<String>>)> {
    intervals
        .iter()
        .map(|interval| (interval.revision, generation(interval)))
        .collect()
}

fn all_intervals(dir: &Path) -> Vec<Interval> {
    let reader = LedgerReader::open(dir).unwrap();
    reader.intervals(at(0), at(100 * SPAN_S)).unwrap()
}

#[test]
fn what_is_committed_is_there_after_a_death_without_farewell() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::new();
    let (mut store, recovered) = open(settings(dir.path()));
    assert_eq!((recovered.last_seq, recovered.last_at), (0, None));
    for second in 0..7 {
        let mut batch = batch(second);
        batch.entries.push(entry("pv", 0, Ok(second)));
        batch
            .state
            .push(("pv".to_owned(), format!("{{\"second\":{second}}}")));
        let committed = store.commit(&batch, clock.after(0.1)).unwrap();
        assert_eq!(committed.seq, u64::try_from(second + 1).unwrap());
        assert_eq!(committed.until, at(second));
    }
    drop(store);

    let (mut store, mut recovered) = open(settings(dir.path()));
    // The ledger was written with the fifth batch.
    assert_eq!((recovered.covered_seq, recovered.last_seq), (5, 7));
    assert_eq!(recovered.last_at, Some(at(6)));
    assert_eq!(
        recovered.state,
        [("pv".to_owned(), "{\"second\":4}".to_owned())]
    );
    let tail: Vec<_> = recovered.tail.by_ref().map(Result::unwrap).collect();
    assert_eq!(
        tail.iter().map(|block| block.seq).collect::<Vec<_>>(),
        [6, 7]
    );
    assert_eq!(tail[0].text, batch(5).lines);
    assert_eq!((tail[0].at, tail[0].lines, tail[0].points), (at(5), 1, 2));

    let state = vec![("pv".to_owned(), "{\"second\":6}".to_owned())];
    let replayed = Batch {
        entries: vec![entry("pv", 0, Ok(6))],
        state: state.clone(),
        ..Batch::empty(at(6))
    };
    store.rebuild(&replayed, 7).unwrap();
    drop(store);
    let (_store, recovered) = open(settings(dir.path()));
    assert_eq!(recovered.covered_seq, 7);
    assert_eq!(recovered.state, state);
    assert_eq!(recovered.tail.count(), 0);
}

#[test]
fn the_ledger_follows_after_five_batches_or_five_seconds_or_at_once_for_an_interval() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::new();
    let (mut store, _) = open(settings(dir.path()));
    let covered = || {
        let reader = LedgerReader::open(dir.path()).unwrap();
        reader
            .meta("covered_seq")
            .unwrap()
            .map_or(0, |seq| seq.parse().unwrap())
    };
    let mut second = 0;
    let mut commit = |store: &mut Store, after: f64| {
        second += 1;
        store.commit(&batch(second), clock.after(after)).unwrap();
        covered()
    };
    assert_eq!(commit(&mut store, 0.0), 0);
    assert_eq!(commit(&mut store, 4.9), 0);
    assert_eq!(commit(&mut store, 5.0), 3, "five seconds");
    assert_eq!(
        [5.1, 5.2, 5.3, 5.4, 5.5].map(|after| commit(&mut store, after)),
        [3, 3, 3, 3, 8],
        "five batches"
    );
    let mut closing = batch(100);
    closing.closed.push((span(0), shape(0.0)));
    store.commit(&closing, clock.after(5.6)).unwrap();
    assert_eq!(covered(), 9, "an interval closes");
    let mut late = batch(101);
    late.entries.push(entry("pv", 0, Ok(1)));
    store.commit(&late, clock.after(5.7)).unwrap();
    assert_eq!(covered(), 10, "a closed interval changes");
    store.commit(&batch(102), clock.after(5.8)).unwrap();
    assert_eq!(covered(), 10);
    store.housekeep(clock.after(5.9));
    assert_eq!(covered(), 10);
    store.housekeep(clock.after(10.8));
    assert_eq!(covered(), 11, "no batch came");
    store.commit(&batch(103), clock.after(10.9)).unwrap();
    store.flush(clock.after(11.0)).unwrap();
    assert_eq!(covered(), 12, "told to");
}

#[test]
fn a_late_entry_makes_a_revision_and_the_first_one_stays_readable() {
    let dir = tempfile::tempdir().unwrap();
    let now = Clock::new().after(0.0);
    let (mut store, _) = open(settings(dir.path()));
    let mut closing = batch(960);
    closing.entries = vec![
        entry("pv", 0, Ok(1_000)),
        entry("turbine", 0, Err(Reason::Timeout)),
    ];
    closing.closed.push((span(0), shape(2.5)));
    let committed = store.commit(&closing, now).unwrap();
    let gap = Err(vec!["turbine".to_owned()]);
    assert_eq!(generations(&committed.intervals), [(1, gap.clone())]);

    let mut same = batch(961);
    same.entries = vec![entry("pv", 0, Ok(1_000))];
    same.closed.push((span(0), shape(2.5)));
    assert_eq!(
        store.commit(&same, now).unwrap().intervals,
        [],
        "nothing new is said"
    );

    let mut late = batch(962);
    late.entries = vec![entry("turbine", 0, Ok(234))];
    let committed = store.commit(&late, now).unwrap();
    assert_eq!(generations(&committed.intervals), [(2, Ok(1_234))]);
    assert_eq!(committed.intervals[0].span, span(0));

    let reader = LedgerReader::open(dir.path()).unwrap();
    assert_eq!(
        reader.intervals(at(0), at(SPAN_S)).unwrap(),
        committed.intervals
    );
    let revisions = reader.revisions(at(0)).unwrap();
    assert_eq!(generations(&revisions), [(1, gap), (2, Ok(1_234))]);
    let export = revisions[0].flows.of(Flow::Export).as_ref().unwrap();
    assert_eq!(export.value.0, 2_500);
    assert_eq!(reader.period().unwrap(), Some((at(0), at(SPAN_S))));
    assert_eq!(
        reader.intervals(at(1), at(SPAN_S)).unwrap(),
        [],
        "it starts before"
    );

    // Who asks for some flows gets the latest word of these, and nothing of the others.
    let asked = reader.intervals_of(at(0), at(SPAN_S), &[Flow::Export, Flow::Generation]);
    let (mut asked, all) = (asked.unwrap(), &committed.intervals[0]);
    let asked = asked.pop().unwrap();
    assert_eq!((asked.span, asked.revision), (all.span, 2));
    for row in &FLOWS {
        let wanted = match row.flow {
            Flow::Export | Flow::Generation => all.flows.of(row.flow).clone(),
            _ => Err(Gaps::config()),
        };
        assert_eq!(*asked.flows.of(row.flow), wanted, "{}", row.name);
    }
    // An interval of which nothing is asked is there all the same.
    let none = reader.intervals_of(at(0), at(SPAN_S), &[]).unwrap();
    assert_eq!(none.len(), 1);
}

#[test]
fn an_interval_is_handed_out_again_until_it_is_among_the_lines() {
    let dir = tempfile::tempdir().unwrap();
    let now = Clock::new().after(0.0);
    let (mut store, _) = open(settings(dir.path()));
    let mut closing = batch(960);
    closing.entries = vec![entry("pv", 0, Ok(5)), entry("pv", 1, Err(Reason::Stale))];
    closing.closed = vec![(span(0), shape(0.1)), (span(1), shape(0.0))];
    let handed_out = store.commit(&closing, now).unwrap().intervals;
    assert_eq!(handed_out.len(), 2);
    drop(store);

    let (mut store, recovered) = open(settings(dir.path()));
    assert_eq!(recovered.unjournaled, handed_out, "the very same");
    let mut next = batch(961);
    next.journaled.push((at(0), 1));
    store.commit(&next, now).unwrap();
    store.flush(now).unwrap();
    drop(store);
    let (_store, recovered) = open(settings(dir.path()));
    assert_eq!(recovered.unjournaled, handed_out[1..]);
}

#[test]
fn a_second_daemon_is_refused_by_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let (_first, _) = open(settings(dir.path()));
    let error = refusal(settings(dir.path()));
    assert_eq!(error.exit_code(), 74);
    let sentence = error.to_string();
    assert!(sentence.starts_with(&format!("{}: another sunledger", dir.path().display())));
    assert!(!sentence.contains('\n'));
}

/// The ledger of a newer version that died while it wrote.
fn leave_newer_ledger(dir: &Path) {
    let path = dir.join("ledger.sqlite");
    let ledger = rusqlite::Connection::open(&path).unwrap();
    ledger.pragma_update(None, "user_version", 9).unwrap();
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    ledger.query_row(checkpoint, [], |_| Ok(())).unwrap();
    ledger
        .execute("INSERT INTO meta VALUES ('written', 'late')", [])
        .unwrap();
    let files = ["ledger.sqlite", "ledger.sqlite-wal"].map(|name| dir.join(name));
    let left = files.each_ref().map(|file| fs::read(file).unwrap());
    assert!(!left[1].is_empty());
    drop(ledger);
    for (file, bytes) in files.iter().zip(left) {
        fs::write(file, bytes).unwrap();
    }
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_not_a_byte_changes() {
    for newer in ["version", "ledger"] {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = open(settings(dir.path()));
        store.commit(&batch(0), Clock::new().after(0.0)).unwrap();
        drop(store);
        if newer == "version" {
            fs::write(dir.path().join("version"), "2\n").unwrap();
        } else {
            leave_newer_ledger(dir.path());
        }
        // The lock file names the process, which is not part of the store.
        let before = snapshot(dir.path());
        let error = refusal(settings(dir.path()));
        assert_eq!(error.exit_code(), 78, "{newer}");
        assert!(
            error
                .to_string()
                .contains("a newer sunledger wrote this store"),
            "{error}"
        );
        assert_eq!(snapshot(dir.path()), before, "{newer}");
        assert_eq!(
            LedgerReader::open(dir.path()).err().unwrap().exit_code(),
            78
        );
        if newer == "version" {
            assert_eq!(Reader::new(dir.path()).err().unwrap().exit_code(), 78);
        }
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_by_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = refusal(settings(&file.join("store")));
    assert_eq!(error.exit_code(), 74);
    assert!(
        error
            .to_string()
            .contains("the store cannot be written (Not a directory"),
        "{error}"
    );
}

#[test]
fn where_no_store_is_readers_say_so() {
    let dir = tempfile::tempdir().unwrap();
    for error in [
        LedgerReader::open(dir.path()).err().unwrap(),
        Reader::new(dir.path()).err().unwrap(),
    ] {
        assert_eq!(error.exit_code(), 74);
        assert!(error.to_string().contains("no store here"), "{error}");
    }
}

/// A store that was running, and has five batches and a closed interval.
fn lived_in(dir: &Path) {
    let now = Clock::new().after(0.0);
    let (mut store, _) = open(Settings {
        sinks: vec!["local".to_owned()],
        ..settings(dir)
    });
    for second in 0..5 {
        store.commit(&batch(second), now).unwrap();
    }
    let mut closing = batch(960);
    closing.entries = vec![entry("pv", 0, Ok(5))];
    closing.closed = vec![(span(0), shape(0.0))];
    store.advance("local", 4);
    store.commit(&closing, now).unwrap();
}

#[test]
fn a_damaged_ledger_is_set_aside_and_the_journal_is_replayed() {
    let damages: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.fill(0xAA),
        |bytes| bytes.truncate(5_000),
        |bytes| bytes[4_096..].fill(0),
        |bytes| bytes[100..200].fill(0xFF),
    ];
    for (case, damage) in damages.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        lived_in(dir.path());
        let path = dir.path().join("ledger.sqlite");
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        let (mut store, recovered) = open(settings(dir.path()));
        let aside = dir.path().join("ledger.sqlite.damaged-1");
        assert_eq!(
            recovered.mended,
            Some(Mended {
                aside: Some(aside.clone()),
                copied: None
            }),
            "case {case}"
        );
        assert_eq!(
            fs::read(&aside).unwrap(),
            bytes,
            "case {case}: kept for those who ask"
        );
        assert_eq!((recovered.covered_seq, recovered.last_seq), (0, 6));
        assert_eq!(recovered.tail.count(), 6);
        assert_eq!(
            store
                .commit(&batch(970), Clock::new().after(0.0))
                .unwrap()
                .seq,
            7
        );
    }
}

#[test]
fn a_ledger_cut_anywhere_never_keeps_the_store_from_starting() {
    let whole = tempfile::tempdir().unwrap();
    lived_in(whole.path());
    let ledger = fs::read(whole.path().join("ledger.sqlite")).unwrap();
    let mut survived = 0;
    for cut in (0..ledger.len()).step_by(1_777) {
        let dir = tempfile::tempdir().unwrap();
        lived_in(dir.path());
        fs::write(dir.path().join("ledger.sqlite"), &ledger[..cut]).unwrap();
        let (_store, recovered) = open(settings(dir.path()));
        assert_eq!(recovered.last_seq, 6, "cut at {cut}");
        // Begun anew; or nothing but the free space of a page was cut off, and it is whole.
        if recovered.covered_seq != 0 {
            let everything = |dir: &Path| {
                let reader = LedgerReader::open(dir).unwrap();
                let (from, to) = (Timestamp::MIN, Timestamp::MAX);
                (
                    reader.intervals(from, to).unwrap(),
                    reader.entries(from, to).unwrap(),
                )
            };
            assert_eq!(recovered.covered_seq, 6, "cut at {cut}");
            assert_eq!(
                everything(dir.path()),
                everything(whole.path()),
                "cut at {cut}"
            );
            survived += 1;
        }
    }
    // The last page is that of a table which is empty.
    assert!(survived <= 4_096 / 1_777, "{survived} cuts lost nothing");
}

#[test]
fn a_batch_without_lines_takes_no_sequence() {
    let dir = tempfile::tempdir().unwrap();
    let now = Clock::new().after(0.0);
    let (mut store, _) = open(settings(dir.path()));
    store.commit(&batch(0), now).unwrap();
    let mut empty = Batch::empty(at(960));
    empty.closed.push((span(0), shape(0.0)));
    let committed = store.commit(&empty, now).unwrap();
    assert_eq!((committed.seq, committed.intervals.len()), (1, 1));
    store.set_meta("park", "fanshi").unwrap();
    let reader = LedgerReader::open(dir.path()).unwrap();
    assert_eq!(reader.meta("park").unwrap().as_deref(), Some("fanshi"));
    assert_eq!(store.meta("zone").unwrap(), None);
}

#[test]
fn reports_and_the_audit_read_while_the_daemon_writes() {
    let dir = tempfile::tempdir().unwrap();
    let now = Clock::new().after(0.0);
    let (mut store, _) = open(settings(dir.path()));
    store.commit(&batch(-1), now).unwrap();
    let folder = dir.path().to_owned();
    let reading = std::thread::spawn(move || {
        let mut blocks = Reader::new(&folder).unwrap();
        let (mut last, mut seen) = (0, 0);
        while last < 61 {
            if let Some(block) = blocks.next_after(last, None).unwrap() {
                assert_eq!(block.seq, last + 1);
                last = block.seq;
            }
            let intervals = all_intervals(&folder);
            assert!(intervals.len() >= seen, "an interval never goes away");
            seen = intervals.len();
        }
        seen
    });
    for number in 0..60 {
        let mut closing = batch(number);
        closing.entries.push(entry("pv", number, Ok(number)));
        closing.closed.push((span(number), shape(0.0)));
        store.commit(&closing, now).unwrap();
    }
    assert!(reading.join().unwrap() >= 59);
    let expected: Vec<_> = (0..60).map(|number| (1, Ok(number))).collect();
    assert_eq!(generations(&all_intervals(dir.path())), expected);
}
