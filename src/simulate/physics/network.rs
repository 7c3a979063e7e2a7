//! The heat network: what the customers take, and what the pipes lose.
//!
//! > feed = taken by customers + lost in the pipes

use super::noise::{Channel, ease, smooth};
use super::terminal::{MilliW, mw};
use super::time::Local;
use crate::domain::units::to_f64;

const CUSTOMER: Channel = Channel(20);

/// Heat lost per kelvin between network and air, W/K.
const LOSS_W_PER_K: f64 = 1_150.0;

/// The network in a step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Network {
    /// Taken by brewery, ceramics works and district.
    pub taken: [MilliW; 3],
    /// Lost in the pipes.
    pub lost: MilliW,
    /// Supply and return of the district's station, °C.
    pub district_degc: (f64, f64),
    /// Supply and return at the feed, °C.
    pub feed_degc: (f64, f64),
}

impl Network {
    /// The network at a second of the park's time.
    #[must_use]
    pub fn at(seed: u64, second: i64, local: &Local, air_degc: f64) -> Self {
        let wander = |n: u64, period_s| smooth(seed, CUSTOMER.number(n), second, period_s);
        let hour = local.hour;
        let work = if local.weekend { 0.45 } else { 1.0 };
        // Two brews a day on a base of bottle washing.
        let brews = ease((hour - 5.5) / 1.5) * ease((11.5 - hour) / 1.5)
            + ease((hour - 13.0) / 1.5) * ease((19.0 - hour) / 1.5);
        let brewery = (310e3 + 520e3 * work * brews) * (1.0 + 0.07 * wander(0, 240));
        // Dryers run around the clock.
        let ceramics = (540e3 + 150e3 * work) * (1.0 + 0.05 * wander(1, 600));
        // Radiators by the weather, warm water in the morning and the evening.
        let cold = ((18.0 - air_degc) / 30.0).max(0.0);
        let peaks = ease((hour - 5.0) / 1.5) * ease((9.5 - hour) / 2.0)
            + ease((hour - 17.0) / 2.0) * ease((23.0 - hour) / 2.0);
        let district = (210e3 + 1_500e3 * cold + 260e3 * peaks) * (1.0 + 0.04 * wander(2, 420));
        let supply = 92.0 + 16.0 * cold.min(1.2) + 0.8 * wander(3, 1_800);
        let back = 48.0 + 4.0 * cold.min(1.2) + 1.5 * wander(4, 2_400);
        Self {
            taken: [mw(brewery), mw(ceramics), mw(district)],
            lost: mw(LOSS_W_PER_K * (0.5 * (supply + back) - air_degc)),
            district_degc: (supply - 1.5, back),
            feed_degc: (supply, back + 1.0),
        }
    }

    /// What enters the network.
    #[must_use]
    pub fn feed(&self) -> MilliW {
        self.taken.iter().sum::<MilliW>() + self.lost
    }

    /// What the circulation pumps draw, W.
    #[must_use]
    pub fn draws_w(&self) -> f64 {
        7e3 + to_f64(self.feed()) / 1_000.0 * 0.004
    }
}
