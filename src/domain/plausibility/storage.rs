//! Check 18: the content of a storage is possible, and no fluid is lost.

use super::finding::{Judged, seen};
use super::look::{Look, Memory, Q, Site};
use super::node::Node;
use super::settings::limits;
use super::table::{Subject, each};
use crate::domain::heat::meter::REFERENCE_PRESSURE_PA;
use crate::domain::heat::storage::{INVENTORY_TOLERANCE, Inventory};
use crate::domain::meter::Park;
use crate::domain::units::to_f64;

/// Long enough to be seen by who looks at the page once an hour.
const STANDS_MINUTES: f64 = 60.0;
/// Storages give more than their nameplate for a moment.
const POWER_PART: f64 = 1.5;
/// A state of charge in whole percent moves by one at once, and rounds.
const RESOLUTION_PCT: f64 = 1.0;
/// Waves in a tank and the time that fluid takes from one to the other, minutes.
const SMOOTH_MINUTES: f64 = 30.0;
/// A refilled storage is normal after a week or two, minutes.
const FILLED_MINUTES: f64 = 10_080.0;
/// What is lost is missed for a year: a leak of half a thousandth a day must not become the
/// normal while it goes on, minutes.
const LOST_MINUTES: f64 = 525_600.0;

limits! {
    stands_minutes: STANDS_MINUTES "min" 1.0 to 10080.0 "how long it is shown";
    power_part: POWER_PART "" 1.0 to 10.0 "largest power, part of the rated power";
    missing_part: INVENTORY_TOLERANCE "" 0.001 to 1.0 "part of the fluid that may be missing";
}

pub fn subjects(park: &Park, site: &Site, _: &[Node]) -> Vec<Subject> {
    let charged = |meter: usize| {
        let layout = site.layouts.get(meter);
        layout.is_some_and(|layout| layout.point(Q::Soc).is_some())
    };
    let mut subjects = each(park, charged);
    for (meter, facts) in site.facts.iter().enumerate() {
        let other = facts.other_tank.as_ref().and_then(|id| park.meter(id));
        subjects.extend(other.map(|other| Subject {
            meters: vec![meter, other],
            node: None,
        }));
    }
    subjects
}

pub fn judge(look: &Look<'_>, memory: &mut Memory) -> Judged {
    match look.meters {
        [hot, cold] => tanks(look, memory, *hot, *cold),
        _ => charge(look, memory),
    }
}

/// A state of charge: between empty and full, and no faster than the power allows.
fn charge(look: &Look<'_>, memory: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let Some(soc) = look.value(Q::Soc) else {
        return Judged::Not("its state of charge is not known");
    };
    let now = look.moment.now.as_millisecond();
    let before = memory.last.replace((now, soc));
    let full = if soc > 50.0 { 100.0 } else { 0.0 };
    if !(-RESOLUTION_PCT..=100.0 + RESOLUTION_PCT).contains(&soc) {
        let cause = "the scale of the state of charge is another one, or the storage's management has failed";
        return seen(
            "the state of charge",
            (soc, full, "%"),
            cause,
            "check the point `soc` in the device's template",
        );
    }
    let capacity = look.facts().and_then(|facts| facts.capacity_wh);
    let (Some(capacity), Some(rated)) = (capacity, look.rated()) else {
        return Judged::Not("its `capacity` or `rated` is not told");
    };
    let Some((then, was)) = before else {
        return Judged::Not("one state of charge is no step");
    };
    let hours = to_f64(now - then) / 3_600_000.0;
    let most = limits.power_part * rated * hours / capacity * 100.0 + RESOLUTION_PCT;
    let by = soc - was;
    if by.abs() <= most {
        return Judged::Clear;
    }
    let cause =
        "the storage's management has set its state of charge anew, or `capacity` is another one";
    let remedy = "compare charge and discharge of the day with the state of charge; have the storage calibrated";
    seen(
        "a step of the state of charge",
        (by, most.copysign(by), "%"),
        cause,
        remedy,
    )
}

/// What is normal after so many milliseconds of a mass.
fn normal_after(normal: f64, kilograms: f64, ms: i64) -> f64 {
    let minutes = if kilograms < normal {
        LOST_MINUTES
    } else {
        FILLED_MINUTES
    };
    let part = 1.0 - (-to_f64(ms) / (minutes * 60_000.0)).exp();
    normal + (kilograms - normal) * part
}

/// Two tanks of one width between which a fluid moves.
fn tanks(look: &Look<'_>, memory: &mut Memory, hot: usize, cold: usize) -> Judged {
    let limits = Limits::of(look.values);
    let Some(fluid) = look.fluid() else {
        return Judged::Not("its `fluid` is not told");
    };
    let pressure = look.pressure().unwrap_or(REFERENCE_PRESSURE_PA);
    // Of a square metre: both tanks have the same width.
    let mass = |meter| {
        let (level, celsius) = (
            look.value_of(meter, Q::Level)?,
            look.value_of(meter, Q::Temp)?,
        );
        Some(level * fluid.density(celsius, pressure).ok()?)
    };
    let (Some(hot_kg), Some(cold_kg)) = (mass(hot), mass(cold)) else {
        return Judged::Not("level or temperature of a tank is not known");
    };
    let [hot_kg, cold_kg] = memory.smoothed([hot_kg, cold_kg], look.ms, SMOOTH_MINUTES);
    let now = Inventory {
        hot_kg,
        cold_kg,
        joules: 0.0,
        full_joules: 0.0,
    };
    let normal = memory.normal.unwrap_or(now.kilograms());
    memory.normal = Some(normal_after(normal, now.kilograms(), look.ms));
    let Some(missing) = now.missing(normal) else {
        return Judged::Not("both tanks are empty");
    };
    if missing.abs() <= limits.missing_part {
        return Judged::Clear;
    }
    let cause = if missing > 0.0 {
        "fluid leaks, stands in the pipes, or a level sensor has moved"
    } else {
        "a level sensor has moved, or fluid was filled in"
    };
    let limit = (limits.missing_part * 100.0).copysign(missing);
    seen(
        "the part of the fluid that is missing",
        (missing * 100.0, limit, "%"),
        cause,
        "look for a leak at once; then compare both levels with their gauges",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part that is missing after each day of a mass that changes by `daily` each day.
    fn after_days(days: i32, daily: f64, mut mass: f64, mut normal: f64) -> f64 {
        const LOOK_MS: i64 = 3_600_000;
        for _ in 0..days * 24 {
            mass *= 1.0 + daily / 24.0;
            normal = normal_after(normal, mass, LOOK_MS);
        }
        (normal - mass) / normal
    }

    #[test]
    fn a_slow_leak_is_missed_and_a_filling_forgotten() {
        // Half a thousandth a day.
        let lost = after_days(14, -5e-4, 1.0, 1.0);
        assert!(lost > INVENTORY_TOLERANCE, "{lost}");
        // Which does not become normal within a season.
        let lost = after_days(90, -5e-4, 1.0, 1.0);
        assert!(lost > 0.03, "{lost}");
        // A twentieth is filled in.
        assert!(after_days(1, 0.0, 1.05, 1.0) < -INVENTORY_TOLERANCE);
        assert!(after_days(21, 0.0, 1.05, 1.0).abs() < INVENTORY_TOLERANCE);
    }
}
