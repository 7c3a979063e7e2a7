//! The trough field: mirrors on tracking mounts, and the oil loop through them.
//!
//! ```text
//!   mounts turn about a north–south axis      −90° east · 0° up · +90° west
//!
//!          ┌──────── collectors ────────┐
//!   inlet ─┘   absorbed − lost = stored └─ outlet ──▶ header
//! ```
//!
//! The oil's mass remembers: heat leaves the loop only as flow times the
//! enthalpy between outlet and inlet, and that product is what the meter sees.
//! A cold loop first warms itself. At night the loop loses heat; below the
//! keep-warm temperature the header warms it, and its heat power is negative.

use super::oil::{oil_density, oil_enthalpy};
use super::sky::Sky;
use super::sun::Sun;

/// Aperture of all mirrors, m².
const APERTURE_M2: f64 = 37_000.0;
/// Part of the beam in the aperture that the receivers absorb, mirrors as clean as
/// on average.
const OPTICAL: f64 = 0.72;
/// Where the mounts rest: mirrors face the eastern ground.
const STOW_DEG: f64 = -110.0;
/// How fast a mount turns.
const SLEW_DEG_PER_S: f64 = 0.25;
/// Lowest sun worth following: below it the rows shade each other.
const LOWEST_SUN_DEG: f64 = 6.0;
/// Wind that sends the mounts to their rest.
const STOW_WIND: f64 = 14.0;
/// Wind that lets them out again.
const RELEASE_WIND: f64 = 11.0;
/// Distance of rows over width of mirrors.
const ROW_SPACING: f64 = 2.8;
/// Mount error at which a receiver sees nothing of the beam.
const ACCEPTANCE_DEG: f64 = 1.4;

/// Heat to warm oil and steel of the loop by a kelvin, J/K.
const LOOP_J_PER_K: f64 = 140e6;
/// Outlet temperature the pumps hold.
const OUTLET_DEGC: f64 = 390.0;
/// What the heat exchangers send back.
const RETURN_DEGC: f64 = 293.0;
/// Outlet temperature from which mirrors turn away from the sun.
const TOO_HOT_DEGC: f64 = 394.0;
/// Outlet temperature below which the header warms the loop.
const KEEP_WARM_DEGC: f64 = 210.0;
/// Warming per kelvin below it, W/K.
const WARMING_W_PER_K: f64 = 60e3;
/// Most that the warming exchanger carries, W.
const WARMING_MAX_W: f64 = 900e3;
/// Least and most flow of the pumps, kg/s.
const FLOW_KG_S: (f64, f64) = (8.0, 130.0);
/// Flow added per kelvin of outlet temperature over what is wanted, kg/s.
const FLOW_GAIN: f64 = 2.0;

/// The field at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Angle of the mounts, degrees.
    pub angle_deg: f64,
    /// Whether they turned in the last step.
    pub turning: bool,
    /// Whether wind keeps them at rest.
    stowed_by_wind: bool,
    /// Oil at the inlet, °C.
    pub inlet_degc: f64,
    /// Oil at the outlet, °C.
    pub outlet_degc: f64,
    /// Oil through the loop, kg/s.
    pub flow_kgs: f64,
    /// Heat to the header, W; negative while the header warms the loop.
    pub heat_w: f64,
}

impl Default for Field {
    fn default() -> Self {
        Self {
            angle_deg: STOW_DEG,
            turning: false,
            stowed_by_wind: false,
            inlet_degc: KEEP_WARM_DEGC,
            outlet_degc: KEEP_WARM_DEGC,
            flow_kgs: FLOW_KG_S.0,
            heat_w: 0.0,
        }
    }
}

impl Field {
    /// Lives through a step: the heat power of the step before leaves the loop,
    /// then a new one is set, at most `cap_w`.
    pub fn advance(&mut self, dt_s: f64, sun: &Sun, sky: &Sky, cap_w: f64) {
        self.turn(dt_s, sun, sky.wind);
        let net = self.absorbed_w(sun, sky) - self.lost_w(sky.air_degc);
        self.outlet_degc += (net - self.heat_w) * dt_s / LOOP_J_PER_K;
        self.set_flow(net, cap_w.max(0.0));
    }

    /// Turns the mounts towards where they should be, as far as they get.
    fn turn(&mut self, dt_s: f64, sun: &Sun, wind: f64) {
        let limit = if self.stowed_by_wind {
            RELEASE_WIND
        } else {
            STOW_WIND
        };
        self.stowed_by_wind = wind > limit;
        let target = if self.stowed_by_wind || sun.elevation_deg < LOWEST_SUN_DEG {
            STOW_DEG
        } else {
            let defocus = ((self.outlet_degc - TOO_HOT_DEGC) / 3.0).clamp(0.0, 1.0);
            facing_deg(sun) + 1.3 * ACCEPTANCE_DEG * defocus
        };
        let reach = SLEW_DEG_PER_S * dt_s;
        let turn = (target - self.angle_deg).clamp(-reach, reach);
        self.turning = turn.abs() > 1e-3;
        self.angle_deg += turn;
    }

    /// Heat that the receivers take in, W.
    fn absorbed_w(&self, sun: &Sun, sky: &Sky) -> f64 {
        if sun.elevation_deg <= 0.0 {
            return 0.0;
        }
        let error = (self.angle_deg - facing_deg(sun)) / ACCEPTANCE_DEG;
        let seen = (1.0 - error * error).max(0.0);
        let unshaded = (ROW_SPACING * self.angle_deg.to_radians().cos()).clamp(0.0, 1.0);
        APERTURE_M2 * OPTICAL * sky.dni * modifier(incidence_deg(sun)) * seen * unshaded
    }

    /// Heat that the loop loses to the air, W.
    fn lost_w(&self, air_degc: f64) -> f64 {
        let over = (0.5 * (self.inlet_degc + self.outlet_degc) - air_degc).max(0.0);
        APERTURE_M2 * (0.10 * over + 1.2e-9 * over.powi(4))
    }

    /// Sets flow and heat power from the outlet temperature.
    fn set_flow(&mut self, net_w: f64, cap_w: f64) {
        let spread = oil_enthalpy(OUTLET_DEGC) - oil_enthalpy(RETURN_DEGC);
        let wanted = net_w.max(0.0) / spread + FLOW_GAIN * (self.outlet_degc - OUTLET_DEGC);
        self.flow_kgs = wanted.clamp(FLOW_KG_S.0, FLOW_KG_S.1);
        let gain = oil_enthalpy(self.outlet_degc) - oil_enthalpy(RETURN_DEGC);
        self.heat_w = if self.outlet_degc > RETURN_DEGC {
            (self.flow_kgs * gain).min(cap_w)
        } else {
            -(WARMING_W_PER_K * (KEEP_WARM_DEGC - self.outlet_degc)).clamp(0.0, WARMING_MAX_W)
        };
        self.inlet_degc = inlet(self.outlet_degc, self.heat_w / self.flow_kgs);
    }

    /// Oil through the flow meter at the inlet, m³/h.
    #[must_use]
    pub fn flow_m3h(&self) -> f64 {
        self.flow_kgs / oil_density(self.inlet_degc) * 3_600.0
    }

    /// What pumps and drives draw, W.
    #[must_use]
    pub fn draws_w(&self) -> f64 {
        let pumps = 5e3 + 150e3 * (self.flow_kgs / 110.0).powf(2.5);
        let drives = if self.turning { 9e3 } else { 2.5e3 };
        pumps + drives
    }
}

/// Temperature below the outlet from which a kilogram gains so much enthalpy, °C.
fn inlet(outlet_degc: f64, gain_j_per_kg: f64) -> f64 {
    let wanted = oil_enthalpy(outlet_degc) - gain_j_per_kg;
    // Newton's method; the heat capacity bends so little that four steps end at
    // the precision of the number.
    (0..4).fold(outlet_degc, |guess, _| {
        let slope = oil_enthalpy(guess + 0.5) - oil_enthalpy(guess - 0.5);
        guess - (oil_enthalpy(guess) - wanted) / slope
    })
}

/// Angle at which a mount faces the sun, degrees.
#[must_use]
pub fn facing_deg(sun: &Sun) -> f64 {
    let (sin_el, cos_el) = sun.elevation_deg.to_radians().sin_cos();
    -(cos_el * sun.azimuth_deg.to_radians().sin())
        .atan2(sin_el)
        .to_degrees()
}

/// Angle between the sun and the plane that a mount can face, degrees.
#[must_use]
pub fn incidence_deg(sun: &Sun) -> f64 {
    let along = sun.elevation_deg.to_radians().cos() * sun.azimuth_deg.to_radians().cos();
    along.abs().min(1.0).asin().to_degrees()
}

/// Incidence angle modifier of an LS-2 trough, cosine included:
/// `K = cos θ + 0.000884 θ − 0.00005369 θ²`, θ in degrees; never below nothing.
#[must_use]
pub fn modifier(incidence_deg: f64) -> f64 {
    let t = incidence_deg;
    (t.to_radians().cos() + 0.000_884 * t - 0.000_053_69 * t * t).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of the specification's trough vectors (`K LS-2`).
    #[test]
    fn the_modifier_is_that_of_an_ls_2() {
        for (angle, k) in [
            (0.0, 1.0),
            (15.0, 0.967_105_576),
            (40.0, 0.715_500_443),
            (60.0, 0.359_756),
        ] {
            assert!((modifier(angle) - k).abs() < 1e-8, "{angle}");
        }
    }

    #[test]
    fn mounts_face_east_in_the_morning_up_at_noon_west_in_the_evening() {
        let sun = |elevation_deg, azimuth_deg| Sun {
            elevation_deg,
            azimuth_deg,
            ..Sun::default()
        };
        assert!((facing_deg(&sun(10.0, 90.0)) + 80.0).abs() < 1e-9);
        assert!(facing_deg(&sun(60.0, 180.0)).abs() < 1e-9);
        assert!((facing_deg(&sun(10.0, 270.0)) - 80.0).abs() < 1e-9);
        assert!((incidence_deg(&sun(60.0, 180.0)) - 30.0).abs() < 1e-9);
        assert!(incidence_deg(&sun(25.0, 90.0)).abs() < 1e-9);
    }

    fn bright() -> (Sun, Sky) {
        let sun = Sun {
            elevation_deg: 60.0,
            azimuth_deg: 180.0,
            ..Sun::default()
        };
        (
            sun,
            Sky {
                dni: 900.0,
                air_degc: 20.0,
                ..Sky::default()
            },
        )
    }

    #[test]
    fn a_mount_turns_no_faster_than_its_drive() {
        let (sun, sky) = bright();
        let mut field = Field::default();
        for _ in 0..1_000 {
            let before = field.angle_deg;
            field.advance(1.0, &sun, &sky, 1e9);
            assert!((field.angle_deg - before).abs() <= SLEW_DEG_PER_S + 1e-9);
        }
        assert!((field.angle_deg - facing_deg(&sun)).abs() < 0.1);
    }

    #[test]
    fn wind_sends_the_mounts_to_rest_and_ends_the_heat() {
        let (sun, mut sky) = bright();
        let mut field = Field::default();
        (0..7_200).for_each(|_| field.advance(1.0, &sun, &sky, 1e9));
        assert!(field.heat_w > 10e6, "{field:?}");
        sky.wind = 15.0;
        (0..7_200).for_each(|_| field.advance(1.0, &sun, &sky, 1e9));
        assert_eq!(field.angle_deg, STOW_DEG);
        assert!(field.heat_w < 1e6, "{field:?}");
    }

    #[test]
    fn heat_that_nobody_takes_turns_the_mirrors_away() {
        let (sun, sky) = bright();
        let mut field = Field::default();
        for _ in 0..20_000 {
            field.advance(1.0, &sun, &sky, 4e6);
            assert!(field.heat_w <= 4e6);
            assert!(field.outlet_degc < 400.0, "{field:?}");
        }
        assert!((field.angle_deg - facing_deg(&sun)).abs() > 0.5);
    }

    /// What the meter computes from flow and temperatures is the heat that left.
    #[test]
    fn flow_and_temperatures_carry_the_heat() {
        let (sun, sky) = bright();
        let mut field = Field::default();
        for _ in 0..9_000 {
            field.advance(1.0, &sun, &sky, 9e6);
            let carried = field.flow_m3h() / 3_600.0
                * oil_density(field.inlet_degc)
                * (oil_enthalpy(field.outlet_degc) - oil_enthalpy(field.inlet_degc));
            assert!((carried - field.heat_w).abs() < 1.0, "{carried} {field:?}");
        }
    }

    #[test]
    fn a_dark_loop_cools_until_the_header_keeps_it_warm() {
        let night = Sky {
            air_degc: 0.0,
            ..Sky::default()
        };
        let sun = Sun {
            elevation_deg: -30.0,
            ..Sun::default()
        };
        let mut field = Field {
            outlet_degc: 290.0,
            ..Field::default()
        };
        (0..43_200).for_each(|_| field.advance(1.0, &sun, &night, 1e9));
        assert!((-1e6..-0.3e6).contains(&field.heat_w), "{field:?}");
        assert!(field.outlet_degc > KEEP_WARM_DEGC - 20.0);
        assert!(field.inlet_degc > field.outlet_degc);
    }
}
