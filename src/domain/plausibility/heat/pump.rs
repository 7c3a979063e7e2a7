//! Check 11: flow and pump belong together.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Q, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::Subject;
use super::nominal_flow;
use crate::domain::meter::Park;

/// Longer than a pump takes to run down and a valve to close.
const MINUTES: f64 = 5.0;
/// The start of most flow sensors.
const FLOW_PART: f64 = 0.02;
/// Part of that below which nothing flows.
const STANDING: f64 = 0.1;
/// A pump that takes this part of its nameplate runs.
const RUNS_PART: f64 = 0.05;

limits! {
    minutes: MINUTES "min" 0.0 to 1440.0 "how long it must last";
    flow_part: FLOW_PART "" 0.0 to 1.0 "part of the nominal flow that is a flow";
}

pub fn subjects(park: &Park, site: &Site, _: &[Node]) -> Vec<Subject> {
    let with_pump = site.facts.iter().enumerate();
    with_pump
        .filter_map(|(meter, facts)| {
            let pump = park.meter(facts.pump.as_ref()?)?;
            let meters = vec![meter, pump];
            Some(Subject { meters, node: None })
        })
        .collect()
}

pub fn judge(look: &Look<'_>, _: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let pump = need!(look.meters.get(1).copied(), "it has no pump");
    let nominal = need!(
        nominal_flow(look),
        "it has neither `rated` nor `nominal_flow`"
    );
    let flow = need!(look.value(Q::Flow), "its flow is not known");
    let rated = look.park.meters.get(pump).and_then(|meter| meter.rated);
    let by_power = || Some(look.value_of(pump, Q::Power)? > RUNS_PART * rated?.as_watts());
    let by_status = look.value_of(pump, Q::Status).map(|status| status != 0.0);
    let runs = need!(
        by_status.or_else(by_power),
        "it is not known whether its pump runs"
    );
    let least = limits.flow_part * nominal;
    if !runs && flow.abs() > least {
        let cause = "the check valve does not close, water circulates by its warmth, or the flow sensor drifts";
        let remedy =
            "close a valve: if the flow stands, mend the check valve, else the zero of the sensor";
        return seen(
            "its flow with the pump off",
            (flow, least, "m3/h"),
            cause,
            remedy,
        );
    }
    if runs && flow.abs() < STANDING * least {
        let cause = "a valve is closed, air is in the circuit, or the flow sensor has failed";
        let remedy = "open the valves and bleed the circuit, then check the flow sensor";
        return seen(
            "its flow with the pump on",
            (flow, least, "m3/h"),
            cause,
            remedy,
        );
    }
    Judged::Clear
}
