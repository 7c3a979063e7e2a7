//! The units of the plant as the live view tells them.
//!
//! A number is told as a flow is: value, quality, age, gaps; `note` says why there is none
//! although nothing is missing, such as an efficiency at night.

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::live::seconds;
use crate::domain::plant::live::{Trackers, UnitNow};
use crate::domain::plant::{Indicator, Number};
use crate::domain::quality::{Gap, Gaps, Quality};

/// A unit in JSON.
#[derive(Serialize)]
pub(super) struct UnitJson<'a> {
    name: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trackers: Option<TrackersJson>,
    now: NumbersJson<'a>,
    day: DayJson<'a>,
}

#[derive(Serialize)]
struct TrackersJson {
    in_focus: usize,
    deviating: usize,
    stowed: usize,
    resting: usize,
    unknown: usize,
}

struct NumbersJson<'a> {
    numbers: &'a [Number],
    at: Timestamp,
}

struct DayJson<'a>(&'a [Indicator]);

#[derive(Serialize)]
struct NumberJson<'a> {
    value: Option<f64>,
    quality: Quality,
    age_s: Option<f64>,
    gaps: &'a [Gap],
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

#[derive(Serialize)]
struct IndicatorJson<'a> {
    value: Option<f64>,
    #[serde(rename = "in")]
    unit: &'static str,
    quality: Quality,
    coverage_pct: f64,
    of_known: Option<f64>,
    gaps: &'a [Gap],
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

impl<'a> UnitJson<'a> {
    /// A unit at a moment.
    pub(super) fn of(unit: &'a UnitNow, at: Timestamp) -> Self {
        Self {
            name: &unit.name,
            kind: unit.kind,
            trackers: unit.trackers.map(TrackersJson::of),
            now: NumbersJson {
                numbers: &unit.numbers,
                at,
            },
            day: DayJson(&unit.day),
        }
    }
}

impl TrackersJson {
    fn of(trackers: Trackers) -> Self {
        Self {
            in_focus: trackers.in_focus,
            deviating: trackers.deviating,
            stowed: trackers.stowed,
            resting: trackers.resting,
            unknown: trackers.unknown,
        }
    }
}

impl Serialize for NumbersJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.numbers.len()))?;
        for number in self.numbers {
            let note = number.note.as_deref();
            let json = match &number.stated {
                Ok(known) => NumberJson {
                    value: known.value,
                    quality: if known.value.is_some() {
                        known.quality
                    } else {
                        Quality::Missing
                    },
                    age_s: known.oldest.map(|at| seconds(at, self.at)),
                    gaps: &[],
                    note,
                },
                Err(gaps) => NumberJson {
                    value: None,
                    quality: Quality::Missing,
                    age_s: None,
                    gaps: gaps.list(),
                    note,
                },
            };
            map.serialize_entry(number.name, &json)?;
        }
        map.end()
    }
}

impl Serialize for DayJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for one in self.0 {
            let json = IndicatorJson {
                value: one.value,
                unit: one.unit,
                quality: one.quality,
                coverage_pct: one.coverage_pct,
                of_known: one.of_known,
                gaps: one.gaps.as_ref().map_or(&[], Gaps::list),
                note: one.note.as_deref(),
            };
            map.serialize_entry(one.name, &json)?;
        }
        map.end()
    }
}

/// What the mounts of a unit do, for metrics: state and number of mounts.
pub(super) fn mounts(trackers: Trackers) -> [(&'static str, usize); 5] {
    [
        ("in_focus", trackers.in_focus),
        ("deviating", trackers.deviating),
        ("stowed", trackers.stowed),
        ("resting", trackers.resting),
        ("unknown", trackers.unknown),
    ]
}
