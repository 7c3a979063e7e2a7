//! Catching up: the ledger covers the journal up to a block; what lies behind it
//! goes through the engine again, as it did before the crash.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tracing::{info, warn};

use super::AppError;
use super::late::Late;
use super::past::LedgerPast;
use super::plant::Live;
use crate::domain::interval::Interval;
use crate::domain::meter::Park;
use crate::domain::plant::Plant;
use crate::domain::plausibility::Settings;
use crate::domain::snapshot::Reading;
use crate::domain::time::{day, local_date, slot};
use crate::engine::Engine;
use crate::engine::record::Recorder;
use crate::store::{LedgerReader, Recovered, Store};
use crate::sys::clock::{Moment, WallClock};
use crate::wire::line_protocol::parse;

/// The daemon as it was, ready to go on.
pub struct Caught {
    /// The store.
    pub store: Store,
    /// The engine, up to the newest block.
    pub engine: Engine,
    /// The recorder.
    pub recorder: Recorder,
    /// The units of the plant, with the last day of the ledger.
    pub units: Live,
    /// The clock, judged against the newest block.
    pub clock: WallClock,
    /// The newest tick in the journal.
    pub last_at: Option<Timestamp>,
    /// What came too late for the books.
    pub late: Late,
    /// Intervals whose rows may not be in the journal.
    pub unjournaled: Vec<Interval>,
    /// How far each sink has come.
    pub cursors: Vec<(String, u64)>,
}

/// Replays what the ledger does not cover. The clock is judged from `now` on.
///
/// # Errors
///
/// Where the ledger cannot be written.
pub fn recover(
    park: &Arc<Park>,
    plant: &Arc<Plant>,
    checks: &Settings,
    dir: &Path,
    mut store: Store,
    found: Recovered,
    now: Moment,
) -> Result<Caught, AppError> {
    let mut engine = Engine::judging(Arc::clone(park), &found.state, checks);
    engine.set_events(&found.events);
    engine.fill_gaps(Box::new(LedgerPast::open(dir)?));
    recall(&mut engine, dir);
    engine.watch(&plant.inputs());
    let mut recorder = Recorder::new(park);
    let mut late = Late::of_states(&found.state);
    let (mut entries, mut closed, mut observed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut blocks, mut rows) = (0_u64, 0_u64);
    for block in found.tail {
        let block = match block {
            Ok(block) => block,
            Err(error) => {
                warn!(%error, "The journal cannot be read on; the books go on from here.");
                break;
            }
        };
        for line in block.text.lines() {
            // A row that cannot be read back is no reading; the sink still has it.
            let Ok(line) = parse(line) else { continue };
            recorder.has_row(&line);
            let Some(reading) = recorder.read_back(&line) else {
                note(&mut late, park, recorder.read_late(&line));
                continue;
            };
            rows += 1;
            engine.hear(&reading);
        }
        late.hand_over(block.at);
        let tick = engine.tick(block.at);
        entries.extend(tick.entries);
        closed.extend(tick.closed);
        observed.extend(tick.observed);
        blocks += 1;
    }
    engine.begin_anew();
    // Whatever the newest time in the journal is, the recorder never goes back to it.
    recorder.begin_after(found.last_at, &found.state);
    let mut unjournaled = found.unjournaled;
    if blocks > 0 {
        info!(blocks, rows, "Caught up with the journal.");
        let mut state = engine.state();
        state.extend(found.last_at.map(|at| recorder.state(at)));
        late.stored();
        state.push(late.row());
        unjournaled.extend(store.rebuild(entries, closed, observed, state, found.last_seq)?);
    }
    let mut units = Live::new(Arc::clone(plant), park);
    units.recall(dir, now.wall);
    if let Ok(ledger) = LedgerReader::open(dir)
        && let Some(today) = day(local_date(now.wall, &park.time_zone), &park.time_zone)
        && let Ok(intervals) = ledger.intervals(today.start, today.end)
    {
        engine.settled(&intervals);
    }
    Ok(Caught {
        store,
        engine,
        recorder,
        units,
        clock: WallClock::new(now, found.last_at),
        last_at: found.last_at,
        late,
        unjournaled,
        cursors: found.cursors,
    })
}

/// Takes note of a reading of the tail that came too late.
fn note(late: &mut Late, park: &Park, reading: Option<Reading>) {
    let Some(reading) = reading else { return };
    let known = reading.values.iter().any(|(_, said)| said.is_ok());
    if let Some(meter) = park.meters.get(reading.meter).filter(|_| known) {
        let interval = slot(reading.at, &park.time_zone, park.settlement_minutes);
        late.heard(&meter.id, reading.at, interval);
    }
}

/// What left the books of intervals that are not closed, from the ledger: whether the
/// books close is judged on all of an interval.
fn recall(engine: &mut Engine, dir: &Path) {
    let ending = engine.ending();
    let (Some(first), Some(last)) = (ending.first(), ending.last()) else {
        return;
    };
    let (from, to) = (first.start, last.end);
    match LedgerReader::open(dir).and_then(|ledger| ledger.entries(from, to)) {
        Ok(entries) => engine.recall(entries),
        Err(error) => {
            warn!(%error, "The last interval cannot be read back; its balance is not judged.")
        }
    }
}
