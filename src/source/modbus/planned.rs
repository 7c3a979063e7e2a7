//! A meter's poll with the requests that read it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::learned::Learned;
use super::setup::Setup;
use super::{Poll, Values};
use crate::domain::meter::PointIndex;
use crate::domain::quality::Reason;
use crate::domain::snapshot::Value;
use crate::wire::modbus::timing::Timing;
use crate::wire::plan::{Limits, Request, Span, plan};
use crate::wire::register::Layout;
use crate::wire::sunspec::{Missing, Served};

/// A change of what requests cost by this factor is worth a new plan.
const COST_CHANGED: f64 = 1.5;
/// How long a plan stands at least while only the cost changes.
const COST_STANDS: Duration = Duration::from_secs(60);

/// What a value of limited rate was before.
#[derive(Debug, Default)]
struct Seen {
    good: Option<(Instant, Value)>,
    doubted: Option<(Instant, Value)>,
}

/// What a plan rests on.
struct Basis {
    version: u64,
    cost: Timing,
    at: Instant,
}

/// One meter, as it is polled.
pub struct Planned {
    pub poll: Poll,
    /// Every point of the meter, also those that are not found yet.
    every: Vec<PointIndex>,
    /// How many of the points were there before any was found in models.
    declared: usize,
    /// Points that no model of the device has, and why.
    pub missing: Vec<(PointIndex, String)>,
    /// Where each point is.
    spans: Vec<Span>,
    /// What is known of the device.
    pub setup: Setup,
    pub requests: Vec<Request>,
    /// Points that no request can read, whatever the device says.
    pub unreadable: Vec<PointIndex>,
    /// Places of points that the device refuses.
    pub refused: Vec<usize>,
    /// What was known and what requests cost when it was planned.
    basis: Option<Basis>,
    /// What was wrong at the last poll, so that the log tells changes alone.
    pub trouble: Option<Reason>,
    /// By place, of values of limited rate.
    seen: BTreeMap<usize, Seen>,
    /// How often a long request went without an answer and a short one did not.
    pub dropped: u32,
    /// No search for what is refused before this moment: the last one came to nothing.
    pub search_after: Option<Instant>,
}

impl Planned {
    pub fn new(poll: Poll) -> Self {
        let spans: Vec<Span> = poll
            .points
            .iter()
            .map(|(_, layout)| layout.span())
            .collect();
        let setup = Setup::new(poll.factors.len());
        let declared = poll.points.iter().map(|(point, _)| *point);
        let asked = poll.sunspec.iter().flat_map(|asked| &asked.points);
        let every = declared.chain(asked.map(|(point, _)| *point)).collect();
        let declared = poll.points.len();
        let mut planned = Self {
            poll,
            every,
            declared,
            missing: Vec::new(),
            setup,
            spans,
            requests: Vec::new(),
            unreadable: Vec::new(),
            refused: Vec::new(),
            basis: None,
            trouble: None,
            seen: BTreeMap::new(),
            dropped: 0,
            search_after: None,
        };
        planned.plan(&Learned::default(), Timing::NETWORK);
        // Of these nothing will be learned.
        planned.unreadable = planned
            .unread()
            .filter_map(|place| planned.point(place))
            .map(|(point, _)| point)
            .collect();
        planned
    }

    /// Plans anew where what is known of the unit has changed, and from time to time
    /// where what requests cost has.
    pub fn keep_planned(&mut self, learned: &Learned, cost: Timing, now: Instant) {
        let same = |before: &Timing, registers| {
            let (a, b) = (before.cost_ms(registers), cost.cost_ms(registers));
            a <= b * COST_CHANGED && b <= a * COST_CHANGED
        };
        let stands = self.basis.as_ref().is_some_and(|basis| {
            let costs = || same(&basis.cost, 0) && same(&basis.cost, 100);
            basis.version == learned.version()
                && (now.saturating_duration_since(basis.at) < COST_STANDS || costs())
        });
        if !stands {
            self.plan(learned, cost);
            let version = learned.version();
            self.basis = Some(Basis {
                version,
                cost,
                at: now,
            });
        }
    }

    fn plan(&mut self, learned: &Learned, cost: Timing) {
        let limits = learned.limits(self.limits());
        self.requests = plan(&self.spans, &limits, &learned.refused(), &cost);
        let refuses = |place: &usize| {
            let span = self.spans.get(*place);
            span.is_some_and(|span| learned.refuses(span))
        };
        self.refused = self.unread().filter(refuses).collect();
    }

    fn limits(&self) -> Limits {
        self.poll.limits.plan()
    }

    /// Places of points that are in no request.
    fn unread(&self) -> impl Iterator<Item = usize> {
        let mut read = vec![false; self.spans.len()];
        for place in self.requests.iter().flat_map(|request| &request.points) {
            if let Some(read) = read.get_mut(*place) {
                *read = true;
            }
        }
        read.into_iter()
            .enumerate()
            .filter(|(_, read)| !read)
            .map(|(place, _)| place)
    }

    /// One request for these points alone, whatever it costs.
    pub fn block(&self, places: &[usize], learned: &Learned) -> Option<Request> {
        let dear = Timing {
            per_request_ms: 1e12,
            per_register_ms: 1.0,
        };
        let spans: Vec<Span> = places
            .iter()
            .filter_map(|place| self.spans.get(*place).copied())
            .collect();
        let mut requests = plan(&spans, &learned.limits(self.limits()), &[], &dear);
        let mut request = requests.pop().filter(|_| requests.is_empty())?;
        let place = |index: &usize| places.get(*index).copied();
        request.points = request.points.iter().filter_map(place).collect();
        Some(request)
    }

    /// The place of a point that is read by exactly these registers.
    pub fn places_of(&self, span: Span) -> Vec<usize> {
        let spans = self.spans.iter().enumerate();
        spans
            .filter(|(_, mine)| **mine == span)
            .map(|(place, _)| place)
            .collect()
    }

    pub fn span(&self, place: usize) -> Option<Span> {
        self.spans.get(place).copied()
    }

    /// The point at a place.
    pub fn point(&self, place: usize) -> Option<(PointIndex, &Layout)> {
        let (point, layout) = self.poll.points.get(place)?;
        Some((*point, layout))
    }

    /// The same gap for every point of the meter.
    pub fn every_gap(&self, reason: Reason) -> Values {
        self.every
            .iter()
            .map(|point| (*point, Err(reason)))
            .collect()
    }

    /// Takes in where the models of the device have its points. Whether that is another
    /// place than before.
    pub fn found(&mut self, served: Vec<(PointIndex, Result<Served, Missing>)>) -> bool {
        let mut points = self.poll.points.clone();
        points.truncate(self.declared);
        self.missing.clear();
        for (point, served) in served {
            match served {
                Ok(served) => points.push((point, served.layout)),
                Err(why) => self.missing.push((point, why.to_string())),
            }
        }
        let moved = points != self.poll.points;
        if moved {
            self.spans = points.iter().map(|(_, layout)| layout.span()).collect();
            self.poll.points = points;
            self.seen.clear();
            self.basis = None;
        }
        moved
    }

    /// The same gap for points at these places.
    pub fn gaps<'a>(&self, places: impl IntoIterator<Item = &'a usize>, reason: Reason) -> Values {
        places
            .into_iter()
            .filter_map(|place| self.point(*place))
            .map(|(point, _)| (point, Err(reason)))
            .collect()
    }

    /// A value, unless it is further from the one before than it can have moved since.
    /// The second one that stands where the first doubtful one stood is believed.
    pub fn believe(&mut self, place: usize, at: Instant, value: Value) -> Result<Value, Reason> {
        let Some((_, layout)) = self.poll.points.get(place) else {
            return Ok(value);
        };
        if layout
            .extra
            .as_ref()
            .is_none_or(|extra| extra.rate.is_none())
        {
            return Ok(value);
        }
        let leaps = |from: &(Instant, Value)| {
            let seconds = at.saturating_duration_since(from.0).as_secs_f64();
            layout.is_leap(from.1, value, seconds)
        };
        let seen = self.seen.entry(place).or_default();
        let is_believed = match (&seen.good, &seen.doubted) {
            (Some(good), doubted) if leaps(good) => doubted.as_ref().is_some_and(|it| !leaps(it)),
            _ => true,
        };
        if is_believed {
            *seen = Seen {
                good: Some((at, value)),
                doubted: None,
            };
            Ok(value)
        } else {
            seen.doubted = Some((at, value));
            Err(Reason::OutOfRange)
        }
    }

    /// Whether a search for what the device refuses may be worth its requests.
    pub fn may_search(&self, now: Instant) -> bool {
        self.search_after.is_none_or(|after| after <= now)
    }

    /// The last search came to nothing; the next one is not for a while.
    pub fn search_later(&mut self, now: Instant, pause: Duration) {
        self.search_after = Some(now + pause);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::source::modbus::Limits as Manners;
    use crate::wire::register::{Decode, Extra, Field, Number, Order};

    fn layout(address: u16) -> Layout {
        let plain = Decode::Analog {
            scale: 1.0,
            offset: 0.0,
        };
        Layout::simple(3, Field::new(address, Number::U16, Order::Big), plain)
    }

    #[test]
    fn points_that_are_found_again_take_the_place_of_those_before() {
        let mut planned = Planned::new(Poll {
            meter: 0,
            unit: 1,
            period: Duration::from_secs(1),
            points: vec![(0, layout(5))],
            factors: Vec::new(),
            identify: Vec::new(),
            sunspec: None,
            limits: Manners::default(),
        });
        let served = |address| {
            let layout = layout(address);
            let (model, point) = (203, "W");
            Ok(Served {
                model,
                point,
                layout,
            })
        };
        let places = |planned: &Planned| -> Vec<(PointIndex, u16)> {
            let points = planned.poll.points.iter();
            points
                .map(|(point, layout)| (*point, layout.span().address))
                .collect()
        };
        for (address, moved) in [(40_080, true), (40_080, false), (50_080, true)] {
            assert_eq!(planned.found(vec![(1, served(address))]), moved);
            assert_eq!(places(&planned), [(0, 5), (1, address)]);
        }
        assert!(planned.found(Vec::new()));
        assert_eq!(places(&planned), [(0, 5)]);
    }

    #[test]
    fn a_leap_is_believed_when_the_next_value_stands_there_too() {
        let plain = Decode::Analog {
            scale: 1.0,
            offset: 0.0,
        };
        let extra = Extra {
            rate: Some(2.0),
            ..Extra::default()
        };
        let layout = Layout {
            extra: Some(Arc::new(extra)),
            ..Layout::simple(3, Field::new(0, Number::U16, Order::Big), plain)
        };
        let mut planned = Planned::new(Poll {
            meter: 0,
            unit: 1,
            period: Duration::from_secs(1),
            points: vec![(0, layout)],
            factors: Vec::new(),
            identify: Vec::new(),
            sunspec: None,
            limits: Manners::default(),
        });
        let start = Instant::now();
        let mut said = Vec::new();
        #[rustfmt::skip]
        let seconds = [(0, 80.0), (1, 81.5), (2, 1_500.0), (3, 83.0), (4, 20.0), (5, 21.0), (60, 120.0)];
        for (second, value) in seconds {
            let at = start + Duration::from_secs(second);
            said.push(planned.believe(0, at, Value::Analog(value)).is_ok());
        }
        // 1500 is a spike; 20 is where it stays; a minute later 120 is no leap.
        assert_eq!(said, [true, true, false, true, false, true, true]);
    }
}
