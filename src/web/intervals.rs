//! Settlement intervals by the API: the flows of the park, or what one meter moved.
//!
//! **Every number has its quality, its letter, what it rests on and what is missing for
//! it**; one that is not known is null, never zero.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use tracing::warn;

use super::api::{Ends, MeterEntry, Problem, json, stretch};
use super::attribution::EnergiesAttribution;
use super::live::Place;
use super::server::Shared;
use crate::domain::balance::entered;
use crate::domain::codes::letter;
use crate::domain::flow::Stated;
use crate::domain::interval::{Channel, Interval};
use crate::domain::meter::Carrier;
use crate::domain::provenance::Made;
use crate::domain::quality::Quality;
use crate::domain::units::MilliwattHours;

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    from: Option<String>,
    to: Option<String>,
    meter: Option<String>,
}

/// `GET /api/v1/intervals?from&to`, and with `meter=ID` those of a meter.
pub(super) async fn intervals(
    State(shared): State<Shared>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let place = Arc::clone(&shared.place);
    let (stretch, meter) = match asked {
        Ok(Query(Asked { from, to, meter })) => (stretch(&Ends { from, to }, &place), meter),
        Err(rejection) => {
            let remedy = "ask with `from`, `to` and `meter` alone";
            (Err(Problem::new(rejection.body_text(), remedy)), None)
        }
    };
    let (from, to) = match stretch {
        Ok(stretch) => stretch,
        Err(problem) => return problem.with(StatusCode::BAD_REQUEST),
    };
    let work = {
        let shared = shared.clone();
        let meter = meter.clone();
        move || match meter {
            Some(meter) => of_meter(&shared, &meter, from, to),
            None => of_park(&shared, from, to).map(Some),
        }
    };
    let error = match tokio::task::spawn_blocking(work).await {
        Ok(Ok(Some(bytes))) => return json(Bytes::from(bytes)),
        Ok(Ok(None)) => {
            let fact = format!("no meter is called {:?}", meter.unwrap_or_default());
            let remedy = "the ids of the configuration, as in `meters` of /api/v1/live";
            return Problem::new(fact, remedy).with(StatusCode::NOT_FOUND);
        }
        Ok(Err(error)) => error,
        Err(join) => join.to_string(),
    };
    warn!(error, "Intervals could not be read.");
    let remedy = "the journal of the daemon says more";
    Problem::new(error, remedy).with(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The flows of the park.
fn of_park(shared: &Shared, from: Timestamp, to: Timestamp) -> Result<Vec<u8>, String> {
    let place = &shared.place;
    let frame = Arc::clone(&shared.services.live.borrow());
    let found = shared.services.intervals.intervals(from, to)?;
    let mut found: Vec<Arc<Interval>> = found.into_iter().map(Arc::new).collect();
    let wanted = |interval: &&Arc<Interval>| (from..to).contains(&interval.span.start);
    for open in frame.open().iter().filter(wanted) {
        // An interval that closed a moment ago is in both; the ledger's word counts.
        if found
            .iter()
            .all(|known| known.span.start != open.span.start)
        {
            found.push(Arc::clone(open));
        }
    }
    found.sort_by_key(|interval| interval.span.start);
    written(&IntervalsJson {
        park: &place.id,
        time_zone: place.zone_name(from),
        from: place.rfc3339(from),
        to: place.rfc3339(to),
        meter: None,
        intervals: found.iter().map(|one| interval_json(one, place)).collect(),
    })
}

/// What a meter moved; none where there is no such meter.
fn of_meter(
    shared: &Shared,
    meter: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Option<Vec<u8>>, String> {
    let place = &shared.place;
    let Some(found) = shared.services.intervals.meter(meter, from, to)? else {
        return Ok(None);
    };
    let spans = found.chunk_by(|one, two| one.entry.span == two.entry.span);
    let spans = spans.filter_map(|entries| {
        let first = entries.first()?;
        let span = first.entry.span;
        Some(MeterIntervalJson {
            start: place.rfc3339(span.start),
            end: place.rfc3339(span.end),
            state: state(first.closed),
            energies: Entries(entries),
        })
    });
    written(&IntervalsJson {
        park: &place.id,
        time_zone: place.zone_name(from),
        from: place.rfc3339(from),
        to: place.rfc3339(to),
        meter: Some(meter),
        intervals: spans.collect(),
    })
    .map(Some)
}

fn written(answer: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(answer).map_err(|error| error.to_string())
}

fn state(closed: bool) -> &'static str {
    if closed { "closed" } else { "open" }
}

#[derive(Serialize)]
struct IntervalsJson<'a, I> {
    park: &'a str,
    time_zone: String,
    from: String,
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meter: Option<&'a str>,
    intervals: Vec<I>,
}

#[derive(Serialize)]
struct IntervalJson<'a> {
    start: String,
    end: String,
    state: &'static str,
    revision: i64,
    flows: FlowsJson<'a>,
    attribution: EnergiesAttribution<'a>,
}

struct FlowsJson<'a>(&'a Interval);

impl Serialize for FlowsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (row, stated) in self.0.flows.iter() {
            map.serialize_entry(row.name, &energy_json(stated, self.0.closed))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct MeterIntervalJson<'a> {
    start: String,
    end: String,
    state: &'static str,
    energies: Entries<'a>,
}

struct Entries<'a>(&'a [MeterEntry]);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for one in self.0 {
            let position = |position: Option<MilliwattHours>| position.map(|it| it.to_wh_string());
            let said = entered(&one.entry);
            let entry = EntryJson {
                energy: energy_json(&said, one.closed),
                revision: one.revision,
                opening_wh: position(one.entry.opening),
                closing_wh: position(one.entry.closing),
            };
            map.serialize_entry(channel_name(one.entry.channel), &entry)?;
        }
        map.end()
    }
}

/// The name of a channel: its carrier, and whether it is the other way of the role.
fn channel_name(channel: Channel) -> &'static str {
    match (channel.carrier, channel.positive) {
        (Carrier::Electricity, true) => "electricity",
        (Carrier::Electricity, false) => "electricity_other_way",
        (Carrier::Heat, true) => "heat",
        (Carrier::Heat, false) => "heat_other_way",
    }
}

#[derive(Serialize)]
struct EntryJson {
    #[serde(flatten)]
    energy: EnergyJson,
    revision: i64,
    opening_wh: Option<String>,
    closing_wh: Option<String>,
}

#[derive(Serialize)]
struct EnergyJson {
    wh: Option<String>,
    quality: Quality,
    letter: char,
    coverage_pct: f64,
    missing: Vec<Arc<str>>,
    provenance: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    methods: Vec<&'static str>,
}

fn energy_json(stated: &Stated<MilliwattHours>, closed: bool) -> EnergyJson {
    match stated {
        Ok(known) => EnergyJson {
            wh: Some(known.value.to_wh_string()),
            quality: known.quality,
            letter: letter(known.quality, known.made, closed),
            coverage_pct: known.coverage_pct,
            missing: Vec::new(),
            provenance: known.made.names(),
            methods: known.made.methods(),
        },
        Err(gaps) => EnergyJson {
            wh: None,
            quality: Quality::Missing,
            letter: letter(Quality::Missing, Made::NOTHING, closed),
            coverage_pct: 0.0,
            missing: gaps.meters().into_iter().map(Arc::from).collect(),
            provenance: Vec::new(),
            methods: Vec::new(),
        },
    }
}

fn interval_json<'a>(interval: &'a Interval, place: &Place) -> IntervalJson<'a> {
    IntervalJson {
        start: place.rfc3339(interval.span.start),
        end: place.rfc3339(interval.span.end),
        state: state(interval.closed),
        revision: interval.revision,
        flows: FlowsJson(interval),
        attribution: EnergiesAttribution(&interval.flows),
    }
}
