//! A solar-thermal park on this machine: physics, meters on Modbus TCP, sensors on
//! MQTT, a past of any length, and faults to rehearse.
//!
//! ```text
//!   physics (pure) ──▶ live ──▶ modbus: five endpoints on the loopback
//!      │                │  └──▶ broker: one endpoint on the loopback
//!      └──▶ history     └── truth, faults: for tests and rehearsals
//! ```
//!
//! The daemon reads this park over the same protocols, by the same code, as a real
//! one. The park keeps its own truth of what flowed; it knows nothing of the
//! daemon's balance, so the two can be held against each other.

pub mod broker;
pub mod history;
pub mod live;
pub mod modbus;
pub mod park;
pub mod physics;
pub mod rehearsal;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rumqttc::mqttbytes::QoS;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::units::to_i64;
use crate::sys::clock;
use broker::{Broker, Publisher};
use history::History;
use live::{Live, NoSuchMeter};
use park::all_devices;
use park::devices::{BUSES, SENSORS};
use park::toml::Site;
use physics::Physics;
use physics::time::Local;

/// How long the park lives at least before anyone looks, so that storages and loops
/// stand where a day has left them, s.
const RUN_IN_S: i64 = 86_400;

/// Where and when the simulated park is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The same seed gives the same park.
    pub seed: u64,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Its civil time.
    pub zone: TimeZone,
    /// Local hour of sun and working day at the start; the real one where it is none.
    pub hour: Option<f64>,
    /// The start, by the wall clock.
    pub start: Timestamp,
    /// First of six consecutive ports on the loopback; free ones where it is none.
    pub first_port: Option<u16>,
}

impl Settings {
    /// The park of the demo, from `start` on.
    #[must_use]
    pub fn fanshi(start: Timestamp) -> Self {
        Self {
            seed: 1,
            latitude: 39.19,
            longitude: 113.26,
            zone: TimeZone::get("Asia/Shanghai").unwrap_or(TimeZone::UTC),
            hour: None,
            start,
            first_port: None,
        }
    }

    /// By how much sun and working day are ahead of the wall clock.
    #[must_use]
    pub fn shift(&self) -> SignedDuration {
        let local = Local::at(self.start.as_second(), &self.zone);
        let shift = self
            .hour
            .map_or(0, |hour| to_i64(hour * 3_600.0) - local.second);
        SignedDuration::from_secs(shift)
    }
}

/// A simulated park that is running.
pub struct Simulation {
    live: Arc<Live>,
    past: History,
    site: Site,
    publisher: Publisher,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Endpoints of a simulated park.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// Every bus with its name.
    pub buses: Vec<(&'static str, SocketAddr)>,
    /// The broker.
    pub broker: SocketAddr,
}

impl Simulation {
    /// Lives through the past, then opens the endpoints. The park runs until `stop`.
    ///
    /// # Errors
    ///
    /// What binding the ports says.
    pub async fn start(
        settings: Settings,
        history: Duration,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let end = settings.start.as_second();
        let back = i64::try_from(history.as_secs()).unwrap_or(i64::MAX);
        let begin = end.saturating_sub(back);
        let begin = begin - begin.rem_euclid(history::STEP_S);
        let work = settings.clone();
        let lived = tokio::task::spawn_blocking(move || live_through(&work, begin, end)).await;
        let (opening, physics) = lived.map_err(io::Error::other)??;

        let live = Arc::new(Live::new(physics));
        let tasks = TaskTracker::new();
        let mut ports = (0..).map(|n| settings.first_port.map_or(0, |port| port.saturating_add(n)));
        let mut next = || SocketAddr::from((Ipv4Addr::LOCALHOST, ports.next().unwrap_or(0)));
        let mut buses = Vec::new();
        for bus in BUSES {
            let listener = TcpListener::bind(next()).await?;
            buses.push(listener.local_addr()?);
            tasks.spawn(modbus::serve(
                listener,
                bus,
                Arc::clone(&live),
                stop.clone(),
            ));
        }
        let broker = Broker::bind(next()).await?;
        let site = Site {
            latitude: settings.latitude,
            longitude: settings.longitude,
            zone: settings.zone.iana_name().unwrap_or("UTC").to_owned(),
            buses,
            broker: broker.address()?,
        };
        let publisher = broker.publisher();
        tasks.spawn(broker.run(stop.clone()));
        tasks.spawn(speak(Arc::clone(&live), publisher.clone(), stop.clone()));
        tasks.close();
        Ok(Self {
            live,
            past: History::new(opening, end),
            site,
            publisher,
            stop,
            tasks,
        })
    }

    /// A complete configuration that reads this park; `settlement_interval` is
    /// `"15min"` unless a test is in a hurry.
    #[must_use]
    pub fn config_toml(&self, data_dir: &Path, listen: &str, settlement_interval: &str) -> String {
        park::toml::config(&self.site, data_dir, listen, settlement_interval)
    }

    /// What everyone would have said, every whole minute from the beginning of the
    /// history to the start. Lived through again on every call: about a
    /// tenth of a second for two days.
    #[must_use]
    pub fn history(&self) -> History {
        self.past.clone()
    }

    /// What really flowed between two whole seconds, Wh by the flow names of the
    /// daemon's intervals; `None` where that is forgotten (after
    /// [`physics::truth::KEEP_S`]) or still to come.
    #[must_use]
    pub fn truth(&self, start: Timestamp, end: Timestamp) -> Option<Vec<(&'static str, f64)>> {
        self.live
            .between(start.as_second(), end.as_second(), clock::wall())
    }

    /// What really flowed at a meter between two whole seconds, Wh in the
    /// direction of its role; at the electric boiler, electricity.
    #[must_use]
    pub fn metered(&self, meter: &str, start: Timestamp, end: Timestamp) -> Option<f64> {
        let device = all_devices().find(|device| device.id == meter)?;
        let (start, end) = (start.as_second(), end.as_second());
        self.live
            .through(device.terminal, start, end, clock::wall())
    }

    /// A handle to break meters with.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults {
            live: Arc::clone(&self.live),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn ports(&self) -> Ports {
        let names = BUSES.iter().map(|bus| bus.name);
        Ports {
            buses: names.zip(self.site.buses.iter().copied()).collect(),
            broker: self.site.broker,
        }
    }

    /// A way to publish on the park's broker.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// Ends the park and waits until its ports are closed.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

/// The park at the beginning of its history, and at the start.
///
/// It is born at a midnight: what a storage holds depends on when its life began, and
/// two starts on one day are to tell the same past.
fn live_through(settings: &Settings, begin: i64, end: i64) -> io::Result<(Physics, Physics)> {
    let eve = Timestamp::from_second(begin.saturating_sub(RUN_IN_S)).map_err(io::Error::other)?;
    let midnight = eve.to_zoned_datetime(settings.zone.clone()).start_of_day();
    let born = midnight.map_err(io::Error::other)?.timestamp();
    let mut opening = Physics::new(
        settings.seed,
        settings.latitude,
        settings.longitude,
        born,
        settings.shift(),
        settings.zone.clone(),
    );
    opening.run_to(begin, true);
    let mut physics = opening.clone();
    physics.run_to(end, true);
    Ok((opening, physics))
}

/// Publishes what the sensors say, each at whole multiples of its period.
async fn speak(live: Arc<Live>, publisher: Publisher, stop: CancellationToken) {
    let mut last = clock::wall().as_second();
    loop {
        let into = clock::wall().as_millisecond().rem_euclid(1_000);
        let rest = Duration::from_millis(u64::try_from(1_000 - into).unwrap_or(1_000));
        if stop
            .run_until_cancelled(tokio::time::sleep(rest))
            .await
            .is_none()
        {
            return;
        }
        let now = clock::wall();
        let second = now.as_second();
        for sensor in SENSORS {
            if second.div_euclid(sensor.every_s) != last.div_euclid(sensor.every_s) {
                let payload = sensor.payload(|gauge| live.gauge(gauge, now));
                publisher.publish(sensor.topic, &payload, QoS::AtLeastOnce, false);
            }
        }
        last = second;
    }
}

/// Breaks meters, and mends them.
#[derive(Clone)]
pub struct Faults {
    live: Arc<Live>,
}

impl Faults {
    /// The meter does not answer at all.
    ///
    /// # Errors
    ///
    /// [`NoSuchMeter`].
    pub fn dead(&self, meter: &str, on: bool) -> Result<(), NoSuchMeter> {
        self.live.set_dead(meter, on)
    }

    /// The meter says NaN in all its floats; its integers are not touched.
    ///
    /// # Errors
    ///
    /// [`NoSuchMeter`].
    pub fn not_available(&self, meter: &str, on: bool) -> Result<(), NoSuchMeter> {
        self.live.set_not_available(meter, on)
    }

    /// The meter shows so many times what flows, in power, and in energy from this
    /// moment on.
    ///
    /// # Errors
    ///
    /// [`NoSuchMeter`].
    pub fn scale(&self, meter: &str, factor: f64) -> Result<(), NoSuchMeter> {
        self.live.set_scale(meter, factor, clock::wall())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::history::{HistoryValue, STEP_S};
    use crate::simulate::physics::terminal::{Direction, Terminal};

    fn settings(start: &str, hour: Option<f64>) -> Settings {
        Settings {
            hour,
            ..Settings::fanshi(start.parse().unwrap())
        }
    }

    #[test]
    fn the_hour_says_by_how_much_the_sun_is_ahead() {
        #[rustfmt::skip]
        let cases = [
            // start (UTC)              local  hour         ahead
            ("2026-06-03T03:00:00Z", /* 11 h */ None,           0),
            ("2026-06-03T03:00:00Z", /* 11 h */ Some(11.0),     0),
            ("2026-06-03T01:30:00Z", /*  9.5 */ Some(11.0), 5_400),
            ("2026-06-03T15:00:00Z", /* 23 h */ Some(11.0), -43_200),
            ("2026-06-03T16:00:00Z", /*  0 h */ Some(6.5),  23_400),
        ];
        for (start, hour, ahead) in cases {
            assert_eq!(
                settings(start, hour).shift().as_secs(),
                ahead,
                "{start} {hour:?}"
            );
        }
    }

    #[test]
    fn two_starts_on_one_day_tell_the_same_past() {
        let past = |start: &str| {
            let settings = settings(start, None);
            let end = settings.start.as_second();
            let (opening, _) = live_through(&settings, end - 7_200, end).unwrap();
            History::new(opening, end)
        };
        let later: Vec<_> = past("2026-06-03T04:01:00Z").collect();
        let both: Vec<_> = past("2026-06-03T03:00:00Z")
            .filter(|step| step.at >= later[0].at)
            .collect();
        assert_eq!(both.len(), 60);
        assert!(both == later[..60]);
    }

    #[test]
    fn the_past_ends_where_the_present_begins() {
        let settings = settings("2026-06-03T03:00:00Z", None);
        let end = settings.start.as_second();
        let (opening, present) = live_through(&settings, end - 7_200, end).unwrap();
        let steps: Vec<_> = History::new(opening, end).collect();
        assert_eq!(steps.len(), 121);
        assert_eq!(steps[0].at.as_second(), end - 7_200);
        assert!(
            steps
                .windows(2)
                .all(|pair| { pair[1].at.as_second() - pair[0].at.as_second() == STEP_S })
        );
        let last = steps.last().unwrap();
        let value = |meter, quantity| {
            let mut samples = last.samples.iter();
            let found = samples.find(|s| s.meter == meter && s.quantity == quantity);
            found.unwrap().value
        };
        let counted = present.counted(Terminal::Offices, Direction::Positive, end * 1_000);
        let wh = counted.div_euclid(physics::terminal::MJ_PER_WH);
        assert_eq!(value("offices", "energy"), HistoryValue::Count(wh));
        let power = physics::terminal::watts(present.powers().of(Terminal::Offices));
        assert_eq!(value("offices", "power"), HistoryValue::Analog(power));
    }
}
