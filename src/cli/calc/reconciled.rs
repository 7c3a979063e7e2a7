//! How a reconciliation is written.

use serde_json::{Value, json};

use super::super::columns::{Side, columns};
use super::section;
use crate::domain::reconcile::{Checked, Computed, Measured, Nodal, Reconciled, VDI_LIMIT};

/// What was found, for programs.
#[must_use]
pub fn document(unit: &str, measured: &[Measured], found: &Reconciled) -> Value {
    json!({
        "unit": unit,
        "measured": found.measured.iter().zip(measured).map(meter_json).collect::<Vec<_>>(),
        "unmeasured": found.unmeasured.iter().map(|one| json!({
            "name": one.name,
            "value": one.value.map(|value| value.0),
            "uncertainty": one.value.map(|value| value.1),
        })).collect::<Vec<_>>(),
        "constraints": found.nodes.iter().map(|node| json!({
            "name": node.name,
            "miss": node.miss.map(|miss| miss.0),
            "z": node.miss.map(|miss| miss.1),
        })).collect::<Vec<_>>(),
        "global": found.global.map(|global| json!({
            "chi_square": global.chi_square,
            "degrees": global.degrees,
            "limit": global.limit,
            "p_value": global.p_value,
            "passes": global.passes(),
        })),
        "z_limit": found.limit,
        "vdi_limit": VDI_LIMIT,
        "suspects": found.suspects().iter().map(|group| json!({
            "names": group.names, "z": group.z,
        })).collect::<Vec<_>>(),
        "unchecked": found.unchecked().collect::<Vec<_>>(),
    })
}

fn meter_json((one, given): (&Checked, &Measured)) -> Value {
    json!({
        "name": one.name,
        "raw": one.raw,
        "raw_uncertainty": given.uncertainty,
        "value": one.value,
        "uncertainty": one.uncertainty,
        "adjustment": one.raw - one.value,
        "z": one.test.map(|test| test.z),
        "vdi": one.test.map(|test| test.vdi),
        "checked": one.test.is_some(),
    })
}

/// The same for people.
#[must_use]
pub fn page(unit: &str, measured: &[Measured], found: &Reconciled) -> String {
    let number = |value: f64| format!("{value:.6}");
    let test =
        |value: Option<f64>| value.map_or("unchecked".to_owned(), |value| format!("{value:.3}"));
    let mut rows = vec![
        ["", "RAW", "±", "RECONCILED", "±", "Z", "VDI"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(found.measured.iter().zip(measured).map(|(one, given)| {
        vec![
            one.name.to_string(),
            number(one.raw),
            number(given.uncertainty),
            number(one.value),
            number(one.uncertainty),
            test(one.test.map(|test| test.z)),
            test(one.test.map(|test| test.vdi)),
        ]
    }));
    let sides = [vec![Side::Left], vec![Side::Right; 6]].concat();
    let mut text = format!(
        "measured, {}, ± is one standard uncertainty:\n",
        if unit.is_empty() { "in one unit" } else { unit }
    );
    text += &columns(&rows, &sides);
    if !found.unmeasured.is_empty() {
        let row = |one: &Computed| {
            let value = one
                .value
                .map_or("left open by the constraints".to_owned(), |(value, u)| {
                    format!("{value:.6} ± {u:.6} {unit}")
                });
            vec![one.name.to_string(), value]
        };
        text += "unmeasured:\n";
        text += &columns(&found.unmeasured.iter().map(row).collect::<Vec<_>>(), &[]);
    }
    let row = |node: &Nodal| {
        let miss = node
            .miss
            .map_or("an unmeasured term closes it".to_owned(), |(miss, z)| {
                format!("misses by {miss:.6} {unit}, z {z:.3}")
            });
        vec![node.name.to_string(), miss]
    };
    text += "constraints:\n";
    text += &columns(&found.nodes.iter().map(row).collect::<Vec<_>>(), &[]);
    if let Some(global) = found.global {
        text += &section(
            "all together",
            &[
                ("χ²", format!("{:.6}", global.chi_square), ""),
                ("limit", format!("{:.6}", global.limit), ""),
                ("degrees of freedom", global.degrees.to_string(), ""),
                ("probability", format!("{:.6}", global.p_value), ""),
                (
                    "",
                    if global.passes() { "passes" } else { "fails" }.to_owned(),
                    "",
                ),
            ],
        );
    }
    for group in found.suspects() {
        text += &format!(
            "suspect: {} (z {:.3}, limit {:.3})\n",
            group.names.join(" or "),
            group.z,
            found.limit
        );
    }
    let unchecked: Vec<&str> = found.unchecked().map(|name| &**name).collect();
    if !unchecked.is_empty() {
        text += &format!("checked by no constraint: {}\n", unchecked.join(", "));
    }
    text
}
