//! The bulk sender: journal to InfluxDB 2.
//!
//! Blocks are joined to batches, compressed and posted; [`answer`] says what an
//! answer means and [`Search`] which rows go next. Only 204 is stored.
//! **The cursor moves over a block when each of its rows is stored or set aside on
//! disk, and never before.** A request whose answer is lost may have been stored;
//! the same bytes go out again, which changes nothing.
//!
//! The task holds one batch in memory. It waits only inside one future, so a stop
//! drops whatever is under way: nothing is lost by that, the cursor has not moved.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::answer::{self, Answer};
use super::batch::{Batch, Desk, MAX_BYTES};
use super::http;
use super::quarantine::Quarantine;
use super::search::{Refusal, Search};
use super::stats::SinkStats;
use super::{BlockSource, Lent};
use crate::sys::clock;
use crate::sys::secret::Secret;

/// One InfluxDB.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The sink's name.
    pub name: String,
    /// Address; a path in it is kept.
    pub url: String,
    /// Organisation.
    pub org: String,
    /// Bucket.
    pub bucket: String,
    /// Token, as it was read at start.
    pub token: Secret,
    /// Where the token comes from; it is read again when the server refuses the token.
    pub token_file: Option<PathBuf>,
    /// Certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Where refused rows are kept.
    pub quarantine_dir: PathBuf,
}

/// Longest time without a look at the growing backlog while waiting.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// Wait before the journal is read again after an error of the disk.
const DISK: Duration = Duration::from_secs(5);
/// Most that is read of an answer: its first words are enough.
const ANSWER_BYTES: usize = 16 * 1024;

/// Delivers every block of `source` after `start`, as far as `committed` says that
/// blocks are on disk, and reports each move of the cursor to `cursor_out`.
///
/// Returns when `stop` is cancelled, or when the store that it reads from and
/// reports to is gone.
pub async fn run<S: BlockSource>(
    settings: Settings,
    start: u64,
    source: S,
    committed: watch::Receiver<u64>,
    cursor_out: mpsc::Sender<(String, u64)>,
    stop: CancellationToken,
    stats: Arc<SinkStats>,
) {
    let mut shipper = Shipper {
        quarantine: Quarantine::new(&settings.quarantine_dir, &settings.name),
        token: settings.token.clone(),
        settings,
        cursor: start,
        counted: start,
        desk: Lent::new(Desk::new(source)),
        committed,
        cursor_out,
        stats,
        way: None,
        max_bytes: MAX_BYTES,
        refused_in_a_row: 0,
        attempt: 0,
    };
    stop.run_until_cancelled(shipper.ship()).await;
}

/// The store is gone; there is nothing to read from or report to.
struct Gone;

struct Shipper<S> {
    settings: Settings,
    token: Secret,
    /// Last block that is settled.
    cursor: u64,
    /// Last block whose points are in the backlog.
    counted: u64,
    desk: Lent<Desk<S>>,
    committed: watch::Receiver<u64>,
    cursor_out: mpsc::Sender<(String, u64)>,
    stats: Arc<SinkStats>,
    quarantine: Quarantine,
    /// The client and the address of the write API, once they could be set up.
    way: Option<(reqwest::Client, reqwest::Url)>,
    /// Text that the server has not refused as too large.
    max_bytes: usize,
    refused_in_a_row: u32,
    /// Tries since something was last settled.
    attempt: u32,
}

impl<S: BlockSource> Shipper<S> {
    async fn ship(&mut self) {
        while self.step().await.is_ok() {}
    }

    /// Waits for blocks and delivers one batch of them.
    async fn step(&mut self) -> Result<(), Gone> {
        let upto = *self.committed.borrow_and_update();
        if upto <= self.cursor {
            self.nothing_waits();
            return self.committed.changed().await.map_err(|_| Gone);
        }
        let (cursor, counted) = (self.cursor, self.counted);
        let fetched = self
            .desk
            .with(move |desk| desk.fetch(cursor, upto, counted))
            .await;
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                self.alarm(&format!("the journal cannot be read: {error}"));
                self.pause(DISK).await;
                return Ok(());
            }
        };
        let Some(batch) = fetched.batch else {
            // What lay there is gone from the journal.
            self.nothing_waits();
            return self.committed.changed().await.map_err(|_| Gone);
        };
        self.note_backlog(&batch, fetched.points_behind, upto).await;
        self.deliver(Arc::new(batch)).await
    }

    fn nothing_waits(&mut self) {
        self.counted = self.counted.max(self.cursor);
        self.stats.with(|numbers| {
            numbers.backlog_points = 0;
            numbers.oldest = None;
        });
    }

    /// Adds what was read and counted to the backlog; recounts it where blocks
    /// vanished unread, forced out by the size bound of the journal.
    async fn note_backlog(&mut self, batch: &Batch, behind: u64, upto: u64) {
        let first = batch.blocks().first().copied();
        let vanished = first.is_some_and(|part| part.seq > self.cursor + 1);
        let counted = self.counted;
        let fresh = batch.blocks().iter().filter(|part| part.seq > counted);
        let mut backlog = self.stats.numbers().backlog_points;
        backlog += fresh.map(|part| part.points).sum::<u64>() + behind;
        if vanished {
            let cursor = self.cursor;
            let recount = self.desk.with(move |desk| desk.count(cursor, upto)).await;
            backlog = recount.unwrap_or(backlog);
        }
        self.counted = self.counted.max(upto);
        let oldest = first.and_then(|part| Timestamp::from_millisecond(part.at_ms).ok());
        self.stats.with(|numbers| {
            numbers.backlog_points = backlog;
            numbers.oldest = oldest;
        });
    }

    /// Settles every row of a batch.
    async fn deliver(&mut self, batch: Arc<Batch>) -> Result<(), Gone> {
        let mut search = Search::new(batch.lines(), self.refused_in_a_row);
        let mut passed = 0;
        self.advance(&batch, &mut passed, search.settled()).await?;
        while let Some(rows) = search.next(|from| batch.fits(from, self.max_bytes)) {
            let (text, sent) = (Arc::clone(&batch), rows.clone());
            let packed = self
                .desk
                .with(move |desk| desk.pack(text.rows(&sent)))
                .await;
            let Ok(body) = packed else {
                self.alarm("rows cannot be compressed");
                self.pause(DISK).await;
                continue;
            };
            match self.answer(&body).await {
                Sent::Stored => {
                    self.stored();
                    search.stored(rows.end);
                }
                Sent::TooLarge if rows.len() > 1 => {
                    let size = batch.rows(&rows).len();
                    self.max_bytes = size / 2;
                    info!(sink = self.settings.name, size, "Batch too large, halved.");
                }
                Sent::TooLarge => {
                    self.hold("a single row is too large for the server").await;
                    // Once the server's limit is set right, requests are whole again.
                    self.max_bytes = MAX_BYTES;
                }
                Sent::Refused { words, rest_stored } => match search.refused(&rows, rest_stored) {
                    Refusal::Narrower => self.attempt = 0,
                    Refusal::SetAside(rows) => {
                        if self.set_aside(batch.rows(&rows), rows.len(), words).await {
                            search.set_aside(rows.end);
                        }
                    }
                    Refusal::Everything => {
                        let words = format!("every row is refused, so none is set aside: {words}");
                        self.hold(&words).await;
                    }
                },
            }
            self.refused_in_a_row = search.refused_in_a_row();
            self.advance(&batch, &mut passed, search.settled()).await?;
        }
        Ok(())
    }

    /// Moves the cursor over the blocks whose rows are all settled.
    async fn advance(
        &mut self,
        batch: &Batch,
        passed: &mut usize,
        settled: usize,
    ) -> Result<(), Gone> {
        let before = *passed;
        let open = batch.blocks().get(before..).unwrap_or(&[]);
        let done = open.iter().take_while(|part| part.end <= settled);
        let mut points = 0;
        for part in done {
            points += part.points;
            self.cursor = part.seq;
            *passed += 1;
        }
        if *passed == before {
            return Ok(());
        }
        let oldest = batch.blocks().get(*passed).map(|part| part.at_ms);
        self.stats.with(|numbers| {
            numbers.delivered_points += points;
            numbers.backlog_points = numbers.backlog_points.saturating_sub(points);
            if let Some(at_ms) = oldest {
                numbers.oldest = Timestamp::from_millisecond(at_ms).ok();
            }
        });
        let moved = (self.settings.name.clone(), self.cursor);
        self.cursor_out.send(moved).await.map_err(|_| Gone)
    }

    /// Posts the same bytes until the server has decided about them.
    async fn answer(&mut self, body: &Bytes) -> Sent {
        loop {
            let wait = match self.post(body.clone()).await {
                Ok(Answer::Stored) => return Sent::Stored,
                Ok(Answer::TooLarge) => return Sent::TooLarge,
                Ok(Answer::Refused { words, rest_stored }) => {
                    return Sent::Refused { words, rest_stored };
                }
                Ok(Answer::Later { words, after }) => {
                    self.trouble(&words, false);
                    after.map(|wait| answer::spread(wait, &self.settings.name, self.attempt))
                }
                Ok(Answer::Hold { words }) => {
                    self.alarm(&words);
                    None
                }
                Err(Unsent::NoAnswer(words)) => {
                    self.trouble(&words, false);
                    None
                }
                Err(Unsent::NoWay(words)) => {
                    self.alarm(&words);
                    None
                }
            };
            self.again_after(wait).await;
        }
    }

    async fn post(&mut self, body: Bytes) -> Result<Answer, Unsent> {
        let no_way = |error: http::WayError| Unsent::NoWay(http::sentence(&error));
        if self.way.is_none() {
            let base = http::address(&self.settings.url).map_err(no_way)?;
            let client = http::client(&base, self.settings.ca_file.as_ref()).map_err(no_way)?;
            self.way = Some((client, self.write_url(&base)));
        }
        let Some((client, url)) = &self.way else {
            return Err(Unsent::NoWay("there is no client".to_owned()));
        };
        let token = format!("Token {}", self.token.expose());
        let mut token = HeaderValue::from_str(&token)
            .map_err(|_| Unsent::NoWay("the token has a character that no token has".to_owned()))?;
        token.set_sensitive(true);
        let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let request = client
            .post(url.clone())
            .header(AUTHORIZATION, token)
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(CONTENT_ENCODING, "gzip")
            .body(body);
        let answered = match request.send().await {
            Ok(response) => read(response).await,
            Err(error) => Err(error),
        };
        let code = answered.as_ref().map_or(0, |(status, ..)| *status);
        self.stats.with(|numbers| {
            *numbers.requests.entry(code).or_default() += 1;
            numbers.sent_bytes += size;
        });
        match answered {
            Ok((status, after, text)) => {
                let words = self.token.redact(&text);
                let now = clock::wall();
                let answer = answer::classify(status, after.as_deref(), &words, now);
                if matches!(status, 401 | 403) {
                    self.read_token_again().await;
                }
                Ok(answer)
            }
            Err(error) => {
                let words = http::sentence(&error.without_url());
                Err(Unsent::NoAnswer(format!("no answer: {words}")))
            }
        }
    }

    fn write_url(&self, base: &reqwest::Url) -> reqwest::Url {
        let mut url = http::below(base, "/api/v2/write");
        url.query_pairs_mut()
            .append_pair("org", &self.settings.org)
            .append_pair("bucket", &self.settings.bucket)
            .append_pair("precision", "ms");
        url
    }

    /// A token that was replaced works without a restart.
    async fn read_token_again(&mut self) {
        let Some(path) = self.settings.token_file.clone() else {
            return;
        };
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
        if let Ok(Ok(text)) = read {
            let token = Secret::new(&text);
            if token != self.token {
                info!(sink = self.settings.name, "The token was replaced.");
                self.token = token;
            }
        }
    }

    /// Puts rows among those that were refused; false where the disk refuses, too.
    async fn set_aside(&mut self, rows: &str, count: usize, words: String) -> bool {
        let (quarantine, text) = (self.quarantine.clone(), rows.to_owned());
        let (said, now) = (words.clone(), clock::wall());
        let kept = tokio::task::spawn_blocking(move || quarantine.keep(&text, &said, now)).await;
        match kept {
            Ok(Ok(())) => {
                warn!(sink = self.settings.name, count, words, "Rows set aside.");
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                self.stats.with(|numbers| numbers.quarantined += count);
                self.attempt = 0;
                true
            }
            Ok(Err(error)) => {
                self.hold(&format!("a refused row cannot be set aside: {error}"))
                    .await;
                false
            }
            Err(_) => {
                self.hold("a refused row cannot be set aside").await;
                false
            }
        }
    }

    fn stored(&mut self) {
        self.attempt = 0;
        let recovered = self.stats.with(|numbers| {
            numbers.last_ok = Some(clock::wall());
            numbers.alarm = None;
            numbers.last_error.take().is_some()
        });
        if recovered {
            info!(sink = self.settings.name, "Delivery goes on.");
        }
    }

    /// Raises an alarm and waits.
    async fn hold(&mut self, words: &str) {
        self.alarm(words);
        self.again_after(None).await;
    }

    fn alarm(&self, words: &str) {
        self.trouble(words, true);
    }

    /// Notes what went wrong; one line in the log per cause.
    fn trouble(&self, words: &str, needs_a_person: bool) {
        let fresh = self.stats.with(|numbers| {
            let fresh = numbers.last_error.as_deref() != Some(words);
            numbers.last_error = Some(words.to_owned());
            numbers.alarm = needs_a_person.then(|| words.to_owned());
            fresh
        });
        if fresh {
            warn!(sink = self.settings.name, words, "Delivery waits.");
        } else {
            debug!(sink = self.settings.name, words, "Delivery still waits.");
        }
    }

    async fn again_after(&mut self, wait: Option<Duration>) {
        let wait = wait.unwrap_or_else(|| answer::backoff(&self.settings.name, self.attempt));
        self.attempt = self.attempt.saturating_add(1);
        self.pause(wait).await;
    }

    /// Waits, and watches the backlog grow.
    async fn pause(&mut self, wait: Duration) {
        let end = clock::mono() + wait;
        loop {
            let left = end.saturating_duration_since(clock::mono());
            if left.is_zero() {
                return;
            }
            sleep(left.min(COUNT_EVERY)).await;
            let (counted, upto) = (self.counted, *self.committed.borrow());
            if upto > counted
                && let Ok(more) = self.desk.with(move |desk| desk.count(counted, upto)).await
            {
                self.counted = upto;
                self.stats.with(|numbers| numbers.backlog_points += more);
            }
        }
    }
}

/// What a server decided about some rows.
enum Sent {
    Stored,
    TooLarge,
    Refused { words: String, rest_stored: bool },
}

/// Why there is no answer.
enum Unsent {
    /// Nothing came back; the rows may be stored.
    NoAnswer(String),
    /// Nothing was sent.
    NoWay(String),
}

/// Status, `Retry-After` and the first words of an answer.
async fn read(mut response: reqwest::Response) -> reqwest::Result<(u16, Option<String>, String)> {
    let status = response.status().as_u16();
    let after = response.headers().get(RETRY_AFTER);
    let after = after
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
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
    Ok((status, after, String::from_utf8_lossy(&text).into_owned()))
}
