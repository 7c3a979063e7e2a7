//! A number and what it rests on, or everything that is missing for it.

use jiff::Timestamp;

use super::provenance::Made;
use super::quality::{Gaps, Quality};

/// A number that is known, with what it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known<N> {
    /// The number.
    pub value: N,
    /// The worst quality of its inputs.
    pub quality: Quality,
    /// The oldest of its inputs; none for a number that rests on no reading.
    pub oldest: Option<Timestamp>,
    /// The least coverage of its inputs, percent of the time it stands for.
    pub coverage_pct: f64,
    /// What all of its inputs rest on; nothing for a power of the moment.
    pub made: Made,
}

impl<N> Known<N> {
    /// A number that rests on no reading: an absent piece of equipment.
    #[must_use]
    pub fn given(value: N) -> Self {
        Self {
            value,
            quality: Quality::Good,
            oldest: None,
            coverage_pct: 100.0,
            made: Made::NOTHING,
        }
    }

    /// The same evidence for another number.
    #[must_use]
    pub fn with<M>(&self, value: M) -> Known<M> {
        Known {
            value,
            quality: self.quality,
            oldest: self.oldest,
            coverage_pct: self.coverage_pct,
            made: self.made,
        }
    }
}

/// A number that is known, or everything that is missing for it.
pub type Stated<N> = Result<Known<N>, Gaps>;

/// Two statements made one; what either lacks, the result lacks.
pub fn combine<N: Copy>(a: &Stated<N>, b: &Stated<N>, with: impl Fn(N, N) -> N) -> Stated<N> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok(Known {
            value: with(a.value, b.value),
            quality: a.quality.worst(b.quality),
            oldest: match (a.oldest, b.oldest) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (one, other) => one.or(other),
            },
            coverage_pct: a.coverage_pct.min(b.coverage_pct),
            made: a.made.and(b.made),
        }),
        (Err(gaps), Ok(_)) | (Ok(_), Err(gaps)) => Err(gaps.clone()),
        (Err(a), Err(b)) => {
            let mut gaps = a.clone();
            gaps.join(b);
            Err(gaps)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_two_is_as_good_as_the_worse_and_rests_on_both() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let counted = Known {
            value: 3,
            quality: Quality::Interpolated,
            oldest: at(20),
            coverage_pct: 80.0,
            made: Made::REGISTER,
        };
        let filled = Known {
            value: 4,
            quality: Quality::Estimated,
            oldest: at(10),
            coverage_pct: 90.0,
            made: Made::INTEGRATED.and(Made::LIKE_DAY),
        };
        let both = Known {
            value: 7,
            quality: Quality::Estimated,
            oldest: at(10),
            coverage_pct: 80.0,
            made: Made::REGISTER.and(Made::INTEGRATED).and(Made::LIKE_DAY),
        };
        let alone = Known {
            value: 3,
            ..counted
        };
        #[rustfmt::skip]
        let cases = [
            ("one and the other",   counted, filled,          both),
            ("the other way round", filled,  counted,         both),
            ("and nothing",         counted, Known::given(0), alone),
            ("nothing and",         Known::given(0), counted, alone),
        ];
        for (situation, one, other, expected) in cases {
            let sum = combine(&Ok(one), &Ok(other), |one, other| one + other);
            assert_eq!(sum, Ok(expected), "{situation}");
        }
        // Another number of the same evidence.
        assert_eq!(filled.with(3.5).made, filled.made);
    }
}
