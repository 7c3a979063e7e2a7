//! Heat of a meter that says what passes and how hot both pipes are: what its looks at
//! the pipes add up to.
//!
//! ```text
//!   volume register:  ──┤ increment, temperatures of the look that ends it ├──
//!   flow, mass flow:  ──┤ half of the time ├ look ┤ half of the time ├──
//! ```
//!
//! A look at a flow stands for half of the time to its neighbours, with its own
//! temperatures: **no mean temperature meets a whole volume**. Looks too far from each
//! other leave a gap. What a fluid is not known at is a gap as well, and a volume that
//! goes back is no heat.

use serde::{Deserialize, Serialize};

use crate::domain::heat::integration::{Counted, Increment, IncrementError};
use crate::domain::meter::{Carrier, HeatFromFlow, Meter, Pipe, PointIndex};
use crate::domain::units::{to_f64, to_i64};

/// A register of volume may lag behind what flows: meters refresh theirs each second
/// to each minute.
const REFRESH_MS: i64 = 60_000;
/// Times the permanent flow, or the nameplate power, that nothing exceeds.
const PLAUSIBLE_FACTOR: f64 = 2.0;
const MS_PER_HOUR: f64 = 3_600_000.0;

/// What flows at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Stream {
    /// m³/h.
    Volume(f64),
    /// kg/s.
    Mass(f64),
}

/// What passed, or passes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Passing {
    /// The position of a volume register, m³.
    Register(f64),
    /// What flows.
    Stream(Stream),
}

/// A point that says what passes, and how.
pub type Source = (PointIndex, fn(f64) -> Passing);

/// A quantity that says what passes, and how.
type Kind = (&'static str, fn(f64) -> Passing);

fn first(meter: &Meter, kinds: &[Kind]) -> Option<Source> {
    let mut kinds = kinds.iter();
    kinds.find_map(|(name, passing)| Some((meter.point(name)?, *passing)))
}

const REGISTER: Kind = ("volume", Passing::Register);
const MASS: Kind = ("mass_flow", |kg| Passing::Stream(Stream::Mass(kg)));
const FLOW: Kind = ("flow", |m3h| Passing::Stream(Stream::Volume(m3h)));

/// What the energy of a meter is counted from: a register of volume loses nothing
/// between two looks, a mass flow needs no density.
pub fn counted_from(meter: &Meter) -> Option<Source> {
    meter.heat_from_flow?;
    first(meter, &[REGISTER, MASS, FLOW])
}

/// What the power of a meter is computed from.
pub fn shown_from(meter: &Meter) -> Option<Source> {
    first(meter, &[MASS, FLOW])
}

/// One look at both pipes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// When, ms.
    pub ms: i64,
    /// What passes.
    pub passing: Passing,
    /// Supply, °C.
    pub supply: f64,
    /// Return, °C.
    pub back: f64,
}

/// A stretch of time, and the heat that passed in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Its start, ms; none where nothing is known of the time before its end.
    pub from_ms: Option<i64>,
    /// Its end, ms.
    pub to_ms: i64,
    /// What was counted; none where that is unknown.
    pub heat: Option<Counted>,
}

impl Stretch {
    /// After it everything begins anew.
    fn anew(ms: i64) -> Self {
        Self {
            from_ms: None,
            to_ms: ms,
            heat: Some(Counted::default()),
        }
    }

    fn new(from_ms: i64, to_ms: i64, heat: Option<Counted>) -> Self {
        Self {
            from_ms: Some(from_ms),
            to_ms,
            heat,
        }
    }
}

/// Heat of one direction, in whole microjoules: parts of it add up to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Portion {
    /// Counted.
    pub heat_uj: i64,
    /// Kept out by the cut-offs.
    pub aside_uj: i64,
    /// The part of the counted whose spread was below ΔΘmin.
    pub weak_uj: i64,
}

impl Portion {
    /// The portion of one direction.
    pub fn of(counted: &Counted, positive: bool) -> Self {
        let sign = if positive { 1.0 } else { -1.0 };
        let microjoules = |joules: f64| to_i64((sign * joules).max(0.0) * 1e6);
        let own = if positive {
            counted.positive
        } else {
            counted.negative
        };
        Self {
            heat_uj: microjoules(own.joules),
            aside_uj: microjoules(counted.below_flow.joules)
                .saturating_add(microjoules(counted.below_spread.joules)),
            weak_uj: microjoules(counted.below_least_spread.joules),
        }
    }

    /// The part of it between two moments of a stretch that it is spread evenly over.
    pub fn part(&self, stretch: (i64, i64), part: (i64, i64)) -> Self {
        let cut = |whole| upto(whole, stretch, part.1) - upto(whole, stretch, part.0);
        Self {
            heat_uj: cut(self.heat_uj),
            aside_uj: cut(self.aside_uj),
            weak_uj: cut(self.weak_uj),
        }
    }

    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.heat_uj = self.heat_uj.saturating_add(other.heat_uj);
        self.aside_uj = self.aside_uj.saturating_add(other.aside_uj);
        self.weak_uj = self.weak_uj.saturating_add(other.weak_uj);
    }

    /// Whether more of it is set aside, or counted below ΔΘmin, than a part of all.
    pub fn is_doubtful(&self, part: f64) -> bool {
        let doubtful = self.aside_uj.saturating_add(self.weak_uj);
        let all = self.heat_uj.saturating_add(self.aside_uj);
        to_f64(doubtful) > part * to_f64(all)
    }
}

/// How much of a whole has passed at a moment of a stretch.
fn upto(whole: i64, (from, to): (i64, i64), ms: i64) -> i64 {
    let length = i128::from(to - from);
    if length <= 0 {
        return 0;
    }
    let passed = i128::from(whole) * i128::from(ms - from);
    i64::try_from((passed + length / 2).div_euclid(length)).unwrap_or(whole)
}

/// An amount that passed; negative where it passed the other way.
#[derive(Debug, Clone, Copy)]
enum Amount {
    Cubic(f64),
    Kilograms(f64),
}

/// Counts one amount with its temperatures.
///
/// What flows backwards is the same circuit seen from its other end: the pipes change
/// their names, and the heat its sign.
fn count(
    settings: &HeatFromFlow,
    amount: Amount,
    seconds: f64,
    look: &Look,
) -> Result<Counted, IncrementError> {
    let (Amount::Cubic(size) | Amount::Kilograms(size)) = amount;
    let mut meter = settings.place;
    let (mut supply, mut back) = (look.supply, look.back);
    let backwards = size < 0.0;
    if backwards {
        std::mem::swap(&mut supply, &mut back);
        meter.sensor = match meter.sensor {
            Pipe::Supply => Pipe::Return,
            Pipe::Return => Pipe::Supply,
        };
    }
    let increment = match amount {
        Amount::Kilograms(kg) if kg != 0.0 => {
            Increment::of_mass(&meter, kg.abs(), seconds, supply, back)?
        }
        Amount::Kilograms(_) | Amount::Cubic(_) => Increment {
            volume_m3: size.abs(),
            seconds,
            supply,
            back,
        },
    };
    let mut counted = Counted::default();
    counted.count(&meter, &settings.cut_offs, &increment)?;
    if backwards {
        std::mem::swap(&mut counted.volume_supply, &mut counted.volume_back);
    }
    Ok(counted)
}

/// What is kept of a heat meter between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct HeatState {
    last: Option<Look>,
    /// A position of the register that waits for the next one to go on from it.
    held: Option<f64>,
    /// Where the register stood when it went back.
    before: Option<f64>,
    /// When the register last moved, ms.
    moved_ms: i64,
    /// Everything since the first look.
    counted: Counted,
}

/// The books of what passes a heat meter.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatBook {
    settings: HeatFromFlow,
    rated_w: Option<f64>,
    reach_ms: i64,
    state: HeatState,
}

impl HeatBook {
    /// The books of a meter whose looks are joined up to `reach_ms`, if its heat is
    /// computed.
    pub fn new(meter: &Meter, reach_ms: i64, state: HeatState) -> Option<Self> {
        Some(Self {
            settings: meter.heat_from_flow?,
            rated_w: meter
                .rated_of(Carrier::Heat)
                .map(|rated| rated.as_watts().abs()),
            reach_ms,
            state,
        })
    }

    /// What is kept.
    pub fn state(&self) -> HeatState {
        self.state
    }

    /// Everything that was counted since the first look.
    pub fn counted(&self) -> &Counted {
        &self.state.counted
    }

    /// Takes in a look and tells what passed since the last one, in order.
    pub fn look(&mut self, look: &Look) -> Vec<Stretch> {
        let Some(last) = self.state.last else {
            self.begin(look);
            return vec![Stretch::anew(look.ms)];
        };
        if look.ms <= last.ms {
            return Vec::new();
        }
        let near = look.ms - last.ms <= self.reach_ms;
        let stretches = match (last.passing, look.passing) {
            (Passing::Register(from), Passing::Register(to)) => {
                self.advance(&last, look, (from, to), near)
            }
            (Passing::Stream(_), Passing::Stream(_)) if near => self.halves(&last, look),
            _ => {
                self.begin(look);
                vec![Stretch::anew(look.ms)]
            }
        };
        for counted in stretches.iter().filter_map(|stretch| stretch.heat) {
            self.state.counted += counted;
        }
        stretches
    }

    fn begin(&mut self, look: &Look) {
        self.state.last = Some(*look);
        self.state.held = None;
        self.state.moved_ms = look.ms;
    }

    /// Two looks at what flows: each stands for the half that is nearer to it.
    fn halves(&mut self, last: &Look, look: &Look) -> Vec<Stretch> {
        let middle = last.ms + (look.ms - last.ms) / 2;
        let half = |from_ms: i64, to_ms: i64, look: &Look| {
            let seconds = to_f64(to_ms - from_ms) / 1_000.0;
            let amount = match look.passing {
                Passing::Stream(Stream::Mass(kg_s)) => Amount::Kilograms(kg_s * seconds),
                Passing::Stream(Stream::Volume(m3h)) => Amount::Cubic(m3h * seconds / 3_600.0),
                Passing::Register(_) => return Stretch::new(from_ms, to_ms, None),
            };
            let heat = count(&self.settings, amount, seconds, look);
            Stretch::new(from_ms, to_ms, heat.ok())
        };
        let halves = [half(last.ms, middle, last), half(middle, look.ms, look)];
        self.state.last = Some(*look);
        let mut halves = Vec::from(halves);
        halves.retain(|half| half.from_ms != Some(half.to_ms));
        halves
    }

    /// A register of volume that went from one position to another.
    fn advance(
        &mut self,
        last: &Look,
        look: &Look,
        (from, to): (f64, f64),
        near: bool,
    ) -> Vec<Stretch> {
        let step = to - from;
        let seconds = to_f64(look.ms - last.ms) / 1_000.0;
        let heat = (step >= 0.0)
            .then(|| count(&self.settings, Amount::Cubic(step), seconds, look).ok())
            .flatten();
        let returned = |before: f64| from < before && to >= before;
        let returns = self.state.before.is_some_and(returned);
        if near && !returns && self.is_doubtful(look.ms, step, heat.as_ref()) {
            // What is out of line is believed when the next look goes on from it.
            let goes_on = |held: f64| to >= held && (held < from) == (to < from);
            if !self.state.held.is_some_and(goes_on) {
                self.state.held = Some(to);
                return Vec::new();
            }
        } else if near && !returns {
            let moved_ms = if step > 0.0 {
                look.ms
            } else {
                self.state.moved_ms
            };
            self.state.held = None;
            self.state.moved_ms = moved_ms;
            self.state.last = Some(*look);
            return vec![Stretch::new(last.ms, look.ms, heat)];
        }
        if step < 0.0 {
            self.state.before = Some(from);
        } else if returns {
            self.state.before = None;
        }
        self.begin(look);
        if near {
            vec![Stretch::new(last.ms, look.ms, None)]
        } else {
            vec![Stretch::anew(look.ms)]
        }
    }

    /// Whether a step of the register is none that a flow can make.
    fn is_doubtful(&self, ms: i64, step: f64, heat: Option<&Counted>) -> bool {
        let hours = to_f64(ms - self.state.moved_ms + REFRESH_MS) / MS_PER_HOUR;
        let permanent = self.settings.permanent_flow_m3h;
        let most_m3 = permanent.map(|flow| PLAUSIBLE_FACTOR * flow * hours);
        let most_j = self
            .rated_w
            .map(|watts| PLAUSIBLE_FACTOR * watts * hours * 3_600.0);
        let joules = heat.map_or(0.0, |counted| counted.heat_j().abs());
        step < 0.0
            || most_m3.is_some_and(|most| step > most)
            || most_j.is_some_and(|most| joules > most)
    }
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
#[path = "heat_tests.rs"]
mod tests;
