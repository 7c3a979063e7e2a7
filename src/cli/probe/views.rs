//! The same registers as every type and order, side by side.
//!
//! A technician knows what the display of the meter says; one of these columns says the
//! same. **Nothing is scaled here**: what stands in a column is the raw number.

use serde_json::{Map, Value, json};

use super::block::{Block, Cell};
use crate::cli::columns::{Side, columns};
use crate::wire::register::{Field, Number, Order, Raw};

/// Types of one register.
const ONE: &[(&str, Number)] = &[
    ("u16", Number::U16),
    ("i16", Number::I16),
    ("bcd16", Number::Bcd16),
];
/// Types of two.
const TWO: &[(&str, Number)] = &[
    ("u32", Number::U32),
    ("i32", Number::I32),
    ("f32", Number::F32),
    ("bcd32", Number::Bcd32),
];
/// Types of four.
const FOUR: &[(&str, Number)] = &[
    ("u64", Number::U64),
    ("i64", Number::I64),
    ("f64", Number::F64),
];
/// Word orders by their names in a configuration.
const ORDERS: &[(&str, Order)] = &[("big", Order::Big), ("little", Order::Little)];

fn raw(words: &[u16], number: Number, order: Order, bytes: Order) -> Option<Raw> {
    let field = Field {
        bytes,
        ..Field::new(0, number, order)
    };
    field.raw(0, words, None).ok()
}

/// A raw number as text; a float with as many digits as it has.
fn shown(raw: Raw, number: Number) -> String {
    match raw {
        Raw::Unsigned(value) => value.to_string(),
        Raw::Signed { number, .. } => number.to_string(),
        Raw::Float(value) => float(value, number == Number::F32),
    }
}

/// A float with the digits that it is good for.
#[must_use]
pub fn float(value: f64, single: bool) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let digits = if single {
        format!("{value:.6e}")
    } else {
        format!("{value:.11e}")
    };
    let value: f64 = digits.parse().unwrap_or(value);
    if value == 0.0 || (1e-4..1e12).contains(&value.abs()) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

/// The two characters in a register.
fn characters(word: u16, bytes: Order) -> String {
    let pair = match bytes {
        Order::Big => word.to_be_bytes(),
        Order::Little => word.to_le_bytes(),
    };
    let each = pair.map(|byte| {
        if byte.is_ascii_graphic() || byte == b' ' {
            char::from(byte)
        } else {
            '.'
        }
    });
    each.iter().collect()
}

fn address(address: u16) -> [String; 2] {
    [address.to_string(), format!("0x{address:04X}")]
}

/// Tables of registers.
#[must_use]
pub fn tables(block: &Block, bytes: Order) -> String {
    let mut text = String::from("One register\n");
    let mut rows = vec![head(&["hex", "u16", "i16", "bcd16", "text"])];
    for (at, cell) in &block.cells {
        let mut row: Vec<String> = address(*at).into();
        match cell {
            Cell::Word(word) => {
                row.push(format!("{word:04X}"));
                let each = ONE.iter().map(|(_, number)| {
                    let raw = raw(&[*word], *number, Order::Big, bytes);
                    raw.map_or("-".to_owned(), |raw| shown(raw, *number))
                });
                row.extend(each);
                row.push(characters(*word, bytes));
            }
            Cell::Refused(code) => row.push(format!("refused ({code})")),
            Cell::Silent => row.push("no answer".to_owned()),
            Cell::NotAsked => row.push("not asked".to_owned()),
        }
        rows.push(row);
    }
    text.push_str(&columns(&rows, &[Side::Right; 6]));
    for (title, types, count) in [
        ("Two registers, the first of them here", TWO, 2),
        ("Four registers, the first of them here", FOUR, 4),
    ] {
        text.push_str(&wide(block, bytes, title, types, count));
    }
    text
}

fn head(names: &[&str]) -> Vec<String> {
    let names = ["address", ""].iter().chain(names);
    names.map(|name| (*name).to_owned()).collect()
}

/// Types of several registers; nothing where none has enough behind it.
fn wide(block: &Block, bytes: Order, title: &str, types: &[(&str, Number)], count: u16) -> String {
    let mut names = Vec::new();
    for (order, _) in ORDERS {
        names.extend(types.iter().map(|(name, _)| format!("{name} {order}")));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rows = vec![head(&names)];
    for (place, (at, _)) in block.cells.iter().enumerate() {
        let Some(words) = block.words(place, count) else {
            continue;
        };
        let mut row: Vec<String> = address(*at).into();
        for (_, order) in ORDERS {
            row.extend(types.iter().map(|(_, number)| {
                let raw = raw(&words, *number, *order, bytes);
                raw.map_or("-".to_owned(), |raw| shown(raw, *number))
            }));
        }
        rows.push(row);
    }
    if rows.len() < 2 {
        return String::new();
    }
    format!("\n{title}\n{}", columns(&rows, &[Side::Right; 10]))
}

/// Bits, ten a line.
#[must_use]
pub fn bits(block: &Block) -> String {
    let mut text = String::new();
    for cells in block.cells.chunks(10) {
        let first = cells.first().map_or(0, |cell| cell.0);
        let each: Vec<&str> = cells
            .iter()
            .map(|(_, cell)| match cell {
                Cell::Word(0) => "0",
                Cell::Word(_) => "1",
                Cell::Refused(_) => "refused",
                Cell::Silent => "silent",
                Cell::NotAsked => "?",
            })
            .collect();
        text.push_str(&format!("  {first:>5}  {}\n", each.join(" ")));
    }
    text
}

/// Every register with what it is as every type.
#[must_use]
pub fn json(block: &Block, fc: u8, bytes: Order) -> Vec<Value> {
    let mut rows = Vec::new();
    for (place, (at, cell)) in block.cells.iter().enumerate() {
        let Cell::Word(word) = cell else { continue };
        if fc <= 2 {
            rows.push(json!({ "address": at, "bit": word }));
            continue;
        }
        let mut row = Map::new();
        row.insert("address".to_owned(), json!(at));
        row.insert("hex".to_owned(), json!(format!("{word:04X}")));
        for (name, number) in ONE {
            let raw = raw(&[*word], *number, Order::Big, bytes);
            row.insert(
                (*name).to_owned(),
                raw.map_or(Value::Null, |raw| number_json(raw, *number)),
            );
        }
        row.insert("text".to_owned(), json!(characters(*word, bytes)));
        for (types, count) in [(TWO, 2), (FOUR, 4)] {
            let Some(words) = block.words(place, count) else {
                continue;
            };
            for (name, number) in types {
                let each = ORDERS.iter().map(|(order, by)| {
                    let raw = raw(&words, *number, *by, bytes);
                    (
                        (*order).to_owned(),
                        raw.map_or(Value::Null, |raw| number_json(raw, *number)),
                    )
                });
                row.insert((*name).to_owned(), Value::Object(each.collect()));
            }
        }
        rows.push(Value::Object(row));
    }
    rows
}

/// A raw number, a float with the digits that it is good for; NaN and infinities are
/// null.
fn number_json(raw: Raw, number: Number) -> Value {
    match raw {
        Raw::Unsigned(value) => json!(value),
        Raw::Signed { number, .. } => json!(number),
        Raw::Float(value) => json!(float(value, number == Number::F32).parse::<f64>().ok()),
    }
}

#[cfg(test)]
#[path = "views_tests.rs"]
mod tests;
