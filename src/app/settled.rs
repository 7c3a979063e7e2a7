//! Reports that need the park: its meters and contracts beside the ledger.
//!
//! A long period is read stretch by stretch, all of it of one state of the ledger, so that
//! a year of a large park does not stand in memory as rows of the ledger at once.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Setup;
use crate::domain::boundary::{netting, register_mode};
use crate::domain::interval::{CLOSE_AFTER_S, Entry, Interval, Span};
use crate::domain::meter::Park;
use crate::domain::settlement::Settlement;
use crate::domain::time::{local_date, slot, slots};
use crate::report::Report;
use crate::report::allocation::Allocation;
use crate::report::carbon::Carbon;
use crate::report::grid_export::{Rules, Scope};
use crate::store::{LedgerReader, StoreError};
use crate::sys::clock::wall;

/// Intervals that are read at once: a week and a half of quarter hours.
const AT_ONCE: usize = 1_000;

/// Which part of a ledger's intervals are over: up to the last that closed, or to the one
/// that an interval's time has closed.
#[must_use]
pub fn over(newest: Timestamp, park: &Park) -> Timestamp {
    let closing = Timestamp::from_second(wall().as_second() - CLOSE_AFTER_S).unwrap_or(newest);
    slot(closing, &park.time_zone, park.settlement_minutes)
        .start
        .max(newest)
}

/// The scope of a stretch of time, of which only whole intervals that are over count.
#[must_use]
pub fn scope(park: &Park, from: Timestamp, to: Timestamp, newest: Timestamp) -> Scope {
    let (zone, minutes) = (&park.time_zone, park.settlement_minutes);
    let first = slot(from, zone, minutes);
    let start = if first.start < from {
        first.end
    } else {
        first.start
    };
    let end = to.min(over(newest, park)).max(start);
    let last = to.saturating_sub(jiff::SignedDuration::from_millis(1));
    Scope {
        park: park.id.to_string(),
        time_zone: zone.clone(),
        zone_name: zone.iana_name().unwrap_or("UTC").to_owned(),
        settlement_minutes: minutes,
        dates: (local_date(from, zone), local_date(last.unwrap_or(to), zone)),
        span: Span { start, end },
        rules: Rules {
            netting: netting(park),
            register_mode: register_mode(park).map(str::to_owned),
            gaps: Some(park.relations.gaps),
        },
    }
}

/// A report by its name; none where the configuration does not ask for it.
///
/// # Errors
///
/// Where the ledger cannot be read.
pub fn report(
    name: &str,
    ledger: &LedgerReader,
    park: &Arc<Park>,
    settlement: &Arc<Settlement>,
    scope: Scope,
) -> Result<Option<Report>, StoreError> {
    match name {
        "allocation" if settlement.electricity.is_some() || settlement.heat.is_some() => {
            let (park, settlement) = (Arc::clone(park), Arc::clone(settlement));
            let mut report = Allocation::new(scope.clone(), park, settlement);
            each(ledger, &scope, |slots, intervals, entries| {
                report.push(slots, intervals, entries);
            })?;
            Ok(Some(Report::Allocation(report)))
        }
        "carbon" => {
            let Some(account) = settlement.carbon.clone() else {
                return Ok(None);
            };
            let (park, settlement) = (Arc::clone(park), Arc::clone(settlement));
            let mut report = Carbon::new(scope.clone(), park, settlement, account);
            each(ledger, &scope, |slots, intervals, entries| {
                report.push(slots, intervals, entries);
            })?;
            Ok(Some(Report::Carbon(Box::new(report))))
        }
        _ => Ok(None),
    }
}

/// What a configuration lacks for a report.
#[must_use]
pub fn lacking(name: &str) -> &'static str {
    match name {
        "allocation" => {
            "the configuration shares nothing; add [allocation] with a rule, such as \
             [allocation.rule.dynamic]"
        }
        "carbon" => {
            "the configuration has no [carbon]; add a factor of the grid, such as \
             [carbon.grid.published] with geography and year"
        }
        _ => "there is no such report",
    }
}

/// Reads a scope stretch by stretch.
fn each(
    ledger: &LedgerReader,
    scope: &Scope,
    mut take: impl FnMut(&[Span], &[Interval], &[Entry]),
) -> Result<(), StoreError> {
    ledger.in_one_state(|ledger| {
        let all: Vec<Span> =
            slots(scope.span, &scope.time_zone, scope.settlement_minutes).collect();
        for slots in all.chunks(AT_ONCE) {
            let (Some(first), Some(last)) = (slots.first(), slots.last()) else {
                continue;
            };
            let intervals = ledger.intervals(first.start, last.end)?;
            let entries = ledger.entries(first.start, last.end)?;
            take(slots, &intervals, &entries);
        }
        Ok(())
    })
}

/// A report of a stretch as JSON, for the API: none where the configuration does not ask
/// for it.
///
/// # Errors
///
/// Where the ledger cannot be read.
pub fn as_json(
    name: &str,
    dir: &Path,
    park: &Arc<Park>,
    settlement: &Arc<Settlement>,
    (from, to): (Timestamp, Timestamp),
) -> Result<Option<String>, StoreError> {
    let ledger = LedgerReader::open(dir)?;
    let newest = ledger.period()?.map_or(from, |(_, newest)| newest);
    let scope = scope(park, from, to, newest);
    let report = report(name, &ledger, park, settlement, scope)?;
    Ok(report.map(|report| crate::report::json(&report)))
}

/// The report of a configuration by its name.
///
/// # Errors
///
/// Where the ledger cannot be read.
pub fn of_setup(
    name: &str,
    setup: &Setup,
    ledger: &LedgerReader,
    scope: Scope,
) -> Result<Option<Report>, StoreError> {
    report(name, ledger, &setup.park, &setup.settlement, scope)
}
