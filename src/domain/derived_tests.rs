//! Derived meters: situations, and the law that they are the sum of their parts.

use proptest::prelude::*;

use super::*;
use crate::domain::balance::settle_all;
use crate::domain::expression::Expression;
use crate::domain::flow::Flow;
use crate::domain::interval::ExportShape;
use crate::domain::meter::{Freshness, Meter, Point, Quantity, Role};
use crate::domain::relations::{Derived, Relations};

const METERS: [&str; 4] = ["grid", "a", "b", "c"];

fn park(derived: &[(&str, &str)]) -> Park {
    let meter = |id: &str| Meter {
        id: id.into(),
        role: Role::named(if id == "grid" { "grid" } else { "tenant" }).unwrap(),
        points: vec![Point {
            quantity: Quantity::named("power").unwrap(),
            register: None,
        }],
        freshness: Freshness::UntilChanged,
        period: std::time::Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    };
    let ids = METERS
        .iter()
        .copied()
        .chain(derived.iter().map(|one| one.0));
    let rows = derived.iter().map(|(id, text)| Derived {
        meter: (*id).into(),
        expression: Expression::parse(text, &|_| true).unwrap(),
    });
    Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: ids.map(meter).collect(),
        every_load_metered: true,
        losses: None,
        relations: Relations {
            derived: rows.collect(),
            ..Relations::default()
        },
    }
}

fn span() -> Span {
    let start = jiff::Timestamp::from_second(1_780_272_000).unwrap();
    Span {
        start,
        end: start + std::time::Duration::from_secs(900),
    }
}

/// What meters counted both ways, mWh; none is a timeout.
fn counted(said: &[(&str, Option<i64>)]) -> Vec<Entry> {
    let side = |meter: &str, net: Option<i64>, positive: bool| Entry {
        meter: meter.into(),
        channel: Channel {
            carrier: Carrier::Electricity,
            positive,
        },
        span: span(),
        energy: net
            .map(|net| MilliwattHours(if positive { net.max(0) } else { (-net).max(0) }))
            .ok_or(Reason::Timeout),
        quality: if net.is_some() {
            Quality::Good
        } else {
            Quality::Missing
        },
        coverage_pct: 100.0,
        made: crate::domain::provenance::Made::REGISTER,
        opening: None,
        closing: None,
    };
    let both =
        |(meter, net): &(&str, Option<i64>)| [side(meter, *net, true), side(meter, *net, false)];
    said.iter().flat_map(both).collect()
}

/// Energy, quality and direction of the entries of a derived meter.
fn found(park: &Park, said: &[(&str, Option<i64>)], id: &str) -> [Result<i64, Reason>; 2] {
    let all = entries(park, &counted(said), span());
    let of = |positive| {
        let mut one = all
            .iter()
            .filter(|one| *one.meter == *id && one.channel.positive == positive);
        let one = one.next().unwrap();
        assert!(one.quality >= Quality::Derived, "{one:?}");
        one.energy.map(|energy| energy.0)
    };
    [of(true), of(false)]
}

#[test]
fn a_derived_meter_is_signed_and_a_missing_input_makes_it_missing() {
    let park = park(&[("rest", "a - b - 0.5 * c"), ("twice", "2 * rest")]);
    let late = Err(Reason::Timeout);
    #[rustfmt::skip]
    let cases = [
        // situation                 a            b           c       |  rest           twice
        ("a hall less its ovens",    Some(1_000), Some(300),  Some(100),  [Ok(650), Ok(0)], [Ok(1_300), Ok(0)]),
        ("half a milliwatt-hour",    Some(1),     Some(0),    Some(1),    [Ok(1), Ok(0)],   [Ok(2), Ok(0)]),
        ("more behind than before",  Some(100),   Some(300),  Some(100),  [Ok(0), Ok(250)], [Ok(0), Ok(500)]),
        ("b counts backwards",       Some(1_000), Some(-300), Some(0),    [Ok(1_300), Ok(0)], [Ok(2_600), Ok(0)]),
        ("b is silent",              Some(1_000), None,       Some(100),  [late, late],     [late, late]),
    ];
    for (situation, a, b, c, rest, twice) in cases {
        let said = [("a", a), ("b", b), ("c", c)];
        assert_eq!(found(&park, &said, "rest"), rest, "{situation}");
        assert_eq!(found(&park, &said, "twice"), twice, "{situation}");
    }
}

#[test]
fn a_flow_that_rests_on_a_derived_meter_names_the_input_that_is_missing() {
    let park = park(&[("rest", "a - b")]);
    let said = |b| {
        counted(&[
            ("grid", Some(2_000)),
            ("a", Some(900)),
            ("b", b),
            ("c", Some(0)),
        ])
    };
    let settled = settle_all(&park, &said(Some(400)), ExportShape::default(), span());
    // The derived meter is one more tenant: 2000 - 900 - 400 - 0 - (900 - 400).
    let residual = settled.flows.of(Flow::Residual).as_ref().unwrap();
    assert_eq!(residual.value, MilliwattHours(200));
    assert_eq!(residual.quality, Quality::Derived);
    assert_eq!(settled.derived.len(), 2);
    let settled = settle_all(&park, &said(None), ExportShape::default(), span());
    let residual = settled.flows.of(Flow::Residual).as_ref().unwrap_err();
    assert_eq!(residual.meters(), ["b"]);
}

#[test]
fn what_the_ledger_keeps_of_a_derived_meter_is_never_taken_for_an_input() {
    let park = park(&[("rest", "a - b")]);
    let inputs = [("a", Some(900)), ("b", Some(400))];
    let mut kept = counted(&inputs);
    kept.extend(counted(&[("rest", Some(7))]));
    let net = &energies(&park, &kept)[0].net;
    assert_eq!(net.as_ref().unwrap().value, MilliwattHours(500));
}

proptest! {
    /// Whatever the meters count, a sum of them is the sum of their counts, to the last
    /// milliwatt-hour, and its two directions are never both.
    #[test]
    fn a_derived_meter_is_the_sum_of_its_parts(
        a in -1_000_000_000_000_i64..1_000_000_000_000,
        b in -1_000_000_000_000_i64..1_000_000_000_000,
        c in -1_000_000_000_000_i64..1_000_000_000_000,
    ) {
        let park = park(&[("sum", "a - b + 3 * c"), ("same", "sum")]);
        let said = [("a", Some(a)), ("b", Some(b)), ("c", Some(c))];
        for id in ["sum", "same"] {
            let [positive, negative] = found(&park, &said, id);
            let (positive, negative) = (positive.unwrap(), negative.unwrap());
            prop_assert_eq!(positive - negative, a - b + 3 * c);
            prop_assert!(positive >= 0 && negative >= 0 && (positive == 0 || negative == 0));
        }
    }
}
