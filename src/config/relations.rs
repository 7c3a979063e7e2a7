//! What meters say of each other: which one stands behind which, and which is computed
//! from others.
//!
//! A meter names others before these are read, so that what it says is kept with its
//! place in the file, and checked when all are known.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compensation;
use super::derived;
use super::doubled::doubled;
use super::meter::Read;
use super::read::{Table, closest, list};
use crate::domain::meter::{Carrier, Meter};
use crate::domain::relations::{REGISTER_MODES, RegisterMode, Relations};
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
    /// Meters, and those beside them that measure the same.
    beside: Vec<(Arc<str>, Arc<str>)>,
    /// What registers of meters count.
    modes: Vec<(Arc<str>, RegisterMode)>,
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
        let check = table.text("check_meter", "main-2");
        let mode = table.parsed("register_mode", "vectorial", |text| {
            let known = REGISTER_MODES.iter().find(|row| row.0 == text);
            known.map(|row| row.1).ok_or_else(|| {
                (
                    format!("`{text}` is no way to count three phases"),
                    list(REGISTER_MODES.iter().map(|row| format!("{:?}", row.0))),
                )
            })
        });
        let Some(id) = id else { return };
        self.modes.extend(mode.map(|mode| (Arc::clone(id), mode)));
        // An id that is taken is told as such, and not as a meter in two places.
        if self.places.iter().any(|one| one.placed.meter == *id) {
            return;
        }
        self.beside
            .extend(check.map(|check| (Arc::clone(id), Arc::from(fill(check)))));
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

    /// The table that is read.
    pub(super) fn table(&self) -> (&'static str, usize) {
        self.table
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
    for doubled in doubled(&read.meters, &topology, &derived) {
        let (fact, remedy) = doubled.said;
        read.said
            .problem(root, &doubled.meter, "expression", fact, remedy);
    }
    let compensations = compensation::all(root, read);
    let check_meters = check_meters(root, &read.said, &read.meters);
    Relations {
        topology,
        check_meters,
        register_modes: register_modes(root, &read.said, &read.meters),
        derived,
        compensations,
        ..Relations::default()
    }
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

/// The meters beside others; none where something is wrong.
fn check_meters(root: &Table<'_>, said: &Said, meters: &[Meter]) -> BTreeMap<Arc<str>, Arc<str>> {
    let of = |id: &str| meters.iter().find(|meter| *meter.id == *id);
    let names: Vec<&str> = meters.iter().map(|meter| &*meter.id).collect();
    let mut known = BTreeMap::new();
    for (id, beside) in &said.beside {
        let Some(meter) = of(id) else { continue };
        let (fact, remedy) = match of(beside) {
            None => (
                format!("there is no meter `{beside}`"),
                match closest(beside, &names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "the id of a meter that measures the same".to_owned(),
                },
            ),
            Some(_) if beside == id => (
                format!("`{id}` is beside itself"),
                "the id of another meter that measures the same".to_owned(),
            ),
            Some(other) if !shares_balance(meter, other) => (
                format!("`{id}` and `{beside}` stand in different balances"),
                "a meter that measures the same, or leave it out".to_owned(),
            ),
            Some(_) => {
                known.insert(Arc::clone(id), Arc::clone(beside));
                continue;
            }
        };
        said.problem(root, id, "check_meter", fact, remedy);
    }
    known
}

/// What registers count; none where there is no register that could.
fn register_modes(
    root: &Table<'_>,
    said: &Said,
    meters: &[Meter],
) -> BTreeMap<Arc<str>, RegisterMode> {
    let mut known = BTreeMap::new();
    for (id, mode) in &said.modes {
        let Some(meter) = meters.iter().find(|meter| meter.id == *id) else {
            continue;
        };
        let registers = |positive| meter.register(Carrier::Electricity, positive).is_some();
        if meter.role.electricity.is_some() && (registers(true) || registers(false)) {
            known.insert(Arc::clone(id), *mode);
        } else {
            said.problem(
                root,
                id,
                "register_mode",
                format!("`{id}` has no register of electricity"),
                "leave it out: power is the sum of the phases".to_owned(),
            );
        }
    }
    known
}

/// Whether two meters stand in the same balance.
fn shares_balance(one: &Meter, other: &Meter) -> bool {
    [Carrier::Electricity, Carrier::Heat]
        .into_iter()
        .any(|carrier| one.role.term(carrier).is_some() && other.role.term(carrier).is_some())
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
        if either(meter) && either(before) && !shares_balance(meter, before) {
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
