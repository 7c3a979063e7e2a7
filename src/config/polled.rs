//! Meters on a bus: `[[meter]]`, from a template, from points of its own, or both.
//!
//! ```text
//!   template ── options, read, only, omit ──┐
//!   [[meter.point]] ── adds or replaces ────┴──▶ points, layouts, Poll
//!
//!   template = "sunspec" ── role ──▶ points; their layouts are found at the device
//! ```
//!
//! **One device is one meter**: a second `[[meter]]` that reads the same power or
//! register of the same unit would put it into the balance twice.

use std::sync::Arc;
use std::time::Duration;

use super::compensation;
use super::endpoint::{Known, known};
use super::field::Defaults;
use super::meter::{Common, LEAST_STALE, Read, STALE_PERIODS, common, fits_role};
use super::overlap::{clash, unsplittable};
use super::point::{Spec, duplicate, report};
use super::ratio::Stated;
use super::read::Table;
use super::sunspec;
use super::template::{Chosen, Found, Library, Ready, Shared, Site, choose};
use crate::domain::meter::{Freshness, Meter, Nature, Point, PointIndex};
use crate::source::modbus;
use crate::wire::plan::MAX_REGISTERS;
use crate::wire::register::Layout;

/// What meters need to know of the rest of the configuration.
pub struct Around<'a> {
    /// Names of the buses.
    pub buses: &'a Known,
    /// How long an answer may take on each.
    pub timeouts: &'a [(String, Duration)],
    /// Templates.
    pub library: &'a Library,
}

/// Reads one meter.
pub(super) fn meter(table: &Table<'_>, around: &Around<'_>, read: &mut Read) {
    let common = common(table, &mut read.ids);
    read.said.hear(table, common.id.as_ref(), &str::to_owned);
    let template = template(table, around.library);
    table.required("bus", "main");
    let bus = table.parsed("bus", "main", |text| known(text, around.buses, "bus"));
    let unit = if table.has("unit") {
        table.integer("unit", 0, 255)
    } else {
        let of_template = template.as_ref().map(|template| template.protocol.unit);
        Some(of_template.unwrap_or(1).into())
    };
    let (period, stale_after) = times(table, template.as_ref());
    if let Some(template) = &template {
        answers_in_time(table, template, bus.as_deref(), around.timeouts);
        read.uses(template);
    }
    let own = own_points(table, &common, template.as_ref());
    let models = sunspec::is_meant(table).then(|| {
        let names: Vec<&str> = own.points.iter().map(|own| own.quantity.name).collect();
        sunspec::sunspec(table, &common, &names, own.points.len())
    });
    let chosen = match &models {
        Some(models) => models.as_ref().map(|_| Chosen::default()),
        None => taken(table, &common, template.as_ref(), &own),
    };
    let whole = own.whole && chosen.is_some();
    let chosen = chosen.unwrap_or_default();
    for (table, point) in own.tables.iter().zip(&own.points) {
        agrees(table, point, &chosen.points);
    }
    let ready: Vec<Ready> = chosen.points.into_iter().chain(own.points).collect();
    let (Some(id), Some(role)) = (common.id, common.role) else {
        return;
    };
    let points = ready.iter().map(|ready| Point {
        quantity: ready.quantity,
        register: ready.register,
    });
    if !common.ratios.power.is_one() {
        let ratio = common.ratios.power.exact;
        read.multipliers.insert(Arc::clone(&id), ratio);
    }
    if common.ratios.stated == Stated::Secondary {
        let both = [common.ratios.current.exact, common.ratios.voltage.exact];
        read.transformers.insert(Arc::clone(&id), both);
    }
    let (found, asked) = models.flatten().unzip();
    read.tells(&id, common.accuracy);
    let meter = Meter {
        id,
        role,
        points: points.chain(found.unwrap_or_default()).collect(),
        freshness: Freshness::Within(stale_after),
        period,
        rated: common.rated,
        rated_heat: common.rated_heat,
        heat_from_flow: common.heat_from_flow,
    };
    if whole {
        fits_role(table, &meter);
    }
    if let (Some(bus), Some(unit)) = (bus, unit.and_then(|unit| u8::try_from(unit).ok())) {
        let layouts = ready.into_iter().map(|ready| ready.layout);
        let (identify, limits) = template.map_or_else(Default::default, |template| {
            (template.identify.clone(), template.protocol.limits.clone())
        });
        let poll = modbus::Poll {
            meter: read.meters.len(),
            unit,
            period,
            points: layouts.enumerate().collect(),
            factors: chosen.factors,
            identify,
            sunspec: asked,
            limits,
        };
        stands_alone(table, &bus, &poll, &meter, read);
        read.polls.push((bus, poll));
    }
    compensation::hear(table, &meter, common.plate, read);
    read.meters.push(meter);
}

/// The template that a meter names.
fn template(table: &Table<'_>, library: &Library) -> Option<Shared> {
    if sunspec::is_meant(table) {
        return None;
    }
    let name = table.text("template", "eastron-sdm630")?;
    match library.find(name) {
        Found::Template(template) => Some(template),
        Found::Wrong { file, problems } => {
            table.adopt(&file, &problems);
            if problems.is_empty() {
                let remedy = "mend the file; its mistakes are told once";
                table.problem("template", format!("{file} has mistakes"), remedy);
            }
            None
        }
        Found::Nothing(near) => {
            let remedy = near.map_or_else(
                || "sunledger devices lists them; or list the registers as [[meter.point]]".into(),
                |near| format!("did you mean `{near}`? sunledger devices lists all"),
            );
            table.problem("template", format!("there is no template `{name}`"), remedy);
            None
        }
    }
}

/// Period and staleness of a meter.
fn times(table: &Table<'_>, template: Option<&Shared>) -> (Duration, Duration) {
    let least = template.and_then(|template| template.protocol.min_period);
    let usual = Duration::from_secs(1).max(least.unwrap_or_default());
    let period = table.duration("period", "1s").unwrap_or(usual);
    if period < Duration::from_millis(100) {
        table.problem("period", "is below 100 ms", "at least \"100ms\"");
    } else if let Some(least) = least
        && period < least
    {
        table.problem(
            "period",
            format!("{period:?} is shorter than the {least:?} in which the device refreshes"),
            format!("at least \"{}\"", text_of(least)),
        );
    }
    let stale_after = table
        .duration("stale_after", "5s")
        .unwrap_or((period * STALE_PERIODS).max(LEAST_STALE));
    if stale_after < period {
        table.problem(
            "stale_after",
            format!("{stale_after:?} is shorter than the period of {period:?}"),
            "at least the period, or every balance has a gap",
        );
    }
    (period, stale_after)
}

/// A duration as the configuration writes it.
fn text_of(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

/// Whether a bus waits as long as a device may take.
fn answers_in_time(
    table: &Table<'_>,
    template: &Shared,
    bus: Option<&str>,
    timeouts: &[(String, Duration)],
) {
    let Some(least) = template.protocol.limits.min_timeout else {
        return;
    };
    for (name, timeout) in timeouts {
        if Some(&**name) == bus && *timeout < least {
            let name_of = &template.name;
            table.problem(
                "bus",
                format!("`{name}` waits {timeout:?}, and `{name_of}` may take {least:?} to answer"),
                format!("`timeout = \"{}\"` at bus `{name}`", text_of(least)),
            );
        }
    }
}

/// The points that a meter lists itself.
struct Own<'a> {
    points: Vec<Ready>,
    /// Where each of them is.
    tables: Vec<Table<'a>>,
    /// Quantities as the device means them.
    names: Vec<&'static str>,
    /// Whether every table is a point.
    whole: bool,
}

fn own_points<'a>(table: &Table<'a>, common: &Common, template: Option<&Shared>) -> Own<'a> {
    let named = table.has("template");
    let tables = if table.has("point") || !named {
        table.tables("point")
    } else {
        Vec::new()
    };
    if tables.is_empty() && !named {
        table.problem(
            "point",
            "is missing",
            "add a [[meter.point]] for each register, or a `template`",
        );
    }
    let max = template.map_or(MAX_REGISTERS, |template| {
        template.protocol.limits.max_registers
    });
    let mut own = Own {
        points: Vec::new(),
        tables: Vec::new(),
        names: Vec::new(),
        whole: true,
    };
    let site = site(common);
    for point in tables {
        let (quantity, spec) = Spec::read(&point, &Defaults::default(), &[]);
        point.finish();
        let twice = duplicate(&point, &mut own.names, quantity);
        let placed = spec.and_then(|spec| {
            let placed = spec.place(&site.plain(spec.quantity));
            placed.map_err(|mistakes| report(&point, mistakes)).ok()
        });
        let Some(placed) = placed.filter(|_| !twice) else {
            own.whole = false;
            continue;
        };
        if let Some(fact) = unsplittable(&placed.layout, max) {
            point.problem(
                "address",
                fact,
                "fields of one value lie close to each other",
            );
        }
        let ready = Ready {
            quantity: placed.quantity,
            layout: placed.layout,
            register: placed.register,
        };
        agrees(&point, &ready, &own.points);
        own.points.push(ready);
        own.tables.push(point);
    }
    own
}

/// Whether a point reads its registers as the others do.
fn agrees(table: &Table<'_>, point: &Ready, others: &[Ready]) {
    for other in others {
        if let Some((first, last)) = clash(&point.layout, &other.layout) {
            let name = other.quantity.name;
            table.problem(
                "address",
                format!("registers {first} to {last} are read as another number by `{name}`"),
                "compare both with the manual: one address, type or order is wrong",
            );
        }
    }
}

fn site(common: &Common) -> Site<'_> {
    Site {
        role: common.role,
        invert: common.invert,
        ratios: &common.ratios,
        rated: common.rated,
    }
}

/// The points of the template that a meter takes; none where something is wrong.
fn taken(
    table: &Table<'_>,
    common: &Common,
    template: Option<&Shared>,
    own: &Own<'_>,
) -> Option<Chosen> {
    if let Some(template) = template {
        return choose(table, template, &site(common), &own.names);
    }
    if !table.has("template") {
        return Some(Chosen::default());
    }
    // Whether these belong here depends on the template.
    for key in ["options", "read", "only", "omit"] {
        let _ = table.has(key);
    }
    None
}

/// Whether no other meter reads the same power or register.
fn stands_alone(table: &Table<'_>, bus: &str, poll: &modbus::Poll, meter: &Meter, read: &Read) {
    let weighs = |meter: &Meter, point: PointIndex| {
        meter.points.get(point).is_some_and(|point| {
            let name = point.quantity.name;
            point.quantity.nature == Nature::Register || matches!(name, "power" | "heat_power")
        })
    };
    for (name, other) in &read.polls {
        let Some(its) = read.meters.get(other.meter) else {
            continue;
        };
        if name != bus || other.unit != poll.unit {
            continue;
        }
        let twice = poll.points.iter().find(|(point, layout)| {
            weighs(meter, *point)
                && other.points.iter().any(|(its_point, its_layout)| {
                    weighs(its, *its_point) && is_same(layout, its_layout)
                })
        });
        if let Some((point, _)) = twice {
            let quantity = meter
                .points
                .get(*point)
                .map_or("", |point| point.quantity.name);
            table.problem(
                "unit",
                format!(
                    "unit {} of bus `{bus}` is meter `{}` already, and `{quantity}` is the same register",
                    poll.unit, its.id
                ),
                "one [[meter]] and one role for each device, or other points of it",
            );
            return;
        }
        if let (Some(asked), Some(its_asked)) = (&poll.sunspec, &other.sunspec)
            && asked.is_same(its_asked)
        {
            table.problem(
                "unit",
                format!(
                    "unit {} of bus `{bus}` is meter `{}` already, out of the same SunSpec models",
                    poll.unit, its.id
                ),
                "one [[meter]] for each device; `options = { instance = 2 }` for the second \
                 of its kind",
            );
            return;
        }
    }
}

/// Whether two layouts read the same registers as the same number.
fn is_same(one: &Layout, other: &Layout) -> bool {
    let also = |layout: &Layout| layout.extra.as_ref().map(|extra| extra.also.clone());
    one.fc == other.fc && one.field == other.field && also(one) == also(other)
}

#[cfg(test)]
#[path = "polled_tests.rs"]
mod tests;
