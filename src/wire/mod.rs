//! Stub.

pub mod line_protocol;
pub mod mqtt;
pub mod plan;
pub mod register;
