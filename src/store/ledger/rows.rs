//! Rows of the ledger as words of the domain, and back.

use std::array;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::domain::flow::{Energies, FLOW_COUNT, FLOWS, Flow, Flows, Known, Stated};
use crate::domain::interval::{Channel, Entry, Interval, Span};
use crate::domain::meter::Carrier;
use crate::domain::plant::{Input, Observed};
use crate::domain::provenance::Made;
use crate::domain::quality::{Gap, Gaps, Quality, REASONS, Reason};
use crate::domain::units::MilliwattHours;
use crate::store::error::StoreError;
use crate::store::journal::block::timestamp;

/// The name of a carrier in the ledger.
pub(super) fn carrier_name(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Electricity => "electricity",
        Carrier::Heat => "heat",
    }
}

fn carrier_named(name: &str) -> Carrier {
    if name == carrier_name(Carrier::Heat) {
        Carrier::Heat
    } else {
        Carrier::Electricity
    }
}

fn reason_named(name: &str) -> Reason {
    REASONS
        .iter()
        .find(|row| row.1 == name)
        .map_or(Reason::Config, |row| row.0)
}

/// A span from its two columns.
pub(super) fn span(start_ms: i64, end_ms: i64) -> Span {
    Span {
        start: timestamp(start_ms),
        end: timestamp(end_ms),
    }
}

/// The two columns of a span.
pub(super) fn ends(span: &Span) -> (i64, i64) {
    (span.start.as_millisecond(), span.end.as_millisecond())
}

/// Every entry of a span, in the order of meters and channels.
pub(super) fn entries(connection: &Connection, of: &Span) -> rusqlite::Result<Vec<Entry>> {
    let (start, end) = ends(of);
    let mut statement = connection.prepare_cached(
        "SELECT meter, carrier, positive, mwh, reason, quality, coverage_pct, opening, closing,
             made
         FROM entry WHERE start_ms = ?1 AND end_ms = ?2",
    )?;
    let rows = statement.query_map(params![start, end], |row| entry(row, *of))?;
    rows.collect()
}

/// Every entry of the spans that start in `[from, to)`.
pub(super) fn entries_between(
    connection: &Connection,
    from: Timestamp,
    to: Timestamp,
) -> rusqlite::Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(
        "SELECT meter, carrier, positive, mwh, reason, quality, coverage_pct, opening, closing,
             made, start_ms, end_ms
         FROM entry WHERE start_ms >= ?1 AND start_ms < ?2
         ORDER BY start_ms, end_ms, meter, carrier, positive DESC",
    )?;
    let period = params![from.as_millisecond(), to.as_millisecond()];
    let rows = statement.query_map(period, |row| {
        let span = span(row.get(10)?, row.get(11)?);
        entry(row, span)
    })?;
    rows.collect()
}

/// Every entry of a meter in the spans that start in `[from, to)`, with how often it was
/// said, and whether the span is closed.
pub(super) fn meter_entries(
    connection: &Connection,
    meter: &str,
    from: Timestamp,
    to: Timestamp,
) -> rusqlite::Result<Vec<(Entry, i64, bool)>> {
    let mut statement = connection.prepare_cached(
        "SELECT meter, carrier, positive, mwh, reason, quality, coverage_pct, opening, closing,
             made, start_ms, end_ms,
             1 + (SELECT count(*) FROM entry_before AS b
                  WHERE b.start_ms = e.start_ms AND b.end_ms = e.end_ms AND b.meter = e.meter
                    AND b.carrier = e.carrier AND b.positive = e.positive),
             EXISTS (SELECT 1 FROM closed AS c
                     WHERE c.start_ms = e.start_ms AND c.end_ms = e.end_ms)
         FROM entry AS e WHERE start_ms >= ?1 AND start_ms < ?2 AND meter = ?3
         ORDER BY start_ms, end_ms, carrier, positive DESC",
    )?;
    let asked = params![from.as_millisecond(), to.as_millisecond(), meter];
    let rows = statement.query_map(asked, |row| {
        let span = span(row.get(10)?, row.get(11)?);
        Ok((entry(row, span)?, row.get(12)?, row.get(13)?))
    })?;
    rows.collect()
}

/// One channel in a stretch of time: one range of `entry_of_channel`, which has all of it.
const CHANNEL: &str = "SELECT start_ms, end_ms, mwh, reason, quality, coverage_pct, made FROM entry
     WHERE meter = ?1 AND carrier = ?2 AND positive = ?3 AND start_ms >= ?4 AND start_ms < ?5
     ORDER BY start_ms, end_ms";

/// What one channel moved in the spans that start in `[from, to)`, without the readings at
/// their ends.
pub(super) fn channel_between(
    connection: &Connection,
    (meter, channel): (&Arc<str>, Channel),
    from: Timestamp,
    to: Timestamp,
    into: &mut Vec<Entry>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(CHANNEL)?;
    let carrier = carrier_name(channel.carrier);
    let (from, to) = (from.as_millisecond(), to.as_millisecond());
    let asked = params![&**meter, carrier, channel.positive, from, to];
    let mut found = statement.query(asked)?;
    while let Some(row) = found.next()? {
        let mwh: Option<i64> = row.get(2)?;
        let energy = match mwh {
            Some(mwh) => Ok(MilliwattHours(mwh)),
            None => Err(reason_named(row.get_ref(3)?.as_str().unwrap_or_default())),
        };
        into.push(Entry {
            meter: Arc::clone(meter),
            channel,
            span: span(row.get(0)?, row.get(1)?),
            energy,
            quality: quality(row.get(4)?),
            coverage_pct: row.get(5)?,
            opening: None,
            closing: None,
            made: Made::from_bits(row.get(6)?),
        });
    }
    Ok(())
}

/// Means of sensors in the spans that start in `[from, to)`.
pub(super) fn observed_between(
    connection: &Connection,
    from: Timestamp,
    to: Timestamp,
) -> rusqlite::Result<Vec<Observed>> {
    let mut statement = connection.prepare_cached(
        "SELECT start_ms, end_ms, meter, quantity, mean, last, coverage_pct
         FROM observed WHERE start_ms >= ?1 AND start_ms < ?2
         ORDER BY start_ms, end_ms, meter, quantity",
    )?;
    let period = params![from.as_millisecond(), to.as_millisecond()];
    let rows = statement.query_map(period, |row| {
        Ok(Observed {
            span: span(row.get(0)?, row.get(1)?),
            input: Input {
                meter: Arc::from(row.get_ref(2)?.as_str()?),
                quantity: Arc::from(row.get_ref(3)?.as_str()?),
            },
            mean: row.get(4)?,
            last: row.get(5)?,
            coverage_pct: row.get(6)?,
        })
    })?;
    rows.collect()
}

/// The same of what they said before.
pub(super) fn entries_before(
    connection: &Connection,
    from: Timestamp,
    to: Timestamp,
) -> rusqlite::Result<Vec<(i64, Entry)>> {
    let mut statement = connection.prepare_cached(
        "SELECT meter, carrier, positive, mwh, reason, quality, coverage_pct, opening, closing,
             made, start_ms, end_ms, revision
         FROM entry_before WHERE start_ms >= ?1 AND start_ms < ?2
         ORDER BY start_ms, end_ms, meter, carrier, positive DESC, revision",
    )?;
    let period = params![from.as_millisecond(), to.as_millisecond()];
    let rows = statement.query_map(period, |row| {
        let span = span(row.get(10)?, row.get(11)?);
        Ok((row.get(12)?, entry(row, span)?))
    })?;
    rows.collect()
}

fn entry(row: &Row<'_>, span: Span) -> rusqlite::Result<Entry> {
    let mwh: Option<i64> = row.get(3)?;
    let reason: Option<String> = row.get(4)?;
    Ok(Entry {
        meter: Arc::from(row.get_ref(0)?.as_str()?),
        channel: Channel {
            carrier: carrier_named(row.get_ref(1)?.as_str()?),
            positive: row.get(2)?,
        },
        span,
        energy: mwh
            .map(MilliwattHours)
            .ok_or_else(|| reason_named(reason.as_deref().unwrap_or_default())),
        quality: quality(row.get(5)?),
        coverage_pct: row.get(6)?,
        opening: row.get::<_, Option<i64>>(7)?.map(MilliwattHours),
        closing: row.get::<_, Option<i64>>(8)?.map(MilliwattHours),
        made: Made::from_bits(row.get(9)?),
    })
}

/// The quality of a cell.
pub(super) fn quality(code: i64) -> Quality {
    Quality::from_code(code).unwrap_or(Quality::Missing)
}

/// What is stored of the energy of one flow.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FlowCells {
    /// Milliwatt-hours, none while unknown.
    pub mwh: Option<i64>,
    /// Integer of the quality.
    pub quality: i64,
    /// Percent.
    pub coverage_pct: f64,
    /// JSON of the gaps, none while known.
    pub missing: Option<String>,
    /// Bits of what it rests on.
    pub made: i64,
}

impl FlowCells {
    /// The cells of a statement.
    pub(super) fn of(stated: &Stated<MilliwattHours>) -> Self {
        match stated {
            Ok(known) => Self {
                mwh: Some(known.value.0),
                quality: known.quality.code(),
                coverage_pct: if known.coverage_pct.is_finite() {
                    known.coverage_pct
                } else {
                    0.0
                },
                missing: None,
                made: known.made.bits(),
            },
            Err(gaps) => Self {
                mwh: None,
                quality: Quality::Missing.code(),
                coverage_pct: 0.0,
                missing: serde_json::to_string(gaps.list()).ok(),
                made: 0,
            },
        }
    }

    fn stated(&self) -> Stated<MilliwattHours> {
        match self.mwh {
            Some(mwh) => Ok(Known {
                value: MilliwattHours(mwh),
                quality: quality(self.quality),
                oldest: None,
                coverage_pct: self.coverage_pct,
                made: Made::from_bits(self.made),
            }),
            None => Err(gaps(self.missing.as_deref())),
        }
    }
}

/// The gaps of a JSON list; a list that says nothing names the configuration.
fn gaps(json: Option<&str>) -> Gaps {
    let list: Vec<Gap> = json
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    list.iter()
        .map(|gap| Gaps::one(&gap.meter, gap.reason))
        .reduce(|mut all, one| {
            all.join(&one);
            all
        })
        .unwrap_or_else(Gaps::config)
}

/// The cells of every flow of a revision, in the order of [`FLOWS`]; a flow that
/// a newer table of flows has and the row does not is none.
pub(super) type Cells = [Option<FlowCells>; FLOW_COUNT];

/// The cells of a revision of which nothing was read.
pub(super) const NO_CELLS: Cells = [const { None }; FLOW_COUNT];

/// The cells of flows.
pub(super) fn cells(flows: &Energies) -> Cells {
    let mut cells = NO_CELLS;
    for (cell, (_, stated)) in cells.iter_mut().zip(flows.iter()) {
        *cell = Some(FlowCells::of(stated));
    }
    cells
}

/// The stored cells of a revision.
pub(super) fn revision_cells(
    connection: &Connection,
    of: &Span,
    revision: i64,
) -> rusqlite::Result<Cells> {
    let (start, end) = ends(of);
    let mut statement = connection.prepare_cached(
        "SELECT flow, mwh, quality, coverage_pct, missing, made
         FROM interval WHERE start_ms = ?1 AND end_ms = ?2 AND revision = ?3",
    )?;
    let mut rows = statement.query(params![start, end, revision])?;
    let mut cells = NO_CELLS;
    while let Some(row) = rows.next()? {
        put_cell(&mut cells, row, 0)?;
    }
    Ok(cells)
}

/// Puts the columns `flow, mwh, quality, coverage_pct, missing, made` of a row, which
/// begin at `column`, in their place; a flow that the table does not have is passed over.
pub(super) fn put_cell(cells: &mut Cells, row: &Row<'_>, column: usize) -> rusqlite::Result<()> {
    let place = Flow::named(row.get_ref(column)?.as_str()?).map(Flow::place);
    if let Some(cell) = place.and_then(|place| cells.get_mut(place)) {
        *cell = Some(FlowCells {
            mwh: row.get(column + 1)?,
            quality: row.get(column + 2)?,
            coverage_pct: row.get(column + 3)?,
            missing: row.get(column + 4)?,
            made: row.get(column + 5)?,
        });
    }
    Ok(())
}

/// A revision as an interval.
pub(super) fn interval(of: Span, revision: i64, mut cells: Cells) -> Interval {
    let flows = Flows::new(array::from_fn(|place| {
        cells
            .get_mut(place)
            .and_then(Option::take)
            .map_or_else(|| Err(Gaps::config()), |cells| cells.stated())
    }));
    Interval {
        span: of,
        closed: true,
        revision,
        flows,
    }
}

/// The intervals of `(start, end, revision)` rows.
pub(super) fn intervals(
    connection: &Connection,
    path: &Path,
    keys: &[(i64, i64, i64)],
) -> Result<Vec<Interval>, StoreError> {
    keys.iter()
        .map(|&(start, end, revision)| {
            let span = span(start, end);
            let cells =
                revision_cells(connection, &span, revision).map_err(StoreError::ledger(path))?;
            Ok(interval(span, revision, cells))
        })
        .collect()
}

/// The names under which flows are stored, in the order of [`FLOWS`].
pub(super) fn flow_names() -> impl Iterator<Item = &'static str> {
    FLOWS.iter().map(|row| row.name)
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
