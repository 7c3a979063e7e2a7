//! Energy of heat that is computed, through the whole engine.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::super::Engine;
use super::super::heat_support::{at, heard, meter, park, says, settings, water, way};
use super::*;
use crate::domain::interval::Entry;
use crate::domain::quality::{Quality, Reason};
use crate::domain::units::MilliwattHours;

const FLOW: &[&str] = &["flow", "temp_supply", "temp_return"];
const VOLUME: &[&str] = &["volume", "temp_supply", "temp_return"];

fn vectors() -> Json {
    serde_json::from_str(include_str!("../../tests/fixtures/heat_integration.json")).unwrap()
}

fn mwh(kwh: f64) -> MilliwattHours {
    MilliwattHours::from_watt_hours(kwh * 1e3)
}

fn energies(entries: &[Entry], positive: bool) -> Vec<Result<MilliwattHours, Reason>> {
    way(entries, positive)
        .iter()
        .map(|entry| entry.energy)
        .collect()
}

/// One value each second, of what flows and both pipes.
fn each_second(seconds: std::ops::RangeInclusive<i64>, values: [f64; 3]) -> Vec<(i64, Vec<f64>)> {
    seconds.map(|second| (second, values.to_vec())).collect()
}

/// 10 m³ at 80/40, 1 m³ at 50/45 and half a cubic metre at 38/38.1 are 466.972638 kWh;
/// the mean temperatures of the quarter of an hour would make 198 of it.
#[test]
fn each_increment_of_volume_has_its_own_temperatures() {
    let vectors = vectors();
    let number = |json: &Json| json.as_f64().unwrap();
    let mut volume = 12_345.5;
    let mut said = vec![(0, vec![volume, 80.0, 40.0])];
    for (place, step) in vectors["steps"].as_array().unwrap().iter().enumerate() {
        volume += number(&step["V_m3"]);
        let values = vec![volume, number(&step["tf"]), number(&step["tr"])];
        said.push((300 * (place as i64 + 1), values));
    }
    let (entries, engine) = heard(meter("heat_feed", VOLUME, 300, water()), &said);
    let expected = mwh(number(&vectors["expect_total_kWh"]));
    assert_eq!(energies(&entries, true), [Ok(expected)]);
    assert_eq!(energies(&entries, false), [Ok(MilliwattHours::ZERO)]);
    let forward = way(&entries, true)[0];
    assert_eq!(
        (forward.quality, forward.coverage_pct),
        (Quality::Derived, 100.0)
    );
    // A tenth of a kelvin the other way is set aside, kept, and marks its direction.
    assert_eq!(way(&entries, false)[0].quality, Quality::Suspect);
    let counted = *engine.books[0].heat().unwrap().counted();
    assert_eq!(counted.below_spread.volume_m3, 0.5);
    assert!(counted.below_spread.joules < 0.0);
    assert_eq!(counted.negative.increments, 0);
}

#[test]
fn a_sensor_in_the_wrong_pipe_is_wrong_by_what_the_vectors_say() {
    let vectors = &vectors()["sensor_position"];
    for (sensor, key) in [
        (Pipe::Return, "expect_return_kWh"),
        (Pipe::Supply, "if_configured_as_flow_kWh"),
    ] {
        let mut heat = water();
        heat.place.sensor = sensor;
        let said = [
            (0, vec![1e3, 90.0, 50.0]),
            (900, vec![1e3 + 100.0, 90.0, 50.0]),
        ];
        let (entries, _) = heard(meter("heat_feed", VOLUME, 300, heat), &said);
        let kwh = way(&entries, true)[0].energy.unwrap().as_watt_hours() / 1e3;
        let expected = vectors[key].as_f64().unwrap();
        assert!((kwh - expected).abs() < 5e-5, "{kwh} {expected}");
    }
}

#[test]
fn flow_over_time_is_heat_of_every_fluid_and_in_both_directions() {
    #[rustfmt::skip]
    let cases = [
        // fluid            %           m³/h  supply back
        ("water",          None,        10.0, 70.0,  50.0),
        ("water",          None,        10.0, 50.0,  70.0),
        ("water",          None,       -10.0, 70.0,  50.0),
        ("mpg",            Some(40.0),  5.0,  60.0,  40.0),
        ("meg",            Some(30.0),  5.0,  60.0,  40.0),
        ("therminol-vp-1", None,        80.0, 390.0, 290.0),
        ("therminol-66",   None,        20.0, 280.0, 240.0),
        ("syltherm-800",   None,        20.0, 380.0, 280.0),
        ("solar-salt",     None,        90.0, 565.0, 290.0),
    ];
    for (fluid, pct, flow, supply, back) in cases {
        let heat = settings(fluid, pct);
        let said = each_second(0..=900, [flow, supply, back]);
        let (entries, _) = heard(meter("heat_storage", FLOW, 1, heat), &said);
        let watts = heat.place.power_w(flow, supply, back).unwrap();
        let expected = MilliwattHours::from_watt_hours(watts.abs() / 4.0);
        let near = |found: MilliwattHours| (found - expected).0.abs() <= 1;
        let ways = (
            energies(&entries, true)[0].unwrap(),
            energies(&entries, false)[0].unwrap(),
        );
        let (own, other) = if watts > 0.0 { ways } else { (ways.1, ways.0) };
        assert!(near(own), "{fluid}: {own:?} {expected:?}");
        assert_eq!(other, MilliwattHours::ZERO, "{fluid}");
    }
}

/// Samples of a flow that changes with its temperatures: mean temperatures and a mean
/// flow would make another sum.
#[test]
fn each_sample_of_a_flow_stands_for_its_own_half() {
    let samples = [
        [10.0, 80.0, 40.0],
        [1.0, 50.0, 45.0],
        [4.0, 90.0, 30.0],
        [2.0, 60.0, 50.0],
    ];
    let said = (0_i64..).zip(&samples);
    let said: Vec<_> = said
        .map(|(place, sample)| (300 * place, sample.to_vec()))
        .collect();
    let (entries, _) = heard(meter("heat_feed", FLOW, 300, water()), &said);
    let seconds = [150.0, 300.0, 300.0, 150.0];
    let joules = samples
        .iter()
        .zip(seconds)
        .map(|([flow, supply, back], seconds)| {
            water().place.power_w(*flow, *supply, *back).unwrap() * seconds
        });
    let expected = MilliwattHours::from_watt_hours(joules.sum::<f64>() / 3_600.0);
    let found = energies(&entries, true)[0].unwrap();
    assert!((found - expected).0.abs() <= 1, "{found:?} {expected:?}");
}

#[test]
fn what_the_cut_offs_keep_out_is_no_heat_and_is_kept() {
    let mut heat = water();
    heat.cut_offs.flow_m3h = 0.08;
    // Flow, spread; how much of 900 s is heat, and whether that is doubtful.
    for (flow, supply, heats, quality) in [
        (0.05, 70.0, false, Quality::Suspect),
        (10.0, 50.1, false, Quality::Suspect),
        (10.0, 52.0, true, Quality::Suspect),
        (10.0, 54.0, true, Quality::Derived),
        (0.0, 70.0, false, Quality::Good),
    ] {
        let said = each_second(0..=900, [flow, supply, 50.0]);
        let (entries, engine) = heard(meter("heat_feed", FLOW, 1, heat), &said);
        let entry = way(&entries, true)[0];
        assert_eq!(entry.energy.unwrap().0 > 0, heats, "{flow} {supply}");
        assert_eq!(entry.quality, quality, "{flow} {supply}");
        let counted = engine.books[0].heat().unwrap().counted();
        let aside = counted.below_flow.joules + counted.below_spread.joules;
        assert_eq!(aside > 0.0, flow > 0.0 && !heats, "{flow} {supply}");
        assert_eq!(counted.below_least_spread.joules > 0.0, supply == 52.0);
    }
}

#[test]
fn what_is_beyond_the_fluid_is_a_gap_and_not_zero() {
    // Boils for 10 s of 900: what is left is scaled up. For a minute: unknown.
    let whole = water().place.power_w(10.0, 70.0, 50.0).unwrap() / 4.0;
    for (boils_s, known) in [(10, true), (60, false)] {
        let mut said = each_second(0..=900, [10.0, 70.0, 50.0]);
        for (second, values) in &mut said {
            if (300..300 + boils_s).contains(second) {
                values[1] = 250.0;
            }
        }
        let (entries, _) = heard(meter("heat_feed", FLOW, 1, water()), &said);
        let entry = way(&entries, true)[0];
        assert!((entry.coverage_pct - (900 - boils_s) as f64 / 9.0).abs() < 1e-9);
        match entry.energy {
            Ok(energy) if known => {
                assert_eq!(entry.quality, Quality::Estimated);
                assert!((energy.as_watt_hours() - whole).abs() < 0.01, "{energy:?}");
            }
            energy => assert_eq!((energy, known), (Err(Reason::OutOfRange), false)),
        }
    }
}

/// A cubic metre a minute; what the register says at 300 s and later is told.
fn register(second: i64) -> f64 {
    1_000.0 + second as f64 / 60.0
}

/// What is wrong, the position at a second, the permanent flow, and for how many seconds
/// the register shows no heat, and nothing is known of it.
type Story = (&'static str, fn(i64) -> f64, Option<f64>, (i32, i32));

#[test]
fn a_volume_that_goes_back_or_leaps_is_no_heat() {
    let cubic_metre = water().place.heat_per_cubic_metre(70.0, 50.0).unwrap() / 3_600.0;
    #[rustfmt::skip]
    let cases: [Story; 7] = [
        // what is wrong               position                                                    q_p         s without heat, s unknown
        ("nothing",                    register,                                                   None,       (0, 0)),
        ("a zero once",                |s| if s == 300 { 0.0 } else { register(s) },               None,       (0, 0)),
        ("zeros for a while",          |s| if (300..=304).contains(&s) { 0.0 } else { register(s) }, None,     (3, 3)),
        ("a new register",             |s| if s >= 300 { register(s) - 990.0 } else { register(s) }, None,     (0, 2)),
        ("a leap once",                |s| if s == 300 { 9e6 } else { register(s) },               Some(60.0), (0, 0)),
        ("a leap for good",            |s| if s >= 300 { register(s) + 5e3 } else { register(s) }, Some(60.0), (0, 2)),
        ("a leap and back",            |s| if (300..=304).contains(&s) { 9e6 } else { register(s) }, Some(60.0), (3, 4)),
    ];
    for (wrong, position, permanent, (still, unknown)) in cases {
        let mut heat = water();
        heat.permanent_flow_m3h = permanent;
        let said: Vec<_> = (0..=900)
            .map(|s| (s, vec![position(s), 70.0, 50.0]))
            .collect();
        let (entries, _) = heard(meter("heat_feed", VOLUME, 1, heat), &said);
        let entry = way(&entries, true)[0];
        // The gap of some seconds is scaled up, and marked.
        let wh = entry.energy.unwrap().as_watt_hours();
        let seconds = f64::from(900 - unknown - still) * 900.0 / f64::from(900 - unknown);
        let expected = seconds / 60.0 * cubic_metre;
        assert!(
            (wh / expected - 1.0).abs() < 1e-6,
            "{wrong}: {wh} Wh of {expected}"
        );
        assert_eq!(
            energies(&entries, false),
            [Ok(MilliwattHours::ZERO)],
            "{wrong}"
        );
        if !wrong.contains("once") && wrong != "nothing" {
            assert_eq!(entry.quality, Quality::Estimated, "{wrong}");
        }
        let known = f64::from(900 - unknown) / 9.0;
        assert!((entry.coverage_pct - known).abs() < 1e-9, "{wrong}");
    }
}

#[test]
fn a_nameplate_bounds_a_leap_of_the_register_as_well() {
    let mut meter = meter("heat_feed", VOLUME, 1, water());
    meter.rated = crate::domain::units::Power::from_watts(2e6).ok();
    let leap = |s: i64| if s == 300 { 9e6 } else { register(s) };
    let said: Vec<_> = (0..=900).map(|s| (s, vec![leap(s), 70.0, 50.0])).collect();
    let (entries, _) = heard(meter, &said);
    let expected = 15.0 * water().place.heat_per_cubic_metre(70.0, 50.0).unwrap() / 3_600.0;
    let wh = way(&entries, true)[0].energy.unwrap().as_watt_hours();
    assert!((wh - expected).abs() < 0.01, "{wh} {expected}");
}

#[test]
fn looks_too_far_from_each_other_are_not_joined() {
    for (hole, known) in [(0..0, true), (300..309, true), (300..360, false)] {
        let mut said = each_second(0..=900, [10.0, 70.0, 50.0]);
        said.retain(|(second, _)| !hole.contains(second));
        let (entries, _) = heard(meter("heat_feed", FLOW, 1, water()), &said);
        assert_eq!(energies(&entries, true)[0].is_ok(), known, "{hole:?}");
    }
}

/// Positions and temperatures of a register that moves in jerks, some beyond the fluid.
fn looks() -> impl Strategy<Value = Vec<(i64, f64, f64, f64)>> {
    let look = (1_i64..40, 0.0..2.0_f64, 20.0..120.0_f64, 20.0..120.0_f64);
    prop::collection::vec(look, 2..200)
}

proptest! {
    /// However it is cut into intervals, and wherever the daemon starts anew, the books
    /// hold what was counted, each direction on its own: every interval is rounded to the
    /// nearest milliwatt-hour.
    #[test]
    fn intervals_add_up_to_what_was_counted_and_restarts_change_nothing(
        steps in looks(),
        restarts in prop::collection::btree_set(0_usize..200, 0..8),
        stream in any::<bool>(),
    ) {
        let points = if stream { FLOW } else { VOLUME };
        let park = park(meter("solar_field", points, 20, water()));
        let mut plain = Engine::new(Arc::clone(&park), &[]);
        let mut tried = Engine::new(Arc::clone(&park), &[]);
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        let (mut second, mut volume) = (0, 500.0);
        let all: i64 = steps.iter().map(|step| step.0).sum();
        let last = steps.last().copied().unwrap();
        // To the end of the interval, so that everything is in a book.
        let mut steps = steps;
        let mut rest = 900 - all.rem_euclid(900);
        while rest > 0 {
            steps.push((rest.min(20), last.1, last.2, last.3));
            rest -= 20;
        }
        for (place, (wait, moved, supply, back)) in steps.into_iter().enumerate() {
            let reading = says(&park, second, &[if stream { moved } else { volume }, supply, back]);
            plain.hear(&reading);
            if restarts.contains(&place) {
                tried = Engine::new(Arc::clone(&park), &tried.state_for_resume());
            }
            tried.hear(&reading);
            expected.extend(plain.tick(at(second)).entries);
            found.extend(tried.tick(at(second)).entries);
            second += wait;
            volume += moved;
        }
        let reading = says(&park, second, &[if stream { last.1 } else { volume }, last.2, last.3]);
        for (engine, entries) in [(&mut plain, &mut expected), (&mut tried, &mut found)] {
            engine.hear(&reading);
            entries.extend(engine.tick(at(second)).entries);
        }
        prop_assert_eq!(&expected, &found);
        let counted = plain.books[0].heat().unwrap().counted();
        for (positive, joules) in [(true, counted.positive.joules), (false, -counted.negative.joules)] {
            let entries = way(&expected, positive);
            let known = entries.iter().filter_map(|entry| entry.energy.ok());
            let booked: MilliwattHours = known.clone().sum();
            let off = (booked.as_watt_hours() * 3_600.0 - joules).abs();
            let rounded = 1.8 * f64::from(u32::try_from(known.count()).unwrap());
            prop_assert!(off <= rounded + 1e-3, "{} J off", off);
        }
    }
}

#[test]
fn an_interval_of_heat_comes_to_the_same_wherever_its_computation_begins() {
    // Ticks of three quarters of an hour with spreads that leave a rest in each.
    let say = |park: &Arc<crate::domain::meter::Park>, second: i64| {
        let supply = 70.0 + f64::from(i32::try_from(second % 7).unwrap()) / 10.0;
        says(park, second, &[10.0, supply, 50.03])
    };
    let park = park(meter("heat_feed", FLOW, 1, water()));
    let from = |first: i64| {
        let mut engine = Engine::for_books(Arc::clone(&park));
        let mut entries = Vec::new();
        for second in first..=8_100 {
            engine.hear(&say(&park, second));
            entries.extend(engine.book(at(second)).0);
        }
        let known = entries.into_iter().filter(|it| it.energy.is_ok());
        known.collect::<Vec<Entry>>()
    };
    let (whole, later) = (from(0), from(2_700));
    assert_eq!(way(&later, true).len(), 6);
    for (first, entries) in [(3_600, from(3_333)), (2_700, later)] {
        let same = whole.iter().filter(|it| it.span.start >= at(first));
        let again = entries.iter().filter(|it| it.span.start >= at(first));
        assert_eq!(same.collect::<Vec<_>>(), again.collect::<Vec<_>>());
    }
}

#[test]
fn parts_of_a_portion_are_the_whole() {
    let whole = Portion {
        heat_uj: 1_000_003,
        aside_uj: 7,
        weak_uj: 1,
    };
    let mut sum = Portion::default();
    for part in [(0, 3), (3, 4), (4, 9), (9, 10)] {
        sum.add(whole.part((0, 10), part));
    }
    assert_eq!(sum, whole);
}
