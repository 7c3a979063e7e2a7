//! Why values cannot be reconciled, and what to do about it.

use std::sync::Arc;

/// Why values cannot be reconciled.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReconcileError {
    /// Two variables have one name.
    #[error("`{name}` is there twice; a variable is measured by one meter or unmeasured")]
    Twice {
        /// The variable.
        name: Arc<str>,
    },
    /// A number is NaN or infinite.
    #[error("`{name}` is not a finite number; treat it as unmeasured")]
    NotFinite {
        /// The variable or constraint.
        name: Arc<str>,
    },
    /// A measured value without uncertainty cannot be weighed against others.
    #[error(
        "`{name}` has an uncertainty of {uncertainty}; it must be above zero, \
         from the class of its meter and the step of its register"
    )]
    NoUncertainty {
        /// The variable.
        name: Arc<str>,
        /// What was given.
        uncertainty: f64,
    },
    /// A constraint names a variable that nobody declared.
    #[error(
        "constraint `{constraint}` names `{variable}`, which is neither measured nor unmeasured"
    )]
    Unknown {
        /// The constraint.
        constraint: Arc<str>,
        /// The variable.
        variable: Arc<str>,
    },
    /// A constraint names a variable more than once.
    #[error("constraint `{constraint}` names `{variable}` twice; add up its coefficients")]
    Repeated {
        /// The constraint.
        constraint: Arc<str>,
        /// The variable.
        variable: Arc<str>,
    },
    /// A constraint has no terms.
    #[error("constraint `{constraint}` has no terms; leave it out")]
    Empty {
        /// The constraint.
        constraint: Arc<str>,
    },
    /// A constraint follows from others.
    #[error(
        "constraint `{constraint}` follows from {}; leave it out",
        list(others)
    )]
    Dependent {
        /// The constraint.
        constraint: Arc<str>,
        /// Those before it that it follows from.
        others: Vec<Arc<str>>,
    },
    /// A constraint cannot hold together with others.
    #[error(
        "constraint `{constraint}` contradicts {}: their left sides are the same, their constants are not",
        list(others)
    )]
    Contradiction {
        /// The constraint.
        constraint: Arc<str>,
        /// Those before it that it contradicts.
        others: Vec<Arc<str>>,
    },
    /// A linearisation has another shape than its variables and constraints.
    #[error("{what} has {found} entries for {expected} {of}")]
    Dimension {
        /// The part.
        what: &'static str,
        /// What it should have one entry for.
        of: &'static str,
        /// How many it should have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// The uncertainties are too far apart for the precision of the arithmetic.
    #[error(
        "the uncertainties lie so far apart that the constraints cannot be told from each other"
    )]
    IllConditioned,
    /// Newton's method did not come to rest.
    #[error(
        "no solution after {iterations} linearisations, constraints still miss by {residual:e}; \
         look at the readings and at the guesses of unmeasured variables"
    )]
    NotConverged {
        /// How often it was tried.
        iterations: usize,
        /// By how much the constraints are still missed.
        residual: f64,
    },
}

fn list(names: &[Arc<str>]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
