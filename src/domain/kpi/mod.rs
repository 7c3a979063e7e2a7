//! Indicators of a period: ratios of sums of energies.
//!
//! Every ratio is one of summed energies, **never a mean of ratios**: an hour at night
//! counts as much as its energy, not as much as an hour at noon. 0/0 is unknown, and so
//! is what rests on an unknown energy.

mod netting;
mod pool;

use jiff::civil::{Date, date};

pub use netting::{BadWindow, Directed, RegisterMode, WattSeconds, directed, netted};
pub use pool::{Pool, Step, Stepped};

use super::units::{MilliwattHours, to_f64};

/// The energies of a period, from registers; none where one is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Generated, standby not subtracted.
    pub generation: Option<MilliwattHours>,
    /// From the grid.
    pub import: Option<MilliwattHours>,
    /// To the grid.
    pub export: Option<MilliwattHours>,
    /// The part of export that came from generators and not from batteries.
    pub export_of_generation: Option<MilliwattHours>,
    /// Into batteries.
    pub charge: Option<MilliwattHours>,
    /// Out of batteries.
    pub discharge: Option<MilliwattHours>,
    /// Generation that was possible and not allowed.
    pub curtailed: Option<MilliwattHours>,
}

/// A ratio of two energies; none for 0/0.
fn ratio(part: Option<MilliwattHours>, whole: Option<MilliwattHours>) -> Option<f64> {
    let number = |energy: MilliwattHours| to_f64(energy.0);
    super::balance::ratio(part.map(number), whole.map(number))
}

fn less(a: Option<MilliwattHours>, b: Option<MilliwattHours>) -> Option<MilliwattHours> {
    Some(a? - b?)
}

impl Sums {
    /// What the park used: generation + import − export + discharge − charge.
    #[must_use]
    pub fn load(&self) -> Option<MilliwattHours> {
        let sources = self.generation? + self.import? + self.discharge?;
        Some(sources - self.export? - self.charge?)
    }

    /// Generation that was not exported; what a battery loses of it is in it.
    #[must_use]
    pub fn self_consumption(&self) -> Option<MilliwattHours> {
        less(self.generation, self.export_of_generation)
    }

    /// The part of generation that was not exported.
    #[must_use]
    pub fn self_consumption_ratio(&self) -> Option<f64> {
        ratio(self.self_consumption(), self.generation)
    }

    /// The part of the load that did not come from the grid: 1 − import / load.
    #[must_use]
    pub fn self_sufficiency_ratio(&self) -> Option<f64> {
        ratio(less(self.load(), self.import), self.load())
    }

    /// The part of generation that was exported.
    #[must_use]
    pub fn export_ratio(&self) -> Option<f64> {
        ratio(self.export, self.generation)
    }

    /// What could have been generated: generation and what was curtailed.
    #[must_use]
    pub fn available(&self) -> Option<MilliwattHours> {
        Some(self.generation? + self.curtailed?)
    }

    /// Of what could have been generated, the part that the park used (自发自用率).
    #[must_use]
    pub fn r_self(&self) -> Option<f64> {
        ratio(less(self.generation, self.export), self.available())
    }

    /// Of the load, the part that generation served; differs from self-sufficiency by
    /// what batteries lose (自用占用电量).
    #[must_use]
    pub fn r_green(&self) -> Option<f64> {
        ratio(less(self.generation, self.export), self.load())
    }

    /// Of what could have been generated, the part that was exported (上网比例).
    #[must_use]
    pub fn r_sell(&self) -> Option<f64> {
        ratio(self.export, self.available())
    }
}

/// The limits of direct supply from a day on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DirectLimits {
    /// The first day.
    pub from: Date,
    /// The least [`Sums::r_self`].
    pub r_self: f64,
    /// The least [`Sums::r_green`].
    pub r_green: f64,
    /// The most [`Sums::r_sell`].
    pub r_sell: f64,
}

/// The limits of the notice on direct green supply of 2025, in order of their days; a
/// configuration may have others.
///
/// # Source
///
/// NDRC and NEA, 2025, as quoted by secondary sources: 60 %, 30 % and 35 % from 2030.
/// The 20 % of export are what is normally allowed.
#[rustfmt::skip]
pub const DIRECT_LIMITS: &[DirectLimits] = &[
    DirectLimits { from: date(2025, 1, 1), r_self: 0.60, r_green: 0.30, r_sell: 0.20 },
    DirectLimits { from: date(2030, 1, 1), r_self: 0.60, r_green: 0.35, r_sell: 0.20 },
];

/// An indicator against its limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The indicator; none if unknown.
    pub value: Option<f64>,
    /// Its limit.
    pub limit: f64,
    /// Whether it is kept; none if the indicator is unknown.
    pub kept: Option<bool>,
}

/// The three indicators of direct supply against the limits of a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DirectSupply {
    /// At least.
    pub r_self: Judged,
    /// At least.
    pub r_green: Judged,
    /// At most.
    pub r_sell: Judged,
}

/// Judges a period by the limits that hold on a day; none before the first of them.
#[must_use]
pub fn direct_supply(sums: &Sums, limits: &[DirectLimits], day: Date) -> Option<DirectSupply> {
    let holding = limits.iter().filter(|limits| limits.from <= day);
    let limits = holding.max_by_key(|limits| limits.from)?;
    let judged = |value: Option<f64>, limit: f64, kept: fn(f64, f64) -> bool| Judged {
        value,
        limit,
        kept: value.map(|value| kept(value, limit)),
    };
    Some(DirectSupply {
        r_self: judged(sums.r_self(), limits.r_self, |value, least| value >= least),
        r_green: judged(sums.r_green(), limits.r_green, |value, least| {
            value >= least
        }),
        r_sell: judged(sums.r_sell(), limits.r_sell, |value, most| value <= most),
    })
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests;
