//! What Home Assistant is told of a park, so that nobody has to configure it there: pure.
//!
//! One retained message for the park and one for each meter, on
//! `DISCOVERY/device/ID/config`. It names the device, who says so (`origin`), and
//! under `components` each number: its place in a state, its unit, its class. **No
//! number is called a total that is not a register**, and one that is `null` in the
//! state shows as unknown: the template renders it as `None`.

use serde_json::{Map, Value as Json, json};

use super::states::{BALANCE_STANDS_S, CARRIERS, Message, message_name};
use super::topics::{Topics, object_id};
use crate::domain::flow::FLOWS;
use crate::domain::meter::{Freshness, Meter, Nature, Park, Quantity};
use crate::domain::schema;

/// How Home Assistant calls a unit of ours, and the class of what has it. A class that
/// allows no unit of ours is left out: the number is then shown without it.
#[rustfmt::skip]
const UNITS: &[(&str, &str, Option<&str>)] = &[
    ("W",    "W",    Some("power")),
    ("Wh",   "Wh",   Some("energy")),
    ("V",    "V",    Some("voltage")),
    ("A",    "A",    Some("current")),
    ("Hz",   "Hz",   Some("frequency")),
    ("VA",   "VA",   Some("apparent_power")),
    ("var",  "var",  Some("reactive_power")),
    ("varh", "varh", None),
    ("%",    "%",    None),
    ("degC", "°C",   Some("temperature")),
    ("Pa",   "Pa",   Some("pressure")),
    ("m3",   "m³",   Some("volume")),
    ("m3/h", "m³/h", Some("volume_flow_rate")),
    ("kg/s", "kg/s", None),
    ("W/m2", "W/m²", Some("irradiance")),
    ("m/s",  "m/s",  Some("speed")),
    ("m",    "m",    Some("distance")),
    ("deg",  "°",    None),
    ("s",    "s",    Some("duration")),
];

/// Quantities whose class is not that of their unit.
#[rustfmt::skip]
const CLASSES: &[(&str, &str)] = &[
    ("wind",     "wind_speed"),
    ("humidity", "humidity"),
    ("soc",      "battery"),
];

/// Quantities that only grow, beside registers of active energy.
const TOTALS: &[&str] = &["volume", "reactive_energy_import", "reactive_energy_export"];
/// Quantities that are for engineers: the time of a device is no state of it.
const UNTOLD: &[&str] = &["clock", "clock_local"];

/// Every discovery message of a park.
#[must_use]
pub fn messages(park: &Park, topics: &Topics, prefix: &str, every_s: i64) -> Vec<Message> {
    let with_rows = |carrier| {
        let mut meters = park.meters.iter();
        meters.any(|meter| meter.role.term(carrier).is_some())
    };
    let id = format!("sunledger_{}", object_id(&park.id));
    let mut components = Map::new();
    for (carrier, name) in CARRIERS.into_iter().filter(|(one, _)| with_rows(*one)) {
        for row in FLOWS.iter().filter(|row| row.carrier == carrier) {
            let field = schema::balance_field(row.live);
            let sensor = Sensor {
                name: words(row.name),
                state_topic: topics.balance(name),
                field: &field,
                unit: "W",
                class: None,
                is_total: false,
                expire_s: Some(BALANCE_STANDS_S + 3 * every_s),
            };
            let place = format!("{id}_{}", row.name);
            components.insert(place.clone(), sensor.component(&place));
        }
    }
    let park_device = json!({
        "identifiers": [id],
        "name": park.name,
        "manufacturer": "Sunledger",
        "model": "solar-thermal park",
        "sw_version": env!("CARGO_PKG_VERSION"),
    });
    let mut all = vec![message(topics, prefix, &id, &park_device, components)];
    for meter in &park.meters {
        all.push(of_meter(meter, topics, prefix, &id, every_s));
    }
    all
}

fn of_meter(meter: &Meter, topics: &Topics, prefix: &str, park: &str, every_s: i64) -> Message {
    let id = format!("{park}_{}", object_id(&meter.id));
    let stands_s = match meter.freshness {
        Freshness::Within(stands) => i64::try_from(stands.as_secs()).ok(),
        Freshness::UntilChanged => None,
    };
    let mut components = Map::new();
    for point in &meter.points {
        let Quantity {
            name,
            field,
            unit,
            nature,
            ..
        } = *point.quantity;
        if UNTOLD.contains(&name) {
            continue;
        }
        let sensor = Sensor {
            name: words(name),
            state_topic: topics.meter(&meter.id),
            field: &message_name(field, nature),
            unit,
            class: CLASSES.iter().find(|row| row.0 == name).map(|row| row.1),
            is_total: nature == Nature::Register || TOTALS.contains(&name),
            expire_s: stands_s.map(|stands| stands + 3 * every_s),
        };
        let place = format!("{id}_{name}");
        components.insert(place.clone(), sensor.component(&place));
    }
    let device = json!({
        "identifiers": [id],
        "name": &*meter.id,
        "manufacturer": "Sunledger",
        "model": meter.role.name,
        "via_device": park,
    });
    message(topics, prefix, &id, &device, components)
}

fn message(
    topics: &Topics,
    prefix: &str,
    id: &str,
    device: &Json,
    components: Map<String, Json>,
) -> Message {
    let body = json!({
        "device": device,
        "origin": { "name": "Sunledger", "sw_version": env!("CARGO_PKG_VERSION") },
        "availability_topic": topics.status(),
        "qos": 1,
        "components": components,
    });
    Message {
        topic: format!("{prefix}/device/{id}/config"),
        payload: body.to_string(),
        retain: true,
    }
}

/// One number of a device.
struct Sensor<'a> {
    name: String,
    state_topic: String,
    field: &'a str,
    unit: &'a str,
    class: Option<&'a str>,
    is_total: bool,
    expire_s: Option<i64>,
}

impl Sensor<'_> {
    fn component(&self, unique_id: &str) -> Json {
        let unit = UNITS.iter().find(|row| row.0 == self.unit);
        let class = self.class.or_else(|| unit.and_then(|row| row.2));
        let mut body = Map::new();
        let mut put = |key: &str, value: Json| body.insert(key.to_owned(), value);
        put("platform", "sensor".into());
        put("unique_id", unique_id.into());
        put("name", self.name.clone().into());
        put("state_topic", self.state_topic.clone().into());
        let template = format!("{{{{ value_json.{} }}}}", self.field);
        put("value_template", template.into());
        let state_class = if self.is_total {
            "total_increasing"
        } else {
            "measurement"
        };
        put("state_class", state_class.into());
        if let Some((_, theirs, _)) = unit {
            put("unit_of_measurement", (*theirs).into());
        }
        if let Some(class) = class {
            put("device_class", class.into());
        }
        if self.field.starts_with("power_factor") {
            put("device_class", "power_factor".into());
        }
        if let Some(seconds) = self.expire_s {
            put("expire_after", seconds.into());
        }
        Json::Object(body)
    }
}

/// A name of ours for people.
fn words(name: &str) -> String {
    let mut text = name.replace('_', " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

#[cfg(test)]
#[path = "discovery_tests.rs"]
mod tests;
