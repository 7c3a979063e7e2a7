//! `[sink.NAME.mqtt]`: what is published, and at which of the brokers.
//!
//! A sink names a `[broker.NAME]` and adds what it publishes; address, certificates
//! and password stand there once. **It never publishes what a sensor of the same broker
//! hears**: the park would measure itself.

use std::time::Duration;

use super::endpoint::{Unread, known};
use super::read::Table;
use super::{BrokerSetup, MqttSetup};
use crate::source::mqtt;
use crate::wire::mqtt::topic::{is_filter, overlap};

/// How often states go out where nothing is said: often enough for a person who looks,
/// and a fifth of what a broker and a database behind it would get of each tick.
const EVERY: Duration = Duration::from_secs(5);

/// The tables of sinks that publish.
pub fn sinks(
    tables: Unread<'_>,
    brokers: &[BrokerSetup],
    subscriptions: &[(String, mqtt::Subscription)],
    park: Option<&str>,
) -> Vec<MqttSetup> {
    let mut sinks: Vec<MqttSetup> = Vec::new();
    for (name, table) in tables {
        let sink = read(&name, &table, brokers);
        table.finish();
        let Some(sink) = sink else { continue };
        let park = park.unwrap_or("park");
        let heard = subscriptions.iter().filter(|(name, _)| {
            let of = brokers.iter().find(|broker| broker.settings.name == *name);
            of.is_some_and(|of| is_same(of, &sink.broker))
        });
        heard_by_a_sensor(&table, &sink, heard.map(|(_, sensor)| sensor), park);
        let twice = sinks.iter().find(|other| {
            is_same(&other.broker, &sink.broker)
                && (other.prefix == sink.prefix
                    || (other.discovery.is_some() && other.discovery == sink.discovery))
        });
        if let Some(other) = twice {
            let other = &other.name;
            table.problem(
                "prefix",
                format!("sink `{other}` publishes the same topics at the same broker"),
                "keep one of the two, or give each a `prefix` and a `discovery` of its own",
            );
        }
        sinks.push(sink);
    }
    sinks
}

fn read(name: &str, table: &Table<'_>, brokers: &[BrokerSetup]) -> Option<MqttSetup> {
    let names = brokers
        .iter()
        .map(|broker| broker.settings.name.clone())
        .collect();
    table.required("broker", "park");
    let broker = table.parsed("broker", "park", |text| known(text, &names, "broker"));
    let prefix = table.parsed("prefix", "sunledger", levels);
    let discovery = table.parsed("discovery", "homeassistant", levels);
    let every = table.duration("every", "5s").unwrap_or(EVERY);
    if !(Duration::from_secs(1)..=Duration::from_secs(3_600)).contains(&every) {
        table.problem(
            "every",
            format!("{every:?} is no pace for states"),
            "from \"1s\", which is each tick, to \"1h\"",
        );
    }
    let client_id = table
        .text("client_id", "sunledger-fanshi-publisher")
        .map(str::to_owned);
    let mut broker = brokers
        .iter()
        .find(|one| Some(&one.settings.name) == broker.as_ref())?
        .clone();
    if broker.settings.read_only {
        table.problem(
            "broker",
            format!(
                "nothing is published to `{}`: it is `read_only`",
                broker.settings.name
            ),
            "remove `read_only` from the broker, or add a [broker.NAME] of its own for this sink",
        );
    }
    let theirs = &broker.settings.client_id;
    let client_id = client_id.unwrap_or_else(|| format!("{theirs}-{name}"));
    if client_id == *theirs || client_id.is_empty() {
        table.problem(
            "client_id",
            format!("`{client_id}` is the name under which the broker knows our sensors' client"),
            "a name of its own; a broker throws out the first of two with one name",
        );
    }
    broker.settings.client_id = client_id;
    // One that is wrong is told once, and not judged as if it were absent.
    let prefix = match prefix {
        None if !table.has("prefix") => "sunledger".to_owned(),
        other => other?,
    };
    Some(MqttSetup {
        name: name.to_owned(),
        broker,
        prefix,
        discovery,
        every,
    })
}

/// The first levels of topics: no wildcard, and no empty level.
fn levels(text: &str) -> Result<String, (String, String)> {
    let whole = |level: &str| !level.is_empty() && !level.contains(['+', '#']);
    if text.split('/').all(whole) && !text.starts_with('$') && is_filter(text) {
        return Ok(text.to_owned());
    }
    Err((
        format!("`{text}` cannot begin a topic"),
        "levels without `+` and `#`, such as \"sunledger\" or \"site/energy\"".to_owned(),
    ))
}

/// Whether two tables name one broker.
fn is_same(one: &BrokerSetup, other: &BrokerSetup) -> bool {
    (&one.settings.host, one.settings.port) == (&other.settings.host, other.settings.port)
}

/// A sensor that would hear what this sink publishes.
fn heard_by_a_sensor<'s>(
    table: &Table<'_>,
    sink: &MqttSetup,
    sensors: impl Iterator<Item = &'s mqtt::Subscription>,
    park: &str,
) {
    let mut ours = vec![format!("{}/{park}/#", sink.prefix)];
    let discovery = sink.discovery.iter();
    ours.extend(discovery.map(|prefix| format!("{prefix}/device/+/config")));
    for way in sensors.flat_map(|sensor| &sensor.ways) {
        let filter = &way.filter.subscribed;
        if ours.iter().any(|topic| overlap(filter, topic)) {
            table.problem(
                "prefix",
                format!("the topics of this sink are heard by the sensor topic `{filter}`"),
                "another `prefix`, or a narrower topic at the sensor: the park would measure itself",
            );
        }
    }
}

#[cfg(test)]
#[path = "sink_mqtt_tests.rs"]
mod tests;
