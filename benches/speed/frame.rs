//! What a beat of the daemon costs: the tick with its checks, and what the page shows.

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use sunledger::app::{Beside, Board, Details, Losses};
use sunledger::domain::balance::settle_all;
use sunledger::engine::Engine;
use sunledger::engine::record::Recorder;
use sunledger::source::SourceStats;
use sunledger::store::{Settings, Store};

use super::park::{USUAL_POINTS, Voices, begin, setup};
use super::{Arguments, quantiles};

struct Times {
    name: &'static str,
    ms: Vec<f64>,
}

impl Times {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            ms: Vec::new(),
        }
    }

    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.ms.push(begun.elapsed().as_secs_f64() * 1e3);
        done
    }

    fn print(&self) {
        let (median, high, worst) = quantiles(&self.ms);
        // Beside other work a single time says little: what is heavy comes again.
        let of_ten = |phase: usize| {
            let same: Vec<f64> = self.ms.iter().skip(phase).step_by(10).copied().collect();
            quantiles(&same).0
        };
        let heaviest = (0..10).map(of_ten).fold(0.0, f64::max);
        let ends = self.ms.iter().skip(900).step_by(900);
        let ends: Vec<String> = ends.map(|ms| format!("{ms:.2}")).collect();
        println!(
            "  {:<32} median {median:.3}, heaviest second of ten {heaviest:.3}, p99 {high:.3}, \
             worst {worst:.3}, ends of intervals {}",
            self.name,
            ends.join(" ")
        );
    }
}

/// Beats second by second, once with everybody answering and once with nobody.
pub fn measure(arguments: &Arguments) {
    let meters = arguments.meters.unwrap_or(1_000);
    for silent in [false, true] {
        one(meters, arguments, silent);
    }
}

fn one(meters: usize, arguments: &Arguments, silent: bool) {
    let dir = tempfile::tempdir_in(&arguments.dir).unwrap();
    let setup = setup(meters, USUAL_POINTS, dir.path());
    let park = Arc::clone(&setup.park);
    let settings = Settings {
        dir: dir.path().to_owned(),
        keep_days: 1,
        max_bytes: 1 << 30,
        free_floor: 0,
        stop_when_full: false,
        sinks: Vec::new(),
    };
    let settled = Arc::clone(&park);
    let settle =
        Box::new(move |entries: &[_], shape, span| settle_all(&settled, entries, shape, span));
    let (store, _) = Store::open(settings, settle).unwrap();
    let board = Board {
        park: Arc::clone(&park),
        sources: Arc::new(SourceStats::new(meters)),
        sinks: Vec::new(),
        store: store.stats(),
        losses: Arc::new(Losses::default()),
        late: Arc::default(),
    };
    let details = vec![Details::new(); meters];
    let mut engine = Engine::judging(Arc::clone(&park), &[], &setup.checks);
    let mut recorder = Recorder::new(&park);
    let mut voices = Voices::new(&park);
    let mut tick = Times::new("tick: balance, checks, meters");
    let mut frame = Times::new("what the page shows");
    let mut both = Times::new("a frame: both");
    let mut json = Times::new("its JSON, where somebody looks");
    let mut state = Times::new("the books as they are kept");
    let minutes = 60;
    for second in 0..arguments.seconds {
        let now: Timestamp = begin() + SignedDuration::from_secs(second);
        if !silent || second < minutes {
            for reading in voices.at(now) {
                engine.take(reading, false);
            }
        }
        let struck = tick.time(|| engine.tick(now));
        let beside = Beside {
            units: Vec::new(),
            seq: 1,
            clock_trusted: true,
            details: &details,
        };
        let page = frame.time(|| board.frame(&engine, &struck.frame, &beside));
        both.ms
            .push(tick.ms[tick.ms.len() - 1] + frame.ms[frame.ms.len() - 1]);
        json.time(|| page.json());
        recorder.balance(now, &struck.frame.powers);
        recorder.take();
        state.time(|| engine.state());
    }
    let who = if silent {
        "nobody answers after a minute"
    } else {
        "all answer"
    };
    println!("{meters} meters of {USUAL_POINTS} values, {who}, ms:");
    for times in [tick, frame, both, json, state] {
        times.print();
    }
}
