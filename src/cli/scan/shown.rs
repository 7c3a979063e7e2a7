//! What a scan found, for people and for programs.

use serde_json::{Value, json};

use super::{First, Scan, Unit};
use crate::cli::columns::{Side, columns};
use crate::cli::endpoint::Endpoint;
use crate::wire::modbus::exception;
use crate::wire::sunspec::Chain;

/// For programs.
#[must_use]
pub fn as_json(endpoint: &Endpoint, scan: &Scan, requests: u32) -> Value {
    let units: Vec<Value> = scan.units.iter().map(unit_json).collect();
    let strange = scan
        .strange
        .iter()
        .map(|(unit, what)| json!({ "unit": unit, "fact": what }));
    json!({
        "endpoint": endpoint.text,
        "asked": scan.asked,
        "complete": scan.complete,
        "requests": requests,
        "same_answer": scan.is_alike(),
        "units": units,
        "unusable": strange.collect::<Vec<_>>(),
    })
}

fn unit_json(unit: &Unit) -> Value {
    let (word, code) = match unit.first {
        First::Word(word) => (Some(word), None),
        First::Refused(code) => (None, Some(code)),
    };
    let sunspec = unit.sunspec.as_ref().map(|chain| {
        let ids: Vec<u16> = chain.models.iter().map(|found| found.id).collect();
        json!({
            "base": chain.base,
            "manufacturer": chain.identity.manufacturer,
            "model": chain.identity.model,
            "serial": chain.identity.serial,
            "models": ids,
        })
    });
    json!({
        "unit": unit.id,
        "register_0": word,
        "exception": code,
        "templates": unit.templates,
        "identified": unit.identified,
        "fell_silent": unit.fell_silent,
        "sunspec": sunspec,
    })
}

/// For people.
#[must_use]
pub fn as_text(endpoint: &Endpoint, scan: &Scan) -> String {
    let mut text = format!(
        "{}: {} of {} units answer\n",
        endpoint.wiring,
        scan.units.len(),
        scan.asked
    );
    let alike = scan.is_alike();
    let mut rows = vec![
        ["unit", "register 0", "what it is"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let shown = scan.units.iter().filter(|unit| !alike || unit.identified);
    rows.extend(shown.map(|unit| {
        let first = match unit.first {
            First::Word(word) => word.to_string(),
            First::Refused(code) => format!("refused: {}", exception(code)),
        };
        vec![unit.id.to_string(), first, what(unit)]
    }));
    text.push_str(&columns(&rows, &[Side::Right, Side::Left]));
    if alike {
        text.push_str(
            "Every unit id gives the same answer: the device or gateway does not look at it. \
             Configure one unit only.\n",
        );
    }
    for (unit, fact) in scan.strange.iter().take(5) {
        text.push_str(&format!("unit {unit} {fact}\n"));
    }
    if let Some(more) = scan.strange.len().checked_sub(5).filter(|more| *more > 0) {
        text.push_str(&format!("{more} more units do the like\n"));
    }
    if !scan.complete {
        text.push_str(&format!(
            "Stopped after {} of {} units.\n",
            scan.asked, scan.wanted
        ));
    }
    if let Some(unit) = scan.units.first() {
        text.push_str(&format!(
            "Look closer: sunledger probe '{}' --unit {}{}\n",
            endpoint.text,
            unit.id,
            template(unit).map_or(String::new(), |name| format!(" --template {name}")),
        ));
    }
    text
}

/// The template to look closer with.
fn template(unit: &Unit) -> Option<&str> {
    let sunspec = unit.sunspec.as_ref().map(|_| "sunspec");
    unit.templates.first().map(String::as_str).or(sunspec)
}

fn what(unit: &Unit) -> String {
    let mut said: Vec<String> = Vec::new();
    if !unit.templates.is_empty() {
        said.push(unit.templates.join(" or "));
    }
    said.extend(unit.sunspec.as_ref().map(models));
    if unit.fell_silent {
        said.push("stopped answering while it was looked at".to_owned());
    }
    if said.is_empty() {
        said.push("not recognised".to_owned());
    }
    said.join("; ")
}

fn models(chain: &Chain) -> String {
    let ids: Vec<String> = chain
        .models
        .iter()
        .map(|found| found.id.to_string())
        .collect();
    let identity = &chain.identity;
    let name = format!("{} {}", identity.manufacturer, identity.model);
    format!("SunSpec {}: models {}", name.trim(), ids.join(", "))
}
