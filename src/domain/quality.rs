//! How good a number is, and why one is missing.
//!
//! One vocabulary everywhere: the names go to people and to JSON, the integers
//! to InfluxDB. A derived number has the worst quality of its inputs.
//! **Missing is not zero**: a number that is not known is a [`Gap`], which names
//! the meter and the reason.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use super::named::NamedSet;

/// How good a number is; the order is from good to bad.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Measured and plausible.
    #[default]
    Good,
    /// Between two measured values, more than a minute apart.
    Interpolated,
    /// Filled in across a long gap, scaled to what the registers say.
    Estimated,
    /// Computed from other measurements.
    Derived,
    /// Entered by a person.
    Manual,
    /// Older than the meter's declared freshness.
    Stale,
    /// Measured, and not plausible.
    Suspect,
    /// Not there.
    Missing,
}

/// A row of the one table of qualities.
pub struct QualityRow {
    /// The quality.
    pub quality: Quality,
    /// Its name in JSON, CSV and on the page.
    pub name: &'static str,
    /// Its integer in InfluxDB.
    pub code: i64,
    /// The letter of interval data; [`super::codes`] says what it is called elsewhere.
    pub letter: char,
}

/// Every quality there is, in order of its integer.
#[rustfmt::skip]
pub const QUALITIES: &[QualityRow] = &[
    QualityRow { quality: Quality::Good,         name: "good",         code: 0, letter: 'A' },
    QualityRow { quality: Quality::Interpolated, name: "interpolated", code: 1, letter: 'I' },
    QualityRow { quality: Quality::Estimated,    name: "estimated",    code: 2, letter: 'L' },
    QualityRow { quality: Quality::Derived,      name: "derived",      code: 3, letter: 'C' },
    QualityRow { quality: Quality::Manual,       name: "manual",       code: 4, letter: 'C' },
    QualityRow { quality: Quality::Stale,        name: "stale",        code: 5, letter: 'X' },
    QualityRow { quality: Quality::Suspect,      name: "suspect",      code: 6, letter: 'X' },
    QualityRow { quality: Quality::Missing,      name: "missing",      code: 7, letter: 'N' },
];

impl Quality {
    fn row(self) -> Option<&'static QualityRow> {
        QUALITIES.iter().find(|row| row.quality == self)
    }

    /// The name in JSON, CSV and on the page.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("missing", |row| row.name)
    }

    /// The integer in InfluxDB.
    #[must_use]
    pub fn code(self) -> i64 {
        self.row().map_or(7, |row| row.code)
    }

    /// The quality with this integer.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        QUALITIES
            .iter()
            .find(|row| row.code == code)
            .map(|row| row.quality)
    }

    /// The worse of two. Their order is that of the integers but for one: what is computed
    /// from an estimate is an estimate, and no better for being computed.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        match (self, other) {
            (Self::Estimated, Self::Derived) | (Self::Derived, Self::Estimated) => Self::Estimated,
            _ => self.max(other),
        }
    }
}

/// Why a number is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The device did not answer in time.
    Timeout,
    /// The device answered with a Modbus exception.
    Exception,
    /// The device says that it has no value (NaN, a sentinel, `null`).
    NotAvailable,
    /// The value is outside of what the quantity or formula allows.
    OutOfRange,
    /// The answer was shorter than the value needs, or not a number.
    ShortAnswer,
    /// No connection to the device or broker.
    Connect,
    /// The last value is older than the declared freshness.
    Stale,
    /// The clock cannot be trusted.
    Clock,
    /// Nothing was heard since the start.
    NeverSeen,
    /// The configuration has no meter that would say.
    Config,
}

/// Every reason, in order of its integer in InfluxDB.
pub const REASONS: &[(Reason, &str)] = &[
    (Reason::Timeout, "timeout"),
    (Reason::Exception, "exception"),
    (Reason::NotAvailable, "not_available"),
    (Reason::OutOfRange, "out_of_range"),
    (Reason::ShortAnswer, "short_answer"),
    (Reason::Connect, "connect"),
    (Reason::Stale, "stale"),
    (Reason::Clock, "clock"),
    (Reason::NeverSeen, "never_seen"),
    (Reason::Config, "config"),
];

impl Reason {
    /// The name in JSON and on the page.
    #[must_use]
    pub fn name(self) -> &'static str {
        REASONS
            .iter()
            .find(|row| row.0 == self)
            .map_or("config", |row| row.1)
    }

    /// The integer in InfluxDB: the place in [`REASONS`].
    #[must_use]
    pub fn code(self) -> i64 {
        REASONS
            .iter()
            .position(|row| row.0 == self)
            .and_then(|place| i64::try_from(place).ok())
            .unwrap_or(9)
    }

    /// The reason with this integer.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        REASONS.get(usize::try_from(code).ok()?).map(|row| row.0)
    }

    /// Whether the device itself says that there is no value, so that an older
    /// value must not stand in for it. A lost answer says nothing of the kind:
    /// the value before it stands until it is stale.
    #[must_use]
    pub fn is_said_by_device(self) -> bool {
        matches!(
            self,
            Self::Exception | Self::NotAvailable | Self::OutOfRange
        )
    }
}

/// Why a number is unknown: which meter, and what about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gap {
    /// The meter or sensor, as the configuration calls it; empty where the
    /// configuration has none.
    pub meter: Arc<str>,
    /// What is wrong with it.
    pub reason: Reason,
}

/// All that is missing for a derived number; never empty, without repetition.
///
/// A gap is passed on to every number that follows from it, so that all of them share
/// one list: a park of a thousand silent meters has dozens of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gaps(Arc<Vec<Gap>>);

/// The gap of a number that the configuration names no meter for.
static UNCONFIGURED: LazyLock<Gaps> = LazyLock::new(|| Gaps::one(&Arc::from(""), Reason::Config));

impl Gaps {
    /// One gap.
    #[must_use]
    pub fn one(meter: &Arc<str>, reason: Reason) -> Self {
        Self(Arc::new(vec![Gap {
            meter: Arc::clone(meter),
            reason,
        }]))
    }

    /// The configuration names no meter for this number.
    #[must_use]
    pub fn config() -> Self {
        UNCONFIGURED.clone()
    }

    /// These gaps and those of another number.
    pub fn join(&mut self, other: &Self) {
        // Numbers that follow from each other mostly lack the same, in the same order.
        let mut mine = self.0.iter();
        let known = Arc::ptr_eq(&self.0, &other.0)
            || other.0.iter().all(|gap| mine.any(|known| known == gap));
        if !known {
            self.join_all([other]);
        }
    }

    /// These gaps and those of many others, in order.
    pub fn join_all<'a>(&mut self, others: impl IntoIterator<Item = &'a Self>) {
        let mut known: NamedSet<&Gap> = self.0.iter().collect();
        let all = others.into_iter().flat_map(|other| other.0.iter());
        let new: Vec<Gap> = all.filter(|gap| known.insert(gap)).cloned().collect();
        if !new.is_empty() {
            Arc::make_mut(&mut self.0).extend(new);
        }
    }

    /// The meters that are missing, each once; none where the configuration has none.
    #[must_use]
    pub fn meters(&self) -> Vec<&str> {
        let mut meters: Vec<&str> = Vec::new();
        for gap in self.list() {
            if !gap.meter.is_empty() && !meters.contains(&&*gap.meter) {
                meters.push(&gap.meter);
            }
        }
        meters
    }

    /// Whether nothing but the configuration is the reason.
    #[must_use]
    pub fn is_unconfigured(&self) -> bool {
        self.0.iter().all(|gap| gap.reason == Reason::Config)
    }

    /// The gaps.
    #[must_use]
    pub fn list(&self) -> &[Gap] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_computed_from_an_estimate_is_an_estimate() {
        use Quality::{Derived, Estimated, Good, Interpolated, Manual, Missing, Stale, Suspect};
        let order = [
            Good,
            Interpolated,
            Derived,
            Estimated,
            Manual,
            Stale,
            Suspect,
            Missing,
        ];
        assert_eq!(order.len(), QUALITIES.len());
        for (place, one) in order.iter().enumerate() {
            for (other_place, other) in order.iter().enumerate() {
                assert_eq!(
                    one.worst(*other),
                    order[place.max(other_place)],
                    "{one:?} {other:?}"
                );
            }
        }
    }

    #[test]
    fn a_meter_that_is_missing_for_two_reasons_is_named_once() {
        let meter: Arc<str> = "pcc".into();
        let mut gaps = Gaps::one(&meter, Reason::Timeout);
        gaps.join(&Gaps::one(&meter, Reason::Stale));
        gaps.join(&Gaps::config());
        assert_eq!(gaps.list().len(), 3);
        assert_eq!(gaps.meters(), ["pcc"]);
        assert!(!gaps.is_unconfigured() && Gaps::config().is_unconfigured());
    }

    proptest! {
        /// However lists overlap, each gap stands once, where it was said first.
        #[test]
        fn gaps_are_joined_in_the_order_in_which_they_are_said(
            lists in prop::collection::vec(prop::collection::vec((0..6_usize, 0..3_usize), 1..8), 1..6),
        ) {
            let gaps = |list: &[(usize, usize)]| {
                let each = list.iter().map(|(meter, reason)| {
                    Gaps::one(&Arc::from(format!("m{meter}")), REASONS[*reason].0)
                });
                let mut each = each.collect::<Vec<_>>().into_iter();
                let first = each.next().unwrap();
                each.fold(first, |mut all, one| {
                    all.join(&one);
                    all
                })
            };
            let mut said: Vec<(String, Reason)> = Vec::new();
            for (meter, reason) in lists.iter().flatten() {
                let gap = (format!("m{meter}"), REASONS[*reason].0);
                if !said.contains(&gap) {
                    said.push(gap);
                }
            }
            let all: Vec<Gaps> = lists.iter().map(|list| gaps(list)).collect();
            let (first, others) = all.split_first().unwrap();
            let (mut one_by_one, mut at_once) = (first.clone(), first.clone());
            for other in others {
                one_by_one.join(other);
            }
            at_once.join_all(others);
            let words = |gaps: &Gaps| -> Vec<(String, Reason)> {
                let list = gaps.list().iter();
                list.map(|gap| (gap.meter.to_string(), gap.reason)).collect()
            };
            prop_assert_eq!(words(&one_by_one), said.clone());
            prop_assert_eq!(words(&at_once), said);
            // The list that others share is as it was.
            prop_assert_eq!(first, &gaps(&lists[0]));
        }
    }

    #[test]
    fn the_table_of_qualities_is_in_order_of_its_integers() {
        for (place, row) in QUALITIES.iter().enumerate() {
            assert_eq!(usize::try_from(row.code), Ok(place));
            assert_eq!(Quality::from_code(row.code), Some(row.quality));
            assert_eq!(serde_json::to_value(row.quality).unwrap(), row.name);
        }
        for (reason, name) in REASONS {
            assert_eq!(serde_json::to_value(reason).unwrap(), *name);
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
        }
    }
}
