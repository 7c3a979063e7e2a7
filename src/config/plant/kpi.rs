//! `[kpi]`: the limits of direct supply, and what no meter says.

use jiff::civil::Date;

use super::super::read::Table;
use crate::domain::kpi::DirectLimits;
use crate::domain::plant::Plant;

/// Reads `[kpi]` into a plant.
pub(super) fn kpi(table: &Table<'_>, plant: &mut Plant) {
    plant.never_curtailed = table.flag("never_curtailed").unwrap_or(false);
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
