//! How long to wait before the next attempt to connect.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// The first wait: a device that restarts its network stack is back by then.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait: an operator who has mended a cable sees it within this time.
const LONGEST: Duration = Duration::from_secs(30);

/// Doubling waits from one to thirty seconds, each off by up to a fifth.
///
/// The deviation comes from the name and the attempt, so that a hundred endpoints
/// behind one broken switch do not knock at the same moment, and a test knows
/// what to expect.
#[derive(Debug)]
pub struct Backoff {
    name: String,
    failures: u32,
}

impl Backoff {
    /// A wait for the endpoint of this name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            failures: 0,
        }
    }

    /// The attempt failed; how long to wait before the next one.
    pub fn failed(&mut self) -> Duration {
        let doubled = FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1).min(16);
        let mut hasher = DefaultHasher::new();
        (&self.name, self.failures).hash(&mut hasher);
        let percent = u32::try_from(hasher.finish() % 41).unwrap_or(0) + 80;
        (doubled.min(LONGEST) * percent / 100).min(LONGEST)
    }

    /// The peer is there.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute() {
        let mut backoff = Backoff::new("main");
        for expected_s in [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
            let wait = backoff.failed().as_secs_f64();
            assert!(wait >= 0.8 * expected_s - 1e-9, "{wait} for {expected_s}");
            assert!(
                wait <= (1.2 * expected_s).min(30.0),
                "{wait} for {expected_s}"
            );
        }
        backoff.reset();
        assert!(backoff.failed() <= Duration::from_millis(1_200));
        for _ in 0..100 {
            assert!(backoff.failed() <= LONGEST);
        }
    }

    #[test]
    fn two_endpoints_do_not_knock_together() {
        let waits = |name| {
            let mut backoff = Backoff::new(name);
            [(); 4].map(|()| backoff.failed())
        };
        assert_ne!(waits("north"), waits("south"));
    }
}
