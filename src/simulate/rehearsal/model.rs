//! What a meter of a rehearsal measures: one power, and everything that follows from it.
//!
//! ```text
//!   power ──▶ phases ──▶ currents (by voltage and power factor)
//!     ├──▶ reactive, apparent power
//!     ├──▶ energy forwards and backwards: its exact integral
//!     └──▶ heat: flow and two temperatures that carry it
//! ```
//!
//! Numbers agree with each other as those of a real meter do, so that a commissioning
//! check finds what a fault did and nothing else. Positive is the direction of the
//! role. Time is seconds since the rehearsal began, and an argument.

use std::f64::consts::TAU;

use super::super::physics::noise::{Channel, uniform};
use super::wave::Wave;
use crate::domain::meter::{Nature, Quantity, Role, Sense, Term};

/// Shares of the three phases: alike, and not so alike that two could be mixed up.
const SHARES: [f64; 3] = [0.36, 0.33, 0.31];
/// Of every phase.
const POWER_FACTOR: f64 = 0.95;
/// Reactive for active power at that factor: the tangent of its angle.
const REACTIVE: f64 = 0.328_684_105;
/// Heat of a cubic metre of water per kelvin at 60 °C, Wh.
const WATER_WH: f64 = 1_142.0;
/// What flows back in a heat circuit, °C.
const RETURN_DEGC: f64 = 45.0;
/// Between supply and return, K.
const SPREAD_K: f64 = 30.0;
/// Heat that a heat pump makes of a unit of electricity, and an electric boiler.
const HEAT_PUMP: f64 = 3.2;
const ELECTRIC_BOILER: f64 = 0.98;

/// What a meter says of a quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Said {
    /// A momentary value in its canonical unit.
    Analog(f64),
    /// What a register has counted, Wh.
    Energy(f64),
}

/// One meter.
#[derive(Debug, Clone)]
pub struct Model {
    wave: Wave,
    sense: Sense,
    /// Heat of one unit of `power`, for roles that make heat of it.
    heat: f64,
    /// What registers counted before the rehearsal, Wh.
    opening: f64,
    /// Where its small movements are.
    phase: f64,
    /// What its clock showed when the rehearsal began: seconds since 1970 in UTC, and of
    /// the park's civil time as if it were UTC.
    began_s: (f64, f64),
}

/// A phase whose transformer is turned round: its place, from zero.
pub type Phase = usize;

/// Powers as a meter sees them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wiring {
    /// The phase that is turned, if one is.
    pub reversed: Option<Phase>,
}

impl Wiring {
    fn share(self, phase: Phase) -> f64 {
        let share = SHARES.get(phase).copied().unwrap_or_default();
        if self.reversed == Some(phase) {
            -share
        } else {
            share
        }
    }

    /// What the meter takes for the whole power, of what it is.
    #[must_use]
    pub fn factor(self) -> f64 {
        (0..SHARES.len()).map(|phase| self.share(phase)).sum()
    }
}

impl Model {
    /// A meter of a role that never shows more than `peak` W; one that is `one_way`
    /// never shows a negative power.
    #[must_use]
    pub fn new(seed: u64, name: &str, role: &Role, peak: f64, one_way: bool) -> Self {
        let channel = name.bytes().fold(Channel(0x5e), |channel, byte| {
            Channel(channel.0.wrapping_mul(0x100_0193) ^ u64::from(byte))
        });
        let draw = |n| uniform(seed, channel, n);
        let both_ways = [
            Some(Term::Grid),
            Some(Term::Battery),
            Some(Term::HeatStorage),
        ];
        let swings = !one_way
            && both_ways
                .iter()
                .any(|term| [role.electricity, role.heat].contains(term));
        let (mean, swing) = if swings { (0.1, 0.8) } else { (0.6, 0.3) };
        Self {
            wave: Wave {
                mean: mean * peak * (0.7 + 0.3 * draw(0)),
                swing: swing * peak * (0.7 + 0.3 * draw(1)),
                period_s: 300.0 + 600.0 * draw(2),
                phase: TAU * draw(3),
            },
            sense: role.sense,
            heat: match (role.electricity, role.heat) {
                (Some(_), Some(Term::HeatPumpHeat)) => HEAT_PUMP,
                (Some(_), Some(_)) => ELECTRIC_BOILER,
                _ => 1.0,
            },
            opening: 1e6 + 8e6 * draw(4),
            phase: TAU * draw(5),
            began_s: (0.0, 0.0),
        }
    }

    /// The same with a clock that is right.
    #[must_use]
    pub fn with_clock(self, began_s: (f64, f64)) -> Self {
        Self { began_s, ..self }
    }

    /// What it says of a quantity after so many seconds.
    #[must_use]
    pub fn says(&self, quantity: &Quantity, s: f64, wiring: Wiring) -> Said {
        let (name, phase) = of_phase(quantity);
        let share = phase.map_or(1.0, |phase| SHARES.get(phase).copied().unwrap_or(1.0));
        let positive = || share * (self.opening + self.wave.forwards(s));
        let negative = || share * (0.1 * self.opening + self.wave.backwards(s));
        let forwards = match self.sense {
            Sense::Import => "energy_import",
            Sense::Export => "energy_export",
        };
        match (name, quantity.nature) {
            ("energy_import" | "energy_export", _) if name != forwards => Said::Energy(negative()),
            ("heat_energy", _) => Said::Energy(self.heat * positive()),
            (_, Nature::Register) => Said::Energy(positive()),
            ("reactive_energy_import", _) => Said::Analog(REACTIVE * positive()),
            ("reactive_energy_export", _) => Said::Analog(REACTIVE * negative()),
            (_, Nature::Analog) => Said::Analog(self.analog(quantity, s, wiring)),
        }
    }

    /// The energy that flowed in the direction of a register since the beginning, Wh.
    #[must_use]
    pub fn flowed(&self, quantity: &Quantity, s: f64) -> Option<f64> {
        let wiring = Wiring { reversed: None };
        match (
            self.says(quantity, s, wiring),
            self.says(quantity, 0.0, wiring),
        ) {
            (Said::Energy(now), Said::Energy(then)) => Some(now - then),
            _ => None,
        }
    }

    /// What a power moved since the beginning in the direction of the role and against
    /// it, Wh; none where the quantity is no power of the whole.
    #[must_use]
    pub fn moved(&self, quantity: &Quantity, s: f64) -> Option<(f64, f64)> {
        let part = match quantity.name {
            "power" => 1.0,
            "heat_power" => self.heat,
            _ => return None,
        };
        Some((part * self.wave.forwards(s), part * self.wave.backwards(s)))
    }

    /// The whole power, W.
    #[must_use]
    pub fn power(&self, s: f64) -> f64 {
        self.wave.power(s)
    }

    /// A number that wanders by one around zero within minutes.
    fn wander(&self, s: f64, n: usize) -> f64 {
        let n = [0.0, 1.0, 2.0, 3.0].get(n).copied().unwrap_or_default();
        (TAU * s / (97.0 + 31.0 * n) + self.phase + 2.0 * n).sin()
    }

    fn voltage(&self, s: f64, phase: Phase) -> f64 {
        230.0 + 1.5 * self.wander(s, phase)
    }

    fn analog(&self, quantity: &Quantity, s: f64, wiring: Wiring) -> f64 {
        let (name, phase) = of_phase(quantity);
        let true_power = self.wave.power(s);
        let power = true_power * phase.map_or(wiring.factor(), |phase| wiring.share(phase));
        let heat = self.heat * true_power;
        match name {
            "power" | "demand" => power,
            "demand_max" => self.wave.mean.abs() + self.wave.swing,
            "reactive_power" => REACTIVE * power,
            "apparent_power" => power.abs() / POWER_FACTOR,
            "power_factor" => POWER_FACTOR,
            "current" => {
                let volts = self.voltage(s, phase.unwrap_or_default());
                power.abs() / POWER_FACTOR / volts
            }
            "voltage" => match phase {
                Some(phase) => self.voltage(s, phase),
                // Between two phases: l12, l23, l31.
                None => 3_f64.sqrt() * self.voltage(s, 0),
            },
            "frequency" => 50.0 + 0.02 * self.wander(s, 0),
            "heat_power" => heat,
            "flow" => heat.abs() / (WATER_WH * SPREAD_K),
            "mass_flow" => heat.abs() / (WATER_WH * SPREAD_K) * 983.0 / 3_600.0,
            "clock" => self.began_s.0 + s,
            "clock_local" => self.began_s.1 + s,
            "temp_return" => RETURN_DEGC,
            // The colder pipe is the supply while heat flows back.
            "temp_supply" if heat < 0.0 => RETURN_DEGC - SPREAD_K,
            "temp_supply" => RETURN_DEGC + SPREAD_K,
            _ => self.usual(quantity, s),
        }
    }

    /// What a quantity that follows from no power usually is.
    fn usual(&self, quantity: &Quantity, s: f64) -> f64 {
        let moves = self.wander(s, 1);
        match (quantity.name, quantity.unit) {
            ("voltage_l12" | "voltage_l23" | "voltage_l31", _) => 398.0 + moves,
            ("soc", _) => 50.0 + 30.0 * moves,
            ("soh", _) => 97.0,
            ("wind", _) => 4.0 + 2.0 * moves,
            ("temp", _) => 18.0 + moves,
            ("status", _) => 1.0,
            (name, "%") if name.starts_with("thd") => 2.0 + moves,
            (_, "%") => 45.0 + 5.0 * moves,
            (_, "degC") => 60.0 + moves,
            (_, "W/m2") => 600.0 + 150.0 * moves,
            (_, "Pa") => 6e5 + 1e4 * moves,
            // Of strings and batteries.
            (_, "V") => 600.0 + moves,
            (_, "W") => self.wave.power(s),
            (_, "A") => 5.0 + moves,
            (_, "Hz") => 50.0 + 0.02 * moves,
            (_, "m") => 2.0 + 0.1 * moves,
            (_, "deg") => 30.0 + 10.0 * moves,
            (_, "m3") => 1_000.0 + s / 3_600.0,
            _ => 1.0 + 0.1 * moves,
        }
    }
}

/// A quantity without its phase, and the phase, from zero.
fn of_phase(quantity: &Quantity) -> (&'static str, Option<Phase>) {
    let parts = quantity.name.rsplit_once("_l").and_then(|(name, n)| {
        let phase = n.parse::<usize>().ok()?.checked_sub(1)?;
        (phase < SHARES.len()).then_some((name, Some(phase)))
    });
    parts.unwrap_or((quantity.name, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRAIGHT: Wiring = Wiring { reversed: None };

    fn meter(role: &str, one_way: bool) -> Model {
        Model::new(1, "one", Role::named(role).unwrap(), 10_000.0, one_way)
    }

    fn analog(model: &Model, quantity: &str, s: f64, wiring: Wiring) -> f64 {
        match model.says(Quantity::named(quantity).unwrap(), s, wiring) {
            Said::Analog(value) => value,
            Said::Energy(_) => panic!("{quantity} is a register"),
        }
    }

    #[test]
    fn the_phases_make_the_whole_and_carry_it() {
        let model = meter("grid", false);
        for s in [0.0, 100.0, 400.0] {
            let of = |name: &str| analog(&model, name, s, STRAIGHT);
            let sum: f64 = (1..=3).map(|n| of(&format!("power_l{n}"))).sum();
            assert!((sum - of("power")).abs() < 1e-6);
            for n in 1..=3 {
                let carried = of(&format!("voltage_l{n}")) * of(&format!("current_l{n}"));
                let power = of(&format!("power_l{n}")).abs();
                assert!((carried * POWER_FACTOR - power).abs() < 1e-6 && carried >= power);
            }
            assert!((49.9..50.1).contains(&of("frequency")));
            assert!((220.0..240.0).contains(&of("voltage_l2")));
            assert!((380.0..420.0).contains(&of("voltage_l12")));
        }
    }

    #[test]
    fn heat_is_what_the_water_carries() {
        let model = meter("heat_feed", false);
        let of = |name: &str| analog(&model, name, 50.0, STRAIGHT);
        let carried = of("flow") * WATER_WH * (of("temp_supply") - of("temp_return"));
        assert!((carried - of("heat_power")).abs() < 1e-6);
    }

    #[test]
    fn a_turned_transformer_shows_in_its_phase_and_the_sum() {
        let model = meter("tenant", false);
        let turned = Wiring { reversed: Some(1) };
        let of = |name: &str, wiring| analog(&model, name, 5.0, wiring);
        assert_eq!(of("power_l2", turned), -of("power_l2", STRAIGHT));
        assert_eq!(of("power_l1", turned), of("power_l1", STRAIGHT));
        let left = of("power", STRAIGHT) - 2.0 * of("power_l2", STRAIGHT);
        assert!((of("power", turned) - left).abs() < 1e-6);
    }

    #[test]
    fn registers_count_the_directions_of_the_role() {
        #[rustfmt::skip]
        let cases = [
            // role     one way  forwards         backwards
            ("grid",    false,   "energy_import", Some("energy_export")),
            ("battery", false,   "energy_export", Some("energy_import")),
            ("pv",      false,   "energy_export", None),
            ("grid",    true,    "energy_import", None),
            ("pv",      true,    "energy",        None),
            ("tenant",  true,    "energy_import_l2", None),
        ];
        for (role, one_way, forwards, backwards) in cases {
            let model = meter(role, one_way);
            let flowed = |name| {
                model
                    .flowed(Quantity::named(name).unwrap(), 3_600.0)
                    .unwrap()
            };
            assert!(flowed(forwards) > 100.0, "{role}");
            let other = match (role, forwards) {
                ("pv" | "battery", _) => "energy_import",
                _ => "energy_export",
            };
            assert_eq!(flowed(other) > 1.0, backwards.is_some(), "{role} {one_way}");
        }
        assert_eq!(
            meter("pv", false).flowed(Quantity::named("power").unwrap(), 1.0),
            None
        );
    }

    #[test]
    fn two_meters_are_not_alike_and_one_is_always_the_same() {
        let role = Role::named("tenant").unwrap();
        let power = |seed, name| Model::new(seed, name, role, 1e4, false).power(77.0);
        assert_eq!(power(1, "a"), power(1, "a"));
        assert_ne!(power(1, "a"), power(1, "b"));
        assert_ne!(power(1, "a"), power(2, "a"));
    }
}
