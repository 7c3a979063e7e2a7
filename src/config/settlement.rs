//! Contracts of the park: `[allocation]`, who gets how much of what was generated.
//!
//! ```toml
//! [allocation]
//! participants = ["hall-a", "hall-b"]      # default: every tenant
//! [allocation.rule.static]                 # one rule: static, static_redistributed,
//! shares = { hall-a = 0.6, hall-b = 0.4 }  # dynamic or cascade
//! [allocation.loss.pro_rata]               # or [allocation.loss.operator], the default
//! ```

use super::read::{Table, closest, list};
use super::units;
use crate::domain::allocate::{Key, LossRule, Share};
use crate::domain::balance::members;
use crate::domain::heat::pool::Pool;
use crate::domain::meter::{Carrier, MeterIndex, Park, Term};
use crate::domain::settlement::origin::Battery;
use crate::domain::settlement::{HeatPool, Rule, Settlement};

/// The rules, by their names.
const RULES: [&str; 4] = ["static", "static_redistributed", "dynamic", "cascade"];
/// Above what a sum of shares is more than the whole: what their last digits add up to.
const WHOLE: f64 = 1.0 + 1e-9;

/// Who can take part in the sharing of a carrier.
struct Kind {
    carrier: Carrier,
    /// The role of those who take part where nobody is named.
    role: &'static str,
    term: Term,
    is: &'static str,
}

const ELECTRICITY: Kind = Kind {
    carrier: Carrier::Electricity,
    role: "tenant",
    term: Term::Load,
    is: "an electrical load",
};
const HEAT: Kind = Kind {
    carrier: Carrier::Heat,
    role: "heat_consumer",
    term: Term::HeatConsumer,
    is: "a heat customer",
};

/// Reads `[allocation]` and `[carbon]` of a park whose meters are known.
pub fn settlement(root: &Table<'_>, park: &Park) -> Settlement {
    let mut settlement = Settlement {
        battery: Battery {
            renewable: generators(park, |role| role == "pv"),
            ..Battery::default()
        },
        ..Settlement::default()
    };
    if root.has("allocation")
        && let Some(table) = root.table("allocation")
    {
        allocation(&table, park, &mut settlement);
        table.finish();
    }
    if root.has("carbon")
        && let Some(table) = root.table("carbon")
    {
        if table.has("renewable") {
            settlement.battery.renewable = renewable(&table, "renewable", park);
        }
        if table.has("renewable_heat") {
            settlement.battery.by_heat = by_heat(&table, &settlement.battery.renewable, park);
        }
        settlement.carbon = super::carbon::account(&table, park);
        table.finish();
    }
    settlement
}

fn allocation(table: &Table<'_>, park: &Park, settlement: &mut Settlement) {
    let heat_alone = table.has("heat") && !table.has("rule");
    if !heat_alone {
        settlement.electricity = rule(table, park, &ELECTRICITY);
    }
    if table.has("battery")
        && let Some(inner) = table.table("battery")
    {
        let battery = &mut settlement.battery;
        battery.own_pool = inner.flag("own_pool").unwrap_or(false);
        let pool = &mut battery.pool;
        pool.charging = efficiency(&inner, "charging").unwrap_or(pool.charging);
        pool.discharging = efficiency(&inner, "discharging").unwrap_or(pool.discharging);
        pool.energy_wh = content(&inner).unwrap_or(pool.energy_wh);
        pool.renewable = inner.number_in("renewable", 0.0, 1.0).unwrap_or(0.0);
        inner.finish();
    }
    if table.has("heat")
        && let Some(inner) = table.table("heat")
    {
        settlement.heat = rule(&inner, park, &HEAT);
        if inner.has("storage")
            && let Some(storage) = inner.table("storage")
        {
            settlement.storage = heat_pool(&storage);
            storage.finish();
        }
        inner.finish();
    }
}

/// Generators of a park whose role is one of those.
fn generators(park: &Park, wanted: impl Fn(&str) -> bool) -> Vec<MeterIndex> {
    members(park, Carrier::Electricity, Term::Generator)
        .into_iter()
        .filter(|index| {
            let meter = park.meters.get(*index);
            meter.is_some_and(|meter| wanted(meter.role.name))
        })
        .collect()
}

/// The generators that run on heat of the header, by name.
fn by_heat(table: &Table<'_>, whole: &[MeterIndex], park: &Park) -> Vec<MeterIndex> {
    let found = renewable(table, "renewable_heat", park);
    let twice = found.iter().find(|index| whole.contains(index));
    if let Some(meter) = twice.and_then(|index| park.meters.get(*index)) {
        table.problem(
            "renewable_heat",
            format!("`{}` is wholly renewable already", meter.id),
            "name it here alone: it is then as renewable as its heat is solar",
        );
    }
    if members(park, Carrier::Heat, Term::SolarField).is_empty() {
        table.problem(
            "renewable_heat",
            "wants the solar part of heat, and no meter is a solar_field",
            "a [[meter]] with role = \"solar_field\", or `renewable`",
        );
    }
    found
}

/// Generators that are renewable, by name.
fn renewable(table: &Table<'_>, key: &str, park: &Park) -> Vec<MeterIndex> {
    let kind = Kind {
        carrier: Carrier::Electricity,
        role: "pv",
        term: Term::Generator,
        is: "a generator",
    };
    named(table, key, &table.texts(key), park, &kind)
}

/// One carrier's contract; none where anything in it is wrong.
fn rule(table: &Table<'_>, park: &Park, kind: &Kind) -> Option<Rule> {
    let participants = if table.has("participants") {
        let texts = table.texts("participants");
        if texts.is_empty() {
            table.problem(
                "participants",
                "names nobody",
                format!("meters, or remove it: then every {} takes part", kind.role),
            );
        }
        named(table, "participants", &texts, park, kind)
    } else {
        let all = members(park, kind.carrier, kind.term).into_iter();
        let role = |index: &MeterIndex| {
            let meter = park.meters.get(*index);
            meter.is_some_and(|meter| meter.role.name == kind.role)
        };
        let all: Vec<MeterIndex> = all.filter(role).collect();
        if all.is_empty() {
            table.problem(
                "",
                format!("shares among nobody: no meter is a {}", kind.role),
                format!(
                    "a [[meter]] with role = \"{}\", or `participants`",
                    kind.role
                ),
            );
        }
        all
    };
    let key = key(table, park, &participants);
    let loss = loss(table);
    Some(Rule {
        participants,
        key: key?,
        loss: loss?,
    })
}

/// Meters by their names, each once, none behind another of them.
fn named(
    table: &Table<'_>,
    key: &str,
    names: &[&str],
    park: &Park,
    kind: &Kind,
) -> Vec<MeterIndex> {
    let mut meters: Vec<MeterIndex> = Vec::new();
    for name in names {
        let Some(index) = meter(table, key, name, park) else {
            continue;
        };
        let Some(found) = park.meters.get(index) else {
            continue;
        };
        if meters.contains(&index) {
            table.problem(
                key,
                format!("`{name}` is there twice"),
                "name each meter once",
            );
        } else if found.role.term(kind.carrier) != Some(kind.term) {
            table.problem(
                key,
                format!("`{name}` ({}) is not {}", found.role.name, kind.is),
                format!("{}, such as a {}", kind.is, kind.role),
            );
        } else {
            meters.push(index);
        }
    }
    for name in names {
        let mut before = park.relations.topology.before(name);
        if let Some(before) = before.find(|before| names.contains(&&***before)) {
            table.problem(
                key,
                format!("`{name}` stands behind `{before}`, which counts its energy too"),
                "name one of them",
            );
        }
    }
    meters
}

/// The place of a meter, or what is wrong with its name.
pub(super) fn meter(table: &Table<'_>, key: &str, name: &str, park: &Park) -> Option<MeterIndex> {
    let found = park.meter(name);
    if found.is_none() {
        let known: Vec<&str> = park.meters.iter().map(|meter| &*meter.id).collect();
        let remedy = match closest(name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the id of a [[meter]] or [[sensor]]".to_owned(),
        };
        table.problem(key, format!("`{name}` is no meter"), remedy);
    }
    found
}

fn key(table: &Table<'_>, park: &Park, participants: &[MeterIndex]) -> Option<Key> {
    if !table.has("rule") {
        let path = table.path("rule");
        table.problem(
            "rule",
            "is missing",
            format!(
                "one of {}",
                list(RULES.iter().map(|name| format!("[{path}.{name}]")))
            ),
        );
        return None;
    }
    let rule = table.table("rule")?;
    let choice = rule.choice(&RULES);
    rule.finish();
    let (name, chosen) = choice?;
    let key = match name {
        "static" => shares(&chosen, park, participants).map(Key::Static),
        "static_redistributed" => shares(&chosen, park, participants).map(Key::StaticRedistributed),
        "dynamic" => Some(Key::Dynamic),
        _ => order(&chosen, park, participants).map(Key::Cascade),
    };
    chosen.finish();
    key
}

/// A share for each of those who take part.
fn shares(table: &Table<'_>, park: &Park, participants: &[MeterIndex]) -> Option<Vec<Share>> {
    if !table.has("shares") {
        table.problem(
            "shares",
            "is missing",
            "add `shares = { hall-a = 0.6, hall-b = 0.4 }`: parts of one",
        );
        return None;
    }
    let inner = table.table("shares")?;
    let mut shares: Vec<Option<Share>> = vec![None; participants.len()];
    let mut sum = 0.0;
    for name in inner.keys() {
        let part = inner.number_in(name, 0.0, 1.0);
        let Some(index) = meter(&inner, name, name, park) else {
            continue;
        };
        let place = participants.iter().position(|one| *one == index);
        let Some(place) = place else {
            inner.problem(
                name,
                "does not take part",
                "remove it, or name it in `participants`",
            );
            continue;
        };
        sum += part.unwrap_or(0.0);
        if let Some(slot) = shares.get_mut(place) {
            *slot = part.and_then(Share::new);
        }
    }
    if sum > WHOLE {
        table.problem(
            "shares",
            format!("add up to {:.4} %, more than the whole", sum * 100.0),
            "at most 1 together; what is left over is exported",
        );
        return None;
    }
    let missing: Vec<&str> = participants
        .iter()
        .zip(&shares)
        .filter(|(_, share)| share.is_none())
        .filter_map(|(index, _)| park.meters.get(*index))
        .map(|meter| &*meter.id)
        .filter(|id| !inner.has(id))
        .collect();
    if !missing.is_empty() {
        table.problem(
            "shares",
            format!("has none for {}", missing.join(", ")),
            "a share for each that takes part; 0 is one",
        );
    }
    shares.into_iter().collect()
}

/// Everyone who takes part, in the order of the cascade.
fn order(table: &Table<'_>, park: &Park, participants: &[MeterIndex]) -> Option<Vec<usize>> {
    let names = table.texts("order");
    let mut places: Vec<usize> = Vec::new();
    let mut sound = true;
    for name in &names {
        let index = meter(table, "order", name, park);
        let Some(index) = index else {
            sound = false;
            continue;
        };
        match participants.iter().position(|one| *one == index) {
            Some(place) if places.contains(&place) => {
                let fact = format!("`{name}` is there twice");
                table.problem("order", fact, "name each meter once");
                sound = false;
            }
            Some(place) => places.push(place),
            None => {
                let fact = format!("`{name}` does not take part");
                table.problem("order", fact, "remove it, or name it in `participants`");
                sound = false;
            }
        }
    }
    let missing: Vec<&str> = participants
        .iter()
        .enumerate()
        .filter(|(place, _)| !places.contains(place))
        .filter_map(|(_, index)| park.meters.get(*index))
        .map(|meter| &*meter.id)
        .collect();
    if !missing.is_empty() && sound {
        table.problem(
            "order",
            format!("lacks {}", missing.join(", ")),
            "everyone who takes part, the first to be served first",
        );
        return None;
    }
    sound.then_some(places)
}

fn loss(table: &Table<'_>) -> Option<LossRule> {
    if !table.has("loss") {
        return Some(LossRule::Operator);
    }
    let inner = table.table("loss")?;
    let choice = inner.choice(&["operator", "pro_rata"]);
    inner.finish();
    let (name, chosen) = choice?;
    chosen.finish();
    Some(if name == "operator" {
        LossRule::Operator
    } else {
        LossRule::ProRata
    })
}

/// A part of what passes that arrives.
fn efficiency(table: &Table<'_>, key: &str) -> Option<f64> {
    table.number_in(key, 0.01, 1.0)
}

/// What a storage holds when a report begins, Wh.
fn content(table: &Table<'_>) -> Option<f64> {
    table.parsed("content", "2MWh", |text| {
        energy_wh(text).ok_or_else(|| {
            let remedy = "an energy with its unit, such as \"2MWh\"".to_owned();
            (format!("`{text}` is not an energy"), remedy)
        })
    })
}

/// An energy with its unit, Wh; none below zero.
pub(super) fn energy_wh(text: &str) -> Option<f64> {
    let (mwh, per) = units::exact_energy(text)?;
    let whole = |part: i128| i64::try_from(part).ok().map(crate::domain::units::to_f64);
    let wh = whole(mwh)? / whole(per)? / 1_000.0;
    (wh >= 0.0).then_some(wh)
}

fn heat_pool(table: &Table<'_>) -> HeatPool {
    let charging = efficiency(table, "charging").unwrap_or(1.0);
    let discharging = efficiency(table, "discharging").unwrap_or(1.0);
    let content = content(table).unwrap_or(0.0);
    let solar = table.number_in("solar", 0.0, 1.0).unwrap_or(0.0);
    // Every number is in the range that a pool takes.
    let pool = Pool::new(content, solar, charging, discharging).unwrap_or_default();
    HeatPool { pool, gaps: 0 }
}

#[cfg(test)]
#[path = "settlement_tests.rs"]
mod tests;
