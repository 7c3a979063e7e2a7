//! A disk that is behind, a topic list that changed, and the few things that are said to
//! a broker: with one that is told what to do, packet by packet.

use std::time::Duration;

use prost::Message as _;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, Publish, SubAck, SubscribeReasonCode, UnsubAck,
};
use sunledger::domain::quality::Reason;
use sunledger::source::mqtt::{MAX_UNACKED, Settings, Subscription};
use sunledger::wire::mqtt::reader::Outlook;
use sunledger::wire::mqtt::sparkplug::{self, RawMetric, RawPayload, RawValue};
use sunledger::wire::mqtt::{Filter, Speech, Way};
use sunledger::wire::register::Decode;

use super::{Source, analog, plain, settings, store};
use crate::support::fake_broker::{FakeBroker, Peer};

/// More than may wait for the disk.
const FLOOD: u16 = 6_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_behind_holds_the_broker_back_and_the_keep_alive_goes_on() {
    let broker = FakeBroker::start().await;
    let one_second = Settings {
        keep_alive: Duration::from_secs(1),
        ..plain(broker.port)
    };
    let mut source = Source::with_queue(one_second, usize::from(FLOOD) * 2);
    let mut peer = broker.welcome(false).await;
    for pkid in 1..=FLOOD {
        peer.publish(pkid, "park/dni", &pkid.to_string(), false)
            .await;
    }
    let mut waiting = Vec::new();
    while waiting.len() < MAX_UNACKED {
        waiting.push(source.next().await);
    }
    // Longer than a broker waits for a sign of life.
    let six_seconds = Duration::from_secs(6);
    let said = tokio::time::timeout(six_seconds, peer.next()).await;
    assert!(
        said.is_err(),
        "an acknowledgement of what is not stored: {said:?}"
    );
    assert!(peer.pings >= 3, "{} pings", peer.pings);
    assert!(source.hears_nothing().await, "no message more is read");
    for heard in &mut waiting {
        store(heard);
    }
    // The disk is back: everything comes, in order, on the same connection.
    for pkid in 1..=FLOOD {
        if usize::from(pkid) > MAX_UNACKED {
            let mut heard = source.next().await;
            assert_eq!(heard.values, [(0, analog(f64::from(pkid)))]);
            store(&mut heard);
        }
        assert_eq!(peer.acked().await, pkid);
    }
    assert_eq!(source.stats.dropped(), 0);
}

/// The next connection, of which every packet up to the first subscription is told.
async fn greeted(broker: &FakeBroker, kept: bool) -> (Peer, Vec<Packet>) {
    let mut peer = broker.accept().await;
    assert!(matches!(peer.next().await, Packet::Connect(_)));
    let ack = ConnAck::new(ConnectReturnCode::Success, kept);
    peer.send(Packet::ConnAck(ack)).await;
    let mut said = Vec::new();
    loop {
        let packet = peer.next().await;
        said.push(packet.clone());
        if let Packet::Subscribe(subscribe) = packet {
            let granted = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)];
            peer.send(Packet::SubAck(SubAck::new(subscribe.pkid, granted)))
                .await;
            return (peer, said);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_the_configuration_no_longer_has_is_unsubscribed() {
    let broker = FakeBroker::start().await;
    let dir = tempfile::tempdir().unwrap();
    let notes = Some(dir.path().join("brokers/park.json"));
    let noting = |subscriptions| Settings {
        notes: notes.clone(),
        ..settings(broker.port, subscriptions)
    };
    let mut wild = super::sensor(0, "park/dni", None);
    wild.ways[0].filter = Filter::new("meters/+/power", &[]).unwrap();
    let source = Source::start(noting(vec![wild]));
    drop(greeted(&broker, true).await);
    source.kill().await;
    for answered in [false, true, true] {
        let source = Source::start(noting(vec![super::sensor(0, "park/dni", None)]));
        let (mut peer, said) = greeted(&broker, true).await;
        let gone = said.iter().find_map(|packet| match packet {
            Packet::Unsubscribe(packet) => Some(packet.clone()),
            _ => None,
        });
        match gone {
            Some(gone) => {
                assert_eq!(gone.topics, ["meters/+/power"]);
                if answered {
                    peer.send(Packet::UnsubAck(UnsubAck::new(gone.pkid))).await;
                }
            }
            None => {
                // It was answered the last time, and is forgotten here as well.
                source.kill().await;
                return;
            }
        }
        tokio::time::sleep(super::A_WHILE).await;
        source.kill().await;
    }
    panic!("it is unsubscribed for ever");
}

fn node(read_only: bool, port: u16) -> Settings {
    let plain = Decode::Analog {
        scale: 1.0,
        offset: 0.0,
    };
    let outlook = Outlook {
        node: ("park".into(), "edge1".into()),
        device: Some("meter1".into()),
        metrics: vec![(0, "ActivePower".into(), plain)],
    };
    let sensor = Subscription {
        ways: vec![Way {
            filter: Filter::new(&sparkplug::filter("park", "edge1"), &[]).unwrap(),
            speech: Speech::Sparkplug(outlook),
        }],
        ..super::sensor(0, "", None)
    };
    Settings {
        read_only,
        ..settings(port, vec![sensor])
    }
}

async fn sparkplug_says(peer: &mut Peer, topic: &str, seq: Option<u64>, metrics: Vec<RawMetric>) {
    let payload = RawPayload {
        timestamp: None,
        metrics,
        seq,
    };
    let publish = Publish::new(topic, QoS::AtMostOnce, payload.encode_to_vec());
    peer.send(Packet::Publish(publish)).await;
}

fn power(name: Option<&str>, value: f32) -> RawMetric {
    RawMetric {
        name: name.map(str::to_owned),
        alias: Some(10),
        datatype: Some(9),
        value: Some(RawValue::Float(value)),
        ..RawMetric::default()
    }
}

fn bd_seq(number: u64) -> RawMetric {
    RawMetric {
        name: Some("bdSeq".into()),
        datatype: Some(8),
        value: Some(RawValue::Long(number)),
        ..RawMetric::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sparkplug_node_is_asked_for_its_birth_and_dies_at_once() {
    let broker = FakeBroker::start().await;
    let mut source = Source::start(node(false, broker.port));
    let (mut peer, _) = greeted(&broker, false).await;
    let Packet::Publish(asked) = peer.next().await else {
        panic!("what was missed is asked for");
    };
    assert_eq!(asked.topic, "spBv1.0/park/NCMD/edge1");
    let asked = RawPayload::decode(&*asked.payload).unwrap();
    assert_eq!(
        asked.metrics[0].name.as_deref(),
        Some("Node Control/Rebirth")
    );
    assert_eq!(asked.metrics[0].value, Some(RawValue::Boolean(true)));

    sparkplug_says(
        &mut peer,
        "spBv1.0/park/NBIRTH/edge1",
        Some(0),
        vec![bd_seq(3)],
    )
    .await;
    let born = vec![power(Some("ActivePower"), -1_250.5)];
    sparkplug_says(&mut peer, "spBv1.0/park/DBIRTH/edge1/meter1", Some(1), born).await;
    assert_eq!(source.next().await.values, [(0, analog(-1_250.5))]);
    sparkplug_says(
        &mut peer,
        "spBv1.0/park/DDATA/edge1/meter1",
        Some(2),
        vec![power(None, -1_300.0)],
    )
    .await;
    assert_eq!(source.next().await.values, [(0, analog(-1_300.0))]);
    sparkplug_says(
        &mut peer,
        "spBv1.0/park/NDEATH/edge1",
        None,
        vec![bd_seq(2)],
    )
    .await;
    assert!(source.hears_nothing().await, "a death of an earlier life");
    sparkplug_says(
        &mut peer,
        "spBv1.0/park/NDEATH/edge1",
        None,
        vec![bd_seq(3)],
    )
    .await;
    let heard = source.next().await;
    assert_eq!(heard.values, [(0, Err(Reason::NotAvailable))]);
    assert_eq!(
        heard.detail.as_deref(),
        Some("spBv1.0/park/NDEATH/edge1 says that the device is not there")
    );
    peer.send(Packet::Publish(Publish::new(
        "spBv1.0/park/NBIRTH/edge1",
        QoS::AtMostOnce,
        vec![0xFF],
    )))
    .await;
    while source.stats.rejected()[4] != ("malformed", 1) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_to_a_broker_that_is_read_only() {
    let broker = FakeBroker::start().await;
    let mut settings = node(true, broker.port);
    settings.subscriptions[0].keep_talking = Some("R/c0619ab1234c/keepalive".into());
    let _source = Source::start(settings.clone());
    let (mut peer, said) = greeted(&broker, false).await;
    assert!(matches!(&said[..], [Packet::Subscribe(_)]), "{said:?}");
    assert!(peer.is_silent(super::A_WHILE).await);
    drop(peer);

    settings.read_only = false;
    settings.client_id = "another".into();
    let _other = Source::start(settings);
    let (mut peer, _) = greeted(&broker, false).await;
    let mut topics = Vec::new();
    while topics.len() < 2 {
        let Packet::Publish(message) = peer.next().await else {
            panic!("requests alone");
        };
        topics.push(message.topic);
    }
    topics.sort();
    assert_eq!(
        topics,
        ["R/c0619ab1234c/keepalive", "spBv1.0/park/NCMD/edge1"]
    );
}
