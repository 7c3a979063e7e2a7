//! What of a configuration is read: which meters, by which way, and that nobody else
//! reads them.

use super::Arguments;
use super::verdict::Way;
use crate::cli::{CONFIG, Failure, IO, USAGE};
use crate::config::read::list;
use crate::config::{self, Setup};
use crate::domain::meter::MeterIndex;
use crate::source::modbus::Wiring;
use crate::source::modbus::link::text;
use crate::source::mqtt;
use crate::store::StoreError;
use crate::store::place::{KeptOut, keep_out};

/// The places of the meters that are meant.
pub fn chosen(setup: &Setup, ids: &[String]) -> Result<Vec<MeterIndex>, Failure> {
    let meters = &setup.park.meters;
    let mut places = Vec::new();
    for id in ids {
        let Some(place) = meters.iter().position(|meter| *meter.id == **id) else {
            let known = list(meters.iter().map(|meter| format!("`{}`", meter.id)));
            return Err(Failure::new(
                USAGE,
                format!("there is no meter `{id}`; one of {known}"),
            ));
        };
        places.push(place);
    }
    if places.is_empty() {
        // Behind a meter that is computed from others is no device.
        let computed = |id: &str| setup.park.relations.is_computed(id);
        let devices = meters.iter().enumerate();
        let devices = devices.filter(|(_, meter)| !computed(&meter.id));
        places = devices.map(|(place, _)| place).collect();
    }
    Ok(places)
}

/// Sees to it that no daemon runs on this configuration, and none is started meanwhile.
pub fn alone(setup: &Setup, arguments: &Arguments) -> Result<Option<KeptOut>, Failure> {
    if arguments.anyway {
        return Ok(None);
    }
    let dir = setup.store.dir.display();
    keep_out(&setup.store.dir).map_err(|error| {
        let sentence = match &error {
            StoreError::Locked { holder, .. } => format!(
                "a daemon{holder} runs on this configuration ({dir}), and two connections to one gateway swap answers; \
                 stop it (systemctl stop sunledger), or say --anyway where no endpoint is shared"
            ),
            other => format!(
                "{other}; so nobody knows whether a daemon runs on this configuration: \
                 run this as its user (sudo -u sunledger), or say --anyway"
            ),
        };
        Failure::new(IO, sentence)
    })
}

/// How a meter is reached.
pub fn way(setup: &Setup, place: MeterIndex) -> Way {
    for bus in &setup.buses {
        if let Some(poll) = bus.polls.iter().find(|poll| poll.meter == place) {
            let kind = match bus.wiring {
                Wiring::Tcp { .. } => "tcp",
                Wiring::RtuOverTcp { .. } => "rtu_over_tcp",
                Wiring::Serial(_) => "rtu",
            };
            return Way::Bus {
                table: format!("bus.{}.{kind}", bus.name),
                longer: text(bus.timeout * 2).replace(' ', ""),
                unit: poll.unit,
            };
        }
    }
    let hears = |broker: &&config::BrokerSetup| {
        let mut subscriptions = broker.settings.subscriptions.iter();
        subscriptions.any(|subscription| subscription.meter == place)
    };
    let broker = setup.brokers.iter().find(hears);
    broker.map_or(Way::Nothing, |broker| Way::Broker {
        table: format!("broker.{}", broker.settings.name),
    })
}

/// Brokers of the chosen sensors, under a name of our own: the daemon keeps its session.
pub fn brokers(setup: &Setup, chosen: &[MeterIndex]) -> Result<Vec<mqtt::Settings>, Failure> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(std::path::PathBuf::from);
    let mut brokers = Vec::new();
    for broker in &setup.brokers {
        let mut settings = broker.settings.clone();
        settings
            .subscriptions
            .retain(|subscription| chosen.contains(&subscription.meter));
        if settings.subscriptions.is_empty() {
            continue;
        }
        settings.client_id = format!("{}-commission", settings.client_id);
        settings.keep_session = false;
        settings.read_only = true;
        if let Some((user, source)) = &broker.login {
            let secret = source
                .load(credentials.as_deref())
                .map_err(|why| Failure::new(CONFIG, format!("broker.{}: {why}", settings.name)))?;
            settings.login = Some((user.clone(), secret));
        }
        brokers.push(settings);
    }
    Ok(brokers)
}
