//! The connection to an MQTT broker, for whoever hears from one or publishes to one.
//!
//! ```text
//!   source, sink ── Outgoing ──▶ v3 │ v5 ──▶ bytes ──▶ broker
//!                ◀── Incoming ── v3 │ v5 ◀── bytes ◀──
//! ```
//!
//! Packets are cut and joined by rumqttc's codecs, each translated in a file of its own;
//! the loop around them is ours. **What a connection means is not known here**: sessions,
//! acknowledgements and what to publish belong to those who hold it.

mod connection;
mod packet;
mod tls;
mod v3;
mod v5;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

pub(crate) use self::connection::Connection;
pub(crate) use self::packet::{Greeting, Incoming, Message, Outgoing, TooLarge};

use crate::sys::secret::Secret;
use crate::wire::mqtt::Version;

/// How to reach a broker, and as whom.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Our name, and nobody else's.
    pub client_id: String,
    /// Version of the protocol.
    pub version: Version,
    /// How often a silent connection is tried.
    pub keep_alive: Duration,
    /// The largest payload that is taken in, bytes.
    pub max_payload: usize,
    /// Whether the broker keeps the session, and with it what it could not deliver.
    pub keep_session: bool,
    /// User name and password.
    pub login: Option<(String, Secret)>,
    /// TLS, if the broker speaks it.
    pub tls: Option<Tls>,
    /// What the broker publishes for us when we are gone without a word.
    pub will: Option<Will>,
}

/// Whom to trust on a TLS connection, and who we are.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// An authority (PEM) besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// Our certificate and its key (PEM), for a broker that wants to know.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A last will: retained, with quality of service 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Its topic.
    pub topic: String,
    /// What it says.
    pub payload: String,
}

impl Settings {
    fn keep_alive_s(&self) -> u16 {
        u16::try_from(self.keep_alive.as_secs()).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
impl Settings {
    /// A broker at a place, with nothing configured.
    fn at(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            client_id: "test".to_owned(),
            version: Version::default(),
            keep_alive: Duration::from_secs(15),
            max_payload: 1_024,
            keep_session: true,
            login: None,
            tls: None,
            will: None,
        }
    }
}

/// Connects, with the certificates as they are now: they are replaced in operation.
///
/// # Errors
///
/// What stands in the way, for people.
pub(crate) async fn open(settings: &Settings) -> Result<(Connection, Greeting), String> {
    let tls: Option<Arc<ClientConfig>> = match settings.tls.clone() {
        None => None,
        Some(tls) => {
            let reading = tokio::task::spawn_blocking(move || tls::config(&tls));
            Some(reading.await.map_err(|error| error.to_string())??)
        }
    };
    Connection::open(settings, tls).await
}
