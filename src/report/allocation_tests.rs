//! The allocation report of fixed intervals: rows, totals, gaps, both formats.

use serde_json::Value as Json;

use super::super::test_park::{self, KWH, Said};
use super::*;
use crate::domain::allocate::{Key, LossRule};
use crate::domain::settlement::origin::Battery;

/// Tenants A and B in proportion; the battery by itself.
fn settlement() -> Settlement {
    let rule = |participants: &[MeterIndex]| Rule {
        participants: participants.to_vec(),
        key: Key::Dynamic,
        loss: LossRule::Operator,
    };
    let mut battery = Battery {
        own_pool: true,
        renewable: vec![1],
        ..Battery::default()
    };
    (battery.pool.charging, battery.pool.discharging) = (1.0, 1.0);
    Settlement {
        electricity: Some(rule(&[3, 4])),
        heat: Some(rule(&[7])),
        battery,
        ..Settlement::default()
    }
}

fn report(said: &[Option<Said>]) -> Allocation {
    let park = test_park::park();
    let scope = test_park::scope(said.len());
    let (slots, intervals, entries) = test_park::books(&park, said);
    let mut report = Allocation::new(scope, park, Arc::new(settlement()));
    // Stretch by stretch, as the ledger is read.
    for slots in slots.chunks(2) {
        report.push(slots, &intervals, &entries);
    }
    report
}

/// The cells of a CSV by their heads.
fn cells(csv: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    lines
        .map(|line| {
            assert_eq!(line.len(), head.len(), "{line:?}");
            let named = head.iter().zip(line);
            named
                .map(|(head, cell)| ((*head).to_owned(), cell.to_owned()))
                .collect()
        })
        .collect()
}

fn csv(report: Allocation) -> String {
    (super::super::FORMATS[0].write)(&super::super::Report::Allocation(report))
}

fn json(report: Allocation) -> Json {
    let text = (super::super::FORMATS[1].write)(&super::super::Report::Allocation(report));
    serde_json::from_str(&text).unwrap()
}

/// Noon: 100 made, 30 of it stored, 20 exported. Evening: 24 out of the battery.
const NOON: Said = [
    (0, 20),
    (100, 0),
    (0, 30),
    (20, 0),
    (20, 0),
    (10, 0),
    (40, 0),
    (40, 0),
];
const EVENING: Said = [
    (10, 0),
    (0, 0),
    (24, 0),
    (10, 0),
    (20, 0),
    (4, 0),
    (0, 0),
    (0, 0),
];

#[test]
fn a_row_says_who_had_what_and_the_total_is_the_sum() {
    let rows = cells(&csv(report(&[Some(NOON), Some(EVENING)])));
    let all = |name: &str| {
        rows.iter()
            .map(|row| row[name].as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        all("start"),
        [
            "2026-06-03T10:00:00+08:00",
            "2026-06-03T10:15:00+08:00",
            "total"
        ]
    );
    assert_eq!(all("revision"), ["1", "1", ""]);
    #[rustfmt::skip]
    let expected = [
        ("generation_kwh",            ["100.000000", "0.000000", "100.000000"]),
        ("to_battery_kwh",            ["30.000000", "0.000000", "30.000000"]),
        ("battery_discharge_kwh",     ["0.000000", "24.000000", "24.000000"]),
        ("shared_kwh",                ["70.000000", "0.000000", "70.000000"]),
        ("A:consumption_kwh",         ["20.000000", "10.000000", "30.000000"]),
        ("A:local_kwh",               ["20.000000", "0.000000", "20.000000"]),
        ("A:battery_kwh",             ["0.000000", "8.000000", "8.000000"]),
        ("A:grid_kwh",                ["0.000000", "2.000000", "2.000000"]),
        ("B:battery_kwh",             ["0.000000", "16.000000", "16.000000"]),
        ("own use:local_kwh",         ["10.000000", "0.000000", "10.000000"]),
        ("own use:grid_kwh",          ["0.000000", "4.000000", "4.000000"]),
        ("lost_kwh",                  ["0.000000", "0.000000", "0.000000"]),
        ("export_kwh",                ["20.000000", "0.000000", "20.000000"]),
        ("battery_export_kwh",        ["0.000000", "0.000000", "0.000000"]),
        ("metered_export_kwh",        ["20.000000", "0.000000", "20.000000"]),
        ("renewable_discharge_kwh",   ["0.000000", "24.000000", "24.000000"]),
        ("renewable_export_kwh",      ["20.000000", "0.000000", "20.000000"]),
        ("quality",                   ["good", "good", "good"]),
        ("green_quality",             ["derived", "derived", "derived"]),
        ("heat_C:solar_kwh",          ["40.000000", "0.000000", "40.000000"]),
        ("heat_reason",               ["", "", ""]),
        ("coverage_pct",              ["100.00", "100.00", "100.00"]),
    ];
    for (name, cells) in expected {
        assert_eq!(all(name), cells, "{name}");
    }
}

#[test]
fn both_formats_say_the_same_numbers() {
    let text = cells(&csv(report(&[Some(NOON), Some(EVENING)])));
    let document = json(report(&[Some(NOON), Some(EVENING)]));
    for (row, object) in text[..2].iter().zip(document["rows"].as_array().unwrap()) {
        assert_eq!(object["start"], row["start"]);
        assert_eq!(object["revision"], 1);
        assert_eq!(object["electricity"]["shared_kwh"], row["shared_kwh"]);
        assert_eq!(
            object["electricity"]["lines"]["B"]["battery_kwh"],
            row["B:battery_kwh"]
        );
        assert_eq!(
            object["renewable"]["renewable_export_kwh"],
            row["renewable_export_kwh"]
        );
        assert_eq!(
            object["heat"]["lines"]["C"]["solar_kwh"],
            row["heat_C:solar_kwh"]
        );
    }
    let total = &document["total"]["electricity"];
    assert_eq!(total["lines"]["A"]["local_kwh"], text[2]["A:local_kwh"]);
    assert_eq!(
        (&total["intervals"], &total["unknown_intervals"]),
        (&2.into(), &0.into())
    );
    let noon = &document["rows"][0]["renewable"];
    assert_eq!(
        (&noon["battery_content_kwh"], &noon["battery_renewable"]),
        (&30.0.into(), &1.0.into())
    );
    assert_eq!(document["battery"]["starts_with_kwh"], 0.0);
    assert_eq!(document["battery"]["renewable_generators"][0], "roof");
    assert_eq!(
        document["electricity"]["participants"],
        serde_json::json!(["A", "B"])
    );
    assert_eq!(document["electricity"]["rule"], "dynamic");
}

#[test]
fn a_gap_is_empty_with_its_reason_and_so_is_the_total() {
    for missing in [None, Some(4)] {
        let mut said = vec![Some(NOON), Some(EVENING), Some(NOON), Some(EVENING)];
        let park = test_park::park();
        let (slots, mut intervals, mut entries) = test_park::books(&park, &said);
        match missing {
            // The ledger does not have it at all, or a tenant's meter was silent.
            None => {
                said[1] = None;
                intervals.remove(1);
            }
            Some(meter) => test_park::silence(&park, &mut intervals, &mut entries, 1, meter),
        }
        let mut report = Allocation::new(test_park::scope(4), park, Arc::new(settlement()));
        report.push(&slots, &intervals, &entries);
        let whose = if missing.is_some() { "B" } else { "ledger" };
        let rows = cells(&csv(report.clone()));
        assert_eq!(rows[1]["A:local_kwh"], "");
        assert_eq!(rows[1]["reason"], format!("unknown: {whose}"));
        assert_eq!(
            (&*rows[1]["quality"], &*rows[1]["coverage_pct"]),
            ("missing", "0.00")
        );
        assert_eq!(rows[2]["A:local_kwh"], "20.000000");
        let total = &rows[4];
        assert_eq!(total["A:local_kwh"], "");
        assert_eq!(total["reason"], "1 of 4 intervals are unknown");
        assert_eq!(
            (&*total["quality"], &*total["coverage_pct"]),
            ("missing", "75.00")
        );
        let document = json(report);
        assert_eq!(
            document["rows"][1]["electricity"]["lines"]["A"]["local_kwh"],
            Json::Null
        );
        assert_eq!(document["rows"][1]["electricity"]["missing"][0], whose);
        assert_eq!(document["total"]["electricity"]["unknown_intervals"], 1);
        // The pool needs no tenant; without the whole interval it goes on as an estimate.
        let after = if missing.is_some() {
            "derived"
        } else {
            "estimated"
        };
        let worst = Quality::Derived.worst(Quality::Estimated).name();
        let expected = if missing.is_some() { after } else { worst };
        assert_eq!(rows[2]["green_quality"], expected);
        assert_eq!(
            document["battery"]["intervals_passed_over"],
            usize::from(missing.is_none())
        );
    }
}

#[test]
fn an_empty_report_has_no_total() {
    let rows = cells(&csv(report(&[])));
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&*rows[0]["shared_kwh"], &*rows[0]["quality"]),
        ("", "missing")
    );
}

#[test]
fn everyone_has_a_kilowatt_hour_of_the_units_that_the_test_means() {
    assert_eq!(MilliwattHours(KWH).to_kwh_string(), "1.000000");
}
