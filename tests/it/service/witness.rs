//! What the page showed, held against what the journal holds.
//!
//! The page tells the age of every meter's newest reading, so who looks at it
//! knows when that reading was; the clock of this process is well, whatever the
//! daemon's says.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;
use sunledger::store::Reader;
use sunledger::wire::line_protocol::parse;

use super::daemon::time;

/// Milliseconds by which a time on the page and one in the journal may differ:
/// two clocks are not read at the same moment. Readings are a second apart.
const SAME_MS: i64 = 400;

/// A row of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Measurement and tags.
    pub series: String,
    pub measurement: String,
    pub meter: Option<String>,
    pub time_ms: i64,
    /// Fields and values.
    pub fields: String,
}

/// Every row of a journal.
pub fn rows(store: &Path) -> Vec<Row> {
    let mut reader = Reader::new(store).unwrap();
    let mut rows = Vec::new();
    let mut seq = 0;
    while let Some(block) = reader.next_after(seq, None).unwrap() {
        seq = block.seq;
        for line in block.text.lines() {
            let parsed = parse(line).unwrap();
            let meter = parsed.tags.iter().find(|(key, _)| key == "meter");
            rows.push(Row {
                series: format!("{} {:?}", parsed.measurement, parsed.tags),
                meter: meter.map(|(_, meter)| meter.clone()),
                measurement: parsed.measurement,
                time_ms: parsed.time_ms,
                fields: format!("{:?}", parsed.fields),
            });
        }
    }
    rows
}

/// Rows of readings, by meter.
pub fn readings(rows: &[Row]) -> BTreeMap<&str, Vec<i64>> {
    let mut readings: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for row in rows {
        if let Some(meter) = &row.meter {
            readings.entry(meter).or_default().push(row.time_ms);
        }
    }
    readings
}

/// No key stands twice with two values.
pub fn no_key_has_two_values(rows: &[Row]) {
    let mut known = BTreeMap::new();
    for row in rows {
        let before = known.insert((&row.series, row.time_ms), &row.fields);
        assert!(
            before.is_none_or(|fields| *fields == row.fields),
            "{row:?} and {before:?}"
        );
    }
}

/// Energy never runs backwards in a settled interval.
pub fn no_energy_is_negative(rows: &[Row]) {
    for row in rows {
        let generates = !row.series.contains("\"residual\"") && !row.series.contains("losses");
        if row.measurement == "interval" && generates {
            assert!(!row.fields.contains("Integer(-"), "{row:?}");
        }
    }
}

/// Remembers what the page showed.
#[derive(Default)]
pub struct Witness {
    seen: Vec<(String, i64)>,
}

impl Witness {
    /// Looks at a live view of a daemon whose clock is ahead by so many seconds.
    pub fn sees(&mut self, live: &Value, ahead_s: i64) {
        let at = time(&live["at"]).unwrap().as_millisecond() - ahead_s * 1_000;
        for meter in live["meters"].as_array().unwrap() {
            // What is newer than the tick has no age yet.
            if let Some(age_s) = meter["age_s"].as_f64().filter(|age| *age > 0.0) {
                let read = at - (age_s * 1_000.0) as i64;
                self.seen
                    .push((meter["id"].as_str().unwrap().to_owned(), read));
            }
        }
    }

    /// Looks at when each meter last answered, which may be later than any tick.
    pub fn sees_answers(&mut self, metrics: &str) {
        for line in metrics.lines() {
            let name = "sunledger_meter_last_success_timestamp_seconds{meter=\"";
            if let Some((meter, second)) = line
                .strip_prefix(name)
                .and_then(|rest| rest.split_once("\"} "))
            {
                let second: f64 = second.parse().unwrap();
                self.seen.push((meter.to_owned(), (second * 1e3) as i64));
            }
        }
    }

    /// How many readings it saw.
    pub fn count(&self) -> usize {
        self.seen.len()
    }

    /// Everything it saw is in the journal, under the time at which it was.
    pub fn finds_everything(&self, rows: &[Row]) {
        let readings = readings(rows);
        let lost: Vec<String> = self
            .seen
            .iter()
            .filter(|(meter, read)| {
                let times = readings.get(meter.as_str());
                !times.is_some_and(|times| times.iter().any(|t| (t - read).abs() <= SAME_MS))
            })
            .map(|(meter, read)| {
                format!("{meter} at {}", Timestamp::from_millisecond(*read).unwrap())
            })
            .collect();
        assert_eq!(
            lost,
            Vec::<String>::new(),
            "of {} readings",
            self.seen.len()
        );
        assert!(self.count() > 0, "the page showed nothing");
    }
}
