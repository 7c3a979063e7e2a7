//! Solar heat, shared: vectors with their source, situations, gaps.

use super::*;
use crate::domain::heat::pool::Pool;

/// A field, an electric boiler, a storage, the network's feed and three customers.
const NETWORK: &[(&str, &str)] = &[
    ("field", "solar_field"),
    ("kettle", "electric_boiler"),
    ("tank", "heat_storage"),
    ("feed", "heat_feed"),
    ("A", "heat_consumer"),
    ("B", "heat_consumer"),
    ("C", "heat_consumer"),
];

fn heated(park: &Park, rule: &Rule, pool: &mut HeatPool, said: &[i64]) -> Sharing {
    let given: Vec<_> = said
        .iter()
        .map(|one| Some(((*one).max(0), (-*one).max(0))))
        .collect();
    let entries = entries(park, &given);
    heat(park, rule, pool, &settled(park, &entries), &entries)
}

/// Source: allocation.json `heat`: losses pro rata, and the solar share at the header.
#[test]
fn a_heat_network_shares_as_the_vectors_say() {
    let vectors = vectors(include_str!("../../../../tests/fixtures/allocation.json"));
    let case = &vectors["heat"];
    let park = park(NETWORK);
    let used = list(&case["metered_MWh"]);
    let feed = kwh(&case["feed_in_MWh"]);
    let mix = |key: &str| kwh(&case["source_mix_MWh"][key]);
    let solar = case["storage_solar_fraction"].as_f64().unwrap();
    let full = |content| HeatPool {
        pool: Pool::new(content, solar, 1.0, 1.0).unwrap(),
        gaps: 0,
    };
    let pro_rata = rule(&[4, 5, 6], Key::Dynamic, LossRule::ProRata);
    let given = [
        mix("solar"),
        mix("e_boiler"),
        mix("storage"),
        feed,
        used[0],
        used[1],
        used[2],
    ];
    let known = heated(&park, &pro_rata, &mut full(1e9), &given).unwrap();
    let found = known.value;
    assert_eq!(found.lost.0, kwh(&case["expect_loss_MWh"]));
    let near = |found: i64, expected: f64, what: &str| {
        let expected = expected * 1e6;
        assert!(
            (found as f64 - expected).abs() <= 1.0,
            "{what}: {found} {expected}"
        );
    };
    for (line, gross) in found
        .lines
        .iter()
        .zip(case["expect_gross_prorata_MWh"].as_array().unwrap())
    {
        near(
            line.consumption.0 + line.loss.0,
            gross.as_f64().unwrap(),
            "gross",
        );
    }
    let share = case["expect_solar_share"].as_f64().unwrap();
    assert!((found.shared.0 as f64 / feed as f64 - share).abs() < 5e-10);
    // Nobody uses less than the sun gives: all of it is shared, to the last digit.
    let sum: i64 = found.lines.iter().map(|line| line.local.0).sum();
    assert_eq!((sum, found.export.0), (found.shared.0, 0));
}

#[test]
fn heat_is_as_solar_as_the_header() {
    let park = park(NETWORK);
    let fair = rule(&[4, 5, 6], Key::Dynamic, LossRule::Operator);
    #[rustfmt::skip]
    let cases = [
        // situation                       field kettle tank feed  A   B   C   content solar | shared, loss solar
        ("the field alone",              [100,  0,    0,   100,  50, 30, 20],   0.0, 0.0,   100, 0),
        ("half from the kettle",         [50,   50,   0,   100,  50, 30, 20],   0.0, 0.0,    50, 0),
        ("charging takes of the field",  [100,  50,  -50,  100,  50, 30, 20],   0.0, 0.0,    50, 0),
        ("out of a solar tank",          [0,    0,    100, 100,  50, 30, 20], 500.0, 0.9,    90, 0),
        ("out of an empty tank",         [0,    0,    100, 100,  50, 30, 20],   0.0, 1.0,     0, 0),
        ("more than the tank holds",     [0,    0,    100, 100,  50, 30, 20],  40.0, 1.0,    40, 0),
        ("a field that cools at night",  [-5,   100,  0,   100,  50, 30, 20],   0.0, 0.0,     0, 0),
        ("a boiler that is kept warm",   [100,  -5,   0,   95,   50, 30, 15],   0.0, 0.0,    95, 0),
        ("the loss has its own line",    [100,  0,    0,   110,  50, 30, 20],   0.0, 0.0,   110, 10),
    ];
    for (situation, given, content, solar, all, lost) in cases {
        let mut pool = HeatPool {
            pool: Pool::new(content * 1e3, solar, 1.0, 1.0).unwrap(),
            gaps: 0,
        };
        let given: Vec<i64> = given.iter().map(|kwh| kwh * KWH).collect();
        let found = heated(&park, &fair, &mut pool, &given).unwrap().value;
        assert!(
            (found.shared.0 - all * KWH).abs() <= 1,
            "{situation}: {found:?}"
        );
        assert_eq!(found.loss.local.0 / KWH, lost, "{situation}");
        assert_eq!(
            found.shared + found.withheld,
            found.generation,
            "{situation}"
        );
    }
    assert_eq!(cases.len(), 9);
    let nothing = [0, 0, 0, 100, 50, 30, 20].map(|kwh| kwh * KWH);
    let error = heated(&park, &fair, &mut HeatPool::default(), &nothing).unwrap_err();
    assert!(error.to_string().contains("no source of it"), "{error}");
}

/// A meter of the storage may count a little more than those of the sources: what nobody
/// saw enter has no origin, and counts as not solar.
#[test]
fn a_charge_above_all_sources_is_of_unknown_origin_and_suspect() {
    let park = park(NETWORK);
    let fair = rule(&[4, 5, 6], Key::Dynamic, LossRule::Operator);
    let full = || HeatPool {
        pool: Pool::new(1e6, 0.9, 1.0, 1.0).unwrap(),
        gaps: 0,
    };
    #[rustfmt::skip]
    let cases = [
        // situation                     field kettle tank feed  A   B  C | solar kWh, quality
        ("as much as all of them",      [100,  50,  -150,   0,   0,  0, 0],   0, Quality::Good),
        ("one more, nothing enters",    [100,  50,  -151,   0,   0,  0, 0],   0, Quality::Suspect),
        ("one more, and some enters",   [100,  50,  -151,  10,  10,  0, 0],   0, Quality::Suspect),
        ("of the field alone",          [100,   0,  -101,  10,  10,  0, 0],   0, Quality::Suspect),
        ("below all of them",           [100,  50,  -149,   1,   1,  0, 0],   0, Quality::Good),
    ];
    for (situation, given, solar, quality) in cases {
        let given: Vec<i64> = given.iter().map(|kwh| kwh * KWH).collect();
        let mut pool = full();
        let known = heated(&park, &fair, &mut pool, &given).unwrap();
        assert_eq!(known.value.shared.0, solar * KWH, "{situation}");
        assert_eq!(known.quality, quality, "{situation}");
        // All of it is in the tank; the field's part alone is solar there.
        let charge = -given[2] as f64 / 1e3;
        assert!(
            (pool.pool.content() - 1e6 - charge).abs() < 1e-6,
            "{situation}"
        );
        let sun = 0.9 * 1e6 + 100e3;
        assert!(
            (pool.pool.solar() * pool.pool.content() - sun).abs() < 1e-3,
            "{situation}"
        );
    }
    // Discharged in the same interval, what entered is as solar as the tank.
    let both = [
        (100, 0),
        (0, 0),
        (50, 101),
        (50, 0),
        (50, 0),
        (0, 0),
        (0, 0),
    ];
    let given: Vec<_> = both.iter().map(|(a, b)| Some((a * KWH, b * KWH))).collect();
    let entries = entries(&park, &given);
    let known = heat(
        &park,
        &fair,
        &mut full(),
        &settled(&park, &entries),
        &entries,
    )
    .unwrap();
    let solar = (900.0 + 100.0) / 1101.0;
    assert!((known.value.shared.0 as f64 / 50e6 - solar).abs() < 1e-6);
    assert_eq!(known.quality, Quality::Suspect);
}

#[test]
fn heat_that_lacks_a_meter_is_not_shared() {
    let park = park(NETWORK);
    let fair = rule(&[4, 5, 6], Key::Dynamic, LossRule::Operator);
    for (place, meter) in park.meters.iter().enumerate() {
        let mut given = vec![Some((KWH, 0)); park.meters.len()];
        given[place] = None;
        let entries = entries(&park, &given);
        let mut pool = HeatPool::default();
        let error = heat(&park, &fair, &mut pool, &settled(&park, &entries), &entries);
        let error = error.unwrap_err().to_string();
        assert_eq!(error, format!("unknown: {}", meter.id));
        assert_eq!(pool.gaps, usize::from(place < 3), "{}", meter.id);
    }
}
