//! Breaks of registers in the books: what an event says comes between two readings.

use jiff::Timestamp;

use super::{Channel, MeterBook, Pass};
use crate::domain::counter::Heard;
use crate::domain::event::{Break, MeterEvent};
use crate::domain::quality::Quality;
use crate::engine::track::Track;

impl MeterBook {
    /// Takes over where the registers of this meter were broken off. What the books are
    /// past already stays: it is computed again from the journal.
    pub fn set_events(&mut self, standing: &[MeterEvent]) {
        self.breaks = standing
            .iter()
            .filter(|event| event.meter == self.id)
            .filter_map(|event| Some((event.channel, event.at, event.breaks()?)))
            .collect();
    }
}

impl Track {
    /// Breaks off the register where an event lies between the last reading and this one.
    pub(in crate::engine) fn break_off(
        &mut self,
        book: &mut Pass<'_>,
        breaks: &[(Channel, Timestamp, Break)],
        until: Timestamp,
    ) {
        for (channel, at, by) in breaks {
            if *channel != self.channel() || *at >= until {
                continue;
            }
            let Some(counter) = self.counter.as_mut() else {
                return;
            };
            let (from, to, marked) = match counter.broken(*at, *by) {
                Some(Heard::Booked { from, to }) => (from, to, Quality::Manual),
                Some(Heard::NewSegment { from, .. }) => (from, from.1, Quality::Suspect),
                _ => continue,
            };
            self.stretch(
                book,
                (from.0.as_millisecond(), from.1),
                (at.as_millisecond(), to),
                Some(marked),
            );
        }
        self.revalue(breaks, until);
    }

    /// Counts on by the worth that was entered last. Where that comes late, the interval
    /// under way has a part at the old worth, and says that it is suspect; those before are
    /// computed again from the journal.
    fn revalue(&mut self, breaks: &[(Channel, Timestamp, Break)], until: Timestamp) {
        let (channel, mut breaks) = (self.channel(), breaks.iter().rev());
        let worth = breaks.find_map(|(of, at, by)| {
            let holds = *of == channel && *at < until;
            by.worth.filter(|_| holds)
        });
        let counter = self.counter.as_mut();
        if counter
            .zip(worth)
            .is_some_and(|(counter, worth)| counter.revalued(worth))
        {
            self.suspect();
        }
    }
}
