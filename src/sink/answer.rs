//! What an answer of the write API means. Pure: `now` is an argument.
//!
//! | answer | means |
//! |---|---|
//! | 204 | stored, the only answer that says so |
//! | another 2xx, 3xx | not InfluxDB that answers (a captive portal, a proxy): hold |
//! | 400, 422 with InfluxDB's words | some row is refused: find it |
//! | 400, 422 without | not InfluxDB that answers: hold |
//! | 401, 403, 404, the rest of 4xx | an operator's fault: hold |
//! | 413 | too large: halve |
//! | 429, 5xx | later |
//! | 500 `field type conflict` | a row is refused; servers before 2.0 say it so |
//!
//! To hold is to keep the data, raise an alarm and try again later.

use std::time::Duration;

use jiff::Timestamp;

/// What to do after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Every row is stored.
    Stored,
    /// At least one row is refused for good, in the server's words. With
    /// `rest_stored` the others may be stored already.
    Refused {
        /// What the server says.
        words: String,
        /// 422: the rows it does not refuse are stored.
        rest_stored: bool,
    },
    /// The request is too large.
    TooLarge,
    /// The server asks for patience.
    Later {
        /// Why.
        words: String,
        /// How long, if it says so.
        after: Option<Duration>,
    },
    /// Somebody has to set something right.
    Hold {
        /// What is wrong.
        words: String,
    },
}

/// Longest wait that a server's `Retry-After` is followed for: a clock that is
/// years off, on either side, must not silence a sink for years.
pub const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Words kept of an answer: enough for a person, bounded for the log.
const WORDS: usize = 600;

/// What the answer `status` with its `Retry-After` header and `body` means.
#[must_use]
pub fn classify(status: u16, retry_after: Option<&str>, body: &str, now: Timestamp) -> Answer {
    let influx = influx_words(body);
    let said = influx.clone().unwrap_or_else(|| one_line(body));
    let words = if said.is_empty() {
        format!("status {status}")
    } else {
        format!("status {status}: {said}")
    };
    let conflict = said.contains("field type conflict");
    match status {
        204 => Answer::Stored,
        400 | 422 if influx.is_some() => Answer::Refused {
            words,
            rest_stored: status == 422,
        },
        500 if conflict && influx.is_some() => Answer::Refused {
            words,
            rest_stored: false,
        },
        413 => Answer::TooLarge,
        429 | 500..=599 => Answer::Later {
            words,
            after: retry_after.and_then(|text| wait(text, now)),
        },
        200..=399 | 400 | 422 => Answer::Hold {
            words: format!("this is not InfluxDB's answer: {words}"),
        },
        _ => Answer::Hold { words },
    }
}

/// The message in InfluxDB's JSON; none where something else answered.
fn influx_words(body: &str) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    let message = json
        .get("message")
        .or_else(|| json.get("error"))?
        .as_str()?;
    Some(one_line(message))
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

    fn now() -> Timestamp {
        "2026-06-03T06:00:00Z".parse().unwrap()
    }

    /// The kind of an answer in one word.
    fn kind(status: u16, after: Option<&str>, body: &str) -> String {
        match classify(status, after, body, now()) {
            Answer::Stored => "stored".into(),
            Answer::Refused {
                rest_stored: true, ..
            } => "refused, rest stored".into(),
            Answer::Refused { .. } => "refused".into(),
            Answer::TooLarge => "too large".into(),
            Answer::Later { after: None, .. } => "later".into(),
            Answer::Later {
                after: Some(after), ..
            } => format!("later in {} s", after.as_secs()),
            Answer::Hold { .. } => "hold".into(),
        }
    }

    #[test]
    fn answers() {
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
                kind(status, after, body),
                means,
                "{status} {after:?} {body}"
            );
        }
    }

    #[test]
    fn the_words_of_the_server_are_kept_on_one_line() {
        let body = r#"{"code":"not found","message":"bucket \"energy\"\nnot found"}"#;
        let Answer::Hold { words } = classify(404, None, body, now()) else {
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
