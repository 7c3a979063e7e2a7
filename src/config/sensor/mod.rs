//! Sensors: `[[sensor]]`, what the topics of a broker say.
//!
//! ```text
//!   [[sensor]] ──captures──▶ one sensor for each ──▶ topics, places, units ──▶ Subscription
//!                                    mapping ──────────────┘
//! ```
//!
//! **A sensor says how often it speaks**, or that it speaks on change alone: without
//! that nobody could tell an old value from a good one.

mod captures;
mod mapping;
mod message;
mod points;
mod system;

use std::time::Duration;

use self::captures::Captured;
use self::points::{Meant, Where};
use self::system::System;
use super::compensation;
use super::endpoint::{Known, known};
use super::meter::{LEAST_STALE, Read, STALE_PERIODS, common_as, fits_role};
use super::read::Table;
use crate::domain::meter::{Freshness, Meter, Point};
use crate::source::mqtt;
use crate::wire::mqtt::reader::{Extract, Outlook, Reader, Speech, Way};
use crate::wire::mqtt::{Filter, Place, sparkplug};

pub(super) fn sensor(table: &Table<'_>, brokers: &Known, read: &mut Read) {
    for captured in captures::combinations(table) {
        one(table, &captured, brokers, read);
    }
}

fn one(table: &Table<'_>, captured: &Captured, brokers: &Known, read: &mut Read) {
    let fill = |text: &str| captures::fill(text, captured);
    let common = common_as(table, &mut read.ids, &fill);
    read.said.hear(table, common.id.as_ref(), &fill);
    table.required("broker", "park");
    let broker = table.parsed("broker", "park", |text| known(text, brokers, "broker"));
    let (freshness, every) = freshness(table);
    let system = System::read(table, captured);
    let manner = message::manner(table, captured, system.as_ref());
    let meant = points::all(table, captured, system.as_ref(), &common);
    let (Some(id), Some(role)) = (common.id, common.role) else {
        return;
    };
    let whole = meant.is_some();
    let meant = meant.unwrap_or_default();
    read.tells(&id, common.accuracy);
    let meter = Meter {
        id,
        role,
        points: meant
            .iter()
            .map(|one| Point {
                quantity: one.quantity,
                register: one.register,
            })
            .collect(),
        freshness,
        period: every.unwrap_or(Duration::from_secs(3_600)),
        rated: common.rated,
        rated_heat: common.rated_heat,
        heat_from_flow: common.heat_from_flow,
    };
    if whole {
        fits_role(table, &meter);
    }
    let mut ways = ways(table, captured, &meant, &manner.reader, system.as_ref());
    ways.extend(manner.presence);
    if let Some(broker) = broker {
        let subscription = mqtt::Subscription {
            meter: read.meters.len(),
            points: (0..meter.points.len()).collect(),
            ways,
            stand_for: match freshness {
                Freshness::Within(limit) => Some(limit),
                Freshness::UntilChanged => None,
            },
            retained_ok: freshness == Freshness::UntilChanged,
            keep_talking: system.and_then(|system| system.keep_talking()),
        };
        read.subscriptions.push((broker, subscription));
    }
    compensation::hear(table, &meter, common.plate, read);
    read.meters.push(meter);
}

/// How long values stand, and how often the sensor speaks, if it says so.
fn freshness(table: &Table<'_>) -> (Freshness, Option<Duration>) {
    let every = table.duration("expect_every", "5s");
    let on_change = table.flag("on_change").unwrap_or(false);
    let freshness = match (every, on_change) {
        (Some(every), false) => Freshness::Within((every * STALE_PERIODS).max(LEAST_STALE)),
        (None, true) => Freshness::UntilChanged,
        (Some(_), true) => {
            table.problem(
                "on_change",
                "stands beside `expect_every`",
                "keep one of them",
            );
            Freshness::UntilChanged
        }
        (None, false) => {
            if !table.has("expect_every") {
                table.problem(
                    "expect_every",
                    "is missing",
                    "how often the sensor speaks, such as \"5s\", or `on_change = true`",
                );
            }
            Freshness::UntilChanged
        }
    };
    (freshness, every)
}

/// A filter, or what is wrong with it.
fn filter(table: &Table<'_>, key: &str, text: &str, captured: &Captured) -> Option<Filter> {
    if let Some((fact, remedy)) = captures::unknown(text, captured) {
        table.problem(key, format!("`{text}` {fact}"), remedy);
        return None;
    }
    match Filter::new(&captures::fill(text, captured), captured) {
        Ok(filter) => Some(filter),
        Err(fact) => {
            table.problem(
                key,
                format!("`{text}`: {fact}"),
                "a topic such as \"park/dni\"; `+` for a level, `+name` for one that is captured, `#` for the rest",
            );
            None
        }
    }
}

/// The topics of a sensor, each with what is heard there.
fn ways(
    table: &Table<'_>,
    captured: &Captured,
    meant: &[Meant],
    reader: &Reader,
    system: Option<&System>,
) -> Vec<Way> {
    let mut topics: Vec<(&str, Vec<Extract>)> = Vec::new();
    let mut metrics = Vec::new();
    for (point, one) in meant.iter().enumerate() {
        match &one.heard {
            Where::Metric(name) => metrics.push((point, name.clone(), one.decode)),
            Where::Topics(heard) => {
                for (topic, places) in heard {
                    let extract = Extract {
                        point,
                        places: places.clone(),
                        errors: one.errors.clone(),
                        numbers: one.numbers,
                        decode: one.decode,
                    };
                    match topics.iter_mut().find(|(known, _)| known == topic) {
                        Some((_, extracts)) => extracts.push(extract),
                        None => topics.push((topic, vec![extract])),
                    }
                }
            }
        }
    }
    let mut ways: Vec<Way> = topics
        .into_iter()
        .filter_map(|(topic, mut points)| {
            let filter = filter(table, "topic", topic, captured)?;
            // Beside places in a document, the whole payload is the document.
            if points.iter().any(|extract| !extract.places.is_empty()) {
                for extract in points.iter_mut().filter(|one| one.places.is_empty()) {
                    extract.places.extend(Place::parse(""));
                }
            }
            let reader = Reader {
                points,
                ..reader.clone()
            };
            Some(Way {
                filter,
                speech: Speech::Values(reader),
            })
        })
        .collect();
    if let (false, Some(node)) = (metrics.is_empty(), system.and_then(System::node)) {
        let (group, edge) = node.clone();
        let text = sparkplug::filter(&group, &edge);
        ways.extend(filter(table, "edge", &text, captured).map(|filter| Way {
            filter,
            speech: Speech::Sparkplug(Outlook {
                node,
                device: system.and_then(|system| system.value("device")),
                metrics,
            }),
        }));
    }
    ways
}
