//! Check 2: voltages and currents of different phases meet in one element.
//!
//! Two exchanged phases leave nothing of a balanced load, three that are shifted minus a
//! half, and each phase a factor that is 120 degrees from its own. Exchanged phases show
//! in the factors alone; shifted ones have all factors alike, and only the balance knows
//! that these are others.

use super::super::finding::{Judged, seen};
use super::super::look::{CURRENTS, Look, Memory, POWERS, Site, VOLTAGES, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::commission::wiring::{Wiring, is_shifted, phase, shifted, wiring};
use crate::domain::meter::{Park, Term};

/// As long as for a transformer the wrong way round.
const MINUTES: f64 = 15.0;
/// Part of the nameplate that volt-amperes must reach: below, charging currents of
/// cables and filters make any factor.
const LEAST_PART: f64 = 0.05;
/// Factors of one shift are alike.
const ALIKE: f64 = 0.1;
/// Loads and plants have no smaller factor, where the balance says what it is.
const LEAST_FACTOR: f64 = 0.7;
/// How far a factor must be from what the balance makes of it.
const APART: f64 = 0.2;

limits! {
    minutes: MINUTES "min" 1.0 to 1440.0 "how long it must last";
    part: LEAST_PART "" 0.001 to 0.5 "part of the rated power that voltage times current must reach";
}

pub fn subjects(park: &Park, site: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |meter| {
        let layout = site.layouts.get(meter);
        let all = [POWERS, VOLTAGES, CURRENTS].concat();
        layout.is_some_and(|layout| all.iter().all(|q| layout.point(*q).is_some()))
    })
}

/// The power factor of each phase.
pub fn factors(parts: &[f64; 3], loads: &[f64; 3]) -> [f64; 3] {
    let mut factors = *parts;
    for (factor, load) in factors.iter_mut().zip(loads) {
        *factor /= load.max(f64::MIN_POSITIVE);
    }
    factors
}

/// Whether all factors are alike, and those of what the balance says shifted by a phase.
pub fn shifts(look: &Look<'_>, factors: &[f64; 3]) -> bool {
    let mean = factors.iter().sum::<f64>() / 3.0;
    let alike = factors.iter().all(|factor| (factor - mean).abs() < ALIKE);
    let Some((said, expected)) = look.by_balance(look.first()).filter(|_| alike) else {
        return false;
    };
    // The balance knows the power of an interval, the factors those of now.
    let should = mean * expected / said;
    let one_way = look.meter().and_then(|meter| meter.role.electricity) == Some(Term::Load);
    let plausible =
        (LEAST_FACTOR..=1.0 + ALIKE).contains(&if one_way { should } else { should.abs() });
    let apart = (should - mean).abs();
    // The wrong way round is nearer than shifted where it fits better.
    let nearest = shifted(should).into_iter().map(|to| (to - mean).abs());
    let shift = nearest.fold(f64::INFINITY, f64::min);
    plausible && apart > APART && is_shifted(mean, should) && shift < (should + mean).abs()
}

pub fn judge(look: &Look<'_>, _: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let rated = need!(look.rated(), "it has no `rated`");
    let parts = need!(look.three(POWERS), "the powers of the phases are not known");
    let loads = need!(look.volt_amperes(), "voltages and currents are not known");
    let total: f64 = loads.iter().sum();
    let each = |load: &f64| *load < limits.part * rated / 3.0;
    if loads.iter().any(each) {
        return Judged::Not("too little flows");
    }
    let factors = factors(&parts, &loads);
    let cause = match wiring(&factors) {
        Wiring::Exchanged(a, b) => {
            format!(
                "the current transformers of {} and {} are exchanged",
                phase(a),
                phase(b)
            )
        }
        Wiring::ExchangedAndReversed(a, b) => format!(
            "the current transformers of {} and {} are exchanged, and one of them is the wrong way round",
            phase(a),
            phase(b)
        ),
        Wiring::Right if shifts(look, &factors) => {
            "the current transformers are shifted by one phase against the voltages".to_owned()
        }
        _ => return Judged::Clear,
    };
    let [a, b, c] = factors;
    seen(
        format!("the power, with power factors of {a:.2}, {b:.2} and {c:.2},"),
        (parts.iter().sum(), total, "W"),
        cause,
        "wire current transformers and voltages of each phase together",
    )
}
