//! Heat power at a moment, from what flows and how hot both pipes are.
//!
//! The number is signed and nothing of it is cut off: a cut-off belongs to a register.
//! What makes it doubtful is said beside it. Where the fluid is not known as a liquid
//! there is no number, and a sentence instead that names fluid, value and range.

use std::fmt;

use jiff::Timestamp;

use super::Engine;
use super::heat::{Passing, Stream, shown_from};
use crate::domain::flow::Known;
use crate::domain::heat::fluid::{BeyondData, FluidError};
use crate::domain::meter::{HeatFromFlow, Meter, MeterIndex, Term};
use crate::domain::quality::{Quality, Reason};
use crate::domain::snapshot::{Standing, Value};

/// What to know of a heat power beside the number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Note {
    /// The fluid's formulas go on without data.
    BeyondData(BeyondData),
    /// The spread is below ΔΘmin.
    SmallSpread { spread_k: f64, least_k: f64 },
    /// Heat goes backwards, where it goes one way.
    Backwards { spread_k: f64, flow_m3h: f64 },
}

impl Note {
    /// What it makes of a computed number.
    fn quality(self) -> Quality {
        match self {
            // Known less well, and as plausible as ever.
            Self::BeyondData(_) => Quality::Derived,
            Self::SmallSpread { .. } | Self::Backwards { .. } => Quality::Suspect,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeyondData(beyond) => beyond.fmt(f),
            Self::SmallSpread { spread_k, least_k } => write!(
                f,
                "a spread of {spread_k:.2} K is below the least of {least_k} K, from which on \
                 two sensors say how much heat it is"
            ),
            Self::Backwards { spread_k, flow_m3h } => write!(
                f,
                "heat goes backwards: {spread_k:.2} K from supply to return at {flow_m3h:.2} \
                 m3/h; are the sensors swapped, or mounted against the flow?"
            ),
        }
    }
}

/// A heat power, and what to know of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    pub known: Known<f64>,
    pub notes: Vec<Note>,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unknown {
    /// A reading is missing.
    Reading(Reason),
    /// The fluid is no liquid there, or nobody knows it there.
    Fluid(FluidError),
}

impl Unknown {
    pub(super) fn reason(self) -> Reason {
        match self {
            Self::Reading(reason) => reason,
            Self::Fluid(_) => Reason::OutOfRange,
        }
    }
}

impl Engine {
    /// Supply and return of a meter in °C that stand at `now`, and the older moment.
    pub(super) fn pipes(
        &self,
        meter: &Meter,
        index: MeterIndex,
        now: Timestamp,
    ) -> Result<(f64, f64, Timestamp), Reason> {
        let read = |quantity: &str| {
            let point = meter.point(quantity).ok_or(Reason::Config)?;
            number(self.snapshot.standing(meter, index, point, now)?)
        };
        let (supply, back) = (read("temp_supply")?, read("temp_return")?);
        Ok((supply.0, back.0, supply.1.min(back.1)))
    }

    /// The heat power of a meter, computed.
    pub(super) fn computed_heat(
        &self,
        meter: &Meter,
        index: MeterIndex,
        now: Timestamp,
    ) -> Result<Shown, Unknown> {
        let settings = meter.heat_from_flow;
        let settings = settings.ok_or(Unknown::Reading(Reason::Config))?;
        let read = || {
            let (point, passing) = shown_from(meter).ok_or(Reason::Config)?;
            let (amount, at) = number(self.snapshot.standing(meter, index, point, now)?)?;
            Ok((passing(amount), at, self.pipes(meter, index, now)?))
        };
        let (passing, at, (supply, back, older)) = read().map_err(Unknown::Reading)?;
        let watts = power(&settings, passing, supply, back).map_err(Unknown::Fluid)?;
        let turns = matches!(
            meter.role.heat,
            Some(Term::SolarField | Term::HeatStorage) | None
        );
        let notes = notes(&settings, passing, (supply, back), turns);
        let worst = notes
            .iter()
            .fold(Quality::Derived, |worst, note| worst.worst(note.quality()));
        Ok(Shown {
            known: Known {
                quality: worst,
                oldest: Some(at.min(older)),
                ..Known::given(watts)
            },
            notes,
        })
    }

    /// What to say of a meter's computed heat: why there is none, and what to know.
    pub(super) fn told_of_heat(
        &self,
        meter: &Meter,
        index: MeterIndex,
        now: Timestamp,
    ) -> (Option<String>, Vec<String>) {
        if meter.heat_from_flow.is_none() {
            return (None, Vec::new());
        }
        let (trouble, mut notes) = match self.computed_heat(meter, index, now) {
            Ok(shown) => (None, shown.notes.iter().map(Note::to_string).collect()),
            Err(Unknown::Fluid(error)) => (Some(error.to_string()), Vec::new()),
            Err(Unknown::Reading(_)) => (None, Vec::new()),
        };
        let compared = self.books.get(index).and_then(|book| book.compared());
        if let Some(check) = compared.filter(|check| !check.agrees) {
            notes.push(check.to_string());
        }
        (trouble, notes)
    }
}

fn number(standing: Standing) -> Result<(f64, Timestamp), Reason> {
    match standing.value {
        Value::Analog(value) => Ok((value, standing.at)),
        Value::Count(_) | Value::Scaled { .. } => Err(Reason::Config),
    }
}

/// Heat power, W. What stands carries no heat, whatever the sensors on the two pipes
/// say while they drift apart.
fn power(
    settings: &HeatFromFlow,
    passing: Passing,
    supply: f64,
    back: f64,
) -> Result<f64, FluidError> {
    let place = &settings.place;
    match passing {
        Passing::Stream(Stream::Volume(m3h)) if m3h != 0.0 => place.power_w(m3h, supply, back),
        Passing::Stream(Stream::Mass(kg_s)) if kg_s != 0.0 => {
            place.power_of_mass_w(kg_s, supply, back)
        }
        Passing::Stream(_) | Passing::Register(_) => Ok(0.0),
    }
}

fn notes(
    settings: &HeatFromFlow,
    passing: Passing,
    (supply, back): (f64, f64),
    turns: bool,
) -> Vec<Note> {
    let place = &settings.place;
    let flow_m3h = match passing {
        Passing::Stream(Stream::Volume(m3h)) => m3h,
        Passing::Stream(Stream::Mass(kg_s)) => place
            .density(supply, back)
            .map_or(0.0, |density| kg_s / density * 3_600.0),
        Passing::Register(_) => 0.0,
    };
    // What stands, or drips, says nothing of its temperatures.
    if flow_m3h == 0.0 || flow_m3h.abs() < settings.cut_offs.flow_m3h {
        return Vec::new();
    }
    let mut notes = Vec::new();
    let hotter = supply.max(back);
    notes.extend(place.fluid.caution(hotter).map(Note::BeyondData));
    let spread_k = supply - back;
    if settings.cut_offs.below_least_spread(spread_k) {
        notes.push(Note::SmallSpread {
            spread_k,
            least_k: settings.cut_offs.least_spread_k,
        });
    } else if spread_k * flow_m3h < 0.0 && !turns {
        notes.push(Note::Backwards { spread_k, flow_m3h });
    }
    notes
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
