//! One cycle: asking one meter for all its points, once.
//!
//! ```text
//!   request ──answered──▶ values
//!           ──refused───▶ search: what can be read is read in the same cycle,
//!           │             and what cannot is remembered
//!           ──wrong─────▶ asked once more, where there is time (`again`)
//!           ──silent────▶ gaps; the rest of the meter waits for its next turn
//! ```
//!
//! **A refusal is an answer**: it costs no connection, and says nothing of the points
//! beside the one that is refused.

use std::time::Duration;

use tokio::time::Instant;

use super::learned::Learned;
use super::link::{Failure, text};
use super::planned::Planned;
use super::search::{Finding, Search};
use super::setup::Ready;
use super::{Values, Worker};
use crate::domain::quality::Reason;
use crate::source::Outcome;
use crate::sys::clock;
use crate::wire::plan::{Request, Span};

/// Requests that searches may take in one cycle: the other meters of the bus wait.
const SEARCH_REQUESTS: u32 = 40;
/// Refused points without a single answer after which a search is given up: the device
/// refuses everything, perhaps because it starts up.
const HOPELESS: usize = 2;
/// How long after such a search the next one waits.
const SEARCH_PAUSE: Duration = Duration::from_secs(60);
/// Every device answers so many registers.
const SHORT: u16 = 8;
/// How often a long request must be left without an answer, and a short one be
/// answered, before its length is taken for the reason.
const DROPPED_TWICE: u32 = 2;

/// What one cycle came to, so far.
pub(super) struct Cycle {
    pub(super) begin: Instant,
    /// Whether a question of this cycle was asked twice.
    pub(super) asked_again: bool,
    answered: bool,
    searched: u32,
    points: Vec<Span>,
    gaps: Vec<Span>,
    length: Option<u16>,
    trouble: Option<Reason>,
}

impl Cycle {
    fn new(begin: Instant) -> Self {
        Self {
            begin,
            asked_again: false,
            answered: false,
            searched: 0,
            points: Vec::new(),
            gaps: Vec::new(),
            length: None,
            trouble: None,
        }
    }
}

/// What a unit said to a request.
pub(super) enum Said {
    Came,
    /// It has no such registers, or not so many at once.
    Refused(Failure),
    Failed(Failure),
}

impl Worker {
    /// Asks one meter for all its points.
    pub(super) async fn poll(&mut self, planned: &mut Planned) {
        let unit = planned.poll.unit;
        if !planned.unreadable.is_empty() {
            let gap = |point: &usize| (*point, Err(Reason::Config));
            let values = planned.unreadable.iter().map(gap).collect();
            let detail = "no request can read this register";
            self.hear(planned, clock::mono(), values, Some(detail.into()), None);
        }
        let begin = clock::mono();
        let is_probe = self.is_closed(unit);
        if let Some(wait) = self.pause(unit, begin) {
            let detail = format!(
                "no answer from {} unit {unit}; it is asked again in {}",
                self.link.endpoint(),
                text(Duration::from_secs(wait.as_secs() + 1))
            );
            let values = planned.every_gap(Reason::Timeout);
            self.hear(planned, begin, values, Some(detail), Some(Outcome::Timeout));
            return;
        }
        if !self.is_ready(planned).await {
            if is_probe && self.is_closed(unit) {
                self.spend(begin);
            }
            return;
        }
        let cost = self.cost();
        planned.keep_planned(self.learned(unit), cost, begin);
        let mut cycle = Cycle::new(begin);
        self.say_refused(planned);
        let requests = std::mem::take(&mut planned.requests);
        for (nth, request) in requests.iter().enumerate() {
            let rest = requests.get(nth + 1..).unwrap_or_default();
            if !self.read(planned, request, rest, &mut cycle).await {
                break;
            }
        }
        planned.requests = requests;
        self.probe_refused(planned, &mut cycle).await;
        self.link.end_of_cycle().await;
        let now = clock::mono();
        self.learn(planned, &cycle, now);
        if is_probe && self.is_closed(unit) {
            self.spend(begin);
        }
        self.log_change(planned, cycle.trouble);
    }

    /// Whether the points may be read; else they are gaps.
    async fn is_ready(&mut self, planned: &mut Planned) -> bool {
        let (reason, detail, outcome) = match self.set_up(planned).await {
            Ready::Yes => return true,
            Ready::Silent(request, failure) => {
                let detail = self.detail(planned.poll.unit, &request, &failure);
                (failure.reason(), Some(detail), failure.reason().into())
            }
            Ready::Refused => {
                let detail = planned.setup.refusal.clone();
                (Reason::Config, detail, Outcome::Short)
            }
        };
        let values = planned.every_gap(reason);
        self.hear(planned, clock::mono(), values, detail, Some(outcome));
        self.log_change(planned, Some(reason));
        false
    }

    /// Reads one request. A device that does not answer is not asked for the rest of
    /// the meter: false.
    async fn read(
        &mut self,
        planned: &mut Planned,
        request: &Request,
        rest: &[Request],
        cycle: &mut Cycle,
    ) -> bool {
        let failure = match self.ask_twice(planned, request, cycle).await {
            Said::Came => return true,
            Said::Refused(failure) => {
                if request.points.len() > 1 && planned.may_search(clock::mono()) {
                    return self.search(planned, request, rest, failure, cycle).await;
                }
                cycle.points.extend(single(planned, &request.points));
                failure
            }
            Said::Failed(failure) => failure,
        };
        let places = self.dropped(planned, request, &failure, cycle).await;
        self.give_up(planned, places, rest, request, &failure, cycle)
    }

    /// Gaps for what a request did not bring, and for the rest of a meter that is not
    /// worth the next one: false.
    fn give_up(
        &mut self,
        planned: &Planned,
        mut places: Vec<usize>,
        rest: &[Request],
        request: &Request,
        failure: &Failure,
        cycle: &mut Cycle,
    ) -> bool {
        let gives_up = matches!(failure.reason(), Reason::Timeout | Reason::Connect);
        if gives_up {
            places.extend(rest.iter().flat_map(|request| &request.points));
        }
        self.fail(planned, &places, request, failure, cycle);
        !gives_up
    }

    /// Asks, and hands over what came.
    async fn ask(&mut self, planned: &mut Planned, request: &Request, cycle: &mut Cycle) -> Said {
        self.ask_within(planned, request, self.timeout, cycle).await
    }

    /// The same, with less patience.
    pub(super) async fn ask_within(
        &mut self,
        planned: &mut Planned,
        request: &Request,
        patience: Duration,
        cycle: &mut Cycle,
    ) -> Said {
        let unit = planned.poll.unit;
        let said = self.link.read_within(unit, request, patience).await;
        self.tell_breaker(unit, said.as_ref().err(), clock::mono());
        match said {
            Ok((words, at)) => {
                cycle.answered = true;
                self.learned(unit).came(&request.span());
                self.hear_words(planned, request, &words, at);
                Said::Came
            }
            Err(failure) if failure.is_refusal() => Said::Refused(failure),
            Err(failure) => Said::Failed(failure),
        }
    }

    /// Finds what the device refuses in a block, and reads the rest of it.
    async fn search(
        &mut self,
        planned: &mut Planned,
        request: &Request,
        rest: &[Request],
        mut failure: Failure,
        cycle: &mut Cycle,
    ) -> bool {
        let unit = planned.poll.unit;
        let mut search = Search::new(request.points.clone());
        let mut refused = request.count;
        let mut found = 0;
        while let Some(places) = search.ask().map(<[usize]>::to_vec) {
            let hopeless = found >= HOPELESS && !cycle.answered;
            let block = planned.block(&places, self.learned(unit));
            let Some(block) = block.filter(|_| !hopeless && cycle.searched < SEARCH_REQUESTS)
            else {
                let places: Vec<usize> = search.unanswered().collect();
                self.fail(planned, &places, request, &failure, cycle);
                return true;
            };
            cycle.searched += 1;
            let was_refused = match self.ask(planned, &block, cycle).await {
                Said::Came => false,
                Said::Refused(why) => {
                    failure = why;
                    refused = block.count;
                    true
                }
                Said::Failed(why) => {
                    let places: Vec<usize> = search.unanswered().collect();
                    return self.give_up(planned, places, rest, &block, &why, cycle);
                }
            };
            match search.hear(was_refused) {
                Some(Finding::Point(place)) => {
                    found += 1;
                    cycle.points.extend(planned.span(place));
                    self.fail(planned, &[place], &block, &failure, cycle);
                }
                Some(Finding::Joint(joints)) => {
                    let gaps: Vec<Span> = joints
                        .iter()
                        .filter_map(|joint| gap(planned, *joint))
                        .collect();
                    if gaps.is_empty() || failure.is_about_length() {
                        cycle.length = Some(cycle.length.unwrap_or(refused).min(refused));
                    } else {
                        cycle.gaps.extend(gaps);
                    }
                }
                None => (),
            }
        }
        true
    }

    /// A device may leave a request unanswered that is too long for it. Where this one
    /// is longer than any that was answered, its first point is asked for alone. What
    /// is left without a value.
    async fn dropped(
        &mut self,
        planned: &mut Planned,
        request: &Request,
        failure: &Failure,
        cycle: &mut Cycle,
    ) -> Vec<usize> {
        let unit = planned.poll.unit;
        let places = request.points.clone();
        let longest = self.learned(unit).most().max(SHORT);
        let suspicious = matches!(failure, Failure::Timeout) && request.count > longest;
        let Some((first, rest)) = places
            .split_first()
            .filter(|(_, rest)| suspicious && !rest.is_empty())
        else {
            return places;
        };
        let Some(alone) = planned.block(&[*first], self.learned(unit)) else {
            return places;
        };
        if !matches!(self.ask(planned, &alone, cycle).await, Said::Came) {
            return places;
        }
        planned.dropped += 1;
        if planned.dropped >= DROPPED_TWICE {
            cycle.length = Some(request.count);
        }
        rest.to_vec()
    }

    /// Asks once more for a point that was refused, when its time has come.
    async fn probe_refused(&mut self, planned: &mut Planned, cycle: &mut Cycle) {
        let unit = planned.poll.unit;
        let due = self.learned(unit).due(clock::mono());
        let Some(span) = due.filter(|_| cycle.answered) else {
            return;
        };
        let places = planned.places_of(span);
        let Some(alone) = planned
            .block(&places, self.learned(unit))
            .filter(|_| !places.is_empty())
        else {
            return;
        };
        match self.ask(planned, &alone, cycle).await {
            Said::Came => self.learned(unit).allow(span),
            Said::Refused(_) => cycle.points.push(span),
            // Next time.
            Said::Failed(_) => (),
        }
    }

    /// What a cycle has shown of the unit. Of one in which nothing was answered
    /// nothing is learned.
    fn learn(&mut self, planned: &mut Planned, cycle: &Cycle, now: Instant) {
        let hopeless = !cycle.answered && !cycle.points.is_empty();
        if !cycle.points.is_empty() && planned.poll.sunspec.is_some() {
            // Perhaps its models have moved.
            planned.setup.again(now);
        }
        if hopeless && cycle.searched > 0 {
            planned.search_later(now, SEARCH_PAUSE);
        }
        let learned = self.learned(planned.poll.unit);
        learned.forget(now);
        if !cycle.answered {
            return;
        }
        for span in &cycle.points {
            learned.refuse(*span, now);
        }
        for gap in &cycle.gaps {
            learned.refuse_gap(*gap, now);
        }
        if let Some(count) = cycle.length {
            learned.refuse_length(count, now);
        }
    }

    /// Points that the device refuses are gaps in every cycle.
    fn say_refused(&mut self, planned: &Planned) {
        if let Some((_, why)) = planned.missing.first() {
            let gap = |row: &(usize, String)| (row.0, Err(Reason::NotAvailable));
            let values = planned.missing.iter().map(gap).collect();
            let (endpoint, unit) = (self.link.endpoint(), planned.poll.unit);
            let detail = format!("{endpoint} unit {unit}: {why}");
            self.hear(planned, clock::mono(), values, Some(detail), None);
        }
        if planned.refused.is_empty() {
            return;
        }
        let spans = planned
            .refused
            .iter()
            .filter_map(|place| planned.span(*place));
        let registers: Vec<String> = spans.map(|span| span.address.to_string()).collect();
        let detail = format!(
            "{} unit {} has no register {}; they are tried again at least daily",
            self.link.endpoint(),
            planned.poll.unit,
            registers.join(", ")
        );
        let values = planned.gaps(&planned.refused, Reason::Exception);
        self.hear(planned, clock::mono(), values, Some(detail), None);
    }

    /// Gaps for what a request did not bring.
    fn fail(
        &mut self,
        planned: &Planned,
        places: &[usize],
        request: &Request,
        failure: &Failure,
        cycle: &mut Cycle,
    ) {
        let reason = failure.reason();
        cycle.trouble = Some(reason);
        let values: Values = planned.gaps(places, reason);
        let detail = self.detail(planned.poll.unit, request, failure);
        self.hear(
            planned,
            clock::mono(),
            values,
            Some(detail),
            Some(reason.into()),
        );
    }

    /// What is known of a unit.
    fn learned(&mut self, unit: u8) -> &mut Learned {
        &mut self.units.entry(unit).or_default().learned
    }
}

/// What a request for one point alone asks for.
fn single(planned: &Planned, places: &[usize]) -> Option<Span> {
    match places {
        [place] => planned.span(*place),
        _ => None,
    }
}

/// The registers between two neighbours.
fn gap(planned: &Planned, (left, right): (usize, usize)) -> Option<Span> {
    let (left, right) = (planned.span(left)?, planned.span(right)?);
    let address = u16::try_from(left.end()).ok()?;
    let count = right
        .address
        .checked_sub(address)
        .filter(|count| *count > 0)?;
    Some(Span {
        fc: left.fc,
        address,
        count,
    })
}
