//! `report grid-export`: the books of a demo while it runs.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use sunledger::sys::clock::wall;

use crate::support::daemon::{Daemon, ask};
use crate::support::http::get;

const HEADER: &str = "start,end,import_kwh,export_kwh,generation_kwh,self_consumption_kwh,\
                      heat_supplied_kwh,quality,coverage_pct";
/// Columns of energy: in the report, and in the intervals.
const COLUMNS: [(&str, &str); 5] = [
    ("import_kwh", "import"),
    ("export_kwh", "export"),
    ("generation_kwh", "generation"),
    ("self_consumption_kwh", "self_consumption"),
    ("heat_supplied_kwh", "supplied"),
];
/// A day's last interval closes a minute after midnight, and a test may begin before.
const AROUND_MIDNIGHT: SignedDuration = SignedDuration::from_mins(3);

/// Yesterday in the park. Around its midnight yesterday is not settled, so the test
/// waits until it is: three minutes a day.
pub(super) async fn yesterday() -> String {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    loop {
        let date = |at: Timestamp| at.to_zoned_datetime(zone.clone()).date();
        let now = wall();
        let (before, after) = (date(now - AROUND_MIDNIGHT), date(now + AROUND_MIDNIGHT));
        if before == after {
            return before.yesterday().unwrap().to_string();
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

/// Milliwatt-hours in a number of exactly so many decimals.
pub fn mwh(text: &str, decimals: usize) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or_else(|| panic!("{text:?}"));
    assert_eq!(fraction.len(), decimals, "{text:?}");
    format!("{whole}{fraction}").parse().unwrap()
}

/// The cells of a CSV, row by row.
fn cells(csv: &str) -> Vec<Vec<&str>> {
    csv.lines().map(|line| line.split(',').collect()).collect()
}

#[tokio::test]
async fn a_day_is_told_alike_by_csv_json_and_the_api_while_the_daemon_runs() {
    let date = yesterday().await;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let demo = Daemon::demo(&["--data", data]).await;
    demo.until("the first tick", |live| live["seq"].as_i64() > Some(0))
        .await;
    let report = [
        "report",
        "grid-export",
        "--data",
        data,
        "--from",
        &date,
        "--to",
        &date,
    ];
    let csv = ask(&report).await;
    assert_eq!((csv.code, csv.err.as_str()), (Some(0), ""), "{csv:?}");
    let rows = cells(&csv.out);
    assert_eq!(rows[0].join(","), HEADER);
    assert_eq!(rows.len(), 1 + 96 + 1);

    let json = ask(&[&report[..], &["--json"]].concat()).await;
    assert_eq!((json.code, json.err.as_str()), (Some(0), ""), "{json:?}");
    let format = ask(&[&report[..], &["--format", "json"]].concat()).await;
    assert_eq!(format.out, json.out);
    let document = json.json();
    assert_eq!(
        (&document["from"], &document["to"]),
        (&Json::from(&*date), &Json::from(&*date))
    );
    let objects = document["rows"].as_array().unwrap();
    assert_eq!(objects.len(), 96);

    let api = get(
        demo.address,
        &format!("/api/v1/intervals?from={date}&to={date}"),
    )
    .await;
    let api = api.json();
    let intervals = api["intervals"].as_array().unwrap();
    assert_eq!(intervals.len(), 96);

    // The meter at the grid says what import and export are made of.
    let asked = format!("/api/v1/intervals?from={date}&to={date}&meter=pcc");
    let meter = get(demo.address, &asked).await.json();
    assert_eq!(meter["meter"], "pcc");
    let own = meter["intervals"].as_array().unwrap();
    assert_eq!(own.len(), 96);
    for (own, interval) in own.iter().zip(intervals) {
        assert_eq!(
            (&own["start"], &own["state"]),
            (&interval["start"], &"closed".into())
        );
        for (way, flow) in [
            ("electricity", "import"),
            ("electricity_other_way", "export"),
        ] {
            let (said, flow) = (&own["energies"][way], &interval["flows"][flow]);
            for key in ["wh", "quality", "letter", "coverage_pct", "provenance"] {
                assert_eq!(said[key], flow[key], "{} {way} {key}", own["start"]);
            }
            let wh = |key: &str| mwh(said[key].as_str().unwrap(), 3);
            assert_eq!(wh("closing_wh") - wh("opening_wh"), wh("wh"));
            assert_eq!(said["revision"], 1);
        }
    }
    let nobody = format!("/api/v1/intervals?from={date}&to={date}&meter=nobody");
    assert_eq!(get(demo.address, &nobody).await.code, 404);

    let mut sums = [0_i128; 5];
    let mut end_before = format!("{date}T00:00:00+08:00");
    for ((row, object), interval) in rows[1..97].iter().zip(objects).zip(intervals) {
        let (start, end) = (row[0], row[1]);
        assert_eq!(start, end_before);
        let length = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        assert_eq!(length(end) - length(start), 900, "{start}");
        assert!(
            start.ends_with("+08:00") && end.ends_with("+08:00"),
            "{start} {end}"
        );
        end_before = end.to_owned();
        for (place, (column, flow)) in COLUMNS.iter().enumerate() {
            let said = row[2 + place];
            sums[place] += mwh(said, 6);
            assert_eq!(object[*column], said, "{start} {column}");
            let wh = interval["flows"][*flow]["wh"].as_str().unwrap();
            assert_eq!(mwh(wh, 3), mwh(said, 6), "{start} {flow}");
        }
        for about in [object, interval] {
            assert_eq!(
                (&about["start"], &about["end"]),
                (&Json::from(start), &Json::from(end))
            );
        }
        assert_eq!(
            (object["quality"].as_str(), row[8]),
            (Some(row[7]), "100.00"),
            "{start}"
        );
        assert_eq!(object["coverage_pct"], 100.0, "{start}");
        assert_eq!(
            (&object["revision"], &interval["state"]),
            (&Json::from(1), &"closed".into())
        );
    }
    let total = &rows[97];
    assert_eq!((total[0], total[1]), ("total", ""));
    for (place, (column, _)) in COLUMNS.iter().enumerate() {
        assert_eq!(mwh(total[2 + place], 6), sums[place], "{column}");
        assert_eq!(document["total"][*column], total[2 + place], "{column}");
        assert!(sums[place] > 0, "{column}: the day of the park has some");
    }
    assert_eq!(document["total"]["intervals"], 96);
    assert_eq!(document["netting"], "registers");
    assert_eq!(document["netting_window_s"], Json::Null);
    assert_eq!(document["register_mode"], "unknown");
    assert_eq!(
        document["gaps"],
        serde_json::json!({"registers": "shaped", "integrals": "missing"})
    );
    let kpi = [
        "report", "kpi", "--data", data, "--from", &date, "--to", &date, "--json",
    ];
    let kpi = ask(&kpi).await;
    let indicators = kpi.json();
    let row = |name: &str| {
        let mut rows = indicators["indicators"].as_array().unwrap().iter();
        rows.find(|row| row["indicator"] == name).unwrap().clone()
    };
    let kwh = |name: &str| row(name)["value"].as_f64().unwrap();
    let ratio = kwh("self_consumption") / kwh("generation");
    assert!(
        (kwh("self_consumption_ratio") - ratio).abs() < 1e-6,
        "{indicators}"
    );
    for (name, column) in [("export", "export_kwh"), ("generation", "generation_kwh")] {
        let cell: f64 = document["total"][column].as_str().unwrap().parse().unwrap();
        assert!((kwh(name) - cell).abs() < 1e-6, "{name}");
    }
}

#[tokio::test]
async fn a_report_goes_to_a_file_or_says_why_not() {
    let date = yesterday().await;
    let books = super::books().await;
    let data = books.path().to_str().unwrap();
    let report = [
        "report",
        "grid-export",
        "--data",
        data,
        "--from",
        &date,
        "--to",
        &date,
    ];
    let shown = ask(&report).await;
    let dir = tempfile::tempdir().unwrap();
    let file = super::write(
        dir.path(),
        "report.csv",
        &"what was there before\n".repeat(1_000),
    );
    let written = ask(&[&report[..], &["--out", &file]].concat()).await;
    assert_eq!(
        (written.code, written.out.as_str(), written.err.as_str()),
        (Some(0), "", "")
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), shown.out);
    for nowhere in [format!("{file}/below"), "/dev/full".to_owned()] {
        let said = ask(&[&report[..], &["--out", &nowhere]].concat()).await;
        said.must_say(74, &[&nowhere]);
    }
    // The configuration leads to the same books.
    let config = super::write(
        dir.path(),
        "demo.toml",
        &super::park("demo", books.path(), ""),
    );
    let by_config = ask(&[
        "report",
        "grid-export",
        "--config",
        &config,
        "--from",
        &date,
        "--to",
        &date,
    ])
    .await;
    assert_eq!(by_config.out, shown.out);
}

#[tokio::test]
async fn what_is_not_kept_is_empty_and_a_period_without_anything_names_the_one_there_is() {
    let date = yesterday().await;
    let books = super::books().await;
    let data = books.path().to_str().unwrap();
    let report = async |from: &str, to: &str| {
        ask(&[
            "report",
            "grid-export",
            "--data",
            data,
            "--from",
            from,
            "--to",
            to,
        ])
        .await
    };
    for (from, to) in [("2020-01-01", "2020-01-31"), ("2100-01-01", "2100-01-01")] {
        let said = report(from, to).await;
        let asked = format!("none from {from} to {to}");
        said.must_say(64, &["the ledger has intervals from 20", "+08:00", &asked]);
        assert_eq!(said.out, "");
    }
    // Days of which the books know nothing or the end: empty cells, no total, a count.
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let first: jiff::civil::Date = date.parse().unwrap();
    let first = first.yesterday().unwrap().yesterday().unwrap().to_string();
    let said = report(&first, &date).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let rows = cells(&said.out);
    assert_eq!(rows.len(), 1 + 3 * 96 + 1);
    assert_eq!(rows[1][2..], ["", "", "", "", "", "missing", "0.00"]);
    assert_eq!(rows[rows.len() - 1][2..8], ["", "", "", "", "", "missing"]);
    let json = ask(&[
        "report",
        "grid-export",
        "--data",
        data,
        "--from",
        &first,
        "--to",
        &date,
        "--json",
    ])
    .await;
    let document = json.json();
    assert_eq!(document["rows"][0]["export_kwh"], Json::Null);
    assert_eq!(document["total"]["export_kwh"], Json::Null);
    let empty = rows[1..rows.len() - 1]
        .iter()
        .filter(|row| row[3].is_empty())
        .count();
    assert_eq!(document["total"]["unknown_intervals"]["export_kwh"], empty);

    // Today ends with the last interval that is over.
    let today = wall().to_zoned_datetime(zone).date().to_string();
    let said = report(&date, &today).await;
    let rows = cells(&said.out);
    let last: Timestamp = rows[rows.len() - 2][1].parse().unwrap();
    assert!(last <= wall(), "{last}");
}

#[tokio::test]
async fn a_period_of_ages_is_refused_before_it_fills_the_memory() {
    let books = super::books().await;
    let data = books.path().to_str().unwrap();
    let said = ask(&[
        "report",
        "grid-export",
        "--data",
        data,
        "--from",
        "0001-01-01",
        "--to",
        "9999-12-30",
    ])
    .await;
    said.must_say(64, &["at most", "the ledger has intervals from 20"]);
}
