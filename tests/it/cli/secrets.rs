//! A secret in a file never comes out anywhere, whatever a peer answers.

use std::time::Duration;

use crate::support::daemon::{Daemon, ask, run, sunledger};
use crate::support::fake_broker::FakeBroker;
use crate::support::http::get;
use crate::support::influx::{Influx, Next};

const CANARY: &str = "canary-token-41d8cd98f00b";
const PASSWORD: &str = "canary-password-9e107d9d37";

fn clean(what: &str, text: &str) {
    for secret in [CANARY, PASSWORD] {
        assert!(!text.contains(secret), "{secret} in {what}: {text}");
    }
}

#[tokio::test]
async fn a_secret_never_comes_out_whatever_the_peers_answer() {
    let influx = Influx::start().await;
    // A server that says back what it got, then the refusal of a wrong token for good.
    let echo =
        format!("{{\"code\":\"unauthorized\",\"message\":\"no such token: Token {CANARY}\"}}");
    influx.script([Next::Answer(401, Vec::new(), echo)]);
    let broker = FakeBroker::start().await;
    let dir = tempfile::tempdir().unwrap();
    let token = super::secret(dir.path(), "token", &format!("{CANARY}\n"));
    let password = super::secret(dir.path(), "password", PASSWORD);
    let tables = format!(
        "[[sensor]]\nid = \"dni\"\nrole = \"weather\"\nbroker = \"park\"\ntopic = \"park/dni\"\n\
         quantity = \"dni\"\nunit = \"W/m2\"\nexpect_every = \"5s\"\n\
         [broker.park]\nhost = \"127.0.0.1\"\nport = {}\nuser = \"sunledger\"\n\
         password = {{ file = \"{password}\" }}\n{}",
        broker.port,
        super::sink(&influx.url(), &token)
    );
    let store = dir.path().join("store");
    let config = super::write(dir.path(), "a.toml", &super::park("a", &store, &tables));
    let mut command = sunledger(&["run", "--config", &config]);
    command.env("SUNLEDGER_LOG", "trace");
    let daemon = Daemon::start(command).await;
    // The broker takes the login and hangs up.
    drop(broker.accept().await);
    let refused = daemon
        .until("a refusal", |live| {
            live["sinks"][0]["last_error"].is_string()
        })
        .await;
    let words = refused["sinks"][0]["last_error"].as_str().unwrap();
    assert!(words.contains("401"), "{words}");
    for path in [
        "/",
        "/api/v1/live",
        "/api/v1/intervals?from=2026-06-01&to=2026-06-02",
        "/metrics",
        "/readyz",
        "/livez",
    ] {
        let answer = get(daemon.address, path).await;
        clean(path, &(answer.head.clone() + &answer.text()));
    }
    for arguments in [
        vec!["check", "--config", &config],
        vec!["check", "--config", &config, "--json"],
        vec!["status", "--url", &daemon.url()],
        vec!["status", "--url", &daemon.url(), "--json"],
        vec!["influx", "setup", "--config", &config],
        vec!["influx", "audit", "--config", &config, "--json"],
    ] {
        let said = run(sunledger(&arguments).env("SUNLEDGER_LOG", "trace")).await;
        said.no_panic();
        clean(&arguments.join(" "), &(said.out + &said.err));
    }
    let told = ask(&["influx", "setup", "--config", &config]).await;
    assert!(told.err.contains("401") && told.code != Some(0), "{told:?}");
    tokio::time::timeout(Duration::from_secs(60), async {
        while influx
            .state()
            .writes
            .iter()
            .filter(|write| write.status == 401)
            .count()
            < 2
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the sink tries again");
    let ended = daemon.end("TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.err.contains("401"),
        "the log tells the refusal: {}",
        ended.err
    );
    clean("standard output", &ended.out);
    clean("the log", &ended.err);
    for (path, content) in super::files(&store) {
        clean(
            &path.display().to_string(),
            &String::from_utf8_lossy(&content),
        );
    }
}
