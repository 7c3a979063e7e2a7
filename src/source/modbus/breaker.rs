//! Keeps dead units off the bus: one breaker for each unit of an endpoint, and one
//! budget for all of them.
//!
//! A request to a dead unit costs the whole timeout, in which the living ones behind
//! the same endpoint wait. After [`LIMIT`] timeouts in a row (one, if it never
//! answered since the start) the unit is asked again after 5 s, and after each
//! further timeout twice as long, up to five minutes. **All dead units together get a
//! twentieth of the bus time**: a probe that the budget does not bear waits. The
//! meters of a dead unit stay gaps meanwhile, each period.

use std::time::Duration;

use tokio::time::Instant;

/// Timeouts in a row that open the breaker: one is a lost packet, three are a pattern.
const LIMIT: u32 = 3;
/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause: a unit that was switched on again is seen within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// The part of bus time that dead units may cost.
const SHARE: u32 = 20;

/// Whether a unit is worth a request.
#[derive(Debug, Default)]
pub struct Breaker {
    has_answered: bool,
    timeouts: u32,
    closed_at: Option<Instant>,
}

impl Breaker {
    /// When the unit may be asked again; none while it is asked as ever.
    pub fn closed_at(&self) -> Option<Instant> {
        self.closed_at
    }

    /// Whether the last question was answered, well or not.
    pub fn is_answering(&self) -> bool {
        self.has_answered && self.timeouts == 0
    }

    /// The unit answered, well or not.
    pub fn answered(&mut self) {
        *self = Self {
            has_answered: true,
            ..Self::default()
        };
    }

    /// What was silent was perhaps the endpoint, and not the unit.
    pub fn forgive(&mut self) {
        self.timeouts = 0;
        self.closed_at = None;
    }

    /// The unit did not answer, or made the gateway hang up.
    pub fn timed_out(&mut self, now: Instant) {
        self.timeouts = self.timeouts.saturating_add(1);
        let limit = if self.has_answered { LIMIT } else { 1 };
        if let Some(more) = self.timeouts.checked_sub(limit) {
            let pause = FIRST_PAUSE.saturating_mul(1 << more.min(8));
            self.closed_at = Some(now + pause.min(LONGEST_PAUSE));
        }
    }
}

/// The bus time that dead units may cost, saved up as time passes.
#[derive(Debug)]
pub struct Budget {
    saved: Duration,
    /// What the last probe cost: the next one may cost as much.
    last: Duration,
    at: Option<Instant>,
}

impl Budget {
    /// Nothing is saved yet, and a probe costs so much.
    pub fn new(probe: Duration) -> Self {
        Self {
            saved: Duration::ZERO,
            last: probe,
            at: None,
        }
    }

    /// How long a probe still has to wait.
    pub fn wait(&mut self, now: Instant) -> Duration {
        let since = self
            .at
            .replace(now)
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        // No more is saved than one probe costs, so that after a quiet day not all
        // dead units are asked at once.
        self.saved = (self.saved + since / SHARE).min(self.last);
        self.last.saturating_sub(self.saved) * SHARE
    }

    /// A probe of a dead unit took so long.
    pub fn spend(&mut self, cost: Duration) {
        self.saved = self.saved.saturating_sub(cost);
        self.last = cost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_timeouts_in_a_row_open_it_and_one_answer_closes_it() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.answered();
        breaker.timed_out(start);
        breaker.timed_out(start);
        assert_eq!(breaker.closed_at(), None);
        breaker.answered();
        breaker.timed_out(start);
        breaker.timed_out(start);
        assert_eq!(breaker.closed_at(), None);
        breaker.timed_out(start);
        assert_eq!(breaker.closed_at(), Some(start + FIRST_PAUSE));
        breaker.answered();
        assert_eq!(breaker.closed_at(), None);
    }

    #[test]
    fn a_unit_that_never_answered_is_left_alone_after_the_first_timeout() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.timed_out(start);
        assert_eq!(breaker.closed_at(), Some(start + FIRST_PAUSE));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            breaker.timed_out(start);
            pauses.push((breaker.closed_at().unwrap() - start).as_secs());
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300, 300]);
        breaker.forgive();
        assert_eq!(breaker.closed_at(), None);
    }

    /// The bus time that dead units cost in an hour, where each probe takes its time,
    /// and the longest time between two probes of one.
    fn an_hour(dead: usize, probe: Duration) -> (Duration, Duration) {
        let begin = Instant::now();
        let end = begin + Duration::from_secs(3_600);
        let mut now = begin;
        let mut budget = Budget::new(probe);
        let mut breakers: Vec<Breaker> = (0..dead).map(|_| Breaker::default()).collect();
        let mut asked = vec![begin; dead];
        let (mut cost, mut longest) = (Duration::ZERO, Duration::ZERO);
        while now < end {
            for (breaker, asked) in breakers.iter_mut().zip(&mut asked) {
                let probe_at = breaker.closed_at();
                let waits = |at| at > now || budget.wait(now) > Duration::ZERO;
                if probe_at.is_some_and(waits) {
                    continue;
                }
                longest = longest.max(now - *asked);
                *asked = now;
                now += probe;
                breaker.timed_out(now);
                // The first silence of all is how a dead unit becomes known.
                if probe_at.is_some() {
                    cost += probe;
                    budget.spend(probe);
                }
            }
            now += Duration::from_millis(100);
        }
        (cost, longest)
    }

    #[test]
    fn dead_units_cost_a_twentieth_of_bus_time_however_many_they_are() {
        for (dead, probe_ms) in [(1, 1_000), (5, 1_000), (5, 3_000), (200, 1_000), (30, 200)] {
            let (cost, longest) = an_hour(dead, Duration::from_millis(probe_ms));
            let share = cost.as_secs_f64() / 3_600.0;
            assert!(share <= 0.05, "{dead} of {probe_ms} ms: {share}");
            assert!(cost > Duration::ZERO, "{dead} of {probe_ms} ms");
            // Where the budget bears it, none waits longer than its breaker says.
            if dead == 5 && probe_ms == 1_000 {
                assert!(
                    longest <= LONGEST_PAUSE + Duration::from_secs(60),
                    "{longest:?}"
                );
            }
        }
    }
}
