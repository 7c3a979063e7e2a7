//! Which meter stands behind which: trees of submeters.
//!
//! ```text
//!   main ──┬── hall_a ──┬── oven
//!          │            └── light
//!          └── hall_b
//! ```
//!
//! A meter behind another counts energy that the other has counted already. What a sum does
//! with that is [`super::balance::members`] and [`super::nested`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A meter, and the meter it stands behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The meter.
    pub meter: Arc<str>,
    /// The next meter towards the source; none at the source.
    pub behind: Option<Arc<str>>,
}

/// What is wrong with the places of meters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// A meter stands behind one that is not there.
    #[error("`{meter}` stands behind `{behind}`, which is no meter; name one of the configuration")]
    Unknown {
        /// The meter.
        meter: Arc<str>,
        /// What it should stand behind.
        behind: Arc<str>,
    },
    /// A meter stands in two places.
    #[error("`{meter}` stands {}; a meter has one place", places(places_named))]
    Twice {
        /// The meter.
        meter: Arc<str>,
        /// The meters it stands behind; none for the source.
        places_named: Vec<Option<Arc<str>>>,
    },
    /// Meters stand behind each other in a circle.
    #[error("{}; one meter is nearest to the source", circle(meters))]
    Cycle {
        /// The meters, each behind the next, the last behind the first.
        meters: Vec<Arc<str>>,
    },
}

fn places(places: &[Option<Arc<str>>]) -> String {
    let place = |behind: &Option<Arc<str>>| match behind {
        Some(behind) => format!("behind `{behind}`"),
        None => "at the source".to_owned(),
    };
    places.iter().map(place).collect::<Vec<_>>().join(" and ")
}

fn circle(meters: &[Arc<str>]) -> String {
    let names: Vec<String> = meters.iter().map(|meter| format!("`{meter}`")).collect();
    if names.len() == 1 {
        format!("{} stands behind itself", names.join(""))
    } else {
        format!("{} stand behind each other in a circle", names.join(", "))
    }
}

/// Meters in their places.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topology {
    order: Vec<Arc<str>>,
    behind: HashMap<Arc<str>, Arc<str>>,
    /// The meters directly behind each, in the order of the configuration.
    children: HashMap<Arc<str>, Vec<Arc<str>>>,
}

impl Topology {
    /// Places meters.
    ///
    /// # Errors
    ///
    /// Every [`TopologyError`] there is, in the order of the meters.
    pub fn new(placed: &[Placed]) -> Result<Self, Vec<TopologyError>> {
        let mut errors = Vec::new();
        let mut order: Vec<Arc<str>> = Vec::new();
        let mut said: HashMap<&str, Vec<Option<Arc<str>>>> = HashMap::new();
        for one in placed {
            let places = said.entry(&one.meter).or_default();
            if places.is_empty() {
                order.push(Arc::clone(&one.meter));
            }
            places.push(one.behind.clone());
        }
        let mut behind = HashMap::new();
        for meter in &order {
            let places = said.get(&**meter).cloned().unwrap_or_default();
            for before in places.iter().flatten() {
                if !said.contains_key(&**before) {
                    errors.push(TopologyError::Unknown {
                        meter: Arc::clone(meter),
                        behind: Arc::clone(before),
                    });
                }
            }
            match places.as_slice() {
                [Some(before)] => {
                    behind.insert(Arc::clone(meter), Arc::clone(before));
                }
                [] | [None] => {}
                _ => errors.push(TopologyError::Twice {
                    meter: Arc::clone(meter),
                    places_named: places,
                }),
            }
        }
        let mut children: HashMap<Arc<str>, Vec<Arc<str>>> = HashMap::new();
        for meter in &order {
            if let Some(before) = behind.get(meter) {
                let siblings = children.entry(Arc::clone(before)).or_default();
                siblings.push(Arc::clone(meter));
            }
        }
        let topology = Self {
            order,
            behind,
            children,
        };
        errors.extend(topology.circles());
        if errors.is_empty() {
            Ok(topology)
        } else {
            Err(errors)
        }
    }

    /// Every circle once, from its first meter on.
    fn circles(&self) -> Vec<TopologyError> {
        let mut done: HashSet<&str> = HashSet::new();
        let mut circles = Vec::new();
        for meter in &self.order {
            let mut path: Vec<&Arc<str>> = Vec::new();
            let mut next = Some(meter);
            while let Some(at) = next {
                if let Some(start) = path.iter().position(|seen| *seen == at) {
                    let meters = path.iter().skip(start).map(|meter| Arc::clone(meter));
                    circles.push(TopologyError::Cycle {
                        meters: meters.collect(),
                    });
                    break;
                }
                if done.contains(&**at) {
                    break;
                }
                path.push(at);
                next = self.behind.get(at);
            }
            done.extend(path.iter().map(|meter| &***meter));
        }
        circles
    }

    /// Whether no meter stands behind another.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.behind.is_empty()
    }

    /// The meters that others stand behind, in the order of the configuration.
    pub fn parents(&self) -> impl Iterator<Item = &Arc<str>> {
        self.order
            .iter()
            .filter(|one| self.children.contains_key(*one))
    }

    /// The meters directly behind a meter, in the order of the configuration.
    pub fn behind(&self, meter: &str) -> impl Iterator<Item = &Arc<str>> {
        self.children.get(meter).into_iter().flatten()
    }

    /// The meters that a meter stands behind, the nearest first.
    pub fn before<'a>(&'a self, meter: &str) -> impl Iterator<Item = &'a Arc<str>> {
        std::iter::successors(self.behind.get(meter), |at| self.behind.get(*at))
    }
}

#[cfg(test)]
#[path = "topology_tests.rs"]
mod tests;
