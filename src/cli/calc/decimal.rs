//! A decimal as it was written, to its last digit.
//!
//! A register that shows 99999.5 is no float: what it counts are tenths. From a file a
//! decimal is a number, or a string where it has more digits than a float holds.

use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// More digits than any register has, and few enough for exact products.
const MOST_DIGITS: usize = 24;

/// A decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// Its digits, without the point.
    pub digits: i128,
    /// How many of them stand behind the point.
    pub places: u32,
}

impl Decimal {
    /// A whole number.
    #[must_use]
    pub fn whole(digits: i128) -> Self {
        Self { digits, places: 0 }
    }

    /// Its digits with so many places behind the point; none where it has more.
    #[must_use]
    pub fn at(self, places: u32) -> Option<i128> {
        let more = places.checked_sub(self.places)?;
        self.digits.checked_mul(10_i128.checked_pow(more)?)
    }

    /// The decimal as a ratio.
    #[must_use]
    pub fn ratio(self) -> (i128, i128) {
        (self.digits, 10_i128.saturating_pow(self.places))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = usize::try_from(self.places).unwrap_or(0);
        let text = self.digits.unsigned_abs().to_string();
        let text = format!("{text:0>width$}", width = places + 1);
        let (whole, part) = text.split_at(text.len() - places);
        let sign = if self.digits < 0 { "-" } else { "" };
        let point = if places > 0 { "." } else { "" };
        write!(f, "{sign}{whole}{point}{part}")
    }
}

impl FromStr for Decimal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || {
            format!("`{text}` is no decimal; write digits such as 99999.5, at most {MOST_DIGITS}")
        };
        let (sign, unsigned) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = format!("{whole}{part}");
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        if digits.is_empty() || !plain || digits.len() > MOST_DIGITS {
            return Err(fault());
        }
        let digits: i128 = digits.parse().map_err(|_| fault())?;
        let places = u32::try_from(part.len()).map_err(|_| fault())?;
        Ok(Self {
            digits: sign * digits,
            places,
        })
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(from)? {
            Value::String(text) => text,
            Value::Number(number) if number.is_f64() => {
                // Without an exponent, and as short as the number was written.
                format!("{}", number.as_f64().unwrap_or(f64::NAN))
            }
            Value::Number(number) => number.to_string(),
            other => {
                let sentence = format!("`{other}` is no decimal; write a number such as 99999.5");
                return Err(D::Error::custom(sentence));
            }
        };
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_what_was_written() {
        #[rustfmt::skip]
        let cases = [
            // text      digits    places
            ("99999.5",  999_995,  1),
            ("500.0",    5_000,    1),
            ("-0.05",    -5,       2),
            ("14",       14,       0),
            (".5",       5,        1),
            ("3.",       3,        0),
        ];
        for (text, digits, places) in cases {
            assert_eq!(text.parse(), Ok(Decimal { digits, places }), "{text}");
        }
        for text in [
            "",
            ".",
            "-",
            "1e3",
            "NaN",
            "1,5",
            "+1",
            "--1",
            "1.2.3",
            &"9".repeat(25),
        ] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
        let shown = |text: &str| text.parse::<Decimal>().unwrap().to_string();
        assert_eq!(
            ["-0.05", "99999.50", "7"].map(shown),
            ["-0.05", "99999.50", "7"]
        );
        assert_eq!("3.2".parse::<Decimal>().unwrap().at(3), Some(3_200));
        assert_eq!("3.25".parse::<Decimal>().unwrap().at(1), None);
    }

    #[test]
    fn a_number_of_a_file_has_its_shortest_digits() {
        for (json, shown) in [
            ("0.1", "0.1"),
            ("1e3", "1000"),
            ("1e-7", "0.0000001"),
            ("\"0.10\"", "0.10"),
            ("4294967296", "4294967296"),
        ] {
            let found: Decimal = serde_json::from_str(json).unwrap();
            assert_eq!(found.to_string(), shown);
        }
        assert!(serde_json::from_str::<Decimal>("true").is_err());
    }
}
