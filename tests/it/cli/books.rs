//! Meter events and recomputing, on books of readings that were recorded before: a tenant
//! at 3.6 kW whose meter is exchanged, one that falls silent, and a grid meter.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use sunledger::app::meta;
use sunledger::app::recompute::recompute;
use sunledger::config;
use sunledger::domain::balance::settle_all;
use sunledger::domain::flow::Flow;
use sunledger::domain::interval::Span;
use sunledger::domain::quality::Quality;
use sunledger::domain::snapshot::{Reading, Value};
use sunledger::engine::Engine;
use sunledger::engine::record::Recorder;
use sunledger::store::{Batch, LedgerReader, Settings, Settle, Store};

use crate::support::daemon::{Ended, ask};

fn start() -> Timestamp {
    "2026-06-03T10:00:00+08:00".parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    start() + SignedDuration::from_secs(second)
}

fn text(dir: &Path) -> String {
    let meter = |id: &str, role: &str, more: &str| {
        format!(
            "[[meter]]\nid = \"{id}\"\nrole = \"{role}\"\nbus = \"main\"\nunit = {}\n\
             period = \"30s\"\nrated = \"20kW\"\n{more}\n[[meter.point]]\n\
             quantity = \"energy_import\"\naddress = 0\ntype = \"u32\"\nunit = \"Wh\"\n",
            id.len()
        )
    };
    format!(
        "[park]\nid = \"books\"\ntime_zone = \"Asia/Shanghai\"\nsettlement_interval = \"15min\"\n\
         [balance]\nevery_load_metered = true\n[store]\ndir = \"{}\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
         [bus.main.tcp]\nhost = \"127.0.0.1\"\n{}{}{}\
         [[meter.point]]\nquantity = \"energy_export\"\naddress = 2\ntype = \"u32\"\nunit = \"Wh\"\n",
        dir.join("store").display(),
        meter("tenant-hall", "tenant", "multiplier = 10"),
        meter("shop", "tenant", ""),
        meter("pcc", "grid", ""),
    )
}

/// What a register shows in a second of the day; nothing while its meter is silent.
fn shown(meter: &str, second: i64) -> Option<i64> {
    match meter {
        // Behind transformers of ten: exchanged at 1200 s, silent around that.
        "tenant-hall" if second <= 900 => Some(50_000 + second / 10),
        "tenant-hall" if second < 1_500 => None,
        "tenant-hall" => Some(7 + (second - 1_200) / 10),
        // Silent for good between 3600 s and 5400 s.
        "shop" if (3_601..5_400).contains(&second) => None,
        "shop" => Some(100 + second / 2),
        _ => Some(1_000 + second),
    }
}

/// Two hours of readings in a store, as a daemon would have left them; what a message of
/// `shop` said too late stands among them, if it is wanted.
fn recorded(dir: &Path, late: bool) -> PathBuf {
    let path = dir.join("park.toml");
    std::fs::write(&path, text(dir)).unwrap();
    let setup = config::load(&path).unwrap_or_else(|error| panic!("{error}: {error:?}"));
    let park = Arc::clone(&setup.park);
    let settled = Arc::clone(&park);
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
    let (mut store, _) = Store::open(settings, rule).unwrap();
    store.set_meta(meta::PARK, &park.id).unwrap();
    store.set_meta(meta::TIME_ZONE, "Asia/Shanghai").unwrap();
    store.set_meta(meta::SETTLEMENT, "15").unwrap();
    let mut engine = Engine::new(Arc::clone(&park), &[]);
    let mut recorder = Recorder::new(&park);
    for second in (0..=7_200).step_by(30) {
        for (index, meter) in park.meters.iter().enumerate() {
            let Some(raw) = shown(&meter.id, second) else {
                continue;
            };
            let values = (0..meter.points.len()).map(|point| {
                let raw = if point == 0 { raw } else { 5 };
                (point, Ok(Value::Count(raw)))
            });
            let mut reading = Reading {
                meter: index,
                at: at(second),
                values: values.collect(),
            };
            recorder.stamp(&mut reading);
            engine.hear(&reading);
            recorder.reading(&reading);
        }
        if late && second == 7_170 {
            // In the middle of its silence it had counted faster, and slower afterwards.
            recorder.late(&Reading {
                meter: 1,
                at: at(4_500),
                values: vec![(0, Ok(Value::Count(100 + 2_400)))],
            });
        }
        let tick = engine.tick(at(second));
        let rows = recorder.take();
        let batch = Batch {
            at: at(second),
            lines: rows.text,
            points: rows.points,
            entries: tick.entries,
            closed: tick.closed,
            observed: tick.observed,
            state: engine.state(),
            journaled: Vec::new(),
        };
        store.commit(&batch, tokio::time::Instant::now()).unwrap();
    }
    store.flush(tokio::time::Instant::now()).unwrap();
    path
}

/// What the ledger says of a meter, quarter hour by quarter hour from ten o'clock: Wh of
/// the positive way, and quality.
fn books(path: &Path, meter: &str) -> Vec<(Option<i64>, Quality)> {
    let dir = config::load(path).unwrap().store.dir;
    let ledger = LedgerReader::open(&dir).unwrap();
    let entries = ledger.entries(at(0), at(6_300)).unwrap();
    let mine = entries
        .iter()
        .filter(|it| *it.meter == *meter && it.channel.positive);
    mine.map(|it| (it.energy.ok().map(|energy| energy.0 / 1_000), it.quality))
        .collect()
}

/// What was said of a meter before, of the quarter hour that begins at a second.
fn before(path: &Path, meter: &str, second: i64) -> Vec<(i64, Option<i64>)> {
    let dir = config::load(path).unwrap().store.dir;
    let ledger = LedgerReader::open(&dir).unwrap();
    let before = ledger.entries_before(at(second), at(second + 900)).unwrap();
    let mine = before.iter().filter(|(_, it)| *it.meter == *meter);
    mine.map(|(revision, it)| (*revision, it.energy.ok().map(|it| it.0 / 1_000)))
        .collect()
}

/// Revisions of the quarter hour that begins at a second.
fn revisions(path: &Path, second: i64) -> Vec<i64> {
    let dir = config::load(path).unwrap().store.dir;
    let ledger = LedgerReader::open(&dir).unwrap();
    let revisions = ledger.revisions(at(second)).unwrap();
    revisions.iter().map(|interval| interval.revision).collect()
}

async fn sunledger(path: &Path, words: &str) -> Ended {
    let mut all: Vec<&str> = words.split(' ').collect();
    all.extend(["--config", path.to_str().unwrap()]);
    ask(&all).await
}

const GOOD: Quality = Quality::Good;

#[tokio::test]
async fn the_same_readings_come_to_the_same_books() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), false);
    let before = (
        books(&path, "tenant-hall"),
        books(&path, "shop"),
        books(&path, "pcc"),
    );
    let ended = sunledger(&path, "recompute --from 2026-06-03 --to 2026-06-03 --json").await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let said = ended.json();
    assert_eq!(said["differences"], Json::Array(vec![]), "{said}");
    assert_eq!(said["revisions"], Json::Array(vec![]), "{said}");
    assert!(said["same"].as_u64().unwrap() >= 20, "{said}");
    let after = (
        books(&path, "tenant-hall"),
        books(&path, "shop"),
        books(&path, "pcc"),
    );
    assert_eq!(after, before);
    let ended = sunledger(&path, "recompute --from 2026-06-03 --to 2026-06-02").await;
    ended.must_say(64, &["is after"]);
}

#[tokio::test]
async fn an_exchange_is_entered_later_and_its_quarter_hours_are_computed_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), false);
    // 3.6 kW are 900 Wh a quarter hour. The step from the old to the new is excluded: ten
    // minutes of silence, of which the new meter shows five.
    let mut expected = vec![(Some(900), GOOD); 7];
    expected[1] = (Some(300), Quality::Suspect);
    assert_eq!(books(&path, "tenant-hall"), expected);
    assert_eq!(revisions(&path, 900), [1]);

    let words = "meter-event add exchange --meter tenant-hall --at 2026-06-03T10:20 --last 50.12kWh \
                 --first 7Wh --who Wang --why 12345->67890";
    let ended = sunledger(&path, words).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("is revision 2 now"), "{}", ended.out);
    expected[1] = (Some(900), Quality::Manual);
    assert_eq!(books(&path, "tenant-hall"), expected);
    // The old one is kept, and its neighbours are what they were.
    assert_eq!(revisions(&path, 900), [1, 2]);
    assert_eq!(revisions(&path, 0), [1]);
    assert_eq!(revisions(&path, 1_800), [1]);

    let listed = sunledger(&path, "meter-event list").await;
    assert_eq!(listed.code, Some(0), "{}", listed.err);
    for word in [
        "exchange",
        "tenant-hall",
        "50120 -> 7 counts",
        "Wang",
        "12345->67890",
    ] {
        assert!(listed.out.contains(word), "{word} in {}", listed.out);
    }
    // The same again is refused; withdrawn, the books are as before, in a third revision.
    sunledger(&path, words)
        .await
        .must_say(64, &["event 1", "withdraw"]);
    let ended = sunledger(&path, "meter-event withdraw 1 --who Wang --why wrong").await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    expected[1] = (Some(300), Quality::Suspect);
    assert_eq!(books(&path, "tenant-hall"), expected);
    assert_eq!(revisions(&path, 900), [1, 2, 3]);
    let said = before(&path, "tenant-hall", 900);
    assert_eq!(said, [(1, Some(300)), (2, Some(900))]);
    assert_eq!(before(&path, "tenant-hall", 1_800), []);
}

#[tokio::test]
async fn a_correction_stands_for_its_quarter_hours_by_the_word_of_a_person() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), false);
    // The register was silent for half an hour: what it counted is spread evenly.
    let spread = books(&path, "shop");
    assert_eq!(spread[4..6], [(Some(450), Quality::Interpolated); 2]);
    let words = "meter-event add correction --meter shop --at 2026-06-03T11:00 \
                 --until 2026-06-03T11:30 --energy 0.999kWh --who Li --why protocol-7 --json";
    let ended = sunledger(&path, words).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.json()["event"]["number"], 1);
    assert_eq!(
        books(&path, "shop")[4..6],
        [(Some(499), Quality::Manual); 2]
    );
    assert_eq!(books(&path, "shop")[..4], spread[..4]);
    // Recomputing knows it, and changes nothing.
    let ended = sunledger(&path, "recompute --from 2026-06-03 --to 2026-06-03 --json").await;
    assert_eq!(
        ended.json()["differences"],
        Json::Array(vec![]),
        "{}",
        ended.out
    );
}

#[tokio::test]
async fn what_came_too_late_is_taken_in_as_a_new_revision() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), true);
    let before = books(&path, "shop");
    let dry = sunledger(
        &path,
        "recompute --from 2026-06-03 --to 2026-06-03 --dry-run --json",
    )
    .await;
    assert_eq!(dry.code, Some(65), "{}", dry.err);
    let said = dry.json();
    assert_eq!(
        (
            said["late"].as_u64(),
            said["differences"].as_array().unwrap().len()
        ),
        (Some(1), 2)
    );
    assert_eq!(books(&path, "shop"), before, "a dry run writes nothing");
    let ended = sunledger(&path, "recompute --from 2026-06-03 --to 2026-06-03").await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    // 600 Wh to the reading in the middle, 300 Wh after it; together as before.
    let after = books(&path, "shop");
    assert_eq!((after[4].0, after[5].0), (Some(600), Some(300)));
    // The first one was closed without it, the second when it spoke again.
    assert_eq!(revisions(&path, 3_600), [1, 2, 3]);
    let again = sunledger(&path, "recompute --from 2026-06-03 --to 2026-06-03 --json").await;
    assert_eq!(
        again.json()["differences"],
        Json::Array(vec![]),
        "{}",
        again.out
    );
}

/// The books of a period may be complete long before the late one stands there.
#[test]
fn what_came_too_late_is_found_behind_the_end_of_the_period() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), true);
    let setup = config::load(&path).unwrap();
    let period = |from: i64, to: i64| Span {
        start: at(from),
        end: at(to),
    };
    for (from, to, differ) in [
        (0, 1_800, 0),
        (3_600, 5_400, 2),
        (3_600, 4_500, 1),
        (4_500, 5_400, 1),
    ] {
        let done = recompute(&setup.park, &setup.store.dir, period(from, to), false).unwrap();
        assert_eq!(
            (done.late, done.differences.len()),
            (1, differ),
            "{from} to {to}"
        );
    }
}

#[tokio::test]
async fn a_number_that_is_not_of_the_readings_is_found_and_listed() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), false);
    let store = config::load(&path).unwrap().store.dir;
    let ledger = rusqlite::Connection::open(store.join("ledger.sqlite")).unwrap();
    let sql =
        "UPDATE entry SET mwh = mwh + 1 WHERE meter = 'pcc' AND positive = 1 AND start_ms = ?1";
    assert_eq!(
        ledger.execute(sql, [at(1_800).as_millisecond()]).unwrap(),
        1
    );
    drop(ledger);
    let dry = sunledger(
        &path,
        "recompute --from 2026-06-03 --to 2026-06-03 --dry-run",
    )
    .await;
    dry.must_say(65, &["nothing was written"]);
    assert!(
        dry.out
            .contains("pcc (electricity): 900.001 Wh good -> 900.000 Wh good"),
        "{}",
        dry.out
    );
}

#[tokio::test]
async fn what_cannot_be_entered_is_told_with_its_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), false);
    #[rustfmt::skip]
    let cases: [(&str, &[&str]); 10] = [
        ("exchange --meter ghost --at 2026-06-03T10:20 --last 1kWh",                     &["no meter is called `ghost`"]),
        ("exchange --meter pcc --at 2026-06-03T10:20 --last 1kWh",                       &["several registers", "energy_import, energy_export"]),
        ("exchange --meter pcc --register power --at 2026-06-03T10:20 --last 1kWh",      &["no register `power`"]),
        ("exchange --meter tenant-hall --at 2026-06-03T10:20",                                  &["needs --last", "reset"]),
        ("exchange --meter tenant-hall --at yesterday --last 1kWh",                             &["--at `yesterday` is no moment", "2026-06-03T14:30"]),
        ("exchange --meter tenant-hall --at 2026-06-03T10:20 --last 12345",                     &["is no reading of energy", "12345.6kWh"]),
        ("exchange --meter tenant-hall --at 2096-06-03T10:20 --last 1kWh",                      &["not over yet"]),
        ("ratio --meter tenant-hall --at 2026-06-03T10:20 --last 1kWh",                         &["needs --multiplier"]),
        ("correction --meter shop --at 2026-06-03T11:00 --until 2026-06-03T11:20 --energy 1kWh",  &["boundary of a settlement interval"]),
        ("correction --meter shop --at 2026-06-03T11:00 --until 2026-06-03T11:30 --energy -1kWh", &["went the other way"]),
    ];
    for (words, said) in cases {
        let words = format!("meter-event add {words} --who Wang --why test");
        sunledger(&path, &words).await.must_say(64, said);
    }
    let anonymous =
        "meter-event add reset --meter tenant-hall --at 2026-06-03T10:20 --who \u{a0} --why x";
    sunledger(&path, anonymous)
        .await
        .must_say(64, &["without who says it"]);
    let said = sunledger(&path, "meter-event list --json").await.json();
    assert_eq!(said["events"], serde_json::json!([]));
}

/// The revision of somebody else goes to the sinks through the store that is open.
#[tokio::test]
async fn a_store_takes_up_events_and_revisions_that_a_command_made_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), false);
    let setup = config::load(&path).unwrap();
    let park = Arc::clone(&setup.park);
    let rule: Settle =
        Box::new(move |entries, shape, span| settle_all(&park, entries, shape, span));
    let settings = Settings {
        dir: setup.store.dir.clone(),
        keep_days: 35,
        max_bytes: 1 << 30,
        free_floor: 0,
        stop_when_full: false,
        sinks: Vec::new(),
    };
    let (mut store, found) = Store::open(settings, rule).unwrap();
    assert_eq!(found.events, []);
    // Nothing was journaled in these books: all of it is known, and handed out once.
    let known = found.unjournaled.len();
    assert!(known > 4);
    let now = tokio::time::Instant::now;
    let mut commit = |second: i64| {
        let line = format!("event,park=books x=1i {}\n", at(second).as_millisecond());
        let batch = Batch {
            lines: line,
            points: 1,
            ..Batch::empty(at(second))
        };
        store.commit(&batch, now()).unwrap();
        store.flush(now()).unwrap();
        store.commit(&Batch::empty(at(second)), now()).unwrap()
    };
    let quiet = commit(7_300);
    assert_eq!((quiet.intervals.len(), quiet.events), (0, None));

    let words = "meter-event add exchange --meter tenant-hall --at 2026-06-03T10:20 --last 50.12kWh \
                 --first 7Wh --who Wang --why test";
    let ended = sunledger(&path, words).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let line = format!("event,park=books x=1i {}\n", at(7_310).as_millisecond());
    let batch = Batch {
        lines: line,
        points: 1,
        ..Batch::empty(at(7_310))
    };
    let first = store.commit(&batch, now()).unwrap();
    assert_eq!(first.events.as_ref().map(Vec::len), Some(1));
    store.flush(now()).unwrap();
    let told = store.commit(&Batch::empty(at(7_310)), now()).unwrap();
    let [interval] = told.intervals.as_slice() else {
        panic!("{:?}", told.intervals);
    };
    assert_eq!((interval.span.start, interval.revision), (at(900), 2));
    assert!(interval.flows.of(Flow::Load).is_ok());
    store.flush(now()).unwrap();
    let after = store.commit(&Batch::empty(at(7_320)), now()).unwrap();
    assert_eq!(
        (after.intervals.len(), after.events),
        (0, None),
        "once is enough"
    );
}

#[tokio::test]
async fn a_step_that_is_in_no_interval_is_listed_until_an_event_decides_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), false);
    let list = || async { sunledger(&path, "meter-event list --json").await.json() };
    let said = list().await;
    let [step] = said["quarantined"].as_array().unwrap().as_slice() else {
        panic!("{said}");
    };
    assert_eq!(step["meter"], "tenant-hall");
    assert_eq!(step["state"], "excluded");
    assert_eq!(step["before"]["count"], 50_090);
    assert_eq!(step["before"]["at"], "2026-06-03T10:15:00+08:00");
    assert_eq!(step["after"]["count"], 37);
    assert_eq!(step["count_wh"], 10.0);
    let text = sunledger(&path, "meter-event list").await.out;
    assert!(
        text.contains("Steps of registers that are in no interval:\ntenant-hall")
            && text.contains("meter-event add exchange --meter tenant-hall"),
        "{text}"
    );
    // An event at another time leaves it open; one in the step decides it.
    for (at, state) in [("10:40", "excluded"), ("10:20", "decided")] {
        let words = format!(
            "meter-event add exchange --meter tenant-hall --at 2026-06-03T{at} \
             --last 50.12kWh --first 7Wh --who Wang --why test"
        );
        assert_eq!(sunledger(&path, &words).await.code, Some(0));
        assert_eq!(list().await["quarantined"][0]["state"], state, "{at}");
    }
    assert_eq!(list().await["quarantined"][0]["decided_by"], 2);
}

/// Takes away what the journal has, as `keep_days` does in the end.
fn forget_readings(path: &Path) {
    let journal = config::load(path).unwrap().store.dir.join("journal");
    let segments: Vec<_> = std::fs::read_dir(&journal).unwrap().collect();
    assert!(!segments.is_empty());
    for segment in segments {
        std::fs::remove_file(segment.unwrap().path()).unwrap();
    }
}

#[tokio::test]
async fn a_correction_that_is_withdrawn_gives_back_what_was_measured_without_a_journal() {
    for is_kept in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let path = recorded(dir.path(), false);
        forget_readings(&path);
        let measured = books(&path, "pcc");
        let add = "meter-event add correction --meter pcc --register energy_import \
                   --at 2026-06-03T10:15 --until 2026-06-03T10:30 --energy 7Wh --who Wang --why test";
        assert_eq!(sunledger(&path, add).await.code, Some(0));
        assert_eq!(books(&path, "pcc")[1], (Some(7), Quality::Manual));
        if !is_kept {
            let store = config::load(&path).unwrap().store.dir;
            let ledger = rusqlite::Connection::open(store.join("ledger.sqlite")).unwrap();
            ledger.execute("DELETE FROM entry_before", []).unwrap();
        }
        let withdraw = "meter-event withdraw 1 --who Wang --why wrong";
        let ended = sunledger(&path, withdraw).await;
        if is_kept {
            assert_eq!(ended.code, Some(0), "{}", ended.err);
            assert_eq!(books(&path, "pcc"), measured);
            assert_eq!(revisions(&path, 900), [1, 2, 3]);
        } else {
            ended.must_say(
                65,
                &["1 intervals from", "keep the value that was withdrawn"],
            );
            assert_eq!(books(&path, "pcc")[1], (Some(7), Quality::Manual));
        }
    }
}

#[tokio::test]
async fn an_event_beyond_the_journal_says_that_it_changes_nothing_and_decides_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), false);
    forget_readings(&path);
    let list = || async { sunledger(&path, "meter-event list --json").await.json() };
    let before = books(&path, "tenant-hall");
    let add = "meter-event add exchange --meter tenant-hall --at 2026-06-03T10:20 \
               --last 50.12kWh --first 7Wh --who Wang --why test";
    let ended = sunledger(&path, add).await;
    ended.must_say(
        65,
        &["2026-06-03T10:15", "stays as it is", "add correction"],
    );
    assert_eq!(books(&path, "tenant-hall"), before);
    let step = &list().await["quarantined"][0];
    assert_eq!(
        (&step["state"], &step["decided_by"]),
        (&"excluded".into(), &Json::Null)
    );
    let text = sunledger(&path, "meter-event list").await.out;
    assert!(text.contains("the books do not have event 1"), "{text}");
    let add = "meter-event add correction --meter tenant-hall --at 2026-06-03T10:15 \
               --until 2026-06-03T10:30 --energy 900Wh --who Wang --why test";
    assert_eq!(sunledger(&path, add).await.code, Some(0));
    let step = &list().await["quarantined"][0];
    assert_eq!(
        (&step["state"], &step["decided_by"]),
        (&"decided".into(), &2.into())
    );
}

#[tokio::test]
async fn a_day_is_validated_meter_by_meter_and_one_that_is_not_over_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), false);
    let ended = sunledger(&path, "validate --from 2026-06-03 --to 2026-06-03").await;
    assert_eq!(ended.code, Some(65), "{}", ended.err);
    // The store has two hours of the day; of the shop's, one is not known.
    assert!(
        ended
            .out
            .contains("2026-06-03T00:00:00+08:00  pcc electricity  gap (fail): 88 of 96"),
        "{}",
        ended.out
    );
    let said = sunledger(&path, "validate --from 2026-06-03 --to 2026-06-03 --json")
        .await
        .json();
    assert_eq!(said["ok"], false);
    let checks: Vec<&str> = said["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["meter"] == "pcc")
        .map(|one| one["check"].as_str().unwrap())
        .collect();
    assert_eq!(checks, ["gap", "gap"], "{said}");
    let never = sunledger(&path, "validate --from 2026-06-03 --to 2999-01-01").await;
    never.must_say(64, &["is not over; a day is validated as a whole"]);
}

#[tokio::test]
async fn a_number_is_explained_down_to_the_registers_around_its_boundaries() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path(), false);
    let words = "meter-event add exchange --meter tenant-hall --at 2026-06-03T10:20 \
                 --last 50.12kWh --first 7Wh --who Wang --why test";
    assert_eq!(sunledger(&path, words).await.code, Some(0));
    let ended = sunledger(&path, "explain 2026-06-03T10:17 --flow residual").await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for line in [
        "2026-06-03T10:15:00+08:00 to 2026-06-03T10:30:00+08:00",
        "exchange 50120 -> 7 counts  (Wang: test)",
        "residual: -450.000 Wh, manual, coverage",
        "(revision 2)",
        "revision 1: 150.000 Wh, suspect",
        "+ pcc: 900.000 Wh good, register",
        "- tenant-hall: 900.000 Wh manual, register, manual",
        "before: 300.000 Wh suspect",
        "a count is worth 10 Wh, as the configuration says",
        "start: 50090 at 2026-06-03T10:15:00+08:00 | 50120 at 2026-06-03T10:20:00+08:00 (event 1), \
         300.000 s apart; there 50090.000 = 1.0000 x 50090 + 0.0000 x 50120 (good)",
        "event 1: 50120 -> 7 at 2026-06-03T10:20:00+08:00",
        "end: 67 at 2026-06-03T10:30:00+08:00 | 70 at 2026-06-03T10:30:30+08:00, 30.000 s apart",
        "50090.000 -> 50120.000 counts of 10 Wh: 300.000 Wh",
        "7.000 -> 67.000 counts of 10 Wh: 600.000 Wh",
        "these readings come to 900.000 Wh, as said",
        "minus the configured losses",
    ] {
        assert!(ended.out.contains(line), "{line}\nin\n{}", ended.out);
    }
    let json = sunledger(&path, "explain 2026-06-03T02:17:00Z --flow import --json").await;
    let said = json.json();
    let one = &said["flows"][0]["contributions"][0];
    assert_eq!(
        (&one["meter"], &one["provenance"]),
        (&Json::from("pcc"), &Json::from("register"))
    );
    assert_eq!(one["start"]["before"]["count"], 1_900);
    assert_eq!(one["start"]["weight_after"], 0.0);
    assert_eq!(
        (&one["readings_wh"], &one["differs"]),
        (&Json::from("900.000"), &Json::Null)
    );
    // No export that the powers saw: the amounts decide, and no shape is invented.
    assert_eq!(said["shape"], Json::Null);
    assert_eq!(said["attribution"]["export_by"], "amounts");
    assert_eq!(said["attribution"]["wh"]["grid_to_load"], "900.000");
    assert_eq!(said["flows"][0]["revisions"][0]["wh"], "900.000");
    // All flows that the park has, and none that it has not.
    let all = sunledger(&path, "explain 2026-06-03T10:17 --json")
        .await
        .json();
    let names: Vec<&str> = all["flows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["flow"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"load") && !names.contains(&"solar_field"),
        "{names:?}"
    );
    let never = sunledger(&path, "explain 2020-01-01T00:00").await;
    never.must_say(
        64,
        &["knows nothing of the interval from 2020-01-01T00:00:00+08:00"],
    );
}
