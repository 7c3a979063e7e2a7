//! A Modbus server in this process that does whatever a test tells it to, over TCP, as
//! a serial server, and at the far end of a serial line.
//!
//! An honest register holds its own address, so a value in the wrong place shows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use sunledger::source::modbus::{Serial, Wiring};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_serial::{SerialPort, SerialStream};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which request of all, and on which connection; from zero.
    pub nth: usize,
    pub connection: usize,
    /// Zero on a line.
    pub tid: u16,
    pub unit: u8,
    pub fc: u8,
    pub address: u16,
    pub count: u16,
    pub at: SystemTime,
    /// As it came.
    pub bytes: Vec<u8>,
}

/// What the server does about it.
pub enum Act {
    Send(Vec<u8>),
    Wait(Duration),
    Close,
}

/// A frame of Modbus TCP.
pub fn frame(tid: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let length = u16::try_from(pdu.len() + 1).unwrap();
    let mut frame = Vec::from(tid.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(length.to_be_bytes());
    frame.push(unit);
    frame.extend(pdu);
    frame
}

/// A frame of a serial line, with a checksum computed bit by bit.
pub fn closed(unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut frame = [&[unit], pdu].concat();
    let mut crc = 0xFFFF_u16;
    for byte in &frame {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xA001 * (crc & 1));
        }
    }
    frame.extend(crc.to_le_bytes());
    frame
}

impl Ask {
    /// The request in these bytes: twelve over TCP, eight on a line.
    fn parse(bytes: &[u8], nth: usize, connection: usize) -> Self {
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let on_a_line = bytes.len() == 8;
        let at = if on_a_line { 0 } else { 6 };
        if on_a_line {
            assert_eq!(closed(bytes[0], &bytes[1..6]), bytes, "a damaged question");
        } else {
            assert_eq!(&bytes[2..6], [0, 0, 0, 6], "a damaged question");
        }
        Self {
            nth,
            connection,
            tid: if on_a_line { 0 } else { word(0) },
            unit: bytes[at],
            fc: bytes[at + 1],
            address: word(at + 2),
            count: word(at + 4),
            at: SystemTime::now(),
            bytes: bytes.to_vec(),
        }
    }

    /// A frame of the kind in which it came.
    pub fn frame(&self, unit: u8, pdu: &[u8]) -> Vec<u8> {
        if self.bytes.len() == 8 {
            closed(unit, pdu)
        } else {
            frame(self.tid, unit, pdu)
        }
    }

    /// The honest registers.
    pub fn words(&self) -> Vec<u16> {
        (0..self.count)
            .map(|n| self.address.wrapping_add(n))
            .collect()
    }

    /// An answer with these registers, in step in all else.
    pub fn answer(&self, words: &[u16]) -> Vec<u8> {
        self.frame(self.unit, &self.pdu(words))
    }

    pub fn pdu(&self, words: &[u16]) -> Vec<u8> {
        let mut pdu = vec![self.fc, u8::try_from(words.len() * 2).unwrap()];
        pdu.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        pdu
    }

    /// A Modbus exception.
    pub fn exception(&self, code: u8) -> Vec<u8> {
        self.frame(self.unit, &[self.fc | 0x80, code])
    }

    /// The honest answer.
    pub fn good(&self) -> Vec<u8> {
        self.answer(&self.words())
    }

    pub fn honest(&self) -> Vec<Act> {
        vec![Act::Send(self.good())]
    }
}

type Manners = dyn Fn(&Ask) -> Vec<Act> + Send + Sync;

/// A running server; ends with the runtime of the test.
pub struct Hostile {
    /// The port, where there is one.
    pub port: u16,
    wiring: Wiring,
    seen: Arc<Seen>,
    accepting: Option<AbortHandle>,
    /// The near end of the line stays open, or the far end would see it hang up.
    _line: Option<SerialStream>,
}

#[derive(Default)]
struct Seen {
    asks: Mutex<Vec<Ask>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
    connections: AtomicUsize,
    done: AtomicUsize,
}

impl Hostile {
    /// Modbus TCP.
    pub async fn start(manners: impl Fn(&Ask) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::start_at(0, manners).await
    }

    pub async fn start_at(
        port: u16,
        manners: impl Fn(&Ask) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        let (port, seen, accepting) = listen(port, 12, Arc::new(manners)).await;
        let host = "127.0.0.1".to_owned();
        Self {
            port,
            wiring: Wiring::Tcp { host, port },
            seen,
            accepting: Some(accepting),
            _line: None,
        }
    }

    /// A serial server: frames of a line over TCP.
    pub async fn rtu_over_tcp(manners: impl Fn(&Ask) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let (port, seen, accepting) = listen(0, 8, Arc::new(manners)).await;
        let host = "127.0.0.1".to_owned();
        Self {
            port,
            wiring: Wiring::RtuOverTcp { host, port },
            seen,
            accepting: Some(accepting),
            _line: None,
        }
    }

    /// A device at the far end of a serial line.
    pub fn on_a_line(manners: impl Fn(&Ask) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let (far, near) = SerialStream::pair().unwrap();
        let mut serial = Serial::new(&near.name().unwrap());
        serial.line.baud = 115_200;
        let seen = Arc::new(Seen::default());
        let watched = Arc::clone(&seen);
        tokio::spawn(async move {
            let _ = serve(far, 8, 0, &watched, &manners).await;
        });
        Self {
            port: 0,
            wiring: Wiring::Serial(serial),
            seen,
            accepting: None,
            _line: Some(near),
        }
    }

    /// How it is reached.
    pub fn wiring(&self) -> Wiring {
        self.wiring.clone()
    }

    /// Nobody is let in any more.
    pub fn stop_listening(&self) {
        self.accepting.as_ref().unwrap().abort();
    }

    /// Every request so far.
    pub fn asks(&self) -> Vec<Ask> {
        self.seen.asks.lock().unwrap().clone()
    }

    /// Requests about which everything was done.
    pub fn done(&self) -> usize {
        self.seen.done.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub fn open(&self) -> usize {
        self.seen.open.load(Ordering::SeqCst)
    }

    pub fn most_open(&self) -> usize {
        self.seen.most_open.load(Ordering::SeqCst)
    }
}

async fn listen(
    port: u16,
    question: usize,
    manners: Arc<Manners>,
) -> (u16, Arc<Seen>, AbortHandle) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Seen::default());
    let watched = Arc::clone(&seen);
    let accepting = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that has hung up did so before it connected anew; its task
            // may take a moment to see it. One that has not is counted twice.
            for _ in 0..2_000 {
                if watched.open.load(Ordering::SeqCst) > 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            let connection = watched.connections.fetch_add(1, Ordering::SeqCst);
            let now_open = watched.open.fetch_add(1, Ordering::SeqCst) + 1;
            watched.most_open.fetch_max(now_open, Ordering::SeqCst);
            let (seen, manners) = (Arc::clone(&watched), Arc::clone(&manners));
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let _ = serve(stream, question, connection, &seen, &*manners).await;
                seen.open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (port, seen, accepting.abort_handle())
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    question: usize,
    connection: usize,
    seen: &Seen,
    manners: &Manners,
) -> std::io::Result<()> {
    let mut came = Vec::new();
    loop {
        while came.len() < question {
            if stream.read_buf(&mut came).await? == 0 {
                return Ok(());
            }
        }
        let bytes: Vec<u8> = came.drain(..question).collect();
        let ask = {
            let mut asks = seen.asks.lock().unwrap();
            let nth = asks.len();
            asks.push(Ask::parse(&bytes, nth, connection));
            asks.last().unwrap().clone()
        };
        for act in manners(&ask) {
            match act {
                Act::Send(bytes) => stream.write_all(&bytes).await?,
                // A peer that hangs up meanwhile ends the wait.
                Act::Wait(time) => {
                    let until = tokio::time::Instant::now() + time;
                    let mut reading = true;
                    while reading {
                        let more = tokio::time::timeout_at(until, stream.read_buf(&mut came)).await;
                        match more {
                            Ok(Ok(0) | Err(_)) => return Ok(()),
                            Ok(Ok(_)) => (),
                            Err(_elapsed) => reading = false,
                        }
                    }
                }
                Act::Close => return Ok(()),
            }
        }
        seen.done.fetch_add(1, Ordering::SeqCst);
    }
}
