//! Derived meters over time: a tick, a row, an interval under way.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::expression::Expression;
use crate::domain::flow::Flow;
use crate::domain::meter::{Freshness, Meter, Park, Point, Quantity, Role};
use crate::domain::quality::{Quality, Reason};
use crate::domain::relations::{Derived, Relations};
use crate::domain::snapshot::{Reading, Value};
use crate::domain::units::MilliwattHours;
use crate::engine::Engine;
use crate::engine::record::Recorder;
use crate::wire::line_protocol::parse;

/// A hall with an oven; what neither the oven nor the half of the lift takes is `rest`.
fn park() -> Arc<Park> {
    let meter = |id: &str| Meter {
        id: id.into(),
        role: Role::named("tenant").unwrap(),
        points: vec![Point {
            quantity: Quantity::named("power").unwrap(),
            register: None,
        }],
        freshness: Freshness::Within(Duration::from_secs(5)),
        period: Duration::from_secs(if id == "rest" { 2 } else { 1 }),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    };
    Arc::new(Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: ["hall", "oven", "lift", "rest"].map(meter).to_vec(),
        every_load_metered: true,
        losses: None,
        relations: Relations {
            derived: vec![Derived {
                meter: "rest".into(),
                expression: Expression::parse("hall - oven - 0.5 * lift", &|_| true).unwrap(),
            }],
            ..Relations::default()
        },
    })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_272_000 + second).unwrap()
}

fn hear(engine: &mut Engine, second: i64, said: [Option<f64>; 3]) {
    for (meter, watts) in said.into_iter().enumerate() {
        if let Some(watts) = watts {
            engine.hear(&Reading {
                meter,
                at: at(second),
                values: vec![(0, Ok(Value::Analog(watts)))],
            });
        }
    }
}

#[test]
fn a_derived_power_is_shown_with_its_sign_and_missing_with_its_input() {
    let mut engine = Engine::new(park(), &[]);
    #[rustfmt::skip]
    let cases = [
        // situation                 hall          oven           lift        |  power           reason
        ("at work",                  Some(900.0),  Some(300.0),   Some(200.0),  Some(500.0),     None),
        ("more behind than before",  Some(100.0),  Some(300.0),   Some(200.0),  Some(-300.0),    None),
        ("the oven counts backwards",Some(900.0),  Some(-300.0),  Some(200.0),  Some(1_100.0),   None),
        ("the lift is silent",       Some(900.0),  Some(300.0),   None,         None,            Some(Reason::Stale)),
    ];
    for (step, (situation, hall, oven, lift, power, reason)) in (0..).zip(cases) {
        let second = step * 10;
        hear(&mut engine, second, [hall, oven, lift]);
        let frame = engine.tick(at(second + 1)).frame;
        let rest = &frame.meters[3];
        assert_eq!((rest.power_w, rest.reason), (power, reason), "{situation}");
        assert!(rest.quality >= Quality::Derived, "{situation}");
        assert_eq!(rest.age_s, power.map(|_| 1.0), "{situation}");
    }
    let frame = engine.tick(at(32)).frame;
    let gaps = frame.powers.of(Flow::Residual).as_ref().unwrap_err();
    assert!(gaps.meters().contains(&"lift"), "{gaps:?}");
    assert!(
        !gaps.meters().contains(&"rest"),
        "it is not what is missing"
    );
}

#[test]
fn a_derived_row_is_written_at_its_own_pace_and_is_never_heard_again() {
    let park = park();
    let (mut engine, mut recorder) = (Engine::new(Arc::clone(&park), &[]), Recorder::new(&park));
    let mut rows = Vec::new();
    for second in 0..4 {
        let lift = (second < 2).then_some(200.0);
        hear(&mut engine, second * 3, [Some(100.0), Some(300.0), lift]);
        let now = at(second * 3);
        recorder.derived(now, &engine.tick(now).frame.meters);
        rows.push(recorder.take().text);
    }
    let row = |ms: &str| format!("electricity,meter=rest,park=p,role=tenant {ms}\n");
    let expected = [
        row("power_w=-300.0,quality=3i 1780272000000"),
        String::new(),
        row("power_w=-300.0,quality=3i 1780272006000"),
        String::new(),
    ];
    assert_eq!(
        rows, expected,
        "every other second, as the slowest of its inputs"
    );
    let line = parse(rows[0].trim_end()).unwrap();
    assert_eq!(recorder.read_back(&line), None);
    recorder.derived(at(100), &engine.tick(at(100)).frame.meters);
    let silent = recorder.take().text;
    assert_eq!(silent, row("quality=7i,reason=6i 1780272100000"));
}

#[test]
fn no_entry_of_a_derived_meter_is_booked_and_the_open_interval_knows_it() {
    let mut engine = Engine::new(park(), &[]);
    let mut booked = Vec::new();
    for second in 0..1_800 {
        hear(
            &mut engine,
            second,
            [Some(3_600.0), Some(600.0), Some(1_200.0)],
        );
        let tick = engine.tick(at(second));
        booked.extend(tick.entries);
    }
    assert!(!booked.is_empty());
    assert!(booked.iter().all(|entry| *entry.meter != *"rest"));
    let open = engine.tick(at(1_800)).frame.open;
    let energies = crate::domain::derived::energies(engine.park(), &booked);
    // 3600 W less 600 W and half of 1200 W for a quarter of an hour.
    assert_eq!(
        energies[0].net.as_ref().unwrap().value,
        MilliwattHours(600_000)
    );
    assert!(!open.is_empty());
}
