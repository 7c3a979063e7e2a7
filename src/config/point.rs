//! Points: which quantity, where in a device or payload, and how its raw number
//! becomes a value.
//!
//! Unit, scale, multiplier and sign flip are folded into one [`Decode`] here, so that
//! nothing behind the driver knows of them. **A counting register keeps its raw
//! count**; what one count is worth is an exact ratio beside it.

use super::meter::Common;
use super::read::{Table, closest, list};
use super::units;
use crate::domain::meter::{Nature, QUANTITIES, Quantity, RegisterKind};
use crate::domain::units::CountUnit;
use crate::wire::register::{Decode, Field, Layout, Number, Order};

/// Types of a register, with their number and how many counts they hold.
#[rustfmt::skip]
const TYPES: &[(&str, Number, Option<i128>)] = &[
    ("u16", Number::U16, Some(1 << 16)), ("i16", Number::I16, Some(1 << 16)),
    ("u32", Number::U32, Some(1 << 32)), ("i32", Number::I32, Some(1 << 32)),
    ("u64", Number::U64, None), ("i64", Number::I64, None),
    ("f32", Number::F32, None), ("f64", Number::F64, None),
    ("bit", Number::U16, None),
];

/// The quantity of a point, turned for a meter installed the other way round.
pub(super) fn quantity(table: &Table<'_>, invert: bool) -> Option<&'static Quantity> {
    table.required("quantity", "power");
    let quantity = table.parsed("quantity", "power", |text| {
        Quantity::named(text).ok_or_else(|| {
            let names: Vec<&str> = QUANTITIES.iter().map(|quantity| quantity.name).collect();
            let remedy = match closest(text, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "one of those in docs/schema.md, such as `power` or `energy_import`".to_owned()
                }
            };
            (format!("`{text}` is not a quantity"), remedy)
        })
    })?;
    Some(match quantity.name {
        "energy_import" if invert => Quantity::named("energy_export").unwrap_or(quantity),
        "energy_export" if invert => Quantity::named("energy_import").unwrap_or(quantity),
        _ => quantity,
    })
}

/// What a point says of its raw numbers, whatever it measures.
pub(super) struct Raw<'a> {
    pub(super) scale: f64,
    pub(super) offset: f64,
    pub(super) unit: Option<&'a str>,
}

pub(super) fn raw<'a>(table: &Table<'a>, quantity: Option<&Quantity>) -> Raw<'a> {
    let example = quantity.map_or("W", |quantity| quantity.unit);
    Raw {
        scale: table.number("scale").unwrap_or(1.0),
        offset: table.number("offset").unwrap_or(0.0),
        unit: table.text("unit", example),
    }
}

/// How raw numbers of a point become values.
pub(super) fn decode(
    table: &Table<'_>,
    quantity: &'static Quantity,
    raw: &Raw<'_>,
    common: &Common,
    number: Number,
    modulus: Option<i128>,
) -> Option<(Decode, Option<RegisterKind>)> {
    let &Raw { scale, offset, .. } = raw;
    let unit = raw.unit.unwrap_or(quantity.unit);
    let remedy = || {
        let names = units::names(quantity.unit);
        format!(
            "one of {}",
            list(names.iter().map(|name| format!("\"{name}\"")))
        )
    };
    let ratio = if quantity.scales_with_ratio {
        common.multiplier
    } else {
        1.0
    };
    if quantity.nature == Nature::Register {
        let float = matches!(number, Number::F32 | Number::F64);
        let digits = if float {
            None
        } else {
            table.integer("digits", 3, 18)
        };
        if offset != 0.0 {
            table.problem("offset", "a counting register has no offset", "remove it");
        }
        let Some(energy) = units::energy(unit) else {
            table.problem(
                "unit",
                format!("`{unit}` is not a unit of {}", quantity.name),
                remedy(),
            );
            return None;
        };
        if scale <= 0.0 {
            table.problem(
                "scale",
                format!("{scale} is not above zero"),
                "what one count is in `unit`",
            );
            return None;
        }
        if float {
            let mwh_per_unit = ratio_of(energy) * scale * ratio;
            let kind = RegisterKind {
                unit: CountUnit::MILLIWATT_HOUR,
                modulus: None,
                told: false,
            };
            return Some((Decode::CountFloat { mwh_per_unit }, Some(kind)));
        }
        let Some(unit) = units::count_unit(unit, scale, ratio) else {
            table.problem(
                "scale",
                "is too large or too fine for an exact count",
                "fewer decimals",
            );
            return None;
        };
        let modulus = digits
            .and_then(|digits| 10_i128.checked_pow(u32::try_from(digits).ok()?))
            .or(modulus);
        return Some((
            Decode::Count,
            Some(RegisterKind {
                unit,
                modulus,
                told: false,
            }),
        ));
    }
    let Some((factor, shift)) = units::conversion(unit, quantity.unit) else {
        table.problem(
            "unit",
            format!("`{unit}` is not a unit of {}", quantity.name),
            remedy(),
        );
        return None;
    };
    if scale == 0.0 {
        table.problem(
            "scale",
            "0 makes every value the offset",
            "what one count is in `unit`",
        );
    }
    let turned = common.invert && matches!(quantity.unit, "W" | "var");
    let sign = if turned { -ratio } else { ratio };
    Some((
        Decode::Analog {
            scale: scale * factor * sign,
            offset: (offset * factor + shift) * sign,
        },
        None,
    ))
}

fn ratio_of(energy: (i128, i128)) -> f64 {
    let float =
        |value: i128| crate::domain::units::to_f64(i64::try_from(value).unwrap_or(i64::MAX));
    float(energy.0) / float(energy.1)
}

pub(super) fn duplicate(
    table: &Table<'_>,
    measured: &mut Vec<&'static str>,
    quantity: Option<&Quantity>,
) -> bool {
    let Some(quantity) = quantity else {
        return false;
    };
    let taken = measured.contains(&quantity.name);
    measured.push(quantity.name);
    if taken {
        table.problem(
            "quantity",
            format!("`{}` is measured twice by this meter", quantity.name),
            "one point for each quantity",
        );
    }
    taken
}

pub(super) fn layout(
    table: &Table<'_>,
    quantity: Option<&'static Quantity>,
    common: &Common,
) -> Option<(&'static Quantity, Layout, Option<RegisterKind>)> {
    let raw = raw(table, quantity);
    let fc = if table.has("fc") {
        table.integer("fc", 1, 4)
    } else {
        Some(3)
    };
    let address = table.required_integer("address", 0, 65_535);
    let bit = fc.is_some_and(|fc| fc <= 2);
    let example = if bit { "bit" } else { "f32" };
    if !bit {
        table.required("type", example);
    }
    let kind = if bit && !table.has("type") {
        Some(("bit", Number::U16, None))
    } else {
        table.parsed("type", example, |text| {
            TYPES
                .iter()
                .find(|row| row.0 == text)
                .copied()
                .ok_or_else(|| {
                    let names = list(TYPES.iter().map(|row| format!("`{}`", row.0)));
                    (format!("`{text}` is not a type"), format!("one of {names}"))
                })
        })
    };
    let order = if table.has("order") {
        table.parsed("order", "big", |text| match text {
            "big" => Ok(Order::Big),
            "little" => Ok(Order::Little),
            other => Err((
                format!("`{other}` is not a word order"),
                "`big` (high word first) or `little`".to_owned(),
            )),
        })
    } else {
        Some(Order::Big)
    };
    if let Some((name, ..)) = kind
        && (name == "bit") != bit
    {
        table.problem(
            "type",
            format!(
                "`{name}` does not go with function code {}",
                fc.unwrap_or(3)
            ),
            "`bit` goes with fc 1 and 2, numbers go with fc 3 and 4",
        );
    }
    let (Some(quantity), Some((_, number, modulus))) = (quantity, kind) else {
        // Whether it belongs here depends on what is wrong.
        let _ = table.has("digits");
        return None;
    };
    let (decode, register) = decode(table, quantity, &raw, common, number, modulus)?;
    let (address, order, fc) = (
        u16::try_from(address?).ok()?,
        order?,
        u8::try_from(fc?).ok()?,
    );
    let layout = Layout::simple(fc, Field::new(address, number, order), decode);
    if u32::from(address) + u32::from(layout.words()) > 65_536 {
        table.problem(
            "address",
            format!("{address} and the registers of this type end behind 65535"),
            "addresses are zero-based: the number in the manual less 1, 30001 or 40001",
        );
    }
    Some((quantity, layout, register))
}
