//! Intervals shared: vectors with their source, situations, and the law that all adds up.

mod by_heat_tests;
mod heat_tests;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::origin::{Battery, Origin};
use super::*;
use crate::domain::allocate::Share;
use crate::domain::balance::settle;
use crate::domain::flow::Energies;
use crate::domain::interval::{ExportShape, Span};
use crate::domain::meter::{Freshness, Meter, Point, Quantity, Role};
use crate::domain::quality::Reason;
use crate::domain::units::to_i64;

/// Milliwatt-hours of a kilowatt-hour.
const KWH: i64 = 1_000_000;

fn meter(id: &str, role: &str) -> Meter {
    let point = |name: &str| Point {
        quantity: Quantity::named(name).unwrap(),
        register: None,
    };
    Meter {
        id: id.into(),
        role: Role::named(role).unwrap(),
        points: ["power", "heat_power"].map(point).to_vec(),
        freshness: Freshness::UntilChanged,
        period: std::time::Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

fn park(meters: &[(&str, &str)]) -> Park {
    Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: meters.iter().map(|(id, role)| meter(id, role)).collect(),
        every_load_metered: true,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    }
}

fn span() -> Span {
    Span {
        start: "2026-06-03T10:00:00Z".parse().unwrap(),
        end: "2026-06-03T10:15:00Z".parse().unwrap(),
    }
}

/// What meters moved each way, mWh, in the order of the park; none is a gap.
fn entries(park: &Park, said: &[Option<(i64, i64)>]) -> Vec<Entry> {
    let mut all = Vec::new();
    for (meter, said) in park.meters.iter().zip(said) {
        for carrier in [Carrier::Electricity, Carrier::Heat] {
            if meter.role.term(carrier).is_none() {
                continue;
            }
            for positive in [true, false] {
                let way = said.map(|(plus, minus)| if positive { plus } else { minus });
                all.push(Entry {
                    meter: Arc::clone(&meter.id),
                    channel: Channel { carrier, positive },
                    span: span(),
                    energy: way.map(MilliwattHours).ok_or(Reason::Timeout),
                    quality: if said.is_some() {
                        Quality::Good
                    } else {
                        Quality::Missing
                    },
                    coverage_pct: 100.0,
                    made: crate::domain::provenance::Made::REGISTER,
                    opening: None,
                    closing: None,
                });
            }
        }
    }
    all
}

fn settled(park: &Park, entries: &[Entry]) -> Energies {
    settle(park, entries, ExportShape::default(), span())
}

/// What is shared of what meters said; the last of the roles are those who take part.
fn shared(park: &Park, rule: &Rule, own_pool: bool, said: &[Option<(i64, i64)>]) -> Sharing {
    let entries = entries(park, said);
    electricity(park, rule, own_pool, &settled(park, &entries), &entries)
}

/// A settlement with nothing but a battery.
fn of(battery: &Battery) -> Settlement {
    Settlement {
        battery: battery.clone(),
        ..Settlement::default()
    }
}

fn rule(participants: &[MeterIndex], key: Key, loss: LossRule) -> Rule {
    Rule {
        participants: participants.to_vec(),
        key,
        loss,
    }
}

fn shares(all: &[f64]) -> Vec<Share> {
    all.iter().map(|one| Share::new(*one).unwrap()).collect()
}

fn vectors(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

fn kwh(json: &Json) -> i64 {
    to_i64(json.as_f64().unwrap() * 1e6)
}

fn list(json: &Json) -> Vec<i64> {
    json.as_array().unwrap().iter().map(kwh).collect()
}

const THREE: &[(&str, &str)] = &[
    ("pcc", "grid"),
    ("roof", "pv"),
    ("A", "tenant"),
    ("B", "tenant"),
    ("C", "tenant"),
];

/// Source: allocation.json `intervals`, through the meters of a park. The vectors have
/// nine decimals of a kilowatt-hour, the books six.
#[test]
fn a_metered_park_shares_as_the_vectors_say() {
    let vectors = vectors(include_str!("../../../tests/fixtures/allocation.json"));
    let park = park(THREE);
    let keys = [
        ("static", Key::Static(shares(&[0.5, 0.3, 0.2]))),
        (
            "static_redistribute",
            Key::StaticRedistributed(shares(&[0.5, 0.3, 0.2])),
        ),
        ("dynamic_prorata", Key::Dynamic),
        ("cascade_ABC", Key::Cascade(vec![0, 1, 2])),
    ];
    for (name, key) in keys {
        let rule = rule(&[2, 3, 4], key, LossRule::Operator);
        for case in vectors["intervals"].as_array().unwrap() {
            let what = format!("{} {name}", case["name"]);
            let made = kwh(&case["generation_kWh"]);
            let used = list(&case["consumption_kWh"]);
            let net: i64 = used.iter().sum::<i64>() - made;
            let mut said = vec![Some((net.max(0), (-net).max(0))), Some((made, 0))];
            said.extend(used.iter().map(|used| Some((*used, 0))));
            let known = shared(&park, &rule, false, &said).unwrap();
            let found = &known.value;
            let expect = &case["expect"][name];
            for (place, (local, grid)) in list(&expect["local"])
                .into_iter()
                .zip(list(&expect["grid"]))
                .enumerate()
            {
                let line = found.lines[place];
                assert!((line.local.0 - local).abs() <= 1, "{what} local: {line:?}");
                assert!((line.rest.0 - grid).abs() <= 1, "{what} grid: {line:?}");
                assert_eq!(line.consumption.0, used[place], "{what}");
            }
            assert_eq!(found.export.0, kwh(&expect["export"]), "{what}");
            let sum: i64 = found.lines.iter().map(|line| line.local.0).sum();
            assert_eq!(sum + found.export.0, made, "{what}");
            if name == "dynamic_prorata" {
                let rounded = case["expect"]["dynamic_prorata_Wh_rounded"].as_array();
                for (line, wh) in found.lines.iter().zip(rounded.unwrap()) {
                    let wh = wh.as_i64().unwrap();
                    assert!(
                        (line.local.0 - wh * 1_000).abs() < 1_000,
                        "{what}: {line:?} {wh}"
                    );
                }
            }
        }
    }
}

/// Grid, roof, battery, two tenants, the park's own pump.
const STORED: &[(&str, &str)] = &[
    ("pcc", "grid"),
    ("roof", "pv"),
    ("store", "battery"),
    ("A", "tenant"),
    ("B", "tenant"),
    ("pump", "auxiliary"),
];

/// Amounts in kWh, each way.
fn said(all: [(i64, i64); 6]) -> Vec<Option<(i64, i64)>> {
    all.iter()
        .map(|(plus, minus)| Some((plus * KWH, minus * KWH)))
        .collect()
}

/// Energies in kWh: local, battery, rest.
fn parts(line: &Line) -> [i64; 3] {
    [line.local, line.battery, line.rest].map(|energy| {
        assert_eq!(energy.0 % KWH, 0, "{line:?}");
        energy.0 / KWH
    })
}

#[test]
fn everyone_has_what_the_contract_gives() {
    let park = park(STORED);
    let dynamic = |loss| rule(&[3, 4], Key::Dynamic, loss);
    #[rustfmt::skip]
    let cases = [
        // situation                        own pool  loss                 grid      roof     store    A        B        pump     | shared  A                B                own              loss             export, of battery
        ("tenants, pump, then export",      false, LossRule::Operator, [(0, 40), (100, 0), (0, 0),  (30, 0), (20, 0), (10, 0)],      100, [30, 0, 0],      [20, 0, 0],      [10, 0, 0],      [0, 0, 0],       (40, 0)),
        ("deficit: tenants before pump",    false, LossRule::Operator, [(20, 0), (40, 0),  (0, 0),  (30, 0), (20, 0), (10, 0)],       40, [24, 0, 6],      [16, 0, 4],      [0, 0, 10],      [0, 0, 0],       (0, 0)),
        ("a loss is its own line",          false, LossRule::Operator, [(0, 0),  (70, 0),  (0, 0),  (30, 0), (20, 0), (10, 0)],       70, [30, 0, 0],      [20, 0, 0],      [10, 0, 0],      [10, 0, 0],      (0, 0)),
        ("own use before the loss",         false, LossRule::Operator, [(15, 0), (55, 0),  (0, 0),  (30, 0), (20, 0), (10, 0)],       55, [30, 0, 0],      [20, 0, 0],      [5, 0, 5],       [0, 0, 10],      (0, 0)),
        ("and of the battery, too",         true,  LossRule::Operator, [(11, 0), (0, 0),   (54, 0), (30, 0), (20, 0), (10, 0)],        0, [0, 30, 0],      [0, 20, 0],      [0, 4, 6],       [0, 0, 5],       (0, 0)),
        ("a loss that everyone bears",      false, LossRule::ProRata,  [(6, 0),  (60, 0),  (0, 0),  (30, 0), (20, 0), (10, 0)],       60, [33, 0, 0],      [22, 0, 0],      [5, 0, 6],       [0, 0, 0],       (0, 0)),
        ("charging is not shared",          false, LossRule::Operator, [(0, 10), (100, 0), (0, 30), (30, 0), (20, 0), (10, 0)],       70, [30, 0, 0],      [20, 0, 0],      [10, 0, 0],      [0, 0, 0],       (10, 0)),
        ("discharge with generation",       false, LossRule::Operator, [(0, 0),  (30, 0),  (30, 0), (30, 0), (20, 0), (10, 0)],       60, [30, 0, 0],      [20, 0, 0],      [10, 0, 0],      [0, 0, 0],       (0, 0)),
        ("discharge by itself",             true,  LossRule::Operator, [(0, 0),  (25, 0),  (35, 0), (30, 0), (20, 0), (10, 0)],       25, [15, 15, 0],     [10, 10, 0],     [0, 10, 0],      [0, 0, 0],       (0, 0)),
        ("discharge that nobody used",      true,  LossRule::Operator, [(0, 40), (70, 0),  (30, 0), (30, 0), (20, 0), (10, 0)],       70, [30, 0, 0],      [20, 0, 0],      [10, 0, 0],      [0, 0, 0],       (10, 30)),
        ("standby is the park's own use",   false, LossRule::Operator, [(61, 0), (0, 1),   (0, 0),  (30, 0), (20, 0), (10, 0)],        0, [0, 0, 30],      [0, 0, 20],      [0, 0, 11],      [0, 0, 0],       (0, 0)),
    ];
    for (situation, own_pool, loss, given, all, a, b, own, lost, export) in cases {
        let known = shared(&park, &dynamic(loss), own_pool, &said(given)).unwrap();
        let found = known.value;
        assert_eq!(found.shared.0, all * KWH, "{situation}");
        assert_eq!(parts(&found.lines[0]), a, "{situation}: A");
        assert_eq!(parts(&found.lines[1]), b, "{situation}: B");
        assert_eq!(parts(&found.own), own, "{situation}: own use");
        assert_eq!(parts(&found.loss), lost, "{situation}: loss");
        let ends = (found.export.0 / KWH, found.battery_export.0 / KWH);
        assert_eq!(ends, export, "{situation}: export");
        assert_eq!(known.quality, Quality::Good, "{situation}");
    }
}

#[test]
fn meters_that_count_more_than_the_main_one_are_shown_flagged_and_not_shared() {
    let park = park(STORED);
    let given = said([(50, 0), (0, 0), (0, 0), (30, 0), (20, 0), (10, 0)]);
    for loss in [LossRule::Operator, LossRule::ProRata] {
        let rule = rule(&[3, 4], Key::Dynamic, loss);
        let known = shared(&park, &rule, false, &given).unwrap();
        assert_eq!(known.quality, Quality::Suspect);
        assert_eq!(known.value.lost.0, -10 * KWH);
        assert_eq!(parts(&known.value.loss), [0, 0, -10]);
        assert_eq!(parts(&known.value.lines[0]), [0, 0, 30]);
    }
}

#[test]
fn a_loss_that_nobody_can_share_stays_with_the_operator() {
    let park = park(STORED);
    let rule = rule(&[3, 4], Key::Dynamic, LossRule::ProRata);
    let given = said([(3, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0)]);
    let known = shared(&park, &rule, false, &given).unwrap();
    assert_eq!(parts(&known.value.loss), [0, 0, 3]);
    assert_eq!(known.quality, Quality::Good);
}

#[test]
fn an_interval_that_lacks_a_meter_or_is_below_zero_is_not_shared_and_names_it() {
    let park = park(STORED);
    let rule = rule(&[3, 4], Key::Dynamic, LossRule::Operator);
    let whole = said([(50, 0), (10, 0), (0, 0), (30, 0), (20, 0), (10, 0)]);
    for (place, meter) in park.meters.iter().enumerate() {
        let mut given = whole.clone();
        given[place] = None;
        let error = shared(&park, &rule, false, &given).unwrap_err();
        assert_eq!(error.to_string(), format!("unknown: {}", meter.id));
    }
    #[rustfmt::skip]
    let cases = [
        ([(50, 0), (10, 0), (0, 0), (0, 30), (20, 0), (10, 0)], "`A` is -30000.000 Wh"),
        ([(50, 0), (10, 0), (0, 0), (30, 0), (20, 0), (0, 10)], "`own use` is -10000.000 Wh"),
        ([(0, 50), (10, 0), (0, 0), (30, 0), (20, 0), (10, 0)], "`main meter` is -40000.000 Wh"),
    ];
    for (given, expected) in cases {
        let error = shared(&park, &rule, false, &said(given))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// Source: balance_cases.json `battery_origin`, through the meters of a park.
#[test]
fn the_battery_of_a_metered_park_agrees_with_the_vectors() {
    let vectors = vectors(include_str!("../../../tests/fixtures/balance_cases.json"));
    let case = &vectors["battery_origin"];
    let number = |json: &Json, key: &str| json[key].as_f64().unwrap();
    let mut battery = Battery {
        renewable: vec![1],
        ..Battery::default()
    };
    battery.pool.energy_wh = number(case, "initial_E_kWh") * 1e3;
    battery.pool.renewable = number(case, "initial_f_pv");
    battery.pool.charging = number(case, "eta_charge");
    battery.pool.discharging = number(case, "eta_discharge");
    let park = park(STORED);
    let mut origin = Origin::new(&of(&battery));
    for step in case["steps"].as_array().unwrap() {
        let of = |key: &str| kwh(&step[key]);
        let (sun, grid) = (of("pv_charge_kWh"), of("grid_charge_kWh"));
        let out = of("discharge_kWh");
        let given = [
            (grid, 0),
            (sun, 0),
            (out, sun + grid),
            (out, 0),
            (0, 0),
            (0, 0),
        ];
        let given: Vec<_> = given.into_iter().map(Some).collect();
        let entries = entries(&park, &given);
        let known = origin
            .step(&park, &settled(&park, &entries), &entries)
            .unwrap();
        let green = known.value;
        let near = |found: f64, key: &str| {
            let expected = number(step, key);
            assert!((found - expected).abs() < 1e-6, "{key}: {found} {expected}");
        };
        near(green.content, "f_pv_after_charge");
        near(green.content_wh / 1e3, "E_end_kWh");
        near(
            green.discharge.as_watt_hours() / 1e3,
            "pv_part_of_discharge_kWh",
        );
        assert_eq!(green.charge.0, sun);
        assert_eq!(known.quality, Quality::Derived);
    }
}

#[test]
fn export_is_as_green_as_what_feeds_it() {
    let mut meters = STORED.to_vec();
    meters.push(("steam", "turbine"));
    let park = park(&meters);
    let mut battery = Battery {
        renewable: vec![1],
        ..Battery::default()
    };
    (battery.pool.energy_wh, battery.pool.renewable) = (100e3, 0.5);
    #[rustfmt::skip]
    let cases = [
        // situation                     grid      roof     store    A        B       pump    steam  | generation, export
        ("the sun alone",              [(0, 40), (60, 0), (0, 0),  (20, 0), (0, 0), (0, 0), (0, 0)],   60, 40),
        ("half of it is steam",        [(0, 40), (30, 0), (0, 0),  (20, 0), (0, 0), (0, 0), (30, 0)],  30, 20),
        ("out of the battery",         [(0, 40), (0, 0),  (60, 0), (20, 0), (0, 0), (0, 0), (0, 0)],    0, 20),
        ("sun, then battery",          [(0, 40), (20, 0), (40, 0), (20, 0), (0, 0), (0, 0), (0, 0)],   20, 30),
        ("at night, nothing",          [(20, 0), (0, 0),  (0, 0),  (20, 0), (0, 0), (0, 0), (0, 0)],    0, 0),
    ];
    for (situation, given, generation, export) in cases {
        let given: Vec<_> = given
            .iter()
            .map(|(a, b)| Some((a * KWH, b * KWH)))
            .collect();
        let entries = entries(&park, &given);
        let mut origin = Origin::new(&of(&battery));
        let known = origin
            .step(&park, &settled(&park, &entries), &entries)
            .unwrap();
        assert_eq!(known.value.generation.0, generation * KWH, "{situation}");
        assert_eq!(known.value.export.0, export * KWH, "{situation}");
    }
}

#[test]
fn after_an_interval_without_an_origin_the_pool_is_an_estimate() {
    let park = park(STORED);
    let mut origin = Origin::new(&Settlement::default());
    let whole = said([(50, 0), (10, 0), (0, 0), (30, 0), (20, 0), (10, 0)]);
    let mut step = |given: &[Option<(i64, i64)>]| {
        let entries = entries(&park, given);
        let stepped = origin.step(&park, &settled(&park, &entries), &entries);
        (stepped.map(|known| known.quality), origin.gaps)
    };
    assert_eq!(step(&whole), (Ok(Quality::Derived), 0));
    let mut silent = whole.clone();
    silent[2] = None;
    let (gap, count) = step(&silent);
    assert_eq!((gap.unwrap_err().meters(), count), (vec!["store"], 1));
    // Worse than derived is nothing that follows; what is an estimate stays one.
    assert_eq!(
        step(&whole),
        (Ok(Quality::Derived.worst(Quality::Estimated)), 1)
    );
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        Just(Key::Dynamic),
        Just(Key::Cascade(vec![1, 0])),
        (0.0..=0.5_f64, 0.0..=0.5_f64).prop_map(|(a, b)| Key::Static(shares(&[a, b]))),
        (0.0..=0.5_f64, 0.0..=0.5_f64).prop_map(|(a, b)| Key::StaticRedistributed(shares(&[a, b]))),
    ]
}

proptest! {
    /// Whatever the meters say, what is shared is what everyone has of it, everyone has
    /// what he used, and nobody has more than that.
    #[test]
    fn every_interval_adds_up(
        key in key(),
        pro_rata in any::<bool>(),
        own_pool in any::<bool>(),
        amounts in prop::array::uniform6((0_i64..5_000_000, 0_i64..5_000_000)),
    ) {
        let park = park(STORED);
        let loss = if pro_rata { LossRule::ProRata } else { LossRule::Operator };
        let rule = rule(&[3, 4], key, loss);
        // Loads take; the rest goes both ways.
        let given: Vec<_> = amounts
            .iter()
            .enumerate()
            .map(|(place, (plus, minus))| Some((*plus, if place > 2 { 0 } else { *minus })))
            .collect();
        let Ok(known) = shared(&park, &rule, own_pool, &given) else {
            // The load is below zero.
            return Ok(());
        };
        let found = known.value;
        let lines = || found.lines.iter().chain([&found.own, &found.loss]);
        let sum = |of: fn(&Line) -> MilliwattHours| lines().map(of).sum::<MilliwattHours>();
        prop_assert_eq!(sum(|line| line.local) + found.export, found.shared);
        let own = if own_pool { found.discharge } else { MilliwattHours::ZERO };
        prop_assert_eq!(sum(|line| line.battery) + found.battery_export, own);
        prop_assert_eq!(found.generation + found.discharge, found.shared + found.withheld + own);
        for line in lines() {
            let used = line.consumption + line.loss;
            prop_assert_eq!(line.local + line.battery + line.rest, used);
            prop_assert!(line.local.0 >= 0 && line.battery.0 >= 0);
            prop_assert!(line.rest.0 >= 0 || used.0 < 0, "{:?}", line);
        }
        let borne = found.lines.iter().chain([&found.own]).map(|line| line.loss);
        prop_assert_eq!(borne.sum::<MilliwattHours>() + found.loss.consumption, found.lost);
    }
}
