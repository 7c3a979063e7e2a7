//! `influx setup` for InfluxDB 1, InfluxDB 3 and VictoriaMetrics: who answers there, and
//! may we write?
//!
//! **Nothing is stored and nothing is made**: writing is tried with a comment and no row.
//! A database that is missing is named; to make it is its operator's.

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap};
use serde::Serialize;

use super::answer::one_line;
use super::dialect::Dialect;
use super::http;
use super::influx::Settings;
use super::relay::CommandError;
use super::setup::Permission;
use crate::sys::clock;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Knocked {
    /// What answers there, with its version where it tells it.
    pub server: String,
    /// Whether rows would be taken; if not, the server's words.
    pub may_write: Permission,
    /// Our clock minus the server's, in seconds, where it tells the time.
    pub clock_off_s: Option<i64>,
}

/// Difference between two clocks that is none: the header counts whole seconds, and the
/// answer was under way.
pub const CLOCK_S: i64 = 10;

/// Our clock minus that of the server that sent these headers, in seconds.
#[must_use]
pub fn clock_off(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(now.as_second() - theirs.as_second())
}

/// Looks at the server of `settings`, and tries to write nothing.
///
/// # Errors
///
/// [`CommandError`] where nothing answers, or something else.
pub async fn knock(settings: &Settings) -> Result<Knocked, CommandError> {
    let base = http::address(&settings.url)?;
    let client = http::client(&base, &settings.trust)?;
    let secret = settings.login.secret.as_ref();
    let hidden = |words: String| secret.map_or(words.clone(), |secret| secret.redact(&words));
    let send = async |request: reqwest::RequestBuilder| {
        let request = settings.login.on(request, &settings.dialect, secret);
        let request = request.map_err(http::WayError::Login)?;
        request
            .send()
            .await
            .map_err(|error| CommandError::NoAnswer {
                url: settings.url.clone(),
                words: hidden(http::sentence(&error.without_url())),
            })
    };
    let victoria = settings.dialect == Dialect::VictoriaMetrics;
    let path = if victoria { "/health" } else { "/ping" };
    let answer = send(client.get(http::below(&base, path))).await?;
    let clock_off_s = clock_off(answer.headers(), clock::wall());
    let version = answer.headers().get("x-influxdb-version");
    let version = version.and_then(|value| value.to_str().ok()).map(one_line);
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    let server = match (&settings.dialect, version) {
        (Dialect::VictoriaMetrics, _) if status == 200 && body.trim() == "OK" => {
            "VictoriaMetrics".to_owned()
        }
        (Dialect::VictoriaMetrics, _) | (_, None) => {
            return Err(strange(
                settings,
                &format!("status {status}: {}", one_line(&body)),
            ));
        }
        (dialect, Some(version)) => {
            let major = version.trim_start_matches('v').chars().next();
            let expected = match dialect {
                Dialect::Influx1 { .. } => '1',
                _ => '3',
            };
            if major != Some(expected) {
                return Err(strange(settings, &format!("it is version {version}")));
            }
            format!("{} {version}", dialect.name())
        }
    };
    let write = client.post(settings.dialect.write_url(&base));
    let answer = send(write.body("# sunledger influx setup\n")).await?;
    let status = answer.status().as_u16();
    let body = answer.text().await.unwrap_or_default();
    // A text without a row is refused only after the login and the database were right.
    let granted = matches!(status, 200 | 204 | 400);
    let words = hidden(format!("status {status}: {}", one_line(&body)));
    Ok(Knocked {
        server,
        may_write: Permission {
            granted,
            words: (!granted).then_some(words),
        },
        clock_off_s,
    })
}

fn strange(settings: &Settings, words: &str) -> CommandError {
    let name = settings.dialect.name();
    CommandError::Elsewhere {
        url: settings.url.clone(),
        words: format!("{name} does not answer so: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_clock_is_read_where_it_tells_the_time() {
        let now = "2026-06-03T06:00:00Z".parse().unwrap();
        #[rustfmt::skip]
        let cases = [
            (Some("Wed, 03 Jun 2026 06:00:00 GMT"), Some(0)),
            (Some("Wed, 03 Jun 2026 05:58:00 GMT"), Some(120)),
            (Some("Wed, 03 Jun 2026 06:01:00 GMT"), Some(-60)),
            (Some("yesterday"),                     None),
            (None,                                  None),
        ];
        for (text, off) in cases {
            let mut headers = HeaderMap::new();
            if let Some(text) = text {
                headers.insert(DATE, text.parse().unwrap());
            }
            assert_eq!(clock_off(&headers, now), off);
        }
    }
}
