//! Payloads into numbers: plain text, or a JSON document.
//!
//! | payload | number |
//! |---|---|
//! | `812.5`, ` -3\r\n`, `1e3` | as it stands |
//! | `nan`, `null`, `unavailable`, `unknown`, nothing at all | no value |
//! | `"812.5"` in a document, `812.5 W/m2` | 812.5, where numbers in text are allowed |
//! | `high`, `21,5`, `true`, `<html>` | not a number |
//!
//! **What is not a number is a reason, never a zero**, and half a number is none: a
//! unit stands behind white space, so that `0x10` is not 0. Nesting is bounded by the
//! JSON parser, length by the source that received the payload.

use std::cell::OnceCell;

use serde_json::Value;

use crate::domain::quality::Reason;

/// Words with which systems say that they have no value.
const NOTHING: &[&str] = &[
    "",
    "nan",
    "null",
    "none",
    "unavailable",
    "unknown",
    "undefined",
    "n/a",
];

/// Whether a number may stand in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Numbers {
    /// A JSON number, or text that is a number and nothing else.
    #[default]
    Plain,
    /// Also a JSON string, and a number with a unit behind it.
    InText,
}

/// Why a payload is no document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The bytes are no text.
    NotText,
    /// The text is no JSON.
    NotJson,
    /// It is nested deeper than anyone measures.
    TooDeep,
}

/// A payload, parsed at most once for all sensors that share it.
#[derive(Debug)]
pub struct Payload<'a> {
    bytes: &'a [u8],
    document: OnceCell<Result<Value, Fault>>,
}

impl<'a> Payload<'a> {
    /// A payload of which nothing was asked yet.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            document: OnceCell::new(),
        }
    }

    /// As text.
    ///
    /// # Errors
    ///
    /// [`Fault::NotText`].
    pub fn text(&self) -> Result<&'a str, Fault> {
        str::from_utf8(self.bytes).map_err(|_| Fault::NotText)
    }

    /// As a document.
    ///
    /// # Errors
    ///
    /// [`Fault`]; an empty payload is `null`, since devices send one when they go.
    pub fn document(&self) -> Result<&Value, Fault> {
        let parsed = self.document.get_or_init(|| document(self.bytes));
        parsed.as_ref().map_err(|fault| *fault)
    }

    /// As a number and nothing else.
    ///
    /// # Errors
    ///
    /// [`Reason::NotAvailable`] for words that say so, NaN and infinities,
    /// [`Reason::ShortAnswer`] where there is no number.
    pub fn number(&self, numbers: Numbers) -> Result<f64, Reason> {
        in_text(self.text().map_err(|_| Reason::ShortAnswer)?, numbers)
    }
}

fn document(bytes: &[u8]) -> Result<Value, Fault> {
    let text = str::from_utf8(bytes).map_err(|_| Fault::NotText)?;
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).map_err(|error| {
        // The parser has no kind for it, and its words are its interface.
        if error.to_string().starts_with("recursion limit exceeded") {
            Fault::TooDeep
        } else {
            Fault::NotJson
        }
    })
}

/// The number that a JSON value is.
pub(super) fn number_in(value: &Value, numbers: Numbers) -> Result<f64, Reason> {
    match value {
        Value::Number(number) => finite(number.as_f64().ok_or(Reason::ShortAnswer)?),
        Value::Null => Err(Reason::NotAvailable),
        Value::String(text) if numbers == Numbers::InText || is_nothing(text) => {
            in_text(text, numbers)
        }
        _ => Err(Reason::ShortAnswer),
    }
}

fn is_nothing(text: &str) -> bool {
    let text = text.trim();
    NOTHING.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn in_text(text: &str, numbers: Numbers) -> Result<f64, Reason> {
    let text = text.trim();
    if is_nothing(text) {
        return Err(Reason::NotAvailable);
    }
    if let Ok(number) = text.parse::<f64>() {
        return finite(number);
    }
    let (number, unit) = text
        .split_once(char::is_whitespace)
        .ok_or(Reason::ShortAnswer)?;
    let is_unit = |c: char| c.is_alphabetic() || matches!(c, '%' | '°' | 'µ');
    if numbers == Numbers::InText && unit.trim_start().starts_with(is_unit) {
        finite(number.parse().map_err(|_| Reason::ShortAnswer)?)
    } else {
        Err(Reason::ShortAnswer)
    }
}

pub(super) fn finite(number: f64) -> Result<f64, Reason> {
    if number.is_finite() {
        Ok(number)
    } else {
        Err(Reason::NotAvailable)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Said = Result<f64, Reason>;

    #[test]
    fn plain_payloads() {
        use Reason::{NotAvailable, ShortAnswer};
        #[rustfmt::skip]
        let cases: &[(&str, Said, Said)] = &[
            // payload        plain               in text
            ("812.5",         Ok(812.5),          Ok(812.5)),
            (" -3\r\n",       Ok(-3.0),           Ok(-3.0)),
            ("1e3",           Ok(1_000.0),        Ok(1_000.0)),
            ("0",             Ok(0.0),            Ok(0.0)),
            ("NaN",           Err(NotAvailable),  Err(NotAvailable)),
            ("-inf",          Err(NotAvailable),  Err(NotAvailable)),
            ("1e999",         Err(NotAvailable),  Err(NotAvailable)),
            ("null",          Err(NotAvailable),  Err(NotAvailable)),
            ("Unavailable",   Err(NotAvailable),  Err(NotAvailable)),
            ("unknown",       Err(NotAvailable),  Err(NotAvailable)),
            ("",              Err(NotAvailable),  Err(NotAvailable)),
            ("21,5",          Err(ShortAnswer),   Err(ShortAnswer)),
            ("812.5 W/m2",    Err(ShortAnswer),   Ok(812.5)),
            ("21 °C",         Err(ShortAnswer),   Ok(21.0)),
            ("1 234.5",       Err(ShortAnswer),   Err(ShortAnswer)),
            ("0x10",          Err(ShortAnswer),   Err(ShortAnswer)),
            ("5W",            Err(ShortAnswer),   Err(ShortAnswer)),
            ("high",          Err(ShortAnswer),   Err(ShortAnswer)),
            (r#"{"dni": 1}"#, Err(ShortAnswer),   Err(ShortAnswer)),
        ];
        for (payload, plain, in_text) in cases {
            let payload = Payload::new(payload.as_bytes());
            assert_eq!(payload.number(Numbers::Plain), *plain, "{payload:?}");
            assert_eq!(payload.number(Numbers::InText), *in_text, "{payload:?}");
        }
    }

    #[test]
    fn a_string_is_a_number_only_where_that_is_allowed() {
        for (text, plain, in_text) in [
            (r#""812.5""#, Err(Reason::ShortAnswer), Ok(812.5)),
            (
                r#""unavailable""#,
                Err(Reason::NotAvailable),
                Err(Reason::NotAvailable),
            ),
            (
                r#""high""#,
                Err(Reason::ShortAnswer),
                Err(Reason::ShortAnswer),
            ),
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(number_in(&value, Numbers::Plain), plain, "{text}");
            assert_eq!(number_in(&value, Numbers::InText), in_text, "{text}");
        }
    }

    #[test]
    fn what_is_no_document_says_why() {
        let bomb = "[".repeat(100_000);
        for (bytes, fault) in [
            (&[0xFF, 0xFE][..], Fault::NotText),
            (b"<html>", Fault::NotJson),
            (b"{\"a\": 1", Fault::NotJson),
            (b"{\"a\": NaN}", Fault::NotJson),
            (bomb.as_bytes(), Fault::TooDeep),
        ] {
            assert_eq!(Payload::new(bytes).document(), Err(fault));
        }
        assert_eq!(Payload::new(b" ").document(), Ok(&Value::Null));
    }

    proptest! {
        /// A number that a sensor writes is the number that is read.
        #[test]
        fn a_number_survives_text(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            let text = value.to_string();
            prop_assert_eq!(Payload::new(text.as_bytes()).number(Numbers::Plain), Ok(value));
        }

        /// Whatever arrives, it is a finite number or a reason.
        #[test]
        fn no_payload_is_more_than_a_number(payload in prop::collection::vec(any::<u8>(), 0..64)) {
            let payload = Payload::new(&payload);
            for numbers in [Numbers::Plain, Numbers::InText] {
                if let Ok(number) = payload.number(numbers) {
                    prop_assert!(number.is_finite());
                }
                let _ = payload.document();
            }
        }
    }
}
