//! Which rows of a batch go next. Pure: answers in, ranges out.
//!
//! ```text
//!   0        lo            bad            hi        total
//!   ├─settled─┼─── sent next ┼──────────────┼─────────┤
//! ```
//!
//! Rows are settled from the front, so `lo` is how far the cursor may move: every
//! row before it is stored or set aside. After a refusal the first refused row lies
//! in `lo..bad`; sending the first half of that range either settles it or halves
//! the range, so one bad row among n costs about log2(n) requests, and the rest goes
//! out in one piece behind it. Rows go out again unchanged, and in order: a
//! database that had stored them stores the same.
//!
//! A server that stores the rest of a batch (422) loses nothing when a whole batch
//! is set aside, and a backlog older than its retention is refused row by row. So
//! after [`SINGLY`] single rows the remainder of the batch is set aside in one
//! piece. A server that stores nothing of a refused batch (400) and refuses that
//! many rows in a row does not understand us at all: that is an operator's fault,
//! and the data waits.

use std::ops::Range;

/// Rows set aside one by one before the rest is settled otherwise. More than any
/// batch with a few faulty meters has, few enough to send one by one.
pub const SINGLY: u32 = 64;

/// The rows of one batch on their way.
#[derive(Debug, Clone)]
pub struct Search {
    /// Rows of the batch.
    total: usize,
    /// Rows before it are settled.
    lo: usize,
    /// End of the range that is known to hold a refused row.
    bad: Option<usize>,
    /// Rows set aside since something was last stored.
    refused_in_a_row: u32,
    /// Rows set aside one by one in this batch.
    singly: u32,
}

/// What a refusal leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Send the next range.
    Narrower,
    /// Set these rows aside, then call [`Search::set_aside`].
    SetAside(Range<usize>),
    /// Nothing this sink says is understood: hold.
    Everything,
}

impl Search {
    /// A batch of `total` rows, none settled. `refused_in_a_row` is carried over
    /// from the batch before.
    #[must_use]
    pub fn new(total: usize, refused_in_a_row: u32) -> Self {
        Self {
            total,
            lo: 0,
            bad: None,
            refused_in_a_row,
            singly: 0,
        }
    }

    /// Rows that are settled.
    #[must_use]
    pub fn settled(&self) -> usize {
        self.lo
    }

    /// Rows set aside since something was last stored.
    #[must_use]
    pub fn refused_in_a_row(&self) -> u32 {
        self.refused_in_a_row
    }

    /// The rows to send next; none when all are settled. `fits` tells how many of
    /// the rows from a place on may go in one request, at least one.
    #[must_use]
    pub fn next(&self, fits: impl Fn(usize) -> usize) -> Option<Range<usize>> {
        if self.lo >= self.total {
            return None;
        }
        let end = match self.bad {
            Some(bad) => self.lo + (bad - self.lo).div_ceil(2).max(1),
            None => self.total,
        };
        let fitting = self.lo.saturating_add(fits(self.lo).max(1));
        Some(self.lo..end.min(fitting))
    }

    /// Every row up to `end` is stored.
    pub fn stored(&mut self, end: usize) {
        self.refused_in_a_row = 0;
        self.settle(end);
    }

    /// The rows of `sent` hold at least one that the server refuses.
    #[must_use]
    pub fn refused(&mut self, sent: &Range<usize>, rest_stored: bool) -> Refusal {
        if sent.len() > 1 {
            if rest_stored && self.singly >= SINGLY {
                return Refusal::SetAside(sent.clone());
            }
            self.bad = Some(sent.end);
            return Refusal::Narrower;
        }
        if !rest_stored && self.refused_in_a_row >= SINGLY {
            return Refusal::Everything;
        }
        Refusal::SetAside(sent.clone())
    }

    /// The rows up to `end` are on disk among those set aside.
    pub fn set_aside(&mut self, end: usize) {
        self.refused_in_a_row = self.refused_in_a_row.saturating_add(1);
        self.singly = self.singly.saturating_add(1);
        // What lies behind is unknown: it goes out in one piece.
        self.bad = None;
        self.settle(end);
    }

    /// The server fails inside at the rows of `sent`, and may at some of them alone.
    pub fn fails(&mut self, sent: &Range<usize>) {
        self.bad = Some(sent.end);
    }

    /// Nothing is known of the rows that are not settled.
    pub fn start_over(&mut self) {
        self.bad = None;
    }

    /// Whether a refused row is looked for.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        self.bad.is_some()
    }

    /// The server names `bad` rows of `sent` and has stored the others: whether the named
    /// ones may be set aside. A server that names every row, batch after batch, does not
    /// understand us.
    #[must_use]
    pub fn may_set_aside_named(&self, sent: &Range<usize>, bad: usize) -> bool {
        let bad = u32::try_from(bad).unwrap_or(u32::MAX);
        sent.len() > usize::try_from(bad).unwrap_or(usize::MAX)
            || self.refused_in_a_row.saturating_add(bad) <= SINGLY
    }

    /// The named rows of `sent` are on disk among those set aside, the others stored.
    pub fn set_aside_named(&mut self, sent: &Range<usize>, bad: usize) {
        let bad = u32::try_from(bad).unwrap_or(u32::MAX);
        self.refused_in_a_row = if sent.len() > usize::try_from(bad).unwrap_or(usize::MAX) {
            0
        } else {
            self.refused_in_a_row.saturating_add(bad)
        };
        // What lies behind is unknown: it goes out in one piece.
        self.bad = None;
        self.settle(sent.end);
    }

    fn settle(&mut self, end: usize) {
        self.lo = end.clamp(self.lo, self.total);
        if self.bad.is_some_and(|bad| bad <= self.lo) {
            self.bad = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Outcome {
        stored: Vec<usize>,
        aside: Vec<usize>,
        requests: usize,
        held: bool,
    }

    /// Sends `total` rows to a server that refuses `bad` ones.
    fn send(total: usize, bad: &[usize], keeps_rest: bool, fits: usize) -> Outcome {
        let mut search = Search::new(total, 0);
        let mut outcome = Outcome {
            stored: vec![],
            aside: vec![],
            requests: 0,
            held: false,
        };
        while let Some(sent) = search.next(|_| fits) {
            outcome.requests += 1;
            assert!(outcome.requests < 100_000, "no end");
            if sent.clone().any(|row| bad.contains(&row)) {
                match search.refused(&sent, keeps_rest) {
                    Refusal::Narrower => (),
                    Refusal::SetAside(rows) => {
                        outcome.aside.extend(rows.clone());
                        search.set_aside(rows.end);
                    }
                    Refusal::Everything => {
                        outcome.held = true;
                        return outcome;
                    }
                }
            } else {
                outcome.stored.extend(sent.clone());
                search.stored(sent.end);
            }
        }
        outcome
    }

    #[test]
    fn a_good_batch_is_one_request() {
        assert_eq!(send(5_000, &[], false, 5_000).requests, 1);
    }

    #[test]
    fn one_bad_row_among_5000_is_found_in_few_requests() {
        for bad in [0, 1, 2_499, 2_500, 4_998, 4_999] {
            let outcome = send(5_000, &[bad], false, 5_000);
            assert_eq!(outcome.aside, [bad]);
            assert_eq!(outcome.stored.len(), 4_999);
            // The whole, at most 2·log2(5000) more.
            assert!(outcome.requests <= 1 + 24, "{bad}: {}", outcome.requests);
        }
    }

    #[test]
    fn a_server_that_refuses_everything_but_stores_the_rest_does_not_stop_the_sink() {
        let all: Vec<usize> = (0..5_000).collect();
        let outcome = send(5_000, &all, true, 5_000);
        assert_eq!(outcome.aside, all);
        assert!(outcome.requests < 2_000, "{}", outcome.requests);
    }

    #[test]
    fn a_server_that_understands_nothing_empties_no_journal_into_the_quarantine() {
        let all: Vec<usize> = (0..5_000).collect();
        let outcome = send(5_000, &all, false, 5_000);
        assert!(outcome.held);
        assert_eq!(outcome.aside.len(), usize::try_from(SINGLY).unwrap());
    }

    #[test]
    fn rows_that_are_named_are_settled_at_once_unless_every_row_always_is() {
        let mut search = Search::new(5_000, 0);
        let sent = search.next(|_| 5_000).unwrap();
        assert!(search.may_set_aside_named(&sent, 99));
        search.set_aside_named(&sent, 99);
        assert_eq!((search.settled(), search.refused_in_a_row()), (5_000, 0));

        // More than are named: halved, and the rest goes out in one piece again.
        let mut search = Search::new(4_000, 0);
        let sent = search.next(|_| 5_000).unwrap();
        assert_eq!(search.refused(&sent, false), Refusal::Narrower);
        let sent = search.next(|_| 5_000).unwrap();
        search.set_aside_named(&sent, 60);
        assert_eq!(search.next(|_| 5_000), Some(2_000..4_000));

        let mut search = Search::new(200, 0);
        for n in 1..=2 {
            let sent = search.next(|_| 30).unwrap();
            assert!(search.may_set_aside_named(&sent, 30));
            search.set_aside_named(&sent, 30);
            assert_eq!(search.refused_in_a_row(), n * 30);
        }
        let sent = search.next(|_| 30).unwrap();
        assert!(
            !search.may_set_aside_named(&sent, 30),
            "it understands nothing"
        );
        assert!(search.may_set_aside_named(&sent, 29));
    }

    #[test]
    fn rows_at_which_a_server_fails_are_narrowed_to_one_or_start_over() {
        let mut search = Search::new(8, 0);
        let mut sizes = Vec::new();
        while let Some(sent) = search.next(|_| 8).filter(|_| sizes.len() < 9) {
            sizes.push(sent.len());
            search.fails(&sent);
            if sent.len() == 1 {
                assert!(search.is_narrowed());
                search.start_over();
            }
        }
        assert_eq!(sizes, [8, 4, 2, 1, 8, 4, 2, 1, 8]);
    }

    proptest! {
        /// Whatever rows are refused, each is set aside and every other is stored,
        /// once, in order.
        #[test]
        fn every_row_is_stored_or_set_aside(
            total in 0_usize..300,
            bad in prop::collection::btree_set(0_usize..300, 0..12),
            keeps_rest in any::<bool>(),
            fits in 1_usize..400,
        ) {
            let bad: Vec<usize> = bad.into_iter().filter(|row| *row < total).collect();
            let outcome = send(total, &bad, keeps_rest, fits);
            let good: Vec<usize> = (0..total).filter(|row| !bad.contains(row)).collect();
            prop_assert_eq!(outcome.aside, bad);
            prop_assert_eq!(outcome.stored, good);
            prop_assert!(!outcome.held);
        }
    }
}
