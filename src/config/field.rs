//! Fields: where a raw number is in a device and how it is written.
//!
//! ```text
//!   address, type, order, byte_order, bit, length, not_available ──▶ Field, Absent
//! ```
//!
//! A point has one field of its own; what is added to it, its exponent, a ratio and
//! what identifies a device are fields as well, and read by the same words.
//!
//! **A pattern for "no value" belongs to a width**: it is checked against its type
//! here, so that none is ever compared with a number of another one.

use std::sync::Arc;

use super::read::{Listed, Table, list};
use crate::wire::register::{Absent, Field, Number, Order};

/// Types of a register, by their name in a configuration.
#[rustfmt::skip]
const TYPES: &[(&str, Number)] = &[
    ("u16", Number::U16), ("i16", Number::I16),
    ("u32", Number::U32), ("i32", Number::I32),
    ("u64", Number::U64), ("i64", Number::I64),
    ("f32", Number::F32), ("f64", Number::F64),
    ("bcd16", Number::Bcd16), ("bcd32", Number::Bcd32), ("bcd64", Number::Bcd64),
    ("datetime", Number::DateTime),
    ("u8low", Number::LowByte), ("u8high", Number::HighByte),
    ("bit", Number::Bit(0)), ("text", Number::Text(1)),
];

/// The name of a number in a configuration.
#[must_use]
pub fn type_name(number: Number) -> &'static str {
    let same =
        |row: &&(&str, Number)| std::mem::discriminant(&row.1) == std::mem::discriminant(&number);
    TYPES.iter().find(same).map_or("u16", |row| row.0)
}

/// What holds where a field says nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Defaults {
    /// Function code.
    pub fc: u8,
    /// Which word comes first.
    pub order: Order,
    /// Which byte of a word comes first.
    pub bytes: Order,
    /// Patterns that say that there is no number, by type.
    pub absent: Vec<(&'static str, Absent)>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            fc: 3,
            order: Order::Big,
            bytes: Order::Big,
            absent: Vec::new(),
        }
    }
}

impl Defaults {
    fn absent_of(&self, name: &str) -> Absent {
        let row = self.absent.iter().find(|row| row.0 == name);
        row.and_then(|row| row.1.clone())
    }
}

/// A field, and the patterns that say that it has no number.
#[derive(Debug, Clone, PartialEq)]
pub struct Spot {
    /// The field.
    pub field: Field,
    /// The patterns.
    pub absent: Absent,
}

/// The function code of a table.
pub fn function_code(table: &Table<'_>, key: &str, defaults: &Defaults) -> Option<u8> {
    if !table.has(key) {
        return Some(defaults.fc);
    }
    u8::try_from(table.integer(key, 1, 4)?).ok()
}

/// An order of words or bytes.
pub fn order(table: &Table<'_>, key: &str, default: Order) -> Option<Order> {
    if !table.has(key) {
        return Some(default);
    }
    let what = if key == "order" { "word" } else { "byte" };
    table.parsed(key, "big", |text| match text {
        "big" => Ok(Order::Big),
        "little" => Ok(Order::Little),
        other => Err((
            format!("`{other}` is not a {what} order"),
            format!("`big` (high {what} first) or `little`"),
        )),
    })
}

/// Reads a field under a function code; none of it is left out for a mistake in the
/// rest.
pub fn spot(table: &Table<'_>, fc: Option<u8>, defaults: &Defaults) -> Option<Spot> {
    let address = table.required_integer("address", 0, 65_535);
    let coil = fc.is_some_and(|fc| fc <= 2);
    let number = number(table, coil);
    let order = order(table, "order", defaults.order);
    let bytes = self::order(table, "byte_order", defaults.bytes);
    let absent = if table.has("not_available") {
        patterns(table, "not_available", number?)
    } else {
        defaults.absent_of(type_name(number?))
    };
    let field = Field {
        address: u16::try_from(address?).ok()?,
        number: number?,
        order: order?,
        bytes: bytes?,
    };
    let words = if coil { 1 } else { field.number.words() };
    if u32::from(field.address) + u32::from(words) > 65_536 {
        table.problem(
            "address",
            format!(
                "{} and the registers of this type end behind 65535",
                field.address
            ),
            "addresses are zero-based: the number in the manual less 1, 30001 or 40001",
        );
        return None;
    }
    Some(Spot { field, absent })
}

/// The type of a field.
fn number(table: &Table<'_>, coil: bool) -> Option<Number> {
    let example = if coil { "bit" } else { "f32" };
    if !coil {
        table.required("type", example);
    }
    let number = if coil && !table.has("type") {
        Some(Number::Bit(0))
    } else {
        table.parsed("type", example, |text| {
            let row = TYPES.iter().find(|row| row.0 == text);
            row.map(|row| row.1).ok_or_else(|| {
                let names = list(TYPES.iter().map(|row| format!("`{}`", row.0)));
                (format!("`{text}` is not a type"), format!("one of {names}"))
            })
        })
    };
    let is_bit = matches!(number, Some(Number::Bit(_)));
    if let Some(number) = number
        && coil
        && !is_bit
    {
        table.problem(
            "type",
            format!("`{}` does not go with single bits", type_name(number)),
            "`bit` goes with fc 1 and 2, numbers go with fc 3 and 4",
        );
    }
    let part = |key: &str, wanted: bool, least: i64, most: i64| {
        let has = table.has(key);
        if wanted {
            return table.required_integer(key, least, most);
        }
        if has && number.is_some() {
            table.problem(key, "does not go with this type", "remove it");
        }
        None
    };
    let bit = part("bit", is_bit && !coil, 0, 15);
    let is_text = matches!(number, Some(Number::Text(_)));
    let length = part("length", is_text, 1, 125);
    match number? {
        Number::Bit(_) if !coil => Some(Number::Bit(u8::try_from(bit?).ok()?)),
        Number::Text(_) => Some(Number::Text(u16::try_from(length?).ok()?)),
        number => Some(number),
    }
}

/// Patterns that say that there is no number of a type.
fn patterns(table: &Table<'_>, key: &str, number: Number) -> Absent {
    let mut patterns = Vec::new();
    for listed in table.numbers(key) {
        match pattern(listed, number) {
            Some(pattern) => patterns.push(pattern),
            None => {
                let shown = match listed {
                    Listed::Integer(number) => number.to_string(),
                    Listed::Float(number) => number.to_string(),
                };
                table.problem(
                    key,
                    format!(
                        "{shown} is never in a register of type `{}`",
                        type_name(number)
                    ),
                    "the raw bits as the type has them, such as 0x7FFF in one register",
                );
            }
        }
    }
    (!patterns.is_empty()).then(|| Arc::from(patterns))
}

/// The bits of one pattern; none where the type never has them.
fn pattern(listed: Listed, number: Number) -> Option<u64> {
    let bits: u32 = match number {
        Number::LowByte | Number::HighByte => 8,
        Number::Bit(_) | Number::Text(_) => return None,
        number => u32::from(number.words()) * 16,
    };
    match (listed, number) {
        (Listed::Integer(raw), _) => {
            let whole = 1_i128 << bits;
            let least = if number.is_whole() { -whole / 2 } else { 0 };
            if !(least..whole).contains(&raw) {
                return None;
            }
            u64::try_from(if raw < 0 { raw + whole } else { raw }).ok()
        }
        (Listed::Float(float), Number::F64) => Some(float.to_bits()),
        (Listed::Float(float), Number::F32) => single(float).map(|float| float.to_bits().into()),
        (Listed::Float(_), _) => None,
    }
}

/// A float of half the width, if it holds it.
#[allow(clippy::as_conversions, clippy::cast_possible_truncation)]
fn single(float: f64) -> Option<f32> {
    let single = float as f32;
    single.is_finite().then_some(single)
}

/// Patterns by type: `[not_available]` of a template.
pub fn absent_by_type(table: &Table<'_>) -> Vec<(&'static str, Absent)> {
    let mut absent = Vec::new();
    for (name, number) in TYPES {
        if table.has(name) {
            absent.push((*name, patterns(table, name, *number)));
        }
    }
    table.finish();
    absent
}
