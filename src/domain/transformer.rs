//! Losses of a transformer between the meter and the boundary of ownership.
//!
//! ```text
//!   grid ── boundary ──[ transformer ]── meter ── park
//!            P_HV = P_LV + ΔP       P_LV, positive is import
//! ```
//!
//! Iron loses with the square of the voltage, copper with the square of the current.
//! The loss is positive in both directions: it adds to import, and takes from export,
//! because the sum is signed. An idle park imports its iron losses.
//!
//! # Source
//!
//! The EEI Handbook's formula with data-plate values, in the words of the EIG Nexus
//! 1250 manual; held to the cases in `tests/fixtures/interval_cases.json`.

/// A transformer by its data plate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transformer {
    rated_va: f64,
    iron_w: f64,
    copper_w: f64,
    /// Reactive power of the core at rated voltage, var.
    iron_var: f64,
    /// Reactive power of the windings at rated current, var.
    copper_var: f64,
}

/// What a data plate says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DataPlate {
    /// Rated power, VA.
    pub rated_va: f64,
    /// Loss without load at rated voltage, W.
    pub no_load_w: f64,
    /// Loss in the windings at rated current, W.
    pub load_w: f64,
    /// Current without load, % of the rated one.
    pub no_load_current_pct: f64,
    /// Short-circuit voltage, % of the rated one.
    pub short_circuit_pct: f64,
}

/// Why losses can not be told.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum TransformerError {
    /// A number that no data plate has.
    #[error("{name} of {value} is on no data plate; {right}")]
    Plate {
        /// Which one.
        name: &'static str,
        /// What is written.
        value: f64,
        /// What would be right.
        right: &'static str,
    },
    /// Numbers of a data plate that exclude each other.
    #[error(
        "{loss_w} W of loss is more than the {apparent_va:.0} VA that {name} of the rated power \
         allow; is one of the two in another unit?"
    )]
    Apparent {
        /// Which percentage.
        name: &'static str,
        /// The loss, W.
        loss_w: f64,
        /// What the percentage makes of the rated power, VA.
        apparent_va: f64,
    },
    /// A voltage at which a power can not be.
    #[error("a voltage of {0} of the rated one carries no power; is the voltage measured?")]
    Voltage(f64),
}

/// Active and reactive power.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Complex {
    /// W; positive is import.
    pub active_w: f64,
    /// var; positive is inductive import.
    pub reactive_var: f64,
}

impl Transformer {
    /// A transformer with this data plate.
    ///
    /// # Errors
    ///
    /// [`TransformerError`] for a plate that can not be.
    pub fn new(plate: &DataPlate) -> Result<Self, TransformerError> {
        for (name, value) in [
            ("a rated power", plate.rated_va),
            ("a loss without load", plate.no_load_w),
            ("a loss at rated current", plate.load_w),
            ("a current without load", plate.no_load_current_pct),
            ("a short-circuit voltage", plate.short_circuit_pct),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                let right = "it is positive";
                return Err(TransformerError::Plate { name, value, right });
            }
        }
        let reactive = |name, pct: f64, loss_w: f64| {
            let apparent_va = pct / 100.0 * plate.rated_va;
            let square = apparent_va * apparent_va - loss_w * loss_w;
            if square < 0.0 {
                return Err(TransformerError::Apparent {
                    name,
                    loss_w,
                    apparent_va,
                });
            }
            Ok(square.sqrt())
        };
        let no_load = "the percent of current without load";
        let short = "the percent of short-circuit voltage";
        Ok(Self {
            rated_va: plate.rated_va,
            iron_w: plate.no_load_w,
            copper_w: plate.load_w,
            iron_var: reactive(no_load, plate.no_load_current_pct, plate.no_load_w)?,
            copper_var: reactive(short, plate.short_circuit_pct, plate.load_w)?,
        })
    }

    /// What the transformer takes while the meter behind it shows a power.
    ///
    /// `voltage` is that of the meter's side, as a part of the rated one. Without voltage
    /// and without power the transformer is dead, and takes nothing.
    ///
    /// # Errors
    ///
    /// [`TransformerError::Voltage`] where the voltage is not positive and power flows.
    pub fn losses(&self, metered: Complex, voltage: f64) -> Result<Complex, TransformerError> {
        let dead = Complex {
            active_w: 0.0,
            reactive_var: 0.0,
        };
        if voltage == 0.0 && metered == dead {
            return Ok(dead);
        }
        if !(voltage > 0.0 && voltage.is_finite()) {
            return Err(TransformerError::Voltage(voltage));
        }
        let current = metered.active_w.hypot(metered.reactive_var) / (self.rated_va * voltage);
        let (u2, i2) = (voltage * voltage, current * current);
        Ok(Complex {
            active_w: self.iron_w * u2 + self.copper_w * i2,
            reactive_var: self.iron_var * u2 * u2 + self.copper_var * i2,
        })
    }

    /// The power at the boundary of ownership: metered power plus losses, both signed.
    ///
    /// # Errors
    ///
    /// [`TransformerError::Voltage`] where the voltage is not positive.
    pub fn at_boundary(&self, metered: Complex, voltage: f64) -> Result<Complex, TransformerError> {
        let losses = self.losses(metered, voltage)?;
        Ok(Complex {
            active_w: metered.active_w + losses.active_w,
            reactive_var: metered.reactive_var + losses.reactive_var,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;

    const PLATE: DataPlate = DataPlate {
        rated_va: 1.6e6,
        no_load_w: 1_700.0,
        load_w: 14_500.0,
        no_load_current_pct: 0.5,
        short_circuit_pct: 6.0,
    };

    #[test]
    fn losses_agree_with_the_cases() {
        let text = include_str!("../../tests/fixtures/interval_cases.json");
        let json: Json = serde_json::from_str(text).unwrap();
        let set = &json["transformer_loss"];
        let number = |json: &Json| json.as_f64().unwrap();
        let transformer = Transformer::new(&DataPlate {
            rated_va: number(&set["Sn_kVA"]) * 1e3,
            no_load_w: number(&set["P0_kW"]) * 1e3,
            load_w: number(&set["Pk_kW"]) * 1e3,
            no_load_current_pct: number(&set["i0_pct"]),
            short_circuit_pct: number(&set["uk_pct"]),
        })
        .unwrap();
        let cases = set["cases"].as_array().unwrap();
        for case in cases {
            let metered = Complex {
                active_w: number(&case["P_LV_kW"]) * 1e3,
                reactive_var: number(&case["Q_LV_kvar"]) * 1e3,
            };
            let voltage = number(&case["U_pu"]);
            let losses = transformer.losses(metered, voltage).unwrap();
            let boundary = transformer.at_boundary(metered, voltage).unwrap();
            for (ours, key) in [
                (losses.active_w, "expect_dP_kW"),
                (losses.reactive_var, "expect_dQ_kvar"),
                (boundary.active_w, "P_HV_kW"),
            ] {
                let off = (ours / 1e3 - number(&case[key])).abs();
                assert!(off <= 0.500_001e-6, "{key} of {case}: {ours}");
            }
            let reactive = boundary.reactive_var - metered.reactive_var;
            assert!((reactive - losses.reactive_var).abs() < 1e-6);
        }
        assert_eq!(cases.len(), 4);
    }

    #[test]
    fn export_at_the_boundary_is_less_than_at_the_meter() {
        let transformer = Transformer::new(&PLATE).unwrap();
        let of = |active_w| {
            let reactive_var = 0.0;
            let power = Complex {
                active_w,
                reactive_var,
            };
            transformer.at_boundary(power, 1.0).unwrap().active_w
        };
        assert!(of(-600e3) > -600e3 && of(-600e3) < 0.0);
        assert!(of(600e3) > 600e3);
        assert!(of(-1e3) > 0.0, "less than the iron takes is not exported");
    }

    #[test]
    fn a_plate_that_can_not_be_says_why() {
        let error = |plate: DataPlate| Transformer::new(&plate).unwrap_err().to_string();
        assert_eq!(
            error(DataPlate {
                no_load_w: 0.0,
                ..PLATE
            }),
            "a loss without load of 0 is on no data plate; it is positive"
        );
        assert_eq!(
            error(DataPlate {
                rated_va: 1_600.0,
                ..PLATE
            }),
            "1700 W of loss is more than the 8 VA that the percent of current without load of \
             the rated power allow; is one of the two in another unit?"
        );
        assert!(
            Transformer::new(&DataPlate {
                load_w: f64::NAN,
                ..PLATE
            })
            .is_err()
        );
    }

    #[test]
    fn without_a_voltage_there_are_no_losses_to_tell() {
        let transformer = Transformer::new(&PLATE).unwrap();
        let metered = Complex {
            active_w: 800e3,
            reactive_var: 0.0,
        };
        for voltage in [0.0, -1.0, f64::NAN] {
            assert!(transformer.losses(metered, voltage).is_err(), "{voltage}");
        }
        let dead = Complex {
            active_w: 0.0,
            reactive_var: 0.0,
        };
        assert_eq!(transformer.losses(dead, 0.0), Ok(dead));
        assert_eq!(
            transformer.losses(metered, 0.0).unwrap_err().to_string(),
            "a voltage of 0 of the rated one carries no power; is the voltage measured?"
        );
    }
}
