//! The program under test: started on a machine that can break, asked as a person
//! would, stopped as systemd would.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sunledger::simulate::{Settings, Simulation};
use sunledger::sys::clock::wall;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::PATIENCE;
use super::machine::Machine;
use super::manager::Manager;
use crate::support::http;
use crate::support::peer::free_port;

/// The simulated park at eleven in the morning, in this process.
pub async fn park() -> Simulation {
    let mut settings = Settings::fanshi(wall());
    settings.hour = Some(11.0);
    let started = Simulation::start(settings, Duration::ZERO, CancellationToken::new()).await;
    started.expect("free loopback ports")
}

/// A box with a disk, a clock and a service manager, on which the daemon is installed.
pub struct Site {
    root: TempDir,
    pub machine: Machine,
    pub manager: Manager,
    pub address: SocketAddr,
    config: PathBuf,
    watchdog: Option<Duration>,
}

impl Site {
    /// A box that reads a park.
    pub fn of(park: &Simulation) -> Self {
        Self::with(park, |text| text)
    }

    /// The same, with another configuration.
    pub fn with(park: &Simulation, change: impl FnOnce(String) -> String) -> Self {
        let root = tempfile::tempdir().unwrap();
        let store = root.path().join("store");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let text = park.config_toml(&store, &address.to_string(), "1min");
        let config = root.path().join("sunledger.toml");
        // Who runs the tests may have little room; that is another test's subject.
        let text = change(text.replace("[store]\n", "[store]\nfree_floor = \"0B\"\n"));
        std::fs::write(&config, text).unwrap();
        Self {
            machine: Machine::new(&store),
            manager: Manager::new(&root.path().join("notify")),
            address,
            config,
            watchdog: None,
            root,
        }
    }

    /// systemd wants a sign of life this often.
    pub fn watched(mut self, every: Duration) -> Self {
        self.watchdog = Some(every);
        self
    }

    /// Where the daemon stores.
    pub fn store(&self) -> PathBuf {
        self.root.path().join("store")
    }

    /// Starts the daemon.
    pub fn start(&self) -> Daemon {
        let log = self.root.path().join("log");
        let log = std::fs::File::options().create(true).append(true).open(log);
        // The shell becomes the daemon, so the process that it names is the right one;
        // the faults are for the daemon alone.
        let become_daemon = "export WATCHDOG_PID=$$ LD_PRELOAD=\"$PRELOAD\"; exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", become_daemon, "sh", env!("CARGO_BIN_EXE_sunledger")]);
        command.args(["run", "--config"]).arg(&self.config);
        for (name, value) in self.machine.environment() {
            let name = if name == "LD_PRELOAD" {
                "PRELOAD"
            } else {
                name
            };
            command.env(name, value);
        }
        command.env_remove("JOURNAL_STREAM");
        command.env_remove("WATCHDOG_USEC");
        command.env("NOTIFY_SOCKET", self.manager.path());
        if let Some(every) = self.watchdog {
            command.env("WATCHDOG_USEC", every.as_micros().to_string());
        }
        command.stdout(Stdio::null()).stderr(log.unwrap());
        Daemon {
            child: command.kill_on_drop(true).spawn().unwrap(),
        }
    }

    /// What the daemon logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.root.path().join("log")).unwrap_or_default()
    }

    /// Asks the page's API; nothing while nobody listens.
    pub async fn ask(&self, path: &str) -> Option<http::Answer> {
        drop(TcpStream::connect(self.address).await.ok()?);
        Some(http::get(self.address, path).await)
    }

    /// The live view.
    pub async fn live(&self) -> Option<Value> {
        Some(self.ask("/api/v1/live").await?.json())
    }

    /// The value of a metric without labels.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.ask("/metrics").await?.text();
        let line = text.lines().find(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(' '))
        })?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Waits until the live view is as wanted, and returns it.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            if let Some(live) = self.live().await
                && live["seq"].as_u64() > Some(0)
                && wanted(&live)
            {
                return live;
            }
            assert!(start.elapsed() < PATIENCE, "never {what}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// The running daemon; killed with its test.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Says SIGTERM and waits for the end; tells how long it took.
    pub async fn terminate(mut self) -> (ExitStatus, Duration) {
        let pid = self.child.id().expect("it runs").to_string();
        let start = Instant::now();
        let kill = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(kill.unwrap().success());
        // Ten seconds are promised.
        let ended = tokio::time::timeout(Duration::from_secs(50), self.child.wait()).await;
        (ended.expect("it ends").unwrap(), start.elapsed())
    }

    /// The same, where the end must be a good one.
    pub async fn ends_well(self, site: &Site) {
        let (status, _) = self.terminate().await;
        assert!(status.success(), "{status}\n{}", site.log());
    }
}

/// A time in an answer.
pub fn time(value: &Value) -> Option<jiff::Timestamp> {
    value.as_str()?.parse().ok()
}

/// Up to when the daemon says that everything is on disk.
pub fn stored_until(live: &Value) -> Option<jiff::Timestamp> {
    time(&live["stored_until"])
}
