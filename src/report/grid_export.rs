//! The grid-export report: what crossed the grid connection, what was generated and
//! used on site, and the heat supplied, interval by interval.
//!
//! Import and export are the registers of the connection's meter: they net within
//! the meter's own integration and are not netted again. A row stands for every
//! settlement interval of the period; one that the ledger does not know is a row of
//! unknowns. A quantity for which the park has no meter is empty throughout and does
//! not spoil the quality of the others.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use crate::domain::boundary::Netting;
use crate::domain::codes::letter;
use crate::domain::flow::{Flow, Known, Stated};
use crate::domain::interval::{Interval, Span};
use crate::domain::provenance::Made;
use crate::domain::quality::{Gaps, Quality, Reason};
use crate::domain::relations::GapPolicy;
use crate::domain::time::{rfc3339, slots};
use crate::domain::units::{MilliwattHours, to_f64};

/// Columns of energy, with the flow in each.
pub const COLUMNS: [(&str, Flow); 5] = [
    ("import_kwh", Flow::Import),
    ("export_kwh", Flow::Export),
    ("generation_kwh", Flow::Generation),
    ("self_consumption_kwh", Flow::SelfConsumption),
    ("heat_supplied_kwh", Flow::Supplied),
];

/// What the report is about.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The park.
    pub park: String,
    /// Its civil time.
    pub time_zone: TimeZone,
    /// Its name for people.
    pub zone_name: String,
    /// Length of an interval in minutes.
    pub settlement_minutes: i64,
    /// First and last local date.
    pub dates: (Date, Date),
    /// The part of the period that is over.
    pub span: Span,
    /// How the numbers came about.
    pub rules: Rules,
}

/// How the numbers of a report came about, as the configuration has it now.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Over which time import and export were netted; none where nobody says.
    pub netting: Option<Netting>,
    /// What the registers at the grid connection count; none where nobody says.
    pub register_mode: Option<String>,
    /// What becomes of gaps; none where nobody says.
    pub gaps: Option<GapPolicy>,
}

impl Rules {
    /// Their keys in a document.
    #[must_use]
    pub fn json(&self) -> serde_json::Map<String, Json> {
        let gaps = self.gaps.map(GapPolicy::names);
        let gaps = gaps
            .map(|(registers, integrals)| json!({"registers": registers, "integrals": integrals}));
        let keys = [
            ("netting", json!(self.netting.map(Netting::name))),
            (
                "netting_window_s",
                json!(self.netting.and_then(Netting::window_s)),
            ),
            ("register_mode", json!(self.register_mode)),
            ("gaps", json!(gaps)),
        ];
        keys.map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .collect()
    }
}

/// One interval of the report.
#[derive(Debug, Clone)]
pub struct Row {
    /// When.
    pub span: Span,
    /// Revision of the interval; 0 where the ledger has none.
    pub revision: i64,
    /// Energies in the order of [`COLUMNS`].
    pub energies: Vec<Stated<MilliwattHours>>,
}

/// The report.
#[derive(Debug, Clone)]
pub struct GridExport {
    /// What it is about.
    pub scope: Scope,
    /// One row an interval.
    pub rows: Vec<Row>,
}

fn not_measured(stated: &Stated<MilliwattHours>) -> bool {
    matches!(stated, Err(gaps) if gaps.is_unconfigured())
}

impl Row {
    /// Worst quality of what the park measures.
    #[must_use]
    pub fn quality(&self) -> Quality {
        self.energies
            .iter()
            .filter(|stated| !not_measured(stated))
            .map(|stated| {
                stated
                    .as_ref()
                    .map_or(Quality::Missing, |known| known.quality)
            })
            .reduce(Quality::worst)
            .unwrap_or(Quality::Missing)
    }

    /// The letter of interval data that fits the row; what is reported is closed.
    #[must_use]
    pub fn letter(&self) -> char {
        let known = self.energies.iter().filter_map(|one| one.as_ref().ok());
        let made = known.fold(Made::NOTHING, |made, one| made.and(one.made));
        letter(self.quality(), made, true)
    }

    /// Least coverage of what the park measures, percent.
    #[must_use]
    pub fn coverage_pct(&self) -> f64 {
        let measured = self.energies.iter().filter(|stated| !not_measured(stated));
        measured
            .map(|stated| stated.as_ref().map_or(0.0, |known| known.coverage_pct))
            .fold(None, |least: Option<f64>, one| {
                Some(least.map_or(one, |least| least.min(one)))
            })
            .unwrap_or(0.0)
    }

    /// Meters that are missing.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let mut meters: Vec<String> = Vec::new();
        for gap in self
            .energies
            .iter()
            .filter_map(|stated| stated.as_ref().err())
            .flat_map(Gaps::list)
        {
            if !gap.meter.is_empty() && !meters.iter().any(|meter| **meter == *gap.meter) {
                meters.push(gap.meter.to_string());
            }
        }
        meters
    }
}

impl GridExport {
    /// The report of a scope from the intervals that the ledger has in it.
    #[must_use]
    pub fn new(scope: Scope, intervals: &[Interval]) -> Self {
        // By both ends: an interval of another length is not this one.
        let by_span: std::collections::BTreeMap<Span, &Interval> = intervals
            .iter()
            .map(|interval| (interval.span, interval))
            .collect();
        let rows = slots(scope.span, &scope.time_zone, scope.settlement_minutes)
            .map(|span| {
                let known = by_span.get(&span);
                let energies = COLUMNS
                    .iter()
                    .map(|(_, flow)| match known {
                        Some(interval) => interval.flows.of(*flow).clone(),
                        None => Err(Gaps::one(&"ledger".into(), Reason::NeverSeen)),
                    })
                    .collect();
                Row {
                    span,
                    revision: known.map_or(0, |known| known.revision),
                    energies,
                }
            })
            .collect();
        Self { scope, rows }
    }

    /// The total of each column; unknown where an interval is.
    #[must_use]
    pub fn totals(&self) -> Row {
        let mut energies = Vec::new();
        for (column, _) in COLUMNS.iter().enumerate() {
            let mut total: Stated<MilliwattHours> = Ok(Known::given(MilliwattHours::ZERO));
            for row in &self.rows {
                let Some(stated) = row.energies.get(column) else {
                    continue;
                };
                total = match (total, stated) {
                    (Ok(sum), Ok(known)) => Ok(Known {
                        value: sum.value + known.value,
                        quality: sum.quality.worst(known.quality),
                        oldest: None,
                        coverage_pct: sum.coverage_pct.min(known.coverage_pct),
                        made: sum.made.and(known.made),
                    }),
                    (Err(mut gaps), Err(more)) => {
                        gaps.join(more);
                        Err(gaps)
                    }
                    (Err(gaps), Ok(_)) => Err(gaps),
                    (Ok(_), Err(gaps)) => Err(gaps.clone()),
                };
            }
            energies.push(if self.rows.is_empty() {
                Err(Gaps::one(&"ledger".into(), Reason::NeverSeen))
            } else {
                total
            });
        }
        Row {
            span: self.scope.span,
            revision: 0,
            energies,
        }
    }

    /// Coverage of the whole period, percent of its time.
    #[must_use]
    pub fn coverage_pct(&self) -> f64 {
        let length: i64 = self.rows.iter().map(|row| row.span.ms()).sum();
        if length == 0 {
            return 0.0;
        }
        self.rows
            .iter()
            .map(|row| row.coverage_pct() * to_f64(row.span.ms()))
            .sum::<f64>()
            / to_f64(length)
    }
}

fn kwh(stated: &Stated<MilliwattHours>) -> Option<String> {
    stated
        .as_ref()
        .ok()
        .map(|known| known.value.to_kwh_string())
}

/// The report as CSV: RFC 3339 with offset, six decimals, empty for unknown, the
/// last row is the total.
#[must_use]
pub fn csv(report: &GridExport) -> String {
    let mut text = String::from("start,end");
    for (name, _) in COLUMNS {
        text.push(',');
        text.push_str(name);
    }
    text.push_str(",quality,coverage_pct\r\n");
    let at = |instant: Timestamp| rfc3339(instant, &report.scope.time_zone);
    let mut line = |start: &str, end: &str, row: &Row, coverage: f64| {
        text.push_str(start);
        text.push(',');
        text.push_str(end);
        for stated in &row.energies {
            text.push(',');
            text.push_str(&kwh(stated).unwrap_or_default());
        }
        text.push_str(&format!(",{},{coverage:.2}\r\n", row.quality().name()));
    };
    // An interval begins where the one before ends, and that is written already.
    let mut last = (Timestamp::MIN, String::new());
    for row in &report.rows {
        let start = if last.0 == row.span.start {
            last.1
        } else {
            at(row.span.start)
        };
        last = (row.span.end, at(row.span.end));
        line(&start, &last.1, row, row.coverage_pct());
    }
    line("total", "", &report.totals(), report.coverage_pct());
    text
}

/// The report as JSON, with what CSV has no room for: revisions, missing meters, and
/// how many intervals each total lacks.
#[must_use]
pub fn json(report: &GridExport) -> String {
    let scope = &report.scope;
    let at = |instant: Timestamp| rfc3339(instant, &scope.time_zone);
    let row = |row: &Row, coverage: f64| {
        let mut object = serde_json::Map::new();
        for ((name, _), stated) in COLUMNS.iter().zip(&row.energies) {
            object.insert(
                (*name).to_owned(),
                kwh(stated).map_or(Json::Null, Json::String),
            );
        }
        object.insert("quality".to_owned(), json!(row.quality().name()));
        object.insert("letter".to_owned(), json!(row.letter()));
        object.insert(
            "coverage_pct".to_owned(),
            json!((coverage * 100.0).round() / 100.0),
        );
        object.insert("missing".to_owned(), json!(row.missing()));
        let provenance: serde_json::Map<String, Json> = COLUMNS
            .iter()
            .zip(&row.energies)
            .filter_map(|((name, _), stated)| {
                let names = stated.as_ref().ok()?.made.names();
                Some(((*name).to_owned(), json!(names)))
            })
            .collect();
        object.insert("provenance".to_owned(), Json::Object(provenance));
        object
    };
    let rows: Vec<Json> = report
        .rows
        .iter()
        .map(|one| {
            let mut object = row(one, one.coverage_pct());
            object.insert("start".to_owned(), json!(at(one.span.start)));
            object.insert("end".to_owned(), json!(at(one.span.end)));
            object.insert("revision".to_owned(), json!(one.revision));
            Json::Object(object)
        })
        .collect();
    let mut total = row(&report.totals(), report.coverage_pct());
    let unknown: serde_json::Map<String, Json> = COLUMNS
        .iter()
        .enumerate()
        .map(|(column, (name, _))| {
            let known = |row: &&Row| row.energies.get(column).is_some_and(Result::is_ok);
            let count = report.rows.iter().filter(|row| !known(row)).count();
            ((*name).to_owned(), json!(count))
        })
        .collect();
    total.insert("intervals".to_owned(), json!(report.rows.len()));
    total.insert("unknown_intervals".to_owned(), Json::Object(unknown));
    let mut document = json!({
        "report": "grid-export",
        "park": scope.park,
        "time_zone": scope.zone_name,
        "from": scope.dates.0.to_string(),
        "to": scope.dates.1.to_string(),
        "settlement_minutes": scope.settlement_minutes,
        "label": "start of interval",
        "rows": rows,
        "total": total,
    });
    if let Some(object) = document.as_object_mut() {
        object.extend(scope.rules.json());
    }
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
#[allow(clippy::as_conversions)]
mod tests {
    use super::*;
    use crate::domain::flow::{Energies, FLOW_COUNT};

    fn scope(date: &str, zone: &str) -> Scope {
        let time_zone = TimeZone::get(zone).unwrap();
        let date: Date = date.parse().unwrap();
        let span = crate::domain::time::day(date, &time_zone).unwrap();
        Scope {
            park: "fanshi".into(),
            time_zone,
            zone_name: zone.into(),
            settlement_minutes: 15,
            dates: (date, date),
            span,
            rules: Rules {
                netting: Some(Netting::Samples(2.0)),
                register_mode: Some("vectorial".to_owned()),
                gaps: GapPolicy::named("even", "estimated"),
            },
        }
    }

    fn interval(span: Span, mwh: Option<i64>) -> Interval {
        let stated = |_| match mwh {
            Some(mwh) => Ok(Known::given(MilliwattHours(mwh))),
            None => Err(Gaps::one(&"pcc".into(), Reason::Timeout)),
        };
        let mut all: [Stated<MilliwattHours>; FLOW_COUNT] = std::array::from_fn(stated);
        all[Flow::Supplied.place()] = Err(Gaps::config());
        Interval {
            span,
            closed: true,
            revision: 1,
            flows: Energies::new(all),
        }
    }

    fn whole_day(date: &str, zone: &str, hole: Option<usize>) -> GridExport {
        let scope = scope(date, zone);
        let all: Vec<Interval> = slots(scope.span, &scope.time_zone, 15)
            .enumerate()
            .map(|(n, span)| interval(span, (Some(n) != hole).then_some(1_234_567)))
            .collect();
        GridExport::new(scope, &all)
    }

    #[test]
    fn a_day_has_a_row_for_every_interval_and_an_exact_total() {
        for (date, zone, n) in [
            ("2026-06-03", "Asia/Shanghai", 96),
            ("2026-03-29", "Europe/Berlin", 92),
            ("2026-10-25", "Europe/Berlin", 100),
        ] {
            let text = csv(&whole_day(date, zone, None));
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), n + 2, "{date} {zone}");
            let expected = MilliwattHours(1_234_567 * n as i64).to_kwh_string();
            assert_eq!(
                lines[n + 1],
                format!("total,,{expected},{expected},{expected},{expected},,good,100.00")
            );
        }
    }

    #[test]
    fn a_row_reads_as_the_interface_says() {
        let text = csv(&whole_day("2026-06-03", "Asia/Shanghai", None));
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some(
                "start,end,import_kwh,export_kwh,generation_kwh,self_consumption_kwh,heat_supplied_kwh,quality,coverage_pct"
            )
        );
        assert_eq!(
            lines.next(),
            Some(
                "2026-06-03T00:00:00+08:00,2026-06-03T00:15:00+08:00,1.234567,1.234567,1.234567,1.234567,,good,100.00"
            )
        );
    }

    #[test]
    fn an_unknown_interval_is_empty_and_so_is_the_total() {
        let report = whole_day("2026-06-03", "Asia/Shanghai", Some(7));
        let text = csv(&report);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[8].ends_with(",,,,,,missing,0.00"), "{}", lines[8]);
        assert!(
            lines[97].starts_with("total,,,,,,,missing,98.96"),
            "{}",
            lines[97]
        );
        let document: Json = serde_json::from_str(&json(&report)).unwrap();
        assert_eq!(
            (&document["netting"], &document["netting_window_s"]),
            (&json!("samples"), &json!(2.0))
        );
        assert_eq!(document["register_mode"], "vectorial");
        assert_eq!(
            document["gaps"],
            json!({"registers": "even", "integrals": "estimated"})
        );
        assert_eq!(document["total"]["unknown_intervals"]["export_kwh"], 1);
        assert_eq!(document["rows"][7]["missing"][0], "pcc");
        assert_eq!(document["rows"][7]["export_kwh"], Json::Null);
    }
}
