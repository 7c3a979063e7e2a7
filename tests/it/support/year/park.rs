//! The park of the simulated year: its meters, as a configuration would have them.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use sunledger::domain::expression::Expression;
use sunledger::domain::heat::fluid::Fluid;
use sunledger::domain::heat::integration::CutOffs;
use sunledger::domain::heat::meter::HeatMeter;
use sunledger::domain::meter::{
    Freshness, HeatFromFlow, Meter, Nature, Park, Pipe, Point, Quantity, RegisterKind, Role,
};
use sunledger::domain::relations::{Derived, Relations};
use sunledger::domain::topology::{Placed, Topology};
use sunledger::domain::units::{CountUnit, Power};

/// Microwatt-milliseconds of a milliwatt-hour.
pub const UWMS_PER_MWH: i128 = 3_600_000_000;
pub const PCC: usize = 0;
pub const PV: usize = 1;
pub const TURBINE: usize = 2;
pub const BATTERY: usize = 3;
pub const HALL_A: usize = 4;
pub const HALL_B: usize = 5;
pub const HALL_C: usize = 6;
pub const REST: usize = 7;
pub const WORKSHOP: usize = 8;
pub const AUX: usize = 9;
pub const FIELD: usize = 10;
pub const CONSUMER: usize = 11;
pub const STORE: usize = 12;
pub const METERS: usize = 13;

/// A meter of the park.
pub struct Row {
    pub id: &'static str,
    pub role: &'static str,
    pub points: &'static [&'static str],
    pub period_s: u64,
    pub rated_w: f64,
    /// What a count is worth, µW·ms: exact for Wh as well as for GJ.
    pub quantum: i128,
    /// Counts after which the register begins again.
    pub modulus: Option<i64>,
    /// What it shows at first.
    pub shows: i64,
}

const WH: i128 = 1_000 * UWMS_PER_MWH;
/// A thousandth of a gigajoule.
const MJ: i128 = 1_000_000_000_000_000;

#[rustfmt::skip]
pub const ROWS: [Row; METERS] = [
    Row { id: "pcc",      role: "grid",          points: &["power", "energy_import", "energy_export"], period_s: 1,  rated_w: 3e6, quantum: WH,         modulus: Some(1 << 32),     shows: 4_294_000_000 },
    Row { id: "pv",       role: "pv",            points: &["power", "energy_export"],                  period_s: 5,  rated_w: 1.3e6, quantum: 10 * WH,  modulus: Some(1 << 32),     shows: 4_294_900_000 },
    // A dial of five digits, ten kilowatt-hours a step.
    Row { id: "turbine",  role: "turbine",       points: &["power", "energy_export"],                  period_s: 30, rated_w: 7e5, quantum: 10_000 * WH, modulus: Some(100_000),   shows: 99_900 },
    Row { id: "battery",  role: "battery",       points: &["power", "energy_import", "energy_export"], period_s: 5,  rated_w: 3e5, quantum: 100 * WH,   modulus: None,              shows: 1_000 },
    // Sixteen bits of 0.1 kWh roll over every three days.
    Row { id: "hall-a",   role: "tenant",        points: &["power", "energy_import"],                  period_s: 60, rated_w: 3e5, quantum: 100 * WH,   modulus: Some(1 << 16),     shows: 60_000 },
    // Thirty-two bits of 0.01 Wh roll over every ten days.
    Row { id: "hall-b",   role: "tenant",        points: &["power", "energy_import"],                  period_s: 5,  rated_w: 6e5, quantum: WH / 100,   modulus: Some(1 << 32),     shows: 1_000_000_000 },
    Row { id: "hall-c",   role: "tenant",        points: &["power", "energy_import"],                  period_s: 30, rated_w: 2e5, quantum: WH,         modulus: None,              shows: 77 },
    Row { id: "rest-b",   role: "tenant",        points: &[],                                          period_s: 1,  rated_w: 6e5, quantum: WH,         modulus: None,              shows: 0 },
    Row { id: "workshop", role: "tenant",        points: &["power"],                                   period_s: 1,  rated_w: 1e5, quantum: WH,         modulus: None,              shows: 0 },
    Row { id: "aux",      role: "auxiliary",     points: &["power", "energy_import"],                  period_s: 60, rated_w: 1e5, quantum: UWMS_PER_MWH, modulus: None,            shows: 123_456_789 },
    Row { id: "field",    role: "solar_field",   points: &["flow", "temp_supply", "temp_return"],      period_s: 5,  rated_w: 3e6, quantum: WH,         modulus: None,              shows: 0 },
    // A certified register in gigajoules: 277.7… Wh a count, no whole milliwatt-hours.
    Row { id: "consumer", role: "heat_consumer", points: &["heat_power", "heat_energy"],               period_s: 30, rated_w: 1.5e6, quantum: MJ,       modulus: Some(100_000_000), shows: 99_990_000 },
    Row { id: "store",    role: "heat_storage",  points: &["power", "energy_import", "energy_export"], period_s: 60, rated_w: 4e6, quantum: 1_000 * WH, modulus: None,              shows: 5 },
];

/// What a count is worth, as events and configurations say it.
pub fn unit(quantum: i128) -> CountUnit {
    CountUnit::new(quantum, UWMS_PER_MWH).unwrap()
}

fn meter(row: &Row) -> Meter {
    let point = |name: &&str| {
        let quantity = Quantity::named(name).unwrap();
        let counts = quantity.nature == Nature::Register;
        Point {
            quantity,
            register: counts.then_some(RegisterKind {
                unit: unit(row.quantum),
                modulus: row.modulus.map(i128::from),
                told: false,
            }),
        }
    };
    let computes = row.role == "solar_field";
    Meter {
        id: row.id.into(),
        role: Role::named(row.role).unwrap(),
        points: row.points.iter().map(point).collect(),
        freshness: Freshness::Within(Duration::from_secs(3 * row.period_s)),
        period: Duration::from_secs(row.period_s),
        rated: Some(Power::from_watts(row.rated_w).unwrap()),
        rated_heat: None,
        heat_from_flow: computes.then(|| HeatFromFlow {
            place: HeatMeter {
                fluid: Fluid::WATER,
                sensor: Pipe::Return,
                pressure_pa: 1.6e6,
            },
            cut_offs: CutOffs::usual(0.0),
            permanent_flow_m3h: None,
        }),
    }
}

/// The park in Berlin, whose days have 92, 96 and 100 quarters of an hour.
pub fn park() -> Arc<Park> {
    let behind = |meter: usize, before: Option<usize>| Placed {
        meter: ROWS[meter].id.into(),
        behind: before.map(|before| ROWS[before].id.into()),
    };
    let placed: Vec<Placed> = (0..METERS)
        .map(|meter| match meter {
            HALL_C | REST => behind(meter, Some(HALL_B)),
            _ => behind(meter, None),
        })
        .collect();
    let known = |id: &str| ROWS.iter().any(|row| row.id == id);
    Arc::new(Park {
        id: "year".into(),
        name: "A year".into(),
        time_zone: TimeZone::get("Europe/Berlin").unwrap(),
        settlement_minutes: 15,
        latitude: 52.5,
        longitude: 13.4,
        meters: ROWS.iter().map(meter).collect(),
        every_load_metered: true,
        losses: None,
        relations: Relations {
            topology: Topology::new(&placed).unwrap(),
            derived: vec![Derived {
                meter: ROWS[REST].id.into(),
                expression: Expression::parse("hall-b - hall-c", &known).unwrap(),
            }],
            ..Relations::default()
        },
    })
}

/// Where a meter stands in its balance.
pub fn park_role(meter: usize) -> Option<sunledger::domain::meter::Term> {
    let role = Role::named(ROWS[meter].role).unwrap();
    role.electricity.or(role.heat)
}
