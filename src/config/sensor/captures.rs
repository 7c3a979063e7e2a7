//! One `[[sensor]]` for many: names in braces, filled in from `captures`.
//!
//! ```toml
//! [[sensor]]
//! id = "plug-{id}"                          # plug-pump1, plug-pump2
//! topic = "meters/+id/power"                # subscribed as meters/+/power
//! captures = { id = ["pump1", "pump2"] }
//! ```
//!
//! Which meters there are is known before the first message: a balance with a meter
//! that appears by itself would change its meaning by itself.

use super::super::read::{Table, list};

/// Names with what they stand for.
pub(super) type Captured = Vec<(String, String)>;

/// The sensors that one table may stand for at most.
const MOST: usize = 10_000;

/// Every combination of what is captured; one of nothing where nothing is.
pub(super) fn combinations(table: &Table<'_>) -> Vec<Captured> {
    if !table.has("captures") {
        return vec![Vec::new()];
    }
    let Some(captures) = table.table("captures") else {
        return vec![Vec::new()];
    };
    let mut all: Vec<Captured> = vec![Vec::new()];
    let id = table.text("id", "plug-{id}").unwrap_or_default();
    for name in captures.keys() {
        let values = captures.texts(name);
        if values.is_empty() {
            captures.problem(
                name,
                "captures nothing",
                "a list such as [\"pump1\", \"pump2\"]",
            );
            continue;
        }
        if values.len() > 1 && !id.contains(&format!("{{{name}}}")) {
            table.problem(
                "id",
                format!("is the same for every `{name}`"),
                format!("write `{{{name}}}` into it, such as \"plug-{{{name}}}\""),
            );
        }
        let with = |before: &Captured| -> Vec<Captured> {
            let add = |value: &&str| {
                let mut captured = before.clone();
                captured.push((name.to_owned(), (*value).to_owned()));
                captured
            };
            values.iter().map(add).collect()
        };
        let many = all.len().saturating_mul(values.len());
        if many > MOST {
            captures.problem(name, format!("makes {many} sensors of one"), "name fewer");
            continue;
        }
        all = all.iter().flat_map(with).collect();
    }
    captures.finish();
    all
}

/// A text with everything that is captured filled in.
pub(super) fn fill(text: &str, captured: &Captured) -> String {
    let mut filled = text.to_owned();
    for (name, value) in captured {
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    filled
}

/// What is wrong with names in a filter that are not captured.
pub(super) fn unknown(text: &str, captured: &Captured) -> Option<(String, String)> {
    let names = crate::wire::mqtt::topic::captures(text);
    let known = |name: &&str| captured.iter().any(|(known, _)| known == name);
    let unknown: Vec<&str> = names.into_iter().filter(|name| !known(name)).collect();
    let first = unknown.first()?;
    Some((
        format!(
            "captures {}, and nothing says which there are",
            list(unknown.iter().map(|name| format!("`{name}`")))
        ),
        format!("add `captures = {{ {first} = [\"pump1\", \"pump2\"] }}`, or write `+` for any"),
    ))
}
