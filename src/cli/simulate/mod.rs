//! `sunledger simulate`: the park of a configuration, served on this machine and broken
//! at a word, to rehearse with.
//!
//! **A rehearsal touches nothing real.** It listens on the loopback and on terminals of
//! its own; the configuration that it writes for a daemon keeps its books beside that
//! file and delivers to the rehearsed database or to none.

mod console;
mod constants;
mod park;
mod rewrite;
mod truth;

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::run::{start_logs, stop_at_signals};
use super::{CONFIG, ConfigFile, Failure, IO, USAGE, print, runtime};
use crate::config::{self, read::duration};
use crate::simulate::rehearsal::faults::{Fault, kinds};
use crate::simulate::rehearsal::{self, Rehearsal};
use crate::sys::clock;
use park::Options;
use truth::Truth;

/// Threads: units answer at once, and that takes little.
const THREADS: usize = 2;
/// The end of a rehearsal that nobody limited.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Arguments of `simulate`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Break something: `KIND[:TARGET][:PARAMETERS]`; `list` names every kind
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<String>,
    /// End after this long, such as 90s or 5min
    #[arg(long = "for", value_name = "DURATION", value_parser = a_duration)]
    for_: Option<Duration>,
    /// Listen on free ports, also where the configuration names the loopback
    #[arg(long)]
    free_ports: bool,
    /// Registers say their unit, address and question instead of what is measured
    #[arg(long)]
    encode: bool,
    /// Take the writes of an InfluxDB as well
    #[arg(long)]
    database: bool,
    /// Write a configuration for a daemon that reads the simulated park
    #[arg(long, value_name = "FILE")]
    write_config: Option<PathBuf>,
    /// Write down at each whole minute, and at the end, what really flowed, as JSON lines
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Another seed is another park
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

fn a_duration(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "a number above zero with a unit, such as 90s or 5min".to_owned())
}

/// Runs a rehearsal.
///
/// # Errors
///
/// [`USAGE`] for a fault that is none, [`CONFIG`] for a configuration that is none,
/// [`IO`] where an endpoint or a file cannot be had.
pub fn run(arguments: &Arguments, format: Option<&str>) -> Result<(), Failure> {
    if arguments.faults.iter().any(|fault| fault == "list") {
        return print(&kinds::list());
    }
    let setup = config::load(&arguments.file.config)?;
    let lines = park::Lines::new()?;
    let options = Options {
        seed: arguments.seed,
        encodes: arguments.encode,
        free_ports: arguments.free_ports,
        database: arguments.database,
    };
    let (mut settings, places) = park::settings(&setup, &options, &lines);
    let names = settings.names();
    for text in &arguments.faults {
        let fault = Fault::read(text, &names).map_err(|error| {
            Failure::new(
                USAGE,
                format!("--fault {text}: {error}\n\n{}", kinds::list()),
            )
        })?;
        settings.faults.push(fault);
    }
    start_logs(format)?;
    runtime(THREADS)?.block_on(async {
        let stop = CancellationToken::new();
        stop_at_signals(&stop)?;
        let started = rehearsal::start(settings).await;
        let park = started.map_err(|error| {
            let remedy = "end what holds it, or use --free-ports";
            Failure::new(IO, format!("the park cannot be served: {error}; {remedy}"))
        })?;
        let done = rehearse(arguments, &park, &places, &stop).await;
        park.stop().await;
        done
    })
}

async fn rehearse(
    arguments: &Arguments,
    park: &Rehearsal,
    places: &park::Places,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    print(&places.table(park))?;
    if let Some(out) = &arguments.write_config {
        rewrite::write(&arguments.file.config, out, park, arguments.free_ports)?;
        print(&format!("configuration of the daemon: {}\n", out.display()))?;
    }
    let begun = arguments.truth.as_deref().map(|at| Truth::begin(at, park));
    let mut truth = begun.transpose()?;
    let end = clock::mono() + arguments.for_.unwrap_or(FOR_EVER);
    print("The park answers. `on FAULT`, `off FAULT`, `off *`, `asked` and `list` are heard.\n")?;
    let done = attend(park, end, &mut truth, stop).await;
    if let Some(truth) = &mut truth {
        truth.end(park)?;
    }
    done
}

/// Hears commands and writes down what flowed, until the end.
async fn attend(
    park: &Rehearsal,
    end: Instant,
    truth: &mut Option<Truth>,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let mut commands = console::listen();
    loop {
        let minute = truth.as_ref().map_or(FOR_EVER, |truth| truth.due(park));
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = sleep_until(end) => return Ok(()),
            command = commands.recv() => console::obey(park, &command)?,
            () = sleep(minute) => if let Some(truth) = truth {
                truth.minutes(park)?;
            },
        }
    }
}

/// What is wrong with a configuration that can be read and cannot be rewritten.
fn unusable(path: &std::path::Path, fact: &str) -> Failure {
    Failure::new(CONFIG, format!("{}: {fact}", path.display()))
}
