//! MQTT against Debian's mosquitto, and against a broker that is told what to say.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode, Packet, SubAck, SubscribeReasonCode};
use sunledger::domain::quality::Reason;
use sunledger::domain::snapshot::Value;
use sunledger::source::mqtt::{self, Settings, Subscription, Tls};
use sunledger::source::{Heard, Outcome, SourceStats};
use sunledger::sys::secret::Secret;
use sunledger::wire::mqtt::{Extract, Filter, Numbers, Place, Reader, Speech, Way};
use sunledger::wire::register::Decode;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::fake_broker::FakeBroker;
use crate::support::mosquitto::Mosquitto;

mod flood;
mod held_back;
mod mappings;
mod versions;

/// No test waits longer: a machine may be slow, not stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// Long enough for a wrong packet to show itself.
const A_WHILE: Duration = Duration::from_millis(300);

/// A source under test.
struct Source {
    heard: mpsc::Receiver<Heard>,
    stop: CancellationToken,
    stats: Arc<SourceStats>,
    task: JoinHandle<()>,
}

impl Source {
    fn start(settings: Settings) -> Self {
        Self::with_queue(settings, 1_024)
    }

    fn with_queue(settings: Settings, capacity: usize) -> Self {
        let (tx, heard) = mpsc::channel(capacity);
        let stop = CancellationToken::new();
        let stats = Arc::new(SourceStats::new(16));
        let run = mqtt::run(settings, tx, stop.clone(), Arc::clone(&stats));
        Self {
            heard,
            stop,
            stats,
            task: tokio::spawn(run),
        }
    }

    async fn next(&mut self) -> Heard {
        let heard = timeout(PATIENCE, self.heard.recv()).await;
        heard.expect("something is heard").expect("the source runs")
    }

    /// The next one that has a value, stored at once.
    async fn next_value(&mut self) -> Heard {
        loop {
            let mut heard = self.next().await;
            if heard.values.iter().any(|(_, value)| value.is_ok()) {
                store(&mut heard);
                return heard;
            }
        }
    }

    async fn hears_nothing(&mut self) -> bool {
        timeout(A_WHILE, self.heard.recv()).await.is_err()
    }

    /// Ends like a killed process: without a word to the broker.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Until the broker has granted the subscriptions: what it is told from here
    /// on comes.
    async fn subscribed(&mut self, broker: &Mosquitto, topic: &str) {
        loop {
            broker.publish(topic, "-1");
            if let Ok(Some(mut heard)) = timeout(A_WHILE, self.heard.recv()).await {
                store(&mut heard);
                if heard.values[0].1 == analog(-1.0) {
                    break;
                }
            }
        }
        // One marker may have crossed the next.
        while let Ok(Some(mut heard)) = timeout(A_WHILE, self.heard.recv()).await {
            store(&mut heard);
        }
    }
}

fn store(heard: &mut Heard) {
    if let Some(receipt) = heard.receipt.take() {
        let _ = receipt.send(());
    }
}

fn settings(port: u16, subscriptions: Vec<Subscription>) -> Settings {
    Settings {
        name: "park".into(),
        client_id: "sunledger-test".into(),
        subscriptions,
        ..Settings::at("127.0.0.1", port)
    }
}

fn sensor(meter: usize, topic: &str, pointer: Option<&str>) -> Subscription {
    let reader = Reader {
        points: vec![extract(0, pointer, 0.0)],
        ..Reader::default()
    };
    Subscription {
        meter,
        points: vec![0],
        ways: vec![Way {
            filter: Filter::exactly(topic),
            speech: Speech::Values(reader),
        }],
        stand_for: Some(Duration::from_secs(15)),
        retained_ok: false,
        keep_talking: None,
    }
}

fn extract(point: usize, pointer: Option<&str>, offset: f64) -> Extract {
    Extract {
        point,
        places: pointer
            .iter()
            .map(|text| Place::parse(text).unwrap())
            .collect(),
        errors: Vec::new(),
        numbers: Numbers::Plain,
        decode: Decode::Analog { scale: 1.0, offset },
    }
}

fn plain(port: u16) -> Settings {
    settings(port, vec![sensor(0, "park/dni", None)])
}

fn analog(value: f64) -> Result<Value, Reason> {
    Ok(Value::Analog(value))
}

#[tokio::test(flavor = "multi_thread")]
async fn sensors_speak_plain_numbers_and_json() {
    let broker = Mosquitto::start();
    let mut weather = sensor(1, "park/weather", Some("/dni"));
    weather.points.push(1);
    if let Speech::Values(reader) = &mut weather.ways[0].speech {
        reader.points.push(extract(1, Some("/air/temp"), -273.15));
    }
    let subscriptions = vec![
        sensor(0, "park/dni", None),
        weather,
        sensor(2, "park/weather", Some("/ghi")),
    ];
    let mut source = Source::start(settings(broker.port, subscriptions));
    source.subscribed(&broker, "park/dni").await;

    let published = Instant::now();
    broker.publish("park/dni", "812.5");
    let heard = source.next().await;
    assert_eq!((heard.meter, heard.values), (0, vec![(0, analog(812.5))]));
    assert_eq!(heard.detail, None);
    assert!(heard.receipt.is_some(), "quality of service 1");
    assert!(heard.at.elapsed() <= published.elapsed());

    broker.publish(
        "park/weather",
        r#"{"dni": 700, "air": {"temp": 293.15}, "ghi": "high"}"#,
    );
    let heard = source.next().await;
    assert_eq!(heard.meter, 1);
    assert_eq!(heard.values, [(0, analog(700.0)), (1, analog(20.0))]);
    let heard = source.next().await;
    assert_eq!(
        (heard.meter, heard.values),
        (2, vec![(0, Err(Reason::ShortAnswer))])
    );
    assert!(
        heard
            .detail
            .unwrap()
            .starts_with("park/weather says no number")
    );

    broker.publish_with("park/dni", "3", &["-q", "0"]);
    let heard = source.next().await;
    assert_eq!(heard.values, [(0, analog(3.0))]);
    assert!(
        heard.receipt.is_none(),
        "quality of service 0 is not acknowledged"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_without_a_number_is_a_gap_with_a_reason() {
    let broker = Mosquitto::start();
    let subscriptions = vec![
        sensor(0, "park/dni", None),
        sensor(1, "park/json", Some("/a")),
    ];
    let mut source = Source::start(settings(broker.port, subscriptions));
    source.subscribed(&broker, "park/dni").await;
    let bomb = "[".repeat(5_000);
    let cases = [
        ("park/dni", "NaN", Reason::NotAvailable),
        ("park/dni", "offline", Reason::ShortAnswer),
        ("park/dni", "", Reason::NotAvailable),
        ("park/json", r#"{"a": null}"#, Reason::NotAvailable),
        ("park/json", r#"{"b": 1}"#, Reason::ShortAnswer),
        ("park/json", "<html>", Reason::ShortAnswer),
        ("park/json", &bomb, Reason::ShortAnswer),
    ];
    for (topic, payload, reason) in cases {
        broker.publish(topic, payload);
        let heard = source.next().await;
        assert_eq!(heard.values, [(0, Err(reason))], "{topic} {payload}");
        let detail = heard.detail.unwrap();
        assert!(detail.starts_with(topic) && detail.len() < 120, "{detail}");
    }
    let counts = source.stats.snapshot();
    assert_eq!(counts[1].of(Outcome::Short), 4);
    assert_eq!(counts[1].of(Outcome::Ok), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_acknowledged_when_its_reading_is_on_disk_and_not_before() {
    let broker = Mosquitto::start();
    let mut source = Source::start(plain(broker.port));
    source.subscribed(&broker, "park/dni").await;
    broker.publish("park/dni", "1");
    let first = source.next().await;
    assert_eq!(first.values, [(0, analog(1.0))]);
    // The reading is on its way to the disk when the power goes.
    tokio::time::sleep(A_WHILE).await;
    source.kill().await;
    drop(first);
    broker.publish("park/dni", "2");

    // The broker kept both, the one that was heard and the one that was not.
    let mut source = Source::start(plain(broker.port));
    let mut again = source.next().await;
    assert_eq!(
        again.values,
        [(0, analog(1.0))],
        "it was acknowledged too early"
    );
    store(&mut again);
    assert_eq!(source.next_value().await.values, [(0, analog(2.0))]);
    tokio::time::sleep(A_WHILE).await;
    source.kill().await;

    // What was on disk does not come again.
    let mut source = Source::start(plain(broker.port));
    source.subscribed(&broker, "park/dni").await;
    broker.publish("park/dni", "3");
    assert_eq!(source.next_value().await.values, [(0, analog(3.0))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_for_what_is_on_its_way_to_the_disk() {
    let broker = Mosquitto::start();
    let mut source = Source::start(plain(broker.port));
    source.subscribed(&broker, "park/dni").await;
    broker.publish("park/dni", "1");
    let mut first = source.next().await;
    source.stop.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    store(&mut first);
    timeout(PATIENCE, source.task)
        .await
        .expect("it ends")
        .unwrap();

    broker.publish("park/dni", "2");
    let mut source = Source::start(plain(broker.port));
    assert_eq!(source.next_value().await.values, [(0, analog(2.0))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_restart_is_one_gap_for_each_sensor_and_then_readings_again() {
    let mut broker = Mosquitto::start();
    let subscriptions = vec![sensor(0, "park/dni", None), sensor(1, "park/ghi", None)];
    let mut source = Source::start(settings(broker.port, subscriptions));
    source.subscribed(&broker, "park/dni").await;
    broker.kill();
    for meter in 0..2 {
        let heard = source.next().await;
        assert_eq!(
            (heard.meter, heard.values),
            (meter, vec![(0, Err(Reason::Connect))])
        );
        let detail = heard.detail.unwrap();
        let expected = format!("no connection to the broker 127.0.0.1:{}: ", broker.port);
        assert!(detail.starts_with(&expected), "{detail}");
    }
    assert!(source.hears_nothing().await, "once is enough");
    // This broker keeps nothing: it has forgotten the session and its topics.
    broker.run();
    source.subscribed(&broker, "park/ghi").await;
    broker.publish("park/dni", "7");
    assert_eq!(source.next_value().await.values, [(0, analog(7.0))]);
    assert_eq!(source.stats.snapshot()[0].of(Outcome::Connect), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retained_message_is_a_reading_only_where_a_sensor_speaks_on_change() {
    let broker = Mosquitto::start();
    for topic in ["park/dni", "park/valve"] {
        broker.publish_with(topic, "5", &["-q", "1", "-r"]);
    }
    let mut valve = sensor(1, "park/valve", None);
    valve.retained_ok = true;
    let subscriptions = vec![sensor(0, "park/dni", None), valve];
    let mut source = Source::start(settings(broker.port, subscriptions));
    let heard = source.next_value().await;
    assert_eq!((heard.meter, heard.values), (1, vec![(0, analog(5.0))]));
    assert!(source.hears_nothing().await);
    broker.publish("park/dni", "6");
    let heard = source.next_value().await;
    assert_eq!((heard.meter, heard.values), (0, vec![(0, analog(6.0))]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_behind_loses_no_message() {
    let broker = Mosquitto::start();
    let mut source = Source::with_queue(plain(broker.port), 1);
    source.subscribed(&broker, "park/dni").await;
    for n in 0..30 {
        broker.publish("park/dni", &n.to_string());
    }
    for n in 0..30 {
        assert_eq!(
            source.next_value().await.values,
            [(0, analog(f64::from(n)))]
        );
    }
    assert_eq!(source.stats.dropped(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_with_login_hears_the_password_and_refuses_a_wrong_one() {
    let broker = Mosquitto::with(|dir| {
        let file = dir.join("passwords");
        let made = std::process::Command::new("mosquitto_passwd")
            .args(["-c", "-b"])
            .arg(&file)
            .args(["sunledger", "correct horse"])
            .status();
        assert!(made.unwrap().success());
        format!("allow_anonymous false\npassword_file {}\n", file.display())
    });
    let login = |password: &str| Settings {
        login: Some(("sunledger".into(), Secret::new(password))),
        ..plain(broker.port)
    };
    assert!(!format!("{:?}", login("correct horse")).contains("horse"));
    let mut source = Source::start(login("battery staple"));
    let heard = source.next().await;
    assert_eq!(heard.values, [(0, Err(Reason::Connect))]);
    let detail = heard.detail.unwrap();
    assert!(detail.contains("refuses the connection"), "{detail}");
    assert!(!detail.contains("staple"));
    source.kill().await;

    let mut source = Source::start(login("correct horse"));
    assert!(source.hears_nothing().await, "no complaint");
    let options = ["-q", "1", "-u", "sunledger", "-P", "correct horse"];
    broker.publish_with("park/dni", "4", &options);
    assert_eq!(source.next_value().await.values, [(0, analog(4.0))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_trusts_the_authority_of_the_park_and_no_stranger() {
    let openssl = |dir: &std::path::Path, line: &str| {
        let run = std::process::Command::new("openssl")
            .args(line.split(' '))
            .current_dir(dir)
            .output()
            .expect("openssl is missing; try\n  apt-get install -y openssl");
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
    };
    let broker = Mosquitto::with(|dir| {
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        for name in ["ca", "stranger"] {
            openssl(
                dir,
                &format!("req -x509 {key} -subj /CN={name} -keyout {name}.key -out {name}.pem"),
            );
        }
        openssl(
            dir,
            &format!(
                "req -x509 {key} -subj /CN=broker -addext subjectAltName=IP:127.0.0.1 \
             -addext basicConstraints=critical,CA:FALSE -CA ca.pem -CAkey ca.key \
             -keyout broker.key -out broker.pem"
            )
            .replace("  ", " "),
        );
        let dir = dir.display();
        format!("allow_anonymous true\ncertfile {dir}/broker.pem\nkeyfile {dir}/broker.key\n")
    });
    let trusting = |file: &str| Settings {
        tls: Some(Tls {
            ca_file: Some(broker.dir.path().join(file)),
            identity: None,
        }),
        ..plain(broker.port)
    };
    for (file, expected) in [
        ("stranger.pem", "UnknownIssuer"),
        ("missing.pem", "missing.pem"),
    ] {
        let mut source = Source::start(trusting(file));
        let heard = source.next().await;
        assert_eq!(heard.values, [(0, Err(Reason::Connect))]);
        let detail = heard.detail.unwrap();
        assert!(detail.contains(expected), "{detail}");
        source.kill().await;
    }
    let mut source = Source::start(trusting("ca.pem"));
    assert!(source.hears_nothing().await, "no complaint");
    let ca = broker.dir.path().join("ca.pem").display().to_string();
    broker.publish_with("park/dni", "9", &["-q", "1", "--cafile", &ca]);
    assert_eq!(source.next_value().await.values, [(0, analog(9.0))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgements_keep_the_order_of_arrival() {
    let broker = FakeBroker::start().await;
    let mut source = Source::start(plain(broker.port));
    let mut peer = broker.welcome(false).await;
    for pkid in [11, 12, 13] {
        peer.publish(pkid, "park/dni", &pkid.to_string(), false)
            .await;
    }
    let mut heard = [
        source.next().await,
        source.next().await,
        source.next().await,
    ];
    store(&mut heard[2]);
    store(&mut heard[1]);
    assert!(peer.is_silent(A_WHILE).await, "the first is not on disk");
    store(&mut heard[0]);
    for pkid in [11, 12, 13] {
        assert_eq!(peer.acked().await, pkid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redelivery_is_not_a_new_reading_and_waits_for_the_first() {
    let broker = FakeBroker::start().await;
    let mut source = Source::start(plain(broker.port));
    let mut peer = broker.welcome(false).await;
    peer.publish(1, "park/dni", "10", false).await;
    peer.publish(2, "park/dni", "20", false).await;
    let (mut first, mut second) = (source.next().await, source.next().await);
    drop(peer);
    assert_eq!(source.next().await.values, [(0, Err(Reason::Connect))]);

    // The broker sends again what was not acknowledged, and something new.
    let mut peer = broker.welcome(true).await;
    peer.publish(1, "park/dni", "10", true).await;
    peer.publish(2, "park/dni", "20", true).await;
    peer.publish(3, "park/dni", "20", false).await;
    let mut third = source.next().await;
    assert_eq!(third.values, [(0, analog(20.0))]);
    assert!(
        third.late,
        "the session was kept: nobody knows of when it is"
    );
    store(&mut third);
    assert!(peer.is_silent(A_WHILE).await, "the first is not on disk");
    store(&mut first);
    store(&mut second);
    for pkid in [1, 2, 3] {
        assert_eq!(peer.acked().await, pkid);
    }
    // Nothing newer comes: the last word is taken for now, once.
    let now = source.next().await;
    assert_eq!((now.values, now.late), (vec![(0, analog(20.0))], false));
    assert!(now.receipt.is_none());
    assert!(source.hears_nothing().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_is_lost_on_the_way_to_the_disk_comes_again() {
    let broker = FakeBroker::start().await;
    let mut source = Source::start(plain(broker.port));
    let mut peer = broker.welcome(false).await;
    peer.publish(1, "park/dni", "10", false).await;
    drop(source.next().await);
    // Only a new connection makes a broker send again.
    let mut peer = broker.welcome(true).await;
    peer.publish(1, "park/dni", "10", true).await;
    let again = source.next_value().await;
    assert_eq!(again.values, [(0, analog(10.0))]);
    assert_eq!(peer.acked().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_receipt_is_not_taken_for_a_message_of_the_next_connection() {
    let broker = FakeBroker::start().await;
    let mut source = Source::start(plain(broker.port));
    let mut peer = broker.welcome(false).await;
    peer.publish(1, "park/dni", "10", false).await;
    let mut first = source.next().await;
    drop(peer);
    // The broker has lost the session; its identifiers begin anew.
    let mut peer = broker.welcome(false).await;
    peer.publish(1, "park/dni", "99", false).await;
    let mut other = source.next().await;
    while other.values != [(0, analog(99.0))] {
        other = source.next().await;
    }
    store(&mut first);
    assert!(peer.is_silent(A_WHILE).await, "the other is not on disk");
    store(&mut other);
    assert_eq!(peer.acked().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_subscription_is_a_gap_that_says_so() {
    let broker = FakeBroker::start().await;
    let subscriptions = vec![sensor(0, "park/dni", None), sensor(1, "secret/dni", None)];
    let mut source = Source::start(settings(broker.port, subscriptions));
    let mut peer = broker.accept().await;
    peer.next().await;
    let ack = ConnAck::new(ConnectReturnCode::Success, false);
    peer.send(Packet::ConnAck(ack)).await;
    let Packet::Subscribe(subscribe) = peer.next().await else {
        panic!("topics are subscribed");
    };
    let codes = subscribe
        .filters
        .iter()
        .map(|filter| match filter.path.as_str() {
            "secret/dni" => SubscribeReasonCode::Failure,
            _ => SubscribeReasonCode::Success(filter.qos),
        });
    let codes = codes.collect();
    peer.send(Packet::SubAck(SubAck::new(subscribe.pkid, codes)))
        .await;
    let heard = source.next().await;
    assert_eq!(
        (heard.meter, heard.values),
        (1, vec![(0, Err(Reason::Connect))])
    );
    let detail = heard.detail.unwrap();
    assert!(
        detail.starts_with("the subscription to secret/dni is refused"),
        "{detail}"
    );
    assert!(source.hears_nothing().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_an_older_configuration_is_unsubscribed() {
    let broker = FakeBroker::start().await;
    let mut source = Source::start(plain(broker.port));
    let mut peer = broker.welcome(true).await;
    peer.publish(5, "park/gone", "1", false).await;
    let mut unsubscribed = false;
    let mut acked = false;
    while !(unsubscribed && acked) {
        match peer.next().await {
            Packet::Unsubscribe(packet) => {
                assert_eq!(packet.topics, ["park/gone"]);
                unsubscribed = true;
            }
            Packet::PubAck(ack) => acked = ack.pkid == 5,
            other => panic!("{other:?}"),
        }
    }
    assert!(source.hears_nothing().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_hangs_up_at_once_is_not_hammered() {
    let broker = FakeBroker::start().await;
    let _source = Source::start(plain(broker.port));
    let started = Instant::now();
    for _ in 0..3 {
        drop(broker.accept().await);
    }
    // One second, then two, each a fifth off at most.
    assert!(started.elapsed() >= Duration::from_millis(2_400));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_ends_when_nobody_listens() {
    let broker = FakeBroker::start().await;
    let source = Source::start(plain(broker.port));
    let _peer = broker.welcome(false).await;
    drop(source.heard);
    timeout(PATIENCE, source.task)
        .await
        .expect("it ends")
        .unwrap();
}
