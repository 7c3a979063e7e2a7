//! Check 6: a value that repeats to the last digit, or a register that stands.
//!
//! No load is the same to the last digit twelve times in a row, and not in its voltages
//! and currents too: a gateway answers from its memory. All analog values of an answer
//! are compared, so that an inverter at its limit is none. A register stands for a while
//! by its step, so it must have had enough to count.

use super::super::ear::Ear;
use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Q, Site, need};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::meter::Park;
use crate::domain::units::to_f64;

/// A meter read each five seconds that renews its values each minute.
const SAMPLES: f64 = 12.0;
/// The slowest renewal in reach.
const SECONDS: f64 = 60.0;
/// Below this part of the nameplate a load may be the same to the last digit.
const VALUE_PART: f64 = 0.02;
/// Longer than meters take to renew a register.
const FROZEN_MINUTES: f64 = 15.0;
/// Below this part of the nameplate a meter may not count: its start-up current.
const REGISTER_PART: f64 = 0.01;
/// Counts that a register must have missed.
const MISSED: f64 = 3.0;

limits! {
    samples: SAMPLES "" 3.0 to 10000.0 "equal samples in a row";
    seconds: SECONDS "s" 0.0 to 86400.0 "over which time at least";
    value_part: VALUE_PART "" 0.001 to 0.5 "part of the rated power above which values are judged";
    frozen_minutes: FROZEN_MINUTES "min" 1.0 to 1440.0 "how long a register may stand";
    register_part: REGISTER_PART "" 0.001 to 0.5 "part of the rated power above which registers are judged";
}

pub fn subjects(park: &Park, site: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |meter| {
        let has = |q: Q| {
            site.layouts
                .get(meter)
                .is_some_and(|layout| layout.point(q).is_some())
        };
        has(Q::Power) || has(Q::HeatPower)
    })
}

pub fn judge(look: &Look<'_>, _: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let rated = need!(look.rated(), "it has no `rated`");
    let power = need!(look.power(), "its power is not known");
    let ear = need!(look.ear(), "nothing was heard of it");
    let now = look.moment.now.as_millisecond();
    let lasted = to_f64(ear.newest_ms.unwrap_or(now) - ear.same_since_ms) / 1e3;
    if f64::from(ear.same) >= limits.samples
        && lasted > limits.seconds
        && power.abs() > limits.value_part * rated
    {
        let what = "the number of equal samples in a row";
        let cause = "the meter, or the gateway before it, repeats an old answer";
        let remedy = "restart the device or its gateway, and look at its firmware";
        return seen(
            what,
            (f64::from(ear.same), limits.samples, ""),
            cause,
            remedy,
        );
    }
    frozen(look, ear, &limits, power, rated)
}

fn frozen(look: &Look<'_>, ear: &Ear, limits: &Limits, power: f64, rated: f64) -> Judged {
    let now = look.moment.now.as_millisecond();
    if power.abs() <= limits.register_part * rated {
        return Judged::Clear;
    }
    let way = usize::from(power < 0.0);
    let Some(Some(register)) = ear.registers.get(way) else {
        return Judged::Clear;
    };
    let minutes = to_f64(now - register.moved_ms) / 60_000.0;
    // Also what the power of that time amounts to must be of the size of the nameplate.
    let least = (MISSED * register.step_wh).max(limits.register_part * rated * minutes / 60.0);
    if minutes <= limits.frozen_minutes || register.since_wh <= least {
        return Judged::Clear;
    }
    seen(
        "the time for which its register stands while power flows",
        (minutes, limits.frozen_minutes, "min"),
        "the meter does not count, or the register is that of another direction or tariff",
        "compare the register with the meter's display",
    )
}
