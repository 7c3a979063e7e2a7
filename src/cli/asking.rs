//! One question after the other to an endpoint of the command line.
//!
//! A [`Link`] with a pace: as many questions a second as a device that others use
//! bears. **Nothing but reads is ever asked**, and an endpoint has one connection.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::endpoint::Endpoint;
use crate::source::modbus::discover::{Failed, Reader};
use crate::source::modbus::link::{Failure, Link, text};
use crate::source::modbus::{Limits, Wiring};
use crate::sys::clock;
use crate::wire::modbus::exception;
use crate::wire::plan::Request;

/// An endpoint that is asked now and then.
pub struct Asker {
    link: Link,
    wiring: Wiring,
    timeout: Duration,
    pause: Duration,
    free: Instant,
    /// Questions so far.
    pub asked: u32,
}

impl Asker {
    /// An endpoint with this much silence between questions. `limits` are those of a
    /// device, where it is known.
    #[must_use]
    pub fn new(endpoint: &Endpoint, timeout: Duration, pause: Duration, limits: &Limits) -> Self {
        let mut manners = endpoint.manners.clone();
        let longest = |own: Duration, wanted: Option<Duration>| own.max(wanted.unwrap_or_default());
        manners.request_pause = longest(manners.request_pause, limits.request_pause);
        manners.connect_pause = longest(manners.connect_pause, limits.connect_pause);
        manners.min_timeout = longest(manners.min_timeout, limits.min_timeout);
        let timeout = timeout.max(manners.min_timeout);
        Self {
            pause: pause.max(manners.request_pause),
            link: Link::new("probe", endpoint.wiring.clone(), manners, timeout),
            wiring: endpoint.wiring.clone(),
            timeout,
            free: clock::mono(),
            asked: 0,
        }
    }

    /// Registers of a unit, or bits.
    ///
    /// # Errors
    ///
    /// Why there are none.
    pub async fn ask(
        &mut self,
        unit: u8,
        fc: u8,
        address: u16,
        count: u16,
    ) -> Result<Vec<u16>, Failure> {
        sleep_until(self.free).await;
        let points = Vec::new();
        let request = Request {
            fc,
            address,
            count,
            points,
        };
        let said = self.link.read(unit, &request).await;
        self.asked += 1;
        self.free = clock::mono() + self.pause;
        if said == Err(Failure::HungUp) {
            // It is the unit, perhaps, and not the endpoint.
            self.link.forgive();
        }
        said.map(|(words, _)| words)
    }

    /// What a failure says, for people.
    #[must_use]
    pub fn words(&self, failure: &Failure) -> String {
        match failure {
            Failure::Timeout => format!("no answer within {}", text(self.timeout)),
            Failure::Exception(code) => format!("{} (exception {code})", exception(*code)),
            Failure::Unusable(what) => format!("answers with {what}"),
            Failure::Connect(why) => format!("no connection: {why}"),
            Failure::HungUp => "hangs up when it is asked".to_owned(),
            Failure::Invalid => "no question that Modbus has".to_owned(),
        }
    }

    /// What to try where nothing answers.
    #[must_use]
    pub fn advice(&self, failure: &Failure) -> &'static str {
        match (failure, &self.wiring) {
            (Failure::Connect(_), Wiring::Serial(_)) => {
                "is this the device of the line (ls /dev/serial/by-id), may this user open it (group dialout), and has no other program opened it?"
            }
            (Failure::Connect(_), _) => {
                "are host and port right, is the device switched on, and is no other client connected to it?"
            }
            (Failure::Unusable(_), Wiring::Tcp { .. }) => {
                "is it a serial server (rtu+tcp://…), or a gateway that answers with its own unit id (?any_unit=true)?"
            }
            (Failure::Unusable(_), Wiring::RtuOverTcp { .. }) => {
                "is it a gateway that speaks Modbus TCP (tcp://…), and are speed and parity of its line those of the meters?"
            }
            (Failure::Unusable(_), Wiring::Serial(_)) => {
                "try another ?baud= and ?parity=; is another master on the line?"
            }
            (Failure::Exception(10 | 11), _) => {
                "the gateway answers, and the device behind it does not: try another --unit (sunledger scan finds them); are speed and parity of the gateway's line those of the meters?"
            }
            (_, Wiring::Serial(_)) => {
                "try another --unit (sunledger scan finds them), another ?baud= and ?parity=, a longer --timeout; are A and B exchanged?"
            }
            _ => {
                "try another --unit (sunledger scan finds them), --fc 4, a longer --timeout; behind a gateway: are speed and parity of its line those of the meters?"
            }
        }
    }
}

/// Whether a failure is the word of the device that was asked. A gateway that says that
/// it does not answer is not.
#[must_use]
pub fn is_answer(failure: &Failure) -> bool {
    matches!(failure, Failure::Exception(code) if !matches!(code, 10 | 11))
}

impl Reader for Asker {
    type Failure = Failure;

    async fn read(
        &mut self,
        unit: u8,
        fc: u8,
        address: u16,
        count: u16,
    ) -> Result<Vec<u16>, Failure> {
        self.ask(unit, fc, address, count).await
    }

    fn failed(failure: &Failure) -> Failed {
        match failure {
            Failure::Exception(10 | 11) | Failure::Timeout | Failure::HungUp => Failed::Silent,
            Failure::Exception(_) | Failure::Unusable(_) | Failure::Invalid => Failed::Refused,
            Failure::Connect(_) => Failed::Unasked,
        }
    }
}
