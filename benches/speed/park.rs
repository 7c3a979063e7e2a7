//! The park of these benchmarks, and what its meters say at a second.
//!
//! One meter at the grid connection, one in twenty a photovoltaic plant, the others
//! tenants: all of them stand in the balance and have books and a nameplate. The values
//! belong together, so that no check finds anything and none has an easy way out.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use sunledger::config::Setup;
use sunledger::config::check::parse;
use sunledger::domain::meter::{Nature, Park, QUANTITIES};
use sunledger::domain::snapshot::{Reading, Value};

/// What a meter of a low-voltage board usually says.
const USUAL: [&str; 18] = [
    "power",
    "energy_import",
    "energy_export",
    "power_l1",
    "power_l2",
    "power_l3",
    "voltage_l1",
    "voltage_l2",
    "voltage_l3",
    "current_l1",
    "current_l2",
    "current_l3",
    "reactive_power",
    "apparent_power",
    "power_factor",
    "frequency",
    "temp",
    "humidity",
];

/// Values in a usual reading.
pub const USUAL_POINTS: usize = 16;

/// Meters behind one connection.
const UNITS: usize = 100;

/// Midnight in Shanghai, which has no change of clocks.
pub fn begin() -> Timestamp {
    "2026-06-02T16:00:00Z".parse().unwrap()
}

/// A park of so many meters of so many points, as its configuration says it.
pub fn setup(meters: usize, points: usize, dir: &Path) -> Setup {
    let mut text = format!(
        "[park]\nid = \"speed\"\nname = \"Speed\"\ntime_zone = \"Asia/Shanghai\"\n\
         settlement_interval = \"15min\"\nlatitude = 39.19\nlongitude = 113.26\n\n\
         [balance]\nevery_load_metered = true\n\n\
         [store]\ndir = \"{}\"\nfree_floor = \"1MiB\"\nmax_bytes = \"100GiB\"\n\n\
         [web]\nlisten = \"127.0.0.1:0\"\n",
        dir.display()
    );
    let others = QUANTITIES.iter().map(|quantity| quantity.name);
    let others =
        others.filter(|name| !USUAL.contains(name) && !name.contains("energy") && !is_heat(name));
    let names: Vec<&str> = USUAL.into_iter().chain(others).take(points).collect();
    assert_eq!(names.len(), points, "there are not so many quantities");
    for meter in 0..meters {
        let (role, bus, unit) = (role(meter), meter / UNITS, meter % UNITS + 1);
        if unit == 1 {
            let port = 502 + bus;
            let _ = write!(
                text,
                "\n[bus.e{bus}.tcp]\nhost = \"127.0.0.1\"\nport = {port}\n"
            );
        }
        let _ = write!(
            text,
            "\n[[meter]]\nid = \"m{meter:03}\"\nrole = \"{role}\"\nbus = \"e{bus}\"\nunit = {unit}\n\
             period = \"1s\"\nrated = \"2MW\"\n"
        );
        for (place, name) in names.iter().enumerate() {
            let quantity = QUANTITIES
                .iter()
                .find(|quantity| quantity.name == *name)
                .unwrap();
            let kind = if quantity.nature == Nature::Register {
                "u32"
            } else {
                "f32"
            };
            let _ = write!(
                text,
                "[[meter.point]]\nquantity = \"{name}\"\nfc = 3\naddress = {}\ntype = \"{kind}\"\n",
                place * 2
            );
        }
    }
    parse(&text).unwrap_or_else(|problems| panic!("{:?}", problems.first()))
}

fn role(meter: usize) -> &'static str {
    match meter {
        0 => "grid",
        _ if meter % 20 == 1 => "pv",
        _ => "tenant",
    }
}

/// Words of heat and sun have checks of their own, which a board does not have.
fn is_heat(name: &str) -> bool {
    [
        "flow",
        "volume",
        "heat",
        "dni",
        "ghi",
        "dhi",
        "soc",
        "temp_supply",
        "temp_return",
        "pressure",
        "status",
        "level",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// What the meters say, second by second.
pub struct Voices {
    readings: Vec<Reading>,
    names: Vec<Vec<&'static str>>,
    wh: Vec<f64>,
    seed: u64,
}

impl Voices {
    /// Nobody has said anything.
    pub fn new(park: &Arc<Park>) -> Self {
        let reading = |(meter, known): (usize, &sunledger::domain::meter::Meter)| Reading {
            meter,
            at: begin(),
            values: (0..known.points.len())
                .map(|point| (point, Ok(Value::Count(0))))
                .collect(),
        };
        let names = |meter: &sunledger::domain::meter::Meter| {
            meter
                .points
                .iter()
                .map(|point| point.quantity.name)
                .collect()
        };
        Self {
            readings: park.meters.iter().enumerate().map(reading).collect(),
            names: park.meters.iter().map(names).collect(),
            wh: vec![0.0; park.meters.len()],
            seed: 0x9E37_79B9_7F4A_7C15,
        }
    }

    /// A number from 0 to 1.
    fn noise(&mut self) -> f64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed % 100_000) as f64 / 100_000.0
    }

    /// What all of them say at a second: each at its own moment, in a few digits, as
    /// registers do.
    pub fn at(&mut self, second: Timestamp) -> &[Reading] {
        let meters = self.readings.len();
        let mut drawn = 0.0;
        for meter in (0..meters).rev() {
            let wave = 0.95 + 0.1 * self.noise();
            // What the plants give and the others take, the grid brings.
            let watts = match role(meter) {
                "grid" => drawn,
                "pv" => 0.0,
                _ => (100_000.0 + (meter % 100) as f64 * 1_000.0) * wave,
            };
            // Powers and currents come as floats of 32 bits, with all their digits.
            let watts = f64::from(watts as f32);
            drawn += watts;
            self.say(meter, second, watts);
        }
        &self.readings
    }

    fn say(&mut self, meter: usize, second: Timestamp, watts: f64) {
        let ms = second.as_millisecond() - 300 + (meter % 100) as i64;
        self.wh[meter] += watts / 3_600.0;
        let counts = [self.wh[meter] as i64 + 1_000_000, 5_000];
        let frequency = 50.0 + (self.noise() * 100.0).round() / 1_000.0;
        let volts: [f64; 3] = std::array::from_fn(|_| 230.0 + (self.noise() * 40.0).round() / 10.0);
        let other = (self.noise() * 1_000.0).round() / 10.0;
        let phase = |n: usize| match n {
            0 | 1 => f64::from((watts / 3.0) as f32),
            _ => f64::from((watts - 2.0 * (watts / 3.0)) as f32),
        };
        let current = |n: usize| f64::from((phase(n) / volts[n]) as f32);
        let reading = &mut self.readings[meter];
        reading.at = Timestamp::from_millisecond(ms).unwrap();
        for ((point, said), name) in reading.values.iter_mut().zip(&self.names[meter]) {
            let value = match *name {
                "energy_import" => Value::Count(counts[0]),
                "energy_export" => Value::Count(counts[1]),
                "power" | "apparent_power" => Value::Analog(watts),
                "power_l1" => Value::Analog(phase(0)),
                "power_l2" => Value::Analog(phase(1)),
                "power_l3" => Value::Analog(phase(2)),
                "current_l1" => Value::Analog(current(0)),
                "current_l2" => Value::Analog(current(1)),
                "current_l3" => Value::Analog(current(2)),
                "reactive_power" => Value::Analog(0.0),
                "voltage_l1" => Value::Analog(volts[0]),
                "voltage_l2" => Value::Analog(volts[1]),
                "voltage_l3" => Value::Analog(volts[2]),
                "frequency" => Value::Analog(frequency),
                name if name.starts_with("power_factor") => Value::Analog(1.0),
                _ => Value::Analog(other + *point as f64),
            };
            *said = Ok(value);
        }
    }
}
