//! Check 3: a meter is off by a transformer ratio.
//!
//! The balance says what a meter would have to say if all others are right. A multiple
//! that ratios have, the same interval after interval, is no accident of a load.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Site, need};
use super::super::node::{Kind, Node};
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::commission::usual_factor;
use crate::domain::meter::{Carrier, Park};

/// Enough for the load to have moved.
const TIMES: f64 = 3.0;
/// Below this part of its nameplate a meter is off by its errors at low load, and any
/// residual is a multiple of nothing.
const LEAST_PART: f64 = 0.1;
/// Below this multiple a meter is off by something else than a ratio.
const LEAST_FACTOR: f64 = 4.5;

/// How near the multiple must be to a usual one: two meters of class 1.
const WITHIN: f64 = 0.02;
/// No meter says more than this part of its nameplate, and if the balance says so
/// another one is wrong.
const MOST_PART: f64 = 1.2;

limits! {
    times: TIMES "intervals" 1.0 to 100.0 "how many intervals in a row";
    part: LEAST_PART "" 0.0001 to 0.5 "part of the rated power that it must be, said or expected";
}

pub fn subjects(park: &Park, _: &Site, nodes: &[Node]) -> Vec<Subject> {
    let electric = nodes
        .iter()
        .filter(|node| node.kind == Kind::Balance(Carrier::Electricity));
    let members: Vec<usize> = electric.flat_map(Node::meters).collect();
    each(park, |meter| members.contains(&meter))
}

pub fn judge(look: &Look<'_>, memory: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let rated = need!(look.rated(), "it has no `rated`");
    let (said, expected) = need!(
        look.by_balance(look.first()),
        "the balance of the interval is not known"
    );
    if said.abs().max(expected.abs()) < limits.part * rated || said == 0.0 {
        return Judged::Clear;
    }
    let factor = expected / said;
    let size = factor.max(1.0 / factor);
    let near = |usual: &f64| (factor / usual - 1.0).abs() < WITHIN;
    let possible = size >= LEAST_FACTOR && expected.abs() <= MOST_PART * rated;
    let Some(usual) = usual_factor(factor).filter(near).filter(|_| possible) else {
        memory.normal = None;
        return Judged::Clear;
    };
    // Another multiple than the one before is an accident.
    if memory
        .normal
        .replace(usual)
        .is_some_and(|before| before != usual)
    {
        return Judged::Clear;
    }
    let wrong = if usual > 1.0 { usual } else { 1.0 / usual };
    let cause = if usual > 1.0 {
        format!("a transformer ratio of {wrong:.0} is missing")
    } else {
        format!("a transformer ratio of {wrong:.0} counts twice")
    };
    let remedy = format!("correct the multiplier of the meter in the configuration by {usual}");
    seen(
        "its mean power, of an interval,",
        (said, expected, "W"),
        cause,
        remedy,
    )
}
