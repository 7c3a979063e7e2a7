//! Rows of numbers, gone through without a copy of anything.
//!
//! A year of a park is a hundred billion values, and what [`Writer`](super::Writer) writes
//! of them has no escapes but in its key. [`Plain`] reads exactly such rows. **It never
//! says another number than [`parse`](super::parse)**: whatever it does not know it leaves
//! to that, text, truth and mistakes alike.

use super::number;
use crate::domain::units::to_f64;

/// Whole numbers up to here are exact in a float: 2^53.
const EXACT: i64 = 9_007_199_254_740_992;
/// Digits that always fit an `i64`.
const MOST_DIGITS: usize = 18;
/// Powers of ten that are exact in a float.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// A number in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// `1.5`
    Float(f64),
    /// `1i`
    Integer(i64),
}

/// A row on the way from one field to the next.
#[derive(Debug, Clone, Copy)]
pub struct Plain<'a> {
    rest: &'a [u8],
}

impl<'a> Plain<'a> {
    /// The series key of a row, escapes and all, and the row from its first field on.
    #[must_use]
    pub fn of(line: &'a str) -> Option<(&'a str, Self)> {
        let mut before = b' ';
        // A space that follows a backslash belongs to a name.
        let end = line.bytes().position(|byte| {
            let ends = byte == b' ' && before != b'\\';
            before = byte;
            ends
        })?;
        let (key, rest) = line.split_at_checked(end)?;
        let rest = rest.as_bytes().get(1..)?;
        Some((key, Self { rest }))
    }

    /// Whether the field has this name; then its value is next.
    pub fn is_named(&mut self, name: &str) -> bool {
        let value = self.rest.strip_prefix(name.as_bytes());
        match value.and_then(|value| value.strip_prefix(b"=")) {
            Some(value) => {
                self.rest = value;
                true
            }
            None => false,
        }
    }

    /// The name of the field; its value is next.
    pub fn name(&mut self) -> Option<&'a [u8]> {
        let end = self
            .rest
            .iter()
            .position(|byte| b"=, \\\"".contains(byte))?;
        let (name, value) = self.rest.split_at_checked(end)?;
        self.rest = value.strip_prefix(b"=")?;
        (!name.is_empty()).then_some(name)
    }

    /// The value of the field.
    pub fn value(&mut self) -> Option<Number> {
        let unsigned = self.rest.strip_prefix(b"-").unwrap_or(self.rest);
        let sign = self.rest.len() - unsigned.len();
        let (mut whole, mut digits, mut point) = (0_i64, 0_usize, None);
        let mut length = 0;
        let kind = loop {
            match unsigned.get(length)? {
                byte @ b'0'..=b'9' => {
                    whole = whole.wrapping_mul(10).wrapping_add(i64::from(byte - b'0'));
                    digits += 1;
                }
                b'.' if point.is_none() => point = Some(digits),
                end => break *end,
            }
            length += 1;
        };
        let fraction = point.map_or(0, |point| digits - point);
        let few = (1..=MOST_DIGITS).contains(&digits);
        match (kind, POWERS.get(fraction)) {
            (b'i', _) if few && point.is_none() => {
                self.rest = unsigned.get(length + 1..)?;
                Some(Number::Integer(if sign > 0 { -whole } else { whole }))
            }
            // One division of two numbers that are exact is rounded once, as it should be.
            (b',' | b' ', Some(power))
                if few && whole <= EXACT && (sign > 0 || point != Some(0)) =>
            {
                self.rest = unsigned.get(length..)?;
                let value = to_f64(whole) / power;
                Some(Number::Float(if sign > 0 { -value } else { value }))
            }
            _ => self.long_value(),
        }
    }

    /// The value of a field with an exponent, or with more digits than are worth a trick.
    fn long_value(&mut self) -> Option<Number> {
        let end = self.rest.iter().position(|byte| b", ".contains(byte))?;
        let (text, rest) = self.rest.split_at_checked(end)?;
        let value = match number(std::str::from_utf8(text).ok()?)? {
            super::FieldValue::Float(value) => Number::Float(value),
            super::FieldValue::Integer(value) => Number::Integer(value),
            _ => return None,
        };
        self.rest = rest;
        Some(value)
    }

    /// Whether another field follows.
    pub fn goes_on(&mut self) -> bool {
        match self.rest.strip_prefix(b",") {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The time at the end of the row, milliseconds since 1970.
    #[must_use]
    pub fn time_ms(&self) -> Option<i64> {
        let text = self.rest.strip_prefix(b" ")?;
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        if digits.is_empty() || digits.len() > MOST_DIGITS {
            return None;
        }
        let mut whole = 0_i64;
        for byte in digits {
            whole = whole * 10 + i64::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
        }
        Some(if digits.len() < text.len() {
            -whole
        } else {
            whole
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{FieldValue, ParsedLine, parse};
    use super::*;

    /// A row as [`Plain`] reads it, in the words of [`parse`].
    fn plainly(line: &str) -> Option<ParsedLine> {
        let (key, mut row) = Plain::of(line)?;
        let parsed = parse(&format!("{key} x=0i 0")).ok()?;
        let mut fields = Vec::new();
        loop {
            let name = String::from_utf8(row.name()?.to_vec()).ok()?;
            let value = match row.value()? {
                Number::Float(value) => FieldValue::Float(value),
                Number::Integer(value) => FieldValue::Integer(value),
            };
            fields.push((name, value));
            if !row.goes_on() {
                break;
            }
        }
        let time_ms = row.time_ms()?;
        Some(ParsedLine {
            fields,
            time_ms,
            ..parsed
        })
    }

    /// Bit for bit, so that a zero keeps its sign.
    fn bits(line: &ParsedLine) -> Vec<(String, String)> {
        let text = |value: &FieldValue| match value {
            FieldValue::Float(value) => format!("{:x}", value.to_bits()),
            other => format!("{other:?}"),
        };
        let fields = line.fields.iter();
        fields
            .map(|(name, value)| (name.clone(), text(value)))
            .collect()
    }

    #[test]
    fn a_number_is_what_it_is_in_every_notation() {
        for (text, plain) in [
            ("0.0", true),
            ("-0.0", true),
            ("230.1", true),
            ("-412000.0", true),
            ("5", true),
            ("5.", true),
            ("-.5", true),
            ("1e300", true),
            ("-1.5E-7", true),
            ("1e+2", true),
            ("20950.234375", true),
            ("230.10000610351562", true),
            ("9007199254740993.0", true),
            ("0.1234567890123456789012345", true),
            ("123456789012345678901234567890.0", true),
            ("4.9e-324", true),
            ("2.2250738585072011e-308", true),
            ("9007199254740992.5", true),
            ("0i", true),
            ("-7i", true),
            ("9223372036854775807i", true),
            ("-9223372036854775808i", true),
            ("007i", true),
            ("-0i", true),
            (".5", false),
            ("", false),
            ("-", false),
            ("-i", false),
            ("+1", false),
            ("i", false),
            ("1.5i", false),
            ("1..5", false),
            ("1e", false),
            ("inf", false),
            ("-inf", false),
            ("1e999", false),
            ("9223372036854775808i", false),
            ("1i0", false),
            ("true", false),
            ("\"5\"", false),
            ("1_0", false),
            ("0x1", false),
            ("1.5f", false),
        ] {
            let line = format!("m a={text},b=1i 5");
            let plainly = plainly(&line);
            assert_eq!(plainly.is_some(), plain, "{text}");
            if let Some(read) = plainly {
                assert_eq!(bits(&read), bits(&parse(&line).unwrap()), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_row_is_left_to_the_strict_reader() {
        for line in [
            "",
            "m",
            "m a=1i",
            "m a=1i ",
            "m a=1i 5 ",
            "m a=1i +5",
            "m a=1i 5x",
            "m a 5",
            "m =1i 5",
            "m a=1i, 5",
            "m a\\ b=1i 5",
            "m  a=1i 5",
            "m a=1i,,b=1i 5",
            "m a=1i 5.0",
            "m a=1i -",
            "m a=1i 9223372036854775808",
        ] {
            assert_eq!(plainly(line), None, "{line}");
        }
        assert_eq!(
            plainly("m\\ a,t\\ =x\\  v=1i -5"),
            parse("m\\ a,t\\ =x\\  v=1i -5").ok()
        );
    }

    proptest! {
        /// Whatever stands there, it is the same number, or none.
        #[test]
        fn it_never_says_another_number(
            value in prop_oneof![
                "-?[0-9]{0,20}[.]?[0-9]{0,25}(e-?[0-9]{1,3})?i?",
                any::<f64>().prop_map(|value| ryu::Buffer::new().format(value).to_owned()),
                any::<f32>().prop_map(|value| format!("{:?}", f64::from(value))),
                any::<i64>().prop_map(|value| format!("{value}i")),
            ],
            key in "[a-z\\\\, =]{1,6}",
            time in "-?[0-9]{1,20}",
        ) {
            let line = format!("{key} a={value},b={value} {time}");
            if let Some(read) = plainly(&line) {
                let strict = parse(&line).unwrap();
                prop_assert_eq!(bits(&read), bits(&strict));
                prop_assert_eq!((read.time_ms, read.tags), (strict.time_ms, strict.tags));
            }
        }

        /// The numbers of a meter are read without the detour.
        #[test]
        fn usual_numbers_are_plain(value in any::<f64>(), count in any::<i64>(), time in any::<i64>()) {
            prop_assume!(value.is_finite());
            let time = time / 100;
            let line = format!("m a={value:?},b={count}i {time}");
            prop_assert_eq!(plainly(&line), parse(&line).ok());
        }
    }
}
