//! Which meter stands behind which: trees of submeters.
//!
//! ```text
//!   main ──┬── hall_a ──┬── oven
//!          │            └── light
//!          └── hall_b
//! ```
//!
//! A meter behind another counts energy that the other has counted already. **A sum
//! counts it once**: of the meters that are to be added up, those with another of them
//! before them are left out.

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    order: Vec<Arc<str>>,
    behind: HashMap<Arc<str>, Arc<str>>,
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
        let topology = Self { order, behind };
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

    /// The meters directly behind a meter, in the order of the configuration.
    pub fn behind<'a>(&'a self, meter: &'a str) -> impl Iterator<Item = &'a Arc<str>> {
        let stands = move |one: &&Arc<str>| {
            self.behind
                .get(*one)
                .is_some_and(|before| **before == *meter)
        };
        self.order.iter().filter(stands)
    }

    /// The meters that a meter stands behind, the nearest first.
    pub fn before<'a>(&'a self, meter: &str) -> impl Iterator<Item = &'a Arc<str>> {
        std::iter::successors(self.behind.get(meter), |at| self.behind.get(*at))
    }

    /// Of the meters to add up, those that are counted: no other of them is before them.
    /// A meter that is named twice is counted once; one without a place stands alone.
    #[must_use]
    pub fn counted<'a>(&self, meters: &[&'a str]) -> Vec<&'a str> {
        let all: HashSet<&str> = meters.iter().copied().collect();
        let mut taken = HashSet::new();
        let first = |meter: &&&str| !self.before(meter).any(|before| all.contains(&**before));
        meters
            .iter()
            .filter(first)
            .filter(|meter| taken.insert(**meter))
            .copied()
            .collect()
    }
}

#[cfg(test)]
#[path = "topology_tests.rs"]
mod tests;
