//! Stub.

pub mod grid_export;
