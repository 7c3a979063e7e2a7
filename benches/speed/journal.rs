//! The journal: bytes for a value, values a second, and how soon a store with a large
//! backlog is open.

use std::path::Path;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use sunledger::engine::record::Recorder;
use sunledger::store::journal::{Journal, SEGMENT_BYTES};
use sunledger::store::{Reader, Settings, Store};

use super::Arguments;
use super::park::{Voices, begin, setup};

/// Values that the park of each row says a second.
const VALUES: usize = 10_000;
/// Seconds that differ; then they come again, later.
const DIFFERENT_S: usize = 60;
/// Values that are appended for each figure.
const APPENDED: usize = 20_000_000;
/// How often a store is opened.
const TIMES: usize = 5;

/// A second of the park.
struct Second {
    at: Timestamp,
    lines: u32,
    points: u32,
    text: String,
}

fn seconds(points: usize, dir: &Path) -> Vec<Second> {
    let setup = setup(VALUES / points, points, dir);
    let mut recorder = Recorder::new(&setup.park);
    let mut voices = Voices::new(&setup.park);
    let of = |n: usize| begin() + SignedDuration::from_secs(i64::try_from(n).unwrap());
    (0..DIFFERENT_S)
        .map(|n| {
            for reading in voices.at(of(n)) {
                let mut reading = reading.clone();
                recorder.stamp(&mut reading);
                recorder.reading(&reading);
            }
            let rows = recorder.take();
            Second {
                at: of(n),
                lines: u32::try_from(rows.text.lines().count()).unwrap(),
                points: rows.points,
                text: rows.text,
            }
        })
        .collect()
}

/// Appends what parks with 50, 5 and 1 values a line say.
pub fn measure(arguments: &Arguments) {
    let dir = tempfile::tempdir_in(&arguments.dir).unwrap();
    for points in [50, 5, 1] {
        let seconds = seconds(points, dir.path());
        let place = tempfile::tempdir_in(dir.path()).unwrap();
        let mut journal = Journal::open(place.path(), SEGMENT_BYTES, 0).unwrap();
        // Quality stands beside what was measured.
        let said = VALUES;
        let (mut values, begun) = (0, Instant::now());
        while values < APPENDED {
            for second in &seconds {
                journal
                    .append(second.at, second.lines, second.points, &second.text)
                    .unwrap();
                values += said;
            }
        }
        let took = begun.elapsed().as_secs_f64();
        let text: usize = seconds.iter().map(|second| second.text.len()).sum();
        println!(
            "{points:>2} values a line: {:.1} bytes a value on disk ({:.1} as text), {:.1} million values/s, {:.0} blocks/s",
            journal.bytes() as f64 / values as f64,
            text as f64 / (said * DIFFERENT_S) as f64,
            values as f64 / took / 1e6,
            (values / said) as f64 / took,
        );
    }
}

/// Fills a store that no sink has anything of, and opens it.
pub fn open(arguments: &Arguments) {
    let dir = arguments
        .dir
        .join(format!("sunledger-open-{}", arguments.gib));
    let settings = Settings {
        dir: dir.clone(),
        keep_days: 35,
        max_bytes: 1 << 40,
        free_floor: 0,
        stop_when_full: false,
        sinks: vec!["away".to_owned()],
    };
    let settle = || -> sunledger::store::Settle { Box::new(|_, _, _| panic!("nothing is booked")) };
    if !dir.join("written").exists() {
        let _ = std::fs::remove_dir_all(&dir);
        drop(Store::open(settings.clone(), settle()).unwrap());
        let seconds = seconds(50, &dir);
        let mut journal = Journal::open(&dir.join("journal"), SEGMENT_BYTES, 0).unwrap();
        let wanted = arguments.gib << 30;
        'full: loop {
            for second in &seconds {
                journal
                    .append(second.at, second.lines, second.points, &second.text)
                    .unwrap();
                if journal.bytes() >= wanted {
                    break 'full;
                }
            }
        }
        std::fs::write(dir.join("written"), "").unwrap();
    }
    // The books of the daemon cover the journal; here nobody has read it yet.
    for nth in 0..TIMES {
        let cold = std::fs::write("/proc/sys/vm/drop_caches", "1").is_ok();
        let begun = Instant::now();
        let (store, found) = Store::open(settings.clone(), settle()).unwrap();
        let opened = begun.elapsed();
        let backlog = Reader::new(&dir).unwrap().backlog(0).unwrap();
        println!(
            "{nth}: open after {:.0} ms, its backlog of {:.0} million values known after {:.0} ms{}",
            opened.as_secs_f64() * 1e3,
            backlog.points as f64 / 1e6,
            begun.elapsed().as_secs_f64() * 1e3,
            if cold {
                ", nothing of it in memory"
            } else {
                ""
            }
        );
        drop((store, found));
    }
    if !arguments.keep {
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
