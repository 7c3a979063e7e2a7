//! The small machines by themselves: how long, and what was counted.

use jiff::Timestamp;

use super::super::finding::{Judged, seen};
use super::super::hold::{Hold, Needs, Turn};
use super::super::pair::Pair;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_272_000 + second).unwrap()
}

/// One letter for each ten seconds: `s` seen, `c` clear, `n` not known; what opened and
/// closed, and after how many seconds.
fn turns(looks: &str, needs: Needs) -> Vec<(i64, Turn)> {
    let mut hold = Hold::default();
    let mut turns = Vec::new();
    for (nth, look) in looks.chars().enumerate() {
        let judged = match look {
            's' => seen("it", (1.0, 0.0, "W"), "a fault", "mend it"),
            'c' => Judged::Clear,
            _ => Judged::Not("it is not known"),
        };
        let second = i64::try_from(nth).unwrap() * 10;
        let turn = hold.step(at(second), 10_000, judged, needs);
        turns.extend(turn.map(|turn| (second, turn)));
    }
    turns
}

#[test]
fn a_condition_must_last_and_a_gap_is_no_time() {
    use Turn::{Closed, Opened};
    let lasting = Needs::Lasting(40_000);
    #[rustfmt::skip]
    let cases = [
        // looks                 needs                  turns
        ("ssss",                 lasting,               vec![]),
        ("sssss",                lasting,               vec![(40, Opened)]),
        ("sssscssss",            lasting,               vec![]),
        ("ssnnnnnnsss",          lasting,               vec![]),
        ("ssnnnnnnssss",         lasting,               vec![(110, Opened)]),
        ("snsnsnsnsnsnsnsn",     lasting,               vec![]),
        ("ssssscccccc",          lasting,               vec![(40, Opened), (100, Closed)]),
        ("ssssscccccscccccc",    lasting,               vec![(40, Opened), (160, Closed)]),
        ("sssssnnnnnnnnnnnnnnn", lasting,               vec![(40, Opened)]),
        ("scscsss",              Needs::InARow(3),      vec![(60, Opened)]),
        ("ssssc",                Needs::InARow(3),      vec![(20, Opened), (40, Closed)]),
        ("cscccc",               Needs::Once(30_000),   vec![(10, Opened), (40, Closed)]),
        ("nnnn",                 Needs::Once(30_000),   vec![]),
    ];
    for (looks, needs, expected) in cases {
        assert_eq!(turns(looks, needs), expected, "{looks}");
    }
}

/// What was seen before an hour of nothing is not the beginning of what is seen after.
#[test]
fn what_is_unknown_for_an_hour_is_forgotten() {
    let looks = format!("sss{}ss", "n".repeat(359));
    let opens = |looks: &str| turns(looks, Needs::Lasting(30_000)).len();
    assert_eq!(opens(&looks), 1);
    assert_eq!(opens(&looks.replacen('n', "nnn", 1)), 0);
}

/// 600 W for a minute are 10 Wh. Where a counter is heard before its flow, a stretch
/// begins with the second of both: less is compared, and nothing wrong.
#[test]
fn a_gap_is_left_out_on_both_sides() {
    for (counts_first, expected) in [(false, 1_020.0), (true, 10.0)] {
        let mut pair = Pair::default();
        for (minute, watts) in [(0, 600.0), (1, 600.0), (2, 600.0), (32, 60e3), (33, 60e3)] {
            let ms = minute * 60_000;
            let by = if minute == 32 { 5e3 } else { watts / 60.0 };
            if counts_first {
                pair.counts(ms, by, 90_000);
            }
            pair.flows(ms, watts, 90_000);
            if !counts_first {
                pair.counts(ms, by, 90_000);
            }
        }
        let known = [pair.integrated, pair.counted];
        assert!(
            known.iter().all(|wh| (wh - expected).abs() < 1e-6),
            "{known:?}"
        );
    }
}
