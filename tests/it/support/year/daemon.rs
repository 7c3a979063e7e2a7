//! The daemon without its tasks: the same engine, recorder, store, clock and recovery, in
//! the order in which the heart drives them, on simulated clocks.
//!
//! Wall time is what it would be told, monotonic time is what really passes. Each reading
//! carries notes of the truth; **they come out where its block is on disk, and never for
//! what a kill has cost**.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sunledger::app::recover::recover;
use sunledger::domain::balance::settle_all;
use sunledger::domain::interval::{Entry, ExportShape, Span};
use sunledger::domain::meter::Park;
use sunledger::domain::plausibility::Settings as Checks;
use sunledger::domain::snapshot::Reading;
use sunledger::engine::Engine;
use sunledger::engine::record::Recorder;
use sunledger::source::Heard;
use sunledger::store::{Batch, Settings, Store};
use sunledger::sys::clock::{Moment, WallClock};
use tokio::time::Instant;

use super::book::Node;

/// The ledger is written every five seconds, a block of the year every ten.
const PACED: u32 = 10;

/// A reading with what is true of it: the channels it feeds.
pub struct Said {
    pub heard: Heard,
    /// Its right time, ms since the start.
    pub ms: i64,
    pub notes: Vec<(usize, Node)>,
}

/// What was counted on the way.
#[derive(Debug, Default)]
pub struct Counts {
    pub readings: u64,
    pub ticks: u64,
    pub commits: u64,
    pub starts: u64,
    pub lost: u64,
    pub held: u64,
    pub replayed: u64,
}

/// Clocks at a moment of the simulation.
#[derive(Clone, Copy)]
pub struct Clocks {
    pub epoch: Timestamp,
    pub base: Instant,
    /// Real time since the start.
    pub ms: i64,
    /// How far the wall clock is off, s.
    pub off_s: i64,
}

impl Clocks {
    pub fn mono(&self, ms: i64) -> Instant {
        self.base + Duration::from_millis(ms.try_into().unwrap())
    }

    pub fn wall(&self) -> Timestamp {
        let ms = self.ms + self.off_s * 1_000;
        self.epoch + SignedDuration::from_millis(ms)
    }

    fn moment(&self) -> Moment {
        Moment {
            wall: self.wall(),
            mono: self.mono(self.ms),
            synchronised: None,
        }
    }
}

struct Running {
    base: Instant,
    epoch_ms: i64,
    engine: Engine,
    recorder: Recorder,
    clock: WallClock,
    store: Store,
    last_at: Option<Timestamp>,
    trusted: bool,
    held: VecDeque<Said>,
    entries: Vec<Entry>,
    closed: Vec<(Span, ExportShape)>,
    journaled: Vec<(Timestamp, i64)>,
    /// Notes of readings that are in no block yet.
    written: Vec<(usize, Node)>,
}

pub struct Daemon {
    park: Arc<Park>,
    pub dir: PathBuf,
    commit_every_s: i64,
    running: Option<Running>,
    pub counts: Counts,
}

impl Daemon {
    pub fn new(park: &Arc<Park>, dir: &Path, commit_every_s: i64) -> Self {
        Self {
            park: Arc::clone(park),
            dir: dir.to_owned(),
            commit_every_s,
            running: None,
            counts: Counts::default(),
        }
    }

    /// Starts on what the last run left.
    pub fn start(&mut self, clocks: &Clocks) {
        let settings = Settings {
            dir: self.dir.clone(),
            keep_days: 3,
            max_bytes: 4 << 30,
            free_floor: 0,
            stop_when_full: false,
            sinks: Vec::new(),
        };
        let settled = Arc::clone(&self.park);
        let settle = Box::new(move |entries: &[Entry], shape, span| {
            settle_all(&settled, entries, shape, span)
        });
        let (store, found) = Store::open(settings, settle).unwrap();
        self.counts.replayed += found.last_seq - found.covered_seq;
        let checks = Checks::default();
        let plant = Arc::default();
        let moment = clocks.moment();
        let caught = recover(&self.park, &plant, &checks, &self.dir, store, found, moment).unwrap();
        let mut running = Running {
            base: clocks.base,
            epoch_ms: clocks.epoch.as_millisecond(),
            trusted: caught.clock.trust().is_ok(),
            engine: caught.engine,
            recorder: caught.recorder,
            clock: caught.clock,
            store: caught.store,
            last_at: caught.last_at,
            held: VecDeque::new(),
            entries: Vec::new(),
            closed: Vec::new(),
            journaled: Vec::new(),
            written: Vec::new(),
        };
        for interval in &caught.unjournaled {
            running.recorder.interval(interval);
            running
                .journaled
                .push((interval.span.start, interval.revision));
        }
        self.running = Some(running);
        self.counts.starts += 1;
    }

    /// Kills it: what is in no block is gone.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            let lost = running.written.len() + running.held.len();
            self.counts.lost += lost as u64;
        }
    }

    pub fn hear(&mut self, said: Said) {
        let Some(running) = &mut self.running else {
            return;
        };
        if running.trusted {
            running.take(said);
        } else {
            self.counts.held += 1;
            if !said.heard.late {
                running.engine.show(&Reading {
                    meter: said.heard.meter,
                    at: running.clock.steady(said.heard.at),
                    values: said.heard.values.clone(),
                });
            }
            running.held.push_back(said);
        }
        self.counts.readings += 1;
    }

    /// A beat at a whole second; the notes of what is on disk now.
    pub fn beat(&mut self, clocks: &Clocks) -> Vec<(usize, Node)> {
        let Some(running) = &mut self.running else {
            return Vec::new();
        };
        let moment = clocks.moment();
        running.judge(moment);
        if !running.trusted {
            let _shown = running.engine.look(running.clock.steady(moment.mono));
            return Vec::new();
        }
        let at = second_of(moment.wall);
        if running.last_at.is_some_and(|last| at <= last) {
            return Vec::new();
        }
        running.strike(at);
        self.counts.ticks += 1;
        if at.as_second() % self.commit_every_s != 0 {
            return Vec::new();
        }
        self.counts.commits += 1;
        running.commit(at, moment.mono)
    }

    /// Ends it in good order.
    pub fn stop(&mut self, clocks: &Clocks) -> Vec<(usize, Node)> {
        let Some(mut running) = self.running.take() else {
            return Vec::new();
        };
        let moment = clocks.moment();
        let notes = running.commit(second_of(moment.wall), moment.mono);
        // The intervals that the last flush settles have to be handed out as well.
        running.store.flush(running.pace(moment.mono)).unwrap();
        notes
    }
}

impl Running {
    fn take(&mut self, said: Said) {
        let Said { heard, ms, notes } = said;
        let mut reading = Reading {
            meter: heard.meter,
            at: self.clock.at(heard.at),
            values: heard.values,
        };
        self.recorder.stamp(&mut reading);
        self.engine.take(&reading, heard.late);
        if heard.late {
            self.recorder.late(&reading);
        } else {
            self.recorder.reading(&reading);
        }
        // Whatever the clock did, a reading gets the time at which it was read.
        let right = self.epoch_ms + ms;
        assert_eq!(reading.at.as_millisecond(), right, "meter {}", heard.meter);
        self.written.extend(notes);
    }

    fn judge(&mut self, now: Moment) {
        let trusted = self.clock.observe(now).is_ok();
        if trusted && !self.trusted {
            self.trusted = true;
            self.release();
        }
        self.trusted = trusted;
    }

    fn release(&mut self) {
        self.engine.forget();
        let mut struck = None;
        for said in std::mem::take(&mut self.held) {
            let second = second_of(self.clock.at(said.heard.at));
            if Some(second) > struck && Some(second) > self.last_at {
                self.strike(second);
                struck = Some(second);
            }
            self.take(said);
        }
    }

    fn strike(&mut self, at: Timestamp) {
        self.last_at = Some(at);
        self.clock.journaled(at);
        let tick = self.engine.tick(at);
        self.recorder.balance(at, &tick.frame.powers);
        self.recorder.derived(at, &tick.frame.meters);
        self.entries.extend(tick.entries);
        self.closed.extend(tick.closed);
    }

    /// Time as it paces the ledger: some blocks behind, as where there is one each
    /// second, so that a start has something to catch up with.
    fn pace(&self, mono: Instant) -> Instant {
        self.base + (mono - self.base) / PACED
    }

    fn commit(&mut self, at: Timestamp, mono: Instant) -> Vec<(usize, Node)> {
        let mut state = self.engine.state();
        state.push(self.recorder.state(at));
        let rows = self.recorder.take();
        let batch = Batch {
            at,
            lines: rows.text,
            points: rows.points,
            entries: std::mem::take(&mut self.entries),
            closed: std::mem::take(&mut self.closed),
            observed: Vec::new(),
            state,
            journaled: std::mem::take(&mut self.journaled),
        };
        let committed = self.store.commit(&batch, self.pace(mono)).unwrap();
        if let Some(events) = &committed.events {
            self.engine.set_events(events);
        }
        self.engine.settled(&committed.intervals);
        for interval in &committed.intervals {
            self.recorder.interval(interval);
            self.journaled
                .push((interval.span.start, interval.revision));
        }
        std::mem::take(&mut self.written)
    }
}

fn second_of(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_millisecond().div_euclid(1_000)).unwrap()
}
