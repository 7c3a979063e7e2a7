//! Through the real engine, recorder, store and ledger: a day of a tenant whose gateway was
//! cut off, and what it sent afterwards.

use jiff::SignedDuration;

use super::super::late::Late;
use super::super::recompute;
use super::*;
use crate::domain::balance::settle_all;
use crate::domain::snapshot::Value;
use crate::domain::units::MilliwattHours;
use crate::engine::Engine;
use crate::engine::record::Recorder;
use crate::store::{Batch, Settings, Settle, Store};

const QUARTER: i64 = 900;
/// The gateway of the oven is cut off.
const SILENT: std::ops::Range<i64> = 3_630..6_300;

fn at(second: i64) -> Timestamp {
    let start: Timestamp = "2026-06-03T10:00:00+08:00".parse().unwrap();
    start + SignedDuration::from_secs(second)
}

/// Half a watt-hour a second until the end of silence, then as before: what really flowed in
/// it was not even.
fn shown(second: i64) -> i64 {
    match second {
        ..3_600 => 1_000 + second / 2,
        3_600..4_500 => 2_800 + 2 * (second - 3_600),
        _ => 4_600 + (second - 4_500) / 4,
    }
}

struct Daemon {
    _dir: tempfile::TempDir,
    setup: crate::config::Setup,
    park: Arc<Park>,
    dir: PathBuf,
    store: Store,
    engine: Engine,
    recorder: Recorder,
    late: Late,
}

/// A daemon, as far as it keeps books of two tenants that are in no flow of the balance.
fn daemon() -> Daemon {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "[park]\nid = \"p\"\ntime_zone = \"Asia/Shanghai\"\nsettlement_interval = \"15min\"\n\
         [balance]\nevery_load_metered = false\n[store]\ndir = \"{}\"\n\
         [bus.main.tcp]\nhost = \"127.0.0.1\"\n[[meter]]\nid = \"oven\"\nrole = \"tenant\"\n\
         bus = \"main\"\nunit = 1\nperiod = \"30s\"\n[[meter.point]]\n\
         quantity = \"energy_import\"\naddress = 0\ntype = \"u32\"\nunit = \"Wh\"\n\
         [[meter]]\nid = \"lamp\"\nrole = \"tenant\"\n\
         bus = \"main\"\nunit = 2\nperiod = \"30s\"\n[[meter.point]]\n\
         quantity = \"energy_import\"\naddress = 0\ntype = \"u32\"\nunit = \"Wh\"\n",
        dir.path().join("store").display()
    );
    let path = dir.path().join("park.toml");
    std::fs::write(&path, text).unwrap();
    let setup = crate::config::load(&path).unwrap_or_else(|error| panic!("{error}: {error:?}"));
    let park = Arc::clone(&setup.park);
    let (store, _) = open(&setup);
    Daemon {
        _dir: dir,
        engine: Engine::new(Arc::clone(&park), &[]),
        recorder: Recorder::new(&park),
        late: Late::default(),
        dir: setup.store.dir.clone(),
        park,
        store,
        setup,
    }
}

fn open(setup: &crate::config::Setup) -> (Store, crate::store::Recovered) {
    let settled = Arc::clone(&setup.park);
    let rule: Settle =
        Box::new(move |entries, shape, span| settle_all(&settled, entries, shape, span));
    let settings = Settings {
        dir: setup.store.dir.clone(),
        keep_days: 35,
        max_bytes: 1 << 30,
        free_floor: 0,
        stop_when_full: false,
        sinks: Vec::new(),
    };
    Store::open(settings, rule).unwrap()
}

impl Daemon {
    fn reading(meter: usize, second: i64) -> Reading {
        Reading {
            meter,
            at: at(second),
            values: vec![(0, Ok(Value::Count(shown(second))))],
        }
    }

    /// Hears every thirty seconds, but for the silence; what is late comes with a tick, and
    /// is of another one.
    fn run(&mut self, seconds: std::ops::RangeInclusive<i64>, late: &[(i64, i64)]) {
        for second in seconds.step_by(30) {
            for meter in [0, 1] {
                if meter == 0 && SILENT.contains(&second) {
                    continue;
                }
                let reading = Self::reading(meter, second);
                self.engine.hear(&reading);
                // Of the lamp the journal lost one, at a boundary.
                if (meter, second) != (1, 5 * QUARTER) {
                    self.recorder.reading(&reading);
                }
            }
            for (_, of) in late.iter().filter(|(comes, _)| *comes == second) {
                let reading = Self::reading(0, *of);
                self.recorder.late(&reading);
                let interval = slot(reading.at, &self.park.time_zone, 15);
                self.late.heard(&"oven".into(), reading.at, interval);
            }
            let handed = self.late.hand_over(at(second));
            let tick = self.engine.tick(at(second));
            let rows = self.recorder.take();
            let mut state = self.engine.state();
            state.extend(handed.then(|| self.late.row()));
            let batch = Batch {
                lines: rows.text,
                points: rows.points,
                entries: tick.entries,
                closed: tick.closed,
                observed: tick.observed,
                state,
                ..Batch::empty(at(second))
            };
            self.store.commit(&batch, mono()).unwrap();
            self.late.stored();
        }
        self.store.flush(mono()).unwrap();
    }

    fn compute(&mut self, second: i64) -> Computed {
        let limit = computable_until(&self.park, at(second)).as_millisecond();
        let Some((due, open)) = self.late.begin(limit) else {
            return Computed::default();
        };
        let over = closed_until(&self.park, at(second));
        let stop = AtomicBool::new(false);
        let places = self.late.places().to_vec();
        let done = compute(&self.park, &self.dir, (&due, &open), &places, over, &stop).unwrap();
        self.late.done(done.open.clone());
        done
    }

    /// Watt-hours of the oven by interval from ten o'clock, as they are known now.
    fn books(&self, meter: &str) -> Vec<(Option<i64>, Quality)> {
        let ledger = LedgerReader::open(&self.dir).unwrap();
        let entries = ledger.entries(at(0), at(12 * QUARTER)).unwrap();
        let mine = entries.iter().filter(|it| *it.meter == *meter);
        mine.map(|it| (it.energy.ok().map(|it| it.0 / 1_000), it.quality))
            .collect()
    }

    /// All that the oven used in the first two hours.
    fn used(&self) -> MilliwattHours {
        let ledger = LedgerReader::open(&self.dir).unwrap();
        let entries = ledger.entries(at(0), at(8 * QUARTER)).unwrap();
        let mine = entries.iter().filter(|it| &*it.meter == "oven");
        mine.map(|it| it.energy.unwrap()).sum()
    }

    fn revisions(&self, interval: i64) -> Vec<i64> {
        let ledger = LedgerReader::open(&self.dir).unwrap();
        let all = ledger.revisions(at(interval * QUARTER)).unwrap();
        all.iter().map(|it| it.revision).collect()
    }
}

const SECONDS: i64 = 11_400;

/// Every minute of the silence, told at its end.
fn backlog(comes: i64) -> Vec<(i64, i64)> {
    (3_660..6_300).step_by(60).map(|of| (comes, of)).collect()
}

#[test]
fn a_backlog_makes_new_revisions_of_all_that_it_touches_and_of_nothing_else() {
    let mut park = daemon();
    park.run(0..=SECONDS, &backlog(8_010));
    let before = park.books("oven");
    let lamp = park.books("lamp");
    // 2,250 watt-hours, spread evenly over forty-five minutes.
    assert_eq!(before[4..7], [(Some(750), Quality::Interpolated); 3]);
    let done = park.compute(SECONDS);
    assert!(done.open.is_empty());
    let after = park.books("oven");
    let known: Vec<_> = after.iter().map(|it| it.0.unwrap()).collect();
    assert_eq!(known[4..7], [1_800, 225, 225]);
    assert_eq!(done.revisions, 3);
    let counted = shown(8 * QUARTER) - shown(0);
    assert_eq!(park.used(), MilliwattHours(counted * 1_000));
    assert_eq!(after[4].1, Quality::Good);
    // The others stand, as little as the journal knows of them, and so does what was said
    // first.
    assert_eq!(park.books("lamp"), lamp);
    assert_eq!(park.revisions(3), [1]);
    assert_eq!(*park.revisions(5).last().unwrap(), 3);
    let ledger = LedgerReader::open(&park.dir).unwrap();
    let kept = ledger
        .entries_before(at(5 * QUARTER), at(6 * QUARTER))
        .unwrap();
    let kept: Vec<_> = kept
        .iter()
        .map(|(_, it)| it.energy.ok().map(|it| it.0))
        .collect();
    assert_eq!(kept, [None, Some(750_000)]);
    // Twice is once.
    park.late.heard(
        &"oven".into(),
        at(4_000),
        slot(at(4_000), &park.park.time_zone, 15),
    );
    park.late.hand_over(at(SECONDS));
    park.late.stored();
    assert_eq!(park.compute(SECONDS).revisions, 0);
}

#[test]
fn days_that_are_recomputed_by_hand_later_keep_what_came_late() {
    let mut park = daemon();
    // Later than a recomputing would look for it by itself.
    park.run(0..=SECONDS + 9_000, &backlog(SECONDS + 6_000));
    assert!(park.compute(SECONDS + 9_000).revisions > 0);
    let period = Span {
        start: at(0),
        end: at(8 * QUARTER),
    };
    let again = recompute::recompute(&park.park, &park.dir, period, true).unwrap();
    let of_oven = |it: &&recompute::Difference| &*it.now.meter == "oven";
    let differences = again.differences.iter().filter(of_oven).count();
    assert_eq!((differences, again.late), (0, 44));
}

#[test]
fn while_nothing_fixes_the_end_it_is_computed_and_stays_open() {
    let mut park = daemon();
    // Still silent: of what was said late, the last reading is the newest of all.
    let late: Vec<_> = (3_630..4_600).step_by(30).map(|of| (4_800, of)).collect();
    park.run(0..=6_000, &late);
    let done = park.compute(6_000);
    assert!(!done.open.is_empty() && done.revisions > 0, "{done:?}");
    assert_eq!(park.books("oven")[4], (Some(1_800), Quality::Good));
    assert_eq!(
        park.compute(6_000).revisions,
        0,
        "and nothing more is known"
    );
    // It speaks again: the books spread what they know, and are put right once more.
    park.run(6_030..=SECONDS, &[]);
    assert_eq!(park.books("oven")[4].0, Some(750));
    assert!(park.compute(SECONDS).open.is_empty());
    let books = park.books("oven");
    assert_eq!(books[4].0, Some(1_800));
    let counted = shown(8 * QUARTER) - shown(0);
    assert_eq!(park.used(), MilliwattHours(counted * 1_000));
}

#[test]
fn a_reading_reaches_to_the_boundaries_that_others_fix() {
    let mut park = daemon();
    park.run(0..=SECONDS, &[]);
    let reader = LedgerReader::open(&park.dir).unwrap();
    let over = closed_until(&park.park, at(SECONDS));
    #[rustfmt::skip]
    let cases = [
        // said about   intervals    fixed
        (1,             (0, 3),      true),
        (4,             (3, 8),      true),
        (6,             (3, 8),      true),
        (11,            (10, 12),    false),
    ];
    for (about, (first, behind), is_fixed) in cases {
        let of = (
            at(about * QUARTER).as_millisecond(),
            at((about + 1) * QUARTER).as_millisecond(),
        );
        let found = reach(&reader, &park.park, (&"oven".into(), 90_000), of, over).unwrap();
        let span = Span {
            start: at(first * QUARTER),
            end: at(behind * QUARTER),
        };
        assert_eq!(found, Reach { span, is_fixed }, "{about}");
    }
}

#[test]
fn it_waits_until_nothing_comes_any_more_and_then_rests() {
    let begin = mono();
    let second = |s: u64| begin + Duration::from_secs(s);
    let mut pace = Pace::default();
    assert!(pace.is_time(second(0)), "what an earlier run left open");
    pace.heard(second(0));
    #[rustfmt::skip]
    let cases = [
        // heard    asked    is it time
        (30,        60,      false),
        (30,        89,      false),
        (30,        90,      true),
        // It never ends.
        (880,       899,     false),
        (890,       900,     true),
    ];
    for (heard, asked, is_time) in cases {
        pace.heard(second(heard));
        assert_eq!(pace.is_time(second(asked)), is_time, "{heard} {asked}");
    }
    pace.begun();
    pace.ended(second(1_000), Duration::from_secs(60));
    assert!(!pace.is_time(second(1_599)) && pace.is_time(second(1_600)));
    pace.ended(second(1_000), Duration::from_secs(1));
    assert!(!pace.is_time(second(1_299)) && pace.is_time(second(1_300)));
}

#[test]
fn an_interval_is_computed_when_the_one_behind_it_is_closed_as_well() {
    let park = daemon().park;
    #[rustfmt::skip]
    let cases = [
        // asked at         closed   computable, in intervals
        (2 * QUARTER + 69,  1,       0),
        (2 * QUARTER + 70,  2,       1),
        (3 * QUARTER,       2,       1),
    ];
    for (asked, closed, computable) in cases {
        assert_eq!(
            closed_until(&park, at(asked)),
            at(closed * QUARTER),
            "{asked}"
        );
        let found = computable_until(&park, at(asked));
        assert_eq!(found, at(computable * QUARTER), "{asked}");
    }
}

#[test]
fn nothing_moves_behind_an_interval_that_readings_fix() {
    const MINUTE: i64 = 60_000;
    #[rustfmt::skip]
    let cases = [
        (Quality::Good,         0,              true),
        (Quality::Derived,      MINUTE,         false),
        (Quality::Derived,      2 * MINUTE,     true),
        (Quality::Interpolated, 119 * MINUTE,   false),
        (Quality::Interpolated, 120 * MINUTE,   true),
        (Quality::Estimated,    999 * MINUTE,   false),
        (Quality::Missing,      999 * MINUTE,   false),
    ];
    for (quality, off_ms, is_fixed) in cases {
        let found = fixes(quality, off_ms, 2 * MINUTE);
        assert_eq!(found, is_fixed, "{quality:?} {off_ms}");
    }
}

#[test]
fn periods_that_meet_are_computed_as_one_with_all_their_meters() {
    let of = |first: i64, behind: i64, meters: &[&str]| {
        let (start, end) = (at(first * QUARTER), at(behind * QUARTER));
        let meters: BTreeSet<Arc<str>> = meters.iter().map(|it| Arc::from(*it)).collect();
        (Span { start, end }, meters)
    };
    let apart = vec![
        of(9, 10, &["lamp"]),
        of(1, 7, &["oven"]),
        of(2, 3, &["lamp"]),
        of(7, 8, &["fan"]),
    ];
    let expected = [of(1, 8, &["fan", "lamp", "oven"]), of(9, 10, &["lamp"])];
    assert_eq!(joined(apart), expected);
}

#[test]
fn late_readings_of_long_before_a_period_are_none_of_its_own() {
    let mut park = daemon();
    park.run(0..=21 * QUARTER, &backlog(8_010));
    // Their blocks are read along, and what they say was over hours before.
    let period = Span {
        start: at(16 * QUARTER),
        end: at(18 * QUARTER),
    };
    let again = recompute::recompute(&park.park, &park.dir, period, false).unwrap();
    assert_eq!((again.differences.len(), again.late), (0, 0));
}

#[test]
fn how_export_was_fed_is_computed_again_as_well() {
    let mut park = daemon();
    park.run(0..=SECONDS, &[]);
    let span = Span {
        start: at(QUARTER),
        end: at(2 * QUARTER),
    };
    let shapes = |dir: &Path| {
        let ledger = LedgerReader::open(dir).unwrap();
        ledger.shapes(span.start, span.end).unwrap()
    };
    let right = shapes(&park.dir);
    let wrong = crate::domain::interval::ExportShape {
        generation_wh: 999.0,
        battery_wh: 1.0,
    };
    let batch = Batch {
        closed: vec![(span, wrong)],
        ..Batch::empty(at(SECONDS + 30))
    };
    park.store.commit(&batch, mono()).unwrap();
    park.store.flush(mono()).unwrap();
    assert_eq!(shapes(&park.dir), [(span, wrong)]);
    recompute::recompute(&park.park, &park.dir, span, true).unwrap();
    assert_eq!(shapes(&park.dir), right);
}

#[path = "overdue_beat_tests.rs"]
mod beat;
