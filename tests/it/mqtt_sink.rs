//! The sink that publishes, against Debian's mosquitto and against a broker that is told
//! what to say.

mod daemon;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode, Packet, PubAck, Publish};
use serde_json::{Value as Json, json};
use sunledger::broker;
use sunledger::config::check::parse;
use sunledger::domain::meter::Park;
use sunledger::sink::mqtt::topics::Topics;
use sunledger::sink::mqtt::{OFFLINE, Settings, run};
use sunledger::sink::stats::SinkStats;
use sunledger::sys::secret::Secret;
use sunledger::wire::mqtt::Version;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::fake_broker::{FakeBroker, Peer};
use crate::support::mosquitto::Mosquitto;
use crate::support::shipping::{Journal, PATIENCE, START_MS};
use crate::support::subscriber::Subscriber;

const BOTH: [Version; 2] = [Version::V3, Version::V5];
/// Long enough for a wrong packet to show itself.
const A_WHILE: Duration = Duration::from_millis(300);

fn park() -> Arc<Park> {
    let text = r#"
[park]
id = "p"
name = "Park"
time_zone = "UTC"
[broker.park]
host = "127.0.0.1"
[[sensor]]
id = "dni"
role = "weather"
broker = "park"
topic = "park/dni"
quantity = "dni"
unit = "W/m2"
expect_every = "5s"
"#;
    parse(text).unwrap().park
}

/// A sink at work.
struct Rig {
    journal: Journal,
    settings: Settings,
    stats: Arc<SinkStats>,
    committed: watch::Sender<u64>,
    cursors: Arc<Mutex<Vec<u64>>>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Rig {
    fn new(port: u16) -> Self {
        let park = park();
        let topics = Topics::new("sunledger", &park.id);
        Self {
            journal: Journal::default(),
            settings: Settings {
                name: "ha".into(),
                broker: broker::Settings {
                    host: "127.0.0.1".into(),
                    port,
                    client_id: "box-ha".into(),
                    version: Version::V3,
                    keep_alive: Duration::from_secs(15),
                    max_payload: 1_024,
                    keep_session: false,
                    login: None,
                    tls: None,
                    will: Some(broker::Will {
                        topic: topics.status(),
                        payload: OFFLINE.into(),
                    }),
                },
                password_file: None,
                prefix: "sunledger".into(),
                discovery: None,
                every: Duration::from_secs(1),
                park,
                sinks: vec!["ha".into()],
            },
            stats: Arc::default(),
            committed: watch::Sender::new(0),
            cursors: Arc::default(),
            stop: CancellationToken::new(),
            task: None,
        }
    }

    /// Starts the sink behind the last cursor that it reported.
    fn start(&mut self) {
        let (cursor_out, mut moves) = mpsc::channel(4);
        let cursors = Arc::clone(&self.cursors);
        tokio::spawn(async move {
            while let Some((_, seq)) = moves.recv().await {
                cursors.lock().unwrap().push(seq);
            }
        });
        self.stop = CancellationToken::new();
        self.task = Some(tokio::spawn(run(
            self.settings.clone(),
            self.cursor(),
            self.journal.clone(),
            self.committed.subscribe(),
            cursor_out,
            self.stop.clone(),
            Arc::clone(&self.stats),
        )));
    }

    fn commit(&self, text: &str) -> u64 {
        let seq = self.journal.append(text);
        self.committed.send_replace(seq);
        seq
    }

    fn cursor(&self) -> u64 {
        self.cursors.lock().unwrap().last().copied().unwrap_or(0)
    }

    async fn until(&self, what: &str, so: impl Fn() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !so() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let numbers = self.stats.numbers();
        assert!(
            waited.await.is_ok(),
            "waited in vain until {what}; {numbers:?}"
        );
    }

    async fn settled(&self, seq: u64) {
        self.until("the cursor is there", || self.cursor() >= seq)
            .await;
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        self.task.take().unwrap().await.unwrap();
    }

    /// Ends like a killed process: without a word to the broker.
    async fn kill(&mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        let _ = task.await;
    }
}

fn reading(place: i64) -> String {
    let at = START_MS + place * 1_000;
    format!("weather,meter=dni,park=p,role=weather dni_wm2={place}.0,quality=0i {at}\n")
}

/// A settled interval that no other row is.
fn interval(place: i64, revision: i64) -> String {
    let at = START_MS + place * 60_000;
    format!(
        "interval,flow=import,park=p,revision={revision} wh={place}.0,mwh={place}000i,coverage_pct=100.0,quality=0i,length_s=60i {at}\n"
    )
}

fn numbers(subscriber: &Subscriber) -> Vec<(f64, i64)> {
    let heard = subscriber.on("sunledger/p/interval/import");
    let bodies = heard.iter().map(|one| one.json());
    let number = |body: Json| {
        (
            body["wh"].as_f64().unwrap(),
            body["revision"].as_i64().unwrap(),
        )
    };
    bodies.map(number).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn states_are_kept_and_a_stop_says_goodbye_in_either_version() {
    for version in BOTH {
        let broker = Mosquitto::start();
        let mut rig = Rig::new(broker.port);
        rig.settings.broker.version = version;
        rig.settings.discovery = Some("homeassistant".into());
        rig.start();
        let balance =
            format!("balance,carrier=electricity,park=p import_w=5.5,quality=7i {START_MS}\n");
        rig.commit(&format!("{}{balance}{}", reading(7), interval(1, 1)));
        rig.settled(1).await;
        // Who comes later is told what stands, and not what once happened.
        let late = Subscriber::start(&broker);
        let heard = late
            .until("the states came", |heard| heard.len() >= 5)
            .await;
        let told = |topic: &str| {
            let of = heard.iter().filter(|one| one.topic == topic);
            let all: Vec<_> = of.collect();
            assert_eq!(all.len(), 1, "{topic} in {heard:#?}");
            assert!(all[0].retained, "{topic}");
            all[0].payload.clone()
        };
        assert_eq!(told("sunledger/p/status"), "online");
        let dni: Json = serde_json::from_str(&told("sunledger/p/meter/dni")).unwrap();
        assert_eq!(
            dni,
            json!({"at": "2026-06-03T06:00:07+00:00", "dni_wm2": 7.0, "quality": "good", "reason": null, "role": "weather"})
        );
        let flows: Json = serde_json::from_str(&told("sunledger/p/balance/electricity")).unwrap();
        assert_eq!(
            (&flows["import_w"], &flows["load_w"]),
            (&json!(5.5), &Json::Null)
        );
        told("homeassistant/device/sunledger_p/config");
        told("homeassistant/device/sunledger_p_dni/config");
        assert!(late.on("sunledger/p/interval").is_empty());
        rig.stop().await;
        let gone = late.until("it is offline", |heard| {
            heard.last().is_some_and(|last| last.payload == "offline")
        });
        let gone = gone.await;
        let statuses = gone.iter().filter(|one| one.topic == "sunledger/p/status");
        let statuses: Vec<&str> = statuses.map(|one| &*one.payload).collect();
        assert_eq!(
            statuses,
            ["online", "offline"],
            "said once, not also by the will"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_word_the_will_says_it_and_the_next_start_says_otherwise() {
    for version in BOTH {
        let broker = Mosquitto::start();
        let listener = Subscriber::of(&broker, "sunledger/p/status", &[]);
        let mut rig = Rig::new(broker.port);
        rig.settings.broker.version = version;
        rig.start();
        let says = |count: usize, word: &'static str| {
            move |heard: &[crate::support::subscriber::Heard]| {
                heard.len() == count && heard.last().is_some_and(|last| last.payload == word)
            }
        };
        listener.until("it is online", says(1, "online")).await;
        rig.kill().await;
        listener
            .until("the will is published", says(2, "offline"))
            .await;
        rig.start();
        listener.until("it is back", says(3, "online")).await;
        rig.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_brings_the_newest_state_first_and_then_every_interval_in_order() {
    let broker = Mosquitto::start();
    let listener = Subscriber::of(&broker, "sunledger/p/#", &[]);
    let mut rig = Rig::new(broker.port);
    // The quarter of an hour meter is not among the last blocks.
    let rare = format!("sunledger,park=p backlog_points=3i {START_MS}\n");
    let mut last = rig.commit(&rare);
    let mut expected = Vec::new();
    for place in 1..=3_000_i64 {
        let mut text = reading(place);
        if place % 2 == 0 {
            text.push_str(&interval(place, place % 5));
            expected.push((place as f64, place % 5));
        }
        last = rig.commit(&text);
    }
    rig.start();
    rig.settled(last).await;
    let all = listener
        .until("every interval came", |heard| {
            heard.len() >= expected.len() + 3
        })
        .await;
    assert_eq!(numbers(&listener), expected, "each once, in order");
    assert_eq!(all[0].payload, "online");
    assert_eq!(all[1].topic, "sunledger/p/meter/dni");
    assert_eq!(all[1].json()["dni_wm2"], 3_000.0, "the newest goes first");
    let told = listener.on("sunledger/p/meter/dni");
    assert_eq!(told.len(), 1, "no old state hides it: {told:?}");
    let health = listener.on("sunledger/p/health");
    assert_eq!(health.len(), 1);
    assert_eq!(health[0].json()["backlog_points"], 3);
    let numbers = rig.stats.numbers();
    assert_eq!(numbers.delivered_points, rig.journal.points());
    assert_eq!((numbers.backlog_points, numbers.oldest), (0, None));
    assert_eq!(numbers.messages, Some(expected.len() as u64 + 3));
    assert!(numbers.passed_over.unwrap() >= 2_880, "{numbers:?}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_broker_loses_no_interval() {
    let mut broker = Mosquitto::with(|dir| {
        format!(
            "allow_anonymous true\npersistence true\npersistence_location {}/\nmax_queued_messages 0\n",
            dir.display()
        )
    });
    let listener = Subscriber::of(&broker, "sunledger/p/interval/#", &[]);
    let mut rig = Rig::new(broker.port);
    rig.start();
    let mut expected = Vec::new();
    let mut commit = |rig: &Rig, place: i64| {
        expected.push((place as f64, 1));
        rig.commit(&format!("{}{}", reading(place), interval(place, 1)))
    };
    for place in 1..=3 {
        commit(&rig, place);
    }
    rig.settled(3).await;
    broker.end();
    for place in 4..=40 {
        commit(&rig, place);
    }
    rig.until("it says that it waits", || {
        let numbers = rig.stats.numbers();
        numbers.last_error.is_some() && numbers.backlog_points > 0 && numbers.oldest.is_some()
    })
    .await;
    assert_eq!(rig.cursor(), 3, "nothing has arrived");
    // The sink is started again meanwhile, and goes on from its cursor.
    rig.kill().await;
    rig.start();
    broker.run();
    let last = commit(&rig, 41);
    rig.settled(last).await;
    let came = expected.len();
    listener
        .until("all came", |heard| heard.len() >= came)
        .await;
    assert_eq!(numbers(&listener), expected);
    let numbers = rig.stats.numbers();
    assert_eq!((numbers.last_error, numbers.backlog_points), (None, 0));
    rig.stop().await;
}

/// A connection of the sink, accepted.
async fn welcome(broker: &FakeBroker) -> Peer {
    let mut peer = broker.accept().await;
    let Packet::Connect(connect) = peer.next().await else {
        panic!("CONNECT comes first");
    };
    let will = connect.last_will.expect("a last will");
    assert_eq!(
        (&*will.topic, &*will.message),
        ("sunledger/p/status", &b"offline"[..])
    );
    assert!(will.retain && connect.clean_session);
    let ack = ConnAck::new(ConnectReturnCode::Success, false);
    peer.send(Packet::ConnAck(ack)).await;
    peer
}

async fn message(peer: &mut Peer) -> Publish {
    match peer.next().await {
        Packet::Publish(publish) => publish,
        other => panic!("{other:?} is no message"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cursor_moves_when_the_last_acknowledgement_is_in() {
    let broker = FakeBroker::start().await;
    let mut rig = Rig::new(broker.port);
    rig.commit(&format!("{}{}", interval(1, 1), reading(1)));
    rig.start();
    let mut peer = welcome(&broker).await;
    let status = message(&mut peer).await;
    peer.send(Packet::PubAck(PubAck::new(status.pkid))).await;
    let first = message(&mut peer).await;
    let second = message(&mut peer).await;
    assert_eq!(first.topic, "sunledger/p/interval/import");
    assert_eq!(
        (second.topic.as_str(), second.retain),
        ("sunledger/p/meter/dni", true)
    );
    peer.send(Packet::PubAck(PubAck::new(second.pkid))).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(rig.cursor(), 0, "the interval is not acknowledged");
    // The connection breaks: what was not acknowledged comes again, whole.
    drop(peer);
    let mut peer = welcome(&broker).await;
    let status = message(&mut peer).await;
    peer.send(Packet::PubAck(PubAck::new(status.pkid))).await;
    let again = message(&mut peer).await;
    assert_eq!((again.topic, again.payload), (first.topic, first.payload));
    peer.send(Packet::PubAck(PubAck::new(again.pkid))).await;
    let state = message(&mut peer).await;
    assert_eq!(
        state.topic, second.topic,
        "nobody knows what the broker has"
    );
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(rig.cursor(), 0);
    peer.send(Packet::PubAck(PubAck::new(state.pkid))).await;
    rig.settled(1).await;
    rig.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_holds_everything_and_raises_an_alarm() {
    let broker = Mosquitto::with(|dir| {
        let acl = dir.join("acl");
        std::fs::write(&acl, "topic read #\ntopic write sunledger/p/status\n").unwrap();
        format!("allow_anonymous true\nacl_file {}\n", acl.display())
    });
    let mut rig = Rig::new(broker.port);
    rig.settings.broker.version = Version::V5;
    rig.commit(&interval(1, 1));
    rig.start();
    rig.until("it is an alarm", || rig.stats.numbers().alarm.is_some())
        .await;
    let alarm = rig.stats.numbers().alarm.unwrap();
    assert!(alarm.contains("NotAuthorized"), "{alarm}");
    assert!(
        alarm.contains("may this user publish to sunledger/p/#?"),
        "{alarm}"
    );
    assert_eq!(rig.cursor(), 0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_replaced_works_without_a_restart() {
    let broker = Mosquitto::with(|dir| {
        let file = dir.join("passwords");
        let made = std::process::Command::new("mosquitto_passwd")
            .args(["-b", "-c", file.to_str().unwrap(), "box", "right"])
            .status();
        assert!(made.unwrap().success());
        format!("allow_anonymous false\npassword_file {}\n", file.display())
    });
    let mut rig = Rig::new(broker.port);
    let password = broker.dir.path().join("password");
    std::fs::write(&password, "wrong-secret\n").unwrap();
    rig.settings.broker.login = Some(("box".into(), Secret::new("wrong-secret")));
    rig.settings.password_file = Some(password.clone());
    let seq = rig.commit(&interval(1, 1));
    rig.start();
    rig.until("it is refused", || rig.stats.numbers().last_error.is_some())
        .await;
    let words = rig.stats.numbers().last_error.unwrap();
    assert!(words.contains("refuses the connection"), "{words}");
    assert!(!words.contains("wrong-secret"), "{words}");
    std::fs::write(&password, "right\n").unwrap();
    rig.settled(seq).await;
    assert_eq!(rig.stats.numbers().last_error, None);
    rig.stop().await;
}
