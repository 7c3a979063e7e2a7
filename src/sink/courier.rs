//! The way of one sink to its server: requests, and what is known of it.
//!
//! Both lanes of a sink send through one courier, so that the token, the size that the
//! server takes and the trouble that it is in are known once. **The words of an answer are
//! freed of the token before anything sees them.**

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use tracing::{debug, info, warn};

use super::answer::{self, Answer, Came};
use super::batch::MAX_BYTES;
use super::gate::{Gate, Pass};
use super::http;
use super::influx::Settings;
use super::stats::SinkStats;
use crate::sys::clock;
use crate::sys::secret::Secret;

/// Most that is read of an answer: a hundred rows that InfluxDB 3 names, each of the
/// longest that there is. Of one that is longer no row is known, and it is searched for.
const ANSWER_BYTES: usize = 256 * 1024;

/// Where trouble lies: one lane may go on while the other waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The server, or the way to it.
    Server,
    /// The lane that sends what is new.
    Front,
    /// The lane that sends the backlog.
    Rear,
}

impl Place {
    /// Its place among the troubles.
    fn index(self) -> usize {
        match self {
            Self::Server => 0,
            Self::Front => 1,
            Self::Rear => 2,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Trouble {
    words: String,
    needs_a_person: bool,
}

/// Why there is no answer.
pub enum Unsent {
    /// Nothing came back; the rows may be stored.
    NoAnswer(String),
    /// Nothing was sent.
    NoWay(String),
}

/// The courier of one sink.
pub struct Courier {
    /// Where to.
    pub settings: Settings,
    /// What the sink says about itself.
    pub stats: Arc<SinkStats>,
    /// When a request may go.
    pub gate: Gate,
    secret: Mutex<Option<Secret>>,
    /// The client and the address of the write API, once they could be set up.
    way: Mutex<Option<(reqwest::Client, reqwest::Url)>>,
    /// Text that the server has not refused as too large.
    max_bytes: AtomicUsize,
    troubles: Mutex<[Option<Trouble>; 3]>,
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each lock is held for one assignment; none is left half done by a panic.
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Courier {
    /// A courier that has not gone yet.
    #[must_use]
    pub fn new(settings: Settings, stats: Arc<SinkStats>) -> Self {
        Self {
            gate: Gate::new(&settings.name),
            secret: Mutex::new(settings.login.secret.clone()),
            settings,
            stats,
            way: Mutex::new(None),
            max_bytes: AtomicUsize::new(MAX_BYTES),
            troubles: Mutex::default(),
        }
    }

    /// Text that may go in one request.
    #[must_use]
    pub fn max_bytes(&self) -> usize {
        self.max_bytes.load(Ordering::Relaxed)
    }

    /// The server refuses `size` as too large.
    pub fn halve(&self, size: usize) {
        self.max_bytes.fetch_min(size / 2, Ordering::Relaxed);
        info!(sink = self.settings.name, size, "Batch too large, halved.");
    }

    /// Nothing is known of the server's limit.
    pub fn forget_size(&self) {
        self.max_bytes.store(MAX_BYTES, Ordering::Relaxed);
    }

    fn way(&self) -> Result<(reqwest::Client, reqwest::Url), http::WayError> {
        if let Some(way) = &*held(&self.way) {
            return Ok(way.clone());
        }
        let base = http::address(&self.settings.url)?;
        let client = http::client(&base, &self.settings.trust)?;
        let way = (client, self.settings.dialect.write_url(&base));
        *held(&self.way) = Some(way.clone());
        Ok(way)
    }

    /// Posts packed rows once.
    ///
    /// # Errors
    ///
    /// [`Unsent`] where no answer came.
    pub async fn post(&self, body: Bytes) -> Result<Answer, Unsent> {
        let no_way = |error: http::WayError| Unsent::NoWay(http::sentence(&error));
        let (client, url) = self.way().map_err(no_way)?;
        let secret = held(&self.secret).clone();
        let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let request = client
            .post(url)
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(CONTENT_ENCODING, "gzip")
            .body(body);
        let settings = &self.settings;
        let request = settings
            .login
            .on(request, &settings.dialect, secret.as_ref());
        let request = match request {
            Ok(request) => request,
            Err(words) => {
                self.read_secret_again().await;
                return Err(Unsent::NoWay(words));
            }
        };
        let answered = match request.send().await {
            Ok(response) => read(response).await,
            Err(error) => Err(error),
        };
        let code = answered.as_ref().map_or(0, |heard| heard.status);
        self.stats.with(|numbers| {
            *numbers.requests.entry(code).or_default() += 1;
            numbers.sent_bytes += size;
        });
        match answered {
            Ok(heard) => {
                let words = secret.map_or(heard.text.clone(), |secret| secret.redact(&heard.text));
                let came = Came {
                    status: heard.status,
                    retry_after: heard.retry_after.as_deref(),
                    from_influx: heard.from_influx,
                    body: &words,
                };
                let answer = answer::classify(&self.settings.dialect, &came, clock::wall());
                if matches!(heard.status, 401 | 403) {
                    self.read_secret_again().await;
                }
                Ok(answer)
            }
            Err(error) => {
                let words = http::sentence(&error.without_url());
                Err(Unsent::NoAnswer(format!("no answer: {words}")))
            }
        }
    }

    /// A token that was replaced works without a restart.
    async fn read_secret_again(&self) {
        let Some(path) = self.settings.login.file.clone() else {
            return;
        };
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
        if let Ok(Ok(text)) = read {
            let fresh = Some(Secret::new(&text));
            let mut secret = held(&self.secret);
            if *secret != fresh {
                info!(sink = self.settings.name, "The token was replaced.");
                *secret = fresh;
            }
        }
    }

    /// The server has decided about the request of `pass`.
    pub fn went_well(&self, pass: &Pass) {
        self.gate.went_well(pass);
        if self.gate.is_open() {
            self.clear(Place::Server);
        }
    }

    /// Rows are stored.
    pub fn stored(&self, lane: Place) {
        self.stats
            .with(|numbers| numbers.last_ok = Some(clock::wall()));
        self.clear(lane);
    }

    /// Nothing is wrong there any more.
    pub fn clear(&self, place: Place) {
        let mut troubles = held(&self.troubles);
        let was_in_trouble = troubles.iter().any(Option::is_some);
        if let Some(trouble) = troubles.get_mut(place.index()) {
            *trouble = None;
        }
        if was_in_trouble {
            self.tell(&troubles);
            if troubles.iter().all(Option::is_none) {
                info!(sink = self.settings.name, "Delivery goes on.");
            }
        }
    }

    /// Notes what went wrong; one line in the log per cause.
    pub fn trouble(&self, place: Place, words: &str, needs_a_person: bool) {
        let trouble = Some(Trouble {
            words: words.to_owned(),
            needs_a_person,
        });
        let mut troubles = held(&self.troubles);
        let Some(known) = troubles.get_mut(place.index()) else {
            return;
        };
        if *known == trouble {
            debug!(sink = self.settings.name, words, "Delivery still waits.");
            return;
        }
        *known = trouble;
        self.tell(&troubles);
        warn!(sink = self.settings.name, words, "Delivery waits.");
    }

    fn tell(&self, troubles: &[Option<Trouble>; 3]) {
        let words = |trouble: &Trouble| trouble.words.clone();
        let mut known = troubles.iter().flatten();
        self.stats.with(|numbers| {
            numbers.last_error = known.clone().next().map(words);
            numbers.alarm = known.find(|trouble| trouble.needs_a_person).map(words);
        });
    }
}

/// An answer, as far as it is read.
struct Heard {
    status: u16,
    retry_after: Option<String>,
    from_influx: bool,
    text: String,
}

async fn read(mut response: reqwest::Response) -> reqwest::Result<Heard> {
    let status = response.status().as_u16();
    let headers = response.headers();
    let retry_after = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let retry_after = retry_after.map(str::to_owned);
    let from_influx = headers.contains_key("x-influxdb-version");
    let mut text = Vec::new();
    // 204 is stored, whatever becomes of the connection after it.
    if status != 204 {
        while text.len() < ANSWER_BYTES
            && let Some(chunk) = response.chunk().await?
        {
            text.extend_from_slice(&chunk);
        }
    }
    text.truncate(ANSWER_BYTES);
    Ok(Heard {
        status,
        retry_after,
        from_influx,
        text: String::from_utf8_lossy(&text).into_owned(),
    })
}
