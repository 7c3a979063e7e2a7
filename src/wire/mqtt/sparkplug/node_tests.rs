use proptest::prelude::*;

use super::super::RawMetric;
use super::*;

fn topic(text: &'static str) -> Topic<'static> {
    Topic::parse(text).unwrap()
}

fn named(name: &str, alias: Option<u64>, datatype: u32, value: RawValue) -> RawMetric {
    RawMetric {
        name: Some(name.to_owned()),
        alias,
        datatype: Some(datatype),
        value: Some(value),
        ..RawMetric::default()
    }
}

fn by_alias(alias: u64, value: RawValue) -> RawMetric {
    RawMetric {
        alias: Some(alias),
        value: Some(value),
        ..RawMetric::default()
    }
}

fn payload(seq: Option<u64>, metrics: Vec<RawMetric>) -> Vec<u8> {
    RawPayload {
        timestamp: Some(1_772_446_500_000),
        metrics,
        seq,
    }
    .encode_to_vec()
}

fn bd(number: u64) -> RawMetric {
    named(BD_SEQ, None, 8, RawValue::Long(number))
}

const NBIRTH: &str = "spBv1.0/park/NBIRTH/edge1";
const NDEATH: &str = "spBv1.0/park/NDEATH/edge1";
const DBIRTH: &str = "spBv1.0/park/DBIRTH/edge1/meter1";
const DDATA: &str = "spBv1.0/park/DDATA/edge1/meter1";
const DDEATH: &str = "spBv1.0/park/DDEATH/edge1/meter1";

/// A node that was born with a device behind it; number 2 comes next.
fn born() -> Node {
    let mut node = Node::default();
    let taken = node.take(topic(NBIRTH), &payload(Some(0), vec![bd(3)]));
    assert!(!taken.unwrap().missed);
    let metrics = vec![
        named("ActivePower", Some(10), 9, RawValue::Float(-1_250.5)),
        named("ImportEnergy", Some(11), 8, RawValue::Long(412_507)),
        named("Spread", Some(12), 2, RawValue::Int(0xFFFF)),
    ];
    let taken = node
        .take(topic(DBIRTH), &payload(Some(1), metrics))
        .unwrap();
    assert_eq!((taken.word, taken.missed), (Word::Born, false));
    let values: Vec<_> = taken.metrics.iter().map(|metric| metric.value).collect();
    assert_eq!(values, [Ok(-1_250.5), Ok(412_507.0), Ok(-1.0)]);
    node
}

fn data(node: &mut Node, seq: u64, metric: RawMetric) -> Taken {
    node.take(topic(DDATA), &payload(Some(seq), vec![metric]))
        .unwrap()
}

#[test]
fn an_alias_stands_for_what_was_born_under_it() {
    let mut node = born();
    let taken = data(&mut node, 2, by_alias(10, RawValue::Float(-1_300.0)));
    assert!(!taken.missed);
    assert_eq!(taken.metrics[0].name, "ActivePower");
    assert_eq!(taken.metrics[0].value, Ok(-1_300.0));
    assert_eq!(
        taken.metrics[0].time,
        Timestamp::from_millisecond(1_772_446_500_000).ok()
    );
    let taken = data(&mut node, 3, by_alias(12, RawValue::Int(0xFFFE)));
    assert_eq!(taken.metrics[0].value, Ok(-2.0), "cast by its birth");
    let taken = data(&mut node, 4, by_alias(99, RawValue::Float(1.0)));
    assert!(taken.missed && taken.metrics.is_empty());
}

#[test]
fn after_a_gap_no_alias_is_believed_until_a_birth() {
    let mut node = born();
    assert!(!data(&mut node, 2, by_alias(10, RawValue::Float(1.0))).missed);
    // Number 3 is lost: it may have been a birth that gave alias 10 to another metric.
    for seq in [4, 5] {
        let taken = data(&mut node, seq, by_alias(10, RawValue::Float(2.0)));
        assert!(taken.missed && taken.metrics.is_empty(), "{seq}");
    }
    let taken = data(
        &mut node,
        6,
        named("ActivePower", Some(10), 9, RawValue::Float(3.0)),
    );
    assert_eq!(taken.metrics[0].value, Ok(3.0), "a name is a name");
    let mut node = born();
    let again = data(&mut node, 1, by_alias(10, RawValue::Float(1.0)));
    assert!(again.missed, "a number that was there already");
}

/// The unreadable one may be a birth that gives the aliases to others, and starts the
/// sequence where the last one did.
#[test]
fn after_a_message_that_cannot_be_read_no_alias_is_believed_until_a_birth() {
    for unreadable in [NBIRTH, DBIRTH, DDATA] {
        let mut node = born();
        assert_eq!(node.take(topic(unreadable), &[0xFF]), Err(Malformed));
        let taken = data(&mut node, 2, by_alias(10, RawValue::Float(1.0)));
        assert!(taken.missed && taken.metrics.is_empty(), "{unreadable}");
    }
}

#[test]
fn what_is_remembered_of_a_node_is_bounded() {
    let mut node = born();
    let names = |many: usize| -> Vec<RawMetric> {
        let numbered = (0..many).map(|n| named(&n.to_string(), None, 9, RawValue::Float(0.0)));
        numbered.collect()
    };
    // More than half of all there may be, twice: what was born before makes room.
    let most = payload(None, names(MOST_METRICS * 3 / 4));
    for _ in 0..2 {
        let taken = node.take(topic(DBIRTH), &most).unwrap();
        assert_eq!(taken.metrics.len(), MOST_METRICS * 3 / 4);
    }
    let many = payload(None, names(MOST_METRICS / 2));
    let another = Topic::parse("spBv1.0/park/DBIRTH/edge1/meter2").unwrap();
    assert_eq!(node.take(another, &many), Err(Malformed));
    // Devices that have nothing, but are many.
    let mut node = born();
    let births = (1..MOST_DEVICES * 2).filter(|n| {
        let device = format!("spBv1.0/park/DBIRTH/edge1/{n}");
        let topic = Topic::parse(&device).unwrap();
        node.take(topic, &payload(None, Vec::new())).is_ok()
    });
    assert_eq!(births.count(), MOST_DEVICES - 1);
}

#[test]
fn the_sequence_goes_round() {
    let mut node = born();
    for n in 2..600_u64 {
        let taken = data(&mut node, n % 256, by_alias(10, RawValue::Float(1.0)));
        assert!(!taken.missed, "{n}");
    }
}

#[test]
fn data_before_a_birth_is_missed() {
    let mut node = Node::default();
    let taken = data(&mut node, 7, by_alias(10, RawValue::Float(1.0)));
    assert!(taken.missed && taken.metrics.is_empty());
    let taken = data(&mut node, 8, named("P", None, 9, RawValue::Float(1.0)));
    assert!(taken.missed && taken.metrics.is_empty());
}

#[test]
fn a_death_counts_if_it_is_of_this_life() {
    let mut node = born();
    let of_before = node.take(topic(NDEATH), &payload(None, vec![bd(2)]));
    assert_eq!(of_before.unwrap().word, Word::Nothing);
    assert!(!data(&mut node, 2, by_alias(10, RawValue::Float(1.0))).missed);
    let of_now = node.take(topic(NDEATH), &payload(None, vec![bd(3)]));
    assert_eq!(of_now.unwrap().word, Word::Died);
    assert!(data(&mut node, 3, by_alias(10, RawValue::Float(1.0))).missed);

    let mut node = born();
    let taken = node.take(topic(DDEATH), &payload(Some(2), vec![]));
    let taken = taken.unwrap();
    assert_eq!((taken.word, taken.missed), (Word::Died, false));
    assert!(data(&mut node, 3, by_alias(10, RawValue::Float(1.0))).missed);
}

#[test]
fn a_value_that_is_none_is_a_reason_and_history_says_so() {
    let mut node = born();
    let null = RawMetric {
        is_null: Some(true),
        ..by_alias(10, RawValue::Float(0.0))
    };
    let taken = data(&mut node, 2, null);
    assert_eq!(taken.metrics[0].value, Err(Reason::NotAvailable));
    let nan = data(&mut node, 3, by_alias(10, RawValue::Float(f32::NAN)));
    assert_eq!(nan.metrics[0].value, Err(Reason::NotAvailable));
    let text = data(&mut node, 4, by_alias(10, RawValue::Text("5".into())));
    assert_eq!(text.metrics[0].value, Err(Reason::ShortAnswer));
    let past = RawMetric {
        is_historical: Some(true),
        timestamp: Some(1),
        ..by_alias(10, RawValue::Float(1.0))
    };
    let taken = data(&mut node, 5, past);
    assert!(taken.metrics[0].historical);
    assert_eq!(taken.metrics[0].time, Timestamp::from_millisecond(1).ok());
}

#[test]
fn integers_are_cast_by_their_type() {
    use RawValue::{Int, Long};
    #[rustfmt::skip]
    let cases = [
        (Int(0xFF),          Some(1), Ok(-1.0)),
        (Int(0xFFFF_FFFF),   Some(1), Ok(-1.0)),
        (Int(0x8000),        Some(2), Ok(-32_768.0)),
        (Int(0xFFFF_FB1E),   Some(3), Ok(-1_250.0)),
        (Int(0xFFFF_FB1E),   Some(7), Ok(4_294_966_046.0)),
        (Int(0xFF),          Some(5), Ok(255.0)),
        (Long(u64::MAX),     Some(4), Ok(-1.0)),
        (Long(412_507),      Some(8), Ok(412_507.0)),
        (Int(5),             None,    Err(Reason::ShortAnswer)),
        (Int(5),             Some(12), Err(Reason::ShortAnswer)),
    ];
    for (value, datatype, expected) in cases {
        assert_eq!(
            number(Some(&value), datatype),
            expected,
            "{value:?} {datatype:?}"
        );
    }
    assert_eq!(number(None, Some(9)), Err(Reason::NotAvailable));
}

proptest! {
    /// Whatever bytes come under whatever topic, nothing panics and numbers are finite.
    #[test]
    fn no_payload_upsets_a_node(messages in prop::collection::vec((0..5_usize, prop::collection::vec(any::<u8>(), 0..96)), 0..8)) {
        let mut node = born();
        for (which, bytes) in messages {
            let topic = topic([NBIRTH, NDEATH, DBIRTH, DDATA, DDEATH][which]);
            if let Ok(taken) = node.take(topic, &bytes) {
                for metric in taken.metrics {
                    prop_assert!(metric.value.is_err() || metric.value.is_ok_and(f64::is_finite));
                }
            }
        }
    }
}
