//! `sunledger plan`: what a configuration asks of its buses, before anyone is asked.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ConfigFile, Failure, print};
use crate::config::{self, Setup};
use crate::source::modbus::load::{BUSY_PCT, BusLoad, MeterLoad, load};
use crate::source::modbus::{Settings, Wiring, memory};
use crate::sys::clock;
use crate::wire::modbus::timing::Timing;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// How long a network endpoint takes for a request, such as "30ms"
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = latency)]
    latency: Duration,
    /// Print {"buses":[{"name","endpoint","load_pct","meters":[{"id","requests":[…]}]}]}
    #[arg(long)]
    json: bool,
}

fn latency(text: &str) -> Result<Duration, String> {
    config::read::duration(text)
        .ok_or_else(|| format!("`{text}` is not a time; for example \"30ms\""))
}

/// Prints the plan of every bus.
///
/// # Errors
///
/// What is wrong with the configuration.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let setup = config::load(&arguments.file.config)?;
    let network = Timing {
        per_request_ms: arguments.latency.as_secs_f64() * 1_000.0,
        ..Timing::NETWORK
    };
    // What a daemon on this store has found out about the devices.
    let loads = setup.buses.iter().map(|bus| {
        let path = memory::path(&setup.store.dir, &bus.name);
        let learned = memory::load(&path, clock::mono(), clock::wall().as_millisecond());
        (bus, load(bus, network, &learned))
    });
    if arguments.json {
        let buses: Vec<Value> = loads
            .map(|(bus, load)| as_json(&setup, bus, &load))
            .collect();
        return print(&format!("{}\n", json!({ "buses": buses })));
    }
    let mut text = String::new();
    for (bus, load) in loads {
        as_text(&setup, bus, &load, &mut text);
    }
    if text.is_empty() {
        text.push_str("No meter is on a bus.\n");
    }
    print(&text)
}

fn kind(wiring: &Wiring) -> &'static str {
    match wiring {
        Wiring::Tcp { .. } => "tcp",
        Wiring::RtuOverTcp { .. } => "rtu_over_tcp",
        Wiring::Serial(_) => "rtu",
    }
}

fn id<'a>(setup: &'a Setup, meter: &MeterLoad) -> &'a str {
    setup
        .park
        .meters
        .get(meter.meter)
        .map_or("?", |meter| &*meter.id)
}

/// What to do about a busy bus.
fn warning(bus: &Settings, load: &BusLoad) -> Option<String> {
    let pct = load.pct();
    (pct > BUSY_PCT).then(|| {
        let faster = match bus.wiring {
            Wiring::Serial(_) => "a higher baud rate or a second line",
            _ => "a second gateway, or the latency as it is (--latency)",
        };
        format!("booked to {pct:.0} %; longer periods, fewer points (`only = […]`), {faster}")
    })
}

fn as_json(setup: &Setup, bus: &Settings, load: &BusLoad) -> Value {
    let meters: Vec<Value> = load
        .meters
        .iter()
        .map(|meter| {
            let requests: Vec<Value> = meter
                .requests
                .iter()
                .map(|request| {
                    json!({
                        "fc": request.span.fc,
                        "address": request.span.address,
                        "count": request.span.count,
                        "points": request.points,
                        "bytes": request.bytes,
                        "ms": round(request.ms),
                    })
                })
                .collect();
            json!({
                "id": id(setup, meter),
                "unit": meter.unit,
                "period_s": meter.period.as_secs_f64(),
                "requests": requests,
                "requests_per_cycle": meter.requests.len(),
                "bytes_per_cycle": meter.bytes(),
                "ms_per_cycle": round(meter.ms()),
                "load_pct": round(meter.pct()),
                "unreadable_points": meter.unreadable,
                "max_registers": meter.max_registers,
                "discovered": meter.discovered,
            })
        })
        .collect();
    json!({
        "name": bus.name,
        "endpoint": bus.wiring.to_string(),
        "wiring": kind(&bus.wiring),
        "cost": {
            "per_request_ms": round(load.cost.per_request_ms),
            "per_register_ms": round(load.cost.per_register_ms),
            "source": if kind(&bus.wiring) == "rtu" { "line" } else { "assumed" },
        },
        "requests_per_s": round(load.requests_per_s()),
        "bytes_per_s": round(load.bytes_per_s()),
        "load_pct": round(load.pct()),
        "warning": warning(bus, load),
        "meters": meters,
    })
}

/// Three decimals are more than the arithmetic is good for.
fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

fn as_text(setup: &Setup, bus: &Settings, load: &BusLoad, text: &mut String) {
    let cost = if kind(&bus.wiring) == "rtu" {
        "by the arithmetic of the line"
    } else {
        "assumed (--latency)"
    };
    text.push_str(&format!(
        "bus {} ({}, {}): load {:.1} %, {:.1} requests/s, {:.0} bytes/s\n  \
         a request {:.1} ms, a register {:.2} ms, {cost}\n",
        bus.name,
        bus.wiring,
        kind(&bus.wiring),
        load.pct(),
        load.requests_per_s(),
        load.bytes_per_s(),
        load.cost.per_request_ms,
        load.cost.per_register_ms,
    ));
    let widest = load
        .meters
        .iter()
        .map(|meter| id(setup, meter).chars().count());
    let width = widest.max().unwrap_or(0).max(5);
    text.push_str(&format!(
        "  {:width$}  unit  period     fc  registers      points  bytes       ms   load\n",
        "meter"
    ));
    for meter in &load.meters {
        let mut name = id(setup, meter);
        let period = format!("{} s", meter.period.as_secs_f64());
        for (nth, request) in meter.requests.iter().enumerate() {
            let last = request.span.end() - 1;
            let registers = format!("{} to {last}", request.span.address);
            let share = if nth == 0 {
                format!("{:.1} %", meter.pct())
            } else {
                String::new()
            };
            text.push_str(&format!(
                "  {name:width$}  {:>4}  {:<9}  {:>2}  {registers:<14} {:>6}  {:>5}  {:>7.1}  {share:>6}\n",
                meter.unit,
                if nth == 0 { &*period } else { "" },
                request.span.fc,
                request.points,
                request.bytes,
                request.ms,
            ));
            name = "";
        }
        if meter.discovered {
            text.push_str(&format!(
                "  {name:width$}  {:>4}  {period:<9}  its points are found when it answers\n",
                meter.unit
            ));
        }
        if meter.unreadable > 0 {
            text.push_str(&format!(
                "  {:width$}        {} points that no request can read, or that the device refuses\n",
                "", meter.unreadable
            ));
        }
    }
    if let Some(warning) = warning(bus, load) {
        text.push_str(&format!("  WARNING: {warning}\n"));
    }
    text.push('\n');
}
