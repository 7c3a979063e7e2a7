//! The API: the live view once, settlement intervals, and reports on them.
//!
//! A question that cannot be answered gets 400 and a problem that says what is
//! wrong with it and what would be right: `{"error":…,"remedy":…}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::live::Place;
use super::server::Shared;
use crate::domain::interval::{Entry, Interval};

/// Longest stretch of one answer: a leap year.
const MAX_DAYS: i64 = 366;
/// Most intervals of one answer: a quarter of quarter hours, and about 15 MB.
const MAX_INTERVALS: i64 = 10_000;

/// What a channel of a meter moved in an interval, as the ledger says it last.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterEntry {
    /// What it says.
    pub entry: Entry,
    /// 1 for the first word of a closed interval; each that was followed by another counts.
    pub revision: i64,
    /// Whether its interval is closed.
    pub closed: bool,
}

/// Where closed intervals come from.
pub trait IntervalSource: Send + Sync {
    /// The newest revision of every closed interval that starts in `[from, to)`,
    /// in order of time. Called on a thread that may wait for the disk.
    ///
    /// # Errors
    ///
    /// A sentence for people that names no secret.
    fn intervals(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Interval>, String>;

    /// What a meter moved in the intervals that start in `[from, to)`, in order of time;
    /// none where no meter is called that. Called like the other.
    ///
    /// # Errors
    ///
    /// A sentence for people that names no secret.
    fn meter(
        &self,
        _meter: &str,
        _from: Timestamp,
        _to: Timestamp,
    ) -> Result<Option<Vec<MeterEntry>>, String> {
        Ok(None)
    }

    /// A report by its name over the closed intervals in `[from, to)`, as JSON; or, where
    /// the configuration does not ask for it, what it lacks. Called like the other.
    ///
    /// # Errors
    ///
    /// A sentence for people that names no secret.
    fn report(
        &self,
        _name: &'static str,
        _from: Timestamp,
        _to: Timestamp,
    ) -> Result<Result<String, &'static str>, String> {
        Ok(Err("nothing here makes reports; ask a daemon"))
    }
}

/// Why a question has no answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    error: String,
    remedy: String,
}

impl Problem {
    pub(super) fn new(error: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            remedy: remedy.into(),
        }
    }

    pub(super) fn with(self, code: StatusCode) -> Response {
        (code, Json(self)).into_response()
    }
}

pub(super) fn json(bytes: Bytes) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, bytes).into_response()
}

/// `GET /api/v1/live`
pub(super) async fn live(State(shared): State<Shared>) -> Response {
    let frame = Arc::clone(&shared.services.live.borrow());
    json(frame.json())
}

/// The two ends, as the query has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ends {
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
}

/// `GET /api/v1/allocation?from&to`
pub(super) async fn allocation(State(shared): State<Shared>, ends: AskedEnds) -> Response {
    report("allocation", &shared, ends).await
}

/// `GET /api/v1/carbon?from&to`
pub(super) async fn carbon(State(shared): State<Shared>, ends: AskedEnds) -> Response {
    report("carbon", &shared, ends).await
}

/// A report of the closed intervals of a stretch: the numbers of `sunledger report`.
async fn report(name: &'static str, shared: &Shared, ends: AskedEnds) -> Response {
    let (from, to) = match asked(ends, &shared.place) {
        Ok(stretch) => stretch,
        Err(problem) => return problem.with(StatusCode::BAD_REQUEST),
    };
    let source = Arc::clone(&shared.services.intervals);
    let work = move || source.report(name, from, to);
    let error = match tokio::task::spawn_blocking(work).await {
        Ok(Ok(Ok(text))) => return json(Bytes::from(text)),
        Ok(Ok(Err(lacking))) => {
            let (fact, remedy) = lacking.split_once("; ").unwrap_or((lacking, ""));
            return Problem::new(fact, remedy).with(StatusCode::NOT_FOUND);
        }
        Ok(Err(error)) => error,
        Err(join) => join.to_string(),
    };
    warn!(error, report = name, "A report could not be computed.");
    let remedy = "the journal of the daemon says more";
    Problem::new(error, remedy).with(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The ends of a query, or why they are none.
type AskedEnds = Result<Query<Ends>, axum::extract::rejection::QueryRejection>;

/// The stretch of a query.
fn asked(ends: AskedEnds, place: &Place) -> Result<(Timestamp, Timestamp), Problem> {
    match ends {
        Ok(Query(ends)) => stretch(&ends, place),
        Err(rejection) => Err(Problem::new(
            rejection.body_text(),
            "ask with `from` and `to` alone",
        )),
    }
}

/// The stretch `[from, to)` that a query asks for.
pub(super) fn stretch(ends: &Ends, place: &Place) -> Result<(Timestamp, Timestamp), Problem> {
    let (from, _) = instant("from", ends.from.as_deref(), place)?;
    let (to, day_after) = instant("to", ends.to.as_deref(), place)?;
    let to = day_after.unwrap_or(to);
    if to <= from {
        return Err(Problem::new(
            "`to` is not after `from`",
            "instants are [from, to); of dates, both days are included",
        ));
    }
    let seconds = to.as_second().saturating_sub(from.as_second());
    // A day on which the clock goes back has an hour more.
    if seconds > MAX_DAYS * 86_400 + 3_600 {
        return Err(Problem::new(
            format!("more than {MAX_DAYS} days"),
            "ask for a shorter stretch",
        ));
    }
    let expected = seconds / (place.settlement_minutes.max(1) * 60);
    if expected > MAX_INTERVALS {
        return Err(Problem::new(
            format!("{expected} intervals, more than {MAX_INTERVALS}"),
            "ask for a shorter stretch",
        ));
    }
    Ok((from, to))
}

/// The instant that one end of the query means; for a local date, its first
/// instant and that of the day after.
fn instant(
    end: &str,
    said: Option<&str>,
    place: &Place,
) -> Result<(Timestamp, Option<Timestamp>), Problem> {
    const REMEDY: &str = "a local date like 2026-06-03 or an instant like \
        2026-06-03T14:30:00%2B08:00 (a plus sign in a query is written %2B)";
    let Some(said) = said else {
        return Err(Problem::new(format!("`{end}` is missing"), REMEDY));
    };
    let midnight = |date: Date| {
        let zoned = date.to_zoned_datetime(place.time_zone.clone()).ok()?;
        Some(zoned.timestamp())
    };
    if let Ok(date) = said.parse::<Date>()
        && !said.contains(['T', 't', ' '])
    {
        let day_after = date.tomorrow().ok().and_then(midnight);
        if let (Some(start), Some(day_after)) = (midnight(date), day_after) {
            return Ok((start, Some(day_after)));
        }
    }
    // A bare plus sign arrives as a space; a space before the offset can be nothing else.
    let text = match said.rsplit_once(' ') {
        Some((time, offset)) if time.contains(['T', 't']) => format!("{time}+{offset}"),
        _ => said.to_owned(),
    };
    match text.parse::<Timestamp>() {
        Ok(at) => Ok((at, None)),
        Err(_) => Err(Problem::new(
            format!("`{end}` is neither a date nor an instant: {said:?}"),
            REMEDY,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn place(zone: &str) -> Place {
        Place {
            id: "p".into(),
            name: "P".into(),
            time_zone: TimeZone::get(zone).unwrap(),
            settlement_minutes: 15,
        }
    }

    fn asked(from: &str, to: &str, zone: &str) -> Result<(String, String), String> {
        let ends = Ends {
            from: Some(from.to_owned()),
            to: Some(to.to_owned()),
        };
        stretch(&ends, &place(zone))
            .map(|(from, to)| (from.to_string(), to.to_string()))
            .map_err(|problem| problem.error)
    }

    #[test]
    fn dates_are_local_and_both_included() {
        #[rustfmt::skip]
        let cases = [
            ("2026-06-03",                "2026-06-03",                "Asia/Shanghai", "2026-06-02T16:00:00Z", "2026-06-03T16:00:00Z"),
            ("2026-06-01",                "2026-06-03",                "Asia/Shanghai", "2026-05-31T16:00:00Z", "2026-06-03T16:00:00Z"),
            ("2026-03-29",                "2026-03-29",                "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
            ("2026-10-25",                "2026-10-25",                "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            ("2026-06-03T14:30:00+08:00", "2026-06-03T15:00:00+08:00", "Asia/Shanghai", "2026-06-03T06:30:00Z", "2026-06-03T07:00:00Z"),
            ("2026-06-03T14:30:00 08:00", "2026-06-03T07:00:00Z",      "Asia/Shanghai", "2026-06-03T06:30:00Z", "2026-06-03T07:00:00Z"),
        ];
        for (from, to, zone, start, end) in cases {
            let expected = Ok((start.to_owned(), end.to_owned()));
            assert_eq!(asked(from, to, zone), expected, "{from} {to} {zone}");
        }
    }

    #[test]
    fn a_question_without_an_answer_says_why() {
        for (from, to, error) in [
            ("2026-06-03", "2026-06-02", "`to` is not after `from`"),
            (
                "2026-06-31",
                "2026-07-02",
                "`from` is neither a date nor an instant",
            ),
            (
                "today",
                "2026-07-02",
                "`from` is neither a date nor an instant",
            ),
            (
                "2026-06-03T14:30:00",
                "2026-07-02",
                "`from` is neither a date nor an instant",
            ),
            ("2026-06-03", "", "`to` is neither a date nor an instant"),
            ("2024-01-01", "2026-01-01", "more than 366 days"),
            (
                "2026-01-01",
                "2026-12-31",
                "35040 intervals, more than 10000",
            ),
        ] {
            let said = asked(from, to, "Asia/Shanghai").unwrap_err();
            assert!(said.starts_with(error), "{from} {to}: {said}");
        }
    }
}
