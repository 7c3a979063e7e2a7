//! Checks of heat meters and their circuits.

pub mod direction;
pub mod identity;
pub mod pump;
pub mod range;

use super::look::Look;

/// Spread at which a circuit carries its rated power where its flow is not told, K.
const USUAL_SPREAD_K: f64 = 30.0;
/// Heat of a cubic metre of water and a kelvin, Wh.
const WATER_WH: f64 = 1_163.0;

/// The nominal flow of a meter, told or that of its rated power, m³/h.
pub fn nominal_flow(look: &Look<'_>) -> Option<f64> {
    let told = look.facts().and_then(|facts| facts.nominal_flow_m3h);
    told.or_else(|| {
        look.rated_heat()
            .map(|rated| rated / (WATER_WH * USUAL_SPREAD_K))
    })
}
