//! Of which meters a flow is made: the balance as a list of terms, for people who ask where
//! a number comes from.
//!
//! The sums themselves are struck by [`super::balance`]; **this table says the same**, which
//! a property holds against it. What is no sum of meters says how it comes about instead.

use super::balance;
use super::compensation::{self, lost_at};
use super::flow::Flow;
use super::interval::Channel;
use super::meter::{Carrier, MeterIndex, Park, Term};
use super::nested;
use super::relations::Boundary;

/// One sum in a flow: what went one way at all meters of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which meters.
    pub term: Term,
    /// What went the positive way of their role, or the other.
    pub positive: bool,
    /// Whether it is added, or taken off.
    pub adds: bool,
}

/// How a flow comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its sums.
    pub parts: Vec<Part>,
    /// What is not a sum of meters in it.
    pub besides: Option<&'static str>,
}

/// How a flow comes about.
#[must_use]
pub fn made(flow: Flow) -> Made {
    let plus = |term| [part(term, true, true)];
    let net = |term, adds| [part(term, true, adds), part(term, false, !adds)];
    let lost = |adds| [true, false].map(|positive| part(Term::TransformerLoss, positive, adds));
    let load = || {
        vec![
            part(Term::Generator, true, true),
            part(Term::Grid, true, true),
            part(Term::Battery, true, true),
            part(Term::Grid, false, false),
            part(Term::Battery, false, false),
        ]
    };
    let sums = |parts: Vec<Part>| Made {
        parts,
        besides: None,
    };
    let with = |parts: Vec<Part>, besides| Made {
        parts,
        besides: Some(besides),
    };
    match flow {
        Flow::Generation => sums(plus(Term::Generator).to_vec()),
        Flow::Import => sums(plus(Term::Grid).to_vec()),
        Flow::Export => sums(vec![part(Term::Grid, false, true)]),
        Flow::Load => sums(load()),
        Flow::SelfConsumption => with(
            plus(Term::Generator).to_vec(),
            "minus the part of export that generators fed: shaped by the powers of each \
             second where they are known for 95 % of the interval, else by the amounts",
        ),
        Flow::BatteryCharge => sums(vec![part(Term::Battery, false, true)]),
        Flow::BatteryDischarge => sums(plus(Term::Battery).to_vec()),
        Flow::Losses => with(
            lost(true).to_vec(),
            "and what the configuration states ([balance])",
        ),
        Flow::Residual => {
            let mut parts = load();
            parts.extend(net(Term::Load, false));
            parts.push(part(Term::Generator, false, false));
            parts.extend(lost(false));
            with(parts, "minus the configured losses")
        }
        Flow::SolarField => sums(net(Term::SolarField, true).to_vec()),
        Flow::Boilers => sums(net(Term::Boiler, true).to_vec()),
        Flow::ElectricBoiler => sums(net(Term::ElectricBoilerHeat, true).to_vec()),
        Flow::HeatPump => sums(net(Term::HeatPumpHeat, true).to_vec()),
        Flow::StorageCharge => sums(vec![part(Term::HeatStorage, false, true)]),
        Flow::StorageDischarge => sums(plus(Term::HeatStorage).to_vec()),
        Flow::ToPower => sums(net(Term::HeatToPower, true).to_vec()),
        Flow::Supplied => sums(net(Term::HeatConsumer, true).to_vec()),
        Flow::HeatLosses => {
            let mut parts = net(Term::HeatFeed, true).to_vec();
            parts.extend(net(Term::HeatConsumer, false));
            sums(parts)
        }
        Flow::HeatResidual => {
            let mut parts = Vec::new();
            for term in [
                Term::SolarField,
                Term::Boiler,
                Term::ElectricBoilerHeat,
                Term::HeatPumpHeat,
                Term::HeatStorage,
            ] {
                parts.extend(net(term, true));
            }
            parts.extend(net(Term::HeatToPower, false));
            with(
                parts,
                "minus the feed of the network where it is measured, else minus what the \
                 consumers took",
            )
        }
    }
}

fn part(term: Term, positive: bool, adds: bool) -> Part {
    Part {
        term,
        positive,
        adds,
    }
}

/// A channel in a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Of which meter.
    pub meter: MeterIndex,
    /// Which way.
    pub channel: Channel,
    /// Whether it is added, or taken off.
    pub adds: bool,
}

/// The channels of a park that are in a sum: those of its meters, each followed by what a
/// transformer between it and the boundary took.
#[must_use]
pub fn members(park: &Park, carrier: Carrier, part: Part) -> Vec<Member> {
    let Part { positive, adds, .. } = part;
    let channel = Channel { carrier, positive };
    let member = |meter, adds| Member {
        meter,
        channel,
        adds,
    };
    if part.term == Term::TransformerLoss {
        let losses = lost_at(park, Boundary::GridSide).into_iter();
        return losses.map(|loss| member(loss, adds)).collect();
    }
    let counted = balance::members(park, carrier, part.term).into_iter();
    counted
        .flat_map(|index| {
            let lost = compensation::of(park, index, carrier).map(|(one, loss)| {
                // More import, or less export, on the grid's side.
                let more = (one.boundary == Boundary::GridSide) == positive;
                member(loss, adds == more)
            });
            std::iter::once(member(index, adds))
                .chain(lost)
                .chain(behind(park, index, carrier, part))
        })
        .collect()
}

/// What is taken out of a meter because it stands behind it and counts elsewhere; see
/// [`super::nested`]. It is listed with the positive way of the meter.
fn behind(park: &Park, index: MeterIndex, carrier: Carrier, part: Part) -> Vec<Member> {
    if !part.positive {
        return Vec::new();
    }
    let others = nested::others(park, index, carrier).into_iter();
    others
        .flat_map(|(meter, same)| {
            [true, false].map(|positive| Member {
                meter,
                channel: Channel { carrier, positive },
                adds: part.adds != (positive == same),
            })
        })
        .collect()
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
