//! A lane of a sink: from blocks to settled rows.
//!
//! Blocks are joined to batches, compressed and posted; [`answer`] says
//! what an answer means and [`Search`] which rows go next. **A block counts as settled
//! when each of its rows is stored or set aside on disk, and never before.** A request
//! whose answer is lost may have been stored; the same bytes go out again, which changes
//! nothing.
//!
//! Two lanes share what a sink is: the front sends what is new, the rear what was left
//! behind ([`progress`](super::progress)). Each holds one batch in memory and has one request under way.
//! It waits only inside one future, so a stop drops whatever is under way: nothing is
//! lost by that, the cursor has not moved.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::info;

use super::answer::{self, Answer, Refused};
use super::aside::Verdict;
use super::batch::{Batch, Desk};
use super::courier::{Place, Unsent};
use super::gate::Pass;
use super::search::Search;
use super::shared::{Gone, Shared};
use super::suspect::TRIES;
use super::{BlockSource, Lent};
use crate::sys::clock;

/// Longest time without a look at the growing backlog while waiting.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// Wait before the journal is read again after an error of the disk.
const DISK: Duration = Duration::from_secs(5);
/// Blocks behind the next request that are no backlog yet. A block is a tick: with more
/// the newest value would be that many seconds late.
const BEHIND: u64 = 3;

/// What a server decided about some rows.
pub(super) enum Sent {
    Stored,
    TooLarge,
    Refused(Refused),
    /// It fails inside, again and again.
    Fails(String),
}

/// One of the two lanes.
pub struct Lane<S> {
    pub(super) shared: Arc<Shared>,
    pub(super) place: Place,
    desk: Lent<Desk<S>>,
    committed: watch::Receiver<u64>,
    refused_in_a_row: u32,
    /// Tries since something was last settled here, where this lane alone waits.
    pub(super) attempt: u32,
}

impl<S: BlockSource> Lane<S> {
    /// The lane that is [`Place::Front`] or [`Place::Rear`].
    pub fn new(
        shared: Arc<Shared>,
        place: Place,
        source: S,
        committed: watch::Receiver<u64>,
    ) -> Self {
        Self {
            shared,
            place,
            desk: Lent::new(Desk::new(source)),
            committed,
            refused_in_a_row: 0,
            attempt: 0,
        }
    }

    /// Works until the store is gone.
    pub async fn run(mut self) {
        loop {
            let step = match self.place {
                Place::Rear => self.rear().await,
                _ => self.front().await,
            };
            if step.is_err() {
                return;
            }
        }
    }

    /// Waits for new blocks and delivers one batch of them, or leaves too many behind.
    async fn front(&mut self) -> Result<(), Gone> {
        let upto = *self.committed.borrow_and_update();
        let (front, counted) = {
            let work = self.shared.work();
            (work.progress.front(), work.counted)
        };
        if upto <= front {
            self.nothing_is_new(front);
            return self.committed.changed().await.map_err(|_| Gone);
        }
        let fetched = self
            .desk
            .with(move |desk| desk.fetch(front, upto, counted))
            .await;
        let Some(fetched) = self.read(fetched).await else {
            return Ok(());
        };
        let Some(batch) = fetched.batch else {
            // What lay there is gone from the journal.
            self.nothing_is_new(upto);
            return self.committed.changed().await.map_err(|_| Gone);
        };
        let fresh = batch.blocks().iter().filter(|part| part.seq > counted);
        let more = fresh.map(|part| part.points).sum::<u64>() + fetched.points_behind;
        self.shared.work().counted = counted.max(upto);
        let stats = &self.shared.courier.stats;
        stats.with(|numbers| numbers.backlog_points += more);
        self.note_oldest(&batch, front).await;
        let last = batch.blocks().last().map_or(upto, |part| part.seq);
        if last.saturating_add(BEHIND) < upto && self.shared.work().progress.leap(upto) {
            let behind = upto - front - 1;
            info!(
                sink = self.shared.courier.settings.name,
                behind, "Blocks wait: what is new goes first, they follow."
            );
            self.shared.left_behind.notify_one();
            return Ok(());
        }
        self.deliver(Arc::new(batch)).await
    }

    /// Waits for a gap and delivers one batch of it, no faster than is allowed.
    async fn rear(&mut self) -> Result<(), Gone> {
        let Some((after, end)) = self.gap() else {
            self.shared.left_behind.notified().await;
            return Ok(());
        };
        let began = clock::mono();
        let fetched = self
            .desk
            .with(move |desk| desk.fetch(after, end, end))
            .await;
        let Some(fetched) = self.read(fetched).await else {
            return Ok(());
        };
        let Some(batch) = fetched.batch else {
            // The rest of the gap is gone from the journal; what the front sends is not.
            self.recount().await;
            return self.shared.settled(self.place, end, 0).await;
        };
        self.note_oldest(&batch, after).await;
        let points = batch.blocks().iter().map(|part| part.points).sum::<u64>();
        self.deliver(Arc::new(batch)).await?;
        if self.gap().is_some() {
            let rate = self.shared.courier.settings.backlog_rate.max(1);
            let micros = points.saturating_mul(1_000_000) / rate;
            tokio::time::sleep_until(began + Duration::from_micros(micros)).await;
        }
        Ok(())
    }

    fn gap(&self) -> Option<(u64, u64)> {
        self.shared.work().progress.gap()
    }

    /// What the journal gave, or a wait where its disk does not answer.
    async fn read<T>(&mut self, read: std::io::Result<T>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(error) => {
                let words = format!("the journal cannot be read: {error}");
                self.shared.courier.trouble(self.place, &words, true);
                self.pause(DISK).await;
                None
            }
        }
    }

    /// The front has nothing to send; where there is no gap either, nothing waits.
    fn nothing_is_new(&self, front: u64) {
        let mut work = self.shared.work();
        work.counted = work.counted.max(front);
        if work.progress.gap().is_none() {
            self.shared.courier.stats.with(|numbers| {
                numbers.backlog_points = 0;
                numbers.oldest = None;
            });
        }
    }

    /// Notes since when something waits, and recounts the backlog where blocks vanished
    /// unread, forced out by the size bound of the journal.
    async fn note_oldest(&mut self, batch: &Batch, after: u64) {
        let Some(first) = batch.blocks().first().copied() else {
            return;
        };
        if first.seq > after + 1 {
            self.recount().await;
        }
        if self.place == Place::Rear || self.gap().is_none() {
            let oldest = Timestamp::from_millisecond(first.at_ms).ok();
            let stats = &self.shared.courier.stats;
            stats.with(|numbers| numbers.oldest = oldest);
        }
    }

    /// Counts anew what waits.
    async fn recount(&mut self) {
        let waiting = {
            let work = self.shared.work();
            work.progress.waiting(work.counted)
        };
        let counted = self
            .desk
            .with(move |desk| {
                let mut points = 0;
                for (after, upto) in waiting {
                    points += desk.count(after, upto)?;
                }
                Ok(points)
            })
            .await;
        if let Ok(points) = counted {
            let stats = &self.shared.courier.stats;
            stats.with(|numbers| numbers.backlog_points = points);
        }
    }

    /// Settles every row of a batch; or some of them, where the rest is to be read again.
    async fn deliver(&mut self, batch: Arc<Batch>) -> Result<(), Gone> {
        let whole = batch.lines();
        let mut batch = self.without_parked(batch).await;
        let mut search = Search::new(batch.lines(), self.refused_in_a_row);
        let mut passed = 0;
        self.advance(&batch, &mut passed, search.settled()).await?;
        while let Some(rows) = search.next(|from| self.fits(&batch, from)) {
            let tries = if search.is_narrowed() { 1 } else { TRIES };
            match self.send(&batch, &rows, tries).await {
                Sent::Stored => search.stored(rows.end),
                Sent::TooLarge if rows.len() > 1 => {
                    self.shared.courier.halve(batch.rows(&rows).len());
                }
                Sent::TooLarge => {
                    self.hold("a single row is too large for the server").await;
                    // Once the server's limit is set right, requests are whole again.
                    self.shared.courier.forget_size();
                }
                Sent::Refused(refused) => self.refused(&batch, &mut search, &rows, refused).await,
                Sent::Fails(_) if rows.len() > 1 => search.fails(&rows),
                Sent::Fails(words) => match self.judge(&batch, rows.start, &words).await {
                    Verdict::Parked => {
                        // Its rows leave the batch; what was sent of it goes out again.
                        batch = self.without_parked(batch).await;
                        search = Search::new(batch.lines(), search.refused_in_a_row());
                    }
                    // Not where rows of it are set aside: they would be once more.
                    Verdict::Again if batch.lines() == whole => return Ok(()),
                    Verdict::Again => search.start_over(),
                    Verdict::Stored => search.stored(rows.end),
                    Verdict::ServerInTrouble => search.start_over(),
                },
            }
            self.refused_in_a_row = search.refused_in_a_row();
            self.advance(&batch, &mut passed, search.settled()).await?;
        }
        Ok(())
    }

    /// Packs and posts some rows.
    pub(super) async fn send(
        &mut self,
        batch: &Arc<Batch>,
        rows: &Range<usize>,
        tries: u32,
    ) -> Sent {
        let (text, sent) = (Arc::clone(batch), rows.clone());
        let packed = self
            .desk
            .with(move |desk| desk.pack(text.rows(&sent)))
            .await;
        match packed {
            Ok(body) => self.answer(&body, tries).await,
            Err(error) => Sent::Fails(format!("rows cannot be compressed: {error}")),
        }
    }

    fn fits(&self, batch: &Batch, from: usize) -> usize {
        batch.fits(from, self.shared.courier.max_bytes())
    }

    /// Counts the blocks as settled of which all rows are.
    async fn advance(
        &mut self,
        batch: &Batch,
        passed: &mut usize,
        settled: usize,
    ) -> Result<(), Gone> {
        let before = *passed;
        let open = batch.blocks().get(before..).unwrap_or(&[]);
        let done = open.iter().take_while(|part| part.end <= settled);
        let (mut points, mut last) = (0, 0);
        for part in done {
            points += part.points;
            last = part.seq;
            *passed += 1;
        }
        if *passed == before {
            return Ok(());
        }
        self.shared.settled(self.place, last, points).await
    }

    /// Posts the same bytes until the server has decided about them, or has failed at
    /// them as often as `tries`.
    async fn answer(&mut self, body: &Bytes, tries: u32) -> Sent {
        let mut failed = 0;
        loop {
            let pass = self.leave().await;
            let courier = &self.shared.courier;
            let (words, after, needs_a_person) = match courier.post(body.clone()).await {
                Ok(Answer::Stored) => {
                    self.attempt = 0;
                    courier.went_well(&pass);
                    courier.stored(self.place);
                    return Sent::Stored;
                }
                Ok(Answer::TooLarge) => {
                    courier.went_well(&pass);
                    return Sent::TooLarge;
                }
                Ok(Answer::Refused(refused)) => {
                    courier.went_well(&pass);
                    return Sent::Refused(refused);
                }
                Ok(Answer::Later {
                    words,
                    after,
                    inside,
                }) => {
                    failed = if inside { failed + 1 } else { 0 };
                    (words, after, false)
                }
                Ok(Answer::Hold { words }) | Err(Unsent::NoWay(words)) => (words, None, true),
                Err(Unsent::NoAnswer(words)) => (words, None, false),
            };
            courier.trouble(Place::Server, &words, needs_a_person);
            courier.gate.failed(&pass, after);
            if failed >= tries {
                return Sent::Fails(words);
            }
        }
    }

    /// Waits for leave to send, and watches the backlog grow.
    async fn leave(&mut self) -> Pass {
        let shared = Arc::clone(&self.shared);
        let pass = shared.courier.gate.pass();
        tokio::pin!(pass);
        loop {
            tokio::select! {
                pass = &mut pass => return pass,
                () = sleep(COUNT_EVERY) => self.count().await,
            }
        }
    }

    /// Raises an alarm and waits: this lane, while the other may go on.
    pub(super) async fn hold(&mut self, words: &str) {
        let courier = &self.shared.courier;
        courier.trouble(self.place, words, true);
        let wait = answer::backoff(&courier.settings.name, self.attempt);
        self.attempt = self.attempt.saturating_add(1);
        self.pause(wait).await;
    }

    /// Waits, and watches the backlog grow.
    pub(super) async fn pause(&mut self, wait: Duration) {
        let end = clock::mono() + wait;
        loop {
            let left = end.saturating_duration_since(clock::mono());
            if left.is_zero() {
                return;
            }
            sleep(left.min(COUNT_EVERY)).await;
            self.count().await;
        }
    }

    /// The front counts what was committed since it last read.
    async fn count(&mut self) {
        if self.place != Place::Front {
            return;
        }
        let upto = *self.committed.borrow();
        let counted = self.shared.work().counted;
        if upto > counted
            && let Ok(more) = self.desk.with(move |desk| desk.count(counted, upto)).await
        {
            self.shared.work().counted = upto;
            let stats = &self.shared.courier.stats;
            stats.with(|numbers| numbers.backlog_points += more);
        }
    }
}
