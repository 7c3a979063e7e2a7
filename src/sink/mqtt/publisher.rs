//! The conversation with a broker, across its connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::states::Message;
use super::{Desk, LATEST_BLOCKS, OFFLINE, ONLINE, Round, Settings, discovery};
use crate::broker::{self, Connection, Greeting, Incoming, Outgoing};
use crate::sink::stats::SinkStats;
use crate::sink::{BlockSource, Lent, answer};
use crate::sys::clock;
use crate::sys::secret::Secret;

/// Messages sent ahead of their acknowledgements: what every broker takes.
const MOST_UNACKED: usize = 16;
/// A broker that is there acknowledges within this.
const ACKED_WITHIN: Duration = Duration::from_secs(30);
/// How long a connection must have lasted to count as a good one. Two clients of one
/// name throw each other out at once, and must not do so every second.
const SETTLED_AFTER: Duration = Duration::from_secs(30);
/// Longest time without a look at the growing backlog while waiting.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// Wait before the journal is read again after an error of the disk.
const DISK: Duration = Duration::from_secs(5);
/// How long saying goodbye may take: shorter than the patience of a service manager.
const GOODBYE: Duration = Duration::from_millis(1_500);

/// Why publishing stops for now.
enum End {
    /// The store is gone; there is nothing to read from or report to.
    Gone,
    /// The connection is gone, or of no use.
    Lost(String),
    /// The broker refuses what only a person can set right.
    Refused(String),
}

/// Publishes for one sink.
pub(super) struct Publisher<S> {
    settings: Settings,
    /// Last block of which everything is acknowledged.
    cursor: u64,
    /// Last block whose points are in the backlog.
    counted: u64,
    desk: Lent<Desk<S>>,
    committed: watch::Receiver<u64>,
    cursor_out: mpsc::Sender<(String, u64)>,
    stats: Arc<SinkStats>,
    connection: Option<Connection>,
    /// Messages that the broker has not acknowledged, and since when.
    unacked: BTreeMap<u16, Instant>,
    most_unacked: usize,
    /// Tries since a connection was a good one.
    attempt: u32,
}

impl<S: BlockSource> Publisher<S> {
    pub(super) fn new(
        settings: Settings,
        start: u64,
        desk: Lent<Desk<S>>,
        committed: watch::Receiver<u64>,
        cursor_out: mpsc::Sender<(String, u64)>,
        stats: Arc<SinkStats>,
    ) -> Self {
        stats.with(|numbers| {
            numbers.messages = Some(0);
            numbers.passed_over = Some(0);
            numbers.backlog_points = 0;
            numbers.oldest = None;
        });
        Self {
            settings,
            cursor: start,
            counted: start,
            desk,
            committed,
            cursor_out,
            stats,
            connection: None,
            unacked: BTreeMap::new(),
            most_unacked: MOST_UNACKED,
            attempt: 0,
        }
    }

    /// Publishes until the store is gone.
    pub(super) async fn publish(&mut self) {
        loop {
            let connected = clock::mono();
            let end = match self.connect().await {
                Ok(()) => self.converse().await,
                Err(end) => Err(end),
            };
            self.connection = None;
            self.unacked.clear();
            match end {
                Ok(()) | Err(End::Gone) => return,
                Err(End::Lost(why)) => self.trouble(&why, false),
                Err(End::Refused(why)) => self.trouble(&why, true),
            }
            if clock::mono() - connected >= SETTLED_AFTER {
                self.attempt = 0;
            }
            let wait = answer::backoff(&self.settings.name, self.attempt);
            self.attempt = self.attempt.saturating_add(1);
            self.rest(wait).await;
        }
    }

    /// Says goodbye: a daemon that was stopped is offline as one that fell over.
    pub(super) async fn goodbye(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let topic = self.settings.topics().status();
        let bye = async {
            let pkid = send(&mut connection, &status(&topic, OFFLINE))?;
            loop {
                if let Incoming::Acked { pkid: acked, .. } = connection.next(true).await?
                    && acked == pkid
                {
                    connection.close().await;
                    return Ok::<(), String>(());
                }
            }
        };
        if !matches!(timeout(GOODBYE, bye).await, Ok(Ok(()))) {
            debug!(sink = self.settings.name, "The broker says it by our will.");
        }
    }

    async fn connect(&mut self) -> Result<(), End> {
        self.read_password_again().await;
        let opened = broker::open(&self.settings.broker).await;
        let (connection, greeting): (Connection, Greeting) = opened.map_err(End::Lost)?;
        let theirs = greeting.most_unacked.map_or(MOST_UNACKED, usize::from);
        self.most_unacked = theirs.clamp(1, MOST_UNACKED);
        self.connection = Some(connection);
        Ok(())
    }

    /// A password that was replaced works without a restart.
    async fn read_password_again(&mut self) {
        let Some(path) = self.settings.password_file.clone() else {
            return;
        };
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
        if let (Ok(Ok(text)), Some((_, password))) = (read, &mut self.settings.broker.login)
            && !text.trim().is_empty()
        {
            *password = Secret::new(&text);
        }
    }

    /// Tells who is there and what there is, and then what happens.
    async fn converse(&mut self) -> Result<(), End> {
        let (park, topics) = (Arc::clone(&self.settings.park), self.settings.topics());
        let mut first = vec![status(&topics.status(), ONLINE)];
        if let Some(prefix) = &self.settings.discovery {
            let every_s = i64::try_from(self.settings.every.as_secs()).unwrap_or(1);
            first.extend(discovery::messages(&park, &topics, prefix, every_s));
        }
        self.deliver(first).await?;
        self.with_desk(|desk| {
            desk.states.again();
            Ok(())
        })
        .await?;
        loop {
            let began = clock::mono();
            let upto = *self.committed.borrow_and_update();
            if upto > self.cursor {
                self.round(upto).await?;
            } else {
                self.nothing_waits();
            }
            // A backlog does not wait for the next states.
            if self.cursor >= upto {
                self.listen_until(began + self.settings.every).await?;
                self.wait_for_more().await?;
            }
        }
    }

    /// Delivers the newest states and a part of the backlog, and moves the cursor.
    async fn round(&mut self, upto: u64) -> Result<(), End> {
        let cursor = self.cursor;
        if upto - cursor > LATEST_BLOCKS {
            let latest = self
                .with_desk(move |desk| {
                    desk.look_at_latest(upto)?;
                    Ok(desk.states.waiting())
                })
                .await?;
            self.deliver(latest).await?;
        }
        let round = self.with_desk(move |desk| desk.read(cursor, upto)).await?;
        self.note_backlog(&round, upto).await?;
        let Some(last) = round.last else {
            // What lay there is gone from the journal.
            self.nothing_waits();
            self.cursor = upto;
            return Ok(());
        };
        let mut messages = round.settled;
        // Of what the last blocks do not speak, the backlog knows the newest.
        messages.extend(self.with_desk(|desk| Ok(desk.states.waiting())).await?);
        self.deliver(messages).await?;
        self.cursor = last;
        let all_counted = self.cursor >= self.counted;
        self.stats.with(|numbers| {
            numbers.delivered_points += round.points;
            numbers.backlog_points = numbers.backlog_points.saturating_sub(round.points);
            if all_counted {
                numbers.backlog_points = 0;
                numbers.oldest = None;
            }
            if let Some(passed_over) = &mut numbers.passed_over {
                *passed_over += round.passed_over;
            }
        });
        if round.unread > 0 {
            let (sink, rows) = (&self.settings.name, round.unread);
            warn!(
                sink,
                rows, "Rows of the journal cannot be read and are not published."
            );
        }
        let moved = (self.settings.name.clone(), self.cursor);
        self.cursor_out.send(moved).await.map_err(|_| End::Gone)
    }

    fn nothing_waits(&mut self) {
        self.counted = self.counted.max(self.cursor);
        self.stats.with(|numbers| {
            numbers.backlog_points = 0;
            numbers.oldest = None;
        });
    }

    /// Counts what waits; from the start where blocks vanished unread, forced out by the
    /// size bound of the journal.
    async fn note_backlog(&mut self, round: &Round, upto: u64) -> Result<(), End> {
        let (cursor, vanished) = (self.cursor, round.vanished);
        let counted = if vanished { cursor } else { self.counted };
        let (more, _) = self
            .with_desk(move |desk| desk.survey(cursor, counted, upto.max(counted)))
            .await?;
        self.counted = self.counted.max(upto);
        let oldest = round.oldest_ms;
        self.stats.with(|numbers| {
            let before = if vanished { 0 } else { numbers.backlog_points };
            numbers.backlog_points = before + more;
            numbers.oldest = oldest.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        });
        Ok(())
    }

    /// Sends messages and waits until the broker has each of them.
    async fn deliver(&mut self, messages: Vec<Message>) -> Result<(), End> {
        for message in messages {
            while self.unacked.len() >= self.most_unacked {
                self.hear().await?;
            }
            let Some(connection) = &mut self.connection else {
                return Err(End::Lost("no connection".into()));
            };
            let pkid = send(connection, &message).map_err(End::Lost)?;
            self.unacked.insert(pkid, clock::mono());
            let bytes = u64::try_from(message.payload.len()).unwrap_or(u64::MAX);
            self.stats.with(|numbers| numbers.sent_bytes += bytes);
        }
        while !self.unacked.is_empty() {
            self.hear().await?;
        }
        Ok(())
    }

    /// Hears one packet of the broker. Dropping it half way loses nothing.
    async fn hear(&mut self) -> Result<(), End> {
        let patience = self
            .unacked
            .values()
            .min()
            .map(|since| *since + ACKED_WITHIN);
        let Some(connection) = &mut self.connection else {
            return Err(End::Lost("no connection".into()));
        };
        let packet = tokio::select! {
            packet = connection.next(true) => packet.map_err(End::Lost)?,
            () = until(patience) => {
                return Err(End::Lost("the broker does not acknowledge".into()));
            }
        };
        match packet {
            Incoming::Acked { pkid, refused } => {
                if let Some(why) = refused {
                    let all = self.settings.topics().all();
                    return Err(End::Refused(format!(
                        "the broker refuses a message ({why}); may this user publish to {all}?"
                    )));
                }
                if self.unacked.remove(&pkid).is_some() {
                    self.acked();
                }
                Ok(())
            }
            Incoming::Closing(why) => Err(End::Lost(format!("the broker says goodbye ({why})"))),
            _ => Ok(()),
        }
    }

    fn acked(&self) {
        let recovered = self.stats.with(|numbers| {
            numbers.last_ok = Some(clock::wall());
            numbers.alarm = None;
            if let Some(messages) = &mut numbers.messages {
                *messages += 1;
            }
            numbers.last_error.take().is_some()
        });
        if recovered {
            info!(sink = self.settings.name, "Delivery goes on.");
        }
    }

    /// Keeps the connection alive until a moment.
    async fn listen_until(&mut self, moment: Instant) -> Result<(), End> {
        loop {
            tokio::select! {
                () = sleep_until(moment) => return Ok(()),
                heard = self.hear() => heard?,
            }
        }
    }

    /// Keeps the connection alive until there is more on disk.
    async fn wait_for_more(&mut self) -> Result<(), End> {
        let mut committed = self.committed.clone();
        while *committed.borrow_and_update() <= self.cursor {
            tokio::select! {
                changed = committed.changed() => changed.map_err(|_| End::Gone)?,
                heard = self.hear() => heard?,
            }
        }
        Ok(())
    }

    /// Works with the journal while the connection is kept alive; tries again where the
    /// disk does not read.
    async fn with_desk<T: Send + 'static>(
        &mut self,
        work: impl Fn(&mut Desk<S>) -> std::io::Result<T> + Clone + Send + 'static,
    ) -> Result<T, End> {
        loop {
            let mut desk = std::mem::replace(&mut self.desk, Lent(None));
            let result = {
                let working = desk.with(work.clone());
                tokio::pin!(working);
                loop {
                    tokio::select! {
                        done = &mut working => break Ok(done),
                        heard = self.hear(), if self.connection.is_some() => if let Err(end) = heard {
                            // The reader comes back first: there is only one.
                            let _ = working.await;
                            break Err(end);
                        },
                    }
                }
            };
            self.desk = desk;
            match result? {
                Ok(done) => return Ok(done),
                Err(error) => {
                    self.trouble(&format!("the journal cannot be read: {error}"), true);
                    self.listen_until(clock::mono() + DISK).await?;
                }
            }
        }
    }

    /// Notes what went wrong; one line in the log per cause.
    fn trouble(&self, words: &str, needs_a_person: bool) {
        let (host, port) = (&self.settings.broker.host, self.settings.broker.port);
        let words = format!("broker {host}:{port}: {words}");
        let fresh = self.stats.with(|numbers| {
            let fresh = numbers.last_error.as_deref() != Some(&*words);
            numbers.last_error = Some(words.clone());
            numbers.alarm = needs_a_person.then(|| words.clone());
            fresh
        });
        if fresh {
            warn!(sink = self.settings.name, words, "Delivery waits.");
        } else {
            debug!(sink = self.settings.name, words, "Delivery still waits.");
        }
    }

    /// Waits without a connection, and watches the backlog grow.
    async fn rest(&mut self, wait: Duration) {
        let end = clock::mono() + wait;
        loop {
            let left = end.saturating_duration_since(clock::mono());
            self.count().await;
            if left.is_zero() {
                return;
            }
            sleep_until(clock::mono() + left.min(COUNT_EVERY)).await;
        }
    }

    async fn count(&mut self) {
        let (cursor, counted, upto) = (self.cursor, self.counted, *self.committed.borrow());
        if upto <= counted {
            return;
        }
        let survey = move |desk: &mut Desk<S>| desk.survey(cursor, counted, upto);
        if let Ok((more, oldest)) = self.desk.with(survey).await {
            self.counted = upto;
            self.stats.with(|numbers| {
                numbers.backlog_points += more;
                numbers.oldest = oldest.and_then(|ms| Timestamp::from_millisecond(ms).ok());
            });
        }
    }
}

/// Puts a message on its way.
fn send(connection: &mut Connection, message: &Message) -> Result<u16, String> {
    let pkid = connection.next_pkid();
    connection.send(Outgoing::Deliver {
        pkid,
        topic: &message.topic,
        payload: message.payload.as_bytes(),
        retain: message.retain,
    })?;
    Ok(pkid)
}

fn status(topic: &str, says: &str) -> Message {
    Message {
        topic: topic.to_owned(),
        payload: says.to_owned(),
        retain: true,
    }
}

/// Until a moment; for ever where there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
