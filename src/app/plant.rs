//! The plant beside the engine: its units at a moment, and over the last day.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::meter::{MeterIndex, Park};
use crate::domain::plant::live::{Moment, UnitNow, now};
use crate::domain::plant::today::Today;
use crate::domain::plant::{Input, Plant};
use crate::domain::quality::{Gaps, Reason};
use crate::domain::snapshot::Value;
use crate::domain::stated::{Known, Stated};
use crate::domain::sun::sun;
use crate::engine::{Engine, Tick};
use crate::store::LedgerReader;

/// So far back the ledger is asked at the start.
const BACK: Duration = Duration::from_secs(25 * 3_600);

/// The plant of a running daemon.
pub struct Live {
    plant: Arc<Plant>,
    today: Today,
    /// Where each meter is in the park: a large one has many mounts.
    places: BTreeMap<Arc<str>, MeterIndex>,
}

impl Live {
    /// A plant of which the last day is not known.
    #[must_use]
    pub fn new(plant: Arc<Plant>, park: &Park) -> Self {
        let meters = park.meters.iter().enumerate();
        Self {
            today: Today::new(&plant),
            places: meters
                .map(|(index, meter)| (Arc::clone(&meter.id), index))
                .collect(),
            plant,
        }
    }

    /// Learns from the ledger what the last day was like; one that cannot be read is as
    /// empty.
    pub fn recall(&mut self, dir: &Path, at: Timestamp) {
        if self.plant.units.is_empty() {
            return;
        }
        let from = at.checked_sub(BACK).unwrap_or(at);
        let Ok(ledger) = LedgerReader::open(dir) else {
            return;
        };
        let (Ok(intervals), Ok(entries), Ok(observed)) = (
            ledger.intervals(from, at),
            ledger.entries(from, at),
            ledger.observed(from, at),
        ) else {
            return;
        };
        let closed: Vec<_> = intervals.iter().map(|interval| interval.span).collect();
        self.today.learn(&entries, &observed, &closed);
    }

    /// Takes in what a tick brought for the books.
    pub fn learn(&mut self, tick: &Tick) {
        let closed: Vec<_> = tick.closed.iter().map(|(span, _)| *span).collect();
        self.today.learn(&tick.entries, &tick.observed, &closed);
    }

    /// Every unit at a moment.
    pub fn now(&mut self, engine: &Engine, at: Timestamp) -> Vec<UnitNow> {
        let park = engine.park();
        let day = self.today.indicators(&self.plant, park, at);
        let moment = Moment {
            at,
            sun: sun(park.latitude, park.longitude, at.as_second()),
            read: &|input| read(engine, self.places.get(&input.meter), input, at),
            power: &|id, carrier| match self.places.get(id) {
                Some(index) => engine.power(*index, carrier, at),
                None => Err(Gaps::one(id, Reason::Config)),
            },
        };
        now(&self.plant, &moment, day)
    }
}

/// What a sensor says that stands at a moment.
fn read(engine: &Engine, place: Option<&MeterIndex>, input: &Input, at: Timestamp) -> Stated<f64> {
    let gap = |reason| Err(Gaps::one(&input.meter, reason));
    let meter = place.and_then(|index| engine.park().meters.get(*index));
    let Some((meter, index)) = meter.zip(place) else {
        return gap(Reason::Config);
    };
    let Some(point) = meter.point(&input.quantity) else {
        return gap(Reason::Config);
    };
    match engine.snapshot().standing(meter, *index, point, at) {
        Ok(standing) => match standing.value {
            Value::Analog(value) => Ok(Known {
                oldest: Some(standing.at),
                ..Known::given(value)
            }),
            Value::Count(_) | Value::Scaled { .. } => gap(Reason::Config),
        },
        Err(reason) => gap(reason),
    }
}
