//! Where a device has the quantities of a meter, and how they are read.
//!
//! Positive is export in 101–113 and 701, import in 201–214, discharge in 802 and 714;
//! [`Options::positive`] says otherwise for those whose definition leaves it open
//! (201–214, 714, 802). Counters are named for their direction and need none.
//!
//! **A value, its scale factor and all terms of a sum are one span**, which no request
//! splits. Where a device does not answer with so many registers at once, another model
//! answers, or nobody does: read one after the other they could be of two moments.

use std::fmt;
use std::sync::Arc;

use super::model::{Group, Kind, Point, Scale, model};
use super::sources::Models;
use super::table::STORAGE_PORT;
use super::walk::{Chain, Found};
use super::wanted::Purpose;
use crate::domain::meter::{Nature, PointIndex, Quantity, Role, Sense};
use crate::domain::units::{self, CountUnit};
use crate::wire::register::{Decode, Exponent, Extra, Field, Layout, Number, Order, Term};

/// What the configuration says of a device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// What positive power of models 201–214, 714 and 802 means, where it is not what
    /// most devices mean.
    pub positive: Option<Sense>,
    /// Whether the meter is installed the other way round.
    pub invert: bool,
    /// What the device does not know of the transformers before it.
    pub ratios: Ratios,
    /// The most that a power of it can be, and can move within a second, in watt.
    pub most: Option<f64>,
    /// Which of several equal models it is, from 1.
    pub instance: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            positive: None,
            invert: false,
            ratios: Ratios::default(),
            most: None,
            instance: 1,
        }
    }
}

/// Exact positive ratios, numerator and denominator, that values are multiplied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratios {
    /// Powers and energies.
    pub power: (i128, i128),
    /// Voltages.
    pub voltage: (i128, i128),
    /// Currents.
    pub current: (i128, i128),
}

impl Default for Ratios {
    fn default() -> Self {
        Self {
            power: (1, 1),
            voltage: (1, 1),
            current: (1, 1),
        }
    }
}

impl Ratios {
    /// The ratio of a quantity; direct current knows no transformer.
    fn of(&self, quantity: &Quantity) -> (i128, i128) {
        match quantity.unit {
            _ if quantity.scales_with_ratio => self.power,
            _ if quantity.name.starts_with("dc_") => (1, 1),
            "V" => self.voltage,
            "A" => self.current,
            _ => (1, 1),
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

/// What a meter wants of a device, before anybody has asked the device.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What the meter stands for.
    pub role: &'static Role,
    /// Its points, in the order of the meter.
    pub points: Vec<(PointIndex, &'static Quantity)>,
    /// What is known of the device.
    pub options: Options,
}

impl Asked {
    /// Where the device has each point.
    #[must_use]
    pub fn served(
        &self,
        chain: &Chain,
        max_registers: u16,
    ) -> Vec<(PointIndex, Result<Served, Missing>)> {
        let quantities: Vec<&'static Quantity> = self.points.iter().map(|point| point.1).collect();
        let served = serve(chain, self.role, &quantities, &self.options, max_registers);
        self.points
            .iter()
            .map(|point| point.0)
            .zip(served)
            .collect()
    }

    /// Whether another meter of the same unit is read from the same models.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Purpose::of(self.role) == Purpose::of(other.role)
            && self.options.instance == other.options.instance
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
        models: Models {
            chain,
            role,
            instance: options.instance,
        },
        options,
        max_registers,
    };
    let each = quantities.iter();
    each.map(|quantity| device.serve(quantity)).collect()
}

struct Device<'a> {
    models: Models<'a>,
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
        for ids in self.models.sources(name) {
            let Some(served) = self
                .models
                .model(&ids)
                .and_then(|m| self.place(m, name, quantity))
            else {
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
        let most = self.options.most.filter(|_| quantity.is_active_power());
        if exponent.is_some() || !also.is_empty() || most.is_some() {
            layout.extra = Some(Arc::new(Extra {
                also,
                exponent,
                within: most.map(|most| (-most, most)),
                rate: most,
                ..Extra::default()
            }));
        }
        Some(layout)
    }

    fn decode(&self, found: &Found, point: &Point, quantity: &'static Quantity) -> Option<Decode> {
        let (numerator, denominator) = self.options.ratios.of(quantity);
        let ratio = to_f64(numerator) / to_f64(denominator);
        if quantity.nature == Nature::Register {
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
        (said.unwrap_or(usual) != self.models.role.sense) != self.options.invert
    }
}

/// The nearest float to a side of a ratio.
fn to_f64(side: i128) -> f64 {
    units::to_f64(i64::try_from(side).unwrap_or(i64::MAX))
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

pub(super) fn number(kind: Kind) -> Number {
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
pub(super) fn not_implemented(kind: Kind) -> u64 {
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
