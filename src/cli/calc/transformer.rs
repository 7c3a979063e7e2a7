//! `sunledger calc transformer`: what a transformer takes between a meter and the boundary.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::Failure;
use super::{Answer, Asked, answer, need, section};
use crate::config::units::measure;
use crate::domain::compensation::{Beside, Metered};
use crate::domain::relations::{BOUNDARIES, Boundary, Compensation};
use crate::domain::transformer::{DataPlate, Transformer};

/// Arguments of `calc transformer`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    asked: Asked,
}

/// What goes in. The data plate is that of `[meter.loss_compensation]`.
#[derive(Debug, Clone, clap::Args, Serialize, Deserialize)]
#[group(id = "numbers", multiple = true, conflicts_with = "file")]
#[serde(deny_unknown_fields)]
struct Given {
    /// Rated power, such as 1600kVA
    #[arg(long, value_name = "POWER")]
    rated_power: Option<String>,
    /// Rated voltage between two phases on the side of the meter [default: 1V, so that
    /// --voltage is a part of it]
    #[arg(long, value_name = "VOLTAGE")]
    rated_voltage: Option<String>,
    /// Loss without load, such as 1.7kW
    #[arg(long, value_name = "POWER")]
    no_load_loss: Option<String>,
    /// Loss in the windings at rated current, such as 14.5kW
    #[arg(long, value_name = "POWER")]
    load_loss: Option<String>,
    /// Current without load, % of the rated one
    #[arg(long, value_name = "PERCENT")]
    no_load_current_pct: Option<f64>,
    /// Short-circuit voltage, % of the rated one
    #[arg(long, value_name = "PERCENT")]
    short_circuit_pct: Option<f64>,
    /// Active power at the meter, such as 800kW; below zero for export
    #[arg(long, value_name = "POWER", allow_hyphen_values = true)]
    power: Option<String>,
    /// Reactive power at the meter, such as 260kvar
    #[arg(long, value_name = "POWER", allow_hyphen_values = true)]
    reactive: Option<String>,
    /// Apparent power at the meter in its place, such as 841kVA
    #[arg(long, value_name = "POWER")]
    apparent: Option<String>,
    /// Voltage between two phases at the meter [default: the rated one]
    #[arg(long, value_name = "VOLTAGE")]
    voltage: Option<String>,
    /// Side of the boundary: grid_side or park_side [default: grid_side]
    #[arg(long, value_name = "SIDE")]
    boundary: Option<String>,
}

/// A transformer from flags or a file.
///
/// # Errors
///
/// Those of [`super::run`].
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    answer(&arguments.asked, || Ok(arguments.given.clone()), sum)
}

/// A number with a unit, and what is wrong with it.
fn value(text: &str, flag: &str, unit: &str, example: &str) -> Result<f64, String> {
    measure(text, unit)
        .ok_or_else(|| format!("--{flag}: `{text}` is no number in {unit}; such as {example}"))
}

fn sum(given: &Given) -> Result<Answer, String> {
    let plate = |text: &Option<String>, flag, unit, example| {
        value(need(text.as_ref(), flag)?, flag, unit, example)
    };
    let transformer = Transformer::new(&DataPlate {
        rated_va: plate(&given.rated_power, "rated-power", "VA", "1600kVA")?,
        no_load_w: plate(&given.no_load_loss, "no-load-loss", "W", "1.7kW")?,
        load_w: plate(&given.load_loss, "load-loss", "W", "14.5kW")?,
        no_load_current_pct: *need(given.no_load_current_pct.as_ref(), "no-load-current-pct")?,
        short_circuit_pct: *need(given.short_circuit_pct.as_ref(), "short-circuit-pct")?,
    })
    .map_err(|error| error.to_string())?;
    let side = given.boundary.as_deref().unwrap_or("grid_side");
    let boundary = BOUNDARIES.iter().find(|row| row.0 == side);
    let boundary = boundary
        .map(|row| row.1)
        .ok_or_else(|| format!("`{side}` is no side; one of grid_side, park_side"))?;
    let optional = |text: &Option<String>, flag, unit, example| {
        let text = text.as_ref();
        text.map(|text| value(text, flag, unit, example))
            .transpose()
    };
    let rated_v = optional(&given.rated_voltage, "rated-voltage", "V", "400V")?.unwrap_or(1.0);
    if rated_v <= 0.0 {
        return Err("--rated-voltage is not above zero; such as 400V".to_owned());
    }
    let reactive = optional(&given.reactive, "reactive", "var", "260kvar")?;
    let apparent = optional(&given.apparent, "apparent", "VA", "841kVA")?;
    let beside = match (reactive, apparent) {
        (Some(_), Some(_)) => {
            return Err("--reactive and --apparent say the same; leave one out".to_owned());
        }
        (Some(var), None) => Beside::Reactive(var),
        (None, Some(va)) => Beside::Apparent(va),
        (None, None) => Beside::Nothing,
    };
    let metered = Metered {
        active_w: plate(&given.power, "power", "W", "800kW")?,
        beside,
        voltage_v: optional(&given.voltage, "voltage", "V", "408V")?,
    };
    let one = Compensation {
        meter: "".into(),
        loss: "".into(),
        transformer,
        rated_v,
        boundary,
    };
    let loss = one.loss(metered).map_err(|error| error.to_string())?;
    let voltage = metered.voltage_v.unwrap_or(rated_v);
    let json = json!({
        "loss_w": loss.active_w,
        "loss_var": loss.reactive_var,
        "loss_of_import_w": loss.of_import_w,
        "loss_of_export_w": loss.of_export_w,
        "boundary_w": loss.boundary_w,
        "boundary_var": loss.boundary_var,
        "voltage_pu": voltage / rated_v,
        "voltage": if loss.at_rated_voltage { "rated" } else { "measured" },
    });
    let kilo = |value: f64| format!("{:.6}", value / 1e3);
    let mut rows = vec![
        ("active power", kilo(metered.active_w), "kW"),
        (
            "voltage",
            format!("{:.4}", voltage / rated_v),
            "of the rated one",
        ),
    ];
    match beside {
        Beside::Reactive(var) => rows.push(("reactive power", kilo(var), "kvar")),
        Beside::Apparent(va) => rows.push(("apparent power", kilo(va), "kVA")),
        Beside::Nothing => {}
    }
    let mut text = section("at the meter", &rows);
    text += &section(
        "the transformer takes",
        &[
            ("active power", kilo(loss.active_w), "kW"),
            ("  of import", kilo(loss.of_import_w), "kW"),
            ("  of export", kilo(loss.of_export_w), "kW"),
            ("reactive power", kilo(loss.reactive_var), "kvar"),
        ],
    );
    let mut rows = vec![("active power", kilo(loss.boundary_w), "kW")];
    rows.extend(
        loss.boundary_var
            .map(|var| ("reactive power", kilo(var), "kvar")),
    );
    let title = match boundary {
        Boundary::GridSide => "at the boundary, on the side of the grid",
        Boundary::ParkSide => "at the boundary, on the side of the park",
    };
    text += &section(title, &rows);
    Ok(Answer { json, text })
}
