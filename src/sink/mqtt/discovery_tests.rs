//! What Home Assistant demands of a discovery message, against every quantity there is.
//!
//! The demands are those of its documentation of MQTT (topic, `device`, `origin`,
//! `components` with `platform` and `unique_id`) and of its sensors (which units and
//! which state classes a device class allows).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::meter::{Point, QUANTITIES, Role};

/// A device class with its units and its state classes.
#[rustfmt::skip]
const THEIRS: &[(&str, &[&str], &[&str])] = &[
    ("power",            &["W"],     &["measurement"]),
    ("energy",           &["Wh"],    &["total", "total_increasing"]),
    ("voltage",          &["V"],     &["measurement"]),
    ("current",          &["A"],     &["measurement"]),
    ("frequency",        &["Hz"],    &["measurement"]),
    ("apparent_power",   &["VA"],    &["measurement"]),
    ("reactive_power",   &["var"],   &["measurement"]),
    ("power_factor",     &["", "%"], &["measurement"]),
    ("temperature",      &["°C"],    &["measurement"]),
    ("pressure",         &["Pa"],    &["measurement"]),
    ("volume",           &["m³"],    &["total", "total_increasing"]),
    ("volume_flow_rate", &["m³/h"],  &["measurement"]),
    ("irradiance",       &["W/m²"],  &["measurement"]),
    ("speed",            &["m/s"],   &["measurement"]),
    ("wind_speed",       &["m/s"],   &["measurement"]),
    ("distance",         &["m"],     &["measurement", "total", "total_increasing"]),
    ("humidity",         &["%"],     &["measurement"]),
    ("battery",          &["%"],     &["measurement"]),
];

fn park() -> Park {
    let meter = |id: &str, role: &str, quantities: &[&str], freshness| Meter {
        id: id.into(),
        role: Role::named(role).unwrap(),
        points: quantities
            .iter()
            .map(|name| Point {
                quantity: Quantity::named(name).unwrap(),
                register: None,
            })
            .collect(),
        freshness,
        period: Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    };
    let all: Vec<&str> = QUANTITIES.iter().map(|quantity| quantity.name).collect();
    let within = Freshness::Within(Duration::from_secs(30));
    Park {
        id: "繁峙.1".into(),
        name: "Fanshi".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: vec![
            meter("pcc", "grid", &all, within),
            meter("valve.1", "monitor", &["status"], Freshness::UntilChanged),
        ],
        every_load_metered: false,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    }
}

fn told() -> Vec<(Message, Json)> {
    let park = park();
    let topics = Topics::new("sunledger", &park.id);
    let messages = messages(&park, &topics, "homeassistant", 5);
    messages
        .into_iter()
        .map(|message| {
            let body = serde_json::from_str(&message.payload).unwrap();
            (message, body)
        })
        .collect()
}

fn components(body: &Json) -> &Map<String, Json> {
    body["components"].as_object().unwrap()
}

#[test]
fn a_device_has_one_message_with_all_that_is_demanded() {
    let told = told();
    assert_eq!(told.len(), 3, "the park and its two meters");
    let mut unique = BTreeSet::new();
    let mut devices = BTreeSet::new();
    for (message, body) in &told {
        assert!(message.retain, "Home Assistant may start after us");
        let levels: Vec<&str> = message.topic.split('/').collect();
        let [prefix, component, object_id, config] = levels[..] else {
            panic!("{}", message.topic);
        };
        assert_eq!(
            (prefix, component, config),
            ("homeassistant", "device", "config")
        );
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        assert!(object_id.chars().all(allowed), "{object_id}");
        assert!(body["origin"]["name"].is_string());
        assert!(body["device"]["name"].is_string());
        let identifier = body["device"]["identifiers"][0].as_str().unwrap();
        assert!(devices.insert(identifier.to_owned()), "{identifier} twice");
        assert_eq!(body["availability_topic"], "sunledger/繁峙.1/status");
        assert!(!components(body).is_empty());
        for (place, sensor) in components(body) {
            assert_eq!(sensor["platform"], "sensor");
            let id = sensor["unique_id"].as_str().unwrap();
            assert!(unique.insert(id.to_owned()), "{id} twice");
            assert_eq!(place, id);
            assert!(
                sensor["state_topic"]
                    .as_str()
                    .unwrap()
                    .starts_with("sunledger/繁峙.1/")
            );
        }
    }
    let park_id = told[0].1["device"]["identifiers"][0].clone();
    for (_, body) in &told[1..] {
        assert_eq!(body["device"]["via_device"], park_id);
    }
}

#[test]
fn units_and_classes_are_those_that_home_assistant_allows() {
    let mut classes = BTreeSet::new();
    for (_, body) in told() {
        for (id, sensor) in components(&body) {
            let state_class = sensor["state_class"].as_str().unwrap();
            assert!(
                ["measurement", "total_increasing"].contains(&state_class),
                "{id}"
            );
            let Some(class) = sensor["device_class"].as_str() else {
                continue;
            };
            let (_, units, states) = THEIRS
                .iter()
                .find(|row| row.0 == class)
                .unwrap_or_else(|| panic!("{id}: {class}"));
            let unit = sensor["unit_of_measurement"].as_str().unwrap_or_default();
            assert!(units.contains(&unit), "{id}: {class} in {unit:?}");
            assert!(
                states.contains(&state_class),
                "{id}: {class} is {state_class}"
            );
            classes.insert(class.to_owned());
        }
    }
    assert_eq!(classes.len(), THEIRS.len(), "each row is used: {classes:?}");
}

#[test]
fn every_quantity_has_a_unit_that_is_known_there() {
    for quantity in QUANTITIES {
        let known = UNITS.iter().any(|row| row.0 == quantity.unit);
        assert!(
            known || quantity.unit.is_empty(),
            "{}: {}",
            quantity.name,
            quantity.unit
        );
    }
}

#[test]
fn a_template_names_what_stands_in_the_state() {
    use crate::sink::mqtt::states::States;
    use crate::wire::line_protocol::parse;
    let park = Arc::new(park());
    let topics = Topics::new("sunledger", &park.id);
    let mut states = States::new(&park, &topics, &[]);
    let key = "park=p";
    for line in [
        format!("electricity,meter=pcc,{key},role=grid quality=7i,reason=0i 1"),
        format!("monitor,meter=valve.1,{key},role=monitor quality=7i,reason=0i 1"),
        format!("balance,carrier=electricity,{key} quality=7i 1"),
    ] {
        let _ = states.take(&parse(&line).unwrap());
    }
    let bodies: std::collections::BTreeMap<String, Json> = states
        .waiting()
        .into_iter()
        .map(|one| (one.topic, serde_json::from_str(&one.payload).unwrap()))
        .collect();
    for (_, told) in told() {
        for (id, sensor) in components(&told) {
            let template = sensor["value_template"].as_str().unwrap();
            let field = template
                .strip_prefix("{{ value_json.")
                .and_then(|rest| rest.strip_suffix(" }}"))
                .unwrap();
            let body = &bodies[sensor["state_topic"].as_str().unwrap()];
            // Present and null: it renders as `None`, which is unknown there.
            assert_eq!(body.get(field), Some(&Json::Null), "{id}");
        }
    }
}

#[test]
fn a_number_expires_where_its_meter_has_to_speak_and_nowhere_else() {
    let told = told();
    let expire = |message: usize, id: &str| {
        let all = components(&told[message].1);
        let sensor = all.iter().find(|(place, _)| place.ends_with(id)).unwrap();
        sensor.1.get("expire_after").and_then(Json::as_i64)
    };
    assert_eq!(expire(0, "_import"), Some(75));
    assert_eq!(expire(1, "_pcc_power"), Some(45));
    assert_eq!(expire(2, "_status"), None);
}
