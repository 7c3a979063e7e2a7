//! Columns of reports whose columns follow from the configuration, and their sums.

use std::sync::Arc;

use crate::domain::interval::{Entry, Interval, Span};
use crate::domain::quality::Quality;
use crate::domain::units::{MilliwattHours, to_f64};

/// An energy under its column: of a meter, or of the whole interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The meter or line; none for the interval.
    pub group: Option<Arc<str>>,
    /// What it is, with its unit.
    pub name: &'static str,
    /// How much.
    pub energy: MilliwattHours,
}

impl Cell {
    /// An energy of the interval.
    #[must_use]
    pub fn new(name: &'static str, energy: MilliwattHours) -> Self {
        Self {
            group: None,
            name,
            energy,
        }
    }

    /// An energy of a meter or line.
    #[must_use]
    pub fn of(group: &Arc<str>, name: &'static str, energy: MilliwattHours) -> Self {
        Self {
            group: Some(Arc::clone(group)),
            name,
            energy,
        }
    }

    /// The head of its column.
    #[must_use]
    pub fn head(&self) -> String {
        match &self.group {
            Some(group) => format!("{group}:{}", self.name),
            None => self.name.to_owned(),
        }
    }
}

/// The sums of a period: of every column, or of none where an interval is unknown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sum {
    cells: Vec<Cell>,
    /// Intervals in all.
    pub intervals: usize,
    /// Intervals that are unknown.
    pub unknown: usize,
    quality: Quality,
    covered_ms_pct: f64,
    ms: f64,
}

impl Sum {
    /// Adds an interval: its cells, none where they are unknown.
    pub fn add(&mut self, ms: i64, cells: Option<&[Cell]>, quality: Quality, coverage_pct: f64) {
        self.intervals += 1;
        self.quality = self.quality.worst(quality);
        self.ms += to_f64(ms);
        let Some(cells) = cells else {
            self.unknown += 1;
            return;
        };
        self.covered_ms_pct += coverage_pct * to_f64(ms);
        if self.cells.is_empty() {
            self.cells = cells.to_vec();
            return;
        }
        for (sum, cell) in self.cells.iter_mut().zip(cells) {
            sum.energy += cell.energy;
        }
    }

    /// The sums; none where they would be of a part of the period.
    #[must_use]
    pub fn cells(&self) -> Option<&[Cell]> {
        (self.unknown == 0 && self.intervals > 0).then_some(&self.cells)
    }

    /// The sum of a column.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<MilliwattHours> {
        let cell = self.cells()?.iter().find(|cell| cell.name == name)?;
        Some(cell.energy)
    }

    /// The worst quality of all intervals.
    #[must_use]
    pub fn quality(&self) -> Quality {
        if self.intervals == 0 {
            Quality::Missing
        } else {
            self.quality
        }
    }

    /// Coverage of the period, percent of its time.
    #[must_use]
    pub fn coverage_pct(&self) -> f64 {
        if self.ms == 0.0 {
            0.0
        } else {
            self.covered_ms_pct / self.ms
        }
    }

    /// Why there is no sum; nothing where there is one.
    #[must_use]
    pub fn reason(&self) -> String {
        if self.unknown == 0 {
            return String::new();
        }
        format!(
            "{} of {} intervals are unknown",
            self.unknown, self.intervals
        )
    }
}

/// Each slot with the interval that the ledger has for it and the entries of its meters;
/// both lists are in order of time.
pub fn each<'a>(
    slots: &'a [Span],
    intervals: &'a [Interval],
    entries: &'a [Entry],
) -> impl Iterator<Item = (Span, Option<&'a Interval>, Vec<Entry>)> + 'a {
    slots.iter().map(move |span| {
        // By both ends: an interval of another length is not this one.
        let first = intervals.partition_point(|one| one.span < *span);
        let interval = intervals.get(first).filter(|one| one.span == *span);
        let first = entries.partition_point(|one| one.span < *span);
        let mine = entries.get(first..).unwrap_or_default().iter();
        let mine = mine.take_while(|one| one.span == *span).cloned().collect();
        (*span, interval, mine)
    })
}

/// A cell of CSV, in quotes where it needs them.
#[must_use]
pub fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_park::{Said, books, park};
    use super::*;

    #[test]
    fn a_slot_has_its_own_interval_and_entries_and_no_others() {
        let said: Said = [(1, 0); 8];
        let park = park();
        let (slots, mut intervals, mut entries) = books(&park, &[Some(said); 3]);
        let whole = entries.len() / 3;
        // The first lacks an entry, the second its interval; the third is of another length.
        entries.remove(0);
        intervals.remove(1);
        intervals[1].span.end += jiff::SignedDuration::from_mins(15);
        let found: Vec<_> = each(&slots, &intervals, &entries).collect();
        let expected = [(true, whole - 1), (false, whole), (false, whole)];
        for (((span, interval, mine), slot), (there, count)) in
            found.into_iter().zip(&slots).zip(expected)
        {
            assert_eq!(span, *slot);
            assert_eq!(interval.map(|one| one.span), there.then_some(span));
            assert_eq!(mine.len(), count, "{span:?}");
            assert!(mine.iter().all(|one| one.span == span), "{span:?}");
        }
    }
}
