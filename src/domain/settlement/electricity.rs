//! Sharing generation among those who use electricity.

use std::sync::Arc;

use super::{Given, Rule, Shared, Sharing, nets, owns, share, total, value};
use crate::domain::allocate::AllocateError;
use crate::domain::balance::{attribute, members};
use crate::domain::flow::{Energies, Flow, Known};
use crate::domain::interval::Entry;
use crate::domain::meter::{Carrier, Park, Term};
use crate::domain::units::MilliwattHours;

/// Shares the generation of an interval (after the battery, before export).
///
/// | argument | is |
/// |---|---|
/// | `flows` | the settled flows of the interval |
/// | `entries` | what every channel moved in it |
/// | `own_pool` | whether discharge is shared by itself, after generation; else it is shared with it |
///
/// Which generation charged the battery is what [`attribute`] says of the amounts of the
/// interval. Consumption is what a meter counted in the direction of its role, with what a
/// plant behind it (`behind`) gave: that is in the generation that is shared. What was fed
/// in behind it by anything else has lessened it.
///
/// # Errors
///
/// [`AllocateError`]: a meter is missing, or an energy is below zero, by name.
pub fn electricity(
    park: &Park,
    rule: &Rule,
    own_pool: bool,
    flows: &Energies,
    entries: &[Entry],
) -> Sharing {
    let generation = flows.of(Flow::Generation);
    let import = flows.of(Flow::Import);
    let export = flows.of(Flow::Export);
    let discharge = flows.of(Flow::BatteryDischarge);
    let charge = flows.of(Flow::BatteryCharge);
    let load = flows.of(Flow::Load);
    let used = nets(park, Carrier::Electricity, &rule.participants, entries);
    let loads = members(park, Carrier::Electricity, Term::Load);
    let metered = total(&nets(park, Carrier::Electricity, &loads, entries));
    let generators = members(park, Carrier::Electricity, Term::Generator);
    let standby = owns(park, Carrier::Electricity, &generators, entries).into_iter();
    let standby = total(&standby.map(|part| part.negative).collect::<Vec<_>>());
    let all = [
        generation, import, export, discharge, charge, load, &metered, &standby,
    ];
    let all: Vec<_> = all.into_iter().chain(&used).cloned().collect();
    let evidence = total(&all).map_err(AllocateError::Unknown)?;
    let attributed = attribute(
        value(generation),
        value(import),
        value(export),
        value(discharge),
        value(charge),
    );
    let after_battery = value(generation) - attributed.generation_to_battery;
    let (shared, of_battery) = if own_pool {
        (after_battery, value(discharge))
    } else {
        (after_battery + value(discharge), MilliwattHours::ZERO)
    };
    let ids = rule.participants.iter().zip(&used);
    let consumption: Vec<_> = ids
        .filter_map(|(index, used)| {
            let meter = park.meters.get(*index)?;
            Some((Arc::clone(&meter.id), value(used)))
        })
        .collect();
    let participants = consumption.iter().map(|one| one.1).sum();
    let given = Given {
        generation: value(generation),
        withheld: attributed.generation_to_battery,
        discharge: value(discharge),
        shared,
        of_battery,
        main: value(load),
        own: value(&metered) + value(&standby) - participants,
        consumption,
    };
    let (shared, quality): (Shared, _) = share(rule, &given)?;
    Ok(Known {
        quality: evidence.quality.worst(quality),
        ..evidence.with(shared)
    })
}
