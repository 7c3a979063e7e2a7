//! Broker and database: there, gone, and there again.

use super::*;

use std::sync::atomic::Ordering;

use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
use sunledger::simulate::rehearsal::broker::{self, Sensor};

use crate::support::http;

fn with_services() -> Settings {
    let sensor = Sensor {
        id: "dni".into(),
        role: Role::named("weather").unwrap(),
        topic: "park/dni".into(),
        every: Duration::from_millis(100),
        retained: false,
        values: vec![(
            Some("/sun/0".into()),
            register(
                "dni",
                0,
                Number::F64,
                Decode::Analog {
                    scale: 1.0,
                    offset: 0.0,
                },
            ),
        )],
    };
    let broker = broker::Settings {
        name: "park".into(),
        listen: anywhere(),
        sensors: vec![sensor],
    };
    Settings {
        brokers: vec![broker],
        database: Some(anywhere()),
        ..metering(At::Tcp(anywhere()))
    }
}

#[tokio::test]
async fn sensors_speak_while_they_and_their_broker_live() {
    let park = rehearsal::start(with_services()).await.unwrap();
    let address = park.brokers()[0].1;
    let options = MqttOptions::new("test", address.ip().to_string(), address.port());
    let (client, mut events) = AsyncClient::new(options, 10);
    let (heard, mut messages) = tokio::sync::mpsc::unbounded_channel();
    let (state, mut connected) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                    client.subscribe("park/#", QoS::AtLeastOnce).await.unwrap();
                    state.send_replace(true);
                }
                Ok(Event::Incoming(Incoming::Publish(message))) => {
                    heard.send(message.payload).unwrap();
                }
                Ok(_) => {}
                Err(_) => {
                    state.send_replace(false);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    });
    let payload = timeout(LONG, messages.recv()).await.unwrap().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    let dni = document.pointer("/sun/0").unwrap().as_f64().unwrap();
    assert!((400.0..800.0).contains(&dni), "{dni}");

    park.faults().on("dead:dni").unwrap();
    tokio::time::sleep(QUIET).await;
    while messages.try_recv().is_ok() {}
    tokio::time::sleep(3 * QUIET).await;
    assert!(messages.try_recv().is_err(), "a dead sensor says nothing");
    assert!(*connected.borrow());
    park.faults().off("dead").unwrap();
    timeout(LONG, messages.recv()).await.unwrap().unwrap();

    park.faults().on("broker-down:park").unwrap();
    timeout(LONG, connected.wait_for(|up| !up))
        .await
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    park.faults().off("broker-down:park").unwrap();
    timeout(LONG, connected.wait_for(|up| *up))
        .await
        .unwrap()
        .unwrap();
    while messages.try_recv().is_ok() {}
    timeout(LONG, messages.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_database_takes_everything_or_nothing() {
    let park = rehearsal::start(with_services()).await.unwrap();
    let (address, written) = park.database().unwrap();
    for (fault, code) in [
        (None, 204),
        (Some("database-down"), 503),
        (Some("database-down:401"), 401),
    ] {
        park.faults().off("*").unwrap();
        if let Some(fault) = fault {
            park.faults().on(fault).unwrap();
        }
        let request = format!(
            "POST /api/v2/write?org=a&bucket=b HTTP/1.1\r\nHost: {address}\r\n\
             Content-Length: 7\r\nConnection: close\r\n\r\na b=1 1"
        );
        assert_eq!(
            http::exchange(address, &request).await.code,
            code,
            "{fault:?}"
        );
    }
    let of = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    assert_eq!(
        (of(&written.taken), of(&written.refused), of(&written.bytes)),
        (1, 2, 7)
    );
}
