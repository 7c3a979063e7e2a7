//! When the daemon reports on itself, and what it gathers for that.

use std::time::Duration;

use jiff::Timestamp;

use super::publish::Board;
use crate::engine::Frame;
use crate::engine::record::{SelfReport, SinkReport};
use crate::sink::stats::SinkStats;

/// How long a minute is.
const EVERY_S: i64 = 60;

/// Beats since the last report.
#[derive(Debug, Default)]
pub struct Minute {
    current: Option<i64>,
    untrusted_s: u64,
}

impl Minute {
    /// A beat in which the clock was not trusted.
    pub fn untrusted(&mut self) {
        self.untrusted_s += 1;
    }

    /// Whether the beat at `at` is the first of a minute, so that it reports. The minute
    /// of the start is not whole and has none.
    pub fn begins(&mut self, at: Timestamp) -> bool {
        let minute = Some(at.as_second().div_euclid(EVERY_S));
        let before = std::mem::replace(&mut self.current, minute);
        before.is_some() && before != minute
    }

    /// Seconds without a trusted clock, counted anew.
    pub fn take_untrusted_s(&mut self) -> u64 {
        std::mem::take(&mut self.untrusted_s)
    }
}

impl Board {
    /// What the daemon knows of itself at a tick.
    #[must_use]
    pub fn self_report(&self, frame: &Frame, untrusted_s: u64) -> SelfReport {
        let silent = frame.meters.iter().filter(|meter| meter.reason.is_some());
        let sinks = self.sinks.iter();
        SelfReport {
            lost_points: self.store.dropped_points(),
            damaged_blocks: self.store.damaged_blocks(),
            unwritten_readings: self.losses.readings_unwritten(),
            journal_bytes: self.store.journal_bytes(),
            meters_silent: u64::try_from(silent.count()).unwrap_or(u64::MAX),
            clock_untrusted_s: untrusted_s,
            clock_held_lost: self.losses.held_readings_lost(),
            sinks: sinks
                .map(|(name, stats)| of_sink(name, stats, frame.at))
                .collect(),
        }
    }
}

fn of_sink(name: &str, stats: &SinkStats, now: Timestamp) -> SinkReport {
    let numbers = stats.numbers();
    let age = |at: Timestamp| {
        // What arrived within the second of the tick is not in the future.
        let age = Duration::try_from(now.duration_since(at)).unwrap_or_default();
        age.as_secs_f64()
    };
    SinkReport {
        name: name.to_owned(),
        backlog_points: numbers.backlog_points,
        oldest_age_s: numbers.oldest.map(age),
        last_ok_age_s: numbers.last_ok.map(age),
        quarantined_rows: numbers.quarantined,
        waits_for_person: numbers.alarm.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_minute_reports_once_and_also_when_its_first_second_is_missed() {
        let mut minute = Minute::default();
        let begins = [58, 59, 60, 61, 119, 121, 122, 240].map(|second| {
            let at = Timestamp::from_second(second).unwrap();
            minute.begins(at)
        });
        assert_eq!(
            begins,
            [false, false, true, false, false, true, false, true]
        );
    }

    #[test]
    fn seconds_without_a_clock_are_counted_from_report_to_report() {
        let mut minute = Minute::default();
        minute.untrusted();
        minute.untrusted();
        assert_eq!(minute.take_untrusted_s(), 2);
        assert_eq!(minute.take_untrusted_s(), 0);
    }
}
