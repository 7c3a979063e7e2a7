//! How much of a load is matched by carbon-free energy, hour by hour and over a year.

use crate::domain::units::{MilliwattHours, to_f64};

/// An hour.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Hour {
    /// What was used.
    pub load: Option<MilliwattHours>,
    /// Carbon-free energy, own or by contract.
    pub carbon_free: Option<MilliwattHours>,
    /// The carbon-free part of the grid, 0 to 1, where it is known.
    pub grid_share: Option<f64>,
}

/// An hour that says too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("hour {hour}: {fault}")]
pub struct HourGap {
    /// Its place, counted from 0.
    pub hour: usize,
    /// What is wrong with it.
    pub fault: &'static str,
}

/// What was matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// By hour: the lesser of load and carbon-free energy.
    pub hours: Vec<MilliwattHours>,
    /// All load.
    pub load: MilliwattHours,
    /// All carbon-free energy.
    pub carbon_free: MilliwattHours,
    /// All that was matched.
    pub matched: MilliwattHours,
    /// Carbon-free energy of hours that did not need it; it counts nowhere.
    pub excess: MilliwattHours,
    /// The rest of the load times the carbon-free share of the grid; unknown if an hour
    /// has no share.
    from_grid: Option<f64>,
}

/// Matches load and carbon-free energy hour by hour.
///
/// # Errors
///
/// [`HourGap`] for the first hour with an unknown energy, one below zero, or a share of
/// the grid outside of 0 to 1. A missing hour leaves the score unknown: it may be the
/// night.
///
/// # Source
///
/// The score of "24/7 Carbon-Free Energy: Methodologies and Metrics" (Google, 2021), as
/// quoted by secondary sources.
pub fn match_hours(hours: &[Hour]) -> Result<Matched, HourGap> {
    let mut matched = Matched {
        hours: Vec::with_capacity(hours.len()),
        load: MilliwattHours::ZERO,
        carbon_free: MilliwattHours::ZERO,
        matched: MilliwattHours::ZERO,
        excess: MilliwattHours::ZERO,
        from_grid: Some(0.0),
    };
    for (place, hour) in hours.iter().enumerate() {
        let gap = |fault| HourGap { hour: place, fault };
        let load = hour.load.ok_or_else(|| gap("the load is unknown"))?;
        let carbon_free = hour
            .carbon_free
            .ok_or_else(|| gap("the carbon-free energy is unknown"))?;
        if load.min(carbon_free) < MilliwattHours::ZERO {
            return Err(gap("an energy is below zero"));
        }
        if hour
            .grid_share
            .is_some_and(|share| !(0.0..=1.0).contains(&share))
        {
            return Err(gap(
                "the carbon-free share of the grid is outside of 0 to 1",
            ));
        }
        let both = load.min(carbon_free);
        matched.hours.push(both);
        matched.load += load;
        matched.carbon_free += carbon_free;
        matched.matched += both;
        matched.excess += carbon_free - both;
        let rest = hour.grid_share.map(|share| to_f64((load - both).0) * share);
        matched.from_grid = matched.from_grid.zip(rest).map(|(sum, rest)| sum + rest);
    }
    Ok(matched)
}

impl Matched {
    /// The part of the load that own and contracted energy matched in its hour; unknown
    /// without a load.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        self.of_load(to_f64(self.matched.0))
    }

    /// The same with the carbon-free part of what came from the grid.
    #[must_use]
    pub fn score_with_grid(&self) -> Option<f64> {
        self.of_load(to_f64(self.matched.0) + self.from_grid?)
    }

    /// The part of the load that carbon-free energy would match if hours did not count,
    /// at most all of it.
    #[must_use]
    pub fn volumetric(&self) -> Option<f64> {
        self.of_load(to_f64(self.carbon_free.min(self.load).0))
    }

    fn of_load(&self, part: f64) -> Option<f64> {
        crate::domain::balance::ratio(Some(part), Some(to_f64(self.load.0)))
    }
}
