//! What to do about gaps: `[gaps]`.
//!
//! ```toml
//! [gaps]
//! registers = "shaped"     # or "even"
//! integrals = "missing"    # or "estimated"
//! ```

use super::read::{Table, list};
use crate::domain::relations::{GapPolicy, INTEGRALS, REGISTERS};

/// One of several words.
fn one_of<T: Copy + Default>(table: &Table<'_>, key: &str, words: &[(&str, T)]) -> T {
    let example = words.first().map_or("", |word| word.0);
    let word = table.parsed(key, example, |text| {
        let known = words.iter().find(|word| word.0 == text);
        known.map(|word| word.1).ok_or_else(|| {
            (
                format!("`{text}` is no way to treat gaps"),
                list(words.iter().map(|word| format!("{:?}", word.0))),
            )
        })
    });
    word.unwrap_or_default()
}

/// Reads `[gaps]`.
pub fn gaps(root: &Table<'_>) -> GapPolicy {
    if !root.has("gaps") {
        return GapPolicy::default();
    }
    let Some(table) = root.table("gaps") else {
        return GapPolicy::default();
    };
    let policy = GapPolicy {
        registers: one_of(&table, "registers", REGISTERS),
        integrals: one_of(&table, "integrals", INTEGRALS),
    };
    table.finish();
    policy
}
