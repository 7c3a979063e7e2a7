//! What becomes of the rows of a lane that a server does not take.
//!
//! **A row is settled when it is on disk among those set aside**, with the server's words:
//! where the disk refuses it, the lane holds.

use std::ops::Range;
use std::sync::Arc;

use tracing::warn;

use super::BlockSource;
use super::answer::Refused;
use super::batch::Batch;
use super::lane::{Lane, Sent};
use super::search::{Refusal, Search};
use super::suspect::{self, ROUNDS};
use crate::sys::clock;

/// What became of a row at which the server fails.
pub(super) enum Verdict {
    /// Its series stands aside.
    Parked,
    /// It is alone, and nobody can tell: the batch is to be read again.
    Again,
    /// It is stored after all.
    Stored,
    /// The server is in trouble, or nobody can tell.
    ServerInTrouble,
}

impl<S: BlockSource> Lane<S> {
    /// Settles the refused rows of a request, or learns where to look for them.
    pub(super) async fn refused(
        &mut self,
        batch: &Batch,
        search: &mut Search,
        rows: &Range<usize>,
        refused: Refused,
    ) {
        let Refused {
            words,
            rest_stored,
            named,
        } = refused;
        let known = named.iter().all(|(place, _)| *place < rows.len());
        if !named.is_empty() && known && search.may_set_aside_named(rows, named.len()) {
            let row = |place: usize| rows.start + place..rows.start + place + 1;
            let bad = named.into_iter().map(|(place, said)| {
                let text = batch.rows(&row(place)).to_owned();
                (text, format!("{words}: {said}"))
            });
            let bad: Vec<_> = bad.collect();
            let count = bad.len();
            if self.set_aside(bad).await {
                search.set_aside_named(rows, count);
            }
            return;
        }
        match search.refused(rows, rest_stored) {
            Refusal::Narrower => self.attempt = 0,
            Refusal::SetAside(rows) => {
                let text = batch.rows(&rows).to_owned();
                if self.set_aside(vec![(text, words)]).await {
                    search.set_aside(rows.end);
                }
            }
            Refusal::Everything => {
                let words = format!("every row is refused, so none is set aside: {words}");
                self.hold(&words).await;
            }
        }
    }

    /// Sets the rows of parked series aside before anything is sent.
    pub(super) async fn without_parked(&mut self, batch: Arc<Batch>) -> Arc<Batch> {
        let (rest, out) = {
            let parked = self.shared.parked();
            if parked.is_empty() {
                return batch;
            }
            let now = clock::mono();
            batch.without(|row| parked.words(row, now).map(str::to_owned))
        };
        if out.is_empty() {
            return batch;
        }
        while !self.set_aside(out.clone()).await {}
        Arc::new(rest)
    }

    /// One row fails alone: is it the row or the server?
    pub(super) async fn judge(&mut self, batch: &Arc<Batch>, row: usize, words: &str) -> Verdict {
        let wait = self.shared.courier.settings.suspect_wait;
        let mut neighbours = neighbours(batch, row);
        let mut round = 1;
        while round <= ROUNDS {
            match neighbours.first().copied() {
                Some(next) => {
                    if !matches!(self.send(batch, &(next..next + 1), 1).await, Sent::Stored) {
                        neighbours.remove(0);
                        if neighbours.is_empty() || round > 1 {
                            return Verdict::ServerInTrouble;
                        }
                        continue;
                    }
                }
                None => {
                    // Alone: what the other lane stores tells as much. If there is none,
                    // the batch is read again with what has come since.
                    let stats = Arc::clone(&self.shared.courier.stats);
                    let before = stats.numbers().last_ok;
                    self.pause(wait).await;
                    if stats.numbers().last_ok == before {
                        return Verdict::Again;
                    }
                }
            }
            match self.send(batch, &(row..row + 1), 1).await {
                Sent::Stored => return Verdict::Stored,
                Sent::Fails(_) => (),
                _ => return Verdict::ServerInTrouble,
            }
            round += 1;
            if round <= ROUNDS {
                self.pause(wait).await;
            }
        }
        let series = suspect::series(batch.rows(&(row..row + 1))).to_owned();
        let said = format!("the server fails at this series and stores its neighbours: {words}");
        if !self.shared.parked().park(&series, &said, clock::mono()) {
            self.hold("the server fails at more series than can be set aside")
                .await;
            return Verdict::ServerInTrouble;
        }
        let sink = &self.shared.courier.settings.name;
        warn!(sink, series, words, "A series stands aside for a day.");
        Verdict::Parked
    }

    /// Puts rows, each text with its words, among those that were refused; false where the
    /// disk refuses, too.
    async fn set_aside(&mut self, rows: Vec<(String, String)>) -> bool {
        let count = rows
            .iter()
            .map(|(text, _)| text.lines().count())
            .sum::<usize>();
        let words = rows
            .first()
            .map_or(String::new(), |(_, words)| words.clone());
        let (quarantine, now) = (self.shared.quarantine.clone(), clock::wall());
        let kept = tokio::task::spawn_blocking(move || {
            let rows: Vec<_> = rows
                .iter()
                .map(|(text, words)| (&**text, &**words))
                .collect();
            quarantine.keep_all(&rows, now)
        });
        let kept = kept.await;
        let courier = &self.shared.courier;
        match kept {
            Ok(Ok(())) => {
                warn!(
                    sink = courier.settings.name,
                    count, words, "Rows set aside."
                );
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                courier.stats.with(|numbers| numbers.quarantined += count);
                courier.clear(self.place);
                self.attempt = 0;
                true
            }
            Ok(Err(error)) => {
                let words = format!("a refused row cannot be set aside: {error}");
                self.hold(&words).await;
                false
            }
            Err(_) => {
                self.hold("a refused row cannot be set aside").await;
                false
            }
        }
    }
}

/// Rows of other series that tell how the server is: the one before, which was settled just
/// now, or some of those behind, of which a few may be as bad.
fn neighbours(batch: &Batch, row: usize) -> Vec<usize> {
    let series = |row: usize| suspect::series(batch.rows(&(row..row + 1)));
    let last = batch.lines().saturating_sub(1);
    let before = row.checked_sub(1);
    let behind = [row + 1, row + 2, row.midpoint(last), last];
    let mut rows: Vec<usize> = before.into_iter().chain(behind).collect();
    rows.retain(|other| *other <= last && *other != row && series(*other) != series(row));
    rows.dedup();
    rows
}
