//! The carbon account of the park: `[carbon]`.
//!
//! ```toml
//! [carbon.grid.published]                  # a row of the data that the program carries
//! geography = "Shanxi"
//! year = 2023
//! [carbon.fuel]                            # or one's own factor, with year and source
//! name = "natural gas"
//! kg_per_kwh = 0.2
//! [carbon.purchased_heat]                  # heat that is bought, at this meter
//! meter = "district"
//! ```

use std::sync::Arc;

use jiff::civil::Date;

use super::read::Table;
use super::settlement::energy_wh;
use crate::domain::carbon::account::{Account, BoilerFuel, Certificates, GridShare, PurchasedHeat};
use crate::domain::carbon::{Boundary, Factor, Factors, Kind, Netting};
use crate::domain::meter::{Carrier, Park, Term};
use crate::domain::units::MilliwattHours;

/// Years that data can be of.
const YEARS: (i64, i64) = (1990, 2100);
/// More than any fuel or grid emits, kg/kWh: whoever writes grams finds out.
const MOST_KG: f64 = 3.0;
/// Standard coal of a kilowatt-hour of electricity by its calorific value, kilograms.
const KGCE_PER_KWH: f64 = 0.1229;
/// What the indicator stands for where nobody says.
const BOUNDARY: &str = "electricity from the grid and own renewable electricity used in the park, \
    fuel of its boilers; without process emissions and solar heat";
/// The same where heat is bought.
const BOUNDARY_WITH_HEAT: &str = "electricity from the grid and own renewable electricity used in \
    the park, fuel of its boilers, purchased heat; without process emissions and solar heat";

/// Reads `[carbon]`; none where anything in it is wrong.
pub(super) fn account(table: &Table<'_>, park: &Park) -> Option<Account> {
    let mut grid_share = Some(None);
    let grid = if table.has("grid") {
        let inner = table.table("grid");
        inner.and_then(|inner| {
            grid_share = optional(&inner, "carbon_free", carbon_free);
            factor(&inner, Kind::GridAverage)
        })
    } else {
        table.problem(
            "grid",
            "is missing",
            "[carbon.grid.published] with geography and year, or [carbon.grid.own] with \
             kg_per_kwh, geography, year and source",
        );
        None
    };
    let market = optional(table, "market", |inner| factor(inner, Kind::Supplier));
    let fuel = optional(table, "fuel", fuel);
    let purchased_heat = optional(table, "purchased_heat", |inner| purchased_heat(inner, park));
    let mut certificates = Vec::new();
    for one in table.tables("certificates") {
        certificates.extend(certificate(&one));
        one.finish();
    }
    if !certificates.is_empty() && matches!(market, Some(None)) {
        let retired = certificates
            .iter()
            .any(|one: &Certificates| one.retired > MilliwattHours::ZERO);
        if retired {
            table.problem(
                "certificates",
                "are retired, and nothing says what the rest of import emits",
                "add [carbon.market.own] or [carbon.market.published]: the supplier's factor or the residual mix",
            );
        }
    }
    let (mut boundary, kgce_per_kwh) = boundary(table);
    if matches!(purchased_heat, Some(Some(_))) && *boundary.text == *BOUNDARY {
        boundary.text = BOUNDARY_WITH_HEAT.into();
    }
    Some(Account {
        grid: grid?,
        grid_share: grid_share?,
        purchased_heat: purchased_heat?,
        market: market?,
        certificates,
        fuel: fuel?,
        boundary,
        kgce_per_kwh,
    })
}

/// A table that may be absent; the outer none is a mistake in it.
fn optional<T>(
    table: &Table<'_>,
    key: &str,
    read: impl FnOnce(&Table<'_>) -> Option<T>,
) -> Option<Option<T>> {
    if !table.has(key) {
        return Some(None);
    }
    table.table(key).and_then(|inner| read(&inner)).map(Some)
}

/// A factor: a published one, or one's own.
fn factor(table: &Table<'_>, kind: Kind) -> Option<Factor> {
    let choice = table.choice(&["published", "own"]);
    table.finish();
    let (chosen, inner) = choice?;
    let factor = if chosen == "own" {
        own(&inner, kind, "geography", "Shanxi")
    } else {
        published(&inner, kind)
    };
    inner.finish();
    factor
}

/// A row of the data that the program carries.
fn published(table: &Table<'_>, kind: Kind) -> Option<Factor> {
    let geography = table.required("geography", "Shanxi");
    let year = table.required_integer("year", YEARS.0, YEARS.1);
    // What is left when traded green power is taken out is what nobody contracted.
    let kind = if kind == Kind::Supplier {
        Kind::WithoutTradedNonFossil
    } else {
        kind
    };
    let year = i16::try_from(year?).ok()?;
    match Factors::embedded().find(geography?, year, kind) {
        Ok(factor) => Some(factor.clone()),
        Err(error) => {
            let text = error.to_string();
            let (fact, remedy) = text.split_once("; ").unwrap_or((&text, ""));
            let key = if error.years_there.is_empty() {
                "geography"
            } else {
                "year"
            };
            let remedy = if error.years_there.is_empty() {
                "a Chinese province or region by its English name, or CN; elsewhere a factor \
                 of your own: the table `own` with kg_per_kwh, geography, year and source"
                    .to_owned()
            } else {
                remedy.to_owned()
            };
            table.problem(key, fact, remedy);
            None
        }
    }
}

/// A factor of one's own: a value without year and source is none.
fn own(table: &Table<'_>, kind: Kind, place: &str, example: &str) -> Option<Factor> {
    if !table.has("kg_per_kwh") {
        table.problem("kg_per_kwh", "is missing", "add `kg_per_kwh = 0.5`");
    }
    let kg_per_kwh = table.number_in("kg_per_kwh", 0.0, MOST_KG);
    let year = table.required_integer("year", YEARS.0, YEARS.1);
    let source = said(table, "source", "the document it is from");
    let geography = said(table, place, example);
    let name: Arc<str> = geography?.into();
    Some(Factor {
        local_name: Arc::clone(&name),
        geography: name,
        year: i16::try_from(year?).ok()?,
        kind,
        kg_per_kwh: kg_per_kwh?,
        source: source?.into(),
        url: "".into(),
    })
}

/// A word that must be there and say something.
fn said<'a>(table: &Table<'a>, key: &str, example: &str) -> Option<&'a str> {
    let text = table.required(key, example)?;
    if text.trim().is_empty() {
        table.problem(key, "says nothing", format!("such as \"{example}\""));
        return None;
    }
    Some(text)
}

/// The carbon-free part of the grid: a share without year and source is none.
fn carbon_free(table: &Table<'_>) -> Option<GridShare> {
    if !table.has("share") {
        table.problem("share", "is missing", "add `share = 0.35`: a part of one");
    }
    let share = table.number_in("share", 0.0, 1.0);
    let year = table.required_integer("year", YEARS.0, YEARS.1);
    let source = said(table, "source", "the document it is from");
    table.finish();
    Some(GridShare {
        share: share?,
        year: i16::try_from(year?).ok()?,
        source: source?.into(),
    })
}

/// Heat that is bought: where it is counted, and what it emits.
fn purchased_heat(table: &Table<'_>, park: &Park) -> Option<PurchasedHeat> {
    let factor = own(
        table,
        Kind::Heat,
        "geography",
        "the district heating of Taiyuan",
    );
    let id = table.required("meter", "district");
    table.finish();
    let meter = super::settlement::meter(table, "meter", id?, park)?;
    let role = park.meters.get(meter)?.role;
    let term = role.term(Carrier::Heat);
    if !matches!(term, Some(Term::Boiler | Term::HeatFeed)) {
        table.problem(
            "meter",
            format!("`{}` ({}) brings no heat into the park", id?, role.name),
            "the meter at the transfer station: of role boiler, a source at the header, or \
             heat_feed, where all of the network's heat is bought",
        );
        return None;
    }
    Some(PurchasedHeat {
        meter,
        among_boilers: term == Some(Term::Boiler),
        factor: factor?,
    })
}

fn fuel(table: &Table<'_>) -> Option<BoilerFuel> {
    let factor = own(table, Kind::Fuel, "name", "natural gas");
    if !table.has("efficiency") {
        table.problem(
            "efficiency",
            "is missing",
            "add `efficiency = 0.9`: heat per energy of the fuel, lower heating value",
        );
    }
    let efficiency = table.number_in("efficiency", 0.2, 1.2);
    table.finish();
    Some(BoilerFuel {
        factor: factor?,
        efficiency: efficiency?,
    })
}

fn certificate(table: &Table<'_>) -> Option<Certificates> {
    let date = |key: &str| {
        table.required(key, "2026-01-01");
        table.parsed(key, "2026-01-01", |text| {
            text.parse::<Date>().map_err(|_| {
                let remedy = "a day such as \"2026-01-01\"".to_owned();
                (format!("`{text}` is not a date"), remedy)
            })
        })
    };
    let (from, to) = (date("from"), date("to"));
    let energy = |key: &str| {
        let wh = table.parsed(key, "1200MWh", |text| {
            energy_wh(text).ok_or_else(|| {
                let remedy = "such as \"1200MWh\"".to_owned();
                (format!("`{text}` is not an energy"), remedy)
            })
        });
        wh.map(MilliwattHours::from_watt_hours)
    };
    let (retired, sold) = (energy("retired"), energy("sold"));
    if !table.has("retired") && !table.has("sold") {
        table.problem(
            "",
            "says neither `retired` nor `sold`",
            "add `retired = \"1200MWh\"`: bought for import; or `sold`: of own generation",
        );
    }
    let (from, to) = (from?, to?);
    if from > to {
        table.problem(
            "to",
            format!("{to} is before {from}"),
            "the last day, inclusive",
        );
        return None;
    }
    Some(Certificates {
        from,
        to,
        retired: retired.unwrap_or(MilliwattHours::ZERO),
        sold: sold.unwrap_or(MilliwattHours::ZERO),
    })
}

/// `[carbon.park]`: what the indicator stands for, and its standard coal.
fn boundary(table: &Table<'_>) -> (Boundary, f64) {
    let mut boundary = Boundary {
        text: BOUNDARY.into(),
        netting: Netting::ImportAlone,
    };
    let mut kgce_per_kwh = KGCE_PER_KWH;
    if table.has("park")
        && let Some(inner) = table.table("park")
    {
        if inner.has("boundary")
            && let Some(text) = said(&inner, "boundary", BOUNDARY)
        {
            boundary.text = text.into();
        }
        if inner.flag("net_of_export").unwrap_or(false) {
            boundary.netting = Netting::ImportMinusExport;
        }
        kgce_per_kwh = inner
            .number_in("kgce_per_kwh", 0.1, 0.5)
            .unwrap_or(kgce_per_kwh);
        inner.finish();
    }
    (boundary, kgce_per_kwh)
}

#[cfg(test)]
#[path = "carbon_tests.rs"]
mod tests;
