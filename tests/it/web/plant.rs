//! The units of the plant, as others read them.

use std::sync::Arc;

use serde_json::{Value, json};
use sunledger::domain::plant::live::{Trackers, UnitNow};
use sunledger::domain::plant::{Indicator, Number};
use sunledger::domain::quality::{Gaps, Quality, Reason};
use sunledger::domain::stated::Known;
use sunledger::web::Frame;

use super::Server;
use crate::support::http::get;
use crate::support::show_park::Story;

#[tokio::test]
async fn a_unit_stands_in_the_live_json_with_its_gaps_and_in_the_metrics_without() {
    let server = Server::start(Story::Fair, |_| ());
    let before: Value = get(server.address, "/api/v1/live").await.json();
    assert_eq!(before["plant"], json!([]));

    let mut view = server.tick(1).view().clone();
    let heat = Known {
        oldest: Some(view.at),
        ..Known::given(5e5)
    };
    view.plant = vec![UnitNow {
        name: "mirrors".into(),
        kind: "solar_field",
        numbers: vec![
            Number::new("heat_w", Ok(heat)),
            Number::new("dni_w_m2", Err(Gaps::one(&"sky".into(), Reason::Timeout))),
            Number::ratio("incidence_deg", Ok(Known::given(None)), "the sun is down"),
        ],
        trackers: Some(Trackers {
            in_focus: 3,
            deviating: 1,
            unknown: 2,
            ..Trackers::default()
        }),
        day: vec![Indicator {
            of: Some("mirrors".into()),
            name: "specific_yield",
            unit: "kWh/m2",
            value: None,
            quality: Quality::Missing,
            coverage_pct: 75.0,
            gaps: Some(Gaps::one(&"loop".into(), Reason::Stale)),
            intervals: 4,
            unknown_intervals: 1,
            of_known: Some(1.5),
            judged: None,
            note: None,
        }],
    }];
    server
        .frames
        .send_replace(Arc::new(Frame::new(view, Vec::new())));
    let live: Value = get(server.address, "/api/v1/live").await.json();
    assert_eq!(
        live["plant"],
        json!([{
            "name": "mirrors",
            "kind": "solar_field",
            "trackers": {"in_focus": 3, "deviating": 1, "stowed": 0, "resting": 0, "unknown": 2},
            "now": {
                "heat_w": {"value": 5e5, "quality": "good", "age_s": 0.0, "gaps": []},
                "dni_w_m2": {"value": null, "quality": "missing", "age_s": null,
                             "gaps": [{"meter": "sky", "reason": "timeout"}]},
                "incidence_deg": {"value": null, "quality": "missing", "age_s": null, "gaps": [],
                                  "note": "the sun is down"},
            },
            "day": {
                "specific_yield": {"value": null, "in": "kWh/m2", "quality": "missing",
                                   "coverage_pct": 75.0, "of_known": 1.5,
                                   "gaps": [{"meter": "loop", "reason": "stale"}]},
            },
        }])
    );
    let metrics = get(server.address, "/metrics").await.text();
    let mine: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("sunledger_plant"))
        .collect();
    assert!(
        mine.contains(&"sunledger_plant{unit=\"mirrors\",number=\"heat_w\"} 500000.0"),
        "{mine:?}"
    );
    assert!(
        mine.contains(&"sunledger_plant_mounts{unit=\"mirrors\",state=\"unknown\"} 2.0"),
        "{mine:?}"
    );
    // One number that is known, and five states: what is missing is an absent series.
    assert_eq!(mine.len(), 6, "{mine:?}");
}
