//! Indicators of a period's heat: what was supplied and lost, and how much of it the sun
//! made, with what a storage carries from one hour to another.
//!
//! ```text
//!   field ───▶┐                    ┌──▶ used, as solar as the header
//!   boilers ─▶├──▶ header (mixed) ─┤
//!   storage ─▶┘         storage ◀──┘
//! ```
//!
//! What is in the storage when a period begins has an origin that no sensor tells. It is
//! followed from as far back as is given; then the period is gone through twice, as if all
//! that was there at first had been solar, and as if none had. **Where the two disagree
//! the fraction is unknown**, and both are told. An interval before the period that is
//! unknown leaves the storage as it was: what rests on it is an estimate, and counted.

use super::books::{Slot, kwh, total};
use super::number::Indicator;
use crate::domain::flow::Flow;
use crate::domain::heat::pool::{Pool, PoolError};
use crate::domain::heat::system::{
    Source, distribution_loss_ratio, solar_at_header, solar_fraction,
};
use crate::domain::quality::Quality;

/// How far the two may lie apart, of one.
const AGREE: f64 = 5e-4;

/// What the header and the storage have in an interval.
const FLOWS: [Flow; 6] = [
    Flow::SolarField,
    Flow::Boilers,
    Flow::ElectricBoiler,
    Flow::HeatPump,
    Flow::StorageCharge,
    Flow::StorageDischarge,
];

/// The indicators of a period, with what came before it for the origin of stored heat.
pub(super) fn indicators(earlier: &[Slot], slots: &[Slot]) -> Vec<Indicator> {
    let flow = |flow: Flow| total(slots, move |slot| vec![slot.flow(flow)]);
    let fed = total(slots, |slot| {
        vec![slot.flow(Flow::Supplied), slot.flow(Flow::HeatLosses)]
    });
    let lost = |sums: &[f64]| match sums {
        [supplied, losses] => distribution_loss_ratio(supplied + losses, *supplied),
        _ => None,
    };
    let made = total(slots, |slot| {
        let sources = [
            Flow::SolarField,
            Flow::Boilers,
            Flow::ElectricBoiler,
            Flow::HeatPump,
        ];
        sources.iter().map(|flow| slot.flow(*flow)).collect()
    });
    let fraction = |sums: &[f64]| match sums {
        [solar, rest @ ..] => solar_fraction(*solar, rest.iter().sum()),
        _ => None,
    };
    vec![
        flow(Flow::Supplied).indicator("heat_supplied", "kWh", kwh),
        flow(Flow::HeatLosses).indicator("distribution_loss", "kWh", kwh),
        fed.indicator("distribution_loss_ratio", "", lost),
        made.indicator("solar_fraction_made", "", fraction)
            .noted("of the heat made, before storage"),
        used(earlier, slots),
    ]
}

/// The solar part of the heat that left the header.
fn used(earlier: &[Slot], slots: &[Slot]) -> Indicator {
    let needed = total(slots, |slot| {
        FLOWS.iter().map(|flow| slot.flow(*flow)).collect()
    });
    let [least, most] = [0.0, 1.0].map(|solar| followed(earlier, slots, solar));
    let range = least.zip(most);
    let agreed = range
        .and_then(|(least, most)| ((most - least).abs() <= AGREE).then_some((least + most) / 2.0));
    let mut indicator = needed.indicator("solar_fraction", "", |_| agreed);
    let what = "of the heat that left the header, after storage";
    let unknown = earlier.iter().filter(|slot| known(slot).is_none()).count();
    // Where nothing came out of a storage, nothing rests on what was before.
    let stored = slots
        .iter()
        .filter_map(known)
        .any(|[.., discharge]| discharge > 0.0);
    let passed = (unknown > 0 && stored).then(|| {
        format!(
            "an estimate: of {} intervals before the period {unknown} are unknown, and what they \
             stored and gave is not in it",
            earlier.len()
        )
    });
    if passed.is_some() && indicator.value.is_some() {
        indicator.quality = indicator.quality.worst(Quality::Estimated);
    }
    if let Some((least, most)) = range.filter(|_| agreed.is_none()) {
        indicator.note = Some(format!(
            "between {least:.3} and {most:.3}: where the heat came from that was stored before \
             is not known"
        ));
    }
    let indicator = indicator.noted(what);
    match passed {
        Some(passed) => indicator.noted(&passed),
        None => indicator,
    }
}

/// The solar fraction of what left the header in a period, if of what was stored at the
/// very first this part was solar; none where nothing left it.
fn followed(earlier: &[Slot], slots: &[Slot], solar: f64) -> Option<f64> {
    let mut pool = Pool::new(0.0, solar, 1.0, 1.0).ok()?;
    let (mut of_the_sun, mut all) = (0.0, 0.0);
    for slot in earlier {
        pass(&mut pool, slot);
    }
    for slot in slots {
        let Some((sun, used)) = pass(&mut pool, slot) else {
            continue;
        };
        of_the_sun += sun;
        all += used;
    }
    (all != 0.0).then(|| of_the_sun / all)
}

/// What the header and the storage had in an interval, in the order of [`FLOWS`]; none
/// where a flow is unknown.
fn known(slot: &Slot) -> Option<[f64; 6]> {
    let mut all = [0.0; 6];
    for (value, flow) in all.iter_mut().zip(FLOWS) {
        *value = slot.flow(flow).ok()?.value;
    }
    Some(all)
}

/// An interval at the header: the solar part of what left it, and all of that. None where
/// a flow is unknown: the storage is then as it was.
fn pass(pool: &mut Pool, slot: &Slot) -> Option<(f64, f64)> {
    let [field, boilers, electric, pump, charge, discharge] = known(slot)?;
    // What takes heat from the header is a load there, not a source: a field at night. This
    // maximum is inside of the indicator.
    let source = |heat: f64, solar: f64| Source {
        heat: heat.max(0.0),
        solar,
    };
    let direct = [
        source(field, 1.0),
        source(boilers, 0.0),
        source(electric, 0.0),
        source(pump, 0.0),
    ];
    // Storage is discharged from what it held, and charged from the header; in an interval
    // with both, the charge is of the sources beside it.
    let into = solar_at_header(&direct).unwrap_or(pool.solar());
    let charged = (charge.max(0.0) * into, charge.max(0.0) * (1.0 - into));
    let out = discharge.max(0.0);
    let mut stepped = pool.step(charged.0, charged.1, out);
    if let Err(PoolError::Overdrawn { needed, .. }) = stepped {
        // More left than is known to have entered: it was there before, as solar as the rest.
        let entered = charged.0 + charged.1;
        pool.restate(needed - entered).ok()?;
        stepped = pool.step(charged.0, charged.1, out);
        // The last digit of the sum may still be short.
        if stepped.is_err() {
            pool.restate(needed).ok()?;
            stepped = pool.step(charged.0, charged.1, out);
        }
    }
    stepped.ok()?;
    let mut sources = direct.to_vec();
    sources.push(Source {
        heat: out,
        solar: pool.solar(),
    });
    let share = solar_at_header(&sources).ok()?;
    let whole: f64 = sources.iter().map(|one| one.heat).sum();
    let used = whole - charge.max(0.0);
    Some((share * whole - charged.0, used))
}
