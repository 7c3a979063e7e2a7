//! Check 8: no more than the sun and the plant's size allow.
//!
//! A field gives heat for a while after a cloud has come: what it may give follows the
//! strongest sun of the last while, fading as its pipes cool.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Q, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::meter::{Carrier, Park};
use crate::domain::units::to_f64;

/// Longer than the edge of a cloud makes more than a clear sky.
const MINUTES: f64 = 15.0;
/// Modules give more than their nameplate in cold and clear weather, inverters do not.
const RATED_PART: f64 = 1.15;
/// The best mirrors and receivers, clean and square to the sun.
const EFFICIENCY: f64 = 0.85;
/// In this time the pipes of a field lose two thirds of what they held.
const INERTIA_MINUTES: f64 = 15.0;
/// After this time without sun a field has given off what it held.
const COLD_MINUTES: f64 = 30.0;
/// Part of the nameplate that a cold field may give: pumps, drift of sensors.
const COLD_PART: f64 = 0.05;
/// Less direct irradiance is none, W/m².
const NO_SUN_WM2: f64 = 10.0;

limits! {
    minutes: MINUTES "min" 0.0 to 1440.0 "how long it must last";
    rated_part: RATED_PART "" 1.0 to 10.0 "largest power of a photovoltaic plant, part of the rated power";
    efficiency: EFFICIENCY "" 0.1 to 1.0 "largest heat of a field, part of direct irradiance on its aperture";
    cold_minutes: COLD_MINUTES "min" 1.0 to 1440.0 "how long a field gives heat without sun";
}

pub fn subjects(park: &Park, _: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |meter| {
        park.meters
            .get(meter)
            .is_some_and(|meter| meter.role.needs_sun)
    })
}

pub fn judge(look: &Look<'_>, memory: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    if look
        .meter()
        .is_some_and(|meter| meter.role.electricity.is_some())
    {
        let rated = need!(look.rated(), "it has no `rated`");
        let power = need!(look.power(), "its power is not known");
        let most = limits.rated_part * rated;
        return if power > most {
            let cause =
                "the rated power, the transformer ratio or the unit of the power is another one";
            let remedy =
                "correct `rated`, `transformer` or the unit of `power` in the configuration";
            seen("its power", (power, most, "W"), cause, remedy)
        } else {
            Judged::Clear
        };
    }
    field(look, memory, &limits)
}

fn field(look: &Look<'_>, memory: &mut Memory, limits: &Limits) -> Judged {
    let sensor = need!(look.site.dni, "no meter says `dni`");
    let dni = need!(
        look.value_of(sensor, Q::Dni),
        "the direct irradiance is not known"
    );
    let now = look.moment.now.as_millisecond();
    // The strongest sun, fading, and when it last shone.
    let fade = (-to_f64(look.ms) / (INERTIA_MINUTES * 60_000.0)).exp();
    let [faded, _] = memory.smooth.unwrap_or([dni, 0.0]);
    let recent = dni.max(faded * fade);
    memory.smooth = Some([recent, 0.0]);
    if dni > NO_SUN_WM2 || memory.last.is_none() {
        memory.last = Some((now, dni));
    }
    let heat = need!(
        look.power_of(look.first(), Carrier::Heat),
        "its heat is not known"
    );
    let dark_minutes = to_f64(now - memory.last.map_or(now, |last| last.0)) / 60_000.0;
    if let Some(rated) = look.rated()
        && dark_minutes > limits.cold_minutes
        && heat > COLD_PART * rated
    {
        return seen(
            "its heat, long after the sun,",
            (heat, COLD_PART * rated, "W"),
            "another source heats its circuit, or flow and temperatures are those of another one",
            "check valves between field and storage, then the field's sensors",
        );
    }
    let facts = look.facts();
    let aperture = need!(
        facts.and_then(|facts| facts.aperture_m2),
        "its `aperture_m2` is not told"
    );
    let most = recent * aperture * limits.efficiency;
    // What a cold field gives is judged above: this is about too much under the sun.
    if heat <= most || dni <= NO_SUN_WM2 {
        return Judged::Clear;
    }
    seen(
        "its heat",
        (heat, most, "W"),
        "the fluid, the unit of the flow or the aperture is another one, or the irradiance sensor is dirty",
        "check `aperture_m2`, the fluid and the unit of the flow, and clean the irradiance sensor",
    )
}
