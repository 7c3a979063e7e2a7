//! Where the content of a battery came from: one well-mixed pool.

/// A battery with what is in it.
///
/// The pool says which part of a discharge is renewable. What is discharged beyond its
/// content shows as an energy below zero, the sign of a wrong efficiency or a wrong
/// start; it has no origin, and what is charged next has its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pool {
    /// Content, Wh.
    pub energy_wh: f64,
    /// The renewable part of it, 0 to 1.
    pub renewable: f64,
    /// What arrives in the battery of what is charged, 0 to 1.
    pub charging: f64,
    /// What arrives outside of what leaves the battery, above 0 to 1.
    pub discharging: f64,
}

/// What a battery was charged and discharged in a step, on the side of the meters, Wh;
/// none of it negative.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Step {
    /// Charged from renewable generation.
    pub renewable_wh: f64,
    /// Charged from the grid.
    pub grid_wh: f64,
    /// Discharged.
    pub discharged_wh: f64,
}

/// What came out of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stepped {
    /// The pool after it.
    pub pool: Pool,
    /// The renewable part of the discharge, Wh.
    pub renewable_wh: f64,
}

impl Pool {
    /// Charges, mixes and discharges; none for an amount or an efficiency that is none.
    /// An empty pool that is not charged keeps its fraction.
    #[must_use]
    pub fn step(self, step: Step) -> Option<Stepped> {
        let Step {
            renewable_wh,
            grid_wh,
            discharged_wh,
        } = step;
        let amounts = [renewable_wh, grid_wh, discharged_wh];
        let sound = amounts.iter().all(|wh| wh.is_finite() && *wh >= 0.0);
        let efficient = |part: f64| part > 0.0 && part <= 1.0;
        if !(sound && efficient(self.charging) && efficient(self.discharging)) {
            return None;
        }
        let arrives = self.charging * (renewable_wh + grid_wh);
        let there = self.energy_wh.max(0.0);
        let renewable = if there + arrives > 0.0 {
            (there * self.renewable + self.charging * renewable_wh) / (there + arrives)
        } else {
            self.renewable
        };
        Some(Stepped {
            pool: Self {
                energy_wh: self.energy_wh + arrives - discharged_wh / self.discharging,
                renewable,
                ..self
            },
            renewable_wh: renewable * discharged_wh,
        })
    }
}
