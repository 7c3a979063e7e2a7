//! Vectors with their source, laws, and situations.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::domain::units::to_i64;

fn vectors() -> Json {
    serde_json::from_str(include_str!("../../../tests/fixtures/balance_cases.json")).unwrap()
}

fn of(json: &Json, key: &str) -> f64 {
    json[key]
        .as_f64()
        .unwrap_or_else(|| panic!("{key} of {json}"))
}

fn kwh(value: f64) -> Option<MilliwattHours> {
    Some(MilliwattHours(to_i64(value * 1e6)))
}

fn sums(input: &Json) -> Sums {
    let of = |key: &str| kwh(input[key].as_f64().unwrap_or(0.0));
    Sums {
        generation: of("E_gen"),
        import: of("E_imp"),
        export: of("E_exp"),
        export_of_generation: of("E_exp"),
        charge: of("E_ch"),
        discharge: of("E_dis"),
        curtailed: of("E_curt"),
    }
}

/// Source: balance_cases.json `kpi_cases`.
#[test]
fn indicators_agree_with_their_vectors() {
    for case in vectors()["kpi_cases"].as_array().unwrap() {
        let sums = sums(&case["input"]);
        let expect = &case["expect"];
        assert_eq!(sums.load(), kwh(of(expect, "E_load")), "{}", case["name"]);
        assert_eq!(
            sums.self_consumption(),
            kwh(of(expect, "E_self_gross")),
            "{}",
            case["name"]
        );
        for (ours, key) in [
            (sums.self_consumption_ratio(), "SCR"),
            (sums.self_sufficiency_ratio(), "SSR"),
            (sums.self_sufficiency_ratio(), "SSR_load_served"),
            (sums.export_ratio(), "export_share_of_gen"),
            (sums.r_self(), "self_use_share_of_available_gen"),
            (sums.r_green(), "self_use_share_of_load"),
            (sums.r_sell(), "export_share_of_available_gen"),
        ] {
            let ours = ours.unwrap();
            assert!(
                (ours - of(expect, key)).abs() <= 5e-10,
                "{} {key}: {ours}",
                case["name"]
            );
        }
    }
}

#[test]
fn nothing_generated_or_used_is_unknown_and_so_is_what_rests_on_a_gap() {
    let idle = sums(&Json::Null);
    for ratio in [
        idle.self_consumption_ratio(),
        idle.self_sufficiency_ratio(),
        idle.export_ratio(),
        idle.r_self(),
        idle.r_green(),
        idle.r_sell(),
    ] {
        assert_eq!(ratio, None, "0/0 is unknown, neither 0 nor 1");
    }
    let day = sums(&vectors()["kpi_cases"][1]["input"]);
    let no_curtailment = Sums {
        curtailed: None,
        ..day
    };
    assert_eq!(
        (no_curtailment.r_self(), no_curtailment.r_sell()),
        (None, None)
    );
    assert!(no_curtailment.r_green().is_some());
    let no_battery = Sums {
        charge: None,
        ..day
    };
    assert_eq!(
        (no_battery.load(), no_battery.self_sufficiency_ratio()),
        (None, None)
    );
    assert!(no_battery.self_consumption_ratio().is_some());
}

/// An hour of night and one of noon: the mean of their ratios is another number.
#[test]
fn a_day_is_a_ratio_of_sums_not_a_mean_of_ratios() {
    let hour = |generation, export| Sums {
        generation: kwh(generation),
        export_of_generation: kwh(export),
        ..Sums::default()
    };
    let day = hour(10.0 + 90.0, 0.0 + 45.0);
    assert_eq!(day.self_consumption_ratio(), Some(0.55));
    let (dawn, noon) = (hour(10.0, 0.0), hour(90.0, 45.0));
    let mean =
        (dawn.self_consumption_ratio().unwrap() + noon.self_consumption_ratio().unwrap()) / 2.0;
    assert!((mean - 0.75).abs() < 1e-12);
}

#[test]
fn direct_supply_is_judged_by_the_limits_of_the_day() {
    // R_self 65 %, R_green 32.5 %, R_sell 35 %.
    let year = Sums {
        generation: kwh(100.0),
        import: kwh(135.0),
        export: kwh(35.0),
        export_of_generation: kwh(35.0),
        charge: kwh(0.0),
        discharge: kwh(0.0),
        curtailed: kwh(0.0),
    };
    let judged = |day| direct_supply(&year, DIRECT_LIMITS, day);
    let kept = |day| {
        let found = judged(day).unwrap();
        [found.r_self.kept, found.r_green.kept, found.r_sell.kept]
    };
    assert_eq!(judged(date(2024, 12, 31)), None);
    assert_eq!(
        kept(date(2025, 6, 1)),
        [Some(true), Some(true), Some(false)]
    );
    assert_eq!(
        kept(date(2029, 12, 31)),
        [Some(true), Some(true), Some(false)]
    );
    assert_eq!(
        kept(date(2030, 1, 1)),
        [Some(true), Some(false), Some(false)]
    );
    let unknown = direct_supply(&Sums::default(), DIRECT_LIMITS, date(2026, 1, 1)).unwrap();
    assert_eq!(
        unknown.r_self,
        Judged {
            value: None,
            limit: 0.60,
            kept: None
        }
    );
    let own = [DirectLimits {
        from: date(2026, 1, 1),
        r_self: 0.65,
        r_green: 0.5,
        r_sell: 0.35,
    }];
    let found = direct_supply(&year, &own, date(2026, 1, 1)).unwrap();
    assert_eq!(
        (found.r_self.kept, found.r_sell.kept),
        (Some(true), Some(true)),
        "at the limit is within"
    );
}

/// Powers of the vector's definitions: load minus generation, W, by the second.
fn series(name: &str) -> (Vec<i64>, i64, i64) {
    let (mut grid, mut generation, mut load) = (Vec::new(), 0, 0);
    for second in 0..3_600_i64 {
        let (pv, used) = match name {
            "series_1" => (45_000, if second % 300 < 120 { 120_000 } else { 20_000 }),
            _ => (
                if (second / 45) % 2 == 0 {
                    100_000
                } else {
                    20_000
                },
                50_000,
            ),
        };
        grid.push(used - pv);
        generation += pv;
        load += used;
    }
    (grid, generation, load)
}

/// Source: balance_cases.json `netting`; whole watt-seconds, the vector's six decimals of
/// a kilowatt-hour are 1.8 Ws.
#[test]
fn netting_windows_agree_with_their_vectors() {
    for name in ["series_1", "series_2"] {
        let (grid, generation, load) = series(name);
        for result in vectors()["netting"][name]["results"].as_array().unwrap() {
            let window = u32::try_from(result["tau_s"].as_u64().unwrap()).unwrap();
            let found = netted(&grid, 1, window).unwrap();
            let what = format!("{name} {window} s");
            for (ours, key) in [
                (found.import, "E_import_kWh"),
                (found.export, "E_export_kWh"),
            ] {
                assert!(
                    (ours.0 as f64 - of(result, key) * 3.6e6).abs() <= 1.8,
                    "{what} {key}: {ours:?}"
                );
            }
            assert_eq!(
                found.import.0 - found.export.0,
                load - generation,
                "{what}: the net is the same"
            );
            let scr = 1.0 - found.export.0 as f64 / generation as f64;
            let ssr = 1.0 - found.import.0 as f64 / load as f64;
            assert!((scr - of(result, "SCR")).abs() <= 5e-7, "{what}");
            assert!((ssr - of(result, "SSR")).abs() <= 5e-7, "{what}");
        }
    }
}

#[test]
fn a_window_that_samples_do_not_fill_is_refused() {
    let error = |sample, window| netted(&[1], sample, window).unwrap_err().to_string();
    assert_eq!(
        error(2, 5),
        "a netting window of 5 s is no multiple of samples of 2 s"
    );
    assert_eq!(
        error(10, 5),
        "a netting window of 5 s is no multiple of samples of 10 s"
    );
    assert_eq!(
        error(0, 5),
        "a netting window of 5 s is no multiple of samples of 0 s"
    );
    assert_eq!(
        error(1, 0),
        "a netting window of 0 s is no multiple of samples of 1 s"
    );
    let found = netted(&[10, -4, -8], 60, 120).unwrap();
    assert_eq!(
        found,
        Directed {
            import: WattSeconds(360),
            export: WattSeconds(480)
        }
    );
    assert_eq!(WattSeconds(3_600_000).as_kilowatt_hours(), 1.0);
}

/// Source: balance_cases.json `phase_cases`.
#[test]
fn registers_of_three_phases_agree_with_their_vectors() {
    for case in vectors()["phase_cases"].as_array().unwrap() {
        let phases = [0, 1, 2].map(|phase| case["P_L1_L2_L3_W"][phase].as_f64().unwrap());
        for (mode, name) in [
            (RegisterMode::Vectorial, "vectorial"),
            (RegisterMode::PerPhase, "per_phase"),
        ] {
            let found = directed(phases, mode).unwrap();
            assert_eq!(
                found.import,
                of(case, &format!("{name}_import_W")),
                "{}",
                case["name"]
            );
            assert_eq!(
                found.export,
                of(case, &format!("{name}_export_W")),
                "{}",
                case["name"]
            );
        }
        assert_eq!(
            directed(phases, RegisterMode::Unknown),
            None,
            "nobody says how it counts"
        );
    }
}

/// Source: balance_cases.json `battery_origin`.
#[test]
fn the_origin_of_a_battery_agrees_with_its_vector() {
    let case = &vectors()["battery_origin"];
    let mut pool = Pool {
        energy_wh: of(case, "initial_E_kWh") * 1e3,
        renewable: of(case, "initial_f_pv"),
        charging: of(case, "eta_charge"),
        discharging: of(case, "eta_discharge"),
    };
    for step in case["steps"].as_array().unwrap() {
        let found = pool.step(Step {
            renewable_wh: of(step, "pv_charge_kWh") * 1e3,
            grid_wh: of(step, "grid_charge_kWh") * 1e3,
            discharged_wh: of(step, "discharge_kWh") * 1e3,
        });
        let found = found.unwrap();
        pool = found.pool;
        for (ours, key) in [
            (pool.renewable, "f_pv_after_charge"),
            (found.renewable_wh / 1e3, "pv_part_of_discharge_kWh"),
            (pool.energy_wh / 1e3, "E_end_kWh"),
        ] {
            assert!((ours - of(step, key)).abs() <= 5e-10, "{key}: {ours}");
        }
    }
}

#[test]
fn an_empty_pool_keeps_its_fraction_and_an_overdrawn_one_shows() {
    let empty = Pool {
        energy_wh: 0.0,
        renewable: 0.7,
        charging: 1.0,
        discharging: 0.5,
    };
    let found = empty
        .step(Step {
            discharged_wh: 10.0,
            ..Step::default()
        })
        .unwrap();
    assert_eq!(found.pool.renewable, 0.7);
    assert_eq!(found.pool.energy_wh, -20.0);
    let next = found
        .pool
        .step(Step {
            grid_wh: 5.0,
            ..Step::default()
        })
        .unwrap();
    assert_eq!(
        next.pool.renewable, 0.0,
        "what is charged has its own origin"
    );
    let bad = |step| empty.step(step).is_none();
    assert!(bad(Step {
        grid_wh: -1.0,
        ..Step::default()
    }));
    assert!(bad(Step {
        renewable_wh: f64::NAN,
        ..Step::default()
    }));
    assert!(
        Pool {
            discharging: 0.0,
            ..empty
        }
        .step(Step::default())
        .is_none()
    );
}

proptest! {
    /// Merging windows never adds import or export, and never changes the net.
    #[test]
    fn a_longer_window_nets_more(
        watts in prop::collection::vec(-100_000_i64..100_000, 1..400), short in 1_u32..20, times in 1_u32..10,
    ) {
        let one = netted(&watts, 1, short).unwrap();
        let many = netted(&watts, 1, short * times).unwrap();
        prop_assert!(many.import <= one.import && many.export <= one.export);
        prop_assert_eq!(many.import.0 - many.export.0, one.import.0 - one.export.0);
        prop_assert_eq!(one.import.0 - one.export.0, watts.iter().sum::<i64>());
    }

    /// Both modes of a meter have the same net, and the sum never counts more.
    #[test]
    fn adding_up_phases_never_counts_more(phases in prop::array::uniform3(-10_000_i32..10_000)) {
        let phases = phases.map(f64::from);
        let sum = directed(phases, RegisterMode::Vectorial).unwrap();
        let each = directed(phases, RegisterMode::PerPhase).unwrap();
        prop_assert_eq!(sum.import - sum.export, each.import - each.export);
        prop_assert!(sum.import <= each.import && sum.export <= each.export);
        prop_assert!(sum.import == 0.0 || sum.export == 0.0);
    }

    /// Whatever is charged and discharged, the renewable part of it stays a part.
    #[test]
    fn a_fraction_stays_a_fraction(
        steps in prop::collection::vec((0.0_f64..1e3, 0.0_f64..1e3, 0.0_f64..2e3), 1..60), start in 0.0_f64..=1.0,
    ) {
        let mut pool = Pool { energy_wh: 500.0, renewable: start, charging: 0.95, discharging: 0.95 };
        for (renewable_wh, grid_wh, discharged_wh) in steps {
            let found = pool.step(Step { renewable_wh, grid_wh, discharged_wh }).unwrap();
            pool = found.pool;
            prop_assert!((0.0..=1.0).contains(&pool.renewable));
            prop_assert!((0.0..=discharged_wh).contains(&found.renewable_wh));
        }
    }
}
