//! Vectors with their source, laws, and situations.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::domain::flow::Known;
use crate::domain::quality::Reason;

fn vectors() -> Json {
    serde_json::from_str(include_str!("../../../tests/fixtures/allocation.json")).unwrap()
}

fn numbers(json: &Json) -> Vec<f64> {
    let all = json.as_array().unwrap().iter();
    all.map(|one| one.as_f64().unwrap()).collect()
}

fn energies(json: &Json, mwh_per_unit: f64) -> Vec<MilliwattHours> {
    let mwh = |value: f64| MilliwattHours(to_i64(value * mwh_per_unit));
    numbers(json).into_iter().map(mwh).collect()
}

fn tenants(used: &[MilliwattHours]) -> Vec<Tenant> {
    let tenant = |(place, used): (usize, &MilliwattHours)| Tenant {
        name: format!("tenant {place}").into(),
        consumption: Ok(Known::given(*used)),
    };
    used.iter().enumerate().map(tenant).collect()
}

fn allocated(generation: i64, used: &[i64], key: &Key) -> Result<Allocation, AllocateError> {
    let used: Vec<MilliwattHours> = used.iter().copied().map(MilliwattHours).collect();
    allocate(
        &Ok(Known::given(MilliwattHours(generation))),
        &tenants(&used),
        key,
    )
}

fn shares(all: &[f64]) -> Vec<Share> {
    all.iter().map(|one| Share::new(*one).unwrap()).collect()
}

fn raw(all: &[MilliwattHours]) -> Vec<i64> {
    all.iter().map(|one| one.0).collect()
}

/// Source: allocation.json `intervals` and `totals`. The vectors have nine decimals of a
/// kilowatt-hour, the books six: what is rounded differs by less than 1 mWh.
#[test]
fn intervals_agree_with_their_vectors() {
    let vectors = vectors();
    let fixed = shares(&numbers(&vectors["static_shares"]));
    let keys = [
        ("static", Key::Static(fixed.clone())),
        ("static_redistribute", Key::StaticRedistributed(fixed)),
        ("dynamic_prorata", Key::Dynamic),
        ("cascade_ABC", Key::Cascade(vec![0, 1, 2])),
    ];
    for (name, key) in keys {
        let mut totals = [0_i64; 4];
        for interval in vectors["intervals"].as_array().unwrap() {
            let used = raw(&energies(&interval["consumption_kWh"], 1e6));
            let generation = to_i64(interval["generation_kWh"].as_f64().unwrap() * 1e6);
            let found = allocated(generation, &used, &key).unwrap();
            let expect = &interval["expect"][name];
            let what = format!("{} {name}", interval["name"]);
            for (ours, key) in [(&found.local, "local"), (&found.grid, "grid")] {
                for (ours, expected) in ours.iter().zip(numbers(&expect[key])) {
                    assert!(
                        (ours.as_watt_hours() * 1e3 - expected * 1e6).abs() < 1.0,
                        "{what} {key}: {ours:?} {expected}"
                    );
                }
            }
            assert_eq!(
                found.export,
                MilliwattHours(to_i64(expect["export"].as_f64().unwrap() * 1e6)),
                "{what}"
            );
            for (total, part) in totals
                .iter_mut()
                .zip(found.local.iter().chain([&found.export]))
            {
                *total += part.0;
            }
        }
        if name != "cascade_ABC" {
            let expect = &vectors["totals"][name];
            let export = expect["export"].as_f64().unwrap();
            for (ours, expected) in totals
                .iter()
                .zip(numbers(&expect["local"]).into_iter().chain([export]))
            {
                assert!(
                    (*ours as f64 - expected * 1e6).abs() < 2.0,
                    "{name}: {ours} {expected}"
                );
            }
        }
    }
}

/// Source: allocation.json `dynamic_prorata_Wh_rounded` and `rounding_cases`, in whole
/// watt-hours: the rule is the same in any integer unit.
#[test]
fn rounding_agrees_with_its_vectors() {
    let vectors = vectors();
    for interval in vectors["intervals"].as_array().unwrap() {
        let used = raw(&energies(&interval["consumption_kWh"], 1e3));
        let generation = to_i64(interval["generation_kWh"].as_f64().unwrap() * 1e3);
        let found = allocated(generation, &used, &Key::Dynamic).unwrap();
        let expected = raw(&energies(
            &interval["expect"]["dynamic_prorata_Wh_rounded"],
            1.0,
        ));
        assert_eq!(raw(&found.local), expected, "{}", interval["name"]);
    }
    for case in vectors["rounding_cases"].as_array().unwrap() {
        let used = raw(&energies(&case["consumption_Wh"], 1.0));
        let found = allocated(
            case["generation_Wh"].as_i64().unwrap(),
            &used,
            &Key::Dynamic,
        )
        .unwrap();
        assert_eq!(
            raw(&found.local),
            raw(&energies(&case["expect_dynamic_Wh"], 1.0)),
            "{case}"
        );
    }
}

#[test]
fn what_is_left_over_goes_to_the_largest_remainder_then_to_the_first_and_last_to_export() {
    #[rustfmt::skip]
    let cases = [
        // situation                    G   shares           used          | local     export
        ("three equal thirds",         100, [0.333, 0.333, 0.333], [99, 99, 99], [34, 33, 33], 0),
        ("export has the largest",      10, [0.11, 0.11, 0.11],    [9, 9, 9],    [1, 1, 1],    7),
        ("equal remainders, first",      1, [0.25, 0.25, 0.25],    [9, 9, 9],    [1, 0, 0],    0),
        ("a tenant before export",       1, [0.5, 0.0, 0.0],       [9, 9, 9],    [1, 0, 0],    0),
        ("nobody above what it used",   10, [0.35, 0.35, 0.3],     [0, 4, 9],    [0, 4, 3],    3),
    ];
    for (situation, generation, fixed, used, local, export) in cases {
        let found = allocated(generation, &used, &Key::Static(shares(&fixed))).unwrap();
        assert_eq!(raw(&found.local), local, "{situation}");
        assert_eq!(found.export.0, export, "{situation}");
    }
}

#[test]
fn a_key_that_does_not_fit_is_refused_with_the_fault() {
    let error = |key: Key| allocated(10, &[5, 5], &key).unwrap_err().to_string();
    assert_eq!(
        error(Key::Static(shares(&[0.7, 0.4]))),
        "the shares add up to 110 %, which is above 100 %"
    );
    assert_eq!(
        error(Key::StaticRedistributed(shares(&[0.7]))),
        "1 shares for 2 tenants"
    );
    assert_eq!(
        error(Key::Cascade(vec![0])),
        "1 places in the cascade for 2 tenants"
    );
    assert_eq!(
        error(Key::Cascade(vec![0, 0])),
        "the cascade names place 0, which is there already"
    );
    assert_eq!(
        error(Key::Cascade(vec![0, 2])),
        "the cascade names place 2, which is no tenant"
    );
    for wrong in [1.000_001, -0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(Share::new(wrong), None, "{wrong}");
    }
}

#[test]
fn an_unknown_consumption_leaves_the_interval_unallocated_and_names_every_gap() {
    let gap = |name: &str| Err(Gaps::one(&name.into(), Reason::Timeout));
    let mut all = tenants(&[MilliwattHours(5), MilliwattHours(5)]);
    all[1].consumption = gap("bakery");
    let error = allocate(&gap("pv"), &all, &Key::Dynamic).unwrap_err();
    assert_eq!(error.to_string(), "unknown: pv, bakery");
}

#[test]
fn energies_below_zero_or_absurd_are_refused_and_the_worst_quality_is_kept() {
    let error = |generation, used| {
        allocated(generation, &[used], &Key::Dynamic)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error(-1, 5),
        "`generation` is -0.001 Wh; an energy to allocate is not below zero"
    );
    assert_eq!(
        error(1, -5),
        "`tenant 0` is -0.005 Wh; an energy to allocate is not below zero"
    );
    assert!(error(i64::MAX, 5).ends_with("more than any park moves in an interval"));
    let mut all = tenants(&[MilliwattHours(5), MilliwattHours(5)]);
    all[1].consumption = Ok(Known {
        quality: Quality::Estimated,
        ..Known::given(MilliwattHours(5))
    });
    let found = allocate(&Ok(Known::given(MilliwattHours(4))), &all, &Key::Dynamic).unwrap();
    assert_eq!(found.quality, Quality::Estimated);
}

/// Source: allocation.json `heat`.
#[test]
fn heat_losses_and_cost_agree_with_their_vectors() {
    let heat = &vectors()["heat"];
    let metered = energies(&heat["metered_MWh"], 1e9);
    let feed = MilliwattHours(to_i64(heat["feed_in_MWh"].as_f64().unwrap() * 1e9));
    let found = share_losses(feed, &metered, LossRule::ProRata).unwrap();
    assert_eq!(found.loss, MilliwattHours(91_000_000_000));
    let ratio = found.ratio(feed).unwrap();
    assert!((ratio - heat["expect_loss_share"].as_f64().unwrap()).abs() < 5e-10);
    for (ours, expected) in found
        .gross
        .iter()
        .zip(numbers(&heat["expect_gross_prorata_MWh"]))
    {
        assert!(
            (ours.as_watt_hours() / 1e6 - expected).abs() <= 5e-7,
            "{ours:?} {expected}"
        );
    }
    assert_eq!(found.gross.iter().copied().sum::<MilliwattHours>(), feed);
    let bill = HeatBill {
        cost: 100_000_000_000_000,
        by_capacity: Share::new(heat["fixed_share"].as_f64().unwrap()).unwrap(),
        capacity: raw(&energies(&heat["capacity_MW"], 1e6)),
        consumption: metered,
    };
    let cost = heat_cost(&bill).unwrap();
    for (ours, expected) in cost.iter().zip(numbers(&heat["expect_cost"])) {
        assert!(
            (*ours as f64 / 1e9 - expected).abs() <= 5e-7,
            "{ours} {expected}"
        );
    }
    assert_eq!(cost.iter().sum::<i64>(), bill.cost);
    let mix = &heat["source_mix_MWh"];
    let source = |name: &str, counts: f64| Source {
        energy: MilliwattHours(to_i64(mix[name].as_f64().unwrap() * 1e9)),
        counts: Share::new(counts).unwrap(),
    };
    let stored = heat["storage_solar_fraction"].as_f64().unwrap();
    let share = source_share(&[
        source("solar", 1.0),
        source("e_boiler", 0.0),
        source("storage", stored),
    ]);
    assert!((share.unwrap() - heat["expect_solar_share"].as_f64().unwrap()).abs() < 5e-10);
    assert_eq!(source_share(&[]), None, "0/0 is unknown");
}

#[test]
fn losses_are_a_line_of_their_own_and_below_zero_they_are_shown_and_not_shared() {
    let used = [MilliwattHours(60), MilliwattHours(30)];
    let operator = |main| share_losses(MilliwattHours(main), &used, LossRule::Operator).unwrap();
    assert_eq!(
        operator(100),
        LossSplit {
            loss: MilliwattHours(10),
            gross: used.to_vec(),
            operator: MilliwattHours(10)
        }
    );
    assert_eq!(operator(85).loss, MilliwattHours(-5));
    let error = share_losses(MilliwattHours(85), &used, LossRule::ProRata).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the meters behind count 0.005 Wh more than the main meter; find the wrong one before losses are shared"
    );
    let error =
        share_losses(MilliwattHours(5), &[MilliwattHours(0)], LossRule::ProRata).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is nothing to share a loss in proportion to"
    );
    let error = share_losses(MilliwattHours(-5), &used, LossRule::Operator).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`main meter` is -0.005 Wh; an energy to allocate is not below zero"
    );
}

#[test]
fn a_cost_needs_something_to_split_it_by() {
    let bill = |by: f64, capacity: Vec<i64>, used: i64| HeatBill {
        cost: 100,
        by_capacity: Share::new(by).unwrap(),
        capacity,
        consumption: vec![MilliwattHours(used); 2],
    };
    assert_eq!(
        heat_cost(&bill(0.0, vec![0, 0], 5)),
        Ok(vec![50, 50]),
        "capacity bears nothing"
    );
    let error = |bill: &HeatBill| heat_cost(bill).unwrap_err().to_string();
    assert_eq!(
        error(&bill(0.3, vec![0, 0], 5)),
        "there is nothing to share the part by capacity in proportion to"
    );
    assert_eq!(
        error(&bill(0.3, vec![1, 1], 0)),
        "there is nothing to share the part by consumption in proportion to"
    );
    assert_eq!(error(&bill(0.3, vec![1], 5)), "1 capacities for 2 tenants");
}

fn any_key(tenants: usize) -> impl Strategy<Value = Key> {
    let fixed = prop::collection::vec(0_i64..=1_000_000_000 / tenants as i64, tenants)
        .prop_map(|all| all.into_iter().map(Share).collect::<Vec<_>>());
    let order = Just((0..tenants).collect::<Vec<_>>()).prop_shuffle();
    prop_oneof![
        fixed.clone().prop_map(Key::Static),
        fixed.prop_map(Key::StaticRedistributed),
        Just(Key::Dynamic),
        order.prop_map(Key::Cascade),
    ]
}

proptest! {
    /// Whatever is generated and used, nobody has more than it used, nothing is made or
    /// lost, and export is what nobody has.
    #[test]
    fn nothing_is_made_or_lost(
        (generation, used, key) in (1_usize..7).prop_flat_map(|count| {
            let energy = prop_oneof![Just(0_i64), 0_i64..50, 0_i64..1_000_000_000_000];
            (energy.clone(), prop::collection::vec(energy, count), any_key(count))
        }),
    ) {
        let found = allocated(generation, &used, &key).unwrap();
        let mut local = 0;
        for ((ours, grid), used) in found.local.iter().zip(&found.grid).zip(&used) {
            prop_assert!(0 <= ours.0 && ours.0 <= *used, "{:?} {}", ours, used);
            prop_assert_eq!(ours.0 + grid.0, *used);
            local += ours.0;
        }
        let all: i64 = used.iter().sum();
        prop_assert!(found.export.0 >= 0);
        prop_assert_eq!(local + found.export.0, generation);
        prop_assert!(local <= generation.min(all));
        // These two leave nothing unused that somebody could have used.
        if matches!(key, Key::Dynamic | Key::Cascade(_)) {
            prop_assert_eq!(local, generation.min(all));
        }
    }

    /// Redistribution takes from nobody, and exports only when everyone with a share has
    /// all it used.
    #[test]
    fn redistribution_takes_from_nobody(
        generation in 0_i64..1_000_000,
        used in prop::collection::vec(0_i64..500_000, 4),
        fixed in prop::collection::vec(1_i64..=250_000_000, 4),
    ) {
        let fixed: Vec<Share> = fixed.into_iter().map(Share).collect();
        let alone = allocated(generation, &used, &Key::Static(fixed.clone())).unwrap();
        let shared = allocated(generation, &used, &Key::StaticRedistributed(fixed)).unwrap();
        for (alone, shared) in alone.local.iter().zip(&shared.local) {
            prop_assert!(shared.0 >= alone.0 - 1, "one milliwatt-hour is rounding");
        }
        prop_assert_eq!(shared.export.0, (generation - used.iter().sum::<i64>()).max(0));
    }

    /// What is split adds up, and the order of the parts is that of the weights.
    #[test]
    fn a_split_adds_up(total in -1_000_000_i64..1_000_000, weights in prop::collection::vec(0_i64..1_000_000, 1..8)) {
        match split(total, &weights) {
            None => prop_assert_eq!(weights.iter().sum::<i64>(), 0),
            Some(parts) => {
                prop_assert_eq!(parts.iter().sum::<i64>(), total);
                for (a, b) in weights.iter().zip(&parts) {
                    prop_assert!((a * total).signum() * b.signum() >= 0);
                }
            }
        }
    }
}
