//! A day of the park through the engine, minute by minute, as the demo and a replay do.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sunledger::app::{History, Step};
use sunledger::config::check;
use sunledger::domain::balance::settle;
use sunledger::domain::flow::Flow;
use sunledger::domain::interval::{Entry, ExportShape, Interval, Span};
use sunledger::domain::meter::Park;
use sunledger::domain::snapshot::Value;
use sunledger::domain::time::day;
use sunledger::domain::units::MilliwattHours;
use sunledger::engine::{Engine, Frame};
use sunledger::simulate::{Settings, Simulation};
use tokio_util::sync::CancellationToken;

const DATE: &str = "2026-06-03";

/// A summer's day and an hour beside it, recorded from the simulated park.
async fn recorded() -> (Arc<Park>, Vec<Step>) {
    let end: Timestamp = "2026-06-04T00:00:00+08:00".parse().unwrap();
    let settings = Settings::fanshi(end + Duration::from_secs(3_600));
    let history = Duration::from_secs(26 * 3_600);
    let park = Simulation::start(settings, history, CancellationToken::new())
        .await
        .unwrap();
    let text = park.config_toml(Path::new("/tmp"), "127.0.0.1:0", "15min");
    let mut meters = (*check::parse(&text).unwrap().park).clone();
    for meter in &mut meters.meters {
        meter.period = Duration::from_secs(60);
    }
    let steps = History::simulated(&park, &meters).steps.collect();
    park.stop().await;
    (Arc::new(meters), steps)
}

/// What the engine makes of it, and the day's intervals as the ledger settles them.
fn replay(park: &Arc<Park>, steps: &[Step]) -> (Vec<Frame>, Vec<Entry>, Vec<Interval>) {
    let mut engine = Engine::new(Arc::clone(park), &[]);
    let (mut frames, mut all) = (Vec::new(), Vec::new());
    let mut closed: Vec<(Span, ExportShape)> = Vec::new();
    for step in steps {
        for reading in &step.readings {
            engine.hear(reading);
        }
        let tick = engine.tick(step.at);
        frames.push(tick.frame);
        all.extend(tick.entries);
        closed.extend(tick.closed);
    }
    let date = day(DATE.parse().unwrap(), &park.time_zone).unwrap();
    let inside = |span: &Span| span.start >= date.start && span.end <= date.end;
    let intervals = closed.iter().filter(|(span, _)| inside(span));
    let settled = intervals.map(|(span, shape)| {
        let entries: Vec<Entry> = all.iter().filter(|e| e.span == *span).cloned().collect();
        Interval {
            span: *span,
            closed: true,
            revision: 1,
            flows: settle(park, &entries, *shape, *span),
        }
    });
    let settled = settled.collect();
    all.retain(|entry| inside(&entry.span));
    (frames, all, settled)
}

fn day_wh(intervals: &[Interval], flow: Flow) -> f64 {
    let known = intervals.iter().map(|interval| {
        let stated = interval.flows.of(flow).as_ref();
        stated
            .unwrap_or_else(|gaps| panic!("{flow:?} {gaps:?}"))
            .value
    });
    known.sum::<MilliwattHours>().as_watt_hours()
}

#[tokio::test]
async fn a_day_closes_in_both_balances_and_adds_up_to_its_registers() {
    let (park, steps) = recorded().await;
    let (_, entries, intervals) = replay(&park, &steps);
    assert_eq!(intervals.len(), 96);

    // Every channel with a register: the day is closing minus opening, to the last digit.
    let mut channels: BTreeMap<_, Vec<&Entry>> = BTreeMap::new();
    for entry in &entries {
        let key = (Arc::clone(&entry.meter), entry.channel);
        channels.entry(key).or_default().push(entry);
    }
    let mut registers = 0;
    for (key, day) in &channels {
        assert_eq!(day.len(), 96, "{key:?}");
        let (Some(opening), Some(closing)) = (day[0].opening, day[95].closing) else {
            continue;
        };
        registers += 1;
        let total: MilliwattHours = day.iter().map(|entry| entry.energy.unwrap()).sum();
        assert_eq!(total, closing - opening, "{key:?}");
    }
    assert!(registers > 20, "{registers} channels have registers");

    // What goes in comes out: the residual of the day is what the registers' steps hide.
    for (residual, of) in [
        (Flow::Residual, Flow::Load),
        (Flow::HeatResidual, Flow::Supplied),
    ] {
        let (left, whole) = (day_wh(&intervals, residual), day_wh(&intervals, of));
        assert!(whole > 1e6, "{of:?}: {whole} Wh");
        assert!(
            left.abs() < 0.0005 * whole,
            "{residual:?}: {left} of {whole} Wh"
        );
    }
    let of = |flow| day_wh(&intervals, flow);
    let load = of(Flow::Generation) + of(Flow::Import) - of(Flow::Export)
        + of(Flow::BatteryDischarge)
        - of(Flow::BatteryCharge);
    assert!(
        (load - of(Flow::Load)).abs() < 0.5,
        "{load} {}",
        of(Flow::Load)
    );
    let used = of(Flow::SelfConsumption);
    assert!(used > 0.0 && used <= of(Flow::Generation), "{used}");
    assert!(of(Flow::Export) > 0.0, "the surplus of the day is exported");
    assert!(
        of(Flow::StorageDischarge) > 0.0,
        "the storage feeds the evening"
    );
}

#[tokio::test]
async fn the_same_day_gives_the_same_frames_and_a_restart_at_noon_the_same_books() {
    let (park, steps) = recorded().await;
    let (frames, entries, _) = replay(&park, &steps);
    let (again, entries_again, _) = replay(&park, &steps);
    assert_eq!(frames, again);
    assert_eq!(entries, entries_again);

    let noon = steps.len() / 2;
    let mut engine = Engine::new(Arc::clone(&park), &[]);
    let mut restarted = Vec::new();
    for (count, step) in steps.iter().enumerate() {
        if count == noon {
            engine = Engine::new(Arc::clone(&park), &engine.state_for_resume());
        }
        for reading in &step.readings {
            engine.hear(reading);
        }
        restarted.extend(engine.tick(step.at).entries);
    }
    restarted.retain(|entry| entries.iter().any(|known| known.span == entry.span));
    assert_eq!(entries, restarted);
}

#[tokio::test]
async fn a_night_of_a_silent_meter_loses_no_energy_and_is_marked() {
    let (park, steps) = recorded().await;
    let (_, whole, _) = replay(&park, &steps);
    let pcc = park.meter("pcc").unwrap();
    let quiet: Vec<Step> = steps
        .into_iter()
        .map(|mut step| {
            let hour = step.at.to_zoned_datetime(park.time_zone.clone()).hour();
            step.readings
                .retain(|reading| reading.meter != pcc || !(2..5).contains(&hour));
            step
        })
        .collect();
    let (frames, entries, _) = replay(&park, &quiet);
    let unknown = frames
        .iter()
        .filter(|frame| frame.powers.of(Flow::Import).is_err());
    assert!(
        unknown.count() > 170,
        "three hours of minutes are unknown, not zero"
    );
    let import = |entries: &[Entry]| {
        let mut latest = BTreeMap::new();
        for entry in entries {
            if &*entry.meter == "pcc" && entry.channel.positive {
                latest.insert(entry.span.start, entry.clone());
            }
        }
        latest
    };
    let (kept, full) = (import(&entries), import(&whole));
    let sum = |of: &BTreeMap<Timestamp, Entry>| -> MilliwattHours {
        of.values().map(|entry| entry.energy.unwrap()).sum()
    };
    assert_eq!(sum(&kept), sum(&full), "the register counted on");
    let marked = kept
        .values()
        .filter(|entry| entry.quality != sunledger::domain::quality::Quality::Good);
    assert!(
        (12..=14).contains(&marked.count()),
        "the spread quarters say so"
    );
    let sample = quiet[0].readings[pcc].values[0].1;
    assert!(matches!(sample, Ok(Value::Analog(_))));
}
