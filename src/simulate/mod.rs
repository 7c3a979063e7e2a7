//! wip
pub mod broker;
pub mod modbus;
pub mod physics;
