//! Killed with SIGKILL in the middle, twenty times: it starts again at once, keeps what
//! it has promised, repeats nothing with another value, and the books still add up.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sunledger::sys::clock::wall;
use sunledger::wire::line_protocol::{FieldValue, ParsedLine};
use tokio::time::{Instant, sleep};

use crate::support::influx::{Influx, Key, Next, Value};
use crate::support::world::{World, next_minute, rows, wh};

const KILLS: u64 = 20;
/// Promised are two seconds; a slow machine gets five times as long.
const STARTED_WITHIN: Duration = Duration::from_secs(5 * 2);
/// Promised is one second of readings, and the reading before came up to a second
/// earlier; a slow machine gets five times as long.
const LOST_WITHIN: SignedDuration = SignedDuration::from_secs(5 + 1);

/// Whether a row is what a meter on a bus said, each second.
fn is_reading(row: &ParsedLine) -> bool {
    row.measurement == "electricity"
}

fn tag<'a>(row: &'a ParsedLine, name: &str) -> &'a str {
    let found = row.tags.iter().find(|(key, _)| key == name);
    found.map_or("", |(_, value)| value)
}

/// Every value of some rows by its key, as the receiver would keep it; no key may
/// have two values.
fn values(rows: &[ParsedLine]) -> BTreeMap<Key, Value> {
    let mut values = BTreeMap::new();
    for row in rows {
        let mut tags = row.tags.clone();
        tags.sort();
        for (field, value) in &row.fields {
            let key = Key {
                measurement: row.measurement.clone(),
                tags: tags.clone(),
                field: field.clone(),
                time_ns: row.time_ms * 1_000_000,
            };
            let value = match value {
                FieldValue::Float(value) => Value::Float(*value),
                FieldValue::Integer(value) => Value::Integer(*value),
                other => panic!("{other:?}"),
            };
            if let Some(before) = values.insert(key.clone(), value.clone()) {
                assert_eq!(before, value, "two values of {key:?}");
            }
        }
    }
    values
}

/// The readings of one register, ms and Wh, in order of time.
fn register(rows: &[ParsedLine], meter: &str, name: &str) -> Vec<(i64, f64)> {
    let number = |row: &ParsedLine, field: String| {
        let found = row.fields.iter().find(|(key, _)| *key == field)?;
        match found.1 {
            FieldValue::Integer(count) => Some(count as f64),
            FieldValue::Float(value) => Some(value),
            _ => None,
        }
    };
    let mut readings: Vec<(i64, f64)> = rows
        .iter()
        .filter(|row| tag(row, "meter") == meter)
        .filter_map(|row| {
            let count = number(row, format!("{name}_count"))?;
            let worth = number(row, format!("{name}_wh_per_count"))?;
            Some((row.time_ms, count * worth))
        })
        .collect();
    readings.sort_by_key(|reading| reading.0);
    readings
}

/// What a register showed at a boundary, on the line between its neighbours.
fn shown_at(readings: &[(i64, f64)], ms: i64) -> f64 {
    let after = readings.partition_point(|reading| reading.0 < ms);
    let (late, early) = (readings[after], readings[after.saturating_sub(1)]);
    if late.0 == ms {
        return late.1;
    }
    early.1 + (late.1 - early.1) * (ms - early.0) as f64 / (late.0 - early.0) as f64
}

#[tokio::test]
async fn killed_twenty_times_it_loses_a_second_each_and_repeats_nothing() {
    let influx = Influx::start().await;
    let mut world = World::new(&[("local", influx.url())]).await;
    world.start();
    world
        .until("the first readings are stored", |live| {
            live["stored_until"].is_string() && live["meters"][0]["power_w"].is_number()
        })
        .await;
    let from = next_minute(Duration::ZERO);
    let mut n = 0;
    // Among the kills lies the boundary between two intervals.
    while n < KILLS || wall() <= from {
        // Some of the database's answers are lost as well: what it stored comes again.
        influx.script([Next::StoreAndDrop, Next::Drop]);
        let until = Instant::now() + Duration::from_millis(1_300 + n * 377 % 1_900);
        let mut promised: Option<Timestamp> = None;
        while Instant::now() < until {
            if let Some(live) = world.live().await
                && let Some(stored) = live["stored_until"].as_str()
            {
                promised = Some(stored.parse().unwrap());
            }
            sleep(Duration::from_millis(15)).await;
        }
        let killed = world.kill().await;
        let promised = promised.expect("something was stored before it was killed");
        let heard = rows(&world.journal());
        let newest = |meter: &str| {
            let of = heard
                .iter()
                .filter(|row| is_reading(row) && tag(row, "meter") == meter);
            of.map(|row| row.time_ms).max().unwrap()
        };
        for meter in ["pcc", "pv", "turbine", "foundry"] {
            let newest = Timestamp::from_millisecond(newest(meter)).unwrap();
            assert!(
                promised.duration_since(newest) <= SignedDuration::from_secs(2),
                "{meter}: stored until {promised} was said, the last row is of {newest}"
            );
            let lost = killed.duration_since(newest);
            assert!(lost <= LOST_WITHIN, "{meter}: {lost:?} lost at kill {n}");
        }
        let begun = Instant::now();
        world.start();
        while world
            .ask("/readyz")
            .await
            .is_none_or(|answer| answer.code != 200)
        {
            assert!(begun.elapsed() < STARTED_WITHIN, "{}", world.log());
            sleep(Duration::from_millis(20)).await;
        }
        n += 1;
    }
    influx.state().script.clear();

    // The books, over all of it: what stands between the boundaries is what the
    // registers counted, and nothing was entered twice or left out.
    let to = next_minute(Duration::ZERO);
    let intervals = world.closed(from, to, |_| true).await;
    world
        .until("everything is delivered", |live| {
            live["sinks"][0]["backlog_points"] == 0
        })
        .await;
    let (code, _) = world.terminate().await;
    assert_eq!(code, Some(0), "{}", world.log());
    let heard = rows(&world.journal());
    let compared = [
        ("export", "pcc", "energy_export"),
        ("import", "pcc", "energy_import"),
        ("battery_charge", "battery", "energy_import"),
        ("battery_discharge", "battery", "energy_export"),
        ("storage_charge", "storage", "energy_import"),
        ("to_power", "turbine-heat", "heat_energy"),
    ];
    for (flow, meter, name) in compared {
        let readings = register(&heard, meter, name);
        let mut first = from;
        for interval in &intervals {
            let end = first + SignedDuration::from_mins(1);
            let shown = |at: Timestamp| shown_at(&readings, at.as_millisecond());
            let counted = shown(end) - shown(first);
            let booked = wh(std::slice::from_ref(interval), flow);
            assert!(
                (booked - counted).abs() <= 0.002,
                "{flow} of {first}: {booked} Wh in the books, {counted} Wh on the register"
            );
            first = end;
        }
        assert_eq!(first, to);
    }
    // Which of them depends on the weather and the working day.
    let flowed: f64 = compared.iter().map(|it| wh(&intervals, it.0)).sum();
    assert!(flowed > 1_000.0, "something flowed: {flowed} Wh");

    nothing_twice(&influx, &heard, &rows(&world.delivered()));
    world.end().await;
}

/// No key with two values, in the journal and at the receiver, whose answers were
/// lost; what the sink calls delivered is there, and nothing that was not journaled.
fn nothing_twice(influx: &Influx, heard: &[ParsedLine], delivered: &[ParsedLine]) {
    let journaled = values(heard);
    let state = &mut *influx.state();
    assert!(state.torn.is_empty(), "{:?}", state.torn);
    let cut_off = state.writes.iter().filter(|write| write.status == 0);
    assert!(
        cut_off.count() > 10,
        "the database's answers were lost now and then"
    );
    for (key, value) in &values(delivered) {
        assert_eq!(state.shelf().get(key), Some(value), "{key:?}");
    }
    for key in state.shelf().keys() {
        assert!(journaled.contains_key(key), "{key:?} was never journaled");
    }
}
