//! What a rehearsal was asked, and by whom: the record that values are held against.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::time::Instant;

use super::encode;
use super::frame::Question;
use crate::sys::clock;

/// A question, and what became of it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which of all questions, from zero.
    pub sequence: u64,
    /// Place of the bus.
    pub bus: usize,
    /// Which connection of the bus, from zero; a serial line is one for ever.
    pub connection: u64,
    /// What was asked.
    pub question: Question,
    /// When, for waiting and comparing.
    pub at: Instant,
    /// When, for people.
    pub wall: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// Faults that struck its answer.
    pub struck: Vec<&'static str>,
}

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet, or nothing at all.
    Silence,
    /// Registers or bits.
    Answered,
    /// A Modbus exception.
    Refused(u8),
    /// The connection was closed.
    HungUp,
}

/// What happened at the sockets of a bus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sockets {
    /// Connections taken.
    pub taken: u64,
    /// Connections closed at once.
    pub turned_away: u64,
    /// Open now.
    pub open: usize,
    /// Most at one time.
    pub most_open: usize,
    /// Bytes that were no question.
    pub garbage: u64,
}

/// Why words are not what they are taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misattributed {
    /// The words are of several answers, or of no register.
    #[error("the words are torn: they answer different questions")]
    Torn,
    /// No question that is remembered could be answered by them.
    #[error("the words answer question {0} (mod 65536), which was about something else")]
    Other(u16),
    /// They answer a question about these registers that was asked too long ago.
    #[error("the words answer question {0}, which was asked before")]
    Old(u64),
}

struct Record {
    asked: VecDeque<Asked>,
    next: u64,
    by_bus: Vec<u64>,
    sockets: Vec<Sockets>,
}

/// The record of a rehearsal.
#[derive(Clone)]
pub struct Log {
    record: Arc<Mutex<Record>>,
    keeps: usize,
}

impl Log {
    /// An empty record of so many buses that keeps the last questions.
    #[must_use]
    pub fn new(buses: usize, keeps: usize) -> Self {
        let record = Record {
            asked: VecDeque::new(),
            next: 0,
            by_bus: vec![0; buses],
            sockets: vec![Sockets::default(); buses],
        };
        Self {
            record: Arc::new(Mutex::new(record)),
            keeps,
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a question and gives it its number.
    #[must_use]
    pub fn note(&self, bus: usize, connection: u64, question: Question) -> u64 {
        let mut record = self.record();
        let sequence = record.next;
        record.next += 1;
        if let Some(count) = record.by_bus.get_mut(bus) {
            *count += 1;
        }
        if record.asked.len() >= self.keeps {
            record.asked.pop_front();
        }
        record.asked.push_back(Asked {
            sequence,
            bus,
            connection,
            question,
            at: clock::mono(),
            wall: clock::wall(),
            outcome: Outcome::Silence,
            struck: Vec::new(),
        });
        sequence
    }

    /// Notes what became of a question.
    pub fn became(&self, sequence: u64, outcome: Outcome, struck: Vec<&'static str>) {
        let mut record = self.record();
        let back = record.next.saturating_sub(sequence);
        let place = usize::try_from(back)
            .ok()
            .and_then(|back| record.asked.len().checked_sub(back));
        if let Some(asked) = place.and_then(|place| record.asked.get_mut(place)) {
            asked.outcome = outcome;
            asked.struck = struck;
        }
    }

    /// Changes what is known of the sockets of a bus.
    pub fn sockets_of(&self, bus: usize, change: impl FnOnce(&mut Sockets)) {
        if let Some(sockets) = self.record().sockets.get_mut(bus) {
            change(sockets);
            sockets.most_open = sockets.most_open.max(sockets.open);
        }
    }

    /// What happened at the sockets of a bus.
    #[must_use]
    pub fn sockets(&self, bus: usize) -> Sockets {
        self.record().sockets.get(bus).copied().unwrap_or_default()
    }

    /// The questions that are remembered, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.record().asked.iter().cloned().collect()
    }

    /// How many questions there were in all.
    #[must_use]
    pub fn questions(&self) -> u64 {
        self.record().next
    }

    /// How many questions a bus was asked in all.
    #[must_use]
    pub fn questions_of(&self, bus: usize) -> u64 {
        self.record().by_bus.get(bus).copied().unwrap_or_default()
    }

    /// The question that these words of an encoding rehearsal answer, which was asked
    /// at `since` or later: the moment at which the master asked.
    ///
    /// # Errors
    ///
    /// [`Misattributed`] where no remembered question since then was about these
    /// registers and could have brought these words.
    pub fn proves(
        &self,
        bus: usize,
        unit: u8,
        fc: u8,
        address: u16,
        words: &[u16],
        since: Instant,
    ) -> Result<Asked, Misattributed> {
        let said = encode::sequence_of(unit, fc, address, words).ok_or(Misattributed::Torn)?;
        let length = u32::try_from(words.len()).unwrap_or(u32::MAX);
        let record = self.record();
        let about = |asked: &&Asked| {
            let q = asked.question;
            let (first, end) = (
                u32::from(q.address),
                u32::from(q.address) + u32::from(q.count),
            );
            asked.bus == bus
                && q.unit == unit
                && q.fc == fc
                && first <= u32::from(address)
                && u32::from(address) + length <= end
        };
        // Numbers repeat after 65,536 questions; the last of a number is meant.
        let last = record.next.saturating_sub(1);
        let [.., high, low] = last.to_be_bytes();
        let back = u16::from_be_bytes([high, low]).wrapping_sub(said);
        let place = record.asked.len().checked_sub(1 + usize::from(back));
        let asked = place.and_then(|place| record.asked.get(place));
        let asked = asked.filter(about).ok_or(Misattributed::Other(said))?;
        if asked.at < since {
            return Err(Misattributed::Old(asked.sequence));
        }
        Ok(asked.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(unit: u8, address: u16, count: u16) -> Question {
        Question {
            transaction: 0,
            unit,
            fc: 3,
            address,
            count,
        }
    }

    #[tokio::test]
    async fn words_prove_their_question_and_no_other() {
        let log = Log::new(2, 100);
        let began = clock::mono();
        for n in 0..70_000_u64 {
            assert_eq!(
                log.note(0, 0, question(u8::try_from(n % 3).unwrap(), 100, 10)),
                n
            );
        }
        let word = |unit, address, n: u64| {
            let [.., high, low] = n.to_be_bytes();
            encode::word(unit, 3, address, u16::from_be_bytes([high, low]))
        };
        // 69,999 was asked of unit 0, 69,998 of unit 2.
        let words = [word(0, 104, 69_999), word(0, 105, 69_999)];
        assert_eq!(
            log.proves(0, 0, 3, 104, &words, began).unwrap().sequence,
            69_999
        );
        let reason = |bus, unit, fc, address, words: &[u16], since| {
            let said = log.proves(bus, unit, fc, address, words, since);
            match said.unwrap_err() {
                Misattributed::Torn => "torn",
                Misattributed::Other(_) => "other",
                Misattributed::Old(_) => "old",
            }
        };
        let later = clock::mono() + std::time::Duration::from_secs(1);
        let one = |address, n| word(0, address, n);
        #[rustfmt::skip]
        let cases = [
            ("of another bus",        1, 0, 3, 104, &words[..],                            began, "other"),
            ("of another unit",       0, 2, 3, 104, &words[..],                            began, "other"),
            ("of another function",   0, 0, 4, 104, &words[..],                            began, "other"),
            ("of a neighbour",        0, 0, 3, 106, &words[..],                            began, "other"),
            ("that nobody asked for", 0, 0, 3, 104, &[one(104, 69_998)][..],                 began, "other"),
            ("long forgotten",        0, 0, 3, 104, &[one(104, 69_801)][..],                 began, "other"),
            ("from two answers",      0, 0, 3, 104, &[one(104, 69_999), one(105, 69_996)][..], began, "torn"),
            ("half beyond the block", 0, 0, 3, 109, &[one(109, 69_999), one(110, 69_999)][..], began, "other"),
            ("asked for before",      0, 0, 3, 104, &words[..],                            later, "old"),
        ];
        for (what, bus, unit, fc, address, words, since, why) in cases {
            let said = reason(bus, unit, fc, address, words, since);
            assert_eq!(said, why, "words {what}");
        }
        let before = log.proves(0, 0, 3, 109, &[one(109, 69_996)], began);
        assert_eq!(before.unwrap().sequence, 69_996);
    }

    #[tokio::test]
    async fn what_became_of_a_question_is_kept_with_it() {
        let log = Log::new(1, 2);
        let numbers: Vec<u64> = (0..3).map(|_| log.note(0, 0, question(1, 0, 1))).collect();
        log.became(numbers[0], Outcome::Refused(2), vec![]);
        log.became(numbers[2], Outcome::Answered, vec!["late"]);
        let said: Vec<_> = log
            .asked()
            .into_iter()
            .map(|asked| (asked.sequence, asked.outcome))
            .collect();
        assert_eq!(said, [(1, Outcome::Silence), (2, Outcome::Answered)]);
        assert_eq!(log.questions(), 3);
    }
}
