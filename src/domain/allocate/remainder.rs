//! Rounding that adds up: the largest remainder.

/// Fractions as integers that add up to a total: each is rounded down, and what is left
/// over goes to the largest remainders, of equal ones to the first. What the fractions
/// leave of the total is one more amount at the end.
pub(super) fn apportion(total: i128, numerators: &[i128], denominator: i128) -> Vec<i128> {
    let denominator = denominator.max(1);
    let rest = total * denominator - numerators.iter().sum::<i128>();
    let exact = || numerators.iter().copied().chain([rest]);
    let mut whole: Vec<i128> = exact().map(|part| part.div_euclid(denominator)).collect();
    let mut order: Vec<(i128, usize)> = exact()
        .map(|part| part.rem_euclid(denominator))
        .enumerate()
        .map(|(place, remainder)| (remainder, place))
        .collect();
    order.sort_by(|(a, at), (b, bt)| b.cmp(a).then(at.cmp(bt)));
    let left = total - whole.iter().sum::<i128>();
    let left = usize::try_from(left).unwrap_or(0);
    for (_, place) in order.iter().take(left) {
        if let Some(part) = whole.get_mut(*place) {
            *part += 1;
        }
    }
    whole
}

/// A total in proportion to weights, in integers that add up to it; none if a weight is
/// below zero, all are zero, or the product of both sums leaves an `i128`.
///
/// A total below zero is split like its opposite.
#[must_use]
pub fn split(total: i64, weights: &[i64]) -> Option<Vec<i64>> {
    let all: i128 = weights.iter().copied().map(i128::from).sum();
    if all == 0 || weights.iter().any(|weight| *weight < 0) {
        return None;
    }
    let size = i128::from(total.unsigned_abs());
    all.checked_mul(size)?;
    let exact: Vec<i128> = weights.iter().map(|one| i128::from(*one) * size).collect();
    let mut parts = apportion(size, &exact, all);
    // The weights are all there is: nothing is left over for the last.
    parts.truncate(weights.len());
    let signed = |part: i128| i64::try_from(if total < 0 { -part } else { part }).ok();
    parts.into_iter().map(signed).collect()
}
