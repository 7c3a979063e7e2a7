//! The park of the benchmark: one layout, from which the configuration is written
//! and by which the Modbus server answers.
//!
//! A meter is a run of registers from address 0: `power`, `energy_import`, and
//! momentary quantities in the numbers that meters use for them. The first meter
//! is the grid connection, every other one a tenant, so all of them stand in the
//! balance and have books.

use std::fmt::Write as _;
use std::path::Path;

use sunledger::domain::meter::{Nature, QUANTITIES, Quantity};

/// How large a park is, and how often it is read.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Meters of all endpoints.
    pub meters: usize,
    /// Points of each meter.
    pub points: usize,
    /// Connections.
    pub endpoints: usize,
    /// Period of every meter.
    pub interval_ms: u64,
    /// Percent of requests that go wrong.
    pub faults_pct: usize,
}

impl Size {
    /// Which meter answers as `unit` (from 1) on an endpoint.
    pub fn meter(&self, endpoint: usize, unit: u8) -> usize {
        endpoint * self.units() + usize::from(unit).saturating_sub(1)
    }

    /// Meters behind one endpoint.
    pub fn units(&self) -> usize {
        self.meters.div_ceil(self.endpoints)
    }

    /// Values of all meters in a second.
    pub fn values_per_s(&self) -> f64 {
        (self.meters * self.points) as f64 * 1_000.0 / self.interval_ms as f64
    }
}

/// A point of every meter.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub quantity: &'static Quantity,
    pub kind: &'static str,
    pub scale: f64,
    pub address: u16,
}

/// Number and scale in which a meter usually has a quantity.
fn number(quantity: &Quantity) -> (&'static str, f64) {
    match (quantity.nature, quantity.unit) {
        (Nature::Register, _) => ("u32", 1.0),
        (_, "V" | "%") => ("u16", 0.1),
        (_, "Hz") => ("u16", 0.01),
        (_, "A") => ("u32", 0.001),
        (_, "var") => ("i32", 1.0),
        (_, "W" | "VA") => ("f32", 1.0),
        (_, "degC") => ("i16", 0.1),
        (_, "") => ("i16", 0.001),
        _ => ("f32", 1.0),
    }
}

/// The points of a meter, one behind the other from address 0.
pub fn places(points: usize) -> Vec<Place> {
    let first = ["power", "energy_import"];
    let named = |name: &&str| QUANTITIES.iter().find(|quantity| quantity.name == *name);
    let analog = QUANTITIES
        .iter()
        .filter(|quantity| quantity.nature == Nature::Analog && quantity.name != "power");
    let mut address = 0;
    let places: Vec<Place> = first
        .iter()
        .filter_map(named)
        .chain(analog)
        .take(points)
        .map(|quantity| {
            let (kind, scale) = number(quantity);
            let at = address;
            address += if kind.ends_with("16") { 1 } else { 2 };
            Place {
                quantity,
                kind,
                scale,
                address: at,
            }
        })
        .collect();
    assert_eq!(places.len(), points, "there are not so many quantities");
    places
}

/// The registers of a meter at a moment: every momentary value moves within a part
/// of itself, the counter goes on by what the meter's power amounts to.
pub fn registers(places: &[Place], meter: usize, ms: i64, words: &mut Vec<u16>) {
    words.clear();
    let second = (ms / 100) as u64;
    let mut noise = (meter as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ second;
    let watts = 20_000.0 + (meter % 100) as f64 * 1_000.0;
    for place in places {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        let wave = 1.0 + (noise % 1_000) as f64 / 20_000.0;
        let high_and_low = |bits: u32| [(bits >> 16) as u16, bits as u16];
        match (place.quantity.name, place.kind) {
            ("energy_import", _) => {
                let wh = watts * (ms % 1_000_000_000) as f64 / 3_600_000.0;
                words.extend(high_and_low(wh as u64 as u32));
            }
            ("power", _) => words.extend(high_and_low((watts as f32 * wave as f32).to_bits())),
            (_, "f32") => words.extend(high_and_low((7_315.0_f32 * wave as f32).to_bits())),
            (_, "u32" | "i32") => words.extend(high_and_low((81_230.0 * wave) as u32)),
            _ => words.push((2_301.0 * wave) as u16),
        }
    }
}

/// The configuration of the daemon.
pub fn config(size: &Size, ports: &[u16], receiver: Option<u16>, dir: &Path) -> String {
    let mut text = format!(
        "[park]\nid = \"load\"\nname = \"Load\"\ntime_zone = \"Asia/Shanghai\"\n\
         settlement_interval = \"15min\"\nlatitude = 39.19\nlongitude = 113.26\n\n\
         [balance]\nevery_load_metered = true\n\n\
         [store]\ndir = \"{dir}/store\"\nfree_floor = \"1MiB\"\n\n\
         [web]\nlisten = \"127.0.0.1:0\"\n",
        dir = dir.display()
    );
    if let Some(port) = receiver {
        let _ = write!(
            text,
            "\n[sink.local.influx]\nurl = \"http://127.0.0.1:{port}\"\norg = \"park\"\n\
             bucket = \"load\"\ntoken = {{ file = \"{}/token\" }}\n",
            dir.display()
        );
    }
    for (endpoint, port) in ports.iter().enumerate() {
        let _ = write!(
            text,
            "\n[bus.e{endpoint}.tcp]\nhost = \"127.0.0.1\"\nport = {port}\n"
        );
    }
    let places = places(size.points);
    for meter in 0..size.meters {
        let (endpoint, unit) = (meter / size.units(), meter % size.units() + 1);
        let role = if meter == 0 { "grid" } else { "tenant" };
        let _ = write!(
            text,
            "\n[[meter]]\nid = \"m{meter}\"\nrole = \"{role}\"\nbus = \"e{endpoint}\"\n\
             unit = {unit}\nperiod = \"{}ms\"\n",
            size.interval_ms
        );
        for place in &places {
            let _ = write!(
                text,
                "[[meter.point]]\nquantity = \"{}\"\nfc = 3\naddress = {}\ntype = \"{}\"\n\
                 scale = {:?}\n",
                place.quantity.name, place.address, place.kind, place.scale
            );
        }
    }
    text
}
