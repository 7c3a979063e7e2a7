//! Where a number of the ledger comes from: the entries that it is made of, and how each
//! follows from the readings around the ends of its interval.
//!
//! ```text
//!   flow ──▶ sums of meters ──▶ entry ──▶ register: readings, weights, worth of a count
//!                                    ├──▶ power:    samples and the line between them
//!                                    ├──▶ heat:     what passed, and both temperatures
//!                                    └──▶ derived:  the same of every input
//! ```
//!
//! Reads ledger, journal and events; writes nothing, and works beside a daemon.

mod readings;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::AppError;
use crate::domain::attribution::{self, Attribution};
use crate::domain::event::{MeterEvent, What, standing};
use crate::domain::explain::{Member, made, members};
use crate::domain::flow::{FlowRow, Stated};
use crate::domain::interval::{Channel, Entry, ExportShape, Interval, Origin, Span, origin};
use crate::domain::meter::{MeterIndex, Park};
use crate::domain::units::MilliwattHours;
use crate::engine::trace::{Trace, trace};
use crate::store::{LedgerReader, events};
use readings::Readings;

/// One channel in a flow.
#[derive(Debug, Clone)]
pub struct Contribution {
    /// Whether it is added, or taken off.
    pub adds: bool,
    /// The meter whose transformer took it, where it is a loss.
    pub lost: Option<Arc<str>>,
    /// The meter.
    pub meter: Arc<str>,
    /// Which way.
    pub channel: Channel,
    /// Where its energy comes from; none where the meter does not have it, or is computed
    /// from others.
    pub origin: Option<Origin>,
    /// What the ledger says.
    pub entry: Option<Entry>,
    /// What it said before, oldest first.
    pub before: Vec<Entry>,
    /// What the readings of the journal come to.
    pub trace: Option<Trace>,
    /// What it is computed from, where it is; said once for a meter.
    pub inputs: Vec<Input>,
}

/// A meter that another one is computed from.
#[derive(Debug, Clone)]
pub struct Input {
    /// The meter.
    pub meter: Arc<str>,
    /// Times which it counts.
    pub factor: f64,
    /// Its channels.
    pub sides: Vec<Contribution>,
}

impl Input {
    /// Its energy in the direction of its role; none where that is not known.
    #[must_use]
    pub fn net(&self) -> Option<MilliwattHours> {
        let mut net = MilliwattHours::ZERO;
        for side in &self.sides {
            let energy = side.entry.as_ref()?.energy.ok()?;
            net = if side.adds {
                net + energy
            } else {
                net - energy
            };
        }
        (!self.sides.is_empty()).then_some(net)
    }
}

/// A flow in an interval.
#[derive(Debug, Clone)]
pub struct Explained {
    /// Which.
    pub row: &'static FlowRow,
    /// What it says in every revision, oldest first.
    pub revisions: Vec<(i64, Stated<MilliwattHours>)>,
    /// What it is made of.
    pub contributions: Vec<Contribution>,
    /// What is no sum of meters.
    pub besides: Option<&'static str>,
}

/// An interval.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// When.
    pub span: Span,
    /// How export was fed as the powers of each second say it; none where they were not
    /// known for long enough or saw no export, and the amounts of the interval decide.
    pub shape: Option<ExportShape>,
    /// Who fed whom, by the newest revision; none before the first.
    pub attribution: Option<Stated<Attribution<MilliwattHours>>>,
    /// The flows that were asked for.
    pub flows: Vec<Explained>,
    /// What was entered about meters in it, and what says what their counts are worth.
    pub events: Vec<MeterEvent>,
}

/// Explains flows of an interval; none where the ledger does not have it.
///
/// # Errors
///
/// Where ledger, journal or events cannot be read.
pub fn explain(
    park: &Arc<Park>,
    dir: &Path,
    span: Span,
    flows: &[&'static FlowRow],
) -> Result<Option<Explanation>, AppError> {
    let ledger = LedgerReader::open(dir)?;
    let (revisions, entries, before, shapes) = ledger.in_one_state(|ledger| {
        Ok((
            ledger.revisions(span.start)?,
            ledger.entries(span.start, span.end)?,
            ledger.entries_before(span.start, span.end)?,
            ledger.shapes(span.start, span.end)?,
        ))
    })?;
    let revisions: Vec<Interval> = revisions
        .into_iter()
        .filter(|interval| interval.span == span)
        .collect();
    if revisions.is_empty() && entries.is_empty() {
        return Ok(None);
    }
    let shape = shapes.into_iter().find(|(of, _)| *of == span);
    let mut wanted = BTreeSet::new();
    for row in flows {
        for part in made(row.flow).parts {
            for member in members(park, row.carrier, part) {
                measured(park, member.meter, &mut wanted);
            }
        }
    }
    let readings = Readings::read(park, dir, span, &wanted, !before.is_empty())?;
    let events = standing(&events::read(dir)?.list);
    let found = Found {
        park,
        span,
        entries,
        before,
        readings,
        events,
    };
    let flows = flows.iter().map(|row| found.flow(row, &revisions));
    let flows = flows.collect();
    Ok(Some(Explanation {
        span,
        shape: shape
            .map(|(_, shape)| shape)
            .filter(|shape| shape.generation_share().is_some()),
        attribution: revisions
            .last()
            .map(|interval| attribution::of_energies(&interval.flows)),
        flows,
        events: found.events_of(&wanted),
    }))
}

/// Adds a meter, or where it is computed those that it is computed from.
fn measured(park: &Park, index: MeterIndex, wanted: &mut BTreeSet<MeterIndex>) {
    let Some(meter) = park.meters.get(index) else {
        return;
    };
    match park.relations.expression(&meter.id) {
        Some(expression) => {
            for input in expression.meters().filter_map(|id| park.meter(id)) {
                measured(park, input, wanted);
            }
        }
        None => {
            wanted.insert(index);
        }
    }
}

/// What is known of an interval.
struct Found<'a> {
    park: &'a Arc<Park>,
    span: Span,
    entries: Vec<Entry>,
    before: Vec<(i64, Entry)>,
    readings: Readings,
    events: Vec<MeterEvent>,
}

impl Found<'_> {
    fn flow(&self, row: &'static FlowRow, revisions: &[Interval]) -> Explained {
        let made = made(row.flow);
        let mut contributions: Vec<Contribution> = Vec::new();
        for part in made.parts {
            for member in members(self.park, row.carrier, part) {
                let Some(meter) = self.park.meters.get(member.meter) else {
                    continue;
                };
                let first = !contributions.iter().any(|one| one.meter == meter.id);
                contributions.extend(self.contribution(member, first));
            }
        }
        let revisions = revisions.iter();
        Explained {
            row,
            revisions: revisions
                .map(|it| (it.revision, it.flows.of(row.flow).clone()))
                .collect(),
            contributions,
            besides: made.besides,
        }
    }

    /// A channel; none where the meter neither has it nor ever said it.
    fn contribution(&self, member: Member, with_inputs: bool) -> Option<Contribution> {
        let (index, channel) = (member.meter, member.channel);
        let meter = self.park.meters.get(index)?;
        let mine = |entry: &&Entry| entry.meter == meter.id && entry.channel == channel;
        let entry = self.entries.iter().find(mine).cloned();
        let before = self.before.iter().map(|(_, entry)| entry);
        let before = before.filter(mine).cloned().collect();
        let expression = self.park.relations.expression(&meter.id);
        let origin = match expression {
            Some(_) => None,
            None => origin(meter, channel),
        };
        if origin.is_none() && entry.is_none() {
            return None;
        }
        let terms = expression.filter(|_| with_inputs).into_iter();
        let inputs = terms
            .flat_map(|expression| expression.terms())
            .filter_map(|(id, factor)| self.input(id, factor, channel))
            .collect();
        let trace = origin.and_then(|_| self.trace(index, channel, entry.as_ref()));
        let lost = self.park.relations.lost(&meter.id);
        Some(Contribution {
            adds: member.adds,
            lost: lost.map(|one| Arc::clone(&one.meter)),
            meter: Arc::clone(&meter.id),
            channel,
            origin,
            entry,
            before,
            trace,
            inputs,
        })
    }

    fn input(&self, id: &Arc<str>, factor: f64, of: Channel) -> Option<Input> {
        let index = self.park.meter(id)?;
        let meter = self.park.meters.get(index)?;
        meter.role.term(of.carrier)?;
        let mut sides: Vec<Contribution> = Vec::new();
        for positive in [true, false] {
            let channel = Channel {
                carrier: of.carrier,
                positive,
            };
            let member = Member {
                meter: index,
                channel,
                adds: positive,
            };
            let first = sides.is_empty();
            sides.extend(self.contribution(member, first));
        }
        Some(Input {
            meter: Arc::clone(id),
            factor,
            sides,
        })
    }

    /// What the readings come to: those that came in time, or all of them where the ledger
    /// took in the others since.
    fn trace(&self, index: MeterIndex, channel: Channel, entry: Option<&Entry>) -> Option<Trace> {
        let traced = |late| {
            let readings = self.readings.of(index, late);
            trace(
                self.park,
                index,
                channel,
                self.span,
                &readings,
                &self.events,
            )
        };
        let in_time = traced(false)?;
        let said = entry.and_then(|entry| entry.energy.ok());
        if in_time.energy() == said || !self.readings.has_late(index) {
            return Some(in_time);
        }
        let all = traced(true)?;
        Some(if all.energy() == said { all } else { in_time })
    }

    /// The events of the interval, and those that say what counts are worth in it.
    fn events_of(&self, wanted: &BTreeSet<MeterIndex>) -> Vec<MeterEvent> {
        let Span { start, end } = self.span;
        let worth = |event: &MeterEvent| {
            let of = self.park.meter(&event.meter);
            let is_wanted = of.is_some_and(|index| wanted.contains(&index));
            is_wanted && event.at < end && event.breaks().is_some_and(|by| by.worth.is_some())
        };
        let superseded = |event: &MeterEvent| {
            let mut others = self.events.iter().filter(|other| {
                other.meter == event.meter && other.channel == event.channel && worth(other)
            });
            others.any(|other| other.at > event.at && other.at <= start)
        };
        let of_span = |event: &&MeterEvent| match event.what {
            What::Correction { until, .. } => event.at < end && until > start,
            _ => (start..end).contains(&event.at) || worth(event) && !superseded(event),
        };
        self.events.iter().filter(of_span).cloned().collect()
    }
}
