//! A park for tests of reports: its meters, and books of what they counted.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::grid_export::Scope;
use crate::domain::balance::settle;
use crate::domain::interval::{Channel, Entry, ExportShape, Interval, Span};
use crate::domain::meter::{Carrier, Freshness, Meter, MeterIndex, Park, Point, Quantity, Role};
use crate::domain::quality::{Quality, Reason};
use crate::domain::units::MilliwattHours;

/// Milliwatt-hours of a kilowatt-hour.
pub const KWH: i64 = 1_000_000;

/// What each meter moved each way, kWh.
pub type Said = [(i64, i64); 8];

const METERS: [(&str, &str); 8] = [
    ("pcc", "grid"),
    ("roof", "pv"),
    ("store", "battery"),
    ("A", "tenant"),
    ("B", "tenant"),
    ("pump", "auxiliary"),
    ("field", "solar_field"),
    ("C", "heat_consumer"),
];

pub fn park() -> Arc<Park> {
    let point = |name: &str| Point {
        quantity: Quantity::named(name).unwrap(),
        register: None,
    };
    let meter = |(id, role): &(&str, &str)| Meter {
        id: (*id).into(),
        role: Role::named(role).unwrap(),
        points: ["power", "heat_power"].map(point).to_vec(),
        freshness: Freshness::UntilChanged,
        period: std::time::Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    };
    Arc::new(Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: TimeZone::get("Asia/Shanghai").unwrap(),
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: METERS.iter().map(meter).collect(),
        every_load_metered: true,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    })
}

fn span(place: usize) -> Span {
    let at = |place: usize| {
        let start: jiff::Timestamp = "2026-06-03T10:00:00+08:00".parse().unwrap();
        let minutes = i64::try_from(place).unwrap() * 15;
        start + jiff::SignedDuration::from_mins(minutes)
    };
    Span {
        start: at(place),
        end: at(place + 1),
    }
}

/// So many quarter hours from ten o'clock.
pub fn scope(slots: usize) -> Scope {
    let date = "2026-06-03".parse().unwrap();
    Scope {
        park: "p".into(),
        time_zone: TimeZone::get("Asia/Shanghai").unwrap(),
        zone_name: "Asia/Shanghai".into(),
        settlement_minutes: 15,
        dates: (date, date),
        span: Span {
            start: span(0).start,
            end: span(slots).start,
        },
        rules: crate::report::grid_export::Rules::default(),
    }
}

/// Books of quarter hours: slots, intervals, entries; nothing where nothing was said.
pub fn books(park: &Park, said: &[Option<Said>]) -> (Vec<Span>, Vec<Interval>, Vec<Entry>) {
    let slots: Vec<Span> = (0..said.len()).map(span).collect();
    let (mut intervals, mut entries) = (Vec::new(), Vec::new());
    for (span, said) in slots.iter().zip(said) {
        let Some(said) = said else { continue };
        let mut mine = Vec::new();
        for (meter, (plus, minus)) in park.meters.iter().zip(said) {
            for carrier in [Carrier::Electricity, Carrier::Heat] {
                for (positive, kwh) in [(true, plus), (false, minus)] {
                    if meter.role.term(carrier).is_some() {
                        mine.push(Entry {
                            meter: Arc::clone(&meter.id),
                            channel: Channel { carrier, positive },
                            span: *span,
                            energy: Ok(MilliwattHours(kwh * KWH)),
                            quality: Quality::Good,
                            coverage_pct: 100.0,
                            made: crate::domain::provenance::Made::REGISTER,
                            opening: None,
                            closing: None,
                        });
                    }
                }
            }
        }
        intervals.push(interval(park, *span, &mine));
        entries.extend(mine);
    }
    (slots, intervals, entries)
}

fn interval(park: &Park, span: Span, entries: &[Entry]) -> Interval {
    Interval {
        span,
        closed: true,
        revision: 1,
        flows: settle(park, entries, ExportShape::default(), span),
    }
}

/// Takes the word from a meter in one quarter hour.
pub fn silence(
    park: &Park,
    intervals: &mut [Interval],
    entries: &mut [Entry],
    place: usize,
    meter: MeterIndex,
) {
    let span = span(place);
    let whose = &park.meters[meter].id;
    for entry in entries.iter_mut() {
        if entry.span == span && entry.meter == *whose {
            entry.energy = Err(Reason::Timeout);
            entry.quality = Quality::Missing;
        }
    }
    let mine: Vec<Entry> = entries
        .iter()
        .filter(|one| one.span == span)
        .cloned()
        .collect();
    for one in intervals.iter_mut().filter(|one| one.span == span) {
        *one = interval(park, span, &mine);
    }
}
