//! What the devices of the park would have said before the start, minute by minute.

use jiff::Timestamp;

use super::live::analog;
use super::park::devices::SENSORS;
use super::park::{Device, Point, SensorValue, Source, all_devices};
use super::physics::Physics;

/// Seconds between two steps.
pub const STEP_S: i64 = 60;

/// One value of the past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HistoryValue {
    /// In the canonical unit of its quantity, ratio and sign applied.
    Analog(f64),
    /// The raw count, exactly as the register would have read; of a register that
    /// answers with a float, milliwatt-hours.
    Count(i64),
}

/// One value with its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The meter or sensor, as the configuration calls it.
    pub meter: &'static str,
    /// What was measured, `invert` already applied.
    pub quantity: &'static str,
    /// The value.
    pub value: HistoryValue,
}

/// What everyone said at one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The minute.
    pub at: Timestamp,
    /// Every value of every meter and sensor.
    pub samples: Vec<Sample>,
}

/// The past of the park. It is lived through again while it is iterated over, so
/// it takes no memory.
#[derive(Debug, Clone)]
pub struct History {
    physics: Physics,
    end: i64,
    begun: bool,
}

impl History {
    /// From where a park stands (a whole minute) up to a second.
    pub(super) fn new(physics: Physics, end: i64) -> Self {
        Self {
            physics,
            end,
            begun: false,
        }
    }
}

impl Iterator for History {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let next = self.physics.second() + if self.begun { STEP_S } else { 0 };
        if next > self.end {
            return None;
        }
        self.begun = true;
        self.physics.run_to(next, true);
        let meters = all_devices()
            .flat_map(|device| device.points.iter().map(move |point| (device, point)))
            .map(|(device, point)| meter(&self.physics, device, point));
        let sensors = SENSORS
            .iter()
            .flat_map(|sensor| sensor.values.iter().map(move |value| (sensor.id, value)))
            .map(|(id, value)| sensor(&self.physics, id, value));
        Some(Step {
            at: Timestamp::from_second(next).ok()?,
            samples: meters.chain(sensors).collect(),
        })
    }
}

fn meter(physics: &Physics, device: &'static Device, point: &'static Point) -> Sample {
    let value = match point.source {
        Source::Energy(terminal, direction) => {
            let energy = physics.counted(terminal, direction, physics.second() * 1_000);
            HistoryValue::Count(point.count(point.hold_energy(device, energy)))
        }
        source => {
            let held = point.hold_analog(device, analog(physics, source));
            HistoryValue::Analog(point.canonical(device, held))
        }
    };
    Sample {
        meter: device.id,
        quantity: point.quantity,
        value,
    }
}

fn sensor(physics: &Physics, id: &'static str, value: &SensorValue) -> Sample {
    Sample {
        meter: id,
        quantity: value.quantity,
        value: HistoryValue::Analog(value.as_told(physics.gauge(value.gauge))),
    }
}
