//! The accuracy that a configuration tells of a meter, and what stands where it is silent.
//!
//! A class says the greatest error of the meter, a transformer's class that of the
//! transformer before it. **What is not told is assumed to be the ordinary, never the
//! best**: class 1 behind transformers of class 0.5, a heat meter of class 2 at a low
//! load. A meter that is better than that and says so is watched more closely.

use super::accuracy::Accuracy;
use crate::domain::heat::uncertainty::{ElectricClass, HeatClass, HeatErrors};
use crate::domain::meter::Carrier;

/// Meters of class 1 with current transformers of class 0.5, where nothing is told, %.
const ELECTRIC_PCT: f64 = 1.5;
/// Where only the transformers are told: a meter of class 1, %.
const METER_PCT: f64 = 1.0;
/// Heat meters of class 2 at their usual spread, where nothing is told, %.
const HEAT_PCT: f64 = 5.0;
/// Below this part of the nameplate an electricity meter has the error of low current.
const LOW_CURRENT: f64 = 0.05;
/// ΔΘmin over the spread of a heat meter: 3 K of 30 K.
const SPREAD: f64 = 0.1;
/// The part of the nameplate that is assumed of a heat meter that tells none.
const USUAL_LOAD: f64 = 0.1;

/// What a type plate says of the meter itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Class {
    /// The class of an electricity meter.
    Electric(ElectricClass),
    /// The class of a heat meter.
    Heat(HeatClass),
    /// Greatest error of meter and transformers together, percent of reading.
    Percent(f64),
}

/// Classes of transformers with their greatest error, %. An `S` extends it to low current.
pub const TRANSFORMER_CLASSES: &[(&str, f64)] = &[
    ("0.1", 0.1),
    ("0.2", 0.2),
    ("0.2S", 0.2),
    ("0.5", 0.5),
    ("0.5S", 0.5),
    ("1", 1.0),
    ("3", 3.0),
];

/// The greatest error of a class of transformers, %.
#[must_use]
pub fn transformer_pct(class: &str) -> Option<f64> {
    let row = TRANSFORMER_CLASSES.iter().find(|row| row.0 == class)?;
    Some(row.1)
}

/// What is told of the accuracy of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Told {
    /// Of the meter.
    pub class: Option<Class>,
    /// Greatest error of its current transformers, %.
    pub ct_pct: Option<f64>,
    /// Greatest error of its voltage transformers, %.
    pub vt_pct: Option<f64>,
}

impl Told {
    /// Whether nothing is told.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The accuracy in a balance. `load` is the mean power as a part of the nameplate,
    /// where that is known. The step of the register is not in it.
    #[must_use]
    pub fn accuracy(&self, carrier: Carrier, load: Option<f64>) -> Accuracy {
        let load = load.map(f64::abs).filter(|load| load.is_finite());
        let class_pct = match (self.class, carrier) {
            (Some(Class::Percent(pct)), _) => pct,
            (Some(Class::Electric(class)), Carrier::Electricity) => {
                if load.is_some_and(|load| load < LOW_CURRENT) {
                    class.low_current_pct
                } else {
                    class.normal_pct
                }
            }
            (Some(Class::Heat(class)), Carrier::Heat) => heat_pct(class, load),
            // The class of one side says nothing of the other.
            (_, Carrier::Heat) => HEAT_PCT,
            (_, Carrier::Electricity) if self.ct_pct.or(self.vt_pct).is_some() => METER_PCT,
            (_, Carrier::Electricity) => ELECTRIC_PCT,
        };
        let transformers = carrier == Carrier::Electricity;
        let of = |pct: Option<f64>| pct.filter(|_| transformers).unwrap_or(0.0);
        Accuracy {
            class_pct,
            ct_pct: of(self.ct_pct),
            vt_pct: of(self.vt_pct),
            quantum: 0.0,
        }
    }
}

/// Greatest error of a heat meter at a load, its parts in quadrature, %. A flow that
/// stands has none: it is that of the least load.
fn heat_pct(class: HeatClass, load: Option<f64>) -> f64 {
    let flow = load.unwrap_or(USUAL_LOAD).max(1e-3);
    let errors = HeatErrors::of(class, 1.0, flow, SPREAD, 1.0);
    errors.map_or(HEAT_PCT, |errors| {
        let parts = [errors.flow_pct, errors.sensors_pct, errors.calculator_pct];
        parts.iter().map(|part| part * part).sum::<f64>().sqrt()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_what_the_type_plate_says_and_silence_is_the_ordinary() {
        let named = |name| Some(Class::Electric(*ElectricClass::named(name).unwrap()));
        let told = |class, ct_pct, vt_pct| Told {
            class,
            ct_pct,
            vt_pct,
        };
        let nothing = Told::default();
        let fine = told(named("0.5S"), Some(0.5), Some(0.2));
        let direct = told(named("2"), None, None);
        let behind = told(None, Some(0.2), None);
        let sum = told(Some(Class::Percent(0.7)), None, None);
        let heat = told(Some(Class::Heat(HeatClass::Two)), None, None);
        let (electric, thermal) = (Carrier::Electricity, Carrier::Heat);
        // Class 2 at the full flow and a tenth of the spread: 2.02, 0.8 and 0.6.
        let full = (2.02_f64.powi(2) + 0.8 * 0.8 + 0.6 * 0.6).sqrt();
        let tenth = (2.2_f64.powi(2) + 0.8 * 0.8 + 0.6 * 0.6).sqrt();
        let least = (25.0_f64 + 0.8 * 0.8 + 0.6 * 0.6).sqrt();
        #[rustfmt::skip]
        let cases = [
            ("nothing told",          nothing, electric, None,        [1.5, 0.0, 0.0]),
            ("nothing told, heat",    nothing, thermal,  None,        [5.0, 0.0, 0.0]),
            ("all told",              fine,    electric, Some(0.5),   [0.5, 0.5, 0.2]),
            ("at low current",        fine,    electric, Some(0.04),  [1.0, 0.5, 0.2]),
            ("backwards at that",     fine,    electric, Some(-0.04), [1.0, 0.5, 0.2]),
            ("its other side",        fine,    thermal,  Some(0.5),   [5.0, 0.0, 0.0]),
            ("without transformers",  direct,  electric, None,        [2.0, 0.0, 0.0]),
            ("transformers alone",    behind,  electric, None,        [1.0, 0.2, 0.0]),
            ("all in one",            sum,     electric, Some(0.01),  [0.7, 0.0, 0.0]),
            ("heat at full flow",     heat,    thermal,  Some(1.0),   [full, 0.0, 0.0]),
            ("heat at a tenth",       heat,    thermal,  None,        [tenth, 0.0, 0.0]),
            ("heat at a standstill",  heat,    thermal,  Some(0.0),   [least, 0.0, 0.0]),
        ];
        for (situation, told, carrier, load, expected) in cases {
            let found = told.accuracy(carrier, load);
            let found = [found.class_pct, found.ct_pct, found.vt_pct];
            for (ours, expected) in found.iter().zip(expected) {
                assert!((ours - expected).abs() < 1e-12, "{situation}: {found:?}");
            }
        }
        assert_eq!(transformer_pct("0.5S"), Some(0.5));
        assert_eq!(transformer_pct("0.7"), None);
    }
}
