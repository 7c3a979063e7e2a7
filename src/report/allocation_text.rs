//! The allocation report as CSV and JSON.

use serde_json::{Map, Value as Json, json};

use super::allocation::{Allocation, Part, Row, green_cells};
use super::cells::{Cell, Sum, quoted};
use crate::domain::allocate::{Key, LossRule};
use crate::domain::meter::Carrier;
use crate::domain::quality::Quality;
use crate::domain::settlement::Rule;
use crate::domain::settlement::origin::Green;
use crate::domain::time::rfc3339;
use crate::domain::units::MilliwattHours;

/// A part of a row, with its place in both formats.
struct Place {
    /// What its columns begin with.
    prefix: &'static str,
    /// Its columns.
    columns: Vec<Cell>,
    /// Its part of a row.
    of: fn(&Row) -> Option<&Part>,
    /// Its name in JSON.
    name: &'static str,
}

fn places(report: &Allocation) -> Vec<Place> {
    let nothing = Green {
        heat: None,
        generation: MilliwattHours::ZERO,
        charge: MilliwattHours::ZERO,
        discharge: MilliwattHours::ZERO,
        export: MilliwattHours::ZERO,
        content_wh: 0.0,
        content: 0.0,
    };
    let mut places = Vec::new();
    if report.settlement.electricity.is_some() {
        places.push(Place {
            prefix: "",
            columns: report.columns(Carrier::Electricity),
            of: |row| row.electricity.as_ref(),
            name: "electricity",
        });
        places.push(Place {
            prefix: "green_",
            columns: green_cells(&nothing),
            of: |row| row.green.as_ref().map(|green| &green.part),
            name: "renewable",
        });
    }
    if report.settlement.heat.is_some() {
        places.push(Place {
            prefix: "heat_",
            columns: report.columns(Carrier::Heat),
            of: |row| row.heat.as_ref(),
            name: "heat",
        });
    }
    places
}

impl Place {
    /// The head of a column: what two parts have stands behind their prefix.
    fn head(&self, cell: &Cell) -> String {
        if self.prefix == "heat_" {
            format!("heat_{}", cell.head())
        } else {
            cell.head()
        }
    }
}

/// The report as CSV: a column for each share of each meter (`hall-a:local_kwh`), six
/// decimals, empty for unknown, with the reason; the last row is the total.
#[must_use]
pub fn csv(report: &Allocation) -> String {
    let places = places(report);
    let mut head = vec!["start".to_owned(), "end".to_owned(), "revision".to_owned()];
    for place in &places {
        head.extend(place.columns.iter().map(|cell| place.head(cell)));
        for about in ["quality", "coverage_pct", "reason"] {
            head.push(format!("{}{about}", place.prefix));
        }
    }
    let mut text = head
        .iter()
        .map(|head| quoted(head))
        .collect::<Vec<_>>()
        .join(",");
    text.push_str("\r\n");
    let zone = &report.scope.time_zone;
    for row in &report.rows {
        let mut line = vec![
            rfc3339(row.span.start, zone),
            rfc3339(row.span.end, zone),
            row.revision.to_string(),
        ];
        for place in &places {
            let Some(part) = (place.of)(row) else {
                continue;
            };
            let known = part.reason.is_empty().then_some(&part.cells[..]);
            put(
                &mut line,
                place,
                known,
                part.quality,
                part.coverage_pct,
                &part.reason,
            );
        }
        text.push_str(&line.join(","));
        text.push_str("\r\n");
    }
    let mut line = vec!["total".to_owned(), String::new(), String::new()];
    for place in &places {
        let sum = report.total(place.of);
        let coverage = sum.coverage_pct();
        put(
            &mut line,
            place,
            sum.cells(),
            total_quality(&sum),
            coverage,
            &sum.reason(),
        );
    }
    text.push_str(&line.join(","));
    text.push_str("\r\n");
    text
}

fn total_quality(sum: &Sum) -> Quality {
    if sum.unknown > 0 {
        Quality::Missing
    } else {
        sum.quality()
    }
}

fn put(
    line: &mut Vec<String>,
    place: &Place,
    cells: Option<&[Cell]>,
    quality: Quality,
    coverage_pct: f64,
    reason: &str,
) {
    for at in 0..place.columns.len() {
        let cell = cells.and_then(|cells| cells.get(at));
        line.push(cell.map_or(String::new(), |cell| cell.energy.to_kwh_string()));
    }
    line.push(quality.name().to_owned());
    line.push(format!("{coverage_pct:.2}"));
    line.push(quoted(reason));
}

/// Energies as an object; those of a meter in an object of its own.
fn object(columns: &[Cell], cells: Option<&[Cell]>) -> Map<String, Json> {
    let mut object = Map::new();
    let mut lines = Map::new();
    for (at, column) in columns.iter().enumerate() {
        let cell = cells.and_then(|cells| cells.get(at));
        let energy = cell.map_or(Json::Null, |cell| Json::String(cell.energy.to_kwh_string()));
        match &column.group {
            None => {
                object.insert(column.name.to_owned(), energy);
            }
            Some(group) => {
                let line = lines.entry(group.to_string()).or_insert_with(|| json!({}));
                if let Some(line) = line.as_object_mut() {
                    line.insert(column.name.to_owned(), energy);
                }
            }
        }
    }
    if !lines.is_empty() {
        object.insert("lines".to_owned(), Json::Object(lines));
    }
    object
}

fn rounded(coverage_pct: f64) -> f64 {
    (coverage_pct * 100.0).round() / 100.0
}

fn part(place: &Place, part: &Part) -> Map<String, Json> {
    let known = part.reason.is_empty().then_some(&part.cells[..]);
    let mut object = object(&place.columns, known);
    object.insert("quality".to_owned(), json!(part.quality.name()));
    object.insert("coverage_pct".to_owned(), json!(rounded(part.coverage_pct)));
    let reason = (!part.reason.is_empty()).then_some(&part.reason);
    object.insert("reason".to_owned(), json!(reason));
    object.insert("missing".to_owned(), json!(part.missing));
    object
}

/// The report as JSON: the same numbers, with what they are shared by and what the pools
/// started with.
#[must_use]
pub fn json(report: &Allocation) -> String {
    let places = places(report);
    let scope = &report.scope;
    let at = |instant| rfc3339(instant, &scope.time_zone);
    let rows = report.rows.iter().map(|row| {
        let mut object = Map::new();
        object.insert("start".to_owned(), json!(at(row.span.start)));
        object.insert("end".to_owned(), json!(at(row.span.end)));
        object.insert("revision".to_owned(), json!(row.revision));
        for place in &places {
            if let Some(one) = (place.of)(row) {
                object.insert(place.name.to_owned(), Json::Object(part(place, one)));
            }
        }
        let content = row.green.as_ref().and_then(|green| green.content);
        if let (Some((content_wh, renewable)), Some(green)) = (content, object.get_mut("renewable"))
            && let Some(green) = green.as_object_mut()
        {
            green.insert("battery_content_kwh".to_owned(), json!(content_wh / 1e3));
            green.insert("battery_renewable".to_owned(), json!(renewable));
        }
        Json::Object(object)
    });
    let rows: Vec<Json> = rows.collect();
    let total: Map<String, Json> = places
        .iter()
        .map(|place| {
            let sum = report.total(place.of);
            let mut object = object(&place.columns, sum.cells());
            object.insert("quality".to_owned(), json!(total_quality(&sum).name()));
            object.insert(
                "coverage_pct".to_owned(),
                json!(rounded(sum.coverage_pct())),
            );
            object.insert("intervals".to_owned(), json!(sum.intervals));
            object.insert("unknown_intervals".to_owned(), json!(sum.unknown));
            (place.name.to_owned(), Json::Object(object))
        })
        .collect();
    let settlement = &report.settlement;
    let battery = &settlement.battery;
    let renewable: Vec<&str> = battery
        .renewable
        .iter()
        .map(|meter| report.meter(*meter))
        .collect();
    let document = json!({
        "report": "allocation",
        "park": scope.park,
        "time_zone": scope.zone_name,
        "from": scope.dates.0.to_string(),
        "to": scope.dates.1.to_string(),
        "settlement_minutes": scope.settlement_minutes,
        "label": "start of interval",
        "electricity": settlement.electricity.as_ref().map(|rule| contract(report, rule)),
        "battery": {
            "shared": if battery.own_pool { "by itself, after generation" } else { "with generation" },
            "charging": battery.pool.charging,
            "discharging": battery.pool.discharging,
            "starts_with_kwh": battery.pool.energy_wh / 1e3,
            "starts_renewable": battery.pool.renewable,
            "renewable_generators": renewable,
            "intervals_passed_over": report.origin_gaps(),
        },
        "heat": settlement.heat.as_ref().map(|rule| contract(report, rule)),
        "heat_storage": {
            "starts_with_kwh": settlement.storage.pool.content() / 1e3,
            "starts_solar": settlement.storage.pool.solar(),
            "intervals_passed_over": report.storage_gaps(),
        },
        "rows": rows,
        "total": total,
    });
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// A contract in words.
fn contract(report: &Allocation, rule: &Rule) -> Json {
    let names: Vec<&str> = rule
        .participants
        .iter()
        .map(|meter| report.meter(*meter))
        .collect();
    let shares = |all: &[crate::domain::allocate::Share]| -> Json {
        let named = names.iter().zip(all);
        Json::Object(
            named
                .map(|(name, share)| ((*name).to_owned(), json!(share.of_one())))
                .collect(),
        )
    };
    let (name, detail) = match &rule.key {
        Key::Static(all) => ("static", json!({ "shares": shares(all) })),
        Key::StaticRedistributed(all) => ("static_redistributed", json!({ "shares": shares(all) })),
        Key::Dynamic => ("dynamic", json!({})),
        Key::Cascade(order) => {
            let order: Vec<_> = order.iter().filter_map(|place| names.get(*place)).collect();
            ("cascade", json!({ "order": order }))
        }
    };
    json!({
        "participants": names,
        "rule": name,
        "detail": detail,
        "loss": match rule.loss {
            LossRule::ProRata => "pro_rata",
            LossRule::Operator => "operator",
        },
    })
}
