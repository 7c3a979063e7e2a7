//! Checks of heat meters and of radiometers.

use super::{Around, Observed, Verdict, finding, needs, number, passed, usual_factor};
use crate::domain::meter::Meter;

/// Heat of a cubic metre of water and a kelvin, Wh, near 60 °C.
const WATER_WH: f64 = 1_163.0 * 0.983;
/// How far a heat power and what flow and temperatures make of it may be apart: water
/// between 10 and 150 °C is within a tenth of one number.
const HEAT_TOLERANCE: f64 = 0.15;
/// A radiometer without light: offsets and thermal radiation.
pub const DARK_WM2: std::ops::RangeInclusive<f64> = -10.0..=5.0;

pub fn heat_identity(meter: &Meter, observed: &Observed, around: &Around) -> Option<Verdict> {
    let power_name = ["heat_power", "power"]
        .into_iter()
        .find(|name| meter.point(name).is_some())?;
    meter.point("flow")?;
    meter.point("temp_supply")?;
    if around.other_fluid {
        return needs("water: this check knows no other fluid");
    }
    let median = |name| observed.median(name);
    let (Some(power), Some(flow), Some(supply), Some(back)) = (
        median(power_name),
        median("flow"),
        median("temp_supply"),
        median("temp_return"),
    ) else {
        return needs("heat power, flow and both temperatures");
    };
    let computed = WATER_WH * flow * (supply - back);
    let fact = format!(
        "{} W, and {} W by {} m3/h from {} to {} °C",
        number(power),
        number(computed),
        number(flow),
        number(supply),
        number(back)
    );
    if computed.abs() < 500.0 {
        return needs("a flow of heat: nothing flows, or nothing cools down");
    }
    if (power - computed).abs() <= HEAT_TOLERANCE * computed.abs() {
        return passed(fact);
    }
    if (power + computed).abs() <= HEAT_TOLERANCE * computed.abs() {
        return finding(
            fact,
            "the sign is the other one: the two temperature sensors are exchanged, or heat flows back",
            Some("# exchange the quantities `temp_supply` and `temp_return`, if the sensors cannot be exchanged".to_owned()),
        );
    }
    let mend = usual_factor(computed / power).map(|factor| {
        format!(
            "scale = {}      # of `{power_name}` (or its inverse, of `flow`)",
            number(factor)
        )
    });
    finding(
        fact,
        "the unit of the flow or of the power is another one, or the fluid is not water",
        mend,
    )
}

pub fn irradiance(meter: &Meter, observed: &Observed, around: &Around) -> Option<Verdict> {
    let name = ["ghi", "irradiance", "dni"]
        .into_iter()
        .find(|name| meter.point(name).is_some())?;
    let Some(seen) = observed.median(name) else {
        return needs("an answer with the irradiance");
    };
    let Some(elevation) = around.sun_elevation else {
        return needs("a clock that can be trusted");
    };
    let fact = format!(
        "{} W/m2 with the sun at {} degrees",
        number(seen),
        number(elevation)
    );
    if elevation < -3.0 {
        return if DARK_WM2.contains(&seen) {
            passed(fact)
        } else {
            finding(
                fact,
                "light at night: the scale or the offset is another one, or the sensor has a fault",
                None,
            )
        };
    }
    if elevation < 5.0 {
        return needs("night, or a sun that stands higher than 5 degrees");
    }
    let most = 1.2 * clear_sky(name, elevation);
    if seen > most || seen < *DARK_WM2.start() {
        let mend = usual_factor(seen / most.max(1.0)).map(|factor| {
            format!(
                "scale = {}      # of the point `{name}`, times its scale",
                number(1.0 / factor)
            )
        });
        return finding(
            fact,
            &format!("no sky gives more than {} W/m2 now", number(most)),
            mend,
        );
    }
    passed(fact)
}

/// Irradiance under a clear sky, W/m2. On a horizontal plane by Haurwitz's formula; on
/// others no more than what reaches the ground.
fn clear_sky(name: &str, elevation: f64) -> f64 {
    let sine = elevation.to_radians().sin();
    match name {
        "ghi" => 1_098.0 * sine * (-0.057 / sine).exp(),
        _ => 1_100.0,
    }
}
