//! Whether a collector field gives what its parameters promise.
//!
//! ```text
//!   hours ──▶ valid ones ──▶ Σ measured  ≥  f_safe · A · Σ expected ?
//! ```
//!
//! Expected power per area of the collectors, with ΔT = T<sub>m</sub> − T<sub>a</sub>:
//!
//! > (1) q = η₀ K G − a₁ΔT − a₂ΔT² − a₅ dT<sub>m</sub>/dt, flat plates
//! >
//! > (2) q = η₀ K<sub>b</sub>(θ) G<sub>b</sub> + η₀ K<sub>d</sub> G<sub>d</sub> − a₁ΔT − a₂ΔT² − a₅ dT<sub>m</sub>/dt, concentration below 20
//! >
//! > (3) q = η₀ K<sub>b</sub>(θ) G<sub>b</sub> − a₁ΔT − a₅ dT<sub>m</sub>/dt − a₈ΔT⁴, troughs
//!
//! K here is the modifier without the cosine, since G<sub>b</sub> is in the plane of
//! the aperture. Both sides are sums over the same valid hours; an hour that is not
//! valid is in neither, and fewer than twenty decide nothing.
//!
//! # Source
//!
//! ISO 24194, whose text was not read, in the form that the SunPeek software
//! implements; held to `tests/fixtures/solar_thermal.json`.

/// Valid hours below which nothing is decided.
pub const LEAST_VALID_HOURS: usize = 20;

/// Temperatures of a collector in an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Temperatures {
    /// Mean of inlet and outlet, °C.
    pub mean: f64,
    /// Air, °C.
    pub ambient: f64,
    /// How fast the mean moves, K/s.
    pub rate_k_per_s: f64,
}

impl Temperatures {
    fn over_ambient(&self) -> f64 {
        self.mean - self.ambient
    }
}

/// Equation 1: flat plates under all light of their half of the sky.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlatPlate {
    /// Peak efficiency for hemispherical light.
    pub eta0: f64,
    /// W/(m²·K).
    pub a1: f64,
    /// W/(m²·K²).
    pub a2: f64,
    /// J/(m²·K).
    pub a5: f64,
}

/// Equation 2: collectors that concentrate less than twenty times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LowConcentration {
    /// Peak efficiency for beam.
    pub eta0: f64,
    /// Modifier of diffuse light.
    pub k_diffuse: f64,
    /// W/(m²·K).
    pub a1: f64,
    /// W/(m²·K²).
    pub a2: f64,
    /// J/(m²·K).
    pub a5: f64,
}

/// Equation 3: troughs and others that concentrate twenty times or more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Concentrating {
    /// Peak efficiency for beam.
    pub eta0: f64,
    /// W/(m²·K).
    pub a1: f64,
    /// J/(m²·K).
    pub a5: f64,
    /// W/(m²·K⁴).
    pub a8: f64,
}

impl FlatPlate {
    /// Expected power, W/m², under hemispherical irradiance in the plane, W/m², with
    /// its modifier.
    #[must_use]
    pub fn expected(&self, modifier: f64, hemispherical: f64, at: &Temperatures) -> f64 {
        let over = at.over_ambient();
        self.eta0 * modifier * hemispherical
            - self.a1 * over
            - self.a2 * over * over
            - self.a5 * at.rate_k_per_s
    }
}

impl LowConcentration {
    /// Expected power, W/m², under beam with its modifier and diffuse light, both in
    /// the plane, W/m².
    #[must_use]
    pub fn expected(&self, modifier: f64, beam: f64, diffuse: f64, at: &Temperatures) -> f64 {
        let over = at.over_ambient();
        self.eta0 * (modifier * beam + self.k_diffuse * diffuse)
            - self.a1 * over
            - self.a2 * over * over
            - self.a5 * at.rate_k_per_s
    }
}

impl Concentrating {
    /// Expected power, W/m², under beam in the plane, W/m², with its modifier.
    #[must_use]
    pub fn expected(&self, modifier: f64, beam: f64, at: &Temperatures) -> f64 {
        let over = at.over_ambient();
        self.eta0 * modifier * beam
            - self.a1 * over
            - self.a5 * at.rate_k_per_s
            - self.a8 * over.powi(4)
    }
}

/// Factors that a guarantee leaves room with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Safety {
    /// For the loss of pipes.
    pub pipes: f64,
    /// For the uncertainty of the measurement.
    pub uncertainty: f64,
    /// For everything else.
    pub others: f64,
}

/// What is used where a contract says nothing.
impl Default for Safety {
    fn default() -> Self {
        Self {
            pipes: 0.99,
            uncertainty: 0.93,
            others: 0.98,
        }
    }
}

impl Safety {
    /// f_safe, the product.
    #[must_use]
    pub fn factor(&self) -> f64 {
        self.pipes * self.uncertainty * self.others
    }
}

/// Which irradiance makes an hour valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    /// Hemispherical in the plane: equation 1.
    Hemispherical,
    /// Beam in the plane: equations 2 and 3.
    Beam,
}

impl Light {
    /// Least irradiance of a valid hour, W/m².
    #[must_use]
    pub fn least(self) -> f64 {
        match self {
            Self::Hemispherical => 800.0,
            Self::Beam => 600.0,
        }
    }
}

/// What an hour was like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// Irradiance in the plane of the equation's kind, W/m².
    pub irradiance: f64,
    /// Its kind.
    pub light: Light,
    /// How far the mean temperature moved in the hour, K.
    pub moved_k: f64,
    /// Air, °C.
    pub ambient: f64,
    /// Wind, m/s.
    pub wind: f64,
    /// Whether rows, clouds' edges or snow shaded collectors.
    pub shaded: bool,
    /// Whether mirrors were turned away from the sun.
    pub defocused: bool,
}

/// Why an hour is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// Too little light.
    Light,
    /// The field warmed or cooled too fast.
    Unsteady,
    /// Too cold.
    Cold,
    /// Too windy.
    Windy,
    /// Shade.
    Shaded,
    /// Mirrors out of focus: the promise is one of the whole field.
    Defocused,
}

impl Conditions {
    /// Everything that makes the hour not valid; nothing for a valid one.
    #[must_use]
    pub fn invalid(&self) -> Vec<Invalid> {
        [
            (self.irradiance >= self.light.least(), Invalid::Light),
            (self.moved_k.abs() <= 5.0, Invalid::Unsteady),
            (self.ambient >= 5.0, Invalid::Cold),
            (self.wind <= 10.0, Invalid::Windy),
            (!self.shaded, Invalid::Shaded),
            (!self.defocused, Invalid::Defocused),
        ]
        .into_iter()
        .filter_map(|(fits, reason)| (!fits).then_some(reason))
        .collect()
    }
}

/// An hour of a check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour {
    /// What the field gave, W in the mean of the hour.
    pub measured_w: f64,
    /// What an equation expects, W/m².
    pub expected_w_m2: f64,
    /// What it was like.
    pub conditions: Conditions,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Valid hours.
    pub hours: usize,
    /// What the field gave in them, Wh.
    pub measured_wh: f64,
    /// What it should have given at least, Wh.
    pub guaranteed_wh: f64,
    /// Whether the guarantee is met.
    pub met: bool,
}

impl Outcome {
    /// Measured over guaranteed; none where nothing was guaranteed.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (self.guaranteed_wh != 0.0).then(|| self.measured_wh / self.guaranteed_wh)
    }
}

/// Too few hours to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{valid} of {hours} hours are valid, and fewer than {LEAST_VALID_HOURS} decide nothing; \
     look for more clear, steady hours"
)]
pub struct Undecided {
    /// Valid hours.
    pub valid: usize,
    /// All hours.
    pub hours: usize,
}

/// Checks a field of collectors against its guarantee. The area is the one that the
/// parameters are related to, m².
///
/// # Errors
///
/// [`Undecided`] with fewer than twenty valid hours.
pub fn check(hours: &[Hour], area_m2: f64, safety: &Safety) -> Result<Outcome, Undecided> {
    let valid: Vec<_> = hours
        .iter()
        .filter(|hour| hour.conditions.invalid().is_empty())
        .collect();
    if valid.len() < LEAST_VALID_HOURS {
        return Err(Undecided {
            valid: valid.len(),
            hours: hours.len(),
        });
    }
    let sum = |of: fn(&Hour) -> f64| valid.iter().map(|hour| of(hour)).sum::<f64>();
    let measured_wh = sum(|hour| hour.measured_w);
    let guaranteed_wh = area_m2 * sum(|hour| hour.expected_w_m2) * safety.factor();
    Ok(Outcome {
        hours: valid.len(),
        measured_wh,
        guaranteed_wh,
        met: measured_wh >= guaranteed_wh,
    })
}

#[cfg(test)]
#[path = "power_check_tests.rs"]
mod tests;
