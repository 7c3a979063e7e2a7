//! Events: which may stand beside each other, and what corrections come to.

use proptest::prelude::*;

use super::*;
use crate::domain::meter::Carrier;

const IMPORT: Channel = Channel {
    carrier: Carrier::Electricity,
    positive: true,
};
const EXPORT: Channel = Channel {
    positive: false,
    ..IMPORT
};

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_200 + minute * 60).unwrap()
}

/// An event at minute 60 that was entered at minute 1000.
fn event(number: u64, channel: Channel, minute: i64, what: What) -> MeterEvent {
    MeterEvent {
        number,
        meter: "pcc".into(),
        channel,
        at: at(minute),
        what,
        who: "a technician".into(),
        why: "the meter was exchanged".into(),
        entered: at(1_000),
    }
}

fn exchange(number: u64, channel: Channel, minute: i64) -> MeterEvent {
    let broken = Break {
        last: Some(1_000),
        first: 3,
        worth: None,
    };
    event(number, channel, minute, What::Exchange(broken))
}

fn correction(number: u64, from: i64, until: i64, mwh: i64) -> MeterEvent {
    let what = What::Correction {
        until: at(until),
        energy: MilliwattHours(mwh),
    };
    event(number, IMPORT, from, what)
}

fn withdrawn(number: u64, of: u64) -> MeterEvent {
    event(number, IMPORT, 0, What::Withdrawn { of })
}

/// Quarter hours begin at every fifteenth minute.
fn is_boundary(moment: Timestamp) -> bool {
    (moment.as_second() - at(0).as_second()) % 900 == 0
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let there = [exchange(1, IMPORT, 60), correction(2, 120, 150, 5)];
    let anonymous = MeterEvent {
        who: " ".into(),
        ..exchange(0, IMPORT, 70)
    };
    #[rustfmt::skip]
    let cases = [
        ("a second exchange at another time", exchange(0, IMPORT, 61),      Ok(())),
        ("the same moment, another register", exchange(0, EXPORT, 60),      Ok(())),
        ("the same moment and register",      exchange(0, IMPORT, 60),      Err(Refusal::Overlaps { number: 1 })),
        ("not over yet",                      exchange(0, IMPORT, 1_001),   Err(Refusal::Future(at(1_001)))),
        ("a correction beside the other",     correction(0, 150, 165, 5),   Ok(())),
        ("one that overlaps it",              correction(0, 135, 165, 5),   Err(Refusal::Overlaps { number: 2 })),
        ("one around it",                     correction(0, 105, 165, 5),   Err(Refusal::Overlaps { number: 2 })),
        ("one of no time",                    correction(0, 150, 150, 5),   Err(Refusal::Empty(at(150)))),
        ("one that cuts an interval",         correction(0, 150, 160, 5),   Err(Refusal::NoBoundary(at(160)))),
        ("less than nothing",                 correction(0, 150, 165, -5),  Err(Refusal::Negative("-0.005".into()))),
        ("nobody says it",                    anonymous,                    Err(Refusal::Anonymous("who says it"))),
        ("withdraws the exchange",            withdrawn(0, 1),              Ok(())),
        ("withdraws what is not there",       withdrawn(0, 7),              Err(Refusal::Unknown(7))),
    ];
    for (name, event, expected) in cases {
        assert_eq!(admit(&event, &there, &is_boundary), expected, "{name}");
    }
}

#[test]
fn a_withdrawn_event_makes_room_for_another() {
    let there = [exchange(1, IMPORT, 60), withdrawn(2, 1)];
    assert_eq!(standing(&there), []);
    assert_eq!(
        admit(&exchange(0, IMPORT, 60), &there, &is_boundary),
        Ok(())
    );
    let again = withdrawn(0, 1);
    assert_eq!(
        admit(&again, &there, &is_boundary),
        Err(Refusal::Unknown(1))
    );
}

#[test]
fn an_event_comes_back_from_its_line() {
    for event in [
        exchange(1, EXPORT, 60),
        correction(2, 60, 90, 12),
        withdrawn(3, 1),
    ] {
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(
            serde_json::from_str::<MeterEvent>(&line).unwrap(),
            event,
            "{line}"
        );
    }
}

fn entry(channel: Channel, from: i64, until: i64) -> Entry {
    Entry {
        meter: "pcc".into(),
        channel,
        span: Span {
            start: at(from),
            end: at(until),
        },
        energy: Ok(MilliwattHours(77)),
        quality: Quality::Good,
        coverage_pct: 100.0,
        made: crate::domain::provenance::Made::REGISTER,
        opening: Some(MilliwattHours(1)),
        closing: Some(MilliwattHours(78)),
    }
}

proptest! {
    /// The intervals of a correction add up to it, whatever it is and they are.
    #[test]
    fn a_correction_is_what_its_intervals_add_up_to(mwh in 0_i64..1_000_000_000, quarters in 1_i64..200) {
        let standing = [correction(1, 60, 60 + 15 * quarters, mwh)];
        let shares: Vec<Entry> = (0..quarters)
            .map(|n| corrected(entry(IMPORT, 60 + 15 * n, 75 + 15 * n), &standing))
            .collect();
        let sum: i64 = shares.iter().map(|entry| entry.energy.unwrap().0).sum();
        prop_assert_eq!(sum, mwh);
        prop_assert!(shares.iter().all(|entry| entry.quality == Quality::Manual));
    }
}

#[test]
fn a_correction_touches_its_register_and_its_time_alone() {
    let standing = [correction(1, 60, 90, 10)];
    for (name, other) in [
        ("the other way", entry(EXPORT, 60, 75)),
        ("before", entry(IMPORT, 45, 60)),
        ("after", entry(IMPORT, 90, 105)),
        ("more than it", entry(IMPORT, 60, 120)),
    ] {
        assert_eq!(corrected(other.clone(), &standing), other, "{name}");
    }
}
