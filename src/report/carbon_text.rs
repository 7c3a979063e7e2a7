//! The carbon report as CSV and JSON.

use serde_json::{Map, Value as Json, json};

use super::carbon::{COLUMNS, Carbon, MASSES, Row, masses, total_quality};
use super::cells::quoted;
use crate::domain::carbon::account::{Account, GridShare};
use crate::domain::carbon::{
    Avoided, Emission, Factor, Matched, ParkCarbon, Scope2, Scope2Error, limit_for,
};
use crate::domain::flow::Stated;
use crate::domain::time::rfc3339;
use crate::domain::units::MilliwattHours;

/// Columns that only the total has: ratios of the period's sums, with the factor.
const OF_PERIOD: [&str; 8] = [
    "scope1_fuel_kg",
    "scope2_market_kg",
    "self_supply_ratio",
    "hourly_score",
    "hourly_score_with_grid",
    "park_tco2_per_tce",
    "park_boundary",
    "grid_factor",
];

fn kwh(stated: &Stated<MilliwattHours>) -> Option<String> {
    stated
        .as_ref()
        .ok()
        .map(|known| known.value.to_kwh_string())
}

/// A mass or a ratio, as both formats write it.
fn number(value: Option<f64>, decimals: usize) -> Option<String> {
    value.map(|value| format!("{value:.decimals$}"))
}

/// The report as CSV: six decimals of kilowatt-hours, three of kilograms, empty for
/// unknown; the last row is the total, which alone has what stands for the period.
#[must_use]
pub fn csv(report: &Carbon) -> String {
    let mut head = vec!["start", "end", "revision"];
    head.extend(COLUMNS);
    head.extend(MASSES);
    head.extend(["quality", "coverage_pct", "reason"]);
    head.extend(OF_PERIOD);
    let mut text = head.join(",");
    text.push_str("\r\n");
    let zone = &report.scope.time_zone;
    let grid = &report.account.grid;
    let account = &report.account;
    let mut put = |cells: Vec<String>| {
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    };
    for row in &report.rows {
        let mut cells = vec![
            rfc3339(row.span.start, zone),
            rfc3339(row.span.end, zone),
            row.revision.to_string(),
        ];
        cells.extend(row.energies.iter().map(|one| kwh(one).unwrap_or_default()));
        let masses = row.masses(account);
        cells.extend(masses.map(|kg| number(kg, 3).unwrap_or_default()));
        cells.push(row.quality().name().to_owned());
        cells.push(format!("{:.2}", row.coverage_pct()));
        cells.push(quoted(&row.reason()));
        cells.extend(OF_PERIOD.map(|_| String::new()));
        put(cells);
    }
    let period = report.period();
    let accounted = &period.accounted;
    let mut cells = vec!["total".to_owned(), String::new(), String::new()];
    cells.extend(period.sums.iter().map(|one| kwh(one).unwrap_or_default()));
    let all = masses(&period.sums, account);
    cells.extend(all.map(|kg| number(kg, 3).unwrap_or_default()));
    cells.push(total_quality(&period.sums).name().to_owned());
    cells.push(format!("{:.2}", report.coverage_pct()));
    cells.push(quoted(&lacking(report)));
    let fuel = accounted.fuel.as_ref().map(|fuel| fuel.mass.as_kilograms());
    let market = accounted.market.as_ref().and_then(|one| one.as_ref().ok());
    let market = market.map(|one| one.mass().as_kilograms());
    let supply = accounted.renewable.and_then(|one| one.self_supply());
    let matched = period.matched.as_ref().ok();
    let score = matched.and_then(Matched::score);
    let with_grid = matched.and_then(Matched::score_with_grid);
    let park = accounted.park.as_ref();
    let cell = |value, decimals| number(value, decimals).unwrap_or_default();
    cells.extend([
        cell(fuel, 3),
        cell(market, 3),
        cell(supply, 6),
        cell(score, 6),
        cell(with_grid, 6),
        cell(park.and_then(|park| park.intensity), 6),
        quoted(&boundary(report)),
        quoted(&grid.to_string()),
    ]);
    put(cells);
    text
}

/// What the indicator stands for.
fn boundary(report: &Carbon) -> String {
    let boundary = &report.account.boundary;
    format!("{}; {}", boundary.text, boundary.netting)
}

fn lacking(report: &Carbon) -> String {
    let unknown = |row: &&Row| !row.reason().is_empty();
    match report.rows.iter().filter(unknown).count() {
        0 => String::new(),
        unknown => format!(
            "{unknown} of {} intervals lack something",
            report.rows.len()
        ),
    }
}

fn factor(factor: &Factor) -> Json {
    json!({
        "kg_per_kwh": factor.kg_per_kwh,
        "geography": factor.geography,
        "year": factor.year,
        "kind": factor.kind.to_string(),
        "source": factor.source,
        "url": factor.url,
    })
}

fn emission(emission: &Emission) -> Json {
    json!({
        "energy_kwh": emission.energy.to_kwh_string(),
        "kg": number(Some(emission.mass.as_kilograms()), 3),
        "factor": factor(&emission.factor),
    })
}

fn scope2(found: Option<&Result<Scope2, Scope2Error>>) -> Json {
    match found {
        None => Json::Null,
        // The mass at the top is that of electricity, with its factor.
        Some(Ok(scope)) => {
            let mut told = emission(&scope.electricity);
            if let Some(told) = told.as_object_mut() {
                let total = number(Some(scope.mass().as_kilograms()), 3);
                told.insert("heat".to_owned(), json!(scope.heat.as_ref().map(emission)));
                told.insert("total_kg".to_owned(), json!(total));
            }
            told
        }
        Some(Err(error)) => json!({ "kg": null, "error": error.to_string() }),
    }
}

fn avoided(avoided: &Avoided, location: Option<&Result<Scope2, Scope2Error>>) -> Json {
    let scope2 = location.and_then(|found| found.as_ref().ok());
    let net = scope2.map(|scope2| avoided.net_balance_memo(scope2).as_kilograms());
    json!({
        "net_balance_kg": number(net, 3),
        "note": "a memo, in no scope and netted against none",
        "self_consumption": emission(&avoided.self_consumption),
        "export": emission(&avoided.export),
    })
}

fn matched(
    found: &Result<Matched, crate::domain::carbon::HourGap>,
    grid: Option<&GridShare>,
) -> Json {
    match found {
        Err(gap) => json!({ "score": null, "reason": gap.to_string() }),
        Ok(matched) => json!({
            "score": matched.score(),
            "score_with_grid": matched.score_with_grid(),
            "grid_carbon_free": grid.map(|grid| json!({
                "share": grid.share,
                "year": grid.year,
                "source": grid.source,
            })),
            "volumetric": matched.volumetric(),
            "matched_kwh": matched.matched.to_kwh_string(),
            "load_kwh": matched.load.to_kwh_string(),
            "carbon_free_kwh": matched.carbon_free.to_kwh_string(),
            "excess_kwh": matched.excess.to_kwh_string(),
            "hours": matched.hours.len(),
        }),
    }
}

/// The indicator of the park: a number with factor, boundary and netting rule.
fn park(report: &Carbon, found: Option<&ParkCarbon>) -> Json {
    let (from, to) = report.scope.dates;
    // The notice's classes are of a year; a month says nothing of them.
    let whole_year = (from.month(), from.day(), to.month(), to.day()) == (1, 1, 12, 31)
        && from.year() == to.year();
    json!({
        "tco2_per_tce": found.and_then(|park| park.intensity),
        "t_co2": found.map(|park| park.mass.as_tonnes()),
        "tce": found.map(|park| park.energy_tce),
        "clean_share": found.and_then(|park| park.clean_share),
        "boundary": report.account.boundary.text,
        "netting": report.account.boundary.netting.to_string(),
        "kgce_per_kwh": report.account.kgce_per_kwh,
        "grid_factor": factor(&report.account.grid),
        "whole_year": whole_year,
        "compare_with": found.filter(|_| whole_year).and_then(|park| limit_for(park.energy_tce)),
        "reason": found.is_none().then_some(
            "an energy is unknown, or boilers made heat and [carbon.fuel] names no fuel",
        ),
    })
}

fn energies(row: &[Stated<MilliwattHours>], account: &Account) -> Map<String, Json> {
    let mut object = Map::new();
    for (name, stated) in COLUMNS.iter().zip(row) {
        object.insert((*name).to_owned(), json!(kwh(stated)));
    }
    for (name, kg) in MASSES.iter().zip(masses(row, account)) {
        object.insert((*name).to_owned(), json!(number(kg, 3)));
    }
    object
}

/// The report as JSON: the same numbers, with factors, certificates and the hourly match.
#[must_use]
pub fn json(report: &Carbon) -> String {
    let scope = &report.scope;
    let grid = &report.account.grid;
    let rounded = |pct: f64| (pct * 100.0).round() / 100.0;
    let by_heat = report.by_heat();
    let (stored_kwh, stored_solar) = report.storage_starts_with();
    let rows = report.rows.iter().map(|row| {
        let mut object = energies(&row.energies, &report.account);
        object.insert(
            "start".to_owned(),
            json!(rfc3339(row.span.start, &scope.time_zone)),
        );
        object.insert(
            "end".to_owned(),
            json!(rfc3339(row.span.end, &scope.time_zone)),
        );
        object.insert("revision".to_owned(), json!(row.revision));
        object.insert("quality".to_owned(), json!(row.quality().name()));
        object.insert(
            "coverage_pct".to_owned(),
            json!(rounded(row.coverage_pct())),
        );
        if !by_heat.is_empty() {
            object.insert("heat_solar_share".to_owned(), json!(row.heat_solar));
        }
        let reason = row.reason();
        object.insert(
            "reason".to_owned(),
            json!((!reason.is_empty()).then_some(reason)),
        );
        Json::Object(object)
    });
    let rows: Vec<Json> = rows.collect();
    let period = report.period();
    let accounted = &period.accounted;
    let mut total = energies(&period.sums, &report.account);
    let unknown: Map<String, Json> = COLUMNS
        .iter()
        .enumerate()
        .map(|(place, name)| ((*name).to_owned(), json!(report.unknown(place))))
        .collect();
    let renewable = accounted.renewable;
    let more = [
        ("quality", json!(total_quality(&period.sums).name())),
        ("coverage_pct", json!(rounded(report.coverage_pct()))),
        ("intervals", json!(report.rows.len())),
        ("unknown_intervals", Json::Object(unknown)),
        ("scope1_fuel", json!(accounted.fuel.as_ref().map(emission))),
        ("scope2_location", scope2(accounted.location.as_ref())),
        ("scope2_market", scope2(accounted.market.as_ref())),
        (
            "avoided_memo",
            json!(
                accounted
                    .avoided
                    .as_ref()
                    .map(|one| avoided(one, accounted.location.as_ref()))
            ),
        ),
        (
            "self_supply_ratio",
            json!(renewable.and_then(|one| one.self_supply())),
        ),
        (
            "claimable_ratio",
            json!(renewable.and_then(|one| one.claimable())),
        ),
        (
            "hourly",
            matched(&period.matched, report.account.grid_share.as_ref()),
        ),
        ("zero_carbon_park", park(report, accounted.park.as_ref())),
        (
            "certificates_retired_kwh",
            json!(accounted.retired.to_kwh_string()),
        ),
        (
            "certificates_outside",
            json!(accounted.certificates_outside),
        ),
    ];
    total.extend(more.map(|(name, value)| (name.to_owned(), value)));
    let (starts_kwh, starts_renewable) = report.starts_with();
    let document = json!({
        "report": "carbon",
        "park": scope.park,
        "time_zone": scope.zone_name,
        "from": scope.dates.0.to_string(),
        "to": scope.dates.1.to_string(),
        "settlement_minutes": scope.settlement_minutes,
        "label": "start of interval",
        "grid_factor": factor(grid),
        "battery": {
            "starts_with_kwh": starts_kwh,
            "starts_renewable": starts_renewable,
            "renewable_generators": report.renewable(),
            "intervals_passed_over": report.origin_gaps(),
        },
        "renewable_heat": (!by_heat.is_empty()).then(|| json!({
            "generators": by_heat,
            "storage_starts_with_kwh": stored_kwh,
            "storage_starts_solar": stored_solar,
            "intervals_passed_over": report.storage_gaps(),
        })),
        "rows": rows,
        "total": total,
    });
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}
