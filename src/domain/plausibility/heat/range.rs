//! Check 13: a fluid that is about to boil, to freeze or to leave what it is made for.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Q, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::meter::Park;

/// Longer than a garbled answer; boiling is not waited for.
const MINUTES: f64 = 2.0;
/// Sensors, and the hottest place that none of them sees.
const KELVIN: f64 = 5.0;

limits! {
    minutes: MINUTES "min" 0.0 to 1440.0 "how long it must last";
    kelvin: KELVIN "K" 0.0 to 50.0 "distance from boiling and freezing";
}

const TEMPERATURES: [(Q, &str); 3] = [
    (Q::Supply, "the supply temperature"),
    (Q::Return, "the return temperature"),
    (Q::Temp, "the temperature"),
];

pub fn subjects(park: &Park, site: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |meter| {
        let layout = site.layouts.get(meter);
        let has = |(q, _): &(Q, &str)| layout.is_some_and(|layout| layout.point(*q).is_some());
        let heat = park
            .meters
            .get(meter)
            .is_some_and(|meter| meter.role.heat.is_some());
        let told = site
            .facts
            .get(meter)
            .is_some_and(|facts| facts.fluid.is_some());
        (heat || told) && TEMPERATURES.iter().any(has)
    })
}

pub fn judge(look: &Look<'_>, _: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let fluid = need!(look.fluid(), "its `fluid` is not told");
    let pressure = look.pressure();
    let said: Vec<(f64, &str)> = TEMPERATURES
        .into_iter()
        .filter_map(|(q, name)| Some((look.value(q)?, name)))
        .collect();
    if said.is_empty() {
        return Judged::Not("no temperature is known");
    }
    let (least, most) = fluid.range();
    for (celsius, name) in said {
        let at = |limit: f64, cause: &'static str| {
            let remedy = "check pressure and temperature on site at once; then the sensor, and `fluid` in the configuration";
            seen(name, (celsius, limit, "°C"), cause, remedy)
        };
        if let (Some(pressure), Some(boils)) =
            (pressure, fluid.boils_below(celsius + limits.kelvin))
            && pressure < boils
        {
            return at(
                celsius,
                "the fluid is about to boil: too little pressure, or too little flow",
            );
        }
        if let Some(freezes) = fluid.freezing_point()
            && celsius < freezes + limits.kelvin
        {
            return at(
                freezes + limits.kelvin,
                "the fluid is about to freeze: trace heating or circulation is off",
            );
        }
        if celsius < least {
            return at(
                least,
                "the fluid is colder than it may be, or the sensor has failed",
            );
        }
        if celsius > most {
            return at(
                most,
                "the fluid is hotter than it may be, or the sensor has failed",
            );
        }
    }
    Judged::Clear
}
