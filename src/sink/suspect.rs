//! A series for which a server fails inside, told from a server in trouble.
//!
//! A 500 says nothing of its cause. A full cache, a slow disk and one series of a wrong
//! type look the same, and they want the opposite: patience, or that the series stands
//! aside. They are told apart by what else is stored at the same time:
//!
//! ```text
//!  the same rows fail TRIES times
//!    ─▶ halves of them: what is stored is settled, what fails is halved again
//!         ─▶ one row fails alone: its neighbour is sent, then the row, ROUNDS times
//!              ─▶ each time the neighbour stored, the row not:  the series is parked
//!              ─▶ the neighbour fails once:  the server is in trouble; all begins anew
//! ```
//!
//! **An overloaded server empties no journal into the quarantine**: a row is parked only
//! after its neighbour was stored and it was not, in turn, for [`WAIT`] × [`ROUNDS`]. Rows
//! of a parked series are set aside without being sent, with the server's words, for
//! [`PARKED`]; then the series is tried again. `sunledger quarantine retry` sends them.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// Failures of the same rows before they are halved.
pub const TRIES: u32 = 6;
/// How often a row must fail while its neighbour is stored.
pub const ROUNDS: u32 = 5;
/// Time between two rounds.
pub const WAIT: Duration = Duration::from_secs(40);
/// How long a series stands aside: a device is mended within a day or not at all.
pub const PARKED: Duration = Duration::from_secs(86_400);
/// Most series that stand aside. With more the fault is not in the series.
const MOST: usize = 100;

/// The series that stand aside.
#[derive(Debug, Default)]
pub struct Parked(HashMap<String, (Instant, String)>);

impl Parked {
    /// Puts a series aside, with the server's words; false where too many are.
    pub fn park(&mut self, series: &str, words: &str, now: Instant) -> bool {
        self.0.retain(|_, (until, _)| *until > now);
        if self.0.len() >= MOST && !self.0.contains_key(series) {
            return false;
        }
        let entry = (now + PARKED, words.to_owned());
        self.0.insert(series.to_owned(), entry);
        true
    }

    /// Why a row stands aside; none where it does not.
    #[must_use]
    pub fn words(&self, row: &str, now: Instant) -> Option<&str> {
        let (until, words) = self.0.get(series(row))?;
        (*until > now).then_some(words.as_str())
    }

    /// Whether none stands aside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Measurement and tags of a row: what stands before its first space that is not escaped.
#[must_use]
pub fn series(row: &str) -> &str {
    let mut escaped = false;
    let end = row.bytes().position(|byte| {
        let ends = byte == b' ' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.and_then(|end| row.get(..end)).unwrap_or(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_ends_at_the_first_space_that_is_not_escaped() {
        #[rustfmt::skip]
        let cases = [
            ("m,a=b power_w=1 7",              "m,a=b"),
            (r"m,a=b\ c power_w=1 7",          r"m,a=b\ c"),
            (r"m\ n,a=b\\ power_w=1 7",        r"m\ n,a=b\\"),
            ("m",                              "m"),
            ("",                               ""),
        ];
        for (row, expected) in cases {
            assert_eq!(series(row), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_series_stands_aside_for_a_day_and_their_number_is_bounded() {
        let mut parked = Parked::default();
        let now = Instant::now();
        assert!(parked.park("m,a=b", "no", now));
        assert_eq!(parked.words("m,a=b x=1 7", now), Some("no"));
        assert_eq!(parked.words("m,a=c x=1 7", now), None);
        assert_eq!(parked.words("m,a=b x=1 7", now + PARKED), None);
        let room = (0..200).filter(|n| parked.park(&format!("m,a={n}"), "no", now));
        assert_eq!(room.count(), MOST - 1);
        assert!(
            parked.park("m,a=b", "still", now),
            "one that is there stays"
        );
        assert!(
            parked.park("m,a=z", "no", now + PARKED),
            "the old ones are over"
        );
    }
}
