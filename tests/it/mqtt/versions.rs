//! Both versions of the protocol, and both ends of TLS, with Debian's mosquitto.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sunledger::domain::quality::Reason;
use sunledger::source::mqtt::{Settings, Tls};
use sunledger::wire::mqtt::Version;

use super::{Source, analog, plain, store};
use crate::support::mosquitto::Mosquitto;

const BOTH: [Version; 2] = [Version::V3, Version::V5];

#[tokio::test(flavor = "multi_thread")]
async fn either_version_hears_and_acknowledges_what_is_on_disk_and_nothing_else() {
    for version in BOTH {
        let broker = Mosquitto::start();
        let settings = || Settings {
            version,
            ..plain(broker.port)
        };
        let mut source = Source::start(settings());
        source.subscribed(&broker, "park/dni").await;
        broker.publish("park/dni", "1");
        assert_eq!(
            source.next().await.values,
            [(0, analog(1.0))],
            "{version:?}"
        );
        source.kill().await;

        let mut source = Source::start(settings());
        let mut again = source.next().await;
        assert_eq!(again.values, [(0, analog(1.0))], "{version:?}: kept");
        store(&mut again);
        // The last word of a backlog is said again, as of now.
        assert_eq!(source.next_value().await.values, [(0, analog(1.0))]);
        source.stop.cancel();
        source.task.await.unwrap();

        let mut source = Source::start(settings());
        source.subscribed(&broker, "park/dni").await;
        broker.publish("park/dni", "2");
        assert_eq!(
            source.next_value().await.values,
            [(0, analog(2.0))],
            "{version:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_is_thrown_away_and_the_connection_stays() {
    for version in BOTH {
        let broker = Mosquitto::start();
        let settings = || Settings {
            version,
            max_payload: 2_000,
            ..plain(broker.port)
        };
        let mut source = Source::start(settings());
        source.subscribed(&broker, "park/dni").await;
        let file = broker.dir.path().join("large");
        for size in [3_000, 200_000] {
            std::fs::write(&file, "7".repeat(size)).unwrap();
            let port = broker.port.to_string();
            let sent = Command::new("mosquitto_pub")
                .args(["-p", &port, "-q", "1", "-t", "park/dni", "-f"])
                .arg(&file)
                .status();
            assert!(sent.unwrap().success());
        }
        broker.publish("park/dni", "5");
        let heard = source.next().await;
        assert_eq!(heard.values, [(0, analog(5.0))], "{version:?}: no gap");
        let rejected = source.stats.rejected();
        let (_, large) = rejected
            .iter()
            .find(|(why, _)| *why == "too_large")
            .unwrap();
        // A broker that speaks 5 was told, and keeps those to itself that do not fit
        // into a packet with a long topic.
        let expected = if version == Version::V3 { 2 } else { 1 };
        assert_eq!(*large, expected, "{version:?}");
        tokio::time::sleep(super::A_WHILE).await;
        source.kill().await;
        let mut again = Source::start(settings());
        again.subscribed(&broker, "park/dni").await;
        let rejected = again.stats.rejected();
        assert!(
            rejected.contains(&("too_large", 0)),
            "{version:?}: it was acknowledged and does not come again"
        );
    }
}

fn openssl(dir: &Path, line: &str) {
    let run = Command::new("openssl")
        .args(line.split_whitespace())
        .current_dir(dir)
        .output()
        .expect("openssl is missing; try\n  apt-get install -y openssl");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{line}: {said}");
}

/// An authority, a broker's certificate, a client's, and one of a stranger.
fn certificates(dir: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    for name in ["ca", "stranger"] {
        openssl(
            dir,
            &format!("req -x509 {key} -subj /CN={name} -keyout {name}.key -out {name}.pem"),
        );
    }
    for (name, usage) in [
        ("broker", "-addext subjectAltName=IP:127.0.0.1"),
        ("client", ""),
    ] {
        openssl(
            dir,
            &format!(
                "req -x509 {key} -subj /CN={name} {usage} -addext basicConstraints=critical,CA:FALSE \
                 -CA ca.pem -CAkey ca.key -keyout {name}.key -out {name}.pem"
            ),
        );
    }
    for name in ["client", "stranger"] {
        openssl(dir, &format!("pkey -in {name}.key -out {name}-closed.key"));
    }
    let mut closed = Command::new("sh");
    closed
        .args(["-c", "chmod 600 *-closed.key; chmod 644 client.key"])
        .current_dir(dir);
    assert!(closed.status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_asks_who_we_are_is_told_by_a_certificate() {
    let broker = Mosquitto::with(|dir| {
        certificates(dir);
        let dir = dir.display();
        format!(
            "allow_anonymous true\ncafile {dir}/ca.pem\ncertfile {dir}/broker.pem\n\
             keyfile {dir}/broker.key\nrequire_certificate true\n"
        )
    });
    let file = |name: &str| broker.dir.path().join(name);
    let with = |version, identity: Option<(&str, &str)>| Settings {
        version,
        tls: Some(Tls {
            ca_file: Some(file("ca.pem")),
            identity: identity.map(|(certificate, key)| (file(certificate), file(key))),
        }),
        ..plain(broker.port)
    };
    #[rustfmt::skip]
    let refused = [
        (None,                                             "the broker wants a client certificate"),
        (Some(("stranger.pem", "stranger-closed.key")),    "does not know who signed our client certificate"),
        (Some(("client.pem", "client.key")),               "can be read by everyone; run chmod o-rwx"),
        (Some(("client.pem", "stranger-closed.key")),      "do not go together"),
        (Some(("client.pem", "missing.key")),              "missing.key"),
    ];
    for (identity, words) in refused {
        let mut source = Source::start(with(Version::V3, identity));
        let heard = source.next().await;
        assert_eq!(heard.values, [(0, Err(Reason::Connect))]);
        let detail = heard.detail.unwrap();
        assert!(detail.contains(words), "{identity:?}: {detail}");
        source.kill().await;
    }
    for version in BOTH {
        let mut source = Source::start(with(version, Some(("client.pem", "client-closed.key"))));
        assert!(source.hears_nothing().await, "no complaint");
        let path = |name: &str| file(name).display().to_string();
        let (ca, certificate, key) = (path("ca.pem"), path("client.pem"), path("client.key"));
        let options = [
            "-q",
            "1",
            "--cafile",
            &ca,
            "--cert",
            &certificate,
            "--key",
            &key,
        ];
        broker.publish_with("park/dni", "9", &options);
        let heard = source.next_value().await;
        assert_eq!(heard.values, [(0, analog(9.0))], "{version:?}");
        source.stop.cancel();
        tokio::time::timeout(Duration::from_secs(30), source.task)
            .await
            .unwrap()
            .unwrap();
    }
}
