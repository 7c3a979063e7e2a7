//! Meters that are computed from others: `[[derived]]`.
//!
//! An expression may name any meter of the file and other derived ones. Those of which
//! the direction is the point, at the grid connection and at storages, are refused: a sum
//! over an interval no longer knows how much went each way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::check::name;
use super::meter::Read;
use super::read::{Table, closest, list};
use crate::domain::expression::Expression;
use crate::domain::meter::{Carrier, Freshness, Meter, Point, Quantity, ROLES, Role, Term};
use crate::domain::relations::Derived;

/// A table whose id and role are right, and what it says.
struct Row<'a> {
    table: Table<'a>,
    id: Arc<str>,
    role: &'static Role,
    carrier: Carrier,
    expression: Expression,
}

/// Reads every `[[derived]]`, and adds its meter to the others.
pub(super) fn all(root: &Table<'_>, read: &mut Read) -> Vec<Derived> {
    if !root.has("derived") {
        return Vec::new();
    }
    let tables = root.tables("derived");
    let mut known = read.ids.clone();
    let ids = tables.iter().map(|table| table.text("id", "hall-b"));
    known.extend(ids.flatten().map(str::to_owned));
    let mut rows = Vec::new();
    for (nth, table) in tables.into_iter().enumerate() {
        read.said.begin("derived", nth);
        rows.extend(row(table, &known, read));
    }
    let carriers: HashMap<Arc<str>, [bool; 2]> = read
        .meters
        .iter()
        .map(|meter| {
            let role = meter.role;
            let stands = [role.electricity.is_some(), role.heat.is_some()];
            (Arc::clone(&meter.id), stands)
        })
        .chain(rows.iter().map(|row| {
            let heat = row.carrier == Carrier::Heat;
            (Arc::clone(&row.id), [!heat, heat])
        }))
        .collect();
    for row in &rows {
        of_one_network(row, &carriers);
        read.meters.push(meter(row, &read.meters));
    }
    in_order(rows)
}

fn row<'a>(table: Table<'a>, known: &[String], read: &mut Read) -> Option<Row<'a>> {
    table.required("id", "hall-b");
    let id: Option<Arc<str>> = table.parsed("id", "hall-b", name).map(Arc::from);
    if let Some(id) = &id {
        if read.ids.iter().any(|taken| **taken == **id) {
            table.problem(
                "id",
                format!("`{id}` is taken"),
                "each meter, sensor and derived meter has its own",
            );
        }
        read.ids.push(id.to_string());
    }
    read.said.hear(&table, id.as_ref(), &str::to_owned);
    table.text("name", "Hall B");
    table.required("role", "tenant");
    let role = table.parsed("role", "tenant", role);
    table.required("expression", "main - hall-a");
    let expression = table.parsed("expression", "main - hall-a", |text| {
        let is_known = |word: &str| known.iter().any(|id| *id == *word);
        Expression::parse(text, &is_known).map_err(|error| {
            let words = known.iter().map(String::as_str).collect::<Vec<_>>();
            let wrong = error.fault.split('`').nth(1).unwrap_or_default();
            let near = closest(wrong, &words).filter(|_| error.fault.ends_with("is no meter"));
            let remedy = match near {
                Some(near) if !error.remedy.starts_with("a minus") => {
                    format!("did you mean `{near}`?")
                }
                _ => error.remedy,
            };
            (format!("column {}: {}", error.column, error.fault), remedy)
        })
    });
    table.finish();
    let (role, carrier) = role?;
    Some(Row {
        id: id?,
        role,
        carrier,
        expression: expression?,
        table,
    })
}

/// A role that a sum of others may have, with its balance.
fn role(text: &str) -> Result<(&'static Role, Carrier), (String, String)> {
    let fits = |role: &Role| match (role.electricity, role.heat) {
        (Some(Term::Grid | Term::Battery), _) | (_, Some(Term::HeatStorage)) => None,
        (Some(_), None) => Some(Carrier::Electricity),
        (None, Some(_)) => Some(Carrier::Heat),
        _ => None,
    };
    let all = ROLES.iter().filter(|role| fits(role).is_some());
    let remedy = || {
        format!(
            "one of {}",
            list(all.map(|role| format!("`{}`", role.name)))
        )
    };
    match Role::named(text) {
        None => Err((format!("`{text}` is not a role"), remedy())),
        Some(role) => match fits(role) {
            Some(carrier) => Ok((role, carrier)),
            None => Err((
                format!(
                    "a meter of role `{text}` cannot be computed: a sum does not know both ways apart, or both balances"
                ),
                remedy(),
            )),
        },
    }
}

/// Whether all inputs stand in the balance of the result.
fn of_one_network(row: &Row<'_>, carriers: &HashMap<Arc<str>, [bool; 2]>) {
    let side = usize::from(row.carrier == Carrier::Heat);
    for input in row.expression.meters() {
        let stands = carriers.get(input).and_then(|sides| sides.get(side));
        if stands == Some(&false) {
            row.table.problem(
                "expression",
                format!(
                    "`{input}` does not stand in the balance of role `{}`",
                    row.role.name
                ),
                "meters of the same network",
            );
        }
    }
}

/// The meter that a row is: it is asked for its power, and has no register.
fn meter(row: &Row<'_>, others: &[Meter]) -> Meter {
    let quantity = match row.carrier {
        Carrier::Electricity => "power",
        Carrier::Heat => "heat_power",
    };
    let point = Quantity::named(quantity).map(|quantity| Point {
        quantity,
        register: None,
    });
    // It is as slow as the slowest of its inputs.
    let of = |id: &Arc<str>| others.iter().find(|meter| meter.id == *id);
    let periods = row.expression.meters().filter_map(of);
    let slowest = periods.map(|meter| meter.period).max();
    Meter {
        id: Arc::clone(&row.id),
        role: row.role,
        points: point.into_iter().collect(),
        freshness: Freshness::UntilChanged,
        period: slowest.unwrap_or(Duration::from_secs(1)),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

/// Each after those that it is computed from; those in a circle are told.
fn in_order(rows: Vec<Row<'_>>) -> Vec<Derived> {
    let mut ordered: Vec<Derived> = Vec::new();
    let mut waiting = rows;
    loop {
        let ids: Vec<Arc<str>> = waiting.iter().map(|row| Arc::clone(&row.id)).collect();
        let waits = |row: &Row<'_>| row.expression.meters().any(|input| ids.contains(input));
        let (blocked, ready): (Vec<Row<'_>>, Vec<Row<'_>>) = waiting.into_iter().partition(waits);
        waiting = blocked;
        if ready.is_empty() {
            break;
        }
        ordered.extend(ready.into_iter().map(|row| Derived {
            meter: row.id,
            expression: row.expression,
        }));
    }
    let names = list(waiting.iter().map(|row| format!("`{}`", row.id)));
    for row in &waiting {
        row.table.problem(
            "expression",
            format!("{names} cannot be computed: one rests on the other, or on itself"),
            "an expression of meters that are measured",
        );
    }
    ordered
}

#[cfg(test)]
#[path = "derived_tests.rs"]
mod tests;
