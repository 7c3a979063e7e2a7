//! A register in an interval: what it showed around both boundaries, and every place
//! where it does not simply go on.

use jiff::Timestamp;

use super::{Between, ms};
use crate::domain::counter::{Counter, Heard, Told};
use crate::domain::event::{Break, MeterEvent};
use crate::domain::interval::{Channel, Span};
use crate::domain::meter::{Meter, PointIndex};
use crate::domain::quality::Quality;
use crate::domain::snapshot::{Reading, Value};
use crate::domain::units::{CountUnit, MilliwattHours, to_f64};
use crate::engine::track::{between, boundary_quality};

/// Who says what a register showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The device.
    Reading,
    /// A person: the number of the event.
    Event(u64),
}

/// What a register showed at a moment, and where the books stood then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knot {
    /// When.
    pub at: Timestamp,
    /// Counts.
    pub count: i64,
    /// What a count is worth from here on.
    pub worth: CountUnit,
    /// Energy since the first reading that was looked at.
    pub position: MilliwattHours,
    /// Who says so.
    pub by: By,
    /// Whether a segment begins here: the count is no continuation of the one before.
    pub begins: bool,
    /// Counts that a rollover on the way here added.
    pub rolled: i64,
}

/// One end of the interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boundary {
    /// When.
    pub at: Timestamp,
    /// What the register showed last before it, or at it.
    pub before: Option<Knot>,
    /// What it showed first after it.
    pub after: Option<Knot>,
}

impl Boundary {
    /// Where it lies between the two; none where one of them is lacking.
    #[must_use]
    pub fn between(&self) -> Option<Between> {
        let (before, after) = self.before.zip(self.after)?;
        let apart_ms = ms(after.at) - ms(before.at);
        let past_ms = ms(self.at) - ms(before.at);
        Some(Between {
            apart_ms,
            weight: to_f64(past_ms) / to_f64(apart_ms.max(1)),
            quality: if past_ms == 0 {
                Quality::Good
            } else {
                boundary_quality(apart_ms)
            },
        })
    }

    /// The energy there since the first reading that was looked at.
    #[must_use]
    pub fn position(&self) -> Option<MilliwattHours> {
        let before = self.before?;
        if before.at == self.at {
            return Some(before.position);
        }
        let after = self.after?;
        let knot = |knot: Knot| (ms(knot.at), knot.position);
        Some(between(knot(before), knot(after), ms(self.at)))
    }

    /// What the register showed there, in counts, rollovers unrolled.
    #[must_use]
    pub fn count(&self) -> Option<f64> {
        let before = self.before?;
        let from = to_f64(before.count);
        if before.at == self.at {
            return Some(from);
        }
        // Of a step that is excluded nothing is read off.
        let after = self.after.filter(|after| !after.begins)?;
        let step = to_f64(after.count.saturating_add(after.rolled)) - from;
        Some(from + step * self.between()?.weight)
    }
}

/// Who says what a count is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// The configuration, multipliers included.
    Configured,
    /// The device, next to its count; the worth is so many times the configured one.
    Told,
    /// A person: the number of the event.
    Event(u64),
}

/// A part of an interval in which the register simply went on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// Counts at its start and at its end, rollovers unrolled; none inside of a step that
    /// is excluded.
    pub counts: Option<(f64, f64)>,
    /// What a count is worth in it.
    pub worth: CountUnit,
    /// The energy.
    pub energy: MilliwattHours,
}

/// A register in an interval.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterTrace {
    /// What a count is worth by the configuration; where the device tells, at a factor of
    /// one.
    pub configured: CountUnit,
    /// What a count was worth at the end of the interval.
    pub worth: CountUnit,
    /// Who says so.
    pub said_by: Worth,
    /// Both ends.
    pub ends: [Boundary; 2],
    /// Where something else than counting on happened, in the interval or up to the
    /// readings around it: the knots before and after.
    pub breaks: Vec<(Knot, Knot)>,
    /// Readings in between that are not believed, with their counts.
    pub held: Vec<(Timestamp, i64)>,
    /// Readings between the two ends.
    pub readings: usize,
    /// The interval, piece by piece.
    pub segments: Vec<Segment>,
}

impl RegisterTrace {
    /// What the register counted from one end to the other.
    #[must_use]
    pub fn energy(&self) -> Option<MilliwattHours> {
        let [start, end] = &self.ends;
        Some(end.position()? - start.position()?)
    }
}

/// An event that breaks a register: its number, when, and how.
type Broken = (u64, Timestamp, Break);

pub(super) fn trace(
    meter: &Meter,
    channel: Channel,
    point: PointIndex,
    span: Span,
    readings: &[&Reading],
    events: &[MeterEvent],
) -> Option<RegisterTrace> {
    let kind = meter.points.get(point)?.register?;
    let own = |event: &&MeterEvent| event.meter == meter.id && event.channel == channel;
    let breaks: Vec<Broken> = events
        .iter()
        .filter(own)
        .filter_map(|event| Some((event.number, event.at, event.breaks()?)))
        .collect();
    let mut walk = Walk {
        meter,
        counter: Counter::new(kind),
        knots: Vec::new(),
        held: Vec::new(),
    };
    for reading in readings {
        let said = reading.values.iter().find(|(said, _)| *said == point);
        if let Some((_, Ok(value))) = said {
            walk.hear(reading.at, *value, &breaks);
        }
    }
    let knots = walk.knots;
    let boundary = |at: Timestamp| Boundary {
        at,
        before: knots.iter().rev().find(|knot| knot.at <= at).copied(),
        after: knots.iter().find(|knot| knot.at > at).copied(),
    };
    let ends = [boundary(span.start), boundary(span.end)];
    let last = ends.iter().rev().find_map(|end| end.before);
    let worth = last.map_or_else(|| walk.counter.unit(), |knot| knot.worth);
    let entered = breaks.iter().rev();
    let entered = entered
        .filter(|(_, at, _)| *at < span.end)
        .find(|(_, _, by)| by.worth.is_some());
    let said_by = match entered {
        Some((number, _, by)) if by.worth == Some(worth) => Worth::Event(*number),
        _ if kind.told => Worth::Told,
        _ => Worth::Configured,
    };
    let from = ends[0].before.map_or(span.start, |knot| knot.at);
    let until = ends[1].after.map_or(span.end, |knot| knot.at);
    let near = |at: Timestamp| (from..=until).contains(&at);
    let pairs = knots.iter().zip(knots.iter().skip(1));
    let broken = pairs
        .filter(|(one, two)| (two.begins || two.rolled != 0) && near(one.at) && near(two.at))
        .map(|(one, two)| (*one, *two));
    let inside =
        |knot: &&Knot| knot.by == By::Reading && span.start < knot.at && knot.at < span.end;
    Some(RegisterTrace {
        configured: kind.unit,
        worth,
        said_by,
        breaks: broken.collect(),
        held: walk.held.into_iter().filter(|one| near(one.0)).collect(),
        readings: knots.iter().filter(inside).count(),
        segments: segments(&knots, &ends),
        ends,
    })
}

/// A walk along a register.
struct Walk<'a> {
    meter: &'a Meter,
    counter: Counter,
    knots: Vec<Knot>,
    held: Vec<(Timestamp, i64)>,
}

impl Walk<'_> {
    fn hear(&mut self, at: Timestamp, value: Value, breaks: &[Broken]) {
        for (number, when, by) in breaks.iter().filter(|(_, when, _)| *when < at) {
            self.break_off(*number, *when, *by);
        }
        let mut newest = breaks.iter().rev().filter(|(_, when, _)| *when < at);
        let entered = newest.find_map(|(number, _, by)| Some((*number, by.worth?)));
        if let Some((number, worth)) = entered
            && self.counter.revalued(worth)
            && let Some(last) = self.knots.last().copied()
        {
            self.knots.push(Knot {
                worth,
                by: By::Event(number),
                begins: true,
                rolled: 0,
                ..last
            });
        }
        let rated = self.meter.rated;
        let (raw, heard) = match value {
            Value::Count(raw) => (raw, self.counter.hear(at, raw, rated)),
            Value::Scaled { count, unit, bits } => {
                let told = Told {
                    raw: count,
                    unit,
                    bits,
                };
                (count, self.counter.hear_told(at, told, rated))
            }
            Value::Analog(_) => return,
        };
        let reading = Knot {
            at,
            count: raw,
            worth: self.counter.unit(),
            position: self.counter.position(),
            by: By::Reading,
            begins: false,
            rolled: 0,
        };
        match heard {
            Heard::Opened => self.knots.push(Knot {
                begins: true,
                ..reading
            }),
            Heard::Booked { from, to } => {
                let last = self.knots.last().map_or(raw, |knot| knot.count);
                // What was held and came true is on the way from one to the other.
                self.held
                    .retain(|(when, count)| *when <= from.0 || !(last..=raw).contains(count));
                // What a rollover adds is what the energy has more than the counts.
                let rolled = if raw < last && to > from.1 {
                    self.counter.modulus().unwrap_or(0)
                } else {
                    0
                };
                self.knots.push(Knot {
                    position: to,
                    rolled,
                    ..reading
                });
            }
            Heard::NewSegment { from, resumed, to } => {
                self.held.retain(|(when, _)| *when < resumed);
                let step = self.counter.excluded().last();
                let first = step.map_or(raw, |step| step.after.1);
                self.knots.push(Knot {
                    at: resumed,
                    count: first,
                    position: from.1,
                    begins: true,
                    ..reading
                });
                if resumed < at {
                    self.knots.push(Knot {
                        position: to,
                        ..reading
                    });
                }
            }
            Heard::Held(_) => self.held.push((at, raw)),
            Heard::Late => {}
        }
    }

    /// Puts what a person read between two readings.
    fn break_off(&mut self, number: u64, at: Timestamp, by: Break) {
        let before = self.counter.unit();
        let (last, position) = match self.counter.broken(at, by) {
            Some(Heard::Booked { to, .. }) => (by.last, to),
            Some(Heard::NewSegment { to, .. }) => (None, to),
            _ => return,
        };
        let first = Knot {
            at,
            count: by.first,
            worth: self.counter.unit(),
            position,
            by: By::Event(number),
            begins: true,
            rolled: 0,
        };
        if let Some(count) = last {
            let shown = self.knots.last().map_or(count, |knot| knot.count);
            let rolled = if count < shown {
                self.counter.modulus().unwrap_or(0)
            } else {
                0
            };
            self.knots.push(Knot {
                count,
                worth: before,
                begins: false,
                rolled,
                ..first
            });
        }
        self.knots.push(first);
    }
}

/// The pieces of an interval between its ends: a new one begins with each knot that does.
fn segments(knots: &[Knot], ends: &[Boundary; 2]) -> Vec<Segment> {
    let [start, end] = ends;
    let (Some(opening), Some(closing), Some(before)) =
        (start.position(), end.position(), start.before)
    else {
        return Vec::new();
    };
    let mut segments = Vec::new();
    let mut from = (start.count(), opening, before.worth);
    let mut unrolled = 0_i64;
    // The count and the position that the piece under way has reached.
    let mut reached = (start.count(), opening);
    for knot in knots
        .iter()
        .filter(|knot| start.at < knot.at && knot.at <= end.at)
    {
        if knot.begins {
            push(&mut segments, from, reached);
            from = (Some(to_f64(knot.count)), knot.position, knot.worth);
            unrolled = 0;
        } else {
            unrolled = unrolled.saturating_add(knot.rolled);
        }
        let count = to_f64(knot.count.saturating_add(unrolled));
        reached = (Some(count), knot.position);
    }
    let ends_at = end.count().map(|count| count + to_f64(unrolled));
    // In a step that is excluded the position stands still.
    let reached = match ends_at {
        Some(_) => (ends_at, closing),
        None => reached,
    };
    push(&mut segments, from, reached);
    segments
}

fn push(
    segments: &mut Vec<Segment>,
    from: (Option<f64>, MilliwattHours, CountUnit),
    to: (Option<f64>, MilliwattHours),
) {
    segments.push(Segment {
        counts: from.0.zip(to.0),
        worth: from.2,
        energy: to.1 - from.1,
    });
}
