//! Civil time: settlement intervals and days in the park's time zone.
//!
//! Instants are UTC; a slot is `[start, end)` and aligned to the local clock, so
//! that a day has 96 quarter-hours, 92 or 100 where the clock changes, and 98 on
//! Lord Howe. A transition inside a slot cuts it. A day begins at the first
//! instant whose local date it is, which need not be midnight.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::interval::Span;

/// Seconds east of UTC at an instant.
fn offset(at: Timestamp, zone: &TimeZone) -> i64 {
    i64::from(zone.to_offset(at).seconds())
}

fn from_second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(if second < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// The slot of `minutes` in which `at` lies.
#[must_use]
pub fn slot(at: Timestamp, zone: &TimeZone, minutes: i64) -> Span {
    let length = minutes.max(1) * 60;
    let east = offset(at, zone);
    // `as_second` rounds toward zero; slots begin on whole seconds at or before `at`.
    let second = at.as_millisecond().div_euclid(1_000);
    let start = (second + east).div_euclid(length) * length - east;
    let mut span = Span {
        start: from_second(start),
        end: from_second(start + length),
    };
    let probe = at
        .checked_add(jiff::SignedDuration::from_nanos(1))
        .unwrap_or(at);
    if let Some(change) = zone
        .preceding(probe)
        .next()
        .map(|change| change.timestamp())
        && change > span.start
    {
        span.start = change;
    }
    if let Some(change) = zone.following(at).next().map(|change| change.timestamp())
        && change < span.end
    {
        span.end = change;
    }
    span
}

/// The local date of an instant.
#[must_use]
pub fn local_date(at: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(at).date()
}

/// A local day; `None` at the end of the calendar.
#[must_use]
pub fn day(date: Date, zone: &TimeZone) -> Option<Span> {
    let start = date.to_zoned_datetime(zone.clone()).ok()?.timestamp();
    let end = date
        .tomorrow()
        .ok()?
        .to_zoned_datetime(zone.clone())
        .ok()?
        .timestamp();
    Some(Span { start, end })
}

/// The slots of a span, which begins where a slot begins.
pub fn slots(span: Span, zone: &TimeZone, minutes: i64) -> impl Iterator<Item = Span> {
    let first = (span.start < span.end).then(|| slot(span.start, zone, minutes));
    std::iter::successors(first, move |last| {
        (last.end < span.end).then(|| slot(last.end, zone, minutes))
    })
}

/// An instant as people write it: RFC 3339 with the zone's offset, whole
/// milliseconds where there are any.
#[must_use]
pub fn rfc3339(at: Timestamp, zone: &TimeZone) -> String {
    let offset = zone.to_offset(at);
    let local = offset.to_datetime(at);
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    let ms = at.as_millisecond().rem_euclid(1_000);
    let fraction = if ms == 0 {
        String::new()
    } else {
        format!(".{ms:03}")
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}{sign}{:02}:{:02}",
        local.year(),
        local.month(),
        local.day(),
        local.hour(),
        local.minute(),
        local.second(),
        minutes / 60,
        minutes % 60,
    )
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests {
    use super::*;

    /// Source: interval_cases.json `day_lengths`, computed from IANA tzdata.
    #[test]
    fn days_have_the_intervals_that_their_clock_gives_them() {
        let text = include_str!("../../tests/fixtures/interval_cases.json");
        let cases: serde_json::Value = serde_json::from_str(text).unwrap();
        for case in cases["day_lengths"].as_array().unwrap() {
            let zone = TimeZone::get(case["zone"].as_str().unwrap()).unwrap();
            let date: Date = case["local_date"].as_str().unwrap().parse().unwrap();
            let span = day(date, &zone).unwrap();
            let name = format!("{} {date}", case["zone"]);
            assert_eq!(
                span.start,
                case["start_utc"].as_str().unwrap().parse().unwrap(),
                "{name}"
            );
            assert_eq!(
                span.end,
                case["end_utc"].as_str().unwrap().parse().unwrap(),
                "{name}"
            );
            assert_eq!(
                rfc3339(span.start, &zone),
                case["local_start"].as_str().unwrap()
            );
            for (minutes, key) in [(15, "n15"), (30, "n30"), (5, "n5")] {
                let all: Vec<Span> = slots(span, &zone, minutes).collect();
                assert_eq!(
                    all.len() as u64,
                    case[key].as_u64().unwrap(),
                    "{name} {key}"
                );
                assert_eq!(all.last().unwrap().end, span.end, "{name} {key}");
            }
        }
    }

    #[test]
    fn a_quarter_hour_begins_on_the_local_quarter() {
        let zone = TimeZone::get("Asia/Kathmandu").unwrap();
        let at: Timestamp = "2026-06-03T06:22:07.5Z".parse().unwrap();
        let span = slot(at, &zone, 15);
        assert_eq!(rfc3339(span.start, &zone), "2026-06-03T12:00:00+05:45");
        assert_eq!(rfc3339(span.end, &zone), "2026-06-03T12:15:00+05:45");
        assert_eq!(slot(span.end, &zone, 15).start, span.end);
    }
}
