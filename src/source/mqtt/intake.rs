//! What messages mean to sensors.
//!
//! ```text
//!   message ──topic──▶ ways of sensors ──reader──▶ said ──clock──▶ utterance
//!                        └── Sparkplug: one node, all of its sensors
//! ```
//!
//! **A message is a measurement of now, or it is late, or it is none.** It is of now
//! where it comes fresh, or says itself when it was true and that still stands. A
//! retained one, of unknown age, is none, unless the sensor speaks only on change.
//! A device that says that it goes has no value from that moment on. A late one keeps the
//! time that it names, so that the books can be computed again with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Subscription;
use crate::broker::Message;
use crate::domain::quality::Reason;
use crate::source::Rejected;
use crate::wire::mqtt::moment::{Age, judge};
use crate::wire::mqtt::reader::Values;
use crate::wire::mqtt::sparkplug::{Kind, Node, Taken, Topic, Word};
use crate::wire::mqtt::{Fault, Payload, Said, Speech, Way};

/// How much of a payload a person is shown.
const EXCERPT: usize = 60;

/// A message that says that it is older comes of a clock that was never set, and is of an
/// unknown time.
const MOST_LATE: Duration = Duration::from_secs(31 * 86_400);

/// A sensor and one of its ways.
type Route = (usize, usize);
/// Group and edge node.
pub type NodeName = (String, String);

/// What a sensor says by a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// Its place in the subscriptions.
    pub sensor: usize,
    /// Values by point, or why there is none.
    pub values: Values,
    /// What is wrong, for people.
    pub detail: Option<String>,
    /// How long ago it was true, by its own word.
    pub age: Duration,
    /// Whether it is of a time gone by.
    pub late: bool,
    /// When a late one was true, by its own word, as far as that can be believed.
    pub of: Option<Timestamp>,
    /// Whether it may be taken for now, if nothing newer comes of a backlog.
    pub may_stand: bool,
    /// Whether it is about the device's presence, and no measurement.
    pub presence: bool,
}

/// What a message came to.
#[derive(Debug, Default)]
pub struct Understood {
    /// What was said, by sensor.
    pub said: Vec<Utterance>,
    /// Why it was thrown away.
    pub rejected: Option<Rejected>,
    /// A node that has to be born again before it is understood.
    pub rebirth: Option<NodeName>,
}

/// When a message comes.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// By our clock, if it can be right at all.
    pub wall: Option<Timestamp>,
    /// Whether a backlog is being worked off.
    pub in_backlog: bool,
}

/// The sensors of a broker, and what is known of their devices.
#[derive(Debug)]
pub struct Intake {
    sensors: Vec<Subscription>,
    ways: Vec<Vec<Arc<Way>>>,
    exact: BTreeMap<String, Vec<Route>>,
    wild: Vec<Route>,
    nodes: BTreeMap<NodeName, Node>,
    /// What told the last message of a way from its repetitions.
    identities: BTreeMap<Route, String>,
    /// Sensors whose device says that it is not there.
    away: Vec<bool>,
}

impl Intake {
    /// Sensors of which nothing was heard.
    pub fn new(sensors: Vec<Subscription>) -> Self {
        let mut exact: BTreeMap<String, Vec<Route>> = BTreeMap::new();
        let mut wild = Vec::new();
        let mut nodes = BTreeMap::new();
        for (place, sensor) in sensors.iter().enumerate() {
            for (way, said) in sensor.ways.iter().enumerate() {
                match said.filter.topic() {
                    Some(topic) => exact.entry(topic.into()).or_default().push((place, way)),
                    None => wild.push((place, way)),
                }
                if let Speech::Sparkplug(outlook) = &said.speech {
                    nodes.insert(outlook.node.clone(), Node::default());
                }
            }
        }
        let away = vec![false; sensors.len()];
        let shared = |sensor: &Subscription| sensor.ways.iter().cloned().map(Arc::new).collect();
        Self {
            ways: sensors.iter().map(shared).collect(),
            sensors,
            exact,
            wild,
            nodes,
            identities: BTreeMap::new(),
            away,
        }
    }

    /// The Sparkplug nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeName> {
        self.nodes.keys()
    }

    /// Messages were missed: what was born may have died since.
    pub fn forget_births(&mut self) {
        for node in self.nodes.values_mut() {
            *node = Node::default();
        }
    }

    /// Whether a sensor's device says that it is not there.
    pub fn is_away(&self, sensor: usize) -> bool {
        self.away.get(sensor).copied().unwrap_or(false)
    }

    /// Whether a topic is a sensor's.
    pub fn knows(&self, topic: &str) -> bool {
        !self.routes(topic).is_empty()
    }

    /// The sensors that hear by a filter at the broker.
    pub fn hearing_by(&self, filter: &str) -> Vec<usize> {
        let hears = |sensor: &Subscription| {
            let mut ways = sensor.ways.iter();
            ways.any(|way| way.filter.subscribed == filter)
        };
        let sensors = self.sensors.iter().enumerate();
        sensors
            .filter(|(_, sensor)| hears(sensor))
            .map(|(place, _)| place)
            .collect()
    }

    fn way(&self, (sensor, way): Route) -> Option<&Arc<Way>> {
        self.ways.get(sensor)?.get(way)
    }

    fn routes(&self, topic: &str) -> Vec<Route> {
        let mut routes = self.exact.get(topic).cloned().unwrap_or_default();
        let means = |route: &&Route| self.way(**route).is_some_and(|way| way.filter.means(topic));
        routes.extend(self.wild.iter().filter(means));
        routes
    }

    /// What a message says to the sensors.
    pub fn understand(&mut self, message: &Message, arrival: Arrival) -> Understood {
        let mut understood = Understood::default();
        let payload = Payload::new(&message.payload);
        let mut taken: Option<Taken> = None;
        for route in self.routes(&message.topic) {
            let Some(way) = self.way(route).cloned() else {
                continue;
            };
            match &way.speech {
                Speech::Presence(words) => {
                    if let Some(there) = words.is_there(&payload) {
                        let went = self.comes_or_goes(route.0, there, &message.topic);
                        understood.said.extend(went);
                    }
                }
                Speech::Values(reader) => {
                    let said = reader.read(&payload);
                    let fault = said.as_ref().and_then(|said| said.fault);
                    understood.rejected = fault.map(rejected).or(understood.rejected);
                    if let Some(said) = said.filter(|said| self.is_new(route, said)) {
                        self.utter(route.0, said, message, arrival, &mut understood.said);
                    }
                }
                Speech::Sparkplug(outlook) => {
                    let Some(topic) = Topic::parse(&message.topic) else {
                        continue;
                    };
                    if message.retain || !outlook.is_of(&topic) && taken.is_some() {
                        continue;
                    }
                    if taken.is_none() {
                        taken = self.take(topic, message, &mut understood);
                    }
                    let Some(taken) = &taken else { continue };
                    if !outlook.is_of(&topic) {
                        continue;
                    }
                    match (topic.kind, taken.word) {
                        (_, Word::Died) => {
                            let went = self.comes_or_goes(route.0, false, &message.topic);
                            understood.said.extend(went);
                        }
                        (Kind::Birth | Kind::Data, _) => {
                            for said in outlook.read(taken) {
                                self.utter(route.0, said, message, arrival, &mut understood.said);
                            }
                        }
                        (Kind::Death, _) => {}
                    }
                }
            }
        }
        understood
    }

    /// Lets a node take in its message, once for all its sensors.
    fn take(
        &mut self,
        topic: Topic<'_>,
        message: &Message,
        understood: &mut Understood,
    ) -> Option<Taken> {
        let name = (topic.group.to_owned(), topic.edge.to_owned());
        let node = self.nodes.get_mut(&name)?;
        match node.take(topic, &message.payload) {
            Ok(taken) => {
                if taken.missed {
                    understood.rebirth = Some(name);
                }
                Some(taken)
            }
            Err(_) => {
                understood.rejected = Some(Rejected::Malformed);
                None
            }
        }
    }

    /// Whether it is no repetition of the message before it.
    fn is_new(&mut self, route: Route, said: &Said) -> bool {
        match &said.identity {
            None => true,
            Some(identity) => {
                let before = self.identities.insert(route, identity.clone());
                before.as_ref() != Some(identity)
            }
        }
    }

    fn comes_or_goes(&mut self, sensor: usize, there: bool, topic: &str) -> Option<Utterance> {
        *self.away.get_mut(sensor)? = !there;
        if there {
            return None;
        }
        let points = &self.sensors.get(sensor)?.points;
        Some(Utterance {
            sensor,
            values: points
                .iter()
                .map(|point| (*point, Err(Reason::NotAvailable)))
                .collect(),
            detail: Some(format!("{topic} says that the device is not there")),
            age: Duration::ZERO,
            late: false,
            of: None,
            may_stand: false,
            presence: true,
        })
    }

    /// Places what was said in time.
    fn utter(
        &mut self,
        sensor: usize,
        mut said: Said,
        message: &Message,
        arrival: Arrival,
        out: &mut Vec<Utterance>,
    ) {
        let Some(known) = self.sensors.get(sensor) else {
            return;
        };
        let age = said
            .time
            .zip(arrival.wall)
            .map(|(time, now)| judge(time, now, known.stand_for));
        let of = said.time.zip(arrival.wall).and_then(|(time, now)| {
            let waited = Duration::try_from(now.duration_since(time)).ok()?;
            (waited <= MOST_LATE).then_some(time)
        });
        let unknown_age = message.retain && !known.retained_ok;
        let (age, late) = match age {
            Some(Age::Ahead(by)) => {
                let seconds = by.as_secs();
                said.note = Some(format!("a time {seconds} s ahead of our clock"));
                for (_, value) in &mut said.values {
                    *value = Err(Reason::Clock);
                }
                (Duration::ZERO, arrival.in_backlog)
            }
            _ if said.past => (Duration::ZERO, true),
            Some(Age::Standing(age)) => (age, false),
            Some(Age::Old(_)) if message.retain => return,
            Some(Age::Old(age)) => {
                if !arrival.in_backlog {
                    out.push(too_old(sensor, &said, age, message));
                }
                (Duration::ZERO, true)
            }
            None if unknown_age => return,
            None => (Duration::ZERO, arrival.in_backlog),
        };
        if said.values.iter().any(|(_, value)| value.is_ok())
            && let Some(away) = self.away.get_mut(sensor)
        {
            *away = false;
        }
        let worst = said
            .values
            .iter()
            .filter_map(|(_, value)| value.err())
            .next_back();
        out.push(Utterance {
            sensor,
            detail: worst.map(|reason| complaint(message, reason, said.note.as_deref())),
            may_stand: late && arrival.in_backlog && said.time.is_none() && !said.past,
            values: said.values,
            age,
            late,
            of: of.filter(|_| late),
            presence: false,
        });
    }
}

/// Why values that came are no measurement of now: a slow clock looks like that, too.
fn too_old(sensor: usize, said: &Said, age: Duration, message: &Message) -> Utterance {
    let note = format!("a time {} s ago; its values no longer stand", age.as_secs());
    let points = said.values.iter();
    Utterance {
        sensor,
        values: points
            .map(|(point, _)| (*point, Err(Reason::Stale)))
            .collect(),
        detail: Some(complaint(message, Reason::Stale, Some(&note))),
        age: Duration::ZERO,
        late: false,
        of: None,
        may_stand: false,
        presence: false,
    }
}

fn rejected(fault: Fault) -> Rejected {
    match fault {
        Fault::NotText => Rejected::NotText,
        Fault::NotJson => Rejected::NotJson,
        Fault::TooDeep => Rejected::TooDeep,
    }
}

/// What is wrong with a message, for people.
fn complaint(message: &Message, reason: Reason, note: Option<&str>) -> String {
    let excerpt = |text: &str| -> String {
        let short: String = text.chars().take(EXCERPT).collect();
        short.escape_debug().to_string()
    };
    let topic = &message.topic;
    if let Some(note) = note {
        return format!("{topic} says {}", excerpt(note));
    }
    let said = excerpt(&String::from_utf8_lossy(&message.payload));
    match reason {
        Reason::NotAvailable => format!("{topic} says that it has no value: {said}"),
        Reason::OutOfRange => format!("{topic} says more than can be meant: {said}"),
        _ => format!("{topic} says no number where one is expected: {said}"),
    }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
