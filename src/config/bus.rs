//! Buses: `[bus.NAME.tcp]` and its siblings, one for each physical endpoint.
//!
//! **Two buses never share an endpoint**: a second connection to one gateway swaps
//! answers.

use std::time::Duration;

use super::endpoint::{Known, checked_name, port};
use super::read::Table;
use crate::source::modbus;

/// Longer than any meter in reach needs, shorter than a stop may take.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);

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
