//! A park of one rule, so that tests of the store need no balance.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sunledger::domain::flow::{FLOW_COUNT, FLOWS, Flow, Flows, Known};
use sunledger::domain::interval::{Channel, Entry, ExportShape, Interval, Span};
use sunledger::domain::meter::Carrier;
use sunledger::domain::quality::{Gaps, Quality, Reason};
use sunledger::domain::units::MilliwattHours;
use sunledger::store::{Batch, Reader, Recovered, Settings, Settle, Store};
use sunledger::wire::line_protocol::ParsedLine;
use tokio::time::Instant;

/// Length of a span in the tests.
pub const SPAN_S: i64 = 900;

/// A moment, in seconds of the test's own time.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_200 + second).unwrap()
}

/// The span of a number.
pub fn span(number: i64) -> Span {
    Span {
        start: at(number * SPAN_S),
        end: at((number + 1) * SPAN_S),
    }
}

/// What a meter generated in a span.
pub fn entry(meter: &str, number: i64, energy: Result<i64, Reason>) -> Entry {
    Entry {
        meter: Arc::from(meter),
        channel: Channel {
            carrier: Carrier::Electricity,
            positive: true,
        },
        span: span(number),
        energy: energy.map(MilliwattHours),
        quality: if energy.is_ok() {
            Quality::Good
        } else {
            Quality::Missing
        },
        coverage_pct: 100.0,
        made: sunledger::domain::provenance::Made::REGISTER,
        opening: Some(MilliwattHours(7)),
        closing: None,
    }
}

/// Generation is the sum of all entries, export what the shape says, everything
/// else is nothing.
pub fn settle() -> Settle {
    Box::new(|entries, shape, _span| {
        let mut stated =
            std::array::from_fn::<_, FLOW_COUNT, _>(|_| Ok(Known::given(MilliwattHours::ZERO)));
        stated[Flow::Export.place()] = Ok(Known::given(MilliwattHours::from_watt_hours(
            shape.generation_wh,
        )));
        let generation = &mut stated[Flow::Generation.place()];
        for entry in entries {
            match (&mut *generation, entry.energy) {
                (Ok(sum), Ok(energy)) => sum.value += energy,
                (Ok(_), Err(reason)) => *generation = Err(Gaps::one(&entry.meter, reason)),
                (Err(gaps), Err(reason)) => gaps.join(&Gaps::one(&entry.meter, reason)),
                (Err(_), Ok(_)) => (),
            }
        }
        assert_eq!(stated.len(), FLOWS.len());
        Flows::new(stated).into()
    })
}

/// Settings with bounds that no test meets by accident, and no sink.
pub fn settings(dir: &Path) -> Settings {
    Settings {
        dir: dir.to_owned(),
        keep_days: 35,
        max_bytes: 1 << 30,
        free_floor: 0,
        stop_when_full: false,
        sinks: Vec::new(),
    }
}

/// Opens a store that must open.
pub fn open(settings: Settings) -> (Store, Recovered) {
    Store::open(settings, settle()).unwrap()
}

/// A batch with one line that tells its second.
pub fn batch(second: i64) -> Batch {
    let ms = at(second).as_millisecond();
    Batch {
        lines: format!("electricity,meter=pv,park=t power_w={second}.5,quality=0i {ms}\n"),
        points: 2,
        ..Batch::empty(at(second))
    }
}

/// A monotonic clock of the test's own.
pub struct Clock(Instant);

impl Clock {
    /// A clock that stands.
    pub fn new() -> Self {
        Self(sunledger_now())
    }

    /// The clock after some seconds.
    pub fn after(&self, seconds: f64) -> Instant {
        self.0 + Duration::from_secs_f64(seconds)
    }
}

/// The monotonic clock, for what wants a function.
pub fn sunledger_now() -> Instant {
    Instant::now()
}

/// The generation of an interval: milliwatt-hours, or the meters that are missing.
pub fn generation(interval: &Interval) -> Result<i64, Vec<String>> {
    match interval.flows.of(Flow::Generation) {
        Ok(known) => Ok(known.value.0),
        Err(gaps) => Err(gaps
            .list()
            .iter()
            .map(|gap| gap.meter.to_string())
            .collect()),
    }
}

/// How export was fed, in watt-hours of generators.
pub fn shape(generation_wh: f64) -> ExportShape {
    ExportShape {
        generation_wh,
        battery_wh: 0.0,
    }
}

/// The journal under a directory of data as text, up to a block or to its end.
pub fn journal(data: &Path, upto: Option<u64>) -> String {
    let mut reader = Reader::new(data).unwrap();
    let (mut text, mut seq) = (String::new(), 0);
    while let Some(block) = reader.next_after(seq, upto).unwrap() {
        text.push_str(&block.text);
        seq = block.seq;
    }
    text
}

/// Every row of the journal under a directory of data.
pub fn journaled(data: &Path) -> Vec<ParsedLine> {
    super::world::rows(&journal(data, None))
}
