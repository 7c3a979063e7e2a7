//! Who of the tenants used how much of what the park generated.
//!
//! ```text
//!   generation ──▶ local share of each tenant   (never above what it used)
//!        └───────▶ export                       (what nobody used)
//!   consumption of a tenant = local share + grid share
//! ```
//!
//! **Exact to the last milliwatt-hour.** Shares are computed as fractions and rounded
//! together, by the largest remainder over all tenants and the export, so that they add
//! up to the generation; of equal remainders the tenant listed first has it, the export
//! last.
//!
//! **Missing is not zero.** An interval with an unknown consumption is not allocated; a
//! correction allocates the whole interval again.

mod heat;
mod remainder;

use std::sync::Arc;

pub use heat::{HeatBill, LossRule, LossSplit, Source, heat_cost, share_losses, source_share};
use remainder::apportion;
pub use remainder::split;

use super::flow::Stated;
use super::quality::{Gaps, Quality};
use super::units::{MilliwattHours, to_i64};

/// More than any park moves in an interval, and little enough that the square of a sum
/// over ten thousand tenants is an `i128`: a hundred terawatt-hours.
const MOST: MilliwattHours = MilliwattHours(100_000_000_000_000_000);

/// A part of a whole, exact to a billionth: 0.3 is three tenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Share(i64);

impl Share {
    /// All of it, in billionths.
    const WHOLE: i64 = 1_000_000_000;

    /// A share from a fraction of one; none outside of 0 to 1.
    #[must_use]
    pub fn new(of_one: f64) -> Option<Self> {
        // The bounds refuse NaN as well.
        (0.0..=1.0)
            .contains(&of_one)
            .then(|| Self(to_i64(of_one * 1e9)))
    }

    /// The rest to one.
    #[must_use]
    pub fn rest(self) -> Self {
        Self(Self::WHOLE - self.0)
    }

    /// The share as a fraction of one.
    #[must_use]
    pub fn of_one(self) -> f64 {
        super::units::to_f64(self.0) / 1e9
    }

    fn billionths(self) -> i128 {
        i128::from(self.0)
    }
}

/// By which key generation is allocated; a contract says which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Each tenant has a fixed share of the generation; what it does not use is
    /// exported.
    Static(Vec<Share>),
    /// The same; what a tenant does not use goes to those who can, in proportion to
    /// their shares.
    StaticRedistributed(Vec<Share>),
    /// In proportion to consumption.
    Dynamic,
    /// One tenant after the other, by place; the first takes what it uses.
    Cascade(Vec<usize>),
}

/// A tenant with what it used in the interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Tenant {
    /// Its name.
    pub name: Arc<str>,
    /// Metered consumption.
    pub consumption: Stated<MilliwattHours>,
}

/// An interval, allocated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// From the park's generation, by tenant.
    pub local: Vec<MilliwattHours>,
    /// From the grid, by tenant.
    pub grid: Vec<MilliwattHours>,
    /// Generation that no tenant has.
    pub export: MilliwattHours,
    /// The worst quality of all inputs.
    pub quality: Quality,
}

/// Why an interval cannot be allocated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AllocateError {
    /// Something is not known.
    #[error("unknown: {}", .0.meters().join(", "))]
    Unknown(Gaps),
    /// An energy is below zero.
    #[error("`{name}` is {energy} Wh; an energy to allocate is not below zero", energy = .energy.to_wh_string())]
    Negative {
        /// Whose.
        name: Arc<str>,
        /// How much.
        energy: MilliwattHours,
    },
    /// An energy is more than the arithmetic carries exactly.
    #[error("`{name}` is {energy} kWh, more than any park moves in an interval", energy = .energy.to_kwh_string())]
    Absurd {
        /// Whose.
        name: Arc<str>,
        /// How much.
        energy: MilliwattHours,
    },
    /// The shares are more than the whole.
    #[error("the shares add up to {sum} %, which is above 100 %")]
    AboveOne {
        /// Their sum, percent.
        sum: f64,
    },
    /// A list has another length than that of the tenants.
    #[error("{found} {what} for {tenants} tenants")]
    Count {
        /// What is listed.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many tenants there are.
        tenants: usize,
    },
    /// A cascade names a place that is not there, or twice.
    #[error("the cascade names place {place}, which is {fault}")]
    Order {
        /// The place, counted from 0.
        place: usize,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The origin of what is shared is not to be had.
    #[error("{0}")]
    Origin(String),
    /// Nothing to share in proportion to.
    #[error("there is nothing to share {0} in proportion to")]
    NoBasis(&'static str),
    /// The meters behind count more than the meter before them.
    #[error(
        "the meters behind count {excess} Wh more than the main meter; \
         find the wrong one before losses are shared"
    )]
    NegativeLoss {
        /// How much more.
        excess: String,
    },
}

/// Allocates the generation of an interval (after battery, before export) to tenants.
///
/// Every tenant has at most what it used, and local shares and export add up to the
/// generation, exactly.
///
/// # Errors
///
/// [`AllocateError`] if an energy is unknown or below zero, or the key does not fit the
/// tenants.
///
/// # Source
///
/// The keys are those of EnWG § 42b (static or dynamic, capped at generation and
/// consumption of each quarter-hour) and of French collective self-consumption, as
/// quoted by secondary sources.
pub fn allocate(
    generation: &Stated<MilliwattHours>,
    tenants: &[Tenant],
    key: &Key,
) -> Result<Allocation, AllocateError> {
    let (generation, used, quality) = known(generation, tenants)?;
    let exact = match key {
        Key::Static(shares) => {
            fixed(shares, tenants.len())?;
            whole(&used, Share::WHOLE.into(), |place, cap| {
                shares
                    .get(place)
                    .map_or(0, |share| share.billionths() * generation)
                    .min(cap)
            })
        }
        Key::StaticRedistributed(shares) => {
            fixed(shares, tenants.len())?;
            redistributed(generation, &used, shares)
        }
        Key::Dynamic => dynamic(generation, &used),
        Key::Cascade(order) => cascade(generation, &used, order)?,
    };
    let local = apportion(generation, &exact.numerators, exact.denominator);
    let (export, local) = match local.split_last() {
        Some((export, local)) => (*export, local),
        None => (0, [].as_slice()),
    };
    let grid = used
        .iter()
        .zip(local)
        .map(|(used, local)| energy(used - local));
    Ok(Allocation {
        grid: grid.collect(),
        local: local.iter().map(|local| energy(*local)).collect(),
        export: energy(export),
        quality,
    })
}

/// Amounts as fractions of one denominator.
struct Exact {
    numerators: Vec<i128>,
    denominator: i128,
}

/// What is known of an interval: generation, consumption of each, quality.
fn known(
    generation: &Stated<MilliwattHours>,
    tenants: &[Tenant],
) -> Result<(i128, Vec<i128>, Quality), AllocateError> {
    let mut gaps: Option<Gaps> = None;
    let mut quality = Quality::Good;
    let mut energies = Vec::with_capacity(tenants.len() + 1);
    let generation = (Arc::from("generation"), generation);
    let consumption = tenants
        .iter()
        .map(|one| (Arc::clone(&one.name), &one.consumption));
    for (name, stated) in std::iter::once(generation).chain(consumption) {
        match stated {
            Ok(known) if known.value < MilliwattHours::ZERO => {
                return Err(AllocateError::Negative {
                    name,
                    energy: known.value,
                });
            }
            Ok(known) if known.value > MOST => {
                return Err(AllocateError::Absurd {
                    name,
                    energy: known.value,
                });
            }
            Ok(known) => {
                quality = quality.worst(known.quality);
                energies.push(i128::from(known.value.0));
            }
            // Not cut short at the first gap: every meter that is missing is named.
            Err(missing) => match &mut gaps {
                Some(gaps) => gaps.join(missing),
                None => gaps = Some(missing.clone()),
            },
        }
    }
    if let Some(gaps) = gaps {
        return Err(AllocateError::Unknown(gaps));
    }
    let used = energies.split_off(1.min(energies.len()));
    let generation = energies.first().copied().unwrap_or(0);
    Ok((generation, used, quality))
}

fn fixed(shares: &[Share], tenants: usize) -> Result<(), AllocateError> {
    if shares.len() != tenants {
        return Err(AllocateError::Count {
            what: "shares",
            found: shares.len(),
            tenants,
        });
    }
    let sum: i64 = shares.iter().map(|share| share.0).sum();
    if sum > Share::WHOLE {
        let sum = super::units::to_f64(sum) / 1e7;
        return Err(AllocateError::AboveOne { sum });
    }
    Ok(())
}

/// An amount for each place, of which the second argument is the most.
fn whole(used: &[i128], denominator: i128, of: impl Fn(usize, i128) -> i128) -> Exact {
    let caps = used.iter().map(|used| used * denominator);
    Exact {
        numerators: caps
            .enumerate()
            .map(|(place, cap)| of(place, cap))
            .collect(),
        denominator,
    }
}

fn dynamic(generation: i128, used: &[i128]) -> Exact {
    let all: i128 = used.iter().sum();
    if generation >= all {
        return whole(used, 1, |_, cap| cap);
    }
    Exact {
        numerators: used.iter().map(|used| used * generation).collect(),
        denominator: all,
    }
}

/// Who cannot use what its share brings has what it uses; the others have the rest in
/// proportion to their shares. That makes their part larger, so it is asked again.
fn redistributed(generation: i128, used: &[i128], shares: &[Share]) -> Exact {
    let mut full = vec![false; used.len()];
    loop {
        let all = || used.iter().zip(shares).zip(&full);
        let taken: i128 = all()
            .filter(|(_, full)| **full)
            .map(|((used, _), _)| used)
            .sum();
        let open: i128 = all()
            .filter(|(_, full)| !**full)
            .map(|((_, share), _)| share.billionths())
            .sum();
        let rest = generation - taken;
        let fills: Vec<bool> = all()
            .map(|((used, share), full)| *full || share.billionths() * rest >= used * open)
            .collect();
        // Without a share there is nothing to fill.
        let fills: Vec<bool> = fills
            .iter()
            .zip(shares)
            .map(|(fills, share)| *fills && share.0 > 0)
            .collect();
        if fills == full {
            let denominator = open.max(1);
            return whole(used, denominator, |place, cap| {
                let share = shares.get(place).map_or(0, |share| share.billionths());
                if full.get(place).copied().unwrap_or(false) {
                    cap
                } else {
                    share * rest
                }
            });
        }
        full = fills;
    }
}

fn cascade(generation: i128, used: &[i128], order: &[usize]) -> Result<Exact, AllocateError> {
    if order.len() != used.len() {
        return Err(AllocateError::Count {
            what: "places in the cascade",
            found: order.len(),
            tenants: used.len(),
        });
    }
    let mut left = generation;
    let mut has: Vec<Option<i128>> = vec![None; used.len()];
    for place in order {
        let fault = |fault| AllocateError::Order {
            place: *place,
            fault,
        };
        let (has, used) = has
            .get_mut(*place)
            .zip(used.get(*place))
            .ok_or_else(|| fault("no tenant"))?;
        if has.is_some() {
            return Err(fault("there already"));
        }
        let takes = left.min(*used);
        left -= takes;
        *has = Some(takes);
    }
    Ok(Exact {
        numerators: has.into_iter().map(Option::unwrap_or_default).collect(),
        denominator: 1,
    })
}

/// An amount of the books; none exceeds the sum it came from.
fn energy(amount: i128) -> MilliwattHours {
    MilliwattHours(i64::try_from(amount).unwrap_or(i64::MAX))
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests;
