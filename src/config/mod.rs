//! The configuration: a TOML file, read with every mistake at once, into what it
//! means.
//!
//! ```text
//!   text ──read──▶ tables ──check──▶ Setup { park, store, web, sinks, buses, brokers }
//!                     └──▶ problems: path, fact, remedy
//! ```
//!
//! A choice is a sub-table, unknown keys are refused, and secrets are named, never
//! written: the file says where a secret is, [`SecretSource::load`] fetches it when
//! the daemon starts.

mod accuracy;
pub mod broker;
pub mod bus;
mod carbon;
pub mod check;
pub mod checks;
mod compensation;
pub mod database;
mod derived;
mod doubled;
pub mod endpoint;
pub mod field;
mod gaps;
mod heat;
pub mod meaning;
pub mod meter;
pub mod overlap;
mod plant;
pub mod point;
pub mod polled;
pub mod ratio;
pub mod read;
mod relations;
pub mod sensor;
mod settlement;
mod sink_mqtt;
mod sunspec;
pub mod template;
pub mod units;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::meter::Park;
use crate::domain::plant::Plant;
use crate::domain::plausibility;
use crate::domain::settlement::Settlement;
use crate::source::{modbus, mqtt};
use crate::sys::secret::Secret;

pub use database::InfluxSetup;
pub use read::Problem;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A credential of systemd, by name.
    Credential(String),
    /// A file that only its owner and group can read.
    File(PathBuf),
}

impl SecretSource {
    /// Fetches the secret. `credentials` is the directory that systemd names.
    ///
    /// # Errors
    ///
    /// A sentence with a remedy; it never contains the secret.
    pub fn load(&self, credentials: Option<&Path>) -> Result<Secret, String> {
        let path = match self {
            Self::File(path) => path.clone(),
            Self::Credential(name) => credentials
                .ok_or_else(|| {
                    format!(
                        "credential `{name}`: systemd passed no credentials; \
                         add LoadCredential={name}:PATH to the unit, or use `file`"
                    )
                })?
                .join(name),
        };
        let shown = path.display();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("secret file {shown}: {error}"))?;
        if matches!(self, Self::File(_)) {
            world_readable(&path)
                .map_err(|fact| format!("secret file {shown} {fact}; run chmod o-rwx {shown}"))?;
        }
        if text.trim().is_empty() {
            return Err(format!("secret file {shown} is empty"));
        }
        Ok(Secret::new(&text))
    }
}

fn world_readable(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let mode = std::fs::metadata(path)
        .map_err(|error| error.to_string())?
        .mode();
    if mode & 0o007 != 0 {
        Err("can be read by everyone".to_owned())
    } else {
        Ok(())
    }
}

/// Where the store is and what bounds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSetup {
    /// Directory.
    pub dir: PathBuf,
    /// Days that delivered blocks are kept.
    pub keep_days: u32,
    /// Size bound of the journal, bytes.
    pub max_bytes: u64,
    /// Free space that the journal leaves, bytes.
    pub free_floor: u64,
    /// Whether recording stops where there is no room, instead of what no sink has yet
    /// making it.
    pub stop_when_full: bool,
}

/// Where the page is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSetup {
    /// Address and port.
    pub listen: std::net::SocketAddr,
    /// Further names under which it may be asked for.
    pub hosts: Vec<String>,
}

/// A broker to publish to.
#[derive(Debug, Clone)]
pub struct MqttSetup {
    /// Name of the sink.
    pub name: String,
    /// The broker, with our name there.
    pub broker: BrokerSetup,
    /// The first levels of all topics.
    pub prefix: String,
    /// The first level of Home Assistant's discovery, where it is told.
    pub discovery: Option<String>,
    /// How often states go out.
    pub every: Duration,
}

/// A broker, before its password is fetched.
#[derive(Debug, Clone)]
pub struct BrokerSetup {
    /// Everything but the login.
    pub settings: mqtt::Settings,
    /// User and where the password is.
    pub login: Option<(String, SecretSource)>,
}

/// What a configuration means.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The park.
    pub park: Arc<Park>,
    /// The store.
    pub store: StoreSetup,
    /// The page.
    pub web: WebSetup,
    /// Sinks.
    pub sinks: Vec<InfluxSetup>,
    /// Sinks that publish to a broker.
    pub mqtt_sinks: Vec<MqttSetup>,
    /// Modbus endpoints.
    pub buses: Vec<modbus::Settings>,
    /// MQTT brokers.
    pub brokers: Vec<BrokerSetup>,
    /// The units of the plant, and the limits of its indicators.
    pub plant: Arc<Plant>,
    /// The plausibility checks.
    pub checks: plausibility::Settings,
    /// Contracts and the carbon account.
    pub settlement: Arc<Settlement>,
    /// Templates of the meters, each once.
    pub templates: Vec<template::Shared>,
    /// What the registers are multiplied by, of meters that show secondary values.
    pub multipliers: BTreeMap<Arc<str>, (i128, i128)>,
    /// Their current and voltage transformers, where these are named.
    pub transformers: BTreeMap<Arc<str>, [(i128, i128); 2]>,
}

impl Setup {
    /// The names of all sinks: those to a database, then those to a broker.
    #[must_use]
    pub fn sink_names(&self) -> Vec<String> {
        let databases = self.sinks.iter().map(|sink| &sink.name);
        let brokers = self.mqtt_sinks.iter().map(|sink| &sink.name);
        databases.chain(brokers).cloned().collect()
    }
}

/// Why a configuration is none.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {error}; name a file that can be read with --config", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It can be read, and does not describe a park.
    #[error("{count} problem{s} in {path}", count = problems.len(), s = if problems.len() == 1 { "" } else { "s" }, path = path.display())]
    Meaning {
        /// The file.
        path: PathBuf,
        /// Every mistake.
        problems: Vec<Problem>,
    },
}

/// Reads a configuration file.
///
/// # Errors
///
/// [`ConfigError`], with all mistakes at once.
pub fn load(path: &Path) -> Result<Setup, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read {
        path: path.to_owned(),
        error,
    })?;
    check::parse(&text).map_err(|problems| ConfigError::Meaning {
        path: path.to_owned(),
        problems,
    })
}
