//! A late word on a meter revises its interval, and those that are computed from it.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Connection;

use super::*;
use crate::domain::balance::Settled;
use crate::domain::flow::{FLOW_COUNT, Flow, Flows, Known};
use crate::domain::interval::Channel;
use crate::domain::meter::Carrier;
use crate::domain::quality::{Gaps, Quality, Reason};
use crate::domain::units::MilliwattHours;
use crate::store::ledger::schema::STEPS;

type Said = Result<i64, Reason>;
/// What is said of `main`, whether the span closes, revisions, what is kept of `twice`.
type Step = (
    &'static str,
    Option<Said>,
    bool,
    &'static [i64],
    Option<Said>,
);

fn span() -> Span {
    let start = Timestamp::from_second(1_780_272_000).unwrap();
    Span {
        start,
        end: start + std::time::Duration::from_secs(900),
    }
}

fn entry(meter: &str, energy: Result<i64, Reason>) -> Entry {
    Entry {
        meter: meter.into(),
        channel: Channel {
            carrier: Carrier::Electricity,
            positive: true,
        },
        span: span(),
        energy: energy.map(MilliwattHours),
        quality: energy.map_or(Quality::Missing, |_| Quality::Good),
        coverage_pct: 100.0,
        made: crate::domain::provenance::Made::REGISTER,
        opening: None,
        closing: None,
    }
}

/// `twice` is twice what `main` counted, and the generation of the park.
fn settle() -> Settle {
    Box::new(|entries, _, _| {
        let main = entries.iter().find(|entry| *entry.meter == *"main");
        let energy = main.map_or(Err(Reason::NeverSeen), |entry| entry.energy);
        let energy = energy.map(|energy| energy + energy);
        let mut stated = std::array::from_fn::<_, FLOW_COUNT, _>(|_| Err(Gaps::config()));
        stated[Flow::Generation.place()] = energy
            .map(Known::given)
            .map_err(|reason| Gaps::one(&Arc::from("main"), reason));
        Settled {
            flows: Flows::new(stated),
            derived: vec![entry("twice", energy.map(|energy| energy.0))],
        }
    })
}

fn kept(connection: &Connection) -> Vec<(String, Result<i64, Reason>)> {
    let entries = rows::entries(connection, &span()).unwrap();
    entries
        .into_iter()
        .map(|entry| (entry.meter.to_string(), entry.energy.map(|energy| energy.0)))
        .collect()
}

fn ledger() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    STEPS
        .iter()
        .for_each(|step| connection.execute_batch(step).unwrap());
    connection
}

/// Says something of `main`, or closes the span; the revisions that come of it.
fn heard(connection: &Connection, said: Option<Said>, closes: bool) -> Vec<i64> {
    let mut new = Pending::default();
    if let Some(energy) = said {
        let one = entry("main", energy);
        new.entries
            .insert((one.span, Arc::clone(&one.meter), one.channel), one);
    }
    if closes {
        new.closed.insert(span(), ExportShape::default());
    }
    let fresh = pending(connection, &new, &settle()).unwrap();
    fresh.iter().map(|interval| interval.revision).collect()
}

#[test]
fn what_an_entry_of_a_closed_span_said_is_kept_beside_what_it_says_now() {
    let connection = ledger();
    #[rustfmt::skip]
    let steps: [(&str, Said, bool, &[Said]); 5] = [
        // situation            main                  closes  what it said before
        ("under way",           Ok(100),              false,  &[]),
        ("closed, and silent",  Err(Reason::Timeout), true,   &[]),
        ("late",                Ok(400),              false,  &[Err(Reason::Timeout)]),
        ("the same",            Ok(400),              false,  &[Err(Reason::Timeout)]),
        ("later",               Ok(500),              false,  &[Err(Reason::Timeout), Ok(400)]),
    ];
    for (situation, said, closes, before) in steps {
        heard(&connection, Some(said), closes);
        let (from, to) = (span().start, span().end);
        let found = rows::entries_before(&connection, from, to).unwrap();
        let mains = found.iter().filter(|(_, entry)| &*entry.meter == "main");
        let revisions: Vec<(i64, Said)> = mains
            .map(|(nth, entry)| (*nth, entry.energy.map(|energy| energy.0)))
            .collect();
        let expected: Vec<(i64, Said)> = (1..).zip(before.iter().copied()).collect();
        assert_eq!(revisions, expected, "{situation}");
    }
}

#[test]
fn a_late_revision_of_an_input_revises_the_derived_entry_with_the_interval() {
    let connection = ledger();
    #[rustfmt::skip]
    let steps: [Step; 4] = [
        // situation               main                        closes  revision  twice
        ("under way",              Some(Ok(100)),               false,  &[],      None),
        ("closed, main is silent", Some(Err(Reason::Timeout)),  true,   &[1],     Some(Err(Reason::Timeout))),
        ("main speaks late",       Some(Ok(400)),               false,  &[2],     Some(Ok(800))),
        ("and says the same",      Some(Ok(400)),               false,  &[],      Some(Ok(800))),
    ];
    for (situation, said, closes, revisions, twice) in steps {
        assert_eq!(heard(&connection, said, closes), revisions, "{situation}");
        let found = kept(&connection);
        let found = found.iter().find(|one| one.0 == "twice").map(|one| one.1);
        assert_eq!(found, twice, "{situation}");
    }
}

#[test]
fn a_late_word_on_a_meter_that_is_in_no_flow_is_a_revision_and_what_was_said_is_kept() {
    let connection = Connection::open_in_memory().unwrap();
    STEPS
        .iter()
        .for_each(|step| connection.execute_batch(step).unwrap());
    // A tenant, and what is computed from it: no flow of the park rests on either.
    let settle: Settle = Box::new(|entries, shape, span| Settled {
        flows: Flows::new(std::array::from_fn::<_, FLOW_COUNT, _>(|_| {
            Err(Gaps::config())
        })),
        derived: settle()(entries, shape, span).derived,
    });
    let heard = |one: Entry, closes: bool| {
        let mut new = Pending::default();
        new.entries
            .insert((one.span, Arc::clone(&one.meter), one.channel), one);
        if closes {
            new.closed.insert(span(), ExportShape::default());
        }
        let fresh = pending(&connection, &new, &settle).unwrap();
        fresh.iter().map(|it| it.revision).collect::<Vec<_>>()
    };
    let main = |mwh| entry("main", Ok(mwh));
    let doubtful = Entry {
        quality: Quality::Suspect,
        ..main(400)
    };
    let read = Entry {
        opening: Some(MilliwattHours(7)),
        ..doubtful.clone()
    };
    #[rustfmt::skip]
    let steps: [(&str, Entry, bool, &[i64]); 7] = [
        ("under way",                 main(50),          false, &[]),
        ("closed",                    main(100),         true,  &[1]),
        ("and says the same",         main(100),         false, &[]),
        ("another energy",            main(400),         false, &[2]),
        ("another quality",           doubtful.clone(),  false, &[3]),
        ("another opening reading",   read,              false, &[4]),
        ("a channel nobody knew of",  entry("more", Ok(1)), false, &[5]),
    ];
    for (situation, said, closes, revisions) in steps {
        assert_eq!(heard(said, closes), revisions, "{situation}");
    }
    let (from, to) = (span().start, span().end);
    let before = rows::entries_before(&connection, from, to).unwrap();
    let before: Vec<_> = before
        .iter()
        .map(|(number, it)| (&*it.meter, *number, it.energy, it.quality))
        .collect();
    let known = |mwh| Ok(MilliwattHours(mwh));
    assert_eq!(
        before,
        [
            ("main", 1, known(100), Quality::Good),
            ("main", 2, known(400), Quality::Good),
            ("main", 3, known(400), Quality::Suspect),
            ("twice", 1, known(200), Quality::Good),
        ]
    );
}
