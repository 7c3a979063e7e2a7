//! Meters that are computed from others, at a moment.
//!
//! Nothing is heard from them and nothing is booked: their power follows from the powers
//! of a moment, their energy from the entries of an interval (`domain::derived`).

use jiff::Timestamp;

use super::Engine;
use crate::domain::expression::Expression;
use crate::domain::flow::Stated;
use crate::domain::meter::{Carrier, Meter};
use crate::domain::quality::Gaps;

impl Engine {
    /// The power of an expression, W, from the powers of its meters.
    pub(super) fn derived_power(
        &self,
        expression: &Expression,
        carrier: Carrier,
        now: Timestamp,
    ) -> Stated<f64> {
        expression.power(&|id| match self.park.meter(id) {
            Some(index) => self.power(index, carrier, now),
            None => Err(Gaps::config()),
        })
    }
}

/// A meter that has nothing to book.
pub(super) fn without_points(meter: &Meter) -> Meter {
    Meter {
        points: Vec::new(),
        ..meter.clone()
    }
}

#[cfg(test)]
#[path = "derived_tests.rs"]
mod tests;
