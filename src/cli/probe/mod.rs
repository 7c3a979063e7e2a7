//! `sunledger probe`: one look at a device, before anything is configured.
//!
//! ```text
//!   endpoint, unit ──▶ registers ──▶ as every type and order, side by side
//!                  └─▶ template ───▶ its points with value, unit and sign
//! ```
//!
//! **It reads once and changes nothing.** A refusal is an answer: it is shown with its
//! words, and the rest is read all the same.

mod block;
mod choose;
mod device;
mod shown;
mod sunspec;
mod views;

use std::time::Duration;

use serde_json::{Value, json};

use self::block::{Block, Cell};
use super::asking::Asker;
use super::endpoint::{Endpoint, endpoint, line_text};
use super::{Failure, UNAVAILABLE, USAGE, print, runtime};
use crate::config::read::duration;
use crate::source::modbus::link::Failure as Fails;
use crate::source::modbus::{Limits, Wiring};
use crate::wire::modbus::exception;
use crate::wire::register::Order;

/// How many registers are read where nothing is said.
const COUNT: u32 = 10;
/// Silence between two questions: a device that is in use has time for others.
const PAUSE: Duration = Duration::from_millis(20);

/// Arguments of `probe`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// `tcp://HOST[:PORT]`, rtu:///dev/ttyUSB0?baud=9600&parity=even or rtu+tcp://HOST:PORT
    #[arg(value_name = "ENDPOINT", value_parser = endpoint)]
    endpoint: Endpoint,
    /// Unit id of the device [default: 1, or that of the template]
    #[arg(long, value_name = "N")]
    unit: Option<u8>,
    /// Function code: 3 holding registers, 4 input registers, 1 coils, 2 discrete inputs
    #[arg(long, value_name = "CODE", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=4))]
    fc: u8,
    /// First registers, zero-based: one, several (0,10,0x100) or ranges (0-9)
    #[arg(long, value_name = "A[,A…]|A-B", default_value = "0", value_parser = addresses)]
    address: Addresses,
    /// How many registers from each address on [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    count: Option<u32>,
    /// How long an answer may take [default: 1s; on a line by its speed]
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,
    /// Which byte of a register comes first: big as Modbus says, or little
    #[arg(long, value_name = "ORDER", default_value = "big", value_parser = ["big", "little"])]
    byte_order: String,
    /// Show all points of this template; `sunspec` walks the models of the device
    #[arg(long, value_name = "NAME", conflicts_with_all = ["address", "count", "fc", "byte_order"])]
    template: Option<String>,
    /// A choice of the template, such as energy_block=4000
    #[arg(long = "option", value_name = "KEY=VALUE", requires = "template")]
    options: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Addresses of a command line: each a first register, with the last one of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Addresses(Vec<(u16, Option<u16>)>);

/// A time of a command line.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    duration(text)
        .filter(|time| *time <= Duration::from_secs(60))
        .ok_or_else(|| format!("`{text}` is not a time up to 60s; for example \"500ms\""))
}

fn addresses(text: &str) -> Result<Addresses, String> {
    let one = |text: &str| {
        let text = text.trim();
        let number = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
            Some(hex) => u16::from_str_radix(hex, 16),
            None => text.parse(),
        };
        number.map_err(|_| {
            format!("`{text}` is no register from 0 to 65535, or 0x0 to 0xFFFF; manuals that begin at 1 or 40001 print one or 40001 more")
        })
    };
    let each = text.split(',').map(|part| match part.split_once('-') {
        None => Ok((one(part)?, None)),
        Some((first, last)) => {
            let (first, last) = (one(first)?, one(last)?);
            if first > last {
                return Err(format!("`{part}` ends before it begins"));
            }
            Ok((first, Some(last)))
        }
    });
    each.collect::<Result<_, _>>().map(Addresses)
}

impl Addresses {
    /// Runs of registers.
    fn runs(&self, count: Option<u32>) -> Result<Vec<(u16, u32)>, Failure> {
        let each = self.0.iter().map(|(first, last)| {
            let from = u32::from(*first);
            let room = 65_536 - from;
            match (last, count) {
                (Some(last), None) => Ok((*first, u32::from(*last) - from + 1)),
                (Some(_), Some(_)) => Err(Failure::new(
                    USAGE,
                    "a range says how many registers by itself; leave --count out",
                )),
                (None, Some(count)) if count > room => Err(Failure::new(
                    USAGE,
                    format!("there are {room} registers from {first} on; --count {count} is more"),
                )),
                (None, count) => Ok((*first, count.unwrap_or(COUNT).min(room))),
            }
        });
        each.collect()
    }
}

/// Reads and shows.
///
/// # Errors
///
/// [`USAGE`], and [`UNAVAILABLE`] where nothing answers.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    runtime(1)?.block_on(probe(arguments))
}

async fn probe(arguments: &Arguments) -> Result<(), Failure> {
    let endpoint = &arguments.endpoint;
    let timeout = arguments.timeout.unwrap_or(endpoint.timeout());
    let unit = arguments.unit.unwrap_or(1);
    match arguments.template.as_deref() {
        None => {
            let runs = arguments.address.runs(arguments.count)?;
            let mut asker = Asker::new(endpoint, timeout, PAUSE, &Limits::default());
            let block = block::read(&mut asker, unit, arguments.fc, &runs).await;
            registers(arguments, unit, &asker, &block)
        }
        Some("sunspec") => {
            if !arguments.options.is_empty() {
                return Err(Failure::new(USAGE, "`sunspec` has no --option here"));
            }
            let mut asker = Asker::new(endpoint, timeout, PAUSE, &Limits::default());
            match sunspec::read(&mut asker, unit).await {
                Ok(device) if arguments.json => print(&format!("{:#}\n", device.json())),
                Ok(device) => print(&format!("{}\n{}", title(endpoint, unit), device.text())),
                Err((why, None)) => print(&if arguments.json {
                    format!(
                        "{:#}\n",
                        json!({ "base": null, "models": [], "reason": why })
                    )
                } else {
                    format!("{}\n{why}\n", title(endpoint, unit))
                }),
                Err((why, Some(failure))) => Err(silent(endpoint, unit, &asker, &failure, &why)),
            }
        }
        Some(name) => template(arguments, name, timeout).await,
    }
}

/// All points of a template.
async fn template(arguments: &Arguments, name: &str, timeout: Duration) -> Result<(), Failure> {
    let endpoint = &arguments.endpoint;
    let usage = |why| Failure::new(USAGE, why);
    let chosen = choose::choose(name, &arguments.options).map_err(usage)?;
    let protocol = &chosen.template.protocol;
    let unit = arguments.unit.unwrap_or(protocol.unit);
    let mut asker = Asker::new(endpoint, timeout, PAUSE, &protocol.limits);
    let device = match device::read(&mut asker, unit, chosen).await {
        Ok(device) => device,
        Err(failure) => {
            let why = asker.words(&failure);
            return Err(silent(endpoint, unit, &asker, &failure, &why));
        }
    };
    print(&if arguments.json {
        format!("{:#}\n", device.json(&endpoint.text, unit))
    } else {
        format!("{}\n{}", title(endpoint, unit), device.text())
    })
}

/// Who was asked, and how.
fn title(endpoint: &Endpoint, unit: u8) -> String {
    match &endpoint.wiring {
        Wiring::Serial(serial) => {
            format!("{} ({}), unit {unit}", serial.device, line_text(serial))
        }
        wiring => format!("{wiring}, unit {unit}"),
    }
}

/// Nothing answers.
fn silent(endpoint: &Endpoint, unit: u8, asker: &Asker, failure: &Fails, why: &str) -> Failure {
    let (title, advice) = (title(endpoint, unit), asker.advice(failure));
    Failure::new(UNAVAILABLE, format!("{title}: {why}; {advice}"))
}

/// What a function code reads.
fn function(fc: u8) -> &'static str {
    match fc {
        1 => "coils",
        2 => "discrete inputs",
        3 => "holding registers",
        _ => "input registers",
    }
}

fn registers(arguments: &Arguments, unit: u8, asker: &Asker, block: &Block) -> Result<(), Failure> {
    if let (false, Some(failure)) = (block.answered, &block.failure) {
        let why = asker.words(failure);
        return Err(silent(&arguments.endpoint, unit, asker, failure, &why));
    }
    let bytes = if arguments.byte_order == "little" {
        Order::Little
    } else {
        Order::Big
    };
    let fc = arguments.fc;
    if arguments.json {
        let document = json!({
            "endpoint": arguments.endpoint.text,
            "unit": unit,
            "fc": fc,
            "registers": views::json(block, fc, bytes),
            "refused": troubles(block),
            "requests": asker.asked,
        });
        return print(&format!("{document:#}\n"));
    }
    let mut text = format!(
        "{}, function {fc} ({})\n",
        title(&arguments.endpoint, unit),
        function(fc)
    );
    let came = block
        .cells
        .iter()
        .any(|(_, cell)| matches!(cell, Cell::Word(_)));
    if came {
        text.push('\n');
        text.push_str(&if fc <= 2 {
            views::bits(block)
        } else {
            views::tables(block, bytes)
        });
        text.push('\n');
    }
    for (first, last, cell) in block.troubles() {
        let which = if first == last {
            format!("register {first}")
        } else {
            format!("registers {first} to {last}")
        };
        text.push_str(&format!("{which}: {}\n", trouble(cell)));
    }
    print(&text)
}

fn trouble(cell: Cell) -> String {
    match cell {
        Cell::Word(_) => String::new(),
        Cell::Refused(code) => format!("refused: {} (exception {code})", exception(code)),
        Cell::Silent => "no answer".to_owned(),
        Cell::NotAsked => "not asked one by one; ask for fewer".to_owned(),
    }
}

fn troubles(block: &Block) -> Vec<Value> {
    let each = block.troubles().into_iter().map(|(first, last, cell)| {
        let code = match cell {
            Cell::Refused(code) => Some(code),
            _ => None,
        };
        json!({ "first": first, "last": last, "exception": code, "reason": trouble(cell) })
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_single_several_or_ranges() {
        let runs = |text: &str, count| addresses(text).unwrap().runs(count).ok();
        assert_eq!(runs("0", None), Some(vec![(0, 10)]));
        assert_eq!(runs("0x10", Some(2)), Some(vec![(16, 2)]));
        assert_eq!(runs("1,5-9", None), Some(vec![(1, 10), (5, 5)]));
        assert_eq!(runs("65535", None), Some(vec![(65_535, 1)]));
        assert_eq!(runs("0-65535", None), Some(vec![(0, 65_536)]));
        assert_eq!(runs("65535", Some(2)), None);
        assert_eq!(runs("1-2", Some(2)), None);
        for wrong in ["", "x", "9-5", "65536", "-1", "0x", "1,,2"] {
            assert!(addresses(wrong).is_err(), "{wrong}");
        }
    }
}
