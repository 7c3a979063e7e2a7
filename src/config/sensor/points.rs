//! What a sensor measures, and where each number is heard.

use super::super::meter::Common;
use super::super::point::{Raw, decode, duplicate, quantity, raw};
use super::super::read::{Table, list};
use super::captures::{self, Captured};
use super::filter;
use super::mapping::Mapped;
use super::message::place;
use super::system::System;
use crate::domain::meter::{Quantity, RegisterKind};
use crate::wire::mqtt::{Numbers, Place};
use crate::wire::register::{Decode, Number};

/// Where a number is heard.
pub(super) enum Where {
    /// Topics, and places in their documents; no place: the payload is the number.
    Topics(Vec<(String, Vec<Place>)>),
    /// A metric of a Sparkplug node.
    Metric(String),
}

/// A point of a sensor.
pub(super) struct Meant {
    pub(super) quantity: &'static Quantity,
    pub(super) register: Option<RegisterKind>,
    pub(super) decode: Decode,
    pub(super) heard: Where,
    pub(super) errors: Vec<Place>,
    pub(super) numbers: Numbers,
}

/// Every point of a sensor; none where one of them is wrong.
pub(super) fn all(
    table: &Table<'_>,
    captured: &Captured,
    system: Option<&System>,
    common: &Common,
) -> Option<Vec<Meant>> {
    if table.has("mapping") && system.is_none() {
        return None;
    }
    let several = if table.has("point") {
        table.tables("point")
    } else {
        Vec::new()
    };
    let topic = topic(table, captured, system);
    let mut whole = true;
    let mut measured = Vec::new();
    let mut points = Vec::new();
    let mut take = |point: &Table<'_>| {
        let meant = one(
            point,
            topic.as_deref(),
            captured,
            system,
            common,
            &mut measured,
        );
        whole &= meant.is_some();
        points.extend(meant);
    };
    let inline = several.is_empty() && (system.is_none() || table.has("quantity"));
    if inline {
        take(table);
    }
    for point in &several {
        take(point);
        point.finish();
    }
    let ready = ready(table, system, common)?;
    for meant in ready {
        // A point of the sensor's own takes the place of the mapping's.
        if !points
            .iter()
            .any(|own: &Meant| own.quantity == meant.quantity)
        {
            points.push(meant);
        }
    }
    if points.is_empty() && whole {
        table.problem(
            "point",
            "is missing: this mapping does not know what is measured",
            "one [[sensor.point]] for each, with `field` or `metric`, quantity and unit",
        );
        whole = false;
    }
    whole.then_some(points)
}

/// The sensor's own topic. A system has its own, unless it has it as a key.
fn topic(table: &Table<'_>, captured: &Captured, system: Option<&System>) -> Option<String> {
    if let Some(system) = system {
        return system.value("topic").map(|topic| system.fill(&topic));
    }
    if !table.has("point") {
        table.required("topic", "park/dni");
    }
    let topic = table.text("topic", "park/dni")?;
    // Whatever the rest comes to: a mistake in one key hides none in another.
    let _ = filter(table, "topic", topic, captured);
    Some(topic.to_owned())
}

fn one(
    point: &Table<'_>,
    topic: Option<&str>,
    captured: &Captured,
    system: Option<&System>,
    common: &Common,
    measured: &mut Vec<&'static str>,
) -> Option<Meant> {
    let quantity = quantity(point, common.invert);
    let twice = duplicate(point, measured, quantity);
    let raw = raw(point, quantity);
    let numbers = if point.flag("number_in_text").unwrap_or(false) {
        Numbers::InText
    } else {
        Numbers::Plain
    };
    let heard = heard(point, topic, captured, system);
    let quantity = quantity?;
    let (decode, register) = decode(point, quantity, &raw, common, Number::F64, None)?;
    let (heard, errors) = heard?;
    (!twice).then_some(Meant {
        quantity,
        register,
        decode,
        heard,
        errors,
        numbers,
    })
}

/// Where a point's own table says that it is heard.
fn heard(
    point: &Table<'_>,
    topic: Option<&str>,
    captured: &Captured,
    system: Option<&System>,
) -> Option<(Where, Vec<Place>)> {
    if let Some(system) = system.filter(|system| system.node().is_some()) {
        point.required("metric", "ActivePower");
        let metric = captures::fill(point.text("metric", "ActivePower")?, captured);
        let _ = system;
        return Some((Where::Metric(metric), Vec::new()));
    }
    let fields = system.and_then(|system| Some((system, system.mapping.fields.as_ref()?)));
    if let Some((system, fields)) = fields
        && !point.has("pointer")
    {
        point.required("field", "power");
        let field = captures::fill(point.text("field", "power")?, captured);
        let places = |texts: &[&str]| -> Vec<Place> {
            let texts = texts.iter().map(|text| system.fill_place(text, &field));
            texts.filter_map(|text| Place::parse(&text).ok()).collect()
        };
        let topic = system.fill(fields.topic).replace("{field}", &field);
        let heard = Where::Topics(vec![(topic, places(fields.places))]);
        return Some((heard, places(fields.errors)));
    }
    let own = if topic.is_none() {
        point.required("topic", "park/dni")
    } else {
        point.text("topic", "park/dni")
    };
    let right = own.is_none_or(|own| filter(point, "topic", own, captured).is_some());
    let places = if point.has("pointer") {
        place(point, "pointer").map(|place| vec![place])
    } else {
        Some(Vec::new())
    };
    let topic = own.or(topic).filter(|_| right)?.to_owned();
    let places = places?;
    Some((Where::Topics(vec![(topic, places)]), Vec::new()))
}

/// The points that a mapping brings: the usual ones, or those that `only` names.
fn ready(table: &Table<'_>, system: Option<&System>, common: &Common) -> Option<Vec<Meant>> {
    let Some(system) = system else {
        return Some(Vec::new());
    };
    let mapped = system.mapping.points;
    let only = table.texts("only");
    let omit = table.texts("omit");
    let mut whole = true;
    for (key, names) in [("only", &only), ("omit", &omit)] {
        let known = |name: &str| mapped.iter().any(|point| point.quantity == name);
        for name in names.iter().filter(|name| !known(name)) {
            let names = list(mapped.iter().map(|point| format!("`{}`", point.quantity)));
            table.problem(
                key,
                format!("`{name}` is not in this mapping"),
                format!("of {names}"),
            );
            whole = false;
        }
    }
    let is_meant = |point: &&Mapped| {
        let chosen = if only.is_empty() {
            point.usual
        } else {
            only.contains(&point.quantity)
        };
        chosen && !omit.contains(&point.quantity)
    };
    let points: Option<Vec<Meant>> = mapped
        .iter()
        .filter(is_meant)
        .map(|point| from_mapping(table, system, common, point))
        .collect();
    points.filter(|_| whole)
}

fn from_mapping(
    table: &Table<'_>,
    system: &System,
    common: &Common,
    point: &Mapped,
) -> Option<Meant> {
    let name = match point.quantity {
        "energy_import" if common.invert => "energy_export",
        "energy_export" if common.invert => "energy_import",
        name => name,
    };
    let quantity = Quantity::named(name)?;
    let raw = Raw {
        scale: point.scale,
        offset: 0.0,
        unit: Some(point.unit),
    };
    let (decode, register) = decode(table, quantity, &raw, common, Number::F64, None)?;
    let heard = point.heard.iter().map(|(topic, places)| {
        let places = places.iter().map(|place| system.fill_place(place, ""));
        let places = places
            .filter_map(|place| Place::parse(&place).ok())
            .collect();
        (system.fill(topic), places)
    });
    Some(Meant {
        quantity,
        register,
        decode,
        heard: Where::Topics(heard.collect()),
        errors: Vec::new(),
        numbers: Numbers::Plain,
    })
}
