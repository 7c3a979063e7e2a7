//! The books: what every channel of every meter moved in every settlement interval.
//!
//! ```text
//!   register: position at both boundaries, interpolated between the readings
//!             around each ── closing − opening
//!   power:    trapezoids between samples close enough to each other
//!   heat:     increments of what passes, each with its own temperatures
//! ```
//!
//! An entry leaves the books as soon as a reading lies behind its interval. When
//! an interval closes, channels that have not spoken are entered as unknown, with
//! the reason; when they speak later, their entry follows and the ledger makes a
//! new revision of it. A register loses nothing in a gap: what it counted is
//! spread evenly over the intervals of the gap and marked.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::check::{Check, HeatCheck};
use super::gaps::Gap;
use super::heat::{HeatBook, HeatState, Look};
use super::track::Track;
use crate::domain::counter::{Counter, Excluded, Told};
use crate::domain::estimate::Bridge;
use crate::domain::event::Break;
use crate::domain::interval::{Channel, Entry, Origin, Span, channels};
use crate::domain::meter::{Carrier, Meter};
use crate::domain::provenance::Made;
use crate::domain::quality::Reason;
use crate::domain::time::slot;
use crate::domain::units::{CountUnit, MilliwattHours, Power};

/// The calendar that the books keep.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Civil time.
    pub zone: TimeZone,
    /// Length of an interval.
    pub minutes: i64,
}

impl Calendar {
    /// The interval in which an instant lies.
    #[must_use]
    pub fn slot(&self, at: Timestamp) -> Span {
        slot(at, &self.zone, self.minutes)
    }
}

/// What a booking needs to know and where its entries go.
pub(super) struct Pass<'a> {
    pub(super) id: &'a Arc<str>,
    pub(super) calendar: &'a Calendar,
    pub(super) entries: &'a mut Vec<Entry>,
}

/// The books of one meter.
#[derive(Debug, Clone)]
pub struct MeterBook {
    id: Arc<str>,
    /// Nameplate by balance: electricity, heat.
    rated: [Option<Power>; 2],
    tracks: Vec<Track>,
    /// Where its registers were broken off, in order of time.
    breaks: Vec<(Channel, Timestamp, Break)>,
    /// Where its heat is computed.
    heat: Option<HeatBook>,
    /// Where its heat is computed beside a register that counts it.
    check: Option<Check>,
    /// What a count of that register is worth.
    count: MilliwattHours,
    changed: bool,
}

/// The books of a meter as they are kept on disk.
#[derive(Serialize)]
struct Kept<'a> {
    tracks: &'a [Track],
    #[serde(skip_serializing_if = "Option::is_none")]
    heat: Option<HeatState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<&'a Check>,
}

/// The same as an earlier run left them; one that knew no heat left the tracks alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Left {
    Books(Box<LeftBooks>),
    Tracks(Vec<Track>),
}

#[derive(Deserialize, Default)]
struct LeftBooks {
    tracks: Vec<Track>,
    heat: Option<HeatState>,
    check: Option<Check>,
}

/// The channel of the heat that a register counts.
const HEAT: Channel = Channel {
    carrier: Carrier::Heat,
    positive: true,
};

/// What a channel says at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Said {
    /// The raw count of its register.
    Count(i64),
    /// The same, with the worth that the device tells.
    Told(Told),
    /// Its power, watt, signed relative to the role.
    Watts(f64),
    /// A power that was computed, watt, and what that rests on.
    Computed(f64, Made),
}

impl MeterBook {
    /// Books of a meter, taking up what an earlier run left.
    #[must_use]
    pub fn new(meter: &Meter, earlier: Option<&str>) -> Self {
        let left = earlier.and_then(|json| serde_json::from_str(json).ok());
        let left = match left {
            Some(Left::Books(books)) => *books,
            Some(Left::Tracks(tracks)) => LeftBooks {
                tracks,
                ..LeftBooks::default()
            },
            None => LeftBooks::default(),
        };
        let channels = channels(meter);
        let tracks = channels.iter().map(|(channel, origin)| {
            let mut track = Track::new(*channel, *origin, meter);
            if let Some(left) = left.tracks.iter().find(|left| left.channel() == *channel) {
                track.resume(left.clone(), meter, *origin);
            }
            track
        });
        let shadow = Track::new(HEAT, Origin::Heat, meter);
        let heat = HeatBook::new(meter, shadow.reach_ms(), left.heat.unwrap_or_default());
        let register = channels.iter().find_map(|(channel, origin)| match origin {
            Origin::Register(point) if *channel == HEAT => meter.points.get(*point)?.register,
            _ => None,
        });
        let check = register.filter(|_| heat.is_some()).map(|_| {
            let mut check = left.check.unwrap_or_else(|| Check::new(shadow.clone()));
            let mut track = shadow;
            track.resume(check.track, meter, Origin::Heat);
            check.track = track;
            check
        });
        Self {
            id: Arc::clone(&meter.id),
            rated: [Carrier::Electricity, Carrier::Heat].map(|carrier| meter.rated_of(carrier)),
            breaks: Vec::new(),
            tracks: tracks.collect(),
            heat,
            check,
            count: register.map_or(MilliwattHours::ZERO, |register| worth(register.unit)),
            changed: false,
        }
    }

    /// The channels, in a fixed order.
    #[must_use]
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Takes in what a channel says.
    pub fn hear(
        &mut self,
        track: usize,
        at: Timestamp,
        said: Said,
        calendar: &Calendar,
        entries: &mut Vec<Entry>,
    ) {
        let Some(track) = self.tracks.get_mut(track) else {
            return;
        };
        let before = entries.len();
        let mut pass = Pass {
            id: &self.id,
            calendar,
            entries,
        };
        match said {
            Said::Count(_) | Said::Told(_) => {
                track.break_off(&mut pass, &self.breaks, at);
                let [electricity, heat] = self.rated;
                let rated = match track.channel().carrier {
                    Carrier::Electricity => electricity,
                    Carrier::Heat => heat,
                };
                track.count(&mut pass, at, said, rated);
            }
            Said::Watts(watts) => track.sample(&mut pass, at, watts, Made::NOTHING),
            Said::Computed(watts, made) => track.sample(&mut pass, at, watts, made),
        }
        if let Some(check) = &mut self.check
            && track.channel() == HEAT
        {
            if let Said::Told(told) = said {
                self.count = worth(told.unit);
            }
            for entry in entries.iter().skip(before) {
                check.hear_register(entry, self.count);
            }
        }
        self.changed = true;
    }

    /// The gap that a reading of a channel ends.
    pub(super) fn gap(&self, track: usize, at: Timestamp) -> Option<Gap> {
        self.tracks.get(track)?.gap(at)
    }

    /// The next reading of a channel ends a gap that was like this.
    pub(super) fn bridge(&mut self, track: usize, bridge: Bridge) {
        if let Some(track) = self.tracks.get_mut(track) {
            track.bridge(bridge);
        }
    }

    /// Takes in a look at what passes and at both pipes.
    pub fn look(&mut self, look: &Look, calendar: &Calendar, entries: &mut Vec<Entry>) {
        let Some(heat) = &mut self.heat else {
            return;
        };
        let mut computed = Vec::new();
        for stretch in heat.look(look) {
            let counted = |track: &&mut Track| track.origin() == Some(Origin::Heat);
            for track in self.tracks.iter_mut().filter(counted) {
                let mut pass = Pass {
                    id: &self.id,
                    calendar,
                    entries,
                };
                track.heat(&mut pass, &stretch);
            }
            if let Some(check) = &mut self.check {
                let mut pass = Pass {
                    id: &self.id,
                    calendar,
                    entries: &mut computed,
                };
                check.track.heat(&mut pass, &stretch);
            }
        }
        if let Some(check) = &mut self.check {
            for entry in &computed {
                check.hear_computed(entry, self.count);
            }
        }
        self.changed = true;
    }

    /// The books of its heat, where that is computed.
    #[must_use]
    pub fn heat(&self) -> Option<&HeatBook> {
        self.heat.as_ref()
    }

    /// What its certified register and the computed heat said of each other last.
    #[must_use]
    pub fn compared(&self) -> Option<HeatCheck> {
        self.check.as_ref()?.last()
    }

    /// Enters as unknown what has not been entered of an interval that closes.
    pub fn close(&mut self, span: Span, reason: Reason, entries: &mut Vec<Entry>) {
        for track in &mut self.tracks {
            entries.extend(track.close(&self.id, span, reason));
        }
        self.changed = true;
    }

    /// What is known so far of a channel in the interval under way; none where it is not
    /// booked.
    pub fn so_far(&self, channel: Channel, span: Span, now: Timestamp) -> Option<Entry> {
        let mut tracks = self.tracks.iter();
        let track = tracks.find(|track| track.channel() == channel)?;
        Some(track.so_far(&self.id, span, now))
    }

    /// The books as they are kept on disk, if they changed since they were last asked for.
    pub fn to_json(&mut self) -> Option<String> {
        std::mem::take(&mut self.changed).then(|| self.as_json())
    }

    /// The books as they are kept on disk.
    #[must_use]
    pub fn as_json(&self) -> String {
        let kept = Kept {
            tracks: &self.tracks,
            heat: self.heat.as_ref().map(HeatBook::state),
            check: self.check.as_ref(),
        };
        serde_json::to_string(&kept).unwrap_or_default()
    }
}

/// A step of a register that is in no interval, until somebody says what it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quarantined {
    /// Which register.
    pub channel: Channel,
    /// The step.
    pub step: Excluded,
    /// Whether the register may still come back from it.
    pub held: bool,
}

/// The steps that the books of a meter have in quarantine, from their row of state.
#[must_use]
pub fn quarantined(json: &str) -> Vec<Quarantined> {
    let tracks = match serde_json::from_str(json) {
        Ok(Left::Books(books)) => books.tracks,
        Ok(Left::Tracks(tracks)) => tracks,
        Err(_) => Vec::new(),
    };
    let steps = |track: &Track| {
        let (channel, counter) = (track.channel(), track.counter.as_ref());
        let of = |held| {
            move |step: Excluded| Quarantined {
                channel,
                step,
                held,
            }
        };
        let excluded = counter.map_or(&[][..], Counter::excluded).iter().copied();
        let held = counter.and_then(Counter::held_step);
        let steps: Vec<Quarantined> = excluded.map(of(false)).chain(held.map(of(true))).collect();
        steps
    };
    tracks.iter().flat_map(steps).collect()
}

/// What a count is worth, to a milliwatt-hour.
fn worth(unit: CountUnit) -> MilliwattHours {
    MilliwattHours::from_watt_hours(unit.as_watt_hours())
}

#[path = "book_events.rs"]
mod events;

#[cfg(test)]
#[allow(clippy::as_conversions)]
#[path = "book_tests.rs"]
mod tests;
