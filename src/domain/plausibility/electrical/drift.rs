//! Check 14: a register against its power, a volume against its flow, day by day.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Site, need};
use super::super::node::Node;
use super::super::pair::Pair;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::closure::{DriftLevel, DriftLimits, drift};
use crate::domain::interval::{Origin, channels};
use crate::domain::meter::Park;
use crate::domain::units::{MilliwattHours, to_f64, to_i64};

/// A meter of class 1, and the trapezoids of its power.
const PERCENT: f64 = 1.0;
/// Below this part of a day at the nameplate, errors at low load are the difference.
const LEAST_PART: f64 = 0.01;
/// Part of a day that must be compared.
const COVERED: f64 = 0.5;
/// Counts of a register that are its rounding: at the beginning and end.
const COUNTS: f64 = 2.0;

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

/// One counter and its flow.
fn of(pair: &Pair, limits: &Limits, step: f64, least: f64, energy: bool) -> Judged {
    let known = to_f64(pair.covered_ms) >= COVERED * 86_400_000.0;
    if pair.tainted || !known || pair.integrated.max(pair.counted) < least {
        return Judged::Not("too little flowed, or too little of the day is known");
    }
    // Volumes are compared as the same integers of a thousandth.
    let exact = |amount: f64| Some(MilliwattHours(to_i64(amount * 1_000.0)));
    let allowed = DriftLimits {
        warn: limits.percent / 100.0,
        alarm: limits.percent * 3.0 / 100.0,
        ignored: MilliwattHours(to_i64(COUNTS * step * 1_000.0)),
    };
    let Some(found) = drift(exact(pair.integrated), exact(pair.counted), allowed) else {
        return Judged::Not("it is not known");
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
