//! One connection to a broker: a socket, what is read from it and written to it, and
//! the keep-alive.
//!
//! ```text
//!   reading:  socket ──▶ frames ──▶ packets          pings go out either way,
//!   not:      socket ▌ TCP holds the broker back      acknowledgements too
//! ```
//!
//! The packets are rumqttc's; its event loop is not used, because one that is not
//! polled sends no ping, and one that is polled reads. Here the two are apart: **where
//! we are behind, nothing is read and the broker is held back by TCP, and the
//! keep-alive goes on.** An answer to a ping may then stand behind messages, so silence
//! means something only while we read.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::tokio_rustls::TlsConnector;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::Settings;
use super::packet::{self, Frames, Greeting, Incoming, Outgoing};
use crate::sys::clock::mono;
use crate::wire::mqtt::Version;

/// How long a broker may take to accept a connection.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(10);
/// Read at once: hundreds of sensor messages.
const CHUNK: usize = 16 * 1_024;

/// A socket, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection.
pub struct Connection {
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    version: Version,
    frames: Frames,
    to_write: BytesMut,
    flushed: bool,
    keep_alive: Duration,
    ping_at: Instant,
    heard_at: Instant,
    pkid: u16,
}

impl Connection {
    /// Connects, or says what stands in the way.
    pub async fn open(
        settings: &Settings,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<(Self, Greeting), String> {
        match timeout(ACCEPTED_WITHIN, Self::accepted(settings, tls)).await {
            Ok(opened) => opened,
            Err(_) => Err("no answer in time".into()),
        }
    }

    async fn accepted(
        settings: &Settings,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<(Self, Greeting), String> {
        let socket = TcpStream::connect((&*settings.host, settings.port)).await;
        let socket = socket.map_err(|error| words(&error))?;
        let _ = socket.set_nodelay(true);
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(socket),
            Some(config) => {
                let name = ServerName::try_from(settings.host.clone())
                    .map_err(|_| format!("`{}` cannot stand in a certificate", settings.host))?;
                let secured = TlsConnector::from(config).connect(name, socket).await;
                Box::new(secured.map_err(|error| words(&error))?)
            }
        };
        let (reader, writer) = split(stream);
        let now = mono();
        let mut connection = Self {
            reader,
            writer,
            version: settings.version,
            frames: Frames::new(settings.version, settings.max_payload),
            to_write: BytesMut::new(),
            flushed: true,
            keep_alive: settings.keep_alive,
            ping_at: now + settings.keep_alive,
            heard_at: now,
            pkid: 0,
        };
        connection.send(Outgoing::Connect(settings))?;
        match connection.next(true).await? {
            Incoming::Connected(greeting) => {
                if let Some(wanted) = greeting.keep_alive.filter(|wanted| !wanted.is_zero()) {
                    connection.keep_alive = wanted.min(settings.keep_alive);
                    connection.ping_at = mono() + connection.keep_alive;
                }
                Ok((connection, greeting))
            }
            Incoming::Refused(why) => Err(format!("the broker refuses the connection ({why})")),
            _ => Err("the broker does not answer as one".into()),
        }
    }

    /// Puts a packet behind those that wait to be written.
    pub fn send(&mut self, packet: Outgoing<'_>) -> Result<(), String> {
        packet::write(self.version, packet, &mut self.to_write)
    }

    /// An identifier for a subscription of ours.
    pub fn next_pkid(&mut self) -> u16 {
        self.pkid = self.pkid.checked_add(1).unwrap_or(1);
        self.pkid
    }

    /// Goes on until the broker says something, and reads only if that is wanted.
    /// Dropping it half way loses nothing.
    pub async fn next(&mut self, reading: bool) -> Result<Incoming, String> {
        loop {
            if reading && let Some(packet) = self.frames.next()? {
                return Ok(packet);
            }
            if !reading {
                self.heard_at = mono();
            }
            self.frames.bytes.reserve(CHUNK);
            tokio::select! {
                read = self.reader.read_buf(&mut self.frames.bytes), if reading => {
                    match read {
                        Ok(0) => return Err("connection closed by the broker".into()),
                        Ok(_) => self.heard_at = mono(),
                        Err(error) => return Err(words(&error)),
                    }
                }
                written = write_on(&mut self.writer, &mut self.to_write, &mut self.flushed),
                    if !self.to_write.is_empty() || !self.flushed => written.map_err(|error| words(&error))?,
                () = sleep_until(self.ping_at) => {
                    self.ping_at = mono() + self.keep_alive;
                    packet::write(self.version, Outgoing::Ping, &mut self.to_write)?;
                }
                () = sleep_until(self.heard_at + self.keep_alive * 2), if reading => {
                    return Err("the broker fell silent".into());
                }
            }
        }
    }

    /// Writes what still waits, and a goodbye, and waits until the broker has it: a
    /// socket that is closed over unread messages takes back what it sent.
    pub async fn close(mut self) {
        let _ = self.send(Outgoing::Disconnect);
        let _ = self.writer.write_all_buf(&mut self.to_write).await;
        let _ = self.writer.flush().await;
        let _ = self.writer.shutdown().await;
        loop {
            self.frames.bytes.clear();
            self.frames.bytes.reserve(CHUNK);
            if !matches!(self.reader.read_buf(&mut self.frames.bytes).await, Ok(1..)) {
                return;
            }
        }
    }
}

/// Writes a part of what waits, or sees to it that what was written goes out.
/// Dropping it half way loses nothing.
async fn write_on(
    writer: &mut WriteHalf<Box<dyn Stream>>,
    waiting: &mut BytesMut,
    flushed: &mut bool,
) -> std::io::Result<()> {
    if waiting.is_empty() {
        writer.flush().await?;
        *flushed = true;
    } else {
        *flushed = false;
        writer.write_buf(waiting).await?;
    }
    Ok(())
}

/// What went wrong, for people, with a remedy where certificates are at fault.
fn words(error: &std::io::Error) -> String {
    let said = error.to_string();
    let remedy = [
        (
            "CertificateRequired",
            "the broker wants a client certificate; set `tls.cert_file` and `tls.key_file`",
        ),
        (
            "UnknownCA",
            "the broker does not know who signed our client certificate; is `tls.cert_file` the right one?",
        ),
        (
            "UnknownIssuer",
            "nobody we trust signed the broker's certificate; set `tls.ca_file`",
        ),
        (
            "NotValidForName",
            "the broker's certificate is for another name; connect to the name in it",
        ),
    ];
    match remedy.iter().find(|(word, _)| said.contains(word)) {
        Some((_, remedy)) => format!("{said}: {remedy}"),
        None => said,
    }
}
