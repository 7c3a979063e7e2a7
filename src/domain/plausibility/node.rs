//! Mean powers of meters that must balance, over one interval.
//!
//! Meters are read at different moments: a second of skew on a ramp of 100 kW a second
//! is 100 kW of nothing. Over an interval it averages out. **A moment counts only when
//! every member is known**, so that a meter silent for a while leaves the means of all
//! others over the same time, and no imbalance.

use std::collections::HashMap;

pub use crate::domain::closure::Part;
use crate::domain::meter::{Carrier, MeterIndex};
use crate::domain::units::to_f64;

/// Part of an interval that must be known: half of it is an interval of its own.
const COVERED: f64 = 0.5;

/// What a node balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All meters of a carrier.
    Balance(Carrier),
    /// A meter, and those behind it.
    Feeder,
}

/// Means of an interval, W.
#[derive(Debug, Clone, PartialEq)]
pub struct Means {
    /// By member.
    pub members: Vec<(Part, f64)>,
    /// Configured losses.
    pub losses: f64,
    /// What is left.
    pub residual: f64,
    /// Length of the interval, ms.
    pub ms: i64,
}

impl Means {
    /// Mean power of the member at a place, and what it would be if the others are right.
    fn at(&self, place: usize) -> Option<(f64, f64)> {
        let (part, mean) = self.members.get(place)?;
        Some((*mean, mean - part.sign * self.residual))
    }
}

/// Meters whose powers add up to nothing.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it balances.
    pub kind: Kind,
    parts: Vec<Part>,
    /// Where a meter is among its parts.
    places: HashMap<MeterIndex, usize>,
    sums: Vec<f64>,
    losses: f64,
    known_ms: i64,
    /// The last interval; none where it was not known.
    pub latest: Option<Means>,
}

impl Node {
    /// A node of these parts.
    pub fn new(kind: Kind, parts: Vec<Part>) -> Self {
        Self {
            kind,
            places: parts
                .iter()
                .enumerate()
                .map(|(place, part)| (part.meter, place))
                .collect(),
            sums: vec![0.0; parts.len()],
            parts,
            losses: 0.0,
            known_ms: 0,
            latest: None,
        }
    }

    /// Whether it is a meter and those behind it.
    pub fn is_feeder(&self) -> bool {
        self.kind == Kind::Feeder
    }

    /// The last interval of a meter: its mean power, and what it would be if the others
    /// are right.
    pub fn latest_of(&self, meter: MeterIndex) -> Option<(f64, f64)> {
        self.latest.as_ref()?.at(*self.places.get(&meter)?)
    }

    /// Its meters.
    pub fn meters(&self) -> Vec<MeterIndex> {
        self.parts.iter().map(|part| part.meter).collect()
    }

    /// Adds `ms` of the powers of now; nothing where one is unknown.
    pub fn sample(
        &mut self,
        ms: i64,
        power: &dyn Fn(MeterIndex, Carrier) -> Option<f64>,
        losses: Option<f64>,
    ) {
        let now: Option<Vec<f64>> = self
            .parts
            .iter()
            .map(|part| power(part.meter, part.carrier))
            .collect();
        let (Some(now), Some(losses)) = (now, losses) else {
            return;
        };
        let weight = to_f64(ms);
        for (sum, watts) in self.sums.iter_mut().zip(now) {
            *sum += watts * weight;
        }
        self.losses += losses * weight;
        self.known_ms += ms;
    }

    /// Ends an interval of `ms`.
    pub fn finish(&mut self, ms: i64) {
        let known = to_f64(self.known_ms);
        self.latest = (known > 0.0 && known >= COVERED * to_f64(ms)).then(|| {
            let means = self.parts.iter().zip(&self.sums);
            let members: Vec<(Part, f64)> = means.map(|(part, sum)| (*part, sum / known)).collect();
            let losses = self.losses / known;
            let residual = members
                .iter()
                .map(|(part, mean)| part.sign * mean)
                .sum::<f64>()
                - losses;
            Means {
                members,
                losses,
                residual,
                ms,
            }
        });
        self.sums.fill(0.0);
        self.losses = 0.0;
        self.known_ms = 0;
    }
}
