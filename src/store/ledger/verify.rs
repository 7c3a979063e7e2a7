//! The ledger read through: whether its pages are whole, and whether its tables say the
//! same of each other.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{BUSY_TIMEOUT, COVERED, copy, reader, refuse_newer, schema};
use crate::store::error::StoreError;

/// What must find nothing, and what it means where it does.
#[rustfmt::skip]
const LAWS: &[(&str, &str)] = &[
    ("closed intervals have no revision",
     "SELECT count(*) FROM closed AS c WHERE NOT EXISTS (
          SELECT 1 FROM revision AS r WHERE r.start_ms = c.start_ms AND r.end_ms = c.end_ms)"),
    ("intervals have revisions and are not closed",
     "SELECT count(*) FROM revision AS r WHERE NOT EXISTS (
          SELECT 1 FROM closed AS c WHERE c.start_ms = r.start_ms AND c.end_ms = r.end_ms)"),
    ("intervals lack one of their revisions",
     "SELECT count(*) FROM (SELECT 1 FROM revision GROUP BY start_ms, end_ms
          HAVING max(revision) <> count(*) OR min(revision) <> 1)"),
    ("revisions state no flow",
     "SELECT count(*) FROM revision AS r WHERE NOT EXISTS (
          SELECT 1 FROM interval AS i WHERE i.start_ms = r.start_ms AND i.end_ms = r.end_ms
              AND i.revision = r.revision)"),
    ("stated flows belong to no revision",
     "SELECT count(*) FROM interval AS i WHERE NOT EXISTS (
          SELECT 1 FROM revision AS r WHERE r.start_ms = i.start_ms AND r.end_ms = i.end_ms
              AND r.revision = i.revision)"),
    ("earlier words belong to no entry",
     "SELECT count(*) FROM entry_before AS b WHERE NOT EXISTS (
          SELECT 1 FROM entry AS e WHERE e.start_ms = b.start_ms AND e.end_ms = b.end_ms
              AND e.meter = b.meter AND e.carrier = b.carrier AND e.positive = b.positive)"),
    ("entries have neither an energy nor a reason",
     "SELECT count(*) FROM entry WHERE (mwh IS NULL) = (reason IS NULL)"),
    ("closed intervals do not say how export was fed",
     "SELECT count(*) FROM closed AS c WHERE NOT EXISTS (
          SELECT 1 FROM shape AS s WHERE s.start_ms = c.start_ms AND s.end_ms = c.end_ms)"),
];

/// What there is of a ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Bytes of the file.
    pub bytes: u64,
    /// Closed intervals.
    pub intervals: u64,
    /// Revisions of them.
    pub revisions: u64,
    /// The last sequence of the journal that it covers.
    pub covered: u64,
    /// How far each sink has come.
    pub cursors: Vec<(String, u64)>,
    /// What is not as it must be.
    pub broken: Vec<String>,
}

/// Reads all of a ledger, beside a daemon that may run.
///
/// # Errors
///
/// [`StoreError::NewerVersion`], and [`StoreError::Ledger`] where it cannot be read at all;
/// damage is no error.
pub fn verify(path: &Path) -> Result<Verified, StoreError> {
    refuse_newer(path)?;
    let bytes = std::fs::metadata(path).map_err(StoreError::io(path))?.len();
    let verified = match read(path) {
        Err(error) if error.is_damaged_ledger() => {
            let said = error.to_string().replace('\n', " ");
            let remedy = "restart the daemon, which brings it back from its copy and the journal";
            Verified {
                broken: vec![format!("its pages are damaged ({said}); {remedy}")],
                ..Verified::default()
            }
        }
        read => read?,
    };
    Ok(Verified { bytes, ..verified })
}

fn read(path: &Path) -> Result<Verified, StoreError> {
    let ledger = || StoreError::ledger(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(ledger())?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(ledger())?;
    // All of it is one state.
    let state = connection.unchecked_transaction().map_err(ledger())?;
    let known = schema::check(&state, path)? == schema::known();
    copy::check_pages(&state, path)?;
    let count = |sql: &str| -> Result<u64, StoreError> {
        let count: i64 = state
            .query_row(sql, [], |row| row.get(0))
            .map_err(ledger())?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    let mut found = Verified::default();
    if !known {
        // The next start brings it to this version, and its tables with it.
        return Ok(found);
    }
    for (meaning, sql) in LAWS {
        let broken = count(sql)?;
        if broken > 0 {
            found.broken.push(format!("{broken} {meaning}"));
        }
    }
    found.intervals = count("SELECT count(*) FROM closed")?;
    found.revisions = count("SELECT count(*) FROM revision")?;
    let covered = reader::meta(&state, path, COVERED)?;
    found.covered = covered.and_then(|text| text.parse().ok()).unwrap_or(0);
    found.cursors = reader::cursors(&state, path)?;
    Ok(found)
}
