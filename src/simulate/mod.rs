//! Stub.

pub mod broker;
pub mod modbus;
pub mod park;
pub mod physics;
