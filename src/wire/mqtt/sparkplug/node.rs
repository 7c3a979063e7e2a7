//! What a host remembers of a Sparkplug node: its births, and nothing else is certain.
//!
//! ```text
//!   NBIRTH seq 0 ─ DBIRTH 1 ─ DDATA 2 ─ … ─ 255 ─ 0 ─ …
//!      │  names, types, aliases      └─ a number is left out: rebirth
//!      └─ bdSeq ◀── the same ── NDEATH: everything of the node is gone
//! ```
//!
//! **An alias is worth what the last birth says, and nothing without it.** After a gap
//! in the sequence a birth may have been missed, so aliases are not believed until the
//! next; names are. A value is cast by the type of its birth: without one, an integer
//! may as well be negative, and is refused.

use std::collections::BTreeMap;

use jiff::Timestamp;
use prost::Message;

use super::{Kind, RawMetric, RawPayload, RawValue, Topic};
use crate::domain::quality::Reason;

/// The metric that ties a birth to its death.
const BD_SEQ: &str = "bdSeq";
/// Metrics of one node and its devices; a birth with more is refused.
const MOST_METRICS: usize = 20_000;
/// Devices behind one node; the birth of one more is refused.
const MOST_DEVICES: usize = 2_000;

/// A metric by its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The name of its birth.
    pub name: String,
    /// The number, or why there is none.
    pub value: Result<f64, Reason>,
    /// When it was true.
    pub time: Option<Timestamp>,
    /// Whether it is of the past, sent later.
    pub historical: bool,
}

/// What became of the node or of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It was born: every metric is here.
    Born,
    /// It goes on.
    Lives,
    /// It is gone, and of a node everything behind it.
    Died,
    /// A death of an earlier life, or nothing of use.
    Nothing,
}

/// What a message brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// What became of it.
    pub word: Word,
    /// Its metrics.
    pub metrics: Vec<Metric>,
    /// Whether something was missed that only a birth brings back.
    pub missed: bool,
}

/// A name and a type, as born.
#[derive(Debug, Clone)]
struct Born {
    name: String,
    datatype: Option<u32>,
}

/// The metrics of a node, or of one device, as born.
#[derive(Debug, Clone, Default)]
struct Births {
    by_alias: BTreeMap<u64, Born>,
    types: BTreeMap<String, u32>,
}

/// A node as its host knows it.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// By device; that of the node itself has none.
    births: BTreeMap<Option<String>, Births>,
    bd_seq: Option<u64>,
    /// The sequence number that comes next; none before a birth and after a gap.
    next: Option<u8>,
}

/// The message is not what Sparkplug says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl Node {
    /// Takes in a message of this node.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where the payload is none, or a birth of more than is remembered.
    /// It may have been a birth: no alias is believed until the next one.
    pub fn take(&mut self, topic: Topic<'_>, payload: &[u8]) -> Result<Taken, Malformed> {
        let taken = self.read(topic, payload);
        if taken.is_err() {
            self.next = None;
        }
        taken
    }

    fn read(&mut self, topic: Topic<'_>, payload: &[u8]) -> Result<Taken, Malformed> {
        let payload = RawPayload::decode(payload).map_err(|_| Malformed)?;
        let nothing = Taken {
            word: Word::Nothing,
            metrics: Vec::new(),
            missed: false,
        };
        let device = topic.device.map(str::to_owned);
        match (topic.kind, &device) {
            (Kind::Death, None) => {
                let died = bd_seq(&payload);
                if self.bd_seq.is_some() && died.is_some() && died != self.bd_seq {
                    return Ok(nothing);
                }
                *self = Self::default();
                Ok(Taken {
                    word: Word::Died,
                    ..nothing
                })
            }
            (Kind::Birth, None) => {
                *self = Self {
                    bd_seq: bd_seq(&payload),
                    ..Self::default()
                };
                self.room_for(&device, &payload)?;
                self.next = payload.seq.and_then(|seq| u8::try_from(seq).ok());
                let missed = !self.in_sequence(payload.seq);
                Ok(self.born(device, payload, missed))
            }
            (Kind::Birth, Some(_)) => {
                self.room_for(&device, &payload)?;
                let missed = !self.in_sequence(payload.seq);
                Ok(self.born(device, payload, missed))
            }
            (Kind::Death, Some(_)) => {
                let missed = !self.in_sequence(payload.seq);
                self.births.remove(&device);
                Ok(Taken {
                    word: Word::Died,
                    missed,
                    ..nothing
                })
            }
            (Kind::Data, _) => {
                let in_sequence = self.in_sequence(payload.seq);
                let births = self.births.get(&device);
                let mut missed = !in_sequence || births.is_none();
                let mut metrics = Vec::new();
                for raw in payload.metrics {
                    let known = births.and_then(|births| births.known(&raw, in_sequence));
                    match known {
                        Some(born) => metrics.push(metric(born, &raw, payload.timestamp)),
                        None => missed = true,
                    }
                }
                Ok(Taken {
                    word: Word::Lives,
                    metrics,
                    missed,
                })
            }
        }
    }

    /// Whether a message is the next one. After one that is not, none is until a birth.
    fn in_sequence(&mut self, seq: Option<u64>) -> bool {
        let as_expected = self.next.is_some() && self.next.map(u64::from) == seq;
        self.next = self
            .next
            .filter(|_| as_expected)
            .map(|next| next.wrapping_add(1));
        as_expected
    }

    /// Whether a birth can be remembered; one that the device had before makes room.
    fn room_for(&self, device: &Option<String>, payload: &RawPayload) -> Result<(), Malformed> {
        let others = self.births.iter().filter(|(other, _)| *other != device);
        let (devices, known) = others.fold((0, 0), |(devices, known), (_, births)| {
            (devices + 1, known + births.size())
        });
        if devices <= MOST_DEVICES && known + payload.metrics.len() <= MOST_METRICS {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    fn born(&mut self, device: Option<String>, payload: RawPayload, missed: bool) -> Taken {
        let mut births = Births::default();
        let mut metrics = Vec::new();
        for raw in payload.metrics {
            // A birth names every metric; what has no name can never be asked for.
            let Some(name) = raw.name.clone() else {
                continue;
            };
            let born = Born {
                name,
                datatype: raw.datatype,
            };
            if let Some(datatype) = raw.datatype {
                births.types.insert(born.name.clone(), datatype);
            }
            // A birth says what is, whenever that came to be.
            let value = Metric {
                time: time_of(payload.timestamp.or(raw.timestamp)),
                ..metric(born.clone(), &raw, payload.timestamp)
            };
            metrics.push(value);
            if let Some(alias) = raw.alias {
                births.by_alias.insert(alias, born);
            }
        }
        self.births.insert(device, births);
        Taken {
            word: Word::Born,
            metrics,
            missed,
        }
    }
}

impl Births {
    /// How many there are; a name may lack an alias, or a type.
    fn size(&self) -> usize {
        self.types.len().max(self.by_alias.len())
    }

    /// Which metric it is.
    fn known(&self, raw: &RawMetric, believe_alias: bool) -> Option<Born> {
        match (&raw.name, raw.alias) {
            (Some(name), _) => Some(Born {
                name: name.clone(),
                datatype: raw.datatype.or_else(|| self.types.get(name).copied()),
            }),
            (None, Some(alias)) if believe_alias => self.by_alias.get(&alias).cloned(),
            _ => None,
        }
    }
}

fn bd_seq(payload: &RawPayload) -> Option<u64> {
    let mut metrics = payload.metrics.iter();
    let metric = metrics.find(|metric| metric.name.as_deref() == Some(BD_SEQ))?;
    match metric.value {
        Some(RawValue::Long(number)) => Some(number),
        Some(RawValue::Int(number)) => Some(u64::from(number)),
        _ => None,
    }
}

fn metric(born: Born, raw: &RawMetric, sent: Option<u64>) -> Metric {
    let datatype = raw.datatype.or(born.datatype);
    Metric {
        value: if raw.is_null == Some(true) {
            Err(Reason::NotAvailable)
        } else {
            number(raw.value.as_ref(), datatype)
        },
        time: time_of(raw.timestamp.or(sent)),
        historical: raw.is_historical == Some(true),
        name: born.name,
    }
}

fn time_of(ms: Option<u64>) -> Option<Timestamp> {
    let ms = i64::try_from(ms?).ok()?;
    Timestamp::from_millisecond(ms).ok()
}

/// The number of a value of this type. Signed ones are two's complement in an unsigned
/// field, of their own width or of the field's.
#[allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss
)]
fn number(value: Option<&RawValue>, datatype: Option<u32>) -> Result<f64, Reason> {
    let number = match (value.ok_or(Reason::NotAvailable)?, datatype) {
        (RawValue::Float(number), _) => f64::from(*number),
        (RawValue::Double(number), _) => *number,
        (RawValue::Boolean(flag), _) => f64::from(u8::from(*flag)),
        (RawValue::Int(bits), Some(1)) => f64::from(*bits as i8),
        (RawValue::Int(bits), Some(2)) => f64::from(*bits as i16),
        (RawValue::Int(bits), Some(3)) => f64::from(*bits as i32),
        (RawValue::Int(bits), Some(4)) => f64::from(*bits as i32),
        (RawValue::Int(bits), Some(5..=8)) => f64::from(*bits),
        (RawValue::Long(bits), Some(1..=4)) => (*bits as i64) as f64,
        (RawValue::Long(bits), Some(5..=8)) => *bits as f64,
        _ => return Err(Reason::ShortAnswer),
    };
    if number.is_finite() {
        Ok(number)
    } else {
        Err(Reason::NotAvailable)
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
