//! The rim: sources, sinks, and the secrets they need.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Tasks;
use crate::broker;
use crate::config::{MqttSetup, SecretSource, Setup};
use crate::sink::stats::SinkStats;
use crate::sink::{self, BlockSource, influx, mqtt as publish};
use crate::source::{Heard, SourceStats, modbus, mqtt};
use crate::store::{Reader, StoreError, StoreHandle};
use crate::sys::secret::Secret;

/// Every secret of a configuration, fetched before anything is started.
pub struct Secrets {
    sinks: BTreeMap<String, Secret>,
    brokers: BTreeMap<String, Secret>,
    credentials: Option<PathBuf>,
}

impl Secrets {
    /// Fetches them.
    ///
    /// # Errors
    ///
    /// A sentence that names what is missing and never the secret.
    pub fn load(setup: &Setup) -> Result<Self, String> {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let load = |what: &str, name: &str, source: &SecretSource| {
            source
                .load(credentials.as_deref())
                .map(|secret| (name.to_owned(), secret))
                .map_err(|error| format!("{what}.{name}: {error}"))
        };
        let sinks = setup
            .sinks
            .iter()
            .filter_map(|sink| Some(load("sink", &sink.name, sink.secret.as_ref()?)));
        let publishers = setup.mqtt_sinks.iter().filter_map(|sink| {
            let (_, source) = sink.broker.login.as_ref()?;
            Some(load("sink", &sink.name, source))
        });
        let brokers = setup.brokers.iter().filter_map(|broker| {
            let (_, source) = broker.login.as_ref()?;
            Some(load("broker", &broker.settings.name, source))
        });
        Ok(Self {
            sinks: sinks.chain(publishers).collect::<Result<_, _>>()?,
            brokers: brokers.collect::<Result<_, _>>()?,
            credentials,
        })
    }

    fn token_file(&self, source: &SecretSource) -> Option<PathBuf> {
        match source {
            SecretSource::File(path) => Some(path.clone()),
            SecretSource::Credential(name) => Some(self.credentials.as_ref()?.join(name)),
        }
    }
}

/// Starts a worker for each endpoint.
pub fn start_sources(
    tasks: &mut Tasks,
    setup: &Setup,
    secrets: &Secrets,
    heard: &mpsc::Sender<Heard>,
    stop: &CancellationToken,
    stats: &Arc<SourceStats>,
) {
    for bus in &setup.buses {
        let mut bus = bus.clone();
        bus.memory = Some(modbus::memory::path(&setup.store.dir, &bus.name));
        let task = format!("bus {}", bus.name);
        let worker = modbus::run(bus, heard.clone(), stop.clone(), Arc::clone(stats));
        tasks.start(&task, worker);
    }
    for broker in &setup.brokers {
        let mut settings = broker.settings.clone();
        let notes = setup.store.dir.join("brokers");
        settings.notes = Some(notes.join(format!("{}.json", settings.name)));
        let password = secrets.brokers.get(&settings.name).cloned();
        settings.login = broker
            .login
            .as_ref()
            .map(|(user, _)| user.clone())
            .zip(password);
        let name = format!("broker {}", settings.name);
        tasks.start(
            &name,
            mqtt::run(settings, heard.clone(), stop.clone(), Arc::clone(stats)),
        );
    }
}

/// Starts a task for each sink.
#[allow(clippy::too_many_arguments)]
pub fn start_sinks(
    tasks: &mut Tasks,
    setup: &Setup,
    secrets: &Secrets,
    cursors: &[(String, u64)],
    committed: &watch::Receiver<u64>,
    moved: &mpsc::Sender<(String, u64)>,
    stop: &CancellationToken,
    stats: &[(String, Arc<SinkStats>)],
) {
    let start = |name: &str| {
        let cursor = cursors.iter().find(|(sink, _)| sink == name);
        cursor.map_or(0, |(_, seq)| *seq)
    };
    let journal = || Journal {
        dir: setup.store.dir.clone(),
        reader: None,
    };
    for (sink, (_, stats)) in setup.sinks.iter().zip(stats) {
        let secret = secrets.sinks.get(&sink.name).cloned();
        let file = sink
            .secret
            .as_ref()
            .and_then(|source| secrets.token_file(source));
        let settings = sink.settings(secret, file, &setup.store.dir);
        let run = influx::run(
            settings,
            start(&sink.name),
            journal(),
            committed.clone(),
            moved.clone(),
            stop.clone(),
            Arc::clone(stats),
        );
        tasks.start(&format!("sink {}", sink.name), run);
    }
    let publishers = stats.iter().skip(setup.sinks.len());
    for (sink, (_, stats)) in setup.mqtt_sinks.iter().zip(publishers) {
        let run = publish::run(
            publisher(sink, setup, secrets),
            start(&sink.name),
            journal(),
            committed.clone(),
            moved.clone(),
            stop.clone(),
            Arc::clone(stats),
        );
        tasks.start(&format!("sink {}", sink.name), run);
    }
}

/// What a sink that publishes is told.
fn publisher(sink: &MqttSetup, setup: &Setup, secrets: &Secrets) -> publish::Settings {
    let (broker, login) = (&sink.broker.settings, sink.broker.login.as_ref());
    let user = login.map(|(user, _)| user.clone());
    let topics = publish::topics::Topics::new(&sink.prefix, &setup.park.id);
    publish::Settings {
        name: sink.name.clone(),
        broker: broker::Settings {
            login: user.zip(secrets.sinks.get(&sink.name).cloned()),
            // What has to be kept is in the journal.
            keep_session: false,
            will: Some(broker::Will {
                topic: topics.status(),
                payload: publish::OFFLINE.to_owned(),
            }),
            ..broker.broker()
        },
        password_file: login.and_then(|(_, source)| secrets.token_file(source)),
        prefix: sink.prefix.clone(),
        discovery: sink.discovery.clone(),
        every: sink.every,
        park: Arc::clone(&setup.park),
        sinks: setup.sink_names(),
    }
}

/// Brings cursors to the store until no sink is left.
pub async fn forward_cursors(mut moved: mpsc::Receiver<(String, u64)>, store: StoreHandle) {
    while let Some((sink, seq)) = moved.recv().await {
        if store.advance(&sink, seq).await.is_err() {
            return;
        }
    }
}

/// The journal, as a sink reads it.
pub struct Journal {
    /// The store's directory.
    pub dir: PathBuf,
    /// Opened at the first read, so that a journal that appears later is found.
    pub reader: Option<Reader>,
}

fn as_sink_reads(block: crate::store::Block) -> sink::Block {
    sink::Block {
        seq: block.seq,
        at_ms: block.at.as_millisecond(),
        lines: block.lines,
        points: block.points,
        text: block.text,
    }
}

fn io_error(error: StoreError) -> io::Error {
    io::Error::other(error.to_string())
}

impl Journal {
    fn reader(&mut self) -> io::Result<&mut Reader> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader::new(&self.dir).map_err(io_error)?,
        };
        Ok(self.reader.insert(reader))
    }
}

impl BlockSource for Journal {
    fn another(&self) -> Self {
        Self {
            dir: self.dir.clone(),
            reader: None,
        }
    }

    /// From the seals of full segments and the headers of the others.
    fn points_between(&mut self, seq: u64, upto: u64) -> io::Result<u64> {
        let reader = self.reader()?;
        let behind = |seq| reader.backlog(seq).map(|backlog| backlog.points);
        let (all, later) = (behind(seq), behind(upto));
        Ok(all
            .map_err(io_error)?
            .saturating_sub(later.map_err(io_error)?))
    }

    fn next_after(&mut self, seq: u64, upto: u64) -> io::Result<Option<sink::Block>> {
        let block = self.reader()?.next_after(seq, Some(upto));
        let block = block.map_err(io_error)?;
        Ok(block.map(as_sink_reads))
    }
}

/// The blocks of the journal that were written in a period.
pub struct Period {
    /// The journal.
    pub journal: Journal,
    /// First tick.
    pub from: Timestamp,
    /// The tick behind the last.
    pub to: Timestamp,
}

impl BlockSource for Period {
    fn another(&self) -> Self {
        Self {
            journal: self.journal.another(),
            ..*self
        }
    }

    fn next_after(&mut self, seq: u64, upto: u64) -> io::Result<Option<sink::Block>> {
        let block = self.journal.reader()?.next_between(seq, self.from, self.to);
        let block = block.map_err(io_error)?;
        Ok(block.map(as_sink_reads).filter(|block| block.seq <= upto))
    }

    /// Nobody waits for what is sent again.
    fn points_between(&mut self, _: u64, _: u64) -> io::Result<u64> {
        Ok(0)
    }
}
