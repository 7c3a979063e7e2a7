//! Energies that a computed meter counts a second time.
//!
//! `hall-b = "hall - hall-a"` beside `hall` would be added up with it, and the hall counted
//! twice. A computed meter stands behind one of its inputs, or its inputs in no sum.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::read::list;
use crate::domain::meter::{Carrier, Meter, Term};
use crate::domain::relations::Derived;
use crate::domain::topology::Topology;

/// Sums of factors are this exact.
const ROUNDED: f64 = 1e-6;

/// A meter that is counted more than once, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Doubled {
    /// The computed meter at fault.
    pub meter: Arc<str>,
    /// The meter that is counted twice.
    pub input: Arc<str>,
    /// Fact and remedy.
    pub said: (String, String),
}

/// A meter with a factor.
type Share = (Arc<str>, f64);

/// Every meter that a sum counts more than once because of one that is computed from it.
///
/// A meter may be split: `0.6 * hall` and `0.4 * hall` are the hall once. One that stands for
/// several (`2 * hall`) is counted as often as it says.
pub(super) fn doubled(meters: &[Meter], topology: &Topology, derived: &[Derived]) -> Vec<Doubled> {
    let mut found = Vec::new();
    let mut ids = HashSet::new();
    if !meters.iter().all(|meter| ids.insert(&meter.id)) {
        // Two of one name are told as such.
        return found;
    }
    for carrier in [Carrier::Electricity, Carrier::Heat] {
        let mut shares: BTreeMap<(String, Arc<str>), Vec<Share>> = BTreeMap::new();
        for (meter, term) in counted(meters, topology, carrier) {
            for (input, factor) in rests_on(meter, derived) {
                let of = shares.entry((format!("{term:?}"), input)).or_default();
                of.push((Arc::clone(&meter.id), factor));
            }
        }
        for ((_, input), members) in shares {
            let total: f64 = members.iter().map(|one| one.1).sum();
            let largest = members.iter().map(|one| one.1).fold(1.0, f64::max);
            let is_computed = |id: &Arc<str>| derived.iter().any(|one| one.meter == *id);
            let positive = members.iter().filter(|one| one.1 > 0.0);
            let names: Vec<&Arc<str>> = positive.map(|one| &one.0).collect();
            let last = names.iter().rev().find(|id| is_computed(id));
            if let Some(last) = last.filter(|_| total > largest + ROUNDED) {
                let by = list(names.iter().map(|id| format!("`{id}`")));
                found.push(Doubled {
                    meter: Arc::clone(last),
                    input: Arc::clone(&input),
                    said: (
                        format!("`{input}` is counted {total} times, by {by}"),
                        format!(
                            "`behind = \"{input}\"`, as what it counts is in `{input}` already"
                        ),
                    ),
                });
            }
        }
    }
    found
}

/// The meters that the sums of a balance add up, as [`crate::domain::balance::members`] has
/// them.
fn counted<'a>(
    meters: &'a [Meter],
    topology: &Topology,
    carrier: Carrier,
) -> impl Iterator<Item = (&'a Meter, Term)> {
    let terms: HashMap<&str, Term> = meters
        .iter()
        .filter_map(|meter| Some((&*meter.id, meter.role.term(carrier)?)))
        .collect();
    meters.iter().filter_map(move |meter| {
        let term = meter.role.term(carrier)?;
        let mut before = topology.before(&meter.id);
        let next = before.find_map(|id| terms.get(&**id));
        (next != Some(&term)).then_some((meter, term))
    })
}

/// The measured meters that one rests on, each with its whole factor.
fn rests_on(meter: &Meter, derived: &[Derived]) -> Vec<Share> {
    let mut open = vec![(Arc::clone(&meter.id), 1.0)];
    let mut found: Vec<Share> = Vec::new();
    while let Some((id, factor)) = open.pop() {
        if let Some(one) = derived.iter().find(|one| one.meter == id) {
            let terms = one.expression.terms();
            open.extend(terms.map(|(input, part)| (Arc::clone(input), factor * part)));
            continue;
        }
        match found.iter_mut().find(|known| known.0 == id) {
            Some(known) => known.1 += factor,
            None => found.push((id, factor)),
        }
    }
    found
}
