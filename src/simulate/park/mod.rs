//! What stands in the simulated park: its devices, their registers and payloads.
//!
//! The list in [`devices`] is deliberately motley, because parks are: integers and
//! floats of 16 to 64 bits, both word orders, input and holding registers, counts
//! of ten watt-hours and of a tenth of a megajoule, a meter behind current
//! transformers, a battery wired the other way round. A configuration that reads
//! it all is printed by [`toml`].

pub mod devices;
pub mod register;
pub mod toml;

use super::physics::gauge::Gauge;
use super::physics::terminal::{Direction, Terminal};

/// A Modbus endpoint with the devices behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bus {
    /// Its name in the configuration.
    pub name: &'static str,
    /// Devices, each with a unit address of its own.
    pub devices: &'static [Device],
}

/// A meter behind a bus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Device {
    /// Its name in the configuration.
    pub id: &'static str,
    /// Its role in the configuration.
    pub role: &'static str,
    /// Its unit address.
    pub unit: u8,
    /// Its nameplate, as the configuration has it.
    pub rated: &'static str,
    /// Where it sits.
    pub terminal: Terminal,
    /// Ratio of its transformers, where it reports secondary values.
    pub multiplier: u32,
    /// Whether it is wired the other way round.
    pub invert: bool,
    /// Whether its heat is computed from flow and temperatures of water.
    pub water: bool,
    /// What it measures.
    pub points: &'static [Point],
}

/// One thing that a meter measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Its quantity as the balance understands it.
    pub quantity: &'static str,
    /// Modbus function code.
    pub fc: u8,
    /// First register, zero-based.
    pub address: u16,
    /// How the number is laid out.
    pub number: Number,
    /// Whether the low word comes first.
    pub little: bool,
    /// Units of one count.
    pub scale: f64,
    /// Unit of the scaled number.
    pub unit: &'static str,
    /// Where the number comes from.
    pub source: Source,
}

/// Layout of a number in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Number {
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    Bit,
}

/// Where a number comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Source {
    /// Power at the device's terminal, or at another of the same device.
    Power(Terminal),
    /// A register of a terminal.
    Energy(Terminal, Direction),
    /// An instrument.
    Gauge(Gauge),
}

/// A sensor that speaks by itself, over MQTT.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sensor {
    /// Its name in the configuration.
    pub id: &'static str,
    /// Its role in the configuration.
    pub role: &'static str,
    /// Where it publishes.
    pub topic: &'static str,
    /// How often, s.
    pub every_s: i64,
    /// What it says; a single value without a key is the whole payload.
    pub values: &'static [SensorValue],
}

/// One value in a sensor's payload.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SensorValue {
    /// Its key in the JSON payload.
    pub key: Option<&'static str>,
    /// Its quantity.
    pub quantity: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Decimals it is told with.
    pub decimals: usize,
    /// The instrument.
    pub gauge: Gauge,
}

impl Bus {
    /// The device with a unit address.
    #[must_use]
    pub fn device(&self, unit: u8) -> Option<&'static Device> {
        self.devices.iter().find(|device| device.unit == unit)
    }
}

/// Every device of the park.
pub fn all_devices() -> impl Iterator<Item = &'static Device> {
    devices::BUSES.iter().flat_map(|bus| bus.devices)
}

impl SensorValue {
    /// The number as the payload spells it.
    #[must_use]
    pub fn text(&self, value: f64) -> String {
        format!("{value:.*}", self.decimals)
    }

    /// The number that a reader of the payload finds.
    #[must_use]
    pub fn as_told(&self, value: f64) -> f64 {
        self.text(value).parse().unwrap_or(value)
    }
}

impl Sensor {
    /// The payload, given what each of its instruments shows.
    pub fn payload(&self, show: impl Fn(Gauge) -> f64) -> String {
        let texts = self.values.iter().map(|value| {
            let text = value.text(show(value.gauge));
            value
                .key
                .map_or_else(|| text.clone(), |key| format!("\"{key}\":{text}"))
        });
        let joined = texts.collect::<Vec<_>>().join(",");
        if self.values.iter().any(|value| value.key.is_some()) {
            format!("{{{joined}}}")
        } else {
            joined
        }
    }
}
