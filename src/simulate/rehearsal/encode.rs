//! Registers that say where they are from, so that a misattributed value is provable.
//!
//! ```text
//!   word = scramble(sequence + unit·a + function code·b + address·c)   (mod 2^16)
//! ```
//!
//! The sequence is the number of the question among all that the rehearsal was
//! asked. Whoever believes that a word is from a register can turn the formula round
//! and gets the one question that it must be the answer to; the log of the rehearsal
//! says whether that question was about this register. Within one answer all words
//! name the same question, so a torn value shows too.
//!
//! **A register depends on nothing but its own address and the question**: blocks may
//! be split, joined and bisected in any way and each word stays what it is.
//!
//! A value that was taken for one of its neighbours, up to a whole block away, names a
//! question that is hundreds of questions away: whoever knows when he asked knows that
//! it is not his.

/// Odd, so that each is its own permutation of the words; far from small multiples
/// of each other, so that neighbours in one question are strangers in the next.
const ADDRESS: u16 = 0x9E37;
const UNIT: u16 = 0x6A95;
const FUNCTION: u16 = 0xC2B3;
/// What spreads neighbours over all bits, and what undoes it.
const SPREAD: u16 = 0x2C1B;
const GATHER: u16 = inverse(SPREAD);

/// What times an odd number is one, modulo 2^16.
const fn inverse(odd: u16) -> u16 {
    // Newton: each step doubles the number of right bits, of which there are three.
    let mut found = odd;
    let mut step = 0;
    while step < 4 {
        found = found.wrapping_mul(2_u16.wrapping_sub(odd.wrapping_mul(found)));
        step += 1;
    }
    found
}

fn place(unit: u8, fc: u8, address: u16) -> u16 {
    let unit = u16::from(unit).wrapping_mul(UNIT);
    let fc = u16::from(fc).wrapping_mul(FUNCTION);
    address
        .wrapping_mul(ADDRESS)
        .wrapping_add(unit)
        .wrapping_add(fc)
}

/// What a register holds in the answer to a question.
#[must_use]
pub fn word(unit: u8, fc: u8, address: u16, sequence: u16) -> u16 {
    let word = sequence.wrapping_add(place(unit, fc, address));
    let word = (word ^ (word >> 8)).wrapping_mul(SPREAD);
    word ^ (word >> 8)
}

/// The question that a word answers, if it is from this register.
#[must_use]
pub fn sequence(unit: u8, fc: u8, address: u16, word: u16) -> u16 {
    let word = (word ^ (word >> 8)).wrapping_mul(GATHER);
    (word ^ (word >> 8)).wrapping_sub(place(unit, fc, address))
}

/// The one question that all these words answer; none where they are from several,
/// or there are none.
#[must_use]
pub fn sequence_of(unit: u8, fc: u8, address: u16, words: &[u16]) -> Option<u16> {
    let mut said = (0_u16..)
        .zip(words)
        .map(|(n, one)| sequence(unit, fc, address.wrapping_add(n), *one));
    let first = said.next()?;
    said.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_word_tells_its_question(unit: u8, fc in 1_u8..=4, address: u16, asked: u16) {
            prop_assert_eq!(sequence(unit, fc, address, word(unit, fc, address, asked)), asked);
        }

        /// In one answer no two registers look alike, nor do two units in one place,
        /// nor one register in two questions.
        #[test]
        fn neighbours_never_look_alike(
            unit: u8, fc in 1_u8..=4, address: u16, asked: u16, by in 1_u16..
        ) {
            let here = word(unit, fc, address, asked);
            prop_assert_ne!(here, word(unit, fc, address.wrapping_add(by), asked));
            prop_assert_ne!(here, word(unit, fc, address, asked.wrapping_add(by)));
            let other = unit.wrapping_add(u8::try_from(by % 255 + 1).unwrap());
            if other != unit {
                prop_assert_ne!(here, word(other, fc, address, asked));
            }
        }
    }

    /// Whatever may come too late was asked for a moment ago.
    #[test]
    fn a_value_taken_for_its_neighbour_names_a_far_question() {
        for off in 1..=125_u16 {
            for (address, by) in [(1_000, off), (1_000, off.wrapping_neg())] {
                let words = [0, 1].map(|n| word(7, 3, address + n, 5_000));
                let said = sequence_of(7, 3, address.wrapping_add(by), &words).unwrap();
                let far = said.wrapping_sub(5_000).cast_signed().unsigned_abs();
                assert!(far > 200, "{by}: {far}");
            }
        }
    }

    #[test]
    fn a_torn_value_names_two_questions() {
        let torn = [word(1, 3, 10, 5), word(1, 3, 11, 6)];
        assert_eq!(sequence_of(1, 3, 10, &torn), None);
        assert_eq!(sequence_of(1, 3, 10, &[]), None);
    }
}
