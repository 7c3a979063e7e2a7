//! `[kpi]`: the limits of direct supply, and what no meter says.

use std::sync::Arc;

use jiff::civil::Date;

use super::super::read::{Table, closest};
use crate::domain::kpi::DirectLimits;
use crate::domain::meter::{Carrier, Meter, Term};
use crate::domain::plant::Plant;

/// Reads `[kpi]` into a plant.
pub(super) fn kpi(table: &Table<'_>, meters: &[Meter], plant: &mut Plant) {
    plant.never_curtailed = never_curtailed(table, meters);
    if !table.has("direct_supply") {
        return;
    }
    let mut limits: Vec<DirectLimits> = Vec::new();
    for inner in table.tables("direct_supply") {
        limits.extend(direct(&inner, &limits));
        inner.finish();
    }
    plant.limits = limits;
}

/// Generators that are never kept from generating: all of them, or some by name.
fn never_curtailed(table: &Table<'_>, meters: &[Meter]) -> Vec<Arc<str>> {
    const KEY: &str = "never_curtailed";
    let generators: Vec<&Arc<str>> = meters
        .iter()
        .filter(|meter| meter.role.term(Carrier::Electricity) == Some(Term::Generator))
        .map(|meter| &meter.id)
        .collect();
    if !table.is_list(KEY) {
        let all = table.flag(KEY).unwrap_or(false);
        return generators.into_iter().filter(|_| all).cloned().collect();
    }
    let mut never: Vec<Arc<str>> = Vec::new();
    for name in table.texts(KEY) {
        match generators.iter().find(|id| ****id == *name) {
            Some(id) if never.contains(id) => {
                table.problem(KEY, format!("`{name}` is there twice"), "name it once");
            }
            Some(id) => never.push(Arc::clone(id)),
            None => {
                let known: Vec<&str> = generators.iter().map(|id| &***id).collect();
                let remedy = match closest(name, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "the id of a [[meter]] that generates, or `true` for all".to_owned(),
                };
                table.problem(KEY, format!("`{name}` is no generator"), remedy);
            }
        }
    }
    never
}

fn direct(table: &Table<'_>, before: &[DirectLimits]) -> Option<DirectLimits> {
    table.required("from", "2025-01-01");
    let from = table.parsed("from", "2025-01-01", |text| {
        text.parse::<Date>().map_err(|_| {
            (
                format!("`{text}` is not a day"),
                "year, month and day, such as \"2025-01-01\"".to_owned(),
            )
        })
    });
    let part = |key: &str, example: &str| {
        if !table.has(key) {
            table.problem(key, "is missing", format!("add `{key} = {example}`"));
        }
        table.number_in(key, 0.0, 1.0)
    };
    let (r_self, r_green) = (part("r_self", "0.60"), part("r_green", "0.30"));
    let r_sell = part("r_sell", "0.20");
    if let Some(from) = from
        && before.iter().any(|other| other.from == from)
    {
        table.problem(
            "from",
            format!("{from} has limits already"),
            "one table for each day from which limits hold",
        );
    }
    Some(DirectLimits {
        from: from?,
        r_self: r_self?,
        r_green: r_green?,
        r_sell: r_sell?,
    })
}
