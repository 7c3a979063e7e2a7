//! Buses: `[bus.NAME.tcp]` and its siblings, one for each physical endpoint.
//!
//! **Two buses never share an endpoint**: a second connection to one gateway swaps
//! answers, and two masters on one line talk at the same time.

use std::time::Duration;

use super::endpoint::{Known, checked_name, port};
use super::read::{Table, list};
use crate::source::modbus::{Manners, Rs485, Serial, Settings, Wiring};
use crate::wire::modbus::line::{BAUDS, Line, PARITIES, Parity};

/// Longer than any meter in reach needs, shorter than a stop may take.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);
/// One dead unit must not stop its bus.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest pause between questions that still is one.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// `[bus.NAME.tcp]`, `rtu` and `rtu_over_tcp`: the endpoints, without their polls.
pub fn buses(root: &Table<'_>) -> (Vec<Settings>, Known) {
    let (mut buses, mut known): (Vec<Settings>, Known) = (Vec::new(), Vec::new());
    if !root.has("bus") {
        return (buses, known);
    }
    for (bus, table) in root.named("bus") {
        known.push(bus.to_owned());
        checked_name(&table, bus);
        let chosen = table.choice(&["tcp", "rtu", "rtu_over_tcp"]);
        table.finish();
        let Some((kind, inner)) = chosen else {
            continue;
        };
        let (key, wiring) = match kind {
            "rtu" => ("device", serial(&inner)),
            _ => ("host", network(&inner, kind)),
        };
        let mut settings = Settings {
            name: bus.to_owned(),
            timeout: timeout(&inner, &wiring),
            memory: None,
            manners: manners(&inner),
            wiring,
            polls: Vec::new(),
        };
        if kind == "tcp" {
            settings.manners.ignore_transaction = inner.flag("ignore_transaction") == Some(true);
        }
        inner.finish();
        let end = settings.wiring.to_string();
        let mut others = buses.iter().filter(|_| inner.has(key));
        if let Some(other) = others.find(|other| other.wiring.to_string() == end) {
            inner.problem(
                key,
                format!("{end} is bus `{}` already", other.name),
                "one bus for each endpoint: a second connection to one gateway swaps answers",
            );
        }
        buses.push(settings);
    }
    (buses, known)
}

fn network(table: &Table<'_>, kind: &str) -> Wiring {
    let host = table.required("host", "10.0.0.10").unwrap_or_default();
    let (host, port) = (host.to_owned(), port(table, 502));
    if kind == "tcp" {
        Wiring::Tcp { host, port }
    } else {
        Wiring::RtuOverTcp { host, port }
    }
}

fn serial(table: &Table<'_>) -> Wiring {
    let device = table.required("device", "/dev/ttyUSB0").unwrap_or_default();
    if !device.is_empty() && !device.starts_with('/') {
        table.problem(
            "device",
            format!("`{device}` is not the path of a device"),
            "a path such as \"/dev/ttyUSB0\", better one that survives a restart: \
             ls /dev/serial/by-id",
        );
    }
    let mut serial = Serial::new(device);
    serial.line = line(table);
    if let Some(turnaround) = short(table, "turnaround", "30ms") {
        serial.turnaround = turnaround;
    }
    if table.has("rs485") {
        serial.rs485 = rs485(table);
    }
    Wiring::Serial(serial)
}

fn line(table: &Table<'_>) -> Line {
    let mut line = Line::default();
    let baud = table.integer("baud", 1, i64::from(u32::MAX));
    if let Some(baud) = baud.and_then(|baud| u32::try_from(baud).ok()) {
        line.baud = baud;
        if !BAUDS.contains(&baud) {
            table.problem(
                "baud",
                format!("{baud} is no speed that meters have"),
                format!(
                    "the one set at the meters, of {}",
                    list(BAUDS.iter().map(u32::to_string))
                ),
            );
        }
    }
    let parity = table.parsed("parity", "even", |text| {
        let row = PARITIES.iter().find(|(name, _)| *name == text);
        row.map(|(_, parity)| *parity).ok_or_else(|| {
            (
                format!("`{text}` is not a parity"),
                "\"none\", \"even\" or \"odd\", as set at the meters".to_owned(),
            )
        })
    });
    if let Some(parity) = parity {
        line.parity = parity;
    }
    // A character of Modbus RTU has eleven bits, so a line without parity should have
    // two stop bits; most meters have one all the same.
    if let Some(stop_bits) = table.integer("stop_bits", 1, 2) {
        line.stop_bits = u8::try_from(stop_bits).unwrap_or(1);
        if stop_bits == 2 && line.parity != Parity::None {
            table.problem(
                "stop_bits",
                "are two beside a parity bit, which no meter has",
                "1 with parity, 1 or 2 without",
            );
        }
    }
    if table
        .integer("data_bits", 5, 8)
        .is_some_and(|bits| bits != 8)
    {
        table.problem(
            "data_bits",
            "are not eight",
            "8: Modbus RTU has no other character; leave the key out",
        );
    }
    line
}

fn rs485(table: &Table<'_>) -> Option<Rs485> {
    let inner = table.table("rs485")?;
    let rs485 = Rs485 {
        rts_on_send: inner.flag("rts_on_send").unwrap_or(true),
        delay_before_send: short(&inner, "delay_before_send", "1ms").unwrap_or_default(),
        delay_after_send: short(&inner, "delay_after_send", "1ms").unwrap_or_default(),
    };
    inner.finish();
    Some(rs485)
}

fn timeout(table: &Table<'_>, wiring: &Wiring) -> Duration {
    let timeout = table.duration("timeout", "1s");
    if timeout.is_some_and(|timeout| timeout > LONGEST_TIMEOUT) {
        table.problem(
            "timeout",
            "is longer than 10 s, so one dead unit would stop its bus",
            "at most \"10s\"",
        );
    }
    timeout.unwrap_or(match wiring {
        Wiring::Serial(serial) => serial.line.timeout(serial.turnaround),
        Wiring::Tcp { .. } | Wiring::RtuOverTcp { .. } => DEFAULT_TIMEOUT,
    })
}

fn manners(table: &Table<'_>) -> Manners {
    Manners {
        connect_pause: short(table, "connect_pause", "1s").unwrap_or_default(),
        request_pause: short(table, "request_pause", "60ms").unwrap_or_default(),
        close_after_cycle: table.flag("close_after_cycle").unwrap_or(false),
        idle_close: table.duration("idle_close", "30s"),
        any_unit: table.flag("any_unit").unwrap_or(false),
        ..Manners::default()
    }
}

/// A pause that the bus bears.
fn short(table: &Table<'_>, key: &str, example: &str) -> Option<Duration> {
    let pause = table.duration(key, example)?;
    if pause > LONGEST_PAUSE {
        table.problem(
            key,
            "is longer than 10 s, in which the bus stands still",
            format!("such as \"{example}\", at most \"10s\""),
        );
    }
    Some(pause)
}

/// Gives every bus its polls.
#[must_use]
pub fn with_polls(
    mut buses: Vec<Settings>,
    polls: Vec<(String, crate::source::modbus::Poll)>,
) -> Vec<Settings> {
    for (name, poll) in polls {
        if let Some(bus) = buses.iter_mut().find(|bus| bus.name == name) {
            bus.polls.push(poll);
        }
    }
    buses.retain(|bus| !bus.polls.is_empty());
    buses
}
