//! What a check allows, and what it is told of a park beside the park itself.
//!
//! A check declares its thresholds once, with `limits!`: from that come its
//! `Limits`, the keys of the configuration, their ranges and the table for people.

use std::collections::BTreeMap;

use super::table::CHECKS;
use crate::domain::closure::{self, Told};
use crate::domain::heat::fluid::Fluid;
use crate::domain::meter::Pipe;

/// A threshold of a check.
#[derive(Debug, PartialEq)]
pub struct Param {
    /// Its key in the configuration.
    pub key: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// What stands where the configuration is silent.
    pub default: f64,
    /// The least that means something.
    pub least: f64,
    /// The most that means something.
    pub most: f64,
    /// What it is.
    pub about: &'static str,
}

/// Declares the thresholds of a check: field, default, unit, range and sentence.
macro_rules! limits {
    ($($field:ident: $default:ident $unit:literal $least:literal to $most:literal $about:literal;)*) => {
        /// What is allowed.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct Limits {
            $(#[doc = $about] pub $field: f64,)*
        }

        impl Limits {
            /// The thresholds as the configuration knows them.
            pub const PARAMS: &'static [$crate::domain::plausibility::settings::Param] = &[$(
                $crate::domain::plausibility::settings::Param {
                    key: stringify!($field),
                    unit: $unit,
                    default: $default,
                    least: $least,
                    most: $most,
                    about: $about,
                },
            )*];

            /// From values in the order of [`Self::PARAMS`].
            #[must_use]
            // Where the only threshold is a time, none but the hold needs it.
            #[allow(dead_code)]
            pub fn of(values: &[f64]) -> Self {
                let mut values = values.iter().copied();
                Self { $($field: values.next().unwrap_or($default),)* }
            }
        }
    };
}
pub(super) use limits;

/// The thresholds of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckSettings {
    /// Values in the order of the check's parameters.
    pub values: Vec<f64>,
    /// Meters that it leaves alone.
    pub except: Vec<String>,
}

/// What a check needs to know of a meter and no device says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// Voltage between phase and neutral that is normal, V.
    pub nominal_voltage: Option<f64>,
    /// Whether a generator behind it feeds one phase only.
    pub single_phase: bool,
    /// How wrong the meter and its transformers may be.
    pub accuracy: Told,
    /// What may be exported here by contract, W.
    pub export_limit_w: Option<f64>,
    /// Meters behind it, which together measure the same.
    pub submeters: Vec<String>,
    /// Net aperture of the collectors, m².
    pub aperture_m2: Option<f64>,
    /// Nominal flow, m³/h.
    pub nominal_flow_m3h: Option<f64>,
    /// What flows.
    pub fluid: Option<Fluid>,
    /// Pressure, Pa absolute, where no sensor says it.
    pub pressure_pa: Option<f64>,
    /// The pipe that the flow sensor sits in.
    pub flow_sensor: Option<Pipe>,
    /// The meter that says whether the pump runs.
    pub pump: Option<String>,
    /// What a storage holds when full, Wh.
    pub capacity_wh: Option<f64>,
    /// The meter of the tank that a storage exchanges its fluid with.
    pub other_tank: Option<String>,
}

/// What the checks are to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// One for each row of [`CHECKS`]; none where it is switched off.
    pub checks: Vec<Option<CheckSettings>>,
    /// What is known of meters, by name.
    pub facts: BTreeMap<String, Facts>,
}

impl Default for Settings {
    /// Every check, as its constants say.
    fn default() -> Self {
        let defaults = |params: &[Param]| CheckSettings {
            values: params.iter().map(|param| param.default).collect(),
            except: Vec::new(),
        };
        Self {
            checks: CHECKS
                .iter()
                .map(|row| Some(defaults(row.params)))
                .collect(),
            facts: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// The settings of a check by its number.
    #[must_use]
    pub fn of(&self, number: u8) -> Option<&CheckSettings> {
        let place = CHECKS.iter().position(|row| row.number == number)?;
        self.checks.get(place)?.as_ref()
    }

    /// The same thresholds and facts for the monitor of the books: it judges registers as
    /// check 16 judges powers.
    #[must_use]
    pub fn closure(&self) -> closure::Settings {
        let facts = self.facts.iter();
        let told = facts.filter(|(_, facts)| !facts.accuracy.is_nothing());
        let complete = self.facts.iter();
        let complete = complete.filter(|(_, facts)| !facts.submeters.is_empty());
        closure::Settings {
            limits: super::balance::node::limits(self.of(16)),
            told: told
                .map(|(id, facts)| (id.as_str().into(), facts.accuracy))
                .collect(),
            complete: complete
                .map(|(id, facts)| (id.clone(), facts.submeters.clone()))
                .collect(),
        }
    }
}
