//! Vectors with their source, laws, and situations.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::domain::units::to_i64;

fn vectors() -> Json {
    serde_json::from_str(include_str!("../../../tests/fixtures/carbon_cases.json")).unwrap()
}

fn number(json: &Json, key: &str) -> f64 {
    json[key]
        .as_f64()
        .unwrap_or_else(|| panic!("{key} of {json}"))
}

fn kwh(value: f64) -> MilliwattHours {
    MilliwattHours(to_i64(value * 1e6))
}

fn shanxi() -> Factor {
    Factors::embedded()
        .find("Shanxi", 2023, Kind::GridAverage)
        .unwrap()
        .clone()
}

fn near(found: f64, expect: &Json, key: &str, half_digit: f64) {
    let expected = number(expect, key);
    assert!(
        (found - expected).abs() <= half_digit,
        "{key}: {found} is not {expected}"
    );
}

/// Source: the table itself, and §6.1 of the announcements it quotes.
#[test]
fn the_embedded_table_can_be_read() {
    let table = Factors::embedded();
    assert_eq!(
        table.iter().count(),
        120,
        "9 national, 21 regional, 90 provincial"
    );
    #[rustfmt::skip]
    let cases = [
        // geography  year  kind                              kg/kWh
        ("CN",        2021, Kind::GridAverage,                0.5568),
        ("CN",        2023, Kind::WithoutTradedNonFossil,     0.6096),
        ("CN",        2022, Kind::Fossil,                     0.8325),
        ("North",     2023, Kind::GridAverage,                0.6361),
        ("Shanxi",    2023, Kind::GridAverage,                0.6634),
        ("山西",      2022, Kind::GridAverage,                0.7096),
        ("Shaanxi",   2022, Kind::GridAverage,                0.6558),
    ];
    for (geography, year, kind, expected) in cases {
        let factor = table.find(geography, year, kind).unwrap();
        assert_eq!(factor.kg_per_kwh, expected, "{geography} {year}");
        assert!(
            factor.source.starts_with("MEE+NBS Announcement"),
            "{geography}"
        );
        assert!(factor.url.starts_with("https://"), "{geography}");
    }
}

/// Source: emission_factors.csv, every row of it.
#[test]
fn every_factor_of_the_vectors_is_the_one_that_is_found() {
    let text = include_str!("../../../tests/fixtures/emission_factors.csv");
    let table = Factors::embedded();
    let mut rows = 0;
    for line in text.lines().filter(|line| line.starts_with("CN,")) {
        let cells: Vec<&str> = line.split(',').collect();
        let kind = match cells[2] {
            "national_excl_market_traded_non_fossil" => Kind::WithoutTradedNonFossil,
            "national_fossil_power" => Kind::Fossil,
            _ => Kind::GridAverage,
        };
        let place = if cells[1] == "national" {
            "CN"
        } else {
            cells[3]
        };
        let found = table.find(place, cells[4].parse().unwrap(), kind).unwrap();
        assert_eq!(found.kg_per_kwh, cells[5].parse::<f64>().unwrap(), "{line}");
        assert_eq!(
            (&*found.source, &*found.url),
            (cells[6], cells[7].trim()),
            "{line}"
        );
        rows += 1;
    }
    assert_eq!(rows, 120);
}

#[test]
fn another_year_is_never_taken_instead_and_a_row_without_year_or_source_is_refused() {
    let table = Factors::embedded();
    let error = |geography, year, kind| table.find(geography, year, kind).unwrap_err().to_string();
    assert_eq!(
        error("Shanxi", 2024, Kind::GridAverage),
        "there is no factor `grid average` of 2024 for `Shanxi`; there is 2021, 2022, 2023, and the one chosen is stored with the result"
    );
    assert_eq!(
        error("Atlantis", 2023, Kind::GridAverage),
        "there is no factor `grid average` of 2023 for `Atlantis`; there is none of any year"
    );
    let read = |row: &str| {
        Factors::parse(&format!("# remark\nheader\n{row}\n"))
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    #[rustfmt::skip]
    let cases = [
        ("CN,province,山西,Shanxi,2023,0.6634,A,https://a", Ok(())),
        ("CN,province,山西,Shanxi,,0.6634,A,https://a",     Err("line 3: a factor without the year of its data")),
        ("CN,province,山西,Shanxi,2023,,A,https://a",       Err("line 3: `` is no factor")),
        ("CN,province,山西,Shanxi,2023,-0.1,A,https://a",   Err("line 3: `-0.1` is no factor")),
        ("CN,province,山西,Shanxi,2023,NaN,A,https://a",    Err("line 3: `NaN` is no factor")),
        ("CN,province,山西,Shanxi,2023,0.6634,,https://a",  Err("line 3: a factor without a source")),
        ("CN,national,median,median,2023,0.6,A,https://a",  Err("line 3: `median` is no kind of factor")),
        ("CN,province",                                     Err("line 3: 2 columns, there should be 8")),
    ];
    for (row, expected) in cases {
        assert_eq!(read(row), expected.map_err(str::to_owned), "{row}");
    }
}

/// Source: carbon_cases.json `avoided`.
#[test]
fn scope_2_and_avoided_emissions_agree_with_their_vector() {
    let case = &vectors()["avoided"];
    let expect = &case["expect"];
    let factor = shanxi();
    assert_eq!(factor.kg_per_kwh, number(case, "factor"));
    let of = |key| kwh(number(case, key));
    let scope2 = scope2_location(of("E_imp"), &factor, None).unwrap();
    near(
        scope2.mass().as_tonnes(),
        expect,
        "scope2_location_tCO2",
        5e-10,
    );
    let memo = avoided(of("E_gen"), of("E_exp"), &factor);
    near(
        memo.self_consumption.mass.as_tonnes(),
        expect,
        "avoided_self_consumption_tCO2",
        5e-10,
    );
    near(
        memo.export.mass.as_tonnes(),
        expect,
        "avoided_export_tCO2_memo",
        5e-10,
    );
    near(
        memo.net_balance_memo(&scope2).as_tonnes(),
        expect,
        "net_balance_tCO2_memo_not_scope2",
        5e-10,
    );
    let all_grid = Emission::of(of("E_load"), &factor);
    near(
        all_grid.mass.as_tonnes(),
        expect,
        "counterfactual_all_grid_tCO2",
        5e-10,
    );
    assert_eq!(
        scope2.electricity.factor, factor,
        "the factor stays with the result"
    );
    assert_eq!(
        factor.to_string(),
        "0.6634 kg/kWh (Shanxi, grid average, data of 2023; MEE+NBS Announcement 2025 No.47 (2025-12-31))"
    );
}

#[test]
fn purchased_heat_and_certificates_count_and_a_netted_import_is_refused() {
    let grid = shanxi();
    let heat = Factor {
        kind: Kind::Heat,
        kg_per_kwh: Factor::kg_per_kwh_of_tonnes_per_gj(0.11),
        ..grid.clone()
    };
    let bought = Some((kwh(1_000.0 / 3.6), &heat));
    let scope2 = scope2_location(kwh(0.0), &grid, bought).unwrap();
    assert!(
        (scope2.mass().as_tonnes() - 0.11).abs() < 1e-9,
        "a gigajoule"
    );
    let market = scope2_market(kwh(1_000.0), kwh(400.0), &grid, None).unwrap();
    assert!((market.mass().as_kilograms() - 600.0 * 0.6634).abs() < 1e-9);
    let error = scope2_location(kwh(-1.0), &grid, None)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "purchased energy is -1000.000 Wh; export is not netted against import, give both registers"
    );
    let error = scope2_market(kwh(1.0), kwh(2.0), &grid, None)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "certificates of 2000.000 Wh are retired for an import of 1000.000 Wh; keep the rest for later"
    );
    assert!(scope2_market(kwh(1.0), kwh(-1.0), &grid, None).is_err());
}

#[test]
fn energy_whose_certificates_are_sold_is_not_claimed_twice() {
    let year = Renewable {
        generation: kwh(10_000.0),
        exported: kwh(4_200.0),
        load: kwh(9_300.0),
        certificates_sold: kwh(5_800.0),
    };
    assert!((year.self_supply().unwrap() - 5_800.0 / 9_300.0).abs() < 1e-12);
    assert_eq!(year.claimable(), Some(0.0));
    let idle = Renewable {
        load: kwh(0.0),
        ..year
    };
    assert_eq!(idle.self_supply(), None, "0/0 is unknown");
}

fn hours(case: &Json) -> Vec<Hour> {
    let list = |key: &str| case[key].as_array().unwrap().clone();
    let (load, cfe, share) = (list("load_MWh"), list("cfe_MWh"), list("grid_cfe_share"));
    (0..load.len())
        .map(|hour| Hour {
            load: Some(kwh(load[hour].as_f64().unwrap() * 1e3)),
            carbon_free: Some(kwh(cfe[hour].as_f64().unwrap() * 1e3)),
            grid_share: share[hour].as_f64(),
        })
        .collect()
}

/// Source: carbon_cases.json `hourly`.
#[test]
fn hourly_matching_agrees_with_its_vector() {
    let case = &vectors()["hourly"];
    let expect = &case["expect"];
    let found = match_hours(&hours(case)).unwrap();
    for (ours, expected) in found
        .hours
        .iter()
        .zip(expect["matched_MWh"].as_array().unwrap())
    {
        assert_eq!(*ours, kwh(expected.as_f64().unwrap() * 1e3));
    }
    assert_eq!(found.matched, kwh(number(expect, "sum_matched") * 1e3));
    assert_eq!(found.excess, kwh(number(expect, "excess_MWh") * 1e3));
    near(
        found.score().unwrap(),
        expect,
        "cfe_score_contracted_only",
        5e-10,
    );
    near(
        found.score_with_grid().unwrap(),
        expect,
        "cfe_score_with_grid",
        5e-10,
    );
    near(
        found.volumetric().unwrap(),
        expect,
        "volumetric_match",
        5e-10,
    );
}

#[test]
fn a_missing_hour_leaves_the_score_unknown_and_is_named() {
    let good = hours(&vectors()["hourly"]);
    let error = |change: fn(&mut Hour)| {
        let mut hours = good.clone();
        change(&mut hours[7]);
        match_hours(&hours).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(
        error(|hour| hour.load = None),
        "hour 7: the load is unknown"
    );
    assert_eq!(
        error(|hour| hour.carbon_free = None),
        "hour 7: the carbon-free energy is unknown"
    );
    assert_eq!(
        error(|hour| hour.load = Some(kwh(-1.0))),
        "hour 7: an energy is below zero"
    );
    assert_eq!(
        error(|hour| hour.grid_share = Some(1.1)),
        "hour 7: the carbon-free share of the grid is outside of 0 to 1"
    );
    let mut no_share = good.clone();
    no_share[0].grid_share = None;
    let found = match_hours(&no_share).unwrap();
    assert_eq!(found.score_with_grid(), None);
    assert!(found.score().is_some());
    assert_eq!(match_hours(&[]).unwrap().score(), None, "0/0 is unknown");
}

fn example() -> (ParkEnergy, Factor, Json) {
    let case = vectors()["cn_zero_carbon_park"].clone();
    let (inputs, coefficients) = (&case["inputs"], &case["coefficients"]);
    let energy = ParkEnergy {
        import: kwh(number(inputs, "grid_import_kWh")),
        export: MilliwattHours::ZERO,
        green_direct: kwh(number(inputs, "green_direct_kWh")),
        heat: None,
        fuels: vec![Fuel {
            name: "natural gas, Nm3".into(),
            quantity: number(inputs, "gas_Nm3"),
            kg_co2: number(coefficients, "gas_tCO2_per_1000Nm3"),
            kgce: number(coefficients, "gas_kgce_per_Nm3"),
        }],
        process: Co2::default(),
        kgce_per_kwh: number(coefficients, "electricity_kgce_per_kWh"),
    };
    let factor = Factors::embedded()
        .find("CN", 2023, Kind::GridAverage)
        .unwrap()
        .clone();
    assert_eq!(factor.kg_per_kwh, number(&case, "grid_factor"));
    (energy, factor, case["expect"].clone())
}

fn boundary(netting: Netting) -> Boundary {
    Boundary {
        text: "park P, 2026".into(),
        netting,
    }
}

/// Source: carbon_cases.json `cn_zero_carbon_park`.
#[test]
fn the_indicator_of_a_park_agrees_with_its_vector_and_says_what_it_depends_on() {
    let (energy, factor, expect) = example();
    let found = park_carbon(&energy, &factor, boundary(Netting::ImportAlone)).unwrap();
    near(found.energy_tce, &expect, "energy_tce", 5e-7);
    near(found.mass.as_tonnes(), &expect, "CO2_t", 5e-7);
    near(
        found.intensity.unwrap(),
        &expect,
        "unit_energy_carbon_tCO2_per_tce",
        5e-10,
    );
    near(found.clean_share.unwrap(), &expect, "clean_share", 5e-10);
    assert_eq!(
        limit_for(200_000.0),
        expect["threshold_20_100e4tce"].as_f64()
    );
    assert_eq!(limit_for(1e6), expect["threshold_ge_100e4tce"].as_f64());
    assert_eq!(
        limit_for(found.energy_tce),
        None,
        "below the classes of the notice"
    );
    assert_eq!(
        found.to_string(),
        "0.783 tCO2/tce, a park below the classes of the notice; park P, 2026; export not subtracted; \
         0.5306 kg/kWh (CN, grid average, data of 2023; MEE+NBS Announcement 2025 No.47 (2025-12-31))"
    );
}

#[test]
fn the_netting_rule_changes_the_indicator_and_stands_in_it() {
    let (mut energy, factor, _) = example();
    energy.export = kwh(20e6);
    let gross = park_carbon(&energy, &factor, boundary(Netting::ImportAlone)).unwrap();
    let net = park_carbon(&energy, &factor, boundary(Netting::ImportMinusExport)).unwrap();
    assert!(
        (gross.mass.as_tonnes() - 16_782.88).abs() < 1e-6,
        "export subtracts nothing"
    );
    assert!((net.mass.as_tonnes() - (16_782.88 - 20_000.0 * 0.5306)).abs() < 1e-6);
    assert!(net.to_string().contains("net of export"));
    energy.heat = Some((
        kwh(1e6 / 3.6),
        Factor {
            kg_per_kwh: Factor::kg_per_kwh_of_tonnes_per_gj(0.11),
            kind: Kind::Heat,
            ..factor.clone()
        },
    ));
    let warm = park_carbon(&energy, &factor, boundary(Netting::ImportAlone)).unwrap();
    assert!(
        (warm.mass.as_tonnes() - gross.mass.as_tonnes() - 110.0).abs() < 1e-6,
        "1000 GJ"
    );
    assert!((warm.energy_tce - gross.energy_tce - 34.1208).abs() < 1e-3);
    energy.fuels[0].quantity = f64::NAN;
    assert_eq!(
        park_carbon(&energy, &factor, boundary(Netting::ImportAlone)),
        None
    );
}

proptest! {
    /// However much is exported, scope 2 is that of the import, and matching by the hour
    /// is never above matching by volume.
    #[test]
    fn an_hour_is_harder_than_a_year(all in prop::collection::vec((0_i64..1_000, 0_i64..1_000), 1..48)) {
        let hours: Vec<Hour> = all.iter().map(|(load, free)| Hour {
            load: Some(MilliwattHours(*load)), carbon_free: Some(MilliwattHours(*free)), grid_share: Some(0.4),
        }).collect();
        let found = match_hours(&hours).unwrap();
        prop_assert_eq!(found.matched + found.excess, found.carbon_free);
        if let (Some(score), Some(with_grid), Some(volume)) = (found.score(), found.score_with_grid(), found.volumetric()) {
            prop_assert!(score <= volume && volume <= 1.0);
            prop_assert!(score <= with_grid && with_grid <= 1.0);
        } else {
            prop_assert_eq!(found.load, MilliwattHours::ZERO);
        }
    }
}
