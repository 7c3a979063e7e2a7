//! What the ledger says beside what the journal and people say now.
//!
//! **A number is replaced by a better founded one, never by a gap.** Where no reading says an
//! interval again a person may; and where a person said it and withdrew it, what was measured
//! before comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::recompute::{Difference, Key, Recomputed, Replay};
use crate::domain::event::{MeterEvent, corrected};
use crate::domain::interval::{Channel, Entry};
use crate::domain::provenance::Made;
use crate::domain::relations::Relations;
use crate::domain::units::MilliwattHours;

/// Coverages that differ by less are the same: sums of floats.
const SAME_PCT: f64 = 1e-6;

/// What was measured before a person said something else, the last of each.
pub(super) fn measured_before(before: Vec<(i64, Entry)>) -> BTreeMap<Key, Entry> {
    let measured = before
        .into_iter()
        .filter(|(_, entry)| entry.made != Made::MANUAL);
    // They come in the order of their revisions.
    measured
        .map(|(_, entry)| {
            let key = (entry.span, Arc::clone(&entry.meter), entry.channel);
            (key, entry)
        })
        .collect()
}

/// Whether an entry says what a correction said that does not stand any more.
fn is_withdrawn(entry: &Entry, standing: &[MeterEvent]) -> bool {
    let measured = Entry {
        made: Made::NOTHING,
        ..entry.clone()
    };
    entry.made == Made::MANUAL && corrected(measured, standing).made != Made::MANUAL
}

/// What the ledger says beside what a replay and the events that stand come to.
pub(super) fn compare(
    relations: &Relations,
    ledger: Vec<Entry>,
    measured_before: &BTreeMap<Key, Entry>,
    replay: &Replay,
    standing: &[MeterEvent],
) -> Recomputed {
    let mut done = Recomputed::default();
    let mut offsets: BTreeMap<(Arc<str>, Channel), MilliwattHours> = BTreeMap::new();
    // What is computed from others follows from them when they are written.
    let measured = |entry: &Entry| relations.expression(&entry.meter).is_none();
    for before in ledger.into_iter().filter(measured) {
        let key = (before.span, Arc::clone(&before.meter), before.channel);
        let is_known = replay
            .begins
            .get(&before.meter)
            .is_some_and(|begins| *begins <= before.span.start);
        let again = replay
            .entries
            .get(&key)
            .filter(|again| is_known && (again.energy.is_ok() || before.energy.is_err()));
        let mut now = match again {
            Some(again) => again.clone(),
            None => {
                // No reading says it again; a person may, and may have withdrawn it.
                let now = if !is_withdrawn(&before, standing) {
                    corrected(before.clone(), standing)
                } else if let Some(measured) = measured_before.get(&key) {
                    measured.clone()
                } else {
                    done.withdrawn.push(before.clone());
                    before.clone()
                };
                if now == before {
                    done.unknown += 1;
                    continue;
                }
                now
            }
        };
        if again.is_some() {
            done.again.insert(key);
            // The positions of the ledger begin with its first reading ever.
            let track = (Arc::clone(&before.meter), before.channel);
            if let (Some(theirs), Some(ours)) = (before.opening, now.opening) {
                offsets.entry(track.clone()).or_insert(theirs - ours);
            }
            let offset = offsets.get(&track).copied();
            let moved = |position: MilliwattHours| position + offset.unwrap_or_default();
            now.opening = now.opening.map(moved);
            now.closing = now.closing.map(moved);
        }
        if is_same(&before, &now) {
            done.same += 1;
        } else {
            let before = Some(before);
            done.differences.push(Difference { before, now });
        }
    }
    done
}

/// Whether two entries say the same of an interval.
fn is_same(a: &Entry, b: &Entry) -> bool {
    a.energy == b.energy
        && a.quality == b.quality
        && (a.coverage_pct - b.coverage_pct).abs() < SAME_PCT
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
