//! What a reading brings to the books of its meter.

use jiff::Timestamp;

use super::Engine;
use super::book::{MeterBook, Said};
use super::heat::{Look, Source, counted_from};
use crate::domain::compensation;
use crate::domain::counter::Told;
use crate::domain::interval::Origin;
use crate::domain::meter::{Carrier, Meter, MeterIndex, Park, PointIndex};
use crate::domain::snapshot::{Reading, Value};

/// The point whose arrival feeds a track of a meter's books.
#[derive(Debug, Clone, Copy)]
enum Feed {
    Count(PointIndex),
    Power(PointIndex),
}

/// What a register says with a value.
fn counted(value: Value) -> Option<Said> {
    match value {
        Value::Count(raw) => Some(Said::Count(raw)),
        Value::Scaled { count, unit, bits } => Some(Said::Told(Told {
            raw: count,
            unit,
            bits,
        })),
        Value::Analog(_) => None,
    }
}

/// What feeds the books of a meter.
pub(super) struct Feeds {
    tracks: Vec<(usize, Feed)>,
    /// The point whose arrival is a look at both pipes.
    look: Option<Source>,
    /// Its power, where that feeds the losses of a transformer, and the meter of those.
    loss: Option<(PointIndex, MeterIndex)>,
}

/// What feeds the books of a meter: the tracks it has, and its looks at the pipes.
pub(super) fn feeds(park: &Park, index: MeterIndex, meter: &Meter, book: &MeterBook) -> Feeds {
    let mut tracks = Vec::new();
    for (place, track) in book.tracks().iter().enumerate() {
        let feed = match track.origin() {
            Some(Origin::Register(point)) => Some(Feed::Count(point)),
            Some(Origin::Power) => meter.power_point(track.channel().carrier).map(Feed::Power),
            Some(Origin::Heat) | None => None,
        };
        tracks.extend(feed.map(|feed| (place, feed)));
    }
    Feeds {
        tracks,
        look: counted_from(meter),
        loss: compensation::of(park, index, Carrier::Electricity)
            .and_then(|(_, loss)| Some((meter.point("power")?, loss))),
    }
}

impl Engine {
    /// Takes in what a meter said.
    pub fn hear(&mut self, reading: &Reading) {
        self.snapshot.accept(reading);
        self.checks.hear(reading);
        self.hear_means(reading);
        let index = reading.meter;
        let (Some(meter), Some(feeds)) = (self.park.meters.get(index), self.feeds.get(index))
        else {
            return;
        };
        let value = |point: PointIndex| {
            let said = reading.values.iter().find(|(said, _)| *said == point)?;
            said.1.ok()
        };
        let mut said: [Option<(usize, Said)>; 4] = [None; 4];
        for (slot, (track, feed)) in said.iter_mut().zip(&feeds.tracks) {
            let heard = match feed {
                Feed::Count(point) => value(*point).and_then(counted),
                Feed::Power(point) => match value(*point) {
                    Some(Value::Analog(watts)) => Some(Said::Watts(watts)),
                    _ => None,
                },
            };
            *slot = heard.map(|heard| (*track, heard));
        }
        // Temperatures may come on their own, and stand until they are stale.
        let look = feeds.look.and_then(|(point, passing)| {
            let Some(Value::Analog(amount)) = value(point) else {
                return None;
            };
            let (supply, back, _) = self.pipes(meter, index, reading.at).ok()?;
            Some(Look {
                ms: reading.at.as_millisecond(),
                passing: passing(amount),
                supply,
                back,
            })
        });
        let loss = feeds.loss;
        self.enter(index, reading.at, said);
        if let (Some(look), Some(book)) = (look, self.books.get_mut(index)) {
            book.look(&look, &self.calendar, &mut self.entries);
        }
        if let Some((power, of)) = loss {
            self.hear_loss(reading, power, of);
        }
    }

    /// Enters what tracks of a meter say, with what filled the gaps that this ends.
    pub(super) fn enter(
        &mut self,
        index: MeterIndex,
        at: Timestamp,
        said: [Option<(usize, Said)>; 4],
    ) {
        for (track, _) in said.iter().flatten() {
            let gap = self.books.get(index).and_then(|book| book.gap(*track, at));
            let bridge = gap.and_then(|gap| self.bridge(index, gap, at));
            if let (Some(bridge), Some(book)) = (bridge, self.books.get_mut(index)) {
                book.bridge(*track, bridge);
            }
        }
        if let Some(book) = self.books.get_mut(index) {
            for (track, said) in said.into_iter().flatten() {
                book.hear(track, at, said, &self.calendar, &mut self.entries);
            }
        }
    }
}
