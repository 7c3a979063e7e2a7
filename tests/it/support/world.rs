//! A whole world: the simulated park in this process, the real daemon beside it, and
//! receivers that it delivers to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use serde_json::Value as Json;
use sunledger::domain::time::local_date;
use sunledger::simulate::{Settings, Simulation};
use sunledger::store::LedgerReader;
use sunledger::sys::clock::wall;
use sunledger::wire::line_protocol::{ParsedLine, parse};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::http::{Answer, try_get};
use super::peer::free_port;
use super::store::journal;

/// Longer than anything here takes on a slow machine, one-minute intervals included.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// From today to a working day of summer with sun, whatever day it is: on a dull Saturday
/// nothing is exported and no storage is charged.
fn days_to_a_working_day() -> i32 {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let today = local_date(wall(), &zone);
    let since = date(2026, 6, 3).since((Unit::Day, today));
    since.unwrap().get_days()
}

/// A park with its daemon; one-minute intervals.
pub struct World {
    pub park: Simulation,
    pub dir: tempfile::TempDir,
    pub address: SocketAddr,
    daemon: Option<Child>,
}

impl World {
    /// A park at eleven in the morning of that day, and a daemon for it that is not started yet.
    /// Sinks are pairs of a name and the address of a receiver.
    pub async fn new(sinks: &[(&str, String)]) -> Self {
        let mut settings = Settings::fanshi(wall());
        settings.hour = Some(11.0 + 24.0 * f64::from(days_to_a_working_day()));
        let park = Simulation::start(settings, Duration::ZERO, CancellationToken::new())
            .await
            .expect("free loopback ports");
        let dir = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let data = dir.path().join("data");
        let mut text = park.config_toml(&data, &address.to_string(), "1min");
        let token = dir.path().join("token");
        std::fs::write(&token, super::influx::TOKEN).unwrap();
        restrict(&token);
        for (name, url) in sinks {
            text.push_str(&format!(
                "\n[sink.{name}.influx]\nurl = \"{url}\"\norg = \"{}\"\nbucket = \"{}\"\ntoken = {{ file = \"{}\" }}\n",
                super::influx::ORG,
                super::influx::BUCKET,
                token.display()
            ));
        }
        std::fs::write(dir.path().join("park.toml"), text).unwrap();
        Self {
            park,
            dir,
            address,
            daemon: None,
        }
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("park.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What the daemon has said so far, over all its starts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Starts the daemon.
    pub fn start(&mut self) {
        assert!(self.daemon.is_none(), "it runs already");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("log"))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_sunledger"))
            .args(["run", "--log-format", "text", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.daemon = Some(child);
    }

    /// Kills the daemon with SIGKILL, in the middle of whatever it does, and gives
    /// the moment.
    pub async fn kill(&mut self) -> Timestamp {
        let mut daemon = self.daemon.take().expect("it runs");
        daemon.start_kill().unwrap();
        let at = wall();
        daemon.wait().await.unwrap();
        at
    }

    /// Ends the daemon with SIGTERM and gives its exit code and how long that took.
    pub async fn terminate(&mut self) -> (Option<i32>, Duration) {
        let mut daemon = self.daemon.take().expect("it runs");
        let asked = Instant::now();
        let pid = daemon.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(sent.unwrap().success());
        let status = tokio::time::timeout(PATIENCE, daemon.wait()).await;
        let status = status.expect("SIGTERM ends it").unwrap();
        (status.code(), asked.elapsed())
    }

    /// An answer of the daemon; none while it does not listen.
    pub async fn ask(&self, path: &str) -> Option<Answer> {
        try_get(self.address, path).await
    }

    /// The live view; none while the daemon does not listen.
    pub async fn live(&self) -> Option<Json> {
        let answer = self.ask("/api/v1/live").await?;
        (answer.code == 200).then(|| answer.json())
    }

    /// Waits until the live view is as wanted, and gives it.
    pub async fn until(&self, what: &str, so: impl Fn(&Json) -> bool) -> Json {
        let deadline = Instant::now() + PATIENCE;
        let mut last = None;
        while Instant::now() < deadline {
            if let Some(live) = self.live().await {
                if so(&live) {
                    return live;
                }
                last = Some(live);
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("waited in vain until {what}; {last:?}\n{}", self.log());
    }

    /// The intervals that the API states for a stretch, as soon as the last of them
    /// is closed and as wanted.
    pub async fn closed(
        &self,
        from: Timestamp,
        to: Timestamp,
        so: impl Fn(&[Json]) -> bool,
    ) -> Vec<Json> {
        let minutes = (to.as_second() - from.as_second()) / 60;
        let deadline = Instant::now() + PATIENCE;
        let path = format!("/api/v1/intervals?from={from}&to={to}");
        let mut last = Json::Null;
        while Instant::now() < deadline {
            if let Some(answer) = self.ask(&path).await {
                assert_eq!(answer.code, 200, "{}", answer.text());
                last = answer.json();
                let intervals = last["intervals"].as_array().unwrap();
                let closed = |one: &Json| one["state"] == "closed";
                if intervals.len() as i64 == minutes
                    && intervals.iter().all(closed)
                    && so(intervals)
                {
                    return intervals.clone();
                }
            }
            sleep(Duration::from_millis(500)).await;
        }
        panic!(
            "intervals from {from} to {to} do not close: {last:#}\n{}",
            self.log()
        );
    }

    /// Everything in the journal, block by block, as text.
    pub fn journal(&self) -> String {
        journal(&self.data(), None)
    }

    /// The journal up to what the first sink has: what is written while the daemon
    /// ends goes out at its next start.
    pub fn delivered(&self) -> String {
        let ledger = LedgerReader::open(&self.data()).unwrap();
        let (_, seq) = ledger.cursors().unwrap().remove(0);
        journal(&self.data(), Some(seq))
    }

    /// Stops the daemon, if it runs, and the park.
    pub async fn end(mut self) {
        if self.daemon.is_some() {
            let (code, _) = self.terminate().await;
            assert_eq!(code, Some(0), "{}", self.log());
        }
        self.park.stop().await;
    }
}

fn restrict(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The next whole minute that is at least this far away.
pub fn next_minute(at_least: Duration) -> Timestamp {
    let second = (wall() + at_least).as_second();
    Timestamp::from_second(second + 60 - second.rem_euclid(60)).unwrap()
}

/// Sleeps until the wall clock shows a moment.
pub async fn sleep_until_wall(at: Timestamp) {
    let left = at.duration_since(wall());
    sleep(Duration::try_from(left).unwrap_or_default()).await;
}

/// The energy of a flow over some intervals, Wh, with its last digit.
pub fn wh(intervals: &[Json], flow: &str) -> f64 {
    intervals
        .iter()
        .map(|interval| {
            let stated = &interval["flows"][flow]["wh"];
            let text = stated
                .as_str()
                .unwrap_or_else(|| panic!("{flow} is unknown: {interval:#}"));
            text.parse::<f64>().unwrap()
        })
        .sum()
}

/// A power of the live view, W.
pub fn watts(live: &Json, carrier: &str, flow: &str) -> f64 {
    live[carrier][flow]["w"]
        .as_f64()
        .unwrap_or_else(|| panic!("{carrier} {flow} is unknown: {live:#}"))
}

/// Rows of text, taken apart.
pub fn rows(text: &str) -> Vec<ParsedLine> {
    text.lines().map(|line| parse(line).unwrap()).collect()
}
