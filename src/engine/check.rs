//! A certified heat register beside the heat that is computed from the same pipes.
//!
//! **The register is the truth and settles.** The computed heat says whether it can be
//! believed: a sensor in the wrong pipe, a glycol that nobody told the meter of, a
//! wrong factor differ by more than a few percent.
//!
//! Compared are whole intervals that both know. A register moves in counts, so as many
//! intervals are taken together as it takes for one count to be a tenth of the
//! tolerance.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::track::{COMPLETE_PCT, Track};
use crate::domain::heat::meter::{CERTIFIED_TOLERANCE, agreement};
use crate::domain::interval::{Entry, Span};
use crate::domain::quality::Quality;
use crate::domain::units::MilliwattHours;

/// Intervals of one side that wait for the other.
const MOST_WAITING: usize = 8;
/// Part of the tolerance that a count of the register may be.
const COUNT_PART: f64 = 0.1;

/// What a comparison came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeatCheck {
    /// The time it is of: one interval or several.
    pub span: Span,
    /// What the register advanced.
    pub register: MilliwattHours,
    /// What was computed.
    pub computed: MilliwattHours,
    /// Computed minus register as a part of the register; none beside one that stood
    /// still.
    pub relative: Option<f64>,
    /// Whether that is within the tolerance.
    pub agrees: bool,
}

/// For people: both numbers, and where to look.
impl fmt::Display for HeatCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kwh = |energy: MilliwattHours| energy.as_watt_hours() / 1e3;
        let (register, computed) = (kwh(self.register), kwh(self.computed));
        write!(
            f,
            "the heat register advanced by {register:.3} kWh and flow and temperatures come to \
             {computed:.3} kWh"
        )?;
        if let Some(relative) = self.relative {
            write!(f, " ({:+.1} %)", relative * 100.0)?;
        }
        if self.agrees {
            return Ok(());
        }
        f.write_str(
            "; the register settles: is the flow sensor in the pipe that is declared, and is it \
             this fluid?",
        )
    }
}

/// Sums that are not large enough yet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Sums {
    since: Timestamp,
    register: MilliwattHours,
    computed: MilliwattHours,
}

/// The comparison of a meter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The books of the computed heat, which are shown to nobody.
    pub track: Track,
    register: Vec<(Span, MilliwattHours)>,
    computed: Vec<(Span, MilliwattHours)>,
    sums: Option<Sums>,
    last: Option<HeatCheck>,
}

impl Check {
    /// A comparison that has seen nothing.
    pub fn new(track: Track) -> Self {
        Self {
            track,
            register: Vec::new(),
            computed: Vec::new(),
            sums: None,
            last: None,
        }
    }

    /// The last that was found.
    pub fn last(&self) -> Option<HeatCheck> {
        self.last
    }

    /// Takes in an interval of the register; one that was estimated across a gap or
    /// has a step left out says nothing.
    pub fn hear_register(&mut self, entry: &Entry, count: MilliwattHours) {
        if let Ok(energy) = entry.energy
            && entry.quality <= Quality::Interpolated
        {
            wait(&mut self.register, entry.span, energy);
            self.compare(count);
        }
    }

    /// Takes in an interval of the computed heat.
    pub fn hear_computed(&mut self, entry: &Entry, count: MilliwattHours) {
        if let Ok(energy) = entry.energy
            && entry.coverage_pct >= COMPLETE_PCT
        {
            wait(&mut self.computed, entry.span, energy);
            self.compare(count);
        }
    }

    /// Compares what both sides know.
    fn compare(&mut self, count: MilliwattHours) {
        let both = self.register.iter().find_map(|(span, register)| {
            let mut other = self.computed.iter();
            let (_, computed) = other.find(|(known, _)| known == span)?;
            Some((*span, *register, *computed))
        });
        let Some((span, register, computed)) = both else {
            return;
        };
        let later = |(known, _): &(Span, MilliwattHours)| known.start > span.start;
        self.register.retain(later);
        self.computed.retain(later);
        let sums = self.sums.get_or_insert(Sums {
            since: span.start,
            register: MilliwattHours::ZERO,
            computed: MilliwattHours::ZERO,
        });
        sums.register += register;
        sums.computed += computed;
        let (told, found) = (sums.register, sums.computed);
        let (told_wh, found_wh) = (told.as_watt_hours(), found.as_watt_hours());
        let enough = count.as_watt_hours() / (CERTIFIED_TOLERANCE * COUNT_PART);
        if told_wh.abs().max(found_wh.abs()) < enough {
            return;
        }
        let since = sums.since;
        self.sums = None;
        let Some(agreement) = agreement(told_wh, found_wh, CERTIFIED_TOLERANCE) else {
            return;
        };
        self.last = Some(HeatCheck {
            span: Span {
                start: since,
                end: span.end,
            },
            register: told,
            computed: found,
            relative: agreement.relative,
            agrees: agreement.agrees,
        });
    }
}

/// Keeps the latest word of an interval until the other side has one.
fn wait(side: &mut Vec<(Span, MilliwattHours)>, span: Span, energy: MilliwattHours) {
    side.retain(|(known, _)| *known != span);
    side.push((span, energy));
    if side.len() > MOST_WAITING {
        side.remove(0);
    }
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
#[path = "check_tests.rs"]
mod tests;
