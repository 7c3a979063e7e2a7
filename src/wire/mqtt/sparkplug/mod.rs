//! Sparkplug B: topics, protobuf payloads, and the request to be born again.
//!
//! ```text
//!   spBv1.0 / group / NBIRTH NDATA NDEATH          / edge
//!                   / DBIRTH DDATA DDEATH          / edge / device
//! ```
//!
//! Numbers of the fields and of the data types are those of `sparkplug_b.proto` of
//! Eclipse Tahu. What a host does not need (templates, data sets, metadata) is skipped
//! as unknown fields are.

mod node;

use jiff::Timestamp;
use prost::Message;

pub use node::{Malformed, Metric, Node, Taken, Word};

/// The first level of every topic.
const NAMESPACE: &str = "spBv1.0";
/// The metric whose truth asks a node to be born again.
const REBIRTH: &str = "Node Control/Rebirth";
/// The data type of a boolean.
const BOOLEAN: u32 = 11;

/// A payload on the wire.
#[derive(Clone, PartialEq, Message)]
pub struct RawPayload {
    /// When it was sent, ms.
    #[prost(uint64, optional, tag = "1")]
    pub timestamp: Option<u64>,
    /// The metrics.
    #[prost(message, repeated, tag = "2")]
    pub metrics: Vec<RawMetric>,
    /// The place in the node's sequence.
    #[prost(uint64, optional, tag = "3")]
    pub seq: Option<u64>,
}

/// A metric on the wire.
#[derive(Clone, PartialEq, Message)]
pub struct RawMetric {
    /// Its name; may be missing where an alias was announced.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// A number in place of the name.
    #[prost(uint64, optional, tag = "2")]
    pub alias: Option<u64>,
    /// When the value was true, ms.
    #[prost(uint64, optional, tag = "3")]
    pub timestamp: Option<u64>,
    /// The type of the value.
    #[prost(uint32, optional, tag = "4")]
    pub datatype: Option<u32>,
    /// Whether it is of the past.
    #[prost(bool, optional, tag = "5")]
    pub is_historical: Option<bool>,
    /// Whether there is no value.
    #[prost(bool, optional, tag = "7")]
    pub is_null: Option<bool>,
    /// The value.
    #[prost(oneof = "RawValue", tags = "10, 11, 12, 13, 14, 15")]
    pub value: Option<RawValue>,
}

/// A value on the wire, as far as it can be a number.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum RawValue {
    /// Up to 32 bits, signed ones as two's complement.
    #[prost(uint32, tag = "10")]
    Int(u32),
    /// 64 bits.
    #[prost(uint64, tag = "11")]
    Long(u64),
    /// Single precision.
    #[prost(float, tag = "12")]
    Float(f32),
    /// Double precision.
    #[prost(double, tag = "13")]
    Double(f64),
    /// True or false.
    #[prost(bool, tag = "14")]
    Boolean(bool),
    /// Text.
    #[prost(string, tag = "15")]
    Text(String),
}

/// What a topic announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A birth: every metric with name and value.
    Birth,
    /// Values that changed.
    Data,
    /// A death.
    Death,
}

/// A topic of a node or of a device behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic<'a> {
    /// The group.
    pub group: &'a str,
    /// The edge node.
    pub edge: &'a str,
    /// The device; none where the node speaks for itself.
    pub device: Option<&'a str>,
    /// What it announces.
    pub kind: Kind,
}

impl<'a> Topic<'a> {
    /// A topic that a node publishes; none for commands, hosts, and anything else.
    #[must_use]
    pub fn parse(topic: &'a str) -> Option<Self> {
        let mut levels = topic.split('/');
        if levels.next()? != NAMESPACE {
            return None;
        }
        let (group, word, edge) = (levels.next()?, levels.next()?, levels.next()?);
        let device = levels.next();
        let kind = match word.get(1..)? {
            "BIRTH" => Kind::Birth,
            "DATA" => Kind::Data,
            "DEATH" => Kind::Death,
            _ => return None,
        };
        let of_device = match word.get(..1)? {
            "N" => false,
            "D" => true,
            _ => return None,
        };
        let whole = levels.next().is_none() && of_device == device.is_some();
        whole.then_some(Self {
            group,
            edge,
            device,
            kind,
        })
    }
}

/// The filter of everything that a node and its devices publish.
#[must_use]
pub fn filter(group: &str, edge: &str) -> String {
    format!("{NAMESPACE}/{group}/+/{edge}/#")
}

/// The command that asks a node for all of its births: topic and payload.
#[must_use]
pub fn rebirth(group: &str, edge: &str, at: Timestamp) -> (String, Vec<u8>) {
    let ms = u64::try_from(at.as_millisecond()).ok();
    let metric = RawMetric {
        name: Some(REBIRTH.to_owned()),
        timestamp: ms,
        datatype: Some(BOOLEAN),
        value: Some(RawValue::Boolean(true)),
        ..RawMetric::default()
    };
    let payload = RawPayload {
        timestamp: ms,
        metrics: vec![metric],
        seq: None,
    };
    (
        format!("{NAMESPACE}/{group}/NCMD/{edge}"),
        payload.encode_to_vec(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics() {
        let topic = |text| {
            Topic::parse(text).map(|topic| (topic.group, topic.edge, topic.device, topic.kind))
        };
        #[rustfmt::skip]
        let cases = [
            ("spBv1.0/park/NBIRTH/edge1",        Some(("park", "edge1", None,           Kind::Birth))),
            ("spBv1.0/park/DDATA/edge1/meter1",  Some(("park", "edge1", Some("meter1"), Kind::Data))),
            ("spBv1.0/park/NDEATH/edge1",        Some(("park", "edge1", None,           Kind::Death))),
            ("spBv1.0/park/DDATA/edge1",         None),
            ("spBv1.0/park/NDATA/edge1/meter1",  None),
            ("spBv1.0/park/NCMD/edge1",          None),
            ("spBv1.0/STATE/ems1",               None),
            ("spBv1.0/park/ÜDATA/edge1",         None),
            ("spAv1.0/park/NDATA/edge1",         None),
        ];
        for (text, expected) in cases {
            assert_eq!(topic(text), expected, "{text}");
        }
    }

    /// The bytes here are laid out by hand from the numbers of the fields.
    #[test]
    fn a_rebirth_is_asked_for_as_the_standard_says() {
        let at = Timestamp::from_millisecond(1).unwrap();
        let (topic, payload) = rebirth("park", "edge1", at);
        assert_eq!(topic, "spBv1.0/park/NCMD/edge1");
        let mut metric = vec![0x0A, 20];
        metric.extend(b"Node Control/Rebirth");
        metric.extend([0x18, 1, 0x20, 11, 0x70, 1]);
        let mut expected = vec![0x08, 1, 0x12, 28];
        expected.extend(metric);
        assert_eq!(payload, expected);
    }
}
