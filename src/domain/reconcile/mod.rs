//! Data reconciliation: what the meters would have said had they agreed.
//!
//! ```text
//!   measured value ± uncertainty ──┐
//!   unmeasured variable ───────────┼──▶ reconciled value ± uncertainty
//!   constraint: Σ terms = constant ┘      └──▶ tests: all, each meter, each constraint
//! ```
//!
//! Every meter is wrong by a little, so no balance closes. Weighted least squares moves
//! each reading as little as its uncertainty allows until all constraints hold; a meter
//! that has to move further than its class explains is a suspect.
//!
//! **Nothing is said that the constraints do not carry.** A meter in no redundant
//! constraint is unchecked, not right; an unmeasured variable that does not follow from
//! the others is not computed; meters that one constraint cannot tell apart are suspects
//! together.
//!
//! Raw readings are settled, reconciled values serve indicators and diagnosis. This
//! module knows no meters and no units: names and numbers, all of one unit within a
//! constraint.

mod chance;
mod error;
mod matrix;
mod nonlinear;
mod verdict;

use std::sync::Arc;

use nalgebra::DVector;

pub use chance::{chi_square_quantile, normal_quantile, sidak_limit};
pub use error::ReconcileError;
pub use nonlinear::{Constraints, Guess, Linearised, reconcile_nonlinear};
pub use verdict::{
    Checked, Computed, GlobalTest, Nodal, Reconciled, Suspects, VDI_LIMIT, VariableTest,
};

/// The confidence of every test: a park without a fault passes 19 of 20 times.
pub const CONFIDENCE: f64 = 0.95;

/// A value that a meter says.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The variable.
    pub name: Arc<str>,
    /// What was read.
    pub value: f64,
    /// Its standard uncertainty (k = 1), in the unit of the value; above zero.
    pub uncertainty: f64,
}

/// A constraint that holds whatever the meters say: the terms add up to a constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// What to call it: the node, the bus, the pipe.
    pub name: Arc<str>,
    /// Variables with their coefficients: 1 for what flows in, -1 for what flows out.
    pub terms: Vec<(Arc<str>, f64)>,
    /// What they add up to; zero for a balance.
    pub constant: f64,
}

/// Reconciles measured values with linear constraints.
///
/// Variables of the constraints are either in `measured` or in `unmeasured`; the
/// latter are eliminated by projection onto the left null space of their coefficients
/// and computed afterwards, as far as they follow from the others.
///
/// | result | formula |
/// |---|---|
/// | reconciled | y − S Aᵀ W⁻¹ (A y − b), W = A S Aᵀ, S = diag(u²) |
/// | its covariance | S − S Aᵀ W⁻¹ A S |
/// | global test | rᵀ W⁻¹ r against the 95 % quantile of χ² |
/// | test of a meter | \|y − x\| in units of its own spread, limit of Šidák |
///
/// The formulas are evaluated by orthogonal decomposition, never by inverting W.
///
/// # Errors
///
/// [`ReconcileError`] if a variable is named twice or not at all, a number is not
/// finite, an uncertainty is not above zero, or a constraint has no terms, repeats
/// others or contradicts them.
pub fn reconcile(
    measured: &[Measured],
    unmeasured: &[Arc<str>],
    constraints: &[Constraint],
) -> Result<Reconciled, ReconcileError> {
    let names = names(measured, unmeasured)?;
    let mut rows = Vec::with_capacity(constraints.len());
    for constraint in constraints {
        rows.push(row(constraint, &names)?);
    }
    let constants = DVector::from_iterator(
        constraints.len(),
        constraints.iter().map(|constraint| constraint.constant),
    );
    let labels: Vec<Arc<str>> = constraints
        .iter()
        .map(|constraint| Arc::clone(&constraint.name))
        .collect();
    matrix::solve(measured, unmeasured, &labels, &rows, &constants)
}

/// The variables in order, measured ones first, each of them checked.
fn names(measured: &[Measured], unmeasured: &[Arc<str>]) -> Result<Vec<Arc<str>>, ReconcileError> {
    let mut names: Vec<Arc<str>> = Vec::with_capacity(measured.len() + unmeasured.len());
    let mut seen = std::collections::HashSet::new();
    let all = measured.iter().map(|one| &one.name).chain(unmeasured);
    for name in all {
        if !seen.insert(Arc::clone(name)) {
            return Err(ReconcileError::Twice {
                name: Arc::clone(name),
            });
        }
        names.push(Arc::clone(name));
    }
    for one in measured {
        if !one.value.is_finite() {
            return Err(ReconcileError::NotFinite {
                name: Arc::clone(&one.name),
            });
        }
        if !(one.uncertainty > 0.0 && one.uncertainty.is_finite()) {
            return Err(ReconcileError::NoUncertainty {
                name: Arc::clone(&one.name),
                uncertainty: one.uncertainty,
            });
        }
    }
    Ok(names)
}

/// The coefficients of a constraint, in the order of the names.
fn row(constraint: &Constraint, names: &[Arc<str>]) -> Result<Vec<f64>, ReconcileError> {
    let name = || Arc::clone(&constraint.name);
    let mut row = vec![0.0; names.len()];
    let mut set = vec![false; names.len()];
    for (variable, coefficient) in &constraint.terms {
        let place = names.iter().position(|name| name == variable);
        let cell = place.and_then(|place| row.get_mut(place).zip(set.get_mut(place)));
        let Some((cell, set)) = cell else {
            return Err(ReconcileError::Unknown {
                constraint: name(),
                variable: Arc::clone(variable),
            });
        };
        if std::mem::replace(set, true) {
            return Err(ReconcileError::Repeated {
                constraint: name(),
                variable: Arc::clone(variable),
            });
        }
        *cell = *coefficient;
    }
    Ok(row)
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests;
