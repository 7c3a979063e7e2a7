//! MQTT 3.1.1, by rumqttc's codec.

use bytes::BytesMut;
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{
    Connect, ConnectReturnCode, LastWill, Packet, PubAck, Publish, Subscribe, SubscribeFilter,
    SubscribeReasonCode, Unsubscribe,
};

use super::packet::{Greeting, Incoming, Message, Outgoing};

/// No packet of ours comes near.
const LARGEST: usize = 1 << 20;

pub fn write(packet: Outgoing<'_>, to: &mut BytesMut) -> Result<(), String> {
    let packet = match packet {
        Outgoing::Connect(settings) => {
            let mut connect = Connect::new(settings.client_id.clone());
            connect.clean_session = !settings.keep_session;
            connect.keep_alive = settings.keep_alive_s();
            if let Some((user, password)) = &settings.login {
                connect.set_login(user, password.expose());
            }
            connect.last_will = settings
                .will
                .as_ref()
                .map(|will| LastWill::new(&will.topic, &*will.payload, QoS::AtLeastOnce, true));
            Packet::Connect(connect)
        }
        Outgoing::Subscribe { pkid, filters } => {
            let filters = filters.iter().map(|path| SubscribeFilter {
                path: path.clone(),
                qos: QoS::AtLeastOnce,
            });
            let mut subscribe = Subscribe::new_many(filters);
            subscribe.pkid = pkid;
            Packet::Subscribe(subscribe)
        }
        Outgoing::Unsubscribe { pkid, filters } => Packet::Unsubscribe(Unsubscribe {
            pkid,
            topics: filters.to_vec(),
        }),
        Outgoing::Ack(pkid) => Packet::PubAck(PubAck::new(pkid)),
        Outgoing::Publish { topic, payload } => {
            Packet::Publish(Publish::new(topic, QoS::AtMostOnce, payload))
        }
        Outgoing::Deliver {
            pkid,
            topic,
            payload,
            retain,
        } => {
            let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
            publish.pkid = pkid;
            publish.retain = retain;
            Packet::Publish(publish)
        }
        Outgoing::Ping => Packet::PingReq,
        Outgoing::Disconnect => Packet::Disconnect,
    };
    let written = packet.write(to, LARGEST);
    written.map(|_| ()).map_err(|error| error.to_string())
}

pub fn read(frame: &mut BytesMut) -> Result<Incoming, String> {
    let most = frame.len();
    let packet = Packet::read(frame, most).map_err(|error| error.to_string())?;
    Ok(match packet {
        Packet::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
            Incoming::Connected(Greeting {
                session_kept: ack.session_present,
                keep_alive: None,
                most_unacked: None,
            })
        }
        Packet::ConnAck(ack) => Incoming::Refused(format!("{:?}", ack.code)),
        Packet::SubAck(ack) => Incoming::Subscribed {
            pkid: ack.pkid,
            granted: ack
                .return_codes
                .iter()
                .map(|code| *code != SubscribeReasonCode::Failure)
                .collect(),
        },
        // 3.1.1 has no way to refuse a message.
        Packet::PubAck(ack) => Incoming::Acked {
            pkid: ack.pkid,
            refused: None,
        },
        Packet::UnsubAck(ack) => Incoming::Unsubscribed(ack.pkid),
        Packet::Publish(message) if message.qos == QoS::ExactlyOnce => {
            return Err("a message of a quality of service that was not asked for".into());
        }
        Packet::Publish(message) => Incoming::Message(Message {
            pkid: (message.qos == QoS::AtLeastOnce).then_some(message.pkid),
            topic: message.topic,
            payload: message.payload,
            dup: message.dup,
            retain: message.retain,
        }),
        _ => Incoming::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn the_broker_keeps_the_session_unless_it_is_for_once() {
        for keep in [true, false] {
            let mut settings = Settings::at("127.0.0.1", 1883);
            settings.keep_session = keep;
            let mut bytes = BytesMut::new();
            write(Outgoing::Connect(&settings), &mut bytes).unwrap();
            // Behind two bytes of header, six of the name and one of the version.
            let is_clean = bytes[9] & 0b10 != 0;
            assert_eq!(is_clean, !keep);
        }
    }
}
