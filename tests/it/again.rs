//! A second question within the period, where the first went wrong by chance; with a
//! server that knows what it was asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sunledger::domain::quality::Reason;
use sunledger::domain::snapshot::Value;
use sunledger::source::Outcome;

use crate::modbus::{Source, poll, settings};
use crate::support::hostile::{Act, Ask, Hostile};

type Wrong = fn(&Ask) -> Vec<Act>;

/// What one meter said in its second cycle, whose first question went wrong in this
/// way; how often it was asked in it, and what was counted.
async fn spoilt(wrong: Wrong, timeout_ms: u64, period_ms: u64) -> (Said, usize, Vec<Outcome>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = Hostile::start(move |ask| match count.fetch_add(1, Ordering::SeqCst) {
        1 => wrong(ask),
        _ => ask.honest(),
    })
    .await;
    let polls = vec![poll(0, 1, period_ms, &[7])];
    let mut source = Source::start(settings(server.port, timeout_ms, polls));
    assert_eq!(source.next().await.values, [(0, Ok(Value::Analog(7.0)))]);
    let before = asked.load(Ordering::SeqCst);
    let heard = source.next().await;
    let asks = asked.load(Ordering::SeqCst) - before;
    let counts = source.stats.snapshot()[0].counts.into_iter();
    let counted = counts
        .filter(|(outcome, count)| *outcome != Outcome::Ok && *count > 0)
        .map(|(outcome, _)| outcome)
        .collect();
    (heard.values[0].1, asks, counted)
}

type Said = Result<Value, Reason>;

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_once_is_asked_again_in_the_same_cycle_and_counted() {
    let good = Ok(Value::Analog(7.0));
    let busy: Wrong = |ask| vec![Act::Send(ask.exception(6))];
    let stranger: Wrong = |ask| {
        let mut frame = ask.good();
        frame[1] = frame[1].wrapping_add(9);
        vec![Act::Send(frame)]
    };
    let silent: Wrong = |_| vec![];
    #[rustfmt::skip]
    let cases = [
        // What went wrong, timeout and period in ms     said, asks, counted
        ("busy",     busy,     2_000, 4_000, good, 2, Outcome::Exception),
        ("stranger", stranger, 500,   4_000, good, 2, Outcome::Short),
        ("silent",   silent,   500,   4_000, good, 2, Outcome::Timeout),
        // Where timeout and period are the same, the first question waits for half.
        ("short",    silent,   3_000, 3_000, good, 2, Outcome::Timeout),
    ];
    for (name, wrong, timeout_ms, period_ms, expected, times, outcome) in cases {
        let (said, asks, counted) = spoilt(wrong, timeout_ms, period_ms).await;
        assert_eq!((said, asks), (expected, times), "{name}");
        assert_eq!(counted, [outcome], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_dies_is_asked_three_times_before_it_is_left_alone() {
    let dies = Arc::new(AtomicBool::new(false));
    let is_dead = Arc::clone(&dies);
    let server = Hostile::start(move |ask| {
        if ask.unit == 2 && is_dead.load(Ordering::SeqCst) {
            vec![]
        } else {
            ask.honest()
        }
    })
    .await;
    let polls = vec![poll(0, 1, 1_000, &[7]), poll(1, 2, 1_000, &[8])];
    let mut source = Source::start(settings(server.port, 200, polls));
    let mut well = BTreeMap::new();
    while well.len() < 2 {
        let heard = source.next().await;
        well.insert(heard.meter, heard.values);
    }
    dies.store(true, Ordering::SeqCst);
    let asked = server.asks().len();
    let mut gaps = 0;
    while gaps < 4 {
        let heard = source.next().await;
        if heard.meter == 1 && heard.values[0].1 == Err(Reason::Timeout) {
            gaps += 1;
        }
    }
    let asks = server.asks().split_off(asked);
    let dead = asks.iter().filter(|ask| ask.unit == 2).count();
    assert_eq!(
        dead, 3,
        "two in the first cycle, one in the next, then none"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_in_trouble_and_one_that_hangs_up_are_not_asked_again() {
    let server = Hostile::start(|ask| vec![Act::Send(ask.exception(4))]).await;
    let polls = vec![poll(0, 1, 300, &[7])];
    let mut source = Source::start(settings(server.port, 200, polls));
    for _ in 0..4 {
        assert_eq!(source.next().await.values[0].1, Err(Reason::Exception));
    }
    // The one that is under way may have been asked already.
    assert!(server.asks().len() <= 5, "{:?}", server.asks().len());
    drop(source);

    let hangs: Wrong = |_| vec![Act::Wait(Duration::from_millis(1)), Act::Close];
    let (said, asks, _) = spoilt(hangs, 500, 4_000).await;
    // An idle close is told by nothing from a hang-up: once more on a new connection.
    assert_eq!((said, asks), (Ok(Value::Analog(7.0)), 2));
}
