//! Which messages were heard before: a redelivery is not a new reading.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::receipts::{Fate, State};

/// Messages remembered. More than a broker has under way at once (mosquitto: 20),
/// little enough to search.
const REMEMBERED: usize = 1_024;

#[derive(Debug)]
struct Seen {
    pkid: u16,
    topic: u64,
    payload: u64,
    fate: Fate,
}

/// The latest messages of one broker.
#[derive(Debug, Default)]
pub struct Known {
    seen: VecDeque<Seen>,
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

impl Known {
    /// Remembers a message that was taken in.
    pub fn remember(&mut self, pkid: u16, topic: &str, payload: &[u8], fate: Fate) {
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(Seen {
            pkid,
            topic: hash(topic.as_bytes()),
            payload: hash(payload),
            fate,
        });
    }

    /// The fate of the first delivery of this message, if there was one that has
    /// not been lost: the same identifier, topic and payload, or the same payload
    /// as the last message of the topic.
    pub fn first_delivery(&self, pkid: u16, topic: &str, payload: &[u8]) -> Option<Fate> {
        let (topic, payload) = (hash(topic.as_bytes()), hash(payload));
        let mut latest = true;
        for seen in self.seen.iter().rev().filter(|seen| seen.topic == topic) {
            let same = seen.payload == payload && (seen.pkid == pkid || latest);
            if same && seen.fate.state() != State::Lost {
                return Some(seen.fate.clone());
            }
            latest = false;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redelivery_is_known_by_identifier_or_as_the_last_of_its_topic() {
        let mut known = Known::default();
        for (pkid, payload) in [(1, b"10"), (2, b"20"), (3, b"30")] {
            known.remember(pkid, "park/dni", payload, Fate::waiting());
        }
        let is_known =
            |pkid, topic, payload: &[u8]| known.first_delivery(pkid, topic, payload).is_some();
        assert!(is_known(1, "park/dni", b"10"));
        assert!(is_known(2, "park/dni", b"20"));
        assert!(is_known(9, "park/dni", b"30"), "the last one");
        assert!(!is_known(9, "park/dni", b"10"), "another message");
        assert!(!is_known(1, "park/dni", b"11"), "another payload");
        assert!(!is_known(3, "park/ghi", b"30"), "another topic");
    }

    #[test]
    fn memory_is_bounded() {
        let mut known = Known::default();
        for n in 0..3 * u16::try_from(REMEMBERED).unwrap() {
            known.remember(n, "t", &n.to_be_bytes(), Fate::waiting());
        }
        assert_eq!(known.seen.len(), REMEMBERED);
    }
}
