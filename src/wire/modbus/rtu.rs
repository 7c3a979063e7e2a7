//! Modbus on a serial line: the frame closes with a checksum, and nothing says where
//! it begins.
//!
//! ```text
//!   noise │ echo of the question │ unit fc n … crc crc │ noise
//! ```
//!
//! Frames are told by length and checksum, not by silence: adapters cut a frame into
//! pieces and glue pieces together. The answer may stand behind noise, and behind the
//! echo of the question, whole or in part, that some adapters give; it is found within
//! the same transaction.
//!
//! **Only the exact frame is an answer**: unit, function, byte count and checksum. A
//! whole frame that answers another question ends the search, because the line is out
//! of step. Nothing in a frame tells the answer to this question from a late one to the
//! same unit, function and count: that is what whoever sends has to keep apart.
//!
//! A question for 17 to 24 bits at an address from 0x0300 to 0x03FF has an answer that
//! may equal the question's own echo byte for byte. It is then taken for the echo, and
//! the bits are missing rather than guessed. The same holds for some questions for one
//! register at an address from 0x0200 to 0x02FF, or for up to 16 bits: the first bytes
//! of their echo are an answer, checksum and all, and an adapter hands them over before
//! the rest.

use super::{Fault, Function, Leniency, Question, Scan, crc};

/// Bytes around the values: unit, function, byte count, checksum.
const FRAME: usize = 5;
/// An exception: unit, function, code, checksum.
pub const SHORTEST: usize = 5;

/// The frame of a question.
#[must_use]
pub fn encode(question: &Question) -> [u8; 8] {
    let [fc, a, b, c, d] = question.pdu();
    let [low, high] = crc::crc(&[question.unit, fc, a, b, c, d]);
    [question.unit, fc, a, b, c, d, low, high]
}

/// Length of the answer to a question.
#[must_use]
pub fn answer_length(question: &Question) -> usize {
    usize::from(question.bytes()) + FRAME
}

/// What came since the question was sent.
#[must_use]
pub fn scan(came: &[u8], question: &Question, lenient: Leniency) -> Scan {
    let echo = encode(question);
    let mut echoed = 0;
    // Whether an earlier place may still become the answer.
    let mut pending = false;
    let mut at = 0;
    while let Some(rest) = came.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(&echo) {
            at += echo.len();
            echoed += echo.len();
            continue;
        }
        // The echo so far may close with a checksum as a short answer does.
        if echo.starts_with(rest) {
            pending = true;
            break;
        }
        match here(rest, question, lenient) {
            Here::Answer(words) => {
                let used = at + answer_length(question);
                return Scan::Answer { words, used };
            }
            Here::Exception(code) => {
                let used = at + SHORTEST;
                return Scan::Exception { code, used };
            }
            // Within what may become the answer, bytes look like anything.
            Here::Another(fault) if !pending => return Scan::Broken(fault),
            Here::Begins => pending = true,
            Here::Another(_) | Here::Nothing => (),
        }
        at += 1;
    }
    let enough = !pending && came.len() - echoed >= answer_length(question);
    Scan::More { enough }
}

/// What begins at one place.
enum Here {
    Answer(Vec<u16>),
    Exception(u8),
    /// A whole frame that is not the answer.
    Another(Fault),
    /// The answer, perhaps, when more has come.
    Begins,
    Nothing,
}

fn here(rest: &[u8], question: &Question, lenient: Leniency) -> Here {
    let is_ours = |unit: u8| unit == question.unit || lenient.any_unit;
    let (unit, function, third) = match *rest {
        [unit, function, third, ..] => (unit, function, third),
        [unit, function] if is_ours(unit) && answers(function, question) => return Here::Begins,
        [unit] if is_ours(unit) => return Here::Begins,
        _ => return Here::Nothing,
    };
    let refuses = function & 0x80 != 0;
    if Function::of(function & 0x7F).is_none() {
        return Here::Nothing;
    }
    let length = if refuses {
        SHORTEST
    } else {
        usize::from(third) + FRAME
    };
    let fault = if !is_ours(unit) {
        Some(Fault::Unit(unit))
    } else if answers(function, question) && (refuses || third == question.bytes()) {
        None
    } else {
        Some(question.mismatch(function, third))
    };
    let Some(frame) = rest.get(..length) else {
        return if fault.is_none() {
            Here::Begins
        } else {
            Here::Nothing
        };
    };
    if !crc::closes(frame) {
        return Here::Nothing;
    }
    match fault {
        Some(fault) => Here::Another(fault),
        None if refuses => Here::Exception(third),
        None => {
            let values = frame.get(3..length - 2).unwrap_or_default();
            Here::Answer(question.words(values))
        }
    }
}

fn answers(function: u8, question: &Question) -> bool {
    function == question.function.code() || function == question.function.refused()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STRICT: Leniency = Leniency {
        any_unit: false,
        ignore_transaction: false,
    };

    fn closed(body: &[u8]) -> Vec<u8> {
        [body, &crc::crc(body)].concat()
    }

    fn answer(question: &Question, words: &[u16]) -> Vec<u8> {
        let mut body = vec![question.unit, question.function.code(), question.bytes()];
        body.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        closed(&body)
    }

    #[test]
    fn the_specification_s_example_is_encoded() {
        let question = Question::new(0x11, 3, 0x6B, 3).unwrap();
        let expected = [0x11, 3, 0, 0x6B, 0, 3, 0x76, 0x87];
        assert_eq!(encode(&question), expected);
    }

    #[test]
    fn the_answer_is_found_behind_whatever_a_line_puts_before_it() {
        let question = Question::new(5, 3, 100, 2).unwrap();
        let (echo, good) = (encode(&question), answer(&question, &[1, 2]));
        let any_unit = Leniency {
            any_unit: true,
            ..STRICT
        };
        let mut damaged = good.clone();
        damaged[4] ^= 1;
        let joined = |parts: &[&[u8]]| parts.concat();
        let answers = |used| Scan::Answer {
            words: vec![1, 2],
            used,
        };
        let more = |enough| Scan::More { enough };
        let broken = Scan::Broken;
        #[rustfmt::skip]
        let cases = [
            ("nothing yet",                 vec![],                                STRICT,   more(false)),
            ("all but the last byte",       good[..8].to_vec(),                    STRICT,   more(false)),
            ("the answer",                  good.clone(),                          STRICT,   answers(9)),
            ("noise behind it",             joined(&[&good, &[0]]),                STRICT,   answers(9)),
            ("a zero before it",            joined(&[&[0], &good]),                STRICT,   answers(10)),
            ("its unit before it",          joined(&[&[5], &good]),                STRICT,   answers(10)),
            ("its beginning before it",     joined(&[&[5, 3], &good]),             STRICT,   answers(11)),
            ("its header before it",        joined(&[&[5, 3, 4], &good]),          STRICT,   answers(12)),
            ("thirty bytes of noise",       joined(&[&[0xFF; 30], &good]),         STRICT,   answers(39)),
            ("the echo",                    joined(&[&echo, &good]),               STRICT,   answers(17)),
            ("the echo twice",              joined(&[&echo, &echo, &good]),        STRICT,   answers(25)),
            ("the end of the echo",         joined(&[&echo[3..], &good]),          STRICT,   answers(14)),
            ("its checksum",                joined(&[&echo[6..], &good]),          STRICT,   answers(11)),
            ("the beginning of the echo",   joined(&[&echo[..5], &good]),          STRICT,   answers(14)),
            ("the echo alone",              echo.to_vec(),                         STRICT,   more(false)),
            ("an exception",                closed(&[5, 0x83, 2]),                 STRICT,   Scan::Exception { code: 2, used: 5 }),
            ("behind the echo",             joined(&[&echo, &closed(&[5, 0x83, 6])]), STRICT, Scan::Exception { code: 6, used: 13 }),
            ("a damaged answer",            damaged.clone(),                       STRICT,   more(true)),
            ("behind the echo",             joined(&[&echo, &damaged]),            STRICT,   more(true)),
            ("the answer once more",        joined(&[&damaged, &good]),            STRICT,   answers(18)),
            ("another unit",                answer(&Question { unit: 6, ..question }, &[1, 2]), STRICT, broken(Fault::Unit(6))),
            ("that means nothing",          answer(&Question { unit: 6, ..question }, &[1, 2]), any_unit, answers(9)),
            ("another unit refuses",        closed(&[6, 0x83, 2]),                 STRICT,   broken(Fault::Unit(6))),
            ("another function",            closed(&[5, 4, 4, 0, 1, 0, 2]),        STRICT,   broken(Fault::Function(4))),
            ("another function refuses",    closed(&[5, 0x84, 2]),                 STRICT,   broken(Fault::Function(0x84))),
            ("fewer registers",             closed(&[5, 3, 2, 0, 1]),              STRICT,   broken(Fault::Count { asked: 4, sent: 2 })),
            ("more registers",              closed(&[5, 3, 6, 0, 1, 0, 2, 0, 3]),  STRICT,   broken(Fault::Count { asked: 4, sent: 6 })),
            ("fewer, then the answer",      joined(&[&closed(&[5, 3, 2, 0, 1]), &good]), STRICT, broken(Fault::Count { asked: 4, sent: 2 })),
        ];
        for (situation, came, lenient, expected) in cases {
            assert_eq!(scan(&came, &question, lenient), expected, "{situation}");
        }
    }

    #[test]
    fn an_answer_that_equals_the_question_is_taken_for_its_echo() {
        let question = Question::new(1, 1, 0x0307, 20).unwrap();
        let echo = encode(&question);
        assert_eq!(usize::from(question.bytes()) + FRAME, echo.len());
        assert_eq!(echo[2], question.bytes());
        assert_eq!(scan(&echo, &question, STRICT), Scan::More { enough: false });
    }

    /// Seven of the eight bytes of the first question are an answer to it.
    #[test]
    fn an_echo_that_comes_in_pieces_is_never_an_answer() {
        let question = Question::new(8, 3, 653, 1).unwrap();
        let echo = encode(&question);
        assert!(crc::closes(&echo[..7]));
        for unit in 0..=u8::MAX {
            for (code, count) in [(3, 1), (4, 1), (1, 1), (2, 8), (1, 9), (2, 16), (1, 20)] {
                for address in 0x0100..0x0400 {
                    let question = Question::new(unit, code, address, count).unwrap();
                    let echo = encode(&question);
                    for cut in 6..=echo.len() {
                        let said = scan(&echo[..cut], &question, STRICT);
                        let is_waiting = matches!(said, Scan::More { .. });
                        assert!(is_waiting, "{question:?} after {cut} bytes: {said:?}");
                    }
                }
            }
        }
        let good = answer(&question, &[7]);
        let words = vec![7];
        let used = 15;
        let said = scan(&[&echo[..], &good].concat(), &question, STRICT);
        assert_eq!(said, Scan::Answer { words, used });
    }

    #[test]
    fn a_frame_within_the_values_of_an_answer_is_none() {
        // Registers that hold another unit's frame, as a logger's may.
        let inner = closed(&[6, 0x83, 2, 0, 0, 0]);
        let inner = [&closed(&[6, 0x83, 2])[..], &inner[..1]].concat();
        let words: Vec<u16> = inner
            .chunks(2)
            .map(|p| u16::from_be_bytes([p[0], p[1]]))
            .collect();
        let question = Question::new(5, 3, 0, 3).unwrap();
        let whole = answer(&question, &words);
        for cut in 0..whole.len() {
            let said = scan(&whole[..cut], &question, STRICT);
            assert_eq!(said, Scan::More { enough: false }, "after {cut} bytes");
        }
        let used = whole.len();
        assert_eq!(
            scan(&whole, &question, STRICT),
            Scan::Answer { words, used }
        );
    }

    fn questions() -> impl Strategy<Value = (Question, Vec<u16>)> {
        let words = prop::collection::vec(any::<u16>(), 1..=125);
        (any::<u8>(), 3_u8..=4, 0_u16..60_000, words).prop_map(|(unit, code, address, words)| {
            let count = u16::try_from(words.len()).unwrap();
            (Question::new(unit, code, address, count).unwrap(), words)
        })
    }

    proptest! {
        /// Whatever noise comes first, the answer is what was sent or there is none; and
        /// a part of it is none.
        #[test]
        fn noise_never_becomes_a_number((question, words) in questions(), noise in prop::collection::vec(any::<u8>(), 0..40), echo in 0_usize..=8, cut in 1_usize..260) {
            let whole = answer(&question, &words);
            let before = [&noise[..], &encode(&question)[8 - echo..]].concat();
            let came = [&before[..], &whole].concat();
            let cut = came.len() - cut.min(whole.len());
            let part = scan(&came[..cut], &question, STRICT);
            let part_is_answer = matches!(part, Scan::Answer { .. });
            prop_assert!(!part_is_answer);
            match scan(&came, &question, STRICT) {
                Scan::Answer { words: said, used } => {
                    prop_assert_eq!(said, words);
                    prop_assert_eq!(used, came.len());
                }
                // Noise may hold a whole frame by chance, once in thousands.
                said => prop_assert!(!noise.is_empty(), "{:?}", said),
            }
        }

        /// A flipped bit anywhere is no answer; nor are up to three of them.
        #[test]
        fn flipped_bits_are_seen((question, words) in questions(), bits in prop::collection::btree_set(0_usize..2_000, 1..=3)) {
            let mut whole = answer(&question, &words);
            let all = whole.len() * 8;
            let bits: std::collections::BTreeSet<usize> = bits.iter().map(|bit| bit % all).collect();
            for bit in bits {
                whole[bit / 8] ^= 1 << (bit % 8);
            }
            let said = scan(&whole, &question, STRICT);
            let is_answer = matches!(said, Scan::Answer { .. });
            prop_assert!(!is_answer, "{:?}", said);
        }

        /// A burst of up to sixteen bits is always noticed, whatever it makes of a frame: that
        /// is what a CRC of sixteen bits promises. Of longer ones one in 65,536 is not.
        #[test]
        fn damage_never_yields_other_words((question, words) in questions(), at in 0_usize..250, damage in prop::collection::vec(any::<u8>(), 1..3)) {
            let mut whole = answer(&question, &words);
            let at = at % whole.len();
            for (byte, new) in whole.iter_mut().skip(at).zip(damage) {
                *byte = new;
            }
            if let Scan::Answer { words: said, .. } = scan(&whole, &question, STRICT) {
                prop_assert_eq!(said, words);
            }
        }
    }
}
