//! `demo`: a park on this machine, from its first word to its end.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use sunledger::sys::clock::wall;

use crate::support::daemon::{Daemon, END_WITHIN, ask, run, sunledger};
use crate::support::http::get;

/// The moment of a line of the log.
fn logged(err: &str, words: &str) -> Timestamp {
    let line = err.lines().find(|line| line.contains(words));
    let line = line.unwrap_or_else(|| panic!("{words:?} in {err}"));
    line.split(' ').next().unwrap().parse().unwrap()
}

fn power(live: &Json, meter: &str) -> f64 {
    let meters = live["meters"].as_array().unwrap();
    let found = meters.iter().find(|one| one["id"] == meter).unwrap();
    found["power_w"].as_f64().unwrap()
}

#[tokio::test]
async fn a_demo_tells_its_address_and_ends_by_itself_counted_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let demo = Daemon::demo(&["--for", "3s", "--data", data]).await;
    assert_eq!(demo.out(), format!("listening on {}\n", demo.url()));
    assert_eq!(get(demo.address, "/").await.code, 200);
    let ended = demo.ended(Duration::from_secs(3) + END_WITHIN * 5).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.no_panic();
    let (served, stopping) = (
        logged(&ended.err, "The page is served."),
        logged(&ended.err, "Stopping."),
    );
    // The clock of the log is not the clock of the timer.
    let lived = stopping.duration_since(served);
    assert!(lived > SignedDuration::from_millis(2_900), "{lived}");
    assert!(
        ended.err.contains("Everything heard is stored."),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_signal_ends_a_demo_whenever_it_comes() {
    for (signal, at_once) in [("TERM", false), ("INT", false), ("TERM", true)] {
        let demo = Daemon::demo(&[]).await;
        if !at_once {
            demo.until("a tick", |live| live["seq"].as_i64() > Some(1))
                .await;
        }
        let ended = demo.end(signal).await;
        assert_eq!(ended.code, Some(0), "{signal}: {ended:?}");
        assert!(
            ended.err.contains("Everything heard is stored."),
            "{ended:?}"
        );
        ended.no_panic();
    }
}

#[tokio::test]
async fn the_hour_moves_the_sun_and_not_the_time() {
    for (hour, shines) in [("12", true), ("0", false)] {
        let demo = Daemon::demo(&["--hour", hour]).await;
        let live = demo
            .until("the PV meter", |live| {
                let meters = live["meters"].as_array().unwrap();
                let pv = meters.iter().find(|meter| meter["id"] == "pv");
                pv.is_some_and(|pv| pv["quality"] == "good")
            })
            .await;
        assert_eq!(power(&live, "pv") > 10_000.0, shines, "{hour}: {live}");
        let at = live["at"].as_str().unwrap();
        assert!(at.ends_with("+08:00"), "{at}");
        let off = wall().duration_since(at.parse().unwrap()).abs();
        assert!(off < SignedDuration::from_secs(50), "{hour}: {off}");
    }
}

#[tokio::test]
async fn one_seed_tells_one_past_and_another_seed_another() {
    let date = super::report::yesterday().await;
    let mut pasts = Vec::new();
    for seed in ["7", "7", "8"] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().to_str().unwrap();
        let demo = Daemon::demo(&["--seed", seed, "--data", data]).await;
        demo.until("the first tick", |live| live["seq"].as_i64() > Some(0))
            .await;
        let said = ask(&[
            "report",
            "grid-export",
            "--data",
            data,
            "--from",
            &date,
            "--to",
            &date,
        ])
        .await;
        assert_eq!(said.code, Some(0), "{said:?}");
        pasts.push(said.out);
    }
    assert_eq!(pasts[0], pasts[1]);
    assert_ne!(pasts[0], pasts[2]);
}

#[tokio::test]
async fn a_demo_without_a_directory_leaves_nothing_behind() {
    let temp = tempfile::tempdir().unwrap();
    let within = |arguments: &[&str]| {
        let mut command = sunledger(arguments);
        command.env("TMPDIR", temp.path());
        command
    };
    let left = || super::files(temp.path()).into_keys().collect::<Vec<_>>();
    let by_itself =
        Daemon::start(within(&["demo", "--listen", "127.0.0.1:0", "--for", "1s"])).await;
    assert!(
        !left().is_empty(),
        "its books are in the directory for temporary files"
    );
    let ended = by_itself.ended(END_WITHIN * 5).await;
    assert_eq!((ended.code, left()), (Some(0), Vec::new()));

    let told = Daemon::start(within(&["demo", "--listen", "127.0.0.1:0"])).await;
    let taken = told.address.to_string();
    let refused = run(&mut within(&["demo", "--listen", &taken])).await;
    refused.must_say(74, &[&taken]);
    assert_eq!(told.end("TERM").await.code, Some(0));
    let entries = std::fs::read_dir(temp.path()).unwrap();
    assert_eq!(entries.count(), 0);
}

#[tokio::test]
async fn a_demo_goes_on_in_the_books_it_finds() {
    let date = super::report::yesterday().await;
    let books = super::books().await;
    let data = books.path().to_str().unwrap();
    let report = [
        "report",
        "grid-export",
        "--data",
        data,
        "--from",
        &date,
        "--to",
        &date,
    ];
    let before = ask(&report).await;
    let again = Daemon::demo(&["--data", data]).await;
    let live = again
        .until("a tick", |live| live["seq"].as_i64() > Some(1))
        .await;
    let since = live["ratios"]["from"].as_str().unwrap();
    assert!(
        since.contains("T00:00:00"),
        "today from midnight on: {since}"
    );
    assert_eq!(again.end("TERM").await.code, Some(0));
    let after = ask(&report).await;
    assert_eq!((before.code, before.out), (after.code, after.out));
}
