//! Heat storages: a tank of layers, and two tanks.

use super::super::read::Table;
use super::super::units::measure;
use super::Around;
use crate::domain::heat::fluid::Fluid;
use crate::domain::heat::meter::REFERENCE_PRESSURE_PA;
use crate::domain::heat::storage::{Stratified, Tank as Body, TwoTanks};
use crate::domain::meter::Carrier;
use crate::domain::plant::{Layer, Tank, Tanks};

/// Sizes of a tank, m.
const SIZES: (f64, f64) = (0.1, 200.0);
/// Temperatures of a tank, °C.
const CELSIUS: (f64, f64) = (-60.0, 700.0);

/// What both kinds have in common.
struct Common {
    meter: Option<std::sync::Arc<str>>,
    body: Option<Body>,
    fluid: Option<Fluid>,
    pressure_pa: Option<f64>,
}

fn common(around: &Around<'_>) -> Common {
    let table = around.table;
    let meter = around.counted("meter", "storage", Carrier::Heat);
    let height = around.number("height_m", 12.0, SIZES);
    let diameter = around.number("diameter_m", 6.0, SIZES);
    let sizes = height.zip(diameter);
    let share = table.number_in("mass_pct", 0.0, 60.0);
    table.required("fluid", "water");
    let fluid = table.parsed("fluid", "water", |text| {
        Fluid::named(text, share).map_err(|error| {
            let remedy = "such as \"water\" or \"solar-salt\", a mixture with `mass_pct`";
            (error.to_string(), remedy.to_owned())
        })
    });
    let pressure_pa = if table.has("pressure") {
        around.measured("pressure", "6bar", "Pa", (1e4, 1e8))
    } else {
        Some(REFERENCE_PRESSURE_PA)
    };
    Common {
        meter,
        body: sizes.and_then(|(height, diameter)| Body::cylinder(height, diameter).ok()),
        fluid,
        pressure_pa,
    }
}

/// A temperature that must be there, at which the fluid is known.
fn celsius(table: &Table<'_>, key: &str, example: &str, common: &Common) -> Option<f64> {
    table.required(key, example);
    let known = common.fluid.zip(common.pressure_pa);
    table.parsed(key, example, |text| {
        let celsius = measure(text, "degC")
            .filter(|celsius| (CELSIUS.0..=CELSIUS.1).contains(celsius))
            .ok_or_else(|| {
                let remedy = format!("such as \"{example}\"");
                (format!("`{text}` is not a temperature"), remedy)
            })?;
        match known.map(|(fluid, pressure)| fluid.density(celsius, pressure)) {
            Some(Err(error)) => Err((
                error.to_string(),
                "a temperature at which it is a liquid, or its `pressure`".to_owned(),
            )),
            _ => Ok(celsius),
        }
    })
}

/// Whether the two temperatures are in order.
fn in_order(table: &Table<'_>, (low, high): (&str, &str), ends: Option<(f64, f64)>) {
    if let Some((empty, full)) = ends
        && empty >= full
    {
        table.problem(
            high,
            format!("{full} degC is not above `{low}` of {empty} degC"),
            format!("`{high}` is the temperature of a full storage"),
        );
    }
}

/// Reads a tank of layers.
pub(super) fn tank(around: &Around<'_>) -> Option<Tank> {
    let table = around.table;
    let common = common(around);
    let empty = celsius(table, "empty", "40degC", &common);
    let full = celsius(table, "full", "95degC", &common);
    in_order(table, ("empty", "full"), empty.zip(full));
    if !table.has("layer") {
        table.problem(
            "layer",
            "is missing",
            format!(
                "one [[{}]] with `height_m` and `temp` for each sensor",
                table.path("layer")
            ),
        );
    }
    let mut layers = Vec::new();
    let mut whole = true;
    for inner in table.tables("layer") {
        let at = around.at(&inner);
        let height = at.number("height_m", 1.0, (0.0, SIZES.1));
        let temp = at.sensor_there("temp", "temp");
        match height.zip(temp) {
            Some((height_m, temp)) => layers.push(Layer { height_m, temp }),
            None => whole = false,
        }
        inner.finish();
    }
    let body = common.body?;
    let heights: Vec<f64> = layers.iter().map(|layer| layer.height_m).collect();
    if whole
        && !heights.is_empty()
        && let Err(error) = body.layers(&heights)
    {
        let text = error.to_string();
        let (fact, remedy) = text.split_once("; ").unwrap_or((&text, ""));
        table.problem("layer", fact, remedy);
        return None;
    }
    Some(Tank {
        meter: common.meter,
        body: Stratified {
            tank: body,
            fluid: common.fluid?,
            pressure_pa: common.pressure_pa?,
            reference: empty?,
            full: full?,
        },
        layers: Some(layers).filter(|layers| whole && !layers.is_empty())?,
    })
}

/// Reads a hot and a cold tank.
pub(super) fn two_tanks(around: &Around<'_>) -> Option<Tanks> {
    let table = around.table;
    let common = common(around);
    let reference = celsius(table, "reference", "290degC", &common);
    let nominal = celsius(table, "nominal_hot", "565degC", &common);
    in_order(table, ("reference", "nominal_hot"), reference.zip(nominal));
    let hot = (
        around.sensor_there("hot_level", "level"),
        around.sensor_there("hot_temp", "temp"),
    );
    let cold = (
        around.sensor_there("cold_level", "level"),
        around.sensor_there("cold_temp", "temp"),
    );
    let tonnes = table.number_in("inventory_t", 0.001, 1e7);
    Some(Tanks {
        meter: common.meter,
        body: TwoTanks {
            tank: common.body?,
            fluid: common.fluid?,
            pressure_pa: common.pressure_pa?,
            reference: reference?,
            nominal_hot: nominal?,
        },
        hot: (hot.0?, hot.1?),
        cold: (cold.0?, cold.1?),
        inventory_kg: tonnes.map(|tonnes| tonnes * 1e3),
    })
}
