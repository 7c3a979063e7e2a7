//! A clock that is wrong: what is heard under it is shown, marked and held, and
//! stored under its right time once there is one.

use std::time::{Duration, Instant};

use serde_json::Value;
use sunledger::sys::clock::wall;

use super::daemon::{Site, park, stored_until, time};
use super::witness::{Row, Witness, no_energy_is_negative, no_key_has_two_values, rows};

const HOURS: i64 = 3_600;

fn is_untrusted(live: &Value) -> bool {
    live["clock"] == "untrusted"
}

fn is_trusted(live: &Value) -> bool {
    live["clock"] == "trusted"
}

/// Looks at every new frame for a while; every one must be as `expected` says.
async fn watch(
    site: &Site,
    witness: &mut Witness,
    ahead_s: i64,
    seconds: u64,
    expected: fn(&Value) -> bool,
) -> Value {
    let start = Instant::now();
    let mut last = site.until("is as expected", expected).await;
    while start.elapsed() < Duration::from_secs(seconds) {
        let seq = last["seq"].clone();
        last = site.until("moves on", |live| live["seq"] != seq).await;
        assert!(expected(&last), "{last}");
        witness.sees(&last, ahead_s);
    }
    last
}

/// The rows lie between the start of the test and now, by the clock of this process.
fn no_row_has_a_wrong_time(rows: &[Row], from: jiff::Timestamp) {
    // An interval stands at its beginning, which may be a minute before the start.
    let (from, until) = (
        from.as_millisecond() - 60_000,
        wall().as_millisecond() + 1_000,
    );
    for row in rows {
        assert!((from..=until).contains(&row.time_ms), "{row:?}");
    }
}

/// Rows of meters within a stretch of time.
fn readings_between(rows: &[Row], from: jiff::Timestamp, until: jiff::Timestamp) -> usize {
    let stretch = from.as_millisecond()..until.as_millisecond();
    let inside = |row: &&Row| row.meter.is_some() && stretch.contains(&row.time_ms);
    rows.iter().filter(inside).count()
}

/// Waits until everything up to now is on disk, then ends the daemon.
async fn settle(site: &Site, daemon: super::daemon::Daemon) -> Vec<Row> {
    let now = wall();
    site.until("stores again", |live| stored_until(live) >= Some(now))
        .await;
    assert_eq!(
        site.metric("sunledger_clock_held_readings").await,
        Some(0.0)
    );
    assert_eq!(
        site.metric("sunledger_clock_held_dropped_total").await,
        Some(0.0)
    );
    daemon.ends_well(site).await;
    let rows = rows(&site.store());
    no_key_has_two_values(&rows);
    no_energy_is_negative(&rows);
    rows
}

#[tokio::test]
async fn a_box_that_starts_in_2020_stores_nothing_until_its_clock_is_set() {
    let park = park().await;
    let site = Site::of(&park);
    let start = wall();
    let ahead = "2020-03-01T08:00:00Z".parse::<jiff::Timestamp>().unwrap();
    let ahead = ahead.as_second() - start.as_second();
    site.machine.clock_is_ahead(ahead);
    let daemon = site.start();
    let mut witness = Witness::default();
    // An interval ends in it, some seconds from either end.
    let into = (start.as_second() + 5).rem_euclid(60);
    let seconds = u64::try_from(5 + 60 - into + 5).unwrap();
    let live = watch(&site, &mut witness, ahead, seconds, is_untrusted).await;
    assert!(site.machine.has_bitten("clock"));
    assert!(
        live["at"].as_str().unwrap().starts_with("2020-03-01"),
        "{live}"
    );
    assert!(live["electricity"]["generation"]["w"].is_f64(), "{live}");
    assert_eq!(live["stored_until"], Value::Null);
    assert!(site.metric("sunledger_clock_held_readings").await > Some(0.0));
    let health = site.ask("/readyz").await.unwrap().text();
    assert!(health.contains("clock is not trusted"), "{health}");
    assert_eq!(rows(&site.store()), []);

    let until = wall();
    site.machine.is_well();
    watch(&site, &mut witness, 0, 3, is_trusted).await;
    // The minute that ended while the clock was wrong is settled like any other.
    let mut end = until.as_second();
    end -= end.rem_euclid(60);
    let minute = jiff::Timestamp::from_second(end - 60).unwrap();
    let path = format!("/api/v1/intervals?from={minute}&to={until}");
    let asked = Instant::now();
    loop {
        let answer = site.ask(&path).await.unwrap().json();
        let intervals = answer["intervals"].as_array().unwrap();
        let found = intervals
            .iter()
            .find(|one| time(&one["start"]) == Some(minute));
        if found.is_some_and(|one| one["state"] == "closed") {
            break;
        }
        // It closes a minute after its end.
        assert!(asked.elapsed() < 2 * super::PATIENCE, "{answer}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let rows = settle(&site, daemon).await;
    witness.finds_everything(&rows);
    no_row_has_a_wrong_time(&rows, start);
    assert!(readings_between(&rows, start, until) > 0);
    park.stop().await;
}

#[tokio::test]
async fn a_jump_of_three_hours_is_held_and_undone_without_a_trace() {
    tokio::join!(
        jumps_and_comes_back(3 * HOURS),
        jumps_and_comes_back(-3 * HOURS)
    );
}

async fn jumps_and_comes_back(ahead: i64) {
    let park = park().await;
    let site = Site::of(&park);
    let start = wall();
    let daemon = site.start();
    site.until("stores", |live| stored_until(live).is_some())
        .await;
    let mut witness = Witness::default();
    watch(&site, &mut witness, 0, 3, is_trusted).await;

    site.machine.clock_is_ahead(ahead);
    let jumped = Instant::now();
    let from = wall();
    let live = watch(&site, &mut witness, ahead, 8, is_untrusted).await;
    assert!(site.machine.has_bitten("clock"));
    assert!(live["electricity"]["generation"]["w"].is_f64(), "{live}");
    assert!(stored_until(&live) < Some(wall()), "{live}");
    site.manager
        .hears_status(jumped, "clock is not trusted")
        .await;
    let until = wall();
    site.machine.is_well();
    watch(&site, &mut witness, 0, 3, is_trusted).await;

    let rows = settle(&site, daemon).await;
    witness.finds_everything(&rows);
    no_row_has_a_wrong_time(&rows, start);
    assert!(readings_between(&rows, from, until) > 0);
    park.stop().await;
}

#[tokio::test]
async fn a_jump_that_time_synchronisation_made_is_believed() {
    let park = park().await;
    let site = Site::of(&park);
    let daemon = site.start();
    site.until("stores", |live| stored_until(live).is_some())
        .await;
    let ahead = 3 * HOURS;
    let mut witness = Witness::default();
    site.machine.clock_is_ahead(ahead);
    let from = wall().as_millisecond() + ahead * 1_000;
    watch(&site, &mut witness, ahead, 4, is_untrusted).await;
    let set = wall().as_second() + ahead;
    site.machine
        .breaks(&[format!("clock {ahead}"), format!("synced {set}")]);
    site.until("is trusted", is_trusted).await;
    assert!(site.machine.has_bitten("synced"));
    let now = wall() + jiff::SignedDuration::from_secs(ahead);
    site.until("stores", |live| stored_until(live) >= Some(now))
        .await;
    daemon.ends_well(&site).await;
    // What was held has the time of the new clock, from the jump on.
    let rows = rows(&site.store());
    let held = from..set * 1_000;
    assert!(
        rows.iter()
            .any(|row| row.meter.is_some() && held.contains(&row.time_ms))
    );
    no_key_has_two_values(&rows);
    no_energy_is_negative(&rows);
    park.stop().await;
}

#[tokio::test]
async fn a_box_that_restarts_before_its_newest_record_waits_until_that_has_passed() {
    let park = park().await;
    let site = Site::of(&park);
    let start = wall();
    let daemon = site.start();
    site.until("stores", |live| stored_until(live).is_some())
        .await;
    daemon.ends_well(&site).await;
    let stored = rows(&site.store());
    let newest = stored.iter().map(|row| row.time_ms).max().unwrap();

    for how in ["set", "passed"] {
        let ahead = if how == "set" { -2 * HOURS } else { -25 };
        site.machine.clock_is_ahead(ahead);
        let before = rows(&site.store());
        let daemon = site.start();
        let mut witness = Witness::default();
        let live = watch(&site, &mut witness, ahead, 3, is_untrusted).await;
        assert!(live["electricity"]["generation"]["w"].is_f64(), "{live}");
        assert_eq!(rows(&site.store()), before, "{how}");
        if how == "set" {
            site.machine.is_well();
        }
        let live = site.until("is trusted", is_trusted).await;
        assert!(
            time(&live["at"]).unwrap().as_millisecond() >= newest,
            "{live}"
        );
        let now = time(&live["at"]);
        site.until("stores", |live| stored_until(live) > now).await;
        daemon.ends_well(&site).await;
        let rows = rows(&site.store());
        no_key_has_two_values(&rows);
        no_energy_is_negative(&rows);
        no_row_has_a_wrong_time(&rows, start);
        if how == "set" {
            witness.finds_everything(&rows);
        } else {
            // Their time is taken; they stand right behind it, and none is lost.
            assert!(rows.len() - before.len() > witness.count() / 10, "{how}");
        }
    }
    park.stop().await;
}

#[tokio::test]
async fn a_daemon_that_ends_under_a_clock_that_is_ahead_leaves_no_time_to_come() {
    let park = park().await;
    let site = Site::of(&park);
    let start = wall();
    let daemon = site.start();
    site.until("stores", |live| stored_until(live).is_some())
        .await;
    site.machine.clock_is_ahead(3 * HOURS);
    site.until("is untrusted", is_untrusted).await;
    // The meters are asked a moment after the tick that noticed it.
    while site.metric("sunledger_clock_held_readings").await < Some(1.0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    daemon.ends_well(&site).await;
    assert!(
        site.log().contains("held readings are lost"),
        "{}",
        site.log()
    );
    no_row_has_a_wrong_time(&rows(&site.store()), start);

    site.machine.is_well();
    let daemon = site.start();
    let mut witness = Witness::default();
    watch(&site, &mut witness, 0, 3, is_trusted).await;
    let rows = settle(&site, daemon).await;
    witness.finds_everything(&rows);
    no_row_has_a_wrong_time(&rows, start);
    park.stop().await;
}

#[tokio::test]
async fn a_step_of_half_a_minute_is_taken_as_it_comes() {
    tokio::join!(steps(30), steps(-30));
}

async fn steps(step: i64) {
    let park = park().await;
    let site = Site::of(&park).watched(Duration::from_secs(20));
    let daemon = site.start();
    site.until("stores", |live| stored_until(live).is_some())
        .await;
    site.machine.clock_is_ahead(step);
    let stepped = Instant::now();
    let mut witness = Witness::default();
    let mut last = Value::Null;
    let mut marked = 0;
    // The page moves on, and a time that comes twice is not recorded twice.
    while stepped.elapsed() < Duration::from_secs(36) {
        let seq = last["seq"].clone();
        last = site.until("moves on", |live| live["seq"] != seq).await;
        marked += usize::from(is_untrusted(&last));
        if step > 0 && site.machine.has_bitten("clock") {
            witness.sees(&last, 0);
        }
    }
    assert!(site.machine.has_bitten("clock"));
    assert!(is_trusted(&last), "{last}");
    assert_eq!(marked > 0, step < 0, "{step} s: {marked} frames are marked");
    site.manager.hears(stepped, "WATCHDOG=1", 4).await;
    let now = time(&last["at"]);
    site.until("stores", |live| stored_until(live) > now).await;
    daemon.ends_well(&site).await;
    let rows = rows(&site.store());
    no_key_has_two_values(&rows);
    no_energy_is_negative(&rows);
    park.stop().await;
}
