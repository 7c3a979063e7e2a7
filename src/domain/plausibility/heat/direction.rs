//! Check 10: a circuit that only gives heat must not take it.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Q, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use super::nominal_flow;
use crate::domain::meter::{Park, Term};

/// Longer than the slug of cold water that a pump moves when it starts.
const MINUTES: f64 = 10.0;
/// Two sensors of a pair differ by less.
const KELVIN: f64 = 0.3;
/// Below this part of the nominal flow, the pipe follows the room.
const FLOW_PART: f64 = 0.02;

limits! {
    minutes: MINUTES "min" 0.0 to 1440.0 "how long it must last";
    kelvin: KELVIN "K" 0.0 to 50.0 "how far supply may be below return";
    flow_part: FLOW_PART "" 0.0 to 1.0 "part of the nominal flow that is a flow";
}

pub fn subjects(park: &Park, site: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |meter| {
        let term = park.meters.get(meter).and_then(|meter| meter.role.heat);
        // Fields and storages carry heat both ways.
        let one_way =
            term.is_some_and(|term| !matches!(term, Term::SolarField | Term::HeatStorage));
        let layout = site.layouts.get(meter);
        let has = |q: &Q| layout.is_some_and(|layout| layout.point(*q).is_some());
        one_way && [Q::Flow, Q::Supply, Q::Return].iter().all(has)
    })
}

pub fn judge(look: &Look<'_>, _: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let nominal = need!(
        nominal_flow(look),
        "it has neither `rated` nor `nominal_flow`"
    );
    let flow = need!(look.value(Q::Flow), "its flow is not known");
    let supply = need!(look.value(Q::Supply), "its supply temperature is not known");
    let back = need!(look.value(Q::Return), "its return temperature is not known");
    if flow.abs() <= limits.flow_part * nominal {
        return Judged::Not("nothing flows");
    }
    let spread = supply - back;
    if spread >= -limits.kelvin {
        return Judged::Clear;
    }
    seen(
        "supply minus return, with flow,",
        (spread, -limits.kelvin, "K"),
        "the two temperature sensors are exchanged, or water flows backwards",
        "exchange the sensors, or `temp_supply` and `temp_return` in the configuration; check the flow's direction",
    )
}
