//! `sunledger status`: what a running daemon sees now, for a terminal.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value as Json;

use super::{Failure, UNAVAILABLE, USAGE, print};
use crate::config::read::list;
use crate::domain::flow::FLOWS;
use crate::domain::meter::Carrier;

/// How long the daemon may take to answer; it answers from memory.
const TIMEOUT: Duration = Duration::from_secs(5);
/// More than any live document.
const MOST_BYTES: u64 = 16 << 20;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where the daemon serves its page
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Print the JSON of /api/v1/live
    #[arg(long)]
    json: bool,
}

/// Asks a daemon.
///
/// # Errors
///
/// [`UNAVAILABLE`] where none answers.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let body = fetch(&arguments.url)?;
    if arguments.json {
        return print(&format!("{}\n", body.trim_end()));
    }
    let live: Json = serde_json::from_str(&body).map_err(|_| {
        Failure::new(
            UNAVAILABLE,
            format!("{} answers, and not as Sunledger does", arguments.url),
        )
    })?;
    print(&table(&live))
}

fn fetch(url: &str) -> Result<String, Failure> {
    let usage = || {
        Failure::new(
            USAGE,
            format!("`{url}` is not an address such as http://127.0.0.1:8080"),
        )
    };
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(usage)?
        .trim_end_matches('/');
    let (host, path) = rest
        .split_once('/')
        .map_or((rest, String::new()), |(host, path)| {
            (host, format!("/{path}"))
        });
    let address = if host
        .rsplit(':')
        .next()
        .is_some_and(|port| port.parse::<u16>().is_ok())
    {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let unavailable = |error: std::io::Error| {
        Failure::new(
            UNAVAILABLE,
            format!(
                "no daemon answers at {url}: {error}; is it running, and is this its [web] listen address?"
            ),
        )
    };
    let mut addresses = address.to_socket_addrs().map_err(unavailable)?;
    let socket = addresses.next().ok_or_else(usage)?;
    let mut stream = TcpStream::connect_timeout(&socket, TIMEOUT).map_err(unavailable)?;
    let timeouts = stream
        .set_read_timeout(Some(TIMEOUT))
        .and_then(|()| stream.set_write_timeout(Some(TIMEOUT)));
    timeouts.map_err(unavailable)?;
    let request = format!(
        "GET {path}/api/v1/live HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).map_err(unavailable)?;
    let mut answer = String::new();
    stream
        .take(MOST_BYTES)
        .read_to_string(&mut answer)
        .map_err(unavailable)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(Failure::new(
            UNAVAILABLE,
            format!("{url} answers `{status}`"),
        ));
    }
    Ok(body.to_owned())
}

/// The live document as text.
fn table(live: &Json) -> String {
    let text = |value: &Json| value.as_str().unwrap_or("--").to_owned();
    let mut out = format!(
        "park {}  at {}  stored until {}\n",
        text(&live["park"]),
        text(&live["at"]),
        text(&live["stored_until"])
    );
    if live["clock"] == "untrusted" {
        out.push_str("the clock is not trusted: readings are held until it is\n");
    }
    for (title, carrier) in [
        ("electricity", Carrier::Electricity),
        ("heat", Carrier::Heat),
    ] {
        out.push_str(&format!("\n{title}\n"));
        for row in FLOWS.iter().filter(|row| row.carrier == carrier) {
            let flow = live[title]
                .get(row.live)
                .map_or_else(|| flow_text(&Json::Null), flow_text);
            out.push_str(&format!("  {:<20} {flow}\n", row.live));
        }
    }
    out.push_str(&format!("\n{}", books(&live["closure"])));
    out.push_str(&late(&live["late"]));
    out.push_str("\nmeters\n");
    for meter in live["meters"].as_array().into_iter().flatten() {
        let power = meter["power_w"].as_f64().map_or("--".to_owned(), kilowatts);
        let age = meter["age_s"]
            .as_f64()
            .map_or(String::new(), |age| format!("{age:.1} s"));
        let why = ["last_error", "reason"];
        let error = why.iter().find_map(|key| meter[key].as_str());
        let error = error.or_else(|| meter["notes"].as_array()?.first()?.as_str());
        let error = error.unwrap_or_default();
        out.push_str(&format!(
            "  {:<20} {:<16} {power:>14}  {:<12} {age:>9}",
            text(&meter["id"]),
            text(&meter["role"]),
            text(&meter["quality"])
        ));
        line_end(&mut out, error);
    }
    for sink in live["sinks"].as_array().into_iter().flatten() {
        out.push_str(&format!(
            "\nsink {}: {} points wait, last delivery {}",
            text(&sink["name"]),
            sink["backlog_points"],
            text(&sink["last_ok"])
        ));
        line_end(&mut out, sink["last_error"].as_str().unwrap_or_default());
    }
    out
}

/// What became of readings that came too late; nothing where none did.
fn late(late: &Json) -> String {
    if late.is_null() {
        return String::new();
    }
    let mut parts = Vec::new();
    if late["waiting_intervals"] != 0 {
        let waiting = &late["waiting_intervals"];
        parts.push(format!("{waiting} intervals wait to be computed again"));
    }
    if let Some(last) = late["last"].as_str() {
        let made = &late["revisions"];
        parts.push(format!("{made} revisions made, computed last at {last}"));
    }
    if let Some(error) = late["last_error"].as_str() {
        parts.push(format!("not computed: {error}"));
    }
    format!("late readings: {}\n", parts.join("; "))
}

/// Whether the books close: one line, and one for each drifting counter and group of
/// suspects.
fn books(closure: &Json) -> String {
    let list_of = |key: &str| closure[key].as_array().map_or(&[][..], Vec::as_slice);
    let word = |value: &Json| value.as_str().unwrap_or("--").to_owned();
    let kwh = |value: &Json| value.as_f64().map(|wh| format!("{:.3} kWh", wh / 1_000.0));
    let mut parts = Vec::new();
    let mut closes = Vec::new();
    for node in list_of("nodes") {
        let name = word(&node["node"]);
        let residual = kwh(&node["residual_wh"]).unwrap_or_else(|| "--".to_owned());
        let u = kwh(&node["uncertainty_wh"]).unwrap_or_else(|| "--".to_owned());
        let since = word(&node["since"]);
        match node["state"].as_str() {
            Some("closes") => closes.push(name),
            Some("does_not_close") => parts.push(format!(
                "{name} does not close, residual {residual} ± {u} since {since}"
            )),
            Some("doubtful") => parts.push(format!(
                "{name} is doubtful, residual {residual} ± {u} in the last interval"
            )),
            Some(_) if node["standing"] == true => {
                parts.push(format!("{name} did not close when it was judged last"))
            }
            Some(_) => {
                let missing = node["missing"].as_array().into_iter().flatten();
                let needs =
                    missing.map(|gap| format!("{}: {}", word(&gap["meter"]), word(&gap["reason"])));
                let needs: Vec<String> = needs.collect();
                let why = if needs.is_empty() {
                    word(&node["why"])
                } else {
                    format!("needs {}", list(needs.into_iter()))
                };
                parts.push(format!("{name} cannot be judged, {why}"));
            }
            None => {}
        }
    }
    let mut out = match (parts.is_empty(), closes.is_empty()) {
        (true, false) => "books: close\n".to_owned(),
        (true, true) => "books: not judged yet\n".to_owned(),
        (false, _) => {
            let closes = closes.iter().map(|name| format!("{name} closes"));
            let all: Vec<String> = closes.chain(parts).collect();
            format!("books: {}\n", all.join("; "))
        }
    };
    let groups = closure.pointer("/reconciliation/suspects");
    for group in groups.and_then(Json::as_array).into_iter().flatten() {
        let meters = group["meters"].as_array().into_iter().flatten();
        let meters = meters.map(|one| word(&one["meter"]));
        out.push_str(&format!(
            "suspects: {}\n",
            list(meters.collect::<Vec<_>>().into_iter())
        ));
    }
    for drift in list_of("drift") {
        let level = word(&drift["level"]);
        if level == "warn" || level == "alarm" {
            let pct = |day: &str| {
                let pct = drift.get(day).and_then(|sums| sums["drift_pct"].as_f64());
                pct.map_or("--".to_owned(), |pct| format!("{pct:+.2} %"))
            };
            out.push_str(&format!(
                "drift of {} ({}): {} today, {} yesterday ({level})\n",
                word(&drift["meter"]),
                word(&drift["counter"]),
                pct("today"),
                pct("yesterday")
            ));
        }
    }
    out
}

/// Ends a line with what went wrong, if anything did.
fn line_end(out: &mut String, error: &str) {
    if !error.is_empty() {
        out.push_str("  ");
        out.push_str(error);
    }
    out.push('\n');
}

/// Watts as kilowatts. What rounds to nothing has no sign.
fn kilowatts(watts: f64) -> String {
    let text = format!("{:.3}", watts / 1_000.0);
    let text = if text == "-0.000" { "0.000" } else { &text };
    format!("{text} kW")
}

fn flow_text(flow: &Json) -> String {
    if let Some(watts) = flow["w"].as_f64() {
        let quality = flow["quality"].as_str().unwrap_or("good");
        let mark = if quality == "good" {
            String::new()
        } else {
            format!("  {quality}")
        };
        return format!("{:>14}{mark}", kilowatts(watts));
    }
    let gaps = flow["gaps"].as_array().into_iter().flatten();
    let (silent, absent): (Vec<&Json>, Vec<&Json>) =
        gaps.partition(|gap| gap["meter"].as_str().is_some_and(|meter| !meter.is_empty()));
    let mut why = Vec::new();
    if !silent.is_empty() {
        let needs = silent.iter().map(|gap| {
            let word = |key: &str| gap[key].as_str().unwrap_or("?");
            format!("{}: {}", word("meter"), word("reason"))
        });
        why.push(format!("needs {}", list(needs)));
    }
    if !absent.is_empty() {
        why.push("no meter is configured".to_owned());
    }
    if why.is_empty() {
        why.push("the daemon does not say why".to_owned());
    }
    format!("{:>14}  {}", "--", why.join("; "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_line_says_whether_the_books_close_and_what_does_not() {
        let node = |name: &str, state: &str| {
            json!({"node": name, "state": state, "residual_wh": 8_400.0,
                   "uncertainty_wh": 2_000.0, "since": "10:00", "standing": false,
                   "missing": [], "why": "what is lost on the way has no meter"})
        };
        let mut silent = node("heat", "cannot_be_judged");
        silent["missing"] = json!([{"meter": "boiler", "reason": "timeout"}]);
        let mut stood = silent.clone();
        stood["standing"] = json!(true);
        let new = json!({"node": "heat", "state": null});
        #[rustfmt::skip]
        let cases = [
            (vec![],                                  "books: not judged yet\n"),
            (vec![new],                               "books: not judged yet\n"),
            (vec![node("heat", "closes")],            "books: close\n"),
            (vec![node("heat", "does_not_close")],    "books: heat does not close, residual 8.400 kWh ± 2.000 kWh since 10:00\n"),
            (vec![node("heat", "doubtful")],          "books: heat is doubtful, residual 8.400 kWh ± 2.000 kWh in the last interval\n"),
            (vec![silent],                            "books: heat cannot be judged, needs boiler: timeout\n"),
            (vec![stood],                             "books: heat did not close when it was judged last\n"),
            (vec![node("electricity", "closes"), node("heat network", "cannot_be_judged")],
             "books: electricity closes; heat network cannot be judged, what is lost on the way has no meter\n"),
        ];
        for (nodes, expected) in cases {
            assert_eq!(books(&json!({"nodes": nodes})), expected);
        }
        assert_eq!(books(&Json::Null), "books: not judged yet\n");
    }

    #[test]
    fn late_readings_say_what_waits_and_what_was_made_of_them() {
        let told = |waiting: u64, last: Json, error: Json| json!({"waiting_intervals": waiting, "revisions": 2, "last": last, "last_error": error});
        #[rustfmt::skip]
        let cases = [
            (Json::Null,                                  ""),
            (told(3, Json::Null, Json::Null),             "late readings: 3 intervals wait to be computed again\n"),
            (told(0, json!("10:00"), Json::Null),         "late readings: 2 revisions made, computed last at 10:00\n"),
            (told(1, json!("10:00"), json!("disk full")), "late readings: 1 intervals wait to be computed again; 2 revisions made, computed last at 10:00; not computed: disk full\n"),
        ];
        for (live, expected) in cases {
            assert_eq!(late(&live), expected);
        }
    }

    #[test]
    fn suspects_and_counters_that_drift_stand_below_it() {
        let day = |pct: f64| json!({"drift_pct": pct});
        let drift = |meter: &str, level: &str| {
            json!({"meter": meter, "counter": "positive", "level": level,
                   "today": day(-2.5), "yesterday": null})
        };
        let closure = json!({
            "nodes": [],
            "reconciliation": {"suspects": [{"meters": [{"meter": "oven"}, {"meter": "light"}]}]},
            "drift": [drift("hall", "within"), drift("roof", "warn")],
        });
        assert_eq!(
            books(&closure),
            "books: not judged yet\nsuspects: oven, light\n\
             drift of roof (positive): -2.50 % today, -- yesterday (warn)\n"
        );
    }
}
