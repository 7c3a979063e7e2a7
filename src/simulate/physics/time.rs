//! The park's own time: sun and working day may be hours apart from the wall clock.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::units::to_f64;

/// Local time in the park.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Local {
    /// Second of the day.
    pub second: i64,
    /// Hour of the day with its fraction.
    pub hour: f64,
    /// Saturday or Sunday.
    pub weekend: bool,
}

impl Local {
    /// The local time at a Unix second.
    #[must_use]
    pub fn at(second: i64, zone: &TimeZone) -> Self {
        let offset = Timestamp::from_second(second).map_or(0, |at| zone.to_offset(at).seconds());
        let local = second + i64::from(offset);
        // 1 January 1970 was a Thursday, three days after a Monday.
        let weekday = (local.div_euclid(86_400) + 3).rem_euclid(7);
        let second = local.rem_euclid(86_400);
        Self {
            second,
            hour: to_f64(second) / 3_600.0,
            weekend: weekday >= 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_days_and_weekends_are_those_of_the_zone() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        #[rustfmt::skip]
        let cases = [
            // instant                 hour  weekend
            ("2026-06-05T15:59:59Z", 23.9997, false), // Friday
            ("2026-06-05T16:00:00Z",  0.0,    true),
            ("2026-06-07T03:30:00Z", 11.5,    true),
            ("2026-06-07T16:00:00Z",  0.0,    false),
            ("1969-12-31T16:00:00Z",  0.0,    false),
        ];
        for (instant, hour, weekend) in cases {
            let second = instant.parse::<Timestamp>().unwrap().as_second();
            let local = Local::at(second, &zone);
            assert!((local.hour - hour).abs() < 1e-3, "{instant}: {local:?}");
            assert_eq!(local.weekend, weekend, "{instant}");
        }
    }
}
