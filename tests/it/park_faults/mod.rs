//! Parks that misbehave, the real daemon, and a judge who knows what was issued.
//!
//! ```text
//!   rehearsal ◀──faults──▶ daemon ──▶ journal
//!       └── log: every question ──▶ judge ◀──┘
//! ```
//!
//! Every register of an encoding rehearsal says which unit, function code, address and
//! question it is from. **A value in the journal is its own meter's, of the question of
//! its moment**, or the test fails.

mod cadence;
mod energy;
mod gateway;
mod judge;
mod line;
mod meter;
mod strangers;
mod tenants;
mod wire;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sunledger::simulate::rehearsal::{self, At, Endpoint, Rehearsal, Settings};
use sunledger::sys::clock;
use sunledger::wire::line_protocol::ParsedLine;

use crate::support::daemon::Daemon;
use crate::support::store::journaled;
use judge::{Judged, judge};
use meter::Meter;

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often the journal is looked at.
const LOOK: Duration = Duration::from_millis(200);

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// How a daemon reaches a bus that waits so long for an answer.
fn bus_table(name: &str, at: &At, endpoint: &Endpoint, timeout: Duration) -> String {
    let (kind, place) = match (at, endpoint) {
        (At::Rtu(..), Endpoint::Terminal(link)) => {
            let device = link.display();
            ("rtu", format!("device = \"{device}\"\nbaud = 115200\n"))
        }
        (at, Endpoint::Socket(socket)) => {
            let kind = if matches!(at, At::Tcp(_)) {
                "tcp"
            } else {
                "rtu_over_tcp"
            };
            let (host, port) = (socket.ip(), socket.port());
            (kind, format!("host = \"{host}\"\nport = {port}\n"))
        }
        other => panic!("{other:?}"),
    };
    let timeout = timeout.as_millis();
    format!("[bus.{name}.{kind}]\n{place}timeout = \"{timeout}ms\"\n")
}

/// What every configuration here begins with.
fn head(dir: &std::path::Path) -> String {
    format!(
        "[park]\nid = \"p\"\ntime_zone = \"UTC\"\nsettlement_interval = \"1min\"\n\
         latitude = 1.0\nlongitude = 1.0\n[store]\ndir = \"{}/data\"\n\
         [web]\nlisten = \"127.0.0.1:0\"\n",
        dir.display()
    )
}

/// A rehearsal that encodes, and the daemon that reads it.
struct Site {
    park: Rehearsal,
    meters: Vec<Meter>,
    daemon: Daemon,
    dir: tempfile::TempDir,
    began: tokio::time::Instant,
}

impl Site {
    /// Serves buses with faults, and starts the daemon on them.
    async fn start(
        settings: Settings,
        faults: &[&str],
        meters: Vec<Meter>,
        period_ms: u64,
    ) -> Self {
        let buses = settings.buses.clone();
        let began = clock::mono();
        let park = rehearsal::start(settings).await.unwrap();
        for fault in faults {
            park.faults().on(fault).unwrap();
        }
        let dir = tempfile::tempdir().unwrap();
        let mut text = head(dir.path());
        for (bus, (name, endpoint)) in buses.iter().zip(park.endpoints()) {
            text.push_str(&bus_table(name, &bus.at, endpoint, bus.timeout));
        }
        for meter in &meters {
            text.push_str(&meter.toml(&buses[meter.bus].name, period_ms));
        }
        let config = dir.path().join("park.toml");
        std::fs::write(&config, text).unwrap();
        let daemon = Daemon::run(&config).await;
        Self {
            park,
            meters,
            daemon,
            dir,
            began,
        }
    }

    /// How many questions a fault struck.
    fn struck(&self, fault: &str) -> usize {
        let asked = self.park.log().asked();
        asked
            .iter()
            .filter(|one| one.struck.contains(&fault))
            .count()
    }

    fn rows(&self) -> Vec<ParsedLine> {
        journaled(&self.dir.path().join("data"))
    }

    async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < PATIENCE, "{what}: {}", self.daemon.err());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until all these meters have a value in the journal of later than a moment.
    async fn all_heard(&self, what: &str, since: Timestamp, which: impl Fn(&Meter) -> bool) {
        let since = since.as_millisecond();
        self.until(what, |site| {
            let rows = site.rows();
            let heard = |meter: &Meter| {
                let mut own = rows.iter().rev().filter(|row| judge::is_of(row, &meter.id));
                own.any(|row| row.time_ms > since && row.fields.len() > 2)
            };
            site.meters.iter().filter(|meter| which(meter)).all(heard)
        })
        .await;
    }

    fn judged(&self) -> Judged {
        judge(self.park.log(), &self.meters, &self.rows(), self.began)
    }

    /// Ends the daemon, and judges all that it wrote down.
    async fn end(self) -> Judged {
        let data = self.dir.path().join("data");
        assert_eq!(self.daemon.end("TERM").await.code, Some(0));
        let judged = judge(self.park.log(), &self.meters, &journaled(&data), self.began);
        assert_eq!(judged.wrong, Vec::<String>::new());
        judged
    }
}
