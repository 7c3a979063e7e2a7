//! Readings from before the start, as the demo has them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::meter::{MeterIndex, Park, PointIndex};
use crate::domain::snapshot::{Reading, Value};
use crate::simulate::Simulation;
use crate::simulate::history::{self as simulated, HistoryValue};

/// The readings up to a moment, and the moment.
pub struct Step {
    /// When the balance is struck.
    pub at: Timestamp,
    /// What was heard before.
    pub readings: Vec<Reading>,
}

/// A past, step by step. Its steps are evenly apart, `every` seconds.
pub struct History {
    /// Seconds between steps.
    pub every_s: u64,
    /// The steps, oldest first.
    pub steps: Box<dyn Iterator<Item = Step> + Send>,
}

/// A park whose meters are read at least every so many seconds.
pub(super) fn sparse(park: &Park, every_s: u64) -> Park {
    let mut sparse = park.clone();
    for meter in &mut sparse.meters {
        meter.period = meter.period.max(Duration::from_secs(every_s));
    }
    sparse
}

impl History {
    /// The past of a simulated park as readings of the configured one.
    #[must_use]
    pub fn simulated(simulation: &Simulation, park: &Park) -> Self {
        let places = places(park);
        let steps = simulation
            .history()
            .map(move |step| readings(&places, &step));
        Self {
            every_s: u64::try_from(simulated::STEP_S).unwrap_or(60),
            steps: Box::new(steps),
        }
    }
}

/// Where each quantity of each meter stands in the configured park.
type Places = BTreeMap<(String, &'static str), (MeterIndex, PointIndex)>;

fn places(park: &Park) -> Places {
    let mut places = Places::new();
    for (index, meter) in park.meters.iter().enumerate() {
        for (point, measured) in meter.points.iter().enumerate() {
            let name = (meter.id.to_string(), measured.quantity.name);
            places.insert(name, (index, point));
        }
    }
    places
}

/// What was said at a step, meter by meter.
fn readings(places: &Places, step: &simulated::Step) -> Step {
    let at = Timestamp::from_millisecond(step.at.as_millisecond()).unwrap_or(step.at);
    let mut readings: Vec<Reading> = Vec::new();
    for sample in &step.samples {
        let name = (sample.meter.to_owned(), sample.quantity);
        let Some((meter, point)) = places.get(&name).copied() else {
            continue;
        };
        let value = match sample.value {
            HistoryValue::Analog(value) => Value::Analog(value),
            HistoryValue::Count(count) => Value::Count(count),
        };
        match readings.last_mut() {
            Some(reading) if reading.meter == meter => reading.values.push((point, Ok(value))),
            _ => readings.push(Reading {
                meter,
                at,
                values: vec![(point, Ok(value))],
            }),
        }
    }
    Step { at, readings }
}
