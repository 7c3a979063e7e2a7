//! Which model of a device answers for a quantity, and how its registers are read.
//!
//! | meter | asked first | then |
//! |---|---|---|
//! | grid, loads | 201–204, 211–214 | |
//! | pv, turbine | 101–103, 111–113, 701 | 201–214, where the device is no inverter |
//! | …, direct current | 160, where the device has no storage; 101–103, 111–113, 714 | |
//! | battery | 802, storage ports of 714, 713 | what of an inverter is the battery's alone |
//! | weather | 307, 308 | |
//!
//! The models from 101 on come before 701 because their measurements are mandatory,
//! while those of 701 are all optional; integers come before floats because a 32-bit
//! float counts energy in steps of its own above 16.7 MWh. The choice depends on the
//! models alone, never on what stands in them at night: **a register does not change
//! its source** while its device stays the same.
//!
//! A hybrid inverter has the sun and a battery behind the same terminals. Its power is
//! that of both, so it is never the battery's; a device whose every port leads to a
//! storage is asked at its terminals. Some makers list the two directions of a battery
//! among the inputs of model 160, so their sum is not told where a storage is about.
//!
//! Positive is export in 101–113 and 701, import in 201–214, discharge in 802 and 714;
//! [`Options::positive`] says otherwise for those whose definition leaves it open
//! (201–214, 714, 802). Counters are named for their direction and need none.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::model::{Group, Kind, Point, Scale, model};
use super::table::STORAGE_PORT;
use super::walk::{Chain, Found};
use super::wanted::Purpose;
use crate::domain::meter::{Nature, Quantity, Role, Sense};
use crate::domain::units::{CountUnit, decimal};
use crate::wire::register::{Decode, Exponent, Extra, Field, Layout, Number, Order, Term};

/// What the configuration says of a device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// What positive power of models 201–214, 714 and 802 means, where it is not what
    /// most devices mean.
    pub positive: Option<Sense>,
    /// Whether the meter is installed the other way round.
    pub invert: bool,
    /// What power and energy are multiplied by.
    pub multiplier: f64,
    /// Which of several equal models it is, from 1.
    pub instance: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            positive: None,
            invert: false,
            multiplier: 1.0,
            instance: 1,
        }
    }
}

/// A quantity with its place in the device.
#[derive(Debug, Clone, PartialEq)]
pub struct Served {
    /// The model.
    pub model: u16,
    /// The name of the point in it.
    pub point: &'static str,
    /// How it is read.
    pub layout: Layout,
}

/// Why a quantity has no place in the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// No model has it.
    NoModel,
    /// The device does not answer with so many registers at once, and reading the value
    /// and its scale factor one after the other could tear them.
    TooWide {
        /// The model.
        model: u16,
        /// The registers that one answer would need.
        registers: u16,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoModel => f.write_str("the device has no SunSpec model that says it"),
            Self::TooWide { model, registers } => write!(
                f,
                "SunSpec model {model} says it in {registers} registers that belong together, \
                 more than the device answers with at once"
            ),
        }
    }
}

/// Where the device has each of these quantities of a meter, in their order.
///
/// `max_registers` is what it answers with at once, at most.
#[must_use]
pub fn serve(
    chain: &Chain,
    role: &Role,
    quantities: &[&'static Quantity],
    options: &Options,
    max_registers: u16,
) -> Vec<Result<Served, Missing>> {
    let device = Device {
        chain,
        role,
        options,
        max_registers,
    };
    let each = quantities.iter();
    each.map(|quantity| device.serve(quantity)).collect()
}

/// Ids of models that stand for each other.
type Ids = RangeInclusive<u16>;

const METERS: [Ids; 2] = [201..=204, 211..=214];
const INVERTERS: [Ids; 3] = [101..=103, 111..=113, 701..=701];
const STORAGES: [Ids; 3] = [802..=802, 714..=714, 713..=713];
const WEATHER: [Ids; 2] = [307..=307, 308..=308];
const INPUTS: Ids = 160..=160;
const PORTS: Ids = 714..=714;
/// Settings of a storage; no measurement in it is ours.
const BASIC_STORAGE: u16 = 124;

struct Device<'a> {
    chain: &'a Chain,
    role: &'a Role,
    options: &'a Options,
    max_registers: u16,
}

impl Device<'_> {
    fn serve(&self, quantity: &'static Quantity) -> Result<Served, Missing> {
        let name = match quantity.name {
            "energy_import" if self.options.invert => "energy_export",
            "energy_export" if self.options.invert => "energy_import",
            name => name,
        };
        let mut missing = Missing::NoModel;
        for ids in self.sources(name) {
            let Some(served) = self.model(&ids).and_then(|m| self.place(m, name, quantity)) else {
                continue;
            };
            let registers = served.layout.span().count;
            if registers <= self.max_registers {
                return Ok(served);
            }
            if missing == Missing::NoModel {
                missing = Missing::TooWide {
                    model: served.model,
                    registers,
                };
            }
        }
        Err(missing)
    }

    /// The model of these ids that the configuration means.
    fn model(&self, ids: &Ids) -> Option<&Found> {
        let mut of_ids = self.chain.models.iter().filter(|m| ids.contains(&m.id));
        of_ids.nth(self.options.instance.checked_sub(1)?)
    }

    fn has(&self, models: &[Ids]) -> bool {
        models.iter().any(|ids| self.model(ids).is_some())
    }

    /// The models that may answer for a quantity, in order.
    fn sources(&self, name: &str) -> Vec<Ids> {
        let direct = name.starts_with("dc_");
        let inverter = self.has(&INVERTERS);
        match Purpose::of(self.role) {
            None => Vec::new(),
            Some(Purpose::Weather) => WEATHER.to_vec(),
            Some(Purpose::Generator) if inverter && direct => self.direct(),
            Some(Purpose::Generator) if inverter => INVERTERS.to_vec(),
            Some(Purpose::Battery) if inverter || self.has(&STORAGES) => self.battery(name),
            Some(Purpose::Place | Purpose::Generator | Purpose::Battery) => METERS.to_vec(),
            Some(Purpose::Record) if direct && inverter => self.direct(),
            Some(Purpose::Record) if matches!(name, "soc" | "soh") => STORAGES.to_vec(),
            Some(Purpose::Record) => [METERS.as_slice(), &INVERTERS, &STORAGES, &WEATHER]
                .into_iter()
                .find(|models| self.has(models))
                .unwrap_or_default()
                .to_vec(),
        }
    }

    /// Direct current of an inverter.
    fn direct(&self) -> Vec<Ids> {
        let inputs = if self.has_storage() {
            None
        } else {
            Some(INPUTS)
        };
        inputs.into_iter().chain(INVERTERS).chain([PORTS]).collect()
    }

    fn battery(&self, name: &str) -> Vec<Ids> {
        let [integers, floats, der] = INVERTERS;
        let storages = STORAGES.into_iter();
        let energy = matches!(name, "energy_import" | "energy_export");
        if !energy && name != "power" {
            return storages.chain([der, integers, floats]).collect();
        }
        if self.is_all_storage() {
            return [der].into_iter().chain(storages).collect();
        }
        if self.has_inputs() {
            return storages.collect();
        }
        // A counter of models 101 to 113 does not say which direction it counts.
        let ac = [der, integers, floats];
        let ac = ac.into_iter().take(if energy { 1 } else { 3 });
        storages.chain(ac).collect()
    }

    /// Whether a storage is about.
    fn has_storage(&self) -> bool {
        let mut models = self.chain.models.iter();
        models.any(|found| {
            matches!(found.id, BASIC_STORAGE | 713 | 802)
                || found.parts.contains(&Some(STORAGE_PORT))
        })
    }

    /// Whether something else than a storage feeds the device.
    fn has_inputs(&self) -> bool {
        let mut models = self.chain.models.iter();
        models.any(|found| match found.id {
            160 => !found.parts.is_empty(),
            _ => found
                .parts
                .iter()
                .flatten()
                .any(|kind| *kind != STORAGE_PORT),
        })
    }

    /// Whether every port for direct current leads to a storage, so that what the
    /// device does at its terminals is what the storage does.
    fn is_all_storage(&self) -> bool {
        let ports = self.model(&PORTS).map(|found| found.parts.as_slice());
        let is_storage = |kind: &Option<u16>| *kind == Some(STORAGE_PORT);
        ports.is_some_and(|ports| !ports.is_empty() && ports.iter().all(is_storage))
    }

    /// Where a model has a quantity.
    fn place(&self, found: &Found, name: &str, quantity: &'static Quantity) -> Option<Served> {
        let model = model(found.id)?;
        let named = |point: &&Point| point.quantity == name;
        let (point, offsets) = match model.points.iter().find(named) {
            Some(point) => (point, vec![point.offset]),
            None => {
                let group = model.group.as_ref()?;
                let point = group.points.iter().find(named)?;
                (point, offsets(found, group, point))
            }
        };
        Some(Served {
            model: found.id,
            point: point.name,
            layout: self.layout(found, point, &offsets, quantity)?,
        })
    }

    fn layout(
        &self,
        found: &Found,
        point: &Point,
        offsets: &[u16],
        quantity: &'static Quantity,
    ) -> Option<Layout> {
        let field = |offset: u16, number: Number| {
            let address = found.address.checked_add(offset)?;
            let inside = found.has(offset, number.words());
            inside.then(|| Field::new(address, number, Order::Big))
        };
        let number = number(point.kind);
        let fields: Option<Vec<Field>> = offsets.iter().map(|at| field(*at, number)).collect();
        let mut fields = fields?.into_iter();
        let absent = Arc::from([not_implemented(point.kind)]);
        let mut layout = Layout::simple(3, fields.next()?, self.decode(found, point, quantity)?);
        let exponent = match point.scale {
            Scale::By(at) => Some(Exponent {
                field: field(at, Number::I16)?,
                negate: false,
            }),
            Scale::One | Scale::Tens(_) => None,
        };
        let also: Vec<Term> = fields
            .map(|field| Term {
                field,
                weight: 1.0,
                absent: Some(Arc::clone(&absent)),
            })
            .collect();
        layout.absent = Some(absent);
        if exponent.is_some() || !also.is_empty() {
            layout.extra = Some(Arc::new(Extra {
                also,
                exponent,
                ..Extra::default()
            }));
        }
        Some(layout)
    }

    fn decode(&self, found: &Found, point: &Point, quantity: &'static Quantity) -> Option<Decode> {
        let ratio = if quantity.scales_with_ratio {
            self.options.multiplier
        } else {
            1.0
        };
        if quantity.nature == Nature::Register {
            let (numerator, denominator) = decimal(ratio)?;
            let bits = match point.kind {
                Kind::Acc32 | Kind::Uint32 => 32,
                Kind::Float32 => {
                    let mwh_per_unit = 1_000.0 * ratio;
                    return Some(Decode::ToldFloat { mwh_per_unit });
                }
                _ => 0,
            };
            let unit = CountUnit::new(numerator.checked_mul(1_000)?, denominator)?;
            return Some(Decode::ToldCount { unit, bits });
        }
        if quantity.name.starts_with("power_factor") {
            return Some(Decode::Share);
        }
        let unit = if point.unit == "hPa" { 100.0 } else { 1.0 };
        let tens = match point.scale {
            Scale::Tens(tens) => 10_f64.powi(tens.into()),
            Scale::One | Scale::By(_) => 1.0,
        };
        let directed = quantity.name.starts_with("power") || quantity.unit == "var";
        let turned = directed && self.is_turned(found);
        let sign = if turned { -1.0 } else { 1.0 };
        Some(Decode::Analog {
            scale: unit * tens * ratio * sign,
            offset: 0.0,
        })
    }

    /// Whether positive power of a model is negative for the role.
    fn is_turned(&self, found: &Found) -> bool {
        let (usual, open) = match found.id {
            201..=214 => (Sense::Import, true),
            714 | 802 => (Sense::Export, true),
            _ => (Sense::Export, false),
        };
        let said = self.options.positive.filter(|_| open);
        (said.unwrap_or(usual) != self.role.sense) != self.options.invert
    }
}

/// Where the parts have a point: all inputs, but of ports those with a storage.
fn offsets(found: &Found, group: &Group, point: &Point) -> Vec<u16> {
    let counted = |kind: &Option<u16>| group.kind_at.is_none() || *kind == Some(STORAGE_PORT);
    (0_u16..)
        .zip(&found.parts)
        .filter(|(_, kind)| counted(kind))
        .filter_map(|(place, _)| {
            let from = place.checked_mul(group.stride)?.checked_add(group.first)?;
            from.checked_add(point.offset)
        })
        .collect()
}

fn number(kind: Kind) -> Number {
    match kind {
        Kind::Int16 => Number::I16,
        Kind::Uint16 | Kind::Enum16 => Number::U16,
        Kind::Uint32 | Kind::Acc32 => Number::U32,
        Kind::Uint64 => Number::U64,
        Kind::Float32 => Number::F32,
    }
}

/// The pattern that says that a point is not implemented. Of a float it is NaN, which
/// is no number by itself; this is the one that the specification names.
fn not_implemented(kind: Kind) -> u64 {
    match kind {
        Kind::Int16 => 0x8000,
        Kind::Uint16 | Kind::Enum16 => 0xFFFF,
        Kind::Uint32 => 0xFFFF_FFFF,
        Kind::Uint64 => u64::MAX,
        Kind::Acc32 => 0,
        Kind::Float32 => 0x7FC0_0000,
    }
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
