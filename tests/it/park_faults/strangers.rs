//! Answers that come late, twice, out of order or from a stranger.

use std::time::Duration;

use sunledger::simulate::rehearsal::{At, Settings};
use sunledger::sys::clock;

use super::meter::neighbours;
use super::{Site, anywhere};

/// What the daemon waits for an answer; late ones are later by 200 ms.
const TIMEOUT: Duration = Duration::from_millis(150);
const PERIOD_MS: u64 = 500;
/// What goes wrong where nothing in an answer tells its question, and how often.
const WITHOUT_TRANSACTIONS: [(&str, usize); 4] = [
    ("late:5:200ms", 20),
    ("slow:2:40ms", 20),
    ("wrong-unit:11", 5),
    ("duplicate:13", 5),
];

/// Twelve meters on four units, until each fault has struck so often; then the faults end
/// and every meter is heard again.
async fn nothing_is_of_another(at: At, faults: &[(&str, usize)]) {
    let words: Vec<&str> = faults.iter().map(|(fault, _)| *fault).collect();
    let settings = Settings::encoding(at, TIMEOUT);
    let site = Site::start(settings, &words, neighbours(4), PERIOD_MS).await;
    site.until("the faults strike", |site| {
        let enough = |(fault, times): &(&str, usize)| {
            let name = fault.split(':').next().unwrap();
            site.struck(name) >= *times
        };
        // The judge has something to judge: a good deal is stored, a good deal is not.
        let judged = site.judged();
        faults.iter().all(enough) && judged.stored.len() > 50 && judged.gaps().len() > 10
    })
    .await;
    site.park.faults().off("*").unwrap();
    site.all_heard("it is well again", clock::wall(), |_| true)
        .await;
    let asked = site.park.log().asked();
    let judged = site.end().await;
    let (questions, stored, gaps) = (asked.len(), judged.stored.len(), judged.gaps().len());
    println!("{questions} questions, {stored} stored, {gaps} gaps");
    assert_eq!(judged.rows.len(), 12, "every meter was heard");
    // An answer that names another is nobody's, whatever it holds.
    for one in asked {
        let another = ["wrong-transaction", "wrong-unit"];
        let names_another = another.iter().any(|fault| one.struck.contains(fault));
        let is_stored = judged.stored.contains(&one.sequence);
        assert!(!(names_another && is_stored), "{one:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_in_the_journal_is_of_another_meter_though_a_gateway_answers_late() {
    #[rustfmt::skip]
    let faults = [
        ("late:5:200ms",         20),
        ("wrong-transaction:7",  10),
        ("wrong-unit:11",         5),
        ("duplicate:13",          5),
        ("overtaken:17",          5),
        ("max-sockets:1",         0),
    ];
    nothing_is_of_another(At::Tcp(anywhere()), &faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_in_the_journal_is_of_another_meter_behind_a_serial_server() {
    nothing_is_of_another(At::RtuOverTcp(anywhere()), &WITHOUT_TRANSACTIONS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_in_the_journal_is_of_another_meter_on_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let at = At::Rtu(dir.path().join("line"), None);
    nothing_is_of_another(at, &WITHOUT_TRANSACTIONS).await;
}
