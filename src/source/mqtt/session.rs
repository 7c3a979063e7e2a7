//! The conversation with one broker, across its connections.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::backlog::Backlog;
use super::filters::Filters;
use super::intake::{Arrival, Intake, NodeName, Utterance};
use super::known::Known;
use super::receipts::{Delivery, Fate, Receipts, Settled};
use super::{MAX_UNACKED, Settings};
use crate::broker::{Connection, Greeting, Incoming, Message, Outgoing, TooLarge};
use crate::domain::quality::Reason;
use crate::source::{Heard, Outcome, Rejected, SourceStats};
use crate::sys::clock;
use crate::wire::mqtt::sparkplug;

/// Between requests to a node to be born again: it takes a moment to answer.
const REBIRTH_EVERY: Duration = Duration::from_secs(10);
/// Between requests that keep a device talking, which are silent after a minute.
const KEEP_TALKING: Duration = Duration::from_secs(30);
/// Topics of an older configuration that are unsubscribed one by one.
const STRANGERS: usize = 1_000;

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
    stats: Arc<SourceStats>,
    intake: Intake,
    filters: Filters,
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
    /// When nodes were asked to be born again.
    rebirths: BTreeMap<NodeName, Instant>,
    /// Topics that nobody wants, unsubscribed.
    strangers: BTreeSet<String>,
    /// When devices that need it are asked to go on talking.
    talk_at: Instant,
}

impl Session {
    pub fn new(
        settings: Settings,
        filters: Filters,
        tx: mpsc::Sender<Heard>,
        stats: Arc<SourceStats>,
    ) -> Self {
        Self {
            intake: Intake::new(settings.subscriptions.clone()),
            filters,
            settings,
            tx,
            stats,
            receipts: Receipts::default(),
            known: Known::default(),
            backlog: Backlog::default(),
            held: VecDeque::new(),
            connection: 0,
            since: None,
            told_lost: false,
            rebirths: BTreeMap::new(),
            strangers: BTreeSet::new(),
            talk_at: clock::mono(),
        }
    }

    /// Hears until the connection is lost or `stop` is cancelled.
    pub async fn converse(
        &mut self,
        connection: &mut Connection,
        greeting: Greeting,
        stop: &CancellationToken,
    ) -> End {
        if let Err(why) = self.connected(connection, greeting) {
            return End::Lost(why);
        }
        let talks = !self.settings.read_only && self.talkers().next().is_some();
        loop {
            let handled = tokio::select! {
                () = stop.cancelled() => return End::Stop,
                () = self.tx.closed() => return End::Stop,
                packet = connection.next(self.has_room()) => match packet {
                    Ok(packet) => self.handle(packet, connection),
                    Err(why) => Err(why),
                },
                settled = self.receipts.settled() => self.settle(&settled, connection),
                () = room(&self.tx), if !self.held.is_empty() => { self.hand_over(); Ok(()) }
                () = quiet(self.backlog.due()) => { self.catch_up(); Ok(()) }
                () = sleep_until(self.talk_at), if talks => self.keep_talking(connection),
            };
            if let Err(why) = handled {
                return End::Lost(why);
            }
        }
    }

    /// Whether a message more is no burden: else nothing is read, and the broker keeps
    /// what comes.
    fn has_room(&self) -> bool {
        self.receipts.len() < MAX_UNACKED && self.held.len() < MAX_UNACKED
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
    pub async fn last_acks(&mut self, connection: &mut Connection) {
        self.held.clear();
        while self.receipts.len() > 0 {
            tokio::select! {
                packet = connection.next(false) => if packet.is_err() {
                    return;
                },
                // What was not stored comes again after the next start.
                settled = self.receipts.settled() => drop(self.settle(&settled, connection)),
            }
        }
    }

    /// The connection is gone: each sensor is a gap, once. How long it lasted.
    pub fn lost(&mut self, why: &str) -> Option<Duration> {
        self.filters.lost();
        self.intake.forget_births();
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

    fn handle(&mut self, packet: Incoming, connection: &mut Connection) -> Result<(), String> {
        match packet {
            Incoming::Message(message) => return self.message(&message, connection),
            Incoming::TooLarge(message) => self.too_large(&message),
            Incoming::Subscribed { pkid, granted } => {
                let refused = self.filters.subscribed(pkid, &granted);
                self.refused(&refused);
            }
            Incoming::Unsubscribed(pkid) => self.filters.unsubscribed(pkid),
            Incoming::Closing(why) => return Err(format!("the broker says goodbye ({why})")),
            Incoming::Connected(_)
            | Incoming::Refused(_)
            | Incoming::Acked { .. }
            | Incoming::Other => (),
        }
        Ok(())
    }

    fn connected(&mut self, connection: &mut Connection, greeting: Greeting) -> Result<(), String> {
        self.connection += 1;
        if greeting.session_kept {
            self.backlog.begin(clock::mono());
        }
        self.since = Some(clock::mono());
        self.strangers.clear();
        if std::mem::take(&mut self.told_lost) {
            let broker = format!("{}:{}", self.settings.host, self.settings.port);
            info!(broker, "MQTT broker is back.");
        }
        for filters in self.filters.gone() {
            let pkid = connection.next_pkid();
            let filters_sent = &filters;
            connection.send(Outgoing::Unsubscribe {
                pkid,
                filters: filters_sent,
            })?;
            self.filters.unsubscribing(pkid, filters);
        }
        for filters in self.filters.wanted() {
            let pkid = connection.next_pkid();
            connection.send(Outgoing::Subscribe {
                pkid,
                filters: &filters,
            })?;
            self.filters.subscribing(pkid, filters);
        }
        let nodes: Vec<NodeName> = self.intake.nodes().cloned().collect();
        self.rebirths.clear();
        for node in nodes {
            self.ask_rebirth(node, connection)?;
        }
        self.talk_at = clock::mono();
        Ok(())
    }

    /// What the broker says about subscriptions: a refusal is told here alone.
    fn refused(&mut self, filters: &[String]) {
        for filter in filters {
            warn!(broker = self.settings.name, filter, "Subscription refused.");
            let detail = format!(
                "the subscription to {filter} is refused by the broker; may this user read it?"
            );
            for place in self.intake.hearing_by(filter) {
                self.gap(place, &detail);
            }
        }
    }

    /// A message that nobody can take in is acknowledged, or it would come for ever.
    fn too_large(&mut self, message: &TooLarge) {
        self.stats.count_rejected(Rejected::TooLarge);
        warn!(
            topic = message.topic,
            bytes = message.bytes,
            most = self.settings.max_payload,
            "A message is too large and is thrown away."
        );
        if let Some(pkid) = message.pkid {
            self.acknowledge_after_the_others(pkid);
        }
    }

    fn acknowledge_after_the_others(&mut self, pkid: u16) {
        let delivery = Delivery {
            pkid,
            connection: self.connection,
        };
        self.receipts
            .await_disk(delivery, Vec::new(), Fate::waiting());
    }

    fn message(&mut self, message: &Message, connection: &mut Connection) -> Result<(), String> {
        if message.payload.len() > self.settings.max_payload {
            self.too_large(&TooLarge {
                topic: message.topic.clone(),
                pkid: message.pkid,
                bytes: message.payload.len(),
            });
            return Ok(());
        }
        if !self.intake.knows(&message.topic) {
            return self.stranger(message, connection);
        }
        let delivery = message.pkid.map(|pkid| Delivery {
            pkid,
            connection: self.connection,
        });
        if let Some(delivery) = delivery
            && message.dup
            && let Some(fate) =
                self.known
                    .first_delivery(delivery.pkid, &message.topic, &message.payload)
        {
            self.receipts.await_first(delivery, fate);
            return Ok(());
        }
        let wall = clock::wall();
        let in_backlog = self.backlog.is_open();
        let arrival = Arrival {
            // A clock from before the build judges nobody's.
            wall: (wall >= clock::build_date()).then_some(wall),
            in_backlog,
        };
        let understood = self.intake.understand(message, arrival);
        if let Some(why) = understood.rejected {
            self.stats.count_rejected(why);
        }
        let receipts = self.pass_on(message, understood.said, delivery.is_some(), in_backlog);
        if let Some(delivery) = delivery {
            let fate = Fate::waiting();
            self.known.remember(
                delivery.pkid,
                &message.topic,
                &message.payload,
                fate.clone(),
            );
            self.receipts.await_disk(delivery, receipts, fate);
        }
        self.backlog.outstanding(self.receipts.len(), clock::mono());
        match understood.rebirth {
            Some(node) => self.ask_rebirth(node, connection),
            None => Ok(()),
        }
    }

    /// Brings to the app what a message says; the receipts for which it waits.
    fn pass_on(
        &mut self,
        message: &Message,
        said: Vec<Utterance>,
        wants_receipt: bool,
        in_backlog: bool,
    ) -> Vec<oneshot::Receiver<()>> {
        let now = clock::mono();
        let (mut receipts, mut last_words) = (Vec::new(), Vec::new());
        for one in said {
            let Some(sensor) = self.settings.subscriptions.get(one.sensor) else {
                continue;
            };
            let meter = sensor.meter;
            // Without a value there is nothing to store, and nothing to wait for.
            let has_value = one.values.iter().any(|(_, value)| value.is_ok());
            let receipt = (wants_receipt && has_value).then(|| {
                let (receipt, stored) = oneshot::channel();
                receipts.push(stored);
                receipt
            });
            let outcome = match (has_value, one.presence) {
                (true, _) => Outcome::Ok,
                (false, true) => Outcome::Connect,
                (false, false) => Outcome::Short,
            };
            self.stats.count(meter, outcome);
            let heard = |receipt, late| Heard {
                meter,
                at: now.checked_sub(one.age).unwrap_or(now),
                values: one.values.clone(),
                detail: one.detail.clone(),
                receipt,
                late,
                of: one.of,
            };
            if one.may_stand {
                last_words.push((one.sensor, heard(None, false)));
            }
            let heard = heard(receipt, one.late);
            self.deliver(heard);
        }
        if in_backlog {
            self.backlog.keep(&message.topic, last_words);
        }
        receipts
    }

    /// A message that is no sensor's: of a level that nobody captures, or of a session
    /// from before the configuration changed.
    fn stranger(&mut self, message: &Message, connection: &mut Connection) -> Result<(), String> {
        self.stats.count_rejected(Rejected::UnknownTopic);
        if let Some(pkid) = message.pkid {
            self.acknowledge_after_the_others(pkid);
        }
        let known = self.filters.ask_for(&message.topic) || self.strangers.len() >= STRANGERS;
        if known || !self.strangers.insert(message.topic.clone()) {
            return Ok(());
        }
        let pkid = connection.next_pkid();
        let filters = [message.topic.clone()];
        connection.send(Outgoing::Unsubscribe {
            pkid,
            filters: &filters,
        })
    }

    /// Acknowledges a message whose readings are on disk. Where they were lost on
    /// the way only a new connection makes the broker send it again.
    fn settle(&mut self, settled: &Settled, connection: &mut Connection) -> Result<(), String> {
        self.backlog.outstanding(self.receipts.len(), clock::mono());
        if settled.delivery.connection != self.connection || self.since.is_none() {
            return Ok(());
        }
        if !settled.stored {
            return Err("a reading was not stored; the broker sends it again".into());
        }
        connection.send(Outgoing::Ack(settled.delivery.pkid))
    }

    /// Asks a node for all of its births, now and then.
    fn ask_rebirth(&mut self, node: NodeName, connection: &mut Connection) -> Result<(), String> {
        let now = clock::mono();
        let lately = |asked: &Instant| now - *asked < REBIRTH_EVERY;
        if self.settings.read_only || self.rebirths.get(&node).is_some_and(lately) {
            return Ok(());
        }
        let (topic, payload) = sparkplug::rebirth(&node.0, &node.1, clock::wall());
        self.rebirths.insert(node, now);
        connection.send(Outgoing::Publish {
            topic: &topic,
            payload: &payload,
        })
    }

    /// The topics by which devices are asked to go on talking.
    fn talkers(&self) -> impl Iterator<Item = &String> {
        let sensors = self.settings.subscriptions.iter();
        sensors.filter_map(|sensor| sensor.keep_talking.as_ref())
    }

    fn keep_talking(&mut self, connection: &mut Connection) -> Result<(), String> {
        let topics: BTreeSet<&String> = self.talkers().collect();
        for topic in topics {
            connection.send(Outgoing::Publish {
                topic,
                payload: b"",
            })?;
        }
        self.talk_at = clock::mono() + KEEP_TALKING;
        Ok(())
    }

    /// A gap in all points of a sensor, for want of a connection.
    fn gap(&mut self, place: usize, detail: &str) {
        let Some(subscription) = self.settings.subscriptions.get(place) else {
            return;
        };
        let points = subscription.points.iter();
        let values = points.map(|point| (*point, Err(Reason::Connect))).collect();
        let meter = subscription.meter;
        self.stats.count(meter, Outcome::Connect);
        self.deliver(Heard {
            meter,
            at: clock::mono(),
            values,
            detail: Some(detail.to_owned()),
            receipt: None,
            late: false,
            of: None,
        });
    }

    /// Says again, as of now, what came last of a backlog that has come. A device that
    /// has gone since has nothing to say.
    fn catch_up(&mut self) {
        for (sensor, heard) in self.backlog.finish(clock::mono()) {
            if !self.intake.is_away(sensor) {
                self.deliver(heard);
            }
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
