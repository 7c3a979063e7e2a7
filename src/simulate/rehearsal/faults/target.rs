//! What a fault is about: words of the command line into a place of the park.
//!
//! A word is a target where it names something that is there. A bare number is a unit
//! where that leaves enough words for the parameters, so `max-quantity:60` limits
//! everyone to 60 registers and `max-quantity:7:60` unit 7 alone.

use std::sync::Arc;

use super::super::frame::Framing;
use super::kinds::{KINDS, Kind, Scope, What};

/// What there is, by name.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Buses, and how each tells frames apart.
    pub buses: Vec<(String, Framing)>,
    /// Buses that are reached by TCP.
    pub sockets: Vec<bool>,
    /// Meters with bus and unit.
    pub meters: Vec<(Arc<str>, usize, u8)>,
    /// Sensors.
    pub sensors: Vec<Arc<str>>,
    /// Brokers.
    pub brokers: Vec<String>,
    /// Whether there is a database.
    pub database: bool,
}

/// Where a fault is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Everywhere it can be.
    All,
    /// A bus.
    Bus(usize),
    /// A unit, on one bus or on any.
    Unit(Option<usize>, u8),
    /// A meter, with its bus and unit.
    Meter(Arc<str>, usize, u8),
    /// A sensor.
    Sensor(Arc<str>),
    /// A broker.
    Broker(usize),
}

/// A fault and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub what: What,
    /// Where it is.
    pub target: Target,
}

/// Why words are no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoFault {
    /// No such kind.
    #[error("`{0}` is no fault; known are {kinds}", kinds = kinds())]
    Kind(String),
    /// Nothing has this name.
    #[error("`{target}` is nothing that `{kind}` can be at; there are {known}")]
    Target {
        /// The word.
        target: String,
        /// The kind.
        kind: &'static str,
        /// What there is.
        known: String,
    },
    /// The parameters are wrong.
    #[error("`{text}` is not {kind}[:TARGET]{parameters}")]
    Parameters {
        /// What was written.
        text: String,
        /// The kind.
        kind: &'static str,
        /// What it takes.
        parameters: &'static str,
    },
}

fn kinds() -> String {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    names.join(", ")
}

impl Target {
    /// Whether it is, or holds, this unit.
    #[must_use]
    pub fn is_unit(&self, bus: usize, unit: u8) -> bool {
        match self {
            Self::All => true,
            Self::Bus(one) => *one == bus,
            Self::Unit(one, id) => one.is_none_or(|one| one == bus) && *id == unit,
            Self::Meter(_, one, id) => *one == bus && *id == unit,
            Self::Sensor(_) | Self::Broker(_) => false,
        }
    }

    /// Whether it is, or holds, this bus.
    #[must_use]
    pub fn is_bus(&self, bus: usize) -> bool {
        matches!(self, Self::All) || *self == Self::Bus(bus)
    }

    /// Whether it is, or holds, this meter.
    #[must_use]
    pub fn is_meter(&self, bus: usize, unit: u8, id: &str) -> bool {
        match self {
            Self::Meter(one, ..) => **one == *id,
            _ => self.is_unit(bus, unit),
        }
    }

    /// Whether it is this sensor by name.
    #[must_use]
    pub fn is_sensor(&self, id: &str) -> bool {
        matches!(self, Self::Sensor(one) if **one == *id)
    }

    /// Whether it is, or holds, this broker.
    #[must_use]
    pub fn is_broker(&self, broker: usize) -> bool {
        matches!(self, Self::All) || *self == Self::Broker(broker)
    }
}

impl Names {
    /// What a word names, of the things that a fault of this scope can be at.
    #[must_use]
    pub fn target(&self, scope: Scope, word: &str) -> Option<Target> {
        if word == "*" {
            return Some(Target::All);
        }
        let bus = |name: &str| {
            let at = self.buses.iter().position(|one| one.0 == name)?;
            self.fits(scope, at).then_some(at)
        };
        match scope {
            Scope::Database => None,
            Scope::Broker => self
                .brokers
                .iter()
                .position(|one| one == word)
                .map(Target::Broker),
            Scope::Line | Scope::Socket => bus(word).map(Target::Bus),
            Scope::Answer | Scope::TcpAnswer | Scope::RtuAnswer | Scope::Numbers => {
                if let Some(bus) = bus(word) {
                    return Some(Target::Bus(bus));
                }
                if let Some((name, unit)) = word.split_once('/') {
                    return Some(Target::Unit(Some(bus(name)?), unit.parse().ok()?));
                }
                let meter = self.meters.iter().find(|meter| *meter.0 == *word);
                if let Some((id, bus, unit)) = meter {
                    let target = Target::Meter(Arc::clone(id), *bus, *unit);
                    return self.fits(scope, *bus).then_some(target);
                }
                let sensor = self.sensors.iter().find(|sensor| ***sensor == *word);
                sensor
                    .filter(|_| scope == Scope::Answer)
                    .map(|id| Target::Sensor(Arc::clone(id)))
            }
        }
    }

    /// Whether a bus can have a fault of this scope.
    fn fits(&self, scope: Scope, bus: usize) -> bool {
        let framing = self.buses.get(bus).map(|bus| bus.1);
        match scope {
            Scope::TcpAnswer => framing == Some(Framing::Tcp),
            Scope::RtuAnswer => framing == Some(Framing::Rtu),
            Scope::Socket => self.sockets.get(bus) == Some(&true),
            _ => true,
        }
    }

    /// What a fault of this scope can be at, for people.
    fn known(&self, scope: Scope) -> String {
        let mut known: Vec<String> = match scope {
            Scope::Database if self.database => vec!["the database, which needs no name".into()],
            Scope::Database => Vec::new(),
            Scope::Broker => self.brokers.clone(),
            _ => {
                let buses = (0..self.buses.len()).filter(|bus| self.fits(scope, *bus));
                let names = buses.filter_map(|bus| self.buses.get(bus).map(|bus| bus.0.clone()));
                names.collect()
            }
        };
        if scope.has_units() {
            let meters = self.meters.iter().filter(|meter| self.fits(scope, meter.1));
            known.extend(meters.map(|meter| meter.0.to_string()));
        }
        if scope == Scope::Answer {
            known.extend(self.sensors.iter().map(ToString::to_string));
        }
        if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        }
    }
}

impl Fault {
    /// A fault from `KIND[:TARGET][:PARAMETERS]`.
    ///
    /// # Errors
    ///
    /// [`NoFault`], with what would be right.
    pub fn read(text: &str, names: &Names) -> Result<Self, NoFault> {
        let mut words: Vec<&str> = text.split(':').collect();
        let name = words.remove(0);
        let kind = Kind::named(name).ok_or_else(|| NoFault::Kind(name.to_owned()))?;
        let (target, what) = read(kind, text, &words, names)?;
        if target == Target::All && names.known(kind.scope) == "none" {
            return Err(NoFault::Target {
                target: "*".to_owned(),
                kind: kind.name,
                known: "none".to_owned(),
            });
        }
        Ok(Self {
            name: kind.name,
            what,
            target,
        })
    }
}

/// Where a fault is and what it does.
fn read(
    kind: &'static Kind,
    text: &str,
    words: &[&str],
    names: &Names,
) -> Result<(Target, What), NoFault> {
    let (least, most) = kind.takes;
    let what = |words: &[&str]| {
        let enough = (least..=most).contains(&words.len());
        enough.then(|| (kind.read)(words)).flatten()
    };
    let (first, rest) = words
        .split_first()
        .map_or(("", words), |(first, rest)| (*first, rest));
    let named = names.target(kind.scope, first);
    if let (Some(target), Some(what)) = (named.clone(), what(rest)) {
        return Ok((target, what));
    }
    if let Some(what) = what(words) {
        return Ok((Target::All, what));
    }
    let unit = first.parse().ok().filter(|_| kind.scope.has_units());
    if let (Some(unit), Some(what)) = (unit, what(rest)) {
        return Ok((Target::Unit(None, unit), what));
    }
    // A word that can be no parameter was meant as a target.
    let is_word = first.starts_with(|c: char| !c.is_ascii_digit());
    Err(if named.is_none() && is_word {
        NoFault::Target {
            target: first.to_owned(),
            kind: kind.name,
            known: names.known(kind.scope),
        }
    } else {
        NoFault::Parameters {
            text: text.to_owned(),
            kind: kind.name,
            parameters: kind.parameters,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            buses: vec![
                ("main".into(), Framing::Tcp),
                ("rs485".into(), Framing::Rtu),
            ],
            sockets: vec![true, false],
            meters: vec![("pcc".into(), 0, 1), ("tenant-1".into(), 1, 7)],
            sensors: vec!["dni".into()],
            brokers: vec!["park".into()],
            database: false,
        }
    }

    #[test]
    fn words_name_places() {
        #[rustfmt::skip]
        let cases = [
            ("dead",                       Target::All),
            ("dead:*",                     Target::All),
            ("dead:main",                  Target::Bus(0)),
            ("dead:rs485/7",               Target::Unit(Some(1), 7)),
            ("dead:7",                     Target::Unit(None, 7)),
            ("silent:tenant-1",            Target::Meter("tenant-1".into(), 1, 7)),
            ("dead:dni",                   Target::Sensor("dni".into())),
            ("late:5",                     Target::All),
            ("late:main:5:200ms",          Target::Bus(0)),
            ("late:7:5:200ms",             Target::Unit(None, 7)),
            ("max-quantity:60",            Target::All),
            ("max-quantity:7:60",          Target::Unit(None, 7)),
            ("max-quantity:main:60",       Target::Bus(0)),
            ("max-quantity:7:60:silent",   Target::Unit(None, 7)),
            ("exceptions:pcc:10-12:2",     Target::Meter("pcc".into(), 0, 1)),
            ("exceptions:1:10-12:2",       Target::Unit(None, 1)),
            ("exceptions:10-12:2",         Target::All),
            ("max-sockets:1",              Target::All),
            ("max-sockets:main:1",         Target::Bus(0)),
            ("idle-close:4s",              Target::All),
            ("gateway-reboot:rs485:2s",    Target::Bus(1)),
            ("broker-down:park",           Target::Broker(0)),
            ("broker-down",                Target::All),
            ("echo",                       Target::All),
            ("reversed-ct:pcc:l2",         Target::Meter("pcc".into(), 0, 1)),
        ];
        for (text, target) in cases {
            let said = Fault::read(text, &names());
            assert_eq!(said.map(|fault| fault.target), Ok(target), "{text}");
        }
    }

    #[test]
    fn what_is_no_fault_is_told_with_a_remedy() {
        #[rustfmt::skip]
        let cases = [
            ("flood",             "`flood` is no fault; known are dead, late, slow"),
            ("dead:attic",        "`attic` is nothing that `dead` can be at; there are main, rs485, pcc, tenant-1, dni"),
            ("echo:main",         "`main` is nothing that `echo` can be at; there are rs485, tenant-1"),
            ("max-sockets:rs485:1", "`rs485` is nothing that `max-sockets` can be at; there are main"),
            ("late:often",        "`often` is nothing that `late` can be at"),
            ("late:main:often",   "`late:main:often` is not late[:TARGET][:OFTEN[:EXTRA]]"),
            ("dead:main/x",       "`main/x` is nothing that `dead` can be at"),
            ("max-sockets",       "`max-sockets` is not max-sockets[:TARGET]:N"),
            ("database-down",     "`*` is nothing that `database-down` can be at; there are none"),
            ("broker-down:main",  "`main` is nothing that `broker-down` can be at; there are park"),
            ("sentinels:dni",     "`dni` is nothing that `sentinels` can be at"),
        ];
        for (text, words) in cases {
            let said = Fault::read(text, &names()).unwrap_err().to_string();
            assert!(said.starts_with(words), "{text}: {said}");
        }
    }
}
