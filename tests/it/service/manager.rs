//! What systemd hears, and what it does not while the disk hangs.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::daemon::{Site, park, stored_until};
use super::witness::{Witness, no_key_has_two_values, rows};

/// systemd's end of `NOTIFY_SOCKET`.
pub struct Manager {
    path: PathBuf,
    heard: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Manager {
    pub fn new(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::downgrade(&heard);
        socket
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Some(list) = list.upgrade() {
                if let Ok(length) = socket.recv(&mut buffer) {
                    let text = String::from_utf8_lossy(&buffer[..length]);
                    let now = Instant::now();
                    let words = text.lines().map(|line| (now, line.to_owned()));
                    list.lock().unwrap().extend(words);
                }
            }
        });
        Self {
            path: path.to_owned(),
            heard,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything heard since a moment that begins so.
    pub fn heard_since(&self, since: Instant, word: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let since = heard.iter().filter(|(at, _)| *at >= since);
        let words = since.map(|(_, line)| line.clone());
        words.filter(|line| line.starts_with(word)).collect()
    }

    /// Waits until a word was heard so many times since a moment; tells when that was.
    pub async fn hears(&self, since: Instant, word: &str, times: usize) -> Instant {
        let start = Instant::now();
        while self.heard_since(since, word).len() < times {
            let heard = || self.heard.lock().unwrap().clone();
            assert!(start.elapsed() < PATIENCE, "no {word} in {:?}", heard());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Instant::now()
    }

    /// Waits until a status line says something.
    pub async fn hears_status(&self, since: Instant, text: &str) {
        let start = Instant::now();
        let says = || {
            let status = self.heard_since(since, "STATUS=");
            status.iter().any(|line| line.contains(text))
        };
        while !says() {
            let status = || self.heard_since(since, "STATUS=");
            assert!(start.elapsed() < PATIENCE, "no {text:?} in {:?}", status());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

const WATCHDOG: Duration = Duration::from_secs(2);

/// Makes the disk hang, and more; tells since when it does.
pub async fn hang(site: &Site, more: &[&str]) -> Instant {
    let faults = ["sync hang"].iter().chain(more);
    let faults: Vec<String> = faults.map(|fault| (*fault).to_owned()).collect();
    site.machine.breaks(&faults);
    let start = Instant::now();
    while !site.machine.has_bitten("sync") {
        assert!(start.elapsed() < PATIENCE, "the disk does not hang");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Instant::now()
}

#[tokio::test]
async fn systemd_hears_ready_status_watchdog_and_stopping_and_what_was_heard_is_stored() {
    let park = park().await;
    let site = Site::of(&park).watched(WATCHDOG);
    let start = Instant::now();
    let daemon = site.start();
    site.manager.hears(start, "READY=1", 1).await;
    // Every meter was asked once by then: the next look at the page shows it.
    let live = site.until("shows a tick", |_| true).await;
    for meter in live["meters"].as_array().unwrap() {
        let known = meter["age_s"].is_f64() || meter["last_error"].is_string();
        let waits_for_a_message = meter["role"] == "weather";
        assert!(known || waits_for_a_message, "{meter}");
    }
    site.manager
        .hears_status(start, "meters online, 0 points wait")
        .await;
    site.manager.hears(start, "WATCHDOG=1", 5).await;
    let mut witness = Witness::default();
    for _ in 0..8 {
        let seq = |live: &serde_json::Value| live["seq"].as_u64();
        let before = seq(&site.live().await.unwrap());
        let live = site.until("moves on", |live| seq(live) > before).await;
        witness.sees(&live, 0);
    }
    assert!(
        site.manager.heard_since(start, "STOPPING=1").is_empty(),
        "it was not told to stop"
    );
    // Just before a tick most meters have said something that is not on disk yet.
    let into = sunledger::sys::clock::wall()
        .as_millisecond()
        .rem_euclid(1_000);
    let rest = u64::try_from(1_900 - into).unwrap();
    tokio::time::sleep(Duration::from_millis(rest)).await;
    witness.sees_answers(&site.ask("/metrics").await.unwrap().text());
    daemon.ends_well(&site).await;
    site.manager.hears(start, "STOPPING=1", 1).await;
    assert_eq!(site.manager.heard_since(start, "READY=1").len(), 1);
    let rows = rows(&site.store());
    witness.finds_everything(&rows);
    no_key_has_two_values(&rows);
    park.stop().await;
}

#[tokio::test]
async fn a_disk_that_hangs_ends_the_watchdog_and_neither_the_page_nor_a_reading() {
    let park = park().await;
    let site = Site::of(&park).watched(WATCHDOG);
    let start = Instant::now();
    let daemon = site.start();
    site.manager.hears(start, "WATCHDOG=1", 2).await;
    let hung = hang(&site, &[]).await;
    // What was under way may still be answered, and half a period of standstill is no stall.
    tokio::time::sleep(2 * WATCHDOG).await;
    let silent = Instant::now();
    let before = site.live().await.unwrap();
    let mut witness = Witness::default();
    let mut last = before.clone();
    while silent.elapsed() < 5 * WATCHDOG {
        last = site
            .until("moves on while the disk hangs", |live| {
                live["seq"] != last["seq"]
            })
            .await;
        assert_eq!(last["stored_until"], before["stored_until"]);
        assert_eq!(last["clock"], "trusted");
        witness.sees(&last, 0);
    }
    assert_eq!(
        site.manager.heard_since(silent, "WATCHDOG=1"),
        Vec::<String>::new()
    );
    let ready = site.ask("/readyz").await.unwrap();
    assert_eq!(ready.code, 503, "{}", ready.text());
    assert!(
        ready.text().contains("disk does not answer"),
        "{}",
        ready.text()
    );
    site.manager
        .hears_status(hung, "the disk does not answer")
        .await;

    site.machine.is_well();
    let released = Instant::now();
    site.manager.hears(released, "WATCHDOG=1", 3).await;
    let shown = last["at"].clone();
    site.until("stores what it showed meanwhile", |live| {
        stored_until(live) >= super::daemon::time(&shown)
    })
    .await;
    assert_eq!(site.ask("/readyz").await.unwrap().code, 200);
    daemon.ends_well(&site).await;
    let rows = rows(&site.store());
    witness.finds_everything(&rows);
    no_key_has_two_values(&rows);
    park.stop().await;
}

#[tokio::test]
async fn a_disk_that_hangs_under_a_wrong_clock_ends_the_watchdog_too() {
    let park = park().await;
    let site = Site::of(&park).watched(WATCHDOG);
    let start = Instant::now();
    let daemon = site.start();
    site.manager.hears(start, "WATCHDOG=1", 2).await;
    hang(&site, &[]).await;
    hang(&site, &["clock 10800"]).await;
    site.until("is untrusted", |live| live["clock"] == "untrusted")
        .await;
    tokio::time::sleep(2 * WATCHDOG).await;
    let silent = Instant::now();
    tokio::time::sleep(3 * WATCHDOG).await;
    let heard = site.manager.heard_since(silent, "WATCHDOG=1");
    assert_eq!(heard, Vec::<String>::new());
    // A clock that is wrong is no reason for a restart: nothing can be stored.
    site.machine.clock_is_ahead(10_800);
    let released = Instant::now();
    site.manager.hears(released, "WATCHDOG=1", 3).await;
    daemon.ends_well(&site).await;
    park.stop().await;
}

#[tokio::test]
async fn neither_a_dead_meter_nor_a_sensor_that_says_nothing_holds_up_the_start() {
    let park = park().await;
    park.faults().dead("ceramics", true).unwrap();
    let site = Site::with(&park, |text| {
        text + "\n[[sensor]]\nid = \"nobody\"\nrole = \"monitor\"\nbroker = \"park\"\n\
                topic = \"park/nobody\"\nquantity = \"temp\"\nunit = \"degC\"\n\
                expect_every = \"1h\"\n"
    });
    let start = Instant::now();
    let daemon = site.start();
    let ready = site.manager.hears(start, "READY=1", 1).await;
    // Five seconds are promised.
    assert!(
        ready - start < Duration::from_secs(25),
        "{:?}",
        ready - start
    );
    let live = site
        .until("says why the meter is silent", |live| {
            let meters = live["meters"].as_array().unwrap();
            let dead = meters.iter().find(|meter| meter["id"] == "ceramics");
            dead.unwrap()["last_error"].is_string()
        })
        .await;
    let meters = live["meters"].as_array().unwrap();
    let alive = meters.iter().filter(|meter| meter["quality"] == "good");
    assert!(alive.count() > 5, "{live}");
    daemon.ends_well(&site).await;
    park.stop().await;
}
