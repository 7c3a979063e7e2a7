//! Reports: one model each, and a table of formats that walks it.
//!
//! A report is computed from the ledger's intervals and from nothing else. Sums are
//! exact integers; a total with a member missing is unknown, and the report says how
//! many intervals are, so that a partial sum never passes for a whole one.

pub mod grid_export;

use grid_export::GridExport;

/// A format of reports.
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// Writes a report.
    pub write: fn(&GridExport) -> String,
}

/// Every format there is.
pub const FORMATS: &[Format] = &[
    Format {
        name: "csv",
        write: grid_export::csv,
    },
    Format {
        name: "json",
        write: grid_export::json,
    },
];

/// Every report there is, with what it is about.
pub const REPORTS: &[(&str, &str)] = &[(
    "grid-export",
    "energy exchanged with the grid, generated, used and supplied as heat, by settlement interval",
)];
