//! One open connection or line, and one transaction on it.
//!
//! Bytes are taken as they come and judged by the frame that is expected. **What is left
//! behind an answer is never kept for the next one.**

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_serial::{SerialPort, SerialStream};

use super::serial;
use crate::sys::clock;
use crate::wire::modbus::{Fault, Leniency, Question, Scan, rtu, tcp};

/// How long closing may take: a peer that does not listen must not hold up the bus.
const CLOSING: Duration = Duration::from_millis(200);
/// Bytes without an answer after which a peer babbles. Longer than an answer with its
/// echo and a good deal of noise.
const BABBLE: usize = 1_024;
/// A line that does not fall silent within so many waits for silence is not a line.
const DRAINS: u32 = 20;

/// What carries the bytes.
pub enum Stream {
    /// A socket.
    Tcp(TcpStream),
    /// A serial port.
    Serial(SerialStream),
}

/// The kind of frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Modbus TCP, with this transaction.
    Tcp(u16),
    /// RTU.
    Rtu,
}

/// One transaction.
pub struct Asking<'a> {
    /// What is asked.
    pub question: &'a Question,
    /// In what kind of frame.
    pub framing: Framing,
    /// What may be wrong with the answer.
    pub lenient: Leniency,
    /// How long the question is on the line after it was written.
    pub on_the_line: Duration,
    /// How long to wait for the answer after that.
    pub patience: Duration,
    /// How long a pause in the middle of a frame may be.
    pub quiet: Duration,
    /// How long to listen for more behind the answer, where nothing but silence tells
    /// that it is the only one.
    pub settle: Option<Duration>,
}

/// An answer.
pub struct Reply {
    /// Words, or the code of an exception.
    pub said: Result<Vec<u16>, u8>,
    /// From question to answer.
    pub took: Duration,
    /// The midpoint between them.
    pub at: Instant,
    /// Whether nothing came behind it.
    pub clean: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// None in time.
    Timeout,
    /// Bytes that are none.
    Broken(Fault),
    /// The peer hung up.
    HungUp {
        /// Without a word.
        silent: bool,
    },
}

/// What lies in the buffer though nothing was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stray {
    Nothing,
    Bytes,
    /// The peer has hung up.
    Closed,
}

/// How a line was drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    Quiet,
    Closed,
    Babbles,
}

/// An open connection or line.
pub struct Session {
    stream: Stream,
    /// Whether it has answered.
    pub proven: bool,
}

impl Session {
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            proven: false,
        }
    }

    /// One question, and what came of it. After trouble the session is not in step and
    /// may not be asked again.
    pub async fn ask(&mut self, asking: &Asking<'_>) -> Result<Reply, Trouble> {
        let asked = clock::mono();
        let writing = async {
            match asking.framing {
                Framing::Tcp(id) => self.write(&tcp::encode(asking.question, id)).await,
                Framing::Rtu => self.write(&rtu::encode(asking.question)).await,
            }
        };
        match timeout(asking.patience, writing).await {
            Ok(Ok(())) => (),
            Ok(Err(_)) => return Err(Trouble::HungUp { silent: true }),
            Err(_elapsed) => return Err(Trouble::Timeout),
        }
        let deadline = clock::mono() + asking.on_the_line + asking.patience;
        let mut came = Vec::with_capacity(300);
        let mut enough = false;
        let (said, used) = loop {
            let until = if enough {
                deadline.min(clock::mono() + asking.quiet)
            } else {
                deadline
            };
            match timeout_at(until, self.read(&mut came)).await {
                Err(_elapsed) if enough => return Err(Trouble::Broken(Fault::Damaged)),
                Err(_elapsed) => return Err(Trouble::Timeout),
                Ok(Ok(0) | Err(_)) => {
                    let silent = came.is_empty();
                    return Err(Trouble::HungUp { silent });
                }
                Ok(Ok(_)) => (),
            }
            let scan = match asking.framing {
                Framing::Tcp(id) => tcp::scan(&came, id, asking.question, asking.lenient),
                Framing::Rtu => rtu::scan(&came, asking.question, asking.lenient),
            };
            match scan {
                Scan::Answer { words, used } => break (Ok(words), used),
                Scan::Exception { code, used } => break (Err(code), used),
                Scan::Broken(fault) => return Err(Trouble::Broken(fault)),
                Scan::More { .. } if came.len() > BABBLE => {
                    return Err(Trouble::Broken(Fault::NotModbus));
                }
                Scan::More { enough: all } => enough = all,
            }
        };
        let took = clock::mono() - asked;
        let mut behind = came.len() - used;
        if let Some(settle) = asking.settle {
            // A line crackles when its driver lets go; a socket does not.
            let noise = match asking.framing {
                Framing::Tcp(_) => 1,
                Framing::Rtu => rtu::SHORTEST,
            };
            while behind < noise {
                match timeout(settle, self.read(&mut came)).await {
                    Err(_elapsed) => {
                        behind = 0;
                        break;
                    }
                    // It is seen before the next question.
                    Ok(Ok(0) | Err(_)) => break,
                    Ok(Ok(_)) => behind = came.len() - used,
                }
            }
            if behind >= noise {
                return Err(Trouble::Broken(Fault::Unasked));
            }
        }
        self.proven = true;
        Ok(Reply {
            said,
            took,
            at: asked + took / 2,
            clean: behind == 0,
        })
    }

    /// What lies in the buffer of the system, asked of the system itself: what the
    /// runtime believes is as old as its last look.
    pub fn stray(&self) -> Stray {
        let waiting = match &self.stream {
            Stream::Tcp(stream) => SockRef::from(stream).peek(&mut [MaybeUninit::uninit(); 1]),
            Stream::Serial(stream) => match stream.bytes_to_read() {
                Ok(0) => return Stray::Nothing,
                Ok(_) => Ok(1),
                Err(error) => Err(error.into()),
            },
        };
        match waiting {
            Ok(0) => Stray::Closed,
            Ok(_) => Stray::Bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Stray::Nothing,
            Err(_) => Stray::Closed,
        }
    }

    /// Reads and throws away until this moment has passed and nothing came for `quiet`.
    pub async fn drain(&mut self, until: Instant, quiet: Duration) -> Drained {
        let last = until.max(clock::mono()) + quiet * DRAINS;
        loop {
            let mut bytes = Vec::with_capacity(256);
            let silent_at = until.max(clock::mono() + quiet);
            match timeout_at(silent_at, self.read(&mut bytes)).await {
                Err(_elapsed) => return Drained::Quiet,
                Ok(Ok(0) | Err(_)) => return Drained::Closed,
                Ok(Ok(_)) if clock::mono() >= last => return Drained::Babbles,
                Ok(Ok(_)) => (),
            }
        }
    }

    /// Throws away what the system holds of a serial line; whether that worked.
    pub fn clear(&self) -> bool {
        match &self.stream {
            Stream::Serial(stream) => serial::clear(stream).is_ok(),
            Stream::Tcp(_) => false,
        }
    }

    /// Hangs up and waits a moment for the peer to do so as well, so that a gateway that
    /// bears one connection does not see two.
    pub async fn close(self) {
        if let Stream::Tcp(mut stream) = self.stream {
            let closing = async {
                stream.shutdown().await?;
                let mut rest = Vec::with_capacity(256);
                while stream.read_buf(&mut rest).await? > 0 {
                    rest.clear();
                }
                io::Result::Ok(())
            };
            let _ = timeout(CLOSING, closing).await;
        }
    }

    async fn read(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.read_buf(into).await,
            Stream::Serial(stream) => stream.read_buf(into).await,
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(bytes).await,
            Stream::Serial(stream) => stream.write_all(bytes).await,
        }
    }
}
