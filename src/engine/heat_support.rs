//! A heat meter in a park of its own, for tests.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Engine;
use crate::domain::heat::fluid::Fluid;
use crate::domain::heat::integration::CutOffs;
use crate::domain::heat::meter::HeatMeter;
use crate::domain::interval::{Channel, Entry};
use crate::domain::meter::{
    Carrier, Freshness, HeatFromFlow, Meter, Nature, Park, Pipe, Point, Quantity, RegisterKind,
    Role,
};
use crate::domain::quality::Reason;
use crate::domain::snapshot::{Reading, Value};
use crate::domain::units::CountUnit;

pub fn settings(fluid: &str, mass_pct: Option<f64>) -> HeatFromFlow {
    HeatFromFlow {
        place: HeatMeter {
            fluid: Fluid::named(fluid, mass_pct).unwrap(),
            sensor: Pipe::Return,
            pressure_pa: 1.6e6,
        },
        cut_offs: CutOffs::usual(0.0),
        permanent_flow_m3h: None,
    }
}

pub fn water() -> HeatFromFlow {
    settings("water", None)
}

/// A meter of these quantities, asked every `period_s`; a register counts watt-hours.
pub fn meter(role: &str, points: &[&str], period_s: u64, heat: HeatFromFlow) -> Meter {
    let register = RegisterKind {
        unit: CountUnit::new(1_000, 1).unwrap(),
        modulus: None,
        told: false,
    };
    let point = |name: &&str| {
        let quantity = Quantity::named(name).unwrap();
        let counts = quantity.nature == Nature::Register;
        Point {
            quantity,
            register: counts.then_some(register),
        }
    };
    Meter {
        id: "mains".into(),
        role: Role::named(role).unwrap(),
        points: points.iter().map(point).collect(),
        freshness: Freshness::Within(Duration::from_secs(3 * period_s)),
        period: Duration::from_secs(period_s),
        rated: None,
        rated_heat: None,
        heat_from_flow: Some(heat),
    }
}

pub fn park(meter: Meter) -> Arc<Park> {
    Arc::new(Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: vec![meter],
        every_load_metered: false,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    })
}

/// A moment after a whole quarter of an hour.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_272_000 + second).unwrap()
}

/// What the only meter says; a register says whole watt-hours, NaN is no value.
pub fn says(park: &Park, second: i64, values: &[f64]) -> Reading {
    let points = park.meters[0].points.iter().zip(values);
    let said = points.map(|(point, value)| match point.register {
        _ if value.is_nan() => Err(Reason::NotAvailable),
        Some(_) => Ok(Value::Count(*value as i64)),
        None => Ok(Value::Analog(*value)),
    });
    Reading {
        meter: 0,
        at: at(second),
        values: said.enumerate().collect(),
    }
}

/// What the engine enters of these readings, and the engine at their end.
pub fn heard(meter: Meter, said: &[(i64, Vec<f64>)]) -> (Vec<Entry>, Engine) {
    let park = park(meter);
    let mut engine = Engine::new(Arc::clone(&park), &[]);
    let mut entries = Vec::new();
    for (second, values) in said {
        engine.hear(&says(&park, *second, values));
        entries.extend(engine.tick(at(*second)).entries);
    }
    (entries, engine)
}

/// The entries of one direction of heat.
pub fn way(entries: &[Entry], positive: bool) -> Vec<&Entry> {
    let channel = Channel {
        carrier: Carrier::Heat,
        positive,
    };
    let own = entries.iter().filter(|entry| entry.channel == channel);
    own.collect()
}
