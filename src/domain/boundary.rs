//! The grid connection: how many meters, and how import and export are told apart there.
//!
//! ```text
//!   meter a ── import 300 ──┐
//!                           ├──▶ import 300, export 200     never import 100
//!   meter b ── export 200 ──┘
//! ```
//!
//! **Meters are summed each way and never netted against each other.** What went out at
//! one connection and came in at another did cross both; a contract that nets does so on
//! the two sums, from which the net is always had, while two sums are never had from a
//! net. Within a meter, its registers have netted what came and went within their own
//! window (about a second, or a period of the mains); where there is no register, the
//! window is the time between two readings.

use std::fmt;
use std::str::FromStr;

use super::balance::members;
use super::interval::{Origin, channels};
use super::meter::{Carrier, Meter, Park, Term};
use super::relations::RegisterMode;

/// Over which time import and export were netted before they counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Netting {
    /// The meters' own, inside of their registers.
    Registers,
    /// The longest time between two readings of a meter that has no registers, seconds.
    Samples(f64),
}

impl Netting {
    /// The window in seconds; none for the meters' own.
    #[must_use]
    pub fn window_s(self) -> Option<f64> {
        match self {
            Self::Registers => None,
            Self::Samples(window_s) => Some(window_s),
        }
    }

    /// What netted: the word of the live view.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Registers => "registers",
            Self::Samples(_) => "samples",
        }
    }
}

/// As the ledger keeps it: `registers`, or `samples` and the window in seconds.
impl fmt::Display for Netting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registers => f.write_str(self.name()),
            Self::Samples(window_s) => write!(f, "{} {window_s}", self.name()),
        }
    }
}

impl FromStr for Netting {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once(' ') {
            None if text == Self::Registers.name() => Ok(Self::Registers),
            Some(("samples", window)) => window.parse().map(Self::Samples).map_err(drop),
            _ => Err(()),
        }
    }
}

/// How import and export of a park are told apart; none without a meter at the grid.
#[must_use]
pub fn netting(park: &Park) -> Option<Netting> {
    let grid = members(park, Carrier::Electricity, Term::Grid);
    let meters = grid.iter().filter_map(|index| park.meters.get(*index));
    meters
        .map(|meter| {
            let integrated = channels(meter)
                .iter()
                .any(|(_, origin)| *origin == Origin::Power);
            if integrated {
                Netting::Samples(meter.period.as_secs_f64())
            } else {
                Netting::Registers
            }
        })
        .reduce(|one, other| match (one.window_s(), other.window_s()) {
            (Some(one), Some(other)) => Netting::Samples(one.max(other)),
            (Some(_), None) => one,
            (None, _) => other,
        })
}

/// What the registers at the grid count of three phases: the word of reports and of the
/// live view; none without a meter at the grid.
///
/// Power without a register is the sum of the phases, so what is integrated is vectorial.
/// Sums of meters that count differently are of no one convention, and say so.
#[must_use]
pub fn register_mode(park: &Park) -> Option<&'static str> {
    let grid = members(park, Carrier::Electricity, Term::Grid);
    let meters = grid.iter().filter_map(|index| park.meters.get(*index));
    let mode = |meter: &Meter| {
        let all = channels(meter);
        let registers = all
            .iter()
            .any(|(_, origin)| matches!(origin, Origin::Register(_)));
        match park.relations.register_modes.get(&meter.id) {
            _ if !registers => RegisterMode::Vectorial,
            Some(mode) => *mode,
            None => RegisterMode::Unknown,
        }
    };
    let names = meters.map(|meter| mode(meter).name());
    names.reduce(|one, other| if one == other { one } else { "mixed" })
}

#[cfg(test)]
#[path = "boundary_tests.rs"]
mod tests;
