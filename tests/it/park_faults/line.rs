//! A line that repeats questions, crackles, flips bits and hands over frames in pieces.

use std::time::Duration;

use sunledger::simulate::rehearsal::log::Asked;
use sunledger::simulate::rehearsal::{At, Settings};
use sunledger::sys::clock;

use super::Site;
use super::meter::neighbours;

/// An answer that is damaged costs this; none is late here.
const TIMEOUT: Duration = Duration::from_secs(1);
const PERIOD_MS: u64 = 100;
/// Questions in each part.
const QUESTIONS: u64 = 250;

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_echoes_crackles_and_flips_bits_costs_readings_and_never_a_wrong_one() {
    let dir = tempfile::tempdir().unwrap();
    let at = At::Rtu(dir.path().join("line"), None);
    let settings = Settings::encoding(at, TIMEOUT);
    let site = Site::start(settings, &[], neighbours(3), PERIOD_MS).await;
    #[rustfmt::skip]
    let parts = [
        ["echo",           "split:3:2ms", "bad-crc:1%"],
        ["partial-echo:2", "noise:10%",   "bad-crc:1%"],
        ["echo",           "noise:10%",   "split:1:1ms"],
    ];
    for faults in parts {
        for fault in faults {
            site.park.faults().on(fault).unwrap();
        }
        let (asked, hit) = (site.park.log().questions(), site.struck("bad-crc"));
        let flips = faults.contains(&"bad-crc:1%");
        site.until("enough was asked", |site| {
            site.park.log().questions() >= asked + QUESTIONS
                && (!flips || site.struck("bad-crc") > hit)
        })
        .await;
        site.park.faults().off("*").unwrap();
    }
    site.all_heard("it is well again", clock::wall(), |_| true)
        .await;
    let asked = site.park.log().asked();
    let judged = site.end().await;
    let flipped = asked.iter().filter(|one| one.struck.contains(&"bad-crc"));
    for one in flipped.clone() {
        assert!(!judged.stored.contains(&one.sequence), "{one:?}");
    }
    for fault in ["echo", "partial-echo", "noise", "split"] {
        let through =
            |one: &&Asked| has_struck(one, fault) && judged.stored.contains(&one.sequence);
        let stored = asked.iter().filter(through).count();
        assert!(stored >= 10, "{fault}: {stored} read all the same");
    }
    // What is damaged costs its own reading: the next question is in step again.
    let damaged = asked
        .iter()
        .filter(|one| has_struck(one, "bad-crc") || has_struck(one, "noise"));
    let (gaps, damaged) = (judged.gaps().len(), damaged.count());
    println!(
        "{} questions, {} stored, {} flipped, {damaged} damaged, {gaps} gaps",
        asked.len(),
        judged.stored.len(),
        flipped.count()
    );
    assert!(gaps <= damaged, "{gaps} gaps, {damaged} damaged");
}

fn has_struck(one: &Asked, fault: &str) -> bool {
    one.struck.contains(&fault)
}
