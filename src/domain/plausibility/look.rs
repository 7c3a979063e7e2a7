//! What a check sees: the values that stand, the sun, and what is known of a meter.
//!
//! A number that nobody knows is none, and a check that needs it says so. Where the
//! points of a meter are is found out once and not at each look.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::ear::Ear;
use super::node::{Means, Node};
use super::settings::Facts;
use crate::domain::flow::{Powers, Stated};
use crate::domain::heat::fluid::Fluid;
use crate::domain::meter::{Carrier, Meter, MeterIndex, Park, PointIndex};
use crate::domain::snapshot::{Snapshot, Value};
use crate::domain::units::{to_f64, to_i64};

macro_rules! points {
    ($($variant:ident $name:literal)*) => {
        /// A quantity that checks look at.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Q { $(#[doc = $name] $variant,)* }
        /// Their names, in the order of the variants.
        const NAMES: &[&str] = &[$($name,)*];
    };
}

points! {
    Power "power" PowerL1 "power_l1" PowerL2 "power_l2" PowerL3 "power_l3"
    VoltageL1 "voltage_l1" VoltageL2 "voltage_l2" VoltageL3 "voltage_l3"
    CurrentL1 "current_l1" CurrentL2 "current_l2" CurrentL3 "current_l3"
    Frequency "frequency" PowerFactor "power_factor" FactorL1 "power_factor_l1"
    FactorL2 "power_factor_l2" FactorL3 "power_factor_l3" Reactive "reactive_power"
    Apparent "apparent_power" Soc "soc" HeatPower "heat_power" Flow "flow"
    Supply "temp_supply" Return "temp_return" Temp "temp" Pressure "pressure" Dni "dni"
    Ghi "ghi" Dhi "dhi" Level "level" Status "status" Clock "clock"
    ClockLocal "clock_local"
}

/// The powers of the phases.
pub const POWERS: [Q; 3] = [Q::PowerL1, Q::PowerL2, Q::PowerL3];
/// The voltages of the phases.
pub const VOLTAGES: [Q; 3] = [Q::VoltageL1, Q::VoltageL2, Q::VoltageL3];
/// The currents of the phases.
pub const CURRENTS: [Q; 3] = [Q::CurrentL1, Q::CurrentL2, Q::CurrentL3];

/// Where the points of a meter are.
#[derive(Debug, Clone)]
pub struct Layout {
    at: Box<[Option<PointIndex>]>,
}

impl Layout {
    /// Of a meter.
    pub fn new(meter: &Meter) -> Self {
        Self {
            at: NAMES.iter().map(|name| meter.point(name)).collect(),
        }
    }

    /// The point of a quantity.
    #[allow(clippy::as_conversions)]
    pub fn point(&self, q: Q) -> Option<PointIndex> {
        self.at.get(q as usize).copied().flatten()
    }
}

/// What never changes while the checks run.
pub struct Site {
    /// Points by meter.
    pub layouts: Vec<Layout>,
    /// Facts by meter.
    pub facts: Vec<Facts>,
    /// The first meter with direct irradiance.
    pub dni: Option<MeterIndex>,
}

/// One moment, for every check.
pub struct Moment<'a> {
    /// When.
    pub now: Timestamp,
    /// The flows.
    pub powers: &'a Powers,
    /// The last word of every meter.
    pub snapshot: &'a Snapshot,
    /// The power of a meter in a balance, W.
    pub power: &'a dyn Fn(MeterIndex, Carrier) -> Stated<f64>,
}

/// What one check of one subject sees.
pub struct Look<'a> {
    /// The park.
    pub park: &'a Park,
    /// What never changes.
    pub site: &'a Site,
    /// The moment.
    pub moment: &'a Moment<'a>,
    /// The sun over the park, degrees.
    pub sun_elevation: f64,
    /// What was heard of each meter.
    pub ears: &'a [Ear],
    /// The nodes of the balances.
    pub nodes: &'a [Node],
    /// The meters concerned, the first above all.
    pub meters: &'a [MeterIndex],
    /// Place of the node concerned, where the check is of one.
    pub node: Option<usize>,
    /// Thresholds.
    pub values: &'a [f64],
    /// Milliseconds since the look before.
    pub ms: i64,
}

/// What a check remembers from one look to the next.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// What was normal when it was first seen.
    pub normal: Option<f64>,
    /// Smoothed values.
    pub smooth: Option<[f64; 2]>,
    /// A value and its moment in ms.
    pub last: Option<(i64, f64)>,
    /// A row of intervals.
    pub watch: Option<crate::domain::closure::Watch>,
}

impl Memory {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Smooths two values over `minutes`, and answers once they are smooth.
    pub fn smoothed(&mut self, values: [f64; 2], ms: i64, minutes: f64) -> [f64; 2] {
        let part = 1.0 - (-to_f64(ms) / (minutes * 60_000.0)).exp();
        let mut smooth = self.smooth.unwrap_or(values);
        for (smooth, value) in smooth.iter_mut().zip(values) {
            *smooth += (value - *smooth) * part;
        }
        self.smooth = Some(smooth);
        smooth
    }
}

impl<'a> Look<'a> {
    /// The meter above all.
    pub fn first(&self) -> MeterIndex {
        self.meters.first().copied().unwrap_or(usize::MAX)
    }

    /// The meter above all, as the configuration describes it.
    pub fn meter(&self) -> Option<&'a Meter> {
        self.park.meters.get(self.first())
    }

    /// What is known of a meter and no device says.
    pub fn facts_of(&self, meter: MeterIndex) -> Option<&'a Facts> {
        self.site.facts.get(meter)
    }

    /// What is known of the meter above all.
    pub fn facts(&self) -> Option<&'a Facts> {
        self.facts_of(self.first())
    }

    /// What was heard of the meter above all.
    pub fn ear(&self) -> Option<&'a Ear> {
        self.ears.get(self.first())
    }

    /// A value of a meter that stands, and when it was read.
    fn standing(&self, index: MeterIndex, q: Q) -> Option<(f64, Timestamp)> {
        let point = self.site.layouts.get(index)?.point(q)?;
        let meter = self.park.meters.get(index)?;
        let (snapshot, now) = (self.moment.snapshot, self.moment.now);
        let standing = snapshot.standing(meter, index, point, now).ok()?;
        match standing.value {
            Value::Analog(value) => Some((value, standing.at)),
            Value::Count(_) | Value::Scaled { .. } => None,
        }
    }

    /// A value of a meter that stands.
    pub fn value_of(&self, index: MeterIndex, q: Q) -> Option<f64> {
        self.standing(index, q).map(|(value, _)| value)
    }

    /// How far the clock that the meter above all shows is ahead of the time at which it
    /// was read, s.
    pub fn clock_ahead_s(&self) -> Option<f64> {
        let ahead = |shown: f64, at: Timestamp| shown - to_f64(at.as_millisecond()) / 1e3;
        if let Some((shown, at)) = self.standing(self.first(), Q::Clock) {
            return Some(ahead(shown, at));
        }
        let (shown, at) = self.standing(self.first(), Q::ClockLocal)?;
        let candidates = instants(&self.park.time_zone, shown).into_iter().flatten();
        candidates
            .map(|instant| ahead(instant, at))
            .min_by(|a, b| a.abs().total_cmp(&b.abs()))
    }

    /// A value of the meter above all that stands.
    pub fn value(&self, q: Q) -> Option<f64> {
        self.value_of(self.first(), q)
    }

    /// Three values of the meter above all.
    pub fn three(&self, qs: [Q; 3]) -> Option<[f64; 3]> {
        let [a, b, c] = qs.map(|q| self.value(q));
        Some([a?, b?, c?])
    }

    /// Voltage times current of each phase, VA.
    pub fn volt_amperes(&self) -> Option<[f64; 3]> {
        let mut loads = self.three(VOLTAGES)?;
        for (load, amperes) in loads.iter_mut().zip(self.three(CURRENTS)?) {
            *load *= amperes.abs();
        }
        Some(loads)
    }

    /// The power of a meter in a balance, W.
    pub fn power_of(&self, meter: MeterIndex, carrier: Carrier) -> Option<f64> {
        (self.moment.power)(meter, carrier)
            .ok()
            .map(|known| known.value)
    }

    /// The power of the meter above all in its first balance; of one in no balance, what
    /// it says itself.
    pub fn power(&self) -> Option<f64> {
        let role = self.meter()?.role;
        match (role.electricity, role.heat) {
            (Some(_), _) => self.power_of(self.first(), Carrier::Electricity),
            (None, Some(_)) => self.power_of(self.first(), Carrier::Heat),
            (None, None) => self.value(Q::Power),
        }
    }

    /// The nameplate of the meter above all, W; of one in both balances that of electricity.
    pub fn rated(&self) -> Option<f64> {
        self.meter()?.rated.map(|rated| rated.as_watts())
    }

    /// The nameplate of its heat, W.
    pub fn rated_heat(&self) -> Option<f64> {
        let rated = self.meter()?.rated_of(Carrier::Heat);
        rated.map(|rated| rated.as_watts())
    }

    /// What flows in a meter, where that is told.
    pub fn fluid(&self) -> Option<Fluid> {
        let told = self.facts().and_then(|facts| facts.fluid);
        let settled = self.meter().and_then(|meter| meter.heat_from_flow);
        told.or_else(|| settled.map(|heat| heat.place.fluid))
    }

    /// The pressure in a meter, Pa absolute, measured or told.
    pub fn pressure(&self) -> Option<f64> {
        let settled = self.meter().and_then(|meter| meter.heat_from_flow);
        let told = self.facts().and_then(|facts| facts.pressure_pa);
        let told = told.or_else(|| settled.map(|heat| heat.place.pressure_pa));
        self.value(Q::Pressure).or(told)
    }

    /// The last whole interval of the balance that a meter stands in: its mean power,
    /// and what it would be if the others are right.
    pub fn by_balance(&self, meter: MeterIndex) -> Option<(f64, f64)> {
        let balances = self.nodes.iter().filter(|node| !node.is_feeder());
        balances.into_iter().find_map(|node| node.latest_of(meter))
    }

    /// The means of the node concerned, if an interval ended and they are new.
    pub fn means(&self) -> Option<(&'a Node, &'a Means)> {
        let node = self.nodes.get(self.node?)?;
        Some((node, node.latest.as_ref()?))
    }
}

/// The instants, s since 1970, at which a clock on civil time shows so many seconds since
/// 1970: two in the hour that a day has twice.
fn instants(zone: &TimeZone, shown: f64) -> [Option<f64>; 2] {
    let civil = Timestamp::from_second(to_i64(shown.floor())).ok();
    let both = civil.map(|at| zone.to_ambiguous_timestamp(TimeZone::UTC.to_datetime(at)));
    let instant = |at: Result<Timestamp, jiff::Error>| {
        let second = at.ok()?.as_second();
        Some(to_f64(second) + (shown - shown.floor()))
    };
    both.map_or([None, None], |both| {
        [instant(both.earlier()), instant(both.later())]
    })
}

/// A value, or that the check cannot judge without.
macro_rules! need {
    ($value:expr, $because:literal) => {
        match $value {
            Some(value) => value,
            None => return $crate::domain::plausibility::finding::Judged::Not($because),
        }
    };
}
pub(super) use need;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::meter::Quantity;

    #[test]
    fn every_quantity_that_is_looked_at_exists() {
        for name in NAMES {
            assert!(Quantity::named(name).is_some(), "{name}");
        }
    }

    /// Berlin had half past two twice on 26 October 2025, and never on 30 March.
    #[test]
    fn a_clock_on_civil_time_may_show_an_hour_twice() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let second = |text: &str| to_f64(text.parse::<Timestamp>().unwrap().as_second());
        let cases = [
            (
                "2025-07-01T12:00:00Z",
                ["2025-07-01T10:00:00Z", "2025-07-01T10:00:00Z"],
            ),
            (
                "2025-12-01T12:00:00Z",
                ["2025-12-01T11:00:00Z", "2025-12-01T11:00:00Z"],
            ),
            (
                "2025-10-26T02:30:00Z",
                ["2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"],
            ),
            (
                "2025-03-30T02:30:00Z",
                ["2025-03-30T00:30:00Z", "2025-03-30T01:30:00Z"],
            ),
        ];
        for (shown, expected) in cases {
            let found = instants(&zone, second(shown) + 0.25);
            assert_eq!(found, expected.map(|at| Some(second(at) + 0.25)), "{shown}");
        }
        assert_eq!(instants(&zone, f64::MAX), [None, None]);
    }
}
