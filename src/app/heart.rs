//! The heart: one task that owns the engine, strikes a tick each second, and hands
//! what it came to to the disk.
//!
//! The live view never waits for the disk ([`Outbox`]); what gathers meanwhile is
//! bounded by [`MOST_WAITING`]. While the clock is not trusted, readings are held with their monotonic stamp, at most
//! [`MOST_HELD`]; once it is, they go through the engine second by second, as they
//! would have. What does not fit is counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::agreement::Agreements;
use super::held::Held;
use super::history::{History, sparse};
use super::outbox::{Answer, Outbox};
use super::overdue::Overdue;
use super::plant::Live;
use super::publish::{Beside, Board};
use super::self_report::Minute;
use crate::domain::interval::Interval;
use crate::domain::meter::{Meter, PointIndex};
use crate::domain::snapshot::Reading;
use crate::engine::record::Recorder;
use crate::engine::{Engine, Frame, Tick};
use crate::source::Heard;
use crate::store::StoreHandle;
use crate::sys::clock::{Distrust, Moment, WallClock, mono};
use crate::sys::systemd::{Mark, Notifier, Watchdog, watchdog_period};

/// Rows that may wait for the disk: minutes of a large park. All of them fit into
/// one block of the journal, with room for the intervals that settle meanwhile.
const MOST_WAITING: usize = 48 << 20;
/// Readings that may wait for a clock: an hour of sixty meters. Their rows fit into
/// [`MOST_WAITING`] unless they are uncommonly long.
const MOST_HELD: usize = 200_000;
/// Readings taken from the queue at once.
const AT_ONCE: usize = 256;
/// The page's address is told, and systemd too, when every meter was asked once, or
/// after this long: a dead meter must not hold up a start.
const READY_WITHIN: Duration = Duration::from_secs(5);
/// How long the last batch may take at the end.
const LAST_COMMIT: Duration = Duration::from_secs(5);
/// Seconds between status lines for systemd, where nothing new is wrong.
const STATUS_EVERY_S: u64 = 10;
/// A commit that takes longer is worth a word: many times what a slow disk needs,
/// well before the watchdog bites.
const DISK_ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Steps of history in one commit: an hour of minutes.
const HISTORY_STEPS: usize = 60;

/// What a heart is made of.
pub struct Parts {
    /// The engine.
    pub engine: Engine,
    /// Writes rows.
    pub recorder: Recorder,
    /// The units of the plant.
    pub units: Live,
    /// The judge of time.
    pub clock: WallClock,
    /// The newest tick in the journal.
    pub last_at: Option<Timestamp>,
    /// What came too late for the books.
    pub late: Overdue,
    /// Intervals whose rows have to be written again.
    pub unjournaled: Vec<Interval>,
    /// What sources say.
    pub readings: mpsc::Receiver<Heard>,
    /// The disk.
    pub store: StoreHandle,
    /// The page.
    pub live: watch::Sender<Arc<crate::web::Frame>>,
    /// What the rim counts.
    pub board: Board,
    /// systemd.
    pub notifier: Notifier,
}

/// What went wrong last at the points of a meter: one that answers says nothing for
/// its neighbours.
pub type Details = BTreeMap<PointIndex, String>;

/// The heart.
pub struct Heart {
    parts: Parts,
    outbox: Outbox,
    held: Held,
    distrust: Option<Distrust>,
    details: Vec<Details>,
    asked: Vec<bool>,
    agreements: Agreements,
    seq: u64,
    begun: tokio::time::Instant,
    ready: bool,
    watchdog: Option<(Watchdog, Arc<Mark>, Arc<Mark>)>,
    /// What systemd was last told to be wrong.
    trouble: Option<String>,
    minute: Minute,
    /// The tick of the last row about values that were not recorded.
    gap_told: Option<Timestamp>,
}

impl Heart {
    /// A heart that has not beaten yet.
    #[must_use]
    pub fn new(mut parts: Parts) -> Self {
        let meters = parts.engine.park().meters.len();
        let mut outbox = Outbox::new(parts.store.clone());
        for interval in std::mem::take(&mut parts.unjournaled) {
            outbox.record(&mut parts.recorder, &interval);
        }
        // Nobody asks a meter that is computed from others.
        let park = parts.engine.park();
        let computed = |meter: &Meter| park.relations.is_computed(&meter.id);
        let asked = park.meters.iter().map(computed).collect();
        let begun = mono();
        let watchdog = watchdog_period().map(|period| {
            let mut watchdog = Watchdog::new(period);
            let tick = watchdog.mark("tick", begun);
            let commit = watchdog.mark("commit", begun);
            (watchdog, tick, commit)
        });
        let held = Held::new(MOST_HELD, Arc::clone(&parts.board.losses));
        Self {
            parts,
            outbox,
            held,
            distrust: None,
            details: vec![Details::new(); meters],
            asked,
            agreements: Agreements::default(),
            seq: 0,
            begun,
            ready: false,
            watchdog,
            trouble: None,
            minute: Minute::default(),
            gap_told: None,
        }
    }

    /// Goes through a past before the present, hour by hour to the disk.
    pub async fn relive(&mut self, history: History, stop: &CancellationToken) {
        let park = Arc::clone(self.parts.engine.park());
        // The past is sparser than the present: its samples are joined further apart.
        let sparse = sparse(&park, history.every_s);
        let mut engine = Engine::new(Arc::new(sparse), &self.parts.engine.state_for_resume());
        engine.inherit(&mut self.parts.engine);
        std::mem::swap(&mut self.parts.engine, &mut engine);
        let mut last = None;
        for (count, step) in history.steps.enumerate() {
            if stop.is_cancelled() {
                return;
            }
            if self.parts.last_at.is_some_and(|at| step.at <= at) {
                continue;
            }
            for mut reading in step.readings {
                self.parts.recorder.stamp(&mut reading);
                self.parts.engine.hear(&reading);
                self.parts.recorder.reading(&reading);
            }
            let tick = self.parts.engine.tick(step.at);
            self.parts.units.learn(&tick);
            last = Some(step.at);
            self.take_tick(tick, step.at);
            if count % HISTORY_STEPS == HISTORY_STEPS - 1 {
                let commit = self.commit_and_wait(step.at);
                stop.run_until_cancelled(commit).await;
            }
        }
        if let Some(at) = last {
            let commit = self.commit_and_wait(at);
            stop.run_until_cancelled(commit).await;
            self.parts.last_at = Some(at);
        }
        let mut state = self.parts.engine.state_for_resume();
        let mut engine = Engine::new(park, &state);
        state.clear();
        engine.inherit(&mut self.parts.engine);
        self.parts.engine = engine;
        info!("The history is filled in.");
    }

    /// Beats until `stop` is cancelled.
    pub async fn run(&mut self, stop: &CancellationToken) {
        self.begun = mono();
        // Before anything is heard: what comes under a wrong clock is held.
        self.judge(Moment::now());
        let mut heard = Vec::with_capacity(AT_ONCE);
        let mut next = self.next_tick();
        loop {
            let urgent = self.outbox.urgent_from().filter(|_| self.seq > 0);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep_until(next) => {
                    self.beat();
                    next = self.next_tick();
                }
                answer = self.outbox.answer() => self.committed(answer),
                () = sleep_until(urgent.unwrap_or(next)), if urgent.is_some() => self.hand_over_early(),
                count = self.parts.readings.recv_many(&mut heard, AT_ONCE) => {
                    if count == 0 {
                        // Every source ended; the ticks go on until the stop.
                        sleep_until(next).await;
                        self.beat();
                        next = self.next_tick();
                    }
                    for one in heard.drain(..) {
                        self.hear(one);
                    }
                }
            }
        }
    }

    /// Takes in what is left and brings it to the disk.
    pub async fn finish(&mut self) {
        // A clock that was set a moment ago must not date the last block.
        self.judge(Moment::now());
        while let Ok(one) = self.parts.readings.try_recv() {
            self.hear(one);
        }
        let last = async {
            let last_at = self.parts.last_at;
            let at = match self.distrust {
                None => Some(Moment::now().wall).max(last_at),
                // A wrong time must not become the newest in the journal.
                Some(_) => last_at,
            };
            if let Some(at) = at {
                if self.distrust.is_none() {
                    self.book(at);
                }
                self.parts.engine.keep_checks();
                self.parts.late.finish().await;
                self.commit_and_wait(at).await;
            }
            self.outbox.flush().await
        };
        match timeout(LAST_COMMIT, last).await {
            Ok(Ok(())) if self.held.len() > 0 => warn!(
                held = self.held.len(),
                "The clock was not trusted to the end; held readings are lost."
            ),
            Ok(Ok(())) => info!("Everything heard is stored."),
            Ok(Err(error)) => {
                error!(%error, "The ledger could not be written at the end; it catches up at the next start.")
            }
            Err(_) => error!("The disk did not take the last batch in time."),
        }
        self.outbox.give_up();
    }

    /// The next whole second of the wall clock.
    fn next_tick(&self) -> tokio::time::Instant {
        let now = Moment::now();
        let into = now.wall.as_nanosecond().rem_euclid(1_000_000_000);
        let left = u64::try_from(1_000_000_000 - into).unwrap_or(1_000_000_000);
        now.mono + Duration::from_nanos(left)
    }

    /// Takes in what a source says.
    fn hear(&mut self, heard: Heard) {
        if let Some(details) = self.details.get_mut(heard.meter) {
            for (point, said) in &heard.values {
                match (said, &heard.detail) {
                    (Ok(_), _) => drop(details.remove(point)),
                    (Err(_), Some(sentence)) => drop(details.insert(*point, sentence.clone())),
                    (Err(_), None) => {}
                }
            }
        }
        if let Some(asked) = self.asked.get_mut(heard.meter) {
            *asked = true;
        }
        if self.distrust.is_some() {
            self.hold(heard);
        } else {
            self.take(heard);
        }
    }

    /// Books a reading whose time is known.
    fn take(&mut self, heard: Heard) {
        let mut reading = Reading {
            meter: heard.meter,
            at: heard.of.unwrap_or_else(|| self.parts.clock.at(heard.at)),
            values: heard.values,
        };
        // What names a time gone by keeps it, and comes again under the same one.
        if heard.of.is_none() {
            self.parts.recorder.stamp(&mut reading);
        }
        self.parts.engine.take(&reading, heard.late);
        if self.parts.recorder.waiting() >= MOST_WAITING {
            let values = reading.values.iter().filter(|(_, said)| said.is_ok());
            if self.parts.board.losses.unwritten_reading(values.count()) {
                error!("The disk has not taken anything for too long; rows are given up.");
            }
            // Dropping the receipt makes the broker send the message again.
            return;
        }
        match (heard.late, heard.of) {
            (false, _) => self.parts.recorder.reading(&reading),
            (true, None) => self.parts.recorder.undated(&reading),
            (true, Some(_)) => {
                self.parts.recorder.late(&reading);
                self.parts.late.heard(&reading);
            }
        }
        self.outbox.fire_when_stored(heard.receipt, heard.late);
    }

    /// Brings to the disk what a broker waits for, before the tick: it sends on only
    /// when it has its acknowledgements, and sends few at a time.
    fn hand_over_early(&mut self) {
        let Some(at) = self.parts.last_at else { return };
        if !self.outbox.is_busy() {
            // The books go with the rows that they rest on.
            self.book(at);
            self.hand_over(at);
        }
    }

    /// Shows a reading whose time is not known, and keeps it until it is.
    fn hold(&mut self, heard: Heard) {
        let shown = Reading {
            meter: heard.meter,
            at: self.parts.clock.steady(heard.at),
            values: heard.values.clone(),
        };
        if !heard.late {
            self.parts.engine.show(&shown);
        }
        self.held.keep(heard);
    }

    /// One beat: judge the clock, strike the balance, publish, hand over.
    fn beat(&mut self) {
        let now = Moment::now();
        self.judge(now);
        let at = second_of(now.wall);
        let progress = self.watchdog.as_ref().map(|(_, tick, commit)| {
            tick.moved();
            Arc::clone(commit)
        });
        if self.distrust.is_some() {
            self.minute.untrusted();
            let late = Duration::try_from(now.wall.duration_since(at)).unwrap_or_default();
            let steady = self
                .parts
                .clock
                .steady(now.mono.checked_sub(late).unwrap_or(now.mono));
            let mut frame = self.parts.engine.look(steady);
            frame.at = at;
            self.publish(&frame);
            // Nothing new is handed to the disk, so it owes no progress unless it
            // still has something in hand.
            if self.outbox.waits_since().is_none()
                && let Some(commit) = progress
            {
                commit.moved();
            }
        } else if self.parts.last_at.is_none_or(|last| at > last) {
            let frame = self.strike(at);
            self.report(at, &frame);
            self.parts.late.beat(at);
            self.publish(&frame);
            self.hand_over(at);
        }
        self.tell_systemd(now);
    }

    /// Writes the row in which the daemon reports on itself, once a minute.
    fn report(&mut self, at: Timestamp, frame: &Frame) {
        if self.minute.begins(at) && self.parts.recorder.waiting() < MOST_WAITING {
            let untrusted_s = self.minute.take_untrusted_s();
            let report = self.parts.board.self_report(frame, untrusted_s);
            self.parts.recorder.self_report(at, &report);
        }
    }

    /// Strikes the balance of a moment that has not been struck.
    fn strike(&mut self, at: Timestamp) -> Frame {
        self.parts.last_at = Some(at);
        self.parts.clock.journaled(at);
        let tick = self.parts.engine.tick(at);
        self.parts.units.learn(&tick);
        self.take_tick(tick, at)
    }

    /// Looks at the clock, and holds or releases readings where trust has changed.
    fn judge(&mut self, now: Moment) {
        let distrust = self.parts.clock.observe(now).err();
        if distrust == self.distrust {
            return;
        }
        self.distrust = distrust;
        match distrust {
            Some(why) => {
                warn!(
                    why = why.sentence(),
                    "The clock is not trusted; readings are held."
                );
                // What already has its time does not wait for the clock.
                self.hand_over_early();
            }
            None => {
                let (held, given_up) = (
                    self.held.len(),
                    self.parts.board.losses.held_readings_lost(),
                );
                info!(
                    held,
                    given_up, "The clock is trusted; held readings get their time."
                );
                self.release();
            }
        }
    }

    /// Goes through held readings as if they were heard now, second by second. A
    /// time that was already recorded does not come twice.
    fn release(&mut self) {
        self.parts.engine.forget();
        let mut struck = None;
        for heard in self.held.release() {
            let second = second_of(self.parts.clock.at(heard.at));
            let new = Some(second) > struck && Some(second) > self.parts.last_at;
            if new {
                self.strike(second);
                struck = Some(second);
            }
            self.take(heard);
        }
    }

    /// Ticks for the books alone.
    fn book(&mut self, at: Timestamp) {
        let tick = self.parts.engine.tick(at);
        self.parts.units.learn(&tick);
        self.outbox.take(tick);
    }

    fn take_tick(&mut self, tick: Tick, at: Timestamp) -> Frame {
        if self.parts.recorder.waiting() < MOST_WAITING {
            self.parts.recorder.balance(at, &tick.frame.powers);
            self.parts.recorder.derived(at, &tick.frame.meters);
        }
        self.outbox.take(tick)
    }

    fn publish(&mut self, frame: &Frame) {
        self.seq += 1;
        self.agreements.tell(self.parts.engine.park(), frame);
        let since = self.outbox.waits_since();
        let hangs = since.is_some_and(|since| mono() - since > DISK_ANSWERS_WITHIN);
        self.parts.board.losses.set_disk_hangs(hangs);
        let units = self.parts.units.now(&self.parts.engine, frame.at);
        let beside = Beside {
            units,
            seq: self.seq,
            clock_trusted: self.distrust.is_none(),
            details: &self.details,
        };
        let page = self.parts.board.frame(&self.parts.engine, frame, &beside);
        self.parts.live.send_replace(Arc::new(page));
        let trouble = self.parts.board.trouble(self.distrust.is_none());
        if self.seq % STATUS_EVERY_S == 1 || trouble != self.trouble {
            let status = self.parts.board.status(frame, trouble.as_deref());
            self.parts.notifier.status(&status);
            self.trouble = trouble;
        }
    }

    fn tell_systemd(&mut self, now: Moment) {
        let waited = now.mono.saturating_duration_since(self.begun) >= READY_WITHIN;
        if !self.ready && (waited || self.asked.iter().all(|asked| *asked)) {
            self.ready = true;
            self.parts.notifier.ready("polling");
        }
        if let Some((watchdog, ..)) = &mut self.watchdog {
            watchdog.tick(now.mono, &self.parts.notifier);
        }
    }

    fn hand_over(&mut self, at: Timestamp) {
        if self.outbox.is_busy() {
            return;
        }
        let late = self.parts.late.row(at);
        let (recorder, engine) = (&mut self.parts.recorder, &mut self.parts.engine);
        self.outbox.hand_over(at, recorder, engine, late);
    }

    /// Takes the store's answer. A refusal is progress, too: a full disk is not mended
    /// by a restart. A store that is gone may be.
    fn committed(&mut self, answer: Answer) {
        if let (Some((_, _, commit)), Answer::Stored(_) | Answer::Refused) =
            (&self.watchdog, &answer)
        {
            commit.moved();
        }
        let Answer::Stored(committed) = answer else {
            return;
        };
        self.parts.late.stored();
        if let Some(events) = &committed.events {
            self.parts.engine.set_events(events);
        }
        self.parts.engine.settled(&committed.intervals);
        for interval in &committed.intervals {
            self.outbox.record(&mut self.parts.recorder, interval);
        }
        if let Some(dropped) = committed.dropped {
            self.parts.recorder.dropped(committed.until, dropped.points);
        }
        // One row a tick: a second one would be another value under the same key.
        if self.gap_told.is_none_or(|told| told < committed.until) {
            let values = self.parts.board.losses.take_values();
            if values > 0 {
                warn!(
                    values,
                    "The disk takes rows again; values that did not fit are not recorded."
                );
                self.parts.recorder.unrecorded(committed.until, values);
                self.gap_told = Some(committed.until);
            }
        }
    }

    /// Brings everything that waits to the disk, and tries until it is there.
    async fn commit_and_wait(&mut self, at: Timestamp) {
        self.answered().await;
        self.hand_over(at);
        self.answered().await;
    }

    /// Waits until the disk has taken what it was given.
    async fn answered(&mut self) {
        while self.outbox.is_busy() {
            let answer = self.outbox.answer().await;
            self.committed(answer);
        }
    }
}

/// The whole second that a moment is in.
fn second_of(at: Timestamp) -> Timestamp {
    let second = at.as_millisecond().div_euclid(1_000);
    Timestamp::from_second(second).unwrap_or(at)
}
