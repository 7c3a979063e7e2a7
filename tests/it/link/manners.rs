//! What an endpoint wants: pauses, closed connections, any unit, no transactions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sunledger::source::modbus::Manners;
use sunledger::source::modbus::link::Failure;

use super::{PATIENT, ask, link, words};
use crate::support::hostile::{Act, Ask, Hostile, frame};

/// Every fifth answer is late by 200 ms.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_costs_its_own_reading_and_one_connection() {
    let timeout = Duration::from_secs(1);
    let server = Hostile::start(move |ask| match ask.nth % 5 {
        4 => vec![
            Act::Wait(timeout + Duration::from_millis(200)),
            Act::Send(ask.good()),
        ],
        _ => ask.honest(),
    });
    let server = server.await;
    let mut link = link(server.wiring(), Manners::default(), timeout);
    for n in 0..20 {
        let address = 100 * (n % 3);
        let said = words(&mut link, 1, &ask(3, address, 2)).await;
        if n % 5 == 4 {
            assert_eq!(said, Err(Failure::Timeout), "{n}");
        } else {
            assert_eq!(said, Ok(vec![address, address + 1]), "{n}");
        }
    }
    let ids: Vec<u16> = server.asks().iter().map(|ask| ask.tid).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "they go on: {ids:?}");
    assert_eq!(server.connections(), 4, "the last late one is not followed");
    assert_eq!(server.most_open(), 1);
}

/// Ten units, a gateway that bears one socket, closes it when it is idle, and hangs up
/// on everyone once.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_that_the_device_closed_is_nothing_that_anyone_sees() {
    let server = Hostile::start(|ask| match ask.nth % 10 {
        9 => vec![Act::Send(ask.good()), Act::Close],
        _ => ask.honest(),
    });
    let server = server.await;
    let mut link = link(server.wiring(), Manners::default(), PATIENT);
    for cycle in 0..5 {
        for unit in 1..=10 {
            let address = 10 * u16::from(unit);
            let said = words(&mut link, unit, &ask(3, address, 1)).await;
            assert_eq!(said, Ok(vec![address]), "cycle {cycle}, unit {unit}");
        }
    }
    assert_eq!(server.asks().len(), 50, "nothing is asked twice");
    assert_eq!((server.connections(), server.most_open()), (5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_restarts_is_found_again_with_one_connection() {
    let server = Hostile::start(|ask| match ask.nth {
        20 => vec![Act::Close],
        _ => ask.honest(),
    });
    let server = server.await;
    let mut link = link(server.wiring(), Manners::default(), PATIENT);
    for n in 0..20 {
        let unit = 1 + n % 10;
        let said = words(&mut link, unit, &ask(3, 7, 1)).await;
        assert_eq!(said, Ok(vec![7]), "unit {unit}");
    }
    server.stop_listening();
    let gone = words(&mut link, 1, &ask(3, 7, 1)).await;
    assert!(matches!(gone, Err(Failure::Connect(_))), "{gone:?}");
    let again = Hostile::start_at(server.port, Ask::honest).await;
    let started = Instant::now();
    while words(&mut link, 1, &ask(3, 7, 1)).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(link.recovered(), "and that is told");
    for unit in 2..=10 {
        assert_eq!(words(&mut link, unit, &ask(3, 9, 1)).await, Ok(vec![9]));
    }
    assert_eq!((again.connections(), again.most_open()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_on_the_question_is_tried_once_more_and_not_twice() {
    // On a connection that had answered before: closed while the question was under way.
    let server = Hostile::start(|ask| match ask.nth {
        0 | 2 => ask.honest(),
        _ => vec![Act::Close],
    });
    let server = server.await;
    let mut link = link(server.wiring(), Manners::default(), PATIENT);
    let request = ask(3, 5, 1);
    assert_eq!(words(&mut link, 1, &request).await, Ok(vec![5]));
    assert_eq!(
        words(&mut link, 1, &request).await,
        Ok(vec![5]),
        "asked again"
    );
    assert_eq!(server.asks().len(), 3);
    assert_eq!(words(&mut link, 1, &request).await, Err(Failure::HungUp));
    assert_eq!(server.asks().len(), 5, "once more, and then it is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_after_the_first_byte_is_told() {
    let server = Hostile::start(|ask| match ask.nth {
        1 => vec![Act::Send(ask.good()[..9].into()), Act::Close],
        _ => ask.honest(),
    });
    let server = server.await;
    let mut link = link(server.wiring(), Manners::default(), PATIENT);
    let request = ask(3, 5, 1);
    assert_eq!(words(&mut link, 1, &request).await, Ok(vec![5]));
    assert_eq!(words(&mut link, 1, &request).await, Err(Failure::HungUp));
    assert_eq!(words(&mut link, 1, &request).await, Ok(vec![5]));
    assert_eq!(server.asks().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn pauses_are_kept() {
    let manners = Manners {
        connect_pause: Duration::from_millis(400),
        request_pause: Duration::from_millis(150),
        ..Manners::default()
    };
    let server = Hostile::start(Ask::honest).await;
    let mut link = link(server.wiring(), manners, PATIENT);
    let started = Instant::now();
    for n in 0..3 {
        assert_eq!(words(&mut link, 1, &ask(3, n, 1)).await, Ok(vec![n]));
        let least = Duration::from_millis(400 + 150 * u64::from(n));
        assert!(started.elapsed() >= least, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_let_go_after_a_cycle_and_not_tried_when_it_was_idle() {
    let server = Hostile::start(Ask::honest).await;
    let closing = Manners {
        close_after_cycle: true,
        ..Manners::default()
    };
    let mut link = link(server.wiring(), closing, PATIENT);
    for cycle in 1..=3 {
        for address in [1, 2] {
            let said = words(&mut link, 1, &ask(3, address, 1)).await;
            assert_eq!(said, Ok(vec![address]));
        }
        link.end_of_cycle().await;
        assert_eq!((server.connections(), server.most_open()), (cycle, 1));
        for _ in 0..1_000 {
            if server.open() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        assert_eq!(server.open(), 0);
    }
    let server = Hostile::start(Ask::honest).await;
    let idle = Manners {
        idle_close: Some(Duration::from_millis(100)),
        ..Manners::default()
    };
    let mut link = super::link(server.wiring(), idle, PATIENT);
    for connection in 1..=3 {
        assert!(words(&mut link, 1, &ask(3, 1, 1)).await.is_ok());
        assert_eq!(server.connections(), connection);
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_knows_one_unit_id_is_read_where_that_is_said() {
    for (any_unit, is_read) in [(true, true), (false, false)] {
        let manners = Manners {
            any_unit,
            ..Manners::default()
        };
        let says_one = |ask: &Ask| {
            let pdu = ask.pdu(&ask.words());
            vec![Act::Send(ask.frame(1, &pdu))]
        };
        let server = Hostile::start(says_one).await;
        let mut over_tcp = link(server.wiring(), manners.clone(), PATIENT);
        let said = words(&mut over_tcp, 7, &ask(3, 9, 2)).await;
        assert_eq!(said.is_ok(), is_read, "{said:?}");
        let server = Hostile::on_a_line(says_one);
        let mut line = link(server.wiring(), manners, PATIENT);
        let said = words(&mut line, 7, &ask(3, 9, 2)).await;
        assert_eq!(said.is_ok(), is_read, "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_transactions_is_read_and_its_late_answers_are_not() {
    // Always transaction 2. The third answer is late, and goes to the next connection.
    let owed = AtomicUsize::new(0);
    let server = Hostile::start(move |ask| {
        let before = owed.swap(0, Ordering::SeqCst) as u16;
        let mut acts = Vec::new();
        if before > 0 {
            let late = Ask {
                address: before,
                count: 2,
                ..ask.clone()
            };
            acts.push(Act::Send(frame(2, ask.unit, &late.pdu(&late.words()))));
            acts.push(Act::Wait(Duration::from_millis(20)));
        }
        if ask.nth == 2 {
            owed.store(usize::from(ask.address), Ordering::SeqCst);
        } else {
            acts.push(Act::Send(frame(2, ask.unit, &ask.pdu(&ask.words()))));
        }
        acts
    });
    let server = server.await;
    let manners = Manners {
        ignore_transaction: true,
        ..Manners::default()
    };
    let timeout = Duration::from_millis(500);
    let mut link = link(server.wiring(), manners, timeout);
    let (mut right, mut gaps) = (0, 0);
    while right < 10 {
        let address = 100 + 10 * (right + gaps);
        match words(&mut link, 1, &ask(3, address, 2)).await {
            Ok(words) => {
                assert_eq!(words, [address, address + 1]);
                right += 1;
            }
            Err(_) => gaps += 1,
        }
        assert!(gaps < 10);
    }
    assert!(gaps >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_s_timeout_is_the_least_and_latency_is_measured() {
    let manners = Manners {
        min_timeout: PATIENT,
        ..Manners::default()
    };
    let server = Hostile::start(|ask| {
        let thinks = Duration::from_millis(30 + u64::from(ask.count));
        vec![Act::Wait(thinks), Act::Send(ask.good())]
    });
    let server = server.await;
    let mut link = link(server.wiring(), manners, Duration::from_millis(1));
    for _ in 0..15 {
        for count in [1, 100] {
            let said = words(&mut link, 1, &ask(3, 0, count)).await;
            assert_eq!(said.unwrap().len(), usize::from(count));
        }
    }
    let timing = link.timing();
    assert!(timing.per_request_ms >= 25.0, "{timing:?}");
    assert!(timing.cost_ms(100) >= 110.0, "{timing:?}");
}
