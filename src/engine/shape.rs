//! How export is fed while an interval is under way: registers say how much went out,
//! the powers say from where.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Engine;
use crate::domain::balance::attribute;
use crate::domain::flow::{Flow, Powers};
use crate::domain::interval::ExportShape;
use crate::domain::units::to_f64;

/// Ticks further apart than this do not say how export was fed in between.
const TICK_GAP_MS: i64 = 10_000;
/// Part of an interval for which it must be known how export was fed.
const SHAPED_PCT: f64 = 95.0;

/// How export is fed in an interval under way, and for how long that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Shaping {
    pub shape: ExportShape,
    pub covered_ms: i64,
}

impl Shaping {
    /// The shape, if it stands for the time it is asked for; else none, and the
    /// amounts of the interval decide.
    pub fn of(&self, ms: i64) -> ExportShape {
        if to_f64(self.covered_ms) * 100.0 >= to_f64(ms) * SHAPED_PCT {
            self.shape
        } else {
            ExportShape::default()
        }
    }
}

impl Engine {
    /// Adds the time since the last tick to how export is fed.
    pub(super) fn shape_export(&mut self, powers: &Powers, now: Timestamp) {
        let (Some(last), Some(span)) = (self.last_tick, self.own.current) else {
            return;
        };
        let ms = now.as_millisecond() - last.as_millisecond();
        if !(1..=TICK_GAP_MS).contains(&ms) {
            return;
        }
        let known = |flow| powers.of(flow).as_ref().ok().map(|known| known.value);
        let (Some(generation), Some(import), Some(export), Some(discharge), Some(charge)) = (
            known(Flow::Generation),
            known(Flow::Import),
            known(Flow::Export),
            known(Flow::BatteryDischarge),
            known(Flow::BatteryCharge),
        ) else {
            return;
        };
        let parts = attribute(generation, import, export, discharge, charge);
        let hours = to_f64(ms) / 3_600_000.0;
        let shaping = self
            .own
            .shapes
            .entry(span.start.as_millisecond())
            .or_default();
        shaping.shape.generation_wh += parts.generation_to_grid * hours;
        shaping.shape.battery_wh += parts.battery_to_grid * hours;
        shaping.covered_ms += ms;
    }
}
