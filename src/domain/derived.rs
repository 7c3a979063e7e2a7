//! Energies of meters that are computed from others.
//!
//! ```text
//!   entries of feeder, hall_a, shared ──▶ hall_b = feeder - hall_a - 0.5 * shared
//! ```
//!
//! An input counts with its net energy in the direction of its role. The result is exact
//! and signed: what is below zero went the other way, and is shown there. **It is derived
//! at best, and one missing input makes it missing**, by name. Whoever settles an interval
//! computes it anew, so that it never lags behind a correction of an input.

use super::balance::{Parts, Said, subtract};
use super::flow::Stated;
use super::interval::{Channel, Entry, Span};
use super::meter::{Carrier, MeterIndex, Park};
use super::provenance::Made;
use super::quality::{Gaps, Quality, Reason};
use super::units::MilliwattHours;

/// The energy of a meter that is computed from others.
#[derive(Debug, Clone, PartialEq)]
pub struct DerivedEnergy {
    /// The meter.
    pub meter: MeterIndex,
    /// The balance that it stands in.
    pub carrier: Carrier,
    /// Its energy in the direction of its role, signed.
    pub net: Stated<MilliwattHours>,
}

/// The balance of a meter that stands in one alone.
#[must_use]
pub fn carrier_of(park: &Park, meter: MeterIndex) -> Option<Carrier> {
    let role = park.meters.get(meter)?.role;
    match (role.electricity, role.heat) {
        (Some(_), None) => Some(Carrier::Electricity),
        (None, Some(_)) => Some(Carrier::Heat),
        _ => None,
    }
}

/// The energies of all derived meters; what entries say of these is not asked.
#[must_use]
pub fn energies(park: &Park, entries: &[Entry]) -> Vec<DerivedEnergy> {
    let said = Said::new(entries);
    energies_from(park, &|index, channel| said.of(park, index, channel))
}

/// The same from what somebody says of each channel.
pub(super) fn energies_from(
    park: &Park,
    said: &dyn Fn(MeterIndex, Channel) -> Stated<MilliwattHours>,
) -> Vec<DerivedEnergy> {
    let mut energies: Vec<DerivedEnergy> = Vec::new();
    for derived in &park.relations.derived {
        let Some(index) = park.meter(&derived.meter) else {
            continue;
        };
        let Some(carrier) = carrier_of(park, index) else {
            continue;
        };
        let net = derived.expression.energy(&|id| {
            let Some(input) = park.meter(id) else {
                return Err(Gaps::config());
            };
            match energies.iter().find(|one| one.meter == input) {
                Some(computed) => computed.net.clone(),
                None => {
                    let side = |positive| said(input, Channel { carrier, positive });
                    subtract(&side(true), &side(false))
                }
            }
        });
        energies.push(DerivedEnergy {
            meter: index,
            carrier,
            net,
        });
    }
    energies
}

/// The entries of all derived meters in a span, one for each direction.
#[must_use]
pub fn entries(park: &Park, entries: &[Entry], span: Span) -> Vec<Entry> {
    let mut all = Vec::new();
    for one in energies(park, entries) {
        let Some(meter) = park.meters.get(one.meter) else {
            continue;
        };
        let parts = Parts::of_net(one.net);
        for (positive, part) in [(true, parts.positive), (false, parts.negative)] {
            let (energy, quality, coverage_pct, made) = match part {
                Ok(known) => (
                    Ok(known.value),
                    known.quality,
                    known.coverage_pct,
                    known.made,
                ),
                Err(gaps) => {
                    let reason = gaps.list().first().map_or(Reason::Config, |gap| gap.reason);
                    (Err(reason), Quality::Missing, 0.0, Made::NOTHING)
                }
            };
            all.push(Entry {
                meter: std::sync::Arc::clone(&meter.id),
                channel: Channel {
                    carrier: one.carrier,
                    positive,
                },
                span,
                energy,
                quality,
                coverage_pct,
                made,
                opening: None,
                closing: None,
            });
        }
    }
    all
}

#[cfg(test)]
#[path = "derived_tests.rs"]
mod tests;
