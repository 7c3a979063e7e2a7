//! Reports: one model each, and a table of formats that walks it.
//!
//! A report is computed from the ledger's intervals and from nothing else. Sums are
//! exact integers; a total with a member missing is unknown, and the report says how
//! many intervals are, so that a partial sum never passes for a whole one.

pub mod allocation;
mod allocation_text;
pub mod carbon;
mod carbon_text;
pub mod cells;
pub mod grid_export;
pub mod kpi;
#[cfg(test)]
mod test_park;

use allocation::Allocation;
use carbon::Carbon;
use grid_export::GridExport;
use kpi::Kpi;

/// A report, computed.
pub enum Report {
    /// What crossed the grid connection.
    GridExport(GridExport),
    /// Who got what.
    Allocation(Allocation),
    /// What it means in carbon dioxide.
    Carbon(Box<Carbon>),
    /// The indicators of a period.
    Kpi(Box<Kpi>),
}

/// A format of reports.
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// Writes a report.
    pub write: fn(&Report) -> String,
}

/// Every format there is.
pub const FORMATS: &[Format] = &[
    Format {
        name: "csv",
        write: |report| match report {
            Report::GridExport(report) => grid_export::csv(report),
            Report::Allocation(report) => allocation_text::csv(report),
            Report::Carbon(report) => carbon_text::csv(report),
            Report::Kpi(report) => kpi::csv(report),
        },
    },
    Format {
        name: "json",
        write: json,
    },
];

/// A report as JSON.
#[must_use]
pub fn json(report: &Report) -> String {
    match report {
        Report::GridExport(report) => grid_export::json(report),
        Report::Allocation(report) => allocation_text::json(report),
        Report::Carbon(report) => carbon_text::json(report),
        Report::Kpi(report) => kpi::json(report),
    }
}

/// Every report there is, with what it is about.
pub const REPORTS: &[(&str, &str)] = &[
    (
        "grid-export",
        "energy exchanged with the grid, generated, used and supplied as heat, by settlement interval",
    ),
    (
        "kpi",
        "indicators of the period: self-consumption, direct supply, heat, and every unit of the plant",
    ),
    (
        "allocation",
        "who got how much of the generation and the solar heat, by settlement interval",
    ),
    (
        "carbon",
        "emissions by location and by contract, avoided emissions as a memo, the hourly match",
    ),
];
