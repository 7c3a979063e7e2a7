//! Packets as the session knows them, whatever version the broker speaks.
//!
//! ```text
//!   session ◀── Incoming ── v3 │ v5 ◀── bytes
//!           ── Outgoing ──▶ v3 │ v5 ──▶ bytes
//! ```
//!
//! The codecs are those of rumqttc, whose types for 3.1.1 and 5 have nothing in
//! common; each is translated in a file of its own, and nothing else knows of them.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::{Settings, v3, v5};
use crate::wire::mqtt::Version;

/// What a broker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// The connection is accepted.
    Connected(Greeting),
    /// It is not, for people.
    Refused(String),
    /// Subscriptions, granted or not, in the order in which they were asked for.
    Subscribed { pkid: u16, granted: Vec<bool> },
    /// A message of ours that the broker has, or refuses, for people.
    Acked { pkid: u16, refused: Option<String> },
    /// Subscriptions that are gone.
    Unsubscribed(u16),
    /// A message.
    Message(Message),
    /// A message that was skipped, since it is larger than any sensor's.
    TooLarge(TooLarge),
    /// The broker closes the connection, and says why.
    Closing(String),
    /// Nothing that anyone waits for.
    Other,
}

/// How a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greeting {
    /// Whether the broker kept what it knew of us.
    pub session_kept: bool,
    /// The keep-alive that the broker insists on.
    pub keep_alive: Option<Duration>,
    /// Messages that the broker takes ahead of its acknowledgements, where it says.
    pub most_unacked: Option<u16>,
}

/// A message of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: Bytes,
    /// Under which it is acknowledged; none where nobody waits for that.
    pub pkid: Option<u16>,
    /// Whether it was sent before.
    pub dup: bool,
    /// Whether it was kept for whoever subscribes.
    pub retain: bool,
}

/// A message that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    pub topic: String,
    pub pkid: Option<u16>,
    pub bytes: usize,
}

/// What we say.
#[derive(Debug, Clone, Copy)]
pub enum Outgoing<'a> {
    Connect(&'a Settings),
    Subscribe {
        pkid: u16,
        filters: &'a [String],
    },
    Unsubscribe {
        pkid: u16,
        filters: &'a [String],
    },
    Ack(u16),
    /// With quality of service 0.
    Publish {
        topic: &'a str,
        payload: &'a [u8],
    },
    /// With quality of service 1.
    Deliver {
        pkid: u16,
        topic: &'a str,
        payload: &'a [u8],
        retain: bool,
    },
    Ping,
    Disconnect,
}

/// Appends a packet to what is sent next.
pub fn write(version: Version, packet: Outgoing<'_>, to: &mut BytesMut) -> Result<(), String> {
    match version {
        Version::V3 => v3::write(packet, to),
        Version::V5 => v5::write(packet, to),
    }
}

/// Bytes into packets.
#[derive(Debug)]
pub struct Frames {
    version: Version,
    most: usize,
    pub bytes: BytesMut,
    /// What is still to be skipped of a message that is too large.
    skip: usize,
}

/// The first nibble of a message.
const PUBLISH: u8 = 3;
/// What stands before the payload of a message and is no payload.
pub const MESSAGE_HEAD: usize = 64 * 1_024;

impl Frames {
    /// Packets of this version, with payloads of at most so many bytes.
    pub fn new(version: Version, max_payload: usize) -> Self {
        Self {
            version,
            most: max_payload + MESSAGE_HEAD,
            bytes: BytesMut::new(),
            skip: 0,
        }
    }

    /// The next packet, if it is here whole.
    pub fn next(&mut self) -> Result<Option<Incoming>, String> {
        if self.skip > 0 {
            let here = self.skip.min(self.bytes.len());
            let _ = self.bytes.split_to(here);
            self.skip -= here;
        }
        let Some((head, length)) = length(&self.bytes)? else {
            return Ok(None);
        };
        if length > self.most {
            return self.oversize(head, length);
        }
        if self.bytes.len() < head + length {
            return Ok(None);
        }
        let mut frame = self.bytes.split_to(head + length);
        match self.version {
            Version::V3 => v3::read(&mut frame),
            Version::V5 => v5::read(&mut frame),
        }
        .map(Some)
    }

    /// Reads what is needed to acknowledge a message, and skips the rest.
    fn oversize(&mut self, head: usize, length: usize) -> Result<Option<Incoming>, String> {
        let first = self.bytes.first().copied().unwrap_or_default();
        if first >> 4 != PUBLISH {
            return Err(format!("a packet of {length} bytes that is no message"));
        }
        let rest = self.bytes.get(head..).unwrap_or_default();
        let Some((high, low)) = rest.first().zip(rest.get(1)) else {
            return Ok(None);
        };
        let topic_end = 2 + usize::from(u16::from_be_bytes([*high, *low]));
        let with_pkid = first & 0b0110 != 0;
        let (Some(topic), Some(pkid)) =
            (rest.get(2..topic_end), rest.get(topic_end..topic_end + 2))
        else {
            return Ok(None);
        };
        let large = TooLarge {
            topic: String::from_utf8_lossy(topic).into_owned(),
            pkid: match pkid {
                [high, low] if with_pkid => Some(u16::from_be_bytes([*high, *low])),
                _ => None,
            },
            bytes: length,
        };
        self.skip = head + length;
        Ok(Some(Incoming::TooLarge(large)))
    }
}

/// Length of the fixed head and of what follows it, once both are known.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, String> {
    let mut length = 0;
    for (place, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some((place + 2, length)));
        }
    }
    if bytes.len() >= 5 {
        return Err("a packet without a length".into());
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(qos: u8, payload: usize) -> Vec<u8> {
        let topic = b"park/dni";
        let pkid: &[u8] = if qos > 0 { &[0x12, 0x34] } else { &[] };
        let mut length = 2 + topic.len() + pkid.len() + payload;
        let mut bytes = vec![0x30 | qos << 1];
        loop {
            let more = length >> 7;
            bytes.push(u8::try_from(length & 0x7F).unwrap() | if more > 0 { 0x80 } else { 0 });
            length = more;
            if length == 0 {
                break;
            }
        }
        bytes.extend([0, 8]);
        bytes.extend(topic);
        bytes.extend(pkid);
        bytes.extend(std::iter::repeat_n(b'7', payload));
        bytes
    }

    #[test]
    fn a_message_that_is_too_large_is_skipped_and_the_next_one_is_whole() {
        for qos in [0, 1] {
            let mut frames = Frames::new(Version::V3, 1_000);
            let mut wire = message(qos, MESSAGE_HEAD + 2_000);
            wire.extend(message(1, 3));
            let mut found = Vec::new();
            for byte in wire.chunks(777) {
                frames.bytes.extend_from_slice(byte);
                while let Some(packet) = frames.next().unwrap() {
                    found.push(packet);
                }
                assert!(frames.bytes.len() < 2_000, "nothing of it is kept");
            }
            let pkid = (qos > 0).then_some(0x1234);
            let [Incoming::TooLarge(large), Incoming::Message(next)] = &found[..] else {
                panic!("{found:?}");
            };
            assert_eq!((&*large.topic, large.pkid), ("park/dni", pkid));
            assert_eq!(next.payload, "777");
        }
    }

    #[test]
    fn a_length_without_an_end_is_an_error() {
        let mut frames = Frames::new(Version::V3, 1_000);
        frames
            .bytes
            .extend_from_slice(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]);
        assert!(frames.next().is_err());
        let mut frames = Frames::new(Version::V5, 1_000);
        frames.bytes.extend_from_slice(&[0x90, 0xFF, 0xFF, 0x7F]);
        assert!(
            frames.next().is_err(),
            "an acknowledgement of two megabytes"
        );
    }

    proptest! {
        /// Whatever bytes come, in whatever pieces, nothing panics.
        #[test]
        fn no_bytes_upset_the_codecs(bytes in prop::collection::vec(any::<u8>(), 0..200), five in any::<bool>()) {
            let version = if five { Version::V5 } else { Version::V3 };
            let mut frames = Frames::new(version, 1_000);
            for piece in bytes.chunks(7) {
                frames.bytes.extend_from_slice(piece);
                while let Ok(Some(_)) = frames.next() {}
            }
        }

        /// The same for packets of a right length, of every kind.
        #[test]
        fn no_packet_upsets_the_codecs(kind in 0..16_u8, flags in 0..16_u8, body in prop::collection::vec(any::<u8>(), 0..100), five in any::<bool>()) {
            let version = if five { Version::V5 } else { Version::V3 };
            let mut frames = Frames::new(version, 1_000);
            frames.bytes.extend_from_slice(&[kind << 4 | flags, u8::try_from(body.len()).unwrap()]);
            frames.bytes.extend_from_slice(&body);
            let _ = frames.next();
        }
    }
}
