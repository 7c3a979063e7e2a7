//! Readings whose time is not known yet.
//!
//! They keep their monotonic stamp, in the order in which they were heard. When
//! there are too many, the oldest goes, counted: what came last can still be told
//! apart from what comes next.

use std::collections::VecDeque;
use std::sync::Arc;

use super::losses::Losses;
use crate::source::Heard;

/// A bounded buffer of readings.
pub struct Held {
    readings: VecDeque<Heard>,
    most: usize,
    losses: Arc<Losses>,
}

impl Held {
    /// An empty buffer for so many readings.
    #[must_use]
    pub fn new(most: usize, losses: Arc<Losses>) -> Self {
        Self {
            readings: VecDeque::new(),
            most,
            losses,
        }
    }

    /// Keeps a reading.
    pub fn keep(&mut self, heard: Heard) {
        if self.readings.len() >= self.most && self.readings.pop_front().is_some() {
            self.losses.held_reading();
        }
        self.readings.push_back(heard);
        self.losses.set_held(self.readings.len());
    }

    /// Gives them all out, oldest first.
    pub fn release(&mut self) -> VecDeque<Heard> {
        self.losses.set_held(0);
        std::mem::take(&mut self.readings)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.readings.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::mono;

    fn heard(meter: usize) -> Heard {
        Heard {
            meter,
            at: mono(),
            values: Vec::new(),
            detail: None,
            receipt: None,
            late: false,
            of: None,
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_newest_stay() {
        let losses = Arc::new(Losses::default());
        let mut held = Held::new(3, Arc::clone(&losses));
        for meter in 0..5 {
            held.keep(heard(meter));
        }
        assert_eq!(losses.held(), 3);
        let kept: Vec<usize> = held.release().into_iter().map(|one| one.meter).collect();
        assert_eq!(kept, [2, 3, 4]);
        assert_eq!((losses.held(), losses.held_readings_lost()), (0, 2));
    }
}
