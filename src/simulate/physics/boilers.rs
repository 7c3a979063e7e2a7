//! The two boilers: one makes heat of surplus electricity, one burns gas when the
//! storage runs out.

/// Most the electric boiler draws for heat, W.
const ELECTRIC_MAX_W: f64 = 800e3;
/// Part of the surplus that it takes; the rest is for battery and grid.
const ELECTRIC_SHARE: f64 = 0.4;
/// Change of its power, W/s.
const ELECTRIC_RAMP: f64 = 6e3;
/// Heat made of electricity.
pub const ELECTRIC_EFFICIENCY: f64 = 0.99;
/// Drawn by its controls at all times, W.
pub const ELECTRIC_STANDBY_W: f64 = 400.0;

/// Change of the gas boiler's heat, W/s.
const GAS_RAMP: f64 = 8e3;
/// Storage charge at which it is fired, and at which it is put out.
const GAS_CHARGE: (f64, f64) = (0.06, 0.12);
/// Most heat it makes, W.
const GAS_MAX_W: f64 = 6e6;

/// The electric boiler at a moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Electric {
    /// Electricity that becomes heat, W.
    pub heating_w: f64,
}

impl Electric {
    /// Follows the surplus of electricity as far as the header takes heat.
    pub fn advance(&mut self, dt_s: f64, surplus_w: f64, room_w: f64) {
        let target = (surplus_w * ELECTRIC_SHARE).clamp(0.0, ELECTRIC_MAX_W);
        let reach = ELECTRIC_RAMP * dt_s;
        let wanted = self.heating_w + (target - self.heating_w).clamp(-reach, reach);
        self.heating_w = wanted.min((room_w / ELECTRIC_EFFICIENCY).max(0.0));
    }

    /// Heat made, W.
    #[must_use]
    pub fn heat_w(&self) -> f64 {
        self.heating_w * ELECTRIC_EFFICIENCY
    }
}

/// The gas boiler at a moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gas {
    fired: bool,
    /// Heat made, W.
    pub heat_w: f64,
}

impl Gas {
    /// Carries the demand while the storage is nearly empty.
    pub fn advance(&mut self, dt_s: f64, storage_charge: f64, demand_w: f64, room_w: f64) {
        self.fired = storage_charge
            < if self.fired {
                GAS_CHARGE.1
            } else {
                GAS_CHARGE.0
            };
        let target = if self.fired {
            (demand_w * 1.1).clamp(0.0, GAS_MAX_W)
        } else {
            0.0
        };
        let reach = GAS_RAMP * dt_s;
        let wanted = self.heat_w + (target - self.heat_w).clamp(-reach, reach);
        self.heat_w = wanted.min(room_w.max(0.0));
    }

    /// Makes heat that nothing else in the header has.
    pub fn push(&mut self, by_w: f64) {
        self.heat_w += by_w;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_electric_boiler_takes_its_share_and_no_more_than_the_header_does() {
        let mut boiler = Electric::default();
        (0..600).for_each(|_| boiler.advance(1.0, 1e6, 1e9));
        assert_eq!(boiler.heating_w, 400e3);
        boiler.advance(1.0, 1e6, 99e3);
        assert!((boiler.heat_w() - 99e3).abs() < 1e-6);
        (0..600).for_each(|_| boiler.advance(1.0, -5e5, 1e9));
        assert_eq!(boiler.heat_w(), 0.0);
    }

    #[test]
    fn gas_burns_from_an_empty_storage_until_it_has_some_again() {
        let mut boiler = Gas::default();
        let settled = |boiler: &mut Gas, charge| {
            (0..2_000).for_each(|_| boiler.advance(1.0, charge, 3e6, 1e9));
            boiler.heat_w
        };
        assert_eq!(settled(&mut boiler, 0.10), 0.0);
        assert!(settled(&mut boiler, 0.05) > 3e6);
        assert!(settled(&mut boiler, 0.10) > 3e6, "hysteresis");
        assert_eq!(settled(&mut boiler, 0.13), 0.0);
    }
}
