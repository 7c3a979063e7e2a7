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
use crate::domain::event::{MeterEvent, What};
use crate::domain::interval::Interval;
use crate::domain::meter::Park;
use crate::domain::plant::Plant;
use crate::domain::plausibility::Settings;
use crate::domain::snapshot::Reading;
use crate::domain::time::{day, local_date, slot};
use crate::engine::Engine;
use crate::engine::record::Recorder;
use crate::store::{Batch, LedgerReader, Recovered, Store};
use crate::sys::clock::{Moment, WallClock};
use crate::wire::line_protocol::parse;

/// Blocks of the tail that go into the ledger at once, where nothing in them makes a
/// revision: minutes of them, for a start after a restored copy is up to a day's.
const BLOCKS_AT_ONCE: u64 = 600;

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
    mut found: Recovered,
    now: Moment,
) -> Result<Caught, AppError> {
    let mut engine = Engine::judging(Arc::clone(park), &found.state, checks);
    engine.set_events(&found.events);
    engine.fill_gaps(Box::new(LedgerPast::open(dir)?));
    recall(&mut engine, dir);
    engine.watch(&plant.inputs());
    let mut recorder = Recorder::new(park);
    let mut late = Late::of_states(&found.state);
    if let Some(mended) = &found.mended {
        let since = mended.copied.unwrap_or(Timestamp::MIN);
        again_since(&mut late, park, &found.events, since);
    }
    let mut step = Batch::empty(Timestamp::UNIX_EPOCH);
    let (mut blocks, mut rows, mut lost) = (0_u64, 0_u64, 0);
    let mut before = found.mended.as_ref().and_then(|mended| mended.copied);
    while let Some(block) = found.tail.next() {
        let block = match block {
            Ok(block) => block,
            Err(error) => {
                warn!(%error, "The journal cannot be read on; the books go on from here.");
                break;
            }
        };
        if found.tail.lost() > lost {
            let gone = found.tail.lost() - lost;
            lost += gone;
            warn!(
                blocks = gone,
                from = before.map(tracing::field::display),
                until = %block.at,
                "The journal does not have these blocks any more; what they say is not in the books."
            );
        }
        before = Some(block.at);
        for line in block.text.lines() {
            // A row that cannot be read back is no reading; the sink still has it.
            let Ok(line) = parse(line) else { continue };
            if let Some(stated) = recorder.interval_of(&line) {
                // It has a row for each flow.
                if step.journaled.last() != Some(&stated) {
                    step.journaled.push(stated);
                }
                continue;
            }
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
        let revises = store.revises(&tick.entries, &tick.closed);
        step.entries.extend(tick.entries);
        step.closed.extend(tick.closed);
        step.observed.extend(tick.observed);
        blocks += 1;
        if revises || blocks.is_multiple_of(BLOCKS_AT_ONCE) {
            late.stored();
            step.state = engine.state();
            step.state.push(recorder.state(block.at));
            step.state.push(late.row());
            store.rebuild(
                &std::mem::replace(&mut step, Batch::empty(block.at)),
                block.seq,
            )?;
        }
    }
    engine.begin_anew();
    // Whatever the newest time in the journal is, the recorder never goes back to it.
    recorder.begin_after(found.last_at, &found.state);
    let mut unjournaled = found.unjournaled;
    if blocks > 0 {
        info!(blocks, rows, "Caught up with the journal.");
        step.state = engine.state();
        step.state
            .extend(found.last_at.map(|at| recorder.state(at)));
        late.stored();
        step.state.push(late.row());
        store.rebuild(&step, found.last_seq)?;
        unjournaled = store.unjournaled()?;
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

/// What people entered since a moment of the books is computed again: the intervals may be
/// older than what the journal is replayed from.
fn again_since(late: &mut Late, park: &Park, events: &[MeterEvent], since: Timestamp) {
    for event in events.iter().filter(|event| event.entered >= since) {
        // What was withdrawn says where it was.
        let of = match event.what {
            What::Withdrawn { of } => events.iter().find(|other| other.number == of),
            _ => Some(event),
        };
        let Some(of) = of else { continue };
        let slot = |at| slot(at, &park.time_zone, park.settlement_minutes);
        let until = match of.what {
            What::Correction { until, .. } => until,
            _ => of.at,
        };
        let (first, last) = (slot(of.at), slot(until));
        late.again(&of.meter, first.start, last.end);
    }
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
