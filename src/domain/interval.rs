//! Settlement intervals: what every meter counted, and the flows that follow.
//!
//! An [`Entry`] is what one channel of one meter moved in one interval; an
//! [`Interval`] is the flows of all of them. Energies are integers of
//! milliwatt-hours, and a register's entries add up to closing minus opening
//! reading, to the last digit, whatever happened in between.
//!
//! An interval closes [`CLOSE_AFTER_S`] seconds after its end. What is learned
//! later makes a new revision; nothing is overwritten.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::flow::Energies;
use super::meter::{Carrier, Meter, PointIndex, Term};
use super::provenance::Made;
use super::quality::{Quality, Reason};
use super::units::MilliwattHours;

/// How long an interval waits for late readings: longer than the slowest meter's
/// period in reach, so that the boundary lies between two readings.
pub const CLOSE_AFTER_S: i64 = 60;

/// A stretch of time, `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First instant.
    pub start: Timestamp,
    /// First instant after it.
    pub end: Timestamp,
}

impl Span {
    /// Its length in milliseconds.
    #[must_use]
    pub fn ms(&self) -> i64 {
        self.end.as_millisecond() - self.start.as_millisecond()
    }
}

/// One direction of one carrier at a meter, relative to its role: the positive
/// channel of a grid meter is import, of a battery discharge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Channel {
    /// Which balance.
    pub carrier: Carrier,
    /// Whether it is the positive direction of the role.
    pub positive: bool,
}

/// What one channel of one meter moved in one interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The meter, by name: entries outlive configurations.
    pub meter: Arc<str>,
    /// Which of its channels.
    pub channel: Channel,
    /// When.
    pub span: Span,
    /// How much, or why that is unknown.
    pub energy: Result<MilliwattHours, Reason>,
    /// How good the number is.
    pub quality: Quality,
    /// How much of the interval lies between readings close enough to each other, percent.
    pub coverage_pct: f64,
    /// What it rests on.
    pub made: Made,
    /// Register at the start, where there is a register: energy since the meter's
    /// first reading in this ledger, rollovers unrolled.
    pub opening: Option<MilliwattHours>,
    /// Register at the end.
    pub closing: Option<MilliwattHours>,
}

/// How export was fed during an interval, integrated over the ticks: registers
/// say how much went out, this says how much of it came from generators.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ExportShape {
    /// From generators, Wh.
    pub generation_wh: f64,
    /// From batteries, Wh.
    pub battery_wh: f64,
}

impl ExportShape {
    /// The part of export that generators fed; none where the powers did not tell, because
    /// they were not known for long enough or saw no export. Then the amounts decide.
    #[must_use]
    pub fn generation_share(&self) -> Option<f64> {
        let exported = self.generation_wh + self.battery_wh;
        (exported > 0.0).then(|| self.generation_wh / exported)
    }
}

/// A settlement interval with its flows.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// When.
    pub span: Span,
    /// Whether later readings make a new revision, or still flow into this one.
    pub closed: bool,
    /// 1 for the first closing; 0 while open.
    pub revision: i64,
    /// The flows.
    pub flows: Energies,
}

/// Where the energy of a channel comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From a register of the meter: the truth.
    Register(PointIndex),
    /// Integrated from its power, because it has no register.
    Power,
    /// Counted from what flows and two temperatures, because it has neither.
    Heat,
}

/// The channels of a meter, with where their energy comes from.
///
/// The positive way of a role always has a channel, if the meter has a register or
/// a power for it. The other way has one where there is a register, and without a
/// register where it is natural (grid, generators, storages, the solar field) or
/// where the positive way is integrated as well.
#[must_use]
pub fn channels(meter: &Meter) -> Vec<(Channel, Origin)> {
    let carriers = [Carrier::Electricity, Carrier::Heat].into_iter();
    let both =
        carriers.flat_map(|carrier| [true, false].map(|positive| Channel { carrier, positive }));
    both.filter_map(|channel| Some((channel, origin(meter, channel)?)))
        .collect()
}

/// Where the energy of a channel comes from, where the meter has that channel.
#[must_use]
pub fn origin(meter: &Meter, channel: Channel) -> Option<Origin> {
    let Channel { carrier, positive } = channel;
    let term = meter.role.term(carrier)?;
    if let Some(point) = meter.register(carrier, positive) {
        return Some(Origin::Register(point));
    }
    let turns = matches!(
        term,
        Term::Grid | Term::Generator | Term::Battery | Term::SolarField | Term::HeatStorage
    );
    if !positive && !turns && meter.register(carrier, true).is_some() {
        return None;
    }
    let computed = carrier == Carrier::Heat && meter.heat_from_flow.is_some();
    match meter.power_point(carrier) {
        Some(_) => Some(Origin::Power),
        None => computed.then_some(Origin::Heat),
    }
}
