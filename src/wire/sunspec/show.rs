//! Everything that a model says, as the model calls it: for people who look at a device,
//! not for a meter.
//!
//! Values are in the unit of the model, with its sign. **A value and its scale factor
//! come from one answer here too.**

use std::sync::Arc;

use super::model::{Kind, Point, Scale, model};
use super::serve::{not_implemented, number};
use super::walk::Found;
use crate::wire::register::{Decode, Exponent, Extra, Field, Layout, Number, Order};

/// A point of a model that a device has.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its name in the model.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// The quantity that it is for us.
    pub quantity: &'static str,
    /// Which of several parts it is of, from 1.
    pub part: Option<usize>,
    /// How it is read.
    pub layout: Layout,
}

/// The points of a model that this device has; none of a model that nobody knows.
#[must_use]
pub fn points(found: &Found) -> Vec<Shown> {
    let Some(model) = model(found.id) else {
        return Vec::new();
    };
    let whole = model.points.iter().map(|point| (None, 0_u16, point));
    let mut all: Vec<(Option<usize>, u16, &Point)> = whole.collect();
    if let Some(group) = &model.group {
        for (place, _) in found.parts.iter().enumerate() {
            let from = u16::try_from(place)
                .ok()
                .and_then(|place| place.checked_mul(group.stride)?.checked_add(group.first));
            let Some(from) = from else { break };
            all.extend(
                group
                    .points
                    .iter()
                    .map(|point| (Some(place + 1), from, point)),
            );
        }
    }
    let each = all.into_iter().filter_map(|(part, from, point)| {
        Some(Shown {
            name: point.name,
            unit: point.unit,
            quantity: point.quantity,
            part,
            layout: layout(found, point, from.checked_add(point.offset)?)?,
        })
    });
    each.collect()
}

fn layout(found: &Found, point: &Point, offset: u16) -> Option<Layout> {
    let field = |offset: u16, number: Number| {
        let address = found.address.checked_add(offset)?;
        let inside = found.has(offset, number.words());
        inside.then(|| Field::new(address, number, Order::Big))
    };
    let scale = match point.scale {
        Scale::Tens(tens) => 10_f64.powi(tens.into()),
        Scale::One | Scale::By(_) => 1.0,
    };
    let decode = Decode::Analog { scale, offset: 0.0 };
    let mut layout = Layout::simple(3, field(offset, number(point.kind))?, decode);
    // NaN is no number by itself.
    if point.kind != Kind::Float32 {
        layout.absent = Some(Arc::from([not_implemented(point.kind)]));
    }
    if let Scale::By(at) = point.scale {
        layout.extra = Some(Arc::new(Extra {
            exponent: Some(Exponent {
                field: field(at, Number::I16)?,
                negate: false,
            }),
            ..Extra::default()
        }));
    }
    Some(layout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::snapshot::Value;

    #[test]
    fn a_point_is_told_with_the_scale_factor_of_the_device() {
        let found = Found {
            id: 103,
            address: 40_070,
            length: 50,
            parts: Vec::new(),
        };
        let shown = points(&found);
        let power = shown.iter().find(|shown| shown.name == "W").unwrap();
        assert_eq!((power.unit, power.quantity), ("W", "power"));
        // Offset 14, its scale factor behind it.
        let said = power.layout.value(40_084, &[1_234, 1], &[]);
        assert_eq!(said, Ok(Value::Analog(12_340.0)));
        let none = power.layout.value(40_084, &[0x8000, 1], &[]);
        assert!(none.is_err());
    }

    #[test]
    fn a_model_that_is_shorter_than_its_table_has_what_fits_and_an_unknown_one_nothing() {
        let found = |id, length| Found {
            id,
            address: 0,
            length,
            parts: Vec::new(),
        };
        assert!(points(&found(64_110, 300)).is_empty());
        let (short, whole) = (points(&found(103, 12)), points(&found(103, 50)));
        assert!(!short.is_empty() && short.len() < whole.len());
    }
}
