//! A second question, where the first went wrong by chance and there is time.
//!
//! A unit that answered before and now says that it is busy, answers something else or
//! is silent for once is asked once more in the same cycle: the reading would else be a
//! gap of its period. Where the timeout is as long as the period, or nearly, and the unit
//! is known to answer far sooner, the first question gets half of the period, and the
//! second the rest. A timeout beyond the period stands: whoever states one wants answers
//! that are later than the next poll.
//!
//! **Once in a cycle, and never to a unit that was in trouble in the last one**: a unit
//! that dies costs the same three timeouts before it is left alone. On a line without
//! transactions silence is not asked again, because it has to be listened out.

use std::time::Duration;

use super::Worker;
use super::cycle::{Cycle, Said};
use super::link::Failure;
use super::planned::Planned;
use crate::domain::quality::Reason;
use crate::sys::clock;
use crate::wire::plan::Request;

/// An answer that is so many times later than usual is not worth waiting for.
const LATE: u32 = 8;

impl Worker {
    /// Asks, and asks again where that may help.
    pub(super) async fn ask_twice(
        &mut self,
        planned: &mut Planned,
        request: &Request,
        cycle: &mut Cycle,
    ) -> Said {
        let may = !cycle.asked_again && self.was_well(planned, request);
        let patience = if may {
            self.first_patience(planned.poll.period, request)
        } else {
            self.timeout
        };
        let said = self.ask_within(planned, request, patience, cycle).await;
        let Said::Failed(failure) = &said else {
            return said;
        };
        let gone = clock::mono().saturating_duration_since(cycle.begin);
        let left = planned.poll.period.saturating_sub(gone);
        if !may || !self.is_worth_another(failure) || left < planned.poll.period / 4 {
            return said;
        }
        cycle.asked_again = true;
        self.stats
            .count(planned.poll.meter, failure.reason().into());
        let patience = self.within(planned.poll.period, left);
        self.ask_within(planned, request, patience, cycle).await
    }

    /// Whether nothing was wrong in the last cycle, and so long a request was answered.
    fn was_well(&mut self, planned: &Planned, request: &Request) -> bool {
        let state = self.units.entry(planned.poll.unit).or_default();
        planned.trouble.is_none()
            && state.breaker.is_answering()
            && (request.fc <= 2 || state.learned.most() >= request.count)
    }

    /// How long the first question waits.
    fn first_patience(&self, period: Duration, request: &Request) -> Duration {
        let half = period / 2;
        let usual_ms = self.cost().cost_ms(request.count);
        let is_quick = usual_ms * f64::from(LATE) <= half.as_secs_f64() * 1e3;
        if is_quick {
            self.within(period, half)
        } else {
            self.timeout
        }
    }

    /// The timeout, or less where it ends within the period.
    fn within(&self, period: Duration, most: Duration) -> Duration {
        if self.timeout <= period {
            most.min(self.timeout)
        } else {
            self.timeout
        }
    }

    fn is_worth_another(&self, failure: &Failure) -> bool {
        match failure.reason() {
            Reason::Timeout => !self.drains,
            Reason::Exception | Reason::ShortAnswer => true,
            // A gateway that hangs up would do so again.
            _ => false,
        }
    }
}
