//! The books that a daemon settles, against what really flowed.
//!
//! How far they may be apart follows from what is known of the park, and is all that
//! the meters themselves leave open:
//!
//! | from | bound |
//! |---|---|
//! | registers of whole watt-hours, at both boundaries | a count, 1 Wh |
//! | an answer is from some moment of the wait for it | half a time-out of full power, at each boundary |
//! | between two readings a register is taken for a straight line | rise of power · gap² / 8, at each boundary |
//!
//! Of powers alone there is no register and no boundary: each sample may be wrong by what
//! power rises in half a time-out.

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value as Json;
use sunledger::domain::quality::Quality;
use sunledger::sys::clock::wall;

use super::simulate::Rehearsal;
use super::write;
use crate::support::daemon::Daemon;
use crate::support::http::{PATIENCE, get};

/// A settlement interval.
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const MINUTE_S: f64 = 60.0;
/// The time-out of the bus: an answer that comes later is no answer.
const TIMEOUT_S: f64 = 0.5;
/// Readings are a second apart, and further where answers fail: the longest run of
/// failures that counts here is five.
const GAP_S: f64 = 6.0;
/// A rehearsed meter of 50 kW never shows more than this, and its power rises by no more
/// than this within a second: 24 kW of swing in five minutes.
const MOST_W: f64 = 30_000.0;
const RISE_W: f64 = 24_000.0 * std::f64::consts::TAU / 300.0;
/// What a count of a register is worth.
const COUNT_WH: f64 = 1.0;

/// How far an energy between two readings of a register may be from the truth, Wh.
fn of_a_register() -> f64 {
    let moment = TIMEOUT_S / 2.0 * MOST_W / 3_600.0;
    let line = RISE_W * GAP_S * GAP_S / 8.0 / 3_600.0;
    COUNT_WH + 2.0 * (moment + line)
}

/// How far a minute of power, sampled in watts, may be from the truth, Wh.
fn of_powers() -> f64 {
    let sample = RISE_W * TIMEOUT_S / 2.0 + 0.5;
    // The trapezoid of a sine of five minutes: its curvature · gap² / 12.
    let curve = RISE_W * std::f64::consts::TAU / 300.0 * GAP_S * GAP_S / 12.0;
    (sample + curve) * MINUTE_S / 3_600.0
}

fn meter(id: &str, role: &str, unit: u8, registers: &[(&str, u8)]) -> String {
    let mut text = format!(
        "[[meter]]\nid = \"{id}\"\nrole = \"{role}\"\nbus = \"main\"\nunit = {unit}\nrated = \"50kW\"\n\
         [[meter.point]]\nquantity = \"power\"\naddress = 0\ntype = \"i32\"\n"
    );
    for (quantity, address) in registers {
        text.push_str(&format!(
            "[[meter.point]]\nquantity = \"{quantity}\"\naddress = {address}\ntype = \"u32\"\n\
             scale = {COUNT_WH:.1}\nunit = \"Wh\"\n"
        ));
    }
    text
}

/// Registers of both directions and of one, a meter with power alone, and a sensor.
fn park(dir: &Path) -> String {
    let both = [("energy_import", 2), ("energy_export", 4)];
    format!(
        "[park]\nid = \"small\"\nname = \"A park\"\ntime_zone = \"Asia/Shanghai\"\n\
         settlement_interval = \"1min\"\n\
         [store]\ndir = \"{}/real\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
         [bus.main.tcp]\nhost = \"10.1.2.3\"\ntimeout = \"{TIMEOUT_S}s\"\n\
         [broker.park]\nhost = \"10.1.2.4\"\n{}{}{}{}{}\
         [[sensor]]\nid = \"tenant-2\"\nrole = \"tenant\"\nbroker = \"park\"\ntopic = \"park/t2\"\n\
         pointer = \"/w\"\nquantity = \"power\"\nunit = \"W\"\nexpect_every = \"1s\"\n",
        dir.display(),
        meter("pcc", "grid", 1, &both),
        meter("storage", "battery", 2, &both),
        meter("roof", "pv", 3, &[("energy_export", 2)]),
        meter("tenant-1", "tenant", 4, &[("energy_import", 2)]),
        meter("roof-2", "pv", 5, &[]),
    )
}

/// What the ledger says of a channel in an interval.
#[derive(Debug)]
struct Entry {
    meter: String,
    positive: bool,
    wh: f64,
    quality: i64,
    opening: Option<i64>,
    closing: Option<i64>,
}

/// The entries of an interval, those alone that are known.
fn entries(store: &Path, start: Timestamp) -> Vec<Entry> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let ledger = Connection::open_with_flags(store.join("ledger.sqlite"), flags).unwrap();
    ledger.busy_timeout(Duration::from_secs(5)).unwrap();
    let mut rows = ledger
        .prepare(
            "SELECT meter, positive, mwh, quality, opening, closing FROM entry
             WHERE start_ms = ?1 AND end_ms = ?2 AND mwh IS NOT NULL ORDER BY meter, positive",
        )
        .unwrap();
    let ends = [start, start + MINUTE].map(Timestamp::as_millisecond);
    let read = rows.query_map(ends, |row| {
        Ok(Entry {
            meter: row.get(0)?,
            positive: row.get(1)?,
            wh: row.get::<_, i64>(2)? as f64 / 1_000.0,
            quality: row.get(3)?,
            opening: row.get(4)?,
            closing: row.get(5)?,
        })
    });
    read.unwrap().map(Result::unwrap).collect()
}

/// The lines of a file of the truth.
struct Truth(Vec<Json>);

impl Truth {
    fn read(path: &str) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines();
        Self(
            lines
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
        )
    }

    /// What it says of a meter at a whole minute.
    fn at(&self, at: Timestamp, list: &str, meter: &str, quantity: &str, value: &str) -> f64 {
        let line = self.0.iter().find(|line| line["at"] == at.to_string());
        let list = line.unwrap()[list].as_array().unwrap();
        let found = list
            .iter()
            .find(|one| one["meter"] == meter && one["quantity"] == quantity);
        found.unwrap_or_else(|| panic!("{quantity} of {meter}"))[value]
            .as_f64()
            .unwrap()
    }

    /// What really flowed through a channel between two whole minutes, Wh.
    fn between(&self, from: Timestamp, to: Timestamp, meter: &str, positive: bool) -> f64 {
        let value = if positive {
            "positive_wh"
        } else {
            "negative_wh"
        };
        let at = |at| self.at(at, "moved", meter, "power", value);
        at(to) - at(from)
    }
}

fn assert_near(said: f64, really: f64, within: f64, what: &str) {
    let off = (said - really).abs();
    assert!(
        off <= within,
        "{what}: {said} Wh in the books, {really} Wh flowed"
    );
}

/// Channels of the park: a meter, its direction, and whether it has a register.
const CHANNELS: [(&str, bool, bool); 11] = [
    ("pcc", false, true),
    ("pcc", true, true),
    ("roof", false, false),
    ("roof", true, true),
    ("roof-2", false, false),
    ("roof-2", true, false),
    ("storage", false, true),
    ("storage", true, true),
    ("tenant-1", true, true),
    ("tenant-2", false, false),
    ("tenant-2", true, false),
];
/// Flows of an interval, and the channels that they are made of.
const FLOWS: [(&str, &[(&str, bool)]); 5] = [
    ("import", &[("pcc", true)]),
    ("export", &[("pcc", false)]),
    ("generation", &[("roof", true), ("roof-2", true)]),
    ("battery_discharge", &[("storage", true)]),
    ("battery_charge", &[("storage", false)]),
];

/// Answers that are late or in pieces, and refusals, change no energy.
#[tokio::test]
async fn settled_books_are_what_really_flowed() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), "park.toml", &park(dir.path()));
    let out = dir.path().join("rehearsal.toml");
    let truth = dir.path().join("truth.jsonl").display().to_string();
    let arguments = [
        "--write-config",
        out.to_str().unwrap(),
        "--truth",
        &truth,
        "--fault",
        "late:main:5%",
        "--fault",
        "busy:main:24:1",
        "--fault",
        "split:main:9:1ms",
    ];
    let park = Rehearsal::start(&config, &arguments).await;
    let daemon = Daemon::run(&out).await;
    daemon
        .until("everyone", |live| {
            let meters = live["meters"].as_array().unwrap();
            meters.len() == 6 && meters.iter().all(|meter| meter["quality"] == "good")
        })
        .await;

    let begun = wall().as_second().div_euclid(60) + 1;
    let start = Timestamp::from_second(begun * 60).unwrap();
    let (middle, end) = (start + MINUTE, start + MINUTE * 2);
    let left = Duration::try_from(end.duration_since(wall())).unwrap();
    tokio::time::sleep(left).await;

    // The first minute is closed a minute after it, the second is known at once.
    let store = dir.path().join("rehearsal.toml.data");
    let asked = format!("/api/v1/intervals?from={start}&to={middle}");
    let closed = async {
        loop {
            let said = get(daemon.address, &asked).await.json();
            let interval = said["intervals"][0].clone();
            if interval["state"] == "closed" && entries(&store, middle).len() == CHANNELS.len() {
                return interval;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let closed = tokio::time::timeout(PATIENCE, closed).await;
    let said = || format!("{:?}\n{}", entries(&store, middle), daemon.err());
    let interval = closed.unwrap_or_else(|_| panic!("{}", said()));
    assert_eq!(daemon.end("TERM").await.code, Some(0));
    assert_eq!(park.end().await, Some(0));

    let truth = Truth::read(&truth);
    let (first, second) = (entries(&store, start), entries(&store, middle));
    for (list, from) in [(&first, start), (&second, middle)] {
        let found: Vec<(&str, bool)> = list
            .iter()
            .map(|entry| (entry.meter.as_str(), entry.positive))
            .collect();
        assert_eq!(
            found,
            CHANNELS.map(|(meter, positive, _)| (meter, positive))
        );
        for (entry, (meter, positive, has_register)) in list.iter().zip(CHANNELS) {
            let really = truth.between(from, from + MINUTE, meter, positive);
            let within = if has_register {
                of_a_register()
            } else {
                of_powers()
            };
            assert_near(entry.wh, really, within, &format!("{entry:?} from {from}"));
            let best = if has_register || entry.wh == 0.0 {
                Quality::Good
            } else {
                Quality::Derived
            };
            assert_eq!(entry.quality, best.code(), "{entry:?}");
        }
    }
    // Both minutes together are as near as one: what a boundary gives to the one it
    // takes from the other.
    for ((one, other), (meter, positive, has_register)) in first.iter().zip(&second).zip(CHANNELS) {
        if has_register {
            assert_eq!(one.closing, other.opening, "{meter} {positive}");
            let really = truth.between(start, end, meter, positive);
            assert_near(one.wh + other.wh, really, of_a_register(), meter);
        }
        let register = ["energy_import", "energy_export"]
            [usize::from(positive == ["roof", "storage"].contains(&meter))];
        if has_register {
            let at = |at| truth.at(at, "flowed", meter, register, "wh");
            let counted = at(end) - at(start);
            assert_near(
                counted,
                truth.between(start, end, meter, positive),
                1e-6,
                meter,
            );
        }
    }
    for (flow, channels) in FLOWS {
        let said = interval["flows"][flow]["wh"].as_str().unwrap();
        let really = channels
            .iter()
            .map(|(meter, positive)| truth.between(start, middle, meter, *positive));
        let within = channels.len() as f64 * of_a_register();
        assert_near(said.parse().unwrap(), really.sum(), within, flow);
    }
    // It is no park at rest that was settled.
    for (meter, ..) in CHANNELS {
        let moved = [true, false].map(|positive| truth.between(start, end, meter, positive));
        assert!(moved.iter().sum::<f64>() > 20.0, "{meter}: {moved:?}");
    }
}
