//! Stub.

pub mod line_protocol;
pub mod modbus;
pub mod payload;
pub mod plan;
pub mod register;
pub mod sunspec;
