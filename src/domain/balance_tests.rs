//! Cases for the balance: vectors with their source, laws, and situations.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::domain::flow::Flow;
use crate::domain::meter::{Freshness, Losses, Point, Quantity, RegisterKind, Role};
use crate::domain::units::CountUnit;

fn meter(id: &str, role: &str) -> Meter {
    let register = RegisterKind {
        unit: CountUnit::MILLIWATT_HOUR,
        modulus: None,
        told: false,
    };
    let point = |name: &str| {
        let quantity = Quantity::named(name).unwrap();
        let counts = quantity.nature == crate::domain::meter::Nature::Register;
        Point {
            quantity,
            register: counts.then_some(register),
        }
    };
    Meter {
        id: id.into(),
        role: Role::named(role).unwrap(),
        points: [
            "power",
            "energy_import",
            "energy_export",
            "heat_power",
            "heat_energy",
        ]
        .map(point)
        .to_vec(),
        freshness: Freshness::UntilChanged,
        period: std::time::Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

fn park(roles: &[&str]) -> Park {
    Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: roles.iter().map(|role| meter(role, role)).collect(),
        every_load_metered: true,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    }
}

fn known(value: f64) -> Stated<f64> {
    Ok(Known::given(value))
}

/// Powers of a park whose meters say these numbers, in order; NaN is a timeout.
fn struck(park: &Park, said: &[(f64, f64)]) -> Powers {
    powers(park, &|index, carrier| {
        let (electricity, heat) = said[index];
        let value = if carrier == Carrier::Electricity {
            electricity
        } else {
            heat
        };
        if value.is_nan() {
            Err(Gaps::one(&park.meters[index].id, Reason::Timeout))
        } else {
            known(value)
        }
    })
}

fn value(flows: &Powers, flow: Flow) -> f64 {
    flows
        .of(flow)
        .as_ref()
        .map_or(f64::NAN, |known| known.value)
}

fn vectors() -> Json {
    serde_json::from_str(include_str!("../../tests/fixtures/balance_cases.json")).unwrap()
}

fn number(case: &Json, side: &str, key: &str) -> f64 {
    case[side][key]
        .as_f64()
        .unwrap_or_else(|| panic!("{side}.{key} of {case}"))
}

fn agrees<N: Amount + std::fmt::Debug>(
    found: &Attribution<N>,
    case: &Json,
    scale: impl Fn(f64) -> N,
) {
    for (key, ours) in [
        ("gen_to_load", found.generation_to_load),
        ("gen_to_bat", found.generation_to_battery),
        ("gen_to_grid", found.generation_to_grid),
        ("bat_to_load", found.battery_to_load),
        ("bat_to_grid", found.battery_to_grid),
        ("grid_to_load", found.grid_to_load),
        ("grid_to_bat", found.grid_to_battery),
    ] {
        let expected = scale(number(case, "expect", key));
        assert!(
            ours == expected,
            "{} {key}: {ours:?} {expected:?}",
            case["name"]
        );
    }
}

/// Source: balance_cases.json `power_cases`.
#[test]
fn power_cases_agree_with_their_vectors() {
    let park = park(&["grid", "pv", "battery"]);
    for case in vectors()["power_cases"].as_array().unwrap() {
        let kw = |key| number(case, "input", key) * 1_000.0;
        let (generation, grid, battery) = (kw("gen_kW"), kw("grid_kW"), kw("bat_kW"));
        let flows = struck(&park, &[(grid, 0.0), (generation, 0.0), (battery, 0.0)]);
        let expected = number(case, "expect", "load") * 1_000.0;
        assert_eq!(value(&flows, Flow::Load), expected, "{}", case["name"]);
        let residual = number(case, "expect", "clamped_residual") * 1_000.0;
        assert_eq!(expected.min(0.0), residual, "{}", case["name"]);
        let attribution = attribute(
            value(&flows, Flow::Generation),
            value(&flows, Flow::Import),
            value(&flows, Flow::Export),
            value(&flows, Flow::BatteryDischarge),
            value(&flows, Flow::BatteryCharge),
        );
        agrees(&attribution, case, |kw| kw * 1_000.0);
        let served =
            attribution.generation_to_load + attribution.battery_to_load + attribution.grid_to_load;
        let unserved = number(case, "expect", "unserved") * 1_000.0;
        assert_eq!(expected.max(0.0) - served, unserved, "{}", case["name"]);
        let self_consumption = value(&flows, Flow::Generation) - attribution.generation_to_grid;
        assert_eq!(
            value(&flows, Flow::SelfConsumption),
            self_consumption,
            "{}",
            case["name"]
        );
    }
}

/// Source: balance_cases.json `interval_cases`, exact in Wh.
#[test]
fn interval_cases_agree_with_their_vectors() {
    for case in vectors()["interval_cases"].as_array().unwrap() {
        let wh = |key| MilliwattHours::from_watt_hours(number(case, "input", key));
        let found = attribute(wh("gen"), wh("imp"), wh("exp"), wh("dis"), wh("ch"));
        agrees(&found, case, MilliwattHours::from_watt_hours);
        let load = wh("gen") + wh("imp") - wh("exp") + wh("dis") - wh("ch");
        let expected = |key| MilliwattHours::from_watt_hours(number(case, "expect", key));
        assert_eq!(load, expected("load"), "{}", case["name"]);
        let served = found.generation_to_load + found.battery_to_load + found.grid_to_load;
        assert_eq!(load - served, expected("unserved"), "{}", case["name"]);
    }
}

/// An interval in which all of it happened: what the grid brought beyond the load can only
/// have charged, so that there is generation left for the export.
#[test]
fn import_beyond_the_load_charges_before_generation_does() {
    let found = attribute(5.0, 10.0, 2.0, 0.0, 6.0);
    let expected = Attribution {
        generation_to_load: 0.0,
        generation_to_battery: 3.0,
        generation_to_grid: 2.0,
        battery_to_load: 0.0,
        battery_to_grid: 0.0,
        grid_to_load: 7.0,
        grid_to_battery: 3.0,
    };
    assert_eq!(found, expected);
}

/// Source: balance_cases.json `kpi_cases` without curtailment and storage losses.
#[test]
fn ratios_agree_with_their_vectors() {
    for case in vectors()["kpi_cases"].as_array().unwrap() {
        let of = |key: &str| case["input"][key].as_f64().unwrap_or(0.0);
        let load = of("E_gen") + of("E_imp") - of("E_exp") + of("E_dis") - of("E_ch");
        assert_eq!(load, number(case, "expect", "E_load"), "{}", case["name"]);
        let self_consumption = ratio(Some(of("E_gen") - of("E_exp")), Some(of("E_gen"))).unwrap();
        let self_sufficiency = 1.0 - ratio(Some(of("E_imp")), Some(load)).unwrap();
        for (ours, key) in [(self_consumption, "SCR"), (self_sufficiency, "SSR")] {
            assert!(
                (ours - number(case, "expect", key)).abs() < 5e-10,
                "{} {key}",
                case["name"]
            );
        }
    }
    assert_eq!(
        ratio(Some(0.0), Some(0.0)),
        None,
        "0/0 is unknown, neither 0 nor 1"
    );
}

#[test]
fn a_dead_pv_meter_leaves_generation_load_and_self_consumption_unknown_and_export_known() {
    let park = park(&["grid", "pv", "turbine", "battery", "tenant"]);
    let dead = f64::NAN;
    let flows = struck(
        &park,
        &[
            (-400.0, 0.0),
            (dead, 0.0),
            (900.0, 0.0),
            (100.0, 0.0),
            (1_000.0, 0.0),
        ],
    );
    for flow in [
        Flow::Generation,
        Flow::Load,
        Flow::SelfConsumption,
        Flow::Residual,
    ] {
        let gaps = flows.of(flow).as_ref().unwrap_err();
        assert_eq!(gaps.list().len(), 1, "{flow:?}");
        assert_eq!(
            (&*gaps.list()[0].meter, gaps.list()[0].reason),
            ("pv", Reason::Timeout)
        );
    }
    assert_eq!(value(&flows, Flow::Export), 400.0);
    assert_eq!(value(&flows, Flow::BatteryDischarge), 100.0);
}

#[test]
fn standby_of_a_generator_is_load_and_leaves_no_residual() {
    let park = park(&["grid", "pv", "tenant"]);
    let flows = struck(&park, &[(5_000.0, 0.0), (-2_000.0, 0.0), (3_000.0, 0.0)]);
    assert_eq!(value(&flows, Flow::Generation), 0.0);
    assert_eq!(value(&flows, Flow::Load), 5_000.0);
    assert_eq!(value(&flows, Flow::Residual), 0.0);
}

#[test]
fn a_reversed_transformer_shows_as_negative_load_not_as_zero() {
    let park = park(&["grid", "pv"]);
    let flows = struck(&park, &[(-1_010.0, 0.0), (1_000.0, 0.0)]);
    assert_eq!(value(&flows, Flow::Load), -10.0);
}

#[test]
fn configured_losses_are_no_residual_and_a_missing_load_meter_makes_it_unknown() {
    let mut park = park(&["grid", "tenant"]);
    park.losses = Some(Losses {
        fixed: Power::from_watts(30.0).unwrap(),
        load_pct: 1.0,
    });
    let flows = struck(&park, &[(1_000.0, 0.0), (955.0, 0.0)]);
    assert_eq!(value(&flows, Flow::Losses), 40.0);
    assert_eq!(value(&flows, Flow::Residual), 5.0);
    park.every_load_metered = false;
    let flows = struck(&park, &[(1_000.0, 0.0), (955.0, 0.0)]);
    assert_eq!(flows.of(Flow::Residual), &Err(Gaps::config()));
}

#[test]
fn without_a_grid_meter_the_boundary_is_unknown_not_zero() {
    let park = park(&["pv"]);
    let flows = struck(&park, &[(1_000.0, 0.0)]);
    assert_eq!(flows.of(Flow::Import), &Err(Gaps::config()));
    assert_eq!(flows.of(Flow::Load), &Err(Gaps::config()));
    assert_eq!(flows.of(Flow::Supplied), &Err(Gaps::config()));
    assert_eq!(value(&flows, Flow::Generation), 1_000.0);
}

#[test]
fn a_grid_meter_that_counts_import_alone_leaves_export_unknown_not_zero() {
    let mut park = park(&["grid", "pv"]);
    let keep = |name: &'static str| move |point: &Point| point.quantity.name == name;
    park.meters[0].points.retain(keep("energy_import"));
    park.meters[1].points.retain(keep("energy_export"));
    let start = jiff::Timestamp::from_second(1_780_272_000).unwrap();
    let span = Span {
        start,
        end: start + std::time::Duration::from_secs(900),
    };
    let entry = |meter: &str| Entry {
        meter: meter.into(),
        channel: Channel {
            carrier: Carrier::Electricity,
            positive: true,
        },
        span,
        energy: Ok(MilliwattHours(1_000)),
        quality: Quality::Good,
        coverage_pct: 100.0,
        made: crate::domain::provenance::Made::REGISTER,
        opening: None,
        closing: None,
    };
    let shape = ExportShape::default();
    let flows = settle(&park, &[entry("grid"), entry("pv")], shape, span);
    let config = Gaps::one(&"grid".into(), Reason::Config);
    assert_eq!(flows.of(Flow::Export), &Err(config.clone()));
    assert_eq!(flows.of(Flow::Load), &Err(config));
    assert!(flows.of(Flow::Import).is_ok());
    assert!(
        flows.of(Flow::Generation).is_ok(),
        "a generator's standby may be unmetered"
    );
}

/// Both channels of every meter of a park, counted by registers.
fn counted(park: &Park, span: Span) -> Vec<Entry> {
    let mut entries = Vec::new();
    for meter in &park.meters {
        for carrier in [Carrier::Electricity, Carrier::Heat] {
            for positive in [true, false] {
                entries.push(Entry {
                    meter: meter.id.clone(),
                    channel: Channel { carrier, positive },
                    span,
                    energy: Ok(MilliwattHours(1_000)),
                    quality: Quality::Good,
                    coverage_pct: 100.0,
                    made: Made::REGISTER,
                    opening: None,
                    closing: None,
                });
            }
        }
    }
    entries
}

#[test]
fn what_follows_from_several_meters_says_derived_and_what_a_meter_counted_does_not() {
    let mut park = park(&[
        "grid",
        "pv",
        "battery",
        "tenant",
        "solar_field",
        "boiler",
        "electric_boiler",
        "heat_pump",
        "heat_storage",
        "heat_to_power",
        "heat_feed",
        "heat_consumer",
    ]);
    park.losses = Some(Losses {
        fixed: Power::from_watts(30.0).unwrap(),
        load_pct: 0.0,
    });
    let start = jiff::Timestamp::from_second(1_780_272_000).unwrap();
    let span = Span {
        start,
        end: start + std::time::Duration::from_secs(900),
    };
    let shape = ExportShape::default();
    let flows = settle(&park, &counted(&park, span), shape, span);
    let both = Made::REGISTER.and(Made::DERIVED);
    let direct = self::park(&["boiler", "heat_consumer"]);
    let without_feed = settle(&direct, &counted(&direct, span), shape, span);
    let residual = without_feed.of(Flow::HeatResidual).as_ref().unwrap();
    assert_eq!(residual.made, both, "without losses that say it, too");
    for (row, stated) in flows.iter() {
        let expected = match row.flow {
            // A statement of the configuration.
            Flow::Losses => Made::DERIVED,
            Flow::Load
            | Flow::SelfConsumption
            | Flow::Residual
            | Flow::HeatLosses
            | Flow::HeatResidual => both,
            _ => Made::REGISTER,
        };
        assert_eq!(stated.as_ref().unwrap().made, expected, "{}", row.name);
    }
}

#[test]
fn of_two_entries_of_a_channel_the_first_is_heard() {
    let park = park(&["grid", "pv"]);
    let start = jiff::Timestamp::from_second(1_780_272_000).unwrap();
    let span = Span {
        start,
        end: start + std::time::Duration::from_secs(900),
    };
    let mut entries = counted(&park, span);
    entries.extend(counted(&park, span).into_iter().map(|entry| Entry {
        energy: Ok(MilliwattHours(7)),
        ..entry
    }));
    let flows = settle(&park, &entries, ExportShape::default(), span);
    for flow in [Flow::Import, Flow::Export, Flow::Generation] {
        let found = flows.of(flow).as_ref().unwrap();
        assert_eq!(found.value, MilliwattHours(1_000), "{flow:?}");
    }
}

#[test]
fn heat_balances() {
    let park = park(&[
        "solar_field",
        "boiler",
        "electric_boiler",
        "heat_storage",
        "heat_to_power",
        "heat_feed",
        "heat_consumer",
    ]);
    #[rustfmt::skip]
    let cases = [
        // situation                 field boiler eboil storage topower feed consumer | charge disch losses residual
        ("noon, charging",          [900.0, 0.0,  50.0, -200.0, 500.0, 250.0, 230.0],  200.0,   0.0,  20.0,   0.0),
        ("night, discharging",      [-10.0, 0.0,   0.0,  310.0,   0.0, 300.0, 280.0],    0.0, 310.0,  20.0,   0.0),
        ("a meter 5 % low",         [950.0, 0.0,   0.0,    0.0, 700.0, 300.0, 280.0],    0.0,   0.0,  20.0, -50.0),
        ("consumer above the feed", [300.0, 0.0,   0.0,    0.0,   0.0, 300.0, 310.0],    0.0,   0.0, -10.0,   0.0),
    ];
    for (situation, said, charge, discharge, losses, residual) in cases {
        let flows = struck(&park, &said.map(|heat| (0.0, heat)));
        assert_eq!(value(&flows, Flow::SolarField), said[0], "{situation}");
        assert_eq!(value(&flows, Flow::StorageCharge), charge, "{situation}");
        assert_eq!(
            value(&flows, Flow::StorageDischarge),
            discharge,
            "{situation}"
        );
        assert_eq!(value(&flows, Flow::HeatLosses), losses, "{situation}");
        assert_eq!(value(&flows, Flow::HeatResidual), residual, "{situation}");
    }
}

#[test]
fn a_silent_feed_meter_makes_losses_and_residual_unknown_a_missing_one_only_losses() {
    let with_feed = park(&["boiler", "heat_feed", "heat_consumer"]);
    let flows = struck(&with_feed, &[(0.0, 300.0), (0.0, f64::NAN), (0.0, 280.0)]);
    assert!(flows.of(Flow::HeatLosses).is_err() && flows.of(Flow::HeatResidual).is_err());
    let without = park(&["boiler", "heat_consumer"]);
    let flows = struck(&without, &[(0.0, 300.0), (0.0, 280.0)]);
    assert_eq!(flows.of(Flow::HeatLosses), &Err(Gaps::config()));
    assert_eq!(value(&flows, Flow::HeatResidual), 20.0);
}

proptest! {
    /// Whatever flows, every unit has one origin and one destination, as long as
    /// the readings are consistent.
    #[test]
    fn attribution_adds_up(
        generation in 0_i64..1_000_000, load in 0_i64..1_000_000, battery in -500_000_i64..500_000,
    ) {
        let grid = load - generation - battery;
        let mwh = |value: i64| MilliwattHours(value.max(0));
        let (import, export) = (mwh(grid), mwh(-grid));
        let (discharge, charge) = (mwh(battery), mwh(-battery));
        let a = attribute(mwh(generation), import, export, discharge, charge);
        prop_assert_eq!(a.generation_to_load + a.generation_to_battery + a.generation_to_grid, mwh(generation));
        prop_assert_eq!(a.generation_to_grid + a.battery_to_grid, export);
        prop_assert_eq!(a.generation_to_battery + a.grid_to_battery, charge);
        prop_assert_eq!(a.generation_to_load + a.battery_to_load + a.grid_to_load, mwh(load));
        prop_assert_eq!(a.grid_to_load + a.grid_to_battery, import);
        prop_assert_eq!(a.battery_to_load + a.battery_to_grid, discharge);
    }

    /// An unknown meter never turns into a number: every flow that needs it says so.
    #[test]
    fn a_gap_reaches_every_flow_that_needs_it(which in 0_usize..4, power in -1e6_f64..1e6) {
        let park = park(&["grid", "pv", "battery", "tenant"]);
        let mut said = [(power, 0.0); 4];
        said[which].0 = f64::NAN;
        let flows = struck(&park, &said);
        let needs: &[Flow] = match which {
            0 => &[Flow::Import, Flow::Export, Flow::Load, Flow::SelfConsumption, Flow::Residual],
            1 => &[Flow::Generation, Flow::Load, Flow::SelfConsumption, Flow::Residual],
            2 => &[Flow::BatteryCharge, Flow::BatteryDischarge, Flow::Load, Flow::Residual],
            _ => &[Flow::Residual],
        };
        for flow in needs {
            prop_assert!(flows.of(*flow).is_err(), "{:?}", flow);
        }
    }
}
