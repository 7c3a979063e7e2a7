//! Days that pass, and days in which just one thing is wrong.

use super::*;
use crate::domain::interval::Channel;
use crate::domain::meter::Carrier;
use crate::domain::provenance::Made;
use crate::domain::quality::Reason;
use crate::domain::time::{day, slots};

/// The quarter-hours of the autumn day on which the clocks go back: a hundred of them.
fn quarters() -> Vec<Span> {
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let span = day("2026-10-25".parse().unwrap(), &zone).unwrap();
    slots(span, &zone, 15).collect()
}

/// A day with 100 Wh in each quarter-hour, counted by a register of 1 Wh.
fn entries(slots: &[Span]) -> Vec<Entry> {
    let mut position = MilliwattHours(5_000_000);
    slots
        .iter()
        .map(|span| {
            let opening = position;
            position += MilliwattHours(100_000);
            Entry {
                meter: "m".into(),
                channel: Channel {
                    carrier: Carrier::Electricity,
                    positive: true,
                },
                span: *span,
                energy: Ok(MilliwattHours(100_000)),
                quality: Quality::Good,
                coverage_pct: 100.0,
                made: Made::REGISTER,
                opening: Some(opening),
                closing: Some(position),
            }
        })
        .collect()
}

fn energy(wh: i64) -> Result<MilliwattHours, Reason> {
    Ok(MilliwattHours(wh * 1_000))
}

/// Checks that a day does not pass, with the place of the interval they name.
fn found(change: impl Fn(&mut Vec<Entry>), usual_wh: &[i64]) -> Vec<(&'static str, Option<usize>)> {
    let slots = quarters();
    assert_eq!(slots.len(), 100);
    let mut entries = entries(&slots);
    change(&mut entries);
    let usual: Vec<MilliwattHours> = usual_wh
        .iter()
        .map(|wh| MilliwattHours(wh * 1_000))
        .collect();
    let all = validate(&Day {
        slots: &slots,
        entries: &entries,
        usual: &usual,
        rated: Some(Power::from_watts(600.0).unwrap()),
        count: Some(MilliwattHours(1_000)),
    });
    all.iter()
        .map(|one| {
            let place = |span| slots.iter().position(|slot| *slot == span);
            (one.check, one.span.and_then(place))
        })
        .collect()
}

/// The registers go with a changed interval: their sum stays right.
fn say(entries: &mut [Entry], place: usize, wh: i64) {
    let more = MilliwattHours((wh - 100) * 1_000);
    entries[place].energy = energy(wh);
    for entry in &mut entries[place..] {
        entry.closing = entry.closing.map(|closing| closing + more);
    }
    for entry in &mut entries[place + 1..] {
        entry.opening = entry.opening.map(|opening| opening + more);
    }
}

#[test]
fn a_day_in_which_nothing_is_wrong_passes() {
    assert_eq!(found(|_| (), &[9_000, 11_000, 10_000]), []);
    assert_eq!(found(|_| (), &[]), [], "a first day is like nothing");
}

/// What is wrong, how it comes about, and what is found.
type Case<'a> = (&'a str, fn(&mut Vec<Entry>), &'a [(&'a str, Option<usize>)]);

#[test]
fn a_day_in_which_one_thing_is_wrong_fails_for_that_alone() {
    #[rustfmt::skip]
    let cases: &[Case<'_>] = &[
        ("a quarter is unknown",       |all| all[7].energy = Err(Reason::Timeout),       &[("gap", Some(7))]),
        ("a quarter has no entry",     |all| drop(all.remove(7)),                        &[("gap", Some(7)), ("sum", None)]),
        ("an hour among the quarters", |all| { let mut hour = all[8].clone(); hour.span.end = all[11].span.end; hour.energy = energy(0); all.insert(9, hour); }, &[("overlap", None)]),
        ("a quarter was estimated",    |all| all[7].quality = Quality::Estimated,        &[("estimated", None)]),
        ("an interval is off",         |all| all[7].energy = energy(125),                &[("sum", None)]),
        ("a little off",               |all| all[7].energy = energy(119),                &[]),
        ("below zero",                 |all| { say(all, 7, -1); },                       &[("negative", Some(7))]),
        ("more than 600 W can be",     |all| for place in 4..7 { say(all, place, 166); }, &[("rated", Some(4)), ("rated", Some(5)), ("rated", Some(6))]),
        ("as much as they can be",     |all| for place in 4..7 { say(all, place, 165); }, &[]),
        ("nothing amid much",          |all| say(all, 7, 0),                             &[("zero", Some(7))]),
        ("nothing beside nothing",     |all| { say(all, 7, 0); say(all, 8, 0); },        &[]),
    ];
    for (what, change, expected) in cases {
        assert_eq!(found(change, &[10_000, 10_000]), *expected, "{what}");
    }
}

#[test]
fn a_spike_is_far_above_the_third_highest_and_not_small() {
    let with = |base: i64, peak: i64| {
        move |all: &mut Vec<Entry>| {
            for place in 0..100 {
                say(all, place, if place == 40 { peak } else { base });
            }
        }
    };
    // The third highest is 20: up to 56 is usual. 5 % of 600 W are 7.5 Wh.
    assert_eq!(found(with(20, 57), &[]), [("spike", Some(40))]);
    assert_eq!(found(with(20, 56), &[]), []);
    assert_eq!(found(with(2, 7), &[]), [], "small");
    assert_eq!(found(with(2, 8), &[]), [("spike", Some(40))]);
}

#[test]
fn a_day_is_held_against_such_days_if_there_are_two_and_it_is_whole() {
    // 10 kWh: half as much again as usual is the limit either way.
    for (usual, expected) in [
        (vec![6_600, 6_600], vec![("usual", None)]),
        (vec![6_700, 6_700], vec![]),
        (vec![20_000, 20_000], vec![]),
        (vec![20_100, 20_100], vec![("usual", None)]),
        (vec![50_000], vec![]),
    ] {
        assert_eq!(found(|_| (), &usual), expected, "{usual:?}");
    }
    let unknown = found(|all| all[7].energy = Err(Reason::Timeout), &[1, 1]);
    assert_eq!(unknown, [("gap", Some(7))]);
}
