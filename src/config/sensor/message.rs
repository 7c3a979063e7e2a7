//! What a sensor says of its messages as a whole: time, well-being, presence.

use super::super::read::Table;
use super::captures::Captured;
use super::filter;
use super::system::System;
use crate::wire::mqtt::Place;
use crate::wire::mqtt::moment::{Clock, Format};
use crate::wire::mqtt::reader::{Reader, Speech, Way, Words};

/// Names of the ways to write a time.
const FORMATS: &[(&str, Format)] = &[
    ("unix_s", Format::UnixSeconds),
    ("unix_ms", Format::UnixMillis),
    ("rfc3339", Format::Rfc3339),
];

/// How a sensor's messages are to be taken.
pub(super) struct Manner {
    /// A reader without points.
    pub(super) reader: Reader,
    /// Where the device says whether it is there.
    pub(super) presence: Vec<Way>,
}

/// A place in a document, or what is wrong with it.
pub(super) fn place(table: &Table<'_>, key: &str) -> Option<Place> {
    table.parsed(key, "/value", |text| {
        Place::parse(text).map_err(|fact| {
            let remedy = if text.starts_with('/') {
                "such as \"/air/temp\", \"/list/0\", \"/list/*\" for a sum, or \"/tags[name=p]/value\""
                    .to_owned()
            } else {
                format!("it begins with a slash: \"/{text}\"")
            };
            (format!("`{text}` is not a JSON pointer: {fact}"), remedy)
        })
    })
}

/// What the sensor says, and where it is silent, what its system does.
pub(super) fn manner(table: &Table<'_>, captured: &Captured, system: Option<&System>) -> Manner {
    let mapping = system.map(|system| system.mapping);
    let known = |text: &str| Place::parse(text).ok();
    let mut only = when(table);
    for (at, key) in mapping.map(|mapping| mapping.only).unwrap_or_default() {
        let says = system.and_then(|system| system.value(key));
        only.extend(known(at).zip(says));
    }
    let of_system = mapping.and_then(|mapping| {
        let (at, fine) = mapping.well?;
        Some((
            known(at)?,
            fine.iter().map(|word| (*word).to_owned()).collect(),
        ))
    });
    let clock_of_system = mapping.and_then(|mapping| {
        let (at, format) = mapping.clock?;
        Some(Clock {
            place: known(at)?,
            format,
        })
    });
    let identity_of_system = mapping.and_then(|mapping| known(mapping.identity?));
    let partial = table.flag("partial");
    let reader = Reader {
        points: Vec::new(),
        only,
        well: status(table).or(of_system),
        clock: time(table).or(clock_of_system),
        identity: place(table, "identity").or(identity_of_system),
        partial: partial.unwrap_or(mapping.is_some_and(|mapping| mapping.partial)),
    };
    let mut presence: Vec<Way> = availability(table, captured).into_iter().collect();
    let ready = mapping.map(|mapping| mapping.presence).unwrap_or_default();
    for (topic, at, online, offline) in ready {
        let topic = system.map(|system| system.fill(topic)).unwrap_or_default();
        let words = Words {
            place: at.and_then(known),
            online: (*online).to_owned(),
            offline: (*offline).to_owned(),
        };
        presence.extend(way(table, "device", &topic, captured, words));
    }
    Manner { reader, presence }
}

fn way(
    table: &Table<'_>,
    key: &str,
    topic: &str,
    captured: &Captured,
    words: Words,
) -> Option<Way> {
    let filter = filter(table, key, topic, captured)?;
    Some(Way {
        filter,
        speech: Speech::Presence(words),
    })
}

/// `when = { "/group" = "fast" }`: only such documents are for the sensor.
fn when(table: &Table<'_>) -> Vec<(Place, String)> {
    let Some(when) = table.table("when") else {
        return Vec::new();
    };
    let mut only = Vec::new();
    for key in when.keys() {
        let says = when.text(key, "fast");
        match (Place::parse(key), says) {
            (Ok(place), Some(says)) => only.push((place, says.to_owned())),
            (Err(fact), _) => when.problem(key, fact, "a JSON pointer such as \"/group\""),
            _ => {}
        }
    }
    when.finish();
    only
}

/// `status = { pointer = "/status", ok = ["OK"] }`: otherwise the device is not well.
fn status(table: &Table<'_>) -> Option<(Place, Vec<String>)> {
    let status = table.table("status")?;
    status.required("pointer", "/status");
    let place = place(&status, "pointer");
    let fine: Vec<String> = status.texts("ok").into_iter().map(str::to_owned).collect();
    if fine.is_empty() {
        status.problem(
            "ok",
            "names nothing",
            "what a healthy device says, such as [\"OK\"]",
        );
    }
    status.finish();
    place.zip(Some(fine))
}

/// `time = { pointer = "/ts", format = "unix_s" }`.
fn time(table: &Table<'_>) -> Option<Clock> {
    let time = table.table("time")?;
    time.required("pointer", "/ts");
    let place = place(&time, "pointer");
    time.required("format", "unix_s");
    let format = time.parsed("format", "unix_s", |text| {
        let found = FORMATS.iter().find(|row| row.0 == text);
        found.map(|row| row.1).ok_or_else(|| {
            (
                format!("`{text}` is no way to write a time"),
                "`unix_s`, `unix_ms` or `rfc3339`; a time without its zone is ambiguous".to_owned(),
            )
        })
    });
    time.finish();
    Some(Clock {
        place: place?,
        format: format?,
    })
}

/// `availability = { topic = "…", online = "online", offline = "offline" }`.
fn availability(table: &Table<'_>, captured: &Captured) -> Option<Way> {
    let stated = table.table("availability")?;
    stated.required("topic", "meters/pump1/online");
    let topic = stated.text("topic", "meters/pump1/online");
    let word = |key, usual: &str| stated.text(key, usual).unwrap_or(usual).to_owned();
    let words = Words {
        place: place(&stated, "pointer"),
        online: word("online", "online"),
        offline: word("offline", "offline"),
    };
    stated.finish();
    way(&stated, "topic", topic?, captured, words)
}
