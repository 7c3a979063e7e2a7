//! Keeps dead units off the bus: one breaker for each unit of an endpoint.
//!
//! A request to a dead unit costs the whole timeout, in which the living ones
//! behind the same gateway wait. After [`LIMIT`] timeouts in a row the unit is
//! asked again after 5 s, and after each further timeout twice as long, up to a
//! minute. **Its meters stay gaps meanwhile, each period**; no request is sent.

use std::time::Duration;

use tokio::time::Instant;

/// Timeouts in a row that open the breaker: one is a lost packet, three are a pattern.
const LIMIT: u32 = 3;
/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause: a unit that was switched on again is seen within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Whether a unit is worth a request.
#[derive(Debug, Default)]
pub struct Breaker {
    timeouts: u32,
    closed_at: Option<Instant>,
}

impl Breaker {
    /// How long the unit is still left alone; none if it may be asked.
    pub fn pause(&self, now: Instant) -> Option<Duration> {
        self.closed_at
            .map(|at| at.saturating_duration_since(now))
            .filter(|left| !left.is_zero())
    }

    /// The unit answered, well or not.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// The unit did not answer.
    pub fn timed_out(&mut self, now: Instant) {
        self.timeouts = self.timeouts.saturating_add(1);
        if let Some(more) = self.timeouts.checked_sub(LIMIT) {
            let pause = FIRST_PAUSE.saturating_mul(1 << more.min(8));
            self.closed_at = Some(now + pause.min(LONGEST_PAUSE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_timeouts_in_a_row_open_it_and_one_answer_closes_it() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.timed_out(start);
        breaker.timed_out(start);
        assert_eq!(breaker.pause(start), None);
        breaker.answered();
        breaker.timed_out(start);
        breaker.timed_out(start);
        assert_eq!(breaker.pause(start), None);
        breaker.timed_out(start);
        assert_eq!(breaker.pause(start), Some(FIRST_PAUSE));
        assert_eq!(breaker.pause(start + FIRST_PAUSE), None);
        breaker.answered();
        assert_eq!(breaker.pause(start), None);
    }

    #[test]
    fn a_dead_unit_costs_less_than_two_percent_of_bus_time() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        let mut asked = 0;
        for _ in 0..3_600 {
            if breaker.pause(now).is_none() {
                asked += 1;
                breaker.timed_out(now);
            }
            now += Duration::from_secs(1);
        }
        assert!(asked <= 70, "asked {asked} times in an hour");
        assert!(breaker.pause(now).unwrap_or_default() <= LONGEST_PAUSE);
    }
}
