//! The linear algebra of a reconciliation.
//!
//! Everything is an orthogonal decomposition: of the coefficients of unmeasured
//! variables for their left null space, and of the whitened constraints for the
//! corrections. With Ã = A S^½ and Ãᵀ = Q R the correction of a meter in units of its
//! uncertainty is a row of Q times R⁻ᵀ r, and the part of its variance that the
//! constraints take away is the square of that row of Q.

use std::sync::Arc;

use nalgebra::{ColPivQR, DMatrix, DVector, QR, RowDVector};

use super::verdict::{Computed, Nodal, Reconciled};
use super::{Measured, ReconcileError};
use crate::domain::units::{to_f64, to_i64};

/// Below this part of the largest, a pivot of coefficients is rounding.
const RANK: f64 = 1e-9;
/// Below this a pivot of whitened constraints is rounding; uncertainties may lie far
/// apart.
const WEIGHTED_RANK: f64 = 1e-13;

/// What a measured value had to move.
pub(super) struct Move {
    /// Raw minus reconciled.
    pub by: f64,
    /// The part of its variance that the constraints take away, 0 to 1.
    pub redundancy: f64,
}

/// What [`Reconciled`] is made of.
pub(super) struct Parts<'a> {
    pub measured: &'a [Measured],
    pub moves: Vec<Move>,
    pub covariance: DMatrix<f64>,
    pub unmeasured: Vec<Computed>,
    pub nodes: Vec<Nodal>,
    pub chi_square: f64,
    pub degrees: usize,
}

/// Solves `rows · (measured, unmeasured) = constants`.
pub(super) fn solve(
    measured: &[Measured],
    unmeasured: &[Arc<str>],
    labels: &[Arc<str>],
    rows: &[Vec<f64>],
    constants: &DVector<f64>,
) -> Result<Reconciled, ReconcileError> {
    let (n, q) = (measured.len(), unmeasured.len());
    let cells = rows.iter().flatten().copied();
    let all = DMatrix::from_row_iterator(labels.len(), n + q, cells);
    check(&all, constants, labels)?;
    let known = all.columns(0, n).into_owned();
    let open = all.columns(n, q).into_owned();
    let y = DVector::from_iterator(n, measured.iter().map(|one| one.value));
    let u = DVector::from_iterator(n, measured.iter().map(|one| one.uncertainty));
    let miss = &known * &y - constants;

    let open_factors = Factors::new(&open);
    let projection = open_factors.left_null_space();
    let reduced = projection.tr_mul(&known);
    let fit = Fit::new(&reduced, &projection.tr_mul(&miss), &u)?;
    let moves: Vec<Move> = (0..n).map(|place| fit.moved(place, &u)).collect();
    let by = DVector::from_iterator(n, moves.iter().map(|moved| moved.by));
    let covariance = fit.covariance(&u);
    let computed = open_factors.computed(unmeasured, &known, &(miss - &known * by), &covariance);
    let nodes = nodes(labels, &known, &open, &(&known * &y - constants), &u);
    Ok(Reconciled::new(Parts {
        measured,
        moves,
        covariance,
        unmeasured: computed,
        nodes,
        chi_square: fit.chi_square(),
        degrees: reduced.nrows(),
    }))
}

/// The tests of the single constraints.
fn nodes(
    labels: &[Arc<str>],
    known: &DMatrix<f64>,
    open: &DMatrix<f64>,
    miss: &DVector<f64>,
    u: &DVector<f64>,
) -> Vec<Nodal> {
    let rows = known.row_iter().zip(open.row_iter()).zip(miss.iter());
    labels
        .iter()
        .zip(rows)
        .map(|(name, ((known, open), miss))| {
            let spread = known.transpose().component_mul(u).norm();
            let testable = open.iter().all(|cell| *cell == 0.0) && spread > 0.0;
            Nodal {
                name: Arc::clone(name),
                miss: testable.then(|| (*miss, miss.abs() / spread)),
            }
        })
        .collect()
}

/// Whether every constraint is finite, says something, and says something new.
fn check(
    all: &DMatrix<f64>,
    constants: &DVector<f64>,
    labels: &[Arc<str>],
) -> Result<(), ReconcileError> {
    for ((row, constant), label) in all.row_iter().zip(constants.iter()).zip(labels) {
        if !constant.is_finite() || row.iter().any(|cell| !cell.is_finite()) {
            return Err(ReconcileError::NotFinite {
                name: Arc::clone(label),
            });
        }
        if row.iter().all(|cell| *cell == 0.0) {
            return Err(ReconcileError::Empty {
                constraint: Arc::clone(label),
            });
        }
    }
    if labels.is_empty() {
        return Ok(());
    }
    // Variables of different units are made comparable, and then the constraints.
    let mut scaled = all.clone();
    for mut column in scaled.column_iter_mut() {
        let most = column.amax();
        if most > 0.0 {
            column /= most;
        }
    }
    let mut columns = scaled.transpose();
    let norms: Vec<f64> = columns.column_iter().map(|column| column.norm()).collect();
    for (mut column, norm) in columns.column_iter_mut().zip(&norms) {
        column /= *norm;
    }
    // Without pivoting a diagonal of R is what a constraint adds to those before it.
    let r = QR::new(columns).unpack_r();
    let adds = |place: usize| r.get((place, place)).is_some_and(|cell| cell.abs() > RANK);
    let Some(place) = (0..labels.len()).find(|place| !adds(*place)) else {
        return Ok(());
    };
    Err(dependence(place, &r, &norms, constants, labels))
}

/// Which constraints a superfluous one follows from, or contradicts.
fn dependence(
    place: usize,
    r: &DMatrix<f64>,
    norms: &[f64],
    constants: &DVector<f64>,
    labels: &[Arc<str>],
) -> ReconcileError {
    let before = r.view((0, 0), (place, place));
    let column = r.view((0, place), (place, 1)).into_owned();
    let parts = before.solve_upper_triangular(&column).unwrap_or(column);
    let norm = norms.get(place).copied().unwrap_or(1.0);
    let mut others = Vec::new();
    let mut sum = 0.0;
    let mut size = 0.0_f64;
    for (((part, norm_of), constant), label) in
        parts.iter().zip(norms).zip(constants.iter()).zip(labels)
    {
        if part.abs() > RANK {
            others.push(Arc::clone(label));
            sum += part * constant * norm / norm_of;
            size = size.max(constant.abs());
        }
    }
    let constant = constants.get(place).copied().unwrap_or(0.0);
    let constraint = labels.get(place).cloned().unwrap_or_else(|| "".into());
    if (sum - constant).abs() <= RANK * size.max(constant.abs()) {
        ReconcileError::Dependent { constraint, others }
    } else {
        ReconcileError::Contradiction { constraint, others }
    }
}

/// The least-squares fit of the reduced constraints.
struct Fit {
    q: DMatrix<f64>,
    weights: DVector<f64>,
}

impl Fit {
    fn new(
        reduced: &DMatrix<f64>,
        miss: &DVector<f64>,
        u: &DVector<f64>,
    ) -> Result<Self, ReconcileError> {
        if miss.is_empty() {
            return Ok(Self {
                q: DMatrix::zeros(u.len(), 0),
                weights: DVector::zeros(0),
            });
        }
        let mut whitened = reduced.transpose();
        for (mut row, u) in whitened.row_iter_mut().zip(u.iter()) {
            row *= *u;
        }
        let mut miss = miss.clone();
        for (mut column, miss) in whitened.column_iter_mut().zip(miss.iter_mut()) {
            let norm = column.norm();
            if norm == 0.0 {
                return Err(ReconcileError::IllConditioned);
            }
            column /= norm;
            *miss /= norm;
        }
        let (q, r) = QR::new(whitened).unpack();
        let constraints = miss.len();
        let pivots = r.diagonal();
        if pivots.len() < constraints || pivots.iter().any(|pivot| pivot.abs() < WEIGHTED_RANK) {
            return Err(ReconcileError::IllConditioned);
        }
        let weights = r
            .tr_solve_upper_triangular(&miss)
            .ok_or(ReconcileError::IllConditioned)?;
        Ok(Self { q, weights })
    }

    fn chi_square(&self) -> f64 {
        self.weights.norm_squared()
    }

    fn moved(&self, place: usize, u: &DVector<f64>) -> Move {
        let row = self.q.row(place);
        let u = u.get(place).copied().unwrap_or(0.0);
        Move {
            by: u * row.transpose().dot(&self.weights),
            redundancy: row.norm_squared(),
        }
    }

    fn covariance(&self, u: &DVector<f64>) -> DMatrix<f64> {
        let mut taken = self.q.clone();
        for (mut row, u) in taken.row_iter_mut().zip(u.iter()) {
            row *= *u;
        }
        DMatrix::from_diagonal(&u.component_mul(u)) - &taken * taken.transpose()
    }
}

/// A decomposition with pivoting of the coefficients of unmeasured variables.
struct Factors {
    q: DMatrix<f64>,
    r: DMatrix<f64>,
    rank: usize,
    /// The variable that stands in each column of R.
    order: Vec<usize>,
}

impl Factors {
    /// Columns of zeros make Q square, so that it spans the left null space as well.
    fn new(open: &DMatrix<f64>) -> Self {
        let (rows, columns) = open.shape();
        if columns == 0 || rows == 0 {
            return Self {
                q: DMatrix::identity(rows, rows),
                r: DMatrix::zeros(0, 0),
                rank: 0,
                order: Vec::new(),
            };
        }
        let square = open.clone().resize_horizontally(columns.max(rows), 0.0);
        let factors = ColPivQR::new(square);
        let (q, r) = (factors.q(), factors.r());
        let width = r.ncols();
        let places = (0..width).map(|place| to_f64(i64::try_from(place).unwrap_or(i64::MAX)));
        let mut places = RowDVector::from_iterator(width, places);
        factors.p().permute_columns(&mut places);
        let largest = r.get((0, 0)).map_or(0.0, |pivot| pivot.abs());
        // With more variables than constraints R is wider than high.
        let depth = r.nrows().min(width);
        let pivots = r.view((0, 0), (depth, depth)).diagonal();
        let rank = pivots
            .iter()
            .take_while(|pivot| pivot.abs() > RANK * largest && largest > 0.0)
            .count();
        let order = places
            .iter()
            .map(|place| usize::try_from(to_i64(*place)).unwrap_or(usize::MAX))
            .collect();
        Self { q, r, rank, order }
    }

    fn left_null_space(&self) -> DMatrix<f64> {
        let rows = self.q.nrows();
        self.q.columns(self.rank, rows - self.rank).into_owned()
    }

    /// The unmeasured variables from what is missing for the constraints. A variable
    /// that another one can stand in for is left open.
    fn computed(
        &self,
        names: &[Arc<str>],
        known: &DMatrix<f64>,
        miss: &DVector<f64>,
        covariance: &DMatrix<f64>,
    ) -> Vec<Computed> {
        let rank = self.rank;
        let r = self.r.view((0, 0), (rank, rank));
        let rest = self.r.view((0, rank), (rank, self.r.ncols() - rank));
        let basis = self.q.columns(0, rank);
        let value = r.solve_upper_triangular(&-basis.tr_mul(miss));
        let gain = r.solve_upper_triangular(&-basis.tr_mul(known));
        // What stands in for a variable moves it: a row that is not zero.
        let stands_in = r.solve_upper_triangular(&rest.into_owned());
        let mut found = vec![None; names.len()];
        if let (Some(value), Some(gain), Some(stands_in)) = (value, gain, stands_in) {
            for (place, variable) in self.order.iter().take(rank).enumerate() {
                let open = stands_in.row(place).amax() > RANK;
                if let (false, Some(found), Some(value)) =
                    (open, found.get_mut(*variable), value.get(place))
                {
                    let gain = gain.row(place);
                    let variance = (gain * covariance * gain.transpose()).sum();
                    *found = Some((*value, variance.max(0.0).sqrt()));
                }
            }
        }
        names
            .iter()
            .zip(found)
            .map(|(name, value)| Computed {
                name: Arc::clone(name),
                value,
            })
            .collect()
    }
}
