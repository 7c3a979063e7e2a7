//! The steam turbine: heat in, gross power out.
//!
//! It starts when there is heat enough for a while, follows it at the pace its
//! rotor bears, and stops below its least load. Standing still it draws a little
//! for turning gear and controls.

/// Heat at full load, W.
pub const HEAT_MAX_W: f64 = 11e6;
/// Least heat it runs at, W.
const HEAT_MIN_W: f64 = 2.6e6;
/// Heat that turns the rotor without load, W.
const HEAT_IDLE_W: f64 = 1.1e6;
/// Heat it starts at, W.
const HEAT_START_W: f64 = 3.6e6;
/// Change of heat, up and down, W/s.
const RAMP_W_PER_S: (f64, f64) = (8e3, 14e3);
/// How long a change of the offered heat has to last until it is followed, s.
const PATIENCE_S: f64 = 400.0;
/// Drawn while there is no load, W.
const STANDBY_W: f64 = 6.4e3;
/// Gross power over heat above idling at full load.
const EFFICIENCY: f64 = 0.262;

/// The turbine at a moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Turbine {
    /// Whether steam is on it.
    running: bool,
    /// What the header offered, averaged, W.
    offered_w: f64,
    /// Heat taken, W.
    pub heat_w: f64,
}

impl Turbine {
    /// Follows the heat that the header offers.
    pub fn advance(&mut self, dt_s: f64, offered_w: f64) {
        self.offered_w += (offered_w - self.offered_w) * (dt_s / PATIENCE_S).min(1.0);
        self.running = self.offered_w
            > if self.running {
                HEAT_MIN_W
            } else {
                HEAT_START_W
            };
        let target = if self.running {
            self.offered_w.clamp(HEAT_MIN_W, HEAT_MAX_W)
        } else {
            0.0
        };
        let (up, down) = (RAMP_W_PER_S.0 * dt_s, RAMP_W_PER_S.1 * dt_s);
        self.heat_w += (target - self.heat_w).clamp(-down, up);
    }

    /// Gives up heat that the header does not have.
    pub fn cut(&mut self, by_w: f64) {
        self.heat_w = (self.heat_w - by_w).max(0.0);
    }

    /// Power at the generator's terminals, W; negative while it stands still.
    #[must_use]
    pub fn gross_w(&self) -> f64 {
        let load = (self.heat_w - HEAT_IDLE_W).max(0.0);
        let short = 1.0 - load / (HEAT_MAX_W - HEAT_IDLE_W);
        load * EFFICIENCY * (1.0 - 0.18 * short * short) - if load > 0.0 { 0.0 } else { STANDBY_W }
    }

    /// What its pumps and fans draw, W.
    #[must_use]
    pub fn draws_w(&self) -> f64 {
        if self.heat_w > 0.0 {
            22e3 + 0.0085 * self.heat_w
        } else {
            9e3
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ramps_up_to_full_load_and_stops_below_its_least() {
        let mut turbine = Turbine::default();
        assert_eq!(turbine.gross_w(), -STANDBY_W);
        for _ in 0..4_000 {
            let before = turbine.heat_w;
            turbine.advance(1.0, 20e6);
            assert!(turbine.heat_w - before <= RAMP_W_PER_S.0 + 1e-6);
        }
        assert_eq!(turbine.heat_w, HEAT_MAX_W);
        assert!(
            (2.4e6..2.7e6).contains(&turbine.gross_w()),
            "{}",
            turbine.gross_w()
        );
        (0..4_000).for_each(|_| turbine.advance(1.0, 2e6));
        assert_eq!(turbine.heat_w, 0.0);
    }

    #[test]
    fn efficiency_falls_with_load() {
        let efficiency = |heat_w| {
            let turbine = Turbine {
                heat_w,
                ..Turbine::default()
            };
            turbine.gross_w() / heat_w
        };
        assert!(efficiency(HEAT_MAX_W) > efficiency(6e6));
        assert!(efficiency(6e6) > efficiency(3e6));
        assert!((0.22..0.25).contains(&efficiency(HEAT_MAX_W)));
    }
}
