//! Constraints with heat that a flow carries between two temperatures: a product of three
//! variables, each measured or not.
//!
//! Flow in m³/h gives kW, volume in m³ gives kWh. **A temperature at which the fluid is none
//! has no heat**: it makes the sum fail, by name.

use std::cell::RefCell;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::heat::place;
use crate::domain::heat::meter::HeatMeter;
use crate::domain::reconcile::{
    Constraint, Constraints, Guess, Linearised, Measured, ReconcileError, Reconciled,
    reconcile_nonlinear,
};

/// Steps of a derivative by temperature, K.
const STEP_K: f64 = 1e-3;
/// Kilowatts of a watt.
const KILO: f64 = 1e-3;

/// Heat as a file has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// The variable of the flow, m³/h, or of the volume, m³.
    flow: Arc<str>,
    /// The variable of the hotter pipe, °C.
    supply: Arc<str>,
    /// The variable of the colder pipe, °C.
    #[serde(rename = "return")]
    back: Arc<str>,
    fluid: String,
    mass_pct: Option<f64>,
    /// Bar absolute.
    pressure: Option<f64>,
    sensor: String,
    /// 1 where the heat flows in, -1 where it flows out; 0.001 for MW.
    #[serde(default = "one")]
    coefficient: f64,
}

fn one() -> f64 {
    1.0
}

/// Heat with the places of its variables.
struct Term {
    meter: HeatMeter,
    at: [usize; 3],
    coefficient: f64,
}

/// A constraint with its terms of both kinds.
struct Sum {
    name: Arc<str>,
    linear: Vec<(usize, f64)>,
    constant: f64,
    heat: Vec<Term>,
}

/// All constraints of a file, and what went wrong in the last look at them.
struct Sums {
    variables: Vec<Arc<str>>,
    sums: Vec<Sum>,
    wrong: RefCell<Option<String>>,
}

/// Reconciles with heat among the constraints.
///
/// # Errors
///
/// What is wrong with a constraint, with the variables, or with where they end.
pub fn reconcile(
    measured: &[Measured],
    unmeasured: &[Arc<str>],
    constraints: &[(Constraint, Vec<Carried>)],
) -> Result<Reconciled, String> {
    let known = measured.iter().map(|one| Arc::clone(&one.name));
    let variables: Vec<Arc<str>> = known.chain(unmeasured.iter().cloned()).collect();
    let place_of = |constraint: &Arc<str>, name: &Arc<str>| {
        let place = variables.iter().position(|known| known == name);
        place.ok_or_else(|| {
            format!(
                "constraint `{constraint}` names `{name}`, which is no variable; add it to \
                 `measured` or `unmeasured`, or mend its name"
            )
        })
    };
    let mut sums = Vec::new();
    for (constraint, carried) in constraints {
        let linear = constraint.terms.iter();
        let linear = linear.map(|(name, by)| Ok((place_of(&constraint.name, name)?, *by)));
        let heat = carried.iter().map(|one| {
            let place = |name| place_of(&constraint.name, name);
            Ok(Term {
                meter: self::place(&one.fluid, one.mass_pct, &one.sensor, one.pressure)?,
                at: [place(&one.flow)?, place(&one.supply)?, place(&one.back)?],
                coefficient: one.coefficient * KILO,
            })
        });
        sums.push(Sum {
            name: Arc::clone(&constraint.name),
            linear: linear.collect::<Result<_, String>>()?,
            constant: constraint.constant,
            heat: heat.collect::<Result<_, String>>()?,
        });
    }
    let guesses = guesses(unmeasured, &sums, measured)?;
    let sums = Sums {
        variables,
        sums,
        wrong: RefCell::new(None),
    };
    let found = reconcile_nonlinear(measured, &guesses, &sums);
    match (sums.wrong.into_inner(), found) {
        (Some(wrong), _) => Err(wrong),
        (None, found) => found.map_err(|error: ReconcileError| super::reconcile::remedy(error)),
    }
}

/// Where to begin with what is not measured: at the mean of what is measured beside it.
fn guesses(
    unmeasured: &[Arc<str>],
    sums: &[Sum],
    measured: &[Measured],
) -> Result<Vec<Guess>, String> {
    let value = |place: usize| measured.get(place).map(|one| one.value);
    let guess = |(nth, name): (usize, &Arc<str>)| {
        let place = measured.len() + nth;
        let mut beside = Vec::new();
        for term in sums.iter().flat_map(|sum| &sum.heat) {
            let [flow, supply, back] = term.at;
            if place == flow {
                return Err(format!(
                    "the flow `{name}` is not measured; only a temperature or a sum may be unknown"
                ));
            }
            if [supply, back].contains(&place) {
                beside.extend([supply, back].into_iter().filter_map(value));
            }
        }
        let count = crate::domain::units::to_f64(i64::try_from(beside.len()).unwrap_or(1).max(1));
        Ok(Guess {
            name: Arc::clone(name),
            value: beside.iter().sum::<f64>() / count,
        })
    };
    unmeasured.iter().enumerate().map(guess).collect()
}

impl Constraints for Sums {
    fn names(&self) -> Vec<Arc<str>> {
        self.sums.iter().map(|sum| Arc::clone(&sum.name)).collect()
    }

    fn at(&self, variables: &[f64]) -> Linearised {
        let mut linearised = Linearised {
            values: Vec::new(),
            jacobian: Vec::new(),
        };
        for sum in &self.sums {
            let mut value = -sum.constant;
            let mut row = vec![0.0; self.variables.len()];
            let mut add = |place: usize, slope: f64| {
                if let Some(cell) = row.get_mut(place) {
                    *cell += slope;
                }
            };
            let of = |place: usize| variables.get(place).copied().unwrap_or(f64::NAN);
            for (place, by) in &sum.linear {
                value += by * of(*place);
                add(*place, *by);
            }
            for term in &sum.heat {
                let [flow, supply, back] = term.at.map(of);
                let heat = |supply: f64, back: f64| match term.meter.power_w(1.0, supply, back) {
                    Ok(watts) => watts * term.coefficient,
                    Err(error) => {
                        let wrong = format!("constraint `{}`: {error}", sum.name);
                        self.wrong.borrow_mut().get_or_insert(wrong);
                        f64::NAN
                    }
                };
                let each = heat(supply, back);
                let by_supply = heat(supply + STEP_K, back) - heat(supply - STEP_K, back);
                let by_return = heat(supply, back + STEP_K) - heat(supply, back - STEP_K);
                value += each * flow;
                let [at_flow, at_supply, at_return] = term.at;
                add(at_flow, each);
                add(at_supply, flow * by_supply / (2.0 * STEP_K));
                add(at_return, flow * by_return / (2.0 * STEP_K));
            }
            linearised.values.push(value);
            linearised.jacobian.push(row);
        }
        linearised
    }
}
