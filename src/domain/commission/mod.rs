//! Whether a meter says what it should: the checks of a commissioning.
//!
//! ```text
//!   observed values of a few minutes ──▶ checks ──▶ passed | finding | not tested
//!                                                      └── the line that mends it
//! ```
//!
//! Each check compares what one meter says with itself: two ways to the same number,
//! or a number with what physics allows. **A check that lacks what it needs says so and
//! passes nothing**; a finding names what is probably wrong and the line of
//! configuration that would mend it.

mod electrical;
mod thermal;
pub mod wiring;

pub(super) use thermal::DARK_WM2;

use std::collections::BTreeMap;

use super::meter::{Meter, Sense};

/// What was observed of one meter: by quantity, in order of time, milliseconds and
/// canonical units; registers in Wh.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    values: BTreeMap<&'static str, Vec<(i64, f64)>>,
}

impl Observed {
    /// Adds a value.
    pub fn add(&mut self, quantity: &'static str, at_ms: i64, value: f64) {
        self.values
            .entry(quantity)
            .or_default()
            .push((at_ms, value));
    }

    /// All values of a quantity.
    #[must_use]
    pub fn series(&self, quantity: &str) -> &[(i64, f64)] {
        self.values.get(quantity).map_or(&[], Vec::as_slice)
    }

    /// The middle value: one garbled answer does not move it.
    #[must_use]
    pub fn median(&self, quantity: &str) -> Option<f64> {
        let mut values: Vec<f64> = self.series(quantity).iter().map(|row| row.1).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    /// By how much a register moved, and in how many steps.
    fn moved(&self, quantity: &str) -> Option<Moved> {
        let series = self.series(quantity);
        let (first, last) = (series.first()?, series.last()?);
        let pairs = series.iter().zip(series.iter().skip(1));
        let steps = pairs.filter(|(a, b)| a.1 != b.1).count();
        (last.0 > first.0).then_some(Moved {
            wh: last.1 - first.1,
            steps,
            from_ms: first.0,
            to_ms: last.0,
        })
    }

    /// What a power amounts to between two moments, Wh, by trapezoids; none where it
    /// does not cover them.
    fn integral(&self, quantity: &str, from_ms: i64, to_ms: i64) -> Option<f64> {
        let series = self.series(quantity);
        let slack = (to_ms - from_ms) / 10;
        let covered = series.first()?.0 <= from_ms + slack && series.last()?.0 >= to_ms - slack;
        if !covered || to_ms <= from_ms {
            return None;
        }
        let within = |at: i64| at.clamp(from_ms, to_ms);
        let mut wh = 0.0;
        for (a, b) in series.iter().zip(series.iter().skip(1)) {
            wh += (a.1 + b.1) / 2.0 * hours(within(b.0) - within(a.0));
        }
        // The ends that no sample covers, at the nearest power.
        let (first, last) = (series.first()?, series.last()?);
        wh += first.1 * hours(within(first.0) - from_ms) + last.1 * hours(to_ms - within(last.0));
        Some(wh)
    }
}

fn hours(ms: i64) -> f64 {
    super::units::to_f64(ms) / 3_600_000.0
}

struct Moved {
    wh: f64,
    steps: usize,
    from_ms: i64,
    to_ms: i64,
}

/// What is known beside the meter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around {
    /// Elevation of the sun, degrees; none where nobody knows the time.
    pub sun_elevation: Option<f64>,
    /// Whether the configuration computes heat for another fluid than water.
    pub other_fluid: bool,
}

/// What one check came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The meter agrees with itself.
    Passed {
        /// What was compared.
        fact: String,
    },
    /// It does not.
    Finding {
        /// What was compared.
        fact: String,
        /// What is probably wrong.
        cause: String,
        /// The line of configuration that would mend it, where one would.
        mend: Option<String>,
    },
    /// The check needs what is not there.
    NotTested {
        /// What it needs.
        needs: String,
    },
}

/// A check and its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// What it came to.
    pub verdict: Verdict,
}

impl Check {
    /// Whether it found something.
    #[must_use]
    pub fn is_finding(&self) -> bool {
        matches!(self.verdict, Verdict::Finding { .. })
    }
}

type Rule = fn(&Meter, &Observed, &Around) -> Option<Verdict>;

/// Every check. One that says nothing of a kind of meter returns none.
const CHECKS: &[(&str, Rule)] = &[
    ("frequency", electrical::frequency),
    ("voltage", electrical::voltage),
    ("phase sum", electrical::phase_sum),
    ("apparent power", electrical::apparent_power),
    ("direction", electrical::direction),
    ("register", electrical::register),
    ("current transformers", electrical::transformers),
    ("heat identity", thermal::heat_identity),
    ("irradiance", thermal::irradiance),
];

/// Runs every check that says something of this meter.
#[must_use]
pub fn checks(meter: &Meter, observed: &Observed, around: &Around) -> Vec<Check> {
    CHECKS
        .iter()
        .filter_map(|(name, rule)| {
            let verdict = rule(meter, observed, around)?;
            Some(Check { name, verdict })
        })
        .collect()
}

fn passed(fact: String) -> Option<Verdict> {
    Some(Verdict::Passed { fact })
}

fn finding(fact: String, cause: &str, mend: Option<String>) -> Option<Verdict> {
    Some(Verdict::Finding {
        fact,
        cause: cause.to_owned(),
        mend,
    })
}

fn needs(what: &str) -> Option<Verdict> {
    Some(Verdict::NotTested {
        needs: what.to_owned(),
    })
}

/// Whether positive power of this meter is what its import register counts.
fn positive_is_import(meter: &Meter) -> bool {
    meter.role.sense == Sense::Import
}

/// Powers of ten and usual transformer ratios that a factor may be, with the one that
/// is within a twentieth of it.
pub(super) fn usual_factor(factor: f64) -> Option<f64> {
    const USUAL: [f64; 22] = [
        10.0, 100.0, 1_000.0, 10_000.0, 1e6, 5.0, 8.0, 12.0, 15.0, 16.0, 20.0, 30.0, 40.0, 50.0,
        60.0, 80.0, 120.0, 160.0, 200.0, 300.0, 8_000.0, 3_600.0,
    ];
    let near = |usual: &f64| (factor / usual - 1.0).abs() < 0.05;
    let inverse = |usual: &f64| (factor * usual - 1.0).abs() < 0.05;
    let as_is = USUAL.iter().copied().find(|usual| near(usual));
    as_is.or_else(|| {
        USUAL
            .iter()
            .find(|usual| inverse(usual))
            .map(|usual| 1.0 / usual)
    })
}

/// A number for people: four digits that count.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 1_000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
