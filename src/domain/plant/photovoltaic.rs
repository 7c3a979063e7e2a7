//! A photovoltaic plant: yields, performance ratio, and what it was not allowed to make.

use std::sync::Arc;

use super::books::{Slot, first, total};
use super::input::Input;
use super::live::Moment;
use super::number::{Indicator, Number, all, derived, rests_on};
use crate::domain::flow::Stated;
use crate::domain::meter::{Carrier, Park};
use crate::domain::photovoltaic::{self, Performance, Step};
use crate::domain::quality::Gaps;
use crate::domain::stated::combine;
use crate::domain::sun::{Sun, sun};

/// Part of the light that the ground before the modules sends up, where nobody measured it.
const GROUND: f64 = 0.2;

/// Where the irradiance in the plane of the modules comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Irradiance {
    /// A sensor in that plane.
    Plane(Input),
    /// Computed from direct and diffuse light and the way the modules look; the sky is
    /// taken as evenly bright.
    Computed {
        /// Direct normal irradiance.
        dni: Input,
        /// Diffuse light on the level.
        dhi: Input,
        /// From the level, degrees.
        tilt_deg: f64,
        /// Where they look, degrees from north over east.
        azimuth_deg: f64,
    },
}

/// A plant of modules.
#[derive(Debug, Clone, PartialEq)]
pub struct Photovoltaic {
    /// The meter of its alternating current.
    pub meter: Arc<str>,
    /// Its type plate.
    pub plate: photovoltaic::Plant,
    /// The light in the plane of the modules, where it is known.
    pub irradiance: Option<Irradiance>,
    /// Temperature of the modules.
    pub module: Option<Input>,
    /// The power that it could make, W.
    pub available: Option<Input>,
    /// The power that it is kept from making, W.
    pub curtailed: Option<Input>,
}

/// Irradiance in a plane, W/m²: direct light by its angle, the sky, and the ground.
#[must_use]
pub fn in_plane(sun: &Sun, dni: f64, dhi: f64, tilt_deg: f64, azimuth_deg: f64) -> f64 {
    let [east, north, up] = sun.direction();
    let (sin_tilt, cos_tilt) = tilt_deg.to_radians().sin_cos();
    let (sin_azimuth, cos_azimuth) = azimuth_deg.to_radians().sin_cos();
    let cos_incidence = up * cos_tilt + sin_tilt * (east * sin_azimuth + north * cos_azimuth);
    // What comes from behind the modules does not meet them, and no light from below the
    // horizon: this maximum is the geometry, not a cut of a measured value.
    let direct = if up > 0.0 {
        dni * cos_incidence.max(0.0)
    } else {
        0.0
    };
    let level = dhi + if up > 0.0 { dni * up } else { 0.0 };
    direct + dhi * (1.0 + cos_tilt) / 2.0 + level * GROUND * (1.0 - cos_tilt) / 2.0
}

impl Photovoltaic {
    pub(super) fn inputs(&self) -> Vec<Input> {
        let light = match &self.irradiance {
            None => Vec::new(),
            Some(Irradiance::Plane(plane)) => vec![plane.clone()],
            Some(Irradiance::Computed { dni, dhi, .. }) => vec![dni.clone(), dhi.clone()],
        };
        let rest = [&self.module, &self.available, &self.curtailed];
        light
            .into_iter()
            .chain(rest.into_iter().flatten().cloned())
            .collect()
    }

    /// Whether something says what it was kept from making.
    #[must_use]
    pub fn says_curtailed(&self) -> bool {
        self.available.is_some() || self.curtailed.is_some()
    }

    /// Irradiance in the plane, W/m².
    fn light(&self, sun: &Sun, read: &dyn Fn(&Input) -> Stated<f64>) -> Stated<f64> {
        match &self.irradiance {
            None => Err(Gaps::config()),
            Some(Irradiance::Plane(plane)) => read(plane),
            Some(Irradiance::Computed {
                dni,
                dhi,
                tilt_deg,
                azimuth_deg,
            }) => {
                let known = all([&read(dni), &read(dhi)])?;
                let [dni, dhi] = known.value;
                Ok(derived(known.with(in_plane(
                    sun,
                    dni,
                    dhi,
                    *tilt_deg,
                    *azimuth_deg,
                ))))
            }
        }
    }

    pub(super) fn now(&self, moment: &Moment<'_>) -> Vec<Number> {
        let power = (moment.power)(&self.meter, Carrier::Electricity);
        let light = self.light(&moment.sun, moment.read);
        let mut numbers = vec![
            Number::new("power_w", power.clone()),
            Number::new("irradiance_w_m2", light),
        ];
        if let Some(module) = &self.module {
            numbers.push(Number::new("module_degc", (moment.read)(module)));
        }
        if self.says_curtailed() {
            let kept = match (&self.curtailed, &self.available) {
                (Some(curtailed), _) => (moment.read)(curtailed),
                (None, Some(available)) => {
                    combine(&(moment.read)(available), &power, |could, does| {
                        could - does
                    })
                }
                (None, None) => Err(Gaps::config()),
            };
            numbers.push(Number::new("curtailed_w", kept));
        }
        numbers
    }

    /// What it was kept from making in an interval, milliwatt-hours.
    pub(super) fn curtailed(&self, park: &Park, slot: &Slot) -> Stated<f64> {
        let energy = |input: &Input| {
            let mean = slot.mean(input)?;
            Ok(derived(mean.with(mean.value * slot.hours() * 1e3)))
        };
        match (&self.curtailed, &self.available) {
            (Some(curtailed), _) => energy(curtailed),
            (None, Some(available)) => {
                let made = slot.side(park, &self.meter, Carrier::Electricity, true);
                combine(&energy(available), &made, |could, did| could - did)
            }
            (None, None) => Err(Gaps::config()),
        }
    }

    /// Energy, irradiance and temperature of an interval.
    fn step(&self, park: &Park, slot: &Slot) -> [Stated<f64>; 3] {
        let middle = slot
            .span
            .start
            .as_second()
            .midpoint(slot.span.end.as_second());
        let sun = sun(park.latitude, park.longitude, middle);
        let read = |input: &Input| slot.mean(input);
        [
            slot.side(park, &self.meter, Carrier::Electricity, true),
            self.light(&sun, &read),
            self.module.as_ref().map_or(Err(Gaps::config()), read),
        ]
    }

    pub(super) fn indicators(&self, park: &Park, slots: &[Slot]) -> Vec<Indicator> {
        // Over the intervals in which everything that is needed is known.
        let performance = |needs: usize| -> Performance {
            let steps: Vec<Step> = slots
                .iter()
                .filter_map(|slot| {
                    let all = self.step(park, slot);
                    let known: Vec<f64> = all
                        .iter()
                        .take(needs)
                        .map(|one| one.as_ref().ok().map(|known| known.value))
                        .collect::<Option<_>>()?;
                    let mut known = known.into_iter();
                    Some(Step {
                        hours: slot.hours(),
                        energy_kwh: known.next()? / 1e6,
                        irradiance: known.next().unwrap_or(0.0),
                        module_celsius: known.next().unwrap_or(self.plate.corrected_to),
                    })
                })
                .collect();
            self.plate.performance(&steps)
        };
        let resting = |needs: usize| {
            total(slots, |slot| {
                let all = self.step(park, slot);
                let needed: Vec<&Stated<f64>> = all.iter().take(needs).collect();
                vec![rests_on(&needed).map(|known| known.with(0.0))]
            })
        };
        let made = resting(1).indicator("specific_yield", "kWh/kWp", |_| {
            performance(1).final_yield_h
        });
        let mut indicators = vec![made];
        if self.irradiance.is_some() {
            let light = total(slots, |slot| {
                let [_, light, _] = self.step(park, slot);
                vec![light.map(|known| known.with(known.value * slot.hours() / 1e3))]
            });
            indicators.push(light.indicator("reference_yield", "h", first));
            let ratio = resting(2).indicator("performance_ratio", "", |_| performance(2).ratio);
            indicators.push(ratio);
        }
        if self.irradiance.is_some() && self.module.is_some() {
            let name = "performance_ratio_stc";
            indicators.push(resting(3).indicator(name, "", |_| performance(3).corrected_ratio));
        }
        indicators
    }
}
