//! Where the heat in a storage comes from: solar, or not.
//!
//! ```text
//!   solar ──▶┐
//!            ├──▶ ( one well-mixed content ) ──▶ discharge, as solar as the content
//!   other ──▶┘
//! ```
//!
//! > f ← (E f + η E<sub>solar</sub>) / (E + η (E<sub>solar</sub> + E<sub>other</sub>))
//!
//! The rule is that of the battery's origin, and holds for any carrier. **A pool never
//! gives what it has not**: a discharge beyond its content is refused, since its origin
//! would be made up.

use super::system::ratio;

/// Where the energy of a storage comes from, well mixed: every discharge has the
/// fraction of the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pool {
    /// What is in it, of the unit of its meters.
    content: f64,
    /// The solar part of it.
    solar: f64,
    /// Part of a charge that arrives.
    charge_efficiency: f64,
    /// Part of what leaves that arrives.
    discharge_efficiency: f64,
}

/// Why a pool refuses.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PoolError {
    /// An amount or a part that is none.
    #[error("{name} of {value} is none; {right}")]
    Value {
        /// Which one.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What would be right.
        right: &'static str,
    },
    /// More is taken out than is in.
    #[error(
        "{needed} is taken out of a storage that holds {content}; \
         state its content anew from its sensors"
    )]
    Overdrawn {
        /// What leaves, losses included.
        needed: f64,
        /// What is in it.
        content: f64,
    },
}

/// An amount: at least nothing.
fn amount(name: &'static str, value: f64) -> Result<f64, PoolError> {
    let right = "an amount is zero or more";
    if value >= 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(PoolError::Value { name, value, right })
    }
}

/// A part of one.
fn part(name: &'static str, value: f64) -> Result<f64, PoolError> {
    let right = "a part lies between 0 and 1";
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(PoolError::Value { name, value, right })
    }
}

impl Default for Pool {
    /// An empty storage that loses nothing on the way in and out.
    fn default() -> Self {
        Self {
            content: 0.0,
            solar: 0.0,
            charge_efficiency: 1.0,
            discharge_efficiency: 1.0,
        }
    }
}

impl Pool {
    /// A storage with this content, of which this part is solar, and the efficiencies
    /// on the way in and out.
    ///
    /// # Errors
    ///
    /// [`PoolError::Value`] for a content below nothing, a part that is none, and a
    /// discharge of which nothing arrives.
    pub fn new(
        content: f64,
        solar: f64,
        charge_efficiency: f64,
        discharge_efficiency: f64,
    ) -> Result<Self, PoolError> {
        let name = "a discharge efficiency";
        if discharge_efficiency == 0.0 {
            let (value, right) = (0.0, "it is more than zero");
            return Err(PoolError::Value { name, value, right });
        }
        Ok(Self {
            content: amount("a content", content)?,
            solar: part("a solar part", solar)?,
            charge_efficiency: part("a charge efficiency", charge_efficiency)?,
            discharge_efficiency: part(name, discharge_efficiency)?,
        })
    }

    /// What is in it.
    #[must_use]
    pub fn content(&self) -> f64 {
        self.content
    }

    /// The solar part of it.
    #[must_use]
    pub fn solar(&self) -> f64 {
        self.solar
    }

    /// Lives through an interval: charges mix in, then the discharge leaves with the
    /// fraction of the mixture. Returns the solar part of the discharge, as energy.
    ///
    /// An empty storage that nothing enters keeps its fraction.
    ///
    /// # Errors
    ///
    /// [`PoolError`] for an amount below nothing and for more than is in it; the pool
    /// stays as it was.
    pub fn step(&mut self, solar: f64, other: f64, discharge: f64) -> Result<f64, PoolError> {
        let solar = amount("a solar charge", solar)? * self.charge_efficiency;
        let other = amount("another charge", other)? * self.charge_efficiency;
        let discharge = amount("a discharge", discharge)?;
        let content = self.content + solar + other;
        let mixed = ratio(self.content * self.solar + solar, content).unwrap_or(self.solar);
        let needed = discharge / self.discharge_efficiency;
        if needed > content {
            return Err(PoolError::Overdrawn { needed, content });
        }
        self.content = content - needed;
        self.solar = mixed;
        Ok(discharge * mixed)
    }

    /// What could be taken out of it, after what enters and before what is lost on the way.
    #[must_use]
    pub fn available(&self, entering: f64) -> f64 {
        (self.content + entering * self.charge_efficiency) * self.discharge_efficiency
    }

    /// States the content anew, from the storage's own sensors: losses take of all
    /// origins alike, so the fraction stays.
    ///
    /// # Errors
    ///
    /// [`PoolError::Value`] for a content below nothing.
    pub fn restate(&mut self, content: f64) -> Result<(), PoolError> {
        self.content = amount("a content", content)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::super::vectors::decimals;
    use super::*;

    #[test]
    fn the_origin_of_a_storage_agrees_with_the_vectors() {
        let text = include_str!("../../../tests/fixtures/balance_cases.json");
        let json: Json = serde_json::from_str(text).unwrap();
        let case = &json["battery_origin"];
        let number = |json: &Json, key: &str| json[key].as_f64().unwrap();
        let mut pool = Pool::new(
            number(case, "initial_E_kWh"),
            number(case, "initial_f_pv"),
            number(case, "eta_charge"),
            number(case, "eta_discharge"),
        )
        .unwrap();
        let steps = case["steps"].as_array().unwrap();
        for step in steps {
            let of = |key: &str| number(step, key);
            let told = pool
                .step(
                    of("pv_charge_kWh"),
                    of("grid_charge_kWh"),
                    of("discharge_kWh"),
                )
                .unwrap();
            decimals(pool.solar(), of("f_pv_after_charge"), 9, "fraction");
            decimals(told, of("pv_part_of_discharge_kWh"), 9, "discharge");
            decimals(pool.content(), of("E_end_kWh"), 9, "content");
        }
        assert_eq!(steps.len(), 4);
    }

    #[test]
    fn an_empty_storage_keeps_its_fraction_until_something_enters() {
        let mut pool = Pool::new(10.0, 0.7, 1.0, 1.0).unwrap();
        assert_eq!(pool.step(0.0, 0.0, 10.0), Ok(7.0));
        assert_eq!((pool.content(), pool.solar()), (0.0, 0.7));
        assert_eq!(pool.step(0.0, 0.0, 0.0), Ok(0.0));
        assert_eq!(pool.solar(), 0.7);
        assert_eq!(pool.step(0.0, 5.0, 0.0), Ok(0.0));
        assert_eq!(pool.solar(), 0.0);
    }

    #[test]
    fn a_storage_does_not_give_what_it_has_not() {
        let mut pool = Pool::new(100.0, 0.5, 0.95, 0.95).unwrap();
        let before = pool;
        let error = pool.step(0.0, 0.0, 190.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "200 is taken out of a storage that holds 100; state its content anew from its sensors"
        );
        assert!(pool.step(-1.0, 0.0, 0.0).is_err());
        assert!(pool.step(0.0, f64::NAN, 0.0).is_err());
        assert_eq!(pool, before);
        pool.restate(300.0).unwrap();
        assert_eq!(pool.step(0.0, 0.0, 190.0), Ok(95.0));
        assert_eq!(
            pool.restate(-1.0).unwrap_err().to_string(),
            "a content of -1 is none; an amount is zero or more"
        );
        assert!(Pool::new(1.0, 1.5, 1.0, 1.0).is_err());
        assert!(Pool::new(1.0, 0.5, 1.0, 0.0).is_err());
        assert!(Pool::new(1.0, 0.5, 95.0, 95.0).is_err());
    }

    proptest! {
        /// Whatever goes in and out, the mixture is a mixture, and no solar heat is made:
        /// what entered as solar has left, is inside, or was lost on the way.
        #[test]
        fn a_mixture_stays_between_its_parts(
            start in 0.0..500.0_f64,
            solar in 0.0..=1.0_f64,
            steps in prop::collection::vec((0.0..80.0_f64, 0.0..80.0_f64, 0.0..120.0_f64), 0..60),
        ) {
            let mut pool = Pool::new(start, solar, 0.95, 0.9).unwrap();
            let (mut entered, mut left) = (start * solar, 0.0);
            for (sun, other, out) in steps {
                if let Ok(part) = pool.step(sun, other, out) {
                    entered += sun * 0.95;
                    left += part / 0.9;
                    prop_assert!(part <= out + 1e-9 && part >= 0.0);
                }
                prop_assert!((0.0..=1.0).contains(&pool.solar()), "{}", pool.solar());
                prop_assert!(pool.content() >= 0.0);
            }
            let inside = pool.content() * pool.solar();
            prop_assert!((entered - left - inside).abs() < 1e-6 * (1.0 + entered));
        }
    }
}
