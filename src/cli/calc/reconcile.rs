//! `sunledger calc reconcile`: meters that should agree, and which of them does not.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::Failure;
use super::carried::{self, Carried};
use super::reconciled::{document, page};
use super::{Answer, Asked, answer};
use crate::domain::closure::{Accuracy, Ramp, Uncertainty};
use crate::domain::heat::uncertainty::{ELECTRIC_CLASSES, ElectricClass};
use crate::domain::reconcile::{Constraint, Measured, ReconcileError, reconcile};

/// Arguments of `calc reconcile`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    asked: Asked,
}

/// What goes in.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    /// The unit of all values, for people.
    #[serde(default)]
    unit: String,
    measured: Vec<Meter>,
    #[serde(default)]
    unmeasured: Vec<Arc<str>>,
    constraints: Vec<Balance>,
}

/// A measured value with its uncertainty, or what it follows from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meter {
    name: Arc<str>,
    value: f64,
    /// Standard uncertainty, in the unit of the value.
    uncertainty: Option<f64>,
    /// The class on the type plate of an electricity meter.
    class: Option<String>,
    /// Greatest errors, % of the value.
    class_pct: Option<f64>,
    ct_pct: Option<f64>,
    vt_pct: Option<f64>,
    /// Step of the register, in the unit of the value.
    quantum: Option<f64>,
}

/// A constraint: what flows in and out, or terms with coefficients.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Balance {
    name: Arc<str>,
    #[serde(default, rename = "in")]
    inward: Vec<Arc<str>>,
    #[serde(default, rename = "out")]
    outward: Vec<Arc<str>>,
    #[serde(default)]
    terms: Vec<(Arc<str>, f64)>,
    /// Heat that flows carry.
    #[serde(default)]
    heat: Vec<Carried>,
    #[serde(default)]
    constant: f64,
}

/// A reconciliation from a file.
///
/// # Errors
///
/// Those of [`super::run`].
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let none = || {
        Err("meters and constraints come from a file; say --file FILE, or --file - for standard input".to_owned())
    };
    answer(&arguments.asked, none, sum)
}

fn sum(given: &Given) -> Result<Answer, String> {
    let measured: Vec<Measured> = given
        .measured
        .iter()
        .map(Meter::measured)
        .collect::<Result<_, _>>()?;
    let constraints: Vec<Constraint> = given.constraints.iter().map(Balance::constraint).collect();
    let found = if given.constraints.iter().all(|one| one.heat.is_empty()) {
        reconcile(&measured, &given.unmeasured, &constraints).map_err(remedy)?
    } else {
        let heat = given.constraints.iter().map(|one| one.heat.clone());
        let constraints: Vec<_> = constraints.into_iter().zip(heat).collect();
        carried::reconcile(&measured, &given.unmeasured, &constraints)?
    };
    Ok(Answer {
        json: document(&given.unit, &measured, &found),
        text: page(&given.unit, &measured, &found),
    })
}

/// The fault, with what to do about it where the domain does not say.
pub(super) fn remedy(error: ReconcileError) -> String {
    match error {
        ReconcileError::Unknown { .. } => {
            format!("{error}; add it to `measured` or `unmeasured`, or mend its name")
        }
        ReconcileError::Contradiction { .. } => format!("{error}; mend one of them"),
        ReconcileError::IllConditioned => {
            format!("{error}; look for an uncertainty in another unit")
        }
        error => error.to_string(),
    }
}

impl Meter {
    fn measured(&self) -> Result<Measured, String> {
        let chain = [self.class_pct, self.ct_pct, self.vt_pct, self.quantum];
        let said = chain.iter().any(Option::is_some) || self.class.is_some();
        let uncertainty = match self.uncertainty {
            Some(uncertainty) if !said => uncertainty,
            None if said => self.of_class()?,
            _ => {
                return Err(format!(
                    "`{}` says its `uncertainty`, or what it follows from (`class` or `class_pct`, \
                     `ct_pct`, `vt_pct`, `quantum`), one of the two",
                    self.name
                ));
            }
        };
        Ok(Measured {
            name: Arc::clone(&self.name),
            value: self.value,
            uncertainty,
        })
    }

    fn of_class(&self) -> Result<f64, String> {
        let class_pct = match (&self.class, self.class_pct) {
            (Some(_), Some(_)) => {
                return Err(format!(
                    "`{}` says `class` and `class_pct`; leave one out",
                    self.name
                ));
            }
            (None, pct) => pct.unwrap_or(0.0),
            (Some(class), None) => {
                let row = ElectricClass::named(class).ok_or_else(|| {
                    let names: Vec<&str> = ELECTRIC_CLASSES.iter().map(|row| row.name).collect();
                    format!(
                        "`{}`: `{class}` is no class; one of {}, or `class_pct`",
                        self.name,
                        names.join(", ")
                    )
                })?;
                row.normal_pct
            }
        };
        let accuracy = Accuracy {
            class_pct,
            ct_pct: self.ct_pct.unwrap_or(0.0),
            vt_pct: self.vt_pct.unwrap_or(0.0),
            quantum: self.quantum.unwrap_or(0.0),
        };
        let parts = [
            accuracy.class_pct,
            accuracy.ct_pct,
            accuracy.vt_pct,
            accuracy.quantum,
        ];
        if parts.iter().any(|part| *part < 0.0) {
            return Err(format!(
                "`{}` has an error below zero; errors are sizes without a sign",
                self.name
            ));
        }
        Ok(Uncertainty::of(self.value, &accuracy, Ramp::default()).combined())
    }
}

impl Balance {
    fn constraint(&self) -> Constraint {
        let sign = |sign: f64| move |name: &Arc<str>| (Arc::clone(name), sign);
        let terms = self
            .inward
            .iter()
            .map(sign(1.0))
            .chain(self.outward.iter().map(sign(-1.0)));
        Constraint {
            name: Arc::clone(&self.name),
            terms: terms.chain(self.terms.iter().cloned()).collect(),
            constant: self.constant,
        }
    }
}
