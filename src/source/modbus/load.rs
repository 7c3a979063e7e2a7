//! What polling an endpoint asks of it, by arithmetic: requests, bytes, and the part of
//! its time that they take.
//!
//! On a serial line the arithmetic is that of characters and silences, and is sure. On
//! a network it rests on a latency that is assumed until it was measured. **A bus that
//! is booked beyond its time polls late, and loses nothing else**; beyond
//! [`BUSY_PCT`] one dead unit is felt by all.

use std::collections::BTreeMap;
use std::time::Duration;

pub use super::learned::Learned;
use super::{Poll, Settings, Wiring};
use crate::domain::meter::MeterIndex;
use crate::wire::modbus::timing::Timing;
use crate::wire::plan::{Span, plan, price_ms};

/// Percent of its time from which on a bus is called busy.
pub const BUSY_PCT: f64 = 70.0;

/// Bytes around the values: of question and answer together.
const TCP_BYTES: u32 = 12 + 9;
const RTU_BYTES: u32 = 8 + 5;

/// One request of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestLoad {
    /// What it asks for.
    pub span: Span,
    /// How many points it reads.
    pub points: usize,
    /// Bytes of question and answer.
    pub bytes: u32,
    /// How long the endpoint is busy with it, ms.
    pub ms: f64,
}

/// One meter of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterLoad {
    /// The meter.
    pub meter: MeterIndex,
    /// Its unit id.
    pub unit: u8,
    /// How often it is polled.
    pub period: Duration,
    /// Its requests in each cycle.
    pub requests: Vec<RequestLoad>,
    /// Points that no request can read, or that the device refuses.
    pub unreadable: usize,
    /// Registers in one answer, as far as is known.
    pub max_registers: u16,
    /// Whether its points are found when it answers.
    pub discovered: bool,
}

impl MeterLoad {
    /// Bytes in each cycle.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        self.requests.iter().map(|request| request.bytes).sum()
    }

    /// How long the endpoint is busy with it in each cycle, ms.
    #[must_use]
    pub fn ms(&self) -> f64 {
        self.requests.iter().map(|request| request.ms).sum()
    }

    /// Percent of the endpoint's time.
    #[must_use]
    pub fn pct(&self) -> f64 {
        100.0 * self.ms() / (self.period.as_secs_f64() * 1_000.0)
    }
}

/// What an endpoint is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct BusLoad {
    /// What requests cost there.
    pub cost: Timing,
    /// Its meters, in their order.
    pub meters: Vec<MeterLoad>,
}

impl BusLoad {
    /// Percent of the endpoint's time.
    #[must_use]
    pub fn pct(&self) -> f64 {
        self.meters.iter().map(MeterLoad::pct).sum()
    }

    /// Requests a second.
    #[must_use]
    pub fn requests_per_s(&self) -> f64 {
        self.per_s(|meter| u32::try_from(meter.requests.len()).unwrap_or(u32::MAX))
    }

    /// Bytes a second.
    #[must_use]
    pub fn bytes_per_s(&self) -> f64 {
        self.per_s(MeterLoad::bytes)
    }

    fn per_s(&self, of: impl Fn(&MeterLoad) -> u32) -> f64 {
        let each = self.meters.iter();
        each.map(|meter| f64::from(of(meter)) / meter.period.as_secs_f64())
            .sum()
    }
}

/// What polling this endpoint asks of it, where a network costs so much and the units
/// are known so far.
#[must_use]
pub fn load(settings: &Settings, network: Timing, learned: &BTreeMap<u8, Learned>) -> BusLoad {
    let cost = match &settings.wiring {
        Wiring::Serial(serial) => serial.line.timing(serial.turnaround),
        Wiring::Tcp { .. } | Wiring::RtuOverTcp { .. } => network,
    };
    let manners = settings.manners();
    let pause_ms = manners.request_pause.as_secs_f64() * 1_000.0;
    let is_tcp = settings.wiring.has_transactions();
    let meters = settings.polls.iter();
    BusLoad {
        cost,
        meters: meters
            .map(|poll| of(poll, &cost, learned.get(&poll.unit), pause_ms, is_tcp))
            .collect(),
    }
}

fn of(
    poll: &Poll,
    cost: &Timing,
    learned: Option<&Learned>,
    pause_ms: f64,
    is_tcp: bool,
) -> MeterLoad {
    let spans: Vec<Span> = poll
        .points
        .iter()
        .map(|(_, layout)| layout.span())
        .collect();
    let said = poll.limits.plan();
    let limits = learned.map_or(said, |learned| learned.limits(said));
    let refused = learned.map(Learned::refused).unwrap_or_default();
    let requests = plan(&spans, &limits, &refused, cost);
    let read: usize = requests.iter().map(|request| request.points.len()).sum();
    let each = requests.iter().map(|request| {
        let span = request.span();
        let values = if span.fc <= 2 {
            u32::from(span.count).div_ceil(8)
        } else {
            2 * u32::from(span.count)
        };
        RequestLoad {
            span,
            points: request.points.len(),
            bytes: values + if is_tcp { TCP_BYTES } else { RTU_BYTES },
            ms: price_ms(&span, cost) + pause_ms,
        }
    });
    MeterLoad {
        meter: poll.meter,
        unit: poll.unit,
        period: poll.period,
        requests: each.collect(),
        unreadable: spans.len() - read,
        max_registers: limits.max_registers,
        discovered: poll.sunspec.is_some(),
    }
}
