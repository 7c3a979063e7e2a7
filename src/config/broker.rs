//! Brokers: `[broker.NAME]`, with the place of the password and never the password.

use std::path::PathBuf;
use std::time::Duration;

use super::BrokerSetup;
use super::check::name;
use super::endpoint::{Known, checked_name, port, secret};
use super::read::Table;
use crate::source::mqtt;
use crate::wire::mqtt::Version;

/// How often a silent connection is tried where nothing is said.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A thousand times what a sensor sends.
const MAX_PAYLOAD: usize = 256 * 1_024;

/// `[broker.NAME]`: the brokers, without their subscriptions.
pub fn brokers(root: &Table<'_>, park: Option<&str>) -> (Vec<BrokerSetup>, Known) {
    let (mut brokers, mut known) = (Vec::new(), Vec::new());
    if !root.has("broker") {
        return (brokers, known);
    }
    for (broker, table) in root.named("broker") {
        known.push(broker.to_owned());
        checked_name(&table, broker);
        let host = table
            .required("host", "10.0.0.5")
            .unwrap_or_default()
            .to_owned();
        let tls = tls(&table);
        let port = port(&table, if tls.is_some() { 8_883 } else { 1_883 });
        let client_id = table.parsed("client_id", "sunledger-fanshi", name);
        let user = table.text("user", "sunledger").map(str::to_owned);
        let login = match (user, table.has("password")) {
            (Some(user), true) => secret(&table, "password").map(|secret| (user, secret)),
            (Some(_), false) => {
                table.problem(
                    "password",
                    "is missing beside `user`",
                    "name the file or credential that holds it",
                );
                None
            }
            (None, true) => {
                table.problem(
                    "user",
                    "is missing beside `password`",
                    "add `user = \"sunledger\"`",
                );
                None
            }
            (None, false) => None,
        };
        let version = table.parsed("version", "3.1.1", |text| match text {
            "3.1.1" => Ok(Version::V3),
            "5" => Ok(Version::V5),
            other => Err((
                format!("`{other}` is not a version of MQTT that is spoken here"),
                "\"3.1.1\" or \"5\"".to_owned(),
            )),
        });
        let keep_alive = keep_alive(&table);
        let max_payload = max_payload(&table);
        let read_only = table.flag("read_only").unwrap_or(false);
        table.finish();
        let client_id =
            client_id.unwrap_or_else(|| format!("sunledger-{}-{broker}", park.unwrap_or("park")));
        let settings = mqtt::Settings {
            name: broker.to_owned(),
            host,
            port,
            client_id,
            version: version.unwrap_or_default(),
            keep_alive,
            max_payload,
            read_only,
            keep_session: true,
            login: None,
            tls,
            notes: None,
            subscriptions: Vec::new(),
        };
        brokers.push(BrokerSetup { settings, login });
    }
    (brokers, known)
}

/// `tls = { ca_file, cert_file, key_file }`; an empty one trusts the system's list.
fn tls(table: &Table<'_>) -> Option<mqtt::Tls> {
    if !table.has("tls") {
        return None;
    }
    let tls = table.table("tls")?;
    let file = |key, example| tls.text(key, example).map(PathBuf::from);
    let ca_file = file("ca_file", "/etc/sunledger/ca.pem");
    let certificate = file("cert_file", "/etc/sunledger/client.pem");
    let key = file("key_file", "/etc/sunledger/credentials/client.key");
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (certificate, _) => {
            let (stands, missing) = match certificate {
                Some(_) => ("cert_file", "key_file"),
                None => ("key_file", "cert_file"),
            };
            tls.problem(
                missing,
                format!("is missing beside `{stands}`"),
                "a certificate of ours needs its key: name both files",
            );
            None
        }
    };
    tls.finish();
    Some(mqtt::Tls { ca_file, identity })
}

/// How often a silent connection is tried.
fn keep_alive(table: &Table<'_>) -> Duration {
    let keep_alive = table.duration("keep_alive", "15s").unwrap_or(KEEP_ALIVE);
    let (least, most) = (Duration::from_secs(1), Duration::from_secs(3_600));
    if keep_alive < least || keep_alive > most || keep_alive.subsec_nanos() != 0 {
        table.problem(
            "keep_alive",
            format!("{keep_alive:?} is no keep-alive of MQTT"),
            "whole seconds, from \"1s\" to \"1h\"",
        );
    }
    keep_alive
}

/// The largest payload that is taken in.
fn max_payload(table: &Table<'_>) -> usize {
    let bytes = table.bytes("max_payload", "256KiB");
    let size = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    let size = size.unwrap_or(MAX_PAYLOAD);
    if !(1_024..=16 << 20).contains(&size) {
        table.problem(
            "max_payload",
            format!("{size} bytes are out of range"),
            "from \"1KiB\" to \"16MiB\"; a sensor sends some hundred bytes",
        );
    }
    size
}

/// Gives every broker its subscriptions.
#[must_use]
pub fn with_subscriptions(
    mut brokers: Vec<BrokerSetup>,
    subscriptions: Vec<(String, mqtt::Subscription)>,
) -> Vec<BrokerSetup> {
    for (name, subscription) in subscriptions {
        if let Some(broker) = brokers
            .iter_mut()
            .find(|broker| broker.settings.name == name)
        {
            broker.settings.subscriptions.push(subscription);
        }
    }
    brokers.retain(|broker| !broker.settings.subscriptions.is_empty());
    brokers
}
