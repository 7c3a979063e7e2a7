//! What a check has found, in sentences for people.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::commission::number;

/// A word that is mostly known beforehand.
pub type Text = Cow<'static, str>;

/// What was seen, and what it probably is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Which number was looked at.
    pub what: Text,
    /// The number.
    pub value: f64,
    /// What it may be.
    pub limit: f64,
    /// The unit of both.
    pub unit: Text,
    /// What it probably is.
    pub cause: Text,
    /// What to do.
    pub remedy: Text,
}

/// What a check came to at one look.
#[derive(Debug, Clone, PartialEq)]
pub enum Judged {
    /// All is well.
    Clear,
    /// It is not.
    Seen(Box<Seen>),
    /// Nobody can say, because.
    Not(&'static str),
    /// It was not looked at: what is struck at the end of an interval has no new word.
    Later,
}

/// Something is wrong: `what` is `value` and may be `limit`.
pub(super) fn seen(
    what: impl Into<Text>,
    (value, limit, unit): (f64, f64, &'static str),
    cause: impl Into<Text>,
    remedy: impl Into<Text>,
) -> Judged {
    Judged::Seen(Box::new(Seen {
        what: what.into(),
        value,
        limit,
        unit: unit.into(),
        cause: cause.into(),
        remedy: remedy.into(),
    }))
}

/// A fault that lasts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Number of the check.
    pub check: u8,
    /// Its name.
    pub name: &'static str,
    /// The meters it concerns, the first above all.
    pub meters: Vec<Arc<str>>,
    /// When it was first seen.
    pub since: Timestamp,
    /// What was seen when it was found.
    #[serde(flatten)]
    pub seen: Seen,
}

/// The sentence of a finding: what, how much, why, and what to do.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen {
            what,
            value,
            limit,
            unit,
            cause,
            remedy,
        } = &self.seen;
        let gap = if unit.is_empty() { "" } else { " " };
        write!(
            f,
            "{}: {what} is {}{gap}{unit}, the limit is {}{gap}{unit}; probably {cause}; {remedy}",
            self.meters.join(", "),
            number(*value),
            number(*limit),
        )
    }
}

/// A finding that came or went.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Whether it came.
    pub opened: bool,
    /// The finding.
    pub finding: Finding,
}
