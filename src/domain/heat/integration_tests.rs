//! Sums of increments: the vectors, the registers that keep apart, and the laws.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::super::super::meter::Pipe;
use super::super::fluid::Fluid;
use super::super::meter::{J_PER_GCAL, J_PER_KWH, J_PER_TCE, REFERENCE_PRESSURE_PA};
use super::super::vectors::{close, decimals};
use super::*;

fn water(sensor: Pipe) -> HeatMeter {
    HeatMeter {
        fluid: Fluid::WATER,
        sensor,
        pressure_pa: REFERENCE_PRESSURE_PA,
    }
}

const CUT_OFFS: CutOffs = CutOffs {
    flow_m3h: 0.05,
    spread_k: 0.2,
    least_spread_k: 3.0,
};

fn hour(volume_m3: f64, supply: f64, back: f64) -> Increment {
    Increment {
        volume_m3,
        seconds: 3_600.0,
        supply,
        back,
    }
}

fn counted(meter: &HeatMeter, increments: &[Increment]) -> Counted {
    let mut counted = Counted::default();
    for increment in increments {
        counted.count(meter, &CUT_OFFS, increment).unwrap();
    }
    counted
}

fn kwh(counted: &Counted) -> f64 {
    counted.heat_j() / J_PER_KWH
}

fn vectors() -> Json {
    serde_json::from_str(include_str!(
        "../../../tests/fixtures/heat_integration.json"
    ))
    .unwrap()
}

fn number(json: &Json) -> f64 {
    json.as_f64().unwrap()
}

fn steps(vectors: &Json) -> Vec<Increment> {
    vectors["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            hour(
                number(&step["V_m3"]),
                number(&step["tf"]),
                number(&step["tr"]),
            )
        })
        .collect()
}

#[test]
fn heat_is_summed_with_the_temperatures_of_each_increment() {
    let vectors = vectors();
    let steps = steps(&vectors);
    let meter = water(Pipe::Return);
    for (step, expected) in steps
        .iter()
        .zip(vectors["expect_step_kWh"].as_array().unwrap())
    {
        decimals(kwh(&counted(&meter, &[*step])), number(expected), 6, "step");
    }
    let all = counted(&meter, &steps);
    decimals(kwh(&all), number(&vectors["expect_total_kWh"]), 6, "total");
    decimals(
        all.heat_j() / 1e9,
        number(&vectors["expect_total_GJ"]),
        9,
        "total",
    );

    let mean = |of: fn(&Increment) -> f64| steps.iter().map(of).sum::<f64>() / 3.0;
    let by_means = hour(
        all.volume_m3(),
        mean(|step| step.supply),
        mean(|step| step.back),
    );
    let wrong = kwh(&counted(&meter, &[by_means]));
    decimals(
        wrong,
        number(&vectors["wrong_time_average_kWh"]),
        6,
        "by means",
    );
}

#[test]
fn the_pipe_of_the_sensor_is_worth_two_percent() {
    let vectors = vectors();
    let case = &vectors["sensor_position"];
    let increment = hour(
        number(&case["V_m3"]),
        number(&case["tf"]),
        number(&case["tr"]),
    );
    let right = kwh(&counted(&water(Pipe::Return), &[increment]));
    let wrong = kwh(&counted(&water(Pipe::Supply), &[increment]));
    decimals(right, number(&case["expect_return_kWh"]), 4, "return");
    decimals(wrong, number(&case["if_configured_as_flow_kWh"]), 4, "flow");
    decimals(
        (wrong / right - 1.0) * 100.0,
        number(&case["error_pct"]),
        4,
        "error",
    );
}

#[test]
fn a_mass_sensor_counts_the_same_heat_in_either_pipe() {
    let vectors = vectors();
    let case = &vectors["mass_flow_equiv"];
    for pipe in [Pipe::Supply, Pipe::Return] {
        let meter = water(pipe);
        let (supply, back) = (number(&case["tf"]), number(&case["tr"]));
        let increment =
            Increment::of_mass(&meter, number(&case["m_kg"]), 3_600.0, supply, back).unwrap();
        decimals(
            kwh(&counted(&meter, &[increment])),
            number(&case["expect_kWh"]),
            6,
            "mass",
        );
    }
}

#[test]
fn units_and_the_constant_that_is_no_k() {
    let vectors = vectors();
    let units = &vectors["units"];
    for (ours, unit) in [
        (J_PER_KWH / 1e6, "MJ"),
        (J_PER_KWH / 1e6, "GJ_per_MWh"),
        (J_PER_GCAL / J_PER_KWH / 1e3, "MWh_per_Gcal"),
        (J_PER_TCE / J_PER_KWH, "kWh_per_tce"),
        (J_PER_TCE / 1e9, "GJ_per_tce"),
    ] {
        close(ours, number(&units[unit]), 1e-9, unit);
    }
    let k = water(Pipe::Return).k_kj(90.0, 50.0).unwrap();
    decimals(
        (4_186.8 / k - 1.0) * 100.0,
        number(&vectors["constant_property_error"]["value_pct"]),
        4,
        "a constant for k",
    );
}

/// One row per place an increment can go.
#[test]
fn each_increment_has_one_sum() {
    #[rustfmt::skip]
    let cases = [
        // situation                 m³/h   supply  return | positive negative flow spread least
        ("a winter hour",            10.0,   80.0,   50.0,   [1, 0, 0, 0, 0]),
        ("cooling, or swapped",      10.0,   50.0,   80.0,   [0, 1, 0, 0, 0]),
        ("a summer hour",            10.0,   52.0,   50.0,   [1, 0, 0, 0, 1]),
        ("a little backwards",       10.0,   50.0,   52.0,   [0, 1, 0, 0, 1]),
        ("a leak of the valve",       0.01,  80.0,   50.0,   [0, 0, 1, 0, 0]),
        ("a standing pump",           0.0,   80.0,   20.0,   [0, 0, 1, 0, 0]),
        ("no load",                  10.0,   50.1,   50.0,   [0, 0, 0, 1, 0]),
        ("no load, sensors drifted", 10.0,   50.0,   50.1,   [0, 0, 0, 1, 0]),
        ("at the cut-offs",           0.05,  50.25,  50.0,   [1, 0, 0, 0, 1]),
        ("at the least spread",      10.0,   53.0,   50.0,   [1, 0, 0, 0, 0]),
    ];
    for (situation, volume, supply, back, places) in cases {
        let told = counted(&water(Pipe::Return), &[hour(volume, supply, back)]);
        let sums = [
            told.positive,
            told.negative,
            told.below_flow,
            told.below_spread,
            told.below_least_spread,
        ];
        assert_eq!(sums.map(|sum| sum.increments), places, "{situation}");
        for sum in sums {
            if sum.increments > 0 && volume > 0.0 {
                assert_eq!(sum.joules > 0.0, supply > back, "{situation}");
                assert_eq!(sum.volume_m3, volume, "{situation}");
            }
        }
        assert_eq!(told.volume_m3(), volume, "{situation}");
    }
}

#[test]
fn a_standing_flow_carries_nothing_also_without_cut_offs() {
    let none = CutOffs {
        flow_m3h: 0.0,
        spread_k: 0.0,
        least_spread_k: 0.0,
    };
    let mut told = Counted::default();
    let meter = water(Pipe::Return);
    // The idle pipe freezes, and still there is no heat to be unknown.
    let place = told.count(&meter, &none, &hour(0.0, 80.0, -3.0));
    assert_eq!(place, Ok(Place::BelowFlow));
    let place = told.count(&meter, &none, &hour(1e-6, 50.0, 50.0));
    assert_eq!(place, Ok(Place::Positive));
    assert_eq!(told.heat_j(), 0.0);
}

#[test]
fn backward_heat_is_in_the_sum_with_its_sign() {
    let told = counted(
        &water(Pipe::Return),
        &[hour(10.0, 80.0, 50.0), hour(4.0, 50.0, 80.0)],
    );
    assert!(told.negative.joules < 0.0);
    assert_eq!(told.heat_j(), told.positive.joules + told.negative.joules);
    assert!(told.heat_j() < told.positive.joules);
}

#[test]
fn means_are_weighted_by_volume() {
    let told = counted(
        &water(Pipe::Return),
        &[hour(9.0, 90.0, 50.0), hour(1.0, 40.0, 30.0)],
    );
    let (supply, back) = told.mean_temperatures().unwrap();
    close(supply, 85.0, 1e-12, "supply");
    close(back, 48.0, 1e-12, "return");
    assert_eq!(Counted::default().mean_temperatures(), None);
    let standing = counted(&water(Pipe::Return), &[hour(0.0, 90.0, 50.0)]);
    assert_eq!(standing.mean_temperatures(), None);
}

#[test]
fn what_cannot_be_is_refused_by_name_and_leaves_no_trace() {
    let meter = water(Pipe::Return);
    let mut told = counted(&meter, &[hour(1.0, 80.0, 50.0)]);
    let before = told;
    let no_time = Increment {
        seconds: 0.0,
        ..hour(1.0, 80.0, 50.0)
    };
    for (increment, said) in [
        (
            hour(-0.5, 80.0, 50.0),
            "volume went back by 0.5 m³, and a volume register only advances; \
             was it reset, or is the flow sensor mounted against the flow?",
        ),
        (
            no_time,
            "0 s is no time between two looks at a flow sensor; it is longer than nothing",
        ),
        (
            hour(f64::NAN, 80.0, 50.0),
            "the volume is not a finite number",
        ),
        (
            hour(0.0, f64::NAN, 50.0),
            "the supply temperature is not a finite number",
        ),
        (
            hour(1.0, 80.0, -2.0),
            "water at -2 °C is frozen, it freezes at 0.0 °C; \
             is the sensor wired and scaled right, and is it this fluid?",
        ),
    ] {
        let error = told.count(&meter, &CUT_OFFS, &increment).unwrap_err();
        assert_eq!(error.to_string(), said);
        assert_eq!(told, before);
    }
}

#[test]
fn usual_cut_offs_follow_the_size_of_the_meter() {
    let usual = CutOffs::usual(100.0);
    assert_eq!(
        (usual.flow_m3h, usual.spread_k, usual.least_spread_k),
        (0.2, 0.2, 3.0)
    );
}

fn increment() -> impl Strategy<Value = Increment> {
    (0.0..5.0_f64, 1.0..600.0_f64, 5.0..150.0_f64, 5.0..150.0_f64).prop_map(
        |(volume_m3, seconds, supply, back)| Increment {
            volume_m3,
            seconds,
            supply,
            back,
        },
    )
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (a.abs() + b.abs() + 1.0)
}

proptest! {
    /// Two halves of a day, counted apart, make the day; and no increment, set aside
    /// or not, is lost.
    #[test]
    fn heat_adds_up_over_increments(
        increments in prop::collection::vec(increment(), 0..40),
        at in 0..40_usize,
    ) {
        let meter = water(Pipe::Supply);
        let whole = counted(&meter, &increments);
        let (one, other) = increments.split_at(at.min(increments.len()));
        let mut halves = counted(&meter, one);
        halves += counted(&meter, other);
        prop_assert!(same(halves.heat_j(), whole.heat_j()));
        prop_assert!(same(halves.volume_m3(), whole.volume_m3()));
        prop_assert!(same(halves.volume_back, whole.volume_back));
        let all = [whole.positive, whole.negative, whole.below_flow, whole.below_spread];
        let seen: u64 = all.iter().map(|sum| sum.increments).sum();
        prop_assert_eq!(usize::try_from(seen).unwrap(), increments.len());
        let direct: f64 = increments
            .iter()
            .map(|i| i.volume_m3 * meter.heat_per_cubic_metre(i.supply, i.back).unwrap())
            .sum();
        prop_assert!(same(all.iter().map(|sum| sum.joules).sum(), direct));
        prop_assert!(whole.positive.joules >= 0.0 && whole.negative.joules <= 0.0);
    }

    /// How often one looks changes nothing while the temperatures stand.
    #[test]
    fn an_increment_is_the_sum_of_its_parts(one in increment(), parts in 1..50_u32) {
        let meter = water(Pipe::Return);
        let share = f64::from(parts);
        let part = Increment {
            volume_m3: one.volume_m3 / share,
            seconds: one.seconds / share,
            ..one
        };
        let many = counted(&meter, &vec![part; usize::try_from(parts).unwrap()]);
        prop_assert!(same(many.heat_j(), counted(&meter, &[one]).heat_j()));
    }
}
