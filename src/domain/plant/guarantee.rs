//! Whether the collectors of a field give what they promise, hour by hour: the check of
//! performance of ISO 24194 on what the ledger keeps.
//!
//! An hour counts where all of its intervals are in the ledger and every sensor that the
//! equation needs covered them. **Too few valid hours are an answer, and no ratio.**

use std::collections::BTreeMap;
use std::sync::Arc;

use super::books::Slot;
use super::field::SolarField;
use super::input::Input;
use super::number::{Indicator, Judgement};
use crate::domain::flow::Stated;
use crate::domain::heat::power_check::{
    Concentrating, Conditions, FlatPlate, Hour, Invalid, Light, LowConcentration, Safety,
    Temperatures, check,
};
use crate::domain::meter::{Carrier, Park};
use crate::domain::quality::{Gaps, Quality, Reason};
use crate::domain::sun::{Sun, sun};
use crate::domain::units::to_f64;

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

/// The equation that the collectors were tested by.
#[derive(Debug, Clone, PartialEq)]
pub enum Collector {
    /// Equation 1.
    FlatPlate {
        /// Its parameters.
        parameters: FlatPlate,
        /// Modifier of hemispherical light.
        modifier: f64,
        /// Hemispherical irradiance in the plane.
        irradiance: Input,
    },
    /// Equation 2; the beam is that of the field.
    LowConcentration {
        /// Its parameters.
        parameters: LowConcentration,
        /// Diffuse irradiance in the plane.
        diffuse: Input,
    },
    /// Equation 3; the beam is that of the field.
    Concentrating(Concentrating),
}

/// What a field promises, and what the check reads beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Guarantee {
    /// The equation with its parameters.
    pub collector: Collector,
    /// The area that they are related to, m².
    pub area_m2: f64,
    /// Room that the contract leaves.
    pub safety: Safety,
    /// Air, °C.
    pub ambient: Input,
    /// Wind, m/s.
    pub wind: Input,
    /// The sun stands clear of the row before from here on, degrees.
    pub clear_from_deg: f64,
}

/// An hour, judged, or what is missing for it.
enum Told {
    Known(Hour),
    Missing(Gaps),
}

impl Guarantee {
    pub(super) fn inputs(&self, heat: &Arc<str>) -> Vec<Input> {
        let mut inputs: Vec<Input> = pipes(heat).into();
        inputs.extend([self.ambient.clone(), self.wind.clone()]);
        match &self.collector {
            Collector::FlatPlate { irradiance, .. } => inputs.push(irradiance.clone()),
            Collector::LowConcentration { diffuse, .. } => inputs.push(diffuse.clone()),
            Collector::Concentrating(_) => {}
        }
        inputs
    }

    pub(super) fn indicators(
        &self,
        field: &SolarField,
        park: &Park,
        before: Option<&Slot>,
        slots: &[Slot],
    ) -> Vec<Indicator> {
        let mut by_hour: BTreeMap<i64, Vec<&Slot>> = BTreeMap::new();
        for slot in slots {
            let hour = slot.span.start.as_millisecond().div_euclid(HOUR_MS);
            by_hour.entry(hour).or_default().push(slot);
        }
        let whole =
            |slots: &Vec<&Slot>| slots.iter().map(|slot| slot.span.ms()).sum::<i64>() == HOUR_MS;
        let mut known = Vec::new();
        let mut gaps: Option<Gaps> = None;
        let (mut hours, mut unknown) = (0, 0);
        let mut earlier = before;
        for slots in by_hour.values() {
            if whole(slots) {
                hours += 1;
                match self.hour(field, park, earlier, slots) {
                    Told::Known(hour) => known.push(hour),
                    Told::Missing(more) => {
                        unknown += 1;
                        match &mut gaps {
                            Some(all) => all.join(&more),
                            none => *none = Some(more),
                        }
                    }
                }
            }
            earlier = slots.last().copied();
        }
        self.judge(&known, hours, unknown, gaps)
    }

    fn judge(
        &self,
        known: &[Hour],
        hours: usize,
        unknown: usize,
        gaps: Option<Gaps>,
    ) -> Vec<Indicator> {
        let valid: Vec<&Hour> = known
            .iter()
            .filter(|hour| hour.conditions.invalid().is_empty())
            .collect();
        let count = |value: usize| i64::try_from(value).map_or(f64::NAN, to_f64);
        let outcome = check(known, self.area_m2, &self.safety);
        let indicator = |name, unit, value: Option<f64>| Indicator {
            of: None,
            name,
            unit,
            value,
            quality: if value.is_some() {
                Quality::Derived
            } else {
                Quality::Missing
            },
            coverage_pct: if hours == 0 {
                0.0
            } else {
                100.0 * count(known.len()) / count(hours)
            },
            gaps: gaps.clone(),
            intervals: hours,
            unknown_intervals: unknown,
            of_known: None,
            judged: None,
            note: None,
        };
        let turned = |reason: Invalid| {
            let of = |hour: &&Hour| hour.conditions.invalid().contains(&reason);
            known.iter().filter(of).count()
        };
        let counted = format!(
            "{} of {hours} hours are valid; too dark {}, unsteady {}, cold {}, windy {}, low sun {}, \
             mirrors out of focus {}, not fully measured {unknown}",
            valid.len(),
            turned(Invalid::Light),
            turned(Invalid::Unsteady),
            turned(Invalid::Cold),
            turned(Invalid::Windy),
            turned(Invalid::Shaded),
            turned(Invalid::Defocused),
        );
        let of = |outcome: fn(&crate::domain::heat::power_check::Outcome) -> Option<f64>| {
            check(known, self.area_m2, &self.safety)
                .ok()
                .and_then(|found| outcome(&found))
        };
        let mut ratio = indicator("power_check", "", of(|found| found.ratio()));
        ratio.note = outcome.err().map(|undecided| undecided.to_string());
        ratio.judged = Some(Judgement {
            limit: 1.0,
            at_most: false,
            kept: outcome.ok().map(|found| found.met),
        });
        let mut hours_valid = indicator("power_check_hours", "h", Some(count(valid.len())));
        hours_valid.note = Some(counted);
        vec![
            hours_valid,
            indicator(
                "power_check_measured",
                "kWh",
                of(|found| Some(found.measured_wh / 1e3)),
            ),
            indicator(
                "power_check_guaranteed",
                "kWh",
                of(|found| Some(found.guaranteed_wh / 1e3)),
            ),
            ratio,
        ]
    }

    /// What an hour was like.
    fn hour(
        &self,
        field: &SolarField,
        park: &Park,
        before: Option<&Slot>,
        slots: &[&Slot],
    ) -> Told {
        let mut missing: Option<Gaps> = None;
        let mut note = |gaps: &Gaps| match &mut missing {
            Some(all) => all.join(gaps),
            none => *none = Some(gaps.clone()),
        };
        let mut mean = |input: &Input| -> f64 {
            let mut sum = 0.0;
            for slot in slots {
                match slot.mean(input) {
                    Ok(known) => sum += known.value * slot.hours(),
                    Err(gaps) => note(&gaps),
                }
            }
            sum
        };
        let [supply, back] = pipes(&field.heat);
        let loop_mean = (mean(&supply) + mean(&back)) / 2.0;
        let (ambient, wind) = (mean(&self.ambient), mean(&self.wind));
        let plane = match &self.collector {
            Collector::FlatPlate { irradiance, .. } => mean(irradiance),
            Collector::LowConcentration { diffuse, .. } => mean(diffuse),
            Collector::Concentrating(_) => 0.0,
        };
        let needs_beam = !matches!(self.collector, Collector::FlatPlate { .. });
        let dni = match &field.dni {
            Some(dni) if needs_beam => mean(dni),
            _ => 0.0,
        };
        let mut heat_wh = 0.0;
        for slot in slots {
            match slot.net(park, &field.heat, Carrier::Heat) {
                Ok(known) => heat_wh += known.value / 1e3,
                Err(gaps) => note(&gaps),
            }
        }
        let end = |slot: Option<&Slot>| -> Stated<f64> {
            let unknown = || Gaps::one(&field.heat, Reason::NeverSeen);
            let slot = slot.ok_or_else(unknown)?;
            let (supply, back) = (slot.last(&supply)?, slot.last(&back)?);
            Ok(supply.with((supply.value + back.value) / 2.0))
        };
        let follows = before.filter(|before| {
            slots
                .first()
                .is_some_and(|first| first.span.start == before.span.end)
        });
        let moved = match (end(follows), end(slots.last().copied())) {
            (Ok(was), Ok(is)) => is.value - was.value,
            (one, other) => {
                one.err().iter().chain(&other.err()).for_each(&mut note);
                0.0
            }
        };
        let Some(middle) = middle(park, slots) else {
            return Told::Missing(Gaps::config());
        };
        let mut defocused = false;
        for slot in slots {
            match field.focused(park, slot) {
                Ok(known) => defocused |= !known.value,
                Err(gaps) => note(&gaps),
            }
        }
        if let Some(missing) = missing {
            return Told::Missing(missing);
        }
        let at = Temperatures {
            mean: loop_mean,
            ambient,
            rate_k_per_s: moved / 3_600.0,
        };
        let Some((expected_w_m2, irradiance, light)) =
            self.expected(field, &middle, dni, plane, &at)
        else {
            return Told::Missing(super::field::impossible(&field.heat));
        };
        Told::Known(Hour {
            measured_w: heat_wh,
            expected_w_m2,
            conditions: Conditions {
                irradiance,
                light,
                moved_k: moved,
                ambient,
                wind,
                shaded: middle.elevation_deg < self.clear_from_deg,
                defocused,
            },
        })
    }

    /// What the equation expects, W/m², with the irradiance that makes the hour valid.
    fn expected(
        &self,
        field: &SolarField,
        middle: &Sun,
        dni: f64,
        plane: f64,
        at: &Temperatures,
    ) -> Option<(f64, f64, Light)> {
        let beam = || {
            // With the sun down there is no beam, and the hour is too dark.
            let Some(met) = field.axis?.meet(middle) else {
                return Some((0.0, 0.0));
            };
            let dark = dni < Light::Beam.least();
            let modifier = match field.modifier.as_ref()?.iam(met.incidence_deg) {
                Some(modifier) => modifier,
                None if dark => 0.0,
                None => return None,
            };
            Some((modifier, dni * met.incidence_deg.to_radians().cos()))
        };
        match &self.collector {
            Collector::FlatPlate {
                parameters,
                modifier,
                ..
            } => Some((
                parameters.expected(*modifier, plane, at),
                plane,
                Light::Hemispherical,
            )),
            Collector::LowConcentration { parameters, .. } => {
                let (modifier, beam) = beam()?;
                Some((
                    parameters.expected(modifier, beam, plane, at),
                    beam,
                    Light::Beam,
                ))
            }
            Collector::Concentrating(parameters) => {
                let (modifier, beam) = beam()?;
                Some((parameters.expected(modifier, beam, at), beam, Light::Beam))
            }
        }
    }
}

/// The two pipes of a heat meter.
fn pipes(heat: &Arc<str>) -> [Input; 2] {
    ["temp_supply", "temp_return"].map(|quantity| Input {
        meter: Arc::clone(heat),
        quantity: Arc::from(quantity),
    })
}

/// The sun in the middle of an hour.
fn middle(park: &Park, slots: &[&Slot]) -> Option<Sun> {
    let start = slots.first()?.span.start.as_second();
    Some(sun(park.latitude, park.longitude, start + HOUR_MS / 2_000))
}
