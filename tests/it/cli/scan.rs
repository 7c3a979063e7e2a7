//! `scan`: who is at an endpoint.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::daemon::{ask, sunledger};
use crate::support::dumps::{Registers, gateway};
use crate::support::hostile::{Act, Hostile};
use crate::support::peer::free_port;
use crate::support::pymodbus::Pymodbus;

fn tcp(port: u16) -> String {
    format!("tcp://127.0.0.1:{port}")
}

fn ids(document: &Json) -> Vec<u64> {
    let units = document["units"].as_array().unwrap();
    units
        .iter()
        .map(|unit| unit["unit"].as_u64().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn units_are_found_and_recognised_by_template_and_by_sunspec() {
    let server = Hostile::start(gateway(vec![
        (3, Registers::of_device("abb-b23-b24")),
        (5, Registers::holding(0, &[4_711])),
        (7, Registers::of_sunspec("inverter-103")),
    ]))
    .await;
    let url = tcp(server.port);
    let arguments = [
        "scan",
        &url,
        "--units",
        "1-8",
        "--timeout",
        "100ms",
        "--pause",
        "1ms",
    ];
    let said = ask(&[&arguments[..], &["--json"]].concat()).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    let document = said.json();
    assert_eq!(ids(&document), [3, 5, 7]);
    let units = &document["units"];
    // An exception is an answer.
    assert_eq!(
        (&units[0]["exception"], &units[1]["register_0"]),
        (&json!(2), &json!(4_711))
    );
    assert_eq!(units[0]["templates"], json!(["abb-b23-b24"]));
    assert_eq!(
        (&units[1]["templates"], &units[1]["sunspec"]),
        (&json!([]), &json!(null))
    );
    assert_eq!(units[2]["sunspec"]["manufacturer"], "Helios");
    assert_eq!(
        units[2]["sunspec"]["models"],
        json!([1, 103, 120, 121, 122, 123, 160])
    );
    assert_eq!(
        (&document["asked"], &document["complete"]),
        (&json!(8), &json!(true))
    );
    assert_eq!(document["same_answer"], false);
    let asks = server.asks();
    assert!(
        asks.iter().all(|ask| (1..=4).contains(&ask.fc)),
        "it only reads"
    );
    for silent in [1, 2, 4, 6, 8] {
        let times = asks.iter().filter(|ask| ask.unit == silent).count();
        assert_eq!(times, 1, "a silent unit costs one timeout");
    }

    let said = ask(&arguments).await;
    for words in [
        "3 of 8 units answer",
        "abb-b23-b24",
        "SunSpec Helios HX-33",
        "not recognised",
        "--unit 3 --template abb-b23-b24",
    ] {
        assert!(said.out.contains(words), "{words:?} in {}", said.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_ignores_the_unit_id_is_told() {
    let registers = Registers::of_device("abb-b23-b24");
    let server = Hostile::start(move |ask| vec![Act::Send(registers.answer(ask))]).await;
    let url = tcp(server.port);
    let arguments = ["scan", &url, "--units", "1-20", "--pause", "1ms"];
    let said = ask(&arguments).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("Every unit id gives the same answer"),
        "{}",
        said.out
    );
    // It is one device, and looked at once.
    let closer = server.asks().iter().filter(|ask| ask.unit > 1).count();
    assert_eq!(closer, 19);
    let said = ask(&[&arguments[..], &["--json"]].concat()).await;
    let document = said.json();
    assert_eq!(
        (&document["same_answer"], ids(&document).len()),
        (&json!(true), 20)
    );
    assert_eq!(document["units"][0]["templates"], json!(["abb-b23-b24"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_equal_meters_beside_a_silent_unit_are_two_meters() {
    let meter = || Registers::of_device("abb-b23-b24");
    let server = Hostile::start(gateway(vec![(1, meter()), (2, meter())])).await;
    let url = tcp(server.port);
    let arguments = [
        "scan",
        &url,
        "--units",
        "1-3",
        "--pause",
        "1ms",
        "--timeout",
        "100ms",
    ];
    let said = ask(&[&arguments[..], &["--json"]].concat()).await;
    assert_eq!(
        (&said.json()["same_answer"], said.code),
        (&json!(false), Some(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_unit_answers_is_69() {
    let silent = Hostile::start(|_| Vec::new()).await;
    let gateway = Hostile::start(|ask| vec![Act::Send(ask.exception(11))]).await;
    let url = tcp(silent.port);
    let arguments = [
        "scan",
        &url,
        "--units",
        "1-3",
        "--timeout",
        "50ms",
        "--json",
    ];
    let said = ask(&arguments).await;
    said.must_say(69, &["none of 3 units answers", "speed and parity"]);
    assert_eq!(said.json()["units"], json!([]));
    // The word of a gateway about a unit is not the word of the unit.
    let said = ask(&["scan", &tcp(gateway.port), "--units", "1-3"]).await;
    said.must_say(
        69,
        &["none of 3 units answers", "the device behind it does not"],
    );
    let said = ask(&["scan", &tcp(free_port())]).await;
    said.must_say(69, &["no connection: Connection refused"]);
}

#[tokio::test]
async fn what_is_no_scan_is_64() {
    #[rustfmt::skip]
    let cases: &[(&str, &str)] = &[
        ("127.0.0.1",                            "tcp://127.0.0.1"),
        ("tcp://a --units 1-256",                "no unit id from 0 to 255"),
        ("tcp://a --units 9-1",                  "ends before it begins"),
        ("rtu:///dev/ttyUSB0 --units 0-10",      "ids from 1 to 247"),
        ("tcp://a --pause soon",                 "for example"),
    ];
    for (line, words) in cases {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let said = ask(&[&["scan"], &arguments[..]].concat()).await;
        assert_eq!(
            (said.code, said.out.as_str()),
            (Some(64), ""),
            "{line}: {said:?}"
        );
        assert!(said.err.contains(words), "{words:?} in {}", said.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_asked_ten_times_a_second_at_most() {
    let server = Hostile::start(gateway(vec![(9, Registers::holding(0, &[1]))])).await;
    let said = ask(&["scan", &tcp(server.port), "--units", "9", "--json"]).await;
    // One unit that was asked alone is no proof that the endpoint ignores unit ids.
    assert_eq!(said.json()["same_answer"], false);
    let asks = server.asks();
    assert!(asks.len() > 5, "{}", asks.len());
    for pair in asks.windows(2) {
        let between = pair[1].at.duration_since(pair[0].at).unwrap();
        assert!(between >= Duration::from_millis(95), "{between:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pymodbus_units_are_found() {
    let units = json!({ "2": { "holding": { "0": [17] } }, "4": { "input": { "0": [18] } } });
    let server = Pymodbus::serve(&units);
    let url = tcp(server.port);
    let said = ask(&["scan", &url, "--units", "2,4", "--pause", "1ms", "--json"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let document = said.json();
    assert_eq!(ids(&document), [2, 4]);
    assert_eq!(document["units"][0]["register_0"], 17);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_prints_what_was_found_so_far() {
    let server = Hostile::start(gateway(vec![(1, Registers::holding(0, &[1]))])).await;
    let url = tcp(server.port);
    let mut command = sunledger(&["scan", &url, "--timeout", "500ms", "--json"]);
    command.stdout(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    for _ in 0..2_000 {
        if server.asks().len() > 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let id = child.id().unwrap().to_string();
    let kill = tokio::process::Command::new("kill")
        .args(["-INT", &id])
        .status()
        .await;
    assert!(kill.unwrap().success());
    let ended = tokio::time::timeout(Duration::from_secs(30), child.wait_with_output()).await;
    let ended = ended.expect("it ends at once").unwrap();
    assert_eq!(ended.status.code(), Some(0));
    let document: Json = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(
        (ids(&document), &document["complete"]),
        (vec![1], &json!(false))
    );
}
