//! A small MQTT 3.1.1 broker for the simulated park, on the loopback alone.
//!
//! It speaks quality of service 0 and 1, exact topics and the filters `+` and `#`,
//! retained messages, keep-alive and takeover of a client's name. It keeps no
//! sessions: a client that comes back subscribes again. It refuses to listen
//! anywhere but on the loopback, because it asks nobody for a password.
//!
//! Packets are cut and joined by the codec of rumqttc.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, SubAck, Subscribe,
    SubscribeReasonCode, UnsubAck,
};
use rumqttc::mqttbytes::{Error, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::wire::mqtt::topic::{is_filter, is_topic, matches};

/// Largest packet in either direction.
const MAX_PACKET: usize = 64 * 1_024;
/// Messages that wait for a client; one more is dropped for that client, counted.
const CLIENT_QUEUE: usize = 256;
/// Messages sent and not yet acknowledged; the rest waits in the queue.
const IN_FLIGHT: usize = 64;
/// Clients at once; the next one is told that the service is not available.
const CLIENTS: usize = 64;
/// Topics whose last message is kept; one more is not kept, counted as dropped.
const RETAINED: usize = 1_024;
/// Filters of one client; one more is refused.
const FILTERS: usize = 256;
/// How long a new connection may take to say who it is.
const HELLO: Duration = Duration::from_secs(10);
/// How long a client may leave its socket full.
const WRITE: Duration = Duration::from_secs(10);

/// A client as the others see it.
struct Client {
    name: String,
    queue: mpsc::Sender<Publish>,
    filters: Vec<(String, QoS)>,
}

#[derive(Default)]
struct Table {
    next: u64,
    clients: BTreeMap<u64, Client>,
    retained: BTreeMap<String, Publish>,
}

#[derive(Default)]
struct Hub {
    table: Mutex<Table>,
    dropped: AtomicU64,
}

/// A broker that listens.
pub struct Broker {
    listener: TcpListener,
    hub: Arc<Hub>,
}

/// Speaks through a broker without a connection.
#[derive(Clone)]
pub struct Publisher {
    hub: Arc<Hub>,
}

impl Broker {
    /// Listens on a loopback address.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an address outside of the loopback, else what binding says.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the simulated broker listens on the loopback alone, not on {address}"),
            ));
        }
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            hub: Arc::default(),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// A way to publish.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        Publisher {
            hub: Arc::clone(&self.hub),
        }
    }

    /// Serves clients until it is told to stop; open connections end with it.
    pub async fn run(self, stop: CancellationToken) {
        let sessions = TaskTracker::new();
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => {
                    let (hub, stop) = (Arc::clone(&self.hub), stop.clone());
                    sessions.spawn(async move {
                        let session = serve(stream, &hub);
                        if let Some(Err(error)) = stop.run_until_cancelled(session).await {
                            tracing::debug!(%peer, %error, "MQTT client left");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the simulated broker cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        sessions.close();
        sessions.wait().await;
    }
}

impl Publisher {
    /// Sends a message to everyone who subscribed to its topic. A client whose
    /// queue is full misses it, counted.
    pub fn publish(&self, topic: &str, payload: &str, qos: QoS, retain: bool) {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        let mut message = Publish::from_bytes(topic, qos, payload);
        message.retain = retain;
        self.hub.publish(message);
    }

    /// Messages that a client missed because its queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.hub.dropped.load(Ordering::Relaxed)
    }

    /// Clients that are connected.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.hub.table().clients.len()
    }

    /// Filters that connected clients subscribed to.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        let table = self.hub.table();
        table
            .clients
            .values()
            .map(|client| client.filters.len())
            .sum()
    }
}

impl Hub {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self, queue: &mpsc::Sender<Publish>, message: Publish) {
        if queue.try_send(message).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn publish(&self, message: Publish) {
        let mut table = self.table();
        if message.retain {
            self.retain(&mut table, &message);
        }
        for client in table.clients.values() {
            let granted = client
                .filters
                .iter()
                .filter(|filter| matches(&message.topic, &filter.0));
            if let Some(qos) = granted
                .map(|filter| filter.1)
                .max_by_key(|qos| u8::from(*qos == QoS::AtLeastOnce))
            {
                self.queue(&client.queue, outgoing(&message, qos, false));
            }
        }
    }

    /// Keeps the last message of a topic; an empty one forgets it.
    fn retain(&self, table: &mut Table, message: &Publish) {
        if message.payload.is_empty() {
            table.retained.remove(&message.topic);
        } else if table.retained.len() < RETAINED || table.retained.contains_key(&message.topic) {
            table
                .retained
                .insert(message.topic.clone(), message.clone());
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes a client in; one of the same name is put out.
    fn enter(&self, name: &str) -> Option<(u64, mpsc::Receiver<Publish>)> {
        let mut table = self.table();
        if !name.is_empty() {
            table.clients.retain(|_, client| client.name != name);
        }
        if table.clients.len() >= CLIENTS {
            return None;
        }
        let (queue, messages) = mpsc::channel(CLIENT_QUEUE);
        let id = table.next;
        table.next += 1;
        let client = Client {
            name: name.to_owned(),
            queue,
            filters: Vec::new(),
        };
        table.clients.insert(id, client);
        Some((id, messages))
    }

    /// Notes what a client wants to hear; retained messages follow at once.
    fn subscribe(&self, id: u64, asked: &Subscribe) -> SubAck {
        let mut table = self.table();
        let Table {
            clients, retained, ..
        } = &mut *table;
        let Some(client) = clients.get_mut(&id) else {
            let refused = asked.filters.iter().map(|_| SubscribeReasonCode::Failure);
            return SubAck::new(asked.pkid, refused.collect());
        };
        let mut codes = Vec::new();
        for filter in &asked.filters {
            client.filters.retain(|known| known.0 != filter.path);
            if !is_filter(&filter.path) || client.filters.len() >= FILTERS {
                codes.push(SubscribeReasonCode::Failure);
                continue;
            }
            let qos = lower(filter.qos, QoS::AtLeastOnce);
            client.filters.push((filter.path.clone(), qos));
            codes.push(SubscribeReasonCode::Success(qos));
            for message in retained
                .values()
                .filter(|message| matches(&message.topic, &filter.path))
            {
                self.queue(&client.queue, outgoing(message, qos, true));
            }
        }
        SubAck::new(asked.pkid, codes)
    }

    fn unsubscribe(&self, id: u64, filters: &[String]) {
        if let Some(client) = self.table().clients.get_mut(&id) {
            client.filters.retain(|known| !filters.contains(&known.0));
        }
    }
}

/// The lower of two qualities of service.
fn lower(a: QoS, b: QoS) -> QoS {
    if a < b { a } else { b }
}

/// A message as it goes to a client that was granted a quality of service.
fn outgoing(message: &Publish, granted: QoS, retained: bool) -> Publish {
    let mut copy = message.clone();
    copy.qos = lower(message.qos, granted);
    copy.retain = retained;
    copy.dup = false;
    copy.pkid = 0;
    copy
}

/// A packet, or the end of the connection. Can be given up at any moment without
/// losing a byte.
async fn read(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Option<Packet>> {
    loop {
        match Packet::read(buffer, MAX_PACKET) {
            Ok(packet) => return Ok(Some(packet)),
            Err(Error::InsufficientBytes(_)) => {}
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

async fn write(stream: &mut TcpStream, packet: &Packet) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    packet
        .write(&mut bytes, MAX_PACKET)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    timeout(WRITE, stream.write_all(&bytes)).await?
}

/// A connection from its first packet to its end.
async fn serve(mut stream: TcpStream, hub: &Hub) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::with_capacity(4_096);
    let Some(Packet::Connect(hello)) = timeout(HELLO, read(&mut stream, &mut buffer)).await??
    else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the first packet is not CONNECT",
        ));
    };
    let Some((id, messages)) = hub.enter(&hello.client_id) else {
        let full = ConnAck::new(ConnectReturnCode::ServiceUnavailable, false);
        return write(&mut stream, &Packet::ConnAck(full)).await;
    };
    let session = Session {
        hub,
        id,
        stream,
        buffer,
        messages,
        in_flight: BTreeSet::new(),
        last: 0,
    };
    session.run(&hello).await
}

/// A client that said who it is.
struct Session<'a> {
    hub: &'a Hub,
    id: u64,
    stream: TcpStream,
    buffer: BytesMut,
    messages: mpsc::Receiver<Publish>,
    in_flight: BTreeSet<u16>,
    last: u16,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.hub.table().clients.remove(&self.id);
    }
}

impl Session<'_> {
    async fn run(mut self, hello: &Connect) -> io::Result<()> {
        let welcome = ConnAck::new(ConnectReturnCode::Success, false);
        write(&mut self.stream, &Packet::ConnAck(welcome)).await?;
        // The specification gives a client half its keep-alive more; 0 is for ever.
        let patience = match hello.keep_alive {
            0 => Duration::MAX,
            seconds => Duration::from_millis(u64::from(seconds) * 1_500),
        };
        loop {
            let room = self.in_flight.len() < IN_FLIGHT;
            tokio::select! {
                packet = timeout(patience, read(&mut self.stream, &mut self.buffer)) => {
                    match packet?? {
                        None | Some(Packet::Disconnect) => return Ok(()),
                        Some(packet) => self.hear(packet).await?,
                    }
                }
                message = self.messages.recv(), if room => match message {
                    Some(message) => self.tell(message).await?,
                    None => return Err(io::Error::other("another client took the name")),
                },
            }
        }
    }

    /// Answers a packet.
    async fn hear(&mut self, packet: Packet) -> io::Result<()> {
        let answer = match packet {
            Packet::PingReq => Packet::PingResp,
            Packet::PubAck(ack) => {
                self.in_flight.remove(&ack.pkid);
                return Ok(());
            }
            Packet::Subscribe(asked) => Packet::SubAck(self.hub.subscribe(self.id, &asked)),
            Packet::Unsubscribe(asked) => {
                self.hub.unsubscribe(self.id, &asked.topics);
                Packet::UnsubAck(UnsubAck::new(asked.pkid))
            }
            Packet::Publish(message)
                if is_topic(&message.topic) && message.qos != QoS::ExactlyOnce =>
            {
                let (pkid, qos) = (message.pkid, message.qos);
                self.hub.publish(message);
                if qos == QoS::AtMostOnce {
                    return Ok(());
                }
                Packet::PubAck(PubAck::new(pkid))
            }
            other => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a packet that this broker does not take: {other:?}"),
                ));
            }
        };
        write(&mut self.stream, &answer).await
    }

    /// Sends a message on.
    async fn tell(&mut self, mut message: Publish) -> io::Result<()> {
        if message.qos == QoS::AtLeastOnce {
            message.pkid = self.free_pkid();
            self.in_flight.insert(message.pkid);
        }
        write(&mut self.stream, &Packet::Publish(message)).await
    }

    /// The next packet identifier that waits for no acknowledgement.
    fn free_pkid(&mut self) -> u16 {
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if !self.in_flight.contains(&self.last) {
                return self.last;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_listens_on_the_loopback_alone() {
        let error = Broker::bind(SocketAddr::from(([0, 0, 0, 0], 0)))
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("loopback alone"));
    }
}
