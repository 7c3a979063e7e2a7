//! Indicators of a period's electricity, from sums of energies.

use std::sync::Arc;

use jiff::civil::Date;

use super::books::{Slot, kwh, total};
use super::number::{Indicator, Judgement};
use super::{Kind, Photovoltaic, Plant};
use crate::domain::balance::members;
use crate::domain::flow::{Flow, Known, Stated};
use crate::domain::kpi::{DirectLimits, Sums, direct_supply};
use crate::domain::meter::{Carrier, Park, Term};
use crate::domain::quality::Gaps;
use crate::domain::stated::combine;
use crate::domain::units::{MilliwattHours, to_i64};

/// What an indicator rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Generation,
    Import,
    Export,
    SelfConsumption,
    Charge,
    Discharge,
    Curtailed,
}

use Needs::{Charge, Curtailed, Discharge, Export, Generation, Import, SelfConsumption};

/// The flows that make up the load.
const LOAD: &[Needs] = &[Generation, Import, Export, Charge, Discharge];

/// An indicator, its unit, what it needs, and its formula.
type Row = (
    &'static str,
    &'static str,
    &'static [Needs],
    fn(&Sums) -> Option<f64>,
);

fn in_kwh(energy: Option<MilliwattHours>) -> Option<f64> {
    Some(crate::domain::units::to_f64(energy?.0) / 1e6)
}

/// Every indicator of electricity.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("generation",             "kWh", &[Generation],                        |sums| in_kwh(sums.generation)),
    ("import",                 "kWh", &[Import],                            |sums| in_kwh(sums.import)),
    ("export",                 "kWh", &[Export],                            |sums| in_kwh(sums.export)),
    ("battery_charge",         "kWh", &[Charge],                            |sums| in_kwh(sums.charge)),
    ("battery_discharge",      "kWh", &[Discharge],                         |sums| in_kwh(sums.discharge)),
    ("load",                   "kWh", LOAD,                                 |sums| in_kwh(sums.load())),
    ("self_consumption",       "kWh", &[Generation, SelfConsumption],       |sums| in_kwh(sums.self_consumption())),
    ("curtailed",              "kWh", &[Curtailed],                         |sums| in_kwh(sums.curtailed)),
    ("self_consumption_ratio", "",    &[Generation, SelfConsumption],       Sums::self_consumption_ratio),
    ("self_sufficiency_ratio", "",    LOAD,                                 Sums::self_sufficiency_ratio),
    ("export_ratio",           "",    &[Generation, Export],                Sums::export_ratio),
    ("r_self",                 "",    &[Generation, Export, Curtailed],     Sums::r_self),
    ("r_green",                "",    LOAD,                                 Sums::r_green),
    ("r_sell",                 "",    &[Generation, Export, Curtailed],     Sums::r_sell),
];

/// The sums of what was added up; the rest is unknown.
fn sums(needs: &[Needs], added: &[f64]) -> Sums {
    let of = |wanted: Needs| {
        let place = needs.iter().position(|need| *need == wanted)?;
        added.get(place).map(|mwh| MilliwattHours(to_i64(*mwh)))
    };
    let generation = of(Generation);
    let exported = || Some(generation? - of(SelfConsumption)?);
    Sums {
        generation,
        import: of(Import),
        export: of(Export),
        export_of_generation: exported(),
        charge: of(Charge),
        discharge: of(Discharge),
        curtailed: of(Curtailed),
    }
}

/// The indicators of a period that begins on a day. Without a park, what needs its meters
/// is left out.
pub fn indicators(plant: &Plant, park: Option<&Park>, slots: &[Slot], day: Date) -> Vec<Indicator> {
    let unsaid = unsaid(plant, park);
    let mut all: Vec<Indicator> = ROWS
        .iter()
        .map(|(name, unit, needs, formula)| {
            let total = total(slots, |slot| {
                let amount = |need: &Needs| match need {
                    Generation => slot.flow(Flow::Generation),
                    Import => slot.flow(Flow::Import),
                    Export => slot.flow(Flow::Export),
                    SelfConsumption => slot.flow(Flow::SelfConsumption),
                    Charge => slot.flow(Flow::BatteryCharge),
                    Discharge => slot.flow(Flow::BatteryDischarge),
                    Curtailed => curtailed(plant, park.filter(|_| unsaid.is_none()), slot),
                };
                needs.iter().map(amount).collect()
            });
            let indicator = total.indicator(name, unit, |added| formula(&sums(needs, added)));
            if let Some(unsaid) = unsaid.as_ref().filter(|_| needs.contains(&Curtailed)) {
                return Indicator {
                    note: Some(unsaid.clone()),
                    ..indicator
                };
            }
            judged(indicator, &sums(needs, total.sums()), &plant.limits, day)
        })
        .collect();
    all.extend(park.map(|park| standby(park, slots)));
    all
}

/// An indicator of direct supply against the limits that hold on a day.
fn judged(mut indicator: Indicator, sums: &Sums, limits: &[DirectLimits], day: Date) -> Indicator {
    // What is unknown in some interval is not judged by the others.
    let known = indicator.value.map_or_else(Sums::default, |_| *sums);
    let Some(direct) = direct_supply(&known, limits, day) else {
        return indicator;
    };
    let (judged, at_most) = match indicator.name {
        "r_self" => (direct.r_self, false),
        "r_green" => (direct.r_green, false),
        "r_sell" => (direct.r_sell, true),
        _ => return indicator,
    };
    indicator.judged = Some(Judgement {
        limit: judged.limit,
        at_most,
        kept: judged.kept,
    });
    indicator
}

/// The meters of all generators, each counted once.
pub(super) fn generators(park: &Park) -> Vec<&Arc<str>> {
    let members = members(park, Carrier::Electricity, Term::Generator).into_iter();
    members
        .filter_map(|index| park.meters.get(index).map(|meter| &meter.id))
        .collect()
}

/// What generators drew while they did not generate: part of the load.
fn standby(park: &Park, slots: &[Slot]) -> Indicator {
    let ids = generators(park);
    let drawn = total(slots, |slot| {
        let sides = ids
            .iter()
            .map(|id| slot.side(park, id, Carrier::Electricity, false));
        // Not cut short at the first gap: every meter that is missing is named.
        let mut sum: Stated<f64> = Ok(Known::given(0.0));
        for one in sides {
            sum = combine(&sum, &one, |sum, one| sum + one);
        }
        vec![sum]
    });
    drawn
        .indicator("generator_standby", "kWh", kwh)
        .noted("import of the generators' meters; part of the load, not of generation")
}

/// Modules whose meter says what they were kept from, unless they never are.
fn says(plant: &Plant) -> impl Iterator<Item = &Photovoltaic> {
    let units = plant.units.iter().filter_map(|unit| match &unit.kind {
        Kind::Photovoltaic(pv) => Some(&**pv),
        _ => None,
    });
    units.filter(|pv| pv.says_curtailed() && !plant.never_curtailed.contains(&pv.meter))
}

/// The generators of which nothing says what they could have generated, in a sentence with
/// its remedy; none where all of them say it.
fn unsaid(plant: &Plant, park: Option<&Park>) -> Option<String> {
    let Some(park) = park else {
        return Some("which generators there are stands in the configuration".to_owned());
    };
    let stated =
        |id: &Arc<str>| plant.never_curtailed.contains(id) || says(plant).any(|pv| pv.meter == *id);
    let silent: Vec<&str> = generators(park)
        .into_iter()
        .filter(|id| !stated(id))
        .map(|id| &**id)
        .collect();
    (!silent.is_empty()).then(|| {
        format!(
            "nothing says what {} could have generated: `available` or `curtailed` of its \
             [plant.NAME.pv], or its name in [kpi] never_curtailed",
            silent.join(", ")
        )
    })
}

/// Generation that was possible and not allowed, milliwatt-hours; unknown without a park.
fn curtailed(plant: &Plant, park: Option<&Park>, slot: &Slot) -> Stated<f64> {
    let park = park.ok_or_else(Gaps::config)?;
    let mut sum: Stated<f64> = Ok(Known::given(0.0));
    for pv in says(plant) {
        sum = combine(&sum, &pv.curtailed(park, slot), |sum, one| sum + one);
    }
    sum
}
