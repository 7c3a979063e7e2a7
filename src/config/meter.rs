//! Meters and sensors: what each measures and how its bytes become values.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::accuracy;
use super::check::name;
use super::compensation::{self, Plate};
use super::endpoint::Known;
use super::heat;
use super::polled::{Around, meter};
use super::ratio::{Ratios, ratios};
use super::read::{Table, closest, list};
use super::relations::Said;
use super::sensor::sensor;
use super::template::Shared;
use super::units;
use crate::domain::closure::Told;
use crate::domain::meter::{Carrier, HeatFromFlow, Meter, ROLES, Role};
use crate::domain::relations::Compensation;
use crate::domain::units::Power;
use crate::source::{modbus, mqtt};

/// Periods without a value after which it is stale, where nothing is declared.
pub(super) const STALE_PERIODS: u32 = 3;
/// The least staleness that is assumed: a lost answer and its repetition.
pub(super) const LEAST_STALE: Duration = Duration::from_secs(5);

/// What all meters and sensors come to.
#[derive(Default)]
pub struct Read {
    /// Meters and sensors, in the order of the file.
    pub meters: Vec<Meter>,
    /// Polls by bus.
    pub polls: Vec<(String, modbus::Poll)>,
    /// Subscriptions by broker.
    pub subscriptions: Vec<(String, mqtt::Subscription)>,
    /// Templates in use, each once.
    pub templates: Vec<Shared>,
    /// What registers are multiplied by, of meters that show secondary values.
    pub multipliers: BTreeMap<Arc<str>, (i128, i128)>,
    /// The current and the voltage transformer of those that name them.
    pub transformers: BTreeMap<Arc<str>, [(i128, i128); 2]>,
    /// How wrong meters may be, where that is told.
    pub told: BTreeMap<Arc<str>, Told>,
    /// Every id so far, also of meters with a mistake elsewhere.
    pub(super) ids: Vec<String>,
    /// What the meters say of each other.
    pub(super) said: Said,
    /// Transformers between meters and the boundary, each with the place of its table.
    pub(super) compensations: Vec<((&'static str, usize), Compensation)>,
}

impl Read {
    /// Takes note of a template in use.
    pub(super) fn uses(&mut self, template: &Shared) {
        if !self
            .templates
            .iter()
            .any(|known| Arc::ptr_eq(known, template))
        {
            self.templates.push(Arc::clone(template));
        }
    }

    /// Takes note of how wrong a meter may be.
    pub(super) fn tells(&mut self, id: &Arc<str>, accuracy: Told) {
        if !accuracy.is_nothing() {
            self.told.insert(Arc::clone(id), accuracy);
        }
    }
}

/// Reads every `[[meter]]` and `[[sensor]]`.
pub fn all(root: &Table<'_>, around: &Around<'_>, brokers: &Known) -> Read {
    let mut read = Read::default();
    if root.has("meter") {
        for (nth, table) in root.tables("meter").into_iter().enumerate() {
            read.said.begin("meter", nth);
            meter(&table, around, &mut read);
            table.finish();
        }
    }
    if root.has("sensor") {
        for (nth, table) in root.tables("sensor").into_iter().enumerate() {
            read.said.begin("sensor", nth);
            sensor(&table, brokers, &mut read);
            table.finish();
        }
    }
    if read.meters.is_empty() && !root.has("meter") && !root.has("sensor") {
        root.problem("meter", "is missing", "add a [[meter]] for each meter");
    }
    read
}

/// What meters and sensors have in common. A meter whose id or role is wrong is read
/// to its end, for the mistakes that are in the rest of it.
pub(super) struct Common {
    pub(super) id: Option<Arc<str>>,
    pub(super) role: Option<&'static Role>,
    pub(super) invert: bool,
    pub(super) ratios: Ratios,
    pub(super) rated: Option<Power>,
    pub(super) rated_heat: Option<Power>,
    pub(super) heat_from_flow: Option<HeatFromFlow>,
    pub(super) accuracy: Told,
    pub(super) plate: Option<Plate>,
}

pub(super) fn common(table: &Table<'_>, ids: &mut Vec<String>) -> Common {
    common_as(table, ids, &str::to_owned)
}

/// The same of a table that stands for several, whose id is still to be filled in.
pub(super) fn common_as(
    table: &Table<'_>,
    ids: &mut Vec<String>,
    fill: &dyn Fn(&str) -> String,
) -> Common {
    table.required("id", "pcc");
    let id = table.parsed("id", "pcc", |text| name(&fill(text)));
    if let Some(id) = &id {
        if ids.contains(id) {
            table.problem(
                "id",
                format!("`{id}` is taken"),
                "each meter and sensor has its own",
            );
        }
        ids.push(id.clone());
    }
    table.required("role", "grid");
    let role = table.parsed("role", "grid", |text| {
        Role::named(text).ok_or_else(|| {
            let names: Vec<&str> = ROLES.iter().map(|role| role.name).collect();
            let remedy = match closest(text, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "one of {}",
                    list(names.iter().map(|name| format!("`{name}`")))
                ),
            };
            (format!("`{text}` is not a role"), remedy)
        })
    });
    table.text("name", "Grid connection");
    let invert = table.flag("invert").unwrap_or(false);
    let ratios = ratios(table);
    let power = |key: &'static str| {
        table.parsed(key, "2MW", |text| {
            units::measure(text, "W")
                .filter(|watts| *watts > 0.0)
                .and_then(|watts| Power::from_watts(watts).ok())
                .ok_or_else(|| {
                    (
                        format!("`{text}` is not a power"),
                        "such as \"2MW\"".to_owned(),
                    )
                })
        })
    };
    let (rated, rated_heat) = (power("rated"), power("rated_heat"));
    let stands_in_both = |role: &Role| role.electricity.is_some() && role.heat.is_some();
    if rated_heat.is_some() && role.is_some_and(|role| !stands_in_both(role)) {
        table.problem(
            "rated_heat",
            "a meter of this role stands in one balance",
            "`rated` is its nameplate, of heat too",
        );
    }
    let heat_from_flow = if table.has("heat") {
        let heat = table.table("heat");
        heat.and_then(|heat| heat::heat_from_flow(&heat))
    } else {
        None
    };
    Common {
        accuracy: accuracy::told(table, role),
        id: id.map(Arc::from),
        role,
        invert,
        ratios,
        rated,
        rated_heat,
        heat_from_flow,
        plate: compensation::plate(table),
    }
}

/// Whether a meter measures what its role needs.
pub(super) fn fits_role(table: &Table<'_>, meter: &Meter) {
    if meter.points.is_empty() {
        return;
    }
    heat::fits(table, meter);
    let stands = meter.role.electricity.is_some() || meter.role.heat.is_some();
    let says = [Carrier::Electricity, Carrier::Heat]
        .into_iter()
        .any(|carrier| {
            meter.role.term(carrier).is_some()
                && (meter.power_point(carrier).is_some()
                    || meter.register(carrier, true).is_some()
                    || (carrier == Carrier::Heat && table.has("heat")))
        });
    if stands && !says {
        let needs = if meter.role.electricity.is_some() {
            "a point `power`, and `energy_import` or `energy_export` where the meter has registers"
        } else {
            "a point `heat_power` or `heat_energy`, or `heat = { fluid = \"water\", … }` with flow and temperatures"
        };
        table.problem(
            "",
            format!(
                "role `{}` stands in a balance, and nothing says its power or energy",
                meter.role.name
            ),
            needs,
        );
    }
    if meter.role.name == "grid" && meter.point("energy").is_some() {
        table.problem(
            "point",
            "`energy` at the grid connection does not say which direction",
            "`energy_import` and `energy_export`",
        );
    }
}
