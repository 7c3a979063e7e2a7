//! Whether the books close, as `/api/v1/live` and the metrics tell it.

use std::sync::Arc;

use serde::Serialize;

use super::live::{LiveView, Place};
use super::metrics::{Scrape, label};
use crate::domain::closure::{DriftLevel, Judged, Missing, NodeView, State, Suspect};
use crate::domain::meter::Carrier;
use crate::domain::plausibility::{MeterDrift, Sums};
use crate::engine::Closure;

/// Counters up to which every drift is told; of a larger park those that matter.
const SHOWN_DRIFTS: usize = 200;
/// Nodes up to which every past is told; of a larger park that of nodes that are open to
/// doubt. The document goes to every reader each second.
const SHOWN_PASTS: usize = 20;

#[derive(Serialize)]
struct PastJson {
    start: String,
    residual_wh: Option<f64>,
    uncertainty_wh: Option<f64>,
    z: Option<f64>,
}

#[derive(Serialize)]
struct NodeJson<'a> {
    node: &'a str,
    carrier: Carrier,
    state: Option<State>,
    since: Option<String>,
    interval: Option<String>,
    residual_wh: Option<f64>,
    uncertainty_wh: Option<f64>,
    z: Option<f64>,
    intervals: u32,
    standing: bool,
    missing: &'a [Missing],
    why: Option<&'a str>,
    past: Vec<PastJson>,
}

#[derive(Serialize)]
struct ComputedJson<'a> {
    name: &'a str,
    wh: f64,
    uncertainty_wh: f64,
}

#[derive(Serialize)]
struct ReconciliationJson<'a> {
    chi_square: Option<f64>,
    limit: Option<f64>,
    degrees: usize,
    passes: Option<bool>,
    suspects: &'a [Suspect],
    unchecked: &'a [Arc<str>],
    computed: Vec<ComputedJson<'a>>,
    failed: Option<&'a str>,
}

#[derive(Serialize)]
struct SumsJson {
    integrated: f64,
    counted: f64,
    drift_pct: Option<f64>,
    hours: f64,
}

#[derive(Serialize)]
struct DriftJson<'a> {
    meter: &'a str,
    counter: &'static str,
    unit: &'static str,
    level: Option<&'static str>,
    today: SumsJson,
    yesterday: Option<SumsJson>,
    all: SumsJson,
}

/// The part `closure` of the live document.
#[derive(Serialize)]
pub(super) struct ClosureJson<'a> {
    nodes: Vec<NodeJson<'a>>,
    reconciliation: Option<ReconciliationJson<'a>>,
    drift: Vec<DriftJson<'a>>,
}

impl<'a> ClosureJson<'a> {
    pub(super) fn of(closure: &'a Closure, place: &Place) -> Self {
        let found = closure.reconciliation.as_ref();
        let all = closure.drifts.len() <= SHOWN_DRIFTS;
        let matters = |drift: &&MeterDrift| {
            all || drift.level.is_some_and(|level| level > DriftLevel::Within)
        };
        Self {
            nodes: closure
                .nodes
                .iter()
                .map(|node| node_json(node, place, closure.nodes.len() <= SHOWN_PASTS))
                .collect(),
            reconciliation: found.map(|found| ReconciliationJson {
                chi_square: found.chi_square,
                limit: found.limit,
                degrees: found.degrees,
                passes: found.passes,
                suspects: &found.suspects,
                unchecked: &found.unchecked,
                computed: found
                    .computed
                    .iter()
                    .map(|(name, wh, uncertainty_wh)| ComputedJson {
                        name,
                        wh: *wh,
                        uncertainty_wh: *uncertainty_wh,
                    })
                    .collect(),
                failed: found.failed.as_deref(),
            }),
            drift: closure
                .drifts
                .iter()
                .filter(matters)
                .map(|drift| DriftJson {
                    meter: &drift.meter,
                    counter: drift.counter,
                    unit: drift.unit,
                    level: drift.level.map(DriftLevel::name),
                    today: sums(&drift.today),
                    yesterday: drift.yesterday.as_ref().map(sums),
                    all: sums(&drift.all),
                })
                .collect(),
        }
    }
}

fn node_json<'a>(node: &'a NodeView, place: &Place, all: bool) -> NodeJson<'a> {
    let last: Option<&'a Judged> = node.last.as_ref();
    let doubted = node.row > 0 || node.standing;
    let past = if all || doubted { &node.past[..] } else { &[] };
    NodeJson {
        node: &node.name,
        carrier: node.carrier,
        state: last.map(|last| last.state),
        since: node.since.map(|at| place.rfc3339(at)),
        interval: last.map(|last| place.rfc3339(last.span.start)),
        residual_wh: last.and_then(|last| last.residual_wh),
        uncertainty_wh: last.and_then(|last| last.uncertainty_wh),
        z: last.and_then(|last| last.z),
        intervals: node.row,
        standing: node.standing,
        missing: last.map_or(&[], |last| &last.missing),
        why: last.and_then(|last| last.why.as_deref()),
        past: past
            .iter()
            .map(|past| PastJson {
                start: place.rfc3339(past.start),
                residual_wh: past.residual_wh,
                uncertainty_wh: past.uncertainty_wh,
                z: past.z,
            })
            .collect(),
    }
}

fn sums(sums: &Sums) -> SumsJson {
    let hours = crate::domain::units::to_f64(sums.covered_ms) / 3_600_000.0;
    SumsJson {
        integrated: sums.integrated,
        counted: sums.counted,
        drift_pct: sums.ratio().map(|ratio| ratio * 100.0),
        hours,
    }
}

/// The metrics: one series for each node, and one for each counter and day.
pub(super) fn metrics(scrape: &mut Scrape, view: &LiveView) {
    let nodes = &view.closure.nodes;
    let last = |of: &dyn Fn(&Judged) -> Option<f64>| -> Vec<_> {
        let known = nodes.iter();
        known
            .filter_map(|node| Some((label("node", &node.name), of(node.last.as_ref()?)?)))
            .collect()
    };
    let help = "Residual of a balance node in the last interval, in standard uncertainties";
    scrape.reals("closure_z", help, last(&|last| last.z));
    let help = "What was left of a balance node in the last interval";
    let residual = last(&|last| last.residual_wh);
    scrape.reals("closure_residual_watthours", help, residual);
    let help = "Standard uncertainty of the residual";
    let uncertainty = last(&|last| last.uncertainty_wh);
    scrape.reals("closure_uncertainty_watthours", help, uncertainty);
    let closes = nodes.iter().filter_map(|node| {
        let closes = match node.last.as_ref()?.state {
            _ if node.standing => 0.0,
            State::Closes | State::Doubtful => 1.0,
            State::DoesNotClose => 0.0,
            State::CannotBeJudged => return None,
        };
        Some((label("node", &node.name), closes))
    });
    let help = "Whether a balance node closes; absent while it cannot be judged";
    scrape.reals("closure_closes", help, closes);
    let reconciliation = view.closure.reconciliation.as_ref();
    let help = "Weighted square sum of what the meters had to move in the last interval";
    let chi_square = reconciliation.and_then(|found| found.chi_square);
    scrape.one_real("reconciliation_chi_square", help, chi_square);
    let help = "What correct meters stay below 19 of 20 times";
    let limit = reconciliation.and_then(|found| found.limit);
    scrape.one_real("reconciliation_limit", help, limit);
    let drifts = view.closure.drifts.iter().flat_map(|drift| {
        let days = [
            ("today", Some(&drift.today)),
            ("yesterday", drift.yesterday.as_ref()),
        ];
        days.into_iter().filter_map(|(day, sums)| {
            let labels = vec![
                ("meter", drift.meter.to_string()),
                ("counter", drift.counter.to_owned()),
                ("day", day.to_owned()),
            ];
            Some((labels, sums?.ratio()?))
        })
    });
    let help = "Integrated flow minus its counter, as a part of what was counted";
    scrape.reals("counter_drift_ratio", help, drifts);
}
