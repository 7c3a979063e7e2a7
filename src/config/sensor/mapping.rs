//! Ready mappings: what the messages of a system are called and what they mean.
//!
//! A technician writes `mapping = "shelly-gen2"` and `device = "shellypro3em-a0b1"`, and
//! the topics, places, units and the system's own ways of saying "no value", "not well"
//! and "not there" come from here. Names in braces are keys of the sensor.
//!
//! **A field is mapped only where its unit is a fact of the system.** Where the unit is
//! a choice of whoever set the device up (a LoRaWAN codec, an ESPHome sensor, a Neuron
//! tag), the sensor names its fields itself, each with its unit.

use crate::wire::mqtt::moment::Format;

mod table;

pub(super) use table::MAPPINGS;

/// A key by which a sensor says which device is meant.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) example: &'static str,
    /// What is meant where it is absent; none: it has to be there.
    pub(super) default: Option<&'static str>,
}

/// A quantity, with where it is heard.
pub(super) struct Mapped {
    pub(super) quantity: &'static str,
    pub(super) unit: &'static str,
    pub(super) scale: f64,
    /// Topics, and places in their documents: the first that is there counts. No place:
    /// the payload is the number.
    pub(super) heard: &'static [(&'static str, &'static [&'static str])],
    /// Whether every device of the kind has it.
    pub(super) usual: bool,
}

/// Where fields are heard that a sensor names itself: `{field}`.
pub(super) struct Fields {
    pub(super) topic: &'static str,
    pub(super) places: &'static [&'static str],
    pub(super) errors: &'static [&'static str],
}

/// Where a device says whether it is there: topic, place in a document, both words.
pub(super) type Presence = (
    &'static str,
    Option<&'static str>,
    &'static str,
    &'static str,
);

/// A system.
pub(super) struct Mapping {
    pub(super) name: &'static str,
    /// The kind of device within the system: a key, and how its value begins.
    pub(super) kind: Option<(&'static str, &'static str)>,
    pub(super) keys: &'static [Key],
    pub(super) points: &'static [Mapped],
    pub(super) fields: Option<Fields>,
    pub(super) presence: &'static [Presence],
    /// Only documents in which these places say this.
    pub(super) only: &'static [(&'static str, &'static str)],
    /// Where the device says how it is, and what it may say there.
    pub(super) well: Option<(&'static str, &'static [&'static str])>,
    pub(super) clock: Option<(&'static str, Format)>,
    pub(super) identity: Option<&'static str>,
    /// Whether messages leave out what did not change.
    pub(super) partial: bool,
    /// A topic to which the device wants to be written, or it falls silent.
    pub(super) keep_talking: Option<&'static str>,
}

/// A system of which nothing is known.
const NOTHING: Mapping = Mapping {
    name: "",
    kind: None,
    keys: &[],
    points: &[],
    fields: None,
    presence: &[],
    only: &[],
    well: None,
    clock: None,
    identity: None,
    partial: false,
    keep_talking: None,
};

/// The names of all systems, each once.
pub(super) fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = MAPPINGS.iter().map(|mapping| mapping.name).collect();
    names.dedup();
    names
}
