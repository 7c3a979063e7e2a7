//! Reading the ledger while the daemon writes it.
//!
//! A connection of its own, read-only; every question sees one consistent state.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{BUSY_TIMEOUT, refuse_newer, rows, schema};
use crate::domain::interval::{Entry, ExportShape, Interval, Span};
use crate::domain::plant::Observed;
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

    /// The latest revision of every closed interval that starts in `[from, to)`,
    /// oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn intervals(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Interval>, StoreError> {
        self.select(
            "SELECT i.start_ms, i.end_ms, i.revision, i.flow,
                 i.mwh, i.quality, i.coverage_pct, i.missing
             FROM (SELECT start_ms, end_ms, max(revision) AS revision FROM revision
                   WHERE start_ms >= ?1 AND start_ms < ?2 GROUP BY start_ms, end_ms) AS head
             JOIN interval AS i USING (start_ms, end_ms, revision)
             ORDER BY i.start_ms, i.end_ms",
            from,
            to,
        )
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

    /// Every revision of the intervals that start at `start`, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Ledger`].
    pub fn revisions(&self, start: Timestamp) -> Result<Vec<Interval>, StoreError> {
        self.select(
            "SELECT start_ms, end_ms, revision, flow, mwh, quality, coverage_pct, missing
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
