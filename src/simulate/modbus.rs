//! The Modbus TCP servers of the simulated park: one endpoint per bus, read only.
//!
//! Registers are computed when they are asked for. A unit that is not there is
//! answered for by the gateway, a register that is not there by the device, and a
//! dead device by nobody.

use std::future::{Future, Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::Server;
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};
use tokio_util::sync::CancellationToken;

use super::live::{Answer, Live};
use super::park::Bus;
use crate::sys::clock;

/// Connections that an endpoint serves at once; the next one is closed at once.
const CONNECTIONS: usize = 64;
/// Most registers in an answer.
const MAX_REGISTERS: u16 = 125;
/// Most bits in an answer.
const MAX_BITS: u16 = 2_000;

/// One connection to an endpoint.
struct Endpoint {
    bus: &'static Bus,
    live: Arc<Live>,
    _place: OwnedSemaphorePermit,
}

impl Service for Endpoint {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Option<Response>, ExceptionCode>>;

    fn call(&self, asked: Self::Request) -> Self::Future {
        ready(self.answer(&asked))
    }
}

impl Endpoint {
    fn answer(&self, asked: &SlaveRequest<'_>) -> Result<Option<Response>, ExceptionCode> {
        let (fc, address, count, most) = match asked.request {
            Request::ReadCoils(address, count) => (1, address, count, MAX_BITS),
            Request::ReadDiscreteInputs(address, count) => (2, address, count, MAX_BITS),
            Request::ReadHoldingRegisters(address, count) => (3, address, count, MAX_REGISTERS),
            Request::ReadInputRegisters(address, count) => (4, address, count, MAX_REGISTERS),
            _ => return Err(ExceptionCode::IllegalFunction),
        };
        if count == 0 || count > most {
            return Err(ExceptionCode::IllegalDataValue);
        }
        let device = self
            .bus
            .device(asked.slave)
            .ok_or(ExceptionCode::GatewayTargetDevice)?;
        match self.live.ask(device, fc, address, count, clock::wall()) {
            Answer::Silence => Ok(None),
            Answer::NoSuchAddress => Err(ExceptionCode::IllegalDataAddress),
            Answer::Words(words) => {
                let bits = || words.iter().map(|word| *word != 0).collect();
                Ok(Some(match fc {
                    1 => Response::ReadCoils(bits()),
                    2 => Response::ReadDiscreteInputs(bits()),
                    3 => Response::ReadHoldingRegisters(words),
                    _ => Response::ReadInputRegisters(words),
                }))
            }
        }
    }
}

/// Serves a bus until it is told to stop; open connections end with it.
pub async fn serve(
    listener: TcpListener,
    bus: &'static Bus,
    live: Arc<Live>,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connected = |stream: TcpStream, peer: SocketAddr| {
        let endpoint = connection(bus, &live, &places, &stream, peer);
        accept(endpoint, stream)
    };
    let problem =
        move |error: io::Error| tracing::debug!(bus = bus.name, %error, "connection ended");
    let server = Server::new(listener);
    let served = server
        .serve_until(&connected, problem, stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::warn!(bus = bus.name, %error, "the simulated endpoint stopped");
    }
}

/// A place at the endpoint for a connection, if one is free.
fn connection(
    bus: &'static Bus,
    live: &Arc<Live>,
    places: &Arc<Semaphore>,
    stream: &TcpStream,
    peer: SocketAddr,
) -> Option<Endpoint> {
    let Ok(place) = Arc::clone(places).try_acquire_owned() else {
        tracing::warn!(bus = bus.name, %peer, "refused: the endpoint serves {CONNECTIONS} already");
        return None;
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(bus = bus.name, %error, "small packets are held back");
    }
    Some(Endpoint {
        bus,
        live: Arc::clone(live),
        _place: place,
    })
}

fn accept(
    endpoint: Option<Endpoint>,
    stream: TcpStream,
) -> impl Future<Output = io::Result<Option<(Endpoint, TcpStream)>>> {
    ready(Ok(endpoint.map(|endpoint| (endpoint, stream))))
}
