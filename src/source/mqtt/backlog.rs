//! What a broker kept while nobody listened comes all at once, and says nothing of
//! when it was true.
//!
//! ```text
//!   kept session   m1 m2 m3 m4 m5          m6          m7
//!                  │  └──late──┘            │           │
//!                  first: as ever           in step again
//! ```
//!
//! After a connection whose session was kept, messages of a topic that follow each
//! other faster than the sensor speaks are late: they are stored, since the broker was
//! promised that, and marked stale, but they are no measurement of now and enter
//! neither the balance nor the books. The first message is taken as ever: after a short
//! pause it is the only one.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Topics whose backlog is being worked off, with the last arrival of each.
#[derive(Debug, Default)]
pub struct Backlog(BTreeMap<String, Option<Instant>>);

impl Backlog {
    /// A session was kept: each topic may have a backlog.
    pub fn begin<'a>(&mut self, topics: impl Iterator<Item = &'a String>) {
        self.0 = topics.map(|topic| (topic.clone(), None)).collect();
    }

    /// Whether a message that arrives now is of a time gone by. `every` is how often
    /// the sensor speaks; zero for one that speaks on change, whose last word counts.
    pub fn is_late(&mut self, topic: &str, every: Duration, now: Instant) -> bool {
        let Some(last) = self.0.get_mut(topic) else {
            return false;
        };
        let crowded = last.is_some_and(|last| now.duration_since(last) < every / 2);
        if last.replace(now).is_some() && !crowded {
            self.0.remove(topic);
        }
        crowded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::mono;

    fn late(every_ms: u64, kept: bool, arrivals_ms: &[u64]) -> Vec<bool> {
        let begun = mono();
        let mut backlog = Backlog::default();
        if kept {
            backlog.begin(["dni".to_owned()].iter());
        }
        let every = Duration::from_millis(every_ms);
        let mut is_late =
            |ms: &u64| backlog.is_late("dni", every, begun + Duration::from_millis(*ms));
        arrivals_ms.iter().map(&mut is_late).collect()
    }

    /// Situation, period, whether the session was kept, arrivals in ms, which are late.
    type Case<'a> = (&'a str, u64, bool, &'a [u64], &'a [bool]);

    #[test]
    fn a_burst_is_late_but_for_its_first_until_the_sensor_is_in_step_again() {
        let (yes, no) = (true, false);
        #[rustfmt::skip]
        let cases: [Case<'_>; 5] = [
            ("an hour of backlog",     5_000, true,  &[0, 1, 2, 3, 4_000, 9_000], &[no, yes, yes, yes, no, no]),
            ("a broker that restarts", 5_000, true,  &[0, 5_000, 10_000],         &[no, no, no]),
            ("in step, then a hurry",  5_000, true,  &[0, 5_000, 5_001],          &[no, no, no]),
            ("a new session",          5_000, false, &[0, 1, 2],                  &[no, no, no]),
            ("spoken on change",           0, true,  &[0, 1, 2],                  &[no, no, no]),
        ];
        for (situation, every, kept, arrivals, expected) in cases {
            assert_eq!(late(every, kept, arrivals), expected, "{situation}");
        }
    }
}
