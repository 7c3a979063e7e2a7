//! Sharing solar heat among those whom the network supplies.
//!
//! ```text
//!   solar field ──▶ storage (well mixed) ──▶┐
//!        └─────────────────────────────────▶├──▶ header ──▶ network: solar as the header is
//!   boilers, electric boiler, heat pump ───▶┘
//! ```
//!
//! No meter sees where heat goes behind the header, so what enters the network is as solar
//! as all that enters the header. The storage is charged by the field first.
//!
//! **What no meter saw enter has no origin and counts as not solar**: a charge above all
//! that was counted makes the interval suspect.

use std::sync::Arc;

use super::{Given, Rule, Sharing, nets, share, total, value};
use crate::domain::allocate::{AllocateError, Share, Source, source_share};
use crate::domain::balance::{Amount, members};
use crate::domain::flow::{Energies, Flow, Known, Stated};
use crate::domain::heat::pool::Pool;
use crate::domain::interval::Entry;
use crate::domain::meter::{Carrier, Park, Term};
use crate::domain::quality::Quality;
use crate::domain::units::{MilliwattHours, to_f64};

/// What meets at the header.
const HEADER: [Flow; 6] = [
    Flow::SolarField,
    Flow::Boilers,
    Flow::ElectricBoiler,
    Flow::HeatPump,
    Flow::StorageCharge,
    Flow::StorageDischarge,
];

/// What left the header in an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Header {
    /// Its solar part; none where no source gave anything beside what was stored.
    pub(super) solar: Option<f64>,
    /// Whether more was stored than all sources gave.
    excess: bool,
}

/// What is in the thermal storage, carried from interval to interval.
///
/// **What is taken out beyond its content has no origin** and counts as not solar.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatPool {
    /// Content, Wh, with its solar part.
    pub pool: Pool,
    /// Intervals that were passed over because a flow of the storage is unknown.
    pub gaps: usize,
}

impl HeatPool {
    /// Takes an interval in. More charge than all sources gave is of unknown origin, and
    /// what is said of the interval suspect.
    ///
    /// # Errors
    ///
    /// [`AllocateError`]: a source is unknown, or charge or discharge below zero.
    pub(super) fn header(&mut self, flows: &Energies) -> Result<Known<Header>, AllocateError> {
        let all = HEADER.map(|flow| flows.of(flow).clone());
        let evidence = match total(&all) {
            Ok(evidence) => evidence,
            Err(gaps) => {
                self.gaps += 1;
                return Err(AllocateError::Unknown(gaps));
            }
        };
        let [field, boilers, electric, pump, charge, discharge] = all.map(|one| value(&one));
        // A field that cools the network at night makes nothing, and neither does a boiler
        // that is kept warm.
        let made = |source: MilliwattHours| source.max(MilliwattHours::ZERO);
        let field = made(field);
        let others = made(boilers) + made(electric) + made(pump);
        let solar_charge = field.min(charge);
        let other_charge = charge - solar_charge;
        let excess = other_charge > others;
        let wh = |energy: MilliwattHours| to_f64(energy.0) / 1e3;
        let solar = self.step(wh(solar_charge), wh(other_charge), wh(discharge))?;
        let source = |energy, counts: f64| Source {
            energy,
            counts: Share::new(counts).unwrap_or_default(),
        };
        let solar = source_share(&[
            source(field - solar_charge, 1.0),
            source(made(others - other_charge), 0.0),
            source(discharge, solar),
        ]);
        let mut quality = evidence.quality;
        if self.gaps > 0 && discharge > MilliwattHours::ZERO {
            quality = quality.worst(Quality::Estimated);
        }
        if excess {
            quality = quality.worst(Quality::Suspect);
        }
        Ok(Known {
            quality,
            ..evidence.with(Header { solar, excess })
        })
    }

    /// An interval of which no flow is known; the storage stays as it was.
    pub(super) fn passed_over(&mut self) {
        self.gaps += 1;
    }

    /// Lives through an interval, Wh; returns the solar part of the discharge.
    fn step(&mut self, solar: f64, other: f64, discharge: f64) -> Result<f64, AllocateError> {
        let there = self.pool.available(solar + other);
        // The last digit of a product must not overdraw it.
        let known = if discharge < there {
            discharge
        } else {
            there * (1.0 - 1e-12)
        };
        let stepped = self.pool.step(solar, other, known);
        let solar = stepped.map_err(|error| AllocateError::Origin(error.to_string()))?;
        Ok(if discharge > 0.0 {
            solar / discharge
        } else {
            0.0
        })
    }
}

/// Shares the solar heat that entered the network in an interval.
///
/// | argument | is |
/// |---|---|
/// | `pool` | the storage before the interval; after it, afterwards |
/// | `flows` | the settled flows of the interval |
/// | `entries` | what every channel moved in it |
///
/// The main meter is the feed of the network; without one the consumers are all there is,
/// and nothing is lost.
///
/// # Errors
///
/// [`AllocateError`]: a meter is missing, or an energy is below zero, by name.
pub fn heat(
    park: &Park,
    rule: &Rule,
    pool: &mut HeatPool,
    flows: &Energies,
    entries: &[Entry],
) -> Sharing {
    let header = pool.header(flows);
    let used = nets(park, Carrier::Heat, &rule.participants, entries);
    let sum = |term| {
        let meters = members(park, Carrier::Heat, term);
        (
            meters.len(),
            total(&nets(park, Carrier::Heat, &meters, entries)),
        )
    };
    let (_, supplied) = sum(Term::HeatConsumer);
    let (feeds, feed) = sum(Term::HeatFeed);
    let main = if feeds == 0 { supplied.clone() } else { feed };
    let all: Vec<Stated<MilliwattHours>> = [&main, &supplied]
        .into_iter()
        .chain(&used)
        .cloned()
        .collect();
    let (header, evidence) = match (header, total(&all)) {
        (Err(AllocateError::Unknown(more)), Err(mut gaps)) => {
            gaps.join(&more);
            return Err(AllocateError::Unknown(gaps));
        }
        (header, evidence) => (header?, evidence.map_err(AllocateError::Unknown)?),
    };
    let entered = value(&main);
    let solar = match header.value {
        Header {
            solar: Some(solar), ..
        } => solar,
        // All that was made was stored, by the meters: what entered beside it has no origin.
        Header { excess, .. } if excess || entered == MilliwattHours::ZERO => 0.0,
        Header { .. } => {
            return Err(AllocateError::Origin(
                "heat entered the network and no source of it was counted".to_owned(),
            ));
        }
    };
    let shared = entered.max(MilliwattHours::ZERO).fraction(solar);
    let consumption: Vec<_> = rule
        .participants
        .iter()
        .zip(&used)
        .filter_map(|(index, used)| Some((Arc::clone(&park.meters.get(*index)?.id), value(used))))
        .collect();
    let participants = consumption.iter().map(|one| one.1).sum();
    let given = Given {
        generation: entered,
        withheld: entered - shared,
        discharge: value(flows.of(Flow::StorageDischarge)),
        shared,
        of_battery: MilliwattHours::ZERO,
        main: entered,
        own: value(&supplied) - participants,
        consumption,
    };
    let (shared, quality) = share(rule, &given)?;
    Ok(Known {
        quality: evidence.quality.worst(header.quality).worst(quality),
        coverage_pct: evidence.coverage_pct.min(header.coverage_pct),
        ..evidence.with(shared)
    })
}
