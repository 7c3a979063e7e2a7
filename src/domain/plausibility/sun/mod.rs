//! Checks against the sun.

pub mod bound;
pub mod irradiance;
pub mod night;
