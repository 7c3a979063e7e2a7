//! What a device needs beside its points: its limits, ratios it keeps in registers,
//! and what shows that it is the device that the configuration means.
//!
//! Plain data, built from a template and handed to the poller. **A factor that is not
//! known is none**: a code that nobody listed and a ratio of zero leave a gap, not a
//! factor of one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::quality::Reason;
use crate::wire::register::{Absent, Field, Number};

/// How a device wants to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Registers in one answer.
    pub max_registers: u16,
    /// Whether it answers even counts only.
    pub even_counts: bool,
    /// Registers of a gap between points that may be read over; none where nobody
    /// knows.
    pub max_gap: Option<u16>,
    /// The least pause between two requests.
    pub request_pause: Option<Duration>,
    /// The pause after connecting, before the first request.
    pub connect_pause: Option<Duration>,
    /// The least time that an answer may take.
    pub min_timeout: Option<Duration>,
    /// Whether it serves one connection at a time.
    pub single_client: bool,
}

impl Limits {
    /// What a plan has to keep.
    #[must_use]
    pub fn plan(&self) -> crate::wire::plan::Limits {
        crate::wire::plan::Limits {
            max_registers: self.max_registers,
            even_counts: self.even_counts,
            max_gap: self.max_gap,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_registers: crate::wire::plan::MAX_REGISTERS,
            even_counts: false,
            max_gap: None,
            request_pause: None,
            connect_pause: None,
            min_timeout: None,
            single_client: false,
        }
    }
}

/// What a register of a factor means.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// raw × scale.
    Scale(f64),
    /// A code for each factor; one that is not listed is none.
    Codes(Vec<(i64, f64)>),
    /// Ten to the power of raw.
    PowerOfTen,
}

/// A factor that a device keeps in a register: read at start and daily.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    /// Its name in the template.
    pub name: Arc<str>,
    /// Function code.
    pub fc: u8,
    /// Where it is.
    pub field: Field,
    /// Patterns that say that there is none.
    pub absent: Absent,
    /// What its raw number means.
    pub meaning: Meaning,
}

impl Factor {
    /// The factor in an answer that begins at register `base`; always above zero.
    ///
    /// # Errors
    ///
    /// [`Reason::Config`] for a code that is not listed, [`Reason::OutOfRange`] for
    /// what is no factor, and what [`Field::raw`] says.
    pub fn value(&self, base: u16, answer: &[u16]) -> Result<f64, Reason> {
        let raw = self.field.raw(base, answer, self.absent.as_deref())?;
        let raw = raw.to_f64();
        let factor = match &self.meaning {
            Meaning::Scale(scale) => raw * scale,
            Meaning::Codes(codes) => {
                let listed = |row: &&(i64, f64)| crate::domain::units::to_f64(row.0) == raw;
                codes.iter().find(listed).ok_or(Reason::Config)?.1
            }
            Meaning::PowerOfTen => format!("1e{raw}").parse().unwrap_or(f64::NAN),
        };
        if factor.is_finite() && factor > 0.0 {
            // A scale of a tenth leaves a last digit that no ratio has.
            Ok(format!("{factor:.12e}").parse().unwrap_or(factor))
        } else {
            Err(Reason::OutOfRange)
        }
    }
}

/// What a register must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wants {
    /// Text that begins with one of these.
    Begins(Vec<String>),
    /// One of these numbers.
    Equals(Vec<i64>),
    /// A number from the first to the second.
    Between(i64, i64),
}

/// For people: `"B23" or "B24"`, `24`, `1648 to 1653`.
impl fmt::Display for Wants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let choice = |words: Vec<String>| words.join(" or ");
        match self {
            Self::Begins(texts) => f.write_str(&choice(
                texts.iter().map(|text| format!("\"{text}…\"")).collect(),
            )),
            Self::Equals(numbers) => {
                f.write_str(&choice(numbers.iter().map(i64::to_string).collect()))
            }
            Self::Between(least, most) => write!(f, "{least} to {most}"),
        }
    }
}

/// What shows that a device is the one that a template describes.
#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    /// Function code.
    pub fc: u8,
    /// Where it is.
    pub field: Field,
    /// What it must hold.
    pub wants: Wants,
    /// What it is, for people.
    pub about: String,
    /// Whether it is a setting to compare, by which the device is not recognised.
    pub verify_only: bool,
}

impl Expect {
    /// Whether an answer that begins at register `base` holds it; what it holds else.
    ///
    /// # Errors
    ///
    /// What the register holds, for people.
    pub fn holds(&self, base: u16, answer: &[u16]) -> Result<(), String> {
        let unreadable = |reason: Reason| format!("nothing readable ({})", reason.name());
        if let Wants::Begins(beginnings) = &self.wants {
            let text = self.field.text(base, answer).map_err(unreadable)?;
            let begins = beginnings.iter().any(|with| text.starts_with(&**with));
            return if begins {
                Ok(())
            } else {
                Err(format!("`{text}`"))
            };
        }
        let raw = self.field.raw(base, answer, None).map_err(unreadable)?;
        let raw = raw.to_f64();
        let float = crate::domain::units::to_f64;
        let holds = match &self.wants {
            Wants::Equals(numbers) => numbers.iter().any(|number| float(*number) == raw),
            Wants::Between(least, most) => (float(*least)..=float(*most)).contains(&raw),
            Wants::Begins(_) => false,
        };
        if holds { Ok(()) } else { Err(raw.to_string()) }
    }

    /// How many registers it takes.
    #[must_use]
    pub fn words(&self) -> u16 {
        match self.field.number {
            _ if self.fc <= 2 => 1,
            number => Number::words(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::register::Order;

    fn factor(number: Number, meaning: Meaning) -> Factor {
        Factor {
            name: "ct".into(),
            fc: 3,
            field: Field::new(6, number, Order::Big),
            absent: Some([0xFFFF].into()),
            meaning,
        }
    }

    #[test]
    fn a_factor_is_above_zero_or_none() {
        let codes = || Meaning::Codes(vec![(0, 1.0), (2, 0.0036)]);
        #[rustfmt::skip]
        let cases = [
            ("a ratio",             Number::U16, Meaning::Scale(1.0), [80, 0],      Ok(80.0)),
            ("a tenth of it",       Number::U16, Meaning::Scale(0.1), [3, 0],       Ok(0.3)),
            ("a ratio of zero",     Number::U16, Meaning::Scale(1.0), [0, 0],       Err(Reason::OutOfRange)),
            ("no ratio",            Number::U16, Meaning::Scale(1.0), [0xFFFF, 0],  Err(Reason::NotAvailable)),
            ("a ratio of NaN",      Number::F32, Meaning::Scale(1.0), [0x7FC0, 0],  Err(Reason::OutOfRange)),
            ("a code",              Number::U16, codes(),             [2, 0],       Ok(0.0036)),
            ("a code nobody knows", Number::U16, codes(),             [1, 0],       Err(Reason::Config)),
            ("a power of ten",      Number::I16, Meaning::PowerOfTen, [0xFFFE, 0],  Ok(0.01)),
            ("beyond any",          Number::I16, Meaning::PowerOfTen, [5_000, 0],   Err(Reason::OutOfRange)),
        ];
        for (situation, number, meaning, words, expected) in cases {
            let said = factor(number, meaning).value(6, &words);
            assert_eq!(said, expected, "{situation}");
        }
        let short = factor(Number::F32, Meaning::Scale(1.0)).value(6, &[1]);
        assert_eq!(short, Err(Reason::ShortAnswer));
    }

    #[test]
    fn another_device_is_told_by_what_it_holds() {
        let expect = |number, wants| Expect {
            fc: 3,
            field: Field::new(0, number, Order::Big),
            wants,
            about: "model".into(),
            verify_only: false,
        };
        let text = expect(
            Number::Text(2),
            Wants::Begins(vec!["B23".into(), "B24".into()]),
        );
        assert_eq!(text.holds(0, &[0x4232, 0x3400]), Ok(()));
        assert_eq!(text.holds(0, &[0x4132, 0x3400]), Err("`A24`".into()));
        assert_eq!(
            text.holds(0, &[0, 0]),
            Err("nothing readable (not_available)".into())
        );
        let code = expect(Number::U16, Wants::Equals(vec![24, 25]));
        assert_eq!(code.holds(0, &[25]), Ok(()));
        assert_eq!(code.holds(0, &[26]), Err("26".into()));
        let range = expect(Number::U16, Wants::Between(1_648, 1_653));
        assert_eq!(range.holds(0, &[1_653]), Ok(()));
        assert_eq!(range.holds(0, &[1_647]), Err("1647".into()));
    }
}
