//! The row in which the daemon reports on itself, so that who looks at many parks sees
//! the one that is not well.
//!
//! It goes the way of every reading: **where nothing is recorded, there is no report**,
//! and its absence is the report. What is not known is an absent field.

use jiff::Timestamp;

use super::{Recorder, key};
use crate::domain::schema;

/// What the daemon knows of itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SelfReport {
    /// Points dropped before every sink had them, in the life of the store.
    pub lost_points: u64,
    /// Blocks found torn or damaged at the start.
    pub damaged_blocks: u64,
    /// Readings that the disk did not take in time.
    pub unwritten_readings: u64,
    /// Size of the journal.
    pub journal_bytes: u64,
    /// Meters that have nothing to say now.
    pub meters_silent: u64,
    /// Seconds since the last report in which the clock was not trusted.
    pub clock_untrusted_s: u64,
    /// Readings lost because too many waited for a trusted clock.
    pub clock_held_lost: u64,
    /// Every sink.
    pub sinks: Vec<SinkReport>,
}

/// What it knows of a sink.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SinkReport {
    /// Its name.
    pub name: String,
    /// Points that it does not have yet.
    pub backlog_points: u64,
    /// Age of the oldest of them, seconds.
    pub oldest_age_s: Option<f64>,
    /// Time since something last arrived, seconds.
    pub last_ok_age_s: Option<f64>,
    /// Rows set aside.
    pub quarantined_rows: u64,
    /// Whether a person has to set something right.
    pub waits_for_person: bool,
}

impl Recorder {
    /// Writes what the daemon reports of itself: a row, and one for each sink.
    pub fn self_report(&mut self, at: Timestamp, report: &SelfReport) {
        let ms = at.as_millisecond();
        let park = std::sync::Arc::clone(&self.park);
        let sinks = &report.sinks;
        self.rows.begin(&key(schema::EVENT, &[("park", &park.id)]));
        self.count(
            "backlog_points",
            sinks.iter().map(|sink| sink.backlog_points).sum(),
        );
        let ages = sinks.iter().filter_map(|sink| sink.oldest_age_s);
        if let Some(oldest) = ages.reduce(f64::max) {
            self.rows.float("oldest_age_s", oldest);
        }
        self.count("lost_points", report.lost_points);
        let aside = sinks.iter().map(|sink| sink.quarantined_rows).sum();
        self.count("quarantined_rows", aside);
        self.count("damaged_blocks", report.damaged_blocks);
        self.count("unwritten_readings", report.unwritten_readings);
        self.count("journal_bytes", report.journal_bytes);
        self.count("meters_silent", report.meters_silent);
        self.count("clock_untrusted_s", report.clock_untrusted_s);
        self.count("clock_held_lost", report.clock_held_lost);
        self.rows.end(ms);
        for sink in sinks {
            let tags = [("park", &*park.id), ("sink", &*sink.name)];
            self.rows.begin(&key(schema::SINK, &tags));
            self.count("backlog_points", sink.backlog_points);
            if let Some(age) = sink.oldest_age_s {
                self.rows.float("oldest_age_s", age);
            }
            if let Some(age) = sink.last_ok_age_s {
                self.rows.float("last_ok_age_s", age);
            }
            self.count("quarantined_rows", sink.quarantined_rows);
            self.count("waits_for_person", u64::from(sink.waits_for_person));
            self.rows.end(ms);
        }
    }

    fn count(&mut self, field: &str, count: u64) {
        self.rows
            .int(field, i64::try_from(count).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::domain::schema::{FieldType, measurements};
    use crate::wire::line_protocol::{FieldValue, ParsedLine, parse};

    fn rows(report: &SelfReport) -> Vec<ParsedLine> {
        let park = Arc::new(crate::domain::meter::Park {
            id: "p".into(),
            name: "P".into(),
            time_zone: jiff::tz::TimeZone::UTC,
            settlement_minutes: 15,
            latitude: 0.0,
            longitude: 0.0,
            meters: Vec::new(),
            every_load_metered: false,
            losses: None,
            relations: crate::domain::relations::Relations::default(),
        });
        let mut recorder = Recorder::new(&park);
        let at = Timestamp::from_second(1_780_468_320).unwrap();
        recorder.self_report(at, report);
        let text = recorder.take().text;
        text.lines().map(|line| parse(line).unwrap()).collect()
    }

    fn report() -> SelfReport {
        SelfReport {
            lost_points: 7,
            damaged_blocks: 1,
            unwritten_readings: 2,
            journal_bytes: 4_096,
            meters_silent: 3,
            clock_untrusted_s: 4,
            clock_held_lost: 5,
            sinks: vec![
                SinkReport {
                    name: "local".into(),
                    backlog_points: 10,
                    oldest_age_s: Some(90.5),
                    last_ok_age_s: Some(91.0),
                    quarantined_rows: 6,
                    waits_for_person: true,
                },
                SinkReport {
                    name: "hall".into(),
                    backlog_points: 30,
                    oldest_age_s: Some(12.0),
                    ..SinkReport::default()
                },
            ],
        }
    }

    #[test]
    fn the_box_sums_its_sinks_and_each_sink_has_a_row() {
        let rows = rows(&report());
        let said = |row: &ParsedLine| -> BTreeMap<String, f64> {
            let number = |value: &FieldValue| match value {
                FieldValue::Float(value) => *value,
                FieldValue::Integer(value) => crate::domain::units::to_f64(*value),
                other => panic!("{other:?}"),
            };
            row.fields
                .iter()
                .map(|(name, value)| (name.clone(), number(value)))
                .collect()
        };
        let expected = [
            ("backlog_points", 40.0),
            ("oldest_age_s", 90.5),
            ("lost_points", 7.0),
            ("quarantined_rows", 6.0),
            ("damaged_blocks", 1.0),
            ("unwritten_readings", 2.0),
            ("journal_bytes", 4_096.0),
            ("meters_silent", 3.0),
            ("clock_untrusted_s", 4.0),
            ("clock_held_lost", 5.0),
        ];
        let expected: BTreeMap<String, f64> = expected
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        assert_eq!(said(&rows[0]), expected);
        assert_eq!(rows[0].tags, [("park".to_owned(), "p".to_owned())]);
        let sinks: Vec<&str> = rows[1..].iter().map(|row| &*row.tags[1].1).collect();
        assert_eq!(sinks, ["local", "hall"]);
        assert_eq!(said(&rows[1])["waits_for_person"], 1.0);
        assert_eq!(said(&rows[2])["waits_for_person"], 0.0);
        assert!(
            !said(&rows[2]).contains_key("last_ok_age_s"),
            "nothing ever arrived"
        );
    }

    #[test]
    fn nothing_waits_is_no_age_rather_than_an_age_of_zero() {
        let rows = rows(&SelfReport::default());
        assert_eq!(rows.len(), 1);
        assert!(
            rows[0]
                .fields
                .iter()
                .all(|(name, _)| name != "oldest_age_s")
        );
        let backlog = ("backlog_points".to_owned(), FieldValue::Integer(0));
        assert!(rows[0].fields.contains(&backlog));
    }

    #[test]
    fn the_rows_are_those_of_the_schema() {
        for row in rows(&report()) {
            let all = measurements();
            let schema = all.iter().find(|one| one.name == row.measurement).unwrap();
            let tags: Vec<&str> = row.tags.iter().map(|(name, _)| &**name).collect();
            assert_eq!(tags, schema.tags);
            for (name, value) in &row.fields {
                let field = schema.fields.iter().find(|field| field.name == *name);
                let kind = match value {
                    FieldValue::Float(_) => FieldType::Float,
                    FieldValue::Integer(_) => FieldType::Integer,
                    other => panic!("{other:?}"),
                };
                assert_eq!(
                    field.unwrap_or_else(|| panic!("{name}")).kind,
                    kind,
                    "{name}"
                );
            }
        }
    }
}
