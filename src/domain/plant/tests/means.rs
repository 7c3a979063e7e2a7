//! Means of sensors over intervals.

use proptest::prelude::*;

use super::vectors::close;
use super::*;

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(BEGIN + second).unwrap()
}

fn slot(at: Timestamp) -> Span {
    hour((at.as_second() - BEGIN).div_euclid(3_600))
}

/// What comes out of readings at seconds after nine o'clock.
fn heard(joint: Joint, readings: &[(i64, f64)], closed: Option<i64>) -> Vec<Observed> {
    let mut tally = Tally::default();
    let mut out = Vec::new();
    for (second, value) in readings {
        tally.hear(
            &input("sky", "dni"),
            (moment(*second), *value),
            joint,
            &slot,
            &mut out,
        );
    }
    if let Some(nth) = closed {
        tally.close(&input("sky", "dni"), hour(nth), joint, &mut out);
    }
    out
}

#[test]
fn a_mean_is_the_area_under_the_readings_cut_at_the_hour() {
    let line = Joint::Line(3_600_000);
    // From 0 to 800 over two hours, read each half hour: the hours are at 200 and 600.
    let readings = [(0, 0.0), (1_800, 200.0), (5_400, 600.0), (7_200, 800.0)];
    let out = heard(line, &readings, None);
    let told: Vec<_> = out
        .iter()
        .map(|one| (one.span, one.mean, one.last, one.coverage_pct))
        .collect();
    assert_eq!(
        told,
        [
            (hour(0), 200.0, 400.0, 100.0),
            (hour(1), 600.0, 800.0, 100.0)
        ]
    );
    // The last reading of the hour is at its end, and the next hour begins with it.
    let out = heard(line, &[(0, 1.0), (3_600, 1.0)], None);
    assert_eq!(out.len(), 1);
}

#[test]
fn across_a_gap_nothing_is_known() {
    let line = Joint::Line(60_000);
    let mut readings: Vec<(i64, f64)> = (0..=10).map(|nth| (nth * 60, 500.0)).collect();
    readings.extend((50..=70).map(|nth| (nth * 60, 900.0)));
    let out = heard(line, &readings, None);
    let [one] = &out[..] else { panic!("{out:?}") };
    // Ten minutes at 500 and ten at 900 of an hour.
    close(one.mean, 700.0, 1e-12, "mean");
    close(one.coverage_pct, 100.0 / 3.0, 1e-12, "coverage");
    assert_eq!(one.stated().unwrap_err().meters(), ["sky"]);
    // An hour of silence in between has no mean at all.
    let out = heard(
        line,
        &[(0, 1.0), (60, 1.0), (7_300, 1.0), (7_320, 1.0)],
        Some(2),
    );
    let spans: Vec<Span> = out.iter().map(|one| one.span).collect();
    assert_eq!(spans, [hour(0), hour(2)]);
    assert!(heard(line, &[(5, 1.0)], Some(0)).is_empty());
}

#[test]
fn what_is_told_on_change_stands_until_it_changes() {
    let out = heard(Joint::Step, &[(0, 0.0), (900, 1.0), (10_800, 0.0)], None);
    let told: Vec<_> = out
        .iter()
        .map(|one| (one.mean, one.last, one.coverage_pct))
        .collect();
    assert_eq!(
        told,
        [(0.75, 1.0, 100.0), (1.0, 1.0, 100.0), (1.0, 1.0, 100.0)]
    );
    let out = heard(Joint::Step, &[(0, 4.0)], Some(0));
    assert_eq!((out[0].mean, out[0].coverage_pct), (4.0, 100.0));
}

#[test]
fn an_older_reading_says_nothing_new_and_a_restart_goes_on() {
    let line = Joint::Line(3_600_000);
    let plain = heard(line, &[(0, 0.0), (1_800, 100.0), (3_600, 0.0)], None);
    let again = heard(
        line,
        &[
            (0, 0.0),
            (1_800, 100.0),
            (1_800, 7.0),
            (900, 9.0),
            (3_600, 0.0),
        ],
        None,
    );
    assert_eq!(plain, again);
    let mut tally = Tally::default();
    let mut out = Vec::new();
    let of = input("sky", "dni");
    tally.hear(&of, (moment(0), 0.0), line, &slot, &mut out);
    tally.hear(&of, (moment(1_800), 100.0), line, &slot, &mut out);
    let kept = serde_json::to_string(&tally).unwrap();
    let mut tally: Tally = serde_json::from_str(&kept).unwrap();
    tally.hear(&of, (moment(3_600), 0.0), line, &slot, &mut out);
    assert_eq!(out, plain);
}

proptest! {
    /// The areas of the hours add up to the area under the line, wherever it is cut.
    #[test]
    fn hours_add_up_to_the_whole(steps in prop::collection::vec((1_i64..2_000, -50.0..50.0_f64), 2..60)) {
        let mut second = 0;
        let mut readings = vec![(0, 1.0)];
        for (step, value) in steps {
            second += step;
            readings.push((second, value));
        }
        let end = (second / 3_600 + 1) * 3_600;
        let last = readings.last().unwrap().1;
        readings.push((end, last));
        let whole: f64 = readings
            .windows(2)
            .map(|pair| (pair[0].1 + pair[1].1) / 2.0 * crate::domain::units::to_f64(pair[1].0 - pair[0].0))
            .sum();
        let out = heard(Joint::Line(i64::MAX), &readings, None);
        let sum: f64 = out.iter().map(|one| one.mean * 3_600.0 * one.coverage_pct / 100.0).sum();
        prop_assert!((sum - whole).abs() < 1e-6 * (1.0 + whole.abs()), "{sum} {whole}");
        prop_assert!(out.iter().all(|one| (one.coverage_pct - 100.0).abs() < 1e-9));
    }
}
