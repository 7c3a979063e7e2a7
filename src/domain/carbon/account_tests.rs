//! The account of a period against the vectors of carbon.

use serde_json::Value as Json;

use super::*;
use crate::domain::carbon::{Factors, Kind, Netting};
use crate::domain::units::to_i64;

fn kwh(kwh: f64) -> MilliwattHours {
    MilliwattHours(to_i64(kwh * 1e6))
}

fn account() -> Account {
    Account {
        grid: Factors::embedded()
            .find("Shanxi", 2023, Kind::GridAverage)
            .unwrap()
            .clone(),
        grid_share: None,
        purchased_heat: None,
        market: None,
        certificates: Vec::new(),
        fuel: None,
        boundary: Boundary {
            text: "the park".into(),
            netting: Netting::ImportAlone,
        },
        kgce_per_kwh: 0.1229,
    }
}

fn days() -> (Date, Date) {
    ("2026-01-01".parse().unwrap(), "2026-12-31".parse().unwrap())
}

fn of(account: &Account, sums: &PeriodSums) -> Accounted {
    let (from, to) = days();
    account.of(sums, from, to)
}

/// 3500 kWh of import, 4200 of export, 10000 generated: the vector of scope 2.
fn sums() -> PeriodSums {
    PeriodSums {
        import: Some(kwh(3_500.0)),
        export: Some(kwh(4_200.0)),
        load: Some(kwh(9_300.0)),
        renewable: Some(kwh(10_000.0)),
        renewable_export: Some(kwh(4_200.0)),
        boilers: Some(MilliwattHours::ZERO),
        purchased_heat: Some(MilliwattHours::ZERO),
    }
}

/// Source: carbon_cases.json `avoided`.
#[test]
fn a_period_agrees_with_its_vector_and_nets_no_export() {
    let text = include_str!("../../../tests/fixtures/carbon_cases.json");
    let vectors: Json = serde_json::from_str(text).unwrap();
    let expect = &vectors["avoided"]["expect"];
    let near = |found: f64, key: &str| {
        let expected = expect[key].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-9, "{key}: {found} {expected}");
    };
    let found = of(&account(), &sums());
    let location = found.location.unwrap().unwrap();
    near(location.mass().as_tonnes(), "scope2_location_tCO2");
    let avoided = found.avoided.unwrap();
    near(
        avoided.self_consumption.mass.as_tonnes(),
        "avoided_self_consumption_tCO2",
    );
    near(avoided.export.mass.as_tonnes(), "avoided_export_tCO2_memo");
    // Ten times the export is the same scope 2.
    let more = PeriodSums {
        export: Some(kwh(42_000.0)),
        ..sums()
    };
    let more = of(&account(), &more).location.unwrap().unwrap();
    assert_eq!(more, location);
}

/// Source: domain.md 6.2, `E_imp EF_grid + Q_purchased EF_heat`, with the usual 0.11 t/GJ.
#[test]
fn purchased_heat_is_in_scope_2_and_in_the_indicator() {
    let factor = Factor {
        geography: "district".into(),
        local_name: "district".into(),
        year: 2023,
        kind: Kind::Heat,
        kg_per_kwh: Factor::kg_per_kwh_of_tonnes_per_gj(0.11),
        source: "S".into(),
        url: "".into(),
    };
    let buys = Account {
        purchased_heat: Some(PurchasedHeat {
            meter: 0,
            among_boilers: false,
            factor,
        }),
        market: Some(account().grid),
        ..account()
    };
    let heat = PeriodSums {
        purchased_heat: Some(kwh(1_000.0)),
        ..sums()
    };
    let (with, without) = (of(&buys, &heat), of(&account(), &sums()));
    let mass = |found: &Accounted| {
        found
            .location
            .clone()
            .unwrap()
            .unwrap()
            .mass()
            .as_kilograms()
    };
    // 1000 kWh are 3.6 GJ, at 0.11 t/GJ 396 kg.
    assert!((mass(&with) - mass(&without) - 396.0).abs() < 1e-9);
    let market = with.market.unwrap().unwrap();
    assert!((market.mass().as_kilograms() - mass(&without) - 396.0).abs() < 1e-9);
    let (with, without) = (with.park.unwrap(), without.park.unwrap());
    assert!((with.mass.as_kilograms() - without.mass.as_kilograms() - 396.0).abs() < 1e-9);
    let tce = 3.6 * KGCE_PER_GJ / 1e3;
    assert!((with.energy_tce - without.energy_tce - tce).abs() < 1e-12);
    // Unknown heat leaves unknown what it is in.
    let unknown = PeriodSums {
        purchased_heat: None,
        ..sums()
    };
    let found = of(&buys, &unknown);
    assert!(found.location.is_none() && found.market.is_none() && found.park.is_none());
    assert!(found.avoided.is_some());
    // Below zero is a netted register, and named as one.
    let back = PeriodSums {
        purchased_heat: Some(kwh(-1.0)),
        ..sums()
    };
    let found = of(&buys, &back);
    assert!(found.location.unwrap().is_err() && found.park.is_none());
}

#[test]
fn certificates_count_where_their_days_lie_in_the_period() {
    let mut account = account();
    let of_days = |from: &str, to: &str, retired: f64, sold: f64| Certificates {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        retired: kwh(retired),
        sold: kwh(sold),
    };
    account.market = Some(account.grid.clone());
    account.certificates = vec![
        of_days("2026-01-01", "2026-12-31", 1_000.0, 0.0),
        of_days("2026-03-01", "2026-03-31", 500.0, 580.0),
        of_days("2025-12-31", "2026-12-31", 7_777.0, 7_777.0),
        of_days("2026-12-01", "2027-01-01", 7_777.0, 7_777.0),
    ];
    let found = of(&account, &sums());
    assert_eq!(
        (found.retired, found.certificates_outside),
        (kwh(1_500.0), 2)
    );
    let market = found.market.unwrap().unwrap();
    assert_eq!(market.electricity.energy, kwh(2_000.0));
    let location = found.location.unwrap().unwrap();
    assert_eq!(location.electricity.energy, kwh(3_500.0));
    // What was sold, somebody else claims.
    let renewable = found.renewable.unwrap();
    let claimed = renewable.claimable().unwrap();
    assert!((renewable.self_supply().unwrap() - 5_800.0 / 9_300.0).abs() < 1e-12);
    assert!((claimed - 5_220.0 / 9_300.0).abs() < 1e-12);
    account.certificates[0].retired = kwh(4_000.0);
    assert!(of(&account, &sums()).market.unwrap().is_err());
}

#[test]
fn boilers_without_a_factor_for_their_fuel_leave_the_indicator_unknown() {
    let heat = PeriodSums {
        boilers: Some(kwh(900.0)),
        ..sums()
    };
    let without = of(&account(), &heat);
    assert!(without.fuel.is_none() && without.park.is_none());
    assert!(without.location.is_some());
    let mut account = account();
    let gas = Factor {
        geography: "natural gas".into(),
        kind: Kind::Fuel,
        kg_per_kwh: 0.2,
        ..account.grid.clone()
    };
    account.fuel = Some(BoilerFuel {
        factor: gas,
        efficiency: 0.9,
    });
    let found = of(&account, &heat);
    let fuel = found.fuel.unwrap();
    // 900 kWh of heat are 1000 kWh of gas.
    assert_eq!(fuel.energy, kwh(1_000.0));
    assert!((fuel.mass.as_kilograms() - 200.0).abs() < 1e-9);
    let park = found.park.unwrap();
    let tce = (3_500.0 + 5_800.0) * 0.1229 / 1e3 + 1_000.0 * 3.6e-3 / 29.307_6;
    assert!(
        (park.energy_tce - tce).abs() < 1e-9,
        "{} {tce}",
        park.energy_tce
    );
    let kg = 3_500.0 * 0.6634 + 200.0;
    assert!((park.mass.as_kilograms() - kg).abs() < 1e-6);
    assert!((park.intensity.unwrap() - kg / 1e3 / tce).abs() < 1e-9);
}

#[test]
fn an_unknown_energy_leaves_unknown_what_rests_on_it_and_nothing_else() {
    let unknown = |change: fn(&mut PeriodSums)| {
        let mut sums = sums();
        change(&mut sums);
        let found = of(&account(), &sums);
        [
            found.location.is_some(),
            found.avoided.is_some(),
            found.renewable.is_some(),
            found.park.is_some(),
        ]
    };
    assert_eq!(unknown(|_| {}), [true, true, true, true]);
    assert_eq!(
        unknown(|sums| sums.import = None),
        [false, true, true, false]
    );
    assert_eq!(
        unknown(|sums| sums.renewable = None),
        [true, false, false, false]
    );
    assert_eq!(unknown(|sums| sums.load = None), [true, true, false, true]);
    assert_eq!(
        unknown(|sums| sums.boilers = None),
        [true, true, true, false]
    );
}
