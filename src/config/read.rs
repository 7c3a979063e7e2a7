//! Reading a configuration so that every mistake is found at once.
//!
//! A [`Table`] is a cursor over one TOML table. Whatever is asked of it and is not
//! there, or is of another type, becomes a [`Problem`] with path, fact and remedy,
//! and reading goes on; keys that nobody asked for are unknown keys. Only a file
//! that is not TOML stops at its first fault, because nothing behind it can be
//! told apart.

mod lists;
mod words;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use lists::Listed;
pub use words::{bytes, closest, duration, list, number_and_unit};

/// One mistake in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: `meter[1].period`.
    pub path: String,
    /// What is there.
    pub fact: String,
    /// What would be right there.
    pub remedy: String,
    /// The line in the file, where one can be named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

/// All mistakes found so far, and where lines begin.
#[derive(Debug)]
pub struct Problems {
    list: RefCell<Vec<Problem>>,
    line_starts: Vec<usize>,
}

impl Problems {
    /// No problems yet, in a file of this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0)
            .chain(newlines.map(|(at, _)| at + 1))
            .collect();
        Self {
            list: RefCell::default(),
            line_starts,
        }
    }

    /// Adds a problem at a byte of the file.
    pub fn add(&self, at: Option<usize>, path: &str, fact: String, remedy: impl Into<String>) {
        let line = at.map(|at| self.line_starts.partition_point(|start| *start <= at));
        let problem = Problem {
            path: path.to_owned(),
            fact,
            remedy: remedy.into(),
            line,
        };
        self.list.borrow_mut().push(problem);
    }

    /// The problems, in the order of the file.
    #[must_use]
    pub fn into_list(self) -> Vec<Problem> {
        let mut list = self.list.into_inner();
        list.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        // A table that stands for several is read several times.
        let mut once: Vec<Problem> = Vec::new();
        for problem in list {
            if !once.contains(&problem) {
                once.push(problem);
            }
        }
        once
    }
}

/// A cursor over one table.
pub struct Table<'a> {
    path: String,
    map: &'a DeTable<'a>,
    at: usize,
    asked: RefCell<BTreeSet<String>>,
    problems: &'a Problems,
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

impl<'a> Table<'a> {
    /// The root of a file.
    #[must_use]
    pub fn root(map: &'a DeTable<'a>, problems: &'a Problems) -> Self {
        Self {
            path: String::new(),
            map,
            at: 0,
            asked: RefCell::default(),
            problems,
        }
    }

    /// The path of a key of this table.
    #[must_use]
    pub fn path(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else if key.is_empty() {
            self.path.clone()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Adds a problem with a key of this table; an empty key is the table itself.
    pub fn problem(&self, key: &str, fact: impl Into<String>, remedy: impl Into<String>) {
        let at = self
            .map
            .get(key)
            .map_or(self.at, |value| value.span().start);
        self.problems
            .add(Some(at), &self.path(key), fact.into(), remedy);
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.map.get(key)
    }

    /// Whether a key is there; asks for it.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn missing(&self, key: &str, example: &str) {
        self.problems.add(
            Some(self.at),
            &self.path(key),
            "is missing".to_owned(),
            format!("add `{key} = {example}`"),
        );
    }

    /// A string.
    pub fn text(&self, key: &str, example: &str) -> Option<&'a str> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(text),
            other => {
                self.wrong_type(key, other, "a string", &format!("\"{example}\""));
                None
            }
        }
    }

    /// A string that must be there.
    pub fn required(&self, key: &str, example: &str) -> Option<&'a str> {
        if !self.has(key) {
            self.missing(key, &format!("\"{example}\""));
        }
        self.text(key, example)
    }

    /// A string with a meaning; `parse` says what is wrong with it.
    pub fn parsed<T>(
        &self,
        key: &str,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, (String, String)>,
    ) -> Option<T> {
        match parse(self.text(key, example)?) {
            Ok(value) => Some(value),
            Err((fact, remedy)) => {
                self.problem(key, fact, remedy);
                None
            }
        }
    }

    /// An integer in a range.
    pub fn integer(&self, key: &str, least: i64, most: i64) -> Option<i64> {
        let value = self.get(key)?;
        let DeValue::Integer(text) = value.get_ref() else {
            self.wrong_type(key, value.get_ref(), "an integer", &least.to_string());
            return None;
        };
        let digits = text.as_str().replace('_', "");
        match i64::from_str_radix(&digits, text.radix()) {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                self.problem(
                    key,
                    format!("{} is out of range", text.as_str()),
                    format!("an integer from {least} to {most}"),
                );
                None
            }
        }
    }

    /// An integer in a range that must be there.
    pub fn required_integer(&self, key: &str, least: i64, most: i64) -> Option<i64> {
        if !self.has(key) {
            self.missing(key, &least.to_string());
        }
        self.integer(key, least, most)
    }

    /// A finite number.
    pub fn number(&self, key: &str) -> Option<f64> {
        let value = self.get(key)?;
        let text = match value.get_ref() {
            DeValue::Float(text) => text.as_str(),
            DeValue::Integer(text) if text.radix() == 10 => text.as_str(),
            other => {
                self.wrong_type(key, other, "a number", "1.0");
                return None;
            }
        };
        match text.replace('_', "").parse::<f64>() {
            Ok(number) if number.is_finite() => Some(number),
            _ => {
                self.problem(
                    key,
                    format!("`{text}` is not a finite number"),
                    "a number such as 0.1",
                );
                None
            }
        }
    }

    /// A number in a range.
    pub fn number_in(&self, key: &str, least: f64, most: f64) -> Option<f64> {
        let number = self.number(key)?;
        if (least..=most).contains(&number) {
            return Some(number);
        }
        self.problem(
            key,
            format!("{number} is out of range"),
            format!("from {least} to {most}"),
        );
        None
    }

    /// True or false.
    pub fn flag(&self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            other => {
                self.wrong_type(key, other, "true or false", "false");
                None
            }
        }
    }

    /// A duration with its unit.
    pub fn duration(&self, key: &str, example: &str) -> Option<Duration> {
        self.parsed(key, example, |text| {
            duration(text).ok_or_else(|| {
                (
                    format!("`{text}` is not a duration"),
                    format!(
                        "a number above zero with a unit (ms, s, min, h, d), such as \"{example}\""
                    ),
                )
            })
        })
    }

    /// A size in bytes with its unit.
    pub fn bytes(&self, key: &str, example: &str) -> Option<u64> {
        self.parsed(key, example, |text| {
            bytes(text).ok_or_else(|| {
                (
                    format!("`{text}` is not a size"),
                    format!("a number with a unit (KiB, MiB, GiB, TiB, kB, MB, GB), such as \"{example}\""),
                )
            })
        })
    }

    /// A list of strings.
    pub fn texts(&self, key: &str) -> Vec<&'a str> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(list) = value.get_ref() else {
            self.wrong_type(key, value.get_ref(), "a list of strings", "[\"one\"]");
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in list.iter() {
            match item.get_ref() {
                DeValue::String(text) => texts.push(&**text),
                other => self.wrong_type(key, other, "a string in a list", "[\"one\"]"),
            }
        }
        texts
    }

    fn child(&self, path: String, value: &'a Spanned<DeValue<'a>>) -> Option<Table<'a>> {
        let DeValue::Table(map) = value.get_ref() else {
            return None;
        };
        Some(Table {
            path,
            map,
            at: value.span().start,
            asked: RefCell::default(),
            problems: self.problems,
        })
    }

    /// A table inside of this one.
    pub fn table(&self, key: &str) -> Option<Table<'a>> {
        let value = self.get(key)?;
        let child = self.child(self.path(key), value);
        if child.is_none() {
            self.problem(
                key,
                format!("{} stands where a table belongs", kind(value.get_ref())),
                format!("a table `[{}]`", self.path(key)),
            );
        }
        child
    }

    /// The tables of a list `[[key]]`, each with its place in the path.
    pub fn tables(&self, key: &str) -> Vec<Table<'a>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(list) = value.get_ref() else {
            self.problem(
                key,
                format!(
                    "{} stands where a list of tables belongs",
                    kind(value.get_ref())
                ),
                format!("one `[[{}]]` for each", self.path(key)),
            );
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (place, item) in list.iter().enumerate() {
            let path = format!("{}[{place}]", self.path(key));
            match self.child(path, item) {
                Some(table) => tables.push(table),
                None => self.problem(
                    key,
                    format!("entry {place} is {}", kind(item.get_ref())),
                    format!("one `[[{}]]` for each", self.path(key)),
                ),
            }
        }
        tables
    }

    /// Every key of this table, in the order of the file.
    #[must_use]
    pub fn keys(&self) -> Vec<&'a str> {
        self.map.iter().map(|(name, _)| &**name.get_ref()).collect()
    }

    /// The named tables inside of this one: `[key.NAME]`.
    pub fn named(&self, key: &str) -> Vec<(&'a str, Table<'a>)> {
        let Some(table) = self.table(key) else {
            return Vec::new();
        };
        let names: Vec<&'a str> = table
            .map
            .iter()
            .map(|(name, _)| &**name.get_ref())
            .collect();
        names
            .into_iter()
            .filter_map(|name| Some((name, table.table(name)?)))
            .collect()
    }

    /// The one key that chooses among alternatives, where a choice is a sub-table.
    pub fn choice(&self, kinds: &[&'static str]) -> Option<(&'static str, Table<'a>)> {
        let chosen: Vec<&'static str> = kinds
            .iter()
            .copied()
            .filter(|kind| self.has(kind))
            .collect();
        match chosen.as_slice() {
            [kind] => Some((kind, self.table(kind)?)),
            [] => {
                self.problem(
                    "",
                    "says no kind",
                    format!(
                        "one of {}",
                        list(kinds.iter().map(|kind| format!("[{}.{kind}]", self.path)))
                    ),
                );
                None
            }
            _ => {
                self.problem(
                    "",
                    format!("is {} at once", chosen.join(" and ")),
                    "keep one of them",
                );
                None
            }
        }
    }

    /// Whether a key holds a string.
    #[must_use]
    pub fn is_text(&self, key: &str) -> bool {
        matches!(
            self.get(key).map(Spanned::get_ref),
            Some(DeValue::String(_))
        )
    }

    /// Whether a key holds a list.
    #[must_use]
    pub fn is_list(&self, key: &str) -> bool {
        matches!(self.get(key).map(Spanned::get_ref), Some(DeValue::Array(_)))
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(&self) {
        let asked = self.asked.borrow();
        for (key, _) in self.map.iter() {
            let name: &str = key.get_ref();
            if asked.contains(name) {
                continue;
            }
            let known: Vec<&str> = asked.iter().map(String::as_str).collect();
            let remedy = match closest(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "remove it; known here: {}",
                    list(known.iter().map(|key| format!("`{key}`")))
                ),
            };
            self.problems.add(
                Some(key.span().start),
                &self.path(name),
                "is an unknown key".to_owned(),
                remedy,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_found_with_its_line() {
        let text = "a = 1\nb = \"x\"\nc = 5\n[t]\nd = true\n";
        let table = DeTable::parse(text).unwrap();
        let problems = Problems::new(text);
        let root = Table::root(table.get_ref(), &problems);
        root.text("a", "word");
        root.duration("b", "1s");
        root.required("z", "word");
        let inner = root.table("t").unwrap();
        inner.integer("d", 0, 9);
        inner.finish();
        root.finish();
        let found: Vec<_> = problems
            .into_list()
            .into_iter()
            .map(|p| (p.path, p.line))
            .collect();
        let expected = [("a", 1), ("z", 1), ("b", 2), ("c", 3), ("t.d", 5)]
            .map(|(p, l)| (p.to_owned(), Some(l)));
        assert_eq!(found, expected);
    }
}
