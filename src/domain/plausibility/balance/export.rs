//! Check 17: export that is allowed, and that something makes.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::flow::Flow;
use crate::domain::meter::{Carrier, Park, Term};

/// Longer than a controller takes to limit its plants.
const MINUTES: f64 = 1.0;
/// Part of the connection's nameplate that is noise, and what runs down.
const NOISE_PART: f64 = 0.02;
/// It is night, degrees.
const ELEVATION: f64 = -3.0;

limits! {
    minutes: MINUTES "min" 0.0 to 1440.0 "how long it must last";
    noise_part: NOISE_PART "" 0.0 to 1.0 "export at night that is noise, part of the rated power";
    elevation: ELEVATION "deg" -18.0 to 0.0 "elevation of the sun below which it is night";
}

pub fn subjects(park: &Park, _: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |meter| {
        let term = park
            .meters
            .get(meter)
            .and_then(|meter| meter.role.electricity);
        term == Some(Term::Grid)
    })
}

pub fn judge(look: &Look<'_>, _: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let export = -need!(look.power(), "its power is not known");
    let allowed = look.facts().and_then(|facts| facts.export_limit_w);
    if let Some(allowed) = allowed.filter(|allowed| export > *allowed) {
        let cause =
            "the limit of the plants is not set, or their controller does not see this meter";
        let remedy = "limit the plants now; then check the controller's meter and its limit";
        return seen("export", (export, allowed, "W"), cause, remedy);
    }
    if look.sun_elevation >= limits.elevation {
        return Judged::Clear;
    }
    let rated = need!(look.rated(), "it has no `rated`");
    let flow = |flow| {
        look.moment
            .powers
            .of(flow)
            .as_ref()
            .ok()
            .map(|known| known.value)
    };
    // Of all connections: what enters at one may leave at another.
    let import = need!(flow(Flow::Import), "import is not known");
    let all = need!(flow(Flow::Export), "export is not known") - import;
    let mut sources = need!(flow(Flow::BatteryDischarge), "the batteries are not known");
    for (index, meter) in look.park.meters.iter().enumerate() {
        if meter.role.electricity == Some(Term::Generator) && !meter.role.needs_sun {
            sources += need!(
                look.power_of(index, Carrier::Electricity),
                "a generator is not known"
            )
            .max(0.0);
        }
    }
    let most = sources + limits.noise_part * rated;
    if all <= most {
        return Judged::Clear;
    }
    let cause =
        "the meter at the grid connection counts the other way round, or a source has no meter";
    let remedy =
        "compare with the utility's meter; set `invert = true`, or give the source a meter";
    seen("export at night", (all, most, "W"), cause, remedy)
}
