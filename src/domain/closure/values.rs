//! What the meters of a node counted in an interval, each with its standard uncertainty.
//!
//! | part | of |
//! |---|---|
//! | class, transformers | each direction, at the mean power as a part of the nameplate |
//! | step | a count of the register: a difference of two cut readings |
//! | start-up | 0.2 % of the nameplate over the interval, which no meter sees |
//! | skew | the moment of the boundary: it lies anywhere in a reading period |
//!
//! **A number that is not measured is no witness.** What was estimated, is suspect, or
//! lies between readings far apart is missing, and its meter named.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::accuracy::{Accuracy, Ramp, UNSEEN_PART, Uncertainty};
use super::class::Told;
use crate::domain::balance::{Said, stated};
use crate::domain::flow::Stated;
use crate::domain::interval::{Channel, Entry, Span};
use crate::domain::meter::{Carrier, Meter, MeterIndex, Park, Term};
use crate::domain::quality::Quality;
use crate::domain::units::{MilliwattHours, to_f64};

/// √12: from the width of a rectangle to its standard deviation.
const WIDTH: f64 = 3.464_101_615_137_754_6;
/// A boundary of good quality lies between readings no further apart than this, s.
const READ_WITHIN_S: f64 = 60.0;
/// Part of an interval, %, that must lie between readings where a boundary does not.
const COVERED_PCT: f64 = 50.0;
/// No energy is known better than this, Wh: what is zero for both has no scale.
const LEAST_WH: f64 = 1.0;

/// A meter that does not say what a node needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The meter.
    pub meter: Arc<str>,
    /// Why: a reason, or the quality of what it says.
    pub reason: Arc<str>,
}

/// An energy with its standard uncertainty, Wh.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worth {
    /// In the direction of the role, signed.
    pub wh: f64,
    /// Of it.
    pub u_wh: f64,
}

/// What is known beside the entries.
pub struct Amounts<'a> {
    /// The park.
    pub park: &'a Park,
    /// What is told of meters.
    pub told: &'a HashMap<Arc<str>, Told>,
    /// What a count of a channel's register is worth, Wh; none without a register.
    pub step_wh: &'a dyn Fn(MeterIndex, Channel) -> Option<f64>,
    /// The interval.
    pub span: Span,
}

/// What every meter counted, by meter and carrier.
pub type Counted = HashMap<(MeterIndex, Carrier), Result<Worth, Missing>>;

impl Amounts<'_> {
    /// What every meter that measures and stands in a balance counted.
    #[must_use]
    pub fn of(&self, entries: &[Entry]) -> Counted {
        // What was entered last counts: of two, the first is asked.
        let newest: Vec<Entry> = entries.iter().rev().cloned().collect();
        let said = Said::new(&newest);
        let mut counted = Counted::new();
        for (index, meter) in self.park.meters.iter().enumerate() {
            if self.park.relations.expression(&meter.id).is_some() {
                continue;
            }
            for carrier in [Carrier::Electricity, Carrier::Heat] {
                if meter.role.term(carrier).is_some() {
                    counted.insert((index, carrier), self.meter(index, meter, carrier, &said));
                }
            }
        }
        counted
    }

    /// What one meter counted in one balance.
    fn meter(
        &self,
        index: MeterIndex,
        meter: &Meter,
        carrier: Carrier,
        said: &Said<'_>,
    ) -> Result<Worth, Missing> {
        let mut sum = Worth { wh: 0.0, u_wh: 0.0 };
        // What is lost is lost both ways.
        let other = match meter.role.term(carrier) {
            Some(Term::TransformerLoss) => 1.0,
            _ => -1.0,
        };
        for (positive, sign) in [(true, 1.0), (false, other)] {
            let channel = Channel { carrier, positive };
            let energy = stated(meter, channel, said.get(&meter.id, channel));
            let one = self.channel(index, meter, channel, &energy)?;
            sum.wh += sign * one.wh;
            sum.u_wh = sum.u_wh.hypot(one.u_wh);
        }
        sum.u_wh = sum.u_wh.max(LEAST_WH);
        Ok(sum)
    }

    fn channel(
        &self,
        index: MeterIndex,
        meter: &Meter,
        channel: Channel,
        energy: &Stated<MilliwattHours>,
    ) -> Result<Worth, Missing> {
        let missing = |reason: &str| Missing {
            meter: Arc::clone(&meter.id),
            reason: reason.into(),
        };
        let known = energy.as_ref().map_err(|gaps| {
            let reason = gaps.list().first().map(|gap| gap.reason.name());
            missing(reason.unwrap_or("missing"))
        })?;
        let wide = known.quality == Quality::Interpolated;
        let witness = match known.quality {
            Quality::Good | Quality::Derived | Quality::Manual => true,
            Quality::Interpolated => known.coverage_pct >= COVERED_PCT,
            Quality::Estimated | Quality::Stale | Quality::Suspect | Quality::Missing => false,
        };
        if !witness {
            return Err(missing(known.quality.name()));
        }
        let seconds = to_f64(self.span.ms().max(1)) / 1_000.0;
        let hours = seconds / 3_600.0;
        let wh = known.value.as_watt_hours();
        let rated = meter
            .rated_of(channel.carrier)
            .map(|rated| rated.as_watts());
        let told = self.told.get(&meter.id).copied().unwrap_or_default();
        let load = rated.map(|rated| wh / hours / rated);
        let step = (self.step_wh)(index, channel);
        let unseen = rated.map_or(0.0, |rated| UNSEEN_PART * rated * hours);
        let accuracy = Accuracy {
            quantum: step.unwrap_or(0.0).hypot(unseen),
            ..told.accuracy(channel.carrier, load)
        };
        // A boundary lies anywhere between two readings: in a period, or in the gap.
        let uncovered = (100.0 - known.coverage_pct).max(0.0) / 100.0 * seconds;
        let period = meter.period.as_secs_f64();
        // A register of good quality was read within a minute, however seldom it speaks.
        let near = step.is_some() && known.quality == Quality::Good;
        let apart = if near {
            period.min(READ_WITHIN_S)
        } else {
            period
        };
        let ramp = Ramp {
            per_s: wh / seconds,
            skew_s: if wide { apart.max(uncovered) } else { apart } / WIDTH,
        };
        Ok(Worth {
            wh,
            u_wh: Uncertainty::of(wh, &accuracy, ramp).combined(),
        })
    }
}
