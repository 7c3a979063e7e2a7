//! `sunledger run`: the daemon.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{BUG, CONFIG, ConfigFile, Failure, IO, USAGE, runtime};
use crate::app::{self, AppError, Options};
use crate::config;
use crate::store::StoreError;
use crate::sys::log;
use crate::sys::systemd::Notifier;

/// Threads that serve sources, sinks and pages; the engine needs one, the disk has its own.
const THREADS: usize = 2;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let code = match &error {
            AppError::Listen { .. } | AppError::Thread(_) => IO,
            AppError::Store(error) => store_code(error),
            AppError::Secret(_) | AppError::OtherPark { .. } | AppError::OtherIntervals { .. } => {
                CONFIG
            }
        };
        Self::new(code, error.to_string())
    }
}

/// The exit code of trouble with the store.
#[must_use]
pub fn store_code(error: &StoreError) -> u8 {
    error.exit_code()
}

/// Starts logging.
///
/// # Errors
///
/// [`USAGE`] for a format or filter that is none.
pub fn start_logs(format: Option<&str>) -> Result<(), Failure> {
    let format = format.and_then(|name| {
        log::FORMATS
            .iter()
            .find(|row| row.0 == name)
            .map(|row| row.1)
    });
    log::init(format).map_err(|error| Failure::new(USAGE, error.to_string()))
}

/// Cancels `stop` at SIGTERM and SIGINT.
///
/// # Errors
///
/// [`BUG`] where signals cannot be heard.
pub fn stop_at_signals(stop: &CancellationToken) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(BUG, format!("cannot hear signals: {error}"));
    let mut term = signal(SignalKind::terminate()).map_err(failed)?;
    let mut int = signal(SignalKind::interrupt()).map_err(failed)?;
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
///
/// Where it cannot start.
pub fn run(arguments: &Arguments, format: Option<&str>) -> Result<(), Failure> {
    let setup = config::load(&arguments.file.config)?;
    start_logs(format)?;
    let runtime = runtime(THREADS)?;
    let done = runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_at_signals(&stop)?;
        let options = Options {
            notifier: Some(Notifier::from_env()),
            ..Options::default()
        };
        app::run(setup, options, stop).await.map_err(Failure::from)
    });
    // The disk may hang in a thread that nobody can end; the process does not wait.
    runtime.shutdown_background();
    done
}
