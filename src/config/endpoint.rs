//! The ends of wires: buses, brokers, sinks.

use std::path::PathBuf;
use std::time::Duration;

use super::check::{is_name, name};
use super::read::{Table, list};
use super::{BrokerSetup, InfluxSetup, SecretSource};
use crate::source::{modbus, mqtt};

/// Longer than any meter in reach needs, shorter than a stop may take.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);

/// Names that meters may refer to, with whether the endpoint itself was right:
/// a meter on a bus with a mistake is not a mistake of the meter.
pub type Known = Vec<String>;

fn checked_name(table: &Table<'_>, name: &str) {
    if !is_name(name) {
        table.problem(
            "",
            format!("`{name}` cannot be a name"),
            "letters, digits, `-`, `_` and `.`, at most 64",
        );
    }
}

fn port(table: &Table<'_>, default: u16) -> u16 {
    table
        .integer("port", 1, 65_535)
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or(default)
}

/// `[bus.NAME.tcp]`: the endpoints, without their polls.
pub fn buses(root: &Table<'_>) -> (Vec<modbus::Settings>, Known) {
    let (mut buses, mut known): (Vec<modbus::Settings>, Known) = (Vec::new(), Vec::new());
    if !root.has("bus") {
        return (buses, known);
    }
    for (bus, table) in root.named("bus") {
        known.push(bus.to_owned());
        checked_name(&table, bus);
        let chosen = table.choice(&["tcp", "rtu", "rtu_over_tcp"]);
        table.finish();
        let Some((kind, inner)) = chosen else {
            continue;
        };
        if kind != "tcp" {
            inner.problem(
                "",
                format!("`{kind}` is not supported by this version"),
                "connect the line through a Modbus TCP gateway and use [bus.NAME.tcp]",
            );
            continue;
        }
        let host = inner
            .required("host", "10.0.0.10")
            .unwrap_or_default()
            .to_owned();
        let port = port(&inner, 502);
        let timeout = inner.duration("timeout", "1s").unwrap_or(DEFAULT_TIMEOUT);
        if timeout > Duration::from_secs(10) {
            inner.problem(
                "timeout",
                "is longer than 10 s, so one dead unit would stop its bus",
                "at most \"10s\"",
            );
        }
        inner.finish();
        if let Some(other) = buses
            .iter()
            .find(|other| other.host == host && other.port == port)
        {
            inner.problem(
                "host",
                format!("{host}:{port} is bus `{}` already", other.name),
                "one bus for each endpoint: a second connection to one gateway swaps answers",
            );
        }
        buses.push(modbus::Settings {
            name: bus.to_owned(),
            host,
            port,
            timeout,
            polls: Vec::new(),
        });
    }
    (buses, known)
}

/// A secret that the configuration names.
fn secret(table: &Table<'_>, key: &str) -> Option<SecretSource> {
    let remedy = format!(
        "`{key} = {{ file = \"/etc/sunledger/credentials/{key}\" }}` or `{key} = {{ credential = \"{key}\" }}`"
    );
    if !table.has(key) {
        table.problem(key, "is missing", remedy);
        return None;
    }
    if table.is_text(key) {
        table.problem(key, "is written into the configuration", remedy);
        return None;
    }
    let inner = table.table(key)?;
    let file = inner
        .text("file", "/etc/sunledger/credentials/token")
        .map(PathBuf::from);
    let credential = inner.text("credential", "influx").map(str::to_owned);
    inner.finish();
    match (file, credential) {
        (Some(file), None) => Some(SecretSource::File(file)),
        (None, Some(credential)) if is_name(&credential) => {
            Some(SecretSource::Credential(credential))
        }
        _ => {
            table.problem(key, "does not say where the secret is", remedy);
            None
        }
    }
}

/// `[sink.NAME.influx]`.
pub fn sinks(root: &Table<'_>) -> Vec<InfluxSetup> {
    let mut sinks = Vec::new();
    if !root.has("sink") {
        return sinks;
    }
    for (sink, table) in root.named("sink") {
        checked_name(&table, sink);
        let chosen = table.choice(&["influx"]);
        table.finish();
        let Some((_, inner)) = chosen else { continue };
        inner.required("url", "http://127.0.0.1:8086");
        let url = inner.parsed("url", "http://127.0.0.1:8086", url);
        let org = inner.required("org", "park").map(str::to_owned);
        let bucket = inner.required("bucket", "energy").map(str::to_owned);
        let token = secret(&inner, "token");
        let ca_file = inner
            .text("ca_file", "/etc/sunledger/ca.pem")
            .map(PathBuf::from);
        inner.finish();
        if let (Some(url), Some(org), Some(bucket), Some(token)) = (url, org, bucket, token) {
            sinks.push(InfluxSetup {
                name: sink.to_owned(),
                url,
                org,
                bucket,
                token,
                ca_file,
            });
        }
    }
    sinks
}

fn url(text: &str) -> Result<String, (String, String)> {
    let remedy =
        "such as \"http://127.0.0.1:8086\" or \"https://db.example.org/influx\"".to_owned();
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let host = rest
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default();
    if host.is_empty() || text.contains(char::is_whitespace) || text.contains(['?', '#']) {
        return Err((format!("`{text}` is not a URL of a server"), remedy));
    }
    if host.contains('@') {
        return Err((
            "holds a user or password".to_owned(),
            "use `token`".to_owned(),
        ));
    }
    Ok(text.to_owned())
}

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
        let tls = if table.has("tls") {
            table.table("tls")
        } else {
            None
        };
        let tls = tls.map(|tls| {
            let ca_file = tls
                .text("ca_file", "/etc/sunledger/ca.pem")
                .map(PathBuf::from);
            tls.finish();
            mqtt::Tls { ca_file }
        });
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
        table.finish();
        let client_id =
            client_id.unwrap_or_else(|| format!("sunledger-{}-{broker}", park.unwrap_or("park")));
        let settings = mqtt::Settings {
            name: broker.to_owned(),
            host,
            port,
            client_id,
            login: None,
            tls,
            subscriptions: Vec::new(),
        };
        brokers.push(BrokerSetup { settings, login });
    }
    (brokers, known)
}

/// Gives every bus its polls.
#[must_use]
pub fn with_polls(
    mut buses: Vec<modbus::Settings>,
    polls: Vec<(String, modbus::Poll)>,
) -> Vec<modbus::Settings> {
    for (name, poll) in polls {
        if let Some(bus) = buses.iter_mut().find(|bus| bus.name == name) {
            bus.polls.push(poll);
        }
    }
    buses.retain(|bus| !bus.polls.is_empty());
    buses
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

/// A name among the known ones, or what is wrong with it.
pub fn known(text: &str, known: &Known, what: &str) -> Result<String, (String, String)> {
    if known.iter().any(|name| name == text) {
        return Ok(text.to_owned());
    }
    let remedy = if known.is_empty() {
        format!("the configuration has no {what}; add one")
    } else {
        format!(
            "one of {}",
            list(known.iter().map(|name| format!("`{name}`")))
        )
    };
    Err((format!("there is no {what} `{text}`"), remedy))
}
