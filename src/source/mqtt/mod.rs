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
//! never suffers. A broker sends so many messages ahead of their acknowledgements as it
//! likes (mosquitto: 20). **Where [`MAX_UNACKED`] of them wait for the disk, nothing
//! more is read**, TCP holds the broker back, and pings go on.
//!
//! Nothing is published but requests without which a device stays silent: a Sparkplug
//! node's rebirth and a Victron's keep-alive, and not even those with `read_only`.

mod backlog;
mod filters;
mod intake;
mod known;
mod receipts;
mod session;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use self::filters::Filters;
use self::session::{End, Session};
use super::backoff::Backoff;
use super::{Heard, SourceStats};
pub use crate::broker::Tls;
use crate::broker::{self, Connection};
use crate::domain::meter::{MeterIndex, PointIndex};
use crate::sys::clock;
use crate::sys::secret::Secret;
use crate::wire::mqtt::{Version, Way};

/// Messages taken in and not yet acknowledged. Far more than a broker sends ahead
/// (mosquitto: 20), and a few hundred kilobytes here.
pub const MAX_UNACKED: usize = 4_096;
/// The largest payload where nothing is configured: a thousand times what a sensor
/// sends.
pub const MAX_PAYLOAD: usize = 256 * 1_024;
/// How often a silent connection is tried where nothing is configured. A dead broker is
/// noticed within twice this time, long before anyone asks why the sensors are quiet.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
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
    /// Version of the protocol.
    pub version: Version,
    /// How often a silent connection is tried.
    pub keep_alive: Duration,
    /// The largest payload that is taken in, bytes.
    pub max_payload: usize,
    /// Whether nothing at all is published.
    pub read_only: bool,
    /// Whether the broker keeps the session, and with it what it could not deliver.
    pub keep_session: bool,
    /// User name and password.
    pub login: Option<(String, Secret)>,
    /// TLS, if the broker speaks it.
    pub tls: Option<Tls>,
    /// Where it is noted what is subscribed.
    pub notes: Option<PathBuf>,
    /// The sensors.
    pub subscriptions: Vec<Subscription>,
}

/// One sensor.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The sensor.
    pub meter: MeterIndex,
    /// Everything that it measures.
    pub points: Vec<PointIndex>,
    /// Its topics, and what they say.
    pub ways: Vec<Way>,
    /// How long a value stands; none: until the next one.
    pub stand_for: Option<Duration>,
    /// Whether a retained message is a reading: the sensor speaks only on change.
    pub retained_ok: bool,
    /// A topic to which its device wants to be written, or it falls silent.
    pub keep_talking: Option<String>,
}

impl Settings {
    /// A broker at a place, with nothing configured and no sensors.
    #[must_use]
    pub fn at(host: &str, port: u16) -> Self {
        Self {
            name: host.to_owned(),
            host: host.to_owned(),
            port,
            client_id: String::new(),
            version: Version::default(),
            keep_alive: KEEP_ALIVE,
            max_payload: MAX_PAYLOAD,
            read_only: false,
            keep_session: true,
            login: None,
            tls: None,
            notes: None,
            subscriptions: Vec::new(),
        }
    }

    /// The name under which the broker keeps the session.
    fn client(&self) -> String {
        match self.client_id.as_str() {
            "" => format!("sunledger-{}", self.name),
            id => id.to_owned(),
        }
    }

    /// How to reach it.
    #[must_use]
    pub fn broker(&self) -> broker::Settings {
        broker::Settings {
            host: self.host.clone(),
            port: self.port,
            client_id: self.client(),
            version: self.version,
            keep_alive: self.keep_alive,
            max_payload: self.max_payload,
            keep_session: self.keep_session,
            login: self.login.clone(),
            tls: self.tls.clone(),
            will: None,
        }
    }

    fn filters(&self) -> BTreeSet<String> {
        let ways = self.subscriptions.iter().flat_map(|sensor| &sensor.ways);
        ways.map(|way| way.filter.subscribed.clone()).collect()
    }
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
    let (client, wanted, notes) = (
        settings.client(),
        settings.filters(),
        settings.notes.clone(),
    );
    let noted = tokio::task::spawn_blocking(move || Filters::load(client, wanted, notes)).await;
    let Ok(filters) = noted else { return };
    let mut backoff = Backoff::new(&settings.name);
    let way = settings.broker();
    let mut session = Session::new(settings, filters, tx.clone(), stats);
    loop {
        let opened = tokio::select! {
            () = stop.cancelled() => return,
            () = tx.closed() => return,
            opened = broker::open(&way) => opened,
        };
        let why = match opened {
            Err(why) => why,
            Ok((mut connection, greeting)) => {
                match session.converse(&mut connection, greeting, &stop).await {
                    End::Stop => return goodbye(&mut session, connection).await,
                    End::Lost(why) => why,
                }
            }
        };
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

/// The last acknowledgements, and a proper end of the connection.
async fn goodbye(session: &mut Session, mut connection: Connection) {
    let _ = timeout(LAST_ACKS, session.last_acks(&mut connection)).await;
    let _ = timeout(GOODBYE, connection.close()).await;
}
