//! What goes to the journal: every reading, every tick, every settled interval, as
//! line protocol, and a reading back from it.
//!
//! Analog values are floats, a register's reading is its raw count with what one
//! count is worth; a gap is an absent field. A row's key is unique: two answers of
//! one meter in the same millisecond are a millisecond apart in the record.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::flow::{FLOWS, Powers};
use crate::domain::interval::Interval;
use crate::domain::meter::{Carrier, MeterIndex, Park, PointIndex, RegisterKind};
use crate::domain::quality::{Quality, Reason};
use crate::domain::schema;
use crate::domain::snapshot::{Reading, Value};
use crate::domain::units::CountUnit;
use crate::engine::MeterNow;
use crate::wire::line_protocol::plain::Number;
use crate::wire::line_protocol::{FieldValue, ParsedLine, Writer, series_key};

/// Key of the recorder's row among the rows of state; no meter has it.
pub const RECORDER_STATE: &str = ":written";

/// The fields of a point in a row.
struct PointFields {
    value: &'static str,
    /// For a register: the field of what a count is worth, and that worth.
    worth: Option<Worth>,
}

/// What a count is worth, as a row says it.
struct Worth {
    field: String,
    wh: f64,
    /// Whether the device tells it, so that a row may say another.
    told: bool,
    /// Bits of the register, where its worth is told.
    bits: u8,
}

impl Worth {
    fn new(field: &str, register: RegisterKind) -> Self {
        let mut widths = [16_u8, 32].into_iter();
        let bits = widths.find(|bits| register.modulus == Some(1 << *bits));
        Self {
            field: schema::wh_per_count(field),
            wh: register.unit.as_watt_hours(),
            told: register.told,
            bits: bits.unwrap_or(0),
        }
    }

    /// A count back from its row, if it counts as it does today.
    fn read_back(&self, count: i64, wh: f64) -> Option<Value> {
        if self.told {
            return Some(Value::Scaled {
                count,
                unit: CountUnit::from_watt_hours(wh)?,
                bits: self.bits,
            });
        }
        (wh == self.wh).then_some(Value::Count(count))
    }
}

struct MeterRows {
    key: String,
    points: Vec<PointFields>,
    last_ms: i64,
}

/// A number in a meter's row.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cell {
    /// What a point says.
    Value(PointIndex),
    /// What a count of it is worth.
    Worth(PointIndex),
    Quality,
    Reason,
}

impl MeterRows {
    /// The field of a cell; none where the row has no such cell.
    fn name(&self, cell: Cell) -> Option<&str> {
        match cell {
            Cell::Value(point) => Some(self.points.get(point)?.value),
            Cell::Worth(point) => Some(&self.points.get(point)?.worth.as_ref()?.field),
            Cell::Quality => Some(schema::QUALITY),
            Cell::Reason => Some(schema::REASON),
        }
    }
}

/// Writes rows of a park.
pub struct Recorder {
    park: Arc<Park>,
    meters: Vec<MeterRows>,
    balances: Vec<(Carrier, String)>,
    rows: Writer,
    /// The time of the newest block.
    block_ms: i64,
}

/// Rows that were written since the last time.
#[derive(Debug, Default)]
pub struct Rows {
    /// Line protocol, milliseconds, each line ended.
    pub text: String,
    /// Values in it.
    pub points: u32,
}

impl Recorder {
    /// A recorder for a park.
    #[must_use]
    pub fn new(park: &Arc<Park>) -> Self {
        let meters = park
            .meters
            .iter()
            .map(|meter| MeterRows {
                key: key(
                    meter.role.measurement,
                    &[
                        ("meter", &meter.id),
                        ("park", &park.id),
                        ("role", meter.role.name),
                    ],
                ),
                points: meter
                    .points
                    .iter()
                    .map(|point| PointFields {
                        value: point.quantity.field,
                        worth: point
                            .register
                            .map(|register| Worth::new(point.quantity.field, register)),
                    })
                    .collect(),
                last_ms: i64::MIN,
            })
            .collect();
        let balance = |carrier, name| {
            (
                carrier,
                key(schema::BALANCE, &[("carrier", name), ("park", &park.id)]),
            )
        };
        // A park without a heat meter has no heat balance to record.
        let metered = |carrier| {
            let mut meters = park.meters.iter();
            meters.any(|meter| meter.role.term(carrier).is_some())
        };
        let carriers = [
            (Carrier::Electricity, "electricity"),
            (Carrier::Heat, "heat"),
        ];
        let metered = carriers
            .into_iter()
            .filter(|(carrier, _)| metered(*carrier));
        Self {
            meters,
            balances: metered
                .map(|(carrier, name)| balance(carrier, name))
                .collect(),
            park: Arc::clone(park),
            rows: Writer::default(),
            block_ms: i64::MIN,
        }
    }

    /// Gives a reading the millisecond under which it is recorded: its own, or the
    /// next one after the meter's last row.
    pub fn stamp(&mut self, reading: &mut Reading) {
        let Some(meter) = self.meters.get_mut(reading.meter) else {
            return;
        };
        let ms = reading
            .at
            .as_millisecond()
            .max(meter.last_ms.saturating_add(1));
        meter.last_ms = ms;
        reading.at = Timestamp::from_millisecond(ms).unwrap_or(reading.at);
    }

    /// Never stamps a row with a time that an earlier run has: up to the newest of its
    /// blocks, or beyond that where `left`, its rows of state, says so.
    pub fn begin_after(&mut self, at: Option<Timestamp>, left: &[(String, String)]) {
        let Some(at) = at else { return };
        self.block_ms = at.as_millisecond();
        let left = left.iter().find(|(key, _)| key == RECORDER_STATE);
        let beyond: BTreeMap<String, i64> = left
            .and_then(|(_, json)| serde_json::from_str(json).ok())
            .unwrap_or_default();
        for (meter, rows) in self.park.meters.iter().zip(&mut self.meters) {
            let newest = beyond.get(&*meter.id).copied().unwrap_or(i64::MIN);
            rows.last_ms = rows.last_ms.max(at.as_millisecond()).max(newest);
        }
    }

    /// Takes note of a row that an earlier run wrote.
    pub fn has_row(&mut self, line: &ParsedLine) {
        let meter = line.tags.iter().find(|(key, _)| key == "meter");
        let index = meter.and_then(|(_, id)| self.park.meter(id));
        if let Some(rows) = index.and_then(|index| self.meters.get_mut(index)) {
            rows.last_ms = rows.last_ms.max(line.time_ms);
        }
    }

    /// Start and revision of the settled interval that a row is about.
    #[must_use]
    pub fn interval_of(&self, line: &ParsedLine) -> Option<(Timestamp, i64)> {
        let tag = |name: &str| line.tags.iter().find(|(key, _)| key == name);
        if line.measurement != schema::INTERVAL || tag("park")?.1 != *self.park.id {
            return None;
        }
        let start = Timestamp::from_millisecond(line.time_ms).ok()?;
        Some((start, tag("revision")?.1.parse().ok()?))
    }

    /// The row of state that goes with what is about to be handed over at `at`: which
    /// meters have rows beyond the newest block.
    ///
    /// A block that a broker waits for goes between two ticks under the time of the tick
    /// before, and what came all at once stands a millisecond apart, ahead of its time.
    /// Where nothing was written there is no block, and the one before stays the newest.
    pub fn state(&mut self, at: Timestamp) -> (String, String) {
        if self.waiting() > 0 {
            self.block_ms = at.as_millisecond();
        }
        let meters = self.park.meters.iter().zip(&self.meters);
        let beyond: BTreeMap<&str, i64> = meters
            .filter(|(_, rows)| rows.last_ms > self.block_ms)
            .map(|(meter, rows)| (&*meter.id, rows.last_ms))
            .collect();
        let json = serde_json::to_string(&beyond).unwrap_or_default();
        (RECORDER_STATE.to_owned(), json)
    }

    /// Writes a reading.
    pub fn reading(&mut self, reading: &Reading) {
        self.write(reading, None);
    }

    /// Writes a reading that is of a time gone by, and of which one is known: marked stale,
    /// and read back by [`Self::read_late`] alone.
    pub fn late(&mut self, reading: &Reading) {
        self.write(reading, Some((Quality::Stale, None)));
    }

    /// Writes one of a time gone by that nobody knows, under the time when it came: marked
    /// stale because of the clock, and never read back.
    pub fn undated(&mut self, reading: &Reading) {
        self.write(reading, Some((Quality::Stale, Some(Reason::Clock))));
    }

    fn write(&mut self, reading: &Reading, marked: Option<(Quality, Option<Reason>)>) {
        let Some(meter) = self.meters.get(reading.meter) else {
            return;
        };
        self.rows.begin(&meter.key);
        let mut missing: Option<Reason> = None;
        for (point, said) in &reading.values {
            let Some(fields) = meter.points.get(*point) else {
                continue;
            };
            match said {
                Ok(Value::Analog(value)) => self.rows.float(fields.value, *value),
                Ok(Value::Count(count)) => {
                    self.rows.int(fields.value, *count);
                    if let Some(worth) = &fields.worth {
                        self.rows.float(&worth.field, worth.wh);
                    }
                }
                Ok(Value::Scaled { count, unit, .. }) => {
                    self.rows.int(fields.value, *count);
                    if let Some(worth) = &fields.worth {
                        self.rows.float(&worth.field, unit.as_watt_hours());
                    }
                }
                Err(reason) => missing = Some(*reason),
            }
        }
        // The worst of the row: a value that the device refused is missing, whatever
        // stands beside it.
        let worst = missing.map_or(Quality::Good, |_| Quality::Missing);
        let (quality, why) = marked.unwrap_or((worst, None));
        self.rows.int(schema::QUALITY, quality.code());
        if let Some(reason) = why.or(missing) {
            self.rows.int(schema::REASON, reason.code());
        }
        self.rows.end(reading.at.as_millisecond());
    }

    /// Writes the flows of a tick.
    pub fn balance(&mut self, at: Timestamp, powers: &Powers) {
        for (carrier, key) in &self.balances {
            self.rows.begin(key);
            let mut worst: Option<Quality> = None;
            for ((row, stated), field) in powers.iter().zip(&*BALANCE_FIELDS) {
                if row.carrier != *carrier {
                    continue;
                }
                match stated {
                    Ok(known) => {
                        self.rows.float(field, known.value);
                        let one = known.quality;
                        worst = Some(worst.map_or(one, |worst| worst.worst(one)));
                    }
                    // What the park does not measure at all does not spoil the rest.
                    Err(gaps) if gaps.is_unconfigured() => (),
                    Err(_) => worst = Some(Quality::Missing),
                }
            }
            let worst = worst.unwrap_or(Quality::Missing);
            self.rows.int(schema::QUALITY, worst.code());
            self.rows.end(at.as_millisecond());
        }
    }

    /// Writes a settled interval: one row a flow and revision.
    pub fn interval(&mut self, interval: &Interval) {
        let revision = interval.revision.to_string();
        for (row, stated) in interval.flows.iter() {
            let tags = [
                ("flow", row.name),
                ("park", &*self.park.id),
                ("revision", &*revision),
            ];
            self.rows.begin(&key(schema::INTERVAL, &tags));
            if let Ok(known) = stated {
                self.rows.float("wh", known.value.as_watt_hours());
                self.rows.int("mwh", known.value.0);
                self.rows.float("coverage_pct", known.coverage_pct);
            }
            let quality = stated
                .as_ref()
                .map_or(Quality::Missing, |known| known.quality);
            self.rows.int(schema::QUALITY, quality.code());
            self.rows.int("length_s", interval.span.ms() / 1_000);
            self.rows.end(interval.span.start.as_millisecond());
        }
    }

    /// Writes what a tick says of the meters that are computed from others, each as often
    /// as the slowest meter that it rests on is read.
    pub fn derived(&mut self, at: Timestamp, meters: &[MeterNow]) {
        let park = Arc::clone(&self.park);
        for (place, (meter, now)) in park.meters.iter().zip(meters).enumerate() {
            let every_s = i64::try_from(meter.period.as_secs()).unwrap_or(1).max(1);
            let is_due = at.as_second().rem_euclid(every_s) == 0;
            if !is_due || !park.relations.is_computed(&meter.id) {
                continue;
            }
            let Some(rows) = self.meters.get(place) else {
                continue;
            };
            self.rows.begin(&rows.key);
            if let (Some(watts), Some(power)) = (now.power_w, rows.points.first()) {
                self.rows.float(power.value, watts);
            }
            self.rows.int(schema::QUALITY, now.quality.code());
            if let Some(reason) = now.reason {
                self.rows.int(schema::REASON, reason.code());
            }
            self.rows.end(at.as_millisecond());
        }
    }

    /// Writes that the journal had to drop points.
    pub fn dropped(&mut self, at: Timestamp, points: u64) {
        self.rows
            .begin(&key(schema::EVENT, &[("park", &self.park.id)]));
        self.rows
            .int(schema::DROPPED, i64::try_from(points).unwrap_or(i64::MAX));
        self.rows.end(at.as_millisecond());
    }

    /// Writes that values of meters were given up before they were recorded.
    pub fn unrecorded(&mut self, at: Timestamp, values: u64) {
        self.rows
            .begin(&key(schema::EVENT, &[("park", &self.park.id)]));
        let values = i64::try_from(values).unwrap_or(i64::MAX);
        self.rows.int(schema::UNRECORDED, values);
        self.rows.end(at.as_millisecond());
    }

    /// Bytes written and not taken.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.rows.text.len()
    }

    /// Takes the rows written since the last time.
    pub fn take(&mut self) -> Rows {
        let rows = std::mem::take(&mut self.rows);
        Rows {
            points: u32::try_from(rows.points).unwrap_or(u32::MAX),
            text: rows.text,
        }
    }

    /// A reading back from its row; none for rows of another kind, of another park's
    /// meter, or of a register that counts differently from today's configuration.
    #[must_use]
    pub fn read_back(&self, line: &ParsedLine) -> Option<Reading> {
        self.read_marked(line, false)
    }

    /// What a row of [`Recorder::late`] contains, besides others.
    pub const LATE_MARK: &str = "quality=5i";

    /// A reading back that came too late to be booked at its time.
    #[must_use]
    pub fn read_late(&self, line: &ParsedLine) -> Option<Reading> {
        self.read_marked(line, true)
    }

    fn read_marked(&self, line: &ParsedLine, late: bool) -> Option<Reading> {
        let index = self.meter_of(line)?;
        let rows = self.meters.get(index)?;
        let number = |cell: Cell| {
            let name = rows.name(cell)?;
            let field = line.fields.iter().find(|(key, _)| key == name)?;
            match field.1 {
                FieldValue::Float(value) => Some(Number::Float(value)),
                FieldValue::Integer(value) => Some(Number::Integer(value)),
                FieldValue::Text(_) | FieldValue::Bool(_) => None,
            }
        };
        let (reading, is_late) = self.reading_of(index, line.time_ms, number, Vec::new())?;
        (is_late == late).then_some(reading)
    }

    /// The meter that a row is of; none for a row of another kind, and for what is
    /// computed, which is computed again.
    fn meter_of(&self, line: &ParsedLine) -> Option<MeterIndex> {
        let mut measurements = schema::METER_MEASUREMENTS.iter();
        if !measurements.any(|(name, _)| *name == line.measurement) {
            return None;
        }
        let (_, id) = line.tags.iter().find(|(key, _)| key == "meter")?;
        let is_read = !self.park.relations.is_computed(id);
        self.park.meter(id).filter(|_| is_read)
    }

    /// What the numbers of a row come to, and whether it came too late to be booked.
    /// `values` is empty, and may have memory.
    fn reading_of(
        &self,
        index: MeterIndex,
        time_ms: i64,
        number: impl Fn(Cell) -> Option<Number>,
        mut values: Vec<(PointIndex, Result<Value, Reason>)>,
    ) -> Option<(Reading, bool)> {
        let rows = self.meters.get(index)?;
        let late = number(Cell::Quality) == Some(Number::Integer(Quality::Stale.code()));
        let undated = Some(Number::Integer(Reason::Clock.code()));
        if late && number(Cell::Reason) == undated {
            return None;
        }
        for (point, fields) in rows.points.iter().enumerate() {
            let said = match (number(Cell::Value(point)), &fields.worth) {
                (Some(Number::Float(value)), None) => Value::Analog(value),
                (Some(Number::Integer(count)), Some(worth)) => match number(Cell::Worth(point)) {
                    Some(Number::Float(wh)) => match worth.read_back(count, wh) {
                        Some(value) => value,
                        None => continue,
                    },
                    _ => continue,
                },
                _ => continue,
            };
            values.push((point, Ok(said)));
        }
        if values.is_empty() {
            let reason = match number(Cell::Reason) {
                Some(Number::Integer(code)) => Reason::from_code(code)?,
                _ => return None,
            };
            values.extend((0..rows.points.len()).map(|point| (point, Err(reason))));
        }
        let reading = Reading {
            meter: index,
            at: Timestamp::from_millisecond(time_ms).ok()?,
            values,
        };
        Some((reading, late))
    }
}

/// Field names of the flows, in the order of [`FLOWS`].
static BALANCE_FIELDS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| {
    FLOWS
        .iter()
        .map(|row| schema::balance_field(row.live))
        .collect()
});

/// The key of a series. Names are checked when the configuration is read; one that
/// still can not be written is recorded under `unnamed` and not lost.
fn key(measurement: &str, tags: &[(&str, &str)]) -> String {
    series_key(measurement, tags).unwrap_or_else(|_| format!("{measurement},park=unnamed"))
}

#[path = "read_back.rs"]
mod read_back;
#[path = "self_report.rs"]
mod self_report;
pub use read_back::ReadBack;
pub use self_report::{SelfReport, SinkReport};

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
