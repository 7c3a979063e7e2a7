//! What is read of intervals when only some flows are asked for.

use std::sync::Arc;

use super::*;
use crate::domain::balance::Settled;
use crate::domain::flow::{FLOW_COUNT, Flows, Known};
use crate::domain::interval::{Channel, Entry, ExportShape};
use crate::domain::meter::Carrier;
use crate::domain::quality::{Gaps, Quality};
use crate::domain::units::MilliwattHours;
use crate::store::ledger::write::pending;
use crate::store::pending::Pending;

fn span(nth: i64) -> Span {
    let at = |nth: i64| Timestamp::from_second(1_780_272_000 + nth * 900).unwrap();
    Span {
        start: at(nth),
        end: at(nth + 1),
    }
}

/// Closes intervals in which the only meter counted this.
fn close(connection: &Connection, said: &[(i64, i64)]) {
    let mut new = Pending::default();
    for (nth, mwh) in said {
        let one = Entry {
            meter: "roof".into(),
            channel: Channel {
                carrier: Carrier::Electricity,
                positive: true,
            },
            span: span(*nth),
            energy: Ok(MilliwattHours(*mwh)),
            quality: Quality::Good,
            coverage_pct: 100.0,
            made: crate::domain::provenance::Made::REGISTER,
            opening: None,
            closing: None,
        };
        new.closed.insert(one.span, ExportShape::default());
        new.entries
            .insert((one.span, Arc::clone(&one.meter), one.channel), one);
    }
    // An odd count is generation; an even one is load, and then nobody measures generation.
    let settle: super::super::Settle = Box::new(|entries, _, _| {
        let mut stated = std::array::from_fn::<_, FLOW_COUNT, _>(|_| Err(Gaps::config()));
        let counted = entries[0].energy.unwrap();
        let flow = if counted.0 % 2 == 1 {
            Flow::Generation
        } else {
            Flow::Load
        };
        stated[flow.place()] = Ok(Known::given(counted));
        Settled::from(Flows::new(stated))
    });
    pending(connection, &new, &settle).unwrap();
}

#[test]
fn every_closed_interval_is_read_with_its_last_revision_and_nothing_of_those_before() {
    let connection = Connection::open_in_memory().unwrap();
    for step in schema::STEPS {
        connection.execute_batch(step).unwrap();
    }
    close(&connection, &[(0, 101), (1, 102), (2, 103), (3, 104)]);
    // The first is revised, and the third says nothing of generation any more.
    close(&connection, &[(0, 201), (2, 202)]);
    let reader = LedgerReader {
        path: PathBuf::new(),
        connection,
    };
    let read = |flow: Flow| -> Vec<(i64, Option<i64>)> {
        let all = reader.intervals_of(span(0).start, span(9).start, &[flow]);
        let all = all.unwrap();
        let spans: Vec<Span> = all.iter().map(|one| one.span).collect();
        assert_eq!(spans, [0, 1, 2, 3].map(span));
        let energy = |one: &Interval| one.flows.of(flow).as_ref().ok().map(|known| known.value.0);
        all.iter().map(|one| (one.revision, energy(one))).collect()
    };
    assert_eq!(
        read(Flow::Generation),
        [(2, Some(201)), (1, None), (2, None), (1, None)]
    );
    assert_eq!(
        read(Flow::Load),
        [(2, None), (1, Some(102)), (2, Some(202)), (1, Some(104))]
    );
    assert_eq!(
        read(Flow::Export),
        [(2, None), (1, None), (2, None), (1, None)]
    );
}
