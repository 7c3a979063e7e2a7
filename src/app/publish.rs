//! What the page, the metrics and the health check are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::heart::Details;
use super::losses::Losses;
use super::overdue::LateStats;
use crate::config::Setup;
use crate::domain::balance::powers;
use crate::domain::boundary::{netting, register_mode};
use crate::domain::interval::Interval;
use crate::domain::meter::{Nature, Park};
use crate::domain::plant::live::UnitNow;
use crate::domain::quality::{Gaps, Reason};
use crate::domain::snapshot::Value;
use crate::engine::{Engine, Frame};
use crate::sink::stats::SinkStats;
use crate::source::{Outcome, SourceStats};
use crate::store::StoreStats;
use crate::sys::clock::wall;
use crate::sys::process;
use crate::web::live::{HeatView, LateView, Place};
use crate::web::{
    Health, LiveView, MeterNumbers, MeterView, Numbers, Ratios, Services, SinkNumbers, SinkView,
};

/// Points up to which the page shows every value of every meter; a larger park
/// shows powers, and the rest is in InfluxDB.
const SHOWN_POINTS: usize = 2_000;
/// What is said while the clock is wrong.
const CLOCK_TROUBLE: &str = "the clock is not trusted; readings are held";

/// What the rim counts, for whoever asks.
#[derive(Clone)]
pub struct Board {
    /// The park.
    pub park: Arc<Park>,
    /// Reads by meter.
    pub sources: Arc<SourceStats>,
    /// Deliveries by sink.
    pub sinks: Vec<(String, Arc<SinkStats>)>,
    /// The store.
    pub store: Arc<StoreStats>,
    /// What the heart had to give up.
    pub losses: Arc<Losses>,
    /// What came too late.
    pub late: Arc<LateStats>,
}

/// What the heart adds to a frame.
pub struct Beside<'a> {
    /// The units of the plant.
    pub units: Vec<UnitNow>,
    /// Counts frames.
    pub seq: u64,
    /// Whether the clock can be trusted.
    pub clock_trusted: bool,
    /// What went wrong last at each meter.
    pub details: &'a [Details],
}

/// The page before anything was heard.
#[must_use]
pub fn first_frame(park: &Park, clock_trusted: bool) -> crate::web::Frame {
    let unknown = powers(park, &|index, _| {
        let meter = park.meters.get(index).map(|meter| &meter.id);
        Err(meter.map_or_else(Gaps::config, |id| Gaps::one(id, Reason::NeverSeen)))
    });
    let mut view = LiveView::new(Place::of(park), wall(), unknown);
    view.clock_trusted = clock_trusted;
    crate::web::Frame::new(view, Vec::new())
}

fn seconds(at: Timestamp) -> f64 {
    crate::domain::units::to_f64(at.as_millisecond()) / 1_000.0
}

impl Board {
    /// A frame as the page shows it.
    #[must_use]
    pub fn frame(&self, engine: &Engine, frame: &Frame, beside: &Beside<'_>) -> crate::web::Frame {
        let mut view = LiveView::new(Place::of(&self.park), frame.at, frame.powers.clone());
        view.seq = beside.seq;
        view.clock_trusted = beside.clock_trusted;
        view.stored_until = self.store.stored_until();
        view.netting = netting(&self.park);
        view.register_mode = register_mode(&self.park);
        view.plant.clone_from(&beside.units);
        view.findings = Arc::clone(&frame.findings);
        view.closure = Arc::clone(&frame.closure);
        view.late = self.late_view();
        view.ratios = Ratios {
            self_consumption: frame.ratios.self_consumption,
            self_sufficiency: frame.ratios.self_sufficiency,
            solar_fraction: frame.ratios.solar_fraction,
            from: frame.ratios.from,
        };
        let points: usize = self
            .park
            .meters
            .iter()
            .map(|meter| meter.points.len())
            .sum();
        let meters = self.park.meters.iter().zip(&frame.meters).enumerate();
        view.meters = meters
            .map(|(index, (meter, now))| MeterView {
                id: Arc::clone(&meter.id),
                role: meter.role.name,
                quality: now.quality,
                reason: now.reason,
                age_s: now.age_s,
                power_w: now.power_w,
                heat_power_w: now.heat_power_w,
                last_error: last_error(beside.details.get(index)).or_else(|| now.trouble.clone()),
                notes: now.notes.clone(),
                heat: now.heat.as_ref().map(HeatView::of),
                loss: now.loss,
                values: if points <= SHOWN_POINTS {
                    values(engine, index, frame.at)
                } else {
                    BTreeMap::new()
                },
            })
            .collect();
        view.sinks = self
            .sinks
            .iter()
            .map(|(name, stats)| sink_view(name, stats))
            .collect();
        let open = frame
            .open
            .iter()
            .cloned()
            .map(Arc::<Interval>::new)
            .collect();
        crate::web::Frame::new(view, open)
    }

    /// What became of late readings, where there were any.
    fn late_view(&self) -> Option<LateView> {
        let numbers = self.late.numbers();
        (numbers.waiting > 0 || numbers.runs > 0).then_some(LateView {
            waiting_intervals: numbers.waiting,
            revisions: numbers.revisions,
            last: numbers.last,
            last_error: numbers.error,
        })
    }

    /// Why nothing is stored right now, where that is so.
    fn disk_trouble(&self) -> Option<String> {
        let hangs = || {
            let sentence = "the disk does not answer; nothing is stored meanwhile";
            self.losses.disk_hangs().then(|| sentence.to_owned())
        };
        self.store.trouble().or_else(hangs)
    }

    /// What somebody should look at.
    #[must_use]
    pub fn trouble(&self, clock_trusted: bool) -> Option<String> {
        let clock = || (!clock_trusted).then(|| CLOCK_TROUBLE.to_owned());
        self.disk_trouble().or_else(clock)
    }

    /// Meters that answer, and points that wait: the status line of systemd.
    #[must_use]
    pub fn status(&self, frame: &Frame, trouble: Option<&str>) -> String {
        let online = frame
            .meters
            .iter()
            .filter(|meter| meter.reason.is_none())
            .count();
        let waiting: u64 = self
            .sinks
            .iter()
            .map(|(_, stats)| stats.numbers().backlog_points)
            .sum();
        let trouble = trouble.map_or(String::new(), |trouble| format!("; {trouble}"));
        format!(
            "{online} of {} meters online, {waiting} points wait for delivery{trouble}",
            frame.meters.len()
        )
    }

    /// What the web server asks.
    #[must_use]
    pub fn services(
        &self,
        setup: &Setup,
        live: watch::Receiver<Arc<crate::web::Frame>>,
    ) -> Services {
        let (health, numbers) = (self.clone(), self.clone());
        let frames = live.clone();
        Services {
            place: Place::of(&self.park),
            live,
            intervals: Arc::new(super::Intervals {
                dir: setup.store.dir.clone(),
                park: Arc::clone(&setup.park),
                settlement: Arc::clone(&setup.settlement),
            }),
            health: Box::new(move || health.health(&frames.borrow())),
            numbers: Box::new(move || numbers.numbers()),
            now: wall,
        }
    }

    fn health(&self, frame: &crate::web::Frame) -> Health {
        let mut health = Health::default();
        if frame.view().seq == 0 {
            health
                .unready
                .push("the first tick has not come yet".to_owned());
        }
        health.unready.extend(self.disk_trouble());
        if !frame.view().clock_trusted {
            health.degraded.push(CLOCK_TROUBLE.to_owned());
        }
        for (name, stats) in &self.sinks {
            let numbers = stats.numbers();
            if let Some(alarm) = numbers.alarm.or(numbers.last_error) {
                health.degraded.push(format!("sink {name}: {alarm}"));
            }
        }
        health
    }

    fn numbers(&self) -> Numbers {
        let counts = self.sources.snapshot();
        let meters = self
            .park
            .meters
            .iter()
            .zip(counts)
            .filter(|(meter, _)| !self.park.relations.is_computed(&meter.id))
            .map(|(meter, counts)| MeterNumbers {
                id: Arc::clone(&meter.id),
                reads: Outcome::ALL
                    .iter()
                    .map(|(outcome, label)| (*label, counts.of(*outcome)))
                    .collect(),
                last_success_s: counts.last_ok.map(seconds),
            });
        let sinks = self.sinks.iter().map(|(name, stats)| {
            let numbers = stats.numbers();
            SinkNumbers {
                name: name.clone(),
                requests: numbers
                    .requests
                    .iter()
                    .map(|(code, n)| (code.to_string(), *n))
                    .collect(),
                last_success_s: numbers.last_ok.map(seconds),
                backlog_points: Some(numbers.backlog_points),
                quarantined_rows: Some(numbers.quarantined),
                messages: numbers.messages,
                passed_over_states: numbers.passed_over,
            }
        });
        let late = self.late.numbers();
        Numbers {
            late_waiting_intervals: Some(late.waiting),
            late_recomputations: Some(late.runs),
            late_revisions: Some(late.revisions),
            revision: None,
            meters: meters.collect(),
            sinks: sinks.collect(),
            journal_bytes: Some(self.store.journal_bytes()),
            journal_oldest_s: self.store.oldest().map(seconds),
            journal_dropped_points: Some(self.store.dropped_points()),
            journal_unwritten_readings: Some(self.losses.readings_unwritten()),
            dropped_readings: Some(self.sources.dropped()),
            rejected_messages: self.sources.rejected(),
            cpu_s: process::cpu_seconds(),
            resident_bytes: process::resident_bytes(),
            clock_held_readings: Some(self.losses.held()),
            clock_held_dropped: Some(self.losses.held_readings_lost()),
        }
    }
}

/// The first of what went wrong at a meter.
fn last_error(details: Option<&Details>) -> Option<String> {
    details?.values().next().cloned()
}

fn values(engine: &Engine, index: usize, now: Timestamp) -> BTreeMap<&'static str, f64> {
    let Some(meter) = engine.park().meters.get(index) else {
        return BTreeMap::new();
    };
    let standing = |point: usize| engine.snapshot().standing(meter, index, point, now).ok();
    let analog = meter
        .points
        .iter()
        .enumerate()
        .filter_map(
            |(place, point)| match (point.quantity.nature, standing(place)?.value) {
                (Nature::Analog, Value::Analog(value)) => Some((point.quantity.field, value)),
                _ => None,
            },
        );
    analog.collect()
}

fn sink_view(name: &str, stats: &SinkStats) -> SinkView {
    let numbers = stats.numbers();
    SinkView {
        name: name.to_owned(),
        backlog_points: numbers.backlog_points,
        oldest: numbers.oldest,
        last_ok: numbers.last_ok,
        last_error: numbers.alarm.or(numbers.last_error),
        quarantined_rows: numbers.quarantined,
    }
}
