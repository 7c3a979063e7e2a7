//! Check 9: irradiances that are possible, and fit each other.
//!
//! What falls on a level plane is the diffuse part and the direct part under the sun's
//! elevation. Without a sensor for the diffuse part, the direct one alone must not
//! exceed the whole.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Q, Site};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::commission::DARK_WM2;
use crate::domain::meter::Park;

/// Sensors some way apart see a cloud one after the other.
const MINUTES: f64 = 15.0;
/// The most that reaches the ground under a clear sky at height.
const MOST_DNI: f64 = 1_100.0;
/// Comparison of the three components in the Baseline Surface Radiation Network.
const CLOSURE: f64 = 0.08;
/// Below this elevation sensors that are not quite level see another sun.
const ELEVATION: f64 = 15.0;
/// Below this the offset of a sensor is the difference, W/m².
const LEAST_GHI: f64 = 50.0;
/// It is night, degrees.
const NIGHT: f64 = -3.0;
/// Time over which the components are smoothed, minutes.
const SMOOTH_MINUTES: f64 = 10.0;

limits! {
    minutes: MINUTES "min" 0.0 to 1440.0 "how long it must last";
    most_dni: MOST_DNI "W/m2" 500.0 to 1400.0 "largest direct irradiance";
    closure: CLOSURE "" 0.01 to 1.0 "how far global irradiance may be from its components, part of it";
    elevation: ELEVATION "deg" 0.0 to 90.0 "elevation of the sun above which components are compared";
}

pub fn subjects(park: &Park, site: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |meter| {
        let layout = site.layouts.get(meter);
        layout.is_some_and(|layout| {
            [Q::Dni, Q::Ghi, Q::Dhi]
                .iter()
                .any(|q| layout.point(*q).is_some())
        })
    })
}

pub fn judge(look: &Look<'_>, memory: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let names = [
        "direct irradiance",
        "global irradiance",
        "diffuse irradiance",
    ];
    let [dni, ghi, dhi] = [Q::Dni, Q::Ghi, Q::Dhi].map(|q| look.value(q));
    let said = || {
        names
            .into_iter()
            .zip([dni, ghi, dhi])
            .filter_map(|(name, value)| Some((name, value?)))
    };
    if said().next().is_none() {
        return Judged::Not("no irradiance is known");
    }
    let clean = "clean and level the sensor, check its scale and offset in the configuration";
    if let Some((name, value)) = said().find(|(_, value)| *value < *DARK_WM2.start()) {
        return seen(
            name,
            (value, *DARK_WM2.start(), "W/m2"),
            "the offset or the sign of the sensor is another one",
            clean,
        );
    }
    if look.sun_elevation < NIGHT
        && let Some((name, value)) = said().find(|(_, value)| !DARK_WM2.contains(value))
    {
        return seen(
            format!("{name} at night"),
            (value, *DARK_WM2.end(), "W/m2"),
            "the scale or offset is another one, or the sensor has a fault",
            clean,
        );
    }
    if let Some(dni) = dni.filter(|dni| *dni > limits.most_dni) {
        return seen(
            "direct irradiance",
            (dni, limits.most_dni, "W/m2"),
            "the scale of the sensor is another one",
            clean,
        );
    }
    let (Some(dni), Some(ghi)) = (dni, ghi) else {
        return Judged::Clear;
    };
    if look.sun_elevation < limits.elevation {
        memory.smooth = None;
        return Judged::Clear;
    }
    let level = dni * look.sun_elevation.to_radians().sin();
    let [ghi, parts] = memory.smoothed([ghi, level + dhi.unwrap_or(0.0)], look.ms, SMOOTH_MINUTES);
    let apart = (parts - ghi) / ghi.max(LEAST_GHI);
    let fits = if dhi.is_some() {
        apart.abs() <= limits.closure
    } else {
        apart <= limits.closure
    };
    if fits || ghi.max(parts) < LEAST_GHI {
        return Judged::Clear;
    }
    let cause = if parts > ghi {
        "the global sensor is dirty or shaded, or the scale of one of them is another one"
    } else {
        "the direct sensor is dirty or off the sun, or the scale of one of them is another one"
    };
    seen(
        "global irradiance, beside its components,",
        (ghi, parts, "W/m2"),
        cause,
        "clean and level the sensors, check the tracker of the direct one",
    )
}
