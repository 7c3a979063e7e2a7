//! The simulated park from outside: over its own sockets, with our client and with
//! foreign ones.

mod broker;
mod rehearsal;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use sunledger::simulate::history::HistoryValue;
use sunledger::simulate::{Settings, Simulation};
use tokio::process::Command;
use tokio_modbus::ExceptionCode;
use tokio_modbus::prelude::*;
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_secs(30);

async fn park(history: Duration) -> Simulation {
    let mut settings = Settings::fanshi(sunledger::sys::clock::wall());
    settings.hour = Some(11.0);
    let started = Simulation::start(settings, history, CancellationToken::new()).await;
    started.expect("free loopback ports")
}

fn port(park: &Simulation, bus: &str) -> SocketAddr {
    let ports = park.ports();
    ports.buses.iter().find(|entry| entry.0 == bus).unwrap().1
}

async fn client(park: &Simulation, bus: &str, unit: u8) -> client::Context {
    tcp::connect_slave(port(park, bus), Slave(unit))
        .await
        .unwrap()
}

/// Registers as one integer, high word first.
fn integer(words: &[u16]) -> i64 {
    words
        .iter()
        .fold(0, |sum, word| sum << 16 | i64::from(*word))
}

fn float(words: &[u16]) -> f64 {
    f64::from(f32::from_bits(u32::try_from(integer(words)).unwrap()))
}

fn flow(truth: &[(&str, f64)], name: &str) -> f64 {
    truth.iter().find(|flow| flow.0 == name).unwrap().1
}

/// A program that the tests need, or how to get it.
fn tool(name: &str, package: &str) -> Command {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(name).is_file()));
    assert!(found, "`{name}` is missing: apt-get install -y {package}");
    Command::new(name)
}

#[tokio::test]
async fn a_register_over_the_wire_moves_with_the_truth() {
    let park = park(Duration::ZERO).await;
    let mut feed = client(&park, "heat", 3).await;
    let mut reading = async || {
        let words = feed.read_input_registers(2, 4).await.unwrap().unwrap();
        (sunledger::sys::clock::wall(), integer(&words))
    };
    let (start, opening) = reading().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (end, closing) = reading().await;
    let start = jiff::Timestamp::from_second(start.as_second()).unwrap();
    let end = jiff::Timestamp::from_second(end.as_second()).unwrap();
    let seconds = end.duration_since(start).as_secs_f64();
    let flowed = park.metered("heat-ceramics", start, end).unwrap();
    let counted = (closing - opening) as f64 * 0.1 / 3.6 * 1_000.0;
    // Both ends lie within a second of the whole ones.
    assert!(
        (counted - flowed).abs() <= 1.1 * flowed / seconds + 28.0,
        "{counted} {flowed}"
    );
    assert!(counted > 0.0);
    park.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_answered_as_a_gateway_and_a_device_would() {
    let park = park(Duration::ZERO).await;
    let mut ctx = client(&park, "tenants", 99).await;
    let nobody = ctx.read_input_registers(12, 2).await.unwrap();
    assert_eq!(nobody, Err(ExceptionCode::GatewayTargetDevice));
    ctx.set_slave(Slave(11));
    let hole = ctx.read_input_registers(60, 2).await.unwrap();
    assert_eq!(hole, Err(ExceptionCode::IllegalDataAddress));
    let written = ctx.write_single_register(12, 1).await.unwrap();
    assert_eq!(written, Err(ExceptionCode::IllegalFunction));
    let mut pv = client(&park, "pv", 1).await;
    let running = pv.read_discrete_inputs(0, 1).await.unwrap().unwrap();
    assert_eq!(running, [true], "it is eleven in the morning");
    park.stop().await;
}

#[tokio::test]
async fn a_dead_meter_is_silent_while_its_neighbours_answer() {
    let park = park(Duration::ZERO).await;
    park.faults().dead("ceramics", true).unwrap();
    let mut ctx = client(&park, "tenants", 12).await;
    let silence =
        tokio::time::timeout(Duration::from_secs(2), ctx.read_holding_registers(0, 2)).await;
    assert!(silence.is_err(), "{silence:?}");
    let mut ctx = client(&park, "tenants", 13).await;
    let answer = tokio::time::timeout(LONG, ctx.read_holding_registers(0, 1)).await;
    assert_eq!(answer.unwrap().unwrap().unwrap().len(), 1);
    park.faults().dead("ceramics", false).unwrap();
    let mut ctx = client(&park, "tenants", 12).await;
    let answer = tokio::time::timeout(LONG, ctx.read_holding_registers(0, 2)).await;
    assert_eq!(answer.unwrap().unwrap().unwrap().len(), 2);
    park.stop().await;
}

#[tokio::test]
async fn a_mis_scaled_meter_shows_five_percent_more_power() {
    let park = park(Duration::ZERO).await;
    let mut ctx = client(&park, "tenants", 15).await;
    let mut power = async || {
        let words = ctx.read_holding_registers(0, 4).await.unwrap().unwrap();
        f64::from_bits(integer(&words).cast_unsigned())
    };
    let before = power().await;
    park.faults().scale("offices", 1.05).unwrap();
    let after = power().await;
    assert!((after / before - 1.05).abs() < 0.02, "{before} {after}");
    assert!(park.faults().scale("nobody", 2.0).is_err());
    park.stop().await;
}

/// The second opinion on what the servers serve.
#[tokio::test]
async fn mbpoll_reads_the_same_float_and_the_same_counter() {
    let park = park(Duration::ZERO).await;
    let read = async |bus, unit: &str, address: &str, kind: &str| -> f64 {
        let address_of = port(&park, bus);
        let output = tool("mbpoll", "mbpoll")
            .args([
                "-m", "tcp", "-0", "-1", "-q", "-B", "-a", unit, "-r", address, "-t", kind,
            ])
            .args(["-p", &address_of.port().to_string(), "127.0.0.1"])
            .output()
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.starts_with('['));
        let line = line.unwrap_or_else(|| panic!("{text} {:?}", output.stderr));
        line.rsplit(':').next().unwrap().trim().parse().unwrap()
    };
    // mbpoll shows six digits.
    let theirs = read("heat", "1", "0", "4:float").await;
    let mut ctx = client(&park, "heat", 1).await;
    let ours = float(&ctx.read_holding_registers(0, 2).await.unwrap().unwrap());
    assert!((theirs / ours - 1.0).abs() < 0.02, "{theirs} {ours}");

    let theirs = read("tenants", "11", "72", "3:int").await;
    let mut ctx = client(&park, "tenants", 11).await;
    let ours = integer(&ctx.read_input_registers(72, 2).await.unwrap().unwrap()) as f64;
    assert!(
        ours > 1_000.0 && (0.0..=20.0).contains(&(ours - theirs)),
        "{theirs} {ours}"
    );
    park.stop().await;
}

#[tokio::test]
async fn two_days_of_history_lead_without_a_step_into_the_live_registers() {
    let park = park(Duration::from_secs(2 * 86_400)).await;
    let clock = Instant::now();
    let steps: Vec<_> = park.history().collect();
    // The promise is 1.5 s.
    assert!(
        clock.elapsed() < Duration::from_secs(8),
        "{:?}",
        clock.elapsed()
    );
    assert_eq!(steps.len(), 2_881, "both ends");
    assert!(steps.iter().all(|step| step.at.as_second() % 60 == 0));
    assert!(
        steps
            .windows(2)
            .all(|pair| pair[1].at.as_second() - pair[0].at.as_second() == 60)
    );
    assert!(
        steps
            .iter()
            .all(|step| step.samples.len() == steps[0].samples.len())
    );

    let counts = |id: &str, quantity: &str| -> Vec<i64> {
        let of = |step: &sunledger::simulate::history::Step| {
            let mut samples = step.samples.iter();
            let sample = samples.find(|s| s.meter == id && s.quantity == quantity);
            match sample.unwrap().value {
                HistoryValue::Count(count) => count,
                HistoryValue::Analog(value) => panic!("{id} {quantity}: {value}"),
            }
        };
        steps.iter().map(of).collect()
    };
    let foundry = counts("foundry", "energy");
    assert!(
        foundry
            .windows(2)
            .all(|pair| (0..=700).contains(&(pair[1] - pair[0])))
    );
    let mut ctx = client(&park, "tenants", 11).await;
    let now = integer(&ctx.read_input_registers(72, 2).await.unwrap().unwrap());
    let last = *foundry.last().unwrap();
    // At most a minute of history is missing, and the test took some seconds: 500 kW is 14 counts a second.
    assert!((0..=3_000).contains(&(now - last)), "{last} {now}");

    // A float register's count is in milliwatt-hours, as the daemon keeps it.
    let feed = *counts("network", "heat_energy").last().unwrap();
    let mut ctx = client(&park, "heat", 1).await;
    let words = ctx.read_holding_registers(2, 4).await.unwrap().unwrap();
    let kwh = f64::from_bits(integer(&words).cast_unsigned());
    assert!(
        (kwh * 1e6 - feed as f64) / 1e6 < 300.0 && kwh * 1e6 >= feed as f64,
        "{kwh} {feed}"
    );
    park.stop().await;
}

#[tokio::test]
async fn the_battery_says_charge_as_export_and_the_history_as_import() {
    let park = park(Duration::from_secs(3_600)).await;
    let step = park.history().last().unwrap();
    let count = |quantity: &str| {
        let sample = step
            .samples
            .iter()
            .find(|s| s.meter == "battery" && s.quantity == quantity);
        match sample.unwrap().value {
            HistoryValue::Count(count) => count,
            HistoryValue::Analog(value) => panic!("{value}"),
        }
    };
    let mut ctx = client(&park, "substation", 2).await;
    let words = ctx.read_holding_registers(100, 6).await.unwrap().unwrap();
    let little = |words: &[u16]| integer(&[words[1], words[0]]);
    assert!((0..1_500).contains(&(little(&words[2..4]) - count("energy_import"))));
    assert!((0..1_500).contains(&(little(&words[4..6]) - count("energy_export"))));
    let config = park.config_toml(Path::new("/tmp/x"), "127.0.0.1:0", "15min");
    let table: toml::Table = config.parse().unwrap();
    let battery = &table["meter"].as_array().unwrap()[1];
    assert_eq!(battery["id"].as_str(), Some("battery"));
    assert_eq!(battery["point"][1]["address"].as_integer(), Some(102));
    assert_eq!(
        battery["point"][1]["quantity"].as_str(),
        Some("energy_export")
    );
    park.stop().await;
}

#[tokio::test]
async fn the_truth_of_the_last_minute_closes_and_the_next_is_not_told() {
    let park = park(Duration::from_secs(600)).await;
    let now = sunledger::sys::clock::wall().as_second();
    let at = |second| jiff::Timestamp::from_second(second).unwrap();
    let truth = park.truth(at(now - 60), at(now)).unwrap();
    let load = flow(&truth, "generation") + flow(&truth, "import") - flow(&truth, "export")
        + flow(&truth, "battery_discharge")
        - flow(&truth, "battery_charge");
    assert!(
        (load - flow(&truth, "load")).abs() < 1e-6 * load,
        "{truth:?}"
    );
    assert!(
        (flow(&truth, "losses") - 50.0).abs() < 1e-9,
        "3 kW for a minute"
    );
    assert!(park.truth(at(now), at(now + 3_600)).is_none());
    park.stop().await;
}

#[tokio::test]
async fn a_stopped_park_frees_its_ports() {
    let park = park(Duration::ZERO).await;
    let ports = park.ports();
    let _open = tokio::net::TcpStream::connect(ports.buses[0].1)
        .await
        .unwrap();
    tokio::time::timeout(LONG, park.stop()).await.unwrap();
    for address in ports.buses.iter().map(|bus| bus.1).chain([ports.broker]) {
        assert!(
            tokio::net::TcpStream::connect(address).await.is_err(),
            "{address}"
        );
    }
}
