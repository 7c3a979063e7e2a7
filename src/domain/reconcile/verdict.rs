//! What a reconciliation says: values, and what the tests make of the meters.

use std::sync::Arc;

use nalgebra::DMatrix;

use super::CONFIDENCE;
use super::chance::{chi_square_exceeds, chi_square_quantile, sidak_limit};
use super::matrix::Parts;

/// The limit of the single criterion of VDI 2048: 95 % of a normal variable.
pub const VDI_LIMIT: f64 = 1.96;
/// Below this part of a variance there is nothing that a constraint adds.
const CHECKED_FROM: f64 = 1e-12;
/// The part of a variance below which the criterion of VDI 2048 does not divide.
const VDI_LEAST: f64 = 0.1;
/// How close two test values are that the constraints cannot tell apart, relative.
const SAME: f64 = 1e-6;

/// What the constraints say of a measured value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VariableTest {
    /// How far the meter had to move, in units of the spread that this has for a
    /// correct meter.
    pub z: f64,
    /// The same by the single criterion of VDI 2048, which does not divide by less
    /// than a tenth of the meter's own variance; see [`VDI_LIMIT`].
    pub vdi: f64,
}

/// A measured value with what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The variable.
    pub name: Arc<str>,
    /// What was read.
    pub raw: f64,
    /// What it is when all constraints hold.
    pub value: f64,
    /// Standard uncertainty of `value`, never above that of the reading.
    pub uncertainty: f64,
    /// Its tests; none for a meter that no constraint checks.
    pub test: Option<VariableTest>,
}

/// An unmeasured variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Computed {
    /// The variable.
    pub name: Arc<str>,
    /// Its value and standard uncertainty; none where the constraints leave it open.
    pub value: Option<(f64, f64)>,
}

/// How well one constraint holds for the raw readings.
#[derive(Debug, Clone, PartialEq)]
pub struct Nodal {
    /// The constraint.
    pub name: Arc<str>,
    /// What is missing for it and the same in units of its spread; none where a term
    /// is unmeasured.
    pub miss: Option<(f64, f64)>,
}

/// Whether all readings together fit the constraints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GlobalTest {
    /// The weighted square sum of all corrections.
    pub chi_square: f64,
    /// Degrees of freedom: constraints that remain once the unmeasured is eliminated.
    pub degrees: usize,
    /// What correct meters stay below 19 of 20 times.
    pub limit: f64,
    /// How probable a sum at least as large is for correct meters.
    pub p_value: f64,
}

impl GlobalTest {
    /// Whether nothing speaks for a gross error.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.chi_square <= self.limit
    }
}

/// Meters that failed with the same test value: the constraints cannot tell them apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspects {
    /// Their names, those with the larger VDI criterion first.
    pub names: Vec<Arc<str>>,
    /// Their test value.
    pub z: f64,
}

/// Reconciled values and tests.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconciled {
    /// Every measured value, in the order given.
    pub measured: Vec<Checked>,
    /// Every unmeasured variable, in the order given.
    pub unmeasured: Vec<Computed>,
    /// Every constraint, in the order given.
    pub nodes: Vec<Nodal>,
    /// The test of all readings; none if no constraint checks any.
    pub global: Option<GlobalTest>,
    /// The limit of [`VariableTest::z`], of Šidák for as many tests as there are meters.
    pub limit: f64,
    covariance: DMatrix<f64>,
}

impl Reconciled {
    pub(super) fn new(parts: Parts) -> Self {
        let measured: Vec<Checked> = parts
            .measured
            .iter()
            .zip(&parts.moves)
            .enumerate()
            .map(|(place, (one, moved))| {
                let checked = moved.redundancy > CHECKED_FROM;
                let spread = |part: f64| one.uncertainty * part.sqrt();
                Checked {
                    name: Arc::clone(&one.name),
                    raw: one.value,
                    value: if checked {
                        one.value - moved.by
                    } else {
                        one.value
                    },
                    uncertainty: parts
                        .covariance
                        .get((place, place))
                        .map_or(0.0, |variance| variance.max(0.0).sqrt()),
                    test: checked.then(|| VariableTest {
                        z: moved.by.abs() / spread(moved.redundancy),
                        vdi: moved.by.abs() / spread(moved.redundancy.max(VDI_LEAST)),
                    }),
                }
            })
            .collect();
        let degrees = parts.degrees;
        let chi_square = parts.chi_square;
        let global = chi_square_quantile(CONFIDENCE, degrees)
            .zip(chi_square_exceeds(chi_square, degrees))
            .map(|(limit, p_value)| GlobalTest {
                chi_square,
                degrees,
                limit,
                p_value,
            });
        Self {
            limit: sidak_limit(CONFIDENCE, measured.len()).unwrap_or(VDI_LIMIT),
            measured,
            unmeasured: parts.unmeasured,
            nodes: parts.nodes,
            global,
            covariance: parts.covariance,
        }
    }

    /// The covariance of two reconciled values, by their places in `measured`.
    #[must_use]
    pub fn covariance(&self, one: usize, other: usize) -> Option<f64> {
        self.covariance.get((one, other)).copied()
    }

    /// The meters that no constraint checks: their readings are taken as they are.
    pub fn unchecked(&self) -> impl Iterator<Item = &Arc<str>> {
        let unchecked = self.measured.iter().filter(|one| one.test.is_none());
        unchecked.map(|one| &one.name)
    }

    /// The meters whose test exceeds its limit, worst first. Meters with the same test
    /// value stand in one group: which of them is wrong, another source has to say.
    #[must_use]
    pub fn suspects(&self) -> Vec<Suspects> {
        let mut failed: Vec<(&Checked, VariableTest)> = self
            .measured
            .iter()
            .filter_map(|one| one.test.map(|test| (one, test)))
            .filter(|(_, test)| test.z > self.limit)
            .collect();
        failed.sort_by(|(_, a), (_, b)| b.z.total_cmp(&a.z));
        let mut groups: Vec<Vec<(&Checked, VariableTest)>> = Vec::new();
        for (one, test) in failed {
            let same = |(_, last): &(&Checked, VariableTest)| last.z - test.z <= SAME * last.z;
            match groups.last_mut() {
                Some(group) if group.first().is_some_and(same) => group.push((one, test)),
                _ => groups.push(vec![(one, test)]),
            }
        }
        groups
            .into_iter()
            .filter_map(|mut group| {
                let z = group.first()?.1.z;
                group.sort_by(|(_, a), (_, b)| b.vdi.total_cmp(&a.vdi));
                let names = group.iter().map(|(one, _)| Arc::clone(&one.name));
                Some(Suspects {
                    names: names.collect(),
                    z,
                })
            })
            .collect()
    }
}
