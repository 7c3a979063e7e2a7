//! Validation of interval data: is a day of a channel whole, possible, and like others?
//!
//! The checks that a meter data manager does before a day is settled, with the usual
//! limits. They look at what stands in the ledger and change nothing: a finding asks a
//! person to look, and a correction is an event of its own. What needs the live values (a
//! meter's clock, voltages, power factor, kvarh beside kWh, a register that stands while
//! power flows) is judged by the plausibility checks, where they are.
//!
//! A missing number fails no check of its size: only its absence is told.

use super::interval::{Entry, Span};
use super::quality::Quality;
use super::units::{MilliwattHours, Power, to_f64};

/// How far the sum of a day may be from its register, part of it.
const SUM_PART: f64 = 0.002;
/// How far the highest interval may be above the third highest, part of that.
const SPIKE_PART: f64 = 1.8;
/// A peak below this part of the rated power is no spike.
const SPIKE_RATED_PART: f64 = 0.05;
/// How far a day may be from the mean of such days, part of it.
const USUAL_PART: f64 = 0.5;
/// So many such days make a mean.
const LEAST_USUAL_DAYS: usize = 2;
/// More than the rated power by this factor cannot have flowed.
const RATED_FACTOR: f64 = 1.1;
/// Nothing between two intervals of this part of the rated power is odd.
const ZERO_RATED_PART: f64 = 0.1;

/// What a day is held against.
#[derive(Debug, Clone, PartialEq)]
pub struct Day<'a> {
    /// Its intervals, as the calendar has them.
    pub slots: &'a [Span],
    /// What the ledger has of the channel on that day, in order of time.
    pub entries: &'a [Entry],
    /// The sums of the same weekday in the weeks before, of days that are whole.
    pub usual: &'a [MilliwattHours],
    /// What the meter is made for.
    pub rated: Option<Power>,
    /// What one count of the register is worth; none without a register.
    pub count: Option<MilliwattHours>,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// A person should look.
    Review,
    /// It cannot be right.
    Fail,
}

impl Verdict {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Fail => "fail",
        }
    }
}

/// Something that a day of a channel does not pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The check.
    pub check: &'static str,
    /// How grave it is.
    pub verdict: Verdict,
    /// The interval, or the whole day.
    pub span: Option<Span>,
    /// What is wrong, for people.
    pub fact: String,
}

/// Goes through all checks.
#[must_use]
pub fn validate(day: &Day<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    complete(day, &mut found);
    // What overlaps is told, and judged no further.
    let entries = day.entries.iter();
    let entries: Vec<Entry> = entries
        .filter(|entry| day.slots.contains(&entry.span))
        .cloned()
        .collect();
    let day = Day {
        entries: &entries,
        ..day.clone()
    };
    for check in [sum, sizes, spike, zeros, usual] {
        check(&day, &mut found);
    }
    found
}

fn tell(
    found: &mut Vec<Finding>,
    check: &'static str,
    verdict: Verdict,
    span: Option<Span>,
    fact: String,
) {
    found.push(Finding {
        check,
        verdict,
        span,
        fact,
    });
}

fn wh(energy: MilliwattHours) -> f64 {
    energy.as_watt_hours()
}

/// Every interval of the day once, none of them cut differently, and each known.
fn complete(day: &Day<'_>, found: &mut Vec<Finding>) {
    let missing = day.slots.iter().filter(|slot| {
        let of = day.entries.iter().find(|entry| entry.span == **slot);
        of.is_none_or(|entry| entry.energy.is_err())
    });
    let missing: Vec<&Span> = missing.collect();
    if let Some(first) = missing.first() {
        let fact = format!(
            "{} of {} intervals are missing",
            missing.len(),
            day.slots.len()
        );
        tell(found, "gap", Verdict::Fail, Some(**first), fact);
    }
    let strange = day
        .entries
        .iter()
        .filter(|entry| !day.slots.contains(&entry.span));
    for entry in strange {
        let minutes = entry.span.ms() / 60_000;
        let fact = format!("an interval of {minutes} min overlaps those of the day");
        tell(found, "overlap", Verdict::Fail, Some(entry.span), fact);
    }
    let filled = |entry: &&Entry| entry.quality == Quality::Estimated;
    let estimated = day.entries.iter().filter(filled).count();
    if estimated > 0 {
        let fact = format!("{estimated} intervals are estimated");
        tell(found, "estimated", Verdict::Review, None, fact);
    }
}

/// The intervals add up to what the register counted.
fn sum(day: &Day<'_>, found: &mut Vec<Finding>) {
    let Some(count) = day.count else { return };
    let ends = day
        .entries
        .first()
        .and_then(|entry| entry.opening)
        .zip(day.entries.last().and_then(|entry| entry.closing));
    let Some((opening, closing)) = ends else {
        return;
    };
    let energies: Option<Vec<MilliwattHours>> =
        day.entries.iter().map(|entry| entry.energy.ok()).collect();
    let Some(energies) = energies else { return };
    let (sum, counted) = (
        energies.into_iter().sum::<MilliwattHours>(),
        closing - opening,
    );
    let most = (2.0 * wh(count)).max(SUM_PART * wh(counted).abs());
    if (wh(sum) - wh(counted)).abs() > most {
        let fact = format!(
            "the intervals add up to {} Wh, the register counted {} Wh",
            sum.to_wh_string(),
            counted.to_wh_string()
        );
        tell(found, "sum", Verdict::Fail, None, fact);
    }
}

/// Nothing below zero, and nothing above what the meter can have moved.
fn sizes(day: &Day<'_>, found: &mut Vec<Finding>) {
    for entry in day.entries {
        let Ok(energy) = entry.energy else { continue };
        if energy < MilliwattHours::ZERO {
            let fact = format!("{} Wh in a channel of one direction", energy.to_wh_string());
            tell(found, "negative", Verdict::Fail, Some(entry.span), fact);
        }
        let Some(rated) = day.rated else { continue };
        let most = wh(MilliwattHours::from_power(rated, entry.span.ms())) * RATED_FACTOR;
        if wh(energy) > most {
            let fact = format!(
                "{} Wh, more than the rated {} W can have moved",
                energy.to_wh_string(),
                rated.as_watts()
            );
            tell(found, "rated", Verdict::Fail, Some(entry.span), fact);
        }
    }
}

/// The highest interval is not far above the third.
fn spike(day: &Day<'_>, found: &mut Vec<Finding>) {
    let mut known: Vec<(MilliwattHours, Span)> = day
        .entries
        .iter()
        .filter_map(|entry| Some((entry.energy.ok()?, entry.span)))
        .collect();
    known.sort_by_key(|(energy, _)| std::cmp::Reverse(*energy));
    let (Some((highest, span)), Some((third, _))) = (known.first(), known.get(2)) else {
        return;
    };
    let least = day.rated.map_or(0.0, |rated| {
        wh(MilliwattHours::from_power(rated, span.ms())) * SPIKE_RATED_PART
    });
    let above = wh(*highest) - wh(*third);
    if wh(*highest) >= least && wh(*third) > 0.0 && above > SPIKE_PART * wh(*third) {
        let fact = format!(
            "{} Wh, while the third highest of the day is {} Wh",
            highest.to_wh_string(),
            third.to_wh_string()
        );
        tell(found, "spike", Verdict::Fail, Some(*span), fact);
    }
}

/// Nothing between two intervals with much.
fn zeros(day: &Day<'_>, found: &mut Vec<Finding>) {
    let Some(rated) = day.rated else { return };
    for three in day.entries.windows(3) {
        let [before, this, after] = three else {
            continue;
        };
        let much = |entry: &Entry| {
            let least = wh(MilliwattHours::from_power(rated, entry.span.ms())) * ZERO_RATED_PART;
            entry.energy.is_ok_and(|energy| wh(energy) > least)
        };
        if this.energy == Ok(MilliwattHours::ZERO) && much(before) && much(after) {
            let fact = "nothing, between two intervals with much: an outage?".to_owned();
            tell(found, "zero", Verdict::Review, Some(this.span), fact);
        }
    }
}

/// The day is much like such days.
fn usual(day: &Day<'_>, found: &mut Vec<Finding>) {
    let energies: Option<Vec<MilliwattHours>> = day
        .slots
        .iter()
        .map(|slot| {
            let of = day.entries.iter().find(|entry| entry.span == *slot)?;
            of.energy.ok()
        })
        .collect();
    let Some(energies) = energies else { return };
    if day.usual.len() < LEAST_USUAL_DAYS {
        return;
    }
    let sum: f64 = energies.into_iter().map(wh).sum();
    let count = i64::try_from(day.usual.len()).unwrap_or(1);
    let mean = day.usual.iter().copied().map(wh).sum::<f64>() / to_f64(count);
    if (sum - mean).abs() > USUAL_PART * mean {
        let fact = format!(
            "{sum:.0} Wh on the day, {mean:.0} Wh in the mean of {count} such days before it"
        );
        tell(found, "usual", Verdict::Review, None, fact);
    }
}

#[cfg(test)]
mod tests;
