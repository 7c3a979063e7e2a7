//! What is heard of one meter, reading by reading: a few comparisons each.
//!
//! Some faults show between two readings and not at a moment: a value that repeats, a
//! register that falls, a time that stands still, a step by a thousand. What is heard
//! is counted here; what it means, the checks say.

use serde::{Deserialize, Serialize};

use super::pair::Pair;
use crate::domain::counter::{Step, step};
use crate::domain::meter::{Carrier, Meter, PointIndex, RegisterKind};
use crate::domain::snapshot::{Reading, Value};
use crate::domain::units::{CountUnit, to_f64};

/// Periods of a meter after which its power is not known in between.
const GAP_PERIODS: i64 = 3;
/// The least time that is a gap, ms: two lost answers of a meter read each second.
const LEAST_GAP_MS: i64 = 10_000;
/// A step by a thousand is off by less than this: no load of a park repeats itself
/// better, and a change of unit is exact but for what happens meanwhile.
const THOUSAND_WITHIN: f64 = 0.01;

/// What feeds which count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feed {
    Power,
    Register(usize, RegisterKind),
    Volume,
    Flow,
    Other,
}

/// A register as it was last heard.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    raw: i64,
    unit: CountUnit,
    at_ms: i64,
    /// When it last moved.
    pub moved_ms: i64,
    /// What flowed since, Wh.
    pub since_wh: f64,
    /// What a count is worth, Wh.
    pub step_wh: f64,
}

/// A register that fell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fall {
    /// When, ms.
    pub at_ms: i64,
    /// By how much, Wh.
    pub wh: f64,
}

/// A step by a thousand and how long it has stood.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Jump {
    /// Before it.
    pub before: f64,
    /// After it.
    pub after: f64,
    /// Samples that stayed there.
    pub stood: u32,
}

/// What was heard of one meter.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ear {
    #[serde(skip)]
    feeds: Vec<Feed>,
    #[serde(skip)]
    gap_ms: i64,
    /// The newest reading, ms.
    pub newest_ms: Option<i64>,
    /// The last power and its moment.
    power: Option<(i64, f64)>,
    /// What the last reading with a power said, all analog values in one number.
    said: u64,
    /// Samples in a row that said the same.
    pub same: u32,
    /// When the first of them came, ms.
    pub same_since_ms: i64,
    /// Registers of the two directions.
    pub registers: [Option<Heard>; 2],
    /// The last fall of a register.
    pub fall: Option<Fall>,
    /// The first point of the newest reading, and what it said.
    newest: (PointIndex, u64),
    /// Readings in a row with the time of the one before and other values.
    pub twice: u32,
    /// How far the last reading was ahead of the time when it came, ms.
    pub ahead_ms: i64,
    /// Readings in a row that were ahead, or behind, of more than a few seconds.
    pub off: u32,
    /// When the newest reading came, ms.
    pub came_ms: i64,
    /// A step by a thousand.
    pub jump: Option<Jump>,
    /// Power against the registers of both directions, Wh.
    pub energy: [Pair; 2],
    /// Flow against volume, m³.
    pub volume: Pair,
}

/// A time further off than this is counted, ms: longer than a cycle of polls and its
/// repetitions.
const OFF_MS: i64 = 7_000;

impl Ear {
    /// For a meter; with what was kept of an earlier run.
    pub fn new(meter: &Meter, earlier: Option<Self>) -> Self {
        let carrier = if meter.role.electricity.is_some() {
            Carrier::Electricity
        } else {
            Carrier::Heat
        };
        let power = meter.power_point(carrier).or_else(|| meter.point("power"));
        let registers = [true, false].map(|positive| meter.register(carrier, positive));
        let feed = |place: PointIndex, point: &crate::domain::meter::Point| {
            let direction = registers
                .iter()
                .position(|register| *register == Some(place));
            match (direction, point.register) {
                (Some(direction), Some(kind)) => Feed::Register(direction, kind),
                _ if power == Some(place) => Feed::Power,
                _ if point.quantity.name == "volume" => Feed::Volume,
                _ if point.quantity.name == "flow" => Feed::Flow,
                _ => Feed::Other,
            }
        };
        let period = i64::try_from(meter.period.as_millis()).unwrap_or(i64::MAX);
        Self {
            feeds: meter
                .points
                .iter()
                .enumerate()
                .map(|(place, point)| feed(place, point))
                .collect(),
            gap_ms: period.saturating_mul(GAP_PERIODS).max(LEAST_GAP_MS),
            ..earlier.unwrap_or_default()
        }
    }

    /// Takes in a reading; `came` is the time when it came and how well that is known, ms.
    pub fn hear(&mut self, reading: &Reading, came: Option<(i64, i64)>) {
        let at = reading.at.as_millisecond();
        let mut said = 0_u64;
        let mut power = None;
        let mut any = false;
        for (point, value) in &reading.values {
            let Ok(value) = value else { continue };
            any = true;
            if let Value::Analog(value) = value {
                said = (said.rotate_left(7) ^ value.to_bits()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            }
            match (self.feeds.get(*point), *value) {
                (Some(Feed::Power), Value::Analog(watts)) => power = Some(watts),
                (Some(Feed::Flow), Value::Analog(flow)) => self.volume.flows(at, flow, self.gap_ms),
                (Some(Feed::Volume), Value::Analog(volume)) => {
                    self.volume.stands(at, volume, self.gap_ms);
                }
                (Some(Feed::Register(way, kind)), value) => {
                    let (way, kind) = (*way, *kind);
                    match value {
                        Value::Count(raw) => self.register(way, kind, at, raw, kind.unit),
                        Value::Scaled { count, unit, .. } => {
                            self.register(way, kind, at, count, unit);
                        }
                        Value::Analog(_) => (),
                    }
                }
                _ => (),
            }
        }
        if !any {
            return;
        }
        let first = reading.values.first().map_or(0, |(point, _)| *point);
        self.time(at, came, (first, said));
        if let Some(watts) = power {
            self.power(at, watts, said);
        }
    }

    /// Takes in a reading that is too old to be of now: only its time says something.
    pub fn late(&mut self, reading: &Reading, came: Option<(i64, i64)>) {
        let first = reading.values.first().map_or(0, |(point, _)| *point);
        self.time(reading.at.as_millisecond(), came, (first, 0));
    }

    /// A register says where it stands.
    fn register(&mut self, way: usize, kind: RegisterKind, at: i64, raw: i64, unit: CountUnit) {
        let Some(slot) = self.registers.get_mut(way) else {
            return;
        };
        let step_wh = unit.as_watt_hours();
        let fresh = Heard {
            raw,
            unit,
            at_ms: at,
            moved_ms: at,
            since_wh: 0.0,
            step_wh,
        };
        let advanced = match slot {
            None => {
                *slot = Some(fresh);
                None
            }
            // An older reading says nothing of where the register is.
            Some(heard) if at <= heard.at_ms => return,
            Some(heard) if heard.unit != unit => {
                *heard = fresh;
                None
            }
            Some(heard) => {
                let old = heard.raw;
                heard.at_ms = at;
                heard.raw = raw;
                if raw != old {
                    heard.moved_ms = at;
                    heard.since_wh = 0.0;
                }
                match step(i128::from(old), i128::from(raw), kind.modulus, None) {
                    Step::Advanced(by) | Step::RolledOver(by) => {
                        Some(i64::try_from(by).map_or(0.0, to_f64) * step_wh)
                    }
                    Step::Doubtful(_) => {
                        // The last digit of a float may fall back by itself.
                        if old.saturating_sub(raw) > 1 {
                            let wh = to_f64(old.saturating_sub(raw)) * step_wh;
                            self.fall = Some(Fall { at_ms: at, wh });
                        }
                        None
                    }
                }
            }
        };
        if let Some(pair) = self.energy.get_mut(way) {
            match advanced {
                Some(wh) => pair.counts(at, wh, self.gap_ms),
                None => pair.begin(at, self.gap_ms),
            }
        }
    }

    /// A power was said.
    fn power(&mut self, at: i64, watts: f64, said: u64) {
        let before = self.power;
        if before.is_some_and(|(then, _)| at <= then) {
            return;
        }
        self.power = Some((at, watts));
        if said == self.said && before.is_some() {
            self.same = self.same.saturating_add(1);
        } else {
            (self.same, self.same_since_ms, self.said) = (1, at, said);
        }
        let [positive, negative] = &mut self.energy;
        positive.flows(at, watts.max(0.0), self.gap_ms);
        negative.flows(at, (-watts).max(0.0), self.gap_ms);
        let Some((then, was)) = before.filter(|(then, _)| at - then <= self.gap_ms) else {
            self.jump = None;
            return;
        };
        let wh = (watts + was) / 2.0 * to_f64(at - then) / 3_600_000.0;
        let [positive, negative] = &mut self.registers;
        for (register, wh) in [(positive, wh), (negative, -wh)] {
            if let Some(register) = register {
                register.since_wh += wh.max(0.0);
            }
        }
        self.leap(was, watts);
    }

    /// Whether a power is a thousand times that before, or a thousandth, and stays.
    fn leap(&mut self, before: f64, watts: f64) {
        if let Some(jump) = &mut self.jump {
            let stays = watts / jump.after;
            if (0.5..2.0).contains(&stays) {
                jump.after = watts;
                jump.stood = jump.stood.saturating_add(1);
            } else {
                self.jump = None;
            }
        }
        let ratio = watts / before;
        let near = |of: f64| (ratio / of - 1.0).abs() < THOUSAND_WITHIN;
        if near(1e3) || near(1e-3) {
            self.jump = Some(Jump {
                before,
                after: watts,
                stood: 0,
            });
        }
    }

    /// When a reading is of, and when it came.
    fn time(&mut self, at: i64, came: Option<(i64, i64)>, said: (PointIndex, u64)) {
        if let Some(newest) = self.newest_ms {
            // The record moves what came twice by a millisecond.
            if (at - newest).abs() <= 1 && self.newest.0 == said.0 {
                let other = self.newest.1 != said.1;
                self.twice = self.twice.saturating_add(u32::from(other));
            } else if at > newest {
                self.twice = 0;
            }
            if at <= newest {
                return;
            }
        }
        self.newest_ms = Some(at);
        self.newest = said;
        if let Some((now, slack)) = came {
            self.ahead_ms = at - now;
            self.came_ms = now;
            self.off = if self.ahead_ms.abs() > OFF_MS + slack {
                self.off.saturating_add(1)
            } else {
                0
            };
        }
    }

    /// A new day begins for what is compared day by day.
    pub fn new_day(&mut self) {
        for pair in self.energy.iter_mut().chain([&mut self.volume]) {
            pair.new_day();
        }
    }

    /// What is compared today proves nothing: the values are known to be wrong.
    pub fn taint(&mut self) {
        for pair in self.energy.iter_mut().chain([&mut self.volume]) {
            pair.taint();
        }
    }
}
