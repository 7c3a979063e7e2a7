//! The simulated park's broker, with rumqttc's client and with mosquitto's.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use sunledger::simulate::broker::Broker;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

use super::{LONG, park, tool};

fn mqtt(address: SocketAddr, name: &str) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(name, "127.0.0.1", address.port());
    options.set_keep_alive(Duration::from_secs(5));
    options.set_manual_acks(true);
    AsyncClient::new(options, 16)
}

/// Packets until one is what is looked for.
async fn until<T>(events: &mut EventLoop, mut found: impl FnMut(Packet) -> Option<T>) -> T {
    let search = async {
        loop {
            if let Event::Incoming(packet) = events.poll().await.expect("the broker is there")
                && let Some(found) = found(packet)
            {
                return found;
            }
        }
    };
    tokio::time::timeout(LONG, search).await.expect("in time")
}

fn publish(packet: Packet) -> Option<rumqttc::Publish> {
    match packet {
        Packet::Publish(message) => Some(message),
        _ => None,
    }
}

fn suback(packet: Packet) -> Option<rumqttc::SubAck> {
    match packet {
        Packet::SubAck(ack) => Some(ack),
        _ => None,
    }
}

#[tokio::test]
async fn sensors_speak_to_a_subscriber() {
    let park = park(Duration::ZERO).await;
    let (client, mut events) = mqtt(park.ports().broker, "reader");
    client.subscribe("park/#", QoS::AtLeastOnce).await.unwrap();
    let mut heard = std::collections::BTreeMap::new();
    while heard.len() < 3 {
        let message = until(&mut events, publish).await;
        assert_eq!(message.qos, QoS::AtLeastOnce);
        client.ack(&message).await.unwrap();
        let text = String::from_utf8(message.payload.to_vec()).unwrap();
        heard.insert(message.topic.clone(), text);
    }
    let weather: serde_json::Value = serde_json::from_str(&heard["park/weather"]).unwrap();
    for key in ["dni", "ghi", "wind", "temp"] {
        assert!(weather[key].is_f64(), "{key} in {weather}");
    }
    let angle: f64 = heard["park/field/tracker"].parse().unwrap();
    assert!((-110.0..=110.0).contains(&angle));
    let salt: serde_json::Value = serde_json::from_str(&heard["park/storage/salt"]).unwrap();
    assert!(salt["hot"].as_f64().unwrap() > salt["cold"].as_f64().unwrap());
    park.stop().await;
}

async fn broker() -> (
    SocketAddr,
    sunledger::simulate::broker::Publisher,
    CancellationToken,
) {
    let broker = Broker::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let (address, publisher, stop) = (
        broker.address().unwrap(),
        broker.publisher(),
        CancellationToken::new(),
    );
    tokio::spawn(broker.run(stop.clone()));
    (address, publisher, stop)
}

#[tokio::test]
async fn clients_hear_each_other_with_the_quality_they_asked_for() {
    let (address, _, stop) = broker().await;
    let (listener, mut heard) = mqtt(address, "listener");
    listener.subscribe("a/+", QoS::AtMostOnce).await.unwrap();
    until(&mut heard, suback).await;
    listener.subscribe("b/#", QoS::ExactlyOnce).await.unwrap();
    let granted = until(&mut heard, suback).await;
    assert_eq!(
        granted.return_codes,
        [rumqttc::SubscribeReasonCode::Success(QoS::AtLeastOnce)]
    );
    let (speaker, mut events) = mqtt(address, "speaker");
    for topic in ["a/x", "c/x", "b", "b/x/y"] {
        speaker
            .publish(topic, QoS::AtLeastOnce, false, topic)
            .await
            .unwrap();
        until(&mut events, |packet| {
            matches!(packet, Packet::PubAck(_)).then_some(())
        })
        .await;
    }
    for (topic, qos) in [
        ("a/x", QoS::AtMostOnce),
        ("b", QoS::AtLeastOnce),
        ("b/x/y", QoS::AtLeastOnce),
    ] {
        let message = until(&mut heard, publish).await;
        assert_eq!((message.topic.as_str(), message.qos), (topic, qos));
        assert_eq!(message.payload, topic.as_bytes());
        listener.ack(&message).await.unwrap();
    }
    listener.unsubscribe("b/#").await.unwrap();
    until(&mut heard, |packet| {
        matches!(packet, Packet::UnsubAck(_)).then_some(())
    })
    .await;
    stop.cancel();
}

#[tokio::test]
async fn a_retained_message_waits_for_its_subscriber() {
    let (address, publisher, stop) = broker().await;
    publisher.publish("state", "on", QoS::AtLeastOnce, true);
    publisher.publish("gone", "on", QoS::AtLeastOnce, true);
    publisher.publish("gone", "", QoS::AtLeastOnce, true);
    let (client, mut events) = mqtt(address, "late");
    client.subscribe("+", QoS::AtLeastOnce).await.unwrap();
    let message = until(&mut events, publish).await;
    assert_eq!((message.topic.as_str(), message.retain), ("state", true));
    client.ack(&message).await.unwrap();
    publisher.publish("state", "off", QoS::AtLeastOnce, true);
    let message = until(&mut events, publish).await;
    assert_eq!(
        (&message.payload[..], message.retain),
        (&b"off"[..], false),
        "live, not kept"
    );
    stop.cancel();
}

#[tokio::test]
async fn what_a_client_does_not_take_is_bounded_and_counted() {
    let (address, publisher, stop) = broker().await;
    let (client, mut events) = mqtt(address, "slow");
    client.subscribe("x", QoS::AtLeastOnce).await.unwrap();
    until(&mut events, suback).await;
    // Nothing is acknowledged: 64 in flight and 256 waiting are the most.
    for n in 0..1_000 {
        publisher.publish("x", &n.to_string(), QoS::AtLeastOnce, false);
    }
    assert!(
        (680..=744).contains(&publisher.dropped()),
        "{}",
        publisher.dropped()
    );
    for n in 0..64 {
        let message = until(&mut events, publish).await;
        assert_eq!(message.payload, n.to_string(), "in order");
        if n == 63 {
            let silence =
                tokio::time::timeout(Duration::from_millis(500), until(&mut events, publish));
            assert!(
                silence.await.is_err(),
                "the 65th waits for an acknowledgement"
            );
            client.ack(&message).await.unwrap();
        }
    }
    assert_eq!(until(&mut events, publish).await.payload, "64");
    stop.cancel();
}

#[tokio::test]
async fn a_client_that_comes_back_takes_its_name_over() {
    let (address, publisher, stop) = broker().await;
    let (first, mut events) = mqtt(address, "twin");
    first.subscribe("x", QoS::AtMostOnce).await.unwrap();
    until(&mut events, suback).await;
    let (second, mut others) = mqtt(address, "twin");
    second.subscribe("x", QoS::AtMostOnce).await.unwrap();
    until(&mut others, suback).await;
    assert!(
        tokio::time::timeout(LONG, events.poll())
            .await
            .unwrap()
            .is_err(),
        "put out"
    );
    assert_eq!((publisher.clients(), publisher.subscriptions()), (1, 1));
    stop.cancel();
}

#[tokio::test]
async fn a_client_that_speaks_no_mqtt_or_nothing_any_more_is_let_go() {
    let (address, publisher, stop) = broker().await;
    let mut stranger = tokio::net::TcpStream::connect(address).await.unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::io::AsyncReadExt::read_to_end(&mut stranger, &mut rest);
    // A reset is an end as well.
    let _ = tokio::time::timeout(LONG, ended).await.expect("closed");
    assert_eq!(rest, b"");

    // CONNECT of client `q` with a keep-alive of one second, then silence.
    let mut quiet = tokio::net::TcpStream::connect(address).await.unwrap();
    quiet
        .write_all(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x01\x00\x01q")
        .await
        .unwrap();
    let mut rest = Vec::new();
    let ended = tokio::io::AsyncReadExt::read_to_end(&mut quiet, &mut rest);
    let _ = tokio::time::timeout(LONG, ended).await.expect("closed");
    assert_eq!(rest, b"\x20\x02\x00\x00", "CONNACK alone");
    assert_eq!(publisher.clients(), 0);
    stop.cancel();
}

#[tokio::test]
async fn mosquitto_sub_hears_the_park() {
    let park = park(Duration::ZERO).await;
    let mut child = tool("mosquitto_sub", "mosquitto-clients")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &park.ports().broker.port().to_string(),
        ])
        .args([
            "-q",
            "1",
            "-v",
            "-C",
            "4",
            "-t",
            "park/+",
            "-t",
            "park/storage/#",
        ])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut heard = Vec::new();
    let listen = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            heard.push(line);
        }
        child.wait().await.unwrap()
    };
    let status = tokio::time::timeout(LONG, listen)
        .await
        .expect("four messages");
    assert!(status.success(), "{status}");
    assert_eq!(heard.len(), 4);
    assert!(
        heard
            .iter()
            .any(|line| line.starts_with("park/weather {\"dni\":")),
        "{heard:?}"
    );
    assert!(
        heard.iter().all(|line| !line.starts_with("park/field")),
        "{heard:?}"
    );
    park.stop().await;
}
