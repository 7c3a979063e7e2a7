//! Hears the sensors of one MQTT broker.
//!
//! ```text
//!   broker ──PUBLISH──▶ readings ──▶ app ──▶ disk
//!   broker ◀──PUBACK── receipts ◀──────────────┘
//! ```
//!
//! Quality of service 1 and a persistent session: **a message is acknowledged when
//! its readings are on disk, never before**, so that a crash loses none. It may
//! come again; a redelivery with the same payload is not a new reading. A payload
//! without a number in it has nothing to store and is acknowledged at once.
//!
//! Topics are subscribed on every connect, because a broker forgets. When the
//! connection is lost each sensor is a gap, once. A retained message is of unknown
//! age: no reading, except for a sensor that speaks only on change.
//!
//! One task does it all and waits for nothing but the network, so the keep-alive
//! never suffers. Where the app is behind, messages wait here up to [`MAX_UNACKED`];
//! then the connection is closed and the broker keeps what comes.

mod backlog;
mod known;
mod receipts;
mod session;
mod tls;

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{AsyncClient, ConnectionError, EventLoop, MqttOptions, StateError};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use self::session::{End, Session};
use super::backoff::Backoff;
use super::{Heard, SourceStats};
use crate::domain::meter::{MeterIndex, PointIndex};
use crate::sys::clock;
use crate::sys::secret::Secret;
use crate::wire::register::Decode;

/// Messages taken in and not yet acknowledged. Far more than a broker sends ahead
/// (mosquitto: 20), and a few hundred kilobytes here.
pub const MAX_UNACKED: usize = 4_096;
/// Acknowledgements and subscriptions on their way to the broker: every message
/// that may wait, and the subscriptions of a large park.
const REQUESTS: usize = MAX_UNACKED + 1_024;
/// The largest message: a thousand times what a sensor sends. A larger one ends
/// the connection, because the client library has no way past it.
const MAX_MESSAGE: usize = 256 * 1024;
/// How often a silent connection is tried. A dead broker is noticed within twice
/// this time, long before anyone asks why the sensors are quiet.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a connection must have lasted to count as a good one. Two clients of
/// one name throw each other out at once, and must not do so every second.
const SETTLED_AFTER: Duration = Duration::from_secs(30);
/// How long the last readings may take to reach the disk when the source ends:
/// longer than a commit takes, shorter than the patience of a service manager.
const LAST_ACKS: Duration = Duration::from_millis(1_500);
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);

/// One broker and the sensors behind it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the broker in the configuration.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The same after every start, and no other client's: the broker keeps the
    /// session under this name.
    pub client_id: String,
    /// User name and password.
    pub login: Option<(String, Secret)>,
    /// TLS, if the broker speaks it.
    pub tls: Option<Tls>,
    /// The sensors.
    pub subscriptions: Vec<Subscription>,
}

/// Whom to trust on a TLS connection.
#[derive(Debug, Clone)]
pub struct Tls {
    /// An authority (PEM) besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// One sensor.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The sensor.
    pub meter: MeterIndex,
    /// Its topic, without wildcards.
    pub topic: String,
    /// What it measures: the place in a JSON payload, none where the payload is a
    /// number, and what the number means.
    pub points: Vec<(PointIndex, Option<String>, Decode)>,
    /// Whether a retained message is a reading: the sensor speaks only on change.
    pub retained_ok: bool,
}

/// Hears the broker until `stop` is cancelled or nobody listens.
///
/// At `stop` no new message is taken in; those on their way to the disk are
/// acknowledged if they arrive there within `LAST_ACKS`, else the broker sends
/// them again after the next start.
pub async fn run(
    settings: Settings,
    tx: mpsc::Sender<Heard>,
    stop: CancellationToken,
    stats: Arc<SourceStats>,
) {
    let (client, mut events) = AsyncClient::new(options(&settings), REQUESTS);
    let mut backoff = Backoff::new(&settings.name);
    let mut trusted = settings.tls.is_none();
    let mut session = Session::new(settings, client, tx.clone(), stats);
    loop {
        let why = match trust(&session, &mut events, &mut trusted).await {
            Err(why) => why,
            Ok(()) => match session.converse(&mut events, &stop).await {
                End::Stop => return goodbye(&mut session, &mut events).await,
                End::Lost(why) => why,
            },
        };
        // Of what was on its way nothing is sent on the next connection: topics
        // are subscribed anew, and identifiers may have another meaning.
        events.clean();
        events.pending.clear();
        if session
            .lost(&why)
            .is_some_and(|lasted| lasted >= SETTLED_AFTER)
        {
            backoff.reset();
        }
        let until = clock::mono() + backoff.failed();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tx.closed() => return,
            () = session.rest(sleep_until(until)) => (),
        }
    }
}

/// Takes in the certificates, once they are there to be read.
async fn trust(
    session: &Session,
    events: &mut EventLoop,
    trusted: &mut bool,
) -> Result<(), String> {
    if *trusted {
        return Ok(());
    }
    let ca_file = session.settings.tls.clone().and_then(|tls| tls.ca_file);
    let reading = tokio::task::spawn_blocking(move || tls::transport(ca_file.as_deref()));
    let transport = reading.await.map_err(|error| error.to_string())??;
    events.mqtt_options.set_transport(transport);
    *trusted = true;
    Ok(())
}

/// The last acknowledgements, and a proper end of the connection.
async fn goodbye(session: &mut Session, events: &mut EventLoop) {
    if events.network.is_none() {
        return;
    }
    let _ = timeout(LAST_ACKS, session.last_acks(events)).await;
    let _ = timeout(GOODBYE, session.disconnect(events)).await;
}

fn options(settings: &Settings) -> MqttOptions {
    let id = match settings.client_id.as_str() {
        "" => format!("sunledger-{}", settings.name),
        id => id.to_owned(),
    };
    let host = match settings.host.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => settings.host.clone(),
    };
    let mut options = MqttOptions::new(id, host, settings.port);
    options
        .set_clean_session(false)
        .set_manual_acks(true)
        .set_keep_alive(KEEP_ALIVE)
        .set_max_packet_size(MAX_MESSAGE, MAX_MESSAGE);
    if let Some((user, password)) = &settings.login {
        options.set_credentials(user, password.expose());
    }
    options
}

/// What went wrong, for people.
fn words(error: &ConnectionError) -> String {
    use rumqttc::mqttbytes::Error::PayloadSizeLimitExceeded;
    match error {
        ConnectionError::Io(error) | ConnectionError::MqttState(StateError::Io(error)) => {
            error.to_string()
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            "connection closed by the broker".into()
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => "the broker fell silent".into(),
        ConnectionError::MqttState(StateError::Deserialization(PayloadSizeLimitExceeded(size))) => {
            format!("a message of {size} bytes, more than {MAX_MESSAGE}")
        }
        ConnectionError::ConnectionRefused(code) => {
            format!("the broker refuses the connection ({code:?})")
        }
        ConnectionError::NetworkTimeout => "no answer in time".into(),
        error => error.to_string(),
    }
}
