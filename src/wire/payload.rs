//! MQTT payloads into numbers: plain text, or one place in a JSON document.
//!
//! | payload | pointer | number |
//! |---|---|---|
//! | `812.5` | – | 812.5 |
//! | `{"dni": 812.5}` | `/dni` | 812.5 |
//! | `{"rows": [1, 2]}` | `/rows/1` | 2 |
//! | `{"dni": null}`, `NaN` | | not available |
//! | `{"dni": "high"}`, `{}`, `<html>` | | not a number |
//!
//! **What is not a number is a reason, never a zero.** A JSON string is not a
//! number, even if its text looks like one. Nesting is bounded by the JSON
//! parser, length by the source that received the payload.

use serde_json::Value;

use crate::domain::quality::Reason;

/// The number in a payload.
///
/// # Errors
///
/// [`Reason::NotAvailable`] for `null`, NaN and infinities,
/// [`Reason::ShortAnswer`] where there is no number at all.
pub fn number(payload: &[u8], pointer: Option<&str>) -> Result<f64, Reason> {
    match pointer {
        Some(pointer) => at(&document(payload)?, pointer),
        None => plain(payload),
    }
}

/// A payload as a JSON document, for several numbers out of one.
///
/// # Errors
///
/// [`Reason::ShortAnswer`] where it is none.
pub fn document(payload: &[u8]) -> Result<Value, Reason> {
    serde_json::from_slice(payload).map_err(|_| Reason::ShortAnswer)
}

/// The number at a place in a document.
///
/// # Errors
///
/// As [`number`].
pub fn at(document: &Value, pointer: &str) -> Result<f64, Reason> {
    match document.pointer(pointer) {
        Some(Value::Number(number)) => finite(number.as_f64().ok_or(Reason::ShortAnswer)?),
        Some(Value::Null) => Err(Reason::NotAvailable),
        _ => Err(Reason::ShortAnswer),
    }
}

/// A payload that is a number and nothing else.
fn plain(payload: &[u8]) -> Result<f64, Reason> {
    let text = str::from_utf8(payload).map_err(|_| Reason::ShortAnswer)?;
    match text.trim() {
        "null" => Err(Reason::NotAvailable),
        text => finite(text.parse().map_err(|_| Reason::ShortAnswer)?),
    }
}

fn finite(number: f64) -> Result<f64, Reason> {
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

    #[test]
    fn payloads() {
        use Reason::{NotAvailable, ShortAnswer};
        #[rustfmt::skip]
        let cases: &[(&str, Option<&str>, Result<f64, Reason>)] = &[
            ("812.5",                        None,              Ok(812.5)),
            (" -3\r\n",                      None,              Ok(-3.0)),
            ("1e3",                          None,              Ok(1_000.0)),
            ("0",                            None,              Ok(0.0)),
            ("NaN",                          None,              Err(NotAvailable)),
            ("-inf",                         None,              Err(NotAvailable)),
            ("1e999",                        None,              Err(NotAvailable)),
            ("null",                         None,              Err(NotAvailable)),
            ("",                             None,              Err(ShortAnswer)),
            ("21,5",                         None,              Err(ShortAnswer)),
            ("812.5 W/m2",                   None,              Err(ShortAnswer)),
            (r#"{"dni": 812.5}"#,            None,              Err(ShortAnswer)),
            (r#"{"dni": 812.5}"#,            Some("/dni"),      Ok(812.5)),
            (r#"{"a": {"b": [1, 2]}}"#,      Some("/a/b/1"),    Ok(2.0)),
            (r#"{"a/b": 4}"#,                Some("/a~1b"),     Ok(4.0)),
            ("7",                            Some(""),          Ok(7.0)),
            (r#"{"dni": null}"#,             Some("/dni"),      Err(NotAvailable)),
            (r#"{"ghi": 812.5}"#,            Some("/dni"),      Err(ShortAnswer)),
            (r#"{"dni": "812.5"}"#,          Some("/dni"),      Err(ShortAnswer)),
            (r#"{"dni": true}"#,             Some("/dni"),      Err(ShortAnswer)),
            (r#"{"dni": {}}"#,               Some("/dni"),      Err(ShortAnswer)),
            (r#"{"dni": NaN}"#,              Some("/dni"),      Err(ShortAnswer)),
            (r#"{"dni": 812.5"#,             Some("/dni"),      Err(ShortAnswer)),
            ("",                             Some("/dni"),      Err(ShortAnswer)),
        ];
        for (payload, pointer, expected) in cases {
            let said = number(payload.as_bytes(), *pointer);
            assert_eq!(said, *expected, "{payload:?} at {pointer:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_no_number() {
        assert_eq!(number(&[0xFF, 0xFE], None), Err(Reason::ShortAnswer));
        assert_eq!(number(&[0xFF, 0xFE], Some("/a")), Err(Reason::ShortAnswer));
    }

    #[test]
    fn a_nesting_bomb_is_refused() {
        let bomb = "[".repeat(100_000);
        assert_eq!(
            number(bomb.as_bytes(), Some("/0")),
            Err(Reason::ShortAnswer)
        );
    }

    proptest! {
        /// A number that a sensor writes is the number that is read.
        #[test]
        fn a_number_survives_text(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            prop_assert_eq!(number(value.to_string().as_bytes(), None), Ok(value));
        }

        /// Whatever arrives, it is a finite number or a reason.
        #[test]
        fn no_payload_is_more_than_a_number(payload in prop::collection::vec(any::<u8>(), 0..64)) {
            for pointer in [None, Some(""), Some("/a")] {
                if let Ok(number) = number(&payload, pointer) {
                    prop_assert!(number.is_finite());
                }
            }
        }
    }
}
