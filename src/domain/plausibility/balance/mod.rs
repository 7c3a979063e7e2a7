//! Checks of meters against each other.

pub mod export;
pub mod feeder;
pub mod node;
