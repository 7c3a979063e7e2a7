//! Heat storages: what is in them, how full they are, and what they lose.

use std::sync::Arc;

use super::books::{Slot, kwh, total};
use super::input::Input;
use super::live::Moment;
use super::number::{Indicator, Number, all, derived, rests_on};
use crate::domain::flow::{Known, Stated};
use crate::domain::heat::storage::{LEAST_LOSS_HOURS, StorageError, Stratified, TwoTanks, loss};
use crate::domain::meter::{Carrier, Park};
use crate::domain::quality::{Gaps, Quality, Reason};

/// Joules of a watt-hour.
const WATT_HOUR: f64 = 3_600.0;

/// A sensor in a tank, and how high it sits.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Over the bottom, m.
    pub height_m: f64,
    /// The temperature.
    pub temp: Input,
}

/// A tank of layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Tank {
    /// The meter of charge and discharge, where there is one.
    pub meter: Option<Arc<str>>,
    /// The tank and what is in it.
    pub body: Stratified,
    /// From the bottom upwards.
    pub layers: Vec<Layer>,
}

/// A hot and a cold tank.
#[derive(Debug, Clone, PartialEq)]
pub struct Tanks {
    /// The meter of charge and discharge, where there is one.
    pub meter: Option<Arc<str>>,
    /// The tanks and what moves between them.
    pub body: TwoTanks,
    /// Level and temperature of the hot one.
    pub hot: (Input, Input),
    /// Level and temperature of the cold one.
    pub cold: (Input, Input),
    /// Mass that was filled in, kg, where it is declared.
    pub inventory_kg: Option<f64>,
}

/// What is in a storage.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Content {
    wh: f64,
    full_wh: f64,
    charge: Option<f64>,
    /// Mass of both tanks, kg.
    mass_kg: Option<f64>,
}

/// A content, or what is missing for it, or a sentence why sensors make none.
type Told = Result<Stated<Content>, (Gaps, String)>;

/// How a storage knows its content.
trait Contains {
    fn content(&self, read: &dyn Fn(&Input) -> Stated<f64>) -> Told;
    fn meter(&self) -> Option<&Arc<str>>;
    fn inventory_kg(&self) -> Option<f64>;
}

/// Sensors that make no content together are out of range, every one of them.
fn refused(inputs: &[Input], error: &StorageError) -> (Gaps, String) {
    let mut gaps: Option<Gaps> = None;
    for input in inputs {
        let one = Gaps::one(&input.meter, Reason::OutOfRange);
        match &mut gaps {
            Some(gaps) => gaps.join(&one),
            none => *none = Some(one),
        }
    }
    (gaps.unwrap_or_else(Gaps::config), error.to_string())
}

impl Tank {
    pub(super) fn inputs(&self) -> Vec<Input> {
        self.layers.iter().map(|layer| layer.temp.clone()).collect()
    }
}

impl Contains for Tank {
    fn content(&self, read: &dyn Fn(&Input) -> Stated<f64>) -> Told {
        let stated: Vec<Stated<f64>> = self.layers.iter().map(|layer| read(&layer.temp)).collect();
        let rests = match rests_on(&stated.iter().collect::<Vec<_>>()) {
            Ok(rests) => rests,
            Err(gaps) => return Ok(Err(gaps)),
        };
        let temps = stated.iter().flatten().map(|known| known.value);
        let sensors: Vec<(f64, f64)> = self
            .layers
            .iter()
            .map(|one| one.height_m)
            .zip(temps)
            .collect();
        match self.body.content(&sensors) {
            Err(error) => Err(refused(&self.inputs(), &error)),
            Ok(content) => Ok(Ok(rests.with(Content {
                wh: content.joules / WATT_HOUR,
                full_wh: content.full_joules / WATT_HOUR,
                charge: content.charge(),
                mass_kg: None,
            }))),
        }
    }

    fn meter(&self) -> Option<&Arc<str>> {
        self.meter.as_ref()
    }

    fn inventory_kg(&self) -> Option<f64> {
        None
    }
}

impl Tanks {
    pub(super) fn inputs(&self) -> Vec<Input> {
        let (hot, cold) = (&self.hot, &self.cold);
        [&hot.0, &hot.1, &cold.0, &cold.1].map(Input::clone).into()
    }
}

impl Contains for Tanks {
    fn content(&self, read: &dyn Fn(&Input) -> Stated<f64>) -> Told {
        let stated = [&self.hot.0, &self.hot.1, &self.cold.0, &self.cold.1].map(read);
        let [a, b, c, d] = &stated;
        let known = match all([a, b, c, d]) {
            Ok(known) => known,
            Err(gaps) => return Ok(Err(gaps)),
        };
        let [hot_level, hot, cold_level, cold] = known.value;
        match self.body.content((hot_level, hot), (cold_level, cold)) {
            Err(error) => Err(refused(&self.inputs(), &error)),
            Ok(inventory) => Ok(Ok(known.with(Content {
                wh: inventory.joules / WATT_HOUR,
                full_wh: inventory.full_joules / WATT_HOUR,
                charge: inventory.charge(),
                mass_kg: Some(inventory.kilograms()),
            }))),
        }
    }

    fn meter(&self) -> Option<&Arc<str>> {
        self.meter.as_ref()
    }

    fn inventory_kg(&self) -> Option<f64> {
        self.inventory_kg
    }
}

/// The part of a declared mass that has gone.
fn missing(content: &Content, inventory_kg: Option<f64>) -> Option<f64> {
    let declared = inventory_kg.filter(|kg| *kg > 0.0)?;
    Some(1.0 - content.mass_kg? / declared)
}

fn now(storage: &dyn Contains, moment: &Moment<'_>) -> Vec<Number> {
    let (content, why) = match storage.content(moment.read) {
        Ok(content) => (content.map(derived), None),
        Err((gaps, why)) => (Err(gaps), Some(why)),
    };
    let of = |name, part: fn(&Content) -> f64| {
        Number::new(
            name,
            content.clone().map(|known| known.with(part(&known.value))),
        )
        .noted(why.clone())
    };
    let charge = content.clone().map(|known| known.with(known.value.charge));
    let mut numbers = vec![
        of("content_wh", |content| content.wh),
        of("full_wh", |content| content.full_wh),
        Number::ratio("state_of_charge", charge, "full is empty").noted(why.clone()),
    ];
    if let Some(declared) = storage.inventory_kg() {
        let gone = content
            .clone()
            .map(|known| known.with(missing(&known.value, Some(declared))));
        numbers.push(
            Number::ratio("inventory_missing", gone, "no mass is declared").noted(why.clone()),
        );
    }
    if let Some(meter) = storage.meter() {
        numbers.push(Number::new(
            "discharge_w",
            (moment.power)(meter, Carrier::Heat),
        ));
    }
    numbers
}

/// A number that stands at one end of a period.
fn at_the_end(name: &'static str, stated: Stated<f64>, note: Option<String>) -> Indicator {
    let (value, quality, coverage_pct, gaps) = match stated {
        Ok(Known {
            value,
            quality,
            coverage_pct,
            ..
        }) => (Some(value), quality, coverage_pct, None),
        Err(gaps) => (None, Quality::Missing, 0.0, Some(gaps)),
    };
    Indicator {
        of: None,
        name,
        unit: "kWh",
        value,
        quality,
        coverage_pct,
        unknown_intervals: usize::from(gaps.is_some()),
        gaps,
        intervals: 1,
        of_known: None,
        judged: None,
        note,
    }
}

fn indicators(
    storage: &dyn Contains,
    park: &Park,
    before: Option<&Slot>,
    slots: &[Slot],
) -> Vec<Indicator> {
    let end = |slot: Option<&Slot>| {
        let Some(slot) = slot else {
            return (Err(Gaps::one(&"ledger".into(), Reason::NeverSeen)), None);
        };
        match storage.content(&|input| slot.last(input)) {
            Ok(content) => (content.map(derived), None),
            Err((gaps, why)) => (Err(gaps), Some(why)),
        }
    };
    let ((first, why_first), (last, why_last)) = (end(before), end(slots.last()));
    let in_kwh = |content: &Stated<Content>| {
        content
            .clone()
            .map(|known| known.with(known.value.wh / 1e3))
    };
    let (first, last) = (in_kwh(&first), in_kwh(&last));
    let mut indicators = vec![
        at_the_end("content_at_start", first.clone(), why_first),
        at_the_end("content_at_end", last.clone(), why_last),
    ];
    let Some(meter) = storage.meter() else {
        return indicators;
    };
    let side = |positive| move |slot: &Slot| vec![slot.side(park, meter, Carrier::Heat, positive)];
    let charged = total(slots, side(false)).indicator("charged", "kWh", kwh);
    let discharged = total(slots, side(true)).indicator("discharged", "kWh", kwh);
    let both = total(slots, |slot| {
        let [side] = [|positive| slot.side(park, meter, Carrier::Heat, positive)];
        vec![side(false), side(true)]
    });
    let hours: f64 = slots.iter().map(Slot::hours).sum();
    let mut lost = both.indicator("loss", "kWh", |sums| match (sums, &first, &last) {
        ([charged, discharged], Ok(first), Ok(last)) => {
            let gained = last.value - first.value;
            loss(charged / 1e6, discharged / 1e6, gained, hours).ok()
        }
        _ => None,
    });
    let short = StorageError::Short(hours);
    if hours < LEAST_LOSS_HOURS {
        lost.note = Some(short.to_string());
    }
    // The content at both ends is as much an input as the meter.
    for content in [&first, &last] {
        match content {
            Ok(known) => lost.quality = lost.quality.worst(known.quality),
            Err(gaps) => {
                match &mut lost.gaps {
                    Some(all) => all.join(gaps),
                    none => *none = Some(gaps.clone()),
                }
                lost.note = Some("the content at an end of the period is unknown".to_owned());
            }
        }
    }
    if first.is_err() || last.is_err() {
        lost.of_known = None;
    }
    if lost.value.is_none() {
        lost.quality = Quality::Missing;
    }
    indicators.extend([charged, discharged, lost]);
    indicators
}

macro_rules! storage {
    ($($kind:ty),*) => {$(
        impl $kind {
            pub(super) fn now(&self, moment: &Moment<'_>) -> Vec<Number> {
                now(self, moment)
            }

            pub(super) fn indicators(&self, park: &Park, before: Option<&Slot>, slots: &[Slot]) -> Vec<Indicator> {
                indicators(self, park, before, slots)
            }
        }
    )*};
}

storage!(Tank, Tanks);
