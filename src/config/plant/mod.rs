//! The plant: `[plant.NAME.KIND]`, and the limits of its indicators: `[kpi]`.
//!
//! ```toml
//! [plant.roof.pv]                 # a unit by its name, and what it is
//! meter = "roof"                  # the meters and sensors that belong to it
//! rated = "500kW"
//! irradiance = "weather"          # a sensor; METER:QUANTITY where the quantity is another
//! ```
//!
//! A unit names meters and sensors of the configuration; nothing of it is read twice.

mod field;
mod kpi;
mod storage;

use std::sync::Arc;

use super::checks::is_meter;
use super::read::{Table, list};
use super::units::measure;
use crate::domain::meter::{Carrier, Meter, Nature, Park};
use crate::domain::photovoltaic::{self, STC_CELSIUS};
use crate::domain::plant::{Conversion, Input, Irradiance, Kind, Photovoltaic, Plant, Unit};

/// What a unit may be.
const KINDS: &[&str] = &[
    "solar_field",
    "tank",
    "two_tanks",
    "pv",
    "heat_pump",
    "electric_boiler",
];

/// Reads `[plant]` and `[kpi]`.
pub(super) fn plant(root: &Table<'_>, meters: &[Meter]) -> Plant {
    let mut plant = Plant::default();
    if root.has("plant") {
        for (name, table) in root.named("plant") {
            if let Some(kind) = unit(&table, meters) {
                let name = Arc::from(name);
                plant.units.push(Unit { name, kind });
            }
            table.finish();
        }
    }
    if root.has("kpi")
        && let Some(table) = root.table("kpi")
    {
        kpi::kpi(&table, meters, &mut plant);
        table.finish();
    }
    plant
}

/// The plant with what needs no word of its own.
pub(super) fn completed(mut plant: Plant, park: &Park) -> Arc<Plant> {
    plant.complete(park);
    Arc::new(plant)
}

fn unit(table: &Table<'_>, meters: &[Meter]) -> Option<Kind> {
    let (kind, inner) = table.choice(KINDS)?;
    let around = Around {
        table: &inner,
        meters,
    };
    let read = match kind {
        "solar_field" => field::field(&around).map(|field| Kind::SolarField(Box::new(field))),
        "tank" => storage::tank(&around).map(Kind::Tank),
        "two_tanks" => storage::two_tanks(&around).map(|tanks| Kind::TwoTanks(Box::new(tanks))),
        "pv" => photovoltaic(&around).map(|plant| Kind::Photovoltaic(Box::new(plant))),
        "heat_pump" => conversion(&around).map(Kind::HeatPump),
        _ => conversion(&around).map(Kind::ElectricBoiler),
    };
    inner.finish();
    read
}

/// The table of a unit, among the meters of the park.
struct Around<'a> {
    table: &'a Table<'a>,
    meters: &'a [Meter],
}

impl<'a> Around<'a> {
    /// The same meters around another table.
    fn at(&self, table: &'a Table<'a>) -> Self {
        Self {
            table,
            meters: self.meters,
        }
    }

    fn meter(&self, id: &str) -> Option<&'a Meter> {
        self.meters.iter().find(|meter| *meter.id == *id)
    }

    /// A meter that stands in the balance of a carrier, by its key.
    fn counted(&self, key: &str, example: &str, carrier: Carrier) -> Option<Arc<str>> {
        let id = self.table.text(key, example)?;
        if !is_meter(self.table, key, id, self.meters) {
            return None;
        }
        let meter = self.meter(id)?;
        if meter.role.term(carrier).is_some() {
            return Some(Arc::clone(&meter.id));
        }
        let (network, roles) = match carrier {
            Carrier::Electricity => ("electricity", "such as pv, battery or heat_pump"),
            Carrier::Heat => ("heat", "such as solar_field, heat_storage or heat_pump"),
        };
        self.table.problem(
            key,
            format!("`{id}` ({}) counts no {network}", meter.role.name),
            format!("a meter of a role that does, {roles}"),
        );
        None
    }

    /// The same, and it must be there.
    fn counted_there(&self, key: &str, example: &str, carrier: Carrier) -> Option<Arc<str>> {
        self.table.required(key, example)?;
        self.counted(key, example, carrier)
    }

    /// A sensor: `METER`, whose quantity is the usual one, or `METER:QUANTITY`.
    fn sensor(&self, key: &str, usual: &str) -> Option<Input> {
        let text = self.table.text(key, "weather")?;
        let (id, quantity) = text.split_once(':').unwrap_or((text, usual));
        if !is_meter(self.table, key, id, self.meters) {
            return None;
        }
        let meter = self.meter(id)?;
        let point = meter
            .point(quantity)
            .and_then(|point| meter.points.get(point));
        match point.map(|point| point.quantity) {
            Some(known) if known.nature == Nature::Analog => Some(Input {
                meter: Arc::clone(&meter.id),
                quantity: Arc::from(known.name),
            }),
            Some(_) => {
                self.table.problem(
                    key,
                    format!("`{quantity}` of `{id}` counts, and is no value of a moment"),
                    "a point such as `temp`, `dni` or `power`",
                );
                None
            }
            None => {
                let analog = meter.points.iter().map(|point| point.quantity);
                let has: Vec<String> = analog
                    .filter(|quantity| quantity.nature == Nature::Analog)
                    .map(|quantity| format!("\"{id}:{}\"", quantity.name))
                    .collect();
                let remedy = if has.is_empty() {
                    format!("a point `{quantity}` at it, or another sensor")
                } else {
                    format!("it has {}", list(has.into_iter()))
                };
                self.table
                    .problem(key, format!("`{id}` does not say `{quantity}`"), remedy);
                None
            }
        }
    }

    /// The same, and it must be there.
    fn sensor_there(&self, key: &str, usual: &str) -> Option<Input> {
        self.table.required(key, "weather")?;
        self.sensor(key, usual)
    }

    /// A sensor of a power.
    fn power(&self, key: &str) -> Option<Input> {
        let input = self.sensor(key, "power_available")?;
        let is_power = |row: &crate::domain::meter::Quantity| row.unit == "W";
        if crate::domain::meter::Quantity::named(&input.quantity).is_some_and(is_power) {
            return Some(input);
        }
        self.table.problem(
            key,
            format!("`{}` is no power", input.quantity),
            "a point in W, such as `power_available`",
        );
        None
    }

    /// A measure with its unit between two bounds.
    fn measured(
        &self,
        key: &str,
        example: &str,
        unit: &str,
        (least, most): (f64, f64),
    ) -> Option<f64> {
        self.table.parsed(key, example, |text| {
            measure(text, unit)
                .filter(|value| (least..=most).contains(value))
                .ok_or_else(|| {
                    (
                        format!("`{text}` is not from {least} to {most} {unit}"),
                        format!("a number with a unit, such as \"{example}\""),
                    )
                })
        })
    }

    /// A number that must be there.
    fn number(&self, key: &str, example: f64, (least, most): (f64, f64)) -> Option<f64> {
        if !self.table.has(key) {
            self.table
                .problem(key, "is missing", format!("add `{key} = {example}`"));
        }
        self.table.number_in(key, least, most)
    }

    /// A number that has a usual value.
    fn usual(&self, key: &str, usual: f64, (least, most): (f64, f64)) -> Option<f64> {
        if self.table.has(key) {
            self.table.number_in(key, least, most)
        } else {
            Some(usual)
        }
    }
}

fn conversion(around: &Around<'_>) -> Option<Conversion> {
    let electricity = around.counted_there("electricity", "heat_pump", Carrier::Electricity);
    let heat = around.counted_there("heat", "heat_pump", Carrier::Heat);
    Some(Conversion {
        electricity: electricity?,
        heat: heat?,
    })
}

fn photovoltaic(around: &Around<'_>) -> Option<Photovoltaic> {
    let table = around.table;
    let meter = around.counted_there("meter", "roof", Carrier::Electricity);
    table.required("rated", "500kW");
    let rated = around.measured("rated", "500kW", "W", (1.0, 1e11));
    let gamma = table.number_in("gamma_pct_per_k", -2.0, 0.0);
    let irradiance = light(around);
    let module = around.sensor("module", "temp_module");
    if module.is_some() && !table.has("gamma_pct_per_k") {
        table.problem(
            "gamma_pct_per_k",
            "is missing, and the temperature of the modules says nothing without it",
            "add `gamma_pct_per_k = -0.35`, as the data sheet has it",
        );
    }
    let corrected_to = table.number_in("corrected_to_degc", -20.0, 90.0);
    let (available, curtailed) = (around.power("available"), around.power("curtailed"));
    if available.is_some() && curtailed.is_some() {
        table.problem(
            "available",
            "stands beside `curtailed`, which says the same",
            "keep one of them",
        );
    }
    Some(Photovoltaic {
        meter: meter?,
        plate: photovoltaic::Plant {
            rated_kw: rated? / 1e3,
            gamma_per_k: gamma.unwrap_or(0.0) / 100.0,
            corrected_to: corrected_to.unwrap_or(STC_CELSIUS),
        },
        irradiance,
        module,
        available,
        curtailed,
    })
}

/// The light in the plane of the modules: measured there, or computed.
fn light(around: &Around<'_>) -> Option<Irradiance> {
    let table = around.table;
    let tilt = table.number_in("tilt_deg", 0.0, 90.0);
    let azimuth = table.number_in("azimuth_deg", 0.0, 360.0);
    let plane = around.sensor("irradiance", "irradiance");
    let (dni, dhi) = (around.sensor("dni", "dni"), around.sensor("dhi", "dhi"));
    if table.has("irradiance") {
        for key in ["dni", "dhi"] {
            if table.has(key) {
                table.problem(
                    key,
                    "stands beside `irradiance`, which is measured in the plane",
                    "remove it",
                );
            }
        }
        return plane.map(Irradiance::Plane);
    }
    if !table.has("dni") && !table.has("dhi") {
        return None;
    }
    for (key, example) in [
        ("dni", "\"weather\""),
        ("dhi", "\"weather\""),
        ("tilt_deg", "30"),
        ("azimuth_deg", "180"),
    ] {
        if !table.has(key) {
            table.problem(
                key,
                "is missing for the light in the plane of the modules",
                format!("add `{key} = {example}`, or name a sensor in the plane as `irradiance`"),
            );
        }
    }
    Some(Irradiance::Computed {
        dni: dni?,
        dhi: dhi?,
        tilt_deg: tilt?,
        azimuth_deg: azimuth?,
    })
}

#[cfg(test)]
#[path = "plant_tests.rs"]
mod tests;
