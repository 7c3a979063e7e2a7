//! Stub.

pub mod clock;
pub mod log;
pub mod secret;
pub mod systemd;
