//! The two-tank salt storage of the heat header.
//!
//! ```text
//!   header ◀── discharge (positive) ── terminals ◀── hot tank · cold tank ──▶ loss
//!          ─── charge (negative) ────▶
//! ```
//!
//! The meter sits at the terminals; what the tanks lose to the air, no meter sees.
//! The book of the content is in integers: content moves by charge minus
//! discharge minus loss, to the last millijoule, and stays between empty and full.

use super::terminal::{MilliJ, MilliW, mj, mw, watts};

/// Heat between empty and full: 60 MWh.
pub const CAPACITY: MilliJ = 60 * 3_600_000_000_000;
/// Most that the exchangers take from the header, W.
const CHARGE_MAX_W: f64 = 12e6;
/// Most that they give, W.
const DISCHARGE_MAX_W: f64 = 9e6;
/// The last of the room, or of the heat, is moved this slowly, s.
const TAPER_S: f64 = 900.0;
/// Time in which the tanks would lose all their heat, s: 40 days.
const LOSS_S: f64 = 3_456_000.0;
/// Salt as it comes from the exchanger, hot and cold, °C.
const SALT_DEGC: (f64, f64) = (384.0, 291.0);

/// The storage at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Storage {
    /// Heat in it above empty.
    pub content: MilliJ,
    /// At the terminals in this step: positive is discharge.
    pub power: MilliW,
    /// Lost to the air in this step.
    pub loss: MilliW,
    /// Hot tank, °C.
    pub hot_degc: f64,
    /// Cold tank, °C.
    pub cold_degc: f64,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            content: CAPACITY / 2,
            power: 0,
            loss: 0,
            hot_degc: SALT_DEGC.0 - 1.0,
            cold_degc: SALT_DEGC.1,
        }
    }
}

impl Storage {
    /// Lives through a step at the powers set for it.
    pub fn advance(&mut self, dt_s: i64, air_degc: f64) {
        self.content -= mj(self.power + self.loss, dt_s);
        let seconds = crate::domain::units::to_f64(dt_s);
        let flow = watts(self.power).abs() / 143_000.0;
        let (charging, discharging) = (self.power < 0, self.power > 0);
        // A tank holds 1 400 t when full, and never less than a tenth of it.
        let hot_kg = 1.4e6 * (0.1 + 0.9 * self.charge());
        let cold_kg = 1.4e6 * (1.0 - 0.9 * self.charge());
        let cooling = |tank: f64, kg: f64| 55.0 * (tank - air_degc) / (kg * 1_500.0) * seconds;
        let mixing = |on: bool, kg: f64| {
            if on {
                (flow * seconds / kg).min(1.0)
            } else {
                0.0
            }
        };
        self.hot_degc += mixing(charging, hot_kg) * (SALT_DEGC.0 - self.hot_degc)
            - cooling(self.hot_degc, hot_kg);
        self.cold_degc += mixing(discharging, cold_kg) * (SALT_DEGC.1 - self.cold_degc)
            - cooling(self.cold_degc, cold_kg);
    }

    /// State of charge, 0 to 1.
    #[must_use]
    pub fn charge(&self) -> f64 {
        let to_f64 = crate::domain::units::to_f64;
        to_f64(self.content) / to_f64(CAPACITY)
    }

    /// Most that can go in now, W.
    #[must_use]
    pub fn charge_limit_w(&self) -> f64 {
        (watts(CAPACITY - self.content) / TAPER_S).clamp(0.0, CHARGE_MAX_W)
    }

    /// Most that can come out now, W.
    #[must_use]
    pub fn discharge_limit_w(&self) -> f64 {
        (watts(self.content) / TAPER_S).clamp(0.0, DISCHARGE_MAX_W)
    }

    /// Closes the header: the storage takes or gives what is over or missing.
    pub fn set(&mut self, power: MilliW) {
        self.power = power;
        self.loss = mw(watts(self.content) / LOSS_S);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_hard_it_is_driven_it_stays_between_empty_and_full() {
        let mut storage = Storage::default();
        for (hours, charge) in [(12, true), (12, false), (3, true), (24, false)] {
            for _ in 0..hours * 360 {
                let power = if charge {
                    -storage.charge_limit_w()
                } else {
                    storage.discharge_limit_w()
                };
                storage.set(mw(power));
                storage.advance(10, 5.0);
                assert!((0..=CAPACITY).contains(&storage.content), "{storage:?}");
            }
        }
    }

    #[test]
    fn the_content_moves_by_terminals_and_loss_to_the_last_millijoule() {
        let mut storage = Storage::default();
        for power in [-5_000_000_001, 3_333_333_333, 0] {
            let before = storage.content;
            storage.set(power);
            assert!(storage.loss > 10_000_000, "the tanks are warm");
            storage.advance(7, 5.0);
            assert_eq!(storage.content, before - (power + storage.loss) * 7);
        }
    }

    #[test]
    fn tanks_cool_slowly_and_charging_heats_the_hot_one() {
        let mut storage = Storage::default();
        storage.set(0);
        (0..8_640).for_each(|_| storage.advance(10, 0.0));
        assert!((376.0..383.0).contains(&storage.hot_degc), "{storage:?}");
        let cooled = storage.hot_degc;
        storage.set(-8_000_000_000);
        (0..360).for_each(|_| storage.advance(10, 0.0));
        assert!(storage.hot_degc > cooled);
    }
}
