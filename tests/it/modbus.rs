//! Modbus TCP against servers that are not ours, and against one that means harm.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::json;
use sunledger::domain::meter::PointIndex;
use sunledger::domain::quality::Reason;
use sunledger::domain::snapshot::Value;
use sunledger::source::modbus::{self, Limits, Manners, Poll, Settings, Wiring};
use sunledger::source::{Heard, Outcome, SourceStats};
use sunledger::wire::register::{Decode, Field, Layout, Number, Order};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::hostile::{Act, Ask, Hostile, frame};
use crate::support::pymodbus::{Pymodbus, mbpoll, mbpoll_words};

/// No test waits longer: a machine may be slow, not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

const PLAIN: Decode = Decode::Analog {
    scale: 1.0,
    offset: 0.0,
};

/// A worker under test.
pub struct Source {
    pub heard: mpsc::Receiver<Heard>,
    pub stop: CancellationToken,
    pub stats: Arc<SourceStats>,
    pub task: JoinHandle<()>,
}

impl Source {
    pub fn start(settings: Settings) -> Self {
        Self::with_queue(settings, 1_024)
    }

    fn with_queue(settings: Settings, capacity: usize) -> Self {
        let (tx, heard) = mpsc::channel(capacity);
        let stop = CancellationToken::new();
        let stats = Arc::new(SourceStats::new(64));
        let run = modbus::run(settings, tx, stop.clone(), Arc::clone(&stats));
        Self {
            heard,
            stop,
            stats,
            task: tokio::spawn(run),
        }
    }

    pub async fn next(&mut self) -> Heard {
        let heard = timeout(PATIENCE, self.heard.recv()).await;
        heard.expect("something is heard").expect("the source runs")
    }
}

pub fn settings(port: u16, timeout_ms: u64, polls: Vec<Poll>) -> Settings {
    Settings {
        name: "main".into(),
        wiring: Wiring::Tcp {
            host: "127.0.0.1".into(),
            port,
        },
        manners: Manners::default(),
        memory: None,
        timeout: Duration::from_millis(timeout_ms),
        polls,
    }
}

/// A meter of these registers, each a point of its own.
pub fn poll(meter: usize, unit: u8, period_ms: u64, addresses: &[u16]) -> Poll {
    let points = addresses.iter().enumerate();
    Poll {
        meter,
        unit,
        period: Duration::from_millis(period_ms),
        factors: Vec::new(),
        identify: Vec::new(),
        sunspec: None,
        limits: Limits::default(),
        points: points
            .map(|(point, address)| (point, register(3, *address, Number::U16, Order::Big)))
            .collect(),
    }
}

fn register(fc: u8, address: u16, number: Number, order: Order) -> Layout {
    Layout::simple(fc, Field::new(address, number, order), PLAIN)
}

fn words(bytes: &[u8], order: Order) -> Vec<u16> {
    let mut words: Vec<u16> = bytes
        .chunks(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect();
    if order == Order::Little {
        words.reverse();
    }
    words
}

fn analog(value: f64) -> Result<Value, Reason> {
    Ok(Value::Analog(value))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pymodbus_serves_is_what_is_read_and_mbpoll_agrees() {
    use Number::{F32, F64, I16, I32, I64, U16, U32, U64};
    let numbers: [(Number, Vec<u8>, f64); 8] = [
        (U16, 65_533_u16.to_be_bytes().into(), 65_533.0),
        (I16, (-1_234_i16).to_be_bytes().into(), -1_234.0),
        (U32, 4_000_000_001_u32.to_be_bytes().into(), 4_000_000_001.0),
        (I32, (-100_001_i32).to_be_bytes().into(), -100_001.0),
        (
            U64,
            10_000_000_001_u64.to_be_bytes().into(),
            10_000_000_001.0,
        ),
        (
            I64,
            (-10_000_000_001_i64).to_be_bytes().into(),
            -10_000_000_001.0,
        ),
        (F32, 230.125_f32.to_be_bytes().into(), 230.125),
        (F64, (-0.007_f64).to_be_bytes().into(), -0.007),
    ];
    // Holding and input registers hold every type in both orders, one after the
    // other, with a gap after each order; input registers begin elsewhere.
    let mut tables: BTreeMap<u8, BTreeMap<u16, Vec<u16>>> = BTreeMap::new();
    let mut points: Vec<(PointIndex, Layout)> = Vec::new();
    let mut expected: Vec<Result<Value, Reason>> = Vec::new();
    for (fc, start) in [(3, 0_u16), (4, 65_000)] {
        let mut address = start;
        for order in [Order::Big, Order::Little] {
            for (number, bytes, value) in &numbers {
                let words = words(bytes, order);
                points.push((points.len(), register(fc, address, *number, order)));
                expected.push(analog(*value));
                let next = address + number.words();
                tables.entry(fc).or_default().insert(address, words);
                address = next;
            }
            address += 3;
        }
    }
    let nan = words(&f32::NAN.to_be_bytes(), Order::Big);
    tables.entry(3).or_default().insert(65_534, nan);
    points.push((points.len(), register(3, 65_534, F32, Order::Big)));
    expected.push(Err(Reason::NotAvailable));
    for (fc, bits) in [(1, [1, 0, 1, 1]), (2, [0, 1, 0, 0])] {
        tables.entry(fc).or_default().insert(7, bits.into());
        for (bit, address) in bits.iter().zip(7..) {
            points.push((points.len(), register(fc, address, U16, Order::Big)));
            expected.push(analog(f64::from(*bit)));
        }
    }
    let (unit, count) = (17, points.len());
    let server = Pymodbus::serve(&json!({ "17": {
        "coils": tables[&1], "discrete": tables[&2], "holding": tables[&3], "input": tables[&4],
    }}));

    let mut source = Source::start(settings(
        server.port,
        5_000,
        vec![Poll {
            meter: 3,
            unit,
            period: Duration::from_millis(500),
            factors: Vec::new(),
            identify: Vec::new(),
            sunspec: None,
            limits: Limits::default(),
            points: points.clone(),
        }],
    ));
    let mut said: BTreeMap<PointIndex, Result<Value, Reason>> = BTreeMap::new();
    while said.len() < count {
        let heard = source.next().await;
        assert_eq!(heard.meter, 3);
        assert!(heard.receipt.is_none());
        said.extend(heard.values);
    }
    for ((point, layout), expected) in points.iter().zip(&expected) {
        assert_eq!(&said[point], expected, "{layout:?}");
        // mbpoll reads the same registers, and they mean the same.
        let words = mbpoll_words(
            server.port,
            unit,
            layout.fc,
            layout.field.address,
            layout.words(),
        );
        let second = layout.value(layout.field.address, &words, &[]);
        assert_eq!(said[point], second, "{layout:?}, by mbpoll {words:?}");
        // Where mbpoll knows the type, it knows the word order as well.
        let kind = match (layout.fc, layout.field.number) {
            (3, Number::F32) => "4:float",
            (4, Number::F32) => "3:float",
            (3, Number::I32) => "4:int",
            (4, Number::I32) => "3:int",
            _ => continue,
        };
        let big = layout.field.order == Order::Big;
        let third = mbpoll(server.port, unit, kind, layout.field.address, 1, big).remove(0);
        match expected {
            Ok(Value::Analog(value)) => assert_eq!(third.parse::<f64>().unwrap(), *value),
            _ => assert!(third.contains("nan"), "{third}"),
        }
    }
    source.stop.cancel();
}

/// What a device does once, before it comes to its senses.
type Misdeed = fn(&Ask) -> Vec<Act>;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_device_answers_it_is_a_gap_with_a_reason_and_the_next_poll_is_right() {
    fn sends(bytes: Vec<u8>) -> Vec<Act> {
        vec![Act::Send(bytes)]
    }
    #[rustfmt::skip]
    let misdeeds: &[(&str, Misdeed, Reason, usize)] = &[
        // situation                     what it does                                                     gap            connections
        ("fewer registers",        |ask| sends(ask.answer(&ask.words()[..2])),                        Reason::ShortAnswer, 2),
        ("more registers",         |ask| sends(ask.answer(&[ask.words(), vec![9]].concat())),         Reason::ShortAnswer, 2),
        ("no registers",           |ask| sends(ask.answer(&[])),                                      Reason::ShortAnswer, 2),
        ("another unit",           |ask| sends(frame(ask.tid, 9, &ask.pdu(&ask.words()))),            Reason::ShortAnswer, 2),
        ("another transaction",    |ask| sends(frame(ask.tid + 1, ask.unit, &ask.pdu(&ask.words()))), Reason::ShortAnswer, 2),
        ("another function",       |ask| sends(Ask { fc: 4, ..ask.clone() }.answer(&ask.words())),    Reason::ShortAnswer, 2),
        ("a cut-off body",         |ask| sends(frame(ask.tid, ask.unit, &ask.pdu(&ask.words())[..6])), Reason::ShortAnswer, 2),
        ("an odd byte count",      |ask| sends(frame(ask.tid, ask.unit, &[3, 3, 1, 2, 3])),           Reason::ShortAnswer, 2),
        ("another protocol",       |ask| { let mut f = ask.answer(&ask.words()); f[2] = 7; sends(f) }, Reason::ShortAnswer, 2),
        ("exception 1",            |ask| sends(ask.exception(1)),                                     Reason::Exception,   1),
        ("exception 4",            |ask| sends(ask.exception(4)),                                     Reason::Exception,   1),
        ("exception 6, busy",      |ask| sends(ask.exception(6)),                                     Reason::Exception,   1),
        ("an unknown exception",   |ask| sends(ask.exception(0x55)),                                  Reason::Exception,   1),
        ("exception 11, gateway",  |ask| sends(ask.exception(11)),                                    Reason::Timeout,     1),
        ("silence",                |_| vec![],                                                        Reason::Timeout,     2),
        ("a web page",             |_| sends(b"HTTP/1.1 400 Bad Request\r\n\r\n".into()),             Reason::ShortAnswer, 2),
        ("half an answer",         |ask| sends(ask.answer(&ask.words())[..9].into()),                 Reason::Timeout,     2),
        ("hanging up",             |_| vec![Act::Close],                                              Reason::Connect,     2),
        ("hanging up half way",    |ask| vec![Act::Send(ask.answer(&ask.words())[..9].into()), Act::Close], Reason::Connect, 2),
    ];
    let cases = misdeeds
        .iter()
        .map(|&(situation, misdeed, reason, connections)| async move {
            let server = Hostile::start(move |ask| match ask.nth {
                0 => misdeed(ask),
                _ => ask.honest(),
            });
            let server = server.await;
            let polls = vec![poll(0, 1, 100, &[40, 41, 42, 43])];
            let mut source = Source::start(settings(server.port, 2_000, polls));
            let first = source.next().await;
            let gaps: Vec<_> = (0..4).map(|point| (point, Err(reason))).collect();
            assert_eq!(first.values, gaps, "{situation}");
            let detail = first.detail.expect(situation);
            assert!(detail.contains("127.0.0.1"), "{situation}: {detail}");
            let recovered = loop {
                let heard = source.next().await;
                // After hanging up the endpoint is left alone for a moment.
                if heard.values[0].1 != Err(Reason::Connect) {
                    break heard;
                }
                assert_eq!(reason, Reason::Connect, "{situation}");
            };
            let honest: Vec<_> = (0..4_u16)
                .map(|n| (usize::from(n), analog(f64::from(40 + n))))
                .collect();
            assert_eq!(recovered.values, honest, "{situation}");
            assert_eq!(recovered.detail, None, "{situation}");
            assert_eq!(server.connections(), connections, "{situation}");
            assert_eq!(server.most_open(), 1, "{situation}");
        });
    futures_util::future::join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_is_never_taken_for_the_next() {
    // A gateway without transactions on its serial side: it holds the answer that
    // came too late and gives it to whoever asks next on the same connection, with
    // the transaction of that request. Every fourth answer is late.
    let late = AtomicU16::new(0);
    let late_on = AtomicUsize::new(usize::MAX);
    let server = Hostile::start(move |ask| {
        if late_on.swap(usize::MAX, Ordering::SeqCst) == ask.connection {
            let address = late.load(Ordering::SeqCst);
            let before = Ask {
                address,
                ..ask.clone()
            };
            return vec![Act::Send(before.answer(&before.words()))];
        }
        if ask.nth % 4 == 3 {
            late.store(ask.address, Ordering::SeqCst);
            late_on.store(ask.connection, Ordering::SeqCst);
            return vec![];
        }
        ask.honest()
    });
    let server = server.await;
    // Blocks of one length at different places, so that only the address tells.
    let polls = (0..5).map(|n| {
        poll(
            usize::from(n),
            n.try_into().unwrap(),
            50,
            &[n * 100, n * 100 + 1],
        )
    });
    let mut source = Source::start(settings(server.port, 150, polls.collect()));
    let (mut right, mut gaps) = (0, 0);
    while right < 60 || gaps < 10 {
        let heard = source.next().await;
        for (point, value) in heard.values {
            match value {
                Ok(value) => {
                    right += 1;
                    let address = heard.meter * 100 + point;
                    assert_eq!(Ok(value), analog(address as f64), "unit {}", heard.meter);
                }
                Err(_) => gaps += 1,
            }
        }
    }
    assert_eq!(server.most_open(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_hangs_up_between_polls_is_not_noticed() {
    let server = Hostile::start(|ask| {
        [ask.honest(), vec![Act::Close]]
            .into_iter()
            .flatten()
            .collect()
    });
    let server = server.await;
    let polls = vec![poll(0, 1, 100, &[5]), poll(1, 2, 100, &[6])];
    let mut source = Source::start(settings(server.port, 2_000, polls));
    for _ in 0..10 {
        let heard = source.next().await;
        assert_eq!(heard.values, [(0, analog(heard.meter as f64 + 5.0))]);
    }
    assert_eq!(server.most_open(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_unit_is_a_gap_each_period_and_does_not_starve_the_others() {
    let server = Hostile::start(|ask| match ask.unit {
        3 => vec![],
        _ => ask.honest(),
    });
    let server = server.await;
    let polls = (1..=4).map(|unit: u8| poll(usize::from(unit), unit, 100, &[u16::from(unit)]));
    let started = Instant::now();
    let mut source = Source::start(settings(server.port, 500, polls.collect()));
    let mut heard = [0; 5];
    while heard[1] < 30 || heard[3] < 20 {
        let said = source.next().await;
        heard[said.meter] += 1;
        if said.meter == 3 {
            assert_eq!(said.values, [(0, Err(Reason::Timeout))]);
            assert!(said.detail.unwrap().contains("unit 3"));
        }
    }
    // Three times in a row, then after five seconds at the earliest.
    let asked = server.asks().iter().filter(|ask| ask.unit == 3).count();
    let pauses = started.elapsed().as_secs() / 5;
    assert!(asked <= 3 + pauses as usize, "asked {asked} times");
    assert!(heard[2] >= 20 && heard[4] >= 20, "{heard:?}");
    assert_eq!(server.most_open(), 1);
    let counts = &source.stats.snapshot()[3];
    assert!(counts.of(Outcome::Timeout) >= 20);
    assert_eq!(counts.last_ok, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_makes_the_gateway_hang_up_costs_the_others_nothing() {
    let server = Hostile::start(|ask| match ask.unit {
        3 => vec![Act::Close],
        _ => ask.honest(),
    });
    let server = server.await;
    let polls = (1..=4).map(|unit: u8| poll(usize::from(unit), unit, 100, &[u16::from(unit)]));
    let mut source = Source::start(settings(server.port, 5_000, polls.collect()));
    let mut heard = [0; 5];
    while heard[1] < 15 || heard[3] < 10 {
        let said = source.next().await;
        heard[said.meter] += 1;
        match said.meter {
            3 => assert!(said.values[0].1.is_err()),
            unit => assert_eq!(said.values, [(0, analog(unit as f64))]),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_hangs_up_on_everyone_is_not_hammered() {
    let server = Hostile::start(|_| vec![Act::Close]).await;
    let polls = (1..=4).map(|unit: u8| poll(usize::from(unit), unit, 50, &[1]));
    let started = Instant::now();
    let mut source = Source::start(settings(server.port, 5_000, polls.collect()));
    for _ in 0..160 {
        assert_eq!(source.next().await.values.len(), 1);
    }
    // Two in a row, then after a second at the earliest.
    let allowed = 2.0 + started.elapsed().as_secs_f64() / 0.8;
    let connections = server.connections();
    assert!(connections as f64 <= allowed, "{connections} connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nobody_there_each_period_is_a_gap_until_somebody_is() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut source = Source::start(settings(port, 1_000, vec![poll(2, 1, 100, &[8, 8_000])]));
    for _ in 0..5 {
        let heard = source.next().await;
        let gap = Err(Reason::Connect);
        assert_eq!(heard.values, [(0, gap), (1, gap)], "both requests in one");
        let detail = heard.detail.unwrap();
        assert!(
            detail.starts_with(&format!("no connection to 127.0.0.1:{port}: ")),
            "{detail}"
        );
    }
    let _server = Hostile::start_at(port, Ask::honest).await;
    while source.next().await.values != [(0, analog(8.0))] {}
    let counts = &source.stats.snapshot()[2];
    assert!(counts.of(Outcome::Connect) >= 5 && counts.of(Outcome::Ok) >= 1);
    assert!(counts.last_ok.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_block_does_not_cost_the_others() {
    let server = Hostile::start(
        |ask| match (ask.address..ask.address + ask.count).contains(&20) {
            true => vec![Act::Send(ask.exception(2))],
            false => ask.honest(),
        },
    );
    let server = server.await;
    // The last one reaches beyond the last register: no request can read it.
    let mut meter = poll(0, 1, 200, &[10, 20, 30, 0]);
    meter.points[3].1 = register(3, 65_535, Number::U32, Order::Big);
    let mut source = Source::start(settings(server.port, 5_000, vec![meter]));
    let mut said = BTreeMap::new();
    while said.len() < 4 {
        let heard = source.next().await;
        if let Some((1, Err(_))) = heard.values.first() {
            let detail = heard.detail.clone().unwrap();
            let expected = "unit 1 refuses registers 20 to 20 (function 3): illegal data address (exception 2)";
            assert!(detail.ends_with(expected), "{detail}");
        }
        said.extend(heard.values);
    }
    assert_eq!(said[&0], analog(10.0));
    assert_eq!(said[&1], Err(Reason::Exception));
    assert_eq!(said[&2], analog(30.0));
    assert_eq!(said[&3], Err(Reason::Config));
    assert_eq!(server.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_keep_to_the_wall_clock_and_a_slow_bus_never_polls_twice() {
    // The third answer takes more than two periods.
    let server = Hostile::start(|ask| match ask.nth {
        2 => vec![
            Act::Wait(Duration::from_millis(1_200)),
            Act::Send(ask.answer(&ask.words())),
        ],
        _ => ask.honest(),
    });
    let server = server.await;
    let mut source = Source::start(settings(server.port, 10_000, vec![poll(0, 1, 500, &[1])]));
    for _ in 0..8 {
        assert_eq!(source.next().await.values, [(0, analog(1.0))]);
    }
    // Every poll is at or after 350 ms of its half second, and has it for itself.
    let slots: Vec<u128> = server
        .asks()
        .iter()
        .map(|ask| (ask.at.duration_since(UNIX_EPOCH).unwrap().as_millis() - 350) / 500)
        .collect();
    assert!(slots.is_sorted_by(|a, b| a < b), "{slots:?}");
    assert!(slots[3] >= slots[2] + 2, "{slots:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_gives_up_the_request_under_way_and_closes_its_connection() {
    let server = Hostile::start(|_| vec![]).await;
    let source = Source::start(settings(server.port, 600_000, vec![poll(0, 1, 50, &[1])]));
    while server.asks().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    source.stop.cancel();
    timeout(PATIENCE, source.task)
        .await
        .expect("it ends")
        .unwrap();
    let closed = async {
        while server.open() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, closed)
        .await
        .expect("the connection is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_behind_does_not_hold_up_the_bus() {
    let server = Hostile::start(Ask::honest).await;
    let polls = vec![poll(0, 1, 50, &[1])];
    let mut source = Source::with_queue(settings(server.port, 5_000, polls), 1);
    while source.stats.dropped() < 5 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(server.asks().len() >= 6);
    assert_eq!(source.next().await.values, [(0, analog(1.0))]);
    // And it ends by itself when nobody listens any more.
    drop(source.heard);
    timeout(PATIENCE, source.task)
        .await
        .expect("it ends")
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_stamped_between_request_and_answer() {
    let pause = Duration::from_secs(1);
    let server =
        Hostile::start(move |ask| vec![Act::Wait(pause), Act::Send(ask.answer(&ask.words()))]);
    let server = server.await;
    let mut source = Source::start(settings(server.port, 10_000, vec![poll(0, 1, 1_000, &[1])]));
    let heard = source.next().await;
    let age = heard.at.elapsed();
    // Half of the pause is behind the stamp; stamped with the answer, nothing would
    // be, and with the request all of it.
    assert!(age >= pause / 2 - Duration::from_millis(20), "{age:?}");
    let asked = server.asks()[0].at.elapsed().unwrap();
    assert!(age + pause / 4 <= asked, "{age:?} of {asked:?}");
}
