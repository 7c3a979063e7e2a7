//! `sunledger calc allocate`: who used how much of what was generated.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::Failure;
use super::allotted::{Line, total};
use super::by_flags::Flags;
use super::decimal::Decimal;
use super::{Answer, Asked, answer};
use crate::config::units::energy;
use crate::domain::allocate::{AllocateError, Key, Share, Tenant, allocate};
use crate::domain::flow::{Known, Stated};
use crate::domain::quality::{Gaps, Reason};
use crate::domain::units::MilliwattHours;

/// The keys, by their names.
const KEYS: &str = "`static`, `static-redistributed`, `dynamic` or `cascade`";

/// Arguments of `calc allocate`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    asked: Asked,
}

/// What goes in.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    pub key: String,
    #[serde(default = "kwh")]
    pub unit: String,
    pub tenants: Vec<Arc<str>>,
    /// By tenant, for a static key.
    #[serde(default)]
    pub shares: Vec<Decimal>,
    /// Names of tenants, for a cascade.
    #[serde(default)]
    pub order: Vec<String>,
    pub intervals: Vec<Interval>,
}

/// An interval; what is `null` is unknown.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    #[serde(default)]
    pub name: String,
    pub generation: Option<Decimal>,
    /// By tenant.
    pub consumption: Vec<Option<Decimal>>,
}

/// The unit where none is said.
pub fn kwh() -> String {
    "kWh".to_owned()
}

/// An allocation from flags or a file.
///
/// # Errors
///
/// Those of [`super::run`].
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    answer(&arguments.asked, || arguments.flags.given(), sum)
}

fn sum(given: &Given) -> Result<Answer, String> {
    for (place, name) in given.tenants.iter().enumerate() {
        if given.tenants.iter().take(place).any(|other| other == name) {
            return Err(format!(
                "the tenant `{name}` is there twice; each has its own name"
            ));
        }
    }
    let key = given.key()?;
    let mut lines = Vec::new();
    for (place, interval) in given.intervals.iter().enumerate() {
        let line = given.line(interval, &key);
        lines.push(line.map_err(|sentence| {
            match (interval.name.as_str(), given.intervals.len()) {
                ("", 1) => sentence,
                ("", _) => format!("intervals[{place}]: {sentence}"),
                (name, _) => format!("interval `{name}`: {sentence}"),
            }
        })?);
    }
    let total = total(&given.tenants, &lines);
    let json = json!({
        "key": given.key,
        "intervals": lines.iter().map(|line| line.json(&given.tenants)).collect::<Vec<_>>(),
        "totals": total.json(&given.tenants),
    });
    let mut text = format!("key: {}\n", given.key);
    for (name, share) in given.tenants.iter().zip(&given.shares) {
        text += &format!("share of {name}: {share}\n");
    }
    if !given.order.is_empty() {
        text += &format!("order: {}\n", given.order.join(", "));
    }
    for line in &lines {
        text += &line.text(&given.tenants);
    }
    if lines.len() > 1 {
        text += &total.text(&given.tenants);
    }
    Ok(Answer { json, text })
}

impl Given {
    fn key(&self) -> Result<Key, String> {
        let shares = || -> Result<Vec<Share>, String> {
            let share = |one: &Decimal| {
                let (part, whole) = one.ratio();
                let value = one
                    .to_string()
                    .parse()
                    .ok()
                    .filter(|_| part >= 0 && part <= whole);
                value.and_then(Share::new).ok_or_else(|| {
                    format!("a share of {one} is none; it is from 0 to 1, such as 0.3 for 30 %")
                })
            };
            self.shares.iter().map(share).collect()
        };
        let place = |name: &String| {
            let place = self.tenants.iter().position(|tenant| **tenant == **name);
            place.ok_or_else(|| format!("`{name}` of the order is no tenant; mend its name"))
        };
        let unwanted = |what: &str, found: bool| match found {
            true => Err(format!(
                "`{what}` means nothing with the key `{}`; leave it out",
                self.key
            )),
            false => Ok(()),
        };
        let is_static = self.key.starts_with("static");
        unwanted("order", !self.order.is_empty() && self.key != "cascade")?;
        unwanted("shares", !self.shares.is_empty() && !is_static)?;
        match self.key.as_str() {
            "static" => Ok(Key::Static(shares()?)),
            "static-redistributed" => Ok(Key::StaticRedistributed(shares()?)),
            "dynamic" => Ok(Key::Dynamic),
            "cascade" => Ok(Key::Cascade(
                self.order.iter().map(place).collect::<Result<_, _>>()?,
            )),
            other => Err(format!("`{other}` is no key; one of {KEYS}")),
        }
    }

    fn line(&self, interval: &Interval, key: &Key) -> Result<Line, String> {
        if interval.consumption.len() != self.tenants.len() {
            return Err(format!(
                "{} consumptions for {} tenants; list one for each, `null` where it is unknown",
                interval.consumption.len(),
                self.tenants.len()
            ));
        }
        let generation = self.stated(&"generation".into(), interval.generation)?;
        let mut tenants = Vec::new();
        for (name, used) in self.tenants.iter().zip(&interval.consumption) {
            let consumption = self.stated(name, *used)?;
            tenants.push(Tenant {
                name: Arc::clone(name),
                consumption,
            });
        }
        let found = allocate(&generation, &tenants, key).map_err(|error| remedy(&error))?;
        let value = |stated: &Stated<MilliwattHours>| {
            stated
                .as_ref()
                .map_or(MilliwattHours::ZERO, |known| known.value)
        };
        Ok(Line {
            name: interval.name.clone(),
            generation: value(&generation),
            used: tenants.iter().map(|one| value(&one.consumption)).collect(),
            found,
        })
    }

    /// An energy as the books count it. Nothing is rounded on the way in.
    fn stated(
        &self,
        name: &Arc<str>,
        said: Option<Decimal>,
    ) -> Result<Stated<MilliwattHours>, String> {
        let Some(said) = said else {
            return Ok(Err(Gaps::one(name, Reason::NeverSeen)));
        };
        let unit = if self.unit == "mWh" {
            Some((1, 1))
        } else {
            energy(&self.unit)
        };
        let (mwh, per) = unit.ok_or_else(|| {
            format!(
                "`{}` is no unit of energy; one of mWh, Wh, kWh, MWh",
                self.unit
            )
        })?;
        let (digits, of) = said.ratio();
        let exact = digits
            .checked_mul(mwh)
            .zip(of.checked_mul(per))
            .filter(|(all, of)| all % of == 0);
        let energy = exact.and_then(|(all, of)| i64::try_from(all / of).ok());
        let energy = energy.ok_or_else(|| format!("`{name}`: {said} {} is no whole number of milliwatt-hours, which the books count; round it", self.unit))?;
        Ok(Ok(Known::given(MilliwattHours(energy))))
    }
}

/// The fault, with what to do about it where the domain does not say.
fn remedy(error: &AllocateError) -> String {
    let remedy = match error {
        AllocateError::Unknown(_) => "an interval is allocated when everything in it is known",
        AllocateError::Negative { .. } => "look for a swapped direction",
        AllocateError::Absurd { .. } => "look at the unit",
        AllocateError::AboveOne { .. } => "lower them, what is left over is exported",
        AllocateError::Count { .. } => "list each tenant once",
        AllocateError::Order { .. } => "list each tenant once",
        AllocateError::Origin(_)
        | AllocateError::NoBasis(_)
        | AllocateError::NegativeLoss { .. } => return error.to_string(),
    };
    format!("{error}; {remedy}")
}
