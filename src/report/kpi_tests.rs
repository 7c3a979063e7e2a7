//! The indicators of electricity from entries of meters to the bytes of the report.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::*;
use crate::domain::balance::settle;
use crate::domain::boundary::Netting;
use crate::domain::interval::{Channel, Entry, ExportShape, Interval, Span};
use crate::domain::meter::{Carrier, Freshness, Meter, Park, Point, Quantity, Role};
use crate::domain::photovoltaic::{self, STC_CELSIUS};
use crate::domain::plant::books::{Slot, slots};
use crate::domain::plant::{Input, Kind, Observed, Photovoltaic, Plant, Unit};
use crate::domain::quality::{Quality, Reason};
use crate::domain::units::{MilliwattHours, to_i64};

fn hour(nth: i64) -> Span {
    let at = |nth: i64| Timestamp::from_second(1_780_243_200 + nth * 3_600).unwrap();
    Span {
        start: at(nth),
        end: at(nth + 1),
    }
}

fn park() -> Park {
    let meter = |id: &str, role: &str| {
        let point = |name: &str| Point {
            quantity: Quantity::named(name).unwrap(),
            register: None,
        };
        Meter {
            id: id.into(),
            role: Role::named(role).unwrap(),
            points: vec![point("power"), point("power_available")],
            freshness: Freshness::Within(Duration::from_secs(60)),
            period: Duration::from_secs(1),
            rated: None,
            heat_from_flow: None,
            rated_heat: None,
        }
    };
    Park {
        id: "p".into(),
        name: "p".into(),
        time_zone: TimeZone::get("Asia/Shanghai").unwrap(),
        settlement_minutes: 60,
        latitude: 39.19,
        longitude: 113.26,
        meters: vec![
            meter("pcc", "grid"),
            meter("roof", "pv"),
            meter("store", "battery"),
        ],
        every_load_metered: false,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    }
}

/// What each meter moved in an hour, kWh: generation, standby, import, export, charge,
/// discharge, and what could have been generated.
#[derive(Clone, Copy, Default)]
struct Hour {
    generation: f64,
    standby: f64,
    import: f64,
    export: f64,
    charge: f64,
    discharge: f64,
    available: Option<f64>,
}

fn entries(nth: i64, hour_: &Hour) -> Vec<Entry> {
    let of = |meter: &str, positive, kwh: f64| Entry {
        meter: meter.into(),
        channel: Channel {
            carrier: Carrier::Electricity,
            positive,
        },
        span: hour(nth),
        energy: Ok(MilliwattHours(to_i64(kwh * 1e6))),
        quality: Quality::Good,
        coverage_pct: 100.0,
        made: crate::domain::provenance::Made::REGISTER,
        opening: None,
        closing: None,
    };
    vec![
        of("pcc", true, hour_.import),
        of("pcc", false, hour_.export),
        of("roof", true, hour_.generation),
        of("roof", false, hour_.standby),
        of("store", true, hour_.discharge),
        of("store", false, hour_.charge),
    ]
}

/// The hours as the ledger has them.
fn ledger(hours: &[Hour], silent: Option<(usize, &str)>) -> Vec<Slot> {
    let park = park();
    let (mut intervals, mut all, mut observed) = (Vec::new(), Vec::new(), Vec::new());
    for (place, one) in hours.iter().enumerate() {
        let nth = i64::try_from(place).unwrap();
        let mut entries = entries(nth, one);
        for entry in &mut entries {
            if silent == Some((place, &*entry.meter)) {
                entry.energy = Err(Reason::Timeout);
            }
        }
        let flows = settle(&park, &entries, ExportShape::default(), hour(nth));
        intervals.push(Interval {
            span: hour(nth),
            closed: true,
            revision: 1,
            flows,
        });
        all.extend(entries);
        observed.extend(one.available.map(|kwh| Observed {
            input: available(),
            span: hour(nth),
            mean: kwh * 1e3,
            last: 0.0,
            coverage_pct: 100.0,
        }));
    }
    let spans = (0..i64::try_from(hours.len()).unwrap()).map(hour);
    slots(spans, intervals, all, observed)
}

fn available() -> Input {
    Input {
        meter: "roof".into(),
        quantity: "power_available".into(),
    }
}

fn plant(available: Option<Input>, never_curtailed: bool) -> Plant {
    let roof = Photovoltaic {
        meter: "roof".into(),
        plate: photovoltaic::Plant {
            rated_kw: 2_000.0,
            gamma_per_k: 0.0,
            corrected_to: STC_CELSIUS,
        },
        irradiance: None,
        module: None,
        available,
        curtailed: None,
    };
    Plant {
        units: vec![Unit {
            name: "roof".into(),
            kind: Kind::Photovoltaic(Box::new(roof)),
        }],
        never_curtailed: vec!["roof".into(); usize::from(never_curtailed)],
        ..Plant::default()
    }
}

fn report(plant: &Plant, slots: &[Slot], day: &str) -> Kpi {
    let day = day.parse().unwrap();
    Kpi {
        scope: Scope {
            park: "p".into(),
            time_zone: TimeZone::get("Asia/Shanghai").unwrap(),
            zone_name: "Asia/Shanghai".into(),
            settlement_minutes: 60,
            dates: (day, day),
            span: Span {
                start: hour(0).start,
                end: hour(24).start,
            },
            rules: crate::report::grid_export::Rules {
                netting: Some(Netting::Registers),
                ..crate::report::grid_export::Rules::default()
            },
        },
        configured: true,
        indicators: plant.indicators(Some(&park()), &[], slots, day),
    }
}

fn document(report: &Kpi) -> Json {
    serde_json::from_str(&json(report)).unwrap()
}

fn told<'a>(document: &'a Json, name: &str) -> &'a Json {
    let mut rows = document["indicators"].as_array().unwrap().iter();
    rows.find(|row| row["indicator"] == name).unwrap()
}

/// A sum spread over two hours of which the first has most of the export.
fn spread(case: &Json) -> [Hour; 2] {
    let of = |key: &str| case["input"][key].as_f64().unwrap_or(0.0);
    let part = |generation: f64, import: f64, export: f64, rest: f64| Hour {
        generation: of("E_gen") * generation,
        import: of("E_imp") * import,
        export: of("E_exp") * export,
        charge: of("E_ch") * rest,
        discharge: of("E_dis") * (1.0 - rest),
        available: Some((of("E_gen") + of("E_curt")) * generation),
        standby: 0.0,
    };
    [part(0.75, 0.1, 1.0, 1.0), part(0.25, 0.9, 0.0, 0.0)]
}

/// balance_cases.json, `kpi_cases`: from the meters to the report.
#[test]
fn indicators_of_electricity_agree_with_the_vectors() {
    let text = include_str!("../../tests/fixtures/balance_cases.json");
    let cases: Json = serde_json::from_str(text).unwrap();
    let cases = cases["kpi_cases"].as_array().unwrap();
    for case in cases {
        let slots = ledger(&spread(case), None);
        let said = document(&report(
            &plant(Some(available()), false),
            &slots,
            "2026-06-01",
        ));
        let name = &case["name"];
        for (indicator, key, decimals) in [
            ("load", "E_load", 6),
            ("self_consumption", "E_self_gross", 6),
            ("self_consumption_ratio", "SCR", 6),
            ("self_sufficiency_ratio", "SSR", 6),
            ("export_ratio", "export_share_of_gen", 6),
            ("r_self", "self_use_share_of_available_gen", 6),
            ("r_green", "self_use_share_of_load", 6),
            ("r_sell", "export_share_of_available_gen", 6),
        ] {
            let told = told(&said, indicator)["value"].as_f64().unwrap();
            let expected = case["expect"][key].as_f64().unwrap();
            crate::domain::heat::vectors::decimals(told, expected, decimals, indicator);
        }
        let curtailed = case["input"]["E_curt"].as_f64().unwrap_or(0.0);
        assert_eq!(told(&said, "curtailed")["value"], curtailed, "{name}");
    }
    assert_eq!(cases.len(), 3);
}

#[test]
fn limits_are_those_of_the_first_day_and_are_judged_at_their_edge() {
    // 60 of 100 used, of a load of 200: 30 %; 40 exported.
    let at_edge = [Hour {
        generation: 100.0,
        export: 40.0,
        import: 140.0,
        ..Hour::default()
    }];
    let slots = ledger(&at_edge, None);
    let never = plant(None, true);
    #[rustfmt::skip]
    let cases = [
        // day          r_self        r_green        r_sell
        ("2026-06-01",  Some(true),   Some(true),    Some(false)),
        ("2030-01-01",  Some(true),   Some(false),   Some(false)),
    ];
    for (day, r_self, r_green, r_sell) in cases {
        let said = document(&report(&never, &slots, day));
        for (name, kept) in [("r_self", r_self), ("r_green", r_green), ("r_sell", r_sell)] {
            assert_eq!(
                told(&said, name)["limit"]["kept"],
                json!(kept),
                "{day} {name}"
            );
        }
        assert_eq!(told(&said, "r_sell")["limit"]["most"], 0.2, "{day}");
        assert_eq!(told(&said, "r_self")["limit"]["least"], 0.6, "{day}");
    }
    // Before the first limits there are none.
    let said = document(&report(&never, &slots, "2024-12-31"));
    assert_eq!(told(&said, "r_self")["limit"], Json::Null);
}

/// The roof says what it was kept from, and of the turbine the operator says that it is
/// never kept from anything.
#[test]
fn a_park_with_a_turbine_has_indicators_of_direct_supply() {
    let mut park = park();
    park.meters.push(Meter {
        id: "steam".into(),
        role: Role::named("turbine").unwrap(),
        ..park.meters[0].clone()
    });
    let one = Hour {
        generation: 60.0,
        export: 20.0,
        import: 50.0,
        available: Some(70.0),
        ..Hour::default()
    };
    let mut slots = ledger(&[one], None);
    let entries = &mut slots[0].entries;
    for (positive, kwh) in [(true, 40), (false, 0)] {
        let mut steam = entries[0].clone();
        steam.meter = "steam".into();
        steam.channel.positive = positive;
        steam.energy = Ok(MilliwattHours(kwh * 1_000_000));
        entries.push(steam);
    }
    let flows = settle(&park, entries, ExportShape::default(), hour(0));
    slots[0].interval.as_mut().unwrap().flows = flows;
    let told = |plant: &Plant, name: &str| {
        let all = plant.indicators(Some(&park), &[], &slots, "2026-06-01".parse().unwrap());
        all.into_iter().find(|one| one.name == name).unwrap()
    };
    let mut known = plant(Some(available()), false);
    let silent = told(&known, "r_self");
    assert_eq!(silent.value, None);
    let note = silent.note.unwrap();
    assert!(note.starts_with("nothing says what steam could"), "{note}");
    known.never_curtailed = vec!["steam".into()];
    // 100 made, 10 kept back, 20 exported.
    assert_eq!(told(&known, "curtailed").value, Some(10.0));
    assert_eq!(told(&known, "r_self").value, Some(80.0 / 110.0));
    assert_eq!(told(&known, "r_sell").value, Some(20.0 / 110.0));
    assert_eq!(told(&known, "r_self").judged.unwrap().kept, Some(true));
    // Whose name is there is kept from nothing, whatever a sensor says.
    known.never_curtailed.push("roof".into());
    assert_eq!(told(&known, "curtailed").value, Some(0.0));
}

#[test]
fn what_nobody_says_is_unknown_and_the_indicator_says_so() {
    let hours = [Hour {
        generation: 10.0,
        import: 5.0,
        ..Hour::default()
    }];
    let said = document(&report(
        &plant(None, false),
        &ledger(&hours, None),
        "2026-06-01",
    ));
    for name in ["curtailed", "r_self", "r_sell"] {
        let row = told(&said, name);
        assert_eq!(
            (&row["value"], &row["quality"]),
            (&Json::Null, &json!("missing")),
            "{name}"
        );
        let note = row["note"].as_str().unwrap();
        assert!(note.starts_with("nothing says what roof could"), "{note}");
        assert!(note.contains("never_curtailed"), "{note}");
    }
    assert_eq!(told(&said, "r_self")["limit"]["kept"], Json::Null);
    // Nothing is generated: nothing over nothing, which is neither 0 nor 1.
    let night = [Hour {
        import: 5.0,
        standby: 0.25,
        ..Hour::default()
    }];
    let said = document(&report(
        &plant(None, true),
        &ledger(&night, None),
        "2026-06-01",
    ));
    let ratio = told(&said, "self_consumption_ratio");
    assert_eq!(
        (&ratio["value"], &ratio["note"]),
        (&Json::Null, &json!("nothing over nothing"))
    );
    assert_eq!(told(&said, "self_sufficiency_ratio")["value"], 0.0);
    // Standby is part of the load and has a line of its own.
    assert_eq!(told(&said, "generator_standby")["value"], 0.25);
    assert_eq!(told(&said, "load")["value"], 5.0);
    assert_eq!(told(&said, "generation")["value"], 0.0);
}

#[test]
fn a_silent_hour_makes_unknown_what_rests_on_it_and_the_rest_stands_beside() {
    let hours = [Hour {
        generation: 10.0,
        export: 4.0,
        import: 2.0,
        ..Hour::default()
    }; 4];
    let slots = ledger(&hours, Some((2, "pcc")));
    let report = report(&plant(None, true), &slots, "2026-06-01");
    let said = document(&report);
    assert_eq!(told(&said, "generation")["value"], 40.0);
    let ratio = told(&said, "self_consumption_ratio");
    assert_eq!(ratio["value"], Json::Null);
    assert_eq!(ratio["of_known"], 0.6);
    assert_eq!(
        (&ratio["intervals"], &ratio["unknown_intervals"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(
        (&ratio["coverage_pct"], &ratio["missing"]),
        (&json!(75.0), &json!(["pcc"]))
    );
    assert_eq!(
        ratio["gaps"],
        json!([{"meter": "pcc", "reason": "timeout"}])
    );
    let text = csv(&report);
    let mut lines = text.lines();
    assert_eq!(lines.next().unwrap(), COLUMNS.join(","));
    let line = lines
        .find(|line| line.contains(",self_consumption_ratio,"))
        .unwrap();
    assert_eq!(
        line,
        ",self_consumption_ratio,,,,,missing,75.00,4,1,0.600000,pcc,"
    );
    let line = text
        .lines()
        .find(|line| line.contains(",r_green,"))
        .unwrap();
    assert_eq!(line, ",r_green,,,0.300000,,missing,75.00,4,1,0.750000,pcc,");
}

#[test]
fn a_report_says_over_which_time_import_and_export_were_netted() {
    let said = document(&report(
        &plant(None, true),
        &ledger(&[Hour::default()], None),
        "2026-06-01",
    ));
    assert_eq!(
        (&said["netting"], &said["netting_window_s"]),
        (&json!("registers"), &Json::Null)
    );
    assert_eq!(said["configuration"], true);
    let quoted = word("a \"b\", c");
    assert_eq!(quoted, "\"a \"\"b\"\", c\"");
}
