//! Whether the books close: judged with every interval, kept on disk so that a row of
//! intervals goes on across a restart.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::closure::{Monitor, NodeChange, NodeView, Reconciliation};
use crate::domain::interval::{Channel, Entry, Span};
use crate::domain::meter::{MeterIndex, Park};
use crate::domain::plausibility::{MeterDrift, Settings};

use super::Engine;
use super::book::MeterBook;
use super::checks::Checks;

/// Key of the row of the monitor; no meter has such a name.
pub const CLOSURE_STATE: &str = "/closure";

/// Whether the books close.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Closure {
    /// Every node of the park.
    pub nodes: Vec<NodeView>,
    /// The last interval, reconciled; none before the first.
    pub reconciliation: Option<Reconciliation>,
    /// Every counter against its flow.
    pub drifts: Vec<MeterDrift>,
}

/// The monitor, and what it says.
pub struct Closing {
    monitor: Monitor,
    view: Arc<Closure>,
    changed: bool,
    changes: Vec<NodeChange>,
    /// Settings of the checks: thresholds of the drift.
    settings: Settings,
    drifts_at: Option<i64>,
}

/// Drifts move slowly: they are told this often, ms.
const DRIFTS_EVERY_MS: i64 = 60_000;

impl Closing {
    /// The monitor of a park, with what was kept of an earlier run.
    pub fn new(park: &Arc<Park>, settings: &Settings, earlier: Option<&str>) -> Self {
        let monitor = Monitor::new(park, settings.closure(), earlier);
        Self {
            view: Arc::new(view(&monitor, Vec::new())),
            settings: settings.clone(),
            drifts_at: None,
            monitor,
            changed: false,
            changes: Vec::new(),
        }
    }

    /// Judges an interval.
    pub fn close(&mut self, span: Span, entries: &[Entry], books: &[MeterBook]) {
        let step = |meter: MeterIndex, channel: Channel| {
            let mut tracks = books.get(meter)?.tracks().iter();
            tracks.find(|track| track.channel() == channel)?.step_wh()
        };
        let changes = self.monitor.close(span, entries, &step);
        self.changes.extend(changes);
        self.view = Arc::new(view(&self.monitor, self.view.drifts.clone()));
        self.changed = true;
    }

    /// Compares counters with their flows, if that was not done for a while.
    pub fn drifts(&mut self, now: Timestamp, checks: &Checks) {
        let now_ms = now.as_millisecond();
        let due = |then: i64| (now_ms - then).abs() >= DRIFTS_EVERY_MS;
        if self.drifts_at.is_none_or(due) {
            self.drifts_at = Some(now_ms);
            self.view = Arc::new(view(&self.monitor, checks.drifts(&self.settings)));
        }
    }

    /// Nodes that ceased to close, or close again, since the last time.
    pub fn take_changes(&mut self) -> Vec<NodeChange> {
        std::mem::take(&mut self.changes)
    }

    /// What it says.
    pub fn view(&self) -> Arc<Closure> {
        Arc::clone(&self.view)
    }

    /// Its row of state.
    pub fn row(&self) -> (String, String) {
        (CLOSURE_STATE.to_owned(), self.monitor.state())
    }

    /// Its row of state, if it changed since the last time.
    pub fn row_when_changed(&mut self) -> Option<(String, String)> {
        std::mem::take(&mut self.changed).then(|| self.row())
    }
}

fn view(monitor: &Monitor, drifts: Vec<MeterDrift>) -> Closure {
    Closure {
        drifts,
        nodes: monitor.view(),
        reconciliation: monitor.reconciliation().cloned(),
    }
}

impl Engine {
    /// Intervals that ended and are not closed: what left the books of them is in the
    /// ledger.
    #[must_use]
    pub fn ending(&self) -> &[Span] {
        &self.own.ending
    }

    /// Takes up entries that left the books before a restart, of intervals that are not
    /// closed.
    pub fn recall(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            if self.own.ending.contains(&entry.span) {
                let start = entry.span.start.as_millisecond();
                // Before what is known by now.
                self.pending.entry(start).or_default().insert(0, entry);
            }
        }
    }
}

#[cfg(test)]
#[path = "closing_tests.rs"]
mod tests;
