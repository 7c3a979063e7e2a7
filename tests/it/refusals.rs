//! Devices that refuse part of what they are asked: absent registers, gaps that may
//! not be read over, lengths. Every honest register holds its own address, so a value
//! in the wrong place shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sunledger::domain::meter::{Quantity, Role};
use sunledger::domain::quality::Reason;
use sunledger::domain::snapshot::Value;
use sunledger::source::modbus::{Expect, Factor, Meaning, Wants};
use sunledger::wire::register::{Extra, Field, Number, Order};
use sunledger::wire::sunspec::{Asked, Options};

use crate::modbus::{Source, poll, settings};
use crate::support::hostile::{Act, Ask, Hostile};

/// What a device does that has not all registers: an exception for a block with one
/// of these in it.
fn refuses(ask: &Ask, absent: &BTreeSet<u16>) -> Vec<Act> {
    let asked = ask.address..ask.address + ask.count;
    if asked.clone().any(|register| absent.contains(&register)) {
        vec![Act::Send(ask.exception(2))]
    } else {
        ask.honest()
    }
}

/// What was heard of each point within one poll, and after how many requests: the
/// poll ends when the next one begins, a period later.
struct Heard {
    values: BTreeMap<usize, Result<f64, Reason>>,
}

/// Hears until every point has spoken once.
async fn cycle(source: &mut Source, points: usize) -> Heard {
    let mut values = BTreeMap::new();
    while values.len() < points {
        for (point, value) in source.next().await.values {
            let number = value.map(|value| match value {
                Value::Analog(number) => number,
                other => panic!("{other:?}"),
            });
            assert!(
                values.insert(point, number).is_none(),
                "point {point} spoke twice"
            );
        }
    }
    Heard { values }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_absent_register_of_twenty_costs_that_register_alone_from_the_first_cycle_on() {
    let absent = BTreeSet::from([107]);
    let server = Hostile::start(move |ask| refuses(ask, &absent)).await;
    let addresses: Vec<u16> = (100..120).collect();
    let mut source = Source::start(settings(
        server.port,
        5_000,
        vec![poll(0, 1, 2_000, &addresses)],
    ));
    let first = cycle(&mut source, 20).await;
    for (point, value) in first.values {
        let address = 100 + u16::try_from(point).unwrap();
        let expected = if address == 107 {
            Err(Reason::Exception)
        } else {
            Ok(f64::from(address))
        };
        assert_eq!(value, expected, "register {address}");
    }
    // Every point has spoken, and the next cycle has not begun.
    let once = server.asks().len();
    assert!(once <= 1 + 6, "{once} requests in the first cycle");
    // From now on two requests, around the absent register; the gap is said each time.
    for _ in 0..2 {
        let before = server.asks().len();
        let next = cycle(&mut source, 20).await;
        assert_eq!(next.values[&7], Err(Reason::Exception));
        assert_eq!(
            next.values.values().filter(|value| value.is_ok()).count(),
            19
        );
        let asks = server.asks().split_off(before);
        let asks: Vec<(u16, u16)> = asks.iter().map(|ask| (ask.address, ask.count)).collect();
        assert_eq!(asks, [(100, 7), (108, 12)]);
    }
    assert_eq!(
        server.connections(),
        1,
        "a refusal is no reason to connect anew"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_that_may_not_be_read_over_is_left_out_from_then_on() {
    let absent = BTreeSet::from([104]);
    let server = Hostile::start(move |ask| refuses(ask, &absent)).await;
    let addresses = [100, 101, 102, 103, 106, 107, 108];
    let mut source = Source::start(settings(
        server.port,
        5_000,
        vec![poll(0, 1, 1_500, &addresses)],
    ));
    let first = cycle(&mut source, 7).await;
    assert!(
        first.values.values().all(Result::is_ok),
        "{:?}",
        first.values
    );
    let before = server.asks().len();
    let next = cycle(&mut source, 7).await;
    assert!(next.values.values().all(Result::is_ok));
    let asks = server.asks().split_off(before);
    let asks: Vec<(u16, u16)> = asks.iter().map(|ask| (ask.address, ask.count)).collect();
    assert_eq!(asks, [(100, 4), (106, 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_length_that_a_device_answers_is_found_and_kept_whether_it_refuses_or_is_silent() {
    for silent in [false, true] {
        let server = Hostile::start(move |ask| match ask.count {
            0..=60 => ask.honest(),
            _ if silent => vec![],
            _ => vec![Act::Send(ask.exception(3))],
        })
        .await;
        let addresses: Vec<u16> = (0..125).collect();
        let polls = vec![poll(0, 1, 300, &addresses)];
        let mut source = Source::start(settings(server.port, 250, polls));
        let mut steady = 0;
        // Silence costs a time-out each time, so that takes cycles; in the end three
        // requests bring everything.
        for _ in 0..60 {
            let before = server.asks().len();
            let heard = cycle(&mut source, 125).await;
            let all = heard
                .values
                .iter()
                .all(|(point, value)| *value == Ok(f64::from(u32::try_from(*point).unwrap())));
            if !silent && before == 0 {
                assert!(all, "{:?}", heard.values);
            }
            for (point, value) in &heard.values {
                if let Ok(number) = value {
                    assert_eq!(*number, f64::from(u32::try_from(*point).unwrap()));
                }
            }
            let asks = server.asks().split_off(before);
            steady = if all && asks.len() == 3 && asks.iter().all(|ask| ask.count <= 60) {
                steady + 1
            } else {
                0
            };
            if steady == 3 {
                break;
            }
        }
        assert_eq!(
            steady,
            3,
            "silent: {silent}, {:?}",
            server
                .asks()
                .iter()
                .map(|ask| ask.count)
                .collect::<Vec<_>>()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_refuses_everything_at_first_has_lost_nothing_later() {
    let awake = Arc::new(AtomicBool::new(false));
    let manners = Arc::clone(&awake);
    let server = Hostile::start(move |ask| {
        if manners.load(Ordering::SeqCst) {
            ask.honest()
        } else {
            vec![Act::Send(ask.exception(2))]
        }
    })
    .await;
    let addresses: Vec<u16> = (0..40).collect();
    let mut source = Source::start(settings(
        server.port,
        5_000,
        vec![poll(0, 1, 300, &addresses)],
    ));
    for _ in 0..4 {
        let heard = cycle(&mut source, 40).await;
        assert!(
            heard
                .values
                .values()
                .all(|value| *value == Err(Reason::Exception))
        );
    }
    let before = server.asks().len();
    assert!(
        before < 20,
        "{before} requests to a device that refuses everything"
    );
    awake.store(true, Ordering::SeqCst);
    let mut heard = cycle(&mut source, 40).await;
    for _ in 0..2 {
        heard = cycle(&mut source, 40).await;
    }
    assert!(
        heard.values.values().all(Result::is_ok),
        "{:?}",
        heard.values
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn exceptions_of_gateways_and_busy_devices_are_no_reason_to_search_or_to_connect_anew() {
    for (code, reason) in [
        (4, Reason::Exception),
        (6, Reason::Exception),
        (10, Reason::Timeout),
        (11, Reason::Timeout),
    ] {
        let server = Hostile::start(move |ask| vec![Act::Send(ask.exception(code))]).await;
        let addresses: Vec<u16> = (0..40).collect();
        let polls = vec![poll(0, 1, 200, &addresses)];
        let mut source = Source::start(settings(server.port, 5_000, polls));
        for _ in 0..3 {
            let heard = cycle(&mut source, 40).await;
            assert!(
                heard.values.values().all(|value| *value == Err(reason)),
                "{code}"
            );
        }
        assert!(server.asks().len() <= 4, "{code}: {}", server.asks().len());
        assert_eq!(server.connections(), 1, "{code}");
    }
}

fn field(address: u16, number: Number) -> Field {
    Field::new(address, number, Order::Big)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_device_than_is_meant_gives_no_numbers() {
    // Registers hold their addresses: register 600 holds 600, and should hold 42.
    let server = Hostile::start(Ask::honest).await;
    let mut meter = poll(0, 1, 200, &[10, 11]);
    meter.identify = vec![Expect {
        fc: 3,
        field: field(600, Number::U16),
        wants: Wants::Equals(vec![42]),
        about: "manufacturer".into(),
        verify_only: false,
    }];
    let mut source = Source::start(settings(server.port, 5_000, vec![meter.clone()]));
    for _ in 0..3 {
        let heard = source.next().await;
        assert_eq!(
            heard.values,
            [(0, Err(Reason::Config)), (1, Err(Reason::Config))]
        );
        let detail = heard.detail.unwrap();
        assert!(
            detail.contains("manufacturer (register 600) should be 42, and is 600"),
            "{detail}"
        );
    }
    let asked: Vec<u16> = server.asks().iter().map(|ask| ask.address).collect();
    assert_eq!(asked, [600], "once, and its points not at all");
    // One that does not have the register is another one as well.
    let server = Hostile::start(|ask| refuses(ask, &BTreeSet::from([600]))).await;
    let mut source = Source::start(settings(server.port, 5_000, vec![meter.clone()]));
    let heard = source.next().await;
    assert_eq!(
        heard.values,
        [(0, Err(Reason::Config)), (1, Err(Reason::Config))]
    );
    let detail = heard.detail.unwrap();
    assert!(detail.contains("is no such register"), "{detail}");
    // The right one is asked once and read.
    meter.identify[0].wants = Wants::Equals(vec![600]);
    let server = Hostile::start(Ask::honest).await;
    let mut source = Source::start(settings(server.port, 5_000, vec![meter]));
    for _ in 0..2 {
        assert_eq!(cycle(&mut source, 2).await.values[&1], Ok(11.0));
    }
    let identified = server
        .asks()
        .iter()
        .filter(|ask| ask.address == 600)
        .count();
    assert_eq!(identified, 1);
}

/// Where its models should be, its registers hold their addresses.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_the_models_that_are_meant_gives_no_numbers() {
    let server = Hostile::start(Ask::honest).await;
    let mut meter = poll(0, 1, 200, &[10]);
    meter.sunspec = Some(Asked {
        role: Role::named("grid").unwrap(),
        points: vec![(1, Quantity::named("power").unwrap())],
        options: Options::default(),
    });
    let mut source = Source::start(settings(server.port, 5_000, vec![meter]));
    for _ in 0..3 {
        let heard = source.next().await;
        assert_eq!(
            heard.values,
            [(0, Err(Reason::Config)), (1, Err(Reason::Config))]
        );
        let detail = heard.detail.unwrap();
        assert!(detail.contains("is no SunSpec device"), "{detail}");
    }
    assert!(server.asks().iter().all(|ask| ask.address != 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ratio_in_a_register_multiplies_and_without_it_what_needs_it_is_a_gap() {
    for has_ratio in [true, false] {
        let absent = if has_ratio {
            BTreeSet::new()
        } else {
            BTreeSet::from([142])
        };
        let server = Hostile::start(move |ask| refuses(ask, &absent)).await;
        let mut meter = poll(0, 1, 200, &[10, 11]);
        meter.factors = vec![Factor {
            name: "ct".into(),
            fc: 3,
            field: field(142, Number::U16),
            absent: None,
            meaning: Meaning::Scale(0.5),
        }];
        let needs = Extra {
            factors: vec![0],
            ..Extra::default()
        };
        meter.points[1].1.extra = Some(Arc::new(needs));
        let mut source = Source::start(settings(server.port, 5_000, vec![meter]));
        for _ in 0..2 {
            let heard = cycle(&mut source, 2).await;
            assert_eq!(heard.values[&0], Ok(10.0), "it needs none");
            let expected = if has_ratio {
                Ok(11.0 * 71.0)
            } else {
                Err(Reason::NeverSeen)
            };
            assert_eq!(heard.values[&1], expected);
        }
        let asks = server.asks();
        assert_eq!(asks.iter().filter(|ask| ask.address == 142).count(), 1);
    }
}
