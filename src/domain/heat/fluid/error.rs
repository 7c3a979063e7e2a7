//! What a fluid says instead of a number: each sentence names the fluid, the value,
//! what would be right, and the next thing to look at.

use super::{FLUIDS, Fluid};

/// Why the properties of a fluid are unknown.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum FluidError {
    /// Outside of the range of the formulas.
    #[error(
        "{fluid} at {celsius} °C is outside of {least:.1} °C to {most:.1} °C, where it is known; \
         is the sensor wired and scaled right, and is it this fluid?"
    )]
    Temperature {
        /// The fluid.
        fluid: Fluid,
        /// What was asked, °C.
        celsius: f64,
        /// The least known, °C.
        least: f64,
        /// The most known, °C.
        most: f64,
    },
    /// Solid, or with ice in it.
    #[error(
        "{fluid} at {celsius} °C is frozen, it freezes at {freezes:.1} °C; \
         is the sensor wired and scaled right, and is it this fluid?"
    )]
    Frozen {
        /// The fluid.
        fluid: Fluid,
        /// What was asked, °C.
        celsius: f64,
        /// Where it begins to freeze, °C.
        freezes: f64,
    },
    /// The fluid boils.
    #[error(
        "{fluid} at {celsius} °C boils below {boils_pa:.0} Pa absolute, and {pressure_pa} Pa is \
         declared; a gauge pressure lacks 101325 Pa"
    )]
    Boils {
        /// The fluid.
        fluid: Fluid,
        /// What was asked, °C.
        celsius: f64,
        /// The declared pressure, Pa absolute.
        pressure_pa: f64,
        /// The pressure below which it boils, Pa absolute.
        boils_pa: f64,
    },
    /// No pressure of a fluid.
    #[error(
        "{pressure_pa} Pa is no absolute pressure of {fluid}, which lies between 0 Pa and \
         100 MPa; a gauge pressure lacks 101325 Pa"
    )]
    Pressure {
        /// The fluid.
        fluid: Fluid,
        /// What was declared, Pa.
        pressure_pa: f64,
    },
}

/// Why a configuration does not say which fluid it is.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ChoiceError {
    /// No row of this name.
    #[error("`{name}` is not a fluid; one of {}", names())]
    Unknown {
        /// The name.
        name: String,
    },
    /// A mixture without its fraction.
    #[error("{title} is a mixture with water; say its mass fraction in percent")]
    FractionMissing {
        /// The fluid.
        title: &'static str,
    },
    /// A fraction where there is no mixture.
    #[error("{title} is no mixture with water; leave the mass fraction out")]
    FractionUnwanted {
        /// The fluid.
        title: &'static str,
    },
    /// A mixture that is not in the data.
    #[error("{title} of {mass_pct} % is unknown; from 0 to 60 percent of mass, not of volume")]
    Fraction {
        /// The fluid.
        title: &'static str,
        /// The fraction, %.
        mass_pct: f64,
    },
}

fn names() -> String {
    let names: Vec<_> = FLUIDS.iter().map(|row| format!("`{}`", row.name)).collect();
    names.join(", ")
}

/// A value that is known, and less well than it looks.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "data of {fluid} end at {data_end} °C, and at {celsius} °C the fit goes on without them: \
     its heat capacity is good to 2 %; the vendor's table of the product is better"
)]
pub struct BeyondData {
    /// The fluid.
    pub fluid: Fluid,
    /// What was asked, °C.
    pub celsius: f64,
    /// Up to where there are data, °C.
    pub data_end: f64,
}
