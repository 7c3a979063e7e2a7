//! After an outage: what is new goes first, what waited behind it, and nothing is lost.

use crate::support::influx::{Influx, Next, Write};
use crate::support::shipping::{Rig, START_MS, tick};

use super::{holds_exactly, rig, statuses};

/// Blocks that wait when the server comes back: more than one request takes.
const WAITING: i64 = 100;
/// Rows of a block.
const ROWS: i64 = 300;

/// A sink before which as many blocks wait.
async fn behind() -> (Influx, Rig) {
    let (influx, rig) = rig().await;
    for n in 0..WAITING {
        rig.commit(&tick(n, ROWS));
    }
    (influx, rig)
}

/// The tick of the first row of a request.
fn first_tick(write: &Write) -> i64 {
    let (_, time) = write.text.lines().next().unwrap().rsplit_once(' ').unwrap();
    (time.parse::<i64>().unwrap() - START_MS) / 1_000
}

fn is_stored(influx: &Influx, n: i64) -> bool {
    let time_ns = (START_MS + n * 1_000) * 1_000_000;
    influx
        .state()
        .shelf()
        .keys()
        .any(|key| key.time_ns == time_ns)
}

/// The requests that were stored with rows from this tick on, and the others, in order.
fn lanes(influx: &Influx, from: i64) -> (Vec<i64>, Vec<i64>) {
    let state = influx.state();
    let stored = state.writes.iter().filter(|write| write.status == 204);
    stored.map(first_tick).partition(|tick| *tick >= from)
}

#[tokio::test]
async fn what_is_new_goes_first_and_the_backlog_follows_in_order() {
    let (influx, mut rig) = behind().await;
    rig.start();
    rig.settled(100).await;
    let seq = rig.commit(&tick(WAITING, ROWS));
    rig.settled(seq).await;
    holds_exactly(&influx, &rig.journal.text());
    let (new, old) = lanes(&influx, WAITING - 1);
    assert_eq!(first_tick(&influx.state().writes[0]), WAITING - 1);
    assert!(new.is_sorted() && old.is_sorted(), "{new:?} {old:?}");
    assert_eq!(old[0], 0);
    assert!(rig.cursors().is_sorted());
    let numbers = rig.stats.numbers();
    assert_eq!(numbers.delivered_points, rig.journal.points());
    assert_eq!((numbers.backlog_points, numbers.oldest), (0, None));
}

#[tokio::test]
async fn new_blocks_arrive_while_the_backlog_takes_its_time() {
    let (influx, mut rig) = behind().await;
    // One batch of the backlog, and then none for hours.
    rig.settings.backlog_rate = 1;
    rig.start();
    rig.until("the backlog has begun", || rig.cursor() > 0)
        .await;
    let begun = rig.cursor();
    for n in WAITING..WAITING + 10 {
        rig.commit(&tick(n, ROWS));
        rig.until("it is stored", || is_stored(&influx, n)).await;
    }
    assert_eq!(rig.cursor(), begun, "the cursor waits for the backlog");
    let left = u64::try_from(WAITING - 1).unwrap() - begun;
    rig.until("the rest of the backlog waits", || {
        rig.stats.numbers().backlog_points == left * 900
    })
    .await;
    let numbers = rig.stats.numbers();
    let oldest = START_MS + i64::try_from(begun + 1).unwrap() * 1_000;
    // The next batch is read when the rate allows, so the oldest is that of the first.
    assert!(numbers.oldest.unwrap().as_millisecond() <= oldest);

    // A restart in the middle: what is ahead of the cursor goes out again, the same.
    rig.stop().await;
    rig.settings.backlog_rate = 500_000;
    rig.stats = std::sync::Arc::default();
    rig.start();
    rig.settled(110).await;
    holds_exactly(&influx, &rig.journal.text());
    rig.until("nothing waits", || rig.stats.numbers().backlog_points == 0)
        .await;
}

#[tokio::test]
async fn an_outage_within_the_backlog_leaves_nothing_out() {
    let (influx, mut rig) = behind().await;
    rig.settings.backlog_rate = 60_000;
    rig.start();
    rig.until("the backlog has begun", || rig.cursor() > 0)
        .await;
    let away = |_| Next::Answer(503, vec![], String::new());
    influx.script((0..4).map(away));
    for n in WAITING..WAITING * 2 {
        rig.commit(&tick(n, ROWS));
    }
    rig.settled(200).await;
    holds_exactly(&influx, &rig.journal.text());
    assert!(rig.cursors().is_sorted());
    rig.until("nothing waits", || rig.stats.numbers().backlog_points == 0)
        .await;
    assert_eq!(rig.stats.numbers().delivered_points, rig.journal.points());
}

#[tokio::test]
async fn a_bad_row_is_set_aside_in_either_lane() {
    let (influx, rig) = rig().await;
    let mut rig = rig;
    let broken = |n: i64| {
        let row = format!("electricity,meter=a {n}");
        let text = tick(n, ROWS);
        let lost = text.lines().nth(7).unwrap();
        (
            text.replace(lost, &row),
            text.replace(&format!("{lost}\n"), ""),
            row,
        )
    };
    let mut expected = String::new();
    let mut bad = Vec::new();
    for n in 0..WAITING {
        if n == 5 || n == WAITING - 1 {
            let (text, good, row) = broken(n);
            rig.commit(&text);
            expected.push_str(&good);
            bad.push(row);
        } else {
            rig.commit(&tick(n, ROWS));
            expected.push_str(&tick(n, ROWS));
        }
    }
    rig.start();
    rig.settled(100).await;
    holds_exactly(&influx, &expected);
    let aside = rig.quarantine();
    for row in &bad {
        assert_eq!(aside.matches(&format!("{row}\n")).count(), 1, "{aside}");
    }
    assert_eq!(rig.stats.numbers().quarantined, 2);
}

#[tokio::test]
async fn a_revoked_token_holds_both_lanes_and_one_of_them_asks() {
    let (influx, mut rig) = behind().await;
    influx.state().token = "another".to_owned();
    rig.start();
    rig.until("it is refused five times", || statuses(&influx).len() >= 5)
        .await;
    assert_eq!((rig.cursor(), influx.state().shelf().len()), (0, 0));
    assert_eq!(rig.stats.numbers().backlog_points, 90_000);
    // Both lanes may have had one under way when the trouble began; then one asks.
    let writes = influx.state().writes.clone();
    let texts: Vec<&str> = writes[2..].iter().map(|write| &*write.text).collect();
    let waits: Vec<_> = writes[1..]
        .windows(2)
        .map(|two| two[1].at - two[0].at)
        .collect();
    assert!(
        waits.iter().all(|wait| wait.as_millis() >= 190),
        "{waits:?}"
    );
    assert_eq!(texts.len(), 3);
    influx.state().token = crate::support::influx::TOKEN.to_owned();
    rig.settled(100).await;
    holds_exactly(&influx, &rig.journal.text());
    assert_eq!(rig.stats.numbers().alarm, None);
}

#[tokio::test]
async fn never_more_than_two_requests_are_under_way() {
    let (influx, mut rig) = behind().await;
    let slow = |_| Next::Slow(std::time::Duration::from_millis(50));
    influx.script((0..8).map(slow));
    rig.start();
    rig.settled(100).await;
    let most = influx.state().most_at_once;
    assert_eq!(most, 2, "both lanes, and one request each");
    holds_exactly(&influx, &rig.journal.text());
}

#[tokio::test]
async fn blocks_that_vanish_from_the_backlog_do_not_keep_the_lanes_apart() {
    let (influx, mut rig) = behind().await;
    rig.settings.backlog_rate = 1;
    rig.start();
    rig.until("the backlog has begun", || rig.cursor() > 0)
        .await;
    rig.stop().await;
    rig.journal.forget(99);
    rig.settings.backlog_rate = 500_000;
    for n in WAITING..WAITING * 2 {
        rig.commit(&tick(n, ROWS));
    }
    rig.start();
    rig.settled(200).await;
    rig.until("nothing waits", || rig.stats.numbers().backlog_points == 0)
        .await;
    assert!(is_stored(&influx, WAITING) && is_stored(&influx, WAITING * 2 - 1));
}
