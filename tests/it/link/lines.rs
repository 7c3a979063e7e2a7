//! Serial lines and serial servers: echo, noise, damage, and answers that are late.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use sunledger::domain::quality::Reason;
use sunledger::source::modbus::link::Failure;
use sunledger::source::modbus::{Manners, Rs485, Wiring};

use super::{PATIENT, ask, asked, link, words};
use crate::support::hostile::{Act, Ask, Hostile};

/// What a line does to an answer.
type Line = fn(&Ask) -> Vec<Act>;

fn sends(parts: &[&[u8]]) -> Vec<Act> {
    vec![Act::Send(parts.concat())]
}

fn damaged(ask: &Ask) -> Vec<u8> {
    let mut bytes = ask.good();
    bytes[4] ^= 0x20;
    bytes
}

fn in_pieces(bytes: &[u8], size: usize) -> Vec<Act> {
    bytes
        .chunks(size)
        .flat_map(|piece| [Act::Send(piece.into()), Act::Wait(Duration::from_millis(3))])
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_found_in_the_same_transaction_or_there_is_none() {
    #[rustfmt::skip]
    let lines: &[(&str, Line, bool)] = &[
        // situation                   what comes                                                            whether it is read
        ("plain",                  |ask| ask.honest(),                                                         true),
        ("an echo",                |ask| sends(&[&ask.bytes, &ask.good()]),                                    true),
        ("an echo, then a pause",  |ask| vec![Act::Send(ask.bytes.clone()), Act::Wait(Duration::from_millis(60)), Act::Send(ask.good())], true),
        ("the end of the echo",    |ask| sends(&[&ask.bytes[3..], &ask.good()]),                               true),
        ("its checksum",           |ask| sends(&[&ask.bytes[6..], &ask.good()]),                               true),
        ("the start of the echo",  |ask| sends(&[&ask.bytes[..6], &ask.good()]),                               true),
        ("a zero before it",       |ask| sends(&[&[0], &ask.good()]),                                          true),
        ("forty bytes of noise",   |ask| sends(&[&[0xFE; 40], &ask.good()]),                                   true),
        ("noise like its header",  |ask| sends(&[&ask.good()[..3], &ask.good()]),                              true),
        ("byte by byte",           |ask| in_pieces(&ask.good(), 1),                                            true),
        ("an echo in pieces",      |ask| in_pieces(&[&ask.bytes[..], &ask.good()].concat(), 5),                true),
        ("a crackle behind it",    |ask| sends(&[&ask.good(), &[0xFF, 0]]),                                    true),
        ("an echoed damage",       |ask| sends(&[&ask.bytes, &damaged(ask)]),                                  false),
        ("a damaged answer",       |ask| sends(&[&damaged(ask)]),                                              false),
        ("all but one byte",       |ask| sends(&[&ask.good()[..12]]),                                          false),
        ("fewer registers",        |ask| sends(&[&ask.answer(&ask.words()[..3])]),                             false),
        ("more registers",         |ask| sends(&[&ask.answer(&[ask.words(), vec![9]].concat())]),              false),
        ("another unit",           |ask| sends(&[&ask.frame(9, &ask.pdu(&ask.words()))]),                      false),
        ("another function",       |ask| sends(&[&Ask { fc: 4, ..ask.clone() }.good()]),                       false),
        ("two answers",            |ask| sends(&[&ask.good(), &Ask { address: 7, ..ask.clone() }.good()]),     false),
        ("the same answer twice",  |ask| sends(&[&ask.good(), &ask.good()]),                                   false),
        ("its echo and no more",   |ask| sends(&[&ask.bytes]),                                                 false),
        ("silence",                |_| vec![],                                                                 false),
    ];
    let cases = lines.iter().flat_map(|line| [(line, true), (line, false)]);
    let cases = cases.map(|(&(situation, line, is_read), on_a_line)| async move {
        // Every other question is answered honestly, so that a unit can prove itself.
        let manners = move |ask: &Ask| match ask.address {
            40 if ask.count == 4 && ask.nth == 0 => line(ask),
            _ => ask.honest(),
        };
        let server = if on_a_line {
            Hostile::on_a_line(manners)
        } else {
            Hostile::rtu_over_tcp(manners).await
        };
        let mut link = link(server.wiring(), Manners::default(), Duration::from_secs(2));
        let said = words(&mut link, 5, &ask(3, 40, 4)).await;
        if is_read {
            assert_eq!(said.as_deref(), Ok(&[40, 41, 42, 43][..]), "{situation}");
            assert_eq!(server.asks().len(), 1, "{situation}");
        } else {
            let reason = said.unwrap_err().reason();
            let expected = [Reason::Timeout, Reason::ShortAnswer];
            assert!(expected.contains(&reason), "{situation}: {reason:?}");
        }
        // And the next one is right, of the same shape and of another.
        for (address, count) in [(80, 4), (90, 2)] {
            let said = words(&mut link, 5, &ask(3, address, count)).await;
            let expected: Vec<u16> = (address..address + count).collect();
            assert_eq!(said, Ok(expected), "after {situation}");
        }
    });
    futures_util::future::join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_is_an_answer_and_the_line_stays_as_it_is() {
    let server = Hostile::rtu_over_tcp(|ask| match ask.address {
        7 => vec![Act::Send(ask.exception(2))],
        _ if ask.count > 60 => vec![Act::Send(ask.exception(3))],
        _ => ask.honest(),
    });
    let server = server.await;
    let mut link = link(server.wiring(), Manners::default(), PATIENT);
    for _ in 0..3 {
        let said = words(&mut link, 1, &ask(3, 7, 1)).await;
        assert_eq!(said, Err(Failure::Exception(2)));
        let said = words(&mut link, 1, &ask(3, 100, 61)).await;
        assert_eq!(said, Err(Failure::Exception(3)));
        assert_eq!(words(&mut link, 1, &ask(3, 8, 1)).await, Ok(vec![8]));
    }
    assert_eq!(server.asks().len(), 9);
    assert_eq!(server.connections(), 1);
}

/// A serial server that sends what comes from its line to whoever is connected. Every
/// fifth answer is late, by more than the drain waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_on_a_line_is_never_taken_for_that_of_a_neighbour() {
    let (late, honest) = (AtomicU16::new(0), AtomicUsize::new(0));
    let server = Hostile::rtu_over_tcp(move |ask| {
        // What was asked first is answered first.
        let owed = late.swap(0, Ordering::SeqCst);
        let before = Ask {
            address: owed,
            count: 2,
            ..ask.clone()
        };
        let before = if owed == 0 { vec![] } else { before.good() };
        if ask.count == 2 && honest.fetch_add(1, Ordering::SeqCst) % 5 == 4 {
            late.store(ask.address, Ordering::SeqCst);
            return vec![Act::Send(before)];
        }
        // The late one comes alone, and the own one after a while.
        vec![
            Act::Send(before),
            Act::Wait(Duration::from_millis(u64::from(owed > 0) * 30)),
            Act::Send(ask.good()),
        ]
    });
    let server = server.await;
    let timeout = Duration::from_millis(150);
    let mut link = link(server.wiring(), Manners::default(), timeout);
    let (mut right, mut gaps) = (0, 0);
    while right < 30 || gaps < 6 {
        for address in [100, 200, 300] {
            match words(&mut link, 1, &ask(3, address, 2)).await {
                Ok(words) => {
                    assert_eq!(words, [address, address + 1]);
                    right += 1;
                }
                Err(_) => gaps += 1,
            }
        }
    }
    assert_eq!(server.most_open(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_of_one_register_proves_itself_by_another_function() {
    let server = Hostile::on_a_line(|ask| match (ask.nth, ask.fc) {
        (0, _) => vec![],
        // It has no other function, and says so.
        (_, 4) => vec![Act::Send(ask.exception(1))],
        _ => ask.honest(),
    });
    let timeout = Duration::from_secs(1);
    let mut link = link(server.wiring(), Manners::default(), timeout);
    let request = ask(3, 50, 1);
    assert_eq!(words(&mut link, 1, &request).await, Err(Failure::Timeout));
    // Another unit owes nothing.
    assert_eq!(words(&mut link, 2, &request).await, Ok(vec![50]));
    assert_eq!(words(&mut link, 1, &request).await, Ok(vec![50]));
    let asks = server.asks();
    let functions: Vec<(u8, u8)> = asks.iter().map(|ask| (ask.unit, ask.fc)).collect();
    assert_eq!(functions, [(1, 3), (2, 3), (1, 4), (1, 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_silence_the_line_is_left_alone_for_one_more_timeout() {
    let server = Hostile::on_a_line(|ask| match ask.nth {
        0 => vec![],
        _ => ask.honest(),
    });
    let timeout = Duration::from_secs(1);
    let mut link = link(server.wiring(), Manners::default(), timeout);
    let began = SystemTime::now();
    let silent = words(&mut link, 1, &ask(3, 10, 2)).await;
    assert_eq!(silent, Err(Failure::Timeout));
    assert_eq!(words(&mut link, 2, &ask(3, 20, 4)).await.unwrap().len(), 4);
    let later = server.asks()[1].at.duration_since(began).unwrap();
    assert!(later >= timeout * 2, "{later:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_nobody_asked_for_are_thrown_away_before_a_question() {
    // Each answer is followed by another one, a while later.
    for on_a_line in [true, false] {
        let manners = |ask: &Ask| {
            let stray = Ask {
                address: 999,
                ..ask.clone()
            };
            vec![
                Act::Send(ask.good()),
                Act::Wait(Duration::from_millis(200)),
                Act::Send(stray.good()),
            ]
        };
        let server = if on_a_line {
            Hostile::on_a_line(manners)
        } else {
            Hostile::rtu_over_tcp(manners).await
        };
        let mut link = link(server.wiring(), Manners::default(), PATIENT);
        for address in [1, 2, 3, 4] {
            let said = words(&mut link, 1, &ask(3, address, 1)).await;
            assert_eq!(said, Ok(vec![address]));
            // The stray answer is sent, and has a moment to arrive.
            while server.done() < server.asks().len() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(asked(&server, 999), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_in_a_hundred_is_damaged_and_none_is_wrong() {
    let server = Hostile::on_a_line(|ask| match ask.nth % 100 {
        50 => sends(&[&damaged(ask)]),
        n if n % 3 == 0 => sends(&[&ask.bytes, &ask.good()]),
        n if n % 3 == 1 => sends(&[&[0], &ask.good()]),
        _ => ask.honest(),
    });
    let mut link = link(server.wiring(), Manners::default(), PATIENT);
    let mut gaps = 0;
    for n in 0..400_u16 {
        match words(&mut link, 1, &ask(3, n, 4)).await {
            Ok(words) => assert_eq!(words, [n, n + 1, n + 2, n + 3]),
            Err(failure) => {
                assert_eq!(failure.reason(), Reason::ShortAnswer, "{failure:?}");
                gaps += 1;
            }
        }
    }
    // A damaged answer costs its own reading; proofs come on top of 400 questions.
    assert!((3..=5).contains(&gaps), "{gaps}");
}

#[tokio::test]
async fn a_line_that_is_not_there_or_has_no_rs485_says_what_to_do() {
    let Wiring::Serial(mut serial) = Hostile::on_a_line(Ask::honest).wiring() else {
        unreachable!("a line is a line")
    };
    "/dev/ttyNONE".clone_into(&mut serial.device);
    let mut gone = link(Wiring::Serial(serial), Manners::default(), PATIENT);
    let Err(Failure::Connect(why)) = words(&mut gone, 1, &ask(3, 0, 1)).await else {
        panic!("there is no such device")
    };
    assert!(why.contains("No such file"), "{why}");

    let server = Hostile::on_a_line(Ask::honest);
    let Wiring::Serial(mut serial) = server.wiring() else {
        unreachable!("a line is a line")
    };
    serial.rs485 = Some(Rs485 {
        rts_on_send: true,
        delay_before_send: Duration::ZERO,
        delay_after_send: Duration::ZERO,
    });
    let mut turned = link(Wiring::Serial(serial), Manners::default(), PATIENT);
    let Err(Failure::Connect(why)) = words(&mut turned, 1, &ask(3, 0, 1)).await else {
        panic!("a pseudoterminal has no such mode")
    };
    assert!(why.contains("leave `rs485` out"), "{why}");
}
