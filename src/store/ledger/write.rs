//! The one transaction that brings the ledger up to the journal.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{COVERED, DROPPED_POINTS, DROPPED_SEQ, Settle, rows};
use crate::domain::interval::{Entry, ExportShape, Interval, Span};
use crate::domain::plant::Observed;
use crate::store::pending::Pending;

/// Writes what is pending; returns the revisions that follow from it.
pub(super) fn pending(
    connection: &Connection,
    pending: &Pending,
    settle: &Settle,
) -> rusqlite::Result<Vec<Interval>> {
    // What is touched, and whether an entry of it says something else.
    let mut touched: BTreeMap<Span, bool> = BTreeMap::new();
    for entry in pending.entries.values() {
        if is_closed(connection, &entry.span)? {
            keep_before(connection, entry)?;
        }
        *touched.entry(entry.span).or_default() |= put_entry(connection, entry)?;
    }
    for (span, shape) in &pending.closed {
        touched.entry(*span).or_default();
        close(connection, span, shape)?;
    }
    let mut fresh = Vec::new();
    for (span, says_else) in touched {
        if is_closed(connection, &span)? {
            fresh.extend(revise(connection, &span, settle, says_else)?);
        }
    }
    for one in pending.observed.values() {
        put_observed(connection, one)?;
    }
    for (meter, json) in &pending.state {
        connection
            .prepare_cached(
                "INSERT INTO meter_state (meter, json) VALUES (?1, ?2)
                 ON CONFLICT (meter) DO UPDATE SET json = excluded.json",
            )?
            .execute(params![meter, json])?;
    }
    for (sink, seq) in &pending.cursors {
        connection
            .prepare_cached(
                "INSERT INTO cursor (sink, seq) VALUES (?1, ?2)
                 ON CONFLICT (sink) DO UPDATE SET seq = max(seq, excluded.seq)",
            )?
            .execute(params![sink, i64::try_from(*seq).unwrap_or(i64::MAX)])?;
    }
    for (start, revision) in &pending.journaled {
        connection
            .prepare_cached(
                "UPDATE revision SET journaled = 1 WHERE start_ms = ?1 AND revision = ?2",
            )?
            .execute(params![start.as_millisecond(), revision])?;
    }
    if let Some(seq) = pending.covered_seq {
        set_meta(connection, COVERED, &seq.to_string())?;
    }
    if let Some((points, seq)) = pending.dropped {
        set_meta(connection, DROPPED_POINTS, &points.to_string())?;
        set_meta(connection, DROPPED_SEQ, &seq.to_string())?;
    }
    Ok(fresh)
}

/// Keeps what an entry of a closed span said, before it says something else.
fn keep_before(connection: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    let (start, end) = rows::ends(&entry.span);
    connection
        .prepare_cached(
            "INSERT INTO entry_before
             SELECT start_ms, end_ms, meter, carrier, positive,
                 1 + (SELECT count(*) FROM entry_before AS b
                      WHERE b.start_ms = e.start_ms AND b.end_ms = e.end_ms AND b.meter = e.meter
                        AND b.carrier = e.carrier AND b.positive = e.positive),
                 mwh, reason, quality, coverage_pct, opening, closing, made
             FROM entry AS e
             WHERE start_ms = ?1 AND end_ms = ?2 AND meter = ?3 AND carrier = ?4 AND positive = ?5
               AND (mwh IS NOT ?6 OR reason IS NOT ?7 OR quality <> ?8 OR coverage_pct <> ?9
                 OR opening IS NOT ?10 OR closing IS NOT ?11 OR made <> ?12)",
        )?
        .execute(params![
            start,
            end,
            &*entry.meter,
            rows::carrier_name(entry.channel.carrier),
            entry.channel.positive,
            entry.energy.ok().map(|energy| energy.0),
            entry.energy.err().map(|reason| reason.name()),
            entry.quality.code(),
            finite(entry.coverage_pct),
            entry.opening.map(|reading| reading.0),
            entry.closing.map(|reading| reading.0),
            entry.made.bits(),
        ])?;
    Ok(())
}

/// Returns whether the ledger did not say so already.
fn put_entry(connection: &Connection, entry: &Entry) -> rusqlite::Result<bool> {
    let (start, end) = rows::ends(&entry.span);
    let mwh = entry.energy.ok().map(|energy| energy.0);
    let reason = entry.energy.err().map(|reason| reason.name());
    let written = connection
        .prepare_cached(
            "INSERT INTO entry (start_ms, end_ms, meter, carrier, positive,
                 mwh, reason, quality, coverage_pct, opening, closing, made)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (start_ms, end_ms, meter, carrier, positive) DO UPDATE SET
                 mwh = excluded.mwh, reason = excluded.reason, quality = excluded.quality,
                 coverage_pct = excluded.coverage_pct, opening = excluded.opening,
                 closing = excluded.closing, made = excluded.made
             WHERE mwh IS NOT excluded.mwh OR reason IS NOT excluded.reason
                 OR quality <> excluded.quality OR coverage_pct <> excluded.coverage_pct
                 OR opening IS NOT excluded.opening OR closing IS NOT excluded.closing
                 OR made <> excluded.made",
        )?
        .execute(params![
            start,
            end,
            &*entry.meter,
            rows::carrier_name(entry.channel.carrier),
            entry.channel.positive,
            mwh,
            reason,
            entry.quality.code(),
            finite(entry.coverage_pct),
            entry.opening.map(|reading| reading.0),
            entry.closing.map(|reading| reading.0),
            entry.made.bits(),
        ])?;
    Ok(written > 0)
}

/// A mean that is none is not written: there is then none.
fn put_observed(connection: &Connection, one: &Observed) -> rusqlite::Result<()> {
    if !(one.mean.is_finite() && one.last.is_finite()) {
        return Ok(());
    }
    let (start, end) = rows::ends(&one.span);
    connection
        .prepare_cached(
            "INSERT INTO observed (start_ms, end_ms, meter, quantity, mean, last, coverage_pct)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (start_ms, end_ms, meter, quantity) DO UPDATE SET
                 mean = excluded.mean, last = excluded.last,
                 coverage_pct = excluded.coverage_pct",
        )?
        .execute(params![
            start,
            end,
            &*one.input.meter,
            &*one.input.quantity,
            one.mean,
            one.last,
            finite(one.coverage_pct),
        ])?;
    Ok(())
}

/// SQLite takes a NaN for NULL and refuses the row; nothing that is not finite
/// covers or feeds anything.
fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { 0.0 }
}

fn close(connection: &Connection, span: &Span, shape: &ExportShape) -> rusqlite::Result<()> {
    let (start, end) = rows::ends(span);
    connection
        .prepare_cached(
            "INSERT INTO shape (start_ms, end_ms, generation_wh, battery_wh)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (start_ms, end_ms) DO UPDATE SET
                 generation_wh = excluded.generation_wh, battery_wh = excluded.battery_wh",
        )?
        .execute(params![
            start,
            end,
            finite(shape.generation_wh),
            finite(shape.battery_wh)
        ])?;
    connection
        .prepare_cached(
            "INSERT INTO closed (start_ms, end_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![start, end])?;
    Ok(())
}

/// Whether a span is closed.
pub(super) fn is_closed(connection: &Connection, span: &Span) -> rusqlite::Result<bool> {
    let (start, end) = rows::ends(span);
    connection
        .prepare_cached("SELECT 1 FROM closed WHERE start_ms = ?1 AND end_ms = ?2")?
        .exists(params![start, end])
}

/// Settles a closed span anew. A revision comes of it if any entry or any flow says
/// something else: a tenant may be in no flow, and what was said of it counts as much.
fn revise(
    connection: &Connection,
    span: &Span,
    settle: &Settle,
    mut says_else: bool,
) -> rusqlite::Result<Option<Interval>> {
    let (start, end) = rows::ends(span);
    let settled = settle(
        &rows::entries(connection, span)?,
        shape(connection, span)?,
        *span,
    );
    // A late revision of a meter revises those that are computed from it.
    for entry in &settled.derived {
        keep_before(connection, entry)?;
        says_else |= put_entry(connection, entry)?;
    }
    let cells = rows::cells(&settled.flows);
    let head: Option<i64> = connection
        .prepare_cached(
            "SELECT revision FROM revision WHERE start_ms = ?1 AND end_ms = ?2
             ORDER BY revision DESC LIMIT 1",
        )?
        .query_row(params![start, end], |row| row.get(0))
        .optional()?;
    if let Some(head) = head
        && !says_else
        && rows::revision_cells(connection, span, head)? == cells
    {
        return Ok(None);
    }
    let revision = head.unwrap_or(0).saturating_add(1);
    connection
        .prepare_cached(
            "INSERT INTO revision (start_ms, end_ms, revision, journaled) VALUES (?1, ?2, ?3, 0)",
        )?
        .execute(params![start, end, revision])?;
    for (name, cell) in rows::flow_names().zip(&cells) {
        let Some(cell) = cell else { continue };
        connection
            .prepare_cached(
                "INSERT INTO interval (start_ms, end_ms, revision, flow,
                     mwh, quality, coverage_pct, missing, made)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                start,
                end,
                revision,
                name,
                cell.mwh,
                cell.quality,
                cell.coverage_pct,
                cell.missing,
                cell.made,
            ])?;
    }
    // As it will be read back, so that whoever writes it out after a restart
    // writes the same bytes.
    Ok(Some(rows::interval(*span, revision, cells)))
}

fn shape(connection: &Connection, span: &Span) -> rusqlite::Result<ExportShape> {
    let (start, end) = rows::ends(span);
    let shape = connection
        .prepare_cached(
            "SELECT generation_wh, battery_wh FROM shape WHERE start_ms = ?1 AND end_ms = ?2",
        )?
        .query_row(params![start, end], |row| {
            Ok(ExportShape {
                generation_wh: row.get(0)?,
                battery_wh: row.get(1)?,
            })
        })
        .optional()?;
    Ok(shape.unwrap_or_default())
}

/// Remembers a word.
pub(super) fn set_meta(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![key, value])?;
    Ok(())
}

#[cfg(test)]
#[path = "derived_tests.rs"]
mod derived_tests;
