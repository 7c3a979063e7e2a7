//! Checks of electricity meters.

pub mod decrease;
pub mod drift;
pub mod identity;
pub mod range;
pub mod ratio;
pub mod reversed;
pub mod stuck;
pub mod swapped;
