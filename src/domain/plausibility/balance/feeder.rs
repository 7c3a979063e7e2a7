//! Check 21: the meters behind a meter add up to it.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, nodes};
use crate::domain::meter::Park;
use crate::domain::units::to_f64;

/// One interval may have begun with a load that was switched over.
const TIMES: f64 = 2.0;
/// Meters of class 1 on both sides.
const PART: f64 = 0.02;
/// Part of the feeder's nameplate that meters do not see at low load.
const UNSEEN_PART: f64 = 0.001;

limits! {
    times: TIMES "intervals" 1.0 to 100.0 "how many intervals in a row";
    part: PART "" 0.001 to 1.0 "how far the sum may be from the feeder, part of it";
}

pub fn subjects(_: &Park, _: &Site, all: &[Node]) -> Vec<Subject> {
    nodes(all, Node::is_feeder)
}

pub fn judge(look: &Look<'_>, _: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let (_, means) = need!(look.means(), "a meter of the feeder was silent");
    let mut parts = means.members.iter();
    let (_, feeder) = need!(parts.next(), "it has no feeder");
    let sum: f64 = parts.map(|(_, mean)| mean).sum();
    // A register of each meter may be a count behind, at both ends.
    let counts: f64 = look
        .meters
        .iter()
        .filter_map(|meter| look.ears.get(*meter)?.registers.first().copied().flatten())
        .map(|register| register.step_wh)
        .sum();
    let counts = counts * 3_600_000.0 / to_f64(means.ms.max(1));
    let unseen = look.rated().map_or(0.0, |rated| UNSEEN_PART * rated);
    let allowed = limits.part * feeder.abs() + counts + unseen;
    if (feeder - sum).abs() <= allowed {
        return Judged::Clear;
    }
    let cause = if feeder > &sum {
        "a load behind the feeder has no meter, or one of its meters shows too little"
    } else {
        "a meter stands behind another feeder, or one of them shows too much"
    };
    seen(
        "the sum of the meters behind it",
        (sum, feeder - allowed.copysign(feeder - sum), "W"),
        cause,
        "compare the list `submeters` with the wiring, then each meter with its register over a day",
    )
}
