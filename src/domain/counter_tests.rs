//! Cases for registers: vectors with their source, situations, and laws.

use super::*;
use proptest::prelude::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second).unwrap()
}

fn kind(modulus: Option<i128>) -> RegisterKind {
    RegisterKind {
        unit: CountUnit::new(1_000, 1).unwrap(),
        modulus,
        told: false,
    }
}

fn counter(modulus: Option<i128>, readings: &[(i64, i64)]) -> (Counter, Vec<Heard>) {
    let mut counter = Counter::new(kind(modulus));
    let rated = Some(Power::from_watts(3_600.0).unwrap());
    let heard = readings
        .iter()
        .map(|(s, raw)| counter.hear(at(*s), *raw, rated))
        .collect();
    (counter, heard)
}

/// Source: interval_cases.json `counter_rollover`, scaled to whole counts.
#[test]
fn steps_agree_with_their_vectors() {
    let text = include_str!("../../tests/fixtures/interval_cases.json");
    let cases: serde_json::Value = serde_json::from_str(text).unwrap();
    for case in cases["counter_rollover"].as_array().unwrap() {
        let counts = |key: &str| (case[key].as_f64().unwrap() * 10.0).round() as i128;
        let modulus = counts("modulus");
        // A signed register is read as an unsigned one before it is compared.
        let unsigned = |raw: i128| if raw < 0 { raw + modulus } else { raw };
        let found = step(
            unsigned(counts("old")),
            unsigned(counts("new")),
            Some(modulus),
            Some(counts("max_plausible")),
        );
        let delta = case["expect_delta"]
            .as_f64()
            .map(|delta| (delta * 10.0).round() as i128);
        let expected = match (case["expect_status"].as_str().unwrap(), delta) {
            ("ok", Some(delta)) => Step::Advanced(delta),
            ("rollover", Some(delta)) => Step::RolledOver(delta),
            ("reset_or_exchange", None) => Step::Doubtful(Doubt::ResetOrExchange),
            ("implausible_jump", None) => Step::Doubtful(Doubt::ImplausibleJump),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{}", case["comment"]);
    }
}

proptest! {
    /// What is said of two readings by themselves is what a counter makes of them that
    /// opened with the first.
    #[test]
    fn two_readings_are_judged_as_a_counter_judges_its_second(
        modulus in prop::sample::select(vec![None, Some(100_000), Some(1 << 16), Some(1_i64 << 32)]),
        old in 0_i64..70_000,
        new in prop_oneof![0_i64..70_000, Just(65_535_i64)],
        seconds in 1_i64..100_000,
        watts in prop::option::of(1.0..1e6_f64),
    ) {
        let rated = watts.map(|watts| Power::from_watts(watts).unwrap());
        let kind = kind(modulus.map(i128::from));
        let (said, most) = Counter::second(kind, (old, new), seconds * 1_000, rated);
        let mut counter = Counter::new(kind);
        prop_assume!(counter.hear(at(0), old, rated) == Heard::Opened);
        match (said, counter.hear(at(seconds), new, rated)) {
            (Step::Advanced(delta) | Step::RolledOver(delta), Heard::Booked { to, .. }) => {
                prop_assert!(delta <= most);
                prop_assert_eq!(to, kind.unit.energy(delta));
            }
            (Step::Doubtful(said), Heard::Held(doubt)) => prop_assert_eq!(said, doubt),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

#[test]
fn a_spike_that_returns_leaves_no_trace() {
    let (counter, heard) = counter(
        None,
        &[(0, 1_000), (10, 1_010), (20, 9_999_999), (30, 1_030)],
    );
    assert_eq!(heard[2], Heard::Held(Doubt::ImplausibleJump));
    assert_eq!(counter.position(), MilliwattHours(30_000));
    assert_eq!(counter.doubt(), None);
}

#[test]
fn a_reset_is_believed_when_the_register_goes_on_from_there() {
    let (counter, heard) = counter(
        None,
        &[(0, 5_000), (10, 5_010), (20, 3), (30, 13), (40, 23)],
    );
    assert_eq!(heard[2], Heard::Held(Doubt::ResetOrExchange));
    assert_eq!(heard[3], Heard::Held(Doubt::ResetOrExchange));
    assert_eq!(
        heard[4],
        Heard::NewSegment {
            from: (at(10), MilliwattHours(10_000)),
            resumed: at(20),
            to: MilliwattHours(30_000),
        }
    );
    assert_eq!(counter.position(), MilliwattHours(30_000));
}

#[test]
fn a_step_between_two_segments_is_remembered_and_one_that_was_booked_is_not() {
    let step = |before, after| Excluded {
        before,
        after,
        unit: CountUnit::new(1_000, 1).unwrap(),
    };
    let ms = |second: i64| at(second).as_millisecond();
    let reset = step((ms(10), 5_010), (ms(20), 3));
    let again = step((ms(40), 23), (ms(50), 90_000));
    type Case<'a> = (&'a str, &'a [(i64, i64)], Option<Excluded>, &'a [Excluded]);
    #[rustfmt::skip]
    let cases: [Case<'_>; 5] = [
        ("it goes on",       &[(0, 5_000), (10, 5_010)],                                 None,        &[]),
        ("a spike",          &[(0, 5_000), (10, 5_010), (20, 3), (30, 5_020)],           None,        &[]),
        ("a reset, doubted", &[(0, 5_000), (10, 5_010), (20, 3), (30, 13)],              Some(reset), &[]),
        ("a reset",          &[(0, 5_000), (10, 5_010), (20, 3), (30, 13), (40, 23)],    None,        &[reset]),
        ("a reset, a jump",  &[(0, 5_000), (10, 5_010), (20, 3), (30, 13), (40, 23),
                               (50, 90_000), (60, 90_010), (70, 90_020), (80, 90_030), (90, 90_040),
                               (100, 90_050), (110, 90_060), (120, 90_070)],             None,        &[reset, again]),
    ];
    for (situation, readings, held, excluded) in cases {
        let (counter, _) = counter(None, readings);
        assert_eq!(counter.held_step(), held, "{situation}");
        assert_eq!(counter.excluded(), excluded, "{situation}");
    }
}

#[test]
fn a_step_between_counts_of_different_worth_is_remembered_with_the_worth_before() {
    let told = |raw, mwh| Told {
        raw,
        unit: CountUnit::new(mwh, 1).unwrap(),
        bits: 0,
    };
    let mut counter = Counter::new(RegisterKind {
        told: true,
        ..kind(None)
    });
    counter.hear_told(at(0), told(100, 1_000), None);
    counter.hear_told(at(10), told(110, 1_000), None);
    assert_eq!(counter.excluded(), []);
    counter.hear_told(at(20), told(11, 10_000), None);
    let step = Excluded {
        before: (at(10).as_millisecond(), 110),
        after: (at(20).as_millisecond(), 11),
        unit: CountUnit::new(1_000, 1).unwrap(),
    };
    assert_eq!(counter.excluded(), [step]);
    assert_eq!(counter.position(), MilliwattHours(10_000));
}

#[test]
fn a_single_low_reading_never_moves_the_books() {
    let (counter, _) = counter(None, &[(0, 5_000), (10, 0), (20, 5_020)]);
    assert_eq!(counter.position(), MilliwattHours(20_000));
}

#[test]
fn a_register_that_jitters_by_one_count_catches_up() {
    let (counter, heard) = counter(
        None,
        &[
            (0, 5_000),
            (1, 4_999),
            (2, 4_999),
            (3, 4_999),
            (4, 4_999),
            (9, 5_001),
        ],
    );
    assert!(
        heard[1..5]
            .iter()
            .all(|heard| matches!(heard, Heard::Held(_)))
    );
    assert_eq!(counter.position(), MilliwattHours(1_000));
}

/// What a register shows of the watt-hours that flowed.
type Shows = fn(i64) -> i64;

/// Registers that move in steps, from their first reading on: what each shows at
/// a second, for its nameplate of 100 kW, in counts of one watt-hour.
#[test]
fn a_register_that_moves_in_steps_loses_none_of_them() {
    let flowed = |second: i64, watts: i64| second * watts / 3_600;
    #[rustfmt::skip]
    let cases: [(&str, Shows, i64); 4] = [
        ("a display of 10 Wh at 4 kW",         |wh| wh / 10 * 10,                4_000),
        ("a float of half a kWh at 60 kW",     |wh| 5_000_000_000 + wh / 500 * 500, 60_000),
        ("a display of 10 kWh at 90 kW",       |wh| wh / 10_000 * 10_000,       90_000),
        ("every count at full power",          |wh| wh,                        100_000),
    ];
    let rated = Some(Power::from_watts(100e3).unwrap());
    for (name, shows, watts) in cases {
        let mut counter = Counter::new(kind(None));
        let (mut held, mut moves, mut last) = (0, 0, shows(0));
        for second in 0..3_600 {
            let raw = shows(flowed(second, watts));
            moves += i64::from(raw != last);
            last = raw;
            let heard = counter.hear(at(second), raw, rated);
            held += i64::from(matches!(heard, Heard::Held(_)));
        }
        assert!(held <= 2 * moves.min(10), "{name}: {held} readings held");
        let counted = shows(flowed(3_599, watts)) - shows(0);
        assert_eq!(
            counter.position(),
            MilliwattHours(counted * 1_000),
            "{name}"
        );
    }
}

#[test]
fn a_register_that_its_meter_refreshes_twice_a_minute_is_believed() {
    let rated = Some(Power::from_watts(100e3).unwrap());
    for phase in [0, 1, 15, 29] {
        let mut counter = Counter::new(kind(None));
        let shown = |second: i64| (second + phase).div_euclid(30) * 30 * 50_000 / 3_600;
        for second in 0..900 {
            let heard = counter.hear(at(second), shown(second), rated);
            assert!(!matches!(heard, Heard::Held(_)), "{second} {heard:?}");
        }
        let counted = shown(899) - shown(0);
        assert_eq!(counter.position(), MilliwattHours(counted * 1_000));
    }
}

#[test]
fn a_spike_after_a_night_at_rest_leaves_no_trace() {
    let nameplate = Some(Power::from_watts(2e6).unwrap());
    for rated in [None, nameplate] {
        // 24 MWh, which ten hours at full power explain; all bits, once and for long.
        for (spike, readings) in [(23_000_000, 1), (4_294_967_295, 1), (4_294_967_295, 900)] {
            let mut counter = Counter::new(kind(Some(1 << 32)));
            for second in 0..36_000 {
                counter.hear(at(second), 70_000, rated);
            }
            for second in 36_000..36_000 + readings {
                let heard = counter.hear(at(second), spike, rated);
                assert!(matches!(heard, Heard::Held(_)), "{rated:?} {spike}");
            }
            counter.hear(at(36_000 + readings), 70_007, rated);
            counter.hear(at(36_001 + readings), 70_014, rated);
            let case = format!("{rated:?} {spike} {readings}");
            assert_eq!(counter.position(), MilliwattHours(14_000), "{case}");
        }
    }
}

#[test]
fn a_register_that_begins_with_all_bits_set_opens_with_its_first_count() {
    let mut counter = Counter::new(kind(Some(1 << 32)));
    for (second, raw) in [(0, 4_294_967_295), (1, 500), (2, 510)] {
        counter.hear(at(second), raw, None);
    }
    assert_eq!(counter.position(), MilliwattHours(10_000));
}

#[test]
fn a_meter_exchanged_for_one_that_shows_more_begins_a_new_segment() {
    for rated in [None, Some(Power::from_watts(100e3).unwrap())] {
        let mut counter = Counter::new(kind(None));
        for second in 0..10 {
            counter.hear(at(second), 1_000 + second * 10, rated);
        }
        for second in 10..20 {
            counter.hear(at(second), 900_000_000_000 + second * 10, rated);
        }
        assert_eq!(
            counter.position(),
            MilliwattHours((90 + 90) * 1_000),
            "{rated:?}"
        );
    }
}

#[test]
fn a_register_that_counts_differently_begins_a_new_segment_where_it_stood() {
    let (old, _) = counter(None, &[(0, 100), (10, 110)]);
    let other = RegisterKind {
        unit: CountUnit::new(80_000, 1).unwrap(),
        modulus: None,
        told: false,
    };
    let mut resumed = old.resumed(other);
    assert_eq!(resumed.position(), MilliwattHours(10_000));
    assert_eq!(resumed.hear(at(20), 7, None), Heard::Opened);
    resumed.hear(at(30), 8, None);
    assert_eq!(resumed.position(), MilliwattHours(90_000));
}

#[test]
fn a_worth_that_the_device_tells_is_not_of_the_configuration() {
    let told = |raw, numerator| Told {
        raw,
        unit: CountUnit::new(numerator, 1).unwrap(),
        bits: 0,
    };
    let at_one = RegisterKind {
        told: true,
        ..kind(Some(65_536))
    };
    let mut counter = Counter::new(at_one);
    counter.hear_told(at(0), told(100, 80_000), None);
    counter.hear_told(at(10), told(101, 80_000), None);
    // A restart: the configuration says what a count is worth at a ratio of one.
    let mut counter = counter.resumed(at_one);
    assert_eq!(counter.position(), MilliwattHours(80_000));
    counter.hear_told(at(20), told(103, 80_000), None);
    assert_eq!(counter.position(), MilliwattHours(240_000));
    // Another ratio: the step is no energy, whatever the counts are apart.
    let heard = counter.hear_told(at(30), told(104, 100_000), None);
    assert!(matches!(heard, Heard::NewSegment { .. }), "{heard:?}");
    assert_eq!(counter.position(), MilliwattHours(240_000));
    counter.hear_told(at(40), told(105, 100_000), None);
    assert_eq!(counter.position(), MilliwattHours(340_000));
    // All bits set is what devices say that have nothing to say, at any worth.
    let heard = counter.hear_told(at(50), told(65_535, 9), None);
    assert_eq!(heard, Heard::Held(Doubt::ImplausibleJump));
}

proptest! {
    /// However often the register rolls over, the books hold what was counted.
    #[test]
    fn rollovers_lose_nothing(steps in prop::collection::vec(0_i64..2_000, 1..200)) {
        let modulus = 65_536_i64;
        let mut counter = Counter::new(kind(Some(modulus.into())));
        let rated = Some(Power::from_watts(3.0e6).unwrap());
        let mut total = 65_000_i64;
        counter.hear(at(0), total % modulus, rated);
        for (second, step) in steps.iter().enumerate() {
            total += step;
            let heard = counter.hear(at(second as i64 * 10 + 10), total % modulus, rated);
            let booked = matches!(heard, Heard::Booked { .. });
            // A count of all bits waits for the next one.
            prop_assert!(booked || total % modulus == modulus - 1, "{:?}", heard);
        }
        total += 1;
        let after = i64::try_from(steps.len()).unwrap() * 10 + 10;
        let heard = counter.hear(at(after), total % modulus, rated);
        prop_assume!(!matches!(heard, Heard::Held(_)));
        prop_assert_eq!(counter.position(), MilliwattHours((total - 65_000) * 1_000));
    }
}

fn exchange(last: Option<i64>, first: i64, worth: Option<CountUnit>) -> Break {
    Break { last, first, worth }
}

#[test]
fn an_exchange_counts_the_old_meter_to_its_last_reading_and_the_new_one_from_its_first() {
    let ten = CountUnit::new(10_000, 1).unwrap();
    #[rustfmt::skip]
    let cases = [
        // The event                              counts of the old, of the new, worth of the new
        ("read by a person",                      exchange(Some(5_025), 3, None),      25, 17, 1),
        ("nobody read the old one",               exchange(None, 3, None),             10, 17, 1),
        ("below what was counted already",        exchange(Some(5_002), 3, None),      10, 17, 1),
        ("another ratio with the same register",  exchange(Some(5_025), 3, Some(ten)), 25, 17, 10),
    ];
    for (name, by, old, new, worth) in cases {
        let (mut counter, _) = counter(None, &[(0, 5_000), (10, 5_010)]);
        let heard = counter.broken(at(40), by).unwrap();
        assert_eq!(counter.position(), MilliwattHours(old * 1_000), "{name}");
        assert_eq!(
            matches!(heard, Heard::Booked { .. }),
            by.last == Some(5_025),
            "{name}: {heard:?}"
        );
        counter.hear(at(60), 20, Some(Power::from_watts(360_000.0).unwrap()));
        let total = (old + new * worth) * 1_000;
        assert_eq!(counter.position(), MilliwattHours(total), "{name}");
    }
}

/// Source: interval_cases.json `meter_exchange`; a count is a hundredth of a kWh.
#[test]
fn an_exchange_agrees_with_its_vector() {
    let text = include_str!("../../tests/fixtures/interval_cases.json");
    let cases: serde_json::Value = serde_json::from_str(text).unwrap();
    let case = &cases["meter_exchange"];
    let raw = |side: &str, key: &str| (case[side][key].as_f64().unwrap() * 100.0).round() as i64;
    let unit = |side: &str| {
        let multiplier = case[side]["multiplier"].as_i64().unwrap();
        CountUnit::new(i128::from(multiplier) * 10_000, 1).unwrap()
    };
    let mut counter = Counter::new(RegisterKind {
        unit: unit("old_meter"),
        ..kind(None)
    });
    let rated = Some(Power::from_watts(10e6).unwrap());
    counter.hear(at(0), raw("old_meter", "start"), rated);
    let by = Break {
        last: Some(raw("old_meter", "final")),
        first: raw("new_meter", "initial"),
        worth: Some(unit("new_meter")),
    };
    counter.broken(at(900), by);
    counter.hear(at(1_800), raw("new_meter", "end"), rated);
    let expected = case["expect_energy_kWh"].as_f64().unwrap();
    assert_eq!(
        counter.position(),
        MilliwattHours::from_watt_hours(expected * 1e3)
    );
}

#[test]
fn an_event_that_the_books_are_past_or_that_comes_before_them_changes_nothing() {
    let (mut counter, _) = counter(None, &[(0, 5_000), (10, 5_010)]);
    let before = counter.clone();
    assert_eq!(counter.broken(at(10), exchange(Some(5_005), 0, None)), None);
    assert_eq!(counter.broken(at(3), exchange(Some(5_005), 0, None)), None);
    assert_eq!(counter, before);
    let mut fresh = Counter::new(kind(None));
    assert_eq!(fresh.broken(at(3), exchange(Some(5), 0, None)), None);
}

/// A thousandth of a gigajoule is 277777.7… mWh.
#[test]
fn books_that_begin_elsewhere_come_to_the_same_milliwatt_hours() {
    let gigajoule = RegisterKind {
        unit: CountUnit::new(2_500_000, 9).unwrap(),
        ..kind(Some(100))
    };
    let rated = Some(Power::from_watts(40e6).unwrap());
    let reads: Vec<(i64, i64)> = (0..40)
        .map(|place| (place * 10, (90 + place * 7) % 100))
        .collect();
    let positions = |reads: &[(i64, i64)]| -> Vec<MilliwattHours> {
        let mut counter = Counter::new(gigajoule);
        let hear = |(second, raw): &(i64, i64)| {
            let heard = counter.hear(at(*second), *raw, rated);
            assert!(
                matches!(heard, Heard::Opened | Heard::Booked { .. }),
                "{heard:?}"
            );
            counter.position()
        };
        reads.iter().map(hear).collect()
    };
    let whole = positions(&reads);
    for begin in 1..reads.len() {
        let part = positions(&reads[begin..]);
        for (place, position) in part.iter().enumerate() {
            assert_eq!(
                *position,
                whole[begin + place] - whole[begin],
                "{begin} {place}"
            );
        }
    }
    // 273 counts, three times over zero: no further off than a rounding for each of them.
    let exact = 273.0 * 2_500_000.0 / 9.0;
    let off = whole.last().unwrap().as_watt_hours() * 1e3 - exact;
    assert!(off.abs() <= 2.5, "{off}");
}

#[test]
fn books_that_begin_after_a_ratio_was_changed_count_by_the_new_one() {
    let ten = CountUnit::new(10_000, 1).unwrap();
    let rated = Some(Power::from_watts(36_000.0).unwrap());
    let mut fresh = Counter::new(kind(None));
    assert_eq!(fresh.broken(at(3), exchange(Some(5), 5, Some(ten))), None);
    fresh.hear(at(10), 5_000, rated);
    // The break of then is not one of now.
    assert_eq!(fresh.broken(at(3), exchange(Some(5), 5, Some(ten))), None);
    fresh.hear(at(20), 5_002, rated);
    assert_eq!(fresh.position(), MilliwattHours(20_000));
}

#[test]
fn a_ratio_by_an_event_outlives_a_restart_with_the_old_configuration() {
    let (mut counter, _) = counter(None, &[(0, 5_000), (10, 5_010)]);
    let ten = CountUnit::new(10_000, 1).unwrap();
    counter.broken(at(20), exchange(Some(5_010), 5_010, Some(ten)));
    let json = serde_json::to_string(&counter).unwrap();
    let mut later: Counter = serde_json::from_str::<Counter>(&json)
        .unwrap()
        .resumed(kind(None));
    later.hear(at(30), 5_012, Some(Power::from_watts(36_000.0).unwrap()));
    assert_eq!(later.position(), MilliwattHours(10_000 + 20_000));
}
