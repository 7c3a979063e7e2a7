//! The ends of wires: what buses, brokers and sinks have in common, and the sinks.

use std::path::PathBuf;

use super::check::is_name;
use super::read::{Table, list};
use super::{InfluxSetup, SecretSource, database};

/// Names that meters may refer to, with whether the endpoint itself was right:
/// a meter on a bus with a mistake is not a mistake of the meter.
pub type Known = Vec<String>;

pub(super) fn checked_name(table: &Table<'_>, name: &str) {
    if !is_name(name) {
        table.problem(
            "",
            format!("`{name}` cannot be a name"),
            "letters, digits, `-`, `_` and `.`, at most 64",
        );
    }
}

pub(super) fn port(table: &Table<'_>, default: u16) -> u16 {
    table
        .integer("port", 1, 65_535)
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or(default)
}

/// A secret that the configuration names.
pub(super) fn secret(table: &Table<'_>, key: &str) -> Option<SecretSource> {
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

/// Sinks with their tables, not read yet.
pub type Unread<'a> = Vec<(String, Table<'a>)>;

/// `[sink.NAME.KIND]`, and the tables `[sink.NAME.mqtt]`.
pub fn sinks<'a>(root: &Table<'a>) -> (Vec<InfluxSetup>, Unread<'a>) {
    let (mut sinks, mut publishers) = (Vec::new(), Vec::new());
    if !root.has("sink") {
        return (sinks, publishers);
    }
    for (sink, table) in root.named("sink") {
        checked_name(&table, sink);
        let kinds = [&database::KINDS[..], &["mqtt"]].concat();
        let chosen = table.choice(&kinds);
        table.finish();
        let Some((kind, inner)) = chosen else {
            continue;
        };
        if kind == "mqtt" {
            publishers.push((sink.to_owned(), inner));
            continue;
        }
        let read = database::database(kind, sink, &inner, &sinks);
        sinks.extend(read);
    }
    (sinks, publishers)
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
