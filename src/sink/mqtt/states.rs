//! What rows of the journal come to for subscribers: pure.
//!
//! ```text
//!   rows ──▶ balance, meters, health: the newest of each, once ──▶ retained
//!       └──▶ settled intervals: each, in order ───────────────▶ not retained
//! ```
//!
//! A retained topic shows a state, and of a state the newest is enough: what a newer
//! one replaced before it went out is passed over, counted. A settled interval is an
//! entry in the books: **none is passed over, and their order stays.** A number that is
//! not known is `null`, never 0, and one that nobody has renewed for as long as it
//! stands becomes `null`, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::topics::Topics;
use crate::domain::flow::FLOWS;
use crate::domain::meter::{Carrier, Freshness, Meter, Nature, Park};
use crate::domain::quality::{Quality, Reason};
use crate::domain::schema;
use crate::wire::line_protocol::{FieldValue, ParsedLine};

/// A message for the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// What it says.
    pub payload: String,
    /// Whether the broker keeps it for whoever subscribes.
    pub retain: bool,
}

/// What became of a row.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// A settled interval: it goes out.
    Settled(Message),
    /// It is the newest of its topic now.
    Newest,
    /// It is the newest, and another that had not gone out yet is passed over for it.
    Replaced,
    /// It is the newest, and was read before.
    Known,
    /// A newer one is known, or nobody subscribes to such rows.
    PassedOver,
}

/// A number of a state, and when it was said.
#[derive(Debug, Clone)]
struct Cell {
    /// Its field in the row.
    field: String,
    /// What a count of it is worth stands in this field; none for an analog value.
    worth: Option<String>,
    /// Its name in the message.
    name: String,
    said: Option<(Json, i64)>,
}

/// A retained topic.
#[derive(Debug)]
struct State {
    topic: String,
    cells: Vec<Cell>,
    /// What stands in every message.
    fixed: Vec<(&'static str, Json)>,
    /// How long a number stands, ms; none: until the next one.
    stands_ms: Option<i64>,
    /// Whether a late reading is no state.
    refuses_late: bool,
    /// Whether quality is said.
    judged: bool,
    at_ms: Option<i64>,
    quality: Option<Quality>,
    reason: Option<Reason>,
    waits: bool,
}

/// Every state of a park.
#[derive(Debug)]
pub struct States {
    park: Arc<Park>,
    topics: Topics,
    states: Vec<State>,
    /// Places among the states, by measurement and tag.
    places: BTreeMap<(String, String), usize>,
}

/// How long a balance stands: it is struck each second.
pub const BALANCE_STANDS_S: i64 = 60;

/// The carriers, as rows name them.
pub const CARRIERS: [(Carrier, &str); 2] = [
    (Carrier::Electricity, "electricity"),
    (Carrier::Heat, "heat"),
];

/// The name of a field in messages: a register says its energy, not its count.
#[must_use]
pub fn message_name(field: &str, nature: Nature) -> String {
    match (nature, field.strip_suffix("_count")) {
        (Nature::Register, Some(register)) => format!("{register}_wh"),
        _ => field.to_owned(),
    }
}

impl State {
    fn new(topic: String, cells: Vec<Cell>) -> Self {
        Self {
            topic,
            cells,
            fixed: Vec::new(),
            stands_ms: None,
            refuses_late: false,
            judged: true,
            at_ms: None,
            quality: None,
            reason: None,
            waits: false,
        }
    }

    fn of_meter(topics: &Topics, park: &Park, meter: &Meter) -> Self {
        let cells = meter.points.iter().map(|point| {
            let (field, nature) = (point.quantity.field, point.quantity.nature);
            Cell {
                field: field.to_owned(),
                worth: (nature == Nature::Register).then(|| schema::wh_per_count(field)),
                name: message_name(field, nature),
                said: None,
            }
        });
        Self {
            fixed: vec![("role", meter.role.name.into())],
            stands_ms: match meter.freshness {
                Freshness::Within(stands) => i64::try_from(stands.as_millis()).ok(),
                Freshness::UntilChanged => None,
            },
            refuses_late: !park.relations.is_computed(&meter.id),
            ..Self::new(topics.meter(&meter.id), cells.collect())
        }
    }

    fn of_balance(topics: &Topics, carrier: Carrier, name: &str) -> Self {
        let flows = FLOWS.iter().filter(|row| row.carrier == carrier);
        let cells = flows.map(|row| Cell::plain(&schema::balance_field(row.live)));
        Self {
            stands_ms: Some(BALANCE_STANDS_S * 1_000),
            ..Self::new(topics.balance(name), cells.collect())
        }
    }

    /// What the daemon reports of itself; without a judgement, for it is none of a reading.
    fn of_report(topic: String, measurement: &str) -> Self {
        let all = schema::measurements();
        let fields = all.into_iter().find(|one| one.name == measurement);
        let fields = fields.map(|one| one.fields).unwrap_or_default();
        let fields = fields.iter().filter(|field| !schema::is_gap(&field.name));
        let cells = fields.map(|field| Cell::plain(&field.name)).collect();
        Self {
            judged: false,
            ..Self::new(topic, cells)
        }
    }

    /// Takes in a row.
    fn take(&mut self, row: &ParsedLine) -> Taken {
        let code = |name: &str| match field(row, name) {
            Some(FieldValue::Integer(code)) => Some(*code),
            _ => None,
        };
        let quality = code(schema::QUALITY).and_then(Quality::from_code);
        let has_value = self
            .cells
            .iter()
            .any(|cell| field(row, &cell.field).is_some());
        let late = self.refuses_late && quality == Some(Quality::Stale) && has_value;
        if late || self.at_ms.is_some_and(|at| row.time_ms < at) {
            return Taken::PassedOver;
        }
        // No two rows of a series have one time: it is the same row.
        if self.at_ms == Some(row.time_ms) {
            return Taken::Known;
        }
        let incomplete = quality == Some(Quality::Missing) || quality == Some(Quality::Stale);
        for cell in &mut self.cells {
            match cell.read(row) {
                Some(number) => cell.said = Some((number, row.time_ms)),
                // A message of a sensor may be of one point alone; a row that lacks
                // what it should have is marked.
                None if incomplete || !self.judged => cell.said = None,
                None => (),
            }
        }
        self.at_ms = Some(row.time_ms);
        self.quality = quality;
        self.reason = code(schema::REASON).and_then(Reason::from_code);
        if std::mem::replace(&mut self.waits, true) {
            Taken::Replaced
        } else {
            Taken::Newest
        }
    }

    /// Forgets numbers that have stood for too long.
    fn expire(&mut self, now_ms: i64) {
        let Some(stands_ms) = self.stands_ms else {
            return;
        };
        for cell in &mut self.cells {
            let too_old = |(_, at_ms): &(Json, i64)| now_ms.saturating_sub(*at_ms) > stands_ms;
            if cell.said.as_ref().is_some_and(too_old) {
                cell.said = None;
                self.quality = Some(Quality::Missing);
                self.reason = Some(Reason::Stale);
                self.waits = true;
            }
        }
    }

    fn message(&self, park: &Park) -> Message {
        let mut body = Map::new();
        body.insert(
            "at".into(),
            self.at_ms.map_or(Json::Null, |ms| time(park, ms)),
        );
        for (name, value) in &self.fixed {
            body.insert((*name).into(), value.clone());
        }
        if self.judged {
            let quality = self.quality.unwrap_or(Quality::Missing);
            body.insert("quality".into(), quality.name().into());
            let reason = self.reason.map(Reason::name);
            body.insert("reason".into(), reason.map_or(Json::Null, Json::from));
        }
        for cell in &self.cells {
            let number = cell.said.as_ref().map(|(number, _)| number.clone());
            body.insert(cell.name.clone(), number.unwrap_or(Json::Null));
        }
        Message {
            topic: self.topic.clone(),
            payload: Json::Object(body).to_string(),
            retain: true,
        }
    }
}

impl Cell {
    /// A field that stands in the message as it is.
    fn plain(name: &str) -> Self {
        Self {
            field: name.to_owned(),
            worth: None,
            name: name.to_owned(),
            said: None,
        }
    }

    fn read(&self, row: &ParsedLine) -> Option<Json> {
        match (field(row, &self.field)?, &self.worth) {
            (FieldValue::Float(value), None) => finite(*value),
            (FieldValue::Integer(value), None) => Some((*value).into()),
            (FieldValue::Integer(count), Some(worth)) => match field(row, worth)? {
                FieldValue::Float(wh) => finite(crate::domain::units::to_f64(*count) * wh),
                _ => None,
            },
            _ => None,
        }
    }
}

impl States {
    /// The states of a park, of which nothing is known.
    #[must_use]
    pub fn new(park: &Arc<Park>, topics: &Topics, sinks: &[String]) -> Self {
        let mut states = Vec::new();
        let mut places = BTreeMap::new();
        let mut add = |measurement: &str, tag: &str, state| {
            places.insert((measurement.to_owned(), tag.to_owned()), states.len());
            states.push(state);
        };
        for (carrier, name) in CARRIERS {
            let state = State::of_balance(topics, carrier, name);
            add(schema::BALANCE, name, state);
        }
        for meter in &park.meters {
            let state = State::of_meter(topics, park, meter);
            add(meter.role.measurement, &meter.id, state);
        }
        add(
            schema::EVENT,
            "",
            State::of_report(topics.health(), schema::EVENT),
        );
        for sink in sinks {
            let state = State::of_report(topics.sink_health(sink), schema::SINK);
            add(schema::SINK, sink, state);
        }
        Self {
            park: Arc::clone(park),
            topics: topics.clone(),
            states,
            places,
        }
    }

    /// Takes in a row.
    pub fn take(&mut self, row: &ParsedLine) -> Taken {
        if row.measurement == schema::INTERVAL {
            return self.settled(row).map_or(Taken::PassedOver, Taken::Settled);
        }
        // A marker of a gap stands among the reports, and is none.
        if row.measurement == schema::EVENT
            && row.fields.iter().any(|(name, _)| schema::is_gap(name))
        {
            return Taken::PassedOver;
        }
        let tag = ["meter", "carrier", "sink"]
            .iter()
            .find_map(|key| tag(row, key));
        let key = (row.measurement.clone(), tag.unwrap_or_default().to_owned());
        let state = self
            .places
            .get(&key)
            .and_then(|place| self.states.get_mut(*place));
        state.map_or(Taken::PassedOver, |state| state.take(row))
    }

    /// Forgets numbers that nobody has renewed up to `now_ms` for as long as they stand.
    pub fn expire(&mut self, now_ms: i64) {
        for state in &mut self.states {
            state.expire(now_ms);
        }
    }

    /// The states that have not gone out yet.
    pub fn waiting(&mut self) -> Vec<Message> {
        let park = Arc::clone(&self.park);
        let waits = self.states.iter_mut().filter(|state| state.waits);
        waits
            .map(|state| {
                state.waits = false;
                state.message(&park)
            })
            .collect()
    }

    /// Every state that is known goes out again: nobody knows what the broker has.
    pub fn again(&mut self) {
        for state in &mut self.states {
            state.waits = state.at_ms.is_some();
        }
    }

    fn settled(&self, row: &ParsedLine) -> Option<Message> {
        let flow = tag(row, "flow")?;
        let revision: i64 = tag(row, "revision")?.parse().ok()?;
        let integer = |name: &str| match field(row, name) {
            Some(FieldValue::Integer(value)) => Some(*value),
            _ => None,
        };
        let float = |name: &str| match field(row, name) {
            Some(FieldValue::Float(value)) => finite(*value),
            _ => None,
        };
        let end_ms = row
            .time_ms
            .checked_add(integer("length_s")?.checked_mul(1_000)?)?;
        let quality = integer(schema::QUALITY).and_then(Quality::from_code);
        let body = json!({
            "start": time(&self.park, row.time_ms),
            "end": time(&self.park, end_ms),
            "flow": flow,
            "revision": revision,
            "wh": float("wh"),
            "mwh": integer("mwh"),
            "coverage_pct": float("coverage_pct"),
            "quality": quality.unwrap_or(Quality::Missing).name(),
        });
        Some(Message {
            topic: self.topics.interval(flow),
            payload: body.to_string(),
            retain: false,
        })
    }
}

fn field<'a>(row: &'a ParsedLine, name: &str) -> Option<&'a FieldValue> {
    let found = row.fields.iter().find(|(key, _)| key == name)?;
    Some(&found.1)
}

fn tag<'a>(row: &'a ParsedLine, name: &str) -> Option<&'a str> {
    let found = row.tags.iter().find(|(key, _)| key == name)?;
    Some(&found.1)
}

fn finite(value: f64) -> Option<Json> {
    serde_json::Number::from_f64(value).map(Json::Number)
}

/// A moment with the offset of the park.
fn time(park: &Park, ms: i64) -> Json {
    Timestamp::from_millisecond(ms).map_or(Json::Null, |at| {
        let offset = park.time_zone.to_offset(at);
        at.display_with_offset(offset).to_string().into()
    })
}

#[cfg(test)]
#[path = "states_tests.rs"]
mod tests;
