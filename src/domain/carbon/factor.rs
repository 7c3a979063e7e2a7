//! Emission factors as dated data: which geography, which year, which kind, from where.

use std::fmt;
use std::sync::Arc;

/// The table that the program carries, with its sources in every row.
const TABLE: &str = include_str!("factors.csv");
/// Megajoules of a kilowatt-hour.
const MJ_PER_KWH: f64 = 3.6;

/// What a factor is an average of. Numbers of different kinds are not comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// All electricity of a grid.
    GridAverage,
    /// All but market-traded non-fossil electricity: a residual mix.
    WithoutTradedNonFossil,
    /// Fossil power alone.
    Fossil,
    /// What one supplier states.
    Supplier,
    /// Purchased heat.
    Heat,
    /// A fuel, by its lower heating value.
    Fuel,
}

/// Every kind with the name of its row in the table of a country, and for people.
const KINDS: &[(Kind, &str, &str)] = &[
    (Kind::GridAverage, "national_average", "grid average"),
    (
        Kind::WithoutTradedNonFossil,
        "national_excl_market_traded_non_fossil",
        "average without market-traded non-fossil power",
    ),
    (Kind::Fossil, "national_fossil_power", "fossil power"),
    (Kind::Supplier, "supplier", "supplier"),
    (Kind::Heat, "heat", "purchased heat"),
    (Kind::Fuel, "fuel", "fuel by its lower heating value"),
];

impl fmt::Display for Kind {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = KINDS.iter().find(|(kind, _, _)| kind == self);
        to.write_str(row.map_or("", |(_, _, name)| name))
    }
}

/// An emission factor with everything that says where it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    /// Where: a country by its code, a region or province by its English name.
    pub geography: Arc<str>,
    /// The same in the language of the place.
    pub local_name: Arc<str>,
    /// The year of the data, not of its publication.
    pub year: i16,
    /// What it is an average of.
    pub kind: Kind,
    /// Carbon dioxide, kilograms per kilowatt-hour.
    pub kg_per_kwh: f64,
    /// The document.
    pub source: Arc<str>,
    /// Where the document is.
    pub url: Arc<str>,
}

impl Factor {
    /// Kilograms per kilowatt-hour of so many tonnes per gigajoule: 0.11 t/GJ is 0.396.
    #[must_use]
    pub fn kg_per_kwh_of_tonnes_per_gj(tonnes: f64) -> f64 {
        tonnes * MJ_PER_KWH
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            geography,
            year,
            kind,
            kg_per_kwh,
            source,
            ..
        } = self;
        write!(
            to,
            "{kg_per_kwh} kg/kWh ({geography}, {kind}, data of {year}; {source})"
        )
    }
}

/// Why a table of factors cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct FactorError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: String,
}

/// Why there is no factor; another year is never taken instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no factor `{kind}` of {year} for `{geography}`; there is {}",
    years(years_there)
)]
pub struct NoFactor {
    /// Where.
    pub geography: String,
    /// When.
    pub year: i16,
    /// Of which kind.
    pub kind: Kind,
    /// The years there are for this geography and kind.
    pub years_there: Vec<i16>,
}

fn years(years: &[i16]) -> String {
    if years.is_empty() {
        return "none of any year".to_owned();
    }
    let years: Vec<String> = years.iter().map(i16::to_string).collect();
    format!(
        "{}, and the one chosen is stored with the result",
        years.join(", ")
    )
}

/// A table of factors.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Factors(Vec<Factor>);

impl Factors {
    /// The table that the program carries.
    #[must_use]
    pub fn embedded() -> Self {
        // `the_embedded_table_can_be_read` says that it is one.
        Self::parse(TABLE).unwrap_or_default()
    }

    /// Reads a table: lines with `#` are remarks, the first other one names the columns
    /// `country,level,code_or_name,name_en,data_year,factor_kgCO2_per_kWh,source,url`.
    ///
    /// # Errors
    ///
    /// [`FactorError`] for the first line that is no factor: a year, a number above or
    /// at zero and a source are wanted.
    pub fn parse(text: &str) -> Result<Self, FactorError> {
        let lines = text.lines().enumerate();
        let mut lines = lines.filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
        lines.next();
        let mut all = Vec::new();
        for (place, line) in lines {
            let factor = row(line).map_err(|fault| FactorError {
                line: place + 1,
                fault,
            })?;
            all.push(factor);
        }
        Ok(Self(all))
    }

    /// The factor of a geography (in English or its own language), a year and a kind.
    ///
    /// # Errors
    ///
    /// [`NoFactor`] with the years there are.
    pub fn find(&self, geography: &str, year: i16, kind: Kind) -> Result<&Factor, NoFactor> {
        let there = || {
            self.0.iter().filter(|factor| {
                let name = *factor.geography == *geography || *factor.local_name == *geography;
                name && factor.kind == kind
            })
        };
        there()
            .find(|factor| factor.year == year)
            .ok_or_else(|| NoFactor {
                geography: geography.to_owned(),
                year,
                kind,
                years_there: there().map(|factor| factor.year).collect(),
            })
    }

    /// Every factor, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = &Factor> {
        self.0.iter()
    }
}

fn row(line: &str) -> Result<Factor, String> {
    let cells: Vec<&str> = line.split(',').map(str::trim).collect();
    let [country, level, local, english, year, factor, source, url] = cells.as_slice() else {
        return Err(format!("{} columns, there should be 8", cells.len()));
    };
    let year = year
        .parse::<i16>()
        .ok()
        .filter(|year| (1990..=2100).contains(year));
    let year = year.ok_or("a factor without the year of its data")?;
    let kg_per_kwh = factor
        .parse::<f64>()
        .ok()
        .filter(|kg| kg.is_finite() && *kg >= 0.0);
    let kg_per_kwh = kg_per_kwh.ok_or_else(|| format!("`{factor}` is no factor"))?;
    if source.is_empty() {
        return Err("a factor without a source".to_owned());
    }
    let national = *level == "national";
    let kind = if national {
        let row = KINDS.iter().find(|(_, name, _)| name == local);
        row.ok_or_else(|| format!("`{local}` is no kind of factor"))?
            .0
    } else {
        Kind::GridAverage
    };
    let (geography, local_name) = if national {
        (country, country)
    } else {
        (english, local)
    };
    Ok(Factor {
        geography: Arc::from(*geography),
        local_name: Arc::from(*local_name),
        year,
        kind,
        kg_per_kwh,
        source: Arc::from(*source),
        url: Arc::from(*url),
    })
}
