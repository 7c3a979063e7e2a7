//! The readings of the journal around an interval, of the meters that are asked about.
//!
//! First those of the interval and some minutes around it; where a meter was silent then,
//! those of some hours on that side.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::interval::Span;
use crate::domain::meter::{MeterIndex, Park};
use crate::domain::snapshot::Reading;
use crate::engine::record::{ReadBack, Recorder};
use crate::store::{Reader, StoreError};

/// How far around an interval the journal is read: first near, then far.
const NEAR: Duration = Duration::from_secs(120);
const FAR: Duration = Duration::from_secs(3 * 3_600);
/// So much behind an interval is looked for what came too late; as recomputing does.
const LATE: Duration = Duration::from_secs(2 * 3_600);

/// Readings by meter, in order of time, each with whether it came too late to be booked at
/// its time.
pub(super) struct Readings(BTreeMap<MeterIndex, Vec<(Reading, bool)>>);

impl Readings {
    /// Reads those of some meters; `late` also looks for what came too late.
    pub(super) fn read(
        park: &Arc<Park>,
        dir: &Path,
        span: Span,
        wanted: &BTreeSet<MeterIndex>,
        late: bool,
    ) -> Result<Self, StoreError> {
        let mut found = Self(BTreeMap::new());
        let before = |by: Duration| span.start.saturating_sub(by).unwrap_or(Timestamp::MIN);
        let after = |by: Duration| span.end.saturating_add(by).unwrap_or(Timestamp::MAX);
        let mut walk = |from, until, late_alone| {
            each(park, dir, (from, until), late_alone, |reading, is_late| {
                if wanted.contains(&reading.meter) {
                    let own = found.0.entry(reading.meter).or_default();
                    own.push((reading, is_late));
                }
            })
        };
        walk(before(NEAR), after(NEAR), false)?;
        if late {
            walk(after(NEAR), after(LATE), true)?;
        }
        let says = |(reading, _): &(Reading, bool)| reading.values.iter().any(|it| it.1.is_ok());
        let lacks = |found: &Self, is_there: &dyn Fn(Timestamp) -> bool| {
            wanted.iter().any(|index| {
                let mut own = found.0.get(index).into_iter().flatten();
                !own.any(|one| says(one) && is_there(one.0.at))
            })
        };
        let no_start = lacks(&found, &|at| at <= span.start);
        let no_end = lacks(&found, &|at| at >= span.end);
        let mut walk = |from, until| {
            each(park, dir, (from, until), false, |reading, is_late| {
                if wanted.contains(&reading.meter) {
                    let own = found.0.entry(reading.meter).or_default();
                    own.push((reading, is_late));
                }
            })
        };
        if no_start {
            walk(before(FAR), before(NEAR))?;
        }
        if no_end {
            walk(after(NEAR), after(FAR))?;
        }
        for own in found.0.values_mut() {
            own.sort_by_key(|(reading, _)| reading.at);
            own.dedup();
        }
        Ok(found)
    }

    /// Those of a meter, with or without what came too late.
    pub(super) fn of(&self, meter: MeterIndex, late: bool) -> Vec<&Reading> {
        let own = self.0.get(&meter).into_iter().flatten();
        own.filter(|(_, is_late)| late || !is_late)
            .map(|(reading, _)| reading)
            .collect()
    }

    /// Whether anything of a meter came too late.
    pub(super) fn has_late(&self, meter: MeterIndex) -> bool {
        let mut own = self.0.get(&meter).into_iter().flatten();
        own.any(|(_, is_late)| *is_late)
    }
}

/// Every reading in the blocks of a period.
fn each(
    park: &Arc<Park>,
    dir: &Path,
    (from, until): (Timestamp, Timestamp),
    late_alone: bool,
    mut take: impl FnMut(Reading, bool),
) -> Result<(), StoreError> {
    let recorder = Recorder::new(park);
    let mut rows = ReadBack::new(&recorder);
    let mut reader = match Reader::new(dir) {
        Err(StoreError::Absent { .. }) => return Ok(()),
        reader => reader?,
    };
    let mut seq = 0;
    while let Some(block) = reader.next_between(seq, from, until)? {
        seq = block.seq;
        for line in block.text.lines() {
            if late_alone && !line.contains(Recorder::LATE_MARK) {
                continue;
            }
            if let Some((reading, is_late)) = rows.read(line)
                && (is_late || !late_alone)
            {
                take(reading, is_late);
            }
        }
    }
    Ok(())
}
