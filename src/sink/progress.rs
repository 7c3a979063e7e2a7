//! How far a sink has come, where it works at two places. Pure: numbers in, numbers out.
//!
//! ```text
//!   settled │◀──── gap ────▶│ settled │◀─ gap ─▶│ settled │ new blocks
//!           │ rear ▶        │ island  │         │ island  │ front ▶
//!         cursor
//! ```
//!
//! While little waits there is one place, the cursor, and the front lane moves it. With
//! much before it the front *leaps* to the newest block, so that live data is not late,
//! and the rear lane works through the gap in order. What the front has settled ahead of
//! the cursor is an island. **The cursor passes a block only when that block and every
//! one before it is settled**; so it jumps over an island when the rear has reached it.
//! Islands are in memory alone: after a restart their blocks go out again, byte for byte.

/// Most islands: one for each outage within an outage. With more the front does not leap
/// until the rear has reached one of them.
const MOST: usize = 64;

/// Blocks settled ahead of the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Island {
    first: u64,
    /// The last that is settled; `first - 1` while none is.
    last: u64,
}

/// Where a sink is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    cursor: u64,
    /// In order; the front works at the end of the last one.
    islands: Vec<Island>,
}

impl Progress {
    /// Everything up to `cursor` is settled.
    #[must_use]
    pub fn new(cursor: u64) -> Self {
        Self {
            cursor,
            islands: Vec::new(),
        }
    }

    /// Every block up to here is settled.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The block behind which the front works.
    #[must_use]
    pub fn front(&self) -> u64 {
        self.islands
            .last()
            .map_or(self.cursor, |island| island.last)
    }

    /// What the rear works through: after the first and not after the second; none where
    /// there is one place.
    #[must_use]
    pub fn gap(&self) -> Option<(u64, u64)> {
        let island = self.islands.first()?;
        Some((self.cursor, island.first - 1))
    }

    /// What is not settled, of the blocks up to `upto`.
    #[must_use]
    pub fn waiting(&self, upto: u64) -> Vec<(u64, u64)> {
        let mut after = self.cursor;
        let mut waiting = Vec::new();
        for island in &self.islands {
            waiting.push((after, island.first - 1));
            after = island.last;
        }
        waiting.push((after, upto));
        waiting.retain(|(after, upto)| after < upto);
        waiting
    }

    /// The front goes to block `to` and leaves what lies before it to the rear; false
    /// where it may not.
    pub fn leap(&mut self, to: u64) -> bool {
        if to <= self.front() + 1 {
            return false;
        }
        if let Some(island) = self.islands.last_mut()
            && island.last < island.first
        {
            // Nothing was settled there: the place itself moves.
            (island.first, island.last) = (to, to - 1);
            return true;
        }
        if self.islands.len() >= MOST {
            return false;
        }
        self.islands.push(Island {
            first: to,
            last: to - 1,
        });
        true
    }

    /// The front has settled everything from its place up to `seq`.
    pub fn front_settled(&mut self, seq: u64) {
        let place = match self.islands.last_mut() {
            Some(island) => &mut island.last,
            None => &mut self.cursor,
        };
        *place = seq.max(*place);
    }

    /// The rear has settled everything from the cursor up to `seq`.
    pub fn rear_settled(&mut self, seq: u64) {
        let Some((_, end)) = self.gap() else { return };
        self.cursor = seq.min(end).max(self.cursor);
        while let Some(island) = self.islands.first().copied()
            && self.cursor + 1 >= island.first
        {
            self.cursor = self.cursor.max(island.last);
            self.islands.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_cursor_jumps_when_the_rear_reaches_what_the_front_has_settled() {
        let mut progress = Progress::new(10);
        assert_eq!(progress.gap(), None);
        assert!(progress.leap(100));
        assert_eq!((progress.front(), progress.gap()), (99, Some((10, 99))));
        progress.front_settled(105);
        progress.rear_settled(60);
        assert_eq!((progress.cursor(), progress.front()), (60, 105));
        assert_eq!(progress.waiting(110), [(60, 99), (105, 110)]);
        progress.rear_settled(99);
        assert_eq!((progress.cursor(), progress.gap()), (105, None));
        progress.front_settled(110);
        assert_eq!((progress.cursor(), progress.front()), (110, 110));
    }

    #[test]
    fn a_leap_from_a_place_where_nothing_was_settled_leaves_no_island() {
        let mut progress = Progress::new(0);
        assert!(progress.leap(50) && progress.leap(90));
        assert_eq!(progress.gap(), Some((0, 89)));
        assert_eq!(progress.islands.len(), 1);
        // Not further than the gap, whatever is said.
        progress.front_settled(95);
        progress.leap(200);
        progress.rear_settled(150);
        assert_eq!((progress.cursor(), progress.gap()), (95, Some((95, 199))));
    }

    #[test]
    fn the_islands_are_bounded_and_the_front_goes_on_in_order_then() {
        let mut progress = Progress::new(0);
        for n in 1..=100 {
            let leapt = progress.leap(n * 10);
            assert_eq!(leapt, progress.islands.len() <= MOST && n <= 64, "{n}");
            progress.front_settled(progress.front() + 1);
        }
        assert_eq!(progress.islands.len(), MOST);
        assert_eq!(progress.front(), 640 + 36);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Front(u64),
        Rear(u64),
        Leap(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1_u64..6).prop_map(Step::Front),
            (1_u64..30).prop_map(Step::Rear),
            (0_u64..40).prop_map(Step::Leap),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        /// Whatever the lanes do: no block is before the cursor that was not settled, none
        /// is settled twice, and what waits is exactly what is not settled.
        #[test]
        fn the_cursor_passes_what_is_settled_and_nothing_else(steps in steps(), start in 0_u64..5) {
            let mut progress = Progress::new(start);
            let mut settled: BTreeSet<u64> = (1..=start).collect();
            for step in steps {
                let before = progress.cursor();
                match step {
                    Step::Front(blocks) => {
                        let from = progress.front();
                        for seq in from + 1..=from + blocks {
                            prop_assert!(settled.insert(seq), "{} twice", seq);
                        }
                        progress.front_settled(from + blocks);
                    }
                    Step::Rear(blocks) => {
                        if let Some((after, end)) = progress.gap() {
                            let upto = end.min(after + blocks);
                            for seq in after + 1..=upto {
                                prop_assert!(settled.insert(seq), "{} twice", seq);
                            }
                            progress.rear_settled(upto);
                        }
                    }
                    Step::Leap(blocks) => {
                        progress.leap(progress.front() + blocks);
                    }
                }
                prop_assert!(progress.cursor() >= before);
                prop_assert!((1..=progress.cursor()).all(|seq| settled.contains(&seq)));
                let upto = progress.front() + 7;
                let waiting: BTreeSet<u64> = progress
                    .waiting(upto)
                    .into_iter()
                    .flat_map(|(after, upto)| after + 1..=upto)
                    .collect();
                let open: BTreeSet<u64> = (1..=upto).filter(|seq| !settled.contains(seq)).collect();
                prop_assert_eq!(waiting, open);
                prop_assert!(progress.gap().is_none_or(|(after, end)| after < end));
            }
        }
    }
}
