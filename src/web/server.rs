//! The server: an accept loop that no client can hold up.
//!
//! ```text
//!   accept ─▶ seat ─▶ header (10 s) ─▶ guard ─▶ handler ─▶ next request …
//!              └ none left: whoever idles longest gives his up, else 503
//! ```
//!
//! A connection is idle while no request of it is being answered: half a header
//! is idle too. So a crowd of silent connections costs a newcomer nothing, and
//! only a house full of people at work turns him away.
//!
//! Binding and serving are two steps: a port in use is known before anything else
//! starts, and the real port before anything is served.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::api::{self, IntervalSource};
use super::frame::Frame;
use super::guard::{self, Hosts};
use super::health::{self, Health};
use super::live::Place;
use super::metrics::{self, Numbers};
use super::seats::{Seat, Seats};
use super::{assets, stream};

/// Where to listen, and under which names.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names under which the page may be asked for, beside loopback and the address.
    pub hosts: Vec<String>,
    /// What a client may take.
    pub limits: Limits,
}

impl Settings {
    /// The usual limits at an address.
    #[must_use]
    pub fn at(listen: SocketAddr) -> Self {
        Self {
            listen,
            hosts: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// What a client may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Time for a whole header, and between two requests.
    pub header: Duration,
    /// Time for an answer to begin.
    pub answer: Duration,
    /// Connections at a time.
    pub connections: usize,
    /// Connections of one address.
    pub per_address: usize,
    /// Live streams at a time.
    pub streams: usize,
    /// How often a stream says the time.
    pub ping_every: Duration,
    /// How long a stream lasts; the page opens the next one by itself.
    pub stream_age: Duration,
    /// How long open connections may take to end at shutdown.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            connections: 256,
            per_address: 32,
            streams: 64,
            ping_every: Duration::from_secs(10),
            stream_age: Duration::from_secs(3_600),
            drain: Duration::from_secs(2),
        }
    }
}

/// Longest header: more than any browser sends.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// What the kernel buffers for a client. A stalled stream then holds a few views
/// and not a minute of them; a page still goes out in one piece.
const SEND_BUFFER_BYTES: usize = 32 * 1024;
/// After how long of sending without an acknowledgement a client is gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// Pause after an accept that failed: out of file descriptors is not over at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that wait for the accept loop.
const BACKLOG: i32 = 256;

/// What the handlers ask.
pub struct Services {
    /// Whose page it is.
    pub place: Place,
    /// The live view, replaced at each tick.
    pub live: watch::Receiver<Arc<Frame>>,
    /// Closed intervals.
    pub intervals: Arc<dyn IntervalSource>,
    /// Whether the daemon does its work.
    pub health: Box<dyn Fn() -> Health + Send + Sync>,
    /// What is counted.
    pub numbers: Box<dyn Fn() -> Numbers + Send + Sync>,
    /// The wall clock.
    pub now: fn() -> Timestamp,
}

/// What every handler holds.
pub(super) type Shared = Arc<Inner>;

/// The services with what the server itself keeps.
pub(super) struct Inner {
    pub services: Services,
    pub place: Arc<Place>,
    pub hosts: Hosts,
    pub limits: Limits,
    pub streams: Arc<Semaphore>,
    pub stop: CancellationToken,
    requests: AtomicU64,
}

impl Inner {
    pub fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many live streams there are.
    pub fn streaming(&self) -> u64 {
        let free = self.streams.available_permits();
        let taken = self.limits.streams.saturating_sub(free);
        u64::try_from(taken).unwrap_or(u64::MAX)
    }
}

/// A port that is ours.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    settings: Settings,
}

impl Listener {
    /// The address with the real port.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// Takes the port.
///
/// # Errors
///
/// What the system says: `AddrInUse` where another program has the port,
/// `PermissionDenied` below 1024.
pub fn bind(settings: &Settings) -> io::Result<Listener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let address = settings.listen;
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart need not wait for the connections of the one before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(Listener {
        inner: TcpListener::from_std(socket.into())?,
        settings: settings.clone(),
    })
}

/// Every path there is.
fn router(shared: &Shared) -> Router {
    Router::new()
        .route("/", get(assets::page))
        .route("/assets/{name}", get(assets::file))
        .route("/api/v1/live", get(api::live))
        .route("/api/v1/live/stream", get(stream::stream))
        .route("/api/v1/intervals", get(super::intervals::intervals))
        .route("/api/v1/allocation", get(api::allocation))
        .route("/api/v1/carbon", get(api::carbon))
        .route("/api/v1/health", get(health::health))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .fallback(|| async { (StatusCode::NOT_FOUND, "no such page\n") })
        .layer(from_fn_with_state(Arc::clone(shared), guard::guard))
        .with_state(Arc::clone(shared))
}

/// Answers until `stop`, then ends every stream with a `bye` and returns within
/// [`Limits::drain`].
pub async fn serve(listener: Listener, services: Services, stop: CancellationToken) {
    let Listener { inner, settings } = listener;
    let limits = settings.limits;
    let shared = Arc::new(Inner {
        place: Arc::new(services.place.clone()),
        services,
        hosts: Hosts::new(settings.listen, &settings.hosts),
        streams: Arc::new(Semaphore::new(limits.streams)),
        stop: stop.clone(),
        requests: AtomicU64::new(0),
        limits: limits.clone(),
    });
    let router = router(&shared);
    let seats = Seats::new(limits.connections, limits.per_address);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_ended) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = inner.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => match seats.take(peer_address(peer)) {
                Some(seat) => {
                    prepare(&socket);
                    let router = router.clone();
                    let stop = stop.clone();
                    connections.spawn(converse(socket, router, seat, limits.header, stop));
                }
                None => turn_away(&socket),
            },
            Err(error) => {
                warn!(%error, "A connection could not be accepted.");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(inner);
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.drain, drained).await.is_err() {
        debug!(
            open = connections.len(),
            "Connections were cut at shutdown."
        );
    }
    // The rest is aborted as the set is dropped.
}

/// The address that a client counts under: IPv4 is one whether mapped or not.
fn peer_address(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

/// Sets what a socket of a client needs; a system that refuses serves it without.
fn prepare(socket: &TcpStream) {
    let options = SockRef::from(socket);
    let results = [
        options.set_tcp_nodelay(true),
        options.set_send_buffer_size(SEND_BUFFER_BYTES),
        #[cfg(target_os = "linux")]
        options.set_tcp_user_timeout(Some(UNACKNOWLEDGED)),
    ];
    for error in results.into_iter().filter_map(Result::err) {
        debug!(%error, "A socket option is not to be had.");
    }
}

/// Says that there is no seat, as far as that goes without waiting.
fn turn_away(socket: &TcpStream) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n\
        content-length: 0\r\nconnection: close\r\n\r\n";
    let _best_effort = socket.try_write(FULL);
}

/// One connection from its first byte to its last.
async fn converse(
    socket: TcpStream,
    router: Router,
    seat: Seat,
    header: Duration,
    stop: CancellationToken,
) {
    let seat = Arc::new(seat);
    let working = Arc::clone(&seat);
    let router = router.layer(from_fn(
        move |request: Request, next: axum::middleware::Next| {
            let work = working.work();
            async move {
                let response = next.run(request).await;
                response.map(|body| super::seats::holding(body, work))
            }
        },
    ));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = seat.given_up() => return,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "A connection ended early.");
    }
}
