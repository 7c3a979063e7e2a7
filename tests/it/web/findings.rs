//! What the checks have found, as others read it.

use std::sync::Arc;

use serde_json::{Value, json};
use sunledger::domain::plausibility::{CHECKS, Finding, Seen};
use sunledger::web::Frame;

use super::Server;
use crate::support::http::get;
use crate::support::show_park::Story;

#[tokio::test]
async fn an_open_finding_stands_in_the_live_json_and_in_the_metrics() {
    let server = Server::start(Story::Fair, |_| ());
    let before: Value = get(server.address, "/api/v1/live").await.json();
    assert_eq!(before["findings"], json!([]));

    let mut view = server.tick(1).view().clone();
    view.findings = Arc::new([Finding {
        check: 7,
        name: "night_power",
        meters: vec!["pv".into()],
        since: "2026-06-03T00:10:00Z".parse().unwrap(),
        seen: Seen {
            what: "its power at night".into(),
            value: 20e3,
            limit: 2e3,
            unit: "W".into(),
            cause: "the meter sees another source".into(),
            remedy: "check the meter's role".into(),
        },
    }]);
    server
        .frames
        .send_replace(Arc::new(Frame::new(view, Vec::new())));
    let live: Value = get(server.address, "/api/v1/live").await.json();
    let expected = json!([{
        "check": 7,
        "name": "night_power",
        "meters": ["pv"],
        "since": live["findings"][0]["since"],
        "what": "its power at night",
        "value": 20_000.0,
        "limit": 2_000.0,
        "unit": "W",
        "cause": "the meter sees another source",
        "remedy": "check the meter's role",
    }]);
    assert_eq!(live["findings"], expected);
    let since: jiff::Timestamp = live["findings"][0]["since"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(since, "2026-06-03T00:10:00Z".parse().unwrap());

    let metrics = get(server.address, "/metrics").await.text();
    for row in CHECKS {
        let count = if row.number == 7 { "1.0" } else { "0.0" };
        let line = format!("sunledger_findings{{check=\"{}\"}} {count}", row.name);
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}\n{metrics}"
        );
    }
}

/// The page has words for every check, in both languages.
#[test]
fn every_check_has_its_words_on_the_page() {
    let terms = include_str!("../../../src/web/assets/terms.js");
    for row in CHECKS {
        let term = format!("  check_{}: [", row.name);
        assert!(terms.contains(&term), "{}", row.name);
    }
}
