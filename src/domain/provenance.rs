//! How an energy came about: what counted it, and what was filled in.
//!
//! Quality says how good a number is, provenance what it rests on. A sum rests on
//! everything that its parts rest on, so a [`Made`] is a set; it never shrinks by
//! computing on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A row of the one table of provenances.
#[derive(Debug)]
pub struct ProvenanceRow {
    /// Its bit in a [`Made`].
    made: Made,
    /// The provenance, as JSON and reports say it.
    pub name: &'static str,
    /// How an estimate was shaped.
    pub method: Option<&'static str>,
}

/// Every provenance, from what was counted to what was filled in.
#[rustfmt::skip]
pub const PROVENANCES: [ProvenanceRow; 10] = [
    ProvenanceRow { made: Made::REGISTER,    name: "register",   method: None },
    ProvenanceRow { made: Made::INTEGRATED,  name: "integrated", method: None },
    ProvenanceRow { made: Made::DERIVED,     name: "derived",    method: None },
    ProvenanceRow { made: Made::MANUAL,      name: "manual",     method: None },
    ProvenanceRow { made: Made::CHECK_METER, name: "estimated",  method: Some("check_meter") },
    ProvenanceRow { made: Made::IRRADIANCE,  name: "estimated",  method: Some("irradiance") },
    ProvenanceRow { made: Made::LIKE_DAY,    name: "estimated",  method: Some("like_day") },
    ProvenanceRow { made: Made::SUN,         name: "estimated",  method: Some("sun") },
    ProvenanceRow { made: Made::LINEAR,      name: "estimated",  method: Some("linear") },
    ProvenanceRow { made: Made::RATED_VOLTAGE, name: "estimated", method: Some("rated_voltage") },
];

/// What an energy rests on: a set of [`PROVENANCES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Made(u16);

impl Made {
    /// Nothing that is known: equipment that is not there, or a row of an older ledger.
    pub const NOTHING: Self = Self(0);
    /// A register of the meter.
    pub const REGISTER: Self = Self(1);
    /// Power or flow, integrated.
    pub const INTEGRATED: Self = Self(1 << 1);
    /// Computed from other meters.
    pub const DERIVED: Self = Self(1 << 2);
    /// Entered by a person.
    pub const MANUAL: Self = Self(1 << 3);
    /// Shaped like a meter that measures the same.
    pub const CHECK_METER: Self = Self(1 << 4);
    /// Shaped like the irradiance of the gap.
    pub const IRRADIANCE: Self = Self(1 << 5);
    /// Shaped like the days before.
    pub const LIKE_DAY: Self = Self(1 << 6);
    /// Spread evenly.
    pub const LINEAR: Self = Self(1 << 7);
    /// Shaped like the height of the sun.
    pub const SUN: Self = Self(1 << 8);
    /// Computed at rated voltage, because none is measured.
    pub const RATED_VOLTAGE: Self = Self(1 << 9);

    /// What two numbers rest on together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it rests on nothing that is known.
    #[must_use]
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub const fn is_nothing(&self) -> bool {
        self.0 == 0
    }

    /// Whether it rests on that, among others.
    #[must_use]
    pub const fn rests_on(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The number under which the ledger keeps it.
    #[must_use]
    pub fn bits(self) -> i64 {
        i64::from(self.0)
    }

    /// The set of a number in the ledger; nothing where it is none.
    #[must_use]
    pub fn from_bits(bits: i64) -> Self {
        u16::try_from(bits).map_or(Self::NOTHING, Self)
    }

    fn rows(self) -> impl Iterator<Item = &'static ProvenanceRow> {
        PROVENANCES
            .iter()
            .filter(move |row| self.rests_on(row.made))
    }

    /// The provenances, each once.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = self.rows().map(|row| row.name).collect();
        names.dedup();
        names
    }

    /// How what is estimated of it was shaped.
    #[must_use]
    pub fn methods(self) -> Vec<&'static str> {
        self.rows().filter_map(|row| row.method).collect()
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self
            .rows()
            .map(|row| match row.method {
                Some(method) => format!("{} ({method})", row.name),
                None => row.name.to_owned(),
            })
            .collect();
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_rests_on_everything_that_its_parts_rest_on() {
        let made = Made::REGISTER.and(Made::LIKE_DAY).and(Made::LINEAR);
        assert_eq!(made.names(), ["register", "estimated"]);
        assert_eq!(made.methods(), ["like_day", "linear"]);
        assert_eq!(
            made.to_string(),
            "register, estimated (like_day), estimated (linear)"
        );
        assert!(made.rests_on(Made::LINEAR) && !made.rests_on(Made::MANUAL));
        assert_eq!(Made::NOTHING.names(), [""; 0]);
    }

    #[test]
    fn every_provenance_comes_back_from_the_ledger() {
        for row in &PROVENANCES {
            let made = Made::from_bits(row.made.bits());
            assert_eq!(made.names(), [row.name]);
            assert_eq!(made.methods(), row.method.into_iter().collect::<Vec<_>>());
        }
        assert_eq!(Made::from_bits(-1), Made::NOTHING);
        assert_eq!(Made::from_bits(65_536), Made::NOTHING);
    }
}
