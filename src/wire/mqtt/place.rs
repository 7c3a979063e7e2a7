//! A place in a JSON document: a pointer that can also sum and look up.
//!
//! | place | document | found |
//! |---|---|---|
//! | `/a/b/1` | `{"a": {"b": [1, 2]}}` | 2 |
//! | `/em:0/x.y` | `{"em:0": {"x.y": 5}}` | 5 |
//! | `/a~1b` | `{"a/b": 4}` | 4 |
//! | `/power/*` | `{"power": [1200, -340]}`, `{"power": 860}` | 860 |
//! | `/tags[name=p]/value` | `{"tags": [{"name": "p", "value": 7}]}` | 7 |
//!
//! Keys may hold dots and colons; `~1` is a slash and `~0` a tilde, as in a JSON
//! pointer. **A sum is of all elements or of none**: one phase that is missing makes
//! the whole unknown.

use serde_json::Value;

use super::payload::{Numbers, number_in};
use crate::domain::quality::Reason;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A key of an object, or an index of a list.
    Key(String),
    /// The object in a list of which a key has this text.
    Lookup { key: String, text: String },
}

/// A place in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    steps: Vec<Step>,
    /// All elements of what is there, summed; of a single number that number.
    sum: bool,
}

impl Place {
    /// The place as a JSON pointer; none where it sums or looks up.
    #[must_use]
    pub fn pointer(&self) -> Option<String> {
        let steps = self.steps.iter().map(|step| match step {
            Step::Key(key) => Some(format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Step::Lookup { .. } => None,
        });
        steps.collect::<Option<String>>().filter(|_| !self.sum)
    }

    /// A place from its text; empty is the document itself.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut place = Self {
            steps: Vec::new(),
            sum: false,
        };
        if text.is_empty() {
            return Ok(place);
        }
        let Some(path) = text.strip_prefix('/') else {
            return Err(format!("`{text}` does not begin with a slash"));
        };
        for token in path.split('/') {
            if place.sum {
                return Err("`*` stands at the end".into());
            }
            if token == "*" {
                place.sum = true;
                continue;
            }
            let plain = |text: &str| text.replace("~1", "/").replace("~0", "~");
            let lookup = token
                .strip_suffix(']')
                .and_then(|rest| rest.split_once('['));
            match lookup.map(|(list, test)| (list, test.split_once('='))) {
                Some((list, Some((key, text)))) => {
                    if !list.is_empty() {
                        place.steps.push(Step::Key(plain(list)));
                    }
                    place.steps.push(Step::Lookup {
                        key: plain(key),
                        text: plain(text),
                    });
                }
                _ => place.steps.push(Step::Key(plain(token))),
            }
        }
        Ok(place)
    }

    /// A key under this place, whatever characters it holds.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.steps.push(Step::Key(key.to_owned()));
        self
    }

    /// What is there; none where the document has no such place.
    #[must_use]
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.steps.iter().try_fold(document, |at, step| match step {
            Step::Key(key) => match at {
                Value::Object(map) => map.get(key),
                Value::Array(list) => list.get(index(key)?),
                _ => None,
            },
            Step::Lookup { key, text } => at
                .as_array()?
                .iter()
                .find(|item| item.get(key).is_some_and(|found| is_text(found, text))),
        })
    }

    /// The number there, none where the document has no such place.
    ///
    /// # Errors
    ///
    /// [`Reason::NotAvailable`] for `null` and words that say so,
    /// [`Reason::ShortAnswer`] for what is no number.
    pub fn number(&self, document: &Value, numbers: Numbers) -> Option<Result<f64, Reason>> {
        let found = self.find(document)?;
        let (true, Value::Array(list)) = (self.sum, found) else {
            return Some(number_in(found, numbers));
        };
        if list.is_empty() {
            return Some(Err(Reason::NotAvailable));
        }
        let sum: Result<f64, Reason> = list.iter().map(|item| number_in(item, numbers)).sum();
        Some(sum.and_then(super::payload::finite))
    }

    /// The text there, or the number as text.
    #[must_use]
    pub fn text(&self, document: &Value) -> Option<String> {
        match self.find(document)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        }
    }
}

/// An index as a JSON pointer writes it: `01` is a key and no index.
fn index(key: &str) -> Option<usize> {
    let number: usize = key.parse().ok()?;
    (number.to_string() == key).then_some(number)
}

fn is_text(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        Value::Number(number) => number.to_string() == text,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(place: &str, document: &str) -> Option<Result<f64, Reason>> {
        let document = serde_json::from_str(document).unwrap();
        Place::parse(place)
            .unwrap()
            .number(&document, Numbers::Plain)
    }

    type Found = Option<Result<f64, Reason>>;

    #[test]
    fn places() {
        use Reason::{NotAvailable, ShortAnswer};
        #[rustfmt::skip]
        let cases: &[(&str, &str, Found)] = &[
            ("",                    "7",                                          Some(Ok(7.0))),
            ("/a/b/1",              r#"{"a": {"b": [1, 2]}}"#,                    Some(Ok(2.0))),
            ("/a~1b",               r#"{"a/b": 4}"#,                              Some(Ok(4.0))),
            ("/a~0b",               r#"{"a~b": 4}"#,                              Some(Ok(4.0))),
            ("/em:0/x.y",           r#"{"em:0": {"x.y": 5}}"#,                    Some(Ok(5.0))),
            ("/1",                  r#"{"1": 5}"#,                                Some(Ok(5.0))),
            ("/01",                 "[1, 2]",                                     None),
            ("/p/*",                r#"{"p": [1200, -340, 80]}"#,                 Some(Ok(940.0))),
            ("/p/*",                r#"{"p": 860}"#,                              Some(Ok(860.0))),
            ("/p/*",                r#"{"p": [1200, null]}"#,                     Some(Err(NotAvailable))),
            ("/p/*",                r#"{"p": [1200, "x"]}"#,                      Some(Err(ShortAnswer))),
            ("/p/*",                r#"{"p": []}"#,                               Some(Err(NotAvailable))),
            ("/p/*",                r#"{"p": [1.7e308, 1.7e308]}"#,               Some(Err(NotAvailable))),
            ("/p/*",                "{}",                                         None),
            ("/t[name=p]/value",    r#"{"t": [{"name": "q", "value": 1}, {"name": "p", "value": 7}]}"#, Some(Ok(7.0))),
            ("/t[name=p]/value",    r#"{"t": [{"name": "p", "error": 3000}]}"#,   None),
            ("/t[id=3]/v",          r#"{"t": [{"id": 3, "v": 9}]}"#,              Some(Ok(9.0))),
            ("/[name=p]/value",     r#"[{"name": "p", "value": 7}]"#,             Some(Ok(7.0))),
            ("/a/b",                r#"{"a": 1}"#,                                None),
            ("/a",                  r#"{"a": null}"#,                             Some(Err(NotAvailable))),
            ("/a",                  r#"{"a": true}"#,                             Some(Err(ShortAnswer))),
        ];
        for (place, document, expected) in cases {
            assert_eq!(number(place, document), *expected, "{place} in {document}");
        }
        assert!(Place::parse("dni").is_err());
        assert!(Place::parse("/a/*/b").is_err());
    }

    #[test]
    fn texts() {
        let document = serde_json::json!({"s": "OK", "n": 3, "b": false, "o": {}});
        let text = |place: &str| Place::parse(place).unwrap().text(&document);
        assert_eq!(text("/s").as_deref(), Some("OK"));
        assert_eq!(text("/n").as_deref(), Some("3"));
        assert_eq!(text("/b").as_deref(), Some("false"));
        assert_eq!(text("/o"), None);
    }
}
