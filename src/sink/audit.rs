//! `influx audit`: does the database hold what the journal holds?
//!
//! ```text
//!  journal ──rows──▶ window of values ──▶ one Flux query per measurement ──▶ compared
//! ```
//!
//! The journal is the truth; each of its values in the period is looked up by
//! series, field and time and is *stored*, *missing* or *different*. Integers must
//! be equal, floats within 1e-12 of each other. What the database holds beyond the
//! journal is not looked at. The journal is read in windows of bounded size, so a
//! year needs no more memory than a minute.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use influxdb2::models::Query;
use influxdb2_structmap::value::Value;
use jiff::Timestamp;
use serde::Serialize;

use super::influx::Settings;
use super::relay::{CommandError, Relay};
use super::{Block, BlockSource, Lent};
use crate::wire::line_protocol::{self, FieldValue, series_key};

/// Values compared at once: some megabytes here and as many in an answer, where
/// influxdb2 keeps every column of every value.
const WINDOW: usize = 5_000;
/// Rows further apart than this are asked for separately: a late row among new ones
/// must not widen the question over everything between.
const GAP_MS: i64 = 60_000;
/// Examples in a report: enough to see a pattern.
const EXAMPLES: usize = 20;
/// Difference between two floats that counts as none, relative.
const SAME: f64 = 1e-12;

/// What to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Start of the period.
    pub from: Timestamp,
    /// Its end, which is not in it.
    pub to: Timestamp,
    /// Blocks up to this one are not read; 0 to read all.
    pub after: u64,
    /// Blocks behind this one are not expected in the database yet: the sink's cursor.
    pub upto: u64,
    /// Ticks of the oldest and the newest block in the journal; none where it is empty.
    pub kept: Option<(Timestamp, Timestamp)>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditReport {
    /// Start of the period that was compared: what was asked, as far as it is kept.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Values that are in both.
    pub stored: u64,
    /// Values that the database does not have.
    pub missing: u64,
    /// Values that are another in the database.
    pub different: u64,
    /// Rows of the journal that are no rows.
    pub unreadable: u64,
    /// Values that are still to be delivered, and not compared.
    pub waiting: u64,
    /// The first findings.
    pub examples: Vec<Example>,
}

impl AuditReport {
    /// Whether the database holds what the journal holds.
    #[must_use]
    pub fn clean(&self) -> bool {
        self.missing == 0 && self.different == 0 && self.unreadable == 0
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// Measurement and tags.
    pub series: String,
    /// Field.
    pub field: String,
    /// Time of the row.
    pub at: Timestamp,
    /// Value in the journal.
    pub journal: String,
    /// Value in the database; none where it is missing.
    pub database: Option<String>,
}

/// Compares the rows of `source` in a period with the database.
///
/// # Errors
///
/// [`CommandError`] where the period is not kept, the journal cannot be read, or the
/// database does not answer as InfluxDB 2 does.
pub async fn audit<S: BlockSource>(
    settings: &Settings,
    source: S,
    asked: Asked,
) -> Result<AuditReport, CommandError> {
    let (from, to) = kept(&asked)?;
    let relay = Relay::open(settings).await?;
    let mut source = Lent::new(source);
    let mut audit = Audit {
        bucket: relay.bucket.clone(),
        relay,
        period: from.as_millisecond()..to.as_millisecond(),
        names: Names::default(),
        window: HashMap::new(),
        report: AuditReport {
            from,
            to,
            stored: 0,
            missing: 0,
            different: 0,
            unreadable: 0,
            waiting: 0,
            examples: Vec::new(),
        },
    };
    let mut seq = asked.after;
    loop {
        let upto = asked.upto;
        let Some(block) = source.with(move |s| s.next_after(seq, upto)).await? else {
            break;
        };
        seq = block.seq;
        audit.take(&block);
        if audit.window.len() >= WINDOW {
            audit.compare().await?;
        }
    }
    audit.compare().await?;
    if audit.report.stored + audit.report.missing + audit.report.different == 0 {
        // Nothing to compare is no proof that anybody is there.
        audit.knock().await?;
    }
    while let Some(block) = source.with(move |s| s.next_after(seq, u64::MAX)).await? {
        seq = block.seq;
        audit.report.waiting += audit.values_of(&block);
    }
    Ok(audit.report)
}

/// The part of what was asked that the journal keeps.
fn kept(asked: &Asked) -> Result<(Timestamp, Timestamp), CommandError> {
    let (oldest, newest) = asked.kept.ok_or(CommandError::Empty)?;
    if asked.to <= oldest || asked.from > newest {
        return Err(CommandError::NotKept {
            from: asked.from,
            to: asked.to,
            oldest,
            newest,
        });
    }
    Ok((asked.from.max(oldest), asked.to))
}

/// The query for one measurement from a time on, for some milliseconds.
pub(super) fn flux(
    bucket: &str,
    measurement: &str,
    park: Option<&str>,
    from: Timestamp,
    length_ms: i64,
) -> String {
    let to = from.saturating_add(jiff::SignedDuration::from_millis(length_ms));
    let (bucket, measurement) = (quoted(bucket), quoted(measurement));
    let park = park.map_or(String::new(), |park| {
        format!(" and r.park == {}", quoted(park))
    });
    format!(
        "from(bucket: {bucket}) |> range(start: {from}, stop: {to}) \
         |> filter(fn: (r) => r._measurement == {measurement}{park})",
        to = to.unwrap_or(from),
    )
}

/// A text in Flux, where `${` would begin a formula.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace("${", "\\${"))
}

/// Place of a value: series, field, milliseconds.
type Place = (u32, u32, i64);

/// Names met so far, each once.
#[derive(Default)]
struct Names {
    by_name: HashMap<String, u32>,
    all: Vec<String>,
}

impl Names {
    fn place(&mut self, name: &str) -> u32 {
        if let Some(place) = self.by_name.get(name) {
            return *place;
        }
        let place = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.by_name.insert(name.to_owned(), place);
        self.all.push(name.to_owned());
        place
    }

    fn known(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    fn name(&self, place: u32) -> &str {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        self.all.get(place).map_or("", String::as_str)
    }
}

/// A value of the journal and where to ask for it.
struct Expected {
    value: FieldValue,
    measurement: u32,
    park: Option<u32>,
}

struct Audit {
    relay: Relay,
    bucket: String,
    period: Range<i64>,
    names: Names,
    window: HashMap<Place, Expected>,
    report: AuditReport,
}

impl Audit {
    /// Takes the rows of a block that lie in the period.
    fn take(&mut self, block: &Block) {
        for line in block.text.lines() {
            let time = line_protocol::time_of(line);
            if time.is_some_and(|time| !self.period.contains(&time)) {
                continue;
            }
            let Ok(row) = line_protocol::parse(line) else {
                self.report.unreadable += 1;
                continue;
            };
            let tags: Vec<_> = row
                .tags
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect();
            let Ok(series) = series_key(&row.measurement, &tags) else {
                self.report.unreadable += 1;
                continue;
            };
            let series = self.names.place(&series);
            let measurement = self.names.place(&row.measurement);
            let park = tags.iter().find(|(name, _)| *name == "park");
            let park = park.map(|(_, value)| self.names.place(value));
            for (field, value) in row.fields {
                let place = (series, self.names.place(&field), row.time_ms);
                let expected = Expected {
                    value,
                    measurement,
                    park,
                };
                self.window.insert(place, expected);
            }
        }
    }

    /// Values of a block that lie in the period.
    fn values_of(&self, block: &Block) -> u64 {
        let rows = block
            .text
            .lines()
            .filter_map(|line| line_protocol::parse(line).ok());
        let inside = rows.filter(|row| self.period.contains(&row.time_ms));
        let values: usize = inside.map(|row| row.fields.len()).sum();
        u64::try_from(values).unwrap_or(u64::MAX)
    }

    /// Asks for a moment of what is recorded each second, whether or not it is there.
    async fn knock(&mut self) -> Result<(), CommandError> {
        let measurement = self.names.place(crate::domain::schema::BALANCE);
        self.ask(measurement, None, self.period.start, 1).await
    }

    /// Asks for every value of the window and empties it.
    async fn compare(&mut self) -> Result<(), CommandError> {
        let mut times: BTreeMap<(u32, Option<u32>), Vec<i64>> = BTreeMap::new();
        for ((_, _, time), expected) in &self.window {
            let of = times.entry((expected.measurement, expected.park));
            of.or_default().push(*time);
        }
        for ((measurement, park), mut times) in times {
            times.sort_unstable();
            for run in times.chunk_by(|a, b| b - a <= GAP_MS) {
                let (Some(first), Some(last)) = (run.first(), run.last()) else {
                    continue;
                };
                self.ask(measurement, park, *first, last - first + 1)
                    .await?;
            }
        }
        let mut missing: Vec<_> = self.window.drain().collect();
        self.report.missing += u64::try_from(missing.len()).unwrap_or(u64::MAX);
        missing.sort_unstable_by_key(|((series, field, time), _)| (*time, *series, *field));
        let room = EXAMPLES.saturating_sub(self.report.examples.len());
        for (place, expected) in missing.into_iter().take(room) {
            self.note(place, &expected.value, None);
        }
        Ok(())
    }

    /// Reads a run of one measurement back and strikes out what is there.
    async fn ask(
        &mut self,
        measurement: u32,
        park: Option<u32>,
        first: i64,
        length_ms: i64,
    ) -> Result<(), CommandError> {
        let Ok(from) = Timestamp::from_millisecond(first) else {
            return Ok(());
        };
        let (measurement, park) = (
            self.names.name(measurement),
            park.map(|p| self.names.name(p)),
        );
        let query = Query::new(flux(&self.bucket, measurement, park, from, length_ms));
        let records = self.relay.ask("reading back", |client| async move {
            let records = client.query_raw(Some(query)).await?;
            let read: Vec<Read> = records.iter().filter_map(|r| read(&r.values)).collect();
            Ok(read)
        });
        for (series, field, time, found) in records.await? {
            let known = (self.names.known(&series), self.names.known(&field));
            let (Some(series), Some(field)) = known else {
                continue;
            };
            let place = (series, field, time);
            let Some(expected) = self.window.remove(&place) else {
                continue;
            };
            if same(&expected.value, &found) {
                self.report.stored += 1;
            } else {
                self.report.different += 1;
                self.note(place, &expected.value, Some(&found));
            }
        }
        Ok(())
    }

    fn note(&mut self, place: Place, journal: &FieldValue, database: Option<&FieldValue>) {
        let Ok(at) = Timestamp::from_millisecond(place.2) else {
            return;
        };
        if self.report.examples.len() < EXAMPLES {
            self.report.examples.push(Example {
                series: self.names.name(place.0).to_owned(),
                field: self.names.name(place.1).to_owned(),
                at,
                journal: shown(journal),
                database: database.map(shown),
            });
        }
    }
}

fn shown(value: &FieldValue) -> String {
    match value {
        FieldValue::Float(value) => value.to_string(),
        FieldValue::Integer(value) => format!("{value}i"),
        FieldValue::Text(value) => format!("{value:?}"),
        FieldValue::Bool(value) => value.to_string(),
    }
}

/// Whether two values are the same, as far as a float survives a text.
fn same(journal: &FieldValue, database: &FieldValue) -> bool {
    match (journal, database) {
        (FieldValue::Float(a), FieldValue::Float(b)) => {
            (a - b).abs() <= SAME * a.abs().max(b.abs())
        }
        (a, b) => a == b,
    }
}

/// A record as it was read back: series, field, milliseconds, value.
type Read = (String, String, i64, FieldValue);

/// What a record of Flux says; none where it says nothing that could be compared.
fn read(record: &BTreeMap<String, Value>) -> Option<Read> {
    let text = |name: &str| record.get(name).and_then(Value::string);
    let value = match record.get("_value")? {
        Value::Double(value) => FieldValue::Float(value.0),
        Value::Long(value) => FieldValue::Integer(*value),
        Value::String(value) => FieldValue::Text(value.clone()),
        Value::Bool(value) => FieldValue::Bool(*value),
        _ => return None,
    };
    let Value::TimeRFC(time) = record.get("_time")? else {
        return None;
    };
    // Rows are written with whole milliseconds; another one is not ours.
    let time = (time.timestamp_subsec_nanos() % 1_000_000 == 0).then(|| time.timestamp_millis())?;
    let ours = |name: &str| !name.starts_with('_') && name != "result" && name != "table";
    let tags: Vec<(String, String)> = record
        .iter()
        .filter(|(name, _)| ours(name))
        .filter_map(|(name, value)| Some((name.clone(), value.string()?)))
        .collect();
    let tags: Vec<_> = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let series = series_key(&text("_measurement")?, &tags).ok()?;
    Some((series, text("_field")?, time, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_query_names_bucket_period_measurement_and_park() {
        let from = at("2026-06-03T06:00:00Z");
        assert_eq!(
            flux("en\"er${x}gy", "electricity", Some("fanshi"), from, 1_500),
            "from(bucket: \"en\\\"er\\${x}gy\") \
             |> range(start: 2026-06-03T06:00:00Z, stop: 2026-06-03T06:00:01.5Z) \
             |> filter(fn: (r) => r._measurement == \"electricity\" and r.park == \"fanshi\")"
        );
    }

    #[test]
    fn a_period_outside_the_journal_is_refused_with_the_period_there_is() {
        let asked = |from, to| Asked {
            from: at(from),
            to: at(to),
            after: 0,
            upto: 9,
            kept: Some((at("2026-06-02T00:00:00Z"), at("2026-06-03T00:00:00Z"))),
        };
        let before = kept(&asked("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z"));
        assert_eq!(
            before.unwrap_err().to_string(),
            "the journal keeps 2026-06-02T00:00:00Z to 2026-06-03T00:00:00Z; \
             nothing of 2026-05-01T00:00:00Z to 2026-05-02T00:00:00Z is in it"
        );
        assert!(kept(&asked("2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z")).is_err());
        let partly = kept(&asked("2026-06-01T00:00:00Z", "2026-06-02T12:00:00Z")).unwrap();
        assert_eq!(
            partly,
            (at("2026-06-02T00:00:00Z"), at("2026-06-02T12:00:00Z"))
        );
        let mut empty = asked("2026-06-01T00:00:00Z", "2026-06-02T12:00:00Z");
        empty.kept = None;
        assert_eq!(
            kept(&empty).unwrap_err().to_string(),
            "the journal is empty"
        );
    }

    #[test]
    fn floats_may_lose_their_last_digit_and_integers_nothing() {
        let float = |a, b| same(&FieldValue::Float(a), &FieldValue::Float(b));
        assert!(float(1.0, 1.0 + 5e-13) && float(0.0, -0.0) && float(1e300, 1e300));
        assert!(!float(1.0, 1.0 + 5e-12) && !float(0.0, 1e-300));
        let integer = |a, b| same(&FieldValue::Integer(a), &FieldValue::Integer(b));
        assert!(integer(i64::MAX, i64::MAX) && !integer(i64::MAX, i64::MAX - 1));
        assert!(!same(&FieldValue::Integer(1), &FieldValue::Float(1.0)));
    }
}
