//! How the commands use the influxdb2 crate: through a relay on this machine.
//!
//! ```text
//!  influxdb2 ──http──▶ 127.0.0.1:free ──▶ our client ──https, CA, proxy, path──▶ InfluxDB
//!     │ one-time key                        │ the token
//! ```
//!
//! The crate is built without TLS, drops the path of an address and may panic on an
//! answer that it does not expect (`docs/decisions/`). The relay adds what the crate
//! lacks. It listens on loopback while a command runs, and forwards only requests
//! with a key that was made for this run; the token never travels to it. Every call
//! runs in a task of its own, so a panic in the crate is an error of the command.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::Response;
use influxdb2::RequestError;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::answer::one_line;
use super::dialect;
use super::http::{self, WayError};
use super::influx::Settings;
use super::knock;
use crate::sys::clock;
use crate::sys::secret::Secret;

/// Time for a call: longer than the relay's own client waits for an answer.
const CALL: Duration = Duration::from_secs(45);
/// Largest request that a command sends: a query of a few lines.
const REQUEST_BYTES: usize = 64 * 1024;
/// How the relay marks that nothing answered behind it.
const NOBODY: &str = "sunledger-relay: ";

/// Why a command did not come to an end.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The settings lead nowhere (exit code 78).
    #[error(transparent)]
    Way(#[from] WayError),
    /// Nothing answers (69).
    #[error("no answer from {url}: {words}")]
    NoAnswer {
        /// The address.
        url: String,
        /// Why.
        words: String,
    },
    /// The server says no (69).
    #[error("{what}: the server answers {status}: {words}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// The status of the answer.
        status: u16,
        /// Its words.
        words: String,
    },
    /// What answers does not speak InfluxDB 2 (69).
    #[error("{what}: this is not InfluxDB 2's answer: {words}")]
    Strange {
        /// What was asked.
        what: &'static str,
        /// What is strange about it.
        words: String,
    },
    /// Something else answers there (69).
    #[error(
        "{url} is another server: {words}; look at `url` and at the kind of the sink: influx for \
         InfluxDB 2, influx1, influx3, victoria_metrics"
    )]
    Elsewhere {
        /// The address.
        url: String,
        /// What is strange about it.
        words: String,
    },
    /// The command speaks to InfluxDB 2 alone (64).
    #[error(
        "{name} is no InfluxDB 2: this command reads it back and speaks no other query language"
    )]
    NotInflux2 {
        /// What the database calls itself.
        name: &'static str,
    },
    /// The token opens nothing there (69).
    #[error(
        "organisation `{org}` or bucket `{bucket}` is not there or not open to this token; {words}; \
         look at the names, or give this command a token that may make buckets"
    )]
    NoAccess {
        /// The bucket.
        bucket: String,
        /// The organisation.
        org: String,
        /// The server's words.
        words: String,
    },
    /// A retention that InfluxDB does not take (64).
    #[error("a retention of {0:?} is not possible; InfluxDB takes whole seconds from one hour on")]
    Retention(Duration),
    /// The journal cannot be read, or no port is free (74).
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// The journal does not reach the period (64).
    #[error("the journal keeps {oldest} to {newest}; nothing of {from} to {to} is in it")]
    NotKept {
        /// Start of what was asked.
        from: Timestamp,
        /// End of what was asked.
        to: Timestamp,
        /// Oldest row kept.
        oldest: Timestamp,
        /// Newest row kept.
        newest: Timestamp,
    },
    /// The journal is empty (64).
    #[error("the journal is empty")]
    Empty,
}

/// The relay, open as long as it is held.
pub struct Relay {
    client: influxdb2::Client,
    url: String,
    /// Organisation.
    pub org: String,
    /// Bucket.
    pub bucket: String,
    clock_off_s: Arc<Mutex<Option<i64>>>,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The far side of the relay.
struct Far {
    client: reqwest::Client,
    base: reqwest::Url,
    token: Secret,
    key: Secret,
    clock_off_s: Arc<Mutex<Option<i64>>>,
}

impl Relay {
    /// Opens a relay to the server of `settings`.
    ///
    /// # Errors
    ///
    /// [`CommandError`] where the settings lead nowhere or no port is free.
    pub async fn open(settings: &Settings) -> Result<Self, CommandError> {
        let base = http::address(&settings.url)?;
        let name = settings.dialect.name();
        let influx2 = settings
            .influx2()
            .ok_or(CommandError::NotInflux2 { name })?;
        if let Some(fact) = dialect::unfit(influx2.token) {
            return Err(WayError::Login(fact).into());
        }
        let far = Far {
            client: http::client(&base, &settings.trust)?,
            base,
            token: influx2.token.clone(),
            key: one_time_key()?,
            clock_off_s: Arc::default(),
        };
        let clock_off_s = Arc::clone(&far.clock_off_s);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let near = near_client(listener.local_addr()?, influx2.org, &far.key)?;
        let app = Router::new().fallback(forward).with_state(Arc::new(far));
        let task = tokio::spawn(async move {
            // Ends with the command, which then has its answer or its error.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self {
            client: near,
            url: settings.url.clone(),
            org: influx2.org.to_owned(),
            bucket: influx2.bucket.to_owned(),
            clock_off_s,
            task,
        })
    }

    /// Our clock minus the server's, in seconds, as its last answer tells it.
    #[must_use]
    pub fn clock_off_s(&self) -> Option<i64> {
        *self
            .clock_off_s
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one call with the crate; `what` says what is asked, for errors.
    ///
    /// # Errors
    ///
    /// [`CommandError`] for whatever the server or the crate does not do.
    pub async fn ask<T, F>(
        &self,
        what: &'static str,
        call: impl FnOnce(influxdb2::Client) -> F,
    ) -> Result<T, CommandError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, RequestError>> + Send + 'static,
    {
        let strange = |words: String| CommandError::Strange { what, words };
        match tokio::spawn(call(self.client.clone())).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(RequestError::Http { status, text })) => Err(match text.strip_prefix(NOBODY) {
                Some(words) => CommandError::NoAnswer {
                    url: self.url.clone(),
                    words: words.to_owned(),
                },
                None => CommandError::Refused {
                    what,
                    status: status.as_u16(),
                    words: words_of(&text),
                },
            }),
            Ok(Err(error)) => Err(strange(http::sentence(&error))),
            Err(_) => Err(strange("the client broke on it".to_owned())),
        }
    }
}

/// The message in InfluxDB's JSON, or the text as it is.
fn words_of(text: &str) -> String {
    let json: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let message = json.as_ref().and_then(|json| json.get("message")?.as_str());
    one_line(message.unwrap_or(text))
}

/// The crate's client on this machine's side. Loopback needs no proxy, and a crate
/// without a time-out needs one.
fn near_client(
    relay: SocketAddr,
    org: &str,
    key: &Secret,
) -> Result<influxdb2::Client, CommandError> {
    let builder = influxdb2_http::ClientBuilder::new()
        .no_proxy()
        .timeout(CALL);
    influxdb2::ClientBuilder::with_builder(builder, format!("http://{relay}"), org, key.expose())
        .build()
        .map_err(|error| WayError::Tls(http::sentence(&error)).into())
}

/// A key for one run, from the system's randomness.
fn one_time_key() -> Result<Secret, WayError> {
    use std::fmt::Write as _;
    let mut bytes = [0_u8; 24];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| WayError::Tls("the system gives no random numbers".to_owned()))?;
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok(Secret::new(&hex))
}

async fn forward(State(far): State<Arc<Far>>, request: Request) -> Response {
    let plain = |status: u16, text: String| {
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status.try_into().unwrap_or_default();
        response
    };
    let (parts, body) = request.into_parts();
    let given = parts.headers.get(AUTHORIZATION);
    let expected = format!("Token {}", far.key.expose());
    if given.is_none_or(|given| given.as_bytes() != expected.as_bytes()) {
        return plain(401, "this relay is not for you".to_owned());
    }
    let Ok(body) = axum::body::to_bytes(body, REQUEST_BYTES).await else {
        return plain(413, "larger than any request of a command".to_owned());
    };
    let mut url = http::below(&far.base, parts.uri.path());
    url.set_query(parts.uri.query());
    let mut onward = far
        .client
        .request(parts.method, url)
        .header(AUTHORIZATION, format!("Token {}", far.token.expose()))
        .body(body);
    if let Some(kind) = parts.headers.get(CONTENT_TYPE) {
        onward = onward.header(CONTENT_TYPE, kind);
    }
    match onward.send().await {
        Ok(answer) => {
            let off = knock::clock_off(answer.headers(), clock::wall());
            *far.clock_off_s
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = off;
            let (status, kind) = (answer.status(), answer.headers().get(CONTENT_TYPE).cloned());
            let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
            *response.status_mut() = status;
            if let Some(kind) = kind {
                response.headers_mut().insert(CONTENT_TYPE, kind);
            }
            response
        }
        Err(error) => {
            let words = http::sentence(&error.without_url());
            plain(502, format!("{NOBODY}{}", far.token.redact(&words)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::dialect::{Dialect, Login};

    #[test]
    fn no_two_runs_share_a_key() {
        let (a, b) = (one_time_key().unwrap(), one_time_key().unwrap());
        assert_ne!(a.expose(), b.expose());
        assert_eq!(a.expose().len(), 48);
    }

    #[tokio::test]
    async fn a_panic_of_the_crate_and_a_stranger_at_the_relay_are_errors() {
        let settings = Settings {
            name: "local".to_owned(),
            url: "http://127.0.0.1:1/influx".to_owned(),
            dialect: Dialect::Influx2 {
                org: "park".to_owned(),
                bucket: "energy".to_owned(),
            },
            login: Login::token(Secret::new("the-token")),
            trust: http::Trust::default(),
            quarantine_dir: "/nowhere".into(),
            backlog_rate: 1,
            suspect_wait: Duration::ZERO,
        };
        let relay = Relay::open(&settings).await.unwrap();
        let broken: Result<(), _> = relay.ask("panic", |_| async { panic!("as it does") }).await;
        assert!(matches!(broken, Err(CommandError::Strange { .. })));

        let stranger = reqwest::Client::builder()
            .tls_backend_preconfigured(http_free_tls())
            .no_proxy()
            .build()
            .unwrap();
        let url = format!("{}health", relay.client.base);
        let answer = stranger.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 401);

        let nobody = relay.ask("health", |client| async move { client.health().await });
        let words = nobody.await.unwrap_err().to_string();
        assert!(words.starts_with("no answer from http://127.0.0.1:1/influx: "));
    }

    fn http_free_tls() -> rustls::ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth()
    }
}
