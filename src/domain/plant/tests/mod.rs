//! Units and their indicators against the vectors, through the same calls as the daemon's.

mod field;
mod means;
mod needs;
mod origin;
mod units;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::books::{Slot, slots};
use super::live::{Moment, UnitNow, now};
use super::*;
use crate::domain::heat::vectors;
use crate::domain::interval::{Channel, Entry, Interval, Span};
use crate::domain::meter::{Carrier, Freshness, Meter, Point, Quantity, Role};
use crate::domain::quality::{Gaps, Quality, Reason};
use crate::domain::stated::{Known, Stated};
use crate::domain::sun::{Sun, sun};
use crate::domain::units::MilliwattHours;

/// Nine o'clock in the morning of a summer day in Shanxi.
const BEGIN: i64 = 1_780_275_600;

fn meter(id: &str, role: &str, quantities: &[&str]) -> Meter {
    let point = |name: &&str| Point {
        quantity: Quantity::named(name).unwrap(),
        register: None,
    };
    Meter {
        id: id.into(),
        role: Role::named(role).unwrap(),
        points: quantities.iter().map(point).collect(),
        freshness: Freshness::Within(Duration::from_secs(60)),
        period: Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

fn park(meters: Vec<Meter>) -> Park {
    Park {
        id: "p".into(),
        name: "p".into(),
        time_zone: TimeZone::get("Asia/Shanghai").unwrap(),
        settlement_minutes: 60,
        latitude: 39.19,
        longitude: 113.26,
        meters,
        every_load_metered: false,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    }
}

fn input(meter: &str, quantity: &str) -> Input {
    Input {
        meter: meter.into(),
        quantity: quantity.into(),
    }
}

/// The nth hour.
fn hour(nth: i64) -> Span {
    let at = |nth: i64| Timestamp::from_second(BEGIN + nth * 3_600).unwrap();
    Span {
        start: at(nth),
        end: at(nth + 1),
    }
}

fn entry(meter: &str, carrier: Carrier, positive: bool, nth: i64, kwh: f64) -> Entry {
    Entry {
        meter: meter.into(),
        channel: Channel { carrier, positive },
        span: hour(nth),
        energy: Ok(MilliwattHours(crate::domain::units::to_i64(kwh * 1e6))),
        quality: Quality::Good,
        coverage_pct: 100.0,
        made: crate::domain::provenance::Made::REGISTER,
        opening: None,
        closing: None,
    }
}

fn seen(meter: &str, quantity: &str, nth: i64, mean: f64, last: f64) -> Observed {
    Observed {
        input: input(meter, quantity),
        span: hour(nth),
        mean,
        last,
        coverage_pct: 100.0,
    }
}

/// The first hours, with what is known of them.
fn period(hours: i64, entries: Vec<Entry>, observed: Vec<Observed>) -> Vec<Slot> {
    slots((0..hours).map(hour), Vec::new(), entries, observed)
}

/// The same in quarters of an hour, each with a quarter of the energy.
fn quarters(hours: &[Slot]) -> Vec<Slot> {
    let part = |slot: &Slot, nth: u64| {
        let start = slot.span.start + Duration::from_secs(nth * 900);
        let span = Span {
            start,
            end: start + Duration::from_secs(900),
        };
        let mut part = Slot {
            span,
            ..slot.clone()
        };
        for entry in &mut part.entries {
            entry.span = span;
            entry.energy = entry.energy.map(|energy| MilliwattHours(energy.0 / 4));
        }
        for one in &mut part.observed {
            one.span = span;
        }
        part
    };
    let parts = |slot| (0..4).map(move |nth| part(slot, nth));
    hours.iter().flat_map(parts).collect()
}

/// Every indicator has the same number.
fn agree(one: &[Indicator], other: &[Indicator]) {
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one.name, other.name);
        match (one.value, other.value) {
            (Some(one_value), Some(other)) => {
                vectors::close(other / one_value, 1.0, 1e-9, one.name);
            }
            none => assert_eq!(none, (None, None), "{}", one.name),
        }
    }
}

fn known(value: f64) -> Stated<f64> {
    Ok(Known::given(value))
}

fn vectors() -> serde_json::Value {
    let text = include_str!("../../../../tests/fixtures/solar_thermal.json");
    serde_json::from_str(text).unwrap()
}

/// A unit at a moment at which sensors and meters say this.
fn at(kind: Kind, sun: Sun, said: &[(&str, &str, f64)], powers: &[(&str, f64)]) -> UnitNow {
    let plant = Plant {
        units: vec![Unit {
            name: "unit".into(),
            kind,
        }],
        ..Plant::default()
    };
    let moment = Moment {
        at: Timestamp::from_second(BEGIN).unwrap(),
        sun,
        read: &|wanted| {
            let found = said
                .iter()
                .find(|(meter, quantity, _)| *wanted == input(meter, quantity));
            found.map_or_else(
                || Err(Gaps::one(&wanted.meter, Reason::Timeout)),
                |(.., value)| known(*value),
            )
        },
        power: &|id, _| {
            let found = powers.iter().find(|(meter, _)| **meter == **id);
            found.map_or_else(
                || Err(Gaps::one(id, Reason::Timeout)),
                |(_, watts)| known(*watts),
            )
        },
    };
    now(&plant, &moment, &[]).remove(0)
}

fn number<'a>(unit: &'a UnitNow, name: &str) -> &'a Number {
    let found = unit.numbers.iter().find(|number| number.name == name);
    found.unwrap_or_else(|| panic!("{name} in {unit:?}"))
}

fn indicator<'a>(all: &'a [Indicator], name: &str) -> &'a Indicator {
    let found = all.iter().find(|one| one.name == name);
    found.unwrap_or_else(|| panic!("{name} in {all:?}"))
}
