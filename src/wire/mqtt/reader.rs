//! What a sensor makes of a message: its values, their time, and what is wrong.
//!
//! ```text
//!   payload ─▶ is it for this sensor? ─▶ does the device say that it is well?
//!                     └▶ none                 └▶ every value is a gap
//!           ─▶ points: the first of their places that is there ─▶ value or reason
//! ```
//!
//! **A field that is missing is a gap where the device says everything each time, and
//! nothing where it says only what changed** (`partial`): never a zero.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::moment::Clock;
use super::payload::{Fault, Numbers, Payload};
use super::place::Place;
use super::sparkplug::{Kind, Taken, Topic, Word};
use super::topic::Filter;
use crate::domain::meter::PointIndex;
use crate::domain::quality::Reason;
use crate::domain::snapshot::Value;
use crate::wire::register::Decode;

/// Values by point, or why there is none.
pub type Values = Vec<(PointIndex, Result<Value, Reason>)>;

/// One way in which a sensor is heard.
#[derive(Debug, Clone)]
pub struct Way {
    /// Where its messages are.
    pub filter: Filter,
    /// What they say.
    pub speech: Speech,
}

/// What kind of message comes.
#[derive(Debug, Clone)]
pub enum Speech {
    /// Values, plain or in a document.
    Values(Reader),
    /// Whether the device is there.
    Presence(Words),
    /// Values of a Sparkplug node or device.
    Sparkplug(Outlook),
}

/// One number in a message.
#[derive(Debug, Clone)]
pub struct Extract {
    /// Whose value it is.
    pub point: PointIndex,
    /// Where it may stand: the first place that is there counts. None at all: the
    /// payload is the number.
    pub places: Vec<Place>,
    /// Where the device says that it could not read it.
    pub errors: Vec<Place>,
    /// Whether it may be text.
    pub numbers: Numbers,
    /// What it means.
    pub decode: Decode,
}

/// How a sensor reads its messages.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    /// The numbers.
    pub points: Vec<Extract>,
    /// Only documents in which these places say this are for the sensor.
    pub only: Vec<(Place, String)>,
    /// Where the device says how it is, and what it may say there.
    pub well: Option<(Place, Vec<String>)>,
    /// Where the time is.
    pub clock: Option<Clock>,
    /// What tells a repetition from a new message.
    pub identity: Option<Place>,
    /// Whether a missing field says nothing.
    pub partial: bool,
}

/// The words of a device that comes and goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Where the word is in a document; a plain word counts, too.
    pub place: Option<Place>,
    /// It is there.
    pub online: String,
    /// It is not.
    pub offline: String,
}

/// Which metrics of a Sparkplug node are a sensor's.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// Group and edge node.
    pub node: (String, String),
    /// The device behind the node; none for the node's own metrics.
    pub device: Option<String>,
    /// Metrics by name.
    pub metrics: Vec<(PointIndex, String, Decode)>,
}

/// What a message says to a sensor.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Said {
    /// Values by point, or why there is none.
    pub values: Values,
    /// When it was true, by its own word.
    pub time: Option<Timestamp>,
    /// The same for a message and its repetitions.
    pub identity: Option<String>,
    /// What is wrong with the device, in its own words.
    pub note: Option<String>,
    /// Why it is no document.
    pub fault: Option<Fault>,
    /// Whether it is of the past by its own word, and sent later.
    pub past: bool,
}

impl Reader {
    /// What a payload says; none where it is not for this sensor.
    #[must_use]
    pub fn read(&self, payload: &Payload<'_>) -> Option<Said> {
        if self.is_plain() {
            let one = |extract: &Extract| {
                let number = payload.number(extract.numbers);
                (
                    extract.point,
                    number.and_then(|number| extract.decode.float(number)),
                )
            };
            return Some(Said {
                values: self.points.iter().map(one).collect(),
                fault: payload.text().err(),
                ..Said::default()
            });
        }
        let document = match payload.document() {
            Ok(document) => document,
            Err(fault) => {
                return Some(Said {
                    fault: Some(fault),
                    ..self.all(Reason::ShortAnswer)
                });
            }
        };
        if document.is_null() {
            return Some(self.all(Reason::NotAvailable));
        }
        let is_ours = |(place, text): &(Place, String)| place.text(document).as_ref() == Some(text);
        if !self.only.iter().all(is_ours) {
            return None;
        }
        let identity = self
            .identity
            .as_ref()
            .and_then(|place| place.text(document));
        if let Some(note) = self.complaint(document) {
            return Some(Said {
                note: Some(note),
                identity,
                ..self.all(Reason::NotAvailable)
            });
        }
        let values: Values = self
            .points
            .iter()
            .filter_map(|extract| Some((extract.point, self.value(extract, document)?)))
            .collect();
        if values.is_empty() {
            return None;
        }
        let said = Said {
            values,
            identity,
            ..Said::default()
        };
        match self.clock.as_ref().map(|clock| clock.read(document)) {
            None => Some(said),
            Some(Ok(time)) => Some(Said { time, ..said }),
            Some(Err(_)) => Some(Said {
                note: Some("a time that cannot be read".into()),
                ..self.all(Reason::Clock)
            }),
        }
    }

    fn is_plain(&self) -> bool {
        self.points.iter().all(|extract| extract.places.is_empty())
    }

    fn all(&self, reason: Reason) -> Said {
        let points = self.points.iter();
        Said {
            values: points.map(|extract| (extract.point, Err(reason))).collect(),
            ..Said::default()
        }
    }

    /// What the device complains of.
    fn complaint(&self, document: &Json) -> Option<String> {
        let (place, fine) = self.well.as_ref()?;
        let says = place.text(document)?;
        (!fine.contains(&says)).then_some(says)
    }

    fn value(&self, extract: &Extract, document: &Json) -> Option<Result<Value, Reason>> {
        let number = extract
            .places
            .iter()
            .find_map(|place| place.number(document, extract.numbers));
        let failed = |place: &Place| place.find(document).is_some();
        match number {
            Some(number) => Some(number.and_then(|number| extract.decode.float(number))),
            None if extract.errors.iter().any(failed) => Some(Err(Reason::NotAvailable)),
            None if self.partial => None,
            None => Some(Err(Reason::ShortAnswer)),
        }
    }
}

impl Outlook {
    /// Whether a topic is of this sensor's node or device.
    #[must_use]
    pub fn is_of(&self, topic: &Topic<'_>) -> bool {
        let node = (topic.group, topic.edge) == (&*self.node.0, &*self.node.1);
        // A node takes everything behind it along.
        let dies = topic.kind == Kind::Death && topic.device.is_none();
        node && (dies || topic.device == self.device.as_deref())
    }

    /// What a message of the node says to this sensor: one word for each moment that
    /// its metrics are of.
    #[must_use]
    pub fn read(&self, taken: &Taken) -> Vec<Said> {
        let mut moments: Vec<Said> = Vec::new();
        // A node that was cut off sends thousands of moments at once.
        let mut places: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (point, name, decode) in &self.metrics {
            let mut before: BTreeMap<_, usize> = BTreeMap::new();
            let found = taken.metrics.iter().filter(|metric| metric.name == *name);
            let mut any = false;
            for metric in found {
                any = true;
                let value = metric.value.and_then(|number| decode.float(number));
                let when = (metric.time, metric.historical);
                // Of two values of one moment, the second is a moment of its own.
                let nth = before.entry(when).or_default();
                let of_then = places.entry(when).or_default();
                let place = of_then.get(*nth).copied();
                *nth += 1;
                match place.and_then(|place| moments.get_mut(place)) {
                    Some(moment) => moment.values.push((*point, value)),
                    None => {
                        of_then.push(moments.len());
                        moments.push(Said {
                            values: vec![(*point, value)],
                            time: metric.time,
                            past: metric.historical,
                            ..Said::default()
                        });
                    }
                }
            }
            if !any && taken.word == Word::Born {
                moments.push(Said {
                    values: vec![(*point, Err(Reason::ShortAnswer))],
                    note: Some(format!("no metric `{name}` in its birth")),
                    ..Said::default()
                });
            }
        }
        moments
    }
}

impl Words {
    /// Whether the device says that it is there; none where it says neither.
    #[must_use]
    pub fn is_there(&self, payload: &Payload<'_>) -> Option<bool> {
        let plain = payload.text().ok()?.trim();
        let placed = self.place.as_ref().and_then(|place| {
            let document = payload.document().ok()?;
            place.text(document)
        });
        let word = placed.as_deref().unwrap_or(plain);
        if word == self.offline {
            Some(false)
        } else {
            (word == self.online).then_some(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::moment::Format;
    use super::*;

    const PLAIN: Decode = Decode::Analog {
        scale: 1.0,
        offset: 0.0,
    };

    fn place(text: &str) -> Place {
        Place::parse(text).unwrap()
    }

    fn extract(point: PointIndex, places: &[&str]) -> Extract {
        Extract {
            point,
            places: places.iter().map(|text| place(text)).collect(),
            errors: Vec::new(),
            numbers: Numbers::Plain,
            decode: PLAIN,
        }
    }

    fn read(reader: &Reader, payload: &str) -> Option<Said> {
        reader.read(&Payload::new(payload.as_bytes()))
    }

    fn values(reader: &Reader, payload: &str) -> Values {
        read(reader, payload).unwrap_or_default().values
    }

    fn ok(value: f64) -> Result<Value, Reason> {
        Ok(Value::Analog(value))
    }

    #[test]
    fn a_missing_field_is_a_gap_unless_the_device_says_only_what_changed() {
        let mut reader = Reader {
            points: vec![extract(0, &["/p"]), extract(1, &["/u"])],
            ..Reader::default()
        };
        let gap = Err(Reason::ShortAnswer);
        assert_eq!(values(&reader, r#"{"p": 5}"#), [(0, ok(5.0)), (1, gap)]);
        reader.partial = true;
        assert_eq!(values(&reader, r#"{"p": 5}"#), [(0, ok(5.0))]);
        let null = Err(Reason::NotAvailable);
        assert_eq!(values(&reader, r#"{"u": null}"#), [(1, null)]);
        assert_eq!(read(&reader, r#"{"x": 1}"#), None, "nothing for this one");
        assert_eq!(
            values(&reader, ""),
            [(0, null), (1, null)],
            "the device is gone"
        );
    }

    #[test]
    fn the_first_place_that_is_there_counts() {
        let mut value = extract(0, &["/values/p", "/tags[name=p]/value"]);
        value.errors = vec![place("/errors/p"), place("/tags[name=p]/error")];
        let reader = Reader {
            points: vec![value],
            partial: true,
            ..Reader::default()
        };
        #[rustfmt::skip]
        let cases = [
            (r#"{"values": {"p": 1}}"#,                     vec![(0, ok(1.0))]),
            (r#"{"tags": [{"name": "p", "value": 2}]}"#,    vec![(0, ok(2.0))]),
            (r#"{"values": {}, "errors": {"p": 3000}}"#,    vec![(0, Err(Reason::NotAvailable))]),
            (r#"{"tags": [{"name": "p", "error": 3000}]}"#, vec![(0, Err(Reason::NotAvailable))]),
            (r#"{"tags": [{"name": "q", "error": 3000}]}"#, vec![]),
        ];
        for (payload, expected) in cases {
            assert_eq!(values(&reader, payload), expected, "{payload}");
        }
    }

    #[test]
    fn a_device_that_is_not_well_says_no_number() {
        let reader = Reader {
            points: vec![extract(0, &["/kwh"])],
            only: vec![(place("/meter"), "kamheat".into())],
            well: Some((place("/status"), vec!["OK".into()])),
            ..Reader::default()
        };
        let fine = r#"{"meter": "kamheat", "status": "OK", "kwh": 5}"#;
        assert_eq!(values(&reader, fine), [(0, ok(5.0))]);
        let said = read(
            &reader,
            r#"{"meter": "kamheat", "status": "DRY", "kwh": 5}"#,
        );
        let said = said.unwrap();
        assert_eq!(said.values, [(0, Err(Reason::NotAvailable))]);
        assert_eq!(said.note.as_deref(), Some("DRY"));
        assert_eq!(
            read(&reader, r#"{"meter": "other", "status": "OK", "kwh": 5}"#),
            None
        );
    }

    #[test]
    fn a_time_and_an_identity_go_with_the_values() {
        let reader = Reader {
            points: vec![extract(0, &["/p"])],
            clock: Some(Clock {
                place: place("/ts"),
                format: Format::UnixSeconds,
            }),
            identity: Some(place("/id")),
            ..Reader::default()
        };
        let said = read(&reader, r#"{"p": 5, "ts": 1772446500, "id": "x"}"#).unwrap();
        assert_eq!(said.time, "2026-03-02T10:15:00Z".parse().ok());
        assert_eq!(said.identity.as_deref(), Some("x"));
        let said = read(&reader, r#"{"p": 5, "ts": "soon"}"#).unwrap();
        assert_eq!(said.values, [(0, Err(Reason::Clock))]);
    }

    #[test]
    fn a_device_comes_and_goes_with_a_word_or_a_document() {
        let words = Words {
            place: Some(place("/state")),
            online: "online".into(),
            offline: "offline".into(),
        };
        for (payload, there) in [
            ("online", Some(true)),
            ("offline\n", Some(false)),
            (r#"{"state": "offline"}"#, Some(false)),
            (r#"{"state": "online"}"#, Some(true)),
            ("perhaps", None),
            ("", None),
        ] {
            let payload = Payload::new(payload.as_bytes());
            assert_eq!(words.is_there(&payload), there, "{payload:?}");
        }
    }

    #[test]
    fn metrics_are_one_word_for_each_moment() {
        let metric =
            |name: &str, value: f64, ms: i64, historical| super::super::sparkplug::Metric {
                name: name.to_owned(),
                value: Ok(value),
                time: Timestamp::from_millisecond(ms).ok(),
                historical,
            };
        let outlook = Outlook {
            node: ("park".into(), "edge1".into()),
            device: Some("meter1".into()),
            metrics: vec![(0, "P".into(), PLAIN), (1, "E".into(), PLAIN)],
        };
        let mut taken = Taken {
            word: Word::Lives,
            metrics: vec![
                metric("P", 1.0, 1_000, true),
                metric("P", 2.0, 2_000, false),
                metric("E", 3.0, 2_000, false),
                metric("Q", 4.0, 2_000, false),
            ],
            missed: false,
        };
        let said = outlook.read(&taken);
        let values: Vec<_> = said
            .iter()
            .map(|said| (said.past, said.values.clone()))
            .collect();
        assert_eq!(
            values,
            [
                (true, vec![(0, ok(1.0))]),
                (false, vec![(0, ok(2.0)), (1, ok(3.0))])
            ]
        );
        taken.word = Word::Born;
        taken.metrics.truncate(1);
        let said = outlook.read(&taken);
        assert_eq!(said[1].values, [(1, Err(Reason::ShortAnswer))]);
        assert_eq!(said[1].note.as_deref(), Some("no metric `E` in its birth"));
        let is_of = |text| outlook.is_of(&Topic::parse(text).unwrap());
        assert!(is_of("spBv1.0/park/DDATA/edge1/meter1"));
        assert!(
            is_of("spBv1.0/park/NDEATH/edge1"),
            "it takes its devices along"
        );
        assert!(!is_of("spBv1.0/park/NDATA/edge1"));
        assert!(!is_of("spBv1.0/park/DDATA/edge1/meter2"));
        assert!(!is_of("spBv1.0/park/NDEATH/edge2"));
    }

    proptest! {
        /// Whatever arrives, a reader says values of its own points or nothing.
        #[test]
        fn no_payload_upsets_a_reader(payload in prop::collection::vec(any::<u8>(), 0..128), partial in any::<bool>()) {
            let reader = Reader {
                points: vec![extract(0, &["/p/*", ""]), extract(1, &["/t[n=p]/v"])],
                only: Vec::new(),
                well: Some((place("/s"), vec![])),
                clock: Some(Clock { place: place("/ts"), format: Format::Rfc3339 }),
                identity: Some(place("/id")),
                partial,
            };
            let said = reader.read(&Payload::new(&payload)).unwrap_or_default();
            prop_assert!(said.values.iter().all(|(point, _)| *point < 2));
        }
    }
}
