//! The one connection to a Modbus TCP endpoint, and what may go wrong on it.
//!
//! Requests are strictly serial: one question, one answer, then the next. **A
//! connection that did anything but answer in full, or refuse by a Modbus
//! exception, is closed and never used again.** Its late answer dies with it and
//! cannot be taken for the answer to the next question.
//!
//! The client library checks transaction, unit and function code; the length of
//! the answer is checked here, because nothing else does.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_modbus::client::{Client, Context, tcp};
use tokio_modbus::slave::{Slave, SlaveContext};
use tokio_modbus::{Error, ExceptionCode, Request as Pdu, Response};
use tracing::{info, warn};

use crate::domain::quality::Reason;
use crate::source::backoff::Backoff;
use crate::sys::clock;
use crate::wire::plan::{MAX_BITS, MAX_REGISTERS, Request};

/// How long a connection is silent before the kernel asks whether the peer lives.
/// Shorter than the minutes after which firewalls forget a connection.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
/// How long closing may take: a peer that does not listen must not hold up the bus.
const CLOSING: Duration = Duration::from_millis(200);

/// New connections in a row that may be closed without an answer before the
/// endpoint is left alone: one for the unit that was asked, one for the next.
const HANG_UPS: u32 = 2;

/// Why a request brought nothing.
#[derive(Debug)]
pub enum Failure {
    /// No answer in time.
    Timeout,
    /// The device refused.
    Exception(ExceptionCode),
    /// An answer that does not hold what was asked for.
    Unusable(String),
    /// No connection.
    Connect(String),
    /// The device hung up on the question.
    HungUp,
    /// The request itself is not one that Modbus has.
    Invalid,
}

impl Failure {
    /// Whether the device says that it has no such registers, or not so many at once.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Exception(ExceptionCode::IllegalDataAddress | ExceptionCode::IllegalDataValue)
        )
    }

    /// Whether a refusal is one of the length, by the specification. Devices take it
    /// less strictly.
    pub fn is_about_length(&self) -> bool {
        matches!(self, Self::Exception(ExceptionCode::IllegalDataValue))
    }

    /// The reason of the gap.
    ///
    /// Exceptions 10 and 11 are the words of a gateway about a device that does
    /// not answer it: to the meter that is a timeout.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Timeout => Reason::Timeout,
            Self::Exception(
                ExceptionCode::GatewayPathUnavailable | ExceptionCode::GatewayTargetDevice,
            ) => Reason::Timeout,
            Self::Exception(_) => Reason::Exception,
            Self::Unusable(_) => Reason::ShortAnswer,
            Self::Connect(_) | Self::HungUp => Reason::Connect,
            Self::Invalid => Reason::Config,
        }
    }
}

/// The connection to one endpoint, opened when it is needed.
pub struct Link {
    endpoint: String,
    host: String,
    port: u16,
    timeout: Duration,
    context: Option<Context>,
    /// Whether the connection has answered before.
    proven: bool,
    /// New connections in a row that were closed without an answer.
    hang_ups: u32,
    backoff: Backoff,
    /// No attempt to connect before this moment, and why.
    resting: Option<(Instant, String)>,
    lost: bool,
    recovered: bool,
}

impl Link {
    pub fn new(name: &str, host: &str, port: u16, timeout: Duration) -> Self {
        Self {
            endpoint: format!("{host}:{port}"),
            host: host.to_owned(),
            port,
            timeout,
            context: None,
            proven: false,
            hang_ups: 0,
            backoff: Backoff::new(name),
            resting: None,
            lost: false,
            recovered: false,
        }
    }

    /// Who is at the other end, for people.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Asks a unit for registers or bits (0 or 1), and stamps the answer with the
    /// midpoint of the request.
    ///
    /// A connection that answered before and is found closed was idle for too long
    /// for the device: it is opened anew and asked once more, and nobody notices.
    pub async fn read(
        &mut self,
        unit: u8,
        request: &Request,
    ) -> Result<(Vec<u16>, Instant), Failure> {
        let max = if request.fc <= 2 {
            MAX_BITS
        } else {
            MAX_REGISTERS
        };
        let reaches = u32::from(request.address) + u32::from(request.count);
        if !(1..=max).contains(&request.count) || reaches > 65_536 {
            return Err(Failure::Invalid);
        }
        let was_proven = self.context.is_some() && self.proven;
        match self.ask(unit, request).await {
            Err(Failure::HungUp) if was_proven => self.ask(unit, request).await,
            said => said,
        }
    }

    async fn ask(&mut self, unit: u8, request: &Request) -> Result<(Vec<u16>, Instant), Failure> {
        let mut context = match self.context.take() {
            Some(context) => context,
            None => self.connect().await?,
        };
        let (address, count) = (request.address, request.count);
        let pdu = match request.fc {
            1 => Pdu::ReadCoils(address, count),
            2 => Pdu::ReadDiscreteInputs(address, count),
            3 => Pdu::ReadHoldingRegisters(address, count),
            4 => Pdu::ReadInputRegisters(address, count),
            _ => return Err(Failure::Invalid),
        };
        context.set_slave(Slave(unit));
        let asked = clock::mono();
        let said = timeout(self.timeout, context.call(pdu)).await;
        let at = asked + (clock::mono() - asked) / 2;
        let failure = match said {
            Ok(Ok(Ok(response))) => match words(response, count) {
                Ok(words) => {
                    self.keep(context);
                    return Ok((words, at));
                }
                Err(failure) => failure,
            },
            Ok(Ok(Err(exception))) => {
                self.keep(context);
                return Err(Failure::Exception(exception));
            }
            Ok(Err(error)) => classify(&error),
            Err(_elapsed) => Failure::Timeout,
        };
        // Poisoned: closed, and never asked again.
        let _ = timeout(CLOSING, context.disconnect()).await;
        if matches!(failure, Failure::HungUp) && !self.proven {
            self.hang_ups += 1;
            // One hang-up may be about the unit that was asked. A peer that accepts
            // and hangs up on all of them is as good as one that refuses.
            if self.hang_ups >= HANG_UPS {
                self.rest("connection closed by the device".into());
            }
        }
        Err(failure)
    }

    /// The connection is in step and may be asked again.
    fn keep(&mut self, context: Context) {
        self.context = Some(context);
        self.proven = true;
        self.hang_ups = 0;
        self.backoff.reset();
        if std::mem::take(&mut self.lost) {
            self.recovered = true;
            info!(endpoint = self.endpoint, "Modbus endpoint answers again.");
        }
    }

    /// Whether the endpoint has come back since this was last asked.
    pub fn recovered(&mut self) -> bool {
        std::mem::take(&mut self.recovered)
    }

    async fn connect(&mut self) -> Result<Context, Failure> {
        if let Some((until, why)) = &self.resting {
            if clock::mono() < *until {
                return Err(Failure::Connect(why.clone()));
            }
            self.resting = None;
        }
        self.proven = false;
        let opening = TcpStream::connect((self.host.as_str(), self.port));
        let stream = match timeout(self.timeout, opening).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.rest(error.to_string())),
            Err(_elapsed) => {
                return Err(self.rest(format!("nothing there within {}", text(self.timeout))));
            }
        };
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_AFTER)
            .with_interval(KEEPALIVE_AFTER / 3);
        let tuned = stream
            .set_nodelay(true)
            .and_then(|()| SockRef::from(&stream).set_tcp_keepalive(&keepalive));
        if let Err(error) = tuned {
            return Err(self.rest(error.to_string()));
        }
        Ok(tcp::attach(stream))
    }

    /// No attempt for a while.
    fn rest(&mut self, why: String) -> Failure {
        if !std::mem::replace(&mut self.lost, true) {
            warn!(
                endpoint = self.endpoint,
                error = why,
                "No connection to Modbus endpoint."
            );
        }
        let until = clock::mono() + self.backoff.failed();
        self.resting = Some((until, why.clone()));
        Failure::Connect(why)
    }
}

/// The words of an answer, if there are as many as asked for. Bits come in whole
/// bytes; those beyond the last one asked for mean nothing.
fn words(response: Response, count: u16) -> Result<Vec<u16>, Failure> {
    let count = usize::from(count);
    match response {
        Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words) => {
            if words.len() == count {
                Ok(words)
            } else {
                Err(Failure::Unusable(format!(
                    "{} registers instead of {count}",
                    words.len()
                )))
            }
        }
        Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits) => {
            if bits.len() == count.next_multiple_of(8) {
                Ok(bits.into_iter().take(count).map(u16::from).collect())
            } else {
                Err(Failure::Unusable(format!(
                    "{} bytes of bits instead of {}",
                    bits.len() / 8,
                    count.div_ceil(8)
                )))
            }
        }
        _ => Err(Failure::Unusable("an answer to another question".into())),
    }
}

/// What an error of the client library means.
///
/// A closed connection comes with whatever kind the last system call left behind,
/// so kinds say nothing about it; only the two that the frame decoder makes, and
/// no system call does, tell that an answer came and was none.
fn classify(error: &Error) -> Failure {
    match error {
        Error::Protocol(_) => Failure::Unusable("an answer to another question".into()),
        Error::Transport(error) => match error.kind() {
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => {
                Failure::Unusable("an answer that is not Modbus".into())
            }
            _ => Failure::HungUp,
        },
    }
}

/// A time as people write it: `1 s`, `250 ms`.
pub fn text(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_in_whole_bytes_and_no_other_number_of_them_will_do() {
        let bits = |bytes: usize| Response::ReadCoils(vec![true; bytes * 8]);
        assert_eq!(words(bits(2), 9).unwrap(), [1; 9]);
        assert_eq!(words(bits(1), 8).unwrap(), [1; 8]);
        for (bytes, count) in [(1, 9), (3, 9), (0, 1), (2, 8)] {
            let said = words(bits(bytes), count);
            assert!(
                matches!(said, Err(Failure::Unusable(_))),
                "{bytes} for {count}"
            );
        }
    }

    #[tokio::test]
    async fn a_request_that_modbus_does_not_have_is_not_sent() {
        // Nobody listens there: an attempt would fail with another reason.
        let mut link = Link::new("main", "127.0.0.1", 9, Duration::from_secs(1));
        #[rustfmt::skip]
        let cases = [
            (3, 0, 0), (3, 0, 126), (1, 0, 2_001), (3, 65_535, 2), (4, 65_412, 125),
        ];
        for (fc, address, count) in cases {
            let points = Vec::new();
            let request = Request {
                fc,
                address,
                count,
                points,
            };
            let said = link.read(1, &request).await;
            assert!(matches!(said, Err(Failure::Invalid)), "{request:?}");
        }
    }

    #[test]
    fn times_are_written_for_people() {
        assert_eq!(text(Duration::from_secs(1)), "1 s");
        assert_eq!(text(Duration::from_millis(1_500)), "1500 ms");
    }
}
