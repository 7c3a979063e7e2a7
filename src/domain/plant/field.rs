//! A solar field: how much of the light on the mirrors in focus became heat.

use std::sync::Arc;

use super::books::{Slot, kwh, total};
use super::guarantee::Guarantee;
use super::input::Input;
use super::live::{Moment, Trackers};
use super::number::{Indicator, Number, all, derived, rests_on};
use crate::domain::flow::{Known, Stated};
use crate::domain::heat::field::{Basis, efficiency};
use crate::domain::heat::focus::{self, Demand, Pointing, in_focus};
use crate::domain::heat::incidence::{Axis, Meeting, Modifier};
use crate::domain::heat::system::specific_yield;
use crate::domain::meter::{Carrier, Park};
use crate::domain::quality::{Gaps, Reason};
use crate::domain::stated::combine;
use crate::domain::sun::{Sun, sun};

/// Mirrors that turn together, and the sensors of their drive.
#[derive(Debug, Clone, PartialEq)]
pub struct Mount {
    /// Net aperture, m².
    pub aperture_m2: f64,
    /// The angle at which it stands, counted as the axis does.
    pub angle: Option<Input>,
    /// How far it stands from where the drive wants it, degrees.
    pub deviation: Option<Input>,
    /// Whether it is stowed: not zero.
    pub stow: Option<Input>,
}

/// A field of collectors.
#[derive(Debug, Clone, PartialEq)]
pub struct SolarField {
    /// The meter of its heat.
    pub heat: Arc<str>,
    /// Net aperture of all of it, m².
    pub aperture_m2: f64,
    /// The axis that its mounts turn about.
    pub axis: Option<Axis>,
    /// What its collectors make of the incidence angle.
    pub modifier: Option<Modifier>,
    /// Direct normal irradiance.
    pub dni: Option<Input>,
    /// Below this there is no efficiency, W/m².
    pub least_dni: f64,
    /// Its mounts; where there are none, all of it is taken to be in focus.
    pub mounts: Vec<Mount>,
    /// How far from the sun a mount still is in focus, degrees.
    pub focus_limit_deg: f64,
    /// What its collectors promise.
    pub guarantee: Option<Guarantee>,
}

/// What the mounts do.
struct Pointed {
    trackers: Trackers,
    aperture: Stated<f64>,
}

impl SolarField {
    pub(super) fn inputs(&self) -> Vec<Input> {
        let mounts = self.mounts.iter();
        let of_mounts = mounts.flat_map(|one| [&one.angle, &one.deviation, &one.stow]);
        let mut inputs: Vec<Input> = self.dni.iter().cloned().collect();
        inputs.extend(of_mounts.flatten().cloned());
        inputs.extend(self.guarantee.iter().flat_map(|one| one.inputs(&self.heat)));
        inputs
    }

    /// Where each mount stands, and the aperture that is in focus.
    fn pointed(&self, sun: &Sun, read: &dyn Fn(&Input) -> Stated<f64>) -> Pointed {
        let up = sun.elevation_deg > 0.0;
        let met = self.axis.and_then(|axis| axis.meet(sun));
        let demand = match met {
            Some(meeting) => Demand::Angle(meeting.demanded_deg),
            // A deviation is told without an axis, too.
            None if up => Demand::Angle(0.0),
            None => Demand::SunDown,
        };
        let demanded = met.map_or(0.0, |meeting| meeting.demanded_deg);
        let mut trackers = Trackers::default();
        let mut missing: Option<Gaps> = None;
        let mut rests = Known::given(());
        let mut mounts = Vec::new();
        for mount in &self.mounts {
            let (pointing, stated) = mount.pointing(demanded, read);
            match &stated {
                Ok(known) => {
                    rests.quality = rests.quality.worst(known.quality);
                    rests.oldest = [rests.oldest, known.oldest].into_iter().flatten().min();
                    rests.coverage_pct = rests.coverage_pct.min(known.coverage_pct);
                }
                Err(gaps) => match &mut missing {
                    Some(all) => all.join(gaps),
                    none => *none = Some(gaps.clone()),
                },
            }
            let mount = focus::Mount {
                aperture_m2: mount.aperture_m2,
                pointing,
            };
            let alone = in_focus(&[mount], demand, self.focus_limit_deg);
            match (pointing, demand, alone) {
                (None, ..) | (.., Err(_)) => trackers.unknown += 1,
                (Some(Pointing::Stowed), ..) => trackers.stowed += 1,
                (Some(_), Demand::SunDown, _) => trackers.resting += 1,
                (Some(_), _, Ok(focus)) if focus.mounts == 1 => trackers.in_focus += 1,
                (Some(_), ..) => trackers.deviating += 1,
            }
            mounts.push(mount);
        }
        let aperture = match in_focus(&mounts, demand, self.focus_limit_deg) {
            Ok(_) if self.mounts.is_empty() => Ok(Known::given(self.aperture_m2)),
            Ok(focus) => Ok(derived(rests.with(focus.aperture_m2))),
            Err(_) => Err(missing.unwrap_or_else(Gaps::config)),
        };
        Pointed { trackers, aperture }
    }

    /// Where the mounts stood in the mean of an interval.
    fn pointed_in(&self, park: &Park, slot: &Slot) -> Pointed {
        let (start, end) = (slot.span.start.as_second(), slot.span.end.as_second());
        let sun = sun(park.latitude, park.longitude, start.midpoint(end));
        self.pointed(&sun, &|input| slot.mean(input))
    }

    /// Whether all mirrors were in focus in an interval; with the sun down none has to be.
    ///
    /// # Errors
    ///
    /// The mounts that do not say where they stood.
    pub(super) fn focused(&self, park: &Park, slot: &Slot) -> Stated<bool> {
        let Pointed { trackers, aperture } = self.pointed_in(park, slot);
        aperture.map(|known| known.with(trackers.stowed + trackers.deviating == 0))
    }

    pub(super) fn now(&self, moment: &Moment<'_>) -> (Vec<Number>, Option<Trackers>) {
        let heat = (moment.power)(&self.heat, Carrier::Heat);
        let dni = self
            .dni
            .as_ref()
            .map_or_else(|| Err(Gaps::config()), moment.read);
        let pointed = self.pointed(&moment.sun, moment.read);
        let met = self.axis.map(|axis| axis.meet(&moment.sun));
        let down = "the sun is down";
        let per_aperture = all([&heat, &pointed.aperture]).map(|known| {
            let [heat, aperture] = known.value;
            derived(known.with(specific_yield(heat, aperture)))
        });
        let mut numbers = vec![
            Number::new("heat_w", heat.clone()),
            Number::new("dni_w_m2", dni.clone()),
            Number::new("aperture_in_focus_m2", pointed.aperture.clone()),
            Number::ratio(
                "power_per_aperture_w_m2",
                per_aperture,
                "no mirror is in focus",
            ),
        ];
        if let Some(met) = met {
            let angle = met.map(|meeting| meeting.incidence_deg);
            numbers.push(Number::ratio(
                "incidence_deg",
                Ok(Known::given(angle)),
                down,
            ));
            if self.modifier.is_some() {
                let k = met.and_then(|meeting| self.modified(meeting));
                let note = if met.is_none() {
                    down
                } else {
                    "the modifier ends before this angle"
                };
                numbers.push(Number::ratio("modifier", Ok(Known::given(k)), note));
            }
        }
        let efficient = |name, of: &dyn Fn(f64, f64, f64) -> Option<f64>| {
            let stated = all([&heat, &dni, &pointed.aperture]).map(|known| {
                let [heat, dni, aperture] = known.value;
                let light = dni >= self.least_dni;
                derived(known.with(if light { of(heat, dni, aperture) } else { None }))
            });
            let dark = dni.as_ref().is_ok_and(|known| known.value < self.least_dni);
            let note = if dark {
                format!("below {} W/m2 of direct light", self.least_dni)
            } else {
                "no mirror is in focus, or nothing is known of this incidence angle".to_owned()
            };
            Number::ratio(name, stated, &note)
        };
        numbers.push(efficient("efficiency_dni", &|heat, dni, aperture| {
            efficiency(heat, dni, aperture, Basis::DirectNormal)
        }));
        if let Some(met) = met {
            numbers.push(efficient("efficiency_beam", &|heat, dni, aperture| {
                let incidence_deg = met?.incidence_deg;
                efficiency(heat, dni, aperture, Basis::BeamInAperture { incidence_deg })
            }));
            if self.modifier.is_some() {
                numbers.push(efficient("efficiency_modified", &|heat, dni, aperture| {
                    let k = self.modified(met?)?;
                    efficiency(heat, dni * k, aperture, Basis::DirectNormal)
                }));
            }
        }
        let trackers = (!self.mounts.is_empty()).then_some(pointed.trackers);
        (numbers, trackers)
    }

    /// K of the incidence angle that is left, cosine included.
    fn modified(&self, meeting: Meeting) -> Option<f64> {
        self.modifier.as_ref()?.with_cosine(meeting.incidence_deg)
    }

    pub(super) fn indicators(
        &self,
        park: &Park,
        before: Option<&Slot>,
        slots: &[Slot],
    ) -> Vec<Indicator> {
        let heat = |slot: &Slot| slot.net(park, &self.heat, Carrier::Heat);
        let sum = total(slots, |slot| vec![heat(slot)]);
        let yielded = |sums: &[f64]| specific_yield(kwh(sums)?, self.aperture_m2);
        let mut indicators = vec![
            sum.indicator("heat", "kWh", kwh),
            sum.indicator("specific_yield", "kWh/m2", yielded),
        ];
        if let Some(dni) = &self.dni {
            let both = total(slots, |slot| {
                let area = self.pointed_in(park, slot).aperture;
                let area = area.map(|known| known.with(known.value * slot.hours()));
                vec![
                    heat(slot),
                    combine(&slot.mean(dni), &area, |dni, area| dni * area),
                ]
            });
            // The light is a sum of light on the aperture that was in focus in each interval.
            let of = |sums: &[f64]| match sums {
                [heat, light] => efficiency(heat / 1e3, *light, 1.0, Basis::DirectNormal),
                _ => None,
            };
            let indicator = both.indicator("efficiency_dni", "", of);
            indicators.push(indicator.noted(if self.mounts.is_empty() {
                "of the direct light on the whole aperture: no mount says where it stands"
            } else {
                "of the direct light on the aperture that was in focus"
            }));
        }
        if let Some(guarantee) = &self.guarantee {
            indicators.extend(guarantee.indicators(self, park, before, slots));
        }
        indicators
    }
}

impl Mount {
    /// What it does, and what that rests on.
    fn pointing(
        &self,
        demanded_deg: f64,
        read: &dyn Fn(&Input) -> Stated<f64>,
    ) -> (Option<Pointing>, Stated<()>) {
        let stow = self.stow.as_ref().map(read);
        if let Some(Ok(known)) = &stow
            && known.value != 0.0
        {
            return (Some(Pointing::Stowed), Ok(known.with(())));
        }
        let deviation = self.deviation.as_ref().map(read);
        let at = match (deviation, &self.angle) {
            (Some(deviation), _) => deviation.map(|known| known.with(demanded_deg + known.value)),
            (None, Some(angle)) => read(angle),
            (None, None) => Err(Gaps::config()),
        };
        // Whoever does not say whether it is stowed may be, wherever it stands.
        let both = match &stow {
            Some(stow) => combine(&at, stow, |at, _| at),
            None => at,
        };
        let pointing = both.as_ref().ok().map(|known| Pointing::At(known.value));
        (pointing, rests_on(&[&both]))
    }
}

/// What a number that cannot be computed from known inputs is called.
pub(super) fn impossible(id: &Arc<str>) -> Gaps {
    Gaps::one(id, Reason::OutOfRange)
}
