//! Cases for the ladder.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn zone() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn quarter(text: &str) -> Span {
    slot(at(text), &zone(), 15)
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

/// A past in which every quarter-hour of a day has the value of that day.
fn days<'a>(zone: &'a TimeZone, known: &'a [(&'a str, f64)], before: &str) -> LikeDays<'a> {
    LikeDays::new(zone, 15, date(before), move |span| {
        let local = local_date(span.start, zone);
        let value = known.iter().find(|(day, _)| date(day) == local);
        let slots = crate::domain::time::slots(span, zone, 15);
        value.map_or_else(BTreeMap::new, |(_, value)| {
            slots
                .map(|slot| (slot.start.as_millisecond(), *value))
                .collect()
        })
    })
}

#[test]
fn three_days_like_the_gap_are_its_mean_and_days_of_an_outage_are_passed_over() {
    let zone = zone();
    // 2026-06-12 is a Friday; the Tuesday before had an outage, and is not known.
    let known = [
        ("2026-06-11", 30.0),
        ("2026-06-10", 60.0),
        ("2026-06-08", 90.0),
        ("2026-06-05", 1_000.0),
        ("2026-06-07", 5.0),
        ("2026-06-06", 7.0),
    ];
    let cases = [
        ("a working day", "2026-06-12T10:00:00Z", Some(60.0)),
        ("a Saturday", "2026-06-13T10:00:00Z", Some(7.0)),
        ("a Sunday", "2026-06-14T10:00:00Z", Some(5.0)),
    ];
    for (what, start, mean) in cases {
        let mut like = days(&zone, &known, "2026-06-12");
        assert_eq!(like.mean(quarter(start)), mean, "{what}");
    }
    let mut none = days(&zone, &[], "2026-06-12");
    assert_eq!(none.mean(quarter("2026-06-12T10:00:00Z")), None);
    // Days from the gap on are like nothing, and those of two months ago are too old.
    let known = [("2026-06-12", 1.0), ("2026-04-10", 2.0)];
    let mut none = days(&zone, &known, "2026-06-12");
    assert_eq!(none.mean(quarter("2026-06-12T10:00:00Z")), None);
}

#[test]
fn the_time_of_day_is_that_of_the_clock_on_the_wall_when_the_clocks_change() {
    let zone = zone();
    // Summer time ended on Sunday, 25 October; on Friday 09:00 was 07:00 UTC.
    let mut like = LikeDays::new(&zone, 15, date("2026-10-26"), |_| {
        let friday = at("2026-10-23T07:00:00Z");
        BTreeMap::from([(friday.as_millisecond(), 42.0)])
    });
    assert_eq!(like.mean(quarter("2026-10-26T08:00:00Z")), Some(42.0));
    assert_eq!(like.mean(quarter("2026-10-26T07:00:00Z")), None);
}

/// Hints that say the same of every interval, or nothing of one that begins at `blind`.
#[derive(Default)]
struct Says {
    check: Option<f64>,
    bright: Option<(f64, Option<f64>)>,
    like: Option<f64>,
    sun: Option<f64>,
    blind: Option<(Made, Timestamp)>,
}

impl Says {
    fn sees(&self, rung: Made, slot: Span) -> bool {
        self.blind != Some((rung, slot.start))
    }
}

impl Hints for Says {
    fn check_meter(&mut self, slot: Span) -> Option<f64> {
        self.check.filter(|_| self.sees(Made::CHECK_METER, slot))
    }
    fn irradiance(&mut self, slot: Span) -> Option<(f64, Option<f64>)> {
        self.bright.filter(|_| self.sees(Made::IRRADIANCE, slot))
    }
    fn like_day(&mut self, slot: Span) -> Option<f64> {
        self.like.filter(|_| self.sees(Made::LIKE_DAY, slot))
    }
    fn sun(&mut self, _: Span) -> Option<f64> {
        self.sun
    }
}

fn gap() -> (i64, i64) {
    let ms = |text| at(text).as_millisecond();
    (ms("2026-06-12T10:05:00Z"), ms("2026-06-12T13:10:00Z"))
}

#[test]
fn the_best_rung_that_knows_all_of_the_gap_shapes_it() {
    let second = at("2026-06-12T10:15:00Z");
    let all = || Says {
        check: Some(1.0),
        bright: Some((500.0, Some(250.0))),
        like: Some(3.0),
        sun: Some(0.5),
        blind: None,
    };
    let blind = |rung| Says {
        blind: Some((rung, second)),
        ..all()
    };
    // What is expected of a quarter-hour that lies in the gap as a whole.
    #[rustfmt::skip]
    let cases = [
        ("all",                      all(),                                        Some((Made::CHECK_METER, 1.0)), Some((Made::CHECK_METER, 1.0))),
        ("no check meter",           Says { check: None, ..all() },                Some((Made::IRRADIANCE, 6.0)),  Some((Made::IRRADIANCE, 6.0))),
        ("it had a hole",            blind(Made::CHECK_METER),                     Some((Made::IRRADIANCE, 6.0)),  Some((Made::IRRADIANCE, 6.0))),
        ("no like days",             Says { check: None, like: None, ..all() },    Some((Made::IRRADIANCE, 500.0)), None),
        ("no irradiance",            Says { check: None, bright: None, ..all() },  Some((Made::LIKE_DAY, 3.0)),    Some((Made::LIKE_DAY, 3.0))),
        ("the sun alone",            Says { sun: Some(0.5), ..Says::default() },   Some((Made::SUN, 0.5)),         None),
        ("nothing",                  Says::default(),                              None,                           None),
        ("a check meter at rest",    Says { check: Some(0.0), ..Says::default() }, None,                           Some((Made::CHECK_METER, 0.0))),
        ("like days below zero",     Says { like: Some(-1.0), ..Says::default() }, None,                           None),
        ("like days without number", Says { like: Some(f64::NAN), ..Says::default() }, None,                       None),
    ];
    let zone = zone();
    for (what, mut says, shape, energy) in cases {
        let second =
            |bridge: Option<Bridge>| bridge.map(|bridge| (bridge.made, bridge.parts[1].expected));
        let found = Bridge::shape(gap(), (&zone, 15), &mut says);
        assert_eq!(second(found), shape, "shape: {what}");
        let found = Bridge::energy(gap(), (&zone, 15), &mut says);
        assert_eq!(second(found), energy, "energy: {what}");
    }
}

#[test]
fn an_interval_counts_with_the_part_of_it_that_lies_in_the_gap() {
    let zone = zone();
    let mut says = Says {
        like: Some(3.0),
        ..Says::default()
    };
    let bridge = Bridge::energy(gap(), (&zone, 15), &mut says).unwrap();
    // From 10:05 to 13:10: two thirds of the first quarter, two of the last, eleven between.
    assert_eq!(bridge.parts.len(), 13);
    let first = bridge.within(quarter("2026-06-12T10:05:00Z"));
    assert_eq!(first, Some((2.0, 600_000)));
    let last = bridge.within(quarter("2026-06-12T13:05:00Z"));
    assert_eq!(last, Some((2.0, 600_000)));
    assert_eq!(bridge.within(quarter("2026-06-12T09:59:00Z")), None);
}

#[test]
fn at_night_a_plant_that_needs_the_sun_made_nothing() {
    let zone = zone();
    let mut says = Says {
        bright: Some((0.0, Some(0.0))),
        like: Some(3.0),
        ..Says::default()
    };
    let bridge = Bridge::energy(gap(), (&zone, 15), &mut says).unwrap();
    assert!(bridge.parts.iter().all(|part| part.expected == 0.0));
}

#[test]
fn a_gap_of_a_year_is_not_shaped() {
    let zone = zone();
    let mut says = Says {
        like: Some(3.0),
        ..Says::default()
    };
    let (from, _) = gap();
    let year = (from, from + 365 * 86_400_000);
    assert_eq!(Bridge::shape(year, (&zone, 15), &mut says), None);
}

proptest! {
    /// Whatever the shape, a register neither falls nor ends elsewhere than it did.
    #[test]
    fn a_shape_divides_what_was_counted_and_changes_nothing_of_it(
        expected in prop::collection::vec(0.0_f64..1e9, 1..60),
        opening in -1_000_000_000_000_i64..1_000_000_000_000,
        rise in 0_i64..1_000_000_000_000,
    ) {
        let start = at("2026-06-12T10:00:00Z").as_millisecond();
        let mut end = start;
        let parts: Vec<Part> = expected
            .iter()
            .map(|expected| {
                let from_ms = end;
                end += 900_000;
                let slot = quarter(&Timestamp::from_millisecond(from_ms).unwrap().to_string());
                Part { slot, from_ms, to_ms: end, expected: *expected }
            })
            .collect();
        let bridge = Bridge { from_ms: start, to_ms: end, parts, made: Made::LIKE_DAY };
        let (from, to) = (MilliwattHours(opening), MilliwattHours(opening + rise));
        let mut last = from;
        for part in &bridge.parts {
            let position = bridge.position(from, to, part.to_ms);
            prop_assert!(position >= last && position <= to);
            last = position;
        }
        prop_assert_eq!(last, to);
    }
}
