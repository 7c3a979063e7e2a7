//! Whether the books close, as others read it.

use std::sync::Arc;

use serde_json::{Value, json};
use sunledger::domain::closure::{
    DriftLevel, Judged, Missing, NodeView, Past, Reconciliation, State, Suspect, SuspectMeter,
};
use sunledger::domain::interval::Span;
use sunledger::domain::meter::Carrier;
use sunledger::domain::plausibility::{MeterDrift, Sums};
use sunledger::engine::Closure;
use sunledger::web::Frame;

use super::Server;
use crate::support::http::get;
use crate::support::show_park::Story;

fn node(name: &str, carrier: Carrier, state: State) -> NodeView {
    let start: jiff::Timestamp = "2026-06-03T02:30:00Z".parse().unwrap();
    let known = state != State::CannotBeJudged;
    let judged = Judged {
        span: Span {
            start,
            end: "2026-06-03T02:45:00Z".parse().unwrap(),
        },
        state,
        residual_wh: known.then_some(8_400.0),
        uncertainty_wh: known.then_some(2_000.0),
        z: known.then_some(4.2),
        missing: if known {
            Vec::new()
        } else {
            vec![Missing {
                meter: "boiler".into(),
                reason: "timeout".into(),
            }]
        },
        why: None,
    };
    NodeView {
        name: name.into(),
        carrier,
        since: Some("2026-06-03T02:00:00Z".parse().unwrap()),
        row: 3,
        standing: state == State::DoesNotClose,
        past: vec![Past {
            start,
            residual_wh: judged.residual_wh,
            uncertainty_wh: judged.uncertainty_wh,
            z: judged.z,
        }],
        last: Some(judged),
    }
}

fn closure() -> Closure {
    let day = |integrated: f64, counted: f64| Sums {
        integrated,
        counted,
        covered_ms: 18_000_000,
        tainted: false,
    };
    Closure {
        nodes: vec![
            node("electricity", Carrier::Electricity, State::DoesNotClose),
            node("heat", Carrier::Heat, State::CannotBeJudged),
        ],
        reconciliation: Some(Reconciliation {
            chi_square: Some(17.6),
            limit: Some(3.84),
            degrees: 1,
            passes: Some(false),
            suspects: vec![Suspect {
                meters: vec![SuspectMeter {
                    meter: "hall".into(),
                    read_wh: 61_600.0,
                    reconciled_wh: 62_500.0,
                }],
                z: 4.2,
            }],
            unchecked: vec!["pump".into()],
            computed: vec![("boiler".into(), 90_000.0, 1_500.0)],
            failed: None,
        }),
        drifts: vec![MeterDrift {
            meter: "pcc".into(),
            counter: "positive",
            unit: "Wh",
            today: day(1_020.0, 1_000.0),
            yesterday: Some(day(500.0, 500.0)),
            all: day(1_520.0, 1_500.0),
            level: Some(DriftLevel::Warn),
        }],
    }
}

#[tokio::test]
async fn nodes_suspects_and_drifts_stand_in_the_live_json_and_in_the_metrics() {
    let server = Server::start(Story::Fair, |_| ());
    let before: Value = get(server.address, "/api/v1/live").await.json();
    let nothing = json!({"nodes": [], "reconciliation": null, "drift": []});
    assert_eq!(before["closure"], nothing);
    let metrics = get(server.address, "/metrics").await.text();
    assert!(!metrics.contains("sunledger_closure"), "{metrics}");

    let mut view = server.tick(1).view().clone();
    view.closure = Arc::new(closure());
    server
        .frames
        .send_replace(Arc::new(Frame::new(view, Vec::new())));
    let live: Value = get(server.address, "/api/v1/live").await.json();
    let found = &live["closure"];
    let electricity = &found["nodes"][0];
    let same_moment = |value: &Value, expected: &str| {
        let at: jiff::Timestamp = value.as_str().unwrap().parse().unwrap();
        assert_eq!(at, expected.parse().unwrap());
    };
    same_moment(&electricity["since"], "2026-06-03T02:00:00Z");
    same_moment(&electricity["interval"], "2026-06-03T02:30:00Z");
    let expected = json!({
        "node": "electricity",
        "carrier": "electricity",
        "state": "does_not_close",
        "since": electricity["since"],
        "interval": electricity["interval"],
        "residual_wh": 8_400.0,
        "uncertainty_wh": 2_000.0,
        "z": 4.2,
        "intervals": 3,
        "standing": true,
        "missing": [],
        "why": null,
        "past": [{
            "start": electricity["interval"],
            "residual_wh": 8_400.0,
            "uncertainty_wh": 2_000.0,
            "z": 4.2,
        }],
    });
    assert_eq!(electricity, &expected);
    let heat = &found["nodes"][1];
    assert_eq!(heat["state"], "cannot_be_judged");
    assert_eq!(
        (&heat["residual_wh"], &heat["z"]),
        (&Value::Null, &Value::Null)
    );
    let missing = json!([{"meter": "boiler", "reason": "timeout"}]);
    assert_eq!(heat["missing"], missing);
    let reconciliation = json!({
        "chi_square": 17.6,
        "limit": 3.84,
        "degrees": 1,
        "passes": false,
        "suspects": [{
            "meters": [{"meter": "hall", "read_wh": 61_600.0, "reconciled_wh": 62_500.0}],
            "z": 4.2,
        }],
        "unchecked": ["pump"],
        "computed": [{"name": "boiler", "wh": 90_000.0, "uncertainty_wh": 1_500.0}],
        "failed": null,
    });
    assert_eq!(found["reconciliation"], reconciliation);
    let drift = &found["drift"][0];
    assert_eq!(
        (&drift["meter"], &drift["level"]),
        (&json!("pcc"), &json!("warn"))
    );
    assert_eq!(drift["today"]["hours"], 5.0);
    let percent = drift["today"]["drift_pct"].as_f64().unwrap();
    assert!((percent - 2.0).abs() < 1e-9, "{percent}");
    assert_eq!(drift["yesterday"]["drift_pct"], 0.0);
    assert_eq!(drift["all"]["counted"], 1_500.0);

    let metrics = get(server.address, "/metrics").await.text();
    for line in [
        "sunledger_closure_z{node=\"electricity\"} 4.2",
        "sunledger_closure_residual_watthours{node=\"electricity\"} 8400.0",
        "sunledger_closure_uncertainty_watthours{node=\"electricity\"} 2000.0",
        "sunledger_closure_closes{node=\"electricity\"} 0.0",
        "sunledger_reconciliation_chi_square 17.6",
        "sunledger_reconciliation_limit 3.84",
        "sunledger_counter_drift_ratio{meter=\"pcc\",counter=\"positive\",day=\"today\"} 0.02",
        "sunledger_counter_drift_ratio{meter=\"pcc\",counter=\"positive\",day=\"yesterday\"} 0.0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}\n{metrics}"
        );
    }
    assert!(!metrics.contains("node=\"heat\""), "it cannot be judged");

    // Of many nodes and counters the live document tells those that matter.
    let mut large = closure();
    large.nodes[1].row = 0;
    for _ in 0..20 {
        large.nodes.push(large.nodes[1].clone());
    }
    let mut within = large.drifts[0].clone();
    within.level = Some(DriftLevel::Within);
    large.drifts.extend(vec![within; 200]);
    let mut view = server.tick(1).view().clone();
    view.closure = Arc::new(large);
    let text = Frame::new(view, Vec::new()).json();
    let told: Value = serde_json::from_slice(&text).unwrap();
    let pasts = |nth: usize| {
        told["closure"]["nodes"][nth]["past"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((pasts(0), pasts(1), pasts(21)), (1, 0, 0));
    assert_eq!(told["closure"]["drift"].as_array().unwrap().len(), 1);
}
