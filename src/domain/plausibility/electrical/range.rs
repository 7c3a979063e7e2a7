//! Check 5: voltage, frequency and power factor of a grid.

use super::super::finding::{Judged, seen};
use super::super::look::{Look, Memory, Q, Site, VOLTAGES};
use super::super::node::Node;
use super::super::settings::limits;
use super::super::table::{Subject, each};
use crate::domain::meter::Park;

/// Longer than an outage that is switched back by itself, which is nobody's mistake.
const MINUTES: f64 = 5.0;
/// EN 50160 allows 10 % for most of the time; beyond 15 % devices switch off.
const VOLTAGE: f64 = 0.15;
/// Grids shed load before they are off by this.
const HERTZ: f64 = 1.0;
/// The last digit of a meter may round over one.
const FACTOR: f64 = 1.02;
/// Voltages between phase and neutral that grids and the secondary side of voltage
/// transformers have, V.
const USUAL_V: [f64; 10] = [
    57.7, 63.5, 120.0, 230.0, 277.0, 347.0, 400.0, 5_774.0, 11_547.0, 20_207.0,
];
/// How near a voltage must be to be taken for one of these.
const LEARNED_WITHIN: f64 = 0.1;

limits! {
    minutes: MINUTES "min" 0.0 to 1440.0 "how long it must last";
    voltage: VOLTAGE "" 0.01 to 1.0 "how far a voltage may be from its normal value, part of it";
    hertz: HERTZ "Hz" 0.1 to 10.0 "how far the frequency may be from 50 or 60 Hz";
    factor: FACTOR "" 1.0 to 2.0 "the largest power factor";
}

const FACTORS: [Q; 4] = [Q::PowerFactor, Q::FactorL1, Q::FactorL2, Q::FactorL3];

pub fn subjects(park: &Park, site: &Site, _: &[Node]) -> Vec<Subject> {
    each(park, |meter| {
        let has = |q: &Q| {
            site.layouts
                .get(meter)
                .is_some_and(|layout| layout.point(*q).is_some())
        };
        VOLTAGES.iter().any(has) || has(&Q::Frequency) || FACTORS.iter().any(has)
    })
}

pub fn judge(look: &Look<'_>, memory: &mut Memory) -> Judged {
    let limits = Limits::of(look.values);
    let volts: Vec<f64> = VOLTAGES.iter().filter_map(|q| look.value(*q)).collect();
    let stated = look.facts().and_then(|facts| facts.nominal_voltage);
    if memory.normal.is_none() {
        memory.normal = volts.iter().find_map(|volts| usual(*volts));
    }
    if let Some(normal) = stated.or(memory.normal) {
        let off = |volts: &&f64| (*volts / normal - 1.0).abs() > limits.voltage;
        if let Some(volts) = volts.iter().find(off) {
            let cause = if *volts < 0.5 * normal {
                "a phase is missing: a fuse, a loose voltage wire, or an outage"
            } else {
                "the grid is out of its range, or the voltage transformer's ratio is another one"
            };
            let limit = normal * (1.0 + limits.voltage * (volts - normal).signum());
            return seen(
                "a voltage",
                (*volts, limit, "V"),
                cause,
                "check fuses and wires of the voltages, then `transformer` in the configuration",
            );
        }
    }
    let hertz = look.value(Q::Frequency);
    if let Some(hertz) = hertz {
        let normal = if hertz > 55.0 { 60.0 } else { 50.0 };
        if (hertz - normal).abs() > limits.hertz {
            let limit = normal + limits.hertz * (hertz - normal).signum();
            return seen(
                "the frequency",
                (hertz, limit, "Hz"),
                "the scale or the register is another one, or an island is out of step",
                "check the point `frequency` in the device's template",
            );
        }
    }
    let factors: Vec<f64> = FACTORS.iter().filter_map(|q| look.value(*q)).collect();
    if let Some(factor) = factors.iter().find(|factor| factor.abs() > limits.factor) {
        return seen(
            "a power factor",
            (*factor, limits.factor.copysign(*factor), ""),
            "the scale is another one, or the register holds an angle",
            "check the point `power_factor` in the device's template",
        );
    }
    if volts.is_empty() && hertz.is_none() && factors.is_empty() {
        return Judged::Not("voltage, frequency and power factor are not known");
    }
    Judged::Clear
}

/// The usual voltage nearest to this one, if it is near.
fn usual(volts: f64) -> Option<f64> {
    let near = |usual: &f64| (volts / usual - 1.0).abs();
    let nearest = USUAL_V
        .into_iter()
        .min_by(|a, b| near(a).total_cmp(&near(b)))?;
    (near(&nearest) < LEARNED_WITHIN).then_some(nearest)
}
