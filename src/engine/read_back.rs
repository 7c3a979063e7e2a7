//! Readings back from many rows, at a few nanoseconds a value.
//!
//! The rows of a meter are alike: the same key, the same fields in the same order. So a
//! key is understood once, and a field is looked for where it stood in the row before.
//! **It comes to what [`Recorder::read_back`] and [`Recorder::read_late`] come to**, and
//! whatever is not plain goes through them.

use std::collections::HashMap;

use super::{Cell, Recorder};
use crate::domain::meter::{MeterIndex, PointIndex};
use crate::domain::quality::Reason;
use crate::domain::snapshot::{Reading, Value};
use crate::wire::line_protocol::parse;
use crate::wire::line_protocol::plain::{Number, Plain};

/// Reads rows of a park, one after the other.
pub struct ReadBack<'a> {
    recorder: &'a Recorder,
    /// Place in `layouts` by series key; none for what is no reading.
    series: HashMap<String, Option<usize>>,
    layouts: Vec<Layout>,
    /// The values of a reading that is done with.
    spare: Vec<(PointIndex, Result<Value, Reason>)>,
}

/// The row of a meter.
struct Layout {
    meter: MeterIndex,
    points: usize,
    /// Names by place: value and worth of each point, quality, reason.
    names: Vec<Option<String>>,
    /// The place whose number a place has: its own, or that of another of the same name.
    same: Vec<usize>,
    /// Which place stood where in the row before.
    order: Vec<usize>,
    /// What the row says, by place.
    numbers: Vec<Option<Number>>,
}

/// A row that is not plain.
struct NotPlain;

impl<'a> ReadBack<'a> {
    /// A reader of the rows that a recorder writes.
    #[must_use]
    pub fn new(recorder: &'a Recorder) -> Self {
        Self {
            recorder,
            series: HashMap::new(),
            layouts: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Takes back a reading that is done with: the next one needs no memory of its own.
    pub fn done(&mut self, reading: Reading) {
        self.spare = reading.values;
        self.spare.clear();
    }

    /// A reading back from its row, and whether it came too late to be booked at its time.
    pub fn read(&mut self, line: &str) -> Option<(Reading, bool)> {
        match self.read_plain(line) {
            Ok(read) => read,
            Err(NotPlain) => {
                let line = parse(line).ok()?;
                let in_time = self
                    .recorder
                    .read_back(&line)
                    .map(|reading| (reading, false));
                in_time.or_else(|| Some((self.recorder.read_late(&line)?, true)))
            }
        }
    }

    fn read_plain(&mut self, line: &str) -> Result<Option<(Reading, bool)>, NotPlain> {
        let (key, row) = Plain::of(line).ok_or(NotPlain)?;
        let place = match self.series.get(key) {
            Some(place) => *place,
            None => self.learn(key),
        };
        let Some(layout) = place.and_then(|place| self.layouts.get_mut(place)) else {
            return Ok(None);
        };
        let time_ms = layout.take(row).ok_or(NotPlain)?;
        let layout = &*layout;
        let number = |cell| layout.number(cell);
        let values = std::mem::take(&mut self.spare);
        Ok(self
            .recorder
            .reading_of(layout.meter, time_ms, number, values))
    }

    /// Understands a series key that is met for the first time.
    fn learn(&mut self, key: &str) -> Option<usize> {
        let line = parse(&format!("{key} x=0i 0")).ok();
        let meter = line.and_then(|line| self.recorder.meter_of(&line));
        let layout = meter.and_then(|meter| Layout::new(self.recorder, meter));
        let place = layout.map(|layout| {
            self.layouts.push(layout);
            self.layouts.len() - 1
        });
        self.series.insert(key.to_owned(), place);
        place
    }
}

impl Layout {
    fn new(recorder: &Recorder, meter: MeterIndex) -> Option<Self> {
        let rows = recorder.meters.get(meter)?;
        let points = 0..rows.points.len();
        let of_points = points.flat_map(|point| [Cell::Value(point), Cell::Worth(point)]);
        let cells = of_points.chain([Cell::Quality, Cell::Reason]);
        let names: Vec<Option<String>> = cells
            .map(|cell| rows.name(cell).map(str::to_owned))
            .collect();
        let first = |name: &Option<String>| names.iter().position(|other| other == name);
        Some(Self {
            meter,
            points: rows.points.len(),
            same: names.iter().filter_map(first).collect(),
            order: (0..names.len())
                .filter(|place| names.get(*place).is_some_and(Option::is_some))
                .collect(),
            numbers: vec![None; names.len()],
            names,
        })
    }

    fn name(&self, place: usize) -> Option<&str> {
        self.names.get(place)?.as_deref()
    }

    /// Takes in a row, and gives its time.
    fn take(&mut self, mut row: Plain<'_>) -> Option<i64> {
        self.numbers.fill(None);
        for nth in 0.. {
            let expected = self.order.get(nth).copied();
            let as_before =
                expected.filter(|place| self.name(*place).is_some_and(|name| row.is_named(name)));
            let place = match as_before {
                Some(place) => Some(place),
                None => {
                    let said = row.name()?;
                    let is_it = |place: &usize| {
                        self.name(*place)
                            .is_some_and(|name| name.as_bytes() == said)
                    };
                    let found = (0..self.names.len()).find(is_it);
                    if let (Some(found), Some(place)) = (found, self.order.get_mut(nth)) {
                        *place = found;
                    }
                    found
                }
            };
            let number = row.value()?;
            // Of two fields of one name, the first.
            if let Some(kept) = place.and_then(|place| self.numbers.get_mut(place)) {
                kept.get_or_insert(number);
            }
            if !row.goes_on() {
                break;
            }
        }
        row.time_ms()
    }

    fn number(&self, cell: Cell) -> Option<Number> {
        let place = match cell {
            Cell::Value(point) => 2 * point,
            Cell::Worth(point) => 2 * point + 1,
            Cell::Quality => 2 * self.points,
            Cell::Reason => 2 * self.points + 1,
        };
        self.numbers.get(*self.same.get(place)?).copied().flatten()
    }
}

#[cfg(test)]
#[path = "read_back_tests.rs"]
mod tests;
