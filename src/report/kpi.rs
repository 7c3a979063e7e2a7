//! The indicators of a period: one row each, with what it rests on.
//!
//! All of them are ratios of sums of energies over the closed intervals of the period,
//! **never means of ratios**, and the report says over which time import and export were
//! netted before they counted. An indicator with an unknown input in any interval has no
//! value; `of_known` is what the other intervals come to, and never stands in for it.

use serde_json::{Value as Json, json};

use super::grid_export::Scope;
use crate::domain::plant::Indicator;
use crate::domain::time::rfc3339;

/// Columns of the CSV.
pub const COLUMNS: &[&str] = &[
    "unit",
    "indicator",
    "value",
    "in",
    "limit",
    "kept",
    "quality",
    "coverage_pct",
    "intervals",
    "unknown_intervals",
    "of_known",
    "missing",
    "note",
];

/// The report.
#[derive(Debug, Clone)]
pub struct Kpi {
    /// What it is about.
    pub scope: Scope,
    /// Whether the park's configuration was at hand: without it there are no units, and
    /// nothing that needs single meters.
    pub configured: bool,
    /// One row each.
    pub indicators: Vec<Indicator>,
}

/// Six decimals: more than any meter knows, in every format the same.
fn rounded(value: f64) -> f64 {
    let shown = format!("{value:.6}");
    shown.parse().unwrap_or(value)
}

fn missing(indicator: &Indicator) -> Vec<&str> {
    let gaps = indicator.gaps.as_ref();
    gaps.map_or_else(Vec::new, |gaps| gaps.meters())
}

/// A word of a CSV: quoted where it has to be.
fn word(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// The report as CSV: six decimals, empty for unknown.
#[must_use]
pub fn csv(report: &Kpi) -> String {
    let mut text = COLUMNS.join(",");
    text.push_str("\r\n");
    let number = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
    for one in &report.indicators {
        let kept = one.judged.and_then(|judged| judged.kept);
        let cells = [
            one.of.as_deref().map(word).unwrap_or_default(),
            one.name.to_owned(),
            number(one.value),
            one.unit.to_owned(),
            number(one.judged.map(|judged| judged.limit)),
            kept.map(|kept| kept.to_string()).unwrap_or_default(),
            one.quality.name().to_owned(),
            format!("{:.2}", one.coverage_pct),
            one.intervals.to_string(),
            one.unknown_intervals.to_string(),
            number(one.of_known),
            word(&missing(one).join(" ")),
            one.note.as_deref().map(word).unwrap_or_default(),
        ];
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

fn row(one: &Indicator) -> Json {
    let gaps = one.gaps.as_ref().map_or(&[][..], |gaps| gaps.list());
    json!({
        "unit": one.of,
        "indicator": one.name,
        "value": one.value.map(rounded),
        "in": one.unit,
        "limit": one.judged.map(|judged| json!({
            if judged.at_most { "most" } else { "least" }: judged.limit,
            "kept": judged.kept,
        })),
        "quality": one.quality.name(),
        "coverage_pct": (one.coverage_pct * 100.0).round() / 100.0,
        "intervals": one.intervals,
        "unknown_intervals": one.unknown_intervals,
        "of_known": one.of_known.map(rounded),
        "missing": missing(one),
        "gaps": gaps,
        "note": one.note,
    })
}

/// The report as JSON, with the netting and the reasons of gaps.
#[must_use]
pub fn json(report: &Kpi) -> String {
    let scope = &report.scope;
    let mut document = json!({
        "report": "kpi",
        "park": scope.park,
        "time_zone": scope.zone_name,
        "from": scope.dates.0.to_string(),
        "to": scope.dates.1.to_string(),
        "start": rfc3339(scope.span.start, &scope.time_zone),
        "end": rfc3339(scope.span.end, &scope.time_zone),
        "settlement_minutes": scope.settlement_minutes,
        "configuration": report.configured,
        "indicators": report.indicators.iter().map(row).collect::<Vec<_>>(),
    });
    if let Some(object) = document.as_object_mut() {
        object.extend(scope.rules.json());
    }
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
#[path = "kpi_tests.rs"]
mod tests;
