//! Check 12: heat power is flow times spread times what the fluid carries.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Q, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use super::nominal_flow;
use crate::domain::commission::usual_factor;
use crate::domain::heat::meter::{HeatMeter, REFERENCE_PRESSURE_PA};
use crate::domain::meter::{Carrier, Park, Pipe};

/// Values of one meter that are read in two questions differ while it ramps.
const MINUTES: f64 = 15.0;
/// A calculator and two sensors of class 2.
const PART: f64 = 0.03;
/// Time over which both are smoothed, minutes: the slowest temperature sensor.
const SMOOTH_MINUTES: f64 = 5.0;
/// The least spread that heat meters are built for, K.
const LEAST_SPREAD_K: f64 = 3.0;
/// Below this part of the nominal flow a flow sensor is off by more.
const FLOW_PART: f64 = 0.02;

limits! {
    minutes: MINUTES "min" 0.0 to 1440.0 "how long it must last";
    part: PART "" 0.001 to 1.0 "how far the two may be apart, part of the larger";
    smooth_minutes: SMOOTH_MINUTES "min" 0.1 to 120.0 "time over which both are smoothed";
}

pub fn subjects(park: &Park, site: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |index| {
        let (Some(meter), Some(layout)) = (park.meters.get(index), site.layouts.get(index)) else {
            return false;
        };
        let has = |q: &Q| layout.point(*q).is_some();
        let says = meter.role.heat.is_some() && meter.power_point(Carrier::Heat).is_some();
        says && [Q::Flow, Q::Supply, Q::Return].iter().all(has)
    })
}

pub fn judge(look: &Look<'_>, memory: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let fluid = need!(look.fluid(), "its `fluid` is not told");
    let nominal = need!(
        nominal_flow(look),
        "it has neither `rated` nor `nominal_flow`"
    );
    let power = need!(
        look.power_of(look.first(), Carrier::Heat),
        "its heat power is not known"
    );
    let flow = need!(look.value(Q::Flow), "its flow is not known");
    let supply = need!(look.value(Q::Supply), "its supply temperature is not known");
    let back = need!(look.value(Q::Return), "its return temperature is not known");
    if flow.abs() <= FLOW_PART * nominal || (supply - back).abs() < LEAST_SPREAD_K {
        memory.smooth = None;
        return Judged::Not("too little flows");
    }
    let told = look.facts().and_then(|facts| facts.flow_sensor);
    let settled = look.meter().and_then(|meter| meter.heat_from_flow);
    let told = told.or_else(|| settled.map(|heat| heat.place.sensor));
    let pressure_pa = look.pressure().unwrap_or(REFERENCE_PRESSURE_PA);
    let computed = |sensor| {
        let meter = HeatMeter {
            fluid,
            sensor,
            pressure_pa,
        };
        meter.power_w(flow, supply, back).ok()
    };
    // A sensor whose pipe is not told is believed to sit where it fits better.
    let pipes = told.map_or(vec![Pipe::Supply, Pipe::Return], |pipe| vec![pipe]);
    let nearest = pipes
        .into_iter()
        .filter_map(computed)
        .min_by(|a, b| (a - power).abs().total_cmp(&(b - power).abs()));
    let expected = need!(nearest, "its fluid is not known at these temperatures");
    let [power, expected] = memory.smoothed([power, expected], look.ms, limits.smooth_minutes);
    if (power - expected).abs() <= limits.part * power.abs().max(expected.abs()) {
        return Judged::Clear;
    }
    let cause = match usual_factor(expected / power) {
        Some(factor) => {
            format!("a factor of {factor} is missing in the power, or its inverse in the flow")
        }
        None => {
            "the fluid, its concentration or the pipe of the flow sensor is another one".to_owned()
        }
    };
    seen(
        "its heat power, beside flow times spread,",
        (power, expected, "W"),
        cause,
        "check the meter's setting of the fluid and the pipe of its sensor, and the units in the configuration",
    )
}
