//! A file system of 64 MiB of its own, filled by somebody else to the last byte: what is
//! heard meanwhile waits, and is recorded when there is room again, without a restart. The
//! same on a disk that is said to be full, for machines that let nobody mount.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use jiff::Timestamp;
use sunledger::store::Reader;
use sunledger::wire::line_protocol::{FieldValue, parse};
use tokio::process::{Child, Command};
use tokio::time::{Duration, Instant, sleep};

use super::PATIENCE;
use super::machine::Machine;
use crate::support::http::try_get;
use crate::support::oracle::issuer::{Issuer, QUANTITIES};
use crate::support::peer::free_port;

/// Seconds that live values go on while nothing can be written.
const FULL_S: i64 = 5;

struct Box {
    child: Child,
    address: SocketAddr,
    store: PathBuf,
    log: PathBuf,
    disk: Disk,
}

enum Disk {
    /// A file that fills a file system, as whoever looks through the daemon sees it.
    Own(PathBuf),
    /// Calls that are answered as if there were no room.
    Said(Machine),
}

/// What mounts a file system of 64 MiB at a place that only what follows can see.
fn mounted(place: &Path) -> std::process::Command {
    let mut command = std::process::Command::new("unshare");
    let mount = "mount -t tmpfs -o size=64m tmpfs \"$0\" && exec \"$@\"";
    command
        .args(["--map-root-user", "--mount", "sh", "-c", mount])
        .arg(place);
    command
}

/// Whether this machine lets us mount one.
fn may_mount(place: &Path) -> bool {
    let tried = mounted(place).arg("true").output();
    tried.is_ok_and(|done| done.status.success())
}

impl Box {
    /// Starts a daemon whose store is on a disk that can be filled.
    fn start(dir: &Path, issuer: &Issuer, own: bool) -> Self {
        let (place, port) = (dir.join("disk"), free_port());
        let config = format!(
            "[park]\nid = \"full\"\ntime_zone = \"Asia/Shanghai\"\nlatitude = 39.19\nlongitude = 113.26\n\
             [store]\ndir = \"{}/store\"\nfree_floor = \"0B\"\n[web]\nlisten = \"127.0.0.1:{port}\"\n{}",
            place.display(),
            issuer.config()
        );
        std::fs::write(dir.join("park.toml"), config).unwrap();
        let log = dir.join("log");
        let program = env!("CARGO_BIN_EXE_sunledger");
        let machine = Machine::new(&place);
        let mut command = if own {
            let mut command = mounted(&place);
            command.arg(program);
            Command::from(command)
        } else {
            let mut command = Command::new(program);
            command.envs(machine.environment());
            command
        };
        let child = command
            .args(["run", "--log-format", "text", "--config"])
            .arg(dir.join("park.toml"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let seen = match own {
            true => format!("/proc/{}/root{}", child.id().unwrap(), place.display()).into(),
            false => place,
        };
        Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            store: seen.join("store"),
            log,
            disk: match own {
                true => Disk::Own(seen.join("filler")),
                false => Disk::Said(machine),
            },
        }
    }

    /// Somebody else takes what is left, byte by byte at the end.
    fn fill(&self) {
        match &self.disk {
            Disk::Own(filler) => {
                let mut file = std::fs::File::create(filler).unwrap();
                for piece in [1 << 20, 4_096, 1] {
                    let bytes = vec![7; piece];
                    while file.write_all(&bytes).is_ok() {}
                }
            }
            Disk::Said(machine) => machine.breaks(&["write enospc".to_owned()]),
        }
    }

    fn make_room(&self) {
        match &self.disk {
            Disk::Own(filler) => std::fs::remove_file(filler).unwrap(),
            Disk::Said(machine) => machine.is_well(),
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until the live view is as wanted, and gives its moment.
    async fn until(
        &self,
        what: &str,
        so: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let begun = Instant::now();
        loop {
            if let Some(answer) = try_get(self.address, "/api/v1/live").await
                && answer.code == 200
                && so(&answer.json())
            {
                return answer.json();
            }
            assert!(begun.elapsed() < PATIENCE, "{what}\n{}", self.said());
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ready(&self) -> u16 {
        let answer = try_get(self.address, "/readyz").await;
        answer.map_or(0, |answer| answer.code)
    }

    /// Every number that the journal has of one place, by time.
    fn numbers(&self, meter: &str, field: &str) -> Vec<f64> {
        let mut reader = Reader::new(&self.store).unwrap();
        let (mut numbers, mut seq) = (Vec::new(), 0);
        while let Some(block) = reader.next_after(seq, None).unwrap() {
            seq = block.seq;
            for row in block.text.lines().map(|line| parse(line).unwrap()) {
                let is_mine = row
                    .tags
                    .iter()
                    .any(|(key, value)| key == "meter" && value == meter);
                let said = row.fields.iter().find(|(name, _)| name == field);
                if let (true, Some((_, FieldValue::Float(number)))) = (is_mine, said) {
                    numbers.push((row.time_ms, *number));
                }
            }
        }
        numbers.sort_by_key(|(time_ms, _)| *time_ms);
        numbers.into_iter().map(|(_, number)| number).collect()
    }
}

fn time(live: &serde_json::Value, key: &str) -> Option<Timestamp> {
    live[key].as_str()?.parse().ok()
}

#[tokio::test]
async fn a_file_system_that_is_filled_to_the_last_byte_loses_nothing_of_what_is_heard_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("disk")).unwrap();
    if may_mount(&dir.path().join("disk")) {
        loses_nothing(dir.path(), true).await;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("disk")).unwrap();
    loses_nothing(dir.path(), false).await;
}

async fn loses_nothing(dir: &Path, own: bool) {
    let issuer = Issuer::start().await;
    let mut daemon = Box::start(dir, &issuer, own);
    daemon
        .until("it stores", |live| time(live, "stored_until").is_some())
        .await;
    daemon.fill();
    let begun = Instant::now();
    while daemon.ready().await != 503 {
        assert!(begun.elapsed() < PATIENCE, "{}", daemon.said());
        sleep(Duration::from_millis(50)).await;
    }
    // What has a page already may still grow by a block or two.
    let full = daemon
        .until("nothing is stored", |live| {
            let (at, until) = (time(live, "at"), time(live, "stored_until"));
            at.zip(until)
                .is_some_and(|(at, until)| at.as_second() - until.as_second() > FULL_S)
        })
        .await;
    let stood = time(&full, "stored_until").unwrap();
    let later = time(&full, "at").unwrap().as_second() + FULL_S;
    let still = daemon
        .until("it shows what is heard", |live| {
            time(live, "at").is_some_and(|at| at.as_second() >= later)
        })
        .await;
    assert_eq!(time(&still, "stored_until"), Some(stood), "{still:#}");
    assert!(
        still["meters"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["quality"] == "good")
    );
    // There is room again.
    daemon.make_room();
    let shown = time(&still, "at").unwrap();
    daemon
        .until("it stores again", |live| {
            time(live, "stored_until").is_some_and(|until| until > shown)
        })
        .await;
    assert_eq!(daemon.ready().await, 200);
    for meter in ["m1", "m8"] {
        for (_, _, field) in QUANTITIES {
            let numbers = daemon.numbers(meter, field);
            assert!(numbers.len() > 20, "{meter} {field}: {}", numbers.len());
            let step = numbers[1] - numbers[0];
            let gap = numbers.windows(2).find(|pair| pair[1] - pair[0] != step);
            assert_eq!(gap, None, "{meter} {field}: every number has its successor");
        }
    }
    daemon.child.kill().await.unwrap();
}
