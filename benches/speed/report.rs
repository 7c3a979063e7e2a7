//! A report from a year of quarter-hours.

use std::sync::Arc;
use std::time::Instant;

use jiff::SignedDuration;
use jiff::civil::Date;
use rusqlite::Connection;
use sunledger::domain::balance::settle_all;
use sunledger::domain::interval::{Entry, ExportShape, Span, channels};
use sunledger::domain::plant::books;
use sunledger::domain::provenance::Made;
use sunledger::domain::quality::Quality;
use sunledger::domain::time::{day, local_date, slots};
use sunledger::domain::units::MilliwattHours;
use sunledger::report::grid_export::{COLUMNS, GridExport, Scope};
use sunledger::report::{FORMATS, Report};
use sunledger::store::{Batch, LedgerReader, Settings, Store};

use super::park::{USUAL_POINTS, begin, setup};
use super::{Arguments, quantiles};

const RUNS: usize = 11;

/// Writes a ledger, unless it is there, and reports on it.
pub fn measure(arguments: &Arguments) {
    let meters = arguments.meters.unwrap_or(100);
    let dir = arguments.dir.join(format!(
        "sunledger-speed-report-{meters}-{}",
        arguments.days
    ));
    let setup = setup(meters, USUAL_POINTS, &dir);
    let park = Arc::clone(&setup.park);
    let zone = park.time_zone.clone();
    let first = local_date(begin(), &zone);
    let last: Date = first + SignedDuration::from_hours(24 * (arguments.days - 1));
    let span = Span {
        start: day(first, &zone).unwrap().start,
        end: day(last, &zone).unwrap().end,
    };
    if !dir.join("written").exists() {
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let settings = Settings {
            dir: dir.clone(),
            keep_days: 30,
            max_bytes: 1 << 30,
            free_floor: 0,
            stop_when_full: false,
            sinks: Vec::new(),
        };
        let settled = Arc::clone(&park);
        let settle =
            Box::new(move |entries: &[_], shape, span| settle_all(&settled, entries, shape, span));
        let (mut store, _) = Store::open(settings, settle).unwrap();
        let mut batch = Batch::empty(span.start);
        let all: Vec<Span> = slots(span, &zone, 15).collect();
        for (nth, slot) in all.iter().enumerate() {
            for (place, meter) in park.meters.iter().enumerate() {
                let entry = |channel| Entry {
                    meter: Arc::clone(&meter.id),
                    channel,
                    span: *slot,
                    energy: Ok(MilliwattHours(
                        25_000_000 + ((place * 7 + nth * 13) % 1_000) as i64,
                    )),
                    quality: Quality::Good,
                    coverage_pct: 100.0,
                    made: Made::REGISTER,
                    opening: Some(MilliwattHours(nth as i64 * 25_000_000)),
                    closing: Some(MilliwattHours((nth as i64 + 1) * 25_000_000)),
                };
                batch
                    .entries
                    .extend(channels(meter).iter().map(|(channel, _)| entry(*channel)));
            }
            batch.closed.push((*slot, ExportShape::default()));
            if batch.closed.len() == 96 || nth + 1 == all.len() {
                batch.at = slot.end;
                store.commit(&batch, tokio::time::Instant::now()).unwrap();
                store.flush(tokio::time::Instant::now()).unwrap();
                batch = Batch::empty(slot.end);
            }
        }
        drop(store);
        // The write-ahead log goes into the file, as it does after each commit of a day.
        let ledger = Connection::open(dir.join("ledger.sqlite")).unwrap();
        ledger
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
        std::fs::write(dir.join("written"), "").unwrap();
    }
    let scope = || Scope {
        park: "speed".to_owned(),
        time_zone: zone.clone(),
        zone_name: "Asia/Shanghai".to_owned(),
        settlement_minutes: 15,
        dates: (first, last),
        span,
        rules: sunledger::report::grid_export::Rules::default(),
    };
    let (mut reads, mut models, mut wholes) = (Vec::new(), Vec::new(), Vec::new());
    let mut writes: Vec<Vec<f64>> = vec![Vec::new(); FORMATS.len()];
    for _ in 0..RUNS {
        let begun = Instant::now();
        let ledger = LedgerReader::open(&dir).unwrap();
        let intervals = ledger
            .intervals_of(span.start, span.end, &COLUMNS.map(|one| one.1))
            .unwrap();
        let read = begun.elapsed();
        let report = GridExport::new(scope(), &intervals);
        let model = begun.elapsed();
        assert!(report.totals().energies[0].is_ok());
        assert_eq!(
            report.rows.len(),
            usize::try_from(arguments.days * 96).unwrap()
        );
        reads.push(read.as_secs_f64() * 1e3);
        models.push((model - read).as_secs_f64() * 1e3);
        let report = Report::GridExport(report);
        for (format, times) in FORMATS.iter().zip(&mut writes) {
            let begun = Instant::now();
            let text = (format.write)(&report);
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            assert!(!text.is_empty());
            if format.name == "csv" {
                wholes.push((model + begun.elapsed()).as_secs_f64() * 1e3);
            }
        }
    }
    println!("{meters} meters, {} days of quarter-hours:", arguments.days);
    let (mut reads_kpi, mut made_kpi) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let begun = Instant::now();
        let ledger = LedgerReader::open(&dir).unwrap();
        let (from, to) = (span.start, span.end);
        let flows = setup.plant.flows(Some(&park));
        let channels = setup.plant.channels(&park);
        let slots = books::slots(
            slots(span, &zone, 15),
            ledger.intervals_of(from, to, &flows).unwrap(),
            ledger.entries_of(from, to, &channels).unwrap(),
            ledger.observed(from, to).unwrap(),
        );
        let read = begun.elapsed();
        let indicators = setup.plant.indicators(Some(&park), &[], &slots, first);
        let made = begun.elapsed() - read;
        let standby = indicators
            .iter()
            .find(|one| one.name == "generator_standby");
        assert!(standby.unwrap().value.is_some());
        reads_kpi.push(read.as_secs_f64() * 1e3);
        made_kpi.push(made.as_secs_f64() * 1e3);
    }
    let print = |name: &str, times: &[f64]| {
        let (median, _, worst) = quantiles(times);
        println!("  {name:<28} median {median:>7.1} ms, worst {worst:>7.1} ms");
    };
    print("read from the ledger", &reads);
    print("made a report", &models);
    for (format, times) in FORMATS.iter().zip(&writes) {
        print(&format!("written as {}", format.name), times);
    }
    print("all of it as csv", &wholes);
    print("read for the indicators", &reads_kpi);
    print("made indicators", &made_kpi);
    if !arguments.keep {
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
