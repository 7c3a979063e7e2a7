//! The conversation with one broker, across its connections.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    AsyncClient, Event, EventLoop, Outgoing, Packet, Publish, QoS, SubAck, SubscribeFilter,
    SubscribeReasonCode,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::backlog::Backlog;
use super::known::Known;
use super::receipts::{Delivery, Fate, Receipts, Settled};
use super::{MAX_UNACKED, Settings, Subscription, words};
use crate::domain::meter::PointIndex;
use crate::domain::quality::Reason;
use crate::domain::snapshot::Value;
use crate::source::{Heard, Outcome, SourceStats};
use crate::sys::clock;
use crate::wire::payload;

/// Topics in one SUBSCRIBE: few packets for many topics, each small enough for any broker.
const TOPICS_AT_ONCE: usize = 32;
/// How much of a payload a person is shown.
const EXCERPT: usize = 40;

/// Why a conversation ended.
pub enum End {
    /// The daemon stops, or nobody listens.
    Stop,
    /// The connection is gone, or of no use.
    Lost(String),
}

/// What is known about one broker.
pub struct Session {
    pub settings: Settings,
    tx: mpsc::Sender<Heard>,
    client: AsyncClient,
    stats: Arc<SourceStats>,
    /// Places in the subscriptions, by topic.
    topics: BTreeMap<String, Vec<usize>>,
    receipts: Receipts,
    known: Known,
    backlog: Backlog,
    /// Readings for which the queue to the app had no room.
    held: VecDeque<Heard>,
    /// Connections so far.
    connection: u64,
    /// When the connection was made; none while there is none.
    since: Option<Instant>,
    /// Whether the sensors were told that there is no connection.
    told_lost: bool,
    /// Subscriptions asked for, in order, and those on the wire by identifier.
    asked: VecDeque<Vec<String>>,
    on_wire: BTreeMap<u16, Vec<String>>,
}

impl Session {
    pub fn new(
        settings: Settings,
        client: AsyncClient,
        tx: mpsc::Sender<Heard>,
        stats: Arc<SourceStats>,
    ) -> Self {
        let mut topics: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, subscription) in settings.subscriptions.iter().enumerate() {
            let places = topics.entry(subscription.topic.clone()).or_default();
            places.push(place);
        }
        Self {
            settings,
            tx,
            client,
            stats,
            topics,
            receipts: Receipts::default(),
            known: Known::default(),
            backlog: Backlog::default(),
            held: VecDeque::new(),
            connection: 0,
            since: None,
            told_lost: false,
            asked: VecDeque::new(),
            on_wire: BTreeMap::new(),
        }
    }

    /// Connects and hears until the connection is lost or `stop` is cancelled.
    pub async fn converse(&mut self, events: &mut EventLoop, stop: &CancellationToken) -> End {
        loop {
            // The same poll goes on while receipts arrive: one that is dropped
            // half way may take a packet with it.
            let poll = events.poll();
            tokio::pin!(poll);
            let event = loop {
                tokio::select! {
                    () = stop.cancelled() => return End::Stop,
                    () = self.tx.closed() => return End::Stop,
                    event = &mut poll => break event,
                    settled = self.receipts.settled() => {
                        if let Err(why) = self.settle(&settled) {
                            return End::Lost(why);
                        }
                    }
                    () = room(&self.tx), if !self.held.is_empty() => self.hand_over(),
                    () = quiet(self.backlog.due()) => self.catch_up(),
                }
            };
            let handled = match event {
                Ok(event) => self.handle(event),
                Err(error) => Err(words(&error)),
            };
            if let Err(why) = handled {
                return End::Lost(why);
            }
        }
    }

    /// What goes on without a connection: readings go to the app, receipts come
    /// back. Ends after `pause`, and when no more than half of the room is taken.
    pub async fn rest(&mut self, pause: impl Future<Output = ()>) {
        tokio::pin!(pause);
        let mut paused = false;
        while !paused || self.receipts.len() > MAX_UNACKED / 2 {
            tokio::select! {
                () = &mut pause, if !paused => paused = true,
                // Of a connection that is gone: nothing to acknowledge.
                _ = self.receipts.settled() => (),
                () = room(&self.tx), if !self.held.is_empty() => self.hand_over(),
            }
        }
    }

    /// Waits for the receipts of what was taken in, and takes in nothing more.
    pub async fn last_acks(&mut self, events: &mut EventLoop) {
        self.held.clear();
        while self.receipts.len() > 0 {
            let poll = events.poll();
            tokio::pin!(poll);
            loop {
                tokio::select! {
                    event = &mut poll => match event {
                        Ok(_) => break,
                        Err(_) => return,
                    },
                    settled = self.receipts.settled() => {
                        // What was not stored comes again after the next start.
                        let _ = self.settle(&settled);
                        if self.receipts.len() == 0 {
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Sends what is still to be sent, and says goodbye.
    pub async fn disconnect(&mut self, events: &mut EventLoop) {
        let _ = self.client.try_disconnect();
        while let Ok(event) = events.poll().await {
            if event == Event::Outgoing(Outgoing::Disconnect) {
                return;
            }
        }
    }

    /// The connection is gone: each sensor is a gap, once. How long it lasted.
    pub fn lost(&mut self, why: &str) -> Option<Duration> {
        self.asked.clear();
        self.on_wire.clear();
        let since = self.since.take();
        if !std::mem::replace(&mut self.told_lost, true) {
            let broker = format!("{}:{}", self.settings.host, self.settings.port);
            warn!(broker, error = why, "No connection to MQTT broker.");
            let detail = format!("no connection to the broker {broker}: {why}");
            for place in 0..self.settings.subscriptions.len() {
                self.gap(place, &detail);
            }
        }
        since.map(|since| clock::mono() - since)
    }

    fn handle(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Incoming(Packet::ConnAck(ack)) => self.connected(ack.session_present),
            Event::Incoming(Packet::SubAck(ack)) => self.subscribed(&ack),
            Event::Incoming(Packet::Publish(message)) => return self.publish(&message),
            Event::Outgoing(Outgoing::Subscribe(pkid)) => {
                if let Some(topics) = self.asked.pop_front() {
                    self.on_wire.insert(pkid, topics);
                }
            }
            _ => (),
        }
        Ok(())
    }

    fn connected(&mut self, session_kept: bool) {
        self.connection += 1;
        if session_kept {
            self.backlog.begin(clock::mono());
        }
        self.since = Some(clock::mono());
        if std::mem::take(&mut self.told_lost) {
            let broker = format!("{}:{}", self.settings.host, self.settings.port);
            info!(broker, "MQTT broker is back.");
        }
        let topics: Vec<String> = self.topics.keys().cloned().collect();
        for topics in topics.chunks(TOPICS_AT_ONCE) {
            let filters = topics
                .iter()
                .map(|topic| SubscribeFilter::new(topic.clone(), QoS::AtLeastOnce));
            match self.client.try_subscribe_many(filters) {
                Ok(()) => self.asked.push_back(topics.to_vec()),
                Err(_) => self.refused(topics, "is not one that MQTT allows"),
            }
        }
    }

    /// What the broker says about subscriptions: a refusal is told here alone.
    fn subscribed(&mut self, ack: &SubAck) {
        let Some(topics) = self.on_wire.remove(&ack.pkid) else {
            return;
        };
        let codes = ack.return_codes.iter();
        let refused: Vec<String> = topics
            .into_iter()
            .zip(codes)
            .filter(|(_, code)| **code == SubscribeReasonCode::Failure)
            .map(|(topic, _)| topic)
            .collect();
        self.refused(&refused, "is refused by the broker; may this user read it?");
    }

    fn refused(&mut self, topics: &[String], why: &str) {
        for topic in topics {
            warn!(broker = self.settings.name, topic, "Subscription refused.");
            let detail = format!("the subscription to {topic} {why}");
            for place in self.topics.get(topic).cloned().unwrap_or_default() {
                self.gap(place, &detail);
            }
        }
    }

    fn publish(&mut self, message: &Publish) -> Result<(), String> {
        let at = clock::mono();
        let delivery = Delivery {
            pkid: message.pkid,
            qos: message.qos,
            connection: self.connection,
        };
        let wants_ack = message.qos != QoS::AtMostOnce;
        if wants_ack && self.receipts.len() >= MAX_UNACKED {
            return Err("the disk is behind; the broker keeps what comes".into());
        }
        let Some(places) = self.topics.get(&message.topic).cloned() else {
            // Of a session from before the configuration changed.
            let _ = self.client.try_unsubscribe(message.topic.clone());
            if wants_ack {
                self.receipts
                    .await_disk(delivery, Vec::new(), Fate::waiting());
            }
            return Ok(());
        };
        if wants_ack
            && message.dup
            && let Some(fate) =
                self.known
                    .first_delivery(message.pkid, &message.topic, &message.payload)
        {
            self.receipts.await_first(delivery, fate);
            return Ok(());
        }
        let late = self.backlog.is_open();
        let mut last_words = Vec::new();
        let mut receipts = Vec::new();
        let mut document = None;
        for place in places {
            let Some(subscription) = self.settings.subscriptions.get(place) else {
                continue;
            };
            if message.retain && !subscription.retained_ok {
                continue;
            }
            let (values, worst) = values(subscription, &message.payload, &mut document);
            let detail = worst.map(|reason| complaint(message, reason));
            // Without a value there is nothing to store, and nothing to wait for.
            let has_value = values.iter().any(|(_, value)| value.is_ok());
            let receipt = (wants_ack && has_value).then(|| {
                let (receipt, stored) = oneshot::channel();
                receipts.push(stored);
                receipt
            });
            let meter = subscription.meter;
            self.stats.count(
                meter,
                if has_value {
                    Outcome::Ok
                } else {
                    Outcome::Short
                },
            );
            if late {
                last_words.push(Heard {
                    meter,
                    at,
                    values: values.clone(),
                    detail: detail.clone(),
                    receipt: None,
                    late: false,
                });
            }
            self.deliver(Heard {
                meter,
                at,
                values,
                detail,
                receipt,
                late,
            });
        }
        if late {
            self.backlog.keep(&message.topic, last_words);
        }
        if wants_ack {
            let fate = Fate::waiting();
            self.known
                .remember(message.pkid, &message.topic, &message.payload, fate.clone());
            self.receipts.await_disk(delivery, receipts, fate);
        }
        self.backlog.outstanding(self.receipts.len(), at);
        Ok(())
    }

    /// Acknowledges a message whose readings are on disk. Where they were lost on
    /// the way only a new connection makes the broker send it again.
    fn settle(&mut self, settled: &Settled) -> Result<(), String> {
        self.backlog.outstanding(self.receipts.len(), clock::mono());
        if settled.delivery.connection != self.connection || self.since.is_none() {
            return Ok(());
        }
        if !settled.stored {
            return Err("a reading was not stored; the broker sends it again".into());
        }
        let mut message = Publish::new("", settled.delivery.qos, "");
        message.pkid = settled.delivery.pkid;
        self.client
            .try_ack(&message)
            .map_err(|_| "acknowledgements pile up".into())
    }

    /// A gap in all points of a sensor, for want of a connection.
    fn gap(&mut self, place: usize, detail: &str) {
        let Some(subscription) = self.settings.subscriptions.get(place) else {
            return;
        };
        let points = subscription.points.iter();
        let values = points
            .map(|(point, _, _)| (*point, Err(Reason::Connect)))
            .collect();
        let meter = subscription.meter;
        self.stats.count(meter, Outcome::Connect);
        self.deliver(Heard {
            meter,
            at: clock::mono(),
            values,
            detail: Some(detail.to_owned()),
            receipt: None,
            late: false,
        });
    }

    /// Says again, as of now, what came last of a backlog that has come.
    fn catch_up(&mut self) {
        for heard in self.backlog.finish(clock::mono()) {
            self.deliver(heard);
        }
    }

    /// To the app, in order. Where it is behind, what the broker would not send
    /// again waits here; the rest is dropped once that is too much, counted.
    fn deliver(&mut self, heard: Heard) {
        let heard = if self.held.is_empty() {
            match self.tx.try_send(heard) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => return,
                Err(mpsc::error::TrySendError::Full(heard)) => heard,
            }
        } else {
            heard
        };
        if heard.receipt.is_some() || self.held.len() < MAX_UNACKED {
            self.held.push_back(heard);
        } else {
            self.stats.count_dropped();
        }
    }

    /// Hands over what was held, as far as there is room.
    fn hand_over(&mut self) {
        while let Some(heard) = self.held.pop_front() {
            if let Err(mpsc::error::TrySendError::Full(heard)) = self.tx.try_send(heard) {
                self.held.push_front(heard);
                return;
            }
        }
    }
}

/// Until a backlog has come; for ever where there is none.
async fn quiet(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Until the app has room, or is gone.
async fn room(tx: &mpsc::Sender<Heard>) {
    let _ = tx.reserve().await;
}

type Values = Vec<(PointIndex, Result<Value, Reason>)>;

/// The values of a sensor in a payload, and what is wrong with one of them. The
/// payload is parsed once, for all sensors that share it.
fn values(
    subscription: &Subscription,
    bytes: &[u8],
    document: &mut Option<Result<serde_json::Value, Reason>>,
) -> (Values, Option<Reason>) {
    let mut worst = None;
    let points = subscription.points.iter();
    let values = points
        .map(|(point, pointer, decode)| {
            let number = match pointer {
                None => payload::number(bytes, None),
                Some(pointer) => match document.get_or_insert_with(|| payload::document(bytes)) {
                    Ok(document) => payload::at(document, pointer),
                    Err(reason) => Err(*reason),
                },
            };
            let value = number.and_then(|number| decode.float(number));
            worst = value.err().or(worst);
            (*point, value)
        })
        .collect();
    (values, worst)
}

/// What is wrong with a payload, for people.
fn complaint(message: &Publish, reason: Reason) -> String {
    let text = String::from_utf8_lossy(&message.payload);
    let excerpt: String = text.chars().take(EXCERPT).collect();
    let excerpt = excerpt.escape_debug();
    let topic = &message.topic;
    match reason {
        Reason::NotAvailable => format!("{topic} says that it has no value: {excerpt}"),
        Reason::OutOfRange => format!("{topic} says more than can be meant: {excerpt}"),
        _ => format!("{topic} says no number where one is expected: {excerpt}"),
    }
}
