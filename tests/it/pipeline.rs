//! End to end: the simulated park over Modbus and MQTT, the real daemon, a real
//! receiver, and the park's own truth beside them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use crate::support::peer::free_port;
use crate::support::victoria::Victoria;
use crate::support::world::{World, next_minute, sleep_until_wall, watts, wh};

/// Time for every meter to be asked before the first interval begins.
const SETTLE_IN: Duration = Duration::from_secs(5);
/// Part of the energy handled by which a flow may be off.
const A_THOUSANDTH: f64 = 0.001;

/// Flows of both balances that the park knows the truth of, with the steps of the
/// registers that they rest on, added, Wh: each of them may hide up to one step.
#[rustfmt::skip]
const FLOWS: &[(&str, f64)] = &[
    ("generation",         11.0),
    ("import",              1.0),
    ("export",              1.0),
    ("load",               33.0),
    ("battery_charge",     10.0),
    ("battery_discharge",  10.0),
    ("losses",              0.0),
    ("solar_field",       100.0),
    ("boilers",           100.0),
    ("electric_boiler",    10.0),
    ("storage_charge",      1.0),
    ("storage_discharge",   1.0),
    ("to_power",          100.0),
    ("supplied",          128.0),
    ("heat_losses",       128.0),
];

/// The heat balance: its terms with their signs.
#[rustfmt::skip]
const HEAT: &[(&str, f64)] = &[
    ("solar_field",        1.0),
    ("boilers",            1.0),
    ("electric_boiler",    1.0),
    ("storage_discharge",  1.0),
    ("storage_charge",    -1.0),
    ("to_power",          -1.0),
    ("supplied",          -1.0),
    ("heat_losses",       -1.0),
];
/// Steps of the registers of field, gas boiler, electric boiler, storage and turbine,
/// Wh. The feed of the network is told as a float, without a step; what customers took
/// is in the heat losses with the other sign.
const HEAT_STEPS: f64 = 100.0 + 100.0 + 10.0 + 2.0 + 100.0;

fn later(from: Timestamp, minutes: i64) -> Timestamp {
    from + SignedDuration::from_mins(minutes)
}

fn true_wh(truth: &[(&'static str, f64)], flow: &str) -> f64 {
    truth.iter().find(|(name, _)| *name == flow).unwrap().1
}

/// Each interval, and their sum, against what really flowed.
fn agrees_with_the_truth(world: &World, intervals: &[Json]) {
    for interval in intervals {
        let bound = |key: &str| {
            interval[key]
                .as_str()
                .unwrap()
                .parse::<Timestamp>()
                .unwrap()
        };
        let truth = world.park.truth(bound("start"), bound("end")).unwrap();
        for (flow, step) in FLOWS {
            let (ours, theirs) = (
                wh(std::slice::from_ref(interval), flow),
                true_wh(&truth, flow),
            );
            let allowed = (A_THOUSANDTH * theirs.abs()).max(step + 10.0);
            assert!(
                (ours - theirs).abs() <= allowed,
                "{flow}: {ours} Wh in the books, {theirs} Wh flowed, {allowed} Wh allowed\n{interval:#}"
            );
            assert_eq!(
                interval["flows"][flow]["coverage_pct"], 100.0,
                "{flow} {interval:#}"
            );
        }
    }
}

#[tokio::test]
async fn three_minutes_of_the_park_arrive_everywhere_as_they_were() {
    // The receiver comes late: until then everything waits on the daemon's disk.
    let port = free_port();
    let mut world = World::new(&[("late", format!("http://127.0.0.1:{port}"))]).await;
    world.start();
    world.until("every meter was heard", all_good).await;
    let from = next_minute(SETTLE_IN);
    sleep_until_wall(from + SignedDuration::from_secs(30)).await;
    let live = world.until("points wait for the sink", |live| {
        live["sinks"][0]["backlog_points"].as_u64().unwrap() > 1_000
    });
    let live = live.await;
    assert!(live["sinks"][0]["last_ok"].is_null(), "{live:#}");
    // Meters are read one after the other: the view closes as soon as all of them
    // speak of the same second.
    let closes = |live: &Json| {
        [("electricity", "load"), ("heat", "solar_field")]
            .iter()
            .all(|(carrier, of)| {
                let whole = watts(live, carrier, of);
                watts(live, carrier, "residual").abs() < A_THOUSANDTH * whole
            })
    };
    world.until("both balances close", closes).await;
    let victoria = Victoria::start(port).await;

    let intervals = world.closed(from, later(from, 3), |_| true).await;
    agrees_with_the_truth(&world, &intervals);
    let (left, load) = (wh(&intervals, "residual"), wh(&intervals, "load"));
    assert!(left.abs() < A_THOUSANDTH * load, "{left} of {load} Wh");
    // Of the heat balance a thousandth is less than one step of its registers. What it
    // leaves is what its terms leave to the last digit, and no more than these steps.
    let left = wh(&intervals, "heat_residual");
    let terms = HEAT.iter().map(|(flow, sign)| sign * wh(&intervals, flow));
    let terms = terms.sum::<f64>();
    assert!((left - terms).abs() < 0.01, "{left} Wh, {terms} Wh");
    assert!(left.abs() <= HEAT_STEPS, "{left} of {HEAT_STEPS} Wh");
    let export = wh(&intervals, "export");
    let (generation, used) = (
        wh(&intervals, "generation"),
        wh(&intervals, "self_consumption"),
    );
    assert!(
        (generation - export - used).abs() < 0.01,
        "{generation} {export} {used}"
    );

    let (code, _) = world.terminate().await;
    assert_eq!(code, Some(0), "{}", world.log());
    // What was written in the last second goes out at the next start.
    world.start();
    world
        .until("everything is delivered", |live| {
            live["sinks"][0]["last_ok"].is_string() && live["sinks"][0]["backlog_points"] == 0
        })
        .await;
    let (code, _) = world.terminate().await;
    assert_eq!(code, Some(0), "{}", world.log());
    let delivered = world.delivered();
    victoria.holds_exactly(&delivered).await;
    let rows = delivered.lines().count();
    assert!(rows > 60 * 3 * 20, "{rows} rows");
    world.end().await;
}

fn all_good(live: &Json) -> bool {
    let meters = live["meters"].as_array().unwrap();
    let heard = |meter: &Json| meter["reason"].is_null() && meter["age_s"].is_number();
    !meters.is_empty() && meters.iter().all(heard)
}

#[tokio::test]
async fn a_tenants_meter_that_shows_too_much_shows_in_the_residual() {
    let mut world = World::new(&[]).await;
    // Enough to see on a Sunday, when the kilns stand still.
    let too_large = 0.5;
    let faults = world.park.faults();
    faults.scale("ceramics", 1.0 + too_large).unwrap();
    world.start();
    world.until("every meter was heard", all_good).await;
    let from = next_minute(SETTLE_IN);
    sleep_until_wall(from + SignedDuration::from_secs(20)).await;
    let live = world.live().await.unwrap();
    let shown = power_of(&live, "ceramics");
    let (residual, load) = (
        watts(&live, "electricity", "residual"),
        watts(&live, "electricity", "load"),
    );
    let expected = -shown / (1.0 + too_large) * too_large;
    assert!(
        (residual - expected).abs() < A_THOUSANDTH * load,
        "{residual} W left, {expected} W too much shown"
    );
    let intervals = world.closed(from, later(from, 1), |_| true).await;
    let too_much = too_large
        * world
            .park
            .metered("ceramics", from, later(from, 1))
            .unwrap();
    let (left, load) = (wh(&intervals, "residual"), wh(&intervals, "load"));
    // Five tenants, three plants and four sources, each with its register's step.
    let steps = 10.0 + 10.0 + 10.0 + 10.0 + 10.0 + 10.0 + 4.0 + 5.0;
    assert!(
        (left + too_much).abs() < (A_THOUSANDTH * load).max(steps),
        "{left} Wh left, {too_much} Wh too much counted, of {load} Wh"
    );
    assert!(
        too_much > 2.0 * steps,
        "the fault is larger than what registers hide"
    );
    world.end().await;
}

fn power_of(live: &Json, id: &str) -> f64 {
    let meters = live["meters"].as_array().unwrap();
    let meter = meters.iter().find(|meter| meter["id"] == id).unwrap();
    meter["power_w"].as_f64().unwrap()
}

#[tokio::test]
async fn a_dead_pv_meter_leaves_unknown_what_depends_on_it_and_nothing_else() {
    let mut world = World::new(&[]).await;
    world.park.faults().dead("pv", true).unwrap();
    world.start();
    let from = next_minute(SETTLE_IN);
    let live = world
        .until("the meters were asked", |live| {
            live["electricity"]["export"]["w"].is_number()
                && live["electricity"]["generation"]["gaps"][0]["reason"] == "timeout"
        })
        .await;
    for flow in ["generation", "load", "self_consumption", "residual"] {
        let stated = &live["electricity"][flow];
        assert!(stated["w"].is_null(), "{flow} {stated}");
        assert_eq!(stated["quality"], "missing", "{flow}");
        assert_eq!(
            stated["gaps"],
            serde_json::json!([{ "meter": "pv", "reason": "timeout" }]),
            "{flow}"
        );
    }
    for flow in ["import", "export", "battery_charge", "battery_discharge"] {
        assert!(live["electricity"][flow]["w"].is_number(), "{flow}");
    }
    assert!(
        watts(&live, "heat", "supplied") > 0.0,
        "heat has its own meters"
    );

    // The interval closes without it, and says so.
    let minute = later(from, 1);
    let dead = world.closed(from, minute, |_| true).await;
    let flows = &dead[0]["flows"];
    for flow in ["generation", "load", "self_consumption", "residual"] {
        assert!(flows[flow]["wh"].is_null(), "{flow} {}", flows[flow]);
        assert_eq!(
            flows[flow]["missing"],
            serde_json::json!(["pv"]),
            "{flow} {}",
            flows[flow]
        );
    }
    let truth = world.park.truth(from, minute).unwrap();
    let exported = wh(&dead, "export");
    assert!((exported - true_wh(&truth, "export")).abs() <= 11.0 + A_THOUSANDTH * exported);
    assert_eq!(flows["export"]["quality"], "good");
    assert_eq!(dead[0]["revision"], 1);

    // It answers again: from here on everything is known again.
    world.park.faults().dead("pv", false).unwrap();
    world
        .until("the meter is back", |live| {
            live["electricity"]["generation"]["w"].is_number()
        })
        .await;
    let known = next_minute(SETTLE_IN);
    let intervals = world.closed(known, later(known, 1), |_| true).await;
    agrees_with_the_truth(&world, &intervals);
    world.end().await;
}
