//! `commission`: does each meter answer, and is what it says right?

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use sunledger::simulate::{Settings, Simulation};
use sunledger::sys::clock::wall;
use tokio_util::sync::CancellationToken;

use super::write;
use crate::support::daemon::{Daemon, ask};
use crate::support::hostile::{Act, Ask, Hostile};

/// What every meter on the bench measures: 360 kW, a tenth of a kilowatt-hour a second.
const WATTS: f64 = 360_000.0;
const WH_PER_SECOND: f64 = 100.0;
/// Long enough for a register of watt-hours to make its twenty steps.
const LONG: &str = "10s";

/// Meters of one endpoint. Each has a power (f32 at 0), a register that counts imports
/// (u32 at 10), a frequency (u16 at 20) and voltages (f32 at 30); each one but the first
/// is wrong in a way of its own.
async fn bench() -> Hostile {
    let begin = Arc::new(Instant::now());
    Hostile::start(move |ask| {
        let wh = WH_PER_SECOND * begin.elapsed().as_secs_f64();
        answer(ask, wh).map_or_else(Vec::new, |bytes| vec![Act::Send(bytes)])
    })
    .await
}

fn answer(ask: &Ask, wh: f64) -> Option<Vec<u8>> {
    // Unit 2 counts the other direction positive; unit 3 counts tenths; 4 is dead; 5 has
    // no voltages.
    let watts = if ask.unit == 2 { -WATTS } else { WATTS };
    let counts = if ask.unit == 3 { wh * 10.0 } else { wh };
    if ask.unit == 4 {
        return None;
    }
    if ask.unit == 5 && ask.address + ask.count > 30 {
        return Some(ask.exception(2));
    }
    let words = |bytes: [u8; 4]| {
        let [a, b, c, d] = bytes;
        [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
    };
    let power = words((watts as f32).to_be_bytes());
    let register = words((1_000_000 + counts as u32).to_be_bytes());
    let volts = words(231.0_f32.to_be_bytes());
    let word = |address: u16| match address {
        0 | 1 => power[usize::from(address)],
        10 | 11 => register[usize::from(address - 10)],
        20 => 5_001,
        30..36 => volts[usize::from(address % 2)],
        _ => 0,
    };
    let answer: Vec<u16> = (0..ask.count).map(|nth| word(ask.address + nth)).collect();
    Some(ask.answer(&answer))
}

fn config(dir: &Path, port: u16, meters: &[(&str, u8)], frequency_scale: f64) -> String {
    let mut text = format!(
        "[park]\nid = \"bench\"\nname = \"A bench\"\ntime_zone = \"Asia/Shanghai\"\n\
         [store]\ndir = \"{}\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
         [bus.main.tcp]\nhost = \"127.0.0.1\"\nport = {port}\ntimeout = \"300ms\"\n",
        dir.join("store").display()
    );
    for (id, unit) in meters {
        text.push_str(&format!(
            "[[meter]]\nid = \"{id}\"\nrole = \"tenant\"\nbus = \"main\"\nunit = {unit}\nperiod = \"200ms\"\n\
             point = [\n  {{ quantity = \"power\", address = 0, type = \"f32\", unit = \"W\" }},\n  \
             {{ quantity = \"energy_import\", address = 10, type = \"u32\", unit = \"Wh\" }},\n  \
             {{ quantity = \"frequency\", address = 20, type = \"u16\", scale = {frequency_scale}, unit = \"Hz\" }},\n  \
             {{ quantity = \"voltage_l1\", address = 30, type = \"f32\", unit = \"V\" }},\n  \
             {{ quantity = \"voltage_l2\", address = 32, type = \"f32\", unit = \"V\" }},\n  \
             {{ quantity = \"voltage_l3\", address = 34, type = \"f32\", unit = \"V\" }},\n]\n"
        ));
    }
    write(dir, "park.toml", &text)
}

/// The checks of this name of a meter.
fn checks<'a>(document: &'a Json, id: &str, name: &str) -> Vec<&'a Json> {
    let meters = document["meters"].as_array().unwrap();
    let meter = meters.iter().find(|meter| meter["id"] == id).unwrap();
    let checks = meter["checks"].as_array().unwrap();
    checks
        .iter()
        .filter(|check| check["name"] == name)
        .collect()
}

fn check<'a>(document: &'a Json, id: &str, name: &str) -> &'a Json {
    match checks(document, id, name)[..] {
        [one] => one,
        ref other => panic!("{name} of {id}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_meter_is_found_with_the_line_that_mends_it() {
    let server = bench().await;
    let dir = tempfile::tempdir().unwrap();
    let meters = [
        ("right", 1),
        ("reversed", 2),
        ("tenths", 3),
        ("dead", 4),
        ("poor", 5),
    ];
    let file = config(dir.path(), server.port, &meters, 0.01);
    let said = ask(&["commission", "--config", &file, "--for", LONG, "--json"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(65), ""), "{said:?}");
    let document = said.json();
    let ids: Vec<&str> = document["meters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|meter| meter["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["right", "reversed", "tenths", "dead", "poor"]);
    #[rustfmt::skip]
    let cases = [
        // meter      check        verdict       words of it
        ("right",    "answers",   "passed",     "100.0 % of"),
        ("right",    "points",    "passed",     "all 6 have values"),
        ("right",    "frequency", "passed",     "50.01 Hz"),
        ("right",    "voltage",   "passed",     "231.0, 231.0, 231.0 V"),
        ("right",    "direction", "passed",     "while the register of import moves"),
        ("right",    "register",  "passed",     "by integrating power"),
        ("reversed", "direction", "finding",    "scale = -1.0      # of the point `power`"),
        ("tenths",   "direction", "passed",     "import"),
        ("tenths",   "register",  "finding",    "scale = 0.100      # of the point `energy_import`"),
        ("dead",     "answers",   "finding",    "unit = 4      # of the meter"),
        ("dead",     "points",    "not_tested", "an answer"),
        ("dead",     "frequency", "not_tested", "an answer with the frequency"),
        ("poor",     "points",    "finding",    "omit = [\"voltage_l1\", \"voltage_l2\", \"voltage_l3\"]"),
    ];
    for (id, name, verdict, words) in cases {
        let check = check(&document, id, name);
        assert_eq!(check["verdict"], verdict, "{id} {name}: {check}");
        let said = check.to_string().replace("\\\"", "\"");
        assert!(said.contains(words), "{id}: {words:?} in {said}");
    }
    let meter = |id: &str| {
        let meters = document["meters"].as_array().unwrap();
        meters
            .iter()
            .find(|meter| meter["id"] == id)
            .unwrap()
            .clone()
    };
    assert_eq!(meter("dead")["answers_pct"], 0.0);
    assert_eq!(meter("dead")["gaps"][0]["reason"], "timeout");
    let detail = meter("dead")["gaps"][0]["detail"].to_string();
    assert!(detail.contains("unit 4"), "{detail}");
    assert_eq!(meter("poor")["gaps"][0]["reason"], "exception");
    assert_eq!(
        meter("poor")["gaps"][0]["points"],
        json!(["voltage_l1", "voltage_l2", "voltage_l3"])
    );
    assert_eq!(meter("right")["gaps"], json!([]));
    assert!(!dir.path().join("store").exists(), "nothing is stored");
    assert!(server.asks().iter().all(|ask| (1..=4).contains(&ask.fc)));
    assert_eq!(server.most_open(), 1, "one connection to an endpoint");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_what_was_found() {
    let server = bench().await;
    let dir = tempfile::tempdir().unwrap();
    let meters = [("right", 1), ("reversed", 2), ("dead", 4)];
    let file = config(dir.path(), server.port, &meters, 0.01);
    let arguments = ["commission", "--config", &file, "--for", "2s", "--meter"];
    let asked = |more: &[&str]| {
        let arguments: Vec<String> = arguments
            .iter()
            .chain(more)
            .map(|a| (*a).to_owned())
            .collect();
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            ask(&arguments).await
        }
    };
    let right = asked(&["right"]).await;
    assert_eq!((right.code, right.err.as_str()), (Some(0), ""), "{right:?}");
    let block: Vec<&str> = right.out.lines().collect();
    assert_eq!(block[0], "right (tenant, bus.main.tcp unit 1)");
    assert!(block[1].starts_with("  ✓ answers"), "{}", right.out);
    assert!(
        right
            .out
            .contains("– register   not tested  needs a register"),
        "{}",
        right.out
    );
    assert!(
        right.out.contains("1 meters: ") && right.out.contains(" 0 findings"),
        "{}",
        right.out
    );

    let dead = asked(&["dead"]).await;
    dead.must_say(69, &["none of 1 meters answers"]);
    assert!(dead.out.contains("✗ answers"), "{}", dead.out);
    assert!(dead.out.contains("write       unit = 4"), "{}", dead.out);

    let both = asked(&["dead", "--meter", "right"]).await;
    assert_eq!((both.code, both.err.as_str()), (Some(65), ""), "{both:?}");
    let units: Vec<u8> = server.asks().iter().map(|ask| ask.unit).collect();
    assert!(!units.contains(&2), "only the chosen meters are read");

    asked(&["nobody"]).await.must_say(
        64,
        &["there is no meter `nobody`; one of `right`, `reversed`, `dead`"],
    );
    let soon = ask(&["commission", "--config", &file, "--for", "soon"]).await;
    assert_eq!(soon.code, Some(64), "{soon:?}");
    let missing = ask(&["commission", "--config", "/nowhere.toml"]).await;
    missing.must_say(78, &["/nowhere.toml"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_power_of_ten_is_mended_by_one() {
    let server = bench().await;
    let dir = tempfile::tempdir().unwrap();
    let file = config(dir.path(), server.port, &[("right", 1)], 0.1);
    let said = ask(&["commission", "--config", &file, "--for", "2s"]).await;
    assert_eq!(said.code, Some(65), "{said:?}");
    for words in [
        "✗ frequency  FINDING     500.1 Hz",
        "write       scale = 0.1      # of the point `frequency`",
    ] {
        assert!(said.out.contains(words), "{words:?} in {}", said.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_daemon_it_refuses_unless_it_is_told() {
    let server = bench().await;
    let dir = tempfile::tempdir().unwrap();
    let file = config(dir.path(), server.port, &[("right", 1)], 0.01);
    let daemon = Daemon::run(Path::new(&file)).await;
    let arguments = ["commission", "--config", &file, "--for", "1s"];
    // It has its connection from here on.
    daemon
        .until("its meter", |live| live["meters"][0]["quality"] == "good")
        .await;
    let connections = server.connections();
    let said = ask(&arguments).await;
    said.must_say(
        74,
        &[
            "(process ",
            "systemctl stop sunledger",
            "--anyway",
            "swap answers",
        ],
    );
    assert_eq!((said.out.as_str(), server.connections()), ("", connections));
    assert_eq!(daemon.end("TERM").await.code, Some(0));
    // The store is there, and nobody runs on it.
    let said = ask(&arguments).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");

    let daemon = Daemon::run(Path::new(&file)).await;
    // Where the endpoint takes one connection after the other only, nobody is served.
    let said = ask(&[&arguments[..], &["--anyway"]].concat()).await;
    assert!(matches!(said.code, Some(0 | 65 | 69)), "{said:?}");
    assert_eq!(daemon.end("TERM").await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_park_passes_and_its_sensors_are_heard() {
    let mut settings = Settings::fanshi(wall());
    settings.hour = Some(11.0);
    let stop = CancellationToken::new();
    let park = Simulation::start(settings, Duration::ZERO, stop)
        .await
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let text = park.config_toml(&dir.path().join("store"), "127.0.0.1:0", "15min");
    let file = write(dir.path(), "park.toml", &text);
    let said = ask(&["commission", "--config", &file, "--for", "12s", "--json"]).await;
    let document = said.json();
    for meter in document["meters"].as_array().unwrap() {
        for name in ["answers", "points"] {
            let id = meter["id"].as_str().unwrap();
            let check = check(&document, id, name);
            assert_eq!(check["verdict"], "passed", "{id}: {check}");
        }
    }
    park.stop().await;
}
