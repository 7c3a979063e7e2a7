//! Wiring and shutdown: the only module that knows everyone.
//!
//! ```text
//!   sources ──Heard──▶ heart (engine, clock, recorder) ──Batch──▶ store thread
//!                        │        ▲                                  │
//!                        │        └── committed: receipts, intervals ┘
//!                        └──Frame──▶ web            sinks ◀── journal
//! ```
//!
//! One task owns the engine: the `heart`. Everything else is a rim of tasks that
//! bring readings or take results. Tasks are started in [`Tasks`], which names them
//! and waits for them at the end.

mod agreement;
mod compare;
pub mod explain;
mod heart;
mod held;
mod history;
pub mod late;
mod losses;
mod outbox;
pub mod overdue;
mod past;
mod plant;
mod publish;
pub mod recompute;
pub mod recover;
mod rim;
mod self_report;
pub mod settled;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Setup;
use crate::domain::balance::settle_all;
use crate::domain::boundary::{netting, register_mode};
use crate::domain::meter::Park;
use crate::domain::settlement::Settlement;
use crate::sink::stats::SinkStats;
use crate::source::{SOURCE_QUEUE, SourceStats};
use crate::store::{LedgerReader, Store, StoreError, StoreThread};
use crate::sys::clock::{Moment, mono};
use crate::sys::systemd::Notifier;
use crate::web;

pub use heart::Details;
pub use history::{History, Step};
pub use losses::Losses;
pub use publish::{Beside, Board};
pub use rim::{Journal, Period};

/// How long the end may take before what is left is given up; systemd waits longer.
const STOP_WITHIN: Duration = Duration::from_secs(8);
/// Cursors on their way to the store: one for each delivered batch of a few sinks.
const CURSOR_QUEUE: usize = 64;

/// Keys under which the ledger knows whose it is.
pub mod meta {
    /// The park's id.
    pub const PARK: &str = "park";
    /// Its time zone.
    pub const TIME_ZONE: &str = "time_zone";
    /// Over which time import and export are netted.
    pub const NETTING: &str = "netting";
    /// What the registers at the grid connection count.
    pub const REGISTER_MODE: &str = "register_mode";
    /// What becomes of gaps: with a register, and without.
    pub const GAPS: &str = "gaps";
    /// Length of its intervals in minutes.
    pub const SETTLEMENT: &str = "settlement_minutes";
}

/// Why the daemon did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The page's port.
    #[error("cannot listen on {listen}: {error}; is another daemon running? change [web] listen")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret cannot be had.
    #[error("{0}")]
    Secret(String),
    /// The store belongs to another park.
    #[error("{dir} holds the books of park `{theirs}`, not of `{ours}`; choose another [store] dir, or set the park's id back", dir = dir.display())]
    OtherPark {
        /// The store.
        dir: std::path::PathBuf,
        /// Whose it is.
        theirs: String,
        /// Whose the configuration is.
        ours: String,
    },
    /// The store's intervals are cut differently.
    #[error("{dir} holds intervals of {theirs}, the configuration wants {ours}; both in one ledger would falsify every report: choose another [store] dir, or set the park back", dir = dir.display())]
    OtherIntervals {
        /// The store.
        dir: std::path::PathBuf,
        /// How its intervals are cut.
        theirs: String,
        /// How they are to be cut.
        ours: String,
    },
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// What a run is given beside its configuration.
#[derive(Default)]
pub struct Options {
    /// Readings from before the start, to be gone through first.
    pub history: Option<History>,
    /// Called with the page's address as soon as it is served.
    pub listening: Option<Box<dyn FnOnce(SocketAddr) + Send>>,
    /// Says everything to systemd; silent where there is none.
    pub notifier: Option<Notifier>,
}

/// Runs until `stop` is cancelled.
///
/// # Errors
///
/// [`AppError`], before anything was begun, or where the store cannot be opened.
pub async fn run(setup: Setup, options: Options, stop: CancellationToken) -> Result<(), AppError> {
    let notifier = options.notifier.unwrap_or_else(Notifier::silent);
    let listener = web::bind(&web::Settings {
        hosts: setup.web.hosts.clone(),
        ..web::Settings::at(setup.web.listen)
    })
    .map_err(|error| AppError::Listen {
        listen: setup.web.listen,
        error,
    })?;
    let secrets = rim::Secrets::load(&setup).map_err(AppError::Secret)?;
    let park = Arc::clone(&setup.park);
    let (store, found) = open_store(&setup, &park)?;
    let now = Moment::now();
    let recovered = recover::recover(
        &park,
        &setup.plant,
        &setup.checks,
        &setup.store.dir,
        store,
        found,
        now,
    )?;
    let stats = recovered.store.stats();
    let committed = stats.committed();
    let (thread, handle) = StoreThread::start(recovered.store, mono).map_err(AppError::Thread)?;

    let source_stats = Arc::new(SourceStats::new(park.meters.len()));
    let sink_stats: Vec<(String, Arc<SinkStats>)> = setup
        .sink_names()
        .into_iter()
        .map(|name| (name, Arc::default()))
        .collect();
    let (live, frames) = watch::channel(Arc::new(publish::first_frame(
        &park,
        recovered.clock.trust().is_ok(),
    )));
    let late = Arc::<overdue::LateStats>::default();
    let board = publish::Board {
        late: Arc::clone(&late),
        park: Arc::clone(&park),
        sources: Arc::clone(&source_stats),
        sinks: sink_stats.clone(),
        store: Arc::clone(&stats),
        losses: Arc::default(),
    };
    let mut tasks = Tasks::default();
    let web_stop = CancellationToken::new();
    if let Ok(address) = listener.address() {
        info!(%address, park = &*park.id, "The page is served.");
        if let Some(listening) = options.listening {
            listening(address);
        }
    }
    let services = board.services(&setup, frames);
    tasks.start("web", web::serve(listener, services, web_stop.clone()));

    let (heard, readings) = mpsc::channel(SOURCE_QUEUE);
    let (cursors, moved) = mpsc::channel(CURSOR_QUEUE);
    let rim_stop = CancellationToken::new();
    tasks.start("cursors", rim::forward_cursors(moved, handle.clone()));
    rim::start_sinks(
        &mut tasks,
        &setup,
        &secrets,
        &recovered.cursors,
        &committed,
        &cursors,
        &rim_stop,
        &sink_stats,
    );
    drop(cursors);

    let mut heart = heart::Heart::new(heart::Parts {
        engine: recovered.engine,
        recorder: recovered.recorder,
        units: recovered.units,
        clock: recovered.clock,
        last_at: recovered.last_at,
        late: overdue::Overdue::new(
            recovered.late,
            Arc::clone(&park),
            setup.store.dir.clone(),
            late,
        ),
        unjournaled: recovered.unjournaled,
        readings,
        store: handle,
        live,
        board,
        notifier: notifier.clone(),
    });
    if let Some(history) = options.history {
        heart.relive(history, &stop).await;
    }
    rim::start_sources(
        &mut tasks,
        &setup,
        &secrets,
        &heard,
        &rim_stop,
        &source_stats,
    );
    drop(heard);
    heart.run(&stop).await;

    let until = mono() + STOP_WITHIN;
    notifier.stopping();
    info!("Stopping.");
    rim_stop.cancel();
    heart.finish().await;
    drop(heart);
    web_stop.cancel();
    tasks.join(until).await;
    let joined = tokio::task::spawn_blocking(move || thread.join());
    if !matches!(tokio::time::timeout_at(until, joined).await, Ok(Ok(true))) {
        warn!("The store did not end in time; what it has confirmed is safe.");
    }
    Ok(())
}

/// Opens the store of a park, which is the park's own.
fn open_store(
    setup: &Setup,
    park: &Arc<Park>,
) -> Result<(Store, crate::store::Recovered), AppError> {
    let settings = crate::store::Settings {
        dir: setup.store.dir.clone(),
        keep_days: setup.store.keep_days,
        max_bytes: setup.store.max_bytes,
        free_floor: setup.store.free_floor,
        stop_when_full: setup.store.stop_when_full,
        sinks: setup.sink_names(),
    };
    let settled = Arc::clone(park);
    let (store, found) = Store::open(
        settings,
        Box::new(move |entries, shape, span| settle_all(&settled, entries, shape, span)),
    )?;
    if let Some(theirs) = store.meta(meta::PARK)?
        && theirs != *park.id
    {
        let (dir, ours) = (setup.store.dir.clone(), park.id.to_string());
        return Err(AppError::OtherPark { dir, theirs, ours });
    }
    let zone = park.time_zone.iana_name().unwrap_or("UTC");
    let minutes = park.settlement_minutes.to_string();
    if let (Some(their_minutes), Some(their_zone)) =
        (store.meta(meta::SETTLEMENT)?, store.meta(meta::TIME_ZONE)?)
        && (their_minutes.as_str(), their_zone.as_str()) != (minutes.as_str(), zone)
        && store.has_books()?
    {
        return Err(AppError::OtherIntervals {
            dir: setup.store.dir.clone(),
            theirs: format!("{their_minutes} min in {their_zone}"),
            ours: format!("{minutes} min in {zone}"),
        });
    }
    store.set_meta(meta::PARK, &park.id)?;
    store.set_meta(meta::TIME_ZONE, zone)?;
    store.set_meta(meta::SETTLEMENT, &minutes)?;
    let netting = netting(park).map_or_else(String::new, |netting| netting.to_string());
    store.set_meta(meta::NETTING, &netting)?;
    store.set_meta(meta::REGISTER_MODE, register_mode(park).unwrap_or_default())?;
    let (registers, integrals) = park.relations.gaps.names();
    store.set_meta(meta::GAPS, &format!("{registers} {integrals}"))?;
    Ok((store, found))
}

/// The ledger as the page asks it.
struct Intervals {
    dir: std::path::PathBuf,
    park: Arc<Park>,
    settlement: Arc<Settlement>,
}

impl web::IntervalSource for Intervals {
    fn intervals(
        &self,
        from: jiff::Timestamp,
        to: jiff::Timestamp,
    ) -> Result<Vec<crate::domain::interval::Interval>, String> {
        read_intervals(&self.dir, from, to).map_err(|error| error.to_string())
    }

    fn meter(
        &self,
        meter: &str,
        from: jiff::Timestamp,
        to: jiff::Timestamp,
    ) -> Result<Option<Vec<web::MeterEntry>>, String> {
        if self.park.meter(meter).is_none() {
            return Ok(None);
        }
        let read = || LedgerReader::open(&self.dir)?.meter_entries(meter, from, to);
        let entries = read()
            .map_err(|error: StoreError| error.to_string())?
            .into_iter();
        let entries = entries.map(|(entry, revision, closed)| web::MeterEntry {
            entry,
            revision,
            closed,
        });
        Ok(Some(entries.collect()))
    }

    fn report(
        &self,
        name: &'static str,
        from: jiff::Timestamp,
        to: jiff::Timestamp,
    ) -> Result<Result<String, &'static str>, String> {
        settled::as_json(name, &self.dir, &self.park, &self.settlement, (from, to))
            .map(|report| report.ok_or_else(|| settled::lacking(name)))
            .map_err(|error| error.to_string())
    }
}

fn read_intervals(
    dir: &Path,
    from: jiff::Timestamp,
    to: jiff::Timestamp,
) -> Result<Vec<crate::domain::interval::Interval>, StoreError> {
    LedgerReader::open(dir)?.intervals(from, to)
}

/// Every task of the rim, by name.
#[derive(Default)]
pub struct Tasks {
    running: Vec<(String, tokio::task::JoinHandle<()>)>,
}

impl Tasks {
    /// Starts a task.
    pub fn start(&mut self, name: &str, task: impl Future<Output = ()> + Send + 'static) {
        self.running.push((name.to_owned(), tokio::spawn(task)));
    }

    /// Waits for every task; one that does not end in time is aborted by name.
    pub async fn join(self, until: tokio::time::Instant) {
        for (name, mut task) in self.running {
            match tokio::time::timeout_at(until, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!(task = name, %error, "A task ended badly."),
                Err(_) => {
                    task.abort();
                    warn!(task = name, "A task did not end in time.");
                }
            }
        }
    }
}
