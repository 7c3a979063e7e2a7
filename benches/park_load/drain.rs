//! A backlog of an outage, and what it does to live data while it drains.
//!
//! The store is filled with readings of an hour ago, of which the database has none. Then the
//! daemon starts beside its park: the receiver tells old rows from new ones by their times.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sunledger::store::{Batch, Settings, Store};
use sunledger::sys::clock::wall;

use super::park::Size;
use super::{Arguments, Stage, report};

/// Meters and values of a block of the backlog: a second of the park.
const METERS: usize = 200;
const FIELDS: usize = 50;
/// Blocks that differ; then they come again, later.
const DIFFERENT: usize = 60;
/// How long ago the outage began.
const AGO_S: i64 = 3 * 3_600;
/// How often the drain is looked at.
const EVERY: Duration = Duration::from_millis(200);
/// It does not end.
const PATIENCE: Duration = Duration::from_secs(600);

/// Fills the store of a park with so many values.
fn fill(dir: &Path, values: usize) {
    let settings = Settings {
        dir: dir.to_owned(),
        keep_days: 35,
        max_bytes: 1 << 40,
        free_floor: 0,
        stop_when_full: false,
        sinks: vec!["local".to_owned()],
    };
    let settle = Box::new(|_: &[_], _, _| panic!("nothing is booked"));
    let (mut store, _) = Store::open(settings, settle).unwrap();
    let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise
    };
    let numbers: Vec<u64> = (0..DIFFERENT * METERS * FIELDS).map(|_| draw()).collect();
    let begin = wall().as_second() - AGO_S;
    for block in 0..values / (METERS * FIELDS) {
        let second = begin + block as i64;
        let mut lines = String::new();
        for meter in 0..METERS {
            let _ = write!(lines, "electricity,meter=m{meter},park=load,role=tenant ");
            let from = (block % DIFFERENT * METERS + meter) * FIELDS;
            for (field, number) in numbers[from..from + FIELDS].iter().enumerate() {
                let _ = write!(lines, "f{field}={}.{},", number % 400 + 20_000, number % 10);
            }
            let _ = writeln!(lines, "quality=0i {}", second * 1_000 + 300);
        }
        let batch = Batch {
            lines,
            points: (METERS * FIELDS) as u32,
            ..Batch::empty(Timestamp::from_second(second).unwrap())
        };
        store.commit(&batch, tokio::time::Instant::now()).unwrap();
    }
    store.flush(tokio::time::Instant::now()).unwrap();
}

/// Drains a backlog of so many values beside a park, and prints what came of it.
pub fn measure(arguments: &Arguments, name: &str, size: &Size, values: usize) {
    let mut stage = Stage::set(arguments, size);
    fill(&stage.dir.path().join("store"), values);
    let since = wall().as_millisecond() - 60_000;
    let daemon = stage.start(arguments);
    let receiver = stage.receiver.as_mut().expect("a backlog wants a receiver");
    receiver.ask(&format!("since {since}"));
    let begun = Instant::now();
    let mut rss_mib = 0.0_f64;
    let old = loop {
        std::thread::sleep(EVERY);
        rss_mib = rss_mib.max(daemon.usage().unwrap().rss_mib);
        let old = receiver.ask("old");
        if old[0] as usize >= values / FIELDS {
            break old;
        }
        assert!(begun.elapsed() < PATIENCE, "{old:?} of {values} values");
    };
    let live = receiver.ask("report");
    let usage = daemon.usage().unwrap();
    daemon.stop();
    report::troubles(&stage.dir.path().join("log"));
    println!(
        "\n{name}: a backlog of {:.1} million values in {:.1} s, {:.0} values/s   at least 300,000\n  \
         live rows meanwhile {:.0}, age when delivered p50 {:.2} s, p99 {:.2} s, oldest {:.2} s   at most 5\n  \
         RSS at most {rss_mib:.1} MiB (peak {:.1} with the start)   below 96",
        values as f64 / 1e6,
        old[1],
        values as f64 / old[1],
        live[0],
        live[1],
        live[2],
        live[3],
        usage.peak_mib,
    );
}
