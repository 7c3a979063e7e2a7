//! The carbon report of fixed intervals: what is netted and what not, gaps, both formats.

use serde_json::Value as Json;

use super::super::test_park::{self, Said};
use super::*;
use crate::domain::carbon::account::{BoilerFuel, GridShare, PurchasedHeat};
use crate::domain::carbon::{Boundary, Factors, Kind, Netting};
use crate::domain::settlement::origin::Battery;

fn account() -> Account {
    let grid = Factors::embedded();
    Account {
        grid: grid
            .find("Shanxi", 2023, Kind::GridAverage)
            .unwrap()
            .clone(),
        grid_share: None,
        purchased_heat: None,
        market: None,
        certificates: Vec::new(),
        fuel: None::<BoilerFuel>,
        boundary: Boundary {
            text: "all halls, by year".into(),
            netting: Netting::ImportAlone,
        },
        kgce_per_kwh: 0.1229,
    }
}

fn report_of(intervals: &[Interval], entries: &[Entry], slots: &[Span]) -> Carbon {
    let mut battery = Battery {
        renewable: vec![1],
        ..Battery::default()
    };
    (battery.pool.charging, battery.pool.discharging) = (1.0, 1.0);
    let settlement = Settlement {
        battery,
        ..Settlement::default()
    };
    let scope = test_park::scope(slots.len());
    let mut report = Carbon::new(scope, test_park::park(), Arc::new(settlement), account());
    report.push(slots, intervals, entries);
    report
}

fn report(said: &[Option<Said>]) -> Carbon {
    let (slots, intervals, entries) = test_park::books(&test_park::park(), said);
    report_of(&intervals, &entries, &slots)
}

fn written(report: Carbon, format: usize) -> String {
    (super::super::FORMATS[format].write)(&super::super::Report::Carbon(Box::new(report)))
}

fn json(report: Carbon) -> Json {
    serde_json::from_str(&written(report, 1)).unwrap()
}

/// Source: carbon_cases.json `avoided`: 3500 kWh in, 4200 out, 10000 made, 9300 used.
const VECTOR: Said = [
    (3_500, 4_200),
    (10_000, 0),
    (0, 0),
    (9_300, 0),
    (0, 0),
    (0, 0),
    (0, 0),
    (0, 0),
];
const NIGHT: Said = [
    (10, 0),
    (0, 0),
    (0, 0),
    (10, 0),
    (0, 0),
    (0, 0),
    (0, 0),
    (0, 0),
];
const STORES: Said = [
    (0, 20),
    (100, 0),
    (0, 30),
    (50, 0),
    (0, 0),
    (0, 0),
    (0, 0),
    (0, 0),
];
const GIVES: Said = [
    (10, 0),
    (0, 0),
    (30, 0),
    (40, 0),
    (0, 0),
    (0, 0),
    (0, 0),
    (0, 0),
];

#[test]
fn a_period_of_the_books_agrees_with_the_vector() {
    let document = json(report(&[Some(VECTOR)]));
    let total = &document["total"];
    assert_eq!(total["scope2_location"]["kg"], "2321.900");
    assert_eq!(total["scope2_location_kg"], "2321.900");
    assert_eq!(total["scope2_location"]["factor"]["year"], 2023);
    assert_eq!(total["avoided_memo"]["self_consumption"]["kg"], "3847.720");
    assert_eq!(total["avoided_memo"]["export"]["kg"], "2786.280");
    assert_eq!(total["scope2_market"], Json::Null);
    assert_eq!(total["scope2_location"]["heat"], Json::Null);
    assert_eq!(total["scope2_location"]["total_kg"], "2321.900");
    // What it would come to if it were netted stands among the memos alone.
    assert_eq!(total["avoided_memo"]["net_balance_kg"], "-464.380");
    let supply = total["self_supply_ratio"].as_f64().unwrap();
    assert!((supply - 5_800.0 / 9_300.0).abs() < 1e-12);
    // A number with its factor and boundary, and no class of a year for a day.
    let park = &total["zero_carbon_park"];
    let tce = (3_500.0 + 5_800.0) * 0.1229 / 1e3;
    assert!((park["tco2_per_tce"].as_f64().unwrap() - 2.3219 / tce).abs() < 1e-9);
    assert_eq!(park["boundary"], "all halls, by year");
    assert_eq!(park["netting"], "export not subtracted");
    assert_eq!(park["grid_factor"]["geography"], "Shanxi");
    assert_eq!(
        (&park["whole_year"], &park["compare_with"]),
        (&false.into(), &Json::Null)
    );
}

#[test]
fn the_hourly_match_sums_its_quarter_hours_and_counts_no_surplus_elsewhere() {
    // 100 made at ten, nothing from eleven on: what is left over at ten does not serve
    // eleven, unless a battery carries it.
    let noon: Said = [
        (0, 50),
        (100, 0),
        (0, 0),
        (50, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        (0, 0),
    ];
    let day = [noon, NIGHT, NIGHT, NIGHT, NIGHT, NIGHT, NIGHT, NIGHT].map(Some);
    let found = json(report(&day));
    let hourly = &found["total"]["hourly"];
    assert_eq!(hourly["hours"], 2);
    assert_eq!(hourly["matched_kwh"], "80.000000");
    assert_eq!(hourly["load_kwh"], "120.000000");
    assert_eq!(hourly["excess_kwh"], "20.000000");
    assert!((hourly["score"].as_f64().unwrap() - 80.0 / 120.0).abs() < 1e-12);
    let stored = [STORES, NIGHT, NIGHT, NIGHT, GIVES].map(Some);
    let found = json(report(&stored));
    // 70 at ten of 80, 30 out of the battery at eleven of 40.
    let hourly = &found["total"]["hourly"];
    assert_eq!(hourly["matched_kwh"], "100.000000");
    assert_eq!(hourly["carbon_free_kwh"], "100.000000");
}

#[test]
fn the_carbon_free_part_of_the_grid_serves_the_rest_of_the_load() {
    let slots = |grid_share| {
        let (slots, intervals, entries) =
            test_park::books(&test_park::park(), &[Some(STORES), Some(NIGHT)]);
        let mut report = report_of(&[], &[], &[]);
        report.account.grid_share = grid_share;
        report.push(&slots, &intervals, &entries);
        report
    };
    // Within the hour 70 are there for 60; a quarter hour of the night has the grid alone.
    let share = GridShare {
        share: 0.2,
        year: 2023,
        source: "the operator".into(),
    };
    let found = json(slots(Some(share.clone())));
    let hourly = &found["total"]["hourly"];
    assert!(
        (hourly["score"].as_f64().unwrap() - 1.0).abs() < 1e-12,
        "{hourly}"
    );
    let mut night = slots(Some(share));
    night.rows.remove(0);
    let hourly = &json(night.clone())["total"]["hourly"];
    assert_eq!(hourly["score"], 0.0);
    assert!((hourly["score_with_grid"].as_f64().unwrap() - 0.2).abs() < 1e-12);
    assert_eq!(hourly["grid_carbon_free"]["year"], 2023);
    let text = written(night, 0);
    assert!(
        text.lines().last().unwrap().contains(",0.000000,0.200000,"),
        "{text}"
    );
    let mut none = slots(None);
    none.rows.remove(0);
    assert_eq!(json(none)["total"]["hourly"]["score_with_grid"], Json::Null);
}

#[test]
fn purchased_heat_has_its_column_and_is_in_scope_2() {
    // The customer's meter stands in for a transfer station: 50 kWh.
    let warm: Said = [
        (10, 0),
        (0, 0),
        (0, 0),
        (10, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        (50, 0),
    ];
    let park = test_park::park();
    let report = |silent: bool| {
        let (slots, mut intervals, mut entries) = test_park::books(&park, &[Some(warm)]);
        if silent {
            test_park::silence(&park, &mut intervals, &mut entries, 0, 7);
        }
        let mut report = report_of(&[], &[], &[]);
        report.account.purchased_heat = Some(PurchasedHeat {
            meter: 7,
            among_boilers: false,
            factor: Factor {
                kind: Kind::Heat,
                kg_per_kwh: 0.396,
                ..account().grid
            },
        });
        report.push(&slots, &intervals, &entries);
        report
    };
    let found = json(report(false));
    let (row, total) = (&found["rows"][0], &found["total"]);
    assert_eq!(row["purchased_heat_kwh"], "50.000000");
    // 10 at 0.6634 and 50 at 0.396.
    assert_eq!(row["scope2_location_kg"], "26.434");
    assert_eq!(total["scope2_location_kg"], "26.434");
    assert_eq!(total["scope2_location"]["kg"], "6.634");
    assert_eq!(total["scope2_location"]["heat"]["kg"], "19.800");
    assert_eq!(total["scope2_location"]["total_kg"], "26.434");
    let found = json(report(true));
    assert_eq!(found["rows"][0]["reason"], "unknown: C");
    assert_eq!(found["total"]["scope2_location"], Json::Null);
    assert_eq!(found["total"]["scope2_location_kg"], Json::Null);
    // Among the boilers it is none of them: nothing of it was burnt.
    let mut among = report(false);
    among.rows.clear();
    among.account.purchased_heat.as_mut().unwrap().among_boilers = true;
    let (slots, intervals, entries) = test_park::books(&park, &[Some(warm)]);
    among.push(&slots, &intervals, &entries);
    assert_eq!(json(among)["rows"][0]["boiler_heat_kwh"], "-50.000000");
}

#[test]
fn a_gap_is_empty_and_leaves_unknown_what_rests_on_it() {
    let park = test_park::park();
    let said = [STORES, GIVES, NIGHT].map(Some);
    let (slots, mut intervals, mut entries) = test_park::books(&park, &said);
    test_park::silence(&park, &mut intervals, &mut entries, 1, 1);
    let found = report_of(&intervals, &entries, &slots);
    let document = json(found.clone());
    let row = &document["rows"][1];
    assert_eq!(
        (&row["load_kwh"], &row["import_kwh"]),
        (&Json::Null, &"10.000000".into())
    );
    assert_eq!(
        (&row["quality"], &row["reason"]),
        (&"missing".into(), &"unknown: roof".into())
    );
    let total = &document["total"];
    assert_eq!(total["renewable_generation_kwh"], Json::Null);
    assert_eq!(total["unknown_intervals"]["renewable_generation_kwh"], 1);
    assert_eq!(total["unknown_intervals"]["import_kwh"], 0);
    // Import is known: scope 2 is, and nothing else.
    assert_eq!(total["scope2_location"]["kg"], "13.268");
    assert_eq!(total["avoided_memo"], Json::Null);
    assert_eq!(total["hourly"]["score"], Json::Null);
    assert_eq!(total["zero_carbon_park"]["tco2_per_tce"], Json::Null);
    assert_eq!(document["battery"]["intervals_passed_over"], 1);
    let text = written(found, 0);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str| lines[0].iter().position(|head| *head == name).unwrap();
    assert_eq!(lines[2][column("load_kwh")], "");
    assert_eq!(lines[2][column("scope2_location_kg")], "6.634");
    assert_eq!(lines[2][column("avoided_export_memo_kg")], "");
    assert_eq!(lines[4][column("scope2_location_kg")], "13.268");
    assert_eq!(
        lines[4][column("reason")],
        "1 of 3 intervals lack something"
    );
    assert_eq!(lines[4][column("coverage_pct")], "66.67");
}

#[test]
fn the_total_of_csv_has_what_stands_for_the_period_with_factor_and_boundary() {
    let text = written(report(&[Some(VECTOR)]), 0);
    let total = text.lines().last().unwrap();
    assert!(
        total.starts_with("total,,,3500.000000,4200.000000,9300.000000,10000.000000,"),
        "{total}"
    );
    assert!(
        total.contains(",2321.900,3847.720,2786.280,derived,100.00,,"),
        "{total}"
    );
    assert!(
        total.contains("\"all halls, by year; export not subtracted\""),
        "{total}"
    );
    assert!(total.ends_with("2025 No.47 (2025-12-31))\""), "{total}");
    let first = text.lines().nth(1).unwrap();
    assert!(
        first.ends_with(",2321.900,3847.720,2786.280,derived,100.00,,,,,,,,,"),
        "{first}"
    );
}
