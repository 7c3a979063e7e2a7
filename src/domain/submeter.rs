//! Submeters against the meter before them.
//!
//! ```text
//!   main ──┬── hall_a          rest = main − (hall_a + hall_b)
//!          └── hall_b
//! ```
//!
//! The sum is over the meters directly behind; what stands behind those is in their
//! count. Each is turned into the direction of the meter before it: a generator behind a
//! load lessens it. **The rest is shown as it is**: below zero, a submeter counts
//! backwards, or stands elsewhere than the configuration says.

use std::sync::Arc;

use super::balance::{Amount, Parts, Said, add, subtract};
use super::flow::{Known, Stated};
use super::interval::{Channel, Entry};
use super::meter::{Carrier, MeterIndex, Park};
use super::units::MilliwattHours;

/// A meter with the sum of those directly behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch<N> {
    /// The meter before.
    pub parent: Arc<str>,
    /// Which balance.
    pub carrier: Carrier,
    /// The meters behind, each with 1 where it counts in the direction of the parent and
    /// -1 where it counts the other way.
    pub children: Vec<(MeterIndex, f64)>,
    /// What the parent says, in the direction of its role.
    pub own: Stated<N>,
    /// What those behind it say together.
    pub sum: Stated<N>,
    /// What none of them saw: own less sum.
    pub rest: Stated<N>,
}

/// Every meter that others stand behind, in the order of the configuration.
pub fn branches<N: Amount>(
    park: &Park,
    parts: &dyn Fn(MeterIndex, Carrier) -> Parts<N>,
) -> Vec<Branch<N>> {
    let topology = &park.relations.topology;
    let mut branches = Vec::new();
    for parent in topology.parents() {
        let Some(before) = park.meter(parent) else {
            continue;
        };
        for carrier in [Carrier::Electricity, Carrier::Heat] {
            branches.extend(branch(park, before, carrier, parts));
        }
    }
    branches
}

fn branch<N: Amount>(
    park: &Park,
    before: MeterIndex,
    carrier: Carrier,
    parts: &dyn Fn(MeterIndex, Carrier) -> Parts<N>,
) -> Option<Branch<N>> {
    let parent = park.meters.get(before)?;
    parent.role.term(carrier)?;
    let children: Vec<(MeterIndex, f64)> = park
        .relations
        .topology
        .behind(&parent.id)
        .filter_map(|id| {
            let index = park.meter(id)?;
            let role = park.meters.get(index)?.role;
            role.term(carrier)?;
            let sign = if role.sense == parent.role.sense {
                1.0
            } else {
                -1.0
            };
            Some((index, sign))
        })
        .collect();
    if children.is_empty() {
        return None;
    }
    let net = |index| {
        let parts = parts(index, carrier);
        subtract(&parts.positive, &parts.negative)
    };
    let own = net(before);
    let nothing = Ok(Known::given(N::ZERO));
    let sum = children.iter().fold(nothing, |sum, (index, sign)| {
        if *sign > 0.0 {
            add(&sum, &net(*index))
        } else {
            subtract(&sum, &net(*index))
        }
    });
    Some(Branch {
        parent: Arc::clone(&parent.id),
        carrier,
        children,
        rest: subtract(&own, &sum),
        own,
        sum,
    })
}

/// The branches of a moment from the signed power of every meter, W.
#[must_use]
pub fn branch_powers(
    park: &Park,
    power: &dyn Fn(MeterIndex, Carrier) -> Stated<f64>,
) -> Vec<Branch<f64>> {
    branches(park, &|index, carrier| {
        Parts::of_power(power(index, carrier))
    })
}

/// The branches of an interval from what every channel counted.
#[must_use]
pub fn branch_energies(park: &Park, entries: &[Entry]) -> Vec<Branch<MilliwattHours>> {
    let said = Said::new(entries);
    branches(park, &|index, carrier| {
        let side = |positive| said.of(park, index, Channel { carrier, positive });
        Parts {
            positive: side(true),
            negative: side(false),
        }
    })
}

#[cfg(test)]
#[path = "submeter_tests.rs"]
mod tests;
