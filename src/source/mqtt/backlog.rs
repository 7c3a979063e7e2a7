//! What a broker kept while nobody listened comes all at once, and says nothing of
//! when it was true.
//!
//! ```text
//!   kept session   m1 … m20 ─ack─▶ m21 … m40 ─ack─▶ quiet ─▶ m40 again, as of now
//!                  └──────────── late ────────────┘
//! ```
//!
//! After a connection whose session was kept, messages are late: they are stored, since
//! the broker was promised that, and marked stale, but they are no measurement of now
//! and enter neither the balance nor the books. A broker sends on as soon as it is
//! acknowledged: when everything is and nothing comes for [`QUIET`], its backlog has
//! come, and the last message of each topic is taken for now. Where sensors leave no
//! such pause, that is so after [`AT_MOST`].

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::source::Heard;

/// Silence after the last acknowledgement that ends a backlog.
pub const QUIET: Duration = Duration::from_millis(200);
/// Silence after the connection that says that there is none.
pub const NONE_WITHIN: Duration = Duration::from_secs(1);
/// How long a backlog may take: a thousand messages, which is what brokers keep.
pub const AT_MOST: Duration = Duration::from_secs(10);

/// A sensor, and what it would say now.
type LastWord = (usize, Heard);

/// A backlog that is being worked off; nothing in it while there is none.
#[derive(Debug, Default)]
pub struct Backlog {
    /// The last words of each topic, with the sensor that says them.
    topics: BTreeMap<String, Vec<LastWord>>,
    /// When it ends at the latest.
    end: Option<Instant>,
    /// When it ends if nothing comes; none while something is not acknowledged.
    quiet: Option<Instant>,
}

impl Backlog {
    /// A session was kept: there may be a backlog.
    pub fn begin(&mut self, now: Instant) {
        self.topics.clear();
        self.end = Some(now + AT_MOST);
        self.quiet = Some(now + NONE_WITHIN);
    }

    /// Whether a message that comes now is of a time gone by.
    pub fn is_open(&self) -> bool {
        self.end.is_some()
    }

    /// Keeps the last words of a topic, to be said again when nothing newer comes.
    pub fn keep(&mut self, topic: &str, heard: Vec<LastWord>) {
        self.topics.insert(topic.to_owned(), heard);
        self.quiet = None;
    }

    /// So many messages are not acknowledged yet.
    pub fn outstanding(&mut self, messages: usize, now: Instant) {
        if messages == 0 && self.quiet.is_none() {
            self.quiet = Some(now + QUIET);
        }
    }

    /// When it ends, as far as is known; none where there is none.
    pub fn due(&self) -> Option<Instant> {
        let end = self.end?;
        Some(self.quiet.map_or(end, |quiet| quiet.min(end)))
    }

    /// Ends it, if its time has come, and gives out the last words of every topic.
    pub fn finish(&mut self, now: Instant) -> Vec<LastWord> {
        if self.due().is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.end = None;
        self.quiet = None;
        let topics = std::mem::take(&mut self.topics);
        topics.into_values().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::snapshot::Value;
    use crate::sys::clock::mono;

    /// Which of the messages that arrive at these times, ms, are late, and which are said
    /// again as of now, where the disk takes so long to store each.
    fn played(kept: bool, stored_after_ms: u64, arrivals_ms: &[u64]) -> (Vec<usize>, Vec<usize>) {
        let begun = mono();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let mut backlog = Backlog::default();
        if kept {
            backlog.begin(begun);
        }
        let (mut late, mut again) = (Vec::new(), Vec::new());
        for ms in 0..20_000 {
            let said = backlog.finish(at(ms)).into_iter();
            again.extend(said.filter_map(|(_, heard)| match heard.values[0].1 {
                Ok(Value::Count(number)) => usize::try_from(number).ok(),
                _ => None,
            }));
            for (number, _) in arrivals_ms.iter().enumerate().filter(|(_, at)| **at == ms) {
                if backlog.is_open() {
                    late.push(number);
                    let value = Value::Count(i64::try_from(number).unwrap());
                    let heard = Heard {
                        meter: 0,
                        at: at(ms),
                        values: vec![(0, Ok(value))],
                        detail: None,
                        receipt: None,
                        late: false,
                        of: None,
                    };
                    backlog.keep("dni", vec![(0, heard)]);
                }
            }
            let waits = |came: &&u64| **came <= ms && ms < **came + stored_after_ms;
            backlog.outstanding(arrivals_ms.iter().filter(waits).count(), at(ms));
        }
        (late, again)
    }

    /// Situation, whether the session was kept, how long the disk takes, arrivals, late
    /// ones, those said again.
    type Case<'a> = (&'a str, bool, u64, &'a [u64], &'a [usize], &'a [usize]);

    #[test]
    fn a_burst_is_late_and_its_last_word_is_now() {
        let fast: Vec<u64> = (0..40).map(|n| n * 150).collect();
        let all: Vec<usize> = (0..40).collect();
        #[rustfmt::skip]
        let cases: [Case<'_>; 7] = [
            ("an hour of backlog",       true,   50, &[0, 1, 2, 3, 5_000],  &[0, 1, 2, 3], &[3]),
            ("a disk in between",        true,  999, &[0, 1, 1_002, 1_003], &[0, 1, 2, 3], &[3]),
            ("a broker that restarts",   true,   50, &[400, 5_400],         &[0],          &[0]),
            ("nothing was kept",         true,   50, &[1_400, 6_400],       &[],           &[]),
            ("once a second",            true,  200, &[300, 1_300, 2_300],  &[0],          &[0]),
            ("no pause for six seconds", true,  200, &fast,                 &all,          &[39]),
            ("a new session",            false,  50, &[0, 1, 2],            &[],           &[]),
        ];
        for (situation, kept, disk, arrivals, late, again) in cases {
            let played = played(kept, disk, arrivals);
            assert_eq!(played, (late.to_vec(), again.to_vec()), "{situation}");
        }
    }

    #[test]
    fn it_ends_even_if_sensors_leave_no_pause() {
        let arrivals: Vec<u64> = (0..200).map(|n| n * 100).collect();
        let (late, again) = played(true, 200, &arrivals);
        assert_eq!((late.len(), again), (100, vec![99]));
    }
}
