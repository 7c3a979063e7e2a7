//! Heat as physics: properties of fluids, heat from flow and temperatures, what a
//! solar field, a storage and a system of them do with it.
//!
//! ```text
//!   fluid ──▶ meter ──┬──▶ integration ──▶ system ◀── pool
//!                     ├──▶ field ◀── focus ◀── incidence ◀── sun
//!                     └──▶ storage
//! ```
//!
//! [`uncertainty`] says how wrong a meter may be, [`power_check`] whether a field keeps
//! its promise.
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
pub mod pool;
pub mod power_check;
pub mod storage;
pub mod system;
pub mod uncertainty;
pub mod water;

#[cfg(test)]
pub(crate) mod vectors;
