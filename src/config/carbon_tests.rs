//! What `[carbon]` comes to, and what is told of its mistakes.

use super::super::relations::tests::{read, told};
use super::*;

const METERS: &[(&str, &str, &str)] = &[
    ("pcc", "grid", ""),
    ("roof", "pv", ""),
    ("steam", "turbine", ""),
    ("field", "solar_field", ""),
    ("station", "boiler", ""),
    ("feed", "heat_feed", ""),
];
/// The usual factor of purchased heat, 0.11 t/GJ.
const HEAT: &str = "kg_per_kwh = 0.396\ngeography = \"CN\"\nyear = 2023\nsource = \"S\"\n";
const SHANXI: &str = "[carbon.grid.published]\ngeography = \"Shanxi\"\nyear = 2023\n";

fn account(text: &str) -> Account {
    let setup = read(METERS, text).unwrap_or_else(|problems| panic!("{problems:?}"));
    setup.settlement.carbon.clone().unwrap()
}

#[test]
fn a_factor_is_published_or_ones_own_and_has_its_origin() {
    let found = account(SHANXI);
    assert_eq!((found.grid.kg_per_kwh, found.grid.year), (0.6634, 2023));
    assert!(
        found.grid.source.contains("2025 No.47"),
        "{}",
        found.grid.source
    );
    assert_eq!(found.boundary.netting, Netting::ImportAlone);
    assert_eq!(found.kgce_per_kwh, 0.1229);
    assert!(found.market.is_none() && found.fuel.is_none());
    let found = account(
        "[carbon]\nrenewable = [\"roof\", \"steam\"]\n\
         [carbon.grid.own]\nkg_per_kwh = 0.4\ngeography = \"DE\"\nyear = 2024\nsource = \"UBA\"\n\
         [carbon.market.published]\ngeography = \"CN\"\nyear = 2023\n\
         [[carbon.certificates]]\nfrom = \"2026-01-01\"\nto = \"2026-12-31\"\nretired = \"1200MWh\"\n\
         [carbon.fuel]\nname = \"natural gas\"\nkg_per_kwh = 0.2\nyear = 2024\nsource = \"S\"\nefficiency = 0.9\n\
         [carbon.park]\nboundary = \"all halls\"\nnet_of_export = true\nkgce_per_kwh = 0.3\n",
    );
    assert_eq!((&*found.grid.geography, found.grid.kg_per_kwh), ("DE", 0.4));
    let market = found.market.unwrap();
    assert_eq!(
        (market.kg_per_kwh, market.kind),
        (0.6096, Kind::WithoutTradedNonFossil)
    );
    assert_eq!(
        found.certificates[0].retired,
        MilliwattHours(1_200_000_000_000)
    );
    let fuel = found.fuel.unwrap();
    assert_eq!((fuel.efficiency, fuel.factor.kind), (0.9, Kind::Fuel));
    assert_eq!(
        (&*found.boundary.text, found.kgce_per_kwh),
        ("all halls", 0.3)
    );
    assert_eq!(found.boundary.netting, Netting::ImportMinusExport);
    // What is bought of heat, and the carbon-free part of the grid.
    for (meter, place, among_boilers) in [("station", 4, true), ("feed", 5, false)] {
        let found = account(&format!(
            "{SHANXI}[carbon.grid.carbon_free]\nshare = 0.35\nyear = 2023\nsource = \"S\"\n\
             [carbon.purchased_heat]\nmeter = \"{meter}\"\n{HEAT}"
        ));
        let heat = found.purchased_heat.unwrap();
        assert_eq!((heat.meter, heat.among_boilers), (place, among_boilers));
        assert!(found.boundary.text.contains("purchased heat"));
        assert_eq!(
            (heat.factor.kg_per_kwh, heat.factor.kind),
            (0.396, Kind::Heat)
        );
        let grid = found.grid_share.unwrap();
        assert_eq!((grid.share, grid.year, &*grid.source), (0.35, 2023, "S"));
    }
    // Who is renewable stands beside it.
    let text = format!("[carbon]\nrenewable = [\"steam\"]\n{SHANXI}");
    assert_eq!(
        read(METERS, &text).unwrap().settlement.battery.renewable,
        [2]
    );
    assert_eq!(
        read(METERS, SHANXI).unwrap().settlement.battery.renewable,
        [1]
    );
    // As renewable as its heat is solar; the modules are so all the same.
    let text = format!("[carbon]\nrenewable_heat = [\"steam\"]\n{SHANXI}");
    let battery = &read(METERS, &text).unwrap().settlement.battery;
    assert_eq!((&battery.renewable, &battery.by_heat), (&vec![1], &vec![2]));
}

#[test]
fn a_factor_without_year_or_source_is_refused_and_so_is_what_nobody_published() {
    let own = "[carbon.grid.own]\nkg_per_kwh = 0.4\ngeography = \"DE\"\n";
    #[rustfmt::skip]
    let cases: [(String, &[&str]); 19] = [
        ("[carbon]\n".to_owned(), &["carbon.grid: is missing; [carbon.grid.published]"]),
        (format!("{own}source = \"UBA\"\n"), &["carbon.grid.own.year: is missing"]),
        (format!("{own}year = 2024\n"), &["carbon.grid.own.source: is missing"]),
        (format!("{own}year = 2024\nsource = \" \"\n"), &["carbon.grid.own.source: says nothing"]),
        ("[carbon.grid.own]\nkg_per_kwh = 400\ngeography = \"DE\"\nyear = 2024\nsource = \"UBA\"\n".to_owned(), &["carbon.grid.own.kg_per_kwh: 400 is out of range"]),
        ("[carbon.grid.published]\ngeography = \"Shanxi\"\nyear = 2024\n".to_owned(), &["carbon.grid.published.year: there is no factor `grid average` of 2024 for `Shanxi`; there is 2021, 2022, 2023"]),
        ("[carbon.grid.published]\ngeography = \"Bavaria\"\nyear = 2023\n".to_owned(), &["carbon.grid.published.geography: there is no factor"]),
        (format!("{own}year = 2024\nsource = \"UBA\"\n[carbon.grid.published]\ngeography = \"CN\"\nyear = 2023\n"), &["carbon.grid: is published and own at once"]),
        (format!("{SHANXI}[carbon.fuel]\nname = \"gas\"\nkg_per_kwh = 0.2\nyear = 2024\nsource = \"S\"\n"), &["carbon.fuel.efficiency: is missing"]),
        (format!("{SHANXI}[carbon.fuel]\nname = \"gas\"\nkg_per_kwh = 0.2\nefficiency = 0.9\n"), &["carbon.fuel.year: is missing", "carbon.fuel.source: is missing"]),
        (format!("{SHANXI}[[carbon.certificates]]\nfrom = \"2026-01-01\"\nto = \"2026-12-31\"\nretired = \"1MWh\"\n"), &["carbon.certificates: are retired, and nothing says what the rest of import emits"]),
        (format!("{SHANXI}[[carbon.certificates]]\nfrom = \"2026-12-31\"\nto = \"2026-01-01\"\n"), &["carbon.certificates[0]: says neither", "carbon.certificates[0].to: 2026-01-01 is before 2026-12-31"]),
        (format!("[carbon]\nrenewable = [\"roof\", \"steam\"]\nrenewable_heat = [\"steam\"]\n{SHANXI}"), &["carbon.renewable_heat: `steam` is wholly renewable already; name it here alone"]),
        (format!("{SHANXI}[carbon.grid.carbon_free]\nshare = 35\nyear = 2023\nsource = \"S\"\n"), &["carbon.grid.carbon_free.share: 35 is out of range; from 0 to 1"]),
        (format!("{SHANXI}[carbon.grid.carbon_free]\nshare = 0.35\n"), &["carbon.grid.carbon_free.year: is missing", "carbon.grid.carbon_free.source: is missing"]),
        (format!("{SHANXI}[carbon.purchased_heat]\nmeter = \"field\"\n{HEAT}"), &["carbon.purchased_heat.meter: `field` (solar_field) brings no heat into the park"]),
        (format!("{SHANXI}[carbon.purchased_heat]\n{HEAT}"), &["carbon.purchased_heat.meter: is missing"]),
        (format!("[carbon]\nrenewable_heat = [\"field\"]\n{SHANXI}"), &["carbon.renewable_heat: `field` (solar_field) is not a generator"]),
        (format!("[carbon]\nrenewable = [\"pcc\", \"roof\"]\n{SHANXI}"), &["carbon.renewable: `pcc` (grid) is not a generator"]),
    ];
    for (text, expected) in cases {
        let told = told(read(METERS, &text));
        assert_eq!(told.len(), expected.len(), "{text}: {told:?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{text}: {told}");
        }
    }
}

#[test]
fn solar_heat_wants_a_field() {
    let text = format!("[carbon]\nrenewable_heat = [\"steam\"]\n{SHANXI}");
    let told = told(read(&METERS[..3], &text));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with(
            "carbon.renewable_heat: wants the solar part of heat, and no meter is a solar_field"
        ),
        "{told:?}"
    );
}

#[test]
fn every_row_of_the_data_can_be_named() {
    for factor in Factors::embedded().iter() {
        let (place, year) = (&factor.geography, factor.year);
        let text = format!("[carbon.grid.published]\ngeography = \"{place}\"\nyear = {year}\n");
        let found = account(&text).grid;
        assert_eq!((found.year, &found.geography), (year, place));
    }
}
