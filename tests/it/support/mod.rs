//! Peers and hands for the tests.

pub mod fake_broker;
pub mod hostile;
pub mod mosquitto;
pub mod pymodbus;
