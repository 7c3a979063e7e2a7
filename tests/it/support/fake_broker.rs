//! A broker that says exactly what a test tells it to, packet by packet.

use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck};
use rumqttc::mqttbytes::{QoS, v4::SubscribeReasonCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const MAX: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// The listening side.
pub struct FakeBroker {
    listener: TcpListener,
    pub port: u16,
}

/// One connection of a client.
pub struct Peer {
    stream: TcpStream,
    buffer: BytesMut,
    /// How often the client asked whether the connection lives.
    pub pings: usize,
}

impl FakeBroker {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    /// The next connection, before a word is said.
    pub async fn accept(&self) -> Peer {
        let accepted = timeout(PATIENCE, self.listener.accept()).await;
        let (stream, _) = accepted.expect("a client connects").unwrap();
        Peer {
            stream,
            buffer: BytesMut::new(),
            pings: 0,
        }
    }

    /// The next connection, accepted, and its subscriptions granted.
    pub async fn welcome(&self, session_present: bool) -> Peer {
        let mut peer = self.accept().await;
        let Packet::Connect(connect) = peer.next().await else {
            panic!("CONNECT comes first");
        };
        assert!(!connect.clean_session, "the session is a persistent one");
        let ack = ConnAck::new(ConnectReturnCode::Success, session_present);
        peer.send(Packet::ConnAck(ack)).await;
        let Packet::Subscribe(subscribe) = peer.next().await else {
            panic!("topics are subscribed on every connect");
        };
        let granted = SubscribeReasonCode::Success(QoS::AtLeastOnce);
        let granted = vec![granted; subscribe.filters.len()];
        peer.send(Packet::SubAck(SubAck::new(subscribe.pkid, granted)))
            .await;
        peer
    }
}

impl Peer {
    /// The next packet of the client other than a ping.
    pub async fn next(&mut self) -> Packet {
        let next = async {
            loop {
                if let Ok(packet) = Packet::read(&mut self.buffer, MAX) {
                    if packet == Packet::PingReq {
                        self.pings += 1;
                        self.send(Packet::PingResp).await;
                        continue;
                    }
                    return packet;
                }
                let n = self.stream.read_buf(&mut self.buffer).await.unwrap();
                assert!(n > 0, "the client hung up");
            }
        };
        timeout(PATIENCE, next)
            .await
            .expect("the client says something")
    }

    /// Whether the client says nothing for a while.
    pub async fn is_silent(&mut self, time: Duration) -> bool {
        self.buffer.is_empty()
            && timeout(time, self.stream.read_buf(&mut self.buffer))
                .await
                .is_err()
    }

    pub async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, MAX).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }

    pub async fn publish(&mut self, pkid: u16, topic: &str, payload: &str, dup: bool) {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.pkid = pkid;
        publish.dup = dup;
        self.send(Packet::Publish(publish)).await;
    }

    /// The identifier of the next packet, which is an acknowledgement.
    pub async fn acked(&mut self) -> u16 {
        match self.next().await {
            Packet::PubAck(PubAck { pkid }) => pkid,
            other => panic!("{other:?} is not an acknowledgement"),
        }
    }
}
