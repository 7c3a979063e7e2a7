//! `mapping = "…"` of a sensor, and the keys that say which device is meant.

use super::super::read::{Table, closest, list};
use super::captures::{self, Captured};
use super::mapping::{MAPPINGS, Mapping, names};

/// Keys that say what is measured.
const OF_POINTS: &[&str] = &[
    "only",
    "omit",
    "point",
    "quantity",
    "unit",
    "scale",
    "offset",
    "pointer",
    "field",
    "metric",
    "number_in_text",
];

/// A system, and which device of it is meant.
pub(super) struct System {
    pub(super) mapping: &'static Mapping,
    values: Captured,
}

impl System {
    /// The system that a sensor names, if it names one.
    pub(super) fn read(table: &Table<'_>, captured: &Captured) -> Option<Self> {
        let system = Self::known(table, captured);
        if system.is_none() && table.has("mapping") {
            // What belongs to a system that is not known is no mistake of its own.
            let keys = MAPPINGS.iter().flat_map(|row| row.keys).map(|key| key.name);
            for key in keys.chain(OF_POINTS.iter().copied()) {
                let _ = table.has(key);
            }
        }
        system
    }

    fn known(table: &Table<'_>, captured: &Captured) -> Option<Self> {
        let first = table.parsed("mapping", "tasmota", |text| {
            let mut rows = MAPPINGS.iter();
            rows.find(|row| row.name == text).ok_or_else(|| {
                let names = names();
                let remedy = match closest(text, &names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        let names = names.iter().map(|name| format!("`{name}`"));
                        format!("one of {}, or topic and pointer by hand", list(names))
                    }
                };
                (format!("`{text}` is no mapping"), remedy)
            })
        })?;
        let mut values = captured.clone();
        for key in first.keys {
            if key.default.is_none() {
                table.required(key.name, key.example);
            }
            let said = table.text(key.name, key.example);
            let value = captures::fill(said.or(key.default).unwrap_or_default(), &values);
            values.push((key.name.to_owned(), value));
        }
        let mut system = Self {
            mapping: first,
            values,
        };
        if let Some((key, _)) = first.kind {
            let value = system.value(key).unwrap_or_default();
            let kinds: Vec<&Mapping> = MAPPINGS
                .iter()
                .filter(|row| row.name == first.name)
                .collect();
            let begins =
                |row: &&&Mapping| row.kind.is_some_and(|(_, begin)| value.starts_with(begin));
            match kinds.iter().find(begins) {
                Some(row) => system.mapping = row,
                None if value.is_empty() => return None,
                None => {
                    let known = kinds.iter().filter_map(|row| row.kind);
                    let known = list(known.map(|(_, begin)| format!("\"{begin}…\"")));
                    table.problem(
                        key,
                        format!("`{value}` is not known to this mapping"),
                        format!("one of {known}, or topic and pointer by hand"),
                    );
                    return None;
                }
            }
            let number = value.split_once(':').map_or("0", |(_, number)| number);
            system.values.push(("n".to_owned(), number.to_owned()));
        }
        Some(system)
    }

    /// What a key says, if anything.
    pub(super) fn value(&self, key: &str) -> Option<String> {
        let mut values = self.values.iter().rev();
        let (_, value) = values.find(|(name, _)| name == key)?;
        (!value.is_empty()).then(|| value.clone())
    }

    /// A text of the mapping with everything filled in.
    pub(super) fn fill(&self, text: &str) -> String {
        // A key may stand for a text that holds others.
        captures::fill(&captures::fill(text, &self.values), &self.values)
    }

    /// The same for a place in a document, in which a slash means something.
    pub(super) fn fill_place(&self, text: &str, field: &str) -> String {
        let escaped = field.replace('~', "~0").replace('/', "~1");
        self.fill(text).replace("{field}", &escaped)
    }

    /// Group and edge node, where there are such.
    pub(super) fn node(&self) -> Option<(String, String)> {
        Some((self.value("group")?, self.value("edge")?))
    }

    /// The topic to which the device wants to be written.
    pub(super) fn keep_talking(&self) -> Option<String> {
        self.mapping.keep_talking.map(|topic| self.fill(topic))
    }
}
