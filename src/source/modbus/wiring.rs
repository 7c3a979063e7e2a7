//! How an endpoint is reached, and the manners that it wants.

use std::fmt;
use std::time::Duration;

use crate::wire::modbus::line::{Line, TURNAROUND};

/// How an endpoint is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wiring {
    /// Modbus TCP: a meter with a network plug, or a gateway.
    Tcp {
        /// Host name or address.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// Frames of a serial line, carried by a serial server.
    RtuOverTcp {
        /// Host name or address.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// A serial line of this machine.
    Serial(Serial),
}

/// A serial line of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serial {
    /// The device file.
    pub device: String,
    /// How characters go over it.
    pub line: Line,
    /// How long devices usually take from question to answer.
    pub turnaround: Duration,
    /// The kernel's RS-485 mode, where the driver turns the line around.
    pub rs485: Option<Rs485>,
}

/// How the kernel turns an RS-485 line around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rs485 {
    /// Whether RTS is high while sending.
    pub rts_on_send: bool,
    /// Between RTS and the first bit.
    pub delay_before_send: Duration,
    /// Between the last bit and RTS.
    pub delay_after_send: Duration,
}

/// What an endpoint wants, or does not mind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manners {
    /// Silence after connecting.
    pub connect_pause: Duration,
    /// Silence between an answer and the next question, at least.
    pub request_pause: Duration,
    /// Whether the connection is closed after each cycle, so that others can have it.
    pub close_after_cycle: bool,
    /// The device closes a connection that was idle for so long: it is not tried again.
    pub idle_close: Option<Duration>,
    /// Whether answers may come with any unit id.
    pub any_unit: bool,
    /// Whether the transaction id of an answer means nothing.
    pub ignore_transaction: bool,
    /// The timeout is at least this.
    pub min_timeout: Duration,
}

impl Serial {
    /// A line as devices have it from the factory.
    #[must_use]
    pub fn new(device: &str) -> Self {
        Self {
            device: device.to_owned(),
            line: Line::default(),
            turnaround: TURNAROUND,
            rs485: None,
        }
    }
}

impl Wiring {
    /// Whether a transaction id tells whose answer it is.
    #[must_use]
    pub fn has_transactions(&self) -> bool {
        matches!(self, Self::Tcp { .. })
    }
}

/// For people: `10.0.0.10:502`, `/dev/ttyUSB0`.
impl fmt::Display for Wiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } | Self::RtuOverTcp { host, port } => {
                write!(f, "{host}:{port}")
            }
            Self::Serial(serial) => f.write_str(&serial.device),
        }
    }
}
