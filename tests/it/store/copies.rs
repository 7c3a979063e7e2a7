//! The daily copy of the ledger, and what it is for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use sunledger::domain::interval::{Entry, Interval};
use sunledger::domain::quality::Reason;
use sunledger::store::ledger::copy::{self, Pace};
use sunledger::store::{Batch, LedgerReader, Mended, Reader, Settings, Store};
use tokio::time::Instant;

use crate::support::store::*;

const DAY_S: i64 = 86_400;

/// Long enough for the slowest machine to copy some pages.
const PATIENCE: Duration = Duration::from_secs(120);

/// Everything that the books say.
#[derive(Debug, PartialEq)]
struct Books {
    entries: Vec<Entry>,
    revisions: Vec<Interval>,
}

fn books(dir: &Path) -> Books {
    let reader = LedgerReader::open(dir).unwrap();
    let (from, to) = (Timestamp::MIN, Timestamp::MAX);
    let starts = reader.intervals(from, to).unwrap().into_iter();
    let revisions = starts.flat_map(|it| reader.revisions(it.span.start).unwrap());
    Books {
        revisions: revisions.collect(),
        entries: reader.entries(from, to).unwrap(),
    }
}

/// Does what the store's thread does until the copy knows a tick.
fn until_copied(store: &mut Store, dir: &Path, now: Instant, tick: Timestamp) {
    let start = Instant::now();
    while copy::taken(&dir.join("ledger.sqlite")) != Some(tick) {
        assert!(start.elapsed() < PATIENCE, "no copy is made");
        store.housekeep(now);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A store that writes down what each block came to, as the engine would find it again.
struct Lived {
    store: Store,
    batches: BTreeMap<u64, Batch>,
}

impl Lived {
    fn commit(&mut self, batch: Batch, now: Instant) {
        let done = self.store.commit(&batch, now).unwrap();
        self.batches.insert(done.seq, batch);
    }

    /// An interval with a meter that comes late, in a revision of its own.
    fn interval(&mut self, number: i64, now: Instant) {
        let second = (number + 1) * SPAN_S + 60;
        let mut closing = batch(second);
        closing.entries = vec![
            entry("pv", number, Ok(1_000 + number)),
            entry("turbine", number, Err(Reason::Timeout)),
        ];
        closing.closed.push((span(number), shape(0.25)));
        self.commit(closing, now);
        let mut late = batch(second + 30);
        late.entries = vec![entry("turbine", number, Ok(7 * number))];
        self.commit(late, now);
    }
}

/// A store with old books that the journal has forgotten, a copy, and newer books.
fn lived_in(dir: &Path, now: Instant) -> BTreeMap<u64, Batch> {
    let (store, _) = open(kept_a_day(dir));
    let mut lived = Lived {
        store,
        batches: BTreeMap::new(),
    };
    for number in 0..20 {
        lived.interval(number, now);
    }
    lived.commit(batch(3 * DAY_S), now);
    lived.store.flush(now).unwrap();
    until_copied(&mut lived.store, dir, now, at(3 * DAY_S));
    let later = 3 * DAY_S / SPAN_S;
    for number in later..later + 20 {
        lived.interval(number, now);
    }
    lived.store.housekeep(now + Duration::from_secs(61));
    lived.store.flush(now).unwrap();
    lived.batches
}

/// A journal of small segments, of which those that are a day old go.
fn kept_a_day(dir: &Path) -> Settings {
    Settings {
        keep_days: 1,
        max_bytes: 16 * 512,
        ..settings(dir)
    }
}

/// What happens to a ledger, and its name.
type Damage = (&'static str, fn(&Path));

#[test]
fn a_damaged_ledger_comes_back_from_its_copy_and_the_journal() {
    let damages: [Damage; 6] = [
        ("overwritten", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, vec![0xAA; bytes.len()]).unwrap();
        }),
        ("a page of it lost", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[4_096..8_192].fill(0);
            fs::write(path, bytes).unwrap();
        }),
        ("cut", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("emptied", |path| fs::write(path, []).unwrap()),
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("deleted, its log left behind", |path| {
            let connection = rusqlite::Connection::open(path).unwrap();
            connection
                .execute("INSERT INTO meta VALUES ('written', 'late')", [])
                .unwrap();
            let log = path.with_file_name("ledger.sqlite-wal");
            let left = fs::read(&log).unwrap();
            assert!(!left.is_empty());
            drop(connection);
            fs::remove_file(path).unwrap();
            fs::write(log, left).unwrap();
        }),
    ];
    for (case, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        let now = Clock::new().after(0.0);
        let batches = lived_in(dir.path(), now);
        let before = books(dir.path());
        assert_eq!(before.revisions.len(), 80);
        assert!(
            Reader::new(dir.path()).unwrap().oldest().unwrap() > Some(at(17 * SPAN_S)),
            "the journal does not know the old books"
        );
        let path = dir.path().join("ledger.sqlite");
        damage(&path);
        let there = fs::metadata(&path).is_ok();

        let (mut store, mut recovered) = open(kept_a_day(dir.path()));
        let aside = dir.path().join("ledger.sqlite.damaged-1");
        assert_eq!(
            recovered.mended,
            Some(Mended {
                aside: there.then_some(aside),
                copied: Some(at(3 * DAY_S)),
            }),
            "{case}"
        );
        assert_eq!(store.meta("written").unwrap(), None, "{case}");
        assert_eq!((recovered.covered_seq, recovered.last_seq), (41, 81));
        for block in recovered.tail.by_ref() {
            let seq = block.unwrap().seq;
            let batch = &batches[&seq];
            assert!(store.revises(&batch.entries, &batch.closed), "{case}");
            store.rebuild(batch, seq).unwrap();
        }
        assert_eq!(recovered.tail.lost(), 0, "{case}");
        assert_eq!(books(dir.path()), before, "{case}");
        assert!(copy::file(&path).is_file(), "{case}: the copy is kept");
        drop(store);
        let (_, recovered) = open(kept_a_day(dir.path()));
        assert_eq!((recovered.mended, recovered.covered_seq), (None, 81));
    }
}

#[test]
fn a_hole_between_the_copy_and_the_journal_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    lived_in(dir.path(), Clock::new().after(0.0));
    fs::remove_file(dir.path().join("ledger.sqlite")).unwrap();
    let first_after = |seq: u64| {
        let mut reader = Reader::new(dir.path()).unwrap();
        reader.next_after(seq, None).unwrap().unwrap().seq
    };
    // The segments right behind the copy go; the newest stay.
    let mut files: Vec<_> = fs::read_dir(dir.path().join("journal")).unwrap().collect();
    files.sort_by_key(|file| file.as_ref().unwrap().file_name());
    while first_after(41) < 50 {
        fs::remove_file(files.remove(0).unwrap().path()).unwrap();
    }
    let first = first_after(41);
    let (_store, mut recovered) = open(kept_a_day(dir.path()));
    assert_eq!(recovered.tail.next().unwrap().unwrap().seq, first);
    assert_eq!(recovered.tail.lost(), first - 42);
}

#[test]
fn where_the_copy_is_damaged_too_the_journal_alone_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let batches = lived_in(dir.path(), Clock::new().after(0.0));
    for name in ["ledger.sqlite", "ledger.sqlite.copy"] {
        let path = dir.path().join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[4_096..12_288].fill(0x55);
        fs::write(path, bytes).unwrap();
    }
    let (mut store, mut recovered) = open(kept_a_day(dir.path()));
    let mended = recovered.mended.clone().unwrap();
    assert_eq!(mended.copied, None);
    assert_eq!(recovered.covered_seq, 0);
    for aside in ["ledger.sqlite.damaged-1", "ledger.sqlite.damaged-2"] {
        assert!(dir.path().join(aside).is_file(), "{aside} is kept");
    }
    let mut last = 0;
    for block in recovered.tail.by_ref() {
        last = block.unwrap().seq;
        store.rebuild(&batches[&last], last).unwrap();
    }
    assert_eq!(last, 81);
    assert!(
        recovered.tail.lost() > 0,
        "the old books are gone, and it is said"
    );
}

#[test]
fn a_copy_leaves_the_floor_to_others() {
    for (floor, is_made) in [(0, true), (u64::MAX, false)] {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::new();
        let (mut store, _) = open(Settings {
            free_floor: floor,
            ..settings(dir.path())
        });
        store.commit(&batch(0), clock.after(0.0)).unwrap();
        if is_made {
            until_copied(&mut store, dir.path(), clock.after(1.0), at(0));
        } else {
            store.housekeep(clock.after(1.0));
        }
        drop(store);
        let copies = fs::read_dir(dir.path()).unwrap();
        let names = copies.map(|file| file.unwrap().file_name().into_string().unwrap());
        let copies: Vec<_> = names.filter(|name| name.contains(".copy")).collect();
        assert_eq!(copies.len(), usize::from(is_made), "{copies:?}");
    }
}

#[test]
fn a_copy_is_one_state_however_much_is_written_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let now = Clock::new().after(0.0);
    let (mut store, _) = open(settings(dir.path()));
    let mut large = batch(0);
    let json = format!("\"{}\"", "x".repeat(6 << 20));
    large.state.push(("large".to_owned(), json));
    store.commit(&large, now).unwrap();
    store.flush(now).unwrap();
    let (from, to) = (
        dir.path().join("ledger.sqlite"),
        dir.path().join("elsewhere"),
    );
    let made = std::thread::scope(|scope| {
        let making = scope.spawn(|| {
            let pace = Pace {
                pause: Duration::from_millis(200),
                stop: &AtomicBool::new(false),
            };
            copy::make(&from, &to, Some(at(0)), &pace)
        });
        for number in 0..20 {
            let mut closing = batch(number + 1);
            closing.entries.push(entry("pv", number, Ok(number)));
            closing.closed.push((span(number), shape(0.0)));
            let done = store.commit(&closing, now).unwrap();
            assert_eq!(done.intervals.len(), 1, "no commit waits for the copy");
            std::thread::sleep(Duration::from_millis(20));
        }
        making.join().unwrap().unwrap()
    });
    assert!(made);
    let copied = rusqlite::Connection::open(&to).unwrap();
    let number = |sql: &str| {
        copied
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let covered = number("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'covered_seq'");
    assert_eq!(number("SELECT count(*) FROM closed"), covered - 1);
    assert_eq!(number("SELECT count(*) FROM entry"), covered - 1);
}

#[test]
fn a_copy_that_is_given_up_leaves_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let now = Clock::new().after(0.0);
    let (mut store, _) = open(settings(dir.path()));
    store.commit(&batch(0), now).unwrap();
    until_copied(&mut store, dir.path(), now, at(0));
    let path = dir.path().join("ledger.sqlite");
    let before = fs::read(copy::file(&path)).unwrap();
    let stop = AtomicBool::new(true);
    let made = copy::make(
        &path,
        &copy::file(&path),
        Some(at(5)),
        &Pace::at_once(&stop),
    );
    assert!(!made.unwrap());
    assert_eq!(fs::read(copy::file(&path)).unwrap(), before);
    assert!(!dir.path().join("ledger.sqlite.copy.new").exists());
}
