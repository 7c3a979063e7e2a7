//! The ledger again from a journal of hours, written as the daemon writes it.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use sunledger::app::recompute::recompute;
use sunledger::config::Setup;
use sunledger::domain::balance::settle_all;
use sunledger::domain::interval::Span;
use sunledger::domain::snapshot::Reading;
use sunledger::engine::Engine;
use sunledger::engine::record::Recorder;
use sunledger::store::{Batch, Settings, Store};

use super::Arguments;
use super::park::{Voices, begin, setup};

/// What closes the last interval.
const AFTER_S: i64 = 90;

/// Writes a store, unless it is there, and recomputes it.
pub fn measure(arguments: &Arguments) {
    let meters = arguments.meters.unwrap_or(200);
    let (hours, late) = (arguments.hours, arguments.late);
    let name = format!(
        "sunledger-speed-{meters}-{}-{hours}-{late}",
        arguments.points
    );
    let dir = arguments.dir.join(name);
    let setup = setup(meters, arguments.points, &dir);
    if !dir.join("written").exists() {
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        write(&setup, &dir, hours, late);
        std::fs::write(dir.join("written"), "").unwrap();
    }
    let period = Span {
        start: begin(),
        end: begin() + SignedDuration::from_hours(hours),
    };
    let mut seconds = Vec::new();
    for _ in 0..if hours > 2 { 1 } else { 3 } {
        let begun = Instant::now();
        let done = recompute(&setup.park, &dir, period, false).unwrap();
        seconds.push(begun.elapsed().as_secs_f64());
        let expected = meters * 2 * usize::try_from(hours * 4).unwrap();
        assert_eq!(done.late, usize::try_from(late * hours).unwrap());
        assert_eq!(done.same + done.unknown + done.differences.len(), expected);
        if late == 0 {
            assert_eq!((done.differences.len(), done.unknown), (0, 0));
        }
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    let values = (meters * arguments.points) as f64 * (hours * 3_600 + AFTER_S) as f64;
    println!(
        "{meters} meters of {} values each second, {hours} h, {late} late messages an hour: {median:.2} s, \
         {:.1} million values/s; a day {:.1} s",
        arguments.points,
        values / median / 1e6,
        median / values * (meters * arguments.points) as f64 * 86_400.0
    );
    if !arguments.keep {
        std::fs::remove_dir_all(&dir).unwrap();
    }
}

fn write(setup: &Setup, dir: &Path, hours: i64, late: i64) {
    let park = Arc::clone(&setup.park);
    let settings = Settings {
        dir: dir.to_owned(),
        keep_days: 30,
        max_bytes: 1 << 40,
        free_floor: 0,
        stop_when_full: false,
        sinks: Vec::new(),
    };
    let settled = Arc::clone(&park);
    let settle =
        Box::new(move |entries: &[_], shape, span| settle_all(&settled, entries, shape, span));
    let (mut store, _) = Store::open(settings, settle).unwrap();
    let mut engine = Engine::judging(Arc::clone(&park), &[], &setup.checks);
    let mut recorder = Recorder::new(&park);
    let mut voices = Voices::new(&park);
    let mut revised = Vec::new();
    let every = 3_600 / late.max(1);
    let mut kept: Option<Reading> = None;
    let begun = Instant::now();
    for second in 0..hours * 3_600 + AFTER_S {
        let now: Timestamp = begin() + SignedDuration::from_secs(second);
        let within = second < hours * 3_600;
        for (place, reading) in voices.at(now).iter().enumerate() {
            // One of the meters is held up for half of the time between two such.
            if late > 0 && within && place == 7 {
                if second % every == 0 {
                    kept = Some(reading.clone());
                    continue;
                }
                if second % every == every / 2
                    && let Some(mut kept) = kept.take()
                {
                    recorder.stamp(&mut kept);
                    kept.at = now - SignedDuration::from_secs(every / 2);
                    recorder.late(&kept);
                }
            }
            let mut reading = reading.clone();
            recorder.stamp(&mut reading);
            engine.take(&reading, false);
            recorder.reading(&reading);
        }
        let tick = engine.tick(now);
        recorder.balance(now, &tick.frame.powers);
        let rows = recorder.take();
        let batch = Batch {
            lines: rows.text,
            points: rows.points,
            entries: tick.entries,
            closed: tick.closed,
            journaled: std::mem::take(&mut revised),
            state: if second % 60 == 0 {
                engine.state()
            } else {
                Vec::new()
            },
            ..Batch::empty(now)
        };
        let committed = store.commit(&batch, tokio::time::Instant::now()).unwrap();
        for interval in committed.intervals {
            recorder.interval(&interval);
            revised.push((interval.span.start, interval.revision));
        }
    }
    store.flush(tokio::time::Instant::now()).unwrap();
    println!(
        "  (the journal took {:.0} s to write)",
        begun.elapsed().as_secs_f64()
    );
}
