//! A solar field: the part of the sun's light that it turned into heat.
//!
//! ```text
//!   sun ── DNI · cos θ ──▶ aperture in focus ──▶ receivers ── Q ──▶ heat meter
//! ```
//!
//! The field's heat is that of a [`HeatMeter`](super::meter::HeatMeter) whose supply is
//! the outlet. Its efficiency is told on one of two bases, and without its basis it is
//! no number: direct normal irradiance, or the beam that meets the aperture, which is
//! less by cos θ. Apertures are net; the parameters of ISO 9806 are per gross area.
//!
//! Efficiency is a ratio of sums: pass energies of the same time (J and J/m²) or powers
//! of the same moment (W and W/m²). At night it is unknown, not zero.

/// Greatest part of the direct light that a field can give as heat: what is more is a
/// sensor, a scale or a stored heat.
pub const UPPER_BOUND: f64 = 0.85;

/// What a ratio of heat and light is related to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Basis {
    /// Direct normal irradiance.
    DirectNormal,
    /// Beam in the plane of the aperture, at an incidence angle in degrees.
    BeamInAperture {
        /// Incidence angle, degrees.
        incidence_deg: f64,
    },
}

/// Efficiency of a field; none without light on an aperture.
///
/// | argument | unit |
/// |---|---|
/// | `heat` | W, or J |
/// | `dni` | W/m², or J/m² of the same time: direct normal irradiance |
/// | `aperture_m2` | m², net, in focus |
#[must_use]
pub fn efficiency(heat: f64, dni: f64, aperture_m2: f64, basis: Basis) -> Option<f64> {
    let beam = match basis {
        Basis::DirectNormal => dni,
        Basis::BeamInAperture { incidence_deg } => dni * incidence_deg.to_radians().cos(),
    };
    let light = beam * aperture_m2;
    (light > 0.0).then(|| heat / light)
}

/// Whether a field gives more heat than the light on it can make.
///
/// Heat in the loop outlasts the light: judge after half an hour without any.
#[must_use]
pub fn exceeds_the_sun(heat_w: f64, dni: f64, aperture_m2: f64) -> bool {
    heat_w > UPPER_BOUND * dni * aperture_m2
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::super::super::meter::Pipe;
    use super::super::fluid::Fluid;
    use super::super::meter::HeatMeter;
    use super::super::vectors::decimals;
    use super::*;

    #[test]
    fn field_power_and_efficiencies_agree_with_the_vectors() {
        let text = include_str!("../../../tests/fixtures/solar_thermal.json");
        let json: Json = serde_json::from_str(text).unwrap();
        let cases = json["trough_field"].as_array().unwrap();
        let meter = HeatMeter {
            fluid: Fluid::named("therminol-vp-1", None).unwrap(),
            sensor: Pipe::Return,
            pressure_pa: 1.6e6,
        };
        for case in cases {
            assert_eq!(case["flow_sensor"], "inlet (cold)");
            let given = |key: &str| case[key].as_f64().unwrap();
            let expect = |key: &str| case["expect"][key].as_f64().unwrap();
            let (outlet, inlet) = (given("T_out_C"), given("T_in_C"));
            let flow = given("V_dot_m3_h");
            let power = meter.power_w(flow, outlet, inlet).unwrap();
            let density = meter.density(outlet, inlet).unwrap();
            let gain = meter.heat_per_kilogram(outlet, inlet).unwrap();
            decimals(density, expect("rho_in"), 6, "density");
            decimals(flow * density / 3_600.0, expect("m_dot_kg_s"), 6, "flow");
            decimals(gain / 1e3, expect("dh_kJ_kg"), 6, "gain");
            decimals(power / 1e3, expect("Q_kW"), 4, "power");
            let of = |basis| {
                efficiency(power, given("DNI_W_m2"), given("A_aperture_m2"), basis).unwrap()
            };
            decimals(of(Basis::DirectNormal), expect("eta_DNI"), 9, "normal");
            let incidence_deg = given("theta_deg");
            decimals(
                of(Basis::BeamInAperture { incidence_deg }),
                expect("eta_beam_in_plane"),
                9,
                "beam",
            );
        }
        assert_eq!(cases.len(), 3);
    }

    #[test]
    fn without_light_there_is_no_efficiency() {
        let incidence_deg = 90.1;
        for (dni, aperture, basis) in [
            (0.0, 37_000.0, Basis::DirectNormal),
            (-2.0, 37_000.0, Basis::DirectNormal),
            (800.0, 0.0, Basis::DirectNormal),
            (800.0, 37_000.0, Basis::BeamInAperture { incidence_deg }),
            (f64::NAN, 37_000.0, Basis::DirectNormal),
        ] {
            assert_eq!(
                efficiency(1e6, dni, aperture, basis),
                None,
                "{dni} {aperture}"
            );
        }
    }

    #[test]
    fn a_loop_that_cools_has_a_negative_efficiency() {
        assert_eq!(
            efficiency(-1e6, 100.0, 10_000.0, Basis::DirectNormal),
            Some(-1.0)
        );
    }

    #[test]
    fn more_heat_than_light_is_noticed() {
        assert!(!exceeds_the_sun(0.85e6, 1_000.0, 1_000.0));
        assert!(exceeds_the_sun(0.86e6, 1_000.0, 1_000.0));
        assert!(exceeds_the_sun(1.0, 0.0, 1_000.0));
        assert!(!exceeds_the_sun(0.0, 0.0, 1_000.0));
    }
}
