//! The web part through real HTTP: a made-up park behind a real server.

mod closure;
mod findings;
mod limits;
mod page;
mod plant;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::http::{Events, PATIENCE, get};
use crate::support::show_park::{self, Story};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sunledger::domain::interval::Interval;
use sunledger::web::{
    Frame, Health, IntervalSource, MeterNumbers, Numbers, Services, Settings, SinkNumbers, bind,
    serve,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// A server of a made-up park.
struct Server {
    story: Story,
    address: SocketAddr,
    frames: watch::Sender<Arc<Frame>>,
    health: Arc<Mutex<Health>>,
    numbers: Arc<Mutex<Numbers>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    fn start(story: Story, change: impl FnOnce(&mut Settings)) -> Self {
        let ledger = show_park::intervals(story, show_park::at(), show_park::hour(story));
        Self::start_with(story, Arc::new(show_park::Ledger(ledger)), change)
    }

    fn start_with(
        story: Story,
        intervals: Arc<dyn IntervalSource>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = Settings::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        change(&mut settings);
        let first = show_park::frame(story, show_park::at(), show_park::hour(story));
        let (frames, live) = watch::channel(first);
        let health: Arc<Mutex<Health>> = Arc::default();
        let numbers: Arc<Mutex<Numbers>> = Arc::default();
        let (asked, counted) = (Arc::clone(&health), Arc::clone(&numbers));
        let services = Services {
            place: show_park::place(),
            live,
            intervals,
            health: Box::new(move || asked.lock().unwrap().clone()),
            numbers: Box::new(move || counted.lock().unwrap().clone()),
            now: show_park::at,
        };
        let listener = bind(&settings).unwrap();
        let address = listener.address().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, services, stop.clone()));
        Self {
            story,
            address,
            frames,
            health,
            numbers,
            stop,
            task,
        }
    }

    fn usual() -> Self {
        Self::start(Story::Fair, |_| ())
    }

    /// The next second, told.
    fn tick(&self, seconds: i64) -> Arc<Frame> {
        let now = show_park::at() + SignedDuration::from_secs(seconds);
        let frame = show_park::frame(self.story, now, show_park::hour(self.story));
        self.frames.send_replace(Arc::clone(&frame));
        frame
    }

    /// Stops it and tells how long that took.
    async fn end(self) -> Duration {
        let started = Instant::now();
        self.stop.cancel();
        timeout(PATIENCE, self.task)
            .await
            .expect("it ends")
            .unwrap();
        started.elapsed()
    }
}

fn loopback(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, last])
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

const ELECTRICITY: &[&str] = &[
    "battery_charge",
    "battery_discharge",
    "export",
    "generation",
    "import",
    "load",
    "losses",
    "residual",
    "self_consumption",
];
const HEAT: &[&str] = &[
    "boilers",
    "electric_boiler",
    "heat_pump",
    "losses",
    "residual",
    "solar_field",
    "storage_charge",
    "storage_discharge",
    "supplied",
    "to_power",
];

#[tokio::test]
async fn the_live_json_has_the_names_that_others_rely_on() {
    let server = Server::usual();
    let answer = get(server.address, "/api/v1/live").await;
    assert_eq!(answer.code, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let live = answer.json();
    assert_eq!(live["park"], "fanshi");
    assert_eq!(live["at"], show_park::AT);
    assert_eq!(live["stored_until"], "2026-06-03T14:32:06+08:00");
    assert_eq!(live["clock"], "trusted");
    assert_eq!(keys(&live["electricity"]), ELECTRICITY);
    assert_eq!(keys(&live["heat"]), HEAT);
    for carrier in ["electricity", "heat"] {
        for (name, flow) in live[carrier].as_object().unwrap() {
            assert_eq!(keys(flow), ["age_s", "gaps", "quality", "w"], "{name}");
        }
    }
    let export = &live["electricity"]["export"];
    assert!(export["w"].as_f64().unwrap() > 0.0);
    let fed = |name: &str| live["attribution"]["w"][name].as_f64().unwrap();
    let off = fed("generation_to_grid") + fed("battery_to_grid") - export["w"].as_f64().unwrap();
    assert!(off.abs() < 1e-6, "{off}");
    assert_eq!(live["attribution"]["quality"], "good");
    assert_eq!(live["attribution"]["w"].as_object().unwrap().len(), 7);
    assert_eq!(export["age_s"], 0.6);
    assert_eq!(export["quality"], "good");
    assert_eq!(export["gaps"], json!([]));
    assert_eq!(live["ratios"]["self_consumption"], 0.862);
    assert_eq!(live["ratios"]["solar_fraction"], 0.94);
    let meter = &live["meters"][0];
    assert_eq!(meter["id"], "pcc");
    assert_eq!(meter["role"], "grid");
    assert_eq!(meter["quality"], "good");
    assert_eq!(meter["last_error"], Value::Null);
    assert!(meter["power_w"].as_f64().unwrap() < 0.0, "signs are kept");
    let sink = &live["sinks"][0];
    assert_eq!(sink["name"], "local");
    assert_eq!(sink["backlog_points"], 0);
    assert_eq!(sink["oldest"], Value::Null);
    assert_eq!(sink["last_ok"], "2026-06-03T14:32:06+08:00");
}

#[tokio::test]
async fn a_silent_meter_is_null_with_its_gap_and_never_zero() {
    let server = Server::start(Story::Gaps, |_| ());
    let live = get(server.address, "/api/v1/live").await.json();
    for name in ["generation", "load", "self_consumption", "residual"] {
        let flow = &live["electricity"][name];
        let gap = json!([{"meter": show_park::SILENT, "reason": "timeout"}]);
        assert_eq!(flow["w"], Value::Null, "{name}");
        assert_eq!(flow["quality"], "missing", "{name}");
        assert_eq!(flow["age_s"], Value::Null, "{name}");
        assert_eq!(flow["gaps"], gap, "{name}");
    }
    assert!(live["electricity"]["export"]["w"].as_f64().unwrap() > 0.0);
    let gap = json!([{"meter": show_park::SILENT, "reason": "timeout"}]);
    assert_eq!(live["attribution"]["gaps"], gap);
    assert_eq!(live["attribution"]["w"]["grid_to_load"], Value::Null);
    assert_eq!(live["ratios"]["self_sufficiency"], Value::Null);
    let meters = live["meters"].as_array().unwrap();
    let silent = meters.iter().find(|meter| meter["id"] == show_park::SILENT);
    let silent = silent.unwrap();
    assert_eq!(silent["power_w"], Value::Null);
    assert_eq!(silent["age_s"], 192.4);
    assert!(silent["last_error"].as_str().unwrap().contains("no answer"));
}

#[tokio::test]
async fn a_negative_solar_field_is_shown_as_it_is() {
    let server = Server::start(Story::Night, |_| ());
    let live = get(server.address, "/api/v1/live").await.json();
    assert!(live["heat"]["solar_field"]["w"].as_f64().unwrap() < 0.0);
}

#[tokio::test]
async fn a_frame_is_serialised_once_and_only_when_somebody_looks() {
    let server = Server::usual();
    let unseen = server.tick(1);
    sleep(Duration::from_millis(50)).await;
    assert!(!unseen.is_serialised());
    let one = get(server.address, "/api/v1/live").await;
    let two = get(server.address, "/api/v1/live").await;
    assert_eq!(one.body, two.body);
    assert_eq!(unseen.json().as_ptr(), unseen.json().as_ptr());
}

#[tokio::test]
async fn the_stream_begins_with_the_whole_view_and_says_the_time() {
    let every = Duration::from_millis(100);
    let server = Server::start(Story::Fair, |settings| settings.limits.ping_every = every);
    let mut events = Events::open(loopback(1), server.address).await;
    events.until_times("event: ping", 3).await;
    let next = server.tick(1);
    events.until_times("event: live", 2).await;
    events.until_times("event: ping", 6).await;
    for header in ["text/event-stream", "x-accel-buffering: no", "no-store"] {
        assert!(events.seen.contains(header), "{header}");
    }
    assert!(events.seen.contains("retry: 3000\nevent: live"));
    let told = events.events();
    assert_eq!(told[0].0, "live");
    let first: Value = serde_json::from_str(&told[0].1).unwrap();
    assert_eq!(first["at"], show_park::AT);
    let (_, ping) = told.iter().find(|(name, _)| name == "ping").unwrap();
    let ping: Value = serde_json::from_str(ping).unwrap();
    assert_eq!(ping["time"], show_park::AT);
    assert_eq!(ping["version"], env!("CARGO_PKG_VERSION"));
    let lives: Vec<_> = told.iter().filter(|(name, _)| name == "live").collect();
    assert_eq!(lives[1].1.as_bytes(), next.json());
}

#[tokio::test]
async fn the_day_is_its_closed_intervals_and_the_running_one() {
    let server = Server::usual();
    let path = "/api/v1/intervals?from=2026-06-03&to=2026-06-03";
    let answer = get(server.address, path).await.json();
    assert_eq!(answer["park"], "fanshi");
    assert_eq!(answer["time_zone"], "Asia/Shanghai");
    assert_eq!(answer["from"], "2026-06-03T00:00:00+08:00");
    assert_eq!(answer["to"], "2026-06-04T00:00:00+08:00");
    let intervals = answer["intervals"].as_array().unwrap();
    assert_eq!(intervals.len(), 59);
    assert_eq!(intervals[0]["start"], "2026-06-03T00:00:00+08:00");
    assert_eq!(intervals[0]["end"], "2026-06-03T00:15:00+08:00");
    assert_eq!(intervals[0]["state"], "closed");
    assert_eq!(intervals[0]["revision"], 1);
    assert_eq!(intervals[58]["state"], "open");
    assert_eq!(intervals[58]["start"], "2026-06-03T14:30:00+08:00");
    let flows = &intervals[40]["flows"];
    let mut names: Vec<_> = sunledger::domain::flow::FLOWS
        .iter()
        .map(|row| row.name)
        .collect();
    names.sort_unstable();
    assert_eq!(keys(flows), names);
    let export = &flows["export"];
    assert_eq!(
        keys(export),
        [
            "coverage_pct",
            "letter",
            "methods",
            "missing",
            "provenance",
            "quality",
            "wh"
        ]
    );
    assert_eq!(export["provenance"], json!(["register", "estimated"]));
    assert_eq!(export["methods"], json!(["like_day"]));
    let wh = export["wh"].as_str().unwrap();
    assert_eq!(wh.split_once('.').unwrap().1.len(), 3, "{wh}");
    assert_eq!(export["coverage_pct"], 100.0);
    let names = |value: &Value| {
        let mut names = keys(value);
        names.sort_unstable();
        names
    };
    let attribution = &intervals[40]["attribution"];
    assert_eq!(
        names(attribution),
        ["coverage_pct", "missing", "quality", "wh"]
    );
    let milli = |wh: &Value| {
        wh.as_str()
            .unwrap()
            .replace('.', "")
            .parse::<i64>()
            .unwrap()
    };
    let fed = |name: &str| milli(&attribution["wh"][name]);
    let own = milli(&flows["generation"]["wh"]) - milli(&flows["self_consumption"]["wh"]);
    assert_eq!(fed("generation_to_grid"), own);
    let path = "/api/v1/intervals?from=2026-06-03T14:00:00%2B08:00&to=2026-06-03T14:30:00%2B08:00";
    let answer = get(server.address, path).await.json();
    assert_eq!(answer["intervals"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_unknown_energy_is_null_and_names_the_meters() {
    let server = Server::start(Story::Gaps, |_| ());
    let path = "/api/v1/intervals?from=2026-06-03T09:00:00%2B08:00&to=2026-06-03T09:15:00%2B08:00";
    let answer = get(server.address, path).await.json();
    let flow = &answer["intervals"][0]["flows"]["generation"];
    assert_eq!(
        *flow,
        json!({"wh": null, "quality": "missing", "letter": "N", "coverage_pct": 0.0, "missing": [show_park::SILENT], "provenance": []})
    );
    let attribution = &answer["intervals"][0]["attribution"];
    assert_eq!(attribution["missing"], json!([show_park::SILENT]));
    for (name, wh) in attribution["wh"].as_object().unwrap() {
        assert_eq!(*wh, Value::Null, "{name}");
    }
}

#[tokio::test]
async fn a_bad_question_is_answered_with_what_would_be_right() {
    let server = Server::usual();
    for query in [
        "",
        "?from=2026-06-03",
        "?to=2026-06-03",
        "?from=2026-06-03&to=2026-06-02",
        "?from=2026-06-31&to=2026-07-01",
        "?from=yesterday&to=today",
        "?from=2026-01-01&to=2026-12-31",
        "?from=2020-01-01&to=2026-12-31",
        "?from=-009999-01-01&to=9999-12-31",
        "?from=2026-06-03&to=2026-06-03&flow=export",
        "?from=%FF&to=2026-06-03",
    ] {
        let answer = get(server.address, &format!("/api/v1/intervals{query}")).await;
        assert_eq!(answer.code, 400, "{query}");
        let problem = answer.json();
        assert_eq!(keys(&problem), ["error", "remedy"], "{query}");
        assert!(!problem["error"].as_str().unwrap().is_empty());
        assert!(!problem["remedy"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_meter_that_there_is_not_has_no_intervals() {
    let server = Server::usual();
    let path = "/api/v1/intervals?from=2026-06-03&to=2026-06-03&meter=nobody";
    let answer = get(server.address, path).await;
    assert_eq!(answer.code, 404);
    assert_eq!(answer.json()["error"], "no meter is called \"nobody\"");
}

/// A ledger that cannot be read.
struct Broken;

impl IntervalSource for Broken {
    fn intervals(&self, _: Timestamp, _: Timestamp) -> Result<Vec<Interval>, String> {
        Err("the ledger is damaged".to_owned())
    }

    fn report(
        &self,
        name: &'static str,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Result<String, &'static str>, String> {
        match name {
            "carbon" => Ok(Err("there is no [carbon]; add it")),
            _ => Err("the ledger is damaged".to_owned()),
        }
    }
}

#[tokio::test]
async fn a_report_that_there_is_not_is_not_found_and_a_bad_question_is_refused() {
    let server = Server::start_with(Story::Fair, Arc::new(Broken), |_| ());
    let day = "?from=2026-06-03&to=2026-06-03";
    let answer = get(server.address, &format!("/api/v1/carbon{day}")).await;
    assert_eq!(answer.code, 404);
    let told = json!({"error": "there is no [carbon]", "remedy": "add it"});
    assert_eq!(answer.json(), told);
    let answer = get(server.address, &format!("/api/v1/allocation{day}")).await;
    assert_eq!(answer.code, 500);
    assert_eq!(answer.json()["error"], "the ledger is damaged");
    for name in ["allocation", "carbon"] {
        for query in [
            "",
            "?from=2026-06-03&to=2026-06-02",
            "?from=2026-01-01&to=2026-12-31",
        ] {
            let answer = get(server.address, &format!("/api/v1/{name}{query}")).await;
            assert_eq!(answer.code, 400, "{name}{query}");
            assert_eq!(keys(&answer.json()), ["error", "remedy"], "{name}{query}");
        }
    }
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_is_an_error_and_not_an_empty_day() {
    let server = Server::start_with(Story::Fair, Arc::new(Broken), |_| ());
    let path = "/api/v1/intervals?from=2026-06-03&to=2026-06-03";
    let answer = get(server.address, path).await;
    assert_eq!(answer.code, 500);
    assert_eq!(answer.json()["error"], "the ledger is damaged");
}

#[tokio::test]
async fn readiness_is_polling_and_persisting() {
    let server = Server::usual();
    let say = |unready: &[&str], degraded: &[&str]| {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        *server.health.lock().unwrap() = Health {
            unready: own(unready),
            degraded: own(degraded),
        };
    };
    let cases: [(&[&str], &[&str], u16, &str); 3] = [
        (&[], &[], 200, "ready"),
        (&[], &["sink local is down"], 200, "degraded"),
        (
            &["the disk is full"],
            &["sink local is down"],
            503,
            "unready",
        ),
    ];
    for (unready, degraded, code, status) in cases {
        say(unready, degraded);
        let answer = get(server.address, "/readyz").await;
        assert_eq!(answer.code, code, "{status}");
        assert_eq!(answer.json()["status"], status);
        let reasons = answer.json()["reasons"].as_array().unwrap().len();
        assert_eq!(reasons, unready.len() + degraded.len());
        assert_eq!(get(server.address, "/livez").await.code, 200);
    }
}

fn is_metric_line(line: &str) -> bool {
    let (series, value) = line.rsplit_once(' ').unwrap_or((line, ""));
    let name = series.split('{').next().unwrap_or_default();
    let labels = series.strip_prefix(name).unwrap_or_default();
    name.starts_with("sunledger_")
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && (labels.is_empty() || (labels.starts_with('{') && labels.ends_with("\"}")))
        && value.parse::<f64>().is_ok_and(f64::is_finite)
}

#[tokio::test]
async fn metrics_can_be_parsed_and_leave_out_what_is_not_known() {
    let server = Server::start(Story::Gaps, |_| ());
    *server.numbers.lock().unwrap() = Numbers {
        revision: Some("abc\"def\n".to_owned()),
        meters: vec![
            MeterNumbers {
                id: "pcc".into(),
                reads: vec![("ok", 7), ("timeout", 0)],
                last_success_s: Some(1.5),
            },
            MeterNumbers {
                id: show_park::SILENT.into(),
                ..MeterNumbers::default()
            },
        ],
        sinks: vec![SinkNumbers {
            name: "local".to_owned(),
            requests: vec![("204".to_owned(), 3)],
            ..SinkNumbers::default()
        }],
        journal_bytes: Some(4096),
        ..Numbers::default()
    };
    let answer = get(server.address, "/metrics").await;
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"));
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    for line in &samples {
        assert!(is_metric_line(line), "{line}");
    }
    for line in [
        "sunledger_meter_up{meter=\"pcc\"} 1.0",
        "sunledger_meter_up{meter=\"pv-south\"} 0.0",
        "sunledger_meter_reads_total{meter=\"pcc\",result=\"ok\"} 7",
        "sunledger_sink_requests_total{sink=\"local\",code=\"204\"} 3",
        "sunledger_journal_bytes 4096.0",
        "sunledger_solar_fraction_ratio 0.94",
        "sunledger_sse_clients 0.0",
        "sunledger_meter_up{meter=\"pcc\"} 1.0",
    ] {
        assert!(samples.contains(&line), "{line}\n{text}");
    }
    let about = |start: &str| samples.iter().any(|line| line.starts_with(start));
    assert!(about("sunledger_build_info{"));
    assert!(about("sunledger_power_watts{flow=\"export\"}"));
    assert!(about("sunledger_balance_residual_watts{domain=\"heat\"}"));
    for unknown in [
        "sunledger_power_watts{flow=\"generation\"}",
        "sunledger_power_watts{flow=\"load\"}",
        "sunledger_balance_residual_watts{domain=\"electricity\"}",
        "sunledger_self_consumption_ratio",
        "sunledger_journal_oldest_timestamp_seconds",
        "sunledger_journal_dropped_points",
        "sunledger_sink_last_success_timestamp_seconds",
        "sunledger_meter_reads_total{meter=\"pv-south\"",
    ] {
        assert!(!about(unknown), "{unknown} is not known\n{text}");
    }
}
