//! Readings a second through the engine: snapshot, books and checks, as in the daemon.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use sunledger::engine::Engine;
use sunledger::engine::record::Recorder;

use super::park::{USUAL_POINTS, Voices, begin, setup};
use super::{Arguments, quantiles};

/// Hears an hour of meters that are read each second, and times nothing else.
pub fn measure(arguments: &Arguments) {
    let sizes = arguments
        .meters
        .map_or(vec![200, 1_000], |meters| vec![meters]);
    for meters in sizes {
        one(meters, arguments.seconds);
    }
}

fn one(meters: usize, seconds: i64) {
    let setup = setup(meters, USUAL_POINTS, &std::env::temp_dir());
    let park = Arc::clone(&setup.park);
    let mut engine = Engine::judging(Arc::clone(&park), &[], &setup.checks);
    let mut recorder = Recorder::new(&park);
    let mut voices = Voices::new(&park);
    let (mut heard, mut written) = (Vec::new(), Vec::new());
    for second in 0..seconds {
        let now: Timestamp = begin() + SignedDuration::from_secs(second);
        let readings = voices.at(now);
        let begun = Instant::now();
        for reading in readings {
            engine.take(black_box(reading), false);
        }
        let ended = Instant::now();
        for reading in readings {
            recorder.reading(black_box(reading));
        }
        written.push(ended.elapsed().as_secs_f64() * 1e9 / meters as f64);
        black_box(recorder.take());
        heard.push((ended - begun).as_secs_f64() * 1e9 / meters as f64);
        let tick = engine.tick(now);
        assert!(tick.frame.findings.is_empty(), "{:?}", tick.frame.findings);
    }
    let (heard, _, worst) = quantiles(&heard);
    let (written, ..) = quantiles(&written);
    println!(
        "{meters:>5} meters of {USUAL_POINTS} values: {:.2} million readings/s, {:.1} million values/s \
         ({heard:.0} ns a reading, in the worst second {worst:.0}); \
         its row for the journal {written:.0} ns",
        1e3 / heard,
        1e3 / heard * USUAL_POINTS as f64
    );
}
