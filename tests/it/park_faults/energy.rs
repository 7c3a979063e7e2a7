//! Registers that say nothing, jump, roll over and begin anew, and the books of them.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use sunledger::domain::quality::{Quality, Reason};
use sunledger::wire::line_protocol::{FieldValue, ParsedLine};

use super::PATIENCE;
use super::tenants::{COUNTS_PER_WH, METERS, flowed, start};
use crate::backlog::field;
use crate::support::store::journaled;
use crate::support::world::{next_minute, sleep_until_wall};

/// What one count too many of a spike is worth: 10 kWh.
const SPIKE: i64 = 1_000_000;

/// What the books say of a meter in a minute.
#[derive(Debug)]
struct Booked {
    mwh: Option<i64>,
    quality: i64,
    coverage_pct: f64,
}

fn booked(data: &Path, meter: &str, start: Timestamp) -> Option<Booked> {
    let ledger = rusqlite::Connection::open(data.join("ledger.sqlite")).unwrap();
    let sql = "SELECT mwh, quality, coverage_pct FROM entry
               WHERE meter = ?1 AND start_ms = ?2 AND positive = 1";
    let of = |row: &rusqlite::Row<'_>| {
        Ok(Booked {
            mwh: row.get(0)?,
            quality: row.get(1)?,
            coverage_pct: row.get(2)?,
        })
    };
    ledger
        .query_row(sql, rusqlite::params![meter, start.as_millisecond()], of)
        .ok()
}

fn quality(row: &ParsedLine) -> i64 {
    match field(row, "quality") {
        Some(FieldValue::Integer(code)) => *code,
        other => panic!("{other:?}"),
    }
}

fn count(row: &ParsedLine) -> Option<i64> {
    match field(row, "energy_import_count")? {
        FieldValue::Integer(count) => Some(*count),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_of_a_minute_are_what_flowed_whatever_the_registers_show_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (park, daemon) = start(dir.path()).await;
    daemon
        .until("everyone", |live| {
            let meters = live["meters"].as_array().unwrap();
            meters.len() == METERS.len() && meters.iter().all(|one| one["quality"] == "good")
        })
        .await;
    // The one counter is exchanged for one that turns over within the minute to come.
    let minute = next_minute(Duration::from_secs(5));
    let end = minute + SignedDuration::from_mins(1);
    let turns = minute + SignedDuration::from_secs(15);
    let left = flowed(&park, "rolls-over", turns) - flowed(&park, "rolls-over", park.now());
    let below = (left * COUNTS_PER_WH) as i64;
    let fault = format!("counter-exchange:rolls-over:{}", (1_i64 << 32) - below);
    park.faults().on(&fault).unwrap();

    sleep_until_wall(minute + SignedDuration::from_secs(3)).await;
    let began = park.now();
    park.faults().on("sentinels:silent").unwrap();
    park.faults()
        .on(&format!("spike:spikes:5:{SPIKE}"))
        .unwrap();
    park.faults().on("counter-reset:begins-anew").unwrap();
    sleep_until_wall(minute + SignedDuration::from_secs(9)).await;
    park.faults().off("*").unwrap();
    let mended = park.now();
    // A minute's entries are written with the first reading of the next.
    sleep_until_wall(end).await;
    let waiting = Instant::now();
    while !METERS
        .iter()
        .all(|meter| booked(&data, meter, minute).is_some())
    {
        assert!(waiting.elapsed() < PATIENCE, "{}", daemon.err());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(daemon.end("TERM").await.code, Some(0));

    let good = Quality::Good.code();
    for meter in METERS {
        let Some(booked) = booked(&data, meter, minute) else {
            panic!("{meter} is booked")
        };
        let wh = booked.mwh.expect(meter) as f64 / 1e3;
        let truth = flowed(&park, meter, end) - flowed(&park, meter, minute);
        println!("{meter}: {booked:?}, {truth} Wh flowed");
        assert!(truth > 50.0, "{meter}: {truth} Wh flowed");
        assert!(
            (wh - truth).abs() < 0.02 * truth,
            "{meter}: {booked:?}, {truth} Wh flowed"
        );
        assert_eq!(booked.coverage_pct, 100.0, "{meter}");
        // Nobody knows what flowed between the last reading and a register's new beginning.
        let expected = if meter == "begins-anew" {
            Quality::Suspect.code()
        } else {
            good
        };
        assert_eq!(booked.quality, expected, "{meter}");
    }

    let rows = journaled(&data);
    let of = |meter: &str, from: Timestamp, until: Timestamp| -> Vec<&ParsedLine> {
        let within = from.as_millisecond()..until.as_millisecond();
        let own =
            |row: &&ParsedLine| super::judge::is_of(row, meter) && within.contains(&row.time_ms);
        rows.iter().filter(own).collect()
    };
    // A second aside on both ends, silence is silence: no number, and a reason.
    let second = SignedDuration::from_secs(1);
    let silent = of("silent", began + second, mended - second);
    assert!(silent.len() >= 5, "{silent:?}");
    for row in silent {
        let fields: Vec<&str> = row.fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(fields, ["quality", "reason"], "{row:?}");
        assert_eq!(quality(row), Quality::Missing.code());
        let reason = FieldValue::Integer(Reason::NotAvailable.code());
        assert_eq!(field(row, "reason"), Some(&reason));
    }
    for meter in METERS {
        for row in of(meter, mended + second, end) {
            assert_eq!((quality(row), row.fields.len()), (good, 6), "{row:?}");
        }
    }
    // The faults were there: a journal has what the registers showed.
    let counts = |meter| -> Vec<i64> {
        let rows = of(meter, minute, end);
        rows.into_iter().filter_map(count).collect()
    };
    let drops = |meter| {
        counts(meter)
            .windows(2)
            .filter(|pair| pair[1] < pair[0])
            .count()
    };
    assert_eq!((drops("honest"), drops("silent")), (0, 0));
    assert_eq!((drops("begins-anew"), drops("rolls-over")), (1, 1));
    assert!(drops("spikes") >= 3, "{:?}", counts("spikes"));
    assert!(
        counts("rolls-over")
            .iter()
            .any(|count| *count > 4_000_000_000)
    );
}
