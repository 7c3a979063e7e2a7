//! When a sink may send: at once while all is well, and one request at a time, each
//! after a wait, while the server is in trouble.
//!
//! Two lanes send to one server. **While it is in trouble one lane asks for both, and only
//! its answer ends the trouble**: a success of a request that was sent before the trouble
//! began lifts no wait that the server has asked for, and a server that is down is not
//! asked twice as often because two lanes wait for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::answer;
use crate::sys::clock;

/// The gate of one sink.
pub struct Gate {
    name: String,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    /// Tries since the trouble began; 0 while there is none.
    attempt: u32,
    /// No request before it.
    until: Instant,
    /// A lane asks.
    asking: bool,
}

/// Leave to send one request.
#[derive(Debug)]
#[must_use]
pub struct Pass {
    /// Whether this request tells how the server is.
    asks: bool,
}

impl Gate {
    /// A gate that is open; `name` spreads the waits of many boxes.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: Mutex::new(State {
                attempt: 0,
                until: clock::mono(),
                asking: false,
            }),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Three numbers are right whatever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for leave to send one request. What becomes of it is to be told with
    /// [`Self::went_well`] or [`Self::failed`].
    pub async fn pass(&self) -> Pass {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let until = {
                let mut state = self.state();
                if state.attempt == 0 {
                    return Pass { asks: false };
                }
                if !state.asking && state.until <= clock::mono() {
                    state.asking = true;
                    return Pass { asks: true };
                }
                (!state.asking).then_some(state.until)
            };
            match until {
                Some(until) => tokio::select! {
                    () = sleep_until(until) => (),
                    () = changed => (),
                },
                None => changed.await,
            }
        }
    }

    /// The server has decided about the request of `pass`.
    pub fn went_well(&self, pass: &Pass) {
        let mut state = self.state();
        if pass.asks {
            state.attempt = 0;
            state.asking = false;
            self.changed.notify_waiters();
        }
    }

    /// Whether the last that is known of the server is good.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state().attempt == 0
    }

    /// It has not, and may have asked for a wait.
    pub fn failed(&self, pass: &Pass, asked: Option<Duration>) {
        let mut state = self.state();
        let attempt = state.attempt;
        let wait = match asked {
            Some(asked) => answer::spread(asked, &self.name, attempt),
            None => answer::backoff(&self.name, attempt),
        };
        let until = clock::mono() + wait;
        if pass.asks || attempt == 0 {
            state.attempt = attempt.saturating_add(1);
            state.until = until;
        } else if asked.is_some() {
            // Sent before the trouble was known; the server's word counts all the same.
            state.until = state.until.max(until);
        }
        state.asking &= !pass.asks;
        self.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    const AT_ONCE: Duration = Duration::from_millis(1);

    async fn closed(gate: &Gate, wait: Duration) -> bool {
        timeout(wait, gate.pass()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn while_all_is_well_both_lanes_send() {
        let gate = Gate::new("local");
        let (one, two) = (gate.pass().await, gate.pass().await);
        gate.went_well(&one);
        gate.went_well(&two);
        assert!(!closed(&gate, AT_ONCE).await && gate.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn in_trouble_one_lane_asks_for_both() {
        let gate = Gate::new("local");
        let pass = gate.pass().await;
        gate.failed(&pass, Some(Duration::from_secs(120)));
        assert!(closed(&gate, Duration::from_secs(119)).await);
        let ask = timeout(Duration::from_secs(14), gate.pass()).await.unwrap();
        assert!(closed(&gate, Duration::from_secs(600)).await, "it is asked");
        gate.went_well(&ask);
        assert!(!closed(&gate, AT_ONCE).await && gate.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_from_before_the_trouble_lifts_no_wait() {
        let gate = Gate::new("local");
        let (early, fails) = (gate.pass().await, gate.pass().await);
        gate.failed(&fails, Some(Duration::from_secs(60)));
        gate.went_well(&early);
        assert!(closed(&gate, Duration::from_secs(59)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn two_failures_of_one_moment_are_one_try() {
        let gate = Gate::new("local");
        let (one, two) = (gate.pass().await, gate.pass().await);
        gate.failed(&one, None);
        gate.failed(&two, None);
        assert_eq!(gate.state().attempt, 1);
        // The second asks for patience: it has it.
        gate.failed(&two, Some(Duration::from_secs(300)));
        assert!(closed(&gate, Duration::from_secs(299)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_while_another_asks_goes_on_when_that_fails() {
        let gate = Gate::new("local");
        let pass = gate.pass().await;
        gate.failed(&pass, Some(Duration::from_secs(1)));
        let ask = gate.pass().await;
        let both = async { tokio::join!(gate.pass(), async { gate.failed(&ask, None) }) };
        assert!(timeout(Duration::from_secs(60), both).await.unwrap().0.asks);
    }
}
