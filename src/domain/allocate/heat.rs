//! Losses behind a main meter, the cost of heat, and where heat came from.

use super::remainder::split;
use super::{AllocateError, Share};
use crate::domain::units::{MilliwattHours, to_f64};

/// Who bears what is lost between the main meter and those behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossRule {
    /// Everyone in proportion to consumption.
    ProRata,
    /// The operator.
    Operator,
}

/// What was lost, and who bears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LossSplit {
    /// Main meter minus all behind it; below zero if they count more, which is shown.
    pub loss: MilliwattHours,
    /// Consumption with its part of the loss, by consumer.
    pub gross: Vec<MilliwattHours>,
    /// What the operator bears.
    pub operator: MilliwattHours,
}

impl LossSplit {
    /// The loss as a part of what the main meter counted; unknown for 0/0.
    #[must_use]
    pub fn ratio(&self, main: MilliwattHours) -> Option<f64> {
        (main != MilliwattHours::ZERO).then(|| to_f64(self.loss.0) / to_f64(main.0))
    }
}

/// Splits what a main meter counted over the meters behind it, the loss as a line of its
/// own. Gross consumption and the operator's part add up to the main meter, exactly.
///
/// # Errors
///
/// [`AllocateError`] for an energy below zero, for a loss below zero that consumers
/// should share, and for a loss without consumption to share it by.
pub fn share_losses(
    main: MilliwattHours,
    consumption: &[MilliwattHours],
    rule: LossRule,
) -> Result<LossSplit, AllocateError> {
    not_negative("main meter", main)?;
    for one in consumption {
        not_negative("consumption", *one)?;
    }
    let loss = main - consumption.iter().copied().sum();
    if rule == LossRule::Operator {
        return Ok(LossSplit {
            loss,
            gross: consumption.to_vec(),
            operator: loss,
        });
    }
    if loss < MilliwattHours::ZERO {
        return Err(AllocateError::NegativeLoss {
            excess: (-loss).to_wh_string(),
        });
    }
    let weights: Vec<i64> = consumption.iter().map(|one| one.0).collect();
    let gross = split(main.0, &weights).ok_or(AllocateError::NoBasis("a loss"))?;
    Ok(LossSplit {
        loss,
        gross: gross.into_iter().map(MilliwattHours).collect(),
        operator: MilliwattHours::ZERO,
    })
}

/// How the cost of heat is split: a part by capacity, the rest by consumption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeatBill {
    /// What is split, in the smallest unit of the currency.
    pub cost: i64,
    /// The part that capacity bears.
    pub by_capacity: Share,
    /// The capacity each consumer booked, in one unit (W).
    pub capacity: Vec<i64>,
    /// What each consumed.
    pub consumption: Vec<MilliwattHours>,
}

/// The cost of each consumer; they add up to the whole.
///
/// # Errors
///
/// [`AllocateError`] if the lists differ in length, an amount is below zero, or nobody
/// has a capacity or a consumption to split a part by.
pub fn heat_cost(bill: &HeatBill) -> Result<Vec<i64>, AllocateError> {
    let consumption: Vec<i64> = bill.consumption.iter().map(|one| one.0).collect();
    if bill.capacity.len() != consumption.len() {
        return Err(AllocateError::Count {
            what: "capacities",
            found: bill.capacity.len(),
            tenants: consumption.len(),
        });
    }
    let (fixed, rest) = (bill.by_capacity, bill.by_capacity.rest());
    let parts = split(bill.cost, &[fixed.0, rest.0]).unwrap_or_default();
    let [fixed, rest] = parts.as_slice() else {
        return Err(AllocateError::NoBasis("a cost"));
    };
    let part = |amount: i64, weights: &[i64], what| match split(amount, weights) {
        Some(parts) => Ok(parts),
        None if amount == 0 => Ok(vec![0; weights.len()]),
        None => Err(AllocateError::NoBasis(what)),
    };
    let fixed = part(*fixed, &bill.capacity, "the part by capacity")?;
    let rest = part(*rest, &consumption, "the part by consumption")?;
    Ok(fixed.iter().zip(&rest).map(|(a, b)| a + b).collect())
}

/// Heat from one source, and which part of it counts: 1 for a solar field, 0 for an
/// electric boiler, the fraction of its content for a storage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source {
    /// How much.
    pub energy: MilliwattHours,
    /// Which part of it counts.
    pub counts: Share,
}

/// The part of the heat that counts, as a ratio of sums; unknown without heat or with
/// an energy below zero.
#[must_use]
pub fn source_share(sources: &[Source]) -> Option<f64> {
    let energies = || sources.iter().map(|source| i128::from(source.energy.0));
    let all: i128 = energies().sum();
    if all == 0 || energies().any(|energy| energy < 0) {
        return None;
    }
    let part = |source: &Source| to_f64(source.energy.0) * to_f64(source.counts.0) / 1e9;
    let counts: f64 = sources.iter().map(part).sum();
    Some(counts / to_f64(i64::try_from(all).ok()?))
}

fn not_negative(name: &'static str, energy: MilliwattHours) -> Result<(), AllocateError> {
    if energy < MilliwattHours::ZERO {
        return Err(AllocateError::Negative {
            name: name.into(),
            energy,
        });
    }
    Ok(())
}
