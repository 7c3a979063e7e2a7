//! The rehearsed park from outside: raw bytes on its sockets and its line, so that
//! each fault is seen to do on the wire what it says.

mod line;
mod numbers;
mod phases;
mod sockets;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sunledger::domain::meter::{Point, Quantity, RegisterKind, Role};
use sunledger::domain::units::CountUnit;
use sunledger::simulate::rehearsal::register::Register;
use sunledger::simulate::rehearsal::unit::{Constant, Meter, Unit};
use sunledger::simulate::rehearsal::{self, At, Bus, Endpoint, Rehearsal, Settings};
use sunledger::wire::register::{Decode, Field, Layout, Number, Order};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The time-out of the rehearsed masters: short, and long for this machine.
const TIMEOUT: Duration = Duration::from_millis(200);
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);
/// Silence that is one.
const QUIET: Duration = Duration::from_millis(150);

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// An encoding rehearsal of one bus, with faults.
async fn encoding(at: At, faults: &[&str]) -> Rehearsal {
    let rehearsal = rehearsal::start(Settings::encoding(at, TIMEOUT))
        .await
        .unwrap();
    for fault in faults {
        rehearsal.faults().on(fault).unwrap();
    }
    rehearsal
}

async fn tcp(faults: &[&str]) -> Rehearsal {
    encoding(At::Tcp(anywhere()), faults).await
}

fn socket(rehearsal: &Rehearsal, bus: &str) -> SocketAddr {
    match rehearsal.endpoint(bus) {
        Some(Endpoint::Socket(address)) => *address,
        other => panic!("{other:?}"),
    }
}

fn register(quantity: &str, address: u16, number: Number, decode: Decode) -> Register {
    let layout = Layout::simple(3, Field::new(address, number, Order::Big), decode);
    let counts = !matches!(decode, Decode::Analog { .. });
    // A count is 10 mWh: it moves within a second.
    let unit = CountUnit::new(10, 1).unwrap();
    let kind = RegisterKind {
        unit,
        modulus: Some(1 << 32),
        told: false,
    };
    let quantity = Quantity::named(quantity).unwrap();
    Register::new(
        &Point {
            quantity,
            register: counts.then_some(kind),
        },
        &layout,
    )
}

/// One meter at unit 7: power at 0, its counter at 2, voltage at 6.
fn metering(at: At) -> Settings {
    let plain = Decode::Analog {
        scale: 1.0,
        offset: 0.0,
    };
    let tenths = Decode::Analog {
        scale: 0.1,
        offset: 0.0,
    };
    let meter = Meter {
        id: "pcc".into(),
        role: Role::named("tenant").unwrap(),
        rated: None,
        registers: vec![
            register("power", 0, Number::I32, plain),
            register("energy_import", 2, Number::U32, Decode::Count),
            register("voltage_l1", 6, Number::U16, tenths),
        ],
        constants: vec![Constant {
            fc: 3,
            address: 40,
            words: vec![0x4142, 0x4300],
        }],
    };
    let units = vec![Unit {
        id: 7,
        meters: vec![meter],
    }];
    let bus = Bus {
        name: "main".into(),
        at,
        timeout: TIMEOUT,
        units,
        any_unit: false,
    };
    Settings {
        encodes: false,
        buses: vec![bus],
        ..Settings::encoding(At::Tcp(anywhere()), TIMEOUT)
    }
}

/// The question for registers, as a frame of Modbus TCP.
fn question(transaction: u16, unit: u8, address: u16, count: u16) -> Vec<u8> {
    let mut frame = Vec::from(transaction.to_be_bytes());
    frame.extend([0, 0, 0, 6, unit, 3]);
    frame.extend(address.to_be_bytes());
    frame.extend(count.to_be_bytes());
    frame
}

/// A master that believes everything it reads.
struct Master {
    stream: TcpStream,
    asked: u16,
}

impl Master {
    async fn connect(rehearsal: &Rehearsal) -> Self {
        let stream = TcpStream::connect(socket(rehearsal, "main")).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            asked: 0x0100,
        }
    }

    /// Asks, and gives its transaction.
    async fn ask(&mut self, unit: u8, address: u16, count: u16) -> u16 {
        self.asked += 1;
        let question = question(self.asked, unit, address, count);
        self.stream.write_all(&question).await.unwrap();
        self.asked
    }

    /// The next frame: transaction, unit and the rest. None where nothing more comes.
    async fn hear(&mut self) -> Option<(u16, u8, Vec<u8>)> {
        let mut head = [0; 7];
        let read = timeout(LONG, self.stream.read_exact(&mut head))
            .await
            .expect("it answers");
        read.ok()?;
        let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
        let mut pdu = vec![0; length - 1];
        timeout(LONG, self.stream.read_exact(&mut pdu))
            .await
            .expect("whole")
            .ok()?;
        Some((u16::from_be_bytes([head[0], head[1]]), head[6], pdu))
    }

    /// The words of an honest answer.
    async fn words(&mut self, unit: u8, address: u16, count: u16) -> Vec<u16> {
        let transaction = self.ask(unit, address, count).await;
        let (said, from, pdu) = self.hear().await.expect("an answer");
        assert_eq!((said, from, pdu[0]), (transaction, unit, 3), "{pdu:?}");
        assert_eq!(usize::from(pdu[1]), pdu.len() - 2);
        words(&pdu)
    }

    /// Nothing comes, and the connection is open.
    async fn hears_nothing(&mut self) {
        let mut byte = [0];
        let heard = timeout(QUIET, self.stream.read(&mut byte)).await;
        assert!(heard.is_err(), "{heard:?}");
    }

    /// The other side hangs up within this time.
    async fn is_hung_up_on(&mut self, within: Duration) -> bool {
        let mut rest = Vec::new();
        timeout(within, self.stream.read_to_end(&mut rest))
            .await
            .is_ok()
    }
}

fn words(pdu: &[u8]) -> Vec<u16> {
    let pairs = pdu[2..].chunks_exact(2);
    pairs
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect()
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LONG, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The last question that a rehearsal was asked.
fn last(rehearsal: &Rehearsal) -> rehearsal::log::Asked {
    rehearsal.log().asked().pop().expect("a question")
}

fn names(rehearsal: &Rehearsal) -> Vec<Arc<str>> {
    let flowed = rehearsal.flowed(rehearsal.now());
    flowed.into_iter().map(|one| one.meter).collect()
}
