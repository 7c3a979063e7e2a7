//! Reconciliation with constraints that are not linear, such as mass flow times
//! enthalpy: linearised where the last solution was, until it stays there.

use std::sync::Arc;

use nalgebra::DVector;

use super::verdict::Reconciled;
use super::{Measured, ReconcileError, matrix, names};

/// Newton's method doubles its digits each time; ten steps are enough from any guess
/// that is one, and fifty show that there is no solution.
const MOST_STEPS: usize = 50;
/// The constraints hold when they are missed by less, in their own units.
const HOLDS: f64 = 1e-6;
/// The solution stays where it is when nothing moves by more than this part of its
/// uncertainty or, where it has none, of itself.
const RESTS: f64 = 1e-7;

/// Constraints around a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Linearised {
    /// What each constraint comes to there; zero where it holds.
    pub values: Vec<f64>,
    /// For each constraint its derivative by every variable.
    pub jacobian: Vec<Vec<f64>>,
}

/// Constraints that are zero where they hold.
pub trait Constraints {
    /// What to call each.
    fn names(&self) -> Vec<Arc<str>>;

    /// Their values and derivatives where the variables have these values, measured
    /// ones first, each in the order given to [`reconcile_nonlinear`].
    fn at(&self, variables: &[f64]) -> Linearised;
}

/// An unmeasured variable and where to start looking for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// The variable.
    pub name: Arc<str>,
    /// A value in its range.
    pub value: f64,
}

/// Reconciles measured values with constraints of any differentiable form.
///
/// The tests are those of the last linearisation.
///
/// # Errors
///
/// Those of [`reconcile`](super::reconcile), and [`ReconcileError::Dimension`] for a
/// linearisation of the wrong shape, [`ReconcileError::NotConverged`] if there is no
/// solution near the readings.
pub fn reconcile_nonlinear(
    measured: &[Measured],
    unmeasured: &[Guess],
    constraints: &dyn Constraints,
) -> Result<Reconciled, ReconcileError> {
    let open: Vec<Arc<str>> = unmeasured
        .iter()
        .map(|guess| Arc::clone(&guess.name))
        .collect();
    let variables = names(measured, &open)?.len();
    let labels = constraints.names();
    let readings = measured.iter().map(|one| one.value);
    let guesses = unmeasured.iter().map(|guess| guess.value);
    let mut at: Vec<f64> = readings.chain(guesses).collect();
    let mut residual = f64::INFINITY;
    for _ in 0..MOST_STEPS {
        let Linearised { values, jacobian } = constraints.at(&at);
        shaped("the vector of values", values.len(), labels.len())?;
        shaped("the Jacobian", jacobian.len(), labels.len())?;
        let mut constants = DVector::zeros(labels.len());
        for ((constant, row), value) in constants.iter_mut().zip(&jacobian).zip(&values) {
            if row.len() != variables {
                return Err(ReconcileError::Dimension {
                    what: "a row of the Jacobian",
                    of: "variables",
                    expected: variables,
                    found: row.len(),
                });
            }
            let along: f64 = row.iter().zip(&at).map(|(slope, at)| slope * at).sum();
            *constant = along - value;
        }
        let found = matrix::solve(measured, &open, &labels, &jacobian, &constants)?;
        let next = place(&found, &at);
        let rests = next.iter().zip(&at).enumerate().all(|(which, (next, at))| {
            let scale = measured
                .get(which)
                .map_or(next.abs().max(1.0), |one| one.uncertainty);
            (next - at).abs() <= RESTS * scale
        });
        at = next;
        residual = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        if rests && residual < HOLDS {
            return Ok(found);
        }
    }
    Err(ReconcileError::NotConverged {
        iterations: MOST_STEPS,
        residual,
    })
}

/// Where a solution lies; what it leaves open stays at its guess.
fn place(found: &Reconciled, last: &[f64]) -> Vec<f64> {
    let open = last.iter().skip(found.measured.len());
    let unmeasured = found.unmeasured.iter().zip(open);
    let computed = unmeasured.map(|(one, last)| one.value.map_or(*last, |(value, _)| value));
    let measured = found.measured.iter().map(|one| one.value);
    measured.chain(computed).collect()
}

fn shaped(what: &'static str, found: usize, expected: usize) -> Result<(), ReconcileError> {
    if found == expected {
        return Ok(());
    }
    Err(ReconcileError::Dimension {
        what,
        of: "constraints",
        expected,
        found,
    })
}

#[cfg(test)]
#[path = "nonlinear_tests.rs"]
mod tests;
