//! `sunledger demo`: a whole park on this machine, watched by the same code as `run`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::run::{start_logs, stop_at_signals};
use super::{BUG, Failure, IO, print, runtime};
use crate::app::{self, History, Options};
use crate::config::check;
use crate::config::read::duration;
use crate::simulate::{Settings, Simulation};
use crate::sys::clock::wall;

/// Threads: the park itself needs some of them.
const THREADS: usize = 2;
/// How far the history reaches back: today's curve and yesterday's.
const HISTORY: Duration = Duration::from_secs(2 * 86_400);
/// Where the page is served if nobody says otherwise.
const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
/// The configuration of the demo, beside its books.
const CONFIG_FILE: &str = "demo.toml";

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where the page is served [default: 127.0.0.1:8080, or a free port if that is taken]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Keep the data here [default: a directory that is removed at the end]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// End after this long, such as 90s or 5min
    #[arg(long = "for", value_name = "DURATION", value_parser = a_duration)]
    for_: Option<Duration>,
    /// Begin with the sun and the working day of this local hour, 0 to 24
    #[arg(long, value_name = "H", value_parser = an_hour)]
    hour: Option<f64>,
    /// Another seed is another park: clouds, loads
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

fn a_duration(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "a number above zero with a unit, such as 90s or 5min".to_owned())
}

fn an_hour(text: &str) -> Result<f64, String> {
    let hour = text
        .parse::<f64>()
        .ok()
        .filter(|hour| (0.0..24.0).contains(hour));
    hour.ok_or_else(|| "an hour from 0 to 24".to_owned())
}

/// Runs the demo.
///
/// # Errors
///
/// Where ports or the data directory cannot be had.
pub fn run(arguments: Arguments, format: Option<&str>) -> Result<(), Failure> {
    start_logs(format)?;
    let data = match &arguments.data {
        Some(dir) => DataDir {
            path: dir.clone(),
            remove: false,
        },
        None => DataDir::temporary()?,
    };
    runtime(THREADS)?.block_on(demo(&arguments, &data))
}

async fn demo(arguments: &Arguments, data: &DataDir) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    stop_at_signals(&stop)?;
    let settings = Settings {
        seed: arguments.seed,
        hour: arguments.hour,
        ..Settings::fanshi(wall())
    };
    let park_stop = CancellationToken::new();
    let simulation = Simulation::start(settings, HISTORY, park_stop)
        .await
        .map_err(|error| {
            Failure::new(
                IO,
                format!("the simulated park cannot open its ports: {error}"),
            )
        })?;
    let listen = arguments.listen.unwrap_or_else(free_or_usual);
    let path = std::path::absolute(&data.path).unwrap_or_else(|_| data.path.clone());
    let text = simulation.config_toml(&path, &loopback(listen), "15min");
    let mut setup = check::parse(&text).map_err(|problems| {
        Failure::new(
            BUG,
            format!(
                "the simulated park describes itself wrongly:\n{}",
                super::problem_text(&problems)
            ),
        )
    })?;
    // For reports that need the park beside its books; written when the store is the demo's.
    let file = data.path.join(CONFIG_FILE);
    // The park is simulated: whoever serves it on the network gives nothing away.
    setup.web.listen = listen;
    let options = Options {
        history: Some(History::simulated(&simulation, &setup.park)),
        listening: Some(announce(arguments.for_, &stop, (file, text))),
        notifier: None,
    };
    let done = app::run(setup, options, stop).await.map_err(Failure::from);
    simulation.stop().await;
    done
}

fn loopback(listen: SocketAddr) -> String {
    SocketAddr::new(LISTEN.ip(), listen.port()).to_string()
}

fn free_or_usual() -> SocketAddr {
    match std::net::TcpListener::bind(LISTEN) {
        Ok(_) => LISTEN,
        Err(_) => SocketAddr::new(LISTEN.ip(), 0),
    }
}

/// Prints the address once the page is served, and counts the time from there.
fn announce(
    for_: Option<Duration>,
    stop: &CancellationToken,
    (file, text): (PathBuf, String),
) -> Box<dyn FnOnce(SocketAddr) + Send> {
    let stop = stop.clone();
    Box::new(move |address| {
        if let Err(error) = std::fs::write(&file, &text) {
            warn!(%error, file = %file.display(), "The demo's configuration cannot be left there.");
        }
        let _ = print(&format!("listening on http://{address}\n"));
        if let Some(for_) = for_ {
            tokio::spawn(async move {
                tokio::time::sleep(for_).await;
                stop.cancel();
            });
        }
    })
}

/// A data directory, removed at the end if nobody asked for it.
struct DataDir {
    path: PathBuf,
    remove: bool,
}

impl DataDir {
    fn temporary() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("sunledger-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .map_err(|error| Failure::new(IO, format!("{}: {error}", path.display())))?;
        Ok(Self { path, remove: true })
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if self.remove {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
