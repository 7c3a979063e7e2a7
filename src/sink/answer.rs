//! What an answer of a write API means. Pure: `now` is an argument.
//!
//! | answer | means |
//! |---|---|
//! | 204 | stored, the only answer that says so |
//! | 200, empty, with InfluxDB's own header | stored, from InfluxDB 1 alone |
//! | another 2xx, 3xx | not the database that answers (a captive portal, a proxy): hold |
//! | 400, 422 in the database's words | some row is refused: find it |
//! | 400, 422 without | not the database that answers: hold |
//! | 401, 403, 404, the rest of 4xx | an operator's fault: hold |
//! | 413 | too large: halve |
//! | 429, 5xx | later |
//! | 500 `field type conflict` | a row is refused; servers before 2.0 say it so |
//!
//! | refused by | the other rows |
//! |---|---|
//! | InfluxDB 1, 400 `partial write` | stored |
//! | InfluxDB 1, 400 otherwise | not stored |
//! | InfluxDB 2, 400 | not stored |
//! | InfluxDB 2, 422 | stored |
//! | InfluxDB 3, 400 with line numbers | stored, where it names fewer than it can |
//! | InfluxDB 3, 422 | a limit of the database: hold |
//! | VictoriaMetrics, 400 | not known |
//!
//! To hold is to keep the data, raise an alarm and try again later. A lasting 500 for one
//! series is told from a server in trouble in [`suspect`](super::suspect).

use std::time::Duration;

use jiff::Timestamp;

use super::dialect::Dialect;

/// What to do after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Every row is stored.
    Stored,
    /// At least one row is refused for good.
    Refused(Refused),
    /// The request is too large.
    TooLarge,
    /// The server asks for patience.
    Later {
        /// Why.
        words: String,
        /// How long, if it says so.
        after: Option<Duration>,
        /// Whether it failed inside, which may be for one of the rows: 500.
        inside: bool,
    },
    /// Somebody has to set something right.
    Hold {
        /// What is wrong.
        words: String,
    },
}

/// What a server says of rows that it refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its words.
    pub words: String,
    /// The rows that it does not refuse are stored.
    pub rest_stored: bool,
    /// Each refused row, counted from 0, with its own words; empty where it names none
    /// or may have named only some.
    pub named: Vec<(usize, String)>,
}

/// An answer as it came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Came<'a> {
    /// Its status.
    pub status: u16,
    /// Its `Retry-After` header.
    pub retry_after: Option<&'a str>,
    /// Whether it has the header in which InfluxDB tells its version.
    pub from_influx: bool,
    /// Its text.
    pub body: &'a str,
}

/// Longest wait that a server's `Retry-After` is followed for: a clock that is
/// years off, on either side, must not silence a sink for years.
pub const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Words kept of an answer: enough for a person, bounded for the log.
const WORDS: usize = 600;

/// Most rows that InfluxDB 3 names in one answer; with as many there may be more.
const MOST_NAMED: usize = 100;

/// What an answer means.
#[must_use]
pub fn classify(dialect: &Dialect, came: &Came<'_>, now: Timestamp) -> Answer {
    let status = came.status;
    let own = own_words(dialect, came.body);
    let said = own.clone().unwrap_or_else(|| one_line(came.body));
    let words = if said.is_empty() {
        format!("status {status}")
    } else {
        format!("status {status}: {said}")
    };
    let influx1 = matches!(dialect, Dialect::Influx1 { .. });
    let influx3 = matches!(dialect, Dialect::Influx3 { .. });
    match status {
        204 => Answer::Stored,
        200 if influx1 && came.from_influx && came.body.is_empty() => Answer::Stored,
        422 if influx3 => Answer::Hold { words },
        400 | 422 if own.is_some() => Answer::Refused(Refused {
            rest_stored: match dialect {
                Dialect::Influx1 { .. } => said.starts_with("partial write"),
                Dialect::Influx2 { .. } => status == 422,
                Dialect::Influx3 { .. } | Dialect::VictoriaMetrics => false,
            },
            named: if influx3 {
                named(came.body)
            } else {
                Vec::new()
            },
            words,
        }),
        500 if said.contains("field type conflict") && own.is_some() => Answer::Refused(Refused {
            words,
            rest_stored: false,
            named: Vec::new(),
        }),
        413 => Answer::TooLarge,
        429 | 500..=599 => Answer::Later {
            words,
            after: came.retry_after.and_then(|text| wait(text, now)),
            inside: status == 500,
        },
        200..=399 | 400 | 422 => Answer::Hold {
            words: format!("this is not {}'s answer: {words}", dialect.name()),
        },
        _ => Answer::Hold { words },
    }
}

/// The database's own words; none where something else answered.
fn own_words(dialect: &Dialect, body: &str) -> Option<String> {
    if *dialect == Dialect::VictoriaMetrics {
        // It writes plain text, which names the request it is about.
        let its = body.contains("remoteAddr") || body.contains("cannot ");
        return (its && !body.trim_start().starts_with('<')).then(|| one_line(body));
    }
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    let message = json
        .get("message")
        .or_else(|| json.get("error"))?
        .as_str()?;
    Some(one_line(message))
}

/// The rows that InfluxDB 3 names; none where it may have named only some.
fn named(body: &str) -> Vec<(usize, String)> {
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let list = match json.get("data") {
        Some(serde_json::Value::Array(list)) => list.as_slice(),
        Some(one @ serde_json::Value::Object(_)) => std::slice::from_ref(one),
        _ => return Vec::new(),
    };
    let row = |entry: &serde_json::Value| {
        let number = entry.get("line_number")?.as_u64()?;
        let words = entry.get("error_message")?.as_str()?;
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        Some((place, one_line(words)))
    };
    let mut rows: Vec<_> = list.iter().filter_map(row).collect();
    // One entry that is not understood could be one row too few.
    if rows.len() != list.len() || rows.len() >= MOST_NAMED {
        return Vec::new();
    }
    rows.sort();
    rows.dedup_by_key(|(place, _)| *place);
    rows
}

/// Text of a server on one bounded line.
#[must_use]
pub fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(WORDS).collect();
    line.chars().filter(|c| !c.is_control()).collect()
}

/// The wait of a `Retry-After` header: seconds, or a date as HTTP writes it.
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let wait = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let then = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Duration::try_from(then.duration_since(now)).ok()?
    };
    (!wait.is_zero()).then(|| wait.min(LONGEST_WAIT))
}

/// Shortest step of the back-off.
const FIRST: Duration = Duration::from_secs(1);
/// Longest step: a database that comes back is noticed within a minute.
const LAST: Duration = Duration::from_secs(60);
/// Least wait: a server in trouble is not hammered, whatever the dice say.
const LEAST: Duration = Duration::from_millis(200);

/// The wait before try number `attempt` (from 0) of the sink `name`: anywhere
/// between the least wait and a step that doubles from one second to sixty, so
/// that many boxes do not return at the same moment.
#[must_use]
pub fn backoff(name: &str, attempt: u32) -> Duration {
    let step = FIRST.saturating_mul(1_u32 << attempt.min(10)).min(LAST);
    step.mul_f64(dice(name, attempt)).max(LEAST)
}

/// A server's wait, lengthened by up to a tenth; never shortened.
#[must_use]
pub fn spread(wait: Duration, name: &str, attempt: u32) -> Duration {
    wait.mul_f64(1.0 + dice(name, attempt) / 10.0)
}

/// A number from 0 to 1 that differs from sink to sink and from try to try
/// (FNV-1a). No secret hangs on it.
fn dice(name: &str, attempt: u32) -> f64 {
    let bytes = name.bytes().chain(attempt.to_le_bytes()).chain([0; 4]);
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    f64::from(u32::try_from(hash >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"code":"invalid","message":"unable to parse 'x': missing fields"}"#;
    const CONFLICT: &str = r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \"power_w\" is type integer, already exists as type float dropped=1"}"#;
    const PORTAL: &str = "<html><body>Please log in</body></html>";

    const PARTIAL: &str = r#"{"error":"partial write: field type conflict: input field \"power_w\" on measurement \"e\" is type integer, already exists as type float dropped=1"}"#;
    const NAMED: &str = r#"{"error":"partial write of line protocol occurred","data":[{"original_line":"x","line_number":7,"error_message":"no fields"},{"original_line":"y","line_number":2,"error_message":"invalid\ncolumn type"}]}"#;
    const VICTORIA: &str =
        "remoteAddr: \"127.0.0.1:4\"; requestURI: /write; cannot read data: unexpected EOF";

    fn influx1() -> Dialect {
        Dialect::Influx1 {
            database: "energy".to_owned(),
            retention_policy: None,
        }
    }

    fn influx2() -> Dialect {
        Dialect::Influx2 {
            org: "park".to_owned(),
            bucket: "energy".to_owned(),
        }
    }

    fn influx3() -> Dialect {
        Dialect::Influx3 {
            database: "energy".to_owned(),
        }
    }

    fn now() -> Timestamp {
        "2026-06-03T06:00:00Z".parse().unwrap()
    }

    /// The kind of an answer in a few words.
    fn kind(dialect: &Dialect, came: Came<'_>) -> String {
        match classify(dialect, &came, now()) {
            Answer::Stored => "stored".into(),
            Answer::Refused(refused) => {
                let rest = if refused.rest_stored {
                    ", rest stored"
                } else {
                    ""
                };
                let named = refused
                    .named
                    .iter()
                    .map(|(place, words)| format!(", {place} {words}"));
                format!("refused{rest}{}", named.collect::<String>())
            }
            Answer::TooLarge => "too large".into(),
            Answer::Later { after: None, .. } => "later".into(),
            Answer::Later {
                after: Some(after), ..
            } => format!("later in {} s", after.as_secs()),
            Answer::Hold { .. } => "hold".into(),
        }
    }

    fn came<'a>(status: u16, retry_after: Option<&'a str>, body: &'a str) -> Came<'a> {
        Came {
            status,
            retry_after,
            from_influx: false,
            body,
        }
    }

    #[test]
    fn answers_of_influxdb_2() {
        let date = Some("Wed, 03 Jun 2026 06:00:30 GMT");
        let past = Some("Wed, 03 Jun 2026 05:00:30 GMT");
        #[rustfmt::skip]
        let cases = [
            (204, None,            "",       "stored"),
            (204, None,            PORTAL,   "stored"),
            (200, None,            PORTAL,   "hold"),
            (200, None,            "",       "hold"),
            (201, None,            "",       "hold"),
            (202, None,            "{}",     "hold"),
            (302, None,            "",       "hold"),
            (307, None,            "",       "hold"),
            (400, None,            JSON,     "refused"),
            (400, None,            PORTAL,   "hold"),
            (400, None,            "",       "hold"),
            (400, None,            r#"{"error":"partial write: x"}"#, "refused"),
            (422, None,            CONFLICT, "refused, rest stored"),
            (422, None,            PORTAL,   "hold"),
            (401, None,            JSON,     "hold"),
            (403, None,            JSON,     "hold"),
            (404, None,            JSON,     "hold"),
            (405, None,            "",       "hold"),
            (407, None,            "",       "hold"),
            (413, None,            "",       "too large"),
            (429, None,            JSON,     "later"),
            (429, Some("17"),      JSON,     "later in 17 s"),
            (429, date,            JSON,     "later in 30 s"),
            (503, Some("120"),     "",       "later in 120 s"),
            (503, Some("99999"),   "",       "later in 600 s"),
            (503, past,            "",       "later"),
            (503, Some("0"),       "",       "later"),
            (503, Some("soon"),    "",       "later"),
            (500, None,            JSON,     "later"),
            (500, None,            CONFLICT, "refused"),
            (502, None,            PORTAL,   "later"),
            (504, None,            "",       "later"),
        ];
        for (status, after, body, means) in cases {
            assert_eq!(
                kind(&influx2(), came(status, after, body)),
                means,
                "{status} {after:?} {body}"
            );
        }
    }

    #[test]
    fn answers_of_the_others() {
        let many: Vec<String> = (1..=100)
            .map(|n| format!(r#"{{"line_number":{n},"error_message":"no"}}"#))
            .collect();
        let hundred = format!(r#"{{"error":"partial write","data":[{}]}}"#, many.join(","));
        let strange = r#"{"error":"partial write","data":[{"line_number":1,"error_message":"no"},{"line":2}]}"#;
        let one = r#"{"error":"parsing failed","data":{"original_line":"x","line_number":1,"error_message":"no"}}"#;
        let victoria = Dialect::VictoriaMetrics;
        #[rustfmt::skip]
        let cases = [
            (influx1(),        204, "",         "stored"),
            (influx1(),        200, "",         "hold"),
            (influx1(),        200, PORTAL,     "hold"),
            (influx1(),        400, PARTIAL,    "refused, rest stored"),
            (influx1(),        400, r#"{"error":"unable to parse 'x': missing fields"}"#, "refused"),
            (influx1(),        400, PORTAL,     "hold"),
            (influx1(),        401, r#"{"error":"authorization failed"}"#, "hold"),
            (influx1(),        404, r#"{"error":"database not found: \"x\""}"#, "hold"),
            (influx1(),        413, r#"{"error":"Request Entity Too Large"}"#, "too large"),
            (influx1(),        500, r#"{"error":"timeout"}"#, "later"),
            (influx1(),        500, PARTIAL,    "refused"),
            (influx1(),        503, "",         "later"),
            (influx3(),        204, "",         "stored"),
            (influx3(),        200, "",         "hold"),
            (influx3(),        400, NAMED,      "refused, 1 invalid column type, 6 no fields"),
            (influx3(),        400, one,        "refused, 0 no"),
            (influx3(),        400, &hundred,   "refused"),
            (influx3(),        400, strange,    "refused"),
            (influx3(),        400, PORTAL,     "hold"),
            (influx3(),        401, "",         "hold"),
            (influx3(),        403, "",         "hold"),
            (influx3(),        413, "",         "too large"),
            (influx3(),        422, NAMED,      "hold"),
            (influx3(),        429, "",         "later"),
            (influx3(),        500, "",         "later"),
            (influx3(),        503, "",         "later"),
            (victoria.clone(), 204, "",         "stored"),
            (victoria.clone(), 200, "",         "hold"),
            (victoria.clone(), 400, VICTORIA,   "refused"),
            (victoria.clone(), 400, PORTAL,     "hold"),
            (victoria.clone(), 401, "",         "hold"),
            (victoria,         503, VICTORIA,   "later"),
        ];
        for (dialect, status, body, means) in cases {
            let answer = kind(&dialect, came(status, None, body));
            assert_eq!(answer, means, "{dialect:?} {status} {body}");
        }
        let own = |body| Came {
            from_influx: true,
            ..came(200, None, body)
        };
        assert_eq!(kind(&influx1(), own("")), "stored");
        assert_eq!(kind(&influx1(), own("x")), "hold");
        assert_eq!(kind(&influx2(), own("")), "hold");
    }

    #[test]
    fn the_words_of_the_server_are_kept_on_one_line() {
        let body = r#"{"code":"not found","message":"bucket \"energy\"\nnot found"}"#;
        let Answer::Hold { words } = classify(&influx2(), &came(404, None, body), now()) else {
            panic!("404 holds");
        };
        assert_eq!(words, r#"status 404: bucket "energy" not found"#);
        assert!(one_line(&"words ".repeat(1_000)).len() <= WORDS);
    }

    #[test]
    fn the_back_off_grows_to_a_minute_and_two_sinks_do_not_march_in_step() {
        for attempt in 0..100 {
            let wait = backoff("local", attempt);
            assert!(wait >= LEAST && wait <= LAST, "{attempt}: {wait:?}");
        }
        assert!(backoff("local", 0) <= FIRST);
        let of = |name| {
            (0..10)
                .map(|attempt| backoff(name, attempt))
                .collect::<Vec<_>>()
        };
        assert_ne!(of("local"), of("cloud"));
        let late: Vec<_> = (10..60).map(|attempt| backoff("local", attempt)).collect();
        assert!(late.iter().any(|wait| *wait > LAST / 2));
        assert!(late.iter().any(|wait| *wait < LAST / 2));
    }

    #[test]
    fn a_servers_wait_is_never_shortened() {
        let asked = Duration::from_secs(120);
        for attempt in 0..100 {
            let wait = spread(asked, "local", attempt);
            assert!(wait >= asked && wait <= asked.mul_f64(1.1), "{wait:?}");
        }
    }
}
