//! Check 1: a current transformer the wrong way round.
//!
//! It turns the sign of its phase, and leaves of a balanced load a third. Where the
//! balance knows what the meter should say, that must fit; where it does not, the signs
//! alone speak.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, POWERS, Q, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use super::swapped;
use crate::domain::commission::wiring::{Wiring, minority, phase, wiring};
use crate::domain::meter::Park;

/// Longer than plants at the zero of a grid connection take to cross it.
const MINUTES: f64 = 15.0;
/// Below this part of the nameplate a phase has no direction: class 1 at 5 % of its
/// current is twice as wrong.
const LEAST_PART: f64 = 0.02;
/// Phases of one load that differ by more than this are not one load.
const ALIKE: f64 = 0.4;
/// How far what the meter says of what it should say may be from −1/3, 1/3 and −1.
const RATIO_TOLERANCE: f64 = 0.15;

limits! {
    minutes: MINUTES "min" 1.0 to 1440.0 "how long it must last";
    part: LEAST_PART "" 0.001 to 0.5 "part of the rated power that each phase must carry";
}

pub fn subjects(park: &Park, site: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |meter| {
        let layout = site.layouts.get(meter);
        layout.is_some_and(|layout| POWERS.iter().all(|q| layout.point(*q).is_some()))
    })
}

pub fn judge(look: &Look<'_>, _: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    if look.facts().is_some_and(|facts| facts.single_phase) {
        return Judged::Not("a generator behind it feeds one phase");
    }
    let rated = need!(look.rated(), "it has no `rated`");
    let parts = need!(look.three(POWERS), "the powers of the phases are not known");
    let least = parts
        .iter()
        .fold(f64::INFINITY, |least, part| part.abs().min(least));
    let most = parts
        .iter()
        .fold(0.0_f64, |most, part| part.abs().max(most));
    if least < limits.part * rated {
        return Judged::Not("too little flows");
    }
    // What the meter says, as a part of what it should say.
    let ratio = look
        .by_balance(look.first())
        .map(|(mean, expected)| mean / expected);
    let fits = |to: f64| ratio.is_none_or(|ratio| (ratio - to).abs() < RATIO_TOLERANCE);
    let factors = look
        .volt_amperes()
        .map(|loads| swapped::factors(&parts, &loads));
    let wired = factors.as_ref().map(wiring);
    let alone = match (minority(&parts), wired) {
        (Some(alone), None) if least >= ALIKE * most => Some(alone),
        (Some(_), Some(Wiring::Reversed(place))) => Some((place, true)),
        (Some(_), Some(Wiring::AllBut(place))) => Some((place, false)),
        _ => None,
    };
    let total: f64 = parts.iter().sum();
    let word = |what: String, value: f64, cause: String, remedy: String| {
        let limit = limits.part * rated * if total < 0.0 { -1.0 } else { 1.0 };
        seen(what, (value, limit, "W"), cause, remedy)
    };
    match alone {
        Some((place, _)) if fits(1.0 / 3.0) || fits(-1.0 / 3.0) => {
            let name = phase(place);
            let value = parts.get(place).copied().unwrap_or_default();
            word(
                format!("the power of {name}, against the two other phases,"),
                value,
                format!(
                    "the current transformer of {name} is the wrong way round, or those of both others"
                ),
                format!(
                    "turn the current transformer of {name} at the meter; until then the total is a third"
                ),
            )
        }
        None if minority(&parts).is_none() && ratio.is_some() && fits(-1.0) && {
            // A shifted phase order can look alike; it shifts the factor too.
            factors.is_none_or(|factors| !swapped::shifts(look, &factors))
        } =>
        {
            word(
                "the power, against all others of the balance,".to_owned(),
                look.value(Q::Power).unwrap_or(total),
                "all current transformers are the wrong way round, or the meter as a whole"
                    .to_owned(),
                "set `invert = true` at the meter, or turn its current transformers".to_owned(),
            )
        }
        _ => Judged::Clear,
    }
}
