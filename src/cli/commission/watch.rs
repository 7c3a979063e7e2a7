//! Listens to meters for a while, by the same sources as the daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::domain::commission::Observed;
use crate::domain::meter::{Meter, PointIndex};
use crate::domain::quality::Reason;
use crate::domain::snapshot::Value;
use crate::source::Heard;

/// Milliwatt-hours in a watt-hour.
const MWH: f64 = 1_000.0;

/// Why values were missing.
#[derive(Debug, Clone, Default)]
pub struct Gap {
    /// Points that were missing for this reason.
    pub points: BTreeSet<PointIndex>,
    /// How often something was.
    pub times: u32,
    /// The first words about it.
    pub detail: Option<String>,
}

/// What was heard of one meter.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// Its values.
    pub observed: Observed,
    /// How often it was heard of: by an answer, or by the lack of one.
    pub heard: u32,
    /// How often it answered: with a value, or by saying that there is none.
    pub answered: u32,
    /// Whether anything came from it, if only something that cannot be used.
    pub spoke: bool,
    /// Points that had a value at least once.
    pub seen: BTreeSet<PointIndex>,
    /// Why values were missing, by reason.
    pub gaps: BTreeMap<Reason, Gap>,
}

impl Watched {
    /// Percent of what was heard that were answers; none where nothing was.
    #[must_use]
    pub fn answers_pct(&self) -> Option<f64> {
        (self.heard > 0).then(|| 100.0 * f64::from(self.answered) / f64::from(self.heard))
    }

    /// The reason that was given most often.
    #[must_use]
    pub fn worst(&self) -> Option<(Reason, &Gap)> {
        let most = self.gaps.iter().max_by_key(|(_, gap)| gap.times)?;
        Some((*most.0, most.1))
    }

    fn take(&mut self, meter: &Meter, heard: Heard, at_ms: i64) {
        if let Some(receipt) = heard.receipt {
            // Nothing is stored here, and the broker need not send it again.
            let _ = receipt.send(());
        }
        let is_word = |said: &Result<Value, Reason>| match said {
            Ok(_) => true,
            Err(reason) => reason.is_said_by_device(),
        };
        self.heard += 1;
        if heard.values.iter().any(|(_, said)| is_word(said)) {
            self.answered += 1;
        }
        let is_silence =
            |said: &Result<Value, Reason>| matches!(said, Err(Reason::Timeout | Reason::Connect));
        self.spoke |= heard.values.iter().any(|(_, said)| !is_silence(said));
        let mut told = BTreeSet::new();
        for (place, said) in heard.values {
            let Some(point) = meter.points.get(place) else {
                continue;
            };
            match said {
                Err(reason) => {
                    let gap = self.gaps.entry(reason).or_default();
                    gap.points.insert(place);
                    // Many points of one answer are one gap.
                    gap.times += u32::from(told.insert(reason));
                    gap.detail = gap.detail.take().or_else(|| heard.detail.clone());
                }
                Ok(value) => {
                    self.seen.insert(place);
                    let worth = point.register.map(|kind| kind.unit);
                    let value = match (value, worth) {
                        (Value::Analog(value), _) => Some(value),
                        (Value::Count(count), Some(unit)) => Some(watt_hours(unit, count)),
                        (Value::Count(_), None) => None,
                        (Value::Scaled { count, unit, .. }, _) => Some(watt_hours(unit, count)),
                    };
                    // A message of a time gone by says nothing of now.
                    if let Some(value) = value.filter(|_| !heard.late) {
                        self.observed.add(point.quantity.name, at_ms, value);
                    }
                }
            }
        }
    }
}

fn watt_hours(unit: crate::domain::units::CountUnit, count: i64) -> f64 {
    let energy = unit.energy(i128::from(count));
    crate::domain::units::to_f64(energy.0) / MWH
}

/// Hears for a time, or until `enough`; then it tells the sources to `stop`, and hears
/// them out.
pub async fn watch(
    mut heard: mpsc::Receiver<Heard>,
    meters: &[Meter],
    begin: Instant,
    time: Duration,
    enough: &CancellationToken,
    stop: &CancellationToken,
) -> Vec<Watched> {
    let mut watched = vec![Watched::default(); meters.len()];
    let until = begin + time;
    loop {
        let next = tokio::select! {
            next = heard.recv() => next,
            () = sleep_until(until), if !stop.is_cancelled() => {
                stop.cancel();
                continue;
            }
            () = enough.cancelled(), if !stop.is_cancelled() => {
                stop.cancel();
                continue;
            }
        };
        let Some(heard) = next else { return watched };
        let at_ms = heard.at.saturating_duration_since(begin).as_millis();
        let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
        let place = heard.meter;
        if let (Some(meter), Some(watched)) = (meters.get(place), watched.get_mut(place)) {
            watched.take(meter, heard, at_ms);
        }
    }
}
