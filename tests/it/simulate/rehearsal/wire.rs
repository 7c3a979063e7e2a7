//! What goes wrong in an answer, byte by byte, on Modbus TCP.

use super::*;

use sunledger::simulate::rehearsal::log::{Misattributed, Outcome};
use sunledger::sys::clock;

#[tokio::test]
async fn an_honest_answer_proves_unit_address_and_question() {
    let park = tcp(&[]).await;
    let mut master = Master::connect(&park).await;
    for (unit, address, count) in [(1, 0, 1), (7, 65_411, 125), (255, 100, 60)] {
        let since = clock::mono();
        let words = master.words(unit, address, count).await;
        assert_eq!(words.len(), usize::from(count));
        for (n, pair) in (0..).zip(words.chunks(2)) {
            let proven = park
                .log()
                .proves(0, unit, 3, address + 2 * n, pair, since)
                .unwrap();
            assert_eq!(proven.question.address, address);
        }
    }
    let since = clock::mono();
    let words = master.words(7, 100, 10).await;
    let proves = |unit, address, words: &[u16]| {
        park.log()
            .proves(0, unit, 3, address, words, since)
            .map(|asked| asked.sequence)
    };
    assert_eq!(proves(7, 104, &words[4..6]), Ok(3));
    assert!(matches!(
        proves(7, 103, &words[4..6]),
        Err(Misattributed::Other(_))
    ));
    assert!(matches!(
        proves(6, 104, &words[4..6]),
        Err(Misattributed::Other(_))
    ));
    let said = park.log().asked();
    assert_eq!(said.len(), 4);
    assert!(
        said.iter()
            .all(|asked| asked.outcome == Outcome::Answered && asked.struck.is_empty())
    );
    assert!(
        said.windows(2)
            .all(|pair| pair[0].at <= pair[1].at && pair[0].wall <= pair[1].wall)
    );
}

#[tokio::test]
async fn what_modbus_does_not_have_is_refused() {
    let park = tcp(&[]).await;
    let mut master = Master::connect(&park).await;
    #[rustfmt::skip]
    let cases = [
        // address, count   exception
        (0,         0,      3),
        (0,         126,    3),
        (65_535,    2,      2),
    ];
    for (address, count, code) in cases {
        master.ask(1, address, count).await;
        assert_eq!(
            master.hear().await.unwrap().2,
            [0x83, code],
            "{address} {count}"
        );
        assert_eq!(last(&park).outcome, Outcome::Refused(code));
    }
    // A question that should never be asked is seen, and refused.
    let wrong = [0, 9, 0, 0, 0, 6, 1, 6, 0, 0, 0, 1];
    master.stream.write_all(&wrong).await.unwrap();
    assert_eq!(master.hear().await.unwrap().2, [0x86, 1]);
    assert_eq!(last(&park).question.fc, 6);
}

#[tokio::test]
async fn an_answer_is_misnamed() {
    #[rustfmt::skip]
    let cases = [
        // fault                 transaction  unit
        ("wrong-transaction",    0x0100,      9),
        ("no-transaction",       0,           9),
        ("wrong-unit",           0x0101,      10),
        ("unit-one",             0x0101,      1),
    ];
    for (fault, transaction, unit) in cases {
        let park = tcp(&[fault]).await;
        let mut master = Master::connect(&park).await;
        master.ask(9, 0, 2).await;
        let (said, from, _) = master.hear().await.unwrap();
        assert_eq!((said, from), (transaction, unit), "{fault}");
        assert_eq!(last(&park).struck, [fault]);
    }
}

#[tokio::test]
async fn an_answer_is_too_short_too_long_or_cut() {
    let park = tcp(&["short"]).await;
    let mut master = Master::connect(&park).await;
    for (fault, registers) in [("short", 4), ("long", 6)] {
        park.faults().off("*").unwrap();
        park.faults().on(fault).unwrap();
        master.ask(1, 0, 5).await;
        let pdu = master.hear().await.unwrap().2;
        assert_eq!(usize::from(pdu[1]), 2 * registers, "{fault}");
        assert_eq!(pdu.len(), 2 + 2 * registers, "{fault}");
    }
    park.faults().off("*").unwrap();
    park.faults().on("truncated").unwrap();
    master.ask(1, 0, 5).await;
    let mut half = [0; 9];
    master.stream.read_exact(&mut half).await.unwrap();
    assert_eq!(half[..6], [0x01, 0x03, 0, 0, 0, 13]);
    master.hears_nothing().await;
}

#[tokio::test]
async fn a_dead_unit_is_silent_and_the_others_are_not() {
    let park = tcp(&["dead:7"]).await;
    let mut master = Master::connect(&park).await;
    master.ask(7, 0, 2).await;
    master.hears_nothing().await;
    assert_eq!(last(&park).outcome, Outcome::Silence);
    assert_eq!(master.words(8, 0, 2).await.len(), 2);
    park.faults().off("dead:7").unwrap();
    assert_eq!(master.words(7, 0, 2).await.len(), 2);
}

#[tokio::test]
async fn every_third_answer_comes_the_time_out_and_more_too_late() {
    let park = tcp(&["late:3:100ms"]).await;
    let mut master = Master::connect(&park).await;
    for n in 1..=6 {
        let began = Instant::now();
        master.words(1, 0, 2).await;
        let late = n % 3 == 0;
        let took = began.elapsed();
        assert_eq!(
            took >= TIMEOUT + Duration::from_millis(100),
            late,
            "{n}: {took:?}"
        );
    }
}

/// Who goes on asking finds the late answer in front of the one he waits for.
#[tokio::test]
async fn a_late_answer_stands_before_the_next() {
    let park = tcp(&["slow:2:100ms"]).await;
    let mut master = Master::connect(&park).await;
    master.words(1, 0, 1).await;
    let (late, next) = (master.ask(1, 100, 2).await, master.ask(1, 200, 3).await);
    let first = master.hear().await.unwrap();
    assert_eq!((first.0, first.2.len()), (late, 2 + 4));
    assert_eq!(master.hear().await.unwrap().0, next);
}

#[tokio::test]
async fn an_answer_is_overtaken_or_comes_twice() {
    let park = tcp(&["overtaken:2"]).await;
    let mut master = Master::connect(&park).await;
    master.words(1, 0, 1).await;
    let overtaken = master.ask(1, 100, 2).await;
    master.hears_nothing().await;
    let next = master.ask(1, 200, 3).await;
    assert_eq!(master.hear().await.unwrap().0, overtaken);
    assert_eq!(master.hear().await.unwrap().0, next);

    park.faults().off("*").unwrap();
    park.faults().on("duplicate").unwrap();
    let twice = master.ask(1, 100, 2).await;
    let (one, other) = (master.hear().await.unwrap(), master.hear().await.unwrap());
    assert_eq!((one.0, &one), (twice, &other));
    master.hears_nothing().await;
}

#[tokio::test]
async fn an_answer_comes_in_pieces() {
    let park = tcp(&["split:4:40ms"]).await;
    let mut master = Master::connect(&park).await;
    let began = Instant::now();
    master.ask(1, 0, 2).await;
    let mut pieces = Vec::new();
    while pieces.iter().sum::<usize>() < 13 {
        let mut bytes = [0; 64];
        pieces.push(master.stream.read(&mut bytes).await.unwrap());
    }
    assert_eq!(pieces, [4, 4, 4, 1]);
    assert!(began.elapsed() >= Duration::from_millis(120));
}

/// Unit, address and count of a question, and the exception that answers it.
type Refusal = (u8, u16, u16, Option<u8>);

#[tokio::test]
async fn refusals_are_of_a_span_a_size_or_a_moment() {
    #[rustfmt::skip]
    let cases: &[(&str, &[Refusal])] = &[
        // fault                      unit, address, count, exception
        ("exceptions:7:110-110:2",    &[(7, 100, 10, None), (7, 100, 11, Some(2)), (7, 111, 5, None), (8, 100, 20, None)]),
        ("max-quantity:60",           &[(7, 0, 60, None), (7, 0, 61, Some(3))]),
        ("busy:4:2",                  &[(7, 0, 1, Some(6)), (7, 0, 1, Some(6)), (7, 0, 1, None), (7, 0, 1, None), (7, 0, 1, Some(6))]),
    ];
    for (fault, questions) in cases {
        let park = tcp(&[fault]).await;
        let mut master = Master::connect(&park).await;
        for (unit, address, count, code) in *questions {
            master.ask(*unit, *address, *count).await;
            let pdu = master.hear().await.unwrap().2;
            let refused = (pdu[0] == 0x83).then(|| pdu[1]);
            assert_eq!(refused, *code, "{fault}: {unit} {address} {count}");
        }
    }
    let park = tcp(&["max-quantity:60:silent"]).await;
    let mut master = Master::connect(&park).await;
    master.ask(1, 0, 61).await;
    master.hears_nothing().await;
    assert_eq!(master.words(1, 0, 60).await.len(), 60);
}

/// A few thousand questions with one in five answers late, and a master that drops
/// the connection at the time-out: the proof finds nothing to complain of. A master
/// that trusts a connection after a time-out is found out.
#[tokio::test]
async fn the_proof_tells_a_careful_master_from_a_careless_one() {
    for (careful, fault) in [(true, "overtaken:20%"), (false, "overtaken:20%")] {
        let park = tcp(&[fault]).await;
        let mut master = Master::connect(&park).await;
        let mut wrong = 0;
        for n in 0..300_u16 {
            let (unit, address) = (u8::try_from(n % 3).unwrap(), 100 * (n % 5));
            let since = clock::mono();
            master.ask(unit, address, 2).await;
            let heard = timeout(Duration::from_millis(50), master.hear()).await;
            let Ok(Some((.., pdu))) = heard else {
                if careful {
                    master = Master::connect(&park).await;
                }
                continue;
            };
            let proof = park.log().proves(0, unit, 3, address, &words(&pdu), since);
            wrong += usize::from(proof.is_err());
        }
        assert_eq!(wrong == 0, careful, "{wrong} wrong values");
    }
}
