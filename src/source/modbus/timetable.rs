//! When each meter behind an endpoint is polled: a pure timetable.
//!
//! ```text
//!   second      0         1         2         3
//!   tick        |         |         |         |
//!   poll             .7        .7        .7        (period 1 s)
//!   slow bus         .7════════▶2.2 .7              late, then in step again
//! ```
//!
//! Poll `k` is due at `k · period + phase` of the wall clock, so it neither drifts
//! nor depends on when the daemon started. At the start every meter is asked at once,
//! as if the due time before were served late. **A slow bus polls late; it never polls
//! twice to catch up**: each due time is served once at most, and those that passed
//! meanwhile are left out.

/// Where in each second polls begin: the tick strikes the balance on the whole
/// second, and values are then 0.3 s old, time enough for a bus of slow devices.
pub const PHASE_MS: i64 = 700;

/// The meters of one endpoint, each with its period and its next due time.
#[derive(Debug)]
pub struct Timetable {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    period_ms: i64,
    phase_ms: i64,
    due_ms: i64,
    /// When it had its last turn.
    turn_ms: i64,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Poll this one; its due time is used up.
    Poll(usize),
    /// Nothing is due for so many milliseconds.
    Wait(u64),
}

impl Row {
    /// The first due time after a moment.
    fn after(&self, moment_ms: i64) -> i64 {
        let passed = moment_ms
            .saturating_sub(self.phase_ms)
            .div_euclid(self.period_ms);
        passed
            .saturating_add(1)
            .saturating_mul(self.period_ms)
            .saturating_add(self.phase_ms)
    }
}

impl Timetable {
    /// A timetable of meters with these periods that begins now, with everyone.
    pub fn new(periods_ms: impl IntoIterator<Item = i64>, now_ms: i64) -> Self {
        let rows = periods_ms.into_iter().map(|period_ms| {
            let period_ms = period_ms.max(1);
            let mut row = Row {
                period_ms,
                phase_ms: (period_ms.saturating_mul(PHASE_MS) / 1_000).min(PHASE_MS),
                due_ms: 0,
                turn_ms: i64::MIN,
            };
            row.due_ms = row.after(now_ms).saturating_sub(period_ms);
            row
        });
        Self {
            rows: rows.collect(),
        }
    }

    /// What to do at this moment. The meter that is due for the longest time is
    /// first; of those that are due together, the one whose last turn is longest ago.
    pub fn next(&mut self, now_ms: i64) -> Next {
        for row in &mut self.rows {
            // The clock was set back, by more than a correction within the period:
            // that due time is far off, and waiting for it would silence the meter.
            if row.due_ms.saturating_sub(now_ms) > row.period_ms.saturating_mul(2) {
                row.due_ms = row.after(now_ms);
            }
        }
        let earliest = self.rows.iter_mut().enumerate();
        let Some((index, row)) = earliest.min_by_key(|(_, row)| (row.due_ms, row.turn_ms)) else {
            return Next::Wait(u64::MAX);
        };
        match u64::try_from(row.due_ms.saturating_sub(now_ms)) {
            Ok(wait) if wait > 0 => Next::Wait(wait),
            _ => {
                row.due_ms = row.after(now_ms);
                row.turn_ms = now_ms;
                Next::Poll(index)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Who is polled when, on a bus where each poll takes its time, from `start`
    /// until `end`.
    fn polled(
        periods: &[i64],
        start: i64,
        end: i64,
        took: impl Fn(usize) -> i64,
    ) -> Vec<(usize, i64)> {
        let mut table = Timetable::new(periods.iter().copied(), start);
        let mut now = start;
        let mut log = Vec::new();
        loop {
            match table.next(now) {
                Next::Poll(index) if now < end => {
                    log.push((index, now));
                    now += took(index);
                }
                Next::Wait(wait) if now < end => now += i64::try_from(wait).unwrap(),
                _ => return log,
            }
        }
    }

    #[test]
    fn the_first_poll_is_at_once_and_the_next_ones_are_aligned_to_the_wall_clock() {
        for start in [10_000, 10_123, 10_699] {
            let log = polled(&[1_000], start, 13_000, |_| 40);
            let aligned = [
                (0, start),
                (0, 10_700.max(start + 40)),
                (0, 11_700),
                (0, 12_700),
            ];
            assert_eq!(log, aligned, "{start}");
        }
        assert_eq!(
            polled(&[1_000], 10_700, 11_800, |_| 40),
            [(0, 10_700), (0, 11_700)]
        );
        let slow = polled(&[900_000], 123, 700_000, |_| 40);
        assert_eq!(
            slow,
            [(0, 123), (0, 700)],
            "nobody waits a quarter of an hour for it"
        );
    }

    #[test]
    fn a_longer_period_keeps_to_its_own_grid() {
        let log = polled(&[10_000], 3, 31_000, |_| 5);
        assert_eq!(
            log,
            [(0, 3), (0, 700), (0, 10_700), (0, 20_700), (0, 30_700)]
        );
        let log = polled(&[200], 1_000, 1_600, |_| 5);
        assert_eq!(log, [(0, 1_000), (0, 1_140), (0, 1_340), (0, 1_540)]);
    }

    #[test]
    fn a_stall_is_not_made_up_for() {
        // The first poll takes 3.9 s. One late poll, and in step again.
        let stalls = std::cell::Cell::new(3_900);
        let log = polled(&[1_000], 0, 7_000, |_| stalls.replace(20));
        assert_eq!(
            log,
            [(0, 0), (0, 3_900), (0, 4_700), (0, 5_700), (0, 6_700)]
        );
    }

    #[test]
    fn a_bus_slower_than_its_period_polls_late_and_never_twice() {
        let log = polled(&[1_000], 0, 6_000, |_| 1_300);
        assert_eq!(
            log,
            [(0, 0), (0, 1_300), (0, 2_600), (0, 3_900), (0, 5_200)]
        );
    }

    #[test]
    fn units_of_an_overbooked_bus_take_turns() {
        let log = polled(&[1_000, 1_000, 1_000], 0, 10_000, |_| 600);
        let order: Vec<usize> = log.iter().map(|(index, _)| *index).collect();
        assert_eq!(order, [0, 1, 2].repeat(6)[..order.len()]);
        assert!(order.len() >= 15);
    }

    #[test]
    fn a_quick_meter_does_not_starve_a_slow_one() {
        // The quick one alone would fill the bus.
        let log = polled(&[100, 10_000], 0, 60_000, |_| 150);
        let slow: Vec<i64> = log
            .iter()
            .filter(|row| row.0 == 1)
            .map(|row| row.1)
            .collect();
        assert_eq!(slow.len(), 7);
        for (k, at) in (0..).zip(slow.into_iter().skip(1)) {
            let late = at - (k * 10_000 + 700);
            assert!((0..=300).contains(&late), "{late} ms late");
        }
    }

    #[test]
    fn a_clock_set_back_or_forth_stops_no_meter() {
        let mut table = Timetable::new([1_000], 5_000_000);
        assert_eq!(table.next(5_000_000), Next::Poll(0));
        assert_eq!(table.next(5_000_000), Next::Wait(700));
        assert_eq!(table.next(1_000_000), Next::Wait(700));
        assert_eq!(table.next(1_000_700), Next::Poll(0));
        // Back by a moment that is less than a period: the same due time is not served again.
        assert_eq!(table.next(1_000_690), Next::Wait(1_010));
        assert_eq!(table.next(9_000_000), Next::Poll(0));
        assert_eq!(table.next(9_000_000), Next::Wait(700));
    }

    #[test]
    fn an_endpoint_without_meters_has_nothing_to_do() {
        assert_eq!(Timetable::new([], 0).next(0), Next::Wait(u64::MAX));
    }

    proptest! {
        /// Whatever the bus does, no due time is served twice and none early.
        #[test]
        fn each_due_time_is_served_once_at_most(
            periods in prop::collection::vec(50_i64..5_000, 1..6),
            took in prop::collection::vec(0_i64..4_000, 1..8),
            start in 0_i64..100_000,
        ) {
            let turn = std::cell::Cell::new(0);
            let log = polled(&periods, start, start + 60_000, |_| {
                turn.set(turn.get() + 1);
                took[turn.get() % took.len()]
            });
            for (index, &period) in periods.iter().enumerate() {
                let phase = (period * PHASE_MS / 1_000).min(PHASE_MS);
                // Which due time a poll belongs to: the last one at or before it.
                let mine = log.iter().filter(|row| row.0 == index);
                let slots: Vec<i64> = mine.map(|row| (row.1 - phase).div_euclid(period)).collect();
                prop_assert!(slots.is_sorted_by(|a, b| a < b), "{:?}", slots);
            }
        }
    }
}
