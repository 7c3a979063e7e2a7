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
/// Measurement of the daemon itself: its report on each minute, and gaps in the journal.
pub const EVENT: &str = "sunledger";
/// Measurement of its sinks, in the same report.
pub const SINK: &str = "sunledger_sink";
/// Field of a gap: points that were dropped.
pub const DROPPED: &str = "dropped_points";
/// Field of a gap: values that were never recorded.
pub const UNRECORDED: &str = "unrecorded_values";

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
        about: "the daemon on itself, each minute; or a gap: what was dropped, and nothing else",
        fields: report_fields(),
    });
    all.push(Measurement {
        name: SINK,
        tags: &["park", "sink"],
        about: "the same report on one sink",
        fields: sink_fields(),
    });
    all
}

/// Whether a field of [`EVENT`] tells of a gap; its row has nothing else.
#[must_use]
pub fn is_gap(field: &str) -> bool {
    field == DROPPED || field == UNRECORDED
}

fn report_fields() -> Vec<Field> {
    use FieldType::{Float, Integer};
    #[rustfmt::skip]
    let rows = [
        ("backlog_points",    Integer, "",   "points in the journal that a sink does not have yet, over all sinks"),
        ("oldest_age_s",      Float,   "s",  "age of the oldest of them; absent where none waits"),
        ("lost_points",       Integer, "",   "points the size bound forced out before every sink had them, in the life of the store"),
        ("quarantined_rows",  Integer, "",   "rows set aside because a server refuses them, since the start"),
        ("damaged_blocks",    Integer, "",   "blocks of the journal found torn or damaged at the start"),
        ("unwritten_readings",Integer, "",   "readings the disk did not take in time, since the start"),
        ("journal_bytes",     Integer, "B",  "size of the journal"),
        ("meters_silent",     Integer, "",   "meters that have nothing to say now"),
        ("clock_untrusted_s", Integer, "s",  "seconds since the last report in which the clock was not trusted"),
        ("clock_held_lost",   Integer, "",   "readings lost because too many waited for a trusted clock, since the start"),
        (DROPPED,             Integer, "",   "a gap: points the size bound forced out of the journal before every sink had them"),
        (UNRECORDED,          Integer, "",   "a gap: values of meters that were given up because the disk took nothing for too long"),
    ];
    rows.map(|(name, kind, unit, about)| field(name, kind, unit, about))
        .into()
}

fn sink_fields() -> Vec<Field> {
    use FieldType::{Float, Integer};
    #[rustfmt::skip]
    let rows = [
        ("backlog_points",   Integer, "",  "points in the journal that it does not have yet"),
        ("oldest_age_s",     Float,   "s", "age of the oldest of them; absent where none waits"),
        ("last_ok_age_s",    Float,   "s", "time since something last arrived there; absent before the first time"),
        ("quarantined_rows", Integer, "",  "rows set aside because it refuses them, since the start"),
        ("waits_for_person", Integer, "",  "1 while delivery waits for something that a person has to set right, else 0"),
    ];
    rows.map(|(name, kind, unit, about)| field(name, kind, unit, about))
        .into()
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
