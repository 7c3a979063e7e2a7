//! Check 4: powers that belong together.
//!
//! Apparent power is the length of active and reactive power, and the total is the sum
//! of the phases. Both hold at every moment of a meter that measures them at once; a
//! register that is another one breaks them for good.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, POWERS, Q, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::commission::wiring::sum_fault;
use crate::domain::meter::Park;

/// Registers of one meter that are read in two questions differ while the load moves.
const MINUTES: f64 = 5.0;
/// Meters round each of the three by themselves.
const TRIANGLE: f64 = 0.02;
/// Phases and total are of one calculation.
const SUM: f64 = 0.01;
/// Below this part of the nameplate the last digits are the difference.
const LEAST_PART: f64 = 0.02;

limits! {
    minutes: MINUTES "min" 0.0 to 1440.0 "how long it must last";
    triangle: TRIANGLE "" 0.001 to 0.5 "how far S may be from √(P²+Q²), part of S";
    sum: SUM "" 0.001 to 0.5 "how far the total may be from its phases, part of their size";
    part: LEAST_PART "" 0.001 to 0.5 "part of the rated power above which it is judged";
}

pub fn subjects(park: &Park, site: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |meter| {
        let has = |q: &Q| {
            site.layouts
                .get(meter)
                .is_some_and(|layout| layout.point(*q).is_some())
        };
        let triangle = [Q::Power, Q::Reactive, Q::Apparent].iter().all(has);
        triangle || (has(&Q::Power) && POWERS.iter().all(has))
    })
}

pub fn judge(look: &Look<'_>, _: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let rated = need!(look.rated(), "it has no `rated`");
    let power = need!(look.value(Q::Power), "its power is not known");
    let floor = limits.part * rated;
    let phases = look.three(POWERS);
    if let Some(parts) = &phases {
        let size: f64 = parts.iter().map(|part| part.abs()).sum();
        if size.max(power.abs()) >= floor
            && let Some(cause) = sum_fault(parts, power, limits.sum, 0.0)
        {
            let sum = parts.iter().sum();
            let remedy =
                "check the registers of the phases and of the total in the device's template";
            return seen(
                "the total power, beside the sum of its phases,",
                (power, sum, "W"),
                cause,
                remedy,
            );
        }
    }
    let (Some(reactive), Some(apparent)) = (look.value(Q::Reactive), look.value(Q::Apparent))
    else {
        return if phases.is_some() {
            Judged::Clear
        } else {
            Judged::Not("its powers are not all known")
        };
    };
    let length = power.hypot(reactive);
    if length.max(apparent) < floor {
        return Judged::Not("too little flows");
    }
    if (apparent - length).abs() <= limits.triangle * apparent.abs() {
        return Judged::Clear;
    }
    seen(
        "apparent power, beside √(P²+Q²),",
        (apparent, length, "VA"),
        "one of the three powers is another register, or has another unit",
        "check the registers of powers in the device's template",
    )
}
