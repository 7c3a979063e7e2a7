//! How the sun meets a trough: the angle that a mount must take, the angle that is
//! left, and what a collector makes of it.
//!
//! ```text
//!   axis north–south   −90° east  · 0° up · +90° west
//!   axis east–west     −90° south · 0° up · +90° north
//! ```
//!
//! A mount turns about one axis, so it takes away the angle across it; the angle
//! along it stays as the incidence angle θ. The modifier K holds the cosine of θ and
//! all that optics lose beside it; IAM is K without the cosine:
//!
//! > K(θ) = IAM(θ) · cos θ
//!
//! **θ is in degrees everywhere here.** SAM's formula wants radians inside, and gets
//! them inside. Where a fit falls below nothing it describes no mirror, and where a
//! table ends nothing is known: both are unknown, not zero.
//!
//! # Sources
//!
//! LS-2: Dudley et al. 1994, as public codes have it. EuroTrough ET-150 and the form
//! that SAM uses: as in `tests/fixtures/solar_thermal.json`, whose sources were not
//! read.

use super::super::sun::Sun;
use super::fluid::between;

/// The axis of a tracker: the compass direction that it points to, degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    azimuth_deg: f64,
}

/// The sun as a tracker meets it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Meeting {
    /// The angle that faces the sun, degrees; positive to the left of the axis.
    pub demanded_deg: f64,
    /// The incidence angle that is left, degrees, from 0 to 90.
    pub incidence_deg: f64,
}

impl Axis {
    /// Turns from east to west.
    pub const NORTH_SOUTH: Self = Self { azimuth_deg: 0.0 };
    /// Turns from south to north.
    pub const EAST_WEST: Self = Self { azimuth_deg: 90.0 };

    /// A level axis that points to this direction, degrees from north over east.
    #[must_use]
    pub fn towards(azimuth_deg: f64) -> Self {
        Self { azimuth_deg }
    }

    /// How a mount on this axis meets the sun; none while it is not over the horizon.
    #[must_use]
    pub fn meet(&self, sun: &Sun) -> Option<Meeting> {
        let [east, north, up] = sun.direction();
        let (sin, cos) = self.azimuth_deg.to_radians().sin_cos();
        let along = east * sin + north * cos;
        let to_the_right = east * cos - north * sin;
        (up > 0.0).then(|| Meeting {
            demanded_deg: (-to_the_right).atan2(up).to_degrees(),
            incidence_deg: along.abs().atan2(to_the_right.hypot(up)).to_degrees(),
        })
    }
}

/// What a collector makes of the incidence angle.
#[derive(Debug, Clone, PartialEq)]
pub enum Modifier {
    /// Luz LS-2.
    Ls2,
    /// EuroTrough ET-150.
    EuroTrough,
    /// SAM's form, θ in radians: `IAM = c0 + c1 θ/cos θ + c2 θ²/cos θ`.
    Sam([f64; 3]),
    /// Points of θ in degrees and IAM.
    Table(ModifierTable),
}

/// Points of a modifier, without the cosine, in rising order of the angle.
#[derive(Debug, Clone, PartialEq)]
pub struct ModifierTable(Vec<(f64, f64)>);

/// Why a table is no modifier.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ModifierError {
    /// Too short to lie between two points.
    #[error("a modifier of {0} points says nothing between them; at least two")]
    Short(usize),
    /// An angle that is none, or out of order.
    #[error("incidence angle {0}° is out of place; rising, from 0 to below 90 degrees")]
    Angle(f64),
    /// A modifier that is none.
    #[error("modifier {0} is no part of the light; it is zero or more, without the cosine")]
    Value(f64),
}

impl ModifierTable {
    /// A table of points, θ in degrees and IAM.
    ///
    /// # Errors
    ///
    /// [`ModifierError`] where it has no order or fewer than two points.
    pub fn new(points: Vec<(f64, f64)>) -> Result<Self, ModifierError> {
        if points.len() < 2 {
            return Err(ModifierError::Short(points.len()));
        }
        let mut least = 0.0;
        for (place, (angle, value)) in points.iter().enumerate() {
            let rises = *angle > least || (place == 0 && *angle >= 0.0);
            if !(rises && *angle < 90.0) {
                return Err(ModifierError::Angle(*angle));
            }
            if !(*value >= 0.0 && value.is_finite()) {
                return Err(ModifierError::Value(*value));
            }
            least = *angle;
        }
        Ok(Self(points))
    }
}

impl Modifier {
    /// K: the part of the direct normal light that counts, cosine included, of an
    /// incidence angle in degrees. None where nothing is known of that angle.
    #[must_use]
    pub fn with_cosine(&self, incidence_deg: f64) -> Option<f64> {
        let theta = incidence_deg;
        if !(0.0..90.0).contains(&theta) {
            return None;
        }
        let radians = theta.to_radians();
        let cos = radians.cos();
        let k = match self {
            Self::Ls2 => cos + 8.84e-4 * theta - 5.369e-5 * theta * theta,
            Self::EuroTrough => cos - 5.250_97e-4 * theta - 2.859_621e-5 * theta * theta,
            Self::Sam([c0, c1, c2]) => c0 * cos + radians * (c1 + c2 * radians),
            Self::Table(ModifierTable(points)) => between(points, theta)? * cos,
        };
        (k >= 0.0).then_some(k)
    }

    /// IAM: K without the cosine. None where nothing is known of that angle.
    #[must_use]
    pub fn iam(&self, incidence_deg: f64) -> Option<f64> {
        Some(self.with_cosine(incidence_deg)? / incidence_deg.to_radians().cos())
    }
}

#[cfg(test)]
#[path = "incidence_tests.rs"]
mod tests;
