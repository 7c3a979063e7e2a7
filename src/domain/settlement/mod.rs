//! Who gets what of an interval, as a contract says: the settled flows and the meters of
//! those who take part, in one sum that closes.
//!
//! ```text
//!   generation ──▶ battery
//!        └───────▶ shared ──▶ tenants, by their key
//!                    ├──────▶ own use of the park, then its loss
//!                    └──────▶ export: what nobody used
//! ```
//!
//! **Every interval adds up to the milliwatt-hour**: tenants, own use, loss and export to
//! what is shared, and that with what charged the battery to the generation. **Missing is
//! not zero**: an interval that lacks a meter is not shared at all, and says why.
//!
//! Which part of it is renewable is another question: [`origin`].

mod electricity;
mod heat;
pub mod origin;

use std::sync::Arc;

use super::allocate::{AllocateError, Key, LossRule, Tenant, allocate, share_losses};
use super::balance::{Parts, Said, combine, subtract};
use super::carbon::account::Account;
use super::derived;
use super::flow::{Known, Stated};
use super::interval::{Channel, Entry};
use super::meter::{Carrier, MeterIndex, Park};
use super::nested;
use super::quality::Quality;
use super::units::MilliwattHours;

pub use electricity::electricity;
pub use heat::{HeatPool, heat};
use origin::Battery;

/// A contract: who takes part, by which key, and who bears the loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Meters of those who take part, in the order of the key.
    pub participants: Vec<MeterIndex>,
    /// By what they share.
    pub key: Key,
    /// Who bears what no meter behind the main one saw.
    pub loss: LossRule,
}

/// What is settled beside the flows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settlement {
    /// The contract of electricity.
    pub electricity: Option<Rule>,
    /// That of heat.
    pub heat: Option<Rule>,
    /// Batteries, with how their discharge is shared.
    pub battery: Battery,
    /// What is in the thermal storage when a report begins.
    pub storage: HeatPool,
    /// Factors and boundary of carbon dioxide.
    pub carbon: Option<Account>,
}

/// What one of those who share used, and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Line {
    /// What its meter counted.
    pub consumption: MilliwattHours,
    /// The part of the loss that it bears.
    pub loss: MilliwattHours,
    /// Of what is shared: of generation, or of solar heat.
    pub local: MilliwattHours,
    /// Of the battery, where that is shared by itself.
    pub battery: MilliwattHours,
    /// The rest: from the grid, or other heat.
    pub rest: MilliwattHours,
}

impl Line {
    fn of(consumption: MilliwattHours, loss: MilliwattHours) -> Self {
        Self {
            consumption,
            loss,
            rest: consumption + loss,
            ..Self::default()
        }
    }

    /// Takes what it still needs of what is left, at most all of it.
    fn take(&mut self, left: &mut MilliwattHours, of_battery: bool) {
        let took = self.rest.max(MilliwattHours::ZERO).min(*left);
        *left = *left - took;
        self.rest = self.rest - took;
        if of_battery {
            self.battery += took;
        } else {
            self.local += took;
        }
    }
}

/// An interval, shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Generated; of heat, what entered the network.
    pub generation: MilliwattHours,
    /// The part of it that charged the battery; of heat, what is not solar.
    pub withheld: MilliwattHours,
    /// Out of the battery.
    pub discharge: MilliwattHours,
    /// What was shared.
    pub shared: MilliwattHours,
    /// Those who take part, in the order of the contract.
    pub lines: Vec<Line>,
    /// What the park used itself: loads that take no part, standby of generators.
    pub own: Line,
    /// What no meter saw, where the operator bears it; its consumption is below zero
    /// where the meters behind count more than the main one.
    pub loss: Line,
    /// The whole loss, whoever bears it.
    pub lost: MilliwattHours,
    /// Of what was shared, what nobody used.
    pub export: MilliwattHours,
    /// Of the battery's own pool, what nobody used.
    pub battery_export: MilliwattHours,
}

impl Shared {
    /// An interval in which nothing moved.
    #[must_use]
    pub fn nothing(participants: usize) -> Self {
        let none = MilliwattHours::ZERO;
        Self {
            generation: none,
            withheld: none,
            discharge: none,
            shared: none,
            lines: vec![Line::default(); participants],
            own: Line::default(),
            loss: Line::default(),
            lost: none,
            export: none,
            battery_export: none,
        }
    }
}

/// An interval, shared, or why not.
pub type Sharing = Result<Known<Shared>, AllocateError>;

/// What goes into the sharing of an interval.
struct Given {
    generation: MilliwattHours,
    withheld: MilliwattHours,
    discharge: MilliwattHours,
    shared: MilliwattHours,
    /// Of the battery, where that is shared by itself.
    of_battery: MilliwattHours,
    /// What the main meter counted.
    main: MilliwattHours,
    consumption: Vec<(Arc<str>, MilliwattHours)>,
    own: MilliwattHours,
}

/// Shares an interval: losses to those who bear them, then what is there by the key, then
/// what is left to the park itself.
fn share(rule: &Rule, given: &Given) -> Result<(Shared, Quality), AllocateError> {
    let named = given.consumption.iter().cloned();
    let all = named.chain([(Arc::from("own use"), given.own)]);
    for (name, energy) in all.chain([(Arc::from("main meter"), given.main)]) {
        if energy < MilliwattHours::ZERO {
            return Err(AllocateError::Negative { name, energy });
        }
    }
    let mut used: Vec<MilliwattHours> = given.consumption.iter().map(|one| one.1).collect();
    used.push(given.own);
    let lost = given.main - used.iter().copied().sum();
    let nobody = used.iter().all(|one| *one == MilliwattHours::ZERO);
    // A loss below zero is a wrong meter or a rounding: it is shown and not shared.
    let rule_of_loss = if lost < MilliwattHours::ZERO || nobody {
        LossRule::Operator
    } else {
        rule.loss
    };
    let quality = if lost < MilliwattHours::ZERO {
        Quality::Suspect
    } else {
        Quality::Good
    };
    let losses = share_losses(given.main, &used, rule_of_loss)?;
    let borne = used.iter().zip(&losses.gross);
    let mut lines: Vec<Line> = borne
        .map(|(used, gross)| Line::of(*used, *gross - *used))
        .collect();
    let mut own = lines.pop().unwrap_or_default();
    let mut loss = Line::of(losses.operator, MilliwattHours::ZERO);
    let mut left = by_key(rule, given, &mut lines, given.shared, false)?;
    own.take(&mut left, false);
    loss.take(&mut left, false);
    let export = left;
    let mut left = by_key(rule, given, &mut lines, given.of_battery, true)?;
    own.take(&mut left, true);
    loss.take(&mut left, true);
    let shared = Shared {
        generation: given.generation,
        withheld: given.withheld,
        discharge: given.discharge,
        shared: given.shared,
        lines,
        own,
        loss,
        lost,
        export,
        battery_export: left,
    };
    Ok((shared, quality))
}

/// Shares an amount among those who take part, up to what each still needs; returns what
/// is left of it.
fn by_key(
    rule: &Rule,
    given: &Given,
    lines: &mut [Line],
    amount: MilliwattHours,
    of_battery: bool,
) -> Result<MilliwattHours, AllocateError> {
    let named = given.consumption.iter().zip(lines.iter());
    let tenants: Vec<Tenant> = named
        .map(|((name, _), line)| Tenant {
            name: Arc::clone(name),
            consumption: Ok(Known::given(line.rest)),
        })
        .collect();
    let found = allocate(&Ok(Known::given(amount)), &tenants, &rule.key)?;
    for (line, mut part) in lines.iter_mut().zip(found.local) {
        line.take(&mut part, of_battery);
    }
    Ok(found.export)
}

/// What a meter moved in an interval in the direction of its role.
///
/// # Errors
///
/// The meter, where it does not say.
pub fn net(
    park: &Park,
    carrier: Carrier,
    meter: MeterIndex,
    entries: &[Entry],
) -> Stated<MilliwattHours> {
    total(&nets(park, carrier, &[meter], entries))
}

/// What meters moved in an interval in the direction of their roles.
fn nets(
    park: &Park,
    carrier: Carrier,
    meters: &[MeterIndex],
    entries: &[Entry],
) -> Vec<Stated<MilliwattHours>> {
    let parts = owns(park, carrier, meters, entries).into_iter();
    parts
        .map(|part| subtract(&part.positive, &part.negative))
        .collect()
}

/// What each of these meters stands for, by direction.
fn owns(
    park: &Park,
    carrier: Carrier,
    meters: &[MeterIndex],
    entries: &[Entry],
) -> Vec<Parts<MilliwattHours>> {
    let derived = derived::energies(park, entries);
    let said = Said::new(entries);
    let parts = |index: MeterIndex, carrier: Carrier| {
        let computed = derived
            .iter()
            .find(|one| one.meter == index && one.carrier == carrier);
        if let Some(one) = computed {
            return Parts::of_net(one.net.clone());
        }
        let side = |positive| said.of(park, index, Channel { carrier, positive });
        Parts {
            positive: side(true),
            negative: side(false),
        }
    };
    let own = |index: &MeterIndex| nested::own(park, *index, carrier, &parts);
    meters.iter().map(own).collect()
}

/// The sum of statements; what one lacks, it lacks.
fn total(all: &[Stated<MilliwattHours>]) -> Stated<MilliwattHours> {
    let nothing = Ok(Known::given(MilliwattHours::ZERO));
    all.iter()
        .fold(nothing, |sum, one| combine(&sum, one, |a, b| a + b))
}

/// The number of a statement that is known.
fn value(stated: &Stated<MilliwattHours>) -> MilliwattHours {
    stated
        .as_ref()
        .map_or(MilliwattHours::ZERO, |known| known.value)
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests;
