//! A channel without a register in an interval: the samples of its power, or the looks at
//! what passes and at both pipes.

use std::sync::Arc;

use jiff::Timestamp;

use super::ms;
use crate::domain::heat::integration::Counted;
use crate::domain::interval::{Channel, Entry, Origin, Span};
use crate::domain::meter::{Meter, MeterIndex, Park, PointIndex};
use crate::domain::provenance::Made;
use crate::domain::snapshot::{Reading, Value};
use crate::domain::units::{MilliwattHours, to_f64};
use crate::engine::Engine;
use crate::engine::book::{Calendar, Pass};
use crate::engine::heat::{HeatBook, HeatState, Look, Passing, Stream, counted_from};
use crate::engine::track::Track;

/// A power at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// Watt, signed in the direction of the role.
    pub watts: f64,
}

/// What lies around the start and around the end of an interval: the last before it or at
/// it, and the first after it.
pub type Ends<T> = [(Option<T>, Option<T>); 2];

/// Power, integrated over an interval.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerTrace {
    /// The samples around both ends.
    pub ends: Ends<Sample>,
    /// Samples inside.
    pub samples: usize,
    /// The longest time between two that touch the interval, ms.
    pub longest_gap_ms: i64,
    /// Up to which time they are joined by a straight line, ms.
    pub reach_ms: i64,
    /// The energy under the lines, scaled up where little is missing; none where more is.
    pub energy: Option<MilliwattHours>,
}

/// What was counted of heat in an interval, one way.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HeatSum {
    /// Heat, Wh, in the direction of the channel.
    pub wh: f64,
    /// What passed with it, m³.
    pub volume_m3: f64,
}

/// Heat, counted over an interval from what passed.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatTrace {
    /// The looks around the start and around the end.
    pub ends: Ends<Look>,
    /// What says what passes: the name of the quantity.
    pub quantity: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Looks inside.
    pub looks: usize,
    /// Increments that were counted, those that a boundary cuts in two included.
    pub increments: usize,
    /// Looks whose heat is not known, because the fluid is not known at them or the
    /// register went back.
    pub refused: usize,
    /// The longest time between two looks that touch the interval, ms.
    pub longest_gap_ms: i64,
    /// Up to which time they are joined, ms.
    pub reach_ms: i64,
    /// What was counted this way.
    pub counted: HeatSum,
    /// What was counted the other way.
    pub other_way: HeatSum,
    /// Set aside: the flow was below its cut-off.
    pub below_flow: HeatSum,
    /// Set aside: the spread was below its cut-off.
    pub below_spread: HeatSum,
    /// Supply and return of all that passed, weighted by volume, °C.
    pub temperatures: Option<(f64, f64)>,
    /// The heat coefficient at these, kWh/(m³ K).
    pub k_kwh: Option<f64>,
    /// What the books make of it.
    pub energy: Option<MilliwattHours>,
}

/// The neighbours of both ends, and the longest gap that touches the interval.
fn around<T: Copy>(all: &[T], at: impl Fn(&T) -> i64, span: Span) -> (Ends<T>, usize, i64) {
    let (start, end) = (ms(span.start), ms(span.end));
    let neighbours = |moment: i64| {
        let before = all.iter().rev().find(|one| at(one) <= moment);
        let after = all.iter().find(|one| at(one) > moment);
        (before.copied(), after.copied())
    };
    let inside = all.iter().filter(|one| (start..end).contains(&at(one)));
    let pairs = all.iter().zip(all.iter().skip(1));
    let touching = pairs.filter(|(one, two)| at(two) > start && at(one) < end);
    let gaps = touching.map(|(one, two)| at(two) - at(one));
    (
        [neighbours(start), neighbours(end)],
        inside.count(),
        gaps.max().unwrap_or(0),
    )
}

/// What a track made of the interval last.
fn entered(entries: &[Entry], span: Span) -> Option<MilliwattHours> {
    let mut own = entries.iter().rev().filter(|entry| entry.span == span);
    own.next()?.energy.ok()
}

fn calendar(park: &Park) -> Calendar {
    Calendar {
        zone: park.time_zone.clone(),
        minutes: park.settlement_minutes,
    }
}

pub(super) fn power(
    park: &Park,
    meter: &Meter,
    (channel, origin): (Channel, Origin),
    point: PointIndex,
    span: Span,
    readings: &[&Reading],
) -> PowerTrace {
    let calendar = calendar(park);
    let mut track = Track::new(channel, origin, meter);
    let (mut samples, mut entries) = (Vec::<Sample>::new(), Vec::new());
    for reading in readings {
        let said = reading.values.iter().find(|(said, _)| *said == point);
        let Some((_, Ok(Value::Analog(watts)))) = said else {
            continue;
        };
        let mut pass = Pass {
            id: &meter.id,
            calendar: &calendar,
            entries: &mut entries,
        };
        track.sample(&mut pass, reading.at, *watts, Made::NOTHING);
        samples.push(Sample {
            at: reading.at,
            watts: *watts,
        });
    }
    let (ends, inside, longest_gap_ms) = around(&samples, |one| ms(one.at), span);
    PowerTrace {
        ends,
        samples: inside,
        longest_gap_ms,
        reach_ms: track.reach_ms(),
        energy: entered(&entries, span),
    }
}

pub(super) fn heat(
    park: &Arc<Park>,
    index: MeterIndex,
    (channel, origin): (Channel, Origin),
    span: Span,
    readings: &[&Reading],
) -> Option<HeatTrace> {
    let meter = park.meters.get(index)?;
    let (point, passing) = counted_from(meter)?;
    let quantity = meter.points.get(point)?.quantity;
    let calendar = calendar(park);
    let mut track = Track::new(channel, origin, meter);
    let mut book = HeatBook::new(meter, track.reach_ms(), HeatState::default())?;
    // The temperatures that stand, as the engine knows them.
    let mut ear = Engine::for_books(Arc::clone(park));
    let (mut looks, mut entries) = (Vec::new(), Vec::new());
    let mut sum = Sums::default();
    for reading in readings {
        ear.snapshot.accept(reading);
        let said = reading.values.iter().find(|(said, _)| *said == point);
        let Some((_, Ok(Value::Analog(amount)))) = said else {
            continue;
        };
        let Ok((supply, back, _)) = ear.pipes(meter, index, reading.at) else {
            continue;
        };
        let look = Look {
            ms: ms(reading.at),
            passing: passing(*amount),
            supply,
            back,
        };
        for stretch in book.look(&look) {
            sum.add(stretch.from_ms, stretch.to_ms, stretch.heat, span);
            let mut pass = Pass {
                id: &meter.id,
                calendar: &calendar,
                entries: &mut entries,
            };
            track.heat(&mut pass, &stretch);
        }
        looks.push(look);
    }
    let (ends, inside, longest_gap_ms) = around(&looks, |look| look.ms, span);
    let sign = if channel.positive { 1.0 } else { -1.0 };
    let part = |joules: f64, volume_m3: f64| HeatSum {
        wh: sign * joules / 3_600.0,
        volume_m3,
    };
    let all = &sum.counted;
    let [own, other] = if channel.positive {
        [all.positive, all.negative]
    } else {
        [all.negative, all.positive]
    };
    let temperatures = all.mean_temperatures();
    let place = meter.heat_from_flow.map(|settings| settings.place);
    let k_kwh = temperatures
        .zip(place)
        .and_then(|((supply, back), place)| place.k_kwh(supply, back).ok());
    Some(HeatTrace {
        ends,
        quantity: quantity.name,
        unit: quantity.unit,
        looks: inside,
        increments: sum.increments,
        refused: sum.refused,
        longest_gap_ms,
        reach_ms: track.reach_ms(),
        counted: part(own.joules, own.volume_m3),
        other_way: part(other.joules, other.volume_m3),
        below_flow: part(all.below_flow.joules, all.below_flow.volume_m3),
        below_spread: part(all.below_spread.joules, all.below_spread.volume_m3),
        temperatures,
        k_kwh,
        energy: entered(&entries, span),
    })
}

/// What stretches of time have in an interval.
#[derive(Default)]
struct Sums {
    counted: Counted,
    increments: usize,
    refused: usize,
}

impl Sums {
    fn add(&mut self, from_ms: Option<i64>, to_ms: i64, heat: Option<Counted>, span: Span) {
        let from = from_ms.unwrap_or(to_ms);
        let start = from.max(ms(span.start));
        let stop = to_ms.min(ms(span.end));
        if stop <= start {
            return;
        }
        let Some(heat) = heat else {
            self.refused += 1;
            return;
        };
        self.increments += 1;
        // What a boundary cuts is on both sides in proportion to time.
        self.counted += part_of(heat, to_f64(stop - start) / to_f64(to_ms - from));
    }
}

fn part_of(mut counted: Counted, part: f64) -> Counted {
    for sum in [
        &mut counted.positive,
        &mut counted.negative,
        &mut counted.below_flow,
        &mut counted.below_spread,
        &mut counted.below_least_spread,
    ] {
        sum.joules *= part;
        sum.volume_m3 *= part;
    }
    counted.volume_supply *= part;
    counted.volume_back *= part;
    counted
}

impl HeatTrace {
    /// What passed at a look, with the unit of the quantity.
    #[must_use]
    pub fn passing(look: &Look) -> f64 {
        match look.passing {
            Passing::Register(amount)
            | Passing::Stream(Stream::Volume(amount) | Stream::Mass(amount)) => amount,
        }
    }
}
