use std::collections::BTreeSet;

use jiff::Timestamp;

use super::super::recompute::follows;
use super::*;
use crate::domain::interval::Span;
use crate::domain::meter::Carrier;
use crate::domain::quality::{Quality, Reason};

const CHANNEL: Channel = Channel {
    carrier: Carrier::Electricity,
    positive: true,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_272_000 + second).unwrap()
}

fn said(mwh: i64) -> Entry {
    Entry {
        meter: "oven".into(),
        channel: CHANNEL,
        span: Span {
            start: at(0),
            end: at(900),
        },
        energy: Ok(MilliwattHours(mwh)),
        quality: Quality::Good,
        coverage_pct: 100.0,
        made: Made::REGISTER,
        opening: None,
        closing: None,
    }
}

fn unknown() -> Entry {
    Entry {
        energy: Err(Reason::Timeout),
        quality: Quality::Missing,
        coverage_pct: 0.0,
        ..said(0)
    }
}

/// What the ledger says beside a replay that knows the oven from a second on.
fn beside(ledger: &Entry, again: Option<Entry>, begins: i64) -> Recomputed {
    let mut replay = Replay::default();
    let key = (ledger.span, Arc::clone(&ledger.meter), CHANNEL);
    replay.entries.extend(again.map(|again| (key, again)));
    replay.begins.insert("oven".into(), at(begins));
    let none = Relations::default();
    compare(&none, vec![ledger.clone()], &BTreeMap::new(), &replay, &[])
}

/// What becomes of an entry.
#[derive(Debug, PartialEq)]
enum Becomes {
    Same,
    Other,
    /// The journal does not say.
    Left,
}

#[test]
fn a_number_is_replaced_by_a_better_founded_one_and_never_by_a_gap() {
    let covered = |pct: f64| Entry {
        coverage_pct: pct,
        ..said(5)
    };
    let suspect = Entry {
        quality: Quality::Suspect,
        ..said(5)
    };
    #[rustfmt::skip]
    let cases = [
        // ledger    the journal says       and knows it from   becomes
        (said(5),    Some(said(5)),               0,            Becomes::Same),
        (said(5),    Some(said(6)),               0,            Becomes::Other),
        (said(5),    Some(suspect),               0,            Becomes::Other),
        (said(5),    Some(covered(99.9)),         0,            Becomes::Other),
        (said(5),    Some(covered(99.999_999_9)), 0,            Becomes::Same),
        (said(5),    Some(unknown()),             0,            Becomes::Left),
        (unknown(),  Some(unknown()),             0,            Becomes::Same),
        (unknown(),  Some(said(5)),               0,            Becomes::Other),
        (said(5),    Some(said(6)),               1,            Becomes::Left),
        (said(5),    None,                        0,            Becomes::Left),
    ];
    for (ledger, again, begins, becomes) in cases {
        let shown = format!("{ledger:?} beside {again:?} from {begins}");
        let done = beside(&ledger, again.clone(), begins);
        let found = match (done.same, done.differences.as_slice(), done.unknown) {
            (1, [], 0) => Becomes::Same,
            (0, [one], 0) => {
                assert_eq!(
                    (&one.before, Some(&one.now)),
                    (&Some(ledger), again.as_ref())
                );
                Becomes::Other
            }
            (0, [], 1) => Becomes::Left,
            other => panic!("{shown}: {other:?}"),
        };
        assert_eq!(found, becomes, "{shown}");
    }
}

#[test]
fn positions_go_on_from_the_first_reading_that_the_ledger_ever_had() {
    let positions = |mwh: i64, opening: i64| Entry {
        opening: Some(MilliwattHours(opening)),
        closing: Some(MilliwattHours(opening + mwh)),
        ..said(mwh)
    };
    // The journal that is left begins at a register that had counted 1,000 by then.
    let done = beside(&positions(5, 1_000), Some(positions(6, 0)), 0);
    assert_eq!(done.differences[0].now, positions(6, 1_000));
}

#[test]
fn what_was_measured_before_is_the_last_thing_that_no_person_said() {
    let by_hand = Entry {
        made: Made::MANUAL,
        ..said(9)
    };
    let before = vec![(1, said(5)), (2, said(6)), (3, by_hand.clone())];
    let measured = measured_before(before);
    assert_eq!(measured.into_values().collect::<Vec<_>>(), [said(6)]);
    assert!(measured_before(vec![(1, by_hand)]).is_empty());
}

#[test]
fn what_a_transformer_took_follows_from_the_meter_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("park.toml");
    let meter = |id: &str, unit: u8| {
        format!(
            "[[meter]]\nid = \"{id}\"\nrole = \"grid\"\nbus = \"main\"\nunit = {unit}\n\
             [[meter.point]]\nquantity = \"power\"\naddress = 0\ntype = \"f32\"\nunit = \"W\"\n\
             [meter.loss_compensation]\nrated_power = \"1600kVA\"\nrated_voltage = \"400V\"\n\
             no_load_loss = \"1.7kW\"\nload_loss = \"14.5kW\"\nno_load_current_pct = 0.5\n\
             short_circuit_pct = 6\nboundary = \"grid_side\"\n"
        )
    };
    let text = format!(
        "[park]\nid = \"p\"\ntime_zone = \"Asia/Shanghai\"\n[store]\ndir = \"{}\"\n\
         [bus.main.tcp]\nhost = \"127.0.0.1\"\n{}{}",
        dir.path().join("store").display(),
        meter("north", 1),
        meter("south", 2)
    );
    std::fs::write(&path, text).unwrap();
    let setup = crate::config::load(&path).unwrap_or_else(|error| panic!("{error}: {error:?}"));
    let relations = &setup.park.relations;
    let north = BTreeSet::from(["north".into()]);
    #[rustfmt::skip]
    let cases = [
        ("north",      true),
        ("north-loss", true),
        ("south",      false),
        ("south-loss", false),
    ];
    for (meter, expected) in cases {
        assert_eq!(follows(relations, meter, &north), expected, "{meter}");
    }
}
