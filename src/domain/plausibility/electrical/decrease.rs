//! Check 15: a register that falls.
//!
//! The books hold such a reading back until the register goes on counting from there;
//! this says that it happened. A register that starts again at zero where its digits
//! end does not fall.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::interval::{Origin, channels};
use crate::domain::meter::Park;

/// Long enough to be seen by who looks at the page once an hour.
const STANDS_MINUTES: f64 = 60.0;

limits! {
    stands_minutes: STANDS_MINUTES "min" 1.0 to 10080.0 "how long it is shown";
}

pub fn subjects(park: &Park, _: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |meter| {
        let counted = |channel: &(_, Origin)| matches!(channel.1, Origin::Register(_));
        park.meters
            .get(meter)
            .is_some_and(|meter| channels(meter).iter().any(counted))
    })
}

pub fn judge(look: &Look<'_>, memory: &mut Memory) -> Judged {
    let ear = need!(look.ear(), "nothing was heard of it");
    let Some(fall) = ear.fall else {
        return Judged::Clear;
    };
    // Each fall is seen once.
    if memory.last.is_some_and(|(at, _)| at >= fall.at_ms) {
        return Judged::Clear;
    }
    memory.last = Some((fall.at_ms, fall.wh));
    seen(
        "the fall of a register",
        (fall.wh, 0.0, "Wh"),
        "the meter was exchanged or reset, or its answers are garbled",
        "confirm an exchange or a reset of the meter, or look for what garbles its answers",
    )
}
