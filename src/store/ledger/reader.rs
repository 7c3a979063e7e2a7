//! Reading the ledger while the daemon writes it.
//!
//! A connection of its own, read-only; every question sees one consistent state.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{BUSY_TIMEOUT, refuse_newer, rows, schema};
use crate::domain::flow::{FLOWS, Flow};
use crate::domain::interval::{Channel, Entry, ExportShape, Interval, Span};
use crate::domain::plant::Observed;
use crate::domain::quality::Quality;
use crate::domain::units::MilliwattHours;
use crate::store::error::StoreError;
use crate::store::journal::block::timestamp;
use crate::store::place;

/// A read-only view of the ledger.
pub struct LedgerReader {
    path: PathBuf,
    connection: Connection,
}

impl LedgerReader {
    /// A reader of the ledger of the store in `dir`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Absent`] where there is none, [`StoreError::NewerVersion`]
    /// where this program cannot read it.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        place::check_version(dir)?;
        let path = place::ledger_file(dir);
        if !path.is_file() {
            return Err(StoreError::Absent { path });
        }
        refuse_newer(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(&path, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            Ok(connection)
        };
        let connection = open().map_err(StoreError::ledger(&path))?;
        schema::check(&connection, &path)?;
        Ok(Self { path, connection })
    }

    /// Reads with several questions of one state: what the daemon writes meanwhile is seen
    /// by none of them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`], and those of the questions.
    pub fn in_one_state<T>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let begun = self.connection.unchecked_transaction();
        let begun = begun.map_err(StoreError::ledger(&self.path))?;
        let found = read(self)?;
        begun.commit().map_err(StoreError::ledger(&self.path))?;
        Ok(found)
    }

    /// The latest revision of every closed interval that starts in `[from, to)`,
    /// oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn intervals(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Interval>, StoreError> {
        self.intervals_of(from, to, &FLOWS.each_ref().map(|row| row.flow))
    }

    /// The same with nothing but some flows; the others are left as a park has them that
    /// does not measure them. A year is a million rows, of which a report wants a few.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn intervals_of(
        &self,
        from: Timestamp,
        to: Timestamp,
        flows: &[Flow],
    ) -> Result<Vec<Interval>, StoreError> {
        let names: Vec<String> = flows
            .iter()
            .map(|flow| format!("'{}'", flow.name()))
            .collect();
        let sql = format!(
            "SELECT start_ms, end_ms, revision, flow, mwh, quality, coverage_pct, missing, made
             FROM interval WHERE start_ms >= ?1 AND start_ms < ?2 AND flow IN ({})
             ORDER BY start_ms, end_ms, revision",
            names.join(", ")
        );
        let period = params![from.as_millisecond(), to.as_millisecond()];
        let read = || {
            // Both questions see one state: that of whoever reads more with them, or their own.
            let own = self.connection.is_autocommit();
            let own = own.then(|| self.connection.unchecked_transaction());
            let _own = own.transpose()?;
            let state = &self.connection;
            let mut heads = state.prepare_cached(
                "SELECT start_ms, end_ms, max(revision) FROM revision
                 WHERE start_ms >= ?1 AND start_ms < ?2
                 GROUP BY start_ms, end_ms ORDER BY start_ms, end_ms",
            )?;
            let heads =
                heads.query_map(period, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let heads: Vec<(i64, i64, i64)> = heads.collect::<rusqlite::Result<_>>()?;
            let mut intervals = Vec::with_capacity(heads.len());
            let mut heads = heads.into_iter().peekable();
            let mut cells = rows::NO_CELLS;
            // The next interval is complete.
            let mut complete = |(start, end, revision), cells: &mut rows::Cells| {
                let cells = std::mem::replace(cells, rows::NO_CELLS);
                let span = rows::span(start, end);
                intervals.push(rows::interval(span, revision, cells));
            };
            let mut statement = state.prepare_cached(&sql)?;
            let mut found = statement.query(period)?;
            // Both are in the order of spans.
            while let Some(row) = found.next()? {
                let key = (row.get(0)?, row.get(1)?, row.get(2)?);
                while let Some(head) = heads.next_if(|head| *head < key) {
                    complete(head, &mut cells);
                }
                // Another one is a revision that was followed by the one at the head.
                if heads.peek() == Some(&key) {
                    rows::put_cell(&mut cells, row, 3)?;
                }
            }
            for head in heads {
                complete(head, &mut cells);
            }
            Ok(intervals)
        };
        read().map_err(StoreError::ledger(&self.path))
    }

    /// What is known last of every channel in spans that start in `[from, to)`, in the
    /// order of spans, meters and channels.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn entries(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Entry>, StoreError> {
        let read = || rows::entries_between(&self.connection, from, to);
        read().map_err(StoreError::ledger(&self.path))
    }

    /// What is known last of every channel of a meter in spans that start in `[from, to)`:
    /// the entry, its revision from 1, and whether its span is closed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn meter_entries(
        &self,
        meter: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Entry, i64, bool)>, StoreError> {
        let read = || rows::meter_entries(&self.connection, meter, from, to);
        read().map_err(StoreError::ledger(&self.path))
    }

    /// The same of some channels alone, one after the other, without the readings at the ends
    /// of a span: of a year of many meters a report wants a few.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn entries_of(
        &self,
        from: Timestamp,
        to: Timestamp,
        channels: &[(Arc<str>, Channel)],
    ) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        for (meter, channel) in channels {
            let asked = (meter, *channel);
            rows::channel_between(&self.connection, asked, from, to, &mut entries)
                .map_err(StoreError::ledger(&self.path))?;
        }
        Ok(entries)
    }

    /// Means of sensors in the spans that start in `[from, to)`, in the order of spans; none
    /// where a version before this one kept the ledger and no newer one has opened it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn observed(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Observed>, StoreError> {
        let read = || {
            let there = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'observed'";
            if !self.connection.prepare_cached(there)?.exists([])? {
                return Ok(Vec::new());
            }
            rows::observed_between(&self.connection, from, to)
        };
        read().map_err(StoreError::ledger(&self.path))
    }

    /// What the entries of the spans that start in `[from, to)` said before they said what
    /// they say now: the number of the revision, from 1, and the entry.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn entries_before(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(i64, Entry)>, StoreError> {
        let read = || rows::entries_before(&self.connection, from, to);
        read().map_err(StoreError::ledger(&self.path))
    }

    /// How export was fed in the closed spans that start in `[from, to)`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn shapes(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Span, ExportShape)>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT start_ms, end_ms, generation_wh, battery_wh FROM shape
                 WHERE start_ms >= ?1 AND start_ms < ?2 ORDER BY start_ms, end_ms",
            )?;
            let period = params![from.as_millisecond(), to.as_millisecond()];
            let rows = statement.query_map(period, |row| {
                let shape = ExportShape {
                    generation_wh: row.get(2)?,
                    battery_wh: row.get(3)?,
                };
                Ok((rows::span(row.get(0)?, row.get(1)?), shape))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(StoreError::ledger(&self.path))
    }

    /// Where the engine stands with each meter: its name, and its books.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn states(&self) -> Result<Vec<(String, String)>, StoreError> {
        let read = || {
            let mut statement = self
                .connection
                .prepare_cached("SELECT meter, json FROM meter_state ORDER BY meter")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(StoreError::ledger(&self.path))
    }

    /// What one channel moved in the intervals that start in `[from, to)`, where it is known.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn channel(
        &self,
        meter: &str,
        channel: Channel,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Span, MilliwattHours, Quality)>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT start_ms, end_ms, mwh, quality FROM entry
                 WHERE start_ms >= ?1 AND start_ms < ?2 AND meter = ?3 AND carrier = ?4
                   AND positive = ?5 AND mwh IS NOT NULL ORDER BY start_ms, end_ms",
            )?;
            let asked = params![
                from.as_millisecond(),
                to.as_millisecond(),
                meter,
                rows::carrier_name(channel.carrier),
                channel.positive,
            ];
            let found = statement.query_map(asked, |row| {
                Ok((
                    rows::span(row.get(0)?, row.get(1)?),
                    MilliwattHours(row.get(2)?),
                    rows::quality(row.get(3)?),
                ))
            })?;
            found.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(StoreError::ledger(&self.path))
    }

    /// Every revision of the intervals that start at `start`, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn revisions(&self, start: Timestamp) -> Result<Vec<Interval>, StoreError> {
        self.select(
            "SELECT start_ms, end_ms, revision, flow, mwh, quality, coverage_pct, missing, made
             FROM interval WHERE start_ms >= ?1 AND start_ms <= ?2
             ORDER BY start_ms, end_ms, revision",
            start,
            start,
        )
    }

    fn select(
        &self,
        sql: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Interval>, StoreError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut found = statement.query(params![from.as_millisecond(), to.as_millisecond()])?;
            let mut revisions: BTreeMap<(i64, i64, i64), rows::Cells> = BTreeMap::new();
            while let Some(row) = found.next()? {
                let key = (row.get(0)?, row.get(1)?, row.get(2)?);
                let cells = revisions.entry(key).or_default();
                rows::put_cell(cells, row, 3)?;
            }
            Ok(revisions)
        };
        let revisions = read().map_err(StoreError::ledger(&self.path))?;
        Ok(revisions
            .into_iter()
            .map(|((start, end, revision), cells)| {
                rows::interval(rows::span(start, end), revision, cells)
            })
            .collect())
    }

    /// From the first start to the last end of all intervals: the kept period.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn period(&self) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        let ends: (Option<i64>, Option<i64>) = self
            .connection
            .query_row(
                "SELECT (SELECT min(start_ms) FROM revision), (SELECT max(end_ms) FROM revision)",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(StoreError::ledger(&self.path))?;
        Ok(ends
            .0
            .zip(ends.1)
            .map(|(start, end)| (timestamp(start), timestamp(end))))
    }

    /// How far each sink has come, as of the last few seconds.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn cursors(&self) -> Result<Vec<(String, u64)>, StoreError> {
        cursors(&self.connection, &self.path)
    }

    /// A remembered word: the park, its time zone.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        meta(&self.connection, &self.path, key)
    }
}

/// How far each sink has come.
pub(super) fn cursors(
    connection: &Connection,
    path: &Path,
) -> Result<Vec<(String, u64)>, StoreError> {
    let read = || {
        connection
            .prepare_cached("SELECT sink, seq FROM cursor ORDER BY sink")?
            .query_map([], |row| {
                let seq: i64 = row.get(1)?;
                Ok((row.get(0)?, u64::try_from(seq).unwrap_or(0)))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()
    };
    read().map_err(StoreError::ledger(path))
}

/// A remembered word.
pub(super) fn meta(
    connection: &Connection,
    path: &Path,
    key: &str,
) -> Result<Option<String>, StoreError> {
    let read = || {
        connection
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()
    };
    read().map_err(StoreError::ledger(path))
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
