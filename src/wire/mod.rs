//! Bytes and what they mean: frames and registers of Modbus, models of `SunSpec`,
//! messages of MQTT, line protocol. Pure; **what is not a number is a reason, never a
//! zero**.

pub mod line_protocol;
pub mod modbus;
pub mod mqtt;
pub mod plan;
pub mod register;
pub mod sunspec;
