//! `status`: the live document for a terminal.

use serde_json::Value as Json;
use sunledger::domain::flow::FLOWS;
use sunledger::domain::meter::Carrier;
use sunledger::simulate::{Settings, Simulation};
use sunledger::sys::clock::wall;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::support::daemon::{Daemon, Ended, ask};
use crate::support::peer::free_port;

/// A server that answers every question alike, byte by byte.
async fn answering(answer: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    url
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{body}")
}

/// The first words of the lines below a title.
fn names<'a>(said: &'a Ended, title: &str) -> Vec<&'a str> {
    let lines = said.out.lines().skip_while(|line| *line != title).skip(1);
    let rows = lines.take_while(|line| line.starts_with("  "));
    rows.filter_map(|line| line.split_whitespace().next())
        .collect()
}

fn line<'a>(said: &'a Ended, title: &str, name: &str) -> &'a str {
    let lines = said.out.lines().skip_while(|line| *line != title);
    let mut found = lines.filter(|line| line.split_whitespace().next() == Some(name));
    found
        .next()
        .unwrap_or_else(|| panic!("{name} in {}", said.out))
}

fn flows(carrier: Carrier) -> Vec<&'static str> {
    let rows = FLOWS.iter().filter(|row| row.carrier == carrier);
    rows.map(|row| row.live).collect()
}

#[tokio::test]
async fn flows_are_read_in_the_order_of_the_balance() {
    let demo = Daemon::demo(&[]).await;
    let live = demo
        .until("a known load", |live| {
            live["electricity"]["load"]["w"].is_f64()
        })
        .await;
    let said = ask(&["status", "--url", &demo.url()]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert_eq!(names(&said, "electricity"), flows(Carrier::Electricity));
    assert_eq!(names(&said, "heat"), flows(Carrier::Heat));
    let meters = live["meters"].as_array().unwrap();
    let meters: Vec<&str> = meters
        .iter()
        .map(|meter| meter["id"].as_str().unwrap())
        .collect();
    assert_eq!(names(&said, "meters"), meters);
    assert!(said.out.starts_with("park demo  at 20"), "{}", said.out);
    assert!(!said.out.contains("-0.000"), "{}", said.out);

    let said = ask(&["status", "--url", &format!("{}/", demo.url()), "--json"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    let document = said.json();
    let keys = |json: &Json| {
        json.as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&document), keys(&live));
    assert_eq!(document["park"], "demo");
    assert!(document["seq"].as_i64() >= live["seq"].as_i64());
}

#[tokio::test]
async fn the_json_is_the_daemons_own_byte_by_byte() {
    let body = r#"{"park":"p", "new":{"key":[1,2]},"at":null}"#;
    let url = answering(ok(body)).await;
    let said = ask(&["status", "--url", &url, "--json"]).await;
    assert_eq!((said.code, said.out), (Some(0), format!("{body}\n")));
}

#[tokio::test]
async fn an_unknown_number_says_which_meter_is_missing_and_why() {
    let mut settings = Settings::fanshi(wall());
    settings.hour = Some(11.0);
    let stop = CancellationToken::new();
    let park = Simulation::start(settings, std::time::Duration::ZERO, stop).await;
    let park = park.unwrap();
    park.faults().dead("pv", true).unwrap();
    park.faults().not_available("field", true).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let text = park.config_toml(&dir.path().join("store"), "127.0.0.1:0", "15min");
    std::fs::write(dir.path().join("park.toml"), text).unwrap();
    let daemon = Daemon::run(&dir.path().join("park.toml")).await;
    daemon
        .until("a reason for each silence", |live| {
            let (electricity, heat) = (&live["electricity"], &live["heat"]);
            electricity["export"]["w"].is_f64()
                && electricity["generation"]["gaps"][0]["reason"] == "timeout"
                && heat["supplied"]["w"].is_f64()
        })
        .await;
    let said = ask(&["status", "--url", &daemon.url()]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    for (title, flow, why) in [
        ("electricity", "generation", "--  needs pv: timeout"),
        ("electricity", "load", "--  needs pv: timeout"),
        ("electricity", "self_consumption", "--  needs pv: timeout"),
        ("heat", "solar_field", "--  needs field: not_available"),
    ] {
        let line = line(&said, title, flow);
        assert!(line.ends_with(why), "{why:?} in {line:?}");
    }
    for (title, flow) in [("electricity", "export"), ("heat", "supplied")] {
        let line = line(&said, title, flow);
        assert!(line.contains(" kW"), "{line:?}");
    }
    let pv = line(&said, "meters", "pv");
    assert!(
        pv.contains("--") && pv.contains("missing") && !pv.ends_with(' '),
        "{pv:?}"
    );
    assert_eq!(daemon.end("TERM").await.code, Some(0));
    park.stop().await;
}

#[tokio::test]
async fn what_rounds_to_nothing_has_no_sign_and_an_absent_part_is_told() {
    let body = r#"{"park":"p","at":"2026-06-03T14:32:07+08:00","stored_until":null,"clock":"untrusted",
      "electricity":{"residual":{"w":-0.4,"quality":"good","gaps":[]},
                     "import":{"w":-0.6,"quality":"suspect","gaps":[]},
                     "load":{"w":null,"quality":"missing","gaps":[{"meter":"pcc","reason":"stale"},{"meter":"pv","reason":"connect"}]},
                     "generation":{"w":null,"quality":"missing","gaps":[{"meter":"","reason":"config"},{"meter":"pv","reason":"connect"}]}},
      "heat":{"losses":{"w":null,"quality":"missing","gaps":[{"meter":"","reason":"config"}]}},
      "meters":[{"id":"pcc","role":"grid","quality":"stale","age_s":7.25,"power_w":null,"last_error":null,"reason":"stale"},
                {"id":"pv","role":"pv","quality":"missing","age_s":null,"power_w":null,"last_error":"connection refused","reason":"connect"}],
      "sinks":[{"name":"local","backlog_points":12,"oldest":null,"last_ok":null,"last_error":"401: unauthorized access"}]}"#;
    let url = answering(ok(body)).await;
    let said = ask(&["status", "--url", &url]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    #[rustfmt::skip]
    let cases = [
        ("electricity", "residual",   "      0.000 kW"),
        ("electricity", "import",     "     -0.001 kW  suspect"),
        ("electricity", "load",       "            --  needs pcc: stale, pv: connect"),
        ("electricity", "generation", "            --  needs pv: connect; no meter is configured"),
        ("heat",        "losses",     "            --  no meter is configured"),
        ("heat",        "supplied",   "            --  the daemon does not say why"),
    ];
    for (title, name, expected) in cases {
        let expected = format!("  {name:<20} {expected}");
        assert_eq!(line(&said, title, name), expected, "{}", said.out);
    }
    for words in [
        "stored until --\n",
        "the clock is not trusted",
        "7.2 s  stale\n",
        "  connection refused\n",
        "sink local: 12 points wait, last delivery --  401: unauthorized access\n",
    ] {
        assert!(said.out.contains(words), "{words:?} in {}", said.out);
    }
}

#[tokio::test]
async fn where_nothing_answers_as_a_daemon_does_it_is_69() {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let said = ask(&["status", "--url", &nobody]).await;
    said.must_say(69, &["no daemon answers at", &nobody, "is it running"]);
    let other = answering("HTTP/1.1 404 Not Found\r\n\r\nno".to_owned()).await;
    ask(&["status", "--url", &other])
        .await
        .must_say(69, &["404 Not Found"]);
    let page = answering(ok("<html>")).await;
    ask(&["status", "--url", &page])
        .await
        .must_say(69, &["not as Sunledger does"]);
    let mute = answering(String::new()).await;
    ask(&["status", "--url", &mute])
        .await
        .must_say(69, &[&mute]);
}
