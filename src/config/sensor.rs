//! Sensors: `[[sensor]]`, what a topic of a broker says.
//!
//! **A sensor says how often it speaks**, or that it speaks on change alone: without
//! that nobody could tell an old value from a good one.

use std::time::Duration;

use super::endpoint::{Known, known};
use super::meter::{LEAST_STALE, Read, STALE_PERIODS, common, fits_role};
use super::point::{decode, duplicate, quantity, raw};
use super::read::Table;
use crate::domain::meter::{Freshness, Meter, Point};
use crate::source::mqtt;
use crate::wire::register::Number;

pub(super) fn sensor(table: &Table<'_>, brokers: &Known, read: &mut Read) {
    let common = common(table, &mut read.ids);
    table.required("broker", "park");
    let broker = table.parsed("broker", "park", |text| known(text, brokers, "broker"));
    table.required("topic", "park/dni");
    let topic = table.parsed("topic", "park/dni", |text| {
        if text.is_empty() || text.contains(['+', '#', '\0']) || text.len() > 65_535 {
            Err((
                format!("`{text}` is not the topic of one sensor"),
                "a topic without `+` and `#`".to_owned(),
            ))
        } else {
            Ok(text.to_owned())
        }
    });
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
    let several = if table.has("point") {
        table.tables("point")
    } else {
        Vec::new()
    };
    let mut measured = Vec::new();
    let mut whole = !common.heat_is_wrong;
    let mut points: Vec<Point> = Vec::new();
    let mut decodes = Vec::new();
    let mut one = |point: &Table<'_>| {
        let pointer = point.parsed("pointer", "/value", |text| {
            if text.starts_with('/') || text.is_empty() {
                Ok(text.to_owned())
            } else {
                Err((
                    format!("`{text}` is not a JSON pointer"),
                    format!("it begins with a slash: \"/{text}\""),
                ))
            }
        });
        let quantity = quantity(point, common.invert);
        let twice = duplicate(point, &mut measured, quantity);
        let raw = raw(point, quantity);
        let decoded = quantity.and_then(|quantity| {
            let (decode, register) = decode(point, quantity, &raw, &common, Number::F64, None)?;
            Some((quantity, decode, register))
        });
        match decoded {
            Some((quantity, decode, register)) if !twice => {
                decodes.push((points.len(), pointer, decode));
                points.push(Point { quantity, register });
            }
            _ => whole = false,
        }
    };
    if several.is_empty() {
        one(table);
    } else {
        for point in &several {
            one(point);
            point.finish();
        }
    }
    let (Some(id), Some(role)) = (common.id, common.role) else {
        return;
    };
    let meter = Meter {
        id,
        role,
        points,
        freshness,
        period: every.unwrap_or(Duration::from_secs(3_600)),
        rated: common.rated,
        heat_from_flow: common.heat_from_flow,
    };
    if whole {
        fits_role(table, &meter);
    }
    if let (Some(broker), Some(topic)) = (broker, topic) {
        let meter = read.meters.len();
        read.subscriptions.push((
            broker,
            mqtt::Subscription {
                meter,
                topic,
                points: decodes,
                retained_ok: on_change,
            },
        ));
    }
    read.meters.push(meter);
}
