//! A bus behind a socket: Modbus TCP, or RTU passed through by a gateway.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::faults::Down;
use super::session::{Bus, Session};
use crate::sys::clock;

/// Connections at once where no fault says otherwise; one more is closed at once.
const CONNECTIONS: usize = 64;
/// How long a seat may take to become free: a master that hung up did so before it
/// connected anew, and its conversation may take a moment to see it.
const SEAT: Duration = Duration::from_millis(100);
/// How often a port that is still taken is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// Serves a bus at its address until it is told to stop.
pub async fn serve(bus: Arc<Bus>, listener: TcpListener, stop: CancellationToken) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    stop.run_until_cancelled(attend(&bus, listener, address))
        .await;
}

async fn attend(bus: &Arc<Bus>, listener: TcpListener, address: SocketAddr) {
    let mut changes = bus.faults.changes();
    let mut listener = Some(listener);
    let mut connection = 0;
    loop {
        // Conversations end with this; so they do when it is dropped at the end.
        let up = CancellationToken::new();
        let _ends = up.clone().drop_guard();
        let sessions = TaskTracker::new();
        while bus.faults.down(bus.place).is_none() {
            let taken = match &listener {
                Some(listener) => tokio::select! {
                    taken = listener.accept() => taken,
                    _ = changes.changed() => continue,
                },
                None => {
                    match TcpListener::bind(address).await {
                        Ok(bound) => listener = Some(bound),
                        Err(_) => sleep(AGAIN).await,
                    }
                    continue;
                }
            };
            match taken {
                Ok((stream, _)) => {
                    admit(bus, stream, connection, &sessions, &up).await;
                    connection += 1;
                }
                Err(error) => {
                    tracing::warn!(%address, %error, "The simulated bus cannot accept.");
                    sleep(AGAIN).await;
                }
            }
        }
        listener = None;
        up.cancel();
        sessions.close();
        sessions.wait().await;
        until_mended(bus, &mut changes).await;
    }
}

/// Waits until a bus may be there again.
pub async fn until_mended(bus: &Bus, changes: &mut tokio::sync::watch::Receiver<()>) {
    while let Some(down) = bus.faults.down(bus.place) {
        let rest = async {
            match down {
                Down::For(time) => sleep(time).await,
                Down::UntilMended => std::future::pending().await,
            }
        };
        tokio::select! {
            () = rest => {}
            changed = changes.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

/// Takes a connection, if there is a seat for it.
async fn admit(
    bus: &Arc<Bus>,
    stream: TcpStream,
    connection: u64,
    sessions: &TaskTracker,
    up: &CancellationToken,
) {
    let most = bus.faults.max_sockets(bus.place).unwrap_or(CONNECTIONS);
    let patience = clock::mono() + SEAT;
    while bus.log.sockets(bus.place).open >= most {
        if clock::mono() > patience {
            bus.log
                .sockets_of(bus.place, |sockets| sockets.turned_away += 1);
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
    bus.log.sockets_of(bus.place, |sockets| {
        sockets.taken += 1;
        sockets.open += 1;
    });
    let (bus, up) = (Arc::clone(bus), up.clone());
    sessions.spawn(async move {
        let _seat = Seat(&bus);
        if let Some(Err(error)) = up.run_until_cancelled(talk(&bus, stream, connection)).await {
            tracing::debug!(%error, "A connection ended.");
        }
    });
}

async fn talk(bus: &Bus, stream: TcpStream, connection: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    Session::new(stream, bus, connection).run().await
}

/// A place at the bus, given back however the conversation ends.
struct Seat<'a>(&'a Bus);

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0
            .log
            .sockets_of(self.0.place, |sockets| sockets.open -= 1);
    }
}
