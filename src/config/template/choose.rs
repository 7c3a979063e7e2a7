//! What a meter takes of its template: choices, points, factors and limits.

use std::sync::Arc;

use super::super::ratio::Stated;
use super::super::read::{Table, closest, list};
use super::{Choices, DevicePoint, Ready, Site, Template, Values};
use crate::source::modbus;
use crate::wire::register::{Extra, Layout};

/// What a meter takes of its template.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chosen {
    /// Its points.
    pub points: Vec<Ready>,
    /// The factors that they need, in the order of their places.
    pub factors: Vec<modbus::Factor>,
}

impl Template {
    /// The points of a meter under these choices; `wanted` says which.
    ///
    /// # Errors
    ///
    /// The quantity that the ratio of the meter makes impossible.
    pub fn ready(
        &self,
        site: &Site<'_>,
        choices: &Choices,
        wanted: impl Fn(&DevicePoint) -> bool,
    ) -> Result<Chosen, &'static str> {
        let mut points = Vec::new();
        let mut places: Vec<usize> = Vec::new();
        for point in self.points_under(choices).filter(|point| wanted(point)) {
            let (spec, turn) = site.of_template(self, &point.spec);
            let placed = spec.place(&turn).map_err(|_| spec.quantity.name)?;
            points.push(Ready {
                quantity: placed.quantity,
                layout: renumbered(placed.layout, &mut places),
                register: placed.register,
            });
        }
        let factors = places.iter().filter_map(|place| self.factors.get(*place));
        Ok(Chosen {
            points,
            factors: factors.cloned().collect(),
        })
    }
}

/// A layout whose factors are places among those that a meter needs.
fn renumbered(layout: Layout, places: &mut Vec<usize>) -> Layout {
    let Some(extra) = layout
        .extra
        .as_ref()
        .filter(|extra| !extra.factors.is_empty())
    else {
        return layout;
    };
    let mut own = |place: &usize| {
        places
            .iter()
            .position(|known| known == place)
            .unwrap_or_else(|| {
                places.push(*place);
                places.len() - 1
            })
    };
    let factors = extra.factors.iter().map(&mut own).collect();
    let extra = Extra {
        factors,
        ..(**extra).clone()
    };
    Layout {
        extra: Some(Arc::new(extra)),
        ..layout
    }
}

/// Reads what the table of a meter says of its template.
pub fn choose(
    table: &Table<'_>,
    template: &Template,
    site: &Site<'_>,
    replaced: &[&str],
) -> Option<Chosen> {
    let choices = options(table, template);
    let all = reads_all(table);
    let names: Vec<&str> = template
        .points_under(&choices)
        .map(|point| point.spec.quantity.name)
        .collect();
    let name = &template.name;
    let see = format!("sunledger devices {name} lists what it measures");
    let only = listed(table, "only", &names, name, &see);
    let omit = listed(table, "omit", &names, name, &see);
    once(table, template, site);
    let wanted = |point: &DevicePoint| {
        let name = point.spec.quantity.name;
        let asked = match &only {
            Some(only) => only.contains(&name),
            None => all || !point.detail,
        };
        let omitted = omit.as_ref().is_some_and(|omit| omit.contains(&name));
        asked && !omitted && !replaced.contains(&name)
    };
    match template.ready(site, &choices, wanted) {
        Ok(chosen) => Some(chosen),
        Err(name) => {
            table.problem(
                "template",
                format!("`{name}` has no exact count with this ratio"),
                "the ratio as on the nameplates of the transformers",
            );
            None
        }
    }
}

/// Choices of a meter, with what holds where it says nothing.
fn options(table: &Table<'_>, template: &Template) -> Choices {
    let mut choices = template.defaults();
    if !table.has("options") {
        return choices;
    }
    let Some(inner) = table.table("options") else {
        return choices;
    };
    for option in &template.options {
        let example = &option.default;
        let chosen = inner.parsed(&option.name, example, |text| {
            if option.choices.iter().any(|choice| choice == text) {
                return Ok(text.to_owned());
            }
            let known = list(option.choices.iter().map(|choice| format!("`{choice}`")));
            Err((
                format!("`{text}` is no choice of `{}`", template.name),
                format!("one of {known}: {}", option.about),
            ))
        });
        choices.extend(chosen.map(|chosen| (option.name.clone(), chosen)));
    }
    inner.finish();
    choices
}

/// Whether a meter reads every detail.
pub fn reads_all(table: &Table<'_>) -> bool {
    let all = table.parsed("read", "essential", |text| match text {
        "essential" => Ok(false),
        "all" => Ok(true),
        other => Err((
            format!("`{other}` does not say what is read"),
            "`essential`, or `all` with every detail".to_owned(),
        )),
    });
    all.unwrap_or(false)
}

/// A list of quantities, of which a template of this name has `names`; `see` is the
/// remedy for one that is like none of them.
pub fn listed<'a>(
    table: &Table<'a>,
    key: &str,
    names: &[&str],
    template: &str,
    see: &str,
) -> Option<Vec<&'a str>> {
    if !table.has(key) {
        return None;
    }
    let listed = table.texts(key);
    for name in &listed {
        if names.contains(name) {
            continue;
        }
        let remedy = closest(name, names)
            .map_or_else(|| see.to_owned(), |near| format!("did you mean `{near}`?"));
        let fact = format!("`{name}` is nothing that `{template}` measures");
        table.problem(key, fact, remedy);
    }
    Some(listed)
}

/// Whether the ratio of a meter is applied once.
fn once(table: &Table<'_>, template: &Template, site: &Site<'_>) {
    let name = &template.name;
    let stated = site.ratios.stated;
    let key = if stated == Stated::Multiplier {
        "multiplier"
    } else {
        "transformer"
    };
    let twice = stated == Stated::Secondary
        || (stated == Stated::Multiplier && !site.ratios.power.is_one());
    let reads_ratios = template.reads_ratios();
    if template.values == Some(Values::Primary) && twice {
        table.problem(
            key,
            format!("the registers of `{name}` hold what flows, and this multiplies it again"),
            "remove it, or state `programmed = \"primary\"`",
        );
    } else if stated == Stated::Multiplier && twice && reads_ratios {
        table.problem(
            key,
            format!("`{name}` reads its ratios from the meter, and this multiplies again"),
            "remove it, or state `transformer = { … }` to stand in for those of the meter",
        );
    } else if stated == Stated::Primary
        && (template.values == Some(Values::Secondary) || reads_ratios)
    {
        table.problem(
            key,
            format!(
                "the registers of `{name}` hold what reaches the meter, however it is programmed"
            ),
            "`programmed = \"secondary\"`",
        );
    }
}
