//! Check 7: a photovoltaic plant makes nothing at night.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::meter::Park;

/// Longer than a garbled answer, shorter than a summer's dusk.
const MINUTES: f64 = 5.0;
/// Noise of current transformers without current.
const MOST: f64 = 0.002;
/// What inverters and their transformer draw in standby.
const STANDBY: f64 = 0.01;
/// The sun has set by its width, refraction and mountains of the other side.
const ELEVATION: f64 = -3.0;

limits! {
    minutes: MINUTES "min" 0.0 to 1440.0 "how long it must last";
    most: MOST "" 0.0 to 1.0 "largest power at night, part of the rated power";
    standby: STANDBY "" 0.0 to 1.0 "largest draw at night, part of the rated power";
    elevation: ELEVATION "deg" -18.0 to 0.0 "elevation of the sun below which it is night";
}

pub fn subjects(park: &Park, _: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |meter| {
        let role = park.meters.get(meter).map(|meter| meter.role);
        role.is_some_and(|role| role.needs_sun && role.electricity.is_some())
    })
}

pub fn judge(look: &Look<'_>, _: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    if look.sun_elevation >= limits.elevation {
        return Judged::Clear;
    }
    let rated = need!(look.rated(), "it has no `rated`");
    let power = need!(look.power(), "its power is not known");
    let remedy = "check the meter's role and the park's latitude and longitude; is another source behind the meter?";
    if power > limits.most * rated {
        let cause = "the meter sees another source, the park's place or clock is wrong, or the value is stuck";
        return seen(
            "its power at night",
            (power, limits.most * rated, "W"),
            cause,
            remedy,
        );
    }
    if power < -limits.standby * rated {
        let cause = "a load is connected behind the plant's meter";
        return seen(
            "its power at night",
            (power, -limits.standby * rated, "W"),
            cause,
            remedy,
        );
    }
    Judged::Clear
}
