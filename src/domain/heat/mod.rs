//! Heat as physics: properties of fluids, and heat from flow and temperatures.
//!
//! Everything here is a function of known numbers. What may be unknown is an
//! `Option` or a `Result`: **missing is not zero**, 0/0 is no number, and **nothing is
//! clamped**.

pub mod field;
pub mod fluid;
pub mod focus;
pub mod incidence;
pub mod integration;
pub mod meter;
pub mod power_check;
pub mod storage;
pub mod uncertainty;
pub mod water;

#[cfg(test)]
mod vectors;
