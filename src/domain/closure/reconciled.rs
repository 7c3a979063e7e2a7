//! An interval reconciled over all nodes of a park: which meter does not fit the others.
//!
//! Nothing of it enters the books. A meter that is missing, and what a node has no meter
//! for, is unmeasured: it is computed where the others carry it. A meter that no other
//! one confirms is named as unchecked, and never as right.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::node::{LOSSES_PCT, Node};
use super::values::{Counted, Worth};
use crate::domain::meter::{Carrier, MeterIndex, Park};
use crate::domain::reconcile::{Constraint, Measured, ReconcileError, Reconciled, reconcile};

/// Configured losses in a reconciliation.
const LOSSES: &str = "configured losses";

/// A meter among suspects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuspectMeter {
    /// The meter.
    pub meter: Arc<str>,
    /// What it said, Wh.
    pub read_wh: f64,
    /// What it would have said had all agreed, Wh.
    pub reconciled_wh: f64,
}

/// Meters that the nodes cannot tell apart, one of which is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// The meters, the likeliest first.
    pub meters: Vec<SuspectMeter>,
    /// How far each had to move, in units of the spread of a correct meter.
    pub z: f64,
}

/// What an interval comes to when all nodes are made to close.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reconciliation {
    /// The weighted square sum of all corrections; none where nothing is checked.
    pub chi_square: Option<f64>,
    /// What correct meters stay below 19 of 20 times.
    pub limit: Option<f64>,
    /// Constraints that check anything.
    pub degrees: usize,
    /// Whether all readings together fit; none where nothing is checked.
    pub passes: Option<bool>,
    /// Where they do not: the meters that fit least, worst first.
    pub suspects: Vec<Suspect>,
    /// Meters that no other one confirms.
    pub unchecked: Vec<Arc<str>>,
    /// What has no meter or did not say anything, where the others carry it: name, Wh,
    /// and standard uncertainty.
    pub computed: Vec<(Arc<str>, f64, f64)>,
    /// Why there is none.
    pub failed: Option<String>,
}

/// The name of a meter in a balance.
fn name(park: &Park, meter: MeterIndex, carrier: Carrier) -> Arc<str> {
    let Some(meter) = park.meters.get(meter) else {
        return "".into();
    };
    if carrier == Carrier::Heat && meter.role.electricity.is_some() {
        return format!("{} (heat)", meter.id).into();
    }
    Arc::clone(&meter.id)
}

/// Reconciles an interval.
pub(super) fn reconciled(
    park: &Park,
    nodes: &[Node],
    counted: &Counted,
    losses: &dyn Fn(&Node) -> Option<Worth>,
) -> Reconciliation {
    let mut measured: Vec<Measured> = Vec::new();
    let mut unmeasured: Vec<Arc<str>> = Vec::new();
    let mut known: Vec<(&(MeterIndex, Carrier), _)> = counted.iter().collect();
    known.sort_by_key(|((meter, carrier), _)| (*meter, *carrier == Carrier::Heat));
    for ((meter, carrier), worth) in known {
        let name = name(park, *meter, *carrier);
        match worth {
            Ok(worth) => measured.push(Measured {
                name,
                value: worth.wh,
                uncertainty: worth.u_wh,
            }),
            Err(_) => unmeasured.push(name),
        }
    }
    let mut constraints = Vec::new();
    for node in nodes {
        let part = |part: &super::Part| (name(park, part.meter, part.carrier), part.sign);
        let mut terms: Vec<(Arc<str>, f64)> = node.parts.iter().map(part).collect();
        if node.has_losses {
            let name: Arc<str> = LOSSES.into();
            match losses(node) {
                Some(worth) => measured.push(Measured {
                    name: Arc::clone(&name),
                    value: worth.wh,
                    uncertainty: worth.u_wh,
                }),
                None => unmeasured.push(Arc::clone(&name)),
            }
            terms.push((name, -1.0));
        }
        if let Some(open) = &node.open {
            unmeasured.push(Arc::clone(&open.name));
            terms.push((Arc::clone(&open.name), -1.0));
        }
        constraints.push(Constraint {
            name: Arc::clone(&node.name),
            terms,
            constant: 0.0,
        });
    }
    // A node that follows from others, by what is computed, says nothing new.
    loop {
        match reconcile(&measured, &unmeasured, &constraints) {
            Ok(found) => return told(&found),
            Err(ReconcileError::Dependent { constraint, .. }) => {
                constraints.retain(|one| one.name != constraint);
            }
            Err(error) => {
                return Reconciliation {
                    failed: Some(error.to_string()),
                    ..Reconciliation::default()
                };
            }
        }
    }
}

/// What is told of a reconciliation.
fn told(found: &Reconciled) -> Reconciliation {
    let passes = found.global.map(|global| global.passes());
    let groups = if passes == Some(false) {
        found.suspects()
    } else {
        // Of so many tests one is always the worst.
        Vec::new()
    };
    let meter = |name: &Arc<str>| {
        let one = found.measured.iter().find(|one| one.name == *name)?;
        Some(SuspectMeter {
            meter: Arc::clone(name),
            read_wh: one.raw,
            reconciled_wh: one.value,
        })
    };
    let suspects = groups.iter().map(|group| Suspect {
        meters: group.names.iter().filter_map(meter).collect(),
        z: group.z,
    });
    let computed = found.unmeasured.iter().filter_map(|one| {
        let (wh, u_wh) = one.value?;
        Some((Arc::clone(&one.name), wh, u_wh))
    });
    let mut seen = HashSet::new();
    let unchecked = found.unchecked().filter(|name| ***name != *LOSSES);
    Reconciliation {
        chi_square: found.global.map(|global| global.chi_square),
        limit: found.global.map(|global| global.limit),
        degrees: found.global.map_or(0, |global| global.degrees),
        passes,
        suspects: suspects.collect(),
        unchecked: unchecked
            .filter(|name| seen.insert(Arc::clone(name)))
            .cloned()
            .collect(),
        computed: computed.collect(),
        failed: None,
    }
}

/// The configured losses of an interval, as a nameplate knows them.
pub(super) fn losses(park: &Park, node: &Node, counted: &Counted, hours: f64) -> Option<Worth> {
    let configured = park.losses?;
    let mut wh = configured.fixed.as_watts() * hours;
    if configured.load_pct != 0.0 {
        let mut load = 0.0;
        for part in node.parts.iter().filter(|part| part.sign > 0.0) {
            let worth = counted.get(&(part.meter, part.carrier))?.as_ref().ok()?;
            load += part.sign * worth.wh;
        }
        wh += load * configured.load_pct / 100.0;
    }
    let accuracy = super::Accuracy {
        class_pct: LOSSES_PCT,
        ..super::Accuracy::default()
    };
    let u_wh = super::Uncertainty::of(wh, &accuracy, super::Ramp::default()).combined();
    Some(Worth {
        wh,
        u_wh: u_wh.max(1e-3),
    })
}
