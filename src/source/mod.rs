//! Stub.

pub mod modbus;
pub mod mqtt;
