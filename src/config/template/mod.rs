//! Device templates: what a device has, where, and who says so.
//!
//! ```text
//!   config/devices/NAME.toml ──build──▶ embedded ─┐
//!   /etc/sunledger/devices/NAME.toml ─────────────┼─ Library ──▶ Template
//!   [devices] dir = "…" ──────────────────────────┘      │ role, options, ratio
//!                                                        ▼
//!                              points, layouts, factors, what identifies the device
//! ```
//!
//! One file is one device. A file of the same name in a directory stands in for the
//! embedded one. **A template is read like the configuration**: every mistake at once,
//! with the file, its line, the fact and the remedy.

mod choose;
mod library;
mod parse;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::point::{Spec, Turn};
use super::ratio::{Ratio, Ratios, Stated};
use crate::domain::meter::{Quantity, RegisterKind, Role};
use crate::domain::units::Power;
use crate::source::modbus;
use crate::wire::register::Layout;

pub use choose::{Chosen, choose, listed, reads_all};
pub use library::{Found, Library};
pub use parse::parse;

/// Kinds of devices.
pub const KINDS: &[&str] = &[
    "electricity-meter",
    "inverter",
    "logger",
    "battery",
    "heat-meter",
    "flow-meter",
    "pyranometer",
    "weather",
    "temperature",
    "genset",
];

/// What the registers of a meter behind transformers hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// What flows.
    Primary,
    /// What reaches the meter.
    Secondary,
    /// The one or the other, as the meter is programmed.
    SetInDevice,
}

/// How a device is asked, and how its line is set.
#[derive(Debug, Clone, PartialEq)]
pub struct Protocol {
    /// The unit id that it has ex works.
    pub unit: u8,
    /// How it wants to be asked.
    pub limits: modbus::Limits,
    /// It refreshes its values no faster.
    pub min_period: Option<Duration>,
    /// Baud rate ex works.
    pub baud: Option<u32>,
    /// Parity ex works.
    pub parity: Option<String>,
    /// Stop bits ex works.
    pub stop_bits: Option<u8>,
    /// Which of these a document states; the rest is customary.
    pub sourced: Vec<String>,
    /// Which of these are stated at all.
    pub stated: Vec<&'static str>,
}

/// What a technician may have to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// What there is to choose.
    pub choices: Vec<String>,
    /// What holds where nothing is chosen.
    pub default: String,
    /// How to find out.
    pub about: String,
}

/// A point of a template.
#[derive(Debug, Clone, PartialEq)]
pub struct DevicePoint {
    /// The point.
    pub spec: Spec,
    /// The choices under which it is there.
    pub when: Vec<(String, String)>,
    /// What a technician should know of it.
    pub note: Option<String>,
    /// Ids of the sources that say so.
    pub sources: Vec<String>,
    /// Whether it is read with `read = "all"` alone.
    pub detail: bool,
}

/// A document that says what a template says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its id in the points.
    pub id: String,
    /// What it is called.
    pub document: String,
    /// What kind of document it is.
    pub kind: String,
}

/// A device.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Its name: the name of the file.
    pub name: String,
    /// Who makes it.
    pub manufacturer: String,
    /// Which model it is.
    pub model: String,
    /// One of [`KINDS`].
    pub kind: &'static str,
    /// Other models with the same registers.
    pub also: Vec<String>,
    /// What the registers hold behind transformers.
    pub values: Option<Values>,
    /// What a technician should know.
    pub notes: Vec<String>,
    /// How it is asked.
    pub protocol: Protocol,
    /// What has to be chosen.
    pub options: Vec<Choice>,
    /// Factors in its registers.
    pub factors: Vec<modbus::Factor>,
    /// What identifies it.
    pub identify: Vec<modbus::Expect>,
    /// Its points.
    pub points: Vec<DevicePoint>,
    /// Who says so.
    pub sources: Vec<Source>,
    /// The file that it is from.
    pub file: String,
}

/// A choice for every option of a template.
pub type Choices = BTreeMap<String, String>;

impl Template {
    /// What is chosen where nothing is said.
    #[must_use]
    pub fn defaults(&self) -> Choices {
        let pairs = self.options.iter();
        pairs
            .map(|option| (option.name.clone(), option.default.clone()))
            .collect()
    }

    /// The points that are there under these choices.
    pub fn points_under<'a>(
        &'a self,
        choices: &'a Choices,
    ) -> impl Iterator<Item = &'a DevicePoint> {
        self.points.iter().filter(|point| {
            let mut when = point.when.iter();
            when.all(|(option, choice)| choices.get(option) == Some(choice))
        })
    }

    /// What of its protocol no document states.
    #[must_use]
    pub fn customary(&self) -> Vec<&'static str> {
        let stated = self.protocol.stated.iter().copied();
        let sourced = &self.protocol.sourced;
        stated
            .filter(|key| !sourced.iter().any(|sourced| sourced == key))
            .collect()
    }

    /// Whether it reads the ratios of transformers from the device.
    #[must_use]
    pub fn reads_ratios(&self) -> bool {
        self.factors.iter().any(|factor| is_ratio(&factor.name))
    }
}

/// Whether a factor is the ratio of a transformer.
fn is_ratio(name: &str) -> bool {
    matches!(name, "ct" | "vt")
}

/// What a meter makes of a template.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// What it stands for.
    pub role: Option<&'static Role>,
    /// Whether it is installed the other way round.
    pub invert: bool,
    /// The ratios that its table states.
    pub ratios: &'a Ratios,
    /// Its nameplate.
    pub rated: Option<Power>,
}

impl Site<'_> {
    /// A meter of a role, with nothing said of it.
    #[must_use]
    pub fn of(role: Option<&'static Role>) -> Site<'static> {
        Site {
            role,
            invert: false,
            ratios: &Ratios::NONE,
            rated: None,
        }
    }

    fn turn(&self, ratio: Ratio) -> Turn {
        Turn {
            invert: self.invert,
            role: self.role,
            ratio,
            rated: self.rated,
        }
    }

    /// A point of a table of its own, with no template behind it.
    pub(super) fn plain(&self, quantity: &Quantity) -> Turn {
        self.turn(self.ratios.of(quantity))
    }

    /// A point of a template. Ratios that the table of the meter states stand in for
    /// those that the device keeps; a point that the device does not multiply is not
    /// multiplied by them either.
    fn of_template(&self, template: &Template, spec: &Spec) -> (Spec, Turn) {
        if self.ratios.stated != Stated::Secondary || !template.reads_ratios() {
            return (spec.clone(), self.plain(spec.quantity));
        }
        let name = |place: &usize| {
            let factor = template.factors.get(*place);
            factor.map_or("", |factor| &*factor.name)
        };
        let by = |wanted: &str| spec.multiply_by.iter().any(|place| name(place) == wanted);
        let ratio = match (by("ct"), by("vt")) {
            (true, true) => self.ratios.power,
            (true, false) => self.ratios.current,
            (false, true) => self.ratios.voltage,
            (false, false) => Ratio::ONE,
        };
        let mut spec = spec.clone();
        spec.multiply_by.retain(|place| !is_ratio(name(place)));
        (spec, self.turn(ratio))
    }
}

/// A point of a meter, with the place of its factors in those of the meter.
#[derive(Debug, Clone, PartialEq)]
pub struct Ready {
    /// What it measures.
    pub quantity: &'static Quantity,
    /// How it is read.
    pub layout: Layout,
    /// For a register, how it counts.
    pub register: Option<RegisterKind>,
}

/// A template that many meters have.
pub type Shared = Arc<Template>;

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
