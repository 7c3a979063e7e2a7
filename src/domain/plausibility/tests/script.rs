//! A day of the park as a script: weather, loads and plants by tables, and what every
//! meter says of them each ten seconds.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::park::{LOSSES, PLACE, PRESSURE};
use crate::domain::balance::powers;
use crate::domain::flow::{Known, Stated};
use crate::domain::heat::fluid::Fluid;
use crate::domain::heat::meter::HeatMeter;
use crate::domain::meter::{Carrier, MeterIndex, Nature, Park, Pipe};
use crate::domain::plausibility::{Change, Moment, Plausibility, Settings};
use crate::domain::quality::{Gaps, Reason};
use crate::domain::snapshot::{Reading, Snapshot, Value};
use crate::domain::sun::sun;
use crate::domain::units::{to_f64, to_i64};

/// Midnight in the park: 15 June 2026.
pub const MIDNIGHT: i64 = 1_781_452_800;
/// Seconds of a step.
pub const STEP: i64 = 10;

/// What goes on, beside the sun.
#[derive(Debug, Clone, Copy)]
pub struct World {
    pub a: f64,
    pub b: f64,
    pub battery: f64,
    pub cloud: f64,
    pub heat: f64,
    pub on: f64,
    /// A source at the connection that has no meter.
    pub hidden: f64,
}

/// From an hour on: power of both tenants and of the battery, kW; what clouds let
/// through; heat of the customer, kW.
#[rustfmt::skip]
const DAY: &[(f64, f64, f64, f64, f64, f64)] = &[
    // hour     a      b   battery cloud  heat
    ( 0.0,   180.0,  90.0,    0.0,  1.0, 250.0),
    ( 6.0,   240.0, 140.0,    0.0,  1.0, 500.0),
    ( 7.5,   420.0, 310.0,    0.0,  1.0, 600.0),
    (10.0,   420.0, 310.0,    0.0,  0.3, 450.0),
    (10.1,   420.0, 310.0,    0.0,  1.0, 450.0),
    (10.2,   420.0, 310.0,    0.0,  0.2, 450.0),
    (10.4,   420.0, 310.0,    0.0,  1.0, 450.0),
    (11.0,   420.0, 260.0, -300.0,  1.0, 450.0),
    (12.0,   220.0, 120.0, -300.0,  1.0, 400.0),
    (13.0,   450.0, 330.0,    0.0,  1.0, 350.0),
    (15.5,   450.0, 330.0,    0.0,  0.5, 350.0),
    (16.5,   450.0, 330.0,    0.0,  1.0, 400.0),
    (18.0,   380.0, 200.0,  280.0,  1.0, 500.0),
    (20.5,   250.0, 120.0,    0.0,  1.0, 350.0),
    (22.0,   180.0,  90.0,    0.0,  1.0, 250.0),
];

fn world(second: i64) -> World {
    let hour = to_f64(second.rem_euclid(86_400)) / 3_600.0;
    let row = DAY.iter().rev().find(|row| row.0 <= hour).unwrap();
    World {
        a: row.1 * 1e3,
        b: row.2 * 1e3,
        battery: row.3 * 1e3,
        cloud: row.4,
        heat: row.5 * 1e3,
        // The grid is away for a minute at three.
        on: if (10_800..10_860).contains(&second) {
            0.0
        } else {
            1.0
        },
        hidden: 0.0,
    }
}

/// What all meters say at one moment: by meter and quantity; registers in Wh.
pub type Said = BTreeMap<&'static str, BTreeMap<&'static str, Result<f64, Reason>>>;

/// A fault: in the world, and in what the meters say of it.
#[derive(Clone, Copy)]
pub struct Fault {
    pub world: fn(&mut World),
    pub said: fn(&mut Said, i64),
    pub at: fn(&'static str, i64) -> Option<i64>,
}

/// No fault.
pub const HEALTHY: Fault = Fault {
    world: |_| (),
    said: |_, _| (),
    at: |_, second| Some(second),
};

/// A number between -1 and 1 that looks like noise.
fn noise(second: i64, salt: i64) -> f64 {
    let mut x = (second * 2_654_435_761 + salt * 40_503) & 0xFFFF_FFFF;
    x = (((x >> 15) ^ x) * 739_982_445) & 0xFFFF_FFFF;
    x = (((x >> 12) ^ x) * 695_872_825) & 0xFFFF_FFFF;
    to_f64(x & 0xFFFF) / 32_767.5 - 1.0
}

/// Flow that carries a heat at these temperatures, m³/h.
pub fn flow(watts: f64, supply: f64, back: f64) -> f64 {
    let meter = HeatMeter {
        fluid: Fluid::WATER,
        sensor: Pipe::Return,
        pressure_pa: PRESSURE,
    };
    watts / meter.power_w(1.0, supply, back).unwrap()
}

pub struct Script {
    park: Arc<Park>,
    scale: f64,
    pub checks: Plausibility,
    settings: Settings,
    snapshot: Snapshot,
    registers: BTreeMap<(usize, usize), f64>,
    soc: f64,
    field: f64,
    volume: f64,
    hot: f64,
    pub silent: fn(&str, i64) -> bool,
}

impl Script {
    pub fn new(scale: f64) -> Self {
        let park = super::park::park(scale);
        let settings = super::park::settings(scale);
        Self {
            checks: Plausibility::new(&park, &settings, None),
            snapshot: Snapshot::new(&park),
            registers: BTreeMap::new(),
            soc: 40.0,
            field: 0.0,
            volume: 0.0,
            hot: 6.0,
            silent: |_, _| false,
            settings,
            scale,
            park,
        }
    }

    /// Goes on as a new process that finds what the old one kept.
    pub fn restart(&mut self) {
        let kept = self.checks.state();
        self.checks = Plausibility::new(&self.park, &self.settings, Some(&kept));
    }

    /// Runs from one second of the day to another.
    pub fn run(&mut self, seconds: std::ops::Range<i64>, fault: Fault) -> Vec<Change> {
        let mut changes = Vec::new();
        for second in seconds.step_by(10) {
            changes.extend(self.step(second, fault));
        }
        changes
    }

    pub fn step(&mut self, second: i64, fault: Fault) -> Vec<Change> {
        let mut now = world(second);
        (fault.world)(&mut now);
        let mut said = self.say(second, &now);
        (fault.said)(&mut said, second);
        let (park, scale) = (Arc::clone(&self.park), self.scale);
        for (meter, known) in park.meters.iter().enumerate() {
            let said = &said[&*known.id];
            let Some(at) = (fault.at)(METER_IDS[meter], second) else {
                continue;
            };
            if (self.silent)(&known.id, second) {
                continue;
            }
            let values = known.points.iter().enumerate().map(|(place, point)| {
                let name = point.quantity.name;
                let extensive = point.quantity.scales_with_ratio
                    || ["flow", "volume", "heat_power"].contains(&name)
                    || name.starts_with("current");
                let value = if point.quantity.nature == Nature::Register {
                    // What the meter counts is what it says of its power, and what a
                    // fault adds to it.
                    let watts = said.get("power").or(said.get("heat_power")).unwrap();
                    let watts = watts.unwrap_or(0.0);
                    let back = (name == "energy_import")
                        != (known.role.name != "pv" && known.role.name != "battery");
                    let heat = name == "heat_energy";
                    let way = if back && !heat { -watts } else { watts };
                    let count = self.registers.entry((meter, place)).or_insert(1e6);
                    let gain = said.get(GAIN).map_or(1.0, |gain| gain.unwrap());
                    *count += way.max(0.0) * to_f64(STEP) / 3_600.0 / 100.0 * gain * scale;
                    let shift = said.get(SHIFT).map_or(0.0, |shift| shift.unwrap());
                    Ok(Value::Count(to_i64((*count + shift / 100.0).floor())))
                } else {
                    let scale = if extensive { scale } else { 1.0 };
                    said[name].map(|value| Value::Analog(value * scale))
                };
                (place, value)
            });
            let reading = Reading {
                meter,
                at: Timestamp::from_second(MIDNIGHT + at).unwrap(),
                values: values.collect(),
            };
            self.snapshot.accept(&reading);
            self.checks.hear(&reading);
        }
        self.tick(second)
    }

    fn tick(&mut self, second: i64) -> Vec<Change> {
        let now = Timestamp::from_second(MIDNIGHT + second).unwrap();
        let (park, snapshot) = (&self.park, &self.snapshot);
        let power = |index: MeterIndex, carrier: Carrier| -> Stated<f64> {
            let meter = &park.meters[index];
            let point = meter.power_point(carrier).ok_or_else(Gaps::config)?;
            let standing = snapshot.standing(meter, index, point, now);
            match standing
                .map_err(|reason| Gaps::one(&meter.id, reason))?
                .value
            {
                Value::Analog(watts) => Ok(Known::given(watts)),
                _ => Err(Gaps::config()),
            }
        };
        let powers = powers(park, &power);
        self.checks.tick(&Moment {
            now,
            powers: &powers,
            snapshot,
            power: &power,
        })
    }

    /// What every meter says of the world.
    fn say(&mut self, second: i64, now: &World) -> Said {
        let elevation = sun(PLACE.0, PLACE.1, MIDNIGHT + second).elevation_deg;
        let sine = elevation.to_radians().sin().max(0.0);
        let jitter = |value: f64, salt: i64| value * (1.0 + 0.002 * noise(second, salt));
        let dni = 950.0 * (1.0 - (-sine * 6.0).exp()) * if now.cloud < 0.9 { 0.0 } else { 1.0 };
        let dhi = (90.0 + 150.0 * (1.0 - now.cloud)) * sine.sqrt();
        let ghi = dni * sine + dhi;
        let on = now.on;
        let pv = if sine > 0.0 {
            jitter(0.9e6 * ghi / 1e3, 1) - 2e3
        } else {
            jitter(-2e3, 1)
        } * on;
        let (a, b) = (jitter(now.a, 2) * on, jitter(now.b, 3) * on);
        let battery = jitter(now.battery, 4) * on;
        let load = (a + b + (-pv).max(0.0) + LOSSES.0) / (1.0 - LOSSES.1 / 100.0);
        let grid = (load - pv.max(0.0) - battery - now.hidden) * on;
        self.soc -= battery * to_f64(STEP) / 3_600.0 / 2e6 * 100.0;
        let target = if dni > 0.0 { 0.62 * 2_000.0 * dni } else { 0.0 };
        self.field += (target - self.field) * to_f64(STEP) / 300.0;
        // At night a little hot water keeps the field from freezing.
        let field = if self.field > 20e3 { self.field } else { -6e3 };
        let field = jitter(field, 5);
        let customer = jitter(now.heat, 6);
        self.hot += (field - customer) * to_f64(STEP) / 3_600.0 / 3e9 * 10.0;
        let customer_flow = flow(customer, 95.0, 55.0);
        self.volume += customer_flow * to_f64(STEP) / 3_600.0;
        let (field_supply, field_back) = if field > 0.0 {
            (145.0, 90.0)
        } else {
            (70.0, 75.0)
        };
        let mut said = Said::new();
        let mut tell = |meter: &'static str, values: &[(&'static str, f64)]| {
            let all = said.entry(meter).or_default();
            all.extend(values.iter().map(|(name, value)| (*name, Ok(*value))));
        };
        let volts = jitter(231.0, 7) * on;
        for (meter, watts, salt) in [("pcc", grid, 8), ("a", a, 9)] {
            let parts = [0.335, 0.33, 0.335].map(|part| watts * part);
            let vars =
                parts.map(|part| 0.33 * part.abs() + if meter == "pcc" { 20e3 * on } else { 0.0 });
            tell(meter, &phases(parts, vars, jitter(volts, salt)));
            let (active, reactive) = (parts.iter().sum::<f64>(), vars.iter().sum::<f64>());
            let apparent = active.hypot(reactive);
            tell(
                meter,
                &[
                    ("power", active),
                    ("reactive_power", reactive),
                    ("apparent_power", apparent),
                ],
            );
            tell(
                meter,
                &[(
                    "power_factor",
                    if apparent > 0.0 {
                        active / apparent
                    } else {
                        1.0
                    },
                )],
            );
        }
        tell("pcc", &[("frequency", jitter(50.0, 10) * on)]);
        let utc = to_f64(MIDNIGHT + second);
        tell("pcc", &[("clock", utc + 0.4)]);
        tell("customer", &[("clock_local", utc + 8.0 * 3_600.0 - 0.4)]);
        tell("pv", &[("power", pv)]);
        tell("battery", &[("power", battery), ("soc", self.soc.round())]);
        tell("b", &[("power", b)]);
        tell("hall", &[("power", (a + b) * 1.004)]);
        tell(
            "weather",
            &[
                ("dni", jitter(dni, 11)),
                ("ghi", jitter(ghi, 12)),
                ("dhi", jitter(dhi, 13)),
            ],
        );
        let heat = |watts: f64, supply: f64, back: f64| {
            let flow = flow(watts, supply, back);
            [
                ("heat_power", watts),
                ("flow", flow),
                ("temp_supply", supply),
                ("temp_return", back),
            ]
        };
        tell("field", &heat(field, field_supply, field_back));
        tell("storage", &[("power", customer - field)]);
        tell("customer", &heat(customer, 95.0, 55.0));
        tell("customer", &[("volume", self.volume)]);
        tell("pump", &[("status", 1.0)]);
        // What leaves the hot tank, at 565 °C, enters the cold one, at 290 °C.
        let salt = Fluid::named("solar-salt", None).unwrap();
        let [hot_density, cold_density] = [565.0, 290.0].map(|at| salt.density(at, 1e5).unwrap());
        let cold = 4.0 + (6.0 - self.hot) * hot_density / cold_density;
        tell("hot", &[("level", jitter(self.hot, 14)), ("temp", 565.0)]);
        tell("cold", &[("level", jitter(cold, 15)), ("temp", 290.0)]);
        said
    }
}

/// A factor on what a meter counts.
pub const GAIN: &str = "gain";
/// A shift of its register, Wh.
pub const SHIFT: &str = "shift";

const METER_IDS: [&str; 13] = [
    "pcc", "pv", "battery", "a", "b", "hall", "weather", "field", "storage", "customer", "pump",
    "hot", "cold",
];

/// What a meter says of its three phases.
pub fn phases(watts: [f64; 3], vars: [f64; 3], volts: f64) -> [(&'static str, f64); 9] {
    let amperes = |place: usize| watts[place].hypot(vars[place]) / volts.max(1.0);
    [
        ("power_l1", watts[0]),
        ("power_l2", watts[1]),
        ("power_l3", watts[2]),
        ("voltage_l1", volts),
        ("voltage_l2", volts * 1.002),
        ("voltage_l3", volts * 0.997),
        ("current_l1", amperes(0)),
        ("current_l2", amperes(1)),
        ("current_l3", amperes(2)),
    ]
}
