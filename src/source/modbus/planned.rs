//! A meter's poll with the requests that read it.

use std::time::Duration;

use tokio::time::Instant;

use super::learned::Learned;
use super::{Poll, Values};
use crate::domain::meter::PointIndex;
use crate::domain::quality::Reason;
use crate::wire::plan::{Cost, Limits, Request, Span, plan};
use crate::wire::register::Layout;

/// A change of what requests cost by this factor is worth a new plan.
const COST_CHANGED: f64 = 1.5;

/// One meter, as it is polled.
pub struct Planned {
    pub poll: Poll,
    /// Where each point is.
    spans: Vec<Span>,
    pub requests: Vec<Request>,
    /// Points that no request can read, whatever the device says.
    pub unreadable: Vec<PointIndex>,
    /// Places of points that the device refuses.
    pub refused: Vec<usize>,
    /// What was known and what requests cost when it was planned.
    basis: Option<(u64, Cost)>,
    /// What was wrong at the last poll, so that the log tells changes alone.
    pub trouble: Option<Reason>,
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
        let mut planned = Self {
            poll,
            spans,
            requests: Vec::new(),
            unreadable: Vec::new(),
            refused: Vec::new(),
            basis: None,
            trouble: None,
            dropped: 0,
            search_after: None,
        };
        planned.plan(&Learned::default(), Cost::TCP);
        // Of these nothing will be learned.
        planned.unreadable = planned
            .unread()
            .filter_map(|place| planned.point(place))
            .map(|(point, _)| point)
            .collect();
        planned.basis = None;
        planned
    }

    /// Plans anew where what is known of the unit, or what requests cost, has changed.
    pub fn keep_planned(&mut self, learned: &Learned, cost: Cost) {
        let same = |a: f64, b: f64| a < b * COST_CHANGED && b < a * COST_CHANGED;
        let stands = self.basis.is_some_and(|(version, before)| {
            version == learned.version()
                && same(before.request_us, cost.request_us)
                && same(before.register_us, cost.register_us)
        });
        if !stands {
            self.plan(learned, cost);
        }
    }

    fn plan(&mut self, learned: &Learned, cost: Cost) {
        let limits = learned.limits(self.limits());
        self.requests = plan(&self.spans, &limits, &learned.refused(), &cost);
        let refuses = |place: &usize| {
            let span = self.spans.get(*place);
            span.is_some_and(|span| learned.refuses(span))
        };
        self.refused = self.unread().filter(refuses).collect();
        self.basis = Some((learned.version(), cost));
    }

    fn limits(&self) -> Limits {
        self.poll.limits
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
        let dear = Cost {
            request_us: 1e12,
            register_us: 1.0,
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

    /// The same gap for points at these places.
    pub fn gaps<'a>(&self, places: impl IntoIterator<Item = &'a usize>, reason: Reason) -> Values {
        places
            .into_iter()
            .filter_map(|place| self.point(*place))
            .map(|(point, _)| (point, Err(reason)))
            .collect()
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
