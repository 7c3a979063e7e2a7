//! `sunledger commission`: does each meter answer, and is what it says right?
//!
//! ```text
//!   sources of the daemon ──▶ watch ──▶ checks ──▶ one block for each meter
//!                          (a minute)             ✓ passed ✗ finding – not tested
//! ```
//!
//! Meters are read exactly as the daemon reads them, so that what passes here is what
//! is stored later. **It refuses while a daemon runs on this configuration**: two
//! connections to one gateway swap answers. Nothing is stored.

mod chosen;
mod shown;
mod verdict;
mod watch;

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::chosen::{alone, brokers, chosen, way};
use self::shown::{Report, as_json, as_text};
use self::verdict::verdicts;
use self::watch::{Watched, watch};
use super::run::stop_at_signals;
use super::{ConfigFile, FINDING, Failure, UNAVAILABLE, print, runtime};
use crate::config::read::duration;
use crate::config::{self, Setup};
use crate::domain::commission::Around;
use crate::domain::meter::{Meter, MeterIndex};
use crate::simulate::physics::sun::sun;
use crate::source::modbus::link::text;
use crate::source::{SOURCE_QUEUE, SourceStats, modbus, mqtt};
use crate::sys::clock;

/// How long the last acknowledgements may take.
const GOODBYE: Duration = Duration::from_secs(3);

/// Arguments of `commission`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Only this meter or sensor; may be given several times
    #[arg(long = "meter", value_name = "ID")]
    meters: Vec<String>,
    /// How long the meters are read; counters that move slowly need 15min to 1h
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = time)]
    time: Duration,
    /// Read beside a daemon that runs on this configuration; only where no endpoint is
    /// shared
    #[arg(long)]
    anyway: bool,
    /// Print {"meters":[{"id","answers_pct","checks":[…],"gaps":[…]}]}
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    duration(text)
        .filter(|time| *time <= Duration::from_secs(86_400))
        .ok_or_else(|| format!("`{text}` is not a time up to 1d; for example \"15min\""))
}

/// Reads the meters and says what is wrong with them.
///
/// # Errors
///
/// [`FINDING`], [`UNAVAILABLE`] where no meter answers, [`super::IO`] where a daemon runs.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let setup = config::load(&arguments.file.config)?;
    let chosen = chosen(&setup, &arguments.meters)?;
    let _kept_out = alone(&setup, arguments)?;
    let reports = runtime(2)?.block_on(observe(&setup, &chosen, arguments))?;
    print(&if arguments.json {
        format!("{:#}\n", as_json(&reports))
    } else {
        as_text(&reports)
    })?;
    if !reports.is_empty() && !reports.iter().any(|report| report.watched.spoke) {
        return Err(Failure::new(
            UNAVAILABLE,
            format!("none of {} meters answers", reports.len()),
        ));
    }
    let finding = |report: &Report<'_>| report.checks.iter().any(|check| check.is_finding());
    if reports.iter().any(finding) {
        return Err(Failure::new(FINDING, ""));
    }
    Ok(())
}

/// Reads the meters for the time.
async fn observe<'a>(
    setup: &'a Setup,
    chosen: &[MeterIndex],
    arguments: &Arguments,
) -> Result<Vec<Report<'a>>, Failure> {
    let enough = CancellationToken::new();
    stop_at_signals(&enough)?;
    let meters = &setup.park.meters;
    let stats = Arc::new(SourceStats::new(meters.len()));
    let (tx, heard) = mpsc::channel(SOURCE_QUEUE);
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    for mut bus in setup.buses.iter().cloned() {
        bus.polls.retain(|poll| chosen.contains(&poll.meter));
        if !bus.polls.is_empty() {
            tasks.spawn(modbus::run(
                bus,
                tx.clone(),
                stop.clone(),
                Arc::clone(&stats),
            ));
        }
    }
    for settings in brokers(setup, chosen)? {
        tasks.spawn(mqtt::run(
            settings,
            tx.clone(),
            stop.clone(),
            Arc::clone(&stats),
        ));
    }
    drop(tx);
    let mut out = std::io::stderr();
    if out.is_terminal() {
        let (count, time) = (chosen.len(), text(arguments.time));
        let _ = writeln!(
            out,
            "Reading {count} meters for {time}; Ctrl-C ends it sooner."
        );
    }
    let begin = clock::mono();
    let mut watched = watch(heard, meters, begin, arguments.time, &enough, &stop).await;
    tasks.close();
    let _ = tokio::time::timeout(GOODBYE, tasks.wait()).await;
    let around = Around {
        sun_elevation: elevation(setup),
        other_fluid: false,
    };
    let reports = chosen.iter().filter_map(|place| {
        let meter: &Meter = meters.get(*place)?;
        let watched: Watched = std::mem::take(watched.get_mut(*place)?);
        let way = way(setup, *place);
        Some(Report {
            checks: verdicts(meter, &watched, &way, &around),
            meter,
            way,
            watched,
        })
    });
    Ok(reports.collect())
}

/// How high the sun stands over the park; none where the place or the time is not known.
fn elevation(setup: &Setup) -> Option<f64> {
    let (latitude, longitude) = (setup.park.latitude, setup.park.longitude);
    let now = clock::wall();
    let is_placed = latitude != 0.0 || longitude != 0.0;
    let known = is_placed && now >= clock::build_date();
    known.then(|| sun(latitude, longitude, now.as_second()).elevation_deg)
}
