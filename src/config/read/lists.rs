//! Lists of numbers, tables by key, and problems of another file.

use toml::Spanned;
use toml::de::DeValue;

use super::{Problem, Table, kind};

/// A number in a list, as it is written: a pattern of bits is an integer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Listed {
    /// Without a point.
    Integer(i128),
    /// With a point.
    Float(f64),
}

fn listed(value: &DeValue<'_>) -> Option<Listed> {
    match value {
        DeValue::Integer(text) => {
            let digits = text.as_str().replace('_', "");
            let number = i128::from_str_radix(&digits, text.radix()).ok()?;
            Some(Listed::Integer(number))
        }
        DeValue::Float(text) => {
            let number = text.as_str().replace('_', "").parse::<f64>().ok()?;
            number.is_finite().then_some(Listed::Float(number))
        }
        _ => None,
    }
}

impl<'a> Table<'a> {
    /// A list of numbers.
    pub fn numbers(&self, key: &str) -> Vec<Listed> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(list) = value.get_ref() else {
            self.wrong_type(key, value.get_ref(), "a list of numbers", "[0x7FFF]");
            return Vec::new();
        };
        let mut numbers = Vec::new();
        for item in list.iter() {
            match listed(item.get_ref()) {
                Some(number) => numbers.push(number),
                None => self.wrong_type(key, item.get_ref(), "a number in a list", "[0x7FFF]"),
            }
        }
        numbers
    }

    /// A list of integers.
    pub fn integers(&self, key: &str) -> Vec<i64> {
        let mut integers = Vec::new();
        for number in self.numbers(key) {
            match number {
                Listed::Integer(number) if i64::try_from(number).is_ok() => {
                    integers.extend(i64::try_from(number));
                }
                Listed::Integer(number) => {
                    self.problem(key, format!("{number} is out of range"), "an integer");
                }
                Listed::Float(number) => {
                    self.problem(key, format!("{number} is not an integer"), "an integer");
                }
            }
        }
        integers
    }

    /// Whether a key holds a table.
    #[must_use]
    pub fn is_table(&self, key: &str) -> bool {
        matches!(self.get(key).map(Spanned::get_ref), Some(DeValue::Table(_)))
    }

    /// Takes over the problems of a file that this one names.
    pub fn adopt(&self, file: &str, problems: &[Problem]) {
        for problem in problems {
            let line = problem
                .line
                .map_or(String::new(), |line| format!("{line}:"));
            let path = format!("{file}:{line} {}", problem.path);
            let (fact, remedy) = (problem.fact.clone(), problem.remedy.clone());
            self.problems.add(None, path.trim(), fact, remedy);
        }
    }

    /// What was wrong with the value of a key, in words for its reader.
    pub(super) fn wrong_type(&self, key: &str, value: &DeValue<'_>, expected: &str, example: &str) {
        self.problem(
            key,
            format!("{} stands where {expected} belongs", kind(value)),
            format!("for example `{key} = {example}`"),
        );
    }
}
