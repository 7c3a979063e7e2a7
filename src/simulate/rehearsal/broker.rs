//! The sensors of a rehearsal, and the broker that carries their words.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::QoS;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::super::broker::{Broker, Publisher};
use super::faults::Faults;
use super::model::{Model, Wiring};
use super::number::Held;
use super::register::Register;
use super::truth::Known;
use crate::domain::meter::Role;
use crate::sys::clock;

/// How often a port that is still taken is tried again.
const AGAIN: Duration = Duration::from_millis(50);
/// Power of what a sensor measures, where it measures power, W.
const PEAK_W: f64 = 10_000.0;

/// What one topic says.
#[derive(Debug, Clone)]
pub struct Sensor {
    /// Its name in the configuration.
    pub id: Arc<str>,
    /// What it stands for.
    pub role: &'static Role,
    /// The topic.
    pub topic: String,
    /// How often it speaks.
    pub every: Duration,
    /// Whether its last word is kept by the broker.
    pub retained: bool,
    /// Where each number is in the payload; none where the payload is the number.
    pub values: Vec<(Option<String>, Register)>,
}

impl Sensor {
    fn model(&self, seed: u64) -> Model {
        Model::new(seed, &self.id, self.role, PEAK_W, false)
    }

    /// What it can tell of energy.
    #[must_use]
    pub fn known(&self, seed: u64) -> Known {
        Known {
            meter: Arc::clone(&self.id),
            model: self.model(seed),
            quantities: self.values.iter().map(|value| value.1.quantity).collect(),
        }
    }
}

/// A broker and its sensors.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name in the configuration.
    pub name: String,
    /// Where it listens, on the loopback; port 0 is a free one.
    pub listen: SocketAddr,
    /// Who speaks through it.
    pub sensors: Vec<Sensor>,
}

/// Serves a broker until it is told to stop, with pauses where a fault says so.
pub async fn serve(
    place: usize,
    settings: Settings,
    broker: Broker,
    seed: u64,
    faults: Faults,
    stop: CancellationToken,
) {
    let mut changes = faults.changes();
    let Ok(address) = broker.address() else {
        return;
    };
    let mut bound = Some(broker);
    while !stop.is_cancelled() {
        while faults.broker_down(place) {
            let waited = stop.run_until_cancelled(changes.changed()).await;
            if !matches!(waited, Some(Ok(()))) {
                return;
            }
        }
        let broker = match bound.take() {
            Some(broker) => broker,
            None => match Broker::bind(address).await {
                Ok(broker) => broker,
                Err(_) => {
                    sleep(AGAIN).await;
                    continue;
                }
            },
        };
        let up = stop.child_token();
        let publisher = broker.publisher();
        let down = async {
            while !faults.broker_down(place) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        let run = broker.run(up.clone());
        tokio::pin!(run);
        tokio::select! {
            () = &mut run => {}
            () = down => {
                up.cancel();
                run.await;
            }
            () = speak(&settings.sensors, &publisher, seed, &faults) => {}
        }
    }
}

/// Everyone who speaks in one topic: a message is theirs together, as it is of one
/// device.
struct Topic<'a> {
    due: Instant,
    every: Duration,
    speakers: Vec<(&'a Sensor, Model)>,
}

/// Publishes what the sensors say, each topic at its period.
async fn speak(sensors: &[Sensor], publisher: &Publisher, seed: u64, faults: &Faults) {
    let began = clock::mono();
    let mut topics: BTreeMap<&str, Topic<'_>> = BTreeMap::new();
    for sensor in sensors {
        let topic = topics.entry(&sensor.topic).or_insert_with(|| Topic {
            due: began,
            every: sensor.every,
            speakers: Vec::new(),
        });
        topic.every = topic.every.min(sensor.every);
        topic.speakers.push((sensor, sensor.model(seed)));
    }
    loop {
        let Some(next) = topics.values().map(|topic| topic.due).min() else {
            return std::future::pending().await;
        };
        sleep_until(next).await;
        let now = clock::mono();
        for (name, topic) in &mut topics {
            if topic.due > now {
                continue;
            }
            topic.due += topic.every.max(Duration::from_millis(1));
            let heard = topic.speakers.iter().filter(|one| !faults.mute(&one.0.id));
            let heard: Vec<&(&Sensor, Model)> = heard.collect();
            if !heard.is_empty() {
                let retained = heard.iter().any(|one| one.0.retained);
                let payload = payload(&heard, faults.seconds());
                publisher.publish(name, &payload, QoS::AtLeastOnce, retained);
            }
        }
    }
}

/// The words of sensors: a number, or a document with numbers in their places.
fn payload(speakers: &[&(&Sensor, Model)], s: f64) -> String {
    let mut document = Value::Null;
    for (sensor, model) in speakers {
        for (pointer, register) in &sensor.values {
            let said = model.says(register.quantity, s, Wiring { reversed: None });
            let number = match register.hold(said, 0) {
                Held::Float(value) => Value::from(value),
                Held::Integer(value) => i64::try_from(value).map_or(Value::Null, Value::from),
            };
            let tokens = pointer.as_deref().unwrap_or_default().split('/').skip(1);
            let plain = |token: &str| token.replace("~1", "/").replace("~0", "~");
            put(
                &mut document,
                &tokens.map(plain).collect::<Vec<String>>(),
                number,
            );
        }
    }
    document.to_string()
}

/// Puts a value at a place of a document, and makes the way there.
fn put(at: &mut Value, tokens: &[String], value: Value) {
    let Some((token, rest)) = tokens.split_first() else {
        *at = value;
        return;
    };
    if let Ok(n) = token.parse::<usize>()
        && n < 64
        && !at.is_object()
    {
        if !at.is_array() {
            *at = Value::Array(Vec::new());
        }
        if let Some(list) = at.as_array_mut() {
            while list.len() <= n {
                list.push(Value::Null);
            }
            if let Some(place) = list.get_mut(n) {
                put(place, rest, value);
            }
        }
        return;
    }
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    if let Some(map) = at.as_object_mut() {
        put(map.entry(token).or_insert(Value::Null), rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::meter::{Point, Quantity};
    use crate::wire::register::{Decode, Field, Layout, Number, Order};

    fn value(pointer: Option<&str>, quantity: &str, scale: f64) -> (Option<String>, Register) {
        let quantity = Quantity::named(quantity).unwrap();
        let decode = Decode::Analog { scale, offset: 0.0 };
        let field = Field::new(0, Number::F64, Order::Big);
        let layout = Layout::simple(3, field, decode);
        let register = Register::new(
            &Point {
                quantity,
                register: None,
            },
            &layout,
        );
        (pointer.map(str::to_owned), register)
    }

    fn said(values: Vec<(Option<String>, Register)>) -> String {
        together(vec![values])
    }

    /// What sensors of one topic say.
    fn together(sensors: Vec<Vec<(Option<String>, Register)>>) -> String {
        let role = Role::named("weather").unwrap();
        let sensors: Vec<Sensor> = sensors
            .into_iter()
            .map(|values| Sensor {
                id: "a".into(),
                role,
                topic: "a".to_owned(),
                every: Duration::from_secs(1),
                retained: false,
                values,
            })
            .collect();
        let model = |sensor| (sensor, Model::new(1, "a", role, 1.0, false));
        let speakers: Vec<(&Sensor, Model)> = sensors.iter().map(model).collect();
        payload(&speakers.iter().collect::<Vec<_>>(), 0.0)
    }

    /// A sensor whose number is missing from a message would be a gap.
    #[test]
    fn sensors_of_one_topic_are_in_one_message() {
        let one = vec![value(Some("/a"), "status", 1.0)];
        let other = vec![value(Some("/b"), "status", 0.5)];
        assert_eq!(together(vec![one, other]), r#"{"a":1.0,"b":2.0}"#);
    }

    #[test]
    fn a_payload_has_its_numbers_where_they_are_looked_for() {
        assert_eq!(said(vec![value(None, "status", 0.5)]), "2.0");
        assert_eq!(
            said(vec![
                value(Some("/air/temperature"), "status", 1.0),
                value(Some("/wind/0/speed"), "status", 0.1),
                value(Some("/a~1b"), "status", 1.0),
            ]),
            r#"{"a/b":1.0,"air":{"temperature":1.0},"wind":[{"speed":10.0}]}"#
        );
    }
}
