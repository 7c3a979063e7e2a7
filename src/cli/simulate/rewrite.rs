//! The configuration of a daemon that reads the simulated park.
//!
//! Everything that says how meters are read stays as it is. Endpoints lead to the
//! simulated ones, books are kept beside the file, and **nothing that was simulated is
//! delivered to a real database**.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::unusable;
use crate::cli::{Failure, IO, USAGE};
use crate::simulate::rehearsal::{Endpoint, Rehearsal};

/// Reads a configuration and writes the one for the rehearsal.
pub fn write(from: &Path, out: &Path, park: &Rehearsal, free: bool) -> Result<(), Failure> {
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::new(IO, format!("{}: {error}", path.display()))
    };
    let text = fs::read_to_string(from).map_err(|error| failed(from, &error))?;
    let absolute = |path: &Path| std::path::absolute(path).map_err(|error| failed(path, &error));
    let (from, out) = (absolute(from)?, absolute(out)?);
    if from.canonicalize().ok() == out.canonicalize().ok() {
        let sentence = format!(
            "--write-config {} is the configuration itself",
            out.display()
        );
        return Err(Failure::new(USAGE, sentence));
    }
    let mut table: Table = toml::from_str(&text).map_err(|e| unusable(&from, e.message()))?;
    let token = with_suffix(&out, "token");
    rewritten(&mut table, park, &with_suffix(&out, "data"), &token, free);
    if park.database().is_some() {
        let options = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&token);
        let written =
            options.and_then(|mut file| std::io::Write::write_all(&mut file, b"rehearsal\n"));
        written.map_err(|error| failed(&token, &error))?;
    }
    let text = toml::to_string_pretty(&table).map_err(|e| unusable(&from, &e.to_string()))?;
    fs::write(&out, text).map_err(|error| failed(&out, &error))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// Turns a configuration to the simulated park.
fn rewritten(table: &mut Table, park: &Rehearsal, data: &Path, token: &Path, free: bool) {
    change(table, "bus", |buses| {
        for (name, endpoint) in park.endpoints() {
            let Some(bus) = buses.get_mut(name).and_then(Value::as_table_mut) else {
                continue;
            };
            for inner in bus.iter_mut().filter_map(|(_, kind)| kind.as_table_mut()) {
                place(inner, endpoint);
            }
        }
    });
    change(table, "broker", |brokers| {
        for (name, address) in park.brokers() {
            change(brokers, name, |broker| {
                // The simulated broker asks nobody who he is, and hides nothing.
                // It speaks the older version alone.
                for key in ["tls", "user", "password", "version"] {
                    broker.remove(key);
                }
                place(broker, &Endpoint::Socket(*address));
            });
        }
    });
    let text = |text: String| Value::String(text);
    if !table.contains_key("store") {
        table.insert("store".into(), Value::Table(Table::new()));
    }
    change(table, "store", |store| {
        store.insert("dir".into(), text(data.display().to_string()));
    });
    table.remove("sink");
    if let Some((address, _)) = park.database() {
        table.insert("sink".into(), Value::Table(sink(address, token)));
    }
    if free {
        if !table.contains_key("web") {
            table.insert("web".into(), Value::Table(Table::new()));
        }
        change(table, "web", |web| {
            web.insert("listen".into(), text("127.0.0.1:0".into()));
        });
    }
}

/// Changes an inner table, where there is one.
fn change(table: &mut Table, key: &str, with: impl FnOnce(&mut Table)) {
    if let Some(inner) = table.get_mut(key).and_then(Value::as_table_mut) {
        with(inner);
    }
}

fn place(table: &mut Table, endpoint: &Endpoint) {
    match endpoint {
        Endpoint::Socket(address) => {
            table.insert("host".into(), Value::String(address.ip().to_string()));
            table.insert("port".into(), Value::Integer(address.port().into()));
        }
        Endpoint::Terminal(link) => {
            // No driver turns a line around that is not there.
            table.remove("rs485");
            table.insert("device".into(), Value::String(link.display().to_string()));
        }
    }
}

fn sink(address: SocketAddr, token: &Path) -> Table {
    let text = |value: String| Value::String(value);
    let mut secret = Table::new();
    secret.insert("file".into(), text(token.display().to_string()));
    let mut influx = Table::new();
    influx.insert("url".into(), text(format!("http://{address}")));
    influx.insert("org".into(), text("rehearsal".into()));
    influx.insert("bucket".into(), text("rehearsal".into()));
    influx.insert("token".into(), Value::Table(secret));
    let mut kind = Table::new();
    kind.insert("influx".into(), Value::Table(influx));
    let mut sinks = Table::new();
    sinks.insert("rehearsal".into(), Value::Table(kind));
    sinks
}
