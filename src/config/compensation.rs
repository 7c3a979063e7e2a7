//! Transformers between meters and the boundary: `[meter.loss_compensation]`.
//!
//! The numbers are those of the data plate. What the transformer takes becomes a meter of
//! its own, `ID-loss`, behind those of the file.

use std::sync::Arc;

use super::meter::Read;
use super::read::{Table, list};
use super::units;
use crate::domain::closure::{Class, LOSSES_PCT, Told};
use crate::domain::meter::{Carrier, Freshness, Meter, Point, Quantity, TRANSFORMER_LOSS, Term};
use crate::domain::relations::{BOUNDARIES, Boundary, Compensation};
use crate::domain::transformer::{DataPlate, Transformer, TransformerError};

/// What stands behind the id of a meter in that of its losses.
const SUFFIX: &str = "-loss";
/// The largest percentage on a data plate.
const MOST_PCT: f64 = 50.0;

/// A table, as it is.
#[derive(Debug)]
pub(super) struct Plate {
    transformer: Transformer,
    rated_v: f64,
    boundary: Boundary,
}

/// What a meter's table says of its transformer.
pub(super) fn plate(table: &Table<'_>) -> Option<Plate> {
    if !table.has("loss_compensation") {
        return None;
    }
    let table = table.table("loss_compensation")?;
    let measure = |key: &str, example: &str, unit: &str, what: &str| {
        table.required(key, example);
        table.parsed(key, example, |text| {
            units::measure(text, unit)
                .filter(|value| *value > 0.0)
                .ok_or_else(|| {
                    (
                        format!("`{text}` is not {what}"),
                        format!("as on the data plate, such as \"{example}\""),
                    )
                })
        })
    };
    let rated_va = measure("rated_power", "1600kVA", "VA", "a rated power");
    let rated_v = measure("rated_voltage", "400V", "V", "a voltage");
    let no_load_w = measure("no_load_loss", "1.7kW", "W", "a loss");
    let load_w = measure("load_loss", "14.5kW", "W", "a loss");
    let percent = |key: &str, example: &str| {
        if !table.has(key) {
            table.problem(
                key,
                "is missing",
                format!("add `{key} = {example}`, as on the data plate"),
            );
        }
        let pct = table.number(key)?;
        if pct > 0.0 && pct <= MOST_PCT {
            return Some(pct);
        }
        table.problem(
            key,
            format!("{pct} % is on no data plate"),
            format!("above 0 and at most {MOST_PCT} percent, such as {example}"),
        );
        None
    };
    let no_load_current_pct = percent("no_load_current_pct", "0.5");
    let short_circuit_pct = percent("short_circuit_pct", "6.0");
    table.required("boundary", "grid_side");
    let boundary = table.parsed("boundary", "grid_side", |text| {
        let found = BOUNDARIES.iter().find(|row| row.0 == text);
        found.map(|row| row.1).ok_or_else(|| {
            let names = list(BOUNDARIES.iter().map(|row| format!("`{}`", row.0)));
            (
                format!("`{text}` is no side of a transformer"),
                format!("one of {names}: where the energy is settled; the meter is on the other"),
            )
        })
    });
    table.finish();
    let made = Transformer::new(&DataPlate {
        rated_va: rated_va?,
        no_load_w: no_load_w?,
        load_w: load_w?,
        no_load_current_pct: no_load_current_pct?,
        short_circuit_pct: short_circuit_pct?,
    });
    match made {
        Ok(transformer) => Some(Plate {
            transformer,
            rated_v: rated_v?,
            boundary: boundary?,
        }),
        Err(error) => {
            let key = match &error {
                TransformerError::Apparent { name, .. } if name.contains("short") => {
                    "short_circuit_pct"
                }
                _ => "no_load_current_pct",
            };
            let text = error.to_string();
            let (fact, remedy) = text.split_once("; ").unwrap_or((&text, ""));
            table.problem(key, fact, remedy);
            None
        }
    }
}

/// Adds the transformer of a meter, if it can have one.
pub(super) fn hear(table: &Table<'_>, meter: &Meter, plate: Option<Plate>, read: &mut Read) {
    if !table.has("loss_compensation") {
        return;
    }
    if meter.role.term(Carrier::Electricity) != Some(Term::Grid) {
        table.problem(
            "loss_compensation",
            format!("role `{}` is not at the grid connection", meter.role.name),
            "only where the park is settled with the grid: role `grid`; else remove it",
        );
    }
    if !meter.points.is_empty() && meter.point("power").is_none() {
        table.problem(
            "loss_compensation",
            "the losses follow from the power of the meter, and no point says it",
            "a point with quantity `power`; better with `reactive_power` and voltages",
        );
    }
    let Some(plate) = plate else { return };
    let loss: Arc<str> = format!("{}{SUFFIX}", meter.id).into();
    read.compensations.push((
        read.said.table(),
        Compensation {
            meter: Arc::clone(&meter.id),
            loss,
            transformer: plate.transformer,
            rated_v: plate.rated_v,
            boundary: plate.boundary,
        },
    ));
}

/// The transformers of all meters; adds the meters of their losses to the others.
pub(super) fn all(root: &Table<'_>, read: &mut Read) -> Vec<Compensation> {
    let said = std::mem::take(&mut read.compensations);
    let mut all = Vec::new();
    for ((list, nth), one) in said {
        if read.ids.iter().any(|id| **id == *one.loss) {
            if let Some(table) = root.tables(list).get(nth) {
                table.problem(
                    "loss_compensation",
                    format!(
                        "the losses are the meter `{}`, and that id is taken",
                        one.loss
                    ),
                    "another id for the meter that has it",
                );
            }
            continue;
        }
        let of = read.meters.iter().find(|meter| meter.id == one.meter);
        let Some(meter) = of.map(|meter| loss(meter, &one)) else {
            continue;
        };
        let told = Told {
            class: Some(Class::Percent(LOSSES_PCT)),
            ..Told::default()
        };
        read.tells(&meter.id, told);
        read.meters.push(meter);
        all.push(one);
    }
    all
}

/// The meter of the losses: it has the power and the pace of the one beside it.
fn loss(meter: &Meter, one: &Compensation) -> Meter {
    let point = Quantity::named("power").map(|quantity| Point {
        quantity,
        register: None,
    });
    Meter {
        id: Arc::clone(&one.loss),
        role: &TRANSFORMER_LOSS,
        points: point.into_iter().collect(),
        freshness: Freshness::UntilChanged,
        period: meter.period,
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

#[cfg(test)]
#[path = "compensation_tests.rs"]
mod tests;
