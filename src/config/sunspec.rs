//! A meter whose device says itself where everything is: `template = "sunspec"`.
//!
//! Which quantities it has follows from its role, before anybody has asked the device;
//! where they are is found when it is connected. **A quantity that the device turns out
//! not to have stays a point of the meter, with a gap**: the books do not depend on what
//! answered first.

use super::meter::Common;
use super::point::plausible_power;
use super::read::{Table, list};
use super::template::{listed, reads_all};
use crate::domain::meter::{Nature, Point, PointIndex, Quantity, RegisterKind, Role, Sense};
use crate::domain::units::CountUnit;
use crate::wire::sunspec::{Asked, Options, Ratios, wanted};

/// The name that stands for all devices of this kind.
pub(super) const NAME: &str = "sunspec";
/// More equal models than any device lists.
const MOST_INSTANCES: i64 = 32;

/// Whether a meter names it as its template.
pub(super) fn is_meant(table: &Table<'_>) -> bool {
    table.is_text("template") && table.text("template", NAME) == Some(NAME)
}

/// The points of a meter, and what its device is asked for; none where something is
/// wrong. `own` are quantities that the meter says itself how to read, `first` is the
/// place of its first point.
pub(super) fn sunspec(
    table: &Table<'_>,
    common: &Common,
    own: &[&str],
    first: PointIndex,
) -> Option<(Vec<Point>, Asked)> {
    let options = options(table, common);
    let quantities = quantities(table, common.role, own);
    let role = common.role?;
    let quantities = quantities?;
    let points: Option<Vec<Point>> = quantities
        .iter()
        .map(|quantity| point(table, quantity, options.ratios))
        .collect();
    let asked = Asked {
        role,
        points: (first..).zip(quantities).collect(),
        options,
    };
    Some((points?, asked))
}

/// The quantities that a meter takes, in the order of its role.
fn quantities(
    table: &Table<'_>,
    role: Option<&'static Role>,
    own: &[&str],
) -> Option<Vec<&'static Quantity>> {
    let all = reads_all(table);
    let wanted = role.map(wanted)?;
    if wanted.is_empty() {
        let role = role.map_or("", |role| role.name);
        table.problem(
            "template",
            format!("no SunSpec model says anything of role `{role}`"),
            "the template of the device, or its registers as [[meter.point]]",
        );
    }
    let names: Vec<&str> = wanted.iter().map(|wanted| wanted.quantity).collect();
    let known = list(names.iter().map(|name| format!("`{name}`")));
    let see = format!("a meter of its role has {known}");
    let only = listed(table, "only", &names, NAME, &see);
    let omit = listed(table, "omit", &names, NAME, &see);
    if wanted.is_empty() {
        return None;
    }
    let takes = |name: &str, essential: bool| {
        let asked = only
            .as_ref()
            .map_or(all || essential, |only| only.contains(&name));
        let omitted = omit.as_ref().is_some_and(|omit| omit.contains(&name));
        asked && !omitted && !own.contains(&name)
    };
    let taken = wanted
        .iter()
        .filter(|wanted| takes(wanted.quantity, wanted.essential));
    Some(
        taken
            .filter_map(|wanted| Quantity::named(wanted.quantity))
            .collect(),
    )
}

fn point(table: &Table<'_>, quantity: &'static Quantity, ratios: Ratios) -> Option<Point> {
    if quantity.nature == Nature::Analog {
        return Some(Point {
            quantity,
            register: None,
        });
    }
    let (numerator, denominator) = ratios.power;
    let unit = numerator
        .checked_mul(1_000)
        .and_then(|numerator| CountUnit::new(numerator, denominator));
    if unit.is_none() {
        table.problem(
            "template",
            format!("`{}` has no exact count with this ratio", quantity.name),
            "the ratio as on the nameplates of the transformers",
        );
    }
    let register = RegisterKind {
        unit: unit?,
        modulus: None,
        told: true,
    };
    Some(Point {
        quantity,
        register: Some(register),
    })
}

fn options(table: &Table<'_>, common: &Common) -> Options {
    let mut options = Options {
        invert: common.invert,
        ratios: Ratios {
            power: common.ratios.power.exact,
            voltage: common.ratios.voltage.exact,
            current: common.ratios.current.exact,
        },
        most: plausible_power(common.rated),
        ..Options::default()
    };
    if !table.has("options") {
        return options;
    }
    let Some(inner) = table.table("options") else {
        return options;
    };
    options.positive = inner.parsed("positive", "import", |text| match text {
        "import" => Ok(Sense::Import),
        "export" => Ok(Sense::Export),
        other => Err((
            format!("`{other}` is not a direction"),
            "`import` or `export`: what positive power of the device means; compare it \
             with the counter that moves"
                .to_owned(),
        )),
    });
    if inner.has("instance") {
        let instance = inner.integer("instance", 1, MOST_INSTANCES);
        options.instance = instance.and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
    }
    inner.finish();
    options
}

#[cfg(test)]
#[path = "sunspec_tests.rs"]
mod tests;
