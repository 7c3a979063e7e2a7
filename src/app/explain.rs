//! Where a number of the ledger comes from: the entries that it is made of, their
//! registers at both ends, and the readings around those.
//!
//! Reads ledger, journal and events; writes nothing, and works beside a daemon.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::AppError;
use crate::domain::event::{MeterEvent, standing};
use crate::domain::explain::{Member, made, members};
use crate::domain::flow::{FlowRow, Stated};
use crate::domain::interval::{Channel, Entry, ExportShape, Interval, Origin, Span, channels};
use crate::domain::meter::{MeterIndex, Park, PointIndex};
use crate::domain::snapshot::{Reading, Value};
use crate::domain::units::MilliwattHours;
use crate::engine::record::Recorder;
use crate::store::{LedgerReader, Reader, StoreError, events};
use crate::wire::line_protocol::parse;

/// How far around a boundary the journal is read for readings: first near, then far.
const NEAR: Duration = Duration::from_secs(120);
const FAR: Duration = Duration::from_secs(3 * 3_600);

/// A reading of a register, with what one count is worth today.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// When.
    pub at: Timestamp,
    /// Counts.
    pub raw: i64,
}

/// A register around one end of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Around {
    /// The last reading before or at it.
    pub before: Option<Shown>,
    /// The first reading after it.
    pub after: Option<Shown>,
}

/// One channel in a flow.
#[derive(Debug, Clone)]
pub struct Contribution {
    /// Whether it is added, or taken off.
    pub adds: bool,
    /// The meter.
    pub meter: Arc<str>,
    /// The meter whose transformer took it, where it is a loss.
    pub lost: Option<Arc<str>>,
    /// Which way.
    pub channel: Channel,
    /// Where its energy comes from; none where the meter does not have it.
    pub origin: Option<Origin>,
    /// What a count of its register is worth, Wh.
    pub count_wh: Option<f64>,
    /// What the ledger says.
    pub entry: Option<Entry>,
    /// What it said before, oldest first.
    pub before: Vec<Entry>,
    /// The register at the start and at the end.
    pub ends: [Around; 2],
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
    /// How export was fed, where it is known.
    pub shape: Option<ExportShape>,
    /// The flows that were asked for.
    pub flows: Vec<Explained>,
    /// What was entered about meters in it.
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
    let revisions: Vec<Interval> = ledger
        .revisions(span.start)?
        .into_iter()
        .filter(|interval| interval.span == span)
        .collect();
    let entries = ledger.entries(span.start, span.end)?;
    if revisions.is_empty() && entries.is_empty() {
        return Ok(None);
    }
    let before = ledger.entries_before(span.start, span.end)?;
    let shapes = ledger.shapes(span.start, span.end)?;
    let shape = shapes.into_iter().find(|(of, _)| *of == span);
    let read = Registers::read(park, dir, span)?;
    let explained = flows.iter().map(|row| {
        let made = made(row.flow);
        let parts = made.parts.iter();
        let contributions = parts.flat_map(|part| {
            let members = members(park, row.carrier, *part).into_iter();
            members.filter_map(|member| {
                let channel = member.channel;
                let mut one = contribution(park, member, &read)?;
                let mine = |entry: &Entry| entry.meter == one.meter && entry.channel == channel;
                let entry = entries.iter().find(|entry| mine(entry)).cloned();
                let earlier = before.iter().map(|(_, entry)| entry);
                let earlier = earlier.filter(|entry| mine(entry)).cloned().collect();
                (one.entry, one.before) = (entry, earlier);
                // What a meter neither has nor ever said is nothing to explain.
                (one.origin.is_some() || one.entry.is_some()).then_some(one)
            })
        });
        Explained {
            row,
            revisions: revisions
                .iter()
                .map(|it| (it.revision, it.flows.of(row.flow).clone()))
                .collect(),
            contributions: contributions.collect(),
            besides: made.besides,
        }
    });
    let flows = explained.collect();
    let of_span = |event: &MeterEvent| {
        let inside = event.at >= span.start && event.at < span.end;
        let correction = matches!(
            event.what,
            crate::domain::event::What::Correction { until, .. }
                if event.at < span.end && until > span.start
        );
        inside || correction
    };
    let events = standing(&events::read(dir)?.list);
    Ok(Some(Explanation {
        span,
        shape: shape.map(|(_, shape)| shape),
        flows,
        events: events.into_iter().filter(of_span).collect(),
    }))
}

fn contribution(park: &Park, member: Member, read: &Registers) -> Option<Contribution> {
    let (index, channel) = (member.meter, member.channel);
    let meter = park.meters.get(index)?;
    let origin = channels(meter)
        .into_iter()
        .find(|(of, _)| *of == channel)
        .map(|(_, origin)| origin);
    let point = match origin {
        Some(Origin::Register(point)) => Some(point),
        _ => None,
    };
    let register = point.and_then(|point| meter.points.get(point)?.register);
    let around = |end| point.map_or(Around::default(), |point| read.around(index, point, end));
    Some(Contribution {
        adds: member.adds,
        lost: park
            .relations
            .lost(&meter.id)
            .map(|one| Arc::clone(&one.meter)),
        meter: Arc::clone(&meter.id),
        channel,
        origin,
        count_wh: register.map(|register| register.unit.as_watt_hours()),
        entry: None,
        before: Vec::new(),
        ends: [around(read.span.start), around(read.span.end)],
    })
}

/// The readings of registers around both ends of an interval.
struct Registers {
    span: Span,
    readings: Vec<Reading>,
}

impl Registers {
    fn read(park: &Arc<Park>, dir: &Path, span: Span) -> Result<Self, StoreError> {
        let mut readings = Vec::new();
        for end in [span.start, span.end] {
            let near = readings_around(park, dir, end, NEAR)?;
            let is_silent = |index: MeterIndex| {
                let mine = || near.iter().filter(|reading| reading.meter == index);
                !mine().any(|it| it.at <= end) || !mine().any(|it| it.at > end)
            };
            let silent = (0..park.meters.len()).any(is_silent);
            if silent {
                readings.extend(readings_around(park, dir, end, FAR)?);
            } else {
                readings.extend(near);
            }
        }
        readings.sort_by_key(|reading| reading.at);
        Ok(Self { span, readings })
    }

    fn around(&self, meter: MeterIndex, point: PointIndex, end: Timestamp) -> Around {
        let mut around = Around::default();
        for reading in self.readings.iter().filter(|it| it.meter == meter) {
            let said = reading.values.iter().find(|(said, _)| *said == point);
            let raw = match said {
                Some((_, Ok(Value::Count(raw) | Value::Scaled { count: raw, .. }))) => *raw,
                _ => continue,
            };
            let shown = Shown {
                at: reading.at,
                raw,
            };
            if reading.at <= end {
                around.before = Some(shown);
            } else {
                around.after.get_or_insert(shown);
            }
        }
        around
    }
}

fn readings_around(
    park: &Arc<Park>,
    dir: &Path,
    end: Timestamp,
    reach: Duration,
) -> Result<Vec<Reading>, StoreError> {
    let from = end.saturating_sub(reach).unwrap_or(Timestamp::MIN);
    let until = end.saturating_add(reach).unwrap_or(Timestamp::MAX);
    let recorder = Recorder::new(park);
    let mut reader = match Reader::new(dir) {
        Err(StoreError::Absent { .. }) => return Ok(Vec::new()),
        reader => reader?,
    };
    let (mut readings, mut seq) = (Vec::new(), 0);
    while let Some(block) = reader.next_between(seq, from, until)? {
        seq = block.seq;
        let lines = block.text.lines();
        readings.extend(lines.filter_map(|line| recorder.read_back(&parse(line).ok()?)));
    }
    Ok(readings)
}
