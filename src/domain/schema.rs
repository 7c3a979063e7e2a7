//! The one table of what is recorded: measurements, tags, fields and units.
//!
//! Line protocol is written from it, InfluxDB and the audit read by it, and
//! `docs/schema.md` is checked against it by a test. Field types never change;
//! an analog value is always a float, a register's raw count always an integer.
//! A gap is an absent field. Tags are few and stable; no error text is ever a tag.

use super::meter::{Nature, QUANTITIES};

/// Type of a field in line protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// `1.5`
    Float,
    /// `1i`
    Integer,
}

/// A field of a measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: FieldType,
    /// Its unit; empty for a pure number.
    pub unit: &'static str,
    /// What it says.
    pub about: &'static str,
}

/// A measurement: one kind of row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    /// Its name.
    pub name: &'static str,
    /// Its tags, in the order in which they are written.
    pub tags: &'static [&'static str],
    /// What a row is.
    pub about: &'static str,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// Measurements of meter readings; which one, the role says.
pub const METER_MEASUREMENTS: &[(&str, &str)] = &[
    ("electricity", "a reading of an electricity meter"),
    ("heat", "a reading of a heat meter"),
    (
        "conversion",
        "a reading of equipment that turns electricity into heat",
    ),
    ("weather", "a reading of a weather station"),
    ("monitor", "a reading that stands in no balance"),
];
/// Measurement of the flows of each tick.
pub const BALANCE: &str = "balance";
/// Measurement of settlement intervals.
pub const INTERVAL: &str = "interval";
/// Measurement of the daemon's own events: gaps in the journal.
pub const EVENT: &str = "sunledger";

/// Field of the worst quality in a row.
pub const QUALITY: &str = "quality";
/// Field of the reason where a device said nothing.
pub const REASON: &str = "reason";
/// What a register's count is worth: the count field's name, with this in place of `_count`.
pub const WH_PER_COUNT: &str = "_wh_per_count";

/// Every measurement with every field, as recorded.
#[must_use]
pub fn measurements() -> Vec<Measurement> {
    let mut all: Vec<Measurement> = METER_MEASUREMENTS
        .iter()
        .map(|(name, about)| Measurement {
            name,
            tags: &["meter", "park", "role"],
            about,
            fields: reading_fields(),
        })
        .collect();
    all.push(Measurement {
        name: BALANCE,
        tags: &["carrier", "park"],
        about: "the flows at a tick, watt",
        fields: balance_fields(),
    });
    all.push(Measurement {
        name: INTERVAL,
        tags: &["flow", "park", "revision"],
        about: "the energy of one flow in one settlement interval, at its start; a correction is a row of the next revision",
        fields: vec![
            field("wh", FieldType::Float, "Wh", "energy; absent while unknown"),
            field("mwh", FieldType::Integer, "mWh", "the same energy, exact, in milliwatt-hours"),
            field("coverage_pct", FieldType::Float, "%", "part of the interval between readings"),
            field(QUALITY, FieldType::Integer, "", "quality of the energy"),
            field("length_s", FieldType::Integer, "s", "length of the interval"),
        ],
    });
    all.push(Measurement {
        name: EVENT,
        tags: &["park"],
        about: "what happened to the record itself",
        fields: vec![
            field(
                "dropped_points",
                FieldType::Integer,
                "",
                "points the size bound forced out of the journal before every sink had them",
            ),
            field(
                "unrecorded_values",
                FieldType::Integer,
                "",
                "values of meters that were given up because the disk took nothing for too long",
            ),
        ],
    });
    all
}

fn field(name: &str, kind: FieldType, unit: &'static str, about: &'static str) -> Field {
    Field {
        name: name.to_owned(),
        kind,
        unit,
        about,
    }
}

fn reading_fields() -> Vec<Field> {
    let mut fields = Vec::new();
    for quantity in QUANTITIES {
        match quantity.nature {
            Nature::Analog => {
                fields.push(field(quantity.field, FieldType::Float, quantity.unit, ""));
            }
            Nature::Register => {
                fields.push(field(
                    quantity.field,
                    FieldType::Integer,
                    "",
                    "raw count of the register",
                ));
                fields.push(Field {
                    name: wh_per_count(quantity.field),
                    kind: FieldType::Float,
                    unit: "Wh",
                    about: "what one count is worth, multipliers included",
                });
            }
        }
    }
    fields.push(field(
        QUALITY,
        FieldType::Integer,
        "",
        "worst quality of the row; 7 where the device said nothing",
    ));
    fields.push(field(
        REASON,
        FieldType::Integer,
        "",
        "why values are absent",
    ));
    fields
}

/// The field that says what a count is worth: `energy_import_count` has
/// `energy_import_wh_per_count`.
#[must_use]
pub fn wh_per_count(count_field: &str) -> String {
    format!(
        "{}{WH_PER_COUNT}",
        count_field.strip_suffix("_count").unwrap_or(count_field)
    )
}

/// The field of a flow in a balance row.
#[must_use]
pub fn balance_field(live: &str) -> String {
    format!("{live}_w")
}

fn balance_fields() -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for row in &super::flow::FLOWS {
        let name = balance_field(row.live);
        if !fields.iter().any(|field| field.name == name) {
            fields.push(Field {
                name,
                kind: FieldType::Float,
                unit: "W",
                about: "",
            });
        }
    }
    fields.push(field(
        QUALITY,
        FieldType::Integer,
        "",
        "worst quality of the row",
    ));
    fields
}
