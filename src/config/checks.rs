//! The plausibility checks: `[checks]`.
//!
//! ```toml
//! [checks.ct_reversed]            # a check by its name
//! enabled = true
//! minutes = 15                    # its thresholds
//! except = ["hall"]               # meters that it leaves alone
//!
//! [checks.facts.field]            # what is known of a meter and no device says
//! aperture_m2 = 10000
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::read::{Table, closest, list};
use super::units::{self, measure};
use crate::domain::closure::{Class, Told};
use crate::domain::heat::fluid::Fluid;
use crate::domain::meter::{Meter, Pipe};
use crate::domain::plausibility::{CHECKS, CheckRow, CheckSettings, Facts, Settings};

/// Reads `[checks]`; every check is on where nothing is said.
pub fn checks(root: &Table<'_>, meters: &[Meter], told: &BTreeMap<Arc<str>, Told>) -> Settings {
    let mut settings = Settings::default();
    for (id, accuracy) in told {
        let facts = Facts {
            accuracy: *accuracy,
            ..Facts::default()
        };
        settings.facts.insert(id.to_string(), facts);
    }
    if !root.has("checks") {
        return settings;
    }
    let Some(table) = root.table("checks") else {
        return settings;
    };
    for (row, checked) in CHECKS.iter().zip(&mut settings.checks) {
        if table.has(row.name)
            && let Some(inner) = table.table(row.name)
        {
            *checked = check(&inner, row, meters);
            inner.finish();
        }
    }
    if table.has("facts") {
        for (id, inner) in table.named("facts") {
            is_meter(&inner, "", id, meters);
            let mut facts = facts(&inner, meters);
            if let Some(accuracy) = told.get(id) {
                if !facts.accuracy.is_nothing() {
                    let remedy = "leave one of the two out";
                    inner.problem("class_pct", "the meter says its class itself", remedy);
                }
                facts.accuracy = *accuracy;
            }
            settings.facts.insert(id.to_owned(), facts);
            inner.finish();
        }
    }
    table.finish();
    settings
}

/// The settings of one check; none where it is switched off.
fn check(table: &Table<'_>, row: &CheckRow, meters: &[Meter]) -> Option<CheckSettings> {
    let enabled = table.flag("enabled").unwrap_or(true);
    let values = row
        .params
        .iter()
        .map(|param| {
            let told = table.number_in(param.key, param.least, param.most);
            told.unwrap_or(param.default)
        })
        .collect();
    let except = meter_names(table, "except", meters);
    enabled.then_some(CheckSettings { values, except })
}

fn meter_names(table: &Table<'_>, key: &str, meters: &[Meter]) -> Vec<String> {
    let named = table.texts(key).into_iter();
    named
        .filter(|id| is_meter(table, key, id, meters))
        .map(str::to_owned)
        .collect()
}

/// Whether there is a meter of this name.
pub(super) fn is_meter(table: &Table<'_>, key: &str, id: &str, meters: &[Meter]) -> bool {
    let known: Vec<&str> = meters.iter().map(|meter| &*meter.id).collect();
    if known.contains(&id) {
        return true;
    }
    let remedy = match closest(id, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "the id of a [[meter]] or [[sensor]]".to_owned(),
    };
    table.problem(key, format!("`{id}` is no meter"), remedy);
    false
}

/// What is known of one meter.
fn facts(table: &Table<'_>, meters: &[Meter]) -> Facts {
    let amount = |key: &str, example: &str, unit: &str| {
        table.parsed(key, example, |text| {
            let known = if unit == "Wh" {
                energy(text)
            } else {
                measure(text, unit)
            };
            known.filter(|amount| *amount >= 0.0).ok_or_else(|| {
                let remedy = format!("a number with a unit, such as \"{example}\"");
                (format!("`{text}` is not in a unit of {unit}"), remedy)
            })
        })
    };
    let other = |key: &str, example: &str| {
        let id = table.text(key, example)?;
        is_meter(table, key, id, meters).then(|| id.to_owned())
    };
    let share = table.number_in("mass_pct", 0.0, 60.0);
    Facts {
        nominal_voltage: amount("nominal_voltage", "230V", "V"),
        single_phase: table.flag("single_phase").unwrap_or(false),
        accuracy: Told {
            class: table.number_in("class_pct", 0.05, 20.0).map(Class::Percent),
            ..Told::default()
        },
        export_limit_w: amount("export_limit", "500kW", "W"),
        submeters: meter_names(table, "submeters", meters),
        aperture_m2: table.number_in("aperture_m2", 0.1, 1e8),
        nominal_flow_m3h: amount("nominal_flow", "40m3/h", "m3/h"),
        fluid: table.parsed("fluid", "water", |text| {
            Fluid::named(text, share).map_err(|error| {
                let remedy = "such as \"water\", or a mixture with `mass_pct`".to_owned();
                (error.to_string(), remedy)
            })
        }),
        pressure_pa: amount("pressure", "6bar", "Pa"),
        flow_sensor: table.parsed("flow_sensor", "return", |text| match text {
            "supply" => Ok(Pipe::Supply),
            "return" => Ok(Pipe::Return),
            other => Err((
                format!("`{other}` is not a pipe"),
                list(["`supply`", "`return`"].map(str::to_owned).into_iter()),
            )),
        }),
        pump: other("pump", "pump_1"),
        capacity_wh: amount("capacity", "2MWh", "Wh"),
        other_tank: other("other_tank", "cold_tank"),
    }
}

/// An energy with its unit, Wh.
fn energy(text: &str) -> Option<f64> {
    let (number, unit) = super::read::number_and_unit(text)?;
    let (numerator, denominator) = units::energy(unit)?;
    let whole = |part: i128| i64::try_from(part).ok().map(crate::domain::units::to_f64);
    Some(number * whole(numerator)? / whole(denominator)? / 1_000.0)
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
