//! From a configuration to the park that it describes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::constants;
use crate::cli::{Failure, IO};
use crate::config::{BrokerSetup, Setup};
use crate::domain::meter::{Freshness, Meter, Point};
use crate::simulate::rehearsal::broker::{self, Sensor};
use crate::simulate::rehearsal::register::Register;
use crate::simulate::rehearsal::session::Pace;
use crate::simulate::rehearsal::unit::{self, Unit};
use crate::simulate::rehearsal::{At, Bus, Endpoint, REMEMBERED, Rehearsal, Settings};
use crate::source::modbus::{self, Wiring};
use crate::wire::mqtt::{Speech, Way};
use crate::wire::register::{Field, Layout, Number, Order};

/// How often a sensor speaks that speaks on change alone.
const ON_CHANGE: Duration = Duration::from_secs(10);

/// How the park is to be served.
pub struct Options {
    /// The same seed gives the same park.
    pub seed: u64,
    /// Whether registers say where they are from.
    pub encodes: bool,
    /// Whether no address of the configuration is used.
    pub free_ports: bool,
    /// Whether there is a database.
    pub database: bool,
}

/// A directory for the links to serial lines, removed with the rehearsal.
pub struct Lines {
    dir: PathBuf,
}

impl Lines {
    /// Makes the directory.
    pub fn new() -> Result<Self, Failure> {
        let dir = std::env::temp_dir().join(format!("sunledger-simulate-{}", std::process::id()));
        std::fs::create_dir_all(&dir)
            .map_err(|error| Failure::new(IO, format!("{}: {error}", dir.display())))?;
        Ok(Self { dir })
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Where buses and brokers are in the configuration.
pub struct Places {
    buses: Vec<String>,
    brokers: Vec<String>,
    missing: Vec<String>,
}

impl Places {
    /// Where everything was, and where it is.
    pub fn table(&self, park: &Rehearsal) -> String {
        let mut text = String::new();
        for (was, (name, endpoint)) in self.buses.iter().zip(park.endpoints()) {
            let now = match endpoint {
                Endpoint::Socket(address) => address.to_string(),
                Endpoint::Terminal(link) => link.display().to_string(),
            };
            text.push_str(&format!("bus {name}: was {was}, now {now}\n"));
        }
        for (was, (name, now)) in self.brokers.iter().zip(park.brokers()) {
            text.push_str(&format!("broker {name}: was {was}, now {now}\n"));
        }
        if let Some((now, _)) = park.database() {
            text.push_str(&format!("database: now http://{now}\n"));
        }
        for missing in &self.missing {
            text.push_str(&format!("not simulated: {missing}\n"));
        }
        text
    }
}

/// The park of a configuration.
pub fn settings(setup: &Setup, options: &Options, lines: &Lines) -> (Settings, Places) {
    let buses = setup.buses.iter().map(|bus| Bus {
        name: bus.name.clone(),
        at: at(bus, options, lines),
        timeout: bus.timeout,
        units: units(bus, &setup.park.meters),
        any_unit: false,
    });
    let brokers = setup.brokers.iter().map(|broker| broker::Settings {
        name: broker.settings.name.clone(),
        listen: listen(&broker.settings.host, broker.settings.port, options),
        sensors: sensors(broker, &setup.park.meters),
    });
    let settings = Settings {
        seed: options.seed,
        encodes: options.encodes,
        remembers: REMEMBERED,
        buses: buses.collect(),
        brokers: brokers.collect(),
        database: options
            .database
            .then_some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        faults: Vec::new(),
        time_zone: setup.park.time_zone.clone(),
    };
    let of_broker =
        |broker: &BrokerSetup| format!("{}:{}", broker.settings.host, broker.settings.port);
    let places = Places {
        buses: setup
            .buses
            .iter()
            .map(|bus| bus.wiring.to_string())
            .collect(),
        brokers: setup.brokers.iter().map(of_broker).collect(),
        missing: missing(setup),
    };
    (settings, places)
}

/// Where a bus is served.
fn at(bus: &modbus::Settings, options: &Options, lines: &Lines) -> At {
    match &bus.wiring {
        Wiring::Tcp { host, port } => At::Tcp(listen(host, *port, options)),
        Wiring::RtuOverTcp { host, port } => At::RtuOverTcp(listen(host, *port, options)),
        Wiring::Serial(serial) => {
            let pace = Pace {
                character: serial.line.time(1),
                turnaround: serial.turnaround,
            };
            At::Rtu(lines.dir.join(&bus.name), Some(pace))
        }
    }
}

/// The address of the configuration where it is on the loopback, else a free port there.
fn listen(host: &str, port: u16, options: &Options) -> SocketAddr {
    let here = match host {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        host => host.parse().ok().filter(IpAddr::is_loopback),
    };
    match here.filter(|_| !options.free_ports) {
        Some(address) => SocketAddr::new(address, port),
        None => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

/// The units of a bus, with the meters that are read from each.
fn units(bus: &modbus::Settings, meters: &[Meter]) -> Vec<Unit> {
    let polls = bus.polls.iter().filter_map(|poll| {
        let meter = meters.get(poll.meter)?;
        let registers = poll.points.iter().filter_map(|(point, layout)| {
            let register = Register::new(meter.points.get(*point)?, layout);
            Some(register.with_factor(constants::product(&poll.factors, layout)))
        });
        let meter = unit::Meter {
            id: meter.id.clone(),
            role: meter.role,
            rated: meter.rated.map(|power| power.as_watts()),
            registers: registers.collect(),
            constants: constants::all(&poll.factors, &poll.identify),
        };
        Some(Unit {
            id: poll.unit,
            meters: vec![meter],
        })
    });
    polls.collect()
}

/// What is in the configuration and not in the park: a rehearsal says so itself,
/// before anyone takes the silence for a fault.
fn missing(setup: &Setup) -> Vec<String> {
    let name = |meter: usize| setup.park.meters.get(meter).map(|meter| meter.id.clone());
    let polls = setup.buses.iter().flat_map(|bus| &bus.polls);
    let models = polls
        .filter(|poll| poll.sunspec.is_some())
        .filter_map(|poll| Some(format!("{} (SunSpec)", name(poll.meter)?)));
    let brokers = setup.brokers.iter();
    let subscriptions = brokers.flat_map(|broker| &broker.settings.subscriptions);
    let speech = subscriptions.filter_map(|subscription| {
        let why = subscription.ways.iter().find_map(|way| match &way.speech {
            Speech::Values(reader) => {
                let mut places = reader.points.iter().filter_map(|one| one.places.first());
                places
                    .any(|place| place.pointer().is_none())
                    .then_some("a sum or a search")
            }
            Speech::Presence(_) => Some("presence"),
            Speech::Sparkplug(_) => Some("Sparkplug"),
        });
        Some(format!("{} ({})", name(subscription.meter)?, why?))
    });
    models.chain(speech).collect()
}

/// The sensors of a broker that speak plainly or in JSON. Sparkplug and presence are not
/// rehearsed.
fn sensors(broker: &BrokerSetup, meters: &[Meter]) -> Vec<Sensor> {
    let subscriptions = broker.settings.subscriptions.iter();
    subscriptions
        .filter_map(|subscription| {
            let meter = meters.get(subscription.meter)?;
            Some(
                subscription
                    .ways
                    .iter()
                    .filter_map(|way| sensor(meter, way)),
            )
        })
        .flatten()
        .collect()
}

fn sensor(meter: &Meter, way: &Way) -> Option<Sensor> {
    let Speech::Values(reader) = &way.speech else {
        return None;
    };
    let values = reader.points.iter().filter_map(|extract| {
        let point: &Point = meter.points.get(extract.point)?;
        let pointer = match extract.places.first() {
            Some(place) => Some(place.pointer()?),
            None => None,
        };
        let field = Field::new(0, Number::F64, Order::Big);
        let layout = Layout::simple(3, field, extract.decode);
        Some((pointer, Register::new(point, &layout)))
    });
    let on_change = meter.freshness == Freshness::UntilChanged;
    Some(Sensor {
        id: meter.id.clone(),
        role: meter.role,
        topic: way.filter.example(),
        every: if on_change { ON_CHANGE } else { meter.period },
        retained: on_change,
        values: values.collect(),
    })
}
