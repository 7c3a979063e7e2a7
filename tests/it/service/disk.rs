//! A disk that is full, and one that fails: measuring and showing go on, and
//! nothing is called stored that is not.

use std::time::{Duration, Instant};

use sunledger::sys::clock::wall;

use super::PATIENCE;
use super::daemon::{Site, park, stored_until, time};
use super::witness::{Witness, no_energy_is_negative, no_key_has_two_values, rows};

/// Longer than one attempt, and than a pause between two.
const TROUBLE: Duration = Duration::from_secs(10);
/// The trouble lasts for several of these.
const WATCHDOG: Duration = Duration::from_secs(4);

/// What everybody sees while the disk is in trouble and after it.
async fn trouble_passes(fault: &str, bites: &str, words: [&str; 2]) {
    let park = park().await;
    let site = Site::of(&park).watched(WATCHDOG);
    let (start, start_at) = (Instant::now(), wall());
    let daemon = site.start();
    site.until("stores", |live| stored_until(live).is_some())
        .await;
    site.manager.hears(start, "READY=1", 1).await;

    site.machine.breaks(&[fault.to_owned()]);
    let broken = Instant::now();
    site.manager.hears_status(broken, words[0]).await;
    assert!(site.machine.has_bitten(bites), "{fault} does not bite");
    let stood = site.live().await.unwrap();
    let mut witness = Witness::default();
    let mut last = stood.clone();
    let trouble = Instant::now();
    while trouble.elapsed() < TROUBLE {
        last = site
            .until("moves on in spite of the disk", |live| {
                live["seq"] != last["seq"]
            })
            .await;
        assert_eq!(last["stored_until"], stood["stored_until"], "{fault}");
        witness.sees(&last, 0);
        let ready = site.ask("/readyz").await.unwrap();
        assert_eq!(ready.code, 503, "{}", ready.text());
        let names_it = words.iter().any(|word| ready.text().contains(word));
        assert!(names_it, "{}", ready.text());
    }
    let books = format!("/api/v1/intervals?from={start_at}&to={}", wall());
    let report = site.ask(&books).await.unwrap();
    assert_eq!(report.code, 200, "{fault}: {}", report.text());
    // A store that answers is alive, whatever it answers.
    site.manager.hears(trouble, "WATCHDOG=1", 2).await;

    site.machine.is_well();
    let well = Instant::now();
    let shown = time(&last["at"]);
    site.until("stores again without a restart", |live| {
        stored_until(live) >= shown
    })
    .await;
    assert_eq!(site.ask("/readyz").await.unwrap().code, 200);
    let quiet = |line: &String| line.ends_with("points wait for delivery");
    while !site.manager.heard_since(well, "STATUS=").iter().any(quiet) {
        assert!(well.elapsed() < PATIENCE, "the status line stays alarmed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    daemon.ends_well(&site).await;
    let rows = rows(&site.store());
    witness.finds_everything(&rows);
    no_key_has_two_values(&rows);
    no_energy_is_negative(&rows);
    park.stop().await;
}

#[tokio::test]
async fn a_full_disk_stops_the_storing_alone_and_what_was_heard_meanwhile_follows() {
    trouble_passes(
        "write enospc",
        "write",
        ["No space left on device", "disk is full"],
    )
    .await;
}

#[tokio::test]
async fn a_disk_that_fails_to_sync_never_passes_for_one_that_stored() {
    trouble_passes("sync eio", "sync", ["Input/output error", "disk I/O error"]).await;
}

#[tokio::test]
async fn a_disk_that_turns_read_only_is_written_again_when_it_can_be() {
    trouble_passes(
        "write erofs",
        "write",
        ["Read-only file system", "disk I/O error"],
    )
    .await;
}

#[tokio::test]
async fn without_room_recording_stops_where_it_is_to_stop_and_everything_else_goes_on() {
    let park = park().await;
    // More than any disk has.
    let stops = "free_floor = \"900TiB\"\nwhen_full = \"stop_recording\"";
    let site = Site::with(&park, |text| text.replace("free_floor = \"0B\"", stops));
    let start = Instant::now();
    let daemon = site.start();
    let words = "nothing is recorded: the disk has less than store.free_floor left";
    site.manager.hears_status(start, words).await;
    let shown = site
        .until("measures", |live| live["meters"][0]["power_w"].is_number())
        .await;
    site.until("moves on", |live| live["seq"] != shown["seq"])
        .await;
    let ready = site.ask("/readyz").await.unwrap();
    assert_eq!(ready.code, 503, "{}", ready.text());
    assert!(ready.text().contains(words), "{}", ready.text());
    assert_eq!(site.metric("sunledger_journal_bytes").await, Some(0.0));
    let (status, _) = daemon.terminate().await;
    assert!(status.success(), "{status}\n{}", site.log());
    park.stop().await;
}

#[tokio::test]
async fn a_disk_that_is_well_again_before_the_end_has_everything() {
    let park = park().await;
    let site = Site::of(&park);
    let daemon = site.start();
    site.until("stores", |live| stored_until(live).is_some())
        .await;
    site.machine.breaks(&["write enospc".to_owned()]);
    site.manager
        .hears_status(Instant::now(), "No space left")
        .await;
    let mut witness = Witness::default();
    witness.sees(&site.live().await.unwrap(), 0);
    let room = async {
        let stopping = Instant::now();
        site.manager.hears(stopping, "STOPPING=1", 1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(site.machine.has_bitten("write"));
        site.machine.is_well();
    };
    let ((status, _), ()) = tokio::join!(daemon.terminate(), room);
    assert!(status.success(), "{status}\n{}", site.log());
    assert!(
        site.log().contains("Everything heard is stored"),
        "{}",
        site.log()
    );
    witness.finds_everything(&rows(&site.store()));
    park.stop().await;
}

#[tokio::test]
async fn a_disk_that_fails_to_the_end_does_not_hold_up_the_end() {
    let park = park().await;
    let site = Site::of(&park);
    let daemon = site.start();
    site.until("stores", |live| stored_until(live).is_some())
        .await;
    site.machine.breaks(&["write eio".to_owned()]);
    site.manager
        .hears_status(Instant::now(), "Input/output")
        .await;
    let (status, took) = daemon.terminate().await;
    assert!(status.success(), "{status} after {took:?}");
    assert!(
        site.log().contains("The disk did not take the last batch"),
        "{}",
        site.log()
    );
    park.stop().await;
}
