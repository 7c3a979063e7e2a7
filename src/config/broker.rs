//! Brokers: `[broker.NAME]`, with the place of the password and never the password.

use std::path::PathBuf;

use super::BrokerSetup;
use super::check::name;
use super::endpoint::{Known, checked_name, port, secret};
use super::read::Table;
use crate::source::mqtt;

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
