//! When a message was true, by its own word.
//!
//! ```text
//!        older than the values stand        now     a minute ahead
//!   ──────────── old ────────────┼── its own age ──┼── now ──┼── ahead: refused ──▶
//! ```
//!
//! A time is taken only where it is unambiguous: Unix time, or a date with its zone.
//! **A message from the future is refused**: its clock is wrong, and so may be every
//! other time that it says.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::place::Place;

/// How far a device's clock may be ahead of ours before its word is refused.
pub const AHEAD: Duration = Duration::from_secs(60);

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Seconds since 1970, with or without a fraction.
    UnixSeconds,
    /// Milliseconds since 1970.
    UnixMillis,
    /// A date and time with its zone.
    Rfc3339,
}

/// Where a document says its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// The place.
    pub place: Place,
    /// How it is written there.
    pub format: Format,
}

/// A time that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl Clock {
    /// The time in a document; none where it has none, as a device that has not
    /// found its own clock yet.
    ///
    /// # Errors
    ///
    /// [`Unreadable`].
    pub fn read(&self, document: &Value) -> Result<Option<Timestamp>, Unreadable> {
        let Some(found) = self.place.find(document).filter(|found| !found.is_null()) else {
            return Ok(None);
        };
        let number = || match found {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let ms = match self.format {
            Format::UnixSeconds => number().map(|seconds| seconds * 1_000.0),
            Format::UnixMillis => number(),
            Format::Rfc3339 => {
                let text = found.as_str().ok_or(Unreadable)?;
                return text.parse().map(Some).map_err(|_| Unreadable);
            }
        };
        ms.and_then(from_ms).map(Some).ok_or(Unreadable)
    }
}

fn from_ms(ms: f64) -> Option<Timestamp> {
    if !ms.is_finite() {
        return None;
    }
    Timestamp::from_millisecond(crate::domain::units::to_i64(ms)).ok()
}

/// What a time says about the values beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// So long ago, and still standing.
    Standing(Duration),
    /// So long ago that the values no longer stand.
    Old(Duration),
    /// So far ahead of our clock that one of the two is wrong.
    Ahead(Duration),
}

/// Judges a time against our own clock and how long values stand, if not until the
/// next.
#[must_use]
pub fn judge(time: Timestamp, now: Timestamp, stand_for: Option<Duration>) -> Age {
    match Duration::try_from(now.duration_since(time)) {
        Ok(age) if stand_for.is_some_and(|limit| age > limit) => Age::Old(age),
        Ok(age) => Age::Standing(age),
        Err(_) => match Duration::try_from(time.duration_since(now)) {
            Ok(ahead) if ahead > AHEAD => Age::Ahead(ahead),
            _ => Age::Standing(Duration::ZERO),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    type Read = Result<Option<Timestamp>, Unreadable>;

    #[test]
    fn times_are_read_where_they_are_unambiguous() {
        let quarter_past = at("2026-03-02T10:15:00.12Z");
        use Format::{Rfc3339, UnixMillis, UnixSeconds};
        #[rustfmt::skip]
        let cases: &[(&str, Format, Read)] = &[
            (r#"{"ts": 1772446500.12}"#,                UnixSeconds, Ok(Some(quarter_past))),
            (r#"{"ts": "1772446500.12"}"#,              UnixSeconds, Ok(Some(quarter_past))),
            (r#"{"ts": 1772446500120}"#,                UnixMillis,  Ok(Some(quarter_past))),
            (r#"{"ts": "2026-03-02T10:15:00.12Z"}"#,    Rfc3339,     Ok(Some(quarter_past))),
            (r#"{"ts": "2026-03-02T18:15:00.12+08:00"}"#, Rfc3339,   Ok(Some(quarter_past))),
            (r#"{"ts": "2026-03-02T10:15:00"}"#,        Rfc3339,     Err(Unreadable)),
            (r#"{"ts": null}"#,                         UnixSeconds, Ok(None)),
            ("{}",                                      UnixSeconds, Ok(None)),
            (r#"{"ts": true}"#,                         UnixSeconds, Err(Unreadable)),
            (r#"{"ts": 1e300}"#,                        UnixMillis,  Err(Unreadable)),
        ];
        for (document, format, expected) in cases {
            let clock = Clock {
                place: Place::parse("/ts").unwrap(),
                format: *format,
            };
            let document = serde_json::from_str(document).unwrap();
            assert_eq!(clock.read(&document), *expected, "{document}");
        }
    }

    #[test]
    fn a_time_is_standing_old_or_ahead() {
        let now = at("2026-03-02T10:15:00Z");
        let s = Duration::from_secs;
        let limit = Some(s(15));
        #[rustfmt::skip]
        let cases = [
            ("2026-03-02T10:14:50Z", limit, Age::Standing(s(10))),
            ("2026-03-02T10:14:45Z", limit, Age::Standing(s(15))),
            ("2026-03-02T10:14:44Z", limit, Age::Old(s(16))),
            ("2026-03-01T10:15:00Z", None,  Age::Standing(s(86_400))),
            ("2026-03-02T10:15:59Z", limit, Age::Standing(s(0))),
            ("2026-03-02T10:16:01Z", limit, Age::Ahead(s(61))),
            ("2026-03-02T10:16:01Z", None,  Age::Ahead(s(61))),
        ];
        for (time, stand_for, expected) in cases {
            assert_eq!(judge(at(time), now, stand_for), expected, "{time}");
        }
    }
}
