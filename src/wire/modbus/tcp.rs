//! Modbus over TCP: a header of seven bytes, then the question or the answer.
//!
//! ```text
//!   tid tid 0 0 len len unit │ fc …
//!   └────────── MBAP ───────┘
//! ```
//!
//! The transaction id tells whose answer it is. **An answer with an older id of this
//! link is skipped**; one with an id that was never asked breaks the connection.

use super::{Fault, Leniency, Question, Scan, byte};

/// Bytes before the function code.
const HEADER: usize = 7;
/// How far back a transaction may lie for its answer to be called late, and skipped.
/// One is in flight at a time; a gateway that holds back more than this is not in step.
const LATE: u16 = 64;

/// The frame of a question.
#[must_use]
pub fn encode(question: &Question, transaction: u16) -> [u8; 12] {
    let [t, u] = transaction.to_be_bytes();
    let [fc, a, b, c, d] = question.pdu();
    [t, u, 0, 0, 0, 6, question.unit, fc, a, b, c, d]
}

/// What came since the question was sent.
#[must_use]
pub fn scan(came: &[u8], transaction: u16, question: &Question, lenient: Leniency) -> Scan {
    let mut at = 0;
    loop {
        let frame = came.get(at..).unwrap_or_default();
        let said = first(frame, transaction, question, lenient);
        match said {
            First::Late(length) => at += length,
            First::Scan(Scan::Answer { words, used }) => {
                let used = used + at;
                return Scan::Answer { words, used };
            }
            First::Scan(Scan::Exception { code, used }) => {
                let used = used + at;
                return Scan::Exception { code, used };
            }
            First::Scan(said) => return said,
        }
    }
}

enum First {
    /// A whole answer of so many bytes to an older question.
    Late(usize),
    Scan(Scan),
}

impl From<Fault> for First {
    fn from(fault: Fault) -> Self {
        Self::Scan(Scan::Broken(fault))
    }
}

const MORE: First = First::Scan(Scan::More { enough: false });

/// The first frame. What is wrong with it is said as soon as the byte is there.
fn first(frame: &[u8], transaction: u16, question: &Question, lenient: Leniency) -> First {
    if byte(frame, 2).is_some_and(|b| b != 0) || byte(frame, 3).is_some_and(|b| b != 0) {
        return Fault::NotModbus.into();
    }
    let Some(&[t, u, _, _, l, m, unit]) = frame.first_chunk::<HEADER>() else {
        return MORE;
    };
    let length = u16::from_be_bytes([l, m]);
    if !(3..=254).contains(&length) {
        return Fault::NotModbus.into();
    }
    // The length counts the unit as well.
    let end = usize::from(length) + HEADER - 1;
    let said = u16::from_be_bytes([t, u]);
    if said != transaction && !lenient.ignore_transaction {
        return match transaction.wrapping_sub(said) {
            1..=LATE if frame.len() >= end => First::Late(end),
            1..=LATE => MORE,
            _ => Fault::Transaction.into(),
        };
    }
    if unit != question.unit && !lenient.any_unit {
        return Fault::Unit(unit).into();
    }
    let Some(function) = byte(frame, HEADER) else {
        return MORE;
    };
    let Some(next) = byte(frame, HEADER + 1) else {
        return MORE;
    };
    if function == question.function.refused() {
        return if length == 3 {
            First::Scan(Scan::Exception {
                code: next,
                used: end,
            })
        } else {
            Fault::NotModbus.into()
        };
    }
    if function != question.function.code() || next != question.bytes() {
        return question.mismatch(function, next).into();
    }
    if length != u16::from(next) + 3 {
        return Fault::NotModbus.into();
    }
    match frame.get(HEADER + 2..end) {
        Some(bytes) => First::Scan(Scan::Answer {
            words: question.words(bytes),
            used: end,
        }),
        None => MORE,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STRICT: Leniency = Leniency {
        any_unit: false,
        ignore_transaction: false,
    };

    fn frame(tid: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
        let length = u16::try_from(pdu.len() + 1).unwrap();
        let mut frame = Vec::from(tid.to_be_bytes());
        frame.extend([0, 0]);
        frame.extend(length.to_be_bytes());
        frame.push(unit);
        frame.extend(pdu);
        frame
    }

    fn answer(tid: u16, question: &Question, words: &[u16]) -> Vec<u8> {
        let mut pdu = vec![question.function.code(), question.bytes()];
        pdu.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        frame(tid, question.unit, &pdu)
    }

    #[test]
    fn the_specification_s_example_is_encoded() {
        let question = Question::new(0x11, 3, 0x6B, 3).unwrap();
        let expected = [0x15, 0x01, 0, 0, 0, 6, 0x11, 3, 0, 0x6B, 0, 3];
        assert_eq!(encode(&question, 0x1501), expected);
    }

    #[test]
    fn every_part_of_the_header_is_checked() {
        let question = Question::new(5, 3, 100, 2).unwrap();
        let good = answer(700, &question, &[1, 2]);
        let pdu = &good[HEADER..];
        let any_unit = Leniency {
            any_unit: true,
            ..STRICT
        };
        let any_transaction = Leniency {
            ignore_transaction: true,
            ..STRICT
        };
        let changed = |at: usize, to: u8| {
            let mut frame = good.clone();
            frame[at] = to;
            frame
        };
        let late = frame(699, 5, &[3, 2, 9, 9]);
        let answers = |used| Scan::Answer {
            words: vec![1, 2],
            used,
        };
        let more = Scan::More { enough: false };
        let broken = Scan::Broken;
        #[rustfmt::skip]
        let cases = [
            ("nothing yet",                vec![],                               STRICT,          more.clone()),
            ("all but the last byte",      good[..12].to_vec(),                  STRICT,          more.clone()),
            ("the answer",                 good.clone(),                         STRICT,          answers(13)),
            ("and more behind it",         [good.clone(), vec![0]].concat(),     STRICT,          answers(13)),
            ("an exception",               frame(700, 5, &[0x83, 2]),            STRICT,          Scan::Exception { code: 2, used: 9 }),
            ("half an exception",          frame(700, 5, &[0x83, 2])[..8].into(), STRICT,         more.clone()),
            ("a long exception",           frame(700, 5, &[0x83, 2, 0]),         STRICT,          broken(Fault::NotModbus)),
            ("an exception to another",    frame(700, 5, &[0x84, 2]),            STRICT,          broken(Fault::Function(0x84))),
            ("a late answer before it",    [late.clone(), good.clone()].concat(), STRICT,         answers(24)),
            ("a late answer",              late.clone(),                         STRICT,          more.clone()),
            ("half a late answer",         late[..8].into(),                     STRICT,          more),
            ("a transaction to come",      frame(701, 5, pdu),                   STRICT,          broken(Fault::Transaction)),
            ("one long ago",               frame(600, 5, pdu),                   STRICT,          broken(Fault::Transaction)),
            ("that means nothing",         frame(2, 5, pdu),                     any_transaction, answers(13)),
            ("another unit",               frame(700, 1, pdu),                   STRICT,          broken(Fault::Unit(1))),
            ("that means nothing",         frame(700, 1, pdu),                   any_unit,        answers(13)),
            ("another function",           frame(700, 5, &[4, 4, 0, 1, 0, 2]),   STRICT,          broken(Fault::Function(4))),
            ("fewer registers",            frame(700, 5, &[3, 2, 0, 1]),         STRICT,          broken(Fault::Count { asked: 4, sent: 2 })),
            ("more registers",             frame(700, 5, &[3, 6, 0, 1, 0, 2, 0, 3]), STRICT,      broken(Fault::Count { asked: 4, sent: 6 })),
            ("a byte too few",             frame(700, 5, &[3, 4, 0, 1, 0]),      STRICT,          broken(Fault::NotModbus)),
            ("a byte too many",            frame(700, 5, &[3, 4, 0, 1, 0, 2, 0]), STRICT,         broken(Fault::NotModbus)),
            ("an odd byte count",          frame(700, 5, &[3, 3, 0, 1, 0]),      STRICT,          broken(Fault::Count { asked: 4, sent: 3 })),
            ("another protocol",           changed(3, 7),                        STRICT,          broken(Fault::NotModbus)),
            ("a length of nothing",        changed(5, 0),                        STRICT,          broken(Fault::NotModbus)),
            ("a length of 64 KiB",         changed(4, 0xFF),                     STRICT,          broken(Fault::NotModbus)),
            ("a web page",                 b"HTTP/1.1 400 Bad".to_vec(),         STRICT,          broken(Fault::NotModbus)),
        ];
        for (situation, came, lenient, expected) in cases {
            assert_eq!(
                scan(&came, 700, &question, lenient),
                expected,
                "{situation}"
            );
        }
    }

    #[test]
    fn transactions_go_round() {
        let question = Question::new(1, 4, 0, 1).unwrap();
        let late = answer(65_535, &question, &[9]);
        let came = [late, answer(0, &question, &[7])].concat();
        let expected = Scan::Answer {
            words: vec![7],
            used: 22,
        };
        assert_eq!(scan(&came, 0, &question, STRICT), expected);
    }

    proptest! {
        /// However an answer is cut, what has come is more to come, and the whole of it
        /// is what was sent.
        #[test]
        fn an_answer_in_pieces_is_the_same(words in prop::collection::vec(any::<u16>(), 1..=125), tid: u16, unit: u8, cut in 0_usize..260) {
            let count = u16::try_from(words.len()).unwrap();
            let question = Question::new(unit, 3, 7, count).unwrap();
            let whole = answer(tid, &question, &words);
            let cut = cut.min(whole.len() - 1);
            prop_assert_eq!(scan(&whole[..cut], tid, &question, STRICT), Scan::More { enough: false });
            let used = whole.len();
            prop_assert_eq!(scan(&whole, tid, &question, STRICT), Scan::Answer { words, used });
        }

        /// A bit that flips in the header, up to the byte count, never yields an answer.
        #[test]
        fn a_flipped_bit_in_the_header_is_seen(words in prop::collection::vec(any::<u16>(), 1..=125), tid: u16, bit in 0_usize..72) {
            let count = u16::try_from(words.len()).unwrap();
            let question = Question::new(9, 4, 7, count).unwrap();
            let mut whole = answer(tid, &question, &words);
            whole[bit / 8] ^= 1 << (bit % 8);
            let said = scan(&whole, tid, &question, STRICT);
            let is_answer = matches!(said, Scan::Answer { .. });
            prop_assert!(!is_answer, "{:?}", said);
        }
    }
}
