use std::time::Duration;

use super::*;

const QUARTER: i64 = 900_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_780_272_000_000 + ms).unwrap()
}

fn interval(number: i64) -> Span {
    let start = at(number * QUARTER);
    Span {
        start,
        end: start + Duration::from_secs(900),
    }
}

fn meter() -> Arc<str> {
    Arc::from("oven")
}

/// Hears of the middle of intervals, and brings it to the disk at a tick.
fn heard(late: &mut Late, intervals: &[i64], tick: i64) {
    for number in intervals {
        let middle = number * QUARTER + QUARTER / 2;
        late.heard(&meter(), at(middle), interval(*number));
    }
    assert!(late.hand_over(at(tick)));
    late.stored();
}

/// The stretches of the meter, in intervals.
fn numbers(due: &Due) -> Vec<(i64, i64)> {
    let zero = at(0).as_millisecond();
    let stretches = due.0.get("oven").cloned().unwrap_or_default();
    let in_intervals = |ms: i64| (ms - zero) / QUARTER;
    stretches
        .iter()
        .map(|(from, until)| (in_intervals(*from), in_intervals(*until)))
        .collect()
}

/// Intervals that were touched, and the stretches that they come to.
type Case<'a> = (&'a [i64], &'a [(i64, i64)]);

#[test]
fn stretches_that_touch_are_one_and_of_too_many_the_nearest_become_one() {
    #[rustfmt::skip]
    let cases: [Case<'_>; 4] = [
        (&[3],              &[(3, 4)]),
        (&[3, 4, 3],        &[(3, 5)]),
        (&[7, 3, 4],        &[(3, 5), (7, 8)]),
        (&[3, 5, 4],        &[(3, 6)]),
    ];
    for (intervals, expected) in cases {
        let mut late = Late::default();
        heard(&mut late, intervals, 100 * QUARTER);
        assert_eq!(numbers(&late.due), expected, "{intervals:?}");
    }
    let mut late = Late::default();
    let apart: Vec<i64> = (0..20).map(|n| n * n).collect();
    heard(&mut late, &apart, 500 * QUARTER);
    let found = numbers(&late.due);
    assert_eq!(found.len(), MOST_STRETCHES);
    assert_eq!(found[0], (0, 17), "the nearest are the oldest here");
    assert_eq!(found.last(), Some(&(361, 362)));
}

#[test]
fn what_is_due_stays_due_until_it_is_done_through_failures_and_restarts() {
    let mut late = Late::default();
    heard(&mut late, &[3, 4, 9], 5 * QUARTER);
    assert_eq!(late.waiting(QUARTER), 3);
    let again = |late: &Late| Late::of_states(&[late.row()]);
    // Only what is over, and one thing at a time.
    let limit = at(4 * QUARTER).as_millisecond();
    let (due, open) = late.begin(limit).unwrap();
    assert_eq!((numbers(&due), open.is_empty()), (vec![(3, 4)], true));
    assert_eq!(late.begin(limit), None);
    assert_eq!(numbers(&late.due), [(4, 5), (9, 10)], "the rest waits");
    assert_eq!(numbers(&again(&late).due), [(3, 5), (9, 10)]);
    late.failed();
    assert_eq!(numbers(&late.due), [(3, 5), (9, 10)]);
    let (due, _) = late.begin(limit).unwrap();
    // Something more comes meanwhile, of the same interval.
    heard(&mut late, &[3], 6 * QUARTER);
    late.done(due);
    assert_eq!(numbers(&late.due), [(3, 5), (9, 10)]);
    assert_eq!(numbers(&late.open), [(3, 4)]);
    assert_eq!(again(&late), late);
    let (due, open) = late.begin(i64::MAX).unwrap();
    assert_eq!(numbers(&due), [(3, 5), (9, 10)]);
    assert_eq!(numbers(&open), [(3, 4)]);
    assert_eq!(numbers(&again(&late).open), [(3, 4)]);
    late.failed();
    assert_eq!(late.begin(i64::MAX), Some((due, open)));
    late.done(Due::default());
    assert_eq!(late.begin(i64::MAX), None);
    assert_eq!(late.waiting(QUARTER), 0);
    assert_eq!(
        late.places().len(),
        2,
        "recomputing by hand finds it for ever"
    );
}

#[test]
fn what_is_not_on_disk_is_not_due() {
    let mut late = Late::default();
    assert!(!late.hand_over(at(0)));
    late.heard(&meter(), at(5), interval(0));
    assert_eq!(late.begin(i64::MAX), None);
    assert_eq!(Late::of_states(&[late.row()]), Late::default());
    assert!(late.hand_over(at(QUARTER)));
    assert_eq!(late.begin(i64::MAX), None);
    // Its row goes with the block.
    assert_eq!(numbers(&Late::of_states(&[late.row()]).due), [(0, 1)]);
    late.stored();
    assert!(late.begin(i64::MAX).is_some());
}

#[test]
fn a_place_is_a_backlog_and_of_too_many_the_nearest_become_one() {
    let mut late = Late::default();
    heard(&mut late, &[3], 10 * QUARTER);
    heard(&mut late, &[1], 10 * QUARTER + 40_000);
    heard(&mut late, &[5], 10 * QUARTER + 50_000);
    let [place] = late.places() else {
        panic!("{:?}", late.places());
    };
    let middle = |number: i64| at(number * QUARTER + QUARTER / 2).as_millisecond();
    assert_eq!((place.from_ms, place.until_ms), (middle(1), middle(5)));
    assert_eq!(place.last_ms - place.first_ms, 50_000);
    for number in 0..70 {
        heard(
            &mut late,
            &[2],
            (20 + 2 * number + number * number) * QUARTER,
        );
    }
    assert_eq!(late.places().len(), MOST_PLACES);
    assert_eq!(late.places()[0].from_ms, middle(1));
}
