//! The load harness: a park of any size against the real daemon.
//!
//! ```text
//!   Modbus server ◀── polls ── sunledger run ── POST ──▶ receiver
//!     (process)                  (process)               (process)
//!                                    └── journal ──▶ this process reads along
//! ```
//!
//! Four processes share the machine. **Only the daemon is measured**: its CPU time
//! and memory as the kernel counts them, and what can be read in its journal.
//!
//! ```sh
//! cargo bench --bench park_load -- --scenario small
//! cargo bench --bench park_load -- --scenario small --faults 1
//! cargo bench --bench park_load -- --scenario small --backlog 10000000
//! cargo bench --bench park_load -- --meters 500 --registers 40 --endpoints 50 --seconds 30
//! cargo bench --bench park_load -- --help
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::panic
)]

mod ages;
mod drain;
mod journal;
mod park;
mod process;
mod receiver;
mod report;
mod server;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sunledger::sys::clock::wall;

use park::Size;
use process::{Daemon, Helper};
use report::Figures;

/// Time before the window: connections stand, caches are warm.
const WARM_UP_S: i64 = 10;
/// Time after the window for its last readings to reach the journal and the receiver.
const TAIL: Duration = Duration::from_secs(3);
/// The window begins here in the second: between the tick and the next polls.
const QUIET_MS: i64 = 500;

const HELP: &str = "\
park_load [--scenario small|large|all] [--seconds N] [--no-sink]
          [--meters N] [--registers N] [--endpoints N] [--interval MS]
          [--faults PCT]    percent of requests that go wrong: busy, another transaction,
                            hung up, late
          [--backlog N]     N values of an outage drain beside the park
          [--starts N]      time from start to first poll, N starts of `small`
          [--daemon FILE]   a binary other than the one built with this benchmark
          [--dir DIR]       where the store is put [default: the system's temporary directory]
";

/// What is to be measured.
#[derive(Debug, Clone)]
struct Arguments {
    sizes: Vec<(String, Size)>,
    seconds: i64,
    sink: bool,
    starts: usize,
    backlog: usize,
    daemon: PathBuf,
    dir: PathBuf,
}

const SMALL: Size = Size {
    meters: 200,
    points: 50,
    endpoints: 20,
    interval_ms: 1_000,
    faults_pct: 0,
};
const LARGE: Size = Size {
    meters: 1_000,
    points: 50,
    endpoints: 100,
    interval_ms: 1_000,
    faults_pct: 0,
};

fn arguments(mut words: impl Iterator<Item = String>) -> Arguments {
    let mut own = SMALL;
    let mut arguments = Arguments {
        sizes: Vec::new(),
        seconds: 60,
        sink: true,
        starts: 0,
        backlog: 0,
        daemon: env!("CARGO_BIN_EXE_sunledger").into(),
        dir: std::env::temp_dir(),
    };
    let (mut custom, mut scenario, mut faults_pct) = (false, None, 0);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| usage(&word));
        let number = |text: String| text.parse::<u64>().unwrap_or_else(|_| usage(&text));
        match word.as_str() {
            // What `cargo bench` adds of itself.
            "--bench" => {}
            "--scenario" => scenario = Some(value()),
            "--seconds" => arguments.seconds = number(value()) as i64,
            "--faults" => faults_pct = number(value()) as usize,
            "--no-sink" => arguments.sink = false,
            "--backlog" => arguments.backlog = number(value()) as usize,
            "--starts" => arguments.starts = number(value()) as usize,
            "--daemon" => arguments.daemon = value().into(),
            "--dir" => arguments.dir = value().into(),
            "--meters" | "--registers" | "--endpoints" | "--interval" => {
                custom = true;
                let n = number(value());
                match word.as_str() {
                    "--meters" => own.meters = n as usize,
                    "--registers" => own.points = n as usize,
                    "--endpoints" => own.endpoints = n as usize,
                    _ => own.interval_ms = n,
                }
            }
            _ => usage(&word),
        }
    }
    if custom {
        arguments.sizes.push(("own".to_owned(), own));
    }
    let scenario = scenario.or_else(|| (!custom && arguments.starts == 0).then(|| "all".into()));
    for (name, size) in [("small", SMALL), ("large", LARGE)] {
        if scenario
            .as_deref()
            .is_some_and(|it| it == name || it == "all")
        {
            arguments.sizes.push((name.to_owned(), size));
        }
    }
    for (_, size) in &mut arguments.sizes {
        size.faults_pct = faults_pct;
    }
    arguments
}

fn usage(word: &str) -> ! {
    eprint!("`{word}`?\n{HELP}");
    std::process::exit(64)
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("serve-modbus") => {
            let numbers: Vec<usize> = words[1..]
                .iter()
                .map(|word| word.parse().unwrap())
                .collect();
            let size = Size {
                meters: numbers[0],
                points: numbers[1],
                endpoints: numbers[2],
                interval_ms: 0,
                faults_pct: numbers[3],
            };
            serve(server::serve(size));
        }
        Some("receive") => serve(receiver::serve()),
        _ => measure(&arguments(words.into_iter())),
    }
}

/// Runs a helper's task on one thread.
fn serve(task: impl Future<Output = std::io::Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, task).unwrap();
}

fn measure(arguments: &Arguments) {
    report::machine(&arguments.daemon);
    for (name, size) in &arguments.sizes {
        if arguments.backlog > 0 {
            drain::measure(arguments, name, size, arguments.backlog);
            continue;
        }
        let figures = load(arguments, size);
        report::print(name, size, arguments.seconds, &figures);
    }
    if arguments.starts > 0 {
        let times: Vec<f64> = (0..arguments.starts)
            .map(|nth| first_poll(arguments, &SMALL, nth))
            .collect();
        report::starts(&times);
    }
}

/// A park that stands ready for a daemon.
struct Stage {
    modbus: Helper,
    receiver: Option<Helper>,
    dir: tempfile::TempDir,
}

impl Stage {
    fn set(arguments: &Arguments, size: &Size) -> Self {
        let numbers = [size.meters, size.points, size.endpoints, size.faults_pct];
        let mut words = vec!["serve-modbus".to_owned()];
        words.extend(numbers.map(|number| number.to_string()));
        let mut modbus = Helper::start(&words).unwrap();
        let ports: Vec<u16> = modbus.numbers().iter().map(|port| *port as u16).collect();
        let mut receiver = arguments
            .sink
            .then(|| Helper::start(&["receive".to_owned()]).unwrap());
        let port = receiver.as_mut().map(|helper| helper.numbers()[0] as u16);
        let dir = tempfile::tempdir_in(&arguments.dir).unwrap();
        let token = dir.path().join("token");
        std::fs::write(&token, "load").unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&token, private).unwrap();
        let config = park::config(size, &ports, port, dir.path());
        std::fs::write(dir.path().join("park.toml"), config).unwrap();
        Self {
            modbus,
            receiver,
            dir,
        }
    }

    fn start(&self, arguments: &Arguments) -> Daemon {
        let dir = self.dir.path();
        Daemon::start(&arguments.daemon, &dir.join("park.toml"), &dir.join("log")).unwrap()
    }
}

fn sleep_until(ms: i64) {
    let left = ms - wall().as_millisecond();
    std::thread::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0)));
}

/// Runs a daemon against a park and measures it over the window.
fn load(arguments: &Arguments, size: &Size) -> Figures {
    let mut stage = Stage::set(arguments, size);
    let now = wall().as_millisecond();
    let from = (now / 1_000 + WARM_UP_S) * 1_000 + QUIET_MS;
    let until = from + arguments.seconds * 1_000;
    let daemon = stage.start(arguments);
    let stop = Arc::new(AtomicBool::new(false));
    let watching = {
        let (dir, stop) = (stage.dir.path().join("store"), Arc::clone(&stop));
        std::thread::spawn(move || journal::watch(&dir, from, until, &stop))
    };
    sleep_until(from);
    if let Some(receiver) = &mut stage.receiver {
        receiver.ask("reset");
    }
    let before = daemon.usage().unwrap();
    sleep_until(until);
    let after = daemon.usage().unwrap();
    std::thread::sleep(TAIL);
    let received = stage.receiver.as_mut().map(|helper| helper.ask("report"));
    let first = stage.modbus.ask("report");
    stop.store(true, Ordering::Relaxed);
    let seen = watching.join().unwrap();
    let stopped = daemon.stop();
    report::troubles(&stage.dir.path().join("log"));
    Figures {
        seen,
        cpu_s: after.cpu_s - before.cpu_s,
        usage: after,
        first_poll_ms: first[0] - now as f64,
        received,
        stopped,
    }
}

/// Milliseconds from the start of a daemon to the first request that the meters
/// see. Starts fall into different parts of the second.
fn first_poll(arguments: &Arguments, size: &Size, nth: usize) -> f64 {
    let mut stage = Stage::set(arguments, size);
    let second = wall().as_millisecond() / 1_000 + 1;
    sleep_until(second * 1_000 + (nth as i64 * 370) % 1_000);
    let started = wall().as_millisecond();
    let daemon = stage.start(arguments);
    std::thread::sleep(Duration::from_millis(1_500));
    let first = stage.modbus.ask("report")[0];
    drop(daemon);
    first - started as f64
}
