//! The web part through real HTTP: a made-up park behind a real server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::http::{Events, PATIENCE, ask, connect_from, exchange, get};
use crate::support::show_park::{self, Story};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sunledger::domain::interval::Interval;
use sunledger::web::{
    Frame, Health, IntervalSource, Limits, MeterNumbers, Numbers, Services, Settings, SinkNumbers,
    bind, serve,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
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
async fn a_stream_that_is_old_ends_so_that_the_page_opens_another() {
    let age = Duration::from_millis(200);
    let server = Server::start(Story::Fair, |settings| settings.limits.stream_age = age);
    let mut events = Events::open(loopback(1), server.address).await;
    events.until("0\r\n\r\n").await;
}

#[tokio::test]
async fn streams_are_said_goodbye_and_nobody_holds_up_the_end() {
    let server = Server::usual();
    let mut polite = Events::open(loopback(1), server.address).await;
    polite.until("event: ping").await;
    let reader = tokio::spawn(async move {
        polite.rest().await;
        polite.seen
    });
    let stalled = Events::open(loopback(2), server.address).await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    // Enough to fill every buffer between the server and a reader that does not read.
    for second in 0..400 {
        server.tick(second);
        sleep(Duration::from_millis(1)).await;
    }
    let took = server.end().await;
    let seen = reader.await.unwrap();
    assert!(seen.contains("retry: 5000\nevent: bye"));
    assert!(took < Duration::from_secs(2 * 5), "{took:?}");
    drop((stalled, idle));
}

#[tokio::test]
async fn half_a_header_is_hung_up_on() {
    let header = Duration::from_millis(500);
    let server = Server::start(Story::Fair, |settings| settings.limits.header = header);
    for sent in ["", "GET / HTTP/1.1\r\nHost: 127"] {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(sent.as_bytes()).await.unwrap();
        let started = Instant::now();
        let mut raw = Vec::new();
        let ended = timeout(PATIENCE, socket.read_to_end(&mut raw)).await;
        assert!(ended.is_ok(), "still open after {sent:?}");
        assert!(started.elapsed() >= header, "not before its time");
        assert!(started.elapsed() < header * 5, "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_crowd_of_silent_connections_keeps_nobody_out() {
    let server = Server::usual();
    let mut crowd = Vec::new();
    for place in 0..300_u16 {
        let source = loopback(u8::try_from(2 + place / 30).unwrap());
        crowd.push(connect_from(source, server.address).await);
    }
    let mut same: Vec<TcpStream> = Vec::new();
    for _ in 0..40 {
        same.push(connect_from(loopback(1), server.address).await);
    }
    let answer = timeout(Duration::from_secs(5), get(server.address, "/livez")).await;
    assert_eq!(answer.expect("in time").code, 200);
}

#[tokio::test]
async fn the_sixty_fifth_stream_is_asked_to_come_back() {
    let server = Server::usual();
    let mut streams = Vec::new();
    for place in 0..64_u8 {
        let source = loopback(2 + place / 30);
        streams.push(Events::open(source, server.address).await);
    }
    let refused = get(server.address, "/api/v1/live/stream").await;
    assert_eq!(refused.code, 503);
    assert_eq!(refused.header("retry-after"), Some("5"));
    assert_eq!(get(server.address, "/api/v1/live").await.code, 200);
    drop(streams.pop());
    let again = async {
        loop {
            let mut socket = TcpStream::connect(server.address).await.unwrap();
            let request = format!(
                "GET /api/v1/live/stream HTTP/1.1\r\nHost: {}\r\n\r\n",
                server.address
            );
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut start = [0; 12];
            socket.read_exact(&mut start).await.unwrap();
            if &start == b"HTTP/1.1 200" {
                return;
            }
            server.tick(1);
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, again)
        .await
        .expect("a place becomes free");
}

#[tokio::test]
async fn more_streams_than_one_address_may_have_are_turned_away() {
    let server = Server::start(Story::Fair, |settings| settings.limits.per_address = 4);
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(Events::open(loopback(9), server.address).await);
    }
    let mut fifth = connect_from(loopback(9), server.address).await;
    let mut said = String::new();
    let read = fifth.read_to_string(&mut said);
    timeout(PATIENCE, read).await.expect("hung up").unwrap();
    assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
    assert!(said.contains("retry-after: "), "{said}");
    assert_eq!(get(server.address, "/livez").await.code, 200);
}

#[tokio::test]
async fn everything_is_read_only() {
    let server = Server::usual();
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
    ] {
        for path in ["/", "/api/v1/live", "/nowhere"] {
            let answer = ask(server.address, method, path).await;
            assert_eq!(answer.code, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        }
    }
    let head = ask(server.address, "HEAD", "/api/v1/live").await;
    assert_eq!((head.code, head.body.len()), (200, 0));
}

#[tokio::test]
async fn a_request_with_a_body_or_an_endless_header_is_refused() {
    let server = Server::usual();
    let to = server.address;
    let body = format!("GET /livez HTTP/1.1\r\nHost: {to}\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(exchange(to, &body).await.code, 413);
    let long = format!(
        "GET /livez HTTP/1.1\r\nHost: {to}\r\nX: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    assert_eq!(exchange(to, &long).await.code, 431);
}

#[tokio::test]
async fn a_foreign_name_is_refused() {
    let server = Server::start(Story::Fair, |settings| {
        settings.hosts = vec!["edge.park.example".to_owned()];
    });
    let port = server.address.port();
    #[rustfmt::skip]
    let cases = [
        (format!("Host: 127.0.0.1:{port}\r\n"),                      200),
        (format!("Host: localhost:{port}\r\n"),                      200),
        ("Host: [::1]\r\n".to_owned(),                               200),
        ("Host: EDGE.park.example\r\n".to_owned(),                   200),
        (format!("Host: evil.example:{port}\r\n"),                   421),
        (format!("Host: 127.0.0.1.evil.example:{port}\r\n"),         421),
        ("Host: 192.168.7.7\r\n".to_owned(),                         421),
        ("Host:\r\n".to_owned(),                                     421),
        (String::new(),                                              421),
        ("Host: localhost\r\nHost: evil.example\r\n".to_owned(),     421),
    ];
    for (host, code) in cases {
        let request = format!("GET /api/v1/live HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        assert_eq!(
            exchange(server.address, &request).await.code,
            code,
            "{host}"
        );
    }
    let absolute = "GET http://evil.example/api/v1/live HTTP/1.1\r\nHost: localhost\r\n\
        Connection: close\r\n\r\n";
    assert_eq!(exchange(server.address, absolute).await.code, 421);
}

#[tokio::test]
async fn every_file_of_the_page_is_there_with_its_type_and_its_tag() {
    let server = Server::usual();
    for asset in sunledger::web::assets::ASSETS {
        let answer = get(server.address, asset.path).await;
        assert_eq!(answer.code, 200, "{}", asset.path);
        assert_eq!(answer.body, asset.bytes, "{}", asset.path);
        assert_eq!(answer.header("content-type"), Some(asset.mime));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let tag = answer.header("etag").unwrap().to_owned();
        for (known, code) in [(tag.as_str(), 304), ("\"other\"", 200), ("*", 304)] {
            let request = format!(
                "GET {} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: \"x\", {known}\r\n\
                 Connection: close\r\n\r\n",
                asset.path
            );
            let again = exchange(server.address, &request).await;
            assert_eq!(again.code, code, "{} {known}", asset.path);
            assert_eq!(again.body.is_empty(), code == 304);
        }
    }
    for path in [
        "/assets/",
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/x",
        "/index.php",
        "/assets/app.js/x",
    ] {
        assert_eq!(get(server.address, path).await.code, 404, "{path}");
    }
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
    assert_eq!(keys(export), ["coverage_pct", "missing", "quality", "wh"]);
    let wh = export["wh"].as_str().unwrap();
    assert_eq!(wh.split_once('.').unwrap().1.len(), 3, "{wh}");
    assert_eq!(export["coverage_pct"], 100.0);
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
        json!({"wh": null, "quality": "missing", "coverage_pct": 0.0, "missing": [show_park::SILENT]})
    );
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

/// A ledger that cannot be read.
struct Broken;

impl IntervalSource for Broken {
    fn intervals(&self, _: Timestamp, _: Timestamp) -> Result<Vec<Interval>, String> {
        Err("the ledger is damaged".to_owned())
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
                up: Some(true),
                reads: vec![("ok", 7), ("timeout", 0)],
                last_success_s: Some(1.5),
            },
            MeterNumbers {
                id: show_park::SILENT.into(),
                up: Some(false),
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

#[tokio::test]
async fn a_port_in_use_is_known_before_anything_is_served() {
    let server = Server::usual();
    let error = bind(&Settings::at(server.address)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn the_limits_are_those_that_the_documents_promise() {
    let limits = Limits::default();
    assert_eq!(
        (limits.connections, limits.per_address, limits.streams),
        (256, 32, 64)
    );
    assert_eq!(limits.header, Duration::from_secs(10));
    assert_eq!(limits.ping_every, Duration::from_secs(10));
    assert_eq!(limits.stream_age, Duration::from_secs(3_600));
    assert!(limits.drain <= Duration::from_secs(5));
}

/// Runs a program to its end; a program that is not there fails with the way to get it.
async fn run(program: &str, arguments: &[&str], variables: &[(&str, &str)]) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");
    let run = tokio::process::Command::new(program)
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(folder)
        .output();
    let output = match run.await {
        Err(error) => panic!("{program}: {error}; apt-get install -y nodejs npm chromium"),
        Ok(output) => output,
    };
    assert!(
        output.status.success(),
        "{program} {arguments:?}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_page_in_a_browser() {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser"));
    let chromium = "/usr/bin/chromium";
    assert!(
        std::path::Path::new(chromium).exists(),
        "no {chromium}; apt-get install -y nodejs npm chromium fonts-wqy-microhei"
    );
    if !folder.join("node_modules/playwright-core").exists() {
        run("npm", &["ci", "--no-audit", "--no-fund"], &[]).await;
    }
    let stories = [Story::Fair, Story::Gaps, Story::Night];
    let servers: Arc<Vec<Server>> =
        Arc::new(stories.map(|story| Server::start(story, |_| ())).into());
    let ticking = Arc::clone(&servers);
    let ticks = tokio::spawn(async move {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        for second in 0.. {
            seconds.tick().await;
            for server in ticking.iter() {
                server.tick(second);
            }
        }
    });
    let urls: Vec<String> = servers
        .iter()
        .map(|server| format!("http://{}", server.address))
        .collect();
    let pictures = concat!(env!("CARGO_MANIFEST_DIR"), "/target/screenshots");
    let variables = [
        ("FAIR_URL", urls[0].as_str()),
        ("GAPS_URL", urls[1].as_str()),
        ("NIGHT_URL", urls[2].as_str()),
        ("SCREENSHOTS", pictures),
    ];
    let arguments = ["--test", "pure.test.mjs", "page.test.mjs"];
    run("node", &arguments, &variables).await;
    let picture = format!("{pictures}/picture.png");
    run(
        "node",
        &["picture.mjs", urls[0].as_str(), picture.as_str()],
        &[],
    )
    .await;
    assert!(std::fs::metadata(picture).unwrap().len() > 50_000);
    ticks.abort();
}
