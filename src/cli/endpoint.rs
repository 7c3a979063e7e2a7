//! Endpoints on a command line: what a Modbus endpoint is written as.
//!
//! ```text
//!   tcp://10.0.0.10          tcp://10.0.0.10:1502       tcp://[fd00::10]:502
//!   rtu:///dev/ttyUSB0?baud=9600&parity=even&stop_bits=1&turnaround=30ms
//!   rtu+tcp://10.0.0.11:4196
//! ```
//!
//! The keys behind the `?` are those of `[bus.NAME.…]` in the configuration. **What
//! cannot be read as an endpoint is refused with the form that was probably meant**,
//! before anything is opened.

use std::net::Ipv6Addr;
use std::time::Duration;

use crate::config::read::{duration, list};
use crate::source::modbus::{Manners, Rs485, Serial, Wiring};
use crate::wire::modbus::line::{BAUDS, PARITIES, Parity};

/// The port of Modbus TCP.
const PORT: u16 = 502;
/// How long a device on a network may take.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(1);
/// No pause and no turnaround is longer.
const LONGEST: Duration = Duration::from_secs(10);

/// A Modbus endpoint of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// How it is reached.
    pub wiring: Wiring,
    /// What it wants.
    pub manners: Manners,
    /// As it was written.
    pub text: String,
}

impl Endpoint {
    /// How long an answer may take, where nothing else is said.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        match &self.wiring {
            Wiring::Serial(serial) => serial.line.timeout(serial.turnaround),
            Wiring::Tcp { .. } | Wiring::RtuOverTcp { .. } => NETWORK_TIMEOUT,
        }
    }

    /// Whether it is a line of this machine.
    #[must_use]
    pub fn is_line(&self) -> bool {
        matches!(self.wiring, Wiring::Serial(_))
    }
}

/// Reads an endpoint; the error says the right form.
///
/// # Errors
///
/// What is wrong with it, and what would be right.
pub fn endpoint(text: &str) -> Result<Endpoint, String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!(
            "`{text}` does not say how it is reached: {}",
            guess(text)
        ));
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (wiring, own): (Wiring, &[&str]) = match scheme {
        "tcp" => {
            let (host, port) = network(place, Some(PORT), "tcp://10.0.0.10:502")?;
            (Wiring::Tcp { host, port }, &["ignore_transaction"])
        }
        "rtu+tcp" => {
            let (host, port) = network(place, None, "rtu+tcp://10.0.0.11:4196")?;
            (Wiring::RtuOverTcp { host, port }, &[])
        }
        "rtu" if place.starts_with('/') && place.len() > 1 => {
            let keys = &["baud", "parity", "stop_bits", "turnaround", "rs485"];
            (Wiring::Serial(Serial::new(place)), keys)
        }
        "rtu" => {
            let place = place.trim_start_matches('/');
            let place = if place.is_empty() {
                "dev/ttyUSB0"
            } else {
                place
            };
            return Err(format!(
                "a line is named by the path of its device, with three slashes: rtu:///{place}"
            ));
        }
        other => {
            return Err(format!(
                "`{other}` is no way to an endpoint: tcp://HOST[:PORT], rtu:///dev/ttyUSB0 or rtu+tcp://HOST:PORT"
            ));
        }
    };
    let mut endpoint = Endpoint {
        wiring,
        manners: Manners::default(),
        text: text.to_owned(),
    };
    let keys: Vec<&str> = [own, &["connect_pause", "request_pause", "any_unit"]].concat();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !keys.contains(&key) {
            let known = list(keys.iter().map(|key| format!("`{key}`")));
            return Err(format!("`{key}` says nothing of {scheme}: one of {known}"));
        }
        set(&mut endpoint, key, value)?;
    }
    Ok(endpoint)
}

/// The form that was probably meant.
fn guess(text: &str) -> String {
    let text = text.trim();
    if text.starts_with('/') {
        format!("rtu://{text}?baud=9600&parity=even")
    } else if text.parse::<Ipv6Addr>().is_ok() {
        format!("tcp://[{text}]:502")
    } else if text.is_empty() || text.contains(['/', ' ']) {
        "tcp://10.0.0.10:502 or rtu:///dev/ttyUSB0?baud=9600&parity=even".to_owned()
    } else {
        format!("tcp://{text}, or rtu+tcp://{text} for a serial server")
    }
}

/// Host and port. An IPv6 address stands in brackets.
fn network(place: &str, default: Option<u16>, form: &str) -> Result<(String, u16), String> {
    let place = place.strip_suffix('/').unwrap_or(place);
    let wrong = |what: &str| Err(format!("`{place}` {what}: {form}"));
    if place.contains('@') {
        return wrong("has a user, and Modbus knows none");
    }
    if place.contains(['/', ' ', '#']) {
        return wrong("is more than a host and a port");
    }
    let (host, port) = if let Some(inner) = place.strip_prefix('[') {
        let Some((address, behind)) = inner.split_once(']') else {
            return wrong("has no closing bracket");
        };
        if address.parse::<Ipv6Addr>().is_err() {
            return wrong("is no IPv6 address in brackets");
        }
        match behind.strip_prefix(':') {
            _ if behind.is_empty() => (address, None),
            Some(port) => (address, Some(port)),
            None => return wrong("is more than a host and a port"),
        }
    } else if place.parse::<Ipv6Addr>().is_ok() {
        return Err(format!(
            "an IPv6 address stands in brackets: {}",
            form.replacen(host_of(form), &format!("[{place}]"), 1)
        ));
    } else {
        match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        }
    };
    if host.is_empty() || (host.contains(':') && !place.starts_with('[')) {
        return wrong("has no host");
    }
    let port = match port {
        Some(text) => text.parse().ok().filter(|port| *port > 0),
        None => default,
    };
    match port {
        Some(port) => Ok((host.to_owned(), port)),
        None => wrong("has no port from 1 to 65535"),
    }
}

/// The host of an example.
fn host_of(form: &str) -> &str {
    let behind = form.split_once("://").map_or(form, |(_, behind)| behind);
    behind.split_once(':').map_or(behind, |(host, _)| host)
}

/// Sets one key.
fn set(endpoint: &mut Endpoint, key: &str, value: &str) -> Result<(), String> {
    let wrong = |right: &str| Err(format!("`{key}={value}` means nothing: {right}"));
    let time = || duration(value).filter(|time| *time <= LONGEST);
    let flag = || match value {
        "true" | "" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    let manners = &mut endpoint.manners;
    match (key, &mut endpoint.wiring) {
        ("baud", Wiring::Serial(serial)) => match value.parse() {
            Ok(baud) if BAUDS.contains(&baud) => serial.line.baud = baud,
            _ => {
                let known = list(BAUDS.iter().map(u32::to_string));
                return wrong(&format!("one of {known}"));
            }
        },
        ("parity", Wiring::Serial(serial)) => {
            match PARITIES.iter().find(|(name, _)| *name == value) {
                Some((_, parity)) => serial.line.parity = *parity,
                None => return wrong("parity=none, even or odd"),
            }
        }
        ("stop_bits", Wiring::Serial(serial)) => match value {
            "1" => serial.line.stop_bits = 1,
            "2" => serial.line.stop_bits = 2,
            _ => return wrong("stop_bits=1 or 2"),
        },
        ("turnaround", Wiring::Serial(serial)) => match time() {
            Some(time) => serial.turnaround = time,
            None => return wrong("turnaround=30ms, at most 10s"),
        },
        ("rs485", Wiring::Serial(serial)) => match flag() {
            Some(on) => {
                serial.rs485 = on.then_some(Rs485 {
                    rts_on_send: true,
                    delay_before_send: Duration::ZERO,
                    delay_after_send: Duration::ZERO,
                });
            }
            None => return wrong("rs485=true or false"),
        },
        ("connect_pause" | "request_pause", _) => match time() {
            Some(time) if key == "connect_pause" => manners.connect_pause = time,
            Some(time) => manners.request_pause = time,
            None => return wrong("such as 1s, at most 10s"),
        },
        _ => match flag() {
            Some(on) if key == "any_unit" => manners.any_unit = on,
            Some(on) => manners.ignore_transaction = on,
            None => return wrong("true or false"),
        },
    }
    Ok(())
}

/// The line for people: `9600 8E1`.
#[must_use]
pub fn line_text(serial: &Serial) -> String {
    let parity = match serial.line.parity {
        Parity::None => 'N',
        Parity::Even => 'E',
        Parity::Odd => 'O',
    };
    format!("{} 8{parity}{}", serial.line.baud, serial.line.stop_bits)
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
