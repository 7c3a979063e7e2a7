//! Servers of others: pymodbus and libmodbus, over TCP, behind a serial server, and on
//! a line made by socat.

use serde_json::json;
use sunledger::source::modbus::link::Failure;
use sunledger::source::modbus::{Manners, Serial, Wiring};

use super::{PATIENT, ask, link, words};
use crate::support::lines::{Libmodbus, Pair};
use crate::support::pymodbus::Pymodbus;

fn over_tcp(port: u16) -> Wiring {
    let host = "127.0.0.1".to_owned();
    Wiring::Tcp { host, port }
}

fn line(device: &str) -> Wiring {
    let mut serial = Serial::new(device);
    serial.line.baud = 19_200;
    Wiring::Serial(serial)
}

/// What a table of these peers holds at an address.
type Holds = fn(u16) -> u16;

/// The longest answers, the shortest, bits that fill no byte, the last register, and a
/// refusal; again and again on one link.
async fn is_read(wiring: Wiring, unit: u8, tables: [Holds; 4], last: u16) {
    let name = format!("{wiring:?}");
    let mut link = link(wiring, Manners::default(), PATIENT);
    for _ in 0..3 {
        for (fc, holds) in (1..=4).zip(tables) {
            let most = if fc <= 2 { last + 1 } else { 125 };
            for (address, count) in [(0, most), (3, 1), (last - 9, 9), (last, 1)] {
                let said = words(&mut link, unit, &ask(fc, address, count)).await;
                let expected: Vec<u16> = (address..address + count).map(holds).collect();
                assert_eq!(said, Ok(expected), "{name}: {fc} {address} {count}");
            }
            let beyond = words(&mut link, unit, &ask(fc, last, 2)).await;
            assert_eq!(beyond, Err(Failure::Exception(2)), "{name}: {fc}");
        }
    }
    let timing = link.timing();
    assert!(timing.per_request_ms > 0.0, "{name}: {timing:?}");
}

const LIBMODBUS: [Holds; 4] = [
    |a| u16::from(a % 3 == 0),
    |a| u16::from(a % 2 == 0),
    |a| 7 * a + 1,
    |a| 11 * a + 2,
];

#[tokio::test(flavor = "multi_thread")]
async fn libmodbus_is_read_over_tcp_and_on_a_line() {
    let server = Libmodbus::serve(&["tcp"]);
    is_read(over_tcp(server.port), 1, LIBMODBUS, 999).await;
    let pair = Pair::new();
    let _server = Libmodbus::serve(&["rtu", &pair.far(), "17"]);
    is_read(line(&pair.near()), 17, LIBMODBUS, 999).await;
}

const PYMODBUS: [Holds; 4] = [
    |a| u16::from(a % 5 == 1),
    |a| u16::from(a % 7 != 2),
    |a| 65_535 - 13 * a,
    |a| 40_000 + 3 * a,
];

#[tokio::test(flavor = "multi_thread")]
async fn pymodbus_is_read_over_tcp_behind_a_serial_server_and_on_a_line() {
    let table = |holds: Holds| json!({ "0": (0..300).map(holds).collect::<Vec<u16>>() });
    let [coils, discrete, holding, input] = PYMODBUS.map(table);
    let units = json!({ "9": {
        "coils": coils, "discrete": discrete, "holding": holding, "input": input,
    }});
    let server = Pymodbus::serve(&units);
    is_read(over_tcp(server.port), 9, PYMODBUS, 299).await;

    let server = Pymodbus::serve_as(&["rtu_over_tcp"], &units);
    let host = "127.0.0.1".to_owned();
    let port = server.port;
    is_read(Wiring::RtuOverTcp { host, port }, 9, PYMODBUS, 299).await;

    let pair = Pair::new();
    let _server = Pymodbus::serve_as(&["rtu", &pair.far()], &units);
    is_read(line(&pair.near()), 9, PYMODBUS, 299).await;
}
