//! The nodes of a park: meters whose energies add up to nothing.
//!
//! ```text
//!   electricity    generators + batteries + grid − loads − losses
//!   heat           fields + boilers + storages − to power − feed (or consumers)
//!   heat network   feed − consumers, and what is lost on the way
//!   behind X       X − the meters directly behind it
//! ```
//!
//! A node is open where something takes part that no meter sees: loads that have none,
//! the losses of a network, the rest of a tree. **An open node never closes**: its
//! residual is what nobody measured, and only one that cannot be, below zero, says that
//! a meter is wrong.
//!
//! A meter that is computed from others is no witness. What it stands for enters by the
//! meters that it is computed from.
//!
//! A transformer between the meter at the grid and the boundary is no part of a node, since
//! the meter stands behind it. One that stands behind the meter takes part as a meter of its
//! own, with the uncertainty of a nameplate.

use std::sync::Arc;

use crate::domain::balance::members;
use crate::domain::compensation::{self, lost_at};
use crate::domain::meter::{Carrier, MeterIndex, Park, Sense, Term};
use crate::domain::nested::is_boundary;
use crate::domain::relations::Boundary;

/// Configured losses are a nameplate's, not a measurement: greatest error, %.
pub const LOSSES_PCT: f64 = 20.0;
/// A factor below this has cancelled.
const CANCELLED: f64 = 1e-9;

/// A member of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// The meter.
    pub meter: MeterIndex,
    /// In which balance.
    pub carrier: Carrier,
    /// 1 for what flows in, -1 for what flows out; times the factor of a meter that is
    /// computed.
    pub sign: f64,
}

/// What takes part in a node and has no meter.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// What to call it.
    pub name: Arc<str>,
    /// Why it has none, for people.
    pub why: &'static str,
    /// Whether it flows out alone, so that a residual below zero cannot be.
    pub takes: bool,
}

/// Meters whose energies add up to nothing, but for what is open.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What to call it: `electricity`, `heat`, `heat network`, `behind hall`.
    pub name: Arc<str>,
    /// Its balance.
    pub carrier: Carrier,
    /// Its meters.
    pub parts: Vec<Part>,
    /// Whether the configured losses flow out of it.
    pub has_losses: bool,
    /// What has no meter.
    pub open: Option<Open>,
}

/// Which way a term counts in its balance; none where it counts nowhere.
fn sign(term: Term, has_feed: bool) -> Option<f64> {
    match term {
        Term::Grid | Term::Generator | Term::Battery => Some(1.0),
        Term::SolarField | Term::Boiler | Term::ElectricBoilerHeat => Some(1.0),
        Term::HeatPumpHeat | Term::HeatStorage => Some(1.0),
        Term::Load | Term::HeatToPower | Term::HeatFeed => Some(-1.0),
        // What customers take has entered the network before.
        Term::HeatConsumer => (!has_feed).then_some(-1.0),
        // Not every one of them: see [`lost_behind`].
        Term::TransformerLoss => None,
    }
}

fn has(park: &Park, carrier: Carrier, term: Term) -> bool {
    let mut meters = park.meters.iter();
    meters.any(|meter| meter.role.term(carrier) == Some(term))
}

/// The meters of the balance of a carrier, none of them counted twice; empty where
/// nothing flows in or nothing flows out.
#[must_use]
pub fn balance_parts(park: &Park, carrier: Carrier) -> Vec<Part> {
    let has_feed = has(park, Carrier::Heat, Term::HeatFeed);
    let mut terms: Vec<Term> = Vec::new();
    for meter in &park.meters {
        let term = meter.role.term(carrier);
        terms.extend(term.filter(|term| !terms.contains(term)));
    }
    let mut parts: Vec<Part> = Vec::new();
    for term in terms {
        let Some(sign) = sign(term, has_feed) else {
            continue;
        };
        let part = |meter| Part {
            meter,
            carrier,
            sign,
        };
        let counted = members(park, carrier, term).into_iter();
        parts.extend(
            counted
                .filter(|meter| at_the_bus(park, *meter, carrier))
                .map(part),
        );
    }
    if carrier == Carrier::Electricity {
        parts.extend(lost_at(park, Boundary::ParkSide).into_iter().map(lost));
    }
    parts.sort_by_key(|part| part.meter);
    let any = |way: f64| parts.iter().any(|part| part.sign == way);
    if any(1.0) && any(-1.0) {
        parts
    } else {
        Vec::new()
    }
}

/// Whether no other meter of the balance has counted what a meter counts.
fn at_the_bus(park: &Park, meter: MeterIndex, carrier: Carrier) -> bool {
    let Some(meter) = park.meters.get(meter) else {
        return false;
    };
    let before = park.relations.topology.before(&meter.id);
    let mut terms = before.filter_map(|id| park.meters.get(park.meter(id)?)?.role.term(carrier));
    terms.all(is_boundary)
}

/// What a transformer takes, as a member.
fn lost(meter: MeterIndex) -> Part {
    Part {
        meter,
        carrier: Carrier::Electricity,
        sign: -1.0,
    }
}

/// What a transformer takes that stands between a meter and those behind it.
#[must_use]
pub fn lost_behind(park: &Park, meter: MeterIndex, carrier: Carrier) -> Option<Part> {
    let (one, loss) = compensation::of(park, meter, carrier)?;
    (one.boundary == Boundary::ParkSide).then(|| lost(loss))
}

/// Every node of a park. `complete` names the meters that make up a meter, where that
/// is told.
#[must_use]
pub fn nodes<'a>(park: &Park, complete: &dyn Fn(&str) -> &'a [String]) -> Vec<Node> {
    let mut nodes = Vec::new();
    let electricity = balance_parts(park, Carrier::Electricity);
    if !electricity.is_empty() {
        nodes.push(Node {
            name: "electricity".into(),
            carrier: Carrier::Electricity,
            parts: electricity,
            has_losses: park.losses.is_some(),
            open: unmetered(park),
        });
    }
    let heat = balance_parts(park, Carrier::Heat);
    if !heat.is_empty() {
        nodes.push(Node {
            name: "heat".into(),
            carrier: Carrier::Heat,
            parts: heat,
            has_losses: false,
            open: None,
        });
    }
    nodes.extend(network(park));
    let told = park.meters.iter().map(|meter| &meter.id);
    let told = told.filter(|id| !complete(id).is_empty());
    let parents = park.relations.topology.parents();
    let mut before: Vec<MeterIndex> = told
        .chain(parents)
        .filter_map(|id| park.meter(id))
        .collect();
    before.sort_unstable();
    before.dedup();
    for meter in before {
        for carrier in [Carrier::Electricity, Carrier::Heat] {
            nodes.extend(behind(park, meter, carrier, complete));
        }
    }
    for node in &mut nodes {
        node.parts = measured(park, &node.parts);
    }
    nodes.retain(|node| !node.parts.is_empty());
    nodes
}

/// What the balance of electricity has no meter for.
fn unmetered(park: &Park) -> Option<Open> {
    let open = |name: &str, why, takes| {
        Some(Open {
            name: name.into(),
            why,
            takes,
        })
    };
    if !has(park, Carrier::Electricity, Term::Grid) {
        return open("grid", "the grid connection has no meter", false);
    }
    if !park.every_load_metered {
        let why = "not every load has a meter (`every_load_metered`)";
        return open("unmetered load", why, true);
    }
    None
}

/// The network between the feed of heat and its consumers.
fn network(park: &Park) -> Option<Node> {
    let of = |term, sign| {
        let part = move |meter| Part {
            meter,
            carrier: Carrier::Heat,
            sign,
        };
        members(park, Carrier::Heat, term).into_iter().map(part)
    };
    let feed: Vec<Part> = of(Term::HeatFeed, 1.0).collect();
    let consumers: Vec<Part> = of(Term::HeatConsumer, -1.0).collect();
    if feed.is_empty() || consumers.is_empty() {
        return None;
    }
    Some(Node {
        name: "heat network".into(),
        carrier: Carrier::Heat,
        parts: feed.into_iter().chain(consumers).collect(),
        has_losses: false,
        open: Some(Open {
            name: "heat losses".into(),
            why: "what is lost on the way has no meter",
            takes: true,
        }),
    })
}

/// A meter, and those behind it.
fn behind<'a>(
    park: &Park,
    before: MeterIndex,
    carrier: Carrier,
    complete: &dyn Fn(&str) -> &'a [String],
) -> Option<Node> {
    let parent = park.meters.get(before)?;
    parent.role.term(carrier)?;
    let told = complete(&parent.id);
    let children: Vec<MeterIndex> = if told.is_empty() {
        let behind = park.relations.topology.behind(&parent.id);
        behind.filter_map(|id| park.meter(id)).collect()
    } else {
        told.iter().filter_map(|id| park.meter(id)).collect()
    };
    let child = |meter: MeterIndex| {
        let role = park.meters.get(meter)?.role;
        role.term(carrier)?;
        // A generator behind a load lessens it.
        let same = role.sense == parent.role.sense;
        Some(Part {
            meter,
            carrier,
            sign: if same { -1.0 } else { 1.0 },
        })
    };
    let children: Vec<Part> = children.into_iter().filter_map(child).collect();
    if children.is_empty() {
        return None;
    }
    // What a load takes beside its submeters flows out of it. What a plant gives beside
    // its own flows in, and behind a grid connection there may be plants.
    let takes = parent.role.sense == Sense::Import && parent.role.term(carrier) != Some(Term::Grid);
    let own = Part {
        meter: before,
        carrier,
        sign: 1.0,
    };
    let both = parent.role.electricity.is_some() && parent.role.heat.is_some();
    let heat = if both && carrier == Carrier::Heat {
        " (heat)"
    } else {
        ""
    };
    Some(Node {
        name: format!("behind {}{heat}", parent.id).into(),
        carrier,
        parts: std::iter::once(own)
            .chain(children)
            .chain(lost_behind(park, before, carrier))
            .collect(),
        has_losses: false,
        open: told.is_empty().then(|| Open {
            name: format!("rest of {}{heat}", parent.id).into(),
            why: "nothing says that the meters behind it make it up (`submeters`)",
            takes,
        }),
    })
}

/// The parts as meters that measure: what is computed is what it is computed from.
fn measured(park: &Park, parts: &[Part]) -> Vec<Part> {
    let mut flat: Vec<Part> = Vec::new();
    let mut open: Vec<Part> = parts.to_vec();
    while let Some(part) = open.pop() {
        let Some(meter) = park.meters.get(part.meter) else {
            continue;
        };
        if let Some(expression) = park.relations.expression(&meter.id) {
            for (input, factor) in expression.terms() {
                open.extend(park.meter(input).map(|meter| Part {
                    meter,
                    sign: part.sign * factor,
                    ..part
                }));
            }
            continue;
        }
        let same = |known: &&mut Part| known.meter == part.meter && known.carrier == part.carrier;
        match flat.iter_mut().find(same) {
            Some(known) => known.sign += part.sign,
            None => flat.push(part),
        }
    }
    flat.retain(|part| part.sign.abs() > CANCELLED);
    flat.sort_by_key(|part| part.meter);
    flat
}
