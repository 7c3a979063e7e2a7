//! A Modbus TCP server in this process that does whatever a test tells it to.
//!
//! An honest register holds its own address, so a value in the wrong place shows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which request of all, and on which connection; from zero.
    pub nth: usize,
    pub connection: usize,
    pub tid: u16,
    pub unit: u8,
    pub fc: u8,
    pub address: u16,
    pub count: u16,
    pub at: SystemTime,
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

impl Ask {
    /// The honest registers.
    pub fn words(&self) -> Vec<u16> {
        (0..self.count)
            .map(|n| self.address.wrapping_add(n))
            .collect()
    }

    /// An answer with these registers, in step in all else.
    pub fn answer(&self, words: &[u16]) -> Vec<u8> {
        frame(self.tid, self.unit, &self.pdu(words))
    }

    pub fn pdu(&self, words: &[u16]) -> Vec<u8> {
        let mut pdu = vec![self.fc, u8::try_from(words.len() * 2).unwrap()];
        pdu.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        pdu
    }

    /// A Modbus exception.
    pub fn exception(&self, code: u8) -> Vec<u8> {
        frame(self.tid, self.unit, &[self.fc | 0x80, code])
    }

    pub fn honest(&self) -> Vec<Act> {
        vec![Act::Send(self.answer(&self.words()))]
    }
}

type Manners = dyn Fn(&Ask) -> Vec<Act> + Send + Sync;

/// A running server; ends with the runtime of the test.
pub struct Hostile {
    pub port: u16,
    asks: Arc<Mutex<Vec<Ask>>>,
    open: Arc<AtomicUsize>,
    most_open: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Hostile {
    pub async fn start(manners: impl Fn(&Ask) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::start_at(0, manners).await
    }

    pub async fn start_at(
        port: u16,
        manners: impl Fn(&Ask) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            asks: Arc::default(),
            open: Arc::default(),
            most_open: Arc::default(),
            connections: Arc::default(),
        };
        let (asks, open) = (Arc::clone(&server.asks), Arc::clone(&server.open));
        let most_open = Arc::clone(&server.most_open);
        let connections = Arc::clone(&server.connections);
        let manners: Arc<Manners> = Arc::new(manners);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // A client that has hung up did so before it connected anew; its task
                // may take a moment to see it. One that has not is counted twice.
                for _ in 0..2_000 {
                    if open.load(Ordering::SeqCst) > 0 {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
                let connection = connections.fetch_add(1, Ordering::SeqCst);
                let now_open = open.fetch_add(1, Ordering::SeqCst) + 1;
                most_open.fetch_max(now_open, Ordering::SeqCst);
                let (asks, open) = (Arc::clone(&asks), Arc::clone(&open));
                let manners = Arc::clone(&manners);
                tokio::spawn(async move {
                    let _ = serve(stream, connection, &asks, &*manners).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// Every request so far.
    pub fn asks(&self) -> Vec<Ask> {
        self.asks.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub fn most_open(&self) -> usize {
        self.most_open.load(Ordering::SeqCst)
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    asks: &Mutex<Vec<Ask>>,
    manners: &Manners,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let mut bytes = [0; 12];
        stream.read_exact(&mut bytes).await?;
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let ask = {
            let mut asks = asks.lock().unwrap();
            let ask = Ask {
                nth: asks.len(),
                connection,
                tid: word(0),
                unit: bytes[6],
                fc: bytes[7],
                address: word(8),
                count: word(10),
                at: SystemTime::now(),
            };
            asks.push(ask.clone());
            ask
        };
        for act in manners(&ask) {
            match act {
                Act::Send(bytes) => stream.write_all(&bytes).await?,
                // A peer that hangs up meanwhile ends the wait.
                Act::Wait(time) => {
                    let mut early = [0; 1];
                    let gone = tokio::time::timeout(time, stream.peek(&mut early)).await;
                    if matches!(gone, Ok(Ok(0) | Err(_))) {
                        return Ok(());
                    }
                    if gone.is_ok() {
                        tokio::time::sleep(time).await;
                    }
                }
                Act::Close => return Ok(()),
            }
        }
    }
}
