//! A park for rehearsals: whatever a configuration describes is there and answers, and
//! goes wrong in every way that real buses do, at a word.
//!
//! ```text
//!   settings ──▶ units ──▶ tcp, rtu over tcp, pty ◀── a daemon, a test
//!      │           ▲              │
//!      │         faults        log: every question, and what became of it
//!      └──▶ sensors ──▶ broker          └──▶ proof of where a value is from
//! ```
//!
//! Frames are written byte by byte, by no library for Modbus: it has to be able to
//! write wrong ones. **What it knows to be true it has from no part of the daemon**:
//! powers are functions of time, energies their exact integrals, and in a rehearsal
//! that encodes each word says which register and which question it is from.

pub mod broker;
pub mod database;
pub mod encode;
pub mod faults;
pub mod frame;
pub mod log;
pub mod model;
pub mod number;
pub mod pty;
pub mod register;
pub mod session;
pub mod tcp;
pub mod truth;
pub mod unit;
pub mod wave;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::broker::Broker;
use crate::domain::units::to_f64;
use crate::sys::clock::{self, Moment};
use database::Written;
use faults::{Fault, Faults, Names};
use frame::Framing;
use log::Log;
use pty::Port;
use session::Pace;
use truth::{Flowed, Known, Moved};
use unit::{Image, Unit};

/// Questions that are remembered: as many as words of an encoding rehearsal tell apart.
pub const REMEMBERED: usize = 65_536;

/// What a rehearsal serves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The same seed gives the same powers and the same luck.
    pub seed: u64,
    /// Whether words say where they are from, instead of what a meter measures.
    pub encodes: bool,
    /// Questions that are remembered.
    pub remembers: usize,
    /// The buses.
    pub buses: Vec<Bus>,
    /// The brokers.
    pub brokers: Vec<broker::Settings>,
    /// Where the database listens, if there is one.
    pub database: Option<SocketAddr>,
    /// What is wrong from the beginning.
    pub faults: Vec<Fault>,
    /// The time zone of clocks that show civil time.
    pub time_zone: TimeZone,
}

/// One bus.
#[derive(Debug, Clone)]
pub struct Bus {
    /// Its name in the configuration.
    pub name: String,
    /// Where it is.
    pub at: At,
    /// How long its master waits for an answer: what `late` is later than.
    pub timeout: Duration,
    /// Its units.
    pub units: Vec<Unit>,
    /// Whether units without meters answer too, in a rehearsal that encodes.
    pub any_unit: bool,
}

/// Where a bus is.
#[derive(Debug, Clone, PartialEq)]
pub enum At {
    /// Modbus TCP; port 0 is a free one.
    Tcp(SocketAddr),
    /// RTU through a gateway that does not look into it.
    RtuOverTcp(SocketAddr),
    /// A serial line, linked at this path, as fast as real or at once.
    Rtu(PathBuf, Option<Pace>),
}

/// Where a bus really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A socket.
    Socket(SocketAddr),
    /// A terminal.
    Terminal(PathBuf),
}

/// A rehearsal that is running. It ends when it is dropped.
pub struct Rehearsal {
    endpoints: Vec<(String, Endpoint)>,
    brokers: Vec<(String, SocketAddr)>,
    database: Option<(SocketAddr, Arc<Written>)>,
    images: Vec<Arc<Image>>,
    known: Vec<Known>,
    faults: Faults,
    log: Log,
    began: Moment,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Settings {
    /// A rehearsal that encodes, of one bus on which every unit answers: what a test
    /// of a link or a poller needs.
    #[must_use]
    pub fn encoding(at: At, timeout: Duration) -> Self {
        let name = "main".to_owned();
        let bus = Bus {
            name,
            at,
            timeout,
            units: Vec::new(),
            any_unit: true,
        };
        Self {
            seed: 1,
            encodes: true,
            remembers: REMEMBERED,
            buses: vec![bus],
            brokers: Vec::new(),
            database: None,
            faults: Vec::new(),
            time_zone: TimeZone::UTC,
        }
    }

    /// What there is to break.
    #[must_use]
    pub fn names(&self) -> Names {
        let buses = self.buses.iter().enumerate();
        let meters = buses.flat_map(|(place, bus)| {
            bus.units.iter().flat_map(move |unit| {
                let ids = unit.meters.iter().map(|meter| Arc::clone(&meter.id));
                ids.map(move |id| (id, place, unit.id))
            })
        });
        let sensors = self.brokers.iter().flat_map(|broker| &broker.sensors);
        Names {
            meters: meters.collect(),
            buses: self
                .buses
                .iter()
                .map(|bus| (bus.name.clone(), bus.at.framing()))
                .collect(),
            sockets: self
                .buses
                .iter()
                .map(|bus| !matches!(bus.at, At::Rtu(..)))
                .collect(),
            sensors: sensors.map(|sensor| Arc::clone(&sensor.id)).collect(),
            brokers: self
                .brokers
                .iter()
                .map(|broker| broker.name.clone())
                .collect(),
            database: self.database.is_some(),
        }
    }
}

impl At {
    fn framing(&self) -> Framing {
        match self {
            Self::Tcp(_) => Framing::Tcp,
            Self::RtuOverTcp(_) | Self::Rtu(..) => Framing::Rtu,
        }
    }
}

/// Opens every endpoint and serves it until the rehearsal is stopped or dropped.
///
/// # Errors
///
/// What opening an endpoint says, with its name.
pub async fn start(settings: Settings) -> io::Result<Rehearsal> {
    let began = Moment::now();
    let names = settings.names();
    let images: Vec<Arc<Image>> = settings
        .buses
        .iter()
        .map(|bus| {
            let image = Image::new(settings.seed, &bus.units, settings.encodes, bus.any_unit);
            Arc::new(image.with_clocks(clocks(&began, &settings.time_zone)))
        })
        .collect();
    let faults = Faults::new(names, settings.seed, began.mono, images.clone());
    for fault in settings.faults {
        faults.put_on(fault);
    }
    let sensors = settings.brokers.iter().flat_map(|broker| &broker.sensors);
    let sensors = sensors.map(|sensor| sensor.known(settings.seed));
    let known = images.iter().flat_map(|image| image.known());
    let mut rehearsal = Rehearsal {
        endpoints: Vec::new(),
        brokers: Vec::new(),
        database: None,
        log: Log::new(settings.buses.len(), settings.remembers),
        known: known.chain(sensors).collect(),
        images,
        faults,
        began,
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
    };
    for (place, bus) in settings.buses.iter().enumerate() {
        let opened = rehearsal.open_bus(place, bus).await;
        opened.map_err(|error| named(&format!("bus {}", bus.name), &error))?;
    }
    for (place, broker) in settings.brokers.into_iter().enumerate() {
        let name = format!("broker {}", broker.name);
        let opened = rehearsal.open_broker(place, broker, settings.seed).await;
        opened.map_err(|error| named(&name, &error))?;
    }
    if let Some(listen) = settings.database {
        let opened = rehearsal.open_database(listen).await;
        opened.map_err(|error| named("database", &error))?;
    }
    rehearsal.tasks.close();
    Ok(rehearsal)
}

/// What clocks show at a moment: seconds in UTC, and of civil time as if it were UTC.
fn clocks(began: &Moment, zone: &TimeZone) -> (f64, f64) {
    let utc = to_f64(began.wall.as_millisecond()) / 1e3;
    (utc, utc + f64::from(zone.to_offset(began.wall).seconds()))
}

fn named(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

impl Rehearsal {
    async fn open_bus(&mut self, place: usize, bus: &Bus) -> io::Result<()> {
        let pace = match &bus.at {
            At::Rtu(_, pace) => *pace,
            At::Tcp(_) | At::RtuOverTcp(_) => None,
        };
        let image = self.images.get(place).ok_or(io::ErrorKind::NotFound)?;
        let served = Arc::new(session::Bus {
            place,
            framing: bus.at.framing(),
            timeout: bus.timeout,
            pace,
            image: Arc::clone(image),
            faults: self.faults.clone(),
            log: self.log.clone(),
            strays: Mutex::default(),
        });
        let stop = self.stop.clone();
        let endpoint = match &bus.at {
            At::Tcp(listen) | At::RtuOverTcp(listen) => {
                let listener = TcpListener::bind(listen).await?;
                let endpoint = Endpoint::Socket(listener.local_addr()?);
                self.tasks.spawn(tcp::serve(served, listener, stop));
                endpoint
            }
            At::Rtu(link, _) => {
                let port = Port::open(link)?;
                self.tasks.spawn(pty::serve(served, port, stop));
                Endpoint::Terminal(link.clone())
            }
        };
        self.endpoints.push((bus.name.clone(), endpoint));
        Ok(())
    }

    async fn open_broker(
        &mut self,
        place: usize,
        settings: broker::Settings,
        seed: u64,
    ) -> io::Result<()> {
        let bound = Broker::bind(settings.listen).await?;
        self.brokers.push((settings.name.clone(), bound.address()?));
        let (faults, stop) = (self.faults.clone(), self.stop.clone());
        self.tasks
            .spawn(broker::serve(place, settings, bound, seed, faults, stop));
        Ok(())
    }

    async fn open_database(&mut self, listen: SocketAddr) -> io::Result<()> {
        let listener = TcpListener::bind(listen).await?;
        let written = Arc::new(Written::default());
        self.database = Some((listener.local_addr()?, Arc::clone(&written)));
        let (faults, stop) = (self.faults.clone(), self.stop.clone());
        self.tasks
            .spawn(database::serve(listener, faults, written, stop));
        Ok(())
    }

    /// Where a bus is.
    #[must_use]
    pub fn endpoint(&self, bus: &str) -> Option<&Endpoint> {
        self.endpoints
            .iter()
            .find(|one| one.0 == bus)
            .map(|one| &one.1)
    }

    /// Where every bus is, in the order of the settings.
    #[must_use]
    pub fn endpoints(&self) -> &[(String, Endpoint)] {
        &self.endpoints
    }

    /// Where every broker is.
    #[must_use]
    pub fn brokers(&self) -> &[(String, SocketAddr)] {
        &self.brokers
    }

    /// Where the database is, and what it was sent.
    #[must_use]
    pub fn database(&self) -> Option<(SocketAddr, &Written)> {
        self.database
            .as_ref()
            .map(|(at, written)| (*at, written.as_ref()))
    }

    /// A handle to break the park with.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What was asked.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// What flowed between the beginning and a moment in the direction of each
    /// register.
    #[must_use]
    pub fn flowed(&self, until: Timestamp) -> Vec<Flowed> {
        let s = self.seconds(until);
        self.known
            .iter()
            .flat_map(|known| known.flowed(s))
            .collect()
    }

    /// What each power moved between the beginning and a moment.
    #[must_use]
    pub fn moved(&self, until: Timestamp) -> Vec<Moved> {
        let s = self.seconds(until);
        self.known.iter().flat_map(|known| known.moved(s)).collect()
    }

    fn seconds(&self, until: Timestamp) -> f64 {
        until.duration_since(self.began.wall).as_secs_f64()
    }

    /// When it began.
    #[must_use]
    pub fn began(&self) -> Timestamp {
        self.began.wall
    }

    /// The moment now, by the clock that the powers follow.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let since = clock::mono().duration_since(self.began.mono);
        let since = jiff::SignedDuration::try_from(since).unwrap_or_default();
        self.began
            .wall
            .checked_add(since)
            .unwrap_or(self.began.wall)
    }

    /// Ends the park and waits until its ports are closed.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
