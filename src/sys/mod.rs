//! Stub.

pub mod clock;
pub mod log;
pub mod systemd;
