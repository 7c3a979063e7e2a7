//! The schema table and `docs/schema.md` say the same, and the table keeps its rules.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sunledger::domain::quality::{QUALITIES, REASONS};
use sunledger::domain::schema::{
    Field, FieldType, METER_MEASUREMENTS, Measurement, QUALITY, REASON, measurements,
};
use sunledger::wire::line_protocol::{Writer, parse, series_key};

/// What stands around the generated part of the page.
const BEGIN: &str = "<!-- from here on generated from src/domain/schema.rs -->\n";

fn fields(into: &mut String, fields: &[Field]) {
    into.push_str("| field | type | unit | says |\n|---|---|---|---|\n");
    for field in fields {
        let kind = match field.kind {
            FieldType::Float => "float",
            FieldType::Integer => "integer",
        };
        let unit = if field.unit.is_empty() {
            "–"
        } else {
            field.unit
        };
        let name = &field.name;
        let _ = writeln!(into, "| `{name}` | {kind} | {unit} | {} |", field.about);
    }
}

fn tags(measurement: &Measurement) -> String {
    let tags: Vec<_> = measurement
        .tags
        .iter()
        .map(|tag| format!("`{tag}`"))
        .collect();
    tags.join(", ")
}

/// The table as a page. Meter readings share their fields, so these stand once.
fn markdown() -> String {
    let mut page = String::from(BEGIN);
    let all = measurements();
    let of_a_meter = |m: &&Measurement| METER_MEASUREMENTS.iter().any(|(name, _)| *name == m.name);
    page.push_str("\n## Readings of meters\n\n| measurement | tags | a row is |\n|---|---|---|\n");
    for measurement in all.iter().filter(of_a_meter) {
        let (name, about) = (measurement.name, measurement.about);
        let _ = writeln!(page, "| `{name}` | {} | {about} |", tags(measurement));
    }
    page.push_str("\nA row has those of these fields that the meter has:\n\n");
    fields(&mut page, &all[0].fields);
    for measurement in all.iter().filter(|m| !of_a_meter(m)) {
        let (name, about) = (measurement.name, measurement.about);
        let _ = writeln!(
            page,
            "\n## `{name}`\n\nA row is {about}. Tags: {}.\n",
            tags(measurement)
        );
        fields(&mut page, &measurement.fields);
    }
    page.push_str("\n## Codes\n\n`quality`: ");
    let qualities = QUALITIES
        .iter()
        .map(|row| format!("{} {}", row.code, row.name));
    page.push_str(&qualities.collect::<Vec<_>>().join(", "));
    page.push_str(".\n\n`reason`: ");
    let reasons = REASONS
        .iter()
        .map(|(reason, name)| format!("{} {name}", reason.code()));
    page.push_str(&reasons.collect::<Vec<_>>().join(", "));
    page.push_str(".\n");
    page
}

#[test]
fn the_page_says_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema.md");
    let page = std::fs::read_to_string(path).unwrap();
    let prose = page
        .split_once(BEGIN)
        .map_or(page.as_str(), |(prose, _)| prose);
    let right = format!("{prose}{}", markdown());
    if page != right {
        let made = concat!(env!("CARGO_TARGET_TMPDIR"), "/schema.md");
        std::fs::write(made, right).unwrap();
        panic!("docs/schema.md is not what the table says; the right page is {made}");
    }
}

#[test]
fn meters_share_their_fields() {
    let all = measurements();
    for (name, _) in METER_MEASUREMENTS {
        let measurement = all.iter().find(|m| m.name == *name).unwrap();
        assert_eq!(measurement.fields, all[0].fields, "{name}");
        assert_eq!(measurement.tags, all[0].tags, "{name}");
    }
}

#[test]
fn tags_are_few_and_sorted_and_no_field_stands_twice() {
    let allowed = [
        "carrier", "flow", "meter", "park", "revision", "role", "sink",
    ];
    for measurement in measurements() {
        let name = measurement.name;
        assert!(measurement.tags.contains(&"park"), "{name}");
        assert!(measurement.tags.is_sorted(), "{name}");
        assert!(
            measurement.tags.iter().all(|tag| allowed.contains(tag)),
            "{name}"
        );
        let names: BTreeSet<_> = measurement.fields.iter().map(|field| &field.name).collect();
        assert_eq!(names.len(), measurement.fields.len(), "{name}");
        for tag in measurement.tags {
            assert!(
                !names.contains(&(*tag).to_owned()),
                "{name}: {tag} is a tag and a field"
            );
        }
    }
}

fn is_count(field: &str) -> bool {
    field.ends_with("_count") && !field.ends_with("_wh_per_count")
}

#[test]
fn quality_and_reason_are_integers_and_counts_are_too() {
    for measurement in measurements() {
        for field in &measurement.fields {
            let code = field.name == QUALITY || field.name == REASON;
            if code || is_count(&field.name) {
                assert_eq!(field.kind, FieldType::Integer, "{}", field.name);
                assert_eq!(field.unit, "", "{}", field.name);
            }
        }
    }
}

#[test]
fn every_name_can_be_written_as_it_stands() {
    for measurement in measurements() {
        let tags: Vec<_> = measurement.tags.iter().map(|tag| (*tag, "x")).collect();
        let key = series_key(measurement.name, &tags).unwrap();
        assert!(!key.contains('\\'), "{key}");
        let mut rows = Writer::default();
        rows.begin(&key);
        for field in &measurement.fields {
            match field.kind {
                FieldType::Float => rows.float(&field.name, 1.0),
                FieldType::Integer => rows.int(&field.name, 1),
            }
        }
        rows.end(1);
        assert!(!rows.text.contains('\\'), "{}", rows.text);
        let row = parse(rows.text.trim_end()).unwrap();
        let names: Vec<_> = measurement.fields.iter().map(|field| &field.name).collect();
        assert_eq!(
            row.fields.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            names
        );
        for field in names {
            assert!(!field.starts_with('_') && field != "time", "{field}");
        }
    }
}
