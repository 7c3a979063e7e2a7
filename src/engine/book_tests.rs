//! Cases for the books.

use proptest::prelude::*;

use super::*;
use crate::domain::event::{MeterEvent, What};
use crate::domain::meter::{Freshness, Point, Quantity, RegisterKind, Role};
use crate::domain::provenance::Made;
use crate::domain::quality::Quality;

fn meter(role: &str, points: &[&str]) -> Meter {
    let unit = CountUnit::new(10_000, 1).unwrap();
    let point = |name: &&str| {
        let quantity = Quantity::named(name).unwrap();
        let counts = quantity.nature == crate::domain::meter::Nature::Register;
        Point {
            quantity,
            register: counts.then_some(RegisterKind {
                unit,
                modulus: None,
                told: false,
            }),
        }
    };
    Meter {
        id: "m".into(),
        role: Role::named(role).unwrap(),
        points: points.iter().map(point).collect(),
        freshness: Freshness::UntilChanged,
        period: std::time::Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

fn calendar() -> Calendar {
    Calendar {
        zone: TimeZone::UTC,
        minutes: 15,
    }
}

fn at_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_780_272_000_000 + ms).unwrap()
}

fn run(book: &mut MeterBook, said: &[(i64, Said)]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (ms, said) in said {
        book.hear(0, at_ms(*ms), *said, &calendar(), &mut entries);
    }
    entries
}

/// Source: interval_cases.json `boundary_interpolation`; 10 Wh a count.
#[test]
fn boundaries_are_interpolated_between_the_readings_around_them() {
    let mut book = MeterBook::new(&meter("tenant", &["energy_import"]), None);
    let reads = [
        (-907, 99_000),
        (-7, 100_000),
        (53, 100_090),
        (901, 101_355),
        (1_796, 102_630),
        (1_810, 102_652),
    ];
    let said: Vec<_> = reads
        .iter()
        .map(|(s, raw)| (s * 1_000, Said::Count(*raw)))
        .collect();
    let entries = run(&mut book, &said);
    let energies: Vec<_> = entries.iter().map(|entry| entry.energy).collect();
    assert_eq!(
        energies[0],
        Err(Reason::NeverSeen),
        "the opening reading of the first is not known"
    );
    // 1000.105 → 1013.535083 → 1026.362857 kWh, to the milliwatt-hour.
    assert_eq!(energies[2], Ok(MilliwattHours(13_430_083)));
    assert_eq!(
        energies[3],
        Ok(MilliwattHours(12_827_774)),
        "unrounded 12.827775 between rounded boundaries"
    );
    assert_eq!(
        entries[2].quality,
        Quality::Interpolated,
        "an 848 s gap lies around its end"
    );
    assert_eq!(entries[3].quality, Quality::Interpolated);
}

/// Every 5 s a heat pump of 12 kW counts 66 or 67 Wh of heat: 48 kW.
#[test]
fn the_nameplate_of_a_heat_pump_bounds_its_electricity_and_not_its_heat() {
    let mut pump = meter("heat_pump", &["energy_import", "heat_energy"]);
    let wh = CountUnit::new(1_000, 1).unwrap();
    for point in &mut pump.points {
        point.register = point.register.map(|kind| RegisterKind { unit: wh, ..kind });
    }
    let watts = |watts| Power::from_watts(watts).ok();
    #[rustfmt::skip]
    let cases = [
        // what is told                  heat of a quarter of an hour, Wh, and whether all of it counts
        ("nothing",              None,          None,          true),
        ("its electricity",      watts(12e3),   None,          true),
        ("both",                 watts(12e3),   watts(50e3),   true),
        ("heat that is too low", watts(12e3),   watts(12e3),   false),
    ];
    for (told, rated, rated_heat, all) in cases {
        let pump = Meter {
            rated,
            rated_heat,
            ..pump.clone()
        };
        let mut book = MeterBook::new(&pump, None);
        let heat = book
            .tracks()
            .iter()
            .position(|track| track.channel().carrier == Carrier::Heat)
            .unwrap();
        let mut entries = Vec::new();
        for second in (0..=1_805).step_by(5) {
            let count = Said::Count(second * 48_000 / 3_600);
            book.hear(
                heat,
                at_ms(second * 1_000),
                count,
                &calendar(),
                &mut entries,
            );
        }
        let first: Vec<_> = entries
            .iter()
            .filter(|entry| entry.energy.is_ok())
            .collect();
        let energy = first[0].energy.unwrap().as_watt_hours();
        assert_eq!(energy > 11_990.0, all, "{told}: {energy}");
        assert_eq!(first[0].quality == Quality::Good, all, "{told}");
    }
}

#[test]
fn a_boundary_is_as_good_as_the_readings_around_it_are_near() {
    #[rustfmt::skip]
    let cases = [
        (20,    Quality::Good),
        (60,    Quality::Good),
        (61,    Quality::Interpolated),
        (600,   Quality::Interpolated),
        (7_200, Quality::Interpolated),
        (7_201, Quality::Estimated),
    ];
    for (gap_s, expected) in cases {
        let mut book = MeterBook::new(&meter("tenant", &["energy_import"]), None);
        let said = [
            (0, Said::Count(0)),
            (890_000, Said::Count(89)),
            (890_000 + gap_s * 1_000, Said::Count(99)),
        ];
        let entries = run(&mut book, &said);
        assert_eq!(entries[0].quality, expected, "{gap_s} s");
    }
}

#[test]
fn a_gap_of_an_hour_is_spread_and_marked_and_loses_nothing() {
    let mut book = MeterBook::new(&meter("tenant", &["energy_import"]), None);
    let entries = run(
        &mut book,
        &[
            (0, Said::Count(0)),
            (60_000, Said::Count(10)),
            (3_660_000, Said::Count(3_610)),
        ],
    );
    assert_eq!(entries.len(), 4);
    assert!(
        entries
            .iter()
            .all(|entry| entry.quality == Quality::Interpolated)
    );
    let total: MilliwattHours = entries.iter().map(|entry| entry.energy.unwrap()).sum();
    assert_eq!(total, MilliwattHours(35_500_000));
    assert!((entries[0].coverage_pct - 60.0 / 9.0).abs() < 1e-9);
    assert!(entries[1].coverage_pct < 1e-9);
}

#[test]
fn an_interval_that_closes_in_silence_is_unknown_and_known_when_the_meter_returns() {
    let mut book = MeterBook::new(&meter("tenant", &["energy_import"]), None);
    run(&mut book, &[(0, Said::Count(0)), (1_000, Said::Count(1))]);
    let span = calendar().slot(at_ms(0));
    let mut entries = Vec::new();
    book.close(span, Reason::Timeout, &mut entries);
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].energy, Err(Reason::Timeout));
    let late = run(&mut book, &[(1_801_000, Said::Count(1_801))]);
    assert_eq!(late[0].span, span);
    assert_eq!(late[0].energy, Ok(MilliwattHours(9_000_000)));
}

#[test]
fn a_slow_power_meter_completes_its_intervals_after_they_closed() {
    // Asked every ten minutes: the sample behind the boundary comes after the closing.
    let mut slow = meter("pv", &["power"]);
    slow.period = std::time::Duration::from_secs(600);
    let mut book = MeterBook::new(&slow, None);
    let mut entries = Vec::new();
    let mut known = Vec::new();
    let quarter = |nth: i64| calendar().slot(at_ms(nth * 900_000));
    for (ms, closes) in [
        (0, None),
        (600_000, None),
        (1_200_000, Some(0)),
        (1_800_000, Some(1)),
    ] {
        if let Some(nth) = closes {
            book.close(quarter(nth), Reason::Stale, &mut entries);
        }
        let late = run(&mut book, &[(ms, Said::Watts(6_000.0))]);
        known.extend(late.into_iter().filter(|entry| entry.energy.is_ok()));
    }
    entries.retain(|entry| entry.channel.positive);
    let first: Vec<_> = entries.iter().map(|entry| entry.energy).collect();
    assert_eq!(first, [Err(Reason::Stale), Err(Reason::Stale)]);
    let spans: Vec<_> = known
        .iter()
        .map(|entry| (entry.span, entry.energy))
        .collect();
    let whole = Ok(MilliwattHours(1_500_000));
    assert_eq!(spans, [(quarter(0), whole), (quarter(1), whole)]);
    assert!(known.iter().all(|entry| entry.quality == Quality::Derived));
}

#[test]
fn an_interval_that_closed_with_all_there_is_gets_no_second_entry() {
    let mut book = MeterBook::new(&meter("pv", &["power"]), None);
    let said: Vec<_> = (0..=895)
        .map(|s| (s * 1_000, Said::Watts(1_000.0)))
        .collect();
    run(&mut book, &said);
    let mut entries = Vec::new();
    book.close(calendar().slot(at_ms(0)), Reason::Stale, &mut entries);
    assert_eq!(entries[0].energy, Ok(MilliwattHours(250_000)));
    assert_eq!(entries[0].quality, Quality::Estimated, "the end is missing");
    // An hour later nothing can be joined to it.
    assert_eq!(run(&mut book, &[(4_500_000, Said::Watts(1_000.0))]), []);
}

#[test]
fn a_reset_marks_its_interval_and_excludes_the_step() {
    let mut book = MeterBook::new(&meter("tenant", &["energy_import"]), None);
    let mut said: Vec<(i64, Said)> = (0..=100)
        .map(|s| (s * 1_000, Said::Count(5_000 + s)))
        .collect();
    said.extend((101..=910).map(|s| (s * 1_000, Said::Count(s - 101))));
    let entries = run(&mut book, &said);
    assert_eq!(entries[0].quality, Quality::Suspect);
    assert_eq!(entries[0].energy, Ok(MilliwattHours((100 + 799) * 10_000)));
}

#[test]
fn power_is_integrated_in_trapezoids_and_split_by_direction() {
    let meter = meter("grid", &["power"]);
    let mut book = MeterBook::new(&meter, None);
    assert_eq!(book.tracks().len(), 2, "import and export");
    let mut entries = Vec::new();
    // A saw tooth from −3600 W to +3600 W in 10 s and back: half of the time each way.
    for second in 0..=900 {
        let place = second % 20;
        let watts = if place <= 10 {
            -3_600.0 + 720.0 * place as f64
        } else {
            3_600.0 - 720.0 * (place - 10) as f64
        };
        for track in 0..2 {
            book.hear(
                track,
                at_ms(second * 1_000),
                Said::Watts(watts),
                &calendar(),
                &mut entries,
            );
        }
    }
    assert_eq!(entries.len(), 2);
    for entry in &entries {
        let wh = entry.energy.unwrap().as_watt_hours();
        assert!((wh - 225.0).abs() < 1e-3, "{wh}");
        assert_eq!(entry.quality, Quality::Derived);
    }
}

#[test]
fn an_integral_with_a_hole_is_scaled_when_small_and_unknown_when_large() {
    for (hole, expected) in [(30, Some(Quality::Estimated)), (300, None)] {
        let mut book = MeterBook::new(&meter("pv", &["power"]), None);
        let said: Vec<_> = (0..=900)
            .filter(|second| !(100..100 + hole).contains(second))
            .map(|second| (second * 1_000, Said::Watts(1_000.0)))
            .collect();
        let entries = run(&mut book, &said);
        assert_eq!(
            entries[0].energy.ok().map(|_| entries[0].quality),
            expected,
            "{hole} s"
        );
        if expected.is_some() {
            assert_eq!(
                entries[0].energy,
                Ok(MilliwattHours(250_000)),
                "scaled to the interval"
            );
            let made = Made::INTEGRATED.and(Made::LINEAR);
            assert_eq!(entries[0].made, made);
        }
    }
}

#[test]
fn a_night_without_power_is_a_good_zero() {
    let mut book = MeterBook::new(&meter("pv", &["power"]), None);
    let said: Vec<_> = (0..=900)
        .map(|second| (second * 1_000, Said::Watts(0.0)))
        .collect();
    let entries = run(&mut book, &said);
    assert_eq!(
        (entries[0].energy, entries[0].quality),
        (Ok(MilliwattHours::ZERO), Quality::Good)
    );
}

proptest! {
    /// Whatever the distances of readings, and however often the daemon restarts,
    /// the intervals of a register add up to closing minus opening reading.
    #[test]
    fn intervals_telescope(
        steps in prop::collection::vec((1_000_i64..2_000_000, 0_i64..5_000, any::<bool>()), 1..60),
    ) {
        let meter = meter("tenant", &["energy_import"]);
        let mut book = MeterBook::new(&meter, None);
        let (mut ms, mut raw) = (0, 777);
        let mut entries = Vec::new();
        book.hear(0, at_ms(0), Said::Count(raw), &calendar(), &mut entries);
        for (wait, counted, restart) in steps {
            ms += wait;
            raw += counted;
            if restart {
                let json = book.to_json();
                if let Some(json) = json { book = MeterBook::new(&meter, Some(&json)); }
            }
            book.hear(0, at_ms(ms), Said::Count(raw), &calendar(), &mut entries);
        }
        let booked: MilliwattHours = entries.iter().map(|entry| entry.energy.unwrap()).sum();
        if let Some(last) = entries.last() {
            prop_assert_eq!(entries[0].opening, Some(MilliwattHours::ZERO));
            prop_assert_eq!(last.closing, Some(booked));
            for pair in entries.windows(2) {
                prop_assert_eq!(pair[0].span.end, pair[1].span.start);
                prop_assert_eq!(pair[0].closing, pair[1].opening);
            }
        }
        let channel = book.tracks()[0].channel();
        let open = book.so_far(channel, calendar().slot(at_ms(ms)), at_ms(ms)).unwrap();
        prop_assert_eq!(booked + open.energy.unwrap(), MilliwattHours((raw - 777) * 10_000));
    }
}

/// A break of the only register, in seconds of the tests' time.
fn broken(at_s: i64, last: Option<i64>, first: i64) -> MeterEvent {
    let by = Break {
        last,
        first,
        worth: None,
    };
    MeterEvent {
        number: 1,
        meter: "m".into(),
        channel: Channel {
            carrier: crate::domain::meter::Carrier::Electricity,
            positive: true,
        },
        at: at_ms(at_s * 1_000),
        what: What::Exchange(by),
        who: "w".into(),
        why: "y".into(),
        entered: at_ms(0),
    }
}

/// A register that counts one of 10 Wh each ten seconds, exchanged in the second quarter
/// hour: silent from 1000 s to 1300 s, the new one begins at 3.
fn exchanged(events: &[MeterEvent]) -> Vec<(Option<i64>, Quality, Made)> {
    let mut book = MeterBook::new(&meter("tenant", &["energy_import"]), None);
    book.set_events(events);
    let said: Vec<(i64, Said)> = (0..=270)
        .map(|n| n * 10)
        .filter(|s| !(1_001..1_300).contains(s))
        .map(|s| {
            let raw = if s <= 1_000 {
                500 + s / 10
            } else {
                3 + (s - 1_200) / 10
            };
            (s * 1_000, Said::Count(raw))
        })
        .collect();
    let entries = run(&mut book, &said);
    let known = entries.iter().map(|entry| {
        let counts = entry.energy.ok().map(|energy| energy.0 / 10_000);
        (counts, entry.quality, entry.made)
    });
    known.collect()
}

#[test]
fn an_exchange_that_was_read_closes_the_gap_and_one_that_was_not_excludes_it() {
    let counted = Made::REGISTER;
    let good = (Some(90), Quality::Good, counted);
    let manual = (Some(90), Quality::Manual, counted.and(Made::MANUAL));
    let read = [broken(1_200, Some(620), 3)];
    let unread = [broken(1_200, None, 3)];
    #[rustfmt::skip]
    let cases = [
        // Without an event the step from the last reading to the first of the new is excluded.
        ("nobody says anything", &[][..],    (Some(60), Quality::Suspect, counted)),
        ("read by a person",     &read[..],   manual),
        // What the new one counted is known; what the old one counted to its end is not.
        ("nobody read the old",  &unread[..], (Some(70), Quality::Suspect, counted)),
    ];
    for (name, events, second) in cases {
        assert_eq!(exchanged(events), [good, second, good], "{name}");
    }
}

#[test]
fn an_event_that_is_heard_of_too_late_leaves_the_books_as_they_are() {
    let mut book = MeterBook::new(&meter("tenant", &["energy_import"]), None);
    let mut entries = run(&mut book, &[(0, Said::Count(5)), (60_000, Said::Count(11))]);
    book.set_events(&[broken(30, Some(8), 0)]);
    let more = [(120_000, Said::Count(17)), (900_000, Said::Count(95))];
    entries.extend(run(&mut book, &more));
    assert_eq!(entries[0].energy, Ok(MilliwattHours(90 * 10_000)));
}

/// A count of 10 Wh is worth 20 Wh from 500 s on, which is entered at 1000 s.
#[test]
fn a_ratio_that_is_entered_late_holds_from_the_next_reading_on() {
    let mut book = MeterBook::new(&meter("tenant", &["energy_import"]), None);
    let said = |from: i64, to: i64| -> Vec<(i64, Said)> {
        let seconds = (from..=to).step_by(10);
        seconds.map(|s| (s * 1_000, Said::Count(s / 10))).collect()
    };
    let mut entries = run(&mut book, &said(0, 1_000));
    let mut event = broken(500, Some(50), 50);
    event.what = What::Ratio(Break {
        last: Some(50),
        first: 50,
        worth: CountUnit::new(20_000, 1),
    });
    book.set_events(&[event.clone()]);
    entries.extend(run(&mut book, &said(1_010, 1_500)));
    book.set_events(&[event]);
    entries.extend(run(&mut book, &said(1_510, 3_600)));
    let known = entries.iter().map(|entry| {
        let counts = entry.energy.ok().map(|energy| energy.0 / 10_000);
        (counts, entry.quality)
    });
    let known: Vec<_> = known.collect();
    let good = |counts| (Some(counts), Quality::Good);
    // In the second quarter hour 10 counts were booked before anybody knew, 80 after.
    let second = (Some(10 + 2 * 80), Quality::Suspect);
    assert_eq!(known, [good(90), second, good(180), good(180)]);
}
