//! What is overdue through quiet, failures and restarts.

use super::super::super::recover::recover;
use super::*;

/// Looks until the computation under way has ended.
fn until_ended(overdue: &mut Overdue, second: i64) {
    assert!(overdue.under_way.is_some(), "it is time");
    while overdue.under_way.is_some() {
        std::thread::sleep(Duration::from_millis(5));
        overdue.beat(at(second));
    }
}

fn overdue(park: &Daemon, dir: &Path) -> (Overdue, Arc<LateStats>) {
    let stats = Arc::new(LateStats::default());
    let late = park.late.clone();
    let all = Overdue::new(late, Arc::clone(&park.park), dir.into(), Arc::clone(&stats));
    (all, stats)
}

fn kept(row: Option<(String, String)>) -> Late {
    Late::of_states(&[row.expect("the row has changed")])
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_late_waits_for_quiet_and_stays_due_where_it_cannot_be_computed() {
    let mut park = daemon();
    park.run(0..=SECONDS, &[]);
    let nowhere = tempfile::tempdir().unwrap();
    let (mut overdue, stats) = overdue(&park, nowhere.path());
    let gap = Reading {
        values: vec![(0, Err(crate::domain::quality::Reason::Timeout))],
        ..Daemon::reading(0, 4_000)
    };
    overdue.heard(&gap);
    overdue.row(at(SECONDS));
    overdue.beat(at(SECONDS));
    assert_eq!(stats.numbers().waiting, 0, "a gap says nothing new");
    overdue.heard(&Daemon::reading(0, 4_000));
    assert_eq!(kept(overdue.row(at(SECONDS))).waiting(QUARTER * 1_000), 1);
    assert_eq!(overdue.row(at(SECONDS)), None, "it is said once");
    overdue.stored();
    tokio::time::advance(QUIET - Duration::from_secs(10)).await;
    overdue.heard(&Daemon::reading(0, 4_000));
    overdue.row(at(SECONDS));
    overdue.stored();
    tokio::time::advance(QUIET - Duration::from_secs(10)).await;
    overdue.beat(at(SECONDS));
    assert!(overdue.under_way.is_none(), "it came again meanwhile");
    tokio::time::advance(Duration::from_secs(10)).await;
    overdue.beat(at(SECONDS));
    until_ended(&mut overdue, SECONDS);
    let numbers = stats.numbers();
    let error = numbers.error.unwrap();
    assert!(error.contains("no store here"), "{error}");
    assert_eq!((numbers.waiting, numbers.revisions), (1, 0));
    assert_eq!(kept(overdue.row(at(SECONDS))).waiting(QUARTER * 1_000), 1);
    // It is tried again, after a rest.
    overdue.beat(at(SECONDS));
    assert!(overdue.under_way.is_none());
    tokio::time::advance(REST).await;
    overdue.beat(at(SECONDS));
    until_ended(&mut overdue, SECONDS);
    assert_eq!(stats.numbers().runs, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_computed_while_its_end_is_open_is_remembered_as_open() {
    let mut park = daemon();
    let late: Vec<_> = (3_630..4_600).step_by(30).map(|of| (4_800, of)).collect();
    park.run(0..=6_000, &late);
    let dir = park.dir.clone();
    let (mut overdue, stats) = overdue(&park, &dir);
    assert_eq!(stats.numbers().waiting, 2);
    overdue.row(at(6_000));
    tokio::time::advance(QUIET).await;
    overdue.beat(at(6_000));
    until_ended(&mut overdue, 6_000);
    let numbers = stats.numbers();
    // The interval behind that of the newest has to wait for its own neighbour.
    assert_eq!((numbers.error, numbers.waiting), (None, 1));
    assert!(numbers.revisions > 0);
    let mut row = kept(overdue.row(at(6_000)));
    let (due, open) = row.begin(i64::MAX).unwrap();
    let length = QUARTER * 1_000;
    assert_eq!((due.intervals(length), open.intervals(length)), (1, 1));
}

#[test]
fn a_late_row_that_the_ledger_does_not_cover_is_found_again_with_its_place() {
    let mut park = daemon();
    park.run(0..=SECONDS, &[]);
    park.recorder.late(&Daemon::reading(0, 4_000));
    let rows = park.recorder.take();
    let batch = Batch {
        lines: rows.text,
        points: rows.points,
        ..Batch::empty(at(SECONDS + 7))
    };
    park.store.commit(&batch, mono()).unwrap();
    let Daemon {
        setup, store, _dir, ..
    } = park;
    drop(store);
    let (store, found) = open(&setup);
    let now = crate::sys::clock::Moment {
        wall: at(SECONDS + 60),
        mono: mono(),
        synchronised: None,
    };
    let caught = recover(
        &setup.park,
        &setup.plant,
        &setup.checks,
        &setup.store.dir,
        store,
        found,
        now,
    );
    let mut late = caught.unwrap().late;
    let [place] = late.places() else {
        panic!("{:?}", late.places());
    };
    let tick = at(SECONDS + 7).as_millisecond();
    assert_eq!((place.first_ms, place.last_ms), (tick, tick));
    let said = at(4_000).as_millisecond();
    assert_eq!((place.from_ms, place.until_ms), (said, said));
    let (due, _) = late.begin(i64::MAX).unwrap();
    assert_eq!(due.intervals(QUARTER * 1_000), 1);
}
