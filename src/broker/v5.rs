//! MQTT 5, by rumqttc's codec.
//!
//! A broker is told how large a packet may be, so that it sends no larger one, and
//! that it keeps the session for as long as a 3.1.1 broker would. Topic aliases are
//! not asked for.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    Connect, ConnectProperties, ConnectReturnCode, Disconnect, DisconnectReasonCode, Filter,
    LastWill, Login, Packet, PingReq, PubAck, PubAckReason, Publish, Subscribe,
    SubscribeReasonCode, Unsubscribe,
};

use super::packet::{Greeting, Incoming, MESSAGE_HEAD, Message, Outgoing};

/// The session does not end by itself, as in 3.1.1.
const NEVER_EXPIRES: u32 = u32::MAX;

pub fn write(packet: Outgoing<'_>, to: &mut BytesMut) -> Result<(), String> {
    let packet = match packet {
        Outgoing::Connect(settings) => {
            let most = settings.max_payload + MESSAGE_HEAD;
            let properties = ConnectProperties {
                session_expiry_interval: settings.keep_session.then_some(NEVER_EXPIRES),
                max_packet_size: u32::try_from(most).ok(),
                ..ConnectProperties::new()
            };
            let connect = Connect {
                keep_alive: settings.keep_alive_s(),
                client_id: settings.client_id.clone(),
                clean_start: !settings.keep_session,
                properties: Some(properties),
            };
            let login = settings
                .login
                .as_ref()
                .map(|(user, password)| Login::new(user, password.expose()));
            let will = settings.will.as_ref().map(|will| {
                LastWill::new(&will.topic, &*will.payload, QoS::AtLeastOnce, true, None)
            });
            Packet::Connect(connect, will, login)
        }
        Outgoing::Subscribe { pkid, filters } => {
            let filters = filters
                .iter()
                .map(|path| Filter::new(path.clone(), QoS::AtLeastOnce));
            let mut subscribe = Subscribe::new_many(filters, None);
            subscribe.pkid = pkid;
            Packet::Subscribe(subscribe)
        }
        Outgoing::Unsubscribe { pkid, filters } => Packet::Unsubscribe(Unsubscribe {
            pkid,
            filters: filters.to_vec(),
            properties: None,
        }),
        Outgoing::Ack(pkid) => Packet::PubAck(PubAck::new(pkid, None)),
        Outgoing::Publish { topic, payload } => Packet::Publish(Publish::new(
            topic,
            QoS::AtMostOnce,
            Bytes::copy_from_slice(payload),
            None,
        )),
        Outgoing::Deliver {
            pkid,
            topic,
            payload,
            retain,
        } => {
            let payload = Bytes::copy_from_slice(payload);
            let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload, None);
            publish.pkid = pkid;
            publish.retain = retain;
            Packet::Publish(publish)
        }
        Outgoing::Ping => Packet::PingReq(PingReq),
        Outgoing::Disconnect => {
            Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection))
        }
    };
    let written = packet.write(to, None);
    written.map(|_| ()).map_err(|error| error.to_string())
}

pub fn read(frame: &mut BytesMut) -> Result<Incoming, String> {
    let packet = Packet::read(frame, None).map_err(|error| error.to_string())?;
    Ok(match packet {
        Packet::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
            let properties = ack.properties.as_ref();
            let keep_alive = properties.and_then(|known| known.server_keep_alive);
            Incoming::Connected(Greeting {
                session_kept: ack.session_present,
                keep_alive: keep_alive.map(|seconds| Duration::from_secs(u64::from(seconds))),
                most_unacked: properties.and_then(|known| known.receive_max),
            })
        }
        Packet::ConnAck(ack) => {
            let said = ack.properties.and_then(|known| known.reason_string);
            let code = ack.code;
            Incoming::Refused(said.map_or(format!("{code:?}"), |said| format!("{code:?}: {said}")))
        }
        Packet::SubAck(ack) => Incoming::Subscribed {
            pkid: ack.pkid,
            granted: ack
                .return_codes
                .iter()
                .map(|code| matches!(code, SubscribeReasonCode::Success(_)))
                .collect(),
        },
        Packet::PubAck(ack) => {
            let stored = matches!(
                ack.reason,
                PubAckReason::Success | PubAckReason::NoMatchingSubscribers
            );
            Incoming::Acked {
                pkid: ack.pkid,
                refused: (!stored).then(|| format!("{:?}", ack.reason)),
            }
        }
        Packet::UnsubAck(ack) => Incoming::Unsubscribed(ack.pkid),
        Packet::Publish(message) if message.qos == QoS::ExactlyOnce => {
            return Err("a message of a quality of service that was not asked for".into());
        }
        Packet::Publish(message) => {
            let topic = str::from_utf8(&message.topic).map_err(|_| "a topic that is no text")?;
            Incoming::Message(Message {
                topic: topic.to_owned(),
                pkid: (message.qos == QoS::AtLeastOnce).then_some(message.pkid),
                payload: message.payload,
                dup: message.dup,
                retain: message.retain,
            })
        }
        Packet::Disconnect(end) => {
            let said = end.properties.and_then(|known| known.reason_string);
            let code = end.reason_code;
            Incoming::Closing(said.map_or(format!("{code:?}"), |said| format!("{code:?}: {said}")))
        }
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
