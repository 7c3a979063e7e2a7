//! What a meter stands for, without what stands behind it and has a part of its own.
//!
//! ```text
//!   bus ──[ hall: tenant, 60 kW ]──┬──[ roof: pv, 40 kW ]
//!                                  └── what the hall uses: 100 kW
//! ```
//!
//! A meter behind another of the same term is left out of the sum ([`super::balance::members`]).
//! One of another term counts there, so it is taken out of the meter before it: the roof is
//! generation, and the hall uses what its meter shows and what the roof gives. **The sum over
//! all terms stays what the meters at the bus say.**
//!
//! Both directions stay at least zero. What a meter behind moves against the meter before it
//! is taken for that meter's own other direction first: a hybrid inverter that draws from the
//! grid at night while its battery charges has no standby, and one that draws nothing made
//! what went into the battery.
//!
//! A grid connection and the feed of a network are boundaries: all of a park stands behind
//! them, and they are shown as they are.

use super::balance::{Amount, Parts, add, combine, subtract};
use super::flow::{Known, Stated};
use super::meter::{Carrier, MeterIndex, Park, Term};

/// Whether everything may stand behind a term without being a part of it.
#[must_use]
pub fn is_boundary(term: Term) -> bool {
    matches!(term, Term::Grid | Term::HeatFeed)
}

/// The nearest meters behind a meter that count in another term of the balance, each with
/// whether its positive way is that of the meter before it.
#[must_use]
pub fn others(park: &Park, index: MeterIndex, carrier: Carrier) -> Vec<(MeterIndex, bool)> {
    let topology = &park.relations.topology;
    let Some(meter) = park.meters.get(index) else {
        return Vec::new();
    };
    let Some(own) = meter.role.term(carrier) else {
        return Vec::new();
    };
    if topology.is_flat() || is_boundary(own) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut open: Vec<_> = topology.behind(&meter.id).collect();
    while let Some(id) = open.pop() {
        let Some((place, behind)) = park
            .meter(id)
            .and_then(|at| Some((at, park.meters.get(at)?)))
        else {
            continue;
        };
        match behind.role.term(carrier) {
            Some(term) if term != own => found.push((place, behind.role.sense == meter.role.sense)),
            _ => open.extend(topology.behind(id)),
        }
    }
    found
}

/// The parts of a meter without those of other terms behind it.
pub fn own<N: Amount>(
    park: &Park,
    index: MeterIndex,
    carrier: Carrier,
    parts: &dyn Fn(MeterIndex, Carrier) -> Parts<N>,
) -> Parts<N> {
    let Parts { positive, negative } = parts(index, carrier);
    let others = others(park, index, carrier);
    if others.is_empty() {
        return Parts { positive, negative };
    }
    let nothing = || -> Stated<N> { Ok(Known::given(N::ZERO)) };
    let (mut along, mut against) = (nothing(), nothing());
    for (other, same) in others {
        let one = parts(other, carrier);
        let (with, counter) = if same {
            (one.positive, one.negative)
        } else {
            (one.negative, one.positive)
        };
        along = add(&along, &with);
        against = add(&against, &counter);
    }
    let lesser = |a: &Stated<N>, b: &Stated<N>| combine(a, b, |a, b| if b < a { b } else { a });
    let (out, back) = (lesser(&along, &positive), lesser(&against, &negative));
    Parts {
        positive: add(&subtract(&positive, &out), &subtract(&against, &back)),
        negative: add(&subtract(&negative, &back), &subtract(&along, &out)),
    }
}

#[cfg(test)]
#[path = "nested_tests.rs"]
mod tests;
