//! What subscribers are told, row by row.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::meter::{Point, Quantity, RegisterKind, Role};
use crate::domain::units::CountUnit;
use crate::wire::line_protocol::parse;

const AT: i64 = 1_780_468_327_000;

fn park() -> Arc<Park> {
    let meter = |id: &str, role: &str, quantities: &[&str], freshness| Meter {
        id: id.into(),
        role: Role::named(role).unwrap(),
        points: quantities
            .iter()
            .map(|name| {
                let quantity = Quantity::named(name).unwrap();
                let unit = CountUnit::new(2_500_000, 9).unwrap();
                let register = RegisterKind {
                    unit,
                    modulus: None,
                    told: false,
                };
                Point {
                    quantity,
                    register: (quantity.nature == Nature::Register).then_some(register),
                }
            })
            .collect(),
        freshness,
        period: Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    };
    let within = Freshness::Within(Duration::from_secs(5));
    Arc::new(Park {
        id: "fanshi".into(),
        name: "Fanshi".into(),
        time_zone: jiff::tz::TimeZone::get("Asia/Shanghai").unwrap(),
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: vec![
            meter("pcc", "grid", &["power", "energy_import"], within),
            meter(
                "tank",
                "monitor",
                &["temp", "temp_1"],
                Freshness::UntilChanged,
            ),
        ],
        every_load_metered: false,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    })
}

fn states() -> States {
    States::new(
        &park(),
        &Topics::new("sunledger", "fanshi"),
        &["local".into()],
    )
}

fn row(text: &str) -> ParsedLine {
    parse(text).unwrap()
}

/// The one message that waits, as topic and body.
fn told(states: &mut States) -> (String, Json) {
    let mut messages = states.waiting();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let message = messages.remove(0);
    assert!(message.retain);
    (
        message.topic,
        serde_json::from_str(&message.payload).unwrap(),
    )
}

#[test]
fn a_reading_is_told_with_the_energy_of_its_register() {
    let mut states = states();
    let line = format!(
        "electricity,meter=pcc,park=fanshi,role=grid power_w=-412000.5,energy_import_count=123456789i,energy_import_wh_per_count=10.0,quality=0i {AT}"
    );
    assert_eq!(states.take(&row(&line)), Taken::Newest);
    let (topic, body) = told(&mut states);
    assert_eq!(topic, "sunledger/fanshi/meter/pcc");
    let expected = json!({
        "at": "2026-06-03T14:32:07+08:00", "role": "grid", "quality": "good", "reason": null,
        "power_w": -412_000.5, "energy_import_wh": 1_234_567_890.0,
    });
    assert_eq!(body, expected);
    assert!(states.waiting().is_empty(), "it goes out once");
}

#[test]
fn what_is_not_known_is_null_and_never_zero() {
    let key = "electricity,meter=pcc,park=fanshi,role=grid";
    #[rustfmt::skip]
    let cases = [
        // row                                                    power         quality    reason
        ("power_w=0.0,quality=0i",                                json!(0.0),   "good",    Json::Null),
        ("quality=7i,reason=0i",                                  Json::Null,   "missing", json!("timeout")),
        ("energy_import_count=5i,energy_import_wh_per_count=10.0,quality=7i,reason=1i",
                                                                  Json::Null,   "missing", json!("exception")),
        // A part of a sensor's message says nothing of the rest.
        ("energy_import_count=5i,energy_import_wh_per_count=10.0,quality=0i",
                                                                  json!(7.0),   "good",    Json::Null),
    ];
    for (fields, power, quality, reason) in cases {
        let mut states = states();
        let _ = states.take(&row(&format!(
            "{key} power_w=7.0,quality=0i {}",
            AT - 1_000
        )));
        let _ = states.take(&row(&format!("{key} {fields} {AT}")));
        let (_, body) = told(&mut states);
        assert_eq!(body["power_w"], power, "{fields}");
        assert_eq!(body["quality"], quality, "{fields}");
        assert_eq!(body["reason"], reason, "{fields}");
        assert!(body.as_object().unwrap().contains_key("energy_import_wh"));
    }
}

#[test]
fn a_balance_tells_every_flow_of_its_carrier() {
    let mut states = states();
    let line =
        format!("balance,carrier=heat,park=fanshi solar_field_w=1.5,losses_w=-2.0,quality=7i {AT}");
    let _ = states.take(&row(&line));
    let (topic, body) = told(&mut states);
    assert_eq!(topic, "sunledger/fanshi/balance/heat");
    let expected = json!({
        "at": "2026-06-03T14:32:07+08:00", "quality": "missing", "reason": null,
        "solar_field_w": 1.5, "boilers_w": null, "electric_boiler_w": null, "heat_pump_w": null,
        "storage_charge_w": null, "storage_discharge_w": null, "to_power_w": null,
        "supplied_w": null, "losses_w": -2.0, "residual_w": null,
    });
    assert_eq!(body, expected);
}

#[test]
fn a_number_that_nobody_renews_becomes_unknown_once() {
    let mut states = states();
    let pcc = "electricity,meter=pcc,park=fanshi,role=grid power_w=7.0,quality=0i";
    let tank = "monitor,meter=tank,park=fanshi,role=monitor temp_degc=61.0,quality=0i";
    let _ = states.take(&row(&format!("{pcc} {AT}")));
    let _ = states.take(&row(&format!("{tank} {AT}")));
    assert_eq!(states.waiting().len(), 2);
    states.expire(AT + 5_000);
    assert!(states.waiting().is_empty(), "it stands for five seconds");
    states.expire(AT + 5_001);
    let (topic, body) = told(&mut states);
    assert_eq!(
        topic, "sunledger/fanshi/meter/pcc",
        "the tank speaks on change alone"
    );
    assert_eq!(body["power_w"], Json::Null);
    assert_eq!(
        (&body["quality"], &body["reason"]),
        (&json!("missing"), &json!("stale"))
    );
    states.expire(AT + 60_000);
    assert!(states.waiting().is_empty(), "said once");
    let _ = states.take(&row(&format!("{pcc} {}", AT + 61_000)));
    assert_eq!(told(&mut states).1["power_w"], 7.0, "and known again");
}

#[test]
fn settled_intervals_go_out_each_in_order_and_are_not_kept() {
    let mut states = states();
    let line = |revision: i64, fields: &str| {
        format!(
            "interval,flow=import,park=fanshi,revision={revision} {fields},quality=2i,length_s=900i {AT}"
        )
    };
    let known = line(1, "wh=12345.678,mwh=12345678i,coverage_pct=99.5");
    let unknown = "interval,flow=heat_losses,park=fanshi,revision=2 quality=7i,length_s=900i";
    let mut out = Vec::new();
    for text in [
        known,
        line(2, "wh=0.0,mwh=0i,coverage_pct=100.0"),
        format!("{unknown} {AT}"),
    ] {
        match states.take(&row(&text)) {
            Taken::Settled(message) => out.push(message),
            other => panic!("{other:?}"),
        }
    }
    let expected = [
        (
            "import",
            json!({"start": "2026-06-03T14:32:07+08:00", "end": "2026-06-03T14:47:07+08:00",
            "flow": "import", "revision": 1, "wh": 12_345.678, "mwh": 12_345_678,
            "coverage_pct": 99.5, "quality": "estimated"}),
        ),
        (
            "import",
            json!({"start": "2026-06-03T14:32:07+08:00", "end": "2026-06-03T14:47:07+08:00",
            "flow": "import", "revision": 2, "wh": 0.0, "mwh": 0,
            "coverage_pct": 100.0, "quality": "estimated"}),
        ),
        (
            "heat_losses",
            json!({"start": "2026-06-03T14:32:07+08:00", "end": "2026-06-03T14:47:07+08:00",
            "flow": "heat_losses", "revision": 2, "wh": null, "mwh": null,
            "coverage_pct": null, "quality": "missing"}),
        ),
    ];
    for (message, (flow, body)) in out.iter().zip(expected) {
        assert_eq!(message.topic, format!("sunledger/fanshi/interval/{flow}"));
        assert!(!message.retain, "one of many is no state");
        assert_eq!(
            serde_json::from_str::<Json>(&message.payload).unwrap(),
            body
        );
    }
    assert!(states.waiting().is_empty());
}

#[test]
fn a_late_reading_and_a_row_of_nobody_are_no_state() {
    #[rustfmt::skip]
    let cases = [
        ("electricity,meter=pcc,park=fanshi,role=grid power_w=7.0,quality=5i", "late"),
        ("electricity,meter=pcc,park=fanshi,role=grid power_w=7.0,quality=5i,reason=7i", "of an unknown time"),
        ("electricity,meter=gone,park=fanshi,role=grid power_w=7.0,quality=0i", "no longer configured"),
        ("heat,meter=pcc,park=fanshi,role=grid power_w=7.0,quality=0i", "another role by now"),
        ("sunledger,park=fanshi dropped_points=9i", "the marker of a gap"),
    ];
    for (text, why) in cases {
        let mut states = states();
        assert_eq!(
            states.take(&row(&format!("{text} {AT}"))),
            Taken::PassedOver,
            "{why}"
        );
        assert!(states.waiting().is_empty(), "{why}");
    }
}

#[test]
fn the_report_of_the_daemon_is_a_state_of_its_own() {
    let mut states = states();
    let line = format!("sunledger,park=fanshi backlog_points=9i,lost_points=0i {AT}");
    let _ = states.take(&row(&line));
    let (topic, body) = told(&mut states);
    assert_eq!(topic, "sunledger/fanshi/health");
    assert_eq!(
        (&body["backlog_points"], &body["lost_points"]),
        (&json!(9), &json!(0))
    );
    assert_eq!(body["oldest_age_s"], Json::Null);
    assert!(body.get("dropped_points").is_none() && body.get("quality").is_none());
    let line =
        format!("sunledger_sink,park=fanshi,sink=local backlog_points=1i,oldest_age_s=2.5 {AT}");
    let _ = states.take(&row(&line));
    let (topic, body) = told(&mut states);
    assert_eq!(
        (&*topic, &body["oldest_age_s"]),
        ("sunledger/fanshi/health/local", &json!(2.5))
    );
}

#[test]
fn what_the_broker_lost_goes_out_again() {
    let mut states = states();
    let pcc = "electricity,meter=pcc,park=fanshi,role=grid power_w=7.0,quality=0i";
    let _ = states.take(&row(&format!("{pcc} {AT}")));
    let first = states.waiting();
    states.again();
    assert_eq!(
        states.waiting(),
        first,
        "and nothing of which nothing is known"
    );
}

proptest! {
    /// In whatever order rows come, and however often they are read, the newest is told,
    /// and each that is not told is counted.
    #[test]
    fn the_newest_row_is_told_and_the_others_are_counted(
        times in proptest::collection::vec(0_i64..20, 1..40),
    ) {
        let mut states = states();
        let (mut newest, mut told_rows) = (i64::MIN, 0);
        let mut passed = 0;
        for (place, at) in times.iter().enumerate() {
            let text = format!("electricity,meter=pcc,park=fanshi,role=grid power_w={at}.0,quality=0i {}", AT + at);
            match states.take(&row(&text)) {
                Taken::Newest => (),
                Taken::Known => {
                    prop_assert_eq!(*at, newest);
                    passed += 1;
                },
                Taken::Replaced | Taken::PassedOver => passed += 1,
                Taken::Settled(_) => prop_assert!(false),
            }
            newest = newest.max(*at);
            if place % 3 == 2 {
                told_rows += states.waiting().len();
            }
        }
        told_rows += states.waiting().len();
        prop_assert_eq!(told_rows + passed, times.len());
        states.again();
        let (_, body) = told(&mut states);
        prop_assert_eq!(&body["power_w"], &Json::from(crate::domain::units::to_f64(newest)));
    }
}
