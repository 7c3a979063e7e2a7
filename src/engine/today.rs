//! Today's ratios: self-consumption, self-sufficiency, solar fraction.
//!
//! Ratios are ratios of summed energies, never means of ratios. They cover the
//! park's local day so far, closed intervals and the open ones. If a needed energy
//! of any of them is unknown, so is the ratio: a partial sum would pass for a
//! whole one. 0/0 is unknown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::balance::ratio;
use crate::domain::flow::Flow;
use crate::domain::interval::Interval;
use crate::domain::time::{day, local_date};
use crate::domain::units::MilliwattHours;

/// Ratios of a day's energies.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ratios {
    /// Part of generation that is used on site.
    pub self_consumption: Option<f64>,
    /// Part of the load that needs no grid.
    pub self_sufficiency: Option<f64>,
    /// Part of the heat made that comes from the solar field.
    pub solar_fraction: Option<f64>,
    /// Start of the first interval they cover.
    pub from: Option<Timestamp>,
}

/// The settled intervals of today.
#[derive(Debug, Default)]
pub struct Today {
    intervals: BTreeMap<i64, Interval>,
}

impl Today {
    /// Takes in an interval, or its next revision.
    pub fn settle(&mut self, interval: &Interval) {
        self.intervals
            .insert(interval.span.start.as_millisecond(), interval.clone());
    }

    /// The ratios at `now`.
    pub fn ratios(&mut self, now: Timestamp, zone: &TimeZone, open: &[Interval]) -> Ratios {
        let Some(today) = day(local_date(now, zone), zone) else {
            return Ratios::default();
        };
        let midnight = today.start.as_millisecond();
        self.intervals = self.intervals.split_off(&midnight);
        let settled = self.intervals.values();
        let all: Vec<&Interval> = settled
            .chain(open.iter().filter(|open| open.span.start >= today.start))
            .filter(|interval| interval.span.start < today.end)
            .collect();
        let sum = |flow: Flow| -> Option<f64> {
            let total: Option<MilliwattHours> = all
                .iter()
                .map(|interval| {
                    interval
                        .flows
                        .of(flow)
                        .as_ref()
                        .ok()
                        .map(|known| known.value)
                })
                .sum();
            total.map(MilliwattHours::as_watt_hours)
        };
        let sufficiency = ratio(sum(Flow::Import), sum(Flow::Load)).map(|import| 1.0 - import);
        let solar = sum(Flow::SolarField);
        let made = [
            Flow::SolarField,
            Flow::Boilers,
            Flow::ElectricBoiler,
            Flow::HeatPump,
        ]
        .into_iter()
        .map(sum)
        .sum::<Option<f64>>();
        Ratios {
            self_consumption: ratio(sum(Flow::SelfConsumption), sum(Flow::Generation)),
            self_sufficiency: sufficiency,
            solar_fraction: ratio(solar, made),
            from: all.iter().map(|interval| interval.span.start).min(),
        }
    }
}
