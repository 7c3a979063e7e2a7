//! What really flowed in a rehearsal: what the books of a daemon are held against.
//!
//! Energies are exact integrals from the beginning on, at any moment that is asked
//! for. **Faults change what a meter says and never what flowed.**

use std::sync::Arc;

use super::model::Model;
use crate::domain::meter::Quantity;

/// A meter or sensor with what it can tell of energy.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its name in the configuration.
    pub meter: Arc<str>,
    /// What it measures.
    pub model: Model,
    /// What it tells of it.
    pub quantities: Vec<&'static Quantity>,
}

/// What flowed since the beginning in the direction of a register.
#[derive(Debug, Clone, PartialEq)]
pub struct Flowed {
    /// Its meter.
    pub meter: Arc<str>,
    /// The quantity of the register.
    pub quantity: &'static str,
    /// Wh.
    pub wh: f64,
}

/// What a power moved since the beginning.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// Its meter.
    pub meter: Arc<str>,
    /// The quantity of the power.
    pub quantity: &'static str,
    /// In the direction of the role, Wh.
    pub positive_wh: f64,
    /// Against it, Wh, not negative.
    pub negative_wh: f64,
}

impl Known {
    /// What flowed in the direction of each register in so many seconds.
    pub fn flowed(&self, s: f64) -> impl Iterator<Item = Flowed> {
        self.quantities.iter().filter_map(move |quantity| {
            Some(Flowed {
                meter: Arc::clone(&self.meter),
                quantity: quantity.name,
                wh: self.model.flowed(quantity, s)?,
            })
        })
    }

    /// What each power moved in so many seconds.
    pub fn moved(&self, s: f64) -> impl Iterator<Item = Moved> {
        self.quantities.iter().filter_map(move |quantity| {
            let (positive_wh, negative_wh) = self.model.moved(quantity, s)?;
            Some(Moved {
                meter: Arc::clone(&self.meter),
                quantity: quantity.name,
                positive_wh,
                negative_wh,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::meter::Role;

    #[test]
    fn powers_and_registers_tell_the_same_energy() {
        #[rustfmt::skip]
        let cases = [
            // role       power         positive         negative
            ("grid",      "power",      "energy_import", Some("energy_export")),
            ("battery",   "power",      "energy_export", Some("energy_import")),
            ("pv",        "power",      "energy_export", None),
            ("heat_feed", "heat_power", "heat_energy",   None),
            ("heat_pump", "heat_power", "heat_energy",   None),
        ];
        for (role, power, positive, negative) in cases {
            let role = Role::named(role).unwrap();
            let named = |name| Quantity::named(name).unwrap();
            let known = Known {
                meter: "one".into(),
                model: Model::new(1, "one", role, 10_000.0, false),
                quantities: [Some(power), Some(positive), negative, Some("voltage_l1")]
                    .into_iter()
                    .flatten()
                    .map(named)
                    .collect(),
            };
            let flowed: Vec<Flowed> = known.flowed(1_000.0).collect();
            let moved: Vec<Moved> = known.moved(1_000.0).collect();
            let [moved] = &moved[..] else {
                panic!("{moved:?}");
            };
            assert!((moved.positive_wh - flowed[0].wh).abs() < 1e-6, "{moved:?}");
            assert!(moved.positive_wh > 100.0, "{moved:?}");
            let back = flowed.get(1).map_or(0.0, |register| register.wh);
            assert!((moved.negative_wh - back).abs() < 1e-6, "{moved:?}");
        }
    }
}
