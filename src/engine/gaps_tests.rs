//! Gaps of meters in an engine with a past.

use std::time::Duration;

use super::*;
use crate::domain::interval::Entry;
use crate::domain::meter::{Freshness, Nature, Point, Quantity, RegisterKind, Role};
use crate::domain::provenance::Made;
use crate::domain::relations::{GapPolicy, Relations};
use crate::domain::snapshot::Reading;
use crate::domain::units::{CountUnit, MilliwattHours};

fn meter(id: &str, role: &str, points: &[&str]) -> Meter {
    let point = |name: &&str| {
        let quantity = Quantity::named(name).unwrap();
        let kind = RegisterKind {
            unit: CountUnit::new(1_000, 1).unwrap(),
            modulus: None,
            told: false,
        };
        Point {
            quantity,
            register: (quantity.nature == Nature::Register).then_some(kind),
        }
    };
    Meter {
        id: id.into(),
        role: Role::named(role).unwrap(),
        points: points.iter().map(point).collect(),
        freshness: Freshness::Within(Duration::from_secs(60)),
        period: Duration::from_secs(10),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

/// On the meridian of Greenwich, in the hall of which it is always summer.
fn park(meters: Vec<Meter>, gaps: GapPolicy) -> Arc<Park> {
    Arc::new(Park {
        id: "p".into(),
        name: "p".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 60,
        latitude: 40.0,
        longitude: 0.0,
        meters,
        every_load_metered: false,
        losses: None,
        relations: Relations {
            gaps,
            check_meters: [("hall".into(), "twin".into())].into(),
            ..Relations::default()
        },
    })
}

/// A past in which every meter moved, each hour, the hour of the day in watt-hours.
struct Hours(Quality);

impl Past for Hours {
    fn energies(
        &self,
        meter: &str,
        channel: Channel,
        stretch: Span,
    ) -> Vec<(Span, MilliwattHours, Quality)> {
        if !channel.positive {
            return Vec::new();
        }
        let zone = jiff::tz::TimeZone::UTC;
        let slots = crate::domain::time::slots(stretch, &zone, 60);
        let hour = |span: &Span| i64::from(zone.to_datetime(span.start).hour());
        if meter == "twin" {
            // The ledger has its hours until noon.
            let entered = slots.filter(|span| hour(span) < 12);
            let counted = |span: Span| if hour(&span) < 11 { 36_000 } else { 0 };
            return entered
                .map(|span| (span, MilliwattHours(counted(span)), self.0))
                .collect();
        }
        slots
            .map(|span| (span, MilliwattHours(hour(&span) * 1_000), self.0))
            .collect()
    }
}

/// Seconds from midnight of Wednesday, 3 June 2026.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_444_800 + second).unwrap()
}

const HOUR: i64 = 3_600;

/// Says something each minute of the hours that are given, and ticks.
fn hours(
    engine: &mut Engine,
    hours: std::ops::Range<i64>,
    said: &mut dyn FnMut(i64) -> Vec<(MeterIndex, Value)>,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for second in (hours.start * HOUR..=hours.end * HOUR).step_by(10) {
        for (meter, value) in said(second) {
            engine.hear(&Reading {
                meter,
                at: at(second),
                values: vec![(0, Ok(value))],
            });
        }
        entries.extend(engine.tick(at(second)).entries);
    }
    entries
}

/// What the newest entries of a channel say, by hour of the day.
fn by_hour(entries: &[Entry], meter: &str) -> BTreeMap<i64, (Option<i64>, Quality, Made)> {
    let mut newest = BTreeMap::new();
    let theirs = entries
        .iter()
        .filter(|entry| &*entry.meter == meter && entry.channel.positive);
    for entry in theirs {
        let hour = (entry.span.start.as_second() - at(0).as_second()) / HOUR;
        let energy = entry.energy.ok().map(|energy| energy.0);
        newest.insert(hour, (energy, entry.quality, entry.made));
    }
    newest
}

/// A register that stood at 0 until 08:00, was not heard until 13:00, and says 100 Wh then.
fn register(policy: GapPolicy, role: &str, past: Option<Hours>) -> Vec<Entry> {
    let park = park(vec![meter("hall", role, &["energy"])], policy);
    let mut engine = Engine::new(park, &[]);
    if let Some(past) = past {
        engine.fill_gaps(Box::new(past));
    }
    let mut entries = hours(&mut engine, 7..8, &mut |_| vec![(0, Value::Count(0))]);
    entries.extend(hours(&mut engine, 13..15, &mut |_| {
        vec![(0, Value::Count(100))]
    }));
    entries
}

#[test]
fn what_a_register_counted_in_a_gap_is_divided_like_the_days_before() {
    let entries = register(GapPolicy::default(), "tenant", Some(Hours(Quality::Good)));
    let known = by_hour(&entries, "hall");
    // 8 + 9 + 10 + 11 + 12 = 50 parts of 100 Wh.
    let expected = [
        (8, 16_000),
        (9, 18_000),
        (10, 20_000),
        (11, 22_000),
        (12, 24_000),
    ];
    let made = Made::REGISTER.and(Made::LIKE_DAY);
    for (hour, mwh) in expected {
        // The last boundary is on a reading, and known.
        assert_eq!(
            known[&hour],
            (Some(mwh), Quality::Estimated, made),
            "{hour}"
        );
    }
    assert_eq!(known[&13], (Some(0), Quality::Good, Made::REGISTER));
}

#[test]
fn a_gap_is_spread_evenly_where_the_configuration_or_the_past_has_nothing_better() {
    let even = GapPolicy {
        registers: Registers::Even,
        ..GapPolicy::default()
    };
    let filled = Hours(Quality::Estimated);
    let cases = [
        ("wanted", even, Some(Hours(Quality::Good))),
        (
            "days before were estimates",
            GapPolicy::default(),
            Some(filled),
        ),
        ("no ledger", GapPolicy::default(), None),
    ];
    for (what, policy, past) in cases {
        let known = by_hour(&register(policy, "tenant", past), "hall");
        let made = Made::REGISTER.and(Made::LINEAR);
        for hour in 8..13 {
            assert_eq!(
                known[&hour],
                (Some(20_000), Quality::Estimated, made),
                "{what} {hour}"
            );
        }
    }
}

#[test]
fn a_plant_that_needs_the_sun_made_nothing_before_it_rose() {
    let park = park(vec![meter("roof", "pv", &["energy"])], GapPolicy::default());
    let mut engine = Engine::new(park, &[]);
    engine.fill_gaps(Box::new(Hours(Quality::Missing)));
    let mut entries = hours(&mut engine, 0..1, &mut |_| vec![(0, Value::Count(0))]);
    entries.extend(hours(&mut engine, 9..10, &mut |_| {
        vec![(0, Value::Count(90))]
    }));
    let known = by_hour(&entries, "roof");
    let energies: Vec<i64> = (1..9).map(|hour| known[&hour].0.unwrap()).collect();
    assert_eq!(&energies[..3], [0, 0, 0], "{energies:?}");
    assert!(energies[4..].is_sorted() && energies[5] > 0, "{energies:?}");
    assert_eq!(energies.iter().sum::<i64>(), 90_000);
    assert_eq!(known[&8].2, Made::REGISTER.and(Made::SUN));
}

#[test]
fn the_irradiance_of_the_gap_shapes_what_a_plant_made() {
    let meters = vec![
        meter("roof", "pv", &["energy"]),
        meter("sky", "weather", &["ghi"]),
    ];
    let mut engine = Engine::new(park(meters, GapPolicy::default()), &[]);
    engine.fill_gaps(Box::new(Hours(Quality::Missing)));
    // A cloud stood over the park from ten to eleven.
    let sky = |second: i64| {
        let watts = if second / HOUR == 10 { 100.0 } else { 300.0 };
        (1, Value::Analog(watts))
    };
    let mut entries = hours(&mut engine, 7..8, &mut |second| {
        vec![(0, Value::Count(0)), sky(second)]
    });
    entries.extend(hours(&mut engine, 8..12, &mut |second| vec![sky(second)]));
    // The state is what the next run has of it.
    let rows = engine.state_for_resume();
    let mut next = Engine::new(Arc::clone(engine.park()), &rows);
    next.fill_gaps(Box::new(Hours(Quality::Missing)));
    entries.extend(hours(&mut next, 12..13, &mut |second| {
        vec![(0, Value::Count(100)), sky(second)]
    }));
    let known = by_hour(&entries, "roof");
    let made = Made::REGISTER.and(Made::IRRADIANCE);
    for (hour, mwh) in [(8, 30_000), (9, 30_000), (10, 10_000), (11, 30_000)] {
        assert_eq!(
            known[&hour],
            (Some(mwh), Quality::Estimated, made),
            "{hour}"
        );
    }
}

#[test]
fn the_sun_shapes_nothing_of_a_meter_that_needs_none() {
    let meters = vec![
        meter("hall", "tenant", &["energy"]),
        meter("sky", "weather", &["ghi"]),
    ];
    let sky = |second: i64| {
        let watts = if second / HOUR == 10 { 100.0 } else { 300.0 };
        (1, Value::Analog(watts))
    };
    // With days before it is like these, and else even: in bright hours as in dark ones.
    let cases = [
        (
            Quality::Good,
            Made::LIKE_DAY,
            [16_000, 18_000, 20_000, 22_000, 24_000],
        ),
        (Quality::Missing, Made::LINEAR, [20_000; 5]),
    ];
    for (past, how, expected) in cases {
        let mut engine = Engine::new(park(meters.clone(), GapPolicy::default()), &[]);
        engine.fill_gaps(Box::new(Hours(past)));
        let mut entries = hours(&mut engine, 7..8, &mut |second| {
            vec![(0, Value::Count(0)), sky(second)]
        });
        entries.extend(hours(&mut engine, 8..13, &mut |second| vec![sky(second)]));
        entries.extend(hours(&mut engine, 13..14, &mut |second| {
            vec![(0, Value::Count(100)), sky(second)]
        }));
        let known = by_hour(&entries, "hall");
        let made = Made::REGISTER.and(how);
        for (hour, mwh) in (8..13).zip(expected) {
            let found = known[&hour];
            assert_eq!(found, (Some(mwh), Quality::Estimated, made), "{hour}");
        }
    }
}

#[test]
fn a_meter_beside_it_shapes_a_gap_before_anything_else() {
    let meters = vec![
        meter("hall", "tenant", &["energy"]),
        meter("twin", "tenant", &["energy"]),
    ];
    let mut engine = Engine::new(park(meters, GapPolicy::default()), &[]);
    engine.fill_gaps(Box::new(Hours(Quality::Good)));
    // The twin counts 36 Wh an hour until eleven, and nothing afterwards.
    let twin = |second: i64| (1, Value::Count(second.min(11 * HOUR) / 100));
    let mut entries = hours(&mut engine, 7..8, &mut |second| {
        vec![(0, Value::Count(0)), twin(second)]
    });
    entries.extend(hours(&mut engine, 8..13, &mut |second| vec![twin(second)]));
    entries.extend(hours(&mut engine, 13..14, &mut |second| {
        vec![(0, Value::Count(90)), twin(second)]
    }));
    let known = by_hour(&entries, "hall");
    let made = Made::REGISTER.and(Made::CHECK_METER);
    for (hour, mwh) in [(8, 30_000), (9, 30_000), (10, 30_000), (11, 0), (12, 0)] {
        assert_eq!(
            known[&hour],
            (Some(mwh), Quality::Estimated, made),
            "{hour}"
        );
    }
}

/// Power of 60 W until 08:00, silence until `back`, and the same again.
fn power(policy: GapPolicy, back: i64) -> BTreeMap<i64, (Option<i64>, Quality, Made)> {
    let park = park(vec![meter("room", "tenant", &["power"])], policy);
    let mut engine = Engine::new(park, &[]);
    engine.fill_gaps(Box::new(Hours(Quality::Derived)));
    let mut entries = hours(&mut engine, 7..8, &mut |_| vec![(0, Value::Analog(60.0))]);
    entries.extend(hours(&mut engine, 8..back, &mut |_| Vec::new()));
    entries.extend(hours(&mut engine, back..back + 2, &mut |_| {
        vec![(0, Value::Analog(60.0))]
    }));
    by_hour(&entries, "room")
}

#[test]
fn without_a_register_a_gap_stays_unknown_unless_an_estimate_is_wanted() {
    let estimated = GapPolicy {
        integrals: Integrals::Estimated,
        ..GapPolicy::default()
    };
    let known = power(GapPolicy::default(), 12);
    assert_eq!(known[&9], (None, Quality::Missing, Made::NOTHING));
    assert_eq!(
        known[&12],
        (Some(60_000), Quality::Derived, Made::INTEGRATED)
    );

    // Long: like the days before, in which the hour is the energy.
    let known = power(estimated, 12);
    for hour in 8..12 {
        let expected = (Some(hour * 1_000), Quality::Estimated, Made::LIKE_DAY);
        assert_eq!(known[&hour], expected, "{hour}");
    }
    assert_eq!(
        known[&12],
        (Some(60_000), Quality::Derived, Made::INTEGRATED)
    );

    // Short: straight from sample to sample.
    let known = power(estimated, 9);
    let expected = (Some(60_000), Quality::Estimated, Made::LINEAR);
    assert_eq!(known[&8], expected);
}
