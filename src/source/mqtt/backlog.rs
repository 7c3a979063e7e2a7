//! What a broker kept while nobody listened comes all at once, and says nothing of
//! when it was true.
//!
//! ```text
//!   kept session   m1 m2 m3 m4 m5 ── quiet ──▶ m5 again, as of now      m6      m7
//!                  └────late────┘                                       as ever
//! ```
//!
//! After a connection whose session was kept, messages are late: they are stored, since
//! the broker was promised that, and marked stale, but they are no measurement of now
//! and enter neither the balance nor the books. When a topic has been quiet for
//! [`QUIET`], its last message is the newest there is and is taken for now. What speaks
//! faster than that is in step after [`AT_MOST`].

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::source::Heard;

/// Silence of a topic after which its backlog has come: longer than a broker waits for
/// the disk in between, shorter than the second in which sensors speak.
pub const QUIET: Duration = Duration::from_millis(700);
/// How long a backlog may take: a thousand messages, which is what brokers keep.
pub const AT_MOST: Duration = Duration::from_secs(10);

/// The last word of a topic.
#[derive(Debug, Default)]
struct Last {
    at: Option<Instant>,
    heard: Vec<Heard>,
}

/// Topics whose backlog is being worked off.
#[derive(Debug, Default)]
pub struct Backlog {
    topics: BTreeMap<String, Last>,
    begun: Option<Instant>,
}

impl Backlog {
    /// A session was kept: each topic may have a backlog.
    pub fn begin<'a>(&mut self, topics: impl Iterator<Item = &'a String>, now: Instant) {
        self.topics = topics
            .map(|topic| (topic.clone(), Last::default()))
            .collect();
        self.begun = Some(now);
    }

    /// Whether a message of this topic is of a time gone by.
    pub fn is_late(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// Keeps the last word of a topic, to be said again when nothing newer comes.
    pub fn keep(&mut self, topic: &str, now: Instant, heard: Vec<Heard>) {
        if let Some(last) = self.topics.get_mut(topic) {
            *last = Last {
                at: Some(now),
                heard,
            };
        }
    }

    /// When something is ready next; none while nothing is late.
    pub fn due(&self) -> Option<Instant> {
        let quiet = self.topics.values().filter_map(|last| last.at);
        let quiet = quiet.map(|at| at + QUIET).min();
        let end = self.begun.filter(|_| !self.topics.is_empty());
        quiet
            .into_iter()
            .chain(end.map(|begun| begun + AT_MOST))
            .min()
    }

    /// The last words of the topics whose backlog has come.
    pub fn ready(&mut self, now: Instant) -> Vec<Heard> {
        let over = self.begun.is_none_or(|begun| now >= begun + AT_MOST);
        let mut ready = Vec::new();
        self.topics.retain(|_, last| {
            let quiet = last.at.is_some_and(|at| now >= at + QUIET);
            if over || quiet {
                ready.append(&mut last.heard);
            }
            !(over || quiet)
        });
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::snapshot::Value;
    use crate::sys::clock::mono;

    /// What is late of messages at these times, ms, numbered from 0, and which ones are
    /// said again as of now.
    fn played(kept: bool, arrivals_ms: &[u64]) -> (Vec<usize>, Vec<f64>) {
        let begun = mono();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let mut backlog = Backlog::default();
        if kept {
            backlog.begin(["dni".to_owned()].iter(), begun);
        }
        let (mut late, mut again) = (Vec::new(), Vec::new());
        for ms in 0..20_000 {
            if backlog.due().is_some_and(|due| at(ms) >= due) {
                let ready = backlog.ready(at(ms));
                again.extend(ready.iter().filter_map(|heard| match heard.values[0].1 {
                    Ok(Value::Analog(value)) => Some(value),
                    _ => None,
                }));
            }
            for (number, _) in arrivals_ms.iter().enumerate().filter(|(_, at)| **at == ms) {
                if backlog.is_late("dni") {
                    late.push(number);
                    let value = Value::Analog(f64::from(u32::try_from(number).unwrap()));
                    let heard = Heard {
                        meter: 0,
                        at: at(ms),
                        values: vec![(0, Ok(value))],
                        detail: None,
                        receipt: None,
                        late: false,
                    };
                    backlog.keep("dni", at(ms), vec![heard]);
                }
            }
        }
        (late, again)
    }

    #[test]
    fn a_burst_is_late_and_its_last_word_is_now() {
        let fast: Vec<u64> = (0..40).map(|n| n * 500).collect();
        let all: Vec<usize> = (0..20).collect();
        #[rustfmt::skip]
        let cases: [Case<'_>; 6] = [
            ("an hour of backlog",      true,  &[0, 1, 2, 3, 5_000], &[0, 1, 2, 3], &[3.0]),
            ("a disk in between",       true,  &[0, 1, 600, 601],    &[0, 1, 2, 3], &[3.0]),
            ("a broker that restarts",  true,  &[400, 5_400],        &[0],          &[0.0]),
            ("once a second",           true,  &[300, 1_300, 2_300], &[0],          &[0.0]),
            ("faster than any backlog", true,  &fast,                &all,          &[19.0]),
            ("a new session",           false, &[0, 1, 2],           &[],           &[]),
        ];
        for (situation, kept, arrivals, late, again) in cases {
            let played = played(kept, arrivals);
            assert_eq!(played, (late.to_vec(), again.to_vec()), "{situation}");
        }
    }

    /// Situation, whether the session was kept, arrivals, late ones, those said again.
    type Case<'a> = (&'a str, bool, &'a [u64], &'a [usize], &'a [f64]);
}
