//! What people say of meters, for the books.

use super::Engine;
use crate::domain::event::{MeterEvent, corrected, standing};
use crate::domain::interval::Entry;

impl Engine {
    /// Takes over all that is known to have happened to meters.
    pub fn set_events(&mut self, events: &[MeterEvent]) {
        self.events = standing(events);
        for book in &mut self.books {
            book.set_events(&self.events);
        }
    }

    /// The entries since the last time, as the corrections that stand have them.
    pub(super) fn take_entries(&mut self) -> Vec<Entry> {
        let entries = std::mem::take(&mut self.entries);
        if self.events.is_empty() {
            return entries;
        }
        let entries = entries.into_iter();
        entries
            .map(|entry| corrected(entry, &self.events))
            .collect()
    }
}
