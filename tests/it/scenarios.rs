//! What a real park does, with an oracle that knows what was said.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use sunledger::config;
use sunledger::domain::quality::Reason;
use sunledger::domain::snapshot::{Reading, Value};
use sunledger::engine::Engine;
use sunledger::source::Heard;

use crate::modbus::{Source, poll, settings};
use crate::support::hostile::Hostile;

/// A time-out, and a period of four of them.
const TIMEOUT_MS: u64 = 250;
const PERIOD_MS: u64 = 1_000;
/// A machine that leaves this test alone for so long proves nothing of the daemon.
const STALL: Duration = Duration::from_millis(250);

/// The longest time for which nothing was run here, until it is told to stop.
fn stalls() -> (Arc<AtomicBool>, tokio::task::JoinHandle<Duration>) {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let watch = tokio::spawn(async move {
        let (step, mut longest) = (Duration::from_millis(20), Duration::ZERO);
        while !told.load(Ordering::SeqCst) {
            let before = Instant::now();
            tokio::time::sleep(step).await;
            longest = longest.max(before.elapsed().saturating_sub(step));
        }
        longest
    });
    (stop, watch)
}

#[tokio::test(flavor = "multi_thread")]
async fn five_dead_units_of_twenty_cost_a_twentieth_of_bus_time_and_come_back() {
    let mended = Arc::new(AtomicBool::new(false));
    let is_mended = Arc::clone(&mended);
    let server = Hostile::start(move |ask| {
        if ask.unit > 15 && !is_mended.load(Ordering::SeqCst) {
            vec![]
        } else {
            ask.honest()
        }
    })
    .await;
    let polls = (1..=20).map(|unit| poll(usize::from(unit), unit, PERIOD_MS, &[u16::from(unit)]));
    let mut source = Source::start(settings(server.port, TIMEOUT_MS, polls.collect()));
    // The first round is how the dead become known.
    let mut known = BTreeMap::new();
    while known.len() < 20 {
        let heard = source.next().await;
        known.insert(heard.meter, heard.values);
    }
    // From one poll of a living unit to another, so that periods are whole.
    let polled = |heard: &Heard| heard.meter == 15;
    while !polled(&source.next().await) {}
    let mut trials = 0;
    loop {
        let (began, asked) = (Instant::now(), server.asks().len());
        let (stop, watch) = stalls();
        let mut gaps = 0;
        loop {
            let heard = source.next().await;
            for (_, value) in &heard.values {
                match (heard.meter, *value) {
                    (16.., said) => {
                        assert_eq!(said, Err(Reason::Timeout));
                        gaps += 1;
                    }
                    (unit, said) => {
                        let own = f64::from(u32::try_from(unit).unwrap());
                        assert_eq!(said, Ok(Value::Analog(own)), "unit {unit}");
                    }
                }
            }
            if polled(&heard) && began.elapsed() > Duration::from_secs(20) {
                break;
            }
        }
        let elapsed = began.elapsed().as_secs_f64();
        let asks = server.asks().split_off(asked);
        stop.store(true, Ordering::SeqCst);
        trials += 1;
        if watch.await.unwrap() > STALL && trials < 5 {
            continue;
        }
        let (dead, living): (Vec<_>, Vec<_>) = asks.iter().partition(|ask| ask.unit > 15);
        let count = |asks: &[_]| f64::from(u32::try_from(asks.len()).unwrap());
        let cost = count(&dead) * f64::from(u32::try_from(TIMEOUT_MS).unwrap()) / 1e3;
        assert!(
            !dead.is_empty() && cost <= 0.05 * elapsed,
            "{} questions to dead units, {cost} s of {elapsed} s",
            dead.len()
        );
        let periods = (elapsed * 1e3 / f64::from(u32::try_from(PERIOD_MS).unwrap())).round();
        let cadence = count(&living) / (15.0 * periods);
        assert!(cadence >= 0.99, "{cadence} of {periods} periods");
        // Each of the dead is a gap in each period, asked or not.
        let silent = f64::from(gaps) / (5.0 * periods);
        assert!(silent >= 0.99, "{silent} of {periods} periods");
        break;
    }
    mended.store(true, Ordering::SeqCst);
    loop {
        let heard = source.next().await;
        if heard.meter == 18 && heard.values[0].1.is_ok() {
            break;
        }
    }
}

/// A tenant of 3.6 MW: 1,000 Wh a second in a register of 32 bits, and a voltage.
const PARK: &str = r#"
[park]
id = "p"
time_zone = "UTC"
settlement_interval = "1min"
latitude = 1.0
longitude = 1.0
[store]
dir = "/nowhere"
[web]
listen = "127.0.0.1:0"
[bus.main.tcp]
host = "127.0.0.1"
[[meter]]
id = "t"
role = "tenant"
bus = "main"
rated = "5MW"
[[meter.point]]
quantity = "energy_import"
address = 0
type = "u32"
unit = "Wh"
not_available = [0xFFFFFFFF]
[[meter.point]]
quantity = "voltage_l1"
address = 2
type = "u16"
scale = 0.1
unit = "V"
not_available = [0xFFFF]
[[meter.point]]
quantity = "voltage_l2"
address = 3
type = "f32"
unit = "V"
[[meter.point]]
quantity = "temp"
address = 5
type = "i32"
scale = 0.1
unit = "degC"
not_available = [0x7FFFFFFF]
"#;

/// What the register shows in a second: it rolls over at second 200, shows 65535 at 265
/// and begins anew at 400.
fn shown(second: i64) -> u32 {
    let count = if second < 400 {
        (1_i64 << 32) + 65_535 - 265_000 + 1_000 * second
    } else {
        1_000 * (second - 400)
    };
    u32::try_from(count % (1 << 32)).unwrap()
}

#[test]
fn sentinels_spikes_a_rollover_and_a_reset_leave_the_energy_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("park.toml");
    std::fs::write(&path, PARK).unwrap();
    let setup = config::load(&path).unwrap_or_else(|error| panic!("{error}: {error:?}"));
    let poll = &setup.buses[0].polls[0];
    let mut engine = Engine::new(Arc::clone(&setup.park), &[]);
    let start: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
    let mut booked = BTreeMap::new();
    let mut said = BTreeMap::new();
    for second in 0..720 {
        let at = start + SignedDuration::from_secs(second);
        let energy = match second {
            60..=62 => u32::MAX,
            90 => shown(90).wrapping_add(2_000_000_000),
            120 => 7,
            _ => shown(second),
        };
        let voltage = if second == 70 { 0xFFFF } else { 2_301 };
        let float = if second == 80 { f32::NAN } else { 230.5 }.to_bits();
        let temp = if second == 75 {
            0x7FFF_FFFF
        } else {
            65_535_u32
        };
        let word = |bits: u32, high: bool| {
            u16::try_from(if high { bits >> 16 } else { bits & 0xFFFF }).unwrap()
        };
        let words = [
            word(energy, true),
            word(energy, false),
            voltage,
            word(float, true),
            word(float, false),
            word(temp, true),
            word(temp, false),
        ];
        let values: Vec<_> = poll
            .points
            .iter()
            .map(|(point, layout)| (*point, layout.value(0, &words, &[])))
            .collect();
        for (point, value) in &values {
            said.insert((second, *point), *value);
        }
        engine.hear(&Reading {
            meter: 0,
            at,
            values,
        });
        for entry in engine.tick(at + SignedDuration::from_millis(300)).entries {
            booked.insert(entry.span.start, entry.energy);
        }
    }
    let gap = Err(Reason::NotAvailable);
    assert_eq!(said[&(61, 0)], gap);
    assert_eq!(
        said[&(265, 0)],
        Ok(Value::Count(65_535)),
        "a number in two registers"
    );
    assert_eq!(said[&(70, 1)], gap);
    assert_eq!(said[&(71, 1)], Ok(Value::Analog(230.1)));
    assert_eq!(said[&(80, 2)], gap);
    assert_eq!(said[&(75, 3)], gap);
    assert_eq!(said[&(76, 3)], Ok(Value::Analog(6_553.5)));
    // Ten whole minutes: 60 kWh each, through sentinels, spikes and the rollover. The
    // minute of the reset lacks the one step that nobody can know.
    for minute in 0..10 {
        let wh = booked[&(start + SignedDuration::from_mins(minute))]
            .unwrap()
            .as_watt_hours();
        let expected = if minute == 6 { 59_000.0 } else { 60_000.0 };
        assert!((wh - expected).abs() < 0.01, "minute {minute}: {wh} Wh");
    }
}
