//! What the transformer between a meter and the boundary takes.
//!
//! The meter of the losses is never heard: its power is computed from what its neighbour
//! says of power, current and voltage, at a tick for the live view and at every reading
//! for the books. **One formula serves both** (`domain::compensation`). A voltage that is
//! not known is the rated one, and said to be; a reactive power that is measured and not
//! known leaves the losses unknown, because zero is not what it is.

use jiff::Timestamp;

use super::Engine;
use super::book::Said;
use crate::domain::compensation::{self, Beside, Loss, LossError, Metered};
use crate::domain::flow::{Known, Stated};
use crate::domain::interval::Channel;
use crate::domain::meter::{Carrier, Meter, MeterIndex, PointIndex};
use crate::domain::provenance::Made;
use crate::domain::quality::{Gaps, Quality, Reason};
use crate::domain::relations::Compensation;
use crate::domain::snapshot::{Reading, Value};

/// Between two phases, and between a phase and the star point, which is √3 less.
const VOLTAGES: [([&str; 3], f64); 2] = [
    (["voltage_l12", "voltage_l23", "voltage_l31"], 1.0),
    (
        ["voltage_l1", "voltage_l2", "voltage_l3"],
        1.732_050_807_568_877_2,
    ),
];

/// Why what a transformer takes is not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unknown {
    /// A reading is missing.
    Reading(Reason),
    /// What is read cannot be.
    Formula(LossError),
}

impl Unknown {
    fn reason(self) -> Reason {
        match self {
            Self::Reading(reason) => reason,
            Self::Formula(_) => Reason::OutOfRange,
        }
    }
}

impl Engine {
    /// What the transformer of a meter takes, and the oldest reading that it rests on.
    pub(super) fn loss(
        &self,
        one: &Compensation,
        now: Timestamp,
    ) -> Result<(Loss, Timestamp), Unknown> {
        let index = self.park.meter(&one.meter);
        let meter = index.and_then(|index| self.park.meters.get(index));
        let (meter, index) = meter.zip(index).ok_or(Unknown::Reading(Reason::Config))?;
        let said = |point: PointIndex| {
            let standing = self.snapshot.standing(meter, index, point, now)?;
            match standing.value {
                Value::Analog(value) => Ok((value, standing.at)),
                Value::Count(_) | Value::Scaled { .. } => Err(Reason::Config),
            }
        };
        let power = meter.point("power").ok_or(Reason::Config).and_then(said);
        let (active_w, mut oldest) = power.map_err(Unknown::Reading)?;
        let beside = match (meter.point("reactive_power"), meter.point("apparent_power")) {
            (Some(point), _) => said(point).map(|(var, at)| (Beside::Reactive(var), at)),
            (None, Some(point)) => said(point).map(|(va, at)| (Beside::Apparent(va), at)),
            (None, None) => Ok((Beside::Nothing, oldest)),
        };
        let (beside, at) = beside.map_err(Unknown::Reading)?;
        oldest = oldest.min(at);
        let voltage = voltage(meter, said);
        if let Some((_, at)) = voltage {
            oldest = oldest.min(at);
        }
        let metered = Metered {
            active_w,
            beside,
            voltage_v: voltage.map(|(volts, _)| volts),
        };
        let loss = one.loss(metered).map_err(Unknown::Formula)?;
        Ok((loss, oldest))
    }

    /// The power of the meter of the losses, W.
    pub(super) fn lost_power(&self, one: &Compensation, now: Timestamp) -> Stated<f64> {
        let (loss, oldest) = self.loss(one, now).map_err(|unknown| match unknown {
            // The meter that is silent is the one to look at.
            Unknown::Reading(reason) => Gaps::one(&one.meter, reason),
            Unknown::Formula(_) => Gaps::one(&one.loss, unknown.reason()),
        })?;
        Ok(Known {
            quality: Quality::Derived,
            oldest: Some(oldest),
            made: made(&loss),
            ..Known::given(loss.active_w)
        })
    }

    /// Books what the transformer of a meter takes, when that says its power.
    pub(super) fn hear_loss(&mut self, reading: &Reading, power: PointIndex, of: MeterIndex) {
        let is_told =
            |(point, said): &(PointIndex, Result<Value, Reason>)| *point == power && said.is_ok();
        if !reading.values.iter().any(is_told) {
            return;
        }
        let park = std::sync::Arc::clone(&self.park);
        let Some((one, _)) = compensation::of(&park, reading.meter, Carrier::Electricity) else {
            return;
        };
        let Ok((loss, _)) = self.loss(one, reading.at) else {
            return;
        };
        let tracks = self.books.get(of).map_or(&[][..], |book| book.tracks());
        let said = |channel: Channel| {
            // Each direction is integrated on its own: what is lost does not cross zero
            // where the power does.
            let watts = if channel.positive {
                loss.of_import_w
            } else {
                -loss.of_export_w
            };
            Said::Computed(watts, made(&loss))
        };
        let mut both: [Option<(usize, Said)>; 4] = [None; 4];
        for (slot, (place, track)) in both.iter_mut().zip(tracks.iter().enumerate()) {
            *slot = Some((place, said(track.channel())));
        }
        self.enter(of, reading.at, both);
    }

    /// Why the losses of a meter are not known, and what to know of them, for people.
    pub(super) fn told_of_loss(
        &self,
        one: &Compensation,
        now: Timestamp,
    ) -> (Option<String>, Vec<String>) {
        match self.loss(one, now) {
            Ok((loss, _)) if loss.at_rated_voltage => {
                let note = format!(
                    "`{}` tells no voltage: its transformer is taken to be at {} V",
                    one.meter, one.rated_v
                );
                (None, vec![note])
            }
            Ok(_) | Err(Unknown::Reading(_)) => (None, Vec::new()),
            Err(Unknown::Formula(error)) => (Some(error.to_string()), Vec::new()),
        }
    }
}

/// What a loss rests on.
fn made(loss: &Loss) -> Made {
    if loss.at_rated_voltage {
        Made::DERIVED.and(Made::RATED_VOLTAGE)
    } else {
        Made::DERIVED
    }
}

/// The mean voltage between two phases, V, and the oldest reading in it: of the voltages
/// that a meter has, all have to be known.
fn voltage(
    meter: &Meter,
    said: impl Fn(PointIndex) -> Result<(f64, Timestamp), Reason>,
) -> Option<(f64, Timestamp)> {
    let mut measured = VOLTAGES.iter().filter_map(|(names, factor)| {
        let points: Vec<PointIndex> = names.iter().filter_map(|name| meter.point(name)).collect();
        let known: Vec<(f64, Timestamp)> = points
            .into_iter()
            .map(|point| said(point).ok())
            .collect::<Option<_>>()?;
        let oldest = known.iter().map(|(_, at)| *at).min()?;
        let (sum, count) = known.iter().fold((0.0, 0.0), |(sum, count), (volts, _)| {
            (sum + volts, count + 1.0)
        });
        Some((factor * sum / count, oldest))
    });
    measured.next()
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
#[path = "loss_tests.rs"]
mod tests;
