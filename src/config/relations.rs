//! What meters say of each other: which one stands behind which, and which is computed
//! from others.
//!
//! A meter names others before these are read, so that what it says is kept with its
//! place in the file, and checked when all are known.

use std::sync::Arc;

use super::derived;
use super::meter::Read;
use super::read::{Table, closest};
use crate::domain::meter::{Carrier, Meter};
use crate::domain::relations::Relations;
use crate::domain::topology::{Placed, Topology, TopologyError};

/// Something a table says about a meter.
#[derive(Debug, Clone)]
struct Place {
    placed: Placed,
    /// The list of tables and the place in it.
    table: (&'static str, usize),
}

/// What tables said, with where.
#[derive(Debug, Default)]
pub(super) struct Said {
    table: (&'static str, usize),
    places: Vec<Place>,
}

impl Said {
    /// The next table is this one.
    pub(super) fn begin(&mut self, list: &'static str, nth: usize) {
        self.table = (list, nth);
    }

    /// Takes note of what a table says of the meter with this id.
    pub(super) fn hear(
        &mut self,
        table: &Table<'_>,
        id: Option<&Arc<str>>,
        fill: &dyn Fn(&str) -> String,
    ) {
        let named = match (table.has("behind"), table.is_text("behind")) {
            (false, _) => Vec::new(),
            (true, true) => table.text("behind", "main").into_iter().collect(),
            (true, false) => table.texts("behind"),
        };
        let Some(id) = id else { return };
        // An id that is taken is told as such, and not as a meter in two places.
        if self.places.iter().any(|one| one.placed.meter == *id) {
            return;
        }
        let behind = |name: &&str| Some(Arc::from(fill(name)));
        let mut places: Vec<Option<Arc<str>>> = named.iter().map(behind).collect();
        if places.is_empty() {
            places.push(None);
        }
        self.places.extend(places.into_iter().map(|behind| Place {
            placed: Placed {
                meter: Arc::clone(id),
                behind,
            },
            table: self.table,
        }));
    }

    /// Adds a problem at the table of a meter.
    fn problem(&self, root: &Table<'_>, meter: &str, key: &str, fact: String, remedy: String) {
        let place = self.places.iter().find(|one| *one.placed.meter == *meter);
        let Some(Place {
            table: (list, nth), ..
        }) = place
        else {
            return;
        };
        if let Some(table) = root.tables(list).get(*nth) {
            table.problem(key, fact, remedy);
        }
    }
}

/// Checks what tables said against all meters.
pub(super) fn check(root: &Table<'_>, read: &mut Read) -> Relations {
    let derived = derived::all(root, read);
    let topology = topology(root, &read.said);
    foreign(root, &read.said, &read.meters);
    Relations { topology, derived }
}

/// The places of all meters; none has one where something is wrong.
fn topology(root: &Table<'_>, said: &Said) -> Topology {
    let placed: Vec<Placed> = said.places.iter().map(|one| one.placed.clone()).collect();
    let names: Vec<&str> = placed.iter().map(|one| &*one.meter).collect();
    let errors = match Topology::new(&placed) {
        Ok(topology) => return topology,
        Err(errors) => errors,
    };
    for error in errors {
        let text = error.to_string();
        let (fact, remedy) = text.split_once("; ").unwrap_or((&text, ""));
        let (meter, remedy) = match &error {
            TopologyError::Unknown { meter, behind } => (
                Some(meter),
                match closest(behind, &names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => remedy.to_owned(),
                },
            ),
            TopologyError::Twice { meter, .. } => (Some(meter), remedy.to_owned()),
            TopologyError::Cycle { meters } => (meters.first(), remedy.to_owned()),
        };
        if let Some(meter) = meter {
            said.problem(root, meter, "behind", fact.to_owned(), remedy);
        }
    }
    Topology::default()
}

/// A heat meter behind one of electricity is in another network.
fn foreign(root: &Table<'_>, said: &Said, meters: &[Meter]) {
    let of = |id: &str| meters.iter().find(|meter| *meter.id == *id);
    for place in &said.places {
        let Placed { meter, behind } = &place.placed;
        let Some((meter, before)) = of(meter).zip(behind.as_deref().and_then(of)) else {
            continue;
        };
        let either = |meter: &Meter| meter.role.electricity.is_some() || meter.role.heat.is_some();
        let shared = [Carrier::Electricity, Carrier::Heat]
            .into_iter()
            .any(|carrier| {
                meter.role.term(carrier).is_some() && before.role.term(carrier).is_some()
            });
        if either(meter) && either(before) && !shared {
            said.problem(
                root,
                &meter.id,
                "behind",
                format!(
                    "`{}` ({}) and `{}` ({}) stand in different balances",
                    meter.id, meter.role.name, before.id, before.role.name
                ),
                "a meter of the same network, or leave it out".to_owned(),
            );
        }
    }
}

#[cfg(test)]
#[path = "relations_tests.rs"]
pub(super) mod tests;
