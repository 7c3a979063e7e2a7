//! Check 14: a register against its power, a volume against its flow, day by day.

use std::sync::Arc;

use super::super::ear::Ear;
use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Site, need};
use super::super::node::Node;
use super::super::pair::{Pair, Sums};
use super::super::settings::{CheckSettings, limits};
use super::super::table::{Subject, each};
use crate::domain::closure::{Drift, DriftLevel, DriftLimits, drift};
use crate::domain::interval::{Origin, channels};
use crate::domain::meter::{Meter, Park};
use crate::domain::units::{MilliwattHours, to_f64, to_i64};

/// A meter of class 1, and the trapezoids of its power.
const PERCENT: f64 = 1.0;
/// Below this part of a day at the nameplate, errors at low load are the difference.
const LEAST_PART: f64 = 0.01;
/// Part of a day that must be compared.
const COVERED: f64 = 0.5;
/// Counts of a register that are its rounding: at the beginning and end.
const COUNTS: f64 = 2.0;
/// Counts from which on a day of a meter without a nameplate says anything: their
/// rounding is a small part.
const LEAST_COUNTS: f64 = 400.0;
/// Part of a day, an hour, from which on today says anything.
const LEAST_DAY: f64 = 1.0 / 24.0;

limits! {
    percent: PERCENT "%" 0.1 to 100.0 "how far they may be apart, of what was counted";
    part: LEAST_PART "" 0.0 to 1.0 "part of a day at rated power that must have flowed";
}

pub fn subjects(park: &Park, _: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |meter| {
        let Some(meter) = park.meters.get(meter) else {
            return false;
        };
        let counted = |channel: &(_, Origin)| matches!(channel.1, Origin::Register(_));
        let both = |a, b| meter.point(a).is_some() && meter.point(b).is_some();
        let power = both("power", "power") || both("heat_power", "heat_power");
        (power && channels(meter).iter().any(counted)) || both("volume", "flow")
    })
}

pub fn judge(look: &Look<'_>, _: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let ear = need!(look.ear(), "nothing was heard of it");
    let rated = look.rated();
    let mut judged = Judged::Not("too little flowed, or too little of the day is known");
    let pairs = ear.energy.iter().zip(&ear.registers);
    for (pair, register) in pairs {
        let (Some(register), Some(rated)) = (register, rated) else {
            continue;
        };
        match of(
            pair,
            &limits,
            register.step_wh,
            limits.part * rated * 24.0,
            true,
        ) {
            Judged::Not(_) => (),
            Judged::Clear => judged = Judged::Clear,
            other => return other,
        }
    }
    let nominal = super::super::heat::nominal_flow(look);
    if let Some(nominal) = nominal {
        match of(
            &ear.volume,
            &limits,
            0.0,
            limits.part * nominal * 24.0,
            false,
        ) {
            Judged::Not(_) => (),
            Judged::Clear => judged = Judged::Clear,
            other => return other,
        }
    }
    judged
}

/// The thresholds of the check, or those where it has none.
pub fn limits(settings: Option<&CheckSettings>) -> Limits {
    Limits::of(settings.map_or(&[][..], |settings| &settings.values))
}

/// What the drift monitor says of a counter of a meter.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterDrift {
    /// The meter.
    pub meter: Arc<str>,
    /// Which of its counters: the positive or negative way of its role, or its volume.
    pub counter: &'static str,
    /// Unit of the sums: Wh or m3.
    pub unit: &'static str,
    /// The day so far.
    pub today: Sums,
    /// The day before; none before the first.
    pub yesterday: Option<Sums>,
    /// All days, this one too.
    pub all: Sums,
    /// How much it matters, of the day before and of today as far as it goes; none where
    /// too little of both is known.
    pub level: Option<DriftLevel>,
}

impl Sums {
    /// Integrated minus counted, as a part of counted; none if nothing was counted.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        drift(
            exact(self.integrated),
            exact(self.counted),
            DriftLimits::default(),
        )?
        .ratio
    }
}

/// The counters of a meter against their flows.
pub fn drifts(meter: &Meter, ear: &Ear, limits: Limits) -> Vec<MeterDrift> {
    let rated = meter.rated.map_or(0.0, |rated| rated.as_watts());
    let of = |counter, unit, pair: &Pair, step: f64, rated: f64| {
        let judge = |sums: &Sums, time: f64| {
            let least = (limits.part * rated * time * 24.0).max(LEAST_COUNTS * step);
            level(sums, &limits, step, least, time)
        };
        let today = pair.today();
        let passed = to_f64(today.covered_ms) / 86_400_000.0;
        let so_far = (passed >= LEAST_DAY).then(|| judge(&today, passed));
        let before = pair.yesterday.map(|day| judge(&day, 1.0));
        let found = [so_far.flatten(), before.flatten()];
        let level = found.into_iter().flatten().map(|found| found.level).max();
        MeterDrift {
            meter: Arc::clone(&meter.id),
            counter,
            unit,
            today,
            yesterday: pair.yesterday,
            all: Sums {
                integrated: pair.before.integrated + today.integrated,
                counted: pair.before.counted + today.counted,
                covered_ms: pair.before.covered_ms + today.covered_ms,
                tainted: false,
            },
            level,
        }
    };
    let mut drifts = Vec::new();
    let ways = ["positive", "negative"];
    for ((way, pair), register) in ways.into_iter().zip(&ear.energy).zip(&ear.registers) {
        if let Some(register) = register.filter(|_| pair.was_compared()) {
            drifts.push(of(way, "Wh", pair, register.step_wh, rated));
        }
    }
    if ear.volume.was_compared() {
        drifts.push(of("volume", "m3", &ear.volume, 0.0, 0.0));
    }
    drifts
}

/// Volumes are compared as the same integers of a thousandth.
fn exact(amount: f64) -> Option<MilliwattHours> {
    Some(MilliwattHours(to_i64(amount * 1_000.0)))
}

/// How much the drift of some time matters; none where too little is known or flowed.
/// `time` is in days.
fn level(sums: &Sums, limits: &Limits, step: f64, least: f64, time: f64) -> Option<Drift> {
    let known = to_f64(sums.covered_ms) >= COVERED * time * 86_400_000.0;
    if sums.tainted || !known || sums.integrated.max(sums.counted) < least {
        return None;
    }
    let allowed = DriftLimits {
        warn: limits.percent / 100.0,
        alarm: limits.percent * 3.0 / 100.0,
        ignored: MilliwattHours(to_i64(COUNTS * step * 1_000.0)),
    };
    drift(exact(sums.integrated), exact(sums.counted), allowed)
}

/// One counter and its flow.
fn of(pair: &Pair, limits: &Limits, step: f64, least: f64, energy: bool) -> Judged {
    let Some(found) = level(&pair.today(), limits, step, least, 1.0) else {
        return Judged::Not("too little flowed, or too little of the day is known");
    };
    if found.level == DriftLevel::Within {
        return Judged::Clear;
    }
    let (what, unit) = if energy {
        (
            "the energy counted in a day, beside its power over time,",
            "Wh",
        )
    } else {
        (
            "the volume counted in a day, beside its flow over time,",
            "m3",
        )
    };
    let cause = if found.level == DriftLevel::Alarm {
        "the scale of one of the two is another one, or the register is that of another direction or tariff"
    } else {
        "the register is of a coarser measurement than the power, or samples of the power are missing"
    };
    let remedy = "compare the register with the meter's display over an hour, then check scales in the configuration";
    seen(what, (pair.counted, pair.integrated, unit), cause, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_judged_where_enough_is_known_and_beyond_the_steps_of_the_register() {
        const DAY_MS: i64 = 86_400_000;
        let sums = |integrated, counted, covered_ms| Sums {
            integrated,
            counted,
            covered_ms,
            tainted: false,
        };
        let wrong = Sums {
            tainted: true,
            ..sums(1_040.0, 1_000.0, DAY_MS)
        };
        let (within, alarm) = (Some(DriftLevel::Within), Some(DriftLevel::Alarm));
        #[rustfmt::skip]
        let cases = [
            // situation                  integrated, counted, known                step  level
            ("they agree",                sums(1_000.0, 1_000.0, DAY_MS),           1.0,  within),
            ("four of a hundred apart",   sums(1_040.0, 1_000.0, DAY_MS),           1.0,  alarm),
            ("two steps of the register", sums(1_040.0, 1_000.0, DAY_MS),           20.0, within),
            ("three steps of it",         sums(1_060.0, 1_000.0, DAY_MS),           20.0, alarm),
            ("half of the day",           sums(1_040.0, 1_000.0, DAY_MS / 2),       1.0,  alarm),
            ("less than half of it",      sums(1_040.0, 1_000.0, DAY_MS / 2 - 1),   1.0,  None),
            ("hardly anything flowed",    sums(99.0, 90.0, DAY_MS),                 1.0,  None),
            ("known to be wrong",         wrong,                                    1.0,  None),
        ];
        for (situation, sums, step, expected) in cases {
            let found = level(&sums, &limits(None), step, 100.0, 1.0);
            assert_eq!(found.map(|found| found.level), expected, "{situation}");
        }
    }
}
