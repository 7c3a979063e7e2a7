//! Watches whether the books close: every node, at the close of every interval, for ever.
//!
//! ```text
//!   entries of an interval ──▶ residual ± u of each node ──▶ closes | doubtful | does not close
//!                          └─▶ reconciliation ────────────▶ suspects, unchecked meters
//! ```
//!
//! One interval beyond its uncertainty is doubtful; it takes several in a row before a
//! node does not close. **A node with a missing meter cannot be judged, and never closes
//! by assumption**: it neither ends a row nor adds to it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::class::Told;
use super::node::{Node, nodes};
use super::reconciled::{Reconciliation, losses, reconciled};
use super::values::{Amounts, Counted, Missing};
use super::{Limits, Residual, Verdict, Watch};
use crate::domain::flow::Known;
use crate::domain::interval::{Channel, Entry, Span};
use crate::domain::meter::{Carrier, MeterIndex, Park};
use crate::domain::units::to_f64;

/// Past intervals that are kept of a node: three hours of quarter-hours.
const KEPT: usize = 12;

/// What the configuration says of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// When a residual is flagged: [`Limits::in_a_row`] counts intervals that may exceed.
    pub limits: Limits,
    /// The accuracy of meters, where it is told.
    pub told: HashMap<Arc<str>, Told>,
    /// Meters with those that make them up.
    pub complete: BTreeMap<String, Vec<String>>,
}

/// How a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The meters explain the residual.
    Closes,
    /// They did not in the last interval.
    Doubtful,
    /// They have not for several intervals in a row.
    DoesNotClose,
    /// A meter is missing, or something has none.
    CannotBeJudged,
}

/// A node in one interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The interval.
    pub span: Span,
    /// How it stands since.
    pub state: State,
    /// What is left of its balance, Wh.
    pub residual_wh: Option<f64>,
    /// Its standard uncertainty, Wh.
    pub uncertainty_wh: Option<f64>,
    /// The residual in units of its uncertainty, signed; none where it is not judged.
    pub z: Option<f64>,
    /// Meters that say nothing of it.
    pub missing: Vec<Missing>,
    /// Why it cannot be judged, where no meter is to blame.
    pub why: Option<Arc<str>>,
}

/// A node in an interval before the last.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Start of the interval.
    pub start: Timestamp,
    /// What was left, Wh.
    pub residual_wh: Option<f64>,
    /// Its standard uncertainty, Wh.
    pub uncertainty_wh: Option<f64>,
    /// One by the other.
    pub z: Option<f64>,
}

/// A node as others see it.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeView {
    /// What it is called.
    pub name: Arc<str>,
    /// Its balance.
    pub carrier: Carrier,
    /// The last interval; none before the first.
    pub last: Option<Judged>,
    /// Since when it stands so.
    pub since: Option<Timestamp>,
    /// Intervals in a row that exceeded.
    pub row: u32,
    /// Whether it does not close, and has not closed since.
    pub standing: bool,
    /// The intervals up to the last one, oldest first.
    pub past: Vec<Past>,
}

/// A node that ceased to close, or closes again.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeChange {
    /// The node.
    pub name: Arc<str>,
    /// Whether it closes.
    pub closes: bool,
    /// Since when it did not.
    pub since: Timestamp,
    /// The residual, Wh.
    pub residual_wh: f64,
    /// Its standard uncertainty, Wh.
    pub uncertainty_wh: f64,
    /// Intervals in a row.
    pub row: u32,
}

impl fmt::Display for NodeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        let since = self.since;
        if self.closes {
            return write!(
                f,
                "The books of {name} close again; they had not since {since}"
            );
        }
        let (left, u) = (self.residual_wh / 1_000.0, self.uncertainty_wh / 1_000.0);
        let row = self.row;
        write!(
            f,
            "The books of {name} have not closed for {row} intervals, since {since}: \
             {left:.3} kWh are left, with a standard uncertainty of {u:.3} kWh; \
             look at `closure` of the live page's data for the suspects"
        )
    }
}

/// What is kept of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    watch: Watch,
    since: Option<Timestamp>,
    exceeds_since: Option<Timestamp>,
    standing: bool,
    last: Option<Judged>,
    past: VecDeque<Past>,
}

/// What is kept of all.
#[derive(Debug, Default, Serialize, Deserialize)]
struct All {
    nodes: BTreeMap<String, Kept>,
    reconciliation: Option<Reconciliation>,
}

/// The monitor of a park.
#[derive(Debug)]
pub struct Monitor {
    park: Arc<Park>,
    settings: Settings,
    nodes: Vec<Node>,
    kept: Vec<Kept>,
    reconciliation: Option<Reconciliation>,
}

impl Monitor {
    /// The monitor of a park, with what was kept of an earlier run.
    #[must_use]
    pub fn new(park: &Arc<Park>, settings: Settings, earlier: Option<&str>) -> Self {
        let mut all: All = earlier
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        let complete = |id: &str| settings.complete.get(id).map_or(&[][..], Vec::as_slice);
        let nodes = nodes(park, &complete);
        let kept = nodes
            .iter()
            .map(|node| match all.nodes.remove(&*node.name) {
                Some(kept) => Kept {
                    watch: kept.watch.under(settings.limits),
                    ..kept
                },
                None => Kept {
                    watch: Watch::new(settings.limits),
                    since: None,
                    exceeds_since: None,
                    standing: false,
                    last: None,
                    past: VecDeque::new(),
                },
            });
        Self {
            park: Arc::clone(park),
            kept: kept.collect(),
            nodes,
            settings,
            reconciliation: all.reconciliation,
        }
    }

    /// Judges an interval from what every channel counted.
    pub fn close(
        &mut self,
        span: Span,
        entries: &[Entry],
        step_wh: &dyn Fn(MeterIndex, Channel) -> Option<f64>,
    ) -> Vec<NodeChange> {
        let hours = to_f64(span.ms()) / 3_600_000.0;
        let amounts = Amounts {
            park: &self.park,
            told: &self.settings.told,
            step_wh,
            span,
        };
        let counted = amounts.of(entries);
        let mut changes = Vec::new();
        for (node, kept) in self.nodes.iter().zip(&mut self.kept) {
            let found = residual(&self.park, node, &counted, hours);
            changes.extend(kept.hear(node, span, found));
        }
        let lost = |node: &Node| losses(&self.park, node, &counted, hours);
        self.reconciliation = Some(reconciled(&self.park, &self.nodes, &counted, &lost));
        changes
    }

    /// Every node.
    #[must_use]
    pub fn view(&self) -> Vec<NodeView> {
        let nodes = self.nodes.iter().zip(&self.kept);
        nodes
            .map(|(node, kept)| NodeView {
                name: Arc::clone(&node.name),
                carrier: node.carrier,
                last: kept.last.clone(),
                since: kept.since,
                row: kept.watch.row(),
                standing: kept.standing,
                past: kept.past.iter().copied().collect(),
            })
            .collect()
    }

    /// The last interval, reconciled.
    #[must_use]
    pub fn reconciliation(&self) -> Option<&Reconciliation> {
        self.reconciliation.as_ref()
    }

    /// What must outlive this run.
    #[must_use]
    pub fn state(&self) -> String {
        let nodes = self.nodes.iter().zip(&self.kept);
        let all = All {
            nodes: nodes
                .map(|(node, kept)| (node.name.to_string(), kept.clone()))
                .collect(),
            reconciliation: self.reconciliation.clone(),
        };
        serde_json::to_string(&all).unwrap_or_default()
    }
}

/// What is left of a node, or every meter that is missing for it.
fn residual(
    park: &Park,
    node: &Node,
    counted: &Counted,
    hours: f64,
) -> Result<Residual, Vec<Missing>> {
    let mut sum = Residual {
        value: 0.0,
        uncertainty: 0.0,
    };
    let mut missing = Vec::new();
    let mut add = |sign: f64, wh: f64, u_wh: f64| {
        sum.value += sign * wh;
        sum.uncertainty = sum.uncertainty.hypot(sign * u_wh);
    };
    for part in &node.parts {
        match counted.get(&(part.meter, part.carrier)) {
            Some(Ok(worth)) => add(part.sign, worth.wh, worth.u_wh),
            Some(Err(gap)) => missing.push(gap.clone()),
            None => missing.extend(park.meters.get(part.meter).map(|meter| Missing {
                meter: Arc::clone(&meter.id),
                reason: "config".into(),
            })),
        }
    }
    if !missing.is_empty() {
        return Err(missing);
    }
    if node.has_losses
        && let Some(lost) = losses(park, node, counted, hours)
    {
        add(-1.0, lost.wh, lost.u_wh);
    }
    Ok(sum)
}

impl Kept {
    /// Takes in an interval.
    fn hear(
        &mut self,
        node: &Node,
        span: Span,
        found: Result<Residual, Vec<Missing>>,
    ) -> Option<NodeChange> {
        let was_standing = self.standing;
        let since = self.exceeds_since;
        let judged = self.judge(node, span, found);
        if self
            .last
            .as_ref()
            .is_none_or(|last| last.state != judged.state)
        {
            self.since = Some(match judged.state {
                State::DoesNotClose => self.exceeds_since.unwrap_or(span.start),
                _ => span.start,
            });
        }
        self.past.push_back(Past {
            start: span.start,
            residual_wh: judged.residual_wh,
            uncertainty_wh: judged.uncertainty_wh,
            z: judged.z,
        });
        while self.past.len() > KEPT {
            self.past.pop_front();
        }
        let change = (was_standing != self.standing).then(|| NodeChange {
            name: Arc::clone(&node.name),
            closes: !self.standing,
            since: self.exceeds_since.or(since).unwrap_or(span.start),
            residual_wh: judged.residual_wh.unwrap_or_default(),
            uncertainty_wh: judged.uncertainty_wh.unwrap_or_default(),
            row: self.watch.row(),
        });
        self.last = Some(judged);
        change
    }

    fn judge(&mut self, node: &Node, span: Span, found: Result<Residual, Vec<Missing>>) -> Judged {
        let mut judged = Judged {
            span,
            state: State::CannotBeJudged,
            residual_wh: None,
            uncertainty_wh: None,
            z: None,
            missing: Vec::new(),
            why: None,
        };
        let left = match found {
            Err(missing) => {
                judged.missing = missing;
                return judged;
            }
            Ok(left) => left,
        };
        judged.residual_wh = Some(left.value);
        judged.uncertainty_wh = Some(left.uncertainty);
        // What nobody measured explains every residual that it can be.
        let open = node.open.as_ref();
        let explained = open.is_some_and(|open| !open.takes || left.value >= 0.0);
        judged.why = open.map(|open| open.why.into());
        if !explained {
            judged.z = Some(left.value / left.uncertainty);
        }
        let tested = Residual {
            value: if explained { 0.0 } else { left.value },
            ..left
        };
        match self.watch.hear(&Ok(Known::given(tested))) {
            Verdict::Unknown => return judged,
            Verdict::Closed => {
                self.standing = false;
                self.exceeds_since = None;
                if open.is_none() {
                    judged.state = State::Closes;
                }
            }
            Verdict::Exceeded(row) => {
                if row == 1 {
                    self.exceeds_since = Some(span.start);
                }
                judged.state = State::Doubtful;
            }
            Verdict::Flagged(row) => {
                if row == 1 {
                    self.exceeds_since = Some(span.start);
                }
                self.standing = true;
                judged.state = State::DoesNotClose;
            }
        }
        judged
    }
}

#[cfg(test)]
#[path = "monitor_tests.rs"]
mod tests;
