//! What the books make of one channel in one interval, step by step, for people who ask
//! where a number comes from.
//!
//! ```text
//!   reading ── start of the interval ── reading … event … reading ── end ── reading
//!        \_____ weights ____/                                 \__ weights __/
//! ```
//!
//! **It counts with the code of the books and comes to what they come to**, from the
//! readings around the interval alone: the same counter, the same line between two
//! readings, the same looks at the pipes. Where the ledger says something else, something
//! was known that these readings do not say (a correction, the shape of a long gap), and
//! whoever shows both numbers says so. It writes nothing.

mod integral;
mod register;

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::event::MeterEvent;
use crate::domain::interval::{Channel, Origin, Span, origin};
use crate::domain::meter::{MeterIndex, Park};
use crate::domain::quality::Quality;
use crate::domain::snapshot::Reading;
use crate::domain::units::MilliwattHours;

pub use integral::{Ends, HeatSum, HeatTrace, PowerTrace, Sample};
pub use register::{Boundary, By, Knot, RegisterTrace, Segment, Worth};

/// What a channel did in an interval.
#[derive(Debug, Clone, PartialEq)]
pub enum Trace {
    /// Its register counted.
    Register(Box<RegisterTrace>),
    /// Its power was integrated.
    Power(PowerTrace),
    /// Its heat was counted from what passed.
    Heat(Box<HeatTrace>),
}

impl Trace {
    /// What the readings come to; none where they do not reach over the interval.
    #[must_use]
    pub fn energy(&self) -> Option<MilliwattHours> {
        match self {
            Self::Register(trace) => trace.energy(),
            Self::Power(trace) => trace.energy,
            Self::Heat(trace) => trace.energy,
        }
    }
}

/// A moment between two readings, or on one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Between {
    /// How far the readings lie apart, ms.
    pub apart_ms: i64,
    /// The part of the way at which the moment lies: the weight of the later reading.
    pub weight: f64,
    /// How good what is read off there is.
    pub quality: Quality,
}

/// Goes through the readings of a meter, in order of time, for one of its channels; none
/// where the meter does not have that channel.
#[must_use]
pub fn trace(
    park: &Arc<Park>,
    meter: MeterIndex,
    channel: Channel,
    span: Span,
    readings: &[&Reading],
    events: &[MeterEvent],
) -> Option<Trace> {
    let own = park.meters.get(meter)?;
    Some(match origin(own, channel)? {
        Origin::Register(point) => {
            let traced = register::trace(own, channel, point, span, readings, events)?;
            Trace::Register(Box::new(traced))
        }
        from @ Origin::Power => {
            let point = own.power_point(channel.carrier)?;
            Trace::Power(integral::power(
                park,
                own,
                (channel, from),
                point,
                span,
                readings,
            ))
        }
        from @ Origin::Heat => {
            let traced = integral::heat(park, meter, (channel, from), span, readings)?;
            Trace::Heat(Box::new(traced))
        }
    })
}

/// Milliseconds of a moment.
fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests;
