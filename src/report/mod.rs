//! Reports: one model each, and a table of formats that walks it.
//!
//! A report is computed from the ledger's intervals and from nothing else. Sums are
//! exact integers; a total with a member missing is unknown, and the report says how
//! many intervals are, so that a partial sum never passes for a whole one.

pub mod grid_export;
pub mod kpi;

use grid_export::GridExport;
use kpi::Kpi;

/// A format of reports.
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// Writes the export of a period.
    pub grid_export: fn(&GridExport) -> String,
    /// Writes the indicators of a period.
    pub kpi: fn(&Kpi) -> String,
}

/// Every format there is.
pub const FORMATS: &[Format] = &[
    Format {
        name: "csv",
        grid_export: grid_export::csv,
        kpi: kpi::csv,
    },
    Format {
        name: "json",
        grid_export: grid_export::json,
        kpi: kpi::json,
    },
];

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
];
